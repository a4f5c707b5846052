"""Judging answers without ever stalling a run: slow judges work in processes that are killed when time is up."""

from __future__ import annotations

import asyncio
import json
import math
import pickle
from dataclasses import asdict, dataclass
from functools import partial
from types import TracebackType
from typing import Final, Self

from data.errors import UserError
from data.records import Problem
from reasoning.processes import Workers
from reasoning.tasks.base import Task

__all__ = ["Grade", "Grader", "grade"]


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


_FAILURES: Final = {
    "time_limit": "grading timed out",
    "memory_limit": "the grading process died",
    "closed": "the grader is closed",
}


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
        self._closed = False
        self._workers: Workers | None = None
        if getattr(task, "fast_judge", False):
            return
        try:
            pickled = pickle.dumps(task)
        except Exception as error:  # pickling runs the task's own code
            raise UserError(
                f"task {task.name!r} cannot be sent to a grading process ({error}): define its class at the top level "
                "of a module, or give it fast_judge = True"
            ) from None
        self._workers = Workers(workers, math.inf, partial(_prepare, pickled), "grading process")

    async def judge(self, problem: Problem, answer: str) -> Grade:
        """Judge one answer. Never raises but for cancellation."""
        if self._closed:
            return Grade(False, _FAILURES["closed"])
        if self._workers is None:
            return grade(self._task, problem, answer)
        try:
            sent = pickle.dumps((problem, answer))
        except Exception as error:  # pickling runs the problem's own code
            return Grade(False, f"the problem cannot be sent to a grading process: {error}")
        try:
            return Grade(**json.loads(await self._workers.run(_judge, sent, seconds=self._timeout)))
        except Exception as error:  # of the process, or of the problem's own code in it
            last_line = str(error).rstrip().rpartition("\n")[2]
            return Grade(False, _FAILURES.get(getattr(error, "code", None) or "", last_line))

    async def close(self) -> None:
        """Kill the workers. May be called twice."""
        self._closed = True
        if self._workers is not None:
            await asyncio.to_thread(self._workers.close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()


# ---- in the process --------------------------------------------------------------------------------------------------

_task: Task


def _prepare(pickled: bytes) -> None:
    global _task
    _task = pickle.loads(pickled)
    if (prepare := getattr(_task, "prepare", None)) is not None:
        prepare()


def _judge(sent: bytes) -> bytes:
    return json.dumps(asdict(grade(_task, *pickle.loads(sent)))).encode()
