"""Response: its head, reading it in each way once, text, errors, pickling."""

from __future__ import annotations

import asyncio
import datetime
import gzip
import pickle
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from h123.message import AsyncByteStream, ByteStream, Request, Response, SyncByteStream
from h123.message.exceptions import (
    DecodingError,
    HTTPStatusError,
    ReadTimeout,
    ResponseNotRead,
    StreamClosed,
    StreamConsumed,
)

REQUEST = Request("GET", "https://u:p@a.b/c")


class SyncStream(SyncByteStream):
    def __init__(self, *parts: bytes | Exception) -> None:
        self.parts = parts
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        for part in self.parts:
            if isinstance(part, Exception):
                raise part
            yield part
        self.trailers = [(b"X-Sum", b"1")]

    def close(self) -> None:
        self.closed += 1


class AsyncStream(AsyncByteStream):
    def __init__(self, *parts: bytes | BaseException) -> None:
        self.parts = parts
        self.closed = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self.parts:
            if isinstance(part, BaseException):
                raise part
            yield part
        self.trailers = [(b"X-Sum", b"1")]

    async def aclose(self) -> None:
        self.closed += 1


def received(stream: Any, *headers: tuple[bytes, bytes], **more: Any) -> Response:
    return Response.received(200, list(headers), stream, request=REQUEST, **more)


async def collect(parts: AsyncIterator[Any]) -> list[Any]:
    return [part async for part in parts]


# ---------------------------------------------------------------------------------------- head


def test_a_response_of_a_program() -> None:
    response = Response(201, headers={"X-A": "b"}, content=b"hello", request=REQUEST)
    assert response.status_code == 201
    assert response.reason_phrase == response.reason == "Created"
    assert response.headers == {"X-A": "b", "Content-Length": "5"}
    assert response.content == b"hello"
    assert response.text == "hello"
    assert response.http_version == "HTTP/1.1"
    assert response.url == REQUEST.url
    assert response.is_closed
    assert response.is_stream_consumed
    assert response.history == []
    assert response.informational == []
    assert response.extensions == {}
    assert response.next is None
    assert repr(response) == "<Response [201 Created]>"
    assert repr(Response(499)) == "<Response [499]>"
    assert list(response) == [b"hello"]


def test_a_received_response_is_not_copied() -> None:
    raw = [(b"X-A", b"b")]
    stream = SyncStream(b"hel", b"lo")
    response = Response.received(
        404, raw, stream, request=REQUEST, http_version="HTTP/1.0", reason=b"Nope"
    )
    assert response.headers.raw is raw
    assert response.stream is stream
    assert response.http_version == "HTTP/1.0"
    assert response.reason_phrase == "Nope"
    assert response.extensions == {"http_version": b"HTTP/1.0", "reason_phrase": b"Nope"}
    assert not response.is_closed


def test_httpx_extensions_tell_version_and_reason() -> None:
    response = Response(200, extensions={"http_version": b"HTTP/2", "reason_phrase": b"Fine"})
    assert response.http_version == "HTTP/2"
    assert response.reason_phrase == "Fine"
    assert received(ByteStream(), http_version="HTTP/2").extensions["reason_phrase"] == b"OK"
    response.http_version = "HTTP/3"
    assert response.http_version == "HTTP/3"
    response.extensions = {}
    assert response.reason_phrase == "OK"


@pytest.mark.parametrize(
    ("status", "true"),
    [
        (103, {"is_informational", "ok"}),
        (200, {"is_success", "ok"}),
        (304, {"is_redirect", "ok"}),
        (404, {"is_client_error", "is_error"}),
        (503, {"is_server_error", "is_error"}),
        (700, set()),
    ],
)
def test_classes_of_status(status: int, true: set[str]) -> None:
    response = Response(status)
    names = (
        "is_informational",
        "is_success",
        "is_redirect",
        "is_client_error",
        "is_server_error",
        "is_error",
    )
    assert {name for name in (*names, "ok") if getattr(response, name)} == true


def test_a_redirect_that_can_be_followed() -> None:
    assert Response(302, headers={"Location": "/x"}).has_redirect_location
    assert not Response(302).has_redirect_location
    assert not Response(304, headers={"Location": "/x"}).has_redirect_location


def test_the_request_may_be_missing() -> None:
    response = Response(200)
    with pytest.raises(RuntimeError, match="has not been set"):
        _ = response.request
    with pytest.raises(RuntimeError, match="has not been set"):
        _ = response.url
    with pytest.raises(RuntimeError, match="raise_for_status"):
        response.raise_for_status()
    response.request = REQUEST
    assert response.raise_for_status() is response


@pytest.mark.parametrize(
    ("status", "headers", "text"),
    [
        (101, {}, "Informational response '101 Switching Protocols' for url 'https://u:[secure]@a.b/c'"),
        (303, {"Location": "/x"}, ("Redirect response '303 See Other' for url 'https://u:[secure]@a.b/c'\n"
         "Redirect location: '/x'")),
        (404, {}, "Client error '404 Not Found' for url 'https://u:[secure]@a.b/c'"),
        (500, {}, "Server error '500 Internal Server Error' for url 'https://u:[secure]@a.b/c'"),
        (600, {}, "Invalid status code '600 ' for url 'https://u:[secure]@a.b/c'"),
    ],
)  # fmt: skip
def test_raise_for_status_says_what_and_where(status: int, headers: Any, text: str) -> None:
    response = Response(status, headers=headers, request=REQUEST)
    with pytest.raises(HTTPStatusError) as caught:
        response.raise_for_status()
    assert str(caught.value) == (
        f"{text}\nFor more information check: "
        f"https://developer.mozilla.org/en-US/docs/Web/HTTP/Status/{status}"
    )
    assert caught.value.response is response
    assert caught.value.request is REQUEST


def test_elapsed_is_there_at_the_end() -> None:
    response = Response(200)
    with pytest.raises(RuntimeError, match="elapsed"):
        _ = response.elapsed
    response.elapsed = 1.5
    assert response.elapsed == datetime.timedelta(seconds=1.5)
    response.elapsed = datetime.timedelta(seconds=2)
    assert response.elapsed.total_seconds() == 2


def test_links_by_relation() -> None:
    response = Response(200, headers={"Link": '</2>; rel="next", </x>'})
    assert response.links == {"next": {"url": "/2", "rel": "next"}, "/x": {"url": "/x"}}
    assert Response(200).links == {}


def test_informational_responses_and_trailers_can_be_given() -> None:
    early = Response(103, headers={"Link": "</a>"})
    response = Response(200, trailers={"X-Sum": "1"}, content=[b"a"])
    response.informational = [early]
    assert response.informational == [early]
    assert response.trailers.raw == [(b"X-Sum", b"1")]
    response.trailers = {"X-Sum": "2"}
    assert response.trailers["x-sum"] == "2"
    assert not Response(200).trailers


# ------------------------------------------------------------------------------------- reading


def test_reading_keeps_the_content_and_closes() -> None:
    stream = SyncStream(b"hel", b"lo")
    response = received(stream)
    with pytest.raises(ResponseNotRead):
        _ = response.content
    assert response.read() == response.read() == response.content == b"hello"
    assert response.is_closed
    assert response.is_stream_consumed
    assert response.num_bytes_downloaded == 5
    assert response.trailers["X-Sum"] == "1"
    assert stream.closed == 1
    assert list(response.iter_bytes(2)) == [b"he", b"ll", b"o"]
    assert list(response.iter_bytes()) == [b"hello"]
    response.close()
    assert stream.closed == 1


def test_reading_keeps_the_content_and_closes_async() -> None:
    async def main() -> None:
        stream = AsyncStream(b"hel", b"lo")
        response = received(stream)
        assert await response.aread() == await response.aread() == response.content == b"hello"
        assert response.num_bytes_downloaded == 5
        assert response.trailers["X-Sum"] == "1"
        assert stream.closed == 1
        assert await collect(response.aiter_bytes(2)) == [b"he", b"ll", b"o"]

    asyncio.run(main())


CODED = gzip.compress("hé\nllo".encode())
GZIP = (b"Content-Encoding", b"gzip")
READERS: list[tuple[str, tuple[Any, ...], list[Any]]] = [
    ("iter_bytes", (), ["hé\nllo".encode()]),
    ("iter_content", (), ["hé\nllo".encode()]),
    ("iter_bytes", (3,), [b"h\xc3\xa9", b"\nll", b"o"]),
    ("iter_content", (4,), [b"h\xc3\xa9\n", b"llo"]),
    ("iter_text", (), ["hé\nllo"]),
    ("iter_text", (4,), ["hé\nl", "lo"]),
    ("iter_lines", (), ["hé", "llo"]),
    ("iter_text", (3,), ["hé\n", "llo"]),
    ("iter_raw", (), [CODED[:9], CODED[9:]]),
    ("iter_raw", (10,), [CODED[at : at + 10] for at in range(0, len(CODED), 10)]),
]


@pytest.mark.parametrize(("method", "arguments", "parts"), READERS)
def test_each_way_of_reading(method: str, arguments: tuple[Any, ...], parts: list[Any]) -> None:
    stream = SyncStream(CODED[:9], CODED[9:])
    response = received(stream, GZIP)
    assert list(getattr(response, method)(*arguments)) == parts
    assert stream.closed == 1
    assert response.num_bytes_downloaded == len(CODED)
    with pytest.raises(StreamConsumed):
        list(response.iter_bytes())
    with pytest.raises(StreamConsumed):
        response.read()
    assert response.trailers["X-Sum"] == "1"


@pytest.mark.parametrize(("method", "arguments", "parts"), READERS)
def test_each_way_of_reading_async(
    method: str, arguments: tuple[Any, ...], parts: list[Any]
) -> None:
    async def main() -> None:
        stream = AsyncStream(CODED[:9], CODED[9:])
        response = received(stream, GZIP)
        assert await collect(getattr(response, f"a{method}")(*arguments)) == parts
        assert stream.closed == 1
        assert response.num_bytes_downloaded == len(CODED)
        with pytest.raises(StreamConsumed):
            await collect(response.aiter_bytes())
        with pytest.raises(StreamConsumed):
            await response.aread()

    asyncio.run(main())


def test_content_that_was_read_elsewhere_is_decoded_too() -> None:
    response = received(AsyncStream(CODED), GZIP)
    response.set_content(CODED)
    assert response.text == "hé\nllo"
    assert response.is_closed
    assert list(response.stream) == [CODED]  # type: ignore[arg-type]  # it is bytes now


def test_coded_content_read_at_once() -> None:
    assert received(SyncStream(CODED), GZIP).read().decode() == "hé\nllo"
    assert asyncio.run(received(AsyncStream(CODED), GZIP).aread()).decode() == "hé\nllo"


@pytest.mark.parametrize("method", ["read", "iter_bytes", "iter_raw", "iter_text", "iter_lines"])
def test_an_async_stream_says_what_to_call_instead(method: str) -> None:
    response = received(AsyncStream(b"a"))
    with pytest.raises(RuntimeError, match=r"use aread\(\)"):
        list(getattr(response, method)())
    with pytest.raises(RuntimeError, match=r"use aclose\(\)"):
        response.close()


def test_a_sync_stream_says_what_to_call_instead() -> None:
    async def main() -> None:
        response = received(SyncStream(b"a"))
        with pytest.raises(RuntimeError, match=r"use read\(\)"):
            await response.aread()
        with pytest.raises(RuntimeError, match=r"use read\(\)"):
            await collect(response.aiter_raw())
        with pytest.raises(RuntimeError, match=r"use close\(\)"):
            await response.aclose()

    asyncio.run(main())


def test_a_closed_response_is_not_read() -> None:
    async def main() -> None:
        response = received(AsyncStream(b"a"))
        async with response as same:
            assert same is response
        for reading in (response.aread(), collect(response.aiter_raw())):
            with pytest.raises(StreamClosed):
                await reading

    asyncio.run(main())
    response = received(SyncStream(b"a"))
    with response as same:
        assert same is response
    assert response.is_closed
    for reading in (response.read, lambda: list(response.iter_raw())):
        with pytest.raises(StreamClosed):
            reading()


FAILURES: list[Callable[[Response], Any]] = [
    lambda response: response.read(),
    lambda response: list(response.iter_raw()),
    lambda response: list(response.iter_bytes(1)),
    lambda response: list(response.iter_lines()),
]


@pytest.mark.parametrize("headers", [(), (GZIP,)])
@pytest.mark.parametrize("read", FAILURES)
def test_a_failure_tells_its_request_and_closes(read: Any, headers: Any) -> None:
    stream = SyncStream(CODED[:4], ReadTimeout("too slow"))
    with pytest.raises(ReadTimeout) as caught:
        read(received(stream, *headers))
    assert caught.value.request is REQUEST
    assert stream.closed == 1


@pytest.mark.parametrize("method", ["aread", "aiter_raw", "aiter_bytes", "aiter_lines"])
@pytest.mark.parametrize(
    "error", [ReadTimeout("too slow"), asyncio.CancelledError(), KeyError("x")]
)
@pytest.mark.parametrize("headers", [(), (GZIP,)])
def test_a_failure_tells_its_request_and_closes_async(
    method: str, error: Any, headers: Any
) -> None:
    async def main() -> None:
        stream = AsyncStream(CODED[:4], error)
        reading = getattr(received(stream, *headers), method)()
        with pytest.raises(type(error)) as caught:
            await (reading if method == "aread" else collect(reading))
        if isinstance(error, ReadTimeout):
            assert caught.value.request is REQUEST
        assert stream.closed == 1

    asyncio.run(main())


def test_truncated_coded_content_is_an_error_that_tells_its_request() -> None:
    with pytest.raises(DecodingError, match="cut off") as caught:
        received(SyncStream(CODED[:-1]), GZIP).read()
    assert caught.value.request is REQUEST

    async def main() -> None:
        with pytest.raises(DecodingError, match="cut off") as caught:
            await received(AsyncStream(CODED[:-1]), GZIP).aread()
        assert caught.value.request is REQUEST

    asyncio.run(main())


def test_giving_up_reading_closes() -> None:
    stream = SyncStream(b"a", b"b")
    parts = received(stream).iter_raw()
    assert next(parts) == b"a"
    parts.close()  # type: ignore[attr-defined]
    assert stream.closed == 1

    async def main() -> None:
        stream = AsyncStream(b"a", b"b")
        async with received(stream) as response:
            async for _ in response.aiter_bytes():
                break
        assert stream.closed == 1

    asyncio.run(main())


# ---------------------------------------------------------------------------------------- text


@pytest.mark.parametrize(
    ("content_type", "content", "encoding", "text"),
    [
        (None, "é".encode(), "utf-8", "é"),
        (None, b"", "utf-8", ""),
        (b"text/plain; charset=latin-1", b"\xe9", "latin-1", "é"),
        (b"text/plain; charset=nonsense", "é".encode(), "utf-8", "é"),
        (b"text/plain; charset=zlib", b"x", "utf-8", "x"),
        (b"text/plain; charset=latin-1", "é".encode("utf-8-sig"), "utf-8-sig", "é"),
        (b"text/plain", "é".encode("utf-16"), "utf-16", "é"),
        (b"text/plain", b"a\xff", "utf-8", "a\ufffd"),
    ],
)
def test_text_by_mark_then_headers_then_default(
    content_type: bytes | None, content: bytes, encoding: str, text: str
) -> None:
    headers = [(b"Content-Type", content_type)] if content_type else []
    response = received(SyncStream(content), *headers)
    response.read()
    assert response.encoding == encoding
    assert response.text == text


def test_the_encoding_can_be_set_before_text_is_used() -> None:
    response = Response(200, content=b"\xe9")
    response.encoding = "latin-1"
    assert response.text == "é"
    with pytest.raises(ValueError, match="after `text`"):
        response.encoding = "utf-8"
    with pytest.raises(ValueError, match="Unknown character set 'zlib'"):
        Response(200).encoding = "zlib"
    streamed = received(SyncStream(b"\xe9"))
    assert streamed.encoding == "utf-8"
    streamed.encoding = "latin-1"
    assert list(streamed.iter_text()) == ["é"]


def test_the_default_encoding_can_be_a_name_or_found() -> None:
    assert Response(200, content=b"\xe9", default_encoding="latin-1").text == "é"
    found = Response(200, content=b"\xe9", default_encoding=lambda content: "latin-1")
    assert found.text == "é"
    assert Response(200, text="a").charset_encoding == "utf-8"
    assert Response(200).charset_encoding is None


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32-le"])
def test_json_in_any_unicode(encoding: str) -> None:
    response = Response(200, content='{"a": "é"}'.encode(encoding))
    assert response.json() == {"a": "é"}
    with pytest.raises(ValueError, match="Expecting value"):
        Response(200, content=b"<html>").json()


# ------------------------------------------------------------------------------------ pickling


def test_pickling_keeps_what_was_read() -> None:
    response = Response(
        200, json={"a": 1}, request=REQUEST, extensions={"f": print}, history=[Response(302)]
    )
    copy = pickle.loads(pickle.dumps(response))
    assert copy.status_code == 200
    assert copy.json() == {"a": 1}
    assert copy.headers == response.headers
    assert copy.url == response.url
    assert copy.history[0].status_code == 302
    assert copy.is_closed
    assert copy.extensions == {}
    assert list(copy.stream) == [b'{"a":1}']


def test_pickling_loses_what_was_not_read() -> None:
    copy = pickle.loads(pickle.dumps(received(SyncStream(b"a"), http_version="HTTP/2")))
    assert copy.http_version == "HTTP/2"
    assert copy.is_closed
    with pytest.raises(ResponseNotRead):
        _ = copy.content
    with pytest.raises(StreamClosed):
        copy.read()
    with pytest.raises(StreamClosed):
        list(copy.stream)
    with pytest.raises(StreamClosed):
        asyncio.run(copy.aread())
