"""The worst of several quantities, made as good as possible."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from data.errors import DataError
from formulation.expressions import Expr, Quantifier, expression, quantifier
from formulation.kinds import examples
from formulation.kinds.base import Objective
from formulation.kinds.fields import Expressions
from formulation.numbers import Rational
from formulation.primitives import Goal

if TYPE_CHECKING:
    from formulation.meaning import World
    from formulation.schema import Problem

__all__ = ["WorstCase", "worst"]


class WorstCase(Objective):
    """The worst of several expressions: the largest is minimised (min-max), or the smallest maximised (max-min).

    `{"kind": "worst_case", "sense": "minimize", "of": "load[m]", "over": "m in MACHINES"}`
    `{"kind": "worst_case", "sense": "maximize", "of": ["north", "2*south"]}`

    `of` is an expression or a list of them, all of one unit, each taken for every member of `over`.
    """

    kind: Literal["worst_case"] = "worst_case"
    sense: Literal["minimize", "maximize"]
    of: Expressions
    over: Quantifier | None = None

    cues: ClassVar[tuple[str, ...]] = (
        "worst", "the largest", "the smallest", "bottleneck", "as evenly as possible", "longest", "fair",
    )  # fmt: skip

    def values(self, world: World) -> tuple[Rational, ...]:
        return (worst(self.sense, self.of, self.over, world),)

    def goals(self) -> tuple[Goal, ...]:
        return (Goal(self.sense, self.of, worst=True, over=self.over),)

    @classmethod
    def generate(cls, rng: random.Random) -> Problem:
        sense: Literal["minimize", "maximize"] = rng.choice(["minimize", "maximize"])
        if rng.random() < 0.7:
            of = tuple(examples.terms(rng) for _ in range(rng.randint(1, 3)))
            return examples.scalar(rng, objective=cls(sense=sense, of=of))
        from formulation.schema import Problem

        weights = {i: rng.choice([-2, -1, 1, "1/2"]) for i in "123"}
        return Problem.model_validate(
            {
                "sets": {"I": [1, 2, 3]},
                "parameters": {"w": {"index": ["I"], "values": weights}},
                "variables": {"a": {"over": "i in I", "upper": 1}},
                "objective": cls(sense=sense, of=(expression("w[i]*a[i] + 1"),), over=quantifier("i in I")),
            }
        )


def worst(
    sense: Literal["minimize", "maximize"], of: Sequence[Expr], over: Quantifier | None, world: World
) -> Rational:
    """The largest of all `of` for all of `over` where that is minimised, the smallest where it is maximised."""
    values = [world.value(expr, env) for env in world.instances(over, {}) for expr in of]
    if not values:
        raise DataError("it has nothing to optimise: its quantifier is empty")
    return max(values) if sense == "minimize" else min(values)
