"""What a peer may not do too often (RFC 9113 section 10.5): each budget, and what refills it."""

from __future__ import annotations

import pytest
from tests.protocol.http2.playbook import (
    ACK,
    END_HEADERS,
    GET,
    OK,
    PADDED,
    POST,
    block,
    client,
    data,
    frame,
    get,
    headers,
    hears,
    ping,
    rst_stream,
    sent,
    server,
    settings,
    window_update,
)

from h123.protocol.errors import ErrorCode, RemoteProtocolError
from h123.protocol.http2.connection import HTTP2Connection
from h123.protocol.limits import Limits


def refused(engine: HTTP2Connection, *received: bytes) -> str:
    """Feed what must end the connection, and return by which rule."""
    with pytest.raises(RemoteProtocolError) as caught:
        hears(engine, *received)
    assert caught.value.error_code == ErrorCode.ENHANCE_YOUR_CALM
    assert sent(engine)[-1].code == ErrorCode.ENHANCE_YOUR_CALM
    return caught.value.rule


def open_and_reset(count: int, first: int = 1) -> bytes:
    """CVE-2023-44487, rapid reset."""
    return b"".join([headers(s, GET) + rst_stream(s) for s in range(first, first + 2 * count, 2)])


def make_reset(count: int) -> bytes:
    """CVE-2025-8671, MadeYouReset: it is us who reset, by the peer's fault."""
    return b"".join([headers(s, GET) + window_update(s, 0) for s in range(1, 1 + 2 * count, 2)])


@pytest.mark.parametrize("flood", [open_and_reset, make_reset])
def test_resets_of_both_sides_are_counted(flood: object) -> None:
    engine = server(limits=Limits(stream_resets=20))
    assert callable(flood)
    hears(engine, flood(20))
    assert refused(engine, headers(99, GET), rst_stream(99)) == "stream-resets"


def test_resets_are_forgiven_with_time() -> None:
    engine = server(limits=Limits(stream_resets=20, stream_resets_per_second=10.0))
    engine.tick(100.0)
    hears(engine, open_and_reset(20))
    engine.tick(100.5)
    hears(engine, open_and_reset(5, 101))
    engine.tick(100.0)  # a clock that goes back gives nothing
    assert refused(engine, open_and_reset(1, 201)) == "stream-resets"
    engine = server(limits=Limits(stream_resets=2))
    engine.tick(0.0)
    engine.tick(1000.0)
    assert refused(engine, open_and_reset(3)) == "stream-resets"


def test_requests_answered_431_count_as_resets() -> None:
    engine = server(limits=Limits(stream_resets=2, header_fields=1))
    requests = [headers(stream, GET, end=True) for stream in (1, 3, 5)]
    assert refused(engine, *requests) == "stream-resets"


def test_a_client_is_not_flooded_by_resets_of_its_own_requests() -> None:
    engine = client(limits=Limits(stream_resets=2))
    for _ in range(10):
        hears(engine, rst_stream(get(engine), 7))
    assert not engine.is_closed


def test_continuation_frames_are_counted() -> None:
    engine = server(limits=Limits(continuation_frames=3))
    whole = block(GET)
    begin = frame("HEADERS", 1, 0, whole[:3])
    middle = [frame("CONTINUATION", 1, 0, bytes((byte,))) for byte in whole[3:5]]
    assert len(hears(engine, begin, *middle, frame("CONTINUATION", 1, END_HEADERS, whole[5:]))) == 1
    begin = frame("HEADERS", 3, 0, b"x")
    assert refused(engine, begin, *[frame("CONTINUATION", 3, 0, b"x")] * 4) == "continuation-frames"


@pytest.mark.parametrize("asks", [ping(), settings()])
def test_answers_that_nobody_reads_are_counted(asks: bytes) -> None:
    engine = server(limits=Limits(queued_answers=10))
    hears(engine, asks * 4)
    assert engine.wants_data
    hears(engine, asks)
    assert not engine.wants_data  # whoever heeds this never comes to the error
    hears(engine, asks * 5)
    assert refused(engine, asks) == "queued-answers"


def test_answers_that_are_fetched_are_not_counted() -> None:
    engine = server(limits=Limits(queued_answers=10))
    for _ in range(5):
        hears(engine, ping() * 10)
        engine.data_to_send()
        assert engine.wants_data


@pytest.mark.parametrize(
    "idle",
    [
        ping(),
        ping(ack=True),
        settings(),
        frame("SETTINGS", 0, ACK),
        frame("PRIORITY", 7, 0, b"\0\0\0\0\x10"),
        window_update(0, 1),
        window_update(1, 1),
        frame(0xB, 3),
        rst_stream(3),
        frame("GOAWAY", 0, 0, b"\0" * 8),
        frame("HEADERS", 3, END_HEADERS, block(GET)),
    ],
    ids=["PING", "PING-ACK", "SETTINGS", "SETTINGS-ACK", "PRIORITY", "WINDOW_UPDATE", "on-stream",
         "unknown", "RST_STREAM-late", "GOAWAY", "HEADERS-late"],
)  # fmt: skip
def test_frames_that_carry_nothing_are_counted_even_if_answers_are_read(idle: bytes) -> None:
    engine = server(limits=Limits(idle_frames=50, idle_frames_per_useful_frame=0))
    hears(engine, headers(1, POST), headers(3, POST))
    engine.reset_stream(3)
    budget = 50 - 2  # the preface's SETTINGS and its acknowledgement
    for _ in range(budget):
        hears(engine, idle)
        engine.data_to_send()
    assert refused(engine, idle) == "idle-frames"


def test_useful_frames_of_both_sides_refill_the_bucket() -> None:
    engine = server(limits=Limits(idle_frames=20))
    hears(engine, headers(1, POST))
    engine.send_response(1, 200, [])
    for _ in range(10):
        hears(engine, data(1, b"x"), ping() * 10)
        engine.send_data(1, b"x" * 600)
        hears(engine, window_update(1, 600), window_update(0, 600), ping() * 8)
        engine.data_to_send()
    hears(engine, data(1, b"x"), data(1, b"x"))
    assert refused(engine, ping() * 21) == "idle-frames"


def test_time_refills_the_bucket_for_those_who_only_keep_alive() -> None:
    engine = server(limits=Limits(idle_frames=3))
    for second in range(20):
        engine.tick(float(second))
        hears(engine, ping())
        engine.data_to_send()


@pytest.mark.parametrize(
    "empty",
    [data(1), frame("DATA", 1, PADDED, b"\x05\0\0\0\0\0"), frame("DATA", 1, PADDED, b"\0")],
    ids=["empty", "padding", "no padding"],
)
def test_empty_data_frames_are_counted_in_a_row(empty: bytes) -> None:
    engine = server()
    hears(
        engine, headers(1, POST), empty * 10, data(1, b"x"), empty * 10, headers(3, GET), empty * 10
    )
    assert refused(engine, empty) == "empty-frames"


def test_empty_fragments_are_counted_in_a_row() -> None:
    engine = server(limits=Limits(empty_frames=2))
    fragments = [frame("CONTINUATION", 1)] * 2
    assert refused(engine, frame("HEADERS", 1), *fragments) == "empty-frames"


def test_an_empty_frame_that_ends_something_is_not_empty() -> None:
    engine = server(limits=Limits(empty_frames=0))
    hears(engine, headers(1, POST), data(1, end=True))
    hears(engine, frame("HEADERS", 3, 0, block(POST)), frame("CONTINUATION", 3, END_HEADERS))
    assert len(engine._streams) == 2


def test_settings_in_a_frame_are_counted() -> None:
    engine = server()
    hears(engine, settings(*[(4, 5)] * 32))
    assert refused(engine, settings(*[(4, 5)] * 33)) == "settings-per-frame"


def test_requests_after_the_last_goaway_are_idle_frames() -> None:
    engine = server(limits=Limits(idle_frames=20))
    hears(engine, headers(1, GET))
    engine.close()
    engine.close()
    requests = [headers(stream, GET) for stream in range(3, 60, 2)]
    assert refused(engine, *requests) == "idle-frames"


def test_memory_of_what_is_unfinished_is_bounded() -> None:
    """Bytes are kept for one frame and one header block, whatever comes."""
    engine = server()
    for _ in range(3):
        engine.receive_data(frame("HEADERS", 1, 0, b"x" * 16384)[:16000] if _ == 0 else b"x" * 200)
    assert len(engine._pending) <= 16384 + 9
    client_engine = client()
    get(client_engine)
    hears(client_engine, headers(1, OK), data(1, b"x" * 16000)[:8000])
    assert len(client_engine._pending) == 0
