"""Every failure has curl's exit code and one clear line on stderr (curl's manual, "EXIT CODES")."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import TIME, Outcome, RawServer, answering, echo, fetch, read_head, run
from tests.conftest import Serve, Serving

from h123 import Request, Response
from h123.network.certificates import LocalCertificate

Raw = Callable[[Callable[[socket.socket], object]], RawServer]


def failed(outcome: Outcome, code: int, *words: str) -> None:
    """Check the exit code, and that stderr is one line that says these words."""
    assert outcome.code == code, outcome.stderr
    lines = outcome.stderr.splitlines()
    assert len(lines) == 1, outcome.stderr
    assert lines[0].startswith(f"h123: ({code}) ")
    for word in words:
        assert word in lines[0]


@pytest.fixture(scope="module")
def server(serve: Serve) -> Serving:
    return serve(echo)


# ------------------------------------------------------------------ before anything is sent


@pytest.mark.parametrize(
    ("url", "code", "word"),
    [
        ("ftp://example.org/", 1, "ftp://"),
        ("gopher://example.org/", 1, "gopher://"),
        ("http://", 3, "no host"),
        ("http:///path", 3, "no URL"),
        ("http://host:99999/", 3, "port"),
        ("http://ho st/", 3, "no URL"),
        ("http://[::1/", 3, "no URL"),
        ("http://a\nb/", 3, "no URL"),
    ],
)
def test_a_url_that_is_none_or_of_another_kind(url: str, code: int, word: str) -> None:
    failed(fetch(url), code, word)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ([], "URL"),
        (["--no-such-option", "u"], "--no-such-option"),
        (["-H", "no colon", "u"], "no colon"),
        (["-H", "na me: x", "u"], "header name"),
        (["-F", "no-equals", "u"], "no-equals"),
        (["-d", "a", "-F", "a=b", "u"], "-d and -F"),
        (["-d", "a", "-T", "x", "u"], "-d and -T"),
        (["-d", "a", "-I", "u"], "-d and -I"),
        (["--http1.1", "--http3", "u"], "one HTTP version"),
        (["--key", "k", "u"], "--cert"),
        (["--resolve", "nonsense", "u"], "HOST:PORT:ADDRESS"),
        (["--resolve", "a:b:c", "u"], "no port"),
        (["--connect-to", "a:b", "u"], "HOST1:PORT1:HOST2:PORT2"),
        (["--connect-to", ":99999:a:1", "u"], "no port"),
        (["-x", "socks5://p", "u"], "http://"),
        (["-b", "cookies.txt", "u"], "cookies.txt"),
        (["--max-time", "-1", "u"], "-1"),
        (["--max-time", "soon", "u"], "soon"),
    ],
)
def test_a_command_line_that_makes_no_sense_is_2(arguments: list[str], word: str) -> None:
    outcome = run("fetch", *arguments)
    assert outcome.code == 2
    assert len(outcome.stderr.splitlines()) == 1
    assert outcome.stderr.startswith("h123: ")
    assert word in outcome.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["-d", "@{missing}"],
        ["--data-binary", "@{missing}"],
        ["--data-urlencode", "a@{missing}"],
        ["--json", "@{missing}"],
        ["-H", "@{missing}"],
        ["-F", "a=@{missing}"],
        ["-F", "a=<{missing}"],
        ["-T", "{missing}"],
        ["-T", "{folder}"],
        ["-w", "@{missing}"],
    ],
)
def test_a_file_that_can_not_be_read_is_26(
    server: Serving, tmp_path: Path, arguments: list[str]
) -> None:
    places = {"missing": tmp_path / "missing", "folder": tmp_path}
    given = [argument.format(**places) for argument in arguments]
    failed(fetch(server.http(), *given), 26, str(tmp_path))


def test_files_of_certificates_that_can_not_be_used(server: Serving, tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    other.write_text("this is no certificate")
    failed(fetch(server.https(), "--cacert", tmp_path / "missing"), 77, "missing")
    failed(fetch(server.https(), "--cacert", other), 77, "other.pem")
    failed(fetch(server.https(), "-k", "--cert", tmp_path / "missing"), 58, "missing")
    failed(fetch(server.https(), "-k", "--cert", other), 58, "other.pem")


# ------------------------------------------------------------------------------ connecting


@pytest.fixture
def no_resolver(monkeypatch: pytest.MonkeyPatch) -> None:
    """No name has an address, and nobody is asked for one."""

    def refuse(host: Any, *_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.mark.usefixtures("no_resolver")
@pytest.mark.parametrize("version", ["--http1.1", "--http2", "--http3", "--http3-only"])
def test_a_name_that_does_not_resolve_is_6(version: str) -> None:
    failed(fetch("https://nowhere.example/", version), 6, "nowhere.example")


@pytest.mark.usefixtures("no_resolver")
def test_a_proxy_that_does_not_resolve_is_5() -> None:
    failed(fetch("http://127.0.0.1/", "-x", "proxy.example:3128"), 5, "proxy.example")


def test_a_refused_connection_is_7(unused_port: int) -> None:
    failed(fetch(f"http://127.0.0.1:{unused_port}/"), 7, "connection refused")
    failed(fetch(f"https://127.0.0.1:{unused_port}/"), 7, "connection refused")
    failed(fetch("http://h/", "-x", f"127.0.0.1:{unused_port}"), 7, "proxy", "connection refused")


def test_a_refused_connection_over_quic_is_7(unused_port: int) -> None:
    failed(fetch(f"https://127.0.0.1:{unused_port}/", "--http3-only"), 7, str(unused_port))


@pytest.mark.parametrize("version", ["--http1.1", "--http2", "--http3-only"])
def test_a_certificate_that_nobody_vouches_for_is_60(server: Serving, version: str) -> None:
    failed(fetch(server.https(), version), 60, "certificate")


@pytest.mark.parametrize("version", ["--http1.1", "--http2", "--http3-only"])
def test_a_certificate_for_another_name_is_60(server: Serving, ca_file: str, version: str) -> None:
    port = server.port()
    outcome = fetch(
        f"https://other.localhost:{port}/", version, "--cacert", ca_file,
        "--connect-to", "::localhost:",
    )  # fmt: skip
    failed(outcome, 60, "certificate")


def test_a_server_without_tls_is_35(server: Serving) -> None:
    failed(fetch(f"https://localhost:{server.port('http')}/"), 35, "did not speak TLS")


def test_a_server_that_hangs_up_in_the_handshake_is_35(raw_server: Raw) -> None:
    port = raw_server(lambda connection: connection.recv(65536)).port
    failed(fetch(f"https://127.0.0.1:{port}/"), 35, "hung up")


def test_no_version_in_common(serve: Serve, ca_file: str) -> None:
    only_http1 = serve(echo, http2=False, http3=False)
    outcome = fetch(only_http1.https(), "--http2-prior-knowledge", "--cacert", ca_file)
    assert outcome.code in (7, 35)
    assert len(outcome.stderr.splitlines()) == 1


def test_a_server_that_never_answers_a_handshake_is_28(raw_server: Raw) -> None:
    over = threading.Event()
    server = raw_server(lambda _: over.wait(TIME))
    try:
        outcome = fetch(f"https://127.0.0.1:{server.port}/", "--connect-timeout", 0.3)
    finally:
        over.set()
    failed(outcome, 28, "TLS handshake", "took longer")


def test_udp_that_is_dropped_is_28() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        url = f"https://127.0.0.1:{silent.getsockname()[1]}/"
        failed(fetch(url, "--http3-only", "--connect-timeout", 0.3), 28, "QUIC")


def test_a_proxy_that_refuses_a_tunnel_is_56(raw_server: Raw) -> None:
    proxy = raw_server(answering(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"))
    failed(fetch("https://example.org/", "-x", proxy.url), 56, "403")


# ---------------------------------------------------------------------------- the exchange


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        pytest.param(b"", 52, id="nothing"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-", 52, id="a part of a head"),
        pytest.param(b"220 mail.example ESMTP\r\n", 8, id="another protocol"),
        pytest.param(b"\x00\x01\x02" * 100, 8, id="garbage"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", 18, id="half the content"
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
            18,
            id="half the chunks",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n", 56, id="no chunk"
        ),
    ],
)
def test_http1_servers_that_break_off_or_break_rules(
    raw_server: Raw, answer: bytes, code: int
) -> None:
    server = raw_server(answering(answer))
    failed(fetch(server.url), code, f"127.0.0.1:{server.port}")


def test_what_came_before_the_break_is_written(raw_server: Raw) -> None:
    server = raw_server(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"))
    assert fetch(server.url).stdout == b"half"


def reset(connection: socket.socket) -> None:
    """Read a request and answer it with a reset of the connection."""
    read_head(connection)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def test_a_reset_connection_is_56(raw_server: Raw) -> None:
    failed(fetch(raw_server(reset).url), 56, "reset")


async def breaking(request: Request) -> Response:
    async def content() -> AsyncIterator[bytes]:
        yield b"half"
        raise RuntimeError("on purpose")

    return Response(200, headers={"Content-Length": "10"}, content=content())


@pytest.mark.parametrize(
    ("version", "code"), [("--http1.1", 18), ("--http2", 92), ("--http3-only", 95)]
)
def test_a_response_that_breaks_off(serve: Serve, ca_file: str, version: str, code: int) -> None:
    server = serve(breaking)
    outcome = fetch(server.https(), version, "--cacert", ca_file)
    server.errors.clear()
    failed(outcome, code, "localhost")


def test_an_http2_server_that_is_none_is_16(raw_server: Raw) -> None:
    server = raw_server(answering(b"HTTP/1.1 400 Bad Request\r\n\r\n" + bytes(100)))
    failed(fetch(server.url, "--http2-prior-knowledge"), 16)


H2_SETTINGS = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
H2_STATUS_200 = b"\x00\x00\x01\x01\x04\x00\x00\x00\x01\x88"
H2_HALF = b"\x00\x00\x04\x00\x00\x00\x00\x00\x01half"


@pytest.mark.parametrize(
    ("answer", "code"), [(H2_SETTINGS, 52), (H2_SETTINGS + H2_STATUS_200 + H2_HALF, 18)]
)
def test_an_http2_connection_that_is_cut_off(raw_server: Raw, answer: bytes, code: int) -> None:
    def script(connection: socket.socket) -> None:
        answering(answer)(connection)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass

    failed(fetch(raw_server(script).url, "--http2-prior-knowledge"), code)


def test_a_transfer_that_takes_too_long_is_28(raw_server: Raw) -> None:
    over = threading.Event()

    def drip(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
        over.wait(TIME)

    server = raw_server(drip)
    begin = time.monotonic()
    try:
        outcome = fetch(server.url, "--max-time", 0.3)
    finally:
        over.set()
    failed(outcome, 28, "0.3 s")
    assert time.monotonic() - begin < TIME


@pytest.mark.parametrize("option", ["-f", "--fail-with-body"])
def test_a_status_that_is_a_failure_is_22(server: Serving, option: str) -> None:
    outcome = fetch(server.http("/?status=503"), option)
    failed(outcome, 22, "503", "Service Unavailable")
    assert bool(outcome.stdout) is (option == "--fail-with-body")


def test_without_fail_an_error_is_a_response_like_others(server: Serving) -> None:
    assert fetch(server.http("/?status=404")).succeeded().json["method"] == "GET"


def test_too_many_redirects_is_47(server: Serving) -> None:
    url = server.http("/?to=/%3Fto%3D/")
    failed(fetch(url, "-L", "--max-redirs", 1), 47, "more than 1 redirects")
    assert fetch(url, "-L", "--max-redirs", 2).code == 0


def test_content_that_does_not_decode_is_61(raw_server: Raw) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n"
    server = raw_server(answering(head + b"junk"))
    failed(fetch(server.url, "--compressed"), 61)
    assert fetch(server.url).succeeded().stdout == b"junk"


def test_an_upload_from_a_pipe_that_is_redirected_is_65(server: Serving) -> None:
    url = server.http("/?to=/&status=307")
    outcome = run("fetch", url, "-L", "-T", "-", input=b"once")
    failed(outcome, 65)


# --------------------------------------------------------------------------------- writing


def test_a_file_that_can_not_be_written_is_23(server: Serving, tmp_path: Path) -> None:
    failed(fetch(server.http(), "-o", tmp_path), 23, str(tmp_path))
    failed(fetch(server.http(), "-o", tmp_path / "no" / "file"), 23, "no")
    failed(fetch(server.http("/a/"), "-O"), 23, "-o")
    failed(fetch(server.http(), "-D", tmp_path), 23, str(tmp_path))


def test_a_full_disk_is_23(server: Serving) -> None:
    failed(run("fetch", server.http(), "-o", "/dev/full"), 23, "/dev/full")
    with open("/dev/full", "wb") as full:
        import subprocess

        from tests.cli.conftest import program

        done = subprocess.run(
            program("fetch", server.http()), stdout=full, stderr=subprocess.PIPE, timeout=TIME
        )
    failed(Outcome(done.returncode, b"", done.stderr.decode()), 23, "standard output")


def test_a_closed_stdout_is_23(server: Serving) -> None:
    import subprocess

    from tests.cli.conftest import program

    command = [*program("fetch", server.http())]
    shell = ["sh", "-c", 'exec "$@" >&-', "sh", *map(str, command)]
    done = subprocess.run(shell, stderr=subprocess.PIPE, timeout=TIME)
    failed(Outcome(done.returncode, b"", done.stderr.decode()), 23, "stdout")


# --------------------------------------------------------------------------------- telling


def test_silent_says_nothing_unless_show_error_does(unused_port: int) -> None:
    url = f"http://127.0.0.1:{unused_port}/"
    silent = fetch("-s", url)
    assert (silent.code, silent.stderr) == (7, "")
    failed(fetch("-sS", url), 7)


def test_of_several_the_first_failure_counts_in_the_order_of_the_urls(
    server: Serving, unused_port: int
) -> None:
    outcome = fetch(
        server.http(), "ftp://x/", f"http://127.0.0.1:{unused_port}/", "http://", server.http()
    )
    assert outcome.code == 1
    assert [line.split()[1] for line in outcome.stderr.splitlines()] == ["(1)", "(7)", "(3)"]
    assert outcome.text.count('"method"') == 2


def test_http3_falls_back_to_what_there_is(serve: Serve, ca_file: str) -> None:
    server = serve(echo, http3=False)
    outcome = fetch(server.https(), "--http3", "--cacert", ca_file).succeeded()
    assert outcome.json["version"] == "HTTP/2"


def test_a_client_certificate_is_shown(server: Serving, certificate: LocalCertificate) -> None:
    given = ("--cert", certificate.chain_file, "--key", certificate.key_file)
    for version in ("--http1.1", "--http3-only"):
        fetch(server.https(), version, "--cacert", certificate.authority_file, *given).succeeded()
