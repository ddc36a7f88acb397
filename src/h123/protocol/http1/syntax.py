"""Which bytes may stand where: tokens, field lines, hosts (RFC 9110 section 5, RFC 3986 section 3.2).

Everything here is a table made once, and a test that `bytes.translate` makes over a whole block at once:
what is left when the allowed bytes are taken away is what is wrong with it. That is faster than a regular
expression, and it can not be fooled by what it forgot to match.
"""

from __future__ import annotations

from typing import Final

_DIGITS: Final = b"0123456789"
_LETTERS: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

HEXADECIMAL: Final = _DIGITS + b"ABCDEFabcdef"
TOKEN: Final = b"!#$%&'*+-.^_`|~" + _DIGITS + _LETTERS
"""RFC 9110 section 5.6.2."""
FIELD: Final = bytes([0x09, *range(0x20, 0x7F), *range(0x80, 0x100)])
"""What a line of a head may hold: HTAB, SP, VCHAR and obs-text (RFC 9110 section 5.5)."""
TARGET: Final = bytes(byte for byte in range(0x21, 0x7F) if byte != 0x23)
"""A request-target: visible ASCII, without the fragment that never goes on the wire (RFC 9112 3.2)."""

WHITESPACE: Final = b" \t"

PLAIN_HOST: Final = _DIGITS + _LETTERS + b"-._~!$&'()*+,;="
"""A host's name that has neither port nor percent-encoding (RFC 3986 section 3.2.2)."""
_SCHEME: Final = _DIGITS + _LETTERS + b"+-."

HOST: Final = b"host"
CONTENT_LENGTH: Final = b"content-length"
TRANSFER_ENCODING: Final = b"transfer-encoding"
CONNECTION: Final = b"connection"
UPGRADE: Final = b"upgrade"
EXPECT: Final = b"expect"

_FREQUENT: Final = (
    b"Accept Accept-Charset Accept-Encoding Accept-Language Accept-Ranges Access-Control-Allow-Headers "
    b"Access-Control-Allow-Methods Access-Control-Allow-Origin Age Allow Alt-Svc Alt-Used Authorization "
    b"Cache-Control CF-Ray Content-Disposition Content-Encoding Content-Language Content-Location "
    b"Content-Range Content-Security-Policy Content-Type Cookie Date DNT ETag Expires Forwarded From "
    b"If-Match If-Modified-Since If-None-Match If-Range If-Unmodified-Since Keep-Alive Last-Modified Link "
    b"Location Max-Forwards NEL Origin Pragma Priority Proxy-Authenticate Proxy-Authorization "
    b"Proxy-Connection Range Referer Referrer-Policy Report-To Retry-After Sec-CH-UA Sec-CH-UA-Mobile "
    b"Sec-CH-UA-Platform Sec-Fetch-Dest Sec-Fetch-Mode Sec-Fetch-Site Sec-Fetch-User "
    b"Sec-WebSocket-Accept Sec-WebSocket-Extensions Sec-WebSocket-Key Sec-WebSocket-Protocol "
    b"Sec-WebSocket-Version Server Server-Timing Set-Cookie Strict-Transport-Security TE Trailer "
    b"Upgrade-Insecure-Requests User-Agent Vary Via WWW-Authenticate X-Cache X-Content-Type-Options "
    b"X-Forwarded-For X-Forwarded-Host X-Forwarded-Proto X-Frame-Options X-Powered-By X-Real-IP "
    b"X-Request-ID X-Requested-With X-XSS-Protection"
).split()

PLAIN: Final = frozenset(_FREQUENT) | frozenset(name.lower() for name in _FREQUENT)
"""Names that are seen every day, as spelled on the wire, and mean nothing to HTTP/1.1 itself.

One look-up tells that such a name is a token and that the engine need not look at its value.
"""

SPECIAL: Final = {
    spelling: name
    for name in (HOST, CONTENT_LENGTH, TRANSFER_ENCODING, CONNECTION, UPGRADE, EXPECT)
    for spelling in (name, name.title())
}
"""Names of fields which HTTP/1.1 itself reads, as they are mostly spelled, to their lower case."""


def kind_of(name: bytes) -> bytes | None:
    """Return what a name that is neither in `PLAIN` nor in `SPECIAL` is to the engine.

    That is the lower-case name of a field which HTTP/1.1 itself reads, and empty for all others. None is
    returned for what is no token, and so no name.
    """
    if not name or name.translate(None, TOKEN):
        return None
    return SPECIAL.get(name.lower(), b"")


def is_token(value: bytes) -> bool:
    """Say whether this is a token (RFC 9110 section 5.6.2)."""
    return bool(value) and not value.translate(None, TOKEN)


def is_host(value: bytes) -> bool:
    """Say whether this is `uri-host [":" port]` (RFC 9110 section 7.2). An empty host is one."""
    rest = value.translate(None, PLAIN_HOST)
    if not rest:
        return True
    if rest == b":":
        return not value.partition(b":")[2].translate(None, _DIGITS)
    if value[:1] == b"[":
        literal, bracket, port = value[1:].partition(b"]")
        return bool(bracket) and _is_ip_literal(literal) and _is_port(port)
    name, colon, digits = value.partition(b":")
    return _is_port(colon + digits) and _is_registered_name(name)


def is_host_and_port(value: bytes) -> bool:
    """Say whether this is CONNECT's target: a host and a port, neither empty (RFC 9112 section 3.2.3)."""
    host, _, port = value.rpartition(b":")
    return bool(host) and port.isdigit() and is_host(value)


def _is_port(value: bytes) -> bool:
    return not value or (value[:1] == b":" and not value[1:].translate(None, _DIGITS))


def _is_registered_name(value: bytes) -> bool:
    # Each piece after a percent sign begins with two hexadecimal digits (RFC 3986 section 2.1).
    first, *encoded = value.split(b"%")
    return not first.translate(None, PLAIN_HOST) and all(
        len(piece) >= 2
        and not piece[:2].translate(None, HEXADECIMAL)
        and not piece[2:].translate(None, PLAIN_HOST)
        for piece in encoded
    )


def _is_ip_literal(value: bytes) -> bool:
    if value[:1] in (b"v", b"V"):  # IPvFuture
        version, dot, address = value[1:].partition(b".")
        return (
            bool(version and dot and address)
            and not version.translate(None, HEXADECIMAL)
            and not address.translate(None, PLAIN_HOST + b":")
        )
    return value.count(b":") >= 2 and not value.translate(None, HEXADECIMAL + b":.")


def split_absolute(target: bytes) -> tuple[bytes, bytes] | None:
    """Return the scheme, in lower case, and the authority of an absolute-form target, or None.

    RFC 9112 section 3.2.2. The authority is not empty and holds no userinfo (RFC 9110 section 4.2.4).
    """
    scheme, separator, rest = target.partition(b"://")
    if not separator or not scheme[:1].isalpha() or scheme.translate(None, _SCHEME):
        return None
    authority = rest.partition(b"/")[0].partition(b"?")[0]
    if authority[:1] in (b"", b":") or not is_host(authority):
        return None
    return scheme.lower(), authority


def list_members(value: bytes) -> list[bytes]:
    """Return the members of a comma-separated list in lower case, empty ones left out (RFC 9110 5.6.1)."""
    members = [member.strip(WHITESPACE) for member in value.lower().split(b",")]
    return [member for member in members if member]
