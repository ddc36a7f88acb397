"""Requests and responses on their streams: RFC 9114 section 4, and what of it ends what."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.protocol.http3.fake_quic import GET, OK, POST, Bench, content, unknown

from h123.protocol.connection import Role
from h123.protocol.errors import ErrorCode, LocalProtocolError, RemoteProtocolError
from h123.protocol.events import (
    CapacityChanged,
    DataReceived,
    Event,
    Headers,
    InformationalReceived,
    RequestReceived,
    ResponseReceived,
    StopSending,
    StreamReset,
    TrailersReceived,
)
from h123.protocol.http3.errors import H3ErrorCode
from h123.protocol.http3.frames import encode_frame, encode_integer
from h123.protocol.limits import Limits
from h123.protocol.quic.connection import StreamCapacityChanged


def request(stream_id: int = 0, end: bool = True, method: bytes = b"GET") -> RequestReceived:
    return RequestReceived(stream_id, method, b"/", b"https", b"example.org", [], end, "HTTP/3")


# ------------------------------------------------------------------------------------ requests


def test_a_request_without_content_ends_with_its_head(server: Bench) -> None:
    assert server.data(0, server.section(GET), end=True) == [request()]
    assert not server.engine.is_idle


def test_the_end_may_come_later(server: Bench) -> None:
    assert server.data(0, server.section(GET)) == [request(end=False)]
    assert server.data(0, b"", end=True) == [DataReceived(0, b"", True)]


def test_content_is_handed_on_in_the_parts_that_it_arrives_in(server: Bench) -> None:
    frame = content(b"0123456789")
    server.data(0, server.section(POST))
    assert server.data(0, frame[:5]) == [DataReceived(0, b"012", False)]
    assert server.data(0, frame[5:9]) == [DataReceived(0, b"3456", False)]
    assert server.data(0, frame[9:], end=True) == [DataReceived(0, b"789", True)]


def test_whole_equals_byte_by_byte(server: Bench) -> None:
    message = (
        unknown(b"x" * 70)
        + server.section(POST)
        + content(b"ab")
        + unknown()
        + content(b"c" * 100)
        + server.section([(b"checksum", b"1")])
        + unknown(b"y")
    )
    events: list[Event] = []
    for index in range(len(message)):
        events += server.data(0, message[index : index + 1], end=index == len(message) - 1)
    assert events[0] == request(end=False, method=b"POST")
    parts = [event.data for event in events if isinstance(event, DataReceived)]
    assert b"".join(parts) == b"ab" + b"c" * 100
    assert events[-1] == TrailersReceived(0, [(b"checksum", b"1")])
    assert server.quic.consumed[0] == len(message) - 102

    other = Bench(Role.SERVER, settings={})
    assert other.data(0, message, end=True) == [
        request(end=False, method=b"POST"),
        DataReceived(0, b"ab", False),
        DataReceived(0, b"c" * 100, False),
        TrailersReceived(0, [(b"checksum", b"1")]),
    ]


def test_cookie_crumbs_are_joined_9114_4_2_1(server: Bench) -> None:
    fields = [*GET, (b"cookie", b"a=1"), (b"x", b"y"), (b"cookie", b"b=2")]
    (event,) = server.data(0, server.section(fields), end=True)
    assert isinstance(event, RequestReceived)
    assert event.headers == [(b"cookie", b"a=1; b=2"), (b"x", b"y")]


def test_connect_carries_bytes_both_ways_9114_4_4(server: Bench) -> None:
    fields = [(b":method", b"CONNECT"), (b":authority", b"example.org:443")]
    assert server.data(0, server.section(fields)) == [
        RequestReceived(
            0, b"CONNECT", b"example.org:443", b"", b"example.org:443", [], False, "HTTP/3"
        )
    ]
    server.engine.send_response(0, 200, [])
    assert server.data(0, content(b"up")) == [DataReceived(0, b"up", False)]
    server.engine.send_data(0, b"down")
    with pytest.raises(RemoteProtocolError, match="HEADERS after") as caught:
        server.data(0, server.section([(b"a", b"b")]))
    assert caught.value.error_code == H3ErrorCode.FRAME_UNEXPECTED


def test_extended_connect_9220(server: Bench) -> None:
    fields = [(b":method", b"CONNECT"), (b":protocol", b"websocket"), *GET[1:]]
    (event,) = server.data(0, server.section(fields))
    assert isinstance(event, RequestReceived)
    assert (event.protocol, event.target) == (b"websocket", b"/")


MALFORMED: list[tuple[str, Headers]] = [
    ("no :method", GET[1:]),
    ("no :path", GET[:3]),
    ("no :scheme", [GET[0], *GET[2:]]),
    ("no authority", [*GET[:2], GET[3]]),
    ("empty :path", [*GET[:3], (b":path", b"")]),
    ("relative :path", [*GET[:3], (b":path", b"index.html")]),
    (":path with a space", [*GET[:3], (b":path", b"/a b")]),
    (":method twice", [GET[0], *GET]),
    ("unknown pseudo-header field", [(b":status", b"200"), *GET]),
    ("pseudo-header field after others", [*GET[:3], (b"a", b"b"), GET[3]]),
    ("upper case", [*GET, (b"Accept", b"*/*")]),
    ("space in a name", [*GET, (b"a b", b"c")]),
    ("control in a value", [*GET, (b"a", b"b\rc")]),
    ("white space around a value", [*GET, (b"a", b" b")]),
    ("connection", [*GET, (b"connection", b"close")]),
    ("transfer-encoding", [*GET, (b"transfer-encoding", b"chunked")]),
    ("te", [*GET, (b"te", b"gzip")]),
    ("two hosts", [*GET, (b"host", b"other.example")]),
    ("user information", [*GET[:2], (b":authority", b"me@example.org"), GET[3]]),
    ("differing lengths", [*GET, (b"content-length", b"1"), (b"content-length", b"2")]),
    ("signed length", [*GET, (b"content-length", b"+1")]),
    ("CONNECT with a path", [(b":method", b"CONNECT"), *GET[1:]]),
    (":protocol without CONNECT", [(b":protocol", b"websocket"), *GET]),
]  # fmt: skip


@pytest.mark.parametrize(("what", "fields"), MALFORMED, ids=[what for what, _ in MALFORMED])
def test_a_malformed_request_ends_its_stream_alone_9114_4_1_2(
    server: Bench, what: str, fields: Headers
) -> None:
    (event,) = server.data(0, server.section(fields), end=True)
    assert isinstance(event, StreamReset)
    assert event.error_code == H3ErrorCode.MESSAGE_ERROR
    assert not event.remote
    assert event.rule
    assert server.quic.resets == {0: H3ErrorCode.MESSAGE_ERROR}
    assert server.data(4, server.section(GET), end=True) == [request(4)]


@pytest.mark.parametrize(
    "parts",
    [[b"abc"], [b"abcd", b"ef"], [b"abcdef"], []],
    ids=["less", "more", "more at once", "none"],
)
def test_content_must_have_the_declared_length_9114_4_1_2(
    server: Bench, parts: list[bytes]
) -> None:
    server.data(0, server.section([*POST, (b"content-length", b"5")]))
    events: list[Event] = []
    for part in parts:
        events += server.data(0, content(part))
    if not any(isinstance(event, StreamReset) for event in events):
        events += server.data(0, b"", end=True)
    reset = events[-1]
    assert isinstance(reset, StreamReset)
    assert (reset.error_code, reset.rule) == (H3ErrorCode.MESSAGE_ERROR, "content-length")
    # What was told before is credited, for nobody will consume it any more.
    total = sum(len(content(part)) for part in parts)
    assert server.quic.consumed[0] == total + len(
        server.section([*POST, (b"content-length", b"5")])
    )


def test_content_of_the_declared_length_is_good(server: Bench) -> None:
    server.data(0, server.section([*POST, (b"content-length", b"5")]))
    assert server.data(0, content(b"01234"), end=True) == [DataReceived(0, b"01234", True)]


def test_a_stream_without_a_request_is_incomplete_9114_4_1(server: Bench) -> None:
    (event,) = server.data(0, unknown(), end=True)
    assert isinstance(event, StreamReset)
    assert event.error_code == H3ErrorCode.REQUEST_INCOMPLETE


TRAILERS: Headers = [(b"a", b"b")]


@pytest.mark.parametrize(
    ("before", "frame"),
    [
        ([], content(b"x")),
        ([POST, TRAILERS], content(b"x")),
        ([POST, TRAILERS], encode_frame(1, b"\0\0")),
        *[([], encode_frame(number, b"\0")) for number in (2, 3, 4, 5, 6, 7, 8, 9, 13)],
    ],
)
def test_a_frame_out_of_its_place_ends_the_connection_9114_7(
    server: Bench, before: list[Headers], frame: bytes
) -> None:
    for fields in before:
        server.data(0, server.section(fields))
    with pytest.raises(RemoteProtocolError) as caught:
        server.data(0, frame)
    assert caught.value.error_code == H3ErrorCode.FRAME_UNEXPECTED
    assert server.quic.closed is not None
    assert server.engine.is_closed
    assert server.data(4, server.section(GET)) == []


def test_push_promise_to_a_client_that_allowed_none_9114_7_2_5(client: Bench) -> None:
    client.engine.send_request(b"GET", b"/", [], authority=b"a", end_stream=True)
    with pytest.raises(RemoteProtocolError) as caught:
        client.data(0, encode_frame(5, b"\0"))
    assert caught.value.error_code == H3ErrorCode.ID_ERROR


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_a_frame_cut_off_by_the_end_is_an_error_9114_7_1(server: Bench, cut: int) -> None:
    server.data(0, server.section(POST))
    with pytest.raises(RemoteProtocolError) as caught:
        server.data(0, content(b"abc")[:cut], end=True)
    assert caught.value.error_code == H3ErrorCode.FRAME_ERROR
    assert caught.value.events == ([DataReceived(0, b"a", False)] if cut == 3 else [])


def test_headers_cut_off_by_the_end_are_an_error_9114_7_1(server: Bench) -> None:
    frame = server.section(GET)
    server.data(0, frame[:5])
    with pytest.raises(RemoteProtocolError) as caught:
        server.data(0, frame[5:-1], end=True)
    assert caught.value.error_code == H3ErrorCode.FRAME_ERROR


# ----------------------------------------------------------------------------------- responses


def asked(client: Bench, method: bytes = b"GET") -> int:
    return client.engine.send_request(method, b"/", [], authority=b"example.org", end_stream=True)


def test_informational_responses_come_before_the_response(client: Bench) -> None:
    asked(client)
    hints = [(b":status", b"103"), (b"link", b"</a>")]
    assert client.data(0, client.section(hints) + client.section(OK) + content(b"x"), end=True) == [
        InformationalReceived(0, 103, [(b"link", b"</a>")]),
        ResponseReceived(0, 200, [], False, "HTTP/3"),
        DataReceived(0, b"x", True),
    ]
    assert client.engine.is_idle


@pytest.mark.parametrize(
    "fields",
    [
        [],
        [(b":status", b"20")],
        [(b":status", b"099")],
        [(b":status", b"2x0")],
        [(b":status", b"101")],
        [(b":status", b"200"), (b":path", b"/")],
        [(b":status", b"200"), (b"upgrade", b"x")],
        [(b":status", b"200"), (b"content-length", b"")],
    ],
)
def test_a_malformed_response_ends_its_stream_alone(client: Bench, fields: Headers) -> None:
    asked(client)
    (event,) = client.data(0, client.section(fields))
    assert isinstance(event, StreamReset)
    assert event.error_code == H3ErrorCode.MESSAGE_ERROR
    assert client.quic.stops == {0: H3ErrorCode.MESSAGE_ERROR}
    assert client.data(0, b"late") == []  # of a stream that is forgotten
    assert client.quic.consumed[0] == len(client.section(fields)) + 4


@pytest.mark.parametrize(
    ("method", "status"), [(b"HEAD", b"200"), (b"GET", b"304"), (b"GET", b"204")]
)
def test_where_no_content_can_be_its_length_may_be_declared_9110_8_6(
    client: Bench, method: bytes, status: bytes
) -> None:
    asked(client, method)
    fields = [(b":status", status), (b"content-length", b"5")]
    assert client.data(0, client.section(fields), end=True) == [
        ResponseReceived(0, int(status), fields[1:], True, "HTTP/3")
    ]


def test_content_where_none_can_be_is_malformed(client: Bench) -> None:
    asked(client, b"HEAD")
    client.data(0, client.section(OK))
    (event,) = client.data(0, content(b"x"))
    assert isinstance(event, StreamReset)


def test_a_response_that_is_only_informational_is_incomplete(client: Bench) -> None:
    asked(client)
    events = client.data(0, client.section([(b":status", b"100")]), end=True)
    assert isinstance(events[-1], StreamReset)
    assert events[-1].error_code == H3ErrorCode.MESSAGE_ERROR


def test_a_client_in_a_tunnel_takes_no_headers(client: Bench) -> None:
    client.engine.send_request(b"CONNECT", b"example.org:443", [])
    client.data(
        0, client.section([(b":status", b"200"), (b"content-length", b"5")]) + content(b"x")
    )
    with pytest.raises(RemoteProtocolError):
        client.data(0, client.section([(b"a", b"b")]))


def test_a_refused_connect_is_a_response_like_any_other(client: Bench) -> None:
    client.engine.send_request(b"CONNECT", b"example.org:443", [])
    events = client.data(
        0,
        client.section([(b":status", b"403"), (b"content-length", b"1")]) + content(b"x"),
        end=True,
    )
    assert events[-1] == DataReceived(0, b"x", True)


# -------------------------------------------------------------------------------------- limits


def test_a_header_block_over_the_limit_is_answered_with_431(server: Bench) -> None:
    bench = Bench(Role.SERVER, Limits(header_block_size=1000), settings={})
    (event,) = bench.data(0, bench.section([*GET, (b"a", b"b" * 1500)]))
    assert isinstance(event, StreamReset)
    assert (event.rule, event.error_code) == ("header-block-too-large", H3ErrorCode.NO_ERROR)
    assert bench.quic.sent[0].startswith(b"\x01")
    assert bench.quic.ended >= {0}
    assert bench.quic.resets == {}
    assert bench.quic.stops == {0: H3ErrorCode.NO_ERROR}
    assert bench.engine.is_idle
    assert bench.data(4, bench.section(GET), end=True) == [request(4)]


def test_too_many_fields_are_answered_with_431() -> None:
    bench = Bench(Role.SERVER, Limits(header_fields=10), settings={})
    (event,) = bench.data(0, bench.section([*GET, *[(b"a", b"b")] * 7]), end=True)
    assert isinstance(event, StreamReset)
    assert event.rule == "header-block-too-large"


def test_trailers_over_the_limit_end_the_stream() -> None:
    bench = Bench(Role.SERVER, Limits(header_block_size=1000), settings={})
    bench.data(0, bench.section(POST))
    (event,) = bench.data(0, bench.section([(b"a", b"b" * 1500)]))
    assert isinstance(event, StreamReset)
    assert event.error_code == H3ErrorCode.EXCESSIVE_LOAD
    assert bench.quic.resets == {0: H3ErrorCode.EXCESSIVE_LOAD}


def test_a_response_over_the_limit_ends_its_stream() -> None:
    bench = Bench(Role.CLIENT, Limits(header_block_size=1000), settings={})
    asked(bench)
    (event,) = bench.data(0, bench.section([*OK, (b"a", b"b" * 1500)]))
    assert isinstance(event, StreamReset)
    assert event.error_code == H3ErrorCode.EXCESSIVE_LOAD


FAR_OVER: list[tuple[str, Limits, bytes]] = [
    ("its length", Limits(header_block_size=1000), encode_integer(1) + encode_integer(4001)),
    ("its fields", Limits(header_fields=10, header_block_size=200), b"\1\x2b\0\0" + b"\xd1" * 41),
    (
        "what it unfolds to",
        Limits(header_block_size=300),
        encode_frame(1, b"\0\0" + b"\x21a\x7f\xf5\x06" + b"b" * 1012 + b"\xd1" * 39),
    ),
]


@pytest.mark.parametrize(("what", "limits", "frame"), FAR_OVER, ids=[each[0] for each in FAR_OVER])
def test_a_header_block_far_over_the_limit_ends_the_connection(
    what: str, limits: Limits, frame: bytes
) -> None:
    bench = Bench(Role.SERVER, limits, settings={})
    with pytest.raises(RemoteProtocolError) as caught:
        bench.data(0, frame)
    assert caught.value.error_code == H3ErrorCode.EXCESSIVE_LOAD
    assert caught.value.rule == "header-block-far-too-large"
    assert caught.value.status == 431


def test_empty_frames_in_a_row_are_counted(server: Bench) -> None:
    server.data(0, server.section(POST))
    server.data(0, content(b"") * 10 + content(b"x") + content(b"") * 10)
    with pytest.raises(RemoteProtocolError, match="empty frames") as caught:
        server.data(0, content(b""))
    assert caught.value.error_code == H3ErrorCode.EXCESSIVE_LOAD


def test_frames_without_use_are_paid_for_by_useful_ones() -> None:
    bench = Bench(Role.SERVER, Limits(idle_frames=20, idle_frames_per_useful_frame=5), settings={})
    bench.data(0, bench.section(POST) + unknown() * 20 + content(b"x") + unknown() * 5)
    with pytest.raises(RemoteProtocolError, match="without use"):
        bench.data(0, unknown())


def test_resets_are_a_bucket_that_time_refills() -> None:
    limits = Limits(stream_resets=3, stream_resets_per_second=1.0)
    bench = Bench(Role.SERVER, limits, settings={})
    stream_id = 0
    for _ in range(3):
        bench.data(stream_id, bench.section(POST))
        bench.reset(stream_id, H3ErrorCode.REQUEST_CANCELLED)
        stream_id += 4
    bench.now = 1.0
    bench.data(stream_id, bench.section([(b"a", b"b")]))  # a reset that the peer makes us send
    with pytest.raises(RemoteProtocolError, match="stream resets") as caught:
        bench.reset(stream_id + 4, 0)
    assert caught.value.rule == "stream-resets"
    assert caught.value.error_code == H3ErrorCode.EXCESSIVE_LOAD


# ---------------------------------------------------------------------- resets and STOP_SENDING


def test_a_request_that_its_client_resets(server: Bench) -> None:
    server.data(0, server.section(POST) + content(b"abc"))
    assert server.reset(0, H3ErrorCode.REQUEST_CANCELLED) == [
        StreamReset(0, H3ErrorCode.REQUEST_CANCELLED)
    ]
    assert server.quic.resets == {0: H3ErrorCode.REQUEST_CANCELLED}
    assert server.quic.stops == {}
    assert server.engine.is_idle
    assert server.quic.consumed[0] == len(server.section(POST)) + 5  # all of it


def test_a_request_reset_after_its_response_costs_no_budget() -> None:
    bench = Bench(Role.SERVER, Limits(stream_resets=0), settings={})
    bench.data(0, bench.section(POST))
    bench.engine.send_response(0, 404, [], end_stream=True)
    assert bench.reset(0, H3ErrorCode.REQUEST_CANCELLED) == [
        StreamReset(0, H3ErrorCode.REQUEST_CANCELLED)
    ]
    assert bench.quic.resets == {}


def test_a_reset_of_what_came_whole_ends_the_stream(server: Bench) -> None:
    server.data(0, server.section(GET), end=True)
    assert "None" in repr(server.engine._streams[0])
    assert server.reset(0, 0) == [StreamReset(0, 0)]
    assert server.engine.is_idle


def test_a_request_reset_before_its_head_was_never_told_of(server: Bench) -> None:
    assert server.reset(0, H3ErrorCode.REQUEST_CANCELLED) == []
    assert server.engine.is_idle
    assert server.quic.resets == {0: H3ErrorCode.REQUEST_CANCELLED}


def test_a_request_cancelled_once_it_was_complete(server: Bench) -> None:
    server.data(0, server.section(GET), end=True)
    assert server.stop(0, H3ErrorCode.REQUEST_CANCELLED) == [
        StreamReset(0, H3ErrorCode.REQUEST_CANCELLED)
    ]
    assert server.engine.is_idle


def test_a_request_cancelled_before_its_head(server: Bench) -> None:
    assert server.stop(0, H3ErrorCode.REQUEST_CANCELLED) == []
    assert server.quic.stops == {0: H3ErrorCode.REQUEST_CANCELLED}
    assert server.engine.is_idle
    assert server.stop(0, H3ErrorCode.REQUEST_CANCELLED) == []  # said again, of what is over


def test_a_client_may_read_nothing_and_go_on_sending(server: Bench) -> None:
    server.data(0, server.section(POST))
    server.engine.send_response(0, 200, [])
    assert server.stop(0, H3ErrorCode.NO_ERROR) == [StopSending(0, H3ErrorCode.NO_ERROR)]
    assert server.stop(0, H3ErrorCode.NO_ERROR) == []
    assert server.engine.send_capacity(0) == 0
    with pytest.raises(LocalProtocolError):
        server.engine.send_data(0, b"x")
    assert server.data(0, content(b"x"), end=True) == [DataReceived(0, b"x", True)]
    assert server.engine.is_idle


@pytest.mark.parametrize(("code", "unprocessed"), [(0x10B, True), (0x10C, False), (0x102, False)])
def test_a_response_that_its_server_resets(client: Bench, code: int, unprocessed: bool) -> None:
    client.engine.send_request(b"POST", b"/", [], authority=b"a")
    assert client.reset(0, code) == [StreamReset(0, code, True, unprocessed)]
    assert client.quic.resets == {0: H3ErrorCode.REQUEST_CANCELLED}
    assert client.reset(0, code) == []


def test_a_server_may_have_read_enough_9114_4_1(client: Bench) -> None:
    client.engine.send_request(b"POST", b"/", [], authority=b"a")
    assert client.stop(0, H3ErrorCode.NO_ERROR) == [StopSending(0, H3ErrorCode.NO_ERROR)]
    events = client.data(0, client.section([(b":status", b"413")]), end=True)
    assert events == [ResponseReceived(0, 413, [], True, "HTTP/3")]
    assert client.engine.is_idle


def test_stop_sending_after_the_response_ends_the_stream(client: Bench) -> None:
    client.engine.send_request(b"POST", b"/", [], authority=b"a")
    client.data(0, client.section(OK), end=True)
    assert not client.engine.is_idle
    assert client.stop(0, H3ErrorCode.NO_ERROR) == [StopSending(0, H3ErrorCode.NO_ERROR)]
    assert client.engine.is_idle


def test_stop_sending_can_refuse_a_request_9114_4_1_1(client: Bench) -> None:
    client.engine.send_request(b"POST", b"/", [], authority=b"a")
    assert client.stop(0, H3ErrorCode.REQUEST_REJECTED) == [
        StreamReset(0, H3ErrorCode.REQUEST_REJECTED, True, True)
    ]
    assert client.quic.stops == {0: H3ErrorCode.REQUEST_CANCELLED}
    assert client.stop(8, 0) == []


def test_a_server_opens_no_bidirectional_streams_9114_6_1(client: Bench) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        client.data(1, b"")
    assert caught.value.error_code == H3ErrorCode.STREAM_CREATION_ERROR


# ------------------------------------------------------------------------------------- sending


def test_each_error_code_has_its_number_in_http3_9114_a_4() -> None:
    expected = {
        ErrorCode.CANCEL: H3ErrorCode.REQUEST_CANCELLED,
        ErrorCode.REFUSED_STREAM: H3ErrorCode.REQUEST_REJECTED,
        ErrorCode.INTERNAL_ERROR: H3ErrorCode.INTERNAL_ERROR,
        0x1234: 0x1234,
    }
    for code, wire in expected.items():
        bench = Bench(Role.SERVER, settings={})
        bench.data(0, bench.section(POST) + content(b"x"))
        bench.engine.reset_stream(0, code)
        assert bench.quic.resets == bench.quic.stops == {0: wire}
        assert bench.engine.is_idle
        bench.engine.reset_stream(0)
        assert bench.quic.consumed[0] == len(bench.section(POST)) + 3


def test_resetting_a_stream_whose_response_is_complete_keeps_the_response(server: Bench) -> None:
    server.data(0, server.section(POST))
    server.engine.send_response(0, 200, [], end_stream=True)
    server.engine.reset_stream(0)
    assert server.quic.resets == {}
    assert server.quic.stops == {0: H3ErrorCode.REQUEST_CANCELLED}


def test_stop_receiving_asks_for_no_more_9114_4_1(server: Bench) -> None:
    server.data(0, server.section(POST))
    server.engine.stop_receiving(0)
    server.engine.stop_receiving(0)
    assert server.quic.stops == {0: H3ErrorCode.NO_ERROR}
    assert not server.engine.is_idle
    server.engine.send_response(0, 413, [], end_stream=True)
    assert server.engine.is_idle
    server.data(4, server.section(POST))
    server.engine.send_response(4, 413, [], end_stream=True)
    server.engine.stop_receiving(4)
    assert server.engine.is_idle


def test_credit_is_given_back_for_what_was_consumed_alone(server: Bench) -> None:
    server.data(0, server.section(POST) + content(b"x" * 100), end=True)
    overhead = server.quic.consumed[0]
    server.engine.consume(0, 60)
    assert server.quic.consumed[0] == overhead + 60
    with pytest.raises(LocalProtocolError):
        server.engine.consume(0, 41)
    server.engine.send_response(0, 200, [], end_stream=True)
    assert server.engine.is_idle
    server.engine.consume(0, 40)  # also of a stream that is over
    server.engine.consume(0, 40)  # and of one that is unknown, to no effect
    assert server.quic.consumed[0] == overhead + 100


def test_capacity_leaves_room_for_the_frame(server: Bench) -> None:
    server.data(0, server.section(GET), end=True)
    assert server.engine.send_capacity(0) == 0  # there is no response yet
    server.engine.send_response(0, 200, [])
    server.quic.capacity = 1000
    assert server.engine.send_capacity(0) == 995
    with pytest.raises(LocalProtocolError, match="does not take"):
        server.engine.send_data(0, b"x" * 996)
    server.engine.send_data(0, b"x" * 995)
    server.engine.send_data(0, b"")
    server.quic.capacity = 3
    assert server.engine.send_capacity(0) == 0
    assert server.tell(StreamCapacityChanged(0), StreamCapacityChanged(4)) == [CapacityChanged(0)]
    server.engine.send_data(0, b"", end_stream=True)
    assert server.engine.send_capacity(0) == 0
    assert server.quic.sent[0].endswith(b"\0\x43\xe3" + b"x" * 995)


def test_what_can_not_be_sent_now_changes_nothing(server: Bench, client: Bench) -> None:
    server.data(0, server.section(GET), end=True)
    before = {key: bytes(value) for key, value in server.quic.sent.items()}
    refused: list[Callable[[], object]] = [
        lambda: server.engine.send_request(b"GET", b"/", [], authority=b"a"),
        lambda: server.engine.send_data(0, b"x"),
        lambda: server.engine.send_trailers(0, []),
        lambda: server.engine.send_response(4, 200, []),
        lambda: server.engine.send_response(0, 100, []),
        lambda: server.engine.send_response(0, 200, [(b"a\n", b"b")]),
        lambda: server.engine.send_response(0, 200, [(b"a", b"b\n")]),
        lambda: server.engine.send_response(0, 200, [(b":path", b"/")]),
        lambda: server.engine.send_response(0, 200, [(b"a", b"b" * 65536)]),
        lambda: server.engine.send_informational(0, 200, []),
        lambda: server.engine.send_informational(0, 101, []),
        lambda: client.engine.send_request(b"G T", b"/", [], authority=b"a"),
        lambda: client.engine.send_request(b"GET", b"", [], authority=b"a"),
        lambda: client.engine.send_request(b"GET", b"/", []),
        lambda: client.engine.send_request(b"CONNECT", b"/", [], authority=b"a", protocol=b"x"),
        lambda: client.engine.send_response(0, 200, []),
    ]
    for call in refused:
        with pytest.raises(LocalProtocolError):
            call()
    assert {key: bytes(value) for key, value in server.quic.sent.items()} == before
    assert client.engine.is_idle
    server.engine.send_informational(0, 103, [(b"link", b"x")])
    server.engine.send_response(0, 200, [(b"content-length", b"1")])
    server.engine.send_data(0, b"x")
    with pytest.raises(LocalProtocolError):
        server.engine.send_trailers(0, [(b":a", b"b")])
    server.engine.send_trailers(0, [(b"a", b"b")])
    assert 0 in server.quic.ended


def test_fields_over_the_peers_limit_are_not_sent_9114_4_2_2() -> None:
    bench = Bench(Role.CLIENT, settings={6: 300, 8: 1})
    with pytest.raises(LocalProtocolError, match="peer's limit"):
        bench.engine.send_request(b"GET", b"/", [(b"a", b"b" * 200)], authority=b"a")
    bench.engine.send_request(b"CONNECT", b"/", [], authority=b"a", protocol=b"websocket")


def test_no_more_requests_than_the_server_allows(client: Bench) -> None:
    client.quic.allowed = 1
    asked(client)
    with pytest.raises(LocalProtocolError, match="no stream"):
        asked(client)
