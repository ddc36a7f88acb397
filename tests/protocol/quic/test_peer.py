"""Ours against aioquic's own HTTP/3, as client and as server."""

from __future__ import annotations

from typing import Any

import pytest
from aioquic.h3.connection import H3Connection
from aioquic.h3.events import DataReceived as TheirData
from aioquic.h3.events import HeadersReceived as TheirHeaders
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import ProtocolNegotiated
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import load_pem_x509_certificates
from tests.protocol.quic.wire import SERVER, Certificates, Network, Node

from h123.protocol.connection import Role
from h123.protocol.events import (
    DataReceived,
    InformationalReceived,
    RequestReceived,
    ResponseReceived,
    TrailersReceived,
)
from h123.protocol.http3.connection import HTTP3Connection
from h123.protocol.quic.aioquic import AioQUICEndpoint
from h123.protocol.quic.connection import Incoming

pytestmark = pytest.mark.peer


class Theirs:
    """aioquic's HTTP/3 with the methods that the network in memory wants."""

    def __init__(self, quic: QuicConnection) -> None:
        self.quic = quic
        self.http: H3Connection | None = None

    def receive_datagram(self, data: bytes, address: object, now: float) -> list[Any]:
        self.quic.receive_datagram(data, address, now)
        return self._events()

    def datagrams_to_send(self, now: float) -> list[tuple[bytes, Any]]:
        return self.quic.datagrams_to_send(now)

    def next_timeout(self) -> float | None:
        return self.quic.get_timer()

    def handle_timeout(self, now: float) -> list[Any]:
        self.quic.handle_timer(now + 1e-6)
        return self._events()

    def _events(self) -> list[Any]:
        events: list[Any] = []
        while (event := self.quic.next_event()) is not None:
            if isinstance(event, ProtocolNegotiated):
                self.http = H3Connection(self.quic)
            if self.http is not None:
                events += self.http.handle_event(event)
        return events


def serve(node: Node, event: Any) -> None:
    """Echo, with all that a response can have."""
    if isinstance(event, RequestReceived):
        node.engine.send_informational(event.stream_id, 103, [(b"link", b"</a>")])
        node.engine.send_response(event.stream_id, 200, event.headers)
    elif isinstance(event, DataReceived):
        node.engine.consume(event.stream_id, len(event.data))
        node.engine.send_data(event.stream_id, event.data)
        if event.end_stream:
            node.engine.send_trailers(event.stream_id, [(b"sum", b"1")])


def test_their_client_with_our_server(certificates: Certificates) -> None:
    endpoint = AioQUICEndpoint(certificates.server())
    network = Network(lambda incoming: HTTP3Connection(Role.SERVER, endpoint.accept(incoming)))
    network.handler = serve
    configuration = QuicConfiguration(alpn_protocols=["h3"], server_name="localhost")
    configuration.cadata = certificates.authority.cert_pem.bytes()
    quic = QuicConnection(configuration=configuration)
    quic.connect(SERVER, now=0.0)
    theirs = Theirs(quic)
    client = network.add(theirs, ("192.0.2.2", 1))
    assert network.run(lambda: theirs.http is not None and quic._handshake_complete)
    assert theirs.http is not None
    for number in range(40):
        stream_id = quic.get_next_available_stream_id()
        fields = [
            (b":method", b"POST"), (b":scheme", b"https"), (b":authority", b"localhost"),
            (b":path", b"/"), (b"number", b"%d" % number), (b"long", b"x" * 200),
        ]  # fmt: skip
        theirs.http.send_headers(stream_id, fields)
        theirs.http.send_data(stream_id, b"%d" % number * 3000, end_stream=False)
        theirs.http.send_data(stream_id, b"end", end_stream=True)
    assert network.run(
        lambda: sum(e.stream_ended for e in client.events if isinstance(e, TheirHeaders)) == 40
    )
    for number in range(40):
        mine = [e for e in client.events if getattr(e, "stream_id", -1) == 4 * number]
        heads = [dict(e.headers) for e in mine if isinstance(e, TheirHeaders)]
        assert heads[0] == {b":status": b"103", b"link": b"</a>"}
        assert heads[1] == {b":status": b"200", b"number": b"%d" % number, b"long": b"x" * 200}
        assert heads[2] == {b"sum": b"1"}
        data = b"".join([e.data for e in mine if isinstance(e, TheirData)])
        assert data == b"%d" % number * 3000 + b"end"


def test_our_client_with_their_server(certificates: Certificates) -> None:
    configuration = QuicConfiguration(is_client=False, alpn_protocols=["h3"])
    chain = load_pem_x509_certificates(certificates.chain)
    configuration.certificate, configuration.certificate_chain = chain[0], chain[1:]
    configuration.private_key = load_pem_private_key(certificates.key, None)

    def accept(incoming: Incoming) -> Theirs:
        quic = QuicConnection(
            configuration=configuration,
            original_destination_connection_id=incoming.original_connection_id,
        )
        for connection_id in quic._host_cids:
            incoming.routes.issued(connection_id.cid)
        return Theirs(quic)

    def echo(node: Node, event: Any) -> None:
        for connection_id in node.engine.quic._host_cids:
            network.listener._routes.setdefault(
                connection_id.cid, next(iter(network.listener._routes.values()))
            )
        if isinstance(event, TheirHeaders) and not event.stream_ended:
            node.engine.http.send_headers(event.stream_id, [(b":status", b"103"), (b"a", b"b")])
            node.engine.http.send_headers(
                event.stream_id, [(b":status", b"200"), (b"long", b"y" * 300)]
            )
        elif isinstance(event, TheirData):
            node.engine.http.send_data(event.stream_id, event.data, end_stream=False)
            if event.stream_ended:
                node.engine.http.send_headers(event.stream_id, [(b"sum", b"2")], end_stream=True)

    network = Network(accept)
    network.handler = echo
    engine = HTTP3Connection(
        Role.CLIENT, AioQUICEndpoint(certificates.client()).connect(SERVER, 0.0)
    )
    client = network.add(engine, ("192.0.2.2", 1))
    assert network.run(lambda: engine.available_streams > 0)
    streams = []
    for number in range(40):
        stream_id = engine.send_request(
            b"POST",
            b"/",
            [(b"number", b"%d" % number), (b"long", b"x" * 200)],
            authority=b"localhost",
        )
        engine.send_data(stream_id, b"%d" % number * 3000, end_stream=True)
        streams.append(stream_id)
    assert network.run(lambda: len(client.told(TrailersReceived)) == 40)
    assert client.error is None
    assert len(client.told(InformationalReceived)) == 40
    for event in client.told(ResponseReceived):
        assert (event.status, event.headers) == (200, [(b"long", b"y" * 300)])
    for number, stream_id in enumerate(streams):
        data = b"".join([e.data for e in client.told(DataReceived) if e.stream_id == stream_id])
        assert data == b"%d" % number * 3000
