"""What is known of a response before its content: status, reason, headers, where it came from."""

from __future__ import annotations

from .headers import Headers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import timedelta
    from typing import Any

    from .content import Stream
    from .cookies import Cookies
    from .headers import HeaderTypes
    from .request import Request
    from .response import Response
    from .url import URL

_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class ResponseHead:
    """The part of `Response` that needs no content. Its defaults stand on the class: few are ever set."""

    status_code: int
    headers: Headers
    stream: Stream
    history: list[Response]
    """The responses that were redirects to this one, in order."""
    next_request: Request | None = None
    """The request that following this redirect would send, where redirects are not followed."""

    _request: Request | None = None
    _reason: bytes = b""
    _http_version: str = ""
    _extensions: dict[str, Any] | None = None
    _informational: list[Response] | None = None
    _trailers: Headers | None = None
    _elapsed: float | None = None
    _cookies: Cookies | None = None

    @property
    def http_version(self) -> str:
        """`"HTTP/1.0"`, `"HTTP/1.1"`, `"HTTP/2"` or `"HTTP/3"`."""
        if self._http_version:
            return self._http_version
        version: bytes = (self._extensions or {}).get("http_version", b"HTTP/1.1")
        return version.decode("ascii", "ignore")

    @http_version.setter
    def http_version(self, version: str) -> None:
        self._http_version = version

    @property
    def reason_phrase(self) -> str:
        """The reason phrase that came (HTTP/1.1), or the one registered for the code."""
        reason = self._reason
        if not reason and self._extensions:
            reason = self._extensions.get("reason_phrase", b"")
        if reason:
            return reason.decode("ascii", "replace")
        from .status_codes import codes

        return codes.get_reason_phrase(self.status_code)

    reason = reason_phrase

    @property
    def ok(self) -> bool:
        """Whether the status is below 400."""
        return self.status_code < 400

    @property
    def is_informational(self) -> bool:
        """Whether the status is 1xx."""
        return 100 <= self.status_code <= 199

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status_code <= 299

    @property
    def is_redirect(self) -> bool:
        """Whether the status is 3xx; see `has_redirect_location` for one that can be followed."""
        return 300 <= self.status_code <= 399

    @property
    def is_client_error(self) -> bool:
        """Whether the status is 4xx."""
        return 400 <= self.status_code <= 499

    @property
    def is_server_error(self) -> bool:
        """Whether the status is 5xx."""
        return 500 <= self.status_code <= 599

    @property
    def is_error(self) -> bool:
        """Whether the status is 4xx or 5xx."""
        return 400 <= self.status_code <= 599

    @property
    def has_redirect_location(self) -> bool:
        """Whether this is a redirect that can be followed (RFC 9110 section 15.4)."""
        return self.status_code in _REDIRECTS and "location" in self.headers

    @property
    def request(self) -> Request:
        """The request this answers. Raises `RuntimeError` while none has been set."""
        if self._request is None:
            raise RuntimeError("The request instance has not been set on this response.")
        return self._request

    @request.setter
    def request(self, request: Request | None) -> None:
        self._request = request

    @property
    def url(self) -> URL:
        """The URL that answered: the last one, where redirects were followed."""
        return self.request.url

    @property
    def cookies(self) -> Cookies:
        """The cookies that this response sets."""
        if self._cookies is None:
            from .cookies import Cookies

            self._cookies = Cookies()
            self._cookies.extract_cookies(self)
        return self._cookies

    @property
    def links(self) -> dict[str | None, dict[str, str]]:
        """The links of the Link field (RFC 8288), by relation, or by target where there is none."""
        field = self.headers.get("link")
        if field is None:
            return {}
        from .links import parse_links

        return {link.get("rel") or link.get("url"): link for link in parse_links(field)}

    @property
    def next(self) -> Request | None:
        """The request that following this redirect would send: `next_request` by its requests name."""
        return self.next_request

    @property
    def informational(self) -> list[Response]:
        """The 1xx responses that came before this one, in order (RFC 9110 section 15.2)."""
        if self._informational is None:
            self._informational = []
        return self._informational

    @informational.setter
    def informational(self, responses: list[Response]) -> None:
        self._informational = responses

    @property
    def trailers(self) -> Headers:
        """The fields after the content; valid once it has been read (RFC 9110 section 6.5)."""
        if self._trailers is not None:
            return self._trailers
        return Headers.from_raw(list(getattr(self.stream, "trailers", ())))

    @trailers.setter
    def trailers(self, trailers: HeaderTypes) -> None:
        self._trailers = Headers(trailers)

    @property
    def extensions(self) -> dict[str, Any]:
        """What belongs to this response beside HTTP: `http_version` and `reason_phrase`, as bytes, ..."""
        extensions = self._extensions
        if extensions is None:
            self._extensions = extensions = {}
        if self._http_version and "http_version" not in extensions:
            extensions["http_version"] = self._http_version.encode("ascii")
            extensions["reason_phrase"] = self._reason or self.reason_phrase.encode("ascii")
        return extensions

    @extensions.setter
    def extensions(self, extensions: dict[str, Any]) -> None:
        self._extensions = extensions

    @property
    def elapsed(self) -> timedelta:
        """The time from sending the request to the end of the response.

        Raises `RuntimeError` before it was read or closed.
        """
        # Who reads a stream off the wire has the clock; there may be no such stream.
        seconds = self._elapsed
        if seconds is None:
            seconds = getattr(self.stream, "elapsed", None)
        if seconds is None:
            raise RuntimeError(
                "'.elapsed' may only be accessed after the response has been read or closed."
            )
        from datetime import timedelta

        return timedelta(seconds=seconds)

    @elapsed.setter
    def elapsed(self, elapsed: timedelta | float) -> None:
        self._elapsed = elapsed if isinstance(elapsed, (int, float)) else elapsed.total_seconds()
