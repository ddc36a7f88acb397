"""HTTP/2 by hyper-h2: `registry.find("h2", "hyper-h2")`, the extra `h2`.

hyper-h2 keeps the state of streams and windows; fields are judged by our rules on top of its own. What it
can not do is told in docs/engines-http2.md: it has no budgets against floods. It is over when GOAWAY is said
by either side; so ours is sent when the last stream has ended, and the peer's is kept from it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings

from ..connection import ByteStreamConnection, Role
from ..errors import ErrorCode, LocalProtocolError, RemoteProtocolError
from ..events import (
    CapacityChanged,
    ConnectionClosed,
    DataReceived,
    Event,
    GoAwayReceived,
    Headers,
    InformationalReceived,
    PingAcknowledged,
    RequestReceived,
    ResponseReceived,
    SettingsChanged,
    StreamReset,
    TrailersReceived,
)
from ..fields import (
    MalformedError,
    join_cookies,
    parse_request,
    parse_response,
    parse_trailers,
    request_fields,
    response_fields,
    trailer_fields,
)
from ..limits import DEFAULT_LIMITS, Limits

_PREFACE_SIZE = 24
_FRAME_HEADER_SIZE = 9
_GOAWAY = 0x7
_DEFAULT_WINDOW = 65535
_LARGEST_WINDOW = 2**31 - 1


class _Stream:
    """What an open stream still has to do."""

    __slots__ = ("dropping", "head_sent", "receive_ended", "send_ended")

    def __init__(self) -> None:
        self.head_sent = self.send_ended = self.receive_ended = self.dropping = False


class HyperH2Connection(ByteStreamConnection):
    """An HTTP/2 connection whose frames hyper-h2 reads and writes."""

    def __init__(self, role: Role, *, limits: Limits = DEFAULT_LIMITS) -> None:
        self.http_version = "HTTP/2"
        self.role = role
        self.limits = limits
        self._is_server = role is Role.SERVER
        self._streams: dict[int, _Stream] = {}
        self._unread: dict[int, int] = {}
        self._is_leaving = self._is_over = self._settings_received = self._peer_left = False
        self._peer_error = 0
        self._pending = bytearray()
        self._needed = _PREFACE_SIZE if self._is_server else _FRAME_HEADER_SIZE
        self._h2 = self._new_connection()

    def _new_connection(self) -> Any:
        config = h2.config.H2Configuration(
            client_side=not self._is_server,
            header_encoding=None,
            normalize_inbound_headers=False,  # crumbs of cookies are put together once they are judged
        )
        connection = h2.connection.H2Connection(config)
        codes = h2.settings.SettingCodes
        limits = self.limits
        settings: dict[Any, int] = {
            codes.INITIAL_WINDOW_SIZE: min(limits.stream_window, _LARGEST_WINDOW),
            codes.MAX_HEADER_LIST_SIZE: limits.header_block_size,
            codes.HEADER_TABLE_SIZE: limits.table_size,
        }
        if self._is_server:
            settings[codes.MAX_CONCURRENT_STREAMS] = limits.concurrent_streams
            settings[codes.ENABLE_CONNECT_PROTOCOL] = 1
        else:
            settings[codes.ENABLE_PUSH] = 0
        connection.local_settings = h2.settings.Settings(
            client=not self._is_server, initial_values=settings
        )
        connection.initiate_connection()
        more = min(limits.connection_window, _LARGEST_WINDOW) - _DEFAULT_WINDOW
        if more > 0:
            connection.increment_flow_control_window(more)
        return connection

    # ------------------------------------------------------------------------------ the wire

    def receive_data(self, data: bytes) -> list[Event]:
        """Take bytes from the peer: hyper-h2 is given a frame at a time, so that no event before a fault is lost."""
        events: list[Event] = []
        if self._is_over:
            return events
        pending = self._pending
        pending += data
        while len(pending) >= self._needed and not self._is_over:
            if self._needed == _FRAME_HEADER_SIZE:
                self._needed += int.from_bytes(pending[:3], "big")
                if len(pending) < min(self._needed, _FRAME_HEADER_SIZE + 65536):
                    break
            piece = bytes(pending[: self._needed])
            del pending[: self._needed]
            self._needed = _FRAME_HEADER_SIZE
            self._receive(piece, events)
        return events

    def _receive(self, piece: bytes, events: list[Event]) -> None:
        if piece[3] == _GOAWAY and piece[5:9] == bytes(4) and len(piece) >= _FRAME_HEADER_SIZE + 8:
            self._on_goaway(piece[_FRAME_HEADER_SIZE:], events)
            return
        try:
            for event in self._h2.receive_data(piece):
                take = _TAKERS.get(type(event))
                if take is not None:
                    take(self, event, events)
        except h2.exceptions.ProtocolError as error:
            self._forget_all()
            raise RemoteProtocolError(
                str(error) or type(error).__name__,
                error_code=getattr(error, "error_code", ErrorCode.PROTOCOL_ERROR),
                rule="hyper-h2",
                events=events,
            ) from error

    def receive_eof(self) -> list[Event]:
        """Take the end of the peer's bytes. Raises `RemoteProtocolError` if it cuts anything off."""
        if self._is_over:
            return []
        cut_off = [s for s in self._streams.values() if self._is_server or not s.receive_ended]
        broken_off = bool(cut_off or self._pending)
        self._forget_all()
        if broken_off:
            raise RemoteProtocolError(
                "the peer closed the connection in the middle",
                error_code=self._peer_error,
                rule="connection-cut-off",
            )
        return [ConnectionClosed(self._peer_error)]

    def data_to_send(self) -> bytes:
        """Return all bytes that wait to be sent, and forget them."""
        data: bytes = self._h2.data_to_send()
        return data

    def _forget_all(self) -> None:
        self._is_over = True
        self._streams.clear()
        self._unread.clear()
        self._pending.clear()

    # ------------------------------------------------------------------------ what was received

    def _on_request(self, event: Any, events: list[Event]) -> None:
        stream_id, ends = event.stream_id, event.stream_ended is not None
        if self._is_leaving:
            self._h2.reset_stream(stream_id, ErrorCode.REFUSED_STREAM)
            return
        stream = self._streams[stream_id] = _Stream()
        stream.receive_ended = ends
        try:
            head = parse_request(self._section(event))
        except MalformedError as error:
            self._refuse(stream_id, error, events)
            return
        events.append(
            RequestReceived(
                stream_id,
                head.method,
                head.target,
                head.scheme,
                head.authority,
                join_cookies(head.headers),
                ends,
                "HTTP/2",
                head.protocol,
            )
        )

    def _on_response(self, event: Any, events: list[Event]) -> None:
        stream_id = event.stream_id
        informational = isinstance(event, h2.events.InformationalResponseReceived)
        ends = not informational and event.stream_ended is not None
        try:
            status, headers = parse_response(self._section(event))
        except MalformedError as error:
            self._refuse(stream_id, error, events)
            return
        if not self._streams[stream_id].dropping:
            if informational:
                events.append(InformationalReceived(stream_id, status, headers))
            else:
                events.append(ResponseReceived(stream_id, status, headers, ends, "HTTP/2"))
        self._end_receiving(stream_id, ends)

    def _on_trailers(self, event: Any, events: list[Event]) -> None:
        try:
            headers = parse_trailers(self._section(event))
        except MalformedError as error:
            self._refuse(event.stream_id, error, events)
            return
        if not self._streams[event.stream_id].dropping:
            events.append(TrailersReceived(event.stream_id, headers))
        self._end_receiving(event.stream_id, True)

    def _section(self, event: Any) -> Headers:
        fields = [(bytes(name), bytes(value)) for name, value in event.headers]
        if len(fields) > self.limits.header_fields:
            raise MalformedError("too many fields", "header-block-too-large")
        return fields

    def _on_data(self, event: Any, events: list[Event]) -> None:
        stream_id, ends = event.stream_id, event.stream_ended is not None
        size = len(event.data)
        stream = self._streams.get(stream_id)
        credit = event.flow_controlled_length - size
        if stream is None or stream.dropping:
            credit += size
        else:
            if size:
                self._unread[stream_id] = self._unread.get(stream_id, 0) + size
            if size or ends:
                events.append(DataReceived(stream_id, bytes(event.data), ends))
        if credit:
            self._h2.acknowledge_received_data(credit, stream_id)
        self._end_receiving(stream_id, ends)

    def _on_reset(self, event: Any, events: list[Event]) -> None:
        known = self._streams.pop(event.stream_id, None)
        if known is not None:
            code = int(event.error_code)
            unprocessed = code == ErrorCode.REFUSED_STREAM and not self._is_server
            events.append(StreamReset(event.stream_id, code, event.remote_reset, unprocessed))

    def _on_window(self, event: Any, events: list[Event]) -> None:
        events.append(CapacityChanged(event.stream_id or None))

    def _on_settings(self, event: Any, events: list[Event]) -> None:
        self._settings_received = True
        changed = {int(code): change.new_value for code, change in event.changed_settings.items()}
        events.append(SettingsChanged(changed))
        events.append(CapacityChanged(None))

    def _on_ping(self, event: Any, events: list[Event]) -> None:
        events.append(PingAcknowledged(bytes(event.ping_data)))

    def _on_goaway(self, payload: bytes, events: list[Event]) -> None:
        """Take GOAWAY ourselves: hyper-h2 would be over with it, and the open streams with that."""
        last_id = int.from_bytes(payload[:4], "big") & 0x7FFFFFFF
        self._peer_error = int.from_bytes(payload[4:8], "big")
        self._peer_left = True
        events.append(GoAwayReceived(last_id, self._peer_error, payload[8:]))
        ours = 0 if self._is_server else 1
        for stream_id in [number for number in self._streams if number > last_id]:
            if stream_id & 1 == ours:
                self.reset_stream(stream_id, ErrorCode.CANCEL)
                code = ErrorCode.REFUSED_STREAM
                events.append(
                    StreamReset(stream_id, code, unprocessed=True, message="the peer is leaving")
                )

    def _refuse(self, stream_id: int, error: MalformedError, events: list[Event]) -> None:
        self._h2.reset_stream(stream_id, ErrorCode.PROTOCOL_ERROR)
        del self._streams[stream_id]
        events.append(
            StreamReset(
                stream_id,
                ErrorCode.PROTOCOL_ERROR,
                remote=False,
                message=str(error),
                rule=error.rule,
            )
        )

    def _end_receiving(self, stream_id: int, ends: bool) -> None:
        stream = self._streams.get(stream_id)
        if stream is not None and ends:
            stream.receive_ended = True
            self._settle(stream_id, stream)

    def _settle(self, stream_id: int, stream: _Stream) -> None:
        if stream.receive_ended and stream.send_ended:
            del self._streams[stream_id]
            self._leave_when_idle()

    # -------------------------------------------------------------------------------- sending

    def send_request(
        self,
        method: bytes,
        target: bytes,
        headers: Headers,
        *,
        scheme: bytes = b"https",
        authority: bytes = b"",
        end_stream: bool = False,
        protocol: bytes = b"",
    ) -> int:
        """Start a request (client) and return its stream's id."""
        if self._is_server:
            raise LocalProtocolError("a server sends no requests")
        if self.available_streams == 0:
            raise LocalProtocolError("no stream is available")
        if protocol and not self._h2.remote_settings.enable_connect_protocol:
            raise LocalProtocolError("the server has not allowed extended CONNECT")
        fields = request_fields(method, target, headers, scheme, authority, protocol)
        stream_id: int = self._h2.get_next_available_stream_id()
        self._call(self._h2.send_headers, stream_id, fields, end_stream)
        stream = self._streams[stream_id] = _Stream()
        stream.head_sent = True
        stream.send_ended = end_stream
        return stream_id

    def send_informational(self, stream_id: int, status: int, headers: Headers) -> None:
        """Send a 1xx response (server)."""
        self._to_answer(stream_id)
        if not 100 <= status < 200 or status == 101:
            raise LocalProtocolError(f"{status} is no informational status of HTTP/2")
        self._call(self._h2.send_headers, stream_id, response_fields(status, headers), False)

    def send_response(
        self, stream_id: int, status: int, headers: Headers, *, end_stream: bool = False
    ) -> None:
        """Send the final response's head (server)."""
        stream = self._to_answer(stream_id)
        if not 200 <= status < 1000:
            raise LocalProtocolError(f"{status} is no final status")
        self._call(self._h2.send_headers, stream_id, response_fields(status, headers), end_stream)
        stream.head_sent = True
        if end_stream:
            self._end_sending(stream_id, stream)

    def send_data(self, stream_id: int, data: bytes, *, end_stream: bool = False) -> None:
        """Send content, in frames of the peer's size."""
        stream = self._to_send(stream_id)
        if len(data) > self.send_capacity(stream_id) and data:
            raise LocalProtocolError(f"stream {stream_id} does not take {len(data)} bytes now")
        most = self._h2.max_outbound_frame_size
        last = max(len(data) - most, 0)
        for start in range(0, last, most):
            self._call(self._h2.send_data, stream_id, data[start : start + most])
        rest = data[-(-last // most) * most :]
        if rest or end_stream:
            self._call(self._h2.send_data, stream_id, rest, end_stream)
        if end_stream:
            self._end_sending(stream_id, stream)

    def send_trailers(self, stream_id: int, headers: Headers) -> None:
        """Send the trailer section and end the stream."""
        stream = self._to_send(stream_id)
        fields = trailer_fields(headers)
        if not fields:
            self.send_data(stream_id, b"", end_stream=True)
            return
        self._call(self._h2.send_headers, stream_id, fields, True)
        self._end_sending(stream_id, stream)

    def reset_stream(self, stream_id: int, error_code: int = ErrorCode.CANCEL) -> None:
        """End a stream at once. What it had unread is credited to the connection."""
        if self._streams.pop(stream_id, None) is not None:
            self._call(self._h2.reset_stream, stream_id, error_code)
            unread = self._unread.pop(stream_id, 0)
            if unread:
                self._h2.acknowledge_received_data(unread, stream_id)
            self._leave_when_idle()

    def stop_receiving(self, stream_id: int) -> None:
        """Drop what still comes: RST_STREAM follows our END_STREAM."""
        stream = self._streams.get(stream_id)
        if stream is not None and not stream.receive_ended:
            stream.dropping = True
            if stream.send_ended:
                self._end_sending(stream_id, stream)

    def ping(self, payload: bytes) -> None:
        """Ask for a `PingAcknowledged` with these 8 bytes."""
        if len(payload) != 8 or self._is_over:
            raise LocalProtocolError("a PING carries 8 bytes, on an open connection")
        self._call(self._h2.ping, payload)

    def close(self, error_code: int = ErrorCode.NO_ERROR) -> None:
        """Take no new streams; say GOAWAY once the open ones are over, with an error at once."""
        if error_code != ErrorCode.NO_ERROR and not self._is_over:
            self._h2.close_connection(error_code)
            self._forget_all()
        self._is_leaving = True
        self._leave_when_idle()

    def _leave_when_idle(self) -> None:
        if self._is_leaving and not self._streams and not self._is_over:
            self._h2.close_connection()
            self._forget_all()

    def _end_sending(self, stream_id: int, stream: _Stream) -> None:
        stream.send_ended = True
        if stream.dropping and not stream.receive_ended:
            self.reset_stream(
                stream_id, ErrorCode.NO_ERROR if self._is_server else ErrorCode.CANCEL
            )
        else:
            self._settle(stream_id, stream)

    def _to_answer(self, stream_id: int) -> _Stream:
        stream = self._streams.get(stream_id)
        if stream is None or not self._is_server or stream.head_sent:
            raise LocalProtocolError(f"stream {stream_id} wants no response")
        return stream

    def _to_send(self, stream_id: int) -> _Stream:
        stream = self._streams.get(stream_id)
        if stream is None or stream.send_ended or not stream.head_sent:
            raise LocalProtocolError(f"stream {stream_id} takes no content now")
        return stream

    def _call(self, method: Callable[..., object], *arguments: Any) -> None:
        try:
            method(*arguments)
        except (h2.exceptions.H2Error, ValueError) as error:
            raise LocalProtocolError(str(error) or type(error).__name__) from error

    # ------------------------------------------------------------------------ flow and capacity

    def send_capacity(self, stream_id: int, needed: int = 0) -> int:
        """Return how many bytes `send_data` takes now: what both windows leave."""
        stream = self._streams.get(stream_id)
        if stream is None or stream.send_ended or not stream.head_sent:
            return 0
        return max(int(self._h2.local_flow_control_window(stream_id)), 0)

    def consume(self, stream_id: int, amount: int) -> None:
        """Give credit back; hyper-h2 decides when WINDOW_UPDATE is sent."""
        unread = self._unread.get(stream_id, 0)
        amount = min(amount, unread)
        if amount > 0:
            if amount == unread:
                del self._unread[stream_id]
            else:
                self._unread[stream_id] = unread - amount
            self._h2.acknowledge_received_data(amount, stream_id)

    @property
    def available_streams(self) -> int:
        """How many requests `send_request` would take now."""
        if self._is_server or self.is_draining:
            return 0
        most = self._h2.remote_settings.max_concurrent_streams if self._settings_received else 100
        return max(int(most) - len(self._streams), 0)

    @property
    def wants_data(self) -> bool:
        """Whether to go on receiving."""
        return not self._is_over

    @property
    def is_idle(self) -> bool:
        """Whether no stream is open."""
        return not self._streams

    @property
    def is_draining(self) -> bool:
        """Whether no new stream can be opened."""
        return self._is_leaving or self._peer_left or self._is_over

    @property
    def is_closed(self) -> bool:
        """Whether nothing more can be sent or received."""
        left = self._peer_left and not self._is_server and not self._streams
        return self._is_over or left


_TAKERS: dict[type, Callable[[HyperH2Connection, Any, list[Event]], None]] = {
    h2.events.RequestReceived: HyperH2Connection._on_request,
    h2.events.ResponseReceived: HyperH2Connection._on_response,
    h2.events.InformationalResponseReceived: HyperH2Connection._on_response,
    h2.events.TrailersReceived: HyperH2Connection._on_trailers,
    h2.events.DataReceived: HyperH2Connection._on_data,
    h2.events.StreamReset: HyperH2Connection._on_reset,
    h2.events.WindowUpdated: HyperH2Connection._on_window,
    h2.events.RemoteSettingsChanged: HyperH2Connection._on_settings,
    h2.events.PingAckReceived: HyperH2Connection._on_ping,
}
