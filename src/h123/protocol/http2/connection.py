"""An HTTP/2 connection: `HTTP2Connection` (RFC 9113), the whole of what the modules beside it hold.

`state` is what is known, `control` and `messages` are what each frame does, and here are the loop that
takes the peer's bytes apart and all that we send.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from ..errors import ErrorCode, LocalProtocolError, RemoteProtocolError
from ..events import ConnectionClosed, StreamReset
from ..fields import request_fields, response_fields, trailer_fields
from . import frames
from .control import DRAIN_PING
from .extensions import ExtensionFrames
from .hpack import KEPT_BLOCK_SIZE, KEPT_BLOCKS
from .state import SentHead, broken
from .streams import ENDED, FORGOTTEN, UNKNOWN_LENGTH, Stream, StreamFault

if TYPE_CHECKING:
    from ..events import Event, Headers

_TINY_FRAMES: Final = 4
"""DATA frames under `smallest_data_frame` sent into a tiny window before the peer must widen it."""


class HTTP2Connection(ExtensionFrames):
    """One HTTP/2 connection, from either end.

    What is particular to HTTP/2, beside what the contract says:

    - `consume` is for the bytes of `DataReceived`; padding is credited here. After `reset_stream` all that
      the stream had unread is credited at once and `consume` is without effect; after the peer's reset it
      is still wanted.
    - `send_capacity` is 0 while the peer's window is tiny (`Limits.smallest_data_frame`), but for the first
      few times, and for a piece that fits into it as a whole.
    - `close(NO_ERROR)` on a server says GOAWAY twice: at once, and with the last stream's id when the
      peer's answer to a PING shows that it has read the first (section 6.8). Calling it again does not wait.
    - Streams that a server pushes (`push`, `PushReceived`; RFC 9113 section 8.4) are off unless the client's
      `Limits.pushed_streams` allows them.
    - A client with `protocol` (RFC 8441) must have seen the server's SETTINGS allow it.
    """

    # ------------------------------------------------------------------------------ receiving

    def receive_data(self, data: bytes) -> list[Event]:
        """Take bytes from the peer, and return all that they complete. Raises `RemoteProtocolError`."""
        if self.is_closed:
            return []
        pending = self._pending
        if pending:
            pending += data
            if len(pending) < self._needed:
                return []
            data = bytes(pending)
            pending.clear()
        events: list[Event] = []
        self._events = events
        try:
            position = self._take_preface(data) if self._preface_left else 0
            position = self._take_frames(data, position)
        except RemoteProtocolError as error:
            error.events = events
            self._end_connection(error.error_code, error.rule.encode())
            raise
        finally:
            self._events = []
        if position < len(data):
            pending += data[position:] if position else data
        return events

    def receive_eof(self) -> list[Event]:
        """Take the end of the peer's bytes. Raises `RemoteProtocolError` if it cuts anything off."""
        if self._is_over:
            return []
        self._is_over = True
        cut_off = [s for s in self._streams.values() if self._is_server or not s.receive_ended]
        broken_off = bool(self._pending or self._fragments or self._data_left or self._skip_left)
        begun = self._settings_received
        self._forget_all()
        if cut_off or broken_off:
            what = f"{len(cut_off)} open streams" if cut_off else "a frame begun"
            when = "" if begun else ", before its SETTINGS"
            raise RemoteProtocolError(
                f"the peer closed the connection with {what}{when}",
                error_code=self._peer_error,
                rule="connection-cut-off",
            )
        return [ConnectionClosed(self._peer_error)]

    def _take_preface(self, data: bytes) -> int:
        """Check the client's preface as far as it is there (section 3.4)."""
        left = self._preface_left
        size = min(len(left), len(data))
        if data[:size] != left[:size]:
            raise broken("the peer does not speak HTTP/2: no connection preface", "preface")
        self._preface_left = left[size:]
        return size

    def _take_frames(self, data: bytes, position: int) -> int:
        """Take frames up to the last whole one, and DATA as far as it goes; return where that is."""
        end = len(data)
        unpack = frames.FRAME_HEADER.unpack_from
        limit = self._largest_frame
        while True:
            if self._data_left:
                stop = min(position + self._data_left, end)
                if stop > position:
                    self._take_content(data[position:stop])
                    position = stop
                if self._data_left:
                    return end
            if self._skip_left:
                skipped = min(self._skip_left, end - position)
                self._skip_left -= skipped
                position += skipped
            if self._ends_when_idle and not self._streams:
                return end
            start = position + frames.HEADER_SIZE
            if start > end:
                self._needed = frames.HEADER_SIZE
                return position
            high, low, kind, flags, stream_id = unpack(data, position)
            length = high << 8 | low
            stream_id &= 0x7FFFFFFF
            if length > limit or self._fragments or not self._settings_received:
                self._check_frame(data, position, length, kind, flags, stream_id)
            if kind == frames.DATA:
                padding = 0
                if flags & frames.PADDED:
                    if not length:
                        raise broken(
                            "a padded frame of no bytes", "frame-size", ErrorCode.FRAME_SIZE_ERROR
                        )
                    if start == end:
                        self._needed = frames.HEADER_SIZE + 1
                        return position
                    padding = data[start] + 1
                    start += 1
                position = start
                try:
                    self._begin_data(flags, stream_id, length, padding)
                except StreamFault as fault:
                    self._on_fault(fault)
                    self._credit_connection(length)
                continue
            stop = start + length
            if stop > end:
                self._needed = frames.HEADER_SIZE + length
                return position
            position = stop
            handler = _HANDLERS.get(kind)
            if handler is None:
                self._budgets.spend_idle()  # an extension that we do not know (section 5.5)
                continue
            try:
                handler(self, flags, stream_id, data[start:stop])
            except StreamFault as fault:
                self._on_fault(fault)

    def _check_frame(
        self, data: bytes, position: int, length: int, kind: int, flags: int, stream_id: int
    ) -> None:
        """Check what only matters at the start, inside a header block, or for a frame too large."""
        first = not self._settings_received
        if first and (kind != frames.SETTINGS or flags & frames.ACK):
            if data.startswith(b"HTTP/", position):
                raise broken("the server speaks HTTP/1.x and not HTTP/2", "http1-response")
            raise broken("the first frame is not SETTINGS", "preface")
        if length > self._largest_frame:
            raise broken(
                f"a frame of {length} bytes",
                "frame-size",
                ErrorCode.FRAME_SIZE_ERROR,
                stream_id or None,
            )
        if self._fragments and (kind != frames.CONTINUATION or stream_id != self._block_stream):
            raise broken(
                "another frame in the middle of a header block",
                "continuation",
                stream_id=stream_id or None,
            )

    def _on_fault(self, fault: StreamFault) -> None:
        """Reset a stream whose rules the peer has broken, and tell (section 5.4.2)."""
        stream_id = fault.stream_id
        stream = self._streams.get(stream_id)
        known = stream is not None or self._closed_streams.recall(stream_id) == FORGOTTEN
        if stream is not None:
            self._reset_stream(stream, fault.error_code)
        else:
            self._outgoing.append(frames.rst_stream(stream_id, fault.error_code))
            self._closed_streams.remember(stream_id, self._stream_window)
        if known:
            self._events.append(
                StreamReset(
                    stream_id,
                    fault.error_code,
                    remote=False,
                    message=str(fault),
                    rule=fault.rule,
                )
            )
        self._budgets.spend_reset()

    # -------------------------------------------------------------------------------- sending

    @property
    def available_streams(self) -> int:
        """How many requests `send_request` would take now: what the server's SETTINGS leave."""
        if self._is_server or self._is_leaving or self._peer_left or self._is_over:
            return 0
        if self._has_unread_heap:
            return 0
        left = self._max_streams - len(self._streams) + self._pushed_open
        ids_left = (frames.LARGEST_STREAM_ID - self._highest_id) // 2
        if left > ids_left:
            return ids_left
        return max(left, 0)

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
        """Start a request (client) and return its stream's id (RFC 9113 section 8.3.1)."""
        if self._is_server:
            raise LocalProtocolError("a server sends no requests")
        if self.available_streams == 0:
            raise LocalProtocolError("no stream is available")
        if protocol and not self._connect_protocol:
            raise LocalProtocolError("the server has not allowed extended CONNECT")
        key = (method, target, scheme, authority, protocol, *headers)
        head = self._get_sent_head(key)
        if head is None:
            fields = request_fields(method, target, headers, scheme, authority, protocol)
            head = SentHead(fields)
        length = UNKNOWN_LENGTH if method == b"CONNECT" else head.length
        if end_stream and length > 0:
            raise LocalProtocolError("a request with Content-Length ends without content")
        block = head.block or self._encode_head(key, head)
        stream_id = self._highest_id = self._highest_id + 2
        stream = Stream(stream_id, self._stream_window, method)
        stream.head_sent = True
        stream.send_left = length
        stream.send_ended = end_stream
        self._streams[stream_id] = stream
        self._send_head(stream_id, block, end_stream)
        return stream_id

    def send_informational(self, stream_id: int, status: int, headers: Headers) -> None:
        """Send a 1xx response (server)."""
        self._get_stream_to_answer(stream_id)
        if not 100 <= status < 200 or status == 101:
            raise LocalProtocolError(f"{status} is no informational status of HTTP/2")
        fields = response_fields(status, headers)
        self._send_head(stream_id, self._encoder.encode_anew(fields), False)

    def send_response(
        self, stream_id: int, status: int, headers: Headers, *, end_stream: bool = False
    ) -> None:
        """Send the final response's head (server)."""
        stream = self._get_stream_to_answer(stream_id)
        if not 200 <= status < 1000:
            raise LocalProtocolError(f"{status} is no final status")
        key = (status, *headers)
        head = self._get_sent_head(key) or SentHead(response_fields(status, headers))
        length = head.length
        if stream.is_connect and status < 300:
            length = UNKNOWN_LENGTH
        elif stream.is_head or status in (204, 304):
            length = 0
        if end_stream and length > 0:
            raise LocalProtocolError("a response with Content-Length ends without content")
        stream.send_left = length
        stream.head_sent = True
        self._send_head(stream_id, head.block or self._encode_head(key, head), end_stream)
        if end_stream:
            self._end_sending(stream)

    def send_data(self, stream_id: int, data: bytes, *, end_stream: bool = False) -> None:
        """Send content, in frames of the peer's size, within the windows of stream and connection."""
        stream = self._get_stream_to_send(stream_id)
        size = len(data)
        left = stream.send_left
        if left != UNKNOWN_LENGTH:
            left -= size
            if left < 0 or (end_stream and left):
                raise LocalProtocolError("the content is not as long as Content-Length says")
        if size:
            window = self._initial_window + stream.send_offset
            if window > self._send_window:
                window = self._send_window
            if size > window:
                raise LocalProtocolError(f"{size} bytes where the peer takes {max(window, 0)}")
            if self._tiny_frames or window < self.limits.smallest_data_frame:
                self._count_tiny_frame(size, window, end_stream)
            self._send_window -= size
            stream.send_offset -= size
        elif not end_stream:
            return
        stream.send_left = left
        flags = frames.END_STREAM if end_stream else 0
        most = self._max_frame_size
        outgoing = self._outgoing
        if size <= most:
            outgoing.append(frames.frame_header(size, frames.DATA, flags, stream_id))
            outgoing.append(data)
        else:
            view = memoryview(data)
            for start in range(0, size, most):
                part = view[start : start + most]
                last = flags if start + most >= size else 0
                outgoing.append(frames.frame_header(len(part), frames.DATA, last, stream_id))
                outgoing.append(part)
        self._budgets.useful += 1
        if end_stream:
            self._end_sending(stream)

    def send_trailers(self, stream_id: int, headers: Headers) -> None:
        """Send the trailer section and end the stream."""
        stream = self._get_stream_to_send(stream_id)
        if stream.send_left > 0:
            raise LocalProtocolError("the content is not as long as Content-Length says")
        fields = trailer_fields(headers)
        if fields:
            self._send_head(stream_id, self._encoder.encode_anew(fields), True)
            self._end_sending(stream)
        else:
            self.send_data(stream_id, b"", end_stream=True)

    def send_capacity(self, stream_id: int, needed: int = 0) -> int:
        """Return how many bytes `send_data` takes now: what both windows leave, if that is not tiny.

        0 in a tiny window once the peer has had its few crumbs, unless `needed` bytes fit into it.
        """
        stream = self._streams.get(stream_id)
        if stream is None or stream.send_ended or not stream.head_sent:
            return 0
        window = min(self._initial_window + stream.send_offset, self._send_window)
        if window <= 0:
            return 0
        if self._tiny_frames >= _TINY_FRAMES and window < self.limits.smallest_data_frame:
            return window if 0 < needed <= window else 0
        return window

    def reset_stream(self, stream_id: int, error_code: int = ErrorCode.CANCEL) -> None:
        """End a stream at once. What it had unread is credited to the connection."""
        if not 0 <= error_code < 2**32:
            raise LocalProtocolError(f"{error_code} is no error code")
        stream = self._streams.get(stream_id)
        if stream is not None:
            unread, stream.unread = stream.unread, 0
            self._reset_stream(stream, error_code)
            self._credit_connection(unread)

    def stop_receiving(self, stream_id: int) -> None:
        """Drop what still comes: RST_STREAM with NO_ERROR follows our END_STREAM (section 8.1)."""
        stream = self._streams.get(stream_id)
        if stream is not None and not stream.receive_ended:
            stream.dropping = True
            if stream.send_ended:
                self._reset_stream(
                    stream, ErrorCode.NO_ERROR if self._is_server else ErrorCode.CANCEL
                )

    def ping(self, payload: bytes) -> None:
        """Ask for a `PingAcknowledged` with these 8 bytes."""
        if len(payload) != 8:
            raise LocalProtocolError("a PING carries 8 bytes")
        if self.is_closed:
            raise LocalProtocolError("the connection is closed")
        self._pings.append(payload)
        self._outgoing.append(frames.frame(frames.PING, 0, 0, payload))

    def close(self, error_code: int = ErrorCode.NO_ERROR) -> None:
        """Say GOAWAY. With NO_ERROR the open streams go on, else all is over at once."""
        if self._is_over:
            return
        if error_code != ErrorCode.NO_ERROR:
            self._end_connection(error_code)
        elif self._is_leaving or not self._is_server:
            self._is_leaving = True
            self._finish_leaving()
        else:
            self._is_leaving = True
            self._outgoing.append(frames.goaway(frames.LARGEST_STREAM_ID, ErrorCode.NO_ERROR))
            self._outgoing.append(frames.frame(frames.PING, 0, 0, DRAIN_PING))

    # ------------------------------------------------------------------------------- its parts

    def _get_stream_to_answer(self, stream_id: int) -> Stream:
        stream = self._streams.get(stream_id)
        if stream is None:
            raise LocalProtocolError(f"stream {stream_id} is not open")
        if not self._is_server or stream.head_sent:
            raise LocalProtocolError(f"stream {stream_id} wants no response")
        return stream

    def _get_stream_to_send(self, stream_id: int) -> Stream:
        stream = self._streams.get(stream_id)
        if stream is None:
            raise LocalProtocolError(f"stream {stream_id} is not open")
        if stream.send_ended or not stream.head_sent:
            raise LocalProtocolError(f"stream {stream_id} takes no content now")
        return stream

    def _count_tiny_frame(self, size: int, window: int, end_stream: bool) -> None:
        """Notice when the peer makes us cut content into crumbs (CVE-2019-9511)."""
        least = self.limits.smallest_data_frame
        if window >= least:
            if size >= least:
                self._tiny_frames = 0
        elif not end_stream:
            self._tiny_frames += 1

    def _get_sent_head(self, key: tuple[object, ...]) -> SentHead | None:
        """Return a head that was sent before, if its block would still be the same."""
        if self._sent_generation != self._encoder.generation:
            self._sent_generation = self._encoder.generation
            self._sent_heads.clear()
        return self._sent_heads.get(key)

    def _encode_head(self, key: tuple[object, ...], head: SentHead) -> bytes:
        """Encode a head, and keep it for the next time where that is right."""
        encoder = self._encoder
        block = encoder.encode_anew(head.fields)
        if encoder.keepable and len(block) <= KEPT_BLOCK_SIZE:
            head.keep(block)
            if len(self._sent_heads) >= KEPT_BLOCKS:
                self._sent_heads.clear()
            self._sent_heads[key] = head
        return block

    def _send_head(self, stream_id: int, block: bytes, end_stream: bool) -> None:
        flags = frames.END_STREAM if end_stream else 0
        self._outgoing.append(frames.header_frames(stream_id, block, flags, self._max_frame_size))
        self._budgets.useful += 1

    def _end_sending(self, stream: Stream) -> None:
        stream.send_ended = True
        if stream.receive_ended:
            self._close_stream(stream, ENDED)
        elif stream.dropping:
            self._reset_stream(stream, ErrorCode.NO_ERROR if self._is_server else ErrorCode.CANCEL)


_HANDLERS: Final[dict[int, Callable[[HTTP2Connection, int, int, bytes], None]]] = {
    frames.HEADERS: HTTP2Connection._on_headers,
    frames.PRIORITY: HTTP2Connection._on_priority,
    frames.RST_STREAM: HTTP2Connection._on_rst_stream,
    frames.SETTINGS: HTTP2Connection._on_settings,
    frames.PUSH_PROMISE: HTTP2Connection._on_push_promise,
    frames.PING: HTTP2Connection._on_ping,
    frames.GOAWAY: HTTP2Connection._on_goaway,
    frames.WINDOW_UPDATE: HTTP2Connection._on_window_update,
    frames.CONTINUATION: HTTP2Connection._on_continuation,
    frames.ALTSVC: HTTP2Connection._on_alternative_service,
    frames.ORIGIN: HTTP2Connection._on_origin,
    frames.PRIORITY_UPDATE: HTTP2Connection._on_priority_update,
}
"""What each frame type does; DATA is taken as it comes."""
