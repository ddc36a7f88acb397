"""Starting and stopping: what is bound, what is refused with a clear message, which signals end it."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme

import h123
from h123.message import Request, Response
from h123.server.address import parse_bind
from h123.server.server import Server

Run = Callable[[Any], None]


async def hello(request: Request) -> Response:
    return Response(200, text="hello")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return PEM files: an authority, a certificate, its key, somebody else's key, no certificate at all."""
    folder = tmp_path_factory.mktemp("pem")
    authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
    mine = authority.issue_cert("localhost", "127.0.0.1", key_type=trustme.KeyType.ECDSA)
    other = authority.issue_cert("localhost", key_type=trustme.KeyType.ECDSA)
    result = {
        name: folder / f"{name}.pem" for name in ("ca", "cert", "key", "other", "both", "none")
    }
    authority.cert_pem.write_to_path(result["ca"])
    mine.cert_chain_pems[0].write_to_path(result["cert"])
    mine.private_key_pem.write_to_path(result["key"])
    other.private_key_pem.write_to_path(result["other"])
    mine.private_key_and_cert_chain_pem.write_to_path(result["both"])
    result["none"].write_text("nothing of the kind\n")
    return result


@pytest.mark.parametrize(
    ("bind", "parsed"),
    [
        ("localhost:8443", ("localhost", 8443)),
        ("127.0.0.1:0", ("127.0.0.1", 0)),
        ("[::1]:80", ("::1", 80)),
        (":8080", ("", 8080)),
    ],
)
def test_an_address_to_bind_is_host_and_port(bind: str, parsed: tuple[str, int]) -> None:
    assert parse_bind(bind) == parsed


@pytest.mark.parametrize(
    "bind", ["", "localhost", "::1:80", "http://a:80", "a:b", "a:-1", "a:65536", "a:٣"]
)
def test_any_other_address_is_refused(bind: str) -> None:
    with pytest.raises(ValueError, match=r"HOST:PORT|brackets"):
        parse_bind(bind)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bind": None}, "nothing to serve"),
        ({"http1": False, "http2": False, "http3": False}, "versions are off"),
        (
            {"bind": None, "insecure_bind": "a:1", "http1": False, "http2": False},
            "HTTP/3 needs TLS",
        ),
        ({"key": "key.pem"}, "needs its certificate"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Server(hello, **options)


def test_a_handler_is_callable() -> None:
    with pytest.raises(TypeError, match="handler"):
        Server("folder")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("cert", "key", "error"),
    [
        ("cert", None, ValueError),
        ("cert", "other", ValueError),
        ("none", "key", ValueError),
        ("cert", "none", ValueError),
        ("missing", "key", OSError),
        ("cert", "missing", OSError),
    ],
)
def test_certificates_that_can_not_serve_are_refused_by_name(
    run: Run, files: dict[str, Path], cert: str, key: str | None, error: type[Exception]
) -> None:
    paths = {**files, "missing": Path("/nowhere/missing.pem")}

    async def main() -> None:
        server = Server(hello, bind="127.0.0.1:0", cert=paths[cert], key=key and paths[key])
        with pytest.raises(error, match=r"\.pem"):
            await server.start()

    run(main())


def test_one_file_may_hold_certificate_and_key(run: Run, files: dict[str, Path]) -> None:
    async def main() -> None:
        async with (
            Server(hello, bind="127.0.0.1:0", cert=files["both"]) as server,
            h123.AsyncClient(verify=files["ca"]) as client,
        ):
            for version in ("1.1", "2", "3"):
                response = await client.get(server.urls[0], http_version=version)
                assert response.text == "hello"

    run(main())


def test_a_port_in_use_is_named(run: Run) -> None:
    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            for options in ({"bind": f"127.0.0.1:{port}"}, {"insecure_bind": f"127.0.0.1:{port}"}):
                server = Server(hello, **{"bind": None, **options})  # type: ignore[arg-type]
                with pytest.raises(OSError, match=f"127.0.0.1:{port}.*in use"):
                    await server.start()

    run(main())


def test_nothing_stays_open_when_starting_fails(run: Run, files: dict[str, Path]) -> None:
    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken, socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            free = probe.getsockname()[1]
            probe.close()
            server = Server(
                hello,
                bind=f"127.0.0.1:{free}",
                insecure_bind=f"127.0.0.1:{taken.getsockname()[1]}",
                cert=files["both"],
            )
            with pytest.raises(OSError, match="in use"):
                await server.start()
            socket.create_server(("127.0.0.1", free)).close()

    run(main())


@pytest.mark.parametrize(
    ("versions", "alpn", "chosen"),
    [
        ({"http1": False, "http3": False}, ["http/1.1", "h2"], "h2"),
        ({"http2": False, "http3": False}, ["http/1.1", "h2"], "http/1.1"),
        ({"http3": False}, ["http/1.1", "h2"], "h2"),
        ({"http3": False}, [], None),
    ],
)
def test_alpn_chooses_among_the_versions_that_are_on(
    run: Run,
    files: dict[str, Path],
    versions: dict[str, bool],
    alpn: list[str],
    chosen: str | None,
) -> None:
    """RFC 7301 section 3.2."""

    async def main() -> None:
        async with Server(hello, bind="127.0.0.1:0", cert=files["both"], **versions) as server:  # type: ignore[arg-type]
            context = ssl.create_default_context(cafile=files["ca"])
            if alpn:
                context.set_alpn_protocols(alpn)
            port = int(server.urls[0].rpartition(":")[2])
            _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
            assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == chosen
            writer.close()

    run(main())


def test_http3_alone_needs_no_tcp(run: Run, files: dict[str, Path]) -> None:
    async def main() -> None:
        async with Server(
            hello, bind="127.0.0.1:0", cert=files["both"], http1=False, http2=False
        ) as server:
            port = int(server.urls[0].rpartition(":")[2])
            with pytest.raises(OSError):
                await asyncio.open_connection("127.0.0.1", port)
            async with h123.AsyncClient(verify=files["ca"]) as client:
                response = await client.get(server.urls[0], http_version="3")
            assert response.http_version == "HTTP/3"

    run(main())


def test_a_204_has_no_content_length(run: Run, files: dict[str, Path]) -> None:
    """RFC 9110 section 8.6."""

    async def empty(request: Request) -> Response:
        return Response(204, content=b"not sent")

    async def main() -> None:
        async with (
            Server(empty, bind="127.0.0.1:0", cert=files["both"]) as server,
            h123.AsyncClient(verify=files["ca"]) as client,
        ):
            for version in ("1.1", "2", "3"):
                response = await client.get(server.urls[0], http_version=version)
                assert (response.status_code, response.content) == (204, b"")
                assert "content-length" not in response.headers

    run(main())


def test_every_address_is_shown_as_a_url_that_works(run: Run, files: dict[str, Path]) -> None:
    async def main() -> None:
        async with (
            Server(hello, bind=":0", cert=files["both"]) as server,
            h123.AsyncClient(verify=files["ca"]) as client,
        ):
            assert server.urls[0].startswith("https://localhost:")
            for version in ("1.1", "2", "3"):
                assert (await client.get(server.urls[0], http_version=version)).status_code == 200

    run(main())


def test_http3_is_announced_on_the_other_versions(run: Run, files: dict[str, Path]) -> None:
    """RFC 7838 section 3."""

    async def main() -> None:
        async with (
            Server(
                hello, bind="127.0.0.1:0", insecure_bind="127.0.0.1:0", cert=files["both"]
            ) as server,
            h123.AsyncClient(verify=files["ca"]) as client,
        ):
            for version in ("1.1", "2"):  # without TLS nobody could know who says so
                response = await client.get(server.urls[1], http_version=version)
                assert "alt-svc" not in response.headers
            port = server.urls[0].rpartition(":")[2]
            for version in ("1.1", "2"):
                response = await client.get(server.urls[0], http_version=version)
                assert response.headers["alt-svc"] == f'h3=":{port}"; ma=86400'
            response = await client.get(server.urls[0], http_version="3")
            assert "alt-svc" not in response.headers

    run(main())


SERVE = """
import sys, h123

async def handler(request):
    return h123.Response(200, text="hello")

h123.serve(handler, bind=None, insecure_bind="127.0.0.1:0",
           on_start=lambda server: print(*server.urls, flush=True))
print("stopped")
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_serve_in_good_order(number: signal.Signals) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE], stdout=subprocess.PIPE, text=True, env=dict(os.environ)
    )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        with h123.Client(timeout=20) as client:
            assert client.get(url).text == "hello"
            process.send_signal(number)
            assert process.wait(20) == 0
        assert process.stdout.read() == "stopped\n"
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
