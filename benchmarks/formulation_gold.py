"""NL4Opt's 388 gold models: loaded, built, solved with both kinds of variables, and scored against themselves.

    python -m benchmarks.formulation_gold

The last line counts them. Gold against itself is 1 by the repaired measure; the reference scorer's own value is shown
beside it. Nothing is tuned or selected on the test split.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal

from benchmarks.common import print_table, write_result
from data.command import Parser, run_command
from data.errors import UserError
from data.nl4opt import Example, declared
from formulation.build import pyomo_model
from formulation.metrics import agrees, canonical_accuracy, canonical_of_example, tally, with_domain
from formulation.model import Model
from formulation.nl4opt import model_of, quirks
from formulation.solve import Solution, solve

__all__ = ["main"]

SPLITS: Final[tuple[Literal["dev", "test"], ...]] = ("dev", "test")
SETTINGS: Final[tuple[Literal["text", "mentions"], ...]] = ("text", "mentions")
DOMAINS: Final[tuple[Literal["integer", "continuous"], ...]] = ("integer", "continuous")


def main(arguments: Sequence[str] | None = None) -> int:
    """Load, build, solve and score both splits; print the tables; write the figures."""
    parser = Parser(prog="python -m benchmarks.formulation_gold", description="NL4Opt's gold models, all of them.")
    parser.add_argument("--data-dir", type=Path, help="folder that holds nl4opt/dev.jsonl and nl4opt/test.jsonl")
    parser.add_argument("--time-limit", type=float, default=60.0, help="seconds for each solve (default: 60)")
    args = parser.parse_args(arguments)
    rows: list[dict[str, Any]] = []
    found: Counter[str] = Counter()
    statuses: Counter[str] = Counter()
    total = loaded = built = right = declarations = 0
    reference: dict[str, float] = {}
    for split in SPLITS:
        examples = declared(split, directory=args.data_dir)
        pairs = [(example, model) for example in examples if (model := _loaded(example)) is not None]
        total, loaded = total + len(examples), loaded + len(pairs)
        built += sum(_built(model) for _, model in pairs)
        found.update(rule for example in examples for rule in {quirk.rule for quirk in quirks(example)})
        solutions = {
            domain: [solve(with_domain(model, domain), time_limit=args.time_limit) for _, model in pairs]
            for domain in DOMAINS
        }
        rows += [_row(split, domain, solutions[domain], solutions) for domain in DOMAINS]
        statuses.update(one.status for one in solutions["continuous"])
        with_models = [example for example, _ in pairs]
        for setting in SETTINGS:
            accuracy = canonical_accuracy(with_models, [model for _, model in pairs], setting)
            right, declarations = right + sum(accuracy.right), declarations + sum(accuracy.of)
        forms = [canonical_of_example(example, reference=True) for example in examples]
        scores = [tally(one, one, reference=True) for one in forms]
        wrong = sum(one.false_positives + one.false_negatives for one in scores)
        reference[split] = 1 - wrong / sum(one.declarations for one in scores)
    print_table(rows)
    print()
    print_table([{"oddity": rule, "problems": count} for rule, count in found.most_common()])
    print()
    print("gold against itself as the reference scores it: ", end="")
    print(", ".join(f"{split} {value:.6f}" for split, value in reference.items()))
    itself = right / declarations if declarations else 0.0
    write_result(
        "formulation_gold",
        rows,
        oddities=dict(found.most_common()),
        gold_against_itself={"repaired": itself, "reference": reference},
        note="oddities: problems with at least one; zero: every variable is 0 at the optimum; "
        "differ: the optimum is another one with the other kind of variables",
    )
    told = ", ".join(f"{count} {status}" for status, count in statuses.most_common())
    score = "1.0" if itself == 1 else f"{itself:.6f}, not 1.0"
    print(f"models loaded {loaded} of {total}, built {built}, solved (continuous): {told}; ", end="")
    print(f"gold against itself, repaired = {score}")
    return 0 if loaded == built == total and itself == 1 else 1


def _loaded(example: Example) -> Model | None:
    try:
        return model_of(example)
    except UserError as error:
        print(f"not loaded: {error}", file=sys.stderr)
        return None


def _built(model: Model) -> bool:
    try:
        pyomo_model(model)
    except UserError as error:
        print(f"not built: {model.problem.name}: {error}", file=sys.stderr)
        return False
    return True


def _row(split: str, domain: str, found: Sequence[Solution], both: dict[Any, list[Solution]]) -> dict[str, Any]:
    statuses = Counter(one.status for one in found)
    optimal = [one for one in found if one.optimal]
    pairs = [
        (a.objective, b.objective)
        for a, b in zip(both["integer"], both["continuous"], strict=True)
        if a.optimal and b.optimal and a.objective is not None and b.objective is not None
    ]
    return {
        "split": split,
        "variables": domain,
        "models": len(found),
        "optimal": statuses["optimal"],
        "infeasible": statuses["infeasible"],
        "unbounded": statuses["unbounded"],
        "other": len(found) - sum(statuses[name] for name in ("optimal", "infeasible", "unbounded")),
        "zero": sum(not any(one.values.values()) for one in optimal),
        "differ": sum(not agrees(a, b) for a, b in pairs),
        "of": len(pairs),
    }


if __name__ == "__main__":
    sys.exit(run_command(main))
