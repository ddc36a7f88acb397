"""What a server does whatever the version: handlers' mistakes, streaming, backpressure, resets, stopping."""

from __future__ import annotations

import asyncio
import logging
import re
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from tests.server.peers import TIME, DatagramPeer, open_peer

from h123.message import Request, Response
from h123.message.body import AsyncByteStream
from h123.message.headers import Headers
from h123.protocol.limits import Limits
from h123.server.server import Server

Run = Callable[[Any], None]
VERSIONS = ["1.1", "2", "3"]
every_version = pytest.mark.parametrize("version", VERSIONS)


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


# --------------------------------------------------------------------------- handlers' mistakes


async def returns_text(request: Request) -> Any:
    return "hello"


async def returns_nothing(request: Request) -> Any:
    return None


def returns_no_awaitable(request: Request) -> Any:
    return Response(200)


async def informs(request: Request) -> Response:
    return Response(103)


async def invents(request: Request) -> Response:
    return Response(600)


async def fails(request: Request) -> Response:
    raise ZeroDivisionError("a bug")


async def splits(request: Request) -> Response:
    headers = Headers.from_raw([(b"X-Split", b"a\r\nSet-Cookie: b=c")])
    response = Response(200, text="x")
    response.headers = headers
    return response


async def promises_more(request: Request) -> Response:
    return Response(200, headers={"content-length": "50"}, content=b"hello")


async def promises_less(request: Request) -> Response:
    return Response(200, headers={"content-length": "1"}, content=b"hello")


async def promises_content(request: Request) -> Response:
    return Response(200, headers={"content-length": "1"}, content=b"")


async def asks_a_bad_url(request: Request) -> Response:
    Request("GET", "http://[::1")
    raise AssertionError


async def waits_in_vain(request: Request) -> Response:
    task = asyncio.ensure_future(asyncio.sleep(60))
    asyncio.get_running_loop().call_soon(task.cancel)
    await task
    raise AssertionError


async def asks_upstream(request: Request) -> Response:
    from h123.message.exceptions import ReadTimeout

    raise ReadTimeout("the upstream is slow")


MISTAKES = [
    (returns_text, "returns a Response"),
    (returns_nothing, "returns a Response"),
    (returns_no_awaitable, "await"),
    (informs, "103"),
    (invents, "600"),
    (fails, "a bug"),
    (splits, "control character|not allowed|may not|malformed|invalid|value"),
    (promises_more, "Content-Length is 50 and the content has 5"),
    (promises_less, "Content-Length is 1 and the content has 5"),
    (promises_content, "Content-Length is 1"),
    (asks_a_bad_url, "InvalidURL"),
    (waits_in_vain, "CancelledError"),
    (asks_upstream, "the upstream is slow"),
]


@every_version
@pytest.mark.parametrize(
    ("handler", "words"), MISTAKES, ids=[each[0].__name__ for each in MISTAKES]
)
def test_what_a_handler_does_wrong_is_a_500_and_a_log_record(
    run: Run,
    serving: Any,
    version: str,
    handler: Any,
    words: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        async with serving(handler) as server, open_peer(server, version) as peer:
            for _ in range(2):  # the connection goes on
                stream = await peer.get()
                assert stream.status == 500
                assert stream.content == b"Internal server error\n"
                assert stream.header(b"x-split") is None

    run(main())
    assert len(complaints(caplog)) == 2
    assert re.search(words, caplog.text)


def parts_of(*parts: bytes) -> Any:
    async def give() -> AsyncIterator[bytes]:
        for part in parts:
            yield part

    return give()


@every_version
@pytest.mark.parametrize("parts", [[b"hel"], [b"hello, ", b"world"]], ids=["less", "more"])
def test_streamed_content_that_is_not_as_long_as_promised_does_not_look_complete(
    run: Run, serving: Any, version: str, parts: list[bytes], caplog: pytest.LogCaptureFixture
) -> None:
    """RFC 9112 section 6.3, RFC 9113 section 8.1.1: nothing of it may be taken for the next message."""

    async def handler(request: Request) -> Response:
        if request.url.path == "/hello":
            return Response(200, text="hello")
        return Response(200, headers={"content-length": "5"}, content=parts_of(*parts))

    async def main() -> None:
        async with serving(handler) as server, open_peer(server, version) as peer:
            stream_id = await peer.request()
            stream = peer.streams[stream_id]
            if version == "1.1":
                await peer.end()
                assert not stream.ended
            else:
                await peer.response(stream_id)
                assert stream.reset is not None
                assert (await peer.get(b"/hello")).content == b"hello"
            assert len(stream.content) < 5

    run(main())
    assert len(complaints(caplog)) == 1
    assert "broke off" in caplog.text


@every_version
def test_content_that_fails_in_the_middle_breaks_the_response_off(
    run: Run, serving: Any, version: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def handler(request: Request) -> Response:
        async def parts() -> AsyncIterator[bytes]:
            yield b"begun"
            raise ZeroDivisionError("in the middle")

        return Response(200, content=parts())

    async def main() -> None:
        async with serving(handler) as server, open_peer(server, version) as peer:
            stream_id = await peer.request()
            if version == "1.1":
                await peer.end()
            else:
                await peer.response(stream_id)
                assert peer.streams[stream_id].reset is not None
            assert not peer.streams[stream_id].ended

    run(main())
    assert "in the middle" in caplog.text


# --------------------------------------------------------------------------- content and its end


@every_version
@pytest.mark.parametrize(
    ("method", "status"), [(b"HEAD", 200), (b"GET", 204), (b"GET", 304), (b"HEAD", 404)]
)
@pytest.mark.parametrize("kind", ["whole", "streamed"])
def test_responses_without_content_have_none_whatever_the_handler_gives(
    run: Run, serving: Any, version: str, method: bytes, status: int, kind: str
) -> None:
    """RFC 9110 sections 6.4.1, 9.3.2, 15.3.5, 15.4.5."""
    closed = []

    async def handler(request: Request) -> Response:
        if kind == "whole":
            return Response(status, content=b"content")

        async def parts() -> AsyncIterator[bytes]:
            raise AssertionError("nobody asks for it")
            yield b""

        class Stream:
            def __aiter__(self) -> AsyncIterator[bytes]:
                return parts()

            async def aclose(self) -> None:
                closed.append(1)

        return Response(status, stream=Stream())  # type: ignore[arg-type]  # it has what counts

    async def main() -> None:
        async with serving(handler) as server, open_peer(server, version) as peer:
            for number in (1, 2):
                stream = await peer.response(await peer.request(method))
                assert (stream.status, stream.content, stream.ended) == (status, b"", True)
                if kind == "streamed":
                    await wait_until(lambda: len(closed) == number)  # noqa: B023  # awaited here
                elif method == b"HEAD":
                    assert stream.header(b"content-length") == b"7"

    run(main())


class WithTrailers(AsyncByteStream):
    """Content with a trailer section."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b"one, "
        yield b"two"
        self.trailers = [(b"X-Sum", b"2")]


@every_version
def test_trailers_follow_the_content(run: Run, serving: Any, version: str) -> None:
    """RFC 9110 section 6.5."""

    async def handler(request: Request) -> Response:
        return Response(200, stream=WithTrailers())

    async def main() -> None:
        async with serving(handler) as server, open_peer(server, version) as peer:
            stream = await peer.get()
            assert stream.content == b"one, two"
            assert [(name.lower(), value) for name, value in stream.trailers] == [(b"x-sum", b"2")]

    run(main())


@every_version
def test_request_trailers_are_there_after_the_content(run: Run, serving: Any, version: str) -> None:
    async def handler(request: Request) -> Response:
        content = await request.aread()
        return Response(200, text=f"{content!r} {request.trailers['x-sum']}")

    async def main() -> None:
        async with serving(handler) as server, open_peer(server, version) as peer:
            stream_id = await peer.request(b"POST", end_stream=False)
            await peer.send(stream_id, b"ab")
            peer.engine.send_trailers(stream_id, [(b"X-Sum", b"2")])
            await peer.flush()
            assert (await peer.response(stream_id)).content == b"b'ab' 2"

    run(main())


@every_version
def test_an_iterator_that_blocks_does_so_alone(run: Run, serving: Any, version: str) -> None:
    gate = threading.Event()

    async def handler(request: Request) -> Response:
        def parts() -> Iterator[bytes]:
            yield b"one, "
            assert gate.wait(TIME)
            yield b"two"

        return (
            Response(200, content=parts()) if request.url.path == "/slow" else await hello(request)
        )

    async def main() -> None:
        try:
            async with (
                serving(handler) as server,
                open_peer(server, version) as slow,
                open_peer(server, version) as other,
            ):
                stream_id = await slow.request(b"GET", b"/slow")
                await slow.until(lambda: slow.streams[stream_id].content == b"one, ")
                assert (await other.get()).content == b"hello"
                gate.set()
                assert (await slow.response(stream_id)).content == b"one, two"
        finally:
            gate.set()

    run(main())


class Endless:
    """A response's content that counts what it gives, and tells when it was closed."""

    def __init__(self, part: bytes = b"x" * 65536) -> None:
        self.part = part
        self.given = 0
        self.is_closed = asyncio.Event()

    def response(self) -> Response:
        async def parts() -> AsyncIterator[bytes]:
            try:
                while True:
                    self.given += len(self.part)
                    yield self.part
            finally:
                self.is_closed.set()

        return Response(200, content=parts())


@every_version
def test_a_client_that_does_not_read_stops_the_handlers_iterator(
    run: Run, serving: Any, version: str
) -> None:
    """... without a bound in time as long as there is progress, and it goes on when the client does."""

    async def main() -> None:
        endless = Endless()

        async def handler(request: Request) -> Response:
            return endless.response()

        limits = Limits(stream_window=262144, connection_window=524288)
        async with (
            serving(handler) as server,
            open_peer(server, version, limits) as peer,
        ):
            peer.reads_content = False
            stream_id = await peer.request()
            stream = peer.streams[stream_id]
            before = -1
            while endless.given != before:  # it stands still
                before = endless.given
                for _ in range(20):
                    await asyncio.sleep(0.01)
                    if version != "1.1":
                        try:
                            await peer.receive(0.001)
                        except TimeoutError:
                            pass
            assert endless.given < 32 << 20  # the kernel's buffers, and ours
            stood_at = endless.given
            if version != "1.1":
                assert len(stream.content) <= 262144
                peer.engine.consume(stream_id, len(stream.content))
                peer.reads_content = True
                await peer.flush()
            await peer.until(lambda: endless.given > stood_at + (1 << 20))
            peer.vanish()
            if version != "3":
                await asyncio.wait_for(endless.is_closed.wait(), TIME)
            await server.stop(0.0)
            assert endless.is_closed.is_set()

    run(main())


@pytest.mark.parametrize("version", ["2", "3"])
def test_a_stream_whose_client_takes_nothing_is_reset_and_its_siblings_go_on(
    run: Run, serving: Any, version: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        endless = Endless()

        async def handler(request: Request) -> Response:
            return endless.response() if request.url.path == "/endless" else await hello(request)

        limits = Limits(stream_window=65536)
        async with (
            serving(handler, write_timeout=0.2) as server,
            open_peer(server, version, limits) as peer,
        ):
            peer.reads_content = False
            stream_id = await peer.request(b"GET", b"/endless")
            stream = await peer.response(stream_id)
            assert stream.reset is not None
            assert endless.is_closed.is_set()
            assert (await peer.get()).content == b"hello"

    run(main())
    assert complaints(caplog) == []


# --------------------------------------------------------------------------- requests' content


@every_version
def test_content_that_nobody_reads_stops_the_client_and_not_the_response(
    run: Run, serving: Any, version: str
) -> None:
    """RFC 9110 section 9.3, RFC 9113 section 8.1: a complete response, then RST_STREAM with NO_ERROR."""

    async def handler(request: Request) -> Response:
        return Response(413 if request.method == "POST" else 200, text="too much")

    async def main() -> None:
        limits = {"stream_window": 262144}
        async with serving(handler, **limits) as server, open_peer(server, version) as peer:
            stream_id = await peer.request(
                b"POST", headers=[(b"content-length", b"90000000")], end_stream=False
            )
            await peer.send(stream_id, b"x" * 32768)
            stream = await peer.response(stream_id)
            assert (stream.status, stream.content) == (413, b"too much")
            if version == "1.1":
                assert stream.header(b"connection") == b"close"
                await peer.end()
            else:
                await peer.until(lambda: stream.stop is not None)
                assert (await peer.get()).content == b"too much"

    run(main())


@every_version
def test_content_that_does_not_come_is_a_408(
    run: Run, serving: Any, version: str, caplog: pytest.LogCaptureFixture
) -> None:
    """RFC 9110 section 15.5.9."""

    async def handler(request: Request) -> Response:
        return Response(200, content=await request.aread())

    async def main() -> None:
        async with serving(handler, read_timeout=0.1) as server, open_peer(server, version) as peer:
            stream_id = await peer.request(b"POST", end_stream=False)
            await peer.send(stream_id, b"abc")
            assert (await peer.response(stream_id)).status == 408

    run(main())
    assert complaints(caplog) == []


@every_version
@pytest.mark.parametrize("reads", [True, False])
def test_a_client_that_waits_for_100_gets_it_when_its_content_is_wanted(
    run: Run, serving: Any, version: str, reads: bool
) -> None:
    """RFC 9110 section 10.1.1; a handler that answers without reading never asks for it."""

    async def handler(request: Request) -> Response:
        return Response(200, content=await request.aread() if reads else b"no, thanks")

    async def main() -> None:
        async with serving(handler) as server, open_peer(server, version) as peer:
            stream_id = await peer.request(
                b"POST", headers=[(b"expect", b"100-continue")], end_stream=False
            )
            stream = peer.streams[stream_id]
            if reads:
                await peer.until(lambda: stream.informational)
                await peer.send(stream_id, b"content", end_stream=True)
            await peer.response(stream_id)
            assert stream.informational == ([100] if reads else [])
            assert stream.content == (b"content" if reads else b"no, thanks")

    run(main())


@every_version
def test_a_handler_that_does_not_read_stops_the_client(
    run: Run, serving: Any, version: str
) -> None:
    """Credit comes with reading, and with it the rest of the upload."""
    size = 4 << 20

    async def main() -> None:
        gate = asyncio.Event()

        async def handler(request: Request) -> Response:
            await gate.wait()
            return Response(200, text=str(len(await request.aread())))

        async with (
            serving(handler, stream_window=65536, receive_buffer=65536) as server,
            open_peer(server, version) as peer,
        ):
            stream_id = await peer.request(
                b"POST", headers=[(b"content-length", b"%d" % size)], end_stream=False
            )
            left = size
            if version == "1.1":
                sending = asyncio.ensure_future(peer.send(stream_id, b"x" * left, end_stream=True))
                await wait_until(
                    lambda: any(not channel._watching_read for channel in server._channels)
                )
                gate.set()
                await sending
            else:
                while left:
                    room = min(peer.engine.send_capacity(stream_id, left), left)
                    if room:
                        left -= room
                        await peer.send(stream_id, b"x" * room, end_stream=not left)
                    elif not gate.is_set() and size - left >= 65536:
                        gate.set()
                    else:
                        await peer.receive(TIME)
            assert (await peer.response(stream_id)).content == b"%d" % size

    run(main())


# --------------------------------------------------------------------------- clients that give up


@pytest.mark.parametrize("version", ["2", "3"])
def test_a_client_that_resets_a_stream_while_the_handler_runs_gets_no_answer(
    run: Run, serving: Any, version: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        begun, gate, done = asyncio.Event(), asyncio.Event(), asyncio.Event()

        async def handler(request: Request) -> Response:
            if request.url.path != "/slow":
                return await hello(request)
            begun.set()
            await gate.wait()
            asyncio.get_running_loop().call_soon(done.set)
            return Response(200, text="nobody wants it")

        async with serving(handler) as server, open_peer(server, version) as peer:
            stream_id = await peer.request(b"POST", b"/slow", end_stream=False)
            await peer.send(stream_id, b"x" * 1000)
            await peer.until(lambda: True)
            await asyncio.wait_for(begun.wait(), TIME)
            peer.engine.reset_stream(stream_id)
            await peer.flush()
            assert (await peer.get()).content == b"hello"
            channel = next(iter(server._channels))
            await wait_until(lambda: not channel.exchanges)
            gate.set()
            await asyncio.wait_for(done.wait(), TIME)
            assert (await peer.get()).content == b"hello"
            assert peer.streams[stream_id].status == 0

    run(main())
    assert complaints(caplog) == []


@every_version
def test_a_client_that_gives_up_in_the_middle_of_a_response_ends_its_content(
    run: Run, serving: Any, version: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Also when the next part may never come."""

    async def main() -> None:
        closed = asyncio.Event()

        async def handler(request: Request) -> Response:
            async def parts() -> AsyncIterator[bytes]:
                try:
                    yield b"begun"
                    await asyncio.Event().wait()
                finally:
                    closed.set()

            return Response(200, content=parts())

        async with serving(handler) as server, open_peer(server, version) as peer:
            stream_id = await peer.request()
            await peer.until(lambda: peer.streams[stream_id].content == b"begun")
            if version == "1.1":
                peer.vanish()
            else:
                peer.engine.reset_stream(stream_id)
                await peer.flush()
            await asyncio.wait_for(closed.wait(), TIME)
            await wait_until(lambda: not server.runner.tasks)
            if version == "1.1":
                await wait_until(lambda: not server._channels)
            else:
                channel = next(iter(server._channels))
                assert not channel.exchanges
                assert not channel._streaming

    run(main())
    assert complaints(caplog) == []


@pytest.mark.parametrize("version", ["2", "3"])
def test_requests_taken_back_in_the_same_breath_are_never_answered(
    run: Run, serving: Any, version: str
) -> None:
    called = []

    async def handler(request: Request) -> Response:
        called.append(request.url.path)
        return Response(200, text="hello")

    async def main() -> None:
        async with serving(handler) as server, open_peer(server, version) as peer:
            if version == "2":  # QUIC sends nothing of a stream that was reset
                for _ in range(50):
                    peer.engine.reset_stream(peer.begin(b"GET", b"/never"))
            assert (await peer.get(b"/last")).content == b"hello"

    run(main())
    assert called[-1] == "/last"
    assert len(called) <= 5  # those that the end of a read parts from their resets


# --------------------------------------------------------------------------- time and stopping


@every_version
def test_an_idle_connection_ends(run: Run, serving: Any, version: str) -> None:
    async def main() -> None:
        async with (
            serving(hello, idle_timeout=0.3, linger_timeout=0.3) as server,
            open_peer(server, version) as peer,
        ):
            assert (await peer.get()).content == b"hello"
            await peer.end()
            if version != "1.1":
                assert peer.goaways or version == "3"
            await wait_until(lambda: not server._channels)

    run(main())


@every_version
def test_stopping_finishes_what_is_under_way_and_takes_nothing_new(
    run: Run, serving: Any, version: str
) -> None:
    """RFC 9113 section 6.8, RFC 9114 section 5.2."""

    async def main() -> None:
        begun, gate = asyncio.Event(), asyncio.Event()

        async def handler(request: Request) -> Response:
            begun.set()
            await gate.wait()
            return Response(200, text="finished")

        server = serving(handler)
        await server.start()
        async with open_peer(server, version) as peer:
            stream_id = await peer.request()
            await asyncio.wait_for(begun.wait(), TIME)
            stopping = asyncio.ensure_future(server.stop(TIME))
            if version != "1.1":
                await peer.until(lambda: peer.goaways)
                assert peer.engine.available_streams == 0
            await asyncio.sleep(0)
            gate.set()
            stream = await peer.response(stream_id)
            assert stream.content == b"finished"
            await peer.end()
            await asyncio.wait_for(stopping, TIME)
        assert not server._channels
        assert not server.runner.tasks

    run(main())


@every_version
def test_a_connection_that_asks_for_nothing_does_not_delay_stopping(
    run: Run, serving: Any, version: str
) -> None:
    async def main() -> None:
        server = serving(hello, linger_timeout=60.0)
        await server.start()
        async with open_peer(server, version) as peer:
            await peer.get()
            stopping = asyncio.ensure_future(server.stop(60.0))
            await peer.end()
            peer.vanish()
            await asyncio.wait_for(stopping, TIME)

    run(main())


@every_version
@pytest.mark.parametrize("where", ["handler", "content"])
def test_what_hangs_at_the_end_is_cancelled(
    run: Run, serving: Any, version: str, where: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        begun = asyncio.Event()
        ended = []

        async def hang() -> None:
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.append("cancelled")

        async def handler(request: Request) -> Response:
            if where == "handler":
                await hang()

            async def parts() -> AsyncIterator[bytes]:
                yield b"begun"
                await hang()

            return Response(200, content=parts())

        server = serving(handler)
        await server.start()
        async with open_peer(server, version) as peer:
            stream_id = await peer.request()
            await peer.until(begun.is_set) if where == "content" else await begun.wait()
            await asyncio.wait_for(server.stop(0.05), TIME)
            assert ended == ["cancelled"]
            await peer.end()
            assert not peer.streams[stream_id].ended

    run(main())
    assert complaints(caplog) == []


def test_a_handler_that_ignores_its_cancellation_does_not_stop_the_stopping(
    run: Run, serving: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("h123.server.server.CANCELLATION_TIME", 0.05)

    async def main() -> None:
        begun, gate = asyncio.Event(), asyncio.Event()

        async def handler(request: Request) -> Response:
            begun.set()
            while not gate.is_set():
                try:
                    await gate.wait()
                except asyncio.CancelledError:
                    pass
            return Response(200)

        server = serving(handler)
        await server.start()
        async with open_peer(server, "1.1") as peer:
            await peer.request()
            await asyncio.wait_for(begun.wait(), TIME)
            await asyncio.wait_for(server.stop(0.0), TIME)
            gate.set()

    run(main())
    assert "though it was cancelled" in caplog.text


def test_a_vanished_quic_client_is_forgotten(run: Run, serving: Any) -> None:
    """RFC 9000 section 10.1: whether in the handshake, idle, or in the middle of a response."""

    async def main() -> None:
        endless = Endless()

        async def handler(request: Request) -> Response:
            return endless.response() if request.url.path == "/endless" else await hello(request)

        async with serving(
            handler, idle_timeout=0.5, handshake_timeout=0.5, linger_timeout=0.2
        ) as server:
            async with open_peer(server, "3") as idle, open_peer(server, "3") as busy:
                assert (await idle.get()).content == b"hello"
                await busy.request(b"GET", b"/endless")
                await busy.until(lambda: endless.given)
                begun = await begin_handshake(server)
                await wait_until(lambda: len(server._channels) == 3)
                channels = list(server._channels)
                for peer in (idle, busy, begun):
                    peer.vanish()
            listener = server._udp[0].listener
            await wait_until(lambda: not server._channels and not listener.connections)
            assert listener.half_open == 0
            assert not listener._routes
            await asyncio.wait_for(endless.is_closed.wait(), TIME)
            assert all(channel._timer is None for channel in channels)

    run(main())


async def begin_handshake(server: Server) -> DatagramPeer:
    """Send a client's first datagrams and nothing more."""
    port = int(server.urls[0].rpartition(":")[2])
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.connect(("127.0.0.1", port))
    peer = DatagramPeer(sock, Limits())
    await peer.flush()
    return peer
