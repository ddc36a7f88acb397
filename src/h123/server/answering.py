"""From a request on the wire to a handler's response on the wire.

RFC 9110 sections 6.4 (which responses have content), 6.6.1 (Date), 10.1.1 (Expect); RFC 7838 (Alt-Svc).
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from ..message import ByteStream, Request, Response
from ..message.body import AsyncByteStream
from ..message.exceptions import HTTPError, InvalidURL, ReadTimeout
from ..protocol.errors import ErrorCode
from .body import RequestBody
from .http_date import format_http_date

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from ..channel.exchange import Exchange
    from ..protocol.events import RequestReceived
    from .channel import ServerChannel
    from .limits import ServerLimits

    Handler = Callable[[Request], Awaitable[Response]]

log = logging.getLogger("h123.server")
access_log = logging.getLogger("h123.access")


class Answerer:
    """Gives requests to a handler and sends what it returns."""

    def __init__(self, handler: Handler, limits: ServerLimits, *, alt_svc: bytes = b"") -> None:
        self.handler = handler
        self.limits = limits
        self.alt_svc = alt_svc
        self._date = (0, b"")

    async def answer(self, channel: ServerChannel, exchange: Exchange) -> None:
        """Answer one request. Never raises but for cancellation."""
        event = exchange.request
        assert event is not None
        started = time.monotonic()
        body = RequestBody(
            exchange,
            self.limits.read_timeout,
            length=_content_length(event),
            expects_continue=not event.end_stream and _expects_continue(event),
        )
        request = Request.received(
            event.method,
            event.scheme or channel.scheme,
            event.authority,
            event.target,
            event.headers,
            ByteStream() if event.end_stream else body,
            http_version=event.http_version,
            extensions={"client": channel.peer, "server": channel.local_address},
        )
        status = 0
        try:
            response = await self._call(request)
            status = response.status_code
            try:
                await self._send(channel, exchange, request, response, body)
            finally:
                await _close(response)
        except HTTPError as error:
            log.debug("%s %s %s: %s", channel.peer, request.method, event.target, error)
            exchange.abort(ErrorCode.CANCEL)
        except Exception:
            log.exception("the response to %s %r broke off", request.method, event.target)
            exchange.abort(ErrorCode.INTERNAL_ERROR)
        except BaseException:
            exchange.abort(ErrorCode.CANCEL)
            raise
        finally:
            if access_log.isEnabledFor(logging.INFO):
                _log_access(channel, request, event, status, time.monotonic() - started)

    async def _call(self, request: Request) -> Response:
        try:
            request.url  # noqa: B018  (a target that is no URL is the client's mistake, not the handler's)
            return await self.handler(request)
        except InvalidURL as error:
            return Response(400, text=f"Bad request: {error}\n")
        except ReadTimeout:
            return Response(408, text="The request's content did not come in time.\n")
        except HTTPError:
            raise
        except Exception:
            log.exception("the handler failed for %s %s", request.method, request.url)
            return Response(500, text="Internal server error\n")

    async def _send(
        self,
        channel: ServerChannel,
        exchange: Exchange,
        request: Request,
        response: Response,
        body: RequestBody,
    ) -> None:
        status = response.status_code
        stream: Any = response.stream
        bare = request.method == "HEAD" or status in (204, 304)
        headers = self._complete_headers(response, channel)
        if status < 200:
            raise ValueError(f"a handler's response is final, but its status is {status}")
        content: bytes | None = stream.content if isinstance(stream, ByteStream) else None
        is_whole = bare or content is not None
        if is_whole and body.is_unwanted and request.http_version == "HTTP/1.1":
            # The connection closes then, which is to be said (RFC 9112 section 9.6).
            headers.append((b"Connection", b"close"))
        if bare or content == b"":
            exchange.send_response(status, headers, end_stream=True)
        elif content is not None:
            exchange.send_response(status, headers)
            await exchange.send_data(content, self.limits.write_timeout, end_stream=True)
        else:
            exchange.send_response(status, headers)
            await self._send_parts(channel, exchange, stream)
        await body.skip(self.limits.linger_timeout)

    async def _send_parts(self, channel: ServerChannel, exchange: Exchange, stream: Any) -> None:
        """Send content as it is made, and the trailers that its stream has in the end."""
        timeout = self.limits.write_timeout
        channel.push()
        async for part in _parts(channel, stream):
            if not await exchange.send_data(part, timeout):
                return
        trailers = list(getattr(stream, "trailers", ()))
        if trailers:
            exchange.send_trailers(trailers)
        else:
            await exchange.send_data(b"", timeout, end_stream=True)

    def _complete_headers(
        self, response: Response, channel: ServerChannel
    ) -> list[tuple[bytes, bytes]]:
        headers = response.headers
        added = []
        if "date" not in headers:
            added.append((b"Date", self._now()))
        if self.alt_svc and channel.engine.http_version != "HTTP/3" and "alt-svc" not in headers:
            added.append((b"Alt-Svc", self.alt_svc))
        return [*headers.raw, *added]

    def _now(self) -> bytes:
        now = int(time.time())
        if now != self._date[0]:
            self._date = (now, format_http_date(now).encode("ascii"))
        return self._date[1]


def _content_length(event: RequestReceived) -> int | None:
    """Return the length that the client announced (the engine has seen to it that it is one)."""
    for name, value in event.headers:
        if name.lower() == b"content-length":
            return int(value)
    return None


def _expects_continue(event: RequestReceived) -> bool:
    if event.http_version == "HTTP/1.0":
        return False
    return any(
        name.lower() == b"expect" and value.lower() == b"100-continue"
        for name, value in event.headers
    )


async def _parts(channel: ServerChannel, stream: Any) -> AsyncIterator[bytes]:
    """Iterate content; what may block the loop is asked for its parts in a thread."""
    if isinstance(stream, AsyncByteStream) or hasattr(stream, "__aiter__"):
        async for part in stream:
            yield part
        return
    iterator = iter(stream)
    backend: Any = channel.backend
    while (part := await backend.run_blocking(next, iterator, None)) is not None:
        yield part


async def _close(response: Response) -> None:
    stream: Any = response.stream
    if hasattr(stream, "aclose"):
        await stream.aclose()
    elif hasattr(stream, "close"):
        stream.close()


def _log_access(
    channel: ServerChannel, request: Request, event: RequestReceived, status: int, seconds: float
) -> None:
    access_log.info(
        '%s "%s %s %s" %s %.1f ms',
        channel.peer,
        request.method,
        event.target.decode("latin-1"),
        event.http_version,
        status or "broken off",
        seconds * 1000,
    )
