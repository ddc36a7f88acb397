"""Connected byte streams: `Stream` is what everything above sees, `SocketStream` is TCP or a Unix socket.

`tls_stream` puts TLS over one. No stream ever waits: what can not be read or sent now is told by
the result, and a `Poller` (or an event loop's `watch`) says when to try again. A stream is used by one
thread at a time: its owner holds a lock.
"""

from __future__ import annotations

import errno
import socket
from abc import ABC, abstractmethod
from collections import deque
from typing import Any

from .backend import format_address
from .errors import explained, failure, reason

READ_SIZE = 65536
"""Bytes taken at a time. More costs more a byte: large buffers come from the system each time."""

_MANY = 8
_JOIN_SIZE = 65536
"""When more than so many pieces wait, they are joined up to this many bytes, to leave in one call."""


class Stream(ABC):
    """A connected, ordered stream of bytes that never waits."""

    __slots__ = ()

    sock: Any
    """What a backend's `poller` and `watch` take."""
    unsent: int
    """Bytes written that wait for the peer to take more."""
    is_closed: bool
    """Whether `close` was called."""
    truncated: bool
    """Whether the peer's bytes ended without TLS's close_notify (RFC 8446 section 6.1): perhaps cut off."""
    alpn_protocol: str | None
    """What TLS agreed on (RFC 7301): `"h2"`, `"http/1.1"`; None without TLS or without agreement."""
    tls: Any
    """An object with the methods of `ssl.SSLObject` (`version`, `cipher`, `getpeercert`), or None."""
    local_address: str
    peer_address: str
    """As people write them: `127.0.0.1:80`, `[::1]:80`, `/run/a.sock`."""

    @abstractmethod
    def read(self, max_bytes: int = READ_SIZE) -> bytes | None:
        """Return what has come, at most `max_bytes`: None when nothing has, `b""` at the end.

        Raises `ConnectionError` when the peer broke the connection, after all that came before was read,
        and other kinds of `OSError` when something else did.
        """

    @abstractmethod
    def write(self, data: bytes) -> None:
        """Send `data` behind what is unsent: now what can be, the rest by `flush`.

        Raises `ConnectionError` when the peer takes no more. What it sent before can still be read.
        """

    @abstractmethod
    def flush(self) -> None:
        """Send what can be sent now of what waits. Raises as `write`."""

    @abstractmethod
    def shutdown_write(self) -> None:
        """Say that nothing more will be sent; reading goes on. Only when `unsent` is 0. Raises `OSError`."""

    @abstractmethod
    def close(self) -> None:
        """Close at once, without waiting: what is unsent is lost. TLS says so if it can. Idempotent."""

    @property
    def has_pending(self) -> bool:
        """Whether `read` would give something that polling the socket does not show."""
        return False

    @abstractmethod
    def interrupt(self) -> None:
        """Make a poll of the socket in another thread return, and every later read tell the end."""

    @abstractmethod
    def fileno(self) -> int:
        """Return the socket's number, -1 when closed or where there is none."""


class SocketStream(Stream):
    """A connected TCP or Unix socket, plain. It takes the socket over."""

    __slots__ = (
        "_broken", "_offset", "_queue", "alpn_protocol", "is_closed", "local_address", "peer_address",
        "sock", "tls", "truncated", "unsent",
    )  # fmt: skip

    sock: socket.socket

    def __init__(self, sock: socket.socket, peer_address: str = "") -> None:
        """Make a connected socket non-blocking and send small writes at once.

        `peer_address` is for messages, where it is known better than by the socket (a Unix socket's path).
        """
        self.sock = sock
        sock.setblocking(False)
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self.local_address = _name(sock.getsockname)
        self.peer_address = peer_address or _name(sock.getpeername)
        self.alpn_protocol: str | None = None
        self.tls: Any = None
        self.truncated = False
        self.is_closed = False
        self.unsent = 0
        self._queue: deque[bytes] = deque()
        self._offset = 0  # bytes of the first piece that were sent
        self._broken: OSError | None = None  # why nothing can be sent any more

    def read(self, max_bytes: int = READ_SIZE) -> bytes | None:
        """Return what has come; see `Stream.read`."""
        try:
            data = self.sock.recv(max_bytes)
        except BlockingIOError:
            return None
        except OSError as error:
            raise self._explained(error, "reading from") from None
        if not data and self._broken is not None and self._broken.errno == errno.ECONNRESET:
            # The reset was told to a write, and the kernel tells it once: this end is not the peer's.
            raise explained(self._broken, str(self._broken))
        return data

    def write(self, data: bytes) -> None:
        """Send `data` behind what is unsent; see `Stream.write`."""
        if self._broken is not None:
            raise explained(self._broken, str(self._broken))
        if not data:
            return
        if self.unsent:
            self._queue.append(data)
            self.unsent += len(data)
            self.flush()
            return
        sent = self._send(data)
        if sent < len(data):
            self._queue.append(data)
            self._offset = sent
            self.unsent = len(data) - sent

    def flush(self) -> None:
        """Send what can be sent now; see `Stream.flush`."""
        queue = self._queue
        while queue:
            if len(queue) > _MANY and not self._offset:
                self._join()
            data = queue[0]
            offset = self._offset
            sent = self._send(memoryview(data)[offset:] if offset else data)
            if not sent:
                return
            self.unsent -= sent
            if offset + sent < len(data):
                self._offset = offset + sent
            else:
                self._offset = 0
                queue.popleft()

    def _join(self) -> None:
        """Make one piece of the first few, up to about `_JOIN_SIZE` bytes."""
        queue = self._queue
        pieces = [queue.popleft()]
        size = len(pieces[0])
        while queue and size + len(queue[0]) <= _JOIN_SIZE:
            size += len(queue[0])
            pieces.append(queue.popleft())
        queue.appendleft(b"".join(pieces))

    def _send(self, data: bytes | memoryview) -> int:
        """Send what the socket takes now and return how much that is."""
        try:
            return self.sock.send(data)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise self._break(error) from None

    def _break(self, error: OSError) -> OSError:
        """Remember why nothing can be sent any more, forget what waits, and return the error to raise."""
        self._broken = self._explained(error, "writing to")
        self._queue.clear()
        self._offset = self.unsent = 0
        return self._broken

    def _explained(self, error: OSError, doing: str) -> OSError:
        if self.is_closed:
            return failure(
                errno.ECONNABORTED, f"{doing} {self.peer_address}: the connection was closed here"
            )
        return explained(error, f"{doing} {self.peer_address}: {reason(error)}")

    def shutdown_write(self) -> None:
        """Send a FIN; see `Stream.shutdown_write`."""
        if self.unsent:
            raise RuntimeError("shutdown_write would lose what is unsent")
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError as error:
            raise self._break(error) from None
        self._broken = failure(
            errno.EPIPE, f"writing to {self.peer_address}: this side has said that it is done"
        )

    def close(self) -> None:
        """Close at once; see `Stream.close`."""
        if not self.is_closed:
            self.is_closed = True
            self._queue.clear()
            self._offset = self.unsent = 0
            self.sock.close()

    def interrupt(self) -> None:
        """Shut the socket down both ways, without closing it."""
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:  # the peer was faster
            pass

    def fileno(self) -> int:
        """Return the socket's number, -1 when closed."""
        return self.sock.fileno()

    def __repr__(self) -> str:
        state = "closed" if self.is_closed else f"{self.unsent} bytes unsent"
        return f"<{type(self).__name__} {self.local_address} to {self.peer_address}, {state}>"


def _name(ask: Any) -> str:
    try:
        return format_address(ask())
    except OSError:  # the peer is gone already; the first read says so
        return "a peer that is gone"
