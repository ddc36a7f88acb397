"""Where programs find what h11 does not export."""

from h123.compat.h11.headers import Headers

__all__ = ["Headers"]
