"""What `h123 --version` prints: the version, Python, and which engines run. It loads none of them."""

from __future__ import annotations

import platform
import ssl
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from .._version import __version__

_ENGINES = (
    ("HTTP/1.1", "h123.protocol.http1.connection"),
    ("HTTP/2", "h123.protocol.http2.connection"),
    ("HTTP/3", "h123.protocol.http3.connection"),
)
_HTTP3_NEEDS = ("aioquic", "pylsqpack")


def version_text() -> str:
    """Return the lines of `h123 --version`."""
    lines = [
        f"h123 {__version__}",
        f"Python {platform.python_version()} ({platform.python_implementation()}), {ssl.OPENSSL_VERSION}",
    ]
    lines += [f"{name:<8}  {_engine(name, module)}" for name, module in _ENGINES]
    return "\n".join(lines)


def _engine(name: str, module: str) -> str:
    spec = find_spec(module)
    if spec is None:
        return "not available: not part of this installation"
    kind = "pure Python" if (spec.origin or "").endswith(".py") else "compiled"
    if name != "HTTP/3":
        return kind
    missing = [library for library in _HTTP3_NEEDS if find_spec(library) is None]
    if missing:
        return f"not available: {' and '.join(missing)} not installed"
    return f"{kind}, over {' and '.join(f'{lib} {_version(lib)}' for lib in _HTTP3_NEEDS)}"


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:  # importable, but not installed as a distribution
        return "of an unknown version"
