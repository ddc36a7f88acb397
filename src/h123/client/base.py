"""What the sync and the async face have in common: no waiting in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..message import URL, Headers, QueryParams
from ..message.cookies import Cookies
from .settings import Timeout

if TYPE_CHECKING:
    from ..message import Request
    from .core import ClientCore
    from .options import RequestOptions


class BaseClient:
    """The defaults of a client, to be read and changed."""

    _core: ClientCore

    @property
    def headers(self) -> Headers:
        """Fields sent with every request; those of a call stand before them."""
        return self._core.headers

    @headers.setter
    def headers(self, headers: Any) -> None:
        self._core.headers = self._core.default_headers(headers)

    @property
    def params(self) -> QueryParams:
        """Query parameters sent with every request."""
        return self._core.params

    @params.setter
    def params(self, params: Any) -> None:
        self._core.params = QueryParams(params)

    @property
    def cookies(self) -> Cookies:
        """The cookies that servers have set, and those the client was given."""
        return self._core.cookies

    @cookies.setter
    def cookies(self, cookies: Any) -> None:
        self._core.cookies = Cookies(cookies)

    @property
    def base_url(self) -> URL:
        """What relative URLs are put behind."""
        return self._core.base_url

    @base_url.setter
    def base_url(self, url: URL | str) -> None:
        self._core.set_base_url(url)

    @property
    def timeout(self) -> Timeout:
        """The bounds on waiting for calls that name none."""
        return self._core.timeout

    @timeout.setter
    def timeout(self, timeout: Any) -> None:
        self._core.timeout = Timeout(timeout)

    @property
    def is_closed(self) -> bool:
        """Whether the client was closed."""
        return self._core.transport.pool.is_closed

    def build_request(self, method: str, url: URL | str, **options: Any) -> Request:
        """Return the request that `request` would send, the client's defaults merged in.

        It takes the keywords that describe a request (see `RequestOptions`). Raises `InvalidURL`, and
        `ValueError` or `TypeError` for what can not be sent.
        """
        return self._core.build_request(method, url, **options)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._core.transport.pool!r}>"


SENDING = ("auth", "follow_redirects", "stream")


def split_options(options: RequestOptions) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what `build_request` takes and what `send` takes."""
    building: dict[str, Any] = dict(options)
    sending = {name: building.pop(name) for name in SENDING if name in building}
    allow = building.pop("allow_redirects", None)
    if allow is not None:
        sending["follow_redirects"] = allow
    return building, sending
