"""Through an HTTP proxy: absolute form in the clear, a tunnel for TLS (RFC 9110 section 9.3.6)."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest
from tests.client.app import app, shown

import h123

pytestmark = pytest.mark.usefixtures("server")
SHORT = h123.Timeout(5, connect=0.3)


@pytest.fixture(scope="module")
def server(serve: Any) -> Any:
    return serve(app)


def relay(one: Any, other: Any) -> None:
    try:
        while data := one.recv(65536):
            other.sendall(data)
        other.shutdown(socket.SHUT_WR)
    except OSError:
        pass


class Proxy:
    """Makes tunnels, and remembers what it was asked."""

    def __init__(self, scripts: Any, answer: bytes = b"HTTP/1.1 200 Made\r\n\r\n") -> None:
        self.scripts = scripts
        self.answer = answer
        self.heads: list[bytes] = []

    def __call__(self, connection: Any) -> None:
        head = self.scripts.read_head(connection)
        self.heads.append(head)
        connection.sendall(self.answer)
        if b" 200 " not in self.answer:
            return
        port = int(head.split()[1].rpartition(b":")[2])
        with socket.create_connection(("localhost", port)) as there:
            back = threading.Thread(target=relay, args=(there, connection), daemon=True)
            back.start()
            relay(connection, there)
            back.join(10)


@pytest.mark.parametrize("version", ["1.1", "2", None])
def test_a_tunnel(
    face: Any, fake_server: Any, scripts: Any, server: Any, ca_file: str, version: str | None
) -> None:
    proxy = Proxy(scripts)
    running = fake_server(proxy)
    client = face(verify=ca_file, proxy=running.http.replace("http://", "http://u:p@"))
    for _ in range(3):
        response = client.request("GET", server.https("/show"), http_version=version)
        assert response.http_version == f"HTTP/{version or 2}"
        assert "proxy-authorization" not in dict(shown(response)["headers"])
    (head,) = proxy.heads
    assert head.startswith(b"CONNECT localhost:%d HTTP/1.1\r\nHost: localhost:" % server.port())
    assert b"Proxy-Authorization: Basic dTpw\r\n" in head


def test_requests_in_the_clear_are_forwarded(face: Any, fake_server: Any, scripts: Any) -> None:
    """RFC 9112 section 3.2.2."""
    heads: list[bytes] = []

    def script(connection: Any) -> None:
        while True:
            heads.append(scripts.read_head(connection))
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    running = fake_server(script)
    client = face(proxy=h123.Proxy(running.http, headers={"X-Proxy": "1"}))
    assert client.request("GET", "http://somewhere.test/path?q").text == "ok"
    assert client.request("GET", "http://somewhere.test:8080/").text == "ok"
    assert heads[0].startswith(b"GET http://somewhere.test/path?q HTTP/1.1\r\n")
    assert heads[1].startswith(b"GET http://somewhere.test:8080/ HTTP/1.1\r\n")
    assert b"X-Proxy: 1\r\n" in heads[0]


def test_a_tunnel_to_an_ipv6_address(call: Any, fake_server: Any, scripts: Any) -> None:
    proxy = Proxy(scripts, b"HTTP/1.1 502 No Way\r\nContent-Length: 0\r\n\r\n")
    running = fake_server(proxy)
    with pytest.raises(h123.ProxyError):
        call("GET", "https://[::1]:1/", client={"proxy": running.http})
    assert proxy.heads[0].startswith(b"CONNECT [::1]:1 HTTP/1.1\r\n")


@pytest.mark.usefixtures("no_leaks")
class TestFailures:
    """Nothing is left open by any of them."""

    @pytest.mark.parametrize(
        ("answer", "words"),
        [
            (b"HTTP/1.1 407 Who Are You\r\nContent-Length: 0\r\n\r\n", "407 Who Are You"),
            (b"HTTP/1.1 502 \r\nContent-Length: 0\r\n\r\n", "502$"),
            (b"garbage\r\n\r\n", "proxy"),
            (b"", "proxy"),
        ],
    )
    def test_a_tunnel_that_is_refused(
        self, call: Any, fake_server: Any, scripts: Any, answer: bytes, words: str
    ) -> None:
        running = fake_server(Proxy(scripts, answer))
        with pytest.raises(h123.ProxyError, match=words) as caught:
            call("GET", "https://far.test/", client={"proxy": running.http})
        assert "http://127.0.0.1" in str(caught.value)
        assert caught.value.request.url == "https://far.test/"

    def test_a_proxy_that_says_nothing(self, call: Any, fake_server: Any, scripts: Any) -> None:
        running = fake_server(scripts.wait_for_end)
        with pytest.raises(h123.ConnectTimeout, match=r"made no tunnel to https://far\.test:443"):
            call("GET", "https://far.test/", client={"proxy": running.http}, timeout=SHORT)

    @pytest.mark.parametrize("scheme", ["http", "https"])
    def test_a_proxy_that_is_not_there(self, call: Any, scheme: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as unused:
            proxy = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(h123.ProxyError, match=rf"proxy {proxy}: .*refused"):
            call("GET", f"{scheme}://far.test/", client={"proxy": proxy})

    def test_http3_goes_through_no_proxy(self, call: Any) -> None:
        with pytest.raises(h123.ConnectError, match="HTTP/3 through a proxy"):
            call(
                "GET", "https://far.test/", client={"proxy": "http://127.0.0.1:9"},
                http_version="3",
            )  # fmt: skip

    def test_a_certificate_behind_a_tunnel(
        self, call: Any, fake_server: Any, scripts: Any, server_context: Callable[..., Any]
    ) -> None:
        target = fake_server(scripts.wait_for_end, server_context())
        running = fake_server(Proxy(scripts))
        with pytest.raises(h123.ConnectError, match="can not be trusted"):
            call("GET", target.https, client={"proxy": running.http})

    def test_a_tunnel_that_is_given_up(self, fake_server: Any, scripts: Any) -> None:
        import asyncio

        async def body() -> None:
            async with h123.AsyncClient(proxy=running.http) as client:
                task = asyncio.create_task(client.get("https://far.test/"))
                await asyncio.sleep(0.2)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task

        running = fake_server(scripts.wait_for_end)
        asyncio.run(body())
