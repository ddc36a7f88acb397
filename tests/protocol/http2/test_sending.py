"""What the engine sends, and what it refuses to (RFC 9113 section 8): a refusal changes nothing."""

from __future__ import annotations

from collections.abc import Callable

import hpack
import pytest
from tests.protocol.http2.playbook import (
    END_HEADERS,
    END_STREAM,
    GET,
    POST,
    Fields,
    client,
    frame,
    get,
    headers,
    hears,
    kinds,
    sent,
    server,
    settings,
)

from h123.protocol.connection import Role
from h123.protocol.errors import LocalProtocolError
from h123.protocol.http2.connection import HTTP2Connection


def decoded(decoder: hpack.Decoder, block: bytes) -> Fields:
    return [(bytes(name), bytes(value)) for name, value in decoder.decode(block, raw=True)]


# -------------------------------------------------------------------------------- requests


@pytest.mark.parametrize(
    ("arguments", "fields"),
    [
        pytest.param((b"GET", b"/p?q", [(b"Accept", b"*/*")]), [
            (b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"h"), (b":path", b"/p?q"),
            (b"accept", b"*/*")], id="8.2.1 names are sent in lower case"),
        pytest.param((b"GET", b"/", [(b"Host", b"other"), (b"a", b"b")]), [
            (b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"other"), (b":path", b"/"),
            (b"a", b"b")], id="8.3.1 Host becomes :authority"),
        pytest.param((b"GET", b"/", [(b"Connection", b"close"), (b"Upgrade", b"x"), (b"Keep-Alive", b"5"),
                                     (b"Transfer-Encoding", b"chunked"), (b"te", b"trailers")]), [
            (b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"h"), (b":path", b"/"),
            (b"te", b"trailers")], id="8.2.2 connection-specific fields are left out"),
        pytest.param((b"CONNECT", b"h:443", []), [(b":method", b"CONNECT"), (b":authority", b"h:443")],
                     id="8.5 CONNECT"),
    ],
)  # fmt: skip
def test_requests(arguments: tuple[bytes, bytes, Fields], fields: Fields) -> None:
    engine, decoder = client(), hpack.Decoder()
    for stream in (1, 3, 5):
        assert engine.send_request(*arguments, authority=b"h", end_stream=True) == stream
        (only,) = sent(engine)
        assert (only.kind, only.stream, only.flags) == ("HEADERS", stream, END_HEADERS | END_STREAM)
        assert decoded(decoder, only.payload) == fields


def test_8441_extended_connect() -> None:
    engine = client((8, 1))
    engine.send_request(b"CONNECT", b"/chat", [], authority=b"h", protocol=b"websocket")
    assert decoded(hpack.Decoder(), sent(engine)[0].payload) == [
        (b":method", b"CONNECT"),
        (b":scheme", b"https"),
        (b":authority", b"h"),
        (b":path", b"/chat"),
        (b":protocol", b"websocket"),
    ]


def test_heads_sent_are_kept_within_bounds_and_without_secrets() -> None:
    engine, decoder = client(), hpack.Decoder()
    for number in range(100):
        target = b"/%d" % (number % 70)
        engine.send_request(b"GET", target, [], authority=b"h", end_stream=True)
        assert (b":path", target) in decoded(decoder, sent(engine)[0].payload)
    kept = len(engine._sent_heads)
    assert 0 < kept <= 64
    engine.send_request(b"GET", b"/", [(b"Cookie", b"a=b")], authority=b"h", end_stream=True)
    engine.send_request(b"GET", b"/" + b"\xff" * 2000, [], authority=b"h", end_stream=True)
    assert len(engine._sent_heads) == kept


def test_heads_kept_are_forgotten_when_the_table_changes() -> None:
    engine, decoder = client(), hpack.Decoder()
    for number in range(30):
        fields = [(b"n", b"%d" % (number // 3))] * (number % 2) + [(b"m", b"v")]
        engine.send_request(b"GET", b"/", fields, authority=b"h", end_stream=True)
        assert decoded(decoder, sent(engine)[0].payload)[4:] == fields
    hears(engine, settings((1, 0)))
    decoder.max_allowed_table_size = 0
    engine.send_request(b"GET", b"/", [], authority=b"h", end_stream=True)
    assert sent(engine)[1].payload[0] == 0x20


# ------------------------------------------------------------------------------- responses


def test_a_response_with_everything() -> None:
    engine, decoder = server(), hpack.Decoder()
    hears(engine, headers(1, GET, end=True))
    engine.send_informational(1, 103, [(b"Link", b"</a>")])
    engine.send_response(1, 200, [(b"Content-Length", b"2")])
    engine.send_data(1, b"ok")
    engine.send_trailers(1, [(b"Digest", b"x")])
    frames = sent(engine)
    assert [(f.kind, f.flags) for f in frames] == [
        ("HEADERS", END_HEADERS),
        ("HEADERS", END_HEADERS),
        ("DATA", 0),
        ("HEADERS", END_HEADERS | END_STREAM),
    ]
    assert [decoded(decoder, frames[at].payload) for at in (0, 1, 3)] == [
        [(b":status", b"103"), (b"link", b"</a>")],
        [(b":status", b"200"), (b"content-length", b"2")],
        [(b"digest", b"x")],
    ]
    assert engine.is_idle


def test_no_trailers_are_an_empty_data_frame() -> None:
    engine = server()
    hears(engine, headers(1, GET, end=True))
    engine.send_response(1, 200, [])
    sent(engine)
    engine.send_trailers(1, [(b"Connection", b"close")])
    assert [(f.kind, f.flags, f.payload) for f in sent(engine)] == [("DATA", END_STREAM, b"")]


@pytest.mark.parametrize(
    ("method", "status"), [(b"HEAD", 200), (b"GET", 304), (b"GET", 204), (b"CONNECT", 200)]
)
def test_content_length_without_content_by_definition(method: bytes, status: int) -> None:
    engine = server()
    fields = [(b":method", method), *GET[1:]]
    hears(engine, headers(1, fields if method != b"CONNECT" else [fields[0], fields[2]]))
    engine.send_response(1, status, [(b"content-length", b"5")], end_stream=True)
    assert kinds(engine) == ["HEADERS"]


def test_a_head_response_carries_no_content() -> None:
    engine = server()
    hears(engine, headers(1, [(b":method", b"HEAD"), *GET[1:]], end=True))
    engine.send_response(1, 200, [])
    with pytest.raises(LocalProtocolError):
        engine.send_data(1, b"x")
    engine.send_data(1, b"", end_stream=True)
    assert engine.is_idle


# -------------------------------------------------------------------------------- refusals

Call = Callable[[HTTP2Connection], object]


def _refused(engine: HTTP2Connection, call: Call) -> None:
    """The call is refused, nothing was sent, and the HPACK table is as the peer has it."""
    engine.data_to_send()
    generation, streams = engine._encoder.generation, len(engine._streams)
    with pytest.raises(LocalProtocolError):
        call(engine)
    assert engine.data_to_send() == b""
    assert (engine._encoder.generation, len(engine._streams)) == (generation, streams)


_length: Fields = [(b"content-length", b"5"), (b"new", b"field")]


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda c: c.send_request(b"G T", b"/", [], authority=b"h"), id="method"),
        pytest.param(lambda c: c.send_request(b"GET", b"", [], authority=b"h"), id="target"),
        pytest.param(lambda c: c.send_request(b"GET", b"/", []), id="no authority"),
        pytest.param(lambda c: c.send_request(b"GET", b"/", [(b"a b", b"c")], authority=b"h"), id="name"),
        pytest.param(lambda c: c.send_request(b"GET", b"/", [(b"a", b"\n")], authority=b"h"), id="value"),
        pytest.param(lambda c: c.send_request(b"POST", b"/", _length, authority=b"h", end_stream=True),
                     id="content announced and none"),
        pytest.param(lambda c: c.send_request(b"CONNECT", b"/", [], authority=b"h", protocol=b"x"),
                     id="8441 without the server's word"),
        pytest.param(lambda c: c.send_response(1, 200, []), id="a client's response"),
        pytest.param(lambda c: c.send_informational(1, 103, []), id="a client's 1xx"),
        pytest.param(lambda c: c.send_data(3, b"x"), id="an idle stream"),
        pytest.param(lambda c: c.send_trailers(3, []), id="trailers of an idle stream"),
        pytest.param(lambda c: c.send_data(1, b"x" * 65536), id="over the window"),
        pytest.param(lambda c: c.send_trailers(1, [(b":status", b"200")]), id="pseudo-header trailers"),
        pytest.param(lambda c: c.ping(b"1234567"), id="PING of seven bytes"),
    ],
)  # fmt: skip
def test_a_client_refuses(call: Call) -> None:
    engine = client()
    get(engine, b"POST", end=False)
    _refused(engine, call)
    engine.send_data(1, b"x", end_stream=True)


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda s: s.send_informational(1, 101, []), id="8.6 101"),
        pytest.param(lambda s: s.send_informational(1, 200, []), id="200 as 1xx"),
        pytest.param(lambda s: s.send_informational(1, 103, [(b"a", b"\0")]), id="1xx value"),
        pytest.param(lambda s: s.send_response(1, 103, []), id="1xx as final"),
        pytest.param(lambda s: s.send_response(1, 1000, []), id="1000"),
        pytest.param(lambda s: s.send_response(1, 200, [(b"a", b" b")]), id="value"),
        pytest.param(
            lambda s: s.send_response(1, 200, _length, end_stream=True), id="content-length"
        ),
        pytest.param(lambda s: s.send_data(1, b"x"), id="content before the head"),
        pytest.param(lambda s: s.send_trailers(1, []), id="trailers before the head"),
        pytest.param(lambda s: s.send_response(3, 200, []), id="no such stream"),
    ],
)
def test_a_server_refuses(call: Call) -> None:
    engine = server()
    hears(engine, headers(1, POST))
    _refused(engine, call)
    engine.send_response(1, 200, [])


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda s: s.send_response(1, 200, []), id="a second head"),
        pytest.param(lambda s: s.send_informational(1, 103, []), id="1xx after the head"),
        pytest.param(lambda s: s.send_data(1, b"123456"), id="more than announced"),
        pytest.param(lambda s: s.send_data(1, b"1234", end_stream=True), id="less than announced"),
        pytest.param(lambda s: s.send_trailers(1, [(b"a", b"b")]), id="less, and trailers"),
    ],
)
def test_a_server_that_has_answered_refuses(call: Call) -> None:
    engine = server()
    hears(engine, headers(1, POST))
    engine.send_response(1, 200, _length)
    _refused(engine, call)
    engine.send_data(1, b"12")
    engine.send_data(1, b"345", end_stream=True)
    _refused(engine, lambda s: s.send_data(1, b"x"))


def test_after_a_fault_nothing_can_be_sent() -> None:
    engine = HTTP2Connection(Role.CLIENT)
    engine.close(1)
    engine.data_to_send()
    _refused(engine, lambda c: c.send_request(b"GET", b"/", [], authority=b"h"))
    _refused(engine, lambda c: c.ping(b"12345678"))
    assert engine.receive_data(frame("PING")) == []
