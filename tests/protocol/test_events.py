"""Events are equal, shown and matched by all their fields, compiled or not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from h123.protocol import events
from h123.protocol.events import DataReceived, Event, StreamReset, TrailersReceived
from h123.protocol.quic import connection as quic

HEADERS = [(b"a", b"b")]
EXAMPLES = [
    events.RequestReceived(1, b"GET", b"/", b"https", b"a", HEADERS, True, "HTTP/2", b"x"),
    events.InformationalReceived(1, 103, HEADERS),
    events.ResponseReceived(1, 200, HEADERS, True, "HTTP/1.1", b"OK"),
    events.DataReceived(1, b"x", False),
    events.TrailersReceived(1, HEADERS),
    events.StreamReset(1, 8, True, False, "why", "rule"),
    events.StopSending(1, 0),
    events.CapacityChanged(1),
    events.PingAcknowledged(b"12345678"),
    events.SettingsChanged({1: 2}),
    events.HandshakeCompleted("h3"),
    events.GoAwayReceived(1, 0, b"x"),
    events.DatagramReceived(1, b"x"),
    events.ConnectionClosed(0, "why"),
]
CHANGED: dict[type, Callable[[Any], Any]] = {
    int: lambda value: value + 1,
    bool: lambda value: not value,
    bytes: lambda value: value + b"x",
    str: lambda value: value + "x",
    list: lambda value: [*value, (b"c", b"d")],
    dict: lambda value: {**value, 9: 9},
}


@pytest.mark.parametrize("event", EXAMPLES, ids=lambda event: type(event).__name__)
def test_every_field_counts(event: Event) -> None:
    fields = event.__match_args__
    values = [getattr(event, name) for name in fields]
    make: Any = type(event)
    assert event == make(*values)
    for name, value in zip(fields, values, strict=True):
        other = make(*values)
        setattr(other, name, CHANGED[type(value)](value))
        assert event != other
    shown = ", ".join(f"{name}={value!r}" for name, value in zip(fields, values, strict=True))
    assert repr(event) == f"{make.__name__}({shown})"


@pytest.mark.skipif(not events.__file__.endswith(".py"), reason="compiled classes have no slots")
@pytest.mark.parametrize(
    "event",
    [
        value
        for module in (events, quic)
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Event)
    ],
)
def test_an_event_names_all_its_fields(event: type[Event]) -> None:
    assert tuple(event.__slots__) == event.__match_args__


def test_events_match_by_position() -> None:
    match DataReceived(3, b"abc", True):
        case DataReceived(stream_id, data, True):
            assert (stream_id, data) == (3, b"abc")
        case _:
            pytest.fail("not matched")


def test_classes_differ() -> None:
    assert TrailersReceived(1, []) != DataReceived(1, b"", True)
    assert StreamReset(1, 8) == StreamReset(1, 8, remote=True, unprocessed=False)
