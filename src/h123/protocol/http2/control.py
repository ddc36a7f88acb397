"""Receiving the frames that manage a connection and its streams (RFC 9113 sections 6.3 to 6.9)."""

from __future__ import annotations

from typing import Final

from ..errors import ErrorCode
from ..events import (
    CapacityChanged,
    GoAwayReceived,
    PingAcknowledged,
    SettingsChanged,
    StopSending,
    StreamReset,
)
from .frames import ACK, LARGEST_WINDOW, PING, SETTINGS, UINT32, frame, goaway
from .settings import (
    ENABLE_CONNECT_PROTOCOL,
    ENABLE_PUSH,
    HEADER_TABLE_SIZE,
    INITIAL_WINDOW_SIZE,
    MAX_CONCURRENT_STREAMS,
    MAX_FRAME_SIZE,
    NO_RFC7540_PRIORITIES,
    parse_settings,
    stream_window,
)
from .state import ConnectionState, broken
from .streams import RESET_BY_PEER, Stream, StreamFault
from .tuning import PROBE

DRAIN_PING: Final = b"h123 bye"
"""The PING behind the first GOAWAY: its answer says that the peer has read that (section 6.8)."""

_UNLIMITED_STREAMS: Final = 2**31 - 1


class ControlFrames(ConnectionState):
    """What SETTINGS, PING, GOAWAY, WINDOW_UPDATE, RST_STREAM and PRIORITY do."""

    def _expect(self, kind: str, payload: bytes, size: int) -> None:
        if len(payload) != size:
            raise broken(
                f"a {kind} frame of {len(payload)} bytes", "frame-size", ErrorCode.FRAME_SIZE_ERROR
            )

    def _expect_connection(self, kind: str, stream_id: int) -> None:
        if stream_id:
            raise broken(f"a {kind} frame on stream {stream_id}", "stream-id", stream_id=stream_id)

    def _expect_stream(self, kind: str, stream_id: int) -> None:
        """All but HEADERS and PRIORITY must be about a stream that was opened (section 5.1)."""
        if stream_id == 0:
            raise broken(f"a {kind} frame on no stream", "stream-id")
        if self._is_idle(stream_id):
            raise broken(
                f"a {kind} frame on idle stream {stream_id}", "idle-stream", stream_id=stream_id
            )

    # ------------------------------------------------------------------------------ SETTINGS

    def _on_settings(self, flags: int, stream_id: int, payload: bytes) -> None:
        self._expect_connection("SETTINGS", stream_id)
        self._budgets.spend_idle()
        if flags & ACK:
            self._expect("SETTINGS acknowledgement", payload, 0)
            self._on_settings_acknowledged()
            return
        settings = parse_settings(payload, self.limits.settings_per_frame)
        before = self._capacities()
        if not self._settings_received:
            self._settings_received = True
            self._max_streams = _UNLIMITED_STREAMS
            self._peer_priorities = dict(settings).get(NO_RFC7540_PRIORITIES, 0)
        for number, value in settings:
            self._apply(number, value)
        self._answer(frame(SETTINGS, ACK, 0, b""))
        self._events.append(SettingsChanged(dict(settings)))
        streams, window = self._capacities()
        if streams > before[0] or window > before[1]:
            self._events.append(CapacityChanged(None))

    def _capacities(self) -> tuple[int, int]:
        return self.available_streams, self._initial_window

    def _apply(self, number: int, value: int) -> None:
        if number == HEADER_TABLE_SIZE:
            self._encoder.max_table_size = min(value, self.limits.table_size)
        elif number == ENABLE_PUSH:
            if value and not self._is_server:
                raise broken("a server can not enable push", "settings-value")
            self._push_enabled = bool(value)
        elif number == MAX_CONCURRENT_STREAMS:
            self._max_streams = value
        elif number == INITIAL_WINDOW_SIZE:
            self._change_initial_window(value)
        elif number == MAX_FRAME_SIZE:
            self._max_frame_size = value
        elif number == NO_RFC7540_PRIORITIES:
            if value != self._peer_priorities:
                raise broken("the scheme of priorities can not be changed", "settings-value")
        elif number == ENABLE_CONNECT_PROTOCOL:
            if self._connect_protocol and not value:
                raise broken("extended CONNECT can not be taken back", "settings-value")
            self._connect_protocol = bool(value)

    def _change_initial_window(self, size: int) -> None:
        """Move the windows of all streams, below zero if need be (section 6.9.2)."""
        self._initial_window = size
        # The bound holds for streams that are long over too: look closer before judging.
        if size + self._largest_offset > LARGEST_WINDOW:
            offsets = [stream.send_offset for stream in self._streams.values()]
            self._largest_offset = max(offsets, default=0)
            if size + self._largest_offset > LARGEST_WINDOW:
                raise broken(
                    "SETTINGS make a window too large",
                    "window-overflow",
                    ErrorCode.FLOW_CONTROL_ERROR,
                )

    def _on_settings_acknowledged(self) -> None:
        """Hold the peer to our settings from here on (section 6.5.3)."""
        if self._settings_acknowledged:
            return
        self._settings_acknowledged = True
        self._decoder.max_table_size = self.limits.table_size
        self._kept_requests.clear()
        self._kept_responses.clear()
        less = self._stream_window - stream_window(self.limits)
        if less:
            self._stream_window -= less
            for stream in self._streams.values():
                stream.receive_window -= less
                stream.window -= less

    # ---------------------------------------------------------------------------------- PING

    def _on_ping(self, flags: int, stream_id: int, payload: bytes) -> None:
        self._expect_connection("PING", stream_id)
        self._expect("PING", payload, 8)
        self._budgets.spend_idle()
        if not flags & ACK:
            self._answer(frame(PING, ACK, 0, payload))
        elif payload in self._pings:
            self._pings.remove(payload)
            self._events.append(PingAcknowledged(payload))
        elif payload == DRAIN_PING and self._is_leaving:
            self._finish_leaving()
        elif payload == PROBE:
            self._tuning.on_answer()

    def _finish_leaving(self) -> None:
        """Say which requests were the last: the peer has read that there shall be no more."""
        if not self._is_final:
            self._is_final = self._ends_when_idle = True
            self._last_taken_id = self._highest_id if self._is_server else self._highest_pushed
            self._outgoing.append(goaway(self._last_taken_id, ErrorCode.NO_ERROR))

    # -------------------------------------------------------------------------------- GOAWAY

    def _on_goaway(self, flags: int, stream_id: int, payload: bytes) -> None:
        self._expect_connection("GOAWAY", stream_id)
        if len(payload) < 8:
            self._expect("GOAWAY", payload, 8)
        self._budgets.spend_idle()
        last_id = UINT32.unpack_from(payload)[0] & 0x7FFFFFFF
        error_code = UINT32.unpack_from(payload, 4)[0]
        if last_id > self._peer_last_id:
            raise broken("GOAWAY takes back what the one before it said", "goaway-increased")
        self._peer_last_id = last_id
        self._peer_left = True
        self._peer_error = error_code
        self._events.append(GoAwayReceived(last_id, error_code, payload[8:]))
        if not self._is_server:
            self._ends_when_idle = True
        ours = 0 if self._is_server else 1
        lost = [s for s in self._streams.values() if s.id > last_id and s.id & 1 == ours]
        for stream in lost:
            self._close_stream(stream, RESET_BY_PEER)
            self._events.append(
                StreamReset(
                    stream.id,
                    ErrorCode.REFUSED_STREAM,
                    unprocessed=True,
                    message="the peer is leaving",
                )
            )

    # ------------------------------------------------------------------------- WINDOW_UPDATE

    def _on_window_update(self, flags: int, stream_id: int, payload: bytes) -> None:
        self._expect("WINDOW_UPDATE", payload, 4)
        self._budgets.spend_idle()
        increment: int = UINT32.unpack(payload)[0] & 0x7FFFFFFF
        if stream_id == 0:
            self._widen_connection(increment)
            return
        self._expect_stream("WINDOW_UPDATE", stream_id)
        stream = self._streams.get(stream_id)
        if stream is not None:  # else it was sent before the peer knew that the stream is over
            self._widen_stream(stream, increment)

    def _widen_connection(self, increment: int) -> None:
        if increment == 0:
            raise broken("a WINDOW_UPDATE of nothing", "window-increment")
        before = self._send_window
        self._send_window += increment
        if self._send_window > LARGEST_WINDOW:
            raise broken(
                "the connection's window is too large",
                "window-overflow",
                ErrorCode.FLOW_CONTROL_ERROR,
            )
        if before < self.limits.smallest_data_frame:
            self._events.append(CapacityChanged(None))

    def _widen_stream(self, stream: Stream, increment: int) -> None:
        if increment == 0:
            raise StreamFault(
                stream.id,
                ErrorCode.PROTOCOL_ERROR,
                "a WINDOW_UPDATE of nothing",
                "window-increment",
            )
        before = self._initial_window + stream.send_offset
        after = before + increment
        if after > LARGEST_WINDOW:
            raise StreamFault(
                stream.id,
                ErrorCode.FLOW_CONTROL_ERROR,
                "the stream's window is too large",
                "window-overflow",
            )
        stream.send_offset += increment
        self._largest_offset = max(self._largest_offset, stream.send_offset)
        blocked = before < self.limits.smallest_data_frame
        if blocked and not stream.send_ended and after > 0 and self._send_window > 0:
            self._events.append(CapacityChanged(stream.id))

    # ------------------------------------------------------------------ RST_STREAM, PRIORITY

    def _on_rst_stream(self, flags: int, stream_id: int, payload: bytes) -> None:
        self._expect("RST_STREAM", payload, 4)
        self._expect_stream("RST_STREAM", stream_id)
        error_code = UINT32.unpack(payload)[0]
        stream = self._streams.get(stream_id)
        if stream is None:
            self._budgets.spend_idle()
            return
        self._close_stream(stream, RESET_BY_PEER)
        if self._is_server:
            self._events.append(StreamReset(stream_id, error_code))
            self._budgets.spend_reset()
        elif error_code == ErrorCode.NO_ERROR and stream.receive_ended:
            self._events.append(StopSending(stream_id, error_code))
        else:
            unprocessed = error_code == ErrorCode.REFUSED_STREAM
            self._events.append(StreamReset(stream_id, error_code, unprocessed=unprocessed))

    def _on_priority(self, flags: int, stream_id: int, payload: bytes) -> None:
        """Check and ignore it: the scheme was given up (section 5.3.2)."""
        self._expect("PRIORITY", payload, 5)
        if stream_id == 0:
            raise broken("a PRIORITY frame on no stream", "stream-id")
        self._check_dependency(stream_id, payload)
        self._budgets.spend_idle()

    def _check_dependency(self, stream_id: int, payload: bytes) -> None:
        if UINT32.unpack_from(payload)[0] & 0x7FFFFFFF == stream_id:
            raise broken(
                f"stream {stream_id} depends on itself", "self-dependency", stream_id=stream_id
            )
