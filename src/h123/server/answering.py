"""From a request on the wire to a handler's response on the wire.

RFC 9110 sections 6.4 (which responses have content), 6.6.1 (Date), 10.1.1 (Expect); RFC 7838 (Alt-Svc).
What clients do wrong is told at level DEBUG; what handlers do wrong is an error.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from ..message import ByteStream, Request, Response
from ..message.exceptions import HTTPError, InvalidURL, LocalProtocolError, WriteTimeout
from ..message.headers import without_content_length
from ..protocol.errors import ErrorCode
from .body import RequestBody
from .content import Content
from .http_date import format_http_date

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ..channel.exchange import Exchange
    from ..protocol.events import Headers, RequestReceived
    from .channel import ServerChannel
    from .limits import ServerLimits

    Handler = Callable[[Request], Awaitable[Response]]

log = logging.getLogger("h123.server")
access_log = logging.getLogger("h123.access")

NO_CONTENT = ByteStream()
"""Of requests: it never changes, and one serves them all."""
FAIR_SHARE = 262144
"""Bytes of a response that is made without waiting, after which the other connections have their turn."""


class ClientGone(Exception):
    """The client has broken the exchange off, or takes nothing of it any more."""


class Answerer:
    """Gives requests to a handler and sends what it returns."""

    def __init__(self, handler: Handler, limits: ServerLimits, *, alt_svc: bytes = b"") -> None:
        self.handler = handler
        self.limits = limits
        self.alt_svc = alt_svc
        self._second = 0
        self._fields: tuple[Headers, Headers] = ([], [])

    async def answer(self, channel: ServerChannel, exchange: Exchange) -> None:
        """Answer one request. Never raises but for cancellation."""
        event = exchange.request
        assert event is not None
        is_logged = access_log.isEnabledFor(logging.INFO)
        started = time.monotonic() if is_logged else 0.0
        body = None if event.end_stream else RequestBody(exchange, self.limits.read_timeout)
        request = Request.received(
            event.method,
            event.scheme or channel.scheme,
            event.authority,
            event.target,
            event.headers,
            body or NO_CONTENT,
            http_version=event.http_version,
            extensions={"client": channel.peer, "server": channel.local_address},
        )
        status = 0
        try:
            try:
                response = await self.handler(request)
                _check(response)
            except BaseException as error:
                response = _response_to(error, exchange, request, body)
            status = response.status_code
            stream = response.stream
            if type(stream) is ByteStream and not response.has_trailers:
                rest = self._respond(channel, exchange, request, response, stream.content, body)
                if rest:
                    await self._send_rest(channel, exchange, rest)
            else:
                await self._send_stream(channel, exchange, request, response, body)
            if body is not None:
                await body.skip(self.limits.linger_timeout)
        except ClientGone as gone:
            log.debug("%s %s %r: %s", channel.peer, request.method, event.target, gone)
            exchange.abort(ErrorCode.CANCEL)
            if isinstance(gone.__cause__, WriteTimeout) and channel.wire.unsent:
                channel.close()  # it is the connection that does not move, not the stream
        except LocalProtocolError as error:
            log.error("the response to %s %r broke off: %s", request.method, event.target, error)
            exchange.abort(ErrorCode.INTERNAL_ERROR)
        except Exception:
            log.exception("the response to %s %r broke off", request.method, event.target)
            exchange.abort(ErrorCode.INTERNAL_ERROR)
        except BaseException:
            exchange.abort(ErrorCode.CANCEL)
            raise
        finally:
            if is_logged:
                _log_access(channel, event, status, time.monotonic() - started)

    def _respond(
        self,
        channel: ServerChannel,
        exchange: Exchange,
        request: Request,
        response: Response,
        content: bytes,
        body: RequestBody | None,
    ) -> bytes:
        """Send a response whose content is at hand, and return what of the content has no room yet.

        One that can not be sent is a 500 instead.
        """
        try:
            return self._respond_or_raise(channel, exchange, request, response, content, body)
        except LocalProtocolError as error:
            log.error(
                "the response to %s %r can not be sent: %s", request.method, request.target, error
            )
            failure = _server_error()
            return self._respond_or_raise(
                channel, exchange, request, failure, failure.content, body
            )

    def _respond_or_raise(
        self,
        channel: ServerChannel,
        exchange: Exchange,
        request: Request,
        response: Response,
        content: bytes,
        body: RequestBody | None,
    ) -> bytes:
        status = response.status_code
        length: int | None = len(content)
        if request.method == "HEAD" or status == 204 or status == 304:
            content = b""
            length = None
        headers = self._headers(response, channel, length)
        if status == 204:  # has none, and says no length (RFC 9110 section 8.6)
            headers = without_content_length(headers)
        if body is not None and body.is_unwanted and request.http_version == "HTTP/1.1":
            # The connection closes then, which is to be said (RFC 9112 section 9.6).
            headers.append((b"Connection", b"close"))
        _check_open(exchange)
        return b"" if channel.respond(exchange, status, headers, content) else content

    async def _send_stream(
        self,
        channel: ServerChannel,
        exchange: Exchange,
        request: Request,
        response: Response,
        body: RequestBody | None,
    ) -> None:
        """Send a response with content that is yet to be made, or with trailers."""
        content = Content(response.stream)
        try:
            if _is_bare(request, response):
                self._respond(channel, exchange, request, response, b"", body)
                return
            headers = self._headers(response, channel, None)
            if response.has_trailers:  # HTTP/1.1 has them after chunks alone
                headers = without_content_length(headers)
            _check_open(exchange)
            try:
                exchange.send_response(response.status_code, headers)
            except LocalProtocolError as error:
                log.error(
                    "the response to %s %r can not be sent: %s",
                    request.method,
                    request.target,
                    error,
                )
                failure = _server_error()
                rest = self._respond(channel, exchange, request, failure, failure.content, body)
                if rest:
                    await self._send_rest(channel, exchange, rest)
                return
            await self._send_parts(channel, exchange, content, response, headers)
        finally:
            await content.close()

    async def _send_parts(
        self,
        channel: ServerChannel,
        exchange: Exchange,
        content: Content,
        response: Response,
        headers: Headers,
    ) -> None:
        """Send content as it is made, and the trailers that there are in the end.

        The head leaves with the first part, unless that takes its time. When the client breaks the exchange
        off, the wait for a next part is cancelled: it may never come.
        """
        channel.uncork()
        channel.push_soon()
        promised = _content_length(headers)
        sent = unshared = 0
        with channel.cancelling(exchange):
            if promised:
                await self._wait_for_room(exchange)
            async for part in content:
                sent += len(part)
                if promised is not None and sent > promised:
                    raise LocalProtocolError(
                        f"Content-Length is {promised} and more content follows"
                    )
                if not await self._send_data(exchange, part, end_stream=False):
                    return
                unshared += len(part) + 1024
                if unshared > FAIR_SHARE:
                    unshared = 0
                    await asyncio.sleep(0)
                if promised is not None and sent < promised:
                    await self._wait_for_room(exchange)
            if promised is not None and sent < promised:
                raise LocalProtocolError(
                    f"Content-Length is {promised} and the content has {sent} bytes"
                )
            trailers = response.trailers.raw
            if trailers:
                _check_open(exchange)
                exchange.send_trailers(trailers)
            else:
                await self._send_data(exchange, b"", end_stream=True)

    async def _wait_for_room(self, exchange: Exchange) -> None:
        """Let content stay where it is while the client takes none: a hundred streams would hold a part each."""
        try:
            await exchange.wait_for_room(self.limits.write_timeout)
        except WriteTimeout as error:
            raise ClientGone(str(error)) from error

    async def _send_rest(self, channel: ServerChannel, exchange: Exchange, rest: bytes) -> None:
        channel.uncork()
        await self._send_data(exchange, rest, end_stream=True)

    async def _send_data(self, exchange: Exchange, data: bytes, *, end_stream: bool) -> bool:
        try:
            return await exchange.send_data(data, self.limits.write_timeout, end_stream=end_stream)
        except HTTPError as error:
            if isinstance(error, LocalProtocolError) and exchange.error is None:
                raise  # the content is not what the headers say
            raise ClientGone(str(error)) from error

    def _headers(self, response: Response, channel: ServerChannel, length: int | None) -> Headers:
        """Return the response's fields and those that every response has.

        Raises `LocalProtocolError` if its Content-Length is not `length`.
        """
        raw = response.headers.raw
        date, both = self._fields if int(time.time()) == self._second else self._new_fields()
        added = both if channel.announces else date
        for name, value in raw:
            size = len(name)
            if size == 14:
                if (
                    length is not None
                    and name.lower() == b"content-length"
                    and int(value) != length
                ):
                    raise LocalProtocolError(
                        f"Content-Length is {value.decode()} and the content has {length} bytes"
                    )
            elif (size == 4 and name.lower() == b"date") or (
                size == 7 and name.lower() == b"alt-svc"
            ):
                added = [field for field in added if field[0].lower() != name.lower()]
        return raw + added

    def _new_fields(self) -> tuple[Headers, Headers]:
        self._second = now = int(time.time())
        date = [(b"Date", format_http_date(now).encode("ascii"))]
        self._fields = (date, [*date, (b"Alt-Svc", self.alt_svc)] if self.alt_svc else date)
        return self._fields


def _check_open(exchange: Exchange) -> None:
    if exchange.error is not None:
        raise ClientGone(str(exchange.error))


def _content_length(headers: Headers) -> int | None:
    for name, value in headers:
        if len(name) == 14 and name.lower() == b"content-length":
            return int(value)
    return None


def _is_bare(request: Request, response: Response) -> bool:
    """Say whether the response has no content whatever it holds (RFC 9110 section 6.4.1)."""
    return request.method == "HEAD" or response.status_code in (204, 304)


def _check(response: Response) -> None:
    """Raise unless a handler's result can be sent as a final response."""
    if not isinstance(response, Response):
        raise TypeError(f"a handler returns a Response, not {response!r}")
    if not 200 <= response.status_code <= 599:
        raise ValueError(f"a final response has a status of 200 to 599, not {response.status_code}")


def _response_to(
    error: BaseException, exchange: Exchange, request: Request, body: RequestBody | None
) -> Response:
    """Return what to answer when a handler raised. Raises `ClientGone`, or the error, when there is no answer."""
    if isinstance(error, asyncio.CancelledError):
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise error
        # Something that the handler waited for was cancelled, and not the handler.
    elif not isinstance(error, Exception):
        raise error
    if exchange.error is not None and isinstance(error, HTTPError):
        raise ClientGone(str(error)) from error
    if body is not None and body.is_late:
        return Response(408, text="The request's content did not come in time.\n")
    if isinstance(error, InvalidURL):
        try:
            request.url  # noqa: B018  # a target that is no URL is the client's mistake, not the handler's
        except InvalidURL:
            return Response(400, text=f"Bad request: {error}\n")
    log.error("the handler failed for %s %r", request.method, request.target, exc_info=error)
    return _server_error()


def _server_error() -> Response:
    return Response(500, text="Internal server error\n")


def _log_access(
    channel: ServerChannel, event: RequestReceived, status: int, seconds: float
) -> None:
    access_log.info(
        '%s "%s %s %s" %s %.1f ms',
        channel.peer,
        event.method.decode("latin-1"),
        event.target.decode("latin-1"),
        event.http_version,
        status or "broken off",
        seconds * 1000,
    )
