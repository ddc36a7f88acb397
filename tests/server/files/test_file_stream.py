"""A file as content: pieces of bounded size, the truth about its end, and its descriptor always closed."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from h123.message.exceptions import StreamClosed
from h123.server.files import Files, FileTruncated
from h123.server.files.file_stream import BLOCKING_PIECE_SIZE, PIECE_SIZE, OpenFileStream

from .conftest import answer_to

Put = Callable[..., Path]
CONTENT = os.urandom(700_001)


def stream_of(path: Path, *parts: bytes | tuple[int, int]) -> OpenFileStream:
    return OpenFileStream(os.open(path, os.O_RDONLY), parts or ((0, path.stat().st_size),))


async def read(stream: OpenFileStream) -> list[bytes]:
    return [piece async for piece in stream]


def is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


@pytest.fixture
def path(put: Put) -> Path:
    return put("big", CONTENT)


@pytest.fixture(
    params=["as the OS is", "no RWF_NOWAIT", "not supported", "never cached", "partly cached"]
)
def reading(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The ways in which an operating system and a file system may take the first try."""
    real = os.preadv

    def refuse(number: int) -> Callable[..., int]:
        def preadv(*_: object) -> int:
            raise OSError(number, os.strerror(number))

        return preadv

    def some(descriptor: int, buffers: tuple[memoryview], offset: int, flags: int = 0) -> int:
        return real(descriptor, (buffers[0][:4096],), offset)

    if request.param == "no RWF_NOWAIT":
        monkeypatch.setattr("h123.server.files.file_stream._NOWAIT", 0)
    elif request.param == "not supported":
        monkeypatch.setattr(os, "preadv", refuse(errno.EOPNOTSUPP))
    elif request.param == "never cached":
        monkeypatch.setattr(os, "preadv", refuse(errno.EAGAIN))
    elif request.param == "partly cached":
        monkeypatch.setattr(os, "preadv", some)
    return str(request.param)


def test_the_whole_in_pieces_of_bounded_size(path: Path, reading: str) -> None:
    stream = stream_of(path)
    assert stream.content_length == len(CONTENT)
    pieces = asyncio.run(read(stream))
    assert b"".join(pieces) == CONTENT
    assert 0 < max(map(len, pieces)) <= max(PIECE_SIZE, BLOCKING_PIECE_SIZE)
    assert all(pieces)


def test_parts_with_other_bytes_between_them(path: Path, reading: str) -> None:
    stream = stream_of(path, b"<", (5, 10), b"|", (300_000, 600_000), (7, 7), b">")
    assert stream.content_length == 300_008
    assert b"".join(asyncio.run(read(stream))) == (
        b"<" + CONTENT[5:10] + b"|" + CONTENT[300_000:600_000] + b">"
    )


def test_a_file_that_shrinks_raises_and_is_never_padded(path: Path, reading: str) -> None:
    stream = stream_of(path)
    descriptor = stream._descriptor
    got: list[bytes] = []

    async def shrink_while_reading() -> None:
        async for piece in stream:
            if not got:
                os.truncate(path, 300_000)
            got.append(piece)

    with pytest.raises(FileTruncated, match="ends at byte 300000"):
        asyncio.run(shrink_while_reading())
    assert b"".join(got) == CONTENT[:300_000]
    assert not is_open(descriptor)
    with pytest.raises(StreamClosed):
        asyncio.run(read(stream))


def test_a_file_that_grows_is_sent_as_long_as_it_was(path: Path) -> None:
    stream = stream_of(path)
    with path.open("ab") as more:
        more.write(b"more")
    assert b"".join(asyncio.run(read(stream))) == CONTENT


def test_the_descriptor_is_closed_at_the_end_without_being_told(path: Path, reading: str) -> None:
    stream = stream_of(path)
    descriptor = stream._descriptor
    asyncio.run(read(stream))
    assert not is_open(descriptor)
    assert asyncio.run(read(stream)) == []


@pytest.mark.parametrize("pieces", [0, 1, 2])
def test_aclose_at_any_time_and_again(path: Path, reading: str, pieces: int) -> None:
    async def leave() -> None:
        stream = stream_of(path)
        descriptor = stream._descriptor
        for _ in range(pieces):
            await anext(stream)
        await stream.aclose()
        assert not is_open(descriptor)
        await stream.aclose()
        with pytest.raises(StreamClosed):
            await anext(stream)

    asyncio.run(leave())


def test_a_failing_disk_raises_and_closes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "preadv", fail)
    monkeypatch.setattr(os, "pread", fail)
    stream = stream_of(path)
    descriptor = stream._descriptor
    with pytest.raises(OSError, match="Input/output"):
        asyncio.run(read(stream))
    assert not is_open(descriptor)


def test_closing_while_a_thread_reads_leaves_closing_to_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A descriptor's number may belong to another file the moment it is closed."""
    monkeypatch.setattr("h123.server.files.file_stream._NOWAIT", 0)
    reading, go_on, closed = threading.Event(), threading.Event(), threading.Event()
    real_pread, real_close = os.pread, os.close

    def slow(descriptor: int, size: int, offset: int) -> bytes:
        reading.set()
        assert go_on.wait(10)
        return real_pread(descriptor, size, offset)

    stream = stream_of(path)
    descriptor = stream._descriptor

    def close(number: int) -> None:
        real_close(number)
        if number == descriptor:
            closed.set()

    monkeypatch.setattr(os, "pread", slow)
    monkeypatch.setattr(os, "close", close)

    async def leave() -> None:
        task = asyncio.ensure_future(anext(stream))
        assert await asyncio.to_thread(reading.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await stream.aclose()
        assert is_open(descriptor)
        go_on.set()
        assert await asyncio.to_thread(closed.wait, 10)
        assert not is_open(descriptor)

    asyncio.run(leave())


def test_a_thread_that_comes_too_late_reads_nothing(path: Path) -> None:
    stream = stream_of(path)
    asyncio.run(stream.aclose())
    with pytest.raises(StreamClosed):
        stream._read_blocking(0, 10)


def test_a_stream_that_was_forgotten_closes_its_file_and_says_so(path: Path) -> None:
    stream = stream_of(path)
    descriptor = stream._descriptor
    with pytest.warns(ResourceWarning, match="aclose"):
        del stream
    assert not is_open(descriptor)


# ------------------------------------------------------------------------------------ with Files


def test_a_small_file_that_shrinks_before_it_is_read_is_looked_at_again(
    put: Put, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = put("a.txt", b"a longer text")
    real = OpenFileStream.__init__

    def shrink_first(self: OpenFileStream, descriptor: int, parts: object) -> None:
        path.write_bytes(b"short")
        real(self, descriptor, parts)  # type: ignore[arg-type]  # handed on as it came

    monkeypatch.setattr(OpenFileStream, "__init__", shrink_first)
    answer = asyncio.run(answer_to(files, "/a.txt"))
    assert (answer.status, answer.content) == (200, b"short")


def test_memory_does_not_grow_with_the_file(root: Path, files: Files) -> None:
    import tracemalloc

    with (root / "sparse").open("wb") as sparse:
        sparse.truncate(64 << 20)

    async def drain() -> int:
        from h123.message.request import Request

        response = await files(Request("GET", "https://example.org/sparse"))
        stream = response.stream
        assert isinstance(stream, OpenFileStream)
        return sum([len(piece) async for piece in stream])

    tracemalloc.start()
    try:
        assert asyncio.run(drain()) == 64 << 20
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()
