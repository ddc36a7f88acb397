"""A folder to serve, and a way to ask for what is in it as a server's driver would."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from h123.message.body import AsyncByteStream, ByteStream
from h123.message.request import Request
from h123.message.response import Response
from h123.server.files import Files

OLD = 1_700_000_000
"""Tue, 14 Nov 2023 22:13:20 GMT: when the files here changed last."""


class Answer:
    """A response, read to its end and closed."""

    def __init__(self, response: Response, content: bytes) -> None:
        self.status = response.status_code
        self.headers = response.headers
        self.content = content


async def answer_to(
    files: Files, target: str | bytes, method: str = "GET", **headers: str
) -> Answer:
    """Ask, read everything, close. Header names are written with underscores."""
    request = Request.received(
        method.encode(),
        b"https",
        b"example.org",
        target.encode() if isinstance(target, str) else target,
        [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
        ByteStream(),
    )
    response = await files(request)
    stream = response.stream
    assert isinstance(stream, AsyncByteStream)
    try:
        content = b"".join([piece async for piece in stream])
    finally:
        await stream.aclose()
    length = response.headers.get("content-length")
    if length is not None and method != "HEAD" and response.status_code != 304:
        assert len(content) == int(length), "Content-Length is always right"
    return Answer(response, content)


Ask = Callable[..., Answer]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The folder that is served; beside it lies `secret.txt`, which is not."""
    (tmp_path / "secret.txt").write_text("secret")
    root = tmp_path / "site"
    root.mkdir()
    return root


@pytest.fixture
def put(root: Path) -> Callable[..., Path]:
    """Write a file that changed long ago."""

    def write(name: str | bytes, content: bytes = b"hello", *, at: float = OLD) -> Path:
        path = Path(os.fsdecode(os.path.join(os.fsencode(root), os.fsencode(name))))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, (at, at))
        return path

    return write


@pytest.fixture
def files(root: Path) -> Files:
    return Files(root)


@pytest.fixture
def ask(files: Files) -> Ask:
    def ask(target: str | bytes, method: str = "GET", **headers: str) -> Answer:
        return asyncio.run(answer_to(files, target, method, **headers))

    return ask


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let files count as settled at once: their ctime is that of the test's run."""
    monkeypatch.setattr("h123.server.files.conditional.SETTLING_TIME", 0)


@pytest.fixture(autouse=True)
def every_descriptor_is_closed() -> Iterator[None]:
    before = open_descriptors()
    yield
    assert open_descriptors() <= before


def open_descriptors() -> set[tuple[str, str]]:
    found = set()
    for number in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{number}")
        except FileNotFoundError:  # the one that lists
            continue
        if target.startswith("/") and "pytest" in target:
            found.add((number, target))
    return found
