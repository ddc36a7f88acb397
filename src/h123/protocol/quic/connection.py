"""The contract for a QUIC transport under HTTP/3, whoever's library it is.

RFC 9000. Like the HTTP engines it is a state machine without I/O: datagrams and time go in, events,
datagrams and a deadline come out. What HTTP/3 needs of a transport, and no more:

- Nothing that is not consumed is credited back, neither to the stream nor to the connection.
- What `send_stream_data` queues is bounded by those who call it: `stream_capacity` says how much fits.
- No events follow for a stream's receiving side after its end, its reset or `stop_sending`.
- A finished stream costs no memory.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from ..connection import Role
from ..events import Event
from ..limits import DEFAULT_LIMITS, Limits, Settings

CONNECTION_ID_LENGTH = 8
"""Bytes of the connection ids that we issue: a short header does not tell (RFC 8999 section 5.2)."""


class QUICConfiguration(Settings):
    """What both ends of QUIC connections are set up with, whatever the library. Times are seconds."""

    role: Role = Role.CLIENT
    alpn_protocols: tuple[str, ...] = ("h3",)
    server_name: str = ""
    """Client: the name or IP address that the certificate must be for. Names are sent as SNI."""
    verify: bool = True
    """Client: whether the server's certificate is verified, by the authorities below."""
    ca_file: str | None = None
    """Path of a file of PEM certificates to trust."""
    ca_directory: str | None = None
    """Path of a directory of certificates to trust, hashed as OpenSSL does."""
    ca_data: bytes | None = None
    """PEM certificates to trust, beside those of the file and the directory."""
    certificate_chain: bytes | None = None
    """PEM, our own certificate first. A server must have one."""
    private_key: bytes | None = None
    """PEM, of our own certificate."""
    private_key_password: bytes | None = None
    idle_timeout: float = 75.0
    """Silence after which the connection is over; the peer may ask for less (RFC 9000 section 10.1)."""
    handshake_timeout: float = 10.0
    max_datagram_size: int = 1350
    """UDP payload bytes: 1200 to 1472 on the internet; 1350 gets through the usual tunnels."""
    congestion_control: str = "cubic"
    """`"cubic"` or `"reno"`."""
    keylog: Callable[[str], None] | None = None
    """Given each line of the TLS key log (the format of SSLKEYLOGFILE)."""
    limits: Limits = DEFAULT_LIMITS
    """Windows, streams and buffers of each connection."""


# --------------------------------------------------------------------------------------- events


class QUICEvent(Event):
    """Base of what a transport tells."""

    __slots__ = ()


class TransportReady(QUICEvent):
    """The handshake is complete: the peer is who it should be, and streams can be used."""

    __match_args__ = ("alpn_protocol",)
    __slots__ = __match_args__

    def __init__(self, alpn_protocol: str) -> None:
        self.alpn_protocol = alpn_protocol


class StreamDataReceived(QUICEvent):
    """Bytes of a stream, in order. Each is to be given back with `consume`."""

    __match_args__ = ("stream_id", "data", "end_stream")
    __slots__ = __match_args__

    def __init__(self, stream_id: int, data: bytes, end_stream: bool) -> None:
        self.stream_id = stream_id
        self.data = data
        self.end_stream = end_stream


class ResetReceived(QUICEvent):
    """The peer sends no more on this stream, and what is missing will not come."""

    __match_args__ = ("stream_id", "error_code")
    __slots__ = __match_args__

    def __init__(self, stream_id: int, error_code: int) -> None:
        self.stream_id = stream_id
        self.error_code = error_code


class StopSendingReceived(QUICEvent):
    """The peer reads no more of this stream. The transport has reset our side of it already."""

    __match_args__ = ("stream_id", "error_code")
    __slots__ = __match_args__

    def __init__(self, stream_id: int, error_code: int) -> None:
        self.stream_id = stream_id
        self.error_code = error_code


class StreamCapacityChanged(QUICEvent):
    """A stream whose `stream_capacity` was low has room again."""

    __match_args__ = ("stream_id",)
    __slots__ = __match_args__

    def __init__(self, stream_id: int) -> None:
        self.stream_id = stream_id


class StreamsAvailable(QUICEvent):
    """`available_streams` has grown."""

    __slots__ = ()


class PingReplied(QUICEvent):
    """The peer acknowledged the PING of this number."""

    __match_args__ = ("number",)
    __slots__ = __match_args__

    def __init__(self, number: int) -> None:
        self.number = number


class TransportClosed(QUICEvent):
    """The connection is over, but not by our `close`.

    `error_code` is the application's if `application`, else the transport's (RFC 9000 section 20.1);
    `remote` says whose verdict it is. `rule` is a short stable name: `"peer-close"`, `"idle-timeout"`,
    `"handshake-timeout"`, `"certificate"`, `"tls-alert"`, `"quic"` (the peer broke RFC 9000).
    """

    __match_args__ = ("error_code", "reason", "application", "remote", "rule")
    __slots__ = __match_args__

    def __init__(
        self, error_code: int, reason: str, application: bool, remote: bool, rule: str
    ) -> None:
        self.error_code = error_code
        self.reason = reason
        self.application = application
        self.remote = remote
        self.rule = rule


# ----------------------------------------------------------------------------------- connection


class QUICConnection(ABC):
    """One QUIC connection, seen from one end. Stream ids are RFC 9000's (section 2.1)."""

    role: Role

    @abstractmethod
    def receive_datagram(self, data: bytes, address: object, now: float) -> list[QUICEvent]:
        """Take one UDP payload. Whatever it holds, nothing is raised."""

    @abstractmethod
    def datagrams_to_send(self, now: float) -> list[tuple[bytes, object]]:
        """Return all datagrams that can leave now, with their addresses."""

    @abstractmethod
    def next_timeout(self) -> float | None:
        """Return when `handle_timeout` wants to be called; it may be in the past."""

    @abstractmethod
    def handle_timeout(self, now: float) -> list[QUICEvent]:
        """Let time pass."""

    @abstractmethod
    def open_stream(self, *, unidirectional: bool = False) -> int:
        """Return the id of a new stream of ours.

        Raises `LocalProtocolError` if the peer allows no more bidirectional ones. A unidirectional one
        waits in the transport until it is allowed.
        """

    @abstractmethod
    def send_stream_data(self, stream_id: int, data: bytes, *, end_stream: bool = False) -> None:
        """Queue bytes on a stream. The caller keeps to `stream_capacity` for what may be long."""

    @abstractmethod
    def stream_capacity(self, stream_id: int) -> int:
        """Return how many bytes may be queued on a stream now; 0 if it can not be sent on."""

    @abstractmethod
    def queued(self, stream_id: int) -> int:
        """Return how many bytes on a stream wait for the peer's credit or for their turn."""

    @abstractmethod
    def reset_stream(self, stream_id: int, error_code: int) -> None:
        """Drop what is queued on a stream and end our side of it (RESET_STREAM). Twice is once."""

    @abstractmethod
    def stop_sending(self, stream_id: int, error_code: int) -> None:
        """Ask the peer to end its side of a stream (STOP_SENDING). No more events come of it."""

    @abstractmethod
    def consume(self, stream_id: int, amount: int) -> None:
        """Give credit back for bytes received: to the connection, and to the stream if it goes on."""

    @abstractmethod
    def ping(self, number: int) -> None:
        """Send a PING; `PingReplied` follows once it is acknowledged."""

    @abstractmethod
    def close(self, error_code: int, reason: str = "", *, application: bool = True) -> None:
        """End the connection at once: what is queued is dropped, CONNECTION_CLOSE is sent."""

    @property
    @abstractmethod
    def available_streams(self) -> int:
        """How many bidirectional streams `open_stream` would open now; 0 before the handshake's end."""

    @property
    @abstractmethod
    def is_ready(self) -> bool:
        """Whether the handshake is complete."""

    @property
    @abstractmethod
    def is_closed(self) -> bool:
        """Whether the connection is over. What `datagrams_to_send` still holds is to be sent."""

    @property
    @abstractmethod
    def is_flushed(self) -> bool:
        """Whether the peer has acknowledged all that was sent on streams."""

    @property
    @abstractmethod
    def alpn_protocol(self) -> str | None:
        """The protocol that was agreed on, once it was."""

    @property
    @abstractmethod
    def peer_certificate(self) -> bytes | None:
        """The peer's certificate in DER, if it showed one."""


class ConnectionRoutes(ABC):
    """What a server's connection tells whoever leads datagrams to it (RFC 9000 section 5.1)."""

    @abstractmethod
    def issued(self, connection_id: bytes) -> None:
        """Lead datagrams with this connection id to the connection."""

    @abstractmethod
    def retired(self, connection_id: bytes) -> None:
        """Forget a connection id that the peer will not use any more."""

    @abstractmethod
    def established(self) -> None:
        """Note that the handshake is complete."""

    @abstractmethod
    def closed(self, farewell: list[bytes], now: float) -> None:
        """Forget a connection that is over; answer late datagrams with `farewell`, if anything."""


class Incoming:
    """A client's first datagram has come: what a server's connection must know of it."""

    __slots__ = ("original_connection_id", "retry_connection_id", "routes")

    def __init__(
        self,
        original_connection_id: bytes,
        retry_connection_id: bytes | None,
        routes: ConnectionRoutes,
    ) -> None:
        self.original_connection_id = original_connection_id
        self.retry_connection_id = retry_connection_id
        self.routes = routes


class QUICEndpoint(ABC):
    """Makes a library's connections of one configuration."""

    configuration: QUICConfiguration

    @abstractmethod
    def connect(self, address: object, now: float) -> QUICConnection:
        """Return a client's connection whose first datagram waits to be sent to `address`.

        `address` is what the driver will say that the server's datagrams come from; others are dropped.
        """

    @abstractmethod
    def accept(self, incoming: Incoming) -> QUICConnection:
        """Return a server's connection for a client that a `QUICListener` has met."""
