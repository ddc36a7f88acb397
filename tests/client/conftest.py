"""Clients of both kinds, servers that misbehave, and an eye on what is left open."""

from __future__ import annotations

import asyncio
import gc
import itertools
import os
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Any

import pytest

from h123 import AsyncClient, Client, Response
from h123.network.certificates import LocalCertificate

WAIT = 20.0
"""Seconds after which a test gives up on what should come at once."""


class FakeServer:
    """A listening socket; `script(connection)` is run in a thread for each connection."""

    def __init__(self, script: Callable[[Any], None], context: ssl.SSLContext | None) -> None:
        self.script = script
        self.context = context
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.accepted = 0
        self.errors: list[BaseException] = []
        self.threads: list[threading.Thread] = []
        self._connections: list[socket.socket] = []
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.accepted += 1
            self._connections.append(connection)
            thread = threading.Thread(target=self._run, args=(connection,), daemon=True)
            self.threads.append(thread)
            thread.start()

    def _run(self, connection: socket.socket) -> None:
        connection.settimeout(WAIT)
        try:
            with connection:
                if self.context is None:
                    self.script(connection)
                else:
                    with self.context.wrap_socket(connection, server_side=True) as tls:
                        self.script(tls)
        except OSError:
            pass  # the client has left, as it may
        except BaseException as error:
            self.errors.append(error)

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    @property
    def https(self) -> str:
        return f"https://localhost:{self.port}/"

    def stop(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self._acceptor.join(WAIT)
        for connection in self._connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        for thread in self.threads:
            thread.join(WAIT)
            assert not thread.is_alive(), "a script did not end"
        assert not self.errors, self.errors


def read_head(connection: Any) -> bytes:
    """Read a request's head."""
    data = b""
    while b"\r\n\r\n" not in data:
        received = connection.recv(65536)
        if not received:
            raise ConnectionResetError("no request came")
        data += received
    return data


def wait_for_end(connection: Any) -> None:
    """Read until the client closes."""
    while connection.recv(65536):
        pass


class Scripts:
    """What scripts of fake servers use: a conftest module can not be imported."""

    read_head = staticmethod(read_head)
    wait_for_end = staticmethod(wait_for_end)


@pytest.fixture
def scripts() -> type[Scripts]:
    return Scripts


@pytest.fixture(scope="session")
def server_context(certificate: LocalCertificate) -> Callable[..., ssl.SSLContext]:
    """Make a server's TLS context for localhost."""

    def make(*alpn: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.chain_file, certificate.key_file)
        if alpn:
            context.set_alpn_protocols(list(alpn))
        return context

    return make


FakeServe = Callable[..., FakeServer]


@pytest.fixture
def fake_server() -> Iterator[FakeServe]:
    """Start servers that do what a script says: `fake_server(script, context=None)`."""
    servers: list[FakeServer] = []

    def start(script: Callable[[Any], None], context: ssl.SSLContext | None = None) -> FakeServer:
        servers.append(FakeServer(script, context))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


class Caller:
    """Makes one call with a client of its own, sync or async, and sees that nothing is left of it."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __repr__(self) -> str:
        return self.kind

    def __call__(
        self,
        method: str,
        url: str,
        client: dict[str, Any] | None = None,
        **options: Any,
    ) -> Response:
        if self.kind == "sync":
            with Client(**(client or {})) as sync_client:
                try:
                    return sync_client.request(method, url, **options)
                finally:
                    self._check(sync_client)
        return asyncio.run(self._acall(method, url, client or {}, options))

    async def _acall(
        self, method: str, url: str, client: dict[str, Any], options: dict[str, Any]
    ) -> Response:
        async with AsyncClient(**client) as async_client:
            try:
                return await async_client.request(method, url, **options)
            finally:
                self._check(async_client)

    @staticmethod
    def _check(client: Client | AsyncClient) -> None:
        pool = client._core.transport.pool
        assert pool.count == len(pool.channels) == len(pool.idle)
        assert not any(channel.exchanges for channel in pool.channels)


@pytest.fixture(params=["sync", "async"])
def call(request: pytest.FixtureRequest) -> Caller:
    """Both clients in turn."""
    return Caller(request.param)


class Face:
    """A client of either kind that lives as long as the test, with the same methods for both."""

    def __init__(self, kind: str, **options: Any) -> None:
        self.kind = kind
        self._runner = asyncio.Runner() if kind == "async" else None
        self.client: Any = AsyncClient(**options) if kind == "async" else Client(**options)

    def run(self, result: Any) -> Any:
        """Return a result, of a coroutine if it is one."""
        return result if self._runner is None else self._runner.run(result)

    def request(self, method: str, url: str, **options: Any) -> Any:
        """Make a call; with `stream=True` the response's content is unread."""
        return self.run(self.client.request(method, url, **options))

    def take(self, response: Any, number: int) -> list[bytes]:
        """Return the next so many parts of a streamed response."""
        if self._runner is None:
            return list(itertools.islice(response.stream, number))

        async def take() -> list[bytes]:
            parts = []
            if number:
                async for part in response.stream:
                    parts.append(part)
                    if len(parts) == number:
                        break
            return parts

        return self._runner.run(take())

    def read(self, response: Any) -> bytes:
        """Read the rest of a streamed response."""
        content: bytes = self.run(response.read() if self._runner is None else response.aread())
        return content

    def leave(self, response: Any) -> None:
        """Close a response."""
        self.run(response.close() if self._runner is None else response.aclose())

    @property
    def pool(self) -> Any:
        return self.client._core.transport.pool

    def content(self, parts: Iterable[bytes], *, pause: bool = False) -> Any:
        """Give parts as an iterator of this client's kind."""
        if self._runner is None:
            return iter(parts)

        async def give() -> AsyncIterator[bytes]:
            for part in parts:
                if pause:
                    await asyncio.sleep(0)
                yield part

        return give()

    def close(self) -> None:
        if self._runner is None:
            self.client.close()
        else:
            self._runner.run(self.client.aclose())
            self._runner.close()


MakeFace = Callable[..., Face]


@pytest.fixture(params=["sync", "async"])
def face(request: pytest.FixtureRequest) -> Iterator[MakeFace]:
    """Make clients of both kinds in turn: `face(verify=...)`."""
    faces: list[Face] = []

    def make(**options: Any) -> Face:
        faces.append(Face(request.param, **options))
        return faces[-1]

    yield make
    for each in faces:
        pool = each.pool
        assert pool.count == len(pool.channels) == len(pool.idle)
        each.close()
        assert pool.count == 0


@pytest.fixture(params=["1.1", "2", "3"])
def version(request: pytest.FixtureRequest) -> str:
    """Every version of HTTP in turn."""
    return str(request.param)


def _open_files() -> set[tuple[str, str]]:
    found = set()
    for number in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{number}")
        except OSError:
            continue
        if target.startswith(("socket:", "anon_inode:[event")):
            found.add((number, target))
    return found


@pytest.fixture
def no_leaks() -> Iterator[None]:
    """See that no socket, eventfd or epoll is open after the test that was not before.

    To be asked for before the servers of the test, so that it looks after they have gone.
    """
    before = _open_files()
    yield
    gc.collect()
    left = _open_files() - before
    assert not left, f"left open: {left}"
