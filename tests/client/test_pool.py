"""Which connection takes a request, who waits for what, and what comes back to the pool."""

from __future__ import annotations

from typing import Any

import pytest
from tests.client.memory import Peer, World, answer_all, ends, ignore_all

from h123 import (
    ConnectError,
    Limits,
    LocalProtocolError,
    PoolTimeout,
    ReadError,
    ReadTimeout,
    RemoteProtocolError,
    Timeout,
)
from h123.client.connect import ClientChannel
from h123.client.pool import RequestHead
from h123.network.memory import Cancelled
from h123.protocol.errors import ErrorCode
from h123.protocol.events import Event, RequestReceived
from h123.protocol.limits import Limits as EngineLimits

BOTH = pytest.mark.parametrize("has_event_loop", [True, False], ids=["loop", "polling"])
VERSIONS = pytest.mark.parametrize("protocol", ["h2", "http/1.1"])


def slowly(peer: Peer, event: Event) -> None:
    """Answer after a second."""
    if isinstance(event, RequestReceived):
        peer.later(1.0, peer.answer, event.stream_id, event.target)


# ------------------------------------------------------------------------------ reuse and bursts


@BOTH
@VERSIONS
def test_requests_one_after_the_other_share_a_connection(
    protocol: str, has_event_loop: bool
) -> None:
    world = World(protocol=protocol, has_event_loop=has_event_loop)

    async def several() -> None:
        for number in range(3):
            assert await world.text(f"/{number}") == f"/{number}"

    world.run(several())
    assert len(world.peers) == 1
    world.assert_clean(connections=1)


@BOTH
def test_a_burst_over_http2_waits_for_the_first_connection(has_event_loop: bool) -> None:
    world = World(has_event_loop=has_event_loop)
    world.connect_time = 1.0
    texts = world.run(*(world.text(f"/{number}") for number in range(40)))
    assert texts == [f"/{number}" for number in range(40)]
    assert len(world.connector.attempts) == 1
    world.assert_clean(connections=1)


@BOTH
def test_a_burst_over_http1_opens_as_many_as_allowed(has_event_loop: bool) -> None:
    world = World(
        slowly,
        protocol="http/1.1",
        has_event_loop=has_event_loop,
        limits=Limits(max_connections=5),
    )
    world.connect_time = 1.0
    texts = world.run(*(world.text(f"/{number}") for number in range(20)))
    assert texts == [f"/{number}" for number in range(20)]
    assert len(world.connector.attempts) == 5
    world.assert_clean(connections=5)


def test_http1_by_choice_waits_for_nobodys_attempt() -> None:
    world = World(protocol="http/1.1", http2=False)
    world.connect_time = 1.0
    world.run(*(world.text() for _ in range(3)))
    assert world.backend.now() == 1.0
    world.assert_clean(connections=3)


@BOTH
def test_streams_past_the_peers_limit_queue_first_come_first_served(has_event_loop: bool) -> None:
    world = World(
        slowly, has_event_loop=has_event_loop, server_limits=EngineLimits(concurrent_streams=2)
    )
    order: list[int] = []

    async def one(number: int) -> None:
        await world.backend.sleep(1 + number / 1000)  # the peer's settings have come
        assert await world.text(f"/{number}") == f"/{number}"
        order.append(number)

    world.run(world.text(), *(one(number) for number in range(10)))
    assert order == list(range(10))
    assert len(world.peers) == 1
    world.assert_clean(connections=1)


def test_a_newcomer_does_not_overtake_those_who_wait() -> None:
    world = World(slowly, protocol="http/1.1", limits=Limits(max_connections=1))
    order: list[str] = []

    async def one(name: str) -> None:
        await world.text(f"/{name}")
        order.append(name)

    async def again_and_again() -> None:
        for number in range(3):
            await one(f"greedy{number}")

    async def patient(name: str) -> None:
        await world.backend.sleep(0.1)
        await one(name)

    world.run(again_and_again(), patient("a"), patient("b"))
    assert order == ["greedy0", "a", "b", "greedy1", "greedy2"]
    world.assert_clean(connections=1)


def test_settings_that_refuse_the_first_burst_cost_no_request() -> None:
    """RFC 9113 section 8.7: what was refused was not processed, and goes out again in its turn."""
    world = World(slowly, server_limits=EngineLimits(concurrent_streams=3))
    texts = world.run(*(world.text(f"/{number}") for number in range(12)))
    assert texts == [f"/{number}" for number in range(12)]
    assert len(world.peers) == 1
    world.assert_clean(connections=1)


# --------------------------------------------------------------------------- failing attempts


@BOTH
def test_a_failed_attempt_is_told_to_all_who_waited_for_it(has_event_loop: bool) -> None:
    world = World(has_event_loop=has_event_loop)
    world.connect_time = 1.0

    async def refuse(number: int, route: object) -> None:
        raise ConnectError(f"{route}: refused") from OSError("why")

    world.on_connect = refuse
    errors: list[ConnectError] = []

    async def one(path: str) -> None:
        with pytest.raises(ConnectError, match=r"https://origin\.test:443: refused") as caught:
            await world.text(path)
        assert caught.value.request.url.path == path
        assert isinstance(caught.value.__cause__, OSError)
        errors.append(caught.value)

    world.run(*(one(f"/{number}") for number in range(5)))
    assert len(world.connector.attempts) == 1
    assert len(set(map(id, errors))) == 5  # a shared one would mix up tracebacks
    world.assert_clean(connections=0)


@BOTH
def test_when_the_one_who_connects_is_cancelled_another_takes_over(has_event_loop: bool) -> None:
    world = World(has_event_loop=has_event_loop)
    world.connect_time = 1.0
    backend = world.backend

    async def several() -> None:
        first = backend.spawn(world.text("/first"))
        others = [backend.spawn(world.text(f"/{number}")) for number in range(3)]
        await backend.sleep(0.5)
        first.cancel()
        while not all(task.done() for task in others):
            await backend.sleep(0.1)
        assert [task.result for task in others] == ["/0", "/1", "/2"]

    world.run(several())
    assert len(world.connector.attempts) == 2
    world.assert_clean(connections=1)


@BOTH
def test_one_who_waits_and_is_cancelled_is_no_loss(has_event_loop: bool) -> None:
    world = World(
        slowly, protocol="http/1.1", has_event_loop=has_event_loop, limits=Limits(max_connections=1)
    )
    backend = world.backend

    async def several() -> None:
        tasks = [backend.spawn(world.text(f"/{number}")) for number in range(4)]
        await backend.sleep(0.5)
        tasks[2].cancel()  # waits
        await backend.sleep(0)
        while not all(task.done() for task in tasks):
            await backend.sleep(0.1)
        assert [task.result for task in tasks] == ["/0", "/1", None, "/3"]

    world.run(several())
    world.assert_clean(connections=1)


def test_one_who_was_called_and_is_cancelled_calls_the_next() -> None:
    world = World(protocol="http/1.1", limits=Limits(max_connections=1))
    backend = world.backend

    async def several() -> None:
        response = await world.send()
        waiting = [backend.spawn(world.text(f"/{number}")) for number in range(2)]
        await backend.sleep(0.1)
        await response.aread()  # the connection is free, and the first is called
        waiting[0].cancel()  # before it could run
        await backend.sleep(0.1)
        assert waiting[1].done()

    world.run(several())
    world.assert_clean(connections=1)


@VERSIONS
def test_a_request_that_cannot_be_sent_costs_no_connection(protocol: str) -> None:
    world = World(protocol=protocol)

    async def several() -> None:
        bad: dict[str, Any] = {"headers": {"Content-Length": "7"}, "content": b"seven too many"}
        for _ in range(3):
            with pytest.raises((LocalProtocolError, ValueError)):
                await world.call("POST", **bad)
        await world.call()

    world.run(several())
    world.assert_clean(connections=1)


@VERSIONS
def test_a_malformed_target_is_refused_before_a_byte_leaves(protocol: str) -> None:
    world = World(protocol=protocol)

    async def several() -> None:
        for _ in range(2):  # on a new connection, and on an old one
            with pytest.raises(LocalProtocolError) as caught:
                await world.call(extensions={"target": b"/a b\r\nX: y"})
            assert caught.value.request.method == "GET"
            assert world.pool.count == len(world.pool.idle) == 1
        assert await world.text("/") == "/"

    world.run(several())
    assert world.peers[0].targets == [b"/"]
    world.assert_clean(connections=1)


# -------------------------------------------------------------------------------- the bounds


@BOTH
@VERSIONS
def test_pool_timeout_when_no_connection_becomes_free(protocol: str, has_event_loop: bool) -> None:
    world = World(
        ignore_all,
        protocol=protocol,
        has_event_loop=has_event_loop,
        limits=Limits(max_connections=1),
        timeout=Timeout(None, pool=3.0),
        server_limits=EngineLimits(concurrent_streams=1),
    )
    backend = world.backend

    async def several() -> None:
        first = backend.spawn(world.text())
        await backend.sleep(1)
        with pytest.raises(
            PoolTimeout, match=r"no connection to http\S+.test:\d+ became"
        ) as caught:
            await world.text("http://other.test/" if protocol == "h2" else "/")
        assert caught.value.request.method == "GET"
        assert backend.now() == 4.0
        first.cancel()

    world.run(several())
    world.assert_clean()


@BOTH
@pytest.mark.parametrize("versions", [("h2", "h2"), ("http/1.1", "h2"), ("h2", "http/1.1")])
def test_an_idle_connection_makes_place_for_another_origin(
    versions: tuple[str, str], has_event_loop: bool
) -> None:
    world = World(has_event_loop=has_event_loop, limits=Limits(max_connections=1))

    async def several() -> None:
        for number in range(4):
            world.protocol = versions[number % 2]
            assert await world.text(f"https://{number % 2}.test/{number}") == f"/{number}"
            assert world.pool.count == 1

    world.run(several())
    assert len(world.peers) == 4
    assert [channel.is_closed for channel in world.channels] == [True, True, True, False]
    world.assert_clean(connections=1)


@BOTH
@VERSIONS
def test_who_waits_for_a_place_gets_that_of_a_connection_that_becomes_idle(
    protocol: str, has_event_loop: bool
) -> None:
    world = World(
        slowly,
        protocol=protocol,
        has_event_loop=has_event_loop,
        limits=Limits(max_connections=1),
        timeout=Timeout(None, pool=5.0),
    )
    texts = world.run(*(world.text(f"https://{number}.test/{number}") for number in range(3)))
    assert texts == ["/0", "/1", "/2"]
    assert len(world.peers) == 3
    world.assert_clean(connections=1)


def test_the_connection_that_was_idle_for_longest_goes_first() -> None:
    world = World(protocol="http/1.1", limits=Limits(max_connections=2))

    async def several() -> None:
        for host in ("a", "b", "a", "c"):
            await world.text(f"https://{host}.test/")
            await world.backend.sleep(1)
        assert [channel.route.host for channel in world.pool.idle] == ["a.test", "c.test"]

    world.run(several())
    world.assert_clean(connections=2)


@VERSIONS
@pytest.mark.parametrize("most", [0, 1])
def test_no_more_idle_connections_are_kept_than_allowed(protocol: str, most: int) -> None:
    world = World(protocol=protocol, limits=Limits(max_keepalive_connections=most))

    async def several() -> None:
        for host in ("a", "b", "a"):
            await world.text(f"https://{host}.test/")
            await world.backend.sleep(0)
            assert world.pool.count == most

    world.run(several())
    assert len(world.peers) == (2 if most else 3)
    assert [peer.ended for peer in world.peers].count(True) == len(world.peers) - most
    world.assert_clean(connections=most)


@VERSIONS
def test_an_idle_connection_past_its_time_is_not_used_again(protocol: str) -> None:
    world = World(protocol=protocol, limits=Limits(keepalive_expiry=5.0))

    async def several() -> None:
        await world.text()
        await world.backend.sleep(4.9)
        await world.text()
        await world.backend.sleep(5.1)
        await world.text()

    world.run(several())
    assert len(world.peers) == 2
    assert world.channels[0].is_closed
    world.assert_clean(connections=1)


def test_keepalive_without_end() -> None:
    world = World(protocol="http/1.1", limits=Limits(keepalive_expiry=None, max_connections=None))

    async def several() -> None:
        await world.text()
        await world.backend.sleep(1e6)
        await world.text()

    world.run(several())
    world.assert_clean(connections=1)


# --------------------------------------------------------------- connections that end in between


@BOTH
@VERSIONS
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_connection_closed_while_idle_is_not_used(
    protocol: str, has_event_loop: bool, method: str
) -> None:
    """Seen to be closed before the request goes out: any method is safe."""
    world = World(protocol=protocol, has_event_loop=has_event_loop)

    async def several() -> None:
        await world.call()
        world.peers[0].hang_up()
        response = await world.call(method, content=b"once")
        assert response.status_code == 200

    world.run(several())
    assert len(world.peers) == 2
    assert len(world.peers[0].requests) == 1
    world.assert_clean(connections=1)


@BOTH
@VERSIONS
def test_a_kept_alive_connection_that_ends_under_an_idempotent_request_is_replaced(
    protocol: str, has_event_loop: bool
) -> None:
    """RFC 9110 section 9.2.2."""

    def once(peer: Peer, event: Event) -> None:
        if len(peer.requests) > 1:
            peer.hang_up()
        else:
            answer_all(peer, event)

    world = World(once, protocol=protocol, has_event_loop=has_event_loop)

    async def several() -> None:
        await world.call()
        assert await world.text("/again") == "/again"
        with pytest.raises((RemoteProtocolError, ReadError)) as caught:
            await world.call("POST", "/never-twice", content=b"pay")
        assert "https://origin.test:443" in str(caught.value)
        assert caught.value.request.url.path == "/never-twice"

    world.run(several())
    assert [peer.targets for peer in world.peers] == [
        [b"/", b"/again"],
        [b"/again", b"/never-twice"],
    ]
    world.assert_clean(connections=0)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_new_connection_that_ends_without_an_answer_is_an_error(method: str) -> None:
    def hang_up(peer: Peer, event: Event) -> None:
        peer.hang_up()

    world = World(hang_up, protocol="http/1.1")

    async def one() -> None:
        with pytest.raises(RemoteProtocolError):
            await world.call(method)

    world.run(one())
    assert len(world.peers) == 1
    world.assert_clean(connections=0)


def test_nothing_is_sent_again_after_the_response_has_begun() -> None:
    def half(peer: Peer, event: Event) -> None:
        if len(peer.requests) > 1:
            peer.engine.send_response(event.stream_id, 200, [(b"content-length", b"10")])  # type: ignore[attr-defined]
            peer.engine.send_data(event.stream_id, b"half")  # type: ignore[attr-defined]
            peer.hang_up()
        else:
            answer_all(peer, event)

    world = World(half, protocol="http/1.1")

    async def several() -> None:
        await world.call()
        with pytest.raises(RemoteProtocolError):
            await world.call()

    world.run(several())
    assert len(world.peers) == 1
    world.assert_clean(connections=0)


def test_nothing_is_sent_again_after_an_informational_response() -> None:
    def hint(peer: Peer, event: Event) -> None:
        if len(peer.requests) > 1:
            peer.engine.send_informational(event.stream_id, 103, [])  # type: ignore[attr-defined]
            peer.hang_up()
        else:
            answer_all(peer, event)

    world = World(hint, protocol="http/1.1")

    async def several() -> None:
        await world.call()
        with pytest.raises(RemoteProtocolError):
            await world.call()

    world.run(several())
    assert len(world.peers) == 1


@BOTH
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_refused_stream_is_sent_again(method: str, has_event_loop: bool) -> None:
    """RFC 9113 section 8.7."""

    def refuse_first(peer: Peer, event: Event) -> None:
        if len(peer.requests) == 1:
            if isinstance(event, RequestReceived):
                peer.engine.reset_stream(event.stream_id, ErrorCode.REFUSED_STREAM)
        else:
            answer_all(peer, event)

    world = World(refuse_first, has_event_loop=has_event_loop)

    async def one() -> None:
        assert (await world.call(method, content=b"x")).status_code == 200

    world.run(one())
    assert len(world.peers) == 1
    assert len(world.peers[0].requests) == 2
    world.assert_clean(connections=1)


def test_a_stream_that_is_refused_again_is_an_error() -> None:
    def refuse(peer: Peer, event: Event) -> None:
        if isinstance(event, RequestReceived):
            peer.engine.reset_stream(event.stream_id, ErrorCode.REFUSED_STREAM)

    world = World(refuse)

    async def one() -> None:
        with pytest.raises(RemoteProtocolError, match=r"origin.test:443 reset.*REFUSED_STREAM"):
            await world.call()

    world.run(one())
    assert len(world.peers[0].requests) == 2


def test_content_that_can_be_given_only_once_is_not_sent_again() -> None:
    def refuse(peer: Peer, event: Event) -> None:
        if isinstance(event, RequestReceived):
            peer.engine.reset_stream(event.stream_id, ErrorCode.REFUSED_STREAM)

    world = World(refuse)

    async def one() -> None:
        with pytest.raises(RemoteProtocolError):
            await world.call("POST", content=iter([b"one", b"shot"]))

    world.run(one())
    assert len(world.peers[0].requests) == 1


@BOTH
def test_goaway_sends_what_it_left_out_to_a_new_connection(has_event_loop: bool) -> None:
    """RFC 9113 section 6.8: streams above the last one named were not processed."""
    raw: list[bytes] = []

    def leave(peer: Peer, event: Event) -> None:
        if peer is not world.peers[0]:
            answer_all(peer, event)
        elif isinstance(event, RequestReceived) and len(peer.requests) == 3:
            first = peer.requests[0].stream_id
            frame = b"\0\0\x08\x07\0\0\0\0\0" + first.to_bytes(4, "big") + b"\0\0\0\0"
            raw.append(frame)
            peer.push()
            peer.stream.write(frame)
            peer.later(1.0, peer.answer, first, b"finished")

    world = World(leave, has_event_loop=has_event_loop)
    texts = world.run(world.text("/0"), world.text("/1"), world.text("/2"))
    assert texts == ["finished", "/1", "/2"]
    assert raw
    assert len(world.peers) == 2
    assert world.channels[0].is_closed  # its last stream is over
    world.assert_clean(connections=1)


def test_who_waits_for_a_stream_goes_elsewhere_after_goaway() -> None:
    def leave(peer: Peer, event: Event) -> None:
        if peer is not world.peers[0]:
            answer_all(peer, event)
        elif isinstance(event, RequestReceived):
            if event.target == b"/0":
                peer.later(2.0, peer.engine.close)
                peer.later(5.0, peer.answer, event.stream_id, b"last")
            else:
                peer.answer(event.stream_id)

    world = World(leave, server_limits=EngineLimits(concurrent_streams=1))
    ended: list[float] = []

    async def waits() -> None:
        await world.backend.sleep(1)
        await world.text("/1")
        ended.append(world.backend.now())

    async def begins() -> None:
        await world.text("/first")
        await world.text("/0")

    world.run(begins(), waits(), waits())
    assert ended == [2.0, 2.0]
    assert len(world.peers) == 2
    world.assert_clean(connections=1)


@BOTH
def test_goaway_on_an_idle_connection_gives_its_place_back(has_event_loop: bool) -> None:
    world = World(has_event_loop=has_event_loop, limits=Limits(max_connections=1))

    async def several() -> None:
        await world.text()
        world.peers[0].engine.close()
        world.peers[0].push()
        await world.backend.sleep(1)
        assert await world.text("/next") == "/next"

    world.run(several())
    assert world.channels[0].is_closed
    assert len(world.peers) == 2
    world.assert_clean(connections=1)


@BOTH
def test_a_connection_that_cannot_send_takes_no_more_requests(has_event_loop: bool) -> None:
    """What is under way on it may still be answered; then its place is free."""
    world = World(ignore_all, has_event_loop=has_event_loop, timeout=Timeout(5))

    async def first() -> None:
        with pytest.raises(ReadTimeout):
            await world.text("/0")

    async def second() -> None:
        await world.backend.sleep(1)
        world.peers[0].stream.incoming.error = None
        world.channels[0].wire.stream.outgoing.error = BrokenPipeError("gone")  # type: ignore[attr-defined]
        with pytest.raises(ReadTimeout):
            await world.text("/1")  # its head is lost, as a write tells

    async def third() -> None:
        await world.backend.sleep(2)
        world.script = answer_all
        assert await world.text("/2") == "/2"

    world.run(first(), second(), third())
    assert len(world.peers) == 2
    world.assert_clean(connections=1)


def test_a_connection_that_ends_as_soon_as_it_is_made() -> None:
    world = World()

    async def close(channel: ClientChannel) -> None:
        channel.close()

    async def one() -> None:
        with pytest.raises(ReadError, match="closed on this side"):
            await world.text()

    world.on_connected = close
    world.run(one())
    world.assert_clean(connections=0)


def test_a_server_that_allows_no_stream() -> None:
    world = World(server_limits=EngineLimits(concurrent_streams=0), timeout=Timeout(None, pool=3.0))

    async def settings(channel: ClientChannel) -> None:
        await world.backend.sleep(0.1)

    async def one() -> None:
        with pytest.raises(PoolTimeout):
            await world.text()

    world.on_connected = settings
    world.run(one(), one())
    assert len(world.peers) == 1
    world.core.close()


def test_settings_that_allow_more_let_more_go_on() -> None:
    world = World(slowly, server_limits=EngineLimits(concurrent_streams=1))
    raise_limit = b"\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x0a"
    ended: list[float] = []

    async def one(number: int) -> None:
        await world.text(f"/{number}")
        ended.append(world.backend.now())

    async def several() -> None:
        await world.text()
        tasks = [world.backend.spawn(one(number)) for number in range(4)]
        await world.backend.sleep(0.5)
        world.peers[0].engine.limits = EngineLimits()
        world.peers[0].stream.write(raise_limit)
        while not all(task.done() for task in tasks):
            await world.backend.sleep(0.1)

    world.run(several())
    assert ended == pytest.approx([2.0, 2.5, 2.5, 2.5])
    world.assert_clean(connections=1)


class TakesNone(RequestHead):
    """A request for which every connection turns out to be taken: others were faster."""

    def __init__(self) -> None:
        super().__init__(b"GET", b"/", [], b"https", b"a", True)

    def open_on(self, channel: ClientChannel) -> None:
        return None


@VERSIONS
def test_a_connection_that_seemed_to_be_free(protocol: str) -> None:
    """Between looking and taking, others may be faster, and connections may end."""
    world = World(protocol=protocol)
    world.run(world.text())
    (channel,) = world.channels
    if protocol == "http/1.1":
        lane = world.pool.lanes[channel.route]
        assert world.pool._pick(lane) is channel
        world.pool.idle.pop(channel)
        assert world.pool._try(channel, TakesNone(), False) is None
        assert channel.is_closed
        return
    assert world.pool._try(channel, TakesNone(), False) is None
    assert channel.is_closed  # it had room and nobody on it, and yet takes none
    assert world.pool._try(channel, TakesNone(), False) is None
    channel.engine.close()
    assert world.pool._try(channel, TakesNone(), False) is None


def test_a_connection_that_is_not_to_be_kept_and_takes_no_request() -> None:
    world = World(protocol="http/1.1", limits=Limits(max_keepalive_connections=0))

    async def one() -> None:
        with pytest.raises(LocalProtocolError):
            await world.call(extensions={"target": b"/a b"})

    world.run(one())
    assert world.channels[0].is_closed
    world.assert_clean(connections=0)


# ----------------------------------------------------------------------------------- closing


@BOTH
@VERSIONS
def test_closing_ends_what_is_under_way_and_what_waits(protocol: str, has_event_loop: bool) -> None:
    world = World(
        ignore_all,
        protocol=protocol,
        has_event_loop=has_event_loop,
        limits=Limits(max_connections=1),
        server_limits=EngineLimits(concurrent_streams=1),
        timeout=None,
    )
    backend = world.backend
    errors: list[BaseException] = []

    async def one() -> None:
        with pytest.raises((ReadError, RuntimeError)) as caught:
            await world.text()
        errors.append(caught.value)

    async def close() -> None:
        await backend.sleep(1)
        world.core.close()

    world.run(one(), one(), one(), close())
    assert backend.now() == 1.0
    assert sum(isinstance(error, ReadError) for error in errors) >= 1
    assert world.pool.count == 0
    assert not world.pool.lanes
    assert world.channels[0].is_closed


def test_a_connection_made_while_the_client_was_closed_is_closed_too() -> None:
    world = World()
    world.connect_time = 2.0

    async def one() -> None:
        with pytest.raises(RuntimeError, match="closed"):
            await world.text()

    async def close() -> None:
        await world.backend.sleep(1)
        world.core.close()

    world.run(one(), close(), one())
    assert [channel.is_closed for channel in world.channels] == [True]
    assert world.pool.count == 0


def test_a_closed_client_says_so() -> None:
    world = World()
    world.core.close()

    async def one() -> None:
        with pytest.raises(RuntimeError, match="the client has been closed"):
            await world.text()

    world.run(one())
    assert not world.connector.attempts


def test_a_pool_shows_what_it_holds() -> None:
    world = World()
    world.run(world.text())
    assert repr(world.pool) == "<Pool 1 connections, 1 idle>"


# ------------------------------------------------------------------------------ cancellation


class CancelledAt:
    """Awaits a coroutine and cancels it at its wait of this number: at once, or when that wait is over."""

    def __init__(self, coroutine: Any, number: int, when: str) -> None:
        self.coroutine = coroutine
        self.number = number
        self.when = when
        self.waits = 0

    def __await__(self) -> Any:
        cancel = False
        try:
            while True:
                if cancel:
                    suspension = self.coroutine.throw(Cancelled())
                    cancel = False
                else:
                    suspension = self.coroutine.send(None)
                cancel = self.waits == self.number
                self.waits += 1
                if not cancel or self.when == "when over":
                    yield suspension
        except (StopIteration, Cancelled):
            return


@BOTH
@VERSIONS
@pytest.mark.parametrize("kind", ["bytes", "generator"])
@pytest.mark.parametrize("when", ["at once", "when over"])
def test_a_call_cancelled_at_any_wait_leaves_nothing_behind(
    protocol: str, has_event_loop: bool, kind: str, when: str
) -> None:
    """And its siblings on the same connection come to their end."""

    def script(peer: Peer, event: Event) -> None:
        if ends(event):
            peer.later(0.5, peer.answer, event.stream_id, b"x" * 20_000)  # type: ignore[attr-defined]

    async def parts(world: World) -> Any:
        for _ in range(3):
            await world.backend.sleep(0.1)
            yield b"y" * 5_000

    async def victim(world: World, number: int) -> int:
        content: Any = parts(world) if kind == "generator" else b"y" * 20_000
        cancelled = CancelledAt(world.call("POST", "/victim", content=content), number, when)
        await cancelled
        return cancelled.waits

    async def sibling(world: World) -> None:
        await world.backend.sleep(0.01)
        for _ in range(2):
            response = await world.call("POST", "/sibling", content=b"z" * 5_000)
            assert response.text == "x" * 20_000

    number = 0
    while True:
        world = World(script, protocol=protocol, has_event_loop=has_event_loop)
        world.capacity = 3000
        world.connect_time = 1.0
        waits = world.run(victim(world, number), sibling(world))[0]
        world.run(sibling(world))
        world.assert_clean()
        if waits <= number:
            break
        number += 1
    assert number > 5


def test_cancelled_is_what_the_world_raises() -> None:
    """The world's own exception passes through the client as it is."""
    world = World(ignore_all)
    raised: list[type] = []

    async def one() -> None:
        try:
            await world.text()
        except BaseException as error:
            raised.append(type(error))
            raise

    async def cancel() -> None:
        task = world.backend.spawn(one())
        await world.backend.sleep(1)
        task.cancel()
        await world.backend.sleep(1)

    world.run(cancel())
    assert raised == [Cancelled]
    world.assert_clean(connections=1)
