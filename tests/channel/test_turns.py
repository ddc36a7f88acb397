"""A server reads from a connection as much as a short turn takes: floods get no more than their share."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from tests.protocol.http2 import playbook

from h123.channel import wire as module
from h123.channel.wire import FIRST_READ, SHORTEST_READ, ByteStreamWire
from h123.network.stream import READ_SIZE, SocketStream
from h123.protocol.connection import Role
from h123.protocol.http2.connection import HTTP2Connection


@pytest.fixture
def sockets() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    yield ours, theirs
    ours.close()
    theirs.close()


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What dealing with a read seems to take."""
    spent = [0.0]
    clock = [0.0]

    def perf_counter() -> float:
        clock[0] += spent[0]
        return clock[0]

    monkeypatch.setattr(module, "perf_counter", perf_counter)
    return spent


def test_reads_shrink_while_turns_are_long_and_grow_while_they_are_short(
    sockets: tuple[socket.socket, socket.socket], seconds: list[float]
) -> None:
    ours, theirs = sockets
    wire = ByteStreamWire(HTTP2Connection(Role.SERVER), SocketStream(ours))
    theirs.sendall(playbook.PREFACE + playbook.settings())
    wire.receive()
    assert wire._read_size == FIRST_READ  # what came was less than could have been read

    theirs.sendall(playbook.frame(0x42, 0, 0, bytes(16384)) * 8)
    while wire.receive() is not None:
        pass
    assert wire._read_size == READ_SIZE

    seconds[0] = 0.1
    for _ in range(10):
        theirs.sendall(playbook.frame(0x42))
        wire.receive()
    assert wire._read_size == SHORTEST_READ


def test_a_client_reads_all_that_it_can(sockets: tuple[socket.socket, socket.socket]) -> None:
    wire = ByteStreamWire(HTTP2Connection(Role.CLIENT), SocketStream(sockets[0]))
    assert wire._read_size == READ_SIZE
