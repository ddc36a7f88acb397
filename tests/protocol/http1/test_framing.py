"""RFC 9112 sections 6 and 7: where content ends, in requests and in responses, read by both ends."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest

from h123.protocol.connection import Role
from h123.protocol.errors import RemoteProtocolError
from h123.protocol.events import DataReceived, Event, RequestReceived, TrailersReceived
from h123.protocol.http1.connection import HTTP1Connection

Refuse = Callable[[HTTP1Connection, bytes], RemoteProtocolError]
Content = Callable[[Iterable[Event]], bytes]

POST = b"POST / HTTP/1.1\r\nHost: a\r\n"
POST_1_0 = b"POST / HTTP/1.0\r\n"
OK = b"HTTP/1.1 200 OK\r\n"
OK_1_0 = b"HTTP/1.0 200 OK\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"

# Smuggling: fields, and the status and rule that requests are refused with. Responses have the same rule.
AMBIGUOUS = [
    (b"Content-Length: 1\r\nTransfer-Encoding: chunked", 400, "content-length-and-transfer-encoding"),
    (b"Transfer-Encoding: chunked\r\nContent-Length: 0", 400, "content-length-and-transfer-encoding"),
    (b"Transfer-Encoding: x\r\nContent-Length: 0", 400, "content-length-and-transfer-encoding"),
    (b"Content-Length: 1\r\nContent-Length: 2", 400, "content-length-differing"),
    (b"Content-Length: 1, 2", 400, "content-length-differing"),
    (b"Content-Length: 1,", 400, "content-length-differing"),
    (b"Content-Length: 1\r\nCONTENT-length:", 400, "content-length-differing"),
    (b"Content-Length: x, x", 400, "content-length-malformed"),
    (b"Content-Length:", 400, "content-length-malformed"),
    (b"Content-Length: +1", 400, "content-length-malformed"),
    (b"Content-Length: -1", 400, "content-length-malformed"),
    (b"Content-Length: 0x1", 400, "content-length-malformed"),
    (b"Content-Length: 1_0", 400, "content-length-malformed"),
    (b"Content-Length: 1 0", 400, "content-length-malformed"),
    (b"Content-Length: 1.0", 400, "content-length-malformed"),
    (b"Content-Length: \xb2", 400, "content-length-malformed"),
    (b"Content-Length: 9999999999999999999", 413, "content-length-too-large"),
    (b"Content-Length: " + b"9" * 5000, 413, "content-length-too-large"),
    (b"Transfer-Encoding:", 400, "transfer-encoding-malformed"),
    (b"Transfer-Encoding: identity", 400, "transfer-encoding-malformed"),
    (b"Transfer-Encoding: gzip", 400, "transfer-encoding-malformed"),
    (b"Transfer-Encoding: xchunked", 400, "transfer-encoding-malformed"),
    (b"Transfer-Encoding: chunked, gzip", 400, "transfer-encoding-malformed"),
    (b"Transfer-Encoding: chunked, chunked", 400, "transfer-encoding-malformed"),
    (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", 400, "transfer-encoding-malformed"),
    (b"Transfer-Encoding: chunked,", 400, "transfer-encoding-malformed"),
    (b"Transfer-Encoding: ,chunked", 400, "transfer-encoding-malformed"),
    (b"Transfer-Encoding: chunked;q=1", 400, "transfer-encoding-malformed"),
    (b'Transfer-Encoding: "chunked"', 400, "transfer-encoding-malformed"),
    (b"Transfer-Encoding: gz/ip, chunked", 400, "transfer-encoding-malformed"),
    (b"Transfer-Encoding: gzip, chunked", 501, "transfer-coding-unknown"),
    (b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked", 501, "transfer-coding-unknown"),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "status", "rule"), AMBIGUOUS)
def test_6_3_a_request_framed_in_two_ways_is_refused(
    server: HTTP1Connection, refuse: Refuse, fields: bytes, status: int, rule: str
) -> None:
    error = refuse(server, POST + fields + b"\r\n\r\n")
    assert (error.status, error.rule, error.stream_id) == (status, rule, 1)


@pytest.mark.parametrize(("fields", "status", "rule"), AMBIGUOUS)
def test_6_3_a_response_framed_in_two_ways_is_refused(
    client: HTTP1Connection, refuse: Refuse, fields: bytes, status: int, rule: str
) -> None:
    error = refuse(client, OK + fields + b"\r\n\r\n")
    assert (error.rule, error.stream_id) == (rule, 1)
    assert client.is_closed


def test_6_1_http_1_0_has_no_transfer_encoding(
    server: HTTP1Connection, client: HTTP1Connection, refuse: Refuse
) -> None:
    assert refuse(server, POST_1_0 + CHUNKED).rule == "transfer-encoding-in-http10"
    assert refuse(client, OK_1_0 + CHUNKED).rule == "transfer-encoding-in-http10"


def test_8_6_the_same_length_twice_is_refused_in_requests(
    server: HTTP1Connection, refuse: Refuse
) -> None:
    assert refuse(server, POST + b"Content-Length: 1, 1\r\n\r\n").rule == "content-length-repeated"


@pytest.mark.parametrize(
    "fields", [b"Content-Length: 1, 1", b"Content-Length: 1\r\nContent-Length: 1"]
)
def test_8_6_the_same_length_twice_is_taken_once_in_responses(
    client: HTTP1Connection, fields: bytes
) -> None:
    events = client.receive_data(OK + fields + b"\r\n\r\na")
    assert events[1:] == [DataReceived(1, b"a", True)]


@pytest.mark.parametrize("version", [POST, POST_1_0])
@pytest.mark.parametrize("length", [b"5", b"005"])
def test_6_2_content_length(server: HTTP1Connection, version: bytes, length: bytes) -> None:
    head = version + b"Content-Length: " + length + b"\r\n\r\n"
    events = server.receive_data(head + b"ab")
    assert events[1:] == [DataReceived(1, b"ab", False)]
    assert server.receive_data(b"cde") == [DataReceived(1, b"cde", True)]


@pytest.mark.parametrize("fields", [b"", b"Content-Length: 0\r\n", b"Content-Length: 000\r\n"])
def test_6_3_a_request_without_content(server: HTTP1Connection, fields: bytes) -> None:
    (event,) = server.receive_data(POST + fields + b"\r\n")
    assert isinstance(event, RequestReceived)
    assert event.end_stream


def test_6_content_is_handed_on_without_a_copy(client: HTTP1Connection) -> None:
    client.receive_data(OK + b"Content-Length: 10000\r\n\r\n")
    piece = bytes(4000)
    (event,) = client.receive_data(piece)
    assert isinstance(event, DataReceived)
    assert event.data is piece


@pytest.mark.parametrize("coding", [b"chunked", b"Chunked", b"CHUNKED"])
@pytest.mark.parametrize(
    ("wire", "expected"),
    [
        (b"0\r\n\r\n", b""),
        (b"5\r\nhello\r\n0\r\n\r\n", b"hello"),
        (b"1\r\na\r\n2\r\nbc\r\n00\r\n\r\n", b"abc"),
        (b"A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", b"0123456789" * 2),
        (b"000000000000002\r\n\r\n\r\n0\r\n\r\n", b"\r\n"),
        (b'1;a\r\nx\r\n0;b=c;d="e;f"\r\n\r\n', b"x"),
        (b"1 \t;\xff\r\nx\r\n0\r\n\r\n", b"x"),
        (b"1;\r\nx\r\n0\r\n\r\n", b"x"),
    ],
)
def test_7_1_chunks(
    server: HTTP1Connection,
    client: HTTP1Connection,
    content: Content,
    coding: bytes,
    wire: bytes,
    expected: bytes,
) -> None:
    fields = b"Transfer-Encoding: " + coding + b"\r\n\r\n"
    for engine, head in ((server, POST), (client, OK)):
        events = engine.receive_data(head + fields + wire)
        assert events[1:] == [DataReceived(1, expected, True)]
    twin = HTTP1Connection(Role.SERVER)
    events = [event for byte in POST + fields + wire for event in twin.receive_data(bytes((byte,)))]
    assert content(events) == expected
    assert isinstance(events[-1], RequestReceived | DataReceived)
    assert events[-1].end_stream


@pytest.mark.parametrize(
    ("wire", "status", "rule"),
    [
        (b"\r\n", 400, "chunk-size"),
        (b"x\r\n", 400, "chunk-size"),
        (b"+1\r\n", 400, "chunk-size"),
        (b"-1\r\n", 400, "chunk-size"),
        (b"0x1\r\n", 400, "chunk-size"),
        (b"1_0\r\n", 400, "chunk-size"),
        (b" 1\r\n", 400, "chunk-size"),
        (b";a\r\n", 400, "chunk-size"),
        (b"1\n\r\n", 400, "chunk-size"),
        (b"1\ra\r\n", 400, "chunk-size"),
        (b"1 a\r\n", 400, "chunk-size"),
        (b"1;a\nb\r\n", 400, "chunk-extension"),
        (b"1;a\rb\r\n", 400, "chunk-extension"),
        (b"1;a\x00b\r\n", 400, "chunk-extension"),
        (b"1000000000000000\r\n", 413, "chunk-size-too-large"),
        (b"0" * 16 + b"\r\n", 413, "chunk-size-too-large"),
        (b"f" * 100 + b";a\r\n", 413, "chunk-size-too-large"),
        (b"1;" + b"a" * 255 + b"\r\n", 400, "chunk-size-too-long"),
        (b"1;" + b"a" * 256, 400, "chunk-size-too-long"),
        (b"1\r\nab\r\n", 400, "chunk-data-end"),
        (b"1\r\na\n0\r\n", 400, "chunk-data-end"),
        (b"1\r\na\rb", 400, "chunk-data-end"),
        (b"1\r\naX", 400, "chunk-data-end"),
        (b"1\r\na0\r\n\r\n", 400, "chunk-data-end"),
    ],
)
def test_7_1_wrong_chunks_are_refused(
    server: HTTP1Connection,
    client: HTTP1Connection,
    refuse: Refuse,
    wire: bytes,
    status: int,
    rule: str,
) -> None:
    for engine, head in ((server, POST), (client, OK)):
        error = refuse(engine, head + CHUNKED + wire)
        assert (error.status, error.rule, error.stream_id) == (status, rule, 1)


def test_7_1_a_size_padded_with_spaces_is_taken_from_servers_alone(
    server: HTTP1Connection, client: HTTP1Connection, refuse: Refuse
) -> None:
    wire = b"1  \r\na\r\n0 \r\n\r\n"
    assert client.receive_data(OK + CHUNKED + wire)[1:] == [DataReceived(1, b"a", True)]
    assert refuse(server, POST + CHUNKED + wire).rule == "chunk-size-padding"


def test_7_1_content_before_a_fault_is_in_the_error(server: HTTP1Connection) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        server.receive_data(POST + CHUNKED + b"1\r\na\r\nx\r\n")
    assert caught.value.events[1:] == [DataReceived(1, b"a", False)]
    server.send_response(1, caught.value.status, [], end_stream=True)
    assert b"Connection: close" in server.data_to_send()
    assert server.is_closed


def test_7_1_a_fault_after_the_response_closes(server: HTTP1Connection) -> None:
    server.receive_data(POST + CHUNKED)
    server.send_response(1, 200, [], end_stream=True)
    assert not server.is_closed
    with pytest.raises(RemoteProtocolError):
        server.receive_data(b"x\r\n")
    assert server.is_closed


def test_7_1_a_response_that_has_begun_can_be_ended_after_a_fault(server: HTTP1Connection) -> None:
    server.receive_data(POST + CHUNKED)
    server.send_response(1, 200, [])
    with pytest.raises(RemoteProtocolError):
        server.receive_data(b"x\r\n")
    server.send_data(1, b"", end_stream=True)
    assert server.data_to_send().endswith(b"\r\n0\r\n\r\n")
    assert server.is_closed


def test_7_1_1_extensions_must_not_outweigh_the_content(
    server: HTTP1Connection, refuse: Refuse
) -> None:
    chunk = b"1;" + b"a" * 250 + b"\r\nx\r\n"
    assert refuse(server, POST + CHUNKED + chunk * 300).rule == "chunk-extensions-too-large"


def test_7_1_1_extensions_on_chunks_of_some_size_may_go_on_for_ever(
    server: HTTP1Connection, content: Content
) -> None:
    signed = b"80;" + b"a" * 250 + b"\r\n" + bytes(128) + b"\r\n" + b"80\r\n" + bytes(128) + b"\r\n"
    events = server.receive_data(POST + CHUNKED)
    for _ in range(1000):
        events += server.receive_data(signed)
    assert len(content(events)) == 256_000


def test_7_1_2_trailers(server: HTTP1Connection, client: HTTP1Connection) -> None:
    wire = b"1\r\nx\r\n0\r\nA: b\r\nc:  d \r\n\r\n"
    for engine, head in ((server, POST), (client, OK)):
        events = engine.receive_data(head + CHUNKED + wire)
        assert events[1:] == [
            DataReceived(1, b"x", False),
            TrailersReceived(1, [(b"A", b"b"), (b"c", b"d")]),
        ]


def test_7_1_2_trailers_without_content(server: HTTP1Connection) -> None:
    events = server.receive_data(POST + CHUNKED + b"0\r\nA: b\r\n\r\n")
    assert events[1:] == [TrailersReceived(1, [(b"A", b"b")])]


def test_7_1_2_trailers_however_they_are_cut(server: HTTP1Connection) -> None:
    events = [
        event
        for byte in POST + CHUNKED + b"0\r\nA: b\r\n\r\n"
        for event in server.receive_data(bytes((byte,)))
    ]
    assert events[1:] == [TrailersReceived(1, [(b"A", b"b")])]


@pytest.mark.parametrize(
    ("section", "rule"),
    [
        (b"Content-Length: 1\r\n", "trailer-field"),
        (b"Transfer-Encoding: chunked\r\n", "trailer-field"),
        (b"Host: a\r\n", "trailer-field"),
        (b" A: b\r\n", "obs-fold"),
        (b"A : b\r\n", "space-before-colon"),
        (b"A: b\n", "bare-lf"),
        (b"\nA: b\r\n", "bare-lf"),
        (b"\rA: b\r\n", "bare-cr"),
        (b"A: \x00\r\n", "control-character"),
        (b"A\r\n", "field-without-colon"),
    ],
)
def test_7_1_2_wrong_trailers_are_refused(
    server: HTTP1Connection, refuse: Refuse, section: bytes, rule: str
) -> None:
    assert refuse(server, POST + CHUNKED + b"0\r\n" + section + b"\r\n").rule == rule
