"""Judging answers without ever stalling a run: slow judges work in processes that are killed when time is up."""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import io
import multiprocessing
import os
import pickle
import queue
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Final, Self

from data.errors import UserError
from data.records import Problem
from reasoning.tasks.base import Task

__all__ = ["Grade", "Grader", "grade"]

START_SECONDS: Final = 120.0  # a worker imports what the judge needs; a loaded machine takes its time
MEMORY_BYTES: Final = 8 << 30  # address space of a worker


@dataclass(frozen=True, slots=True)
class Grade:
    """Whether an answer is right; `error` says why it could not be judged, and then it counts as wrong."""

    correct: bool
    error: str | None = None


def grade(task: Task, problem: Problem, answer: str) -> Grade:
    """Judge in this process, without a time limit. What the judge raises becomes the grade's error."""
    try:
        return Grade(bool(task.judge(problem, answer)))
    except Exception as error:  # a judge reads untrusted text with foreign code: whatever it raises is one failed grade
        message = " ".join(str(error).split())[:200]
        return Grade(False, f"{type(error).__name__}: {message}" if message else type(error).__name__)


class Grader:
    """Judges answers of one task, from any asyncio loop, any number at a time.

    A task whose class says `fast_judge = True` is judged in place. Any other is sent to one of `workers` processes,
    spawned when first needed after calling the task's `prepare()` if it has one; a judgement that takes more than
    `timeout` seconds kills its process and is wrong, with the error "grading timed out". Close it when done (or use
    `async with`); waiting judgements then end with an error. Raises UserError where the task cannot be pickled.
    """

    def __init__(self, task: Task, workers: int = 1, timeout: float = 10.0) -> None:
        self._task = task
        self._timeout = timeout
        self._inline = bool(getattr(task, "fast_judge", False))
        self._closed = False
        if self._inline:
            return
        try:
            self._pickled = pickle.dumps(task)
        except Exception as error:  # pickling runs the task's own code
            raise UserError(
                f"task {task.name!r} cannot be sent to a grading process ({error}): define its class at the top level "
                "of a module, or give it fast_judge = True"
            ) from None
        # A thread per worker waits for it, so that no event loop ever has to.
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="grading")
        self._workers = [_Worker(self._pickled) for _ in range(workers)]
        self._idle: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
        for worker in self._workers:
            self._idle.put(worker)

    async def judge(self, problem: Problem, answer: str) -> Grade:
        """Judge one answer. Never raises but for cancellation."""
        if self._closed:
            return _CLOSED
        if self._inline:
            return grade(self._task, problem, answer)
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._ask, problem, answer)

    async def close(self) -> None:
        """Kill the workers. May be called twice."""
        if self._closed:
            return
        self._closed = True
        if self._inline:
            return
        for worker in self._workers:
            worker.close()
        await asyncio.to_thread(self._threads.shutdown)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def _ask(self, problem: Problem, answer: str) -> Grade:
        worker = self._idle.get()
        try:
            return worker.ask(problem, answer, self._timeout)
        finally:
            self._idle.put(worker)


_CLOSED: Final = Grade(False, "the grader is closed")


class _Worker:
    """One grading process, replaced when it dies. `ask` is called by one thread at a time, `close` by any."""

    def __init__(self, task: bytes) -> None:
        self._task = task
        self._lock = threading.Lock()  # guards starting against closing
        self._process: multiprocessing.process.BaseProcess | None = None
        self._connection: Connection | None = None
        self._closed = False

    def ask(self, problem: Problem, answer: str, timeout: float) -> Grade:
        try:
            connection = self._started()
            # Pickled apart from sending, so that a problem that cannot be pickled leaves the pipe clean.
            connection.send_bytes(pickle.dumps((problem, answer, timeout)))
            if not connection.poll(timeout):
                self._stop()
                return Grade(False, "grading timed out")
            result: Grade = connection.recv()
            return result
        except (EOFError, OSError):
            self._stop()
            return _CLOSED if self._closed else Grade(False, "the grading process died")
        except _NoStart as error:
            self._stop()
            return _CLOSED if self._closed else Grade(False, str(error))
        except Exception as error:  # pickling runs the problem's own code
            return Grade(False, f"the problem cannot be sent to a grading process: {error}")

    def close(self) -> None:
        with self._lock:
            self._closed = True
            process = self._process
        if process is not None:
            process.kill()

    def _started(self) -> Connection:
        if self._connection is not None:
            return self._connection
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        with self._lock:
            if self._closed:
                raise _NoStart
            self._process = context.Process(target=_work, args=(theirs, self._task), name="grading", daemon=True)
            self._process.start()
        theirs.close()
        self._connection = ours
        if not ours.poll(START_SECONDS):
            raise _NoStart("the grading process did not start in time")
        if (failure := ours.recv()) is not None:
            raise _NoStart(f"the grading process did not start: {failure}")
        return ours

    def _stop(self) -> None:
        with self._lock:
            process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.join()
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class _NoStart(Exception):
    """A worker could not be started, and why."""


# ---- in the worker ---------------------------------------------------------------------------------------------------


def _work(connection: Connection, pickled: bytes) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    _limit_memory()
    sys.stdout = io.TextIOWrapper(open(os.devnull, "wb"))  # noqa: PTH123, SIM115 - some scorers print
    try:
        task: Task = pickle.loads(pickled)
        if (prepare := getattr(task, "prepare", None)) is not None:
            prepare()
    except Exception as error:
        connection.send(f"{type(error).__name__}: {error}")
        return
    connection.send(None)
    devnull = open(os.devnull, "w")  # noqa: PTH123, SIM115 - open for the life of the process
    with contextlib.suppress(EOFError, OSError):
        while True:
            problem, answer, timeout = pickle.loads(connection.recv_bytes())
            # The parent kills a judgement that takes too long. If the parent is gone, this timer, which needs neither
            # the interpreter nor a signal, ends the process.
            faulthandler.dump_traceback_later(timeout + 1.0, exit=True, file=devnull)
            result = grade(task, problem, answer)
            faulthandler.cancel_dump_traceback_later()
            connection.send(result)


def _limit_memory() -> None:
    try:
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        soft = MEMORY_BYTES if hard == resource.RLIM_INFINITY else min(MEMORY_BYTES, hard)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    except (ImportError, ValueError, OSError):
        pass  # a platform without this limit still has the time limit
