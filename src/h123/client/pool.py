"""The pool: which connection takes a request.

A lane holds all connections of one route. A connection that multiplexes serves everyone; while the first
one to a place is being made, requests that may share it wait for what comes of it, so that a burst opens
one connection. Finding a connection takes the same time whatever the pool holds.

Lock order: a channel's hooks run under the channel's lock and take the pool's; nothing that holds the
pool's lock takes a channel's.
"""

from __future__ import annotations

from collections import OrderedDict, deque
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
    """One request that waits for a connection. It keeps its place until it has one."""

    __slots__ = ("waiter", "lane", "for_attempt", "woken", "error")

    def __init__(self) -> None:
        self.waiter: Waiter
        self.lane: Lane
        self.for_attempt = False  # it waits for what comes of a connection being made
        self.woken = False
        self.error: HTTPError | None = None

    def wake(self) -> None:
        """Let it try again."""
        self.woken = True
        self.waiter.set()


class Lane:
    """The connections of one route, and the requests that wait for one of them."""

    __slots__ = ("route", "count", "shared", "idle", "connecting", "waiting", "only_http1")

    def __init__(self, route: Route) -> None:
        self.route = route
        self.count = 0  # open, in use or not
        self.shared: list[ClientChannel] = []
        self.idle: deque[ClientChannel] = deque()
        self.connecting = 0
        self.waiting: OrderedDict[Ticket, None] = OrderedDict()
        self.only_http1 = not route.may_multiplex

    @property
    def is_unused(self) -> bool:
        """Whether it may be forgotten."""
        return not (self.count or self.connecting or self.waiting)

    @property
    def has_room(self) -> bool:
        """Whether one of its connections seems to take a request."""
        return bool(self.idle) or any(
            channel.engine.available_streams > 0 for channel in self.shared
        )


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
        self.idle: dict[ClientChannel, None] = {}  # those without a request, the oldest first
        # Those who wait for a place in the pool, of any lane.
        self.starved: OrderedDict[Ticket, None] = OrderedDict()
        self.is_closed = False

    # ----------------------------------------------------------------------------- opening

    async def open(self, route: Route, head: RequestHead, clock: Clock) -> Exchange:
        """Start a request on a connection of this route, old or new. First come, first served.

        Raises `PoolTimeout` when none became free in time, and what `Connector.connect` raises.
        """
        deadline = clock.deadline(clock.timeout.pool)
        ticket: Ticket | None = None
        while True:
            channel = victim = None
            connects = was_idle = False
            with self.lock:
                if self.is_closed:
                    raise RuntimeError("the client has been closed")
                lane = self.lanes.get(route)
                if lane is None:
                    lane = self.lanes[route] = Lane(route)
                is_new = ticket is None
                if not (is_new and lane.waiting):
                    channel = self._pick(lane)
                if channel is not None:
                    was_idle = self.idle.pop(channel, False) is None
                elif self._must_wait(lane):
                    ticket = self._queue(lane, ticket, for_attempt=lane.connecting > 0)
                elif is_new and (lane.waiting or self.starved):
                    ticket = self._queue_starved(lane, ticket)
                elif self._has_place():
                    lane.connecting += 1
                    self.count += 1
                    connects = True
                elif (victim := self._oldest_idle()) is None:
                    ticket = self._queue_starved(lane, ticket)
            if victim is not None:
                victim.close_if_idle()
            elif channel is not None:
                exchange = self._try(channel, head, was_idle)
                if exchange is not None:
                    self._pass_on(lane)
                    return exchange
            elif connects:
                exchange = await self._connect(lane, head, clock)
                if exchange is not None:
                    return exchange
            else:
                assert ticket is not None
                await self._wait(ticket, deadline)

    def _pick(self, lane: Lane) -> ClientChannel | None:
        """Return a connection that seems free, taking it out if it serves one request at a time."""
        for channel in lane.shared:
            if channel.engine.available_streams > 0:
                return channel
        return lane.idle.pop() if lane.idle else None

    def _must_wait(self, lane: Lane) -> bool:
        if lane.only_http1:
            return False
        return lane.connecting > 0 or any(not channel.engine.is_draining for channel in lane.shared)

    def _has_place(self) -> bool:
        return self.max_connections is None or self.count < self.max_connections

    def _oldest_idle(self) -> ClientChannel | None:
        """Take out the connection that has been idle for longest, to make place."""
        if not self.idle:
            return None
        channel = next(iter(self.idle))
        del self.idle[channel]
        if not channel.is_shared:
            self.lanes[channel.route].idle.remove(channel)
        return channel

    def _try(self, channel: ClientChannel, head: RequestHead, was_idle: bool) -> Exchange | None:
        """Start the request on a connection of before; None if it takes none after all."""
        if was_idle and not self._is_alive(channel):
            channel.close()
            return None
        try:
            exchange = head.open_on(channel)
        except BaseException:
            # The request can not be sent, and the connection is as good as it was.
            self._release(channel)
            raise
        if exchange is not None:
            channel.uses += 1
        elif not channel.is_shared:
            channel.close()
        elif channel.engine.available_streams:  # else others were faster
            with self.lock:
                if channel in self.channels and channel in self.lanes[channel.route].shared:
                    self.lanes[channel.route].shared.remove(channel)  # it can not send any more
            channel.close_if_idle()
        return exchange

    def _release(self, channel: ClientChannel) -> None:
        """Have a connection back that was taken for nothing."""
        if not channel.exchanges and not self.exchange_over(channel):
            channel.close_if_idle()

    def _is_alive(self, channel: ClientChannel) -> bool:
        """Whether an idle connection can be used again: not too old, and not closed by the server."""
        if self.expiry is not None and self.backend.now() - channel.idle_since > self.expiry:
            return False
        return channel.is_alive()

    async def _connect(self, lane: Lane, head: RequestHead, clock: Clock) -> Exchange | None:
        """Make a connection and start the request on it; None if it takes none yet."""
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
        if self.is_closed:  # meanwhile: then nothing is sent
            self._add(lane, channel)
            channel.close()
            raise RuntimeError("the client has been closed")
        try:
            exchange = head.open_on(channel)
        except BaseException:  # the request can not be sent; others can use the connection
            self._add(lane, channel)
            self._release(channel)
            raise
        channel.uses += 1
        if not self._add(lane, channel):
            channel.close()
            if exchange is None and channel.error is not None and not self.is_closed:
                raise channel.error  # the peer hung up at once
        if self.is_closed and exchange is None:  # an exchange tells it itself: it was under way
            raise RuntimeError("the client has been closed")
        return exchange

    def _add(self, lane: Lane, channel: ClientChannel) -> bool:
        """Let a new connection belong to the pool, and those share it who can; False if it is over."""
        with self.lock:
            lane.connecting -= 1
            channel.pool = self
            if self.is_closed or channel.is_closed:
                self.count -= 1
                self._attempt_failed(lane, None)
                return False
            self.channels[channel] = None
            lane.count += 1
            if channel.is_shared:
                lane.shared.append(channel)
                self._wake(lane, channel.engine.available_streams)
            else:
                lane.only_http1 = True
                self._wake(lane, len(lane.waiting))
            return True

    # ----------------------------------------------------------------------------- waiting

    def _queue(self, lane: Lane, ticket: Ticket | None, *, for_attempt: bool) -> Ticket:
        """Stand at the end of the queue, or once more at its head if this one had its turn in vain."""
        if ticket is None:
            ticket = Ticket()
        ticket.waiter = self.backend.waiter()
        ticket.lane = lane
        ticket.for_attempt = for_attempt
        lane.waiting[ticket] = None
        if ticket.woken:
            lane.waiting.move_to_end(ticket, last=False)
        return ticket

    def _queue_starved(self, lane: Lane, ticket: Ticket | None) -> Ticket:
        """Wait for a place in the pool as well."""
        ticket = self._queue(lane, ticket, for_attempt=False)
        self.starved[ticket] = None
        if ticket.woken:
            self.starved.move_to_end(ticket, last=False)
        return ticket

    async def _wait(self, ticket: Ticket, deadline: float | None) -> None:
        lane = ticket.lane
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
            if not satisfied:
                with self.lock:
                    was_called = ticket not in lane.waiting
                    lane.waiting.pop(ticket, None)
                    self.starved.pop(ticket, None)
                    if was_called:
                        self._wake(lane, 1)  # what this one does not use is the next one's
                        self._wake_starved()
                    self._forget(lane)

    def _wake(self, lane: Lane, number: int) -> None:
        """Let the first so many of the lane try again; each leaves the queue by that."""
        while number > 0 and lane.waiting:
            self._call(next(iter(lane.waiting)))
            number -= 1

    def _wake_starved(self) -> None:
        if self.starved:
            self._call(next(iter(self.starved)))

    def _call(self, ticket: Ticket) -> None:
        ticket.lane.waiting.pop(ticket, None)
        self.starved.pop(ticket, None)
        ticket.wake()

    def _pass_on(self, lane: Lane) -> None:
        """Let the next ones go on, if there is something left for them."""
        if lane.waiting or self.starved:
            with self.lock:
                if lane.waiting and lane.has_room:
                    self._wake(lane, 1)
                if self.starved and self._has_place():
                    self._wake_starved()

    def _attempt_failed(self, lane: Lane, error: HTTPError | None) -> None:
        """Share a failure with those who waited for this attempt; without one, let them try."""
        for ticket in [ticket for ticket in lane.waiting if ticket.for_attempt]:
            ticket.error = error
            self._call(ticket)
        self._wake(lane, 1)
        self._wake_starved()
        self._forget(lane)

    def _forget(self, lane: Lane) -> None:
        if lane.is_unused and self.lanes.get(lane.route) is lane:
            del self.lanes[lane.route]

    # ------------------------------------------------- what channels tell, under their lock

    def exchange_over(self, channel: ClientChannel) -> bool:
        """Use the free place: a stream's, or the whole connection's. False if it is to be closed."""
        with self.lock:
            if channel not in self.channels or channel.is_closed:
                return True
            lane = self.lanes[channel.route]
            if not channel.exchanges and channel.engine.available_streams > 0:
                if channel.is_broken or (
                    not lane.waiting and (self.starved or self._is_one_too_many())
                ):
                    return False
                channel.idle_since = self.backend.now()
                self.idle[channel] = None
                if not channel.is_shared:
                    lane.idle.append(channel)
            self._wake(lane, 1)
            return True

    def _is_one_too_many(self) -> bool:
        return self.max_idle is not None and len(self.idle) >= self.max_idle

    def capacity_changed(self, channel: ClientChannel) -> None:
        """Let as many go on as the connection takes now."""
        with self.lock:
            lane = self.lanes.get(channel.route)
            if lane is not None and lane.waiting:
                if channel.engine.is_draining:  # it finishes what it has; others open a new one
                    self._wake(lane, len(lane.waiting))
                else:
                    self._wake(lane, channel.engine.available_streams)

    def channel_closed(self, channel: ClientChannel) -> None:
        """Forget a connection and let somebody else have its place."""
        with self.lock:
            if channel not in self.channels:
                return
            del self.channels[channel]
            self.idle.pop(channel, None)
            self.count -= 1
            lane = self.lanes[channel.route]
            lane.count -= 1
            if channel in lane.shared:
                lane.shared.remove(channel)
            elif channel in lane.idle:
                lane.idle.remove(channel)
            self._wake(lane, 1)
            self._wake_starved()
            self._forget(lane)

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
        return f"<Pool {self.count} connections, {len(self.idle)} idle>"
