"""Where content goes: files, and standard output, which several transfers share in their order.

Standard output may block for as long as its reader likes, so a thread of its own writes to it: meanwhile
the connections live on, and flow control stops the senders.
"""

from __future__ import annotations

import asyncio
import os
import queue
import stat
import sys
import tempfile
import threading
from abc import ABC, abstractmethod
from typing import IO

from ...message.body import PIECE_SIZE
from .exit_codes import ExitCode, FetchError

SPOOL_IN_MEMORY = 1 << 20
"""Bytes that wait in memory for their turn on standard output; more waits in a temporary file."""


class Destination(ABC):
    """Takes the content of one transfer. Failures are `FetchError`s."""

    @abstractmethod
    async def write(self, data: bytes) -> None:
        """Take a part."""

    async def close(self) -> None:
        """Be done, however the transfer ended."""
        return


class Nowhere(Destination):
    """Takes what nobody wants to see."""

    async def write(self, data: bytes) -> None:
        """Drop it."""


class FileDestination(Destination):
    """A file, replaced. It is made when the transfer begins to give content, or ends without any."""

    def __init__(self, path: str, *, create_folders: bool) -> None:
        """Open the file. Raises `FetchError`."""
        self.path = path
        try:
            if create_folders and os.path.dirname(path):
                os.makedirs(os.path.dirname(path), exist_ok=True)
            self._file: IO[bytes] = open(path, "wb", buffering=0)  # noqa: SIM115  # closed in `close`
        except OSError as error:
            raise self._failure(error) from error

    async def write(self, data: bytes) -> None:
        """Write a part."""
        try:
            view = memoryview(data)
            while view:
                view = view[self._file.write(view) :]
        except OSError as error:
            raise self._failure(error) from error

    async def close(self) -> None:
        """Close the file; what was written stays."""
        try:
            self._file.close()
        except OSError as error:
            raise self._failure(error) from error

    def _failure(self, error: OSError) -> FetchError:
        return FetchError(
            ExitCode.WRITE_FAILED, f"cannot write {self.path}: {error.strerror or error}"
        )


class StandardOutput:
    """Standard output, written to by one thread of its own."""

    def __init__(self) -> None:
        self._number: int | None = None
        self._is_file = False
        self.is_terminal = False
        self._queue: queue.SimpleQueue[tuple[bytes, asyncio.Future[None]]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        try:
            self._number = sys.stdout.fileno()
            self._is_file = stat.S_ISREG(os.fstat(self._number).st_mode)
            self.is_terminal = os.isatty(self._number)
        except (OSError, ValueError):  # somebody else's idea of a standard output
            pass

    async def write(self, data: bytes) -> None:
        """Write all of it. Raises `FetchError`, one without a message when nobody reads any more."""
        try:
            if self._number is None:
                sys.stdout.buffer.write(data)
            elif self._is_file:
                _write_all(self._number, data)
            else:
                await self._write_beside(data)
        except BrokenPipeError as error:
            raise FetchError(ExitCode.WRITE_FAILED, "") from error
        except OSError as error:
            text = f"cannot write to standard output: {error.strerror or error}"
            raise FetchError(ExitCode.WRITE_FAILED, text) from error

    async def _write_beside(self, data: bytes) -> None:
        if self._thread is None:
            # A daemon: a reader that has stopped reading must not keep the command from ending.
            self._thread = threading.Thread(target=self._run, name="h123 output", daemon=True)
            self._thread.start()
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.put((data, written))
        await written

    def _run(self) -> None:
        assert self._number is not None
        while True:
            data, written = self._queue.get()
            failure: OSError | None = None
            try:
                _write_all(self._number, data)
            except OSError as error:
                failure = error
            try:
                written.get_loop().call_soon_threadsafe(_tell, written, failure)
            except RuntimeError:  # the loop has ended: nobody waits for it any more
                return


def _write_all(number: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(number, view) :]


def _tell(written: asyncio.Future[None], failure: OSError | None) -> None:
    if written.cancelled():
        return
    if failure is None:
        written.set_result(None)
    else:
        written.set_exception(failure)


class Turn(Destination):
    """One transfer's turn on standard output: what comes before it waits."""

    def __init__(self, output: StandardOutput, before: Turn | None, *, is_checked: bool) -> None:
        """Come after `before`. `is_checked` refuses to write what is no text to a terminal."""
        self._output = output
        self._before = before
        self._is_over = asyncio.Event()
        self._waiting: tempfile.SpooledTemporaryFile[bytes] | None = None
        self._is_checked = is_checked and output.is_terminal

    async def write(self, data: bytes) -> None:
        """Write a part if it is this one's turn, and keep it until then if not."""
        if self._is_checked and b"\0" in data[:2000]:
            raise FetchError(
                ExitCode.WRITE_FAILED,
                "this is no text, and your terminal may not like it: use -o FILE, or -o - to see it anyway",
            )
        if self._before is None or self._before._is_over.is_set():
            await self._catch_up()
            await self._output.write(data)
            return
        if self._waiting is None:
            self._waiting = tempfile.SpooledTemporaryFile(SPOOL_IN_MEMORY)  # noqa: SIM115  # closed below
        try:
            self._waiting.write(data)
        except OSError as error:
            text = f"cannot keep what waits for its turn: {error.strerror or error}"
            raise FetchError(ExitCode.WRITE_FAILED, text) from error

    async def come(self) -> None:
        """Wait until it is this one's turn, and write what waited for that."""
        if self._before is not None:
            await self._before._is_over.wait()
            self._before = None
        await self._catch_up()

    def pass_on(self) -> None:
        """Let the next one have its turn."""
        self._is_over.set()

    async def _catch_up(self) -> None:
        if self._waiting is not None:
            with self._waiting as file:
                self._waiting = None
                file.seek(0)
                while data := file.read(PIECE_SIZE):
                    await self._output.write(data)
