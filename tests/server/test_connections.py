"""Connections from the server's side: what goes over one, how it ends, what time does to it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from h123.message import Request, Response

Run = Callable[[Any], None]


async def hello(request: Request) -> Response:
    return Response(200, text=f"{request.method} {request.url.path}")


async def read(request: Request) -> Response:
    return Response(200, content=await request.aread())


def test_a_kept_alive_connection_answers_one_request_after_another(
    run: Run, make_server: Any, connect: Any
) -> None:
    async def main() -> None:
        async with make_server(hello) as server, connect(server) as peer:
            for path in (b"/one", b"/two", b"/three"):
                await peer.send(b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % path)
                head = await peer.receive(b"\r\n\r\n")
                assert head.startswith(b"HTTP/1.1 200 OK\r\n")
                assert re.search(rb"\r\nDate: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\n", head)
                body = b"GET " + path
                assert await peer.exactly(len(body)) == body

    run(main())


def test_pipelined_requests_are_answered_in_order(run: Run, make_server: Any, connect: Any) -> None:
    """RFC 9112 section 9.3.2."""
    gate = asyncio.Event()

    async def handler(request: Request) -> Response:
        if request.url.path == "/0":
            await gate.wait()
        return Response(200, text=request.url.path)

    async def main() -> None:
        async with make_server(handler) as server, connect(server) as peer:
            await peer.send(
                b"".join(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % number for number in range(20))
            )
            gate.set()
            bodies = []
            for _ in range(20):
                head = await peer.receive(b"\r\n\r\n")
                length = re.search(rb"Content-Length: (\d+)", head)
                assert length is not None
                bodies.append(await peer.exactly(int(length[1])))
            assert bodies == [b"/%d" % number for number in range(20)]

    run(main())


def test_connection_close_is_obeyed(run: Run, make_server: Any, connect: Any) -> None:
    """RFC 9112 section 9.6."""

    async def main() -> None:
        async with make_server(hello) as server, connect(server) as peer:
            await peer.send(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            answer = await peer.rest()
            assert answer.endswith(b"\r\n\r\nGET /")
            assert b"\r\nConnection: close\r\n" in answer

    run(main())


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 40, 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 70000 + b"\r\n\r\n", 431),
        (b"GET /" + b"y" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        (b"GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501),
        (
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            400,
        ),
    ],
)
def test_what_breaks_a_rule_is_told_so_and_the_connection_ends(
    run: Run, make_server: Any, connect: Any, sent: bytes, status: int
) -> None:
    async def main() -> None:
        async with make_server(hello) as server, connect(server) as peer:
            await peer.send(sent)
            answer = await peer.rest()
            assert answer.startswith(b"HTTP/1.1 %d " % status)
            assert b"Connection: close\r\n" in answer

    run(main())


def test_requests_before_a_broken_one_are_answered(
    run: Run, make_server: Any, connect: Any
) -> None:
    async def main() -> None:
        async with make_server(hello) as server, connect(server) as peer:
            await peer.send(b"GET /good HTTP/1.1\r\nHost: a\r\n\r\nGET /bad HTTP/1.1\r\n\r\n")
            answer = await peer.rest()
            assert answer.index(b"GET /good") < answer.index(b"HTTP/1.1 400")

    run(main())


def test_the_last_response_survives_content_that_nobody_read(
    run: Run, make_server: Any, connect: Any
) -> None:
    """RFC 9112 section 9.6: closing with unread bytes would reset the connection under the response."""

    async def refuse(request: Request) -> Response:
        return Response(413, text="too large")

    async def main() -> None:
        async with make_server(refuse) as server, connect(server) as peer:
            await peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 30000000\r\n\r\n")
            head = await peer.receive(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 413")
            for _ in range(30):
                await peer.send(b"x" * 100000)
            assert await peer.rest() == b"too large"

    run(main())


def test_100_continue_is_sent_when_the_content_is_asked_for(
    run: Run, make_server: Any, connect: Any
) -> None:
    """RFC 9110 section 10.1.1."""

    async def main() -> None:
        async with make_server(read) as server, connect(server) as peer:
            await peer.send(
                b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
            )
            assert await peer.receive(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            await peer.send(b"ok")
            assert (await peer.receive(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 OK")
            assert await peer.exactly(2) == b"ok"

    run(main())


def test_a_handler_that_fails_is_a_500(
    run: Run, make_server: Any, connect: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(request: Request) -> Response:
        raise ZeroDivisionError("a bug")

    async def main() -> None:
        async with make_server(fail) as server, connect(server) as peer:
            await peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert (await peer.receive(b"\r\n\r\n")).startswith(b"HTTP/1.1 500")

    run(main())
    assert "a bug" in caplog.text


def test_a_response_that_breaks_off_does_not_look_complete(
    run: Run, make_server: Any, connect: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """RFC 9112 section 8: without its last chunk a message is incomplete."""

    async def break_off(request: Request) -> Response:
        async def parts() -> AsyncIterator[bytes]:
            yield b"begun"
            raise ZeroDivisionError("in the middle")

        return Response(200, content=parts())

    async def main() -> None:
        async with make_server(break_off) as server, connect(server) as peer:
            await peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            answer = await peer.rest()
            assert b"begun" in answer
            assert not answer.endswith(b"0\r\n\r\n")

    run(main())
    assert "in the middle" in caplog.text


@pytest.mark.parametrize(
    ("sent", "limits"),
    [
        (b"", {"header_timeout": 0.2}),
        (b"GET / HTTP/1.1\r\nHost: a\r\n", {"header_timeout": 0.2}),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {"header_timeout": 0.2, "idle_timeout": 0.2}),
        (
            b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\n",
            {"header_timeout": 0.2, "idle_timeout": 0.2},
        ),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", {"idle_timeout": 0.2}),
    ],
    ids=["silence", "half a request", "an HTTP/2 client", "half a second request", "idle"],
)
def test_a_client_that_does_not_go_on_is_let_go(
    run: Run, make_server: Any, connect: Any, sent: bytes, limits: dict[str, float]
) -> None:
    async def main() -> None:
        async with make_server(hello, **limits) as server, connect(server) as peer:
            await peer.send(sent)
            await peer.rest()

    run(main())


def test_content_that_does_not_come_is_a_408(run: Run, make_server: Any, connect: Any) -> None:
    async def main() -> None:
        async with make_server(read, read_timeout=0.1) as server, connect(server) as peer:
            await peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabc")
            assert (await peer.rest()).startswith(b"HTTP/1.1 408")

    run(main())


def test_a_client_that_takes_nothing_is_dropped_after_a_while(
    run: Run, make_server: Any, connect: Any
) -> None:
    ended = asyncio.Event()

    async def endless(request: Request) -> Response:
        async def parts() -> AsyncIterator[bytes]:
            try:
                while True:
                    yield b"x" * 65536
            finally:
                ended.set()

        return Response(200, content=parts())

    async def main() -> None:
        async with make_server(endless, write_timeout=0.2) as server, connect(server) as peer:
            await peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            await asyncio.wait_for(ended.wait(), 20)

    run(main())


def test_further_connections_wait_when_the_server_is_full(
    run: Run, make_server: Any, connect: Any
) -> None:
    async def main() -> None:
        async with make_server(hello, connections=1) as server, connect(server) as first:
            await first.send(b"GET /first HTTP/1.1\r\nHost: a\r\n\r\n")
            await first.receive(b"GET /first")
            async with connect(server) as second:
                await second.send(b"GET /second HTTP/1.1\r\nHost: a\r\n\r\n")
                waiting = asyncio.ensure_future(second.receive(b"GET /second"))
                await first.send(b"GET /still HTTP/1.1\r\nHost: a\r\n\r\n")
                await first.receive(b"GET /still")
                assert not waiting.done()
                first.writer.close()
                await waiting

    run(main())


def test_stopping_lets_what_is_under_way_finish(run: Run, make_server: Any, connect: Any) -> None:
    begun, gate = asyncio.Event(), asyncio.Event()

    async def slow(request: Request) -> Response:
        begun.set()
        await gate.wait()
        return Response(200, text="finished")

    async def main() -> None:
        server = make_server(slow)
        await server.start()
        async with connect(server) as peer, connect(server) as idle:
            await peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            await asyncio.wait_for(begun.wait(), 20)
            stopping = asyncio.ensure_future(server.stop())
            assert await idle.rest() == b""
            with pytest.raises(OSError):  # nobody listens any more
                async with connect(server):
                    pass
            gate.set()
            answer = await peer.rest()
            assert answer.endswith(b"finished")
        await stopping

    run(main())


def test_stopping_does_not_wait_for_ever(run: Run, make_server: Any, connect: Any) -> None:
    begun = asyncio.Event()

    async def stuck(request: Request) -> Response:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    async def main() -> None:
        server = make_server(stuck)
        await server.start()
        async with connect(server) as peer:
            await peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            await asyncio.wait_for(begun.wait(), 20)
            await asyncio.wait_for(server.stop(0.1), 20)
            assert await peer.rest() == b""

    run(main())
