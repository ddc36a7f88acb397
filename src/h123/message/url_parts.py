"""What a URL consists of, and how text becomes it: the parser under `URL`.

RFC 3986 section 3, and the WHATWG URL standard where browsers have settled what the RFC leaves open.

Text is cut with `partition` and checked with `bytes.translate`: an ordinary URL costs some microseconds,
and one that was parsed before a lookup.
"""

from __future__ import annotations

from . import percent
from .exceptions import InvalidURL
from .host import normalize_host
from .query import QueryParams

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeAlias

    Origin: TypeAlias = tuple[str, str, int | None]

MAX_URL_LENGTH = 65536
DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443, "ftp": 21}

_SCHEME = b"abcdefghijklmnopqrstuvwxyz0123456789+-."
_KEYWORDS: dict[str, type] = {
    "scheme": str,
    "username": str,
    "password": str,
    "userinfo": bytes,
    "host": str,
    "port": int,
    "netloc": bytes,
    "path": str,
    "query": bytes,
    "raw_path": bytes,
    "fragment": str,
    "params": object,
}


class Parts:
    """What a URL consists of, normalized and percent-encoded; shared by URLs that are the same."""

    __slots__ = (
        "scheme", "userinfo", "host", "port", "path", "query", "fragment", "text", "target", "origin",
    )  # fmt: skip

    def __init__(
        self,
        scheme: str,
        userinfo: str,
        host: str,
        port: int | None,
        path: str,
        query: str | None,
        fragment: str | None,
    ) -> None:
        self.scheme = scheme
        self.userinfo = userinfo
        self.host = host
        self.port = port
        self.path = path
        self.query = query
        self.fragment = fragment
        self.text: str | None = None
        self.target: bytes | None = None
        self.origin: Origin | None = None

    @property
    def netloc(self) -> str:
        """Host and port, without an address's zone: it means nothing elsewhere (RFC 6874 section 4)."""
        host = self.host
        if ":" in host:
            host = f"[{host.partition('%')[0]}]"
        return host if self.port is None else f"{host}:{self.port}"


# Most programs use few URLs over and over. Bounded by forgetting all: cheaper than keeping an order.
cached: dict[str, Parts] = {}
_authorities: dict[tuple[bytes, bytes], tuple[str, str, str, int | None]] = {}
_CACHE_LIMIT = 1024
_CACHED_LENGTH = 1024


def parse(url: str) -> Parts:
    """Parse a URL, and remember it unless it holds a secret."""
    _refuse_unprintable(url, "URL")
    rest, mark, fragment = url.strip(" ").partition("#")
    encoded_fragment = percent.encode(fragment, percent.FRAGMENT_SAFE) if mark else None
    rest, mark, query = rest.partition("?")
    encoded_query = percent.encode(query, percent.QUERY_SAFE) if mark else None
    scheme, rest = _split_scheme(rest)
    special = scheme in DEFAULT_PORTS
    if "\\" in rest and (special or not scheme):
        rest = rest.replace("\\", "/")
    userinfo, host, port = "", "", None
    path = rest
    if rest[:2] == "//":
        slash = rest.find("/", 2)
        authority, path = (rest[2:], "") if slash < 0 else (rest[2:slash], rest[slash:])
        userinfo, host, port = _parse_authority(scheme, authority)
    path = percent.encode(path, percent.PATH_SAFE)
    if path[:1] == "/" and (scheme or host or userinfo or port is not None):
        path = normalize_path(path)
    parts = check(Parts(scheme, userinfo, host, port, path, encoded_query, encoded_fragment))
    if not userinfo and len(url) <= _CACHED_LENGTH:
        if len(cached) >= _CACHE_LIMIT:
            cached.clear()
        cached[url] = parts
    return parts


def check(parts: Parts) -> Parts:
    """Return parts whose text means these parts again. Raises `InvalidURL` for others."""
    path = parts.path
    if path[:1] == "/" and path[:2] != "//":
        return parts
    if parts.host or parts.userinfo or parts.port is not None:
        if path and path[0] != "/":
            raise InvalidURL(
                f"For absolute URLs, path must be empty or begin with '/', not {path!r}"
            )
    elif path[:2] == "//":
        kind = "URLs without a host" if parts.scheme else "Relative URLs"
        raise InvalidURL(f"{kind} cannot have a path starting with '//'")
    elif not parts.scheme:
        if path[:1] == ":":
            raise InvalidURL("Relative URLs cannot have a path starting with ':'")
        if ":" in path and _split_scheme(path)[0]:
            raise InvalidURL(f"Relative URLs cannot have a path that reads as a scheme: {path!r}")
    return parts


def _refuse_unprintable(text: str, where: str) -> None:
    if len(text) > MAX_URL_LENGTH:
        raise InvalidURL(f"{where} too long: {len(text)} characters, {MAX_URL_LENGTH} are the most")
    if text.isascii() and text.isprintable():
        return
    for place, char in enumerate(text):
        if char < " " or char == "\x7f":
            raise InvalidURL(
                f"Invalid non-printable ASCII character in {where}, {char!r} at position {place}."
            )
        if "\ud800" <= char <= "\udfff":
            raise InvalidURL(f"Invalid lone surrogate in {where}, {char!r} at position {place}.")


def _split_scheme(text: str) -> tuple[str, str]:
    """Return the scheme in lower case, if there is one, and what follows its colon."""
    before, colon, after = text.partition(":")
    if colon and before:
        scheme = before.lower()
        if scheme in DEFAULT_PORTS or _is_scheme(scheme):
            return scheme, after
    return "", text


def _is_scheme(scheme: str) -> bool:
    return (
        scheme.isascii()
        and scheme[0].isalpha()
        and not scheme.encode("ascii").translate(None, _SCHEME)
    )


def _parse_authority(scheme: str, authority: str) -> tuple[str, str, int | None]:
    """Return userinfo, host and port of `userinfo@host:port` (RFC 3986 section 3.2)."""
    userinfo, at, host_port = authority.rpartition("@")
    if at:
        userinfo = percent.encode(userinfo, percent.USERINFO_SAFE)
    if host_port[:1] == "[":
        host, bracket, port = host_port.partition("]")
        host += bracket
        if port and port[0] != ":":
            raise InvalidURL(f"Invalid host {host_port!r}: {port!r} follows its closing bracket")
        port = port[1:]
    else:
        host, _, port = host_port.partition(":")
    if host:
        host = normalize_host(host, scheme in DEFAULT_PORTS or not scheme)
    return userinfo, host, _parse_port(scheme, port) if port else None


def _parse_port(scheme: str, port: str) -> int | None:
    if not (port.isascii() and port.isdigit() and len(port) <= 64 and int(port) <= 65535):
        raise InvalidURL(f"Invalid port: {port!r}")
    number = int(port)
    return None if DEFAULT_PORTS.get(scheme) == number else number


def parse_received(scheme: bytes, authority: bytes, target: bytes) -> Parts:
    """Return the parts of a received request's URL. Raises `InvalidURL` if the authority is none.

    The target may have any of its forms (RFC 9112 section 3.2), and consist of anything.
    """
    if target[:1] != b"/":
        if b"://" in target:
            return parse(target.decode("latin-1"))
        target = b""  # `*`, or a CONNECT's authority
    known = _authorities.get((scheme, authority))
    if known is None:
        known = _received_authority(scheme, authority)
    path, mark, query = target.partition(b"?")
    parts = Parts(
        *known,
        normalize_path(percent.encode_bytes(path, percent.PATH_SAFE)),
        percent.encode_bytes(query, percent.QUERY_SAFE) if mark else None,
        None,
    )
    # What was received is what raw_path gives, as long as it is what a target may consist of.
    if target and not target.translate(None, percent.QUERY_SAFE):
        parts.target = target
    return parts


def _received_authority(scheme: bytes, authority: bytes) -> tuple[str, str, str, int | None]:
    text = authority.decode("latin-1")
    if not authority.isascii():
        raise InvalidURL(f"Invalid authority {text!r}: it is not ASCII")
    _refuse_unprintable(text, "authority")
    if "/" in text or "?" in text or "#" in text:
        raise InvalidURL(f"Invalid authority {text!r}: a path, query or fragment is in it")
    scheme_text = scheme.decode("latin-1").lower()
    userinfo, host, port = _parse_authority(scheme_text, text)
    parsed = (scheme_text, userinfo, host, port)
    if not userinfo and len(authority) <= _CACHED_LENGTH:
        if len(_authorities) >= _CACHE_LIMIT:
            _authorities.clear()
        _authorities[scheme, authority] = parsed
    return parsed


def replace(parts: Parts, given: dict[str, Any]) -> Parts:
    """Return parts with those that are given in place of their own; see `URL`."""
    texts = {name: _as_text(name, value) for name, value in given.items() if name != "params"}
    if "params" in given:
        params = QueryParams(given["params"])
        texts["query"] = str(params) if params else None
    if "raw_path" in texts:
        before, mark, after = (texts.pop("raw_path") or "").partition("?")
        texts["path"] = before
        texts["query"] = after if mark else None
    scheme = texts["scheme"] or "" if "scheme" in texts else parts.scheme
    if scheme:
        scheme = scheme.lower()
        if not _is_scheme(scheme):
            raise InvalidURL(f"Invalid URL component 'scheme': {scheme!r}")
    userinfo = _replace_userinfo(parts, texts)
    host, port = _replace_host(parts, texts, scheme)
    path = parts.path
    query, fragment = parts.query, parts.fragment
    if "path" in texts:
        path = _component("path", texts["path"] or "", "?#", percent.PATH_SAFE)
    if "query" in texts:
        text = texts["query"]
        query = None if text is None else _component("query", text, "#", percent.QUERY_SAFE)
    if "fragment" in texts:
        text = texts["fragment"]
        fragment = None if text is None else percent.encode(text, percent.FRAGMENT_SAFE)
    if path[:1] == "/" and (scheme or host or userinfo or port is not None):
        path = normalize_path(path)
    return check(Parts(scheme, userinfo, host, port, path, query, fragment))


def _as_text(name: str, value: object) -> str | None:
    """Return a part given by keyword as text, its type and its characters checked."""
    expected = _KEYWORDS.get(name)
    if expected is None:
        raise TypeError(f"{name!r} is an invalid keyword argument for URL()")
    if value is None:
        return None
    # A port is a number, and what bytes are asked for may be text as well.
    if not isinstance(value, expected) and not (expected is bytes and isinstance(value, str)):
        raise TypeError(
            f"Argument {name!r} must be {expected.__name__} but got {type(value).__name__}"
        )
    if isinstance(value, bytes):
        try:
            text = value.decode("ascii")
        except UnicodeDecodeError:
            raise InvalidURL(f"Invalid URL component {name!r}: {value!r} is not ASCII") from None
    else:
        text = str(value)
    _refuse_unprintable(text, f"URL component {name!r}")
    return text


def _component(name: str, text: str, refused: str, safe: bytes) -> str:
    for char in refused:
        if char in text:
            raise InvalidURL(f"Invalid URL component {name!r}: {char!r} can not be in it")
    return percent.encode(text, safe)


def _replace_userinfo(parts: Parts, texts: dict[str, str | None]) -> str:
    userinfo = parts.userinfo
    if "userinfo" in texts:
        userinfo = _component("userinfo", texts["userinfo"] or "", "@", percent.USERINFO_SAFE)
    if "username" in texts or "password" in texts:
        user, _, password = userinfo.partition(":")
        if "username" in texts:
            user = percent.encode(texts["username"] or "", percent.CREDENTIAL_SAFE)
        if "password" in texts:
            password = percent.encode(texts["password"] or "", percent.CREDENTIAL_SAFE)
        userinfo = f"{user}:{password}" if password else user
    return userinfo


def _replace_host(
    parts: Parts, texts: dict[str, str | None], scheme: str
) -> tuple[str, int | None]:
    host, port = parts.host, parts.port
    if "netloc" in texts:
        _, host, port = _parse_authority(scheme, _hostlike("netloc", texts["netloc"] or ""))
    if "host" in texts:
        text = _hostlike("host", texts["host"] or "")
        if ":" in text and text[0] != "[":
            text = f"[{text}]"
        host = normalize_host(text, scheme in DEFAULT_PORTS or not scheme) if text else ""
    if "port" in texts:
        text = texts["port"] or ""
        return host, _parse_port(scheme, text) if text else None
    return host, None if port is None or DEFAULT_PORTS.get(scheme) == port else port


def _hostlike(name: str, text: str) -> str:
    for char in "/?#@\\":
        if char in text:
            raise InvalidURL(f"Invalid URL component {name!r}: {char!r} can not be in it")
    return text


def normalize_path(path: str) -> str:
    """Resolve a rooted path's dot segments (RFC 3986 section 5.2.4), those written with `%2e` too."""
    if "/." not in path and "/%2" not in path:
        return path
    output: list[str] = []
    segments = path.split("/")
    last = len(segments) - 1
    for place, segment in enumerate(segments):
        plain = segment.replace("%2e", ".").replace("%2E", ".") if "%" in segment else segment
        if plain == "..":
            if len(output) > 1:
                output.pop()
            if place == last:
                output.append("")
        elif plain == ".":
            if place == last:
                output.append("")
        else:
            output.append(segment)
    return "/".join(output)


def merge_paths(base: Parts, path: str) -> str:
    """Return the path that a reference's path means at a base (RFC 3986 section 5.2.3)."""
    if path[:1] == "/":
        return normalize_path(path)
    if not base.path and (base.host or base.scheme):
        return normalize_path(f"/{path}")
    merged = base.path[: base.path.rfind("/") + 1] + path
    if merged[:1] == "/":
        return normalize_path(merged)
    return normalize_path(f"/{merged}")[1:]


def to_text(parts: Parts) -> str:
    """Return a URL's text (RFC 3986 section 5.3)."""
    authority = parts.netloc
    if "%" in parts.host and ":" in parts.host:
        authority = authority.replace("]", f"%25{parts.host.partition('%')[2]}]", 1)
    if parts.userinfo:
        authority = f"{parts.userinfo}@{authority}"
    text = f"//{authority}{parts.path}" if authority else parts.path
    if parts.scheme:
        text = f"{parts.scheme}:{text}"
    if parts.query is not None:
        text = f"{text}?{parts.query}"
    if parts.fragment is not None:
        text = f"{text}#{parts.fragment}"
    return text
