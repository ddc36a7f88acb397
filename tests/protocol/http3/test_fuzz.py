"""Whatever bytes come on whatever streams: nothing but RemoteProtocolError, and credit that adds up."""

from __future__ import annotations

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.protocol.http3.fake_quic import GET, OK, Bench

from h123.protocol.connection import Role
from h123.protocol.errors import RemoteProtocolError
from h123.protocol.events import DataReceived
from h123.protocol.http3.frames import decode_integer, encode_frame, encode_integer, encode_settings
from h123.protocol.quic.connection import (
    QUICEvent,
    ResetReceived,
    StopSendingReceived,
    StreamDataReceived,
)

_bench = Bench(Role.SERVER)
GOOD = [
    _bench.section(GET),
    _bench.section(OK),
    _bench.section([(b"a", b"b")]),
    b"\0",
    b"\2",
    b"\3",
]

frame = st.one_of(
    st.sampled_from([*GOOD, b"\0" + encode_settings({1: 4096, 7: 16})]),
    st.builds(encode_frame, st.integers(0, 0x40), st.binary(max_size=40)),
    st.binary(max_size=20),
)
stream_id = st.sampled_from([0, 4, 8, 1, 2, 3, 6, 7, 10, 11, 14])
told = st.one_of(
    st.builds(
        StreamDataReceived, stream_id, st.lists(frame, max_size=4).map(b"".join), st.booleans()
    ),
    st.builds(ResetReceived, stream_id, st.sampled_from([0, 0x100, 0x10B, 0x10C])),
    st.builds(StopSendingReceived, stream_id, st.sampled_from([0, 0x100, 0x10B, 0x10C])),
)


def is_possible(event: QUICEvent, role: Role, over: set[int]) -> bool:
    """Whether a transport could tell this: bytes come on streams that the peer writes, until their end."""
    number = event.stream_id  # type: ignore[attr-defined]  # all of these have one
    mine = (number & 1 == 0) == (role is Role.CLIENT)
    if isinstance(event, StopSendingReceived):
        return not number & 2 or mine
    return not (number & 2 and mine) and number not in over


@given(st.sampled_from(Role), st.lists(told, max_size=20))
@settings(max_examples=400, deadline=None)
def test_nothing_but_remote_protocol_error(role: Role, story: list[QUICEvent]) -> None:
    bench = Bench(role)
    if role is Role.CLIENT:
        for _ in range(2):
            bench.engine.send_request(b"POST", b"/", [], authority=b"a")
    over: set[int] = set()
    received: dict[int, int] = {}
    content: dict[int, int] = {}
    with contextlib.suppress(RemoteProtocolError):
        for event in story:
            over |= set(bench.quic.stops)
            if not is_possible(event, role, over):
                continue
            if isinstance(event, StreamDataReceived):
                number = event.stream_id
                received[number] = received.get(number, 0) + len(event.data)
                if event.end_stream:
                    over.add(number)
            elif isinstance(event, ResetReceived):
                over.add(event.stream_id)
            for each in bench.tell(event):
                if isinstance(each, DataReceived):
                    content[each.stream_id] = content.get(each.stream_id, 0) + len(each.data)
        # No more is credited than came, and once all is consumed nothing is missing.
        for number in received:
            assert bench.quic.consumed.get(number, 0) <= received[number]
        for number in list(bench.engine._unread):
            bench.engine.consume(number, bench.engine._unread[number])
        for number in [each for each in received if each & 3 == 0]:
            stream = bench.engine._streams.get(number)
            held = 0 if stream is None else stream.held
            assert bench.quic.consumed.get(number, 0) + held == received[number]


@given(st.integers(0, (1 << 62) - 1), st.binary(max_size=9))
def test_integers_round_trip_9000_16(value: int, rest: bytes) -> None:
    encoded = encode_integer(value)
    assert decode_integer(encoded + rest, 0) == (value, len(encoded))
    assert decode_integer(encoded[:-1], 0)[0] == -1
