"""What h11's events check when they are made, how they compare, and where ours is stricter on purpose."""

from __future__ import annotations

from typing import Any

import pytest

import h123.compat.h11 as h11
from h123.compat.h11._connection import DEFAULT_MAX_INCOMPLETE_EVENT_SIZE
from h123.compat.h11._headers import Headers

HOST = [("Host", "a")]


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("Request", {"method": "G T", "target": "/", "headers": HOST}),
        ("Request", {"method": "GET", "target": "/ x", "headers": HOST}),
        ("Request", {"method": "GET", "target": "/", "headers": []}),
        ("Request", {"method": "GET", "target": "/", "headers": HOST * 2}),
        ("Request", {"method": "GET", "target": "/", "headers": [*HOST, ("a b", "c")]}),
        ("Request", {"method": "GET", "target": "/", "headers": [*HOST, ("a", "b\r\nc")]}),
        ("Request", {"method": "GET", "target": "/", "headers": [*HOST, ("Content-Length", "x")]}),
        ("Request", {"method": "GET", "target": "/", "headers": [*HOST, ("Transfer-Encoding", "x")]}),
        ("Response", {"status_code": 100, "headers": []}),
        ("Response", {"status_code": 1000, "headers": []}),
        ("Response", {"status_code": "200", "headers": []}),
        ("Response", {"status_code": 200, "headers": [], "reason": b"a\r\nb"}),
        ("InformationalResponse", {"status_code": 200, "headers": []}),
        ("EndOfMessage", {"headers": [("a b", "c")]}),
    ],
)  # fmt: skip
def test_what_can_not_be_sent_can_not_be_made(kind: str, fields: dict[str, Any]) -> None:
    with pytest.raises(h11.LocalProtocolError):
        getattr(h11, kind)(**fields)


def test_events_compare_and_show_their_fields() -> None:
    first = h11.Request(method="GET", target="/", headers=HOST)
    assert first == h11.Request(method=b"GET", target=b"/", headers=first.headers)
    assert first != h11.Request(method="PUT", target="/", headers=HOST)
    assert first != h11.Data(b"")
    assert repr(h11.Data(b"x")) == "Data(data=b'x', chunk_start=False, chunk_end=False)"
    assert h11.Response(status_code=200, headers=[]) == h11.Response(status_code=200, headers=[])
    assert "status_code=200" in repr(h11.Response(status_code=200, headers=[]))
    assert isinstance(first, h11.Event)


def test_headers_are_lower_case_to_look_at_and_raw_beside() -> None:
    headers = h11.Request(method="GET", target="/", headers=[("Host", "a"), ("X-Y", "z")]).headers
    assert isinstance(headers, Headers)
    assert list(headers) == [(b"host", b"a"), (b"x-y", b"z")]
    assert (headers[1], headers[:1], len(headers)) == ((b"x-y", b"z"), [(b"host", b"a")], 2)
    assert headers.raw_items() == [(b"Host", b"a"), (b"X-Y", b"z")]
    assert headers == [(b"host", b"a"), (b"x-y", b"z")]
    assert headers != 3
    assert repr(headers) == "<Headers([(b'host', b'a'), (b'x-y', b'z')])>"


def test_errors_have_a_status_to_answer_with() -> None:
    assert h11.RemoteProtocolError("x", 431).error_status_hint == 431
    with pytest.raises(TypeError, match="raise"):
        h11.ProtocolError("x")


def test_roles_are_two() -> None:
    with pytest.raises(ValueError, match="CLIENT or SERVER"):
        h11.Connection(h11.DONE)
    assert h11.PRODUCT_ID.endswith(h11.__version__)
    assert DEFAULT_MAX_INCOMPLETE_EVENT_SIZE == 16384


def server(wire: bytes, **options: int) -> h11.Connection:
    connection = h11.Connection(h11.SERVER, **options)
    connection.receive_data(wire)
    return connection


@pytest.mark.parametrize("framing", [[], [("Content-Length", "3")]])
def test_content_is_passed_through_in_its_place(framing: list[tuple[str, str]]) -> None:
    class File:
        def __len__(self) -> int:
            return 3

    class Nothing(File):
        def __len__(self) -> int:
            return 0

    connection = server(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    connection.next_event()
    connection.send(h11.Response(status_code=200, headers=framing))
    file = File()
    assert connection.send_with_data_passthrough(h11.Data(data=Nothing())) == []
    parts = connection.send_with_data_passthrough(h11.Data(data=file))
    assert parts == ([file] if framing else [b"3\r\n", file, b"\r\n"])
    assert connection.send(h11.EndOfMessage()) == (b"" if framing else b"0\r\n\r\n")


def test_data_after_the_end_is_a_mistake() -> None:
    connection = server(b"")
    with pytest.raises(RuntimeError, match="after its end"):
        connection.receive_data(b"x")


def test_an_old_version_can_not_be_sent() -> None:
    connection = h11.Connection(h11.CLIENT)
    with pytest.raises(h11.LocalProtocolError, match=r"HTTP/1\.1"):
        connection.send(h11.Request(method="GET", target="/", headers=HOST, http_version="1.0"))


@pytest.mark.parametrize(
    ("wire", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n", 400),
        (b"GET / HTTP/1.1\nHost: a\n\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: \x01\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\n", 400),
        (b"GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        (b"GET / HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n", 417),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"A: b\r\n" * 100 + b"\r\n", 431),
        (b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
    ],
)
def test_stricter_on_purpose(wire: bytes, status: int) -> None:
    connection = server(wire)
    with pytest.raises(h11.RemoteProtocolError) as caught:
        connection.next_event()
    assert caught.value.error_status_hint == status
    with pytest.raises(h11.RemoteProtocolError):
        connection.next_event()
    answer = connection.send(h11.Response(status_code=status, headers=[("Content-Length", "0")]))
    assert answer is not None
    assert b"Connection: close" in answer


def test_bytes_behind_a_response_spoil_the_connection() -> None:
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method="GET", target="/", headers=HOST))
    connection.send(h11.EndOfMessage())
    connection.receive_data(b"HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\n\r\n")
    assert isinstance(connection.next_event(), h11.Response)
    assert isinstance(connection.next_event(), h11.EndOfMessage)
    with pytest.raises(h11.RemoteProtocolError, match="no request"):
        connection.next_event()


def test_data_where_the_peer_can_only_close() -> None:
    connection = server(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nx")
    connection.next_event()
    connection.next_event()
    with pytest.raises(h11.RemoteProtocolError, match="only close"):
        connection.next_event()
