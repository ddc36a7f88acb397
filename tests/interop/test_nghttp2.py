"""nghttp and h2load, of the library that most HTTP/2 software stands on, as clients of our server."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest
from tests.conftest import find_program, run_program
from tests.interop.conftest import HouseServing

pytestmark = pytest.mark.peer

schemes = pytest.mark.parametrize("scheme", ["https", "http"])


def nghttp(*arguments: str, **options: bytes) -> str:
    """Run `nghttp -v` and return what it tells of the frames."""
    command = [find_program("nghttp"), "-v", "--timeout=30s", *arguments]
    return run_program(command, input=options.get("input")).stdout.decode("latin-1")


def url(ours: HouseServing, scheme: str, path: str) -> str:
    return ours.serving.url(scheme, path)


def frames(log: str, direction: str, kind: str) -> list[str]:
    """Return the log's blocks that tell of one kind of frame."""
    blocks = re.split(r"\n(?=\[)", log)
    return [block for block in blocks if f"{direction} {kind} frame" in block]


@schemes
def test_get(ours: HouseServing, scheme: str) -> None:
    log = nghttp(url(ours, scheme, "/hello.txt"))
    assert ":status: 200" in log
    assert "Hello, world!" in log
    assert frames(log, "recv", "GOAWAY") == []
    assert frames(log, "recv", "RST_STREAM") == []


@schemes
def test_many_streams_at_once(ours: HouseServing, scheme: str) -> None:
    before = len(ours.serving.accepted)
    log = nghttp("-n", "-m", "80", url(ours, scheme, "/slow/stream"))
    assert log.count(":status: 200") == 80
    assert len(ours.serving.accepted) == before + 1


@schemes
def test_more_streams_than_are_allowed_at_once(ours: HouseServing, scheme: str) -> None:
    """RFC 9113 section 5.1.2: those past the limit wait for their turn at the client."""
    log = nghttp("-n", "-m", "250", url(ours, scheme, "/slow/stream"))
    assert log.count(":status: 200") == 250


@schemes
def test_trailers_of_a_response(ours: HouseServing, scheme: str) -> None:
    log = nghttp("-H", "te: trailers", url(ours, scheme, "/trailers"))
    sections = frames(log, "recv", "HEADERS")
    assert len(sections) == 2
    assert "x-checksum: abc" in log
    assert "END_STREAM" in sections[1]


@schemes
def test_trailers_of_a_request(ours: HouseServing, scheme: str, tmp_path: Path) -> None:
    file = tmp_path / "upload"
    file.write_bytes(b"content" * 1000)
    log = nghttp("-d", str(file), "--trailer", "x-sum: 7", url(ours, scheme, "/upload"))
    assert '"trailers":[["x-sum","7"]]' in log.replace(" ", "")


@schemes
@pytest.mark.parametrize("flags", [[], ["--no-content-length"]], ids=["length", "no-length"])
def test_upload(ours: HouseServing, scheme: str, tmp_path: Path, flags: list[str]) -> None:
    content = b"".join(b"%08d" % number for number in range(1 << 18))
    file = tmp_path / "upload"
    file.write_bytes(content)
    log = nghttp("-d", str(file), *flags, url(ours, scheme, "/upload"))
    assert hashlib.sha256(content).hexdigest() in log


@schemes
def test_content_that_nobody_wants_is_refused(
    ours: HouseServing, scheme: str, tmp_path: Path
) -> None:
    """RFC 9113 section 8.1: a whole response, then RST_STREAM with NO_ERROR."""
    file = tmp_path / "upload"
    file.write_bytes(bytes(16 << 20))
    log = nghttp("-d", str(file), url(ours, scheme, "/refuse"))
    assert ":status: 413" in log
    assert "too much" in log
    resets = frames(log, "recv", "RST_STREAM")
    assert len(resets) == 1
    assert "error_code=NO_ERROR" in resets[0]


@schemes
def test_a_small_window_and_padding(ours: HouseServing, scheme: str) -> None:
    """RFC 9113 section 6.9.2: an initial window of 1023 bytes."""
    log = nghttp("-w", "10", "-W", "12", "-b", "32", url(ours, scheme, "/echo?size=200000"))
    assert ":status: 200" in log
    received = [int(size) for size in re.findall(r"recv DATA frame <length=(\d+)", log)]
    assert sum(received) > 200000


@schemes
def test_a_small_header_table(ours: HouseServing, scheme: str) -> None:
    """RFC 7541 section 4.2: the table's size falls to nothing and the next requests are understood."""
    log = nghttp(
        "-c",
        "0",
        "--encoder-header-table-size=0",
        *[url(ours, scheme, f"/echo?n={n}") for n in range(3)],
    )
    assert log.count(":status: 200") == 3


@schemes
def test_continuation(ours: HouseServing, scheme: str) -> None:
    """RFC 9113 section 6.10."""
    fields = [f"-Hx-long-{number}: {'v' * 3000}" for number in range(8)]
    log = nghttp("--continuation", *fields, url(ours, scheme, "/echo"))
    assert ":status: 200" in log


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scheme", "flags", "connections"),
    [
        ("https", ["-c4", "-m32"], 4),
        ("http", ["-c4", "-m32"], 4),
        ("https", ["--h1", "-c8"], 8),
        ("http", ["--h1", "-c8"], 8),
        ("https", ["-c1", "-m100"], 1),
    ],
)
@pytest.mark.parametrize("path", ["/hello.txt", "/echo?size=30000"])
def test_every_response_under_load_is_2xx(
    ours: HouseServing, scheme: str, flags: list[str], connections: int, path: str
) -> None:
    before = len(ours.serving.accepted)
    target = url(ours, scheme, path).replace("localhost", "127.0.0.1")
    command = [find_program("h2load"), "-n2000", *flags, target]
    report = run_program(command).stdout.decode()
    assert "2000 done, 2000 succeeded, 0 failed, 0 errored, 0 timeout" in report
    assert "status codes: 2000 2xx" in report
    assert len(ours.serving.accepted) == before + connections
