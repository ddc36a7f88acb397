"""The half of an HTTP/1.1 connection that receives (RFC 9112 sections 2, 6, 7 and 8).

`receive_data` works on the very bytes it was given. Only what can not be decided yet (a part of a head,
requests that wait for their turn) is kept, and searched from where the last search ended.
"""

from __future__ import annotations

from ..errors import RemoteProtocolError
from ..events import (
    ConnectionClosed,
    DataReceived,
    Event,
    Headers,
    InformationalReceived,
    ResponseReceived,
    TrailersReceived,
)
from .content import ChunkedReader, ClosingReader, ContentReader, LengthReader
from .framing import is_chunked, offers_upgrade, persists, request_length, response_length
from .head import Known, early_fault, parse_request, parse_response
from .state import (
    BY_CLOSING,
    RECEIVES_CONTENT,
    RECEIVES_HEAD,
    RECEIVES_NO_MORE,
    RECEIVES_TO_DROP,
    RECEIVES_WAITING,
    SENDS_CONTENT,
    SENDS_HEAD,
    SENDS_IDLE,
    SENDS_NO_MORE,
    SENDS_WAITING,
    ConnectionState,
)
from .syntax import CONNECTION, CONTENT_LENGTH, EXPECT, TRANSFER_ENCODING


class ReceivingConnection(ConnectionState):
    """Reads what the peer sends."""

    __slots__ = ()

    def receive_data(self, data: bytes) -> list[Event]:
        """Take bytes from the peer and return all that they complete."""
        events: list[Event] = []
        if self._closed:
            return events
        waiting = self._waiting
        block: bytes | bytearray = data
        if waiting:
            # Joined to the larger of the two, so that a byte is never moved more than a few times.
            if len(data) > len(waiting):
                block = bytes(waiting) + data
                waiting.clear()
            else:
                waiting += data
                block = waiting
        try:
            position = self._read(block, events)
            if block is waiting:
                del waiting[:position]
            elif position < len(block) and not self._closed:
                waiting += memoryview(block)[position:]
            if self._eof:
                self._read_end(events)
        except RemoteProtocolError as error:
            self._fail(error, events)
            raise
        return events

    def receive_eof(self) -> list[Event]:
        """Take the end of the peer's bytes."""
        events: list[Event] = []
        if self._closed or self._eof:
            return events
        self._eof = True
        try:
            self._read_end(events)
        except RemoteProtocolError as error:
            self._fail(error, events)
            raise
        events.append(ConnectionClosed())
        return events

    def _read(self, data: bytes | bytearray, events: list[Event]) -> int:
        """Read all that can be read and return where what is left begins."""
        position = 0
        end = len(data)
        while position < end:
            receiving = self._receiving
            if receiving is RECEIVES_HEAD:
                stop = self._read_head(data, position, events)
            elif receiving is RECEIVES_CONTENT:
                stop = self._read_content(data, position, events)
            elif receiving is RECEIVES_TO_DROP:
                return end
            elif self._is_server:
                return position  # the next request, or a tunnel's first bytes: they wait
            else:
                return self._read_unasked(data, position)
            if stop == position:
                break
            position = stop
        return position

    def _read_head(self, data: bytes | bytearray, position: int, events: list[Event]) -> int:
        limits = self.limits
        while data.startswith(b"\r\n", position):  # RFC 9112 section 2.2
            self._empty_lines += 1
            if self._empty_lines > limits.empty_lines:
                raise RemoteProtocolError("too many empty lines", rule="empty-lines")
            position += 2
            self._scanned = 0
        end = len(data)
        head_end = data.find(b"\r\n\r\n", position + self._scanned)
        if head_end < 0:
            rest = end - position
            if rest > 1 or (rest == 1 and data[position] != 0x0D):
                scanned = position + self._scanned
                fault = early_fault(data, position, scanned, end, limits, self._is_server)
                if fault is not None:
                    raise fault
                self._scanned = max(0, rest - 3)
            return position
        try:
            if head_end - position > self._small_head:
                fault = early_fault(data, position, position, head_end + 3, limits, self._is_server)
                if fault is not None:
                    raise fault
            head = bytes(data[position:head_end])
            if self._is_server:
                self._begin_request(head, events)
            else:
                self._begin_response(head, events)
        except RemoteProtocolError as error:
            fault = early_fault(data, position, position, head_end + 3, limits, self._is_server)
            raise fault or error from None
        self._scanned = 0
        self._empty_lines = 0
        return head_end + 4

    def _begin_request(self, head: bytes, events: list[Event]) -> None:
        stream_id = self._stream_id + 1
        request, known = parse_request(head, stream_id, self.limits)
        version = request.http_version
        reader: ContentReader | None = None
        if CONTENT_LENGTH in known or TRANSFER_ENCODING in known:
            reader = self._request_reader(known, version)
        if request.method != b"CONNECT":
            receiving = RECEIVES_NO_MORE if reader is None else RECEIVES_CONTENT
        elif reader is None:
            receiving = RECEIVES_WAITING
            request.end_stream = False
        else:
            raise RemoteProtocolError("CONNECT with content", rule="connect-content")
        # Nothing is wrong with it: here the exchange begins.
        self._stream_id = stream_id
        self._method = request.method
        self._peer_is_old = is_old = version != "HTTP/1.1"
        self._offers_upgrade = self._expects_continue = False
        if is_old:
            if not persists(known, version):
                self._keep_alive = False
        elif len(known) > 1:  # more than Host
            if not persists(known, version):
                self._keep_alive = False
            self._offers_upgrade = offers_upgrade(known)
            self._expects_continue = known.get(EXPECT, b"").lower() == b"100-continue"
        if reader is not None:
            self._reader = reader
            request.end_stream = False
        self._receiving = receiving
        self._sending = SENDS_HEAD
        events.append(request)

    def _request_reader(self, known: Known, version: str) -> ContentReader | None:
        if is_chunked(known, version):
            return ChunkedReader(self.limits, from_server=False)
        length = request_length(known)
        return LengthReader(length) if length else None

    def _begin_response(self, head: bytes, events: list[Event]) -> None:
        version, status, reason, headers, known = parse_response(head, self.limits)
        if status < 200:
            self._begin_informational(status, headers, events)
            return
        reader = self._response_reader(status, known, version)
        if version != "HTTP/1.1" or CONNECTION in known:
            self._keep_alive = self._keep_alive and persists(known, version)
        if isinstance(reader, ClosingReader):
            self._keep_alive = False
        if self._sending is SENDS_WAITING:  # the answer to CONNECT
            if status < 300:
                self._framing = BY_CLOSING
                self._sending = SENDS_CONTENT
            else:
                self._sending = SENDS_NO_MORE
        ended = reader is None
        events.append(ResponseReceived(self._stream_id, status, headers, ended, version, reason))
        if reader is None:
            self._receiving = RECEIVES_NO_MORE
            self._settle()
        else:
            self._receiving = RECEIVES_CONTENT
            self._reader = reader

    def _response_reader(self, status: int, known: Known, version: str) -> ContentReader | None:
        """Return what reads the content of this response (RFC 9112 section 6.3), None if it has none."""
        if self._method == b"CONNECT" and status < 300:
            return ClosingReader()  # the framing fields mean nothing here (RFC 9110 section 9.3.6)
        chunked = TRANSFER_ENCODING in known and is_chunked(known, version)
        length = None if chunked else response_length(known)
        if self._method == b"HEAD" or status == 204 or status == 304:
            return None
        if chunked:
            return ChunkedReader(self.limits, from_server=True)
        if length is None:
            return ClosingReader()
        return LengthReader(length) if length else None

    def _begin_informational(self, status: int, headers: Headers, events: list[Event]) -> None:
        if status == 101:
            if not self._offers_upgrade or self._sending is not SENDS_NO_MORE:
                raise RemoteProtocolError("101 that nobody asked for", rule="upgrade-unasked")
            self._become_tunnel()
        events.append(InformationalReceived(self._stream_id, status, headers))

    def _read_content(self, data: bytes | bytearray, position: int, events: list[Event]) -> int:
        reader = self._reader
        pieces: list[bytes] = []
        self._expects_continue = False
        try:
            stop = reader.read(data, position, pieces)
        except RemoteProtocolError:
            if pieces:
                self._tell_data(b"".join(pieces), events, end_stream=False)
            raise
        complete = reader.complete
        trailers = complete and isinstance(reader, ChunkedReader) and reader.trailers
        ends = complete and not trailers
        if pieces or ends:
            self._tell_data(b"".join(pieces), events, end_stream=ends)
        if trailers:
            events.append(TrailersReceived(self._stream_id, trailers))
        if complete:
            self._receiving = RECEIVES_NO_MORE
            self._settle()
        return stop

    def _tell_data(self, data: bytes, events: list[Event], *, end_stream: bool) -> None:
        self._unconsumed += len(data)
        events.append(DataReceived(self._stream_id, data, end_stream))

    def _read_unasked(self, data: bytes | bytearray, position: int) -> int:
        """Read what a server sends without a request to answer (RFC 9112 section 9.2)."""
        if self._keep_alive and data[position:].strip(b"\r\n"):
            raise RemoteProtocolError("a response to no request", rule="response-unasked")
        return len(data)

    def _read_end(self, events: list[Event]) -> None:
        """Judge the end of the peer's bytes by what was being read."""
        if self._receiving is RECEIVES_HEAD:
            if self._waiting:
                raise RemoteProtocolError("the connection ended in a head", rule="eof-in-head")
            if not self._is_server:
                raise RemoteProtocolError(
                    "the connection ended before a response", rule="eof-before-response"
                )
            self._close()
        elif self._receiving is RECEIVES_CONTENT:
            if not isinstance(self._reader, ClosingReader):
                raise RemoteProtocolError("the connection ended in content", rule="eof-in-content")
            self._tell_data(b"", events, end_stream=True)
            self._receiving = RECEIVES_NO_MORE
            self._settle()
        elif self._sending is SENDS_IDLE:
            self._close()

    def _fail(self, error: RemoteProtocolError, events: list[Event]) -> None:
        """Receive no more after the peer's fault; a server's driver may still answer."""
        error.events = events
        if not self._is_server:
            if self._receiving is RECEIVES_HEAD or self._receiving is RECEIVES_CONTENT:
                error.stream_id = self._stream_id
            self._close()
            return
        self._eof = True  # nothing more is received, not even the end
        if self._receiving is RECEIVES_HEAD:  # an exchange, though nothing is sure of its request
            self._stream_id += 1
            self._method = b""
            self._peer_is_old = True
            self._offers_upgrade = self._expects_continue = False
            self._sending = SENDS_HEAD
        error.stream_id = self._stream_id
        self._drop_rest()
