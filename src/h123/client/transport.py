"""One request out, one response in, over the pool: no redirects, no cookies, no authentication.

RFC 9110 section 9.2.2 and RFC 9113 section 8.7 say what may be sent again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..message import ByteStream, Response
from ..message.exceptions import (
    ConnectError,
    ConnectTimeout,
    HTTPError,
    LocalProtocolError,
    ReadError,
    RemoteProtocolError,
    TimeoutException,
    UnsupportedProtocol,
)
from ..message.headers import without_content_length
from .alternatives import Alternatives
from .body import AsyncResponseBody, SyncResponseBody
from .clock import Clock
from .connect import Route
from .pool import Pool, RequestHead
from .upload import Upload

if TYPE_CHECKING:
    from ..channel.exchange import Exchange
    from ..message import URL, Request
    from ..network.backend import Backend
    from .connect import ClientChannel, Connector
    from .settings import Limits, Proxy

IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
"""Methods that may be sent again when nobody knows whether they were heard (RFC 9110 section 9.2.2)."""

RACE_TIME = 2.0
"""Seconds that HTTP/3 is given to connect where it was only announced, before the others take over."""


class Versions:
    """Which HTTP versions a client speaks."""

    __slots__ = ("http1", "http2", "http3")

    def __init__(self, *, http1: bool, http2: bool, http3: bool) -> None:
        if not (http1 or http2 or http3):
            raise ValueError("at least one of http1, http2 and http3 must be on")
        self.http1 = http1
        self.http2 = http2
        self.http3 = http3

    def protocols(self, scheme: str, forced: str | None) -> tuple[str, ...]:
        """Return the ALPN names to offer over TCP, best first; `("h3",)` stands for QUIC."""
        if forced is not None:
            if forced == "h3" and scheme != "https":
                raise UnsupportedProtocol("HTTP/3 needs an https:// URL")
            return (forced,)
        if scheme == "http":  # without TLS nothing is negotiated (RFC 9113 section 3.3)
            if not (self.http1 or self.http2):
                raise UnsupportedProtocol("HTTP/3 needs an https:// URL")
            return ("http/1.1",) if self.http1 else ("h2",)
        offered = ("h2",) * self.http2 + ("http/1.1",) * self.http1
        return offered or ("h3",)


_FORCED = {
    "1": "http/1.1",
    "1.0": "http/1.1",
    "1.1": "http/1.1",
    "http/1.1": "http/1.1",
    "2": "h2",
    "h2": "h2",
    "http/2": "h2",
    "3": "h3",
    "h3": "h3",
    "http/3": "h3",
}


def forced_protocol(http_version: str | None) -> str | None:
    """Return the ALPN name for `http_version="3"` and the like. Raises `ValueError` for no version."""
    if http_version is None:
        return None
    try:
        return _FORCED[http_version.lower()]
    except (KeyError, AttributeError):
        raise ValueError(f'http_version is "1.1", "2" or "3", not {http_version!r}') from None


class HTTPTransport:
    """Carries requests over the network."""

    def __init__(
        self, backend: Backend, connector: Connector, limits: Limits, versions: Versions
    ) -> None:
        self.backend = backend
        self.versions = versions
        self.pool = Pool(backend, connector, limits)
        self.alternatives = Alternatives(backend)
        self.body_class = SyncResponseBody if backend.name == "blocking" else AsyncResponseBody

    async def handle(
        self, request: Request, clock: Clock, *, http_version: str | None, proxy: Proxy | None
    ) -> Response:
        """Send a request and return its response, the content unread.

        Raises the `TransportError`s, with `request` set.
        """
        forced = forced_protocol(http_version)
        resend = True
        try:
            while True:
                exchange = await self._open(request, clock, forced, proxy)
                try:
                    return await self._converse(exchange, request, clock)
                except HTTPError as error:
                    if self.pool.is_closed or not (
                        resend and _may_resend(exchange, request, error)
                    ):
                        raise
                    resend = False
        except HTTPError as error:
            if isinstance(error, TimeoutException):
                error = clock.explain(error)
            error.request = request
            raise error

    # ---------------------------------------------------------------------- which connection

    async def _open(
        self, request: Request, clock: Clock, forced: str | None, proxy: Proxy | None
    ) -> Exchange:
        url = request.url
        scheme, host, port = url.origin
        if scheme not in ("http", "https"):
            raise UnsupportedProtocol(
                f"the URL {str(url)!r} begins with neither http:// nor https://"
            )
        if not host:
            raise UnsupportedProtocol(f"the URL {str(url)!r} has no host")
        assert port is not None
        protocols = self.versions.protocols(scheme, forced)
        route = Route(scheme, host, port, protocols, proxy)
        if forced is None and proxy is None and self.versions.http3 and scheme == "https":
            exchange = await self._open_alternative(request, route, clock)
            if exchange is not None:
                return exchange
        return await self.pool.open(route, _head(request, route), clock)

    async def _open_alternative(
        self, request: Request, route: Route, clock: Clock
    ) -> Exchange | None:
        """Use HTTP/3 where the server has announced it; None if it was not, or could not be reached."""
        port = self.alternatives.find(route.host, route.port)
        if port is None:
            return None
        h3 = Route("https", route.host, port, ("h3",))
        try:
            return await self.pool.open(h3, _head(request, route), clock.hastened(RACE_TIME))
        except (ConnectError, ConnectTimeout):
            self.alternatives.mark_broken(route.host, route.port)
            return None

    # ------------------------------------------------------------------------ the exchange

    async def _converse(self, exchange: Exchange, request: Request, clock: Clock) -> Response:
        upload: Upload | None = None
        began = clock.now()
        try:
            if not exchange.send_ended:
                upload = Upload(exchange, request, clock)
                await upload.start()
            await exchange.receive_response(clock.deadline(clock.timeout.read))
            if upload is not None:
                upload.look_at_response()
        except BaseException as error:
            exchange.abort()
            if upload is not None:
                upload.close()
                cause = upload.cause(error)
                if cause is not error:
                    raise cause from error
            raise
        body = self.body_class(exchange, upload, clock, request, began)
        return self._response(exchange, request, body)

    def _response(
        self, exchange: Exchange, request: Request, body: SyncResponseBody | AsyncResponseBody
    ) -> Response:
        head = exchange.response
        assert head is not None
        channel: ClientChannel = exchange.channel  # type: ignore[assignment]  # the pool makes no others
        response = Response.received(
            head.status,
            head.headers,
            body,
            request=request,
            http_version=head.http_version,
            reason=head.reason,
            extensions={"addresses": channel.addresses, "connection": channel},
        )
        if exchange.informational:
            response.informational = [
                Response.received(one.status, one.headers, ByteStream(), request=request)
                for one in exchange.informational
            ]
        if self.versions.http3 and request.url.scheme == "https":
            self.alternatives.learn(request.url, response.headers.get("alt-svc"))
        return response

    def close(self) -> None:
        """Close all connections."""
        self.pool.close()


def _head(request: Request, route: Route) -> RequestHead:
    url: URL = request.url
    target = url.raw_path
    if route.is_forwarded:
        assert route.proxy is not None
        target = b"http://" + url.netloc + target
        headers = [*request.headers.raw, *route.proxy.headers.raw]
    else:
        headers = request.headers.raw
    if request.has_trailers:  # HTTP/1.1 has them after chunks alone
        headers = without_content_length(headers)
    custom = request.extensions.get("target")
    return RequestHead(
        request.method.encode("ascii"),
        target if custom is None else custom,
        headers,
        url.raw_scheme,
        _authority(request),
        request.stream.content_length == 0 and not request.has_trailers,
    )


def _authority(request: Request) -> bytes:
    """Return whom the request is for: what its Host field says, where a program has set one."""
    for name, value in request.headers.raw:
        if name.lower() == b"host":
            return value
    return request.url.netloc


def _may_resend(exchange: Exchange, request: Request, error: HTTPError) -> bool:
    """Whether the request may go out once more on another connection."""
    if isinstance(error, (LocalProtocolError, TimeoutException)) or exchange.response is not None:
        return False
    stream = request.stream
    if not (stream.content_length == 0 or stream.is_replayable):
        return False
    if exchange.unprocessed:
        return True
    channel: ClientChannel = exchange.channel  # type: ignore[assignment]  # the pool makes no others
    # A connection that was kept alive closed under the request: a race, not an answer.
    return (
        channel.uses > 1
        and channel.is_closed
        and request.method in IDEMPOTENT
        and not exchange.informational
        and isinstance(error, (ReadError, RemoteProtocolError))
    )
