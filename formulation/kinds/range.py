"""A quantity between two limits."""

from __future__ import annotations

import random
from fractions import Fraction
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import model_validator

from formulation.expressions import Expr, Num, constant
from formulation.kinds import examples
from formulation.kinds.base import Constraint, Env
from formulation.primitives import Row

if TYPE_CHECKING:
    from formulation.meaning import World
    from formulation.schema import Problem

__all__ = ["Between"]


class Between(Constraint):
    """A quantity between two limits, both allowed: low <= terms <= high.

    `{"kind": "range", "low": 100, "terms": "chair + table", "high": 200}`

    `low` and `high` are numbers or parameters in the unit of `terms`.
    """

    kind: Literal["range"] = "range"
    low: Expr
    terms: Expr
    high: Expr

    cues: ClassVar[tuple[str, ...]] = ("between", "within the range", "ranging from", "at least and at most")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        low, high = self.low, self.high
        if isinstance(low, Num) and isinstance(high, Num) and low.number.value > high.number.value:
            raise ValueError(f"nothing lies between low {low} and high {high}: swap them")
        return self

    def holds(self, world: World, env: Env) -> bool:
        return world.value(self.low, env) <= world.value(self.terms, env) <= world.value(self.high, env)

    def lower(self) -> tuple[Row, ...]:
        return (Row(self.terms, ">=", self.low), Row(self.terms, "<=", self.high))

    @classmethod
    def generate(cls, rng: random.Random) -> Problem:
        low, high = sorted(rng.choices(range(-6, 9), k=2))
        found = cls(low=constant(Fraction(low, 2)), terms=examples.terms(rng), high=constant(Fraction(high, 2)))
        return examples.scalar(rng, found)
