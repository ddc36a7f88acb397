"""Validators and preconditions: RFC 9110 sections 8.8 and 13."""

from __future__ import annotations

import pytest

from h123.message.headers import Headers
from h123.server.files.conditional import (
    SETTLING_TIME,
    Validators,
    if_range_holds,
    matches_strongly,
    matches_weakly,
    precondition_status,
)
from h123.server.http_date import format_http_date

SECOND = 1_000_000_000
CHANGED = 1_700_000_000
NOW = CHANGED + 86400
TAG = f'"{CHANGED * SECOND:x}-5"'
BEFORE, SAME, AFTER = (format_http_date(CHANGED + offset) for offset in (-1, 0, 1))


def validators(changed_ns: int = CHANGED * SECOND, now_ns: int = NOW * SECOND) -> Validators:
    return Validators(5, changed_ns, changed_ns, now_ns)


# RFC 9110 section 13.2.2, step by step: each row is fields and what a GET of the file above comes to.
PRECEDENCE = [
    # Nothing asked
    ({}, None),
    # 1: If-Match decides alone, whatever If-Unmodified-Since says
    ({"If-Match": TAG}, None),
    ({"If-Match": "*"}, None),
    ({"If-Match": '"other"'}, 412),
    ({"If-Match": f'"other", {TAG}'}, None),
    ({"If-Match": TAG, "If-Unmodified-Since": BEFORE}, None),
    ({"If-Match": '"other"', "If-Unmodified-Since": AFTER}, 412),
    ({"If-Match": f"W/{TAG}"}, 412),
    ({"If-Match": "nonsense"}, 412),
    # 2: without it, If-Unmodified-Since
    ({"If-Unmodified-Since": BEFORE}, 412),
    ({"If-Unmodified-Since": SAME}, None),
    ({"If-Unmodified-Since": AFTER}, None),
    ({"If-Unmodified-Since": "yesterday"}, None),
    # 3: then If-None-Match, whatever If-Modified-Since says
    ({"If-None-Match": TAG}, 304),
    ({"If-None-Match": f"W/{TAG}"}, 304),
    ({"If-None-Match": "*"}, 304),
    ({"If-None-Match": '"other"'}, None),
    ({"If-None-Match": f'"a,b" ,, W/"other",{TAG}'}, 304),
    ({"If-None-Match": '"other"', "If-Modified-Since": SAME}, None),
    ({"If-None-Match": TAG, "If-Modified-Since": BEFORE}, 304),
    ({"If-Match": '"other"', "If-None-Match": TAG}, 412),
    ({"If-Match": TAG, "If-None-Match": TAG}, 304),
    ({"If-Unmodified-Since": BEFORE, "If-None-Match": TAG}, 412),
    # 4: without it, If-Modified-Since
    ({"If-Modified-Since": BEFORE}, None),
    ({"If-Modified-Since": SAME}, 304),
    ({"If-Modified-Since": AFTER}, 304),
    ({"If-Modified-Since": "tomorrow"}, None),
    ({"If-Match": TAG, "If-Modified-Since": SAME}, 304),
    ({"If-Unmodified-Since": SAME, "If-Modified-Since": SAME}, 304),
]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(("fields", "status"), PRECEDENCE)
def test_precedence_of_preconditions(
    method: str, fields: dict[str, str], status: int | None
) -> None:
    assert precondition_status(method, Headers(fields), validators()) == status


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"If-None-Match": TAG}, 412),
        ({"If-None-Match": "*"}, 412),
        ({"If-Modified-Since": SAME}, None),
        ({"If-Match": '"other"'}, 412),
    ],
)
def test_other_methods_are_never_answered_with_304(
    fields: dict[str, str], status: int | None
) -> None:
    assert precondition_status("PUT", Headers(fields), validators()) == status


def test_a_date_field_that_comes_twice_is_ignored() -> None:
    twice = Headers([("If-Modified-Since", SAME), ("If-Modified-Since", SAME)])
    assert precondition_status("GET", twice, validators()) is None


@pytest.mark.parametrize(
    ("one", "other", "strong", "weak"),
    # RFC 9110 section 8.8.3.2
    [
        ('W/"1"', 'W/"1"', False, True),
        ('W/"1"', 'W/"2"', False, False),
        ('W/"1"', '"1"', False, True),
        ('"1"', '"1"', True, True),
    ],
)
def test_comparison_of_entity_tags(one: str, other: str, strong: bool, weak: bool) -> None:
    assert matches_strongly(one, other) is matches_strongly(other, one) is strong
    assert matches_weakly(one, other) is matches_weakly(other, one) is weak


@pytest.mark.parametrize(
    "field", ["", '"1', '1"', "1", '"2" "1"', 'w/"1"', '"2"; "1"', '"2"x, "1"']
)
def test_what_is_no_entity_tag_matches_nothing(field: str) -> None:
    assert not matches_weakly(field, '"1"')


def test_a_tag_may_hold_a_comma() -> None:
    assert matches_weakly('"x", "1,2"', '"1,2"')
    assert not matches_weakly('"x,"1",y"', '"1"')


@pytest.mark.parametrize(
    ("value", "holds"),
    [
        (TAG, True),
        (f"W/{TAG}", False),
        ('"other"', False),
        (SAME, True),
        (BEFORE, False),
        (AFTER, False),
        ("x", False),
    ],
)
def test_if_range(value: str, holds: bool) -> None:
    assert if_range_holds(value, validators()) is holds


def test_a_young_file_has_only_weak_validators() -> None:
    """RFC 9110 section 8.8.1: two states that may come in one tick of the clock share no strong tag."""
    now = CHANGED * SECOND + SETTLING_TIME
    assert validators(now_ns=now).entity_tag == TAG
    young = validators(now_ns=now - 1)
    assert young.entity_tag == f"W/{TAG}"
    assert not if_range_holds(young.entity_tag, young)
    assert not if_range_holds(TAG, young)
    assert not if_range_holds(SAME, young)
    assert precondition_status("GET", Headers({"If-Match": TAG}), young) == 412
    assert precondition_status("GET", Headers({"If-None-Match": TAG}), young) == 304


def test_a_time_set_back_by_hand_does_not_make_a_file_old() -> None:
    assert Validators(5, CHANGED * SECOND, NOW * SECOND, NOW * SECOND).entity_tag == f"W/{TAG}"


def test_every_change_of_size_or_time_changes_the_tag() -> None:
    tags = {
        Validators(size, time, 0, NOW * SECOND).entity_tag
        for size in (0, 5, 50)
        for time in (0, CHANGED * SECOND, CHANGED * SECOND + 1, -1)
    }
    assert len(tags) == 12


def test_last_modified_is_never_in_the_future() -> None:
    """RFC 9110 section 8.8.2.1."""
    future = validators(changed_ns=(NOW + 100) * SECOND)
    assert future.last_modified == format_http_date(NOW)


def test_a_time_before_1970_is_sent_as_1970() -> None:
    assert validators(changed_ns=-SECOND).last_modified == "Thu, 01 Jan 1970 00:00:00 GMT"
