"""Cookies: taken from responses, given to requests (RFC 6265bis), and a mapping for programs.

The store is ours and small: `http.cookiejar` follows RFC 2965 where the two differ, and importing it
costs as much as this whole package. `Cookies.jar` gives what is here as such a jar, for whoever needs
one.
"""

from __future__ import annotations

import time
from collections.abc import MutableMapping

from .cookie_date import parse_cookie_date
from .exceptions import CookieConflict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from http.cookiejar import CookieJar
    from typing import Any, TypeAlias

    from .request import Request
    from .response_head import ResponseHead
    from .url import URL

    CookieTypes: TypeAlias = "Cookies | CookieJar | dict[str, str] | Sequence[tuple[str, str]]"

MAX_AGE = 400 * 24 * 3600
"""The longest that a cookie lives, in seconds (RFC 6265bis section 5.5)."""
MAX_SIZE = 4096
"""The most bytes of a cookie's name and value together (RFC 6265bis section 5.6)."""
MAX_PER_DOMAIN = 180
"""The most cookies of one domain: the oldest goes (RFC 6265bis section 6.1 asks for 50 at least)."""
MAX_COOKIES = 3000
"""The most cookies of all domains: the oldest goes."""
_MAX_ATTRIBUTE_SIZE = 1024

_CONTROLS = frozenset(chr(code) for code in (*range(9), *range(10, 32), 127))


class Cookie:
    """One cookie. `domain` is empty for one that a program set for every host."""

    __slots__ = (
        "name", "value", "domain", "host_only", "path", "expires", "secure", "http_only", "same_site",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        value: str,
        domain: str = "",
        path: str = "/",
        *,
        host_only: bool = False,
        expires: float | None = None,
        secure: bool = False,
        http_only: bool = False,
        same_site: str = "",
    ) -> None:
        self.name = name
        self.value = value
        self.domain = domain
        self.path = path
        self.host_only = host_only
        self.expires = expires
        """Seconds since 1970, or None for a cookie of this session."""
        self.secure = secure
        self.http_only = http_only
        self.same_site = same_site

    def matches(self, host: str, path: str, is_secure: bool) -> bool:
        """Tell whether a request is to carry this cookie (RFC 6265bis section 5.8.3)."""
        if self.secure and not is_secure:
            return False
        if self.domain:
            domain = self.domain.lower().lstrip(".")
            if domain != host and (self.host_only or not domain_matches(host, domain)):
                return False
        return path_matches(path, self.path)

    def __repr__(self) -> str:
        return f"<Cookie {self.name}={self.value} for {self.domain} />"


def domain_matches(host: str, domain: str) -> bool:
    """Tell whether a host is a domain or under it (RFC 6265bis section 5.1.3)."""
    return host == domain or (host.endswith(f".{domain}") and not is_address(host))


def path_matches(path: str, cookie_path: str) -> bool:
    """Tell whether a request's path is a cookie's or under it (RFC 6265bis section 5.1.4)."""
    if path == cookie_path:
        return True
    return path.startswith(cookie_path) and (
        cookie_path[-1:] == "/" or path[len(cookie_path)] == "/"
    )


def is_address(host: str) -> bool:
    """Tell whether a normalized host is an IP address."""
    return ":" in host or host.replace(".", "").isdigit()


class Cookies(MutableMapping[str, str]):
    """Cookies by name, each for its domain and path.

    Where several have one name, looking it up raises `CookieConflict`; `get` takes domain and path too.
    """

    def __init__(self, cookies: CookieTypes | None = None) -> None:
        self._cookies: dict[tuple[str, str, str], Cookie] = {}
        if cookies is not None:
            self.update(cookies)

    # ----------------------------------------------------------------- from and to messages

    def extract_cookies(self, response: ResponseHead) -> None:
        """Take what a response sets. What the RFC has a user agent ignore is ignored."""
        fields = response.headers.get_list("set-cookie")
        if fields:
            url = response.request.url
            now = time.time()
            for field in fields:
                self._take(field, url, now)

    def set_cookie_header(self, request: Request) -> None:
        """Add a Cookie field for the request's URL, unless the request has one already."""
        if self._cookies and "cookie" not in request.headers:
            value = self.header_for(request.url)
            if value:
                request.headers["Cookie"] = value

    def header_for(self, url: URL) -> str:
        """Return the Cookie field's value for a URL, empty if there is no cookie for it.

        Longer paths come first, then the older ones (RFC 6265bis section 5.8.3).
        """
        now = time.time()
        host = url.origin[1]
        path = url.raw_path.decode("ascii").partition("?")[0]
        is_secure = url.scheme in ("https", "wss") or is_trustworthy(host)
        for key, cookie in list(self._cookies.items()):
            if cookie.expires is not None and cookie.expires <= now:
                self._cookies.pop(key, None)
        chosen = [cookie for cookie in self._all() if cookie.matches(host, path, is_secure)]
        chosen.sort(key=lambda cookie: -len(cookie.path))
        return "; ".join(
            [f"{cookie.name}={cookie.value}" if cookie.name else cookie.value for cookie in chosen]
        )

    def _take(self, field: str, url: URL, now: float) -> None:
        cookie = parse_set_cookie(field, url, now)
        if cookie is None:
            return
        key = (cookie.name, cookie.domain, cookie.path)
        if cookie.expires is not None and cookie.expires <= now:
            self._cookies.pop(key, None)
            return
        if (
            not cookie.secure
            and url.scheme not in ("https", "wss")
            and self._shadows_secure(cookie)
        ):
            return
        self._cookies[key] = cookie  # keeps the place, and so the age, of the one it replaces
        same = [key for key, other in self._cookies.items() if other.domain == cookie.domain]
        for oldest in same[: max(0, len(same) - MAX_PER_DOMAIN)]:
            self._cookies.pop(oldest, None)
        if len(self._cookies) > MAX_COOKIES:
            self._cookies.pop(next(iter(self._cookies)), None)

    def _shadows_secure(self, cookie: Cookie) -> bool:
        """Tell whether a cookie from an insecure origin would hide a secure one (RFC 6265bis 5.7)."""
        return any(
            other.secure
            and other.name == cookie.name
            and (
                domain_matches(other.domain, cookie.domain)
                or domain_matches(cookie.domain, other.domain)
            )
            and path_matches(cookie.path, other.path)
            for other in self._all()
        )

    def _all(self) -> list[Cookie]:
        return list(self._cookies.values())

    # ------------------------------------------------------------------------- as a mapping

    def set(self, name: str, value: str, domain: str = "", path: str = "/") -> None:
        """Set a cookie; without a domain it goes to every host.

        Raises `ValueError` for what would end the cookie or the field.
        """
        for what, text, refused in (("name", name, "=;"), ("value", value, ";")):
            for char in text:
                if char in _CONTROLS or char in refused:
                    raise ValueError(
                        f"Invalid cookie {what} of {name!r}: {char!r} can not be in it"
                    )
        self._cookies[name, domain, path] = Cookie(name, value, domain, path)

    def get(  # type: ignore[override]  # a mapping's get takes no domain
        self,
        name: str,
        default: str | None = None,
        domain: str | None = None,
        path: str | None = None,
    ) -> str | None:
        """Return the value of the cookie of this name, and domain and path if given.

        Raises `CookieConflict` if there are several.
        """
        found = [cookie.value for cookie in self._find(name, domain, path)]
        if len(found) > 1:
            raise CookieConflict(
                f"Multiple cookies exist with name={name}: tell domain and path too"
            )
        return found[0] if found else default

    def delete(self, name: str, domain: str | None = None, path: str | None = None) -> None:
        """Delete the cookies of this name, of one domain and path if given."""
        self._drop(self._find(name, domain, path))

    def clear(self, domain: str | None = None, path: str | None = None) -> None:
        """Delete all cookies, those of one domain, or those of one path of it."""
        self._drop(self._find(None, domain, path))

    def update(self, cookies: CookieTypes | None = None) -> None:  # type: ignore[override]  # jars too
        """Take over cookies."""
        if cookies is None:
            return
        if isinstance(cookies, Cookies):
            self._cookies.update(cookies._cookies)
        elif hasattr(cookies, "extract_cookies"):
            for each in cookies:
                self._adopt(each)
        else:
            for name, value in cookies.items() if hasattr(cookies, "items") else cookies:
                self.set(name, value)

    def _adopt(self, cookie: Any) -> None:
        """Take a cookie of the standard library's jar."""
        domain = cookie.domain
        # The jar writes a name without a dot as one with .local.
        host_only = not cookie.domain_specified and bool(domain)
        self._cookies[cookie.name, domain, cookie.path] = Cookie(
            cookie.name,
            cookie.value or "",
            domain,
            cookie.path,
            host_only=host_only,
            expires=cookie.expires,
            secure=cookie.secure,
            http_only=cookie.has_nonstandard_attr("HttpOnly"),
        )

    def _find(self, name: str | None, domain: str | None, path: str | None) -> list[Cookie]:
        return [
            cookie
            for cookie in self._all()
            if (name is None or cookie.name == name)
            and (domain is None or cookie.domain == domain)
            and (path is None or cookie.path == path)
        ]

    def _drop(self, cookies: list[Cookie]) -> None:
        for cookie in cookies:
            self._cookies.pop((cookie.name, cookie.domain, cookie.path), None)

    @property
    def jar(self) -> CookieJar:
        """The cookies as a jar of the standard library: a copy, made for each asking."""
        from http.cookiejar import Cookie as JarCookie
        from http.cookiejar import CookieJar

        jar = CookieJar()
        for cookie in self._all():
            jar.set_cookie(
                JarCookie(
                    version=0,
                    name=cookie.name,
                    value=cookie.value,
                    port=None,
                    port_specified=False,
                    domain=cookie.domain,
                    domain_specified=bool(cookie.domain) and not cookie.host_only,
                    domain_initial_dot=cookie.domain.startswith("."),
                    path=cookie.path,
                    path_specified=True,
                    secure=cookie.secure,
                    expires=None if cookie.expires is None else int(cookie.expires),
                    discard=cookie.expires is None,
                    comment=None,
                    comment_url=None,
                    rest={"HttpOnly": ""} if cookie.http_only else {},
                )
            )
        return jar

    def __setitem__(self, name: str, value: str) -> None:
        self.set(name, value)

    def __getitem__(self, name: str) -> str:
        value = self.get(name)
        if value is None:
            raise KeyError(name)
        return value

    def __delitem__(self, name: str) -> None:
        self.delete(name)

    def __len__(self) -> int:
        return len(self._cookies)

    def __iter__(self) -> Iterator[str]:
        return iter([cookie.name for cookie in self._all()])

    def __bool__(self) -> bool:
        return bool(self._cookies)

    def __repr__(self) -> str:
        return f"<Cookies[{', '.join(repr(cookie) for cookie in self._all())}]>"


# ------------------------------------------------------------------------------- Set-Cookie


def parse_set_cookie(field: str, url: URL, now: float) -> Cookie | None:
    """Return the cookie that a Set-Cookie field from this URL sets, None if it is to be ignored.

    RFC 6265bis sections 5.6 and 5.7. A cookie that is to be deleted has expired.
    """
    if not _CONTROLS.isdisjoint(field):
        return None
    pair, *attributes = field.split(";")
    name, equals, value = pair.partition("=")
    name, value = (name.strip(), value.strip()) if equals else ("", name.strip())
    if not (name or value) or len(name.encode()) + len(value.encode()) > MAX_SIZE:
        return None
    found: dict[str, str] = {}
    for attribute in attributes:
        key, _, text = attribute.partition("=")
        if len(text) <= _MAX_ATTRIBUTE_SIZE:
            found[key.strip().lower()] = text.strip()  # the last one counts
    domain = _domain_of(found.get("domain", ""), url)
    if domain is None:
        return None
    cookie = Cookie(
        name,
        value,
        domain,
        found["path"] if found.get("path", "")[:1] == "/" else _default_path(url),
        host_only=not found.get("domain", "").lstrip("."),
        expires=_expiry_of(found, now),
        secure="secure" in found,
        http_only="httponly" in found,
        same_site=found.get("samesite", "").lower(),
    )
    is_secure = url.scheme in ("https", "wss")
    if cookie.secure and not is_secure and not is_trustworthy(domain):
        return None
    return cookie if _keeps_promise(cookie, "path" in found) else None


def is_trustworthy(host: str) -> bool:
    """Tell whether a host is this machine, so that secure cookies may go there without TLS."""
    return host in ("localhost", "127.0.0.1", "::1") or host.endswith(".localhost")


def _domain_of(attribute: str, url: URL) -> str | None:
    """Return the domain a cookie is for; None if the host may not set one for it."""
    host = url.origin[1]
    domain = attribute[1:] if attribute[:1] == "." else attribute
    if not domain:
        return host
    from .exceptions import InvalidURL
    from .host import normalize_host

    try:
        domain = normalize_host(domain, special=True)
    except InvalidURL:
        return None
    if domain == host:
        return host
    # A name of one label is nobody's own: a public suffix (RFC 6265bis section 5.7).
    return domain if "." in domain.strip(".") and domain_matches(host, domain) else None


def _default_path(url: URL) -> str:
    """Return the folder of a URL's path (RFC 6265bis section 5.1.4)."""
    path = url.raw_path.decode("ascii").partition("?")[0]
    return path[: path.rfind("/")] or "/"


def _expiry_of(found: dict[str, str], now: float) -> float | None:
    age = found.get("max-age", "")
    digits = age[1:] if age[:1] == "-" else age
    if digits.isascii() and digits.isdigit():
        if age[0] == "-" or not digits.strip("0"):
            return 0.0
        return now + (min(int(digits), MAX_AGE) if len(digits) < 12 else MAX_AGE)
    date = parse_cookie_date(found["expires"]) if "expires" in found else None
    return None if date is None else min(date, now + MAX_AGE)


def _keeps_promise(cookie: Cookie, has_path: bool) -> bool:
    """Tell whether a cookie is what the prefix of its name says (RFC 6265bis section 4.1.3)."""
    name = cookie.name.lower() if cookie.name else cookie.value.lower()
    if name.startswith("__secure-"):
        return bool(cookie.name) and cookie.secure
    if name.startswith("__host-"):
        return (
            bool(cookie.name)
            and cookie.secure
            and cookie.host_only
            and cookie.path == "/"
            and has_path
        )
    return True
