"""HTTP/3 frames, settings and stream types: their numbers, and how they are written and read.

RFC 9114 sections 6.2, 7 and 11.2, RFC 9000 section 16 (integers of variable length). The numbers that
RFC 9114 section 7.2.8 sets aside because HTTP/2 used them are refused wherever they turn up.
"""

from __future__ import annotations

from ..errors import RemoteProtocolError
from .errors import H3ErrorCode

DATA = 0x00
HEADERS = 0x01
CANCEL_PUSH = 0x03
SETTINGS = 0x04
PUSH_PROMISE = 0x05
GOAWAY = 0x07
MAX_PUSH_ID = 0x0D
KNOWN_FRAMES = frozenset(
    [
        DATA,
        HEADERS,
        CANCEL_PUSH,
        SETTINGS,
        PUSH_PROMISE,
        GOAWAY,
        MAX_PUSH_ID,
        0x02,
        0x06,
        0x08,
        0x09,
    ]
)
"""Those with a meaning, if only to be refused; all others are passed by (RFC 9114 section 9)."""
RESERVED_FRAMES = frozenset([0x02, 0x06, 0x08, 0x09])
"""PRIORITY, PING, WINDOW_UPDATE, CONTINUATION: HTTP/2's (RFC 9114 section 7.2.8)."""

CONTROL_STREAM = 0x00
PUSH_STREAM = 0x01
QPACK_ENCODER_STREAM = 0x02
QPACK_DECODER_STREAM = 0x03

QPACK_MAX_TABLE_CAPACITY = 0x01
MAX_FIELD_SECTION_SIZE = 0x06
QPACK_BLOCKED_STREAMS = 0x07
ENABLE_CONNECT_PROTOCOL = 0x08
H3_DATAGRAM = 0x33
RESERVED_SETTINGS = frozenset([0x00, 0x02, 0x03, 0x04, 0x05])
"""HTTP/2's settings that have no meaning here (RFC 9114 section 7.2.4.1)."""
GREASE_SETTING = 0x1F * 0x1337 + 0x21
"""A setting without meaning, so that peers keep ignoring those (RFC 9114 section 7.2.4.1)."""

_BOOLEAN_SETTINGS = frozenset([ENABLE_CONNECT_PROTOCOL, H3_DATAGRAM])
MAX_INTEGER = (1 << 62) - 1


def encode_integer(value: int) -> bytes:
    """Write an integer in as few bytes as it takes: 1, 2, 4 or 8."""
    if value < 0x40:
        return value.to_bytes(1, "big")
    if value < 0x4000:
        return (value | 0x4000).to_bytes(2, "big")
    if value < 0x40000000:
        return (value | 0x80000000).to_bytes(4, "big")
    return (value | 0xC000000000000000).to_bytes(8, "big")


def decode_integer(data: bytes | bytearray, position: int) -> tuple[int, int]:
    """Read an integer; return it and the position after it, or (-1, position) if it is not there whole."""
    if position >= len(data):
        return -1, position
    first = data[position]
    if first < 0x40:
        return first, position + 1
    size = 1 << (first >> 6)
    end = position + size
    if end > len(data):
        return -1, position
    return int.from_bytes(data[position:end], "big") & ((1 << (8 * size - 2)) - 1), end


def encode_frame(frame_type: int, payload: bytes) -> bytes:
    """Write a frame."""
    return encode_integer(frame_type) + encode_integer(len(payload)) + payload


def encode_settings(settings: dict[int, int]) -> bytes:
    """Write a SETTINGS frame."""
    payload = b"".join(
        [encode_integer(number) + encode_integer(value) for number, value in settings.items()]
    )
    return encode_frame(SETTINGS, payload)


def decode_settings(payload: bytes, most: int) -> dict[int, int]:
    """Read a SETTINGS frame's payload of at most `most` settings (RFC 9114 section 7.2.4)."""
    settings: dict[int, int] = {}
    position = 0
    while position < len(payload):
        number, position = decode_integer(payload, position)
        value, position = decode_integer(payload, position)
        if number < 0 or value < 0:
            raise frame_error("SETTINGS ends in the middle of a setting")
        if number in RESERVED_SETTINGS or number in settings:
            raise settings_error(f"setting {number:#x} twice, or one of HTTP/2's")
        if number in _BOOLEAN_SETTINGS and value > 1:
            raise settings_error(f"setting {number:#x} is neither 0 nor 1")
        settings[number] = value
        if len(settings) > most:
            raise RemoteProtocolError(
                f"more than {most} settings",
                error_code=H3ErrorCode.EXCESSIVE_LOAD,
                rule="too-many-settings",
            )
    return settings


def decode_only_integer(payload: bytes) -> int:
    """Read the payload of a frame that holds one integer (GOAWAY, MAX_PUSH_ID, CANCEL_PUSH)."""
    value, end = decode_integer(payload, 0)
    if value < 0 or end != len(payload):
        raise frame_error("the frame's payload is not one integer")
    return value


def frame_error(message: str) -> RemoteProtocolError:
    """Return the error for a frame whose layout is wrong (RFC 9114 section 7.1)."""
    return RemoteProtocolError(message, error_code=H3ErrorCode.FRAME_ERROR, rule="frame-layout")


def settings_error(message: str) -> RemoteProtocolError:
    """Return the error for a setting that can not be (RFC 9114 section 7.2.4)."""
    return RemoteProtocolError(message, error_code=H3ErrorCode.SETTINGS_ERROR, rule="settings")


def frame_unexpected(message: str, stream_id: int | None = None) -> RemoteProtocolError:
    """Return the error for a frame where it has no place (RFC 9114 section 7.1)."""
    return RemoteProtocolError(
        message,
        error_code=H3ErrorCode.FRAME_UNEXPECTED,
        rule="frame-unexpected",
        stream_id=stream_id,
    )
