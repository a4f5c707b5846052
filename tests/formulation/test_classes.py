"""The classes of the seed paper and of NL4Opt beside our kinds."""

from __future__ import annotations

from typing import Any

import pytest

from formulation.classes import NL4OPT_KINDS, SEED_KINDS, UNCLASSED, seed_class
from formulation.kinds import CONSTRAINTS, OBJECTIVES

BOUNDS: dict[str, tuple[str, dict[str, Any]]] = {
    "bound": ("single", {"variable": "x", "limit": 4}),
    "sum_bound": ("sum", {"variables": ["x", "y"], "limit": 4}),
    "linear_bound": ("weighted sum", {"terms": {"x": 2, "y": 3}, "limit": 4}),
    "difference": ("weighted sum", {"left": "x", "right": "y", "amount": 4}),
    "proportion": ("proportion", {"part": "x", "share": "1/3", "whole": "x + y"}),
}
SAMPLES: list[tuple[dict[str, Any], str]] = [
    *(
        ({"kind": kind, "sense": sense, "strict": strict, **fields}, f"{side} bound: {shape}")
        for kind, (shape, fields) in BOUNDS.items()
        for sense, side in (("<=", "upper"), (">=", "lower"))
        for strict in (False, True)
    ),
    *(({"kind": kind, "sense": "==", **fields}, UNCLASSED) for kind, (_, fields) in BOUNDS.items()),
    ({"kind": "capacity", "over": "p in P", "amount": "x[p]", "capacity": 4}, "upper bound: weighted sum"),
    ({"kind": "comparison", "left": "x", "sense": ">=", "factor": 2, "right": "y"}, "comparison"),
    ({"kind": "comparison", "left": "x", "sense": "==", "factor": 2, "right": "y"}, UNCLASSED),
    ({"kind": "implication", "when": "a", "then": "b"}, "if-then"),
    ({"kind": "implication", "when": "not a", "then": "not b"}, "if-then"),
    ({"kind": "implication", "when": "not a", "then": "b"}, "at least one"),
    ({"kind": "implication", "when": "a", "then": "not b"}, "at most one"),
    ({"kind": "equivalence", "of": ["a", "b"]}, UNCLASSED),
    *(
        ({"kind": kind, "of": ["a", "b"], limit: amount}, name if amount == 1 else UNCLASSED)
        for kind in ("count", "cardinality")
        for limit, name in (("exactly", "exactly one"), ("at_least", "at least one"), ("at_most", "at most one"))
        for amount in (1, 2, "k")
    ),
    ({"kind": "count", "of": ["a", "b", "c"], "exactly": 1}, "exactly one"),
    ({"kind": "count", "of": ["a", "not b"], "exactly": 1}, UNCLASSED),
    ({"kind": "count", "of": ["a", "b"], "at_least": 1, "at_most": 1}, UNCLASSED),
    *(
        ({"kind": "assignment", "each": "j in J", "over": "m in M", "assigned": "a[j, m]", limit: 1}, name)
        for limit, name in (("exactly", "exactly one"), ("at_least", "at least one"), ("at_most", "at most one"))
    ),
    ({"kind": "covering", "each": "d in D", "over": "(s, d) in R", "chosen": "a[s]"}, "at least one"),
    ({"kind": "covering", "each": "d in D", "over": "(s, d) in R", "chosen": "a[s]", "at_least": 2}, UNCLASSED),
    ({"kind": "packing", "each": "r in R", "over": "(e, r) in N", "chosen": "a[e]"}, "at most one"),
    ({"kind": "semi_continuous", "variable": "x", "minimum": 2}, "linking"),
    ({"kind": "linear", "row": "x <= 4"}, UNCLASSED),
    ({"kind": "range", "low": 1, "terms": "x", "high": 2}, UNCLASSED),
    ({"kind": "soft", "terms": "x", "sense": "<=", "limit": 2, "penalty": 1}, UNCLASSED),
]


@pytest.mark.parametrize(("statement", "named"), SAMPLES)
def test_a_statement_has_the_class_of_its_template(statement: dict[str, Any], named: str) -> None:
    assert seed_class(CONSTRAINTS[statement["kind"]].model_validate(statement)) == named


def test_every_objective_is_one() -> None:
    aim = {"kind": "optimize", "sense": "maximize", "terms": {"x": 2}}
    assert seed_class(OBJECTIVES["optimize"].model_validate(aim)) == "objective"
    assert set(SEED_KINDS["objective"]) == OBJECTIVES.keys()


def test_the_table_and_the_function_say_the_same() -> None:
    said = {(name, statement["kind"]) for statement, name in SAMPLES if name != UNCLASSED}
    said |= {("objective", kind) for kind in OBJECTIVES}
    assert said == {(name, kind) for name, kinds in SEED_KINDS.items() for kind in kinds}


def test_types_of_nl4opt_are_classes_of_the_seed_paper() -> None:
    classes = {kind: name for name, kinds in SEED_KINDS.items() for kind in kinds if kind in NL4OPT_KINDS.values()}
    shapes = {given: classes[kind].removeprefix("lower bound: ") for given, kind in NL4OPT_KINDS.items()}
    assert shapes == {
        "sum": "sum",
        "upperbound": "single",
        "lowerbound": "single",
        "linear": "weighted sum",
        "ratio": "proportion",
        "xby": "comparison",
        "xy": "comparison",
    }
