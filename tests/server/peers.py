"""Clients that are nothing but an engine and a socket, so that a test decides about every step."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from h123.protocol.connection import Connection, Role
from h123.protocol.errors import RemoteProtocolError
from h123.protocol.events import (
    ConnectionClosed,
    DataReceived,
    Event,
    GoAwayReceived,
    Headers,
    InformationalReceived,
    ResponseReceived,
    StopSending,
    StreamReset,
    TrailersReceived,
)
from h123.protocol.http1.connection import HTTP1Connection
from h123.protocol.http2.connection import HTTP2Connection
from h123.protocol.http3.connection import HTTP3Connection
from h123.protocol.limits import Limits
from h123.protocol.quic.aioquic import AioQUICEndpoint
from h123.protocol.quic.connection import QUICConfiguration
from h123.server.server import Server

TIME = 20.0
"""Seconds after which a test that waits has failed."""


class Stream:
    """What has come on one stream."""

    def __init__(self) -> None:
        self.informational: list[int] = []
        self.status = 0
        self.headers: Headers = []
        self.content = b""
        self.trailers: Headers = []
        self.ended = False
        self.reset: int | None = None
        self.stop: int | None = None

    @property
    def is_over(self) -> bool:
        return self.ended or self.reset is not None

    def header(self, name: bytes) -> bytes | None:
        return next((value for key, value in self.headers if key.lower() == name), None)


class EnginePeer:
    """One connection to a server: an engine, and the network under it."""

    engine: Connection

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        sock.setblocking(False)
        self.streams: dict[int, Stream] = {}
        self.goaways: list[GoAwayReceived] = []
        self.closed: ConnectionClosed | RemoteProtocolError | OSError | None = None
        self.reads_content = True

    # ---------------------------------------------------------------- sending

    async def request(
        self,
        method: bytes = b"GET",
        path: bytes = b"/",
        headers: Headers | None = None,
        *,
        end_stream: bool = True,
    ) -> int:
        """Start a request and return its stream's id."""
        stream_id = self.begin(method, path, headers, end_stream=end_stream)
        await self.flush()
        return stream_id

    def begin(
        self,
        method: bytes = b"GET",
        path: bytes = b"/",
        headers: Headers | None = None,
        *,
        end_stream: bool = True,
    ) -> int:
        """Start a request that leaves with the next `flush`."""
        stream_id = self.engine.send_request(
            method, path, headers or [], authority=b"localhost", end_stream=end_stream
        )
        self.streams[stream_id] = Stream()
        return stream_id

    async def send(self, stream_id: int, data: bytes, *, end_stream: bool = False) -> None:
        self.engine.send_data(stream_id, data, end_stream=end_stream)
        await self.flush()

    async def flush(self) -> None:
        raise NotImplementedError

    # -------------------------------------------------------------- receiving

    async def receive(self, timeout: float) -> None:
        """Take what comes next."""
        raise NotImplementedError

    async def until(self, ready: Callable[[], object]) -> None:
        """Receive until `ready()` is true."""
        end = time.monotonic() + TIME
        while not ready():
            left = end - time.monotonic()
            assert left > 0, f"in vain: {self.streams.keys()}, {self.closed}"
            assert self.closed is None, f"the connection is over: {self.closed!r}"
            await self.receive(left)

    async def response(self, stream_id: int) -> Stream:
        """Receive until a stream is over."""
        stream = self.streams[stream_id]
        await self.until(lambda: stream.is_over)
        return stream

    async def get(self, path: bytes = b"/") -> Stream:
        return await self.response(await self.request(b"GET", path))

    async def end(self) -> None:
        """Receive until the server has ended the connection."""
        end = time.monotonic() + TIME
        while self.closed is None and not self.engine.is_closed:
            left = end - time.monotonic()
            assert left > 0, "the connection stays open"
            await self.receive(left)

    def take(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, GoAwayReceived):
                self.goaways.append(event)
            elif isinstance(event, ConnectionClosed):
                self.closed = event
            stream = self.streams.get(getattr(event, "stream_id", None) or -1)
            if getattr(event, "stream_id", None) == 0:
                stream = self.streams.get(0)
            if stream is None:
                continue
            if isinstance(event, InformationalReceived):
                stream.informational.append(event.status)
            elif isinstance(event, ResponseReceived):
                stream.status, stream.headers = event.status, event.headers
                stream.ended = event.end_stream
            elif isinstance(event, DataReceived):
                stream.content += event.data
                stream.ended = event.end_stream
                if self.reads_content:
                    self.engine.consume(event.stream_id, len(event.data))
            elif isinstance(event, TrailersReceived):
                stream.trailers, stream.ended = event.headers, True
            elif isinstance(event, StreamReset):
                stream.reset = event.error_code
            elif isinstance(event, StopSending):
                stream.stop = event.error_code

    def vanish(self) -> None:
        """Be gone without a word."""
        self.sock.close()


class StreamPeer(EnginePeer):
    """HTTP/1.1 or 2 over TCP in the clear."""

    engine: HTTP1Connection | HTTP2Connection

    def __init__(self, sock: socket.socket, version: str, limits: Limits) -> None:
        super().__init__(sock)
        kind = HTTP1Connection if version == "1.1" else HTTP2Connection
        self.engine = kind(Role.CLIENT, limits=limits)

    async def flush(self) -> None:
        data = self.engine.data_to_send()
        if data:
            loop = asyncio.get_running_loop()
            try:
                await asyncio.wait_for(loop.sock_sendall(self.sock, data), TIME)
            except OSError:
                pass  # how the connection ended is for reading to tell

    async def receive(self, timeout: float) -> None:
        loop = asyncio.get_running_loop()
        try:
            data = await asyncio.wait_for(loop.sock_recv(self.sock, 65536), timeout)
            self.take(self.engine.receive_data(data) if data else self.engine.receive_eof())
            if not data and self.closed is None:
                self.closed = ConnectionClosed()
        except TimeoutError:
            raise
        except (RemoteProtocolError, OSError) as error:
            if isinstance(error, RemoteProtocolError):
                self.take(error.events)
            self.closed = error
            return
        await self.flush()


class DatagramPeer(EnginePeer):
    """HTTP/3 over UDP."""

    engine: HTTP3Connection

    def __init__(self, sock: socket.socket, limits: Limits) -> None:
        super().__init__(sock)
        self.address = sock.getpeername()
        endpoint = AioQUICEndpoint(
            QUICConfiguration(
                role=Role.CLIENT, server_name="localhost", verify=False, limits=limits
            )
        )
        self.engine = HTTP3Connection(
            Role.CLIENT, endpoint.connect(self.address, time.monotonic()), limits=limits
        )

    async def flush(self) -> None:
        for data, _ in self.engine.datagrams_to_send(time.monotonic()):
            try:
                self.sock.send(data)
            except OSError:
                pass  # lost, as a datagram may be

    async def receive(self, timeout: float) -> None:
        loop = asyncio.get_running_loop()
        now = time.monotonic()
        due = self.engine.next_timeout()
        wait = timeout if due is None else min(timeout, max(due - now, 0.001))
        try:
            try:
                data = await asyncio.wait_for(loop.sock_recv(self.sock, 65536), wait)
                events = self.engine.receive_datagram(data, self.address, time.monotonic())
            except (TimeoutError, ConnectionRefusedError):
                events = self.engine.handle_timeout(time.monotonic())
            self.take(events)
        except RemoteProtocolError as error:
            self.take(error.events)
            self.closed = error
            return
        await self.flush()


@asynccontextmanager
async def open_peer(
    server: Server, version: str, limits: Limits | None = None
) -> AsyncIterator[EnginePeer]:
    """Connect to a server by one version: to its cleartext port, and for HTTP/3 to its other one."""
    scheme = "https:" if version == "3" else "http:"
    port = int(next(url for url in server.urls if url.startswith(scheme)).rpartition(":")[2])
    kind = socket.SOCK_DGRAM if version == "3" else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.connect(("127.0.0.1", port))
        limits = limits or Limits()
        peer: EnginePeer
        if version == "3":
            peer = DatagramPeer(sock, limits)
            await peer.flush()
            engine = peer.engine
            assert isinstance(engine, HTTP3Connection)
            await peer.until(lambda: engine.is_ready and engine.available_streams)
        else:
            peer = StreamPeer(sock, version, limits)
            await peer.flush()
            if version == "2":
                await peer.until(lambda: peer.engine.available_streams)
        yield peer
