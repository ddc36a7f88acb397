"""What frames may look like (RFC 9113 sections 3.4, 4, 5.5 and 6), each rule with the bytes that break it."""

from __future__ import annotations

import pytest
from tests.protocol.http2.playbook import (
    ACK,
    END_HEADERS,
    END_STREAM,
    GET,
    OK,
    PADDED,
    POST,
    PREFACE,
    PRIORITY,
    SETTINGS_ACK,
    block,
    client,
    data,
    frame,
    get,
    goaway,
    headers,
    hears,
    kinds,
    ping,
    rst_stream,
    sent,
    server,
    settings,
    take_apart,
    window_update,
)

from h123.protocol.connection import Role
from h123.protocol.errors import ErrorCode, RemoteProtocolError
from h123.protocol.events import PingAcknowledged, RequestReceived, SettingsChanged
from h123.protocol.http2.connection import HTTP2Connection
from h123.protocol.limits import Limits

P, F, C, S = (
    ErrorCode.PROTOCOL_ERROR,
    ErrorCode.FRAME_SIZE_ERROR,
    ErrorCode.FLOW_CONTROL_ERROR,
    ErrorCode.STREAM_CLOSED,
)


# ------------------------------------------------------------------------------- the preface


def test_3_4_a_client_begins_with_the_preface_and_settings() -> None:
    wire = HTTP2Connection(Role.CLIENT).data_to_send()
    assert wire.startswith(PREFACE)
    first, second = take_apart(wire)
    assert (first.kind, first.flags, first.stream) == ("SETTINGS", 0, 0)
    pairs = [first.payload[at : at + 6].hex() for at in range(0, len(first.payload), 6)]
    assert pairs == ["000600010000", "000900000001", "000200000000", "000400100000"]
    assert (second.kind, second.stream, second.code) == ("WINDOW_UPDATE", 0, 16777216 - 65535)


def test_3_4_a_server_begins_with_settings() -> None:
    limits = Limits(table_size=0, stream_window=65535, frame_size=20000, connection_window=65535)
    (only,) = sent(HTTP2Connection(Role.SERVER, limits=limits))
    pairs = [only.payload[at : at + 6].hex() for at in range(0, len(only.payload), 6)]
    assert pairs == [
        "000600010000", "000900000001", "000300000064", "000800000001", "000100000000", "000500004e20",
    ]  # fmt: skip


def test_6_5_2_frames_of_16_kibibytes_are_taken_whatever_the_limit() -> None:
    engine = server(limits=Limits(frame_size=100))
    assert len(hears(engine, headers(1, POST), data(1, b"x" * 16384))) == 2
    assert len(sent(HTTP2Connection(Role.CLIENT, limits=Limits(frame_size=100)))[0].payload) == 24


@pytest.mark.parametrize("cut", [1, 5, 23])
def test_3_4_the_preface_may_come_in_parts(cut: int) -> None:
    engine = HTTP2Connection(Role.SERVER)
    assert engine.receive_data(PREFACE[:cut]) == []
    assert engine.receive_data(PREFACE[cut:] + settings()) == [SettingsChanged({})]


@pytest.mark.parametrize(
    "wrong", [b"GET / HTTP/1.1\r\n", b"P\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\rX"]
)
def test_3_4_anything_but_the_preface_is_refused_at_once(wrong: bytes) -> None:
    engine = HTTP2Connection(Role.SERVER)
    with pytest.raises(RemoteProtocolError, match="does not speak HTTP/2") as caught:
        engine.receive_data(wrong)
    assert caught.value.rule == "preface"
    assert sent(engine)[-1].code == P


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("first", [ping(), SETTINGS_ACK, frame("DATA", 1), frame(0xB)])
def test_3_4_settings_come_first(role: Role, first: bytes) -> None:
    engine = HTTP2Connection(role)
    with pytest.raises(RemoteProtocolError) as caught:
        engine.receive_data((PREFACE if role is Role.SERVER else b"") + first)
    assert caught.value.rule == "preface"
    assert sent(engine)[-1].code == P


def test_an_http1_answer_to_a_client_is_named() -> None:
    engine = HTTP2Connection(Role.CLIENT)
    with pytest.raises(RemoteProtocolError, match=r"speaks HTTP/1\.x and not HTTP/2") as caught:
        engine.receive_data(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    assert caught.value.rule == "http1-response"


# --------------------------------------------------------------- what ends a server's connection

_priority = b"\0\0\0\0\x10"


@pytest.mark.parametrize(
    ("received", "code", "rule"),
    [
        pytest.param(frame("DATA", 1, 0, b"x" * 16385), F, "frame-size", id="4.2 over the largest"),
        pytest.param(frame(0xB, 1, 0, b"x" * 16385), F, "frame-size", id="4.2 of unknown type"),
        pytest.param(frame("HEADERS", 1, END_HEADERS, b"\x80"), ErrorCode.COMPRESSION_ERROR,
                     "hpack-index", id="4.3 broken HPACK"),
        pytest.param(data(0, b"x"), P, "stream-id", id="6.1 DATA on no stream"),
        pytest.param(headers(1, POST) + frame("DATA", 1, PADDED, b"\x04abc"), P, "padding",
                     id="6.1 DATA of too much padding"),
        pytest.param(headers(1, POST) + frame("DATA", 1, PADDED, b""), F, "frame-size",
                     id="6.1 DATA padded and empty"),
        pytest.param(headers(0, GET), P, "stream-id", id="6.2 HEADERS on no stream"),
        pytest.param(headers(2, GET), P, "stream-id", id="5.1.1 an even stream"),
        pytest.param(headers(5, GET) + headers(3, GET), P, "stream-id", id="5.1.1 a lower stream"),
        pytest.param(frame("HEADERS", 1, END_HEADERS | PADDED, b"\x06" + b"\x82" * 5), P, "padding",
                     id="6.2 HEADERS of too much padding"),
        pytest.param(frame("HEADERS", 1, END_HEADERS | PADDED, b""), F, "frame-size",
                     id="6.2 HEADERS padded and empty"),
        pytest.param(frame("HEADERS", 1, END_HEADERS | PRIORITY, b"1234"), F, "frame-size",
                     id="6.2 HEADERS too short for priority"),
        pytest.param(frame("HEADERS", 1, END_HEADERS | PRIORITY, b"\0\0\0\x01\0" + block(GET)), P,
                     "self-dependency", id="5.3.1 HEADERS that depends on itself"),
        pytest.param(frame("PRIORITY", 0, 0, _priority), P, "stream-id", id="6.3 PRIORITY on no stream"),
        pytest.param(frame("PRIORITY", 1, 0, b"1234"), F, "frame-size", id="6.3 PRIORITY's size"),
        pytest.param(frame("PRIORITY", 1, 0, b"\x80\0\0\x01\0"), P, "self-dependency",
                     id="5.3.1 PRIORITY that depends on itself"),
        pytest.param(rst_stream(0), P, "stream-id", id="6.4 RST_STREAM on no stream"),
        pytest.param(rst_stream(1), P, "idle-stream", id="6.4 RST_STREAM on an idle stream"),
        pytest.param(frame("RST_STREAM", 1, 0, b"123"), F, "frame-size", id="6.4 RST_STREAM's size"),
        pytest.param(frame("SETTINGS", 1), P, "stream-id", id="6.5 SETTINGS on a stream"),
        pytest.param(frame("SETTINGS", 0, ACK, b"123456"), F, "frame-size", id="6.5 ACK with settings"),
        pytest.param(frame("SETTINGS", 0, 0, b"1234567"), F, "settings-size", id="6.5 SETTINGS' size"),
        pytest.param(settings((2, 2)), P, "settings-value", id="6.5.2 ENABLE_PUSH"),
        pytest.param(settings((4, 2**31)), C, "settings-value", id="6.5.2 INITIAL_WINDOW_SIZE"),
        pytest.param(settings((5, 16383)), P, "settings-value", id="6.5.2 MAX_FRAME_SIZE too small"),
        pytest.param(settings((5, 2**24)), P, "settings-value", id="6.5.2 MAX_FRAME_SIZE too large"),
        pytest.param(settings((8, 2)), P, "settings-value", id="8441 ENABLE_CONNECT_PROTOCOL"),
        pytest.param(settings((8, 1), (8, 0)), P, "settings-value", id="8441 taken back"),
        pytest.param(settings((9, 2)), P, "settings-value", id="9218 NO_RFC7540_PRIORITIES"),
        pytest.param(frame("PUSH_PROMISE", 1, END_HEADERS, b"\0\0\0\x02"), P, "push-promise",
                     id="8.4 PUSH_PROMISE from a client"),
        pytest.param(frame("PING", 1, 0, b"12345678"), P, "stream-id", id="6.7 PING on a stream"),
        pytest.param(frame("PING", 0, 0, b"1234567"), F, "frame-size", id="6.7 PING's size"),
        pytest.param(frame("GOAWAY", 1, 0, b"12345678"), P, "stream-id", id="6.8 GOAWAY on a stream"),
        pytest.param(frame("GOAWAY", 0, 0, b"1234567"), F, "frame-size", id="6.8 GOAWAY's size"),
        pytest.param(goaway(1) + goaway(3), P, "goaway-increased", id="6.8 GOAWAY that increases"),
        pytest.param(frame("WINDOW_UPDATE", 0, 0, b"123"), F, "frame-size", id="6.9 its size"),
        pytest.param(window_update(0, 0), P, "window-increment", id="6.9 an increment of zero"),
        pytest.param(window_update(1, 1), P, "idle-stream", id="5.1 WINDOW_UPDATE on an idle stream"),
        pytest.param(window_update(0, 2**31 - 1), C, "window-overflow", id="6.9.1 overflow"),
        pytest.param(data(1, b"x"), P, "idle-stream", id="5.1 DATA on an idle stream"),
        pytest.param(data(2, b"x"), P, "idle-stream", id="5.1 DATA on an even stream"),
        pytest.param(frame("CONTINUATION", 1, END_HEADERS, b"\x82"), P, "continuation",
                     id="6.10 CONTINUATION of nothing"),
        pytest.param(frame("HEADERS", 1) + data(1), P, "continuation", id="6.10 DATA in a block"),
        pytest.param(frame("HEADERS", 1) + frame("CONTINUATION", 3), P, "continuation",
                     id="6.10 CONTINUATION on another stream"),
        pytest.param(frame("HEADERS", 1) + ping(), P, "continuation", id="6.10 PING in a block"),
        pytest.param(frame("HEADERS", 1) + frame(0xB), P, "continuation",
                     id="5.5 an unknown frame in a block"),
    ],
)  # fmt: skip
def test_connection_errors(received: bytes, code: ErrorCode, rule: str) -> None:
    engine = server()
    with pytest.raises(RemoteProtocolError) as caught:
        engine.receive_data(ping() + received)
    assert caught.value.rule == rule
    assert caught.value.error_code == code
    assert engine.is_closed
    assert not engine.wants_data
    *_, last = frames = sent(engine)
    assert frames[0].kind == "PING"
    assert (last.kind, last.code, last.payload[8:]) == ("GOAWAY", code, rule.encode())
    assert engine.receive_data(ping()) == []
    assert engine.receive_eof() == []
    assert engine.data_to_send() == b""


@pytest.mark.parametrize(
    ("received", "rule"),
    [
        pytest.param(
            frame("PUSH_PROMISE", 1, END_HEADERS, b"\0\0\0\x02"), "push-promise", id="8.4"
        ),
        pytest.param(settings((2, 1)), "settings-value", id="6.5.2 a server that enables push"),
        pytest.param(headers(3, OK), "stream-id", id="5.1 HEADERS on an idle stream"),
        pytest.param(headers(2, OK), "stream-id", id="5.1 HEADERS on a pushed stream"),
    ],
)
def test_connection_errors_of_a_client(received: bytes, rule: str) -> None:
    engine = client()
    get(engine)
    with pytest.raises(RemoteProtocolError) as caught:
        engine.receive_data(received)
    assert caught.value.rule == rule
    assert sent(engine)[-1].payload[:4] == b"\0\0\0\0"


def test_what_came_before_the_fault_is_not_lost() -> None:
    engine = server()
    with pytest.raises(RemoteProtocolError) as caught:
        hears(engine, headers(1, GET, end=True), frame("PING"))
    (event,) = caught.value.events
    assert isinstance(event, RequestReceived)
    assert sent(engine)[-1].payload[:4] == b"\0\0\0\x01"


# ---------------------------------------------------------------------------- what is let pass


@pytest.mark.parametrize(
    "received",
    [
        pytest.param(frame(0xB, 7, 0xFF, b"anything"), id="5.5 an unknown frame"),
        pytest.param(frame("PRIORITY", 7, 0, _priority), id="6.3 PRIORITY on an idle stream"),
        pytest.param(SETTINGS_ACK, id="6.5.3 an acknowledgement too many"),
        pytest.param(ping(ack=True), id="6.7 an answer to no PING"),
        pytest.param(frame("PING", 0, ACK, b"h123 bye"), id="6.7 an answer to a PING not sent yet"),
    ],
)
def test_ignored(received: bytes) -> None:
    engine = server()
    assert engine.receive_data(received) == []
    assert engine.data_to_send() == b""


def test_4_1_flags_and_the_bit_without_meaning_are_ignored() -> None:
    engine = server()
    odd = frame("HEADERS", 0x80000001, END_HEADERS | END_STREAM | 0x52, block(GET))
    assert len(hears(engine, odd)) == 1
    hears(engine, frame("PING", 0, 0xFE, b"12345678"))
    assert kinds(engine) == ["PING"]


def test_6_2_padding_and_priority_are_taken_off() -> None:
    engine = server()
    payload = b"\x04" + _priority + block(GET) + b"\0" * 4
    flags = END_HEADERS | END_STREAM | PADDED | PRIORITY
    (event,) = hears(engine, frame("HEADERS", 1, flags, payload))
    assert isinstance(event, RequestReceived)
    (event,) = hears(engine, frame("HEADERS", 3, END_HEADERS | PADDED, b"\0" + block(GET)))
    assert isinstance(event, RequestReceived)


def test_6_5_settings_are_acknowledged_and_told() -> None:
    engine = server()
    assert SettingsChanged({3: 7, 0xFFFF: 1}) in hears(
        engine, settings((3, 5), (3, 7), (0xFFFF, 1))
    )
    assert [(f.kind, f.flags, f.payload) for f in sent(engine)] == [("SETTINGS", ACK, b"")]


def test_6_7_ping_is_answered_and_its_answer_told_once() -> None:
    engine = client()
    hears(engine, ping(b"abcdefgh"))
    assert engine.data_to_send() == ping(b"abcdefgh", ack=True)
    engine.ping(b"12345678")
    assert engine.data_to_send() == ping(b"12345678")
    answer = ping(b"12345678", ack=True)
    assert hears(engine, answer, answer) == [PingAcknowledged(b"12345678")]


def test_6_10_a_block_in_many_frames_is_one() -> None:
    engine = server()
    whole = block(GET)
    events = hears(
        engine,
        frame("HEADERS", 1, END_STREAM, whole[:10]),
        frame("CONTINUATION", 1, 0, whole[10:20]),
        frame("CONTINUATION", 1, END_HEADERS, whole[20:]),
    )
    assert [type(event) for event in events] == [RequestReceived]


def test_6_5_2_every_setting_is_taken() -> None:
    engine = server()
    pairs = [(1, 0), (2, 1), (3, 5), (4, 10), (5, 20000), (6, 100), (8, 1), (9, 0), (0xFF, 7)]
    assert SettingsChanged(dict(pairs)) in hears(engine, settings(*pairs))
