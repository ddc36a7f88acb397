"""The client and the server in docs/engines-http1.md run, and talk to each other."""

from __future__ import annotations

import re
import socket
import threading
from pathlib import Path
from typing import Any

GUIDE = Path(__file__).parents[3] / "docs" / "engines-http1.md"


def programs() -> tuple[dict[str, Any], dict[str, Any]]:
    client, server = re.findall(
        r"^```python\n(.*?)^```$", GUIDE.read_text(), re.MULTILINE | re.DOTALL
    )
    spaces: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
    for source, space in zip((client, server), spaces, strict=True):
        exec(compile(source, str(GUIDE), "exec"), space)
    return spaces


def test_the_guides_programs() -> None:
    client, server = programs()
    asked: list[bytes] = []

    def answer(request: Any, content: bytes) -> tuple[int, bytes]:
        asked.append(request.target)
        return (
            (200, b"hello " + request.target + content) if request.target != b"/no" else (404, b"")
        )

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)

        def run() -> None:
            for _ in range(3):
                server["serve"](listener.accept()[0], answer)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        address = listener.getsockname()
        first, second, third = client["fetch"](address, b"a", [b"/1", b"/no", b"/2"])
        with socket.create_connection(address, timeout=10) as sock:
            sock.sendall(
                b"POST /3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nA: b\r\n\r\n"
                b"GET /4 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
            )
            received = b"".join(iter(lambda: sock.recv(65536), b""))
        with socket.create_connection(address, timeout=10) as sock:
            sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
            refused = b"".join(iter(lambda: sock.recv(65536), b""))
        thread.join(10)
    assert (first[0], first[2]) == (200, b"hello /1")
    assert (second[0], second[2]) == (404, b"")
    assert (third[0], third[2]) == (200, b"hello /2")
    assert b"hello /3x" in received
    assert received.endswith(b"hello /4")
    assert refused.startswith(b"HTTP/1.1 400 ")
    assert b"no Host field" in refused
    assert asked == [b"/1", b"/no", b"/2", b"/3", b"/4"]
