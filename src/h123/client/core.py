"""What both clients do, written once: defaults, cookies, authentication, redirects.

RFC 9110 section 15.4 (redirects), section 11 (authentication); RFC 6265 (cookies).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._version import __version__
from ..message import URL, Headers, QueryParams, Request, Response
from ..message.codings import accept_encoding
from ..message.cookies import Cookies
from ..message.exceptions import (
    InvalidURL,
    NetworkError,
    ProtocolError,
    RemoteProtocolError,
    TooManyRedirects,
)
from .clock import Clock
from .connect import Connector, TLSSettings
from .settings import (
    DEFAULT_LIMITS,
    DEFAULT_TIMEOUT,
    UNSET,
    Limits,
    Proxy,
    Timeout,
    basic_credentials,
)
from .transport import HTTPTransport, Versions, forced_protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..network.backend import Backend
    from .settings import TimeoutTypes, Unset

USER_AGENT = f"python-h123/{__version__}"


class ClientCore:
    """A client without a face. Its coroutines run on whatever backend it was made with."""

    def __init__(
        self,
        backend: Backend,
        *,
        headers: Any = None,
        params: Any = None,
        cookies: Any = None,
        auth: tuple[str, str] | None = None,
        base_url: URL | str = "",
        timeout: TimeoutTypes | Unset = UNSET,
        follow_redirects: bool = True,
        max_redirects: int = 20,
        verify: Any = True,
        cert: Any = None,
        http1: bool = True,
        http2: bool = True,
        http3: bool = True,
        proxy: Proxy | URL | str | None = None,
        limits: Limits = DEFAULT_LIMITS,
        connect_to: Mapping[tuple[str, int], tuple[str, int]] | None = None,
        engines: Mapping[str, str] | None = None,
        local_address: str | None = None,
    ) -> None:
        self.backend = backend
        self.headers = self.default_headers(headers)
        self.params = QueryParams(params)
        self.cookies = Cookies(cookies)
        self.auth = auth
        self.set_base_url(base_url)
        self.timeout = DEFAULT_TIMEOUT if timeout is UNSET else Timeout(timeout)
        self.follow_redirects = follow_redirects
        self.max_redirects = max_redirects
        self.proxy = proxy if proxy is None or isinstance(proxy, Proxy) else Proxy(proxy)
        connector = Connector(
            backend,
            tls=TLSSettings(verify, cert),
            limits=limits,
            connect_to=connect_to,
            engines=engines,
            local_address=local_address,
        )
        versions = Versions(http1=http1, http2=http2, http3=http3)
        self.transport = HTTPTransport(backend, connector, limits, versions)

    def default_headers(self, headers: Any) -> Headers:
        """Return the fields that every request has, with these in their place or behind them."""
        defaults = Headers(
            [
                (b"Accept", b"*/*"),
                (b"Accept-Encoding", accept_encoding().encode("ascii")),
                (b"User-Agent", USER_AGENT.encode("ascii")),
            ]
        )
        defaults.update(headers)
        return defaults

    def set_base_url(self, url: URL | str) -> None:
        """Set what relative URLs are put behind; its path is one of a folder."""
        base = URL(url)
        if str(base) and not base.path.endswith("/"):
            base = base.copy_with(path=base.path + "/")
        self.base_url = base

    # --------------------------------------------------------------------------- requests

    def build_request(
        self,
        method: str,
        url: URL | str,
        *,
        content: Any = None,
        data: Any = None,
        files: Any = None,
        json: Any = None,
        params: Any = None,
        headers: Any = None,
        cookies: Any = None,
        timeout: TimeoutTypes | Unset = UNSET,
        http_version: str | None = None,
        extensions: dict[str, Any] | None = None,
    ) -> Request:
        """Return the request that `request` would send, the client's defaults merged in.

        Raises `InvalidURL`, and `ValueError` or `TypeError` for what can not be sent.
        """
        target = self._merge_url(url)
        if self.params:
            params = self.params.merge(params)
        merged = self.headers
        if headers is not None or cookies is not None or self.cookies:
            merged = merged.copy()
            merged.update(headers)
        extensions = dict(extensions or {})
        if timeout is not UNSET:
            extensions["timeout"] = Timeout(timeout)
        if http_version is not None:
            forced_protocol(http_version)  # a mistake is told here, not in the middle of sending
            extensions["version"] = http_version
        request = Request(
            method,
            target,
            params=params,
            headers=merged,
            content=content,
            data=data,
            files=files,
            json=json,
            extensions=extensions,
        )
        if cookies is not None or self.cookies:
            jar = self.cookies if cookies is None else Cookies(self.cookies)
            if cookies is not None:
                jar.update(cookies)
            jar.set_cookie_header(request)
        return request

    def _merge_url(self, url: URL | str) -> URL:
        merged = URL(url)
        if str(self.base_url) and merged.is_relative_url:
            # A base URL is a prefix: "/path" is below it, not beside it.
            path = self.base_url.raw_path + merged.raw_path.lstrip(b"/")
            return self.base_url.copy_with(raw_path=path)
        return merged

    async def send(
        self,
        request: Request,
        *,
        auth: tuple[str, str] | Unset | None = UNSET,
        follow_redirects: bool | Unset = UNSET,
    ) -> Response:
        """Send a request, follow redirects, and return the last response, its content unread."""
        if request.url.userinfo and auth is UNSET:
            auth = (request.url.username, request.url.password)
        credentials = self.auth if auth is UNSET else auth
        if credentials is not None and "Authorization" not in request.headers:
            request.headers["Authorization"] = basic_credentials(*credentials)  # type: ignore[misc]  # UNSET is gone
        follow = self.follow_redirects if follow_redirects is UNSET else follow_redirects
        clock = Clock(self.backend, request.extensions.get("timeout", self.timeout))
        version = request.extensions.get("version")
        history: list[Response] = []
        while True:
            response = await self.transport.handle(
                request, clock, http_version=version, proxy=self.proxy
            )
            response.history = list(history)
            if "set-cookie" in response.headers:
                self.cookies.extract_cookies(response)
            if not response.has_redirect_location:
                return response
            if not follow:
                try:
                    response.next_request = self._redirect(request, response)
                except RemoteProtocolError:
                    pass  # whoever does not follow need not mind where to
                return response
            try:
                following = self._redirect(request, response)
                if len(history) >= self.max_redirects:
                    raise TooManyRedirects(
                        f"more than {self.max_redirects} redirects", request=request
                    )
            except BaseException:
                response.stream.abort()  # type: ignore[union-attr]  # it is one of ours
                raise
            await self._discard(response)
            history.append(response)
            request = following

    async def _discard(self, response: Response) -> None:
        """Read a redirect's content if it is short, so that the connection can go on.

        That it breaks off is no matter: it is for people, and nobody sees it.
        """
        body: Any = response.stream
        try:
            content: list[bytes] = []
            size = 0
            while size < 65536:
                data = await body.receive()
                if not data:
                    response.set_content(b"".join(content))
                    return
                content.append(data)
                size += len(data)
        except (NetworkError, ProtocolError):
            pass
        finally:
            body.abort()
            response.elapsed = body.elapsed

    def _redirect(self, request: Request, response: Response) -> Request:
        """Return the request that a redirect asks for."""
        method = request.method
        status = response.status_code
        if (status == 303 and method != "HEAD") or (status in (301, 302) and method == "POST"):
            method = "GET"
        url = self._redirect_url(request, response)
        headers = Headers(request.headers)
        same_origin = url.origin == request.url.origin
        if not same_origin:
            headers.pop("Authorization", None)
            headers.pop("Host", None)
        headers.pop("Cookie", None)
        stream: Any = request.stream
        if method != request.method:
            for name in ("Content-Length", "Content-Type", "Content-Encoding", "Transfer-Encoding"):
                headers.pop(name, None)
            stream = None
        redirected = Request(
            method, url, headers=headers, stream=stream, extensions=request.extensions
        )
        if self.cookies:
            self.cookies.set_cookie_header(redirected)
        return redirected

    def _redirect_url(self, request: Request, response: Response) -> URL:
        location = response.headers["location"]
        try:
            url = request.url.join(URL(location))
        except InvalidURL as error:
            raise RemoteProtocolError(
                f"redirected to {location!r}, which is no URL: {error}", request=request
            ) from error
        if request.url.fragment and not url.fragment:
            url = url.copy_with(fragment=request.url.fragment)
        return url

    def close(self) -> None:
        """Close all connections."""
        self.transport.close()
