"""Connections that begin in HTTP/1.1 and go on in HTTP/2: h2c by Upgrade (RFC 7540 section 3.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..protocol.connection import Role
from ..protocol.errors import ProtocolError
from ..protocol.events import DataReceived, RequestReceived
from ..protocol.http1.connection import HTTP1Connection
from ..protocol.http2.connection import HTTP2Connection
from ..protocol.http2.upgrade import UPGRADE_ANSWER, upgrade_settings

if TYPE_CHECKING:
    from ..protocol.events import Event
    from ..protocol.limits import Limits


class Upgraded:
    """An HTTP/2 engine that begins with a request of HTTP/1.1.

    Attributes:
        answer: what is to be sent before anything of the engine's: the 101.
        events: the request, as the engine's first stream.
        rest: what came behind the request: the client's preface, or its beginning.
    """

    __slots__ = ("answer", "engine", "events", "rest")

    def __init__(
        self, engine: HTTP2Connection, events: list[Event], answer: bytes, rest: bytes
    ) -> None:
        self.engine = engine
        self.events = events
        self.answer = answer
        self.rest = rest


def upgrade(data: bytes, limits: Limits) -> Upgraded | None:
    """Return how a connection goes on whose first bytes ask for h2c, or None if they do not, or in vain."""
    if b"h2c" not in data.lower():
        return None
    first = HTTP1Connection(Role.SERVER, limits=limits)
    try:
        events = first.receive_data(data)
        request = events[0] if events else None
        if not isinstance(request, RequestReceived):
            return None
        settings = upgrade_settings(request)
        if settings is None:
            return None
        first.send_informational(request.stream_id, 101, UPGRADE_ANSWER)
        rest = [event.data for event in first.receive_data(b"") if isinstance(event, DataReceived)]
        engine = HTTP2Connection(Role.SERVER, limits=limits)
        begun = engine.begin_upgraded(request, settings)
    except ProtocolError:
        return None  # the connection's own engine will find the same, and say so
    return Upgraded(engine, begun, first.data_to_send(), b"".join(rest))
