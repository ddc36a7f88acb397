"""h11's errors."""

from __future__ import annotations


class ProtocolError(Exception):
    """Base of the two ways in which the protocol can be broken. It is not raised itself."""

    def __init__(self, msg: str, error_status_hint: int = 400) -> None:
        if type(self) is ProtocolError:
            raise TypeError("raise LocalProtocolError or RemoteProtocolError")
        super().__init__(msg)
        self.error_status_hint = error_status_hint


class LocalProtocolError(ProtocolError):
    """This side did what it may not."""


class RemoteProtocolError(ProtocolError):
    """The peer did. `error_status_hint` is the status that a server can answer with."""
