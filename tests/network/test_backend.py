"""Waiting: what every backend promises, on threads, on asyncio and on uvloop."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import threading
import time
from typing import Any

import pytest

from h123.network.asyncio import AsyncioBackend
from h123.network.blocking import BlockingBackend, _Wake, run

LONG = 10.0
SHORT = 0.03


@pytest.fixture
def pair() -> Any:
    first, second = socket.socketpair()
    first.setblocking(False)
    second.setblocking(False)
    with first, second:
        yield first, second


class TestWaiter:
    def test_one_that_was_set_does_not_wait(self, world: Any) -> None:
        async def body(backend: Any) -> None:
            waiter = backend.waiter()
            waiter.set()
            waiter.set()
            for timeout in (None, 0, LONG):
                assert await waiter.wait(timeout)

        world.run(body)

    @pytest.mark.parametrize("timeout", [-1.0, 0.0, SHORT])
    def test_time_runs_out(self, world: Any, timeout: float) -> None:
        async def body(backend: Any) -> None:
            waiter = backend.waiter()
            start = backend.now()
            assert not await waiter.wait(timeout)
            assert backend.now() - start >= timeout - 0.002
            waiter.set()
            assert await waiter.wait(0)

        world.run(body)

    @pytest.mark.parametrize("timeout", [None, LONG])
    def test_it_is_woken_while_it_waits(
        self, world: Any, beside: Any, timeout: float | None
    ) -> None:
        async def body(backend: Any) -> None:
            waiter = backend.waiter()
            if backend.has_event_loop:
                backend.call_at(backend.now() + SHORT, waiter.set)
            else:
                beside(waiter.set)
            assert await waiter.wait(timeout)

        world.run(body)

    def test_setting_late_is_no_error(self, world: Any) -> None:
        async def body(backend: Any) -> None:
            waiter = backend.waiter()
            assert not await waiter.wait(0)
            waiter.set()
            assert await waiter.wait(None)
            waiter.set()

        world.run(body)


class TestPoller:
    def test_it_tells_what_is_ready(self, world: Any, pair: Any) -> None:
        sock, peer = pair

        async def body(backend: Any) -> None:
            poller = backend.poller(sock)
            assert not await poller.wait(True, False, 0)
            assert await poller.wait(False, True, LONG)
            assert await poller.wait(True, True, LONG)
            peer.send(b"x")
            assert await poller.wait(True, False, None)
            assert not await poller.wait(False, False, SHORT)
            assert await poller.wait(True, False, LONG)
            sock.recv(1)
            assert not await poller.wait(True, False, 0)
            poller.close()

        world.run(body)

    def test_time_runs_out_and_not_early(self, world: Any, pair: Any) -> None:
        async def body(backend: Any) -> None:
            poller = backend.poller(pair[0])
            start = backend.now()
            assert not await poller.wait(True, False, SHORT)
            assert backend.now() - start >= SHORT - 0.002

        world.run(body)

    def test_a_wait_for_years_is_no_overflow(self, world: Any, pair: Any) -> None:
        async def body(backend: Any) -> None:
            pair[1].send(b"x")
            assert await backend.poller(pair[0]).wait(True, False, 1e8)

        world.run(body)

    def test_the_end_counts_as_readable(self, world: Any, pair: Any) -> None:
        async def body(backend: Any) -> None:
            pair[1].close()
            assert await backend.poller(pair[0]).wait(True, False, LONG)

        world.run(body)

    def test_a_peer_that_hung_up_does_not_end_a_wait_for_time(self, world: Any, pair: Any) -> None:
        async def body(backend: Any) -> None:
            poller = backend.poller(pair[0], wakeable=True)
            assert not await poller.wait(True, False, 0)
            pair[1].close()
            assert not await poller.wait(False, False, SHORT)
            poller.close()

        world.run(body)

    def test_a_closed_socket_counts_as_ready(self, world: Any, pair: Any) -> None:
        async def body(backend: Any) -> None:
            poller = backend.poller(pair[0])
            assert not await poller.wait(True, False, 0)
            pair[0].close()
            assert await poller.wait(True, False, LONG)

        world.run(body)

    @pytest.mark.parametrize("wakeable", [False, True])
    def test_a_wake_before_ends_the_next_wait_only(
        self, world: Any, pair: Any, wakeable: bool
    ) -> None:
        async def body(backend: Any) -> None:
            poller = backend.poller(pair[0], wakeable=wakeable)
            poller.wake()
            poller.wake()
            assert await poller.wait(True, False, LONG)
            assert not await poller.wait(True, False, 0)
            poller.close()

        world.run(body)

    def test_a_wake_from_another_thread_ends_the_wait_in_progress(
        self, world: Any, pair: Any, beside: Any
    ) -> None:
        async def body(backend: Any) -> None:
            poller = backend.poller(pair[0], wakeable=True)
            for _ in range(20):  # now before the wait begins, now after
                beside(poller.wake)
                assert await poller.wait(True, False, LONG)
            beside.join()
            await poller.wait(True, False, 0)
            assert not await poller.wait(True, False, 0)
            poller.close()

        world.run(body)

    def test_closing_ends_the_wait_in_progress(self, world: Any, pair: Any, beside: Any) -> None:
        async def body(backend: Any) -> None:
            poller = backend.poller(pair[0], wakeable=True)
            if backend.has_event_loop:
                backend.call_at(backend.now() + SHORT, poller.close)
            else:
                beside(poller.close)
            assert await poller.wait(True, False, LONG)
            poller.close()
            poller.wake()
            assert pair[0].fileno() >= 0

        world.run(body)


class TestBlocking:
    def test_a_signal_is_handled_and_the_wait_goes_on(self, pair: Any) -> None:
        seen = []
        before = signal.signal(signal.SIGALRM, lambda *_: seen.append(time.monotonic()))
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.01)
            start = time.monotonic()
            assert not run(BlockingBackend().poller(pair[0]).wait(True, False, 0.05))
            assert seen
            assert time.monotonic() - start >= 0.05
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)

    def test_a_long_wait_is_made_of_several_polls(
        self, pair: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("h123.network.blocking._LONGEST_POLL", 0.01)
        assert not run(BlockingBackend().poller(pair[0]).wait(True, False, 0.03))

    def test_a_poller_follows_its_socket_to_another_number(self, pair: Any) -> None:
        sock, peer = pair
        poller = BlockingBackend().poller(sock)
        assert not run(poller.wait(True, False, 0))
        moved = socket.socket(fileno=sock.detach())
        with moved:
            assert run(poller.wait(True, False, LONG))
            peer.send(b"x")
            assert run(BlockingBackend().poller(moved).wait(True, False, LONG))

    def test_a_coroutine_that_suspends_is_an_error(self) -> None:
        with pytest.raises(RuntimeError, match="suspended"):
            run(asyncio.sleep(0))

    def test_its_lock_keeps_threads_apart(self) -> None:
        lock = BlockingBackend().lock()
        with lock:
            assert not lock.acquire(blocking=False)  # type: ignore[attr-defined]

    def test_forty_threads_are_woken_each_by_its_own(self, beside: Any) -> None:
        backend = BlockingBackend()
        waiters = [backend.waiter() for _ in range(40)]
        woken = []

        def wait(number: int) -> None:
            assert run(waiters[number].wait(LONG))
            woken.append(number)
            if number:
                waiters[number - 1].set()

        for number in range(40):
            beside(wait, number)
        waiters[39].set()
        beside.join()
        assert woken == list(range(39, -1, -1))

    def test_sleep(self) -> None:
        start = time.monotonic()
        run(BlockingBackend().sleep(SHORT))
        run(BlockingBackend().sleep(-1))
        assert time.monotonic() - start >= SHORT

    @pytest.mark.parametrize(
        ("calls", "begins", "is_open"),
        [
            (["set"], False, True),
            (["set", "begin"], True, True),
            (["begin", "set", "set", "end"], True, True),
            (["begin", "end"], True, True),
            (["close"], False, False),
            (["close", "set", "close"], False, False),
            (["begin", "close", "end"], False, False),
            (["begin", "set", "close", "end"], False, False),
            (["begin", "close", "set", "end", "close"], False, False),
        ],
    )
    def test_a_file_to_wake_with_lives_as_long_as_somebody_polls_it(
        self, calls: list[str], begins: bool, is_open: bool
    ) -> None:
        wake = _Wake()
        number = os.dup(wake.fileno())
        for call in calls:
            getattr(wake, call)()
        with pytest.raises(BlockingIOError):
            os.eventfd_read(number)  # nothing is left over
        os.close(number)
        assert wake.begin() is begins
        if is_open:
            os.fstat(wake.fileno())
            wake.end()
        else:
            with pytest.raises(OSError, match="Bad file"):
                os.fstat(wake.fileno())

    def test_without_files_left_there_is_an_error_and_no_other(
        self, pair: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: int) -> int:
            raise OSError(24, "Too many open files")

        monkeypatch.setattr(os, "eventfd", refuse)
        with pytest.raises(OSError, match="Too many open files"):
            BlockingBackend().poller(pair[0], wakeable=True)


class TestEventLoop:
    def test_a_cancelled_wait_leaves_nothing_registered(self, loop_world: Any, pair: Any) -> None:
        async def body(backend: Any) -> None:
            poller = backend.poller(pair[0])
            task = asyncio.ensure_future(poller.wait(True, True, LONG))
            pair[0].send(b"")
            waiting = asyncio.ensure_future(backend.waiter().wait(LONG))
            task.cancel()
            waiting.cancel()
            results = await asyncio.gather(task, waiting, return_exceptions=True)
            assert [type(result) for result in results] == [asyncio.CancelledError] * 2
            assert not backend.loop.remove_reader(pair[0].fileno())
            assert not backend.loop.remove_writer(pair[0].fileno())

        loop_world.run(body)

    def test_a_wait_that_ended_leaves_nothing_registered(self, loop_world: Any, pair: Any) -> None:
        async def body(backend: Any) -> None:
            assert not await backend.poller(pair[0]).wait(True, False, SHORT)
            assert await backend.poller(pair[0]).wait(True, True, LONG)
            assert not backend.loop.remove_reader(pair[0].fileno())
            assert not backend.loop.remove_writer(pair[0].fileno())

        loop_world.run(body)

    def test_a_watched_socket_calls_until_it_is_not_watched(
        self, loop_world: Any, pair: Any
    ) -> None:
        async def body(backend: Any) -> None:
            waiter = backend.waiter()
            seen: list[bytes] = []

            def on_readable() -> None:
                seen.append(pair[0].recv(1))
                if len(seen) == 2:
                    backend.unwatch(pair[0])
                    waiter.set()

            backend.watch(pair[0], on_readable)
            pair[1].send(b"abc")
            assert await waiter.wait(LONG)
            assert not await backend.waiter().wait(SHORT)
            assert seen == [b"a", b"b"]
            backend.unwatch(pair[0])
            pair[0].close()
            backend.unwatch(pair[0])
            backend.unwatch_writable(pair[0])

        loop_world.run(body)

    def test_a_socket_watched_for_writing(self, loop_world: Any, pair: Any) -> None:
        async def body(backend: Any) -> None:
            waiter = backend.waiter()

            def on_writable() -> None:
                backend.unwatch_writable(pair[0])
                waiter.set()

            backend.watch_writable(pair[0], on_writable)
            assert await waiter.wait(LONG)

        loop_world.run(body)

    def test_timers_are_called_and_cancelled(self, loop_world: Any) -> None:
        async def body(backend: Any) -> None:
            called = []
            waiter = backend.waiter()
            now = backend.now()
            backend.call_at(now + SHORT, waiter.set)
            backend.call_at(now - 1, lambda: called.append("past"))
            backend.call_at(now + SHORT / 2, lambda: called.append("cancelled")).cancel()
            assert await waiter.wait(LONG)
            assert called == ["past"]
            assert backend.now() - now >= SHORT - 0.002

        loop_world.run(body)

    def test_a_spawned_coroutine_is_kept_alive(self, loop_world: Any) -> None:
        async def body(backend: Any) -> None:
            ended = backend.waiter()

            async def other() -> None:
                await backend.sleep(SHORT)
                ended.set()

            task = backend.spawn(other())
            gc.collect()
            assert await ended.wait(LONG)
            await backend.sleep(0)
            assert task.done()

        loop_world.run(body)

    def test_blocking_functions_run_in_another_thread(self, loop_world: Any) -> None:
        async def body(backend: Any) -> None:
            here = threading.get_ident()
            assert await backend.run_blocking(threading.get_ident) != here
            assert await backend.run_blocking(divmod, 7, 2) == (3, 1)
            with pytest.raises(ZeroDivisionError):
                await backend.run_blocking(divmod, 7, 0)

        loop_world.run(body)

    def test_one_backend_serves_one_loop_after_another(self) -> None:
        backend = AsyncioBackend()
        asyncio.run(backend.sleep(0))
        waiter = backend.waiter()
        assert not asyncio.run(waiter.wait(SHORT))

    def test_it_needs_a_running_loop(self) -> None:
        with pytest.raises(RuntimeError, match="no running event loop"):
            _ = AsyncioBackend().loop

    def test_waking_after_the_loop_is_gone_is_no_error(self, pair: Any) -> None:
        pollers = []

        async def body() -> None:
            backend = AsyncioBackend()
            pollers.append(backend.poller(pair[0]))
            backend.unwatch(pair[0])

        asyncio.run(body())
        pollers[0].wake()

    def test_its_lock_is_free(self) -> None:
        lock = AsyncioBackend().lock()
        with lock, lock:
            pass
