"""From a URL's path to a file, and never out of the folder. RFC 3986 section 3.3, RFC 9110 section 17.3."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from h123.server.files import Files
from h123.server.files.folder import quote_name

from .conftest import Ask, answer_to

Put = Callable[..., Path]


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("a b.txt", "/a%20b.txt"),
        ("a+b.txt", "/a+b.txt"),
        ("100%.txt", "/100%25.txt"),
        ("100%.txt", "/100%.txt"),  # a stray percent sign stands for itself, as in a browser
        ("%41.txt", "/%2541.txt"),
        ("a?b.txt", "/a%3Fb.txt?query"),
        ("a#b.txt", "/a%23b.txt"),
        ("Grüße.txt", "/Gr%C3%BC%C3%9Fe.txt"),
        ("Grüße.txt", "/Gr%c3%bc%c3%9fe.txt"),
        ("日本語.txt", "/%E6%97%A5%E6%9C%AC%E8%AA%9E.txt"),
        ("日本語.txt", "/日本語.txt"),
        (b"latin-\xff.txt", "/latin-%FF.txt"),
        ("a\\b.txt", "/a%5Cb.txt"),
        ("a:b.txt", "/a:b.txt"),
        ("new\nline", "/new%0Aline"),
        ("sub/deep/a.txt", "/sub/deep/a.txt"),
        ("index.html", "/%69ndex.html"),
        ("x..y", "/x..y"),
        ("x..", "/x.."),
    ],
)
def test_names_as_urls_spell_them(put: Put, ask: Ask, name: str | bytes, target: str) -> None:
    put(name)
    assert ask(target).status == 200


@pytest.mark.parametrize(
    "target",
    [
        b"/../secret.txt", b"/..", b"/../", b"/sub/../../secret.txt", b"/sub/../a.txt", b"/.", b"/./a.txt",
        b"/%2e%2e/secret.txt", b"/%2E./secret.txt", b"/.%2e/secret.txt", b"/..%2fsecret.txt",
        b"/%2e%2e%2fsecret.txt", b"/sub%2f..%2f..%2fsecret.txt", b"/%252e%252e/secret.txt",
        b"/%252e%252e%252fsecret.txt", b"/..%5csecret.txt", b"/..\\secret.txt", b"/sub\\..\\..\\secret.txt",
        b"/%c0%ae%c0%ae/secret.txt", b"/%c0%ae%c0%ae%c0%afsecret.txt", b"/%e0%80%ae%e0%80%ae/secret.txt",
        b"/%uff0e%uff0e/secret.txt", b"/a.txt%00", b"/a.txt%00.html", b"/a.txt\x00", b"/%00",
        b"//", b"//a.txt", b"//etc/passwd", b"/sub//b.txt", b"/sub///", b"/%2fetc/passwd", b"/%2f",
        b"/sub%2fb.txt", b"/a.txt/", b"/a.txt/b", b"/a.txt/../a.txt", b"/proc/self/root/etc/passwd",
        b"/~root", b"/" + b"a" * 256, b"/" + b"a/" * 4000, b"/\xff\xfe", b"/...", b"/..;/secret.txt",
        b"/https://example.org/", b"/missing", b"/missing/", b"/sub/missing/a.txt",
    ],
)  # fmt: skip
def test_paths_that_lead_nowhere(put: Put, ask: Ask, target: bytes) -> None:
    put("a.txt")
    put("sub/b.txt")
    answer = ask(target)
    assert answer.status == 404
    assert b"secret" not in answer.content


@pytest.mark.parametrize("name", [".hidden", ".git/config", "sub/.env", ".well/sub/a.txt"])
def test_hidden_names_anywhere_in_the_path(put: Put, ask: Ask, name: str) -> None:
    put(name)
    assert ask(f"/{name}").status == 404
    assert ask("/" + name.replace(".", "%2e")).status == 404
    assert ask(f"/{name}/").status == 404


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150
)
@given(
    st.lists(
        st.sampled_from([b"..", b".", b"/", b"%2e", b"%2f", b"%252e", b"%5c", b"\\", b"%00", b"sub", b"a.txt", b"secret.txt", b"link", b"%"]),
        max_size=9,
    )
)  # fmt: skip
def test_no_spelling_leads_out(root: Path, files: Files, put: Put, pieces: list[bytes]) -> None:
    put("a.txt", b"inside")
    put("sub/a.txt", b"inside")
    if not (root / "link").is_symlink():
        (root / "link").symlink_to("..")
    answer = asyncio.run(answer_to(files, b"/" + b"".join(pieces)))
    assert answer.status in (200, 301, 404)
    assert answer.content != b"secret"


@given(
    st.binary(min_size=1, max_size=40).filter(
        lambda name: not {0, 0x2F} & set(name) and name[0] != 0x2E
    )
)
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50
)
def test_any_name_is_served_by_its_quoted_form(put: Put, files: Files, name: bytes) -> None:
    path = put(name, name)
    try:
        answer = asyncio.run(answer_to(files, "/" + quote_name(name)))
    finally:
        path.unlink()
    assert answer.content == name


# -------------------------------------------------------------------------------------- redirects


@pytest.mark.parametrize(
    ("name", "target", "location"),
    [
        ("sub", "/sub", "sub/"),
        ("sub", "/sub?a=1&b=%20", "sub/?a=1&b=%20"),
        ("sub", "/sub?", "sub/"),
        ("sub", '/sub?<é>"', "sub/?%3C%C3%A9%3E%22"),
        ("a b", "/a%20b", "a%20b/"),
        ("sub/deep", "/sub/deep", "deep/"),
        ("https:", "/https:", "https%3A/"),
        ("javascript:alert(1)", "/javascript:alert(1)", "javascript%3Aalert(1)/"),
        ("evil\r\nX: y", "/evil%0D%0AX:%20y", "evil%0D%0AX%3A%20y/"),
        ("\\evil.example", "/\\evil.example", "%5Cevil.example/"),
    ],
)
def test_a_directory_has_a_slash(
    root: Path, ask: Ask, name: str, target: str, location: str
) -> None:
    (root / name).mkdir(parents=True)
    answer = ask(target)
    assert (answer.status, answer.headers["location"], answer.content) == (301, location, b"")


@pytest.mark.parametrize(
    "target", ["//evil.example", "//evil.example/..", "//sub", "/\\/sub", "/%2fsub", "/sub//"]
)
def test_no_redirect_leads_to_another_host(root: Path, ask: Ask, target: str) -> None:
    (root / "sub").mkdir()
    answer = ask(target)
    assert answer.status == 404
    assert "location" not in answer.headers


# ------------------------------------------------------------------------------------------ links


@pytest.mark.parametrize("absolute", [True, False])
def test_links_that_stay_inside(root: Path, put: Put, ask: Ask, absolute: bool) -> None:
    target = put("real/deep/a.txt")
    (root / "file").symlink_to(target if absolute else "real/deep/a.txt")
    (root / "folder").symlink_to(target.parent if absolute else "real/deep")
    (root / "chain").symlink_to("folder")
    (root / "real" / "top").symlink_to(root if absolute else "..")
    for path in ("/file", "/folder/a.txt", "/chain/a.txt", "/real/top/real/deep/a.txt", "/chain/"):
        assert ask(path).status == 200, path


@pytest.mark.parametrize(
    "target",
    [
        "..",
        "../secret.txt",
        "/etc",
        "/etc/passwd",
        "/",
        "/proc/self/root",
        "../site-2",
        "/dev/null",
        "nowhere",
        "loop",
    ],
)
def test_links_that_leave_the_folder_or_lead_nowhere(root: Path, ask: Ask, target: str) -> None:
    """A sibling whose name begins as the folder's is outside too."""
    (root.parent / "site-2").mkdir()
    (root.parent / "site-2" / "secret.txt").touch()
    (root / "loop").symlink_to(target)
    for path in ("/loop", "/loop/", "/loop/secret.txt", "/loop/passwd", "/loop/etc/passwd"):
        assert ask(path).status == 404, path


def test_an_index_that_leaves_the_folder_is_none(root: Path, ask: Ask) -> None:
    (root / "index.html").symlink_to("../secret.txt")
    answer = ask("/", accept="application/json")
    assert answer.status == 200
    assert b'"entries":[]' in answer.content


@pytest.mark.parametrize("via", ["/dev/null", "/dev/zero", "/dev/tty"])
def test_a_link_to_a_device_opens_nothing(root: Path, ask: Ask, via: str) -> None:
    (root / "device").symlink_to(via)
    assert ask("/device").status == 404


def test_what_is_no_file_is_refused_without_opening_it(root: Path, ask: Ask) -> None:
    """Opening a pipe would wait for its writer, or wake one that waits for its reader."""
    os.mkfifo(root / "pipe")
    writer = os.open(root / "pipe", os.O_RDWR | os.O_NONBLOCK)
    os.write(writer, b"x")
    assert ask("/pipe").status == 404
    assert os.read(writer, 1) == b"x"
    os.close(writer)
    assert ask("/pipe").status == 404
    if not os.geteuid():
        os.mknod(root / "null", 0o20666, os.makedev(1, 3))
        assert ask("/null").status == 404


def test_the_served_folder_may_be_a_link_that_is_pointed_elsewhere(tmp_path: Path) -> None:
    for version in ("one", "two"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "a.txt").write_text(version)
    (tmp_path / "current").symlink_to("one")
    files = Files(tmp_path / "current")
    assert asyncio.run(answer_to(files, "/a.txt")).content == b"one"
    (tmp_path / "next").symlink_to("two")
    (tmp_path / "next").rename(tmp_path / "current")
    assert asyncio.run(answer_to(files, "/a.txt")).content == b"two"
    (tmp_path / "two" / "old").symlink_to("../one/a.txt")
    assert asyncio.run(answer_to(files, "/old")).status == 404


def test_the_served_folder_may_be_moved_with_all_above_it(tmp_path: Path) -> None:
    (tmp_path / "a" / "site").mkdir(parents=True)
    (tmp_path / "a" / "site" / "a.txt").touch()
    files = Files(tmp_path / "a" / "site")
    (tmp_path / "a").rename(tmp_path / "b")
    assert asyncio.run(answer_to(files, "/a.txt")).status == 404
    (tmp_path / "a").symlink_to("b")
    assert asyncio.run(answer_to(files, "/a.txt")).status == 200


def test_a_folder_that_is_gone_is_404_until_it_is_back(root: Path, put: Put, ask: Ask) -> None:
    put("a.txt")
    root.rename(root.parent / "away")
    assert ask("/a.txt").status == 404
    (root.parent / "away").rename(root)
    assert ask("/a.txt").status == 200


def test_the_root_of_the_file_system_can_be_served() -> None:
    assert asyncio.run(answer_to(Files("/"), "/etc/passwd")).status == 200


def test_a_name_that_is_exchanged_all_the_time_never_leads_out(
    root: Path, put: Put, files: Files
) -> None:
    """Between looking and opening there is no moment in which a link can take a file's place."""
    put("a.txt", b"inside")
    put("sub/secret.txt", b"inside")
    stop = threading.Event()

    def exchange() -> None:
        while not stop.is_set():
            for name, inside, outside in (("x", "a.txt", "../secret.txt"), ("y", "sub", "..")):
                for target in (inside, outside):
                    (root / "new").symlink_to(target)
                    (root / "new").rename(root / name)

    exchanger = threading.Thread(target=exchange)
    exchanger.start()
    try:

        async def ask_many() -> set[tuple[int, bytes]]:
            seen = set()
            for _ in range(1500):
                for target in ("/x", "/y/secret.txt"):
                    answer = await answer_to(files, target)
                    seen.add((answer.status, answer.content if answer.status == 200 else b""))
            return seen

        assert asyncio.run(ask_many()) <= {(200, b"inside"), (404, b"")}
    finally:
        stop.set()
        exchanger.join(10)
