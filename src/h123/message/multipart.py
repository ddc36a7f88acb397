"""multipart/form-data: forms with files, streamed (RFC 7578, and HTML's escaping of names).

Files are read in pieces while they are sent. Where the size of every part is known, so is the whole's.
"""

from __future__ import annotations

import os

from .body import (
    PIECE_SIZE,
    DualByteStream,
    FileStream,
    IteratorByteStream,
    SyncByteStream,
)
from .headers import encode_name, encode_value
from .query import to_text
from .text import parameters

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import IO, Any, TypeAlias

    FileContent: TypeAlias = IO[bytes] | bytes | str | Iterable[bytes]
    FileTypes: TypeAlias = (
        FileContent
        | tuple[str | None, FileContent]
        | tuple[str | None, FileContent, str | None]
        | tuple[str | None, FileContent, str | None, Mapping[str, str]]
    )

# RFC 2046 section 5.1.1: bcharsnospace
_BOUNDARY = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'()+_,-./:=?"


class Part:
    """One part: its header section, and its content as bytes or a stream."""

    __slots__ = ("head", "content")

    def __init__(self, head: bytes, content: bytes | SyncByteStream) -> None:
        self.head = head
        self.content = content

    @property
    def length(self) -> int | None:
        """Bytes of head and content, if known."""
        content = self.content
        size = len(content) if isinstance(content, bytes) else content.content_length
        return None if size is None else len(self.head) + size

    def __iter__(self) -> Iterator[bytes]:
        content = self.content
        if isinstance(content, bytes):
            yield self.head + content if len(content) < PIECE_SIZE else self.head
            if len(content) >= PIECE_SIZE:
                yield content
        else:
            yield self.head
            yield from content


class MultipartStream(DualByteStream):
    """A form with files as content.

    `data` is a mapping or pairs of fields; `files` a mapping or pairs of files: an open file, bytes or
    text, or `(filename, content[, content_type[, headers]])`. Raises `TypeError` for other kinds, and
    `ValueError` for a CR, LF or NUL where it would write a header of its own.
    """

    __slots__ = ("boundary", "content_length", "is_replayable", "_parts")

    content_length: int | None

    def __init__(self, data: Any, files: Any, boundary: bytes | None = None) -> None:
        if boundary is None:
            boundary = os.urandom(16).hex().encode("ascii")
        elif boundary.translate(None, _BOUNDARY) or not 1 <= len(boundary) <= 70:
            raise ValueError(f"Invalid multipart boundary {boundary!r} (RFC 2046 section 5.1.1)")
        self.boundary = boundary
        self._parts = [*_fields(data), *_files(files)]
        self.content_length = self._length()
        self.is_replayable = all(
            isinstance(part.content, bytes) or part.content.is_replayable for part in self._parts
        )

    @property
    def content_type(self) -> str:
        """The Content-Type of the whole."""
        return f"multipart/form-data; boundary={self.boundary.decode('ascii')}"

    def __iter__(self) -> Iterator[bytes]:
        """Give the parts with their boundaries, as they are read."""
        delimiter = b"--%b\r\n" % self.boundary
        for part in self._parts:
            pieces = iter(part)
            yield delimiter + next(pieces)
            yield from pieces
            delimiter = b"\r\n--%b\r\n" % self.boundary
        yield b"%b--%b--\r\n" % (b"\r\n" if self._parts else b"", self.boundary)

    def _length(self) -> int | None:
        total = len(self.boundary) + 6 + (2 if self._parts else 0)
        for place, part in enumerate(self._parts):
            length = part.length
            if length is None:
                return None
            total += length + len(self.boundary) + (6 if place else 4)
        return total


def boundary_of(content_type: str | None) -> bytes | None:
    """Return the boundary that a multipart Content-Type names, or None."""
    if not content_type:
        return None
    kind, found = parameters(content_type)
    boundary = found.get("boundary")
    if boundary is None or kind.lower() != "multipart/form-data":
        return None
    return boundary.encode("ascii", "replace")


def _fields(data: Any) -> Iterator[Part]:
    if isinstance(data, (str, bytes)) or hasattr(data, "read"):
        raise TypeError(f"With files, data is a mapping or pairs of fields, not {type(data)}")
    for name, value in data.items() if hasattr(data, "items") else data:
        head = b"%b\r\n\r\n" % _disposition(name, None)
        for each in value if isinstance(value, (list, tuple)) else (value,):
            if not isinstance(each, (str, bytes, int, float)) and each is not None:
                raise TypeError(
                    f"Invalid type for value of field {name!r}. "
                    f"Expected primitive type, got {type(each)}: {each!r:.100}"
                )
            yield Part(head, each if isinstance(each, bytes) else to_text(each).encode("utf-8"))


def _files(files: Any) -> Iterator[Part]:
    for name, value in files.items() if hasattr(files, "items") else files:
        yield _file_part(name, value)


def _file_part(name: Any, value: Any) -> Part:
    filename: str | None
    content_type: str | None = None
    headers: dict[str, str] = {}
    if isinstance(value, tuple):
        if not 2 <= len(value) <= 4:
            raise TypeError(
                f"A file of field {name!r} is (filename, content[, content_type[, headers]]), "
                f"not a tuple of {len(value)}"
            )
        filename, content, *more = value
        if more:
            content_type = more[0]
        if len(more) == 2:
            headers = dict(more[1])
    else:
        content = value
        filename = os.path.basename(str(getattr(value, "name", "upload")))
    lines = [_disposition(name, filename)]
    if not any(key.lower() == "content-type" for key in headers):
        if content_type is None and filename is not None:
            content_type = guess_content_type(filename)
        if content_type is not None:
            headers["Content-Type"] = content_type
    for key, text in headers.items():
        field = encode_name(key)
        lines.append(b"%b: %b" % (field, encode_value(field, text)))
    return Part(b"\r\n".join(lines) + b"\r\n\r\n", _content(name, content))


def _content(name: Any, content: Any) -> bytes | SyncByteStream:
    if isinstance(content, str):
        return content.encode("utf-8")
    if isinstance(content, (bytes, bytearray, memoryview)):
        return bytes(content)
    if isinstance(content, SyncByteStream):
        return content
    if hasattr(content, "read"):
        return FileStream(content)
    if hasattr(content, "__iter__") and not hasattr(content, "items"):
        return IteratorByteStream(content)
    raise TypeError(
        f"The file of field {name!r} must be a binary file, bytes, text or an iterable of bytes, "
        f"not {type(content)}"
    )


def _disposition(name: Any, filename: Any) -> bytes:
    line = b'Content-Disposition: form-data; name="%b"' % _escape("name", name)
    if filename:
        line += b'; filename="%b"' % _escape("file name", filename)
    return line


def _escape(what: str, text: Any) -> bytes:
    """Return a name as HTML has it in a quoted parameter; refuse what would end the line.

    HTML says to write CR and LF as %0D and %0A. No name that anybody meant has them.
    """
    if not isinstance(text, (str, bytes)):
        raise TypeError(f"A multipart {what} must be str or bytes, not {type(text)}: {text!r:.100}")
    octets = text.encode("utf-8") if isinstance(text, str) else text
    for byte, shown in ((b"\r", "CR"), (b"\n", "LF"), (b"\0", "NUL")):
        if byte in octets:
            raise ValueError(f"Invalid multipart {what} {text!r}: {shown} can not be in it")
    return octets.replace(b'"', b"%22")


def guess_content_type(filename: str) -> str:
    """Return the type that a file's name tells, else `application/octet-stream`."""
    from mimetypes import guess_type

    return guess_type(filename)[0] or "application/octet-stream"
