"""h2c by the Upgrade of old, on a real connection (RFC 7540 section 3.2)."""

from __future__ import annotations

import socket

import pytest
from tests.conftest import Serve, find_program, run_program
from tests.protocol.http2.playbook import PREFACE, SETTINGS_ACK, settings, take_apart

from h123.message import Request, Response
from h123.protocol.limits import Limits
from h123.server.upgrade import upgrade

ASKING = (
    b"GET /asked HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade, HTTP2-Settings\r\n"
    b"Upgrade: h2c\r\nHTTP2-Settings: AAQAAP__\r\n\r\n"
)
ANSWER = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"


async def hello(request: Request) -> Response:
    return Response(200, text=f"{request.http_version} {request.url}")


@pytest.mark.parametrize("together", [True, False])
def test_3_2_a_connection_goes_on_in_http_2(serve: Serve, together: bool) -> None:
    port = serve(hello).port("http")
    with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
        preface = PREFACE + settings() + SETTINGS_ACK
        sock.sendall(ASKING + preface if together else ASKING)
        received = b""
        while b"HTTP/2 http://a.example/asked" not in received:
            more = sock.recv(65536)
            assert more
            received += more
        assert received.startswith(ANSWER)
        frames = [(found.kind, found.stream) for found in take_apart(received[len(ANSWER) :])]
        assert frames[0] == ("SETTINGS", 0)
        assert ("HEADERS", 1) in frames
        if not together:
            sock.sendall(preface)
            assert sock.recv(65536)


def test_3_2_a_request_that_can_not_have_it_is_answered_in_http_1(serve: Serve) -> None:
    port = serve(hello).port("http")
    with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
        sock.sendall(ASKING.replace(b"AAQAAP__", b"!!"))
        assert sock.recv(65536).startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", id="does not ask"),
        pytest.param(ASKING[:-2], id="has not come whole"),
        pytest.param(ASKING.replace(b"Host: a.example\r\n", b""), id="is no request"),
        pytest.param(ASKING.replace(b"HTTP2-Settings: ", b"X: "), id="has no settings"),
    ],
)
def test_what_does_not_go_on_in_http_2(data: bytes) -> None:
    assert upgrade(data, Limits()) is None


@pytest.mark.peer
def test_curl_upgrades(serve: Serve) -> None:
    curl = find_program("curl")
    url = serve(hello).http("/asked")
    done = run_program([curl, "--silent", "--http2", "--write-out", " %{http_version}", url])
    assert done.stdout == f"HTTP/2 {url} 2".encode()
