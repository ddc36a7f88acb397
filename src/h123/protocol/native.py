"""What compiled classes need to be told, and plain Python ignores (mypyc; see setup.py).

A class that is compiled has no subclasses in plain Python, unless it says that it may: the contract's classes
and the events do, so that anyone's engine can take the place of ours. This module itself is never compiled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_extensions import mypyc_attr as mypyc_attr
else:

    def mypyc_attr(**_attributes):
        """Return a class as it is."""
        return lambda cls: cls
