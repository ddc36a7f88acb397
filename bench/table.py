"""Tables as text, ratios beside the figures."""

from __future__ import annotations

from statistics import median

Figures = dict[str, dict[str, list[float]]]
"""Contestant to column to its rounds."""


def show(
    title: str, figures: Figures, columns: list[str], unit: str, reference: str = "h123"
) -> None:
    """Print the medians, and in brackets how many times the reference's figure is a peer's."""
    print(f"\n{title} ({unit}; in brackets: {reference}'s figure as a multiple of this one)\n")
    width = max(len(name) for name in figures) + 2
    cells = [max(len(column) + 2, 18) for column in columns]
    print("".ljust(width) + "".join(c.rjust(w) for c, w in zip(columns, cells, strict=True)))
    for name, rounds in figures.items():
        line = name.ljust(width)
        for column, cell in zip(columns, cells, strict=True):
            line += _cell(rounds.get(column), figures, reference, name, column).rjust(cell)
        print(line)


def _cell(
    values: list[float] | None, figures: Figures, reference: str, name: str, column: str
) -> str:
    value = median(values) if values else 0.0
    if not value:
        return "-"
    text = f"{value:,.0f}" if value >= 100 else f"{value:.1f}"
    ours = best_of(figures, reference, column)
    if ours is None or name.startswith(reference):
        return text
    return f"{text} ({ours / value:.2f}x)"


def best_of(figures: Figures, reference: str, column: str) -> float | None:
    """Return the median of whichever of the reference's rows has one in this column."""
    values = [
        median(rounds[column])
        for name, rounds in figures.items()
        if name.startswith(reference) and rounds.get(column)
    ]
    return max(values) if values else None
