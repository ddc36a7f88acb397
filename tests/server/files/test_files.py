"""Files over HTTP: methods, fields, conditions, ranges. RFC 9110 sections 8.8, 9.3, 13, 14 and 15."""

from __future__ import annotations

import asyncio
import importlib
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from h123.message.request import Request
from h123.server.files import Files
from h123.server.http_date import format_http_date

from .conftest import OLD, Ask, answer_to

Put = Callable[..., Path]


def test_a_file_with_all_its_fields(put: Put, ask: Ask, settled: None) -> None:
    put("page.html", b"<p>hello")
    answer = ask("/page.html")
    assert answer.status == 200
    assert answer.content == b"<p>hello"
    assert dict(answer.headers.items()) == {
        "content-type": "text/html; charset=utf-8",
        "content-length": "8",
        "last-modified": "Tue, 14 Nov 2023 22:13:20 GMT",
        "etag": f'"{OLD * 10**9:x}-8"',
        "accept-ranges": "bytes",
        "cache-control": "no-cache",
        "x-content-type-options": "nosniff",
    }


@pytest.mark.parametrize("size", [0, 1, 65536, 65537, 131072, 1_000_003])
def test_a_file_of_any_size(put: Put, ask: Ask, size: int) -> None:
    content = os.urandom(size)
    put("data", content)
    answer = ask("/data")
    assert answer.content == content
    assert answer.headers["content-length"] == str(size)


@pytest.mark.parametrize("target", ["/a.txt", "/big", "/", "/missing", "/sub", "/sub/"])
@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_head_has_the_fields_of_get_and_no_content(
    put: Put, ask: Ask, target: str, accept: str
) -> None:
    put("a.txt")
    put("big", bytes(100_000))
    put("sub/b.txt")
    head, get = ask(target, "HEAD", accept=accept), ask(target, accept=accept)
    assert head.content == b""
    assert (head.status, head.headers) == (get.status, get.headers)


@pytest.mark.parametrize(
    "method", ["POST", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "PROPFIND", "get"]
)
@pytest.mark.parametrize("target", ["/a.txt", "/missing"])
def test_other_methods_are_refused_with_what_is_allowed(
    put: Put, ask: Ask, method: str, target: str
) -> None:
    """RFC 9110 section 15.5.6."""
    put("a.txt")
    answer = ask(target, method)
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD, OPTIONS")


@pytest.mark.parametrize("target", ["/a.txt", "*"])
def test_options_tells_what_is_allowed(ask: Ask, target: str) -> None:
    """RFC 9110 section 9.3.7; 204 has no Content-Length (section 8.6)."""
    answer = ask(target, "OPTIONS")
    assert (answer.status, answer.content) == (204, b"")
    assert dict(answer.headers.items()) == {"allow": "GET, HEAD, OPTIONS"}


def test_a_request_made_by_a_program_is_served_too(put: Put, files: Files) -> None:
    put("a b.txt")
    response = asyncio.run(files(Request("GET", "https://example.org/a%20b.txt?x=1")))
    assert asyncio.run(response.aread()) == b"hello"


@pytest.mark.parametrize(
    ("target", "status"),
    [
        (b"https://example.org/a.txt", 200),
        (
            b"https://example.org/../a.txt",
            200,
        ),  # as every URL parser reads it: the root has no parent
        (b"https://exa mple.org/a.txt", 400),
        (b"https://[::/a.txt", 400),
        (b"a.txt", 200),
        (b"", 200),
    ],
)
def test_the_absolute_form_and_none_of_the_forms(
    put: Put, ask: Ask, target: bytes, status: int
) -> None:
    put("a.txt")
    put("index.html")
    assert ask(target).status == status


def test_cache_control_is_the_users_choice(root: Path, put: Put) -> None:
    put("a.txt")
    kept = asyncio.run(answer_to(Files(root, cache_control="max-age=60"), "/a.txt"))
    assert kept.headers["cache-control"] == "max-age=60"
    unsaid = asyncio.run(answer_to(Files(root, cache_control=None), "/a.txt"))
    assert "cache-control" not in unsaid.headers


def test_the_index_stands_for_its_directory(root: Path, put: Put, ask: Ask) -> None:
    put("index.html", b"root")
    put("sub/index.html", b"sub")
    put("named/start.htm", b"start")
    assert [ask("/").content, ask("/sub/").content] == [b"root", b"sub"]
    assert ask("/sub/").headers["content-type"] == "text/html; charset=utf-8"
    named = Files(root, index="start.htm")
    assert asyncio.run(answer_to(named, "/named/")).content == b"start"


def test_an_index_that_is_a_directory_is_none(root: Path, ask: Ask) -> None:
    (root / "index.html").mkdir()
    assert b"index.html" in ask("/", accept="application/json").content


# ------------------------------------------------------------------------------------ conditions


def test_a_304_carries_what_guides_a_cache_and_no_more(put: Put, ask: Ask, settled: None) -> None:
    """RFC 9110 section 15.4.5."""
    put("a.txt")
    tag = ask("/a.txt").headers["etag"]
    answer = ask("/a.txt", if_none_match=tag, range="bytes=0-1")
    assert (answer.status, answer.content) == (304, b"")
    assert set(answer.headers) == {"etag", "cache-control", "x-content-type-options"}
    assert answer.headers["etag"] == tag


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"if_modified_since": format_http_date(OLD)}, 304),
        ({"if_modified_since": format_http_date(OLD - 1)}, 200),
        ({"if_unmodified_since": format_http_date(OLD - 1)}, 412),
        ({"if_match": '"other"'}, 412),
        ({"if_match": "*"}, 200),
        ({"if_match": '"other"', "range": "bytes=9999-"}, 412),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_conditions(put: Put, ask: Ask, fields: dict[str, str], status: int, method: str) -> None:
    put("a.txt")
    assert ask("/a.txt", method, **fields).status == status


def test_conditions_do_not_make_something_of_nothing(ask: Ask) -> None:
    """RFC 9110 section 13.2.1: conditions are for what would have been a 2xx."""
    assert ask("/missing", if_match="*").status == 404
    assert ask("/missing", if_none_match="*").status == 404


def test_a_changed_file_is_sent_anew(put: Put, ask: Ask) -> None:
    put("a.txt", b"one")
    tag = ask("/a.txt").headers["etag"]
    put("a.txt", b"two", at=OLD + 1)
    answer = ask("/a.txt", if_none_match=tag)
    assert (answer.status, answer.content) == (200, b"two")
    assert answer.headers["etag"] != tag


# ---------------------------------------------------------------------------------------- ranges

CONTENT = bytes(range(256)) * 8


@pytest.mark.parametrize(
    ("field", "content_range", "content"),
    [
        ("bytes=0-9", "bytes 0-9/2048", CONTENT[:10]),
        ("bytes=-10", "bytes 2038-2047/2048", CONTENT[-10:]),
        ("bytes=2000-", "bytes 2000-2047/2048", CONTENT[2000:]),
        ("bytes=0-", "bytes 0-2047/2048", CONTENT),
        ("bytes=0-9,5-19", "bytes 0-19/2048", CONTENT[:20]),
        ("bytes=0-9,5000-", "bytes 0-9/2048", CONTENT[:10]),
    ],
)
def test_one_range(put: Put, ask: Ask, field: str, content_range: str, content: bytes) -> None:
    put("a.txt", CONTENT)
    answer = ask("/a.txt", range=field)
    assert (answer.status, answer.content) == (206, content)
    assert answer.headers["content-range"] == content_range
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert {"etag", "last-modified", "accept-ranges", "cache-control"} <= set(answer.headers)


def test_several_ranges_are_parts_in_their_order(put: Put, ask: Ask) -> None:
    """RFC 9110 section 14.6."""
    put("a.txt", CONTENT)
    answer = ask("/a.txt", range="bytes=1000-1009, 0-4, -3")
    kind, boundary = answer.headers["content-type"].split("; boundary=")
    assert (answer.status, kind) == (206, "multipart/byteranges")
    assert "content-range" not in answer.headers
    assert (
        answer.content
        == b"".join(
            b"\r\n--%b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Range: %b\r\n\r\n%b"
            % (boundary.encode(), where, part)
            for where, part in [
                (b"bytes 1000-1009/2048", CONTENT[1000:1010]),
                (b"bytes 0-4/2048", CONTENT[:5]),
                (b"bytes 2045-2047/2048", CONTENT[-3:]),
            ]
        )
        + b"\r\n--%b--\r\n" % boundary.encode()
    )


def test_the_boundary_is_new_each_time(put: Put, ask: Ask) -> None:
    put("a.txt", CONTENT)
    kinds = {ask("/a.txt", range="bytes=0-1,1000-1001").headers["content-type"] for _ in range(3)}
    assert len(kinds) == 3


@pytest.mark.parametrize("size", [0, 5])
def test_a_range_that_can_not_be_satisfied(put: Put, ask: Ask, size: int) -> None:
    """RFC 9110 section 15.5.17."""
    put("a.txt", bytes(size))
    answer = ask("/a.txt", range="bytes=5-")
    assert (answer.status, answer.headers["content-range"]) == (416, f"bytes */{size}")
    assert "etag" not in answer.headers


@pytest.mark.parametrize("field", ["bytes=5-1", "lines=0-1", "bytes=" + "0-0," * 200, "bytes=x"])
def test_a_range_that_is_none_is_ignored(put: Put, ask: Ask, field: str) -> None:
    put("a.txt")
    assert ask("/a.txt", range=field).status == 200


def test_ranges_are_for_get_alone(put: Put, ask: Ask) -> None:
    """RFC 9110 section 14.2."""
    put("a.txt")
    answer = ask("/a.txt", "HEAD", range="bytes=0-1")
    assert (answer.status, answer.headers["content-length"]) == (200, "5")


@pytest.mark.parametrize("current", [True, False])
def test_if_range_gives_the_part_or_else_the_whole(
    put: Put, ask: Ask, settled: None, current: bool
) -> None:
    put("a.txt")
    tag = ask("/a.txt").headers["etag"] if current else '"other"'
    answer = ask("/a.txt", range="bytes=0-1", if_range=tag)
    assert (answer.status, answer.content) == ((206, b"he") if current else (200, b"hello"))
    unsatisfiable = ask("/a.txt", range="bytes=9-", if_range=tag)
    assert unsatisfiable.status == (416 if current else 200)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60
)
@given(st.lists(st.tuples(st.integers(0, 200_000), st.integers(0, 3000)), min_size=1, max_size=8))
def test_any_ranges_are_what_slicing_gives(
    big: tuple[bytes, Files], pairs: list[tuple[int, int]]
) -> None:
    content, files = big
    field = "bytes=" + ",".join(f"{first}-{first + more}" for first, more in pairs)
    answer = asyncio.run(answer_to(files, "/big", range=field))
    wanted = {place for first, more in pairs for place in range(first, first + more + 1)}
    wanted &= set(range(len(content)))
    if not wanted:
        assert answer.status == 416
        return
    assert answer.status == 206
    got: set[int] = set()
    if "content-range" in answer.headers:
        parts = [(answer.headers["content-range"], answer.content)]
    else:
        boundary = answer.headers["content-type"].partition("boundary=")[2].encode()
        pieces = answer.content.split(b"\r\n--" + boundary)[1:-1]
        heads = [piece.partition(b"\r\n\r\n") for piece in pieces]
        parts = [(head.decode().partition("Content-Range: ")[2], part) for head, _, part in heads]
    for where, part in parts:
        match = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", where)
        assert match
        first, last, size = map(int, match.groups())
        assert size == len(content)
        assert part == content[first : last + 1]
        assert not got & set(range(first, last + 1)), "nothing is sent twice"
        got |= set(range(first, last + 1))
    assert wanted <= got


@pytest.fixture
def big(put: Put, files: Files) -> tuple[bytes, Files]:
    content = os.urandom(150_000)
    put("big", content)
    return content, files


# ---------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("", "text/plain; charset=utf-8"),
        ("*/*", "text/plain; charset=utf-8"),
        ("application/json", "text/plain; charset=utf-8"),
        ("text/html,application/xml;q=0.9,*/*;q=0.8", "text/html; charset=utf-8"),
    ],
)
def test_an_error_is_a_page_for_people_and_a_line_for_others(
    ask: Ask, accept: str, kind: str
) -> None:
    answer = ask("/missing", accept=accept)
    assert (answer.status, answer.headers["content-type"]) == (404, kind)
    assert (answer.headers["vary"], answer.headers["cache-control"]) == ("Accept", "no-store")
    assert ("content-security-policy" in answer.headers) is kind.startswith("text/html")
    assert b"404" in answer.content
    assert b"Not Found" in answer.content


def test_what_may_not_be_read_is_forbidden_whatever_was_asked(as_nobody: Path) -> None:
    def status(target: str, method: str = "GET", **headers: str) -> int:
        return asyncio.run(answer_to(Files(as_nobody), target, method, **headers)).status

    assert status("/open.txt") == 200
    assert status("/closed.txt") == 403
    assert status("/closed.txt", "HEAD") == 403
    assert status("/closed.txt", if_none_match="*") == 403
    assert status("/unlisted/") == 403
    assert status("/unlisted/a.txt") == 200
    assert status("/closed/") == 403
    assert status("/closed/a.txt") == 403
    assert status("/closed") == 301


@pytest.fixture
def as_nobody() -> Iterator[Path]:
    """A folder of which not all may be read. Root may read anything, so be nobody for a while."""
    with tempfile.TemporaryDirectory(prefix="pytest-") as name:
        root = Path(name)
        for file in ("open.txt", "closed.txt", "unlisted/a.txt", "closed/a.txt"):
            (root / file).parent.mkdir(exist_ok=True)
            (root / file).touch()
        modes = {".": 0o755, "closed.txt": 0, "unlisted": 0o111, "closed": 0}
        for path, mode in modes.items():
            (root / path).chmod(mode)
        was_root = os.geteuid() == 0
        if was_root:
            # asyncio imports it late, and another user may not read where Python is.
            importlib.import_module("concurrent.futures.thread")
            os.seteuid(65534)
        try:
            yield root
        finally:
            if was_root:
                os.seteuid(0)
            for path in modes:
                (root / path).chmod(0o755)


def test_too_many_open_files_ask_for_patience(
    put: Put, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    put("a.txt")

    def refuse(*_: object, **__: object) -> int:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("h123.server.files.folder.os.open", refuse)
    answer = ask("/a.txt")
    monkeypatch.undo()
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")


def test_a_failing_disk_is_not_the_requests_fault(
    put: Put, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    put("a.txt")

    def fail(*_: object, **__: object) -> int:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("h123.server.files.folder.os.open", fail)
    with pytest.raises(OSError, match="Input/output"):
        ask("/a.txt")
    monkeypatch.undo()


def test_a_folder_that_is_none_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Files(tmp_path / "missing")
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        Files(tmp_path / "file")


def test_repr_tells_the_folder(root: Path, files: Files) -> None:
    assert repr(files) == f"<Files {str(root)!r}>"
