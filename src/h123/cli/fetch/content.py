"""What a request sends: -d and its kin, -F, -T. Whatever is a file is read while it is sent.

RFC 7578 (forms with files), HTML's `application/x-www-form-urlencoded`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

import click

from ...message.body import PIECE_SIZE, AsyncByteStream, SyncByteStream
from ...message.exceptions import StreamConsumed
from ...message.percent import FORM_SAFE, encode_bytes
from .arguments import cannot_read, read_whole
from .exit_codes import ExitCode, FetchError
from .progress import ProgressBar

_LINE_ENDS = b"\r\n\0"
"""What -d leaves out of a file."""


class FilePart:
    """A file that is a part of the content."""

    __slots__ = ("path", "size")

    def __init__(self, path: str) -> None:
        """Look the file up. Raises `FetchError`."""
        self.path = path
        try:
            with open(path, "rb"):
                status = os.stat(path)
        except OSError as error:
            raise cannot_read(path, error) from error
        self.size = status.st_size if os.path.isfile(path) else None


class JoinedStream(SyncByteStream):
    """Bytes and files, one after the other. Files are opened when their turn comes."""

    def __init__(self, parts: list[bytes | FilePart]) -> None:
        self._parts = parts
        sizes = [len(part) if isinstance(part, bytes) else part.size for part in parts]
        self.content_length = None if None in sizes else sum(size for size in sizes if size)
        self.is_replayable = self.content_length is not None

    def __iter__(self) -> Iterator[bytes]:
        """Give the pieces. Raises `FetchError` where a file can not be read any more."""
        for part in self._parts:
            if isinstance(part, bytes):
                if part:
                    yield part
            else:
                yield from _pieces(part)


def _pieces(part: FilePart) -> Iterator[bytes]:
    left = part.size
    try:
        with open(part.path, "rb") as file:
            while left is None or left > 0:
                piece = file.read(PIECE_SIZE if left is None else min(PIECE_SIZE, left))
                if not piece:
                    break
                if left is not None:
                    left -= len(piece)
                yield piece
    except OSError as error:
        raise cannot_read(part.path, error) from error
    if left:
        raise FetchError(ExitCode.READ_FAILED, f"{part.path} became shorter while it was sent")


class StandardInputStream(AsyncByteStream):
    """What comes on standard input, as it comes. It is given once."""

    def __init__(self) -> None:
        self._was_read = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Give the pieces. A pipe or a terminal is waited for by the event loop, not by this thread.

        Raises `StreamConsumed` the second time.
        """
        import asyncio

        if self._was_read:
            raise StreamConsumed("standard input can be sent only once, and it has been")
        self._was_read = True
        number = sys.stdin.fileno()
        loop = asyncio.get_running_loop()
        ready = asyncio.Event()
        try:
            loop.add_reader(number, ready.set)
            waits = True
        except PermissionError:  # epoll takes no regular file: that is always ready
            waits = False
        try:
            while True:
                if waits:
                    await ready.wait()
                    ready.clear()
                piece = os.read(number, PIECE_SIZE)
                if not piece:
                    return
                yield piece
        except OSError as error:
            raise cannot_read("standard input", error) from error
        finally:
            if waits:
                loop.remove_reader(number)


# ------------------------------------------------------------------------------------ -d


class Data:
    """What -d, --data-raw, --data-binary, --data-urlencode and --json have given, in their order."""

    __slots__ = ("parts", "is_json")

    def __init__(self, given: list[tuple[str, str]]) -> None:
        """Read (option, value) pairs. Raises `FetchError` for a file that can not be read."""
        self.is_json = any(option == "json" for option, _ in given)
        self.parts: list[bytes | FilePart] = []
        for option, value in given:
            if self.parts and option != "json":
                self.parts.append(b"&")
            self.parts.append(_READERS[option](value))

    @property
    def content_type(self) -> str:
        """The type of the content that is sent."""
        return "application/json" if self.is_json else "application/x-www-form-urlencoded"

    def content(self) -> bytes | JoinedStream:
        """Return what to send."""
        if all(isinstance(part, bytes) for part in self.parts):
            return b"".join(part for part in self.parts if isinstance(part, bytes))
        return JoinedStream(self.parts)

    def query(self) -> str:
        """Return the content as a query, for -G."""
        pieces = JoinedStream(self.parts)
        return b"".join(pieces).decode("utf-8", "surrogateescape")


def _literal(value: str) -> bytes:
    return value.encode("utf-8", "surrogateescape")


def _stripped(value: str) -> bytes:
    if not value.startswith("@"):
        return _literal(value)
    return read_whole(value[1:]).translate(None, _LINE_ENDS)


def _binary(value: str) -> bytes | FilePart:
    if not value.startswith("@"):
        return _literal(value)
    return read_whole("-") if value == "@-" else FilePart(value[1:])


def _url_encoded(value: str) -> bytes:
    """Read `content`, `=content`, `name=content`, `@file` or `name@file`."""
    places = [place for place in (value.find("="), value.find("@")) if place >= 0]
    if not places:
        name, content = "", _literal(value)
    else:
        place = min(places)
        name, rest = value[:place], value[place + 1 :]
        content = _literal(rest) if value[place] == "=" else read_whole(rest)
    encoded = encode_bytes(content, FORM_SAFE).encode("ascii")
    return _literal(name) + b"=" + encoded if name else encoded


_READERS = {
    "data": _stripped,
    "data_raw": _literal,
    "data_binary": _binary,
    "data_urlencode": _url_encoded,
    "json": _binary,
}


# ------------------------------------------------------------------------------------ -F


def form_parts(fields: list[tuple[str, str]]) -> list[tuple[str, Any]]:
    """Return -F and --form-string as `files=` of a request takes them, in order.

    `name=value`, `name=<file` (its text), `name=@file` (an upload), each with `;type=` and, for an upload,
    `;filename=`. Raises `click.BadParameter` and `FetchError`.
    """
    return [_form_part(option, text) for option, text in fields]


def _form_part(option: str, text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise click.BadParameter(f"{text!r} is no name=value", param_hint="-F")
    if option == "form_string":
        return name, (None, _literal(value))
    if value[:1] not in ("@", "<"):
        value, parameters = _split_parameters(value)
        return name, (None, _literal(value), parameters.get("type"))
    path, parameters = _split_parameters(value[1:])
    kind = parameters.get("type")
    if value[0] == "<":
        return name, (None, read_whole(path), kind)
    file_name = parameters.get("filename") or ("-" if path == "-" else os.path.basename(path))
    content: Any = read_whole("-") if path == "-" else JoinedStream([FilePart(path)])
    return name, (file_name, content) if kind is None else (file_name, content, kind)


def _split_parameters(text: str) -> tuple[str, dict[str, str]]:
    """Split `value;type=...;filename=...`; quotes around a part are taken off."""
    value, *rest = text.split(";")
    parameters: dict[str, str] = {}
    last = ""
    for part in rest:
        key, equals, given = part.partition("=")
        if equals and key.strip() in ("type", "filename", "encoder", "headers"):
            last = key.strip()
            parameters[last] = given.strip().strip('"')
        elif last == "type":  # a type has parameters of its own: text/plain; charset=utf-8
            parameters["type"] += f";{part}"
        else:
            value += f";{part}"
    return value.strip('"') if value[:1] == '"' else value, parameters


# ------------------------------------------------------------------------------------ -T


def upload(path: str) -> SyncByteStream | AsyncByteStream:
    """Return the content of -T: a file, or standard input for `-` and `.`. Raises `FetchError`."""
    return StandardInputStream() if path in ("-", ".") else JoinedStream([FilePart(path)])


class CountedStream(SyncByteStream):
    """Content at hand that tells how much of it was taken."""

    def __init__(self, stream: SyncByteStream, bar: ProgressBar) -> None:
        self._stream = stream
        self._bar = bar
        self.sent = 0
        self.content_length = stream.content_length
        self.is_replayable = stream.is_replayable

    def __iter__(self) -> Iterator[bytes]:
        """Give the same pieces."""
        for piece in self._stream:
            self.sent += len(piece)
            self._bar.advance(len(piece))
            yield piece

    def close(self) -> None:
        """Let go of the content."""
        self._stream.close()


class CountedAsyncStream(AsyncByteStream):
    """Content that is waited for, and tells how much of it was taken."""

    def __init__(self, stream: AsyncByteStream, bar: ProgressBar) -> None:
        self._stream = stream
        self._bar = bar
        self.sent = 0
        self.content_length = stream.content_length

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Give the same pieces."""
        async for piece in self._stream:
            self.sent += len(piece)
            self._bar.advance(len(piece))
            yield piece
