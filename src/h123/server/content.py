"""A response's content, part by part: what may block is asked for its parts in a thread."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from ..message.body import AsyncByteStream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable


class Content:
    """What a handler has put into its response, to be iterated once and then closed."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.is_async = isinstance(stream, AsyncByteStream) or hasattr(stream, "__aiter__")
        self._working: asyncio.Future[Any] | None = None

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Give the parts."""
        return aiter(self.stream) if self.is_async else self._in_thread(iter(self.stream))

    async def _in_thread(self, iterator: Any) -> AsyncIterator[bytes]:
        while (part := await self._work(next, iterator, None)) is not None:
            yield part

    async def _work(self, function: Callable[..., Any], *arguments: Any) -> Any:
        # Shielded: the thread goes on when the wait is cancelled, and `close` must know.
        self._working = asyncio.get_running_loop().run_in_executor(None, function, *arguments)
        result = await asyncio.shield(self._working)
        self._working = None
        return result

    async def close(self) -> None:
        """Let the stream go, once no thread is in it any more."""
        if self.is_async:
            aclose: Callable[[], Awaitable[None]] | None = getattr(self.stream, "aclose", None)
            if aclose is not None:
                await aclose()
            return
        close = getattr(self.stream, "close", None)
        working = self._working
        if working is not None and not working.done():
            await asyncio.wait([working])
        if working is not None and working.done() and not working.cancelled():
            working.exception()  # seen: nobody wants that part any more
        if close is not None:
            await self._work(close)
