"""HTTP/3 over QUIC in memory: exchanges on good and bad networks, streams by the thousand."""

from __future__ import annotations

import random
from typing import Any

import pytest
from tests.protocol.quic.wire import Certificates, Node, World

from h123.protocol.errors import ErrorCode
from h123.protocol.events import (
    CapacityChanged,
    ConnectionClosed,
    DataReceived,
    PingAcknowledged,
    RequestReceived,
    ResponseReceived,
    StopSending,
    StreamReset,
    TrailersReceived,
)
from h123.protocol.limits import Limits


def get(node: Node, path: bytes = b"/", headers: Any = ()) -> int:
    stream_id: int = node.engine.send_request(
        b"GET", path, list(headers), authority=b"localhost", end_stream=True
    )
    return stream_id


def answer(node: Node, event: Any) -> None:
    """Answer each request with its path."""
    if isinstance(event, RequestReceived):
        node.engine.send_response(event.stream_id, 200, [(b"server", b"h123")])
        node.engine.send_data(event.stream_id, event.target, end_stream=True)


class Body:
    """Sends so many bytes as they are taken, and gives credit for what it receives."""

    def __init__(self, node: Node, size: int, seed: int = 0) -> None:
        self.node = node
        self.data = random.Random(seed).randbytes(size)
        self.stream_id = -1
        self.sent = 0

    def send(self) -> None:
        while self.sent < len(self.data):
            room = self.node.engine.send_capacity(self.stream_id)
            if not room:
                return
            part = self.data[self.sent : self.sent + room]
            self.sent += len(part)
            last = self.sent == len(self.data)
            self.node.engine.send_data(self.stream_id, part, end_stream=last)

    def on_event(self, node: Node, event: Any) -> None:
        if isinstance(event, CapacityChanged) and event.stream_id == self.stream_id:
            self.send()


def read_all(node: Node, event: Any) -> None:
    if isinstance(event, DataReceived):
        node.engine.consume(event.stream_id, len(event.data))


def received(node: Node, stream_id: int) -> bytes:
    return b"".join([each.data for each in node.told(DataReceived) if each.stream_id == stream_id])


def ended(node: Node, stream_id: int) -> bool:
    return any(each.end_stream for each in node.told(DataReceived) if each.stream_id == stream_id)


# ------------------------------------------------------------------------------------ exchanges


def test_a_request_and_its_response(certificates: Certificates) -> None:
    world = World(certificates)
    client = world.ready()
    world.server.handler = answer
    stream_id = get(client, b"/hello", [(b"accept", b"*/*")])
    assert world.run(lambda: ended(client, stream_id))
    (request,) = world.server.told(RequestReceived)
    assert (request.target, request.headers) == (b"/hello", [(b"accept", b"*/*")])
    (response,) = client.told(ResponseReceived)
    assert (response.status, response.headers) == (200, [(b"server", b"h123")])
    assert received(client, stream_id) == b"/hello"
    assert client.engine.is_idle
    assert world.server.engine.is_idle


def test_trailers_informational_responses_and_pings(certificates: Certificates) -> None:
    world = World(certificates)
    client = world.ready()
    stream_id = client.engine.send_request(b"POST", b"/", [], authority=b"localhost")
    client.engine.send_data(stream_id, b"up")
    client.engine.send_trailers(stream_id, [(b"sum", b"1")])
    client.engine.ping(b"01234567")
    assert world.run(lambda: bool(world.server.told(TrailersReceived)))
    server = world.server.engine
    server.send_informational(stream_id, 103, [(b"link", b"</a>")])
    server.send_response(stream_id, 200, [])
    server.send_trailers(stream_id, [(b"sum", b"2")])
    assert world.run(lambda: bool(client.told(TrailersReceived)))
    assert world.run(lambda: bool(client.told(PingAcknowledged)))
    assert client.told(PingAcknowledged) == [PingAcknowledged(b"01234567")]


@pytest.mark.parametrize("seed", range(4))
def test_a_bad_network_changes_nothing(certificates: Certificates, seed: int) -> None:
    """Datagrams are lost, repeated and overtake each other, in the handshake too."""
    world = World(certificates, loss=0.05, repeat=0.05, mix=0.02, seed=seed)
    client = world.ready()
    client.handler = read_all
    bodies: dict[int, Body] = {}

    def serve(node: Node, event: Any) -> None:
        read_all(node, event)
        if isinstance(event, RequestReceived):
            node.engine.send_response(event.stream_id, 200, [])
            body = bodies[event.stream_id] = Body(node, 100_000, event.stream_id)
            body.stream_id = event.stream_id
            body.send()
        elif isinstance(event, CapacityChanged) and event.stream_id in bodies:
            bodies[event.stream_id].send()

    world.server.handler = serve
    streams = [get(client) for _ in range(5)]
    assert world.run(lambda: all(ended(client, each) for each in streams), seconds=300)
    for stream_id in streams:
        assert received(client, stream_id) == bodies[stream_id].data
    assert client.error is None
    assert world.server.error is None


def test_a_thousand_requests_past_the_stream_limit(certificates: Certificates) -> None:
    world = World(certificates, server_limits=Limits(concurrent_streams=20))
    client = world.ready()
    world.server.handler = answer
    most = waiting = 0
    started: list[int] = []

    def start(node: Node, event: Any) -> None:
        nonlocal waiting
        read_all(node, event)
        while len(started) < 1000 and node.engine.available_streams:
            started.append(get(node, b"/%d" % len(started)))
        waiting += event == CapacityChanged(None)

    client.handler = start
    start(client, None)
    assert len(started) == 20
    while not world.run(lambda: len(client.told(ResponseReceived)) == 1000, seconds=0.05):
        most = max(most, len(world.server.engine._streams))
    assert world.run(lambda: client.engine.is_idle)
    assert waiting
    assert most <= 20
    assert [received(client, each) for each in started] == [b"/%d" % n for n in range(1000)]


def test_finished_streams_cost_no_memory(certificates: Certificates) -> None:
    world = World(certificates, delay=0.0005)
    client = world.ready()
    world.server.handler = answer
    for _ in range(30):
        streams = [get(client) for _ in range(min(20, client.engine.available_streams))]
        assert world.run(lambda streams=streams: all(ended(client, each) for each in streams))  # type: ignore[misc]
        for each in streams:
            client.engine.consume(each, 1)
        client.events.clear()
        world.server.events.clear()
    world.run(seconds=1)
    for node in (client, world.server):
        engine, quic = node.engine, node.engine.quic
        assert not engine._streams
        assert not engine._unread
        assert len(quic._quic._streams) == 6  # three of each side
        assert len(quic._quic._streams_queue) == 6
        assert len(quic._quic._stream_credit) <= 3
        assert not quic._stopped
        assert not quic._hungry


# --------------------------------------------------------------------------------- flow control

WINDOW = 65536
SMALL = Limits(stream_window=WINDOW, connection_window=4 * WINDOW, send_buffer=32768)


def test_a_reader_that_stops_reading_stops_an_upload(certificates: Certificates) -> None:
    world = World(certificates, client_limits=SMALL, server_limits=SMALL)
    client = world.ready()
    body = Body(client, 300_000)
    body.stream_id = client.engine.send_request(b"POST", b"/", [], authority=b"localhost")
    client.handler = body.on_event
    body.send()
    world.run(seconds=5)
    stood = body.sent
    came = len(received(world.server, body.stream_id))
    assert WINDOW - 100 < came <= WINDOW
    assert stood <= WINDOW + SMALL.send_buffer
    world.run(seconds=10)
    assert (body.sent, len(received(world.server, body.stream_id))) == (stood, came)

    world.server.handler = read_all
    world.server.engine.consume(body.stream_id, came)
    assert world.run(lambda: ended(world.server, body.stream_id))
    assert received(world.server, body.stream_id) == body.data


def test_a_reader_that_stops_reading_stops_a_download(certificates: Certificates) -> None:
    world = World(certificates, client_limits=SMALL, server_limits=SMALL)
    client = world.ready()
    body = Body(world.server, 300_000)
    body.stream_id = get(client)
    assert world.run(lambda: bool(world.server.told(RequestReceived)))
    world.server.handler = body.on_event
    world.server.engine.send_response(body.stream_id, 200, [])
    body.send()
    world.run(seconds=5)
    came = len(received(client, body.stream_id))
    stood = body.sent
    assert WINDOW - 100 < came <= WINDOW
    assert stood <= WINDOW + SMALL.send_buffer
    world.run(seconds=10)
    assert (body.sent, len(received(client, body.stream_id))) == (stood, came)

    client.handler = read_all
    client.engine.consume(body.stream_id, came)
    assert world.run(lambda: ended(client, body.stream_id))
    assert received(client, body.stream_id) == body.data


def test_the_connections_window_bounds_all_streams_together(certificates: Certificates) -> None:
    """Eight downloads that nobody reads: no more than the connection's window comes."""
    world = World(certificates, client_limits=SMALL, server_limits=SMALL)
    client = world.ready()
    bodies: dict[int, Body] = {}

    def serve(node: Node, event: Any) -> None:
        if isinstance(event, RequestReceived):
            node.engine.send_response(event.stream_id, 200, [])
            body = bodies[event.stream_id] = Body(node, 100_000, event.stream_id)
            body.stream_id = event.stream_id
            body.send()
        elif isinstance(event, CapacityChanged) and event.stream_id in bodies:
            bodies[event.stream_id].send()

    world.server.handler = serve
    streams = [get(client) for _ in range(8)]
    world.run(seconds=10)
    came = sum(len(received(client, each)) for each in streams)
    assert 3.5 * WINDOW < came <= 4 * WINDOW

    # A stream that is given up gives its part of the window back.
    client.engine.reset_stream(streams[0])
    world.run(seconds=10)
    more = sum(len(received(client, each)) for each in streams)
    assert came < more
    client.handler = read_all
    for each in streams:
        client.engine.consume(each, len(received(client, each)))
    assert world.run(lambda: all(ended(client, each) for each in streams[1:]))
    for each in streams[1:]:
        assert received(client, each) == bodies[each].data


@pytest.mark.parametrize("way", ["reset by us", "reset by the peer", "stop receiving"])
def test_given_up_streams_do_not_eat_the_window(certificates: Certificates, way: str) -> None:
    """Far more than the connection's window, on streams that all end before their time."""
    world = World(certificates, client_limits=SMALL, server_limits=SMALL, loss=0.02)
    client = world.ready()
    for number in range(12):
        body = Body(client, 200_000)
        body.stream_id = client.engine.send_request(b"POST", b"/", [], authority=b"localhost")
        client.handler = body.on_event
        body.send()
        stream_id = body.stream_id
        assert world.run(
            lambda stream_id=stream_id: len(received(world.server, stream_id)) > 20_000  # type: ignore[misc]
        ), f"the window was used up after {number} streams"
        if way == "reset by us":
            world.server.engine.reset_stream(stream_id)
        elif way == "reset by the peer":
            client.engine.reset_stream(stream_id)
        else:
            world.server.engine.stop_receiving(stream_id)
            world.server.engine.consume(stream_id, len(received(world.server, stream_id)))
            world.server.engine.send_response(stream_id, 413, [], end_stream=True)
        world.run(seconds=1)
    assert client.error is None
    assert world.server.error is None


def test_stop_sending_stops_the_sender(certificates: Certificates) -> None:
    world = World(certificates)
    client = world.ready()
    body = Body(client, 5_000_000)
    body.stream_id = client.engine.send_request(b"POST", b"/", [], authority=b"localhost")
    client.handler = body.on_event
    body.send()
    assert world.run(lambda: bool(world.server.told(DataReceived)))
    world.server.engine.stop_receiving(body.stream_id)
    world.server.engine.send_response(body.stream_id, 413, [], end_stream=True)
    assert world.run(lambda: bool(client.told(StopSending)))
    assert client.engine.send_capacity(body.stream_id) == 0
    assert world.run(lambda: client.engine.is_idle and world.server.engine.is_idle)
    assert client.told(StreamReset) == []
    (response,) = client.told(ResponseReceived)
    assert response.status == 413


def test_a_sender_may_queue_less_when_a_great_many_do(certificates: Certificates) -> None:
    world = World(certificates)
    client = world.ready()
    first = client.engine.send_request(b"POST", b"/", [], authority=b"localhost")
    alone = client.engine.send_capacity(first)
    for _ in range(90):
        client.engine.send_request(b"POST", b"/", [], authority=b"localhost")
    assert alone > 5 * client.engine.send_capacity(first) > 5 * 16384


# --------------------------------------------------------------------------------------- endings


@pytest.mark.parametrize("seed", range(4))
def test_a_graceful_end_loses_nothing(certificates: Certificates, seed: int) -> None:
    """Nor does it wait for long for a client whose last word was lost (seeds 2 and 3)."""
    world = World(certificates, loss=0.1, seed=seed)
    client = world.ready()
    stream_id = get(client)
    assert world.run(lambda: bool(world.server.told(RequestReceived)))
    server = world.server.engine
    server.send_response(stream_id, 200, [])
    server.send_data(stream_id, b"x" * 50_000, end_stream=True)
    server.close()
    assert world.run(lambda: client.engine.is_closed and server.is_closed, seconds=10)
    assert received(client, stream_id) == b"x" * 50_000
    assert client.error is None
    assert world.server.error is None


def test_a_hard_end_cuts_off(certificates: Certificates) -> None:
    world = World(certificates)
    client = world.ready()
    get(client)
    assert world.run(lambda: bool(world.server.told(RequestReceived)))
    world.server.engine.close(ErrorCode.INTERNAL_ERROR)
    assert world.run(lambda: client.error is not None)
    assert client.error is not None
    assert client.error.error_code == 0x102
    assert "H3_INTERNAL_ERROR" in str(client.error)


def test_silence_ends_the_connection(certificates: Certificates) -> None:
    world = World(certificates, client={"idle_timeout": 5.0})
    client = world.ready()
    assert world.run(lambda: bool(client.told(ConnectionClosed)), seconds=10)
    assert client.told(ConnectionClosed)[0].reason == "idle timeout"
    assert world.run(lambda: not world.network.listener.connections, seconds=10)
    assert client.engine.next_timeout() is None
    assert client.engine.handle_timeout(world.network.now) == []


def test_silence_cuts_off_what_is_open(certificates: Certificates) -> None:
    world = World(certificates, client={"idle_timeout": 5.0})
    client = world.ready()
    world.network.drop = lambda data, source: True
    get(client)
    assert world.run(lambda: client.error is not None, seconds=30)
    assert str(client.error) == "idle timeout"
    assert client.error is not None
    assert client.error.rule == "idle-timeout"
