"""HTTP/1.1, either end of a connection, without I/O (RFC 9110, RFC 9112).

This is the half that receives (RFC 9112 sections 2, 6, 7 and 8), and with it the whole: `state` holds what
both halves share, `sending` is the other half.

`receive_data` works on the very bytes it was given. Only what can not be decided yet (a part of a head,
requests that wait for their turn) is kept, and searched from where the last search ended.
"""

from __future__ import annotations

from ..connection import Role
from ..errors import ErrorCode, RemoteProtocolError
from ..events import (
    ConnectionClosed,
    DataReceived,
    Event,
    Headers,
    InformationalReceived,
    RequestReceived,
    ResponseReceived,
    StreamReset,
    TrailersReceived,
)
from ..limits import DEFAULT_LIMITS, Limits
from .chunks import ChunkedReader
from .framing import content_length, expects_to_continue, is_chunked, offers_upgrade, persists
from .head import Known, early_fault, early_messy_fault, parse_request, parse_response
from .repair import end_of_head, repaired
from .rules import STRICT, broken
from .sending import SendingConnection
from .state import (
    BY_CHUNKS,
    BY_CLOSING,
    BY_LENGTH,
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
)
from .syntax import CONNECTION, CONTENT_LENGTH, EXPECT, TRANSFER_ENCODING, UPGRADE


class HTTP1Connection(SendingConnection):
    """One HTTP/1.1 connection. See `ByteStreamConnection` for what each method promises.

    Beside what the contract asks for it takes a `profile` (`STRICT` or `LENIENT`; a client is LENIENT unless
    told otherwise, a server always STRICT) and `pipelining`, how many requests a client may have out at once.
    Answers come in order; a request may follow those whose methods are idempotent (RFC 9112 section 9.3.2).

    After 101 or a 2xx to CONNECT a server calls `receive_data(b"")` to get the bytes that came right
    after the request's head, as it does for pipelined requests.
    """

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
        if data[position] == 0x0D:
            position = self._skip_empty_lines(data, position)
        head_end = data.find(b"\r\n\r\n", position + self._scanned)
        if head_end < 0 or head_end - position > self._small_head:
            return self._read_unusual_head(data, position, head_end, events)
        head = (
            data[position:head_end] if isinstance(data, bytes) else bytes(data[position:head_end])
        )
        try:
            if self._is_server:
                self._begin_request(head, events)
            else:
                self._begin_response(head, events)
        except RemoteProtocolError as error:
            return self._judge(data, position, head_end, events, error)
        self._scanned = 0
        self._empty_lines = 0
        return head_end + 4

    def _skip_empty_lines(self, data: bytes | bytearray, position: int) -> int:
        """Skip empty lines before a start line (RFC 9112 section 2.2)."""
        while data.startswith(b"\r\n", position):
            if not self._is_server and "empty-lines-before-response" not in self._forgives:
                raise broken("empty-lines-before-response")
            self._empty_lines += 1
            if self._empty_lines > self.limits.empty_lines:
                raise broken("empty-lines")
            position += 2
            self._scanned = 0
        return position

    def _read_unusual_head(
        self, data: bytes | bytearray, position: int, head_end: int, events: list[Event]
    ) -> int:
        """Read a head that has not come whole, or is so long that its parts need to be measured."""
        limits = self.limits
        if "bare-lf" in self._forgives:
            return self._read_messy_head(data, position, events)
        scanned = position + self._scanned
        if head_end >= 0:
            fault = early_fault(data, position, position, head_end + 3, limits, self._is_server)
            if fault is not None:
                raise fault
            head = bytes(data[position:head_end])
            if self._is_server:
                self._begin_request(head, events)
            else:
                self._begin_repaired(head, events)
            self._scanned = 0
            self._empty_lines = 0
            return head_end + 4
        end = len(data)
        rest = end - position
        if rest > 1 or (rest == 1 and data[position] != 0x0D):
            fault = early_fault(data, position, scanned, end, limits, self._is_server)
            if fault is not None:
                raise fault
            self._scanned = max(0, rest - 3)
        return position

    def _judge(
        self,
        data: bytes | bytearray,
        position: int,
        head_end: int,
        events: list[Event],
        error: RemoteProtocolError,
    ) -> int:
        """Find the first fault by position in a whole head, or forgive them all."""
        if self._forgives:
            if "bare-lf" in self._forgives:
                return self._read_messy_head(data, position, events)
            self._begin_repaired(bytes(data[position:head_end]), events)
            self._scanned = 0
            self._empty_lines = 0
            return head_end + 4
        fault = early_fault(data, position, position, head_end + 3, self.limits, self._is_server)
        raise fault or error from None

    def _read_messy_head(self, data: bytes | bytearray, position: int, events: list[Event]) -> int:
        """Read a response's head whose lines may end in LF alone, and that may break other rules."""
        end = len(data)
        if end == position or (end == position + 1 and data[position] == 0x0D):
            return position
        head_end, after = end_of_head(data, position + self._scanned, end)
        stop = end if head_end < 0 else after
        fault = early_messy_fault(data, position, stop, self.limits)
        if fault is not None:
            raise fault
        if head_end < 0:
            self._scanned = max(0, end - 3 - position)
            return position
        self._begin_repaired(bytes(data[position:head_end]), events)
        self._scanned = 0
        self._empty_lines = 0
        return after

    def _begin_repaired(self, head: bytes, events: list[Event]) -> None:
        self._begin_response(repaired(head, self._forgives), events)

    def _begin_request(self, head: bytes, events: list[Event]) -> None:
        request, known = parse_request(head, self._stream_id + 1, self.limits)
        self._start_request(request, known, events)

    def _start_request(self, request: RequestReceived, known: Known, events: list[Event]) -> None:
        stream_id = request.stream_id
        version = request.http_version
        receiving = RECEIVES_NO_MORE
        if (CONTENT_LENGTH in known or TRANSFER_ENCODING in known) and self._frame_request(
            known, version
        ):
            receiving = RECEIVES_CONTENT
            request.end_stream = False
        if request.method == b"CONNECT":
            if receiving is RECEIVES_CONTENT:
                raise broken("connect-content")
            receiving = RECEIVES_WAITING
            request.end_stream = False
        is_old = version != "HTTP/1.1"
        expects_continue = False
        if EXPECT in known and not is_old:  # an old client can not know (RFC 9110 section 10.1.1)
            expects_continue = expects_to_continue(known[EXPECT])
        # Nothing is wrong with it: here the exchange begins.
        self._stream_id = self._reading_id = stream_id
        self._method = request.method
        self._peer_is_old = is_old
        self._expects_continue = expects_continue
        self._offers_upgrade = False
        if is_old:
            if not persists(known, version):
                self._keep_alive = False
        elif CONNECTION in known and known[CONNECTION] != b"keep-alive":  # what most say
            if not persists(known, version):
                self._keep_alive = False
            self._offers_upgrade = UPGRADE in known and offers_upgrade(known)
        self._receiving = receiving
        self._sending = SENDS_HEAD
        events.append(request)

    def _frame_request(self, known: Known, version: str) -> bool:
        """Prepare to read a request's content and say whether there is any (RFC 9112 section 6.3)."""
        if is_chunked(known, version):
            self._incoming = BY_CHUNKS
            self._chunks = ChunkedReader(self.limits, forgives_padding=False)
            return True
        self._incoming = BY_LENGTH
        self._unread = content_length(known[CONTENT_LENGTH], forgives_repetition=False)
        return self._unread > 0

    def _begin_response(self, head: bytes, events: list[Event]) -> None:
        version, status, reason, headers, known = parse_response(head, self.limits)
        self._start_response(version, status, reason, headers, known, events)

    def _start_response(
        self,
        version: str,
        status: int,
        reason: bytes,
        headers: Headers,
        known: Known,
        events: list[Event],
    ) -> None:
        if status < 200:
            self._begin_informational(status, headers, events)
            return
        has_content = self._frame_response(status, known, version)
        stays = persists(known, version) if CONNECTION in known else version == "HTTP/1.1"
        lasts = stays and not (has_content and self._incoming is BY_CLOSING)
        if not lasts:
            self._keep_alive = False
        if self._sending is SENDS_WAITING:  # the answer to CONNECT
            if status < 300:
                self._outgoing = BY_CLOSING
                self._sending = SENDS_CONTENT
            else:
                self._sending = SENDS_NO_MORE
        stream_id = self._reading_id
        events.append(
            ResponseReceived(stream_id, status, headers, not has_content, version, reason)
        )
        if not lasts and stream_id != self._stream_id:
            self._give_up_pipeline(events, unprocessed=not stays)
        if has_content:
            self._receiving = RECEIVES_CONTENT
        else:
            self._receiving = RECEIVES_NO_MORE
            self._settle()

    def _frame_response(self, status: int, known: Known, version: str) -> bool:
        """Prepare to read a response's content and say whether there is any (RFC 9112 section 6.3)."""
        if status < 300 and self._method == b"CONNECT":
            self._incoming = (
                BY_CLOSING  # the framing fields mean nothing here (RFC 9110 section 9.3.6)
            )
            return True
        if TRANSFER_ENCODING in known and is_chunked(known, version):
            self._incoming = BY_CHUNKS
            forgives = "chunk-size-padding" in self._forgives
            self._chunks = ChunkedReader(self.limits, forgives_padding=forgives)
            has_content = True
        elif CONTENT_LENGTH in known:
            forgives = "content-length-repeated" in self._forgives
            self._incoming = BY_LENGTH
            self._unread = content_length(known[CONTENT_LENGTH], forgives_repetition=forgives)
            has_content = self._unread > 0
        else:
            self._incoming = BY_CLOSING
            has_content = True
        return has_content and not (status == 204 or status == 304 or self._method == b"HEAD")

    def _begin_informational(self, status: int, headers: Headers, events: list[Event]) -> None:
        if status == 101:
            if not self._offers_upgrade or self._sending is not SENDS_NO_MORE:
                raise broken("upgrade-unasked")
            self._become_tunnel()
        events.append(InformationalReceived(self._reading_id, status, headers))

    def _read_content(self, data: bytes | bytearray, position: int, events: list[Event]) -> int:
        self._expects_continue = False
        if self._incoming is BY_CHUNKS:
            return self._read_chunks(data, position, events)
        stop = end = len(data)
        complete = False
        if self._incoming is BY_LENGTH:
            stop = position + self._unread
            if stop > end:
                self._unread = stop - end
                stop = end
            else:
                complete = True
        size = stop - position
        if not isinstance(data, bytes):
            content = bytes(data[position:stop])
        else:
            content = data if size == len(data) else data[position:stop]
        self._unconsumed += size
        events.append(DataReceived(self._reading_id, content, complete))
        if complete:
            self._end_receiving()
        return stop

    def _end_receiving(self) -> None:
        self._receiving = RECEIVES_NO_MORE
        self._settle()

    def _read_chunks(self, data: bytes | bytearray, position: int, events: list[Event]) -> int:
        chunks = self._chunks
        assert chunks is not None
        pieces: list[bytes] = []
        try:
            stop = chunks.read(data, position, pieces)
        except RemoteProtocolError:
            if pieces:
                self._tell_data(b"".join(pieces), events, end_stream=False)
            raise
        complete = chunks.complete
        ends = complete and not chunks.trailers
        if pieces or ends:
            self._tell_data(b"".join(pieces), events, end_stream=ends)
        if complete:
            if chunks.trailers:
                events.append(TrailersReceived(self._reading_id, chunks.trailers))
            self._chunks = None
            self._receiving = RECEIVES_NO_MORE
            self._settle()
        return stop

    def _tell_data(self, data: bytes, events: list[Event], *, end_stream: bool) -> None:
        self._unconsumed += len(data)
        events.append(DataReceived(self._reading_id, data, end_stream))

    def _give_up_pipeline(self, events: list[Event], *, unprocessed: bool) -> None:
        """Tell that no answer comes to what was sent behind (RFC 9112 sections 9.3.2 and 9.6)."""
        events += [
            StreamReset(stream_id, ErrorCode.CANCEL, remote=True, unprocessed=unprocessed)
            for stream_id in range(self._reading_id + 1, self._stream_id + 1)
        ]
        self._stream_id = self._reading_id
        self._sending = SENDS_NO_MORE

    def _read_unasked(self, data: bytes | bytearray, position: int) -> int:
        """Read what a server sends without a request to answer (RFC 9112 section 9.2)."""
        if self._keep_alive and data[position:].strip(b"\r\n"):
            raise broken("response-unasked")
        return len(data)

    def _read_end(self, events: list[Event]) -> None:
        """Judge the end of the peer's bytes by what was being read."""
        if self._receiving is RECEIVES_HEAD:
            if self._holds_more():
                raise broken("eof-in-head")
            if not self._is_server:
                raise broken("eof-before-response")
            self._close()
        elif self._receiving is RECEIVES_CONTENT:
            if self._incoming is not BY_CLOSING:
                raise broken("eof-in-content")
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
                error.stream_id = self._reading_id
            if self._reading_id != self._stream_id:
                self._give_up_pipeline(events, unprocessed=False)
            self._close()
            return
        self._eof = True  # nothing more is received, not even the end
        if self._receiving is RECEIVES_HEAD:  # an exchange, though nothing is sure of its request
            self._stream_id = self._reading_id = self._stream_id + 1
            self._method = b""
            self._peer_is_old = True
            self._offers_upgrade = self._expects_continue = False
            self._sending = SENDS_HEAD
        error.stream_id = self._stream_id
        self._drop_rest()


def strict_connection(role: Role, *, limits: Limits = DEFAULT_LIMITS) -> HTTP1Connection:
    """Return an engine that forgives nothing, whichever its role: `h123-strict` in the registry."""
    return HTTP1Connection(role, limits=limits, profile=STRICT)
