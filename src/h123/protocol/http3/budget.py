"""Budgets against floods: what a peer may do that costs us and brings it nothing.

RFC 9114 section 10.5: a peer that abuses the protocol is told H3_EXCESSIVE_LOAD.
"""

from __future__ import annotations

from ..errors import RemoteProtocolError
from ..limits import Limits
from .errors import H3ErrorCode


class Budget:
    """Two buckets: stream resets, refilled by time, and idle frames, refilled by useful ones."""

    __slots__ = ("_idle", "_limits", "_refilled", "_resets")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._resets = float(limits.stream_resets)
        self._refilled: float | None = None
        self._idle = limits.idle_frames

    def tick(self, now: float) -> None:
        """Refill what time refills. `now` is in seconds."""
        if self._refilled is not None and now > self._refilled:
            grown = (now - self._refilled) * self._limits.stream_resets_per_second
            self._resets = min(float(self._limits.stream_resets), self._resets + grown)
        self._refilled = now

    def reset(self) -> None:
        """Count a stream that the peer reset, or made us reset."""
        self._resets -= 1
        if self._resets < 0:
            raise _calm("stream resets", "stream-resets")

    def idle(self) -> None:
        """Count a frame that carries no request or content."""
        self._idle -= 1
        if self._idle < 0:
            raise _calm("frames without use", "idle-frames")

    def useful(self) -> None:
        """Count a frame that does."""
        self._idle = min(
            self._limits.idle_frames, self._idle + self._limits.idle_frames_per_useful_frame
        )

    def empty(self, in_a_row: int) -> None:
        """Look at how many empty DATA or HEADERS frames have come in a row."""
        if in_a_row > self._limits.empty_frames:
            raise _calm("empty frames", "empty-frames")


def _calm(what: str, rule: str) -> RemoteProtocolError:
    return RemoteProtocolError(
        f"too many {what}", status=429, error_code=H3ErrorCode.EXCESSIVE_LOAD, rule=rule
    )
