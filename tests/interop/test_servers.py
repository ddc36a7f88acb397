"""Our clients with servers that nobody here wrote: nginx, Caddy, Python's http.server, aioquic."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import START_TIME, Program, find_module, find_program

import h123
from h123.client.async_client import AsyncClient
from h123.client.sync_client import Client
from h123.network.certificates import LocalCertificate

pytestmark = [pytest.mark.peer, pytest.mark.timeout(180)]

CONTENT = b"".join(b"%08d" % number for number in range(1 << 17))


class Peer:
    """A server: where it listens, and which versions it speaks with TLS."""

    def __init__(self, name: str, https: str, http: str, versions: list[str]) -> None:
        self.name = name
        self.https = https
        self.http = http
        self.versions = versions


def wait_for_port(program: Program, port: int) -> bool:
    """Wait until the port is open; return False if the program ended."""
    end = time.monotonic() + START_TIME
    while time.monotonic() < end:
        if not program.is_running:
            return False
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            threading.Event().wait(0.02)
        else:
            return program.is_running
    raise AssertionError(f"{program.command[0]} does not listen")


# ------------------------------------------------------------------------------------------ nginx

NGINX = """
daemon off;
{user}
worker_processes 1;
pid {place}/pid;
error_log {place}/error.log;
events {{ }}
http {{
    access_log off;
    default_type text/plain;
    client_body_temp_path {place}/body;
    proxy_temp_path {place}/proxy;
    fastcgi_temp_path {place}/fastcgi;
    uwsgi_temp_path {place}/uwsgi;
    scgi_temp_path {place}/scgi;
    client_max_body_size 1m;
    server {{
        listen 127.0.0.1:{http_port};
        listen 127.0.0.1:{https_port} ssl http2;
        ssl_certificate {chain};
        ssl_certificate_key {key};
        root {folder};
        location /version {{ return 200 "$server_protocol"; }}
        location /old {{ return 302 /hello.txt; }}
        location /close {{ keepalive_timeout 0; return 200 "bye"; }}
        location /hang-up {{ return 444; }}
        location /refused {{ proxy_pass http://127.0.0.1:1; }}
        location /broken {{ proxy_pass http://127.0.0.1:{broken_port}; proxy_buffering off; }}
        location /put/ {{ root {place}; dav_methods PUT DELETE; create_full_put_path on; }}
        location /few {{ keepalive_requests 3; return 200 "few"; }}
        location = /zipped.txt {{ gzip on; gzip_min_length 1; gzip_types *; alias {folder}/digits.txt; }}
        location = /forwarded {{ proxy_pass http://$http_host/hello.txt; }}
    }}
}}
"""


class BrokenServer:
    """Promises more content than it sends, then hangs up."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(10)
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nnot all")

    def close(self) -> None:
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self._thread.join(10)


@pytest.fixture(scope="module")
def nginx(
    folder: Path, certificate: LocalCertificate, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Peer]:
    """nginx on sockets that it inherits, as it does when it is upgraded: no port is free for a moment only."""
    path = find_program("nginx")
    place = tmp_path_factory.mktemp("nginx")
    broken = BrokenServer()
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    http_port, https_port = (sock.getsockname()[1] for sock in sockets)
    config = place / "nginx.conf"
    config.write_text(
        NGINX.format(
            place=place,
            user="user root;" if os.geteuid() == 0 else "",
            http_port=http_port,
            https_port=https_port,
            broken_port=broken.port,
            chain=certificate.chain_file,
            key=certificate.key_file,
            folder=folder,
        )
    )
    numbers = [sock.fileno() for sock in sockets]
    program = Program(
        [path, "-c", str(config), "-p", str(place)],
        pass_fds=numbers,
        env={**os.environ, "NGINX": "".join(f"{number};" for number in numbers)},
        stderr=subprocess.DEVNULL,
    )
    for sock in sockets:
        sock.close()
    try:
        if not wait_for_port(program, https_port):
            pytest.fail((place / "error.log").read_text())
        yield Peer(
            "nginx",
            f"https://localhost:{https_port}",
            f"http://localhost:{http_port}",
            ["1.1", "2"],
        )
    finally:
        program.end()
        broken.close()


# ------------------------------------------------------------------------------------------ Caddy


def caddy_config(
    port: int, http_port: int, folder: Path, certificate: LocalCertificate
) -> dict[str, Any]:
    def route(path: str, **handler: Any) -> dict[str, Any]:
        return {"match": [{"path": [path]}], "handle": [handler], "terminal": True}

    routes = [
        route("/version", handler="static_response", body="{http.request.proto}"),
        route("/old", handler="static_response", status_code=302,
              headers={"Location": ["/hello.txt"]}),
        route("/hang-up", handler="static_response", abort=True),
        {"handle": [{"handler": "file_server", "root": str(folder)}]},
    ]  # fmt: skip
    return {
        "admin": {"disabled": True, "config": {"persist": False}},
        "logging": {"logs": {"default": {"level": "ERROR"}}},
        "apps": {
            "http": {
                "servers": {
                    "secure": {
                        "listen": [f"127.0.0.1:{port}"],
                        "protocols": ["h1", "h2", "h3"],
                        "routes": routes,
                        "automatic_https": {"disable": True},
                        "tls_connection_policies": [{}],
                    },
                    "plain": {
                        "listen": [f"127.0.0.1:{http_port}"],
                        "protocols": ["h1", "h2c"],
                        "routes": routes,
                        "automatic_https": {"disable": True},
                    },
                }
            },
            "tls": {
                "certificates": {
                    "load_files": [
                        {"certificate": certificate.chain_file, "key": certificate.key_file}
                    ]
                }
            },
        },
    }


def free_ports() -> tuple[int, int]:
    """Return two ports that were free: somebody else may take them before they are used."""
    with (
        socket.create_server(("127.0.0.1", 0)) as one,
        socket.create_server(("127.0.0.1", 0)) as two,
    ):
        return one.getsockname()[1], two.getsockname()[1]


@pytest.fixture(scope="module")
def caddy(
    folder: Path, certificate: LocalCertificate, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Peer]:
    """Caddy can not take over sockets: it is started again when a port was taken in between."""
    path = find_program("caddy")
    place = tmp_path_factory.mktemp("caddy")
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(place),
        "XDG_DATA_HOME": str(place),
        "XDG_CONFIG_HOME": str(place),
    }
    for _ in range(5):
        port, http_port = free_ports()
        config = place / "caddy.json"
        config.write_text(json.dumps(caddy_config(port, http_port, folder, certificate)))
        with open(place / "log", "wb") as log:
            program = Program(
                [path, "run", "--config", str(config)], env=environment, stdout=log, stderr=log
            )
        try:
            if wait_for_port(program, port) and wait_for_port(program, http_port):
                yield Peer(
                    "caddy",
                    f"https://localhost:{port}",
                    f"http://localhost:{http_port}",
                    ["1.1", "2", "3"],
                )
                return
        finally:
            program.end()
        if b"address already in use" not in (place / "log").read_bytes():
            break
    pytest.fail((place / "log").read_text())


# ---------------------------------------------------------------------------- tests for both

PAIRS = [("nginx", "1.1"), ("nginx", "2"), ("caddy", "1.1"), ("caddy", "2"), ("caddy", "3")]


@pytest.fixture
def peer(request: pytest.FixtureRequest, name: str) -> Peer:
    found: Peer = request.getfixturevalue(name)
    return found


class Caller:
    """Either client, to be called the same way."""

    def __init__(self, face: str, version: str, ca_file: str) -> None:
        self.face = face
        self.options: dict[str, Any] = {"verify": ca_file, "timeout": 60}
        self.version = version

    def request(self, method: str, url: str, **options: Any) -> h123.Response:
        return self.request_many([(method, url)], **options)[0]

    def request_many(self, calls: list[tuple[str, str]], **options: Any) -> list[h123.Response]:
        """Send one after the other with one client."""
        options.setdefault("http_version", self.version)
        if self.face == "sync":
            with Client(**self.options) as client:
                return [client.request(*call, **options) for call in calls]

        async def send() -> list[h123.Response]:
            async with AsyncClient(**self.options) as client:
                return [await client.request(*call, **options) for call in calls]

        return asyncio.run(send())

    def digest(self, url: str) -> str:
        """Download without keeping; return the SHA-256."""
        digest = hashlib.sha256()
        if self.face == "sync":
            with (
                Client(**self.options) as client,
                client.stream("GET", url, http_version=self.version) as response,
            ):
                for part in response.iter_raw():
                    digest.update(part)
            return digest.hexdigest()

        async def download() -> None:
            async with (
                AsyncClient(**self.options) as client,
                client.stream("GET", url, http_version=self.version) as response,
            ):
                async for part in response.aiter_raw():
                    digest.update(part)

        asyncio.run(download())
        return digest.hexdigest()


@pytest.fixture(params=["sync", "async"])
def caller(request: pytest.FixtureRequest, version: str, ca_file: str) -> Caller:
    return Caller(request.param, version, ca_file)


@pytest.mark.parametrize(("name", "version"), PAIRS)
class TestEveryServer:
    def test_get(self, peer: Peer, caller: Caller, version: str) -> None:
        responses = caller.request_many([("GET", peer.https + "/hello.txt")] * 5)
        for response in responses:
            assert (response.status_code, response.text) == (200, "Hello, world!\n")
            assert response.http_version.removeprefix("HTTP/") == version

    def test_the_server_saw_this_version(self, peer: Peer, caller: Caller, version: str) -> None:
        said = caller.request("GET", peer.https + "/version").text
        assert said.removeprefix("HTTP/").removesuffix(".0") == version

    def test_head(self, peer: Peer, caller: Caller) -> None:
        response = caller.request("HEAD", peer.https + "/digits.txt")
        assert (response.headers["content-length"], response.content) == ("1000", b"")

    def test_ranges_and_conditions(self, peer: Peer, caller: Caller) -> None:
        url = peer.https + "/digits.txt"
        part = caller.request("GET", url, headers={"Range": "bytes=3-6"})
        assert (part.status_code, part.content) == (206, b"3456")
        same = caller.request("GET", url, headers={"If-None-Match": part.headers["etag"]})
        assert (same.status_code, same.content) == (304, b"")

    def test_names_that_are_not_ascii(self, peer: Peer, caller: Caller) -> None:
        assert caller.request("GET", peer.https + "/Grüße.txt").text == "Grüße\n"

    def test_redirects_are_followed(self, peer: Peer, caller: Caller) -> None:
        response = caller.request("GET", peer.https + "/old")
        assert [step.status_code for step in response.history] == [302]
        assert (response.status_code, response.text) == (200, "Hello, world!\n")

    def test_404(self, peer: Peer, caller: Caller) -> None:
        assert caller.request("GET", peer.https + "/none").status_code == 404

    def test_a_server_that_hangs_up_without_an_answer(self, peer: Peer, caller: Caller) -> None:
        if (peer.name, caller.version) == ("caddy", "3"):
            # Caddy 2.6 answers there instead of resetting the stream.
            assert caller.request("GET", peer.https + "/hang-up").status_code == 500
            return
        with pytest.raises((h123.RemoteProtocolError, h123.ReadError)):
            caller.request("GET", peer.https + "/hang-up")

    def test_a_thousand_files_at_once(
        self, peer: Peer, caller: Caller, small_files: dict[str, str]
    ) -> None:
        def url(name: str) -> str:
            return f"{peer.https}/small/{name}"

        def digest(response: h123.Response) -> str:
            response.raise_for_status()
            return hashlib.sha256(response.content).hexdigest()

        names = list(small_files)
        options: Any = {"http_version": caller.version}
        if caller.face == "sync":
            with Client(**caller.options) as client, ThreadPoolExecutor(40) as threads:
                found = list(
                    threads.map(lambda name: digest(client.get(url(name), **options)), names)
                )
        else:

            async def fetch_all() -> list[str]:
                async with AsyncClient(**caller.options) as client:
                    responses = await asyncio.gather(
                        *[client.get(url(name), **options) for name in names]
                    )
                return [digest(response) for response in responses]

            found = asyncio.run(fetch_all())
        assert dict(zip(names, found, strict=True)) == small_files

    @pytest.mark.slow
    def test_a_big_file(self, peer: Peer, caller: Caller, big_file: str) -> None:
        assert caller.digest(peer.https + "/big.bin") == big_file


@pytest.mark.parametrize("version", ["1.1", "2"])
class TestNginx:
    def test_upload(self, nginx: Peer, caller: Caller) -> None:
        url = f"{nginx.https}/put/{caller.face}-{caller.version}.bin"
        content = CONTENT[:-1000]
        sent = caller.request("PUT", url, content=content)
        assert sent.status_code in (201, 204)
        got, gone, after = caller.request_many([("GET", url), ("DELETE", url), ("GET", url)])
        assert got.content == content
        assert (gone.status_code, after.status_code) == (204, 404)

    def test_upload_from_an_iterator(self, nginx: Peer, ca_file: str, version: str) -> None:
        url = f"{nginx.https}/put/iterator-{version}.bin"
        with Client(verify=ca_file) as client:
            parts = (CONTENT[start : start + 5000] for start in range(0, 500_000, 5000))
            client.put(url, content=parts, http_version=version).raise_for_status()
            assert client.get(url, http_version=version).content == CONTENT[:500_000]

    def test_an_upload_that_is_too_long_is_refused(self, nginx: Peer, caller: Caller) -> None:
        """RFC 9110 section 15.5.14: the answer comes in the middle of it, and reaches the caller."""
        response = caller.request("PUT", f"{nginx.https}/put/long.bin", content=CONTENT * 8)
        assert response.status_code == 413

    def test_compressed_content(self, nginx: Peer, caller: Caller) -> None:
        response = caller.request("GET", nginx.https + "/zipped.txt")
        assert response.headers["content-encoding"] == "gzip"
        assert response.text == "0123456789" * 100

    def test_errors_of_a_gateway(self, nginx: Peer, caller: Caller) -> None:
        assert caller.request("GET", nginx.https + "/refused").status_code == 502

    def test_a_gateway_whose_server_breaks_off(self, nginx: Peer, caller: Caller) -> None:
        """RFC 9112 section 8: an incomplete response is an error."""
        with pytest.raises((h123.RemoteProtocolError, h123.ReadError)):
            caller.request("GET", nginx.https + "/broken")

    def test_a_server_that_closes_after_each_response(self, nginx: Peer, caller: Caller) -> None:
        responses = caller.request_many([("GET", nginx.https + "/close")] * 5)
        assert [response.text for response in responses] == ["bye"] * 5

    def test_a_server_that_ends_connections_after_a_few_requests(
        self, nginx: Peer, caller: Caller
    ) -> None:
        """HTTP/2: by GOAWAY (RFC 9113 section 6.8). No request is lost."""
        responses = caller.request_many([("GET", nginx.https + "/few")] * 20)
        assert [response.text for response in responses] == ["few"] * 20

    def test_many_at_once_while_connections_end(
        self, nginx: Peer, ca_file: str, version: str
    ) -> None:
        async def burst() -> list[str]:
            async with AsyncClient(verify=ca_file) as client:
                calls = [client.get(nginx.https + "/few", http_version=version) for _ in range(200)]
                return [response.text for response in await asyncio.gather(*calls)]

        assert asyncio.run(burst()) == ["few"] * 200


class TestNginxAsAProxy:
    def test_a_request_in_absolute_form_is_forwarded(self, nginx: Peer) -> None:
        """RFC 9112 section 3.2.2."""
        with Client(proxy=nginx.http) as client:
            response = client.get(f"http://127.0.0.1:{nginx.http.rpartition(':')[2]}/forwarded")
        assert (response.status_code, response.text) == (200, "Hello, world!\n")

    def test_a_proxy_that_knows_no_connect(self, nginx: Peer, ca_file: str) -> None:
        with (
            Client(proxy=nginx.http, verify=ca_file) as client,
            pytest.raises(h123.ProxyError, match=r"40[05]"),
        ):
            client.get(nginx.https + "/hello.txt")


class TestCaddy:
    def test_http3_is_found_by_alt_svc(self, caddy: Peer, ca_file: str) -> None:
        """RFC 7838, RFC 9114 section 3.1.1."""
        with Client(verify=ca_file) as client:
            versions = [client.get(caddy.https + "/version").text for _ in range(3)]
        assert versions == ["HTTP/2.0", "HTTP/3.0", "HTTP/3.0"]

    def test_cleartext_http2_by_prior_knowledge(self, caddy: Peer) -> None:
        with Client(http1=False) as client:
            assert client.get(caddy.http + "/version").text == "HTTP/2.0"

    @pytest.mark.parametrize("version", ["1.1", "2", "3"])
    def test_certificates_are_verified(
        self, caddy: Peer, version: str, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        from h123.network.certificates import local_certificate

        other = local_certificate(tmp_path_factory.mktemp("other")).authority_file
        with Client(verify=other) as client, pytest.raises(h123.ConnectError):
            client.get(caddy.https + "/hello.txt", http_version=version)


# ------------------------------------------------------------------------------------ http.server


class _QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(params=["HTTP/1.0", "HTTP/1.1"])
def python_server(request: pytest.FixtureRequest, folder: Path) -> Iterator[str]:
    def make_handler(*args: Any) -> _QuietHandler:
        return _QuietHandler(*args, directory=str(folder))

    _QuietHandler.protocol_version = request.param
    server = ThreadingHTTPServer(("127.0.0.1", 0), make_handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join(10)


@pytest.mark.parametrize("version", ["1.1"])
def test_http_server(python_server: str, caller: Caller) -> None:
    first, second, third = caller.request_many(
        [("GET", python_server + path) for path in ("/hello.txt", "/none", "/digits.txt")]
    )
    assert (first.status_code, first.text) == (200, "Hello, world!\n")
    assert second.status_code == 404
    assert third.text == "0123456789" * 100


# ---------------------------------------------------------------------------------------- aioquic


@pytest.fixture
def aioquic_server(certificate: LocalCertificate) -> Iterator[str]:
    """A server on aioquic with its own HTTP/3 layer: it answers with what it was sent, and trailers."""
    find_module("aioquic")
    from aioquic.asyncio.protocol import QuicConnectionProtocol
    from aioquic.asyncio.server import serve
    from aioquic.h3.connection import H3_ALPN, H3Connection
    from aioquic.h3.events import DataReceived, HeadersReceived
    from aioquic.quic.configuration import QuicConfiguration
    from aioquic.quic.events import QuicEvent

    class Echo(QuicConnectionProtocol):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            self.h3 = H3Connection(self._quic)
            self.received: dict[int, bytes] = {}

        def quic_event_received(self, event: QuicEvent) -> None:
            for part in self.h3.handle_event(event):
                if isinstance(part, HeadersReceived):
                    self.received.setdefault(part.stream_id, b"")
                elif isinstance(part, DataReceived):
                    self.received[part.stream_id] += part.data
                else:
                    continue
                if part.stream_ended:
                    self.answer(part.stream_id, self.received.pop(part.stream_id))
            self.transmit()

        def answer(self, stream_id: int, content: bytes) -> None:
            self.h3.send_headers(stream_id, [(b":status", b"103"), (b"link", b"</a>")])
            self.h3.send_headers(stream_id, [(b":status", b"200"), (b"server", b"aioquic")])
            self.h3.send_data(stream_id, content, end_stream=False)
            self.h3.send_headers(stream_id, [(b"x-length", b"%d" % len(content))], end_stream=True)

    ready = threading.Event()
    addresses: list[Any] = []
    stop: list[Callable[[], object]] = []

    async def run() -> None:
        configuration = QuicConfiguration(is_client=False, alpn_protocols=H3_ALPN)
        configuration.load_cert_chain(certificate.chain_file, certificate.key_file)
        server = await serve("127.0.0.1", 0, configuration=configuration, create_protocol=Echo)
        transport: Any = server._transport
        addresses.append(transport.get_extra_info("sockname"))
        end = asyncio.Event()
        loop = asyncio.get_running_loop()
        stop.append(lambda: loop.call_soon_threadsafe(end.set))
        ready.set()
        await end.wait()
        server.close()

    thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
    thread.start()
    assert ready.wait(START_TIME)
    yield f"https://127.0.0.1:{addresses[0][1]}"
    stop[0]()
    thread.join(10)


@pytest.mark.parametrize("version", ["3"])
def test_aioquic(aioquic_server: str, caller: Caller) -> None:
    response = caller.request("POST", aioquic_server + "/", content=CONTENT)
    assert (response.http_version, response.headers["server"]) == ("HTTP/3", "aioquic")
    assert response.content == CONTENT
    assert [early.status_code for early in response.informational] == [103]
    assert response.trailers.raw == [(b"x-length", b"%d" % len(CONTENT))]


@pytest.mark.parametrize("version", ["3"])
def test_aioquic_many_at_once(aioquic_server: str, ca_file: str, version: str) -> None:
    async def burst() -> list[bytes]:
        async with AsyncClient(verify=ca_file) as client:
            calls = [
                client.post(aioquic_server, content=b"%d" % number, http_version=version)
                for number in range(300)
            ]
            return [response.content for response in await asyncio.gather(*calls)]

    assert asyncio.run(burst()) == [b"%d" % number for number in range(300)]
