"""Flow control both ways (RFC 9113 sections 5.2, 6.5.2, 6.9): windows, credit, and what changes them."""

from __future__ import annotations

import pytest
from tests.protocol.http2.playbook import (
    END_STREAM,
    GET,
    OK,
    PADDED,
    POST,
    PREFACE,
    SETTINGS_ACK,
    client,
    data,
    frame,
    get,
    headers,
    hears,
    rst_stream,
    sent,
    server,
    settings,
    window_update,
)

from h123.protocol.connection import Role
from h123.protocol.errors import ErrorCode, LocalProtocolError, RemoteProtocolError
from h123.protocol.events import (
    CapacityChanged,
    DataReceived,
    RequestReceived,
    SettingsChanged,
    StreamReset,
)
from h123.protocol.http2.connection import HTTP2Connection
from h123.protocol.limits import Limits

SMALL = Limits(stream_window=65535, connection_window=100000)


def updates(engine: HTTP2Connection) -> list[tuple[int, int]]:
    frames = [frame for frame in sent(engine) if frame.kind != "PING"]
    assert all(frame.kind == "WINDOW_UPDATE" for frame in frames)
    return [(frame.stream, frame.code) for frame in frames]


# ------------------------------------------------------------------------------ receiving


def test_5_2_nothing_is_credited_that_is_not_consumed() -> None:
    engine = server(limits=SMALL)
    hears(engine, headers(1, POST), *[data(1, b"x" * 16000)] * 4)
    assert engine.data_to_send() == b""
    engine.consume(1, 30000)
    assert engine.data_to_send() == b""
    engine.consume(1, 20000)
    assert updates(engine) == [(1, 50000), (0, 50000)]
    engine.consume(1, 20000)
    assert engine.data_to_send() == b""  # 14000 were left, and are kept for the next update


@pytest.mark.parametrize("amount", [-5, 0])
def test_credit_is_never_negative(amount: int) -> None:
    engine = server(limits=SMALL)
    hears(engine, headers(1, POST), data(1, b"x" * 100))
    engine.consume(1, amount)
    engine.consume(3, 5)
    assert (engine._streams[1].credit, engine._credit) == (0, 0)


def test_6_9_1_more_than_the_streams_window_is_a_stream_error() -> None:
    engine = server(limits=SMALL)
    *_, reset = hears(engine, headers(1, POST), *[data(1, b"x" * 16000)] * 5)
    assert isinstance(reset, StreamReset)
    assert (reset.error_code, reset.rule) == (ErrorCode.FLOW_CONTROL_ERROR, "stream-window")


def test_6_9_1_more_than_the_connections_window_ends_it() -> None:
    engine = server(limits=SMALL)
    with pytest.raises(RemoteProtocolError) as caught:
        hears(
            engine,
            headers(1, POST),
            headers(3, POST),
            *[data(1, b"x" * 16000) + data(3, b"x" * 16000)] * 4,
        )
    assert caught.value.rule == "connection-window"
    assert caught.value.error_code == ErrorCode.FLOW_CONTROL_ERROR


def test_bytes_of_a_stream_that_ended_are_still_credited_to_the_connection() -> None:
    engine = server(limits=SMALL)
    hears(engine, headers(1, POST), *[data(1, b"x" * 15000)] * 3, data(1, b"x" * 15000, end=True))
    engine.send_response(1, 200, [], end_stream=True)
    sent(engine)
    engine.consume(1, 20000)
    engine.consume(1, 40000)
    assert updates(engine) == [(0, 60000)]
    engine.consume(1, 1)
    assert engine._unread == {}


def test_bytes_of_a_stream_the_peer_has_reset_are_credited_when_consumed() -> None:
    engine = server(limits=SMALL)
    hears(engine, headers(1, POST), *[data(1, b"x" * 15000)] * 4, rst_stream(1))
    assert engine.data_to_send() == b""
    engine.consume(1, 60000)
    assert updates(engine) == [(0, 60000)]


def test_6_9_a_stream_that_ended_wants_no_credit() -> None:
    engine = server(limits=SMALL)
    hears(engine, headers(1, POST), *[data(1, b"x" * 15000)] * 3, data(1, b"x" * 15000, end=True))
    engine.consume(1, 60000)
    assert updates(engine) == [(0, 60000)]


def test_6_1_padding_is_credited_by_the_engine() -> None:
    engine = server(limits=SMALL)
    padded = frame("DATA", 1, PADDED, b"\xff" + b"x" * 100 + b"\0" * 255)
    events = hears(engine, headers(1, POST), *[padded] * 180)
    assert events[1:] == [DataReceived(1, b"x" * 100, False)] * 180
    stream = engine._streams[1]
    assert stream.unread == 18000
    granted = updates(engine)
    assert granted[0] == (1, 256 * 128)
    assert stream.receive_window + stream.credit == 65535 - 18000


def test_6_1_a_padded_frame_may_be_all_padding_and_end_the_stream() -> None:
    engine = server()
    padded = frame("DATA", 1, PADDED | END_STREAM, b"\x03\0\0\0")
    assert hears(engine, headers(1, POST), padded)[1:] == [DataReceived(1, b"", True)]
    assert isinstance(hears(engine, headers(3, GET))[0], RequestReceived)


@pytest.mark.parametrize("cut", [9, 10, 11, 14, 15, 16, 17])
def test_data_is_handed_on_as_it_comes(cut: int) -> None:
    engine = server()
    hears(engine, headers(1, POST))
    wire = frame("DATA", 1, PADDED | END_STREAM, b"\x03" + b"abcde" + b"\0\0\0")
    before, after = hears(engine, wire[:cut]), hears(engine, wire[cut:])
    parts = [event for event in before + after if isinstance(event, DataReceived)]
    assert b"".join([part.data for part in parts]) == b"abcde"
    assert [part.end_stream for part in parts] == [False] * (len(parts) - 1) + [True]
    assert bool(before) is (cut > 10)


def test_data_of_a_faulty_stream_is_credited() -> None:
    engine = server(limits=SMALL)
    hears(engine, headers(1, GET, end=True), data(1, b"x" * 16000)[:50])
    (reset,) = sent(engine)
    assert reset.kind == "RST_STREAM"
    assert engine._credit == 100000 - 100000 + 16000
    assert hears(engine, b"x" * (16009 - 50), headers(3, GET)) != []


# ----------------------------------------------------------------------------- our settings


def test_6_5_3_a_smaller_window_holds_from_its_acknowledgement_on() -> None:
    engine = server(limits=Limits(stream_window=1000), acknowledged=False)
    hears(engine, headers(1, POST), data(1, b"x" * 16000))
    assert hears(engine, SETTINGS_ACK) == []
    assert engine._streams[1].receive_window == 1000 - 16000
    engine.consume(1, 15999)
    assert updates(engine) == [(1, 15999)]
    *_, reset = hears(engine, headers(3, POST), data(3, b"x" * 1001))
    assert isinstance(reset, StreamReset)
    assert reset.rule == "stream-window"


def test_6_5_3_a_smaller_table_holds_from_its_acknowledgement_on() -> None:
    engine = server(limits=Limits(table_size=0), acknowledged=False)
    indexed = frame("HEADERS", 1, 5, b"\x82\x84\x87\x41\x01a")
    hears(engine, indexed, SETTINGS_ACK)
    with pytest.raises(RemoteProtocolError) as caught:
        hears(engine, frame("HEADERS", 3, 5, b"\x82\x84\x87\xbe"))
    assert caught.value.rule == "hpack-table-size"


def test_a_connection_window_under_the_default_withholds_the_first_credit() -> None:
    engine = server(limits=Limits(connection_window=20000))
    assert engine.data_to_send() == b""
    hears(engine, headers(1, POST), *[data(1, b"x" * 16000)] * 4)
    engine.consume(1, 45000)
    assert engine.data_to_send() == b""
    engine.consume(1, 19000)
    assert updates(engine) == [(0, 64000 - 45535)]


# --------------------------------------------------------------------------------- sending


def test_5_2_we_send_what_both_windows_take() -> None:
    engine = client((4, 70000))
    stream = get(engine, b"POST", end=False)
    assert engine.send_capacity(stream) == 65535  # the connection's
    hears(engine, window_update(0, 1000000))
    assert engine.send_capacity(stream) == 70000
    engine.send_data(stream, b"x" * 70000)
    assert [len(f.payload) for f in sent(engine)] == [16384] * 4 + [70000 - 4 * 16384]
    assert engine.send_capacity(stream) == 0
    with pytest.raises(LocalProtocolError, match="1 bytes where the peer takes 0"):
        engine.send_data(stream, b"x")
    engine.send_data(stream, b"", end_stream=True)
    (last,) = sent(engine)
    assert (last.flags, last.payload) == (END_STREAM, b"")


def test_4_2_frames_are_as_large_as_the_peer_takes() -> None:
    engine = client((5, 20000))
    stream = get(engine, b"POST", end=False)
    engine.send_data(stream, b"x" * 40000, end_stream=True)
    assert [(len(f.payload), f.flags) for f in sent(engine)] == [(20000, 0), (20000, END_STREAM)]
    stream = engine.send_request(
        b"GET", b"/", [(b"a", b"\xff" * 45000)], authority=b"h", end_stream=True
    )
    frames = sent(engine)
    assert [(f.kind, f.flags) for f in frames] == [
        ("HEADERS", 1),
        ("CONTINUATION", 0),
        ("CONTINUATION", 4),
    ]
    assert [len(f.payload) for f in frames[:2]] == [20000, 20000]


def test_nothing_at_all_is_not_worth_a_frame() -> None:
    engine = client()
    stream = get(engine, b"POST", end=False)
    engine.send_data(stream, b"")
    assert engine.data_to_send() == b""


def test_send_capacity_of_what_can_not_be_sent_on_is_nothing() -> None:
    engine = server()
    hears(engine, headers(1, GET, end=True))
    assert engine.send_capacity(1) == 0  # its head comes first
    assert engine.send_capacity(3) == 0
    engine.send_response(1, 200, [])
    assert engine.send_capacity(1) == 65535
    hears(engine, headers(3, POST))
    engine.send_response(3, 200, [], end_stream=True)
    assert engine.send_capacity(3) == 0


def test_6_9_2_the_initial_window_moves_open_streams_below_zero() -> None:
    engine = client()
    stream = get(engine, b"POST", end=False)
    engine.send_data(stream, b"x" * 60000)
    assert hears(engine, settings((4, 30000))) == [SettingsChanged({4: 30000})]
    assert engine.send_capacity(stream) == 0
    assert hears(engine, window_update(stream, 30000)) == []  # still zero
    assert hears(engine, settings((4, 33000))) == [
        SettingsChanged({4: 33000}),
        CapacityChanged(None),
    ]
    assert engine.send_capacity(stream) == 3000


def test_6_9_2_a_window_too_large_by_settings_ends_the_connection() -> None:
    engine = client()
    stream = get(engine, b"POST", end=False)
    hears(engine, window_update(stream, 2**31 - 1 - 65535))
    with pytest.raises(RemoteProtocolError) as caught:
        hears(engine, settings((4, 65536)))
    assert (caught.value.rule, caught.value.error_code) == (
        "window-overflow",
        ErrorCode.FLOW_CONTROL_ERROR,
    )


def test_6_9_2_streams_that_are_over_do_not_count() -> None:
    engine = client()
    stream = get(engine, b"POST", end=False)
    hears(engine, window_update(stream, 2**31 - 1 - 65535), rst_stream(stream))
    hears(engine, settings((4, 2**31 - 1)))
    assert not engine.is_closed


def test_capacity_is_told_when_something_is_unblocked() -> None:
    engine = client((4, 10000))
    first, second = get(engine, b"POST", end=False), get(engine, b"POST", end=False)
    assert hears(engine, window_update(first, 5), window_update(0, 5)) == []
    engine.send_data(first, b"x" * 10005)
    assert hears(engine, window_update(first, 50000)) == [CapacityChanged(first)]
    engine.send_data(first, b"x" * 50000)
    engine.send_data(second, b"x" * 5000)
    # What opens a stream is of no use while the connection is blocked, and is told by what opens that.
    engine.send_data(second, b"x" * (engine._send_window), end_stream=True)
    assert hears(engine, window_update(first, 1000)) == []
    assert hears(engine, window_update(second, 1000)) == []
    assert hears(engine, window_update(0, 1000)) == [CapacityChanged(None)]


def test_more_streams_are_told_as_capacity() -> None:
    engine = client((3, 1))
    assert hears(engine, settings((3, 2))) == [SettingsChanged({3: 2}), CapacityChanged(None)]
    assert hears(engine, settings((3, 1))) == [SettingsChanged({3: 1})]


# ----------------------------------------------------------------------------- tiny windows


def tiny(window: int, limits: Limits = Limits()) -> tuple[HTTP2Connection, int]:  # noqa: B008  # frozen
    engine = client((4, window), limits=limits)
    return engine, get(engine, b"POST", end=False)


def test_6_9_1_a_window_of_one_byte_takes_one_byte() -> None:
    engine, stream = tiny(1)
    assert engine.send_capacity(stream) == 1
    engine.send_data(stream, b"x")
    assert [len(f.payload) for f in sent(engine)] == [1]


def test_a_peer_that_keeps_its_window_tiny_gets_a_few_crumbs_and_no_more() -> None:
    engine, stream = tiny(100)
    for _ in range(4):
        engine.send_data(stream, b"x" * engine.send_capacity(stream))
        hears(engine, window_update(stream, 100))
    assert engine.send_capacity(stream) == 0
    assert engine.send_capacity(stream, 101) == 0
    assert hears(engine, window_update(stream, 411)) == [CapacityChanged(stream)]
    assert engine.send_capacity(stream) == 0
    assert hears(engine, window_update(stream, 1)) == [CapacityChanged(stream)]
    assert engine.send_capacity(stream) == 512
    engine.send_data(stream, b"x" * 512)
    hears(engine, window_update(stream, 100))
    assert engine.send_capacity(stream) == 100  # it has mended its ways


def test_crumbs_of_our_own_do_not_mend_the_peers_ways() -> None:
    engine, stream = tiny(100)
    for _ in range(4):
        engine.send_data(stream, b"x" * 100)
        hears(engine, window_update(stream, 100))
    hears(engine, window_update(stream, 900))
    engine.send_data(stream, b"x")
    assert engine.send_capacity(stream) == 999
    assert hears(engine, settings((4, 0))) == [SettingsChanged({4: 0})]
    assert engine._initial_window + engine._streams[stream].send_offset == 899
    hears(engine, settings((4, 0)))
    engine.send_data(stream, b"x")
    engine.send_data(stream, b"x" * 400, end_stream=False)
    assert engine.send_capacity(stream) == 0


def test_a_small_last_piece_goes_when_it_fits() -> None:
    engine, stream = tiny(100)
    for _ in range(4):
        engine.send_data(stream, b"x" * 100)
        hears(engine, window_update(stream, 100))
    engine.send_data(stream, b"x" * 100, end_stream=True)
    assert sent(engine)[-1].flags == END_STREAM


def test_a_small_piece_that_fits_as_a_whole_goes_though_it_ends_nothing() -> None:
    """A user who streams small messages to a peer with a small window must not wait in vain."""
    engine, stream = tiny(100)
    for _ in range(20):
        assert engine.send_capacity(stream, 100) == 100
        engine.send_data(stream, b"x" * 100)
        assert engine.send_capacity(stream, 100) == 0
        assert hears(engine, window_update(stream, 100)) == [CapacityChanged(stream)]


def test_small_pieces_into_a_wide_window_are_the_users_choice() -> None:
    engine, stream = tiny(65535)
    for _ in range(20):
        engine.send_data(stream, b"x")
    assert engine.send_capacity(stream) == 65515


def test_windows_before_any_settings_are_the_defaults() -> None:
    engine = HTTP2Connection(Role.SERVER)
    hears(engine, PREFACE, settings(), headers(1, GET, end=True))
    engine.send_response(1, 200, [])
    assert engine.send_capacity(1) == 65535


def test_ten_thousand_idle_streams_do_not_take_part() -> None:
    """What a change of settings, a request and its end do must not depend on the streams open."""
    engine = client((3, 20000))
    for _ in range(10000):
        engine.send_request(b"GET", b"/", [], authority=b"h", end_stream=True)
    engine.data_to_send()
    touched: list[int] = []

    class Watching(dict[int, object]):
        def values(self) -> object:  # type: ignore[override]  # to see whether anyone goes through all
            touched.append(1)
            return super().values()

    engine._streams = Watching(engine._streams)  # type: ignore[assignment]  # as above
    hears(engine, settings((4, 100)), settings((4, 70000)), window_update(0, 5))
    get(engine)
    assert touched == []


# ------------------------------------------------------------ content that nobody ever consumes


def test_a_server_takes_no_streams_while_a_thousand_ended_unread() -> None:
    engine = server()
    for stream in range(1, 2001, 2):
        hears(engine, headers(stream, POST), data(stream, b"x", end=True))
        engine.send_response(stream, 204, [], end_stream=True)
    (refused,) = hears(engine, headers(2001, POST))
    assert isinstance(refused, StreamReset)
    assert refused.error_code == ErrorCode.REFUSED_STREAM
    engine.consume(1, 1)
    assert hears(engine, headers(2003, GET, end=True))[0] == RequestReceived(
        2003, b"GET", b"/", b"https", b"a.example", [], True, "HTTP/2"
    )


def test_a_client_has_no_streams_left_while_a_thousand_ended_unread() -> None:
    engine = client()
    for _ in range(1000):
        stream = get(engine)
        hears(engine, headers(stream, OK), data(stream, b"x", end=True))
    assert engine.available_streams == 0
    engine.consume(1, 1)
    assert engine.available_streams > 0
