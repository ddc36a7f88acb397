"""Handlers run at once, and become tasks when they first wait.

Most handlers of a busy server never wait, and a task for each would cost more than they do. Since Python
3.12 asyncio can begin a task eagerly, and makes it known to the loop only if it waits. For 3.11 the same is
built here of what asyncio documents for other implementations of tasks (`_enter_task`, `_leave_task`): a
coroutine is stepped in the name and the context of a spare task that waits for work; if it waits too, the
spare task goes on with it, and is then its task to the end, so that `current_task`, timeouts, task groups,
cancellation and context variables are what they are for any task.
"""

from __future__ import annotations

import asyncio
import contextvars
import sys
import weakref
from collections.abc import Coroutine, Generator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    Running = Coroutine[Any, Any, None]


class Runner:
    """Begins coroutines in one event loop, and knows which of them have not ended."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._spare: _Spare | None = None

    @property
    def tasks(self) -> AbstractSet[asyncio.Task[None]]:
        """Those that wait for something."""
        return self._tasks

    def close(self) -> None:
        """Cancel what has not ended."""
        for task in self._tasks:
            task.cancel()
        if self._spare is not None:
            self._spare.dismiss()
            self._spare = None

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def run(self, coroutine: Running) -> None:
        """Run a coroutine up to its first wait, and then beside all others.

        One that was called by a task becomes a task at once: a task can not be in two places.
        """
        loop = self._loop
        if loop is None:
            loop = self._loop = asyncio.get_running_loop()
        if asyncio.current_task(loop) is not None or loop.get_task_factory() is not None:
            self._keep(loop.create_task(coroutine))
        else:
            self._begin(coroutine, loop)

    if sys.version_info >= (3, 12):  # pragma: no cover  # measured on the oldest Python

        def _begin(self, coroutine: Running, loop: asyncio.AbstractEventLoop) -> None:
            task = asyncio.Task(coroutine, loop=loop, eager_start=True)
            if not task.done():
                self._keep(task)

    else:

        def _begin(self, coroutine: Running, loop: asyncio.AbstractEventLoop) -> None:
            spare = self._spare
            if spare is None or spare.task.done():
                spare = self._spare = _Spare(loop)
            task = spare.task
            asyncio.tasks._enter_task(loop, task)
            references = sys.getrefcount(task)
            try:
                waits_for = spare.context.run(coroutine.send, None)
            except StopIteration:
                # Usually nobody can tell that the spare task was there. One that was seen is not used again.
                if (
                    sys.getrefcount(task) != references
                    or spare.context != spare.base
                    or not spare.is_untouched()
                ):
                    self._spare = None
                    spare.dismiss()
            except BaseException as error:
                self._spare = None
                spare.dismiss()
                if not isinstance(error, asyncio.CancelledError):
                    raise
            else:
                self._spare = None
                spare.take_over(coroutine, waits_for)
                self._keep(task)
            finally:
                asyncio.tasks._leave_task(loop, task)


class _Spare(Coroutine[Any, Any, None]):
    """What a spare task runs: nothing until it is given a coroutine that has begun."""

    __slots__ = (
        "_coroutine",
        "_idle",
        "_is_dismissed",
        "_name",
        "_waits_for",
        "base",
        "context",
        "task",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.base = contextvars.copy_context()
        self._coroutine: Running | None = None
        self._waits_for: Any = None
        self._is_dismissed = False
        self._idle = loop.create_future()
        self.context = self.base.copy()
        self.task = loop.create_task(self, context=self.context)
        self._name = self.task.get_name()

    def is_untouched(self) -> bool:
        """Whether what ran in the task's name has left no trace on it: callbacks, a cancellation, a name."""
        task: Any = self.task
        return (
            task._callbacks is None
            and weakref.getweakrefcount(task) == 1  # asyncio's own
            and not task.cancelling()
            and task.get_name() is self._name
        )

    def take_over(self, coroutine: Running, waits_for: Any) -> None:
        """Let the task go on with a coroutine that waits for a future, or with None only to be resumed."""
        self._coroutine = coroutine
        self._waits_for = waits_for
        self._wake()

    def dismiss(self) -> None:
        """Let the task end."""
        self._is_dismissed = True
        self._wake()

    def _wake(self) -> None:
        if not self._idle.done():
            self._idle.set_result(None)

    # ------------------------------------------------------------- what the task steps

    def send(self, value: Any) -> Any:
        """Go on: wait for work, or for what the coroutine waits for, or step it."""
        coroutine = self._coroutine
        if coroutine is None:
            if self._is_dismissed:
                raise StopIteration
            self._idle._asyncio_future_blocking = True
            return self._idle
        if self._is_dismissed:
            return coroutine.send(value)
        self._is_dismissed = True  # from here on all is the coroutine's
        return self._waits_for

    def throw(self, *error: Any) -> Any:
        """Raise an error, which is the task's cancellation, where the coroutine waits."""
        coroutine = self._coroutine
        if coroutine is None:
            raise error[0]
        if not self._is_dismissed:
            self._is_dismissed = True
            if self._waits_for is not None and self._waits_for.cancel():
                return self._waits_for  # it tells the coroutine, as if the task had waited for it
        return coroutine.throw(*error)

    def close(self) -> None:
        """Close the coroutine."""
        if self._coroutine is not None:
            self._coroutine.close()

    def __await__(self) -> Generator[Any, None, None]:
        raise NotImplementedError
