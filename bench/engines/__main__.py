"""`python -m bench.engines`: our engines in memory, beside everyone's, pure and (where built) compiled.

Each row of the table is an operation, the figure thousands of it in a second of one processor's time; in
brackets stands how many times as fast as this peer ours is, pure, and compiled after a slash. Both flavours
are measured in processes of their own, each beside the same peers, taking turns.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median

from .measure import Rates, measure

ROOT = Path(__file__).parents[2]
MODULES = sorted({path.stem for path in Path(__file__).parent.glob("[!_]*.py")} - {"measure"})
"""Each has `CASES`: a row of the table to its contestants, of which `h123` is one."""
OURS = "h123"


def main() -> int:
    """Measure what was asked for and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.engines", description=__doc__)
    parser.add_argument("modules", nargs="*", choices=[*MODULES, []], default=[])
    parser.add_argument("--compiled", metavar="DIR", help="where a compiled h123 is installed")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each flavour (3)")
    parser.add_argument(
        "--slices", type=int, default=15, help="slices of a contestant in a turn (15)"
    )
    parser.add_argument("--seconds", type=float, default=0.02, help="length of a slice (0.02)")
    parser.add_argument("--figures", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    modules = arguments.modules or list(MODULES)
    if arguments.figures:
        print(json.dumps(_figures(modules, arguments.slices, arguments.seconds)))
        return 0
    command = [
        *(sys.executable, "-m", "bench.engines", *modules, "--figures"),
        *("--slices", str(arguments.slices), "--seconds", str(arguments.seconds)),
    ]
    flavours: dict[str, str] = {"pure": str(ROOT / "src")}
    if arguments.compiled and Path(arguments.compiled).is_dir():
        flavours["compiled"] = str(Path(arguments.compiled).resolve())
    turns: dict[str, list[Rates]] = {flavour: [] for flavour in flavours}
    for _ in range(arguments.rounds):
        for flavour, path in flavours.items():
            environment = {**os.environ, "PYTHONPATH": path}
            done = subprocess.run(
                command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, check=True
            )
            turns[flavour].append(json.loads(done.stdout))
    _show(turns)
    return 0


def _figures(modules: list[str], slices: int, seconds: float) -> Rates:
    rates: Rates = {}
    for name in modules:
        module = importlib.import_module(f"bench.engines.{name}")
        rates |= measure(module.CASES, slices, seconds)
    return rates


def _show(turns: dict[str, list[Rates]]) -> None:
    flavours = list(turns)
    cases = list(turns["pure"][0])
    peers = list(dict.fromkeys(who for case in cases for who in turns["pure"][0][case]))
    peers.remove(OURS)
    flavour_note = "" if "compiled" in turns else "; compiled is not built: make .venv/compiled"
    print(f"Engines in memory, thousands of operations a second of processor time{flavour_note}")
    print(f"In brackets: ours as a multiple of this one, {' / '.join(flavours)}\n")
    width = max(map(len, cases)) + 2
    columns = [f"h123 {flavour}" for flavour in flavours] + peers
    cells = [max(len(column), 8 if column.startswith(OURS) else 22) + 2 for column in columns]
    print(" " * width + "".join(c.rjust(w) for c, w in zip(columns, cells, strict=True)))
    for case in cases:
        texts = [_text(_median(turns[flavour], case, OURS)) for flavour in flavours]
        texts += [_beside(turns, case, peer) for peer in peers]
        print(case.ljust(width) + "".join(t.rjust(w) for t, w in zip(texts, cells, strict=True)))


def _beside(turns: dict[str, list[Rates]], case: str, peer: str) -> str:
    if peer not in turns["pure"][0][case]:
        return "-"
    ratios = [
        median(rates[case][OURS] / rates[case][peer] for rates in rounds)
        for rounds in turns.values()
    ]
    figure = _median([rates for rounds in turns.values() for rates in rounds], case, peer)
    return f"{_text(figure)} ({' / '.join(f'{ratio:.2f}x' for ratio in ratios)})"


def _median(rounds: list[Rates], case: str, who: str) -> float:
    return median(rates[case][who] for rates in rounds)


def _text(rate: float) -> str:
    thousands = rate / 1000
    return f"{thousands:,.0f}k" if thousands >= 100 else f"{thousands:.1f}k"


if __name__ == "__main__":
    sys.exit(main())
