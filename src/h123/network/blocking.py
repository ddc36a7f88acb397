"""The backend of threads: it waits in the calling thread, and its coroutines never suspend.

Waiting for a socket is `poll`, never a blocking `recv`: sockets are tried under a connection's lock, and the
wait goes on outside of it (one TLS object must not be used by two threads at once).
"""

from __future__ import annotations

import os
import select
import socket
import threading
import time
from typing import TYPE_CHECKING, Any, TypeVar

from .backend import Address, Backend, Poller, Waiter
from .resolving import Lookup, known_addresses, look_up, too_slow

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from contextlib import AbstractContextManager

T = TypeVar("T")

_LONGEST_POLL = 1_000_000.0
"""Seconds: `poll` counts milliseconds in a C int. Longer waits are several polls."""


class BlockingWaiter(Waiter):
    """A lock that is taken from the start: `set` releases it, `wait` takes it."""

    __slots__ = ("_is_set", "_lock")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()
        self._is_set = False

    def set(self) -> None:
        """Wake the thread that waits, or that will."""
        self._is_set = True
        try:
            self._lock.release()
        except RuntimeError:  # released already: setting twice is setting once
            pass

    async def wait(self, timeout: float | None) -> bool:
        """Wait for `set`. Signals are handled meanwhile, and the wait goes on."""
        if self._is_set:
            return True
        if timeout is None:
            return self._lock.acquire()
        return self._lock.acquire(timeout=min(max(timeout, 0.0), threading.TIMEOUT_MAX))


class BlockingPoller(Poller):
    """`poll` on one socket and, if it was asked to be wakeable, on an eventfd beside it."""

    __slots__ = ("_events", "_file_number", "_poll", "_sock", "_wake", "_woken")

    def __init__(self, sock: socket.socket, wakeable: bool) -> None:
        self._sock = sock
        self._poll = select.poll()
        self._file_number = -1  # what `_poll` watches now: -1 is nothing
        self._events = 0
        self._wake = _Wake() if wakeable else None
        self._woken = False  # where there is no `_wake`
        if self._wake is not None:
            self._poll.register(self._wake, select.POLLIN)

    async def wait(self, read: bool, write: bool, timeout: float | None) -> bool:
        """Wait in this thread. Signals are handled meanwhile, and the wait goes on."""
        events = (select.POLLIN if read else 0) | (select.POLLOUT if write else 0)
        number = self._sock.fileno()
        if number < 0 and events:
            return True
        if events != self._events or number != self._file_number:
            self._register(number, events)
        wake = self._wake
        if wake is None:
            if self._woken:
                self._woken = False
                return True
            return self._wait(timeout)
        if not wake.begin():
            return True
        try:
            return self._wait(timeout)
        finally:
            wake.end()

    def _wait(self, timeout: float | None) -> bool:
        if timeout is None:
            self._poll.poll()
            return True
        if timeout <= 0:
            return bool(self._poll.poll(0))
        deadline = time.monotonic() + timeout
        while timeout > 0:
            # Milliseconds, rounded up by `poll`: it never comes back early to poll again for the rest.
            if self._poll.poll(min(timeout, _LONGEST_POLL) * 1000):
                return True
            timeout = deadline - time.monotonic()
        return False

    def _register(self, number: int, events: int) -> None:
        """Watch for other events, or for none: a socket that hung up would be ready all the time."""
        if self._file_number >= 0 and (number != self._file_number or not events):
            self._poll.unregister(self._file_number)
            self._file_number = -1
        self._events = events
        if events:
            self._poll.register(number, events)
            self._file_number = number

    def wake(self) -> None:
        """End the wait in progress early (if made wakeable), or the next one. Any thread may call it."""
        if self._wake is None:
            self._woken = True
        else:
            self._wake.set()

    def close(self) -> None:
        """Free the eventfd; a thread that waits is woken."""
        if self._wake is not None:
            self._wake.close()


class _Wake:
    """A file that becomes readable, and that is never closed while somebody polls it.

    The lock keeps a late `set` from writing into whatever file got the same number after `close`.
    """

    __slots__ = ("_closed", "_is_set", "_lock", "_number", "_waiting")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_set = False
        self._waiting = False
        self._closed = True  # until there is a file to close
        self._number = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._closed = False

    def fileno(self) -> int:
        return self._number

    def set(self) -> None:
        with self._lock:
            if not self._is_set and not self._closed:
                self._is_set = True
                if self._waiting:
                    os.eventfd_write(self._number, 1)

    def begin(self) -> bool:
        """Say that a wait begins; False if it was woken already and is not to begin."""
        with self._lock:
            if self._is_set or self._closed:
                self._is_set = False
                return False
            self._waiting = True
            return True

    def end(self) -> None:
        with self._lock:
            self._waiting = False
            if self._is_set:
                self._is_set = False
                os.eventfd_read(self._number)
            if self._closed:
                os.close(self._number)

    def close(self) -> None:
        with self._lock:
            if self._closed:
                return
            self._closed = True
            if not self._waiting:
                os.close(self._number)
            elif not self._is_set:  # the one who waits closes it
                self._is_set = True
                os.eventfd_write(self._number, 1)

    def __del__(self) -> None:
        self.close()


class BlockingBackend(Backend):
    """Threads that wait. One may be shared by the whole process: it holds nothing."""

    name = "blocking"

    def lock(self) -> AbstractContextManager[Any]:
        """Return a `threading.Lock`."""
        return threading.Lock()

    def waiter(self) -> Waiter:
        """Return a wake-up that any thread may set."""
        return BlockingWaiter()

    def poller(self, sock: socket.socket, *, wakeable: bool = False) -> Poller:
        """Return a poller; only one that is `wakeable` costs a second file."""
        return BlockingPoller(sock, wakeable)

    async def resolve(
        self, host: str, port: int, timeout: float | None, *, kind: int = socket.SOCK_STREAM
    ) -> list[Address]:
        """Ask the resolver: in a daemon thread if there is a timeout, since it can not be interrupted."""
        known = known_addresses(host, port, kind)
        if known is not None:
            return known
        if timeout is None:
            return look_up(host, port, kind)
        waiter = BlockingWaiter()
        lookup = Lookup(host, port, kind, waiter.set)
        if not await waiter.wait(timeout):
            raise too_slow(host, timeout)
        return lookup.result()

    async def sleep(self, seconds: float) -> None:
        """Sleep in this thread."""
        time.sleep(max(seconds, 0.0))  # noqa: ASYNC251  # waiting in the thread is this backend's way


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine of the blocking backend to its end, by its only step, and return its result."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    coroutine.close()
    raise RuntimeError("a coroutine on the blocking backend was suspended")
