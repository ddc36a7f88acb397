"""UDP sockets as QUIC needs them: many datagrams a call, never fragmented, never waiting.

RFC 9000 section 14 (datagrams must not be fragmented), RFC 8085 section 3.3. What the kernel can not take now waits
here, up to a bound, and is then dropped as a router would: QUIC sends it again.
"""

from __future__ import annotations

import errno
import socket
from collections import deque
from typing import Any

from .backend import Address, Backend, format_address
from .errors import explained, failure, reason

_BUFFER_SIZE = 4 * 1024 * 1024
"""Bytes asked for in each direction; the kernel gives what its own limits allow."""

_LARGEST_DATAGRAM = 65536

_QUEUE_LIMIT = 1024
"""Datagrams that wait for the kernel, at most."""

# Linux's numbers, which the socket module lacks. PROBE: never fragment, and let us find the path's MTU.
_IP_MTU_DISCOVER, _IPV6_MTU_DISCOVER, _PMTUDISC_PROBE = 10, 23, 3


class UDPSocket:
    """A non-blocking UDP socket: connected to one peer (a client's) or bound for all (a server's).

    The kernel tells a connected one that nobody listens: `ConnectionRefusedError`. Used by one thread at a
    time: its owner holds a lock.
    """

    __slots__ = ("_buffer", "_queue", "dropped", "is_closed", "local_address", "peer", "sock")

    def __init__(self, sock: socket.socket) -> None:
        """Take over a socket that is bound or connected."""
        self.sock = sock
        sock.setblocking(False)
        _enlarge_buffers(sock)
        _forbid_fragments(sock)
        self.local_address: Any = sock.getsockname()
        self.peer: Any = None
        """The peer's address in the socket's own form, if connected."""
        try:
            self.peer = sock.getpeername()
        except OSError:
            pass
        self.dropped = 0
        """Datagrams that were dropped here: too large for the path's first link, or one too many waiting."""
        self.is_closed = False
        self._buffer = memoryview(bytearray(_LARGEST_DATAGRAM))
        self._queue: deque[tuple[bytes, Any]] = deque()

    def receive_many(self, limit: int = 64) -> list[tuple[bytes, Any]]:
        """Return up to `limit` datagrams that have come, each with its sender's address.

        Raises `ConnectionRefusedError` (nobody listens at the connected peer) or another `OSError`; what
        came before is returned first.
        """
        received: list[tuple[bytes, Any]] = []
        receive, buffer = self.sock.recvfrom_into, self._buffer
        try:
            while len(received) < limit:
                size, address = receive(buffer)
                received.append((bytes(buffer[:size]), address))
        except BlockingIOError:
            pass
        except OSError as error:
            # An error is about one datagram that was sent. Without a peer nobody can tell which.
            if not received and (self.peer is not None or error.errno == errno.EBADF):
                raise self._explained(error, "receiving from") from None
        return received

    @property
    def unsent(self) -> int:
        """How many datagrams wait for the kernel: `flush` when the socket can be written."""
        return len(self._queue)

    def send_many(self, datagrams: list[tuple[bytes, Any]]) -> int:
        """Send datagrams in order and return how many left now; the rest waits, up to a bound.

        A connected socket ignores the addresses. Raises `ConnectionRefusedError` or another `OSError` when
        connected; then nothing waits any more.
        """
        if self._queue:
            sent = self.flush()
            if self._queue:
                self._keep(datagrams, 0)
                return sent
            return sent + self._send(datagrams)
        return self._send(datagrams)

    def flush(self) -> int:
        """Send what waits and return how many datagrams left. Raises as `send_many`."""
        waiting = list(self._queue)
        self._queue.clear()
        return self._send(waiting)

    def _send(self, datagrams: list[tuple[bytes, Any]]) -> int:
        sent = 0
        position = 0
        sock = self.sock
        connected = self.peer is not None
        while position < len(datagrams):
            data, address = datagrams[position]
            try:
                if connected:
                    sock.send(data)
                else:
                    sock.sendto(data, address)
                sent += 1
            except BlockingIOError:
                self._keep(datagrams, position)
                break
            except OSError as error:
                if (connected and error.errno != errno.EMSGSIZE) or error.errno == errno.EBADF:
                    raise self._explained(error, "sending to") from None
                self.dropped += 1  # lost on its way, like any other
            position += 1
        return sent

    def _keep(self, datagrams: list[tuple[bytes, Any]], start: int) -> None:
        room = _QUEUE_LIMIT - len(self._queue)
        kept = datagrams[start : start + room]
        self._queue.extend(kept)
        self.dropped += len(datagrams) - start - len(kept)

    def _explained(self, error: OSError, doing: str) -> OSError:
        if self.is_closed:
            return failure(errno.EBADF, f"the UDP socket of {self} was closed here")
        return explained(error, f"{doing} {self} by UDP: {reason(error)}")

    def close(self) -> None:
        """Close at once; what waits is lost. Idempotent."""
        self.is_closed = True
        self._queue.clear()
        self.sock.close()

    def fileno(self) -> int:
        """Return the socket's number, -1 when closed."""
        return self.sock.fileno()

    def __str__(self) -> str:
        return format_address(self.local_address if self.peer is None else self.peer)

    def __repr__(self) -> str:
        peer = "anybody" if self.peer is None else format_address(self.peer)
        return f"<UDPSocket {format_address(self.local_address)} to {peer}, {self.unsent} unsent>"


def _enlarge_buffers(sock: socket.socket) -> None:
    for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        if sock.getsockopt(socket.SOL_SOCKET, option) < _BUFFER_SIZE:
            sock.setsockopt(socket.SOL_SOCKET, option, _BUFFER_SIZE)


def _forbid_fragments(sock: socket.socket) -> None:
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER, _PMTUDISC_PROBE)
    else:
        sock.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _PMTUDISC_PROBE)


async def open_udp(
    backend: Backend,
    host: str,
    port: int,
    timeout: float | None,
    *,
    addresses: list[Address] | None = None,
) -> UDPSocket:
    """Return a socket connected to the first of a host's addresses that this machine has a route to.

    That sends nothing: whether somebody listens there shows later, and one who wants to try all the
    addresses resolves them and gives one at a time. Raises `socket.gaierror`, `TimeoutError` or `OSError`.
    """
    if addresses is None:
        addresses = await backend.resolve(host, port, timeout, kind=socket.SOCK_DGRAM)
    last: OSError | None = None
    for address in addresses:
        sock = socket.socket(address.family, socket.SOCK_DGRAM)
        try:
            sock.connect(address.sockaddr)
            return UDPSocket(sock)
        except OSError as error:
            sock.close()
            last = explained(error, f"cannot reach {host} at {address}: {reason(error)}")
    raise last or failure(errno.EADDRNOTAVAIL, f"cannot reach {host}: it has no address")
