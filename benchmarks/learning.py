"""What each stage of learning brings, on GSM8K test questions: python -m benchmarks.learning STAGE [--adapter DIR].

One call measures one stage on one engine and writes `results/learning/STAGE.json`, question by question, so that any
two stages can be compared pair by pair; `python -m benchmarks.learning report` prints the table. Nothing is tuned or
selected on these questions: stages and settings are chosen on training questions 7000-7472.

Measures, each on questions fixed beforehand (the first N of one seeded shuffle of the test split): `greedy` on all
1319; `samples`, 16 whole solutions of each question (pass@16, majority, and with a reward best-of-16 and the weighted
vote, all from the same samples), and `beam`, SBS(3,5), on 250; `mcts`, 40 simulations of 5 children, on 100.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.common import RESULTS, machine, print_table
from data.metrics import Scored, best_of_n_curve
from data.stats import bootstrap_ratio, mcnemar_exact, sign_flip, wilson
from reasoning.engine import open_engine
from reasoning.engine.base import Engine
from reasoning.engine.models import named
from reasoning.policy import value_ids
from reasoning.profiles import choose_profile
from reasoning.solver import Solved, Solver
from reasoning.tasks import get_task
from search.types import Finish

FOLDER: Final = RESULTS / "learning"
SHUFFLE: Final = 20261122  # fixes which 250 and which 100 questions are sampled
METHODS: Final[dict[str, tuple[int | None, dict[str, Any]]]] = {
    "greedy": (None, {"method": "greedy"}),
    "samples": (250, {"method": "best-of-n", "n": 16, "vote": "majority", "temperature": 0.7}),
    "beam": (250, {"method": "beam", "beam_width": 3, "expand": 5, "max_depth": 10, "temperature": 0.7}),
    "mcts": (100, {"method": "mcts", "iterations": 40, "expand": 5, "max_depth": 10, "temperature": 0.7}),
}


async def measure(name: str, engine: Engine, args: argparse.Namespace) -> dict[str, Any]:
    """One measure: its questions, which were right, and what it cost."""
    count, settings = METHODS[name]
    valued = value_ids(engine, args.adapter) is not None
    if name == "samples" and (valued or args.reward):
        settings = {**settings, "vote": "weighted"}  # the same samples, each with its score
    solver = Solver(
        task="gsm8k",
        policy=engine,
        adapter=args.adapter,
        profile=choose_profile(named(args.policy), args.adapter, engine, get_task("gsm8k")).name,
        seed=args.seed,
        concurrency=args.concurrency,
        reward=args.reward or "auto",
        **settings,
    )
    problems = list(solver.load())
    order = random.Random(SHUFFLE).sample(range(len(problems)), len(problems))
    chosen = sorted(order[: args.limit or count or len(problems)])
    seen: dict[str, Solved] = {}
    begun = time.perf_counter()
    results = await solver.arun([problems[i] for i in chosen], on_solved=lambda s: seen.update({s.result.problem: s}))
    seconds = time.perf_counter() - begun
    found: dict[str, Any] = {
        "settings": settings,
        "questions": chosen,
        "correct": [int(bool(r.correct)) for r in results],
        "failed": sum(r.failed is not None for r in results),
        "completion_tokens": sum(r.completion_tokens for r in results),
        "computed_tokens": sum(r.computed_tokens or 0 for r in results),
        "seconds": round(seconds, 1),
        "reward": solver.describe()["reward"],
    }
    if name == "samples":
        found["samples"] = [
            [(s.answer, round(s.score, 4), int(s.correct)) for s in _scored(seen[r.problem], solver, r.gold)]
            for r in results
        ]
    await solver.aclose()
    return found


def _scored(solved: Solved, solver: Solver, gold: str | None) -> list[Scored]:
    """Every sample of a question; those that share all their steps count as often as they were drawn."""
    reference = solver.task.canonical(gold or "")
    samples = []
    for node in solved.tree.nodes[1:]:
        answer = node.step.answer if node.step is not None and node.finish is Finish.ANSWER else None
        samples += [Scored(answer, node.value or 0.0, answer is not None and answer == reference)] * node.samples
    return samples


async def run(args: argparse.Namespace) -> None:
    """Measure a stage; measures that its file already has are kept unless `--again` is given."""
    path = FOLDER / f"{args.stage}.json"
    kept: dict[str, Any] = json.loads(path.read_text())["measures"] if path.is_file() and not args.again else {}
    todo = [name for name in args.measures if name not in kept]
    if not todo:
        return
    engine = await open_engine(args.policy, adapter=args.adapter)
    try:
        for name in todo:
            kept[name] = {**await measure(name, engine, args), "machine": machine()}
            right, n = sum(kept[name]["correct"]), len(kept[name]["correct"])
            print(f"{args.stage} {name}: {right} of {n} in {kept[name]['seconds']:.0f} s", flush=True)
            FOLDER.mkdir(parents=True, exist_ok=True)
            about = {"stage": args.stage, "about": args.about, "seed": args.seed}
            path.write_text(json.dumps({**about, "measures": kept}) + "\n", encoding="utf-8")
    finally:
        await engine.close()


# ---- the report ------------------------------------------------------------------------------------------------------


def accuracy(correct: Sequence[int]) -> str:
    """Share right with its 95% Wilson interval."""
    low, high = wilson(sum(correct), len(correct))
    return f"{sum(correct) / len(correct):.3f} [{low:.3f}, {high:.3f}]"


def report(stages: Sequence[str]) -> None:
    """Stages one after the other: each measure against the same of the stage before, and methods against each other."""
    rows, before = [], dict[str, list[float]]()
    for stage in stages:
        measures = json.loads((FOLDER / f"{stage}.json").read_text())["measures"]
        found = {name: dict(zip(one["questions"], one["correct"], strict=True)) for name, one in measures.items()}
        for name, one in measures.items():
            n = len(one["correct"])
            row = {
                "stage": stage,
                "measure": name,
                "n": n,
                "accuracy": accuracy(one["correct"]),
                "tokens/question": round(one["completion_tokens"] / n, 1),
                "p, stage before": _p(before.get(name), one["correct"]),
                "greedy on these": None,
                "p, greedy": None,
                "p, majority@16": None,
            }
            greedy = found.get("greedy", {}) if name != "greedy" else {}
            same = [greedy[i] for i in one["questions"]] if greedy else None
            row["greedy on these"] = sum(same) if same else None
            if name != "samples":
                rows.append({**row, "p, greedy": _p(same, one["correct"])})
                continue
            votes = _votes(one)
            for vote, values in votes.items():
                told = (
                    f"{sum(values) / n:.3f} [{', '.join(f'{x:.3f}' for x in bootstrap_ratio(values, [1] * n) or ())}]"
                )
                row |= {"measure": f"{vote}@16", "accuracy": told, "p, greedy": _p(same, values)}
                p = None if vote in ("majority", "oracle") else _p(votes["majority"], values)
                rows.append({**row, "p, majority@16": p})
        before = {name: one["correct"] for name, one in measures.items()}
    print_table(rows)


def _votes(found: dict[str, Any]) -> dict[str, list[float]]:
    """Of each question, the chance that each way to choose among its samples is right (ties are broken evenly)."""
    votes: dict[str, list[float]] = {"majority": [], "best": [], "weighted": [], "oracle": []}
    for samples in found["samples"]:
        scored = [Scored(answer, score, bool(right)) for answer, score, right in samples]
        curve = best_of_n_curve([scored], [len(scored)])[0] if scored else None
        for name, values in votes.items():
            values.append(float(getattr(curve, name)) if curve is not None else 0.0)
    return votes


def _p(before: Sequence[float] | None, now: Sequence[float]) -> float | None:
    """Two-sided p-value of two results on the same questions: exact McNemar, or sign flips where there are chances."""
    if before is None or len(before) != len(now):
        return None
    differences = [b - a for a, b in zip(before, now, strict=True)]
    if set(differences) <= {-1, 0, 1}:
        return mcnemar_exact(differences.count(-1), differences.count(1))
    return sign_flip(differences)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure a stage, or report on all of them."""
    parser = argparse.ArgumentParser(
        description=__doc__, prog="python -m benchmarks.learning", formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("stage", help="a name for the stage, or `report`")
    parser.add_argument("stages", nargs="*", help="with `report`: stages in order (default: all)")
    parser.add_argument("--policy", help="as for reasoning.solve")
    parser.add_argument("--adapter", default="none")
    parser.add_argument("--reward", help="as for reasoning.solve (default: the adapter's own value, where it has one)")
    parser.add_argument("--measures", nargs="+", choices=METHODS, default=["greedy"])
    parser.add_argument("--limit", type=int, help="fewer questions than the measure's own")
    parser.add_argument("--about", default="", help="a line that describes the stage")
    parser.add_argument("--concurrency", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--again", action="store_true", help="measure again what the file has")
    args = parser.parse_args(argv)
    if args.stage == "report":
        report(args.stages or sorted(path.stem for path in Path(FOLDER).glob("*.json")))
    else:
        asyncio.run(run(args))


if __name__ == "__main__":
    main()
