"""Pieces of small random problems, for the generators of the kinds."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from formulation.expressions import Expr, Mul, Ref, Sense, constant, total

if TYPE_CHECKING:
    from formulation.kinds.base import Constraint, Objective
    from formulation.schema import Problem

__all__ = ["amount", "decision", "indexed", "scalar", "sense", "some", "terms"]

# Few and narrow, so that all points on halves can be enumerated.
_VARIABLES: Final[dict[str, dict[str, Any]]] = {
    "x": {"lower": 0, "upper": 2},
    "y": {"lower": "-1", "upper": 1},
    "z": {"lower": 0, "upper": 2, "minimum": "1/2"},
    "n": {"domain": "integer", "lower": 0, "upper": 2},
    "m": {"domain": "integer", "lower": -1, "upper": 1},
    "a": {"domain": "binary"},
    "b": {"domain": "binary"},
    "c": {"domain": "binary"},
}


def some(rng: random.Random, among: Sequence[str] = ("x", "y", "n", "m"), *, least: int = 1) -> list[Ref]:
    """A few variables."""
    return [Ref(name) for name in rng.sample(list(among), rng.randint(least, min(3, len(among))))]


def coefficient(rng: random.Random) -> Fraction:
    """A number other than 0, often a fraction."""
    return Fraction(rng.choice([-3, -2, -1, 1, 2, 3]), rng.choice([1, 1, 2, 3]))


def terms(rng: random.Random, among: Sequence[str] = ("x", "y", "n", "m")) -> Expr:
    """A few variables with coefficients."""
    return total(*(Mul(constant(coefficient(rng)), ref) for ref in some(rng, among)))


def amount(rng: random.Random) -> Expr:
    """A small number."""
    return constant(Fraction(rng.randint(-4, 6), rng.choice([1, 1, 2])))


def sense(rng: random.Random) -> Sense:
    """One of the three."""
    senses: tuple[Sense, ...] = ("<=", ">=", "==")
    return rng.choice(senses)


def decision(rng: random.Random) -> str:
    """A decision: a binary variable, or whether a variable is used at all, or the opposite."""
    return rng.choice(["", "not "]) + rng.choice(["a", "b", "c", "selected(z)", "selected(n)"])


def scalar(rng: random.Random, *constraints: Constraint, objective: Objective | None = None) -> Problem:
    """A problem over the variables that its statements name (and at least one)."""
    from formulation.schema import Problem, statement_names

    named = {
        name for statement in (*constraints, *([objective] if objective else ())) for name in statement_names(statement)
    }
    variables = {name: spec for name, spec in _VARIABLES.items() if name in named} or {"x": _VARIABLES["x"]}
    given: dict[str, Any] = {"variables": variables, "constraints": constraints}
    return Problem.model_validate({**given, "objective": objective})


def indexed(rng: random.Random, variables: Mapping[str, Any], statement: Constraint) -> Problem:
    """A problem over sets I and J of two or three, some PAIRS of these, and small data for their members."""
    from formulation.schema import Problem, statement_names

    rows, columns = ["p", "q"], ["a", "b", "c"][: rng.randint(2, 3)]
    pairs = [(i, j) for i in rows for j in columns]
    parameters = {
        "weight": {"index": ["J"], "values": {j: rng.choice([1, 2, "1/2"]) for j in columns}},
        "rate": {"index": ["I", "J"], "values": {i: {j: rng.randint(0, 2) for j in columns} for i in rows}},
        "limit": {"index": ["I"], "values": {i: rng.randint(0, 3) for i in rows}},
    }
    named = set(statement_names(statement))
    some_pairs = {"elements": rng.sample(pairs, rng.randint(2, len(pairs))), "within": ["I", "J"]}
    given: dict[str, Any] = {
        "sets": {"I": rows, "J": columns, "PAIRS": some_pairs},
        "parameters": {name: spec for name, spec in parameters.items() if name in named},
        "variables": {name: spec for name, spec in variables.items() if name in named},
        "constraints": [statement],
    }
    return Problem.model_validate(given)
