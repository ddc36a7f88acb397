"""Two channels in memory, each with our engine: a client's and a server's."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, cast

import trustme

from h123.channel.channel import Channel
from h123.channel.exchange import Exchange
from h123.channel.wire import ByteStreamWire, DatagramWire
from h123.network.memory import (
    MemoryBackend,
    MemoryDatagrams,
    MemoryStream,
    datagram_pair,
    memory_pair,
)
from h123.network.udp import UDPSocket
from h123.protocol import registry
from h123.protocol.connection import Role
from h123.protocol.events import HandshakeCompleted
from h123.protocol.http3.connection import HTTP3Connection
from h123.protocol.limits import Limits
from h123.protocol.quic.aioquic import AioQUICEndpoint
from h123.protocol.quic.connection import QUICConfiguration
from h123.protocol.quic.listener import QUICListener

SOON = 5.0
"""Seconds of the world's time that nothing here may take."""


class Plain(Channel):
    """A channel that notes what it is told. A server's answers by `answer(exchange)`, in a task."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.notes: list[str] = []
        self.received: list[Exchange] = []
        self.answer: Callable[[Exchange], Coroutine[Any, Any, None]] | None = None
        self.is_ready = False

    def request_received(self, exchange: Exchange) -> None:
        self.received.append(exchange)
        if self.answer is not None:
            self.backend.spawn(self.answer(exchange))  # type: ignore[attr-defined]

    def exchange_over(self, exchange: Exchange) -> None:
        super().exchange_over(exchange)
        self.notes.append(f"{exchange.stream_id} over")

    def capacity_changed(self) -> None:
        super().capacity_changed()
        self.notes.append("capacity")

    def handshake_completed(self, event: HandshakeCompleted) -> None:
        super().handshake_completed(event)
        self.is_ready = True
        self.notes.append(f"ready {event.alpn_protocol}")

    def closed(self) -> None:
        super().closed()
        self.notes.append("closed")

    def ask(self, target: bytes = b"/", *, end_stream: bool = True, headers: Any = ()) -> Exchange:
        """Start a request."""
        exchange = self.open_exchange(
            b"GET" if end_stream else b"POST",
            target,
            list(headers),
            scheme=b"https",
            authority=b"origin.test",
            end_stream=end_stream,
        )
        assert exchange is not None
        return exchange

    async def receive_all(self, exchange: Exchange, timeout: float = SOON) -> bytes:
        """Return the response's content."""
        await exchange.receive_response(self.backend.now() + timeout)
        return await read(exchange, timeout)


async def read(exchange: Exchange, timeout: float = SOON) -> bytes:
    """Return the rest of the peer's content."""
    parts = []
    while data := await exchange.receive_data(exchange.channel.backend.now() + timeout):
        parts.append(data)
    return b"".join(parts)


async def echo(exchange: Exchange) -> None:
    """Answer with the request's target, then with its content as it comes, and its trailers."""
    request = exchange.request
    assert request is not None
    exchange.send_response(200, [])
    await exchange.send_data(request.target, SOON)
    while data := await exchange.receive_data(exchange.channel.backend.now() + SOON):
        await exchange.send_data(data, SOON)
    if exchange.trailers:
        exchange.send_trailers(exchange.trailers)
    else:
        await exchange.send_data(b"", SOON, end_stream=True)


class Pair:
    """A world with one connection. `client` waits as the test says, the server in an event loop."""

    def __init__(
        self,
        protocol: str,
        *,
        has_event_loop: bool = True,
        capacity: int = 65536,
        client_limits: Limits | None = None,
        server_limits: Limits | None = None,
        answer: Callable[[Exchange], Coroutine[Any, Any, None]] | None = echo,
    ) -> None:
        self.backend = MemoryBackend(has_event_loop=has_event_loop)
        client_limits = client_limits or Limits()
        server_limits = server_limits or Limits()
        self.streams: tuple[MemoryStream, MemoryStream]
        self.datagrams: tuple[MemoryDatagrams, MemoryDatagrams]
        if protocol == "h3":
            self._over_quic(client_limits, server_limits)
        else:
            self._over_bytes(protocol, capacity, client_limits, server_limits)
        self.server.answer = answer
        self.backend.has_event_loop = True
        self.server.start()
        self.backend.has_event_loop = has_event_loop
        self.client.start()

    def _over_bytes(self, protocol: str, capacity: int, mine: Limits, theirs: Limits) -> None:
        here, there = self.streams = memory_pair(capacity)
        make = registry.find(protocol)
        self.client = Plain(
            (engine := make(Role.CLIENT, limits=mine)),
            ByteStreamWire(engine, here),
            self.backend,
            "the server",
        )
        self.server = Plain(
            (engine := make(Role.SERVER, limits=theirs)),
            ByteStreamWire(engine, there),
            self.backend,
            "the client",
        )

    def _over_quic(self, mine: Limits, theirs: Limits) -> None:
        here, there = self.datagrams = datagram_pair()
        now = self.backend.now
        authority, leaf = certificates()
        endpoint = AioQUICEndpoint(
            QUICConfiguration(
                server_name="localhost", ca_data=authority.cert_pem.bytes(), limits=mine
            )
        )
        engine = HTTP3Connection(Role.CLIENT, endpoint.connect(here.peer, now()), limits=mine)
        self.client = Plain(
            engine,
            DatagramWire(engine, cast("UDPSocket", here), now),
            self.backend,
            "the server",
        )
        accepting = AioQUICEndpoint(
            QUICConfiguration(
                role=Role.SERVER,
                certificate_chain=b"".join(pem.bytes() for pem in leaf.cert_chain_pems),
                private_key=leaf.private_key_pem.bytes(),
                limits=theirs,
            )
        )
        listener: QUICListener[HTTP3Connection] = QUICListener(
            lambda incoming: HTTP3Connection(Role.SERVER, accepting.accept(incoming), limits=theirs)
        )
        # The first flight leaves by hand: from it the listener makes the server's engine.
        first = engine.datagrams_to_send(now())
        made = listener.receive_datagram(first[0][0], there.peer, now())
        assert made is not None
        self.listener = listener
        for data, _ in first:
            made.receive_datagram(data, there.peer, now())
        self.server = Plain(
            made,
            DatagramWire(made, cast("UDPSocket", there), now),
            self.backend,
            "the client",
        )

    def run(self, *coroutines: Coroutine[Any, Any, Any]) -> list[Any]:
        return self.backend.run(*coroutines)

    async def ready(self) -> None:
        """Wait for the handshake, if there is one."""
        if self.client.engine.http_version == "HTTP/3":
            while not self.client.is_ready:
                if self.client._loop is None:
                    self.client._see()
                await self.backend.sleep(0.01)


_certificates: list[tuple[trustme.CA, trustme.LeafCert]] = []


def certificates() -> tuple[trustme.CA, trustme.LeafCert]:
    """Return an authority and a certificate for localhost, made once."""
    if not _certificates:
        authority = trustme.CA()
        _certificates.append((authority, authority.issue_cert("localhost")))
    return _certificates[0]
