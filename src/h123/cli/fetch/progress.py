"""Progress bars on standard error, for long content on a terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

LONG = 1 << 20
"""Bytes from which on content is long."""


class ProgressBars:
    """The bars of all transfers. Nothing is shown, and nothing loaded, until something is long."""

    def __init__(self, *, is_wanted: bool) -> None:
        self.is_wanted = is_wanted and sys.stderr.isatty()
        self._progress: Progress | None = None

    def bar(self, name: str, total: int | None) -> ProgressBar:
        """Return a bar for content of `total` bytes, None if that is not known."""
        return ProgressBar(self, name, total)

    def start(self, name: str, total: int | None) -> tuple[Progress, TaskID]:
        """Show one bar more."""
        if self._progress is None:
            from rich import progress
            from rich.console import Console

            self._progress = progress.Progress(
                progress.TextColumn("{task.description}", markup=False),
                progress.BarColumn(),
                progress.DownloadColumn(binary_units=True),
                progress.TransferSpeedColumn(),
                progress.TimeRemainingColumn(),
                console=Console(stderr=True),
            )
            self._progress.start()
        return self._progress, self._progress.add_task(name, total=total)

    def stop(self) -> None:
        """Leave the terminal as it was, the bars as they are."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None


class ProgressBar:
    """One transfer's bar."""

    __slots__ = ("_bars", "_name", "_total", "_done", "_shown")

    def __init__(self, bars: ProgressBars, name: str, total: int | None) -> None:
        self._bars = bars
        self._name = name
        self._total = total
        self._done = 0
        self._shown: tuple[Progress, TaskID] | None = None

    def advance(self, amount: int) -> None:
        """Count so many bytes more."""
        if not self._bars.is_wanted:
            return
        self._done += amount
        if self._shown is None:
            if max(self._total or 0, self._done) < LONG:
                return
            self._shown = self._bars.start(self._name, self._total)
        progress, task = self._shown
        progress.update(task, completed=self._done)
