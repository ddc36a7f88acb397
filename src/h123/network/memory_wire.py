"""Streams and datagrams in memory, for tests: they do exactly what the test says.

    client, server = memory_pair(capacity=1000)
    server.incoming.cut(1)              # whatever comes is read a byte at a time

A stream stands for its own socket: `memory.MemoryBackend` waits for `stream.sock`.
"""

from __future__ import annotations

import errno
import heapq
from collections import deque
from itertools import count
from typing import TYPE_CHECKING, Any

from .errors import explained, failure
from .stream import READ_SIZE, Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Datagram = tuple[bytes, Any]


class Pipe:
    """One direction of a memory stream: bytes on their way to one reader."""

    __slots__ = ("_buffer", "_sizes", "capacity", "ended", "error", "paused", "total")

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        """Bytes that it holds, as the buffers of two kernels would."""
        self.paused = False
        """Whether what is in it stays unseen by the reader, as on a slow network."""
        self.ended = False
        """Whether the writer has said that nothing follows."""
        self.error: OSError | None = None
        """What the reader meets after the bytes that are in it."""
        self.total = 0
        """Bytes that ever went in."""
        self._buffer = bytearray()
        self._sizes: deque[int] = deque()

    def cut(self, *sizes: int) -> None:
        """Let reads return these numbers of bytes at most, in this order and then the last one for ever."""
        self._sizes = deque(sizes)

    @property
    def room(self) -> int:
        """Bytes that it takes now."""
        return self.capacity - len(self._buffer)

    @property
    def is_readable(self) -> bool:
        """Whether a read returns something, be it the end."""
        return not self.paused and bool(self._buffer or self.ended or self.error)

    def put(self, data: bytes | memoryview) -> int:
        """Take what there is room for and return how much that is."""
        taken = min(self.room, len(data))
        self._buffer += data[:taken]
        self.total += taken
        return taken

    def take(self, max_bytes: int) -> bytes | None:
        """Return bytes as `Stream.read` does."""
        if self.paused:
            return None
        if not self._buffer:
            if self.error is not None:
                raise explained(self.error, str(self.error))
            return b"" if self.ended else None
        if self._sizes:
            max_bytes = min(max_bytes, self._sizes[0])
            if len(self._sizes) > 1:
                self._sizes.popleft()
        data = bytes(self._buffer[:max_bytes])
        del self._buffer[:max_bytes]
        return data


class MemoryStream(Stream):
    """One end of a pair. Tests play the network with `incoming` and `outgoing`, and with `reset`."""

    def __init__(self, incoming: Pipe, outgoing: Pipe, local: str, peer: str) -> None:
        self.incoming = incoming
        self.outgoing = outgoing
        self.local_address = local
        self.peer_address = peer
        self.sock: Any = self
        self.unsent = 0
        self.is_closed = False
        self.truncated = False
        self.alpn_protocol: str | None = None
        self.tls: Any = None
        self._queue: deque[bytes] = deque()

    @property
    def is_readable(self) -> bool:
        """Whether `read` returns something."""
        return self.is_closed or self.incoming.is_readable

    @property
    def is_writable(self) -> bool:
        """Whether `write` sends something, or raises."""
        return self.is_closed or self.outgoing.room > 0 or self.outgoing.error is not None

    def read(self, max_bytes: int = READ_SIZE) -> bytes | None:
        """Return what has come; see `Stream.read`."""
        self._check_open("reading from")
        return self.incoming.take(max_bytes)

    def write(self, data: bytes) -> None:
        """Send `data` behind what is unsent; see `Stream.write`."""
        if data:
            self._queue.append(data)
            self.unsent += len(data)
        self.flush()

    def flush(self) -> None:
        """Send what there is room for; see `Stream.flush`."""
        self._check_open("writing to")
        if self.outgoing.ended or self.outgoing.error is not None:
            self._forget()
            error = self.outgoing.error or failure(errno.EPIPE, "connection closed by the peer")
            raise explained(error, f"writing to {self.peer_address}: {error}")
        while self._queue:
            data = self._queue.popleft()
            taken = self.outgoing.put(data)
            self.unsent -= taken
            if taken < len(data):
                self._queue.appendleft(data[taken:])
                return

    def shutdown_write(self) -> None:
        """Say that nothing more will be sent; see `Stream.shutdown_write`."""
        self._check_open("writing to")
        if self.unsent:
            raise RuntimeError("shutdown_write would lose what is unsent")
        self.outgoing.ended = True

    def interrupt(self) -> None:
        """End both directions; see `Stream.interrupt`."""
        self.incoming.ended = self.outgoing.ended = True

    def reset(self) -> None:
        """Break the connection as a RST does: the other end may still read what had come."""
        error = failure(errno.ECONNRESET, "connection reset by the peer")
        self.outgoing.error = self.outgoing.error or error
        self.incoming.error = self.incoming.error or error

    def close(self) -> None:
        """Close at once; see `Stream.close`. With bytes unread the peer meets a reset, as with a socket."""
        if self.is_closed:
            return
        self.is_closed = True
        self._forget()
        unread = self.incoming.room < self.incoming.capacity
        kind = errno.ECONNRESET if unread else errno.EPIPE
        words = "connection reset by the peer" if unread else "connection closed by the peer"
        self.incoming.error = self.incoming.error or failure(kind, words)
        if unread and self.outgoing.error is None:
            self.outgoing.error = failure(kind, words)
        else:
            self.outgoing.ended = True

    def _forget(self) -> None:
        self._queue.clear()
        self.unsent = 0

    def _check_open(self, doing: str) -> None:
        if self.is_closed:
            text = f"{doing} {self.peer_address}: the connection was closed here"
            raise failure(errno.ECONNABORTED, text)

    def fileno(self) -> int:
        """Return -1: there is no socket."""
        return -1


def memory_pair(
    capacity: int = READ_SIZE,
    *,
    alpn_protocol: str | None = None,
    names: tuple[str, str] = ("client", "server"),
) -> tuple[MemoryStream, MemoryStream]:
    """Return the two ends of a connection with room for `capacity` bytes on the way in each direction."""
    there, back = Pipe(capacity), Pipe(capacity)
    first = MemoryStream(back, there, names[0], names[1])
    second = MemoryStream(there, back, names[1], names[0])
    first.alpn_protocol = second.alpn_protocol = alpn_protocol
    return first, second


class MemoryDatagrams:
    """One end of a datagram pair: `UDPSocket`'s methods over a network that the test rules.

    `on_send(number, data)` says what becomes of each datagram this end sends, counted from 0: a list of
    how many later datagrams go ahead of each of its copies. `[0]` is delivery, `[]` loss, `[0, 0]` a
    duplicate, `[2]` two places late. What is held back too long goes out by `release`.
    """

    def __init__(self, address: Any, peer: Any) -> None:
        self.local_address = address
        self.peer = peer
        self.sock: Any = self
        self.on_send: Callable[[int, bytes], Iterable[int]] = lambda number, data: (0,)
        self.unsent = 0
        self.dropped = 0
        self.sent = 0
        self.is_closed = False
        self.is_writable = True
        self.other: MemoryDatagrams
        self._arrived: deque[Datagram] = deque()
        self._late: list[tuple[tuple[int, bool, int], bytes]] = []  # after which number; data
        self._order = count()

    @property
    def is_readable(self) -> bool:
        """Whether a datagram has come, or none ever can."""
        return bool(self._arrived) or self.is_closed or self.other.is_closed

    def send_many(self, datagrams: list[Datagram]) -> int:
        """Send datagrams to the other end, whatever their addresses say."""
        self._check()
        for data, _ in datagrams:
            number = self.sent
            self.sent += 1
            for places in self.on_send(number, data):
                due = (number + places, places > 0, next(self._order))  # what is late comes after
                heapq.heappush(self._late, (due, bytes(data)))
            while self._late and self._late[0][0][0] <= number:
                self._deliver()
        return len(datagrams)

    def release(self) -> None:
        """Deliver all that is held back."""
        while self._late:
            self._deliver()

    def _deliver(self) -> None:
        self.other._arrived.append((heapq.heappop(self._late)[1], self.local_address))

    def flush(self) -> int:
        """Do nothing: nothing ever waits."""
        self._check()
        return 0

    def receive_many(self, limit: int = 64) -> list[Datagram]:
        """Return up to `limit` datagrams that have come; `ConnectionRefusedError` once the other is closed."""
        if not self._arrived:
            self._check()
        return [self._arrived.popleft() for _ in range(min(limit, len(self._arrived)))]

    def _check(self) -> None:
        if self.is_closed:
            raise failure(errno.EBADF, f"the UDP socket of {self.local_address} was closed here")
        if self.other.is_closed:
            raise failure(errno.ECONNREFUSED, f"{self.peer} by UDP: connection refused")

    def close(self) -> None:
        """Close at once. Idempotent."""
        self.is_closed = True

    def fileno(self) -> int:
        """Return -1: there is no socket."""
        return -1


def datagram_pair(
    names: tuple[Any, Any] = (("192.0.2.1", 50000), ("192.0.2.2", 443)),
) -> tuple[MemoryDatagrams, MemoryDatagrams]:
    """Return the two ends of a datagram network; `names` are their addresses."""
    first, second = MemoryDatagrams(names[0], names[1]), MemoryDatagrams(names[1], names[0])
    first.other, second.other = second, first
    return first, second
