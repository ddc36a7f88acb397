"""The peer's unidirectional streams: RFC 9114 sections 5.2, 6.2 and 7.2, RFC 9204 section 4.2."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.protocol.http3.fake_quic import GET, POST, Bench, unknown

from h123.protocol.connection import Role
from h123.protocol.errors import LocalProtocolError, RemoteProtocolError
from h123.protocol.events import GoAwayReceived, SettingsChanged, StreamReset
from h123.protocol.http3.errors import H3ErrorCode as Code
from h123.protocol.http3.frames import encode_frame, encode_integer, encode_settings
from h123.protocol.limits import Limits

GOAWAY, MAX_PUSH_ID, CANCEL_PUSH = 7, 13, 3


def both() -> list[Bench]:
    return [Bench(Role.SERVER), Bench(Role.CLIENT)]


def test_our_own_streams_open_with_the_handshake_9114_6_2_1() -> None:
    for bench, first in zip(both(), (3, 2), strict=True):
        assert list(bench.quic.sent) == [first, first + 4, first + 8]
        assert bench.quic.sent[first].startswith(b"\0\x04")
        assert bytes(bench.quic.sent[first + 4]) == b"\2"
        assert bytes(bench.quic.sent[first + 8]) == b"\3"


def test_settings_9114_7_2_4(server: Bench) -> None:
    for bench in both():
        frame = b"\0" + encode_settings({1: 100, 7: 5, 0x21: 9})
        for byte in frame[:-1]:
            assert bench.data(bench.control, bytes([byte])) == []
        assert bench.data(bench.control, frame[-1:]) == [SettingsChanged({1: 100, 7: 5, 0x21: 9})]
        assert bench.quic.consumed[bench.control] == len(frame)


BROKEN: list[tuple[str, bytes, int]] = [
    ("no SETTINGS first", encode_frame(GOAWAY, b"\0"), Code.MISSING_SETTINGS),
    ("GREASE first", unknown(), Code.MISSING_SETTINGS),
    ("DATA", encode_frame(0, b""), Code.FRAME_UNEXPECTED),
    ("HEADERS", encode_frame(1, b""), Code.FRAME_UNEXPECTED),
    ("PUSH_PROMISE", encode_frame(5, b""), Code.FRAME_UNEXPECTED),
    ("PRIORITY", encode_frame(2, b""), Code.FRAME_UNEXPECTED),
    ("PING", encode_frame(6, b""), Code.FRAME_UNEXPECTED),
    ("WINDOW_UPDATE", encode_frame(8, b""), Code.FRAME_UNEXPECTED),
    ("CONTINUATION", encode_frame(9, b""), Code.FRAME_UNEXPECTED),
    ("SETTINGS twice", encode_settings({}) * 2, Code.FRAME_UNEXPECTED),
    ("a setting twice", encode_frame(4, b"\x06\0\x06\0"), Code.SETTINGS_ERROR),
    ("a setting cut off", encode_frame(4, b"\x06"), Code.FRAME_ERROR),
    ("a value cut off", encode_frame(4, b"\x06\x40"), Code.FRAME_ERROR),
    *[(f"HTTP/2's {n}", encode_settings({n: 1}), Code.SETTINGS_ERROR) for n in (0, 2, 3, 4, 5)],
    ("CONNECT neither on nor off", encode_settings({8: 2}), Code.SETTINGS_ERROR),
    ("datagrams neither on nor off", encode_settings({0x33: 2}), Code.SETTINGS_ERROR),
    ("many settings", encode_settings({0x21 + n: 0 for n in range(33)}), Code.EXCESSIVE_LOAD),
    ("long SETTINGS", b"\4\x44\0", Code.EXCESSIVE_LOAD),
    ("long GOAWAY", encode_settings({}) + b"\7\x09", Code.FRAME_ERROR),
    ("empty GOAWAY", encode_settings({}) + b"\7\0", Code.FRAME_ERROR),
    ("GOAWAY with more", encode_settings({}) + b"\7\2\0\0", Code.FRAME_ERROR),
    ("CANCEL_PUSH", encode_settings({}) + b"\3\1\0", Code.ID_ERROR),
    ("CANCEL_PUSH cut off", encode_settings({}) + b"\3\1\x40", Code.FRAME_ERROR),
]


@pytest.mark.parametrize(("what", "frames", "code"), BROKEN, ids=[each[0] for each in BROKEN])
def test_a_broken_control_stream_ends_the_connection(what: str, frames: bytes, code: int) -> None:
    for bench in both():
        with pytest.raises(RemoteProtocolError) as caught:
            bench.data(bench.control, b"\0" + frames)
        assert caught.value.error_code == code
        assert bench.quic.closed == (code, str(caught.value))


def test_unknown_frames_are_passed_by_however_long_9114_9(server: Bench) -> None:
    server.data(server.control, encode_integer(0x21) + encode_integer(1 << 40) + b"x")
    assert server.data(server.control, b"x" * 100_000) == []
    other = Bench(Role.SERVER, settings={})
    assert other.data(other.control, unknown(b"abc")[:-1]) == []
    goaway = encode_frame(GOAWAY, b"\0")
    assert other.data(other.control, b"c" + goaway) == [GoAwayReceived(-4, 0)]


def test_max_push_id_9114_7_2_7(server: Bench, client: Bench) -> None:
    server.data(server.control, encode_frame(MAX_PUSH_ID, b"\5") * 2)
    with pytest.raises(RemoteProtocolError) as caught:
        server.data(server.control, encode_frame(MAX_PUSH_ID, b"\4"))
    assert caught.value.error_code == Code.ID_ERROR
    with pytest.raises(RemoteProtocolError) as caught:
        client.data(client.control, encode_frame(MAX_PUSH_ID, b"\4"))
    assert caught.value.error_code == Code.FRAME_UNEXPECTED


# -------------------------------------------------------------------------------------- streams


@pytest.mark.parametrize("kind", [0, 2, 3])
def test_there_is_one_of_each_critical_stream_9114_6_2_1(server: Bench, kind: int) -> None:
    bench = Bench(Role.SERVER)
    bench.data(2, bytes([kind]))
    with pytest.raises(RemoteProtocolError) as caught:
        bench.data(6, bytes([kind]))
    assert caught.value.error_code == Code.STREAM_CREATION_ERROR


WAYS: list[Callable[[Bench, int], object]] = [
    lambda bench, kind: bench.data(bench.other, b"", end=True),
    lambda bench, kind: bench.reset(bench.other, 0),
    lambda bench, kind: bench.stop(list(bench.quic.sent)[kind // 2], 0),
]


@pytest.mark.parametrize("kind", [0, 2, 3])
@pytest.mark.parametrize("way", WAYS, ids=["end", "reset", "stop"])
def test_critical_streams_stay_open_9114_6_2_1(
    kind: int, way: Callable[[Bench, int], object]
) -> None:
    for bench in both():
        bench.data(bench.other, bytes([kind]))
        with pytest.raises(RemoteProtocolError) as caught:
            way(bench, kind)
        assert caught.value.error_code == Code.CLOSED_CRITICAL_STREAM


def test_push_streams_are_errors_9114_6_2_2() -> None:
    for bench, code in zip(both(), (Code.STREAM_CREATION_ERROR, Code.ID_ERROR), strict=True):
        with pytest.raises(RemoteProtocolError) as caught:
            bench.data(bench.other, b"\1")
        assert caught.value.error_code == code


def test_streams_of_unknown_kinds_are_not_read_9114_6_2_3(server: Bench) -> None:
    kind = encode_integer(0x21 + 0x1F * 1000)
    assert server.data(server.other, kind[:1]) == []
    assert server.data(server.other, kind[1:] + b"anything") == []
    assert server.quic.stops == {server.other: Code.STREAM_CREATION_ERROR}
    assert server.data(server.other + 4, kind, end=True) == []
    assert server.other + 4 not in server.quic.stops
    assert server.reset(server.other, 0) == []


def test_a_stream_may_end_before_its_kind_is_known_9114_6_2(server: Bench) -> None:
    assert server.data(server.other, b"\x40", end=True) == []
    assert server.data(server.other + 4, b"") == []
    assert server.reset(server.other + 4, 0) == []


# --------------------------------------------------------------------------------------- GOAWAY


def test_goaway_refuses_what_it_names_and_later_9114_5_2(client: Bench) -> None:
    for _ in range(3):
        client.engine.send_request(b"POST", b"/", [], authority=b"a")
    assert client.data(client.control, encode_frame(GOAWAY, b"\4")) == [
        GoAwayReceived(0, 0),
        StreamReset(4, Code.REQUEST_REJECTED, True, True),
        StreamReset(8, Code.REQUEST_REJECTED, True, True),
    ]
    assert set(client.quic.resets) == set(client.quic.stops) == {4, 8}
    assert client.engine.is_draining
    assert client.engine.available_streams == 0
    with pytest.raises(LocalProtocolError):
        client.engine.send_request(b"GET", b"/", [], authority=b"a")
    client.engine.datagrams_to_send(0.0)
    assert not client.engine.is_closed
    client.engine.reset_stream(0)
    client.engine.datagrams_to_send(0.0)
    assert client.quic.closed == (Code.NO_ERROR, "")
    assert client.engine.is_closed


def test_goaway_only_ever_takes_more_away_9114_5_2(client: Bench) -> None:
    client.data(client.control, encode_frame(GOAWAY, b"\x08"))
    client.data(client.control, encode_frame(GOAWAY, b"\x04"))
    with pytest.raises(RemoteProtocolError) as caught:
        client.data(client.control, encode_frame(GOAWAY, b"\x08"))
    assert caught.value.error_code == Code.ID_ERROR


@pytest.mark.parametrize("stream_id", [1, 2, 3])
def test_goaway_names_a_request_9114_7_2_6(client: Bench, stream_id: int) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        client.data(client.control, encode_frame(GOAWAY, bytes([stream_id])))
    assert caught.value.error_code == Code.ID_ERROR


def test_a_clients_goaway_is_about_pushes_alone(server: Bench) -> None:
    assert server.data(server.control, encode_frame(GOAWAY, b"\1")) == [GoAwayReceived(-3, 0)]
    assert not server.engine.is_draining
    assert len(server.data(0, server.section(GET), end=True)) == 1


# -------------------------------------------------------------------------------------- budgets


FLOODS: list[Callable[[Bench, int], object]] = [
    lambda bench, number: bench.data(bench.control, unknown()),
    lambda bench, number: bench.data(bench.control, encode_frame(MAX_PUSH_ID, b"\1")),
    lambda bench, number: bench.data(bench.other + 4 * number, b"\x21"),
    lambda bench, number: bench.reset(bench.other + 4 * number, 0),
    lambda bench, number: bench.data(bench.instructions, b"\x20" if number else b"\2\x20"),
]


@pytest.mark.parametrize("flood", FLOODS)
def test_frames_and_streams_without_use_are_counted(flood: Callable[[Bench, int], object]) -> None:
    bench = Bench(Role.SERVER, Limits(idle_frames=10), settings={})
    for number in range(9):  # SETTINGS were one
        flood(bench, number)
    with pytest.raises(RemoteProtocolError) as caught:
        flood(bench, 10)
    assert caught.value.error_code == Code.EXCESSIVE_LOAD
    assert caught.value.rule == "idle-frames"


def test_useful_frames_pay_for_idle_ones() -> None:
    bench = Bench(Role.SERVER, Limits(idle_frames=10), settings={})
    for number in range(50):
        bench.data(bench.control, unknown() * 5)
        bench.data(4 * number, bench.section(POST))
