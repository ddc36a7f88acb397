"""UDP sockets: many at once, nothing waits, nothing is fragmented (RFC 9000 section 14)."""

from __future__ import annotations

import errno
import socket
from typing import Any

import pytest

from h123.network import udp
from h123.network.backend import Address
from h123.network.blocking import BlockingBackend, run
from h123.network.listen import bind_udp
from h123.network.udp import UDPSocket, open_udp

BACKEND = BlockingBackend()


@pytest.fixture
def server() -> Any:
    (sock,) = bind_udp("127.0.0.1", 0)
    yield sock
    sock.close()


@pytest.fixture
def client(server: UDPSocket) -> Any:
    sock = run(open_udp(BACKEND, "127.0.0.1", server.local_address[1], 10))
    yield sock
    sock.close()


def receive(sock: UDPSocket, number: int) -> list[tuple[bytes, Any]]:
    """Wait for this many datagrams."""
    received: list[tuple[bytes, Any]] = []
    while len(received) < number:
        assert run(BACKEND.poller(sock.sock).wait(True, False, 10))
        received += sock.receive_many()
    return received


def test_datagrams_go_there_and_back_with_addresses(server: UDPSocket, client: UDPSocket) -> None:
    assert client.send_many([(b"one", None), (b"", None), (b"x" * 1472, None)]) == 3
    received = receive(server, 3)
    assert [data for data, _ in received] == [b"one", b"", b"x" * 1472]
    assert {address for _, address in received} == {client.local_address}
    assert server.send_many([(data[:1], address) for data, address in received]) == 3
    assert receive(client, 3) == [(data, server.local_address) for data in (b"o", b"", b"x")]
    assert client.receive_many() == []


def test_at_most_so_many_at_a_time(server: UDPSocket, client: UDPSocket) -> None:
    client.send_many([(b"%d" % i, None) for i in range(10)])
    assert run(BACKEND.poller(server.sock).wait(True, False, 10))
    assert [len(server.receive_many(limit)) for limit in (4, 5, 64)] == [4, 5, 1]


def test_nobody_there_is_a_refusal_for_one_who_is_connected(
    server: UDPSocket, client: UDPSocket
) -> None:
    server.close()
    client.send_many([(b"x", None)])
    assert run(BACKEND.poller(client.sock).wait(True, False, 10))
    with pytest.raises(
        ConnectionRefusedError, match=r"^receiving from 127\.0\.0\.1:\d+ by UDP: conn"
    ):
        client.receive_many()
    client.send_many([(b"x", None)])
    with pytest.raises(ConnectionRefusedError, match=r"^sending to 127\.0\.0\.1:\d+ by UDP: conn"):
        client.send_many([(b"y", None)])
    assert client.unsent == 0


def test_a_server_does_not_mind_a_client_that_is_gone(server: UDPSocket, client: UDPSocket) -> None:
    client.send_many([(b"x", None)])
    ((_, address),) = receive(server, 1)
    client.close()
    assert server.send_many([(b"y", address), (b"z", address)]) == 2
    assert server.receive_many() == []


def test_a_datagram_that_is_too_large_is_dropped(server: UDPSocket, client: UDPSocket) -> None:
    assert client.send_many([(b"x" * 65508, None)]) == 0
    assert client.dropped == 1
    client.send_many([(b"small", None)] * 2)  # Linux may blame the next one too
    assert receive(server, 1)[0][0] == b"small"
    assert server.send_many([(b"x" * 65508, client.local_address)]) == 0
    assert server.dropped == 1


def test_what_a_server_can_not_send_is_dropped(server: UDPSocket) -> None:
    assert server.send_many([(b"x", ("255.255.255.255", 9))]) == 0  # not allowed
    assert server.dropped == 1


class Full:
    """A socket that takes a few datagrams and then no more."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.room = 0

    def send(self, data: bytes) -> int:
        if not self.room:
            raise BlockingIOError(errno.EAGAIN, "full")
        self.room -= 1
        return self.sock.send(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.sock, name)


def test_what_the_kernel_does_not_take_waits_in_order_up_to_a_bound(
    server: UDPSocket, client: UDPSocket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(udp, "_QUEUE_LIMIT", 4)
    kernel: Any = Full(client.sock)
    client.sock = kernel
    kernel.room = 1
    assert client.send_many([(b"%d" % i, None) for i in range(3)]) == 1
    assert client.unsent == 2
    assert client.send_many([(b"%d" % i, None) for i in range(3, 7)]) == 0
    assert (client.unsent, client.dropped) == (4, 2)
    assert client.flush() == 0
    kernel.room = 3
    assert client.flush() == 3
    assert client.unsent == 1
    kernel.room = 2
    assert client.send_many([(b"7", None)]) == 2
    assert client.unsent == 0
    assert [data for data, _ in receive(server, 6)] == [b"0", b"1", b"2", b"3", b"4", b"7"]
    assert "0 unsent" in repr(client)
    client.sock = kernel.sock


def test_errors_come_after_what_was_received(server: UDPSocket, client: UDPSocket) -> None:
    client.send_many([(b"x", None)])
    ((_, address),) = receive(server, 1)
    server.send_many([(b"last words", address)])
    server.close()
    client.send_many([(b"y", None)])
    # The kernel tells the error before the data: the next call has it.
    with pytest.raises(ConnectionRefusedError):
        client.receive_many()
    assert client.receive_many()[0][0] == b"last words"


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_section_14_nothing_is_fragmented(host: str) -> None:
    (sock,) = bind_udp(host, 0)
    level, option = (
        (socket.IPPROTO_IPV6, udp._IPV6_MTU_DISCOVER)
        if ":" in host
        else (socket.IPPROTO_IP, udp._IP_MTU_DISCOVER)
    )
    assert sock.sock.getsockopt(level, option) == udp._PMTUDISC_PROBE
    assert sock.sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) > 212_992
    assert repr(sock).startswith("<UDPSocket ")
    assert str(sock) in repr(sock)
    sock.close()


def test_closing_is_final(client: UDPSocket, server: UDPSocket) -> None:
    for sock in (client, server):
        sock.close()
        sock.close()
        assert sock.is_closed
        assert sock.fileno() == -1
        with pytest.raises(OSError, match="was closed here"):
            sock.receive_many()
        with pytest.raises(OSError, match="was closed here"):
            sock.send_many([(b"x", ("127.0.0.1", 9))])


def test_the_first_address_with_a_route_is_taken(world: Any) -> None:
    addresses = [
        Address(socket.AF_INET, ("255.255.255.255", 9)),
        Address(socket.AF_INET, ("127.0.0.1", 9)),
    ]
    sock = world.run(lambda backend: open_udp(backend, "x.test", 9, 10, addresses=addresses))
    assert sock.peer == ("127.0.0.1", 9)
    sock.close()
    with pytest.raises(
        PermissionError, match=r"^cannot reach x\.test at 255\.255\.255\.255:9: perm"
    ):
        world.run(lambda backend: open_udp(backend, "x.test", 9, 10, addresses=addresses[:1]))
    with pytest.raises(OSError, match=r"^cannot reach x\.test: it has no address$"):
        world.run(lambda backend: open_udp(backend, "x.test", 9, 10, addresses=[]))
