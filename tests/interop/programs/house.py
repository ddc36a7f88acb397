"""A small server to talk to: what every client of these tests asks for.

Run as a program it serves a folder and the paths below on free ports, prints its addresses (TLS, then
cleartext) and stops at SIGTERM.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import signal
import sys
from collections.abc import AsyncIterator
from typing import Any

from h123.message import Request, Response
from h123.message.body import AsyncByteStream
from h123.server.files import Files
from h123.server.server import Server


class WithTrailers(AsyncByteStream):
    """Content in two parts, and a field after it."""

    def __init__(self) -> None:
        self.trailers: list[tuple[bytes, bytes]] = []

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b"first,"
        yield b"second"
        self.trailers = [(b"x-checksum", b"abc")]


class House:
    """The handler. Attributes count what is going on."""

    def __init__(self, folder: str | None = None) -> None:
        self.files = None if folder is None else Files(folder)
        self.versions: list[tuple[str, str]] = []
        self.active = 0
        self.most_active = 0
        self.connections: list[str] = []

    async def __call__(self, request: Request) -> Response:
        path = request.url.path
        self.versions.append((path, request.http_version))
        self.active += 1
        self.most_active = max(self.most_active, self.active)
        try:
            part = path.split("/")[1]
            answer = getattr(self, f"answer_{part}", None)
            if answer is not None:
                response: Response = await answer(request, path)
                return response
            if self.files is not None:
                return await self.files(request)
            return Response(404)
        finally:
            self.active -= 1

    def versions_of(self, path: str) -> list[str]:
        """Return the version of each request for a path."""
        return [version for asked, version in self.versions if asked == path]

    async def answer_echo(self, request: Request, path: str) -> Response:
        """Tell what was asked, in as many bytes as the query says at least."""
        await request.aread()
        answer = {
            "method": request.method,
            "target": request.target.decode(),
            "version": request.http_version,
            "headers": [
                (name.decode("latin-1"), value.decode("latin-1"))
                for name, value in request.headers.raw
            ],
            "content": request.content.decode("latin-1"),
            "padding": "x" * int(request.url.params.get("size", "0")),
        }
        return Response(200, json=answer)

    async def answer_upload(self, request: Request, path: str) -> Response:
        """Tell what came, without keeping it."""
        digest = hashlib.sha256()
        length = 0
        async for part in request.aiter_bytes():
            digest.update(part)
            length += len(part)
        trailers = [(name.decode(), value.decode()) for name, value in request.trailers.raw]
        answer = {"length": length, "sha256": digest.hexdigest(), "trailers": trailers}
        return Response(200, json=answer | {"version": request.http_version})

    async def answer_slow(self, request: Request, path: str) -> Response:
        """Take a moment, so that requests pile up."""
        await asyncio.sleep(0.05)
        return Response(200, text=path)

    async def answer_redirect(self, request: Request, path: str) -> Response:
        """Send elsewhere, so many times; `/redirect/2/307` says with which status."""
        _, _, left, status = path.split("/")
        target = f"/redirect/{int(left) - 1}/{status}" if int(left) > 1 else "/echo"
        return Response(int(status), headers={"Location": target}, text="elsewhere")

    async def answer_trailers(self, request: Request, path: str) -> Response:
        return Response(200, headers={"Content-Type": "text/plain"}, stream=WithTrailers())

    async def answer_refuse(self, request: Request, path: str) -> Response:
        """Refuse content without reading any."""
        return Response(413, text="too much")

    async def answer_fail(self, request: Request, path: str) -> Response:
        raise RuntimeError("on purpose")

    async def answer_stats(self, request: Request, path: str) -> Response:
        """Tell which connections there were, and how many requests were answered at once."""
        return Response(
            200, json={"connections": self.connections, "most_active": self.most_active}
        )


async def main(folder: str, chain: str, key: str) -> None:
    house = House(folder)

    class Counting(Server):
        def remember(self, channel: Any) -> None:
            house.connections.append(channel.engine.http_version)
            super().remember(channel)

    server = Counting(house, bind="localhost:0", insecure_bind="localhost:0", cert=chain, key=key)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with server:
        print(json.dumps(server.urls), flush=True)
        await stop.wait()
        await server.stop(1.0)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
