"""A request's content, as a handler reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..message.body import AsyncByteStream
from ..message.exceptions import HTTPError, ReadTimeout, StreamConsumed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ..channel.exchange import Exchange
    from ..message.body import Trailers

SKIPPED = 65536
"""Bytes of content that are read to nobody when a handler leaves them; a client that has more is stopped."""


class RequestBody(AsyncByteStream):
    """Content that comes as it is asked for: a handler that does not read stops the client.

    A client that waits for `100 Continue` gets it when the content is asked for (RFC 9110 section 10.1.1).
    """

    def __init__(self, exchange: Exchange, timeout: float) -> None:
        self.exchange = exchange
        self.timeout = timeout
        self.trailers: Trailers = ()
        self.is_late = False
        """Whether the handler has waited for content in vain."""
        self._length: int | None = None
        self._expects_continue = False
        self._started = False
        request = exchange.request
        assert request is not None
        for name, value in request.headers:
            size = len(name)
            if size == 14 and name.lower() == b"content-length":
                self._length = int(value)  # the engine has seen to it that it is one
            elif size == 6 and name.lower() == b"expect" and request.http_version != "HTTP/1.0":
                self._expects_continue = value.lower() == b"100-continue"

    @property
    def is_unwanted(self) -> bool:
        """Whether there is content that the handler has left unread, too long to be skipped."""
        return not self.exchange.receive_ended and not self._can_be_skipped

    @property
    def _can_be_skipped(self) -> bool:
        return not self._expects_continue and self._length is not None and self._length <= SKIPPED

    async def skip(self, timeout: float) -> None:
        """Read the rest to nobody if it is short, so that the connection can go on; else stop the client.

        Short content is on its way already: by the time the client hears of it, nothing is left to stop.
        """
        exchange = self.exchange
        if self._can_be_skipped and not exchange.over:
            deadline = exchange.channel.backend.now() + timeout
            try:
                while await exchange.receive_data(deadline):
                    pass
            except HTTPError:
                pass  # the response is out: what becomes of the rest changes nothing
        if exchange.over:
            exchange.abort()  # what came and was not read has its credit given back
        else:
            exchange.stop_receiving()

    async def receive(self) -> bytes:
        """Return the next part, `b""` after the last.

        Raises `ReadTimeout` when nothing came for too long, and `HTTPError` when the client is gone.
        """
        exchange = self.exchange
        if self._expects_continue:
            self._expects_continue = False
            if not exchange.has_input() and not exchange.over:
                exchange.send_informational(100, [])
        try:
            data = await exchange.receive_data(exchange.channel.backend.now() + self.timeout)
        except ReadTimeout:
            self.is_late = True
            raise
        if not data:
            self.trailers = exchange.trailers
        return data

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Give the parts as they come. Raises `StreamConsumed` the second time."""
        if self._started:
            raise StreamConsumed
        self._started = True
        while data := await self.receive():
            yield data

    async def aclose(self) -> None:
        """Read no more: what the client still sends is dropped."""
        self.exchange.stop_receiving()
