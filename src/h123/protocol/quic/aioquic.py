"""aioquic (1.7 or newer) behind the QUIC contract.

RFC 9000. aioquic lets its windows grow as data arrives, and queues whatever it is given; here credit grows
as data is consumed (see `aioquic_credit`), and queues are bounded. For that some of aioquic's internals
are read: `_streams` and their senders (what is queued), `_close_event` and `_state` (why it ended), what it
knows of the peer's limits. One is written: `ack_at`, so that acknowledgements travel with data. Tests hold
each of them, so that an aioquic that changes them is noticed at once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TextIO, cast

from aioquic.quic import events as aio
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import (
    END_STATES,
    QuicConnectionState,
)
from aioquic.quic.packet import QuicErrorCode, QuicFrameType
from aioquic.tls import AlertDescription, Epoch
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509 import load_pem_x509_certificates

from ..connection import Role
from ..errors import LocalProtocolError
from .aioquic_credit import CreditedConnection
from .connection import (
    CONNECTION_ID_LENGTH,
    ConnectionRoutes,
    Incoming,
    PingReplied,
    QUICConfiguration,
    QUICConnection,
    QUICEndpoint,
    QUICEvent,
    ResetReceived,
    StopSendingReceived,
    StreamCapacityChanged,
    StreamDataReceived,
    StreamsAvailable,
    TransportClosed,
    TransportReady,
)

# Its warnings would reach stderr in programs that set up no logging; the same facts are our events.
logging.getLogger("quic").addHandler(logging.NullHandler())

ROUNDING = 1e-6
"""Seconds, far above what floats lose and far below what timers resolve."""
UNANSWERED_PROBES = 5
"""After so many, at intervals that double, a peer is taken to be gone (RFC 9002 section 6.2)."""
SMALLEST_BUFFER = 16384
"""Bytes that a stream may queue even if a great many others do so too."""
_CERTIFICATE_ALERTS = frozenset([42, 43, 44, 45, 46, 48, 116])  # RFC 8446 section 6.2
_CERT_NONE, _CERT_REQUIRED = 0, 2  # as the ssl module numbers them
_CRYPTO_ERROR = 0x100  # an alert's number added to this is the error code (RFC 9001 section 4.8)


class AioQUICConnection(QUICConnection):
    """A QUIC connection by aioquic. Made by an `AioQUICEndpoint`."""

    def __init__(
        self,
        configuration: QUICConfiguration,
        translated: QuicConfiguration,
        incoming: Incoming | None = None,
    ) -> None:
        """Make a server's connection, or without `incoming` a client's that is to be connected."""
        self.role = configuration.role
        self._limits = configuration.limits
        self._server_name = configuration.server_name
        self._handshake_timeout = configuration.handshake_timeout
        server = self.role is Role.SERVER
        self._quic = CreditedConnection(
            translated,
            configuration.limits.concurrent_streams if server else 0,
            incoming,
        )
        self._routes: ConnectionRoutes | None = None
        if incoming is not None:
            self._routes = incoming.routes
            self._routes.issued(self._quic.host_cid)
        self._now = 0.0
        self._handshake_deadline: float | None = None
        self._ready = False
        self._closed = False
        self._released = False
        self._pending: list[QUICEvent] = []
        self._stopped: set[int] = set()
        self._hungry: set[int] = set()
        self._streams_allowed = 0
        self._wrote = False

    def __repr__(self) -> str:
        state = "closed" if self._closed else "ready" if self._ready else "handshake"
        return (
            f"<AioQUICConnection [{self.role.value}, {state}, {len(self._quic._streams)} streams]>"
        )

    # ------------------------------------------------------------------------------ the wire

    def connect(self, address: object, now: float) -> None:
        """Start a client's handshake with the server at `address`. Once."""
        self._now = now
        self._handshake_deadline = now + self._handshake_timeout
        self._quic.connect(address, now=now)

    def receive_datagram(self, data: bytes, address: object, now: float) -> list[QUICEvent]:
        """See the contract. The address is compared with those that datagrams are sent to."""
        self._now = now
        events, self._pending = self._pending, []
        if self._closed:
            return events
        if not self._quic._network_paths:
            self._handshake_deadline = now + self._handshake_timeout
        try:
            self._quic.receive_datagram(data, address, now=now)
        except Exception as error:  # whatever a peer can make aioquic trip over must end here
            self._quic.close(
                error_code=QuicErrorCode.INTERNAL_ERROR,
                frame_type=QuicFrameType.PADDING,
                reason_phrase=f"{type(error).__name__} in the transport",
            )
        events += self._take_events()
        if self.role is Role.SERVER and self._quic._state is QuicConnectionState.FIRSTFLIGHT:
            # Nothing in a client's first datagram could be read: it is no client.
            self._quic._state = QuicConnectionState.TERMINATED
            self._closed = True
        return events

    def datagrams_to_send(self, now: float) -> list[tuple[bytes, object]]:
        """See the contract."""
        self._now = now
        quic = self._quic
        if self._released or not quic._network_paths:
            return self._release([], now)
        space = quic._spaces.get(Epoch.ONE_RTT)
        if space is not None and space.ack_at is not None and (self._wrote or space.ack_at <= now):
            # What is to be sent takes an acknowledgement along that would be due soon. And one that
            # is due must be overdue: at the very moment pacing would hold it back, and its timer not.
            space.ack_at = now - ROUNDING
        self._wrote = False
        datagrams: list[tuple[bytes, object]] = quic.datagrams_to_send(now=now)
        if quic._events:
            # Connection ids must lead here before the peer can use them.
            self._pending += self._take_events()
        if self._hungry:
            self._feed_the_hungry(self._pending)
        if quic._state in END_STATES:
            return self._release(datagrams, now)
        return datagrams

    def next_timeout(self) -> float | None:
        """See the contract."""
        if self._released:
            return None
        if self._pending:
            return self._now
        timer: float | None = self._quic.get_timer() if self._quic._network_paths else None
        deadline = self._handshake_deadline
        if deadline is not None and (timer is None or deadline < timer):
            return deadline
        return timer

    def handle_timeout(self, now: float) -> list[QUICEvent]:
        """See the contract."""
        self._now = now
        events, self._pending = self._pending, []
        quic = self._quic
        timer = quic.get_timer() if quic._network_paths and not self._closed else None
        if timer is not None and now >= timer:
            # It adds up to find a deadline and subtracts to see whether it is over: rounding between
            # the two must not make it miss its own deadline, again and again.
            quic.handle_timer(now=now + ROUNDING)
        deadline = self._handshake_deadline
        if deadline is not None and now >= deadline and not self._closed:
            self.close(QuicErrorCode.NO_ERROR, application=False)
            reason = f"no handshake within {self._handshake_timeout:g} s"
            events.append(TransportClosed(0, reason, False, False, "handshake-timeout"))
        return events + self._take_events()

    # --------------------------------------------------------------------------------- streams

    def open_stream(self, *, unidirectional: bool = False) -> int:
        """See the contract."""
        if not unidirectional and not self.available_streams:
            raise LocalProtocolError("the peer allows no further stream")
        stream_id: int = self._quic.get_next_available_stream_id(unidirectional)
        self._quic.send_stream_data(stream_id, b"")  # it exists from now on
        return stream_id

    def send_stream_data(self, stream_id: int, data: bytes, *, end_stream: bool = False) -> None:
        """See the contract."""
        stream = self._quic._streams.get(stream_id)
        if stream is not None and stream.sender._reset_error_code is None and not self._closed:
            stream.sender.write(data, end_stream)
            self._wrote = True

    def stream_capacity(self, stream_id: int) -> int:
        """See the contract.

        A stream may queue `Limits.send_buffer` that is not sent yet; when more than 16 streams are open
        they share 16 times that. And with `Limits.connection_window` in flight nothing more is taken,
        however wide the peer's window is.
        """
        stream = self._quic._streams.get(stream_id)
        if stream is None or self._closed:
            return 0
        sender = stream.sender
        if (
            sender.is_finished
            or sender._buffer_fin is not None
            or sender._reset_error_code is not None
        ):
            return 0
        share = self._share()
        room = min(
            share - (sender._buffer_stop - sender.highest_offset),
            self._limits.connection_window - self._quic._loss.bytes_in_flight,
        )
        if room * 4 < share:
            self._hungry.add(stream_id)
        return max(0, room)

    def queued(self, stream_id: int) -> int:
        """See the contract."""
        stream = self._quic._streams.get(stream_id)
        return 0 if stream is None else stream.sender._buffer_stop - stream.sender.highest_offset

    def reset_stream(self, stream_id: int, error_code: int) -> None:
        """See the contract."""
        self._hungry.discard(stream_id)
        stream = self._quic._streams.get(stream_id)
        if stream is not None:
            stream.sender.reset(error_code)

    def stop_sending(self, stream_id: int, error_code: int) -> None:
        """See the contract."""
        stream = self._quic._streams.get(stream_id)
        if stream is not None and not stream.receiver.is_finished:
            stream.receiver.stop(error_code)
            self._stopped.add(stream_id)

    def consume(self, stream_id: int, amount: int) -> None:
        """See the contract."""
        self._quic.give_credit(stream_id, amount)

    def ping(self, number: int) -> None:
        """See the contract."""
        self._quic.send_ping(number)

    def close(self, error_code: int, reason: str = "", *, application: bool = True) -> None:
        """See the contract. Before the handshake's end the peer is told of it without the code."""
        if not self._closed:
            self._closed = True
            self._quic.close(
                error_code=error_code,
                frame_type=None if application else QuicFrameType.PADDING,
                reason_phrase=reason,
            )

    # ----------------------------------------------------------------------------------- state

    @property
    def available_streams(self) -> int:
        """See the contract."""
        if not self._ready or self._closed:
            return 0
        opened = self._quic._local_next_stream_id_bidi // 4
        return max(0, self._quic._remote_max_streams_bidi - opened)

    @property
    def is_ready(self) -> bool:
        """See the contract."""
        return self._ready

    @property
    def is_closed(self) -> bool:
        """See the contract."""
        return self._closed

    @property
    def is_flushed(self) -> bool:
        """See the contract. A peer that has not answered to several probes is not waited for."""
        if self._quic._loss._pto_count >= UNANSWERED_PROBES:
            return True
        for stream in self._quic._streams.values():
            sender = stream.sender
            if sender.is_finished:
                continue
            if sender._buffer_start != sender._buffer_stop or sender._buffer_fin is not None:
                return False
            if sender._reset_error_code is not None:
                return False
        return True

    @property
    def alpn_protocol(self) -> str | None:
        """See the contract."""
        return self._quic.tls.alpn_negotiated if self._ready else None

    @property
    def peer_certificate(self) -> bytes | None:
        """See the contract."""
        certificate = self._quic.tls._peer_certificate if self._ready else None
        return None if certificate is None else certificate.public_bytes(Encoding.DER)

    # --------------------------------------------------------------------------------- private

    def _take_events(self) -> list[QUICEvent]:
        """Return aioquic's events as ours, and what changed beside them."""
        events: list[QUICEvent] = []
        queue = self._quic._events
        while queue:
            event = queue.popleft()
            if isinstance(event, aio.StreamDataReceived):
                self._take_data(event, events)
            elif isinstance(event, aio.StreamReset):
                self._take_reset(event, events)
            elif isinstance(event, aio.StopSendingReceived):
                self._hungry.discard(event.stream_id)
                events.append(StopSendingReceived(event.stream_id, event.error_code))
            elif isinstance(event, aio.PingAcknowledged):
                events.append(PingReplied(event.uid))
            elif isinstance(event, aio.HandshakeCompleted):
                self._ready = True
                self._handshake_deadline = None
                self._streams_allowed = self._quic._remote_max_streams_bidi
                if self._routes is not None:
                    self._routes.established()
                events.append(TransportReady(event.alpn_protocol or ""))
            elif self._routes is not None:
                if isinstance(event, aio.ConnectionIdIssued):
                    self._routes.issued(event.connection_id)
                elif isinstance(event, aio.ConnectionIdRetired):
                    self._routes.retired(event.connection_id)
        if self._ready and self._quic._remote_max_streams_bidi > self._streams_allowed:
            self._streams_allowed = self._quic._remote_max_streams_bidi
            events.append(StreamsAvailable())
        if self._hungry:
            self._feed_the_hungry(events)
        if self._quic._close_event is not None and not self._closed:
            self._closed = True
            events.append(self._why_closed(self._quic._close_event))
        return events

    def _take_data(self, event: aio.StreamDataReceived, events: list[QUICEvent]) -> None:
        stream_id = event.stream_id
        if stream_id in self._stopped:
            self._quic.give_credit(-1, len(event.data))  # to the connection alone
            if event.end_stream:
                self._stopped.discard(stream_id)
            return
        if event.end_stream:
            self._quic.forget_credit(stream_id)
        events.append(StreamDataReceived(stream_id, event.data, event.end_stream))

    def _take_reset(self, event: aio.StreamReset, events: list[QUICEvent]) -> None:
        stream_id = event.stream_id
        # What the stream's final size counts and nobody will ever consume.
        receiver = self._quic._streams[stream_id].receiver
        self._quic.give_credit(-1, receiver.highest_offset - receiver._buffer_start)
        self._quic.forget_credit(stream_id)
        if stream_id in self._stopped:
            self._stopped.discard(stream_id)
        else:
            events.append(ResetReceived(stream_id, event.error_code))

    def _share(self) -> int:
        buffer = self._limits.send_buffer
        return max(SMALLEST_BUFFER, min(buffer, 16 * buffer // (len(self._quic._streams) or 1)))

    def _feed_the_hungry(self, events: list[QUICEvent]) -> None:
        """Tell of the streams that had little room and have enough again."""
        threshold = self._share() // 4
        for stream_id in list(self._hungry):
            self._hungry.discard(stream_id)
            # Asking puts it back among the hungry where it still has little.
            if self.stream_capacity(stream_id) >= threshold:
                events.append(StreamCapacityChanged(stream_id))

    def _release(
        self, datagrams: list[tuple[bytes, object]], now: float
    ) -> list[tuple[bytes, object]]:
        """Give the routes up once the connection is over: whoever leads datagrams here keeps watch."""
        if self._closed and not self._released:
            self._released = True
            if self._routes is not None:
                self._routes.closed([data for data, _ in datagrams], now)
        return datagrams

    def _why_closed(self, last: aio.ConnectionTerminated) -> TransportClosed:
        """Turn aioquic's last word into ours."""
        code = int(last.error_code)
        reason: str = last.reason_phrase
        remote = self._quic._state is QuicConnectionState.DRAINING
        if last.frame_type is None:
            return TransportClosed(code, reason, True, remote, "peer-close")
        if not remote and self._quic._state is QuicConnectionState.TERMINATED:
            if reason == "Idle timeout":
                return TransportClosed(0, "idle timeout", False, False, "idle-timeout")
            return TransportClosed(code, reason, False, False, "quic")
        if _CRYPTO_ERROR <= code < _CRYPTO_ERROR + 0x100:
            return self._alert(code, code - _CRYPTO_ERROR, reason, remote)
        if remote:
            return TransportClosed(code, reason, False, True, "peer-close")
        return TransportClosed(code, reason, False, False, "quic")

    def _alert(self, code: int, alert: int, reason: str, remote: bool) -> TransportClosed:
        try:
            name = AlertDescription(alert).name.replace("_", " ")
        except ValueError:
            name = f"alert {alert}"
        rule = "certificate" if alert in _CERTIFICATE_ALERTS else "tls-alert"
        if remote:
            said = f"the peer refused the TLS handshake: {name}"
            return TransportClosed(
                code, f"{said} ({reason})" if reason else said, False, True, rule
            )
        if rule == "certificate":
            if reason.startswith("hostname "):  # in OpenSSL's words, which people search for
                reason = f"Hostname mismatch, certificate is not valid for '{self._server_name}'"
            message = f"certificate verify failed: {reason or name}"
            if self._server_name and self._server_name not in message:
                message += f" for {self._server_name}"
            return TransportClosed(code, message, False, False, rule)
        said = f"TLS handshake failed: {name}"
        return TransportClosed(code, f"{said} ({reason})" if reason else said, False, False, rule)


class AioQUICEndpoint(QUICEndpoint):
    """Makes connections of one configuration. Certificates and keys are read once, here.

    Raises `ValueError` for certificates or a key that are none, for a server without them, and for a
    client that is to verify without a name or an authority to trust.
    """

    def __init__(self, configuration: QUICConfiguration) -> None:
        self.configuration = configuration
        self._translated = _translate(configuration)

    def connect(self, address: object, now: float) -> AioQUICConnection:
        """See the contract."""
        connection = AioQUICConnection(self.configuration, self._translated)
        connection.connect(address, now)
        return connection

    def accept(self, incoming: Incoming) -> AioQUICConnection:
        """See the contract."""
        return AioQUICConnection(self.configuration, self._translated, incoming)


class _KeyLog:
    """Where aioquic writes TLS secrets, a line at a time."""

    __slots__ = ("write",)

    def __init__(self, write: Callable[[str], None]) -> None:
        self.write = write

    def flush(self) -> None:
        """Nothing is kept."""


def _translate(configuration: QUICConfiguration) -> QuicConfiguration:
    client = configuration.role is Role.CLIENT
    authorities = configuration.ca_file or configuration.ca_directory or configuration.ca_data
    if client and configuration.verify and not (configuration.server_name and authorities):
        raise ValueError("to verify a server takes its name and certificates to trust")
    if not client and not (configuration.certificate_chain and configuration.private_key):
        raise ValueError("a QUIC server needs a certificate and its private key")
    translated = QuicConfiguration(
        is_client=client,
        alpn_protocols=list(configuration.alpn_protocols),
        congestion_control_algorithm=configuration.congestion_control,
        connection_id_length=CONNECTION_ID_LENGTH,
        idle_timeout=configuration.idle_timeout,
        max_data=configuration.limits.connection_window,
        max_stream_data=configuration.limits.stream_window,
        max_datagram_size=configuration.max_datagram_size,
        server_name=configuration.server_name or None,
        verify_mode=_CERT_REQUIRED if client and configuration.verify else _CERT_NONE,
        cafile=configuration.ca_file,
        capath=configuration.ca_directory,
    )
    if configuration.ca_data is not None:
        # aioquic takes nothing but certificates here; files that people have hold comments too.
        trusted = load_pem_x509_certificates(configuration.ca_data)
        translated.cadata = b"".join([each.public_bytes(Encoding.PEM) for each in trusted])
    if configuration.certificate_chain is not None:
        chain = load_pem_x509_certificates(configuration.certificate_chain)
        translated.certificate, translated.certificate_chain = chain[0], chain[1:]
    if configuration.private_key is not None:
        translated.private_key = load_pem_private_key(
            configuration.private_key, configuration.private_key_password
        )
    if configuration.keylog is not None:
        translated.secrets_log_file = cast("TextIO", _KeyLog(configuration.keylog))
    return translated
