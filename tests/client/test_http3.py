"""Over HTTP/3: certificates, streams that break, and servers that are gone."""

from __future__ import annotations

from typing import Any

import pytest
from tests.client.test_errors import CallerFixture, expect

import h123


@pytest.mark.parametrize("verify", ["untrusted", "other name"])
def test_certificates_over_quic(call: CallerFixture, serve: Any, ca_file: str, verify: str) -> None:
    async def handler(request: h123.Request) -> h123.Response:
        return h123.Response(200)

    port = serve(handler, insecure_bind=None).port()
    if verify == "untrusted":
        url, client = f"https://localhost:{port}/", {}
    else:
        url = f"https://wrong.test:{port}/"
        client = {"verify": ca_file, "connect_to": {("wrong.test", port): ("127.0.0.1", port)}}
    host = "localhost" if verify == "untrusted" else "wrong.test"
    expect(
        call, h123.ConnectError, f"https://{host}:{port}: .*certif", url, http_version="3",
        client=client,
    )  # fmt: skip


@pytest.mark.parametrize("where", ["in the content", "before the response"])
def test_an_http3_stream_that_breaks(
    call: CallerFixture, serve: Any, ca_file: str, where: str
) -> None:
    async def handler(request: h123.Request) -> h123.Response:
        async def parts() -> Any:
            yield b"half"
            raise h123.ReadError("the source is gone")

        if where == "in the content":
            return h123.Response(200, headers={"Content-Length": "10"}, content=parts())
        raise h123.ReadError("the source is gone")

    server = serve(handler, insecure_bind=None)
    url = server.https()
    words = rf"{url[:-1]} reset the stream"
    expect(call, h123.RemoteProtocolError, words, url, http_version="3", client={"verify": ca_file})


def test_verification_can_be_turned_off(call: CallerFixture, serve: Any) -> None:
    async def handler(request: h123.Request) -> h123.Response:
        return h123.Response(200, text=request.http_version)

    server = serve(handler, insecure_bind=None)
    for version in ("1.1", "2", "3"):
        response = call("GET", server.https(), client={"verify": False}, http_version=version)
        assert response.text == f"HTTP/{version}"
