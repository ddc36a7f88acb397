"""Folders to serve, and our server as other people's programs meet it."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import PIPE

import pytest
from tests.conftest import Program, Serve, Serving, Start, python_program
from tests.interop.programs.house import House

from h123.network.certificates import LocalCertificate

MEBIBYTE = 1 << 20
BIG = 256 * MEBIBYTE
SMALL_FILES = 1000

PROGRAMS = Path(__file__).parent / "programs"


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder of some pages and files, `big.bin` of 256 MiB apart. It goes with the session."""
    place = tmp_path_factory.mktemp("folder")
    try:
        (place / "hello.txt").write_text("Hello, world!\n")
        (place / "digits.txt").write_text("0123456789" * 100)
        (place / "Grüße.txt").write_text("Grüße\n")
        (place / "sub").mkdir()
        (place / "sub" / "page.html").write_text("<!doctype html><title>page</title><p>here")
        yield place
    finally:
        shutil.rmtree(place)


@pytest.fixture(scope="session")
def small_files(folder: Path) -> dict[str, str]:
    """A thousand files under `small/`: name to SHA-256."""
    place = folder / "small"
    place.mkdir()
    noise = random.Random(123)
    digests = {}
    for number in range(SMALL_FILES):
        content = noise.randbytes(noise.randrange(0, 8192) if number else 0)
        name = f"file-{number:04}.bin"
        (place / name).write_bytes(content)
        digests[name] = hashlib.sha256(content).hexdigest()
    return digests


@pytest.fixture(scope="session")
def big_file(folder: Path) -> str:
    """`big.bin`, 256 MiB in which every block differs; the value is its SHA-256."""
    digest = hashlib.sha256()
    with open(folder / "big.bin", "wb") as file:
        for _ in range(BIG // MEBIBYTE):
            block = os.urandom(MEBIBYTE)
            digest.update(block)
            file.write(block)
    return digest.hexdigest()


class HouseServing:
    """Our server in a thread of the test's process, and its handler."""

    def __init__(self, serving: Serving, house: House) -> None:
        self.serving = serving
        self.house = house

    def url(self, version: str, path: str = "/") -> str:
        """Return a URL for a version: `h2c` is the one without TLS."""
        return self.serving.url("http" if version == "h2c" else "https", path)


@pytest.fixture(scope="module")
def ours(serve: Serve, folder: Path) -> HouseServing:
    """The server under test, with the folder and some handlers."""
    house = House(str(folder))
    return HouseServing(serve(house), house)


class HouseProgram:
    """The same in a process of its own."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.https, self.http = json.loads(program.read_line())


StartHouse = Callable[[], HouseProgram]


@pytest.fixture
def start_house(start_program: Start, folder: Path, certificate: LocalCertificate) -> StartHouse:
    """Start it; it ends with the test."""

    def start() -> HouseProgram:
        command = python_program(
            PROGRAMS / "house.py", str(folder), certificate.chain_file, certificate.key_file
        )
        return HouseProgram(start_program(command, stdout=PIPE, text=True))

    return start
