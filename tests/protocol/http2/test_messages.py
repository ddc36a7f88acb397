"""Messages in frames (RFC 9113 section 8): heads, content, trailers, and what is malformed."""

from __future__ import annotations

import pytest
from tests.protocol.http2.playbook import (
    END_HEADERS,
    END_STREAM,
    GET,
    OK,
    POST,
    Fields,
    block,
    client,
    data,
    frame,
    get,
    headers,
    hears,
    sent,
    server,
)

from h123.protocol.errors import ErrorCode, RemoteProtocolError
from h123.protocol.events import (
    DataReceived,
    Event,
    InformationalReceived,
    RequestReceived,
    ResponseReceived,
    StreamReset,
    TrailersReceived,
)
from h123.protocol.limits import Limits


def fault(events: list[Event]) -> StreamReset:
    reset = events[-1]
    assert isinstance(reset, StreamReset)
    assert not reset.remote
    return reset


# -------------------------------------------------------------------------------- requests


def test_8_3_1_a_request_is_told_whole() -> None:
    fields = [*GET, (b"accept", b"*/*")]
    for _ in range(2):  # the second is known already
        engine = server()
        for stream in (1, 3):
            assert hears(engine, headers(stream, fields, end=True)) == [
                RequestReceived(
                    stream,
                    b"GET",
                    b"/",
                    b"https",
                    b"a.example",
                    [(b"accept", b"*/*")],
                    True,
                    "HTTP/2",
                )
            ]


def test_heads_known_already_are_copies() -> None:
    engine = server()
    for stream in (1, 3):
        (event,) = hears(engine, headers(stream, [*GET, (b"a", b"b")]))
        assert isinstance(event, RequestReceived)
        event.headers.append((b"by", b"the user"))
        assert len(event.headers) == 2


def test_heads_kept_are_bounded_and_forgotten_when_the_table_changes() -> None:
    engine = server(limits=Limits(concurrent_streams=1000))
    for stream in range(1, 151, 2):
        hears(engine, headers(stream, [*GET, (b"n", b"%d" % stream)], end=True))
    assert 0 < len(engine._kept_requests) <= 64
    hears(engine, headers(151, [*GET, (b"cookie", b"secret")], end=True))
    hears(engine, frame("HEADERS", 153, END_HEADERS | END_STREAM, block(GET) + b"\x40\x01a\x01b"))
    assert engine._kept_requests == {}


def test_8_2_3_cookie_crumbs_are_joined() -> None:
    crumbs = [(b"cookie", b"a=b"), (b"x", b"y"), (b"cookie", b"c=d")]
    (event,) = hears(server(), headers(1, [*GET, *crumbs], end=True))
    assert isinstance(event, RequestReceived)
    assert event.headers == [(b"cookie", b"a=b; c=d"), (b"x", b"y")]


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        pytest.param([*GET, (b"Name", b"v")], "field-name", id="8.2.1 upper case"),
        pytest.param([*GET, (b"n", b"a\r\nb")], "field-value", id="8.2.1 CR LF"),
        pytest.param([*GET, (b"n", b" a")], "field-value", id="8.2.1 white space"),
        pytest.param([*GET, (b"connection", b"close")], "connection-specific", id="8.2.2"),
        pytest.param([*GET, (b"te", b"gzip")], "connection-specific", id="8.2.2 TE"),
        pytest.param([(b"a", b"b"), *GET], "field-name", id="8.3 pseudo-header fields last"),
        pytest.param([*GET, (b":unknown", b"x")], "pseudo-header", id="8.3 an unknown one"),
        pytest.param([*GET, (b":method", b"GET")], "pseudo-header", id="8.3 one twice"),
        pytest.param([*GET, (b":status", b"200")], "pseudo-header", id="8.3 a response's"),
        pytest.param(GET[1:], "method", id="8.3.1 no :method"),
        pytest.param([GET[0], *GET[2:]], "scheme", id="8.3.1 no :scheme"),
        pytest.param(GET[:3], "path", id="8.3.1 no :path"),
        pytest.param([*GET[:3], (b":path", b"")], "path", id="8.3.1 an empty :path"),
        pytest.param([*GET, (b"host", b"b.example")], "authority", id="8.3.1 Host differs"),
        pytest.param([*GET, (b"content-length", b"+1")], "content-length", id="8.1.1 no number"),
    ],
)
def test_malformed_requests_reset_their_stream(fields: Fields, rule: str) -> None:
    engine = server()
    reset = fault(hears(engine, headers(1, fields, end=True), headers(1, [], end=True)))
    assert (reset.stream_id, reset.error_code, reset.rule) == (1, ErrorCode.PROTOCOL_ERROR, rule)
    assert [(f.kind, f.code) for f in sent(engine)] == [("RST_STREAM", 1)]
    assert engine.is_idle


def test_8_5_connect() -> None:
    engine = server()
    (event,) = hears(
        engine,
        headers(1, [(b":method", b"CONNECT"), (b":authority", b"h:1"), (b"content-length", b"9")]),
    )
    assert isinstance(event, RequestReceived)
    assert (event.method, event.target, event.authority) == (b"CONNECT", b"h:1", b"h:1")
    assert hears(engine, data(1, b"bytes")) == [DataReceived(1, b"bytes", False)]
    engine.send_response(1, 200, [])
    engine.send_data(1, b"bytes back")
    assert fault(hears(engine, headers(1, [(b"a", b"b")], end=True))).rule == "headers-in-content"


def test_8441_extended_connect_carries_its_protocol() -> None:
    extended = [(b":method", b"CONNECT"), (b":protocol", b"websocket"), *GET[1:]]
    (event,) = hears(server(), headers(1, extended))
    assert isinstance(event, RequestReceived)
    assert (event.method, event.protocol, event.target) == (b"CONNECT", b"websocket", b"/")


# ------------------------------------------------------------------------------- responses


def test_8_1_a_response_with_everything() -> None:
    engine = client()
    get(engine)
    events = hears(
        engine,
        headers(1, [(b":status", b"103"), (b"link", b"</a>")]),
        headers(1, [(b":status", b"100")]),
        headers(1, [*OK, (b"server", b"x")]),
        data(1, b"hello"),
        data(1, b" you"),
        headers(1, [(b"digest", b"y")], end=True),
    )
    assert events == [
        InformationalReceived(1, 103, [(b"link", b"</a>")]),
        InformationalReceived(1, 100, []),
        ResponseReceived(1, 200, [(b"server", b"x")], False, "HTTP/2"),
        DataReceived(1, b"hello", False),
        DataReceived(1, b" you", False),
        TrailersReceived(1, [(b"digest", b"y")]),
    ]
    assert engine.is_idle


def test_responses_kept_are_bounded() -> None:
    engine = client()
    for number in range(75):
        stream = get(engine)
        answer = headers(stream, [*OK, (b"n", b"%d" % number)], end=True)
        assert isinstance(hears(engine, answer)[0], ResponseReceived)
    assert len(engine._kept_responses) == 11
    stream = get(engine)
    hears(engine, headers(stream, [*OK, (b"set-cookie", b"a=b")], end=True))
    assert len(engine._kept_responses) == 11


@pytest.mark.parametrize(
    ("received", "rule"),
    [
        pytest.param(headers(1, [(b":status", b"20")]), "status", id="8.3.2 two digits"),
        pytest.param(headers(1, [(b"a", b"b")]), "status", id="8.3.2 none"),
        pytest.param(headers(1, [(b":status", b"101")]), "status", id="8.6 101"),
        pytest.param(headers(1, [(b":status", b"100")], end=True), "informational-end", id="8.1 1xx"),
        pytest.param(headers(1, [*OK, (b"content-length", b"x")]), "content-length", id="8.1.1"),
        pytest.param(data(1, b"x"), "data-before-headers", id="8.1 content first"),
        pytest.param(headers(1, OK) + headers(1, OK), "headers-in-content", id="8.1 two heads"),
        pytest.param(headers(1, OK) + headers(1, OK, end=True), "pseudo-header", id="8.1 trailers"),
        pytest.param(headers(1, OK) + headers(1, [(b"A", b"b")], end=True), "field-name", id="8.2.1"),
        pytest.param(headers(1, [(b":status", b"103")]) * 101, "informational-responses", id="1xx flood"),
    ],
)  # fmt: skip
def test_malformed_responses_reset_their_stream(received: bytes, rule: str) -> None:
    engine = client()
    get(engine)
    assert fault(hears(engine, received)).rule == rule
    assert [frame.kind for frame in sent(engine)] == ["RST_STREAM"]
    assert engine.is_idle


def test_8_5_a_tunnel_carries_data_alone() -> None:
    engine = client()
    get(engine, b"CONNECT", end=False)
    hears(engine, headers(1, [*OK, (b"content-length", b"0")]), data(1, b"bytes"))
    assert fault(hears(engine, headers(1, [], end=True))).rule == "headers-in-content"


def test_8_5_a_refused_tunnel_is_a_response_like_others() -> None:
    engine = client()
    get(engine, b"CONNECT", end=False)
    assert hears(engine, headers(1, [(b":status", b"407")]), headers(1, [(b"a", b"b")], end=True))[
        1:
    ] == [TrailersReceived(1, [(b"a", b"b")])]


# -------------------------------------------------------------------------- content-length


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(data(1, b"hello"[:4], end=True), id="less"),
        pytest.param(data(1, b"hello!"), id="more"),
        pytest.param(data(1, b"hello!", end=True), id="more at once"),
        pytest.param(data(1, b"hell") + headers(1, [], end=True), id="less, then trailers"),
    ],
)
def test_8_1_1_content_must_be_as_long_as_announced(content: bytes) -> None:
    engine = server()
    reset = fault(hears(engine, headers(1, [*POST, (b"content-length", b"5")]), content))
    assert (reset.error_code, reset.rule) == (ErrorCode.PROTOCOL_ERROR, "content-length")


def test_8_1_1_content_as_announced_is_right() -> None:
    engine = server()
    request = headers(1, [*POST, (b"content-length", b"5")])
    assert hears(engine, request, data(1, b"he"), data(1, b"llo", end=True))[1:] == [
        DataReceived(1, b"he", False),
        DataReceived(1, b"llo", True),
    ]


def test_8_1_1_a_head_that_ends_short_of_its_content() -> None:
    assert fault(
        hears(server(), headers(1, [*POST, (b"content-length", b"5")], end=True))
    ).rule == ("content-length")
    engine = client()
    get(engine)
    assert fault(hears(engine, headers(1, [*OK, (b"content-length", b"5")], end=True))).rule == (
        "content-length"
    )


@pytest.mark.parametrize(
    ("method", "status"), [(b"HEAD", b"200"), (b"GET", b"304"), (b"GET", b"204")]
)
def test_8_1_1_responses_without_content_by_definition(method: bytes, status: bytes) -> None:
    head = [(b":status", status), (b"content-length", b"5")]
    engine = client()
    get(engine, method)
    (event,) = hears(engine, headers(1, head, end=True))
    assert isinstance(event, ResponseReceived)
    get(engine, method)
    assert fault(hears(engine, headers(3, head), data(3, b"hello"))).rule == "content-length"


# ------------------------------------------------------------------ field sections over the limit

_large: Fields = [(b"x-%d" % number, b"v" * 100) for number in range(20)]


@pytest.mark.parametrize(
    ("limits", "fields"),
    [(Limits(header_block_size=2000), _large), (Limits(header_fields=10), [(b"a", b"b")] * 12)],
)
def test_a_request_over_the_limit_is_answered_431_and_the_connection_goes_on(
    limits: Limits, fields: Fields
) -> None:
    engine = server(limits=limits)
    for stream, end, kinds in ((1, True, ["HEADERS"]), (3, False, ["HEADERS", "RST_STREAM"])):
        reset = fault(hears(engine, headers(stream, [*POST, *fields], end=end)))
        assert (reset.stream_id, reset.rule) == (stream, "header-block-too-large")
        head, *rest = sent(engine)
        assert [head.kind, *[f.kind for f in rest]] == kinds
        assert head.flags & END_STREAM
        assert all(frame.code == ErrorCode.NO_ERROR for frame in rest)
    assert hears(engine, data(3, b"late")) == []
    assert isinstance(hears(engine, headers(5, GET))[0], RequestReceived)


def test_the_decoder_keeps_in_step_with_what_is_refused() -> None:
    engine = server(limits=Limits(header_fields=5))
    refused = block([*GET, (b"a", b"b")]) + b"\x40\x01k\x01v"
    fault(hears(engine, frame("HEADERS", 1, END_HEADERS | END_STREAM, refused)))
    (event,) = hears(engine, frame("HEADERS", 3, END_HEADERS | END_STREAM, block(GET) + b"\xbe"))
    assert isinstance(event, RequestReceived)
    assert event.headers == [(b"k", b"v")]


@pytest.mark.parametrize(
    "received",
    [
        pytest.param(headers(1, [*GET, *_large]), id="bytes"),
        pytest.param(headers(1, [*GET, *[(b"", b"")] * 13]), id="fields"),
        pytest.param(frame("HEADERS", 1, 0, b"\0" * 1300) + frame("CONTINUATION", 1, 0, b"\0" * 1300),
                     id="bytes of a block not yet complete"),
    ],
)  # fmt: skip
def test_over_four_times_the_limit_the_connection_ends(received: bytes) -> None:
    engine = server(limits=Limits(header_block_size=600, header_fields=4))
    with pytest.raises(RemoteProtocolError) as caught:
        engine.receive_data(received)
    assert caught.value.rule == "header-block-far-too-large"
    assert (caught.value.status, caught.value.error_code) == (431, ErrorCode.ENHANCE_YOUR_CALM)


def test_a_client_resets_what_is_over_the_limit() -> None:
    engine = client(limits=Limits(header_fields=3))
    for received in (
        headers(1, [*OK, *[(b"a", b"b")] * 3]),
        headers(3, OK) + headers(3, [(b"a", b"b")] * 4, end=True),
    ):
        get(engine)
        reset = fault(hears(engine, received))
        assert (reset.rule, reset.error_code) == (
            "header-block-too-large",
            ErrorCode.ENHANCE_YOUR_CALM,
        )
