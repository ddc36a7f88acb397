"""How an engine's bytes reach the network and back: one small class for each kind of transport.

The caller holds the channel's lock. Nothing here waits.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from time import perf_counter
from typing import TYPE_CHECKING

from ..network.stream import READ_SIZE
from ..protocol.connection import Role
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


LONG_TURN = 0.0005
"""Seconds that a server would spend on one connection's bytes before the others have their turn."""
WORK_OF_EVENT = 0.00005
"""Seconds that what follows an event is taken to cost: a handler begun, an answer."""
SHORTEST_READ = 1024
FIRST_READ = 4096


class ByteStreamWire(Wire):
    """A TCP connection, TLS over it, a Unix socket.

    A server reads as much at a time as it can deal with in a short turn: that is all there is of a body, and
    a few dozen of frames that cost much and carry little. So a flood takes no more than its share, whatever
    it is made of, and budgets have the time to run out (`Limits`).
    """

    def __init__(self, engine: ByteStreamConnection, stream: Stream) -> None:
        self.engine = engine
        self.stream = stream
        self.at_end = False  # the peer sends no more
        self._takes_turns = engine.role is Role.SERVER
        self._read_size = FIRST_READ if self._takes_turns else READ_SIZE

    def receive(self) -> list[Event] | None:
        """See `Wire.receive`."""
        data = self.stream.read(self._read_size)
        if data is None or self.at_end:
            return None
        if not data:
            self.at_end = True
            return self.engine.receive_eof()
        if not self._takes_turns:
            return self.engine.receive_data(data)
        started = perf_counter()
        events = self.engine.receive_data(data)
        spent = perf_counter() - started + len(events) * WORK_OF_EVENT
        if spent > LONG_TURN:
            self._read_size = max(self._read_size // 2, SHORTEST_READ)
        elif spent * 2 < LONG_TURN and len(data) == self._read_size < READ_SIZE:
            self._read_size *= 2
        return events

    def discard(self) -> int:
        """Read, drop what comes and return how much it was. `at_end` tells when no more will."""
        data = self.stream.read()
        if data == b"":
            self.at_end = True
        return len(data or b"")

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
