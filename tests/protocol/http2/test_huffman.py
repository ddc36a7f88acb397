"""The Huffman code of RFC 7541 section 5.2 and appendix B."""

from __future__ import annotations

import hpack.huffman
import hpack.huffman_constants
import pytest
from hypothesis import given
from hypothesis import strategies as st

from h123.protocol.http2 import huffman

_peer = hpack.huffman.HuffmanEncoder(
    hpack.huffman_constants.REQUEST_CODES, hpack.huffman_constants.REQUEST_CODES_LENGTH
)


@pytest.mark.parametrize("symbol", range(256))
def test_appendix_b_every_symbol(symbol: int) -> None:
    data = bytes((symbol,)) * 3
    assert huffman.encode(data) == _peer.encode(data)
    assert huffman.decode(huffman.encode(data)) == data


@given(st.binary(max_size=200))
def test_round_trip_and_equal_to_hpack(data: bytes) -> None:
    coded = huffman.encode(data)
    assert coded == _peer.encode(data)
    assert huffman.decode(coded) == data


@pytest.mark.parametrize(
    ("coded", "why"),
    [
        (b"\x18", "padded with zeros: '0' is 00000 and then 000"),
        (b"\x07\xff", "padding of more than seven bits"),
        (b"\xff", "eight bits of padding"),
        (b"\xff\xff\xff\xff", "the end-of-string symbol"),
        (b"\xff\xff\xff\xfc\x00\x00", "symbols after the end-of-string symbol"),
        (b"\xff\xff\xff\xf0", "a code cut off"),
        (b"\x1e", "padding that is not all ones"),
    ],
)
def test_5_2_bad_padding_and_eos_are_errors(coded: bytes, why: str) -> None:
    with pytest.raises(huffman.HuffmanError):
        huffman.decode(coded)


@given(st.binary(max_size=60))
def test_any_bytes_decode_or_raise(coded: bytes) -> None:
    try:
        data = huffman.decode(coded)
    except huffman.HuffmanError:
        return
    assert huffman.encode(data) == coded
