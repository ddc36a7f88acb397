"""What a peer may do that costs us and not it: counted, and refused by name when it is too much.

These are the floods that servers have fallen to: rapid reset (CVE-2023-44487) and MadeYouReset
(CVE-2025-8671), CONTINUATION (CVE-2024-27316), and PING, SETTINGS and empty frames (CVE-2019-9511 to 9518).
RFC 9113 section 10.5.
"""

from __future__ import annotations

from typing import Final

from ..errors import ErrorCode, RemoteProtocolError
from ..limits import Limits

_IDLE_FRAMES_PER_SECOND: Final = 1.0
"""Lets a connection that lives for days on keep-alive PINGs alone do so."""


class Budgets:
    """One connection's counters.

    Attributes:
        useful: DATA and HEADERS frames, sent or received, that have not refilled the bucket of idle frames yet.
        empty: DATA or HEADERS frames in a row with nothing in them, and nothing that they end.
    """

    __slots__ = ("empty", "idle", "limits", "resets", "useful", "_now")

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.resets = float(limits.stream_resets)
        self.idle = float(limits.idle_frames)
        self.useful = 0
        self.empty = 0
        self._now: float | None = None

    def tick(self, now: float) -> None:
        """Refill by the time that has gone by."""
        if self._now is not None:
            passed = max(now - self._now, 0.0)
            limits = self.limits
            filled = self.resets + passed * limits.stream_resets_per_second
            self.resets = min(filled, limits.stream_resets)
            self.idle = min(self.idle + passed * _IDLE_FRAMES_PER_SECOND, limits.idle_frames)
        self._now = now

    def spend_reset(self) -> None:
        """Count a stream that was reset, by the peer or by its fault."""
        self.resets -= 1
        if self.resets < 0:
            raise flood("streams are reset too fast", "stream-resets")

    def spend_idle(self) -> None:
        """Count a frame that carries no request and no data."""
        limits = self.limits
        filled = self.idle + self.useful * limits.idle_frames_per_useful_frame
        self.idle = min(filled, limits.idle_frames) - 1
        self.useful = 0
        if self.idle < 0:
            raise flood("too many frames that carry no request and no data", "idle-frames")

    def spend_empty(self) -> None:
        """Count a DATA or HEADERS frame with nothing in it, and nothing that it ends."""
        self.empty += 1
        if self.empty > self.limits.empty_frames:
            raise flood("too many empty frames in a row", "empty-frames")


def flood(message: str, rule: str) -> RemoteProtocolError:
    """Return the error for a peer that asks too much."""
    return RemoteProtocolError(message, error_code=ErrorCode.ENHANCE_YOUR_CALM, rule=rule)
