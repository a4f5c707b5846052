"""Relations that a decision switches on."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, ClassVar, Literal

from formulation.expressions import Logical, literal
from formulation.kinds import examples
from formulation.kinds.base import Constraint, Env
from formulation.kinds.either_or import relations
from formulation.kinds.fields import Relations, as_rows, satisfied
from formulation.primitives import Indicator

if TYPE_CHECKING:
    from formulation.meaning import World
    from formulation.schema import Problem

__all__ = ["Conditional"]


class Conditional(Constraint):
    """Relations that hold if a decision is yes, and need not if it is no.

    `{"kind": "conditional", "when": "open[i]", "then": "make[i] >= 20", "forall": "i in PLANTS"}`

    `when` is a decision, `then` a relation or a list of them. Their variables need finite bounds, declared or implied
    by other statements.
    """

    kind: Literal["conditional"] = "conditional"
    when: Logical
    then: Relations

    cues: ClassVar[tuple[str, ...]] = ("if", "when", "in case", "provided that", "as long as", "once", "unless")

    def holds(self, world: World, env: Env) -> bool:
        return not world.truth(self.when, env) or all(satisfied(row, world, env) for row in self.then)

    def lower(self) -> tuple[Indicator, ...]:
        return (Indicator(self.when, as_rows(self.then)),)

    @classmethod
    def generate(cls, rng: random.Random) -> Problem:
        return examples.scalar(rng, cls(when=literal(examples.decision(rng)), then=relations(rng, most=2)))
