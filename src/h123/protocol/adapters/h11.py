"""HTTP/1.1 messages read by h11: `registry.find("http/1.1", "h11")`, the extra `h11`.

h11 reads one message at a time and says what came behind it, so each message has an h11 connection of its
own. A client's is told of a request with the same method: that is what h11 reads the response by.
"""

from __future__ import annotations

from typing import Any, Final

import h11

from ..connection import Role
from ..errors import RemoteProtocolError
from ..events import Event, Headers, TrailersReceived
from ..http1.connection import HTTP1Connection
from ..http1.head import judge_trailers, known_fields, request_event
from ..http1.state import BY_CLOSING, RECEIVES_CONTENT, RECEIVES_HEAD, RECEIVES_TO_DROP
from ..limits import DEFAULT_LIMITS, Limits

_HOST: Final = (b"Host", b"a")
_UPGRADE: Final = [_HOST, (b"Connection", b"upgrade"), (b"Upgrade", b"any")]


class H11Connection(HTTP1Connection):
    """An HTTP/1.1 connection whose messages h11 reads."""

    __slots__ = ("_parser",)

    def __init__(self, role: Role, *, limits: Limits = DEFAULT_LIMITS) -> None:
        super().__init__(role, limits=limits)
        self._parser: Any = None

    def _read(self, data: bytes | bytearray, events: list[Event]) -> int:
        position = 0
        while position < len(data):
            receiving = self._receiving
            if receiving is RECEIVES_TO_DROP:
                return len(data)
            if receiving is RECEIVES_CONTENT and self._incoming is BY_CLOSING:
                return self._read_content(data, position, events)
            if receiving is not RECEIVES_HEAD and receiving is not RECEIVES_CONTENT:
                return position if self._is_server else self._read_unasked(data, position)
            position = self._parse(data, position, events)
        return position

    def _parse(self, data: bytes | bytearray, position: int, events: list[Event]) -> int:
        """Let h11 read on, and return where what it leaves begins."""
        if self._parser is None:
            self._parser = self._new_parser()
        parser = self._parser
        try:
            parser.receive_data(bytes(data[position:]))
            while self._parser is not None:
                event = parser.next_event()
                if event is h11.NEED_DATA:
                    return len(data)
                self._take(event, events)
        except h11.RemoteProtocolError as error:
            raise RemoteProtocolError(
                str(error), status=error.error_status_hint, rule="h11"
            ) from error
        return len(data) - len(parser.trailing_data[0])

    def _new_parser(self) -> Any:
        limits = self.limits
        role = h11.SERVER if self._is_server else h11.CLIENT
        size = limits.start_line_size + limits.header_block_size
        parser = h11.Connection(role, max_incomplete_event_size=size)
        if not self._is_server:
            headers = _UPGRADE if self._offers_upgrade else [_HOST]
            parser.send(h11.Request(method=self._method, target=b"/", headers=headers))
            parser.send(h11.EndOfMessage())
        return parser

    def _take(self, event: Any, events: list[Event]) -> None:
        """Take what h11 has read. No parser is left when the message, or h11's part in it, is over."""
        kind = type(event)
        if kind is h11.Data:
            self._tell_data(bytes(event.data), events, end_stream=False)
        elif kind is h11.EndOfMessage:
            self._parser = None
            trailers = event.headers.raw_items()
            if trailers:
                judge_trailers(trailers, self.limits)
                events.append(TrailersReceived(self._reading_id, trailers))
            else:
                self._tell_data(b"", events, end_stream=True)
            self._end_receiving()
        else:
            self._take_head(event, events)
            if self._receiving is RECEIVES_CONTENT:
                if self._incoming is BY_CLOSING:  # nothing is left to parse
                    self._parser = None
            elif self._receiving is not RECEIVES_HEAD or kind is not h11.InformationalResponse:
                self._parser = None

    def _take_head(self, event: Any, events: list[Event]) -> None:
        headers: Headers = event.headers.raw_items()
        version = "HTTP/" + event.http_version.decode("ascii")
        known = known_fields(version, headers, self.limits)
        if self._is_server:
            request = request_event(
                self._stream_id + 1, event.method, event.target, version, headers, known
            )
            self._start_request(request, known, events)
        else:
            reason = bytes(event.reason)
            self._start_response(version, event.status_code, reason, headers, known, events)

    def _holds_more(self) -> bool:
        return bool(self._waiting) or (
            self._parser is not None and bool(self._parser.trailing_data[0])
        )
