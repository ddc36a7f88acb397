"""The adapter for aioquic: certificates, ends, credit, and what a peer may not do to it."""

from __future__ import annotations

import datetime
import random
from typing import Any

import pytest
import trustme
from aioquic import tls
from aioquic._buffer import Buffer
from aioquic.quic.connection import QuicConnection, QuicConnectionError, QuicConnectionState
from aioquic.quic.packet import QuicTransportParameters
from aioquic.quic.stream import QuicStream
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.protocol.quic.wire import SERVER, Certificates, Network, Node, World

from h123.protocol.connection import Role
from h123.protocol.errors import LocalProtocolError
from h123.protocol.events import DataReceived, HandshakeCompleted, RequestReceived
from h123.protocol.limits import DEFAULT_LIMITS, Limits
from h123.protocol.quic.aioquic import AioQUICConnection, AioQUICEndpoint
from h123.protocol.quic.aioquic_credit import MAX_GAPS, UNIDIRECTIONAL_STREAMS
from h123.protocol.quic.connection import (
    PingReplied,
    QUICConfiguration,
    ResetReceived,
    StopSendingReceived,
    StreamCapacityChanged,
    StreamDataReceived,
    StreamsAvailable,
    TransportClosed,
    TransportReady,
)

CLIENT = ("192.0.2.2", 1)


class Transports:
    """Both ends of a QUIC connection without HTTP on it."""

    def __init__(
        self,
        certificates: Certificates,
        *,
        limits: Limits = DEFAULT_LIMITS,
        client: dict[str, Any] | None = None,
        server: dict[str, Any] | None = None,
        **network: Any,
    ) -> None:
        endpoint = AioQUICEndpoint(certificates.server(limits, **(server or {})))
        self.network = Network(endpoint.accept, **network)
        connect = AioQUICEndpoint(certificates.client(limits, **(client or {}))).connect
        self.client = self.network.add(connect(SERVER, 0.0), CLIENT)

    def start(self) -> Transports:
        assert self.run(lambda: self.ready(self.client) and self.ready(self.server))
        self.run(seconds=0.2)
        return self

    @staticmethod
    def ready(node: Node) -> bool:
        return bool(node.engine.is_ready)

    @property
    def server(self) -> Node:
        return self.network.server

    def run(self, until: Any = lambda: False, seconds: float = 60.0) -> bool:
        return self.network.run(until, seconds)

    def closed(self, node: Node) -> TransportClosed:
        """Run until a node is told of the end."""
        assert self.run(lambda: bool(node.told(TransportClosed)))
        (event,) = node.told(TransportClosed)
        assert isinstance(event, TransportClosed)
        return event


# -------------------------------------------------------------------------------- certificates


def test_names_and_addresses_are_verified_and_names_alone_are_sent(
    certificates: Certificates,
) -> None:
    for name in ("localhost", "127.0.0.1", "::1"):
        pair = Transports(certificates, client={"server_name": name}).start()
        assert pair.client.events[0] == TransportReady("h3")
        assert pair.client.engine.alpn_protocol == "h3"
        assert pair.server.engine.peer_certificate is None
        shown = x509.load_der_x509_certificate(pair.client.engine.peer_certificate)
        names = shown.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert "localhost" in names.get_values_for_type(x509.DNSName)


@pytest.mark.parametrize("name", ["other.example", "127.0.0.2"])
def test_a_certificate_for_another_name(certificates: Certificates, name: str) -> None:
    pair = Transports(certificates, client={"server_name": name})
    end = pair.closed(pair.client)
    assert end.rule == "certificate"
    assert end.reason == (
        f"certificate verify failed: Hostname mismatch, certificate is not valid for '{name}'"
    )
    assert pair.client.engine.alpn_protocol is None
    assert pair.client.engine.peer_certificate is None
    # The server is told, in the alert's words.
    refused = pair.closed(pair.server)
    assert refused.remote
    assert refused.reason.startswith("the peer refused the TLS handshake: bad certificate")


def test_a_certificate_of_a_stranger(certificates: Certificates) -> None:
    stranger = certificates.stranger.cert_pem.bytes()
    pair = Transports(certificates, client={"ca_data": stranger})
    assert pair.closed(pair.client).reason == (
        "certificate verify failed: unable to get local issuer certificate for localhost"
    )


def test_an_expired_certificate(certificates: Certificates) -> None:
    kind = trustme.KeyType.ECDSA
    past = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    old = certificates.authority.issue_cert("localhost", key_type=kind, not_after=past)
    server = {
        "certificate_chain": b"".join([blob.bytes() for blob in old.cert_chain_pems]),
        "private_key": old.private_key_pem.bytes(),
    }
    pair = Transports(certificates, server=server)
    reason = pair.closed(pair.client).reason
    assert reason.startswith("certificate verify failed: Certificate is no longer valid")


def test_a_certificate_of_a_great_many_names(certificates: Certificates) -> None:
    """aioquic lists them all in its reason, which would not fit into a datagram."""
    many = certificates.authority.issue_cert(
        *[f"host-number-{number}.example.org" for number in range(60)],
        key_type=trustme.KeyType.ECDSA,
    )
    server = {
        "certificate_chain": b"".join([blob.bytes() for blob in many.cert_chain_pems]),
        "private_key": many.private_key_pem.bytes(),
    }
    pair = Transports(certificates, server=server)
    assert "Hostname mismatch" in pair.closed(pair.client).reason
    assert pair.closed(pair.server).rule == "certificate"


def test_verification_can_be_turned_off(certificates: Certificates) -> None:
    client = {"server_name": "", "verify": False, "ca_data": None}
    Transports(certificates, client=client).start()


def test_authorities_may_be_in_a_file(certificates: Certificates, tmp_path: Any) -> None:
    file = tmp_path / "ca.pem"
    file.write_bytes(certificates.authority.cert_pem.bytes())
    Transports(certificates, client={"ca_data": None, "ca_file": str(file)}).start()


def test_pem_may_hold_comments_and_line_ends_of_all_kinds(certificates: Certificates) -> None:
    pem = b"# ours\r\n" + certificates.authority.cert_pem.bytes().replace(b"\n", b"\r\n") + b"\n\n"
    Transports(certificates, client={"ca_data": pem}).start()


def test_keys_may_be_encrypted(certificates: Certificates) -> None:
    key = load_pem_private_key(certificates.key, None)
    encrypted = key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
    )
    server = {"private_key": encrypted, "private_key_password": b"secret"}
    Transports(certificates, server=server).start()


def test_secrets_are_logged_when_asked_for(certificates: Certificates) -> None:
    lines: list[str] = []
    Transports(certificates, client={"keylog": lines.append}).start()
    labels = {line.split()[0] for line in lines}
    assert "CLIENT_TRAFFIC_SECRET_0" in labels
    assert all(line.endswith("\n") and len(line.split()) == 3 for line in lines)


@pytest.mark.parametrize(
    "configuration",
    [
        QUICConfiguration(),
        QUICConfiguration(server_name="localhost"),
        QUICConfiguration(role=Role.SERVER),
        QUICConfiguration(role=Role.SERVER, certificate_chain=b"-", private_key=b"-"),
        QUICConfiguration(server_name="localhost", ca_data=b"nothing"),
    ],
)
def test_what_can_not_work_is_refused_at_once(configuration: QUICConfiguration) -> None:
    with pytest.raises(ValueError):
        AioQUICEndpoint(configuration)


# ---------------------------------------------------------------------------- how it may fail


def test_no_protocol_in_common(certificates: Certificates) -> None:
    pair = Transports(certificates, client={"alpn_protocols": ("hq",)})
    end = pair.closed(pair.client)
    assert end.rule == "tls-alert"
    assert "no application protocol" in end.reason
    assert "no application protocol" in pair.closed(pair.server).reason


def test_nobody_answers(certificates: Certificates) -> None:
    pair = Transports(certificates, client={"handshake_timeout": 3.0})
    pair.network.drop = lambda data, source: True
    end = pair.closed(pair.client)
    assert (end.rule, end.reason) == ("handshake-timeout", "no handshake within 3 s")
    assert pair.network.now == pytest.approx(3.0)
    assert pair.client.engine.is_closed
    pair.network.flush()
    assert pair.client.engine.next_timeout() is None


def test_a_client_that_falls_silent_in_the_handshake(certificates: Certificates) -> None:
    pair = Transports(certificates)
    pair.network.drop = lambda data, source: source == CLIENT and bool(pair.network.servers)
    assert pair.run(lambda: bool(pair.network.servers))
    assert pair.closed(pair.server).rule == "handshake-timeout"
    assert pair.run(lambda: not pair.network.listener.connections)
    assert pair.network.listener.half_open == 0


def test_the_peers_end_is_told_with_its_reason(certificates: Certificates) -> None:
    pair = Transports(certificates).start()
    assert "ready" in repr(pair.client.engine)
    pair.client.engine.close(0x10C, "enough")
    pair.client.engine.close(0, "twice is once")
    end = pair.closed(pair.server)
    assert end == TransportClosed(0x10C, "enough", True, True, "peer-close")
    assert pair.client.told(TransportClosed) == []
    assert "closed" in repr(pair.client.engine)
    assert pair.client.engine.available_streams == 0
    assert pair.client.engine.stream_capacity(0) == 0
    pair.client.engine.send_stream_data(0, b"to nobody")
    assert pair.client.engine.receive_datagram(b"late", SERVER, pair.network.now) == []


def test_the_peers_transport_may_end_it_too(certificates: Certificates) -> None:
    pair = Transports(certificates).start()
    pair.client.engine.close(10, "no reason", application=False)
    assert pair.closed(pair.server) == TransportClosed(10, "no reason", False, True, "peer-close")


def test_a_peer_that_breaks_quic(certificates: Certificates) -> None:
    pair = Transports(certificates).start()
    quic = pair.client.engine._quic
    stream_id = pair.client.engine.open_stream()
    quic._streams[stream_id].max_stream_data_remote = 1 << 40  # it takes more than it was granted
    quic._remote_max_data = 1 << 40
    pair.client.engine.send_stream_data(stream_id, bytes(2 << 20))
    end = pair.closed(pair.server)
    assert (end.rule, end.remote, end.reason) == ("quic", False, "Over stream data limit")


def test_whatever_aioquic_trips_over_ends_the_connection_alone(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = Transports(certificates).start()

    def trip(*arguments: object, **named: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(pair.server.engine._quic, "_payload_received", trip)
    pair.client.engine.ping(1)
    end = pair.closed(pair.server)
    assert (end.rule, end.reason) == ("quic", "ZeroDivisionError in the transport")


def test_versions_that_nobody_shares(certificates: Certificates) -> None:
    pair = Transports(certificates, versions=(0x1A2A3A4A,))
    end = pair.closed(pair.client)
    assert end.rule == "quic"
    assert "common protocol version" in end.reason


@pytest.mark.parametrize("alert", [42, 255])
def test_alerts_have_names_where_they_have_one(certificates: Certificates, alert: int) -> None:
    pair = Transports(certificates)
    end = pair.client.engine._alert(0x100 + alert, alert, "", True)
    assert ("bad certificate" in end.reason) == (alert == 42)
    end = pair.client.engine._alert(0x100 + alert, alert, "", False)
    assert ("alert 255" in end.reason) == (alert == 255)


# --------------------------------------------------------------------------------------- credit

WINDOW = 65536
SMALL = Limits(stream_window=WINDOW, connection_window=2 * WINDOW, concurrent_streams=7)


def test_what_aioquic_is_held_to() -> None:
    """The names in aioquic that the adapter overrides or reads. A failure here: read its changes."""
    for name in (
        "_write_connection_limits", "_write_stream_limits", "_get_or_create_stream",
        "_handle_crypto_frame", "_parse_transport_parameters", "close",
    ):  # fmt: skip
        assert callable(getattr(QuicConnection, name))
    stream = QuicStream(stream_id=0)
    assert (stream.sender._buffer_start, stream.sender._buffer_stop) == (0, 0)
    assert stream.sender.highest_offset == 0
    assert stream.sender._buffer_fin is None
    assert stream.sender._reset_error_code is None
    assert stream.receiver._buffer_start == stream.receiver.highest_offset == 0
    assert stream.receiver._final_size is None
    assert len(stream.receiver._ranges) == 0
    assert stream.max_stream_data_local == stream.max_stream_data_local_sent == 0


def test_our_limits_are_what_the_peer_is_told(certificates: Certificates) -> None:
    pair = Transports(certificates, limits=SMALL).start()
    told = pair.client.engine._quic
    assert told._remote_max_streams_bidi == 7
    assert told._remote_max_streams_uni == UNIDIRECTIONAL_STREAMS
    assert told._remote_max_data == 2 * WINDOW
    assert told._remote_max_stream_data_bidi_remote == WINDOW
    assert pair.server.engine._quic._remote_max_streams_bidi == 0  # a server opens none


def test_credit_grows_with_what_is_consumed_and_not_with_what_arrives(
    certificates: Certificates,
) -> None:
    pair = Transports(certificates, limits=SMALL).start()
    client, server = pair.client.engine, pair.server.engine
    stream_id = client.open_stream()
    client.send_stream_data(stream_id, bytes(3 * WINDOW))
    pair.run(seconds=5)
    arrived = sum(len(event.data) for event in pair.server.told(StreamDataReceived))
    assert arrived == WINDOW
    peer = client._quic
    assert peer._remote_max_data == 2 * WINDOW
    assert peer._streams[stream_id].max_stream_data_remote == WINDOW

    server.consume(stream_id, WINDOW // 8)
    pair.run(seconds=5)
    assert peer._streams[stream_id].max_stream_data_remote == WINDOW  # too little for a frame
    server.consume(stream_id, WINDOW // 2)
    pair.run(seconds=5)
    assert peer._streams[stream_id].max_stream_data_remote == WINDOW + WINDOW * 5 // 8
    assert peer._remote_max_data == 2 * WINDOW + WINDOW * 5 // 8


def test_what_little_is_left_of_the_connections_window_is_given_in_small_parts(
    certificates: Certificates,
) -> None:
    """One stream that nobody reads holds most of the window; another goes on all the same."""
    limits = Limits(stream_window=120_000, connection_window=131072)
    pair = Transports(certificates, limits=limits).start()
    client, server = pair.client.engine, pair.server.engine
    stalled, moving = client.open_stream(), client.open_stream()
    client.send_stream_data(stalled, bytes(120_000))
    pair.run(seconds=5)

    def read(node: Node, event: Any) -> None:
        if isinstance(event, StreamDataReceived) and event.stream_id == moving:
            server.consume(moving, len(event.data))

    pair.server.handler = read
    client.send_stream_data(moving, bytes(100_000), end_stream=True)
    assert pair.run(
        lambda: (
            sum(len(e.data) for e in pair.server.told(StreamDataReceived) if e.stream_id == moving)
            == 100_000
        )
    )


def test_lost_credit_is_given_again(certificates: Certificates) -> None:
    pair = Transports(certificates, limits=SMALL, loss=0.2, seed=7).start()
    client, server = pair.client.engine, pair.server.engine
    stream_id = client.open_stream()
    client.send_stream_data(stream_id, bytes(20 * WINDOW), end_stream=True)
    pair.server.handler = lambda node, event: (
        server.consume(event.stream_id, len(event.data))
        if isinstance(event, StreamDataReceived)
        else None
    )
    assert pair.run(
        lambda: any(each.end_stream for each in pair.server.told(StreamDataReceived)), seconds=600
    )


def test_no_credit_is_given_to_a_stream_that_has_ended(certificates: Certificates) -> None:
    pair = Transports(certificates, limits=SMALL).start()
    client, server = pair.client.engine, pair.server.engine
    stream_id = client.open_stream()
    client.send_stream_data(stream_id, bytes(WINDOW // 2))
    pair.run(seconds=1)
    server.consume(stream_id, WINDOW // 2)
    pair.network.drop = lambda data, source: source == SERVER  # the frame with the credit, too
    client.send_stream_data(stream_id, b"x", end_stream=True)
    pair.run(seconds=1)
    pair.network.drop = lambda data, source: False
    pair.run(seconds=5)
    server.consume(stream_id, 1)
    assert client._quic._streams[stream_id].max_stream_data_remote == WINDOW
    assert server._quic._stream_credit.get(stream_id) is None


def test_streams_are_granted_as_they_end(certificates: Certificates) -> None:
    pair = Transports(certificates, limits=SMALL).start()
    client, server = pair.client.engine, pair.server.engine
    assert client.available_streams == 7
    streams = [client.open_stream() for _ in range(7)]
    with pytest.raises(LocalProtocolError):
        client.open_stream()
    for each in streams:
        client.send_stream_data(each, b"x", end_stream=True)
    pair.run(seconds=2)
    assert client.available_streams == 0
    for each in streams[:5]:
        server.send_stream_data(each, b"", end_stream=True)
    assert pair.run(lambda: bool(pair.client.told(StreamsAvailable)))
    pair.run(seconds=1)
    assert client.available_streams == 5


def test_bytes_that_a_reset_swallows_are_credited(certificates: Certificates) -> None:
    """The final size counts bytes that were lost on the way, and that nobody can consume."""
    pair = Transports(certificates, limits=SMALL).start()
    client, server = pair.client.engine, pair.server.engine
    for _ in range(6):
        stream_id = client.open_stream()
        client.send_stream_data(stream_id, bytes(40_000))
        pair.network.drop = lambda data, source: source == CLIENT
        pair.network.flush()
        pair.network.drop = lambda data, source: False
        client.reset_stream(stream_id, 9)
        reset = ResetReceived(stream_id, 9)
        assert pair.run(lambda reset=reset: reset in pair.server.events)
        server.reset_stream(stream_id, 9)
        for event in pair.server.told(StreamDataReceived):
            server.consume(event.stream_id, len(event.data))
        pair.server.events.clear()
        pair.run(seconds=1)
    assert server._quic._local_max_data.value >= server._quic._local_max_data.used + WINDOW


# ------------------------------------------------------------------------------------- sending


def unpaced(connection: Any) -> None:
    """Let all that the congestion window holds leave at once."""
    connection._quic._loss._pacer.packet_time = None


def test_room_comes_back_as_data_leaves(certificates: Certificates) -> None:
    limits = Limits(send_buffer=20_000)
    pair = Transports(certificates, limits=limits).start()
    client = pair.client.engine
    unpaced(client)
    stream_id = client.open_stream()
    assert client.stream_capacity(stream_id) == 20_000
    client.send_stream_data(stream_id, bytes(20_000))
    assert client.stream_capacity(stream_id) == 0
    assert client.queued(stream_id) == 20_000
    assert client.queued(400) == 0
    pair.network.flush()
    # What left made room: to be told as soon as the driver asks when to come back.
    assert client.next_timeout() == pair.network.now
    assert client.handle_timeout(pair.network.now) == [StreamCapacityChanged(stream_id)]
    assert client.handle_timeout(pair.network.now) == []
    client.send_stream_data(stream_id, b"", end_stream=True)
    assert client.stream_capacity(stream_id) == 0


def test_told_later_events_are_not_lost_to_the_next_datagram(certificates: Certificates) -> None:
    pair = Transports(certificates, limits=Limits(send_buffer=20_000)).start()
    client = pair.client.engine
    unpaced(client)
    stream_id = client.open_stream()
    client.send_stream_data(stream_id, bytes(20_000))
    client.stream_capacity(stream_id)
    pair.network.flush()
    assert client.receive_datagram(b"garbage", SERVER, pair.network.now) == [
        StreamCapacityChanged(stream_id)
    ]


def test_what_is_in_flight_is_bounded_too(certificates: Certificates) -> None:
    limits = Limits(connection_window=10_000)
    pair = Transports(certificates, limits=limits).start()
    client = pair.client.engine
    unpaced(client)
    stream_id = client.open_stream()
    client._quic._remote_max_data = 1 << 30
    client.send_stream_data(stream_id, bytes(50_000))
    pair.network.flush()
    assert client._quic._loss.bytes_in_flight > 10_000
    assert client.stream_capacity(stream_id) == 0


def test_flushed_means_acknowledged(certificates: Certificates) -> None:
    pair = Transports(certificates).start()
    client, server = pair.client.engine, pair.server.engine
    pair.run(seconds=1)
    assert client.is_flushed
    stream_id = client.open_stream()
    assert client.is_flushed
    client.send_stream_data(stream_id, b"x")
    assert not client.is_flushed
    pair.run(seconds=1)
    assert client.is_flushed
    client.send_stream_data(stream_id, b"", end_stream=True)
    assert not client.is_flushed
    pair.run(seconds=1)
    assert client.is_flushed
    server.reset_stream(stream_id, 1)
    assert not server.is_flushed
    server.reset_stream(400, 1)
    pair.run(seconds=1)
    assert server.is_flushed


def test_after_stop_sending_nothing_more_is_told(certificates: Certificates) -> None:
    pair = Transports(certificates, limits=SMALL).start()
    client, server = pair.client.engine, pair.server.engine
    ended, cut = client.open_stream(), client.open_stream()
    for each in (ended, cut):
        client.send_stream_data(each, b"x")
    pair.run(seconds=1)
    pair.server.events.clear()
    for each in (ended, cut, 400):
        server.stop_sending(each, 5)
    client.send_stream_data(ended, bytes(1000), end_stream=True)
    client.send_stream_data(cut, bytes(1000))
    pair.run(seconds=1)
    assert pair.server.told(StreamDataReceived) == []
    assert pair.server.told(ResetReceived) == []
    assert StopSendingReceived(cut, 5) in pair.client.events
    client.send_stream_data(cut, b"dropped, as the stream was reset in answer")
    assert client.stream_capacity(cut) == 0
    assert server._stopped == set()


def test_pings(certificates: Certificates) -> None:
    pair = Transports(certificates, loss=0.2, seed=5).start()
    for number in (3, 1, 2):
        pair.client.engine.ping(number)
    assert pair.run(lambda: len(pair.client.told(PingReplied)) == 3)


def test_small_datagrams_for_a_peer_that_takes_no_larger_ones(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = Transports(certificates)
    client = pair.client.engine
    assert client._quic._max_datagram_size == 1350

    parameters = QuicTransportParameters(max_udp_payload_size=1252)
    monkeypatch.setattr(
        "h123.protocol.quic.aioquic_credit.pull_quic_transport_parameters",
        lambda buffer: parameters,
    )
    pair.start()
    assert client._quic._max_datagram_size == 1252


# ------------------------------------------------------------------------------------- attacks


def test_a_stream_full_of_holes_ends_the_connection(certificates: Certificates) -> None:
    pair = Transports(certificates).start()
    quic = pair.server.engine._quic
    stream = quic._get_or_create_stream(8, 0)
    for number in range(MAX_GAPS):
        stream.receiver._ranges.add(2 * number + 1, 2 * number + 2)
    assert quic._get_or_create_stream(8, 0) is stream
    stream.receiver._ranges.add(1 << 20, (1 << 20) + 1)
    with pytest.raises(QuicConnectionError):
        quic._get_or_create_stream(8, 0)


def test_a_handshake_full_of_holes_ends_the_connection(certificates: Certificates) -> None:
    pair = Transports(certificates)
    assert pair.run(lambda: bool(pair.network.servers))
    quic = pair.server.engine._quic
    receiver = quic._crypto_streams[tls.Epoch.HANDSHAKE].receiver
    for number in range(MAX_GAPS):
        receiver._ranges.add(10 + 2 * number, 11 + 2 * number)

    class Context:
        epoch = tls.Epoch.HANDSHAKE
        time = 0.0

    frame = Buffer(data=b"\x80\x01\x00\x00\x01x")
    with pytest.raises(QuicConnectionError):
        quic._handle_crypto_frame(Context(), 6, frame)


def test_a_first_datagram_that_says_nothing_opens_nothing(certificates: Certificates) -> None:
    pair = Transports(certificates)
    pair.network.drop = lambda data, source: True
    garbage = b"\xc0\0\0\0\1\x08abcdefgh\0\0\x44\xb0" + random.Random(1).randbytes(1300)
    for _ in range(3):
        pair.network.deliver(garbage, CLIENT, SERVER)
        pair.network.flush()
    assert pair.server.events == []
    assert pair.server.engine.is_closed
    assert pair.server.engine._quic._state is QuicConnectionState.TERMINATED
    assert pair.network.listener.connections == []
    assert pair.network.listener.half_open == 0


@given(st.data())
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_datagrams_are_borne(certificates: Certificates, data: st.DataObject) -> None:
    """Random ones, and good ones with some bytes changed, cut or put together."""
    world = World(certificates)
    seen: list[bytes] = []

    def watch(datagram: bytes, source: object) -> bool:
        seen.append(datagram)
        return False

    world.network.drop = watch
    client = world.connect()
    world.network.handler = lambda node, event: (
        node.engine.send_response(event.stream_id, 200, [], end_stream=True)
        if isinstance(event, RequestReceived)
        else None
    )
    for _ in range(data.draw(st.integers(1, 6))):
        world.run(seconds=0.03)
        if client.engine.available_streams:
            client.engine.send_request(b"GET", b"/", [], authority=b"localhost", end_stream=True)
        original = bytearray(data.draw(st.sampled_from(seen)))
        for _ in range(data.draw(st.integers(0, 3))):
            original[data.draw(st.integers(0, len(original) - 1))] ^= data.draw(st.integers(1, 255))
        junk = bytes(original[: data.draw(st.integers(0, len(original)))])
        junk += data.draw(st.binary(max_size=30))
        world.network.deliver(junk, CLIENT, SERVER)
        world.network.deliver(junk, SERVER, CLIENT)
    # The handshake survives it: what is not from the peer is dropped.
    assert world.run(lambda: bool(client.told(HandshakeCompleted)))
    assert client.error is None
    assert client.told(DataReceived) == client.told(DataReceived)


def test_connections_are_what_the_contract_says(certificates: Certificates) -> None:
    pair = Transports(certificates)
    assert isinstance(pair.client.engine, AioQUICConnection)
    assert "handshake" in repr(pair.client.engine)
    assert not pair.client.engine.is_ready
    with pytest.raises(LocalProtocolError):
        pair.client.engine.open_stream()
