"""Content that a handler does not read harms nobody: not the client, not the connection."""

from __future__ import annotations

import socket

import pytest
from tests.conftest import Serve, Serving

from h123.client.sync_client import Client
from h123.message import Request, Response


async def heedless(request: Request) -> Response:
    """Answer without a look at the content."""
    return Response(200, text=request.url.path)


@pytest.fixture
def serving(serve: Serve) -> Serving:
    return serve(heedless)


@pytest.mark.parametrize("version", ["1.1", "2", "3"])
@pytest.mark.parametrize("size", [3, 60000])
def test_short_content_leaves_the_connection_as_it_was(
    serving: Serving, ca_file: str, version: str, size: int
) -> None:
    """Its credit is given back: all of it together is more than a connection's window."""
    with Client(verify=ca_file, timeout=10) as client:
        for number in range(400):
            url = serving.https(f"/{number}")
            response = client.post(url, content=bytes(size), http_version=version)
            assert response.text == f"/{number}"
    assert len(serving.accepted) == 1


@pytest.mark.parametrize("version", ["2", "3"])
def test_long_content_is_stopped_and_the_connection_goes_on(
    serving: Serving, ca_file: str, version: str
) -> None:
    with Client(verify=ca_file, timeout=10) as client:
        for _ in range(30):
            response = client.post(serving.https(), content=bytes(800_000), http_version=version)
            assert response.status_code == 200
    assert len(serving.accepted) == 1


class Plain:
    """A client of bytes."""

    def __init__(self, serving: Serving) -> None:
        self.socket = socket.create_connection(("localhost", serving.port("http")), timeout=20)
        self.file = self.socket.makefile("rb")

    def receive(self) -> tuple[bytes, bytes]:
        """Return head and content of a response."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = self.file.readline()
            assert line, "the server closed"
            head += line
        length = int(head.lower().partition(b"content-length:")[2].split()[0])
        return head, self.file.read(length)

    def close(self) -> None:
        self.file.close()
        self.socket.close()


def test_http1_content_that_comes_after_the_response_is_skipped(serving: Serving) -> None:
    """RFC 9112 section 9.3: a connection that was not said to close serves the next request."""
    client = Plain(serving)
    try:
        client.socket.sendall(b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n")
        head, content = client.receive()
        assert content == b"/a"
        assert b"connection: close" not in head.lower()
        client.socket.sendall(b"a=bGET /b HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.receive()[1] == b"/b"
    finally:
        client.close()


@pytest.mark.parametrize(
    "fields",
    [
        b"Content-Length: 1000000",
        b"Transfer-Encoding: chunked",
        b"Content-Length: 3\r\nExpect: 100-continue",
    ],
)
def test_http1_content_that_is_not_waited_for_closes_the_connection_and_that_is_said(
    serving: Serving, fields: bytes
) -> None:
    """RFC 9112 section 9.6, RFC 9110 section 10.1.1."""
    client = Plain(serving)
    try:
        client.socket.sendall(b"POST /a HTTP/1.1\r\nHost: a\r\n" + fields + b"\r\n\r\n")
        head, content = client.receive()
        assert content == b"/a"
        assert b"connection: close" in head.lower()
        assert client.file.read() == b""
    finally:
        client.close()
