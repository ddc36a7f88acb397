"""The backend of asyncio's event loops, uvloop's too. Nothing else in h123 imports asyncio.

Everything happens in the loop's thread, so locks are empty. What a wait registers with the loop, it takes
back however it ends, cancellation included.
"""

from __future__ import annotations

import asyncio
import socket
import time
from typing import TYPE_CHECKING, Any, TypeVar

from .backend import Address, EventLoopBackend, Poller, TaskHandle, TimerHandle, Waiter
from .resolving import Lookup, known_addresses, too_slow

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from contextlib import AbstractContextManager

T = TypeVar("T")


class _NoLock:
    """A lock where there is one thread only."""

    __slots__ = ()

    def __enter__(self) -> None:
        return None

    def __exit__(self, *exception: object) -> None:
        return None


_NO_LOCK = _NoLock()


class _Wait:
    """A future that time may end: a result of False."""

    __slots__ = ("future", "timer")

    def __init__(self, loop: asyncio.AbstractEventLoop, timeout: float | None) -> None:
        self.future: asyncio.Future[bool] = loop.create_future()
        self.timer = None if timeout is None else loop.call_later(timeout, self.finish, False)

    def finish(self, result: bool) -> None:
        if not self.future.done():
            self.future.set_result(result)

    async def result(self) -> bool:
        try:
            return await self.future
        finally:
            if self.timer is not None:
                self.timer.cancel()


class AsyncioWaiter(Waiter):
    """A wake-up for one task."""

    __slots__ = ("_backend", "_is_set", "_wait")

    def __init__(self, backend: AsyncioBackend) -> None:
        self._backend = backend
        self._is_set = False
        self._wait: _Wait | None = None

    def set(self) -> None:
        """Wake the task that waits, or that will."""
        self._is_set = True
        if self._wait is not None:
            self._wait.finish(True)

    async def wait(self, timeout: float | None) -> bool:
        """Wait for `set`."""
        if self._is_set or (timeout is not None and timeout <= 0):
            return self._is_set
        self._wait = _Wait(self._backend.loop, timeout)
        try:
            return await self._wait.result()
        finally:
            self._wait = None


class AsyncioPoller(Poller):
    """Registers a socket with the loop for as long as a wait lasts."""

    __slots__ = ("_closed", "_loop", "_sock", "_wait", "_woken")

    def __init__(self, loop: asyncio.AbstractEventLoop, sock: socket.socket) -> None:
        self._loop = loop
        self._sock = sock
        self._wait: _Wait | None = None
        self._woken = False
        self._closed = False

    async def wait(self, read: bool, write: bool, timeout: float | None) -> bool:
        """Wait in this task. One that is cancelled leaves nothing registered."""
        number = self._sock.fileno()
        if self._woken or self._closed or (number < 0 and (read or write)):
            self._woken = False
            return True
        wait = self._wait = _Wait(self._loop, None if timeout is None else max(timeout, 0.0))
        # A number, not the socket: it may be closed (and have none) before this ends.
        try:
            if read:
                self._loop.add_reader(number, wait.finish, True)
            if write:
                self._loop.add_writer(number, wait.finish, True)
            return await wait.result()
        finally:
            self._wait = None
            if read:
                self._loop.remove_reader(number)
            if write:
                self._loop.remove_writer(number)

    def wake(self) -> None:
        """End the wait in progress early, or the next one. Any thread may call it."""
        self._woken = True
        try:
            self._loop.call_soon_threadsafe(self._wake)
        except RuntimeError:  # the loop is closed, and whatever waited in it is gone
            pass

    def _wake(self) -> None:
        if self._woken and self._wait is not None:
            self._woken = False
            self._wait.finish(True)

    def close(self) -> None:
        """End the wait in progress."""
        self._closed = True
        if self._wait is not None:
            self._wait.finish(True)


class AsyncioBackend(EventLoopBackend):
    """One event loop. It is the one that runs when the backend is first used."""

    name = "asyncio"

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop; a new one once that of before is closed. Raises `RuntimeError` if none runs."""
        loop = self._loop
        if loop is None or loop.is_closed():
            loop = self._loop = asyncio.get_running_loop()
        return loop

    def lock(self) -> AbstractContextManager[Any]:
        """Return a lock that is always free."""
        return _NO_LOCK

    def waiter(self) -> Waiter:
        """Return a wake-up, to be set in the loop's thread."""
        return AsyncioWaiter(self)

    def poller(self, sock: socket.socket, *, wakeable: bool = False) -> Poller:
        """Return a poller. It can always be woken."""
        return AsyncioPoller(self.loop, sock)

    async def resolve(
        self, host: str, port: int, timeout: float | None, *, kind: int = socket.SOCK_STREAM
    ) -> list[Address]:
        """Ask the resolver in a daemon thread: the loop's own few threads would all hang with it."""
        known = known_addresses(host, port, kind)
        if known is not None:
            return known
        loop = self.loop
        waiter = AsyncioWaiter(self)

        def answered() -> None:
            try:
                loop.call_soon_threadsafe(waiter.set)
            except RuntimeError:  # the loop was closed meanwhile
                pass

        lookup = Lookup(host, port, kind, answered)
        if not await waiter.wait(timeout):
            assert timeout is not None
            raise too_slow(host, timeout)
        return lookup.result()

    async def sleep(self, seconds: float) -> None:
        """Suspend this task."""
        await asyncio.sleep(seconds)

    def watch(self, sock: socket.socket, on_readable: Callable[[], None]) -> None:
        """Call `on_readable` whenever the socket can be read."""
        self.loop.add_reader(sock.fileno(), on_readable)

    def unwatch(self, sock: socket.socket) -> None:
        """Stop that."""
        if self._can_unwatch(sock):
            self.loop.remove_reader(sock.fileno())

    def watch_writable(self, sock: socket.socket, on_writable: Callable[[], None]) -> None:
        """Call `on_writable` whenever the socket takes more."""
        self.loop.add_writer(sock.fileno(), on_writable)

    def unwatch_writable(self, sock: socket.socket) -> None:
        """Stop that."""
        if self._can_unwatch(sock):
            self.loop.remove_writer(sock.fileno())

    def _can_unwatch(self, sock: socket.socket) -> bool:
        return self._loop is not None and not self._loop.is_closed() and sock.fileno() >= 0

    def call_at(self, when: float, callback: Callable[[], None]) -> TimerHandle:
        """Call `callback` at `when`: by a delay, since a loop's own clock may be another."""
        return self.loop.call_later(max(when - time.monotonic(), 0.0), callback)

    def spawn(self, coroutine: Coroutine[Any, Any, Any]) -> TaskHandle:
        """Run a coroutine as a task that is held until it ends."""
        task = self.loop.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def run_blocking(self, function: Callable[..., T], *args: Any) -> T:
        """Call `function(*args)` in one of the loop's worker threads."""
        return await self.loop.run_in_executor(None, function, *args)
