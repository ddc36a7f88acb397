"""Errors of the network that say what happened and where.

Everything here is a plain `OSError`, `ssl.SSLError` or `TimeoutError`, of the class and with the `errno`
that the system gave; only the message is ours, and `str(error)` is the message alone.
"""

from __future__ import annotations

import errno
from typing import TypeVar

E = TypeVar("E", bound=OSError)

_REASONS = {
    errno.ECONNREFUSED: "connection refused",
    errno.ECONNRESET: "connection reset by the peer",
    errno.EPIPE: "connection closed by the peer",
    errno.ENETUNREACH: "network unreachable",
    errno.EHOSTUNREACH: "host unreachable",
    errno.ETIMEDOUT: "no answer in time",
    errno.EADDRNOTAVAIL: "address not available on this machine",
    errno.EADDRINUSE: "address already in use",
    errno.EACCES: "permission denied",
    errno.ENOENT: "no such file or folder",
    errno.EMFILE: "this process has too many open files",
}


def explained(error: E, message: str) -> E:
    """Return an error of the same class and `errno` (of TLS: `reason`) whose text is `message`."""
    if hasattr(
        error, "reason"
    ):  # ssl.SSLError, named so as not to import it, has its own idea of text
        twin = type(error)(error.errno, message)
        twin.reason = error.reason
        return twin
    twin = type(error)(message)
    twin.errno = error.errno
    return twin


def failure(number: int, message: str) -> OSError:
    """Return the subclass of `OSError` that stands for this `errno`, with `message` as its text."""
    twin = type(OSError(number, ""))(message)
    twin.errno = number
    return twin


def timed_out(message: str) -> TimeoutError:
    """Return a `TimeoutError` with this text and `ETIMEDOUT`."""
    twin = TimeoutError(message)
    twin.errno = errno.ETIMEDOUT
    return twin


def reason(error: OSError) -> str:
    """Return in a few plain words what went wrong."""
    known = _REASONS.get(error.errno) if error.errno is not None else None
    return known or error.strerror or str(error) or type(error).__name__


def seconds(amount: float) -> str:
    """Return a number of seconds as people write it: `5 s`, `0.25 s`."""
    return f"{amount:.3g} s"
