"""Where connections come from: TCP sockets, with TLS or in the clear.

RFC 7301 (ALPN chooses the version under TLS), RFC 9113 section 3.3 (in the clear an HTTP/2 client begins
with its preface, by prior knowledge), RFC 7540 section 3.2 (or asks for it in an HTTP/1.1 request).
"""

from __future__ import annotations

import errno
import logging
import socket
from typing import TYPE_CHECKING

from ..channel.wire import FIRST_READ, ByteStreamWire
from ..network.backend import format_address
from ..network.connect import start_tls
from ..network.stream import SocketStream, Stream
from ..protocol.connection import Role
from .channel import ServerChannel
from .upgrade import upgrade

if TYPE_CHECKING:
    import ssl

    from ..protocol.connection import ByteStreamConnection
    from .server import Server

log = logging.getLogger("h123.server")

PREFACE_START = b"PRI * HTTP/2.0\r\n"
ACCEPT_AT_ONCE = 64
"""Connections taken in a row before those that are open have their turn."""
OUT_OF_FILES = 0.5
"""Seconds to leave a listening socket alone when the system has no more file descriptors."""


class TCPListener:
    """One listening socket."""

    def __init__(self, server: Server, sock: socket.socket, context: ssl.SSLContext | None) -> None:
        self.server = server
        self.sock = sock
        self.context = context
        self.backend = server.backend
        self.is_paused = False

    def start(self) -> None:
        """Begin to accept."""
        self.backend.watch(self.sock, self._accept)

    def close(self) -> None:
        """Accept no more."""
        self.backend.unwatch(self.sock)
        self.sock.close()

    def pause(self) -> None:
        """Leave further connections in the kernel's queue."""
        if not self.is_paused:
            self.is_paused = True
            self.backend.unwatch(self.sock)

    def resume(self) -> None:
        """Accept again."""
        if self.is_paused and self.sock.fileno() >= 0:
            self.is_paused = False
            self.start()

    def _accept(self) -> None:
        for _ in range(ACCEPT_AT_ONCE):
            if self.server.is_full:
                self.pause()
                return
            try:
                sock, address = self.sock.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    log.error("out of files, or of memory: cannot accept connections: %s", error)
                    self.pause()
                    self.backend.call_at(self.backend.now() + OUT_OF_FILES, self.resume)
                    return
                continue  # that client is gone already
            try:
                stream = SocketStream(sock)
            except OSError:
                sock.close()
                continue
            self.server.begin(self._welcome(stream, format_address(address)))

    async def _welcome(self, stream: Stream, peer: str) -> None:
        """Find out what a new connection speaks and let a channel have it."""
        server = self.server
        local = stream.local_address
        data = b""
        try:
            if self.context is not None:
                stream = await start_tls(
                    self.backend,
                    stream,
                    self.context,
                    None,
                    server.limits.handshake_timeout,
                    server_side=True,
                )
                protocol = stream.alpn_protocol or ("http/1.1" if server.http1 else "h2")
            elif server.http1 and server.http2:
                data = await self._first_bytes(stream)
                is_http2 = bool(data) and PREFACE_START.startswith(data[: len(PREFACE_START)])
                protocol = "h2" if is_http2 else "http/1.1"
            else:
                protocol = "http/1.1" if server.http1 else "h2"
            self._begin(stream, protocol, peer, local, data)
        except OSError as error:
            log.debug("%s: %s", peer, error)
            stream.close()
        except BaseException:
            stream.close()
            raise

    def _begin(self, stream: Stream, protocol: str, peer: str, local: str, data: bytes) -> None:
        """Make a channel, and let it begin outside this task: there handlers run at once."""
        server = self.server
        upgraded = upgrade(data, server.limits) if data and protocol == "http/1.1" else None
        engine: ByteStreamConnection
        if upgraded is None:
            engine = server.byte_stream_engines[protocol](Role.SERVER, limits=server.limits)
        else:
            engine = upgraded.engine
            data = upgraded.rest
            stream.write(upgraded.answer)
        channel = ServerChannel(
            engine,
            ByteStreamWire(engine, stream),
            self.backend,
            peer,
            answer=server.answerer.answer,
            run=server.runner.run,
            scheme=b"http" if self.context is None else b"https",
            limits=server.limits,
            forget=server.forget,
            local_address=local,
        )
        server.remember(channel)

        def start() -> None:
            channel.start()
            if upgraded is not None:
                channel.take(upgraded.events)
                channel.push()
            if data:
                channel.feed(data)

        self.backend.call_at(self.backend.now(), start)

    async def _first_bytes(self, stream: Stream) -> bytes:
        """Return the beginning of what the client sends: enough to tell HTTP/2's preface from a request."""
        end = self.backend.now() + self.server.limits.header_timeout
        poller = self.backend.poller(stream.sock)
        received = b""
        try:
            while True:
                left = end - self.backend.now()
                if left <= 0 or not await poller.wait(True, False, left):
                    raise TimeoutError("nothing was sent")
                data = stream.read(FIRST_READ)
                if data is None:
                    continue
                received += data
                if not data or len(received) >= len(PREFACE_START):
                    return received
                if not PREFACE_START.startswith(received):
                    return received
        finally:
            poller.close()
