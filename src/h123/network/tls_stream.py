"""TLS over any other stream. It holds the only code that reads and writes through `ssl`.

RFC 8446 section 5.1 (records), section 6.1 (close_notify: an end without it may be an attacker's cut).

TLS is done in memory (`ssl.MemoryBIO`), so that one `recv` and one `send` carry many records: bulk costs a
sixth less than with an `ssl.SSLSocket`, which goes to the kernel twice for each record. It also takes TLS
through a TLS proxy, and it never needs to read in order to write.
"""

from __future__ import annotations

import errno
import ssl
from typing import Any

from .errors import explained, failure
from .stream import READ_SIZE, Stream
from .tls_errors import tls_reason

RECORD_SIZE = 16384
"""Plain text in a record at most (RFC 8446 section 5.1). Asking for more costs: it is allocated and cut back."""


class TLSStream(Stream):
    """TLS over another stream, its handshake done. Made by `connect.start_tls`."""

    __slots__ = (
        "_below", "_decrypted_end", "_incoming", "_outgoing", "_read_error", "_untold", "alpn_protocol",
        "is_closed", "local_address", "peer_address", "sock", "tls", "truncated",
    )  # fmt: skip

    def __init__(
        self, below: Stream, tls: ssl.SSLObject, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO
    ) -> None:
        """Take over a stream, and the TLS object that shook hands over it with its two buffers."""
        self.sock: Any = below.sock
        self.local_address = below.local_address
        self.peer_address = below.peer_address
        self.tls = tls
        self.alpn_protocol = tls.selected_alpn_protocol()
        self.truncated = False
        self.is_closed = False
        self._below = below
        self._incoming = incoming
        self._outgoing = outgoing
        self._read_error: OSError | None = None  # found after bytes that had to be returned first
        self._decrypted_end = False
        self._untold = False  # whether either of these is still to be told

    @property
    def unsent(self) -> int:  # type: ignore[override]  # read-only here: it is the stream's below
        """Bytes, encrypted ones, that wait for the peer to take more."""
        return self._below.unsent

    def read(self, max_bytes: int = READ_SIZE) -> bytes | None:
        """Return the plain text of all that has come; see `Stream.read`.

        It may be up to one record (16 KiB) more than `max_bytes`, when most of that record was there before.
        """
        if self._decrypted_end or self._read_error is not None:
            return self._tell_end()
        data = self._below.read(max_bytes)
        if data:
            self._incoming.write(data)
        elif data is None:
            if (
                not self._incoming.pending
            ):  # only TLS under TLS gives more than a handshake asks for
                return None
        else:
            self._incoming.write_eof()
        plain = self._decrypt()
        if self._outgoing.pending:  # an answer to a key update, or an alert
            self._send_outgoing()
        if self._decrypted_end or self._read_error is not None:
            if not plain:
                return self._tell_end()
            self._untold = True
        return plain or None

    def _tell_end(self) -> bytes:
        self._untold = False
        if self._read_error is not None:
            raise explained(self._read_error, str(self._read_error))
        return b""

    def _decrypt(self) -> bytes:
        """Return the plain text of all whole records, and note an end or an error after them."""
        tls, incoming = self.tls, self._incoming
        parts: list[bytes] = []
        try:
            while part := tls.read(RECORD_SIZE):
                parts.append(part)
                if not incoming.pending and not tls.pending():
                    break  # asking in vain would cost an exception
            else:
                self._decrypted_end = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self._decrypted_end = True
        except ssl.SSLEOFError:
            self._decrypted_end = self.truncated = True
        except ssl.SSLError as error:
            text = f"reading from {self.peer_address}: {tls_reason(error)}"
            self._read_error = explained(error, text)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def write(self, data: bytes) -> None:
        """Encrypt `data` and send it behind what is unsent; see `Stream.write`."""
        write, position = self.tls.write, 0
        try:
            while position < len(data):  # a record at a time
                position += write(memoryview(data)[position:] if position else data)
        except ssl.SSLError as error:
            if self.is_closed:
                self._below.write(data)  # which says so
            text = f"writing to {self.peer_address}: {tls_reason(error)}"
            raise failure(errno.EPIPE, text) from None
        self._below.write(self._outgoing.read())

    def flush(self) -> None:
        """Send what can be sent now; see `Stream.flush`."""
        self._below.flush()

    def _send_outgoing(self) -> None:
        """Send what TLS itself has to say, if that is still possible."""
        try:
            self._below.write(self._outgoing.read())
        except OSError:  # the next write of the owner's says so; what has come can still be read
            pass

    def _notify(self) -> None:
        try:
            self.tls.unwrap()
        except ssl.SSLError:  # ours is written; that the peer's has not come is no matter
            pass
        if self._outgoing.pending:
            self._send_outgoing()

    def shutdown_write(self) -> None:
        """Send close_notify and end the stream below; the peer's bytes can still be read.

        Where close_notify itself has to wait, it is the whole end: `flush` sends it.
        """
        if self.unsent:
            raise RuntimeError("shutdown_write would lose what is unsent")
        self._notify()
        if not self.unsent:
            self._below.shutdown_write()

    @property
    def has_pending(self) -> bool:
        """Whether an end or an error came in one read with the bytes before it, and is still to be told."""
        return self._untold or self._incoming.pending > 0

    def interrupt(self) -> None:
        """Make a poll in another thread return; see `Stream.interrupt`."""
        self._below.interrupt()

    def close(self) -> None:
        """Close at once. With bytes unsent there is no close_notify: the peer is to see the cut."""
        if not self.is_closed:
            self.is_closed = True
            if not self._below.unsent and self._read_error is None:
                self._notify()
            self._below.close()

    def fileno(self) -> int:
        """Return the number of the socket below, -1 when closed."""
        return self._below.fileno()

    def __repr__(self) -> str:
        return f"<TLSStream {self.tls.version()} over {self._below!r}>"
