"""Content codings undone in parts and in constant memory (RFC 9110 section 8.4.1).

gzip (several members), deflate (as RFC 9110 says, and raw as many send it), br (RFC 7932) and zstd (RFC
8878, with the window that RFC 9659 allows) where their libraries are installed; up to five stacked. A
decoder gives pieces of bounded size as they are asked for, so whoever stops asking stops the expansion.
"""

from __future__ import annotations

from .exceptions import DecodingError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

PIECE_SIZE = 262144
"""The most bytes that gzip, deflate and br give at a time."""
MAX_CODINGS = 5
"""The most codings that may be stacked."""
FREE_SIZE = 16 * 1024 * 1024
"""Decoded bytes that may come of any input, however small."""
MAX_EXPANSION = 1100
"""Past `FREE_SIZE`, the most bytes that may come of one: no single gzip reaches 1,032."""

# A gzip member or a zstd frame takes as long to set up as this many bytes to decode. Without counting it,
# a gzip of nothing but empty members would keep a core busy for a minute and give no content at all.
_MEMBER_COST = 1024

# What zstd gives of one call is bounded by what it is given: a block of 4 bytes may be 128 KiB (RFC 8878
# section 3.1.1.2), so this makes 8 MiB at worst, and ordinary content is decoded as fast as at once.
_ZSTD_INPUT_SIZE = 256
_ZSTD_WINDOW_SIZE = 8 * 1024 * 1024  # RFC 9659


class ContentDecoder:
    """Undoes one coding. Give it the content in parts with `decode`, then `finish`."""

    __slots__ = ()

    def decode(self, data: bytes) -> Iterator[bytes]:
        """Give what this part decodes to, in pieces. Raises `DecodingError`.

        An empty piece marks the end of a gzip member or zstd frame.
        """
        raise NotImplementedError

    def finish(self) -> None:
        """Raise `DecodingError` if the content was cut off."""


class _ZlibDecoder(ContentDecoder):
    """What gzip and deflate have in common."""

    __slots__ = ("_zlib", "_inflater", "_started", "_held")

    name = ""

    def __init__(self) -> None:
        import zlib

        self._zlib = zlib
        self._inflater: Any = None
        self._started = False
        self._held = b""  # too little to tell what it begins

    def decode(self, data: bytes) -> Iterator[bytes]:
        """Give what this part decodes to, in pieces. Raises `DecodingError`."""
        while True:
            if self._inflater is None:
                self._inflater, data = self._begin(data)
                if self._inflater is None:
                    return
            inflater = self._inflater
            try:
                piece = inflater.decompress(data, PIECE_SIZE)
            except self._zlib.error as error:
                raise DecodingError(f"The {self.name} content does not decode: {error}") from error
            if piece:
                yield piece
            if inflater.eof:
                self._inflater = None
                data = inflater.unused_data
                yield b""
                if not data:
                    return
            else:
                data = inflater.unconsumed_tail
                # All input may be taken while output still waits for room.
                if not data and len(piece) < PIECE_SIZE:
                    return

    def finish(self) -> None:
        """Raise `DecodingError` if the content was cut off."""
        if self._inflater is not None or self._held:
            raise DecodingError(f"The {self.name} content is cut off before its end")

    def _begin(self, data: bytes) -> tuple[Any, bytes]:
        """Return an inflater and its input; no inflater while there is too little, or no more to come."""
        raise NotImplementedError


class GzipDecoder(_ZlibDecoder):
    """gzip (RFC 1952): members one after another. What follows them and is none is left out, as padding."""

    __slots__ = ("_is_done",)

    name = "gzip"

    def __init__(self) -> None:
        super().__init__()
        self._is_done = False

    def _begin(self, data: bytes) -> tuple[Any, bytes]:
        if self._is_done:
            return None, b""
        data = self._held + data
        self._held = b""
        if self._started and data[:2] != b"\x1f\x8b":
            if data in (b"", b"\x1f"):
                self._held = data
            else:
                self._is_done = True
            return None, b""
        if not data:
            return None, b""
        self._started = True
        return self._zlib.decompressobj(31), data


class DeflateDecoder(_ZlibDecoder):
    """deflate: the zlib format (RFC 1950) as it should be, or raw (RFC 1951) as it often is."""

    __slots__ = ()

    name = "deflate"

    def _begin(self, data: bytes) -> tuple[Any, bytes]:
        if self._started:
            return None, b""  # what follows the end is padding
        data = self._held + data
        if len(data) < 2:
            self._held = data
            return None, b""
        self._started = True
        self._held = b""
        # RFC 1950 section 2.2: CM is 8, and the first two bytes are a multiple of 31.
        has_header = data[0] & 15 == 8 and (data[0] << 8 | data[1]) % 31 == 0
        return self._zlib.decompressobj(15 if has_header else -15), data


class BrotliDecoder(ContentDecoder):
    """br (RFC 7932), by the brotli library."""

    __slots__ = ("_decompressor", "_error", "_started")

    def __init__(self) -> None:
        try:
            import brotli  # type: ignore[import-untyped]  # it has no types
        except ImportError:
            raise _not_installed("br", "brotli") from None
        self._decompressor = brotli.Decompressor()
        self._error = brotli.error
        self._started = False

    def decode(self, data: bytes) -> Iterator[bytes]:
        """Give what this part decodes to, in pieces. Raises `DecodingError`."""
        decompressor = self._decompressor
        if self._started and decompressor.is_finished():
            return  # what follows the end is padding
        self._started = self._started or bool(data)
        while True:
            try:
                piece = decompressor.process(data, output_buffer_limit=PIECE_SIZE)
            except self._error as error:
                raise DecodingError(f"The br content does not decode: {error}") from error
            data = b""
            if piece:
                yield piece
            if not piece or decompressor.is_finished():
                return

    def finish(self) -> None:
        """Raise `DecodingError` if the content was cut off."""
        if self._started and not self._decompressor.is_finished():
            raise DecodingError("The br content is cut off before its end")


class ZstandardDecoder(ContentDecoder):
    """zstd (RFC 8878): frames one after another, by the zstandard library."""

    __slots__ = ("_library", "_decompressor", "_frame")

    def __init__(self) -> None:
        try:
            import zstandard
        except ImportError:
            raise _not_installed("zstd", "zstandard") from None
        self._library = zstandard
        self._decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_SIZE)
        self._frame: Any = None

    def decode(self, data: bytes) -> Iterator[bytes]:
        """Give what this part decodes to, in pieces. Raises `DecodingError`."""
        for start in range(0, len(data), _ZSTD_INPUT_SIZE):
            rest = data[start : start + _ZSTD_INPUT_SIZE]
            while rest:
                if self._frame is None:
                    self._frame = self._decompressor.decompressobj()
                try:
                    piece = self._frame.decompress(rest)
                except self._library.ZstdError as error:
                    raise DecodingError(f"The zstd content does not decode: {error}") from error
                if piece:
                    yield piece
                rest = b""
                if self._frame.eof:
                    rest = self._frame.unused_data
                    self._frame = None
                    yield b""

    def finish(self) -> None:
        """Raise `DecodingError` if the content was cut off."""
        if self._frame is not None:
            raise DecodingError("The zstd content is cut off before its end")


class StackedDecoder(ContentDecoder):
    """One or more codings undone, the last applied first, with a bound on what may come of how little."""

    __slots__ = ("_decoders", "_received", "_given")

    def __init__(self, decoders: list[ContentDecoder]) -> None:
        self._decoders = decoders
        self._received = 0
        self._given = [0] * len(decoders)

    def decode(self, data: bytes) -> Iterator[bytes]:
        """Give what this part decodes to, in pieces. Raises `DecodingError`."""
        self._received += len(data)
        return self._undo(0, data)

    def finish(self) -> None:
        """Raise `DecodingError` if the content was cut off."""
        for decoder in self._decoders:
            decoder.finish()

    def _undo(self, place: int, data: bytes) -> Iterator[bytes]:
        for piece in self._decoders[place].decode(data):
            yield from self._onward(place, piece)

    def _onward(self, place: int, piece: bytes) -> Iterator[bytes]:
        """Count what one decoder gave, and hand it to the next."""
        given = self._given[place] = self._given[place] + (len(piece) or _MEMBER_COST)
        if given > FREE_SIZE and given > MAX_EXPANSION * self._received:
            raise DecodingError(
                f"The content expands past every measure: {given} bytes of {self._received}"
            )
        if not piece:
            return iter(())
        if place + 1 < len(self._decoders):
            return self._undo(place + 1, piece)
        return iter((piece,))


_DECODERS: dict[str, Callable[[], ContentDecoder]] = {
    "gzip": GzipDecoder,
    "x-gzip": GzipDecoder,  # RFC 9110 section 8.4.1.3
    "deflate": DeflateDecoder,
    "br": BrotliDecoder,
    "zstd": ZstandardDecoder,
}


def decoder_for(content_encoding: str) -> ContentDecoder | None:
    """Return what undoes the codings of a Content-Encoding field, None where there is nothing to undo.

    Undoing ends at a coding that is not known: what is under it stays as it is. Raises `DecodingError`
    for more than five codings, or one whose library is not installed.
    """
    names = [name for part in content_encoding.split(",") if (name := part.strip().lower())]
    codings = [name for name in names if name != "identity"]
    if len(codings) > MAX_CODINGS:
        raise DecodingError(
            f"The content is coded {len(codings)} times, {MAX_CODINGS} are undone at most"
        )
    decoders = []
    for name in reversed(codings):
        make = _DECODERS.get(name)
        if make is None:
            break
        decoders.append(make())
    return StackedDecoder(decoders) if decoders else None


_accept_encoding: str | None = None


def accept_encoding() -> str:
    """Return the value of Accept-Encoding that says what can be undone here."""
    global _accept_encoding
    if _accept_encoding is None:
        # To look for a library is cheaper than to import it, which is for the first content that needs it.
        from importlib.machinery import PathFinder

        installed = [
            coding
            for coding, library in (("br", "brotli"), ("zstd", "zstandard"))
            if PathFinder.find_spec(library) is not None
        ]
        _accept_encoding = ", ".join(["gzip", "deflate", *installed])
    return _accept_encoding


def _not_installed(coding: str, library: str) -> DecodingError:
    return DecodingError(
        f"The content is coded with {coding}, and the {library} library is not installed: "
        "install h123[codings], or do not send an Accept-Encoding that names it"
    )
