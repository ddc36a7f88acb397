"""Wires of other shapes: bytes that wait above the socket, sockets that somebody else reads, ends."""

from __future__ import annotations

from typing import Any

import pytest
from tests.channel.pairs import SOON, Pair, Plain, echo, read

from h123.channel.wire import ByteStreamWire, Wire
from h123.message.exceptions import ReadError, RemoteProtocolError
from h123.protocol import errors as engine_errors
from h123.protocol.events import ConnectionClosed, Event, GoAwayReceived
from h123.protocol.limits import Limits

WAYS = pytest.mark.parametrize("has_event_loop", [True, False], ids=["loop", "polling"])


class Buffered(ByteStreamWire):
    """Gives a few bytes at a time of what it has read, as TLS gives records."""

    def __init__(self, wire: Any) -> None:
        super().__init__(wire.engine, wire.stream)
        self.buffer = b""

    def receive(self) -> list[Event] | None:
        if not self.buffer:
            data = self.stream.read()
            if not data:
                return None if data is None else self.engine.receive_eof()
            self.buffer = data
        piece, self.buffer = self.buffer[:5000], self.buffer[5000:]
        return self.engine.receive_data(piece)

    @property
    def pending(self) -> bool:
        return bool(self.buffer)


@WAYS
@pytest.mark.parametrize("protocol", ["http/1.1", "h2"])
def test_bytes_that_no_poll_shows(protocol: str, has_event_loop: bool) -> None:
    pair = Pair(protocol, has_event_loop=has_event_loop)
    for channel in (pair.client, pair.server):
        channel.wire = Buffered(channel.wire)

    async def body() -> None:
        exchange = pair.client.ask(end_stream=False)
        assert await exchange.send_data(b"x" * 300_000, SOON, end_stream=True)
        await exchange.receive_response(None)
        await pair.backend.sleep(1)  # the buffers fill up, and are taken up again
        assert len(await read(exchange)) == 300_001

    pair.run(body())


class Unseen(ByteStreamWire):
    """Has no socket to poll: somebody else reads."""

    def __init__(self, wire: Any) -> None:
        super().__init__(wire.engine, wire.stream)

    def socket(self) -> None:
        return None


def test_a_connection_that_somebody_else_reads_for() -> None:
    pair = Pair("h2", answer=None, capacity=1000)
    client = pair.client
    pair.backend.unwatch(pair.streams[0].sock)
    client._watching_read = False
    client.wire = Unseen(client.wire)

    async def body() -> None:
        exchange = client.ask(end_stream=False)
        exchange.send_some(b"x" * 10_000)
        assert client.wire.unsent
        assert client._watching_write is False
        await pair.backend.sleep(1)
        client.on_writable()
        data = pair.streams[0].read()
        assert data
        client.take(client.engine.receive_data(data))  # type: ignore[attr-defined]
        client.push()
        with pair.server.lock:
            pair.server.engine.ping(b"12345678")
            pair.server.flush()
        client.on_readable()
        client._watching_read = client._watching_write = True
        client.close()
        client.take([])
        assert exchange.error is not None

    pair.run(body())
    assert client.is_closed


def test_what_came_can_be_read_after_the_end() -> None:
    pair = Pair("http/1.1", answer=None)

    async def body() -> None:
        exchange = pair.client.ask()
        await pair.backend.sleep(0.1)
        answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\nlast"
        pair.streams[1].write(answer)
        pair.streams[1].close()
        await pair.backend.sleep(0.1)
        assert pair.client.is_closed
        await exchange.receive_response(None)
        assert await read(exchange) == b"last"

    pair.run(body())


def test_a_goodbye_that_cannot_be_said() -> None:
    pair = Pair("h2")
    pair.streams[0].outgoing.error = BrokenPipeError("gone")
    pair.client.close()
    assert pair.client.is_closed


def test_a_fault_whose_report_cannot_be_sent() -> None:
    pair = Pair("h2", answer=None)
    exchange = pair.client.ask()

    async def body() -> None:
        await pair.backend.sleep(0.1)
        pair.streams[0].outgoing.error = BrokenPipeError("gone")
        pair.streams[1].incoming.error = None
        pair.streams[1].outgoing.error = None
        pair.streams[0].incoming.put(b"\0\0\x01\x03\0\0\0\0\0x")
        with pytest.raises(RemoteProtocolError):
            await exchange.receive_response(pair.backend.now() + SOON)

    pair.run(body())


class Hasty(Plain):
    """Closes as soon as the peer says goodbye, as a client does that has nothing open."""

    def capacity_changed(self) -> None:
        self._end(RemoteProtocolError("left"))


def test_a_fault_after_the_end_changes_nothing() -> None:
    pair = Pair("h2", answer=None)
    pair.client.__class__ = Hasty
    fault = engine_errors.RemoteProtocolError("garbage after it")
    pair.client.take([GoAwayReceived(0, 0), ConnectionClosed()], fault)
    assert str(pair.client.error) == "left"


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (ConnectionClosed(), "the server closed the connection"),
        (ConnectionClosed(2), "the server closed the connection: INTERNAL_ERROR"),
        (ConnectionClosed(2, "maintenance"), "the server closed the connection: maintenance"),
    ],
)
def test_why_a_connection_ended(event: Event, words: str) -> None:
    pair = Pair("h2", answer=None)
    exchange = pair.client.ask()
    pair.client.take([event])
    assert str(exchange.error) == words


def test_an_exchange_is_broken_once() -> None:
    """Two threads may abort it at the same time."""
    pair = Pair("h2", answer=None)
    exchange = pair.client.ask()
    with pair.client.lock:
        pair.client.reset(exchange, 8)
        error = exchange.error
        pair.client.reset(exchange, 8)
    assert exchange.error is error
    assert pair.client.notes.count("1 over") == 1
    pair.client.close()
    with pair.client.lock:
        pair.client.reset(exchange, 8)


def test_timers_of_what_is_over() -> None:
    pair = Pair("h3", answer=None)
    pair.run(pair.ready())
    client = pair.client
    client.on_timeout()  # too early: it is set again
    assert client._timer is not None
    client.close()
    client.on_timeout()
    client.wire.next_timeout = lambda: 0.0  # type: ignore[method-assign]
    client.on_timeout()
    assert client._timer is None


def test_time_that_a_stream_of_bytes_does_not_know() -> None:
    pair = Pair("h2")
    assert pair.client.wire.next_timeout() is None
    assert pair.client.wire.handle_timeout() == []


def test_input_that_nobody_wants() -> None:
    pair = Pair("http/1.1")
    wire = pair.server.wire
    assert isinstance(wire, ByteStreamWire)
    wire.discard()
    pair.streams[0].write(b"more")
    wire.discard()
    assert not wire.at_end
    pair.streams[0].close()
    wire.discard()
    assert wire.at_end
    assert wire.receive() is None


def test_what_a_wire_is_by_itself() -> None:
    class Simple(Wire):
        unsent = 0

        def receive(self) -> None:
            return None

        def flush(self) -> None:
            pass

        def socket(self) -> None:
            return None

        def interrupt(self) -> None:
            pass

        def close(self) -> None:
            pass

    assert not Simple().pending


@WAYS
def test_either_direction_can_be_waited_for(has_event_loop: bool) -> None:
    pair = Pair("h2", has_event_loop=has_event_loop, answer=echo)

    async def body() -> None:
        exchange = pair.client.ask(end_stream=False)
        wait = pair.client.wait
        assert await wait(exchange, exchange.has_response_or_can_send, None, to_send=True)
        assert exchange.send_some(b"", end_stream=True) == 0
        assert exchange.send_ended
        assert await wait(exchange, exchange.has_response, None)
        assert await wait(exchange, exchange.has_input_or_can_send, None, to_send=True)

    pair.run(body())


def test_who_polls_sends_what_others_leave_queued() -> None:
    """The poll in progress waits for answers only, and has to wait for room too from then on."""
    pair = Pair("h2", has_event_loop=False, capacity=1000)

    async def waits() -> None:
        exchange = pair.client.ask(b"/never", end_stream=False)
        assert len(await pair.client.receive_all(exchange, 3)) == 6

    async def leaves() -> None:
        await pair.backend.sleep(1)
        exchange = pair.client.ask(b"/left")
        for _ in range(3):
            assert pair.client.ask(end_stream=False).send_some(b"x" * 60_000) == 60_000
        await pair.backend.sleep(1)
        assert pair.client.wire.unsent == 0
        assert exchange.has_response()
        pair.server.received[0].send_some(b"", end_stream=True)

    pair.run(waits(), leaves())


@WAYS
def test_an_upload_goes_on_while_the_answer_waits_unread(has_event_loop: bool) -> None:
    """What is held back for the reader is not polled for: that would spin."""

    async def talkative(exchange: Any) -> None:
        exchange.send_response(200, [])
        await exchange.send_data(b"y" * 30_000, SOON)
        taken = 0
        while data := await exchange.receive_data(exchange.channel.backend.now() + SOON):
            taken += len(data)
            await exchange.channel.backend.sleep(0.01)
        await exchange.send_data(b"%d" % taken, SOON, end_stream=True)

    limits = Limits(receive_buffer=1000)
    pair = Pair(
        "http/1.1", has_event_loop=has_event_loop, capacity=5000, client_limits=limits,
        answer=talkative,
    )  # fmt: skip

    async def body() -> None:
        exchange = pair.client.ask(end_stream=False)
        assert await exchange.send_data(b"x" * 10_000, SOON)
        reading = pair.backend.spawn(read(exchange))
        assert await exchange.send_data(b"x" * 290_000, SOON, end_stream=True)
        while not reading.done():
            await pair.backend.sleep(0.1)
        assert reading.result == b"y" * 30_000 + b"300000"

    if has_event_loop:
        pair.run(body())
        return

    async def one_after_the_other() -> None:
        exchange = pair.client.ask(end_stream=False)
        exchange.send_some(b"x" * 4_000)
        await exchange.receive_response(None)
        await pair.backend.sleep(1)
        exchange.send_some(b"x" * 200_000)
        assert not pair.client.has_room()
        assert await pair.client.wait(exchange, exchange.can_send, None, to_send=True)
        exchange.abort()

    pair.run(one_after_the_other())


def test_a_sender_that_meets_the_end_of_everything() -> None:
    pair = Pair("h2", answer=None)
    exchange = pair.client.ask(end_stream=False)
    pair.client.close()
    with pytest.raises(ReadError):
        exchange.send_some(b"x")
    exchange.stop_receiving()
    exchange.wake()
