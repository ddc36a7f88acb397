"""Opening streams: TCP, Unix sockets, and TLS over either. Everything here is bounded in time.

RFC 8305 section 4 (addresses of both families by turns), RFC 8446 section 6.2 (what alerts mean).
"""

from __future__ import annotations

import errno
import os
import socket
from typing import TYPE_CHECKING

from .backend import Address, Backend
from .errors import failure, reason, timed_out
from .stream import SocketStream, Stream

if TYPE_CHECKING:
    import ssl

    from .tls_stream import TLSStream

_SHORTEST_TRY = 1.0
"""Seconds that an address is given where more addresses follow, if there are as many left."""

_NOT_REACHABLE_FROM_HERE = frozenset(
    {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.ENETUNREACH, errno.EHOSTUNREACH}
)


async def open_tcp(
    backend: Backend,
    host: str,
    port: int,
    timeout: float | None,
    *,
    local_address: tuple[str, int] | None = None,
    addresses: list[Address] | None = None,
) -> SocketStream:
    """Connect to the first of a host's addresses that answers, within `timeout` seconds in all.

    `addresses` are tried instead of asking a resolver; `local_address` is the address and port (0: any) to
    connect from. Raises `socket.gaierror`, `TimeoutError`, or the `OSError` of the most telling failure with
    all failures in its message.
    """
    deadline = None if timeout is None else backend.now() + timeout
    if addresses is None:
        addresses = await backend.resolve(host, port, timeout)
    failures: list[tuple[Address, OSError]] = []
    queue = interleaved(addresses)
    for position, address in enumerate(queue):
        share = None
        if deadline is not None:
            share = share_of(max(deadline - backend.now(), 0.0), len(queue) - position)
        try:
            return SocketStream(await _connect(backend, address, share, local_address))
        except OSError as error:
            failures.append((address, error))
        if deadline is not None and backend.now() >= deadline:
            break
    raise _all_failed(f"{host}:{port}" if ":" not in host else f"[{host}]:{port}", failures)


def share_of(remaining: float, addresses_left: int) -> float:
    """Return how many of the seconds that remain the next address gets."""
    return min(max(remaining / addresses_left, _SHORTEST_TRY), remaining)


def interleaved(addresses: list[Address]) -> list[Address]:
    """Return the addresses with families by turns, the first one's first (RFC 8305 section 4)."""
    if not addresses:
        return []
    first = [address for address in addresses if address.family == addresses[0].family]
    others = [address for address in addresses if address.family != addresses[0].family]
    turns: list[Address] = []
    while first or others:
        turns += first[:1] + others[:1]
        del first[:1], others[:1]
    return turns


async def _connect(
    backend: Backend,
    address: Address,
    timeout: float | None,
    local_address: tuple[str, int] | None,
) -> socket.socket:
    sock = socket.socket(address.family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        if local_address is not None:
            sock.bind(local_address)
        await _finish_connecting(backend, sock, address.sockaddr, timeout)
    except BaseException:
        sock.close()
        raise
    return sock


async def _finish_connecting(
    backend: Backend, sock: socket.socket, sockaddr: object, timeout: float | None
) -> None:
    result = sock.connect_ex(sockaddr)  # type: ignore[arg-type]  # a tuple or a path: by its family
    if result == errno.EINPROGRESS:
        poller = backend.poller(sock)
        try:
            if not await poller.wait(False, True, timeout):
                raise timed_out(reason(timed_out("")))
        finally:
            poller.close()
        result = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if result:
        raise OSError(result, os.strerror(result))


def _all_failed(where: str, failures: list[tuple[Address, OSError]]) -> OSError:
    """Return one error for all: of the kind that says most, which "no IPv6 here" seldom does."""
    if not failures:
        return failure(errno.EADDRNOTAVAIL, f"cannot connect to {where}: it has no address")
    telling = [error for _, error in failures if error.errno not in _NOT_REACHABLE_FROM_HERE]
    chosen = (telling or [failures[-1][1]])[-1]
    if len(failures) == 1 and str(failures[0][0]) == where:
        text = reason(chosen)
    else:
        text = ", ".join(f"{address}: {reason(error)}" for address, error in failures)
    return failure(chosen.errno or errno.EIO, f"cannot connect to {where}: {text}")


async def open_unix(backend: Backend, path: str, timeout: float | None) -> SocketStream:
    """Connect to a Unix socket; a path that begins with `@` or a zero byte is Linux's abstract name.

    Raises `OSError`, `TimeoutError` included.
    """
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        await _finish_connecting(
            backend, sock, "\0" + path[1:] if path.startswith("@") else path, timeout
        )
    except OSError as error:
        sock.close()
        if error.errno == errno.EAGAIN:  # a Unix socket's way to say that its queue is full
            error = failure(errno.ECONNREFUSED, "")
        text = f"cannot connect to {path}: {reason(error)}"
        raise failure(error.errno or errno.EINVAL, text) from None
    except BaseException:
        sock.close()
        raise
    return SocketStream(sock, path)


async def start_tls(
    backend: Backend,
    stream: Stream,
    context: ssl.SSLContext,
    server_hostname: str | None,
    timeout: float | None,
    server_side: bool = False,
) -> TLSStream:
    """Speak TLS from here on, over a stream whose bytes so far were all read: a socket's, or TLS itself.

    The given stream belongs to the new one; when this fails it is closed. The new one may have bytes unsent,
    as after any write. `server_hostname` (a name or a
    literal address) is what a client checks and sends; a server gives None.

    Raises `ssl.SSLCertVerificationError`, other kinds of `ssl.SSLError`, `ConnectionError` or `TimeoutError`,
    with a message for people.
    """
    from .handshake import shake_hands

    return await shake_hands(backend, stream, context, server_hostname, timeout, server_side)
