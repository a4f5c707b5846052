"""If one thing is decided, so is another."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, ClassVar, Literal

from formulation.expressions import Logical, literal
from formulation.kinds import examples
from formulation.kinds.base import Constraint, Env
from formulation.primitives import Row

if TYPE_CHECKING:
    from formulation.meaning import World
    from formulation.schema import Problem

__all__ = ["Implication"]


class Implication(Constraint):
    """If `when` is yes, so is `then`: `{"kind": "implication", "when": "truck", "then": "not train"}`.

    Both are decisions: a binary variable, `selected(x)`, or `not` one of these. It says nothing where `when` is no.
    Published as "if A then B" (y_A <= y_B) and its negated forms in arXiv 2311.15271.
    """

    kind: Literal["implication"] = "implication"
    when: Logical
    then: Logical

    cues: ClassVar[tuple[str, ...]] = (
        "if", "only if", "requires that", "in that case", "cannot both", "must also", "depends on", "unless",
    )  # fmt: skip

    def holds(self, world: World, env: Env) -> bool:
        return not world.truth(self.when, env) or world.truth(self.then, env)

    def lower(self) -> tuple[Row, ...]:
        return (Row(self.when.indicator, "<=", self.then.indicator),)

    @classmethod
    def generate(cls, rng: random.Random) -> Problem:
        when, then = (literal(examples.decision(rng)) for _ in range(2))
        return examples.scalar(rng, cls(when=when, then=then))
