"""A request's content, as a handler reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..message.body import AsyncByteStream
from ..message.exceptions import HTTPError, StreamConsumed

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

    def __init__(
        self, exchange: Exchange, timeout: float, *, length: int | None, expects_continue: bool
    ) -> None:
        self.exchange = exchange
        self.timeout = timeout
        self.length = length
        self.trailers: Trailers = ()
        self._expects_continue = expects_continue
        self._started = False

    @property
    def is_unwanted(self) -> bool:
        """Whether there is content that the handler has not begun to read, too long to be skipped."""
        unread = not self._started and not self.exchange.receive_ended
        return unread and not self._can_be_skipped

    @property
    def _can_be_skipped(self) -> bool:
        return not self._expects_continue and self.length is not None and self.length <= SKIPPED

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
        data = await exchange.receive_data(exchange.channel.backend.now() + self.timeout)
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
