"""HPACK (RFC 7541): the examples of appendix C, its errors, and the tables of both sides."""

from __future__ import annotations

import hpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from h123.protocol.errors import ErrorCode, RemoteProtocolError
from h123.protocol.http2.hpack import (
    KEPT_BLOCK_SIZE,
    KEPT_BLOCKS,
    Decoder,
    Encoder,
    Sensitive,
    encode_integer,
)
from h123.protocol.http2.static_table import STATIC_TABLE

Fields = list[tuple[bytes, bytes]]

_REQUEST: Fields = [
    (b":method", b"GET"),
    (b":scheme", b"http"),
    (b":path", b"/"),
    (b":authority", b"www.example.com"),
]
_REQUESTS: list[Fields] = [
    _REQUEST,
    [*_REQUEST, (b"cache-control", b"no-cache")],
    [
        (b":method", b"GET"),
        (b":scheme", b"https"),
        (b":path", b"/index.html"),
        (b":authority", b"www.example.com"),
        (b"custom-key", b"custom-value"),
    ],
]
_RESPONSE: Fields = [
    (b":status", b"302"),
    (b"cache-control", b"private"),
    (b"date", b"Mon, 21 Oct 2013 20:13:21 GMT"),
    (b"location", b"https://www.example.com"),
]
_RESPONSES: list[Fields] = [
    _RESPONSE,
    [(b":status", b"307"), *_RESPONSE[1:]],
    [
        (b":status", b"200"),
        (b"cache-control", b"private"),
        (b"date", b"Mon, 21 Oct 2013 20:13:22 GMT"),
        (b"location", b"https://www.example.com"),
        (b"content-encoding", b"gzip"),
        (b"set-cookie", b"foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1"),
    ],
]
_C3 = [
    "828684410f7777772e6578616d706c652e636f6d",
    "828684be58086e6f2d6361636865",
    "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
]
_C4 = [
    "828684418cf1e3c2e5f23a6ba0ab90f4ff",
    "828684be5886a8eb10649cbf",
    "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
]
_SIZE_256 = "3fe101"  # these examples suppose a table of 256 bytes
_C5 = [
    _SIZE_256
    + "4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120"
    "474d546e1768747470733a2f2f7777772e6578616d706c652e636f6d",
    "4803333037c1c0bf",
    (
        "88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738666f"
        "6f3d4153444a4b48514b425a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b"
        "2076657273696f6e3d31"
    ),
]
_C6 = [
    _SIZE_256
    + "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad1718"
    "63c78f0b97c8e9ae82ae43d3",
    "4883640effc1c0bf",
    (
        "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335"
        "dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007"
    ),
]


@pytest.mark.parametrize(
    ("blocks", "sections"),
    [
        pytest.param(["400a637573746f6d2d6b65790d637573746f6d2d686561646572"],
                     [[(b"custom-key", b"custom-header")]], id="C.2.1"),
        pytest.param(["040c2f73616d706c652f70617468"], [[(b":path", b"/sample/path")]], id="C.2.2"),
        pytest.param(["100870617373776f726406736563726574"], [[(b"password", b"secret")]], id="C.2.3"),
        pytest.param(["82"], [[(b":method", b"GET")]], id="C.2.4"),
        pytest.param(_C3, _REQUESTS, id="C.3"),
        pytest.param(_C4, _REQUESTS, id="C.4"),
        pytest.param(_C5, _RESPONSES, id="C.5"),
        pytest.param(_C6, _RESPONSES, id="C.6"),
    ],
)  # fmt: skip
def test_appendix_c_decodes(blocks: list[str], sections: list[Fields]) -> None:
    decoder = Decoder()
    assert [decoder.decode(bytes.fromhex(block)) for block in blocks] == sections


def test_appendix_c4_encodes() -> None:
    encoder = Encoder()
    assert [encoder.encode(section).hex() for section in _REQUESTS] == _C4


@pytest.mark.parametrize(
    ("value", "prefix", "encoded"),
    [(10, 5, "0a"), (1337, 5, "1f9a0a"), (42, 8, "2a"), (31, 5, "1f00"), (127, 7, "7f00")],
)
def test_appendix_c1_integers(value: int, prefix: int, encoded: str) -> None:
    assert encode_integer(value, prefix, 0).hex() == encoded


def test_appendix_a_equals_that_of_hpack() -> None:
    assert tuple(STATIC_TABLE) == hpack.table.HeaderTable.STATIC_TABLE


# ------------------------------------------------------------------------------- the errors


@pytest.mark.parametrize(
    ("block", "rule"),
    [
        pytest.param("80", "hpack-index", id="6.1 index 0"),
        pytest.param("be", "hpack-index", id="2.3.3 index past the tables"),
        pytest.param("ff8001", "hpack-index", id="2.3.3 long index past the tables"),
        pytest.param("7e0161", "hpack-index", id="2.3.3 name index past the tables"),
        pytest.param("7f8080808080808001", "hpack-integer", id="5.1 an integer without end"),
        pytest.param("ff", "hpack-truncated", id="5.1 an integer cut off"),
        pytest.param("00", "hpack-truncated", id="6.2 a literal cut off before its name"),
        pytest.param("000161", "hpack-truncated", id="6.2 a literal cut off before its value"),
        pytest.param("000561", "hpack-truncated", id="5.2 a name cut off"),
        pytest.param("00016105", "hpack-truncated", id="5.2 a string cut off"),
        pytest.param("007f", "hpack-truncated", id="5.2 a string's length cut off"),
        pytest.param("0001618118", "hpack-huffman", id="5.2 Huffman padded with zeros"),
        pytest.param("00016181ff", "hpack-huffman", id="5.2 Huffman padded by a byte"),
        pytest.param("00016184ffffffff", "hpack-huffman", id="5.2 Huffman with EOS"),
        pytest.param("3fe21f", "hpack-table-size", id="6.3 a table over the limit"),
        pytest.param("3f", "hpack-truncated", id="6.3 a size cut off"),
        pytest.param("8220", "hpack-table-size", id="4.2 a size update after a field"),
    ],
)
def test_broken_blocks_are_compression_errors(block: str, rule: str) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        Decoder().decode(bytes.fromhex(block))
    assert caught.value.rule == rule
    assert caught.value.error_code == ErrorCode.COMPRESSION_ERROR


def test_a_section_over_the_bound_ends_the_decoding() -> None:
    """A byte of index may stand for a field of kilobytes: what counts is what comes out."""
    decoder = Decoder(max_section_size=10000)
    big = b"\x40\x01a\x7f\xd1\x0e" + b"v" * 2000
    decoder.decode(big)
    assert decoder.size == 2033
    with pytest.raises(RemoteProtocolError) as caught:
        decoder.decode(b"\xbe" * 5)
    assert caught.value.rule == "header-block-far-too-large"
    assert caught.value.status == 431


# ------------------------------------------------------------------------ the decoder's table


def test_4_2_the_peer_must_shrink_its_table_when_told_to() -> None:
    decoder = Decoder()
    decoder.max_table_size = 100
    with pytest.raises(RemoteProtocolError, match="did not shrink"):
        decoder.decode(b"\x82")


def test_4_2_a_shrunk_table_may_be_used_on() -> None:
    decoder = Decoder()
    decoder.decode(b"\x40\x01a\x01b")
    decoder.max_table_size = 100
    assert decoder.decode(b"\x3f\x45\xbe") == [(b"a", b"b")]
    assert decoder.max_table_size == 100


def test_4_2_updates_alone_make_an_empty_section() -> None:
    decoder = Decoder(0)
    assert decoder.decode(b"\x20\x20") == []


def test_4_3_shrinking_evicts_the_oldest() -> None:
    decoder = Decoder()
    decoder.decode(b"\x40\x01a\x01b\x40\x01c\x01d")
    assert decoder.decode(b"\x3f\x03\xbe") == [(b"c", b"d")]
    with pytest.raises(RemoteProtocolError):
        decoder.decode(b"\xbf")


def test_4_4_a_field_larger_than_the_table_empties_it() -> None:
    decoder = Decoder()
    decoder.decode(b"\x40\x01a\x01b\x3f"[:5])
    assert decoder.decode(b"\x40\x01a\x7f\x81\x1f" + b"v" * 4096) == [(b"a", b"v" * 4096)]
    with pytest.raises(RemoteProtocolError):
        decoder.decode(b"\xbe")


def test_equal_blocks_mean_the_same_only_while_the_table_stands_still() -> None:
    decoder = Decoder()
    decoder.decode(b"\x40\x01a\x01b")
    first = decoder.decode(b"\xbe")
    first.append((b"changed", b"by the user"))
    assert decoder.decode(b"\xbe") == [(b"a", b"b")]
    assert decoder.size == 34
    decoder.decode(b"\x40\x01c\x01d")
    assert decoder.decode(b"\xbe") == [(b"c", b"d")]


def test_blocks_kept_are_bounded_and_hold_no_secrets() -> None:
    decoder = Decoder()
    for number in range(KEPT_BLOCKS + 10):
        decoder.decode(b"\x00\x01a\x03%03d" % number)
    assert len(decoder._blocks) == 10
    decoder.max_table_size = 5000
    decoder.decode(b"\x00\x06cookie\x01a")
    decoder.decode(b"\x10\x01a\x01b")
    decoder.decode(b"\x00\x01a\x7f\x81\x07" + b"v" * KEPT_BLOCK_SIZE)
    assert decoder._blocks == {}


# ------------------------------------------------------------------------ the encoder's table


def test_4_2_the_smallest_and_the_last_size_are_told() -> None:
    encoder = Encoder()
    for size in (100, 50, 3000):
        encoder.max_table_size = size
    assert encoder.max_table_size == 3000
    assert encoder.encode([]) == b"\x3f\x13" + b"\x3f\x99\x17"
    assert encoder.encode([]) == b""


def test_4_2_an_encoder_made_smaller_than_the_default_says_so() -> None:
    assert Encoder(0).encode([(b":method", b"GET")]) == b"\x20\x82"


def test_a_size_set_to_what_it_was_is_not_told() -> None:
    encoder = Encoder()
    encoder.max_table_size = 4096
    assert encoder.encode([(b":method", b"GET")]) == b"\x82"


def test_values_new_every_time_leave_the_table_alone() -> None:
    encoder = Encoder()
    generations = []
    for number in range(5):
        encoder.encode([(b"x-request-id", b"%d" % number)])
        generations.append(encoder.generation)
    assert generations == [1] * 5
    encoder.encode([(b"x-request-id", b"4")])
    assert encoder.encode([(b"x-request-id", b"4")]) == b"\xbe"


def test_a_field_too_large_for_the_table_is_not_indexed() -> None:
    encoder = Encoder()
    encoder.encode([(b"a", b"v" * 3000)])
    assert encoder.generation == 0


def test_the_names_remembered_are_bounded() -> None:
    encoder = Encoder()
    for number in range(300):
        encoder.encode([(b"name-%d" % number, b"v")])
    assert len(encoder._last_values) <= 128


@pytest.mark.parametrize(
    ("field", "first"),
    [
        ((b"authorization", b"Bearer t"), 0x1F),
        ((b"proxy-authorization", b"Basic x"), 0x1F),
        ((b"set-cookie", b"a=b"), 0x1F),
        ((b"cookie", b"short=1"), 0x1F),
        ((b"cookie", b"long enough that nobody guesses it"), 0x60),
        ((b":path", b"/new"), 0x04),
        ((b"accept", b"text/html"), 0x53),
    ],
)
def test_7_1_3_secrets_are_never_indexed(field: tuple[bytes, bytes], first: int) -> None:
    encoder = Encoder()
    assert encoder.encode([field])[0] == first
    encoder.encode([field])
    assert encoder.keepable is (field[0] in (b":path", b"accept"))
    assert bool(encoder._blocks) is encoder.keepable


def test_7_1_3_a_short_cookie_is_never_indexed_whatever_came_before() -> None:
    encoder = Encoder()
    firsts = [encoder.encode([(b"cookie", value)])[0] for value in (b"a=1", b"a=2", b"a=2")]
    assert firsts == [0x1F] * 3


def test_blocks_sent_are_kept_within_bounds() -> None:
    encoder = Encoder()
    for number in range(KEPT_BLOCKS + 10):
        encoder.encode([(b":path", b"/%d" % number)])
    assert len(encoder._blocks) == 10
    encoder.encode([(b":path", b"/" * KEPT_BLOCK_SIZE * 2)])
    assert len(encoder._blocks) == 10


# ----------------------------------------------------------------------- against hpack, random

_names = st.sampled_from(
    [b"a", b"cookie", b":path", b"authorization", b"date", b"user-agent", b"x-" + b"y" * 140]
) | st.binary(max_size=8)
_sections = st.lists(
    st.lists(st.tuples(_names, st.binary(max_size=40) | st.just(b"v" * 900)), max_size=8),
    max_size=12,
)


@settings(deadline=None)  # tables are built on first use
@given(_sections, st.sampled_from([0, 100, 4096]))
def test_hpack_decodes_what_we_encode(sections: list[Fields], size: int) -> None:
    encoder, peer = Encoder(), hpack.Decoder()
    for number, section in enumerate(sections):
        if number == 3:
            encoder.max_table_size = size
        assert [tuple(field) for field in peer.decode(encoder.encode(section), raw=True)] == section


@settings(deadline=None)  # tables are built on first use
@given(_sections, st.sampled_from([0, 100, 4096]))
def test_we_decode_what_hpack_encodes(sections: list[Fields], size: int) -> None:
    decoder, peer = Decoder(), hpack.Encoder()
    for number, section in enumerate(sections):
        if number == 3:
            peer.header_table_size = size
            decoder.max_table_size = size
        assert decoder.decode(peer.encode(section)) == section


@settings(deadline=None)
@given(st.lists(st.binary(max_size=40), max_size=5))
def test_any_bytes_decode_or_raise_a_compression_error(blocks: list[bytes]) -> None:
    decoder = Decoder()
    codes = {int(ErrorCode.COMPRESSION_ERROR)}
    try:
        for block in blocks:
            decoder.decode(block)
            assert decoder._table_size <= 4096
    except RemoteProtocolError as error:
        codes.add(error.error_code)
    assert codes == {ErrorCode.COMPRESSION_ERROR}


# ------------------------------------------------------------------------- sensitive values


def test_7_1_3_a_sensitive_value_is_a_literal_never_indexed_whatever_the_tables_hold() -> None:
    encoder = Encoder()
    encoder.encode([(b"x-key", b"k")])  # in the table from now on
    assert encoder.encode([(b"x-key", b"k")]) == b"\xbe"
    never = encoder.encode_anew([(b"x-key", Sensitive(b"k"))])
    assert never == b"\x1f\x2f\x01k"
    assert not encoder.keepable
    assert encoder.encode_anew([(b":path", Sensitive(b"/"))]) == b"\x14\x01/"
    assert encoder.encode_anew([(b"x-new", Sensitive(b"k"))]).endswith(b"\x01k")
    assert encoder.encode_anew([(b"x-new", b"k")])[0] == 0x40  # what was sensitive left no trace


def test_6_2_3_a_value_that_came_never_indexed_is_sensitive_on_the_next_hop_too() -> None:
    decoder = Decoder()
    (field,) = decoder.decode(b"\x10\x01a\x01b")
    assert field == (b"a", b"b")
    assert type(field[1]) is Sensitive
    assert Encoder().encode([field])[0] == 0x10
    assert decoder.decode(b"\x00\x01a\x01b") == [field]
    assert type(decoder.decode(b"\x00\x01a\x01b")[0][1]) is bytes


def test_values_sent_once_go_as_they_are_and_those_that_stay_are_huffman_coded() -> None:
    """The coding costs both ends more time than the bytes it saves, unless it is done once."""
    encoder = Encoder()
    assert encoder.encode([(b":path", b"/aaaaaaaa")]) == b"\x04\x09/aaaaaaaa"
    assert encoder.encode([(b"accept", b"aaaaaaaa")]) == b"\x53\x85" + bytes.fromhex("18c6318c63")
    assert encoder.encode([(b":path", b"/" * 200)]) == b"\x04\x7f\x49" + b"/" * 200


def test_long_names_and_far_indices_in_literals() -> None:
    decoder, encoder = Decoder(), Encoder()
    for number in range(90):
        encoder.encode([(b"n%d" % number, b"first")])
    section = [(b"n%d" % number, b"second") for number in range(90)]
    decoder = Decoder()
    twin = Encoder()
    for number in range(90):
        decoder.decode(twin.encode([(b"n%d" % number, b"first")]))
    assert decoder.decode(twin.encode_anew(section)) == section
    assert decoder.decode(b"\x0f\x80\x00\x01x") == [
        (b"accept-charset", b"x")
    ]  # 15 in two bytes more


def test_evicted_entries_are_gone_however_many() -> None:
    encoder, decoder = Encoder(), Decoder()
    for number in range(300):
        field = (b"name-%d" % number, b"v" * 30)
        assert decoder.decode(encoder.encode([field])) == [field]
    assert len(decoder._table) < 200
    with pytest.raises(RemoteProtocolError, match="in no table"):
        decoder.decode(b"\xff\x40")


def test_a_long_value_that_is_another_each_time_goes_as_it_is() -> None:
    encoder = Encoder()
    encoder.encode([(b"cookie", b"a" * 30)])
    assert encoder.encode([(b"cookie", b"b" * 30)]) == b"\x0f\x11\x1e" + b"b" * 30
