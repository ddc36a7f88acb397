"""HTTP/2's frames: their numbers, and how they are put into bytes (RFC 9113 sections 4 and 6)."""

from __future__ import annotations

import struct
from typing import Final

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""What a client sends before its first frame (section 3.4)."""

DATA: Final = 0x0
HEADERS: Final = 0x1
PRIORITY: Final = 0x2
RST_STREAM: Final = 0x3
SETTINGS: Final = 0x4
PUSH_PROMISE: Final = 0x5
PING: Final = 0x6
GOAWAY: Final = 0x7
WINDOW_UPDATE: Final = 0x8
CONTINUATION: Final = 0x9
ALTSVC: Final = 0xA
ORIGIN: Final = 0xC
PRIORITY_UPDATE: Final = 0x10

ACK: Final = 0x1
END_STREAM: Final = 0x1
END_HEADERS: Final = 0x4
PADDED: Final = 0x8
WITH_PRIORITY: Final = 0x20

HEADER_SIZE: Final = 9
SMALLEST_MAX_FRAME_SIZE: Final = 16384
LARGEST_MAX_FRAME_SIZE: Final = 16777215
LARGEST_STREAM_ID: Final = 2**31 - 1
LARGEST_WINDOW: Final = 2**31 - 1
DEFAULT_WINDOW: Final = 65535

FRAME_HEADER: Final = struct.Struct(">HBBBL")
"""Length (in two parts), type, flags, stream."""

_PACK_HEADER: Final = struct.Struct(">LBL").pack

UINT16: Final = struct.Struct(">H")
UINT32: Final = struct.Struct(">L")


def frame_header(length: int, kind: int, flags: int, stream_id: int) -> bytes:
    """Return a frame's first nine bytes."""
    return _PACK_HEADER(length << 8 | kind, flags, stream_id)


def frame(kind: int, flags: int, stream_id: int, payload: bytes) -> bytes:
    """Return a whole frame."""
    return frame_header(len(payload), kind, flags, stream_id) + payload


def header_frames(
    stream_id: int, block: bytes, flags: int, max_frame_size: int, kind: int = HEADERS
) -> bytes:
    """Return HEADERS or PUSH_PROMISE, and CONTINUATION as needed. `flags` is END_STREAM or 0."""
    if len(block) <= max_frame_size:
        return frame_header(len(block), kind, flags | END_HEADERS, stream_id) + block
    frames = [frame(kind, flags, stream_id, block[:max_frame_size])]
    for start in range(max_frame_size, len(block), max_frame_size):
        last = END_HEADERS if start + max_frame_size >= len(block) else 0
        fragment = block[start : start + max_frame_size]
        frames.append(frame(CONTINUATION, last, stream_id, fragment))
    return b"".join(frames)


def rst_stream(stream_id: int, error_code: int) -> bytes:
    """Return RST_STREAM."""
    return frame(RST_STREAM, 0, stream_id, UINT32.pack(error_code))


def goaway(last_stream_id: int, error_code: int, debug_data: bytes = b"") -> bytes:
    """Return GOAWAY."""
    payload = UINT32.pack(last_stream_id) + UINT32.pack(error_code) + debug_data
    return frame(GOAWAY, 0, 0, payload)


def window_update(stream_id: int, increment: int) -> bytes:
    """Return WINDOW_UPDATE."""
    return frame(WINDOW_UPDATE, 0, stream_id, UINT32.pack(increment))
