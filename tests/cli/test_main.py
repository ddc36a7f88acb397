"""The command `h123` itself: its help, its version, how fast it begins."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec

import pytest
from tests.cli.conftest import TIME, program, run

from h123._version import __version__
from h123.cli import version


def test_alone_it_prints_its_help() -> None:
    alone = run()
    assert (alone.code, alone.stderr) == (0, "")
    assert alone.text == run("--help").text
    for name in ("serve", "fetch"):
        assert f"\n  {name} " in alone.text


@pytest.mark.parametrize("name", ["serve", "fetch"])
def test_each_part_has_its_help(name: str) -> None:
    outcome = run(name, "--help").succeeded()
    assert "Options:" in outcome.text


def test_a_part_that_is_none() -> None:
    outcome = run("brew")
    assert outcome.code == 2
    assert len(outcome.stderr.splitlines()) == 1
    assert "brew" in outcome.stderr


@pytest.mark.parametrize("option", ["-V", "--version"])
def test_the_version_says_which_engines_run(option: str) -> None:
    lines = run(option).succeeded().text.splitlines()
    assert lines[0] == f"h123 {__version__}"
    assert lines[1].startswith(f"Python {sys.version.split()[0]} ")
    assert [line.split()[0] for line in lines[2:]] == ["HTTP/1.1", "HTTP/2", "HTTP/3"]
    engine = find_spec("h123.protocol.http1.connection")
    assert engine is not None
    kind = "pure Python" if (engine.origin or "").endswith(".py") else "compiled"
    assert lines[2].endswith(kind)
    assert "aioquic" in lines[4]


def test_the_version_says_what_http3_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(version, "_HTTP3_NEEDS", ("h123_missing", "h123_missing_too"))
    lines = version.version_text().splitlines()
    assert lines[4] == "HTTP/3    not available: h123_missing and h123_missing_too not installed"


@pytest.mark.parametrize(
    ("arguments", "unloaded"),
    [
        (["--help"], ["asyncio", "ssl", "rich", "cryptography", "aioquic"]),
        (["fetch", "--help"], ["rich", "cryptography", "aioquic", "h123.server"]),
        (["fetch", "http://127.0.0.1:1/"], ["rich", "cryptography", "aioquic", "h123.server"]),
        (["serve", "--help"], ["asyncio", "rich", "cryptography", "aioquic", "h123.client"]),
    ],
)
def test_nothing_is_loaded_that_is_not_used(arguments: list[str], unloaded: list[str]) -> None:
    code = (
        "import sys\n"
        "from h123.cli.main import main\n"
        f"sys.argv[1:] = {arguments!r}\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        f"print([name for name in {unloaded!r} if name in sys.modules], file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=TIME
    )
    assert done.stderr.splitlines()[-1] == "[]"


def test_a_reader_that_has_enough_of_the_help_is_no_failure() -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(program("--help"), stdout=write, stderr=subprocess.PIPE, timeout=TIME)
    finally:
        os.close(write)
    assert done.stderr == b""
