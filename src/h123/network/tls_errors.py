"""What OpenSSL's errors mean, in plain words (RFC 8446 section 6.2: alerts)."""

from __future__ import annotations

import ssl

from .errors import reason

NOT_TLS = frozenset(
    {
        "HTTP_REQUEST",
        "HTTPS_PROXY_REQUEST",
        "PACKET_LENGTH_TOO_LONG",
        "UNKNOWN_PROTOCOL",
        "WRONG_VERSION_NUMBER",
    }
)
"""What OpenSSL finds wrong with bytes that are no TLS records."""

_WORDS = {
    "NO_APPLICATION_PROTOCOL": "no HTTP version in common",
    "NO_PROTOCOLS_AVAILABLE": "no TLS version in common",
    "NO_SHARED_CIPHER": "no cipher in common",
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "the peer sent no certificate, and one is required",
    "SSLV3_ALERT_BAD_CERTIFICATE": "the peer did not accept our certificate",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "the peer says that our certificate has expired",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "the peer did not accept our certificate",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "the peer found no TLS settings in common",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "the peer requires a client certificate",
    "TLSV1_ALERT_ACCESS_DENIED": "the peer denied access",
    "TLSV1_ALERT_NO_APPLICATION_PROTOCOL": "no HTTP version in common",
    "TLSV1_ALERT_PROTOCOL_VERSION": "the peer speaks no TLS version that is allowed here",
    "TLSV1_ALERT_UNKNOWN_CA": "the peer does not trust our certificate's authority",
    "TLSV1_UNRECOGNIZED_NAME": "the peer does not serve this name",
    "UNSUPPORTED_PROTOCOL": "the peer speaks no TLS version that is allowed here",
}


def tls_reason(error: ssl.SSLError) -> str:
    """Return in a few plain words what went wrong."""
    name = error.reason or ""
    return _WORDS.get(name) or name.replace("_", " ").lower() or reason(error)
