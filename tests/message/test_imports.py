"""What importing the vocabulary loads: import time is a goal."""

from __future__ import annotations

import subprocess
import sys

import h123.message

HEAVY = {
    "asyncio", "brotli", "dataclasses", "datetime", "email", "enum", "http", "idna", "inspect", "ipaddress",
    "json", "mimetypes", "re", "socket", "ssl", "typing", "urllib", "zlib", "zstandard",
}  # fmt: skip


def modules_after(name: str) -> list[str]:
    """Return what is loaded after importing a module without the package's face."""
    code = (
        "import sys, types; face = types.ModuleType('h123'); sys.modules['h123'] = face;"
        f"face.__path__ = {list(h123.__path__)!r}; import {name}; print(*sys.modules)"
    )
    command = [sys.executable, "-I", "-S", "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def test_importing_messages_loads_nothing_heavy() -> None:
    loaded = {name.partition(".")[0] for name in modules_after("h123.message.codings")}
    assert "h123" in loaded
    assert not HEAVY & loaded


def test_messages_know_neither_network_nor_protocol() -> None:
    loaded = [name for name in modules_after("h123.message.response") if name.startswith("h123.")]
    assert {name.split(".")[1] for name in loaded} == {"message"}
