"""None, or at least so much."""

from __future__ import annotations

import random
from fractions import Fraction
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import model_validator

from formulation.expressions import Expr, Num, Ref, constant
from formulation.kinds import examples
from formulation.kinds.base import Constraint, Env
from formulation.primitives import SemiContinuous as Range

if TYPE_CHECKING:
    from formulation.meaning import World
    from formulation.schema import Problem

__all__ = ["SemiContinuous"]


class SemiContinuous(Constraint):
    """None of it, or at least `minimum` (and at most `maximum`).

    `{"kind": "semi_continuous", "variable": "buy[s]", "minimum": 20, "maximum": 80, "forall": "s in SUPPLIERS"}`

    Both are numbers or parameters in the variable's unit, above 0. The variable's lower bound is 0 or more; its upper
    bound is finite, declared or implied, unless there is a maximum. `selected(buy[s])` elsewhere is this decision.
    """

    kind: Literal["semi_continuous"] = "semi_continuous"
    variable: Ref
    minimum: Expr
    maximum: Expr | None = None

    cues: ClassVar[tuple[str, ...]] = (
        "none or at least", "if any", "minimum order", "minimum batch", "if used at all", "or not at all",
    )  # fmt: skip

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        low, high = self.minimum, self.maximum
        if isinstance(low, Num) and low.number.value <= 0:
            raise ValueError(f"the minimum {low} must be above 0")
        if isinstance(low, Num) and isinstance(high, Num) and low.number.value > high.number.value:
            raise ValueError(f"nothing lies between minimum {low} and maximum {high}: swap them")
        return self

    def holds(self, world: World, env: Env) -> bool:
        amount = world.value(self.variable, env)
        enough = amount >= world.value(self.minimum, env)
        return amount == 0 or (enough and (self.maximum is None or amount <= world.value(self.maximum, env)))

    def lower(self) -> tuple[Range, ...]:
        return (Range(self.variable, self.minimum, self.maximum),)

    @classmethod
    def generate(cls, rng: random.Random) -> Problem:
        low, high = sorted(Fraction(k, 2) for k in rng.sample(range(1, 6), 2))
        maximum = constant(high) if rng.random() < 0.5 else None
        return examples.scalar(rng, cls(variable=Ref(rng.choice("xn")), minimum=constant(low), maximum=maximum))
