"""`Server`: everything that listens, all connections, their time; `serve`: one that runs until it is told to stop."""

from __future__ import annotations

import asyncio
import logging
import signal
from typing import TYPE_CHECKING, Any, Self

from ..network.asyncio import AsyncioBackend
from ..network.listen import bind_both, bind_tcp, bind_udp
from ..protocol import registry
from .address import parse_bind
from .answering import Answerer
from .limits import DEFAULT_LIMITS, ServerLimits
from .listeners import TCPListener
from .running import Runner

if TYPE_CHECKING:
    import os
    import socket
    from collections.abc import Callable, Coroutine, Mapping

    from ..network.udp import UDPSocket
    from ..protocol.registry import EngineFactory
    from .answering import Handler
    from .channel import ServerChannel
    from .quic import UDPListener

log = logging.getLogger("h123.server")

SWEEP = 0.5
"""Seconds between looks at which connections have been waited for long enough."""
ALT_SVC_MAX_AGE = 86400
CANCELLATION_TIME = 1.0
"""Seconds that cancelled handlers are given to end."""


class Server:
    """Serves a handler over HTTP/1.1, HTTP/2 and HTTP/3, in the running asyncio event loop.

    Args:
        handler: an `async def handler(request) -> Response`.
        bind: `HOST:PORT` for TLS (HTTP/1.1 and 2 over TCP, HTTP/3 over UDP, on one port number); None: no TLS.
            Port 0 finds a free one. `localhost` is both 127.0.0.1 and ::1.
        insecure_bind: `HOST:PORT` for cleartext HTTP/1.1, and HTTP/2 with prior knowledge.
        cert, key: PEM files of the certificate chain and its private key. Without them a certificate for
            localhost is made, by a local authority that is kept in the user's data folder.
        http1, http2, http3: the versions to speak.
        limits: bounds on what clients may do.
        engines: names of other engines, `{"http/1.1": "h11"}`.
    """

    def __init__(
        self,
        handler: Handler,
        *,
        bind: str | None = "localhost:8443",
        insecure_bind: str | None = None,
        cert: str | os.PathLike[str] | None = None,
        key: str | os.PathLike[str] | None = None,
        key_password: str | None = None,
        http1: bool = True,
        http2: bool = True,
        http3: bool = True,
        limits: ServerLimits = DEFAULT_LIMITS,
        engines: Mapping[str, str] | None = None,
    ) -> None:
        if not callable(handler):
            raise TypeError(f"a handler is an async function of a request, not {handler!r}")
        if bind is None and insecure_bind is None:
            raise ValueError("nothing to serve: neither bind nor insecure_bind is given")
        if not (http1 or http2 or http3):
            raise ValueError("nothing to serve: all versions are off")
        if bind is None and not (http1 or http2):
            raise ValueError("HTTP/3 needs TLS: bind is not given")
        if cert is None and key is not None:
            raise ValueError("a key needs its certificate: cert is not given")
        self.handler = handler
        self.bind = None if bind is None else parse_bind(bind)
        self.insecure_bind = None if insecure_bind is None else parse_bind(insecure_bind)
        self.cert = cert
        self.key = key
        self.key_password = key_password.encode() if key_password else None
        self.http1 = http1
        self.http2 = http2
        self.http3 = http3
        self.limits = limits
        self.engines = dict(engines or {})
        self.byte_stream_engines: dict[str, EngineFactory] = {}
        self.backend = AsyncioBackend()
        self.answerer = Answerer(handler, limits)
        self.runner = Runner()
        self.urls: list[str] = []
        self._tcp: list[TCPListener] = []
        self._udp: list[UDPListener] = []
        self._channels: dict[ServerChannel, None] = {}
        self._welcoming: set[asyncio.Task[None]] = set()
        self._sweeper: Any = None
        self._empty: asyncio.Event | None = None
        self._stopping = False

    # ---------------------------------------------------------------------------- starting

    async def start(self) -> None:
        """Bind everything and begin to serve; `urls` says where.

        Raises `OSError` for an address that can not be bound or a file that can not be read, `ValueError`
        for a certificate and key that do not belong together, `LookupError` for an engine that is not known.
        Nothing stays open then.
        """
        for protocol in ("http/1.1",) * self.http1 + ("h2",) * self.http2:
            name = self.engines.get(protocol, "h123")
            self.byte_stream_engines[protocol] = registry.find(protocol, name)
        try:
            if self.bind is not None:
                await self._start_tls(*self.bind)
            if self.insecure_bind is not None and (self.http1 or self.http2):
                host, port = self.insecure_bind
                sockets = bind_tcp(host, port)
                self._tcp += [TCPListener(self, sock, None) for sock in sockets]
                self.urls.append(_url("http", host, sockets))
        except BaseException:
            for tcp in self._tcp:
                tcp.close()
            for udp in self._udp:
                udp.close()
            raise
        for tcp in self._tcp:
            tcp.start()
        for udp in self._udp:
            udp.start()
        self._sweep()

    async def _start_tls(self, host: str, port: int) -> None:
        chain, key = await self.backend.run_blocking(self._certificate)
        over_tcp = self.http1 or self.http2
        sockets: list[socket.socket] = []
        datagrams: list[UDPSocket] = []
        context = None
        if over_tcp:
            from ..network.tls import server_context

            alpn = ("h2",) * self.http2 + ("http/1.1",) * self.http1
            password = self.key_password.decode() if self.key_password else None
            context = server_context(chain, key, password, alpn)
        if over_tcp and self.http3:
            sockets, datagrams = bind_both(host, port)
        elif over_tcp:
            sockets = bind_tcp(host, port)
        else:
            datagrams = bind_udp(host, port)
        self._tcp += [TCPListener(self, sock, context) for sock in sockets]
        if datagrams:
            try:
                self._listen_udp(datagrams, chain, key)
            except BaseException:
                for udp in datagrams:
                    udp.close()
                raise
            bound = datagrams[0].sock.getsockname()[1]
            self.answerer.alt_svc = b'h3=":%d"; ma=%d' % (bound, ALT_SVC_MAX_AGE)
        self.urls.append(_url("https", host, sockets or [udp.sock for udp in datagrams]))

    def _listen_udp(self, datagrams: list[UDPSocket], chain: Any, key: Any) -> None:
        from .quic import UDPListener

        chain_pem = chain.read_bytes()
        key_pem = chain_pem if key is None else key.read_bytes()
        self._udp += [UDPListener(self, udp, chain_pem, key_pem) for udp in datagrams]

    def _certificate(self) -> tuple[Any, Any]:
        """Return the files of the certificate chain and the key, made if none were given."""
        from pathlib import Path

        if self.cert is not None:
            return Path(self.cert), None if self.key is None else Path(self.key)
        from ..network.certificates import local_certificate

        local = local_certificate()
        return Path(local.chain_file), Path(local.key_file)

    # ------------------------------------------------------------------------- connections

    @property
    def is_full(self) -> bool:
        """Whether no more connections are accepted for now."""
        return len(self._channels) + len(self._welcoming) >= self.limits.connections

    def begin(self, welcome: Coroutine[Any, Any, None]) -> None:
        """Run a new connection's first steps, counted as a connection."""
        task = asyncio.ensure_future(welcome)
        self._welcoming.add(task)
        task.add_done_callback(self._welcomed)

    def _welcomed(self, task: asyncio.Task[None]) -> None:
        self._welcoming.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("a connection could not be begun", exc_info=task.exception())
        self._room_again()

    def remember(self, channel: ServerChannel) -> None:
        """Watch over a connection."""
        self._channels[channel] = None
        if self._stopping:
            self.backend.call_at(self.backend.now(), channel.drain)

    def forget(self, channel: ServerChannel) -> None:
        """Stop that: the connection is over."""
        self._channels.pop(channel, None)
        self._room_again()

    def _room_again(self) -> None:
        if self._empty is not None and not self._channels and not self._welcoming:
            self._empty.set()
        if not self.is_full:
            for listener in self._tcp:
                if listener.is_paused:
                    listener.resume()

    def _sweep(self) -> None:
        """End connections whose time is up, and do it again soon."""
        now = self.backend.now()
        for channel in list(self._channels):
            if channel.deadline <= now:
                channel.expire()
            else:
                channel.tick(now)
        self._sweeper = self.backend.call_at(now + SWEEP, self._sweep)

    # ---------------------------------------------------------------------------- stopping

    async def stop(self, grace: float = 10.0) -> None:
        """Accept nothing new, let what is under way finish for `grace` seconds, then close everything."""
        self._stopping = True
        self._empty = asyncio.Event()
        for tcp in self._tcp:
            tcp.close()
        for udp in self._udp:
            udp.drain()
        for task in self._welcoming:
            task.cancel()  # they have asked for nothing yet
        for channel in list(self._channels):
            channel.drain()
        try:
            if self._channels or self._welcoming:
                await asyncio.wait_for(self._empty.wait(), grace)
        except TimeoutError:
            pass
        finally:
            self._close_all()
        if self.runner.tasks:
            await asyncio.wait(self.runner.tasks, timeout=CANCELLATION_TIME)
        for task in self.runner.tasks:
            log.warning("a handler goes on though it was cancelled: %r", task.get_coro())

    def _close_all(self) -> None:
        """End all that is still open, and cancel the handlers that have not ended."""
        for channel in list(self._channels):
            channel.close()
        self.runner.close()
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        for udp in self._udp:
            udp.close()
        self._tcp.clear()
        self._udp.clear()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.stop(0.0 if exception[0] is not None else 10.0)

    def __repr__(self) -> str:
        return f"<Server {' '.join(self.urls) or 'not started'}, {len(self._channels)} connections>"


def serve(
    handler: Handler,
    bind: str | None = "localhost:8443",
    insecure_bind: str | None = None,
    cert: str | os.PathLike[str] | None = None,
    key: str | os.PathLike[str] | None = None,
    *,
    grace: float = 10.0,
    on_start: Callable[[Server], None] | None = None,
    **options: Any,
) -> None:
    """Serve a handler until SIGINT or SIGTERM, then drain and return.

    `grace` is how many seconds requests under way are given then; a second signal ends them. `on_start` is
    called with the `Server` once it listens. The other arguments are those of `Server`.
    """
    server = Server(handler, bind=bind, insecure_bind=insecure_bind, cert=cert, key=key, **options)
    asyncio.run(_serve(server, grace, on_start))


async def _serve(server: Server, grace: float, on_start: Callable[[Server], None] | None) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    kill = asyncio.Event()

    def on_signal() -> None:
        (kill if stop.is_set() else stop).set()

    signals = (signal.SIGINT, signal.SIGTERM)
    for number in signals:
        loop.add_signal_handler(number, on_signal)
    try:
        await server.start()
        if on_start is not None:
            on_start(server)
        await stop.wait()
        stopping = asyncio.ensure_future(server.stop(grace))
        killed = asyncio.ensure_future(kill.wait())
        await asyncio.wait((stopping, killed), return_when=asyncio.FIRST_COMPLETED)
        if not stopping.done():
            stopping.cancel()
            await server.stop(0.0)
        killed.cancel()
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


def _url(scheme: str, host: str, sockets: list[socket.socket]) -> str:
    shown = f"[{host}]" if ":" in host else host or "localhost"  # every address is that one too
    return f"{scheme}://{shown}:{sockets[0].getsockname()[1]}"
