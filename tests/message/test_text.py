"""Character sets, text in parts, lines; parameters of a field value (RFC 9110 section 5.6.6)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from h123.message import text
from h123.message.links import parse_links
from h123.message.text import (
    LineDecoder,
    TextChunker,
    TextDecoder,
    charset_by_mark,
    charset_of,
    is_charset,
    known_charset_of,
    parameters,
)


@pytest.mark.parametrize(
    ("value", "first", "found"),
    [
        ("text/html", "text/html", {}),
        ("text/html; charset=utf-8", "text/html", {"charset": "utf-8"}),
        ("text/html ;Charset = utf-8 ; a=b", "text/html", {"charset": "utf-8", "a": "b"}),
        ('a; b="c;d\\"e"; f="g\\\\"', "a", {"b": 'c;d"e', "f": "g\\"}),
        ('a; b="unclosed', "a", {"b": "unclosed"}),
        ("a; b=1; b=2; c; ;", "a", {"b": "1"}),
        ("", "", {}),
    ],
)
def test_parameters_section_5_6_6(value: str, first: str, found: dict[str, str]) -> None:
    assert parameters(value) == (first, found)


@pytest.mark.parametrize(
    ("value", "charset"),
    [
        (None, None),
        ("text/html", None),
        ("text/html; x=y", None),
        ("text/html; charset=", None),
        ("text/html; charset=UTF-8", "utf-8"),
        ('text/html; charset="latin-1"', "latin-1"),
    ],
)
def test_the_charset_of_a_content_type(value: str | None, charset: str | None) -> None:
    assert charset_of(value) == charset


@pytest.mark.parametrize(
    "name", ["utf-8", "UTF8", "latin-1", "iso-8859-15", "shift_jis", "gb18030", "koi8-r"]
)
def test_charsets(name: str) -> None:
    assert is_charset(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "nonsense",
        "zlib",
        "hex",
        "base64",
        "rot13",
        "bz2",
        "idna",
        "punycode",
        "undefined",
        "unicode_escape",
        "raw_unicode_escape",
        "a\x00b",
        "é",
        "../x",
    ],
)
def test_what_is_no_charset_of_content(name: str) -> None:
    assert not is_charset(name)
    assert known_charset_of(f"text/plain; charset={name}") is None


def test_charsets_are_remembered_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "_CHARSETS_LIMIT", 4)
    for number in range(20):
        assert known_charset_of(f"text/plain; x={number}; charset=utf-8") == "utf-8"
    assert len(text._charsets) <= 4
    assert known_charset_of(None) is None


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32", "utf-16-be", "utf-32-be"])
def test_byte_order_marks(encoding: str) -> None:
    content = "\ufeffhé".encode(encoding) if encoding.endswith("be") else "hé".encode(encoding)
    charset = charset_by_mark(content)
    assert charset is not None
    assert content.decode(charset) == "hé"
    assert charset_by_mark(b"plain") is None


@given(st.text(), st.sampled_from(["utf-8", "utf-16", "shift_jis", "latin-1"]), st.integers(1, 5))
def test_text_in_parts_is_the_whole_text(whole: str, encoding: str, size: int) -> None:
    content = whole.encode(encoding, "ignore")
    decoder = TextDecoder(encoding)
    parts = [decoder.decode(content[at : at + size]) for at in range(0, len(content), size)]
    assert "".join([*parts, decoder.flush()]) == content.decode(encoding, "replace")


def test_what_is_no_text_is_replaced() -> None:
    decoder = TextDecoder()
    assert decoder.decode(b"a\xffb\xe2") + decoder.flush() == "a\ufffdb\ufffd"


@given(st.lists(st.text(max_size=5)), st.none() | st.integers(1, 7))
def test_text_is_cut_evenly(parts: list[str], size: int | None) -> None:
    chunker = TextChunker(size)
    chunks = [chunk for part in parts for chunk in chunker.decode(part)] + chunker.flush()
    whole = "".join(parts)
    if size is None:
        assert chunks == [part for part in parts if part]
    else:
        assert chunks == [whole[at : at + size] for at in range(0, len(whole), size)]


@given(st.lists(st.text("ab\r\n\u2028\x0b\x1c", max_size=5)))
def test_lines_of_parts_are_the_lines_of_the_whole(parts: list[str]) -> None:
    decoder = LineDecoder()
    lines = [line for part in parts for line in decoder.decode(part)] + decoder.flush()
    assert lines == "".join(parts).splitlines()


@pytest.mark.parametrize(
    ("value", "links"),
    [
        ("", []),
        (
            '<http://a.b/2>; rel="previous"; title="previous chapter"',
            [{"url": "http://a.b/2", "rel": "previous", "title": "previous chapter"}],
        ),
        ("</>; rel=home", [{"url": "/", "rel": "home"}]),
        (
            "</a,b;c>; rel=next, <d>;REL='last'; media=\"x,y;z\",",
            [{"url": "/a,b;c", "rel": "next"}, {"url": "d", "rel": "last", "media": "x,y;z"}],
        ),
        ("<a>", [{"url": "a"}]),
        ("<a>; rel; =x", [{"url": "a"}]),
        ("a; rel=next", [{"url": "a", "rel": "next"}]),
        ("<a; rel=next", [{"url": "<a", "rel": "next"}]),
        ("<a>; rel=one; rel=two", [{"url": "a", "rel": "one"}]),
    ],
)
def test_links_rfc_8288_3(value: str, links: list[dict[str, str]]) -> None:
    assert parse_links(value) == links
