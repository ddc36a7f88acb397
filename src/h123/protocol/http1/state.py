"""Where an HTTP/1.1 connection stands: its two tables, and what ends an exchange (RFC 9112 section 9).

A connection is a row of exchanges, numbered from 1, of which one is open at a time. Each has two messages
that go on independently, so the state is two small tables: how far receiving is, how far sending is. When
both are complete the next exchange begins, if both ends keep the connection and this one ended clean.

A client that pipelines (section 9.3.2) has several open: it sends on the newest and receives on the oldest.
"""

from __future__ import annotations

import enum
from typing import Final

from ..connection import ByteStreamConnection, Role
from ..errors import ErrorCode, LocalProtocolError
from ..limits import DEFAULT_LIMITS, Limits
from .chunks import ChunkedReader
from .rules import LENIENT, STRICT, Profile


class Receiving(enum.Enum):
    """What comes next from the peer."""

    IDLE = "nothing"  # a client that has no request out
    HEAD = "a head"
    CONTENT = "content"  # or a tunnel's bytes
    WAITING = "nothing before CONNECT is answered"  # a server
    COMPLETE = "nothing more"
    DROPPING = "what is dropped"


class Sending(enum.Enum):
    """What goes next to the peer."""

    IDLE = "nothing"
    HEAD = "the response"  # a server
    CONTENT = "content"  # or a tunnel's bytes
    WAITING = "nothing before CONNECT is answered"  # a client
    COMPLETE = "nothing more"


class Framing(enum.Enum):
    """How content is delimited (RFC 9112 section 6)."""

    LENGTH = enum.auto()
    CHUNKED = enum.auto()
    CLOSING = enum.auto()  # by the end of the connection, or of the tunnel


# A global is found faster than a member of an enum.
RECEIVES_IDLE: Final = Receiving.IDLE
RECEIVES_HEAD: Final = Receiving.HEAD
RECEIVES_CONTENT: Final = Receiving.CONTENT
RECEIVES_WAITING: Final = Receiving.WAITING
RECEIVES_NO_MORE: Final = Receiving.COMPLETE
RECEIVES_TO_DROP: Final = Receiving.DROPPING
SENDS_IDLE: Final = Sending.IDLE
SENDS_HEAD: Final = Sending.HEAD
SENDS_CONTENT: Final = Sending.CONTENT
SENDS_WAITING: Final = Sending.WAITING
SENDS_NO_MORE: Final = Sending.COMPLETE
BY_LENGTH: Final = Framing.LENGTH
BY_CHUNKS: Final = Framing.CHUNKED
BY_CLOSING: Final = Framing.CLOSING

_SERVER: Final = Role.SERVER
_NOTHING: Final = STRICT.forgives

_UNBOUNDED: Final = (1 << 63) - 1
"""HTTP/1.1 has no windows: the transport alone says when to pause."""


class Pipeline:
    """What a client has sent behind the request that is being answered (RFC 9112 section 9.3.2)."""

    __slots__ = ("limit", "may_grow", "requests")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.requests: list[tuple[bytes, bool]] = []  # method, and whether it offers an upgrade
        self.may_grow = False  # behind the newest


class ConnectionState(ByteStreamConnection):
    """What receiving and sending share."""

    __slots__ = (
        "_chunks", "_closed", "_empty_lines", "_eof", "_expects_continue", "_forgives", "_incoming",
        "_is_server", "_keep_alive", "_method", "_offers_upgrade", "_outgoing", "_output",
        "_peer_is_old", "_pipeline", "_reading_id", "_receiving", "_scanned", "_sending",
        "_small_head", "_stream_id", "_unconsumed", "_unread", "_unsent", "_waiting", "limits", "role",
    )  # fmt: skip

    http_version = "HTTP/1.1"

    def __init__(
        self,
        role: Role,
        *,
        limits: Limits = DEFAULT_LIMITS,
        profile: Profile | None = None,
        pipelining: int = 1,
    ) -> None:
        self.role = role
        self.limits = limits
        self._is_server = is_server = role is _SERVER
        if is_server:
            if profile is not None and profile.forgives:
                raise LocalProtocolError("requests are judged by all rules: a server is STRICT")
            self._forgives = _NOTHING
            self._receiving = RECEIVES_HEAD
        else:
            self._forgives = LENIENT.forgives if profile is None else profile.forgives
            self._receiving = RECEIVES_IDLE
        self._small_head = limits.start_line_size
        if limits.header_block_size < self._small_head:
            self._small_head = limits.header_block_size
        self._sending = SENDS_IDLE
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
        self._stream_id = 0  # that we send on
        self._reading_id = 0  # that we receive on; the same but for a client that pipelines
        self._method = b""
        self._incoming = BY_LENGTH
        self._unread = 0
        self._chunks: ChunkedReader | None = None
        self._outgoing = BY_LENGTH
        self._unsent = 0
        self._peer_is_old = False  # it speaks HTTP/1.0, or nothing that we know
        self._offers_upgrade = False
        self._expects_continue = False

        self._pipeline: Pipeline | None = None if pipelining == 1 else Pipeline(pipelining)

    def __repr__(self) -> str:
        state = (
            "closed"
            if self._closed
            else f"exchange {self._stream_id}, receives {self._receiving.value}, sends {self._sending.value}"
        )
        return f"<HTTP1Connection [{self.role.value}, {state}]>"

    def _become_tunnel(self) -> None:
        self._keep_alive = False
        self._incoming = BY_CLOSING
        self._receiving = RECEIVES_CONTENT
        self._outgoing = BY_CLOSING
        self._sending = SENDS_CONTENT

    def _settle(self) -> None:
        """Begin anew, or close, once both messages of the exchange are over."""
        if self._reading_id != self._stream_id and self._receiving is RECEIVES_NO_MORE:
            assert self._pipeline is not None
            self._reading_id += 1
            self._method, self._offers_upgrade = self._pipeline.requests.pop(0)
            self._receiving = RECEIVES_HEAD
            return
        if self._sending is not SENDS_NO_MORE and self._sending is not SENDS_WAITING:
            return
        if self._receiving is RECEIVES_NO_MORE:
            if self._keep_alive and (not self._eof or self._holds_more()):
                self._sending = SENDS_IDLE
                self._receiving = RECEIVES_HEAD if self._is_server else RECEIVES_IDLE
            else:
                self._close()
        elif self._receiving is RECEIVES_TO_DROP:
            self._close()

    def _holds_more(self) -> bool:
        """Say whether something came that was not read yet."""
        return bool(self._waiting)

    def _drop_rest(self) -> None:
        self._keep_alive = False
        self._receiving = RECEIVES_TO_DROP
        self._waiting.clear()
        self._reading_id = self._stream_id  # no other is answered
        self._settle()

    def _close(self) -> None:
        self._closed = True
        self._keep_alive = False
        self._receiving = RECEIVES_TO_DROP
        self._sending = SENDS_IDLE
        self._waiting.clear()

    def _is_open(self, stream_id: int) -> bool:
        return self._reading_id <= stream_id <= self._stream_id and self._sending is not SENDS_IDLE

    def reset_stream(self, stream_id: int, error_code: int = ErrorCode.CANCEL) -> None:
        """End an exchange at once, and with it the connection."""
        if self._is_open(stream_id):
            self._close()

    def stop_receiving(self, stream_id: int) -> None:
        """Drop what still comes of the peer's message, and close after ours.

        With it go the answers to requests that were sent behind that one.
        """
        if self._is_open(stream_id) and self._receiving is not RECEIVES_NO_MORE:
            self._drop_rest()

    def ping(self, payload: bytes) -> None:
        """Raise `LocalProtocolError`: HTTP/1.1 has no PING."""
        raise LocalProtocolError("HTTP/1.1 has no PING")

    def close(self, error_code: int = ErrorCode.NO_ERROR) -> None:
        """Close after the open exchange, or at once if there is none or `error_code` is an error."""
        self._keep_alive = False
        if error_code != ErrorCode.NO_ERROR or self._sending is SENDS_IDLE:
            self._close()

    def send_capacity(self, stream_id: int, needed: int = 0) -> int:
        """Return 0 where no content can be sent, else more than anyone has."""
        sends = stream_id == self._stream_id and self._sending is SENDS_CONTENT
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
        """How many requests can be sent now: more than one only where pipelining was asked for."""
        if self.is_draining or self._is_server:
            return 0
        pipeline = self._pipeline
        if self._receiving is RECEIVES_IDLE:
            return 1 if pipeline is None else pipeline.limit
        if pipeline is None or not pipeline.may_grow or self._sending is not SENDS_NO_MORE:
            return 0
        return pipeline.limit - (self._stream_id - self._reading_id + 1)

    @property
    def wants_data(self) -> bool:
        """Whether what was received and waits for the reader or for its turn is within the limit."""
        if self._closed or self._eof:
            return False
        held = self._unconsumed
        if self._receiving is RECEIVES_NO_MORE or self._receiving is RECEIVES_WAITING:
            held += len(self._waiting)
        return held < self.limits.receive_buffer

    @property
    def is_idle(self) -> bool:
        """Whether no exchange is open."""
        return self._sending is SENDS_IDLE

    @property
    def is_draining(self) -> bool:
        """Whether no exchange can follow, by either side's word."""
        return self._eof or not self._keep_alive

    @property
    def is_closed(self) -> bool:
        """Whether nothing more can be sent or received."""
        return self._closed
