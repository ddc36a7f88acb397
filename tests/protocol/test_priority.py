"""Priority field values (RFC 9218 section 4, RFC 8941)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from h123.protocol.priority import DEFAULT_PRIORITY, Priority, encode_priority, parse_priority


@pytest.mark.parametrize(
    ("value", "priority"),
    [
        (b"", Priority(3, False)),
        (b"u=0", Priority(0, False)),
        (b"u=7, i", Priority(7, True)),
        (b"i,u=1", Priority(1, True)),
        (b"i=?1", Priority(3, True)),
        (b"i, i=?0", Priority(3, False)),
        (b"u=5;x=1, i;y", Priority(5, True)),
        (b"u=1, u=2", Priority(2, False)),
        (b"u=8, i=1", DEFAULT_PRIORITY),
        (b"u=-1", DEFAULT_PRIORITY),
        (b"u=2.5, foo=bar", DEFAULT_PRIORITY),
        (b"U=1", DEFAULT_PRIORITY),
        (b",,=;", DEFAULT_PRIORITY),
    ],
)
def test_4_what_is_unknown_or_wrong_has_its_default(value: bytes, priority: Priority) -> None:
    assert parse_priority(value) == priority


@given(st.integers(0, 7), st.booleans())
def test_4_what_we_say_is_what_we_understand(urgency: int, incremental: bool) -> None:
    priority = Priority(urgency, incremental)
    assert parse_priority(encode_priority(priority)) == priority


@given(st.binary(max_size=50))
def test_any_bytes_are_some_priority(value: bytes) -> None:
    assert 0 <= parse_priority(value).urgency <= 7
