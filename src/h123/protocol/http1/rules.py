"""Every rule by which a message is refused: its name, the section that it comes from, what to answer.

Names are stable: they are what refusals are counted by (`RemoteProtocolError.rule`). A `Profile` is the set
of rules that a client forgives. None of those is about where a message ends.
"""

from __future__ import annotations

from typing import Final

from ..errors import RemoteProtocolError

RULES: Final[dict[str, tuple[str, int, str]]] = {
    # Bytes and lines
    "bare-lf": ("RFC 9112 section 2.2", 400, "a line feed without a carriage return"),
    "bare-cr": ("RFC 9112 section 2.2", 400, "a carriage return without a line feed"),
    "control-character": ("RFC 9110 section 5.5", 400, "a control character"),
    "empty-lines": ("RFC 9112 section 2.2", 400, "too many empty lines before a message"),
    "empty-lines-before-response": (
        "RFC 9112 section 2.1",
        400,
        "an empty line before a status line",
    ),
    # Start lines
    "request-line": ("RFC 9112 section 3", 400, "the request line is not three words"),
    "request-line-too-long": ("RFC 9112 section 3", 414, "request line too long"),
    "method": ("RFC 9110 section 9.1", 400, "the method is no token"),
    "target": ("RFC 9112 section 3.2", 400, "the target holds what no URI may"),
    "target-form": (
        "RFC 9112 section 3.2",
        400,
        "the target has no form that the method allows",
    ),
    "version": ("RFC 9112 section 2.3", 400, "no HTTP version"),
    "version-unsupported": ("RFC 9110 section 15.6.6", 505, "this version is not spoken here"),
    "status-line": (
        "RFC 9112 section 4",
        400,
        "the status is no number of three digits from 100 on",
    ),
    "status-line-whitespace": (
        "RFC 9112 section 4",
        400,
        "the parts of the status line are not set apart by one space",
    ),
    "status-line-too-long": ("RFC 9112 section 4", 400, "status line too long"),
    # Fields
    "obs-fold": ("RFC 9112 section 5.2", 400, "a folded field line"),
    "space-before-colon": ("RFC 9112 section 5.1", 400, "whitespace before the colon"),
    "field-without-colon": ("RFC 9112 section 5", 400, "a field line without a colon"),
    "field-name": ("RFC 9110 section 5.1", 400, "the name of a field is no token"),
    "too-many-fields": ("RFC 6585 section 5", 431, "too many fields"),
    "fields-too-large": ("RFC 6585 section 5", 431, "field section too large"),
    "trailer-field": ("RFC 9110 section 6.5.1", 400, "a field that no trailer may be"),
    "host-missing": ("RFC 9112 section 3.2", 400, "no Host field"),
    "host-repeated": ("RFC 9112 section 3.2", 400, "several Host fields"),
    "host-malformed": ("RFC 9112 section 3.2", 400, "malformed Host"),
    "expectation-unknown": (
        "RFC 9110 section 10.1.1",
        417,
        "an expectation other than 100-continue",
    ),
    # Framing
    "content-length-malformed": ("RFC 9110 section 8.6", 400, "Content-Length is no number"),
    "content-length-repeated": ("RFC 9110 section 8.6", 400, "Content-Length more than once"),
    "content-length-differing": ("RFC 9112 section 6.3", 400, "Content-Length fields that differ"),
    "content-length-too-large": ("RFC 9110 section 8.6", 413, "Content-Length beyond all measure"),
    "content-length-and-transfer-encoding": (
        "RFC 9112 section 6.3",
        400,
        "both Content-Length and Transfer-Encoding",
    ),
    "transfer-encoding-in-http10": (
        "RFC 9112 section 6.1",
        400,
        "Transfer-Encoding in HTTP/1.0",
    ),
    "transfer-encoding-malformed": (
        "RFC 9112 section 6.1",
        400,
        "Transfer-Encoding is not chunked",
    ),
    "transfer-coding-unknown": (
        "RFC 9112 section 6.1",
        501,
        "a transfer coding that is not known here",
    ),
    "connect-content": ("RFC 9110 section 9.3.6", 400, "CONNECT with content"),
    # Chunks
    "chunk-size": ("RFC 9112 section 7.1", 400, "a chunk size that is no number"),
    "chunk-size-padding": ("RFC 9112 section 7.1", 400, "whitespace after a chunk size"),
    "chunk-size-too-long": ("RFC 9112 section 7.1.1", 400, "a chunk size line without end"),
    "chunk-size-too-large": ("RFC 9112 section 7.1", 413, "a chunk size beyond all measure"),
    "chunk-extension": (
        "RFC 9112 section 7.1.1",
        400,
        "a control character in a chunk extension",
    ),
    "chunk-extensions-too-large": (
        "RFC 9112 section 7.1.1",
        400,
        "more chunk extensions than content",
    ),
    "chunk-data-end": ("RFC 9112 section 7.1", 400, "a chunk longer than its size"),
    # The connection
    "upgrade-unasked": ("RFC 9110 section 7.8", 400, "101 that nobody asked for"),
    "response-unasked": ("RFC 9112 section 9.2", 400, "a response to no request"),
    "eof-in-head": ("RFC 9112 section 8", 400, "the connection ended in a head"),
    "eof-in-content": ("RFC 9112 section 8", 400, "the connection ended in content"),
    "eof-before-response": ("RFC 9112 section 9.5", 400, "the connection ended before a response"),
}
"""Rule to its section, the status to answer with, and what went wrong."""

FORGIVABLE: Final = frozenset(
    (
        "bare-lf",
        "control-character",
        "empty-lines-before-response",
        "status-line-whitespace",
        "obs-fold",
        "space-before-colon",
        "content-length-repeated",
        "chunk-size-padding",
    )
)
"""Rules that a client can do without: whoever breaks one is still understood in one way alone."""


class Profile:
    """How strictly responses are judged. Requests are always judged by all rules.

    Attributes:
        name: what it is called.
        forgives: the rules of `FORGIVABLE` that a server may break.
    """

    __slots__ = ("forgives", "name")

    def __init__(self, name: str, forgives: frozenset[str]) -> None:
        """Raise `ValueError` if this is to forgive what would leave the framing in doubt."""
        unforgivable = forgives - FORGIVABLE
        if unforgivable:
            raise ValueError(f"no profile forgives {', '.join(sorted(unforgivable))}")
        self.name = name
        self.forgives = forgives

    def __repr__(self) -> str:
        return f"<Profile {self.name}>"


STRICT: Final = Profile("strict", frozenset())
"""Forgives nothing. What every server uses."""

LENIENT: Final = Profile("lenient", FORGIVABLE)
"""For clients that meet the messy web: forgives whatever leaves no doubt where a response ends."""


def broken(rule: str, detail: str = "") -> RemoteProtocolError:
    """Return the error for a broken rule."""
    section, status, message = RULES[rule]
    return RemoteProtocolError(f"{message}{detail} ({section})", status=status, rule=rule)
