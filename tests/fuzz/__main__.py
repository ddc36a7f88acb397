"""`python -m tests.fuzz TARGET [libFuzzer's options]`: fuzz one target with atheris until it is stopped.

`-max_total_time=60` ends it after a minute. A fault is written to a file that the command then takes to
repeat it.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["h123"]):
    from tests.fuzz.targets import TARGETS


def main() -> None:
    if len(sys.argv) < 2 or sys.argv[1] not in TARGETS:
        sys.exit(f"usage: python -m tests.fuzz {{{','.join(TARGETS)}}} [OPTION...]")
    target = TARGETS[sys.argv.pop(1)]
    atheris.Setup(sys.argv, target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
