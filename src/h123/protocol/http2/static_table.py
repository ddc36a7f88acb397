"""HPACK's static table (RFC 7541 appendix A)."""

from __future__ import annotations

from typing import Final

_ENTRIES: Final = """
:authority
:method GET
:method POST
:path /
:path /index.html
:scheme http
:scheme https
:status 200
:status 204
:status 206
:status 304
:status 400
:status 404
:status 500
accept-charset
accept-encoding gzip, deflate
accept-language
accept-ranges
accept
access-control-allow-origin
age
allow
authorization
cache-control
content-disposition
content-encoding
content-language
content-length
content-location
content-range
content-type
cookie
date
etag
expect
expires
from
host
if-match
if-modified-since
if-none-match
if-range
if-unmodified-since
last-modified
link
location
max-forwards
proxy-authenticate
proxy-authorization
range
referer
refresh
retry-after
server
set-cookie
strict-transport-security
transfer-encoding
user-agent
vary
via
www-authenticate
"""


def _parse() -> list[tuple[bytes, bytes]]:
    parted = [line.partition(" ") for line in _ENTRIES.strip().split("\n")]
    return [(name.encode(), value.encode()) for name, _, value in parted]


STATIC_TABLE: Final[list[tuple[bytes, bytes]]] = _parse()
"""The fields of indices 1 to 61, in this order."""

STATIC_SIZE: Final = len(STATIC_TABLE)

STATIC_FIELDS: Final[dict[tuple[bytes, bytes], int]] = {
    field: index for index, field in enumerate(STATIC_TABLE, 1)
}
"""Index by field."""

STATIC_NAMES: Final[dict[bytes, int]] = {
    name: index for index, (name, _) in reversed(list(enumerate(STATIC_TABLE, 1)))
}
"""Index by name, the lowest."""
