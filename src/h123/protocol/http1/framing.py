"""How long a message's content is, and whether the connection outlives it (RFC 9112 sections 6 and 9).

These are the questions that request smuggling lives on: two readers of one message that answer them
differently. So whatever could be answered in two ways is refused.
"""

from __future__ import annotations

from ..errors import RemoteProtocolError
from .head import Known
from .syntax import (
    CONNECTION,
    CONTENT_LENGTH,
    TRANSFER_ENCODING,
    UPGRADE,
    WHITESPACE,
    is_token,
    list_members,
)

LENGTH_DIGITS = 18
"""Under 10^18 bytes: it fits the signed 64 bits of whoever stands behind us, and no content is larger."""


def is_chunked(known: Known, version: str) -> bool:
    """Say whether the content comes in chunks (RFC 9112 sections 6.1 and 6.3).

    Raises `RemoteProtocolError` if it is coded in any way that is not exactly this.
    """
    coding = known.get(TRANSFER_ENCODING)
    if coding is None:
        return False
    if version != "HTTP/1.1":
        raise RemoteProtocolError(
            "Transfer-Encoding in HTTP/1.0", rule="transfer-encoding-in-http10"
        )
    if CONTENT_LENGTH in known:
        raise RemoteProtocolError(
            "both Content-Length and Transfer-Encoding", rule="content-length-and-transfer-encoding"
        )
    if coding.lower() == b"chunked":
        return True
    members = [member.strip(WHITESPACE) for member in coding.lower().split(b",")]
    if members[-1] == b"chunked" and members.count(b"chunked") == 1 and all(map(is_token, members)):
        raise RemoteProtocolError(
            "a transfer coding that is not known here", status=501, rule="transfer-coding-unknown"
        )
    raise RemoteProtocolError(
        "Transfer-Encoding is not chunked", rule="transfer-encoding-malformed"
    )


def request_length(known: Known) -> int:
    """Return the Content-Length of a request that has one (RFC 9110 section 8.6)."""
    return _length(known[CONTENT_LENGTH])


def response_length(known: Known) -> int | None:
    """Return the Content-Length of a response, None if it has none.

    Here the same length said twice is taken as said once, which section 8.6 of RFC 9110 allows and some
    servers need. A request that does so is refused.
    """
    value = known.get(CONTENT_LENGTH)
    if value is None:
        return None
    if b"," in value:
        first, *others = (member.strip(WHITESPACE) for member in value.split(b","))
        if any(member != first for member in others):
            raise RemoteProtocolError(
                "Content-Length fields that differ", rule="content-length-repeated"
            )
        value = first
    return _length(value)


def _length(value: bytes) -> int:
    if not value.isdigit():
        if b"," in value:
            raise RemoteProtocolError(
                "Content-Length more than once", rule="content-length-repeated"
            )
        raise RemoteProtocolError("Content-Length is no number", rule="content-length-malformed")
    if len(value) > LENGTH_DIGITS:
        raise RemoteProtocolError(
            "Content-Length beyond all measure", status=413, rule="content-length-too-large"
        )
    return int(value)


def persists(known: Known, version: str) -> bool:
    """Say whether the sender of this head keeps the connection open after it (RFC 9112 section 9.3)."""
    value = known.get(CONNECTION)
    if value is None:
        return version == "HTTP/1.1"
    if value == b"keep-alive":  # what most say
        return True
    options = list_members(value)
    return b"close" not in options and (version == "HTTP/1.1" or b"keep-alive" in options)


def offers_upgrade(known: Known) -> bool:
    """Say whether this request asks for another protocol (RFC 9110 section 7.8)."""
    return UPGRADE in known and b"upgrade" in list_members(known.get(CONNECTION, b""))
