"""What can go wrong in an engine, and the error codes that every version shares.

RFC 9113 section 7 (HTTP/2), RFC 9114 section 8.1 (HTTP/3). HTTP/1.1 has no codes; it has status codes
(RFC 9110 section 15) and the end of the connection.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .events import Event


class ErrorCode(enum.IntEnum):
    """Why a stream or a connection ends, in HTTP/2's numbers (RFC 9113 section 7).

    Methods of the contract take one of these whatever the version; an engine turns it into its own
    version's number. Other integers go on the wire as they are.
    """

    NO_ERROR = 0x0
    PROTOCOL_ERROR = 0x1
    INTERNAL_ERROR = 0x2
    FLOW_CONTROL_ERROR = 0x3
    SETTINGS_TIMEOUT = 0x4
    STREAM_CLOSED = 0x5
    FRAME_SIZE_ERROR = 0x6
    REFUSED_STREAM = 0x7
    CANCEL = 0x8
    COMPRESSION_ERROR = 0x9
    CONNECT_ERROR = 0xA
    ENHANCE_YOUR_CALM = 0xB
    INADEQUATE_SECURITY = 0xC
    HTTP_1_1_REQUIRED = 0xD


class ProtocolError(Exception):
    """Base of the two ways in which the protocol can be broken."""


class LocalProtocolError(ProtocolError):
    """We misused the engine. Nothing was sent and the engine's state is as it was before the call."""


class RemoteProtocolError(ProtocolError):
    """The peer broke a rule, and the connection can not go on.

    A fault that ends a single stream is not raised: the engine resets that stream, says so with a
    `StreamReset` event, and the connection goes on.

    What the peer should be told is in the engine already (`data_to_send`), but for an HTTP/1.1 server:
    there the driver may answer with `send_response(error.stream_id, error.status, ...)`.

    Attributes:
        status: the HTTP status code to answer with, where an answer is possible (a server's engine).
        error_code: the version's own error code (an `ErrorCode` for HTTP/2, RFC 9114's for HTTP/3).
        stream_id: the stream that the fault was found on, if it was on one.
        rule: a short stable name of the broken rule, to count refusals by (`"chunk-size-too-long"`).
        events: what came whole before the fault in the same batch. Handle these first.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        error_code: int = ErrorCode.PROTOCOL_ERROR,
        stream_id: int | None = None,
        rule: str = "",
        events: list[Event] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.error_code = error_code
        self.stream_id = stream_id
        self.rule = rule
        self.events: list[Event] = [] if events is None else events
