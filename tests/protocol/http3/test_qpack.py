"""Field sections and the dynamic table: RFC 9204."""

from __future__ import annotations

import pytest
from pylsqpack import Encoder
from tests.protocol.http3.fake_quic import GET, OK, POST, Bench, content

from h123.protocol.connection import Role
from h123.protocol.errors import LocalProtocolError, RemoteProtocolError
from h123.protocol.events import DataReceived, RequestReceived, ResponseReceived, StreamReset
from h123.protocol.http3.errors import H3ErrorCode as Code
from h123.protocol.http3.frames import encode_frame
from h123.protocol.http3.qpack import FieldEncoder, count_lines
from h123.protocol.limits import DEFAULT_LIMITS, Limits

LONG = (b"x-long", b"v" * 100)


def table_encoder() -> tuple[Encoder, bytes]:
    """Return an encoder that uses the table that our settings allow, and its first instructions."""
    encoder = Encoder()
    return encoder, encoder.apply_settings(4096, 16)


def sections(encoder: Encoder, stream_id: int, count: int = 3) -> tuple[bytes, bytes]:
    """Return a request whose fields are in the table, and the instructions that put them there."""
    instructions = block = b""
    for _ in range(count):  # lsqpack puts into the table what it has seen before
        more, block = encoder.encode(stream_id, [*GET, LONG])
        instructions += more
    return instructions, encode_frame(1, block)


def test_a_section_waits_for_the_table_9204_2_1_2(server: Bench) -> None:
    encoder, first = table_encoder()
    instructions, frame = sections(encoder, 0)
    assert instructions
    assert server.data(0, frame[:-1]) == []
    assert server.data(0, frame[-1:] + content(b"ab")) == []
    assert server.data(0, content(b"cd"), end=True) == []
    assert server.quic.consumed[0] == len(frame)  # what waits is not credited
    events = server.data(server.instructions, b"\2" + first + instructions)
    assert isinstance(events[0], RequestReceived)
    assert events[0].headers == [LONG]
    assert events[1:] == [DataReceived(0, b"ab", False), DataReceived(0, b"cd", True)]
    assert server.quic.consumed[0] == len(frame) + 4
    # The section is acknowledged on our decoder stream (section 4.4.1).
    assert server.quic.sent[11][1:] == b"\x80"


def test_a_stream_that_ends_while_it_waits_is_cancelled_9204_2_2_2_2(server: Bench) -> None:
    encoder, first = table_encoder()
    instructions, frame = sections(encoder, 0)
    server.data(0, frame + content(b"ab"))
    server.reset(0, Code.REQUEST_CANCELLED)
    assert server.quic.consumed[0] == len(frame) + 4
    assert server.quic.sent[11][1:] == b"\x40"
    server.data(4, frame)
    server.engine.reset_stream(4)
    server.data(8, frame)
    server.engine.stop_receiving(8)
    assert server.quic.sent[11][1:] == b"\x40\x44\x48"
    assert server.data(server.instructions, b"\2" + first + instructions) == []


def test_a_waiting_section_may_turn_out_too_large() -> None:
    bench = Bench(Role.SERVER, Limits(header_block_size=250), settings={})
    encoder, first = table_encoder()
    instructions, frame = sections(encoder, 0)
    bench.data(0, frame + content(b"ab"))
    (event,) = bench.data(bench.instructions, b"\2" + first + instructions)
    assert isinstance(event, StreamReset)
    assert event.rule == "header-block-too-large"
    assert bench.quic.consumed[0] == len(frame) + 4


def test_a_waiting_section_may_turn_out_broken(server: Bench) -> None:
    encoder, first = table_encoder()
    instructions, frame = sections(encoder, 0)
    # One field more, of an index that the static table does not have.
    broken = encode_frame(1, frame[2:] + b"\xff\xff\x7f")
    server.data(0, broken)
    with pytest.raises(RemoteProtocolError) as caught:
        server.data(server.instructions, b"\2" + first + instructions)
    assert caught.value.error_code == Code.QPACK_DECOMPRESSION_FAILED


def test_no_more_sections_wait_than_allowed_9204_2_1_2() -> None:
    bench = Bench(Role.SERVER, Limits(blocked_streams=1), settings={})
    _, frame = sections(table_encoder()[0], 0)
    bench.data(0, frame)
    with pytest.raises(RemoteProtocolError) as caught:
        bench.data(4, frame)
    assert caught.value.error_code == Code.QPACK_DECOMPRESSION_FAILED


@pytest.mark.parametrize("block", [b"", b"\0", b"\2\0\xff", b"\2\0\x21", b"\0\0\x51\x05a"])
def test_a_section_that_is_cut_off_fails_9204_2_2(server: Bench, block: bytes) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        server.data(0, encode_frame(1, block))
    assert caught.value.error_code == Code.QPACK_DECOMPRESSION_FAILED


@pytest.mark.parametrize(
    ("stream", "data", "code"),
    [
        ("instructions", b"\2\x3f\xff\xff\x7f", Code.QPACK_ENCODER_STREAM_ERROR),
        ("acknowledgements", b"\3\x80", Code.QPACK_DECODER_STREAM_ERROR),
    ],
)
def test_instructions_that_make_no_sense_9204_6(
    server: Bench, stream: str, data: bytes, code: int
) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        server.data(getattr(server, stream), data)
    assert caught.value.error_code == code


def test_our_encoder_uses_the_table_that_the_peer_allows() -> None:
    bench = Bench(Role.SERVER, settings={1: 100_000, 7: 100})
    for stream_id in range(0, 20, 4):
        bench.data(stream_id, bench.section(GET), end=True)
        bench.engine.send_response(stream_id, 200, [LONG], end_stream=True)
    assert len(bench.quic.sent[7]) > 50  # the encoder stream
    assert len(bench.quic.sent[16]) < 20
    without = Bench(Role.SERVER, settings={})
    without.data(0, without.section(GET), end=True)
    without.engine.send_response(0, 200, [LONG], end_stream=True)
    assert bytes(without.quic.sent[7]) == b"\2"


def test_a_peer_that_reads_no_acknowledgements_is_sent_away(server: Bench) -> None:
    encoder, first = table_encoder()
    instructions, frame = sections(encoder, 0)
    server.data(server.instructions, b"\2" + first + instructions)
    server.data(0, frame, end=True)
    server.quic.waiting = 1 << 20
    with pytest.raises(RemoteProtocolError, match="decoder stream") as caught:
        server.data(4, frame, end=True)
    assert caught.value.error_code == Code.EXCESSIVE_LOAD
    assert isinstance(caught.value.events[0], RequestReceived)


def test_what_a_few_bytes_unfold_to_is_bounded() -> None:
    """A byte for each reference to an entry as large as the table: found before it is unfolded."""
    bench = Bench(Role.SERVER, settings={})
    instructions = b"\2\x3f\xe1\x1f\x41a\x7f\xa0\x1e" + b"v" * 3999
    bench.data(bench.instructions, instructions)
    block = b"\2\0" + b"\x80" * 300
    (event,) = bench.data(0, encode_frame(1, block), end=True)
    assert isinstance(event, StreamReset)
    assert event.rule == "header-block-too-large"
    bench.data(4, bench.section(GET), end=True)


def test_an_empty_trailer_section_is_good(client: Bench) -> None:
    client.engine.send_request(b"GET", b"/", [], authority=b"a")
    client.engine.send_trailers(0, [])
    assert 0 in client.quic.ended
    events = client.data(0, client.section(OK) + encode_frame(1, b"\0\0"), end=True)
    assert isinstance(events[0], ResponseReceived)
    assert len(events) == 2


LINES = [
    (b"\xd1", "indexed"),
    (b"\xff\x24", "indexed, long"),
    (b"\x51\x01a", "literal with name reference"),
    (b"\x5f\x10\x01a", "literal with name reference, long"),
    (b"\x21a\x01b", "literal with literal name"),
    (b"\x27\x01abcdefgh\x01b", "literal with literal name, long"),
    (b"\x10", "indexed post-base"),
    (b"\x01\x01b", "literal with post-base name reference"),
]


@pytest.mark.parametrize(("line", "kind"), LINES, ids=[kind for _, kind in LINES])
def test_field_lines_are_counted_9204_4_5(line: bytes, kind: str) -> None:
    assert count_lines(b"\0\0" + line * 3) == 3
    for cut in range(1, len(line)):
        with pytest.raises(RemoteProtocolError):
            count_lines(b"\0\0" + line[:cut])


def test_an_integer_without_end_is_refused_9204_4_1_1() -> None:
    with pytest.raises(RemoteProtocolError):
        count_lines(b"\xff" + b"\xff" * 20)


def test_what_the_encoder_refuses_is_our_mistake() -> None:
    with pytest.raises(LocalProtocolError):
        FieldEncoder(DEFAULT_LIMITS).encode(0, [(b"", b"x"), *POST])
