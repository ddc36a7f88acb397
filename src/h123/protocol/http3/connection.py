"""HTTP/3, either end of a connection, without I/O.

RFC 9114 over the QUIC contract, RFC 9204 (QPACK), RFC 9220 (extended CONNECT). Server push is never allowed
by us, so each of its frames and streams is an error (section 4.6).

Of the peer's bytes all that is not content is credited back as it is read; content when it is consumed.
"""

from __future__ import annotations

from ..errors import ErrorCode, LocalProtocolError
from ..events import Headers
from ..fields import request_fields, response_fields, section_size, trailer_fields
from . import frames
from .errors import H3ErrorCode, to_http3
from .receiving import UNLIMITED, ReceivingConnection
from .stream import Part, RequestStream

LONGEST_DATA_HEADER = 5
"""Bytes before a DATA frame's payload: its type, and a length below a gibibyte."""


class HTTP3Connection(ReceivingConnection):
    """One HTTP/3 connection. See `DatagramConnection` for what each method promises.

    `quic` is the connection under it, of the same role; `quic.peer_certificate` and the like may be read,
    all else goes through here. When either side has said that it takes no new streams and the open ones
    are over, the connection closes itself.
    """

    # -------------------------------------------------------------------------------- the wire

    def datagrams_to_send(self, now: float) -> list[tuple[bytes, object]]:
        """Return all datagrams that can leave now, with their addresses."""
        if self.is_draining and not self._streams and not self._closed and self._is_drained():
            self._closed = True
            self.quic.close(H3ErrorCode.NO_ERROR)
        return self.quic.datagrams_to_send(now)

    def next_timeout(self) -> float | None:
        """Return when `handle_timeout` wants to be called, or None; it may be in the past."""
        return self.quic.next_timeout()

    # --------------------------------------------------------------------------------- sending

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
        """Start a request and return its stream's id.

        Extended CONNECT (`protocol`) takes a server that has announced it (RFC 9220 section 3). Raises
        `LocalProtocolError`, also for what is larger than the peer's SETTINGS_MAX_FIELD_SECTION_SIZE.
        """
        if self._is_server:
            raise LocalProtocolError("a server sends no requests")
        if not self.available_streams:
            raise LocalProtocolError("no stream can be opened now")
        settings = self._peer.settings or {}
        if protocol and not settings.get(frames.ENABLE_CONNECT_PROTOCOL):
            raise LocalProtocolError("the server has not announced extended CONNECT")
        fields = request_fields(method, target, headers, scheme, authority, protocol)
        self._check_size(fields)
        stream_id = self.quic.open_stream()
        stream = self._streams[stream_id] = RequestStream(stream_id, method)
        stream.announced = True
        stream.sending = Part.CONTENT
        self._send_section(stream, fields, end_stream)
        return stream_id

    def send_informational(self, stream_id: int, status: int, headers: Headers) -> None:
        """Send a 1xx response (RFC 9114 section 4.1)."""
        stream = self._sending(stream_id, Part.HEAD)
        if not 100 <= status < 200:
            raise LocalProtocolError(f"{status} is no informational status")
        fields = response_fields(status, headers)
        self._check_size(fields)
        self._send_section(stream, fields, False)

    def send_response(
        self, stream_id: int, status: int, headers: Headers, *, end_stream: bool = False
    ) -> None:
        """Send the final response's head."""
        stream = self._sending(stream_id, Part.HEAD)
        if not 200 <= status <= 999:
            raise LocalProtocolError(f"{status} is no final status")
        fields = response_fields(status, headers)
        self._check_size(fields)
        if stream.method == b"CONNECT" and status < 300:
            stream.tunnel = True
        stream.sending = Part.CONTENT
        self._send_section(stream, fields, end_stream)

    def send_data(self, stream_id: int, data: bytes, *, end_stream: bool = False) -> None:
        """Send content: at most `send_capacity(stream_id)` bytes."""
        stream = self._sending(stream_id, Part.CONTENT)
        if data:
            if len(data) > self.send_capacity(stream_id):
                raise LocalProtocolError(f"stream {stream_id} does not take {len(data)} bytes now")
            data = b"\0" + frames.encode_integer(len(data)) + data
        elif not end_stream:
            return
        self.quic.send_stream_data(stream_id, data, end_stream=end_stream)
        if end_stream:
            self._end_sending(stream)

    def send_trailers(self, stream_id: int, headers: Headers) -> None:
        """Send the trailer section and end the stream."""
        stream = self._sending(stream_id, Part.CONTENT)
        fields = trailer_fields(headers)
        if not fields:  # some decoders take an empty section for one that is cut off
            self.send_data(stream_id, b"", end_stream=True)
            return
        self._check_size(fields)
        self._send_section(stream, fields, True)

    def reset_stream(self, stream_id: int, error_code: int = ErrorCode.CANCEL) -> None:
        """End a stream at once, both ways, and forget it; what was not consumed of it is credited."""
        stream = self._streams.get(stream_id)
        if stream is not None:
            self._abort(stream, to_http3(error_code))
        self._release_unread(stream_id)
        self._flush_decoder()

    def stop_receiving(self, stream_id: int) -> None:
        """Say that no more of the peer's content will be read: STOP_SENDING with H3_NO_ERROR."""
        stream = self._streams.get(stream_id)
        if stream is None or stream.receiving is None:
            return
        self._stop(stream, H3ErrorCode.NO_ERROR)
        if stream.sending is None:
            del self._streams[stream_id]
        self._flush_decoder()

    def ping(self, payload: bytes) -> None:
        """Ask for a `PingAcknowledged` with these 8 bytes, by QUIC's PING, which itself carries none."""
        if len(payload) != 8:
            raise LocalProtocolError("a ping's payload has 8 bytes")
        if self.is_closed or not self.is_ready:
            raise LocalProtocolError("there is no connection to ping over")
        self._ping_count += 1
        self._pings[self._ping_count] = payload
        self.quic.ping(self._ping_count)

    def close(self, error_code: int = ErrorCode.NO_ERROR) -> None:
        """Take no new streams: GOAWAY, and the end once the open ones are over; else the end at once."""
        if self.is_closed:
            return
        if error_code != ErrorCode.NO_ERROR or not self.is_ready:
            self._closed = True
            self._streams.clear()
            self.quic.close(to_http3(error_code))
        elif not self._closing:
            self._closing = True
            self._refused_from = self._last_stream_id + 4
            # A client's GOAWAY is about pushes, of which there are none.
            first_refused = frames.encode_integer(self._refused_from if self._is_server else 0)
            goaway = frames.encode_frame(frames.GOAWAY, first_refused)
            self.quic.send_stream_data(self._control_stream, goaway)

    # ------------------------------------------------------------------------ flow and capacity

    def send_capacity(self, stream_id: int, needed: int = 0) -> int:
        """Return how many bytes `send_data` takes on this stream now: 0 if it is blocked or over."""
        stream = self._streams.get(stream_id)
        if stream is None or stream.sending is not Part.CONTENT:
            return 0
        return max(0, self.quic.stream_capacity(stream_id) - LONGEST_DATA_HEADER)

    def consume(self, stream_id: int, amount: int) -> None:
        """Give credit back for `amount` bytes of `DataReceived` that the reader has taken."""
        unread = self._unread.get(stream_id)
        if unread is None:
            return
        if not 0 <= amount <= unread:
            raise LocalProtocolError(f"{amount} bytes consumed of {unread}")
        if amount == unread:
            del self._unread[stream_id]
        else:
            self._unread[stream_id] = unread - amount
        self.quic.consume(stream_id, amount)

    @property
    def available_streams(self) -> int:
        """How many requests `send_request` would take now; 0 on a server, when draining or closed."""
        return 0 if self._is_server or self.is_draining else self.quic.available_streams

    @property
    def wants_data(self) -> bool:
        """Always true: QUIC's flow control keeps the peer within the limits."""
        return True

    @property
    def is_idle(self) -> bool:
        """Whether no stream is open."""
        return not self._streams

    # ------------------------------------------------------------------------- private: sending

    def _sending(self, stream_id: int, part: Part) -> RequestStream:
        """Return a stream on which this part of our message can be sent now."""
        stream = self._streams.get(stream_id)
        if stream is None or self.is_closed:
            raise LocalProtocolError(f"stream {stream_id} is not open")
        if stream.sending is not part:
            raise LocalProtocolError(f"stream {stream_id} is not at its {part.name.lower()}")
        return stream

    def _check_size(self, fields: Headers) -> None:
        settings = self._peer.settings or {}
        most = settings.get(frames.MAX_FIELD_SECTION_SIZE, UNLIMITED)
        size = section_size(fields)
        if size > most:
            raise LocalProtocolError(f"the field section is over the peer's limit of {most} bytes")
        if size > 0xFFFF and max([len(part) for field in fields for part in field]) > 0xFFFF:
            raise LocalProtocolError("a field is longer than 65535 bytes")

    def _is_drained(self) -> bool:
        """Whether closing now loses nothing: QUIC drops what the peer has not acknowledged."""
        return not self._is_server or self.quic.is_flushed
