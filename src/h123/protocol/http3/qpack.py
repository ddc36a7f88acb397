"""QPACK by pylsqpack, within limits.

RFC 9204. pylsqpack does the coding; what it lacks is here: a bound on what a block may unfold to (a byte
can stand for a field of the table's size), and the difference between a block that waits for the table and
one that is cut off.
"""

from __future__ import annotations

from pylsqpack import (
    Decoder,
    DecoderStreamError,
    DecompressionFailed,
    Encoder,
    EncoderStreamError,
    StreamBlocked,
)

from ..errors import LocalProtocolError, RemoteProtocolError
from ..events import Headers
from ..fields import section_size
from ..limits import Limits
from .errors import H3ErrorCode

_EMPTY_SECTION = b"\0\0"


class SectionTooLargeError(Exception):
    """A field section is over its limit, but not so far over that the connection must end."""


class FieldEncoder:
    """Our encoder. Uses no dynamic table until the peer's settings allow one."""

    __slots__ = ("_encoder", "_limits")

    def __init__(self, limits: Limits) -> None:
        self._encoder = Encoder()
        self._limits = limits

    def apply_settings(self, table_capacity: int, blocked_streams: int) -> bytes:
        """Take the peer's settings into account; return what is to be sent on the encoder stream."""
        return self._encoder.apply_settings(
            max_table_capacity=min(table_capacity, self._limits.table_size),
            blocked_streams=min(blocked_streams, 0xFFFF),
        )

    def encode(self, stream_id: int, fields: Headers) -> tuple[bytes, bytes]:
        """Return the bytes for the encoder stream and the block. Raises `LocalProtocolError`."""
        try:
            return self._encoder.encode(stream_id, fields)
        except ValueError as error:
            raise LocalProtocolError(str(error)) from error

    def feed(self, data: bytes) -> None:
        """Take bytes of the peer's decoder stream."""
        try:
            self._encoder.feed_decoder(data)
        except DecoderStreamError as error:
            raise RemoteProtocolError(
                "the QPACK decoder stream can not be understood",
                error_code=H3ErrorCode.QPACK_DECODER_STREAM_ERROR,
                rule="qpack",
            ) from error


class FieldDecoder:
    """Our decoder. `output` collects what is to be sent on the decoder stream."""

    __slots__ = ("output", "_decoder", "_limits", "_short_block")

    def __init__(self, limits: Limits) -> None:
        self.output = b""
        self._decoder = Decoder(limits.table_size, limits.blocked_streams)
        self._limits = limits
        # A block of so few bytes can not unfold to more than the limit times four.
        self._short_block = 4 * limits.header_block_size // max(64, limits.table_size)

    def decode(self, stream_id: int, block: bytes) -> Headers | None:
        """Return a block's fields, or None if it waits for the table: then `resume` follows.

        Raises `SectionTooLargeError`, and `RemoteProtocolError` for what can not be decoded.
        """
        if block == _EMPTY_SECTION:
            return []  # which pylsqpack takes for one that is cut off
        if len(block) > self._short_block:
            self._count(stream_id, block)
        try:
            output, fields = self._decoder.feed_header(stream_id, block)
        except StreamBlocked:
            # pylsqpack would wait forever for the rest of a block that is cut off.
            count_lines(block)
            return None
        except DecompressionFailed as error:
            raise _failed(stream_id) from error
        self.output += output
        return self._check(fields)

    def resume(self, stream_id: int) -> Headers:
        """Return the fields of a block that waited. Raises as `decode`."""
        try:
            output, fields = self._decoder.resume_header(stream_id)
        except (DecompressionFailed, StreamBlocked) as error:
            raise _failed(stream_id) from error
        self.output += output
        return self._check(fields)

    def feed(self, data: bytes) -> list[int]:
        """Take bytes of the peer's encoder stream; return the streams that wait no longer."""
        try:
            return self._decoder.feed_encoder(data)
        except EncoderStreamError as error:
            raise RemoteProtocolError(
                "the QPACK encoder stream can not be understood",
                error_code=H3ErrorCode.QPACK_ENCODER_STREAM_ERROR,
                rule="qpack",
            ) from error

    def cancel(self, stream_id: int) -> None:
        """Forget a stream whose field sections will not all be read (RFC 9204 section 2.2.2.2)."""
        self.output += self._decoder.cancel_stream(stream_id)

    def _count(self, stream_id: int, block: bytes) -> None:
        lines = count_lines(block)
        most = self._limits.header_fields
        if lines > 4 * most:
            raise _far_too_large(f"{lines} fields")
        if lines > most:
            self.cancel(stream_id)
            raise SectionTooLargeError(f"{lines} fields, {most} allowed")

    def _check(self, fields: Headers) -> Headers:
        if len(fields) > self._limits.header_fields:
            raise SectionTooLargeError(
                f"{len(fields)} fields, {self._limits.header_fields} allowed"
            )
        size = section_size(fields)
        if size > 4 * self._limits.header_block_size:
            raise _far_too_large(f"{size} bytes")
        if size > self._limits.header_block_size:
            raise SectionTooLargeError(f"{size} bytes, {self._limits.header_block_size} allowed")
        return fields


def count_lines(block: bytes) -> int:
    """Return how many field lines a block has. Raises `RemoteProtocolError` if it is cut off.

    RFC 9204 section 4.5. Nothing is decoded: this is quick, and safe whatever the lines unfold to.
    """
    position = _skip_integer(block, 0, 8)  # Required Insert Count
    position = _skip_integer(block, position, 7)  # Delta Base
    lines = 0
    size = len(block)
    while position < size:
        first = block[position]
        if first & 0x80:  # indexed
            position = _skip_integer(block, position, 6)
        elif first & 0x40:  # literal with name reference
            position = _skip_string(block, _skip_integer(block, position, 4), 7)
        elif first & 0x20:  # literal with literal name
            position = _skip_string(block, _skip_string(block, position, 3), 7)
        elif first & 0x10:  # indexed with post-base index
            position = _skip_integer(block, position, 4)
        else:  # literal with post-base name reference
            position = _skip_string(block, _skip_integer(block, position, 3), 7)
        lines += 1
    return lines


def _read_integer(block: bytes, position: int, prefix: int) -> tuple[int, int]:
    """Read an integer with a prefix of so many bits (RFC 7541 section 5.1)."""
    if position >= len(block):
        raise _failed(None)
    most = (1 << prefix) - 1
    value = block[position] & most
    position += 1
    if value < most:
        return value, position
    for shift in range(0, 63, 7):
        if position >= len(block):
            break
        byte = block[position]
        position += 1
        value += (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise _failed(None)


def _skip_integer(block: bytes, position: int, prefix: int) -> int:
    return _read_integer(block, position, prefix)[1]


def _skip_string(block: bytes, position: int, prefix: int) -> int:
    length, position = _read_integer(block, position, prefix)
    if position + length > len(block):
        raise _failed(None)
    return position + length


def _failed(stream_id: int | None) -> RemoteProtocolError:
    return RemoteProtocolError(
        "a field section can not be decoded",
        error_code=H3ErrorCode.QPACK_DECOMPRESSION_FAILED,
        rule="qpack",
        stream_id=stream_id,
    )


def _far_too_large(what: str) -> RemoteProtocolError:
    return RemoteProtocolError(
        f"a field section of {what} is more than four times over its limit",
        status=431,
        error_code=H3ErrorCode.EXCESSIVE_LOAD,
        rule="header-block-far-too-large",
    )
