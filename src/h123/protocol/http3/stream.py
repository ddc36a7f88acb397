"""What an HTTP/3 connection keeps of each stream: of a request's, and of the peer's unidirectional ones.

RFC 9114 sections 4.1 (the order of frames in a message) and 6.2 (unidirectional streams).
"""

from __future__ import annotations

import enum

from ..errors import RemoteProtocolError
from ..events import Headers
from ..limits import Limits
from . import frames
from .errors import H3ErrorCode


class Part(enum.IntEnum):
    """Which part of a message is to come next."""

    HEAD = 0
    CONTENT = 1
    END = 2


class RequestStream:
    """A request and its response."""

    __slots__ = (
        "stream_id", "method", "buffer", "frame_type", "remaining", "is_blocked", "finished",
        "held", "receiving", "sending", "announced", "tunnel", "expected", "received", "trailers",
        "empty_frames",
    )  # fmt: skip

    def __init__(self, stream_id: int, method: bytes = b"") -> None:
        self.stream_id = stream_id
        self.method = method
        self.buffer = bytearray()
        """Received and not parsed: less than a frame, or whatever came while blocked."""
        self.frame_type = -1
        """The frame whose payload is being read, or -1 between frames."""
        self.remaining = 0
        """Bytes of that payload that have not been parsed."""
        self.is_blocked = False
        """Whether a field section waits for QPACK's table."""
        self.finished = False
        """Whether the peer's end of stream is in what waits."""
        self.held = 0
        """Bytes in the buffer that are not credited yet."""
        self.receiving: Part | None = Part.HEAD
        """What of the peer's message comes next; None once there is no more to read."""
        self.sending: Part | None = Part.HEAD
        """What of our message comes next; None once there is no more to send."""
        self.announced = False
        """Whether an event told of it, so that its end must be told too."""
        self.tunnel = False
        """Whether it carries bytes after CONNECT."""
        self.expected: int | None = None
        """The content's length, where it is known (RFC 9114 section 4.1.2)."""
        self.received = 0
        self.trailers: Headers | None = None
        self.empty_frames = 0

    def __repr__(self) -> str:
        return f"<RequestStream {self.stream_id} {self.receiving!r} {self.sending!r}>"


class PeerStream:
    """A unidirectional stream of the peer, from its first byte on."""

    __slots__ = ("stream_id", "kind", "buffer")

    def __init__(self, stream_id: int) -> None:
        self.stream_id = stream_id
        self.kind = -1
        self.buffer = b""


class ControlReader:
    """Cuts the peer's control stream into frames. Unknown ones are passed by, however long."""

    __slots__ = ("_buffer", "_longest_settings", "_skip")

    def __init__(self, limits: Limits) -> None:
        self._buffer = b""
        self._skip = 0
        self._longest_settings = 16 * limits.settings_per_frame

    def receive(self, data: bytes) -> list[tuple[int, bytes]]:
        """Return the frames that these bytes complete, as type and payload; of unknown ones no payload."""
        found: list[tuple[int, bytes]] = []
        position = min(self._skip, len(data))
        self._skip -= position
        data = self._buffer + data[position:]
        position = 0
        while True:
            frame_type, after_type = frames.decode_integer(data, position)
            length, start = frames.decode_integer(data, after_type)
            if frame_type < 0 or length < 0:
                break
            if frame_type not in frames.KNOWN_FRAMES:
                found.append((frame_type, b""))
                end = start + length
                self._skip = max(0, end - len(data))
                position = min(end, len(data))
                continue
            self._check_length(frame_type, length)
            if start + length > len(data):
                break
            found.append((frame_type, data[start : start + length]))
            position = start + length
        self._buffer = data[position:]
        return found

    def _check_length(self, frame_type: int, length: int) -> None:
        if frame_type == frames.SETTINGS:
            if length > self._longest_settings:
                raise RemoteProtocolError(
                    f"SETTINGS of {length} bytes",
                    error_code=H3ErrorCode.EXCESSIVE_LOAD,
                    rule="too-many-settings",
                )
        elif frame_type in (frames.GOAWAY, frames.MAX_PUSH_ID, frames.CANCEL_PUSH):
            if length > 8:
                raise frames.frame_error(f"frame {frame_type:#x} of {length} bytes")
        else:
            # None of the others may be here; its payload need not be waited for.
            raise frames.frame_unexpected(f"frame {frame_type:#x} on the control stream")
