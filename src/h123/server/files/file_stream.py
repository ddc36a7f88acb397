"""A file's bytes as content: constant memory, no waiting for a disk in the event loop, its own descriptor.

What the page cache holds is read at once (`preadv` with RWF_NOWAIT, where the OS and the file system have
it); only a read that would wait for the disk goes to a thread.
"""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Sequence

from ...message.body import AsyncByteStream
from ...message.exceptions import StreamClosed

Part = bytes | tuple[int, int]
"""Bytes to be sent as they are, or the `(start, stop)` of a piece of the file."""

PIECE_SIZE = 131072
"""Bytes read at a time while the page cache has them."""

BLOCKING_PIECE_SIZE = 262144
"""Bytes read at a time in a thread: one hop costs as much as copying this many."""

_NOWAIT: int = getattr(os, "RWF_NOWAIT", 0)

# Held for an instant by a thread that begins or ends a read, and by whoever closes.
_closing = threading.Lock()


class FileTruncated(OSError):
    """The file became shorter than it was when its length was told. What was sent is not all of it."""


class OpenFileStream(AsyncByteStream):
    """Parts of an open file, with other bytes between them where need be (multipart/byteranges).

    It owns the descriptor, and closes it at the end of the content, on any error, and in `aclose()`, which may
    be called at any time: a read still going on in a thread closes the descriptor when it is done. Iterating
    raises `FileTruncated` where the file has become too short, other `OSError`, and `StreamClosed` when it
    goes on after having been closed before the end.
    """

    __slots__ = (
        "_buffer",
        "_descriptor",
        "_index",
        "_nowait",
        "_offset",
        "_parts",
        "_reading",
        "content_length",
    )

    content_length: int

    def __init__(self, descriptor: int, parts: Sequence[Part]) -> None:
        self.content_length = sum(
            len(part) if isinstance(part, bytes) else part[1] - part[0] for part in parts
        )
        self._descriptor = descriptor  # -1 once closed, or left for the reading thread to close
        self._parts = parts
        self._index = 0
        self._offset = 0  # from the start of the current part
        self._nowait = _NOWAIT
        self._reading = False
        self._buffer = memoryview(b"")

    def __aiter__(self) -> OpenFileStream:
        return self

    async def __anext__(self) -> bytes:
        while self._index < len(self._parts):
            if self._descriptor < 0:  # the content does not end here: nobody is to think so
                raise StreamClosed
            part = self._parts[self._index]
            if isinstance(part, bytes):
                self._index += 1
                return part
            start, stop = part[0] + self._offset, part[1]
            if start < stop:
                try:
                    piece = await self._read(start, stop - start)
                except BaseException:
                    self._close()
                    raise
                self._offset += len(piece)
                return piece
            self._index += 1
            self._offset = 0
        self._close()
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Close the file, whatever was read of it. May be called again."""
        self._close()

    async def _read(self, start: int, size: int) -> bytes:
        piece = self._read_cached(start, min(size, PIECE_SIZE)) if self._nowait else None
        if piece is None:
            from asyncio import to_thread

            piece = await to_thread(self._read_blocking, start, min(size, BLOCKING_PIECE_SIZE))
        if not piece:
            raise FileTruncated(
                f"The file ends at byte {start}, {size} bytes before its end was expected"
            )
        return piece

    def _read_cached(self, start: int, size: int) -> bytes | None:
        """Return what can be had without waiting, or None."""
        if len(self._buffer) < size:
            self._buffer = memoryview(bytearray(size))
        try:
            count = os.preadv(self._descriptor, (self._buffer[:size],), start, self._nowait)
        except BlockingIOError:
            return None
        except (
            OSError
        ):  # the file system has no such mode, or the fault is real and shows again there
            self._nowait = 0
            return None
        return bytes(self._buffer[:count])

    def _read_blocking(self, start: int, size: int) -> bytes:
        """Read in a thread, which may begin late, or go on after the stream has been closed."""
        with _closing:
            descriptor = self._descriptor
            if descriptor < 0:
                raise StreamClosed
            self._reading = True
        try:
            return os.pread(descriptor, size, start)
        finally:
            with _closing:
                self._reading = False
                if self._descriptor < 0:
                    os.close(descriptor)

    def _close(self) -> None:
        with _closing:
            descriptor, self._descriptor = self._descriptor, -1
            if descriptor >= 0 and not self._reading:
                os.close(descriptor)

    def __del__(self) -> None:
        if getattr(self, "_descriptor", -1) >= 0:
            warnings.warn(
                f"unclosed {self!r}: aclose() it", ResourceWarning, source=self, stacklevel=2
            )
            self._close()
