"""Stream states (RFC 9113 section 5.1), resets (6.4), and what a stream's fault does and does not touch."""

from __future__ import annotations

import pytest
from tests.protocol.http2.playbook import (
    END_HEADERS,
    END_STREAM,
    GET,
    OK,
    POST,
    SETTINGS_ACK,
    client,
    data,
    frame,
    get,
    headers,
    hears,
    kinds,
    rst_stream,
    sent,
    server,
    settings,
    window_update,
)

from h123.protocol.errors import ErrorCode, LocalProtocolError, RemoteProtocolError
from h123.protocol.events import (
    DataReceived,
    RequestReceived,
    ResponseReceived,
    StopSending,
    StreamReset,
)
from h123.protocol.limits import Limits

CLOSED = ErrorCode.STREAM_CLOSED


# ---------------------------------------------------------------------------- half-closed


@pytest.mark.parametrize("late", [data(1, b"x", end=True), headers(1, GET, end=True)])
def test_5_1_frames_after_end_stream_reset_the_stream(late: bytes) -> None:
    engine = server()
    request, reset = hears(engine, headers(1, GET, end=True), late)
    assert isinstance(request, RequestReceived)
    assert isinstance(reset, StreamReset)
    assert (reset.error_code, reset.remote, reset.rule) == (CLOSED, False, "stream-closed")
    (frame,) = sent(engine)
    assert (frame.kind, frame.stream, frame.code) == ("RST_STREAM", 1, CLOSED)


def test_5_1_control_frames_after_end_stream_are_right() -> None:
    engine = server()
    hears(
        engine, headers(1, GET, end=True), window_update(1, 5), frame("PRIORITY", 1, 0, b"\0" * 5)
    )
    assert hears(engine, rst_stream(1, 8)) == [StreamReset(1, 8)]


# ---------------------------------------------------------------------------------- closed


@pytest.mark.parametrize("late", [data(1, b"x"), headers(1, GET)])
def test_5_1_frames_on_a_stream_that_ended_end_the_connection(late: bytes) -> None:
    engine = server()
    hears(engine, headers(1, GET, end=True))
    engine.send_response(1, 200, [], end_stream=True)
    with pytest.raises(RemoteProtocolError) as caught:
        engine.receive_data(late)
    assert (caught.value.error_code, caught.value.stream_id) == (CLOSED, 1)


@pytest.mark.parametrize("late", [data(1, b"x" * 50), headers(1, GET)])
def test_5_1_frames_after_the_peers_reset_are_a_stream_error_once(late: bytes) -> None:
    engine = server()
    hears(engine, headers(1, POST), rst_stream(1))
    assert hears(engine, late, late, late) == []
    assert [(frame.kind, frame.code) for frame in sent(engine)] == [("RST_STREAM", CLOSED)]


@pytest.mark.parametrize(
    "late", [data(1, b"x" * 50), headers(1, GET), window_update(1, 9), rst_stream(1), data(1)]
)
def test_5_1_frames_sent_in_ignorance_of_our_reset_are_ignored(late: bytes) -> None:
    engine = server()
    hears(engine, headers(1, POST))
    engine.reset_stream(1)
    assert kinds(engine) == ["RST_STREAM"]
    assert hears(engine, late) == []
    assert engine.data_to_send() == b""


def test_5_1_header_blocks_of_reset_streams_still_reach_the_decoder() -> None:
    engine = server()
    hears(engine, headers(1, POST))
    engine.reset_stream(1)
    hears(engine, frame("HEADERS", 1, END_HEADERS | END_STREAM, b"\x40\x01a\x01b"))
    (event,) = hears(
        engine, frame("HEADERS", 3, END_HEADERS | END_STREAM, b"\x82\x84\x87\x41\x01a\xbf")
    )
    assert isinstance(event, RequestReceived)
    assert event.headers == [(b"a", b"b")]


def test_5_1_empty_data_on_a_reset_stream_is_counted() -> None:
    engine = server(limits=Limits(empty_frames=3))
    hears(engine, headers(1, POST))
    engine.reset_stream(1)
    with pytest.raises(RemoteProtocolError) as caught:
        hears(engine, *[data(1)] * 4)
    assert caught.value.rule == "empty-frames"


def test_5_1_a_reset_stream_has_no_more_window_than_it_had() -> None:
    engine = server(limits=Limits(stream_window=70000))
    hears(engine, headers(1, POST), data(1, b"x" * 16000))
    engine.reset_stream(1)
    hears(engine, *[data(1, b"x" * 16000)] * 3)
    with pytest.raises(RemoteProtocolError) as caught:
        hears(engine, data(1, b"x" * 6001))
    assert caught.value.rule == "stream-window"


def test_5_1_how_streams_ended_is_remembered_in_bounded_memory() -> None:
    engine = server()
    for stream in range(1, 2001, 2):
        hears(engine, headers(stream, GET, end=True))
        engine.send_response(stream, 200, [], end_stream=True)
    memory = engine._closed_streams
    assert len(memory._newer) + len(memory._older) <= 512
    with pytest.raises(RemoteProtocolError) as caught:
        hears(engine, headers(1, GET))
    assert caught.value.rule == "stream-id"


def test_5_1_data_on_a_stream_long_forgotten_is_a_stream_error() -> None:
    engine = client()
    for _ in range(600):
        stream = get(engine)
        hears(engine, headers(stream, OK, end=True))
    reset_event, *_ = hears(engine, data(1, b"x"))
    assert isinstance(reset_event, StreamReset)
    assert sent(engine)[-1].code == CLOSED
    hears(engine, headers(3, OK))
    assert sent(engine)[-1].code == CLOSED


# -------------------------------------------------------------------------------- resets


def test_6_4_the_peers_reset_is_told_and_frees_the_stream() -> None:
    engine = server()
    hears(engine, headers(1, POST))
    assert hears(engine, rst_stream(1, 5)) == [StreamReset(1, 5)]
    assert engine.is_idle
    with pytest.raises(LocalProtocolError, match="stream 1 is not open"):
        engine.send_response(1, 200, [])


def test_8_7_refused_is_unprocessed() -> None:
    engine = client()
    stream = get(engine)
    assert hears(engine, rst_stream(stream, 7)) == [StreamReset(stream, 7, unprocessed=True)]


def test_8_1_no_error_after_a_complete_response_asks_to_stop() -> None:
    engine = client()
    stream = get(engine, b"POST", end=False)
    events = hears(engine, headers(stream, [(b":status", b"413")], end=True), rst_stream(stream, 0))
    assert isinstance(events[0], ResponseReceived)
    assert events[1:] == [StopSending(stream, 0)]
    assert engine.is_idle
    with pytest.raises(LocalProtocolError):
        engine.send_data(stream, b"x")


@pytest.mark.parametrize(("received", "code"), [(headers(1, OK), 0), (headers(1, OK, end=True), 2)])
def test_8_1_any_other_reset_is_one(received: bytes, code: int) -> None:
    engine = client()
    get(engine, b"POST", end=False)
    assert hears(engine, received, rst_stream(1, code))[1:] == [StreamReset(1, code)]


def test_a_reset_of_ours_frees_the_stream_and_gives_back_what_was_unread() -> None:
    engine = server(limits=Limits(connection_window=65535))
    hears(engine, headers(1, POST), *[data(1, b"x" * 10000)] * 4)
    engine.reset_stream(1, ErrorCode.INTERNAL_ERROR)
    reset, update = sent(engine)
    assert (reset.kind, reset.code) == ("RST_STREAM", ErrorCode.INTERNAL_ERROR)
    assert (update.kind, update.stream, update.code) == ("WINDOW_UPDATE", 0, 40000)
    assert engine.is_idle
    engine.reset_stream(1)
    engine.consume(1, 40000)
    assert engine.data_to_send() == b""


@pytest.mark.parametrize("code", [-1, 2**32])
def test_an_error_code_has_32_bits(code: int) -> None:
    engine = client()
    stream = get(engine)
    with pytest.raises(LocalProtocolError):
        engine.reset_stream(stream, code)
    assert not engine.is_idle


def test_one_streams_fault_leaves_its_siblings_alone() -> None:
    engine = server()
    events = hears(
        engine,
        headers(1, POST),
        headers(3, POST),
        window_update(1, 0),
        data(3, b"on"),
        window_update(3, 2**31 - 1),
        headers(5, GET, end=True),
    )
    assert [type(event) for event in events] == [
        RequestReceived, RequestReceived, StreamReset, DataReceived, StreamReset, RequestReceived,
    ]  # fmt: skip
    assert [(frame.stream, frame.code) for frame in sent(engine)] == [
        (1, ErrorCode.PROTOCOL_ERROR),
        (3, ErrorCode.FLOW_CONTROL_ERROR),
    ]


# --------------------------------------------------------------------------- concurrency


def test_5_1_2_streams_over_the_limit_are_refused() -> None:
    engine = server(limits=Limits(concurrent_streams=2))
    events = hears(engine, *[headers(stream, POST) for stream in (1, 3, 5)])
    assert isinstance(events[2], StreamReset)
    assert (events[2].error_code, events[2].rule) == (7, "concurrent-streams")
    assert [(frame.stream, frame.code) for frame in sent(engine)] == [(5, 7)]
    assert hears(engine, data(5, b"late")) == []
    hears(engine, rst_stream(1))
    assert [type(event) for event in hears(engine, headers(7, GET))] == [RequestReceived]


def test_5_1_2_a_client_keeps_to_the_servers_limit() -> None:
    engine = client((3, 2))
    assert engine.available_streams == 2
    get(engine)
    get(engine)
    assert engine.available_streams == 0
    with pytest.raises(LocalProtocolError, match="no stream is available"):
        get(engine)
    hears(engine, headers(1, OK, end=True))
    assert engine.available_streams == 1
    hears(engine, settings((3, 0)))
    assert engine.available_streams == 0


def test_5_1_2_before_the_servers_settings_a_hundred_are_assumed() -> None:
    from h123.protocol.connection import Role
    from h123.protocol.http2.connection import HTTP2Connection

    engine = HTTP2Connection(Role.CLIENT)
    assert engine.available_streams == 100
    hears(engine, settings(), SETTINGS_ACK)
    assert engine.available_streams > 10**6


def test_5_1_1_ids_run_out() -> None:
    engine = client()
    engine._highest_id = 2**31 - 3
    assert engine.available_streams == 1
    assert get(engine) == 2**31 - 1
    assert engine.available_streams == 0
    assert engine.is_draining
    assert not engine.is_closed


def test_a_server_opens_no_streams() -> None:
    engine = server()
    assert engine.available_streams == 0
    with pytest.raises(LocalProtocolError, match="a server sends no requests"):
        engine.send_request(b"GET", b"/", [])


# ----------------------------------------------------------------------------- stop_receiving


def test_8_1_a_server_that_wants_no_more_resets_after_its_answer() -> None:
    engine = server(limits=Limits(connection_window=65535))
    hears(engine, headers(1, POST), data(1, b"x" * 5000))
    engine.stop_receiving(1)
    assert hears(engine, *[data(1, b"x" * 10000)] * 4) == []
    assert [(f.kind, f.stream, f.code) for f in sent(engine)] == [("WINDOW_UPDATE", 0, 40000)]
    engine.send_response(1, 413, [], end_stream=True)
    assert [(f.kind, f.code) for f in sent(engine)[1:]] == [("RST_STREAM", 0)]
    assert engine.is_idle
    assert hears(engine, data(1, b"late")) == []


@pytest.mark.parametrize("end", [data(1, b"x", end=True), headers(1, [(b"a", b"b")], end=True)])
def test_8_1_a_request_that_ends_while_it_is_dropped_is_not_reset(end: bytes) -> None:
    engine = server()
    hears(engine, headers(1, POST))
    engine.stop_receiving(1)
    assert hears(engine, end) == []
    engine.send_response(1, 413, [], end_stream=True)
    assert kinds(engine) == ["HEADERS"]
    assert engine.is_idle


def test_what_is_dropped_is_not_held_against_content_length() -> None:
    engine = server()
    hears(engine, headers(1, [*POST, (b"content-length", b"3")]))
    engine.stop_receiving(1)
    assert hears(engine, data(1, b"xxxxx", end=True)) == []


def test_a_client_that_wants_no_more_cancels() -> None:
    engine = client()
    stream = get(engine)
    engine.stop_receiving(stream)
    assert [(f.kind, f.code) for f in sent(engine)] == [("RST_STREAM", ErrorCode.CANCEL)]


def test_a_client_that_wants_no_more_goes_on_sending_first() -> None:
    engine = client()
    stream = get(engine, b"POST", end=False)
    engine.stop_receiving(stream)
    informational = headers(stream, [(b":status", b"103")])
    assert hears(engine, informational, headers(stream, OK), data(stream, b"x")) == []
    engine.send_data(stream, b"last", end_stream=True)
    assert kinds(engine) == ["DATA", "RST_STREAM"]


def test_stop_receiving_is_without_effect_when_all_has_come() -> None:
    engine = server()
    hears(engine, headers(1, GET, end=True))
    engine.stop_receiving(1)
    engine.stop_receiving(3)
    assert engine.data_to_send() == b""
    engine.send_response(1, 200, [], end_stream=True)
    assert kinds(engine) == ["HEADERS"]


# -------------------------------------------------------------------------- a frame in parts


@pytest.mark.parametrize("padded", [False, True])
def test_a_reset_in_the_middle_of_a_data_frame_credits_what_still_comes(padded: bool) -> None:
    engine = server(limits=Limits(connection_window=65535))
    hears(engine, headers(1, POST))
    content = b"x" * 16000
    whole = (
        frame("DATA", 1, 0x8 | END_STREAM, b"\x05" + content + b"\0" * 5)
        if padded
        else data(1, content, end=True)
    )
    (event,) = hears(engine, data(1, b"x" * 16000), data(1, b"x" * 16000)[:-10])[1:]
    assert isinstance(event, DataReceived)
    hears(engine, b"x" * 10, whole[:1000])
    engine.reset_stream(1)
    assert hears(engine, whole[1000:], headers(3, GET, end=True))[0].stream_id == 3  # type: ignore[attr-defined]  # a RequestReceived
    updates = [frame.code for frame in sent(engine) if frame.kind == "WINDOW_UPDATE"]
    assert sum(updates) + engine._credit == 48000 + (6 if padded else 0)
