"""How an engine's bytes reach the network and back: one small class for each kind of transport.

The caller holds the channel's lock. Nothing here waits.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from ..protocol.errors import RemoteProtocolError

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from ..network.stream import Stream
    from ..network.udp import UDPSocket
    from ..protocol.connection import ByteStreamConnection, DatagramConnection
    from ..protocol.events import Event


class Wire(ABC):
    """What carries one connection. Errors of the network are plain `OSError`."""

    @abstractmethod
    def receive(self) -> list[Event] | None:
        """Read once, a bounded amount, and return the events; None when nothing has come.

        Raises `RemoteProtocolError` as the engine does.
        """

    @abstractmethod
    def flush(self) -> None:
        """Send what the engine has to send, as far as the network takes it; the rest stays queued."""

    @property
    @abstractmethod
    def unsent(self) -> int:
        """Bytes queued for the network."""

    @property
    def pending(self) -> bool:
        """Whether received bytes wait above the socket, where polling does not see them."""
        return False

    def next_timeout(self) -> float | None:
        """Return when `handle_timeout` is due, in the backend's time."""
        return None

    def handle_timeout(self) -> list[Event]:
        """Let the engine's time pass."""
        return []

    @abstractmethod
    def socket(self) -> socket.socket | None:
        """Return what to poll, or None when somebody else reads for this connection."""

    @abstractmethod
    def interrupt(self) -> None:
        """Make a poll of the socket in another thread return, without closing the socket."""

    @abstractmethod
    def close(self) -> None:
        """Close the transport at once. Idempotent."""


class ByteStreamWire(Wire):
    """A TCP connection, TLS over it, a Unix socket."""

    def __init__(self, engine: ByteStreamConnection, stream: Stream) -> None:
        self.engine = engine
        self.stream = stream
        self.at_end = False  # the peer sends no more

    def receive(self) -> list[Event] | None:
        """See `Wire.receive`."""
        data = self.stream.read()
        if data is None or self.at_end:
            return None
        if data:
            return self.engine.receive_data(data)
        self.at_end = True
        return self.engine.receive_eof()

    def discard(self) -> None:
        """Read, and drop what comes. `at_end` tells when no more will."""
        if self.stream.read() == b"":
            self.at_end = True

    def flush(self) -> None:
        """See `Wire.flush`."""
        data = self.engine.data_to_send()
        if data:
            self.stream.write(data)
        elif self.stream.unsent:
            self.stream.flush()

    @property
    def unsent(self) -> int:
        """See `Wire.unsent`."""
        return self.stream.unsent

    @property
    def pending(self) -> bool:
        """See `Wire.pending`."""
        return self.stream.has_pending

    def socket(self) -> socket.socket | None:
        """See `Wire.socket`."""
        return self.stream.sock  # type: ignore[no-any-return]  # a test's backend has others

    def interrupt(self) -> None:
        """See `Wire.interrupt`."""
        self.stream.interrupt()

    def close(self) -> None:
        """See `Wire.close`."""
        self.stream.close()


class DatagramWire(Wire):
    """A UDP socket of this connection's own: what a client has."""

    def __init__(
        self, engine: DatagramConnection, socket: UDPSocket, now: Callable[[], float]
    ) -> None:
        self.engine = engine
        self.udp = socket
        self.now = now

    def receive(self) -> list[Event] | None:
        """See `Wire.receive`."""
        datagrams = self.udp.receive_many()
        if not datagrams:
            return None
        now = self.now()
        events: list[Event] = []
        try:
            for data, address in datagrams:
                events += self.engine.receive_datagram(data, address, now)
        except RemoteProtocolError as error:
            error.events[:0] = events  # nothing that came before the fault is lost
            raise
        return events

    def flush(self) -> None:
        """See `Wire.flush`."""
        self.udp.send_many(self.engine.datagrams_to_send(self.now()))

    @property
    def unsent(self) -> int:
        """See `Wire.unsent`."""
        return self.udp.unsent

    def next_timeout(self) -> float | None:
        """See `Wire.next_timeout`."""
        return self.engine.next_timeout()

    def handle_timeout(self) -> list[Event]:
        """See `Wire.handle_timeout`."""
        return self.engine.handle_timeout(self.now())

    def socket(self) -> socket.socket | None:
        """See `Wire.socket`."""
        return self.udp.sock

    def interrupt(self) -> None:
        """See `Wire.interrupt`."""
        # a poller of a shared connection is woken, which is enough

    def close(self) -> None:
        """See `Wire.close`."""
        self.udp.close()
