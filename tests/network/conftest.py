"""Backends that tests run on, certificates, and peers that run beside a test in a thread."""

from __future__ import annotations

import asyncio
import importlib.util
import socket
import ssl
import threading
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
import trustme

from h123.network.asyncio import AsyncioBackend
from h123.network.backend import Backend
from h123.network.blocking import BlockingBackend, run
from h123.network.stream import SocketStream

T = TypeVar("T")
Body = Callable[[Any], Coroutine[Any, Any, T]]


class World:
    """One backend with its way to run coroutines."""

    def __init__(self, name: str) -> None:
        self.name = name

    def run(self, body: Body[T]) -> T:
        """Run `body(backend)` to its end on a new backend."""
        if self.name == "blocking":
            return run(body(BlockingBackend()))
        backend = AsyncioBackend()
        if self.name == "asyncio":
            return asyncio.run(body(backend))
        uvloop = pytest.importorskip("uvloop")
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(body(backend))


HAS_UVLOOP = importlib.util.find_spec("uvloop") is not None
LOOPS = [
    "asyncio",
    pytest.param(
        "uvloop", marks=pytest.mark.skipif(not HAS_UVLOOP, reason="uvloop is not installed")
    ),
]


@pytest.fixture(params=["blocking", *LOOPS])
def world(request: pytest.FixtureRequest) -> World:
    """Every backend in turn."""
    return World(request.param)


@pytest.fixture(params=LOOPS)
def loop_world(request: pytest.FixtureRequest) -> World:
    """Every backend with an event loop in turn."""
    return World(request.param)


class Beside:
    """Runs functions in threads and hands on what they raise, at the end of the test at the latest."""

    def __init__(self) -> None:
        self._threads: list[threading.Thread] = []
        self._errors: list[BaseException] = []

    def __call__(self, function: Callable[..., Any], *args: Any) -> None:
        def body() -> None:
            try:
                function(*args)
            except BaseException as error:
                self._errors.append(error)

        thread = threading.Thread(target=body, daemon=True)
        self._threads.append(thread)
        thread.start()

    def join(self) -> None:
        """Wait for all of them."""
        for thread in self._threads:
            thread.join(20)
            assert not thread.is_alive(), "a peer did not end"
        if self._errors:
            raise self._errors[0]


@pytest.fixture
def beside() -> Iterator[Beside]:
    """A way to run peers in threads."""
    runner = Beside()
    yield runner
    runner.join()


@pytest.fixture
def tcp_pair() -> Iterator[tuple[SocketStream, socket.socket]]:
    """A stream and the plain blocking socket at its other end, over loopback TCP."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        peer, _ = listener.accept()
    peer.settimeout(10)
    stream = SocketStream(client)
    yield stream, peer
    stream.close()
    peer.close()


class Files:
    """Certificates in files, of an authority made for this run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = trustme.CA()
        self.ca = str(folder / "ca.pem")
        self.authority.cert_pem.write_to_path(self.ca)
        leaf = self.authority.issue_cert("localhost", "127.0.0.1", "::1", "example.test")
        self.chain, self.key = str(folder / "chain.pem"), str(folder / "key.pem")
        leaf.cert_chain_pems[0].write_to_path(self.chain)
        leaf.private_key_pem.write_to_path(self.key)
        self.both = str(folder / "both.pem")
        leaf.private_key_and_cert_chain_pem.write_to_path(self.both)
        other = trustme.CA()
        self.other_ca = str(folder / "other-ca.pem")
        other.cert_pem.write_to_path(self.other_ca)
        self.other_key = str(folder / "other-key.pem")
        other.issue_cert("localhost").private_key_pem.write_to_path(self.other_key)

    def server(self) -> ssl.SSLContext:
        """Return a server's context of the standard library, made afresh."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.chain, self.key)
        return context

    def client(self) -> ssl.SSLContext:
        """Return a client's context of the standard library, made afresh."""
        return ssl.create_default_context(cafile=self.ca)


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Certificates for localhost, 127.0.0.1, ::1 and example.test."""
    return Files(tmp_path_factory.mktemp("certificates"))


async def read_some(backend: Backend, stream: Any, timeout: float = 10) -> bytes:
    """Wait until the stream gives something."""
    poller = backend.poller(stream.sock)
    try:
        while (data := stream.read()) is None:
            if stream.unsent:
                stream.flush()
            assert await poller.wait(True, stream.unsent > 0, timeout), "nothing came"
        return bytes(data)
    finally:
        poller.close()


async def read_all(backend: Backend, stream: Any) -> bytes:
    """Read to the end."""
    parts = []
    while data := await read_some(backend, stream):
        parts.append(data)
    return b"".join(parts)


async def send_all(backend: Backend, stream: Any, data: bytes) -> None:
    """Write and wait until nothing is unsent."""
    if data:
        stream.write(data)
    poller = backend.poller(stream.sock)
    try:
        while stream.unsent:
            assert await poller.wait(False, True, 10), "the peer takes nothing"
            stream.flush()
    finally:
        poller.close()


class Helpers:
    """What tests do with streams."""

    read_some = staticmethod(read_some)
    read_all = staticmethod(read_all)
    send_all = staticmethod(send_all)


@pytest.fixture
def helpers() -> type[Helpers]:
    """Helpers: a conftest module can not be imported."""
    return Helpers
