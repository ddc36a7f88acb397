"""Reading requests and responses: frames in, events out.

RFC 9114 sections 4.1 (the order of frames), 4.1.2 (malformed messages), 4.4 (CONNECT) and 7 (frames). DATA
is handed on in the parts that it arrives in. What a fault ends is told by the exception: `StreamFault` the
stream, `RemoteProtocolError` the connection.
"""

from __future__ import annotations

from ..connection import Role
from ..errors import RemoteProtocolError
from ..events import (
    DataReceived,
    Event,
    Headers,
    InformationalReceived,
    RequestReceived,
    ResponseReceived,
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
from ..limits import Limits
from . import frames
from .budget import Budget
from .errors import H3ErrorCode
from .qpack import FieldDecoder, SectionTooLargeError
from .stream import Part, RequestStream

HTTP_VERSION = "HTTP/3"


class StreamFault(Exception):
    """The peer broke a rule that ends a stream. `status` is what a server may still answer, or 0."""

    def __init__(self, message: str, error_code: int, rule: str, status: int = 0) -> None:
        super().__init__(message)
        self.error_code = error_code
        self.rule = rule
        self.status = status


class MessageReader:
    """Reads the messages of all of a connection's request streams."""

    __slots__ = ("_budget", "_decoder", "_is_server", "_limits")

    def __init__(self, role: Role, limits: Limits, decoder: FieldDecoder, budget: Budget) -> None:
        self._is_server = role is Role.SERVER
        self._limits = limits
        self._decoder = decoder
        self._budget = budget

    def receive(self, stream: RequestStream, data: bytes, end: bool, events: list[Event]) -> None:
        """Read what came on a stream, and append what it completes to `events`."""
        stream.finished = end
        if stream.is_blocked:
            stream.buffer += data
            return
        if stream.buffer:
            stream.buffer += data
            waiting = stream.frame_type == frames.HEADERS
            if waiting and len(stream.buffer) < stream.remaining and not end:
                return
            data = bytes(stream.buffer)
            stream.buffer.clear()
        self._parse(stream, data, events)

    def resume(self, stream: RequestStream, events: list[Event]) -> None:
        """Go on with a stream whose field section waited for QPACK's table."""
        stream.is_blocked = False
        try:
            fields = self._decoder.resume(stream.stream_id)
        except SectionTooLargeError as error:
            raise self._too_large(stream, error) from error
        self._take_section(stream, fields, events)
        data = bytes(stream.buffer)
        stream.buffer.clear()
        self._parse(stream, data, events)

    def _parse(self, stream: RequestStream, data: bytes, events: list[Event]) -> None:
        position, size = 0, len(data)
        while position < size:
            if stream.frame_type < 0:
                frame_type, after_type = frames.decode_integer(data, position)
                length, start = frames.decode_integer(data, after_type)
                if frame_type < 0 or length < 0:
                    stream.buffer += data[position:]
                    break
                self._begin_frame(stream, frame_type, length)
                stream.frame_type, stream.remaining = frame_type, length
                position = start
            end = min(position + stream.remaining, size)
            if stream.frame_type == frames.HEADERS:
                if end - position < stream.remaining:
                    stream.buffer += data[position:]
                    break
                stream.frame_type = -1
                if not self._decode(stream, data[position:end], events):
                    stream.is_blocked = True
                    stream.buffer += data[end:]
                    return
            else:
                if stream.frame_type == frames.DATA and end > position:
                    stream.received += end - position
                    events.append(DataReceived(stream.stream_id, data[position:end], False))
                stream.remaining -= end - position
                if not stream.remaining:
                    stream.frame_type = -1
            position = end
        if stream.finished:
            self._finish(stream, events)

    def _begin_frame(self, stream: RequestStream, frame_type: int, length: int) -> None:
        """Judge a frame by its type and length, before its payload has come."""
        if frame_type == frames.DATA:
            if stream.receiving is not Part.CONTENT:
                raise frames.frame_unexpected("DATA outside of content", stream.stream_id)
            self._count(stream, length)
            if stream.expected is not None and stream.received + length > stream.expected:
                raise StreamFault(
                    "more content than Content-Length says",
                    H3ErrorCode.MESSAGE_ERROR,
                    "content-length",
                )
        elif frame_type == frames.HEADERS:
            if stream.receiving is Part.END or stream.tunnel:
                raise frames.frame_unexpected("HEADERS after the end of content", stream.stream_id)
            self._count(stream, length)
            if length > 4 * self._limits.header_block_size:
                raise RemoteProtocolError(
                    f"HEADERS of {length} bytes",
                    status=431,
                    error_code=H3ErrorCode.EXCESSIVE_LOAD,
                    rule="header-block-far-too-large",
                    stream_id=stream.stream_id,
                )
        elif frame_type == frames.PUSH_PROMISE and not self._is_server:
            raise RemoteProtocolError(
                "PUSH_PROMISE without MAX_PUSH_ID", error_code=H3ErrorCode.ID_ERROR, rule="push"
            )
        elif frame_type in frames.KNOWN_FRAMES:
            raise frames.frame_unexpected(
                f"frame {frame_type:#x} on a request stream", stream.stream_id
            )
        else:
            self._budget.idle()

    def _count(self, stream: RequestStream, length: int) -> None:
        if length:
            stream.empty_frames = 0
            self._budget.useful()
        else:
            stream.empty_frames += 1
            self._budget.empty(stream.empty_frames)

    def _decode(self, stream: RequestStream, block: bytes, events: list[Event]) -> bool:
        """Read a field section; return whether that could be done yet."""
        try:
            fields = self._decoder.decode(stream.stream_id, block)
        except SectionTooLargeError as error:
            raise self._too_large(stream, error) from error
        if fields is None:
            return False
        self._take_section(stream, fields, events)
        return True

    def _too_large(self, stream: RequestStream, error: SectionTooLargeError) -> StreamFault:
        answerable = self._is_server and stream.receiving is Part.HEAD
        return StreamFault(
            f"a field section is too large: {error}",
            H3ErrorCode.EXCESSIVE_LOAD,
            "header-block-too-large",
            status=431 if answerable else 0,
        )

    def _take_section(self, stream: RequestStream, fields: Headers, events: list[Event]) -> None:
        try:
            if stream.receiving is Part.CONTENT:
                stream.trailers = parse_trailers(fields)
                stream.receiving = Part.END
            elif self._is_server:
                self._take_request(stream, fields, events)
            else:
                self._take_response(stream, fields, events)
        except MalformedError as error:
            raise StreamFault(str(error), H3ErrorCode.MESSAGE_ERROR, error.rule) from error

    def _take_request(self, stream: RequestStream, fields: Headers, events: list[Event]) -> None:
        head = parse_request(fields)
        length = content_length(head.headers)
        stream.method = head.method
        stream.expected = None if head.method == b"CONNECT" else length
        stream.receiving = Part.CONTENT
        stream.announced = True
        events.append(
            RequestReceived(
                stream.stream_id,
                head.method,
                head.target,
                head.scheme,
                head.authority,
                join_cookies(head.headers),
                False,
                HTTP_VERSION,
                head.protocol,
            )
        )

    def _take_response(self, stream: RequestStream, fields: Headers, events: list[Event]) -> None:
        status, headers = parse_response(fields)
        length = content_length(headers)
        if status < 200:
            events.append(InformationalReceived(stream.stream_id, status, headers))
            return
        if stream.method == b"CONNECT" and status < 300:
            stream.tunnel = True
        elif stream.method == b"HEAD" or status in (204, 304):
            stream.expected = 0
        else:
            stream.expected = length
        stream.receiving = Part.CONTENT
        events.append(ResponseReceived(stream.stream_id, status, headers, False, HTTP_VERSION))

    def _finish(self, stream: RequestStream, events: list[Event]) -> None:
        """Judge whether the peer has sent a whole message, and tell its end."""
        if stream.frame_type >= 0 or stream.buffer:
            raise frames.frame_error("the stream ends in the middle of a frame")
        if stream.receiving is Part.HEAD:
            code = H3ErrorCode.REQUEST_INCOMPLETE if self._is_server else H3ErrorCode.MESSAGE_ERROR
            raise StreamFault("the stream ends before the message's head", code, "incomplete")
        if stream.expected is not None and stream.received != stream.expected:
            raise StreamFault(
                "less content than Content-Length says", H3ErrorCode.MESSAGE_ERROR, "content-length"
            )
        stream.receiving = None
        if stream.trailers is not None:
            events.append(TrailersReceived(stream.stream_id, stream.trailers))
            return
        last = events[-1] if events else None
        if (
            isinstance(last, (DataReceived, RequestReceived, ResponseReceived))
            and last.stream_id == stream.stream_id
        ):
            last.end_stream = True
        else:
            events.append(DataReceived(stream.stream_id, b"", True))
