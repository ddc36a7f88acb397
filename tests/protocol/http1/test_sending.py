"""What is sent, byte by byte, and what is refused before a byte is (RFC 9112 sections 2 to 7)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from h123.protocol.errors import LocalProtocolError
from h123.protocol.events import Headers
from h123.protocol.http1.connection import HTTP1Connection

Serving = Callable[[bytes], HTTP1Connection]

HOST = (b"Host", b"a")
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
HEAD = b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"
GET_1_0 = b"GET / HTTP/1.0\r\n\r\n"
LENGTH_5 = (b"Content-Length", b"5")
CHUNKED = (b"Transfer-Encoding", b"chunked")
CHUNKED_LINE = b"Transfer-Encoding: chunked\r\n"


@pytest.mark.parametrize(
    ("method", "headers", "end_stream", "framing", "after"),
    [
        (b"GET", [], True, b"", b""),
        (b"HEAD", [], True, b"", b""),
        (b"DELETE", [], True, b"", b""),
        (b"POST", [], True, b"Content-Length: 0\r\n", b""),
        (b"PUT", [], True, b"Content-Length: 0\r\n", b""),
        (b"PATCH", [], True, b"Content-Length: 0\r\n", b""),
        (b"POST", [(b"content-length", b"0")], True, b"content-length: 0\r\n", b""),
        (b"POST", [CHUNKED], True, CHUNKED_LINE, b"0\r\n\r\n"),
        (b"POST", [], False, CHUNKED_LINE, b""),
        (b"GET", [], False, CHUNKED_LINE, b""),
        (b"POST", [CHUNKED], False, CHUNKED_LINE, b""),
        (
            b"POST",
            [(b"Transfer-Encoding", b"Chunked")],
            False,
            b"Transfer-Encoding: Chunked\r\n",
            b"",
        ),
        (b"POST", [LENGTH_5], False, b"Content-Length: 5\r\n", b""),
    ],
)
def test_6_requests_are_framed(
    idle_client: HTTP1Connection,
    method: bytes,
    headers: Headers,
    end_stream: bool,
    framing: bytes,
    after: bytes,
) -> None:
    assert idle_client.send_request(method, b"/", [HOST, *headers], end_stream=end_stream) == 1
    assert idle_client.data_to_send() == (
        method + b" / HTTP/1.1\r\nHost: a\r\n" + framing + b"\r\n" + after
    )
    assert idle_client.data_to_send() == b""


def test_3_2_authority_becomes_the_first_field(idle_client: HTTP1Connection) -> None:
    idle_client.send_request(b"GET", b"/", [(b"A", b"b")], authority=b"c:1", end_stream=True)
    assert idle_client.data_to_send() == b"GET / HTTP/1.1\r\nHost: c:1\r\nA: b\r\n\r\n"


def test_3_2_a_host_field_stands_before_authority(idle_client: HTTP1Connection) -> None:
    headers = [(b"A", b"b"), (b"hOST", b"d")]
    idle_client.send_request(b"GET", b"/", headers, authority=b"c:1", end_stream=True)
    assert idle_client.data_to_send() == b"GET / HTTP/1.1\r\nA: b\r\nhOST: d\r\n\r\n"


def test_the_head_and_a_small_body_leave_together(
    idle_client: HTTP1Connection, serving: Serving
) -> None:
    idle_client.send_request(b"PUT", b"/", [HOST, LENGTH_5])
    idle_client.send_data(1, b"hello", end_stream=True)
    assert idle_client.data_to_send().endswith(b"\r\n\r\nhello")
    server = serving(GET)
    server.send_response(1, 200, [LENGTH_5])
    server.send_data(1, b"hello", end_stream=True)
    assert server.data_to_send() == b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


@pytest.mark.parametrize(
    ("request_data", "status", "headers", "end_stream", "fields", "after"),
    [
        (GET, 200, [], True, b"Content-Length: 0\r\n", b""),
        (GET, 200, [(b"Content-Length", b"0")], True, b"Content-Length: 0\r\n", b""),
        (GET, 200, [CHUNKED], True, CHUNKED_LINE, b"0\r\n\r\n"),
        (GET, 200, [], False, CHUNKED_LINE, b""),
        (GET, 200, [CHUNKED], False, CHUNKED_LINE, b""),
        (GET, 200, [LENGTH_5], False, b"Content-Length: 5\r\n", b""),
        (HEAD, 200, [], True, b"", b""),
        (HEAD, 200, [LENGTH_5], True, b"Content-Length: 5\r\n", b""),
        (HEAD, 200, [CHUNKED], True, CHUNKED_LINE, b""),
        (GET, 304, [], True, b"", b""),
        (GET, 304, [LENGTH_5], True, b"Content-Length: 5\r\n", b""),
        (GET, 204, [], True, b"", b""),
        (GET, 204, [(b"Content-Length", b"0")], True, b"", b""),
        (GET, 204, [(b"A", b"b"), CHUNKED], True, b"A: b\r\n", b""),
        (GET_1_0, 200, [], True, b"Content-Length: 0\r\nConnection: close\r\n", b""),
        (GET_1_0, 200, [CHUNKED], True, b"Content-Length: 0\r\nConnection: close\r\n", b""),
        (GET_1_0, 200, [CHUNKED], False, b"Connection: close\r\n", b""),
        (GET_1_0, 200, [LENGTH_5], False, b"Content-Length: 5\r\nConnection: close\r\n", b""),
    ],
)
def test_6_responses_are_framed(
    serving: Serving,
    request_data: bytes,
    status: int,
    headers: Headers,
    end_stream: bool,
    fields: bytes,
    after: bytes,
) -> None:
    server = serving(request_data)
    server.send_response(1, status, headers, end_stream=end_stream)
    _, _, rest = server.data_to_send().partition(b"\r\n")
    assert rest == fields + b"\r\n" + after


@pytest.mark.parametrize(
    ("status", "line"),
    [
        (200, b"HTTP/1.1 200 OK"),
        (413, b"HTTP/1.1 413 Content Too Large"),
        (599, b"HTTP/1.1 599 "),
        (999, b"HTTP/1.1 999 "),
    ],
)
def test_4_the_status_line(serving: Serving, status: int, line: bytes) -> None:
    server = serving(GET)
    server.send_response(1, status, [], end_stream=True)
    assert server.data_to_send().startswith(line + b"\r\n")


def test_15_2_informational_responses(serving: Serving) -> None:
    server = serving(GET)
    server.send_informational(1, 103, [(b"Link", b"</a>"), CHUNKED, LENGTH_5])
    server.send_informational(1, 103, [])
    assert server.data_to_send() == (
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n"
    )


def test_15_2_no_informational_response_to_http_1_0(serving: Serving) -> None:
    server = serving(GET_1_0)
    server.send_informational(1, 103, [])
    assert server.data_to_send() == b""


def test_7_1_chunks_and_trailers(serving: Serving) -> None:
    server = serving(GET)
    server.send_response(1, 200, [])
    server.data_to_send()
    server.send_data(1, b"a" * 26)
    server.send_data(1, b"")
    assert server.data_to_send() == b"1a\r\n" + b"a" * 26 + b"\r\n"
    server.send_trailers(1, [(b"A", b"b")])
    assert server.data_to_send() == b"0\r\nA: b\r\n\r\n"
    assert server.is_idle


def test_7_1_2_no_trailers_are_a_last_chunk(serving: Serving) -> None:
    server = serving(GET)
    server.send_response(1, 200, [])
    server.data_to_send()
    server.send_trailers(1, [])
    assert server.data_to_send() == b"0\r\n\r\n"


def test_6_5_trailers_are_left_out_where_the_length_was_told(serving: Serving) -> None:
    server = serving(GET)
    server.send_response(1, 200, [LENGTH_5])
    server.send_data(1, b"hell")
    with pytest.raises(LocalProtocolError):
        server.send_trailers(1, [(b"A", b"b")])
    server.send_data(1, b"o")
    server.send_trailers(1, [(b"A", b"b")])
    assert server.data_to_send().endswith(b"hello")
    assert server.is_idle


@pytest.mark.parametrize("name", [b"Host", b"Content-Length", b"transfer-encoding", b"a b"])
def test_6_5_1_what_may_not_be_a_trailer(serving: Serving, name: bytes) -> None:
    server = serving(GET)
    server.send_response(1, 200, [])
    server.data_to_send()
    with pytest.raises(LocalProtocolError):
        server.send_trailers(1, [(name, b"1")])
    assert server.data_to_send() == b""
    assert not server.is_idle


def test_8_6_content_must_be_as_long_as_was_said(
    serving: Serving, idle_client: HTTP1Connection
) -> None:
    server = serving(GET)
    server.send_response(1, 200, [LENGTH_5])
    idle_client.send_request(b"PUT", b"/", [HOST, LENGTH_5])
    for engine in (server, idle_client):
        engine.send_data(1, b"ab")
        for data, end_stream in ((b"cdef", False), (b"cdef", True), (b"cd", True), (b"", True)):
            with pytest.raises(LocalProtocolError, match="leaves 3"):
                engine.send_data(1, data, end_stream=end_stream)
        engine.send_data(1, b"cde")
        with pytest.raises(LocalProtocolError, match="leaves 0"):
            engine.send_data(1, b"f")
        engine.send_data(1, b"", end_stream=True)
        assert engine.data_to_send().endswith(b"\r\n\r\nabcde")
        with pytest.raises(LocalProtocolError):
            engine.send_data(1, b"")


WRONG_FIELDS: list[Headers] = [
    [(b"", b"b")],
    [(b"A b", b"c")],
    [(b"A:", b"b")],
    [(b"A\r\nB", b"c")],
    [(b"\xe9", b"c")],
    [(b"A", b"b\r\nC: d")],
    [(b"A", b"b\rc")],
    [(b"A", b"b\nc")],
    [(b"A", b"b\x00c")],
    [(b"A", b"b\x7f")],
    [(b"A", b"b\r\n")],
    [(b"Content-Length", b"x")],
    [(b"Content-Length", b"-1")],
    [(b"Content-Length", b"1, 1")],
    [(b"Content-Length", b"5"), (b"Content-Length", b"5")],
    [(b"Content-Length", b"9" * 19)],
    [(b"Content-Length", b"5"), CHUNKED],
    [(b"Transfer-Encoding", b"gzip")],
    [(b"Transfer-Encoding", b"gzip, chunked")],
    [CHUNKED, CHUNKED],
]  # fmt: skip


@pytest.mark.parametrize("headers", WRONG_FIELDS)
@pytest.mark.parametrize("end_stream", [False, True])
def test_5_wrong_fields_are_never_sent(
    serving: Serving, idle_client: HTTP1Connection, headers: Headers, end_stream: bool
) -> None:
    server = serving(GET)
    with pytest.raises(LocalProtocolError):
        server.send_response(1, 200, headers, end_stream=end_stream)
    with pytest.raises(LocalProtocolError):
        idle_client.send_request(b"GET", b"/", [HOST, *headers], end_stream=end_stream)
    for engine in (server, idle_client):
        assert engine.data_to_send() == b""
        assert not engine.is_draining
    # Nothing has changed: the right ones can be sent.
    server.send_response(1, 200, [], end_stream=True)
    assert idle_client.send_request(b"GET", b"/", [HOST], end_stream=True) == 1


@pytest.mark.parametrize("headers", [headers for headers in WRONG_FIELDS if headers[0][0] == b"A"])
def test_5_wrong_fields_are_never_sent_in_other_heads(serving: Serving, headers: Headers) -> None:
    server = serving(GET)
    with pytest.raises(LocalProtocolError):
        server.send_informational(1, 103, headers)
    server.send_response(1, 200, [])
    server.data_to_send()
    with pytest.raises(LocalProtocolError):
        server.send_trailers(1, headers)
    tunnel = serving(b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n")
    with pytest.raises(LocalProtocolError):
        tunnel.send_response(1, 200, headers)
    assert server.data_to_send() == tunnel.data_to_send() == b""


@pytest.mark.parametrize(
    ("method", "target", "headers", "authority"),
    [
        (b"", b"/", [HOST], b""),
        (b"G T", b"/", [HOST], b""),
        (b"GET\r\n", b"/", [HOST], b""),
        (b"GET", b"", [HOST], b""),
        (b"GET", b"/ ", [HOST], b""),
        (b"GET", b"/\r\n", [HOST], b""),
        (b"GET", b"/#a", [HOST], b""),
        (b"GET", b"/\xe9", [HOST], b""),
        (b"GET", b"/", [], b""),
        (b"GET", b"/", [], b"a b"),
        (b"GET", b"/", [], b"a@b"),
        (b"GET", b"/", [(b"Host", b"a/b")], b""),
        (b"GET", b"/", [HOST, HOST], b""),
        (b"GET", b"/", [HOST, (b"host", b"b")], b""),
    ],
)
def test_3_wrong_requests_are_never_sent(
    idle_client: HTTP1Connection, method: bytes, target: bytes, headers: Headers, authority: bytes
) -> None:
    with pytest.raises(LocalProtocolError):
        idle_client.send_request(method, target, headers, authority=authority, end_stream=True)
    assert idle_client.data_to_send() == b""
    assert idle_client.available_streams == 1


def test_content_length_without_content_is_a_mistake(
    serving: Serving, idle_client: HTTP1Connection
) -> None:
    server = serving(GET)
    with pytest.raises(LocalProtocolError):
        server.send_response(1, 200, [LENGTH_5], end_stream=True)
    with pytest.raises(LocalProtocolError):
        idle_client.send_request(b"PUT", b"/", [HOST, LENGTH_5], end_stream=True)


@pytest.mark.parametrize(("request_data", "status"), [(HEAD, 200), (GET, 204), (GET, 304)])
def test_6_4_1_a_response_that_has_no_content_must_end_with_its_head(
    serving: Serving, request_data: bytes, status: int
) -> None:
    server = serving(request_data)
    with pytest.raises(LocalProtocolError):
        server.send_response(1, status, [])
    assert server.data_to_send() == b""


@pytest.mark.parametrize("status", [0, 99, 100, 101, 199, 1000])
def test_15_no_final_status(serving: Serving, status: int) -> None:
    server = serving(GET)
    with pytest.raises(LocalProtocolError):
        server.send_response(1, status, [], end_stream=True)


@pytest.mark.parametrize("status", [0, 99, 200, 404])
def test_15_no_informational_status(serving: Serving, status: int) -> None:
    server = serving(GET)
    with pytest.raises(LocalProtocolError):
        server.send_informational(1, status, [])


def test_each_side_does_its_own(serving: Serving, client: HTTP1Connection) -> None:
    server = serving(GET)
    with pytest.raises(LocalProtocolError):
        server.send_request(b"GET", b"/", [HOST], end_stream=True)
    with pytest.raises(LocalProtocolError):
        client.send_response(1, 200, [])
    with pytest.raises(LocalProtocolError):
        client.send_informational(1, 103, [])
    assert server.available_streams == 0


def test_everything_in_its_turn(serving: Serving, client: HTTP1Connection) -> None:
    with pytest.raises(LocalProtocolError):
        client.send_request(b"GET", b"/", [HOST], end_stream=True)  # one is out
    with pytest.raises(LocalProtocolError):
        client.send_data(1, b"a")
    server = serving(GET)
    with pytest.raises(LocalProtocolError):
        server.send_data(1, b"a")  # the head comes first
    with pytest.raises(LocalProtocolError):
        server.send_trailers(1, [])
    with pytest.raises(LocalProtocolError):
        server.send_response(2, 200, [])
    server.send_response(1, 200, [])
    with pytest.raises(LocalProtocolError):
        server.send_response(1, 200, [])
    with pytest.raises(LocalProtocolError):
        server.send_data(2, b"a")
    with pytest.raises(LocalProtocolError):
        server.send_informational(1, 103, [])
    assert server.send_capacity(2) == 0


def test_extended_connect_is_not_http_1_1(idle_client: HTTP1Connection) -> None:
    with pytest.raises(LocalProtocolError):
        idle_client.send_request(b"CONNECT", b"/", [HOST], protocol=b"websocket")
