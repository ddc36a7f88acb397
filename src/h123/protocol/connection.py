"""The contract: what an HTTP connection is, whatever its version.

An engine is a state machine without I/O. The driver feeds it what the network gave and gets a list of
events; it tells the engine what to send and takes the bytes to write. Engines are batch shaped: one call
takes what one `recv` gave and returns every event in it; one call returns all bytes to send.

    engine = HTTP2Connection(Role.SERVER)
    for event in engine.receive_data(sock.recv(65536)): ...
    engine.send_response(event.stream_id, 200, [(b"content-length", b"2")])
    engine.send_data(event.stream_id, b"ok", end_stream=True)
    sock.sendall(engine.data_to_send())

Engines differ in what carries them: `ByteStreamConnection` (HTTP/1.1 and HTTP/2 over TCP or TLS) and
`DatagramConnection` (HTTP/3 over QUIC). Everything else is the same for all.

Rules that hold for every engine:

- Nothing that is not consumed is credited back: an application that stops reading stops the peer.
- Fed any bytes at all, an engine raises nothing but `RemoteProtocolError`, in time linear in the bytes,
  and its memory stays bounded by its `Limits`.
- A call that raises `LocalProtocolError` has changed nothing.
- After `RemoteProtocolError`, or once `is_closed`, receiving gives no events.
"""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from .errors import ErrorCode
from .limits import Limits
from .native import mypyc_attr
from .priority import DEFAULT_PRIORITY, Priority

if TYPE_CHECKING:
    from .events import Event, Headers


class Role(enum.Enum):
    """Which end of the connection an engine plays."""

    CLIENT = "client"
    SERVER = "server"


@mypyc_attr(allow_interpreted_subclasses=True)
class Connection(ABC):
    """One HTTP connection, seen from one end. See the module for what every engine promises.

    Stream ids are the version's own: HTTP/2 and HTTP/3 number them as their RFCs say, HTTP/1.1 counts
    its exchanges from 1.
    """

    http_version: str
    """`"HTTP/1.1"`, `"HTTP/2"` or `"HTTP/3"`."""
    role: Role
    limits: Limits

    # ------------------------------------------------------------------------------ sending

    @abstractmethod
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
        """Start a request (client) and return its stream's id.

        `target` is HTTP/1.1's request-target, in any of its forms, and the `:path` of HTTP/2 and 3; for
        CONNECT it is the authority. `authority` becomes `:authority`, or a Host field put before the others
        where `headers` has none. HTTP/1.1 frames the content by the Content-Length or Transfer-Encoding in
        `headers`, and by chunks where there is neither and `end_stream` is false. Connection-specific fields
        (RFC 9113 section 8.2.2) are left out in HTTP/2 and 3.

        Raises `LocalProtocolError` for what can not be sent (a malformed name or value, no stream
        available, a server).
        """

    @abstractmethod
    def send_informational(self, stream_id: int, status: int, headers: Headers) -> None:
        """Send a 1xx response (server). 101 is HTTP/1.1's alone and turns the connection into bytes."""

    @abstractmethod
    def send_response(
        self, stream_id: int, status: int, headers: Headers, *, end_stream: bool = False
    ) -> None:
        """Send the final response's head (server).

        HTTP/1.1 frames the content as in `send_request`; to a 1.0 client without Content-Length it ends
        with the connection. A response that has no content by definition (to HEAD, 204, 304) must be given
        `end_stream=True`; its Content-Length is sent as it is. After 2xx to CONNECT the stream carries bytes.
        """

    @abstractmethod
    def send_data(self, stream_id: int, data: bytes, *, end_stream: bool = False) -> None:
        """Send content: at most `send_capacity(stream_id, len(data))` bytes, else `LocalProtocolError`."""

    @abstractmethod
    def send_trailers(self, stream_id: int, headers: Headers) -> None:
        """Send the trailer section and end the stream.

        HTTP/1.1 can only do so with chunked content; elsewhere the stream is ended and the fields left out.
        """

    @abstractmethod
    def reset_stream(self, stream_id: int, error_code: int = ErrorCode.CANCEL) -> None:
        """End a stream at once, both ways, and forget it. Without effect on one that is over.

        HTTP/1.1 has no such thing: the connection is closed (`is_closed`) unless both sides were done.
        """

    @abstractmethod
    def stop_receiving(self, stream_id: int) -> None:
        """Say that no more of the peer's content on this stream will be read; what we send goes on.

        HTTP/3: STOP_SENDING with H3_NO_ERROR. HTTP/2: what still comes is dropped and credited to the
        connection, and RST_STREAM with NO_ERROR follows our END_STREAM (RFC 9113 section 8.1). HTTP/1.1:
        what still comes is dropped, and the connection closes after our message. No events follow for what
        is dropped. Without effect on a stream whose content came whole.
        """

    @abstractmethod
    def ping(self, payload: bytes) -> None:
        """Ask for a `PingAcknowledged` with these 8 bytes. HTTP/1.1: `LocalProtocolError`."""

    @abstractmethod
    def close(self, error_code: int = ErrorCode.NO_ERROR) -> None:
        """Take no new streams; with NO_ERROR let the open ones finish, else end them all at once.

        HTTP/2 and 3 send GOAWAY. HTTP/1.1 answers what it has begun with `Connection: close`. When nothing
        is left to do, `is_closed` is true and the driver closes the transport.
        """

    # ------------------------------------------------------------------------ flow and capacity

    @abstractmethod
    def send_capacity(self, stream_id: int, needed: int = 0) -> int:
        """Return how many bytes `send_data` takes on this stream now: 0 if it is blocked or over.

        `needed` is how many bytes wait to be sent. An engine that would rather wait than cut content into
        crumbs for a peer with a tiny window (HTTP/2) says so by 0, unless these go as a whole.
        """

    def priority(self, stream_id: int) -> Priority:
        """Return how urgent a response is, as the client last said (RFC 9218); its default where it can not.

        Of those that could be sent, the lowest urgency goes first; among equals those that are not
        incremental one after the other, in the order of their ids, and those that are, in turns.
        """
        return DEFAULT_PRIORITY

    @abstractmethod
    def consume(self, stream_id: int, amount: int) -> None:
        """Give credit back for `amount` bytes of `DataReceived` that the reader has taken.

        Also for a stream that is over; unknown streams are ignored. Never more than was received.
        """

    @property
    @abstractmethod
    def available_streams(self) -> int:
        """How many requests `send_request` would take now (client); 0 when draining or closed."""

    @property
    @abstractmethod
    def wants_data(self) -> bool:
        """Whether the driver should go on receiving.

        False while what it holds has reached its limits: HTTP/1.1 content that nobody consumes, pipelined
        requests that wait for their turn, answers that the peer does not fetch. Data given all the same is
        processed or kept.
        """

    @property
    @abstractmethod
    def is_idle(self) -> bool:
        """Whether no stream is open."""

    @property
    @abstractmethod
    def is_draining(self) -> bool:
        """Whether no new stream can be opened, by either side's word; the open ones go on."""

    @property
    @abstractmethod
    def is_closed(self) -> bool:
        """Whether nothing more can be sent or received. What `data_to_send` still holds is to be sent."""


@mypyc_attr(allow_interpreted_subclasses=True)
class ByteStreamConnection(Connection):
    """An HTTP connection over an ordered stream of bytes: TCP, TLS, a Unix socket, a tunnel.

    Made with `Engine(role, limits=Limits())`, as `registry.EngineFactory` says. A client's first bytes
    (HTTP/2's preface) are there to send from the start.
    """

    @abstractmethod
    def receive_data(self, data: bytes) -> list[Event]:
        """Take bytes from the peer, cut anywhere, and return all that they complete.

        With `b""` nothing new comes, but what waited for its turn (pipelined requests) does. Raises
        `RemoteProtocolError`, with what came before the fault in its `events`.
        """

    @abstractmethod
    def receive_eof(self) -> list[Event]:
        """Take the end of the peer's bytes.

        Returns `ConnectionClosed` (after the end of content that only the connection's end delimits), or
        raises `RemoteProtocolError` when it cuts a message off. An HTTP/1.1 server whose client has only
        closed its sending side can still answer: then `is_closed` is false until it has.
        """

    @abstractmethod
    def data_to_send(self) -> bytes:
        """Return all bytes that wait to be sent, and forget them."""

    def tick(self, now: float) -> None:
        """Tell the time (seconds of any monotonic clock), now and then: budgets that refill need it."""


@mypyc_attr(allow_interpreted_subclasses=True)
class DatagramConnection(Connection):
    """An HTTP connection over QUIC: it takes datagrams and time, and gives datagrams and a deadline.

    Addresses are whatever the driver's sockets use; an engine compares and returns them. Times are seconds
    of one monotonic clock.
    """

    @abstractmethod
    def receive_datagram(self, data: bytes, address: object, now: float) -> list[Event]:
        """Take one UDP payload. Raises `RemoteProtocolError` as `ByteStreamConnection.receive_data`."""

    @abstractmethod
    def datagrams_to_send(self, now: float) -> list[tuple[bytes, object]]:
        """Return all datagrams that can leave now, with their addresses. To be called after anything else."""

    @abstractmethod
    def next_timeout(self) -> float | None:
        """Return when `handle_timeout` wants to be called, or None."""

    @abstractmethod
    def handle_timeout(self, now: float) -> list[Event]:
        """Let time pass: lost packets, idle time. Raises `RemoteProtocolError` if the peer is gone."""

    @property
    @abstractmethod
    def is_ready(self) -> bool:
        """Whether the handshake is complete (`HandshakeCompleted` was told)."""
