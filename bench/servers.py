"""Servers under h2load (HTTP/1.1 and 2) and under h123's own client (HTTP/3): requests a second."""

from __future__ import annotations

import os
import re
import subprocess

from .machine import CLIENT_CORE, Site, free_port, program, python, running, site
from .table import Figures, show

LOADS = {
    "h1, 64 connections": ("http", ["--h1", "-c64", "-m1"]),
    "h1 TLS, 64 conn.": ("https", ["--npn-list=http/1.1", "-c64", "-m1"]),
    "h2, 4 x 16 streams": ("https", ["-c4", "-m16"]),
    "h3, 64 streams": ("h3", []),
}


def contestants(where: Site, plain: int, tls: int) -> dict[str, dict[str, list[str]]]:
    """Return, for each server, the command for each scheme that it speaks."""
    cert, key = str(where.cert), str(where.key)
    app = "bench.app:app"
    uvicorn = python("uvicorn", app, "--log-level=critical", "--no-access-log", "--host=127.0.0.1")
    granian = python(
        "granian", "--interface=asgi", "--no-log", "--host=127.0.0.1", "--workers=1", app
    )
    settings = where.folder / "hypercorn.toml"
    settings.write_text("keep_alive_max_requests = 1000000000\n")  # by default it is 1000
    hypercorn = python("hypercorn", app, "--log-level=CRITICAL", f"--config={settings}")
    tls_files = ["--certfile", cert, "--keyfile", key]
    h123 = python("bench.app", str(plain), str(tls), cert, key)
    quic = f"--quic-bind=127.0.0.1:{tls}"
    return {
        "h123": {"http": h123, "https": h123, "h3": h123},
        "uvicorn": {
            "http": [*uvicorn, f"--port={plain}"],
            "https": [*uvicorn, f"--port={tls}", "--ssl-certfile", cert, "--ssl-keyfile", key],
        },
        "granian": {
            "http": [*granian, f"--port={plain}"],
            "https": [*granian, f"--port={tls}", "--ssl-certificate", cert, "--ssl-keyfile", key],
        },
        "hypercorn": {
            "http": [*hypercorn, f"--bind=127.0.0.1:{plain}"],
            "https": [*hypercorn, f"--bind=127.0.0.1:{tls}", *tls_files],
            "h3": [*hypercorn, f"--bind=127.0.0.1:{tls}", quic, *tls_files],
        },
    }


def run(rounds: int, seconds: float, only: set[str] | None) -> None:
    """Measure every server under every load that it takes."""
    h2load = program("h2load")
    if h2load is None:
        print("h2load (nghttp2-client) is not installed: HTTP/3 alone is measured")
    figures: Figures = {}
    with site() as where:
        for _ in range(rounds):
            plain, tls = free_port(), free_port()
            for name, commands in contestants(where, plain, tls).items():
                if only is not None and name not in only:
                    continue
                for load, (scheme, options) in LOADS.items():
                    command = commands.get(scheme)
                    if command is None or (h2load is None and scheme != "h3"):
                        continue
                    if name == "uvicorn" and "h2," in load:
                        continue
                    port = plain if scheme == "http" else tls
                    try:
                        with running(command, port):
                            rate = _load(scheme, port, options, h2load, str(where.ca), seconds)
                    except (RuntimeError, subprocess.SubprocessError) as error:
                        print(f"{name}, {load}: {error}")
                        continue
                    figures.setdefault(name, {}).setdefault(load, []).append(rate)
    if figures:
        show("Servers: one worker, a small answer", figures, list(LOADS), "requests/s")


def _load(
    scheme: str, port: int, options: list[str], h2load: str | None, ca: str, seconds: float
) -> float:
    if scheme == "h3":
        arguments = ("h123 async", "concurrent", "3", f"https://localhost:{port}", ca, str(seconds))
        command = python("bench.contestants", *arguments)
    else:
        url = f"{scheme}://127.0.0.1:{port}/small"
        duration = f"--duration={max(int(seconds), 1)}"
        command = [str(h2load), *options, duration, "--warm-up-time=1", url]
    result = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=120 + seconds * 10,
        preexec_fn=lambda: os.sched_setaffinity(0, {CLIENT_CORE}),
        check=False,
    )
    if scheme == "h3":
        found = re.search(r'"per_second": ([\d.]+)', result.stdout)
        failed = "0"
    else:
        found = re.search(r"finished in [\d.]+s, ([\d.]+) req/s", result.stdout)
        # h2load counts an answer without a reason phrase (hypercorn's) as failed: what went wrong is here.
        wrong = re.search(
            r"(\d+) errored, (\d+) timeout.*?(\d+) 4xx, (\d+) 5xx", result.stdout, re.DOTALL
        )
        failed = str(sum(map(int, wrong.groups()))) if wrong else "?"
    if found is None or failed != "0":
        raise RuntimeError(
            f"{failed} requests failed: {(result.stderr or result.stdout).strip()[-200:]}"
        )
    return float(found[1])
