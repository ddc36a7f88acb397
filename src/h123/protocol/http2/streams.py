"""Streams: what an engine remembers of one, while it is open and after (RFC 9113 section 5.1)."""

from __future__ import annotations

from typing import Final

UNKNOWN_LENGTH: Final = -1
"""No Content-Length says how much content comes."""

# How a stream ended, where it was not reset by us.
ENDED: Final = -1
RESET_BY_PEER: Final = -2
FORGOTTEN: Final = -3

_REMEMBERED: Final = 256


class StreamFault(Exception):
    """The peer broke a rule on one stream: the stream is reset and the connection goes on."""

    def __init__(self, stream_id: int, error_code: int, message: str, rule: str) -> None:
        super().__init__(message)
        self.stream_id = stream_id
        self.error_code = error_code
        self.rule = rule


class Stream:
    """An open stream, half-closed or not.

    Attributes:
        send_offset: the window for what we send, less the peer's SETTINGS_INITIAL_WINDOW_SIZE: so a change
            of the setting touches no stream.
        receive_window: bytes that the peer may still send.
        window: what `receive_window` is when all was consumed and granted again.
        credit: bytes consumed that were not yet granted again.
        unread: bytes told to the user that were not yet consumed.
        receive_left, send_left: content still to come by Content-Length, or `UNKNOWN_LENGTH`.
        dropping: what still comes is dropped (`stop_receiving`).
        is_head, is_connect: the request's method.
        is_tunnel: DATA alone may come (CONNECT, RFC 9113 section 8.5).
        informational: 1xx responses received.
        priority: the Priority field's value.
        is_over: no longer among the open streams.
    """

    __slots__ = (
        "id", "send_offset", "receive_window", "window", "credit", "unread", "receive_left", "send_left",
        "head_received", "receive_ended", "head_sent", "send_ended", "dropping", "is_head",
        "is_connect", "is_tunnel", "is_over", "informational",
        "priority",
    )  # fmt: skip

    def __init__(self, stream_id: int, receive_window: int, method: bytes) -> None:
        self.id = stream_id
        self.send_offset = 0
        self.receive_window = self.window = receive_window
        self.credit = 0
        self.unread = 0
        self.receive_left = UNKNOWN_LENGTH
        self.send_left = UNKNOWN_LENGTH
        self.head_received = False
        self.receive_ended = False
        self.head_sent = False
        self.send_ended = False
        self.dropping = False
        self.is_head = method == b"HEAD"
        self.is_connect = method == b"CONNECT"
        self.is_tunnel = False
        self.is_over = False
        self.informational = 0
        self.priority = b""


class ClosedStreams:
    """How the streams that closed last ended, in bounded memory.

    A number of zero or more says that we reset the stream, and is what the peer might still send in
    ignorance of that: its window. Two generations make forgetting cheap.
    """

    __slots__ = ("_newer", "_older")

    def __init__(self) -> None:
        self._newer: dict[int, int] = {}
        self._older: dict[int, int] = {}

    def remember(self, stream_id: int, how: int) -> None:
        """Note how a stream ended."""
        self._newer[stream_id] = how
        if len(self._newer) >= _REMEMBERED:
            self._older = self._newer
            self._newer = {}

    def recall(self, stream_id: int) -> int:
        """Return how a stream ended, or `FORGOTTEN`."""
        how = self._newer.get(stream_id)
        return self._older.get(stream_id, FORGOTTEN) if how is None else how
