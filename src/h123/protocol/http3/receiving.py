"""What an HTTP/3 connection does with what its transport tells, and the state that this changes.

RFC 9114 sections 4.1 (a stream's end, in all its ways), 5 (the connection's end) and 6 (streams). Frames
are read by `messages` and `control`; here is which stream they are for, who is told, and what is credited.
"""

from __future__ import annotations

from ..connection import DatagramConnection, Role
from ..errors import RemoteProtocolError
from ..events import (
    CapacityChanged,
    ConnectionClosed,
    Event,
    HandshakeCompleted,
    Headers,
    PingAcknowledged,
    StopSending,
    StreamReset,
)
from ..fields import response_fields
from ..limits import DEFAULT_LIMITS, Limits
from ..quic.connection import (
    PingReplied,
    QUICConnection,
    QUICEvent,
    ResetReceived,
    StopSendingReceived,
    StreamCapacityChanged,
    StreamDataReceived,
    StreamsAvailable,
    TransportClosed,
    TransportReady,
)
from . import frames
from .budget import Budget
from .control import PeerStreams
from .errors import H3ErrorCode, name_of
from .messages import HTTP_VERSION, MessageReader, StreamFault
from .qpack import FieldDecoder, FieldEncoder
from .stream import Part, RequestStream

LONGEST_DECODER_QUEUE = 65536
"""Bytes for QPACK's decoder stream that wait for a peer which grants it no credit."""
UNLIMITED = 1 << 62
_CLIENT_REQUEST, _SERVER_REQUEST = 0, 1  # a stream id's two lowest bits (RFC 9000 section 2.1)


class ReceivingConnection(DatagramConnection):
    """The receiving half of `HTTP3Connection`."""

    http_version = HTTP_VERSION

    def __init__(
        self, role: Role, quic: QUICConnection, *, limits: Limits = DEFAULT_LIMITS
    ) -> None:
        self.role = role
        self.limits = limits
        self.quic = quic
        self._is_server = role is Role.SERVER
        self._streams: dict[int, RequestStream] = {}
        self._unread: dict[int, int] = {}
        self._last_stream_id = -4
        self._closed = False
        self._closing = False
        self._refused_from = UNLIMITED
        self._pings: dict[int, bytes] = {}
        self._ping_count = 0

        self._budget = Budget(limits)
        self._encoder = FieldEncoder(limits)
        self._decoder = FieldDecoder(limits)
        self._reader = MessageReader(role, limits, self._decoder, self._budget)
        self._peer = PeerStreams(role, limits, self._encoder, self._decoder, self._budget)
        self._control_stream = self._encoder_stream = self._decoder_stream = -1

    def __repr__(self) -> str:
        if self.is_closed:
            state = "CLOSED"
        elif self.is_draining:
            state = "DRAINING"
        else:
            state = "ACTIVE" if self.is_ready else "HANDSHAKE"
        return f"<HTTP3Connection [{self.role.value}, {state}, {len(self._streams)} streams]>"

    # -------------------------------------------------------------------------------- the wire

    def receive_datagram(self, data: bytes, address: object, now: float) -> list[Event]:
        """Take one UDP payload. Raises `RemoteProtocolError`, with what came before in its `events`."""
        if self._closed:
            return []
        self._budget.tick(now)
        return self._handle(self.quic.receive_datagram(data, address, now))

    def handle_timeout(self, now: float) -> list[Event]:
        """Let time pass. Raises `RemoteProtocolError` if the peer is gone."""
        self._budget.tick(now)
        told = self.quic.handle_timeout(now)
        return [] if self._closed else self._handle(told)

    # ----------------------------------------------------------------------------------- state

    @property
    def is_ready(self) -> bool:
        """Whether the handshake is complete."""
        return self._control_stream >= 0

    @property
    def is_draining(self) -> bool:
        """Whether no new stream can be opened, by either side's word."""
        return self._closing or self.is_closed or (self._peer.is_leaving and not self._is_server)

    @property
    def is_closed(self) -> bool:
        """Whether nothing more can be sent or received, but what `datagrams_to_send` still holds."""
        return self._closed or self.quic.is_closed

    # --------------------------------------------------------------- private: what ends a stream

    def _send_section(self, stream: RequestStream, fields: Headers, end_stream: bool) -> None:
        instructions, block = self._encoder.encode(stream.stream_id, fields)
        if instructions:
            self.quic.send_stream_data(self._encoder_stream, instructions)
        frame = frames.encode_frame(frames.HEADERS, block)
        self.quic.send_stream_data(stream.stream_id, frame, end_stream=end_stream)
        if end_stream:
            self._end_sending(stream)

    def _end_sending(self, stream: RequestStream) -> None:
        stream.sending = None
        if stream.receiving is None:
            del self._streams[stream.stream_id]

    def _stop(self, stream: RequestStream, error_code: int) -> None:
        """Read no more of a stream."""
        stream.receiving = None
        stream.buffer.clear()
        self._decoder.cancel(stream.stream_id)
        self.quic.stop_sending(stream.stream_id, error_code)
        if stream.held:
            self.quic.consume(stream.stream_id, stream.held)
            stream.held = 0

    def _abort(self, stream: RequestStream, error_code: int) -> None:
        """End what is left of a stream, both ways, and forget it."""
        if stream.sending is not None or not self._is_server:
            # A response that was sent whole is left alone; a request that was is called back.
            self.quic.reset_stream(stream.stream_id, error_code)
        if stream.receiving is not None:
            self._stop(stream, error_code)
        del self._streams[stream.stream_id]

    def _release_unread(self, stream_id: int) -> None:
        """Credit content that nobody will consume any more."""
        unread = self._unread.pop(stream_id, 0)
        if unread:
            self.quic.consume(stream_id, unread)

    def _flush_decoder(self) -> None:
        if self._decoder.output and self.is_ready and not self.is_closed:
            output, self._decoder.output = self._decoder.output, b""
            self.quic.send_stream_data(self._decoder_stream, output)

    # ----------------------------------------------------------------------- private: what is told

    def _handle(self, told: list[QUICEvent]) -> list[Event]:
        events: list[Event] = []
        try:
            for event in told:
                self._handle_event(event, events)
            if self._decoder.output and self.is_ready:
                if self.quic.queued(self._decoder_stream) > LONGEST_DECODER_QUEUE:
                    raise RemoteProtocolError(
                        "the peer does not read our QPACK decoder stream",
                        error_code=H3ErrorCode.EXCESSIVE_LOAD,
                        rule="queued-answers",
                    )
                self._flush_decoder()
        except RemoteProtocolError as error:
            self._closed = True
            self._streams.clear()
            self.quic.close(error.error_code, str(error))
            error.events = events
            raise
        return events

    def _handle_event(self, event: QUICEvent, events: list[Event]) -> None:
        if isinstance(event, StreamDataReceived):
            if event.stream_id & 2:
                self._take_peer_data(event, events)
            else:
                self._take_data(event, events)
        elif isinstance(event, StreamCapacityChanged):
            if event.stream_id in self._streams:
                events.append(CapacityChanged(event.stream_id))
        elif isinstance(event, ResetReceived):
            if event.stream_id & 2:
                self._peer.end(event.stream_id)
            else:
                self._take_reset(event, events)
        elif isinstance(event, StopSendingReceived):
            if event.stream_id & 2:
                raise _critical_stream_closed()
            self._take_stop_sending(event, events)
        elif isinstance(event, StreamsAvailable):
            if not self.is_draining:
                events.append(CapacityChanged(None))
        elif isinstance(event, PingReplied):
            events.append(PingAcknowledged(self._pings.pop(event.number)))
        elif isinstance(event, TransportReady):
            self._begin(event.alpn_protocol)
            events.append(HandshakeCompleted(event.alpn_protocol))
        else:
            assert isinstance(event, TransportClosed)
            self._take_close(event, events)

    def _begin(self, alpn_protocol: str) -> None:
        """Open our three unidirectional streams (RFC 9114 section 6.2, RFC 9204 section 4.2)."""
        if alpn_protocol != "h3":
            raise RemoteProtocolError(
                f"the peer speaks {alpn_protocol or 'no protocol that it named'}, not h3",
                error_code=H3ErrorCode.GENERAL_PROTOCOL_ERROR,
                rule="alpn",
            )
        settings = {
            frames.QPACK_MAX_TABLE_CAPACITY: self.limits.table_size,
            frames.MAX_FIELD_SECTION_SIZE: self.limits.header_block_size,
            frames.QPACK_BLOCKED_STREAMS: self.limits.blocked_streams,
            frames.GREASE_SETTING: 1,
        }
        if self._is_server:
            settings[frames.ENABLE_CONNECT_PROTOCOL] = 1
        opening = bytes([frames.CONTROL_STREAM]) + frames.encode_settings(settings)
        self._control_stream = self._open(opening)
        self._encoder_stream = self._open(bytes([frames.QPACK_ENCODER_STREAM]))
        self._decoder_stream = self._open(bytes([frames.QPACK_DECODER_STREAM]))

    def _open(self, opening: bytes) -> int:
        stream_id = self.quic.open_stream(unidirectional=True)
        self.quic.send_stream_data(stream_id, opening)
        return stream_id

    def _take_peer_data(self, event: StreamDataReceived, events: list[Event]) -> None:
        """Read the peer's unidirectional streams, and do what that sets off."""
        self.quic.consume(event.stream_id, len(event.data))
        peer = self._peer
        refused = peer.receive(event.stream_id, event.data, event.end_stream, events)
        if refused and not event.end_stream:
            self.quic.stop_sending(event.stream_id, H3ErrorCode.STREAM_CREATION_ERROR)
        if peer.instructions:
            self.quic.send_stream_data(self._encoder_stream, peer.instructions)
            peer.instructions = b""
        for stream_id in peer.unblocked:
            self._resume(self._streams[stream_id], events)
        peer.unblocked = []
        if peer.is_leaving and not self._is_server:
            self._drop_unprocessed(peer.goaway_id, events)

    def _take_data(self, event: StreamDataReceived, events: list[Event]) -> None:
        stream = self._streams.get(event.stream_id) or self._meet(event.stream_id)
        if stream is None:
            self.quic.consume(event.stream_id, len(event.data))
            return
        received = stream.received
        try:
            self._reader.receive(stream, event.data, event.end_stream, events)
        except StreamFault as fault:
            self._refuse(stream, fault, events)
        self._settle(stream, len(event.data), received)

    def _resume(self, stream: RequestStream, events: list[Event]) -> None:
        received = stream.received
        try:
            self._reader.resume(stream, events)
        except StreamFault as fault:
            self._refuse(stream, fault, events)
        self._settle(stream, 0, received)

    def _settle(self, stream: RequestStream, fresh: int, received: int) -> None:
        """Credit what was read and is not content; forget the stream if it is done."""
        stream_id = stream.stream_id
        is_open = stream_id in self._streams
        content = stream.received - received if is_open else 0
        held = len(stream.buffer) if stream.is_blocked and is_open else 0
        credit = fresh + stream.held - held - content
        stream.held = held
        if content:
            self._unread[stream_id] = self._unread.get(stream_id, 0) + content
        if credit:
            self.quic.consume(stream_id, credit)
        if is_open and stream.receiving is None and stream.sending is None:
            del self._streams[stream_id]

    def _meet(self, stream_id: int) -> RequestStream | None:
        """Return a stream that the peer has just opened; None for one that is over or refused."""
        if stream_id & 3 == _SERVER_REQUEST and not self._is_server:
            raise RemoteProtocolError(
                "a server opened a bidirectional stream",
                error_code=H3ErrorCode.STREAM_CREATION_ERROR,
                rule="stream-creation",
            )
        if stream_id & 3 != _CLIENT_REQUEST or not self._is_server:
            return None
        if stream_id >= self._refused_from:
            self.quic.reset_stream(stream_id, H3ErrorCode.REQUEST_REJECTED)
            self.quic.stop_sending(stream_id, H3ErrorCode.REQUEST_REJECTED)
            return None
        self._last_stream_id = max(self._last_stream_id, stream_id)
        stream = self._streams[stream_id] = RequestStream(stream_id)
        return stream

    def _refuse(self, stream: RequestStream, fault: StreamFault, events: list[Event]) -> None:
        """End a stream on which the peer broke a rule, with an answer where there is one."""
        if fault.status:
            fields = response_fields(fault.status, [(b"content-length", b"0")])
            self._send_section(stream, fields, True)
            fault.error_code = H3ErrorCode.NO_ERROR  # the answer is good (RFC 9114 section 4.1)
        events.append(
            StreamReset(stream.stream_id, fault.error_code, False, False, str(fault), fault.rule)
        )
        self._abort(stream, fault.error_code)
        self._release_unread(stream.stream_id)
        self._count_reset()

    def _count_reset(self) -> None:
        if self._is_server:  # a client's streams are as many as it opens itself
            self._budget.reset()

    def _take_reset(self, event: ResetReceived, events: list[Event]) -> None:
        stream = self._streams.get(event.stream_id) or self._meet(event.stream_id)
        if stream is None:
            return
        if stream.receiving is not None:
            stream.receiving = None
            self._decoder.cancel(event.stream_id)
        unsent = stream.sending is not None
        self._end_remotely(stream, event.error_code, events)
        if unsent:
            self._count_reset()

    def _take_stop_sending(self, event: StopSendingReceived, events: list[Event]) -> None:
        stream = self._streams.get(event.stream_id)
        if stream is None and event.stream_id > self._last_stream_id:
            stream = self._meet(event.stream_id)
        if stream is None or stream.sending is None:
            return
        stream.sending = None
        rejected = not self._is_server and event.error_code == H3ErrorCode.REQUEST_REJECTED
        if rejected or (self._is_server and stream.receiving in (None, Part.HEAD)):
            # A server's client has cancelled the request; a client's server has not begun it.
            self._end_remotely(stream, event.error_code, events)
        else:
            events.append(StopSending(event.stream_id, event.error_code))
            if stream.receiving is None:
                del self._streams[event.stream_id]
        self._count_reset()

    def _end_remotely(self, stream: RequestStream, error_code: int, events: list[Event]) -> None:
        """Forget a stream that the peer has given up."""
        self._abort(stream, H3ErrorCode.REQUEST_CANCELLED)
        self._release_unread(stream.stream_id)
        if stream.held:
            self.quic.consume(stream.stream_id, stream.held)
        if stream.announced:
            unprocessed = not self._is_server and error_code == H3ErrorCode.REQUEST_REJECTED
            events.append(StreamReset(stream.stream_id, error_code, True, unprocessed))

    def _drop_unprocessed(self, first_refused: int, events: list[Event]) -> None:
        """End the requests that a GOAWAY says will not be answered (RFC 9114 section 5.2)."""
        for stream_id in [each for each in self._streams if each >= first_refused]:
            self._end_remotely(self._streams[stream_id], H3ErrorCode.REQUEST_REJECTED, events)

    def _take_close(self, event: TransportClosed, events: list[Event]) -> None:
        """Tell the connection's end: quietly if nothing was cut off by it."""
        cut_off = len(self._streams)
        message = event.reason
        if event.application:
            code = name_of(event.error_code)
            message = f"{code}: {message}" if message else code
        if event.remote:
            closed = "the peer closed the connection"
            message = f"{closed}: {message}" if message else closed
        if cut_off or not self.is_ready or event.rule == "quic":
            raise RemoteProtocolError(message, error_code=event.error_code, rule=event.rule)
        self._closed = True
        events.append(ConnectionClosed(event.error_code, message))


def _critical_stream_closed() -> RemoteProtocolError:
    return RemoteProtocolError(
        "the peer wants nothing of a stream that must stay open",
        error_code=H3ErrorCode.CLOSED_CRITICAL_STREAM,
        rule="critical-stream",
    )
