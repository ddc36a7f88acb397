"""Running the command: inside the test's process where that will do, as a process of its own where not."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from click.testing import CliRunner, Result

from h123 import Request, Response
from h123.cli.main import h123 as command

TIME = 30.0
"""Seconds that anything may take."""


class Outcome:
    """What a command wrote and how it ended."""

    def __init__(self, code: int, stdout: bytes, stderr: str) -> None:
        self.code = code
        self.stdout = stdout
        self.stderr = stderr

    @property
    def text(self) -> str:
        return self.stdout.decode("utf-8")

    @property
    def json(self) -> Any:
        return json.loads(self.stdout)

    def succeeded(self) -> Outcome:
        """Fail the test unless the command succeeded without a word on stderr."""
        assert (self.code, self.stderr) == (0, "")
        return self


def fetch(*arguments: object) -> Outcome:
    """Run `h123 fetch` in this process."""
    result: Result = CliRunner().invoke(command, ["fetch", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Outcome(result.exit_code, result.stdout_bytes, result.stderr)


def program(*arguments: object) -> list[str]:
    """Return the command line of `h123` with this Python."""
    return [sys.executable, "-m", "h123", *map(str, arguments)]


def run(*arguments: object, **options: Any) -> Outcome:
    """Run `h123` as a process of its own."""
    done = subprocess.run(program(*arguments), capture_output=True, timeout=TIME, **options)
    return Outcome(done.returncode, done.stdout, done.stderr.decode())


async def echo(request: Request) -> Response:
    """Answer with the request as JSON; a query names what else to do: `?status=`, `?to=`."""
    asked = request.url.params
    if "to" in asked:
        status = int(asked.get("status", "302"))
        return Response(status, headers={"Location": asked["to"]}, text="over there\n")
    content = await request.aread()
    body = {
        "method": request.method,
        "target": request.target.decode("ascii"),
        "version": request.http_version,
        "headers": [[name.lower(), value] for name, value in request.headers.multi_items()],
        "content": content.decode("latin-1"),
    }
    headers = {"Set-Cookie": "flavour=oat", "X-Twice": "a"}
    return Response(int(asked.get("status", "200")), headers=headers, json=body)


class RawServer:
    """A TCP server of a few lines: it runs `script(connection)` for each connection, then closes it."""

    def __init__(self, script: Callable[[socket.socket], object]) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(TIME)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/"
        self._script = script
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(TIME)
                try:
                    self._script(connection)
                except OSError:
                    pass

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(TIME)


@pytest.fixture
def raw_server() -> Iterator[Callable[[Callable[[socket.socket], object]], RawServer]]:
    """Start servers that need not keep to any rules."""
    servers: list[RawServer] = []

    def start(script: Callable[[socket.socket], object]) -> RawServer:
        servers.append(RawServer(script))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def read_head(connection: socket.socket) -> bytes:
    """Read a request's head, and what came with it."""
    data = b""
    while b"\r\n\r\n" not in data and (more := connection.recv(65536)):
        data += more
    return data


def answering(answer: bytes) -> Callable[[socket.socket], None]:
    """Return a script that reads a request's head and sends these bytes."""

    def script(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(answer)

    return script


@pytest.fixture
def unused_port() -> int:
    """A port of 127.0.0.1 at which nobody listens, held by a socket that does not either."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
    return port


@pytest.fixture(autouse=True)
def own_data_folder(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keep authorities that commands make away from the user's."""
    base = os.environ.get("PYTEST_XDIST_WORKER", "main")
    folder = tmp_path_factory.getbasetemp() / f"data-{base}"
    monkeypatch.setenv("XDG_DATA_HOME", str(folder))
