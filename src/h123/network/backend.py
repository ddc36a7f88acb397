"""The interface through which everything above meets sockets, time, threads and locks.

All code above is written once, as `async def`, against a `Backend`:

- `blocking.BlockingBackend` waits in the calling thread. Its coroutines never suspend, so a sync face runs
  the very same coroutine by stepping it once with `coro.send(None)`. Many threads may share its objects.
- `asyncio.AsyncioBackend` suspends as usual, in one event loop.
- `memory.MemoryBackend` has a clock of its own and no sockets, for tests.

A backend for trio fits the same interface. `Waiter` is a `trio.Event` under `trio.move_on_after`; `Poller`
is `trio.lowlevel.wait_readable` and `wait_writable` in a nursery that the first to finish (or `wake`)
cancels; `resolve` is `trio.socket.getaddrinfo`, `sleep` is `trio.sleep`. It keeps `has_event_loop` False: trio
has no callbacks, so whoever waits first reads for everyone, as with threads, and `lock` gives a lock that
nobody ever waits for, since it is never held over an await. `now` stays `time.monotonic`: deadlines are
turned into seconds from now before they reach trio.

Cancellation may come at any `await`. Every wait here gives back what it took (no reader stays registered),
and nothing needs to be awaited to clean up.
"""

from __future__ import annotations

import socket
import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from contextlib import AbstractContextManager

T = TypeVar("T")


class Address(NamedTuple):
    """Where a socket can connect to or be bound: its family and the address in that family's form."""

    family: int
    """`socket.AF_INET` or `socket.AF_INET6`."""
    sockaddr: tuple[Any, ...]
    """`(host, port)`, or `(host, port, flow, scope)` for IPv6."""

    def __str__(self) -> str:
        return format_address(self.sockaddr)


def format_address(sockaddr: object) -> str:
    """Return a socket's address as people write it: `127.0.0.1:80`, `[::1]:80`, `/run/a.sock`."""
    if isinstance(sockaddr, tuple):
        host, port = sockaddr[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    if isinstance(sockaddr, bytes):  # Linux's abstract names begin with a zero byte
        return sockaddr.decode("utf-8", "backslashreplace").replace("\0", "@", 1)
    return str(sockaddr) or "an unnamed socket"


class Waiter(ABC):
    """A one-shot wake-up for one waiting thread or task."""

    __slots__ = ()

    @abstractmethod
    def set(self) -> None:
        """Wake the one who waits, or who will. More calls change nothing.

        On the blocking backend any thread may call it; on an event loop, its own.
        """

    @abstractmethod
    async def wait(self, timeout: float | None) -> bool:
        """Wait for `set`, at most `timeout` seconds. Return False when time ran out first."""


class Poller(ABC):
    """Waits for one socket, for one thread or task at a time."""

    __slots__ = ()

    @abstractmethod
    async def wait(self, read: bool, write: bool, timeout: float | None) -> bool:
        """Wait until the socket can be read or written (an error or its end count as both), or `wake`.

        With neither `read` nor `write` only `wake` and the time end it. Return False when `timeout`
        seconds ran out. A socket that was closed counts as ready: the next read or write says so.
        """

    @abstractmethod
    def wake(self) -> None:
        """End the wait in progress early, or the next one if there is none. Any thread may call it."""

    @abstractmethod
    def close(self) -> None:
        """Free what it holds and end the wait in progress. The socket stays open. Idempotent."""


class Backend(ABC):
    """Sockets, time, threads and locks, in one way of waiting."""

    name: str
    has_event_loop: bool = False
    """Whether it is an `EventLoopBackend`, where sockets can be watched and timers set."""

    def now(self) -> float:
        """Return the time in seconds of a clock that only goes forward."""
        return time.monotonic()

    @abstractmethod
    def lock(self) -> AbstractContextManager[Any]:
        """Return a lock for state that threads share; where there is one thread only, one that costs nothing.

        Never to be held over an `await`.
        """

    @abstractmethod
    def waiter(self) -> Waiter:
        """Return a new wake-up."""

    @abstractmethod
    def poller(self, sock: socket.socket, *, wakeable: bool = False) -> Poller:
        """Return a poller for this non-blocking socket.

        Only with `wakeable` does `wake` end a wait in progress, and else just the next one: with threads it
        costs a second file.
        """

    @abstractmethod
    async def resolve(
        self,
        host: str,
        port: int,
        timeout: float | None,
        *,
        kind: int = socket.SOCK_STREAM,
    ) -> list[Address]:
        """Return the addresses of a host, best first, within `timeout` seconds.

        Addresses in literal form and `localhost` (RFC 6761 section 6.3) never go to a resolver. Raises
        `socket.gaierror` for a name that has no address and `TimeoutError` when time ran out.
        """

    @abstractmethod
    async def sleep(self, seconds: float) -> None:
        """Wait for this many seconds."""


class TimerHandle(Protocol):
    """A callback that is due."""

    def cancel(self) -> None:
        """Do not call it any more."""
        ...


class TaskHandle(Protocol):
    """A coroutine that runs beside the others."""

    def cancel(self) -> object:
        """Ask it to end: `CancelledError` is raised where it waits."""
        ...

    def done(self) -> bool:
        """Return whether it has ended."""
        ...


class EventLoopBackend(Backend):
    """A backend that calls back. To be used in its loop's own thread, but for `Poller.wake`."""

    has_event_loop = True

    @abstractmethod
    def watch(self, sock: socket.socket, on_readable: Callable[[], None]) -> None:
        """Call `on_readable` whenever the socket can be read, until `unwatch`; it replaces one before."""

    @abstractmethod
    def unwatch(self, sock: socket.socket) -> None:
        """Stop that. To be called before the socket is closed; without effect if it is not watched."""

    @abstractmethod
    def watch_writable(self, sock: socket.socket, on_writable: Callable[[], None]) -> None:
        """Call `on_writable` whenever the socket takes more, until `unwatch_writable`."""

    @abstractmethod
    def unwatch_writable(self, sock: socket.socket) -> None:
        """Stop that. To be called before the socket is closed; without effect if it is not watched."""

    @abstractmethod
    def call_at(self, when: float, callback: Callable[[], None]) -> TimerHandle:
        """Call `callback` once, at `when` in the time of `now` (a loop may be a millisecond early)."""

    @abstractmethod
    def spawn(self, coroutine: Coroutine[Any, Any, Any]) -> TaskHandle:
        """Run a coroutine beside the others, and keep it alive until it ends."""

    @abstractmethod
    async def run_blocking(self, function: Callable[..., T], *args: Any) -> T:
        """Call `function(*args)` in a worker thread and return what it returns.

        A cancelled wait leaves the thread to finish alone.
        """
