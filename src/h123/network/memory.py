"""A world in memory, for tests: a loop and a clock that do exactly what the test says.

    backend = MemoryBackend()
    client, server = memory_pair(capacity=1000)
    server.incoming.cut(1)              # whatever comes is read a byte at a time
    backend.run(exchange(backend, client, server))

`MemoryBackend.run` steps tasks in a fixed order. Time stands still while anything can run, and then jumps to
the next timer, so a test of a minute's timeout takes no time; when nothing can ever run again it says so.
What it meets is in `memory_wire`; `poller` and `watch` take `stream.sock`.
"""

from __future__ import annotations

import heapq
from collections import deque
from itertools import count
from typing import TYPE_CHECKING, Any, TypeVar, cast

from .backend import Address, EventLoopBackend, Poller, Waiter
from .errors import explained
from .memory_wire import MemoryDatagrams as MemoryDatagrams
from .memory_wire import MemoryStream as MemoryStream
from .memory_wire import Pipe as Pipe
from .memory_wire import datagram_pair as datagram_pair
from .memory_wire import memory_pair as memory_pair
from .resolving import known_addresses, too_slow

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Coroutine, Generator
    from contextlib import AbstractContextManager

T = TypeVar("T")

_TURNS_AT_ONE_TIME = 100_000
"""Past this many turns in which no time passed, something spins."""


class Cancelled(BaseException):
    """What a cancelled task meets where it waits."""


class Deadlock(AssertionError):
    """Nothing can run, and no timer will change that."""


class _Suspension:
    """What a coroutine of this backend waits for. Awaiting it gives the result of `finish`."""

    __slots__ = ("_backend", "result", "task")

    def __init__(self, backend: MemoryBackend) -> None:
        self._backend = backend
        self.result: bool | None = None
        self.task: MemoryTask | None = None

    def finish(self, result: bool) -> None:
        if self.result is None:
            self.result = result
            if self.task is not None:
                self._backend._ready.append(self.task)

    def __await__(self) -> Generator[_Suspension, None, bool]:
        if self.result is None:
            yield self
        assert self.result is not None
        return self.result

    async def until(self, timeout: float | None) -> bool:
        """Wait for `finish`; False when time ran out."""
        if timeout is None:
            return await self
        timer = self._backend.call_at(self._backend.now() + timeout, lambda: self.finish(False))
        try:
            return await self
        finally:
            timer.cancel()


class MemoryTask:
    """A coroutine that `MemoryBackend` steps."""

    def __init__(self, backend: MemoryBackend, coroutine: Coroutine[Any, Any, Any]) -> None:
        self._backend = backend
        self.coroutine = coroutine
        self.result: Any = None
        self.error: BaseException | None = None
        self._done = False
        self._cancelled = False
        self._waits_for: _Suspension | None = None

    def done(self) -> bool:
        """Return whether it has ended."""
        return self._done

    def cancel(self) -> None:
        """Raise `Cancelled` where it waits, at its next step."""
        if not self._done and not self._cancelled:
            self._cancelled = True
            self._backend._ready.append(self)

    def step(self) -> None:
        """Run until it waits again or ends."""
        if self._done:
            return
        waits_for = self._waits_for
        if waits_for is not None:
            waits_for.task = None
        try:
            if self._cancelled:
                self._cancelled = False
                suspension = self.coroutine.throw(Cancelled())
            elif waits_for is not None and waits_for.result is None:
                waits_for.task = self  # a step meant for a wait of before
                return
            else:
                suspension = self.coroutine.send(None)
        except StopIteration as stop:
            self._done, self.result = True, stop.value
        except Cancelled:
            self._done = True
        except BaseException as error:
            self._done, self.error = True, error
        else:
            self._waits_for = suspension
            suspension.task = self


class _Timer:
    __slots__ = ("callback",)

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None


class MemoryWaiter(Waiter):
    """A wake-up for one task."""

    def __init__(self, backend: MemoryBackend) -> None:
        self._backend = backend
        self._is_set = False
        self._suspension: _Suspension | None = None

    def set(self) -> None:
        """Wake the task that waits, or that will."""
        self._is_set = True
        if self._suspension is not None:
            self._suspension.finish(True)

    async def wait(self, timeout: float | None) -> bool:
        """Wait for `set`."""
        if self._is_set or (timeout is not None and timeout <= 0):
            return self._is_set
        self._suspension = _Suspension(self._backend)
        try:
            return await self._suspension.until(timeout)
        finally:
            self._suspension = None


class MemoryPoller(Poller):
    """Waits for a memory stream or a datagram end."""

    def __init__(self, backend: MemoryBackend, sock: MemoryStream | MemoryDatagrams) -> None:
        self._backend = backend
        self._sock = sock
        self._woken = False
        self._closed = False
        self._events = (False, False)
        self._suspension: _Suspension | None = None

    @property
    def is_ready(self) -> bool:
        """Whether what the wait in progress is for has come."""
        read, write = self._events
        return (read and self._sock.is_readable) or (write and self._sock.is_writable)

    async def wait(self, read: bool, write: bool, timeout: float | None) -> bool:
        """Wait until the stream can be read or written."""
        self._events = (read, write)
        if self._woken or self._closed or self.is_ready:
            self._woken = False
            return True
        if timeout is not None and timeout <= 0:
            return False
        self._suspension = _Suspension(self._backend)
        self._backend._polled.append(self)
        try:
            return await self._suspension.until(timeout)
        finally:
            self._suspension = None
            self._backend._polled.remove(self)

    def finish(self) -> None:
        """End the wait in progress."""
        if self._suspension is not None:
            self._suspension.finish(True)

    def wake(self) -> None:
        """End the wait in progress early, or the next one."""
        if self._suspension is not None:
            self._suspension.finish(True)
        else:
            self._woken = True

    def close(self) -> None:
        """End the wait in progress."""
        self._closed = True
        self.finish()


class _NoLock:
    """A lock that notices being held over an await: another task would take it then."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held = False

    def __enter__(self) -> None:
        assert not self._held, "this lock was held over an await"
        self._held = True

    def __exit__(self, *exception: object) -> None:
        self._held = False


class MemoryBackend(EventLoopBackend):
    """A loop of its own, with a clock of its own, that meets only what is in memory.

    `names` are what `resolve` knows, a name to its literal addresses; an unknown name has none, and one
    with None never answers.
    """

    name = "memory"

    def __init__(self, *, has_event_loop: bool = True) -> None:
        """Make a world at time 0. Without `has_event_loop` it plays a backend that only has pollers."""
        self.has_event_loop = has_event_loop
        self.time = 0.0
        self.names: dict[str, list[str] | None] = {}
        self._order = count()
        self._timers: list[tuple[float, int, _Timer]] = []
        self._ready: deque[MemoryTask] = deque()
        self._polled: list[MemoryPoller] = []
        self._readers: dict[Any, Callable[[], None]] = {}
        self._writers: dict[Any, Callable[[], None]] = {}
        self._tasks: list[MemoryTask] = []

    def now(self) -> float:
        """Return this world's time."""
        return self.time

    def run(self, *coroutines: Coroutine[Any, Any, Any]) -> list[Any]:
        """Run coroutines beside one another until all have ended, and return their results.

        What they spawned goes on only meanwhile. The first error that one of these or of those raises ends
        it all, and `Deadlock` when nothing can go on.
        """
        tasks = [self._start(coroutine) for coroutine in coroutines]
        turns = 0
        try:
            while not all(task.done() for task in tasks):
                if self._turn():
                    turns += 1
                    if turns > _TURNS_AT_ONE_TIME:
                        raise Deadlock(f"at {self.time:g} s something spins: {self._waiting()}")
                elif self._advance():
                    turns = 0
                else:
                    raise Deadlock(f"at {self.time:g} s nothing can go on: {self._waiting()}")
                self._raise_errors()
        finally:
            self._end_all()
        return [task.result for task in tasks]

    def _turn(self) -> bool:
        """Step all that can run now and call what is ready; False if there was nothing."""
        for poller in list(self._polled):
            if poller.is_ready:
                poller.finish()
        steps = list(self._ready)
        self._ready.clear()
        for task in steps:
            task.step()
        called = False
        for sock, callback in [*self._readers.items()]:
            if sock.is_readable and self._readers.get(sock) is callback:
                called = True
                callback()
        for sock, callback in [*self._writers.items()]:
            if sock.is_writable and self._writers.get(sock) is callback:
                called = True
                callback()
        return bool(steps) or called or bool(self._ready) or any(p.is_ready for p in self._polled)

    def _advance(self) -> bool:
        """Let time pass until the next timer and call it; False if there is none."""
        while self._timers:
            when, _, timer = heapq.heappop(self._timers)
            if timer.callback is not None:
                self.time = max(self.time, when)
                timer.callback()
                return True
        return False

    def _start(self, coroutine: Coroutine[Any, Any, Any]) -> MemoryTask:
        task = MemoryTask(self, coroutine)
        self._tasks.append(task)
        self._ready.append(task)
        return task

    def _raise_errors(self) -> None:
        for task in self._tasks:
            if task.error is not None:
                error, task.error = task.error, None
                raise error
        self._tasks = [task for task in self._tasks if not task.done()]

    def _waiting(self) -> str:
        tasks = [task for task in self._tasks if not task.done()]
        return (
            ", ".join(getattr(task.coroutine, "__qualname__", "?") for task in tasks) or "no task"
        )

    def _end_all(self) -> None:
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.coroutine.close()
        self._ready.clear()

    def lock(self) -> AbstractContextManager[Any]:
        """Return a lock that fails if it is held over an await and wanted again."""
        return _NoLock()

    def waiter(self) -> Waiter:
        """Return a wake-up."""
        return MemoryWaiter(self)

    def poller(self, sock: socket.socket, *, wakeable: bool = False) -> Poller:
        """Return a poller for the `sock` of a memory stream or datagram end."""
        return MemoryPoller(self, cast("MemoryStream | MemoryDatagrams", sock))

    async def resolve(
        self, host: str, port: int, timeout: float | None, *, kind: int = 1
    ) -> list[Address]:
        """Look into `names`."""
        known = known_addresses(host, port, kind)
        if known is not None:
            return known
        found = self.names.get(host, [])
        if found is None:
            await _Suspension(self).until(timeout)
            assert timeout is not None
            raise too_slow(host, timeout)
        addresses = [known_addresses(literal, port, kind) or [] for literal in found]
        if not addresses:
            from socket import EAI_NONAME, gaierror

            raise explained(gaierror(EAI_NONAME, ""), f"cannot resolve {host}: no such name")
        return [address for each in addresses for address in each]

    async def sleep(self, seconds: float) -> None:
        """Let this much of this world's time pass."""
        await _Suspension(self).until(max(seconds, 0.0))

    def watch(self, sock: socket.socket, on_readable: Callable[[], None]) -> None:
        """Call `on_readable` at every turn in which there is something to read."""
        self._readers[sock] = on_readable

    def unwatch(self, sock: socket.socket) -> None:
        """Stop that."""
        self._readers.pop(sock, None)

    def watch_writable(self, sock: socket.socket, on_writable: Callable[[], None]) -> None:
        """Call `on_writable` at every turn in which there is room."""
        self._writers[sock] = on_writable

    def unwatch_writable(self, sock: socket.socket) -> None:
        """Stop that."""
        self._writers.pop(sock, None)

    def call_at(self, when: float, callback: Callable[[], None]) -> _Timer:
        """Call `callback` when this world's time has come to `when`."""
        timer = _Timer(callback)
        heapq.heappush(self._timers, (when, next(self._order), timer))
        return timer

    def spawn(self, coroutine: Coroutine[Any, Any, Any]) -> MemoryTask:
        """Run a coroutine beside the others, as long as `run` goes on."""
        return self._start(coroutine)

    async def run_blocking(self, function: Callable[..., T], *args: Any) -> T:
        """Call it at once: nothing in this world takes time."""
        return function(*args)
