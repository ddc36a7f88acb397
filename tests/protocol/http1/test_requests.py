"""RFC 9112 sections 2, 3 and 5: what a server takes for a request, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from h123.protocol.errors import RemoteProtocolError
from h123.protocol.events import DataReceived, Event, RequestReceived
from h123.protocol.http1.connection import HTTP1Connection
from h123.protocol.http1.syntax import is_host

Refuse = Callable[[HTTP1Connection, bytes], RemoteProtocolError]
RequestOf = Callable[[list[Event]], RequestReceived]


def test_2_1_a_request_is_told_as_it_came(server: HTTP1Connection) -> None:
    events = server.receive_data(
        b"POST /a?b=c HTTP/1.1\r\nhOsT: example.org:80\r\nX-Thing:\t a b \t\r\nContent-Length: 2\r\n\r\nok"
    )
    headers = [(b"hOsT", b"example.org:80"), (b"X-Thing", b"a b"), (b"Content-Length", b"2")]
    assert events == [
        RequestReceived(1, b"POST", b"/a?b=c", b"", b"example.org:80", headers, False, "HTTP/1.1"),
        DataReceived(1, b"ok", True),
    ]


@pytest.mark.parametrize("empty_lines", [b"", b"\r\n", b"\r\n\r\n"])
def test_2_2_empty_lines_before_a_request_are_skipped(
    server: HTTP1Connection, request_of: RequestOf, empty_lines: bytes
) -> None:
    assert request_of(server.receive_data(empty_lines + b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"))


def test_2_2_empty_lines_are_skipped_however_they_are_cut(
    server: HTTP1Connection, request_of: RequestOf
) -> None:
    for piece in (b"\r", b"\n", b"\r", b"\nG", b"ET / HTTP/1.1\r\nHost: a\r\n\r"):
        assert server.receive_data(piece) == []
    assert request_of(server.receive_data(b"\n"))


def test_2_2_there_may_be_two_and_no_more(server: HTTP1Connection, refuse: Refuse) -> None:
    assert refuse(server, b"\r\n\r\n\r\nGET").rule == "empty-lines"


@pytest.mark.parametrize(
    ("line", "scheme", "authority"),
    [
        (b"GET / HTTP/1.1", b"", b"h"),
        (b"GET // HTTP/1.1", b"", b"h"),
        (b'GET /%zz?a=%00&{}|"<>[]\\^` HTTP/1.1', b"", b"h"),
        (b"GET http://example.org HTTP/1.1", b"http", b"example.org"),
        (b"GET HTTPS://example.org:8443?q HTTP/1.1", b"https", b"example.org:8443"),
        (b"PUT ftp://[::1]:21/x HTTP/1.1", b"ftp", b"[::1]:21"),
        (b"OPTIONS * HTTP/1.1", b"", b"h"),
        (b"OPTIONS / HTTP/1.1", b"", b"h"),
        (b"CONNECT example.org:443 HTTP/1.1", b"", b"example.org:443"),
        (b"CONNECT [2001:db8::1]:443 HTTP/1.1", b"", b"[2001:db8::1]:443"),
        (b"M!#$%&'*+-.^_`|~9 / HTTP/1.1", b"", b"h"),
    ],
)
def test_3_2_the_forms_of_a_target(
    server: HTTP1Connection, request_of: RequestOf, line: bytes, scheme: bytes, authority: bytes
) -> None:
    request = request_of(server.receive_data(line + b"\r\nHost: h\r\n\r\n"))
    method, target, _ = line.split(b" ")
    assert (request.method, request.target) == (method, target)
    assert (request.scheme, request.authority) == (scheme, authority)
    assert request.end_stream is (method != b"CONNECT")


@pytest.mark.parametrize(
    ("line", "status", "rule"),
    [
        (b"GET /", 400, "request-line"),
        (b"GET", 400, "request-line"),
        (b"GET  / HTTP/1.1", 400, "request-line"),
        (b"GET / HTTP/1.1 ", 400, "request-line"),
        (b"GET / b HTTP/1.1", 400, "request-line"),
        (b"GET\t/\tHTTP/1.1", 400, "request-line"),
        (b" GET / HTTP/1.1", 400, "method"),
        (b"G(T / HTTP/1.1", 400, "method"),
        (b"G\x80T / HTTP/1.1", 400, "method"),
        (b"(GET / HTTP/1.1", 400, "method"),
        (b"\x16\x03\x01\x02\x00", 400, "method"),
        (b"GET / HTTP/1.2", 505, "version-unsupported"),
        (b"GET / HTTP/2.0", 505, "version-unsupported"),
        (b"GET / HTTP/0.9", 505, "version-unsupported"),
        (b"PRI * HTTP/2.0", 505, "version-unsupported"),
        (b"GET / HTTP/1.10", 400, "version"),
        (b"GET / HTTP/1,1", 400, "version"),
        (b"GET / HTTP/+.1", 400, "version"),
        (b"GET / http/1.1", 400, "version"),
        (b"GET / HTTPS/1.1", 400, "version"),
        (b"GET / ", 400, "version"),
        (b"GET  HTTP/1.1", 400, "target-form"),
        (b"GET a HTTP/1.1", 400, "target-form"),
        (b"GET * HTTP/1.1", 400, "target-form"),
        (b"OPTIONS ** HTTP/1.1", 400, "target-form"),
        (b"GET example.org:80 HTTP/1.1", 400, "target-form"),
        (b"GET http:/a HTTP/1.1", 400, "target-form"),
        (b"GET http:///a HTTP/1.1", 400, "target-form"),
        (b"GET http://:80/ HTTP/1.1", 400, "target-form"),
        (b"GET http://user@a/ HTTP/1.1", 400, "target-form"),
        (b"GET http://a:b/ HTTP/1.1", 400, "target-form"),
        (b"GET 1http://a/ HTTP/1.1", 400, "target-form"),
        (b"GET ht_tp://a/ HTTP/1.1", 400, "target-form"),
        (b"GET ://a/ HTTP/1.1", 400, "target-form"),
        (b"CONNECT / HTTP/1.1", 400, "target-form"),
        (b"CONNECT a HTTP/1.1", 400, "target-form"),
        (b"CONNECT a: HTTP/1.1", 400, "target-form"),
        (b"CONNECT :1 HTTP/1.1", 400, "target-form"),
        (b"CONNECT a/b:1 HTTP/1.1", 400, "target-form"),
        (b"CONNECT http://a:1 HTTP/1.1", 400, "target-form"),
        (b"GET /#fragment HTTP/1.1", 400, "target"),
        (b"GET /\xc3\xa9 HTTP/1.1", 400, "target"),
        (b"GET /\ta HTTP/1.1", 400, "target"),
    ],
)
def test_3_a_wrong_request_line_is_refused(
    server: HTTP1Connection, refuse: Refuse, line: bytes, status: int, rule: str
) -> None:
    error = refuse(server, line + b"\r\nHost: h\r\n\r\n")
    assert (error.status, error.rule, error.stream_id) == (status, rule, 1)


@pytest.mark.parametrize(
    "host",
    [
        b"", b"a", b"example.org", b"example.org:80", b"example.org:", b"under_score", b"127.0.0.1:1",
        b"[::1]", b"[::1]:80", b"[2001:db8::1]", b"[::ffff:1.2.3.4]", b"[v1.a:b]",
        b"%C3%A9.example", b"a%2Db%2d:1", b"a!$&'()*+,;=~",
    ],
)  # fmt: skip
def test_3_2_a_host_that_is_one(
    server: HTTP1Connection, request_of: RequestOf, host: bytes
) -> None:
    request = request_of(server.receive_data(b"GET / HTTP/1.1\r\nHost: " + host + b"\r\n\r\n"))
    assert request.authority == host


@pytest.mark.parametrize(
    "host",
    [
        b"a b", b"a/b", b"a@b", b"a?b", b"a#b", b"a\\b", b"a:b", b"a:+1", b"a:1:2", b"a:-1", b"::1", b"[::1",
        b"[::1]a", b"[::1]:x", b"[1]", b"[]", b"[::g]", b"[v1]", b"[v.a]", b"[vg.a]", b"[v1.]", b"[v1.@]",
        b"a%", b"a%2", b"a%zz", b"a%20/", b"<a>%20", b"\xc3\xa9", b'"a"',
    ],
)  # fmt: skip
def test_3_2_a_host_that_is_none(server: HTTP1Connection, refuse: Refuse, host: bytes) -> None:
    error = refuse(server, b"GET / HTTP/1.1\r\nHost: " + host + b"\r\n\r\n")
    assert (error.status, error.rule) == (400, "host-malformed")
    assert not is_host(host)


@pytest.mark.parametrize(
    ("fields", "status", "rule"),
    [
        (b"", 400, "host-missing"),
        (b"Accept: */*\r\n", 400, "host-missing"),
        (b"Host: a\r\nHost: a\r\n", 400, "host-repeated"),
        (b"Host:\r\nhost:\r\n", 400, "host-repeated"),
        (b"Host : a\r\n", 400, "space-before-colon"),
        (b"Host: a\r\nTransfer-Encoding\t: chunked\r\n", 400, "space-before-colon"),
        (b"Host: a\r\n X: b\r\n", 400, "obs-fold"),
        (b"Host: a\r\n\tb\r\n", 400, "obs-fold"),
        (b" Host: a\r\n", 400, "obs-fold"),
        (b"Host: a\r\nX\r\n", 400, "field-without-colon"),
        (b"Host: a\r\nHost\r\n", 400, "field-without-colon"),
        (b"Host: a\r\nAccept\r\n", 400, "field-without-colon"),
        (b"Host: a\r\n: b\r\n", 400, "field-name"),
        (b"Host: a\r\nA(b): c\r\n", 400, "field-name"),
        (b"Host: a\r\nA b: c\r\n", 400, "field-name"),
        (b"Host: a\r\nA\x80: c\r\n", 400, "field-name"),
        (b"Host: a\r\nX: a\x00b\r\n", 400, "control-character"),
        (b"Host: a\r\nX: a\x0bb\r\n", 400, "control-character"),
        (b"Host: a\r\nX: a\x7fb\r\n", 400, "control-character"),
        (b"Host: a\r\nX: a\rb\r\n", 400, "bare-cr"),
        (b"Host: a\r\nX: a\r\r\n", 400, "bare-cr"),
        (b"Host: a\r\nX: a\nY: b\r\n", 400, "bare-lf"),
        (b"\nHost: a\r\n", 400, "bare-lf"),
        (b"Host: a\n", 400, "bare-lf"),
    ],
)
def test_5_a_wrong_field_is_refused(
    server: HTTP1Connection, refuse: Refuse, fields: bytes, status: int, rule: str
) -> None:
    error = refuse(server, b"GET / HTTP/1.1\r\n" + fields + b"\r\n")
    assert (error.status, error.rule, error.stream_id) == (status, rule, 1)


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"\n", "bare-lf"),
        (b"\rG", "bare-cr"),
        (b"GET / HTTP/1.1\n", "bare-lf"),
        (b"\x80", "method"),
        (b"GET / HTTP/1.1\r\n\n", "bare-lf"),
    ],
)
def test_2_2_what_can_not_become_a_request_is_refused_at_once(
    server: HTTP1Connection, refuse: Refuse, data: bytes, rule: str
) -> None:
    assert refuse(server, data).rule == rule


@pytest.mark.parametrize(
    "name", [b"Accept", b"ACCEPT", b"aCCept", b"X", b"x-y", b"!#$%&'*+-.^_`|~"]
)
def test_5_1_names_keep_their_wire_case(
    server: HTTP1Connection, request_of: RequestOf, name: bytes
) -> None:
    data = b"GET / HTTP/1.1\r\nHost: a\r\n" + name + b":v\r\n\r\n"
    assert request_of(server.receive_data(data)).headers[1] == (name, b"v")


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b"", b""),
        (b"  ", b""),
        (b" a", b"a"),
        (b"a:b", b"a:b"),
        (b"\ta\tb ", b"a\tb"),
        (b"\xff\x80", b"\xff\x80"),
    ],
)
def test_5_5_values_without_the_whitespace_around_them(
    server: HTTP1Connection, request_of: RequestOf, raw: bytes, value: bytes
) -> None:
    data = b"GET / HTTP/1.1\r\nHost: a\r\nX:" + raw + b"\r\n\r\n"
    assert request_of(server.receive_data(data)).headers[1] == (b"X", value)


def test_a_1_1_http_1_0_needs_no_host(server: HTTP1Connection, request_of: RequestOf) -> None:
    request = request_of(server.receive_data(b"GET / HTTP/1.0\r\n\r\n"))
    assert (request.http_version, request.authority, request.end_stream) == ("HTTP/1.0", b"", True)


def test_a_refused_request_can_be_answered_and_then_the_connection_is_closed(
    server: HTTP1Connection,
) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        server.receive_data(b"GET / HTTP/1.1\r\n\r\n")
    error = caught.value
    assert error.stream_id == 1
    assert not server.is_closed
    server.send_response(1, error.status, [(b"Content-Length", b"3")])
    server.send_data(1, b"no!", end_stream=True)
    assert server.data_to_send() == (
        b"HTTP/1.1 400 Bad Request\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno!"
    )
    assert server.is_closed


def test_the_answer_to_what_may_not_be_http_1_1_ends_with_the_connection(
    server: HTTP1Connection,
) -> None:
    with pytest.raises(RemoteProtocolError):
        server.receive_data(b"GET / HTTP/2.0\r\n\r\n")
    server.send_informational(1, 103, [])
    server.send_response(1, 505, [])
    server.send_data(1, b"no!", end_stream=True)
    assert server.data_to_send() == (
        b"HTTP/1.1 505 HTTP Version Not Supported\r\nConnection: close\r\n\r\nno!"
    )


def test_what_came_whole_before_a_fault_is_in_the_error(server: HTTP1Connection) -> None:
    """An early response, then the end of its request, then garbage: three things in one batch."""
    server.receive_data(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab")
    server.send_response(1, 200, [], end_stream=True)
    with pytest.raises(RemoteProtocolError) as caught:
        server.receive_data(b"cd\x00")
    assert caught.value.events == [DataReceived(1, b"cd", True)]
    assert caught.value.stream_id == 2
