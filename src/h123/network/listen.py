"""Binding: sockets that listen, for one or both IP families and for TCP and UDP, on one port number.

`localhost` is both loopback addresses (RFC 6761 section 6.3), `*` or the empty name every address of both
families. An IPv6 socket takes IPv6 only, so that each family has its own and errors say which.
"""

from __future__ import annotations

import errno
import socket

from .backend import Address
from .errors import failure, reason
from .resolving import known_addresses, look_up
from .udp import UDPSocket

_BACKLOG = 1024
"""Connections that wait to be accepted; the kernel has a limit of its own (net.core.somaxconn)."""

_ATTEMPTS = 50
"""How often another free port is tried, where one must be free in several ways at once."""

_NO_SUCH_FAMILY = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL})


def bind_tcp(host: str, port: int) -> list[socket.socket]:
    """Return non-blocking sockets that listen on every address of `host`, on one port number.

    Port 0 takes a number that is free on all of them. Raises `OSError` whose text says what and where, and
    `socket.gaierror` for a name without address.
    """
    return _bind(host, port, (socket.SOCK_STREAM,))


def bind_udp(host: str, port: int) -> list[UDPSocket]:
    """Return UDP sockets on every address of `host`, as `bind_tcp`."""
    return [UDPSocket(sock) for sock in _bind(host, port, (socket.SOCK_DGRAM,))]


def bind_both(host: str, port: int) -> tuple[list[socket.socket], list[UDPSocket]]:
    """Return sockets for TCP and for UDP on every address of `host`, all on one port number."""
    bound = _bind(host, port, (socket.SOCK_STREAM, socket.SOCK_DGRAM))
    streams = [sock for sock in bound if sock.type == socket.SOCK_STREAM]
    return streams, [UDPSocket(sock) for sock in bound if sock.type == socket.SOCK_DGRAM]


def _bind(host: str, port: int, kinds: tuple[int, ...]) -> list[socket.socket]:
    if host in ("", "*"):
        addresses = [
            Address(socket.AF_INET, ("0.0.0.0", port)),  # noqa: S104  # it was asked for
            Address(socket.AF_INET6, ("::", port, 0, 0)),
        ]
    else:
        addresses = known_addresses(host, port, kinds[0]) or look_up(host, port, kinds[0])
    for _ in range(_ATTEMPTS):
        try:
            return _bind_all(addresses, port, kinds)
        except OSError as error:
            if port or error.errno != errno.EADDRINUSE:
                raise
    raise failure(errno.EADDRINUSE, f"no port is free on every address of {host}")


def _bind_all(addresses: list[Address], port: int, kinds: tuple[int, ...]) -> list[socket.socket]:
    """Bind every address for every kind, or none; one number, chosen by the first if `port` is 0."""
    bound: list[socket.socket] = []
    missing: OSError | None = None
    try:
        for address in addresses:
            for kind in kinds:
                try:
                    sock = _bind_one(address, port, kind)
                except OSError as error:
                    if error.errno not in _NO_SUCH_FAMILY:
                        raise
                    missing = (
                        error  # a machine without IPv6, or without IPv4: the other one will do
                    )
                    break
                bound.append(sock)
                port = sock.getsockname()[1]
    except BaseException:
        for sock in bound:
            sock.close()
        raise
    if not bound:
        assert missing is not None
        raise missing
    return bound


def _bind_one(address: Address, port: int, kind: int) -> socket.socket:
    where = Address(address.family, (address.sockaddr[0], port, *address.sockaddr[2:]))
    sock = None
    try:
        sock = socket.socket(address.family, kind)
        sock.setblocking(False)
        if address.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if kind == socket.SOCK_STREAM:
            # So that a restart need not wait for old connections. For UDP it would let others take over.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(where.sockaddr)
        if kind == socket.SOCK_STREAM:
            sock.listen(_BACKLOG)  # only this finds out that somebody else listens there
    except OSError as error:
        if sock is not None:
            sock.close()
        protocol = "TCP" if kind == socket.SOCK_STREAM else "UDP"
        text = f"cannot listen on {where} ({protocol}): {reason(error)}"
        raise failure(error.errno or errno.EIO, text) from None
    return sock
