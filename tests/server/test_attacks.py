"""Clients that mean harm, and accidents that look the same: the others are served, nothing is left behind."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import resource
import socket
import ssl
from collections.abc import Callable
from typing import Any

import pytest
from tests.server.peers import TIME, DatagramPeer, EnginePeer, open_peer

from h123.message import Request, Response
from h123.network.certificates import LocalCertificate
from h123.protocol.errors import ErrorCode, RemoteProtocolError
from h123.protocol.http2 import frames
from h123.protocol.limits import Limits
from h123.server.server import Server

Run = Callable[[Any], None]


async def hello(request: Request) -> Response:
    return Response(200, text="hello")


async def wait_until(ready: Callable[[], object]) -> None:
    async with asyncio.timeout(TIME):
        while not ready():  # noqa: ASYNC110  # it looks at what tells nobody
            await asyncio.sleep(0.001)


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> Any:
    """What clients do is no error of the server's: nothing above DEBUG, and no traceback at all."""
    caplog.set_level(logging.DEBUG, "h123.server")
    caplog.set_level(logging.WARNING, "asyncio")
    yield
    for record in caplog.get_records("call"):
        if record.name in ("h123.server", "asyncio") and "out of files" not in record.getMessage():
            assert record.levelno < logging.WARNING, record.getMessage()
            assert record.exc_info is None


def tls_port(server: Server) -> int:
    return int(server.urls[0].rpartition(":")[2])


def client_hello() -> bytes:
    """Return the first bytes of a TLS client."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context()
    tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


def open_files() -> int:
    gc.collect()
    return len(os.listdir("/proc/self/fd"))


# ------------------------------------------------------------------------------ handshakes


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        client_hello()[:100],
        client_hello()[:-1],
        client_hello(),
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\x16\x03\x01\xff\xff" + b"\0" * 70000,
        os.urandom(1000),
    ],
    ids=["silence", "half a hello", "almost", "hello and silence", "HTTP", "huge", "noise"],
)
def test_a_tls_handshake_that_does_not_go_on_ends(run: Run, serving: Any, sent: bytes) -> None:
    async def main() -> None:
        async with serving(hello, handshake_timeout=0.2) as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", tls_port(server))
            writer.write(sent)
            async with asyncio.timeout(TIME):
                try:
                    while await reader.read(65536):
                        pass
                except ConnectionError:
                    pass  # a reset ends it as well
            writer.close()
            await wait_until(lambda: not server._welcoming and not server._channels)

    run(main())


@pytest.mark.parametrize("when", ["at once", "in the handshake"])
def test_clients_that_leave_before_they_ask_leave_nothing(
    run: Run, serving: Any, when: str
) -> None:
    async def main() -> None:
        async with serving(hello) as server:
            for number in (0, 1):
                port = int(server.urls[number].rpartition(":")[2])
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                if when != "at once":
                    writer.write(client_hello() if number == 0 else b"GET")
                    await writer.drain()
                writer.transport.abort()
            await wait_until(lambda: not server._welcoming and not server._channels)

    run(main())


# ------------------------------------------------------------------------------ UDP


def test_garbage_on_the_udp_port_is_dropped(run: Run, serving: Any) -> None:
    async def main() -> None:
        async with serving(hello) as server:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.connect(("127.0.0.1", tls_port(server)))
                for size in (0, 1, 5, 7, 20, 1200, 1500):
                    for first in (0x00, 0x40, 0x80, 0xC0, 0xFF):
                        sock.send(bytes([first] * min(size, 1)) + os.urandom(max(size - 1, 0)))
                # Initial packets of version 1 that hold nothing that can be read
                for _ in range(20):
                    ids = b"\x08" + os.urandom(8) + b"\x08" + os.urandom(8)
                    sock.send(b"\xc3\0\0\0\1" + ids + b"\0\x44\x9e" + os.urandom(1200))
            async with open_peer(server, "3") as peer:
                assert (await peer.get()).content == b"hello"
            listener = server._udp[0].listener
            await wait_until(lambda: not listener.half_open)
            assert len(server._channels) <= 1

    run(main())


def begin_handshake(server: Server) -> DatagramPeer:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.connect(("127.0.0.1", tls_port(server)))
    return DatagramPeer(sock, Limits())


def test_many_handshakes_that_do_not_go_on_make_clients_prove_their_address(
    run: Run, serving: Any
) -> None:
    """RFC 9000 section 8.1.2: Retry costs no state."""

    async def main() -> None:
        async with serving(hello, handshake_timeout=0.5) as server:
            listener = server._udp[0].listener
            listener._retry_above = 4
            peers = [begin_handshake(server) for _ in range(12)]
            for peer in peers:
                await peer.flush()
            await wait_until(lambda: listener.half_open == 4)
            async with open_peer(server, "3") as honest:  # it comes back with its token
                assert (await honest.get()).content == b"hello"
                assert len(server._channels) == 5
            for peer in peers:
                peer.vanish()
            await wait_until(lambda: not listener.half_open)
            await wait_until(lambda: len(server._channels) <= 1)

    run(main())


# ------------------------------------------------------------------------------ how many


@pytest.mark.parametrize(("first", "second"), [("1.1", "3"), ("3", "1.1"), ("3", "3")])
def test_the_limit_on_connections_holds_over_all_versions(
    run: Run, serving: Any, first: str, second: str
) -> None:
    async def main() -> None:
        async with serving(hello, connections=1, idle_timeout=60.0) as server:
            async with open_peer(server, first) as one:
                assert (await one.get()).content == b"hello"
                if second == "3":
                    other = begin_handshake(server)
                    await other.flush()
                    assert (await one.get()).content == b"hello"
                    assert len(server._channels) == 1
                    other.vanish()
                one.engine.close(ErrorCode.CANCEL)
                await one.flush()
            async with open_peer(server, second) as two:
                assert (await two.get()).content == b"hello"
                assert len(server._channels) == 1

    run(main())


def test_no_file_stays_open(run: Run, serving: Any, certificate: LocalCertificate) -> None:
    async def main() -> None:
        async with serving(hello, handshake_timeout=0.2, header_timeout=0.2) as server:
            async with open_peer(server, "2"):
                pass
            before = open_files()
            for _ in range(10):
                for version in ("1.1", "2", "3"):
                    async with open_peer(server, version) as peer:
                        await peer.get()
                for number, sent in (
                    (0, b"garbage\r\n\r\n"),
                    (0, b""),
                    (1, b"\0\r\n\r\n"),
                    (1, b""),
                ):
                    port = int(server.urls[number].rpartition(":")[2])
                    with socket.create_connection(("127.0.0.1", port)) as sock:
                        sock.sendall(sent)
            await wait_until(
                lambda: (
                    not server._welcoming
                    and all(channel.engine.http_version == "HTTP/3" for channel in server._channels)
                )
            )
            await wait_until(lambda: open_files() <= before)

    run(main())


def test_a_server_out_of_files_goes_on_when_there_are_some(
    run: Run, make_server: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("h123.server.listeners.OUT_OF_FILES", 0.05)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)

    async def main() -> None:
        async with make_server(hello) as server:
            with socket.socket() as sock:
                most = max(int(name) for name in os.listdir("/proc/self/fd"))
                spare = [os.open("/dev/null", os.O_RDONLY) for _ in range(most)]
                try:
                    resource.setrlimit(resource.RLIMIT_NOFILE, (max(spare) + 1, limits[1]))
                    sock.setblocking(False)
                    sock.connect_ex(("127.0.0.1", int(server.urls[0].rpartition(":")[2])))
                    await wait_until(lambda: "cannot accept" in caplog.text)
                    assert server._tcp[0].is_paused
                finally:
                    resource.setrlimit(resource.RLIMIT_NOFILE, limits)
                    for number in spare:
                        os.close(number)
                loop = asyncio.get_running_loop()
                await loop.sock_sendall(sock, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                answer = await asyncio.wait_for(loop.sock_recv(sock, 65536), TIME)
                assert answer.startswith(b"HTTP/1.1 200")

    run(main())
    assert "out of files" in caplog.text


# ------------------------------------------------------------------------------ floods


def test_a_flood_of_pipelined_requests_leaves_the_others_their_turn(
    run: Run, make_server: Any
) -> None:
    answered = []

    async def count(request: Request) -> Response:
        answered.append(request.url.path)
        return Response(200, text="hello")

    flood = b"GET /flood HTTP/1.1\r\nHost: a\r\n\r\n" * 10000

    async def main() -> None:
        async with (
            make_server(count) as server,
            open_peer(server, "1.1") as honest,
            open_peer(server, "1.1") as attacker,
        ):
            loop = asyncio.get_running_loop()
            assert (await honest.get()).content == b"hello"
            sending = asyncio.ensure_future(loop.sock_sendall(attacker.sock, flood))

            async def drop_answers() -> None:
                size = 0
                while answered.count("/flood") < 10000 or size < 10000:
                    size += len(await loop.sock_recv(attacker.sock, 65536))

            dropping = asyncio.ensure_future(drop_answers())
            await wait_until(lambda: len(answered) > 1)
            before = len(answered)
            assert (await honest.get(b"/honest")).content == b"hello"
            assert answered.index("/honest") - before < 500
            await asyncio.wait_for(sending, TIME)
            await asyncio.wait_for(dropping, TIME)

    run(main())
    assert answered.count("/flood") == 10000  # they were all legitimate


def test_a_flood_of_pipelined_requests_whose_answers_nobody_reads_stands_still(
    run: Run, make_server: Any
) -> None:
    answered = []

    async def much(request: Request) -> Response:
        answered.append(1)
        return Response(200, content=b"x" * 60000)

    async def main() -> None:
        async with make_server(much) as server, open_peer(server, "1.1") as attacker:
            loop = asyncio.get_running_loop()
            sending = asyncio.ensure_future(
                loop.sock_sendall(attacker.sock, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 100000)
            )
            before = -1
            while len(answered) != before:
                before = len(answered)
                await asyncio.sleep(0.1)
            assert len(answered) < 1000
            channel = next(iter(server._channels))
            assert channel.wire.unsent < 1 << 20
            sending.cancel()
            await asyncio.wait([sending])

    run(main())


PING = frames.frame(frames.PING, 0, 0, b"12345678")
SETTINGS = frames.frame(frames.SETTINGS, 0, 0, b"")
PRIORITY = frames.frame(frames.PRIORITY, 0, 99, b"\0\0\0\0\0")


@pytest.mark.parametrize("frame", [PING, SETTINGS, PRIORITY], ids=["PING", "SETTINGS", "PRIORITY"])
def test_frames_that_ask_for_nothing_end_the_connection(
    run: Run, make_server: Any, frame: bytes
) -> None:
    """CVE-2019-9512, CVE-2019-9515: the others do not notice."""

    async def main() -> None:
        async with (
            make_server(hello, linger_timeout=0.3) as server,
            open_peer(server, "2") as honest,
            open_peer(server, "2") as attacker,
        ):
            loop = asyncio.get_running_loop()
            sending = asyncio.ensure_future(loop.sock_sendall(attacker.sock, frame * 100000))
            assert (await honest.get()).content == b"hello"
            await attacker.end()
            assert isinstance(attacker.closed, (OSError, RemoteProtocolError)) or attacker.goaways
            sending.cancel()
            await asyncio.wait([sending])
            assert (await honest.get()).content == b"hello"
            await wait_until(lambda: len(server._channels) == 1)

    run(main())


def test_rapid_resets_end_the_connection(run: Run, make_server: Any) -> None:
    """CVE-2023-44487."""
    called = []

    async def slow(request: Request) -> Response:
        called.append(1)
        await asyncio.sleep(0)
        return Response(200, text="hello")

    async def main() -> None:
        async with (
            make_server(slow, linger_timeout=0.3) as server,
            open_peer(server, "2") as attacker,
        ):
            while attacker.engine.available_streams >= 90:
                for _ in range(90):
                    attacker.engine.reset_stream(attacker.begin())
                await attacker.get()
            await attacker.end()
            await wait_until(lambda: not server._channels and not server.runner.tasks)
        assert len(called) < 100

    run(main())


def test_a_response_that_never_waits_leaves_the_others_their_turn(
    run: Run, make_server: Any
) -> None:
    """However fast its client reads, and however fast it is made."""

    async def handler(request: Request) -> Response:
        if request.url.path != "/endless":
            return Response(200, text="hello")

        async def parts() -> Any:
            while True:
                yield b"x" * 16384

        return Response(200, content=parts())

    def read_fast(sock: socket.socket) -> None:
        try:
            while sock.recv(1 << 20):
                pass
        except OSError:
            pass

    async def main() -> None:
        async with make_server(handler) as server, open_peer(server, "1.1") as honest:
            with socket.create_connection(honest.sock.getpeername()) as sock:
                sock.sendall(b"GET /endless HTTP/1.1\r\nHost: a\r\n\r\n")
                reading = asyncio.get_running_loop().run_in_executor(None, read_fast, sock)
                for _ in range(5):
                    assert (await honest.get()).content == b"hello"
                sock.shutdown(socket.SHUT_RDWR)
                await asyncio.wait_for(reading, TIME)

    run(main())


# ------------------------------------------------------------------------------ logs


async def one_of_each(server: Server) -> list[EnginePeer]:
    peers = []
    for version in ("1.1", "2", "3"):
        async with open_peer(server, version) as peer:
            await peer.get(b"/path?query")
            peers.append(peer)
    return peers


def test_the_access_log_has_a_line_a_request(
    run: Run, serving: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "h123.access")

    async def main() -> None:
        async with serving(hello) as server:
            peers = await one_of_each(server)
            lines = [r.getMessage() for r in caplog.records if r.name == "h123.access"]
            versions = ("HTTP/1.1", "HTTP/2", "HTTP/3")
            assert len(lines) == 3
            for line, peer, version in zip(lines, peers, versions, strict=True):
                assert line.startswith("127.0.0.1:")
                assert f' "GET /path?query {version}" 200 ' in line
                assert line.endswith(" ms")
                assert peer.closed is None

    run(main())


def test_the_access_log_tells_of_responses_that_broke_off(
    run: Run, make_server: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "h123.access")

    async def slow(request: Request) -> Response:
        await request.aread()
        raise AssertionError

    async def main() -> None:
        async with make_server(slow) as server:
            async with open_peer(server, "1.1") as peer:
                await peer.request(b"POST", end_stream=False)
                await wait_until(lambda: server.runner.tasks)
            await wait_until(lambda: not server.runner.tasks)
        assert '"POST / HTTP/1.1" broken off' in caplog.text

    run(main())


def test_a_log_that_is_off_costs_nothing(
    run: Run, serving: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.WARNING, "h123.access")
    monkeypatch.setattr("h123.server.answering._log_access", None)

    async def main() -> None:
        async with serving(hello) as server:
            await one_of_each(server)

    run(main())
