"""A round's training rows: what was sampled, and reference solutions beside it: python -m reasoning.train.mix

A model trained on its own output alone drifts; a share of real rows in every round keeps it (self-consuming loops;
ITERTL). The share is of the rows that teach answers, sampled right ones and real ones; wrong ones, which teach values,
pass through.
"""

from __future__ import annotations

import json
import math
import os
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from data.errors import DataError, UserError
from data.rows import Solution, read_rows
from data.solutions import gold
from reasoning.cli import Parser, run_command
from reasoning.tasks import get_task

__all__ = ["main", "real_count"]


def real_count(sampled: int, share: float, least: int = 0) -> int:
    """How many real rows make up `share` of all rows with `sampled` others, and no fewer than `least`.

    The second part feeds a round in which the policy found next to nothing.
    """
    return max(least, math.ceil(share / (1 - share) * sampled - 1e-9))


def main(argv: Sequence[str] | None = None) -> int:
    """The command; 0, or 2 for a mistake."""
    return run_command(lambda: _mix(sys.argv[1:] if argv is None else list(argv)))


def _mix(argv: list[str]) -> int:
    parser = Parser(prog="python -m reasoning.train.mix", description="Mix sampled rows with reference solutions.")
    add = parser.add_argument
    add("--data", nargs="+", required=True, type=Path, help="files of sampled solution rows")
    add("--output", required=True, type=Path, help="the file to write")
    add("--task", default="gsm8k", help="the task that the reference solutions come from")
    add("--split", default="train")
    add("--offset", type=int, default=0, help="first question whose reference solution may be drawn")
    add("--limit", type=int, help="number of such questions")
    add("--data-dir", type=Path, help="folder with data sets, as in reasoning.solve")
    add("--words", action="store_true", help="reference solutions with their words (default: mathematics only)")
    add("--real-share", type=float, required=True, help="share of real rows, at least 0 and below 1")
    add("--real-at-least", type=int, default=0, metavar="N", help="and N real rows at least")
    add("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    if not 0 <= args.real_share < 1:
        raise UserError(f"--real-share must be at least 0 and below 1, not {args.real_share}")
    sampled: list[dict[str, Any]] = [row for path in args.data for row in read_rows(path) if "steps" in row]
    right = sum(Solution.of(row).correct for row in sampled)
    real: list[dict[str, Any]] = []
    wanted = real_count(right, args.real_share, args.real_at_least)
    if wanted:
        task = get_task(args.task)
        if task.evaluation_only:
            raise UserError(f"the task {task.name} is for evaluation only: train on another")
        problems = task.load(args.split, data_dir=args.data_dir, limit=args.limit, offset=args.offset)
        known = [row for row in (gold(problem, words=args.words) for problem in problems) if row is not None]
        real = [row.to_json() for row in random.Random(args.seed).sample(known, min(wanted, len(known)))]
    if not right and not real:
        raise UserError("no right solution was sampled and --real-share asks for no real one: raise one of the two")
    # Sorted, since the order of sampled rows depends on timing; trainers shuffle by their own seed.
    lines = sorted(json.dumps(row, ensure_ascii=False) + "\n" for row in [*sampled, *real])
    partial = args.output.with_name(f".{args.output.name}.partial")
    try:
        args.output.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("w", encoding="utf-8") as file:
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(args.output)
    except OSError as error:
        raise DataError(f"cannot write {args.output}: {error.strerror or error}") from None
    print(f"{right} right and {len(sampled) - right} wrong sampled rows, {len(real)} real ones")
    return 0


if __name__ == "__main__":
    sys.exit(main())
