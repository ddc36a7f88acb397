"""A peer whose window is tiny: nobody waits in vain for room that never comes (RFC 9113 section 6.9)."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from tests.protocol.http2 import playbook

from h123.channel.channel import Channel
from h123.channel.exchange import Exchange
from h123.channel.wire import ByteStreamWire
from h123.network.blocking import BlockingBackend
from h123.network.stream import SocketStream
from h123.protocol.connection import Role
from h123.protocol.http2.connection import HTTP2Connection


class Meeting:
    """A client's channel with one upload on it, and the server's end of its socket."""

    def __init__(self, window: int) -> None:
        ours, self.peer = socket.socketpair()
        self.peer.settimeout(5)
        engine = HTTP2Connection(Role.CLIENT)
        stream = SocketStream(ours)
        self.channel = Channel(engine, ByteStreamWire(engine, stream), BlockingBackend(), "peer")
        self.channel.start()
        self.peer.sendall(playbook.settings((4, window)) + playbook.SETTINGS_ACK)
        self.channel.on_readable()
        exchange = self.channel.open_exchange(
            b"POST", b"/", [], scheme=b"https", authority=b"h", end_stream=False
        )
        assert exchange is not None
        self.exchange: Exchange = exchange

    def widen(self, increment: int) -> None:
        self.peer.sendall(playbook.window_update(1, increment))
        self.channel.on_readable()

    def close(self) -> None:
        self.channel.close()
        self.peer.close()


@pytest.fixture
def meeting() -> Iterator[Meeting]:
    meeting = Meeting(100)
    yield meeting
    meeting.close()


def _tire(meeting: Meeting) -> None:
    """Let the peer have the few crumbs that it gets."""
    for _ in range(4):
        assert meeting.exchange.send_some(b"x" * 1000) == 100
        meeting.widen(100)


def test_a_long_piece_waits_for_a_window_worth_using(meeting: Meeting) -> None:
    _tire(meeting)
    assert meeting.exchange.send_some(b"x" * 1000) == 0
    assert not meeting.exchange.can_send()
    meeting.widen(500)
    assert meeting.exchange.can_send()
    assert meeting.exchange.send_some(b"x" * 1000) == 600


def test_a_piece_that_fits_as_a_whole_goes_whether_it_ends_the_stream_or_not(
    meeting: Meeting,
) -> None:
    _tire(meeting)
    assert meeting.exchange.send_some(b"x" * 60) == 60
    assert meeting.exchange.send_some(b"x" * 60) == 0
    assert not meeting.exchange.can_send()
    meeting.widen(20)
    assert meeting.exchange.can_send()
    assert meeting.exchange.send_some(b"x" * 60, end_stream=True) == 60
    assert meeting.exchange.send_ended
