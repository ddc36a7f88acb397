"""A server's HTTP/2 on a real connection, rule by rule: RFC 9113, RFC 7541.

Each case is bytes sent behind the preface, and what has to come back. The cases cover what the public
conformance suites ask: what must work, what must be refused, with which error and on which level. They run
against a folder and against a handler that echoes.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.conftest import Serve
from tests.protocol.http2.playbook import (
    ACK,
    END_HEADERS,
    END_STREAM,
    KINDS,
    PADDED,
    PREFACE,
    PRIORITY,
    SETTINGS_ACK,
    Fields,
    Frame,
    block,
    data,
    frame,
    goaway,
    headers,
    ping,
    rst_stream,
    settings,
    window_update,
)

from h123.message import Request, Response
from h123.server.files import Files

NO_ERROR, PROTOCOL, INTERNAL, FLOW, TIMEOUT, CLOSED, SIZE, REFUSED = range(8)
CANCEL, COMPRESSION = 8, 9

GET: Fields = [
    (b":method", b"GET"),
    (b":scheme", b"http"),
    (b":authority", b"localhost"),
    (b":path", b"/page.txt"),
]
POST: Fields = [(b":method", b"POST"), *GET[1:]]
HEAD: Fields = [(b":method", b"HEAD"), *GET[1:]]
TOO_LARGE = [(b"x-%d" % number, b"x" * 4000) for number in range(5)]
UNKNOWN = 0x16
INITIAL_WINDOW = 4


# ------------------------------------------------------------------------------ the other end


async def _echo(request: Request) -> Response:
    return Response(200, content=await request.aread())


@pytest.fixture(scope="module", params=["folder", "echo"])
def port(
    request: pytest.FixtureRequest, serve: Serve, tmp_path_factory: pytest.TempPathFactory
) -> int:
    if request.param == "echo":
        return serve(_echo).port("http")
    folder: Path = tmp_path_factory.mktemp("served")
    (folder / "page.txt").write_text("0123456789")
    return serve(Files(str(folder))).port("http")


class Talk:
    """A client that speaks raw frames."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=5)
        self.received = bytearray()

    def send(self, *pieces: bytes) -> None:
        self.socket.sendall(b"".join(pieces))

    def frames(self) -> Iterator[Frame]:
        """Give the frames that come, to the end of the connection, and acknowledge settings."""
        while True:
            while len(self.received) >= 9:
                size = int.from_bytes(self.received[:3], "big")
                if len(self.received) < 9 + size:
                    break
                kind, flags = self.received[3], self.received[4]
                stream = int.from_bytes(self.received[5:9], "big")
                found = Frame(KINDS[kind], stream, flags, bytes(self.received[9 : 9 + size]))
                del self.received[: 9 + size]
                yield found
            try:
                more = self.socket.recv(65536)
            except ConnectionResetError:
                return
            if not more:
                return
            self.received += more

    def expect(self, kind: str, stream: int = 0) -> Frame:
        """Return the next frame of this kind and stream."""
        for found in self.frames():
            if (found.kind, found.stream) == (kind, stream):
                return found
            assert found.kind != "GOAWAY", found
        raise AssertionError(f"the connection ended before {kind}")

    def close_or_error(self) -> tuple[str, int, int]:
        """Return the first RST_STREAM or GOAWAY, its stream and its code."""
        for found in self.frames():
            if found.kind in ("RST_STREAM", "GOAWAY"):
                return found.kind, found.stream, found.code
        return "closed", 0, 0

    def ended(self) -> bool:
        return all(True for _ in self.frames())


@contextmanager
def talk(port: int, *pairs: tuple[int, int], greet: bool = True) -> Iterator[Talk]:
    one = Talk(port)
    try:
        if greet:
            one.send(PREFACE, settings(*pairs))
            one.expect("SETTINGS")
            one.send(SETTINGS_ACK)
        yield one
    finally:
        one.socket.close()


def answer(one: Talk, stream: int) -> tuple[bytes, bytes]:
    """Return an answer's header block and content, to its end."""
    head = one.expect("HEADERS", stream)
    content = b""
    ended = head.flags & END_STREAM
    while not ended:
        part = one.expect("DATA", stream)
        content += part.payload
        ended = part.flags & END_STREAM
    return head.payload, content


def end(stream: int, fields: Fields = GET) -> bytes:
    return headers(stream, fields, end=True)


def opened(stream: int, fields: Fields = POST) -> bytes:
    return headers(stream, fields)


def begun(stream: int, payload: bytes, *, flags: int = END_HEADERS | END_STREAM) -> bytes:
    return frame("HEADERS", stream, flags, payload)


# ------------------------------------------------------------------------------- what must work

WORKS = [
    ("generic 2 PRIORITY on an idle stream", frame("PRIORITY", 1, 0, b"\0\0\0\0\xff") + end(1), 1),
    ("generic 2 WINDOW_UPDATE half-closed", end(1) + window_update(1, 100), 1),
    ("generic 2 PRIORITY half-closed", end(1) + frame("PRIORITY", 1, 0, b"\0\0\0\0\xff"), 1),
    ("generic 3.1 DATA", opened(1) + data(1, b"test", end=True), 1),
    ("generic 3.1 DATA twice", opened(1) + data(1, b"te") + data(1, b"st", end=True), 1),
    ("generic 3.1 DATA padded", opened(1) + frame("DATA", 1, PADDED | END_STREAM, b"\6test" + bytes(6)), 1),
    ("generic 3.2 HEADERS", end(1), 1),
    ("generic 3.2 HEADERS padded", begun(1, b"\6" + block(GET) + bytes(6), flags=0xD), 1),
    ("generic 3.2 HEADERS with priority", begun(1, b"\0\0\0\0\x0f" + block(GET), flags=0x25), 1),
    ("generic 3.3 PRIORITY 1", frame("PRIORITY", 1, 0, b"\0\0\0\0\0") + end(1), 1),
    ("generic 3.3 PRIORITY 256", frame("PRIORITY", 1, 0, b"\0\0\0\0\xff") + end(1), 1),
    ("generic 3.3 PRIORITY depends", frame("PRIORITY", 3, 0, b"\0\0\0\1\xff") + end(1), 1),
    ("generic 3.3 PRIORITY exclusive", frame("PRIORITY", 3, 0, b"\x80\0\0\1\xff") + end(1), 1),
    ("generic 3.3 PRIORITY later id", frame("PRIORITY", 5, 0, b"\0\0\0\0\xff") + end(1), 1),
    ("generic 3.4 RST_STREAM then another", opened(1) + rst_stream(1) + end(3), 3),
    ("generic 3.5 SETTINGS", settings((3, 100)) + end(1), 1),
    ("generic 3.9 WINDOW_UPDATE of the connection", window_update(0, 1) + end(1), 1),
    ("generic 3.9 WINDOW_UPDATE of a stream", opened(1) + window_update(1, 1) + data(1, end=True), 1),
    ("generic 3.10 CONTINUATION", begun(1, block(GET)[:20], flags=1)
        + frame("CONTINUATION", 1, END_HEADERS, block(GET)[20:]), 1),
    ("generic 3.10 CONTINUATION twice", begun(1, block(GET)[:20], flags=1)
        + frame("CONTINUATION", 1, 0, block(GET)[20:30])
        + frame("CONTINUATION", 1, END_HEADERS, block(GET)[30:]), 1),
    ("generic 4 HEAD", end(1, HEAD), 1),
    ("generic 4 POST with trailers", opened(1) + data(1, b"x") + end(1, [(b"x-trailer", b"y")]), 1),
    ("generic 5 indexed field", begun(1, b"\x82\x86\x41\x09localhost\x04\x09/page.txt"), 1),
    ("generic 5 literal with indexing, name indexed", begun(1, b"\x82\x86\x41\x09localhost\x44\x09/page.txt"), 1),
    ("generic 5 literal with indexing, new name", begun(1, block(GET) + b"\x40\x04x-ab\x01c"), 1),
    ("generic 5 literal without indexing, new name", begun(1, block(GET) + b"\x00\x04x-ab\x01c"), 1),
    ("generic 5 literal without indexing, name indexed", begun(1, block(GET) + b"\x0f\x2b\x01c"), 1),
    ("generic 5 literal never indexed, new name", begun(1, block(GET) + b"\x10\x04x-ab\x01c"), 1),
    ("generic 5 literal never indexed, name indexed", begun(1, block(GET) + b"\x1f\x2b\x01c"), 1),
    ("generic 5 dynamic entry", begun(1, block(GET) + b"\x40\x04x-ab\x01c") + begun(3, block(GET) + b"\xbe"), 3),
    ("generic 5 Huffman", begun(1, block(GET) + b"\x00\x81\x1f\x85\x18\xc6\x31\x8c\x63"), 1),
    ("generic 5 table size update", begun(1, b"\x20" + block(GET)), 1),
    ("generic 5 table size updates", begun(1, b"\x20\x3f\xe1\x1f" + block(GET)), 1),
    ("http2 4.1 unknown type", frame(UNKNOWN, 0, 0, bytes(8)) + end(1), 1),
    ("http2 4.1 undefined flags", frame("PING", 0, 0x16, bytes(8)) + end(1), 1),
    ("http2 4.1 reserved bit", frame("PING", 0x80000000, 0, bytes(8)) + end(1), 1),
    ("http2 4.2 DATA of 16384", opened(1) + data(1, bytes(16384), end=True), 1),
    ("http2 5.1 closed, PRIORITY", end(1) + frame("PRIORITY", 1, 0, b"\0\0\0\0\xff") + end(3), 3),
    ("http2 5.1 closed by RST_STREAM, WINDOW_UPDATE", opened(1) + rst_stream(1)
        + window_update(1, 1) + end(3), 3),
    ("http2 5.5 unknown extension", frame(UNKNOWN, 0, 0xFF, b"x" * 100) + end(1), 1),
    ("http2 6.5.2 unknown setting", settings((0xFF, 1)) + end(1), 1),
    ("http2 6.5.3 the last value holds", settings((4, 100), (4, 1 << 20)) + end(1), 1),
    ("http2 6.7 PING acknowledged unasked", ping(ack=True) + end(1), 1),
    ("http2 6.10 CONTINUATION empty", begun(1, block(GET), flags=1)
        + frame("CONTINUATION", 1, END_HEADERS), 1),
    ("http2 7 RST_STREAM of unknown code", opened(1) + rst_stream(1, 0xFF) + end(3), 3),
    ("http2 7 GOAWAY of unknown code", end(1) + goaway(0, 0xFF), 1),
    ("http2 8.1 HEAD", end(1, HEAD), 1),
    ("http2 8.2.2 TE: trailers", end(1, [*GET, (b"te", b"trailers")]), 1),
    ("http2 8.2.3 cookie crumbs", end(1, [*GET, (b"cookie", b"a=1"), (b"cookie", b"b=2")]), 1),
    ("http2 8.3.1 OPTIONS *", end(1, [(b":method", b"OPTIONS"), *GET[1:3], (b":path", b"*")]), 1),
]  # fmt: skip


@pytest.mark.parametrize(("sent", "stream"), [pytest.param(*c[1:], id=c[0]) for c in WORKS])
def test_what_must_work(port: int, sent: bytes, stream: int) -> None:
    with talk(port) as one:
        one.send(sent)
        answer(one, stream)


def test_generic_1_settings_are_acknowledged(port: int) -> None:
    with talk(port) as one:
        while not one.expect("SETTINGS").flags & ACK:
            pass


@pytest.mark.parametrize("payload", [b"12345678", bytes(8)])
def test_6_7_pings_are_answered(port: int, payload: bytes) -> None:
    with talk(port) as one:
        one.send(ping(payload))
        found = one.expect("PING")
        assert (found.flags, found.payload) == (ACK, payload)


@pytest.mark.parametrize("fields", [GET, HEAD])
def test_8_1_content_is_what_the_method_asks_for(port: int, fields: Fields) -> None:
    with talk(port) as one:
        one.send(end(1, fields))
        _, content = answer(one, 1)
        assert content in (b"0123456789" if fields is GET else b"", b"")


def test_6_8_a_client_that_leaves_gets_its_answers(port: int) -> None:
    with talk(port) as one:
        one.send(end(1), goaway(0))
        answer(one, 1)


@pytest.mark.parametrize("window", [1, 3])
def test_6_9_1_no_more_is_sent_than_the_window(port: int, window: int) -> None:
    with talk(port, (INITIAL_WINDOW, window)) as one:
        one.send(opened(1), data(1, b"x" * 10, end=True))
        if one.expect("HEADERS", 1).payload[:1] == b"\x88":
            assert len(one.expect("DATA", 1).payload) == window


def test_6_9_2_windows_move_with_the_setting_below_zero_too(port: int) -> None:
    with talk(port, (INITIAL_WINDOW, 3)) as one:
        one.send(end(1))
        _start(one, 3)
        one.send(settings((INITIAL_WINDOW, 2)), ping())  # the window is -1 now
        one.expect("PING")
        one.send(window_update(1, 2))
        _continue(one, 1)


def test_6_9_2_a_window_opened_by_the_setting_is_used(port: int) -> None:
    with talk(port, (INITIAL_WINDOW, 0)) as one:
        one.send(end(1))
        head = one.expect("HEADERS", 1)
        one.send(settings((INITIAL_WINDOW, 1)))
        if not head.flags & END_STREAM:
            assert len(one.expect("DATA", 1).payload) == 1


def _start(one: Talk, size: int) -> None:
    if not one.expect("HEADERS", 1).flags & END_STREAM:
        assert len(one.expect("DATA", 1).payload) == size
    else:
        pytest.skip("this handler has nothing to send")


def _continue(one: Talk, size: int) -> None:
    assert len(one.expect("DATA", 1).payload) == size


# -------------------------------------------------------------------------- what must be refused

LARGE = block([*GET, *TOO_LARGE])
BROKEN = [
    ("http2 4.2 HEADERS over the frame size", begun(1, LARGE), {SIZE}),
    ("http2 4.3 a block that is none", begun(1, b"\x40"), {COMPRESSION}),
    ("http2 4.3 PRIORITY in a block", begun(1, block(GET), flags=0)
        + frame("PRIORITY", 1, 0, b"\0\0\0\0\xff"), {PROTOCOL}),
    ("http2 4.3 another stream's HEADERS in a block", begun(1, block(GET), flags=0) + end(3), {PROTOCOL}),
    ("http2 5.1 idle, DATA", data(1, b"x", end=True), {PROTOCOL}),
    ("http2 5.1 idle, RST_STREAM", rst_stream(1), {PROTOCOL}),
    ("http2 5.1 idle, WINDOW_UPDATE", window_update(1, 100), {PROTOCOL}),
    ("http2 5.1 idle, CONTINUATION", frame("CONTINUATION", 1, END_HEADERS, block(GET)), {PROTOCOL}),
    ("http2 5.1 half-closed, CONTINUATION", end(1)
        + frame("CONTINUATION", 1, END_HEADERS, block(GET)), {PROTOCOL, CLOSED}),
    ("http2 5.1 closed by RST_STREAM, CONTINUATION", opened(1) + rst_stream(1)
        + frame("CONTINUATION", 1, END_HEADERS, block(GET)), {PROTOCOL, CLOSED}),
    ("http2 5.1.1 even id", end(2), {PROTOCOL}),
    ("http2 5.1.1 lower id", end(5) + end(3), {PROTOCOL}),
    ("http2 5.4.1 a PING that is none", end(1) + frame("PING", 0, 0, bytes(6)), {SIZE}),
    ("http2 5.5 unknown frame in a block", begun(1, block(GET), flags=1) + frame(UNKNOWN), {PROTOCOL}),
    ("http2 6.1 DATA on stream 0", data(0, b"x"), {PROTOCOL}),
    ("http2 6.1 more padding than DATA", opened(1) + frame("DATA", 1, PADDED, b"\x06test"), {PROTOCOL}),
    ("http2 6.1 padded DATA of nothing", opened(1) + frame("DATA", 1, PADDED), {SIZE, PROTOCOL}),
    ("http2 6.2 HEADERS on stream 0", end(0), {PROTOCOL}),
    ("http2 6.2 more padding than HEADERS", begun(1, b"\xff" + block(GET), flags=0xD), {PROTOCOL}),
    ("http2 6.2 DATA in a block", begun(1, block(GET), flags=0) + data(1, b"x"), {PROTOCOL}),
    ("http2 6.3 PRIORITY on stream 0", frame("PRIORITY", 0, 0, b"\0\0\0\1\xff"), {PROTOCOL}),
    ("http2 6.4 RST_STREAM on stream 0", rst_stream(0), {PROTOCOL}),
    ("http2 6.4 RST_STREAM of 3 bytes", opened(1) + frame("RST_STREAM", 1, 0, bytes(3)), {SIZE}),
    ("http2 6.5 SETTINGS acknowledged with content", frame("SETTINGS", 0, ACK, bytes(6)), {SIZE}),
    ("http2 6.5 SETTINGS on a stream", frame("SETTINGS", 1, 0, bytes(6)), {PROTOCOL}),
    ("http2 6.5 SETTINGS of 3 bytes", frame("SETTINGS", 0, 0, bytes(3)), {SIZE}),
    ("http2 6.5.2 ENABLE_PUSH 2", settings((2, 2)), {PROTOCOL}),
    ("http2 6.5.2 INITIAL_WINDOW_SIZE 2^31", settings((4, 1 << 31)), {FLOW}),
    ("http2 6.5.2 MAX_FRAME_SIZE 16383", settings((5, 16383)), {PROTOCOL}),
    ("http2 6.5.2 MAX_FRAME_SIZE 2^24", settings((5, 1 << 24)), {PROTOCOL}),
    ("http2 6.6 PUSH_PROMISE", opened(1) + frame("PUSH_PROMISE", 1, END_HEADERS, b"\0\0\0\2" + block(GET)),
        {PROTOCOL}),
    ("http2 6.7 PING on a stream", frame("PING", 1, 0, bytes(8)), {PROTOCOL}),
    ("http2 6.7 PING of 6 bytes", frame("PING", 0, 0, bytes(6)), {SIZE}),
    ("http2 6.8 GOAWAY on a stream", frame("GOAWAY", 1, 0, bytes(8)), {PROTOCOL}),
    ("http2 6.8 GOAWAY of 7 bytes", frame("GOAWAY", 0, 0, bytes(7)), {SIZE}),
    ("http2 6.9 WINDOW_UPDATE of 0", window_update(0, 0), {PROTOCOL}),
    ("http2 6.9 WINDOW_UPDATE of 3 bytes", frame("WINDOW_UPDATE", 0, 0, bytes(3)), {SIZE}),
    ("http2 6.9.1 the connection's window too large", window_update(0, 2**31 - 1) * 2, {FLOW}),
    ("http2 6.9.2 INITIAL_WINDOW_SIZE too large", settings((4, 2**31)), {FLOW}),
    ("http2 6.10 another frame in a block", begun(1, block(GET), flags=1)
        + frame("CONTINUATION", 1, 0) + data(1, b"x"), {PROTOCOL}),
    ("http2 6.10 CONTINUATION on stream 0", begun(1, block(GET), flags=1)
        + frame("CONTINUATION", 0, END_HEADERS), {PROTOCOL}),
    ("http2 6.10 CONTINUATION after END_HEADERS", opened(1)
        + frame("CONTINUATION", 1, END_HEADERS, block([(b"a", b"b")])), {PROTOCOL}),
    ("http2 6.10 CONTINUATION after the last", begun(1, block(GET)[:9], flags=0)
        + frame("CONTINUATION", 1, END_HEADERS, block(GET)[9:])
        + frame("CONTINUATION", 1, END_HEADERS, block([(b"a", b"b")])), {PROTOCOL}),
    ("http2 6.10 CONTINUATION after DATA", opened(1) + data(1, b"test")
        + frame("CONTINUATION", 1, END_HEADERS, block([(b"a", b"b")])), {PROTOCOL}),
    ("hpack 2.3.3 an index past both tables", begun(1, block(GET) + b"\xff\x80\x01"), {COMPRESSION}),
    ("hpack 2.3.3 a name's index past both tables", begun(1, block(GET) + b"\x7f\x80\x01\x01x"), {COMPRESSION}),
    ("hpack 4.2 a size update at the end", begun(1, block(GET) + b"\x20"), {COMPRESSION}),
    ("hpack 5.1 an integer without end", begun(1, block(GET) + b"\xff" * 12), {COMPRESSION}),
    ("hpack 5.2 Huffman padding of 8 bits", begun(1, block(GET) + b"\x00\x86\x18\xc6\x31\x8c\x63\xff\x01x"),
        {COMPRESSION}),
    ("hpack 5.2 Huffman padding of zeros", begun(1, block(GET) + b"\x00\x81\x18\x01x"),
        {COMPRESSION}),
    ("hpack 5.2 Huffman with end of string", begun(1, block(GET)
        + b"\x00\x85\x1f\xff\xff\xff\xff\x01x"), {COMPRESSION}),
    ("hpack 5.2 a string that is cut off", begun(1, block(GET) + b"\x00\x10abc"), {COMPRESSION}),
    ("hpack 6.1 index 0", begun(1, block(GET) + b"\x80"), {COMPRESSION}),
    ("hpack 6.3 a size over the limit", begun(1, b"\x3f\xe2\x1f" + block(GET)), {COMPRESSION}),
]  # fmt: skip


@pytest.mark.parametrize(("sent", "codes"), [pytest.param(*c[1:], id=c[0]) for c in BROKEN])
def test_what_ends_the_connection(port: int, sent: bytes, codes: set[int]) -> None:
    with talk(port) as one:
        one.send(sent)
        kind, _, code = one.close_or_error()
        assert kind == "GOAWAY"
        assert code in codes
        assert one.ended()


FAULTY = [
    ("http2 4.2 DATA over the frame size", opened(1) + data(1, bytes(16385)), {SIZE}),
    ("http2 5.1 half-closed, DATA", end(1) + data(1, b"x"), {CLOSED}),
    ("http2 5.1 half-closed, HEADERS", end(1) + end(1), {CLOSED}),
    ("http2 5.1 closed by RST_STREAM, DATA", opened(1) + rst_stream(1) + data(1, b"x"), {CLOSED}),
    ("http2 5.1 closed by RST_STREAM, HEADERS", opened(1) + rst_stream(1) + end(1), {CLOSED}),
    ("http2 5.3.1 HEADERS depend on themselves", begun(1, b"\0\0\0\1\xff" + block(GET),
        flags=END_HEADERS | END_STREAM | PRIORITY), {PROTOCOL}),
    ("http2 5.3.1 PRIORITY depends on itself", frame("PRIORITY", 1, 0, b"\0\0\0\1\xff"), {PROTOCOL}),
    ("http2 6.3 PRIORITY of 4 bytes", opened(1) + frame("PRIORITY", 1, 0, bytes(4)), {SIZE}),
    ("http2 6.9 WINDOW_UPDATE of 0 on a stream", opened(1) + window_update(1, 0), {PROTOCOL}),
    ("http2 6.9.1 a stream's window too large", opened(1) + window_update(1, 2**31 - 1) * 2, {FLOW}),
    ("http2 8.1 HEADERS in the middle", opened(1) + headers(1, [(b"x-t", b"y")]), {PROTOCOL}),
    ("http2 8.1 upper case in trailers", opened(1) + data(1, b"x") + end(1, [(b"X-T", b"y")]), {PROTOCOL}),
    ("http2 8.1.1 Content-Length, one DATA", opened(1, [*POST, (b"content-length", b"1")])
        + data(1, b"test", end=True), {PROTOCOL}),
    ("http2 8.1.1 Content-Length, two DATA", opened(1, [*POST, (b"content-length", b"1")])
        + data(1, b"test") + data(1, b"test", end=True), {PROTOCOL}),
    ("http2 8.1.1 Content-Length, no DATA", end(1, [*POST, (b"content-length", b"1")]), {PROTOCOL}),
    ("http2 8.1.1 Content-Length that differ", opened(1, [*POST, (b"content-length", b"1"),
        (b"content-length", b"2")]), {PROTOCOL}),
    *[(f"http2 {name}", end(1, fields), {PROTOCOL}) for name, fields in [
        ("8.2 upper case in a name", [*GET, (b"X-TEST", b"ok")]),
        ("8.2.1 a space in a name", [*GET, (b"x test", b"ok")]),
        ("8.2.1 a line feed in a value", [*GET, (b"x-test", b"o\nk")]),
        ("8.2.1 a null in a value", [*GET, (b"x-test", b"o\0k")]),
        ("8.2.1 a space before a value", [*GET, (b"x-test", b" ok")]),
        ("8.2.1 an empty name", [*GET, (b"", b"ok")]),
        ("8.2.2 Connection", [*GET, (b"connection", b"keep-alive")]),
        ("8.2.2 Transfer-Encoding", [*GET, (b"transfer-encoding", b"chunked")]),
        ("8.2.2 TE", [*GET, (b"te", b"trailers, deflate")]),
        ("8.3 an unknown pseudo-header field", [*GET, (b":test", b"ok")]),
        ("8.3 a response's pseudo-header field", [*GET, (b":status", b"200")]),
        ("8.3 a pseudo-header field behind another field", [*GET[:3], (b"x-test", b"ok"), GET[3]]),
        ("8.3.1 an empty :path", [*GET[:3], (b":path", b"")]),
        ("8.3.1 no :method", GET[1:]),
        ("8.3.1 no :scheme", [GET[0], *GET[2:]]),
        ("8.3.1 no :path", GET[:3]),
        ("8.3.1 :method twice", [GET[0], *GET]),
        ("8.3.1 :scheme twice", [GET[1], *GET]),
        ("8.3.1 :path twice", [GET[3], *GET]),
        ("8.3.1 :authority and Host differ", [*GET, (b"host", b"elsewhere")]),
        ("8.5 CONNECT with :path", [(b":method", b"CONNECT"), *GET[1:]]),
    ]],
    ("http2 8.3 a pseudo-header field in trailers", opened(1) + end(1, [(b":method", b"GET")]), {PROTOCOL}),
]  # fmt: skip


@pytest.mark.parametrize(("sent", "codes"), [pytest.param(*c[1:], id=c[0]) for c in FAULTY])
def test_what_ends_the_stream_or_the_connection(port: int, sent: bytes, codes: set[int]) -> None:
    with talk(port) as one:
        one.send(sent)
        kind, stream, code = one.close_or_error()
        assert kind in ("RST_STREAM", "GOAWAY")
        assert code in codes
        if kind == "RST_STREAM":
            assert stream == 1
            one.send(end(3))
            answer(one, 3)


@pytest.mark.parametrize("late", [data(1, b"x"), end(1), frame("CONTINUATION", 1, 4, block(GET))])
def test_5_1_nothing_comes_on_a_stream_that_has_ended(port: int, late: bytes) -> None:
    with talk(port) as one:
        one.send(end(1))
        answer(one, 1)
        one.send(late)
        kind, _, code = one.close_or_error()
        assert (kind, code) in {("GOAWAY", CLOSED), ("GOAWAY", PROTOCOL)}


def test_3_4_a_preface_that_is_none_ends_the_connection(port: int) -> None:
    with talk(port, greet=False) as one:
        one.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\rX", settings())
        assert one.close_or_error()[0] in ("GOAWAY", "closed")


def test_5_1_2_streams_past_the_limit_are_refused(port: int) -> None:
    with talk(port, (INITIAL_WINDOW, 0)) as one:
        one.send(*[opened(stream) for stream in range(1, 205, 2)])
        kind, _, code = one.close_or_error()
        assert kind == "RST_STREAM"
        assert code in (REFUSED, PROTOCOL, NO_ERROR)


def test_5_4_1_goaway_tells_the_last_stream(port: int) -> None:
    with talk(port) as one:
        one.send(end(1), end(3), frame("PING", 0, 0, bytes(6)))
        for found in one.frames():
            if found.kind == "GOAWAY":
                assert int.from_bytes(found.payload[:4], "big") == 3
                return
        raise AssertionError("no GOAWAY")


def test_8_1_an_error_while_content_is_coming_ends_the_stream_cleanly(port: int) -> None:
    """The answer comes whole, then RST_STREAM with NO_ERROR at most; the rest of the content is harmless."""
    with talk(port) as one:
        one.send(opened(1, [*POST[:3], (b":path", b"/no/such/file")]), data(1, b"x" * 1000))
        one.send(data(1, b"x" * 1000, end=True), end(3))
        answers = set()
        for found in one.frames():
            assert found.kind != "GOAWAY"
            if found.kind == "RST_STREAM":
                assert (found.stream, found.code) == (1, NO_ERROR)
            if found.flags & END_STREAM and found.kind in ("HEADERS", "DATA"):
                answers.add(found.stream)
            if answers == {1, 3}:
                return
