"""A server's socket: RFC 8999, RFC 9000 sections 5.2, 6, 8.1 and 10.2, RFC 9001 appendix A.4."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.protocol.quic.wire import SERVER, Certificates, World

from h123.protocol.quic import listener as listener_module
from h123.protocol.quic.connection import Incoming
from h123.protocol.quic.listener import (
    FAREWELL_TIME,
    FAREWELLS,
    TOKEN_LIFETIME,
    VERSION_1,
    VERSION_2,
    QUICListener,
    encode_retry,
    parse_long_header,
)

ADDRESS = ("192.0.2.9", 9)


def initial(
    destination: bytes = b"8 bytes!",
    source: bytes = b"client",
    token: bytes = b"",
    version: int = VERSION_1,
    size: int = 1200,
) -> bytes:
    first = 0xC0 if version == VERSION_1 else 0xD0
    packet = bytes([first]) + version.to_bytes(4, "big")
    packet += bytes([len(destination)]) + destination + bytes([len(source)]) + source
    packet += bytes([0x40 | len(token) >> 8, len(token) & 0xFF]) + token
    return packet + bytes(max(0, size - len(packet)))


class Accepted:
    """What a listener's connections are in these tests: themselves, and nothing more."""

    def __init__(self, incoming: Incoming) -> None:
        self.incoming = incoming


def make(**settings: Any) -> QUICListener[Accepted]:
    return QUICListener(Accepted, **settings)


# -------------------------------------------------------------------------------------- routing


def test_a_clients_first_datagram_opens_a_connection() -> None:
    listener = make()
    connection = listener.receive_datagram(initial(), ADDRESS, 0.0)
    assert connection is not None
    assert connection.incoming.original_connection_id == b"8 bytes!"
    assert connection.incoming.retry_connection_id is None
    assert listener.receive_datagram(initial(), ADDRESS, 0.0) is connection
    assert listener.receive_datagram(initial(size=100), ADDRESS, 0.0) is connection
    assert listener.connections == [connection]
    assert listener.half_open == 1
    assert "1 connections, 1 half open" in repr(listener)


def test_issued_ids_lead_to_their_connection_until_they_are_retired() -> None:
    listener = make()
    connection = listener.receive_datagram(initial(), ADDRESS, 0.0)
    assert connection is not None
    routes = connection.incoming.routes
    routes.issued(b"issued-1")
    short = b"\x40issued-1" + bytes(30)
    assert listener.receive_datagram(short, ADDRESS, 0.0) is connection
    routes.retired(b"issued-1")
    assert listener.receive_datagram(short, ADDRESS, 0.0) is None
    routes.established()
    routes.established()
    assert listener.half_open == 0


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x40",
        b"\x40short",
        b"\xc0\0\0\0\1",
        b"\xc0\0\0\0\1\x08abc",
        b"\xc0\0\0\0\1\x01a\x08abc",
        b"\xc0\0\0\0\1\x01a\x01b",
        b"\xc0\0\0\0\1\x01a\x01b\x05abc",
        initial(size=1199),
        initial(destination=b"7 bytes"),
        initial(destination=b"x" * 21),
        initial(source=b"x" * 21),
        b"\xe0" + initial()[1:],  # a Handshake packet
        b"\x80\0\0\0\0" + initial()[5:],  # Version Negotiation
        initial(version=0x0A0A0A0A, size=1000),
    ],
)
def test_garbage_is_dropped_silently(data: bytes) -> None:
    listener = make()
    assert listener.receive_datagram(data, ADDRESS, 0.0) is None
    assert listener.datagrams_to_send() == []
    assert listener.connections == []


@given(st.binary(max_size=60), st.booleans())
def test_any_bytes_are_borne(data: bytes, long: bool) -> None:
    listener = make()
    listener.receive_datagram(data + bytes(1200) if long else data, ADDRESS, 0.0)


# --------------------------------------------------------------------------------------- version


def test_unknown_versions_are_negotiated_9000_6() -> None:
    listener = make()
    data = initial(version=0x0A0A0A0A, destination=b"x" * 30)
    assert listener.receive_datagram(data, ADDRESS, 0.0) is None
    ((answer, address),) = listener.datagrams_to_send()
    assert address == ADDRESS
    assert answer == (
        b"\x80\0\0\0\0\x06client" + bytes([30]) + b"x" * 30 + b"\0\0\0\1" + b"\x6b\x33\x43\xcf"
    )
    assert listener.datagrams_to_send() == []


def test_version_2_is_known_9369() -> None:
    listener = make(retry_above=0)
    assert make().receive_datagram(initial(version=VERSION_2), ADDRESS, 0.0) is not None
    assert listener.receive_datagram(initial(version=VERSION_2), ADDRESS, 0.0) is None
    ((answer, _),) = listener.datagrams_to_send()
    assert answer[:5] == b"\xc0\x6b\x33\x43\xcf"


# ----------------------------------------------------------------------------------------- Retry


def test_the_tag_of_a_retry_9001_a_4(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(listener_module._RETRY, VERSION_1, 0xFF)  # as the RFC has its unused bits
    packet = encode_retry(
        VERSION_1,
        b"",
        bytes.fromhex("f067a5502a4262b5"),
        b"token",
        bytes.fromhex("8394c8f03e515708"),
    )
    expected = "ff000000010008f067a5502a4262b5746f6b656e04a265ba2eff4d829058fb3f0f2496ba"
    assert packet.hex() == expected


def test_the_tag_of_a_retry_of_version_2_9369_a_4(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(listener_module._RETRY, VERSION_2, 0xCF)
    packet = encode_retry(
        VERSION_2,
        b"",
        bytes.fromhex("f067a5502a4262b5"),
        b"token",
        bytes.fromhex("8394c8f03e515708"),
    )
    expected = "cf6b3343cf0008f067a5502a4262b5746f6b656ec8646ce8bfe33952d955543665dcc7b6"
    assert packet.hex() == expected


def retried(listener: QUICListener[Accepted], now: float = 0.0) -> tuple[bytes, bytes]:
    """Return the connection id and the token of the Retry that a client gets."""
    assert listener.receive_datagram(initial(), ADDRESS, now) is None
    ((answer, address),) = listener.datagrams_to_send()
    assert address == ADDRESS
    header = parse_long_header(answer)
    assert header is not None
    assert header.destination == b"client"
    return header.source, answer[7 + 6 + len(header.source) : -16]


def test_under_load_clients_must_show_where_they_are_9000_8_1_2() -> None:
    listener = make(retry_above=1)
    first = listener.receive_datagram(initial(b"first one"), ADDRESS, 0.0)
    assert first is not None
    connection_id, token = retried(listener)
    again = listener.receive_datagram(initial(connection_id, token=token), ADDRESS, 1.0)
    assert again is not None
    assert again.incoming.original_connection_id == b"8 bytes!"
    assert again.incoming.retry_connection_id == connection_id
    # Once the load is gone nobody has to.
    for connection in (first, again):
        connection.incoming.routes.closed([], 1.0)
    assert listener.receive_datagram(initial(b"third one"), ADDRESS, 1.0) is not None


@pytest.mark.parametrize("wrong", ["address", "time", "id", "token", "short"])
def test_a_token_is_good_for_one_client_and_a_short_time(wrong: str) -> None:
    listener = make(retry_above=0)
    connection_id, token = retried(listener)
    address, now = ADDRESS, 1.0
    if wrong == "address":
        address = ("192.0.2.10", 9)
    elif wrong == "time":
        now = TOKEN_LIFETIME + 1
    elif wrong == "id":
        connection_id = b"another one"
    elif wrong == "token":
        token = token[:-1] + bytes([token[-1] ^ 1])
    else:
        token = token[:10]
    data = initial(connection_id, token=token)
    assert listener.receive_datagram(data, address, now) is None
    assert len(listener.datagrams_to_send()) == 1  # another Retry


def test_a_token_of_elsewhere_is_none_when_none_is_needed() -> None:
    connection = make().receive_datagram(initial(token=b"from another server"), ADDRESS, 0.0)
    assert connection is not None
    assert connection.incoming.retry_connection_id is None


def test_handshakes_and_connections_are_bounded() -> None:
    listener = make(half_open=2)
    for number in range(5):
        listener.receive_datagram(initial(b"client %d" % number), ADDRESS, 0.0)
    assert len(listener.connections) == listener.half_open == 2
    listener = make(connections=3)
    for number in range(5):
        connection = listener.receive_datagram(initial(b"client %d" % number), ADDRESS, 0.0)
        if connection is not None:
            connection.incoming.routes.established()
    assert len(listener.connections) == 3


# ---------------------------------------------------------------------------------------- the end


def test_what_comes_after_the_end_is_answered_ever_more_rarely_9000_10_2_1() -> None:
    listener = make()
    connection = listener.receive_datagram(initial(), ADDRESS, 0.0)
    assert connection is not None
    routes = connection.incoming.routes
    routes.issued(b"issued-1")
    routes.closed([b"last word"], 0.0)
    routes.closed([b"twice is once"], 0.0)
    assert listener.connections == []
    assert listener.half_open == 0
    late = b"\x40issued-1" + bytes(30)
    answered = []
    for _ in range(10):
        assert listener.receive_datagram(late, ADDRESS, 1.0) is None
        answered.append(len(listener.datagrams_to_send()))
    assert answered == [1, 1, 0, 1, 0, 0, 0, 1, 0, 0]
    # A client's first datagram, come late, opens nothing anew.
    assert listener.receive_datagram(initial(), ADDRESS, 1.0) is None
    assert listener.receive_datagram(late, ADDRESS, FAREWELL_TIME + 1) is None
    assert listener.datagrams_to_send() == []


def test_a_last_word_is_no_amplifier() -> None:
    listener = make()
    connection = listener.receive_datagram(initial(), ADDRESS, 0.0)
    assert connection is not None
    connection.incoming.routes.issued(b"issued-1")
    connection.incoming.routes.closed([bytes(200)], 0.0)
    listener.receive_datagram(b"\x40issued-1" + bytes(20), ADDRESS, 0.0)
    assert listener.datagrams_to_send() == []


def test_the_dead_are_not_remembered_for_long() -> None:
    listener = make()
    for number in range(FAREWELLS + 50):
        connection = listener.receive_datagram(initial(b"client %d" % number), ADDRESS, 0.0)
        assert connection is not None
        connection.incoming.routes.closed([], 0.0)
    assert len(listener._farewells) == FAREWELLS
    assert len(listener._farewell_routes) == FAREWELLS
    connection = listener.receive_datagram(initial(b"the last one"), ADDRESS, 10.0)
    assert connection is not None
    connection.incoming.routes.closed([], 10.0)
    assert len(listener._farewells) == 1
    assert listener._routes == {}


# ------------------------------------------------------------------------------- with connections


def test_many_clients_on_one_socket(certificates: Certificates) -> None:
    world = World(certificates)
    clients = [world.connect(("192.0.2.2", port)) for port in range(1, 9)]
    assert world.run(lambda: all(client.engine.is_ready for client in clients))
    world.run(seconds=1)
    listener = world.network.listener
    assert len(listener.connections) == 8
    assert listener.half_open == 0
    for client in clients:
        client.engine.close()
    world.run(seconds=5)
    assert listener.connections == []
    assert listener._routes == {}


def test_connection_ids_come_and_go_9000_5_1(certificates: Certificates) -> None:
    world = World(certificates)
    client = world.ready()
    world.run(seconds=1)
    routes = world.network.listener._routes
    before = set(routes)
    assert len(before) == 9  # eight issued, and the client's own choice
    client.engine.quic._quic.change_connection_id()
    client.engine.ping(b"12345678")
    world.run(seconds=1)
    after = set(routes)
    assert len(before - after) == len(after - before) == 1


def test_retry_with_connections(certificates: Certificates) -> None:
    world = World(certificates, retry_above=0)
    client = world.ready()
    assert client.engine.quic._quic._retry_count == 1


def test_a_client_whose_address_changes_is_still_known_9000_9(certificates: Certificates) -> None:
    world = World(certificates)
    client = world.ready()
    world.run(seconds=1)
    del world.network.clients[client.address]
    client.address = ("192.0.2.77", 7)
    world.network.clients[client.address] = client
    client.engine.ping(b"12345678")
    from h123.protocol.events import PingAcknowledged

    assert world.run(lambda: bool(client.told(PingAcknowledged)))
    assert len(world.network.listener.connections) == 1
    assert world.network.bytes_sent[SERVER]
