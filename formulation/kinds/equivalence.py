"""Decisions that are all yes or all no."""

from __future__ import annotations

import itertools
import random
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from formulation.expressions import Logical, literal
from formulation.kinds import examples
from formulation.kinds.base import Constraint, Env
from formulation.kinds.fields import TWO_OR_MORE
from formulation.primitives import Row

if TYPE_CHECKING:
    from formulation.meaning import World
    from formulation.schema import Problem

__all__ = ["Equivalence"]


class Equivalence(Constraint):
    """All of them or none: `{"kind": "equivalence", "of": ["open", "staffed"]}` says open if and only if staffed.

    `of` lists two or more decisions; `["open", "not closed"]` says that exactly one of open and closed is yes.
    """

    kind: Literal["equivalence"] = "equivalence"
    of: Annotated[tuple[Logical, ...], TWO_OR_MORE]

    cues: ClassVar[tuple[str, ...]] = ("if and only if", "both or neither", "all or none", "exactly when", "together")

    def holds(self, world: World, env: Env) -> bool:
        return len({world.truth(decision, env) for decision in self.of}) == 1

    def lower(self) -> tuple[Row, ...]:
        return tuple(Row(a.indicator, "==", b.indicator) for a, b in itertools.pairwise(self.of))

    @classmethod
    def generate(cls, rng: random.Random) -> Problem:
        of = tuple(literal(examples.decision(rng)) for _ in range(rng.choice([2, 2, 3])))
        return examples.scalar(rng, cls(of=of))
