"""A cookie's date, read as leniently as RFC 6265 section 5.1.1 asks for."""

from __future__ import annotations

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
# What separates tokens: HTAB, 0x20-2F, 0x3B-40, 0x5B-60, 0x7B-7E
_DELIMITERS = "".join(
    chr(code)
    for code in (9, *range(0x20, 0x30), *range(0x3B, 0x41), *range(0x5B, 0x61), *range(0x7B, 0x7F))
)
_TO_BLANKS = str.maketrans(_DELIMITERS, " " * len(_DELIMITERS))


def parse_cookie_date(text: str) -> float | None:
    """Return a date as seconds since 1970 (UTC), or None if it is none."""
    clock = day = month = year = None
    for token in text.translate(_TO_BLANKS).split():
        if clock is None and (clock := _clock(token)) is not None:
            continue
        if day is None and (day := _leading_number(token, 1, 2)) is not None:
            continue
        if month is None and token[:3].lower() in _MONTHS:
            month = _MONTHS.index(token[:3].lower()) + 1
            continue
        if year is None:
            year = _leading_number(token, 2, 4)
    if clock is None or day is None or month is None or year is None:
        return None
    if 70 <= year <= 99:
        year += 1900
    elif year <= 69:
        year += 2000
    hour, minute, second = clock
    if (
        year < 1601
        or not 1 <= day <= _days_in(month, year)
        or hour > 23
        or minute > 59
        or second > 59
    ):
        return None
    return (_days_since_epoch(year, month, day) * 24 + hour) * 3600 + minute * 60.0 + second


def _leading_number(token: str, least: int, most: int) -> int | None:
    """Return the number a token begins with, if it has so many digits and no digit follows."""
    digits = 0
    while digits < len(token) and token[digits] in "0123456789":
        digits += 1
    return int(token[:digits]) if least <= digits <= most else None


def _clock(token: str) -> tuple[int, int, int] | None:
    parts = token.split(":")
    if len(parts) < 3:
        return None
    hour, minute = (_leading_number(part, 1, 2) if part.isdigit() else None for part in parts[:2])
    second = _leading_number(parts[2], 1, 2)
    return None if hour is None or minute is None or second is None else (hour, minute, second)


def _days_in(month: int, year: int) -> int:
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month in (4, 6, 9, 11) else 31


def _days_since_epoch(year: int, month: int, day: int) -> int:
    """Return the days from 1970-01-01, counting years from March so that leap days come last."""
    if month <= 2:
        year -= 1
        month += 12
    return (
        365 * year + year // 4 - year // 100 + year // 400 + (153 * month - 457) // 5 + day - 719469
    )
