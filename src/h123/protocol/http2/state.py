"""What one HTTP/2 connection knows, and what receiving and sending both do to it (RFC 9113).

Here are stream closure (section 5.1), flow control of what we receive (section 5.2), and the answers that
wait to be sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..connection import ByteStreamConnection, Role
from ..errors import ErrorCode, RemoteProtocolError
from ..fields import content_length
from ..limits import DEFAULT_LIMITS, Limits
from .budgets import Budgets, flood
from .frames import (
    DEFAULT_WINDOW,
    LARGEST_STREAM_ID,
    LARGEST_WINDOW,
    PING,
    PREFACE,
    SMALLEST_MAX_FRAME_SIZE,
    frame,
    goaway,
    rst_stream,
    window_update,
)
from .hpack import DEFAULT_TABLE_SIZE, Decoder, Encoder
from .settings import largest_frame, our_settings, stream_window
from .streams import ENDED, UNKNOWN_LENGTH, ClosedStreams, Stream
from .tuning import PROBE, WindowTuning

if TYPE_CHECKING:
    from ..events import Event, Headers

OVERSIZE: Final = 4
"""A field section this many times over its limit ends the connection; under that, the stream."""

_ASSUMED_STREAMS: Final = 100
"""What a server takes, until its SETTINGS say so: the least that RFC 9113 section 6.5.2 recommends."""

_UNREAD_STREAMS: Final = 1000
"""Streams that are over while their content waits to be consumed: each takes a little memory."""

KeptRequest = tuple[bytes, bytes, bytes, bytes, bytes, "Headers", int, bytes]
"""Method, target, scheme, authority, protocol, fields, Content-Length, Priority."""
KeptResponse = tuple[int, "Headers", int]
"""Status, fields, Content-Length."""


class SentHead:
    """A message's head to send: its fields, or when it is kept for the next time, its block."""

    __slots__ = ("fields", "length", "block")

    def __init__(self, fields: Headers) -> None:
        length = content_length(fields)
        self.fields = fields
        self.length = UNKNOWN_LENGTH if length is None else length
        self.block = b""

    def keep(self, block: bytes) -> None:
        """Put the block in the place of the fields."""
        self.fields = []
        self.block = block


class ConnectionState(ByteStreamConnection):
    """The state of a connection. `HTTP2Connection` is the whole."""

    def __init__(self, role: Role, *, limits: Limits = DEFAULT_LIMITS) -> None:
        self.http_version = "HTTP/2"
        self.role = role
        self.limits = limits
        self._is_server = role is Role.SERVER

        # Streams. The client's have odd ids; those that are pushed have even ones.
        self._streams: dict[int, Stream] = {}
        self._closed_streams = ClosedStreams()
        self._unread: dict[int, int] = {}  # bytes not consumed of streams that are over
        self._highest_id = 0 if self._is_server else -1
        self._highest_pushed = 0
        self._pushed_open = 0
        self._push_enabled = True
        self._peer_priorities = 0
        self._early_priorities: dict[int, bytes] = {}  # of requests that have not come yet

        # The end: our word (`_is_leaving`, and `_is_final` once GOAWAY says which streams we take), the
        # peer's, whether the last open stream is the end, and whether everything is over.
        self._is_leaving = False
        self._is_final = False
        self._last_taken_id = 0
        self._peer_last_id = LARGEST_STREAM_ID
        self._peer_left = False
        self._peer_error = 0
        self._ends_when_idle = False
        self._is_over = False

        # What the peer's settings say, and its windows for what we send.
        self._settings_received = False
        self._max_frame_size = SMALLEST_MAX_FRAME_SIZE
        self._max_streams = _ASSUMED_STREAMS
        self._initial_window = DEFAULT_WINDOW
        self._largest_offset = 0
        self._connect_protocol = False
        self._send_window = DEFAULT_WINDOW
        self._tiny_frames = 0
        self._pings: list[bytes] = []

        # Our own. Until the peer has acknowledged them it may go by the defaults.
        self._settings_acknowledged = False
        self._largest_frame = largest_frame(limits)
        self._stream_window = max(stream_window(limits), DEFAULT_WINDOW)
        self._receive_window = DEFAULT_WINDOW
        self._credit = min(limits.connection_window, LARGEST_WINDOW) - DEFAULT_WINDOW
        self._credit_step = max(limits.connection_window // 2, 1)
        # One stream that nobody reads must not take the whole connection's window.
        largest = min(limits.largest_stream_window, limits.connection_window // 2, LARGEST_WINDOW)
        self._tuning = WindowTuning(stream_window(limits), largest)

        section_size = limits.header_block_size * OVERSIZE
        self._decoder = Decoder(
            max(limits.table_size, DEFAULT_TABLE_SIZE), max_section_size=section_size
        )
        self._encoder = Encoder(min(limits.table_size, DEFAULT_TABLE_SIZE))
        self._kept_requests: dict[bytes, KeptRequest] = {}
        self._kept_responses: dict[bytes, KeptResponse] = {}
        self._sent_heads: dict[tuple[object, ...], SentHead] = {}
        self._sent_generation = self._encoder.generation

        # What is being received: bytes that wait for the rest of their frame, the DATA frame whose
        # content is handed on as it comes, the header block that CONTINUATION goes on with.
        self._events: list[Event] = []
        self._preface_left = PREFACE if self._is_server else b""
        self._pending = bytearray()
        self._needed = 0
        self._data_stream: Stream | None = None
        self._data_left = 0
        self._data_ends = False
        self._skip_left = 0
        self._block_stream = 0
        self._promised_id = 0
        self._block_ends_stream = False
        self._block_size = 0
        self._fragments: list[bytes] = []

        self._budgets = Budgets(limits)
        self._answers = 0
        self._outgoing: list[bytes | memoryview] = [] if self._is_server else [PREFACE]
        self._outgoing.append(our_settings(limits, server=self._is_server))
        if self._credit > 0:
            self._grant_connection()

    def __repr__(self) -> str:
        if self.is_closed:
            state = "CLOSED"
        elif self.is_draining:
            state = "DRAINING"
        else:
            state = "ACTIVE"
        return f"<{type(self).__name__} [{self.role.value}, {state}, {len(self._streams)} streams]>"

    # ------------------------------------------------------------------------------ the wire

    def data_to_send(self) -> bytes:
        """Return all bytes that wait to be sent, and forget them."""
        outgoing = self._outgoing
        if not outgoing:
            return b""
        data = b"".join(outgoing)
        self._outgoing = []
        self._answers = 0
        return data

    def tick(self, now: float) -> None:
        """Refill the budgets of resets and of idle frames."""
        self._budgets.tick(now)

    def _answer(self, frame: bytes) -> None:
        """Queue what the peer makes us send: it must be read some time."""
        self._answers += 1
        if self._answers > self.limits.queued_answers:
            raise flood("the peer does not read our answers", "queued-answers")
        self._outgoing.append(frame)

    # ------------------------------------------------------------------------------- its end

    @property
    def wants_data(self) -> bool:
        """Whether to go on receiving: not while half of the answers allowed wait to be fetched."""
        return self._answers * 2 < self.limits.queued_answers and not self.is_closed

    @property
    def is_idle(self) -> bool:
        """Whether no stream is open."""
        return not self._streams

    @property
    def is_draining(self) -> bool:
        """Whether no new stream can be opened: GOAWAY was sent or received, or the ids are used up."""
        exhausted = self._highest_id >= LARGEST_STREAM_ID
        return self._is_leaving or self._peer_left or exhausted or self._is_over

    @property
    def is_closed(self) -> bool:
        """Whether it is over: by an error, or because both GOAWAY and the last stream are done."""
        return self._is_over or (self._ends_when_idle and not self._streams)

    def _end_connection(self, error_code: int, debug_data: bytes = b"") -> None:
        """Say GOAWAY and forget all streams."""
        last = self._last_taken_id if self._is_final else self._highest_id
        if not self._is_server:
            last = self._highest_pushed
        self._outgoing.append(goaway(last, error_code, debug_data))
        self._forget_all()

    def _forget_all(self) -> None:
        self._is_over = True
        for stream in self._streams.values():
            stream.is_over = True
        self._streams.clear()
        self._unread.clear()
        self._fragments.clear()
        self._pending.clear()

    # ------------------------------------------------------------------------------- streams

    @property
    def _has_unread_heap(self) -> bool:
        """Whether so many streams ended unread that there shall be no more until some are consumed."""
        return len(self._unread) >= _UNREAD_STREAMS

    def _is_idle(self, stream_id: int) -> bool:
        """Whether a stream was never opened (section 5.1)."""
        return stream_id > (self._highest_id if stream_id & 1 else self._highest_pushed)

    def _close_stream(self, stream: Stream, how: int) -> None:
        """Forget an open stream but for how it ended (section 5.1)."""
        stream.is_over = True
        del self._streams[stream.id]
        if not stream.id & 1:
            self._pushed_open -= 1
        self._closed_streams.remember(stream.id, how)
        if stream.unread:
            self._unread[stream.id] = stream.unread

    def _reset_stream(self, stream: Stream, error_code: int) -> None:
        """Send RST_STREAM. What the peer has sent in the meantime will be ignored."""
        self._outgoing.append(rst_stream(stream.id, error_code))
        self._close_stream(stream, 0 if stream.receive_ended else max(stream.receive_window, 0))

    def _end_receiving(self, stream: Stream) -> None:
        """Note the peer's END_STREAM."""
        stream.receive_ended = True
        if stream.send_ended:
            self._close_stream(stream, ENDED)

    # -------------------------------------------------------------------------- flow control

    def consume(self, stream_id: int, amount: int) -> None:
        """Give credit back: WINDOW_UPDATE is sent once half a window is consumed (section 6.9)."""
        stream = self._streams.get(stream_id)
        if stream is not None:
            if amount > stream.unread:
                amount = stream.unread
            if amount > 0:
                stream.unread -= amount
                self._credit_stream(stream, amount)
                self._credit_connection(amount)
            return
        unread = self._unread.get(stream_id, 0)
        amount = min(amount, unread)
        if amount > 0:
            if amount == unread:
                del self._unread[stream_id]
            else:
                self._unread[stream_id] = unread - amount
            self._credit_connection(amount)

    def _credit_stream(self, stream: Stream, amount: int) -> None:
        stream.credit += amount
        if stream.credit * 2 >= stream.window and not (stream.receive_ended or stream.dropping):
            self._grant_stream(stream)

    def _grant_stream(self, stream: Stream) -> None:
        """Send WINDOW_UPDATE for what was consumed, and what the window has grown by since the last."""
        tuning = self._tuning
        increment = stream.credit + max(tuning.size - stream.window, 0)
        self._outgoing.append(window_update(stream.id, increment))
        if tuning.on_grant(stream, increment):
            self._outgoing.append(frame(PING, 0, 0, PROBE))
        stream.receive_window += increment
        stream.window = max(tuning.size, stream.window)
        stream.credit = 0

    def _credit_connection(self, amount: int) -> None:
        self._credit += amount
        if self._credit >= self._credit_step and not self._is_over:
            self._grant_connection()

    def _grant_connection(self) -> None:
        self._outgoing.append(window_update(0, self._credit))
        self._receive_window += self._credit
        self._credit = 0


def broken(
    message: str,
    rule: str,
    error_code: int = ErrorCode.PROTOCOL_ERROR,
    stream_id: int | None = None,
) -> RemoteProtocolError:
    """Return the error that ends a connection."""
    return RemoteProtocolError(message, error_code=error_code, stream_id=stream_id, rule=rule)
