"""The general linear statement, for what no other kind says."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, ClassVar, Literal

from formulation.expressions import Relation
from formulation.kinds import examples
from formulation.kinds.base import Constraint, Env
from formulation.kinds.sides import compares
from formulation.primitives import Row

if TYPE_CHECKING:
    from formulation.meaning import World
    from formulation.schema import Problem

__all__ = ["Linear"]


class Linear(Constraint):
    """Any linear relation: `row: "sum(make[p, t] for p in P) <= hours[t]"`."""

    kind: Literal["linear"] = "linear"
    row: Relation

    cues: ClassVar[tuple[str, ...]] = ()

    def holds(self, world: World, env: Env) -> bool:
        left, right = world.value(self.row.left, env), world.value(self.row.right, env)
        return compares(left, self.row.sense, right, self.row.strict)

    def lower(self) -> tuple[Row, ...]:
        return (Row(self.row.left, self.row.sense, self.row.right, self.row.strict),)

    @classmethod
    def generate(cls, rng: random.Random) -> Problem:
        return examples.scalar(rng, cls(row=Relation(examples.terms(rng), examples.sense(rng), examples.amount(rng))))
