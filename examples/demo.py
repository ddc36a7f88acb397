"""Serve a folder and fetch from it over HTTP/1.1, HTTP/2 and HTTP/3, sync and async: `make demo`.

It starts `h123 serve`, reads from its output where it listens, and asks for the same page six times, each
time over a connection of its own whose certificate is verified. It prints a table and exits 0; if anything
fails it says what, and exits 1. Nothing is left behind.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

import h123

SITE = Path(__file__).parent / "site"
VERSIONS = ("1.1", "2", "3")
START_TIME = 30.0
"""Seconds in which the server has to listen."""
STOP_TIME = 15.0
"""Seconds in which it has to be gone, once told to stop."""
FETCH_TIMEOUT = h123.Timeout(10, total=20)


class DemoFailed(Exception):
    """What did not work, in words."""


class Row:
    """One fetch: what came and how long it took, in milliseconds."""

    def __init__(
        self, version: str, client: str, response: h123.Response, first: float, total: float
    ) -> None:
        self.version = version
        self.client = client
        self.response = response
        connecting: float = response.extensions["connection"].connect_seconds
        self.milliseconds = [1000 * seconds for seconds in (connecting, first, total)]

    def check(self, expected: bytes) -> None:
        """Raise `DemoFailed` unless this is the page, over the version that was asked for."""
        what = f"HTTP/{self.version} with the {self.client} client"
        if self.response.status_code != 200:
            raise DemoFailed(f"{what} got the status {self.response.status_code}")
        if self.response.http_version != f"HTTP/{self.version}":
            raise DemoFailed(f"{what} was answered over {self.response.http_version}")
        if self.response.content != expected:
            raise DemoFailed(f"{what} got other bytes than the file has")

    def __str__(self) -> str:
        response = self.response
        size = len(response.content)
        times = "".join(f"{amount:>14.1f}" for amount in self.milliseconds)
        return (
            f"{response.http_version:<10}{self.client:<8}{response.status_code:>6}{size:>8}{times}"
        )


HEADINGS = f"{'version':<10}{'client':<8}{'status':>6}{'bytes':>8}{'connect ms':>14}{'first byte ms':>14}{'total ms':>14}"


def fetch(url: str, authority: str, version: str) -> Row:
    """Fetch with the sync client."""
    with h123.Client(verify=authority, timeout=FETCH_TIMEOUT) as client:
        begin = perf_counter()
        with client.stream("GET", url, http_version=version) as response:
            first = perf_counter() - begin
            response.read()
        return Row(version, "sync", response, first, perf_counter() - begin)


async def afetch(url: str, authority: str, version: str) -> Row:
    """Fetch with the async client."""
    async with h123.AsyncClient(verify=authority, timeout=FETCH_TIMEOUT) as client:
        begin = perf_counter()
        async with client.stream("GET", url, http_version=version) as response:
            first = perf_counter() - begin
            await response.aread()
        return Row(version, "async", response, first, perf_counter() - begin)


@contextmanager
def server(folder: str) -> Iterator[tuple[str, str]]:
    """Run `h123 serve` on a free port; give its URL and the file of the authority to trust.

    Raises `DemoFailed` if it does not start, or does not stop with exit code 0.
    """
    authority = os.path.join(folder, "authority.pem")
    command = [sys.executable, "-m", "h123", "serve", str(SITE), "--bind", "localhost:0"]
    errors = open(os.path.join(folder, "stderr"), "w+")  # noqa: SIM115  # closed below
    process = subprocess.Popen(
        [*command, "--ca-out", authority, "--quiet"],
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
        env={**os.environ, "XDG_DATA_HOME": folder},  # an authority for this demo alone
    )
    assert process.stdout is not None
    watchdog = threading.Timer(START_TIME, process.kill)
    watchdog.start()
    try:
        url = process.stdout.readline().strip()
        watchdog.cancel()
        if not url.startswith("https://"):
            process.kill()
            process.wait()
            errors.seek(0)
            raise DemoFailed(f"`h123 serve` did not start: {errors.read().strip() or 'no output'}")
        yield url, authority
        process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(STOP_TIME)
        except subprocess.TimeoutExpired:
            raise DemoFailed("`h123 serve` did not stop when told to") from None
        if code != 0:
            errors.seek(0)
            raise DemoFailed(f"`h123 serve` ended with exit code {code}: {errors.read().strip()}")
    finally:
        watchdog.cancel()
        process.kill()
        process.wait()
        process.stdout.close()
        errors.close()


def demo() -> None:
    """Run it. Raises `DemoFailed`, and whatever the clients raise."""
    expected = (SITE / "index.html").read_bytes()
    with tempfile.TemporaryDirectory(prefix="h123-demo-") as folder, server(folder) as place:
        url, authority = place
        print(f"h123 serve examples/site: {url}\n\n{HEADINGS}")
        for version in VERSIONS:
            try:
                fetch(
                    f"{url}/", authority, version
                )  # what a version needs is imported on first use
            except (h123.HTTPError, OSError, ValueError):
                pass  # told below
            for client in ("sync", "async"):
                try:
                    if client == "sync":
                        row = fetch(f"{url}/", authority, version)
                    else:
                        row = asyncio.run(afetch(f"{url}/", authority, version))
                except (h123.HTTPError, OSError, ValueError) as error:
                    what = f"HTTP/{version} with the {client} client failed"
                    raise DemoFailed(f"{what}: {error or type(error).__name__}") from error
                row.check(expected)
                print(row, flush=True)


def main() -> int:
    """Run the demo and return the exit code."""
    try:
        demo()
    except (DemoFailed, OSError) as error:
        print(f"The demo failed: {error}", file=sys.stderr)
        return 1
    print("\nAll certificates verified, all bytes as in the file, and the server has stopped.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
