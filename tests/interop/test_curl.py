"""curl as the client of our server, over HTTP/1.1, HTTP/2 and HTTP/2 without TLS by prior knowledge."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pytest
from tests.conftest import Start, find_program, run_program
from tests.interop.conftest import HouseServing

pytestmark = pytest.mark.peer

FLAGS = {
    "1.1": ["--http1.1"],
    "2": ["--http2"],
    "h2c": ["--http2-prior-knowledge"],
}
VERSION = {"1.1": "HTTP/1.1", "2": "HTTP/2", "h2c": "HTTP/2"}

versions = pytest.mark.parametrize("version", FLAGS)
# curl 7.88 sends its preface again when it uses an HTTP/2 connection without TLS twice (to any server).
reusable_versions = pytest.mark.parametrize("version", ["1.1", "2"])


class Answer:
    """What curl wrote: the last head and the content."""

    def __init__(self, output: bytes) -> None:
        self.heads: list[str] = []
        while output.startswith(b"HTTP/"):
            head, _, output = output.partition(b"\r\n\r\n")
            self.heads.append(head.decode("latin-1"))
        self.content = output
        self.status = int(self.heads[-1].split()[1])

    def json(self) -> Any:
        return json.loads(self.content)

    def header(self, name: str) -> str | None:
        for line in self.heads[-1].split("\r\n")[1:]:
            field, _, value = line.partition(": ")
            if field.lower() == name.lower():
                return value
        return None


Curl = Callable[..., Answer]


@pytest.fixture
def curl(ours: HouseServing, ca_file: str) -> Curl:
    """Run `curl -i` for a path and return what came."""
    program = find_program("curl")

    def run(version: str, path: str, *flags: str, **options: Any) -> Answer:
        command = [program, "-sS", "-i", "--max-time", "30", "--cacert", ca_file, "--noproxy", "*"]
        url = ours.url(version, path)
        return Answer(run_program([*command, *FLAGS[version], *flags, url], **options).stdout)

    return run


@versions
def test_get(curl: Curl, version: str) -> None:
    answer = curl(version, "/hello.txt")
    assert answer.content == b"Hello, world!\n"
    assert answer.heads[0].split()[0] == ("HTTP/1.1" if version == "1.1" else "HTTP/2")
    assert curl(version, "/echo").json()["version"] == VERSION[version]


@versions
def test_head_has_the_fields_of_get_and_no_content(curl: Curl, version: str) -> None:
    answer = curl(version, "/digits.txt", "-I")
    assert (answer.status, answer.header("content-length"), answer.content) == (200, "1000", b"")


@reusable_versions
def test_several_urls_on_one_connection(ours: HouseServing, ca_file: str, version: str) -> None:
    before = len(ours.serving.accepted)
    command = [find_program("curl"), "-sS", "--cacert", ca_file, *FLAGS[version]]
    output = run_program([*command, *[ours.url(version, "/hello.txt")] * 5]).stdout
    assert output == b"Hello, world!\n" * 5
    assert len(ours.serving.accepted) == before + 1


@versions
@pytest.mark.parametrize(
    ("asked", "status", "content", "field"),
    [
        ("0-9", 206, b"0123456789", "bytes 0-9/1000"),
        ("995-", 206, b"56789", "bytes 995-999/1000"),
        ("-3", 206, b"789", "bytes 997-999/1000"),
        ("2000-", 416, None, "bytes */1000"),
    ],
)
def test_ranges(
    curl: Curl, version: str, asked: str, status: int, content: bytes | None, field: str
) -> None:
    """RFC 9110 section 14."""
    answer = curl(version, "/digits.txt", "-r", asked)
    assert (answer.status, answer.header("content-range")) == (status, field)
    assert content is None or answer.content == content


@versions
def test_several_ranges(curl: Curl, version: str) -> None:
    answer = curl(version, "/digits.txt", "-r", "0-1,500-502")
    assert answer.status == 206
    kind = answer.header("content-type") or ""
    assert kind.startswith("multipart/byteranges; boundary=")
    boundary = kind.partition("boundary=")[2].strip('"').encode()
    parts = answer.content.split(b"--" + boundary)
    assert [part.partition(b"\r\n\r\n")[2] for part in parts[1:-1]] == [b"01\r\n", b"012\r\n"]


@versions
def test_a_download_goes_on_where_it_broke_off(
    curl: Curl, version: str, tmp_path: Path, folder: Path
) -> None:
    place = tmp_path / "digits.txt"
    whole = (folder / "digits.txt").read_bytes()
    place.write_bytes(whole[:300])
    curl_flags = ["-C", "-", "-o", str(place), "-D", "-"]
    program_output = curl(version, "/digits.txt", *curl_flags)
    assert program_output.status == 206
    assert place.read_bytes().endswith(whole[300:])


@versions
def test_conditions(curl: Curl, version: str) -> None:
    """RFC 9110 section 13."""
    first = curl(version, "/digits.txt")
    etag = first.header("etag")
    assert etag is not None
    again = curl(version, "/digits.txt", "-H", f"If-None-Match: {etag}")
    assert (again.status, again.content) == (304, b"")
    other = curl(version, "/digits.txt", "-H", 'If-Match: "other"')
    assert other.status == 412
    later = curl(version, "/digits.txt", "-z", "1 Jan 2037 00:00:00 GMT")
    assert later.status == 304


@reusable_versions
@pytest.mark.parametrize(("status", "method"), [("301", "GET"), ("303", "GET"), ("307", "POST")])
def test_redirects(curl: Curl, version: str, status: str, method: str) -> None:
    answer = curl(version, f"/redirect/3/{status}", "-L", "-d", "a=b")
    assert len(answer.heads) == 4
    assert answer.status == 200
    echo = answer.json()
    assert (echo["method"], echo["content"]) == (method, "a=b" if method == "POST" else "")


UPLOAD = b"".join(b"%08d" % number for number in range(1 << 17))
"""One MiB in which no two parts are alike."""


@versions
@pytest.mark.parametrize("flags", [["-T"], ["-X", "POST", "--data-binary"]], ids=["put", "post"])
def test_upload(curl: Curl, version: str, flags: list[str], tmp_path: Path) -> None:
    file = tmp_path / "upload"
    file.write_bytes(UPLOAD)
    source = str(file) if flags == ["-T"] else f"@{file}"
    answer = curl(version, "/upload", *flags, source).json()
    assert answer["length"] == len(UPLOAD)
    assert answer["sha256"] == hashlib.sha256(UPLOAD).hexdigest()


@versions
def test_upload_of_unknown_length(curl: Curl, version: str) -> None:
    """HTTP/1.1 sends it in chunks (RFC 9112 section 7.1)."""
    answer = curl(version, "/upload", "-T", "-", input=UPLOAD).json()
    assert answer["sha256"] == hashlib.sha256(UPLOAD).hexdigest()


@versions
def test_multipart_form(curl: Curl, version: str, tmp_path: Path) -> None:
    file = tmp_path / "part.txt"
    file.write_text("the part")
    echo = curl(version, "/echo", "-F", "field=value", "-F", f"file=@{file}").json()
    assert 'name="field"' in echo["content"]
    assert "the part" in echo["content"]


@pytest.mark.parametrize("version", ["1.1", "2"])
def test_expect_100_continue(curl: Curl, version: str) -> None:
    """RFC 9110 section 10.1.1: the server says so when it wants the content."""
    flags = ["-H", "Expect: 100-continue", "--expect100-timeout", "25", "--data-binary", "@-"]
    answer = curl(version, "/upload", *flags, input=UPLOAD)
    assert [head.split()[1] for head in answer.heads] == ["100", "200"]
    assert answer.json()["length"] == len(UPLOAD)


# curl 7.88 forgets an HTTP/2 response when RST_STREAM (NO_ERROR) follows it in the middle of an upload,
# against RFC 9113 section 8.1: these two are for HTTP/1.1.
def test_content_that_nobody_wants_is_refused(curl: Curl) -> None:
    """The answer comes before the content was read, and reaches the client."""
    flags = ["-H", "Expect: 100-continue", "--expect100-timeout", "25", "-T", "-"]
    answer = curl("1.1", "/refuse", *flags, input=UPLOAD)
    assert (answer.status, answer.content) == (413, b"too much")


def test_an_early_refusal_survives_the_upload(curl: Curl, tmp_path: Path) -> None:
    """RFC 9112 section 9.6: closing must not destroy the response on its way."""
    file = tmp_path / "upload"
    file.write_bytes(UPLOAD * 16)
    answer = curl("1.1", "/refuse", "-H", "Expect:", "-T", str(file), check=False)
    assert (answer.status, answer.content) == (413, b"too much")


@versions
def test_trailers(ours: HouseServing, ca_file: str, version: str) -> None:
    """curl prints a response's trailers behind its head (-i, verbose)."""
    command = [find_program("curl"), "-sS", "--cacert", ca_file, "-D", "-", *FLAGS[version]]
    output = run_program([*command, "-H", "TE: trailers", ours.url(version, "/trailers")]).stdout
    assert b"x-checksum: abc" in output.lower()
    assert b"first,second" in output


@versions
def test_a_handler_that_fails_is_an_error_500(curl: Curl, ours: HouseServing, version: str) -> None:
    assert curl(version, "/fail").status == 500
    assert "on purpose" in ours.serving.errors.pop()


@versions
@pytest.mark.parametrize(
    ("path", "status"),
    [("/none", 404), ("/sub", 301), ("/sub/page.html", 200), ("/Gr%C3%BC%C3%9Fe.txt", 200),
     ("/sub/%2e%2e/%2e%2e/etc/passwd", 404)],
)  # fmt: skip
def test_statuses(curl: Curl, version: str, path: str, status: int) -> None:
    assert curl(version, path, "--path-as-is").status == status


@reusable_versions
def test_parallel_transfers(ours: HouseServing, ca_file: str, version: str) -> None:
    """Over HTTP/2 curl puts them on one connection."""
    before = len(ours.serving.accepted)
    command = [find_program("curl"), "-sS", "--cacert", ca_file, *FLAGS[version], "-Z"]
    command += ["--parallel-max", "50", "-w", "%{http_code}\n", "-o", "/dev/null"]
    output = run_program([*command, ours.url(version, "/echo?size=[10000-10099]")]).stdout
    assert output.split() == [b"200"] * 100
    assert len(ours.serving.accepted) - before <= (50 if version == "1.1" else 10)


@versions
@pytest.mark.slow
def test_a_big_file(
    ours: HouseServing, ca_file: str, version: str, big_file: str, start_program: Start
) -> None:
    command = [find_program("curl"), "-sS", "--cacert", ca_file, *FLAGS[version]]
    program = start_program([*command, ours.url(version, "/big.bin")], stdout=PIPE)
    assert program.process.stdout is not None
    digest = hashlib.sha256()
    watchdog = threading.Timer(100, program.process.kill)
    watchdog.start()
    try:
        while data := program.process.stdout.read(1 << 20):
            digest.update(data)
    finally:
        watchdog.cancel()
    assert program.process.wait(10) == 0
    assert digest.hexdigest() == big_file
