"""RFC 9112 section 9.3.2: a client that was asked to sends requests before their turn comes."""

from __future__ import annotations

import pytest

from h123.protocol.connection import Role
from h123.protocol.errors import ErrorCode, LocalProtocolError, RemoteProtocolError
from h123.protocol.events import (
    ConnectionClosed,
    DataReceived,
    Event,
    InformationalReceived,
    ResponseReceived,
    StreamReset,
)
from h123.protocol.http1.connection import HTTP1Connection

HOST = [(b"Host", b"a")]
UPGRADE = [*HOST, (b"Connection", b"upgrade"), (b"Upgrade", b"x")]
EMPTY = b"HTTP/1.1 204 No Content\r\n\r\n"
ONE = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n"


@pytest.fixture
def client() -> HTTP1Connection:
    return HTTP1Connection(Role.CLIENT, pipelining=3)


def ask(client: HTTP1Connection, *methods: bytes) -> list[int]:
    return [client.send_request(method, b"/", HOST, end_stream=True) for method in methods]


def ids(events: list[Event]) -> list[tuple[type[Event], int]]:
    return [(type(event), event.stream_id) for event in events]  # type: ignore[attr-defined]


def test_answers_come_in_the_order_of_the_requests(client: HTTP1Connection) -> None:
    assert client.available_streams == 3
    assert ask(client, b"GET", b"HEAD", b"GET") == [1, 2, 3]
    assert client.data_to_send().count(b"\r\n\r\n") == 3
    assert client.available_streams == 0
    events = client.receive_data(ONE + b"a" + ONE + EMPTY)
    assert ids(events) == [
        (ResponseReceived, 1),
        (DataReceived, 1),
        (ResponseReceived, 2),  # to HEAD: no content
        (ResponseReceived, 3),
    ]
    assert (client.is_idle, client.available_streams) == (True, 3)
    assert ask(client, b"GET") == [4]


def test_there_is_room_again_with_each_answer(client: HTTP1Connection) -> None:
    ask(client, b"GET", b"GET", b"GET")
    assert not client.receive_data(ONE)[0].end_stream  # type: ignore[attr-defined]  # a response
    assert client.available_streams == 0
    client.receive_data(b"a")
    assert client.available_streams == 1
    assert ask(client, b"GET") == [4]
    with pytest.raises(LocalProtocolError, match="takes no request now"):
        ask(client, b"GET")


def test_without_being_asked_to_a_client_waits() -> None:
    client = HTTP1Connection(Role.CLIENT)
    ask(client, b"GET")
    with pytest.raises(LocalProtocolError, match="takes no request now"):
        ask(client, b"GET")


@pytest.mark.parametrize("method", [b"POST", b"PATCH", b"LOCK"])
def test_nothing_follows_what_is_not_idempotent(client: HTTP1Connection, method: bytes) -> None:
    ask(client, b"GET", method)
    assert client.available_streams == 0
    client.receive_data(EMPTY)
    assert client.available_streams == 0
    client.receive_data(EMPTY)
    assert client.available_streams == 3


def test_nothing_follows_before_the_content_is_sent(client: HTTP1Connection) -> None:
    ask(client, b"GET")
    stream_id = client.send_request(b"PUT", b"/", HOST)
    assert client.available_streams == 0
    client.send_data(stream_id, b"x", end_stream=True)
    assert client.available_streams == 1
    events = client.receive_data(EMPTY * 2)
    assert ids(events) == [(ResponseReceived, 1), (ResponseReceived, 2)]


def test_an_upgrade_is_the_last(client: HTTP1Connection) -> None:
    ask(client, b"GET")
    client.send_request(b"GET", b"/", UPGRADE, end_stream=True)
    assert client.available_streams == 0
    events = client.receive_data(EMPTY + b"HTTP/1.1 101 Switching Protocols\r\n\r\nxyz")
    assert events[1:] == [InformationalReceived(2, 101, []), DataReceived(2, b"xyz", False)]


def test_an_upgrade_is_no_answer_to_the_request_before_it(client: HTTP1Connection) -> None:
    ask(client, b"GET")
    client.send_request(b"GET", b"/", UPGRADE, end_stream=True)
    with pytest.raises(RemoteProtocolError) as caught:
        client.receive_data(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
    assert (caught.value.rule, caught.value.stream_id) == ("upgrade-unasked", 1)


@pytest.mark.parametrize("method", [b"GET", b"PUT"])
def test_9_6_what_is_behind_a_last_response_was_not_processed(
    client: HTTP1Connection, method: bytes
) -> None:
    ask(client, b"GET", b"GET")
    client.send_request(method, b"/", HOST, end_stream=method == b"GET")
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\n"
    events = client.receive_data(head)
    assert events[1:] == [
        StreamReset(stream_id, ErrorCode.CANCEL, remote=True, unprocessed=True)
        for stream_id in (2, 3)
    ]
    assert client.available_streams == 0
    assert client.receive_data(b"a" + EMPTY) == [DataReceived(1, b"a", True)]
    assert client.is_closed


def test_6_3_behind_content_that_ends_with_the_connection_comes_nothing(
    client: HTTP1Connection,
) -> None:
    ask(client, b"GET", b"GET")
    events = client.receive_data(b"HTTP/1.1 200 OK\r\n\r\n")
    assert events[1:] == [StreamReset(2, ErrorCode.CANCEL, remote=True, unprocessed=False)]
    client.receive_data(EMPTY)
    assert client.receive_eof() == [DataReceived(1, b"", True), ConnectionClosed()]


def test_9_5_an_end_in_between_is_told_of_each(client: HTTP1Connection) -> None:
    ask(client, b"GET", b"GET", b"GET")
    client.receive_data(EMPTY)
    with pytest.raises(RemoteProtocolError) as caught:
        client.receive_eof()
    assert (caught.value.rule, caught.value.stream_id) == ("eof-before-response", 2)
    assert caught.value.events == [StreamReset(3, ErrorCode.CANCEL, remote=True, unprocessed=False)]
    assert client.is_closed


def test_close_lets_what_was_sent_be_answered(client: HTTP1Connection) -> None:
    ask(client, b"GET", b"GET")
    client.close()
    assert client.available_streams == 0
    assert ids(client.receive_data(EMPTY)) == [(ResponseReceived, 1)]
    assert not client.is_closed
    assert ids(client.receive_data(EMPTY)) == [(ResponseReceived, 2)]
    assert client.is_closed


def test_9_6_a_request_that_says_close_is_the_last(client: HTTP1Connection) -> None:
    ask(client, b"GET")
    client.send_request(b"GET", b"/", [*HOST, (b"Connection", b"close")], end_stream=True)
    assert client.available_streams == 0
    assert ids(client.receive_data(EMPTY * 2)) == [(ResponseReceived, 1), (ResponseReceived, 2)]
    assert client.is_closed


@pytest.mark.parametrize("stream_id", [1, 2])
def test_giving_one_up_gives_up_the_connection(client: HTTP1Connection, stream_id: int) -> None:
    ask(client, b"GET", b"GET")
    client.reset_stream(stream_id)
    assert client.is_closed


def test_stop_receiving_gives_up_what_is_behind(client: HTTP1Connection) -> None:
    ask(client, b"GET", b"GET")
    client.receive_data(ONE)
    client.stop_receiving(1)
    assert client.is_closed
    assert client.receive_data(b"a" + EMPTY) == []
