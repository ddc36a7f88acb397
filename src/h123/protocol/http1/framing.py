"""How long a message's content is, and whether the connection outlives it (RFC 9112 sections 6 and 9).

These are the questions that request smuggling lives on: two readers of one message that answer them
differently. So whatever could be answered in two ways is refused.
"""

from __future__ import annotations

from .head import Known
from .rules import broken
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
        raise broken("transfer-encoding-in-http10")
    if CONTENT_LENGTH in known:
        raise broken("content-length-and-transfer-encoding")
    if coding.lower() == b"chunked":
        return True
    members = [member.strip(WHITESPACE) for member in coding.lower().split(b",")]
    if members[-1] == b"chunked" and members.count(b"chunked") == 1 and all(map(is_token, members)):
        raise broken("transfer-coding-unknown")
    raise broken("transfer-encoding-malformed")


def content_length(value: bytes, *, forgives_repetition: bool) -> int:
    """Read the value of all Content-Length fields together (RFC 9110 section 8.6).

    The same length said twice may be taken as said once, which some servers need. No request's may.
    """
    if not value.isdigit():
        if b"," not in value:
            raise broken("content-length-malformed")
        first, *others = (member.strip(WHITESPACE) for member in value.split(b","))
        if any(member != first for member in others):
            raise broken("content-length-differing")
        if not first.isdigit():
            raise broken("content-length-malformed")
        if not forgives_repetition:
            raise broken("content-length-repeated")
        value = first
    if len(value) > LENGTH_DIGITS:
        raise broken("content-length-too-large")
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


def expects_to_continue(value: bytes) -> bool:
    """Say whether the client waits for 100 before it sends the content (RFC 9110 section 10.1.1)."""
    expectations = list_members(value)
    if any(expectation != b"100-continue" for expectation in expectations):
        raise broken("expectation-unknown")
    return bool(expectations)
