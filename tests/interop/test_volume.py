"""Much of everything: big files, many files, many requests at once, in little memory.

Client and server run in processes of their own; Linux tells the most memory that each had.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pytest
from tests.conftest import Program, Serve, Start, python_program, run_program
from tests.interop.conftest import PROGRAMS, HouseProgram, StartHouse
from tests.interop.programs.house import House
from tests.interop.programs.visitor import block, forget_peak, memory

from h123.client.async_client import AsyncClient
from h123.client.sync_client import Client
from h123.network.certificates import LocalCertificate

pytestmark = [pytest.mark.slow, pytest.mark.timeout(200)]

MOST_GROWTH = 50 * 1024
"""KiB."""

versions = pytest.mark.parametrize("version", ["1.1", "2", "3"])
faces = pytest.mark.parametrize("face", ["sync", "async"])
fast_versions_both_faces = pytest.mark.parametrize(
    ("version", "face"),
    # HTTP/3 takes half a minute: each face has one of the two directions.
    [("1.1", "sync"), ("1.1", "async"), ("2", "sync"), ("2", "async")],
)


def visit(task: str, face: str, version: str, url: str, ca_file: str) -> Any:
    """Run our client in a process of its own."""
    command = python_program(PROGRAMS / "visitor.py", task, face, version, url, ca_file)
    return json.loads(run_program(command, timeout=180).stdout)


class Weighed:
    """Watches how much memory a server's process takes."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        forget_peak(pid)
        self.before = memory("VmRSS", pid)

    def assert_still_slim(self) -> None:
        assert memory("VmHWM", self.pid) - self.before < MOST_GROWTH


def warmed_up(server: HouseProgram, version: str, ca_file: str) -> Weighed:
    """Let the server load what it needs, then begin to weigh it."""
    with Client(verify=ca_file) as client:
        client.get(server.https + "/hello.txt", http_version=version).raise_for_status()
        client.put(server.https + "/upload", content=b"a", http_version=version).raise_for_status()
    return Weighed(server.program.pid)


@pytest.mark.parametrize(
    ("version", "face"),
    [("1.1", "sync"), ("1.1", "async"), ("2", "sync"), ("2", "async"), ("3", "sync")],
)
def test_a_file_of_256_mib_comes_whole_in_little_memory(
    start_program: Start,
    folder: Path,
    certificate: LocalCertificate,
    big_file: str,
    version: str,
    face: str,
) -> None:
    """Served by the command."""
    command = ["-c", "from h123.cli.main import main; main()", "serve", str(folder), "-q"]
    command += ["--bind", "localhost:0"]
    command += ["--cert", certificate.chain_file, "--key", certificate.key_file]
    program: Program = start_program([python_program(Path())[0], *command], stdout=PIPE, text=True)
    url = program.read_line()
    with Client(verify=certificate.authority_file) as client:
        client.get(url + "/hello.txt", http_version=version).raise_for_status()
    server = Weighed(program.pid)
    result = visit("download", face, version, url, certificate.authority_file)
    assert result["sha256"] == big_file
    assert result["version"].removeprefix("HTTP/") == version
    assert result["growth"] < MOST_GROWTH
    server.assert_still_slim()


@pytest.mark.parametrize(
    ("version", "face"),
    [("1.1", "sync"), ("1.1", "async"), ("2", "sync"), ("2", "async"), ("3", "async")],
)
def test_an_upload_of_256_mib_from_an_iterator(
    start_house: StartHouse, ca_file: str, version: str, face: str
) -> None:
    server = start_house()
    weighed = warmed_up(server, version, ca_file)
    result = visit("upload", face, version, server.https, ca_file)
    digest = hashlib.sha256()
    for number in range(256):
        digest.update(block(number))
    assert (result["length"], result["sha256"]) == (256 << 20, digest.hexdigest())
    assert result["version"].removeprefix("HTTP/") == version
    assert result["growth"] < MOST_GROWTH
    weighed.assert_still_slim()


@versions
@faces
def test_a_thousand_small_files(
    start_house: StartHouse, ca_file: str, small_files: dict[str, str], version: str, face: str
) -> None:
    server = start_house()
    weighed = warmed_up(server, version, ca_file)
    result = visit("small", face, version, server.https, ca_file)
    assert result["files"] == small_files
    assert result["growth"] < MOST_GROWTH
    weighed.assert_still_slim()


@pytest.mark.parametrize("version", ["2", "3"])
class TestAThousandRequestsAtOnce:
    """Past the peer's limit of 100 streams they wait for their turn, and no second connection is made."""

    NUMBER = 1000

    def check(self, house: House, accepted: list[str], version: str, texts: list[str]) -> None:
        assert texts == [f"/slow/{number}" for number in range(self.NUMBER)]
        assert accepted == [f"HTTP/{version}"]
        assert 90 <= house.most_active <= 100

    def test_of_an_async_client(self, serve: Serve, ca_file: str, version: str) -> None:
        house = House()
        serving = serve(house)

        async def burst() -> list[str]:
            async with AsyncClient(verify=ca_file, timeout=90) as client:

                async def fetch(number: int) -> str:
                    url = serving.https(f"/slow/{number}")
                    return (await client.get(url, http_version=version)).text

                return await asyncio.gather(*map(fetch, range(self.NUMBER)))

        self.check(house, serving.accepted, version, asyncio.run(burst()))

    def test_of_threads_that_share_a_client(self, serve: Serve, ca_file: str, version: str) -> None:
        house = House()
        serving = serve(house)
        with (
            Client(verify=ca_file, timeout=90) as client,
            ThreadPoolExecutor(self.NUMBER) as threads,
        ):

            def fetch(number: int) -> str:
                url = serving.https(f"/slow/{number}")
                return client.get(url, http_version=version).text

            texts = list(threads.map(fetch, range(self.NUMBER)))
        self.check(house, serving.accepted, version, texts)
