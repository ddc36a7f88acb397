"""A network in memory, with a clock of its own: it delays, loses, repeats and mixes up datagrams."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from typing import Any

import trustme

from h123.protocol.connection import Role
from h123.protocol.errors import RemoteProtocolError
from h123.protocol.events import Event
from h123.protocol.http3.connection import HTTP3Connection
from h123.protocol.limits import DEFAULT_LIMITS, Limits
from h123.protocol.quic.aioquic import AioQUICEndpoint
from h123.protocol.quic.connection import Incoming, QUICConfiguration
from h123.protocol.quic.listener import QUICListener

SERVER = ("192.0.2.1", 443)


class Certificates:
    """An authority, and certificates by it."""

    def __init__(self) -> None:
        kind = trustme.KeyType.ECDSA
        self.authority = trustme.CA(key_type=kind)
        self.stranger = trustme.CA(key_type=kind)
        self.certificate = self.authority.issue_cert("localhost", "127.0.0.1", "::1", key_type=kind)

    @property
    def chain(self) -> bytes:
        return b"".join([blob.bytes() for blob in self.certificate.cert_chain_pems])

    @property
    def key(self) -> bytes:
        return self.certificate.private_key_pem.bytes()

    def server(self, limits: Limits = DEFAULT_LIMITS, **settings: Any) -> QUICConfiguration:
        values = {"certificate_chain": self.chain, "private_key": self.key, **settings}
        return QUICConfiguration(role=Role.SERVER, limits=limits, **values)

    def client(self, limits: Limits = DEFAULT_LIMITS, **settings: Any) -> QUICConfiguration:
        values = {
            "server_name": "localhost",
            "ca_data": self.authority.cert_pem.bytes(),
            **settings,
        }
        return QUICConfiguration(role=Role.CLIENT, limits=limits, **values)


class Node:
    """A connection on the network, with what it told."""

    def __init__(self, engine: Any, address: object) -> None:
        self.engine = engine
        self.address = address
        self.events: list[Any] = []
        self.error: RemoteProtocolError | None = None
        self.handler: Callable[[Node, Any], None] | None = None

    def take(self, call: Callable[[], list[Any]]) -> None:
        try:
            events = call()
        except RemoteProtocolError as error:
            self.error = error
            events = error.events
        self.events += events
        for event in events:
            if self.handler is not None:
                self.handler(self, event)

    def told(self, kind: type[Event]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


class Network:
    """Clients, one listener, and the datagrams between them."""

    def __init__(
        self,
        accept: Callable[[Incoming], Any],
        *,
        delay: float = 0.01,
        loss: float = 0.0,
        repeat: float = 0.0,
        mix: float = 0.0,
        seed: int = 1,
        **listening: Any,
    ) -> None:
        self.listener: QUICListener[Any] = QUICListener(accept, **listening)
        self.delay, self.loss, self.repeat, self.mix = delay, loss, repeat, mix
        self.random = random.Random(seed)
        self.now = 0.0
        self.clients: dict[object, Node] = {}
        self.servers: dict[int, Node] = {}
        self.handler: Callable[[Node, Any], None] | None = None
        self.wire: list[tuple[float, int, bytes, object, object]] = []
        self.count = 0
        self.bytes_sent: dict[object, int] = {}
        self.drop: Callable[[bytes, object], bool] = lambda data, source: False

    def add(self, engine: Any, address: object) -> Node:
        node = self.clients[address] = Node(engine, address)
        return node

    @property
    def server(self) -> Node:
        """The server's end of the first connection."""
        return next(iter(self.servers.values()))

    def send(self, data: bytes, source: object, target: object) -> None:
        self.bytes_sent[source] = self.bytes_sent.get(source, 0) + len(data)
        if self.drop(data, source) or self.random.random() < self.loss:
            return
        times = 2 if self.random.random() < self.repeat else 1
        for _ in range(times):
            self.count += 1
            arrival = self.now + self.delay + self.random.random() * self.mix
            heapq.heappush(self.wire, (arrival, self.count, data, source, target))

    def flush(self) -> None:
        for node in [*self.clients.values()]:
            for data, target in node.engine.datagrams_to_send(self.now):
                self.send(data, node.address, target)
        for node in [*self.servers.values()]:
            for data, target in node.engine.datagrams_to_send(self.now):
                self.send(data, SERVER, target)
        for data, target in self.listener.datagrams_to_send():
            self.send(data, SERVER, target)

    def step(self, end: float) -> bool:
        """Go on to the next thing that happens; return whether anything does before the end."""
        self.flush()
        nodes = [*self.clients.values(), *self.servers.values()]
        timeouts = [node.engine.next_timeout() for node in nodes]
        times = [at for at in timeouts if at is not None] + [each[0] for each in self.wire[:1]]
        if not times or min(times) > end:
            self.now = max(self.now, end)
            return False
        self.now = max(self.now, min(times))
        while self.wire and self.wire[0][0] <= self.now:
            _, _, data, source, target = heapq.heappop(self.wire)
            self.deliver(data, source, target)
        for node in nodes:
            at = node.engine.next_timeout()
            if at is not None and at <= self.now:
                node.take(lambda node=node: node.engine.handle_timeout(self.now))  # type: ignore[misc]
        return True

    def deliver(self, data: bytes, source: object, target: object) -> None:
        if target == SERVER:
            engine = self.listener.receive_datagram(data, source, self.now)
            if engine is None:
                return
            if id(engine) not in self.servers:
                node = self.servers[id(engine)] = Node(engine, SERVER)
                node.handler = self.handler
            self.servers[id(engine)].take(lambda: engine.receive_datagram(data, source, self.now))
        elif target in self.clients:
            node = self.clients[target]
            node.take(lambda: node.engine.receive_datagram(data, source, self.now))

    def run(self, until: Callable[[], bool] = lambda: False, seconds: float = 60.0) -> bool:
        """Go on until a condition holds; return whether it did before the time was over."""
        end = self.now + seconds
        for _ in range(200_000):
            if until():
                return True
            if not self.step(end):
                return until()
        raise AssertionError("the network does not come to rest")


class World:
    """A network with HTTP/3 on it."""

    def __init__(
        self,
        certificates: Certificates,
        *,
        client_limits: Limits = DEFAULT_LIMITS,
        server_limits: Limits = DEFAULT_LIMITS,
        client: dict[str, Any] | None = None,
        server: dict[str, Any] | None = None,
        **network: Any,
    ) -> None:
        self.client_limits = client_limits
        self.client_endpoint = AioQUICEndpoint(certificates.client(client_limits, **(client or {})))
        self.server_endpoint = AioQUICEndpoint(certificates.server(server_limits, **(server or {})))
        self.network = Network(
            lambda incoming: HTTP3Connection(
                Role.SERVER, self.server_endpoint.accept(incoming), limits=server_limits
            ),
            **network,
        )

    def connect(self, address: object = ("192.0.2.2", 1)) -> Node:
        """Add a client; its handshake is under way."""
        quic = self.client_endpoint.connect(SERVER, self.network.now)
        engine = HTTP3Connection(Role.CLIENT, quic, limits=self.client_limits)
        return self.network.add(engine, address)

    def ready(self, address: object = ("192.0.2.2", 1)) -> Node:
        """Add a client and complete its handshake, on both ends."""
        node = self.connect(address)
        assert self.network.run(
            lambda: (
                node.engine.is_ready
                and any(each.engine.is_ready for each in self.network.servers.values())
            )
        )
        return node

    @property
    def server(self) -> Node:
        return self.network.server

    def run(self, until: Callable[[], bool] = lambda: False, seconds: float = 60.0) -> bool:
        return self.network.run(until, seconds)
