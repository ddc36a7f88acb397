"""What the whole suite shares: certificates, a server beside the test, and other people's programs."""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

import pytest

from h123.network.certificates import LocalCertificate, local_certificate
from h123.server.server import Server

START_TIME = 20.0
"""Seconds that a server or a program may take to start, and to end."""


def missing(what: str) -> NoReturn:
    """Skip the test for want of a peer; where CI promises that all are there, fail."""
    reason = f"{what} is not installed"
    if os.environ.get("CI", "").lower() not in ("", "0", "false"):
        pytest.fail(f"{reason}, and CI is set")
    pytest.skip(reason)


def find_program(name: str) -> str:
    """Return the path of somebody else's program, or skip the test."""
    path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    return path or missing(name)


def find_module(name: str) -> ModuleType:
    """Return somebody else's library, or skip the test."""
    try:
        return importlib.import_module(name)
    except ImportError:
        missing(name)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> LocalCertificate:
    """A certificate for localhost, and the authority that issued it."""
    return local_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="session")
def ca_file(certificate: LocalCertificate) -> str:
    """The certificate to trust."""
    return certificate.authority_file


class _CountingServer(Server):
    """Notes every connection that it accepts."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self.accepted: list[str] = []
        super().__init__(*args, **options)

    def remember(self, channel: Any) -> None:
        self.accepted.append(channel.engine.http_version)
        super().remember(channel)


class _Errors(logging.Handler):
    """Keeps what one thread's server logs as an error."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []
        self.thread: int | None = None

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self.thread:
            self.lines.append(self.format(record))


class Serving:
    """A server in a thread of its own, on free ports. `accepted` has the version of each connection."""

    def __init__(self, handler: Any, **options: Any) -> None:
        self._server = _CountingServer(handler, **options)
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._stop = asyncio.Event()
        self._failure: BaseException | None = None
        self._errors = _Errors()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        logging.getLogger("h123.server").addHandler(self._errors)
        self._thread.start()
        assert self._started.wait(START_TIME), "the server did not start"
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        self._errors.thread = threading.get_ident()
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            try:
                runner.run(self._serve())
            except BaseException as error:
                self._failure = error
            finally:
                self._started.set()

    async def _serve(self) -> None:
        await self._server.start()
        self._started.set()
        await self._stop.wait()
        await self._server.stop(2.0)

    def stop(self) -> None:
        """Stop, and see that nothing went wrong inside."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(START_TIME)
        logging.getLogger("h123.server").removeHandler(self._errors)
        assert not self._thread.is_alive(), "the server did not stop"
        if self._failure is not None:
            raise self._failure
        assert self.errors == [], "the server logged errors"

    @property
    def errors(self) -> list[str]:
        """What the server has logged as errors. A test that provokes some clears it."""
        return self._errors.lines

    def call(self, function: Callable[..., object], *args: Any) -> None:
        """Call something in the server's loop: an `asyncio.Event`'s `set`."""
        self._loop.call_soon_threadsafe(function, *args)

    @property
    def accepted(self) -> list[str]:
        return self._server.accepted

    def url(self, scheme: str, path: str = "/") -> str:
        return next(url for url in self._server.urls if url.startswith(f"{scheme}:")) + path

    def https(self, path: str = "/") -> str:
        return self.url("https", path)

    def http(self, path: str = "/") -> str:
        return self.url("http", path)

    def port(self, scheme: str = "https") -> int:
        return int(self.url(scheme, "").rpartition(":")[2])


Serve = Callable[..., Serving]


@pytest.fixture(scope="module")
def serve(certificate: LocalCertificate) -> Iterator[Serve]:
    """Start servers: `serve(handler, ...)`. They listen with TLS and without, and stop with the module."""
    started: list[Serving] = []

    def begin(handler: Any, **options: Any) -> Serving:
        given: dict[str, Any] = {
            "bind": "localhost:0",
            "insecure_bind": "localhost:0",
            "cert": certificate.chain_file,
            "key": certificate.key_file,
        }
        serving = Serving(handler, **(given | options))
        serving.start()
        started.append(serving)
        return serving

    yield begin
    for serving in started:
        serving.stop()


class Program:
    """A process beside the test that is surely gone at the end of it, even if the tests are killed."""

    def __init__(self, command: list[str], **options: Any) -> None:
        self.command = command
        follower = shutil.which("setpriv")  # of util-linux: ends a program when its parent dies
        prefix = [follower, "--pdeathsig", "TERM", "--"] if follower else []
        self.process = subprocess.Popen([*prefix, *command], start_new_session=True, **options)

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None

    def read_line(self) -> str:
        """Return the next line of its output."""
        assert self.process.stdout is not None
        lines: list[str] = []
        reader = threading.Thread(
            target=lambda: lines.append(self.process.stdout.readline()),  # type: ignore[union-attr]  # looked at above
            daemon=True,
        )
        reader.start()
        reader.join(START_TIME)
        assert lines, f"{self.command[0]} said nothing"
        assert lines[0], f"{self.command[0]} ended with {self.process.wait(START_TIME)}"
        return lines[0].rstrip("\n")

    def end(self) -> int:
        """Ask it to end, insist if it does not, and return its exit code."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(START_TIME)
        except subprocess.TimeoutExpired:
            pass
        finally:
            self._kill_all()
        if self.process.stdout is not None:
            self.process.stdout.close()
        return self.process.returncode

    def _kill_all(self) -> None:
        """Kill what is left of its session: children of its own among them."""
        try:
            os.killpg(self.process.pid, 9)
        except ProcessLookupError:
            pass
        self.process.wait(START_TIME)


Start = Callable[..., Program]


@pytest.fixture
def start_program() -> Iterator[Start]:
    """Start processes that end with the test."""
    programs: list[Program] = []

    def start(command: list[str], **options: Any) -> Program:
        programs.append(Program(command, **options))
        return programs[-1]

    yield start
    for program in programs:
        program.end()


def run_program(
    command: list[str], *, timeout: float = 60.0, check: bool = True, **options: Any
) -> subprocess.CompletedProcess[bytes]:
    """Run a program to its end and return what it wrote. It fails the test if it fails."""
    done = subprocess.run(command, capture_output=True, timeout=timeout, **options)
    if check:
        assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stderr.decode()}"
    return done


def python_program(path: Path, *arguments: str) -> list[str]:
    """Return the command that runs a program of the tests with this Python."""
    return [sys.executable, str(path), *arguments]
