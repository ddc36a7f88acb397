"""What every HTTP/1.1 engine does that can be chosen by name (RFC 9110, RFC 9112).

These are dialogues: bytes in, events and bytes out. What engines may do differently is not here, but in
test_http1_differences.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import pytest

from h123.protocol.connection import ByteStreamConnection, Role
from h123.protocol.errors import LocalProtocolError, RemoteProtocolError
from h123.protocol.events import (
    ConnectionClosed,
    DataReceived,
    Event,
    Headers,
    InformationalReceived,
    RequestReceived,
    ResponseReceived,
    TrailersReceived,
)
from h123.protocol.limits import Limits

Make = Callable[..., ByteStreamConnection]
Whole = Callable[[Iterable[Event]], list[Event]]

HOST: Headers = [(b"Host", b"a")]
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\n"


def request(
    stream_id: int,
    method: bytes,
    target: bytes,
    headers: Headers,
    end: bool,
    version: str = "HTTP/1.1",
) -> RequestReceived:
    authority = target if method == b"CONNECT" else dict(headers).get(b"Host", b"")
    return RequestReceived(stream_id, method, target, b"", authority, headers, end, version)


REQUESTS: list[tuple[str, bytes, list[Event]]] = [
    ("no content", GET, [request(1, b"GET", b"/", HOST, True)]),
    (
        "the case of names is kept",
        b"GET /a?b HTTP/1.1\r\nhOsT: a\r\nX-y:  z \r\n\r\n",
        [RequestReceived(1, b"GET", b"/a?b", b"", b"a", [(b"hOsT", b"a"), (b"X-y", b"z")], True, "HTTP/1.1")],
    ),
    (
        "Content-Length",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
        [
            request(1, b"POST", b"/", [*HOST, (b"Content-Length", b"3")], False),
            DataReceived(1, b"abc", True),
        ],
    ),
    (
        "chunks with extensions",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n",
        [
            request(1, b"POST", b"/", [*HOST, (b"Transfer-Encoding", b"chunked")], False),
            DataReceived(1, b"abc0123456789", True),
        ],
    ),
    (
        "trailers",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX: y\r\nZ: \r\n\r\n",
        [
            request(1, b"POST", b"/", [*HOST, (b"Transfer-Encoding", b"chunked")], False),
            DataReceived(1, b"a", False),
            TrailersReceived(1, [(b"X", b"y"), (b"Z", b"")]),
        ],
    ),
    (
        "HTTP/1.0 without Host",
        b"GET / HTTP/1.0\r\n\r\n",
        [request(1, b"GET", b"/", [], True, "HTTP/1.0")],
    ),
    (
        "absolute-form",
        b"GET http://b/c HTTP/1.1\r\nHost: b\r\n\r\n",
        [RequestReceived(1, b"GET", b"http://b/c", b"http", b"b", [(b"Host", b"b")], True, "HTTP/1.1")],
    ),
    ("asterisk-form", b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", [request(1, b"OPTIONS", b"*", HOST, True)]),
    (
        "authority-form",
        b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n",
        [request(1, b"CONNECT", b"a:443", HOST, False)],
    ),
]  # fmt: skip

RESPONSES: list[tuple[str, bytes, bytes, list[Event]]] = [
    (
        "Content-Length",
        b"GET",
        b"HTTP/1.1 404 Not Here\r\nContent-Length: 2\r\n\r\nab",
        [
            ResponseReceived(1, 404, [(b"Content-Length", b"2")], False, "HTTP/1.1", b"Not Here"),
            DataReceived(1, b"ab", True),
        ],
    ),
    (
        "to HEAD",
        b"HEAD",
        OK + b"Content-Length: 2\r\n\r\n",
        [ResponseReceived(1, 200, [(b"Content-Length", b"2")], True, "HTTP/1.1", b"OK")],
    ),
    (
        "no content by its status",
        b"GET",
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n",
        [ResponseReceived(1, 304, [(b"Content-Length", b"2")], True, "HTTP/1.1", b"Not Modified")],
    ),
    (
        "103 is not final, however often",
        b"GET",
        b"HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n" * 2 + b"HTTP/1.1 204 No Content\r\n\r\n",
        [
            InformationalReceived(1, 103, [(b"A", b"b")]),
            InformationalReceived(1, 103, [(b"A", b"b")]),
            ResponseReceived(1, 204, [], True, "HTTP/1.1", b"No Content"),
        ],
    ),
    (
        "chunks and trailers",
        b"GET",
        OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nX: y\r\n\r\n",
        [
            ResponseReceived(1, 200, [(b"Transfer-Encoding", b"chunked")], False, "HTTP/1.1", b"OK"),
            DataReceived(1, b"ab", False),
            TrailersReceived(1, [(b"X", b"y")]),
        ],
    ),
]  # fmt: skip

REFUSED_REQUESTS = {
    "two lengths": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    "length and chunks": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    "a length that is none": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n",
    "no chunks at last": b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
    "nearly chunked": b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n",
    "chunks in 1.0": b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
    "no Host": b"GET / HTTP/1.1\r\n\r\n",
    "two Hosts": b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
    "no such Host": b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
    "space before the colon": b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
    "no colon": b"GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n",
    "NUL": b"GET / HTTP/1.1\r\nHost: a\r\nX: \x00\r\n\r\n",
    "a bare CR": b"GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
    "asterisk but for OPTIONS": b"GET * HTTP/1.1\r\nHost: a\r\n\r\n",
    "HTTP/2.0": b"GET / HTTP/2.0\r\nHost: a\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "too many fields": b"GET / HTTP/1.1\r\nHost: a\r\n" + b"A: b\r\n" * 100 + b"\r\n",
    "too large a field": b"GET / HTTP/1.1\r\nHost: a\r\nA: " + b"b" * 100000 + b"\r\n\r\n",
    "a head without end": b"GET / HTTP/1.1\r\nHost: a\r\nA: " + b"b" * 100000,
    "a chunk size that is none": b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\n",
    "a chunk longer than its size": (
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n"
    ),
}  # fmt: skip


def asked(http1: Make, method: bytes) -> ByteStreamConnection:
    client = http1(Role.CLIENT)
    target = b"a:1" if method == b"CONNECT" else b"/"
    client.send_request(method, target, HOST, end_stream=method != b"CONNECT")
    return client


def fed(engine: ByteStreamConnection, pieces: Iterable[bytes], whole: Whole) -> list[Event]:
    return whole([event for piece in pieces for event in engine.receive_data(piece)])


def cuts(wire: bytes) -> list[Sequence[bytes]]:
    half = len(wire) // 2
    return [[wire], [wire[:half], wire[half:]], [bytes((byte,)) for byte in wire]]


@pytest.mark.parametrize(
    ("wire", "events"), [c[1:] for c in REQUESTS], ids=[c[0] for c in REQUESTS]
)
def test_requests(http1: Make, whole: Whole, wire: bytes, events: list[Event]) -> None:
    for pieces in cuts(wire):
        assert fed(http1(Role.SERVER), pieces, whole) == events


@pytest.mark.parametrize(
    ("method", "wire", "events"), [c[1:] for c in RESPONSES], ids=[c[0] for c in RESPONSES]
)
def test_responses(
    http1: Make, whole: Whole, method: bytes, wire: bytes, events: list[Event]
) -> None:
    for pieces in cuts(wire):
        client = asked(http1, method)
        assert fed(client, pieces, whole) == events
        assert client.available_streams == 1


@pytest.mark.parametrize("name", REFUSED_REQUESTS)
def test_refusals(http1: Make, name: str) -> None:
    server = http1(Role.SERVER)
    with pytest.raises(RemoteProtocolError) as caught:
        server.receive_data(REFUSED_REQUESTS[name])
    assert 400 <= caught.value.status <= 505
    assert caught.value.rule
    assert server.receive_data(GET) == []
    if not server.is_closed:
        server.send_response(caught.value.stream_id or 1, caught.value.status, [], end_stream=True)
        assert b"Connection: close" in server.data_to_send()
    assert server.is_closed


def test_9_3_2_pipelined_requests_wait_for_their_turn(http1: Make, whole: Whole) -> None:
    server = http1(Role.SERVER)
    post = b"POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx"
    assert server.receive_data(GET + post + GET) == [request(1, b"GET", b"/", HOST, True)]
    assert server.receive_data(b"") == []
    server.send_response(1, 204, [], end_stream=True)
    first, content = whole(server.receive_data(b""))
    assert isinstance(first, RequestReceived)
    assert (first.stream_id, first.target) == (2, b"/2")
    assert content == DataReceived(2, b"x", True)
    server.send_response(2, 204, [], end_stream=True)
    assert server.receive_data(b"") == [request(3, b"GET", b"/", HOST, True)]
    server.send_response(3, 204, [], end_stream=True)
    assert server.receive_data(b"") == []
    assert (server.is_idle, server.is_closed) == (True, False)
    assert server.receive_eof() == [ConnectionClosed()]
    assert server.is_closed


def test_9_6_close_is_kept(http1: Make) -> None:
    server = http1(Role.SERVER)
    server.receive_data(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" + GET)
    server.send_response(1, 204, [], end_stream=True)
    assert b"Connection: close" in server.data_to_send()
    assert server.is_closed
    assert server.receive_data(b"") == []


def test_6_3_content_may_end_with_the_connection(http1: Make, whole: Whole) -> None:
    client = asked(http1, b"GET")
    events = client.receive_data(OK + b"\r\nab") + client.receive_data(b"cd")
    assert whole(events + client.receive_eof()) == [
        ResponseReceived(1, 200, [], False, "HTTP/1.1", b"OK"),
        DataReceived(1, b"abcd", True),
        ConnectionClosed(),
    ]
    assert client.is_closed


@pytest.mark.parametrize(
    "wire", [b"", b"HTTP/1.1 2", OK + b"Content-Length: 2\r\n\r\na", OK + b"A: b"]
)
def test_8_a_message_that_is_cut_off(http1: Make, wire: bytes) -> None:
    client = asked(http1, b"GET")
    client.receive_data(wire)
    with pytest.raises(RemoteProtocolError):
        client.receive_eof()
    assert client.is_closed


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"CONNECT"])
@pytest.mark.parametrize("end", [b"\r\n\r\n", b""])
def test_a_response_head_that_is_too_large(http1: Make, method: bytes, end: bytes) -> None:
    client = asked(http1, method)
    with pytest.raises(RemoteProtocolError):
        client.receive_data(OK + b"A: " + b"b" * 100000 + end)
    assert client.is_closed


def test_a_trailer_section_that_is_too_large(http1: Make) -> None:
    client = asked(http1, b"GET")
    with pytest.raises(RemoteProtocolError):
        client.receive_data(
            OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"A: b\r\n" * 101 + b"\r\n"
        )


def test_9_2_a_response_to_no_request(http1: Make) -> None:
    for wire in (OK, b"garbage"):
        client = asked(http1, b"GET")
        with pytest.raises(RemoteProtocolError) as caught:
            client.receive_data(b"HTTP/1.1 204 No Content\r\n\r\n" + wire)
        assert [type(event) for event in caught.value.events] == [ResponseReceived]
        assert client.is_closed


@pytest.mark.parametrize("cut", [False, True])
def test_9_3_6_connect(http1: Make, whole: Whole, cut: bool) -> None:
    server = http1(Role.SERVER)
    server.receive_data(b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\nearly")
    server.send_response(1, 200, [])
    assert whole(server.receive_data(b"")) == [DataReceived(1, b"early", False)]
    server.send_data(1, b"bytes")
    assert server.data_to_send().endswith(b"\r\n\r\nbytes")
    client = asked(http1, b"CONNECT")
    wire = OK + b"Content-Length: 3\r\n\r\n" + GET
    events = fed(client, cuts(wire)[-1] if cut else [wire], whole)
    assert events[1:] == [DataReceived(1, GET, False)]


def test_9_3_6_connect_refused(http1: Make, whole: Whole) -> None:
    client = asked(http1, b"CONNECT")
    events = whole(client.receive_data(b"HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nab"))
    assert events[1:] == [DataReceived(1, b"ab", True)]
    assert client.available_streams == 1


def test_7_8_upgrade(http1: Make, whole: Whole) -> None:
    fields = [*HOST, (b"Connection", b"upgrade"), (b"Upgrade", b"x")]
    server, client = http1(Role.SERVER), http1(Role.CLIENT)
    client.send_request(b"GET", b"/", fields, end_stream=True)
    server.receive_data(client.data_to_send() + b"early")
    server.send_informational(1, 101, fields[1:])
    server.send_data(1, b"bytes")
    assert whole(server.receive_data(b"")) == [DataReceived(1, b"early", False)]
    events = whole(client.receive_data(server.data_to_send()))
    assert events == [InformationalReceived(1, 101, fields[1:]), DataReceived(1, b"bytes", False)]


def test_7_8_an_upgrade_may_be_declined(http1: Make) -> None:
    fields = [*HOST, (b"Connection", b"upgrade"), (b"Upgrade", b"x")]
    server = http1(Role.SERVER)
    client = http1(Role.CLIENT)
    client.send_request(b"GET", b"/", fields, end_stream=True)
    server.receive_data(client.data_to_send() + GET)
    server.send_response(1, 204, [], end_stream=True)
    assert server.receive_data(b"") == [request(2, b"GET", b"/", HOST, True)]
    client.receive_data(server.data_to_send())
    assert client.available_streams == 1


def test_content_that_nobody_takes_stops_the_peer(http1: Make) -> None:
    server = http1(Role.SERVER, Limits(receive_buffer=10))
    server.receive_data(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 30\r\n\r\n" + b"x" * 20)
    assert not server.wants_data
    server.consume(1, 20)
    assert server.wants_data


def test_early_responses_and_dropped_content(http1: Make) -> None:
    server = http1(Role.SERVER)
    server.receive_data(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 30\r\n\r\nx")
    server.send_response(1, 413, [], end_stream=True)
    server.stop_receiving(1)
    assert server.receive_data(b"x" * 29) == []
    assert server.is_closed


def test_misuse_changes_nothing(http1: Make) -> None:
    client = http1(Role.CLIENT)
    with pytest.raises(LocalProtocolError):
        client.send_request(b"GET", b"/", [*HOST, (b"X", b"a\r\nb")], end_stream=True)
    assert client.data_to_send() == b""
    assert client.send_request(b"GET", b"/", HOST, end_stream=True) == 1
