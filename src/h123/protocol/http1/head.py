"""Reading the heads of messages and the trailer section (RFC 9112 sections 2 to 5 and 7.1.2).

A head is judged as one block: whatever a field may not hold is taken out of it with one `translate`, and
what is then left must be exactly the CRLFs between its lines. After that only names, the start line and
the few fields that HTTP/1.1 itself reads are looked at, in one pass.

While a head is still coming, `early_fault` says whether it can become one at all, so that a wrong or too
long one is refused as soon as it can be told. It judges by position, and a whole head that is wrong is put
to it as well: the verdict is the same however the bytes were cut.
"""

from __future__ import annotations

from typing import Final

from ..errors import RemoteProtocolError
from ..events import Headers, RequestReceived
from ..limits import Limits
from .reason import USUAL_STATUS_LINES
from .rules import broken
from .syntax import (
    CONTENT_LENGTH,
    FIELD,
    HOST,
    PLAIN,
    PLAIN_HOST,
    SPECIAL,
    TARGET,
    TOKEN,
    TRANSFER_ENCODING,
    is_host,
    is_host_and_port,
    is_token,
    kind_of,
    split_absolute,
)

Known = dict[bytes, bytes]
"""The fields that HTTP/1.1 itself reads: lower-case name to value, several lines joined by commas."""

METHODS: Final = frozenset(
    (b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"CONNECT", b"OPTIONS", b"TRACE", b"PATCH")
)
_VERSIONS: Final = {b"HTTP/1.1": "HTTP/1.1", b"HTTP/1.0": "HTTP/1.0"}


def parse_request(head: bytes, stream_id: int, limits: Limits) -> tuple[RequestReceived, Known]:
    """Read a request's head, given without the empty line that ends it."""
    lines = head.split(b"\r\n")
    if len(head.translate(None, FIELD)) != 2 * len(lines) - 2:
        raise _byte_fault(head)
    try:
        method, target, version_word = lines.pop(0).split(b" ")
    except ValueError:
        raise broken("request-line") from None
    if method not in METHODS and not is_token(method):
        raise broken("method")
    if version_word == b"HTTP/1.1":
        version = "HTTP/1.1"
    elif version_word == b"HTTP/1.0":
        version = "HTTP/1.0"
    else:
        raise _version_fault(version_word)
    headers, known = parse_fields(lines, limits)
    return request_event(stream_id, method, target, version, headers, known), known


def request_event(
    stream_id: int, method: bytes, target: bytes, version: str, headers: Headers, known: Known
) -> RequestReceived:
    """Return a request whose parts are well formed, once it is sure what it is for (RFC 9112 3.2)."""
    host = known.get(HOST)
    if host is None:
        if version == "HTTP/1.1":
            raise broken("host-missing")
        host = b""
    elif host.translate(None, PLAIN_HOST) and not is_host(host):
        raise broken("host-malformed")
    if target.translate(None, TARGET):
        raise broken("target")
    if target[:1] == b"/" and method != b"CONNECT":  # the usual case: origin-form
        scheme, authority = b"", host
    else:
        scheme, authority = _other_target(method, target, host)
    return RequestReceived(stream_id, method, target, scheme, authority, headers, True, version)


def _other_target(method: bytes, target: bytes, host: bytes) -> tuple[bytes, bytes]:
    """Return scheme and authority of a target that is not in origin-form (RFC 9112 section 3.2)."""
    if method == b"CONNECT":
        if is_host_and_port(target):
            return b"", target
    elif target == b"*":
        if method == b"OPTIONS":
            return b"", host
    else:
        absolute = split_absolute(target)
        if absolute is not None:
            return absolute
    raise broken("target-form")


def parse_response(head: bytes, limits: Limits) -> tuple[str, int, bytes, Headers, Known]:
    """Read a response's head: version, status, reason, fields, and the fields known to HTTP/1.1."""
    lines = head.split(b"\r\n")
    if len(head.translate(None, FIELD)) != 2 * len(lines) - 2:
        raise _byte_fault(head)
    line = lines.pop(0)
    usual = USUAL_STATUS_LINES.get(line)
    if usual is not None:
        version = "HTTP/1.1"
        status, reason = usual
    else:
        version, status, reason = _parse_status_line(line)
    headers, known = parse_fields(lines, limits)
    return version, status, reason, headers, known


def _parse_status_line(line: bytes) -> tuple[str, int, bytes]:
    word, _, rest = line.partition(b" ")
    version = _VERSIONS.get(word)
    if version is None:
        if word[:8] in _VERSIONS and word[8:9] == b"\t":
            raise broken("status-line-whitespace")
        raise _version_fault(word)
    status, space, reason = rest[:3], rest[3:4], rest[4:]
    if len(status) != 3 or not status.isdigit() or status < b"100" or space not in (b"", b" "):
        words = line.split(None, 2)
        if len(words) > 1 and len(words[1]) == 3 and words[1].isdigit() and words[1] >= b"100":
            raise broken("status-line-whitespace")
        raise broken("status-line")
    if not space:
        raise broken("status-line-whitespace")
    return version, int(status), reason


def parse_trailers(section: bytes, limits: Limits) -> Headers:
    """Read a trailer section, given without the empty line that ends it (RFC 9110 section 6.5)."""
    headers, known = parse_fields(_lines(section), limits)
    _refuse_framing(known)
    return headers


def parse_fields(lines: list[bytes], limits: Limits) -> tuple[Headers, Known]:
    """Read field lines whose bytes are checked already (RFC 9112 section 5)."""
    if len(lines) > limits.header_fields:
        raise broken("too-many-fields")
    headers: Headers = []
    known: Known = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        value = value.strip()  # SP and HTAB: no other whitespace is left in it
        headers.append((name, value))
        if name not in PLAIN or not colon:
            kind = SPECIAL.get(name)
            if kind is None or not colon:
                kind = kind_of(name) if colon else None
                if kind is None:
                    raise _field_fault(line)
            if kind:
                if kind not in known:
                    known[kind] = value
                elif kind != HOST:
                    known[kind] += b"," + value
                else:
                    raise broken("host-repeated")
    return headers, known


def known_fields(version: str, headers: Headers, limits: Limits) -> Known:
    """Return what HTTP/1.1 itself reads of a head that another parser found well formed.

    Raises `RemoteProtocolError` for what that parser does not look at.
    """
    if version not in _VERSIONS.values():
        raise _version_fault(version.encode("ascii"))
    return _judged(headers, limits)


def judge_trailers(headers: Headers, limits: Limits) -> None:
    """Do for a trailer section what `known_fields` does for a head."""
    _refuse_framing(_judged(headers, limits))


def _judged(headers: Headers, limits: Limits) -> Known:
    if len(headers) > limits.header_fields:
        raise broken("too-many-fields")
    known: Known = {}
    size = 0
    for name, value in headers:
        size += len(name) + len(value) + 4
        kind = SPECIAL.get(name.lower())
        if kind is not None:
            if kind == HOST and kind in known:
                raise broken("host-repeated")
            known[kind] = known[kind] + b"," + value if kind in known else value
    if size > limits.header_block_size:
        raise broken("fields-too-large")
    return known


def _refuse_framing(known: Known) -> None:
    # What frames or routes the message is too late here, and deceives whoever merges it (section 6.5.1).
    if HOST in known or CONTENT_LENGTH in known or TRANSFER_ENCODING in known:
        raise broken("trailer-field")


def early_fault(
    data: bytes | bytearray, start: int, scanned: int, end: int, limits: Limits, is_request: bool
) -> RemoteProtocolError | None:
    """Return the first fault by position of a head that has not ended within `data[start:end]`.

    What stands before `scanned` was found good of bare line feeds before.
    """
    if data[start] not in (TOKEN if is_request else b"H"):
        return _first_byte_fault(data[start], is_request)
    longest = limits.start_line_size
    line = data.find(b"\n", start, min(end, start + longest + 2))
    if line < 0:
        return _line_fault(is_request) if end - start >= longest + 2 else None
    if data[line - 1] != 0x0D:
        return broken("bare-lf")
    return early_section_fault(data, line + 1, scanned, end, limits)


def early_section_fault(
    data: bytes | bytearray, start: int, scanned: int, end: int, limits: Limits
) -> RemoteProtocolError | None:
    """Return the first fault by position of a field section that has not ended in `data[start:end]`."""
    stop = start + limits.header_block_size + 4  # were it as long as it may be, it would have ended
    line = data.find(b"\n", max(start, scanned), min(stop, end))
    while line >= 0:
        if line == start or data[line - 1] != 0x0D:
            return broken("bare-lf")
        line = data.find(b"\n", line + 1, min(stop, end))
    if end >= stop:
        return broken("fields-too-large")
    return None


def early_messy_fault(
    data: bytes | bytearray, start: int, end: int, limits: Limits
) -> RemoteProtocolError | None:
    """Return the fault of a response's head in `data[start:end]` whose lines may end in LF alone."""
    if data[start] not in b"H":
        return _first_byte_fault(data[start], is_request=False)
    longest = limits.start_line_size
    line = data.find(b"\n", start, min(end, start + longest + 2))
    if line < 0:
        return _line_fault(is_request=False) if end - start >= longest + 2 else None
    return broken("fields-too-large") if end > line + limits.header_block_size + 4 else None


def _lines(block: bytes) -> list[bytes]:
    lines = block.split(b"\r\n")
    if len(block.translate(None, FIELD)) != 2 * (len(lines) - 1):
        raise _byte_fault(block)
    return lines


def _byte_fault(block: bytes) -> RemoteProtocolError:
    wrong = block.replace(b"\r\n", b"").translate(None, FIELD)[:1]
    return broken({b"\r": "bare-cr", b"\n": "bare-lf"}.get(wrong, "control-character"))


def _first_byte_fault(byte: int, is_request: bool) -> RemoteProtocolError:
    if byte in b"\r\n":
        return _byte_fault(bytes((byte,)))
    return broken("method" if is_request else "version")


def _line_fault(is_request: bool) -> RemoteProtocolError:
    return broken("request-line-too-long" if is_request else "status-line-too-long")


def _version_fault(word: bytes) -> RemoteProtocolError:
    name, _, number = word.partition(b"/")
    if (
        name == b"HTTP"
        and len(number) == 3
        and number[1:2] == b"."
        and (number[:1] + number[2:]).isdigit()
    ):
        return broken("version-unsupported", f": {word.decode()}")
    return broken("version")


def _field_fault(line: bytes) -> RemoteProtocolError:
    name, colon, _ = line.partition(b":")
    if line[:1] in (b" ", b"\t"):
        return broken("obs-fold")
    if not colon:
        return broken("field-without-colon")
    if name[-1:] in (b" ", b"\t"):
        return broken("space-before-colon")
    return broken("field-name")
