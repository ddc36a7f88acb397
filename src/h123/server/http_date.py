"""HTTP dates: written in the one form that is sent, read in all three. RFC 9110 section 5.6.7.

Neither the locale nor the machine's time zone has a say.
"""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from functools import lru_cache

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

_DAY = "|".join(_DAYS)
_LONG_DAY = "Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday"
_MONTH = rf"(?P<month>{'|'.join(_MONTHS)})"
_TIME = "(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
_FORMS = (
    re.compile(rf"(?:{_DAY}), (?P<day>[0-9]{{2}}) {_MONTH} (?P<year>[0-9]{{4}}) {_TIME} GMT"),
    re.compile(rf"(?:{_LONG_DAY}), (?P<day>[0-9]{{2}})-{_MONTH}-(?P<year>[0-9]{{2}}) {_TIME} GMT"),
    re.compile(rf"(?:{_DAY}) {_MONTH} (?P<day>[0-9 ][0-9]) {_TIME} (?P<year>[0-9]{{4}})"),
)


@lru_cache(1024)
def format_http_date(seconds: int) -> str:
    """Return these seconds since 1970 as an IMF-fixdate: `Sun, 06 Nov 1994 08:49:37 GMT`."""
    year, month, day, hour, minute, second, weekday, _, _ = time.gmtime(seconds)
    return (
        f"{_DAYS[weekday]}, {day:02} {_MONTHS[month - 1]} {year:04}"
        f" {hour:02}:{minute:02}:{second:02} GMT"
    )


@lru_cache(1024)
def parse_http_date(value: str) -> int | None:
    """Return the seconds since 1970 of an HTTP-date in any of its three forms, or None if it is none.

    The name of the day is not held against the date. A leap second counts as the second before it.
    """
    for form in _FORMS:
        if match := form.fullmatch(value):
            break
    else:
        return None
    year = match["year"]
    try:
        moment = datetime(
            _full_year(int(year)) if len(year) == 2 else int(year),
            _MONTHS.index(match["month"]) + 1,
            int(match["day"]),
            int(match["hour"]),
            int(match["minute"]),
            59 if match["second"] == "60" else int(match["second"]),
            tzinfo=UTC,
        )
    except ValueError:  # a 31st of June
        return None
    return int(moment.timestamp())


def _full_year(two_digits: int) -> int:
    """Return the year; one that seems more than 50 years ahead is the past one with these digits."""
    this_year = time.gmtime().tm_year
    year = this_year - this_year % 100 + two_digits
    return year - 100 if year > this_year + 50 else year
