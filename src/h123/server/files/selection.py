"""Which bytes of a file, under which fields, answer a request. RFC 9110 sections 13.2.2, 14 and 15.3.7."""

from __future__ import annotations

import os
from collections.abc import Sequence

from ...message.headers import Headers
from .conditional import Validators, if_range_holds, precondition_status
from .file_stream import Part
from .ranges import Range, coalesce, content_range, parse_ranges

Fields = list[tuple[bytes, bytes]]


class Selection:
    """A status, its fields, and the parts that make its content: none where there is nothing to send."""

    __slots__ = ("status", "fields", "parts")

    def __init__(self, status: int, fields: Fields, parts: Sequence[Part] = ()) -> None:
        self.status = status
        self.fields = fields
        self.parts = parts


def select(
    method: str, headers: Headers, size: int, validators: Validators, content_type: str
) -> Selection:
    """Return what answers a GET or HEAD of a file: 200, 206, 304, 412 or 416."""
    entity_tag = (b"ETag", validators.entity_tag.encode("ascii"))
    early = precondition_status(method, headers, validators)
    if early is not None:
        # 304: what guides a cache, and nothing else (section 15.4.5)
        return Selection(early, [entity_tag] if early == 304 else [])
    ranges = None
    if method == "GET" and (field := headers.get("range")) is not None:
        condition = headers.get("if-range")
        if condition is None or if_range_holds(condition, validators):
            ranges = parse_ranges(field, size)
    if ranges is not None and not ranges:
        return Selection(416, [(b"Content-Range", b"bytes */%d" % size)])
    fields = [
        (b"Last-Modified", validators.last_modified.encode("ascii")),
        entity_tag,
        (b"Accept-Ranges", b"bytes"),
    ]
    kind = content_type.encode("latin-1", "replace")
    if ranges is None:
        return Selection(200, [*_content_fields(kind, size), *fields], ((0, size),))
    ranges = coalesce(ranges)
    if len(ranges) > 1:
        return _several_parts(ranges, size, kind, fields)
    start, stop = ranges[0]
    fields.append((b"Content-Range", content_range(start, stop, size).encode("ascii")))
    return Selection(206, [*_content_fields(kind, stop - start), *fields], ranges)


def _several_parts(ranges: list[Range], size: int, kind: bytes, fields: Fields) -> Selection:
    """multipart/byteranges (section 14.6), in the order in which the ranges were asked for."""
    # No file can have been made with this boundary in it: it is new each time.
    boundary = os.urandom(16).hex().encode("ascii")
    parts: list[Part] = []
    length = 0
    for start, stop in ranges:
        where = content_range(start, stop, size).encode("ascii")
        head = b"\r\n--%b\r\nContent-Type: %b\r\nContent-Range: %b\r\n\r\n" % (
            boundary,
            kind,
            where,
        )
        parts += (head, (start, stop))
        length += len(head) + stop - start
    end = b"\r\n--%b--\r\n" % boundary
    parts.append(end)
    multipart = b"multipart/byteranges; boundary=" + boundary
    return Selection(206, [*_content_fields(multipart, length + len(end)), *fields], parts)


def _content_fields(kind: bytes, length: int) -> Fields:
    return [(b"Content-Type", kind), (b"Content-Length", b"%d" % length)]
