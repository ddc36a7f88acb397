"""TLS over streams: in memory, where every cut can be made, and against the standard library's sockets."""

from __future__ import annotations

import socket
import ssl
from typing import Any

import pytest

from h123.network.blocking import BlockingBackend, run
from h123.network.connect import start_tls
from h123.network.memory import MemoryBackend, memory_pair
from h123.network.stream import SocketStream
from h123.network.tls import client_context, server_context
from h123.network.tls_stream import TLSStream


class Secured:
    """Both ends of a TLS connection in memory, and the streams below."""

    def __init__(self, files: Any, capacity: int = 65536, sizes: tuple[int, ...] = ()) -> None:
        self.files = files
        self.backend = MemoryBackend()
        self.below = memory_pair(capacity)
        for end in self.below:
            end.incoming.cut(*sizes)
        self.client, self.server = self.secure(*self.below)

    def secure(self, client: Any, server: Any) -> list[TLSStream]:
        outside = client_context(self.files.ca, alpn=("h2", "http/1.1"))
        inside = server_context(self.files.both, alpn=("http/1.1",))
        made: list[TLSStream] = []

        async def flushed(starting: Any) -> TLSStream:
            stream: TLSStream = await starting
            made.append(stream)
            poller = self.backend.poller(stream.sock)
            while stream.unsent and len(made) < 2:  # the server's tickets may wait
                await poller.wait(False, True, 10)
                stream.flush()
            return stream

        return self.backend.run(
            flushed(start_tls(self.backend, client, outside, "localhost", 10)),
            flushed(start_tls(self.backend, server, inside, None, 10, server_side=True)),
        )

    def deliver(self) -> None:
        """Let the client take the tickets that every TLS 1.3 server sends first."""
        while self.client.read() is not None:
            pass


@pytest.fixture
def secured(files: Any) -> Secured:
    made = Secured(files)
    made.deliver()
    return made


def test_what_was_agreed_is_told(secured: Secured) -> None:
    assert secured.client.alpn_protocol == secured.server.alpn_protocol == "http/1.1"
    assert secured.client.tls.version() == "TLSv1.3"
    assert secured.client.tls.getpeercert()["subjectAltName"]
    assert secured.client.peer_address == "server"
    assert secured.client.fileno() == -1
    assert "TLSv1.3 over <" in repr(secured.client)


@pytest.mark.parametrize(
    ("capacity", "sizes"), [(65536, ()), (65536, (1,)), (100, (7, 3)), (1, ())]
)
def test_bytes_arrive_however_they_are_cut(
    files: Any, helpers: Any, capacity: int, sizes: tuple[int, ...]
) -> None:
    secured = Secured(files, capacity, sizes)
    data = bytes(range(256)) * (200 if capacity > 100 else 20)
    client, server, backend = secured.client, secured.server, secured.backend

    async def talk(stream: TLSStream) -> None:
        await helpers.send_all(backend, stream, data)
        stream.shutdown_write()
        await helpers.send_all(backend, stream, b"")  # close_notify may have to wait too

    read = helpers.read_all
    results = backend.run(talk(client), talk(server), read(backend, client), read(backend, server))
    assert results == [None, None, data, data]
    assert not client.truncated
    assert not server.truncated


def test_many_records_come_in_one_read(secured: Secured) -> None:
    for _ in range(5):
        secured.client.write(b"x" * 10_000)
    assert secured.server.read() == b"x" * 50_000
    assert secured.server.read() is None


def test_a_small_read_gives_at_most_a_record_more(secured: Secured) -> None:
    secured.client.write(b"x" * 60_000)
    sizes: list[int] = []
    while len(data := secured.server.read(100) or b"") or sum(sizes) < 60_000:
        sizes.append(len(data))
    assert sum(sizes) == 60_000
    assert max(sizes) <= 100 + 16384


def test_section_5_1_nothing_after_the_handshake_is_read_ahead(files: Any) -> None:
    """A request that comes with the client's Finished stays where polling the socket shows it."""
    backend = MemoryBackend()
    client, server = memory_pair()

    async def talk() -> None:
        stream = await start_tls(backend, client, client_context(files.ca), "localhost", 10)
        stream.write(b"GET / HTTP/1.1")

    async def serve() -> tuple[bool, bytes | None]:
        stream = await start_tls(backend, server, server_context(files.both), None, 10, True)
        return server.is_readable, stream.read()

    async def both() -> tuple[bool, bytes | None]:
        task = backend.spawn(talk())
        result = await serve()
        assert task.done()
        return result

    assert backend.run(both()) == [(True, b"GET / HTTP/1.1")]


def test_section_6_1_close_notify_is_a_clean_end(secured: Secured) -> None:
    secured.client.write(b"last")
    secured.client.close()
    assert secured.client.is_closed
    assert secured.server.read() == b"last"
    assert secured.server.has_pending
    assert secured.server.read() == b""
    assert not secured.server.has_pending
    assert secured.server.read() == b""
    assert not secured.server.truncated


def test_section_6_1_an_end_without_close_notify_is_told(secured: Secured) -> None:
    secured.client.write(b"last")
    secured.below[0].close()
    assert [secured.server.read() for _ in range(3)] == [b"last", b"", b""]
    assert secured.server.truncated


def test_closing_with_bytes_unsent_shows_the_peer_a_cut(files: Any) -> None:
    secured = Secured(files, capacity=3000)
    secured.deliver()
    secured.client.write(b"x" * 10_000)
    assert secured.client.unsent > 0
    secured.client.close()
    assert secured.client.unsent == 0
    while secured.server.read() != b"":
        pass
    assert secured.server.truncated


def test_after_shutdown_write_reading_goes_on(secured: Secured) -> None:
    secured.server.shutdown_write()
    assert secured.client.read() == b""
    secured.client.write(b"still here")
    assert secured.server.read() == b"still here"
    with pytest.raises(BrokenPipeError, match="writing to client"):
        secured.server.write(b"x")
    secured.client.close()
    assert secured.server.read() == b""
    assert not secured.server.truncated
    secured.server.close()


@pytest.mark.parametrize("alone", [False, True])
def test_a_record_that_was_tampered_with(secured: Secured, alone: bool) -> None:
    if not alone:
        secured.client.write(b"good")
    before = len(secured.below[1].incoming._buffer)
    secured.client.write(b"evil")
    secured.below[1].incoming._buffer[before + 10] ^= 1
    if not alone:
        assert secured.server.read() == b"good"
        assert secured.server.has_pending
    for _ in range(2):
        with pytest.raises(
            ssl.SSLError, match=r"^reading from client: decryption failed or bad rec"
        ):
            secured.server.read()
    assert not secured.server.has_pending
    with pytest.raises(ssl.SSLError, match=r"^reading from server: .*bad record mac"):
        secured.client.read()  # it was told by an alert
    secured.server.close()


def test_an_alert_that_can_not_be_sent_is_no_other_error(secured: Secured) -> None:
    secured.client.write(b"evil")
    secured.below[1].incoming._buffer[10] ^= 1
    secured.below[0].incoming.error = OSError("gone")
    with pytest.raises(ssl.SSLError, match="decryption failed"):
        secured.server.read()


def test_errors_of_the_stream_below_come_through(secured: Secured) -> None:
    secured.below[0].reset()
    with pytest.raises(ConnectionResetError):
        secured.server.read()
    with pytest.raises(ConnectionResetError):
        secured.server.write(b"x")
    secured.server.close()
    with pytest.raises(ConnectionAbortedError):
        secured.server.write(b"x")
    with pytest.raises(ConnectionAbortedError):
        secured.server.read()
    secured.server.close()


def test_interrupt_is_for_the_stream_below(secured: Secured) -> None:
    secured.client.interrupt()
    assert secured.client.read() == b""
    assert secured.client.truncated


def test_tls_goes_through_a_tls_proxy(secured: Secured, helpers: Any) -> None:
    inner_client, inner_server = secured.secure(secured.client, secured.server)
    inner_server.write(b"settings")
    backend = secured.backend

    async def talk() -> bytes:
        await helpers.send_all(backend, inner_client, b"x" * 100_000)
        inner_client.shutdown_write()
        return bytes(await helpers.read_some(backend, inner_client))

    results = backend.run(talk(), helpers.read_all(backend, inner_server))
    assert results == [b"settings", b"x" * 100_000]


def test_ending_with_bytes_unsent_is_a_mistake(files: Any) -> None:
    secured = Secured(files, capacity=3000)
    for end in (secured.client, secured.below[1]):
        end.write(b"x" * 10_000)
        with pytest.raises(RuntimeError, match="unsent"):
            end.shutdown_write()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_the_standard_library_understands_us(
    world: Any, files: Any, beside: Any, helpers: Any, version: ssl.TLSVersion
) -> None:
    """A megabyte there and back, then close_notify both ways."""
    context = files.server()
    context.maximum_version = version
    listener = socket.create_server(("127.0.0.1", 0))
    size = 1 << 20

    def echo() -> None:
        with listener, context.wrap_socket(listener.accept()[0], server_side=True) as peer:
            peer.settimeout(10)
            received = bytearray()
            while len(received) < size:
                received += peer.recv(65536)
            peer.sendall(received)
            peer.unwrap().close()

    beside(echo)

    async def talk(backend: Any) -> bytes:
        sock = socket.create_connection(listener.getsockname())
        stream = await start_tls(
            backend, SocketStream(sock), client_context(files.ca), "127.0.0.1", 10
        )
        await helpers.send_all(backend, stream, b"\xa5" * size)
        received = b""
        while len(received) < size:
            received += await helpers.read_some(backend, stream)
        assert await helpers.read_some(backend, stream) == b""
        assert not stream.truncated
        stream.close()
        return received

    assert world.run(talk) == b"\xa5" * size


def test_a_server_that_only_drops_the_connection(files: Any, beside: Any, helpers: Any) -> None:
    listener = socket.create_server(("127.0.0.1", 0))

    def drop() -> None:
        with listener, files.server().wrap_socket(listener.accept()[0], server_side=True) as peer:
            peer.sendall(b"half a respo")

    beside(drop)
    backend = BlockingBackend()
    sock = SocketStream(socket.create_connection(listener.getsockname()))
    stream = run(start_tls(backend, sock, client_context(files.ca), "localhost", 10))
    assert run(helpers.read_all(backend, stream)) == b"half a respo"
    assert stream.truncated
    stream.close()
