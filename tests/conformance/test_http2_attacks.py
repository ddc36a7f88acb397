"""Floods against a running `h123 serve`, while an honest client goes on getting answers.

Each attack is bytes made beforehand and sent as fast as the server takes them, over connection after
connection. They last a second each here; `H123_ATTACK_SECONDS=10` makes it ten, and holds the server to half
of its usual rate too, which asks for three processors with nothing else to do.
"""

from __future__ import annotations

import os
import re
import socket
import struct
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE

import pytest
from tests.conftest import Program, Start, python_program
from tests.protocol.http2.playbook import (
    ACK,
    END_HEADERS,
    END_STREAM,
    PREFACE,
    SETTINGS_ACK,
    Fields,
    block,
    data,
    frame,
    headers,
    ping,
    rst_stream,
    settings,
    window_update,
)

pytestmark = pytest.mark.slow

SECONDS = float(os.environ.get("H123_ATTACK_SECONDS", "1"))
IS_LONG = SECONDS >= 10
MEMORY = 100 << 20
CONNECTIONS = 2
"""Of the attacker at once."""
ATTACKER = Path(__file__).parent / "programs" / "attacker.py"

GET: Fields = [
    (b":method", b"GET"),
    (b":scheme", b"http"),
    (b":authority", b"localhost"),
    (b":path", b"/page.txt"),
]
POST: Fields = [(b":method", b"POST"), *GET[1:]]
BIG_GET: Fields = [*GET[:3], (b":path", b"/big.bin")]
STREAMS = range(1, 20001, 2)


def _bomb() -> bytes:
    """A block that puts 4 KiB into the table once and then says it as often as a frame can (HPACK bomb)."""
    value = b"x" * 4000
    first = block(GET) + b"\x40\x01a\x7f\xa1\x1e" + value
    return first + b"\xbe" * (16384 - len(first))


ATTACKS: dict[str, list[bytes]] = {
    "rapid reset (CVE-2023-44487)": [headers(s, GET, end=True) + rst_stream(s) for s in STREAMS],
    "made you reset (CVE-2025-8671)": [
        headers(s, GET, end=True) + window_update(s, 0) for s in STREAMS
    ],
    "CONTINUATION (CVE-2024-27316)": [
        frame("HEADERS", 1, 0, block(GET)),
        *[frame("CONTINUATION", 1, 0, block([(b"x", b"y" * 100)]))] * 20000,
    ],
    "PING (CVE-2019-9512)": [ping()] * 50000,
    "SETTINGS (CVE-2019-9515)": [settings((3, 100))] * 50000,
    "empty frames (CVE-2019-9518)": [headers(1, POST), *[data(1)] * 50000],
    "WINDOW_UPDATE": [window_update(0, 1)] * 50000,
    "PRIORITY": [frame("PRIORITY", 1, 0, b"\0\0\0\0\xff")] * 50000,
    "PRIORITY_UPDATE": [frame(16, 0, 0, b"\0\0\0\1u=1")] * 50000,
    "unknown frames": [frame(0x42, 0, 0, b"")] * 50000,
    "tiny windows (CVE-2019-9511)": [
        settings((4, 1)),
        *[headers(s, BIG_GET, end=True) for s in range(1, 200, 2)],
        *[window_update(s, 1) for _ in range(200) for s in range(1, 200, 2)],
    ],
    "HPACK bombs": [
        frame("HEADERS", s, END_HEADERS | END_STREAM, _bomb()) for s in range(1, 200, 2)
    ],
    "more streams than allowed": [headers(s, POST) for s in STREAMS],
    "a response that is never read": [
        settings((4, 2**31 - 1)) + window_update(0, 2**31 - 1 - 65535),
        *[headers(s, BIG_GET, end=True) for s in range(1, 200, 2)],
    ],
    "a stream of bytes that are no HTTP": [os.urandom(65536)] * 20,
}


class Honest:
    """A client with one connection, one request after the other."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.sock: socket.socket | None = None
        self.received = b""
        self.stream = -1

    def close(self) -> None:
        if self.sock is not None:
            self.sock.close()

    def _connect(self) -> socket.socket:
        self.sock = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        self.sock.sendall(PREFACE + settings() + SETTINGS_ACK + window_update(0, 1 << 30))
        return self.sock

    def get(self) -> None:
        sock = self.sock or self._connect()
        self.stream += 2
        sock.sendall(headers(self.stream, GET, end=True))
        while not self._answered():
            more = sock.recv(65536)
            assert more, "the server hung up on an honest client"
            self.received += more

    def _answered(self) -> bool:
        found = False
        while len(self.received) >= 9:
            size = int.from_bytes(self.received[:3], "big")
            if len(self.received) < 9 + size:
                break
            kind, flags, stream = struct.unpack(">BBL", self.received[3:9])
            assert kind not in (3, 7), "an honest request was refused"
            found = found or (kind < 2 and bool(flags & ACK) and stream == self.stream)
            self.received = self.received[9 + size :]
        return found

    def rate(self, seconds: float) -> float:
        """Return how many answers a second come."""
        count = 0
        start = now = time.monotonic()
        while now - start < seconds:
            self.get()
            count += 1
            now = time.monotonic()
        return count / (now - start)


class Served:
    """`h123 serve` on a folder."""

    def __init__(self, program: Program) -> None:
        self.program = program
        match = re.search(r":(\d+)", program.read_line().removeprefix("http:"))
        assert match is not None
        self.port = int(match[1])

    def memory(self, name: str) -> int:
        """Return bytes: VmRSS is what it has now, VmHWM the most that it had."""
        status = Path(f"/proc/{self._python()}/status").read_text()
        return int(status.partition(f"{name}:")[2].split()[0]) * 1024

    def _python(self) -> int:
        return self.program.pid  # setpriv becomes what it starts


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    if not Path("/proc/self/status").exists():
        pytest.skip("memory is read from /proc")
    (tmp_path / "page.txt").write_text("0123456789")
    with open(tmp_path / "big.bin", "wb") as file:
        file.truncate(64 << 20)
    command = [sys.executable, "-m", "h123", "serve", str(tmp_path), "--bind", "none"]
    program = Program([*command, "--insecure-bind", "127.0.0.1:0", "-q"], stdout=PIPE, text=True)
    try:
        yield Served(program)
    finally:
        program.end()


@pytest.mark.timeout(int(SECONDS * 3 + 60))
@pytest.mark.parametrize("attack", ATTACKS)
def test_an_honest_client_is_served_during(
    attack: str, served: Served, start_program: Start, tmp_path: Path
) -> None:
    honest = Honest(served.port)
    honest.rate(0.2)
    usual = honest.rate(max(SECONDS / 4, 0.3))
    before = served.memory("VmRSS")
    wire = tmp_path / "attack"
    wire.write_bytes(PREFACE + settings() + SETTINGS_ACK + b"".join(ATTACKS[attack]))
    attacker = start_program(
        python_program(ATTACKER, str(served.port), str(wire), str(CONNECTIONS)),
        stdout=PIPE,
        text=True,
    )
    assert attacker.read_line() == "begun"
    attacked = honest.rate(SECONDS)
    grown = served.memory("VmHWM") - before
    assert attacker.is_running
    attacker.end()
    honest.close()
    assert grown < MEMORY, f"{grown >> 20} MiB more"
    assert served.program.is_running
    print(f"{attack}: {attacked:.0f} answers a second of {usual:.0f}, {grown >> 20} MiB more")
    assert attacked > 0
    if IS_LONG:
        assert attacked >= usual / 2, f"{attacked:.0f} answers a second of {usual:.0f}"
