"""The deadlines of one call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..message.exceptions import TimeoutException, TotalTimeout
from .settings import Timeout

if TYPE_CHECKING:
    from ..network.backend import Backend


class Clock:
    """Turns a `Timeout` into absolute deadlines; the bound on the whole call runs from its making."""

    __slots__ = ("now", "timeout", "end")

    def __init__(self, backend: Backend, timeout: Timeout) -> None:
        self.now = backend.now
        self.timeout = timeout
        self.end = None if timeout.total is None else self.now() + timeout.total

    def deadline(self, seconds: float | None) -> float | None:
        """Return when a wait of at most `seconds` from now has to end."""
        if seconds is None:
            return self.end
        until = self.now() + seconds
        return until if self.end is None or until < self.end else self.end

    def hastened(self, connect: float) -> Clock:
        """Return the same deadlines with at most `connect` seconds for a connection."""
        bound = self.timeout.connect
        hasty = Clock.__new__(Clock)
        hasty.now, hasty.end = self.now, self.end
        hasty.timeout = Timeout(
            self.timeout, connect=connect if bound is None else min(connect, bound)
        )
        return hasty

    def explain(self, error: TimeoutException) -> TimeoutException:
        """Return what to raise for a wait that ran out: `TotalTimeout` if the whole call did."""
        if self.end is None or self.now() < self.end or isinstance(error, TotalTimeout):
            return error
        total = TotalTimeout(f"the call took longer than {self.timeout.total} s")
        total.__cause__ = error
        return total
