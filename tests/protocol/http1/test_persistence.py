"""RFC 9112 section 9: which connections go on, pipelining, early responses, and every way to end."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from h123.protocol.connection import Role
from h123.protocol.errors import ErrorCode, LocalProtocolError, RemoteProtocolError
from h123.protocol.events import (
    ConnectionClosed,
    DataReceived,
    Event,
    RequestReceived,
    ResponseReceived,
)
from h123.protocol.http1.connection import HTTP1Connection

Refuse = Callable[[HTTP1Connection, bytes], RemoteProtocolError]
Serving = Callable[[bytes], HTTP1Connection]
After = Callable[[bytes], HTTP1Connection]

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
PUT = b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n"
EMPTY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize(
    ("version", "connection", "persists"),
    [
        (b"1.1", b"", True),
        (b"1.1", b"Connection: keep-alive\r\n", True),
        (b"1.1", b"Connection: close\r\n", False),
        (b"1.1", b"Connection: CLOSE\r\n", False),
        (b"1.1", b"Connection: foo, close , keep-alive\r\n", False),
        (b"1.1", b"Connection: foo\r\nConnection: close\r\n", False),
        (b"1.1", b"Connection: closed\r\n", True),
        (b"1.0", b"", False),
        (b"1.0", b"Connection: close\r\n", False),
        (b"1.0", b"Connection: keep-alive\r\n", True),
        (b"1.0", b"Connection: Keep-Alive, foo\r\n", True),
        (b"1.0", b"Connection: keep-alive, close\r\n", False),
    ],
)
def test_9_3_what_either_side_says_of_the_connection(
    client: HTTP1Connection, serving: Serving, version: bytes, connection: bytes, persists: bool
) -> None:
    server = serving(b"GET / HTTP/" + version + b"\r\nHost: a\r\n" + connection + b"\r\n")
    assert server.is_draining is not persists
    server.send_response(1, 200, [], end_stream=True)
    assert server.is_closed is not persists
    assert (b"Connection: close" in server.data_to_send()) is not persists

    head = b"HTTP/" + version + b" 200 OK\r\nContent-Length: 0\r\n"
    client.receive_data(head + connection + b"\r\n")
    assert client.is_closed is not persists
    assert client.available_streams == int(persists)


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ([], b"Connection: keep-alive\r\n"),
        ([(b"Connection", b"Keep-Alive")], b"Connection: Keep-Alive\r\n"),
        ([(b"Connection", b"close")], b"Connection: close\r\n"),
    ],
)
def test_9_3_http_1_0_is_told_that_the_connection_goes_on(
    serving: Serving, given: list[tuple[bytes, bytes]], sent: bytes
) -> None:
    server = serving(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    server.send_response(1, 200, given, end_stream=True)
    data = server.data_to_send()
    assert data.count(b"Connection") == 1
    assert sent in data
    assert server.is_closed is (b"close" in sent)


def test_9_3_content_without_length_ends_the_connection_with_http_1_0(serving: Serving) -> None:
    server = serving(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    server.send_response(1, 200, [(b"Transfer-Encoding", b"chunked")])
    server.send_data(1, b"ab")
    assert not server.is_closed
    server.send_trailers(1, [(b"A", b"b")])
    assert server.data_to_send() == b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nab"
    assert server.is_closed


def test_9_3_connection_close_from_our_user_closes(
    serving: Serving, idle_client: HTTP1Connection
) -> None:
    server = serving(GET + GET)
    server.send_response(1, 200, [(b"Connection", b"close")], end_stream=True)
    assert server.is_closed
    assert server.receive_data(b"") == []
    assert server.data_to_send().count(b"close") == 1

    idle_client.send_request(
        b"GET", b"/", [(b"Host", b"a"), (b"Connection", b"close")], end_stream=True
    )
    assert idle_client.is_draining
    idle_client.receive_data(EMPTY)
    assert idle_client.is_closed


def test_9_3_2_pipelined_requests_wait_for_their_turn(server: HTTP1Connection) -> None:
    """The second has content, and what follows comes in pieces of all sizes."""
    (first,) = server.receive_data(GET + PUT + b"ab")
    assert isinstance(first, RequestReceived)
    assert server.receive_data(b"cd") == []
    assert server.receive_data(GET * 10 + GET[:9]) == []
    server.send_response(1, 200, [])
    assert server.receive_data(b"") == []
    server.send_data(1, b"", end_stream=True)
    assert server.is_idle
    second = server.receive_data(b"")
    assert isinstance(second[0], RequestReceived)
    assert second[0].stream_id == 2
    assert second[1:] == [DataReceived(2, b"abcd", True)]
    for stream_id in range(2, 12):
        server.send_response(stream_id, 200, [], end_stream=True)
        (request,) = server.receive_data(GET[9:] if stream_id == 11 else b"")
        assert isinstance(request, RequestReceived)
        assert request.stream_id == stream_id + 1


def test_9_3_2_a_faulty_request_is_refused_in_its_turn(server: HTTP1Connection) -> None:
    assert len(server.receive_data(GET + b"\x00\r\n\r\n")) == 1
    server.send_response(1, 200, [], end_stream=True)
    with pytest.raises(RemoteProtocolError) as caught:
        server.receive_data(b"")
    assert caught.value.stream_id == 2


def test_early_response_then_the_rest_of_the_request(server: HTTP1Connection) -> None:
    server.receive_data(PUT + b"a")
    server.send_response(1, 200, [], end_stream=True)
    assert not server.is_idle
    assert server.receive_data(b"b") == [DataReceived(1, b"b", False)]
    events = server.receive_data(b"cd" + GET)
    assert events[0] == DataReceived(1, b"cd", True)
    assert isinstance(events[1], RequestReceived)


def test_early_response_and_stop_receiving(server: HTTP1Connection) -> None:
    server.receive_data(PUT + b"a")
    server.stop_receiving(1)
    assert server.is_draining
    assert server.wants_data
    assert server.receive_data(b"b" * 100) == []
    server.send_response(1, 413, [])
    server.send_data(1, b"no", end_stream=True)
    assert b"Connection: close" in server.data_to_send()
    assert server.is_closed
    assert not server.wants_data


def test_stop_receiving_after_the_response_closes_at_once(server: HTTP1Connection) -> None:
    server.receive_data(PUT + b"a")
    server.send_response(1, 413, [], end_stream=True)
    server.stop_receiving(1)
    assert server.is_closed


def test_stop_receiving_after_the_content_came_whole_is_without_effect(
    server: HTTP1Connection,
) -> None:
    server.receive_data(PUT + b"abcd")
    server.stop_receiving(1)
    server.stop_receiving(2)
    server.send_response(1, 200, [], end_stream=True)
    server.stop_receiving(1)
    assert not server.is_draining


def test_a_client_sees_the_response_while_it_sends(idle_client: HTTP1Connection) -> None:
    client = idle_client
    client.send_request(b"PUT", b"/", [(b"Host", b"a"), (b"Content-Length", b"4")])
    client.send_data(1, b"ab")
    (response,) = client.receive_data(EMPTY)
    assert isinstance(response, ResponseReceived)
    assert client.available_streams == 0
    assert client.send_capacity(1) > 1 << 40
    client.send_data(1, b"cd", end_stream=True)
    assert client.available_streams == 1
    assert client.send_capacity(1) == 0


def test_a_client_may_leave_the_rest_unsent(idle_client: HTTP1Connection) -> None:
    idle_client.send_request(b"PUT", b"/", [(b"Host", b"a")])
    idle_client.receive_data(EMPTY)
    idle_client.reset_stream(1)
    assert idle_client.is_closed
    with pytest.raises(LocalProtocolError):
        idle_client.send_data(1, b"a")


def test_a_client_that_stops_receiving_closes(client: HTTP1Connection) -> None:
    client.receive_data(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\na")
    client.stop_receiving(1)
    assert client.is_closed


def test_a_second_response_to_one_request_is_refused(idle_client: HTTP1Connection) -> None:
    idle_client.send_request(b"PUT", b"/", [(b"Host", b"a")])
    with pytest.raises(RemoteProtocolError) as caught:
        idle_client.receive_data(EMPTY + EMPTY)
    assert (caught.value.rule, caught.value.stream_id) == ("response-unasked", None)


@pytest.mark.parametrize("method", ["reset_stream", "close"])
def test_reset_and_close_with_an_error_end_all_at_once(serving: Serving, method: str) -> None:
    server = serving(PUT)
    server.send_response(1, 200, [])
    sent = server.data_to_send()
    assert sent
    if method == "close":
        server.close(ErrorCode.INTERNAL_ERROR)
    else:
        server.reset_stream(1)
    assert server.is_closed
    assert server.is_idle
    assert server.receive_eof() == []
    with pytest.raises(LocalProtocolError):
        server.send_data(1, b"a")


def test_reset_of_what_is_over_is_without_effect(serving: Serving) -> None:
    server = serving(GET)
    server.reset_stream(2)
    server.send_response(1, 200, [], end_stream=True)
    server.reset_stream(1)
    assert not server.is_closed


def test_close_lets_the_open_exchange_finish(serving: Serving, client: HTTP1Connection) -> None:
    server = serving(GET + GET)
    server.close()
    assert server.is_draining
    assert not server.is_closed
    server.send_response(1, 200, [], end_stream=True)
    assert b"Connection: close" in server.data_to_send()
    assert server.is_closed

    client.close()
    assert client.receive_data(EMPTY)
    assert client.is_closed


@pytest.mark.parametrize("role", Role)
def test_close_without_an_exchange_is_at_once(role: Role) -> None:
    engine = HTTP1Connection(role)
    assert engine.is_idle
    engine.close()
    assert engine.is_closed
    assert engine.available_streams == 0


@pytest.mark.parametrize("role", Role)
def test_9_6_the_end_between_exchanges(role: Role) -> None:
    engine = HTTP1Connection(role)
    assert engine.receive_eof() == [ConnectionClosed()]
    assert engine.is_closed
    assert engine.receive_eof() == engine.receive_data(GET) == []
    assert not engine.wants_data


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (GET[:-1], "eof-in-head"),
        (PUT + b"abc", "eof-in-content"),
        (b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "eof-in-content"),
    ],
)
def test_8_a_request_cut_off_by_the_end_can_still_be_answered(
    serving: Serving, data: bytes, rule: str
) -> None:
    server = serving(data)
    with pytest.raises(RemoteProtocolError) as caught:
        server.receive_eof()
    assert (caught.value.status, caught.value.rule, caught.value.stream_id) == (400, rule, 1)
    assert server.receive_eof() == []
    server.send_response(1, 400, [], end_stream=True)
    assert server.is_closed


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"", "eof-before-response"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", "eof-before-response"),
        (b"H", "eof-in-head"),
        (EMPTY[:-1], "eof-in-head"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\na", "eof-in-content"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n", "eof-in-content"),
    ],
)
def test_8_a_response_cut_off_by_the_end(client: HTTP1Connection, data: bytes, rule: str) -> None:
    client.receive_data(data)
    with pytest.raises(RemoteProtocolError) as caught:
        client.receive_eof()
    assert (caught.value.rule, caught.value.stream_id) == (rule, 1)
    assert client.is_closed


def test_9_6_a_client_that_has_closed_its_side_gets_all_its_answers(
    server: HTTP1Connection,
) -> None:
    server.receive_data(GET + GET)
    assert server.receive_eof() == [ConnectionClosed()]
    assert not server.wants_data
    assert not server.is_closed
    server.send_response(1, 200, [], end_stream=True)
    assert b"Connection: close" not in server.data_to_send()
    (request,) = server.receive_data(b"")
    assert isinstance(request, RequestReceived)
    server.send_response(2, 200, [], end_stream=True)
    assert b"Connection: close" in server.data_to_send()
    assert server.is_closed


@pytest.mark.parametrize(("rest", "rule"), [(GET[:-1], "eof-in-head"), (PUT, "eof-in-content")])
def test_9_6_a_pipelined_request_cut_off_by_the_end_is_refused_in_its_turn(
    server: HTTP1Connection, rest: bytes, rule: str
) -> None:
    server.receive_data(GET + rest)
    server.receive_eof()
    server.send_response(1, 200, [], end_stream=True)
    with pytest.raises(RemoteProtocolError) as caught:
        server.receive_data(b"")
    assert caught.value.rule == rule


def test_9_6_empty_lines_before_the_end_are_nothing(server: HTTP1Connection) -> None:
    server.receive_data(GET + b"\r\n")
    server.receive_eof()
    server.send_response(1, 200, [], end_stream=True)
    assert server.receive_data(b"") == []
    assert server.is_closed


def test_9_6_the_end_while_what_comes_is_dropped(server: HTTP1Connection) -> None:
    server.receive_data(PUT)
    server.stop_receiving(1)
    assert server.receive_eof() == [ConnectionClosed()]
    server.send_response(1, 200, [], end_stream=True)
    assert server.is_closed


def test_9_6_the_end_after_an_early_response(idle_client: HTTP1Connection) -> None:
    idle_client.send_request(b"PUT", b"/", [(b"Host", b"a")])
    idle_client.receive_data(EMPTY)
    assert idle_client.receive_eof() == [ConnectionClosed()]
    idle_client.send_data(1, b"", end_stream=True)
    assert idle_client.is_closed


def test_9_6_no_request_after_the_end(after: After) -> None:
    client = after(b"GET")
    client.receive_data(EMPTY)
    client.receive_eof()
    with pytest.raises(LocalProtocolError):
        client.send_request(b"GET", b"/", [], authority=b"a", end_stream=True)


def test_10_1_1_continue(server: HTTP1Connection, client: HTTP1Connection) -> None:
    server.receive_data(PUT[:-2] + b"Expect: 100-Continue\r\n\r\n")
    server.send_informational(1, 100, [])
    data = server.data_to_send()
    assert data == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert client.receive_data(data)
    server.send_response(1, 200, [])
    assert b"close" not in server.data_to_send()


def test_10_1_1_without_continue_nobody_knows_whether_content_follows(
    server: HTTP1Connection,
) -> None:
    server.receive_data(PUT[:-2] + b"Expect: 100-continue\r\n\r\n")
    server.send_informational(1, 103, [])
    server.send_response(1, 403, [], end_stream=True)
    assert b"Connection: close" in server.data_to_send()
    assert not server.is_closed
    server.stop_receiving(1)
    assert server.is_closed


@pytest.mark.parametrize(
    "data",
    [
        PUT[:-2] + b"Expect: 100-continue\r\n\r\na",
        GET[:-2] + b"Expect: 100-continue\r\n\r\n",
        PUT[:-2] + b"Expect: ,\r\n\r\n",
        b"PUT / HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 0\r\nExpect: 100-continue\r\n\r\n",
    ],
)
def test_10_1_1_who_does_not_wait_keeps_the_connection(serving: Serving, data: bytes) -> None:
    server = serving(data)
    server.send_response(1, 200, [], end_stream=True)
    assert b"close" not in server.data_to_send()


@pytest.mark.parametrize("expectation", [b"something", b"100-continue, something"])
def test_10_1_1_another_expectation_is_not_met(
    server: HTTP1Connection, refuse: Refuse, expectation: bytes
) -> None:
    error = refuse(server, PUT[:-2] + b"Expect: " + expectation + b"\r\n\r\n")
    assert (error.status, error.rule, error.stream_id) == (417, "expectation-unknown", 1)


def test_the_state_can_be_read(server: HTTP1Connection, client: HTTP1Connection) -> None:
    assert repr(server) == "<HTTP1Connection [server, exchange 0, receives a head, sends nothing]>"
    assert "client, exchange 1, receives a head, sends nothing more" in repr(client)
    server.close()
    assert repr(server) == "<HTTP1Connection [server, closed]>"


def test_there_is_no_ping(client: HTTP1Connection) -> None:
    with pytest.raises(LocalProtocolError):
        client.ping(bytes(8))


def collect(engine: HTTP1Connection, data: bytes) -> list[Event]:
    return [event for byte in data for event in engine.receive_data(bytes((byte,)))]


def test_a_request_after_another_byte_by_byte(server: HTTP1Connection) -> None:
    for stream_id in range(1, 4):
        events = collect(server, PUT + b"abcd")
        assert isinstance(events[0], RequestReceived)
        server.send_response(stream_id, 200, [], end_stream=True)
    assert server.is_idle
