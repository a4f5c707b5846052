"""Rows made and checked in several processes, or by Ray actors.

It is a module of its own because a fresh process finds what it is to do by the module's name, and a command has none.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import AsyncGenerator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import aclosing
from functools import partial
from typing import Any

from data.errors import one_line
from data.scale import Lost, Scale
from data.synthesis.checks import faults, read_again, solved
from data.synthesis.generators import GENERATORS
from data.synthesis.samples import make

__all__ = ["Making", "made", "made_rows", "made_rows_scaled"]


def made(index: int, *, seed: int, check: bool, name: str | None) -> dict[str, Any]:
    """A row and, with `check`, what became of looking at it again: `faults`, and `hard`, why a reader fails."""
    row = make(GENERATORS, seed, index, name=name)
    if not check:
        return row
    # What a check raises is a fault of its row, told with it; an exception may not even survive the way home.
    try:
        row["faults"] = faults(row)
        if not row["faults"]:
            promised = row["status"]
            row["status"], row["optimum"] = solved(row)
            if row["status"] != promised:
                row["faults"] = [f"status: {row['status']} instead of {promised}"]
    except Exception as error:
        row["faults"] = [f"it cannot be checked ({type(error).__name__}: {one_line(error)})"]
    try:
        row["hard"] = None if row["faults"] else read_again(row)
    except Exception as error:
        row["hard"] = f"the reader failed: {type(error).__name__}: {one_line(error)}"
    return row


def made_rows(indices: Sequence[int], processes: int, **how: Any) -> Iterator[dict[str, Any]]:
    """The rows of the indices, in their order. `how` is passed to `made`."""
    work = partial(made, **how)
    if processes == 1 or len(indices) < 2:
        yield from map(work, indices)
        return
    # Fresh processes: a solver's threads do not survive a fork.
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        try:
            yield from pool.map(work, indices, chunksize=4)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


class Making:
    """What a Ray actor does (a `data.scale.on_ray.Work`): make the row of a numbered index. `how` goes to `made`."""

    def __init__(self, **how: Any) -> None:
        self._how = how

    async def start(self) -> None:
        """Nothing to open."""

    async def do(self, job: tuple[int, int], /) -> dict[str, Any]:
        """One row."""
        return made(job[1], **self._how)

    async def aclose(self) -> None:
        """Nothing to close."""


def made_rows_scaled(indices: Sequence[int], scale: Scale, **how: Any) -> Iterator[dict[str, Any]]:
    """`made_rows` by Ray actors, also in the indices' order. A row that cost its makers' lives is all fault."""
    from data.scale.on_ray import in_order, on_ray

    async def found() -> AsyncGenerator[tuple[int, dict[str, Any]], None]:
        # Two at a time: an actor has its next row while the last one is on its way.
        async with aclosing(on_ray(enumerate(indices), partial(Making, **how), scale, ahead=2)) as rows:
            async for (number, index), row in rows:
                yield number, _lost(how["seed"], index, row.reason) if isinstance(row, Lost) else row

    return in_order(found())


def _lost(seed: int, index: int, reason: str) -> dict[str, Any]:
    return {"id": f"{seed}/{index}", "generator": "unknown", "faults": [reason]}
