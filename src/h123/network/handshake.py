"""The TLS handshake, and what its failures mean in plain words (RFC 8446 sections 4 and 6.2)."""

from __future__ import annotations

import errno
import ssl
from typing import TYPE_CHECKING

from .errors import explained, failure, reason, seconds, timed_out
from .tls_stream import TLSStream

if TYPE_CHECKING:
    from .backend import Backend
    from .stream import SocketStream

_NOT_TLS = frozenset(
    {
        "HTTP_REQUEST",
        "HTTPS_PROXY_REQUEST",
        "PACKET_LENGTH_TOO_LONG",
        "RECORD_LAYER_FAILURE",
        "UNKNOWN_PROTOCOL",
        "WRONG_VERSION_NUMBER",
    }
)

_REASONS = {
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
    "WRONG_SIGNATURE_TYPE": "the peer's signature is of a kind that is not allowed",
}


async def shake_hands(
    backend: Backend,
    stream: SocketStream,
    context: ssl.SSLContext,
    server_hostname: str | None,
    timeout: float | None,
    server_side: bool,
) -> TLSStream:
    """Do what `connect.start_tls` promises."""
    if stream.unsent or stream.tls is not None:
        stream.close()
        raise ValueError("TLS starts on a plain stream with nothing unsent")
    peer = stream.peer_address
    where = peer if server_hostname is None else f"{server_hostname} ({peer})"
    sock = None
    try:
        # Bytes: `str` would load Python's old IDNA codec. No dot: a certificate's names have none.
        name = server_hostname.rstrip(".").encode("ascii") if server_hostname else None
        sock = context.wrap_socket(
            stream.sock,
            server_side=server_side,
            do_handshake_on_connect=False,
            suppress_ragged_eofs=False,
            server_hostname=name,
        )
        await _finish(backend, sock, where, timeout)
        return TLSStream(sock, peer)
    except BaseException as error:
        if sock is not None:
            sock.close()
        stream.close()
        if isinstance(error, OSError):
            raise _for_people(error, where, server_hostname, server_side) from None
        raise


async def _finish(backend: Backend, sock: ssl.SSLSocket, where: str, timeout: float | None) -> None:
    deadline = None if timeout is None else backend.now() + timeout
    poller = backend.poller(sock)
    try:
        while True:
            try:
                sock.do_handshake()
                return
            except ssl.SSLWantReadError:
                read = True
            except ssl.SSLWantWriteError:
                read = False
            remaining = None if deadline is None else deadline - backend.now()
            if not await poller.wait(read, not read, remaining):
                assert timeout is not None
                raise timed_out(
                    f"the TLS handshake with {where} took longer than {seconds(timeout)}"
                )
    finally:
        poller.close()


def _for_people(
    error: OSError, where: str, server_hostname: str | None, server_side: bool
) -> OSError:
    """Return the same kind of error with a message for people."""
    if isinstance(error, TimeoutError):
        return error
    if isinstance(error, ssl.SSLCertVerificationError):
        return _distrust(error, where, server_hostname)
    if isinstance(error, ssl.SSLEOFError) or error.errno in (errno.ENOTCONN, errno.EPIPE):
        return failure(errno.ECONNRESET, f"{where} hung up during the TLS handshake")
    if not isinstance(error, ssl.SSLError):
        return explained(error, f"TLS handshake with {where}: {reason(error)}")
    name = error.reason or ""
    if name in _NOT_TLS:
        peer = "client" if server_side else "server"
        text = f"the {peer} {where} did not speak TLS"
        if name in ("HTTP_REQUEST", "HTTPS_PROXY_REQUEST"):
            text += " but plain HTTP"
    else:
        plain = _REASONS.get(name) or name.replace("_", " ").lower() or reason(error)
        text = f"TLS handshake with {where} failed: {plain}"
    twin = explained(error, text)
    twin.reason, twin.library = error.reason, error.library
    return twin


def _distrust(
    error: ssl.SSLCertVerificationError, where: str, server_hostname: str | None
) -> ssl.SSLCertVerificationError:
    why = getattr(error, "verify_message", "") or reason(error)
    twin = explained(error, f"the certificate of {where} can not be trusted: {why}")
    twin.reason, twin.library = error.reason, error.library
    twin.verify_code, twin.verify_message = getattr(error, "verify_code", 0), why
    return twin
