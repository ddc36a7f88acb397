"""Ours against hyper-h2, in memory: each as client and as server, with random messages."""

from __future__ import annotations

import h2.config
import h2.connection
import h2.events
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.protocol.http2.playbook import Fields

from h123.protocol.connection import Role
from h123.protocol.events import (
    DataReceived,
    Event,
    InformationalReceived,
    RequestReceived,
    ResponseReceived,
    TrailersReceived,
)
from h123.protocol.http2.connection import HTTP2Connection

_NAME = st.text("abcdefghijklmnopqrstuvwxyz-0123456789", min_size=1, max_size=12).map(
    lambda name: b"x-" + name.encode()
)
_VALUE = st.binary(max_size=30).map(
    lambda value: bytes(byte for byte in value if byte >= 0x20 and byte != 0x7F).strip()
)
_FIELDS = st.lists(
    st.tuples(_NAME | st.sampled_from([b"cookie", b"accept", b"authorization", b"date"]), _VALUE),
    max_size=6,
    unique_by=lambda field: field[0],
)
_SIZES = st.lists(st.integers(0, 50) | st.just(5000), max_size=3)
_EXCHANGES = st.lists(st.tuples(_FIELDS, _SIZES, _FIELDS), min_size=1, max_size=6)


class Pair:
    """Our engine and h2's, joined."""

    def __init__(self, role: Role, cut: int) -> None:
        self.cut = cut
        self.ours = HTTP2Connection(role)
        config = h2.config.H2Configuration(client_side=role is Role.SERVER, header_encoding=None)
        self.theirs = h2.connection.H2Connection(config)
        self.theirs.initiate_connection()
        self.told: list[Event] = []
        self.heard: list[h2.events.Event] = []
        self.carry()

    def carry(self) -> None:
        while True:
            data, answer = self.ours.data_to_send(), self.theirs.data_to_send()
            if not data and not answer:
                return
            self.heard += self.theirs.receive_data(data) if data else []
            for start in range(0, len(answer), self.cut):
                self._take(self.ours.receive_data(answer[start : start + self.cut]))

    def _take(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, DataReceived):
                self.ours.consume(event.stream_id, len(event.data))
        self.told += events


def _plain(fields: object) -> Fields:
    assert isinstance(fields, list)
    return [(bytes(name), bytes(value)) for name, value in fields]


@settings(max_examples=30, deadline=None)
@given(_EXCHANGES, st.sampled_from([100, 1000, 65536]))
def test_our_client_and_h2s_server(
    exchanges: list[tuple[Fields, list[int], Fields]], cut: int
) -> None:
    pair = Pair(Role.CLIENT, cut)
    for request, sizes, response in exchanges:
        content = [b"y" * size for size in sizes]
        pair.told.clear()
        pair.heard.clear()
        stream = pair.ours.send_request(b"POST", b"/x", request, authority=b"h.example")
        for part in content:
            pair.ours.send_data(stream, part)
        pair.ours.send_trailers(stream, [(b"x-end", b"1")])
        pair.carry()
        head = next(event for event in pair.heard if isinstance(event, h2.events.RequestReceived))
        assert sorted(_plain(head.headers)[4:]) == sorted(request)
        heard = b"".join([e.data for e in pair.heard if isinstance(e, h2.events.DataReceived)])
        assert heard == b"".join(content)
        assert any(isinstance(event, h2.events.TrailersReceived) for event in pair.heard)
        pair.theirs.acknowledge_received_data(len(heard), stream)
        pair.theirs.send_headers(stream, [(b":status", b"103")])
        pair.theirs.send_headers(stream, [(b":status", b"200"), *response])
        for part in content:
            for start in range(0, len(part), 900):
                pair.theirs.send_data(stream, part[start : start + 900], pad_length=len(part) % 5)
        pair.theirs.send_headers(stream, [(b"x-end", b"2")], end_stream=True)
        pair.carry()
        assert pair.told[0] == InformationalReceived(stream, 103, [])
        assert pair.told[1] == ResponseReceived(stream, 200, response, False, "HTTP/2")
        parts = [event.data for event in pair.told if isinstance(event, DataReceived)]
        assert b"".join(parts) == heard
        assert pair.told[-1] == TrailersReceived(stream, [(b"x-end", b"2")])
    assert pair.ours.is_idle


@settings(max_examples=30, deadline=None)
@given(_EXCHANGES, st.sampled_from([100, 1000, 65536]))
def test_h2s_client_and_our_server(
    exchanges: list[tuple[Fields, list[int], Fields]], cut: int
) -> None:
    pair = Pair(Role.SERVER, cut)
    for number, (request, sizes, response) in enumerate(exchanges):
        content = [b"y" * size for size in sizes]
        stream = 2 * number + 1
        pair.told.clear()
        pair.heard.clear()
        head = [
            (b":method", b"POST"),
            (b":scheme", b"https"),
            (b":authority", b"h"),
            (b":path", b"/"),
        ]
        pair.theirs.send_headers(stream, head + request)
        for part in content:
            for start in range(0, len(part), 900):
                pair.theirs.send_data(stream, part[start : start + 900])
        pair.theirs.end_stream(stream)
        pair.carry()
        requests = [event for event in pair.told if isinstance(event, RequestReceived)]
        assert [event.headers for event in requests] == [request]
        data = [event for event in pair.told if isinstance(event, DataReceived)]
        assert data[-1].end_stream
        assert b"".join([event.data for event in data]) == b"".join(content)
        pair.ours.send_response(stream, 200, response)
        for part in content:
            pair.ours.send_data(stream, part)
        pair.ours.send_data(stream, b"", end_stream=True)
        pair.carry()
        answer = next(e for e in pair.heard if isinstance(e, h2.events.ResponseReceived))
        assert sorted(_plain(answer.headers)) == sorted([(b":status", b"200"), *response])
        heard = [event.data for event in pair.heard if isinstance(event, h2.events.DataReceived)]
        assert b"".join(heard) == b"".join(content)
        assert isinstance(pair.heard[-1], h2.events.StreamEnded)
        pair.theirs.acknowledge_received_data(len(b"".join(heard)), stream)
        pair.carry()
    assert pair.ours.is_idle
