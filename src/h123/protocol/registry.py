"""Which engine speaks which HTTP version: ours by default, any other by name or entry point.

An engine for a byte stream is a callable like its class: `engine(role, *, limits)`, giving a
`ByteStreamConnection`. Other distributions announce theirs under the entry point group `h123.engines`
with names such as `http/1.1:fast`.
"""

from __future__ import annotations

from typing import Protocol

from .connection import ByteStreamConnection, Role
from .limits import Limits

ENTRY_POINT_GROUP = "h123.engines"


class EngineFactory(Protocol):
    """Makes an engine for one connection."""

    def __call__(self, role: Role, *, limits: Limits) -> ByteStreamConnection:
        """Return a new engine that plays this role."""
        ...


def _http1() -> EngineFactory:
    from .http1.connection import HTTP1Connection

    return HTTP1Connection


def _strict_http1() -> EngineFactory:
    from .http1.connection import strict_connection

    return strict_connection


def _h11() -> EngineFactory:
    from .adapters.h11 import H11Connection

    return H11Connection


def _httptools() -> EngineFactory:
    from .adapters.httptools import HttptoolsConnection

    return HttptoolsConnection


def _http2() -> EngineFactory:
    from .http2.connection import HTTP2Connection

    return HTTP2Connection


def _hyper_h2() -> EngineFactory:
    from .adapters.h2 import HyperH2Connection

    return HyperH2Connection


# Imported on first use: a client that meets only HTTP/1.1 never loads HPACK.
_LOADERS = {
    ("http/1.1", "h123"): _http1,
    ("http/1.1", "h123-strict"): _strict_http1,
    ("http/1.1", "h11"): _h11,
    ("http/1.1", "httptools"): _httptools,
    ("h2", "h123"): _http2,
    ("h2", "hyper-h2"): _hyper_h2,
}
_engines: dict[tuple[str, str], EngineFactory] = {}


def register(protocol: str, name: str, factory: EngineFactory) -> None:
    """Let `name` stand for an engine of `protocol` (an ALPN name: `"http/1.1"`, `"h2"`)."""
    _engines[protocol, name] = factory


def find(protocol: str, name: str = "h123") -> EngineFactory:
    """Return the engine of this name for an ALPN protocol name.

    Raises `LookupError` if neither this package, `register` nor an entry point knows it, and `ImportError`
    if it is an adapter whose library is not installed (`pip install h123[h11]`).
    """
    engine = _engines.get((protocol, name))
    if engine is None:
        loader = _LOADERS.get((protocol, name))
        engine = loader() if loader else _from_entry_point(protocol, name)
        _engines[protocol, name] = engine
    return engine


def _from_entry_point(protocol: str, name: str) -> EngineFactory:
    from importlib.metadata import entry_points

    for point in entry_points(group=ENTRY_POINT_GROUP, name=f"{protocol}:{name}"):
        factory: EngineFactory = point.load()
        return factory
    raise LookupError(f"no engine {name!r} for {protocol!r}")
