"""Field sections of HTTP/2 and HTTP/3: which are well-formed, in both directions.

RFC 9110 section 5 (fields), RFC 9113 sections 8.2 and 8.3 and RFC 9114 sections 4.2 and 4.3 (what the two
versions ask alike: lower case, pseudo-header fields, no connection-specific fields), RFC 8441 and RFC 9220
(extended CONNECT). Nothing here knows of a connection: a section comes in as decoded by HPACK or QPACK.

A section is checked as a block: all names joined must consist of the characters that a name may have, all
values likewise. That is one pass in C, and stricter than looking for what is known to be bad. The usual
section, in which nothing is delicate, needs few loops (`_quick_split`); what that can not vouch for is
looked at field by field, which also finds the words for what is wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import LocalProtocolError

if TYPE_CHECKING:
    from .events import Headers

FIELD_OVERHEAD = 32
"""What a field counts beside its name and value (RFC 9113 section 6.5.2, RFC 9114 section 4.2.2)."""

_ALPHANUMERIC = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_TOKEN = b"!#$%&'*+-.^_`|~" + _ALPHANUMERIC
_NAME = bytes(character for character in _TOKEN if not 0x41 <= character <= 0x5A)
_OBS_TEXT = bytes(range(0x80, 0x100))
_VALUE = b"\t" + bytes(range(0x20, 0x7F)) + _OBS_TEXT
_AUTHORITY = b"-._~!$&'()*+,;=:[]%" + _ALPHANUMERIC
# Clients such as curl send a path with raw UTF-8 as it was typed; it can do no harm between delimiters.
_TARGET = bytes(character for character in range(0x21, 0x7F) if character != 0x23) + _OBS_TEXT
_SCHEME = b"+-." + _ALPHANUMERIC
_PROTOCOL = b"/" + _TOKEN

_CONNECTION_SPECIFIC = frozenset(
    [b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"]
)
# Names about which there is more to check than their characters.
_DELICATE = _CONNECTION_SPECIFIC | {b"te", b""}
_REQUEST_PSEUDO = frozenset([b":method", b":scheme", b":authority", b":path", b":protocol"])
_RESPONSE_PSEUDO = frozenset([b":status"])
_DIGITS = b"0123456789"
_STRIP = bytes.strip

# Names that were found in order, of which few are used over and over.
_plain_names: set[bytes] = set()
_MOST_PLAIN_NAMES = 512
_LONGEST_PLAIN_NAME = 64


class MalformedError(Exception):
    """A received field section breaks a rule: the message is malformed (RFC 9114 section 4.1.2)."""

    def __init__(self, message: str, rule: str) -> None:
        super().__init__(message)
        self.rule = rule


class RequestHead:
    """A request's field section, taken apart."""

    __slots__ = ("method", "target", "scheme", "authority", "protocol", "headers")

    def __init__(
        self,
        method: bytes,
        target: bytes,
        scheme: bytes,
        authority: bytes,
        protocol: bytes,
        headers: Headers,
    ) -> None:
        self.method = method
        self.target = target
        self.scheme = scheme
        self.authority = authority
        self.protocol = protocol
        self.headers = headers


def section_size(fields: Headers) -> int:
    """Return a section's size in bytes as limits count it: names, values, and 32 a field."""
    return sum([len(name) + len(value) for name, value in fields]) + FIELD_OVERHEAD * len(fields)


# ------------------------------------------------------------------------------------ received


def parse_request(fields: Headers) -> RequestHead:
    """Take a request's section apart. Raises `MalformedError`."""
    pseudo, headers = _split(fields, _REQUEST_PSEUDO)
    method = pseudo.get(b":method", b"")
    if not method or method.translate(None, _TOKEN):
        raise MalformedError("the request has no valid :method", "method")
    authority = _authority(pseudo.get(b":authority"), headers)
    protocol = pseudo.get(b":protocol", b"")
    if b":protocol" in pseudo and (
        method != b"CONNECT" or not protocol or protocol.translate(None, _PROTOCOL)
    ):
        raise MalformedError(":protocol belongs to CONNECT alone", "protocol")
    if method == b"CONNECT" and not protocol:
        if b":scheme" in pseudo or b":path" in pseudo or not pseudo.get(b":authority"):
            raise MalformedError("CONNECT takes :method and :authority alone", "connect")
        return RequestHead(method, authority, b"", authority, b"", headers)

    scheme = pseudo.get(b":scheme", b"")
    if not scheme or scheme.translate(None, _SCHEME):
        raise MalformedError("the request has no valid :scheme", "scheme")
    target = pseudo.get(b":path", b"")
    _check_path(method, scheme, target)
    if not authority and (protocol or scheme.lower() in (b"https", b"http")):
        raise MalformedError("the request has neither :authority nor Host", "authority")
    return RequestHead(method, target, scheme, authority, protocol, headers)


def parse_response(fields: Headers) -> tuple[int, Headers]:
    """Return a response's status and its other fields. Raises `MalformedError`."""
    pseudo, headers = _split(fields, _RESPONSE_PSEUDO)
    digits = pseudo.get(b":status", b"")
    if len(digits) != 3 or digits.translate(None, _DIGITS) or digits[0] == 0x30:
        raise MalformedError("the response has no valid :status", "status")
    status = int(digits)
    if status == 101:
        raise MalformedError("101 does not exist past HTTP/1.1", "status")
    return status, headers


def parse_trailers(fields: Headers) -> Headers:
    """Return a trailer section's fields. Raises `MalformedError`, for any pseudo-header field too."""
    return _split(fields, frozenset())[1]


def content_length(headers: Headers) -> int | None:
    """Return the Content-Length that a received section declares. Raises `MalformedError`.

    The same value said several times is one (RFC 9110 section 8.6); anything else is refused.
    """
    found: bytes | None = None
    for name, value in headers:
        if name == b"content-length":
            if found is not None and value != found:
                raise MalformedError("two Content-Lengths that differ", "content-length")
            # Eighteen digits are an exabyte: more is an attack on whoever does arithmetic with it.
            if not value or value.translate(None, _DIGITS) or len(value) > 18:
                raise MalformedError("Content-Length is no number of bytes", "content-length")
            found = value
    return None if found is None else int(found)


def join_cookies(headers: Headers) -> Headers:
    """Return the fields with the cookie crumbs put together (RFC 9113 8.2.3, RFC 9114 4.2.1)."""
    crumbs = [value for name, value in headers if name == b"cookie"]
    if len(crumbs) < 2:
        return headers
    joined: Headers = []
    for field in headers:
        if field[0] != b"cookie":
            joined.append(field)
        elif crumbs:
            joined.append((b"cookie", b"; ".join(crumbs)))
            crumbs = []
    return joined


def _quick_split(
    fields: Headers, known: frozenset[bytes]
) -> tuple[dict[bytes, bytes], Headers] | None:
    """Do what `_split` does for a section that is well-formed and plain, or return None."""
    first = 0
    for name, _ in fields:
        if name[:1] != b":":
            break
        first += 1
    headers = fields[first:]
    pseudo = dict(fields[:first])
    values = [value for _, value in fields]
    if (
        len(pseudo) == first
        and known.issuperset(pseudo)
        and _are_plain([name for name, _ in headers])
        and not b"".join(values).translate(None, _VALUE)
        and list(map(_STRIP, values)) == values
    ):
        return pseudo, headers
    return None


def _are_plain(names: list[bytes]) -> bool:
    """Whether these are names in lower case, and none is one about which there is more to check."""
    if _plain_names.issuperset(names):
        return True
    if b"".join(names).translate(None, _NAME) or not _DELICATE.isdisjoint(names):
        return False
    if len(_plain_names) >= _MOST_PLAIN_NAMES:
        _plain_names.clear()
    _plain_names.update([name for name in names if len(name) <= _LONGEST_PLAIN_NAME])
    return True


def _split(fields: Headers, known: frozenset[bytes]) -> tuple[dict[bytes, bytes], Headers]:
    """Part the pseudo-header fields from the others, and check what holds for every section."""
    quick = _quick_split(fields, known)
    if quick is not None:
        return quick
    pseudo: dict[bytes, bytes] = {}
    for name, value in fields:
        if name[:1] != b":":
            break
        if name not in known or name in pseudo:
            what = "twice" if name in pseudo else "here"
            raise MalformedError(f"{name!r} can not stand {what}", "pseudo-header")
        pseudo[name] = value
    headers = fields[len(pseudo) :]
    # A pseudo-header field among the others has a colon, which no name may contain.
    if b"".join([name for name, _ in headers]).translate(None, _NAME):
        raise MalformedError("a field name has a character that is not allowed", "field-name")
    if b"".join([value for _, value in fields]).translate(None, _VALUE):
        raise MalformedError("a field value has a control character", "field-value")
    for name, value in headers:
        if not name:
            raise MalformedError("a field has no name", "field-name")
        if value != value.strip(b" \t"):
            raise MalformedError("a field value has white space around it", "field-value")
        if name in _CONNECTION_SPECIFIC or (name == b"te" and value.lower() != b"trailers"):
            raise MalformedError(f"{name!r} is connection-specific", "connection-specific")
    return pseudo, headers


def _authority(authority: bytes | None, headers: Headers) -> bytes:
    """Return what the request is for, by :authority or Host, which must agree (RFC 9114 4.3.1)."""
    for name, value in headers:
        if name == b"host":
            if authority is not None and authority.lower() != value.lower():
                raise MalformedError(":authority and Host, or two Hosts, differ", "authority")
            authority = value if authority is None else authority
    if authority is None:
        return b""
    if not authority or authority.translate(None, _AUTHORITY):
        raise MalformedError("the authority is no host and port", "authority")
    return authority


def _check_path(method: bytes, scheme: bytes, target: bytes) -> None:
    if not target or target.translate(None, _TARGET):
        raise MalformedError("the request has no valid :path", "path")
    if scheme.lower() not in (b"https", b"http"):
        return
    if target[0] != 0x2F and not (target == b"*" and method == b"OPTIONS"):
        raise MalformedError(":path does not begin with /", "path")


# ---------------------------------------------------------------------------------------- sent


def request_fields(
    method: bytes,
    target: bytes,
    headers: Headers,
    scheme: bytes,
    authority: bytes,
    protocol: bytes,
) -> Headers:
    """Return the section of a request to send. Raises `LocalProtocolError` for what is malformed.

    Connection-specific fields are left out. A Host field becomes `:authority`, and wins over `authority`:
    whoever writes one means it.
    """
    rest = _to_send(headers)
    hosts = [value for name, value in rest if name == b"host"]
    if hosts:
        authority = hosts[-1]
        rest = [field for field in rest if field[0] != b"host"]
    connect = method == b"CONNECT" and not protocol
    if connect:
        authority = target
        fields = [(b":method", method), (b":authority", authority)]
    else:
        fields = [(b":method", method), (b":scheme", scheme)]
        if authority:
            fields.append((b":authority", authority))
        fields.append((b":path", target))
        if protocol:
            fields.append((b":protocol", protocol))
    fields += rest
    try:
        parse_request(fields)
        content_length(rest)
    except MalformedError as error:
        raise LocalProtocolError(f"this request can not be sent: {error}") from error
    return fields


def response_fields(status: int, headers: Headers) -> Headers:
    """Return the section of a response to send, final or not. Raises `LocalProtocolError`."""
    fields = [(b":status", b"%d" % status), *_to_send(headers)]
    try:
        parse_response(fields)
        content_length(fields)
    except MalformedError as error:
        raise LocalProtocolError(f"this response can not be sent: {error}") from error
    return fields


def trailer_fields(headers: Headers) -> Headers:
    """Return a trailer section to send. Raises `LocalProtocolError`."""
    fields = _to_send(headers)
    try:
        parse_trailers(fields)
    except MalformedError as error:
        raise LocalProtocolError(f"these trailers can not be sent: {error}") from error
    return fields


def _to_send(headers: Headers) -> Headers:
    """Return the fields with names in lower case and without those that belong to HTTP/1.1 alone."""
    fields = [(name.lower(), value) for name, value in headers]
    if _plain_names.issuperset([name for name, _ in fields]):
        return fields
    return [
        (name, value)
        for name, value in fields
        if name not in _CONNECTION_SPECIFIC and (name != b"te" or value.lower() == b"trailers")
    ]
