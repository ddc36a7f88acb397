"""What the servers of these tests answer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from typing import Any

import h123
from h123.message.body import AsyncByteStream
from h123.server.answering import Answerer

LARGE = bytes(range(256)) * 4096  # 1 MiB


class Echo(AsyncByteStream):
    """Content given back as it comes, and its trailers after it."""

    def __init__(self, request: h123.Request) -> None:
        self.request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for part in self.request.stream:  # type: ignore[union-attr]
                yield part
        except h123.TransportError:
            return  # the client has left
        self.trailers = list(self.request.stream.trailers)


async def large(number: int) -> AsyncIterator[bytes]:
    for _ in range(number):
        yield LARGE


async def app(request: h123.Request) -> h123.Response:
    """Answer as the path says."""
    path = request.url.path
    name, _, rest = path.strip("/").partition("/")
    if name == "echo":
        return h123.Response(200, stream=Echo(request))
    if name == "upload":
        digest, size, parts = hashlib.sha256(), 0, 0
        async for part in request.stream:  # type: ignore[union-attr]
            digest.update(part)
            size += len(part)
            parts += 1
        facts = {"sha256": digest.hexdigest(), "size": size, "parts": parts}
        return h123.Response(200, json=facts)
    if name == "show":
        body = await request.aread()
        headers = [(name.decode().lower(), value.decode()) for name, value in request.headers.raw]
        return h123.Response(
            200,
            json={
                "method": request.method,
                "url": str(request.url),
                "headers": headers,
                "body": body.decode("latin-1"),
                "version": request.http_version,
            },
        )
    if name == "refuse":
        return h123.Response(413, text="too large")
    if name == "refuse-and-close":
        return h123.Response(413, text="too large", headers={"Connection": "close"})
    if name == "large":
        return h123.Response(200, content=large(int(rest)))
    if name == "status":
        return h123.Response(int(rest), headers={"X-Status": rest})
    if name == "loop":
        return h123.Response(302, headers={"Location": "/loop"})
    if name == "redirect":
        status, _, target = rest.partition("/")
        headers = [("Location", request.url.params.get("to", f"/{target}"))]
        headers += [("Set-Cookie", f"seen{status}=yes; Path=/")]
        return h123.Response(int(status), headers=headers, text="elsewhere")
    return h123.Response(200, text=path)


class HintingAnswerer(Answerer):
    """Sends 103 twice before each response (RFC 8297)."""

    async def answer(self, channel: Any, exchange: Any) -> None:
        for number in (1, 2):
            exchange.send_informational(103, [(b"link", b"</%d>; rel=preload" % number)])
        await super().answer(channel, exchange)


def facts(content: bytes) -> dict[str, Any]:
    """What `/upload` says of this content, but for its parts."""
    return {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}


def shown(response: Any) -> Any:
    """What `/show` saw."""
    return json.loads(response.content)
