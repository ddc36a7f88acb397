"""How urgent a response is: the Priority field's value, for HTTP/2 and HTTP/3 (RFC 9218 section 4)."""

from __future__ import annotations

from typing import NamedTuple


class Priority(NamedTuple):
    """What a response's place is among others on its connection.

    Attributes:
        urgency: 0 is sent first, 7 last.
        incremental: whether its parts are of use before the whole is there, so that it shares with its
            equals; else those go one after the other.
    """

    urgency: int = 3
    incremental: bool = False


DEFAULT_PRIORITY = Priority()

_URGENCIES = {b"%d" % urgency: urgency for urgency in range(8)}
_BOOLEANS = {b"": True, b"?1": True, b"?0": False}


def parse_priority(value: bytes) -> Priority:
    """Return what a Priority field says. What it does not say, or says wrongly, has its default."""
    urgency, incremental = DEFAULT_PRIORITY
    for member in value.split(b","):
        key, _, item = member.strip(b" \t").partition(b"=")
        key, _, _ = key.partition(b";")  # parameters mean nothing here (RFC 8941 section 3.1.2)
        item, _, _ = item.partition(b";")
        if key == b"u":
            urgency = _URGENCIES.get(item, urgency)
        elif key == b"i":
            incremental = _BOOLEANS.get(item, incremental)
    return Priority(urgency, incremental)


def encode_priority(priority: Priority) -> bytes:
    """Return the Priority field's value: what differs from the defaults."""
    parts = []
    if priority.urgency != DEFAULT_PRIORITY.urgency:
        parts.append(b"u=%d" % priority.urgency)
    if priority.incremental:
        parts.append(b"i")
    return b", ".join(parts)
