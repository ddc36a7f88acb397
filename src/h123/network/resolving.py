"""Names into addresses: literals and `localhost` at once, everything else by the system's resolver.

RFC 6761 section 6.3 (`localhost`), RFC 6874 (zones in literals, `fe80::1%eth0`). The resolver blocks and can
not be interrupted, so backends call it in a thread of its own that nobody waits for at exit.
"""

from __future__ import annotations

import errno
import socket
import threading
from typing import TYPE_CHECKING

from .backend import Address
from .errors import explained, reason, seconds, timed_out

if TYPE_CHECKING:
    from collections.abc import Callable


def known_addresses(host: str, port: int, kind: int) -> list[Address] | None:
    """Return the addresses of a literal or of `localhost`, or None if a resolver must be asked.

    Raises `ValueError` for a port outside of 0 to 65535 and `socket.gaierror` for what no resolver takes.
    """
    if not 0 <= port <= 65535:
        raise ValueError(f"port {port} is not between 0 and 65535")
    name = host.lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return [
            Address(socket.AF_INET6, ("::1", port, 0, 0)),
            Address(socket.AF_INET, ("127.0.0.1", port)),
        ]
    if not name or not host.isascii() or "\0" in host:
        raise socket.gaierror(socket.EAI_NONAME, f"{host!r} is not a host name")
    if ":" in host or host[-1].isdigit():
        try:
            return _ask(host, port, kind, socket.AI_NUMERICHOST)
        except socket.gaierror:
            if ":" in host:
                raise
    return None


def look_up(host: str, port: int, kind: int) -> list[Address]:
    """Ask the system's resolver, for as long as it takes. Raises `socket.gaierror`."""
    return _ask(host, port, kind, 0)


def _ask(host: str, port: int, kind: int, flags: int) -> list[Address]:
    try:
        # Bytes: `str` would load Python's old IDNA codec, which knows less than our callers do.
        found = socket.getaddrinfo(host.encode("ascii"), port, type=kind, flags=flags)
    except socket.gaierror as error:
        raise explained(error, f"cannot resolve {host}: {reason(error)}") from None
    return list(dict.fromkeys(Address(family, address) for family, _, _, _, address in found))


def too_slow(host: str, timeout: float) -> TimeoutError:
    """Return the error for a resolver that did not answer in time."""
    return timed_out(f"resolving {host} took longer than {seconds(timeout)}")


class Lookup:
    """One question to the resolver, asked in a daemon thread.

    A daemon, since the resolver may hang for half a minute and the program's end must not wait for it.
    """

    __slots__ = ("_arguments", "_on_done", "_result")

    def __init__(self, host: str, port: int, kind: int, on_done: Callable[[], None]) -> None:
        """Ask at once; `on_done` is called in the thread when `result` is ready."""
        self._arguments = (host, port, kind)
        self._on_done = on_done
        self._result: list[Address] | BaseException = OSError(errno.EAGAIN, "no answer yet")
        threading.Thread(target=self._run, name=f"h123 resolving {host}", daemon=True).start()

    def _run(self) -> None:
        try:
            self._result = look_up(*self._arguments)
        except BaseException as error:
            self._result = error
        self._on_done()

    def result(self) -> list[Address]:
        """Return the addresses, or raise what the resolver raised."""
        if isinstance(self._result, BaseException):
            raise self._result
        return self._result
