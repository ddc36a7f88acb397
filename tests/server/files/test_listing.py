"""Directories: the page for people, the JSON for programs."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest

from h123.server.files import Files
from h123.server.files.listing import BATCH, ListingStream, human_size

from .conftest import OLD, Answer, Ask, answer_to

Put = Callable[..., Path]
JSON = {"accept": "application/json"}


class Page(HTMLParser):
    """What a browser would see of a page: its elements, its links, its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.rows: list[list[str]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        values = dict(attrs)
        if tag == "a":
            self.links.append(values["href"] or "")
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data.strip()


def page(answer: Answer) -> Page:
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    return Page(answer.content.decode())


def entries(answer: Answer) -> list[dict[str, Any]]:
    assert answer.headers["content-type"] == "application/json"
    listed: list[dict[str, Any]] = json.loads(answer.content)["entries"]
    return listed


def names(answer: Answer) -> list[str]:
    return [entry["name"] for entry in entries(answer)]


def test_json_has_the_documented_shape(root: Path, put: Put, ask: Ask) -> None:
    put("docs/a b.txt", b"12345")
    (root / "docs" / "sub").mkdir()
    os.utime(root / "docs" / "sub", (OLD, OLD))
    answer = ask("/docs/", **JSON)
    assert json.loads(answer.content) == {
        "path": "/docs/",
        "truncated": False,
        "entries": [
            {"name": "sub", "url": "sub/", "type": "directory", "size": None, "modified": "2023-11-14T22:13:20Z"},
            {"name": "a b.txt", "url": "a%20b.txt", "type": "file", "size": 5, "modified": "2023-11-14T22:13:20Z"},
        ],
    }  # fmt: skip
    assert (answer.headers["vary"], answer.headers["cache-control"]) == ("Accept", "no-cache")


def test_the_page_shows_names_sizes_times_and_the_way_up(root: Path, put: Put, ask: Ask) -> None:
    put("docs/guides/a.txt", bytes(2048))
    (root / "docs" / "guides" / "sub").mkdir()
    os.utime(root / "docs" / "guides" / "sub", (OLD, OLD))
    shown = page(ask("/docs/guides/"))
    assert shown.rows == [
        ["Name", "Size", "Modified (UTC)"],
        ["Parent folder", "", ""],
        ["sub", "", "2023-11-14 22:13"],
        ["a.txt", "2.0 KiB", "2023-11-14 22:13"],
    ]
    assert shown.links == ["../../", "../", "?sort=-name", "?sort=-size", "?sort=-modified", "../", "sub/", "a.txt"]  # fmt: skip
    assert "1 folder, 1 file, 2.0 KiB" in shown.text


def test_folders_alone_are_not_said_to_be_files(root: Path, ask: Ask) -> None:
    (root / "one").mkdir()
    (root / "two").mkdir()
    assert "<p>2 folders</p>" in ask("/").content.decode()


@pytest.mark.parametrize(
    ("name", "icon"),
    [
        ("a.png", "image"),
        ("a.mp3", "media"),
        ("a.webm", "media"),
        ("a.py", "text"),
        ("a.json", "text"),
        ("a.tar.gz", "archive"),
        ("a", "file"),
    ],
)
def test_icons_tell_kinds(put: Put, ask: Ask, name: str, icon: str) -> None:
    put(name)
    assert f'<a class="{icon}" href="{name}">' in ask("/").content.decode()


def test_the_root_has_no_way_up_and_an_empty_folder_says_so(ask: Ask) -> None:
    shown = page(ask("/"))
    assert "../" not in shown.links
    assert "This folder is empty." in shown.text


def test_the_page_needs_nothing_and_runs_nothing(put: Put, ask: Ask) -> None:
    put("a.txt")
    answer = ask("/")
    shown = page(answer)
    assert not shown.tags & {"script", "link", "img", "iframe", "object", "base"}
    style = re.search("<style>(.*?)</style>", answer.content.decode(), re.DOTALL)
    assert style
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert f"style-src 'sha256-{digest}'" in policy
    assert "prefers-color-scheme:dark" in style[1]
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "name",
    [
        "<script>alert(1)</script>".replace("/", "\\"),
        '"><img src=x onerror=alert(1)>',
        "'onmouseover='x",
        "&amp;",
        "javascript:alert(1)",
        "http:",
        "a b",
        "100%",
        "%41",
        "a?b#c",
        "Grüße 日本語",
        "new\nline\ttab\x01",
        "right-to-left-\u202etxt.exe",
        b"latin-\xff",
        b"overlong-\xc0\xaf",
        "-dash",
        "~",
        "*",
    ],
)
def test_any_name_is_shown_and_its_link_leads_to_it(put: Put, ask: Ask, name: str | bytes) -> None:
    put(name, b"this one")
    raw = os.fsencode(name)
    listing = ask("/")
    shown = page(listing)
    assert unquote_to_bytes(shown.links[-1]) == raw
    assert not shown.tags & {"script", "img"}
    assert not re.search("[\x00-\x08\x0b-\x1f\u202e]", listing.content.decode())
    [entry] = entries(ask("/", **JSON))
    assert entry["url"] == shown.links[-1]
    assert entry["name"] == raw.decode("utf-8", "replace")
    assert ask("/" + entry["url"]).content == b"this one"


def test_the_path_is_shown_escaped_too(root: Path, ask: Ask) -> None:
    (root / "<b>&").mkdir()
    shown = page(ask("/%3Cb%3E&/"))
    assert "b" not in shown.tags
    assert "<b>&" in shown.text


def test_only_what_can_be_asked_for_is_listed(root: Path, put: Put, ask: Ask) -> None:
    put("a.txt")
    put(".hidden")
    os.mkfifo(root / "pipe")
    (root / "inside").symlink_to("a.txt")
    (root / "folder").symlink_to(".")
    (root / "outside").symlink_to("../secret.txt")
    (root / "broken").symlink_to("nowhere")
    listed = entries(ask("/", **JSON))
    assert [entry["name"] for entry in listed] == ["folder", "a.txt", "inside"]
    for entry in listed:
        assert ask("/" + entry["url"]).status == 200


def test_an_entry_that_vanishes_meanwhile_is_left_out(
    put: Put, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    put("a.txt")
    put("b.txt")
    real = os.scandir

    class Vanishing:
        def __init__(self, descriptor: int) -> None:
            self.found = real(descriptor)

        def __enter__(self) -> list[os.DirEntry[str]]:
            items = list(self.found)
            os.unlink(put("b.txt"))
            return items

        def __exit__(self, *_: object) -> None:
            self.found.close()

    monkeypatch.setattr(os, "scandir", Vanishing)
    assert names(ask("/", **JSON)) == ["a.txt"]


def test_folders_first_then_as_people_sort(root: Path, put: Put, ask: Ask) -> None:
    for name in ("file10", "file2", "File1", "Ärger", "zebra", "a", "file02", "file"):
        put(name)
    (root / "z-folder").mkdir()
    (root / "B-folder").mkdir()
    assert names(ask("/", **JSON)) == [
        "B-folder", "z-folder", "a", "file", "File1", "file02", "file2", "file10", "zebra", "Ärger",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["sub", "a", "b", "c"]),
        ("?sort=name", ["sub", "a", "b", "c"]),
        ("?sort=-name", ["sub", "c", "b", "a"]),
        ("?sort=size", ["sub", "b", "a", "c"]),
        ("?sort=-size", ["sub", "c", "a", "b"]),
        ("?sort=modified", ["sub", "c", "b", "a"]),
        ("?sort=-modified", ["sub", "a", "b", "c"]),
        ("?x=1&sort=size&y", ["sub", "b", "a", "c"]),
        ("?sort=nonsense", ["sub", "a", "b", "c"]),
        ("?sort=%FF&sort", ["sub", "a", "b", "c"]),
    ],
)
def test_order(root: Path, put: Put, ask: Ask, query: str, expected: list[str]) -> None:
    put("a", bytes(20), at=OLD + 2)
    put("b", bytes(10), at=OLD + 1)
    put("c", bytes(30), at=OLD)
    (root / "sub").mkdir()
    assert names(ask(f"/{query}", **JSON)) == expected


def test_the_heads_of_the_columns_tell_and_turn_the_order(put: Put, ask: Ask) -> None:
    put("a")
    html = ask("/?sort=-size").content.decode()
    assert '<th scope="col" aria-sort="descending"><a href="?sort=size">Size</a></th>' in html
    assert html.count('aria-sort="') == 1


def test_listings_can_be_left_out(root: Path, put: Put) -> None:
    put("sub/a.txt")
    put("index.html")
    files = Files(root, listings=False)
    assert asyncio.run(answer_to(files, "/sub/")).status == 404
    assert asyncio.run(answer_to(files, "/")).status == 200


def test_a_large_directory_is_streamed_in_pieces(root: Path, put: Put, ask: Ask) -> None:
    for number in range(BATCH * 3):
        (root / f"file{number}").touch()
    answer = ask("/", **JSON)
    assert "content-length" not in answer.headers
    assert names(answer) == [f"file{number}" for number in range(BATCH * 3)]
    assert len(page(ask("/")).links) == BATCH * 3 + 3


def test_more_entries_than_the_limit_are_not_listed_and_it_says_so(root: Path, put: Put) -> None:
    for number in range(5):
        put(f"file{number}")
    five, four = Files(root, most_entries=5), Files(root, most_entries=4)
    assert not json.loads(asyncio.run(answer_to(five, "/", **JSON)).content)["truncated"]
    limited = json.loads(asyncio.run(answer_to(four, "/", **JSON)).content)
    assert limited["truncated"]
    assert len(limited["entries"]) == 4
    assert "There are more" in page(asyncio.run(answer_to(four, "/"))).text


def test_times_that_no_calendar_has(put: Put, ask: Ask) -> None:
    put("a", at=-5)
    assert entries(ask("/", **JSON))[0]["modified"] == "1970-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"), (1, "1 B"), (999, "999 B"), (1000, "1000 B"), (1023, "1023 B"), (1024, "1.0 KiB"),
        (1536, "1.5 KiB"), (102298, "99.9 KiB"), (102400, "100 KiB"), (1022976, "999 KiB"), (1 << 20, "1.0 MiB"),
        ((1 << 20) - 1, "1.0 MiB"), (5 << 30, "5.0 GiB"), (1 << 40, "1.0 TiB"), (1 << 50, "1.0 PiB"),
        (1 << 63, "8.0 EiB"),
    ],
)  # fmt: skip
def test_sizes_as_people_read_them(size: int, text: str) -> None:
    assert human_size(size) == text


def test_a_listing_stream_gives_no_empty_piece() -> None:
    assert list(ListingStream(iter(["a", "é"]))) == [b"a", "é".encode()]


def test_the_example_site_is_served_whole() -> None:
    site = Path(__file__).parents[3] / "examples" / "site"
    files = Files(site)
    home = asyncio.run(answer_to(files, "/"))
    assert (home.status, home.headers["content-type"]) == (200, "text/html; charset=utf-8")
    for link in re.findall('(?:href|src)="([^"]+)"', home.content.decode()):
        assert asyncio.run(answer_to(files, f"/{link}")).status == 200, link
    for entry in entries(asyncio.run(answer_to(files, "/notes/", **JSON))):
        assert asyncio.run(answer_to(files, f"/notes/{entry['url']}")).status == 200, entry
