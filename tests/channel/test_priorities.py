"""Who sends first when several wait for the same connection (RFC 9218 section 10)."""

from __future__ import annotations

import socket

import pytest
from tests.protocol.http2 import playbook

from h123.channel.channel import Channel
from h123.channel.exchange import Exchange
from h123.channel.wire import ByteStreamWire
from h123.network.blocking import BlockingBackend
from h123.network.stream import SocketStream


@pytest.mark.parametrize(
    ("priorities", "order"),
    [
        ({1: b"u=5", 3: b"u=1", 5: b""}, [3, 5, 1]),
        ({5: b"", 3: b"", 1: b""}, [1, 3, 5]),  # one after the other, in the order of their ids
        ({5: b"i", 3: b"i", 1: b"i"}, [5, 3, 1]),  # in turns: who came to wait first
        ({1: b"i", 3: b"u=2, i", 5: b"u=3"}, [3, 5, 1]),
    ],
)
def test_10_the_most_urgent_go_first(priorities: dict[int, bytes], order: list[int]) -> None:
    engine = playbook.server()
    for stream in sorted(priorities):
        field = (b"priority", priorities[stream])
        playbook.hears(engine, playbook.headers(stream, [*playbook.GET, field], end=True))
    ours, theirs = socket.socketpair()
    with ours, theirs:
        wire = ByteStreamWire(engine, SocketStream(ours))
        channel = Channel(engine, wire, BlockingBackend(), "peer")
        woken: list[int] = []

        class Watched(Exchange):
            __slots__ = ()

            def wake(self) -> None:
                woken.append(self.stream_id)

        for stream in priorities:
            channel._blocked[Watched(channel, stream)] = None
        channel._wake_blocked()
    assert woken == order
