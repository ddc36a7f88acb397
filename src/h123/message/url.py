"""URL: parsed once, immutable, equal to its own text.

RFC 3986, with the WHATWG URL standard where browsers have settled what the RFC leaves open.

Parsing keeps what is percent-encoded and encodes what must be, lower-cases scheme and host, drops the
scheme's default port, resolves dot segments of an absolute URL, and takes a backslash of an http URL for
a slash, as every browser does. Control characters are refused, never stripped: a URL becomes a request
line.
"""

from __future__ import annotations

from . import percent
from .exceptions import InvalidURL
from .host import decode_host
from .query import QueryParams
from .url_parts import (
    DEFAULT_PORTS,
    Parts,
    cached,
    check,
    merge_paths,
    parse,
    parse_received,
    replace,
    to_text,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeAlias

    from .query import Primitive, QueryParamTypes

    URLTypes: TypeAlias = "URL | str"


class URL:
    """A URL, absolute or relative. Made from text, another URL, or its parts by keyword.

    Equal to its text, prints as it, and hashes alike for equal URLs. `str(url)` is what it was made from,
    normalized; a password shows only there.
    """

    __slots__ = ("_parts",)

    _parts: Parts

    def __init__(self, url: URL | str = "", **parts: Any) -> None:
        """Parse `url` and put `parts` in place of its own.

        Keywords: scheme, username, password, userinfo, host, port, netloc, path, query, raw_path,
        fragment, params. Raises `InvalidURL`, or `TypeError` for what is neither text nor URL.
        """
        if isinstance(url, str):
            known = cached.get(url)
            self._parts = known if known is not None else parse(url)
        elif isinstance(url, URL):
            self._parts = url._parts
        else:
            raise TypeError(
                f"Invalid type for url.  Expected str or h123.URL, got {type(url)}: {url!r}"
            )
        if parts:
            self._parts = replace(self._parts, parts)

    @classmethod
    def from_parts(cls, scheme: bytes, authority: bytes, target: bytes) -> URL:
        """Make the URL of a received request: its scheme, its authority, and its origin-form target.

        Raises `InvalidURL` if the authority is none.
        """
        url = cls.__new__(cls)
        url._parts = parse_received(scheme, authority, target)
        return url

    # -------------------------------------------------------------------------------- parts

    @property
    def scheme(self) -> str:
        """The scheme, in lower case; empty for a relative URL."""
        return self._parts.scheme

    @property
    def raw_scheme(self) -> bytes:
        """The scheme as bytes."""
        return self._parts.scheme.encode("ascii")

    @property
    def userinfo(self) -> bytes:
        """User name and password as they stand in the URL, percent-encoded."""
        return self._parts.userinfo.encode("ascii")

    @property
    def username(self) -> str:
        """The user name, decoded."""
        return percent.decode(self._parts.userinfo.partition(":")[0])

    @property
    def password(self) -> str:
        """The password, decoded."""
        return percent.decode(self._parts.userinfo.partition(":")[2])

    @property
    def host(self) -> str:
        """The host as people read it: punycode decoded, an IPv6 address without brackets."""
        return decode_host(self._parts.host)

    @property
    def raw_host(self) -> bytes:
        """The host as it is resolved and sent: ASCII, an IPv6 address without brackets."""
        return self._parts.host.encode("ascii")

    @property
    def port(self) -> int | None:
        """The port, None if it is the scheme's own."""
        return self._parts.port

    @property
    def netloc(self) -> bytes:
        """Host, and port unless it is the scheme's own: what a Host field says. A zone is left out."""
        return self._parts.netloc.encode("ascii")

    @property
    def path(self) -> str:
        """The path, decoded. At least `/`."""
        return percent.decode(self._parts.path) or "/"

    @property
    def query(self) -> bytes:
        """The query as it is sent, without its question mark."""
        return (self._parts.query or "").encode("ascii")

    @property
    def params(self) -> QueryParams:
        """The query's parameters."""
        return QueryParams(self._parts.query)

    @property
    def raw_path(self) -> bytes:
        """Path and query as they are sent: a request's target in origin form (RFC 9112 section 3.2.1)."""
        parts = self._parts
        target = parts.target
        if target is None:
            path = parts.path or "/"
            parts.target = target = (
                path if parts.query is None else f"{path}?{parts.query}"
            ).encode("ascii")
        return target

    @property
    def fragment(self) -> str:
        """The fragment, decoded, without its number sign."""
        return percent.decode(self._parts.fragment or "")

    @property
    def origin(self) -> tuple[str, str, int | None]:
        """Scheme, host (as `raw_host`, but text) and port (the default one filled in): RFC 6454."""
        parts = self._parts
        origin = parts.origin
        if origin is None:
            port = parts.port
            parts.origin = origin = (
                parts.scheme,
                parts.host,
                DEFAULT_PORTS.get(parts.scheme) if port is None else port,
            )
        return origin

    @property
    def masked(self) -> str:
        """The URL's text with `[secure]` in place of a password: for messages and logs."""
        text = str(self)
        userinfo = self._parts.userinfo
        user, colon, _ = userinfo.partition(":")
        return text.replace(f"{userinfo}@", f"{user}:[secure]@", 1) if colon else text

    @property
    def is_absolute_url(self) -> bool:
        """Whether there are a scheme and a host."""
        return bool(self._parts.scheme and self._parts.host)

    @property
    def is_relative_url(self) -> bool:
        """Whether scheme or host are missing."""
        return not self.is_absolute_url

    # ------------------------------------------------------------------------ making others

    def copy_with(self, **parts: Any) -> URL:
        """Return this URL with other parts; the keywords are the constructor's."""
        return URL(self, **parts)

    def copy_set_param(self, name: str, value: Primitive = None) -> URL:
        """Return this URL with this as the only value of a parameter."""
        return self.copy_with(params=self.params.set(name, value))

    def copy_add_param(self, name: str, value: Primitive = None) -> URL:
        """Return this URL with one value more for a parameter."""
        return self.copy_with(params=self.params.add(name, value))

    def copy_remove_param(self, name: str) -> URL:
        """Return this URL without a parameter."""
        return self.copy_with(params=self.params.remove(name))

    def copy_merge_params(self, params: QueryParamTypes) -> URL:
        """Return this URL with these parameters; each name loses the values it had."""
        return self.copy_with(params=self.params.merge(params))

    def join(self, url: URL | str) -> URL:
        """Return what a reference means when it stands in a document at this URL (RFC 3986 section 5.2)."""
        reference = URL(url)._parts
        base = self._parts
        if reference.scheme:
            return URL(url)
        if reference.host or reference.userinfo or reference.port is not None:
            # Its port is read again: which one is the default depends on the scheme it gets.
            return URL(f"{base.scheme}:{to_text(reference)}" if base.scheme else url)
        query = reference.query
        if not reference.path:
            path = base.path
            query = base.query if query is None else query
        else:
            path = merge_paths(base, reference.path)
        joined = URL.__new__(URL)
        joined._parts = check(
            Parts(base.scheme, base.userinfo, base.host, base.port, path, query, reference.fragment)
        )
        return joined

    # ---------------------------------------------------------------------------- as an object

    def __str__(self) -> str:
        parts = self._parts
        if parts.text is None:
            parts.text = to_text(parts)
        return parts.text

    def __hash__(self) -> int:
        return hash(str(self))

    def __eq__(self, other: object) -> bool:
        """Compare with a URL, or with text that means one."""
        if isinstance(other, URL):
            return self._parts is other._parts or str(self) == str(other)
        if isinstance(other, str):
            try:
                return str(self) == other or str(self) == str(URL(other))
            except InvalidURL:
                return False
        return NotImplemented

    def __repr__(self) -> str:
        """Show the URL, but not its password."""
        return f"{type(self).__name__}({self.masked!r})"

    def __reduce__(self) -> tuple[type[URL], tuple[str]]:
        return type(self), (str(self),)
