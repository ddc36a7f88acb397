"""Sending a request's content while looking out for the response.

A server may answer before it has read everything (RFC 9110 section 7.5, RFC 9112 section 9.3): an error ends
the sending, a success lets it go on while the response is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..message.body import AsyncByteStream, ByteStream, SyncByteStream
from ..message.exceptions import (
    HTTPError,
    LocalProtocolError,
    ReadTimeout,
    TransportError,
    WriteTimeout,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from ..channel.exchange import Exchange
    from ..message import Request
    from ..network.backend import TaskHandle
    from .clock import Clock

LOOK_EVERY = 262144
"""Bytes sent in a row before looking whether the response has begun."""


class Upload:
    """The content of one request on its way out."""

    def __init__(self, exchange: Exchange, request: Request, clock: Clock) -> None:
        stream: SyncByteStream | AsyncByteStream = request.stream
        self.exchange = exchange
        self.request = request
        self.stream = stream
        self.clock = clock
        self.is_done = False
        self._sync: Iterator[bytes] | None = None
        self._async: AsyncIterator[bytes] | None = None
        self._piece = b""
        self._offset = 0
        self._unlooked = 0
        self._sent = 0
        self._exhausted = False
        self._task: TaskHandle | None = None
        self._failure: BaseException | None = None
        backend = exchange.channel.backend
        if isinstance(stream, SyncByteStream):
            self._sync = iter(stream)
        elif backend.name == "blocking":
            raise RuntimeError(
                "async content needs an AsyncClient; give a sync client a plain iterator"
            )
        else:
            self._async = aiter(stream)

    async def start(self) -> None:
        """Send until everything is sent, or the response begins, or the peer wants no more.

        Raises `WriteTimeout`, what broke the stream, and whatever the content's iterator raises.
        """
        exchange = self.exchange
        loop = exchange.channel.backend
        if self._async is not None and loop.has_event_loop:
            # What the iterator waits for may be the response itself: it must not stand in its way.
            exchange.channel.push()
            self._task = loop.spawn(self._run_beside(self._async))  # type: ignore[attr-defined]
            # How long the iterator takes is its own affair: time for the response runs from its end.
            await exchange.channel.wait(exchange, self._is_done_or_answered, self.clock.end)
            return
        if not isinstance(self.stream, ByteStream):
            exchange.channel.push()  # the iterator may take its time: let the head go ahead
        await self._send_until_response()

    def _is_done_or_answered(self) -> bool:
        return self.is_done or self.exchange.has_response()

    async def _send_until_response(self) -> None:
        exchange = self.exchange
        while not self.is_done and not exchange.has_response():
            if await self._send_piece():
                continue
            deadline = self.clock.deadline(self.clock.timeout.write)
            ready = exchange.has_response_or_can_send
            if not await exchange.channel.wait(exchange, ready, deadline, to_send=True):
                raise WriteTimeout(f"{exchange.channel.peer} took no data in time")

    def look_at_response(self) -> None:
        """Stop when the response is an error: the server will not use the rest (RFC 9112 section 9.3)."""
        response = self.exchange.response
        if not self.is_done and response is not None and response.status >= 400:
            self.abandon()

    async def _send_piece(self) -> bool:
        """Send some of what is at hand; return False when there is no room."""
        exchange = self.exchange
        if self._offset >= len(self._piece) and not self._exhausted:
            await self._next_piece()
        trailers = self.request.trailers.raw if self._exhausted else None
        if trailers and self._offset >= len(self._piece) and not exchange.send_stopped:
            exchange.send_trailers(trailers)
        if exchange.send_ended or exchange.send_stopped:
            self.is_done = True
            return True
        end = self._exhausted and not trailers
        offset = exchange.send_some(self._piece, self._offset, end_stream=end)
        if exchange.send_ended or exchange.send_stopped:
            self.is_done = True
        sent = offset - self._offset
        self._offset = offset
        if not sent and not self.is_done:
            return False
        self._sent += sent
        self._unlooked += sent
        if self._unlooked >= LOOK_EVERY:
            self._unlooked = 0
            await exchange.channel.look()
        return True

    async def _next_piece(self) -> None:
        """Take the next part of the content. The last one takes the stream's end along."""
        piece: bytes | None
        if self._sync is not None:
            piece = next(self._sync, None)
        else:
            assert self._async is not None
            piece = await anext(self._async, None)
        self._offset = 0
        self._piece = piece or b""
        length = self.stream.content_length
        if piece is None:
            self._exhausted = True
        elif length == len(piece):
            self._exhausted = True  # the content is this one part

    async def _run_beside(self, parts: AsyncIterator[bytes]) -> None:
        """Send everything, in a task of its own, and note what keeps it from that."""
        exchange = self.exchange
        try:
            await self._send_all()
        except GeneratorExit:  # the event loop is gone: nothing can be awaited
            raise
        except BaseException as error:
            if not self.is_done:  # else it was told to stop
                self._failure = error
                exchange.abort()
            await self._end_beside(parts)
            if not isinstance(error, Exception):
                raise
        else:
            await self._end_beside(parts)

    async def _end_beside(self, parts: Any) -> None:
        """Let those go on who wait for the sending, and let go of the content."""
        self.is_done = True
        self.exchange.wake()
        if hasattr(parts, "aclose"):
            await parts.aclose()
        await self.stream.aclose()  # type: ignore[union-attr]  # it is an async one

    async def _send_all(self) -> None:
        exchange = self.exchange
        while not self.is_done:
            if not await self._send_piece():
                deadline = self.clock.deadline(self.clock.timeout.write)
                if not await exchange.channel.wait(
                    exchange, exchange.can_send, deadline, to_send=True
                ):
                    raise WriteTimeout(f"{exchange.channel.peer} took no data in time")

    def cause(self, error: BaseException) -> BaseException:
        """Return what is behind an error of the exchange: a sending beside may have broken it."""
        failure = self._failure
        if failure is None or not isinstance(error, HTTPError):
            return error
        if isinstance(failure, TransportError) and not isinstance(
            failure, (WriteTimeout, LocalProtocolError)
        ):
            return error  # both have met the same
        return failure

    async def receive(self) -> bytes:
        """Return the next part of the response's content while the sending goes on."""
        exchange = self.exchange
        while not self.is_done and self._task is None and not exchange.has_input():
            if not await self._send_piece():
                deadline = self.clock.deadline(self.clock.timeout.read)
                ready = exchange.has_input_or_can_send
                if not await exchange.channel.wait(exchange, ready, deadline, to_send=True):
                    raise ReadTimeout(f"no data from {exchange.channel.peer} in time")
        return await exchange.receive_data(self.clock.deadline(self.clock.timeout.read))

    async def finish(self) -> None:
        """Send the rest after the response came whole; a server that wants no more of it is obeyed.

        Raises what the content's iterator raises.
        """
        exchange = self.exchange
        channel = exchange.channel
        try:
            while not self.is_done:
                sent = self._sent
                deadline = self.clock.deadline(self.clock.timeout.write)
                if self._task is not None:
                    goes_on = await channel.wait(exchange, lambda: self.is_done, deadline)
                else:
                    goes_on = await self._send_piece() or await channel.wait(
                        exchange, exchange.can_send, deadline, to_send=True
                    )
                if not goes_on and sent == self._sent:
                    break
            while not exchange.send_stopped and not channel.is_flushed():
                # Without an event loop nobody sends what is queued once nobody waits.
                deadline = self.clock.deadline(self.clock.timeout.write)
                if not await channel.wait(exchange, channel.is_flushed, deadline, to_send=True):
                    break
        except HTTPError:
            pass  # the answer is complete: what became of the rest changes nothing
        if self._failure is not None and not isinstance(self._failure, TransportError):
            raise self._failure
        if not self.is_done:
            self.abandon()

    def abandon(self) -> None:
        """Stop sending for good; the response goes on being read."""
        self.is_done = True
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self.exchange.stop_sending()

    def close(self) -> None:
        """Let go of the content."""
        self.is_done = True
        if self._task is not None:
            self._task.cancel()
            self._task = None
        generator: Any = self._sync
        if generator is not None:
            if hasattr(generator, "close"):
                generator.close()
            self.stream.close()  # type: ignore[union-attr]  # it is a sync one
