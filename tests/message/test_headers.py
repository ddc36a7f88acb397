"""Headers: an ordered multimap of fields (RFC 9110 section 5)."""

from __future__ import annotations

import pickle
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from h123.message import Headers

REPEATED = [("a", "1"), ("B", "2"), ("A", "3")]


def test_lookup_ignores_case_and_joins_repeated_fields() -> None:
    headers = Headers(REPEATED)
    assert headers["a"] == headers["A"] == "1, 3"
    assert headers.get("b") == "2"
    assert headers.get("c") is None
    assert headers.get("c", "x") == "x"
    assert "B" in headers
    assert "c" not in headers
    others: list[object] = [b"b", b"c", 1]
    assert [name in headers for name in others] == [True, False, False]
    with pytest.raises(KeyError):
        headers["c"]


def test_the_wire_keeps_order_and_case() -> None:
    headers = Headers(REPEATED)
    assert headers.raw == [(b"a", b"1"), (b"B", b"2"), (b"A", b"3")]
    assert headers.multi_items() == [("a", "1"), ("b", "2"), ("a", "3")]


def test_it_is_a_mapping_of_lower_case_names() -> None:
    headers = Headers(REPEATED)
    assert list(headers) == list(headers.keys()) == ["a", "b"]
    assert list(headers.values()) == ["1, 3", "2"]
    assert list(headers.items()) == [("a", "1, 3"), ("b", "2")]
    assert len(headers) == 3  # fields
    assert dict(headers) == {"a": "1, 3", "b": "2"}
    assert not Headers()


def test_lists_are_split_at_commas_when_told_section_5_6_1() -> None:
    headers = Headers([("Vary", "a, b"), ("vary", "c")])
    assert headers.get_list("VARY") == ["a, b", "c"]
    assert headers.get_list("vary", split_commas=True) == ["a", "b", "c"]
    assert headers.get_list("other") == []


def test_an_engines_list_is_adopted_not_copied() -> None:
    raw = [(b"X-Name", b"value")]
    headers = Headers.from_raw(raw)
    assert headers.raw is raw
    assert headers["x-name"] == "value"


def test_a_users_headers_are_copied() -> None:
    first = Headers({"a": "1"})
    second = Headers(first)
    third = first.copy()
    first["a"] = "2"
    assert second["a"] == third["a"] == "1"


def test_setting_takes_the_first_ones_place() -> None:
    headers = Headers([("a", "1"), ("b", "2"), ("A", "3"), ("c", "4")])
    headers["A"] = "9"
    assert headers.raw == [(b"A", b"9"), (b"b", b"2"), (b"c", b"4")]
    headers["d"] = "5"
    assert headers.raw[-1] == (b"d", b"5")
    assert headers["d"] == "5"


def test_deleting_takes_every_field_of_the_name() -> None:
    headers = Headers(REPEATED)
    del headers["a"]
    assert headers.raw == [(b"B", b"2")]
    with pytest.raises(KeyError):
        del headers["a"]


def test_adding_keeps_what_is_there() -> None:
    headers = Headers({"a": "1"})
    headers.add("A", "2")
    assert headers.get_list("a") == ["1", "2"]


def test_update_replaces_whole_names() -> None:
    headers = Headers(REPEATED)
    headers.update({"a": "9"}, c="4")
    assert headers.multi_items() == [("b", "2"), ("a", "9"), ("c", "4")]
    headers.update([("b", "5"), ("b", "6")])
    assert headers.get_list("b") == ["5", "6"]
    assert headers.setdefault("b", "7") == "5, 6"
    assert headers.setdefault("e", "8") == "8"


@pytest.mark.parametrize(
    ("other", "equal"),
    [
        ({"A": "1", "b": "2"}, True),
        ([("B", "2"), ("a", "1")], True),
        ([(b"b", b"2"), (b"a", b"1")], True),
        ({"a": "1"}, False),
        ({"a": "1", "b": "3"}, False),
        (3, False),
        ("a", False),
        ({"a\n": "1"}, False),
    ],
)
def test_equality_ignores_order_and_names_case(other: Any, equal: bool) -> None:
    assert (Headers({"a": "1", "b": "2"}) == other) is equal


def test_they_are_not_hashable() -> None:
    with pytest.raises(TypeError):
        hash(Headers())


@pytest.mark.parametrize(
    ("headers", "shown"),
    [
        (Headers({"Custom": "x"}), "Headers({'custom': 'x'})"),
        (Headers([("a", "1"), ("a", "2")]), "Headers([('a', '1'), ('a', '2')])"),
        (Headers({"Authorization": "Bearer t"}), "Headers({'authorization': '[secure]'})"),
        (
            Headers({"Proxy-Authorization": "Basic x"}),
            "Headers({'proxy-authorization': '[secure]'})",
        ),
        (Headers({"a": "é"}), "Headers({'a': 'é'}, encoding='utf-8')"),
    ],
)
def test_repr_hides_what_authorizes(headers: Headers, shown: str) -> None:
    assert repr(headers) == shown


@pytest.mark.parametrize(
    ("raw", "encoding", "text"),
    [
        (b"plain", "ascii", "plain"),
        ("Königsgäßchen".encode(), "utf-8", "Königsgäßchen"),
        (b"K\xf6nig", "iso-8859-1", "König"),
    ],
)
def test_values_become_text_by_what_fits(raw: bytes, encoding: str, text: str) -> None:
    headers = Headers.from_raw([(b"x", raw)])
    assert headers.encoding == encoding
    assert headers["x"] == headers.get("x") == text
    assert httpx.Headers([(b"x", raw)])["x"] == text


def test_the_encoding_can_be_set() -> None:
    headers = Headers.from_raw([(b"x", "é".encode())])
    headers.encoding = "iso-8859-1"
    assert headers["x"] == "Ã©"
    assert Headers({"x": "é"}, encoding="iso-8859-1").raw == [(b"x", b"\xe9")]


@pytest.mark.parametrize(
    "name", ["", "a b", "a:b", "a\r\n", "a\n", "a\0", "é", b"a\xff", ":path", "a(b"]
)
def test_names_are_tokens_section_5_1(name: Any) -> None:
    with pytest.raises(ValueError, match=r"(?i)header name"):
        Headers([(name, "x")])
    with pytest.raises(ValueError, match=r"(?i)header name"):
        Headers()[name] = "x"


@pytest.mark.parametrize("value", ["a\r\nb: c", "a\nb", "a\rb", "a\0b", "\x1f", b"a\nb", "a\x7f"])
def test_values_have_no_controls_and_the_error_names_the_field_section_5_5(value: Any) -> None:
    for attempt in (
        lambda: Headers({"X-Name": value}),
        lambda: Headers().__setitem__("X-Name", value),
        lambda: Headers().update({"X-Name": value}),
        lambda: Headers().add("X-Name", value),
    ):
        with pytest.raises(ValueError, match="'X-Name'"):
            attempt()


def test_an_error_does_not_show_a_secret() -> None:
    with pytest.raises(ValueError, match="Authorization") as caught:
        Headers({"Authorization": "Bearer hunter2\n"})
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("value", [None, 1, 1.5, ["a"]])
def test_values_are_text_or_bytes(value: Any) -> None:
    with pytest.raises(TypeError, match=r"Header value must be str or bytes, not <class .*X-Name"):
        Headers({"X-Name": value})
    with pytest.raises(TypeError, match="Header name must be str or bytes"):
        Headers([(value, "x")])


@pytest.mark.parametrize("value", [" a\t", "\ta ", b" a "])
def test_blanks_around_a_value_are_no_part_of_it_section_5_5(value: Any) -> None:
    assert Headers({"x": value}).raw == [(b"x", b"a")]
    assert Headers({"x": "a\tb"}).raw == [(b"x", b"a\tb")]


def test_they_survive_pickling() -> None:
    headers = Headers(REPEATED)
    copy = pickle.loads(pickle.dumps(headers))
    assert copy == headers
    assert copy["a"] == "1, 3"


names = st.text("abcABC-", min_size=1, max_size=3)
values = st.text("xyz é,", max_size=4).map(str.strip)


@given(
    st.lists(st.tuples(names, values)),
    st.lists(st.tuples(st.sampled_from(["set", "delete", "add"]), names, values)),
)
def test_what_is_looked_up_is_what_is_on_the_wire(fields: Any, changes: Any) -> None:
    headers = Headers(fields)
    for what, name, value in changes:
        if what == "set":
            headers[name] = value
        elif what == "add":
            headers.add(name, value)
        elif name in headers:
            del headers[name]
    fresh = Headers(headers.raw)
    assert headers == fresh
    for name in "abcABC":
        assert headers.get(name) == fresh.get(name)
        assert headers.get_list(name) == fresh.get_list(name)
