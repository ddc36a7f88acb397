"""`h123 fetch` does what curl's manual says of options by these names."""

from __future__ import annotations

import gzip
import io
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.cli.conftest import (
    TIME,
    Outcome,
    RawServer,
    answering,
    echo,
    fetch,
    program,
    read_head,
    run,
)
from tests.conftest import Serve, Serving

from h123 import Request, Response
from h123._version import __version__
from h123.cli.main import h123 as command

Raw = Callable[[Callable[[socket.socket], object]], RawServer]


@pytest.fixture(scope="module")
def server(serve: Serve) -> Serving:
    return serve(echo)


def header(outcome: Outcome, name: str) -> str | None:
    """Return what the server saw of a field."""
    values = [value for key, value in outcome.json["headers"] if key == name]
    return ", ".join(values) if values else None


# ---------------------------------------------------------------------------- method, fields


@pytest.mark.parametrize(
    ("arguments", "method"),
    [
        ([], "GET"),
        (["-X", "BREW"], "BREW"),
        (["-d", "a=b"], "POST"),
        (["-d", "a=b", "-X", "PATCH"], "PATCH"),
        (["-F", "a=b"], "POST"),
        (["--json", "{}"], "POST"),
        (["-d", "a=b", "-G"], "GET"),
    ],
)
def test_the_method_follows_from_what_is_sent(
    server: Serving, arguments: list[str], method: str
) -> None:
    assert fetch(server.http(), *arguments).succeeded().json["method"] == method


def test_the_fields_that_are_sent_unasked(server: Serving) -> None:
    outcome = fetch(server.http()).succeeded()
    assert header(outcome, "accept") == "*/*"
    assert header(outcome, "user-agent") == f"h123/{__version__}"
    assert header(outcome, "accept-encoding") is None


def test_fields_are_added_replaced_emptied_and_left_out(server: Serving, tmp_path: Path) -> None:
    file = tmp_path / "headers"
    file.write_text("X-From: a file\n\nX-Also: this\n")
    outcome = fetch(
        server.http(), "-H", "X-One: 1", "-H", "X-Two: a", "-H", "x-two: b", "-H", "Accept:",
        "-H", "User-Agent: me", "-H", "X-Empty;", "-H", f"@{file}",
    ).succeeded()  # fmt: skip
    assert header(outcome, "x-one") == "1"
    assert header(outcome, "x-two") == "a, b"
    assert header(outcome, "accept") is None
    assert header(outcome, "user-agent") == "me"
    assert header(outcome, "x-empty") == ""
    assert header(outcome, "x-from") == "a file"
    assert header(outcome, "x-also") == "this"


def test_options_that_stand_for_fields(server: Serving) -> None:
    outcome = fetch(
        server.http(), "-A", "me", "-e", "http://before/", "-b", "a=1", "-b", "b=2; c=3",
        "-u", "user:pass:word", "-r", "0-9",
    ).succeeded()  # fmt: skip
    assert header(outcome, "user-agent") == "me"
    assert header(outcome, "referer") == "http://before/"
    assert header(outcome, "cookie") == "a=1; b=2; c=3"
    assert header(outcome, "authorization") == "Basic dXNlcjpwYXNzOndvcmQ="
    assert header(outcome, "range") == "bytes=0-9"


def test_a_user_without_a_password_is_asked_for_it(server: Serving) -> None:
    arguments = ["fetch", server.http(), "-u", "me"]
    result = CliRunner().invoke(command, arguments, input="secret\n")
    assert "Password for me" in result.stderr
    outcome = Outcome(result.exit_code, result.stdout_bytes, result.stderr)
    assert header(outcome, "authorization") == "Basic bWU6c2VjcmV0"


# -------------------------------------------------------------------------------------- data


@pytest.mark.parametrize(
    ("arguments", "content"),
    [
        (["-d", "a=b"], "a=b"),
        (["-d", "a=b", "-d", "c"], "a=b&c"),
        (["-d", "@{file}"], "one two"),
        (["--data-binary", "@{file}"], "one\r\n two\n"),
        (["--data-raw", "@name"], "@name"),
        (["--data-urlencode", "a b&c%"], "a%20b%26c%25"),
        (["--data-urlencode", "=a=b"], "a%3Db"),
        (["--data-urlencode", "name=ä"], "name=%C3%A4"),
        (["--data-urlencode", "@{file}"], "one%0D%0A%20two%0A"),
        (["--data-urlencode", "name@{file}"], "name=one%0D%0A%20two%0A"),
        (["-d", "1", "--data-raw", "2", "-d", "3", "--data-binary", "@{file}"],
         "1&2&3&one\r\n two\n"),
        (["--json", '{{"a":', "--json", "1}}"], '{"a":1}'),
        (["--json", "@{file}"], "one\r\n two\n"),
    ],
)  # fmt: skip
def test_data(server: Serving, tmp_path: Path, arguments: list[str], content: str) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"one\r\n two\n")
    outcome = fetch(server.http(), *(text.format(file=file) for text in arguments)).succeeded()
    assert outcome.json["content"] == content
    kind = "application/json" if "--json" in arguments else "application/x-www-form-urlencoded"
    assert header(outcome, "content-type") == kind
    assert header(outcome, "content-length") == str(len(content))


def test_data_from_standard_input(server: Serving) -> None:
    for option in ("-d", "--data-binary", "--json"):
        outcome = run("fetch", server.http(), option, "@-", input=b"from a pipe")
        assert outcome.succeeded().json["content"] == "from a pipe"


def test_json_names_itself_and_what_it_wants(server: Serving) -> None:
    outcome = fetch(server.http(), "--json", "[]").succeeded()
    assert header(outcome, "accept") == "application/json"
    assert header(fetch(server.http(), "--json", "[]", "-H", "Accept: a/b"), "accept") == "a/b"


@pytest.mark.parametrize(("query", "target"), [("", "/?a=1&b=2"), ("?x=y", "/?x=y&a=1&b=2")])
def test_get_puts_data_into_the_query(server: Serving, query: str, target: str) -> None:
    outcome = fetch(server.http("/" + query), "-G", "-d", "a=1", "-d", "b=2").succeeded()
    assert (outcome.json["target"], outcome.json["content"]) == (target, "")


def test_a_form_with_files_in_the_order_given(server: Serving, tmp_path: Path) -> None:
    file = tmp_path / "file.txt"
    file.write_bytes(b"from the file")
    outcome = fetch(
        server.http(), "-F", "first=1", "-F", f"up=@{file}",
        "-F", f"typed=@{file};type=image/x; a=b;filename=other", "-F", f"text=<{file}",
        "-F", "json={};type=application/json", "--form-string", "plain=@x;type=y",
    ).succeeded()  # fmt: skip
    kind = header(outcome, "content-type") or ""
    boundary = kind.removeprefix("multipart/form-data; boundary=")
    assert boundary != kind
    parts = outcome.json["content"].split(f"--{boundary}")[1:-1]
    assert [part.strip("\r\n").replace("\r\n", "\n") for part in parts] == [
        'Content-Disposition: form-data; name="first"\n\n1',
        (
            'Content-Disposition: form-data; name="up"; filename="file.txt"\nContent-Type: text/plain\n\n'
            "from the file"
        ),
        (
            'Content-Disposition: form-data; name="typed"; filename="other"\n'
            "Content-Type: image/x; a=b\n\nfrom the file"
        ),
        'Content-Disposition: form-data; name="text"\n\nfrom the file',
        'Content-Disposition: form-data; name="json"\nContent-Type: application/json\n\n{}',
        'Content-Disposition: form-data; name="plain"\n\n@x;type=y',
    ]


@pytest.mark.parametrize("version", ["--http1.1", "--http2", "--http3-only"])
def test_an_upload_has_the_length_of_its_file(
    server: Serving, ca_file: str, tmp_path: Path, version: str
) -> None:
    file = tmp_path / "name.bin"
    file.write_bytes(os.urandom(300_000))
    outcome = fetch(server.https("/in/"), version, "--cacert", ca_file, "-T", file).succeeded()
    assert outcome.json["method"] == "PUT"
    assert outcome.json["target"] == "/in/name.bin"
    assert header(outcome, "content-length") == "300000"
    assert outcome.json["content"].encode("latin-1") == file.read_bytes()


@pytest.mark.parametrize("version", ["--http1.1", "--http2", "--http3-only"])
def test_an_upload_from_a_pipe_has_no_length(server: Serving, ca_file: str, version: str) -> None:
    content = os.urandom(300_000)
    url = server.https("/in")
    outcome = run("fetch", url, version, "--cacert", ca_file, "-T", "-", input=content)
    assert header(outcome.succeeded(), "content-length") is None
    assert outcome.json["content"].encode("latin-1") == content


def test_an_upload_from_a_file_on_standard_input(server: Serving, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x" * 200_000)
    with file.open("rb") as given:
        outcome = run("fetch", server.http("/in"), "-T", "-", stdin=given)
    assert len(outcome.succeeded().json["content"]) == 200_000


def test_an_upload_from_a_pipe_goes_out_as_it_comes(raw_server: Raw) -> None:
    came: list[bytes] = []
    has_first = threading.Event()

    def watch(connection: socket.socket) -> None:
        data = read_head(connection)
        while b"first" not in data:
            data += connection.recv(65536)
        came.append(data)
        has_first.set()
        while not data.endswith(b"0\r\n\r\n"):
            data += connection.recv(65536)
        connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    command = program("fetch", raw_server(watch).url, "-T", "-")
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(b"first")
        process.stdin.flush()
        assert has_first.wait(TIME)
        process.stdin.write(b"second")
        process.stdin.close()
        assert process.wait(TIME) == 0
    assert b"second" not in came[0]


# ---------------------------------------------------------------------------------- versions


@pytest.mark.parametrize(
    ("option", "version"),
    [
        (None, "HTTP/2"),
        ("--http1.1", "HTTP/1.1"),
        ("--http2", "HTTP/2"),
        ("--http2-prior-knowledge", "HTTP/2"),
        ("--http3", "HTTP/3"),
        ("--http3-only", "HTTP/3"),
    ],
)
def test_the_version_over_tls(
    server: Serving, ca_file: str, option: str | None, version: str
) -> None:
    arguments = [option] if option else []
    outcome = fetch(server.https(), "--cacert", ca_file, *arguments).succeeded()
    assert outcome.json["version"] == version


@pytest.mark.parametrize(
    ("option", "version"),
    [
        (None, "HTTP/1.1"),
        ("--http1.1", "HTTP/1.1"),
        ("--http2", "HTTP/1.1"),
        ("--http2-prior-knowledge", "HTTP/2"),
        ("--http3", "HTTP/1.1"),
    ],
)
def test_the_version_in_cleartext(server: Serving, option: str | None, version: str) -> None:
    outcome = fetch(server.http(), *([option] if option else [])).succeeded()
    assert outcome.json["version"] == version


def test_http3_only_has_no_cleartext(server: Serving) -> None:
    assert fetch(server.http(), "--http3-only").code == 1


@pytest.mark.parametrize("version", ["--http1.1", "--http2", "--http3-only"])
def test_insecure_trusts_any_certificate(server: Serving, version: str) -> None:
    fetch(server.https(), "-k", version).succeeded()


# ------------------------------------------------------------------------------- connections


@pytest.mark.parametrize("version", ["--http1.1", "--http3-only"])
@pytest.mark.parametrize(
    "options",
    [
        ["--resolve", "name.localhost:4321:127.0.0.1", "--connect-to", "name.localhost:4321::{port}",
         "--resolve", "name.localhost:{port}:[::1]"],
        ["--connect-to", "name.localhost:4321:localhost:{port}"],
        ["--connect-to", "::[::1]:{port}"],
    ],
)  # fmt: skip
def test_detours_change_where_to_connect_and_nothing_else(
    server: Serving, version: str, options: list[str]
) -> None:
    given = [text.format(port=server.port()) for text in options]
    outcome = fetch("https://name.localhost:4321/", "-k", version, *given).succeeded()
    if version == "--http1.1":
        assert header(outcome, "host") == "name.localhost:4321"


def test_resolve_takes_a_name_for_any_host(server: Serving) -> None:
    port = server.port("http")
    fetch(f"http://no.such.name:{port}/", "--resolve", f"*:{port}:127.0.0.1,::1").succeeded()


def test_a_proxy_is_asked_in_absolute_form(raw_server: Raw) -> None:
    heads: list[bytes] = []

    def proxy(connection: socket.socket) -> None:
        heads.append(read_head(connection))
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    place = f"127.0.0.1:{raw_server(proxy).port}"
    assert fetch("http://example.org/a", "-x", place, "-U", "me:secret").succeeded().text == "ok"
    assert heads[0].startswith(b"GET http://example.org/a HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic bWU6c2VjcmV0\r\n" in heads[0]


@pytest.mark.parametrize("version", ["--http1.1", "--http2", "--http3-only"])
def test_a_host_that_is_given_is_whom_the_request_is_for(
    serve: Serve, ca_file: str, version: str
) -> None:
    async def answer(request: Request) -> Response:
        return Response(200, text=str(request.url))

    url = serve(answer).https()
    outcome = fetch(url, version, "--cacert", ca_file, "-H", "Host: other.example")
    assert outcome.succeeded().text == "https://other.example/"


def test_http3_does_not_keep_the_others_waiting_for_long(
    serve: Serve, ca_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("h123.cli.fetch.transfer.HASTE", 0.2)
    server = serve(echo, http3=False, bind="127.0.0.1:0")
    with socket.socket(type=socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", server.port()))
        url = f"https://127.0.0.1:{server.port()}/"
        outcome = fetch(url, "--http3", "--cacert", ca_file).succeeded()
    assert outcome.json["version"] == "HTTP/2"


# --------------------------------------------------------------------------------- redirects


def test_redirects_are_followed_only_when_asked(server: Serving) -> None:
    url = server.http("/?to=/there")
    assert fetch(url).succeeded().text == "over there\n"
    assert fetch(url, "-L").succeeded().json["target"] == "/there"


def test_a_redirect_to_nowhere_matters_only_to_who_follows(server: Serving) -> None:
    url = server.http("/?to=http://[bad")
    assert fetch(url).succeeded().text == "over there\n"
    assert fetch(url, "-L").code == 3
    assert fetch(server.http("/?to=ftp://a/"), "-L").code == 1


@pytest.mark.parametrize(
    ("status", "method", "content"),
    [(301, "GET", ""), (302, "GET", ""), (303, "GET", ""), (307, "POST", "a=b"), (308, "POST", "a=b")],
)  # fmt: skip
def test_what_a_redirect_keeps(server: Serving, status: int, method: str, content: str) -> None:
    """RFC 9110 section 15.4."""
    url = server.http(f"/?to=/there&status={status}")
    outcome = fetch(url, "-L", "-d", "a=b").succeeded()
    assert (outcome.json["method"], outcome.json["content"]) == (method, content)


def test_secrets_stay_with_their_origin(serve: Serve, server: Serving) -> None:
    other = serve(echo)
    given = ("-L", "-u", "me:secret", "-b", "a=1")
    same = fetch(server.http("/?to=/there"), *given).succeeded()
    assert (header(same, "authorization"), header(same, "cookie")) == ("Basic bWU6c2VjcmV0", "a=1")
    elsewhere = fetch(server.http(f"/?to={other.http('/there')}"), *given).succeeded()
    assert header(elsewhere, "authorization") is None
    assert header(elsewhere, "cookie") is None


def test_cookies_of_servers_are_kept_only_when_asked(server: Serving, raw_server: Raw) -> None:
    target = f"http://127.0.0.1:{server.port('http')}/there"
    head = f"HTTP/1.1 302 Found\r\nSet-Cookie: flavour=oat\r\nLocation: {target}\r\n"
    first = raw_server(answering(f"{head}Content-Length: 0\r\n\r\n".encode()))
    assert header(fetch(first.url, "-L").succeeded(), "cookie") is None
    assert header(fetch(first.url, "-L", "-b", "").succeeded(), "cookie") == "flavour=oat"


# ------------------------------------------------------------------------------------ output


def test_output_goes_to_files_one_for_each_url(server: Serving, tmp_path: Path) -> None:
    outcome = fetch(
        server.http("/a"), server.http("/b.json?x=y"), server.http("/c"),
        "-o", "first", "-O", "--output-dir", tmp_path,
    ).succeeded()  # fmt: skip
    assert outcome.json["target"] == "/c"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.json", "first"]
    assert b'"/a"' in (tmp_path / "first").read_bytes()


def test_remote_name_all_and_create_dirs(server: Serving, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    urls = (server.http("/one"), server.http("/two"))
    fetch(*urls, "--remote-name-all", "--output-dir", folder, "--create-dirs").succeeded()
    assert sorted(path.name for path in folder.iterdir()) == ["one", "two"]


def test_an_output_without_content_is_an_empty_file(raw_server: Raw, tmp_path: Path) -> None:
    server = raw_server(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
    fetch(server.url, "-o", tmp_path / "empty").succeeded()
    assert (tmp_path / "empty").read_bytes() == b""


def test_include_shows_heads_first_those_of_redirects_and_1xx_too(raw_server: Raw) -> None:
    answer = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 Fine\r\nContent-Length: 2\r\nX-A: b\r\n\r\nok"
    end = raw_server(answering(answer))
    head = b"HTTP/1.1 302 Found\r\nLocation: %b\r\nContent-Length: 0\r\n\r\n" % end.url.encode()
    outcome = fetch(raw_server(answering(head)).url, "-i", "-L").succeeded()
    assert outcome.stdout == head + answer


def test_heads_of_other_versions_look_like_curls(server: Serving, ca_file: str) -> None:
    outcome = fetch(server.https(), "--cacert", ca_file, "-i", "--http2").succeeded()
    assert outcome.stdout.startswith(b"HTTP/2 200 \r\n")
    assert b"\r\nx-twice: a\r\n" in outcome.stdout


@pytest.mark.parametrize("version", ["--http1.1", "--http2", "--http3-only"])
def test_head_asks_for_and_shows_the_head_alone(
    server: Serving, ca_file: str, version: str
) -> None:
    outcome = fetch(server.https(), "-I", version, "--cacert", ca_file).succeeded()
    assert outcome.stdout.endswith(b"\r\n\r\n")
    assert outcome.stdout.count(b"\r\n\r\n") == 1
    assert b"ontent-" in outcome.stdout


def test_heads_go_to_a_file_of_their_own(server: Serving, tmp_path: Path) -> None:
    outcome = fetch(server.http(), "-D", tmp_path / "heads").succeeded()
    assert (tmp_path / "heads").read_bytes().startswith(b"HTTP/1.1 200 OK\r\n")
    assert outcome.json
    both = fetch(server.http(), "-D", "-", "-o", tmp_path / "content").succeeded()
    assert both.stdout.endswith(b"\r\n\r\n")


def test_content_comes_as_it_is_unless_compressed_is_asked(raw_server: Raw) -> None:
    packed = gzip.compress(b"hello " * 100)
    heads: list[bytes] = []

    def script(connection: socket.socket) -> None:
        heads.append(read_head(connection))
        fields = b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + fields + packed)

    server = raw_server(script)
    assert fetch(server.url).succeeded().stdout == packed
    assert fetch(server.url, "--compressed").succeeded().stdout == b"hello " * 100
    assert b"accept-encoding" not in heads[0].lower()
    assert b"gzip" in heads[1]


def test_write_out(server: Serving, ca_file: str, tmp_path: Path) -> None:
    form = "%{http_code}|%{http_version}|%{method}|%{scheme}|%{size_download}|%{content_type}|%{url}|%header{x-twice}|%%|%{nothing}\\n"
    url = server.https()
    outcome = fetch(url, "-o", tmp_path / "f", "--cacert", ca_file, "-w", form).succeeded()
    size = (tmp_path / "f").stat().st_size
    assert outcome.text == f"200|2|GET|https|{size}|application/json|{url}|a|%|\n"


def test_write_out_times_and_places(server: Serving, tmp_path: Path) -> None:
    form = "%{time_connect} %{time_starttransfer} %{time_total} %{remote_ip} %{remote_port} %{filename_effective} %{num_redirects} %{size_upload}"
    path = tmp_path / "f"
    outcome = fetch(server.http(), "-o", path, "-d", "12345", "-w", form).succeeded()
    connect, first, total, *rest = outcome.text.split()
    assert 0 < float(connect) <= float(first) <= float(total)
    assert rest == ["::1", str(server.port("http")), str(path), "0", "5"]


def test_write_out_of_a_failure_and_as_json(unused_port: int, server: Serving) -> None:
    outcome = fetch(
        "-s", f"http://127.0.0.1:{unused_port}/", "-w", "%{http_code} %{exitcode} %{errormsg}"
    )
    assert re.fullmatch(r"000 7 .*connection refused", outcome.text)
    report = fetch(server.http("/?status=404"), "-o", "/dev/null", "-w", "%{json}").succeeded().json
    assert (report["response_code"], report["num_redirects"]) == (404, 0)
    headers = fetch(server.http(), "-o", "/dev/null", "-w", "%{header_json}").succeeded().json
    assert headers["x-twice"] == ["a"]


# ----------------------------------------------------------------------------------- verbose


def test_verbose_shows_the_exchange_on_stderr(server: Serving, ca_file: str) -> None:
    outcome = fetch(server.https("/a?b"), "-v", "--http1.1", "--cacert", ca_file, "-H", "X-A: b")
    lines = outcome.stderr.splitlines()
    assert lines[0].startswith("* connected to localhost ([::1]:")
    assert lines[0].endswith("(HTTP/1.1)")
    assert any(line.startswith("* TLSv1.3, ") for line in lines)
    assert "* certificate: CN=localhost,O=h123, for localhost, 127.0.0.1, ::1" in lines
    assert f"> Host: localhost:{server.port()}" in lines
    assert (
        lines.index("> GET /a?b HTTP/1.1")
        < lines.index("> X-A: b")
        < lines.index("< HTTP/1.1 200 OK")
    )
    assert outcome.json["target"] == "/a?b"


@pytest.mark.parametrize(("option", "version"), [("--http2", "HTTP/2"), ("--http3-only", "HTTP/3")])
def test_verbose_tells_the_version(
    server: Serving, ca_file: str, option: str, version: str
) -> None:
    outcome = fetch(server.https(), "-v", option, "--cacert", ca_file)
    for line in (f"> GET / {version}", "> :method: GET", "> :path: /", f"< {version} 200"):
        assert line in outcome.stderr.splitlines()
    assert "* certificate: CN=localhost" in outcome.stderr


def test_verbose_tells_of_a_fall_back_and_of_a_connection_used_again(
    serve: Serve, ca_file: str
) -> None:
    server = serve(echo, http3=False)
    outcome = fetch(server.https("/?to=/"), "-vL", "--http3", "--cacert", ca_file)
    assert outcome.code == 0
    assert "* HTTP/3: " in outcome.stderr
    assert "* used the connection to localhost" in outcome.stderr


def test_what_a_server_sends_does_nothing_to_the_terminal(raw_server: Raw) -> None:
    server = raw_server(
        answering("HTTP/1.1 200 OK\r\nX: \x9b31m\r\nContent-Length: 0\r\n\r\n".encode("latin-1"))
    )
    outcome = fetch(server.url, "-v")
    assert "\x9b" not in outcome.stderr
    assert "X: " in outcome.stderr


# ----------------------------------------------------------------------------- several at once


async def late(request: Request) -> Response:
    """Answer `/n` with its number, the first ones last, each waiting for the ones after it."""
    number = int(request.target[1:])
    arrived[number].set()
    if number + 1 < len(arrived):
        import asyncio

        await asyncio.get_running_loop().run_in_executor(None, arrived[number + 1].wait, TIME)

    async def content() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield bytes(str(number), "ascii") * 5000

    return Response(200, content=content())


arrived = [threading.Event() for _ in range(4)]


def test_several_urls_go_at_once_and_come_out_in_order(serve: Serve, ca_file: str) -> None:
    server = serve(late)
    urls = [server.https(f"/{number}") for number in range(len(arrived))]
    outcome = fetch(*urls, "--cacert", ca_file).succeeded()
    assert outcome.text == "".join(str(number) * 100_000 for number in range(len(arrived)))
    assert server.accepted == ["HTTP/2"]


def test_more_than_memory_holds_waits_for_its_turn_on_disk(
    server: Serving, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("h123.cli.fetch.destinations.SPOOL_IN_MEMORY", 1000)
    for event in arrived:
        event.clear()
    urls = [serve(late).http(f"/{number}") for number in range(len(arrived))]
    outcome = fetch(*urls).succeeded()
    assert outcome.text == "".join(str(number) * 100_000 for number in range(len(arrived)))


def test_parallel_max_bounds_how_many(server: Serving) -> None:
    urls = [server.http(f"/{number}") for number in range(20)]
    outcome = fetch(*urls, "--parallel-max", 1, "-w", "\n").succeeded()
    targets = re.findall(r'"target":"/(\d+)"', outcome.text)
    assert targets == [str(number) for number in range(20)]


def test_each_upload_goes_to_its_url(server: Serving, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)
    urls = (server.http("/1"), server.http("/2"), server.http("/3"))
    outcome = fetch(*urls, "-T", tmp_path / "a", "-T", tmp_path / "b", "-w", "\n").succeeded()
    assert re.findall(r'"method":"(\w+)".*?"content":"(\w*)"', outcome.text) == [
        ("PUT", "a"), ("PUT", "b"), ("GET", ""),
    ]  # fmt: skip


# ------------------------------------------------------------------------- processes and pipes


def test_a_reader_that_has_enough_ends_it_quietly(server: Serving, serve: Serve) -> None:
    async def endless(request: Request) -> Response:
        async def content() -> AsyncIterator[bytes]:
            while True:
                yield bytes(65536)

        return Response(200, content=content())

    with subprocess.Popen(
        program("fetch", serve(endless).http()), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read(10) == bytes(10)
        process.stdout.close()
        assert process.wait(TIME) == 23
        assert process.stderr.read() == b""


def test_an_interrupt_ends_it_at_once_even_if_nobody_reads(serve: Serve) -> None:
    async def endless(request: Request) -> Response:
        async def content() -> AsyncIterator[bytes]:
            while True:
                yield bytes(65536)

        return Response(200, content=content())

    with subprocess.Popen(
        program("fetch", serve(endless).http()), stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.read(100_000)
        process.send_signal(2)
        assert process.wait(TIME) == -2


def in_a_terminal(*arguments: object, stdout: int | None = None) -> tuple[int, bytes]:
    """Run a command with a terminal as stderr, and as stdout too if no other is given; return its output."""
    import pty

    parent, child = pty.openpty()
    try:
        process = subprocess.Popen(
            program(*arguments),
            stdin=subprocess.DEVNULL,
            stdout=child if stdout is None else stdout,
            stderr=child,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
        )
    finally:
        os.close(child)
    shown = io.BytesIO()

    def read() -> None:
        try:
            while data := os.read(parent, 65536):
                shown.write(data)
        except OSError:  # Linux says so when the last one has closed it
            pass

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    code = process.wait(TIME)
    reader.join(TIME)
    os.close(parent)
    return code, shown.getvalue()


@pytest.fixture(scope="module")
def large(serve: Serve) -> Serving:
    async def answer(request: Request) -> Response:
        return Response(200, content=bytes(3_000_000))

    return serve(answer)


def test_a_terminal_shows_the_progress_of_what_is_long(large: Serving, tmp_path: Path) -> None:
    code, shown = in_a_terminal("fetch", large.http(), "-o", tmp_path / "large.bin")
    assert code == 0
    assert b"large.bin" in shown
    assert (tmp_path / "large.bin").stat().st_size == 3_000_000


def test_a_terminal_shows_the_progress_of_an_upload(serve: Serve, tmp_path: Path) -> None:
    async def answer(request: Request) -> Response:
        await request.aread()
        return Response(204)

    with (tmp_path / "file").open("wb") as file:
        file.truncate(3_000_000)
    url = serve(answer).http()
    code, shown = in_a_terminal("fetch", url, "-T", tmp_path / "file", "-o", "/dev/null")
    assert code == 0
    assert b"to localhost" in shown


@pytest.mark.parametrize("option", ["-s", None])
def test_no_progress_when_silent_or_short(
    large: Serving, server: Serving, tmp_path: Path, option: str | None
) -> None:
    url = server.http() if option is None else large.http()
    arguments = ["fetch", url, "-o", tmp_path / "f", *([option] if option else [])]
    assert in_a_terminal(*arguments) == (0, b"")


def test_what_is_no_text_is_kept_from_a_terminal(large: Serving) -> None:
    code, shown = in_a_terminal("fetch", large.http())
    assert code == 23
    assert b"-o FILE" in shown
    assert b"\0" not in shown


def test_text_goes_to_a_terminal_without_progress(server: Serving) -> None:
    code, shown = in_a_terminal("fetch", server.http())
    assert code == 0
    assert shown.startswith(b'{"method":"GET"')


# ----------------------------------------------------------------------------- constant memory


PEAK = """
import sys
from h123.cli.main import main

try:
    main()
finally:  # in KiB, of this program alone: what getrusage tells begins with the parent's
    with open("/proc/self/status") as status:
        print(next(line.split()[1] for line in status if line.startswith("VmHWM")))
"""


@pytest.mark.slow
@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_memory_does_not_grow_with_content(
    serve: Serve, ca_file: str, tmp_path: Path, version: str
) -> None:
    size = 128 << 20

    async def answer(request: Request) -> Response:
        if request.method == "PUT":
            received = 0
            async for part in request.aiter_bytes():
                received += len(part)
            return Response(200, text=f"{received}")

        async def content() -> AsyncIterator[bytes]:
            for _ in range(size >> 20):
                yield bytes(1 << 20)

        return Response(200, headers={"Content-Length": str(size)}, content=content())

    url = serve(answer).https("/f")
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(size)
    for arguments in (
        ["-o", tmp_path / "down"],
        ["-T", tmp_path / "sparse", "-o", tmp_path / "sent"],
    ):
        command = [str(part) for part in (url, version, "--cacert", ca_file, *arguments)]
        done = subprocess.run(
            [sys.executable, "-c", PEAK, "fetch", *command],
            capture_output=True,
            timeout=2 * TIME,
            check=False,
        )
        assert done.returncode == 0
        # The interpreter and what it loads are most of it.
        assert int(done.stdout) < 110 << 10
    assert (tmp_path / "down").stat().st_size == size
    assert (tmp_path / "sent").read_text() == str(size)
