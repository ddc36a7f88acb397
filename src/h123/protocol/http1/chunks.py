"""Reading content that comes in chunks, and the trailer section after it (RFC 9112 section 7.1).

The reader takes what has come and puts the content in it, cut as it came, into `pieces`. It returns how far
it got: what it leaves is the beginning of something that it needs whole, never more than its limits allow.
"""

from __future__ import annotations

import enum
from typing import Final

from ..errors import RemoteProtocolError
from ..events import Headers
from ..limits import Limits
from .head import early_section_fault, parse_trailers
from .rules import broken
from .syntax import FIELD, HEXADECIMAL, WHITESPACE

_CHUNK_SIZE_DIGITS: Final = 15
"""Under 2^60 bytes, for the reason that Content-Length has its bound."""


class _Part(enum.Enum):
    SIZE = enum.auto()
    DATA = enum.auto()
    DATA_END = enum.auto()
    TRAILERS = enum.auto()


_SIZE: Final = _Part.SIZE
_DATA: Final = _Part.DATA
_DATA_END: Final = _Part.DATA_END


class ChunkedReader:
    """Reads content in chunks, and the trailer section after it (section 7.1)."""

    __slots__ = (
        "_extensions", "_forgives_padding", "_limits", "_part", "_remaining", "_scanned", "complete",
        "trailers",
    )  # fmt: skip

    def __init__(self, limits: Limits, *, forgives_padding: bool) -> None:
        self._limits = limits
        self._forgives_padding = forgives_padding
        self._part = _SIZE
        self._remaining = 0
        self._scanned = 0
        self._extensions = 0
        self.complete = False
        self.trailers: Headers = []

    def read(self, data: bytes | bytearray, position: int, pieces: list[bytes]) -> int:
        """Take the data of all chunks that have come and return where what is left begins."""
        end = len(data)
        while position < end:
            if self._part is _DATA:
                stop = position + self._remaining
                if stop > end:
                    pieces.append(bytes(data[position:]))
                    self._remaining = stop - end
                    return end
                pieces.append(bytes(data[position:stop]))
                position = stop
                self._part = _DATA_END
            elif self._part is _DATA_END:
                if data[position : position + 2] != b"\r\n":
                    if end - position == 1 and data[position] == 0x0D:
                        return position
                    raise broken("chunk-data-end")
                position += 2
                self._part = _SIZE
            elif self._part is _SIZE:
                longest = self._limits.chunk_size_line
                line_end = data.find(b"\r\n", position, position + longest + 2)
                if line_end < 0:
                    if end - position >= longest + 2:
                        raise broken("chunk-size-too-long")
                    return position
                size = self._chunk_size(bytes(data[position:line_end]))
                position = line_end + 2
                stop = position + size
                if size and data[stop : stop + 2] == b"\r\n":  # all of it is here: the usual case
                    pieces.append(bytes(data[position:stop]))
                    position = stop + 2
                else:
                    self._remaining = size
                    self._part = _DATA if size else _Part.TRAILERS
            else:
                return self._read_trailers(data, position)
        return position

    def _chunk_size(self, line: bytes) -> int:
        if 0 < len(line) <= _CHUNK_SIZE_DIGITS and not line.translate(None, HEXADECIMAL):
            size = int(line, 16)
            if self._extensions:
                self._extensions = max(0, self._extensions - size)
            return size
        digits, semicolon, extension = line.partition(b";")
        bare = digits.rstrip(WHITESPACE)  # section 7.1.1 allows it before the semicolon
        if semicolon and extension.translate(None, FIELD):
            raise broken("chunk-extension")
        if not bare or bare.translate(None, HEXADECIMAL):
            raise broken("chunk-size")
        if not semicolon and bare != digits and not self._forgives_padding:
            raise broken("chunk-size-padding")
        if len(bare) > _CHUNK_SIZE_DIGITS:
            raise broken("chunk-size-too-large")
        size = int(bare, 16)
        # Extensions may come with every chunk, but not be what is really sent.
        self._extensions = max(0, self._extensions + len(extension) - size)
        if self._extensions > self._limits.header_block_size:
            raise broken("chunk-extensions-too-large")
        return size

    def _read_trailers(self, data: bytes | bytearray, position: int) -> int:
        if data[position : position + 2] == b"\r\n":
            self.complete = True
            return position + 2
        limits = self._limits
        longest = position + limits.header_block_size + 4
        section_end = data.find(b"\r\n\r\n", position + self._scanned, longest)
        if section_end < 0:
            end = len(data)
            fault = early_section_fault(data, position, position + self._scanned, end, limits)
            if fault is not None:
                raise fault
            self._scanned = max(0, end - 3 - position)
            return position
        try:
            self.trailers = parse_trailers(bytes(data[position:section_end]), limits)
        except RemoteProtocolError as error:
            fault = early_section_fault(data, position, position, section_end + 3, limits)
            raise fault or error from None
        self.complete = True
        return section_end + 4
