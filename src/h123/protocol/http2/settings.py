"""SETTINGS: what each side tells the other about itself (RFC 9113 section 6.5, RFC 8441, RFC 9218)."""

from __future__ import annotations

import struct
from typing import Final

from ..errors import ErrorCode, RemoteProtocolError
from ..limits import Limits
from .frames import (
    DEFAULT_WINDOW,
    LARGEST_MAX_FRAME_SIZE,
    LARGEST_WINDOW,
    SETTINGS,
    SMALLEST_MAX_FRAME_SIZE,
    frame,
)
from .hpack import DEFAULT_TABLE_SIZE

HEADER_TABLE_SIZE: Final = 0x1
ENABLE_PUSH: Final = 0x2
MAX_CONCURRENT_STREAMS: Final = 0x3
INITIAL_WINDOW_SIZE: Final = 0x4
MAX_FRAME_SIZE: Final = 0x5
MAX_HEADER_LIST_SIZE: Final = 0x6
ENABLE_CONNECT_PROTOCOL: Final = 0x8
NO_RFC7540_PRIORITIES: Final = 0x9

_SETTING: Final = struct.Struct(">HL")


def parse_settings(payload: bytes, limit: int) -> list[tuple[int, int]]:
    """Return the settings of a SETTINGS frame, in order. Raises `RemoteProtocolError`."""
    if len(payload) % _SETTING.size:
        raise RemoteProtocolError(
            "a SETTINGS frame whose length is no multiple of 6",
            error_code=ErrorCode.FRAME_SIZE_ERROR,
            rule="settings-size",
        )
    if len(payload) > limit * _SETTING.size:
        raise RemoteProtocolError(
            f"more than {limit} settings in one frame",
            error_code=ErrorCode.ENHANCE_YOUR_CALM,
            rule="settings-per-frame",
        )
    settings: list[tuple[int, int]] = list(_SETTING.iter_unpack(payload))
    for number, value in settings:
        _check(number, value)
    return settings


def _check(number: int, value: int) -> None:
    """Raise `RemoteProtocolError` for a value that a setting can not have."""
    error_code = ErrorCode.PROTOCOL_ERROR
    if number in (ENABLE_PUSH, ENABLE_CONNECT_PROTOCOL, NO_RFC7540_PRIORITIES):
        valid = value <= 1
    elif number == INITIAL_WINDOW_SIZE:
        valid = value <= LARGEST_WINDOW
        error_code = ErrorCode.FLOW_CONTROL_ERROR
    elif number == MAX_FRAME_SIZE:
        valid = SMALLEST_MAX_FRAME_SIZE <= value <= LARGEST_MAX_FRAME_SIZE
    else:
        valid = True
    if not valid:
        raise RemoteProtocolError(
            f"setting {number} can not be {value}", error_code=error_code, rule="settings-value"
        )


def largest_frame(limits: Limits) -> int:
    """Return the largest payload we take: no less may be said than every peer may send."""
    return min(max(limits.frame_size, SMALLEST_MAX_FRAME_SIZE), LARGEST_MAX_FRAME_SIZE)


def stream_window(limits: Limits) -> int:
    """Return the window that we give each stream."""
    return min(limits.stream_window, LARGEST_WINDOW)


def our_settings(limits: Limits, *, server: bool) -> bytes:
    """Return the SETTINGS frame that says what we accept: what differs from the defaults."""
    settings = [(MAX_HEADER_LIST_SIZE, limits.header_block_size)]
    settings.append((NO_RFC7540_PRIORITIES, 1))
    if server:
        settings.append((MAX_CONCURRENT_STREAMS, limits.concurrent_streams))
        settings.append((ENABLE_CONNECT_PROTOCOL, 1))
    elif limits.pushed_streams:
        settings.append((MAX_CONCURRENT_STREAMS, limits.pushed_streams))
    else:
        settings.append((ENABLE_PUSH, 0))
    for number, value, default in (
        (HEADER_TABLE_SIZE, limits.table_size, DEFAULT_TABLE_SIZE),
        (INITIAL_WINDOW_SIZE, stream_window(limits), DEFAULT_WINDOW),
        (MAX_FRAME_SIZE, largest_frame(limits), SMALLEST_MAX_FRAME_SIZE),
    ):
        if value != default:
            settings.append((number, value))
    return frame(SETTINGS, 0, 0, b"".join([_SETTING.pack(*setting) for setting in settings]))
