"""Conditional requests: validators, preconditions and their precedence. RFC 9110 sections 8.8 and 13."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ...message.headers import Headers
from ..http_date import format_http_date, parse_http_date

SETTLING_TIME = 2_000_000_000
"""Nanoseconds for which a changed file may change again without its clock showing it."""

_ENTITY_TAG = re.compile('[ \t,]*((?:W/)?"[^"\\x00-\\x20\\x7f]*")')
_REST = re.compile("[ \t]*(?:,|$)")


class Validators:
    """What tells one state of a file from another (section 8.8).

    The entity tag is made of the size and the time of the last change, in nanoseconds. Both are the same
    on every machine that holds a faithful copy, so that several may serve one site.

    It is weak while the file is young, and strong from then on. File systems stamp changes with a clock
    that ticks every few milliseconds: a file that has just changed may change again, in the same tick and
    to the same size, and two states would share one strong tag (section 8.8.1). When it has rested for
    longer than any tick, the next change must show. `ctime` counts as well as `mtime`, because that one
    can not be set back by hand.
    """

    __slots__ = ("entity_tag", "modified", "settled")

    def __init__(self, size: int, mtime_ns: int, ctime_ns: int, now_ns: int) -> None:
        self.settled = max(mtime_ns, ctime_ns) <= now_ns - SETTLING_TIME
        self.entity_tag = f'{"" if self.settled else "W/"}"{mtime_ns & (1 << 64) - 1:x}-{size:x}"'
        # Never in the future, which is for those who send it to mend (section 8.8.2.1).
        self.modified = max(0, min(mtime_ns, now_ns) // 1_000_000_000)

    @property
    def last_modified(self) -> str:
        """The Last-Modified value."""
        return format_http_date(self.modified)


def precondition_status(method: str, headers: Headers, validators: Validators) -> int | None:
    """Return the status that ends this request early, 304 or 412, or None to go on (section 13.2.2).

    To be asked only when the response without preconditions would be a 2xx (section 13.2.1).
    """
    if_match = headers.get("if-match")
    if if_match is not None:
        if not matches_strongly(if_match, validators.entity_tag):
            return 412
    else:
        unmodified_since = _date(headers.get("if-unmodified-since"))
        if unmodified_since is not None and validators.modified > unmodified_since:
            return 412
    if_none_match = headers.get("if-none-match")
    if if_none_match is not None:
        if matches_weakly(if_none_match, validators.entity_tag):
            return 304 if method in ("GET", "HEAD") else 412
    elif method in ("GET", "HEAD"):
        modified_since = _date(headers.get("if-modified-since"))
        if modified_since is not None and validators.modified <= modified_since:
            return 304
    return None


def if_range_holds(value: str, validators: Validators) -> bool:
    """Whether the part that an If-Range field's sender holds is of the file as it is (section 13.1.5).

    A date must be the very same, and the file settled: only then is it a strong validator (8.8.2.2).
    """
    if value.startswith(('"', "W/")):
        return not value.startswith("W/") and value == validators.entity_tag
    return validators.settled and parse_http_date(value) == validators.modified


def matches_strongly(field: str, entity_tag: str) -> bool:
    """Whether If-Match's list holds this tag by strong comparison (sections 8.8.3.2, 13.1.1)."""
    return field == "*" or (not entity_tag.startswith("W/") and entity_tag in _entity_tags(field))


def matches_weakly(field: str, entity_tag: str) -> bool:
    """Whether If-None-Match's list holds this tag by weak comparison (sections 8.8.3.2, 13.1.2)."""
    opaque = entity_tag.removeprefix("W/")
    return field == "*" or any(tag.removeprefix("W/") == opaque for tag in _entity_tags(field))


def _entity_tags(field: str) -> Iterator[str]:
    """Yield the tags of a list, up to the first thing that is none."""
    position = 0
    while match := _ENTITY_TAG.match(field, position):
        rest = _REST.match(field, match.end())
        if rest is None:
            return
        yield match[1]
        position = rest.end()


def _date(field: str | None) -> int | None:
    """Return the date; a field that is none, or several, is ignored (sections 13.1.3, 13.1.4)."""
    return None if field is None else parse_http_date(field)
