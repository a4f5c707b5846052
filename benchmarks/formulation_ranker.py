"""Fits the ranker of models read from a text, and measures it by five-fold cross-validation over texts.

    python -m benchmarks.formulation_ranker --synthesis out/synthesis/rows.jsonl --out formulation/ranker.json

Texts are NL4Opt's dev split, and rows of `data.synthesis` where a file is named (held-out generators and wordings
only). Every text is read as by the method "search"; each of its different models is right or wrong. The test split is
never read.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import math
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.common import machine, print_table
from data.command import Parser, run_command
from data.drafts import solution
from data.errors import DataError, UserError
from data.nl4opt import Example, declared
from data.rows import read_rows
from data.stats import wilson
from formulation.metrics import canonical_of_example, canonical_of_model, tally
from formulation.model import Model
from formulation.ranker import FEATURES, Ranker, fit
from formulation.reader import SAMPLES, TEMPERATURE, ModelReading, Reader
from formulation.schema import Problem, read_problem
from formulation.votes import Candidate, distinct
from search.driver import drive_many

__all__ = ["main"]

_FOLDS: Final = 5
_NEUTRAL: Final = Ranker(dict.fromkeys(FEATURES, 0.0), 0.0)


@dataclass(frozen=True)
class Case:
    """The different models of one text: features of each, whether it is right, and the source of the text."""

    source: str
    rows: tuple[tuple[float, ...], ...]
    right: tuple[bool, ...]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = Parser(prog="python -m benchmarks.formulation_ranker", description="Fit and measure the ranker.")
    add = parser.add_argument
    add("--policy", help="the model (default: the embedded one)")
    add("--adapter", help="LoRA folder (default: the shipped one)")
    add("--samples", type=int, default=SAMPLES)
    add("--temperature", type=float, default=TEMPERATURE)
    add("--synthesis", type=Path, help="rows of data.synthesis; those held out are read")
    add("--limit", type=int, default=100, help="such rows at most (default: 100)")
    add("--penalty", type=float, default=1.0, help="ridge penalty (default: 1)")
    add("--concurrency", type=int, default=8)
    add("--out", type=Path, required=True, help="file for the weights")
    args = parser.parse_args(arguments)
    cases = asyncio.run(_cases(args))
    rows = list(_measured(cases, args.penalty))
    print_table(rows)
    ranker = _fit(cases, args.penalty)
    for name, weight in sorted(ranker.weights.items(), key=lambda pair: -abs(pair[1])):
        print(f"  {name:14} {weight:+.2f}")
    told = {**ranker.plain(), "measured": rows, "machine": machine(), "texts": len(cases)}
    args.out.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    return 0


async def _cases(args: Any) -> list[Case]:
    texts: list[tuple[str, str, Example | Problem]] = [(one.id, one.document, one) for one in declared("dev")]
    if args.synthesis is not None:
        texts += list(itertools.islice(_held_out(args.synthesis), args.limit))
    reader = Reader(
        args.policy,
        adapter=args.adapter,
        method="search",
        samples=args.samples,
        temperature=args.temperature,
        ranker=_NEUTRAL,
    )

    async def one(job: tuple[int, tuple[str, str, Example | Problem]]) -> tuple[int, Case]:
        at, (name, text, gold) = job
        reading = await reader.aread(text, name)
        return at, _case(reading, gold)

    found = {}
    async with reader:
        async for at, case in drive_many(enumerate(texts), one, concurrency=args.concurrency):
            found[at] = case
    return [found[at] for at in sorted(found)]


def _held_out(file: Path) -> Iterator[tuple[str, str, Problem]]:
    """Held-out synthetic rows that the compact format can say."""
    for row in read_rows(file):
        if "problem" in row and row.get("held_out"):
            problem = read_problem(row["problem"])
            try:
                solution(str(row["id"]), problem, "synthesis")
            except DataError:
                continue
            yield str(row["id"]), problem.text or "", problem


def _case(reading: ModelReading, gold: Example | Problem) -> Case:
    return Case(
        "nl4opt" if isinstance(gold, Example) else "synthesis",
        tuple(one.features for one in reading.models),
        tuple(_right(one.problem, gold) for one in reading.models),
    )


def _right(problem: Problem, gold: Example | Problem) -> bool:
    if isinstance(gold, Problem):
        return len(distinct([Candidate(problem, "model"), Candidate(gold, "rules")])) == 1
    try:
        found = canonical_of_model(Model(problem, ignore_strict=True), gold, "text")
    except (UserError, DataError):
        return False
    return tally(found, canonical_of_example(gold)).right


def _fit(cases: Sequence[Case], penalty: float) -> Ranker:
    rows = [row for case in cases for row in case.rows]
    right = [one for case in cases for one in case.right]
    if len(set(right)) < 2:
        raise UserError("all models are right, or all wrong: nothing can be learnt; read more texts")
    return fit(rows, right, penalty=penalty)


def _measured(cases: Sequence[Case], penalty: float) -> Iterator[dict[str, Any]]:
    """How often the first choice is right, by the held-out fold's ranker and by simpler rules."""
    order = list(range(len(cases)))
    random.Random(0).shuffle(order)
    confidence: dict[int, list[float]] = {}
    for fold in range(_FOLDS):
        ranker = _fit([cases[at] for place, at in enumerate(order) if place % _FOLDS != fold], penalty)
        for at in order[fold::_FOLDS]:
            confidence[at] = [ranker.confidence(row) for row in cases[at].rows]
    share, rules = FEATURES.index("share"), FEATURES.index("rules")
    choices: dict[str, Callable[[int], list[float]]] = {
        "the ranker (cross-validated)": lambda at: confidence[at],
        "votes": lambda at: [row[share] for row in cases[at].rows],
        "rules": lambda at: [row[rules] for row in cases[at].rows],
        "any model (bound)": lambda at: [float(one) for one in cases[at].right],
    }
    for source in sorted({case.source for case in cases}):
        of = [at for at, case in enumerate(cases) if case.source == source]
        for name, score in choices.items():
            hits = 0
            for at in of:
                scores = score(at)
                hits += bool(scores) and max(scores) > 0 and cases[at].right[scores.index(max(scores))]
            low, high = wilson(hits, len(of))
            yield {"texts": source, "first choice by": name, "right": hits, "of": len(of), "low": low, "high": high}
        told = [(p, one) for at in of for p, one in zip(confidence[at], cases[at].right, strict=True)]
        loss = -math.fsum(math.log(max(p if one else 1 - p, 1e-12)) for p, one in told) / max(len(told), 1)
        yield {"texts": source, "first choice by": "log-loss over models", "right": round(loss, 3), "of": len(told)}
        yield {"texts": source, "first choice by": "calibration error", "right": round(_ece(told), 3), "of": len(told)}


def _ece(told: Sequence[tuple[float, bool]], bins: int = 10) -> float:
    """Expected calibration error: mean |confidence - share of right ones| over bins of equal width."""
    error = 0.0
    for low in range(bins):
        inside = [pair for pair in told if min(int(pair[0] * bins), bins - 1) == low]
        if inside:
            error += abs(sum(p for p, _ in inside) - sum(one for _, one in inside))
    return error / max(len(told), 1)


if __name__ == "__main__":
    sys.exit(run_command(main))
