"""Over HTTP/3: certificates, streams that break, and servers that are gone."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from tests.client.app import app
from tests.client.test_errors import CallerFixture, expect

import h123
from h123.client import quic
from h123.network import udp
from h123.network.backend import Address
from h123.network.blocking import BlockingBackend
from h123.network.certificates import LocalCertificate
from h123.protocol.errors import RemoteProtocolError as EngineError


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


def test_an_http3_stream_that_breaks(call: CallerFixture, serve: Any, ca_file: str) -> None:
    async def handler(request: h123.Request) -> h123.Response:
        async def parts() -> Any:
            yield b"half"
            raise ZeroDivisionError

        return h123.Response(200, headers={"Content-Length": "10"}, content=parts())

    server = serve(handler, insecure_bind=None)
    url = server.https()
    words = rf"{url[:-1]} reset the stream: INTERNAL_ERROR"
    expect(call, h123.RemoteProtocolError, words, url, http_version="3", client={"verify": ca_file})
    server.errors.clear()


def test_verification_can_be_turned_off(call: CallerFixture, serve: Any) -> None:
    async def handler(request: h123.Request) -> h123.Response:
        return h123.Response(200, text=request.http_version)

    server = serve(handler, insecure_bind=None)
    for version in ("1.1", "2", "3"):
        response = call("GET", server.https(), client={"verify": False}, http_version=version)
        assert response.text == f"HTTP/{version}"


# ------------------------------------------------------------------------- making connections


@pytest.fixture(scope="module")
def server(serve: Any) -> Any:
    return serve(app, insecure_bind=None)


def test_contexts_and_folders_say_whom_to_trust(
    call: CallerFixture, server: Any, ca_file: str, tmp_path: Path
) -> None:
    trusting = ssl.create_default_context(cafile=ca_file)
    careless = ssl.create_default_context()
    careless.check_hostname = False
    careless.verify_mode = ssl.CERT_NONE
    verify: Any
    for verify in (trusting, careless, Path(ca_file)):
        response = call("GET", server.https(), client={"verify": verify}, http_version="3")
        assert response.http_version == "HTTP/3"
    strangers = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # trusts nobody: the system's store then
    words = "certificate"
    for verify in (strangers, str(tmp_path)):
        with pytest.raises(h123.ConnectError, match=words):
            call("GET", server.https(), client={"verify": verify}, http_version="3")
    with pytest.raises(TypeError, match="verify is True, False, a path"):
        call("GET", server.https(), client={"verify": 1}, http_version="3")


@pytest.mark.parametrize("form", ["one file", "two files", "with a password"])
def test_a_certificate_of_ones_own(
    call: CallerFixture, server: Any, certificate: LocalCertificate, tmp_path: Path, form: str
) -> None:
    """It is shown if it is asked for; here it has to be readable."""
    chain, key = Path(certificate.chain_file), Path(certificate.key_file)
    both = tmp_path / "both.pem"
    both.write_bytes(chain.read_bytes() + key.read_bytes())
    locked = tmp_path / "locked.pem"
    locked.write_bytes(
        load_pem_private_key(key.read_bytes(), None).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
        )
    )
    cert = {
        "one file": str(both),
        "two files": (chain, key),
        "with a password": (chain, locked, "secret"),
    }[form]
    client = {"verify": certificate.authority_file, "cert": cert}
    assert call("GET", server.https("/x"), client=client, http_version="3").text == "/x"


def test_secrets_are_logged_where_it_is_asked_for(
    call: CallerFixture, server: Any, ca_file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    call("GET", server.https(), client={"verify": ca_file}, http_version="3")
    lines = (tmp_path / "keys").read_text().splitlines()
    assert any(line.startswith("CLIENT_TRAFFIC_SECRET_0 ") for line in lines)


ELSEWHERE = ("192.0.2.1", 9)


class Addresses(BlockingBackend):
    """Knows several addresses for a name."""

    def __init__(self, *addresses: tuple[str, int]) -> None:
        self.addresses = [Address(socket.AF_INET, address) for address in addresses]

    async def resolve(self, *args: Any, **options: Any) -> list[Address]:
        return self.addresses


@pytest.fixture
def no_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no route to an address of the documentation's."""

    async def open_udp(*args: Any, addresses: list[Address], **options: Any) -> Any:
        if addresses[0].sockaddr == ELSEWHERE:
            raise OSError(101, "Network is unreachable")
        return await real(*args, addresses=addresses, **options)

    real = udp.open_udp
    monkeypatch.setattr(quic, "open_udp", open_udp)


@pytest.mark.usefixtures("no_way")
def test_the_next_address_is_tried(server: Any, ca_file: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unused:
        unused.bind(("127.0.0.1", 0))
        nobody = unused.getsockname()
    good = ("127.0.0.1", server.port())
    with h123.Client(verify=ca_file) as client:
        connector = client._core.transport.pool.connector
        connector.backend = Addresses(ELSEWHERE, nobody, good)
        assert client.get(server.https("/x"), http_version="3", timeout=None).text == "/x"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as floor:
        floor.bind(("127.0.0.1", 0))
        silent = floor.getsockname()
        with h123.Client(verify=ca_file, timeout=h123.Timeout(5, connect=1)) as client:
            client._core.transport.pool.connector.backend = Addresses(silent, good)
            assert client.get(server.https("/x"), http_version="3").text == "/x"
    for addresses in ((ELSEWHERE,), (nobody,), ()):
        with h123.Client(verify=ca_file) as client:
            client._core.transport.pool.connector.backend = Addresses(*addresses)
            with pytest.raises(h123.ConnectError, match=r"unreachable|refused|no address"):
                client.get(server.https("/x"), http_version="3")


@pytest.mark.usefixtures("no_leaks")
def test_an_engine_that_can_not_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: Any, **options: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(quic, "HTTP3Connection", broken)
    with h123.Client(verify=False) as client:
        with pytest.raises(ZeroDivisionError):
            client.get("https://127.0.0.1:9/", http_version="3")
        assert client._core.transport.pool.count == 0


@pytest.mark.usefixtures("no_leaks")
def test_a_handshake_that_is_given_up() -> None:
    async def body() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as floor:
            floor.bind(("127.0.0.1", 0))
            url = f"https://127.0.0.1:{floor.getsockname()[1]}/"
            async with h123.AsyncClient(verify=False) as client:
                task = asyncio.create_task(client.get(url, http_version="3"))
                await asyncio.sleep(0.1)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                assert client._core.transport.pool.count == 0

    asyncio.run(body())


@pytest.mark.parametrize(
    ("cause", "expected"),
    [
        (ConnectionRefusedError("nobody"), ConnectionRefusedError),
        (EngineError("expired", rule="certificate"), ssl.SSLCertVerificationError),
        (EngineError("late", rule="handshake-timeout"), TimeoutError),
        (EngineError("alert", rule="tls-alert"), ssl.SSLError),
        (EngineError("other"), ConnectionError),
        (None, ConnectionError),
    ],
)
def test_failed_handshakes_have_the_names_that_tls_has(
    cause: Exception | None, expected: type[Exception]
) -> None:
    error = h123.RemoteProtocolError("failed")
    error.__cause__ = cause
    assert type(quic._failure(error)) is expected


def test_a_connection_that_died_while_idle_is_replaced(
    face: Any, server: Any, ca_file: str
) -> None:
    """Its time went by with nobody looking: no request is lost to it."""
    client = face(verify=ca_file)
    url = server.https("/x")
    assert client.request("GET", url, http_version="3").text == "/x"
    (channel,) = client.pool.channels
    channel.wire.now = lambda: time.monotonic() + 1000
    channel.wire.next_timeout = lambda: 0.0
    assert client.request("POST", url, http_version="3").text == "/x"
    assert channel.is_closed
    assert client.pool.count == 1
