"""Where HTTP/3 connections come from: a UDP socket that all of them share (RFC 9114, RFC 9000)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from ..channel.wire import Wire
from ..network.backend import format_address
from ..protocol.connection import Role
from ..protocol.errors import RemoteProtocolError
from ..protocol.http3.connection import HTTP3Connection
from ..protocol.quic.aioquic import AioQUICEndpoint
from ..protocol.quic.connection import Incoming, QUICConfiguration
from ..protocol.quic.listener import QUICListener
from .channel import ServerChannel

if TYPE_CHECKING:
    from ..network.udp import UDPSocket
    from ..protocol.events import Event
    from .server import Server

log = logging.getLogger("h123.server")

TURNS = 4
"""Batches of datagrams read in a row before others have their turn."""


class SharedDatagramWire(Wire):
    """One connection's share of a server's UDP socket. The listener reads for it."""

    def __init__(self, engine: HTTP3Connection, listener: UDPListener) -> None:
        self.engine = engine
        self.listener = listener

    def receive(self) -> list[Event] | None:
        """See `Wire.receive`."""
        return None

    def flush(self) -> None:
        """See `Wire.flush`."""
        datagrams = self.engine.datagrams_to_send(self.listener.backend.now())
        if datagrams:
            self.listener.send(datagrams)

    @property
    def unsent(self) -> int:
        """See `Wire.unsent`."""
        return (
            0  # the engine's own bounds hold; what the kernel does not take is lost, as on any path
        )

    def next_timeout(self) -> float | None:
        """See `Wire.next_timeout`."""
        return self.engine.next_timeout()

    def handle_timeout(self) -> list[Event]:
        """See `Wire.handle_timeout`."""
        return self.engine.handle_timeout(self.listener.backend.now())

    def socket(self) -> None:
        """See `Wire.socket`."""
        return

    def interrupt(self) -> None:
        """See `Wire.interrupt`: nobody polls here."""

    def close(self) -> None:
        """Leave the socket to the others. An engine that is over gives its place in the listener up."""
        self.flush()


class UDPListener:
    """One UDP socket and its connections."""

    def __init__(self, server: Server, udp: UDPSocket, certificate: bytes, key: bytes) -> None:
        self.server = server
        self.udp = udp
        self.backend = server.backend
        self.endpoint = AioQUICEndpoint(
            QUICConfiguration(
                role=Role.SERVER,
                certificate_chain=certificate,
                private_key=key,
                private_key_password=server.key_password,
                idle_timeout=server.limits.idle_timeout,
                handshake_timeout=server.limits.handshake_timeout,
                limits=server.limits,
            )
        )
        self.listener: QUICListener[ServerChannel] = QUICListener(
            self._accept, connections=server.limits.connections
        )
        self._is_draining = False
        self._sender: Any = None
        self._watching_write = False

    def start(self) -> None:
        """Begin to receive."""
        self.backend.watch(self.udp.sock, self._on_readable)

    def drain(self) -> None:
        """Take no new connections; those that are open go on."""
        self._is_draining = True

    def close(self) -> None:
        """Close the socket."""
        self.backend.unwatch(self.udp.sock)
        if self._watching_write:
            self.backend.unwatch_writable(self.udp.sock)
        self.udp.close()

    def send(self, datagrams: list[tuple[bytes, Any]]) -> None:
        """Send datagrams; a few that the kernel does not take now wait, more are lost."""
        self.udp.send_many(datagrams)
        if self.udp.unsent and not self._watching_write:
            self._watching_write = True
            self.backend.watch_writable(self.udp.sock, self._on_writable)

    def _on_writable(self) -> None:
        self.udp.flush()
        if not self.udp.unsent:
            self._watching_write = False
            self.backend.unwatch_writable(self.udp.sock)

    def _accept(self, incoming: Incoming) -> ServerChannel:
        engine = HTTP3Connection(
            Role.SERVER, self.endpoint.accept(incoming), limits=self.server.limits
        )
        server = self.server
        channel = ServerChannel(
            engine,
            SharedDatagramWire(engine, self),
            self.backend,
            format_address(self._sender),
            answer=server.answerer.answer,
            run=server.runner.run,
            scheme=b"https",
            limits=server.limits,
            forget=server.forget,
            local_address=str(self.udp),
        )
        server.remember(channel)
        channel.start()
        return channel

    def _on_readable(self) -> None:
        """Take what has come, give each datagram to its connection, and answer all of them at the end."""
        now = self.backend.now()
        touched: dict[ServerChannel, None] = {}
        for _ in range(TURNS):
            datagrams = self.udp.receive_many()
            for data, address in datagrams:
                self._sender = address
                self.listener.is_open = not (self._is_draining or self.server.is_full)
                channel = self.listener.receive_datagram(data, address, now)
                if channel is not None:
                    self._give(channel, data, address, now)
                    touched[channel] = None
            if not datagrams:
                break
        answers = self.listener.datagrams_to_send()
        if answers:
            self.send(answers)
        for channel in touched:
            channel.push()

    def _give(self, channel: ServerChannel, data: bytes, address: Any, now: float) -> None:
        engine = channel.engine
        assert isinstance(engine, HTTP3Connection)
        try:
            channel.take(engine.receive_datagram(data, address, now))
        except RemoteProtocolError as error:
            channel.take(error.events, error)
