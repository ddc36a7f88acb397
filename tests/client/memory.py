"""A client in memory: our engines on both sides, a clock that the test rules, and scripted servers."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from h123.channel.wire import ByteStreamWire
from h123.client.clock import Clock
from h123.client.connect import ClientChannel, Route
from h123.client.core import ClientCore
from h123.network.memory import MemoryBackend, MemoryStream, memory_pair
from h123.protocol import registry
from h123.protocol.connection import ByteStreamConnection, Role
from h123.protocol.errors import LocalProtocolError
from h123.protocol.events import DataReceived, Event, RequestReceived, TrailersReceived
from h123.protocol.limits import Limits

CAPACITY = 65536


class Peer:
    """A server's end of one connection. `script(peer, event)` says what it does."""

    def __init__(
        self,
        backend: MemoryBackend,
        stream: MemoryStream,
        protocol: str,
        script: Callable[[Peer, Event], None],
        limits: Limits,
    ) -> None:
        self.backend = backend
        self.stream = stream
        self.engine: ByteStreamConnection = registry.find(protocol)(Role.SERVER, limits=limits)
        self.script = script
        self.events: list[Event] = []
        self.bodies: dict[int, bytes] = {}
        self.is_reading = True
        self.ended = False
        backend.watch(stream.sock, self._on_readable)
        self.push()

    @property
    def requests(self) -> list[RequestReceived]:
        return [event for event in self.events if isinstance(event, RequestReceived)]

    @property
    def targets(self) -> list[bytes]:
        return [request.target for request in self.requests]

    def _on_readable(self) -> None:
        if not self.is_reading or self.ended:
            self.backend.unwatch(self.stream.sock)
            return
        try:
            data = self.stream.read()
        except OSError:
            data = b""
        if data is None:
            return
        if data:
            events = self.engine.receive_data(data)
        else:
            self.ended = True
            events = []
        for event in events:
            self.events.append(event)
            if isinstance(event, DataReceived):
                body = self.bodies.get(event.stream_id, b"")
                self.bodies[event.stream_id] = body + event.data
                self.engine.consume(event.stream_id, len(event.data))
            try:
                self.script(self, event)
            except LocalProtocolError:
                pass  # the client has left the stream in the same breath
        self.push()

    def push(self) -> None:
        """Send what the engine holds."""
        if not self.stream.is_closed:
            try:
                self.stream.write(self.engine.data_to_send())
            except OSError:
                pass
        if self.stream.unsent and not self.stream.is_closed:
            self.backend.watch_writable(self.stream.sock, self.push)
        else:
            self.backend.unwatch_writable(self.stream.sock)

    def answer(
        self,
        stream_id: int,
        content: bytes = b"ok",
        *,
        status: int = 200,
        headers: list[tuple[bytes, bytes]] | None = None,
    ) -> None:
        """Send a whole response."""
        fields = [(b"content-length", b"%d" % len(content)), *(headers or [])]
        self.engine.send_response(stream_id, status, fields, end_stream=not content)
        if content:
            self.engine.send_data(stream_id, content, end_stream=True)

    def later(self, seconds: float, function: Callable[..., Any], *args: Any) -> None:
        """Do something when so much time has passed, and send."""

        def go() -> None:
            try:
                function(*args)
            except LocalProtocolError:
                pass  # the client has left the stream meanwhile
            self.push()

        self.backend.call_at(self.backend.now() + seconds, go)

    def hang_up(self) -> None:
        """Send what there is, and close."""
        self.push()
        self.backend.unwatch(self.stream.sock)
        self.backend.unwatch_writable(self.stream.sock)
        self.stream.close()


def ends(event: Event) -> bool:
    """Whether a request is complete with this event."""
    return isinstance(event, TrailersReceived) or bool(getattr(event, "end_stream", False))


def answer_all(peer: Peer, event: Event) -> None:
    """Answer each request, when it is complete, with its own target."""
    if ends(event):
        stream_id: int = event.stream_id  # type: ignore[attr-defined]  # those that end streams have one
        target = next(r.target for r in peer.requests if r.stream_id == stream_id)
        peer.answer(stream_id, target)


def ignore_all(peer: Peer, event: Event) -> None:
    """Say nothing."""


class Connector:
    """Connects to scripted servers in no time, or as the test says."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.attempts: list[Route] = []

    async def connect(self, route: Route, clock: Clock) -> ClientChannel:
        world = self.world
        self.attempts.append(route)
        number = len(self.attempts)
        if world.connect_time:
            await world.backend.sleep(world.connect_time)
        if world.on_connect is not None:
            await world.on_connect(number, route)
        protocol = world.protocol if world.protocol in route.protocols else route.protocols[-1]
        here, there = memory_pair(world.capacity)
        engine = registry.find(protocol)(Role.CLIENT, limits=Limits())
        channel = ClientChannel(engine, ByteStreamWire(engine, here), world.backend, route)
        channel.start()
        world.channels.append(channel)
        world.peers.append(Peer(world.backend, there, protocol, world.script, world.server_limits))
        if world.on_connected is not None:
            await world.on_connected(channel)
        return channel


class World:
    """A client core, its network and its servers."""

    def __init__(
        self,
        script: Callable[[Peer, Event], None] = answer_all,
        *,
        protocol: str = "h2",
        has_event_loop: bool = True,
        server_limits: Limits | None = None,
        **options: Any,
    ) -> None:
        self.script = script
        self.protocol = protocol
        self.capacity = CAPACITY
        self.backend = MemoryBackend(has_event_loop=has_event_loop)
        self.connect_time = 0.0
        self.on_connect: Callable[[int, Route], Coroutine[Any, Any, None]] | None = None
        self.on_connected: Callable[[ClientChannel], Coroutine[Any, Any, None]] | None = None
        self.server_limits = server_limits or Limits()
        self.peers: list[Peer] = []
        self.channels: list[ClientChannel] = []
        self.core = ClientCore(self.backend, **options)
        self.connector = Connector(self)
        self.pool = self.core.transport.pool
        self.pool.connector = self.connector  # type: ignore[assignment]  # it plays one

    async def send(self, method: str = "GET", path: str = "/", **options: Any) -> Any:
        """Send a request and return the response, its content unread."""
        request = self.core.build_request(method, self.url(path), **options)
        return await self.core.send(request)

    async def call(self, method: str = "GET", path: str = "/", **options: Any) -> Any:
        """Send a request and return the response, read."""
        response = await self.send(method, path, **options)
        try:
            await response.aread()
        finally:
            await response.aclose()
        return response

    async def text(self, path: str = "/", **options: Any) -> str:
        """Return the content of a response to GET."""
        text: str = (await self.call("GET", path, **options)).text
        return text

    def url(self, path: str) -> str:
        return path if "://" in path else f"https://origin.test{path}"

    def run(self, *coroutines: Coroutine[Any, Any, Any]) -> list[Any]:
        return self.backend.run(*coroutines)

    def assert_clean(self, *, connections: int | None = None) -> None:
        """See that every stream, slot and queue is given back."""
        pool = self.pool
        if connections is not None:
            assert pool.count == connections
        assert pool.count == len(pool.channels) == len(pool.idle)
        assert not pool.starved
        for lane in pool.lanes.values():
            assert not lane.waiting
            assert lane.connecting == 0
        for channel in self.channels:
            assert not channel.exchanges
            assert not channel._waiters
            assert not channel._blocked
            assert not channel._polling
            assert channel.is_closed or channel in pool.channels
        self.core.close()
        assert pool.count == 0
        assert not pool.lanes
        assert not pool.idle
