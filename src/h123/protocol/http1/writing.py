"""Writing heads and trailer sections (RFC 9112 sections 2 to 7).

What could be read in two ways is not written: every name and value is checked before a byte leaves, and a
framing that contradicts itself raises `LocalProtocolError`.
"""

from __future__ import annotations

from ..errors import LocalProtocolError
from ..events import Headers
from .framing import LENGTH_DIGITS
from .head import METHODS, Known
from .syntax import (
    CONTENT_LENGTH,
    FIELD,
    HOST,
    PLAIN,
    SPECIAL,
    TARGET,
    TRANSFER_ENCODING,
    is_token,
    kind_of,
)

CHUNKED_FIELD = b"Transfer-Encoding: chunked"
CLOSE_FIELD = b"Connection: close"
KEEP_ALIVE_FIELD = b"Connection: keep-alive"
EMPTY_FIELD = b"Content-Length: 0"

LAST_CHUNK = b"0\r\n\r\n"


def encode_fields(headers: Headers, lines: list[bytes]) -> Known:
    """Append the field lines to `lines` and return the fields that HTTP/1.1 itself reads.

    Their bytes are not checked yet: `encode_block` does it for the whole.
    """
    lines += map(b": ".join, headers)
    known: Known = {}
    for name, value in headers:
        if name not in PLAIN:
            kind = SPECIAL.get(name)
            if kind is None:
                kind = kind_of(name)
                if kind is None:
                    raise LocalProtocolError(f"{name!r} is no field name")
            if kind:
                if kind not in known:
                    known[kind] = value
                elif kind != HOST:
                    known[kind] += b"," + value
                else:
                    raise LocalProtocolError("several Host fields")
    return known


def encode_block(lines: list[bytes]) -> bytes:
    """Return the lines as a block with its empty line. Raises if one holds what none may."""
    lines.append(b"\r\n")  # and another before it: the empty line
    block = b"\r\n".join(lines)
    if len(block.translate(None, FIELD)) != 2 * len(lines):
        raise LocalProtocolError("a control character in a start line or a field")
    return block


def without_framing(headers: Headers) -> Headers:
    """Return the headers without Content-Length and Transfer-Encoding, for where none may be."""
    return [
        field for field in headers if field[0].lower() not in (CONTENT_LENGTH, TRANSFER_ENCODING)
    ]


def declared_framing(known: Known) -> tuple[bool, int | None]:
    """Return what the user's headers say of the content: whether it is chunked, and its length."""
    value = known.get(CONTENT_LENGTH)
    coding = known.get(TRANSFER_ENCODING)
    if coding is not None:
        if value is not None:
            raise LocalProtocolError("both Content-Length and Transfer-Encoding")
        if coding.lower() != b"chunked":
            raise LocalProtocolError(f"{coding!r} is no Transfer-Encoding that can be sent")
        return True, None
    if value is None:
        return False, None
    if not value.isdigit() or len(value) > LENGTH_DIGITS:
        raise LocalProtocolError(f"{value!r} is no Content-Length")
    return False, int(value)


def request_line(method: bytes, target: bytes) -> bytes:
    """Return a request line without its CRLF (RFC 9112 section 3)."""
    if method not in METHODS and not is_token(method):
        raise LocalProtocolError(f"{method!r} is no method")
    if not target or target.translate(None, TARGET):
        raise LocalProtocolError(f"{target!r} is no request-target")
    return b" ".join((method, target, b"HTTP/1.1"))


def encode_trailers(headers: Headers) -> bytes:
    """Return the last chunk with this trailer section (section 7.1.2)."""
    lines = [b"0"]
    known = encode_fields(headers, lines)
    if HOST in known or CONTENT_LENGTH in known or TRANSFER_ENCODING in known:
        raise LocalProtocolError("a field that no trailer may be")
    return encode_block(lines)
