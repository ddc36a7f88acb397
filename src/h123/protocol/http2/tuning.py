"""How large the windows of streams are: they follow the path's bandwidth-delay product (RFC 9113 section 5.2).

An engine has no clock, and needs none. Frames keep their order, so a PING sent right behind a WINDOW_UPDATE
is answered when the peer has read that, and behind everything that it sent without knowing of it. If by then
the peer has used up all that it was allowed before, it stood still and waited for us: the window is smaller
than what fits into the path, and doubles. If some was left, the window is large enough.

Only a reader that keeps up with the peer makes it ask, for a slow one fills any window; and what a window
grows by is bounded: all streams together never hold more unread than the connection's window.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .streams import Stream

PROBE: Final = b"h123 bdp"
"""The PING behind a WINDOW_UPDATE."""

_MOST_PATIENCE: Final = 64
"""Grants without a probe at most, after probes that found the window large enough."""


class WindowTuning:
    """One connection's size of stream windows.

    Attributes:
        size: what a stream's window is to be, in bytes.
    """

    __slots__ = ("largest", "size", "_patience", "_rest", "_stream", "_to_skip")

    def __init__(self, size: int, largest: int) -> None:
        self.size = size
        self.largest = max(size, largest)
        self._stream: Stream | None = None  # what is probed
        self._rest = 0  # what its window shows when all that it had before is used up
        self._to_skip = 0
        self._patience = 1

    def on_grant(self, stream: Stream, increment: int) -> bool:
        """Take note that a stream is granted more, before it is; return whether to send the probe."""
        if self._stream is not None:
            if self._stream is stream:
                self._rest += increment
            return False
        if self.size >= self.largest or stream.unread * 8 > stream.window:
            return False
        if self._to_skip:
            self._to_skip -= 1
            return False
        self._stream = stream
        self._rest = increment + stream.window // 16  # a peer may leave what makes no whole frame
        return True

    def on_answer(self) -> None:
        """Learn from the answer to the probe."""
        stream, self._stream = self._stream, None
        if stream is None or stream.is_over or stream.receive_ended:
            return
        if stream.receive_window <= self._rest:
            self.size = min(self.size * 2, self.largest)
            self._patience = 1
        else:
            self._to_skip = self._patience
            self._patience = min(self._patience * 2, _MOST_PATIENCE)
