"""What every HTTP/2 engine must do, ours and those behind the contract: all pairs of them, in memory."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.conftest import Serve
from tests.protocol.http2 import playbook

from h123.client.sync_client import Client
from h123.message import Request, Response
from h123.protocol import registry
from h123.protocol.connection import ByteStreamConnection, Role
from h123.protocol.errors import LocalProtocolError, RemoteProtocolError
from h123.protocol.events import (
    CapacityChanged,
    ConnectionClosed,
    DataReceived,
    Event,
    GoAwayReceived,
    InformationalReceived,
    PingAcknowledged,
    RequestReceived,
    ResponseReceived,
    SettingsChanged,
    StreamReset,
    TrailersReceived,
)
from h123.protocol.limits import DEFAULT_LIMITS, Limits

ENGINES = ("h123", "hyper-h2")
SMALL = Limits(stream_window=65535, connection_window=65535)


def make(name: str, role: Role, limits: Limits = DEFAULT_LIMITS) -> ByteStreamConnection:
    try:
        factory = registry.find("h2", name)
    except ImportError as error:
        pytest.skip(f"{error.name} is not installed")
    return factory(role, limits=limits)


class Pair:
    """A client and a server, and the events that each has told."""

    def __init__(self, client: str, server: str, limits: Limits = DEFAULT_LIMITS) -> None:
        self.client = make(client, Role.CLIENT, limits)
        self.server = make(server, Role.SERVER, limits)
        self.at_client: list[Event] = []
        self.at_server: list[Event] = []
        self.talk()
        self.take()

    def talk(self) -> None:
        """Carry bytes until neither has any."""
        while True:
            to_server, to_client = self.client.data_to_send(), self.server.data_to_send()
            if not (to_server or to_client):
                return
            self.at_server += self.server.receive_data(to_server)
            self.at_client += self.client.receive_data(to_client)

    def take(self) -> tuple[list[Event], list[Event]]:
        """Return what each side has told, but for what tells of capacity, and forget it."""
        quiet = (CapacityChanged, SettingsChanged)
        told = [
            [event for event in events if not isinstance(event, quiet)]
            for events in (self.at_client, self.at_server)
        ]
        self.at_client, self.at_server = [], []
        return told[0], told[1]

    def get(self, *, end: bool = True, method: bytes = b"GET") -> int:
        stream = self.client.send_request(
            method, b"/path", [(b"Accept", b"*/*")], authority=b"a.example", end_stream=end
        )
        self.talk()
        return stream


@pytest.fixture(params=list(product(ENGINES, ENGINES)), ids="-".join)
def names(request: pytest.FixtureRequest) -> tuple[str, str]:
    found: tuple[str, str] = request.param
    return found


@pytest.fixture
def pair(names: tuple[str, str]) -> Pair:
    return Pair(*names)


def test_a_request_and_its_response(pair: Pair) -> None:
    stream = pair.get()
    pair.server.send_response(stream, 200, [(b"Content-Length", b"2"), (b"Connection", b"close")])
    pair.server.send_data(stream, b"ok", end_stream=True)
    pair.talk()
    at_client, at_server = pair.take()
    assert at_server == [
        RequestReceived(
            stream, b"GET", b"/path", b"https", b"a.example", [(b"accept", b"*/*")], True, "HTTP/2"
        )
    ]
    assert at_client == [
        ResponseReceived(stream, 200, [(b"content-length", b"2")], False, "HTTP/2"),
        DataReceived(stream, b"ok", True),
    ]
    assert pair.client.is_idle
    assert pair.server.is_idle


def test_content_and_trailers_both_ways_and_1xx(pair: Pair) -> None:
    stream = pair.get(end=False, method=b"POST")
    pair.client.send_data(stream, b"abc")
    pair.client.send_trailers(stream, [(b"x-sum", b"1")])
    pair.server.send_informational(stream, 103, [(b"link", b"</a>")])
    pair.server.send_response(stream, 200, [])
    pair.server.send_trailers(stream, [(b"x-sum", b"2")])
    pair.talk()
    at_client, at_server = pair.take()
    assert at_server[1:] == [
        DataReceived(stream, b"abc", False),
        TrailersReceived(stream, [(b"x-sum", b"1")]),
    ]
    assert at_client == [
        InformationalReceived(stream, 103, [(b"link", b"</a>")]),
        ResponseReceived(stream, 200, [], False, "HTTP/2"),
        TrailersReceived(stream, [(b"x-sum", b"2")]),
    ]


def test_a_reader_that_stops_stops_the_sender(names: tuple[str, str]) -> None:
    pair = Pair(*names, SMALL)
    stream = pair.get(end=False, method=b"POST")
    sent = 0
    while room := pair.client.send_capacity(stream):
        pair.client.send_data(stream, bytes(room))
        sent += room
        pair.talk()
    assert sent == 65535
    with pytest.raises(LocalProtocolError):
        pair.client.send_data(stream, b"x")
    _, at_server = pair.take()
    received = sum(len(event.data) for event in at_server if isinstance(event, DataReceived))
    assert received == sent
    pair.server.consume(stream, received)
    pair.talk()
    assert pair.client.send_capacity(stream) == 65535


def test_a_stream_that_is_reset_gives_its_credit_back(names: tuple[str, str]) -> None:
    pair = Pair(*names, SMALL)
    for _ in range(3):
        stream = pair.get(end=False, method=b"POST")
        pair.client.send_data(stream, bytes(60000))
        pair.talk()
        pair.server.reset_stream(stream)
        pair.talk()
    at_client, _ = pair.take()
    assert [event.error_code for event in at_client if isinstance(event, StreamReset)] == [8] * 3


def test_what_is_not_wanted_is_dropped(pair: Pair) -> None:
    stream = pair.get(end=False, method=b"POST")
    pair.server.stop_receiving(stream)
    pair.client.send_data(stream, b"dropped")
    pair.talk()
    pair.server.send_response(stream, 413, [], end_stream=True)
    pair.talk()
    _, at_server = pair.take()
    assert not [event for event in at_server if isinstance(event, DataReceived)]
    assert pair.server.is_idle


def test_pings(pair: Pair) -> None:
    pair.client.ping(b"12345678")
    pair.talk()
    assert pair.take()[0] == [PingAcknowledged(b"12345678")]
    with pytest.raises(LocalProtocolError):
        pair.client.ping(b"short")


def test_streams_past_the_peers_limit_wait(names: tuple[str, str]) -> None:
    pair = Pair(*names, Limits(concurrent_streams=2))
    pair.get()
    pair.get()
    assert pair.client.available_streams == 0
    with pytest.raises(LocalProtocolError):
        pair.get()
    pair.server.send_response(1, 204, [], end_stream=True)
    pair.talk()
    assert pair.client.available_streams == 1


def test_leaving_lets_the_open_exchange_finish(pair: Pair) -> None:
    stream = pair.get()
    pair.server.close()
    pair.server.send_response(stream, 204, [], end_stream=True)
    pair.talk()
    at_client, _ = pair.take()
    assert ResponseReceived(stream, 204, [], True, "HTTP/2") in at_client
    assert any(isinstance(event, GoAwayReceived) for event in at_client)
    assert pair.client.is_draining
    assert pair.server.is_closed


def test_an_error_ends_everything(pair: Pair) -> None:
    pair.get()
    pair.server.close(11)
    assert pair.server.is_closed
    assert pair.server.receive_data(b"whatever") == []
    pair.client.receive_data(pair.server.data_to_send())
    assert pair.client.is_draining


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("role", Role)
def test_the_end_of_the_bytes(engine: str, role: Role) -> None:
    connection = make(engine, role)
    assert connection.receive_eof() == [ConnectionClosed()]
    assert connection.is_closed
    assert connection.receive_eof() == []


@pytest.mark.parametrize("engine", ENGINES)
def test_the_end_of_the_bytes_in_an_exchange(engine: str) -> None:
    connection = make(engine, Role.CLIENT)
    connection.receive_data(playbook.settings())
    connection.send_request(b"GET", b"/", [], authority=b"h", end_stream=True)
    with pytest.raises(RemoteProtocolError):
        connection.receive_eof()


@pytest.mark.parametrize("engine", ENGINES)
def test_what_came_before_a_fault_is_not_lost(engine: str) -> None:
    connection = make(engine, Role.SERVER)
    with pytest.raises(RemoteProtocolError) as caught:
        connection.receive_data(
            playbook.PREFACE
            + playbook.settings()
            + playbook.headers(1, playbook.GET, end=True)
            + playbook.frame("PING", 0, 0, b"short")
        )
    assert any(isinstance(event, RequestReceived) for event in caught.value.events)
    assert connection.is_closed
    assert playbook.take_apart(connection.data_to_send())[-1].kind == "GOAWAY"


@pytest.mark.parametrize("engine", ENGINES)
def test_what_can_not_be_sent(engine: str) -> None:
    client, server = make(engine, Role.CLIENT), make(engine, Role.SERVER)
    for call in (
        lambda: server.send_request(b"GET", b"/", [], authority=b"h"),
        lambda: client.send_request(b"G T", b"/", [], authority=b"h"),
        lambda: client.send_request(b"CONNECT", b"/", [], authority=b"h", protocol=b"websocket"),
        lambda: client.send_data(1, b"x"),
        lambda: server.send_response(1, 200, []),
        lambda: server.send_informational(1, 103, []),
    ):
        with pytest.raises(LocalProtocolError):
            call()


# ---------------------------------------------------------------------- the same bytes for all

_names = st.sampled_from([b"a", b"x-long-name", b"te", b"cookie", b"connection", b"A", b"b c", b""])
_values = st.sampled_from([b"", b"v", b"trailers", b" v", b"v\n", b"a=1", b"\xff"])
_heads = st.tuples(
    st.sampled_from([playbook.GET, playbook.POST, playbook.GET[1:], playbook.GET[:3]]),
    st.lists(st.tuples(_names, _values), max_size=3),
)


def judge(name: str, wire: bytes) -> list[str]:
    """Return what becomes of each stream, in words that all engines share."""
    engine = make(name, Role.SERVER)
    try:
        events = engine.receive_data(wire)
    except RemoteProtocolError:
        return ["refused"]
    words = [
        type(e).__name__ for e in events if not isinstance(e, CapacityChanged | SettingsChanged)
    ]
    return ["refused"] if "StreamReset" in words else words


@settings(deadline=None, max_examples=150)
@given(_heads, st.binary(max_size=20), st.booleans())
@example((playbook.GET, [(b"cookie", b""), (b"cookie", b"")]), b"", False)
def test_all_judge_a_request_alike(
    head: tuple[playbook.Fields, playbook.Fields], content: bytes, trailers: bool
) -> None:
    fields = [*head[0], *head[1]]
    wire = playbook.PREFACE + playbook.settings() + playbook.headers(1, fields)
    wire += playbook.data(1, content, end=not trailers)
    if trailers:
        wire += playbook.headers(1, [(b"x-t", b"v")], end=True)
    ours, theirs = (judge(name, wire) for name in ENGINES)
    assert ours == theirs


# ------------------------------------------------------------------------- on real connections


def test_a_client_and_a_server_that_use_hyper_h2(serve: Serve) -> None:
    pytest.importorskip("h2")

    async def echo(request: Request) -> Response:
        return Response(200, content=await request.aread())

    serving = serve(echo, engines={"h2": "hyper-h2"})
    content = bytes(range(256)) * 4096
    with Client(engines={"h2": "hyper-h2"}, http1=False) as client:
        for url in (serving.http("/a"), serving.http("/b")):
            response = client.post(url, content=content, http_version="2")
            assert (response.http_version, response.content) == ("HTTP/2", content)


def test_what_the_adapter_refuses_and_forgets() -> None:
    pytest.importorskip("h2")
    server = make("hyper-h2", Role.SERVER)
    server.receive_data(playbook.PREFACE + playbook.settings())
    many = [*playbook.GET, *[(b"x", b"y")] * 101]
    (reset,) = server.receive_data(playbook.headers(1, many, end=True))
    assert isinstance(reset, StreamReset)
    assert reset.rule == "header-block-too-large"
    server.receive_data(playbook.headers(3, playbook.POST))
    server.consume(99, 5)
    server.close()
    assert server.receive_data(playbook.headers(5, playbook.GET, end=True)) == []  # refused
    server.send_response(3, 204, [], end_stream=True)
    server.stop_receiving(3)
    server.stop_receiving(3)
    assert server.is_closed
    with pytest.raises(LocalProtocolError):
        server.ping(b"12345678")

    client = make("hyper-h2", Role.CLIENT)
    client.receive_data(playbook.settings())
    first = client.send_request(b"GET", b"/", [], authority=b"h", end_stream=True)
    second = client.send_request(b"POST", b"/", [], authority=b"h")
    with pytest.raises(LocalProtocolError):
        client.send_data(second, bytes(70000))
    events = client.receive_data(
        playbook.headers(first, [(b":status", b"101")]) + playbook.goaway(0)
    )
    assert [event.stream_id for event in events if isinstance(event, StreamReset)] == [1, 3]
    assert client.is_closed
