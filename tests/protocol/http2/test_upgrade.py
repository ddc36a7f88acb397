"""h2c by the Upgrade of old (RFC 7540 section 3.2), engines of both versions handing over."""

from __future__ import annotations

import base64

import pytest
from tests.protocol.http2.playbook import (
    GET,
    PREFACE,
    SETTINGS_ACK,
    headers,
    hears,
    sent,
    server,
    settings,
)

from h123.protocol.connection import Role
from h123.protocol.errors import LocalProtocolError
from h123.protocol.events import DataReceived, Headers, RequestReceived
from h123.protocol.http1.connection import HTTP1Connection
from h123.protocol.http2.connection import HTTP2Connection
from h123.protocol.http2.upgrade import UPGRADE_ANSWER, upgrade_settings

SETTINGS = base64.urlsafe_b64encode(b"\0\4\0\0\0\x7f\0\2\0\0\0\0").rstrip(b"=")
ASKING: Headers = [
    (b"Host", b"a.example"),
    (b"Connection", b"Upgrade, HTTP2-Settings"),
    (b"Upgrade", b"h2c"),
    (b"HTTP2-Settings", SETTINGS),
    (b"X-Kept", b"yes"),
]


def request(fields: Headers, *, end: bool = True, version: str = "HTTP/1.1") -> RequestReceived:
    return RequestReceived(1, b"GET", b"/x", b"", b"a.example", fields, end, version)


def test_3_2_a_request_goes_on_as_stream_1() -> None:
    first = HTTP1Connection(Role.SERVER)
    wire = b"GET /x HTTP/1.1\r\n" + b"".join([b"%b: %b\r\n" % field for field in ASKING]) + b"\r\n"
    (event,) = first.receive_data(wire + PREFACE + settings() + headers(3, GET, end=True))
    assert isinstance(event, RequestReceived)
    payload = upgrade_settings(event)
    assert payload is not None
    first.send_informational(event.stream_id, 101, UPGRADE_ANSWER)
    rest = b"".join([p.data for p in first.receive_data(b"") if isinstance(p, DataReceived)])
    assert first.data_to_send() == (
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    )
    second = HTTP2Connection(Role.SERVER)
    (upgraded,) = second.begin_upgraded(event, payload)
    assert upgraded == RequestReceived(
        1, b"GET", b"/x", b"http", b"a.example", [(b"x-kept", b"yes")], True, "HTTP/2"
    )
    assert [type(event).__name__ for event in second.receive_data(rest)] == [
        "SettingsChanged",
        "RequestReceived",
    ]  # fmt: skip
    second.send_response(1, 200, [])
    assert second.send_capacity(1) == 127
    second.send_data(1, b"ok", end_stream=True)
    assert [(f.kind, f.stream) for f in sent(second)][-2:] == [("HEADERS", 1), ("DATA", 1)]


def test_3_2_the_answer_may_leave_before_the_clients_preface_comes() -> None:
    engine = HTTP2Connection(Role.SERVER)
    engine.begin_upgraded(request(ASKING), b"")
    engine.send_response(1, 204, [], end_stream=True)
    assert [f.kind for f in sent(engine)] == ["SETTINGS", "WINDOW_UPDATE", "HEADERS"]
    hears(engine, PREFACE, settings(), SETTINGS_ACK)
    assert not engine.is_closed


def changed(name: bytes, value: bytes | None) -> Headers:
    kept = [field for field in ASKING if field[0] != name]
    return kept if value is None else [*kept, (name, value)]


@pytest.mark.parametrize(
    "asking",
    [
        request(changed(b"Upgrade", b"websocket")),
        request(changed(b"Upgrade", None)),
        request(changed(b"Connection", b"Upgrade")),
        request(changed(b"HTTP2-Settings", None)),
        request([*ASKING, (b"HTTP2-Settings", SETTINGS)]),
        request(changed(b"HTTP2-Settings", b"AAQ")),
        request(changed(b"HTTP2-Settings", b"A")),
        request(changed(b"HTTP2-Settings", b"!!!!")),
        request(changed(b"HTTP2-Settings", base64.b64encode(b"\0\4\xff\xff\xff\xff"))),
        request(ASKING, end=False),
        request(ASKING, version="HTTP/1.0"),
    ],
)
def test_3_2_what_is_answered_in_http_1(asking: RequestReceived) -> None:
    assert upgrade_settings(asking) is None


def test_3_2_1_settings_may_be_empty() -> None:
    assert upgrade_settings(request(changed(b"HTTP2-Settings", b""))) == b""


@pytest.mark.parametrize("engine", [HTTP2Connection(Role.CLIENT), server()])
def test_an_upgrade_is_the_first_thing_that_happens(engine: HTTP2Connection) -> None:
    with pytest.raises(LocalProtocolError):
        engine.begin_upgraded(request(ASKING), b"")
