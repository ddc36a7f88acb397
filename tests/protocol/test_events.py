"""Events are equal, shown and matched by all their fields, compiled or not."""

from __future__ import annotations

import pytest

from h123.protocol import events
from h123.protocol.events import DataReceived, Event, StreamReset, TrailersReceived
from h123.protocol.quic import connection as quic

CLASSES = [
    value
    for module in (events, quic)
    for value in vars(module).values()
    if isinstance(value, type) and issubclass(value, Event)
]


@pytest.mark.parametrize("event", CLASSES)
def test_every_field_counts(event: type[Event]) -> None:
    fields = event.__match_args__
    first = event(*range(len(fields)))
    assert first == event(*range(len(fields)))
    for place, name in enumerate(fields):
        assert getattr(first, name) == place
        other = event(*range(len(fields)))
        setattr(other, name, -1)
        assert first != other
    shown = ", ".join(f"{name}={place}" for place, name in enumerate(fields))
    assert repr(first) == f"{event.__name__}({shown})"


def test_events_match_by_position() -> None:
    match DataReceived(3, b"abc", True):
        case DataReceived(stream_id, data, True):
            assert (stream_id, data) == (3, b"abc")
        case _:
            pytest.fail("not matched")


def test_classes_differ() -> None:
    assert TrailersReceived(1, []) != DataReceived(1, b"", True)
    assert StreamReset(1, 8) == StreamReset(1, 8, remote=True, unprocessed=False)
