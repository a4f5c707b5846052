"""Rows made and checked in several processes.

It is a module of its own because a fresh process finds what it is to do by the module's name, and a command has none.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any

from data.errors import one_line
from data.synthesis.checks import faults, read_again, solved
from data.synthesis.generators import GENERATORS
from data.synthesis.samples import make

__all__ = ["made", "made_rows"]


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
