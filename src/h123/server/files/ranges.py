"""Range requests: which bytes of a representation a Range field asks for. RFC 9110 section 14.

A range is a pair `(start, stop)` of byte positions, `stop` exclusive, as Python counts.
"""

from __future__ import annotations

import re

Range = tuple[int, int]

MOST_RANGES = 64
"""Ranges in one request; a field with more is ignored (section 14.2 allows it), and the whole is sent."""

PART_OVERHEAD = 128
"""Bytes, about, that one more part costs. Ranges closer than this are sent as one (section 15.3.7.2)."""

_RANGE = re.compile(r"([0-9]*)-([0-9]*)", re.ASCII)
_MOST_DIGITS = 19  # more digits than any file's size has; also what keeps int() linear


def parse_ranges(field: str, size: int) -> list[Range] | None:
    """Return the satisfiable ranges of a Range field's value, in its order, for `size` bytes of content.

    None means that the field is to be ignored: another unit, invalid syntax, too many ranges, or a suffix
    of nothing, which is satisfiable and yet no range. An empty list means that no range can be satisfied
    (416).
    """
    unit, equals, range_set = field.partition("=")
    if not equals or unit.lower() != "bytes" or range_set.count(",") >= 2 * MOST_RANGES:
        return None
    specs = [spec for spec in (spec.strip(" \t") for spec in range_set.split(",")) if spec]
    if not specs or len(specs) > MOST_RANGES:
        return None
    ranges = []
    for spec in specs:
        match = _RANGE.fullmatch(spec)
        if match is None:
            return None
        first, last = match.groups()
        if first:
            start, stop = _position(first), _position(last) + 1 if last else size
            if last and stop <= start:  # last before first: invalid, section 14.1.1
                return None
            if start < size:
                ranges.append((start, min(stop, size)))
        elif not last:
            return None
        elif suffix := _position(last):
            if not size:
                return None  # "bytes 0--1/0" can not be said
            ranges.append((max(0, size - suffix), size))
    return ranges


def coalesce(ranges: list[Range]) -> list[Range]:
    """Join ranges that overlap, touch or nearly touch; the others keep their order (section 15.3.7.2).

    What is sent is never more than the content and one part's overhead a range, so that no set of ranges
    makes a server send a file many times over (section 17.15).
    """
    joined: list[Range] = []
    for start, stop in ranges:
        place = len(joined)
        for index in range(len(joined) - 1, -1, -1):
            other_start, other_stop = joined[index]
            if start <= other_stop + PART_OVERHEAD and other_start <= stop + PART_OVERHEAD:
                # It may bridge others too: go on, all of them meet at the place of the earliest.
                start, stop = min(start, other_start), max(stop, other_stop)
                del joined[index]
                place = index
        joined.insert(place, (start, stop))
    return joined


def content_range(start: int, stop: int, size: int) -> str:
    """Return the Content-Range value of a part (section 14.4)."""
    return f"bytes {start}-{stop - 1}/{size}"


def _position(digits: str) -> int:
    digits = digits.lstrip("0")
    return int(digits or "0") if len(digits) <= _MOST_DIGITS else 10**_MOST_DIGITS
