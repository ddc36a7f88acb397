"""RFC 9112 section 4 and RFC 9110 section 15: what a client takes for a response, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from h123.protocol.errors import RemoteProtocolError
from h123.protocol.events import DataReceived, Event, InformationalReceived, ResponseReceived
from h123.protocol.http1.connection import HTTP1Connection

Refuse = Callable[[HTTP1Connection, bytes], RemoteProtocolError]
ResponseOf = Callable[[list[Event]], ResponseReceived]
After = Callable[[bytes], HTTP1Connection]


@pytest.mark.parametrize(
    ("line", "status", "reason", "version"),
    [
        (b"HTTP/1.1 200 OK", 200, b"OK", "HTTP/1.1"),
        (b"HTTP/1.1 200 Fine, thank you", 200, b"Fine, thank you", "HTTP/1.1"),
        (b"HTTP/1.1 200 ", 200, b"", "HTTP/1.1"),
        (b"HTTP/1.1 200", 200, b"", "HTTP/1.1"),
        (b"HTTP/1.1 200  OK", 200, b" OK", "HTTP/1.1"),
        (b"HTTP/1.1 404 \xe9\t!", 404, b"\xe9\t!", "HTTP/1.1"),
        (b"HTTP/1.1 999 Request denied", 999, b"Request denied", "HTTP/1.1"),
        (b"HTTP/1.0 200 OK", 200, b"OK", "HTTP/1.0"),
    ],
)
def test_4_status_lines(
    client: HTTP1Connection,
    response_of: ResponseOf,
    line: bytes,
    status: int,
    reason: bytes,
    version: str,
) -> None:
    response = response_of(client.receive_data(line + b"\r\nA: b\r\nContent-Length: 0\r\n\r\n"))
    assert (response.status, response.reason, response.http_version) == (status, reason, version)
    assert response.headers == [(b"A", b"b"), (b"Content-Length", b"0")]


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        (b"HTTP/1.1", "status-line"),
        (b"HTTP/1.1 20", "status-line"),
        (b"HTTP/1.1 2000", "status-line"),
        (b"HTTP/1.1 2x0 OK", "status-line"),
        (b"HTTP/1.1 +20 OK", "status-line"),
        (b"HTTP/1.1 099 OK", "status-line"),
        (b"HTTP/1.2 200 OK", "version-unsupported"),
        (b"HTTP/2 200 OK", "version"),
        (b"ICY 200 OK", "version"),
        (b"<html>", "version"),
        (b"HTTP/1.1 200 O\x00K", "control-character"),
        (b"HTTP/1.1 200 OK\rA: b", "bare-cr"),
        (b"HTTP/1.1 200 OK\r\n folded", "obs-fold"),
        (b"HTTP/1.1 200 OK\r\n\tfolded", "obs-fold"),
        (b"HTTP/1.1 200 OK\r\nA", "field-without-colon"),
        (b"HTTP/1.1 200 OK\r\n(): b", "field-name"),
    ],
)
def test_4_a_wrong_head_is_refused(
    client: HTTP1Connection, refuse: Refuse, line: bytes, rule: str
) -> None:
    error = refuse(client, line + b"\r\n\r\n")
    assert (error.rule, error.stream_id) == (rule, 1)
    assert client.is_closed


def test_5_2_a_client_unfolds(client: HTTP1Connection, response_of: ResponseOf) -> None:
    response = response_of(
        client.receive_data(b"HTTP/1.1 204 None\r\nA: b\r\n c\r\n\td\r\nB: e\r\n\r\n")
    )
    assert [(name, value.split()) for name, value in response.headers] == [
        (b"A", [b"b", b"c", b"d"]),
        (b"B", [b"e"]),
    ]


@pytest.mark.parametrize("fold", [b"\r\n ", b"\r\n\t"])
def test_5_2_a_fold_hides_no_framing(client: HTTP1Connection, refuse: Refuse, fold: bytes) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding:" + fold + b"chunked\r\n\r\n"
    assert refuse(client, head).rule == "obs-fold"


def test_15_2_any_number_of_informational_responses_comes_before_the_response(
    client: HTTP1Connection,
) -> None:
    head = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    events = client.receive_data(
        b"HTTP/1.1 100\r\n\r\n" + head * 50 + b"HTTP/1.1 204 No Content\r\n\r\n"
    )
    assert events[:-1] == [
        InformationalReceived(1, 100, []),
        *[InformationalReceived(1, 103, [(b"Link", b"</a>")])] * 50,
    ]
    assert isinstance(events[-1], ResponseReceived)
    assert client.available_streams == 1


@pytest.mark.parametrize(
    ("method", "line"),
    [
        (b"HEAD", b"HTTP/1.1 200 OK"),
        (b"GET", b"HTTP/1.1 204 No Content"),
        (b"GET", b"HTTP/1.1 304 Not Modified"),
    ],
)
@pytest.mark.parametrize(
    "framing", [b"", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n"]
)
def test_6_3_responses_that_have_no_content_whatever_they_say(
    after: After, response_of: ResponseOf, method: bytes, line: bytes, framing: bytes
) -> None:
    client = after(method)
    events = client.receive_data(line + b"\r\n" + framing + b"\r\n")
    assert len(events) == 1
    assert response_of(events).end_stream
    assert client.available_streams == 1


def test_6_3_without_length_the_content_ends_with_the_connection(client: HTTP1Connection) -> None:
    events = client.receive_data(b"HTTP/1.1 200 OK\r\n\r\nab")
    events += client.receive_data(b"cd")
    assert events[1:] == [DataReceived(1, b"ab", False), DataReceived(1, b"cd", False)]
    assert client.is_draining
    end = client.receive_eof()
    assert end[0] == DataReceived(1, b"", True)
    assert client.is_closed


def test_9_2_what_comes_without_a_request_is_refused(
    idle_client: HTTP1Connection, refuse: Refuse
) -> None:
    error = refuse(idle_client, b"HTTP/1.1 408 Request Timeout\r\n\r\n")
    assert (error.rule, error.stream_id) == ("response-unasked", None)
    assert idle_client.is_closed


def test_9_2_empty_lines_without_a_request_are_discarded(idle_client: HTTP1Connection) -> None:
    assert idle_client.receive_data(b"\r\n\r\n") == []
    assert idle_client.available_streams == 1


def test_9_2_what_follows_a_response_spoils_the_connection_and_not_the_response(
    client: HTTP1Connection,
) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        client.receive_data(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nabc")
    assert caught.value.stream_id is None
    assert caught.value.events[-1] == DataReceived(1, b"a", True)
    assert client.available_streams == 0


def test_9_6_what_follows_the_last_response_is_ignored(idle_client: HTTP1Connection) -> None:
    idle_client.send_request(b"PUT", b"/", [(b"Host", b"a")])
    events = idle_client.receive_data(
        b"HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\nwhatever"
    )
    assert len(events) == 1
    assert not idle_client.is_closed
    idle_client.reset_stream(1)
    assert idle_client.is_closed
    assert idle_client.receive_data(b"more") == []
