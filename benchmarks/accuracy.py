"""python -m benchmarks.accuracy: accuracy and cost of each method on the same GSM8K test questions, one engine.

Nothing is tuned or selected on these questions. Accuracies carry a 95% Wilson interval.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Sequence

from benchmarks.common import print_table, write_result
from benchmarks.methods import METHODS, one_engine, solver_of
from reasoning.engine.models import named
from reasoning.runs import totals


async def run(args: argparse.Namespace) -> None:
    """Every method on one engine."""
    rows = []
    async with one_engine(args.policy, args.adapter, {}) as engine:
        for name in args.methods:
            solver = solver_of(name, engine, limit=args.limit, seed=args.seed)
            problems = solver.load()
            begun = time.perf_counter()
            results = await solver.arun(problems)
            seconds = time.perf_counter() - begun
            await solver.aclose()
            sums = totals(results)
            low, high = sums.ci95 or (0.0, 1.0)
            answered = [r for r in results if r.answer is not None]
            somewhere = sum(any(a["answer"] == solver.task.canonical(r.gold or "") for a in r.answers) for r in results)
            rows.append(
                {
                    "method": name,
                    "problems": sums.problems,
                    "correct": sums.correct,
                    "accuracy": f"{sums.accuracy or 0:.3f} [{low:.3f}, {high:.3f}]",
                    "answered": len(answered),
                    "right among answers": somewhere,
                    "failed": sums.failed,
                    "completion/problem": round(sums.completion_tokens / sums.problems, 1),
                    "reward/problem": round((sums.reward_tokens or 0) / sums.problems, 1),
                    "computed/problem": round((sums.computed_tokens or 0) / sums.problems, 1),
                    "seconds": round(seconds, 1),
                    "completion/s": round(sums.completion_tokens / seconds, 1),
                }
            )
            print(f"{name}: {rows[-1]['accuracy']} in {seconds:.0f} s", flush=True)
            settings = {m: METHODS[m] for m in args.methods[: len(rows)]}
            write_result("accuracy", rows, settings=settings, policy=named(args.policy))
    print()
    print_table(rows)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print the table, write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.accuracy")
    parser.add_argument("--limit", type=int, default=200, help="the first N GSM8K test questions")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--policy", help="as for reasoning.solve")
    parser.add_argument("--adapter")
    parser.add_argument("--seed", type=int, default=0)
    asyncio.run(run(parser.parse_args(argv)))


if __name__ == "__main__":
    main()
