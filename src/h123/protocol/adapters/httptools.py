"""HTTP/1.1 messages read by httptools (llhttp): `registry.find("http/1.1", "httptools")`, the extra `httptools`.

httptools calls back for all that it finds in what it is fed, pipelined messages included. So what it tells is
queued, and taken from there when its turn has come.
"""

from __future__ import annotations

from typing import Any, Final

import httptools

from ..connection import Role
from ..errors import RemoteProtocolError
from ..events import Event, Headers, TrailersReceived
from ..http1.connection import HTTP1Connection
from ..http1.head import judge_trailers, known_fields, request_event
from ..http1.rules import broken
from ..http1.state import BY_CLOSING, RECEIVES_CONTENT, RECEIVES_HEAD, RECEIVES_TO_DROP
from ..limits import DEFAULT_LIMITS, Limits

_HEAD_END: Final = b"\r\n\r\n"


class Head:
    """A start line and its fields."""

    __slots__ = ("headers", "method", "reason", "status", "target", "version")

    def __init__(self) -> None:
        self.method = b""
        self.target = b""
        self.status = 0
        self.reason = b""
        self.version = ""
        self.headers: Headers = []


class MessageEnd:
    """The end of a message, with its trailers."""

    __slots__ = ("trailers",)

    def __init__(self, trailers: Headers) -> None:
        self.trailers = trailers


class Messages:
    """What httptools calls back, put into a row."""

    __slots__ = ("head", "in_head", "overhead", "parser", "queue", "trailers")

    def __init__(self) -> None:
        self.queue: list[Head | bytes | MessageEnd] = []
        self.head = Head()
        self.in_head = False
        self.trailers: Headers = []
        self.overhead = 0
        self.parser: Any = None

    def on_message_begin(self) -> None:
        """Begin a message."""
        self.head = Head()
        self.in_head = True

    def on_url(self, url: bytes) -> None:
        """Take a part of the request-target."""
        self.head.target += url

    def on_status(self, reason: bytes) -> None:
        """Take a part of the reason phrase."""
        self.head.reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field of the head or of the trailer section."""
        fields = self.head.headers if self.in_head else self.trailers
        fields.append((name, value.strip()))

    def on_headers_complete(self) -> None:
        """Queue the head."""
        self.head.version = "HTTP/" + self.parser.get_http_version()
        self.queue.append(self.head)
        self.in_head = False
        self.overhead = 0

    def on_body(self, content: bytes) -> None:
        """Queue content."""
        self.queue.append(content)
        self.overhead = 0

    def on_message_complete(self) -> None:
        """Queue the end of the message."""
        self.queue.append(MessageEnd(self.trailers))
        self.trailers = []
        self.overhead = 0


class RequestMessages(Messages):
    """The same for requests."""

    __slots__ = ()

    def on_headers_complete(self) -> None:
        """Queue the head: now the method is known."""
        self.head.method = self.parser.get_method()
        super().on_headers_complete()


class ResponseMessages(Messages):
    """The same for responses."""

    __slots__ = ()

    def on_headers_complete(self) -> None:
        """Queue the head: now the status is known."""
        self.head.status = self.parser.get_status_code()
        super().on_headers_complete()


class HttptoolsConnection(HTTP1Connection):
    """An HTTP/1.1 connection whose messages httptools reads."""

    __slots__ = ("_fault", "_messages", "_parser")

    def __init__(self, role: Role, *, limits: Limits = DEFAULT_LIMITS) -> None:
        super().__init__(role, limits=limits)
        self._messages: Messages = RequestMessages() if self._is_server else ResponseMessages()
        self._parser: Any = None
        self._fault: RemoteProtocolError | None = None

    def _read(self, data: bytes | bytearray, events: list[Event]) -> int:
        position = 0
        while True:
            receiving = self._receiving
            if receiving is RECEIVES_TO_DROP:
                return len(data)
            reads = receiving is RECEIVES_HEAD or receiving is RECEIVES_CONTENT
            if reads and self._messages.queue:
                self._take(self._messages.queue.pop(0), events)
                continue
            if reads and self._fault is not None:
                raise self._fault
            if not self._is_server and not reads and self._holds_parsed() and self._keep_alive:
                raise broken("response-unasked")
            if position == len(data):
                break
            if receiving is RECEIVES_CONTENT and self._incoming is BY_CLOSING:
                return self._read_content(data, position, events)
            if not reads:
                return position if self._is_server else self._read_unasked(data, position)
            stop = self._parse(data, position)
            if stop == position:
                break
            position = stop
        return position

    def _parse(self, data: bytes | bytearray, position: int) -> int:
        """Let httptools read on, and return where what it leaves begins."""
        end = len(data)
        messages = self._messages
        if self._parser is None:
            kind = httptools.HttpRequestParser if self._is_server else httptools.HttpResponseParser
            self._parser = messages.parser = kind(messages)
        if self._reads_heads_alone():
            head_end = data.find(_HEAD_END, position)
            if head_end < 0:
                if end - position > self._longest():
                    raise broken("fields-too-large")
                return position
            end = head_end + 4
        messages.overhead += end - position
        try:
            self._parser.feed_data(bytes(data[position:end]))
        except httptools.HttpParserUpgrade as upgrade:
            end = position + upgrade.args[0]
            self._parser = None
        except httptools.HttpParserError as error:
            self._fault = RemoteProtocolError(str(error), rule="httptools")
        if messages.overhead > self._longest() and self._fault is None:
            self._fault = broken("fields-too-large")
        return end

    def _longest(self) -> int:
        return self.limits.start_line_size + self.limits.header_block_size

    def _reads_heads_alone(self) -> bool:
        """Say whether httptools can not know if content follows: the answers to HEAD and CONNECT."""
        return (
            self._receiving is RECEIVES_HEAD
            and self._method in (b"HEAD", b"CONNECT")
            and not self._is_server
        )

    def _take(self, entry: Head | bytes | MessageEnd, events: list[Event]) -> None:
        if isinstance(entry, bytes):
            self._tell_data(entry, events, end_stream=False)
        elif isinstance(entry, Head):
            self._take_head(entry, events)
            self._skip_needless_end()
        else:
            if entry.trailers:
                judge_trailers(entry.trailers, self.limits)
                events.append(TrailersReceived(self._reading_id, entry.trailers))
            else:
                self._tell_data(b"", events, end_stream=True)
            self._end_receiving()

    def _skip_needless_end(self) -> None:
        """After a head behind which no content ends: told already, or never to be told."""
        if self._receiving is RECEIVES_CONTENT and self._incoming is not BY_CLOSING:
            return
        queue = self._messages.queue
        if queue and isinstance(queue[0], MessageEnd):
            queue.pop(0)
        else:
            self._parser = None  # it waits for content that does not come, or is none

    def _take_head(self, head: Head, events: list[Event]) -> None:
        known = known_fields(head.version, head.headers, self.limits)
        if self._is_server:
            request = request_event(
                self._stream_id + 1, head.method, head.target, head.version, head.headers, known
            )
            self._start_request(request, known, events)
            if self._offers_upgrade and self._receiving is RECEIVES_CONTENT:
                # httptools takes this content for what follows the upgrade.
                raise RemoteProtocolError("upgrade with content", status=501, rule="httptools")
        elif head.status < 100:
            raise broken("status-line")
        else:
            self._start_response(
                head.version, head.status, head.reason, head.headers, known, events
            )

    def _holds_parsed(self) -> bool:
        """Say whether httptools has begun with, or failed at, what follows the open message."""
        messages = self._messages
        return bool(messages.queue) or messages.in_head or self._fault is not None

    def _holds_more(self) -> bool:
        return bool(self._waiting) or self._holds_parsed()
