"""Request: one class for what a client sends and what a server receives (RFC 9110 section 3.4)."""

from __future__ import annotations

from .body import AsyncByteStream, ByteStream, ClosedStream, SyncByteStream
from .content import encode_request
from .exceptions import RequestNotRead
from .headers import TOKEN, Headers
from .text import charset_by_mark, known_charset_of
from .url import URL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping
    from typing import Any

    from .content import ContentTypes, FilesTypes, FormTypes, Stream
    from .cookies import CookieTypes
    from .headers import HeaderTypes, RawHeaders
    from .query import QueryParamTypes
    from .url import URLTypes

# Methods are case-sensitive (RFC 9110 section 9.1); these are what people mean by the lower-case words.
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE")
_USUAL = {spelling: method for method in _METHODS for spelling in (method, method.lower())}
_WITH_CONTENT = frozenset({"POST", "PUT", "PATCH"})


class Request:
    """A request: method, URL, headers, content.

    Made by a program it carries the fields of its content (Content-Length where it is known,
    Content-Type); Host, User-Agent and their like are the client's business. Made by a server
    (`Request.received`) it carries what came, untouched.
    """

    http_version: str = "HTTP/1.1"
    """The version it came with, on a server."""
    _url: URL | None = None
    _parts: tuple[bytes, bytes, bytes] = (b"", b"", b"")
    _content: bytes | None = None
    _extensions: dict[str, Any] | None = None
    _trailers: Headers | None = None

    def __init__(
        self,
        method: str,
        url: URLTypes,
        *,
        params: QueryParamTypes | None = None,
        headers: HeaderTypes | None = None,
        cookies: CookieTypes | None = None,
        content: ContentTypes | None = None,
        data: FormTypes | ContentTypes | None = None,
        files: FilesTypes | None = None,
        json: Any = None,
        stream: Stream | None = None,
        extensions: Mapping[str, Any] | None = None,
    ) -> None:
        """Put a request together.

        `params` replace the URL's query. One of `content`, `data`, `files` (with `data` as its form),
        `json` is the content; `stream` is one too, and adds no fields. Raises `InvalidURL`, `ValueError`
        for what HTTP does not allow in a method or field, `TypeError` for content of no known kind.
        """
        self.method = _USUAL.get(method) or _checked_method(method)
        self._url = URL(url) if params is None else URL(url, params=params)
        self.headers = Headers(headers)
        if extensions:
            self._extensions = dict(extensions)
        if cookies:
            from .cookies import Cookies

            Cookies(cookies).set_cookie_header(self)
        if stream is not None:
            self.stream: Stream = stream
        elif content is None and data is None and not files and json is None:
            self.stream = ByteStream()
            self._content = b""
            if self.method in _WITH_CONTENT:
                self._add_fields([])
        else:
            fields, self.stream = encode_request(
                content, data, files, json, self.headers.get("content-type")
            )
            if isinstance(self.stream, ByteStream):
                self._content = self.stream.content
            self._add_fields(fields)

    @classmethod
    def received(
        cls,
        method: bytes,
        scheme: bytes,
        authority: bytes,
        target: bytes,
        headers: RawHeaders,
        stream: Stream,
        *,
        http_version: str = "HTTP/1.1",
        extensions: dict[str, Any] | None = None,
    ) -> Request:
        """Make a request of what an engine received. Nothing is copied; the URL is parsed when asked for."""
        request = cls.__new__(cls)
        request.method = method.decode("latin-1")
        request._parts = (scheme, authority, target)
        request.headers = Headers.from_raw(headers)
        request.stream = stream
        request.http_version = http_version
        request._extensions = extensions
        return request

    def _add_fields(self, fields: list[tuple[bytes, bytes]]) -> None:
        """Add the content's fields that the program has not set itself."""
        headers = self.headers
        framed = "content-length" in headers or "transfer-encoding" in headers
        if not fields and not framed and self.method in _WITH_CONTENT and self._content == b"":
            fields = [(b"Content-Length", b"0")]  # RFC 9110 section 8.6
        raw = headers.raw
        has_type = bool(raw) and "content-type" in headers
        added = [
            field for field in fields if not (framed if field[0] == b"Content-Length" else has_type)
        ]
        if added:
            self.headers = Headers.from_raw(raw + added)

    # -------------------------------------------------------------------------------- parts

    @property
    def url(self) -> URL:
        """The URL. On a server, parsed when it is asked for first; raises `InvalidURL` if it is none."""
        url = self._url
        if url is None:
            self._url = url = URL.from_parts(*self._parts)
        return url

    @url.setter
    def url(self, url: URLTypes) -> None:
        self._url = URL(url)

    @property
    def target(self) -> bytes:
        """The request's target as it is sent, or as it was received (RFC 9112 section 3.2)."""
        return self._parts[2] or self.url.raw_path

    @property
    def extensions(self) -> dict[str, Any]:
        """What belongs to this request beside HTTP: `timeout`, `trace`, ..."""
        if self._extensions is None:
            self._extensions = {}
        return self._extensions

    @extensions.setter
    def extensions(self, extensions: dict[str, Any]) -> None:
        self._extensions = extensions

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
    def has_trailers(self) -> bool:
        """Whether trailers were set; a stream may have others."""
        return bool(self._trailers)

    # ------------------------------------------------------------------------------ content

    @property
    def content(self) -> bytes:
        """The content. Raises `RequestNotRead` before `read()` or `aread()`."""
        if self._content is None:
            raise RequestNotRead
        return self._content

    @property
    def text(self) -> str:
        """The content as text, by its charset or as UTF-8."""
        content = self.content
        charset = charset_by_mark(content) or known_charset_of(self.headers.get("content-type"))
        return content.decode(charset or "utf-8", "replace")

    def json(self, **kwargs: Any) -> Any:
        """Return the content, parsed as JSON. Raises `ValueError` if it is none."""
        from json import loads

        return loads(self.content, **kwargs)

    def read(self) -> bytes:
        """Read the whole content and keep it, so that the request can be sent again."""
        if self._content is None:
            self._keep(b"".join(self.iter_bytes()))
        return self.content

    async def aread(self) -> bytes:
        """Read the whole content and keep it, so that the request can be sent again."""
        if self._content is None:
            self._keep(b"".join([part async for part in self.aiter_bytes()]))
        return self.content

    def iter_bytes(self) -> Iterator[bytes]:
        """Give the content in parts, as they come."""
        if self._content is not None:
            return iter((self._content,) if self._content else ())
        if not isinstance(self.stream, SyncByteStream):
            raise RuntimeError(
                "This request's content is an async stream: use aread() or aiter_bytes()."
            )
        return iter(self.stream)

    def aiter_bytes(self) -> AsyncIterator[bytes]:
        """Give the content in parts, as they come."""
        if self._content is not None:
            return ByteStream(self._content).__aiter__()
        if not isinstance(self.stream, AsyncByteStream):
            raise RuntimeError(
                "This request's content is a sync stream: use read() or iter_bytes()."
            )
        return self.stream.__aiter__()

    def _keep(self, content: bytes) -> None:
        trailers = getattr(self.stream, "trailers", ())
        if trailers and self._trailers is None:
            self._trailers = Headers.from_raw(list(trailers))
        self._content = content
        self.stream = ByteStream(content)

    # ---------------------------------------------------------------------------- as an object

    def __repr__(self) -> str:
        return f"<{type(self).__name__}({self.method!r}, {str(self.url)!r})>"

    def __getstate__(self) -> dict[str, Any]:
        state = dict(self.__dict__, _url=self.url)
        state.pop("stream", None)
        state.pop("_extensions", None)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.stream = ClosedStream() if self._content is None else ByteStream(self._content)


def _checked_method(method: str) -> str:
    """Return a method that is a token (RFC 9110 section 9.1). Raises `ValueError` for others."""
    if not isinstance(method, str):
        raise TypeError(f"Method must be str, not {type(method)}")
    octets = method.encode("utf-8", "surrogateescape")
    if not octets or octets.translate(None, TOKEN):
        raise ValueError(f"Invalid method {method!r}: it is no token (RFC 9110 section 9.1)")
    return method
