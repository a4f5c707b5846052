"""python -m benchmarks.scaling: problems per second by Ray workers, with an engine that only waits.

The toy policy solves one sum over and over; its engine sleeps so long for every token that a problem takes --seconds.
All else is as in `reasoning.solve --scale ray --run`: the hand-out, the search, each worker's part on disk, the way
home. Counted is from when the last worker has begun its first problem until the first worker runs out of them, so
starting is left out. Efficiency is against so many times one worker.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.common import machine, print_table, write_result
from data.records import Problem
from data.scale import Lost, Scale
from data.scale.on_ray import cluster, on_ray
from reasoning.config import SolveConfig
from reasoning.runs import open_run, read_run
from reasoning.scale.searching import PartOf, Searching
from reasoning.solver import Solver

__all__ = ["Done", "Timed", "main", "rate"]

QUESTION = "What is 12 + 7 - 3 + 25?"
TOY = {"policy": "toy", "method": "greedy", "profile": "lines-zero-shot"}


@dataclass(frozen=True, slots=True)
class Done:
    """One problem: by whom, from when to when on this machine's clock, and the worker's most memory so far in KiB."""

    worker: int
    begun: float
    ended: float
    memory: int


class Timed(Searching):
    """A worker that says when it did what."""

    async def do(self, job: tuple[int, Problem], /) -> Done:  # type: ignore[override]
        """Search one problem and say when."""
        begun = time.monotonic()
        await super().do(job)
        return Done(os.getpid(), begun, time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def rate(done: Sequence[Done]) -> float:
    """Problems per second while every worker was busy. Raises ValueError where they never all were."""
    by_worker: dict[int, list[Done]] = defaultdict(list)
    for one in done:
        by_worker[one.worker].append(one)
    begin = max(min(one.begun for one in own) for own in by_worker.values())
    end = min(max(one.ended for one in own) for own in by_worker.values())
    if end <= begin:
        raise ValueError("the workers were never all busy: take more --problems")
    # A problem counts with the part of it that lies within.
    parts = (min(one.ended, end) - max(one.begun, begin) for one in done)
    lengths = (one.ended - one.begun for one in done)
    return sum(max(0.0, part) / length for part, length in zip(parts, lengths, strict=True)) / (end - begin)


def settings(seconds: float, concurrency: int) -> dict[str, Any]:
    """A search whose every problem takes so long."""
    with Solver(task="gsm8k", engine={"error": "0"}, **TOY) as solver:
        tokens = solver.solve(QUESTION).result.completion_tokens
    engine = {"error": "0", "latency": repr(seconds / tokens)}
    return SolveConfig.of({"task": "gsm8k", "concurrency": concurrency, "engine": engine, **TOY}).model_dump()


async def measured(config: dict[str, Any], workers: int, problems: int, folder: Path) -> list[Done]:
    """What the workers did."""
    name = f"scaling-{workers}"
    with open_run(name, Solver(**config).describe(), resume=False, root=folder):
        make = partial(Timed, config, PartOf(name, frozenset(), False, folder))
        jobs = [(i, Problem(f"sum/{i}", QUESTION, "41")) for i in range(problems)]
        done = []
        async for _, result in on_ray(jobs, make, Scale(workers, cpus_per_worker=1), ahead=config["concurrency"]):
            assert not isinstance(result, Lost)
            done.append(result)
    stored = read_run(name, folder).results
    assert [r.index for r in stored] == list(range(problems))
    assert all(r.correct for r in stored)
    return done


def main(argv: Sequence[str] | None = None) -> None:
    """Measure every number of workers, print the table, write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.scaling")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4, 8, 16, 32, 64])
    parser.add_argument("--problems", type=int, default=40, help="for each worker (default: 40)")
    parser.add_argument("--seconds", type=float, default=2.0, help="that a problem takes (default: 2)")
    parser.add_argument("--concurrency", type=int, default=1, help="problems at a time in a worker (default: 1)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="default: benchmarks/results/scaling.json")
    args = parser.parse_args(argv)
    config = settings(args.seconds, args.concurrency)
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder, cluster(Scale(max(args.workers), cpus_per_worker=1)):
        for workers in args.workers:
            done = asyncio.run(measured(config, workers, workers * args.problems, Path(folder)))
            found = rate(done)
            seen = len({one.worker for one in done})
            rows.append(
                {
                    "workers": workers,
                    "workers seen": seen,
                    "problems": len(done),
                    "problems/s": found,
                    "efficiency": found / workers / (rows[0]["problems/s"] / rows[0]["workers"]) if rows else 1.0,
                    "of no overhead": found * args.seconds / workers / args.concurrency,
                    "MiB of a worker": max(one.memory for one in done) / 2**10,
                }
            )
            print_table(rows[-1:])
    print_table(rows)
    about = {"seconds": args.seconds, "concurrency": args.concurrency}
    if args.json is None:
        write_result("scaling", rows, **about)
    else:
        args.json.write_text(json.dumps({"machine": machine(), **about, "rows": rows}, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
