"""A server and raw connections to it, in one event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

from h123.message import Request, Response
from h123.network.certificates import LocalCertificate
from h123.server.limits import ServerLimits
from h123.server.server import Server

TIME = 20.0
"""Seconds after which a test that waits has failed."""


class Peer:
    """One raw connection to a server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await asyncio.wait_for(self.writer.drain(), TIME)

    async def receive(self, until: bytes) -> bytes:
        return await asyncio.wait_for(self.reader.readuntil(until), TIME)

    async def exactly(self, size: int) -> bytes:
        return await asyncio.wait_for(self.reader.readexactly(size), TIME)

    async def rest(self) -> bytes:
        """Return all that comes until the server ends the connection."""
        return await asyncio.wait_for(self.reader.read(), TIME)


Connect = Callable[[Server], Any]


@asynccontextmanager
async def _connect(server: Server) -> AsyncIterator[Peer]:
    url = next(url for url in server.urls if url.startswith("http:"))
    host, _, port = url.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield Peer(reader, writer)
    finally:
        writer.close()


@pytest.fixture
def connect() -> Connect:
    """Return how to connect to a server's cleartext port: `async with connect(server) as peer`."""
    return _connect


@pytest.fixture
def make_server() -> Callable[..., Server]:
    """Return what makes a cleartext server with a handler and some limits changed."""

    def make(
        handler: Callable[[Request], Awaitable[Response]], *, insecure: bool = True, **limits: Any
    ) -> Server:
        return Server(
            handler,
            bind=None,
            insecure_bind="127.0.0.1:0" if insecure else None,
            limits=ServerLimits(**limits),
        )

    return make


@pytest.fixture
def run() -> Callable[[Coroutine[Any, Any, None]], None]:
    """Return what runs a test's coroutine, bounded in time."""

    def run(coroutine: Coroutine[Any, Any, None]) -> None:
        asyncio.run(asyncio.wait_for(coroutine, TIME * 2))

    return run


@pytest.fixture
def serving(certificate: LocalCertificate) -> Callable[..., Server]:
    """Return what makes a server of all versions with a handler and some limits changed."""

    def make(handler: Any, **limits: Any) -> Server:
        return Server(
            handler,
            bind="127.0.0.1:0",
            insecure_bind="127.0.0.1:0",
            cert=certificate.chain_file,
            key=certificate.key_file,
            limits=ServerLimits(**{"linger_timeout": 0.3, **limits}),
        )

    return make
