"""What servers have announced by Alt-Svc: where HTTP/3 can be had (RFC 7838, RFC 9114 section 3.1.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..message import URL
    from ..network.backend import Backend

MOST = 1000
"""Origins remembered; the oldest are forgotten."""

BROKEN_FOR = 300.0
"""Seconds during which an alternative that could not be reached is left alone."""

LONGEST = 30 * 86400.0
"""Seconds that an announcement is believed at most."""


class Alternatives:
    """Which origins can be reached over HTTP/3, at which UDP port of the same host."""

    def __init__(self, backend: Backend) -> None:
        self._now = backend.now
        self._lock = backend.lock()
        self._known: dict[tuple[str, int], tuple[int, float]] = {}
        self._broken: dict[tuple[str, int], float] = {}

    def find(self, host: str, port: int) -> int | None:
        """Return the UDP port for an origin's HTTP/3, None if there is none to try."""
        if not self._known:
            return None
        origin = (host, port)
        known = self._known.get(origin)
        if known is None:
            return None
        now = self._now()
        if known[1] < now:
            return None
        return None if self._broken.get(origin, 0.0) > now else known[0]

    def learn(self, url: URL, field: str | None) -> None:
        """Take the Alt-Svc field of a response from `url`; those of other hosts are left out."""
        if field is None:
            return
        _, host, port = url.origin
        assert port is not None
        origin = (host, port)
        if field.strip() == "clear":
            with self._lock:
                self._known.pop(origin, None)
            return
        found = parse_alt_svc(field, host)
        if found is None:
            return
        alternative, max_age = found
        with self._lock:
            self._known.pop(origin, None)
            while len(self._known) >= MOST:
                del self._known[next(iter(self._known))]
            self._known[origin] = (alternative, self._now() + min(max_age, LONGEST))

    def mark_broken(self, host: str, port: int) -> None:
        """Note that an alternative could not be reached: it is left alone for a while."""
        with self._lock:
            if len(self._broken) >= MOST:
                self._broken.clear()
            self._broken[host, port] = self._now() + BROKEN_FOR


def parse_alt_svc(field: str, host: str) -> tuple[int, float] | None:
    """Return the port and lifetime (seconds) of the first `h3` on the same host, or None.

    An announcement that is malformed is ignored, as RFC 7838 section 3 asks.
    """
    for alternative in field.split(","):
        service, *parameters = (part.strip() for part in alternative.split(";"))
        protocol, _, authority = service.partition("=")
        if protocol.strip() != "h3":
            continue
        alternative_host, _, port = authority.strip().strip('"').rpartition(":")
        if alternative_host.strip("[]") not in ("", host):
            continue
        if not (port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65536):
            continue
        max_age = 86400.0
        for parameter in parameters:
            name, _, value = parameter.partition("=")
            value = value.strip('"')
            if name.strip().lower() == "ma" and value.isascii() and value.isdigit():
                max_age = float(value[:10])
        return int(port), max_age
    return None
