"""h11's `Connection` on our HTTP/1.1 engine.

The engine reads and writes; h11's states are followed beside it, event by event as they are taken out. Bytes
are fed to the engine only while h11 would read: what follows a message waits for `start_next_cycle`.
"""

from __future__ import annotations

from typing import Any

from ...protocol import events as told
from ...protocol.connection import Role
from ...protocol.errors import LocalProtocolError as Misuse
from ...protocol.errors import RemoteProtocolError as Fault
from ...protocol.http1.connection import HTTP1Connection
from ...protocol.http1.framing import offers_upgrade, persists
from ...protocol.http1.head import Known
from ...protocol.http1.reason import status_line
from ...protocol.http1.syntax import CONNECTION, EXPECT, UPGRADE
from ...protocol.http1.writing import declared_framing, encode_fields
from ...protocol.limits import Limits
from .errors import LocalProtocolError, RemoteProtocolError
from .events import (
    ConnectionClosed,
    Data,
    EndOfMessage,
    Event,
    InformationalResponse,
    Request,
    Response,
)
from .headers import Headers
from .states import (
    CLIENT,
    CLOSED,
    DONE,
    ERROR,
    IDLE,
    MIGHT_SWITCH_PROTOCOL,
    MUST_CLOSE,
    SERVER,
    SWITCHED_PROTOCOL,
    Exchange,
    Sentinel,
)

DEFAULT_MAX_INCOMPLETE_EVENT_SIZE = 16 * 1024


class NEED_DATA(metaclass=Sentinel):  # noqa: N801  # h11's name
    """`next_event` can tell nothing before more is received."""


class PAUSED(metaclass=Sentinel):  # h11's name
    """`next_event` tells nothing before the exchange is over, or ever."""


class Connection:
    """One end of an HTTP/1.1 connection. See h11's documentation for what each method promises."""

    def __init__(
        self,
        our_role: Sentinel,
        max_incomplete_event_size: int = DEFAULT_MAX_INCOMPLETE_EVENT_SIZE,
    ) -> None:
        if our_role not in (CLIENT, SERVER):
            raise ValueError(f"a role is CLIENT or SERVER, not {our_role!r}")
        self.our_role = our_role
        self.their_role = SERVER if our_role is CLIENT else CLIENT
        self.their_http_version: bytes | None = None
        size = max_incomplete_event_size
        limits = Limits(start_line_size=size, header_block_size=size)
        self._engine = HTTP1Connection(
            Role.CLIENT if our_role is CLIENT else Role.SERVER, limits=limits
        )
        self._exchange = Exchange()
        self._stream_id = 0
        self._has_content = False
        """Whether the engine waits for content from us, or its end."""
        self._received = bytearray()
        self._ended = False
        self._told: list[told.Event] = []
        self._fault: Fault | None = None
        self._events: list[Event] = []
        self._waits_for_100 = False

    # ------------------------------------------------------------------------------- states

    @property
    def states(self) -> dict[Sentinel, Sentinel]:
        """Both sides' states, by role."""
        return dict(self._exchange.states)

    @property
    def our_state(self) -> Sentinel:
        """The state of this side."""
        return self._exchange.states[self.our_role]

    @property
    def their_state(self) -> Sentinel:
        """The state of the peer."""
        return self._exchange.states[self.their_role]

    @property
    def client_is_waiting_for_100_continue(self) -> bool:
        """Whether the client sent `Expect: 100-continue` and was not answered."""
        return self._waits_for_100

    @property
    def they_are_waiting_for_100_continue(self) -> bool:
        """The same, if the peer is the client."""
        return self._waits_for_100 and self.their_role is CLIENT

    @property
    def trailing_data(self) -> tuple[bytes, bool]:
        """What was received and not read, and whether the peer has ended."""
        switched = b"".join(
            event.data for event in self._told if isinstance(event, told.DataReceived)
        )
        unread = switched if self.their_state is SWITCHED_PROTOCOL else b""
        return unread + bytes(self._engine._waiting) + bytes(self._received), self._ended

    def start_next_cycle(self) -> None:
        """Begin the next exchange. Raises `LocalProtocolError` unless both sides are DONE."""
        self._exchange.begin_again()
        self._waits_for_100 = False

    # ---------------------------------------------------------------------------- receiving

    def receive_data(self, data: bytes) -> None:
        """Take bytes from the peer; none of them is its end."""
        if data:
            if self._ended:
                raise RuntimeError("data after its end")
            self._received += data
        else:
            self._ended = True

    def next_event(self) -> type[NEED_DATA | PAUSED] | Event:
        """Return what the peer has sent next. Raises `RemoteProtocolError`."""
        if self.their_state is ERROR:
            raise RemoteProtocolError("nothing more can be received after an error")
        try:
            event = self._next()
            if isinstance(event, Event):
                self._exchange.check(self.their_role, event)
                self._follow(self.their_role, event)
        except (Fault, LocalProtocolError) as error:
            self._exchange.fail(self.their_role)
            status = error.status if isinstance(error, Fault) else error.error_status_hint
            raise RemoteProtocolError(str(error), status) from error
        return event

    def _next(self) -> type[NEED_DATA | PAUSED] | Event:
        if self._events:
            return self._events.pop(0)
        state = self.their_state
        if state is MIGHT_SWITCH_PROTOCOL or state is SWITCHED_PROTOCOL:
            return PAUSED
        if state is DONE and self.trailing_data[0]:
            return PAUSED
        if state in (DONE, MUST_CLOSE, CLOSED):
            if self._fault is not None:
                raise self._fault
            if self._ended:
                return ConnectionClosed()
            if state is not DONE and self.trailing_data[0]:
                raise RemoteProtocolError("data where the peer can only close")
            return NEED_DATA
        while not self._events:
            if self._told:
                self._take(self._told.pop(0))
            elif self._fault is not None:
                raise self._fault
            elif not self._read():
                return NEED_DATA
        return self._events.pop(0)

    def _read(self) -> bool:
        """Let the engine read on, and say whether there was anything to read."""
        data = bytes(self._received)
        self._received.clear()
        try:
            self._told = self._engine.receive_data(data)
            if not self._told and self._ended:
                self._told = [*self._engine.receive_eof(), told.ConnectionClosed()]
        except Fault as fault:
            self._told, self._fault = fault.events, fault
        return bool(self._told) or self._fault is not None

    def _take(self, event: told.Event) -> None:
        """Turn one of the engine's events into h11's."""
        if isinstance(event, told.RequestReceived):
            version = event.http_version[5:].encode()
            self._stream_id = event.stream_id
            request = Request.__new__(Request)
            request.method, request.target = event.method, event.target
            request.headers, request.http_version = Headers(event.headers), version
            self._events.append(request)
            if event.end_stream or event.method == b"CONNECT":
                self._events.append(EndOfMessage())
        elif isinstance(event, told.ResponseReceived):
            self._events.append(
                _received_response(
                    Response, event.status, event.headers, event.http_version, event.reason
                )
            )
            if event.end_stream:
                self._events.append(EndOfMessage())
        elif isinstance(event, told.InformationalReceived):
            phrase = status_line(event.status)[len("HTTP/1.1 100 ") :]
            self._events.append(
                _received_response(
                    InformationalResponse, event.status, event.headers, reason=phrase
                )
            )
        elif isinstance(event, told.DataReceived):
            self._engine.consume(event.stream_id, len(event.data))
            if event.data:
                self._events.append(Data(event.data))
            if event.end_stream:
                self._events.append(EndOfMessage())
        elif isinstance(event, told.TrailersReceived):
            end = EndOfMessage()
            end.headers = Headers(event.headers)
            self._events.append(end)
        else:  # the end: no other event comes of this engine
            self._events.append(ConnectionClosed())
            self._told.clear()

    # ------------------------------------------------------------------------------ sending

    def send(self, event: Event) -> bytes | None:
        """Send an event and return its bytes, None for `ConnectionClosed`. Raises `LocalProtocolError`."""
        parts = self.send_with_data_passthrough(event)
        return None if parts is None else b"".join(parts)

    def send_with_data_passthrough(self, event: Event) -> list[Any] | None:
        """Do the same, and return the parts in order: the object in `Data` is handed on as it is."""
        if self.our_state is ERROR:
            raise LocalProtocolError("nothing more can be sent after an error")
        try:
            self._exchange.check(self.our_role, event)
            parts = self._send(event)
        except (Misuse, LocalProtocolError) as error:
            self._exchange.fail(self.our_role)
            if isinstance(error, LocalProtocolError):
                raise
            raise LocalProtocolError(str(error)) from error
        self._follow(self.our_role, event)
        return parts

    def send_failed(self) -> None:
        """Note that what `send` returned could not be sent."""
        self._exchange.fail(self.our_role)

    def _send(self, event: Event) -> list[Any] | None:
        if isinstance(event, Data):
            return self._send_data(event.data)
        if isinstance(event, ConnectionClosed):
            return None
        if isinstance(event, Request):
            self._send_request(event)
        elif isinstance(event, InformationalResponse):
            headers = event.headers.raw_items()
            self._engine.send_informational(self._stream_id, event.status_code, headers)
            return [self._head(event)]
        elif isinstance(event, Response):
            return [self._send_response(event)]
        elif isinstance(event, EndOfMessage) and self._has_content:
            self._has_content = False
            if event.headers:
                self._engine.send_trailers(self._stream_id, event.headers.raw_items())
            else:
                self._engine.send_data(self._stream_id, b"", end_stream=True)
        return [self._engine.data_to_send()]

    def _send_request(self, request: Request) -> None:
        if request.http_version != b"1.1":
            raise LocalProtocolError("only HTTP/1.1 is sent")
        headers = request.headers.raw_items()
        chunked, length = declared_framing(encode_fields(headers, []))
        connects = request.method == b"CONNECT"
        self._has_content = (chunked or bool(length)) and not connects
        self._stream_id = self._engine.send_request(
            request.method, request.target, headers, end_stream=not (self._has_content or connects)
        )

    def _send_response(self, response: Response) -> bytes:
        """Send a final response's head and return its bytes."""
        if self._exchange.states[SERVER] is IDLE and self._fault is None:
            self._begin_unasked()
        engine = self._engine
        status = response.status_code
        empty = engine._method == b"HEAD" or status in (204, 304)
        accepts = "connect" in self._exchange.offers and status < 300
        if self._fault is not None:
            self._stream_id = self._fault.stream_id or self._stream_id
        self._has_content = not empty and not accepts
        engine.send_response(
            self._stream_id, status, response.headers.raw_items(), end_stream=empty
        )
        if not engine._keep_alive:
            self._exchange.keeps_alive = False
        return self._head(response)

    def _head(self, response: Response | InformationalResponse) -> bytes:
        """Return the head that the engine wrote, with the reason phrase that was given."""
        head = self._engine.data_to_send()
        if head and response.reason:
            _, line_end, rest = head.partition(b"\r\n")
            head = b"HTTP/1.1 %d %b" % (response.status_code, response.reason) + line_end + rest
        return head

    def _begin_unasked(self) -> None:
        """Let the engine answer what was not asked: a client that is too slow, for example."""
        try:
            self._engine.receive_data(b"\0\r\n\r\n")
        except Fault as fault:
            self._fault = fault
            self._stream_id = fault.stream_id or 0

    def _send_data(self, data: Any) -> list[Any]:
        if not self._has_content:
            if len(data):
                raise LocalProtocolError("content where there is none")
            return []
        if isinstance(data, (bytes, bytearray, memoryview)):
            self._engine.send_data(self._stream_id, bytes(data))
            return [self._engine.data_to_send()]
        if not len(data):
            return []
        return self._engine.send_with_passthrough(self._stream_id, data, len(data))

    # ------------------------------------------------------------------------- either way

    def _follow(self, role: Sentinel, event: Event) -> None:
        """Follow an event through the states, and note what it says of the connection."""
        exchange = self._exchange
        if isinstance(event, Request):
            known: Known = encode_fields(event.headers.raw_items(), [])
            self._note_persistence(role, known, event.http_version)
            if event.method == b"CONNECT":
                exchange.offers.add("connect")
            elif UPGRADE in known and offers_upgrade(known):
                exchange.offers.add("upgrade")
            expects = known.get(EXPECT, b"").lower() == b"100-continue"
            self._waits_for_100 = expects and event.http_version != b"1.0"
        elif isinstance(event, (Response, InformationalResponse)):
            self._waits_for_100 = False
            known = {}
            if isinstance(event, Response):
                known = encode_fields(event.headers.raw_items(), [])
            self._note_persistence(role, known, event.http_version)
        elif role is CLIENT:
            self._waits_for_100 = False
        exchange.follow(role, event)

    def _note_persistence(self, role: Sentinel, known: Known, version: bytes) -> None:
        if role is self.their_role:
            self.their_http_version = version
        if CONNECTION in known or version != b"1.1":
            self._exchange.keeps_alive &= persists(known, "HTTP/" + version.decode("ascii"))


def _received_response(
    kind: type[Response | InformationalResponse],
    status: int,
    headers: list[tuple[bytes, bytes]],
    version: str = "HTTP/1.1",
    reason: bytes = b"",
) -> Event:
    response = object.__new__(kind)
    response.status_code = status
    response.headers = Headers(headers)
    response.http_version = version[5:].encode("ascii")
    response.reason = reason
    return response
