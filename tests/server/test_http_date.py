"""HTTP dates: RFC 9110 section 5.6.7."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from h123.server.http_date import format_http_date, parse_http_date

MOMENT = 784111777


@pytest.mark.parametrize(
    "date",
    ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"],
)
def test_the_three_forms_of_the_rfc(date: str) -> None:
    assert parse_http_date(date) == MOMENT


def test_the_form_that_is_sent() -> None:
    assert format_http_date(MOMENT) == "Sun, 06 Nov 1994 08:49:37 GMT"


@given(st.integers(0, 253402300799))
def test_what_is_written_is_read(seconds: int) -> None:
    assert parse_http_date(format_http_date(seconds)) == seconds


@pytest.mark.parametrize(
    "date",
    [
        "", "0", "784111777", "Sun, 6 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 +0000", "sun, 06 nov 1994 08:49:37 gmt", "Sun, 31 Jun 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:49:37 GMT", "Sun, 06 Nov 1994 08:60:37 GMT", "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, 06 Nov 0000 08:49:37 GMT", " Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Sun, 06 Nov 1994 08:49:37 GMT\n", "Sun, ٠٦ Nov 1994 08:49:37 GMT",
    ],
)  # fmt: skip
def test_what_is_no_date(date: str) -> None:
    assert parse_http_date(date) is None


def test_a_leap_second_is_a_date() -> None:
    assert parse_http_date("Sat, 31 Dec 2016 23:59:60 GMT") == 1483228799


def test_two_digits_mean_a_year_at_most_fifty_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setattr(
        "h123.server.http_date.time.gmtime", lambda: time.struct_time((2026, *[1] * 8))
    )
    parse_http_date.cache_clear()
    for two_digits, year in (("26", 2026), ("76", 2076), ("77", 1977), ("99", 1999), ("00", 2000)):
        date = parse_http_date(f"Sunday, 06-Nov-{two_digits} 08:49:37 GMT")
        assert date == parse_http_date(f"Sun, 06 Nov {year} 08:49:37 GMT")
    parse_http_date.cache_clear()
