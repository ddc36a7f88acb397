"""How long a server waits, and how much it holds at once."""

from __future__ import annotations

from ..protocol.limits import Limits


class ServerLimits(Limits):
    """What a server's engines accept from clients, and for how long it waits. Times are seconds."""

    handshake_timeout: float = 10.0
    """For the TLS or QUIC handshake."""
    header_timeout: float = 10.0
    """From a connection's beginning, or the first byte of a request, to the end of its header section."""
    read_timeout: float = 60.0
    """Between parts of a request's content that a handler waits for."""
    write_timeout: float = 60.0
    """Without any progress of a response that the client does not take."""
    idle_timeout: float = 75.0
    """Without a request on an open connection."""
    linger_timeout: float = 2.0
    """For a client to take the last response and close, before the connection is dropped."""
    connections: int = 10000
    """Connections open at once; further ones wait to be accepted."""


DEFAULT_LIMITS = ServerLimits()
