"""One request and its response on a channel: what both the client and the server hold in their hands.

An exchange collects what the engine tells about its stream until somebody takes it, gives credit back as
that happens, and lets data out as fast as the stream and the network take it. Deadlines are absolute, in
the backend's time; None waits for ever, so the callers above always have one.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from ..message.exceptions import HTTPError, ReadTimeout, WriteTimeout
from ..protocol.errors import ErrorCode

if TYPE_CHECKING:
    from ..network.backend import Waiter
    from ..protocol.events import (
        Headers,
        InformationalReceived,
        RequestReceived,
        ResponseReceived,
    )
    from .channel import Channel

SEND_AT_ONCE = 262144
"""Bytes given to the engine in one call at most: what is queued for the network stays bounded."""


class Exchange:
    """One stream of a channel.

    Attributes that the channel fills in, to be read freely:
        request: the request's head, on a server.
        response: the final response's head, on a client, once it has come.
        informational: the 1xx responses so far.
        trailers: the peer's trailer section, once its content has ended.
        error: what broke the stream, if something did.
        unprocessed: the peer has surely not acted on the request; it may be sent again.
        send_stopped: the peer wants no more of our content.
        unsent: bytes that the last `send_some` could not send.
    """

    __slots__ = (
        "channel", "stream_id", "request", "response", "informational", "trailers", "error",
        "unprocessed", "send_stopped", "send_ended", "receive_ended", "chunks", "unread", "waiters",
        "unsent", "over",
    )  # fmt: skip

    def __init__(self, channel: Channel, stream_id: int) -> None:
        self.channel = channel
        self.stream_id = stream_id
        self.request: RequestReceived | None = None
        self.response: ResponseReceived | None = None
        self.informational: list[InformationalReceived] = []
        self.trailers: Headers = []
        self.error: HTTPError | None = None
        self.unprocessed = False
        self.send_stopped = False
        self.send_ended = False
        self.receive_ended = False
        self.chunks: deque[bytes] = deque()
        self.unread = 0
        self.unsent = 0
        self.waiters: list[Waiter] = []
        self.over = False

    def __repr__(self) -> str:
        state = "over" if self.over else "open"
        return f"<Exchange {self.stream_id} of {self.channel!r}, {state}, {self.unread} unread>"

    def wake(self) -> None:
        """Let those who wait on this exchange look again."""
        for waiter in self.waiters:
            waiter.set()

    # ---------------------------------------------------------------- what can be waited for

    def has_response(self) -> bool:
        """Whether the final response's head, or an error, is there."""
        return self.response is not None or self.error is not None

    def has_input(self) -> bool:
        """Whether content, its end or an error can be taken."""
        return bool(self.chunks) or self.receive_ended or self.error is not None

    def can_send(self) -> bool:
        """Whether `send_some` would get on with data, if only by saying that it is of no use."""
        return self.can_end() and (
            self.error is not None
            or self.send_stopped
            or self.channel.engine.send_capacity(self.stream_id, self.unsent) > 0
        )

    def can_end(self) -> bool:
        """Whether `send_some` would get on with no more than the stream's end."""
        return self.error is not None or self.send_stopped or self.channel.has_room()

    def has_input_or_can_send(self) -> bool:
        """Whether either direction would get on."""
        return self.has_input() or self.can_send()

    def has_response_or_can_send(self) -> bool:
        """Whether the response has begun or more can be sent: what an upload waits for."""
        return self.has_response() or self.can_send()

    # -------------------------------------------------------------------------- receiving

    async def receive_response(self, deadline: float | None) -> ResponseReceived:
        """Wait for the final response's head (client).

        Raises `ReadTimeout`, or what broke the stream.
        """
        if self.response is None:
            if not await self.channel.wait(self, self.has_response, deadline):
                raise ReadTimeout(f"no response from {self.channel.peer} in time")
            if self.response is None:
                raise self.failure()
        return self.response

    async def receive_data(self, deadline: float | None) -> bytes:
        """Return the next part of the content, `b""` after the last, when `trailers` are known too.

        What came before an error is given first, then the error is raised.
        """
        if not self.chunks and not await self.channel.wait(self, self.has_input, deadline):
            raise ReadTimeout(f"no data from {self.channel.peer} in time")
        return self.take()

    def take(self) -> bytes:
        """Return what has come (everything in one piece if it is small), and give the credit back."""
        channel = self.channel
        with channel.lock:
            chunks = self.chunks
            if not chunks:
                if self.error is not None and not self.receive_ended:
                    raise self.failure()
                return b""
            if len(chunks) == 1:
                data = chunks.popleft()
            elif self.unread <= 65536:
                data = b"".join(chunks)
                chunks.clear()
            else:
                data = chunks.popleft()
            self.unread -= len(data)
            channel.give_credit(self, len(data))
        return data

    def stop_receiving(self) -> None:
        """Read no more of the peer's content; what was not taken is dropped."""
        channel = self.channel
        with channel.lock:
            if not self.over and not self.receive_ended:
                channel.engine.stop_receiving(self.stream_id)
                self.receive_ended = True
            self.drop_unread()
            channel.flush()
            channel.settle(self)

    def drop_unread(self) -> None:
        """Forget what was received and not taken, and give its credit back. The lock is held."""
        if self.unread:
            self.chunks.clear()
            amount, self.unread = self.unread, 0
            self.channel.give_credit(self, amount)

    # ---------------------------------------------------------------------------- sending

    def send_some(self, data: bytes, offset: int = 0, *, end_stream: bool = False) -> int:
        """Send of `data[offset:]` what can leave now, without waiting, and return the new offset.

        The end of the stream goes with the last byte: `send_ended` tells. When the peer wants no more,
        everything counts as sent. Raises what broke the stream.
        """
        channel = self.channel
        with channel.lock:
            if self.send_stopped:
                return len(data)
            if self.error is not None:
                raise self.failure()
            left = self.unsent = len(data) - offset
            if not channel.has_room():
                return offset
            room = 0
            if left:
                room = min(channel.engine.send_capacity(self.stream_id, left), SEND_AT_ONCE)
            last = room >= left
            if last or room > 0:
                piece = data[offset : offset + room] if offset or not last else data
                end = end_stream and last
                channel.call_engine(channel.engine.send_data, self.stream_id, piece, end_stream=end)
                offset += len(piece)
                self.unsent = left - len(piece)
                if end:
                    self.send_ended = True
                    channel.settle(self)
                channel.flush()
        return offset

    async def send_data(
        self, data: bytes, timeout: float | None, *, end_stream: bool = False
    ) -> bool:
        """Send all of `data`, waiting for room; return False when the peer wants no more of it.

        Raises `WriteTimeout` after `timeout` seconds in which the peer took nothing, or what broke the
        stream.
        """
        now = self.channel.backend.now
        offset = 0
        while True:
            offset = self.send_some(data, offset, end_stream=end_stream)
            if self.send_stopped:
                return False
            if offset < len(data):
                ready = self.can_send
            elif end_stream and not self.send_ended:
                ready = self.can_end
            else:
                return True
            deadline = None if timeout is None else now() + timeout
            if not await self.channel.wait(self, ready, deadline, to_send=True):
                raise WriteTimeout(f"{self.channel.peer} took no data in time")

    async def wait_for_room(self, timeout: float | None) -> None:
        """Wait until data can leave, or is of no use any more: before content is read that would be held.

        Raises `WriteTimeout` after `timeout` seconds in which the peer took nothing.
        """
        while not self.can_send():
            deadline = None if timeout is None else self.channel.backend.now() + timeout
            if not await self.channel.wait(self, self.can_send, deadline, to_send=True):
                raise WriteTimeout(f"{self.channel.peer} took no data in time")

    def send_trailers(self, headers: Headers) -> None:
        """Send the trailer section, which ends the stream. Without effect if the peer wants no more."""
        channel = self.channel
        with channel.lock:
            if self.error is not None:
                raise self.failure()
            if not self.send_stopped:
                channel.call_engine(channel.engine.send_trailers, self.stream_id, headers)
            self.send_ended = True
            channel.settle(self)
            channel.flush()

    def send_informational(self, status: int, headers: Headers) -> None:
        """Send a 1xx response (server)."""
        channel = self.channel
        with channel.lock:
            if self.error is not None:
                raise self.failure()
            channel.call_engine(channel.engine.send_informational, self.stream_id, status, headers)
            channel.flush()

    def send_response(self, status: int, headers: Headers, *, end_stream: bool = False) -> None:
        """Send the final response's head (server). It leaves with the data that follows, if any does."""
        channel = self.channel
        with channel.lock:
            if self.error is not None:
                raise self.failure()
            channel.call_engine(
                channel.engine.send_response, self.stream_id, status, headers, end_stream=end_stream
            )
            if end_stream:
                self.send_ended = True
                channel.settle(self)
                channel.flush()

    def stop_sending(self) -> None:
        """Send no more content; the exchange is to be aborted once the response has come."""
        if not self.send_ended:
            self.send_stopped = True

    # ------------------------------------------------------------------------------ ending

    def abort(self, error_code: int = ErrorCode.CANCEL) -> None:
        """Be done with the exchange now, whatever its state: never waits, never raises.

        One that is complete is merely forgotten; otherwise the stream is reset (an HTTP/1.1 connection
        closes). What was received and not taken is credited back, so that siblings do not starve.
        """
        if self.over and not self.unread:
            return
        channel = self.channel
        with channel.lock:
            if not self.over:
                channel.reset(self, error_code)
            self.drop_unread()
            channel.flush()

    def failure(self) -> HTTPError:
        """Return a new exception for what broke the stream (a shared one would mix up tracebacks)."""
        error = self.error
        assert error is not None
        fresh = type(error)(str(error))
        fresh.__cause__ = error.__cause__
        return fresh
