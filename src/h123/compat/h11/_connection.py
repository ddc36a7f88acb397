"""Where programs find what h11 does not export."""

from h123.compat.h11.connection import DEFAULT_MAX_INCOMPLETE_EVENT_SIZE, Connection

__all__ = ["DEFAULT_MAX_INCOMPLETE_EVENT_SIZE", "Connection"]
