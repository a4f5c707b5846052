"""Seconds to compare two models of 10 to 5,000 rows: equal in disguise, and with one coefficient changed.

    python -m benchmarks.formulation_compare

Each model has as many variables as rows, five variables a row. In the changed pair one coefficient is doubled
where that cuts off a point. Seconds are of one core's time, without writing the models out.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Sequence
from typing import Any

from benchmarks.common import print_table, write_result
from data.command import Parser, run_command
from data.errors import UserError
from formulation.equivalence import compare
from formulation.model import Model, load

__all__ = ["main", "pair"]


def pair(size: int, domain: str, *, change: bool, seed: int = 0) -> tuple[Model, Model]:
    """A random model, and the same with other names in another order; with `change`, one coefficient doubled."""
    rng = random.Random(seed)
    given = [({i: rng.randint(1, 9) for i in rng.sample(range(size), 5)}, rng.randint(10, 40)) for _ in range(size)]
    costs = [rng.randint(1, 20) for _ in range(size)]
    names = [f"x{i}" for i in range(size)]
    one = _model(names, range(size), given, costs, domain)
    if change:
        # A variable alone at its largest whole value, which is above 0, is a point; the larger coefficient cuts it off.
        most: dict[int, int] = {}
        for terms, limit in given:
            for i, a in terms.items():
                most[i] = min(most.get(i, limit), limit // a)
        changed, i = next((terms, i) for terms, limit in given for i in terms if limit // terms[i] == most[i])
        changed[i] *= 2
    rng.shuffle(names)
    rng.shuffle(given)
    return one, _model(names, range(size - 1, -1, -1), given, costs, domain)


def _model(
    names: Sequence[str], order: Sequence[int], rows: Sequence[tuple[dict[int, int], int]], costs: Any, domain: str
) -> Model:
    return load(
        {
            "variables": {names[i]: {"domain": domain, "upper": 50} for i in order},
            "objective": {"kind": "optimize", "sense": "maximize", "terms": {names[i]: costs[i] for i in order}},
            "constraints": [
                {
                    "kind": "linear_bound",
                    "terms": {names[i]: a for i, a in terms.items()},
                    "sense": "<=",
                    "limit": limit,
                }
                for terms, limit in rows
            ],
        }
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare every pair, print the table, write the figures."""
    parser = Parser(prog="python -m benchmarks.formulation_compare", description="Seconds to compare two models.")
    parser.add_argument("--sizes", type=int, nargs="+", default=[10, 100, 1_000, 5_000], help="rows of each model")
    parser.add_argument("--time-limit", type=float, default=120.0, help="seconds for each pair (default: 120)")
    args = parser.parse_args(arguments)
    if min(args.sizes) < 10:
        raise UserError("--sizes must be at least 10")
    rows: list[dict[str, Any]] = []
    for size in args.sizes:
        for domain in ("continuous", "integer"):
            for change in (False, True):
                one, other = pair(size, domain, change=change)
                _ = one.matrix, other.matrix
                begun = time.process_time()
                found = compare(one, other, time_limit=args.time_limit)
                rows.append(
                    {
                        "pair": "one coefficient changed" if change else "equal in disguise",
                        "rows": size,
                        "variables": domain,
                        "verdict": found.verdict,
                        "notion": found.notion or "",
                        "exact": "yes" if found.exact else "no",
                        "seconds": round(time.process_time() - begun, 3),
                    }
                )
    print_table(rows)
    write_result("formulation_compare", rows, note="seconds: of one core's time")
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
