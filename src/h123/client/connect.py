"""Making connections: names, TCP, proxies, TLS and QUIC, up to a channel that takes requests.

RFC 9110 section 9.3.6 (CONNECT), RFC 7301 (ALPN), RFC 9114 section 3.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ..channel.channel import Channel
from ..channel.exchange import Exchange
from ..channel.wire import ByteStreamWire
from ..message.exceptions import (
    ConnectError,
    ConnectTimeout,
    HTTPError,
    ProxyError,
    ReadError,
    ReadTimeout,
    RemoteProtocolError,
)
from ..network.connect import open_tcp, start_tls
from ..protocol import registry
from ..protocol.connection import Role

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..network.backend import Backend
    from ..network.stream import Stream
    from ..protocol.connection import Connection
    from ..protocol.events import HandshakeCompleted
    from .clock import Clock
    from .pool import Pool
    from .settings import Limits, Proxy


class Route(NamedTuple):
    """What requests must have in common to share a connection."""

    scheme: str
    host: str
    port: int
    protocols: tuple[str, ...]
    """ALPN names that may be spoken, best first: `("h2", "http/1.1")`, `("h3",)`."""
    proxy: Proxy | None = None

    @property
    def may_multiplex(self) -> bool:
        """Whether one connection may carry several requests at once."""
        return self.protocols != ("http/1.1",)

    @property
    def is_forwarded(self) -> bool:
        """Whether requests go to the proxy in absolute form (RFC 9112 section 3.2.2)."""
        return self.proxy is not None and self.scheme == "http"

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


class ClientChannel(Channel):
    """A client's connection, which tells its pool what becomes of it.

    Responses have it as their extension `connection`, to be read: `addresses` (ours, the peer's), `uses`
    (requests so far), `connect_seconds` and `connected_at` (in the backend's time), `tls`,
    `peer_certificate`.
    """

    def __init__(self, engine: Connection, wire: Any, backend: Backend, route: Route) -> None:
        super().__init__(engine, wire, backend, str(route))
        self.route = route
        self.is_shared = engine.http_version != "HTTP/1.1"
        self.pool: Pool | None = None
        self.idle_since = 0.0
        self.uses = 0
        self.connect_seconds = 0.0
        self.connected_at = 0.0
        self.addresses: tuple[str, str] = ("", "")
        self._ready: Exchange | None = None
        self._is_ready = False

    def exchange_over(self, exchange: Exchange) -> None:
        """Give the stream's place, or the whole connection, to who waits for it."""
        if self.is_shared:
            self.tick(self.backend.now())
        if self.engine.is_draining and not self.exchanges and not self.is_closed:
            self.finish(RemoteProtocolError(f"the connection to {self.peer} was closed"))
        elif self.pool is not None and not self.pool.exchange_over(self):
            self.engine.close()
            self.flush()
            self._end(ReadError(f"the connection to {self.peer} was not kept"))

    def capacity_changed(self) -> None:
        """Let those go on who wait for a stream."""
        if self.engine.is_draining and not self.exchanges and not self.is_closed:
            self.finish(RemoteProtocolError(f"the connection to {self.peer} was closed"))
        elif self.pool is not None:
            self.pool.capacity_changed(self)

    def handshake_completed(self, event: HandshakeCompleted) -> None:
        """Let `wait_ready` return."""
        self._is_ready = True
        self._wake_ready()

    def closed(self) -> None:
        """Leave the pool."""
        self._wake_ready()
        if self.pool is not None:
            self.pool.channel_closed(self)

    def _wake_ready(self) -> None:
        if self._ready is not None:
            for waiter in self._ready.waiters:
                waiter.set()

    @property
    def tls(self) -> Any:
        """What has the methods of `ssl.SSLObject` (`version`, `cipher`); None in cleartext and over QUIC."""
        return self.wire.stream.tls if isinstance(self.wire, ByteStreamWire) else None

    @property
    def peer_certificate(self) -> bytes | None:
        """The server's certificate in DER form, None in cleartext."""
        certificate: bytes | None
        if isinstance(self.wire, ByteStreamWire):
            certificate = None if self.tls is None else self.tls.getpeercert(True)
        else:
            certificate = self.engine.quic.peer_certificate  # type: ignore[attr-defined]  # HTTP/3's
        return certificate

    async def wait_ready(self, deadline: float | None) -> bool:
        """Wait for a datagram transport's handshake; return False when it took too long."""
        self._ready = Exchange(self, -1)  # nobody's stream: only something to wait on
        return await self.wait(self._ready, lambda: self._is_ready or self.is_closed, deadline)

    def detach(self) -> Stream:
        """Give the stream away, for another protocol to go on with (after CONNECT)."""
        with self.lock:
            assert isinstance(self.wire, ByteStreamWire)
            stream: Any = self.wire.stream
            self.hand_over()
        return stream  # type: ignore[no-any-return]


class TLSSettings(NamedTuple):
    """How servers are verified and what certificate is shown to them; see `Client`."""

    verify: Any = True
    cert: Any = None


class Connector:
    """Makes channels for routes."""

    def __init__(
        self,
        backend: Backend,
        *,
        tls: TLSSettings,
        limits: Limits,
        connect_to: Mapping[tuple[str, int], tuple[str, int]] | None = None,
        engines: Mapping[str, str] | None = None,
        local_address: str | None = None,
    ) -> None:
        self.backend = backend
        self.tls = tls
        self.limits = limits
        self.connect_to = connect_to or {}
        self.engines = dict(engines or {})
        self.local_address = (local_address, 0) if local_address else None

    async def connect(self, route: Route, clock: Clock) -> ClientChannel:
        """Return a channel that is ready for requests.

        Raises `ConnectError`, `ConnectTimeout`, `ProxyError`.
        """
        begin = self.backend.now()
        deadline = clock.deadline(clock.timeout.connect)
        try:
            if route.protocols == ("h3",):
                channel = await self._connect_quic(route, deadline)
            else:
                channel = await self._connect_tcp(route, deadline)
            channel.connected_at = self.backend.now()
            channel.connect_seconds = channel.connected_at - begin
            return channel
        except TimeoutError as error:
            raise ConnectTimeout(f"{route}: {error or 'timed out'}") from error
        except OSError as error:
            raise ConnectError(f"{route}: {error}") from error
        except RemoteProtocolError as error:
            raise ConnectError(str(error)) from error

    def _left(self, deadline: float | None) -> float | None:
        return None if deadline is None else max(deadline - self.backend.now(), 0.0)

    async def _connect_tcp(self, route: Route, deadline: float | None) -> ClientChannel:
        proxy = route.proxy
        if proxy is None:
            host, port = self.connect_to.get((route.host, route.port), (route.host, route.port))
        else:
            host, port = proxy.url.host, proxy.url.port or 80
        stream: Stream
        try:
            stream = await open_tcp(
                self.backend, host, port, self._left(deadline), local_address=self.local_address
            )
        except OSError as error:
            if proxy is None or isinstance(error, TimeoutError):
                raise
            raise ProxyError(f"proxy {proxy.url}: {error}") from error
        protocol = route.protocols[-1]
        try:
            if route.scheme == "https":
                if proxy is not None:
                    stream = await self._tunnel(stream, route, proxy, deadline)
                stream = await self._start_tls(stream, route, deadline)
                protocol = stream.alpn_protocol or "http/1.1"
                if protocol not in route.protocols:
                    raise ConnectionError(
                        f"the server speaks {protocol}, not {' or '.join(route.protocols)}"
                    )
            engine = registry.find(protocol, self.engines.get(protocol, "h123"))(
                Role.CLIENT, limits=self.limits
            )
            channel = ClientChannel(engine, ByteStreamWire(engine, stream), self.backend, route)
            channel.addresses = (stream.local_address, stream.peer_address)
            channel.start()
        except BaseException:
            stream.close()
            raise
        return channel

    async def _start_tls(self, stream: Stream, route: Route, deadline: float | None) -> Stream:
        from ..network.tls import client_context

        context = client_context(self.tls.verify, self.tls.cert, route.protocols)
        return await start_tls(self.backend, stream, context, route.host, self._left(deadline))

    async def _tunnel(
        self, stream: Stream, route: Route, proxy: Proxy, deadline: float | None
    ) -> Stream:
        """Ask an HTTP proxy for a tunnel to the route's host and return the stream inside it."""
        engine = registry.find("http/1.1")(Role.CLIENT, limits=self.limits)
        channel = ClientChannel(engine, ByteStreamWire(engine, stream), self.backend, route)
        channel.peer = f"proxy {proxy.url}"
        channel.start()
        host = f"[{route.host}]" if ":" in route.host else route.host
        authority = f"{host}:{route.port}".encode("ascii")
        try:
            exchange = channel.open_exchange(
                b"CONNECT",
                authority,
                [(b"Host", authority), *proxy.headers.raw],
                scheme=b"",
                authority=authority,
                end_stream=False,
            )
            assert exchange is not None
            channel.push()
            response = await exchange.receive_response(deadline)
        except ReadTimeout as error:
            channel.close()
            raise ConnectTimeout(f"{channel.peer} made no tunnel to {route} in time") from error
        except HTTPError as error:
            channel.close()
            raise ProxyError(str(error)) from error
        except BaseException:
            channel.close()
            raise
        if not 200 <= response.status < 300:
            channel.close()
            reason = response.reason.decode("latin-1")
            raise ProxyError(
                f"{channel.peer} refused a tunnel to {route}: {response.status} {reason}".rstrip()
            )
        return channel.detach()

    async def _connect_quic(self, route: Route, deadline: float | None) -> ClientChannel:
        from .quic import connect_quic

        if route.proxy is not None:
            raise ConnectError("HTTP/3 through a proxy is not supported")
        host, port = self.connect_to.get((route.host, route.port), (route.host, route.port))
        return await connect_quic(self, route, host, port, deadline)
