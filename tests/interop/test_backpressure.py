"""A reader that stops reading stops the sender, and the sender goes on when the reader does.

On every version, on both sides, with both clients. That bytes stand still is seen by watching them for a
while: the one place where these tests wait for nothing to happen.
"""

from __future__ import annotations

import asyncio
import hashlib
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
from tests.conftest import Serve, Serving

from h123.client.async_client import AsyncClient
from h123.client.sync_client import Client
from h123.message import Request, Response

pytestmark = pytest.mark.slow

PART = b"0123456789abcdef" * 4096
PARTS = {"1.1": 768, "2": 768, "3": 128}
"""How many make the whole: much more than can be on its way, which is the kernel's buffers for TCP."""

versions = pytest.mark.parametrize("version", ["1.1", "2", "3"])


class Sender:
    """Content that counts what was taken of it."""

    def __init__(self, version: str) -> None:
        self.parts = PARTS[version]
        self.whole = self.parts * len(PART)
        self.sent = 0

    def __iter__(self) -> Iterator[bytes]:
        for _ in range(self.parts):
            self.sent += len(PART)
            yield PART

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self:
            yield part

    def wait_until_it_stands_still(self) -> int:
        """Return what was sent when nothing has been for half a second."""
        end = time.monotonic() + 30
        seen, since = -1, 0.0
        while time.monotonic() < end:
            now = time.monotonic()
            if self.sent != seen:
                seen, since = self.sent, now
            elif seen > 0 and now - since > 0.5:
                return seen
            threading.Event().wait(0.02)
        raise AssertionError("the sender does not stop")


class Reluctant:
    """A handler that sends, or reads when it is told to."""

    def __init__(self, version: str) -> None:
        self.sender = Sender(version)
        self.may_read = asyncio.Event()

    async def __call__(self, request: Request) -> Response:
        if request.method == "GET":
            return Response(200, content=aiter(self.sender))
        await self.may_read.wait()
        digest = hashlib.sha256()
        async for part in request.aiter_bytes():
            digest.update(part)
        return Response(200, text=digest.hexdigest())


@pytest.fixture
def handler(version: str) -> Reluctant:
    return Reluctant(version)


@pytest.fixture
def serving(serve: Serve, handler: Reluctant) -> Serving:
    return serve(handler)


def expected(version: str) -> str:
    return hashlib.sha256(PART * PARTS[version]).hexdigest()


def check_stopped(sender: Sender) -> None:
    assert sender.wait_until_it_stands_still() < sender.whole // 2


@versions
def test_a_sync_client_that_does_not_read_stops_the_server(
    serving: Serving, handler: Reluctant, ca_file: str, version: str
) -> None:
    digest = hashlib.sha256()
    with (
        Client(verify=ca_file) as client,
        client.stream("GET", serving.https(), http_version=version) as response,
    ):
        parts = response.iter_bytes()
        digest.update(next(parts))
        check_stopped(handler.sender)
        for part in parts:
            digest.update(part)
    assert (handler.sender.sent, digest.hexdigest()) == (handler.sender.whole, expected(version))


@versions
def test_an_async_client_that_does_not_read_stops_the_server(
    serving: Serving, handler: Reluctant, ca_file: str, version: str
) -> None:
    """The client's event loop goes on meanwhile: it must leave the bytes where they are."""

    async def visit() -> str:
        digest = hashlib.sha256()
        async with (
            AsyncClient(verify=ca_file) as client,
            client.stream("GET", serving.https(), http_version=version) as response,
        ):
            parts = response.aiter_bytes()
            digest.update(await anext(parts))
            await asyncio.to_thread(check_stopped, handler.sender)
            async for part in parts:
                digest.update(part)
        return digest.hexdigest()

    assert asyncio.run(visit()) == expected(version)
    assert handler.sender.sent == handler.sender.whole


@versions
def test_a_handler_that_does_not_read_stops_a_sync_client(
    serving: Serving, handler: Reluctant, ca_file: str, version: str
) -> None:
    sender = Sender(version)
    answers: list[str] = []
    with Client(verify=ca_file) as client:

        def send() -> None:
            response = client.put(serving.https(), content=iter(sender), http_version=version)
            answers.append(response.text)

        thread = threading.Thread(target=send, daemon=True)
        thread.start()
        check_stopped(sender)
        serving.call(handler.may_read.set)
        thread.join(60)
        assert not thread.is_alive()
    assert (sender.sent, answers) == (handler.sender.whole, [expected(version)])


@versions
@pytest.mark.parametrize("kind", [iter, aiter], ids=["iterator", "async-iterator"])
def test_a_handler_that_does_not_read_stops_an_async_client(
    serving: Serving,
    handler: Reluctant,
    ca_file: str,
    version: str,
    kind: Callable[[Sender], object],
) -> None:
    sender = Sender(version)

    async def visit() -> str:
        async with AsyncClient(verify=ca_file) as client:
            put = client.put(serving.https(), content=kind(sender), http_version=version)
            sending = asyncio.create_task(put)
            await asyncio.to_thread(check_stopped, sender)
            serving.call(handler.may_read.set)
            return (await sending).text

    assert asyncio.run(visit()) == expected(version)
    assert sender.sent == sender.whole


@pytest.mark.parametrize("version", ["2", "3"])
def test_a_stream_that_is_not_read_does_not_stop_its_siblings(
    serving: Serving, handler: Reluctant, ca_file: str, version: str
) -> None:
    with (
        Client(verify=ca_file) as client,
        client.stream("GET", serving.https("/first"), http_version=version) as unread,
    ):
        handler.sender.wait_until_it_stands_still()
        handler.sender = Sender(version)
        sibling = client.get(serving.https("/second"), http_version=version)
        assert hashlib.sha256(sibling.content).hexdigest() == expected(version)
        assert len(unread.read()) == handler.sender.whole
    assert len(serving.accepted) == 1
