"""Several goals, one after the other."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from formulation.kinds import examples
from formulation.kinds.base import Objective
from formulation.kinds.fields import ONE_OR_MORE
from formulation.kinds.goals import Aim
from formulation.numbers import Rational
from formulation.primitives import Goal

if TYPE_CHECKING:
    from formulation.meaning import World
    from formulation.schema import Problem

__all__ = ["Lexicographic"]


class Lexicographic(Objective):
    """Goals in their order: a later one only chooses among the best points of those before it.

    `{"kind": "lexicographic", "of": [{"sense": "maximize", "terms": "served"},
    {"sense": "minimize", "worst_of": "load[m]", "over": "m in MACHINES"}]}`

    Costs of statements (a fixed charge, a penalty) belong to the first goal. To let a later goal bear a fixed charge,
    write it into its terms: `setup*selected(make)`.
    """

    kind: Literal["lexicographic"] = "lexicographic"
    of: Annotated[tuple[Aim, ...], ONE_OR_MORE]

    cues: ClassVar[tuple[str, ...]] = (
        "first priority", "second priority", "most importantly", "then", "primary goal", "secondary", "tie",
    )  # fmt: skip

    def values(self, world: World) -> tuple[Rational, ...]:
        return tuple(aim.value(world) for aim in self.of)

    def goals(self) -> tuple[Goal, ...]:
        return tuple(aim.goal(priority=place) for place, aim in enumerate(self.of))

    @classmethod
    def generate(cls, rng: random.Random) -> Problem:
        of = tuple(Aim.example(rng) for _ in range(rng.randint(2, 3)))
        return examples.scalar(rng, objective=cls(of=of))
