"""From what a program gives (`content=`, `data=`, `json=`, `files=`, `text=`, `html=`) to a stream.

Each encoder returns the fields that belong to the content, and the stream. Where the length is known,
Content-Length is among the fields; where it is not, there is no field, and the engine frames the content
as its HTTP version does (RFC 9112 section 6.3, RFC 9113 section 8.1).
"""

from __future__ import annotations

from .body import (
    AsyncByteStream,
    AsyncIteratorByteStream,
    ByteStream,
    FileStream,
    IteratorByteStream,
    SyncByteStream,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Iterable, Mapping, Sequence
    from typing import IO, Any, TypeAlias

    from .multipart import FileTypes

    Stream: TypeAlias = SyncByteStream | AsyncByteStream
    Fields: TypeAlias = list[tuple[bytes, bytes]]
    ContentTypes: TypeAlias = (
        str | bytes | bytearray | memoryview | IO[bytes] | Iterable[bytes] | AsyncIterable[bytes]
    )
    FormTypes: TypeAlias = Mapping[str, Any] | Sequence[tuple[str, Any]]
    FilesTypes: TypeAlias = Mapping[str, FileTypes] | Sequence[tuple[str, FileTypes]]

FORM = b"application/x-www-form-urlencoded"


def encode_content(content: Any) -> tuple[Fields, Stream]:
    """Return fields and stream of content that is given as it is to be sent.

    Raises `TypeError` for what is neither bytes, text, a binary file nor an iterable of bytes.
    """
    if type(content) is bytes:
        return _whole(content, b"")
    if isinstance(content, str):
        return _whole(content.encode("utf-8"), b"")
    if isinstance(content, (bytes, bytearray, memoryview)):
        return _whole(bytes(content), b"")
    stream: Stream
    if isinstance(content, (SyncByteStream, AsyncByteStream)):
        stream = content
    elif hasattr(content, "__aiter__"):
        stream = AsyncIteratorByteStream(content)
    elif hasattr(content, "read"):
        stream = FileStream(content)
    elif hasattr(content, "__iter__") and not isinstance(content, dict):
        stream = IteratorByteStream(content)
    else:
        raise TypeError(f"Unexpected type for 'content', {type(content)!r}")
    return _length_field(stream), stream


def encode_request(
    content: ContentTypes | None,
    data: Any,
    files: FilesTypes | None,
    json: object,
    content_type: str | None,
) -> tuple[Fields, Stream]:
    """Return fields and stream of a request's content; `content_type` is what its own headers say.

    One of content, data, files and json is given.

    `data` is a form if it is a mapping or a list of pairs, and content otherwise. With `files` the form's
    fields and the files make a multipart body.
    """
    if content is not None:
        return encode_content(content)
    if files:
        from .multipart import MultipartStream, boundary_of

        multipart = MultipartStream(data or (), files, boundary_of(content_type))
        fields = [(b"Content-Type", multipart.content_type.encode("ascii"))]
        return _length_field(multipart) + fields, multipart
    if data is not None:
        if not _is_form(data):
            return encode_content(data)
        if data:
            return encode_form(data)
    if json is not None:
        return _whole(dump_json(json), b"application/json")
    return [], ByteStream()  # an empty form


def encode_form(data: FormTypes) -> tuple[Fields, Stream]:
    """Return fields and stream of a form (`application/x-www-form-urlencoded`)."""
    from .query import encode_pairs, form_pairs

    return _whole(encode_pairs(form_pairs(data)).encode("ascii"), FORM)


def encode_response(
    content: ContentTypes | None, text: str | None, html: str | None, json: object
) -> tuple[Fields, Stream]:
    """Return fields and stream of a response's content."""
    if content is not None:
        return encode_content(content)
    if text is not None:
        return _whole(text.encode("utf-8"), b"text/plain; charset=utf-8")
    if html is not None:
        return _whole(html.encode("utf-8"), b"text/html; charset=utf-8")
    if json is not None:
        return _whole(dump_json(json), b"application/json")
    return [], ByteStream()


def dump_json(value: object) -> bytes:
    """Return a value as compact JSON in UTF-8 (RFC 8259). Raises `ValueError` for NaN and infinities."""
    from json import dumps

    return dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode("utf-8")


def _whole(content: bytes, content_type: bytes) -> tuple[Fields, Stream]:
    fields = []
    if content or content_type:
        fields.append((b"Content-Length", b"%d" % len(content)))
    if content_type:
        fields.append((b"Content-Type", content_type))
    return fields, ByteStream(content)


def _length_field(stream: Stream) -> Fields:
    length = stream.content_length
    return [] if length is None else [(b"Content-Length", b"%d" % length)]


def _is_form(data: object) -> bool:
    if isinstance(data, (str, bytes, bytearray, memoryview)) or hasattr(data, "read"):
        return False
    if hasattr(data, "items"):
        return True
    return isinstance(data, (list, tuple)) and all(
        isinstance(pair, (list, tuple)) and len(pair) == 2 for pair in data
    )
