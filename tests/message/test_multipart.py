"""multipart/form-data (RFC 7578), checked by the standard library's own parser."""

from __future__ import annotations

import asyncio
import io
import os
import tracemalloc
from email.message import Message
from email.parser import BytesParser
from email.policy import HTTP
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from h123.message import Request
from h123.message.body import PIECE_SIZE, ByteStream
from h123.message.exceptions import StreamConsumed
from h123.message.multipart import MultipartStream, boundary_of


def parse(stream: MultipartStream) -> list[tuple[dict[str, Any], Message, bytes]]:
    """Return each part: the parameters of its disposition, its headers, its content."""
    whole = b"Content-Type: " + stream.content_type.encode() + b"\r\n\r\n" + b"".join(stream)
    message = BytesParser(policy=HTTP).parsebytes(whole)
    assert message.is_multipart()
    assert not message.defects
    parts = []
    for part in message.get_payload():
        assert isinstance(part, Message)
        assert part.get_content_disposition() == "form-data"
        parameters = dict(part.get_params(header="content-disposition") or [])
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        parts.append((parameters, part, content))
    return parts


def test_the_bytes_on_the_wire() -> None:
    stream = MultipartStream(
        {"a": "1"}, {"f": ("x.txt", b"hello"), "g": ("y", "text", None, {"X-A": "b"})}, b"B"
    )
    assert b"".join(stream) == (
        b'--B\r\nContent-Disposition: form-data; name="a"\r\n\r\n1'
        b'\r\n--B\r\nContent-Disposition: form-data; name="f"; filename="x.txt"\r\n'
        b"Content-Type: text/plain\r\n\r\nhello"
        b'\r\n--B\r\nContent-Disposition: form-data; name="g"; filename="y"\r\n'
        b"X-A: b\r\nContent-Type: application/octet-stream\r\n\r\ntext"
        b"\r\n--B--\r\n"
    )
    assert stream.content_type == "multipart/form-data; boundary=B"
    assert stream.content_length == len(b"".join(stream))


def test_fields_and_files_are_parts() -> None:
    stream = MultipartStream(
        {"text": "hé", "list": ["a", 1, 1.5, True, None], "raw": b"\xff"},
        [("f", io.BytesIO(b"one")), ("f", ("two.json", b"{}")), ("f", (None, b"three"))],
    )
    parts = parse(stream)
    assert [(parameters["name"], content) for parameters, _, content in parts] == [
        ("text", "hé".encode()),
        ("list", b"a"),
        ("list", b"1"),
        ("list", b"1.5"),
        ("list", b"true"),
        ("list", b""),
        ("raw", b"\xff"),
        ("f", b"one"),
        ("f", b"{}"),
        ("f", b"three"),
    ]
    assert parts[-3][0]["filename"] == "upload"
    assert parts[-2][0]["filename"] == "two.json"
    assert parts[-2][1].get_content_type() == "application/json"
    assert "filename" not in parts[-1][0]
    assert parts[-1][1]["content-type"] is None


def test_a_request_with_files() -> None:
    made = Request("POST", "https://a.b/", data={"a": "1"}, files={"f": ("x", b"hello")})
    content = b"".join(made.stream)  # type: ignore[arg-type]
    assert made.headers["content-length"] == str(len(content))
    boundary = boundary_of(made.headers["content-type"])
    assert boundary is not None
    assert content.startswith(b"--" + boundary + b"\r\n")
    assert made.read() == content
    assert Request("POST", "https://a.b/", files={}).headers == {"Content-Length": "0"}


def test_the_boundary_may_be_given_in_the_headers() -> None:
    headers = {"Content-Type": 'multipart/form-data; boundary="+++"'}
    made = Request("POST", "https://a.b/", headers=headers, files={"f": b"hello"})
    assert made.headers["content-type"] == headers["Content-Type"]
    assert made.read().startswith(b"--+++\r\n")


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        (None, None),
        ("", None),
        ("multipart/form-data", None),
        ("text/plain; boundary=a", None),
        ("Multipart/Form-Data; charset=x; Boundary=a", b"a"),
        ('multipart/form-data; boundary="a\\"b"', b'a"b'),
    ],
)
def test_the_boundary_of_a_content_type(content_type: str | None, boundary: bytes | None) -> None:
    assert boundary_of(content_type) == boundary


@pytest.mark.parametrize("boundary", [b"", b"a" * 71, b"a b", b"a\r\n", b'a"', "é".encode()])
def test_a_boundary_is_of_what_rfc_2046_allows(boundary: bytes) -> None:
    with pytest.raises(ValueError, match="boundary"):
        MultipartStream({}, {}, boundary)


@pytest.mark.parametrize("bad", ["a\r\nX: y", "a\nb", "a\rb", "a\0b"])
def test_no_name_can_write_a_header_of_its_own(bad: str) -> None:
    with pytest.raises(ValueError, match="multipart name"):
        MultipartStream({bad: "x"}, {"f": b""})
    with pytest.raises(ValueError, match="multipart name"):
        MultipartStream({}, {bad: b""})
    with pytest.raises(ValueError, match="multipart file name"):
        MultipartStream({}, {"f": (bad, b"")})
    with pytest.raises(ValueError, match="'Content-Type'"):
        MultipartStream({}, {"f": ("x", b"", bad)})
    with pytest.raises(ValueError, match="'X-A'"):
        MultipartStream({}, {"f": ("x", b"", None, {"X-A": bad})})
    with pytest.raises(ValueError, match="header name"):
        MultipartStream({}, {"f": ("x", b"", None, {bad: "y"})})


def test_names_are_escaped_as_html_says() -> None:
    stream = MultipartStream({'a"b\\é': "x"}, {}, b"B")
    assert b'name="a%22b\\' + "é".encode() + b'"' in b"".join(stream)


@pytest.mark.parametrize(
    ("data", "files", "message"),
    [
        ("text", {"f": b""}, "data is a mapping"),
        (b"bytes", {"f": b""}, "data is a mapping"),
        (io.BytesIO(), {"f": b""}, "data is a mapping"),
        ({"a": {"b": "c"}}, {"f": b""}, "Invalid type for value of field 'a'"),
        ({1: "x"}, {"f": b""}, "multipart name must be str or bytes"),
        ({}, {"f": 3}, "The file of field 'f' must be"),
        ({}, {"f": {"a": b"b"}}, "The file of field 'f' must be"),
        ({}, {"f": ("a",)}, "not a tuple of 1"),
        ({}, {"f": ("a", io.StringIO("text"))}, "binary mode"),
    ],
)
def test_other_kinds_are_refused(data: Any, files: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        MultipartStream(data, files)


def test_a_file_is_named_and_typed_by_its_path(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_bytes(b"<p>")
    with open(tmp_path / "page.html", "rb") as file:
        [(parameters, part, content)] = parse(MultipartStream({}, {"f": file}))
    assert parameters["filename"] == "page.html"
    assert part.get_content_type() == "text/html"
    assert content == b"<p>"


def test_an_unknown_length_is_not_told() -> None:
    stream = MultipartStream({}, {"f": ("x", iter([b"a", b"b"]))})
    assert stream.content_length is None
    assert not stream.is_replayable
    assert parse(stream)[0][2] == b"ab"
    with pytest.raises(StreamConsumed):
        list(stream)
    made = Request("POST", "https://a.b/", files={"f": ("x", iter([b"a"]))})
    assert "content-length" not in made.headers


def test_streams_and_views_are_content_too() -> None:
    parts = parse(MultipartStream({}, {"a": ByteStream(b"1"), "b": memoryview(b"2"), "c": [b"3"]}))
    assert [content for _, _, content in parts] == [b"1", b"2", b"3"]


def test_a_form_without_parts_is_only_its_end() -> None:
    stream = MultipartStream({}, {}, b"B")
    assert b"".join(stream) == b"--B--\r\n"
    assert stream.content_length == 7


def test_files_are_streamed_in_constant_memory_and_again(tmp_path: Path) -> None:
    size = 8 * 1024 * 1024
    with open(tmp_path / "big", "wb") as big:
        big.truncate(size)
    with open(tmp_path / "big", "rb") as file:
        stream = MultipartStream({"a": "x" * PIECE_SIZE}, {"f": file})
        assert stream.is_replayable
        tracemalloc.start()
        try:
            first = sum(map(len, stream))
            assert tracemalloc.get_traced_memory()[1] < 1024 * 1024
        finally:
            tracemalloc.stop()

        async def again() -> int:
            return sum([len(part) async for part in stream])

        assert first == asyncio.run(again()) == stream.content_length
        assert first is not None
        assert first > size


names = st.text(
    st.characters(codec="utf-8", exclude_characters='\r\n\0"\\'), min_size=1, max_size=9
)


@given(st.lists(st.tuples(names, st.binary(max_size=30)), min_size=1), st.data())
def test_what_goes_in_comes_out_and_the_length_is_right(pairs: Any, data: st.DataObject) -> None:
    files = [(f"f{place}", ("x.bin", content)) for place, (_, content) in enumerate(pairs)]
    stream = MultipartStream(pairs, files, os.urandom(8).hex().encode())
    whole = b"".join(stream)
    assert len(whole) == stream.content_length
    for name, content in pairs:
        head = b'Content-Disposition: form-data; name="%b"\r\n\r\n' % name.encode()
        assert head + content + b"\r\n--" in whole
