"""Pieces of small random problems, for the generators of the kinds."""

from __future__ import annotations

import random
from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from formulation.expressions import Add, Expr, Mul, Ref, Sense, constant

if TYPE_CHECKING:
    from formulation.kinds.base import Constraint, Objective
    from formulation.schema import Problem

__all__ = ["amount", "decision", "scalar", "sense", "some", "terms"]

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
    return Add(tuple(Mul(constant(coefficient(rng)), ref) for ref in some(rng, among)))


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
