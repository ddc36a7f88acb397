"""Windows that follow the path: RFC 9113 section 5.2, on paths made of queues, without a clock."""

from __future__ import annotations

from collections import deque

import pytest
from tests.protocol.http2.playbook import (
    OK,
    POST,
    client,
    data,
    get,
    headers,
    hears,
    kinds,
    ping,
    sent,
    server,
    window_update,
)

from h123.protocol.connection import Role
from h123.protocol.errors import RemoteProtocolError
from h123.protocol.events import DataReceived, PingAcknowledged
from h123.protocol.http2.connection import HTTP2Connection
from h123.protocol.http2.tuning import PROBE
from h123.protocol.limits import Limits

SMALL = Limits(stream_window=65536, largest_stream_window=1048576)


class Path:
    """An upload from a client to a server, in turns: each way takes `delay` of them, each carries `rate` bytes."""

    def __init__(
        self, delay: int, rate: int, limits: Limits = SMALL, *, reads: int = 1 << 40
    ) -> None:
        self.client = HTTP2Connection(Role.CLIENT)
        self.server = HTTP2Connection(Role.SERVER, limits=limits)
        self.rate = rate
        self.reads = reads  # bytes that the server's user takes a turn
        self.unread = 0
        self.to_server = deque([b""] * delay)
        self.to_client = deque([b""] * delay)
        self.received = 0
        self.most_unread = 0
        self.probes = 0
        self.client.send_request(b"POST", b"/", [], authority=b"h")

    def turn(self) -> int:
        """Let a turn pass; return the bytes of content that arrived in it."""
        room = min(self.client.send_capacity(1), self.rate)
        if room:
            self.client.send_data(1, b"x" * room)
        self.to_server.append(self.client.data_to_send())
        arrived = 0
        for event in self.server.receive_data(self.to_server.popleft()):
            if isinstance(event, DataReceived):
                arrived += len(event.data)
        self.received += arrived
        self.unread += arrived
        self.most_unread = max(self.most_unread, self.unread)
        taken = min(self.unread, self.reads)
        self.unread -= taken
        self.server.consume(1, taken)
        answer = self.server.data_to_send()
        self.probes += answer.count(PROBE)
        self.to_client.append(answer)
        self.client.receive_data(self.to_client.popleft())
        return arrived

    def turns(self, count: int) -> int:
        return sum(self.turn() for _ in range(count))


def test_on_a_long_path_the_window_grows_until_the_path_is_full() -> None:
    path = Path(delay=10, rate=20000)  # 400 kB are under way at once where a window holds 64 KiB
    assert path.turns(60) < 60 * path.rate * 0.6  # it has to wait at first
    path.turns(1500)
    assert path.turns(100) == 100 * path.rate
    assert path.server._tuning.size <= 1048576


def test_on_a_short_path_the_window_stays_and_the_probes_become_few() -> None:
    path = Path(delay=1, rate=10000)
    path.turns(3000)
    assert path.server._tuning.size == 65536
    assert path.received > 2900 * path.rate
    assert path.probes < 30


def test_the_window_never_grows_past_its_bound() -> None:
    path = Path(delay=50, rate=200000)
    path.turns(3000)
    assert path.server._tuning.size == 1048576
    probes = path.probes
    path.turns(500)
    assert path.probes == probes  # nothing is left to find out


def test_a_slow_reader_does_not_widen_the_window_it_fills() -> None:
    path = Path(delay=10, rate=20000, reads=2000)
    path.turns(3000)
    assert path.server._tuning.size == 65536
    assert path.most_unread <= 65536
    assert path.probes == 0


def test_a_reader_that_stops_stops_the_peer_whatever_the_window_has_grown_to() -> None:
    path = Path(delay=10, rate=20000)
    path.turns(2000)
    path.reads = 0
    path.turns(300)
    assert path.turns(100) == 0
    assert path.unread <= path.server._tuning.size


def test_streams_share_what_was_learned_from_their_first_grant_on() -> None:
    path = Path(delay=10, rate=20000)
    path.turns(2000)
    size = path.server._tuning.size
    assert size > 65536
    engine = path.server
    hears(engine, headers(3, POST), data(3, b"x" * 16384) * 2)
    engine.data_to_send()
    engine.consume(3, 32768)
    assert [(f.stream, f.code) for f in sent(engine)] == [(3, 32768 + size - 65536)]


def test_one_stream_never_gets_more_than_half_of_the_connections_window() -> None:
    engine = server(limits=Limits(connection_window=200000))
    assert engine._tuning.largest == 1048576  # what is announced holds
    assert server(limits=SMALL.replace(connection_window=200000))._tuning.largest == 100000


def grant(engine: HTTP2Connection, stream: int) -> list[str]:
    hears(engine, data(stream, b"x" * 16384) * 2)
    engine.consume(stream, 32768)
    return kinds(engine)


def test_a_probe_is_out_once_at_a_time_and_its_answer_is_no_event() -> None:
    engine = server(limits=SMALL)
    hears(engine, headers(1, POST), headers(3, POST))
    assert grant(engine, 1) == ["WINDOW_UPDATE", "PING"]
    assert grant(engine, 3) == ["WINDOW_UPDATE"]
    assert hears(engine, ping(PROBE, ack=True)) == []
    assert grant(engine, 1) == ["WINDOW_UPDATE"]  # there was enough: the next one is left out
    assert grant(engine, 1) == ["WINDOW_UPDATE", "PING"]


def test_a_peer_that_has_used_up_what_it_had_by_its_answer_waits_for_us() -> None:
    engine = server(limits=SMALL)
    hears(engine, headers(1, POST))
    assert grant(engine, 1) == ["WINDOW_UPDATE", "PING"]
    assert grant(engine, 1) == ["WINDOW_UPDATE"]
    hears(engine, ping(PROBE, ack=True))
    assert engine._tuning.size == 131072


@pytest.mark.parametrize("end", [True, False])
def test_an_answer_after_the_stream_is_over_teaches_nothing(end: bool) -> None:
    engine = client(limits=SMALL)
    stream = get(engine)
    hears(engine, headers(stream, OK))
    assert grant(engine, stream) == ["WINDOW_UPDATE", "PING"]
    hears(engine, data(stream, b"x" * 16384) * 3)
    if end:
        hears(engine, data(stream, b"", end=True))
    else:
        engine.reset_stream(stream)
    hears(engine, ping(PROBE, ack=True))
    assert engine._tuning.size == 65536


def test_an_answer_that_nobody_asked_for_is_ignored() -> None:
    engine = server(limits=SMALL)
    assert hears(engine, ping(PROBE, ack=True)) == []
    engine.ping(b"12345678")
    assert hears(engine, ping(ack=True)) == [PingAcknowledged(b"12345678")]


def test_limits_over_the_largest_window_are_that() -> None:
    """RFC 9113 section 6.9.1: no window is larger than 2**31 - 1."""
    engine = HTTP2Connection(
        Role.SERVER, limits=Limits(stream_window=1 << 40, connection_window=1 << 40)
    )
    frames = sent(engine)
    assert frames[0].payload.endswith(b"\0\4\x7f\xff\xff\xff")
    assert [(f.kind, f.code) for f in frames[1:]] == [("WINDOW_UPDATE", 2**31 - 1 - 65535)]
    peer = HTTP2Connection(Role.CLIENT)
    peer.receive_data(engine.data_to_send())
    with pytest.raises(RemoteProtocolError):
        hears(peer, window_update(0, 2**31 - 1), window_update(0, 2**31 - 1))
