"""The outside world: sockets, TLS, names, time and locks, behind one small interface (a backend)."""
