"""The pump: one HTTP connection, and everyone who waits for something on it.

A channel joins an engine to a wire. It changes the engine only under its lock, puts the engine's bytes on
the wire before it releases the lock, and never holds the lock while it waits. Nobody but the channel
touches the engine.

Who reads from the network, and when, is `waiting`'s business; here is what happens then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..message.exceptions import (
    HTTPError,
    LocalProtocolError,
    ReadError,
    RemoteProtocolError,
)
from ..protocol import errors as engine_errors
from ..protocol.connection import ByteStreamConnection, Role
from ..protocol.errors import ErrorCode
from ..protocol.events import (
    CapacityChanged,
    ConnectionClosed,
    DataReceived,
    Event,
    GoAwayReceived,
    HandshakeCompleted,
    Headers,
    InformationalReceived,
    RequestReceived,
    ResponseReceived,
    SettingsChanged,
    StopSending,
    StreamReset,
    TrailersReceived,
)
from .exchange import Exchange
from .waiting import Waiting

if TYPE_CHECKING:
    from collections.abc import Callable
    from enum import IntEnum

    from ..network.backend import Backend
    from ..protocol.connection import Connection
    from .wire import Wire

HIGH_WATER = 131072
"""Bytes queued for the network past which no more data is taken from those who send."""

INFORMATIONAL_RESPONSES = 100
"""1xx responses to one request, which are kept for its response: nothing else bounds them."""


class Channel(Waiting):
    """One connection in use. Base of the client's and the server's, which say what a new request means.

    Attributes:
        engine: the protocol engine. To be called under `lock` only.
        error: what ended the connection, if something did.
        peer: who is at the other end, for messages.
    """

    def __init__(self, engine: Connection, wire: Wire, backend: Backend, peer: str) -> None:
        super().__init__(engine, wire, backend)
        self.peer = peer
        self.exchanges: dict[int, Exchange] = {}
        self.error: HTTPError | None = None
        self._farewell = ""  # what the peer's GOAWAY said was wrong

    def __repr__(self) -> str:
        if self.is_closed:
            state = "CLOSED"
        elif self.engine.is_draining:
            state = "DRAINING"
        else:
            state = "ACTIVE" if self.exchanges else "IDLE"
        version = self.engine.http_version
        return f"<{type(self).__name__} {version} [{self.peer}, {state}, {len(self.exchanges)} streams]>"

    # ------------------------------------------------------------- what happens on a connection

    def request_received(self, exchange: Exchange) -> None:
        """Begin to answer a request (server). The lock is held."""
        raise AssertionError("a client's engine gives no requests")  # pragma: no cover

    def exchange_over(self, exchange: Exchange) -> None:
        """Take note that an exchange is complete or broken. The lock is held."""

    def capacity_changed(self) -> None:
        """Take note that new streams may be possible now. The lock is held."""

    def handshake_completed(self, event: HandshakeCompleted) -> None:
        """Take note that a datagram transport is ready. The lock is held."""

    def peer_broke_protocol(self, error: engine_errors.RemoteProtocolError) -> None:
        """Answer a fault, where the version lets one (HTTP/1.1 servers). The lock is held."""

    def closed(self) -> None:
        """Take note that the connection is over. The lock is held."""

    # --------------------------------------------------------------------------- receiving

    def start(self) -> None:
        """Begin to read, where an event loop tells when, and send what the engine begins with."""
        self._choose_way()
        self.tick(self.backend.now())
        with self.lock:
            self.flush()
            self._watch()

    def on_readable(self) -> None:
        """Read from the wire and hand out what came: a bounded amount, then others have their turn."""
        with self.lock:
            self._receive()
            if self._loop is not None and self._watching_read and self.wire.pending:
                self._loop.call_at(self.backend.now(), self.on_readable)

    def _receive(self) -> None:
        if self.is_closed:
            return
        try:
            events = self.wire.receive()
        except engine_errors.RemoteProtocolError as error:
            self._take(error.events, error)
        except OSError as error:
            self._take([], error)
        else:
            if events is None:
                return
            self._take(events)
        self.flush()
        self._watch()

    def _take(self, events: list[Event], fault: Exception | None = None) -> None:
        self.dispatch(events)
        if fault is not None:
            self._fail(fault)

    def take(self, events: list[Event], fault: Exception | None = None) -> None:
        """Take what somebody else received for this connection. `push` is to follow."""
        with self.lock:
            if not self.is_closed:
                self._take(events, fault)

    def feed(self, data: bytes) -> None:
        """Take bytes that were read before the channel began (to see what they are)."""
        engine = self.engine
        assert isinstance(engine, ByteStreamConnection)
        with self.lock:
            try:
                self._take(engine.receive_data(data))
            except engine_errors.RemoteProtocolError as error:
                self._take(error.events, error)
            self.flush()
            self._watch()

    def tick(self, now: float) -> None:
        """Tell an engine whose budgets refill what time it is."""
        if isinstance(self.engine, ByteStreamConnection):
            self.engine.tick(now)

    def on_timeout(self) -> None:
        """Let the engine's time pass (QUIC)."""
        with self.lock:
            self._timer = None
            due = self.wire.next_timeout()
            if due is not None and due <= self.backend.now():
                self._pass_time()
            elif not self.is_closed:
                self._set_timer()

    def _pass_time(self) -> None:
        if self.is_closed:
            return
        try:
            self._take(self.wire.handle_timeout())
        except engine_errors.RemoteProtocolError as error:
            self._take(error.events, error)
        self.flush()

    def on_writable(self) -> None:
        """Send what was queued, and let those go on who wait to send."""
        with self.lock:
            self.flush()
            self._wake_blocked()

    def dispatch(self, events: list[Event]) -> None:
        """Hand events out to their exchanges, and wake who waits for them. The lock is held."""
        for event in events:
            kind = type(event)
            if kind is DataReceived:
                assert isinstance(event, DataReceived)
                exchange = self.exchanges.get(event.stream_id)
                if exchange is None:
                    self.engine.consume(event.stream_id, len(event.data))
                    continue
                if event.data:
                    exchange.chunks.append(event.data)
                    exchange.unread += len(event.data)
                if event.end_stream:
                    exchange.receive_ended = True
                    self.settle(exchange)
                exchange.wake()
            else:
                self._handlers.get(kind, Channel._on_nothing)(self, event)

    def _on_request(self, event: RequestReceived) -> None:
        exchange = self.exchanges[event.stream_id] = Exchange(self, event.stream_id)
        exchange.request = event
        exchange.receive_ended = event.end_stream
        self.request_received(exchange)

    def _on_response(self, event: ResponseReceived) -> None:
        exchange = self.exchanges.get(event.stream_id)
        if exchange is not None:
            exchange.response = event
            if event.end_stream:
                exchange.receive_ended = True
                self.settle(exchange)
            exchange.wake()

    def _on_informational(self, event: InformationalReceived) -> None:
        exchange = self.exchanges.get(event.stream_id)
        if exchange is not None:
            exchange.informational.append(event)
            if len(exchange.informational) > INFORMATIONAL_RESPONSES:
                self.engine.reset_stream(exchange.stream_id, ErrorCode.ENHANCE_YOUR_CALM)
                self._break(exchange, RemoteProtocolError(f"{self.peer}: too many 1xx responses"))

    def _on_trailers(self, event: TrailersReceived) -> None:
        exchange = self.exchanges.get(event.stream_id)
        if exchange is not None:
            exchange.trailers = event.headers
            exchange.receive_ended = True
            self.settle(exchange)
            exchange.wake()

    def _on_stream_reset(self, event: StreamReset) -> None:
        exchange = self.exchanges.get(event.stream_id)
        if exchange is not None:
            exchange.unprocessed = event.unprocessed
            who = f"{self.peer} reset the stream" if event.remote else "the stream was reset"
            why = event.message or self._code_name(event.error_code)
            self._break(exchange, RemoteProtocolError(f"{who}: {why}{self._farewell}"))

    def _on_stop_sending(self, event: StopSending) -> None:
        exchange = self.exchanges.get(event.stream_id)
        if exchange is not None:
            exchange.send_stopped = True
            exchange.send_ended = True
            self.settle(exchange)
            exchange.wake()

    def _on_capacity(self, event: CapacityChanged) -> None:
        if event.stream_id is None:
            self._wake_blocked()
            self.capacity_changed()
        else:
            exchange = self.exchanges.get(event.stream_id)
            if exchange is not None:
                exchange.wake()

    def _on_settings(self, event: SettingsChanged) -> None:
        self._wake_blocked()
        self.capacity_changed()

    def _on_goaway(self, event: GoAwayReceived) -> None:
        if event.error_code and self._code_name(event.error_code) not in (
            "NO_ERROR",
            "H3_NO_ERROR",
        ):
            said = ascii(event.debug_data[:200].decode("utf-8", "replace"))
            what = f": {said}" if event.debug_data else ""
            self._farewell = f" (GOAWAY {self._code_name(event.error_code)}{what})"
        self.capacity_changed()

    def _on_handshake(self, event: HandshakeCompleted) -> None:
        self.handshake_completed(event)

    def _on_closed(self, event: ConnectionClosed) -> None:
        why = event.reason or (self._code_name(event.error_code) if event.error_code else "")
        self._end(
            RemoteProtocolError(f"{self.peer} closed the connection{': ' if why else ''}{why}")
        )

    def _code_name(self, error_code: int) -> str:
        """Return what the version's RFC calls an error code."""
        codes: type[IntEnum] = ErrorCode
        if self.engine.http_version == "HTTP/3":
            from ..protocol.http3.errors import H3ErrorCode  # loaded already

            codes = H3ErrorCode
        try:
            return codes(error_code).name
        except ValueError:
            return f"error {error_code:#x}"

    def _on_nothing(self, event: Event) -> None:
        """Take an event that tells nobody here anything (PING answered, datagrams without a reader)."""

    _handlers: dict[type[Event], Callable[[Any, Any], None]]

    def wants_data(self) -> bool:
        """Whether to go on reading from the wire."""
        return self.engine.wants_data

    # ----------------------------------------------------------------------------- sending

    def open_exchange(
        self,
        method: bytes,
        target: bytes,
        headers: Headers,
        *,
        scheme: bytes,
        authority: bytes,
        end_stream: bool,
    ) -> Exchange | None:
        """Start a request (client), or return None when the connection takes none now.

        Without `end_stream` its head leaves with the first data, or with `push`.
        """
        with self.lock:
            engine = self.engine
            if self.is_broken or engine.available_streams <= 0:
                return None
            stream_id = self.call_engine(
                engine.send_request,
                method,
                target,
                headers,
                scheme=scheme,
                authority=authority,
                end_stream=end_stream,
            )
            exchange = self.exchanges[stream_id] = Exchange(self, stream_id)
            if end_stream:
                exchange.send_ended = True
                self.flush()
        return exchange

    def push(self) -> None:
        """Send what the engine holds, now."""
        with self.lock:
            self.flush()

    def call_engine(self, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call the engine to send something; what it refuses is the caller's `LocalProtocolError`."""
        try:
            return method(*args, **kwargs)
        except engine_errors.LocalProtocolError as error:
            raise LocalProtocolError(str(error)) from error

    @property
    def is_broken(self) -> bool:
        """Whether nothing more can be sent; what has come can still be read."""
        return self._write_failed or self.is_closed

    def is_flushed(self) -> bool:
        """Whether the network has all that was sent."""
        return not self.wire.unsent or self.is_broken

    def has_room(self) -> bool:
        """Whether the network keeps up with what is sent."""
        return self.wire.unsent < HIGH_WATER

    def flush(self) -> None:
        """Put the engine's bytes on the wire, in order. The lock is held."""
        if self.is_closed:
            return
        had_room = self.has_room()
        try:
            self.wire.flush()
        except OSError as error:
            self._on_write_error(error)
            if self.is_closed:
                return
        if not had_room and self.has_room():
            self._wake_blocked()  # whoever flushed: it may have been a reader
        if self.engine.is_closed and not self.wire.unsent:
            self.finish(RemoteProtocolError(f"the connection to {self.peer} is closed"))
        else:
            self._follow_up()

    def _on_write_error(self, error: OSError) -> None:
        # The peer may have answered before it closed (a 413 in the middle of an upload): stop sending,
        # and let reading find out how the connection ends.
        if self._write_failed:
            return
        self._write_failed = True
        if self.engine.role is Role.SERVER or not isinstance(self.engine, ByteStreamConnection):
            self._fail(error)
            return
        for exchange in list(self.exchanges.values()):
            exchange.send_stopped = True
            exchange.wake()

    def give_credit(self, exchange: Exchange, amount: int) -> None:
        """Tell the engine that the reader has taken `amount` bytes. The lock is held."""
        if not self.is_closed:
            self.engine.consume(exchange.stream_id, amount)
            self.flush()
            self._watch()

    # ------------------------------------------------------------------------------ ending

    def settle(self, exchange: Exchange) -> None:
        """Forget an exchange that is complete both ways. The lock is held."""
        if exchange.receive_ended and exchange.send_ended and not exchange.over:
            exchange.over = True
            self.exchanges.pop(exchange.stream_id, None)
            self.exchange_over(exchange)
            if self.engine.role is Role.SERVER and isinstance(self.engine, ByteStreamConnection):
                self._next_request(self.engine)

    def _next_request(self, engine: ByteStreamConnection) -> None:
        """Let a pipelined request come that waited for this response (HTTP/1.1)."""
        if not engine.is_closed:
            try:
                self._take(engine.receive_data(b""))
            except engine_errors.RemoteProtocolError as error:
                self._take(error.events, error)
            self.flush()
            self._watch()

    def reset(self, exchange: Exchange, error_code: int) -> None:
        """End an exchange before its time. The lock is held."""
        if not self.is_closed:
            self.engine.reset_stream(exchange.stream_id, error_code)
        self._break(exchange, LocalProtocolError("the exchange was aborted"))

    def close(self, error_code: int = ErrorCode.NO_ERROR) -> None:
        """Close now: say goodbye if that needs no waiting, and drop the transport."""
        with self.lock:
            if self.is_closed:
                return
            self._close(error_code)

    def close_if_idle(self) -> None:
        """Close now unless an exchange is open."""
        with self.lock:
            if not self.exchanges and not self.is_closed:
                self._close(ErrorCode.NO_ERROR)

    def _close(self, error_code: int) -> None:
        if self.engine.http_version == "HTTP/3" and error_code == ErrorCode.NO_ERROR:
            # A peer sees a stream of bytes end, but not datagrams: they must say so, and not merely drain.
            from ..protocol.http3.errors import H3ErrorCode  # loaded already

            error_code = ErrorCode.CANCEL if self.exchanges else H3ErrorCode.NO_ERROR
        self.engine.close(error_code)
        try:
            self.wire.flush()
        except OSError:
            pass  # the goodbye is a courtesy
        self._end(ReadError(f"the connection to {self.peer} was closed on this side"))

    async def look(self) -> None:
        """See what has come, without waiting; the others of an event loop have their turn."""
        if self._loop is None:
            self._see()
        else:
            await self.backend.sleep(0)

    def is_alive(self) -> bool:
        """Whether an idle connection can still be used, as far as can be told without waiting."""
        self._see()
        return not self.is_closed

    def _see(self) -> None:
        """Take what has come, unless somebody waits for it in a poll: that one would not notice."""
        with self.lock:
            if self._in_poll or self.is_closed:
                return
            due = self.wire.next_timeout()
            if due is not None and due <= self.backend.now():
                self._pass_time()
            if self.wants_data():
                self._receive()

    def hand_over(self) -> None:
        """Let go of the wire without closing it: somebody else goes on with it. The lock is held."""
        self._leave_wire()
        self.is_closed = True

    def drain(self) -> None:
        """Take no new streams, and close when the open ones are over."""
        with self.lock:
            if not self.is_closed:
                self.engine.close(ErrorCode.NO_ERROR)
                self.flush()

    def _fail(self, fault: Exception) -> None:
        """End the connection because of what the peer or the network did."""
        if isinstance(fault, engine_errors.RemoteProtocolError):
            self.peer_broke_protocol(fault)
            error: HTTPError = RemoteProtocolError(f"{self.peer}: {fault}{self._farewell}")
        else:
            error = ReadError(f"{self.peer}: {fault}")
        error.__cause__ = fault
        if not self.is_closed:
            try:
                self.wire.flush()
            except OSError:
                pass  # the goodbye is a courtesy
        self.finish(error)

    def finish(self, error: HTTPError) -> None:
        """End the connection when nothing is left to do on it. The lock is held."""
        self._end(error)

    def _end(self, error: HTTPError) -> None:
        """Close the transport and let everybody know."""
        if self.is_closed:
            return
        self.is_closed = True
        self.error = error
        for exchange in list(self.exchanges.values()):
            self._break(exchange, error)
        self._close_wire()
        self.closed()

    def _break(self, exchange: Exchange, error: HTTPError) -> None:
        if exchange.over:
            return
        exchange.error = error
        exchange.over = True
        self.exchanges.pop(exchange.stream_id, None)
        exchange.wake()
        self._wake_poll()  # it may be this exchange for which somebody polls
        self.exchange_over(exchange)


Channel._handlers = {
    RequestReceived: Channel._on_request,
    ResponseReceived: Channel._on_response,
    InformationalReceived: Channel._on_informational,
    TrailersReceived: Channel._on_trailers,
    StreamReset: Channel._on_stream_reset,
    StopSending: Channel._on_stop_sending,
    CapacityChanged: Channel._on_capacity,
    SettingsChanged: Channel._on_settings,
    GoAwayReceived: Channel._on_goaway,
    HandshakeCompleted: Channel._on_handshake,
    ConnectionClosed: Channel._on_closed,
}
