"""What pyproject.toml can not say: `H123_COMPILE=1` compiles the engines with mypyc.

The wheel that is published is pure. The same source is compiled where the variable is set:

    H123_COMPILE=1 pip install .

`h123 --version` tells which is running.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from setuptools import setup

SOURCE = Path("src")
NOT_COMPILED = (
    "limits.py",  # users subclass it, with fields that it finds by their annotations
    "native.py",  # what plain Python needs in place of mypyc
    "registry.py",  # runs once
    "sensitive.py",  # a kind of bytes, which compiled classes can not be
    "quic",  # adapters of libraries, as are the next two
    "websocket",
    "http3/qpack.py",
)


def modules() -> list[str]:
    """Return the files to compile."""
    protocol = SOURCE / "h123" / "protocol"
    left_out = [protocol / name for name in NOT_COMPILED]
    return sorted(
        str(path)
        for path in protocol.rglob("*.py")
        if path.name != "__init__.py"
        and not any(path == other or other in path.parents for other in left_out)
    )


def options() -> dict[str, Any]:
    """Return what `setup` is to be told."""
    if os.environ.get("H123_COMPILE", "0") in ("", "0"):
        return {}
    try:
        from mypyc.build import mypycify
    except ImportError:  # pip asks first what the build needs
        return {"setup_requires": ["mypy>=1.13"]}
    extensions = mypycify(["--follow-imports=silent", *modules()], opt_level="3")
    return {"ext_modules": extensions}


setup(**options())
