"""HTTP/1.1, either end of a connection, without I/O (RFC 9110, RFC 9112).

A connection is a row of exchanges, numbered from 1, of which one is open at a time. Each has two messages
that go on independently, so the state is two small tables: how far receiving is, how far sending is. When
both are complete the next exchange begins, if both ends keep the connection and this one ended clean.

`receive_data` works on the very bytes it was given. Only what can not be decided yet (a part of a head,
requests that wait for their turn) is kept, and searched from where the last search ended.
"""

from __future__ import annotations

import enum
from typing import Final

from ..connection import ByteStreamConnection, Role
from ..errors import ErrorCode, LocalProtocolError, RemoteProtocolError
from ..events import (
    ConnectionClosed,
    DataReceived,
    Event,
    Headers,
    InformationalReceived,
    ResponseReceived,
    TrailersReceived,
)
from ..limits import DEFAULT_LIMITS, Limits
from .content import ChunkedReader, ClosingReader, ContentReader, LengthReader
from .framing import is_chunked, offers_upgrade, persists, request_length, response_length
from .head import Known, early_fault, parse_request, parse_response
from .reason import status_line
from .syntax import (
    CONNECTION,
    CONTENT_LENGTH,
    EXPECT,
    HOST,
    TRANSFER_ENCODING,
    UPGRADE,
    list_members,
)
from .writing import (
    CHUNKED_FIELD,
    CLOSE_FIELD,
    EMPTY_FIELD,
    KEEP_ALIVE_FIELD,
    LAST_CHUNK,
    check_host,
    declared_length,
    declares_chunked,
    encode_block,
    encode_fields,
    encode_trailers,
    request_line,
    without_framing,
)


class _Receiving(enum.Enum):
    IDLE = "nothing"  # client: no request is out
    HEAD = "a head"
    CONTENT = "content"  # or a tunnel's bytes
    WAITING = "nothing before CONNECT is answered"  # server
    COMPLETE = "nothing more"
    DROPPING = "what is dropped"


class _Sending(enum.Enum):
    IDLE = "nothing"
    HEAD = "the response"  # server; a client waits like this for the answer to its CONNECT
    CONTENT = "content"  # or a tunnel's bytes
    COMPLETE = "nothing more"


class _Framing(enum.Enum):
    LENGTH = enum.auto()
    CHUNKED = enum.auto()
    RAW = enum.auto()  # to the end of the connection


_RECEIVES_IDLE: Final = _Receiving.IDLE
_RECEIVES_HEAD: Final = _Receiving.HEAD
_RECEIVES_CONTENT: Final = _Receiving.CONTENT
_RECEIVES_WAITING: Final = _Receiving.WAITING
_RECEIVES_NO_MORE: Final = _Receiving.COMPLETE
_RECEIVES_TO_DROP: Final = _Receiving.DROPPING
_SENDS_IDLE: Final = _Sending.IDLE
_SENDS_HEAD: Final = _Sending.HEAD
_SENDS_CONTENT: Final = _Sending.CONTENT
_SENDS_NO_MORE: Final = _Sending.COMPLETE

_UNBOUNDED: Final = (1 << 63) - 1
"""HTTP/1.1 has no windows: the transport alone says when to pause."""

_METHODS_WITH_CONTENT: Final = frozenset((b"POST", b"PUT", b"PATCH"))


class HTTP1Connection(ByteStreamConnection):
    """One HTTP/1.1 connection. See `ByteStreamConnection` for what each method promises.

    After 101 or a 2xx to CONNECT a server calls `receive_data(b"")` to get the bytes that came right
    after the request's head, as it does for pipelined requests.
    """

    http_version = "HTTP/1.1"

    def __init__(self, role: Role, *, limits: Limits = DEFAULT_LIMITS) -> None:
        self.role = role
        self.limits = limits
        self._is_server = role is Role.SERVER
        self._small_head = min(limits.start_line_size, limits.header_block_size)

        self._receiving = _RECEIVES_HEAD if self._is_server else _RECEIVES_IDLE
        self._sending = _SENDS_IDLE
        self._keep_alive = True
        self._eof = False
        self._closed = False

        # What came and could not be read yet, and how much of it was searched for the end of a head.
        self._waiting = bytearray()
        self._scanned = 0
        self._empty_lines = 0
        self._unconsumed = 0
        self._output: list[bytes] = []

        # The exchange
        self._stream_id = 0
        self._method = b""
        self._reader: ContentReader = ClosingReader()
        self._framing = _Framing.LENGTH
        self._unsent = 0
        self._peer_is_old = False  # it speaks HTTP/1.0, or nothing that we know
        self._offers_upgrade = False
        self._expects_continue = False

    def __repr__(self) -> str:
        state = (
            "closed"
            if self._closed
            else f"exchange {self._stream_id}, receives {self._receiving.value}, sends {self._sending.value}"
        )
        return f"<HTTP1Connection [{self.role.value}, {state}]>"

    # ---------------------------------------------------------------------------- receiving

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
            if receiving is _RECEIVES_HEAD:
                stop = self._read_head(data, position, events)
            elif receiving is _RECEIVES_CONTENT:
                stop = self._read_content(data, position, events)
            elif receiving is _RECEIVES_TO_DROP:
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
            receiving = _RECEIVES_NO_MORE if reader is None else _RECEIVES_CONTENT
        elif reader is None:
            receiving = _RECEIVES_WAITING
        else:
            raise RemoteProtocolError("CONNECT with content", rule="connect-content")
        # Nothing is wrong with it: here the exchange begins.
        self._stream_id = stream_id
        self._method = request.method
        self._peer_is_old = is_old = version != "HTTP/1.1"
        self._offers_upgrade = UPGRADE in known and not is_old and offers_upgrade(known)
        self._expects_continue = (
            EXPECT in known and not is_old and known[EXPECT].lower() == b"100-continue"
        )
        if (is_old or CONNECTION in known) and not persists(known, version):
            self._keep_alive = False
        if reader is not None:
            self._reader = reader
        request.end_stream = receiving is _RECEIVES_NO_MORE
        self._receiving = receiving
        self._sending = _SENDS_HEAD
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
        if isinstance(reader, ClosingReader) or not persists(known, version):
            self._keep_alive = False
        if self._sending is _SENDS_HEAD:  # the answer to CONNECT
            if status < 300:
                self._framing = _Framing.RAW
                self._sending = _SENDS_CONTENT
            else:
                self._sending = _SENDS_NO_MORE
        ended = reader is None
        events.append(ResponseReceived(self._stream_id, status, headers, ended, version, reason))
        if reader is None:
            self._receiving = _RECEIVES_NO_MORE
            self._settle()
        else:
            self._receiving = _RECEIVES_CONTENT
            self._reader = reader

    def _response_reader(self, status: int, known: Known, version: str) -> ContentReader | None:
        """Return what reads the content of this response (RFC 9112 section 6.3), None if it has none."""
        if self._method == b"CONNECT" and status < 300:
            return ClosingReader()  # the framing fields mean nothing here (RFC 9110 section 9.3.6)
        chunked = is_chunked(known, version)
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
            if not self._offers_upgrade or self._sending is not _SENDS_NO_MORE:
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
            self._tell_data(pieces, events, end_stream=False)
            raise
        if not reader.complete:
            self._tell_data(pieces, events, end_stream=False)
        else:
            if isinstance(reader, ChunkedReader) and reader.trailers:
                self._tell_data(pieces, events, end_stream=False)
                events.append(TrailersReceived(self._stream_id, reader.trailers))
            else:
                self._tell_data(pieces, events, end_stream=True)
            self._receiving = _RECEIVES_NO_MORE
            self._settle()
        return stop

    def _tell_data(self, pieces: list[bytes], events: list[Event], *, end_stream: bool) -> None:
        if pieces or end_stream:
            data = b"".join(pieces)
            self._unconsumed += len(data)
            events.append(DataReceived(self._stream_id, data, end_stream))

    def _read_unasked(self, data: bytes | bytearray, position: int) -> int:
        """Read what a server sends without a request to answer (RFC 9112 section 9.2)."""
        if self._keep_alive and data[position:].strip(b"\r\n"):
            raise RemoteProtocolError("a response to no request", rule="response-unasked")
        return len(data)

    def _read_end(self, events: list[Event]) -> None:
        """Judge the end of the peer's bytes by what was being read."""
        if self._receiving is _RECEIVES_HEAD:
            if self._waiting:
                raise RemoteProtocolError("the connection ended in a head", rule="eof-in-head")
            if not self._is_server:
                raise RemoteProtocolError(
                    "the connection ended before a response", rule="eof-before-response"
                )
            self._close()
        elif self._receiving is _RECEIVES_CONTENT:
            if not isinstance(self._reader, ClosingReader):
                raise RemoteProtocolError("the connection ended in content", rule="eof-in-content")
            self._tell_data([], events, end_stream=True)
            self._receiving = _RECEIVES_NO_MORE
            self._settle()
        elif self._sending is _SENDS_IDLE:
            self._close()

    def _fail(self, error: RemoteProtocolError, events: list[Event]) -> None:
        """Receive no more after the peer's fault; a server's driver may still answer."""
        error.events = events
        if not self._is_server:
            if self._receiving is _RECEIVES_HEAD or self._receiving is _RECEIVES_CONTENT:
                error.stream_id = self._stream_id
            self._close()
            return
        if (
            self._receiving is _RECEIVES_HEAD
        ):  # a request of which nothing is sure: an exchange still
            self._stream_id += 1
            self._method = b""
            self._peer_is_old = True
            self._offers_upgrade = self._expects_continue = False
            self._sending = _SENDS_HEAD
        error.stream_id = self._stream_id
        self._drop_rest()

    # ------------------------------------------------------------------------------ sending

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
        """Start a request (client) and return its number. `scheme` is not sent."""
        if not self.available_streams:
            raise LocalProtocolError(f"{self!r} takes no request now")
        if protocol:
            raise LocalProtocolError("extended CONNECT is HTTP/2's and 3's: HTTP/1.1 has Upgrade")
        lines = [request_line(method, target)]
        known = encode_fields(headers, lines)
        if HOST not in known and authority:
            lines.insert(1, b"Host: " + authority)
            known[HOST] = authority
        check_host(known)
        chunked = declares_chunked(known)
        length = declared_length(known)
        if method == b"CONNECT":
            if chunked or length or end_stream:
                raise LocalProtocolError("CONNECT has no content, and its stream goes on")
        elif end_stream:
            self._check_empty(length)
            if length is None and not chunked and method in _METHODS_WITH_CONTENT:
                lines.append(EMPTY_FIELD)
        elif length is None and not chunked:
            lines.append(CHUNKED_FIELD)
            chunked = True
        block = encode_block(lines)
        if not persists(known, "HTTP/1.1"):
            self._keep_alive = False
        self._output.append(block)
        self._stream_id += 1
        self._method = method
        self._offers_upgrade = offers_upgrade(known)
        self._receiving = _RECEIVES_HEAD
        if method == b"CONNECT":
            self._sending = _SENDS_HEAD
        else:
            self._begin_content(length, chunked, end_stream)
        return self._stream_id

    def send_informational(self, stream_id: int, status: int, headers: Headers) -> None:
        """Send a 1xx response (server). One that may not be sent to HTTP/1.0 is left out."""
        self._check_response(stream_id)
        if not 100 <= status < 200:
            raise LocalProtocolError(f"{status} is not informational")
        if status == 101 and not (self._offers_upgrade and self._receiving is _RECEIVES_NO_MORE):
            raise LocalProtocolError(
                "101 needs a request, received whole, that asks for an upgrade"
            )
        lines = [status_line(status)]
        encode_fields(without_framing(headers), lines)
        block = encode_block(lines)
        if self._peer_is_old:  # RFC 9110 section 15.2
            return
        self._output.append(block)
        if status == 101:
            self._become_tunnel()
        elif status == 100:
            self._expects_continue = False

    def send_response(
        self, stream_id: int, status: int, headers: Headers, *, end_stream: bool = False
    ) -> None:
        """Send the final response's head (server)."""
        self._check_response(stream_id)
        if not 200 <= status <= 999:
            raise LocalProtocolError(f"{status} is no final status")
        if self._method == b"CONNECT" and status < 300:
            self._accept_tunnel(status, headers, end_stream)
            return
        lines = [status_line(status)]
        known = encode_fields(headers, lines)
        chunked = declares_chunked(known)
        length = declared_length(known)
        if (chunked and self._peer_is_old) or (status == 204 and (chunked or length is not None)):
            # RFC 9112 section 6.1, RFC 9110 section 8.6: they must not be there.
            self.send_response(stream_id, status, without_framing(headers), end_stream=end_stream)
            return
        keeps_alive = self._can_persist()
        if self._method == b"HEAD" or status == 204 or status == 304:
            if not end_stream:
                raise LocalProtocolError("this response has no content: give end_stream=True")
            chunked, length = False, 0
        elif end_stream:
            self._check_empty(length)
            if length is None and not chunked:
                lines.append(EMPTY_FIELD)
        elif length is None and not chunked:
            if self._peer_is_old:
                keeps_alive = False
            else:
                lines.append(CHUNKED_FIELD)
                chunked = True
        self._write_persistence(keeps_alive, known, lines)
        keeps_alive = keeps_alive and persists(known, "HTTP/1.1")
        block = encode_block(lines)
        self._output.append(block)
        self._keep_alive = keeps_alive
        if self._receiving is _RECEIVES_WAITING:  # CONNECT is refused
            self._receiving = _RECEIVES_NO_MORE
        self._begin_content(length, chunked, end_stream)

    def _accept_tunnel(self, status: int, headers: Headers, end_stream: bool) -> None:
        lines = [status_line(status)]
        encode_fields(without_framing(headers), lines)
        self._output.append(encode_block(lines))
        if self._receiving is _RECEIVES_WAITING:
            self._become_tunnel()
        self._keep_alive = False
        self._framing = _Framing.RAW
        self._sending = _SENDS_CONTENT
        if end_stream:
            self._end_content()

    def _become_tunnel(self) -> None:
        self._keep_alive = False
        self._reader = ClosingReader()
        self._receiving = _RECEIVES_CONTENT
        self._framing = _Framing.RAW
        self._sending = _SENDS_CONTENT

    def _check_response(self, stream_id: int) -> None:
        if not self._is_server:
            raise LocalProtocolError("a client sends no responses")
        if stream_id != self._stream_id or self._sending is not _SENDS_HEAD:
            raise LocalProtocolError(f"no response can begin on stream {stream_id} of {self!r}")

    def _check_empty(self, length: int | None) -> None:
        if length:
            raise LocalProtocolError(f"Content-Length is {length} and there is no content")

    def _can_persist(self) -> bool:
        """Say whether a next request could be read safely after this response."""
        if not self._keep_alive or (self._eof and not self._waiting):
            return False
        if self._receiving is _RECEIVES_WAITING and self._waiting:
            # What follows a refused CONNECT may be meant for the tunnel: it is never a request.
            return False
        # A client that was not told to continue may send its content or not (RFC 9110 section 10.1.1).
        return not (self._expects_continue and self._receiving is _RECEIVES_CONTENT)

    def _write_persistence(self, keeps_alive: bool, known: Known, lines: list[bytes]) -> None:
        """Say in the head what will be, where it does not go without saying (RFC 9112 section 9.3)."""
        if keeps_alive and not self._peer_is_old:
            return
        options = list_members(known.get(CONNECTION, b""))
        if not keeps_alive:
            if b"close" not in options:
                lines.append(CLOSE_FIELD)
        elif b"close" not in options and b"keep-alive" not in options:
            lines.append(KEEP_ALIVE_FIELD)

    def _begin_content(self, length: int | None, chunked: bool, end_stream: bool) -> None:
        """Go on to send the content, framed as the head said."""
        if end_stream:
            if chunked:
                self._output.append(LAST_CHUNK)
            self._end_content()
            return
        self._sending = _SENDS_CONTENT
        if chunked:
            self._framing = _Framing.CHUNKED
        elif length is None:
            self._framing = _Framing.RAW
        else:
            self._framing = _Framing.LENGTH
            self._unsent = length

    def send_data(self, stream_id: int, data: bytes, *, end_stream: bool = False) -> None:
        """Send content, or a tunnel's bytes."""
        self._check_sending(stream_id)
        output = self._output
        framing = self._framing
        if framing is _Framing.LENGTH:
            unsent = self._unsent - len(data)
            if unsent < 0 or (end_stream and unsent):
                raise LocalProtocolError(
                    f"{len(data)} bytes where Content-Length leaves {self._unsent}"
                )
            self._unsent = unsent
            output.append(data)
        elif framing is _Framing.CHUNKED:
            if data:  # an empty chunk would be the last
                output += (b"%x\r\n" % len(data), data, b"\r\n")
            if end_stream:
                output.append(LAST_CHUNK)
        else:
            output.append(data)
        if end_stream:
            self._end_content()

    def send_trailers(self, stream_id: int, headers: Headers) -> None:
        """Send the trailer section, if the content is chunked, and end the stream."""
        self._check_sending(stream_id)
        block = encode_trailers(headers)
        if self._framing is _Framing.CHUNKED:
            self._output.append(block)
        elif self._framing is _Framing.LENGTH and self._unsent:
            raise LocalProtocolError(f"trailers where Content-Length leaves {self._unsent} bytes")
        self._end_content()

    def _check_sending(self, stream_id: int) -> None:
        if stream_id != self._stream_id or self._sending is not _SENDS_CONTENT:
            raise LocalProtocolError(f"no content can be sent on stream {stream_id} of {self!r}")

    def _end_content(self) -> None:
        self._sending = _SENDS_NO_MORE
        self._settle()

    def data_to_send(self) -> bytes:
        """Return all bytes that wait to be sent, and forget them."""
        output = self._output
        if not output:
            return b""
        data = b"".join(output)
        output.clear()
        return data

    # ------------------------------------------------------------------------ the connection

    def _settle(self) -> None:
        """Begin anew, or close, once both messages of the exchange are over."""
        if self._sending is not _SENDS_NO_MORE:
            return
        if self._receiving is _RECEIVES_NO_MORE:
            if self._keep_alive and (self._waiting or not self._eof):
                self._sending = _SENDS_IDLE
                self._receiving = _RECEIVES_HEAD if self._is_server else _RECEIVES_IDLE
            else:
                self._close()
        elif self._receiving is _RECEIVES_TO_DROP:
            self._close()

    def _drop_rest(self) -> None:
        self._keep_alive = False
        self._receiving = _RECEIVES_TO_DROP
        self._waiting.clear()
        self._settle()

    def _close(self) -> None:
        self._closed = True
        self._keep_alive = False
        self._receiving = _RECEIVES_TO_DROP
        self._sending = _SENDS_IDLE
        self._waiting.clear()

    def _is_open(self, stream_id: int) -> bool:
        return stream_id == self._stream_id and self._sending is not _SENDS_IDLE

    def reset_stream(self, stream_id: int, error_code: int = ErrorCode.CANCEL) -> None:
        """End an exchange at once, and with it the connection."""
        if self._is_open(stream_id):
            self._close()

    def stop_receiving(self, stream_id: int) -> None:
        """Drop what still comes of the peer's message, and close after ours."""
        if self._is_open(stream_id) and self._receiving is not _RECEIVES_NO_MORE:
            self._drop_rest()

    def ping(self, payload: bytes) -> None:
        """Raise `LocalProtocolError`: HTTP/1.1 has no PING."""
        raise LocalProtocolError("HTTP/1.1 has no PING")

    def close(self, error_code: int = ErrorCode.NO_ERROR) -> None:
        """Close after the open exchange, or at once if there is none or `error_code` is an error."""
        self._keep_alive = False
        if error_code != ErrorCode.NO_ERROR or self._sending is _SENDS_IDLE:
            self._close()

    def send_capacity(self, stream_id: int) -> int:
        """Return 0 where no content can be sent, else more than anyone has."""
        sends = stream_id == self._stream_id and self._sending is _SENDS_CONTENT
        return _UNBOUNDED if sends else 0

    def consume(self, stream_id: int, amount: int) -> None:
        """Give credit back for content that the reader has taken."""
        if not 0 < stream_id <= self._stream_id:
            return
        if not 0 <= amount <= self._unconsumed:
            raise LocalProtocolError(f"{amount} bytes consumed of {self._unconsumed}")
        self._unconsumed -= amount

    @property
    def available_streams(self) -> int:
        """1 for a client that has no request out and whose connection goes on, else 0."""
        can = not self._is_server and self._sending is _SENDS_IDLE and not self.is_draining
        return 1 if can else 0

    @property
    def wants_data(self) -> bool:
        """Whether what was received and waits for the reader or for its turn is within the limit."""
        if self._closed or self._eof:
            return False
        held = self._unconsumed
        if self._receiving is _RECEIVES_NO_MORE or self._receiving is _RECEIVES_WAITING:
            held += len(self._waiting)
        return held < self.limits.receive_buffer

    @property
    def is_idle(self) -> bool:
        """Whether no exchange is open."""
        return self._sending is _SENDS_IDLE

    @property
    def is_draining(self) -> bool:
        """Whether no exchange can follow, by either side's word."""
        return self._eof or not self._keep_alive

    @property
    def is_closed(self) -> bool:
        """Whether nothing more can be sent or received."""
        return self._closed
