"""Whole lots only."""

from __future__ import annotations

import random
from fractions import Fraction
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import model_validator

from data.errors import DataError
from formulation.expressions import Expr, Num, constant
from formulation.kinds import examples
from formulation.kinds.base import Constraint, Env
from formulation.primitives import Multiple

if TYPE_CHECKING:
    from formulation.meaning import World
    from formulation.schema import Problem

__all__ = ["Lots"]


class Lots(Constraint):
    """A whole number of lots: `{"kind": "lots", "amount": "buy[s]", "size": 12, "forall": "s in SUPPLIERS"}`.

    `amount` is a variable or a linear expression, `size` a number or a parameter above 0 in its unit; 0 lots are
    allowed, and fewer than 0 where the amount may be negative.
    """

    kind: Literal["lots"] = "lots"
    amount: Expr
    size: Expr

    cues: ClassVar[tuple[str, ...]] = (
        "multiples of", "lots of", "batches of", "packs of", "boxes of", "pallets of", "dozen", "increments of",
    )  # fmt: skip

    @model_validator(mode="after")
    def _some(self) -> Self:
        if isinstance(self.size, Num) and self.size.number.value <= 0:
            raise ValueError(f"the size of a lot must be above 0, not {self.size}")
        return self

    def holds(self, world: World, env: Env) -> bool:
        size = world.value(self.size, env)
        if size <= 0:
            raise DataError(f"the size of a lot must be above 0, not {size}")
        return (Fraction(world.value(self.amount, env)) / size).denominator == 1

    def lower(self) -> tuple[Multiple, ...]:
        return (Multiple(self.amount, self.size),)

    @classmethod
    def generate(cls, rng: random.Random) -> Problem:
        size = constant(Fraction(rng.randint(1, 3), rng.choice([1, 2])))
        return examples.scalar(rng, cls(amount=examples.terms(rng), size=size))
