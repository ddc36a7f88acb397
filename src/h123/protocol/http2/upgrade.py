"""h2c by the Upgrade of old: an HTTP/1.1 request that asks to go on in HTTP/2 (RFC 7540 section 3.2).

RFC 9113 has given it up; clients that know only this way still come. A server's driver does this with the
`RequestReceived` of its HTTP/1.1 engine:

    settings = upgrade_settings(event)
    if settings is not None:
        http1.send_informational(event.stream_id, 101, UPGRADE_ANSWER)
        rest = b"".join([part.data for part in http1.receive_data(b"")])
        http2 = HTTP2Connection(Role.SERVER, limits=limits)
        events = http2.begin_upgraded(event, settings) + http2.receive_data(rest)

and sends what `http1` holds before what `http2` does. The request is stream 1 from then on.
"""

from __future__ import annotations

import binascii
from typing import TYPE_CHECKING, Final

from ..errors import RemoteProtocolError
from .settings import parse_settings

if TYPE_CHECKING:
    from ..events import Headers, RequestReceived

UPGRADE_ANSWER: Final = [(b"Connection", b"Upgrade"), (b"Upgrade", b"h2c")]
"""The fields of the 101 that says yes."""

_MOST_SETTINGS: Final = 32
_OF_THIS_HOP: Final = frozenset(
    [
        b"connection", b"host", b"http2-settings", b"keep-alive", b"proxy-connection", b"te",
        b"transfer-encoding", b"upgrade",
    ]
)  # fmt: skip
_TO_BASE64: Final = bytes.maketrans(b"-_", b"+/")


def upgrade_settings(request: RequestReceived) -> bytes | None:
    """Return the client's SETTINGS payload if a request asks for h2c and can have it, else None.

    A request with content is answered in HTTP/1.1, which every server may do.
    """
    if request.http_version != "HTTP/1.1" or not request.end_stream:
        return None
    upgrade: list[bytes] = []
    connection: list[bytes] = []
    settings: list[bytes] = []
    for name, value in request.headers:
        lower = name.lower()
        if lower == b"upgrade":
            upgrade += _tokens(value)
        elif lower == b"connection":
            connection += _tokens(value)
        elif lower == b"http2-settings":
            settings.append(value)
    if b"h2c" not in upgrade or b"http2-settings" not in connection or len(settings) != 1:
        return None
    text = settings[0].rstrip(b"=").translate(_TO_BASE64)
    try:
        payload = binascii.a2b_base64(text + b"=" * (-len(text) % 4), strict_mode=bool(text))
        parse_settings(payload, _MOST_SETTINGS)
    except (binascii.Error, RemoteProtocolError):
        return None
    return payload


def fields_that_remain(headers: Headers) -> Headers:
    """Return a request's fields as HTTP/2 has them: in lower case, without those of the hop before."""
    lowered = [(name.lower(), value) for name, value in headers]
    return [(name, value) for name, value in lowered if name not in _OF_THIS_HOP]


def _tokens(value: bytes) -> list[bytes]:
    return [token.strip().lower() for token in value.split(b",")]
