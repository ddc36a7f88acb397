"""Receiving HEADERS, CONTINUATION and DATA: the frames that carry messages (RFC 9113 sections 6.1, 6.2, 8)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..errors import ErrorCode, RemoteProtocolError
from ..events import (
    DataReceived,
    InformationalReceived,
    RequestReceived,
    ResponseReceived,
    StreamReset,
    TrailersReceived,
)
from ..fields import (
    MalformedError,
    content_length,
    join_cookies,
    parse_request,
    parse_response,
    parse_trailers,
)
from .budgets import flood
from .control import ControlFrames
from .frames import (
    END_HEADERS,
    END_STREAM,
    PADDED,
    WITH_PRIORITY,
    header_frames,
    rst_stream,
)
from .hpack import KEPT_BLOCK_SIZE, KEPT_BLOCKS
from .state import OVERSIZE, KeptRequest, KeptResponse, broken
from .streams import ENDED, FORGOTTEN, UNKNOWN_LENGTH, Stream, StreamFault

if TYPE_CHECKING:
    from ..events import Headers


class MessageFrames(ControlFrames):
    """What HEADERS, CONTINUATION and DATA do."""

    # ---------------------------------------------------------------- HEADERS and CONTINUATION

    def _on_headers(self, flags: int, stream_id: int, payload: bytes) -> None:
        if flags & (PADDED | WITH_PRIORITY):
            payload = self._strip(flags, stream_id, payload)
        if not stream_id & 1 if self._is_server else self._is_idle(stream_id):
            raise broken(f"a HEADERS frame on stream {stream_id}", "stream-id", stream_id=stream_id)
        if flags & END_HEADERS:
            self._budgets.empty = 0
            self._on_block(stream_id, bool(flags & END_STREAM), payload)
            return
        self._block_stream = stream_id
        self._block_ends_stream = bool(flags & END_STREAM)
        self._block_size = 0
        self._keep_fragment(payload)

    def _strip(self, flags: int, stream_id: int, payload: bytes) -> bytes:
        """Return the header block fragment without padding and priority (section 6.2)."""
        start = 0
        padding = 0
        if flags & PADDED and payload:
            start = 1
            padding = payload[0]
        if flags & WITH_PRIORITY:
            start += 5
        if len(payload) < max(start, 1):
            raise broken(
                "a HEADERS frame too short for its flags", "frame-size", ErrorCode.FRAME_SIZE_ERROR
            )
        if start + padding > len(payload):
            raise broken("a HEADERS frame of more padding than frame", "padding")
        if flags & WITH_PRIORITY:
            self._check_dependency(stream_id, payload[start - 5 : start])
        return payload[start : len(payload) - padding]

    def _on_continuation(self, flags: int, stream_id: int, payload: bytes) -> None:
        # That it belongs to the block begun was checked before all frames (section 6.10).
        if not self._fragments:
            raise broken(
                "a CONTINUATION frame that continues nothing", "continuation", stream_id=stream_id
            )
        if len(self._fragments) > self.limits.continuation_frames:
            raise flood("a header block in too many frames", "continuation-frames")
        if not flags & END_HEADERS:
            self._keep_fragment(payload)
            return
        self._budgets.empty = 0
        block = b"".join(self._fragments) + payload
        self._fragments = []
        promised = self._promised_id
        if promised:
            self._promised_id = 0
            self._on_promise(stream_id, promised, block)
            return
        self._on_block(stream_id, self._block_ends_stream, block)

    def _on_promise(self, parent_id: int, promised: int, block: bytes) -> None:
        raise NotImplementedError  # pragma: no cover  # what extends this class has pushes

    def _keep_fragment(self, payload: bytes) -> None:
        if not payload:
            self._budgets.spend_empty()
        self._block_size += len(payload)
        if self._block_size > self.limits.header_block_size * OVERSIZE:
            raise _far_too_large(self._block_stream)
        self._fragments.append(payload)

    def _on_block(self, stream_id: int, ends: bool, block: bytes) -> None:
        """Take a whole header block: a message's head, or its trailers."""
        stream = self._streams.get(stream_id)
        if stream is None:
            if stream_id & 1 and stream_id > self._highest_id:
                self._on_request(stream_id, ends, block)
            else:
                self._on_late_block(stream_id, block)
        elif stream.receive_ended:
            self._decode(block)
            raise _stream_closed(stream_id, "HEADERS")
        else:
            self._budgets.useful += 1
            if stream.head_received:
                self._on_trailers(stream, ends, block)
            else:
                self._on_response(stream, ends, block)

    def _decode(self, block: bytes) -> Headers:
        """Decode a block, which every block must be, and forget what depends on the table if it changed."""
        fields = self._decoder.decode_anew(block)
        if self._decoder.changed:
            self._kept_requests.clear()
            self._kept_responses.clear()
        if len(fields) > self.limits.header_fields * OVERSIZE:
            raise _far_too_large(None)
        return fields

    def _is_too_large(self, fields: Headers) -> bool:
        limits = self.limits
        return self._decoder.size > limits.header_block_size or len(fields) > limits.header_fields

    def _on_late_block(self, stream_id: int, block: bytes) -> None:
        """Take a header block of a stream that is over (section 5.1)."""
        how = self._closed_streams.recall(stream_id)
        if how == ENDED:
            raise broken(
                f"HEADERS on stream {stream_id}, which has ended",
                "stream-closed",
                ErrorCode.STREAM_CLOSED,
                stream_id,
            )
        if how == FORGOTTEN and self._is_server:
            raise broken(
                f"stream {stream_id} opened after stream {self._highest_id}",
                "stream-id",
                stream_id=stream_id,
            )
        self._decode(block)
        self._budgets.spend_idle()
        if how < 0:
            raise _stream_closed(stream_id, "HEADERS")

    # ------------------------------------------------------------------------------- requests

    def _on_request(self, stream_id: int, ends: bool, block: bytes) -> None:
        """Open a stream (server)."""
        kept = self._kept_requests.get(block)
        fields: Headers = self._decode(block) if kept is None else []
        self._highest_id = stream_id
        if self._is_final:
            # The last GOAWAY has told that this would not be looked at (section 6.8).
            self._budgets.spend_idle()
            self._closed_streams.remember(stream_id, self._stream_window)
            return
        self._budgets.useful += 1
        opened = len(self._streams) - self._pushed_open
        if opened >= self.limits.concurrent_streams or self._has_unread_heap:
            raise StreamFault(
                stream_id,
                ErrorCode.REFUSED_STREAM,
                "too many streams at once",
                "concurrent-streams",
            )
        if kept is None:
            if self._is_too_large(fields):
                self._answer_too_large(stream_id, ends)
                return
            kept = self._read_request(stream_id, fields)
            if self._may_keep(block):
                if len(self._kept_requests) >= KEPT_BLOCKS:
                    self._kept_requests.clear()
                self._kept_requests[block] = kept
        method, target, scheme, authority, protocol, headers, length, priority = kept
        stream = Stream(stream_id, self._stream_window, method)
        stream.head_received = True
        stream.priority = priority
        if self._early_priorities:
            stream.priority = self._early_priorities.pop(stream_id, priority)
        if stream.is_connect:
            stream.is_tunnel = True
        else:
            stream.receive_left = length
        self._streams[stream_id] = stream
        if ends:
            _check_complete(stream)
            stream.receive_ended = True
        self._events.append(
            RequestReceived(
                stream_id,
                method,
                target,
                scheme,
                authority,
                headers.copy(),
                ends,
                "HTTP/2",
                protocol,
            )
        )

    def _read_request(self, stream_id: int, fields: Headers) -> KeptRequest:
        try:
            head = parse_request(fields)
            length = content_length(head.headers)
        except MalformedError as error:
            raise _malformed(stream_id, error) from error
        return (
            head.method,
            head.target,
            head.scheme,
            head.authority,
            head.protocol,
            join_cookies(head.headers),
            UNKNOWN_LENGTH if length is None else length,
            b", ".join([value for name, value in head.headers if name == b"priority"]),
        )

    def _may_keep(self, block: bytes) -> bool:
        return self._decoder.keepable and len(block) <= KEPT_BLOCK_SIZE

    def _answer_too_large(self, stream_id: int, ends: bool) -> None:
        """Answer 431 in the user's stead: the request is not worth keeping (RFC 6585 section 5)."""
        block = self._encoder.encode_anew([(b":status", b"431"), (b"content-length", b"0")])
        self._outgoing.append(header_frames(stream_id, block, END_STREAM, self._max_frame_size))
        if not ends:
            self._outgoing.append(rst_stream(stream_id, ErrorCode.NO_ERROR))
        self._closed_streams.remember(stream_id, ENDED if ends else self._stream_window)
        self._events.append(
            StreamReset(
                stream_id,
                ErrorCode.NO_ERROR,
                remote=False,
                message="the request's header fields are over the limit: answered with 431",
                rule="header-block-too-large",
            )
        )
        self._budgets.spend_reset()

    # ------------------------------------------------------------------------------ responses

    def _on_response(self, stream: Stream, ends: bool, block: bytes) -> None:
        """Take the head of a response, final or not (client)."""
        kept = self._kept_responses.get(block)
        if kept is None:
            fields = self._decode(block)
            if self._is_too_large(fields):
                raise _too_large(stream.id)
            kept = self._read_response(stream.id, fields)
            if self._may_keep(block):
                if len(self._kept_responses) >= KEPT_BLOCKS:
                    self._kept_responses.clear()
                self._kept_responses[block] = kept
        status, headers, length = kept
        if status < 200:
            self._on_informational(stream, status, headers, ends)
            return
        stream.head_received = True
        if stream.is_connect and status < 300:
            stream.is_tunnel = True
        elif stream.is_head or status in (204, 304):
            stream.receive_left = 0
        else:
            stream.receive_left = length
        if ends:
            _check_complete(stream)
        if not stream.dropping:
            self._events.append(ResponseReceived(stream.id, status, headers.copy(), ends, "HTTP/2"))
        if ends:
            self._end_receiving(stream)

    def _read_response(self, stream_id: int, fields: Headers) -> KeptResponse:
        try:
            status, headers = parse_response(fields)
            length = content_length(headers)
        except MalformedError as error:
            raise _malformed(stream_id, error) from error
        return status, headers, UNKNOWN_LENGTH if length is None else length

    def _on_informational(self, stream: Stream, status: int, headers: Headers, ends: bool) -> None:
        if ends:
            raise StreamFault(
                stream.id,
                ErrorCode.PROTOCOL_ERROR,
                f"{status} can not end a stream",
                "informational-end",
            )
        stream.informational += 1
        if stream.informational > _INFORMATIONAL_RESPONSES:
            raise StreamFault(
                stream.id,
                ErrorCode.ENHANCE_YOUR_CALM,
                "too many 1xx responses",
                "informational-responses",
            )
        if not stream.dropping:
            self._events.append(InformationalReceived(stream.id, status, headers.copy()))

    def _on_trailers(self, stream: Stream, ends: bool, block: bytes) -> None:
        fields = self._decode(block)
        if self._is_too_large(fields):
            raise _too_large(stream.id)
        if not ends or stream.is_tunnel:
            raise StreamFault(
                stream.id,
                ErrorCode.PROTOCOL_ERROR,
                "HEADERS in the middle of a message",
                "headers-in-content",
            )
        if not stream.dropping:
            try:
                headers = parse_trailers(fields)
            except MalformedError as error:
                raise _malformed(stream.id, error) from error
            _check_complete(stream)
            self._events.append(TrailersReceived(stream.id, headers))
        self._end_receiving(stream)

    # ----------------------------------------------------------------------------------- DATA

    def _begin_data(self, flags: int, stream_id: int, length: int, padding: int) -> None:
        """Take the head of a DATA frame: what `length` bytes do to windows and state.

        `padding` includes the byte that tells it. The content is handed on by `_take_content`.
        """
        self._skip_left = length - 1 if padding else length  # until it is known to be wanted
        if stream_id == 0:
            raise broken("a DATA frame on no stream", "stream-id")
        if padding > length:
            raise broken("a DATA frame of more padding than frame", "padding")
        self._receive_window -= length
        if self._receive_window < 0:
            raise broken(
                "more content than the connection's window",
                "connection-window",
                ErrorCode.FLOW_CONTROL_ERROR,
            )
        stream = self._streams.get(stream_id)
        if stream is None:
            self._on_late_data(stream_id, length)
            return
        if stream.receive_ended:
            raise _stream_closed(stream_id, "DATA")
        if length > stream.receive_window:
            raise StreamFault(
                stream_id,
                ErrorCode.FLOW_CONTROL_ERROR,
                "more content than the stream's window",
                "stream-window",
            )
        stream.receive_window -= length
        content = length - padding
        ends = bool(flags & END_STREAM)
        self._check_content(stream, content, ends)
        self._budgets.useful += 1
        if content or ends:
            self._budgets.empty = 0
        else:
            self._budgets.spend_empty()
        self._data_stream = stream
        self._data_left = content
        self._data_ends = ends
        self._skip_left = padding - 1 if padding else 0
        if padding:
            self._credit_stream(stream, padding)
            self._credit_connection(padding)
        if ends and not content:
            self._end_content(stream, b"")

    def _check_content(self, stream: Stream, content: int, ends: bool) -> None:
        """Hold DATA against what was announced (section 8.1.1)."""
        if not stream.head_received:
            raise StreamFault(
                stream.id,
                ErrorCode.PROTOCOL_ERROR,
                "content before the response's head",
                "data-before-headers",
            )
        if stream.receive_left != UNKNOWN_LENGTH and not stream.dropping:
            if content > stream.receive_left:
                raise _wrong_length(stream.id)
            stream.receive_left -= content
            if ends:
                _check_complete(stream)

    def _on_late_data(self, stream_id: int, length: int) -> None:
        """Take DATA of a stream that is over (section 5.1): if we reset it, the peer may not know yet."""
        self._expect_stream("DATA", stream_id)
        how = self._closed_streams.recall(stream_id)
        if how == ENDED:
            raise broken(
                f"DATA on stream {stream_id}, which has ended",
                "stream-closed",
                ErrorCode.STREAM_CLOSED,
                stream_id,
            )
        if how < 0:
            raise _stream_closed(stream_id, "DATA")
        if length > how:
            raise broken(
                f"more content on stream {stream_id} than its window",
                "stream-window",
                ErrorCode.FLOW_CONTROL_ERROR,
                stream_id,
            )
        if not length:
            self._budgets.spend_empty()
        self._closed_streams.remember(stream_id, how - length)
        self._credit_connection(length)

    def _take_content(self, part: bytes) -> None:
        """Hand on a part of a DATA frame as it came."""
        stream = self._data_stream
        assert stream is not None
        self._data_left -= len(part)
        if stream.is_over or stream.dropping:
            self._credit_connection(len(part))
        else:
            stream.unread += len(part)
        if self._data_ends and not self._data_left:
            self._end_content(stream, part)
        elif not (stream.is_over or stream.dropping):
            self._events.append(DataReceived(stream.id, part, False))

    def _end_content(self, stream: Stream, part: bytes) -> None:
        if stream.is_over:
            return
        if not stream.dropping:
            self._events.append(DataReceived(stream.id, part, True))
        self._end_receiving(stream)


_INFORMATIONAL_RESPONSES: Final = 100
"""1xx responses to one request: nothing else bounds them."""


def _check_complete(stream: Stream) -> None:
    """Raise `StreamFault` if the content that ends here is less than Content-Length."""
    if stream.receive_left > 0:
        raise _wrong_length(stream.id)


def _wrong_length(stream_id: int) -> StreamFault:
    return StreamFault(
        stream_id,
        ErrorCode.PROTOCOL_ERROR,
        "the content is not as long as Content-Length says",
        "content-length",
    )


def _malformed(stream_id: int, error: MalformedError) -> StreamFault:
    return StreamFault(stream_id, ErrorCode.PROTOCOL_ERROR, str(error), error.rule)


def _stream_closed(stream_id: int, kind: str) -> StreamFault:
    return StreamFault(
        stream_id,
        ErrorCode.STREAM_CLOSED,
        f"{kind} on stream {stream_id}, which the peer had closed",
        "stream-closed",
    )


def _too_large(stream_id: int) -> StreamFault:
    return StreamFault(
        stream_id,
        ErrorCode.ENHANCE_YOUR_CALM,
        "the header fields are over the limit",
        "header-block-too-large",
    )


def _far_too_large(stream_id: int | None) -> RemoteProtocolError:
    return RemoteProtocolError(
        f"a field section is more than {OVERSIZE} times its limit",
        status=431,
        error_code=ErrorCode.ENHANCE_YOUR_CALM,
        stream_id=stream_id,
        rule="header-block-far-too-large",
    )
