"""What holds for any bytes at all: how they are cut, what they may raise, how much they may keep."""

from __future__ import annotations

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.protocol.http2 import playbook
from tests.protocol.http2.playbook import GET, OK, POST, PREFACE, SETTINGS_ACK, frame, headers

from h123.protocol.connection import Role
from h123.protocol.errors import RemoteProtocolError
from h123.protocol.events import DataReceived, Event
from h123.protocol.http2.connection import HTTP2Connection
from h123.protocol.limits import Limits

_LIMITS = Limits(
    stream_window=70000,
    connection_window=80000,
    header_block_size=1000,
    header_fields=10,
    concurrent_streams=4,
    stream_resets=5,
    queued_answers=30,
    idle_frames=40,
)

_IDS = st.sampled_from([0, 1, 3, 5, 7, 9, 2])
_FLAGS = st.sampled_from([0, 1, 4, 5, 8, 9, 12, 13, 0x2D, 0xFF])
_BLOCKS = st.sampled_from(
    [
        playbook.block(GET),
        playbook.block(POST),
        playbook.block(OK),
        playbook.block([*OK, (b"content-length", b"3")]),
        playbook.block([(b"a", b"b")]),
        playbook.block([*GET, *[(b"n", b"v" * 100)] * 9]),
        b"\x40\x01a\x01b",
        b"\xbe",
        b"\x20",
        b"",
    ]
)
_PAYLOADS = _BLOCKS | st.binary(max_size=20) | st.just(b"\0\0\0\x05") | st.just(b"x" * 9000)
_FRAMES = st.builds(frame, st.integers(0, 11), _IDS, _FLAGS, _PAYLOADS)
_USUAL = st.sampled_from(
    [
        headers(1, GET, end=True),
        headers(3, POST),
        headers(1, OK),
        headers(3, OK, end=True),
        headers(1, [(b"a", b"b")], end=True),
        playbook.data(1, b"hello"),
        playbook.data(3, b"hello", end=True),
        frame("DATA", 3, 8, b"\x02hello\0\0"),
        playbook.ping(),
        playbook.settings((4, 100), (3, 1)),
        playbook.window_update(1, 100),
        playbook.window_update(0, 100),
        playbook.rst_stream(1, 0),
        playbook.goaway(1),
        SETTINGS_ACK,
    ]
)
_WIRES = st.lists(_FRAMES | _USUAL, max_size=12).map(b"".join)


def engine(role: Role) -> HTTP2Connection:
    made = HTTP2Connection(role, limits=_LIMITS)
    if role is Role.CLIENT:
        for end in (True, False):
            made.send_request(b"POST", b"/", [], authority=b"h", end_stream=end)
    return made


def run(role: Role, parts: list[bytes]) -> tuple[list[object], list[str], HTTP2Connection]:
    """Feed the parts; return the events (DATA put together), what was sent, and the engine."""
    made = engine(role)
    events: list[Event] = []
    end = ""
    for part in parts:
        try:
            events += made.receive_data(part)
        except RemoteProtocolError as error:
            events += error.events
            end = error.rule
            assert end
            assert made.is_closed
    told: list[object] = []
    contents: dict[int, bytes] = {}
    for event in events:
        if isinstance(event, DataReceived):
            contents[event.stream_id] = contents.get(event.stream_id, b"") + event.data
            if not event.end_stream:
                continue
            told.append(("end", event.stream_id))
        else:
            told.append(event)
    told += [contents, end]
    return told, [repr(frame) for frame in playbook.sent(made)], made


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(Role), _WIRES, st.integers(1, 40))
def test_whole_equals_byte_by_byte(role: Role, wire: bytes, cut: int) -> None:
    if role is Role.SERVER:
        wire = PREFACE + playbook.settings() + wire
    else:
        wire = playbook.settings() + wire
    whole = run(role, [wire])[:2]
    assert run(role, [wire[at : at + cut] for at in range(0, len(wire), cut)])[:2] == whole
    if len(wire) < 2000:
        assert run(role, [wire[at : at + 1] for at in range(len(wire))])[:2] == whole


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(Role), _WIRES | st.binary(max_size=100), st.booleans())
def test_memory_is_bounded_and_nothing_else_is_raised(role: Role, wire: bytes, begun: bool) -> None:
    if begun:
        wire = (PREFACE if role is Role.SERVER else b"") + playbook.settings() + wire
    _, _, made = run(role, [wire, wire])
    assert len(made._pending) <= _LIMITS.frame_size + 9
    assert len(made._streams) <= _LIMITS.concurrent_streams
    assert sum(map(len, made._fragments)) <= 4 * _LIMITS.header_block_size
    unread = sum(made._unread.values()) + sum(stream.unread for stream in made._streams.values())
    assert unread <= _LIMITS.connection_window
    with contextlib.suppress(RemoteProtocolError):
        made.receive_eof()
    assert made.is_closed
    assert made.data_to_send() == b""
