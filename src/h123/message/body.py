"""Content as a stream: bytes, an iterator, a file; for sending and for receiving (RFC 9110 section 6.4).

A stream is iterated for its parts, synchronously (`SyncByteStream`) or asynchronously
(`AsyncByteStream`); most of those that a request or response is made with are both. Iterating a
replayable stream again gives the content again, which is how a request is sent twice.
"""

from __future__ import annotations

from .exceptions import StreamClosed, StreamConsumed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
    from typing import IO, TypeAlias

    Trailers: TypeAlias = list[tuple[bytes, bytes]] | tuple[()]

PIECE_SIZE = 65536
"""Bytes that are read from a file at a time."""


class SyncByteStream:
    """Content that is iterated with `for`. Subclasses define `__iter__`, and `close` if there is need."""

    __slots__ = ()

    trailers: Trailers = ()
    """The fields after the content (RFC 9110 section 6.5), valid once it was iterated to its end."""
    content_length: int | None = None
    """Bytes of the content, where that is known before."""
    is_replayable: bool = False
    """Whether iterating again gives the whole content again."""

    def __iter__(self) -> Iterator[bytes]:
        """Give the content in parts, none of them empty."""
        raise NotImplementedError(f"{type(self).__name__} does not define __iter__")

    def close(self) -> None:
        """Let go of what the stream holds. May be called at any time, and again."""


class AsyncByteStream:
    """Content that is iterated with `async for`. Subclasses define `__aiter__`, and `aclose` if need be."""

    __slots__ = ()

    trailers: Trailers = ()
    """The fields after the content (RFC 9110 section 6.5), valid once it was iterated to its end."""
    content_length: int | None = None
    """Bytes of the content, where that is known before."""
    is_replayable: bool = False
    """Whether iterating again gives the whole content again."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Give the content in parts, none of them empty."""
        raise NotImplementedError(f"{type(self).__name__} does not define __aiter__")

    async def aclose(self) -> None:
        """Let go of what the stream holds. May be called at any time, and again."""


class _Stepped:
    """An async iterator over a sync one that never waits long."""

    __slots__ = ("_parts",)

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts = parts

    def __aiter__(self) -> _Stepped:
        return self

    async def __anext__(self) -> bytes:
        for part in self._parts:
            return part
        raise StopAsyncIteration


class DualByteStream(SyncByteStream, AsyncByteStream):
    """Content at hand, so that iterating it needs no waiting: `__iter__` serves `async for` as well."""

    __slots__ = ()

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Give the same parts as `__iter__`."""
        return _Stepped(iter(self))

    async def aclose(self) -> None:
        """Do what `close` does."""
        self.close()


class ByteStream(DualByteStream):
    """Content that is in memory as a whole."""

    __slots__ = ("content", "content_length")

    is_replayable = True
    content_length: int

    def __init__(self, stream: bytes = b"") -> None:
        self.content = stream
        self.content_length = len(stream)

    def __iter__(self) -> Iterator[bytes]:
        """Give the content in one part, or in none if it is empty."""
        return iter((self.content,) if self.content else ())


class IteratorByteStream(SyncByteStream):
    """Content from an iterable of bytes. An iterator gives it once, a list any number of times."""

    __slots__ = ("_parts", "_started", "is_replayable")

    def __init__(self, parts: Iterable[bytes]) -> None:
        self._parts = parts
        self._started = False
        self.is_replayable = not hasattr(parts, "__next__")

    def __iter__(self) -> Iterator[bytes]:
        """Give the parts. Raises `StreamConsumed` for the second time, where there is none."""
        if self._started and not self.is_replayable:
            raise StreamConsumed
        self._started = True
        for part in self._parts:
            if part:
                yield part if type(part) is bytes else as_bytes(part)

    def close(self) -> None:
        """Close the generator, if it is one."""
        if not self.is_replayable:
            close = getattr(self._parts, "close", None)
            if close is not None:
                close()


class AsyncIteratorByteStream(AsyncByteStream):
    """Content from an async iterable of bytes; an async iterator gives it once."""

    __slots__ = ("_parts", "_started", "is_replayable")

    def __init__(self, parts: AsyncIterable[bytes]) -> None:
        self._parts = parts
        self._started = False
        self.is_replayable = not hasattr(parts, "__anext__")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Give the parts. Raises `StreamConsumed` for the second time, where there is none."""
        if self._started and not self.is_replayable:
            raise StreamConsumed
        self._started = True
        async for part in self._parts:
            if part:
                yield part if type(part) is bytes else as_bytes(part)

    async def aclose(self) -> None:
        """Close the generator, if it is one."""
        if not self.is_replayable:
            close = getattr(self._parts, "aclose", None)
            if close is not None:
                await close()


class FileStream(DualByteStream):
    """Content of an open binary file, from where it stands to its end, in pieces of 64 KiB.

    What is sent is as long as the file was when the stream was made: more that is appended meanwhile is
    left out. A file that can not seek gives its content once, of unknown length. The file stays open.
    """

    __slots__ = ("_file", "_start", "_started", "content_length", "is_replayable")

    content_length: int | None

    def __init__(self, file: IO[bytes]) -> None:
        """Measure `file`. Raises `TypeError` if it was opened as text."""
        if not isinstance(file.read(0), bytes):
            raise TypeError(f"The file {file!r} gives text: open it in binary mode ('rb')")
        self._file = file
        self._started = False
        self._start, self.content_length = measure_file(file)
        self.is_replayable = self._start is not None

    def __iter__(self) -> Iterator[bytes]:
        """Give the pieces. Raises `StreamConsumed` for the second time, if the file can not seek."""
        if self._start is not None:
            self._file.seek(self._start)
        elif self._started:
            raise StreamConsumed
        self._started = True
        return read_pieces(self._file, self.content_length)


def measure_file(file: IO[bytes]) -> tuple[int | None, int | None]:
    """Return where a file stands and how many bytes follow; None for both if it can not seek."""
    try:
        start = file.tell()
        end = file.seek(0, 2)
        if end is None:  # some file-like objects do not tell where they went
            end = file.tell()
        file.seek(start)
    except (AttributeError, OSError, ValueError):  # ValueError: io.UnsupportedOperation is one
        return None, None
    return start, max(0, end - start)


def read_pieces(file: IO[bytes], length: int | None) -> Iterator[bytes]:
    """Read a file on in pieces, up to `length` bytes or to its end."""
    while length is None or length > 0:
        piece = file.read(PIECE_SIZE if length is None else min(PIECE_SIZE, length))
        if not piece:
            return
        if length is not None:
            length -= len(piece)
        yield piece


def as_bytes(part: object) -> bytes:
    """Return a part of content as bytes. Raises `TypeError` for text and all else."""
    if isinstance(part, (bytes, bytearray, memoryview)):
        return bytes(part)
    raise TypeError(
        f"Content is made of bytes, but its iterator gave {type(part).__name__}: {part!r:.60}"
    )


class ClosedStream(DualByteStream):
    """The stream of a message that came out of a pickle: what was not read before is gone."""

    __slots__ = ()

    def __iter__(self) -> Iterator[bytes]:
        """Raise `StreamClosed`."""
        raise StreamClosed


class ByteChunker:
    """Cuts parts into pieces of `size` bytes, the last one shorter; with no size, leaves them as they are."""

    __slots__ = ("_size", "_parts", "_held")

    def __init__(self, size: int | None) -> None:
        if size is not None and size < 1:
            raise ValueError(f"chunk_size is {size}: it must be at least 1, or None")
        self._size = size
        self._parts: list[bytes] = []
        self._held = 0

    def cut(self, part: bytes) -> list[bytes]:
        """Return the pieces that are full now."""
        size = self._size
        if not part:
            return []
        if size is None:
            return [part]
        self._parts.append(part)
        self._held += len(part)
        if self._held < size:
            return []
        whole = b"".join(self._parts)
        full = len(whole) - len(whole) % size
        rest = whole[full:]
        self._parts = [rest] if rest else []
        self._held = len(rest)
        return [whole[at : at + size] for at in range(0, full, size)]

    def flush(self) -> list[bytes]:
        """Return the last piece, if there is one."""
        rest = b"".join(self._parts)
        self._parts = []
        self._held = 0
        return [rest] if rest else []


def in_chunks(parts: Iterable[bytes], size: int) -> Iterator[bytes]:
    """Give parts again in pieces of `size` bytes, the last one shorter."""
    chunker = ByteChunker(size)
    for part in parts:
        yield from chunker.cut(part)
    yield from chunker.flush()


def slices(content: bytes, size: int | None) -> Iterator[bytes]:
    """Give content in pieces of `size` bytes, the last one shorter; with no size, in one."""
    return iter(ByteChunker(size).cut(content) if size is None else in_chunks((content,), size))
