"""How a client behaves: its timeouts, its limits, its proxy."""

from __future__ import annotations

from typing import Any, TypeAlias, Union

from ..message import URL, Headers
from ..protocol.limits import Limits as ProtocolLimits


class _Unset:
    """The type of `UNSET`: a parameter that was not given, where None means something."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "UNSET"


UNSET = _Unset()
Unset = _Unset

TimeoutTypes: TypeAlias = Union["Timeout", float, tuple[float | None, ...], None]


class Timeout:
    """Bounds on waiting, in seconds; None is no bound.

    A bare number is connect, read, write and pool each: `Timeout(30)`. Single ones can be given beside it:
    `Timeout(30, connect=5)`; a tuple is `(connect, read, write, pool)`, of which the last ones may be left out.

    Attributes:
        connect: to make a connection, TLS or QUIC handshake included.
        read: for the response to begin, or to go on, once it is awaited.
        write: for the peer to take more of the request.
        pool: for a connection of the pool to become free.
        total: on the whole call, redirects and content included; none by default.
    """

    __slots__ = ("connect", "read", "write", "pool", "total")

    def __init__(
        self,
        timeout: TimeoutTypes | _Unset = UNSET,
        *,
        connect: float | _Unset | None = UNSET,
        read: float | _Unset | None = UNSET,
        write: float | _Unset | None = UNSET,
        pool: float | _Unset | None = UNSET,
        total: float | None = None,
    ) -> None:
        given = (connect, read, write, pool)
        base: tuple[Any, ...]
        if isinstance(timeout, Timeout):
            base = (timeout.connect, timeout.read, timeout.write, timeout.pool)
            total = timeout.total if total is None else total
        elif isinstance(timeout, tuple):
            if not 2 <= len(timeout) <= 4:
                raise ValueError("a tuple of timeouts is (connect, read[, write[, pool]])")
            base = (*timeout, *(timeout[-1],) * (4 - len(timeout)))
        elif isinstance(timeout, _Unset):
            if UNSET in given:
                raise ValueError("give a default, or all of connect, read, write and pool")
            base = given
        else:
            base = (timeout,) * 4
        values = [b if isinstance(g, _Unset) else g for b, g in zip(base, given, strict=True)]
        for value in (*values, total):
            if value is not None and not (isinstance(value, (int, float)) and value >= 0):
                raise ValueError(f"a timeout is a number of seconds or None, not {value!r}")
        self.connect: float | None
        self.read: float | None
        self.write: float | None
        self.pool: float | None
        self.connect, self.read, self.write, self.pool = values
        self.total: float | None = total

    def as_dict(self) -> dict[str, float | None]:
        """Return the bounds by name."""
        return {name: getattr(self, name) for name in self.__slots__}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Timeout) and self.as_dict() == other.as_dict()

    def __hash__(self) -> int:
        return hash(tuple(self.as_dict().values()))

    def __repr__(self) -> str:
        values = {self.connect, self.read, self.write, self.pool}
        total = "" if self.total is None else f", total={self.total}"
        if len(values) == 1:
            return f"Timeout(timeout={self.connect}{total})"
        return (
            f"Timeout(connect={self.connect}, read={self.read}, write={self.write},"
            f" pool={self.pool}{total})"
        )


DEFAULT_TIMEOUT = Timeout(30.0, connect=10.0)


class Limits(ProtocolLimits):
    """What a client's pool holds, and what its engines accept from a server."""

    max_connections: int | None = 100
    """Connections open at once; further requests wait for one. None is no bound."""
    max_keepalive_connections: int | None = None
    """Idle connections kept for reuse; None keeps all that there are."""
    keepalive_expiry: float | None = 30.0
    """Seconds after which an idle connection is not used again."""


DEFAULT_LIMITS = Limits()


class Proxy:
    """A forward proxy: its URL, `http://[user:password@]host[:port]`, and headers for it alone."""

    __slots__ = ("url", "headers", "auth")

    def __init__(
        self,
        url: URL | str,
        *,
        auth: tuple[str, str] | None = None,
        headers: Any = None,
    ) -> None:
        url = URL(url)
        if url.scheme != "http":
            raise ValueError(f"a proxy's URL begins with http://, not {url.scheme!r}")
        if url.username or url.password:
            auth = auth or (url.username, url.password)
            url = url.copy_with(userinfo=b"")
        self.url = url
        self.auth = auth
        self.headers = Headers(headers)
        if auth is not None:
            self.headers["Proxy-Authorization"] = basic_credentials(*auth)

    def __repr__(self) -> str:
        return f"Proxy({str(self.url)!r}{', auth=...' if self.auth else ''})"


def basic_credentials(username: str | bytes, password: str | bytes) -> str:
    """Return the value of an Authorization field of the Basic scheme (RFC 7617)."""
    from binascii import b2a_base64

    user = username.encode() if isinstance(username, str) else username
    secret = password.encode() if isinstance(password, str) else password
    return "Basic " + b2a_base64(user + b":" + secret, newline=False).decode("ascii")
