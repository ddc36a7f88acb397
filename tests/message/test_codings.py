"""Content codings undone (RFC 9110 section 8.4.1): any cut, any stack, no bombs, no silent truncation."""

from __future__ import annotations

import gzip
import itertools
import os
import sys
import tracemalloc
import zlib
from collections.abc import Callable

import brotli  # type: ignore[import-untyped]  # it has no types
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from h123.message import Response, codings
from h123.message.codings import ContentDecoder, accept_encoding, decoder_for
from h123.message.exceptions import DecodingError


def raw_deflate(data: bytes) -> bytes:
    deflater = zlib.compressobj(wbits=-15)
    return deflater.compress(data) + deflater.flush()


CODINGS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "x-gzip": ("x-gzip", gzip.compress),
    "deflate": ("deflate", zlib.compress),
    "raw deflate": ("deflate", raw_deflate),
    "br": ("br", brotli.compress),
    "zstd": ("zstd", zstandard.compress),
}
every_coding = pytest.mark.parametrize("name", CODINGS)


def decoder_of(content_encoding: str) -> ContentDecoder:
    decoder = decoder_for(content_encoding)
    assert decoder is not None
    return decoder


def decode(content_encoding: str, *parts: bytes) -> bytes:
    decoder = decoder_of(content_encoding)
    pieces = [piece for part in parts for piece in decoder.decode(part)]
    decoder.finish()
    return b"".join(pieces)


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


@every_coding
@pytest.mark.parametrize("size", [1, 2, 3, 1000, 10**7])
def test_what_was_coded_comes_back_however_it_is_cut(name: str, size: int) -> None:
    coding, encode = CODINGS[name]
    content = os.urandom(3000) + b"text " * 1000
    assert decode(coding, *cut(encode(content), size)) == content


@given(st.sampled_from(sorted(CODINGS)), st.binary(max_size=300), st.lists(st.integers(0, 400)))
def test_any_content_comes_back_cut_anywhere(name: str, content: bytes, cuts: list[int]) -> None:
    coding, encode = CODINGS[name]
    coded = encode(content)
    edges = [0, *sorted(min(place, len(coded)) for place in cuts), len(coded)]
    parts = [coded[start:end] for start, end in itertools.pairwise(edges)]
    assert decode(coding, *parts) == content


@every_coding
def test_no_content_is_no_content(name: str) -> None:
    assert decode(CODINGS[name][0]) == decode(CODINGS[name][0], b"", b"") == b""


@every_coding
def test_content_that_is_cut_off_is_an_error(name: str) -> None:
    coding, encode = CODINGS[name]
    coded = encode(b"some content that is long enough to be cut" * 3)
    for end in range(1, len(coded)):
        with pytest.raises(DecodingError, match="cut off"):
            decode(coding, coded[:end])


@every_coding
def test_content_that_is_something_else_is_an_error(name: str) -> None:
    with pytest.raises(DecodingError, match="does not decode"):
        decode(CODINGS[name][0], b"\xfe<html>this is not what the header says</html>" * 9)


@given(
    st.sampled_from(["gzip", "deflate", "br", "zstd"]), st.lists(st.binary(max_size=40), max_size=4)
)
def test_any_bytes_at_all_give_content_or_a_decoding_error(coding: str, parts: list[bytes]) -> None:
    try:
        decode(coding, *parts)
    except DecodingError:
        pass


@pytest.mark.parametrize("size", [1, 7, 10**6])
def test_gzip_may_have_several_members_rfc_1952_2_2(size: int) -> None:
    coded = gzip.compress(b"one") + gzip.compress(b"") + gzip.compress(b"two")
    assert decode("gzip", *cut(coded, size)) == b"onetwo"
    with pytest.raises(DecodingError, match="cut off"):
        decode("gzip", *cut(coded[:-1], size))
    with pytest.raises(DecodingError, match="cut off"):
        decode("gzip", *cut(gzip.compress(b"one") + b"\x1f", size))


@pytest.mark.parametrize("padding", [b"\0", b"\0" * 600, b"garbage", b"\x1fgarbage"])
@pytest.mark.parametrize("size", [1, 10**6])
def test_what_follows_the_last_member_is_padding(padding: bytes, size: int) -> None:
    assert decode("gzip", *cut(gzip.compress(b"one") + padding, size)) == b"one"
    assert decode("deflate", *cut(zlib.compress(b"one") + padding, size)) == b"one"
    assert decode("br", *cut(brotli.compress(b"one"), 1), padding) == b"one"


@pytest.mark.parametrize("size", [1, 7, 10**6])
def test_zstd_may_have_several_frames_rfc_8878_3(size: int) -> None:
    coded = zstandard.compress(b"one") + zstandard.compress(b"") + zstandard.compress(b"two" * 999)
    assert decode("zstd", *cut(coded, size)) == b"one" + b"two" * 999
    with pytest.raises(DecodingError, match="cut off"):
        decode("zstd", *cut(coded[:-1], size))


def test_zstd_windows_end_at_8_mib_rfc_9659() -> None:
    def encode(window_log: int) -> bytes:
        parameters = zstandard.ZstdCompressionParameters(window_log=window_log)
        writer = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
        return writer.compress(b"hello") + writer.flush()

    assert decode("zstd", encode(23)) == b"hello"
    with pytest.raises(DecodingError, match="does not decode"):
        decode("zstd", encode(24))


def test_codings_are_undone_the_last_applied_first() -> None:
    content = b"hello" * 100
    coded = zstandard.compress(brotli.compress(zlib.compress(gzip.compress(content))))
    stack = "gzip, deflate,br ,, ZSTD"
    assert decode(stack, coded) == decode(stack, *cut(coded, 1)) == content
    assert decode("gzip, identity", gzip.compress(content)) == content


def test_up_to_five_may_be_stacked() -> None:
    coded = b"hello"
    for _ in range(5):
        coded = gzip.compress(coded)
    assert decode("gzip, " * 5, coded) == b"hello"
    with pytest.raises(DecodingError, match="coded 6 times"):
        decoder_for("gzip, " * 6)


@pytest.mark.parametrize("value", ["", "identity", "aws-chunked", "gzip, unknown", " , "])
def test_what_is_not_known_is_left_as_it_is(value: str) -> None:
    assert decoder_for(value) is None


def test_undoing_ends_at_what_is_not_known() -> None:
    assert decode("gzip, unknown, deflate", zlib.compress(b"inside")) == b"inside"


@pytest.mark.parametrize(
    ("coding", "bomb"),
    [
        ("gzip, gzip", gzip.compress(gzip.compress(bytes(64 * 1024 * 1024), 9), 9)),
        ("br", brotli.compress(bytes(64 * 1024 * 1024), quality=5)),
        ("zstd", zstandard.compress(bytes(64 * 1024 * 1024))),
        ("gzip, gzip", gzip.compress(gzip.compress(b"") * 200_000, 9)),
        ("zstd, gzip", gzip.compress(zstandard.compress(b"") * 200_000, 9)),
    ],
    ids=["gzip twice", "br", "zstd", "empty members", "empty frames"],
)
def test_a_bomb_is_found_after_the_free_size_and_in_constant_memory(
    coding: str, bomb: bytes
) -> None:
    decoder = decoder_of(coding)
    given_out = 0

    def explode() -> None:
        nonlocal given_out
        for piece in decoder.decode(bomb):
            given_out += len(piece)

    tracemalloc.start()
    try:
        with pytest.raises(DecodingError, match="expands past every measure"):
            explode()
        assert tracemalloc.get_traced_memory()[1] < 20 * 1024 * 1024
    finally:
        tracemalloc.stop()
    assert given_out <= codings.FREE_SIZE


def test_no_single_gzip_is_taken_for_a_bomb() -> None:
    content = bytes(48 * 1024 * 1024)
    decoder = decoder_of("gzip")
    coded = gzip.compress(content, 9)
    assert sum(map(len, decoder.decode(coded))) == len(content)
    decoder.finish()


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br"])
def test_pieces_are_bounded_and_come_as_they_are_asked_for(coding: str) -> None:
    content = bytes(8 * 1024 * 1024)
    coded = CODINGS[coding][1](content)
    pieces = decoder_of(coding).decode(coded)
    # brotli's bound is soft
    assert len(next(pieces)) <= 4 * codings.PIECE_SIZE


@pytest.mark.parametrize(("coding", "library"), [("br", "brotli"), ("zstd", "zstandard")])
def test_a_library_that_is_missing_is_named(
    coding: str, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(DecodingError, match=rf"the {library} library is not installed"):
        decoder_for(coding)


def test_accept_encoding_says_what_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codings, "_accept_encoding", None)
    assert accept_encoding() == "gzip, deflate, br, zstd"
    monkeypatch.setattr(codings, "_accept_encoding", None)
    monkeypatch.setattr("importlib.machinery.PathFinder.find_spec", lambda name: None)
    assert accept_encoding() == "gzip, deflate"
    assert accept_encoding() == "gzip, deflate"
    monkeypatch.setattr(codings, "_accept_encoding", None)


def test_a_decoder_says_how_it_decodes() -> None:
    with pytest.raises(NotImplementedError):
        ContentDecoder().decode(b"")
    ContentDecoder().finish()


def test_a_whole_response_is_decoded() -> None:
    coded = gzip.compress(b"hello")
    assert Response(200, headers={"Content-Encoding": "gzip"}, content=coded).text == "hello"
    assert Response(200, headers={"Content-Encoding": "unknown"}, content=coded).content == coded
    assert Response(304, headers={"Content-Encoding": "gzip"}).content == b""
    with pytest.raises(DecodingError):
        Response(200, headers={"Content-Encoding": "gzip"}, content=coded[:-1])
