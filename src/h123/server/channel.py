"""One client's connection, on the server's side of it.

What a server adds to the pump: each request starts a task, faults are answered where the version lets one,
the last response is not cut off by closing too early (RFC 9112 section 9.6), and time is watched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..channel.channel import Channel
from ..channel.wire import ByteStreamWire
from ..message.exceptions import HTTPError, RemoteProtocolError
from ..message.status_codes import codes
from ..protocol import errors as engine_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from ..channel.exchange import Exchange
    from ..channel.wire import Wire
    from ..network.backend import EventLoopBackend
    from ..protocol.connection import Connection
    from .limits import ServerLimits

NEVER = float("inf")


class ServerChannel(Channel):
    """A connection that a client made.

    Attributes:
        scheme: of the requests that do not say: `b"https"` or `b"http"`.
        deadline: when `expire` is due, unless something happens before.
    """

    def __init__(
        self,
        engine: Connection,
        wire: Wire,
        backend: EventLoopBackend,
        peer: str,
        *,
        answer: Callable[[ServerChannel, Exchange], Coroutine[Any, Any, None]],
        scheme: bytes,
        limits: ServerLimits,
        forget: Callable[[ServerChannel], None],
        local_address: str = "",
    ) -> None:
        super().__init__(engine, wire, backend, peer)
        self.scheme = scheme
        self.limits = limits
        self.local_address = local_address
        self.deadline = backend.now() + limits.header_timeout
        self._answer = answer
        self._spawn = backend.spawn
        self._forget = forget
        self._between_requests = True
        self._lingering = False
        self._hung_up = False

    def request_received(self, exchange: Exchange) -> None:
        """Begin to answer, in a task."""
        self.deadline = NEVER
        self._between_requests = True
        self._spawn(self._answer(self, exchange))

    def exchange_over(self, exchange: Exchange) -> None:
        """Start to wait for the next request."""
        if not self.exchanges and not self._lingering:
            self.deadline = self.backend.now() + self.limits.idle_timeout

    def peer_broke_protocol(self, error: engine_errors.RemoteProtocolError) -> None:
        """Tell an HTTP/1.1 client what was wrong, unless a response is under way."""
        if self.engine.http_version != "HTTP/1.1" or error.stream_id is None:
            return
        text = f"{error.status} {codes.get_reason_phrase(error.status)}\n{error}\n".encode()
        headers = [
            (b"Content-Type", b"text/plain; charset=utf-8"),
            (b"Content-Length", b"%d" % len(text)),
            (b"Connection", b"close"),
        ]
        try:
            self.engine.send_response(error.stream_id, error.status, headers)
            self.engine.send_data(error.stream_id, text, end_stream=True)
        except engine_errors.LocalProtocolError:
            pass  # the response has begun: all that is left is to cut it off

    # ------------------------------------------------------------------------------- time

    def _receive(self) -> None:
        if self._lingering:
            self._drop_input()
            return
        super()._receive()
        if (
            self._between_requests
            and not self.exchanges
            and not self.is_closed
            and self.engine.http_version == "HTTP/1.1"
        ):
            # A request has begun: the time for its header section runs from its first byte.
            self._between_requests = False
            self.deadline = min(self.deadline, self.backend.now() + self.limits.header_timeout)

    def expire(self) -> None:
        """End the connection because its deadline has passed."""
        if self._lingering:
            with self.lock:
                self._end(self.error or RemoteProtocolError("closed"))
        else:
            self.close()

    # ------------------------------------------------------------------------------ ending

    def finish(self, error: HTTPError) -> None:
        """Say that nothing more will be sent, and let the client take what was.

        Closing a socket with unread bytes in it makes the kernel send a reset, which can destroy the last
        response on its way. So reading goes on, to nobody, until the client closes or a short time is over.
        """
        wire = self.wire
        if not isinstance(wire, ByteStreamWire) or wire.at_end or self._write_failed:
            self._end(error)
            return
        if not self._lingering:
            self._lingering = True
            self.error = error
            self.deadline = self.backend.now() + self.limits.linger_timeout
            for exchange in list(self.exchanges.values()):
                self._break(exchange, error)
            self._watch()
        if not wire.unsent and not self._hung_up:
            self._hung_up = True
            try:
                wire.stream.shutdown_write()
            except OSError:
                self._end(error)

    def wants_data(self) -> bool:
        """Whether to go on reading: while lingering, to the end."""
        return self._lingering or super().wants_data()

    def _drop_input(self) -> None:
        wire = self.wire
        assert isinstance(wire, ByteStreamWire)
        assert self.error is not None
        try:
            wire.discard()
        except OSError:
            wire.at_end = True
        if wire.at_end:
            self._end(self.error)

    def drain(self) -> None:
        """Take no new requests; close at once if none is under way."""
        if self.exchanges:
            super().drain()
        else:
            self.close()

    def closed(self) -> None:
        """Leave the server's list."""
        self._forget(self)
