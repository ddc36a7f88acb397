"""Engines to talk to, and short ways to say what is expected of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest

from h123.protocol.connection import Role
from h123.protocol.errors import RemoteProtocolError
from h123.protocol.events import DataReceived, Event, RequestReceived, ResponseReceived
from h123.protocol.http1.connection import HTTP1Connection
from h123.protocol.limits import Limits

SMALL = Limits(
    start_line_size=40,
    header_block_size=60,
    header_fields=3,
    chunk_size_line=8,
    empty_lines=1,
    receive_buffer=50,
)


@pytest.fixture
def server() -> HTTP1Connection:
    return HTTP1Connection(Role.SERVER)


@pytest.fixture
def small_server() -> HTTP1Connection:
    return HTTP1Connection(Role.SERVER, limits=SMALL)


@pytest.fixture
def idle_client() -> HTTP1Connection:
    return HTTP1Connection(Role.CLIENT)


def _ask(client: HTTP1Connection, method: bytes) -> HTTP1Connection:
    client.send_request(method, b"/", [(b"Host", b"a")], end_stream=True)
    client.data_to_send()
    return client


@pytest.fixture
def client(idle_client: HTTP1Connection) -> HTTP1Connection:
    """A client that has sent a GET."""
    return _ask(idle_client, b"GET")


@pytest.fixture
def small_client() -> HTTP1Connection:
    return _ask(HTTP1Connection(Role.CLIENT, limits=SMALL), b"GET")


@pytest.fixture
def after() -> Callable[[bytes], HTTP1Connection]:
    """Make a client that has sent a request with this method."""
    return lambda method: _ask(HTTP1Connection(Role.CLIENT), method)


@pytest.fixture
def serving() -> Callable[[bytes], HTTP1Connection]:
    """Make a server that has received these bytes."""

    def serve(data: bytes) -> HTTP1Connection:
        engine = HTTP1Connection(Role.SERVER)
        engine.receive_data(data)
        return engine

    return serve


def _feed_singly(engine: HTTP1Connection, data: bytes) -> None:
    for byte in data:
        engine.receive_data(bytes((byte,)))


@pytest.fixture
def refuse() -> Callable[[HTTP1Connection, bytes], RemoteProtocolError]:
    """Feed bytes whole to one engine and singly to its twin: both must refuse them, and by the same rule."""

    def refuse_both(engine: HTTP1Connection, data: bytes) -> RemoteProtocolError:
        twin = HTTP1Connection(engine.role, limits=engine.limits)
        if engine.role is Role.CLIENT and engine._stream_id:
            _ask(twin, engine._method)
        with pytest.raises(RemoteProtocolError) as whole:
            engine.receive_data(data)
        with pytest.raises(RemoteProtocolError) as singly:
            _feed_singly(twin, data)
        assert (singly.value.rule, singly.value.status) == (whole.value.rule, whole.value.status)
        assert engine.receive_data(data) == twin.receive_data(data) == []
        assert engine.receive_eof() == []
        return whole.value

    return refuse_both


@pytest.fixture
def content() -> Callable[[Iterable[Event]], bytes]:
    """Join the content in events."""

    def join(events: Iterable[Event]) -> bytes:
        return b"".join(event.data for event in events if isinstance(event, DataReceived))

    return join


@pytest.fixture(scope="session")
def whole() -> Callable[[Iterable[Event]], list[Event]]:
    """Make events independent of how the bytes were cut: one DataReceived a stream, the end on it."""

    def merge(events: Iterable[Event]) -> list[Event]:
        merged: list[Event] = []
        for event in events:
            last = merged[-1] if merged else None
            if isinstance(event, DataReceived) and isinstance(last, DataReceived):
                data, ended = last.data + event.data, event.end_stream
                merged[-1] = DataReceived(event.stream_id, data, ended)
            else:
                merged.append(event)
        return merged

    return merge


@pytest.fixture
def request_of() -> Callable[[list[Event]], RequestReceived]:
    def only(events: list[Event]) -> RequestReceived:
        (event,) = events
        assert isinstance(event, RequestReceived)
        return event

    return only


@pytest.fixture
def response_of() -> Callable[[list[Event]], ResponseReceived]:
    def first(events: list[Event]) -> ResponseReceived:
        event = events[0]
        assert isinstance(event, ResponseReceived)
        return event

    return first
