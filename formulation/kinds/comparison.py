"""One quantity against another, or a multiple of it."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import field_validator

from formulation.expressions import Expr, Sense, constant
from formulation.kinds import examples
from formulation.kinds.base import Constraint, Env
from formulation.kinds.sides import check_strict, compares, strictly, times
from formulation.numbers import exact
from formulation.primitives import Row

if TYPE_CHECKING:
    from formulation.meaning import World
    from formulation.schema import Problem

__all__ = ["Comparison"]


class Comparison(Constraint):
    """One quantity against a multiple of another: left (sense) factor * right.

    "At least twice as many chairs as tables":
    `{"kind": "comparison", "left": "chair", "sense": ">=", "factor": 2, "right": "table"}`

    `left` and `right` are variables or sums; `factor`, 1 where it is left out, is a number or a parameter in the unit
    of left per right. `strict` means less (more) than that. Published as comparison in arXiv 2311.15271, as xy and xby
    in NL4Opt.
    """

    kind: Literal["comparison"] = "comparison"
    left: Expr
    sense: Sense
    factor: Expr = constant(1)
    right: Expr
    strict: bool = False

    cues: ClassVar[tuple[str, ...]] = (
        "times as many", "times as much", "twice as many", "twice the amount", "times the number of", "more than the",
        "fewer than the", "as many as", "exceed the number of",
    )  # fmt: skip

    _strict = field_validator("strict")(check_strict)

    def holds(self, world: World, env: Env) -> bool:
        right = exact(world.value(self.factor, env) * world.value(self.right, env))
        return compares(world.value(self.left, env), self.sense, right, self.strict)

    def lower(self) -> tuple[Row, ...]:
        return (Row(self.left, self.sense, times(self.factor, self.right), self.strict),)

    @classmethod
    def generate(cls, rng: random.Random) -> Problem:
        sense = examples.sense(rng)
        strict, among = strictly(rng, sense)
        left, right, *_ = examples.some(rng, among, least=2)
        factor = constant(rng.choice([1, 2, 3, "1/2", "1/3"]))
        return examples.scalar(rng, cls(left=left, sense=sense, factor=factor, right=right, strict=strict))
