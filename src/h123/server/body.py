"""A request's content, as a handler reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..message.body import AsyncByteStream
from ..message.exceptions import StreamConsumed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ..channel.exchange import Exchange
    from ..message.body import Trailers


class RequestBody(AsyncByteStream):
    """Content that comes as it is asked for: a handler that does not read stops the client.

    A client that waits for `100 Continue` gets it when the content is asked for (RFC 9110 section 10.1.1).
    """

    def __init__(self, exchange: Exchange, timeout: float, *, expects_continue: bool) -> None:
        self.exchange = exchange
        self.timeout = timeout
        self.trailers: Trailers = ()
        self._expects_continue = expects_continue
        self._started = False

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
