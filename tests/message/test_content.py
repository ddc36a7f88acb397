"""What `content=`, `data=`, `json=` and `files=` become: fields and a stream."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from h123.message import ByteStream, Request, Response
from h123.message.exceptions import RequestNotRead


def request(**content: Any) -> tuple[dict[str, str], bytes]:
    made = Request("POST", "https://a.b/", **content)
    return dict(made.headers), made.read()


@pytest.mark.parametrize(
    ("content", "fields", "body"),
    [
        ({}, {"content-length": "0"}, b""),
        ({"content": b""}, {"content-length": "0"}, b""),
        ({"content": b"hi"}, {"content-length": "2"}, b"hi"),
        ({"content": bytearray(b"hi")}, {"content-length": "2"}, b"hi"),
        ({"content": memoryview(b"hi")}, {"content-length": "2"}, b"hi"),
        ({"content": "hé"}, {"content-length": "3"}, b"h\xc3\xa9"),
        ({"content": io.BytesIO(b"hi")}, {"content-length": "2"}, b"hi"),
        ({"content": [b"h", b"i"]}, {}, b"hi"),
        ({"content": iter([b"h", b"i"])}, {}, b"hi"),
        ({"content": ByteStream(b"hi")}, {"content-length": "2"}, b"hi"),
        ({"data": b"hi"}, {"content-length": "2"}, b"hi"),
        ({"data": "hi"}, {"content-length": "2"}, b"hi"),
        ({"data": io.BytesIO(b"hi")}, {"content-length": "2"}, b"hi"),
        ({"data": [b"h", b"i"]}, {}, b"hi"),
        ({"data": {}}, {"content-length": "0"}, b""),
        (
            {"data": {"a": "b c", "d": [1, None, True]}},
            {"content-length": "20", "content-type": "application/x-www-form-urlencoded"},
            b"a=b+c&d=1&d=&d=true",
        ),
        (
            {"data": [("a", "1"), ("a", "2")]},
            {"content-length": "7", "content-type": "application/x-www-form-urlencoded"},
            b"a=1&a=2",
        ),
        (
            {"json": {"a": "é", "b": [1, None]}},
            {"content-length": "22", "content-type": "application/json"},
            '{"a":"é","b":[1,null]}'.encode(),
        ),
        (
            {"json": 1, "data": {}},
            {"content-length": "1", "content-type": "application/json"},
            b"1",
        ),
        ({"json": []}, {"content-length": "2", "content-type": "application/json"}, b"[]"),
        ({"json": False}, {"content-length": "5", "content-type": "application/json"}, b"false"),
    ],
)
def test_content_and_its_fields(content: Any, fields: dict[str, str], body: bytes) -> None:
    if "content-length" in fields:
        fields = {**fields, "content-length": str(len(body))}
    assert request(**content) == (fields, body)


def test_content_of_unknown_length_is_left_to_the_engine_to_frame() -> None:
    def generate() -> Iterator[bytes]:
        yield b"a"

    made = Request("POST", "https://a.b/", content=generate())
    assert "content-length" not in made.headers
    assert "transfer-encoding" not in made.headers
    with pytest.raises(RequestNotRead):
        _ = made.content
    assert made.read() == made.content == b"a"
    assert list(made.stream) == [b"a"]  # type: ignore[arg-type]  # it is bytes now


def test_async_content() -> None:
    async def generate() -> AsyncIterator[bytes]:
        yield b"a"
        yield b"b"

    made = Request("POST", "https://a.b/", content=generate())
    assert "content-length" not in made.headers
    assert asyncio.run(made.aread()) == b"ab"
    assert asyncio.run(made.aread()) == b"ab"
    assert list(made.iter_bytes()) == [b"ab"]


@pytest.mark.parametrize("method", ["GET", "DELETE", "OPTIONS", "X"])
def test_methods_that_rarely_have_content_say_nothing_of_it(method: str) -> None:
    assert dict(Request(method, "https://a.b/").headers) == {}


def test_fields_that_the_program_set_stay() -> None:
    headers = {"Content-Type": "x/y", "Content-Length": "7"}
    made = Request("POST", "https://a.b/", json=1, headers=headers)
    assert made.headers == headers
    chunked = Request(
        "POST", "https://a.b/", content=b"a", headers={"Transfer-Encoding": "chunked"}
    )
    assert chunked.headers == {"Transfer-Encoding": "chunked"}
    empty = Request("POST", "https://a.b/", headers={"Content-Length": "0", "A": "b"})
    assert empty.headers == {"Content-Length": "0", "A": "b"}


def test_a_program_own_stream_adds_no_fields() -> None:
    stream = ByteStream(b"hi")
    made = Request("POST", "https://a.b/", stream=stream)
    assert not made.headers
    assert made.stream is stream
    assert not Response(200, stream=stream).headers


@pytest.mark.parametrize("content", [3, {"a": "b"}, object()])
def test_other_content_is_refused(content: Any) -> None:
    with pytest.raises(TypeError, match="Unexpected type for 'content'"):
        Request("POST", "https://a.b/", content=content)
    with pytest.raises(TypeError, match="Unexpected type for 'content'"):
        Response(200, content=content)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_json_has_no_nan(value: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        Request("POST", "https://a.b/", json=value)


@pytest.mark.parametrize(
    ("content", "fields", "body"),
    [
        ({}, {}, b""),
        ({"content": b""}, {}, b""),
        ({"content": b"hi"}, {"content-length": "2"}, b"hi"),
        (
            {"text": "hé"},
            {"content-length": "3", "content-type": "text/plain; charset=utf-8"},
            b"h\xc3\xa9",
        ),
        ({"text": ""}, {"content-length": "0", "content-type": "text/plain; charset=utf-8"}, b""),
        (
            {"html": "<p>"},
            {"content-length": "3", "content-type": "text/html; charset=utf-8"},
            b"<p>",
        ),
        (
            {"json": {"a": 1}},
            {"content-length": "7", "content-type": "application/json"},
            b'{"a":1}',
        ),
        ({"content": [b"a", b"b"]}, {}, b"ab"),
    ],
)
def test_a_responses_content_and_its_fields(
    content: Any, fields: dict[str, str], body: bytes
) -> None:
    made = Response(200, **content)
    assert dict(made.headers) == fields
    assert made.read() == body


def test_a_responses_own_fields_stay() -> None:
    made = Response(200, json=1, headers={"Content-Type": "x/y", "A": "b"})
    assert made.headers == {"A": "b", "Content-Type": "x/y", "Content-Length": "1"}
    assert (
        Response(200, text="a", headers={"Content-Length": "1", "Content-Type": "x/y"}).text == "a"
    )
