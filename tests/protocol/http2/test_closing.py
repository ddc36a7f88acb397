"""The end of a connection: GOAWAY (RFC 9113 section 6.8), errors (5.4.1), and the end of the bytes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.protocol.http2.playbook import (
    ACK,
    GET,
    OK,
    POST,
    PREFACE,
    client,
    data,
    frame,
    get,
    goaway,
    headers,
    hears,
    ping,
    sent,
    server,
    settings,
)

from h123.protocol.connection import Role
from h123.protocol.errors import ErrorCode, LocalProtocolError, RemoteProtocolError
from h123.protocol.events import (
    ConnectionClosed,
    DataReceived,
    GoAwayReceived,
    RequestReceived,
    ResponseReceived,
    StreamReset,
)
from h123.protocol.http2.connection import HTTP2Connection

NEVER = 2**31 - 1


def last_id(payload: bytes) -> int:
    return int.from_bytes(payload[:4], "big")


# ------------------------------------------------------------------------- a server leaves


def test_6_8_a_server_leaves_in_two_steps() -> None:
    engine = server()
    hears(engine, headers(1, GET, end=True))
    engine.close()
    warning, question = sent(engine)
    assert (warning.kind, last_id(warning.payload), warning.code) == ("GOAWAY", NEVER, 0)
    assert question.kind == "PING"
    assert engine.is_draining
    # What the client sent before it read that is still served.
    assert isinstance(hears(engine, headers(3, GET, end=True))[0], RequestReceived)
    assert hears(engine, ping(question.payload, ack=True)) == []
    (final,) = sent(engine)
    assert (final.kind, last_id(final.payload), final.code) == ("GOAWAY", 3, 0)
    # What it sends now all the same was told not to be looked at.
    assert hears(engine, headers(5, POST), data(5, b"x")) == []
    engine.send_response(1, 200, [], end_stream=True)
    assert not engine.is_closed
    engine.send_response(3, 200, [], end_stream=True)
    assert engine.is_closed
    assert [frame.kind for frame in sent(engine)] == ["HEADERS", "HEADERS"]
    assert hears(engine, ping()) == []


def test_6_8_closing_again_does_not_wait() -> None:
    engine = server()
    for _ in range(3):
        engine.close()
    frames = sent(engine)
    assert [frame.kind for frame in frames] == ["GOAWAY", "PING", "GOAWAY"]
    assert last_id(frames[2].payload) == 0
    assert engine.is_closed


def test_6_8_the_last_stream_is_never_raised_again() -> None:
    engine = server()
    hears(engine, headers(1, POST))
    engine.close()
    engine.close()
    sent(engine)
    with pytest.raises(RemoteProtocolError):
        hears(engine, headers(3, GET), frame("PING"))
    assert last_id(sent(engine)[-1].payload) == 1


def test_6_8_an_error_ends_all_at_once() -> None:
    engine = server()
    hears(engine, headers(1, POST))
    engine.close(ErrorCode.INTERNAL_ERROR)
    engine.close(ErrorCode.NO_ERROR)
    (only,) = sent(engine)
    assert (last_id(only.payload), only.code) == (1, ErrorCode.INTERNAL_ERROR)
    assert engine.is_closed
    assert engine.is_draining
    assert engine.is_idle
    calls: list[Callable[[], object]] = [
        lambda: engine.send_data(1, b"x"),
        lambda: engine.send_response(1, 200, []),
        lambda: engine.ping(b"12345678"),
    ]
    for call in calls:
        with pytest.raises(LocalProtocolError):
            call()
    engine.consume(1, 10)
    engine.reset_stream(1)
    assert engine.data_to_send() == b""


# ------------------------------------------------------------------------- a client leaves


def test_6_8_a_client_leaves_when_its_streams_are_over() -> None:
    engine = client()
    stream = get(engine)
    engine.close()
    (only,) = sent(engine)
    assert (only.kind, last_id(only.payload), only.code) == ("GOAWAY", 0, 0)
    assert engine.available_streams == 0
    assert not engine.is_closed
    hears(engine, headers(stream, OK, end=True))
    assert engine.is_closed


# ---------------------------------------------------------------------------- the peer leaves


def test_6_8_streams_above_the_last_one_are_unprocessed() -> None:
    engine = client()
    for _ in range(3):
        get(engine)
    events = hears(engine, goaway(3, 0, b"why"))
    assert events[0] == GoAwayReceived(3, 0, b"why")
    (reset,) = events[1:]
    assert isinstance(reset, StreamReset)
    assert (reset.stream_id, reset.remote, reset.unprocessed) == (5, True, True)
    assert engine.is_draining
    assert engine.available_streams == 0
    with pytest.raises(LocalProtocolError):
        get(engine)
    assert isinstance(hears(engine, headers(1, OK, end=True))[0], ResponseReceived)
    assert not engine.is_closed
    hears(engine, goaway(1))
    assert engine.is_closed


def test_6_8_a_server_goes_on_serving_a_client_that_leaves() -> None:
    engine = server()
    assert hears(engine, goaway(0)) == [GoAwayReceived(0, 0)]
    assert engine.is_draining
    assert not engine.is_closed
    assert isinstance(hears(engine, headers(1, GET, end=True))[0], RequestReceived)


# ----------------------------------------------------------------------------- end of bytes


@pytest.mark.parametrize("code", [0, 11])
def test_the_end_of_bytes_between_exchanges(code: int) -> None:
    engine = server()
    hears(engine, goaway(0, code))
    assert engine.receive_eof() == [ConnectionClosed(code)]
    assert engine.is_closed
    assert engine.receive_eof() == []
    assert engine.receive_data(ping()) == []


@pytest.mark.parametrize("role", Role)
def test_the_end_of_bytes_before_any(role: Role) -> None:
    assert HTTP2Connection(role).receive_eof() == [ConnectionClosed(0)]


@pytest.mark.parametrize(
    "received",
    [
        pytest.param(headers(1, POST), id="a request"),
        pytest.param(headers(1, GET, end=True), id="a response"),
        pytest.param(ping()[:3], id="a frame"),
        pytest.param(frame("HEADERS", 1, 0, b"x"), id="a header block"),
    ],
)
def test_the_end_of_bytes_cuts_off(received: bytes) -> None:
    engine = server()
    hears(engine, received)
    with pytest.raises(RemoteProtocolError, match="closed the connection with") as caught:
        engine.receive_eof()
    assert caught.value.rule == "connection-cut-off"
    assert engine.is_closed


def test_the_end_of_bytes_before_the_settings_is_named() -> None:
    engine = HTTP2Connection(Role.CLIENT)
    engine.send_request(b"GET", b"/", [], authority=b"h", end_stream=True)
    with pytest.raises(RemoteProtocolError, match="1 open streams, before its SETTINGS"):
        engine.receive_eof()


def test_the_end_of_bytes_in_the_middle_of_the_preface() -> None:
    engine = HTTP2Connection(Role.SERVER)
    engine.receive_data(PREFACE + settings()[:5])
    with pytest.raises(RemoteProtocolError):
        engine.receive_eof()


def test_the_end_of_bytes_after_an_error_of_the_peer_tells_its_code() -> None:
    engine = client()
    get(engine)
    hears(engine, goaway(1, 11))
    with pytest.raises(RemoteProtocolError) as caught:
        engine.receive_eof()
    assert caught.value.error_code == 11


def test_a_response_that_came_whole_is_not_cut_off() -> None:
    engine = client()
    stream = get(engine, b"POST", end=False)
    assert hears(engine, headers(stream, OK), data(stream, b"x", end=True))[1:] == [
        DataReceived(stream, b"x", True)
    ]
    assert engine.receive_eof() == [ConnectionClosed(0)]


def test_repr_tells_the_state() -> None:
    engine = client()
    assert repr(engine) == "<HTTP2Connection [client, ACTIVE, 0 streams]>"
    get(engine)
    engine.close()
    assert repr(engine) == "<HTTP2Connection [client, DRAINING, 1 streams]>"
    hears(engine, headers(1, OK, end=True))
    assert repr(engine) == "<HTTP2Connection [client, CLOSED, 0 streams]>"
    assert engine.http_version == "HTTP/2"


def test_an_acknowledged_ping_of_the_same_bytes_as_ours_is_no_reason_to_leave() -> None:
    engine = server()
    hears(engine, frame("PING", 0, ACK, b"h123 bye"))
    assert not engine.is_draining
