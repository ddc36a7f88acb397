"""Truths that hold for any bytes: cuts do not matter, faults are named, both ends agree, and h11 agrees."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from h123.protocol.connection import Role
from h123.protocol.errors import RemoteProtocolError
from h123.protocol.events import (
    DataReceived,
    Event,
    Headers,
    RequestReceived,
    ResponseReceived,
    TrailersReceived,
)
from h123.protocol.http1.connection import HTTP1Connection
from h123.protocol.limits import DEFAULT_LIMITS, Limits

TIGHT = Limits(
    start_line_size=30, header_block_size=60, header_fields=4, chunk_size_line=6, empty_lines=1
)

FRAGMENTS = (
    b"GET / HTTP/1.1\r\n", b"POST /a HTTP/1.1\r\n", b"CONNECT a:1 HTTP/1.1\r\n", b"GET / HTTP/1.0\r\n",
    b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 100\r\n\r\n", b"HTTP/1.0 404 No\r\n", b"HTTP/1.1 101 Yes\r\n\r\n",
    b"Host: a\r\n", b"Content-Length: 3\r\n", b"Content-Length: 3\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n",
    b"Connection: close\r\n", b"Connection: keep-alive\r\n", b"Expect: 100-continue\r\n", b" folded\r\n",
    b"abc", b"3\r\nabc\r\n", b"3;x=y\r\nabc\r\n", b"0\r\n", b"0\r\n\r\n", b"A: b\r\n", b"A: b\r\n\r\n",
    b"\r\n", b"\r", b"\n", b"\x00", b" ", b":", b"\r\n\r\n", b"a" * 40,
)  # fmt: skip

wires = st.one_of(
    st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.binary(max_size=3)), max_size=12).map(
        b"".join
    ),
    st.binary(max_size=60),
)
Whole = Callable[[Iterable[Event]], list[Event]]


def engine_for(role: Role, limits: Limits, method: bytes) -> HTTP1Connection:
    engine = HTTP1Connection(role, limits=limits)
    if role is Role.CLIENT:
        fields = [(b"Host", b"a"), (b"Connection", b"upgrade"), (b"Upgrade", b"x")]
        engine.send_request(method, b"/", fields, end_stream=method != b"CONNECT")
    return engine


def converse(engine: HTTP1Connection, pieces: Iterable[bytes]) -> tuple[list[Event], object]:
    """Feed the pieces, answer every request, feed the end, and return the events and the fault."""
    events: list[Event] = []
    fault: object = None

    def take(step: Callable[[], list[Event]]) -> None:
        nonlocal fault
        try:
            new = step()
        except RemoteProtocolError as error:
            new = error.events
            fault = (error.rule, error.status, error.stream_id)
        events.extend(new)
        if any(isinstance(event, RequestReceived) for event in new):
            answer(engine, events)
            take(lambda: engine.receive_data(b""))

    for piece in pieces:
        take(lambda piece=piece: engine.receive_data(piece))  # type: ignore[misc]  # bound at once
        assert len(engine._waiting) <= len(b"".join(FRAGMENTS)) * 12 + 40
    take(engine.receive_eof)
    return events, fault


def answer(engine: HTTP1Connection, events: list[Event]) -> None:
    request = next(event for event in reversed(events) if isinstance(event, RequestReceived))
    if not engine.is_closed and not engine.is_idle:
        engine.send_response(request.stream_id, 200, [], end_stream=request.method != b"CONNECT")


@given(
    wires,
    st.sampled_from(Role),
    st.sampled_from([TIGHT, DEFAULT_LIMITS]),
    st.sampled_from([b"GET", b"HEAD", b"CONNECT"]),
    st.data(),
)
def test_any_bytes_give_the_same_however_they_are_cut(
    whole: Whole, wire: bytes, role: Role, limits: Limits, method: bytes, data: st.DataObject
) -> None:
    """Nothing but RemoteProtocolError is raised, and whole, in parts and byte by byte give one result."""
    results = []
    cut = data.draw(st.integers(0, len(wire)))
    for pieces in ([wire], [wire[:cut], wire[cut:]], [bytes((byte,)) for byte in wire]):
        events, fault = converse(engine_for(role, limits, method), pieces)
        results.append((whole(events), fault))
    assert results[0] == results[1] == results[2]


tokens = st.text("abcXYZ019!#$%&'*+-.^_`|~", min_size=1, max_size=8).map(str.encode)
values = st.text('ab :,;="\t\x80\xff', max_size=10).map(lambda text: text.encode("latin-1").strip())
fields: st.SearchStrategy[Headers] = st.lists(
    st.tuples(tokens.map(lambda name: b"x-" + name), values), max_size=5
)
contents = st.lists(st.binary(max_size=20), max_size=4)
methods = st.sampled_from([b"GET", b"POST", b"OPTIONS", b"M-SEARCH"])
targets = st.text("/a?b=%&~", max_size=10).map(lambda text: b"/" + text.encode())


def send_content(engine: HTTP1Connection, pieces: list[bytes], trailers: Headers | None) -> None:
    for piece in pieces:
        engine.send_data(engine._stream_id, piece)
    if trailers is None:
        engine.send_data(engine._stream_id, b"", end_stream=True)
    else:
        engine.send_trailers(engine._stream_id, trailers)


def deliver(sender: HTTP1Connection, receiver: HTTP1Connection, size: int) -> list[Event]:
    wire = sender.data_to_send()
    events: list[Event] = []
    for start in range(0, len(wire), size):
        events += receiver.receive_data(wire[start : start + size])
    return events


def framing(told: bool, pieces: list[bytes]) -> Headers:
    return [(b"Content-Length", b"%d" % len(b"".join(pieces)))] if told else []


exchanges = st.tuples(
    methods, targets, fields, contents, st.booleans(), fields,
    st.sampled_from([200, 404, 299]), fields, contents, st.booleans(), fields, st.integers(1, 50),
)  # fmt: skip


@given(st.lists(exchanges, min_size=1, max_size=3))
def test_two_ends_tell_each_other_everything(whole: Whole, rounds: list[Any]) -> None:
    client, server = HTTP1Connection(Role.CLIENT), HTTP1Connection(Role.SERVER)
    for (
        method, target, headers, pieces, told, trailers,
        status, answer_headers, answer_pieces, answer_told, answer_trailers, size,
    ) in rounds:  # fmt: skip
        sent = [*framing(told, pieces), *headers]
        stream_id = client.send_request(method, target, sent, authority=b"example.org")
        send_content(client, pieces, None if told else trailers)
        events = whole(deliver(client, server, size))
        (request, *rest) = events
        assert isinstance(request, RequestReceived)
        assert (request.stream_id, request.method, request.target) == (stream_id, method, target)
        added = [] if told else [(b"Transfer-Encoding", b"chunked")]
        assert request.headers == [(b"Host", b"example.org"), *sent, *added]
        check_content(request, rest, pieces, [] if told else trailers)

        sent = [*framing(answer_told, answer_pieces), *answer_headers]
        server.send_response(stream_id, status, sent)
        send_content(server, answer_pieces, None if answer_told else answer_trailers)
        (response, *rest) = whole(deliver(server, client, size))
        assert isinstance(response, ResponseReceived)
        added = [] if answer_told else [(b"Transfer-Encoding", b"chunked")]
        assert (response.status, response.headers) == (status, [*sent, *added])
        check_content(response, rest, answer_pieces, [] if answer_told else answer_trailers)
    assert client.available_streams == 1
    assert server.is_idle


def check_content(
    head: RequestReceived | ResponseReceived,
    events: list[Event],
    pieces: list[bytes],
    trailers: Headers,
) -> None:
    expected: list[Event] = []
    body = b"".join(pieces)
    if not head.end_stream and (body or not trailers):
        expected.append(DataReceived(head.stream_id, body, not trailers))
    if trailers:
        expected.append(TrailersReceived(head.stream_id, trailers))
    assert events == expected


def h11_messages(role: Any, wire: bytes, method: bytes = b"GET") -> list[Any]:
    """What h11 reads: start line, headers in lower case, content, trailers."""
    peer = h11.Connection(role)
    if role is h11.CLIENT:
        peer.send(h11.Request(method=method, target=b"/", headers=[(b"Host", b"a")]))
        peer.send(h11.EndOfMessage())
    peer.receive_data(wire)
    peer.receive_data(b"")
    start: tuple[object, ...] = ()
    body, trailers = b"", []
    while True:
        event = peer.next_event()
        if isinstance(event, h11.Request):
            start = (event.method, event.target, lower(event.headers))
        elif isinstance(event, h11.Response):
            start = (event.status_code, event.reason, lower(event.headers))
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            trailers = lower(event.headers)
            return [start, body, trailers]


def our_messages(role: Role, wire: bytes, method: bytes = b"GET") -> list[Any]:
    engine = HTTP1Connection(role)
    if role is Role.CLIENT:
        engine.send_request(method, b"/", [(b"Host", b"a")], end_stream=True)
    start: tuple[object, ...] = ()
    body, trailers = b"", []
    for event in engine.receive_data(wire) + engine.receive_eof():
        if isinstance(event, RequestReceived):
            start = (event.method, event.target, lower(event.headers))
        elif isinstance(event, ResponseReceived):
            start = (event.status, event.reason, lower(event.headers))
        elif isinstance(event, DataReceived):
            body += event.data
        elif isinstance(event, TrailersReceived):
            trailers = lower(event.headers)
    return [start, body, trailers]


def lower(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    return [(bytes(name).lower(), bytes(value)) for name, value in headers]


@given(methods, targets, fields, contents, st.booleans(), fields)
def test_h11_reads_our_requests_as_we_do(
    method: bytes, target: bytes, headers: Headers, pieces: list[bytes], told: bool, extra: Headers
) -> None:
    client = HTTP1Connection(Role.CLIENT)
    client.send_request(method, target, [(b"Host", b"a"), *framing(told, pieces), *headers])
    send_content(client, pieces, None if told else extra)
    wire = client.data_to_send()
    assert our_messages(Role.SERVER, wire) == h11_messages(h11.SERVER, wire)


@given(
    st.sampled_from([b"GET", b"HEAD"]),
    st.sampled_from([b"HTTP/1.1 200 OK", b"HTTP/1.1 404", b"HTTP/1.0 500 Oh no", b"HTTP/1.1 204 No Content"]),
    fields,
    contents,
    st.sampled_from(["length", "chunked", "closing"]),
    fields,
)  # fmt: skip
def test_h11_reads_responses_as_we_do(
    method: bytes, line: bytes, headers: Headers, pieces: list[bytes], kind: str, extra: Headers
) -> None:
    wire = line + b"\r\n" + encode(headers)
    bare = method == b"HEAD" or b"204" in line
    body = b"".join(pieces)
    if kind == "length":
        wire += b"Content-Length: %d\r\n\r\n" % len(body) + (b"" if bare else body)
    elif kind == "chunked" and b"1.0" not in line and not bare:
        wire += b"Transfer-Encoding: chunked\r\n\r\n"
        wire += b"".join(b"%X;a=b\r\n%b\r\n" % (len(piece), piece) for piece in pieces if piece)
        wire += b"0\r\n" + encode(extra) + b"\r\n"
    else:
        wire += b"\r\n" + (b"" if bare else body)
    ours = our_messages(Role.CLIENT, wire, method)
    assert ours == h11_messages(h11.CLIENT, wire, method)


def encode(headers: Headers) -> bytes:
    return b"".join(b"%b: %b\r\n" % field for field in headers)


@pytest.mark.parametrize("role", Role)
def test_many_small_pieces_cost_no_more_than_their_number(role: Role) -> None:
    """A head and a trailer section near their limits, singly: what is kept is what is not yet read."""
    engine = engine_for(role, DEFAULT_LIMITS, b"GET")
    start = b"PUT / HTTP/1.1\r\nHost: a" if role is Role.SERVER else b"HTTP/1.1 200 OK"
    head = start + b"\r\nTransfer-Encoding: chunked\r\nA: " + b"b" * 60000 + b"\r\n\r\n"
    events: list[Event] = []
    for byte in head + b"0\r\nA: " + b"b" * 60000 + b"\r\n\r\n":
        events += engine.receive_data(bytes((byte,)))
    assert len(events) == 2
    assert engine._waiting == b""
