"""`HOST:PORT`, as it is written on a command line."""

from __future__ import annotations


def parse_bind(bind: str) -> tuple[str, int]:
    """Return host and port of `HOST:PORT`, `[IPv6]:PORT`, or `:PORT` for every address.

    Raises `ValueError` for anything else.
    """
    host, colon, port = bind.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif "/" in bind:
        raise ValueError(f"{bind!r} is not HOST:PORT, but looks like a URL or a path")
    elif ":" in host:
        raise ValueError(f"{bind!r}: write an IPv6 address in brackets, [::1]:8443")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"{bind!r} is not HOST:PORT")
    return host, int(port)
