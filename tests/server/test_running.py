"""The runner: what begins at once is in every respect a task, whether it ever waits or not."""

from __future__ import annotations

import asyncio
import contextvars
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from h123.server.running import Runner

Run = Callable[[Any], None]
variable = contextvars.ContextVar("variable", default="nothing")


def in_callback(run: Run, work: Callable[[Runner], Coroutine[Any, Any, None]]) -> None:
    """Run `work` with a runner that is used from callbacks, as a server's is."""

    async def main() -> None:
        runner = Runner()
        original = runner.run

        def from_callback(coroutine: Coroutine[Any, Any, None]) -> None:
            asyncio.get_running_loop().call_soon(original, coroutine)

        runner.run = from_callback  # type: ignore[method-assign]  # as a loop's callback would
        await work(runner)
        runner.close()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        assert [task for task in others if "_Spare" in repr(task.get_coro())] == []

    run(main())


async def settle() -> None:
    for _ in range(6):
        await asyncio.sleep(0)


def test_what_does_not_wait_runs_at_once_and_is_no_task_after(run: Run) -> None:
    done: list[asyncio.Task[Any] | None] = []

    async def quick() -> None:
        done.append(asyncio.current_task())

    async def work(runner: Runner) -> None:
        for _ in range(3):
            runner.run(quick())
            await settle()
        assert len(done) == 3
        assert all(done)
        assert not runner.tasks

    in_callback(run, work)


def test_what_waits_is_one_task_from_its_beginning_to_its_end(run: Run) -> None:
    seen: list[Any] = []

    async def slow() -> None:
        seen.append(asyncio.current_task())
        await asyncio.sleep(0)
        seen.append(asyncio.current_task())
        await asyncio.sleep(0.001)
        seen.append(asyncio.current_task())

    async def work(runner: Runner) -> None:
        runner.run(slow())
        await asyncio.sleep(0)
        assert len(runner.tasks) == 1
        (task,) = runner.tasks
        await asyncio.wait_for(asyncio.shield(task), 5)
        assert seen == [task] * 3
        assert not runner.tasks

    in_callback(run, work)


def test_each_has_a_context_of_its_own(run: Run) -> None:
    """... which lasts over its waits and is nobody else's, whether it waits or not."""
    seen: list[str] = []

    async def quick(name: str) -> None:
        seen.append(variable.get())
        variable.set(name)

    async def slow(name: str) -> None:
        await quick(name)
        await asyncio.sleep(0)
        seen.append(variable.get())

    async def work(runner: Runner) -> None:
        for name in ("a", "b"):
            runner.run(quick(name))
            runner.run(slow(name))
            await settle()

    in_callback(run, work)
    assert seen == ["nothing", "nothing", "a", "nothing", "nothing", "b"]
    assert variable.get() == "nothing"


@pytest.mark.parametrize(
    "touch",
    [
        lambda task: kept.append(task),
        lambda task: task.set_name("mine"),
        lambda task: task.add_done_callback(kept.append),
        lambda task: variable.set("mine"),
        lambda task: task.cancel(),
    ],
    ids=["kept", "named", "watched", "variable", "cancelled"],
)
@pytest.mark.parametrize("rested", [False, True])
def test_a_task_that_was_seen_is_nobody_elses(
    run: Run, touch: Callable[[Any], object], rested: bool
) -> None:
    kept.clear()
    names: list[str] = []
    identities: list[Any] = []

    async def touching() -> None:
        task = asyncio.current_task()
        assert task is not None
        names.append(task.get_name())
        identities.append(id(task))
        touch(task)

    async def next_one() -> None:
        task = asyncio.current_task()
        assert task is not None
        names.append(task.get_name())
        assert variable.get() == "nothing"
        await asyncio.sleep(0)
        names.append("went on")

    async def nothing() -> None:
        pass

    async def work(runner: Runner) -> None:
        if rested:
            runner.run(nothing())
            await settle()
        runner.run(touching())
        runner.run(next_one())
        await settle()

    in_callback(run, work)
    assert len(set(names)) == 3
    assert names[2] == "went on"


kept: list[Any] = []


def test_timeouts_and_task_groups_work_from_the_first_step(run: Run) -> None:
    log: list[str] = []

    async def timed() -> None:
        try:
            async with asyncio.timeout(0.01):
                await asyncio.Event().wait()
        except TimeoutError:
            log.append("timeout")

    async def grouped() -> None:
        async def child() -> None:
            raise ZeroDivisionError

        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(child())
                await asyncio.Event().wait()
        except* ZeroDivisionError:
            log.append("group")

    async def work(runner: Runner) -> None:
        runner.run(timed())
        runner.run(grouped())
        await asyncio.sleep(0.05)
        while runner.tasks:
            await asyncio.wait(runner.tasks, timeout=5)

    in_callback(run, work)
    assert sorted(log) == ["group", "timeout"]


def test_cancelling_reaches_what_the_coroutine_waits_for(run: Run) -> None:
    log: list[str] = []

    async def inner() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            log.append("inner")
            raise

    async def outer(waits: Any) -> None:
        try:
            await waits
        except asyncio.CancelledError:
            log.append("outer")
            raise

    async def work(runner: Runner) -> None:
        # before the task has taken over, and after
        for pause in (1, 6):
            task = asyncio.ensure_future(inner())
            await settle()
            runner.run(outer(task))
            for _ in range(pause):
                await asyncio.sleep(0)
            (running,) = runner.tasks
            running.cancel()
            await asyncio.wait([running], timeout=5)
            assert running.cancelled()
            assert task.cancelled()
        assert log == ["inner", "outer"] * 2
        log.clear()
        runner.run(outer(asyncio.sleep(0)))  # it waits for no future at all
        await asyncio.sleep(0)
        (running,) = runner.tasks
        running.cancel()
        await asyncio.wait([running], timeout=5)
        assert log == ["outer"]

    in_callback(run, work)


def test_one_that_cancels_itself_is_cancelled_where_it_waits_next(run: Run) -> None:
    log: list[str] = []

    async def cancels() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        log.append("goes on")
        try:
            await asyncio.sleep(1)
        except asyncio.CancelledError:
            log.append("cancelled")
            raise

    async def raises() -> None:
        raise asyncio.CancelledError

    async def work(runner: Runner) -> None:
        runner.run(cancels())
        runner.run(raises())
        await settle()
        assert not runner.tasks

    in_callback(run, work)
    assert log == ["goes on", "cancelled"]


def test_what_ends_the_program_goes_through(run: Run) -> None:
    async def leaves() -> None:
        raise SystemExit(3)

    async def work(runner: Runner) -> None:
        runner.run(leaves())
        await settle()

    with pytest.raises(SystemExit):
        in_callback(run, work)


def test_a_call_from_a_task_begins_another(run: Run) -> None:
    seen: list[Any] = []

    async def main() -> None:
        runner = Runner()

        async def inside() -> None:
            seen.append(asyncio.current_task())

        runner.run(inside())
        assert not seen
        assert len(runner.tasks) == 1
        await settle()
        assert seen[0] is not asyncio.current_task()
        runner.close()

    run(main())


def test_the_programs_own_kind_of_tasks_is_used(run: Run) -> None:
    made: list[Any] = []

    async def quick() -> None:
        pass

    async def work(runner: Runner) -> None:
        loop = asyncio.get_running_loop()

        def factory(loop: Any, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
            made.append(coroutine)
            return asyncio.Task(coroutine, loop=loop, **options)

        loop.set_task_factory(factory)
        runner.run(quick())
        await settle()
        loop.set_task_factory(None)
        assert len(made) == 1

    in_callback(run, work)


def test_closing_cancels_all(run: Run) -> None:
    async def work(runner: Runner) -> None:
        async def hang() -> None:
            await asyncio.Event().wait()

        runner.run(hang())
        runner.run(hang())
        await settle()
        tasks = list(runner.tasks)
        assert len(tasks) == 2
        runner.close()
        await asyncio.wait(tasks, timeout=5)
        assert all(task.cancelled() for task in tasks)

    in_callback(run, work)


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="asyncio does it itself")
def test_the_spare_task_can_not_be_awaited_or_lost(run: Run) -> None:
    from h123.server.running import _Spare

    async def main() -> None:
        spare = _Spare(asyncio.get_running_loop())
        with pytest.raises(NotImplementedError):
            await spare
        spare.close()

        async def begun() -> None:
            await asyncio.sleep(1)

        coroutine = begun()
        spare.take_over(coroutine, coroutine.send(None))
        spare.task.cancel()
        await asyncio.wait([spare.task])
        spare.close()

    run(main())
