"""`make demo`: every version, both clients, a table, nothing left behind."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"
TIME = 110.0
"""Seconds that a demo may take: what it waits for itself is bounded by less."""


def demo(script: Path, temporary: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "TMPDIR": str(temporary)}
    return subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=TIME, env=environment
    )


def test_the_demo_fetches_over_every_version_with_both_clients(tmp_path: Path) -> None:
    done = demo(EXAMPLES / "demo.py", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    number = r"\s+\d+\.\d"
    rows = re.findall(
        rf"^HTTP/([\d.]+)\s+(\w+)\s+200\s+(\d+){number}{number}{number}$", done.stdout, re.MULTILINE
    )
    size = str((EXAMPLES / "site" / "index.html").stat().st_size)
    assert rows == [
        (version, client, size) for version in ("1.1", "2", "3") for client in ("sync", "async")
    ]
    assert list(tmp_path.iterdir()) == []


def test_a_demo_that_fails_says_what_failed(tmp_path: Path) -> None:
    script = tmp_path / "here" / "demo.py"
    (tmp_path / "here" / "site").mkdir(parents=True)
    (tmp_path / "temporary").mkdir()
    shutil.copy(EXAMPLES / "demo.py", script)
    missing_page = demo(script, tmp_path / "temporary")
    assert missing_page.returncode == 1
    assert "index.html" in missing_page.stderr.splitlines()[-1]
    assert "Traceback" not in missing_page.stderr
    (tmp_path / "here" / "site").rmdir()
    no_server = demo(script, tmp_path / "temporary")
    assert no_server.returncode == 1
    assert no_server.stderr.startswith("The demo failed: ")
    assert list((tmp_path / "temporary").iterdir()) == []
