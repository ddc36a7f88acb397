"""Range fields: RFC 9110 section 14, against a reference that cuts plain bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from h123.server.files.ranges import MOST_RANGES, PART_OVERHEAD, coalesce, parse_ranges


@pytest.mark.parametrize(
    ("field", "ranges"),
    [
        # RFC 9110 section 14.1.2, for 10000 bytes
        ("bytes=0-499", [(0, 500)]),
        ("bytes=500-999", [(500, 1000)]),
        ("bytes=-500", [(9500, 10000)]),
        ("bytes=9500-", [(9500, 10000)]),
        ("bytes=0-0,-1", [(0, 1), (9999, 10000)]),
        ("bytes= 0-999, 4500-5499, -1000", [(0, 1000), (4500, 5500), (9000, 10000)]),
        ("bytes=500-600,601-999", [(500, 601), (601, 1000)]),
        # the end is clipped, and a suffix longer than the whole is the whole
        ("bytes=9999-20000", [(9999, 10000)]),
        ("bytes=-20000", [(0, 10000)]),
        ("BYTES=0-1", [(0, 2)]),
        ("bytes=,0-1,,\t,2-3,", [(0, 2), (2, 4)]),
        ("bytes=0-1, 10000-", [(0, 2)]),
        ("bytes=0-" + "9" * 5000, [(0, 10000)]),
        ("bytes=" + "0" * 5000 + "1-2", [(1, 3)]),
        ("bytes=-" + "9" * 5000, [(0, 10000)]),
    ],
)
def test_satisfiable_ranges(field: str, ranges: list[tuple[int, int]]) -> None:
    assert parse_ranges(field, 10000) == ranges


@pytest.mark.parametrize(
    "field", ["bytes=10000-", "bytes=10000-10001", "bytes=-0", "bytes=" + "9" * 5000 + "-"]
)
def test_ranges_that_can_not_be_satisfied(field: str) -> None:
    assert parse_ranges(field, 10000) == []


@pytest.mark.parametrize(
    "field",
    [
        "", "bytes", "bytes=", "bytes=,", "bytes=-", "bytes=1", "bytes=1-0", "bytes=0-1,5-4", "bytes=a-b",
        "bytes=+1-2", "bytes=1-+2", "bytes=1 -2", "bytes=1--2", "bytes=0x0-1", "bytes=1_0-20", "bytes=١-٢",
        "bytes=0-1;2-3", "bytes 0-1", "lines=0-1", " bytes=0-1", "bytes =0-1", "bytes=0-1, bytes=2-3",
    ],
)  # fmt: skip
def test_invalid_and_unknown_ranges_are_ignored(field: str) -> None:
    assert parse_ranges(field, 10000) is None


def test_more_ranges_than_the_limit_are_ignored() -> None:
    at_limit = [f"{place}-{place}" for place in range(0, MOST_RANGES * 10, 10)]
    assert len(parse_ranges("bytes=" + ",".join(at_limit), 10000) or ()) == MOST_RANGES
    assert parse_ranges("bytes=" + ",".join([*at_limit, "9999-"]), 10000) is None
    assert parse_ranges("bytes=" + "," * 2 * MOST_RANGES + "0-1", 10000) is None


def test_no_content_has_no_range_but_a_suffix_is_satisfied_by_it() -> None:
    assert parse_ranges("bytes=0-", 0) == []
    assert parse_ranges("bytes=-5", 0) is None


@pytest.mark.parametrize(
    ("ranges", "joined"),
    [
        ([(0, 10), (5, 20)], [(0, 20)]),
        ([(0, 10), (10, 20)], [(0, 20)]),
        ([(0, 10), (10 + PART_OVERHEAD, 500)], [(0, 500)]),
        ([(0, 10), (11 + PART_OVERHEAD, 500)], [(0, 10), (11 + PART_OVERHEAD, 500)]),
        ([(5000, 5100), (0, 10)], [(5000, 5100), (0, 10)]),
        ([(5000, 5100), (0, 10), (5050, 6000)], [(5000, 6000), (0, 10)]),
        ([(0, 10), (5000, 5100), (0, 6000)], [(0, 6000)]),
        ([(9000, 9100), (0, 10), (1000, 1010), (5, 1005)], [(9000, 9100), (0, 1010)]),
    ],
)
def test_ranges_that_meet_are_sent_as_one_where_the_first_was(
    ranges: list[tuple[int, int]], joined: list[tuple[int, int]]
) -> None:
    assert coalesce(ranges) == joined


ranges_strategy = st.lists(
    st.tuples(st.integers(0, 5000), st.integers(1, 700)).map(lambda pair: (pair[0], sum(pair))),
    min_size=1,
    max_size=20,
)


@given(ranges_strategy)
def test_coalescing_keeps_every_byte_and_sends_none_twice(ranges: list[tuple[int, int]]) -> None:
    joined = coalesce(ranges)
    sent = [place for start, stop in joined for place in range(start, stop)]
    assert len(sent) == len(set(sent))
    assert {place for start, stop in ranges for place in range(start, stop)} <= set(sent)
    assert coalesce(joined) == joined


@given(st.integers(0, 100), st.none() | st.integers(0, 200), st.integers(1, 150))
def test_one_range_is_what_slicing_gives(first: int, length: int | None, size: int) -> None:
    content = bytes(range(size))
    last = "" if length is None else str(first + length)
    expected = content[first:] if length is None else content[first : first + length + 1]
    assert [content[a:b] for a, b in parse_ranges(f"bytes={first}-{last}", size) or ()] == (
        [expected] if expected else []
    )


@given(st.text(alphabet="0123456789-, \tbytes=x", max_size=60), st.integers(0, 50))
def test_whatever_the_field_ranges_lie_inside(field: str, size: int) -> None:
    for prefix in ("", "bytes="):
        for start, stop in parse_ranges(prefix + field, size) or ():
            assert 0 <= start < stop <= size
