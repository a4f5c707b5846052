"""The rules-only reader on NL4Opt: canonical accuracy from the text alone, whole models, and gold rows found by kind.

    python -m benchmarks.formulation_rules --split dev

Intervals are bootstrap percentile intervals over problems. A gold row counts as found where an equal canonical row is
read; 'complete' readings are those in which every number and every claiming sentence found a place.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.common import print_table, write_result
from data.command import Parser, run_command
from data.errors import UserError
from data.nl4opt import Example, declared
from formulation.classes import NL4OPT_KINDS
from formulation.metrics import (
    Accuracy,
    canonical_accuracy,
    canonical_of_example,
    canonical_of_model,
    whole_model_accuracy,
)
from formulation.model import Model
from formulation.rules import read

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Read every text of a split, score the readings, print the tables and write the figures."""
    parser = Parser(prog="python -m benchmarks.formulation_rules", description="The rules-only reader on NL4Opt.")
    parser.add_argument("--split", choices=("dev", "test"), default="dev", help="which split to read (default: dev)")
    parser.add_argument("--limit", type=int, help="read only the first so many texts")
    parser.add_argument("--data-dir", type=Path, help="folder that holds nl4opt/dev.jsonl and nl4opt/test.jsonl")
    args = parser.parse_args(arguments)
    examples = declared(args.split, directory=args.data_dir, limit=args.limit)
    start = time.perf_counter()
    readings = [read(example.document) for example in examples]
    seconds = (time.perf_counter() - start) / max(len(examples), 1)
    models = [reading.model() for reading in readings]
    whole = whole_model_accuracy(examples, models, "text")
    rows = [
        _row("canonical accuracy", canonical_accuracy(examples, models, "text")),
        _row("canonical, as the reference", canonical_accuracy(examples, models, "text", reference=True)),
        _row("whole models", whole),
        *(_row(f"gold rows: {kind}", found) for kind, found in _by_kind(examples, models).items()),
    ]
    print_table(rows)
    complete = [right for right, one in zip(whole.right, readings, strict=True) if one.complete]
    print(f"\ncomplete readings: {len(complete)} of {len(readings)}, {sum(complete)} of them wholly right")
    print(f"{1000 * seconds:.0f} ms a text")
    told = {"complete": len(complete), "complete_and_right": sum(complete), "seconds_per_text": seconds}
    write_result(f"formulation_rules_{args.split}", rows, split=args.split, **told)
    return 0


def _row(measure: str, found: Accuracy) -> dict[str, Any]:
    low, high = found.interval() or (None, None)
    return {"measure": measure, "of": sum(found.of), "value": found.value, "low": low, "high": high}


def _by_kind(examples: Sequence[Example], models: Sequence[Model | None]) -> dict[str, Accuracy]:
    """The share of gold rows that were read, by the kind that says them, and of objectives."""
    counts: dict[str, list[tuple[int, int]]] = {}
    for example, model in zip(examples, models, strict=True):
        gold, found = canonical_of_example(example), None
        if model is not None:
            try:
                found = canonical_of_model(model, example, "text")
            except UserError:
                found = None  # a model that cannot be written out is none
        same_width = found is not None and len(found.objective) == len(gold.objective)
        left = Counter(found.rows) if found is not None and same_width else Counter()
        goal = found is not None and (found.sense, found.objective) == (gold.sense, gold.objective)
        here: dict[str, list[int]] = {"objective": [int(goal)]}
        for one, row in zip(example.constraints, gold.rows, strict=True):
            here.setdefault(NL4OPT_KINDS[one.type], []).append(int(left[row] > 0))
            left[row] -= 1
        for kind, hits in here.items():
            counts.setdefault(kind, []).append((sum(hits), len(hits)))
    return {
        kind: Accuracy(tuple(right for right, _ in pairs), tuple(of for _, of in pairs))
        for kind, pairs in sorted(counts.items())
    }


if __name__ == "__main__":
    sys.exit(run_command(main))
