"""A response's content on its way in: one core, a sync and an async face.

Reading it drives what is left of the request's content, if the server answered early.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..message.body import AsyncByteStream, SyncByteStream
from ..message.exceptions import HTTPError, StreamClosed, StreamConsumed, TimeoutException
from ..network.blocking import run

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from ..channel.exchange import Exchange
    from ..message import Request
    from ..message.body import Trailers
    from .clock import Clock
    from .upload import Upload


class ResponseBody:
    """The content of one response. `receive` is the core; the faces are below."""

    is_async: bool

    def __init__(
        self,
        exchange: Exchange,
        upload: Upload | None,
        clock: Clock,
        request: Request,
        began: float,
    ) -> None:
        self.exchange = exchange
        self.upload = upload
        self.clock = clock
        self.request = request
        self.began = began
        self.elapsed: float | None = None
        self.trailers: Trailers = ()
        self.when_over: Callable[[], None] | None = None
        self.is_started = False
        self.is_over = False

    async def receive(self) -> bytes:
        """Return the next part, `b""` after the last. Whatever is raised, the exchange is over then."""
        if self.is_over:
            return b""
        try:
            if self.upload is None or self.upload.is_done:
                data = await self.exchange.receive_data(
                    self.clock.deadline(self.clock.timeout.read)
                )
            else:
                data = await self.upload.receive()
            if not data:
                await self._complete()
        except BaseException as error:
            self.abort()
            cause = self._explained(error)
            if cause is not error:
                raise cause from error
            raise
        return data

    def _explained(self, error: BaseException) -> BaseException:
        if self.upload is not None:
            error = self.upload.cause(error)
        if isinstance(error, TimeoutException):
            error = self.clock.explain(error)
        if isinstance(error, HTTPError):
            error.request = self.request
        return error

    async def _complete(self) -> None:
        self.trailers = self.exchange.trailers
        if self.upload is not None:
            await self.upload.finish()
        self.abort()

    def abort(self) -> None:
        """Be done with the response, complete or not. Never waits."""
        if not self.is_over:
            self.is_over = True
            self.elapsed = self.clock.now() - self.began
            self.exchange.abort()
            try:
                if self.upload is not None:
                    self.upload.close()
            finally:
                if self.when_over is not None:
                    self.when_over()

    def begin(self) -> None:
        """Note that the content is taken. Raises `StreamConsumed` the second time."""
        if self.is_started:
            raise StreamConsumed
        if self.is_over:
            raise StreamClosed
        self.is_started = True


class SyncResponseBody(ResponseBody, SyncByteStream):
    """A response's content for a sync client."""

    is_async = False

    def __iter__(self) -> Iterator[bytes]:
        """Give the parts as they come."""
        self.begin()
        while data := run(self.receive()):
            yield data

    def close(self) -> None:
        """Leave what was not read: the connection goes on if its version allows it."""
        self.abort()


class AsyncResponseBody(ResponseBody, AsyncByteStream):
    """A response's content for an async client."""

    is_async = True

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Give the parts as they come."""
        self.begin()
        while data := await self.receive():
            yield data

    async def aclose(self) -> None:
        """Leave what was not read: the connection goes on if its version allows it."""
        self.abort()
