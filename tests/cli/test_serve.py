"""`h123 serve`: what it prints, what it speaks, how it ends."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import stat
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import TIME, program, read_head, run
from tests.conftest import Program, Start

from h123 import Client
from h123.network.certificates import LocalCertificate


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "index.html").write_text("<h1>hello</h1>")
    return folder


class Served:
    """A running `h123 serve` and where it listens."""

    def __init__(self, program: Program, number: int) -> None:
        self.program = program
        self.urls = [program.read_line() for _ in range(number)]

    def stop(self, signal_number: int = signal.SIGTERM) -> tuple[int, str, str]:
        """Send a signal; return the exit code and what else it printed on stdout and stderr."""
        process = self.program.process
        process.send_signal(signal_number)
        out, err = process.communicate(timeout=TIME)
        return process.returncode, out, err


Serve = Callable[..., Served]


@pytest.fixture
def served(start_program: Start) -> Iterator[Serve]:
    """Start `h123 serve`, as often as need be."""
    running: list[Served] = []

    def start(*arguments: object, number: int = 1, **options: Any) -> Served:
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        process = start_program(program("serve", *arguments), **pipes, **options)
        running.append(Served(process, number))
        return running[-1]

    yield start
    for server in running:
        server.program.end()
        assert server.program.process.stderr is not None
        server.program.process.stderr.close()


def test_the_addresses_bound_are_printed_one_a_line(served: Serve, site: Path) -> None:
    server = served(site, "--bind", "localhost:0", "--insecure-bind", "127.0.0.1:0", number=2)
    secure, insecure = server.urls
    assert secure.startswith("https://localhost:")
    assert insecure.startswith("http://127.0.0.1:")
    assert 0 < int(secure.rpartition(":")[2]) < 65536
    code, out, _ = server.stop()
    assert (code, out) == (0, "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_it_with_exit_code_0(served: Serve, site: Path, number: int) -> None:
    server = served(site, "--bind", "none", "--insecure-bind", "127.0.0.1:0", "-q")
    assert server.stop(number) == (0, "", "")


def test_every_version_is_served_with_a_certificate_of_ones_own(
    served: Serve, site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    authority = tmp_path / "ca.pem"
    server = served(site, "--bind", "localhost:0", "--ca-out", authority)
    with Client(verify=str(authority)) as client:
        for version in ("1.1", "2", "3"):
            response = client.get(server.urls[0], http_version=version)
            assert (response.http_version, response.text) == (f"HTTP/{version}", "<h1>hello</h1>")
            if version != "3":
                port = server.urls[0].rpartition(":")[2]
                assert f'h3=":{port}"' in response.headers["alt-svc"]
    code, _, err = server.stop()
    assert code == 0
    assert f"--cacert {authority}" in err
    keys = list((tmp_path / "data" / "h123").glob("*key*"))
    assert keys
    assert all(stat.S_IMODE(key.stat().st_mode) == 0o600 for key in keys)


def test_a_certificate_that_is_given_is_used(
    served: Serve, site: Path, certificate: LocalCertificate
) -> None:
    server = served(
        site, "--bind", "127.0.0.1:0", "--cert", certificate.chain_file, "--key", certificate.key_file
    )  # fmt: skip
    with Client(verify=certificate.authority_file) as client:
        assert client.get(server.urls[0]).text == "<h1>hello</h1>"
    code, _, err = server.stop()
    assert code == 0
    assert "trust" not in err


@pytest.mark.parametrize("left_out", ["1", "2", "3"])
def test_versions_can_be_left_out(
    served: Serve, site: Path, certificate: LocalCertificate, left_out: str
) -> None:
    server = served(
        site, "--bind", "127.0.0.1:0", f"--no-http{left_out}",
        "--cert", certificate.chain_file, "--key", certificate.key_file,
    )  # fmt: skip
    port = int(server.urls[0].rpartition(":")[2])
    context = ssl.create_default_context(cafile=certificate.authority_file)
    context.set_alpn_protocols(["h2", "http/1.1"])
    with (
        socket.create_connection(("127.0.0.1", port), TIME) as sock,
        context.wrap_socket(sock, server_hostname="127.0.0.1") as tls,
    ):
        assert tls.selected_alpn_protocol() == ("http/1.1" if left_out == "2" else "h2")
    with Client(verify=certificate.authority_file) as client:
        response = client.get(server.urls[0])
        assert ("alt-svc" in response.headers) is (left_out != "3")
    assert server.stop()[0] == 0


def test_the_folder_of_now_is_the_default(served: Serve, site: Path) -> None:
    server = served("--bind", "none", "--insecure-bind", "127.0.0.1:0", cwd=site)
    with Client() as client:
        assert client.get(server.urls[0]).text == "<h1>hello</h1>"
        assert client.get(server.urls[0], http_version="2").http_version == "HTTP/2"


def test_each_request_is_a_line_on_stderr(served: Serve, site: Path) -> None:
    server = served(site, "--bind", "none", "--insecure-bind", "127.0.0.1:0")
    with Client() as client:
        client.get(server.urls[0] + "/missing?a=b")
    _, out, err = server.stop()
    assert out == ""
    assert len(err.splitlines()) == 1
    assert '"GET /missing?a=b HTTP/1.1" 404 ' in err


def test_quiet_prints_no_line_for_a_request(served: Serve, site: Path) -> None:
    server = served(site, "--bind", "none", "--insecure-bind", "127.0.0.1:0", "--quiet")
    with Client() as client:
        client.get(server.urls[0])
    assert server.stop() == (0, "", "")


def test_a_request_does_nothing_to_the_terminal(served: Serve, site: Path) -> None:
    server = served(site, "--bind", "none", "--insecure-bind", "127.0.0.1:0")
    with socket.create_connection(
        ("127.0.0.1", int(server.urls[0].rpartition(":")[2])), TIME
    ) as sock:
        sock.sendall(b"GET /\x9b31m HTTP/1.1\r\nHost: a\r\n\r\n")
        assert sock.recv(100).startswith(b"HTTP/1.1 4")
    assert "\x9b" not in server.stop()[2]


def test_what_is_under_way_is_finished_before_it_ends(served: Serve, site: Path) -> None:
    size = 20_000_000
    with (site / "large").open("wb") as file:
        file.truncate(size)
    server = served(site, "--bind", "none", "--insecure-bind", "127.0.0.1:0")
    address = ("127.0.0.1", int(server.urls[0].rpartition(":")[2]))
    with socket.create_connection(address, TIME) as sock:
        sock.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        data = read_head(sock)
        received = len(data.partition(b"\r\n\r\n")[2])
        server.program.process.send_signal(signal.SIGTERM)
        while True:  # from here on nobody is welcome, but who is here gets all of it
            try:
                socket.create_connection(address, TIME).close()
            except ConnectionError:
                break
        while more := sock.recv(1 << 16):
            received += len(more)
    assert received == size
    assert server.program.process.wait(TIME) == 0


# ------------------------------------------------------------------------------ wrong input


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["{folder}/missing"], ["{folder}/missing", "no such folder"]),
        (["{file}"], ["{file}"]),
        (["{folder}", "--bind", "127.0.0.1:{port}"], ["127.0.0.1:{port}", "in use"]),
        (["{folder}", "--bind", "none", "--insecure-bind", "127.0.0.1:{port}"], ["{port}", "in use"]),
        (["{folder}", "--bind", "nonsense"], ["nonsense", "HOST:PORT"]),
        (["{folder}", "--bind", "127.0.0.1:99999"], ["--bind", "99999"]),
        (["{folder}", "--bind", "https://localhost:1"], ["looks like a URL"]),
        (["{folder}", "--insecure-bind", "none"], ["--insecure-bind", "'none' is not HOST:PORT"]),
        (["{folder}", "--no-http1", "--no-http2", "--insecure-bind", "a:1"], ["--insecure-bind"]),
        (["{folder}", "--cert", "{cert}"], ["private key"]),
        (["{folder}", "--cert", "{folder}/missing.pem"], ["missing.pem"]),
        (["{folder}", "--cert", "{file}"], ["{file}", "certificate"]),
        (["{folder}", "--cert", "{cert}", "--key", "{cert}"], ["private key"]),
        (["{folder}", "--bind", "127.0.0.1:0", "--ca-out", "{folder}/no/ca.pem"], ["ca.pem"]),
        (["{folder}", "--key", "{cert}"], ["--cert"]),
        (["{folder}", "--bind", "none"], ["--insecure-bind"]),
        (["{folder}", "--bind", "none", "--insecure-bind", "a:1", "--ca-out", "x"], ["--ca-out"]),
        (["{folder}", "--cert", "{cert}", "--ca-out", "x"], ["--ca-out"]),
        (["{folder}", "--no-http1", "--no-http2", "--no-http3"], ["version"]),
        (["{folder}", "--bind", "none", "--insecure-bind", "a:1", "--no-http1", "--no-http2"], ["version"]),
    ],
)  # fmt: skip
def test_wrong_input_is_one_clear_line(
    site: Path, certificate: LocalCertificate, arguments: list[str], words: list[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        places = {
            "folder": site,
            "file": site / "index.html",
            "port": taken.getsockname()[1],
            "cert": certificate.chain_file,
        }
        outcome = run("serve", *(text.format(**places) for text in arguments))
    assert outcome.code in (1, 2)
    assert outcome.stdout == b""
    [line] = outcome.stderr.splitlines()
    assert line.startswith("h123: ")
    for word in words:
        assert word.format(**places) in line


def test_a_data_folder_that_can_not_be_used_is_told(site: Path, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    environment = {**os.environ, "XDG_DATA_HOME": str(tmp_path / "data")}
    outcome = run("serve", site, "--bind", "127.0.0.1:0", env=environment)
    assert outcome.code == 1
    assert str(tmp_path / "data") in outcome.stderr
    assert len(outcome.stderr.splitlines()) == 1


def test_nobody_to_print_to_is_no_reason_for_a_traceback(site: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    command = program("serve", site, "--bind", "none", "--insecure-bind", "127.0.0.1:0")
    try:
        with subprocess.Popen(command, stdout=write, stderr=subprocess.PIPE) as process:
            timer = threading.Timer(TIME, process.kill)
            timer.start()
            _, err = process.communicate()
            timer.cancel()
    finally:
        os.close(write)
    assert process.returncode == 1
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("engine", ["h11", "httptools"])
def test_another_engine_for_http_1_1(served: Serve, site: Path, engine: str) -> None:
    pytest.importorskip(engine)
    there = served(
        *(site, "--bind", "none", "--insecure-bind", "127.0.0.1:0", "--http1-engine", engine)
    )
    with Client(engines={"http/1.1": engine}) as client:
        for _ in range(2):
            response = client.get(there.urls[0])
            assert (response.status_code, response.text) == (200, "<h1>hello</h1>")
    assert there.stop()[0] == 0


def test_an_engine_that_nobody_knows(site: Path) -> None:
    done = run(
        *("serve", site, "--bind", "none", "--insecure-bind", "127.0.0.1:0", "--http1-engine", "no")
    )
    assert done.code == 1
    assert "no engine" in done.stderr
