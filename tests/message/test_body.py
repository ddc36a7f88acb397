"""Streams of content: parts, lengths, and reading them twice."""

from __future__ import annotations

import asyncio
import io
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from h123.message.body import (
    PIECE_SIZE,
    AsyncByteStream,
    AsyncIteratorByteStream,
    ByteChunker,
    ByteStream,
    FileStream,
    IteratorByteStream,
    SyncByteStream,
    slices,
)
from h123.message.exceptions import StreamConsumed


async def parts_of(stream: AsyncByteStream) -> list[bytes]:
    return [part async for part in stream]


def test_bytes_are_one_part_and_can_be_read_again_both_ways() -> None:
    stream = ByteStream(b"hello")
    assert stream.content_length == 5
    assert stream.is_replayable
    assert list(stream) == list(stream) == [b"hello"]
    assert asyncio.run(parts_of(stream)) == [b"hello"]
    assert list(ByteStream()) == []
    assert asyncio.run(parts_of(ByteStream())) == []
    assert list(stream.trailers) == []


def test_an_iterator_can_be_read_once() -> None:
    parts: list[Any] = [b"a", b"", bytearray(b"b"), memoryview(b"c")]
    stream = IteratorByteStream(iter(parts))
    assert not stream.is_replayable
    assert stream.content_length is None
    assert list(stream) == [b"a", b"b", b"c"]
    with pytest.raises(StreamConsumed):
        list(stream)


def test_an_iterable_that_is_no_iterator_can_be_read_again() -> None:
    stream = IteratorByteStream([b"a", b"b"])
    assert stream.is_replayable
    assert list(stream) == list(stream) == [b"a", b"b"]


def test_an_async_iterator_can_be_read_once() -> None:
    async def generate() -> AsyncIterator[bytes]:
        yield b"a"
        yield b""
        yield b"b"

    class Again:
        def __aiter__(self) -> AsyncIterator[bytes]:
            return generate()

    async def main() -> None:
        stream = AsyncIteratorByteStream(generate())
        assert await parts_of(stream) == [b"a", b"b"]
        with pytest.raises(StreamConsumed):
            await parts_of(stream)
        again = AsyncIteratorByteStream(Again())
        assert again.is_replayable
        assert await parts_of(again) == await parts_of(again) == [b"a", b"b"]
        await again.aclose()

    asyncio.run(main())


@pytest.mark.parametrize("part", ["text", 3, ["a"]])
def test_parts_are_bytes(part: Any) -> None:
    async def generate() -> AsyncIterator[Any]:
        yield part

    with pytest.raises(TypeError, match="made of bytes"):
        list(IteratorByteStream(iter([part])))
    with pytest.raises(TypeError, match="made of bytes"):
        asyncio.run(parts_of(AsyncIteratorByteStream(generate())))


def test_closing_closes_the_generator() -> None:
    closed = []

    def generate() -> Iterator[bytes]:
        try:
            yield b"a"
        finally:
            closed.append("sync")

    async def agenerate() -> AsyncIterator[bytes]:
        try:
            yield b"a"
        finally:
            closed.append("async")

    parts = generate()
    stream = IteratorByteStream(parts)
    assert next(parts) == b"a"
    stream.close()
    IteratorByteStream([b"a"]).close()
    IteratorByteStream(iter([b"a"])).close()

    async def main() -> None:
        aparts = agenerate()
        assert await anext(aparts) == b"a"
        await AsyncIteratorByteStream(aparts).aclose()

    asyncio.run(main())
    assert closed == ["sync", "async"]


def test_subclasses_must_say_how_they_are_iterated() -> None:
    with pytest.raises(NotImplementedError):
        iter(SyncByteStream())
    with pytest.raises(NotImplementedError):
        aiter(AsyncByteStream())
    SyncByteStream().close()
    asyncio.run(AsyncByteStream().aclose())


def test_a_users_stream_may_set_its_own_trailers() -> None:
    class Mine(SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            yield b"a"
            self.trailers = [(b"x", b"y")]

    stream = Mine()
    assert list(stream.trailers) == []
    assert list(stream) == [b"a"]
    assert stream.trailers == [(b"x", b"y")]


def test_a_file_is_read_in_pieces_from_where_it_stands(tmp_path: Path) -> None:
    content = os.urandom(PIECE_SIZE * 2 + 7)
    (tmp_path / "file").write_bytes(content)
    with open(tmp_path / "file", "rb") as file:
        file.seek(3)
        stream = FileStream(file)
        assert stream.content_length == len(content) - 3
        assert file.tell() == 3
        pieces = list(stream)
        assert b"".join(pieces) == content[3:]
        assert max(map(len, pieces)) <= PIECE_SIZE
        assert stream.is_replayable
        assert asyncio.run(parts_of(stream)) == pieces
        stream.close()
        assert not file.closed


def test_what_is_appended_while_a_file_is_sent_is_left_out() -> None:
    file = io.BytesIO(b"a" * 10)
    stream = FileStream(file)
    file.seek(0, 2)
    file.write(b"b" * 10)
    assert b"".join(stream) == b"a" * 10


def test_a_file_that_became_shorter_just_ends() -> None:
    file = io.BytesIO(b"a" * 10)
    stream = FileStream(file)
    file.truncate(4)
    assert b"".join(stream) == b"aaaa"


def test_a_pipe_has_no_length_and_is_read_once() -> None:
    read_end, write_end = os.pipe()
    os.write(write_end, b"hello")
    os.close(write_end)
    with open(read_end, "rb") as file:
        stream = FileStream(file)
        assert stream.content_length is None
        assert not stream.is_replayable
        assert b"".join(stream) == b"hello"
        with pytest.raises(StreamConsumed):
            list(stream)


def test_a_file_like_object_needs_only_read() -> None:
    class Reader:
        def __init__(self) -> None:
            self.file = io.BytesIO(b"hello")

        def read(self, size: int = -1) -> bytes:
            return self.file.read(size)

    stream = FileStream(Reader())  # type: ignore[arg-type]
    assert stream.content_length is None
    assert b"".join(stream) == b"hello"


def test_a_file_may_be_silent_about_where_it_seeks() -> None:
    class Silent(io.BytesIO):
        def seek(self, *args: Any) -> Any:
            super().seek(*args)

    assert FileStream(Silent(b"hello")).content_length == 5


def test_a_text_file_is_refused(tmp_path: Path) -> None:
    with open(tmp_path / "file", "w+") as file, pytest.raises(TypeError, match="binary"):
        FileStream(file)  # type: ignore[arg-type]


@given(st.lists(st.binary(max_size=9), max_size=9), st.none() | st.integers(1, 12))
def test_chunks_are_the_content_cut_evenly(parts: list[bytes], size: int | None) -> None:
    chunker = ByteChunker(size)
    chunks = [chunk for part in parts for chunk in chunker.cut(part)] + chunker.flush()
    whole = b"".join(parts)
    if size is None:
        assert chunks == [part for part in parts if part]
    else:
        assert chunks == [whole[at : at + size] for at in range(0, len(whole), size)]
        assert list(slices(whole, size)) == chunks


@pytest.mark.parametrize("size", [0, -1])
def test_a_chunk_has_a_size(size: int) -> None:
    with pytest.raises(ValueError, match="chunk_size"):
        ByteChunker(size)
