"""Threads that share one client over one connection: every response reaches its own caller."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator

import pytest
from tests.interop.conftest import StartHouse

from h123.client.sync_client import Client

pytestmark = pytest.mark.slow

THREADS = 40
GETS = 50
"""Of each thread."""


@pytest.fixture
def hasty_switching() -> Iterator[None]:
    """Threads interrupt each other five hundred times as often as usual."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.usefixtures("hasty_switching")
@pytest.mark.parametrize("version", ["2", "3"])
def test_forty_threads_share_one_connection(
    start_house: StartHouse, ca_file: str, version: str
) -> None:
    server = start_house()
    faults: list[object] = []
    begin = threading.Barrier(THREADS)

    def work(thread: int) -> None:
        try:
            begin.wait(20)
            for number in range(GETS):
                name = f"t={thread}&n={number}&size={(thread * 37 + number * 211) % 5000}"
                response = client.get(f"{server.https}/echo?{name}", http_version=version)
                if response.json()["target"] != f"/echo?{name}":
                    faults.append((name, response.json()["target"]))
        except BaseException as error:
            faults.append(error)

    with Client(verify=ca_file, timeout=60) as client:
        threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(100)
        assert not any(thread.is_alive() for thread in threads)
        assert faults == []
        stats = client.get(server.https + "/stats", http_version=version).json()
    assert stats["connections"] == [f"HTTP/{version}"]
