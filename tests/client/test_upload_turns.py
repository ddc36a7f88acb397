"""When which side of an upload waits for which, on a clock that the test rules."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from tests.client.memory import Peer, World, answer_all, ends, ignore_all

from h123 import (
    NetworkError,
    ReadTimeout,
    RemoteProtocolError,
    Timeout,
    TotalTimeout,
    WriteTimeout,
)
from h123.protocol.events import Event, RequestReceived

BOTH = pytest.mark.parametrize("has_event_loop", [True, False], ids=["loop", "polling"])
VERSIONS = pytest.mark.parametrize("protocol", ["h2", "http/1.1"])
KINDS = pytest.mark.parametrize("kind", ["sync", "async"])


def content(kind: str, parts: Any, world: World, pause: float = 0.0) -> Any:
    """Give parts by an iterator of either kind; the async one takes its time."""
    if kind == "sync":
        return iter(parts)

    async def give() -> AsyncIterator[bytes]:
        for part in parts:
            await world.backend.sleep(pause)
            yield part

    return give()


def answer_at_once(peer: Peer, event: Event) -> None:
    """Answer as soon as the head is there."""
    if isinstance(event, RequestReceived):
        peer.answer(event.stream_id, b"early")


def begin_at_once(peer: Peer, event: Event) -> None:
    """Begin the response with the head of the request, and end it with the request's end."""
    if isinstance(event, RequestReceived):
        peer.engine.send_response(event.stream_id, 200, [])
        peer.engine.send_data(event.stream_id, b"begun")
    elif ends(event):
        peer.engine.send_data(event.stream_id, b"done", end_stream=True)  # type: ignore[attr-defined]


@BOTH
@VERSIONS
def test_a_slow_iterator_does_not_run_into_the_read_timeout(
    protocol: str, has_event_loop: bool
) -> None:
    """Time for the response runs from the end of the request."""
    world = World(protocol=protocol, has_event_loop=has_event_loop, timeout=Timeout(5))

    async def one() -> None:
        parts = content("async", [b"part"] * 10, world, pause=3)
        response = await world.call("POST", "/slow", content=parts)
        assert response.text == "/slow"

    world.run(one())
    assert world.backend.now() >= 30
    assert world.peers[0].bodies == {1: b"part" * 10}
    world.assert_clean(connections=1)


@BOTH
@KINDS
@VERSIONS
def test_the_read_timeout_runs_after_the_request(
    protocol: str, kind: str, has_event_loop: bool
) -> None:
    world = World(ignore_all, protocol=protocol, has_event_loop=has_event_loop, timeout=Timeout(5))

    async def one() -> None:
        parts = content(kind, [b"part"] * 10, world, pause=1)
        with pytest.raises(ReadTimeout):
            await world.call("POST", content=parts)

    world.run(one())
    assert world.backend.now() == pytest.approx(15 if kind == "async" else 5, abs=0.1)
    world.assert_clean()


@BOTH
@VERSIONS
def test_the_total_bound_holds_for_a_slow_iterator(protocol: str, has_event_loop: bool) -> None:
    world = World(
        ignore_all, protocol=protocol, has_event_loop=has_event_loop, timeout=Timeout(5, total=8)
    )

    async def one() -> None:
        parts = content("async", [b"part"] * 10, world, pause=0.5)
        with pytest.raises(TotalTimeout):
            await world.call("POST", content=parts)

    world.run(one())
    assert world.backend.now() == pytest.approx(8, abs=0.6)
    world.assert_clean()


@BOTH
@KINDS
@VERSIONS
def test_a_peer_that_takes_nothing(protocol: str, kind: str, has_event_loop: bool) -> None:
    def stop(peer: Peer, event: Event) -> None:
        peer.is_reading = False

    world = World(stop, protocol=protocol, has_event_loop=has_event_loop, timeout=Timeout(5))
    world.capacity = 1000

    async def one() -> None:
        with pytest.raises(WriteTimeout, match="took no data in time") as caught:
            await world.call("POST", content=content(kind, [b"x" * 100_000] * 50, world))
        assert caught.value.request.method == "POST"

    world.run(one())
    assert world.backend.now() <= 10.1  # the network took some in the first five seconds
    world.assert_clean()


@BOTH
@KINDS
@VERSIONS
def test_the_rest_follows_an_early_answer(protocol: str, kind: str, has_event_loop: bool) -> None:
    """RFC 9110 section 7.5: a success before the end of the request does not cut it off."""
    world = World(answer_at_once, protocol=protocol, has_event_loop=has_event_loop)
    world.capacity = 3000

    async def one() -> None:
        parts = content(kind, [b"x" * 10_000] * 30, world, pause=1)
        response = await world.call("POST", content=parts)
        assert response.text == "early"
        await world.backend.sleep(1)

    world.run(one())
    assert world.peers[0].bodies == {1: b"x" * 300_000}
    world.assert_clean(connections=1)


@BOTH
@KINDS
@VERSIONS
def test_a_peer_that_takes_no_more_after_its_answer(
    protocol: str, kind: str, has_event_loop: bool
) -> None:
    """The answer is whole: nothing is wrong, the rest is given up."""

    def answer_and_stop(peer: Peer, event: Event) -> None:
        answer_at_once(peer, event)
        peer.push()
        peer.is_reading = False

    world = World(
        answer_and_stop, protocol=protocol, has_event_loop=has_event_loop, timeout=Timeout(5)
    )
    world.capacity = 1000

    async def one() -> None:
        parts = content(kind, [b"x" * 100_000] * 30, world)
        response = await world.call("POST", content=parts)
        assert response.text == "early"

    world.run(one())
    assert world.backend.now() <= 11
    world.assert_clean()


@BOTH
@KINDS
@VERSIONS
def test_an_error_while_the_response_is_read(
    protocol: str, kind: str, has_event_loop: bool
) -> None:
    """What the iterator raises reaches who reads the response."""

    class Broken(Exception):
        pass

    def broken() -> Iterator[bytes]:
        yield b"x" * 1000
        yield b"x" * 1000
        raise Broken

    world = World(begin_at_once, protocol=protocol, has_event_loop=has_event_loop)

    async def one() -> None:
        parts = content(kind, broken(), world, pause=1)
        if kind == "async" and has_event_loop:
            response = await world.send("POST", content=parts)
            with pytest.raises(Broken):
                await response.aread()
            await response.aclose()
        else:  # the iterator is asked for more before the response is seen
            with pytest.raises(Broken):
                await world.call("POST", content=parts)

    world.run(one())
    world.assert_clean()


@BOTH
@KINDS
@VERSIONS
def test_an_error_after_the_response_was_read(
    protocol: str, kind: str, has_event_loop: bool
) -> None:
    class Broken(Exception):
        pass

    def broken() -> Iterator[bytes]:
        yield b"x" * 1000
        yield b"x" * 1000
        raise Broken

    world = World(answer_at_once, protocol=protocol, has_event_loop=has_event_loop)

    async def one() -> None:
        with pytest.raises(Broken):
            await world.call("POST", content=content(kind, broken(), world, pause=1))

    world.run(one())
    world.assert_clean()


@BOTH
@KINDS
def test_nothing_comes_and_nothing_can_go(kind: str, has_event_loop: bool) -> None:
    """In the middle of a response the read timeout holds."""

    def begin_and_stop(peer: Peer, event: Event) -> None:
        begin_at_once(peer, event)
        peer.push()
        peer.is_reading = False

    world = World(begin_and_stop, has_event_loop=has_event_loop, timeout=Timeout(5, write=20))
    world.capacity = 1000

    async def one() -> None:
        with pytest.raises(ReadTimeout, match="no data from"):
            await world.call("POST", content=content(kind, [b"x" * 100_000] * 30, world))

    world.run(one())
    assert world.backend.now() < 20
    world.assert_clean()


@VERSIONS
def test_an_iterator_that_cancels_itself(protocol: str) -> None:
    """What is no `Exception` ends the task that sends; the call ends too."""
    world = World(ignore_all, protocol=protocol, timeout=Timeout(5))

    class Enough(BaseException):
        pass

    async def parts() -> AsyncIterator[bytes]:
        yield b"x"
        raise Enough

    async def one() -> None:
        await world.call("POST", content=parts())

    with pytest.raises(Enough):
        world.run(one())
    assert world.backend.now() < 1


@VERSIONS
def test_a_connection_that_breaks_under_an_upload_is_told_as_it_is(protocol: str) -> None:
    """Both the one who sends and the one who waits meet it: it is one error."""

    def reset(peer: Peer, event: Event) -> None:
        if not isinstance(event, RequestReceived):
            peer.stream.reset()

    world = World(reset, protocol=protocol)

    async def one() -> None:
        parts = content("async", [b"x" * 1000] * 10, world, pause=1)
        with pytest.raises((NetworkError, RemoteProtocolError)) as caught:
            await world.call("POST", content=parts)
        assert caught.value.request.method == "POST"

    world.run(one())
    world.assert_clean(connections=0)


@BOTH
@VERSIONS
def test_an_iterator_that_is_left_is_closed(protocol: str, has_event_loop: bool) -> None:
    closed: list[str] = []

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x" * 10_000
        finally:
            closed.append("async")

    def sync_endless() -> Iterator[bytes]:
        try:
            while True:
                yield b"x" * 10_000
        finally:
            closed.append("sync")

    def refuse(peer: Peer, event: Event) -> None:
        if isinstance(event, RequestReceived):
            peer.answer(event.stream_id, b"no", status=413)

    world = World(refuse, protocol=protocol, has_event_loop=has_event_loop)

    async def several() -> None:
        for parts in (sync_endless(), endless()):
            response = await world.call("POST", content=parts)
            assert response.status_code == 413
        await world.backend.sleep(1)

    world.run(several())
    assert sorted(closed) == ["async", "sync"]
    world.assert_clean()


@BOTH
@KINDS
@VERSIONS
def test_a_connection_that_breaks_after_the_answer(
    protocol: str, kind: str, has_event_loop: bool
) -> None:
    """The answer is whole: what became of the rest changes nothing."""

    def answer_and_break(peer: Peer, event: Event) -> None:
        answer_at_once(peer, event)
        peer.push()
        peer.is_reading = False
        peer.later(2.5, peer.stream.reset)

    world = World(answer_and_break, protocol=protocol, has_event_loop=has_event_loop)
    world.capacity = 1000

    async def one() -> None:
        parts = content(kind, [b"x" * 10_000] * 30, world, pause=1)
        assert (await world.call("POST", content=parts)).text == "early"

    world.run(one())
    world.assert_clean(connections=0)


def test_answers_in_their_turn_are_the_default() -> None:
    world = World(answer_all)
    assert world.run(world.text("/x")) == ["/x"]
