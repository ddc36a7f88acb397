"""The world in memory: it keeps the backends' promises, in an order that never changes."""

from __future__ import annotations

import socket

import pytest

from h123.network.backend import Address
from h123.network.memory import (
    Cancelled,
    Deadlock,
    MemoryBackend,
    datagram_pair,
    memory_pair,
)


@pytest.fixture
def backend() -> MemoryBackend:
    return MemoryBackend()


class TestTime:
    def test_it_jumps_when_nothing_else_can_happen(self, backend: MemoryBackend) -> None:
        order = []

        async def sleeper(seconds: float) -> float:
            await backend.sleep(seconds)
            order.append(seconds)
            return backend.now()

        assert backend.run(sleeper(60), sleeper(5), sleeper(0)) == [60, 5, 0]
        assert order == [0, 5, 60]

    def test_waiters_are_set_or_run_out_of_time(self, backend: MemoryBackend) -> None:
        waiter = backend.waiter()

        async def wait() -> list[bool]:
            return [await waiter.wait(timeout) for timeout in (0, 3, None, 5)]

        async def set_later() -> None:
            await backend.sleep(10)
            waiter.set()
            waiter.set()

        assert backend.run(wait(), set_later()) == [[False, False, True, True], None]
        assert backend.now() == 10

    def test_timers_are_called_in_order_and_cancelled(self, backend: MemoryBackend) -> None:
        called: list[str] = []
        backend.call_at(2, lambda: called.append("b"))
        backend.call_at(1, lambda: called.append("a"))
        backend.call_at(2, lambda: called.append("c"))
        backend.call_at(1.5, lambda: called.append("never")).cancel()
        backend.run(backend.sleep(3))
        assert called == ["a", "b", "c"]

    def test_a_deadlock_is_found(self, backend: MemoryBackend) -> None:
        async def for_ever() -> None:
            await backend.waiter().wait(None)

        with pytest.raises(Deadlock, match=r"^at 0 s nothing can go on: .*for_ever$"):
            backend.run(for_ever())

    def test_spinning_is_found(
        self, backend: MemoryBackend, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("h123.network.memory._TURNS_AT_ONE_TIME", 100)
        stream, _ = memory_pair()
        backend.watch_writable(stream.sock, lambda: None)
        with pytest.raises(Deadlock, match="something spins"):
            backend.run(backend.sleep(1))


class TestTasks:
    def test_a_spawned_task_can_be_cancelled(self, backend: MemoryBackend) -> None:
        seen = []

        async def other() -> None:
            try:
                await backend.sleep(100)
            except Cancelled:
                seen.append(backend.now())
                raise

        async def body() -> None:
            task = backend.spawn(other())
            await backend.sleep(1)
            task.cancel()
            task.cancel()
            assert not task.done()
            await backend.sleep(0)
            assert task.done()
            task.cancel()

        backend.run(body())
        assert seen == [1]

    def test_one_that_has_not_begun(self, backend: MemoryBackend) -> None:
        async def never() -> None:
            raise AssertionError

        async def body() -> None:
            task = backend.spawn(never())
            task.cancel()
            await backend.sleep(0)
            assert task.done()

        backend.run(body())

    def test_one_that_goes_on_after_it_was_cancelled(self, backend: MemoryBackend) -> None:
        async def stubborn() -> str:
            try:
                await backend.sleep(100)
            except Cancelled:
                await backend.sleep(1)
            return "done"

        async def body() -> object:
            task = backend.spawn(stubborn())
            await backend.sleep(0)
            task.cancel()
            await backend.sleep(2)
            return task.result

        assert backend.run(body()) == ["done"]

    def test_an_error_of_any_task_ends_it_all(self, backend: MemoryBackend) -> None:
        closed = []

        async def fail() -> None:
            raise ZeroDivisionError

        async def body() -> None:
            backend.spawn(fail())
            try:
                await backend.sleep(1)
            finally:
                closed.append(True)

        with pytest.raises(ZeroDivisionError):
            backend.run(body())
        assert closed == [True]

    def test_functions_run_at_once(self, backend: MemoryBackend) -> None:
        assert backend.run(backend.run_blocking(divmod, 7, 2)) == [(3, 1)]

    def test_a_lock_held_over_an_await_is_found(self, backend: MemoryBackend) -> None:
        lock = backend.lock()

        async def body() -> None:
            with lock:
                await backend.sleep(1)

        with pytest.raises(AssertionError, match="held over an await"):
            backend.run(body(), body())


class TestStreams:
    def test_a_full_pipe_stops_the_writer(self, backend: MemoryBackend) -> None:
        client, server = memory_pair(capacity=10)
        client.write(b"x" * 8)
        client.write(b"y" * 8)
        assert (client.unsent, server.incoming.total) == (6, 10)
        assert not client.is_writable
        assert server.read(9) == b"xxxxxxxxy"
        client.flush()
        assert client.unsent == 0
        assert server.read() == b"y" * 7
        assert server.read() is None

    def test_bytes_are_cut_as_told_and_paused(self) -> None:
        client, server = memory_pair(alpn_protocol="h2", names=("a:1", "b:2"))
        assert (client.alpn_protocol, client.local_address, client.peer_address) == (
            "h2", "a:1", "b:2",
        )  # fmt: skip
        server.incoming.cut(1, 3, 2)
        client.write(b"abcdefghi")
        assert [server.read() for _ in range(5)] == [b"a", b"bcd", b"ef", b"gh", b"i"]
        server.incoming.paused = True
        client.write(b"late")
        assert server.read() is None
        assert not server.is_readable
        server.incoming.paused = False
        assert server.read() == b"la"

    def test_ends_and_resets(self) -> None:
        client, server = memory_pair()
        client.write(b"last")
        client.shutdown_write()
        assert [server.read(), server.read()] == [b"last", b""]
        with pytest.raises(BrokenPipeError, match="writing to server"):
            client.write(b"x")
        server.write(b"before")
        server.reset()
        assert client.read() == b"before"
        with pytest.raises(ConnectionResetError):
            client.read()
        with pytest.raises(ConnectionResetError, match="writing to server"):
            client.flush()

    def test_closing(self) -> None:
        client, server = memory_pair()
        server.write(b"unread")
        client.close()
        client.close()
        with pytest.raises(ConnectionResetError):
            server.read()
        with pytest.raises(ConnectionResetError):
            server.write(b"x")
        for action in (client.read, client.flush, client.shutdown_write):
            with pytest.raises(ConnectionAbortedError, match="was closed here"):
                action()
        assert client.is_readable
        assert client.is_writable

    def test_a_clean_close_is_an_end(self) -> None:
        client, server = memory_pair()
        client.write(b"bye")
        client.close()
        assert [server.read(), server.read()] == [b"bye", b""]
        with pytest.raises(BrokenPipeError):
            server.write(b"x")

    def test_interrupt_ends_both_directions(self) -> None:
        client, server = memory_pair()
        client.interrupt()
        assert client.read() == server.read() == b""


class TestWaiting:
    def test_a_poller(self, backend: MemoryBackend) -> None:
        client, server = memory_pair(capacity=10)

        async def body() -> None:
            poller = backend.poller(client.sock)
            assert not await poller.wait(True, False, 0)
            assert not await poller.wait(True, False, 5)
            assert await poller.wait(True, True, 5)
            client.write(b"x" * 20)
            assert not await poller.wait(False, True, 5)
            backend.call_at(20, lambda: server.write(b"x"))
            assert await poller.wait(True, False, None)
            assert backend.now() == 20
            assert not await poller.wait(False, False, 1)
            poller.wake()
            assert await poller.wait(False, False, 1)
            backend.call_at(30, poller.wake)
            assert await poller.wait(False, False, None)
            backend.call_at(40, poller.close)
            assert await poller.wait(False, False, None)
            assert await poller.wait(False, False, None)
            assert backend.now() == 40

        backend.run(body())

    def test_watching(self, backend: MemoryBackend) -> None:
        client, server = memory_pair(capacity=10)
        seen: list[bytes | None] = []

        def on_writable() -> None:
            server.flush()
            if not server.unsent:
                backend.unwatch_writable(server.sock)

        backend.watch(client.sock, lambda: seen.append(client.read(4)))
        server.write(b"x" * 25)
        backend.watch_writable(server.sock, on_writable)
        backend.run(backend.sleep(1))
        assert b"".join(part or b"" for part in seen) == b"x" * 25
        backend.unwatch(client.sock)
        server.write(b"more")
        backend.run(backend.sleep(1))
        assert len(b"".join(part or b"" for part in seen)) == 25


class TestNames:
    def test_those_that_are_given(self, backend: MemoryBackend) -> None:
        backend.names["a.test"] = ["192.0.2.1", "::1"]
        assert backend.run(backend.resolve("a.test", 80, None)) == [
            [
                Address(socket.AF_INET, ("192.0.2.1", 80)),
                Address(socket.AF_INET6, ("::1", 80, 0, 0)),
            ]
        ]
        assert backend.run(backend.resolve("192.0.2.9", 1, None)) == [
            [Address(socket.AF_INET, ("192.0.2.9", 1))]
        ]

    def test_those_that_are_not(self, backend: MemoryBackend) -> None:
        with pytest.raises(socket.gaierror, match=r"^cannot resolve b\.test: no such name$"):
            backend.run(backend.resolve("b.test", 80, None))

    def test_those_that_take_for_ever(self, backend: MemoryBackend) -> None:
        backend.names["c.test"] = None
        with pytest.raises(TimeoutError, match=r"^resolving c\.test took longer than 30 s$"):
            backend.run(backend.resolve("c.test", 80, 30))
        assert backend.now() == 30


class TestDatagrams:
    def test_they_are_lost_doubled_and_late_as_told(self, backend: MemoryBackend) -> None:
        client, server = datagram_pair()
        fates: dict[int, list[int]] = {1: [], 2: [0, 0], 3: [2]}
        client.on_send = lambda number, data: fates.get(number, [0])
        for number in range(7):
            assert client.send_many([(b"%d" % number, None)]) == 1
        received = server.receive_many()
        assert [data for data, _ in received] == [b"0", b"2", b"2", b"4", b"5", b"3", b"6"]
        assert received[0][1] == client.local_address
        client.on_send = lambda number, data: [100]
        client.send_many([(b"late", None)])
        assert not server.is_readable
        client.release()
        assert server.is_readable
        assert server.receive_many(1) == [(b"late", client.local_address)]
        assert server.flush() == 0
        assert server.fileno() == -1

    def test_a_late_one_waits_for_others_to_pass(self) -> None:
        client, server = datagram_pair()
        client.on_send = lambda number, data: [2 if number == 0 else 0]
        client.send_many([(b"%d" % number, None) for number in range(4)])
        assert [data for data, _ in server.receive_many()] == [b"1", b"2", b"0", b"3"]

    def test_polling_and_closing(self, backend: MemoryBackend) -> None:
        client, server = datagram_pair()

        async def body() -> bool:
            return await backend.poller(server.sock).wait(True, False, 10)

        async def send() -> None:
            await backend.sleep(1)
            client.send_many([(b"x", None)])

        assert backend.run(body(), send()) == [True, None]
        client.close()
        assert server.receive_many() == [(b"x", client.local_address)]
        with pytest.raises(ConnectionRefusedError):
            server.receive_many()
        with pytest.raises(OSError, match="closed here"):
            client.send_many([])
