"""The plain objective: minimise or maximise one expression."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, ClassVar, Literal

from formulation.expressions import Expr
from formulation.kinds import examples
from formulation.kinds.base import Objective
from formulation.numbers import Rational
from formulation.primitives import Goal

if TYPE_CHECKING:
    from formulation.meaning import World
    from formulation.schema import Problem

__all__ = ["Optimize"]


class Optimize(Objective):
    """Minimise or maximise an expression."""

    kind: Literal["optimize"] = "optimize"
    sense: Literal["minimize", "maximize"]
    terms: Expr

    cues: ClassVar[tuple[str, ...]] = ("maximize", "minimize", "maximise", "minimise", "as much as possible", "least")

    def values(self, world: World) -> tuple[Rational, ...]:
        return (world.value(self.terms, {}),)

    def goals(self) -> tuple[Goal, ...]:
        return (Goal(self.sense, (self.terms,)),)

    @classmethod
    def generate(cls, rng: random.Random) -> Problem:
        return examples.scalar(
            rng, objective=cls(sense=rng.choice(["minimize", "maximize"]), terms=examples.terms(rng))
        )
