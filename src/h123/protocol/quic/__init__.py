"""What an HTTP/3 engine asks of a QUIC transport, and one adapter a library."""
