"""Request: made by a program, received by a server."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from h123.message import URL, AsyncByteStream, ByteStream, Headers, Request, SyncByteStream
from h123.message.exceptions import InvalidURL, RequestNotRead, StreamClosed


class SyncStream(SyncByteStream):
    def __iter__(self) -> Iterator[bytes]:
        yield b"hel"
        yield b"lo"
        self.trailers = [(b"X-Sum", b"1")]


class AsyncStream(AsyncByteStream):
    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b"hel"
        yield b"lo"
        self.trailers = [(b"X-Sum", b"1")]


def received(**changes: Any) -> Request:
    given = {
        "method": b"POST",
        "scheme": b"https",
        "authority": b"Example.org:8443",
        "target": b"/a%20b?c=d",
        "headers": [(b"Content-Type", b"text/plain; charset=latin-1")],
        "stream": SyncStream(),
        **changes,
    }
    return Request.received(**given)


def test_a_request_of_a_program() -> None:
    request = Request("GET", "https://a.b/c?x=1", headers={"X-A": "b"}, extensions={"k": 1})
    assert request.method == "GET"
    assert request.url == "https://a.b/c?x=1"
    assert request.target == b"/c?x=1"
    assert request.headers == Headers({"x-a": "b"})
    assert request.extensions == {"k": 1}
    assert request.content == request.read() == b""
    assert repr(request) == "<Request('GET', 'https://a.b/c?x=1')>"


def test_params_replace_the_query() -> None:
    assert Request("GET", "https://a.b/?x=1", params={"y": 2}).url == "https://a.b/?y=2"
    assert Request("GET", "https://a.b/?x=1").url == "https://a.b/?x=1"
    assert Request("GET", URL("https://a.b/?x=1"), params={}).url == "https://a.b/"


@pytest.mark.parametrize(
    ("given", "method"),
    [
        ("get", "GET"),
        ("POST", "POST"),
        ("Get", "Get"),
        ("M-SEARCH", "M-SEARCH"),
        ("query", "query"),
    ],
)
def test_methods_are_kept_but_for_the_usual_ones_in_lower_case(given: str, method: str) -> None:
    assert Request(given, "https://a.b/").method == method


@pytest.mark.parametrize("method", ["", "GET ", "GET\r\nX: y", "G\0", "É", "A B", "A:B"])
def test_a_method_is_a_token_rfc_9110_9_1(method: str) -> None:
    with pytest.raises(ValueError, match="Invalid method"):
        Request(method, "https://a.b/")


def test_wrong_arguments() -> None:
    with pytest.raises(TypeError, match="Method must be str"):
        Request(b"GET", "https://a.b/")  # type: ignore[arg-type]
    with pytest.raises(InvalidURL):
        Request("GET", "https://a.b:x/")
    with pytest.raises(ValueError, match="'X-A'"):
        Request("GET", "https://a.b/", headers={"X-A": "a\r\nb"})


def test_headers_are_copied() -> None:
    headers = Headers({"a": "b"})
    request = Request("POST", "https://a.b/", headers=headers, content=b"x")
    request.headers["c"] = "d"
    assert headers == {"a": "b"}


def test_the_url_can_be_changed() -> None:
    request = Request("GET", "https://a.b/")
    request.url = "https://c.d/x"
    assert request.url.host == "c.d"
    request.url = URL("https://e.f/")
    assert request.target == b"/"
    request.extensions = {"a": 1}
    assert request.extensions == {"a": 1}


def test_a_received_request_is_not_copied_and_parsed_late() -> None:
    raw = [(b"A", b"b")]
    stream = SyncStream()
    request = received(headers=raw, stream=stream, http_version="HTTP/2")
    assert request.method == "POST"
    assert request.headers.raw is raw
    assert request.stream is stream
    assert request.http_version == "HTTP/2"
    assert request.target == b"/a%20b?c=d"
    assert request.url == "https://example.org:8443/a%20b?c=d"
    assert request.url.path == "/a b"
    assert request.extensions == {}
    late = received(authority=b"a b")
    with pytest.raises(InvalidURL):
        _ = late.url
    assert received(method=b"OPTIONS", target=b"*").target == b"*"


def test_reading_a_received_request() -> None:
    request = received()
    with pytest.raises(RequestNotRead):
        _ = request.content
    assert request.read() == request.content == b"hello"
    assert request.text == "hello"
    assert request.trailers["x-sum"] == "1"
    assert list(request.iter_bytes()) == [b"hello"]
    assert asyncio.run(request.aread()) == b"hello"


def test_reading_a_received_request_async() -> None:
    async def main() -> None:
        request = received(stream=AsyncStream())
        assert await request.aread() == request.content == b"hello"
        assert request.trailers == {"X-Sum": "1"}
        streamed = received(stream=AsyncStream())
        assert [part async for part in streamed.aiter_bytes()] == [b"hel", b"lo"]
        assert streamed.trailers == {"X-Sum": "1"}

    asyncio.run(main())


def test_reading_the_wrong_way_says_what_to_call() -> None:
    with pytest.raises(RuntimeError, match=r"use aread\(\)"):
        received(stream=AsyncStream()).read()
    with pytest.raises(RuntimeError, match=r"use read\(\)"):
        asyncio.run(received().aread())


@pytest.mark.parametrize(
    ("content_type", "content", "text"),
    [
        (b"text/plain; charset=latin-1", b"\xe9", "é"),
        (b"text/plain; charset=nonsense", "é".encode(), "é"),
        (b"text/plain", b"\xff", "\ufffd"),
        (b"text/plain", "é".encode("utf-8-sig"), "é"),
    ],
)
def test_text(content_type: bytes, content: bytes, text: str) -> None:
    request = received(headers=[(b"Content-Type", content_type)], stream=ByteStream(content))
    request.read()
    assert request.text == text


def test_json() -> None:
    request = received(stream=ByteStream(b'{"a": [1, 2.5]}'))
    request.read()
    assert request.json() == {"a": [1, 2.5]}
    assert request.json(parse_float=str) == {"a": [1, "2.5"]}
    with pytest.raises(ValueError, match="Expecting value"):
        Request("POST", "https://a.b/", content=b"nonsense").json()


def test_trailers_can_be_given() -> None:
    request = Request("POST", "https://a.b/", content=[b"a"])
    assert not request.trailers
    request.trailers = {"X-A": "b"}
    request.read()
    assert request.trailers.raw == [(b"X-A", b"b")]


def test_pickling_keeps_what_was_read() -> None:
    request = Request("POST", "https://a.b/", json=1, headers={"A": "b"}, extensions={"f": print})
    copy = pickle.loads(pickle.dumps(request))
    assert (copy.method, copy.url, copy.headers) == (request.method, request.url, request.headers)
    assert copy.content == b"1"
    assert list(copy.stream) == [b"1"]
    assert copy.extensions == {}
    unread = pickle.loads(pickle.dumps(received()))
    assert unread.url == received().url
    with pytest.raises(RequestNotRead):
        _ = unread.content
    with pytest.raises(StreamClosed):
        unread.read()
