"""Clients against nginx (HTTP/1.1 and 2) and caddy (HTTP/3): requests a second, MiB a second, CPU."""

from __future__ import annotations

import json
import os
import subprocess
from contextlib import ExitStack

from .contestants import CONTESTANTS
from .machine import CLIENT_CORE, caddy, nginx, program, python, site
from .table import Figures, show

VERSIONS = {"1.1": "h1", "1.1-tls": "h1 TLS", "2": "h2", "3": "h3"}
MODES = {
    "sequential": ("requests one after another", "requests/s"),
    "concurrent": ("64 requests in flight", "requests/s"),
    "download": ("downloads of 10 MiB", "MiB/s"),
}


def run(rounds: int, seconds: float, only: set[str] | None) -> None:
    """Measure every contestant in every mode over every version that both sides speak."""
    with ExitStack() as stack:
        where = stack.enter_context(site())
        bases: dict[str, str] = {}
        if program("nginx"):
            plain, tls = stack.enter_context(nginx(where))
            bases.update({"1.1": plain, "1.1-tls": tls, "2": tls})
        else:
            print("nginx is not installed: no figures for HTTP/1.1 and 2")
        if program("caddy"):
            bases["3"] = stack.enter_context(caddy(where))
        else:
            print("caddy is not installed: no figures for HTTP/3")
        for mode, (title, unit) in MODES.items():
            speed: Figures = {}
            cost: Figures = {}
            for _ in range(rounds):
                for name, modes in CONTESTANTS.items():
                    if only is None or name.split()[0] in only:
                        for version in modes.get(mode, ()):
                            if version in bases:
                                _measure(
                                    name, mode, version, bases[version], str(where.ca), seconds,
                                    speed, cost,
                                )  # fmt: skip
            columns = [VERSIONS[version] for version in VERSIONS if version in bases]
            if speed:
                show(f"Clients: {title}", speed, columns, unit)
                each = "MiB" if mode == "download" else "request"
                show(f"Clients: {title}, CPU of the client", cost, columns, f"µs a {each}")


def _measure(
    name: str,
    mode: str,
    version: str,
    base: str,
    ca: str,
    seconds: float,
    speed: Figures,
    cost: Figures,
) -> None:
    result = subprocess.run(
        python("bench.contestants", name, mode, version, base, ca, str(seconds)),
        capture_output=True,
        timeout=120 + seconds * 10,
        preexec_fn=lambda: os.sched_setaffinity(0, {CLIENT_CORE}),
        check=False,
    )
    if result.returncode:
        reason = result.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        print(f"{name}, {mode}, {VERSIONS[version]}: {reason}")
        return
    figures = json.loads(result.stdout)
    column = VERSIONS[version]
    speed.setdefault(name, {}).setdefault(column, []).append(figures["per_second"])
    cost.setdefault(name, {}).setdefault(column, []).append(figures["cpu"])
