"""How datagrams leave: RFC 9002 section 7.7 (pacing), RFC 9000 section 13.2 (acknowledgements)."""

from __future__ import annotations

from tests.protocol.quic.wire import SERVER, Certificates, Node, World

from h123.protocol.events import RequestReceived, ResponseReceived
from h123.protocol.quic.aioquic_pacing import LARGEST_BURST, SHORTEST_WAIT, CoarsePacer

SIZE = 1350


def leave(pacer: CoarsePacer, now: float) -> int:
    """Return how many datagrams may leave at once."""
    count = 0
    while pacer.next_send_time(now) is None and count < 1000:
        pacer.update_after_send(now)
        count += 1
    return count


def test_before_a_rate_is_known_nothing_waits() -> None:
    assert leave(CoarsePacer(max_datagram_size=SIZE), 1.0) == 1000


def test_nothing_waits_for_less_than_timers_resolve() -> None:
    pacer = CoarsePacer(max_datagram_size=SIZE)
    pacer.update_rate(congestion_window=4_000_000, smoothed_rtt=0.002)  # 1.5 million a second
    leave(pacer, 10.0)
    assert pacer.next_send_time(10.0) == 10.0 + SHORTEST_WAIT
    assert leave(pacer, 10.0 + SHORTEST_WAIT) == LARGEST_BURST


def test_a_slow_rate_is_kept() -> None:
    pacer = CoarsePacer(max_datagram_size=SIZE)
    pacer.update_rate(congestion_window=13_500, smoothed_rtt=0.1)  # a hundred a second
    leave(pacer, 10.0)
    at = pacer.next_send_time(10.0)
    assert at is not None
    assert 10.001 < at <= 10.01
    sent = sum(leave(pacer, 10.0 + step * SHORTEST_WAIT) for step in range(1, 1001))
    assert 95 <= sent <= 105


def test_what_is_sent_takes_the_acknowledgement_along(certificates: Certificates) -> None:
    """A request and its response are two datagrams, in a row of them."""
    world = World(certificates, delay=0.0001)
    client = world.ready()
    world.run(seconds=1)

    def answer(node: Node, event: object) -> None:
        if isinstance(event, RequestReceived):
            node.engine.send_response(event.stream_id, 204, [], end_stream=True)

    world.server.handler = answer
    before = world.network.count
    for number in range(20):
        client.engine.send_request(b"GET", b"/", [], authority=b"localhost", end_stream=True)
        assert world.run(lambda number=number: len(client.told(ResponseReceived)) > number)  # type: ignore[misc]
    assert world.network.count - before <= 42
    assert world.network.bytes_sent[SERVER]
