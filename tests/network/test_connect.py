"""Opening connections: every address gets its turn and its share of the time (RFC 8305 section 4)."""

from __future__ import annotations

import asyncio
import errno
import socket
from pathlib import Path
from typing import Any

import pytest

from h123.network import connect
from h123.network.backend import Address
from h123.network.blocking import BlockingBackend, run
from h123.network.connect import interleaved, open_tcp, open_unix

V4, V6 = socket.AF_INET, socket.AF_INET6


@pytest.fixture
def listener() -> Any:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock


@pytest.fixture
def closed_port() -> Any:
    """A port that is taken, and nobody listens there."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]


@pytest.fixture
def full() -> Any:
    """The port of a listener whose queue is full: connecting to it gets no answer."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen(0)
        clients = []
        for _ in range(4):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(sock.getsockname())
            clients.append(client)
        yield sock.getsockname()[1]
        for client in clients:
            client.close()


@pytest.mark.parametrize("timeout", [None, 10.0])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_listener_is_found(world: Any, listener: Any, host: str, timeout: float | None) -> None:
    """Also where localhost is tried by IPv6 first, and nobody listens there."""
    port = listener.getsockname()[1]
    stream = world.run(lambda backend: open_tcp(backend, host, port, timeout))
    peer, address = listener.accept()
    assert stream.peer_address == f"127.0.0.1:{port}"
    assert stream.local_address == f"127.0.0.1:{address[1]}"
    stream.close()
    peer.close()


def test_a_refusal_says_where(world: Any, closed_port: int) -> None:
    with pytest.raises(ConnectionRefusedError) as caught:
        world.run(lambda backend: open_tcp(backend, "127.0.0.1", closed_port, 10))
    assert str(caught.value) == f"cannot connect to 127.0.0.1:{closed_port}: connection refused"
    assert caught.value.errno == errno.ECONNREFUSED


def test_all_failures_are_told(world: Any, closed_port: int) -> None:
    with pytest.raises(ConnectionRefusedError) as caught:
        world.run(lambda backend: open_tcp(backend, "localhost", closed_port, 10))
    text = str(caught.value)
    assert text.startswith(f"cannot connect to localhost:{closed_port}: [::1]:{closed_port}: ")
    assert text.endswith(f", 127.0.0.1:{closed_port}: connection refused")


def test_an_ipv6_literal_is_written_in_brackets(closed_port: int) -> None:
    with pytest.raises(OSError, match=rf"^cannot connect to \[::1\]:{closed_port}: \w+"):
        run(open_tcp(BlockingBackend(), "::1", closed_port, 10))


def test_given_addresses_are_tried_in_turn(world: Any, listener: Any, closed_port: int) -> None:
    port = listener.getsockname()[1]
    addresses = [Address(V4, ("127.0.0.1", number)) for number in (closed_port, port)]
    stream = world.run(lambda backend: open_tcp(backend, "name.test", 1, 10, addresses=addresses))
    assert stream.peer_address == f"127.0.0.1:{port}"
    stream.close()


def test_no_answer_is_bounded_in_time(world: Any, full: int) -> None:
    with pytest.raises(
        TimeoutError, match=rf"^cannot connect to 127\.0\.0\.1:{full}: no answer in"
    ):
        world.run(lambda backend: open_tcp(backend, "127.0.0.1", full, 0.05))


def test_an_address_that_does_not_answer_leaves_time_for_the_next(
    world: Any, full: int, listener: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connect, "_SHORTEST_TRY", 0.01)
    port = listener.getsockname()[1]
    addresses = [Address(V4, ("127.0.0.1", number)) for number in (full, full, port)]
    stream = world.run(lambda backend: open_tcp(backend, "name.test", 1, 0.6, addresses=addresses))
    assert stream.peer_address == f"127.0.0.1:{port}"
    stream.close()


def test_when_time_is_over_the_other_addresses_are_not_tried(
    world: Any, full: int, listener: Any
) -> None:
    port = listener.getsockname()[1]
    addresses = [Address(V4, ("127.0.0.1", number)) for number in (full, port)]
    with pytest.raises(
        TimeoutError, match=rf"^cannot connect to name\.test:1: 127\.0\.0\.1:{full}: no a"
    ):
        world.run(lambda backend: open_tcp(backend, "name.test", 1, 0.05, addresses=addresses))


@pytest.mark.parametrize(
    ("remaining", "left", "share"),
    [(10, 1, 10), (10, 2, 5), (10, 20, 1), (0.5, 4, 0.5), (0, 3, 0)],
)
def test_time_is_shared(remaining: float, left: int, share: float) -> None:
    assert connect.share_of(remaining, left) == share


@pytest.mark.parametrize(
    ("families", "order"),
    [
        ([], []),
        ([V6, V6, V4, V4], [0, 2, 1, 3]),
        ([V4, V6, V6, V6], [0, 1, 2, 3]),
        ([V4, V4, V4], [0, 1, 2]),
        ([V6, V6, V6, V4], [0, 3, 1, 2]),
    ],
)
def test_section_4_families_take_turns(families: list[int], order: list[int]) -> None:
    addresses = [Address(family, (str(i), 1)) for i, family in enumerate(families)]
    assert [int(address.sockaddr[0]) for address in interleaved(addresses)] == order


def test_a_host_without_addresses() -> None:
    with pytest.raises(OSError, match=r"^cannot connect to name\.test:1: it has no address$"):
        run(open_tcp(BlockingBackend(), "name.test", 1, 10, addresses=[]))


@pytest.mark.parametrize(
    ("numbers", "chosen"),
    [
        ([errno.ENETUNREACH, errno.ECONNREFUSED], ConnectionRefusedError),
        ([errno.ECONNREFUSED, errno.ENETUNREACH], ConnectionRefusedError),
        ([errno.EADDRNOTAVAIL, errno.ETIMEDOUT], TimeoutError),
        ([errno.EADDRNOTAVAIL, errno.ENETUNREACH], OSError),
        ([errno.EACCES], PermissionError),
    ],
)
def test_the_error_is_of_the_most_telling_kind(numbers: list[int], chosen: type) -> None:
    address = Address(V4, ("192.0.2.1", 80))
    error = connect._all_failed("name.test:80", [(address, OSError(n, "x")) for n in numbers])
    assert type(error) is chosen


def test_the_local_address_can_be_chosen(world: Any, listener: Any) -> None:
    port = listener.getsockname()[1]
    stream = world.run(
        lambda backend: open_tcp(backend, "127.0.0.1", port, 10, local_address=("127.0.0.2", 0))
    )
    peer, address = listener.accept()
    assert address[0] == "127.0.0.2"
    stream.close()
    peer.close()


def test_a_local_address_that_is_not_ours(listener: Any) -> None:
    port = listener.getsockname()[1]
    with pytest.raises(OSError, match="address not available on this machine"):
        run(open_tcp(BlockingBackend(), "127.0.0.1", port, 10, local_address=("192.0.2.1", 0)))


def test_a_cancelled_attempt_closes_its_socket(loop_world: Any, full: int) -> None:
    async def body(backend: Any) -> None:
        task = asyncio.ensure_future(open_tcp(backend, "127.0.0.1", full, 10))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    loop_world.run(body)  # a socket left open would be an error: ResourceWarning


class TestUnix:
    def test_a_cancelled_attempt_closes_its_socket(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def cancelled(*_: Any) -> None:
            raise asyncio.CancelledError

        monkeypatch.setattr(connect, "_finish_connecting", cancelled)
        with pytest.raises(asyncio.CancelledError):
            run(open_unix(BlockingBackend(), str(tmp_path / "socket"), 10))

    @pytest.mark.parametrize("abstract", [False, True])
    def test_a_path_and_an_abstract_name(self, world: Any, tmp_path: Path, abstract: bool) -> None:
        path = str(tmp_path / "socket")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind("\0" + path if abstract else path)
            listener.listen()
            name = "@" + path if abstract else path
            stream = world.run(lambda backend: open_unix(backend, name, 10))
            assert stream.peer_address == name
            stream.write(b"x")
            with listener.accept()[0] as peer:
                assert peer.recv(1) == b"x"
            stream.close()

    def test_nothing_there(self, world: Any, tmp_path: Path) -> None:
        path = str(tmp_path / "nothing")
        with pytest.raises(FileNotFoundError) as caught:
            world.run(lambda backend: open_unix(backend, path, 10))
        assert str(caught.value) == f"cannot connect to {path}: no such file or folder"

    def test_a_full_queue_is_a_refusal(self, world: Any, tmp_path: Path) -> None:
        path = str(tmp_path / "socket")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen(0)
            first = world.run(lambda backend: open_unix(backend, path, 10))
            with pytest.raises(ConnectionRefusedError, match="connection refused"):
                world.run(lambda backend: open_unix(backend, path, 10))
            first.close()

    def test_a_name_that_is_too_long(self) -> None:
        with pytest.raises(OSError, match=r"cannot connect to xxx.*too long"):
            run(open_unix(BlockingBackend(), "x" * 200, 10))
