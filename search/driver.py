"""Runs a search: hands each request to a worker the moment it exists, keeps the token budget, and writes the log."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from search.algorithm import Algorithm
from search.tree import Tree
from search.types import Cancel, Cancelled, Failed, Outcome, Request, State, Usage

__all__ = ["ReplayError", "Tell", "Worker", "drive", "drive_many", "replay"]

T = TypeVar("T")
J = TypeVar("J")


@dataclass(frozen=True, slots=True)
class Tell:
    """One entry of a search's log: outcomes in the order in which the algorithm was told them."""

    seq: int
    request: Request
    outcome: Outcome


class Worker(Protocol):
    """Whoever performs requests: a policy and a reward on an engine, or a toy."""

    def most_tokens(self, tree: Tree, request: Request) -> int:
        """The most completion tokens this request may generate; what the driver reserves of the budget."""
        ...

    async def perform(self, tree: Tree, request: Request, max_tokens: int) -> Outcome:
        """Do the work with at most `max_tokens` completion tokens.

        A step that this limit cuts ends as CUT. Cancelled work raises `Cancelled` with the tokens it had spent; any
        other exception becomes a `Failed` outcome with the exception's first line.
        """
        ...


async def drive(
    algorithm: Algorithm,
    root: State,
    worker: Worker,
    *,
    budget: int | None = None,
    on_tell: Callable[[Tree, Tell], None] | None = None,
) -> tuple[Tree, list[Tell]]:
    """Search one tree to its end.

    `budget` is a ceiling on the completion tokens of all its requests: a request starts only when its own maximum is
    reserved, and what it does not use is returned. When nothing is in flight and less than a request's maximum is
    left, it gets what is left; when nothing is left, it fails with kind "budget".
    """
    tree = algorithm.start(root)
    log: list[Tell] = []
    waiting: deque[Request] = deque()
    tasks: dict[int, asyncio.Task[None]] = {}
    done: asyncio.Queue[tuple[Request, Outcome, int]] = asyncio.Queue()
    begun: set[int] = set()
    withdrawn: set[int] = set()
    spent = reserved = 0

    async def work(request: Request, grant: int) -> None:
        try:
            if request.id in withdrawn:
                raise Cancelled(Usage())
            begun.add(request.id)
            outcome = await worker.perform(tree, request, grant)
        except asyncio.CancelledError as error:
            if request.id not in withdrawn:
                raise
            usage = error.usage if isinstance(error, Cancelled) else Usage()
            outcome = Failed("cancelled", "cancelled", usage)
        except Exception as error:
            outcome = Failed(_first_line(error))
        done.put_nowait((request, outcome, grant))

    def take(requests: Iterable[Request]) -> None:
        for request in requests:
            if not isinstance(request, Cancel):
                waiting.append(request)
            elif request.request in tasks:
                withdrawn.add(request.request)
                # A task that is cancelled before its first turn never runs, and would owe its outcome for ever.
                if request.request in begun:
                    tasks[request.request].cancel()
            else:
                for queued in [r for r in waiting if r.id == request.request]:
                    waiting.remove(queued)
                    done.put_nowait((queued, Failed("cancelled", "cancelled"), 0))

    def start_work() -> None:
        nonlocal reserved
        while waiting:
            request = waiting[0]
            grant = worker.most_tokens(tree, request)
            if budget is not None and grant > budget - spent - reserved:
                if tasks:
                    return
                grant = budget - spent
                if grant <= 0:
                    waiting.popleft()
                    done.put_nowait((request, Failed("the token budget is spent", "budget"), 0))
                    continue
            waiting.popleft()
            reserved += grant
            tasks[request.id] = asyncio.create_task(work(request, grant))

    try:
        take(algorithm.ask(tree))
        while True:
            start_work()
            if not tasks and done.empty():
                return tree, log
            request, outcome, grant = await done.get()
            if tasks.pop(request.id, None) is not None:
                reserved -= grant
            spent += outcome.usage.completion
            entry = Tell(len(log), request, outcome)
            log.append(entry)
            algorithm.tell(tree, request, outcome)
            if on_tell:
                on_tell(tree, entry)
            take(algorithm.ask(tree))
    finally:
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)


async def drive_many(jobs: Iterable[J], run: Callable[[J], Awaitable[T]], *, concurrency: int) -> AsyncIterator[T]:
    """Results of `run(job)` as they finish, at most `concurrency` at a time. Leaving the loop cancels the rest."""
    pending: set[asyncio.Future[T]] = set()
    iterator = iter(jobs)
    try:
        while True:
            while len(pending) < concurrency and (job := next(iterator, None)) is not None:
                pending.add(asyncio.ensure_future(run(job)))
            if not pending:
                return
            await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for future in [f for f in pending if f.done()]:
                pending.remove(future)
                yield future.result()
    finally:
        for future in pending:
            future.cancel()
        await asyncio.gather(*pending, return_exceptions=True)


class ReplayError(Exception):
    """A log does not belong to the algorithm or the root it is replayed with."""


def replay(
    algorithm: Algorithm,
    root: State,
    log: Sequence[Tell],
    upto: int | None = None,
    *,
    on_tell: Callable[[Tree, Tell], None] | None = None,
) -> Tree:
    """The tree after the first `upto` entries of a log (all by default): a tree is the fold of its log.

    `on_tell` is called after each entry, as `drive` calls it.
    """
    tree = algorithm.start(root)
    asked = {r.id: r for r in algorithm.ask(tree)}
    for entry in log[:upto]:
        if asked.pop(entry.request.id, None) != entry.request:
            raise ReplayError(f"entry {entry.seq} answers a request this search never made: another method or version?")
        algorithm.tell(tree, entry.request, entry.outcome)
        if on_tell:
            on_tell(tree, entry)
        asked |= {r.id: r for r in algorithm.ask(tree)}
    return tree


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
