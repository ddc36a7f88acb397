"""A QUIC transport that does what a test says, and remembers what HTTP/3 did to it."""

from __future__ import annotations

from pylsqpack import Encoder

from h123.protocol.connection import Role
from h123.protocol.events import Event, Headers
from h123.protocol.http3.connection import HTTP3Connection
from h123.protocol.http3.frames import encode_frame, encode_integer, encode_settings
from h123.protocol.limits import DEFAULT_LIMITS, Limits
from h123.protocol.quic.connection import (
    QUICConnection,
    QUICEvent,
    ResetReceived,
    StopSendingReceived,
    StreamDataReceived,
    TransportReady,
)

GET: Headers = [
    (b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"example.org"), (b":path", b"/"),
]  # fmt: skip
POST: Headers = [(b":method", b"POST"), *GET[1:]]
OK: Headers = [(b":status", b"200")]


class FakeQUIC(QUICConnection):
    """Tells what the test queued; holds what the engine sent, reset, stopped and consumed."""

    def __init__(self, role: Role) -> None:
        self.role = role
        self.queue: list[QUICEvent] = []
        self.sent: dict[int, bytearray] = {}
        self.ended: set[int] = set()
        self.resets: dict[int, int] = {}
        self.stops: dict[int, int] = {}
        self.consumed: dict[int, int] = {}
        self.pings: list[int] = []
        self.closed: tuple[int, str] | None = None
        self.capacity = 100_000
        self.waiting = 0
        self.allowed = 100
        self.flushed = True
        self.timeout: float | None = None
        self._next = {True: 2 if role is Role.CLIENT else 3, False: 0}

    def receive_datagram(self, data: bytes, address: object, now: float) -> list[QUICEvent]:
        queue, self.queue = self.queue, []
        return queue

    def datagrams_to_send(self, now: float) -> list[tuple[bytes, object]]:
        return [(b"datagram", "address")]

    def next_timeout(self) -> float | None:
        return self.timeout

    def handle_timeout(self, now: float) -> list[QUICEvent]:
        return self.receive_datagram(b"", None, now)

    def open_stream(self, *, unidirectional: bool = False) -> int:
        stream_id = self._next[unidirectional]
        self._next[unidirectional] += 4
        self.allowed -= not unidirectional
        self.sent[stream_id] = bytearray()
        return stream_id

    def send_stream_data(self, stream_id: int, data: bytes, *, end_stream: bool = False) -> None:
        assert stream_id not in self.ended, "sent after the end"
        self.sent.setdefault(stream_id, bytearray()).extend(data)
        if end_stream:
            self.ended.add(stream_id)

    def stream_capacity(self, stream_id: int) -> int:
        return self.capacity

    def queued(self, stream_id: int) -> int:
        return self.waiting

    def reset_stream(self, stream_id: int, error_code: int) -> None:
        self.resets.setdefault(stream_id, error_code)

    def stop_sending(self, stream_id: int, error_code: int) -> None:
        self.stops.setdefault(stream_id, error_code)

    def consume(self, stream_id: int, amount: int) -> None:
        self.consumed[stream_id] = self.consumed.get(stream_id, 0) + amount

    def ping(self, number: int) -> None:
        self.pings.append(number)

    def close(self, error_code: int, reason: str = "", *, application: bool = True) -> None:
        self.closed = self.closed or (error_code, reason)

    @property
    def available_streams(self) -> int:
        return self.allowed

    @property
    def is_ready(self) -> bool:
        return True

    @property
    def is_closed(self) -> bool:
        return self.closed is not None

    @property
    def is_flushed(self) -> bool:
        return self.flushed

    @property
    def alpn_protocol(self) -> str | None:
        return "h3"

    @property
    def peer_certificate(self) -> bytes | None:
        return None


class Bench:
    """An engine on a fake transport, with a peer whose bytes the test writes."""

    def __init__(
        self, role: Role, limits: Limits = DEFAULT_LIMITS, settings: dict[int, int] | None = None
    ) -> None:
        self.quic = FakeQUIC(role)
        self.engine = HTTP3Connection(role, self.quic, limits=limits)
        self.encoder = Encoder()
        self.now = 0.0
        # The peer's unidirectional streams: control, QPACK encoder and decoder, and further ones.
        first = 3 if role is Role.CLIENT else 2
        self.control, self.instructions, self.acknowledgements, self.other = range(
            first, first + 16, 4
        )
        self.tell(TransportReady("h3"))
        if settings is not None:
            self.data(self.control, b"\0" + encode_settings(settings))

    def tell(self, *events: QUICEvent) -> list[Event]:
        """Let the transport tell these events; return what the engine makes of them."""
        self.quic.queue += events
        return self.engine.receive_datagram(b"", "peer", self.now)

    def data(self, stream_id: int, data: bytes, end: bool = False) -> list[Event]:
        """Let bytes of a stream come."""
        return self.tell(StreamDataReceived(stream_id, data, end))

    def reset(self, stream_id: int, error_code: int) -> list[Event]:
        """Let RESET_STREAM come."""
        return self.tell(ResetReceived(stream_id, error_code))

    def stop(self, stream_id: int, error_code: int) -> list[Event]:
        """Let STOP_SENDING come."""
        return self.tell(StopSendingReceived(stream_id, error_code))

    def section(self, fields: Headers, stream_id: int = 0) -> bytes:
        """Return a HEADERS frame that needs no dynamic table."""
        return encode_frame(1, self.encoder.encode(stream_id, fields)[1])


def content(data: bytes) -> bytes:
    """Return a DATA frame."""
    return encode_frame(0, data)


def unknown(payload: bytes = b"") -> bytes:
    """Return a frame of a type that stands for nothing (RFC 9114 section 7.2.8)."""
    return encode_integer(0x21) + encode_integer(len(payload)) + payload
