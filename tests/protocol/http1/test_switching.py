"""CONNECT and Upgrade: connections that become bytes (RFC 9110 sections 7.8, 9.3.6 and 15.2.2)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from h123.protocol.errors import LocalProtocolError, RemoteProtocolError
from h123.protocol.events import (
    ConnectionClosed,
    DataReceived,
    InformationalReceived,
    RequestReceived,
    ResponseReceived,
)
from h123.protocol.http1.connection import HTTP1Connection

Serving = Callable[[bytes], HTTP1Connection]
Refuse = Callable[[HTTP1Connection, bytes], RemoteProtocolError]

CONNECT = b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n"
UPGRADE = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: foo\r\n\r\n"
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
UPGRADE_FIELDS = [(b"Host", b"a"), (b"Connection", b"Upgrade"), (b"Upgrade", b"foo")]


@pytest.fixture
def connecting(idle_client: HTTP1Connection) -> HTTP1Connection:
    idle_client.send_request(b"CONNECT", b"a:1", [], authority=b"a:1")
    assert idle_client.data_to_send() == CONNECT
    return idle_client


@pytest.fixture
def upgrading(idle_client: HTTP1Connection) -> HTTP1Connection:
    idle_client.send_request(b"GET", b"/", UPGRADE_FIELDS, end_stream=True)
    idle_client.data_to_send()
    return idle_client


def test_9_3_6_a_tunnel_both_ways(connecting: HTTP1Connection, server: HTTP1Connection) -> None:
    client = connecting
    (request,) = server.receive_data(CONNECT)
    assert isinstance(request, RequestReceived)
    assert not request.end_stream
    assert server.receive_data(b"early") == []
    assert server.wants_data
    server.send_response(1, 200, [(b"Content-Length", b"9"), (b"Transfer-Encoding", b"chunked")])
    assert server.receive_data(b"") == [DataReceived(1, b"early", False)]
    server.send_data(1, b"raw")
    response, data = client.receive_data(server.data_to_send())
    assert isinstance(response, ResponseReceived)
    assert response.headers == []
    assert not response.end_stream
    assert data == DataReceived(1, b"raw", False)
    client.send_data(1, b"abc")
    assert client.data_to_send() == b"abc"
    client.send_data(1, b"", end_stream=True)
    assert not client.is_closed
    assert server.receive_eof() == [DataReceived(1, b"", True), ConnectionClosed()]
    server.send_data(1, b"last", end_stream=True)
    assert server.is_closed
    assert client.receive_data(server.data_to_send()) == [DataReceived(1, b"last", False)]
    assert client.receive_eof() == [DataReceived(1, b"", True), ConnectionClosed()]
    assert client.is_closed


@pytest.mark.parametrize(
    "fields",
    [b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"Content-Length: x\r\n"],
)
@pytest.mark.parametrize("status", [b"200", b"204", b"299"])
def test_9_3_6_framing_fields_of_a_2xx_mean_nothing(
    connecting: HTTP1Connection, status: bytes, fields: bytes
) -> None:
    events = connecting.receive_data(b"HTTP/1.1 " + status + b" OK\r\n" + fields + b"\r\n5\r\nraw")
    assert events[1:] == [DataReceived(1, b"5\r\nraw", False)]


def test_9_3_6_a_refused_connect_leaves_the_connection(
    connecting: HTTP1Connection, serving: Serving
) -> None:
    server = serving(CONNECT)
    server.send_response(1, 407, [(b"Content-Length", b"2")])
    server.send_data(1, b"no", end_stream=True)
    events = connecting.receive_data(server.data_to_send())
    assert events[1:] == [DataReceived(1, b"no", True)]
    assert connecting.available_streams == 1
    assert server.receive_data(GET)


def test_9_3_6_what_follows_a_refused_connect_is_never_a_request(serving: Serving) -> None:
    server = serving(CONNECT + GET)
    server.send_response(1, 403, [], end_stream=True)
    assert b"Connection: close" in server.data_to_send()
    assert server.is_closed


def test_9_3_6_nothing_is_sent_before_the_answer(connecting: HTTP1Connection) -> None:
    assert connecting.send_capacity(1) == 0
    with pytest.raises(LocalProtocolError):
        connecting.send_data(1, b"hello")


@pytest.mark.parametrize("fields", [b"Content-Length: 1\r\n", b"Transfer-Encoding: chunked\r\n"])
def test_9_3_6_connect_has_no_content(
    server: HTTP1Connection, refuse: Refuse, fields: bytes
) -> None:
    assert refuse(server, CONNECT[:-2] + fields + b"\r\n").rule == "connect-content"


def test_9_3_6_connect_with_no_content_said(serving: Serving) -> None:
    assert not serving(CONNECT[:-2] + b"Content-Length: 0\r\n\r\n").is_idle


def test_9_3_6_our_connect_has_no_content(idle_client: HTTP1Connection) -> None:
    for headers in ([(b"Content-Length", b"1")], [(b"Transfer-Encoding", b"chunked")]):
        with pytest.raises(LocalProtocolError):
            idle_client.send_request(b"CONNECT", b"a:1", headers, authority=b"a:1")
    with pytest.raises(LocalProtocolError):
        idle_client.send_request(b"CONNECT", b"a:1", [], authority=b"a:1", end_stream=True)


def test_a_tunnel_may_be_one_way_from_the_start(serving: Serving) -> None:
    server = serving(CONNECT)
    server.send_response(1, 200, [], end_stream=True)
    assert server.receive_data(b"a") == [DataReceived(1, b"a", False)]
    server.receive_eof()
    assert server.is_closed


def test_a_tunnel_whose_client_has_closed_its_side_before_the_answer(serving: Serving) -> None:
    server = serving(CONNECT + b"abc")
    assert server.receive_eof() == [ConnectionClosed()]
    server.send_response(1, 200, [])
    assert server.receive_data(b"") == [DataReceived(1, b"abc", False), DataReceived(1, b"", True)]
    server.send_data(1, b"d", end_stream=True)
    assert server.is_closed


def test_a_server_may_stop_receiving_before_the_answer(serving: Serving) -> None:
    server = serving(CONNECT)
    server.stop_receiving(1)
    server.send_response(1, 200, [])
    assert server.receive_data(b"abc") == []
    server.send_data(1, b"d", end_stream=True)
    assert server.is_closed


def test_a_client_that_stops_receiving_before_the_answer_closes(
    connecting: HTTP1Connection,
) -> None:
    connecting.stop_receiving(1)
    assert connecting.is_closed


def test_15_2_2_an_upgrade_both_ways(upgrading: HTTP1Connection, serving: Serving) -> None:
    client = upgrading
    server = serving(UPGRADE + b"early")
    server.send_informational(1, 101, [(b"Upgrade", b"foo"), (b"Content-Length", b"3")])
    assert server.receive_data(b"") == [DataReceived(1, b"early", False)]
    server.send_data(1, b"raw")
    assert client.receive_data(server.data_to_send()) == [
        InformationalReceived(1, 101, [(b"Upgrade", b"foo")]),
        DataReceived(1, b"raw", False),
    ]
    client.send_data(1, b"abc", end_stream=True)
    server.send_data(1, b"d", end_stream=True)
    assert client.data_to_send() == b"abc"
    assert client.is_draining
    client.receive_eof()
    server.receive_eof()
    assert client.is_closed
    assert server.is_closed


def test_7_8_an_upgrade_that_is_not_taken(upgrading: HTTP1Connection, serving: Serving) -> None:
    server = serving(UPGRADE + GET)
    server.send_response(1, 200, [], end_stream=True)
    upgrading.receive_data(server.data_to_send())
    assert upgrading.available_streams == 1
    assert isinstance(server.receive_data(b"")[0], RequestReceived)


@pytest.mark.parametrize(
    "request_data",
    [
        GET,
        GET[:-2] + b"Upgrade: foo\r\n\r\n",  # no connection option: not meant for us
        UPGRADE.replace(b"1.1", b"1.0"),
        UPGRADE[:-2] + b"Content-Length: 1\r\n\r\n",  # not received whole
    ],
)
def test_7_8_101_only_where_it_is_asked_for(serving: Serving, request_data: bytes) -> None:
    server = serving(request_data)
    with pytest.raises(LocalProtocolError):
        server.send_informational(1, 101, [])
    assert server.data_to_send() == b""


def test_7_8_101_that_nobody_asked_for_is_refused(client: HTTP1Connection, refuse: Refuse) -> None:
    head = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"
    assert refuse(client, head).rule == "upgrade-unasked"


def test_7_8_101_before_the_request_is_sent_is_refused(idle_client: HTTP1Connection) -> None:
    idle_client.send_request(b"PUT", b"/", UPGRADE_FIELDS)
    with pytest.raises(RemoteProtocolError) as caught:
        idle_client.receive_data(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
    assert caught.value.rule == "upgrade-unasked"
