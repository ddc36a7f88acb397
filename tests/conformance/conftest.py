"""Every registered HTTP/1.1 engine, and what they are compared by."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest

from h123.protocol import registry
from h123.protocol.connection import ByteStreamConnection, Role
from h123.protocol.events import DataReceived, Event
from h123.protocol.limits import DEFAULT_LIMITS, Limits

HTTP1_ENGINES = ("h123", "h123-strict", "h11", "httptools")

Make = Callable[..., ByteStreamConnection]


@pytest.fixture(params=HTTP1_ENGINES, scope="session")
def http1(request: pytest.FixtureRequest) -> Make:
    """Make a connection of each HTTP/1.1 engine in turn."""
    try:
        factory = registry.find("http/1.1", request.param)
    except ImportError as error:
        pytest.skip(f"{error.name} is not installed")

    def make(role: Role, limits: Limits = DEFAULT_LIMITS) -> ByteStreamConnection:
        return factory(role, limits=limits)

    return make


@pytest.fixture(scope="session")
def whole() -> Callable[[Iterable[Event]], list[Event]]:
    """Make events independent of how content was cut: one DataReceived a stream, its end on it or before."""

    def merge(events: Iterable[Event]) -> list[Event]:
        merged: list[Event] = []
        for event in events:
            last = merged[-1] if merged else None
            if isinstance(event, DataReceived):
                if isinstance(last, DataReceived):
                    data, ended = last.data + event.data, event.end_stream
                    merged[-1] = DataReceived(event.stream_id, data, ended)
                    continue
                if not event.data and not event.end_stream:
                    continue
            merged.append(event)
        return merged

    return merge
