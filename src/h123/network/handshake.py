"""The TLS handshake over any stream (RFC 8446 section 4), and its failures told to people."""

from __future__ import annotations

import errno
import ssl
from typing import TYPE_CHECKING, Any

from .errors import explained, failure, reason, seconds, timed_out
from .tls_errors import NOT_TLS, tls_reason
from .tls_stream import TLSStream

if TYPE_CHECKING:
    from .backend import Backend
    from .stream import Stream

_HEADER_SIZE = 5
"""Bytes of a TLS record's header; the last two are the record's length (RFC 8446 section 5.1)."""


async def shake_hands(
    backend: Backend,
    stream: Stream,
    context: ssl.SSLContext,
    server_hostname: str | None,
    timeout: float | None,
    server_side: bool,
) -> TLSStream:
    """Do what `connect.start_tls` promises."""
    peer = stream.peer_address
    where = peer if server_hostname is None else f"{server_hostname} ({peer})"
    try:
        # Bytes: `str` would load Python's old IDNA codec. No dot: a certificate's names have none.
        name: Any = server_hostname.rstrip(".").encode("ascii") if server_hostname else None
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_side=server_side, server_hostname=name)
        await _Handshake(stream, tls, incoming, outgoing).finish(backend, where, timeout)
    except OSError as error:
        stream.close()
        raise _for_people(error, where, server_side) from None
    except BaseException:
        stream.close()
        raise
    return TLSStream(stream, tls, incoming, outgoing)


class _Handshake:
    """Carries records between a TLS object and a stream until both sides agree.

    It reads no further than the end of the record that TLS waits for: what comes after the handshake has to
    stay where the socket tells of it.
    """

    __slots__ = ("_header", "_in_header", "_incoming", "_missing", "_outgoing", "_stream", "_tls")

    def __init__(
        self, stream: Stream, tls: ssl.SSLObject, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO
    ) -> None:
        self._stream = stream
        self._tls = tls
        self._incoming = incoming
        self._outgoing = outgoing
        self._header = bytearray()  # of the record that is coming
        self._in_header = True  # whether that is what comes next, or its content
        self._missing = _HEADER_SIZE  # bytes of either

    async def finish(self, backend: Backend, where: str, timeout: float | None) -> None:
        """Shake hands. Raises `TimeoutError`, and what the stream and TLS raise."""
        deadline = None if timeout is None else backend.now() + timeout
        stream = self._stream
        poller = backend.poller(stream.sock)
        try:
            while not self._is_done():
                while not self._feed():
                    remaining = None if deadline is None else deadline - backend.now()
                    if not await poller.wait(True, stream.unsent > 0, remaining):
                        assert timeout is not None
                        text = f"the TLS handshake with {where} took longer than {seconds(timeout)}"
                        raise timed_out(text)
                    if stream.unsent:
                        self._send(b"")
        finally:
            poller.close()

    def _is_done(self) -> bool:
        """Let TLS go on with what it has; what it says, be it an alert, is sent."""
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        finally:
            self._send(self._outgoing.read())
        return True

    def _send(self, data: bytes) -> None:
        try:
            if data:
                self._stream.write(data)
            else:
                self._stream.flush()
        except OSError:  # reading tells more: the peer's alert, or the end
            pass

    def _feed(self) -> bool:
        """Give TLS what has come of a record's header or content; False if nothing has."""
        data = self._stream.read(self._missing)
        if data is None:
            return False
        if not data:
            self._incoming.write_eof()
            return True
        self._incoming.write(data)
        while data:  # once, but for a stream that gives more than it was asked for
            data = self._count(data)
        return True

    def _count(self, data: bytes) -> bytes:
        """Find where records end. Returns what lies behind the header or content that is coming."""
        counted, rest = data[: self._missing], data[self._missing :]
        self._missing -= len(counted)
        if self._in_header:
            self._header += counted
        if self._missing:
            return rest
        length = int.from_bytes(self._header[3:], "big") if self._in_header else 0
        self._in_header = not length
        self._missing = length or _HEADER_SIZE
        if self._in_header:
            self._header.clear()
        return rest


def _for_people(error: OSError, where: str, server_side: bool) -> OSError:
    """Return the same kind of error with a message for people."""
    if isinstance(error, TimeoutError):
        return error
    if isinstance(error, ssl.SSLEOFError):
        return failure(errno.ECONNRESET, f"{where} hung up during the TLS handshake")
    if not isinstance(error, ssl.SSLError):
        return explained(error, f"TLS handshake with {where}: {reason(error)}")
    if isinstance(error, ssl.SSLCertVerificationError):
        why = getattr(error, "verify_message", "") or tls_reason(error)
        distrust = explained(error, f"the certificate of {where} can not be trusted: {why}")
        distrust.verify_code, distrust.verify_message = getattr(error, "verify_code", 0), why
        return distrust
    if error.reason in NOT_TLS:
        peer = "client" if server_side else "server"
        plain = " but plain HTTP" if (error.reason or "").startswith("HTTP") else ""
        return explained(error, f"the {peer} {where} did not speak TLS{plain}")
    return explained(error, f"TLS handshake with {where} failed: {tls_reason(error)}")
