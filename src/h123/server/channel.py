"""One client's connection, on the server's side of it.

What a server adds to the pump: requests are answered, faults where the version lets one, the last response
is not cut off by closing too early (RFC 9112 section 9.6), and time is watched.

All that a read brings is handed out before the first of its requests is answered, so that a handler finds its
content there already, and one whose client has taken the request back in the same breath is never called.
What handlers answer without waiting leaves together: one write for many responses.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from ..channel.channel import HIGH_WATER, Channel
from ..channel.wire import ByteStreamWire
from ..message.exceptions import HTTPError, LocalProtocolError, RemoteProtocolError
from ..message.status_codes import codes
from ..network.stream import READ_SIZE
from ..protocol import errors as engine_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from ..channel.exchange import Exchange
    from ..channel.wire import Wire
    from ..network.backend import EventLoopBackend
    from ..protocol.connection import ByteStreamConnection, Connection
    from ..protocol.events import Event, Headers
    from .limits import ServerLimits

NEVER = float("inf")
LINGER_PAUSE = 0.05
"""Seconds between reads of what is dropped from a client that does not stop sending."""

PIPELINED = 32
"""Requests of one HTTP/1.1 connection that are answered in a row before the others have their turn."""
SMALL = 65536
"""Bytes of content that are given to an engine at once, if the client's window takes them."""


class ServerChannel(Channel):
    """A connection that a client made.

    Attributes:
        scheme: of the requests that do not say: `b"https"` or `b"http"`.
        deadline: when `expire` is due, unless something happens before.
    """

    def __init__(
        self,
        engine: Connection,
        wire: Wire,
        backend: EventLoopBackend,
        peer: str,
        *,
        answer: Callable[[ServerChannel, Exchange], Coroutine[Any, Any, None]],
        run: Callable[[Coroutine[Any, Any, None]], None],
        scheme: bytes,
        limits: ServerLimits,
        forget: Callable[[ServerChannel], None],
        local_address: str = "",
    ) -> None:
        super().__init__(engine, wire, backend, peer)
        self.scheme = scheme
        self.limits = limits
        self.local_address = local_address
        self.deadline = backend.now() + limits.header_timeout
        # What a cleartext response says, anyone on the way may have said (RFC 7838 section 2.1).
        self.announces = scheme == b"https" and engine.http_version != "HTTP/3"
        self._multiplexes = engine.http_version != "HTTP/1.1"
        self._answer = answer
        self._run = run
        self._forget = forget
        self._begun: list[Exchange] = []  # requests of this read that are not answered yet
        self._streaming: dict[Exchange, asyncio.Task[Any]] = {}
        self._in_turn = False
        self._corked = False  # what is sent waits for the end of the turn
        self._corked_bytes = 0
        self._push_is_due = False
        self._next_is_due = False
        self._header_begun = False
        self._unsent_before = NEVER
        self._lingering = False
        self._pausing = False
        self._hung_up = False

    # --------------------------------------------------------------------------- receiving

    def _receive(self) -> None:
        if self._lingering:
            self._drop_input()
        elif not self.is_closed:
            self._begin_turn()
            try:
                events = self.wire.receive()
            except engine_errors.RemoteProtocolError as error:
                self._take(error.events, error)
            except OSError as error:
                self._take([], error)
            else:
                if events:
                    self._take(events)
                elif events is not None:
                    self._wait_for_header()
            self._end_turn()

    def feed(self, data: bytes) -> None:
        """Take bytes that were read before the channel began (to see what they are)."""
        with self.lock:
            self._begin_turn()
            super().feed(data)
            if not self.exchanges:
                self._wait_for_header()
            self._end_turn()

    def take(self, events: list[Event], fault: Exception | None = None) -> None:
        """Take what somebody else received for this connection. `push` is to follow."""
        self._corked = True
        super().take(events, fault)

    def push(self) -> None:
        """Send what the engine holds, now."""
        self._push_is_due = False
        self.uncork()
        super().push()

    def _begin_turn(self) -> None:
        self._in_turn = self._corked = True

    def _end_turn(self) -> None:
        """Take what of HTTP/1.1's pipelined requests can follow now, and send all answers."""
        left = PIPELINED
        while self._next_is_due and not self.is_closed:
            self._next_is_due = False
            if left == 0:
                assert self._loop is not None
                self._loop.call_at(self.backend.now(), self._go_on)
                break
            left -= 1
            self._take_next()
        self._in_turn = self._corked = False
        self._corked_bytes = 0
        if not self.is_closed:
            self.flush()
            self._watch()

    def _go_on(self) -> None:
        with self.lock:
            self._begin_turn()
            self._next_is_due = True
            self._end_turn()

    def _take_next(self) -> None:
        """Take a pipelined request, if one has waited for the response before it (HTTP/1.1)."""
        engine = cast("ByteStreamConnection", self.engine)
        try:
            events = engine.receive_data(b"")
        except engine_errors.RemoteProtocolError as error:
            self._take(error.events, error)
        else:
            if events:
                self._take(events)

    def settle(self, exchange: Exchange) -> None:
        """Forget an exchange that is complete both ways; then the next one may follow."""
        if exchange.receive_ended and exchange.send_ended and not exchange.over:
            exchange.over = True
            self.exchanges.pop(exchange.stream_id, None)
            self.exchange_over(exchange)
            if self._multiplexes:
                return
            self._next_is_due = True
            if not self._in_turn:  # else that is how it goes on, and not deeper and deeper
                self._begin_turn()
                self._end_turn()

    def _take(self, events: list[Event], fault: Exception | None = None) -> None:
        super()._take(events, fault)
        if self._begun:
            begun, self._begun = self._begun, []
            for exchange in begun:
                if not exchange.over:
                    self._run(self._answer(self, exchange))

    def request_received(self, exchange: Exchange) -> None:
        """Note a request, to be answered once all that came with it is handed out."""
        self.deadline = NEVER
        self._header_begun = False
        self._begun.append(exchange)

    def exchange_over(self, exchange: Exchange) -> None:
        """Start to wait for the next request; let nobody wait for content that nobody will get."""
        if self._streaming and exchange.error is not None:
            task = self._streaming.pop(exchange, None)
            if task is not None and task is not asyncio.current_task():
                task.cancel()
        if not self.exchanges and not self._lingering:
            limits = self.limits
            leaves = self.engine.is_draining
            self._unsent_before = NEVER
            self.deadline = self.backend.now() + (
                limits.linger_timeout if leaves else limits.idle_timeout
            )

    def _wait_for_header(self) -> None:
        """Bound the time of a header section, which runs from its first byte."""
        if not (self._multiplexes or self._header_begun or self.exchanges or self.is_closed):
            self._header_begun = True
            self.deadline = min(self.deadline, self.backend.now() + self.limits.header_timeout)

    # ----------------------------------------------------------------------------- sending

    def respond(self, exchange: Exchange, status: int, headers: Headers, content: bytes) -> bool:
        """Send a response whole; return False when its head was sent and its content has no room yet.

        Raises `LocalProtocolError` when it is none that can be sent, and then nothing was.
        """
        engine = self.engine
        stream_id = exchange.stream_id
        size = len(content)
        try:
            engine.send_response(stream_id, status, headers, end_stream=not size)
        except engine_errors.LocalProtocolError as error:
            raise LocalProtocolError(str(error)) from error
        if size:
            if (
                size > SMALL
                or self.wire.unsent >= HIGH_WATER
                or engine.send_capacity(stream_id, size) < size
            ):
                return False
            engine.send_data(stream_id, content, end_stream=True)
        exchange.send_ended = True
        self.settle(exchange)
        self._corked_bytes += size
        if self._corked:
            if self._corked_bytes > HIGH_WATER:
                self.uncork()
        elif self._multiplexes:
            self.push_soon()
        else:
            self.flush()
        return True

    def push_soon(self) -> None:
        """Send what the engine holds when all that happens at this moment has happened."""
        if not self._push_is_due and self._loop is not None:
            self._push_is_due = True
            self._loop.call_at(self.backend.now(), self.push)

    def uncork(self) -> None:
        """Send at once from now on, to see how the client takes it."""
        if self._corked:
            self._corked = False
            self._corked_bytes = 0
            self.flush()

    def flush(self) -> None:
        """Put the engine's bytes on the wire, unless more is about to follow."""
        if not self._corked:
            super().flush()

    @contextmanager
    def cancelling(self, exchange: Exchange) -> Iterator[None]:
        """While this lasts, the end of the exchange cancels the running task."""
        task = asyncio.current_task()
        assert task is not None
        self._streaming[exchange] = task
        try:
            yield
        finally:
            self._streaming.pop(exchange, None)

    def peer_broke_protocol(self, error: engine_errors.RemoteProtocolError) -> None:
        """Tell an HTTP/1.1 client what was wrong, unless a response is under way."""
        if self.engine.http_version != "HTTP/1.1" or error.stream_id is None:
            return
        text = f"{error.status} {codes.get_reason_phrase(error.status)}\n{error}\n".encode()
        headers = [
            (b"Content-Type", b"text/plain; charset=utf-8"),
            (b"Content-Length", b"%d" % len(text)),
            (b"Connection", b"close"),
        ]
        try:
            self.engine.send_response(error.stream_id, error.status, headers)
            self.engine.send_data(error.stream_id, text, end_stream=True)
        except engine_errors.LocalProtocolError:
            pass  # the response has begun: all that is left is to cut it off

    # ------------------------------------------------------------------------------- time

    def expire(self) -> None:
        """End the connection because its deadline has passed, unless the client still takes what was sent."""
        now = self.backend.now()
        unsent = self.wire.unsent
        if 0 < unsent < self._unsent_before:
            self._unsent_before = unsent
            self.deadline = now + self.limits.write_timeout
        elif self._lingering:
            with self.lock:
                self._end(self.error or RemoteProtocolError("closed"))
        elif self._multiplexes and not self.engine.is_draining:
            self.drain()
        else:
            self.close()

    # ------------------------------------------------------------------------------ ending

    def finish(self, error: HTTPError) -> None:
        """Say that nothing more will be sent, and let the client take what was.

        Closing a socket with unread bytes in it makes the kernel send a reset, which can destroy the last
        response on its way. So reading goes on, to nobody, until the client closes or a short time is over.
        """
        wire = self.wire
        if not isinstance(wire, ByteStreamWire) or wire.at_end or self._write_failed:
            self._end(error)
            return
        if not self._lingering:
            self._lingering = True
            self.error = error
            self.deadline = self.backend.now() + self.limits.linger_timeout
            for exchange in list(self.exchanges.values()):
                self._break(exchange, error)
            self._watch()
        if not wire.unsent and not self._hung_up:
            self._hung_up = True
            try:
                wire.stream.shutdown_write()
            except OSError:
                self._end(error)

    def wants_data(self) -> bool:
        """Whether to go on reading: while lingering, to the end."""
        if self._lingering:
            return not self._pausing
        return super().wants_data()

    def _drop_input(self) -> None:
        wire = self.wire
        assert isinstance(wire, ByteStreamWire)
        assert self.error is not None
        dropped = 0
        try:
            dropped = wire.discard()
        except OSError:
            wire.at_end = True
        if wire.at_end:
            self._end(self.error)
        elif dropped >= READ_SIZE and self._loop is not None:
            # Whoever goes on sending regardless is read slowly, or its flood would go on costing us.
            self._pausing = True
            self._watch()
            self._loop.call_at(self.backend.now() + LINGER_PAUSE, self._read_on)

    def _read_on(self) -> None:
        with self.lock:
            self._pausing = False
            self._watch()

    def drain(self) -> None:
        """Take no new requests, let those under way finish, and close.

        An HTTP/2 or 3 client that has none is told, and has a moment to understand which of those that it may
        be sending right now were not taken. One of HTTP/1.1 can not be told.
        """
        if self.exchanges or self._multiplexes:
            super().drain()
            if not self.exchanges:
                self.deadline = self.backend.now() + self.limits.linger_timeout
        elif not self._lingering:
            self.close()

    def closed(self) -> None:
        """Leave the server's list."""
        self._forget(self)
