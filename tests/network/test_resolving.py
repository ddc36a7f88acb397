"""Names into addresses: RFC 6761 section 6.3 (localhost), RFC 6874 (zones)."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import Any

import pytest

from h123.network.backend import Address
from h123.network.blocking import BlockingBackend, run

V4, V6 = socket.AF_INET, socket.AF_INET6
LOOPBACK = [Address(V6, ("::1", 80, 0, 0)), Address(V4, ("127.0.0.1", 80))]


@pytest.fixture
def no_resolver(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks the resolver fails."""
    real = socket.getaddrinfo

    def literal_only(*args: Any, **more: Any) -> Any:
        assert more["flags"] & socket.AI_NUMERICHOST
        return real(*args, **more)

    monkeypatch.setattr(socket, "getaddrinfo", literal_only)


@pytest.mark.usefixtures("no_resolver")
@pytest.mark.parametrize(
    ("host", "addresses"),
    [
        ("192.0.2.1", [Address(V4, ("192.0.2.1", 80))]),
        ("2001:db8::1", [Address(V6, ("2001:db8::1", 80, 0, 0))]),
        ("::ffff:192.0.2.1", [Address(V6, ("::ffff:192.0.2.1", 80, 0, 0))]),
        ("localhost", LOOPBACK),
        ("LocalHost.", LOOPBACK),
        ("some.name.localhost", LOOPBACK),
    ],
)
@pytest.mark.parametrize("timeout", [None, 0.0])
def test_literals_and_localhost_never_go_to_a_resolver(
    world: Any, host: str, addresses: list[Address], timeout: float | None
) -> None:
    assert world.run(lambda backend: backend.resolve(host, 80, timeout)) == addresses


@pytest.mark.usefixtures("no_resolver")
def test_a_zone_becomes_a_scope() -> None:
    found = run(BlockingBackend().resolve("fe80::1%lo", 80, None))
    assert found[0].sockaddr[3] == socket.if_nametoindex("lo")


@pytest.mark.usefixtures("no_resolver")
@pytest.mark.parametrize("host", ["", ".", "caf\xe9.test", "a\0b", "1:2", "::1%nonesuch", "[::1]"])
def test_what_is_no_host_is_refused_without_asking(host: str) -> None:
    with pytest.raises(socket.gaierror) as caught:
        run(BlockingBackend().resolve(host, 80, 1))
    assert repr(host) in str(caught.value) or f"cannot resolve {host}" in str(caught.value)


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_port_has_sixteen_bits(port: int) -> None:
    with pytest.raises(ValueError, match="not between 0 and 65535"):
        run(BlockingBackend().resolve("127.0.0.1", port, 1))


@pytest.mark.parametrize("timeout", [None, 10.0])
def test_a_name_is_asked_for_once_and_duplicates_are_dropped(
    world: Any, monkeypatch: pytest.MonkeyPatch, timeout: float | None
) -> None:
    asked = []

    def answer(host: bytes, port: int, **more: Any) -> Any:
        asked.append((host, port, more["type"]))
        one = (V4, more["type"], 0, "", ("192.0.2.7", port))
        return [one, one, (V6, more["type"], 0, "", ("2001:db8::7", port, 0, 0))]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    found = world.run(
        lambda backend: backend.resolve("name.test", 443, timeout, kind=socket.SOCK_DGRAM)
    )
    assert found == [
        Address(V4, ("192.0.2.7", 443)),
        Address(V6, ("2001:db8::7", 443, 0, 0)),
    ]
    assert asked == [(b"name.test", 443, socket.SOCK_DGRAM)]


@pytest.mark.parametrize("timeout", [None, 10.0])
def test_a_name_that_has_no_address(
    world: Any, monkeypatch: pytest.MonkeyPatch, timeout: float | None
) -> None:
    def refuse(*args: Any, **more: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    with pytest.raises(
        socket.gaierror, match=r"^cannot resolve name\.test: Name or service"
    ) as caught:
        world.run(lambda backend: backend.resolve("name.test", 443, timeout))
    assert caught.value.errno == socket.EAI_NONAME


def test_a_label_that_is_too_long() -> None:
    with pytest.raises(socket.gaierror, match="cannot resolve"):
        run(BlockingBackend().resolve("a" * 64 + ".1", 80, 10))


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A resolver that does not answer before the test is over."""
    over = threading.Event()

    def hang(*args: Any, **more: Any) -> Any:
        over.wait(20)
        raise socket.gaierror(socket.EAI_AGAIN, "too late")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    yield over
    over.set()
    for thread in threading.enumerate():
        if thread.name.startswith("h123 resolving"):
            thread.join(10)


@pytest.mark.usefixtures("hanging")
def test_a_resolver_that_hangs_is_bounded_in_time(world: Any) -> None:
    with pytest.raises(TimeoutError, match=r"^resolving name\.test took longer than 0\.03 s$"):
        world.run(lambda backend: backend.resolve("name.test", 443, 0.03))


def test_an_answer_that_comes_after_the_loop_is_gone(hanging: Any) -> None:
    async def body() -> None:
        from h123.network.asyncio import AsyncioBackend

        task = asyncio.ensure_future(AsyncioBackend().resolve("name.test", 443, None))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(body())
    hanging.set()
