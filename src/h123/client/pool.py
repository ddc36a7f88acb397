"""The pool: which connection takes a request.

A lane holds all connections of one route. A connection that multiplexes serves everyone; while the first
one to a place is being made, requests that may share it wait for what comes of it, so that a burst opens
one connection. Finding a connection takes the same time whatever the pool holds.

Lock order: a channel's hooks run under the channel's lock and take the pool's; nothing that holds the
pool's lock takes a channel's.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from ..message.exceptions import HTTPError, PoolTimeout

if TYPE_CHECKING:
    from ..channel.exchange import Exchange
    from ..network.backend import Backend, Waiter
    from .clock import Clock
    from .connect import ClientChannel, Connector, Route
    from .settings import Limits


class RequestHead:
    """What a channel needs to start a request."""

    __slots__ = ("method", "target", "headers", "scheme", "authority", "end_stream")

    def __init__(
        self,
        method: bytes,
        target: bytes,
        headers: list[tuple[bytes, bytes]],
        scheme: bytes,
        authority: bytes,
        end_stream: bool,
    ) -> None:
        self.method = method
        self.target = target
        self.headers = headers
        self.scheme = scheme
        self.authority = authority
        self.end_stream = end_stream

    def open_on(self, channel: ClientChannel) -> Exchange | None:
        """Start the request on this channel, or return None if it takes none now."""
        return channel.open_exchange(
            self.method,
            self.target,
            self.headers,
            scheme=self.scheme,
            authority=self.authority,
            end_stream=self.end_stream,
        )


class Ticket:
    """One request that waits for a connection."""

    __slots__ = ("waiter", "for_attempt", "woken", "error")

    def __init__(self, waiter: Waiter, for_attempt: bool) -> None:
        self.waiter = waiter
        self.for_attempt = for_attempt  # it waits for what comes of a connection being made
        self.woken = False
        self.error: HTTPError | None = None

    def wake(self) -> None:
        """Let it try again."""
        self.woken = True
        self.waiter.set()


class Lane:
    """The connections of one route, and the requests that wait for one of them."""

    __slots__ = ("route", "shared", "idle", "connecting", "waiting", "only_http1")

    def __init__(self, route: Route) -> None:
        self.route = route
        self.shared: list[ClientChannel] = []
        self.idle: deque[ClientChannel] = deque()
        self.connecting = 0
        self.waiting: dict[Ticket, None] = {}
        self.only_http1 = not route.may_multiplex

    @property
    def is_unused(self) -> bool:
        """Whether it can be forgotten."""
        return not (self.shared or self.idle or self.connecting or self.waiting)


class Pool:
    """All connections of a client."""

    def __init__(self, backend: Backend, connector: Connector, limits: Limits) -> None:
        self.backend = backend
        self.connector = connector
        self.max_connections = limits.max_connections
        self.max_idle = limits.max_keepalive_connections
        self.expiry = limits.keepalive_expiry
        self.lock = backend.lock()
        self.lanes: dict[Route, Lane] = {}
        self.channels: dict[ClientChannel, None] = {}
        self.count = 0  # open or being made
        self.idle_count = 0
        self.starved: dict[Ticket, None] = {}  # those who wait for a place in the pool, of any lane
        self.is_closed = False

    # ----------------------------------------------------------------------------- opening

    async def open(self, route: Route, head: RequestHead, clock: Clock) -> Exchange:
        """Start a request on a connection of this route, old or new.

        Raises `PoolTimeout` when none became free in time, and what `Connector.connect` raises.
        """
        deadline = clock.deadline(clock.timeout.pool)
        ticket: Ticket | None = None
        while True:
            victim = None
            with self.lock:
                if self.is_closed:
                    raise RuntimeError("the client has been closed")
                lane = self.lanes.get(route)
                if lane is None:
                    lane = self.lanes[route] = Lane(route)
                channel = self._pick(lane)
                if channel is None:
                    if self._must_wait(lane):
                        ticket = self._queue(lane, for_attempt=lane.connecting > 0)
                    elif self._has_place():
                        lane.connecting += 1
                        self.count += 1
                        ticket = None
                    elif (victim := self._oldest_idle()) is None:
                        ticket = self._queue(lane, for_attempt=False)
                        self.starved[ticket] = None
            if victim is not None:
                victim.close_if_idle()
            elif channel is not None:
                exchange = await self._try(channel, head)
                if exchange is not None:
                    return exchange
            elif ticket is None:
                return await self._connect(lane, head, clock)
            else:
                await self._wait(lane, ticket, deadline)

    def _pick(self, lane: Lane) -> ClientChannel | None:
        """Return a connection that seems free, taking it out if it serves one request at a time."""
        for channel in lane.shared:
            if channel.engine.available_streams > 0:
                return channel
        if lane.idle:
            self.idle_count -= 1
            return lane.idle.pop()
        return None

    def _must_wait(self, lane: Lane) -> bool:
        if lane.only_http1:
            return False
        return lane.connecting > 0 or any(not channel.engine.is_draining for channel in lane.shared)

    def _has_place(self) -> bool:
        return self.max_connections is None or self.count < self.max_connections

    def _oldest_idle(self) -> ClientChannel | None:
        """Take out an idle connection of another lane, to make place."""
        if self.idle_count:
            for lane in self.lanes.values():
                if lane.idle:
                    self.idle_count -= 1
                    return lane.idle.popleft()
        for channel in self.channels:
            if channel.is_shared and not channel.exchanges:
                return channel
        return None

    async def _try(self, channel: ClientChannel, head: RequestHead) -> Exchange | None:
        if not channel.is_shared and not await self._is_alive(channel):
            channel.close()
            return None
        exchange = head.open_on(channel)
        if exchange is None:
            with self.lock:
                if not channel.engine.available_streams:
                    pass  # others were faster
                elif channel.is_shared:
                    lane = self.lanes.get(channel.route)
                    if lane is not None and channel in lane.shared:
                        lane.shared.remove(channel)  # it can not send any more
            if not channel.is_shared:
                channel.close()
        else:
            channel.uses += 1
        return exchange

    async def _is_alive(self, channel: ClientChannel) -> bool:
        """Whether an idle connection can be used again: not too old, and not closed by the server."""
        now = self.backend.now()
        if self.expiry is not None and now - channel.idle_since > self.expiry:
            return False
        return await channel.is_alive()

    async def _connect(self, lane: Lane, head: RequestHead, clock: Clock) -> Exchange:
        channel: ClientChannel | None = None
        error: HTTPError | None = None
        try:
            channel = await self.connector.connect(lane.route, clock)
        except HTTPError as failure:
            error = failure
            raise
        finally:
            # Whatever happened, cancellation included, those who wait for this attempt learn of it.
            if channel is None:
                with self.lock:
                    lane.connecting -= 1
                    self.count -= 1
                    self._attempt_failed(lane, error)
        exchange = head.open_on(channel)
        with self.lock:
            lane.connecting -= 1
            channel.pool = self
            channel.uses += 1
            if self.is_closed or channel.is_closed:
                self.count -= 1
                self._attempt_failed(lane, None)
            else:
                self.channels[channel] = None
                if channel.is_shared:
                    lane.shared.append(channel)
                    self._wake(lane, channel.engine.available_streams)
                else:
                    lane.only_http1 = True
                    self._wake(lane, len(lane.waiting))
        if exchange is None:  # the peer hung up at once
            channel.close()
            raise channel.error or RuntimeError("the client has been closed")
        return exchange

    # ----------------------------------------------------------------------------- waiting

    def _queue(self, lane: Lane, *, for_attempt: bool) -> Ticket:
        ticket = Ticket(self.backend.waiter(), for_attempt)
        lane.waiting[ticket] = None
        return ticket

    async def _wait(self, lane: Lane, ticket: Ticket, deadline: float | None) -> None:
        satisfied = False
        try:
            left = None if deadline is None else max(deadline - self.backend.now(), 0.0)
            if not await ticket.waiter.wait(left):
                raise PoolTimeout(f"no connection to {lane.route} became free in time")
            if ticket.error is not None:
                fresh = type(ticket.error)(str(ticket.error))
                raise fresh from ticket.error.__cause__
            satisfied = True
        finally:
            with self.lock:
                lane.waiting.pop(ticket, None)
                self.starved.pop(ticket, None)
                if ticket.woken and not satisfied:
                    self._wake(lane, 1)  # what this one does not use is the next one's
                    self._wake_starved()

    def _wake(self, lane: Lane, number: int) -> None:
        """Let the first so many of the lane try again; each leaves the queue by that."""
        while number > 0 and lane.waiting:
            ticket = next(iter(lane.waiting))
            del lane.waiting[ticket]
            self.starved.pop(ticket, None)
            ticket.wake()
            number -= 1

    def _wake_starved(self) -> None:
        if self.starved:
            ticket = next(iter(self.starved))
            del self.starved[ticket]
            ticket.wake()

    def _attempt_failed(self, lane: Lane, error: HTTPError | None) -> None:
        """Share a failure with those who waited for this attempt; without one, let them try."""
        for ticket in [ticket for ticket in lane.waiting if ticket.for_attempt]:
            del lane.waiting[ticket]
            ticket.error = error
            ticket.wake()
        self._wake(lane, 1)
        self._wake_starved()
        self._forget(lane)

    def _forget(self, lane: Lane) -> None:
        if lane.is_unused:
            self.lanes.pop(lane.route, None)

    # ------------------------------------------------- what channels tell, under their lock

    def exchange_over(self, channel: ClientChannel) -> None:
        """Use the free place: a stream's, or the whole connection's."""
        with self.lock:
            if channel not in self.channels or channel.is_closed:
                return
            lane = self.lanes.get(channel.route)
            if lane is None:
                return
            if channel.is_shared:
                self._wake(lane, 1)
            elif channel.engine.available_streams > 0:
                channel.idle_since = self.backend.now()
                lane.idle.append(channel)
                self.idle_count += 1
                if lane.waiting:
                    self._wake(lane, 1)
                else:
                    self._wake_starved()

    def capacity_changed(self, channel: ClientChannel) -> None:
        """Let as many go on as the connection takes now."""
        with self.lock:
            lane = self.lanes.get(channel.route)
            if lane is not None and lane.waiting:
                if channel.engine.is_draining and channel in lane.shared:
                    lane.shared.remove(channel)  # it finishes what it has; others open a new one
                    self._wake(lane, len(lane.waiting))
                else:
                    self._wake(lane, channel.engine.available_streams)

    def channel_closed(self, channel: ClientChannel) -> None:
        """Forget a connection and let somebody else have its place."""
        with self.lock:
            if channel not in self.channels:
                return
            del self.channels[channel]
            self.count -= 1
            lane = self.lanes.get(channel.route)
            if lane is not None:
                if channel in lane.shared:
                    lane.shared.remove(channel)
                elif channel in lane.idle:
                    lane.idle.remove(channel)
                    self.idle_count -= 1
                self._wake(lane, 1)
                self._forget(lane)
            self._wake_starved()

    # ----------------------------------------------------------------------------- closing

    def close(self) -> None:
        """Close every connection now; what is under way fails."""
        with self.lock:
            self.is_closed = True
            channels = list(self.channels)
            for lane in self.lanes.values():
                self._wake(lane, len(lane.waiting))
        for channel in channels:
            channel.close()

    def __repr__(self) -> str:
        return f"<Pool {self.count} connections, {self.idle_count} idle>"
