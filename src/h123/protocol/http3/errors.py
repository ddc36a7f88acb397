"""HTTP/3's error codes, and how HTTP/2's, which the contract speaks, turn into them.

RFC 9114 sections 8.1 and A.4, RFC 9204 section 6.
"""

from __future__ import annotations

import enum

from ..errors import ErrorCode


class H3ErrorCode(enum.IntEnum):
    """Why an HTTP/3 stream or connection ends (RFC 9114 section 8.1)."""

    NO_ERROR = 0x100
    GENERAL_PROTOCOL_ERROR = 0x101
    INTERNAL_ERROR = 0x102
    STREAM_CREATION_ERROR = 0x103
    CLOSED_CRITICAL_STREAM = 0x104
    FRAME_UNEXPECTED = 0x105
    FRAME_ERROR = 0x106
    EXCESSIVE_LOAD = 0x107
    ID_ERROR = 0x108
    SETTINGS_ERROR = 0x109
    MISSING_SETTINGS = 0x10A
    REQUEST_REJECTED = 0x10B
    REQUEST_CANCELLED = 0x10C
    REQUEST_INCOMPLETE = 0x10D
    MESSAGE_ERROR = 0x10E
    CONNECT_ERROR = 0x10F
    VERSION_FALLBACK = 0x110
    QPACK_DECOMPRESSION_FAILED = 0x200
    QPACK_ENCODER_STREAM_ERROR = 0x201
    QPACK_DECODER_STREAM_ERROR = 0x202


_FROM_HTTP2: dict[int, int] = {
    ErrorCode.NO_ERROR: H3ErrorCode.NO_ERROR,
    ErrorCode.PROTOCOL_ERROR: H3ErrorCode.GENERAL_PROTOCOL_ERROR,
    ErrorCode.INTERNAL_ERROR: H3ErrorCode.INTERNAL_ERROR,
    ErrorCode.FLOW_CONTROL_ERROR: H3ErrorCode.GENERAL_PROTOCOL_ERROR,
    ErrorCode.SETTINGS_TIMEOUT: H3ErrorCode.MISSING_SETTINGS,
    ErrorCode.STREAM_CLOSED: H3ErrorCode.FRAME_UNEXPECTED,
    ErrorCode.FRAME_SIZE_ERROR: H3ErrorCode.FRAME_ERROR,
    ErrorCode.REFUSED_STREAM: H3ErrorCode.REQUEST_REJECTED,
    ErrorCode.CANCEL: H3ErrorCode.REQUEST_CANCELLED,
    ErrorCode.COMPRESSION_ERROR: H3ErrorCode.QPACK_DECOMPRESSION_FAILED,
    ErrorCode.CONNECT_ERROR: H3ErrorCode.CONNECT_ERROR,
    ErrorCode.ENHANCE_YOUR_CALM: H3ErrorCode.EXCESSIVE_LOAD,
    ErrorCode.INADEQUATE_SECURITY: H3ErrorCode.GENERAL_PROTOCOL_ERROR,
    ErrorCode.HTTP_1_1_REQUIRED: H3ErrorCode.VERSION_FALLBACK,
}


def to_http3(error_code: int) -> int:
    """Return the number that goes on the wire for one of `ErrorCode`; others are themselves."""
    return _FROM_HTTP2.get(error_code, error_code)


def name_of(error_code: int) -> str:
    """Return a code's name for messages: `H3_REQUEST_CANCELLED`, or its number."""
    try:
        code = H3ErrorCode(error_code)
    except ValueError:
        return f"error {error_code:#x}"
    return code.name if code.name.startswith("QPACK") else f"H3_{code.name}"
