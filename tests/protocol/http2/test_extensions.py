"""Push, priorities, ORIGIN, ALTSVC: RFC 9113 section 8.4, RFC 9218, RFC 8336, RFC 7838 section 4."""

from __future__ import annotations

import pytest
from tests.protocol.http2.playbook import (
    END_HEADERS,
    GET,
    OK,
    PADDED,
    POST,
    block,
    client,
    data,
    frame,
    get,
    goaway,
    headers,
    hears,
    kinds,
    rst_stream,
    sent,
    server,
    settings,
    window_update,
)

from h123.protocol.connection import Role
from h123.protocol.errors import ErrorCode, LocalProtocolError, RemoteProtocolError
from h123.protocol.events import (
    AlternativeServiceReceived,
    DataReceived,
    GoAwayReceived,
    OriginReceived,
    PushReceived,
    RequestReceived,
    ResponseReceived,
    StreamReset,
)
from h123.protocol.http2.connection import HTTP2Connection
from h123.protocol.limits import Limits
from h123.protocol.priority import Priority

PUSHES = Limits(pushed_streams=2)


def promise(stream: int, promised: int, fields: list[tuple[bytes, bytes]] = GET) -> bytes:
    payload = promised.to_bytes(4, "big") + block(fields)
    return frame("PUSH_PROMISE", stream, END_HEADERS, payload)


def error_of(engine: HTTP2Connection, *received: bytes) -> RemoteProtocolError:
    with pytest.raises(RemoteProtocolError) as caught:
        hears(engine, *received)
    return caught.value


def pushing() -> HTTP2Connection:
    """A client that takes two pushes, with request 1 under way."""
    engine = client(limits=PUSHES)
    get(engine)
    return engine


# -------------------------------------------------------------------------- pushes received


def test_8_4_a_client_that_takes_pushes_says_how_many() -> None:
    first = sent(HTTP2Connection(Role.CLIENT, limits=PUSHES))[0]
    assert b"\0\3\0\0\0\2" in first.payload
    assert b"\0\2\0\0\0\0" not in first.payload


def test_8_4_a_push_is_a_request_and_its_response() -> None:
    engine = pushing()
    assert hears(engine, promise(1, 2), headers(2, OK), data(2, b"body", end=True)) == [
        PushReceived(1, 2, b"GET", b"/", b"https", b"a.example", []),
        ResponseReceived(2, 200, [], False, "HTTP/2"),
        DataReceived(2, b"body", True),
    ]
    engine.consume(2, 4)
    assert list(engine._streams) == [1]
    assert engine._pushed_open == 0


def test_8_4_pushes_take_no_room_from_requests() -> None:
    engine = client((3, 2), limits=PUSHES)
    get(engine)
    hears(engine, promise(1, 2))
    assert engine.available_streams == 1


def test_8_4_a_push_may_come_in_parts_and_padded() -> None:
    engine = pushing()
    whole = b"\0\0\0\2" + block(GET)
    start = frame("PUSH_PROMISE", 1, PADDED, b"\3" + whole[:10] + b"\0\0\0")
    (event,) = hears(engine, start, frame("CONTINUATION", 1, END_HEADERS, whole[10:]))
    assert isinstance(event, PushReceived)
    (event,) = hears(
        engine, frame("PUSH_PROMISE", 1, PADDED | END_HEADERS, b"\0\0\0\0\4" + block(GET))
    )
    assert isinstance(event, PushReceived)


def test_8_4_a_push_can_be_refused() -> None:
    engine = pushing()
    hears(engine, promise(1, 2))
    engine.reset_stream(2, ErrorCode.CANCEL)
    assert [(f.kind, f.stream, f.code) for f in sent(engine)] == [("RST_STREAM", 2, 8)]
    assert hears(engine, headers(2, OK), data(2, b"late", end=True)) == []


@pytest.mark.parametrize(
    ("before", "fields", "code", "rule"),
    [
        (b"", POST, ErrorCode.PROTOCOL_ERROR, "push-method"),
        (b"", GET[:2], ErrorCode.PROTOCOL_ERROR, "path"),
        (b"", [*GET, (b"x", b"y" * 70000)], ErrorCode.ENHANCE_YOUR_CALM, "header-block-too-large"),
        (promise(1, 2) + promise(1, 4), GET, ErrorCode.REFUSED_STREAM, "push-refused"),
    ],
)
def test_8_4_a_push_that_can_not_be_is_reset(
    before: bytes, fields: list[tuple[bytes, bytes]], code: int, rule: str
) -> None:
    engine = pushing()
    hears(engine, before)
    engine._largest_frame = 1 << 20
    event = hears(engine, promise(1, 6, fields))[-1]
    assert isinstance(event, StreamReset)
    assert (event.stream_id, event.error_code, event.rule) == (6, code, rule)
    assert kinds(engine) == ["RST_STREAM"]


def test_8_4_a_push_for_a_request_that_we_reset_is_refused() -> None:
    engine = pushing()
    engine.reset_stream(1)
    engine.data_to_send()
    (event,) = hears(engine, promise(1, 2))
    assert isinstance(event, StreamReset)
    assert event.error_code == ErrorCode.REFUSED_STREAM


def test_6_8_a_client_that_leaves_takes_no_pushes_and_says_which_it_took() -> None:
    engine = pushing()
    hears(engine, promise(1, 2))
    engine.close()
    assert int.from_bytes(sent(engine)[-1].payload[:4], "big") == 2
    assert isinstance(hears(engine, promise(1, 4))[0], StreamReset)


@pytest.mark.parametrize(
    ("received", "rule"),
    [
        pytest.param(promise(0, 2), "stream-id", id="on no stream"),
        pytest.param(promise(3, 2), "idle-stream", id="on an idle stream"),
        pytest.param(promise(1, 3), "stream-id", id="of an odd stream"),
        pytest.param(promise(1, 4) + promise(1, 2), "stream-id", id="of a lower stream"),
        pytest.param(frame("PUSH_PROMISE", 1, END_HEADERS, b"\0\0\0"), "frame-size", id="short"),
        pytest.param(frame("PUSH_PROMISE", 1, END_HEADERS | PADDED), "frame-size", id="empty"),
        pytest.param(
            frame("PUSH_PROMISE", 1, END_HEADERS | PADDED, b"\2\0\0\0\2\0"), "padding", id="padding"
        ),
        pytest.param(
            headers(1, OK, end=True) + promise(1, 2), "stream-closed", id="on an ended stream"
        ),
        pytest.param(headers(2, OK), "stream-id", id="a response without a promise"),
        pytest.param(data(2, b"x"), "idle-stream", id="content without a promise"),
        pytest.param(window_update(4, 1), "idle-stream", id="credit without a promise"),
    ],
)
def test_8_4_faults_of_pushes(received: bytes, rule: str) -> None:
    assert error_of(pushing(), received).rule == rule


def test_8_4_a_push_on_an_open_stream_that_has_ended_is_a_fault() -> None:
    engine = client(limits=PUSHES)
    stream = get(engine, b"POST", end=False)
    assert (
        error_of(engine, headers(stream, OK, end=True), promise(stream, 2)).rule == "stream-closed"
    )


# ------------------------------------------------------------------------------ pushes sent


def test_8_4_a_server_pushes_and_answers() -> None:
    taker = client(limits=PUSHES)
    stream = taker.send_request(b"GET", b"/", [], authority=b"h", end_stream=True)
    giver = server((3, 2))
    giver.receive_data(taker.data_to_send())
    assert giver.available_pushes == 2
    pushed = giver.push(stream, b"GET", b"/style.css", [(b"a", b"b")], authority=b"h")
    giver.send_response(pushed, 200, [])
    giver.send_data(pushed, b"css", end_stream=True)
    assert taker.receive_data(giver.data_to_send()) == [
        PushReceived(stream, pushed, b"GET", b"/style.css", b"https", b"h", [(b"a", b"b")]),
        ResponseReceived(pushed, 200, [], False, "HTTP/2"),
        DataReceived(pushed, b"css", True),
    ]
    assert giver._pushed_open == 0


def test_8_4_a_long_promise_goes_on_in_continuation_frames() -> None:
    giver = server()
    hears(giver, headers(1, GET, end=True))
    giver.push(1, b"GET", b"/", [(b"x", b"y" * 20000)], authority=b"h")
    assert kinds(giver) == ["PUSH_PROMISE", "CONTINUATION"]


def test_8_4_what_can_not_be_pushed() -> None:
    giver = server((3, 1))
    hears(giver, headers(1, GET, end=True))
    for stream, method, match in (
        (3, b"GET", "no open request"),
        (1, b"POST", "only GET and HEAD"),
    ):
        with pytest.raises(LocalProtocolError, match=match):
            giver.push(stream, method, b"/", [], authority=b"h")
    pushed = giver.push(1, b"HEAD", b"/", [], authority=b"h")
    for stream, match in ((1, "takes no pushes"), (pushed, "no open request")):
        with pytest.raises(LocalProtocolError, match=match):
            giver.push(stream, b"GET", b"/", [], authority=b"h")
    giver.data_to_send()
    hears(giver, rst_stream(pushed))
    assert giver.available_pushes == 1
    assert client().available_pushes == 0


def test_8_4_a_client_that_disables_push_gets_none() -> None:
    giver = server((2, 0))
    assert giver.available_pushes == 0


def test_5_1_2_pushes_take_no_room_from_the_clients_streams() -> None:
    giver = server(limits=Limits(concurrent_streams=2))
    hears(giver, headers(1, GET, end=True))
    giver.push(1, b"GET", b"/", [], authority=b"h")
    assert isinstance(hears(giver, headers(3, GET, end=True))[0], RequestReceived)


def test_6_8_a_clients_goaway_ends_the_pushes_it_did_not_take() -> None:
    giver = server()
    hears(giver, headers(1, GET, end=True))
    giver.push(1, b"GET", b"/", [], authority=b"h")
    events = hears(giver, goaway(0))
    assert events[0] == GoAwayReceived(0, 0)
    assert isinstance(events[1], StreamReset)
    assert list(giver._streams) == [1]


# -------------------------------------------------------------------------------- priorities


def update(stream: int, value: bytes) -> bytes:
    return frame("PRIORITY_UPDATE", 0, 0, stream.to_bytes(4, "big") + value)


def test_9218_4_the_header_field_says_how_urgent_a_response_is() -> None:
    engine = server()
    hears(engine, headers(1, [*GET, (b"priority", b"u=1, i")]), headers(3, GET))
    assert engine.priority(1) == Priority(1, True)
    assert engine.priority(3) == Priority(3, False)
    assert engine.priority(99) == Priority(3, False)


def test_9218_7_1_a_frame_overrides_the_header_field() -> None:
    engine = server()
    hears(engine, headers(1, [*GET, (b"priority", b"u=1")]), update(1, b"u=6"))
    assert engine.priority(1) == Priority(6, False)


def test_9218_7_1_a_frame_may_come_before_its_request() -> None:
    engine = server()
    hears(engine, update(3, b"u=0"), update(5, b"u=2"), headers(3, [*GET, (b"priority", b"u=7")]))
    assert engine.priority(3) == Priority(0, False)


def test_9218_7_1_what_is_kept_of_streams_to_come_is_bounded() -> None:
    engine = server(limits=Limits(concurrent_streams=2, idle_frames=10000))
    hears(engine, *[update(stream, b"u=1") for stream in range(1, 200, 2)])
    assert len(engine._early_priorities) == 2
    hears(engine, headers(11, GET), update(13, b"u=5"), headers(13, GET))
    assert engine.priority(13) == Priority(5, False)
    hears(engine, update(15, b"u=1" + b" " * 300), update(1, b"u=1"))
    assert engine._early_priorities == {}


def test_9218_7_1_a_client_reprioritizes() -> None:
    asking, answering = client(), server()
    stream = asking.send_request(b"GET", b"/", [], authority=b"h", end_stream=True)
    asking.update_priority(stream, Priority(0, True))
    asking.update_priority(99, Priority(0, True))  # there is no such stream
    hears(answering, asking.data_to_send())
    assert answering.priority(stream) == Priority(0, True)
    with pytest.raises(LocalProtocolError):
        answering.update_priority(stream, Priority())


@pytest.mark.parametrize(
    ("received", "code"),
    [
        (update(0, b"u=1"), ErrorCode.PROTOCOL_ERROR),
        (update(2, b"u=1"), ErrorCode.PROTOCOL_ERROR),
        (frame("PRIORITY_UPDATE", 1, 0, b"\0\0\0\1u=1"), ErrorCode.PROTOCOL_ERROR),
        (frame("PRIORITY_UPDATE", 0, 0, b"\0\0\1"), ErrorCode.FRAME_SIZE_ERROR),
    ],
)
def test_9218_7_1_faults(received: bytes, code: int) -> None:
    assert error_of(server(), received).error_code == code


def test_9218_7_1_a_server_sends_none() -> None:
    assert error_of(client(), update(1, b"")).rule == "priority-update"


def test_9218_2_1_the_scheme_can_not_be_changed_after_the_first_settings() -> None:
    assert error_of(server((9, 1)), settings((9, 0))).rule == "settings-value"
    assert error_of(server(), settings((9, 1))).rule == "settings-value"
    hears(server((9, 1)), settings((9, 1)))


# ---------------------------------------------------------------------------- ORIGIN, ALTSVC


def test_8336_2_origins_are_told() -> None:
    giver, taker = server(), client()
    giver.send_origins([b"https://a.example", b"https://b.example"])
    assert hears(taker, giver.data_to_send()) == [
        OriginReceived([b"https://a.example", b"https://b.example"])
    ]
    with pytest.raises(LocalProtocolError, match="servers"):
        taker.send_origins([])
    with pytest.raises(LocalProtocolError, match="longer"):
        giver.send_origins([b"https://a.example"] * 1000)


@pytest.mark.parametrize(
    "ignored",
    [
        frame("ORIGIN", 1, 0, b"\0\1a"),
        frame("ORIGIN", 0, 1, b"\0\1a"),
        frame("ORIGIN", 0, 0, b"\0\2a"),
        frame("ORIGIN", 0, 0, b"\0\1ab"),
        frame("ALTSVC", 0, 0, b"\0\0h3"),
        frame("ALTSVC", 1, 0, b"\0\1ah3"),
        frame("ALTSVC", 0, 0, b"\0\7ah3"),
        frame("ALTSVC", 0, 0, b"\0"),
    ],
)
def test_what_does_not_belong_or_is_broken_is_ignored(ignored: bytes) -> None:
    assert hears(client(), ignored) == []


def test_servers_ignore_what_servers_say() -> None:
    assert hears(server(), frame("ORIGIN", 0, 0, b"\0\1a"), frame("ALTSVC", 0, 0, b"\0\1ah3")) == []


def test_7838_4_alternative_services_are_told() -> None:
    giver, taker = server(), client()
    giver.send_alternative_service(b'h3=":443"', origin=b"https://a.example")
    giver.send_alternative_service(b'h3=":444"', stream_id=1)
    assert hears(taker, giver.data_to_send()) == [
        AlternativeServiceReceived(0, b"https://a.example", b'h3=":443"'),
        AlternativeServiceReceived(1, b"", b'h3=":444"'),
    ]
    for engine, origin, value in (
        (giver, b"", b""),
        (taker, b"a", b""),
        (giver, b"a", b"x" * 20000),
    ):
        with pytest.raises(LocalProtocolError):
            engine.send_alternative_service(value, origin=origin)
