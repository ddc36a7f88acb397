"""h11's face: the public names of h11 0.16 on our HTTP/1.1 engine.

    import sys, h123.compat.h11
    sys.modules["h11"] = h123.compat.h11

A program that uses h11 then runs on our engine, unchanged. docs/compat-h11.md says where it is stricter.
"""

from h123.compat.h11.connection import NEED_DATA, PAUSED, Connection
from h123.compat.h11.errors import LocalProtocolError, ProtocolError, RemoteProtocolError
from h123.compat.h11.events import (
    ConnectionClosed,
    Data,
    EndOfMessage,
    Event,
    InformationalResponse,
    Request,
    Response,
)
from h123.compat.h11.states import (
    CLIENT,
    CLOSED,
    DONE,
    ERROR,
    IDLE,
    MIGHT_SWITCH_PROTOCOL,
    MUST_CLOSE,
    SEND_BODY,
    SEND_RESPONSE,
    SERVER,
    SWITCHED_PROTOCOL,
)

__version__ = "0.16.0"
"""The version of h11 whose face this is."""
PRODUCT_ID = "h123-as-h11/" + __version__

__all__ = [
    "CLIENT",
    "CLOSED",
    "DONE",
    "ERROR",
    "IDLE",
    "MIGHT_SWITCH_PROTOCOL",
    "MUST_CLOSE",
    "NEED_DATA",
    "PAUSED",
    "PRODUCT_ID",
    "SEND_BODY",
    "SEND_RESPONSE",
    "SERVER",
    "SWITCHED_PROTOCOL",
    "Connection",
    "ConnectionClosed",
    "Data",
    "EndOfMessage",
    "Event",
    "InformationalResponse",
    "LocalProtocolError",
    "ProtocolError",
    "RemoteProtocolError",
    "Request",
    "Response",
    "__version__",
]
