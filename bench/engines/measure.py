"""Contestants take turns in short slices of one process's own time; medians of the slices are compared."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

Operation = Callable[[], object]
Case = dict[str, Callable[[], Operation]]
"""Contestant to what makes its operation; that raises `ImportError` where the library is not installed."""

Rates = dict[str, dict[str, float]]
"""Case to contestant to operations a second."""


def measure(cases: dict[str, Case], slices: int, seconds: float) -> Rates:
    """Return how often each contestant does each operation in a second of processor time."""
    rates: Rates = {}
    for name, case in cases.items():
        operations = _available(case)
        counts = {who: _calibrated(operation, seconds) for who, operation in operations.items()}
        taken: dict[str, list[float]] = {who: [] for who in operations}
        for _ in range(slices):
            for who, operation in operations.items():
                taken[who].append(_slice(operation, counts[who]) / counts[who])
        rates[name] = {who: 1 / median(times) for who, times in taken.items()}
    return rates


def _available(case: Case) -> dict[str, Operation]:
    operations = {}
    for who, make in case.items():
        try:
            operations[who] = make()
        except ImportError:
            continue
    return operations


def _calibrated(operation: Operation, seconds: float) -> int:
    """Return how many operations fill a slice."""
    count = 1
    while (spent := _slice(operation, count)) < seconds / 4:
        count *= 2
    return max(1, int(count * seconds / spent))


def _slice(operation: Operation, count: int) -> float:
    started = time.process_time()
    for _ in range(count):
        operation()
    return time.process_time() - started
