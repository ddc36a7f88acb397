"""Every bound on what a peer may use, from both sides of it (DESIGN: Limits)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from h123.protocol.connection import Role
from h123.protocol.errors import LocalProtocolError, RemoteProtocolError
from h123.protocol.http1.connection import HTTP1Connection
from h123.protocol.limits import Limits

Refuse = Callable[[HTTP1Connection, bytes], RemoteProtocolError]

# The small engines' limits: a start line of 40 bytes, a section of 60 bytes and 3 fields, a chunk size line
# of 8 bytes, one empty line, 50 bytes unread.
HOST = b"Host: a\r\n"


def line(length: int) -> bytes:
    return b"GET /" + b"a" * (length - 14) + b" HTTP/1.1"


def section(length: int) -> bytes:
    return HOST + b"A: " + b"b" * (length - len(HOST) - 3)


def test_a_request_line_of_the_limit_passes(small_server: HTTP1Connection) -> None:
    assert small_server.receive_data(line(40) + b"\r\n" + HOST + b"\r\n")


@pytest.mark.parametrize("end", [b"\r\n" + HOST + b"\r\n", b""])
def test_a_longer_request_line_is_414(
    small_server: HTTP1Connection, refuse: Refuse, end: bytes
) -> None:
    error = refuse(small_server, line(41) + (end or b"a"))
    assert (error.status, error.rule) == (414, "request-line-too-long")


def test_a_longer_status_line_is_refused(small_client: HTTP1Connection, refuse: Refuse) -> None:
    error = refuse(small_client, b"HTTP/1.1 200 " + b"a" * 28 + b"\r\n\r\n")
    assert error.rule == "status-line-too-long"


def test_a_section_of_the_limit_passes(small_server: HTTP1Connection) -> None:
    assert small_server.receive_data(line(40) + b"\r\n" + section(60) + b"\r\n\r\n")


@pytest.mark.parametrize("end", [b"\r\n\r\n", b"aaaa"])
@pytest.mark.parametrize("length", [20, 40])
def test_a_larger_section_is_431(
    small_server: HTTP1Connection, refuse: Refuse, length: int, end: bytes
) -> None:
    error = refuse(small_server, line(length) + b"\r\n" + section(61) + end)
    assert (error.status, error.rule) == (431, "fields-too-large")


def test_of_several_faults_the_first_by_position_counts(
    small_server: HTTP1Connection, refuse: Refuse
) -> None:
    assert (
        refuse(small_server, line(40) + b"\r\nA: b\n" + section(90) + b"\r\n\r\n").rule == "bare-lf"
    )


def test_three_fields_pass_and_four_are_431(
    server: HTTP1Connection, small_server: HTTP1Connection, refuse: Refuse
) -> None:
    head = line(20) + b"\r\n" + HOST + b"A:b\r\nC:d\r\n"
    error = refuse(small_server, head + b"E:f\r\n\r\n")
    assert (error.status, error.rule) == (431, "too-many-fields")
    assert server.receive_data(head + b"\r\n")


def test_by_default_a_hundred_fields_pass(server: HTTP1Connection, refuse: Refuse) -> None:
    head = line(20) + b"\r\n" + HOST + b"A:b\r\n" * 99
    assert server.receive_data(head + b"\r\n")
    server.send_response(1, 200, [], end_stream=True)
    with pytest.raises(RemoteProtocolError, match="too many fields"):
        server.receive_data(head + b"A:b\r\n\r\n")


@pytest.mark.parametrize("default", [8192, 65536])
def test_the_default_sizes(server: HTTP1Connection, refuse: Refuse, default: int) -> None:
    if default == 8192:
        assert refuse(server, line(8193) + b"\r\n\r\n").status == 414
    else:
        assert refuse(server, line(8192) + b"\r\n" + section(65537) + b"\r\n\r\n").status == 431


def test_a_chunk_size_line_of_the_limit_passes(
    small_server: HTTP1Connection, refuse: Refuse
) -> None:
    head = b"PUT / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
    assert small_server.receive_data(head + b"1;aaaaaa\r\nx\r\n0\r\n\r\n")[-1].end_stream  # type: ignore[attr-defined]  # the content's end
    small_server.send_response(1, 200, [], end_stream=True)
    with pytest.raises(RemoteProtocolError, match="without end"):
        small_server.receive_data(head + b"1;aaaaaaa\r\n")


@pytest.mark.parametrize(("size", "passes"), [(60, True), (61, False)])
@pytest.mark.parametrize("end", [b"\r\n\r\n", b"\r\n\r", b"aaaa"])
def test_trailers_have_the_limits_of_headers(
    small_server: HTTP1Connection, refuse: Refuse, size: int, passes: bool, end: bytes
) -> None:
    head = b"PUT / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n"
    trailers = b"A: " + b"b" * (size - 3) + end
    if passes and end != b"aaaa":
        assert small_server.receive_data(head + trailers)
    else:
        error = refuse(small_server, head + trailers + b"\n")
        assert (error.status, error.rule) == (431, "fields-too-large")


def test_too_many_trailers_are_431(small_server: HTTP1Connection, refuse: Refuse) -> None:
    head = b"PUT / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n"
    assert refuse(small_server, head + b"A:b\r\n" * 4 + b"\r\n").rule == "too-many-fields"


def test_empty_lines_are_counted_for_each_request(
    small_server: HTTP1Connection, refuse: Refuse
) -> None:
    request = b"\r\n" + line(20) + b"\r\n" + HOST + b"\r\n"
    for stream_id in (1, 2, 3):
        assert small_server.receive_data(request)
        small_server.send_response(stream_id, 200, [], end_stream=True)
    assert small_server.receive_data(b"\r\n") == []
    with pytest.raises(RemoteProtocolError, match="empty lines"):
        small_server.receive_data(b"\r\n")


def test_content_that_nobody_consumes_stops_the_driver(small_server: HTTP1Connection) -> None:
    small_server.receive_data(b"PUT / HTTP/1.1\r\n" + HOST + b"Content-Length: 200\r\n\r\n")
    small_server.receive_data(bytes(49))
    assert small_server.wants_data
    small_server.receive_data(bytes(1))
    assert not small_server.wants_data
    small_server.receive_data(bytes(10))  # given all the same
    small_server.consume(1, 10)
    assert not small_server.wants_data
    small_server.consume(1, 1)
    assert small_server.wants_data


def test_requests_that_wait_for_their_turn_stop_the_driver(small_server: HTTP1Connection) -> None:
    request = line(20) + b"\r\n" + HOST + b"\r\n"
    small_server.receive_data(request)
    small_server.receive_data(request)
    assert small_server.wants_data
    small_server.receive_data(request)
    assert not small_server.wants_data
    small_server.send_response(1, 200, [], end_stream=True)
    assert small_server.receive_data(b"")
    assert small_server.wants_data


def test_a_head_that_is_still_coming_is_always_wanted(small_server: HTTP1Connection) -> None:
    small_server.receive_data(line(40) + b"\r\n" + section(60))
    assert small_server.wants_data


def test_more_than_was_received_can_not_be_consumed(server: HTTP1Connection) -> None:
    server.receive_data(b"PUT / HTTP/1.1\r\n" + HOST + b"Content-Length: 2\r\n\r\nab")
    for amount in (3, -1):
        with pytest.raises(LocalProtocolError):
            server.consume(1, amount)
    server.consume(2, 99)  # unknown streams are ignored
    server.consume(0, 99)
    server.send_response(1, 200, [], end_stream=True)
    server.consume(1, 2)  # also when the stream is over
    with pytest.raises(LocalProtocolError):
        server.consume(1, 1)


def test_fields_may_be_bound_closer_than_the_start_line(refuse: Refuse) -> None:
    server = HTTP1Connection(Role.SERVER, limits=Limits(start_line_size=100, header_block_size=20))
    assert len(server.receive_data(line(90) + b"\r\nHost: a\r\n\r\n")) == 1
    server = HTTP1Connection(Role.SERVER, limits=Limits(start_line_size=100, header_block_size=20))
    assert refuse(server, line(20) + b"\r\n" + section(30) + b"\r\n\r\n").rule == "fields-too-large"
