"""Jobs handed to workers that may die: pulled one at a time, told once, and done again where a worker was lost.

A worker takes a job whenever it has room, so nobody waits for the slowest of a batch, and no worker holds more than its
share of what is left. When one is lost, the jobs it had under way go back to the end of the queue. A job that was under
way at every one of its attempts but the last is done alone, so that a worker's death accuses nobody else; one that is
alone when the last attempt fails is given up.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from data.errors import UserError

__all__ = ["Limits", "Lost", "Worker", "WorkerLost", "spread"]

J = TypeVar("J")
J_contra = TypeVar("J_contra", contravariant=True)
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class WorkerLost(Exception):
    """A worker's process is gone, and with it what it was doing. The message says why, where that is known."""


class Worker(Protocol[J_contra, R_co]):
    """Whoever does jobs, several at a time."""

    async def do(self, job: J_contra, /) -> R_co:
        """The job's result. Raises WorkerLost; whatever else it raises ends all work."""
        ...

    async def end(self) -> None:
        """Free everything, also where the worker is lost. Raises nothing."""
        ...


@dataclass(frozen=True, slots=True)
class Limits:
    """`workers` at a time with `ahead` jobs each; `attempts` at a job; `restarts` of workers in all."""

    workers: int
    ahead: int = 1
    attempts: int = 3
    restarts: int = 20


@dataclass(frozen=True, slots=True)
class Lost:
    """A job that was given up: every worker that tried it was lost."""

    reason: str


@dataclass(slots=True)
class _Item(Generic[J]):
    job: J
    strikes: int = 0


class _Board(Generic[J, R]):
    """What is left to do, and who may take it."""

    def __init__(self, jobs: Iterable[J], limits: Limits) -> None:
        self.limits = limits
        self.fresh = deque(_Item(job) for job in jobs)
        self.alone: deque[_Item[J]] = deque()
        self.left = len(self.fresh)
        self.restarts = 0
        self.results: asyncio.Queue[tuple[J, R | Lost]] = asyncio.Queue()
        self.changed = asyncio.Event()
        self.hiring: set[asyncio.Task[Any] | None] = set()

    def take(self, held: int) -> _Item[J] | None:
        """A job for a worker that holds so many, None where there is none for it now."""
        share = -(-self.left // self.limits.workers)
        if self.fresh and held < min(self.limits.ahead, share):
            return self.fresh.popleft()
        return self.alone.popleft() if self.alone and not held else None

    def finish(self, item: _Item[J], result: R | Lost) -> None:
        self.left -= 1
        self.results.put_nowait((item.job, result))
        if not self.left:
            self._wake()

    def strike(self, items: list[_Item[J]], reason: str) -> None:
        """What becomes of the jobs that a lost worker had under way."""
        for item in items:
            item.strikes += 1
            if len(items) == 1 and item.strikes >= self.limits.attempts:
                times = "once" if item.strikes == 1 else f"{item.strikes} times"
                self.finish(item, Lost(f"its worker was lost {times} ({reason})"))
            elif item.strikes >= self.limits.attempts - 1:
                self.alone.append(item)
            else:
                self.fresh.append(item)
        self._wake()

    def restart(self, reason: str) -> None:
        """Count one lost worker. Raises UserError where there were too many."""
        self.restarts += 1
        if self.restarts > self.limits.restarts:
            raise UserError(
                f"workers were lost {self.restarts} times, the last one to: {reason}; mend that, or raise "
                "--max-restarts, and go on"
            )

    def _wake(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()


async def spread(
    jobs: Iterable[J], hire: Callable[[], Awaitable[Worker[J, R]]], limits: Limits
) -> AsyncGenerator[tuple[J, R | Lost], None]:
    """Every job with its result, exactly once each, as they finish.

    `hire` brings a new worker to readiness; it may raise WorkerLost, and anything else it raises ends all work, as does
    a UserError once there were more than `limits.restarts` losses. Leaving the loop ends all workers.
    """
    board: _Board[J, R] = _Board(jobs, limits)
    keepers = {asyncio.create_task(_keep(board, hire)) for _ in range(min(limits.workers, board.left))}
    try:
        for _ in range(board.left):
            getting = asyncio.create_task(board.results.get())
            try:
                while not getting.done():
                    done, _pending = await asyncio.wait({getting, *keepers}, return_when=asyncio.FIRST_COMPLETED)
                    for keeper in done & keepers:
                        keepers.discard(keeper)
                        keeper.result()  # raises what ended it; one that ends by itself has found all work done
            finally:
                getting.cancel()
            yield getting.result()
    finally:
        for keeper in keepers:
            if board.left or keeper in board.hiring:  # the others are saying goodbye
                keeper.cancel()
        await asyncio.gather(*keepers, return_exceptions=True)


async def _keep(board: _Board[J, R], hire: Callable[[], Awaitable[Worker[J, R]]]) -> None:
    """One worker after another, until nothing is left."""
    keeper = asyncio.current_task()
    while board.left:
        board.hiring.add(keeper)
        try:
            worker = await hire()
        except WorkerLost as lost:
            board.restart(str(lost))
            continue
        finally:
            board.hiring.discard(keeper)
        try:
            reason = await _feed(board, worker)
        finally:
            await worker.end()
        if reason is not None:
            board.restart(reason)


async def _feed(board: _Board[J, R], worker: Worker[J, R]) -> str | None:
    """Keep a worker busy to the end, None, or until it is lost: why."""
    held: dict[asyncio.Task[R], _Item[J]] = {}
    try:
        while board.left:
            while (item := board.take(len(held))) is not None:
                held[asyncio.create_task(_do(worker, item.job))] = item
            if not held:
                await board.changed.wait()
                continue
            done, _ = await asyncio.wait(held, return_when=asyncio.FIRST_COMPLETED)
            if any(isinstance(task.exception(), WorkerLost) for task in done):
                await asyncio.wait(held)  # all of them end now, some perhaps with a result that was on its way
                reasons = [str(e) for task in held if isinstance(e := task.exception(), WorkerLost)]
                lost = [held.pop(task) for task in list(held) if isinstance(task.exception(), WorkerLost)]
                for task in list(held):
                    board.finish(held.pop(task), task.result())
                board.strike(lost, reasons[0])
                return reasons[0]
            for task in done:
                board.finish(held.pop(task), task.result())
        return None
    finally:
        for task in held:
            task.cancel()
        await asyncio.gather(*held, return_exceptions=True)


async def _do(worker: Worker[J, R], job: J) -> R:
    return await worker.do(job)
