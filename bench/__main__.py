"""`python -m bench`: clients against one server, servers under one load, and the tables of both.

Each measurement is a process of its own, pinned to one core, with the other side on another; contestants take
turns, and the medians of their rounds are compared. What is not installed is left out and named.
"""

from __future__ import annotations

import argparse
import sys

from . import clients, servers


def main() -> int:
    """Run what was asked for and print the tables."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("what", nargs="*", choices=["clients", "servers", []], default=[])
    parser.add_argument("--rounds", type=int, default=3, help="turns of each contestant (3)")
    parser.add_argument("--seconds", type=float, default=1.0, help="length of a measurement (1)")
    parser.add_argument("--only", help="contestants, separated by commas")
    arguments = parser.parse_args()
    only = set(arguments.only.split(",")) if arguments.only else None
    if not arguments.what or "clients" in arguments.what:
        clients.run(arguments.rounds, arguments.seconds, only)
    if not arguments.what or "servers" in arguments.what:
        servers.run(arguments.rounds, arguments.seconds, only)
    return 0


if __name__ == "__main__":
    sys.exit(main())
