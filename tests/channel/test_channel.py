"""The pump: who reads for whom, who waits for what, and what becomes of it when a connection ends."""

from __future__ import annotations

from typing import Any

import pytest
from tests.channel.pairs import SOON, Pair, Plain, echo, read

from h123.channel.channel import HIGH_WATER
from h123.channel.exchange import Exchange
from h123.message.exceptions import (
    HTTPError,
    LocalProtocolError,
    ReadError,
    ReadTimeout,
    RemoteProtocolError,
    WriteTimeout,
)
from h123.network.memory import Cancelled
from h123.protocol.errors import ErrorCode
from h123.protocol.events import (
    CapacityChanged,
    DataReceived,
    GoAwayReceived,
    InformationalReceived,
    ResponseReceived,
    StopSending,
    StreamReset,
    TrailersReceived,
)
from h123.protocol.limits import Limits

WAYS = pytest.mark.parametrize("has_event_loop", [True, False], ids=["loop", "polling"])
ALL = pytest.mark.parametrize("protocol", ["http/1.1", "h2", "h3"])
STREAMS = pytest.mark.parametrize("protocol", ["http/1.1", "h2"])
SHARED = pytest.mark.parametrize("protocol", ["h2", "h3"])


def assert_quiet(channel: Plain) -> None:
    """See that nobody is left waiting, and that nobody holds the duty to read."""
    assert not channel._waiters
    assert not channel._blocked
    assert not channel._polling
    assert not channel._in_poll
    assert not channel.exchanges


@ALL
@WAYS
def test_an_exchange(protocol: str, has_event_loop: bool) -> None:
    pair = Pair(protocol, has_event_loop=has_event_loop)

    async def body() -> None:
        await pair.ready()
        for number in range(3):
            exchange = pair.client.ask(b"/%d" % number, end_stream=False)
            assert await exchange.send_data(b"x" * 200_000, SOON)
            exchange.send_trailers([(b"sum", b"1")])
            content = await pair.client.receive_all(exchange)
            assert content == b"/%d" % number + b"x" * 200_000
            assert [(n.lower(), v) for n, v in exchange.trailers] == [(b"sum", b"1")]
            assert exchange.over
            exchange.abort()  # of what is over: no effect

    pair.run(body())
    assert_quiet(pair.client)
    assert not pair.client.is_closed


def test_states_are_shown() -> None:
    pair = Pair("h2", answer=None)
    client, server = pair.client, pair.server

    async def body() -> None:
        assert repr(client) == "<Plain HTTP/2 [the server, IDLE, 0 streams]>"
        exchange = client.ask()
        assert "ACTIVE, 1 streams" in repr(client)
        assert repr(exchange).startswith("<Exchange 1 of <Plain")
        assert repr(exchange).endswith("open, 0 unread>")
        await pair.backend.sleep(1)
        server.drain()
        await pair.backend.sleep(1)
        assert "DRAINING" in repr(client)
        exchange.abort()
        assert repr(exchange).endswith("over, 0 unread>")
        client.close()
        client.close()  # again: no effect
        client.drain()
        assert "CLOSED" in repr(client)

    pair.run(body())


# ------------------------------------------------------------------------- reading for everyone


@SHARED
@WAYS
def test_whoever_reads_reads_for_everyone(protocol: str, has_event_loop: bool) -> None:
    """Answers come in the opposite order; each reaches its own, and the duty passes on."""

    async def later(exchange: Exchange) -> None:
        assert exchange.request is not None
        await exchange.channel.backend.sleep(1 - int(exchange.request.target[1:]) / 20)
        await echo(exchange)

    pair = Pair(protocol, has_event_loop=has_event_loop, answer=later)
    order: list[int] = []

    async def one(number: int) -> None:
        assert await pair.client.receive_all(pair.client.ask(b"/%d" % number)) == b"/%d" % number
        order.append(number)

    pair.run(pair.ready())
    pair.run(*(one(number) for number in range(10)))
    assert order == list(reversed(range(10)))
    assert_quiet(pair.client)


@WAYS
def test_each_has_a_deadline_of_its_own(has_event_loop: bool) -> None:
    """RFC 9113 section 5: traffic on the siblings does not extend it, and it does not harm them."""
    pair = Pair("h2", has_event_loop=has_event_loop, answer=None)
    ended: list[tuple[float, str]] = []

    async def one(timeout: float) -> None:
        exchange = pair.client.ask()
        with pytest.raises(ReadTimeout, match="no response from the server in time"):
            await exchange.receive_response(pair.backend.now() + timeout)
        ended.append((pair.backend.now(), "timeout"))
        exchange.abort()

    async def fine() -> None:
        exchange = pair.client.ask(b"/fine")
        await pair.client.receive_all(exchange, 100)
        ended.append((pair.backend.now(), "fine"))

    async def drip() -> None:
        await pair.backend.sleep(0.1)
        exchange = pair.server.received[-1]
        exchange.send_response(200, [])
        for _ in range(50):
            await exchange.send_data(b".", SOON)
            await pair.backend.sleep(0.1)
        await exchange.send_data(b"", SOON, end_stream=True)

    pair.run(one(3), one(1), one(2), fine(), drip())
    times = [time for time, _ in ended]
    assert times == pytest.approx([1, 2, 3, 5.1])
    assert_quiet(pair.client)


@WAYS
@pytest.mark.parametrize("victim", [0, 1, 2])
def test_one_who_waits_can_be_cancelled(has_event_loop: bool, victim: int) -> None:
    """Whether it polls for all or waits for the one that does."""

    async def later(exchange: Exchange) -> None:
        await exchange.channel.backend.sleep(1)
        if not exchange.over:
            await echo(exchange)

    pair = Pair("h2", has_event_loop=has_event_loop, answer=later)
    backend = pair.backend

    async def one(number: int) -> bytes:
        exchange = pair.client.ask(b"/%d" % number)
        try:
            return await pair.client.receive_all(exchange)
        finally:
            exchange.abort()

    async def body() -> None:
        tasks = [backend.spawn(one(number)) for number in range(3)]
        await backend.sleep(0.5)
        tasks[victim].cancel()
        while not all(task.done() for task in tasks):
            await backend.sleep(0.1)
        expected = [b"/0", b"/1", b"/2"]
        expected[victim] = None  # type: ignore[call-overload]
        assert [task.result for task in tasks] == expected

    pair.run(body())
    assert_quiet(pair.client)


def test_a_look_does_not_take_what_a_poll_waits_for() -> None:
    """The one who polls would not notice that its answer was taken off the socket."""
    pair = Pair("h2", has_event_loop=False, answer=None)
    backend = pair.backend

    async def waits() -> None:
        exchange = pair.client.ask()
        assert await pair.client.receive_all(exchange) == b"answer"

    async def looks() -> None:
        pair.client.ask()
        await backend.sleep(1)
        exchange = pair.server.received[0]
        exchange.send_response(200, [])
        assert await exchange.send_data(b"answer", SOON, end_stream=True)
        await pair.client.look()  # at once: before the poll could return
        assert pair.client.is_alive()

    pair.run(waits(), looks())
    assert backend.now() < 2


@WAYS
def test_a_look_sees_what_has_come(has_event_loop: bool) -> None:
    pair = Pair("h2", has_event_loop=has_event_loop)

    async def body() -> None:
        exchange = pair.client.ask()
        for _ in range(10):
            await pair.backend.sleep(0.01)
            await pair.client.look()
        assert exchange.has_response()
        pair.client.close()
        await pair.client.look()

    pair.run(body())


@SHARED
@pytest.mark.parametrize("first", [0, 1], ids=["the one who polls", "the one who waits"])
def test_an_exchange_aborted_elsewhere_ends_its_wait(protocol: str, first: int) -> None:
    pair = Pair(protocol, has_event_loop=False, answer=None)
    pair.run(pair.ready())
    exchanges = [pair.client.ask(), pair.client.ask()]

    async def waits(which: int) -> None:
        with pytest.raises((LocalProtocolError, ReadError)):
            await exchanges[which].receive_response(pair.backend.now() + 100)
        ended.append((which, pair.backend.now()))

    async def aborts() -> None:
        await pair.backend.sleep(1)
        exchanges[first].abort()
        await pair.backend.sleep(1)
        pair.client.close()

    ended: list[tuple[int, float]] = []
    begun = pair.backend.now()
    pair.run(waits(0), waits(1), aborts())
    assert [which for which, _ in ended] == [first, 1 - first]
    assert ended[0][1] - begun == pytest.approx(1, abs=0.5)
    assert_quiet(pair.client)


@ALL
@WAYS
def test_closing_ends_every_wait_at_once(protocol: str, has_event_loop: bool) -> None:
    pair = Pair(protocol, has_event_loop=has_event_loop, answer=None)
    pair.run(pair.ready())
    exchange = pair.client.ask()

    async def waits() -> None:
        with pytest.raises(ReadError, match="the connection to the server was closed on this side"):
            await exchange.receive_response(None)

    async def closes() -> None:
        await pair.backend.sleep(1)
        pair.client.close()

    begun = pair.backend.now()
    pair.run(waits(), closes())
    assert pair.backend.now() == pytest.approx(begun + 1)
    assert pair.client.is_closed
    assert pair.client.notes[-1] == "closed"
    assert pair.client.wire.socket().is_closed  # type: ignore[union-attr]
    assert_quiet(pair.client)
    assert exchange.over


@ALL
def test_an_idle_connection_is_closed_if_asked(protocol: str) -> None:
    pair = Pair(protocol, answer=None)
    pair.run(pair.ready())
    exchange = pair.client.ask()
    pair.client.close_if_idle()
    assert not pair.client.is_closed
    exchange.abort()
    pair.client.close_if_idle()
    pair.client.close_if_idle()
    assert pair.client.is_closed


# ------------------------------------------------------------------------------------ flow


@ALL
@WAYS
def test_a_reader_that_stops_stops_the_sender(protocol: str, has_event_loop: bool) -> None:
    """And when it goes on, so does the sender, to the last byte."""
    sent = 0
    size = 40_000_000 if protocol != "h3" else 4_000_000
    limits = Limits(stream_window=300_000, connection_window=600_000)

    async def flood(exchange: Exchange) -> None:
        nonlocal sent
        exchange.send_response(200, [])
        piece = b"x" * 100_000
        while sent < size:
            assert await exchange.send_data(piece, 1000)
            sent += len(piece)
        await exchange.send_data(b"", 1000, end_stream=True)

    pair = Pair(protocol, has_event_loop=has_event_loop, answer=flood, client_limits=limits)
    pair.run(pair.ready())

    async def body() -> None:
        exchange = pair.client.ask()
        await exchange.receive_response(pair.backend.now() + SOON)
        for _ in range(30):
            await pair.backend.sleep(0.1)
            await pair.client.look()
        stood = sent
        for _ in range(30):
            await pair.backend.sleep(0.1)
            await pair.client.look()
        assert sent == stood <= 1_500_000
        assert exchange.unread <= 600_000
        assert len(await read(exchange)) == size

    pair.run(body())


@SHARED
@WAYS
def test_what_is_left_unread_gives_its_credit_back(protocol: str, has_event_loop: bool) -> None:
    """Streams abandoned one after the other do not starve the connection."""
    limits = Limits(stream_window=100_000, connection_window=150_000)

    async def flood(exchange: Exchange) -> None:
        exchange.send_response(200, [])
        try:
            await exchange.send_data(b"x" * 90_000, SOON, end_stream=True)
        except HTTPError:
            pass

    pair = Pair(protocol, has_event_loop=has_event_loop, answer=flood, client_limits=limits)
    pair.run(pair.ready())

    async def body() -> None:
        for number in range(10):
            exchange = pair.client.ask()
            await exchange.receive_response(pair.backend.now() + SOON)
            if number % 2:
                await pair.backend.sleep(0.5)
                await pair.client.look()  # it has come whole, and nobody takes it
            exchange.abort()
            exchange.abort()
            assert exchange.unread == 0
        assert len(await pair.client.receive_all(pair.client.ask())) == 90_000

    pair.run(body())


@STREAMS
@WAYS
def test_a_peer_that_is_slow_is_not_gone(protocol: str, has_event_loop: bool) -> None:
    """The deadline of a write runs from the last byte that the network took."""
    pair = Pair(protocol, has_event_loop=has_event_loop, capacity=1000)
    there = pair.streams[1]

    async def slow() -> None:
        there.incoming.paused = True
        for _ in range(60):
            await pair.backend.sleep(0.9)
            there.incoming.paused = False
            await pair.backend.sleep(0.001)
            there.incoming.paused = True
        there.incoming.paused = False

    async def body() -> None:
        exchange = pair.client.ask(end_stream=False)
        if protocol == "h2":
            await pair.backend.sleep(0.1)
        assert await exchange.send_data(b"x" * 150_000, 1.0, end_stream=True)
        content = await pair.client.receive_all(exchange, 1000)
        assert len(content) == 150_001

    pair.run(body(), slow())


@STREAMS
@WAYS
def test_a_peer_that_takes_nothing_is_gone(protocol: str, has_event_loop: bool) -> None:
    pair = Pair(protocol, has_event_loop=has_event_loop, capacity=1000)

    async def body() -> None:
        await pair.backend.sleep(0.1)
        pair.streams[1].incoming.paused = True
        exchange = pair.client.ask(end_stream=False)
        with pytest.raises(WriteTimeout, match="the server took no data in time"):
            await exchange.send_data(b"x" * 1_000_000, 1.0)
        assert pair.client.wire.unsent <= HIGH_WATER + 300_000
        exchange.abort()
        pair.client.close()

    pair.run(body())
    assert_quiet(pair.client)


@WAYS
def test_senders_take_turns(has_event_loop: bool) -> None:
    pair = Pair("h2", has_event_loop=has_event_loop, capacity=2000)

    async def one(number: int) -> None:
        exchange = pair.client.ask(b"/%d" % number, end_stream=False)
        assert await exchange.send_data(b"x" * 200_000, SOON, end_stream=True)
        assert len(await pair.client.receive_all(exchange)) == 200_002

    pair.run(*(one(number) for number in range(6)))
    assert_quiet(pair.client)


# --------------------------------------------------------------------------- ending streams


@SHARED
@WAYS
def test_a_reset_reaches_its_stream_alone(protocol: str, has_event_loop: bool) -> None:
    async def selective(exchange: Exchange) -> None:
        assert exchange.request is not None
        if exchange.request.target == b"/bad":
            exchange.abort(ErrorCode.INTERNAL_ERROR)
        else:
            await exchange.channel.backend.sleep(1)
            await echo(exchange)

    pair = Pair(protocol, has_event_loop=has_event_loop, answer=selective)
    pair.run(pair.ready())

    async def bad() -> None:
        exchange = pair.client.ask(b"/bad")
        with pytest.raises(RemoteProtocolError, match="the server reset the stream: INTERNAL"):
            await exchange.receive_response(pair.backend.now() + SOON)
        assert not exchange.unprocessed
        with pytest.raises(RemoteProtocolError):
            exchange.send_some(b"x")
        with pytest.raises(RemoteProtocolError):
            exchange.send_trailers([])
        with pytest.raises(RemoteProtocolError):
            exchange.send_informational(100, [])
        with pytest.raises(RemoteProtocolError):
            exchange.send_response(200, [])

    async def good() -> None:
        assert await pair.client.receive_all(pair.client.ask(b"/good")) == b"/good"

    pair.run(bad(), good())
    assert_quiet(pair.client)


def test_an_error_code_without_a_name() -> None:
    pair = Pair("h2", answer=None)
    exchange = pair.client.ask()
    with pair.client.lock:
        pair.client.dispatch([StreamReset(exchange.stream_id, 0x1234)])
    assert str(exchange.error) == "the server reset the stream: error 0x1234"


@pytest.mark.parametrize(
    ("error_code", "debug_data", "words"),
    [
        (0, b"going down for maintenance", ""),
        (11, b"calm down", "(GOAWAY ENHANCE_YOUR_CALM: 'calm down')"),
        (11, b"", "(GOAWAY ENHANCE_YOUR_CALM)"),
        (11, b"\x1b[2J" * 1000, "ENHANCE_YOUR_CALM: '\\x1b[2J"),
    ],
)
def test_what_a_goaway_said_is_told_with_the_error(
    error_code: int, debug_data: bytes, words: str
) -> None:
    """RFC 9113 section 6.8: diagnostic data, which is not to be trusted."""
    pair = Pair("h2", answer=None)
    exchange = pair.client.ask()
    with pair.client.lock:
        pair.client.dispatch(
            [
                GoAwayReceived(0, error_code, debug_data),
                StreamReset(exchange.stream_id, 7, unprocessed=True),
            ]
        )
    assert exchange.error is not None
    assert words in str(exchange.error)
    assert ("GOAWAY" in str(exchange.error)) is bool(words)
    assert len(str(exchange.error)) < 1200


def test_a_stream_that_our_engine_reset_says_why() -> None:
    pair = Pair("h2", answer=None)
    exchange = pair.client.ask()
    event = StreamReset(exchange.stream_id, 1, remote=False, message="content-length lies")
    with pair.client.lock:
        pair.client.dispatch([event])
    assert str(exchange.error) == "the stream was reset: content-length lies"


@SHARED
@WAYS
def test_a_server_that_wants_no_more(protocol: str, has_event_loop: bool) -> None:
    """RFC 9113 section 8.1, RFC 9114 section 4.1: the answer is whole, the rest is not sent."""

    async def enough(exchange: Exchange) -> None:
        await exchange.receive_data(None)
        exchange.send_response(200, [])
        await exchange.send_data(b"enough", SOON, end_stream=True)
        exchange.stop_receiving()
        exchange.stop_receiving()

    pair = Pair(protocol, has_event_loop=has_event_loop, answer=enough)
    pair.run(pair.ready())

    async def body() -> None:
        exchange = pair.client.ask(end_stream=False)
        while await exchange.send_data(b"x" * 10_000, SOON):
            await pair.client.look()
            await pair.backend.sleep(0.01)
        assert exchange.send_some(b"more") == 4
        exchange.send_trailers([])
        assert await pair.client.receive_all(exchange) == b"enough"
        exchange.stop_sending()

    pair.run(body())
    assert_quiet(pair.client)
    assert_quiet(pair.server)


@ALL
def test_a_request_that_is_not_read_to_its_end(protocol: str) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.receive_data(None)
        await exchange.channel.backend.sleep(0.5)
        exchange.stop_receiving()
        assert exchange.unread == 0
        exchange.send_response(200, [(b"content-length", b"0")], end_stream=True)

    pair = Pair(protocol, answer=answer)
    pair.run(pair.ready())

    async def body() -> None:
        exchange = pair.client.ask(end_stream=False)
        exchange.send_some(b"x" * 10_000)
        assert await pair.client.receive_all(exchange) == b""
        exchange.stop_sending()
        assert exchange.send_stopped or exchange.send_ended
        exchange.abort()

    pair.run(body())


@ALL
def test_stop_sending_after_the_end_changes_nothing(protocol: str) -> None:
    pair = Pair(protocol)
    pair.run(pair.ready())
    exchange = pair.client.ask()
    exchange.stop_sending()
    assert not exchange.send_stopped


@ALL
def test_informational_responses(protocol: str) -> None:
    async def hint(exchange: Exchange) -> None:
        exchange.send_informational(103, [(b"link", b"</a>")])
        await echo(exchange)

    pair = Pair(protocol, answer=hint)
    pair.run(pair.ready())

    async def body() -> None:
        exchange = pair.client.ask()
        await pair.client.receive_all(exchange)
        assert [one.status for one in exchange.informational] == [103]

    pair.run(body())


@ALL
def test_what_the_engine_refuses_is_a_local_error(protocol: str) -> None:
    pair = Pair(protocol)
    pair.run(pair.ready())
    with pytest.raises(LocalProtocolError):
        pair.client.ask(b"/\r\n")
    exchange = pair.client.ask()
    with pytest.raises(LocalProtocolError):
        exchange.send_response(200, [])
    with pytest.raises(LocalProtocolError):
        exchange.send_informational(100, [])
    assert not exchange.over


def test_small_parts_are_given_in_one_piece_and_large_ones_as_they_came() -> None:
    pair = Pair("h2", answer=None)
    exchange = pair.client.ask()
    stream_id = exchange.stream_id

    def put(*sizes: int) -> None:
        for size in sizes:
            exchange.chunks.append(b"x" * size)
            exchange.unread += size

    pair.client.give_credit = lambda exchange, amount: given.append(amount)  # type: ignore[method-assign]
    given: list[int] = []
    put(1, 2, 3)
    assert exchange.take() == b"x" * 6
    put(60_000, 60_000)
    assert len(exchange.take()) == 60_000
    assert len(exchange.take()) == 60_000
    assert exchange.take() == b""
    assert given == [6, 60_000, 60_000]
    assert stream_id == 1


@WAYS
def test_what_came_before_an_error_is_given_first(has_event_loop: bool) -> None:
    async def half(exchange: Exchange) -> None:
        exchange.send_response(200, [])
        await exchange.send_data(b"half", SOON)
        exchange.abort(ErrorCode.INTERNAL_ERROR)

    pair = Pair("h2", has_event_loop=has_event_loop, answer=half)

    async def body() -> None:
        exchange = pair.client.ask()
        await exchange.receive_response(None)
        for _ in range(5):
            await pair.backend.sleep(0.1)
            await pair.client.look()
        assert await exchange.receive_data(None) == b"half"
        with pytest.raises(RemoteProtocolError):
            await exchange.receive_data(None)
        fresh = exchange.failure()
        assert fresh is not exchange.error
        assert str(fresh) == str(exchange.error)

    pair.run(body())


def test_no_data_in_time() -> None:
    async def half(exchange: Exchange) -> None:
        exchange.send_response(200, [])
        await exchange.send_data(b"half", SOON)

    pair = Pair("h2", answer=half)

    async def body() -> None:
        exchange = pair.client.ask()
        await exchange.receive_response(None)
        assert await exchange.receive_data(None) == b"half"
        with pytest.raises(ReadTimeout, match="no data from the server in time"):
            await exchange.receive_data(pair.backend.now() + 1)

    pair.run(body())


# ---------------------------------------------------------------------- ending connections


@STREAMS
@WAYS
@pytest.mark.parametrize("how", ["hang up", "reset"])
def test_a_peer_that_is_gone(protocol: str, has_event_loop: bool, how: str) -> None:
    pair = Pair(protocol, has_event_loop=has_event_loop, answer=None)
    number = 1 if protocol == "http/1.1" else 3
    errors: list[Exception] = []

    async def waits() -> None:
        with pytest.raises((ReadError, RemoteProtocolError), match="the server") as caught:
            await pair.client.ask().receive_response(pair.backend.now() + SOON)
        errors.append(caught.value)

    async def gone() -> None:
        await pair.backend.sleep(1)
        if how == "reset":
            pair.streams[1].reset()
        else:
            pair.streams[1].close()

    pair.run(*(waits() for _ in range(number)), gone())
    assert len(errors) == number
    assert {type(error) for error in errors} <= {
        ReadError if how == "reset" else RemoteProtocolError
    }
    assert pair.client.is_closed
    assert_quiet(pair.client)


@WAYS
def test_a_peer_that_goes_away_politely(has_event_loop: bool) -> None:
    pair = Pair("h2", has_event_loop=has_event_loop)

    async def body() -> None:
        await pair.client.receive_all(pair.client.ask())
        pair.server.drain()
        await pair.backend.sleep(1)
        await pair.client.look()
        await pair.backend.sleep(1)
        await pair.client.look()
        assert pair.client.engine.is_draining
        assert pair.client.open_exchange(
            b"GET", b"/", [], scheme=b"https", authority=b"a", end_stream=True
        ) is None  # fmt: skip

    pair.run(body())
    assert "capacity" in pair.client.notes


@WAYS
def test_a_peer_that_breaks_the_protocol(has_event_loop: bool) -> None:
    pair = Pair("h2", has_event_loop=has_event_loop, answer=None)

    async def body() -> None:
        exchange = pair.client.ask()
        await pair.backend.sleep(0.1)
        pair.streams[1].write(b"\0\0\x01\x03\0\0\0\0\0x")
        with pytest.raises(RemoteProtocolError, match=r"^the server: ") as caught:
            await exchange.receive_response(pair.backend.now() + SOON)
        assert caught.value.__cause__ is not None

    pair.run(body())
    assert_quiet(pair.client)


@STREAMS
@WAYS
def test_an_answer_can_be_read_after_sending_has_failed(
    protocol: str, has_event_loop: bool
) -> None:
    """A 413 in the middle of an upload, and then nobody reads any more."""
    pair = Pair(protocol, has_event_loop=has_event_loop, answer=None)

    async def body() -> None:
        await pair.backend.sleep(0.1)
        exchange = pair.client.ask(end_stream=False)
        pair.client.push()
        await pair.backend.sleep(0.1)
        answered = pair.server.received[0]
        answered.send_response(413, [(b"content-length", b"2")])
        await answered.send_data(b"no", SOON, end_stream=True)
        pair.streams[1].outgoing.ended = True
        pair.streams[0].outgoing.error = BrokenPipeError("gone")
        assert not await exchange.send_data(b"x" * 1000, SOON)
        pair.client.push()
        assert (await exchange.receive_response(pair.backend.now() + SOON)).status == 413
        assert await read(exchange) == b"no"
        if not pair.client.is_closed:
            assert pair.client.open_exchange(
                b"GET", b"/", [], scheme=b"https", authority=b"a", end_stream=True
            ) is None  # fmt: skip
        exchange.abort()

    pair.run(body())
    assert not pair.client.exchanges


def test_a_server_that_can_not_send_is_over() -> None:
    pair = Pair("h2", answer=None)

    async def body() -> None:
        pair.client.ask()
        await pair.backend.sleep(0.1)
        pair.streams[1].outgoing.error = BrokenPipeError("gone")
        exchange = pair.server.received[0]
        exchange.send_response(200, [])
        pair.server.push()
        assert pair.server.is_closed
        with pytest.raises(ReadError):
            await exchange.send_data(b"x", SOON)

    pair.run(body())


@pytest.mark.parametrize("end", [b"garbage\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\n"])
def test_pipelined_requests_come_one_after_the_other(end: bytes) -> None:
    """RFC 9112 section 9.3.2."""
    pair = Pair("http/1.1")
    with pair.client.lock:
        pair.client.hand_over()  # nobody reads the answers

    async def body() -> None:
        request = b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n"
        pair.server.feed(request % 0 + request % 1 + end)
        await pair.backend.sleep(1)
        assert [one.request.target for one in pair.server.received if one.request] == [b"/0", b"/1"]
        assert pair.server.is_closed is end.startswith(b"garbage")
        pair.server.close()

    pair.run(body())


def test_a_last_request_ends_the_connection() -> None:
    pair = Pair("http/1.1")

    async def body() -> None:
        exchange = pair.client.ask(headers=[(b"Connection", b"close")])
        await pair.client.receive_all(exchange)

    pair.run(body())
    assert pair.client.is_closed
    assert pair.server.is_closed


def test_garbage_before_the_channel_began() -> None:
    pair = Pair("h2")
    pair.server.feed(b"garbage" * 10)
    assert pair.server.is_closed
    pair.server.take([])
    assert pair.server.notes[-1] == "closed"


def test_handing_the_stream_over() -> None:
    """After CONNECT another protocol goes on with it."""
    for has_event_loop in (True, False):
        pair = Pair("http/1.1", has_event_loop=has_event_loop)

        async def body(pair: Pair = pair) -> None:
            await pair.client.receive_all(pair.client.ask())

        pair.run(body())
        with pair.client.lock:
            pair.client.hand_over()
        assert pair.client.is_closed
        assert not pair.streams[0].is_closed
        assert pair.client._poller is None
        pair.client.flush()
        pair.client.close()
        pair.client.on_readable()
        assert not pair.streams[0].is_closed


def test_events_of_streams_that_nobody_knows() -> None:
    """After an abort the rest is on its way still; its credit goes back."""
    pair = Pair("h2", answer=None)
    consumed: list[tuple[int, int]] = []
    pair.client.engine = Recorder(pair.client.engine, consumed)  # type: ignore[assignment]
    with pair.client.lock:
        for make in (
            lambda: DataReceived(9, b"late", False),
            lambda: ResponseReceived(9, 200, [], False, "HTTP/2"),
            lambda: StreamReset(9, 8),
            lambda: InformationalReceived(9, 103, []),
            lambda: TrailersReceived(9, []),
            lambda: StopSending(9, 0),
            lambda: CapacityChanged(9),
        ):
            pair.client.dispatch([make()])
    assert consumed == [(9, 4)]


class Recorder:
    """An engine that notes what is consumed."""

    def __init__(self, engine: Any, consumed: list[tuple[int, int]]) -> None:
        self._engine = engine
        self._consumed = consumed

    def consume(self, stream_id: int, amount: int) -> None:
        self._consumed.append((stream_id, amount))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)


def test_pings_are_answered_to_nobody() -> None:
    pair = Pair("h2")

    async def body() -> None:
        with pair.client.lock:
            pair.client.engine.ping(b"12345678")
            pair.client.flush()
        await pair.backend.sleep(1)

    pair.run(body())
    assert not pair.client.is_closed


def test_an_end_without_more_to_say_waits_for_room_only() -> None:
    """The end of a stream needs no window, but the network's room."""
    pair = Pair("h2", capacity=1000, client_limits=Limits())

    async def body() -> None:
        await pair.backend.sleep(0.1)
        pair.streams[1].incoming.paused = True
        other = pair.client.ask(end_stream=False)
        sent = other.send_some(b"x" * 1_000_000)
        assert sent > HIGH_WATER // 4
        while pair.client.has_room():
            other.send_some(b"y" * 100_000)
            before = pair.client.wire.unsent
            if pair.client.wire.unsent == before and not other.can_send():
                break
        pair.client.has_room = lambda: open_again  # type: ignore[method-assign]
        exchange = pair.client.ask(end_stream=False)
        assert exchange.send_some(b"", end_stream=True) == 0
        assert not exchange.send_ended
        task = pair.backend.spawn(exchange.send_data(b"", SOON, end_stream=True))
        await pair.backend.sleep(0.1)
        assert not task.done()
        nonlocal_open()
        pair.streams[1].incoming.paused = False
        await pair.backend.sleep(0.5)
        assert task.done()
        assert task.result is True

    open_again = False

    def nonlocal_open() -> None:
        nonlocal open_again
        open_again = True

    pair.run(body())


# ------------------------------------------------------------------------------------ QUIC


@WAYS
def test_a_network_that_loses_and_reorders(has_event_loop: bool) -> None:
    """Timers send again what was lost, whoever lets time pass."""
    pair = Pair("h3", has_event_loop=has_event_loop)
    here, there = pair.datagrams
    here.on_send = lambda number, data: () if number % 7 == 3 else (number % 3,)
    there.on_send = lambda number, data: () if number % 5 == 3 else (0,)

    async def body() -> None:
        await pair.ready()
        exchange = pair.client.ask(end_stream=False)
        assert await exchange.send_data(b"x" * 300_000, 60, end_stream=True)
        assert len(await pair.client.receive_all(exchange, 60)) == 300_001

    pair.run(body())


@WAYS
def test_a_server_that_falls_silent(has_event_loop: bool) -> None:
    pair = Pair("h3", has_event_loop=has_event_loop, answer=None)
    pair.run(pair.ready())
    here, _ = pair.datagrams

    async def body() -> None:
        exchange = pair.client.ask()
        here.on_send = lambda number, data: ()
        with pytest.raises(HTTPError, match="the server"):
            await exchange.receive_response(pair.backend.now() + 1000)

    pair.run(body())
    assert pair.client.is_closed


@WAYS
@pytest.mark.parametrize("when", ["sending", "receiving"])
def test_nobody_at_the_other_port(has_event_loop: bool, when: str) -> None:
    """ICMP tells a connected socket, by whichever call comes first."""
    pair = Pair("h3", has_event_loop=has_event_loop, answer=None)
    pair.run(pair.ready())
    pair.server.close()

    async def body() -> None:
        if when == "sending":
            pair.datagrams[0]._arrived.clear()
            exchange = pair.client.ask()
            assert pair.client.is_closed
        else:
            exchange = pair.client.ask() if not pair.client.is_closed else None  # type: ignore[assignment]
        if exchange is not None:
            with pytest.raises(HTTPError, match="the server"):
                await exchange.receive_response(pair.backend.now() + SOON)

    pair.run(body())
    assert pair.client.is_closed
    assert pair.client._timer is None


@WAYS
def test_an_idle_quic_connection_past_its_time_is_not_alive(has_event_loop: bool) -> None:
    pair = Pair("h3", has_event_loop=has_event_loop)
    pair.run(pair.ready())
    assert pair.client.is_alive()

    async def body() -> None:
        await pair.client.receive_all(pair.client.ask())
        for datagrams in pair.datagrams:
            datagrams.on_send = lambda number, data: ()
        await pair.backend.sleep(1000)

    pair.run(body())
    assert not pair.client.is_alive()


@pytest.mark.parametrize("busy", [True, False])
def test_closing_tells_a_quic_peer(busy: bool) -> None:
    """Nobody sees datagrams end: the peer must be told, lest it wait for its idle timeout."""
    pair = Pair("h3", answer=None if busy else echo)
    pair.run(pair.ready())

    async def body() -> None:
        exchange = pair.client.ask()
        if not busy:
            await pair.client.receive_all(exchange)
        await pair.backend.sleep(0.1)
        pair.client.close()
        await pair.backend.sleep(1)
        assert pair.server.is_closed

    pair.run(body())


@WAYS
def test_cancelled_in_the_middle_of_a_poll(has_event_loop: bool) -> None:
    pair = Pair("h3", has_event_loop=has_event_loop, answer=None)
    pair.run(pair.ready())

    async def waits() -> None:
        exchange = pair.client.ask()
        try:
            await exchange.receive_response(None)
        except Cancelled:
            exchange.abort()
            raise

    async def body() -> None:
        task = pair.backend.spawn(waits())
        await pair.backend.sleep(1)
        task.cancel()
        await pair.backend.sleep(1)
        assert task.done()

    pair.run(body())
    assert_quiet(pair.client)
