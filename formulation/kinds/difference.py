"""How much more there is of one quantity than of another."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import field_validator

from formulation.expressions import Expr, Sense
from formulation.kinds import examples
from formulation.kinds.base import Constraint, Env
from formulation.kinds.sides import check_strict, compares, minus, strictly
from formulation.primitives import Row

if TYPE_CHECKING:
    from formulation.meaning import World
    from formulation.schema import Problem

__all__ = ["Difference"]


class Difference(Constraint):
    """How much more there is of one quantity than of another: left - right (sense) amount.

    "At least 10 more chairs than tables":
    `{"kind": "difference", "left": "chair", "right": "table", "sense": ">=", "amount": 10}`

    The sign counts: with >= the left may exceed the right by any more. `left` and `right` are variables or sums in one
    unit, `amount` is a number or a parameter in that unit; `strict` means less (more) than it. For a distance either
    way see absolute_deviation.
    """

    kind: Literal["difference"] = "difference"
    left: Expr
    right: Expr
    sense: Sense
    amount: Expr
    strict: bool = False

    cues: ClassVar[tuple[str, ...]] = ("more than the number of", "fewer than the number of", "exceeds by", "ahead of")

    _strict = field_validator("strict")(check_strict)

    def holds(self, world: World, env: Env) -> bool:
        found = world.value(self.left, env) - world.value(self.right, env)
        return compares(found, self.sense, world.value(self.amount, env), self.strict)

    def lower(self) -> tuple[Row, ...]:
        return (Row(minus(self.left, self.right), self.sense, self.amount, self.strict),)

    @classmethod
    def generate(cls, rng: random.Random) -> Problem:
        sense = examples.sense(rng)
        strict, among = strictly(rng, sense)
        left, right, *_ = examples.some(rng, among, least=2)
        amount = examples.amount(rng)
        return examples.scalar(rng, cls(left=left, right=right, sense=sense, amount=amount, strict=strict))
