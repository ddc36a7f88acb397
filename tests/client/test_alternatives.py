"""HTTP/3 where the server has announced it (RFC 7838), and the others where it can not be reached."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from tests.client.app import app

import h123
from h123.client import transport
from h123.client.alternatives import BROKEN_FOR, LONGEST, MOST, Alternatives, parse_alt_svc
from h123.message import URL
from h123.network.blocking import BlockingBackend

MakeFace = Any


class Clock(BlockingBackend):
    """A backend whose time stands still."""

    time = 1000.0

    def now(self) -> float:
        return self.time


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ('h3=":443"', (443, 86400.0)),
        ('h3=":8443"; ma=60', (8443, 60.0)),
        ('h3=":8443"; ma="60"; persist=1', (8443, 60.0)),
        ('h2="alt.test:443", h3=":443"; ma=5', (443, 5.0)),
        ('h3="origin.test:443"', (443, 86400.0)),
        ('h3="other.test:443", h3=":444"', (444, 86400.0)),
        ('h3-29=":443"', None),
        ('h3=":0"', None),
        ('h3=":65536"', None),
        ('h3=":123456789"', None),
        ('h3=":x"', None),
        ('h3=":²"', None),
        ("h3", None),
        ("", None),
        ('h3=":443"; ma=x', (443, 86400.0)),
        ('h3=":443"; ma=99999999999999', (443, 9999999999.0)),
    ],
)
def test_what_an_announcement_says(field: str, expected: object) -> None:
    """RFC 7838 section 3: what is malformed is ignored."""
    assert parse_alt_svc(field, "origin.test") == expected


def test_an_address_in_brackets() -> None:
    assert parse_alt_svc('h3="[::1]:443"', "::1") == (443, 86400.0)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def known(clock: Clock) -> Alternatives:
    return Alternatives(clock)


ORIGIN = URL("https://origin.test/")


def test_an_announcement_is_believed_for_its_time(known: Alternatives, clock: Clock) -> None:
    assert known.find("origin.test", 443) is None
    known.learn(ORIGIN, 'h3=":8443"; ma=60')
    assert known.find("origin.test", 443) == 8443
    assert known.find("other.test", 443) is None
    clock.time += 61
    assert known.find("origin.test", 443) is None


def test_no_announcement_is_believed_for_ever(known: Alternatives, clock: Clock) -> None:
    known.learn(ORIGIN, 'h3=":443"; ma=9999999999')
    clock.time += LONGEST + 1
    assert known.find("origin.test", 443) is None


def test_clear_takes_it_back(known: Alternatives) -> None:
    known.learn(ORIGIN, 'h3=":443"')
    known.learn(ORIGIN, None)
    known.learn(ORIGIN, 'h2=":443"')
    assert known.find("origin.test", 443) == 443
    known.learn(ORIGIN, " clear ")
    assert known.find("origin.test", 443) is None


def test_what_could_not_be_reached_is_left_alone_for_a_while(
    known: Alternatives, clock: Clock
) -> None:
    known.learn(ORIGIN, 'h3=":443"')
    known.mark_broken("origin.test", 443)
    assert known.find("origin.test", 443) is None
    known.learn(ORIGIN, 'h3=":443"')
    assert known.find("origin.test", 443) is None
    clock.time += BROKEN_FOR + 1
    assert known.find("origin.test", 443) == 443


def test_not_more_is_remembered_than_a_bound(known: Alternatives) -> None:
    for number in range(MOST + 10):
        known.learn(URL(f"https://{number}.test/"), 'h3=":443"')
        known.mark_broken(f"{number}.test", 443)
    assert known.find("0.test", 443) is None
    assert len(known._known) == MOST
    assert len(known._broken) <= MOST


# ------------------------------------------------------------------------------ in a client


@pytest.fixture(scope="module")
def server(serve: Any) -> Any:
    return serve(app)


def versions(client: Any, server: Any, number: int = 3) -> list[str]:
    return [client.request("GET", server.https("/")).http_version for _ in range(number)]


def test_the_second_request_goes_over_http3(face: MakeFace, server: Any, ca_file: str) -> None:
    client = face(verify=ca_file)
    assert versions(client, server) == ["HTTP/2", "HTTP/3", "HTTP/3"]
    assert client.request("GET", server.https("/"), http_version="2").http_version == "HTTP/2"


def test_without_http3_nothing_is_learnt(face: MakeFace, server: Any, ca_file: str) -> None:
    client = face(verify=ca_file, http3=False)
    assert versions(client, server) == ["HTTP/2"] * 3


def test_no_announcement_is_taken_in_the_clear(
    face: MakeFace, fake_server: Any, scripts: Any
) -> None:
    def script(connection: Any) -> None:
        while True:
            scripts.read_head(connection)
            connection.sendall(
                b'HTTP/1.1 200 OK\r\nAlt-Svc: h3=":443"\r\nContent-Length: 0\r\n\r\n'
            )

    server = fake_server(script)
    client = face()
    for _ in range(2):
        assert client.request("GET", server.http).http_version == "HTTP/1.1"


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "RACE_TIME", 0.3)


@pytest.fixture
def floor() -> Iterator[int]:
    """A UDP port where everything is dropped."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as floor:
        floor.bind(("127.0.0.1", 0))
        yield floor.getsockname()[1]


@pytest.fixture
def nobody() -> int:
    """A UDP port where nobody listens."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unused:
        unused.bind(("127.0.0.1", 0))
        port: int = unused.getsockname()[1]
    return port


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("where", ["floor", "nobody"])
def test_udp_that_is_dead_costs_no_request(
    face: MakeFace, serve: Any, ca_file: str, where: str, request: pytest.FixtureRequest
) -> None:
    port = request.getfixturevalue(where)
    server = serve(app, http3=False)
    server._server.answerer.alt_svc = b'h3=":%d"' % port
    client = face(verify=ca_file)
    assert versions(client, server, 4) == ["HTTP/2"] * 4
    assert client.client._core.transport.alternatives.find("localhost", server.port()) is None


@pytest.mark.usefixtures("hasty")
def test_a_burst_over_dead_udp(serve: Any, ca_file: str, floor: int) -> None:
    server = serve(app, http3=False)
    server._server.answerer.alt_svc = b'h3=":%d"' % floor
    with h123.Client(verify=ca_file) as client:
        client.get(server.https("/"))
        found: list[str] = []
        threads = [
            threading.Thread(
                target=lambda: found.append(client.get(server.https("/")).http_version)
            )
            for _ in range(5)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        assert found == ["HTTP/2"] * 5
        pool = client._core.transport.pool
        assert pool.count == 1
