"""The connection from its handshake to its end: RFC 9114 sections 3 and 5, and the transport's faults."""

from __future__ import annotations

import pytest
from tests.protocol.http3.fake_quic import GET, Bench, FakeQUIC

from h123.protocol.connection import Role
from h123.protocol.errors import ErrorCode, LocalProtocolError, RemoteProtocolError
from h123.protocol.events import (
    CapacityChanged,
    ConnectionClosed,
    HandshakeCompleted,
    PingAcknowledged,
)
from h123.protocol.http3.connection import HTTP3Connection
from h123.protocol.http3.errors import H3ErrorCode as Code
from h123.protocol.http3.errors import name_of
from h123.protocol.quic.connection import (
    PingReplied,
    StreamsAvailable,
    TransportClosed,
    TransportReady,
)


@pytest.mark.parametrize("role", Role)
def test_the_handshake(role: Role) -> None:
    quic = FakeQUIC(role)
    engine = HTTP3Connection(role, quic)
    assert not engine.is_ready
    assert "HANDSHAKE" in repr(engine)
    quic.queue.append(TransportReady("h3"))
    assert engine.receive_datagram(b"", "peer", 0.0) == [HandshakeCompleted("h3")]
    assert engine.is_ready
    assert engine.wants_data
    assert engine.http_version == "HTTP/3"
    assert "ACTIVE" in repr(engine)
    quic.timeout = 5.0
    assert engine.next_timeout() == 5.0
    assert engine.datagrams_to_send(0.0) == [(b"datagram", "address")]


@pytest.mark.parametrize("alpn", ["", "hq-interop"])
def test_another_protocol_than_h3_is_refused_9114_3_1(alpn: str) -> None:
    quic = FakeQUIC(Role.CLIENT)
    engine = HTTP3Connection(Role.CLIENT, quic)
    quic.queue.append(TransportReady(alpn))
    with pytest.raises(RemoteProtocolError, match="not h3") as caught:
        engine.receive_datagram(b"", "peer", 0.0)
    assert caught.value.rule == "alpn"
    assert quic.closed is not None


def test_pings_carry_their_payload_home(client: Bench) -> None:
    client.engine.ping(b"abcdefgh")
    client.engine.ping(b"12345678")
    assert client.quic.pings == [1, 2]
    assert client.tell(PingReplied(2), PingReplied(1)) == [
        PingAcknowledged(b"12345678"),
        PingAcknowledged(b"abcdefgh"),
    ]
    with pytest.raises(LocalProtocolError):
        client.engine.ping(b"short")
    with pytest.raises(LocalProtocolError):
        HTTP3Connection(Role.CLIENT, FakeQUIC(Role.CLIENT)).ping(b"12345678")


def test_new_streams_are_told_of(client: Bench) -> None:
    assert client.tell(StreamsAvailable()) == [CapacityChanged(None)]
    client.engine.send_request(b"GET", b"/", [], authority=b"a")
    client.engine.close()
    assert client.tell(StreamsAvailable()) == []


# --------------------------------------------------------------------------------------- closing


def test_a_server_that_closes_lets_open_requests_finish_9114_5_2(server: Bench) -> None:
    server.data(4, server.section(GET), end=True)
    server.engine.close()
    server.engine.close()
    assert server.quic.sent[3].endswith(b"\x07\x01\x08")
    assert server.quic.sent[3].count(b"\x07\x01\x08") == 1
    assert server.engine.is_draining
    assert "DRAINING" in repr(server.engine)
    # Of those that were on their way the lower one is still good, the higher one is refused.
    assert len(server.data(0, server.section(GET), end=True)) == 1
    assert server.data(8, server.section(GET), end=True) == []
    assert server.quic.resets == server.quic.stops == {8: Code.REQUEST_REJECTED}
    assert server.quic.consumed[8] == len(server.section(GET))
    for stream_id in (0, 4):
        server.engine.send_response(stream_id, 200, [], end_stream=True)
    server.quic.flushed = False
    server.engine.datagrams_to_send(0.0)
    assert not server.engine.is_closed  # what was sent might still be lost
    server.quic.flushed = True
    server.engine.datagrams_to_send(0.0)
    assert server.engine.is_closed
    assert server.quic.closed == (Code.NO_ERROR, "")
    assert "CLOSED" in repr(server.engine)


def test_a_client_that_closes_lets_open_requests_finish(client: Bench) -> None:
    client.engine.send_request(b"GET", b"/", [], authority=b"a", end_stream=True)
    client.engine.close()
    assert client.quic.sent[2].endswith(b"\x07\x01\x00")
    client.engine.datagrams_to_send(0.0)
    assert not client.engine.is_closed
    client.data(0, client.section([(b":status", b"204")]), end=True)
    client.engine.datagrams_to_send(0.0)
    assert client.engine.is_closed
    client.engine.close()


def test_closing_with_an_error_ends_everything_at_once(server: Bench) -> None:
    server.data(0, server.section(GET), end=True)
    server.engine.close(ErrorCode.INTERNAL_ERROR)
    assert server.engine.is_closed
    assert server.engine.is_idle
    assert server.quic.closed == (Code.INTERNAL_ERROR, "")
    assert server.data(4, server.section(GET)) == []
    assert server.engine.handle_timeout(1.0) == []
    with pytest.raises(LocalProtocolError):
        server.engine.send_response(0, 200, [])


def test_closing_before_the_handshake_ends_at_once() -> None:
    quic = FakeQUIC(Role.CLIENT)
    HTTP3Connection(Role.CLIENT, quic).close()
    assert quic.closed == (Code.NO_ERROR, "")


# ------------------------------------------------------------------------------ the peer's end


def test_an_end_that_cuts_nothing_off_is_an_event(client: Bench) -> None:
    assert client.tell(TransportClosed(Code.NO_ERROR, "bye", True, True, "peer-close")) == [
        ConnectionClosed(Code.NO_ERROR, "the peer closed the connection: H3_NO_ERROR: bye")
    ]
    assert client.engine.is_closed


def test_an_end_without_a_word(server: Bench) -> None:
    assert server.tell(TransportClosed(0, "", False, True, "peer-close")) == [
        ConnectionClosed(0, "the peer closed the connection")
    ]


def test_silence_is_an_end_too(server: Bench) -> None:
    server.quic.queue.append(TransportClosed(0, "idle timeout", False, False, "idle-timeout"))
    assert server.engine.handle_timeout(1.0) == [ConnectionClosed(0, "idle timeout")]


@pytest.mark.parametrize(
    ("told", "message"),
    [
        (TransportClosed(0, "idle timeout", False, False, "idle-timeout"), "^idle timeout$"),
        (TransportClosed(0x102, "", True, True, "peer-close"), "peer closed.*H3_INTERNAL_ERROR$"),
        (TransportClosed(10, "what?", False, True, "peer-close"), "peer closed the.*what?"),
    ],
)
def test_an_end_that_cuts_a_stream_off_is_an_error(
    client: Bench, told: TransportClosed, message: str
) -> None:
    client.engine.send_request(b"GET", b"/", [], authority=b"a", end_stream=True)
    with pytest.raises(RemoteProtocolError, match=message) as caught:
        client.tell(told)
    assert caught.value.rule == told.rule
    assert caught.value.error_code == told.error_code
    assert client.engine.is_closed
    assert client.engine.is_idle


def test_a_peer_that_breaks_quic_is_an_error(server: Bench) -> None:
    with pytest.raises(RemoteProtocolError, match="Over stream data limit"):
        server.tell(TransportClosed(3, "Over stream data limit", False, False, "quic"))


def test_an_end_before_the_handshakes_is_an_error() -> None:
    quic = FakeQUIC(Role.CLIENT)
    engine = HTTP3Connection(Role.CLIENT, quic)
    quic.queue.append(TransportClosed(0, "no handshake", False, False, "handshake-timeout"))
    with pytest.raises(RemoteProtocolError, match="no handshake"):
        engine.handle_timeout(10.0)


def test_codes_have_names() -> None:
    assert name_of(0x10C) == "H3_REQUEST_CANCELLED"
    assert name_of(0x200) == "QPACK_DECOMPRESSION_FAILED"
    assert name_of(0x99) == "error 0x99"
