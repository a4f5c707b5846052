"""Several goals at once, each with its weight."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import model_validator

from formulation.expressions import Expr, Num, Quantifier, constant
from formulation.kinds import examples
from formulation.kinds.base import Objective, Record
from formulation.kinds.fields import ONE_OR_MORE, Expressions
from formulation.kinds.worst_case import worst
from formulation.numbers import Rational
from formulation.primitives import Goal

if TYPE_CHECKING:
    from formulation.meaning import World
    from formulation.schema import Problem

__all__ = ["Aim", "Goals", "WeightedAim"]


class Aim(Record):
    """One goal of several: minimise or maximise `terms`, or the worst of several expressions (see `worst_case`)."""

    sense: Literal["minimize", "maximize"]
    terms: Expr | None = None
    worst_of: Expressions | None = None
    over: Quantifier | None = None
    label: str | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.terms is None) == (self.worst_of is None):
            raise ValueError("a goal has either 'terms' or 'worst_of'")
        if self.over is not None and self.worst_of is None:
            raise ValueError("'over' goes with 'worst_of'; write a sum over a set into the terms")
        return self

    def value(self, world: World) -> Rational:
        """Its value at the world's point, in the problem's units."""
        if self.terms is not None:
            return world.value(self.terms, {})
        return worst(self.sense, self.worst_of or (), self.over, world)

    def goal(self, weight: Expr | None = None, priority: int = 0) -> Goal:
        """The same for solving."""
        if self.terms is not None:
            return Goal(self.sense, (self.terms,), weight=weight, priority=priority)
        return Goal(self.sense, self.worst_of or (), worst=True, over=self.over, weight=weight, priority=priority)

    @classmethod
    def example(cls, rng: random.Random) -> Self:
        """For generators: a random one."""
        sense: Literal["minimize", "maximize"] = rng.choice(["minimize", "maximize"])
        if rng.random() < 0.7:
            return cls(sense=sense, terms=examples.terms(rng))
        return cls(sense=sense, worst_of=tuple(examples.terms(rng) for _ in range(2)))


class WeightedAim(Aim):
    """A goal with its weight, which is 0 or more: what one unit of it is worth beside one unit of the others."""

    weight: Expr = constant(1)

    @model_validator(mode="after")
    def _weighted(self) -> Self:
        if isinstance(self.weight, Num) and self.weight.number.value < 0:
            raise ValueError(f"the weight {self.weight} is below 0: turn the goal's sense round instead")
        return self


class Goals(Objective):
    """Several goals at once: the sum of each times its weight.

    `{"kind": "goals", "of": [{"sense": "maximize", "terms": "profit", "weight": 2},
    {"sense": "minimize", "terms": "waste"}]}`

    The sum is maximised or minimised as its first goal is; goals of the other sense count negatively in it. Costs of
    statements (a fixed charge, a penalty) count as they do beside one goal of that sense, with weight 1.
    """

    kind: Literal["goals"] = "goals"
    of: Annotated[tuple[WeightedAim, ...], ONE_OR_MORE]

    cues: ClassVar[tuple[str, ...]] = (
        "weighted",
        "trade-off",
        "balance",
        "as well as",
        "at the same time",
        "weight of",
    )

    def values(self, world: World) -> tuple[Rational, ...]:
        return tuple(aim.value(world) for aim in self.of)

    def goals(self) -> tuple[Goal, ...]:
        return tuple(aim.goal(weight=aim.weight) for aim in self.of)

    @classmethod
    def generate(cls, rng: random.Random) -> Problem:
        aims = (WeightedAim.example(rng) for _ in range(rng.randint(2, 3)))
        of = tuple(aim.model_copy(update={"weight": constant(rng.choice([0, "1/2", 1, 3]))}) for aim in aims)
        return examples.scalar(rng, objective=cls(of=of))
