"""A price for using something at all."""

from __future__ import annotations

import random
from fractions import Fraction
from typing import TYPE_CHECKING, ClassVar, Literal

from formulation.expressions import Expr, Ref, Selected, constant
from formulation.kinds import examples
from formulation.kinds.base import Constraint, Env
from formulation.kinds.objective import Optimize
from formulation.numbers import Rational
from formulation.primitives import PiecewiseCost

if TYPE_CHECKING:
    from formulation.meaning import World
    from formulation.schema import Problem

__all__ = ["FixedCharge"]


class FixedCharge(Constraint):
    """A charge paid once where a variable is above 0, whatever its amount: a setup, a rent, a delivery fee.

    `{"kind": "fixed_charge", "variable": "make[p, t]", "charge": "setup[p]", "forall": "p in P, t in T"}`

    `charge` is in the objective's unit, added where it is minimised and taken off where it is maximised. The
    variable's lower bound is 0 or more, its upper bound finite, declared or implied. A charge below 0 is a reward for
    using it; a continuous variable needs a `minimum` then: how much counts as used.
    """

    kind: Literal["fixed_charge"] = "fixed_charge"
    variable: Ref
    charge: Expr

    cues: ClassVar[tuple[str, ...]] = (
        "setup cost", "fixed cost", "fixed charge", "start-up cost", "one-time", "flat fee", "regardless of the amount",
    )  # fmt: skip

    def holds(self, world: World, env: Env) -> bool:
        return True

    def cost(self, world: World, env: Env) -> Rational:
        return world.value(self.charge, env) if world.value(self.variable, env) > 0 else 0

    def lower(self) -> tuple[PiecewiseCost, ...]:
        # The line through the origin whose slope is the charge: linear in what is 0 or 1.
        zero = constant(0)
        return (PiecewiseCost(Selected(self.variable), ((zero, zero),), before=self.charge, after=self.charge),)

    @classmethod
    def generate(cls, rng: random.Random) -> Problem:
        charge = Fraction(rng.randint(-2, 4), rng.choice([1, 2]))
        (variable,) = rng.sample([Ref(name) for name in (["x", "z", "n", "a"] if charge >= 0 else ["z", "n", "a"])], 1)
        objective = Optimize(sense=rng.choice(["minimize", "maximize"]), terms=examples.terms(rng, ("x", "n", "z")))
        return examples.scalar(rng, cls(variable=variable, charge=constant(charge)), objective=objective)
