"""QueryParams and forms (WHATWG URL standard, section 5)."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from h123.message import QueryParams
from h123.message.query import encode_pairs, parse_pairs


@pytest.mark.parametrize(
    "source",
    [
        "a=123&a=456&b=789",
        "?a=123&a=456&b=789",
        b"a=123&a=456&b=789",
        {"a": ["123", "456"], "b": 789},
        {"a": ("123", "456"), "b": "789"},
        [("a", "123"), ("a", "456"), ("b", "789")],
        (("a", "123"), ("a", "456"), ("b", "789")),
        QueryParams("a=123&a=456&b=789"),
    ],
)
def test_it_is_made_from_text_mapping_or_pairs(source: Any) -> None:
    params = QueryParams(source)
    assert "a" in params
    assert "c" not in params
    assert params["a"] == params.get("a") == "123"
    assert params.get("nope", "default") == "default"
    assert params.get_list("a") == ["123", "456"]
    assert params.get_list("nope") == []
    assert list(params) == list(params.keys()) == ["a", "b"]
    assert list(params.values()) == ["123", "789"]
    assert list(params.items()) == [("a", "123"), ("b", "789")]
    assert params.multi_items() == [("a", "123"), ("a", "456"), ("b", "789")]
    assert len(params) == 2
    assert dict(params) == {"a": "123", "b": "789"}
    assert str(params) == "a=123&a=456&b=789"
    assert repr(params) == "QueryParams('a=123&a=456&b=789')"
    assert params == QueryParams([("b", "789"), ("a", "123"), ("a", "456")])
    assert hash(params) == hash(QueryParams(str(params)))
    assert params != str(params)
    with pytest.raises(KeyError):
        params["c"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (False, "false"),
        (None, ""),
        (1, "1"),
        (1.5, "1.5"),
        ("x y", "x+y"),
        (b"b", "b"),
    ],
)
def test_values_become_text(value: Any, text: str) -> None:
    assert str(QueryParams({"a": value})) == f"a={text}"


def test_it_is_made_from_keywords_or_nothing() -> None:
    assert str(QueryParams(a=1, b=[2, 3])) == "a=1&b=2&b=3"
    assert not QueryParams()
    assert not QueryParams(None)
    with pytest.raises(TypeError):
        QueryParams("a", "b")
    with pytest.raises(TypeError):
        QueryParams("a", b=1)


def test_changing_gives_others() -> None:
    params = QueryParams("a=1&b=2")
    assert str(params.set("a", 9)) == "a=9&b=2"
    assert str(params.add("a", 9)) == "a=1&a=9&b=2"
    assert str(params.remove("a")) == "b=2"
    assert str(params.remove("x")) == "a=1&b=2"
    assert str(params.merge({"b": 3, "c": 4})) == "a=1&b=3&c=4"
    assert str(params) == "a=1&b=2"
    with pytest.raises(RuntimeError, match="merge"):
        params.update({"a": "2"})
    with pytest.raises(RuntimeError, match="set"):
        params["a"] = "2"


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("", []),
        ("a", [("a", "")]),
        ("a=", [("a", "")]),
        ("=b", [("", "b")]),
        ("&&a=1&", [("a", "1")]),
        ("a=b=c", [("a", "b=c")]),
        ("a+b=c+d", [("a b", "c d")]),
        ("a=%2B%20%C3%A9", [("a", "+ é")]),
        ("a=%zz%4", [("a", "%zz%4")]),
        ("a=%FF", [("a", "\ufffd")]),
        ("a=%+1%-1", [("a", "% 1%-1")]),
    ],
)
def test_a_query_string_is_read_leniently(text: str, pairs: list[tuple[str, str]]) -> None:
    assert parse_pairs(text) == pairs


@given(st.lists(st.tuples(st.text(), st.text())))
def test_pairs_go_round_and_are_written_as_the_standard_library_writes_them(pairs: Any) -> None:
    encodable = [
        pair for pair in pairs if all(char < "\ud800" or char > "\udfff" for char in "".join(pair))
    ]
    text = encode_pairs(encodable)
    assert parse_pairs(text) == list(encodable)
    assert text == urlencode(encodable)
    assert parse_qsl(text, keep_blank_values=True) == encodable
