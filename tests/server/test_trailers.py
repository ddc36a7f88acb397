"""Trailers that a program sets by hand, on either side, over every version (RFC 9110 section 6.5)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

import h123

Run = Callable[[Any], None]


async def handler(request: h123.Request) -> h123.Response:
    content = await request.aread()
    digest = request.trailers.get("x-digest", "none")

    async def parts() -> AsyncIterator[bytes]:
        yield content

    return h123.Response(
        200,
        content=parts() if request.url.path == "/parts" else content,
        trailers={"x-answer": digest},
    )


@pytest.mark.parametrize("version", ["1.1", "2", "3"])
@pytest.mark.parametrize("path", ["/whole", "/parts"])
def test_trailers_of_a_request_and_of_its_response(
    run: Run, tmp_path: Any, monkeypatch: pytest.MonkeyPatch, version: str, path: str
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))

    async def main() -> None:
        async with h123.Server(handler, bind="localhost:0") as server:
            ca = tmp_path / "h123" / "authority.pem"
            async with h123.AsyncClient(verify=str(ca)) as client:
                request = client.build_request(
                    "POST", server.urls[0] + path, content=b"content", http_version=version
                )
                request.trailers = h123.Headers({"X-Digest": "abc"})
                response = await client.send(request)
                assert response.content == b"content"
                assert response.trailers["x-answer"] == "abc"

    run(main())
