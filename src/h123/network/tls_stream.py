"""A byte stream over TLS. It holds the only code that reads and writes through `ssl`.

RFC 8446 section 6.1 (close_notify: an end without it may be an attacker's cut).
"""

from __future__ import annotations

import errno
import socket
import ssl

from .errors import failure
from .stream import READ_SIZE, SocketStream


class TLSStream(SocketStream):
    """A connected socket under TLS, its handshake done. Made by `connect.start_tls`."""

    __slots__ = ("_read_error", "_read_wants_write", "_ssl", "_write_wants_read")

    def __init__(self, sock: ssl.SSLSocket, peer_address: str = "") -> None:
        """Take over a socket made with `suppress_ragged_eofs=False`, so that a cut is seen."""
        super().__init__(sock, peer_address)
        self._ssl = sock
        self.tls = sock
        self.alpn_protocol = sock.selected_alpn_protocol()
        self._read_error: OSError | None = None  # found after bytes that had to be returned first
        self._read_wants_write = False
        self._write_wants_read = False

    def read(self, max_bytes: int = READ_SIZE) -> bytes | None:
        """Return the plain text of all records that have come and fit; see `Stream.read`."""
        data = self._read_record(max_bytes)
        if not data or len(data) == max_bytes:
            return data
        parts = [data]
        size = len(data)
        while size < max_bytes:
            try:
                more = self._read_record(max_bytes - size)
            except OSError as error:
                self._read_error = error
                break
            if not more:
                break
            parts.append(more)
            size += len(more)
        return b"".join(parts) if len(parts) > 1 else data

    def _read_record(self, max_bytes: int) -> bytes | None:
        """Return plain text of one record at most."""
        if self._read_error is not None:
            error, self._read_error = self._read_error, None
            raise error
        if self.truncated:
            return b""
        self._read_wants_write = False
        try:
            return self._ssl.read(max_bytes)
        except ssl.SSLWantReadError:
            return None
        except ssl.SSLWantWriteError:
            self._read_wants_write = True
            return None
        except ssl.SSLEOFError:
            self.truncated = True
            return b""
        except OSError as error:
            raise self._explained(error, "reading from") from None
        except ValueError:  # what `ssl` raises for a socket that was closed
            raise self._explained(failure(errno.EBADF, "closed"), "reading from") from None

    def _send(self, data: bytes | memoryview) -> int:
        self._write_wants_read = False
        try:
            return self._ssl.send(data)
        except ssl.SSLWantWriteError:
            return 0
        except ssl.SSLWantReadError:
            self._write_wants_read = True
            return 0
        except OSError as error:
            raise self._break(error) from None

    def wanted(self, read: bool, write: bool) -> tuple[bool, bool]:
        """Return what to wait for on the socket: a renegotiation or a key update turns things round."""
        return (
            (read and not self._read_wants_write) or (write and self._write_wants_read),
            (write and not self._write_wants_read) or (read and self._read_wants_write),
        )

    def shutdown_write(self) -> None:
        """Send close_notify and a FIN; the peer's bytes can still be read (RFC 8446 section 6.1)."""
        self._notify()
        try:
            socket.socket.shutdown(
                self._ssl, socket.SHUT_WR
            )  # `SSLSocket.shutdown` would forget TLS
        except OSError as error:
            raise self._break(error) from None
        self._broken = failure(
            errno.EPIPE, f"writing to {self.peer_address}: this side has said that it is done"
        )

    def close(self) -> None:
        """Close at once. With bytes unsent there is no close_notify: the peer is to see the cut."""
        if not self.is_closed:
            if not self.unsent and self._broken is None and self._read_error is None:
                self._notify()
            super().close()

    def _notify(self) -> None:
        """Send close_notify if it can go now."""
        try:
            # Non-blocking: it sends ours, and wants to read the peer's, which nobody waits for.
            self._ssl._sslobj.shutdown()  # type: ignore[attr-defined]  # `unwrap` would forget TLS
        except (OSError, ValueError):
            pass
