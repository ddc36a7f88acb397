"""What is heavy is imported on first use: import time is a goal."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("ssl", "asyncio", "trustme", "truststore", "cryptography", "email", "inspect")


@pytest.mark.parametrize(
    ("modules", "allowed"),
    [
        ("backend, blocking, connect, errors, resolving, stream, udp, listen, certificates", ()),
        ("tls, tls_stream, handshake", ("ssl",)),
        ("memory", ()),
    ],
)
def test_importing_the_network_imports_nothing_heavy(
    modules: str, allowed: tuple[str, ...]
) -> None:
    code = f"import sys; from h123.network import {modules}; print(*sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30
    )
    assert not (set(HEAVY) - set(allowed)) & set(result.stdout.split())
