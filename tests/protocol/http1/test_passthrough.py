"""Content that the engine never sees: what to write comes in order, framed as the head said (RFC 9112 section 6)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from h123.protocol.connection import Role
from h123.protocol.errors import LocalProtocolError
from h123.protocol.http1.connection import HTTP1Connection

Serving = Callable[[bytes], HTTP1Connection]

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
FILE = object()


def test_6_2_with_content_length(serving: Serving) -> None:
    server = serving(GET)
    server.send_response(1, 200, [(b"Content-Length", b"7")])
    head, source = server.send_with_passthrough(1, FILE, 4)
    assert isinstance(head, bytes)
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert source is FILE
    server.send_data(1, b"xy")
    assert server.send_with_passthrough(1, FILE, 1, end_stream=True) == [b"xy", FILE]
    assert server.is_idle
    assert server.data_to_send() == b""


@pytest.mark.parametrize("end_stream", [False, True])
@pytest.mark.parametrize("size", [8, 3])
def test_6_2_no_more_and_no_less_than_content_length(
    serving: Serving, size: int, end_stream: bool
) -> None:
    server = serving(GET)
    server.send_response(1, 200, [(b"Content-Length", b"7")])
    if size == 3 and not end_stream:
        assert server.send_with_passthrough(1, FILE, size)[1:] == [FILE]
        return
    with pytest.raises(LocalProtocolError, match="leaves 7"):
        server.send_with_passthrough(1, FILE, size, end_stream=end_stream)
    assert server.send_with_passthrough(1, FILE, 7, end_stream=True)[1:] == [FILE]


def test_7_1_in_chunks(serving: Serving) -> None:
    server = serving(GET)
    server.send_response(1, 200, [])
    server.data_to_send()
    assert server.send_with_passthrough(1, FILE, 31) == [b"1f\r\n", FILE, b"\r\n"]
    server.send_data(1, b"x")
    assert server.send_with_passthrough(1, FILE, 2, end_stream=True) == [
        b"1\r\nx\r\n2\r\n",
        FILE,
        b"\r\n0\r\n\r\n",
    ]
    assert server.is_idle


def test_7_1_2_trailers_follow(serving: Serving) -> None:
    server = serving(GET)
    server.send_response(1, 200, [])
    server.send_with_passthrough(1, FILE, 1)
    server.send_trailers(1, [(b"A", b"b")])
    assert server.data_to_send() == b"0\r\nA: b\r\n\r\n"


def test_6_3_until_the_connection_ends(serving: Serving) -> None:
    server = serving(b"GET / HTTP/1.0\r\n\r\n")
    server.send_response(1, 200, [])
    server.data_to_send()
    assert server.send_with_passthrough(1, FILE, 5) == [FILE]
    assert server.send_with_passthrough(1, FILE, 5, end_stream=True) == [FILE]
    assert server.is_closed


def test_a_client_passes_through_too() -> None:
    client = HTTP1Connection(Role.CLIENT)
    stream_id = client.send_request(b"PUT", b"/", [(b"Host", b"a"), (b"Content-Length", b"9")])
    assert client.send_with_passthrough(stream_id, FILE, 9, end_stream=True)[1] is FILE


@pytest.mark.parametrize("size", [0, -1])
def test_there_is_something_to_pass_through(serving: Serving, size: int) -> None:
    server = serving(GET)
    server.send_response(1, 200, [])
    with pytest.raises(LocalProtocolError, match="bytes of content"):
        server.send_with_passthrough(1, FILE, size)


def test_only_where_content_can_be_sent(serving: Serving) -> None:
    with pytest.raises(LocalProtocolError, match="no content can be sent"):
        serving(GET).send_with_passthrough(1, FILE, 1)
