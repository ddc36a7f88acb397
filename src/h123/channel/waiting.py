"""Who reads from the network for a channel, when, and how the others wait.

With an event loop the socket is watched, and what comes is handed out as it comes. Without one, whoever
waits first reads for everyone: that one polls, feeds the engine and wakes the others for whom something
came, and passes the duty on when its own has arrived. Both ways lead through the same few methods of the
channel; `wait` is the only one that suspends.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..network.backend import Backend, EventLoopBackend, Poller, TimerHandle, Waiter
    from ..protocol.connection import Connection
    from .exchange import Exchange
    from .wire import Wire


class Waiting(ABC):
    """A channel's socket, the one who polls it or the loop that watches it, and all who wait."""

    def __init__(self, engine: Connection, wire: Wire, backend: Backend) -> None:
        self.engine = engine
        self.wire = wire
        self.backend = backend
        self.lock = backend.lock()
        self.is_closed = False
        self._write_failed = False
        self._blocked: dict[Exchange, None] = {}  # those who wait to send
        # Without an event loop:
        self._waiters: dict[Waiter, None] = {}  # those who wait while another one polls
        self._poller: Poller | None = None
        self._polling = False  # somebody has the duty to read
        self._in_poll = False  # ... and waits in the poll right now, for this long and for that:
        self._poll_until: float | None = None
        self._poll_write = False
        # With one:
        self._loop: EventLoopBackend | None = None
        self._watching_read = False
        self._watching_write = False
        self._timer: TimerHandle | None = None
        self._timer_due = 0.0

    def _choose_way(self) -> None:
        """Use the backend's event loop if it has one."""
        if self.backend.has_event_loop:
            self._loop = cast("EventLoopBackend", self.backend)

    # ------------------------------------------------------------- what the channel does then

    @abstractmethod
    def wants_data(self) -> bool:
        """Whether to go on reading from the wire."""

    @abstractmethod
    def flush(self) -> None:
        """Put the engine's bytes on the wire. The lock is held."""

    @abstractmethod
    def on_readable(self) -> None:
        """Read from the wire and hand out what came."""

    @abstractmethod
    def on_writable(self) -> None:
        """Send what was queued."""

    @abstractmethod
    def on_timeout(self) -> None:
        """Let the engine's time pass, if it is due."""

    @abstractmethod
    def _receive(self) -> None: ...

    @abstractmethod
    def _pass_time(self) -> None: ...

    # ----------------------------------------------------------------------------- waiting

    async def wait(
        self,
        exchange: Exchange,
        ready: Callable[[], bool],
        deadline: float | None,
        *,
        to_send: bool = False,
    ) -> bool:
        """Wait until `ready()`; return False when the deadline has passed before.

        `ready` looks at the exchange and is called under the lock. `to_send` says that it depends on what
        all exchanges share: the network's room, the connection's window. Such a wait returns True too when
        the deadline passed while the network took some of what is queued: the peer is slow, not gone.
        """
        wait = self._wait_polling if self._loop is None else self._wait_for_loop
        if not to_send:
            return await wait(exchange, ready, deadline)
        with self.lock:
            self._blocked[exchange] = None
            unsent = self.wire.unsent
        try:
            return await wait(exchange, ready, deadline) or self.wire.unsent < unsent
        finally:
            with self.lock:
                self._blocked.pop(exchange, None)

    async def _wait_for_loop(
        self, exchange: Exchange, ready: Callable[[], bool], deadline: float | None
    ) -> bool:
        backend = self.backend
        while not ready():
            left = None if deadline is None else deadline - backend.now()
            if left is not None and left <= 0:
                return False
            waiter = backend.waiter()
            exchange.waiters.append(waiter)
            try:
                await waiter.wait(left)
            finally:
                exchange.waiters.remove(waiter)
        return True

    async def _wait_polling(
        self, exchange: Exchange, ready: Callable[[], bool], deadline: float | None
    ) -> bool:
        backend = self.backend
        while True:
            waiter = None
            with self.lock:
                if ready():
                    return True
                left = None if deadline is None else deadline - backend.now()
                if left is not None and left <= 0:
                    return False
                if self._polling:
                    waiter = backend.waiter()
                    exchange.waiters.append(waiter)
                    self._waiters[waiter] = None
                else:
                    self._polling = True
            try:
                if waiter is None:
                    return await self._poll(ready, deadline)
                await waiter.wait(left)
            finally:
                with self.lock:
                    if waiter is None:
                        self._polling = False
                    else:
                        exchange.waiters.remove(waiter)
                        del self._waiters[waiter]
                    if not self._polling:
                        self._pass_duty()

    async def _poll(self, ready: Callable[[], bool], deadline: float | None) -> bool:
        """Read for everyone until `ready()` or the deadline."""
        backend = self.backend
        while True:
            with self.lock:
                if ready() or self.is_closed:
                    return True
                poller = self._get_poller()
                write = self.wire.unsent > 0 and not self._write_failed
                read = self.wants_data()
                now = backend.now()
                if deadline is not None and deadline <= now:
                    return False
                until = deadline
                due = self.wire.next_timeout()
                if due is not None and (until is None or due < until):
                    until = due
                self._poll_until = until
                self._poll_write = write
                self._in_poll = must_wait = not (read and self.wire.pending)
            if must_wait:
                try:
                    await poller.wait(read, write, None if until is None else max(until - now, 0))
                finally:
                    with self.lock:
                        self._in_poll = False
                        if self.is_closed:
                            self._release()
            with self.lock:
                if read:
                    self._receive()
                if write:
                    self.flush()
                    self._wake_blocked()
                if due is not None and due <= backend.now():
                    self._pass_time()

    def _get_poller(self) -> Poller:
        if self._poller is None:
            socket = self.wire.socket()
            assert socket is not None
            shared = self.engine.http_version != "HTTP/1.1"
            self._poller = self.backend.poller(socket, wakeable=shared)
        return self._poller

    def _pass_duty(self) -> None:
        for waiter in self._waiters:
            waiter.set()
            break

    def _wake_blocked(self) -> None:
        blocked = list(self._blocked)
        if len(blocked) > 1:
            blocked.sort(key=self._place)  # equals stay in the order in which they came to wait
        for exchange in blocked:
            exchange.wake()

    def _place(self, exchange: Exchange) -> tuple[int, bool, int]:
        """Return what decides who sends first (RFC 9218 section 10)."""
        urgency, incremental = self.engine.priority(exchange.stream_id)
        return urgency, incremental, 0 if incremental else exchange.stream_id

    # ----------------------------------------------------------------- after each change

    def _follow_up(self) -> None:
        """See that whoever waits on the network waits for what the channel needs now."""
        if self._loop is not None:
            if self.wire.unsent and not self._watching_write:
                socket = self.wire.socket()
                if socket is not None:
                    self._watching_write = True
                    self._loop.watch_writable(socket, self.on_writable)
            elif self._watching_write and not self.wire.unsent:
                self._unwatch_write()
            self._set_timer()
        elif self._in_poll and self._poller is not None and self._poll_is_short():
            self._poller.wake()

    def _poll_is_short(self) -> bool:
        """Whether the one who polls now does not wait for all that it should."""
        if self.wire.unsent and not self._poll_write:
            return True
        due = self.wire.next_timeout()
        return due is not None and (self._poll_until is None or due < self._poll_until)

    def _wake_poll(self) -> None:
        if self._in_poll and self._poller is not None:
            self._poller.wake()

    def _close_wire(self) -> None:
        """Close the transport, or let whoever polls it do so."""
        self._unwatch()
        if self._in_poll:
            # Closing the socket now could hand its number to another connection.
            self._wake_poll()
            self.wire.interrupt()
        else:
            self._release()

    def _release(self) -> None:
        if self._poller is not None:
            self._poller.close()
            self._poller = None
        self.wire.close()

    def _leave_wire(self) -> None:
        """Wait on it no more, and leave it open."""
        self._unwatch()
        if self._poller is not None:
            self._poller.close()
            self._poller = None

    # --------------------------------------------------------------------- in an event loop

    def _watch(self) -> None:
        """Read from the socket just as long as the engine wants data."""
        if self._loop is None or self.is_closed:
            return
        wanted = self.wants_data()
        if wanted is self._watching_read:
            return
        socket = self.wire.socket()
        if socket is None:
            return
        self._watching_read = wanted
        if wanted:
            self._loop.watch(socket, self.on_readable)
            if self.wire.pending:
                self._loop.call_at(self.backend.now(), self.on_readable)
        else:
            self._loop.unwatch(socket)

    def _unwatch(self) -> None:
        if self._loop is not None:
            socket = self.wire.socket()
            if socket is not None and self._watching_read:
                self._loop.unwatch(socket)
            self._watching_read = False
            self._unwatch_write()
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

    def _unwatch_write(self) -> None:
        if self._watching_write and self._loop is not None:
            self._watching_write = False
            socket = self.wire.socket()
            if socket is not None:
                self._loop.unwatch_writable(socket)

    def _set_timer(self) -> None:
        due = self.wire.next_timeout()
        if self._timer is not None:
            if due is not None and due >= self._timer_due:
                return  # it goes off early, finds nothing to do and is set again
            self._timer.cancel()
            self._timer = None
        if due is not None and self._loop is not None:
            self._timer_due = due
            self._timer = self._loop.call_at(due, self.on_timeout)
