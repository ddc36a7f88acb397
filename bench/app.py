"""The same small answer as an ASGI application and as h123's handler.

`python -m bench.app PLAIN TLS CERT KEY` serves it by h123.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from typing import Any

ANSWER = b"hello, world\n"


async def app(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[Any]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    """Answer every request alike."""
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"13")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": ANSWER})


def main() -> None:
    """Serve by h123."""
    import h123

    plain, tls, cert, key = sys.argv[1:]

    async def handler(request: h123.Request) -> h123.Response:
        return h123.Response(200, headers={"content-type": "text/plain"}, content=ANSWER)

    h123.serve(
        handler,
        bind=f"127.0.0.1:{tls}",
        insecure_bind=f"127.0.0.1:{plain}",
        cert=cert,
        key=key,
    )


if __name__ == "__main__":
    main()
