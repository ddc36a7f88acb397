"""The rarer paths of answering: each one is entered here."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import re
import signal
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from tests.server.peers import TIME, DatagramPeer, open_peer

from h123.channel.exchange import Exchange
from h123.message import Request, Response
from h123.message.exceptions import LocalProtocolError, StreamConsumed
from h123.message.headers import Headers
from h123.network.stream import SocketStream
from h123.protocol.limits import Limits
from h123.server.content import Content
from h123.server.server import Server, serve

Run = Callable[[Any], None]
every_version = pytest.mark.parametrize("version", ["1.1", "2", "3"])


@pytest.fixture(autouse=True)
def watched(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "h123.server")


def complaints(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]


async def hello(request: Request) -> Response:
    return Response(200, text="hello")


async def wait_until(ready: Callable[[], object]) -> None:
    async with asyncio.timeout(TIME):
        while not ready():  # noqa: ASYNC110  # it looks at what tells nobody
            await asyncio.sleep(0.001)


async def parts_of(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


# ------------------------------------------------------------------------------ fields


@every_version
def test_the_handlers_own_date_and_alt_svc_are_left_alone(
    run: Run, serving: Any, version: str
) -> None:
    async def handler(request: Request) -> Response:
        fields = {"DATE": "Thu, 01 Jan 1970 00:00:00 GMT", "alt-svc": "clear", "x-no": "1"}
        return Response(200, headers=fields, text="hello")

    async def main() -> None:
        async with serving(handler) as server, open_peer(server, version) as peer:
            stream = await peer.get()
            values = [v for k, v in stream.headers if k.lower() in (b"date", b"alt-svc")]
            assert values == [b"Thu, 01 Jan 1970 00:00:00 GMT", b"clear"]

    run(main())


@every_version
@pytest.mark.parametrize("window", [65535, 5])
def test_a_stream_whose_head_can_not_be_sent_is_a_500(
    run: Run, serving: Any, version: str, window: int, caplog: pytest.LogCaptureFixture
) -> None:
    closed = []

    async def handler(request: Request) -> Response:
        async def parts() -> AsyncIterator[bytes]:
            yield b"never"

        class Stream:
            def __aiter__(self) -> AsyncIterator[bytes]:
                return parts()

            async def aclose(self) -> None:
                closed.append(1)

        response = Response(200, stream=Stream())  # type: ignore[arg-type]  # it has what counts
        response.headers = Headers.from_raw([(b"X", b"a\nb")])
        return response

    async def main() -> None:
        limits = Limits(stream_window=window)
        async with serving(handler) as server, open_peer(server, version, limits) as peer:
            stream = await peer.get()
            assert (stream.status, stream.content) == (500, b"Internal server error\n")
            await wait_until(lambda: closed)

    run(main())
    assert len(complaints(caplog)) == 1


@every_version
def test_trailers_of_a_whole_response_are_sent(run: Run, serving: Any, version: str) -> None:
    async def handler(request: Request) -> Response:
        return Response(200, content=b"hello", trailers={"x-sum": "5"})

    async def main() -> None:
        async with serving(handler) as server, open_peer(server, version) as peer:
            stream = await peer.get()
            assert stream.content == b"hello"
            assert [(k.lower(), v) for k, v in stream.trailers] == [(b"x-sum", b"5")]

    run(main())


@every_version
def test_content_of_many_windows_is_sent_as_they_open(run: Run, serving: Any, version: str) -> None:
    content = bytes(range(256)) * 8192

    async def handler(request: Request) -> Response:
        return Response(200, content=content)

    async def main() -> None:
        limits = Limits(stream_window=65536)
        async with serving(handler) as server, open_peer(server, version, limits) as peer:
            assert (await peer.get()).content == content

    run(main())


def test_many_answers_of_one_turn_are_not_held_back_without_bound(
    run: Run, make_server: Any
) -> None:
    async def handler(request: Request) -> Response:
        return Response(200, content=b"x" * 60000)

    async def main() -> None:
        async with make_server(handler) as server, open_peer(server, "2") as peer:
            stream_ids = [peer.begin() for _ in range(20)]
            await peer.flush()
            for stream_id in stream_ids:
                assert len((await peer.response(stream_id)).content) == 60000

    run(main())


# ------------------------------------------------------------------------------ content


def test_a_client_of_http3_that_wants_no_more_of_a_response_goes_on_sending(
    run: Run, serving: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """RFC 9114 section 4.1: STOP_SENDING in the middle of an upload."""
    closed = asyncio.Event()

    async def handler(request: Request) -> Response:
        async def parts() -> AsyncIterator[bytes]:
            try:
                while True:
                    yield b"x" * 1000
                    await asyncio.sleep(0)
            finally:
                closed.set()

        return Response(200, content=parts())

    async def main() -> None:
        async with serving(handler) as server, open_peer(server, "3") as peer:
            stream_id = await peer.request(
                b"POST", headers=[(b"content-length", b"100000")], end_stream=False
            )
            await peer.send(stream_id, b"begun")
            await peer.until(lambda: peer.streams[stream_id].content)
            peer.engine.stop_receiving(stream_id)
            await peer.flush()
            await asyncio.wait_for(closed.wait(), TIME)

    run(main())
    assert complaints(caplog) == []


@every_version
def test_content_can_be_read_once(run: Run, serving: Any, version: str) -> None:
    async def handler(request: Request) -> Response:
        content = b"".join([part async for part in request.aiter_bytes()])
        with pytest.raises(StreamConsumed):
            await request.aread()
        return Response(200, content=content)

    async def main() -> None:
        async with serving(handler) as server, open_peer(server, version) as peer:
            stream_id = await peer.request(b"POST", end_stream=False)
            await peer.send(stream_id, b"content", end_stream=True)
            assert (await peer.response(stream_id)).content == b"content"

    run(main())


@every_version
def test_a_handler_may_say_that_it_reads_no_more(run: Run, serving: Any, version: str) -> None:
    async def handler(request: Request) -> Response:
        assert not isinstance(request.stream, Iterator)
        await request.stream.aclose()  # type: ignore[union-attr]  # a server's are async
        assert await request.aread() == b""
        return Response(200, text="enough")

    async def main() -> None:
        async with serving(handler) as server, open_peer(server, version) as peer:
            stream_id = await peer.request(
                b"POST", headers=[(b"content-length", b"1000000")], end_stream=False
            )
            await peer.send(stream_id, b"x" * 1000)
            assert (await peer.response(stream_id)).content == b"enough"

    run(main())


def test_content_that_came_with_its_head_needs_no_100(run: Run, make_server: Any) -> None:
    """RFC 9110 section 10.1.1: it may be left out when the content has begun to come."""

    async def handler(request: Request) -> Response:
        return Response(200, content=await request.aread())

    async def main() -> None:
        async with make_server(handler) as server, open_peer(server, "2") as peer:
            stream_id = peer.begin(
                b"POST", headers=[(b"expect", b"100-continue")], end_stream=False
            )
            await peer.send(stream_id, b"content", end_stream=True)
            stream = await peer.response(stream_id)
            assert (stream.informational, stream.content) == ([], b"content")

    run(main())


# ------------------------------------------------------------------------------ clients that go


@every_version
def test_a_client_that_goes_while_its_content_is_awaited_is_no_error(
    run: Run, serving: Any, version: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def handler(request: Request) -> Response:
        await request.aread()
        raise AssertionError

    async def main() -> None:
        async with serving(handler) as server, open_peer(server, version) as peer:
            stream_id = await peer.request(b"POST", end_stream=False)
            await wait_until(lambda: server.runner.tasks)
            if version == "1.1":
                peer.vanish()
            else:
                peer.engine.reset_stream(stream_id)
                await peer.flush()
            await wait_until(lambda: not server.runner.tasks)

    run(main())
    assert complaints(caplog) == []


@pytest.mark.parametrize("kind", ["whole", "streamed", "broken"])
def test_an_answer_for_a_client_that_is_gone_is_no_error(
    run: Run, make_server: Any, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    """But a handler that fails is one, whoever waited for it."""

    async def main() -> None:
        gate = asyncio.Event()

        async def handler(request: Request) -> Response:
            await gate.wait()
            if kind == "broken":
                raise ZeroDivisionError("a bug")
            return Response(200, content=b"whole" if kind == "whole" else parts_of(b"part"))

        async with make_server(handler) as server, open_peer(server, "2") as peer:
            stream_id = await peer.request()
            await wait_until(lambda: server.runner.tasks)
            peer.engine.reset_stream(stream_id)
            await peer.flush()
            (channel,) = server._channels
            await wait_until(lambda: not channel.exchanges)
            gate.set()
            await wait_until(lambda: not server.runner.tasks)

    run(main())
    assert len(complaints(caplog)) == (kind == "broken")


def test_a_client_that_takes_nothing_at_all_loses_its_connection(
    run: Run, make_server: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Without further waiting: resetting the stream would not help it."""

    async def handler(request: Request) -> Response:
        return Response(200, content=bytes(64 << 20))

    async def main() -> None:
        async with (
            make_server(handler, write_timeout=0.2, idle_timeout=60.0) as server,
            open_peer(server, "1.1") as peer,
        ):
            await peer.request()
            await wait_until(lambda: server.runner.tasks)
            await wait_until(lambda: not server._channels)

    run(main())
    assert complaints(caplog) == []


@every_version
def test_an_engine_that_refuses_content_is_an_error_of_the_programs(
    run: Run,
    serving: Any,
    version: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def refuse(*args: Any, **options: Any) -> bool:
        raise LocalProtocolError("no such thing")

    monkeypatch.setattr(Exchange, "send_data", refuse)

    async def handler(request: Request) -> Response:
        return Response(200, content=parts_of(b"part"))

    async def main() -> None:
        async with serving(handler) as server, open_peer(server, version) as peer:
            stream_id = await peer.request()
            if version == "1.1":
                await peer.end()
            else:
                await peer.response(stream_id)
                assert peer.streams[stream_id].reset is not None

    run(main())
    assert "no such thing" in complaints(caplog)[0]


def test_what_ends_the_program_is_not_caught(run: Run, make_server: Any) -> None:
    async def handler(request: Request) -> Response:
        raise SystemExit(7)

    async def main() -> None:
        async with make_server(handler) as server, open_peer(server, "1.1") as peer:
            await peer.request()
            await asyncio.sleep(TIME)

    with pytest.raises(SystemExit):
        run(main())


# ------------------------------------------------------------------------------ iterators


def test_a_thread_that_is_left_alone_is_waited_for_before_its_iterator_is_closed(run: Run) -> None:
    log: list[str] = []
    inside, gate = threading.Event(), threading.Event()

    def parts() -> Iterator[bytes]:
        try:
            yield b"one"
            inside.set()
            assert gate.wait(TIME)
            yield b"two"
        finally:
            log.append("closed")

    async def main() -> None:
        content = Content(Response(200, content=parts()).stream)

        async def use() -> None:
            try:
                async for part in content:
                    log.append(part.decode())
            finally:
                await content.close()

        task = asyncio.ensure_future(use())
        await asyncio.to_thread(inside.wait, TIME)
        task.cancel()
        await asyncio.sleep(0.01)
        assert log == ["one"]
        gate.set()
        await asyncio.wait([task], timeout=TIME)
        assert task.cancelled()
        assert log == ["one", "closed"]

    run(main())


@pytest.mark.parametrize("content", [[b"a", b"b"], None])
def test_content_that_can_not_be_closed_is_left(run: Run, content: list[bytes] | None) -> None:
    async def main() -> None:
        each = Content(content or parts_without_close())
        assert [part async for part in each] == [b"a", b"b"]
        await each.close()

    run(main())


class parts_without_close:  # noqa: N801  # it stands for a function
    def __init__(self) -> None:
        self.left = [b"b", b"a"]

    def __aiter__(self) -> parts_without_close:
        return self

    async def __anext__(self) -> bytes:
        if not self.left:
            raise StopAsyncIteration
        return self.left.pop()


# ------------------------------------------------------------------------------ the channel


def test_a_client_that_takes_the_end_slowly_gets_all_of_it(run: Run, make_server: Any) -> None:
    """Time is up only when it takes nothing: also after the request is answered, and on the way out."""
    size = 6 << 20

    async def handler(request: Request) -> Response:
        return Response(200, headers={"connection": "close"}, content=bytes(size))

    async def main() -> None:
        async with (
            make_server(handler, idle_timeout=0.1, linger_timeout=0.1) as server,
            open_peer(server, "1.1") as peer,
        ):
            loop = asyncio.get_running_loop()
            await peer.request()
            received = pieces = 0
            while chunk := await loop.sock_recv(peer.sock, 65536):
                received += len(chunk)
                pieces += 1
                if pieces % 8 == 0:
                    await asyncio.sleep(0.05)
            assert received > size

    run(main())


def test_progress_prolongs_a_deadline_and_its_lack_does_not(run: Run, make_server: Any) -> None:
    async def main() -> None:
        async with make_server(hello) as server, open_peer(server, "1.1") as peer:
            await peer.get()
            (channel,) = server._channels

            class Wire:
                unsent = 10
                closed = False

                def __getattr__(self, name: str) -> Any:
                    return getattr(real, name)

            real, wire = channel.wire, Wire()
            channel.wire = wire
            for unsent, stays in ((10, True), (9, True), (9, False)):
                wire.unsent = unsent
                channel.deadline = 0.0
                channel.expire()
                assert (not channel.is_closed) is stays

    run(main())


def test_a_client_that_lingers_is_let_go(run: Run, make_server: Any) -> None:
    async def main() -> None:
        async with make_server(hello, linger_timeout=0.1) as server:
            with socket.create_connection(
                ("127.0.0.1", int(server.urls[0].rpartition(":")[2]))
            ) as sock:
                sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                await wait_until(lambda: server._channels)
                await wait_until(lambda: not server._channels)

    run(main())


def test_a_fault_in_the_middle_of_a_response_cuts_it_off(run: Run, make_server: Any) -> None:
    """RFC 9112 section 7.1: content that is no chunks, after the response has begun."""

    async def handler(request: Request) -> Response:
        async def parts() -> AsyncIterator[bytes]:
            yield b"begun"
            await asyncio.Event().wait()

        return Response(200, content=parts())

    async def main() -> None:
        async with make_server(handler) as server, open_peer(server, "1.1") as peer:
            loop = asyncio.get_running_loop()
            head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
            await loop.sock_sendall(peer.sock, head)
            received = b""
            while b"begun" not in received:
                received += await loop.sock_recv(peer.sock, 65536)
            await loop.sock_sendall(peer.sock, b"no chunk\r\n")
            while chunk := await loop.sock_recv(peer.sock, 65536):
                received += chunk
            assert received.count(b"HTTP/1.1") == 1
            assert not received.endswith(b"0\r\n\r\n")

    run(main())


def test_a_channel_is_drained_when_it_is_welcomed_while_the_server_stops(
    run: Run, serving: Any
) -> None:
    async def main() -> None:
        server = serving(hello)
        await server.start()
        async with open_peer(server, "1.1") as peer:
            await peer.get()
            (channel,) = server._channels
            server.forget(channel)
            server._stopping = True
            server.remember(channel)
            await wait_until(lambda: channel.is_closed)
        await server.stop(0.0)

    run(main())


# ------------------------------------------------------------------------------ listeners


@pytest.mark.parametrize(("http1", "http2"), [(True, False), (False, True)])
def test_a_cleartext_port_of_one_version_does_not_look_first(
    run: Run, http1: bool, http2: bool
) -> None:
    async def main() -> None:
        server = Server(hello, bind=None, insecure_bind="127.0.0.1:0", http1=http1, http2=http2)
        async with server, open_peer(server, "1.1" if http1 else "2") as peer:
            assert (await peer.get()).content == b"hello"

    run(main())


def test_the_preface_may_come_in_pieces(run: Run, make_server: Any) -> None:
    """RFC 9113 section 3.4."""

    async def main() -> None:
        async with make_server(hello) as server:
            port = int(server.urls[0].rpartition(":")[2])
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            for byte in b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n":
                writer.write(bytes((byte,)))
                await asyncio.sleep(0)
            assert (await asyncio.wait_for(reader.readexactly(9), TIME))[3] == 4  # SETTINGS
            writer.close()

    run(main())


class Accepting:
    """A listening socket whose connections go wrong."""

    def __init__(self, real: socket.socket, results: list[Any]) -> None:
        self.real = real
        self.results = results

    def accept(self) -> Any:
        result = self.results.pop(0) if self.results else BlockingIOError()
        if isinstance(result, Exception):
            raise result
        return result

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


def test_connections_that_are_gone_before_they_are_taken_are_passed_over(
    run: Run, make_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        async with make_server(hello) as server:
            listener = server._tcp[0]
            here, there = socket.socketpair()
            results = [OSError(errno.ECONNABORTED, "gone"), (here, ("127.0.0.1", 1))]

            def refuse(sock: socket.socket) -> SocketStream:
                raise OSError(errno.EINVAL, "reset")

            with monkeypatch.context() as patch:
                patch.setattr("h123.server.listeners.SocketStream", refuse)
                patch.setattr(listener, "sock", Accepting(listener.sock, results))
                listener._accept()
            assert not results
            assert here.fileno() == -1
            there.close()
            many = [BlockingIOError() if n == 200 else OSError(errno.EPROTO) for n in range(201)]
            with monkeypatch.context() as patch:
                patch.setattr(listener, "sock", Accepting(listener.sock, many))
                listener._accept()
            assert len(many) == 201 - 64  # the others have their turn
            listener.pause()
            listener.pause()
            listener.resume()
            listener.resume()
            async with open_peer(server, "1.1") as peer:
                assert (await peer.get()).content == b"hello"

    run(main())


def test_a_connection_that_can_not_be_begun_is_closed_and_told(
    run: Run, make_server: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with make_server(hello) as server:

            def broken(*args: Any, **options: Any) -> Any:
                raise ZeroDivisionError("an engine that does not work")

            server.byte_stream_engines["http/1.1"] = broken
            port = int(server.urls[0].rpartition(":")[2])
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET / HTTP/1.1\r\n\r\n")
            try:
                assert await asyncio.wait_for(reader.read(), TIME) == b""
            except ConnectionError:
                pass
            writer.close()

    run(main())
    assert "could not be begun" in complaints(caplog)[0]


def test_an_engine_that_is_not_known_is_refused_at_the_start(run: Run) -> None:
    async def main() -> None:
        server = Server(hello, bind=None, insecure_bind="127.0.0.1:0", engines={"h2": "nobody's"})
        with pytest.raises(LookupError, match="nobody's"):
            await server.start()

    run(main())


def test_datagrams_that_the_kernel_does_not_take_wait(run: Run, serving: Any) -> None:
    async def main() -> None:
        async with serving(hello) as server:
            listener = server._udp[0]

            class Full:
                """A socket whose buffer is full."""

                def __init__(self, real: Any) -> None:
                    self.real = real

                def sendto(self, data: bytes, address: Any) -> int:
                    raise BlockingIOError

                def __getattr__(self, name: str) -> Any:
                    return getattr(self.real, name)

            real = listener.udp.sock
            async with open_peer(server, "3") as peer:
                listener.udp.sock = Full(real)
                stream_id = await peer.request()
                await wait_until(lambda: listener.udp.unsent)
                assert listener._watching_write
                listener.udp.sock = real
                assert (await peer.response(stream_id)).content == b"hello"
                assert not listener.udp.unsent
                listener.udp.sock = Full(real)
                stream_id = await peer.request()
                await wait_until(lambda: listener.udp.unsent)
                await server.stop(0.0)  # nothing of it is watched any more

    run(main())


def test_a_quic_connections_wire_leaves_reading_to_the_listener(run: Run, serving: Any) -> None:
    async def main() -> None:
        async with serving(hello) as server, open_peer(server, "3") as peer:
            await peer.get()
            assert isinstance(peer, DatagramPeer)
            (channel,) = server._channels
            assert channel.wire.receive() is None
            channel.wire.interrupt()
            assert channel.wire.socket() is None
            assert channel.wire.unsent == 0

    run(main())


def test_a_quic_client_that_breaks_a_rule_loses_its_connection(run: Run, serving: Any) -> None:
    """RFC 9114 section 7.2.4: HEADERS on the control stream."""

    async def main() -> None:
        async with serving(hello) as server, open_peer(server, "3") as peer:
            await peer.get()
            assert isinstance(peer, DatagramPeer)
            engine = peer.engine
            engine.quic.send_stream_data(engine._control_stream, b"\x01\x00")
            await peer.flush()
            await peer.end()
            await wait_until(lambda: not server._channels)

    run(main())


def test_a_certificate_that_quic_can_not_use_leaves_nothing_open(
    run: Run, serving: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: Any) -> Any:
        raise ValueError("no such certificate")

    monkeypatch.setattr("h123.server.quic.UDPListener.__init__", refuse)

    async def main() -> None:
        server = serving(hello)
        with pytest.raises(ValueError, match="no such certificate"):
            await server.start()
        for tcp in server._tcp:
            assert tcp.sock.fileno() == -1

    run(main())


# ------------------------------------------------------------------------------ serve


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_runs_until_a_signal_comes(number: int) -> None:
    seen: list[str] = []

    def stop(server: Server) -> None:
        seen.append(repr(server))
        os.kill(os.getpid(), number)

    serve(hello, bind=None, insecure_bind="127.0.0.1:0", on_start=stop)
    assert re.fullmatch(r"<Server http://127\.0\.0\.1:\d+, 0 connections>", seen[0])
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_second_signal_ends_what_is_under_way() -> None:
    ended: list[str] = []

    async def hang(request: Request) -> Response:
        os.kill(os.getpid(), signal.SIGTERM)
        try:
            await asyncio.sleep(0.05)
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.sleep(TIME * 3)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise
        raise AssertionError

    clients: list[Any] = []

    def ask(server: Server) -> None:
        async def client() -> None:
            async with open_peer(server, "1.1") as peer:
                await peer.request()
                await peer.end()

        clients.append(asyncio.ensure_future(client()))

    serve(hang, bind=None, insecure_bind="127.0.0.1:0", on_start=ask, grace=TIME * 3)
    assert ended == ["cancelled"]


def test_serve_needs_nobody_to_be_told_that_it_has_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    start = Server.start

    async def start_and_stop(server: Server) -> None:
        await start(server)
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(Server, "start", start_and_stop)
    serve(hello, bind=None, insecure_bind="127.0.0.1:0")


def test_a_server_that_was_not_started_stops(run: Run) -> None:
    async def main() -> None:
        server = Server(hello, bind=None, insecure_bind="127.0.0.1:0")
        assert repr(server) == "<Server not started, 0 connections>"
        await server.stop()

    run(main())


def test_leaving_a_server_by_an_exception_does_not_wait(run: Run, make_server: Any) -> None:
    async def hang(request: Request) -> Response:
        await asyncio.sleep(TIME * 3)
        raise AssertionError

    async def main() -> None:
        async with make_server(hang) as server, open_peer(server, "1.1") as peer:
            await peer.request()
            await wait_until(lambda: server.runner.tasks)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(main())


@pytest.mark.parametrize("host", [b"a:99999", b"1.2.3.400", b"%ff"])
def test_a_request_for_what_is_no_url_is_a_400_when_its_url_is_looked_at(
    run: Run, make_server: Any, host: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async def look(request: Request) -> Response:
        return Response(200, text=str(request.url))

    async def main() -> None:
        async with make_server(look) as server, open_peer(server, "1.1") as peer:
            loop = asyncio.get_running_loop()
            await loop.sock_sendall(peer.sock, b"GET / HTTP/1.1\r\nHost: %s\r\n\r\n" % host)
            answer = await asyncio.wait_for(loop.sock_recv(peer.sock, 65536), TIME)
            assert answer.startswith(b"HTTP/1.1 400 ")

    run(main())
    assert complaints(caplog) == []


def test_a_socket_that_only_seemed_to_be_readable_is_waited_for(run: Run, make_server: Any) -> None:
    async def main() -> None:
        async with make_server(hello) as server:
            here, there = socket.socketpair()
            with here, there:
                there.send(b"GET")
                stream = SocketStream(here)
                reads = [None, b"G", b"ET"]

                class Seeming:
                    sock = stream.sock

                    def read(self, *size: int) -> bytes | None:
                        return reads.pop(0)

                received = await server._tcp[0]._first_bytes(Seeming())
                assert received == b"G"

    run(main())
