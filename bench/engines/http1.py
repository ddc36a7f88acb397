"""HTTP/1.1: a parse is a new engine fed one request; a cycle is request in and response out, kept alive."""

from __future__ import annotations

from typing import Any

from .measure import Case, Operation

TARGET = b"/index.html?q=1"
HEADERS = [
    (b"Host", b"www.example.com"),
    (b"User-Agent", b"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"),
    (b"Accept", b"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    (b"Accept-Language", b"en-US,en;q=0.5"),
    (b"Accept-Encoding", b"gzip, deflate, br, zstd"),
    (b"Connection", b"keep-alive"),
    (b"Cookie", b"session=0123456789abcdef0123456789abcdef; theme=dark"),
    (b"Upgrade-Insecure-Requests", b"1"),
]
REQUEST = (
    b"GET " + TARGET + b" HTTP/1.1\r\n" + b"".join(b"%b: %b\r\n" % f for f in HEADERS) + b"\r\n"
)
CONTENT = b"Hello, world!"
RESPONSE_HEADERS = [
    (b"Date", b"Sun, 06 Nov 1994 08:49:37 GMT"),
    (b"Server", b"bench"),
    (b"Content-Type", b"text/plain; charset=utf-8"),
    (b"Content-Length", b"%d" % len(CONTENT)),
]
RESPONSE = (
    b"HTTP/1.1 200 OK\r\n"
    + b"".join(b"%b: %b\r\n" % f for f in RESPONSE_HEADERS)
    + b"\r\n"
    + CONTENT
)


def _h123_parse() -> Operation:
    from h123.protocol.connection import Role
    from h123.protocol.http1.connection import HTTP1Connection

    return lambda: HTTP1Connection(Role.SERVER).receive_data(REQUEST)


def _h123_server() -> Operation:
    from h123.protocol.connection import Role
    from h123.protocol.http1.connection import HTTP1Connection

    server = HTTP1Connection(Role.SERVER)

    def cycle() -> bytes:
        (request,) = server.receive_data(REQUEST)
        stream_id = request.stream_id  # type: ignore[attr-defined]  # a server's first event is a request
        server.send_response(stream_id, 200, RESPONSE_HEADERS)
        server.send_data(stream_id, CONTENT, end_stream=True)
        return server.data_to_send()

    return cycle


def _h123_client() -> Operation:
    from h123.protocol.connection import Role
    from h123.protocol.events import DataReceived
    from h123.protocol.http1.connection import HTTP1Connection

    client = HTTP1Connection(Role.CLIENT)

    def cycle() -> None:
        client.send_request(b"GET", TARGET, HEADERS, end_stream=True)
        client.data_to_send()
        _, content = client.receive_data(RESPONSE)
        assert isinstance(content, DataReceived)
        client.consume(content.stream_id, len(content.data))

    return cycle


def _h11_parse() -> Operation:
    import h11

    def parse() -> None:
        connection = h11.Connection(h11.SERVER)
        connection.receive_data(REQUEST)
        connection.next_event()
        connection.next_event()

    return parse


def _h11_server() -> Operation:
    import h11

    server = h11.Connection(h11.SERVER)

    def cycle() -> bytes:
        server.receive_data(REQUEST)
        server.next_event()
        server.next_event()
        head = h11.Response(status_code=200, reason=b"OK", headers=RESPONSE_HEADERS)
        sent = server.send(head)
        sent += server.send(h11.Data(data=CONTENT))
        sent += server.send(h11.EndOfMessage())
        server.start_next_cycle()
        return sent

    return cycle


def _h11_client() -> Operation:
    import h11

    client = h11.Connection(h11.CLIENT)

    def cycle() -> None:
        client.send(h11.Request(method=b"GET", target=TARGET, headers=HEADERS))
        client.send(h11.EndOfMessage())
        client.receive_data(RESPONSE)
        client.next_event()
        client.next_event()
        client.next_event()
        client.start_next_cycle()

    return cycle


class _Collector:
    """What every user of httptools writes: it keeps what the parser calls back with."""

    __slots__ = ("complete", "content", "headers", "target")

    def __init__(self) -> None:
        self.target = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.content: list[bytes] = []
        self.complete = False

    def on_message_begin(self) -> None:
        self.headers = []
        self.complete = False

    def on_url(self, url: bytes) -> None:
        self.target = url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name, value))

    def on_body(self, body: bytes) -> None:
        self.content.append(body)

    def on_message_complete(self) -> None:
        self.complete = True


def _httptools_parse() -> Operation:
    import httptools

    def parse() -> None:
        parser = httptools.HttpRequestParser(_Collector())
        parser.feed_data(REQUEST)
        parser.get_method()

    return parse


def _zttp_parse() -> Operation:
    import zttp

    def parse() -> None:
        connection = zttp.Connection(zttp.SERVER)
        request: Any = connection.receive_event(REQUEST)
        request.headers.to_list()
        connection.next_event()

    return parse


def _zttp_server() -> Operation:
    import zttp

    server = zttp.Connection(zttp.SERVER)

    def cycle() -> bytes:
        request: Any = server.receive_event(REQUEST)
        request.headers.to_list()
        server.next_event()
        server.send_response(200, RESPONSE_HEADERS)
        server.send_data(CONTENT)
        server.end_message()
        sent: bytes = server.data_to_send()
        server.start_next_cycle()
        return sent

    return cycle


def _zttp_client() -> Operation:
    import zttp

    client = zttp.Connection(zttp.CLIENT)

    def cycle() -> None:
        client.send_request(b"GET", TARGET, b"1.1", HEADERS)
        client.end_message()
        client.data_to_send()
        response: Any = client.receive_event(RESPONSE)
        response.headers.to_list()
        client.next_event()
        client.next_event()
        client.start_next_cycle()

    return cycle


CASES: dict[str, Case] = {
    "HTTP/1.1 request parse": {
        "h123": _h123_parse,
        "h11": _h11_parse,
        "httptools": _httptools_parse,
        "zttp": _zttp_parse,
    },
    "HTTP/1.1 server cycle": {"h123": _h123_server, "h11": _h11_server, "zttp": _zttp_server},
    "HTTP/1.1 client cycle": {"h123": _h123_client, "h11": _h11_client, "zttp": _zttp_client},
}
