"""Each element used no more often than it may be by what is chosen."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, ClassVar, Literal

from formulation.expressions import Expr, Logical, Quantifier, Sum, constant, literal, quantifier
from formulation.kinds import examples
from formulation.kinds.base import Constraint, Env
from formulation.primitives import Row

if TYPE_CHECKING:
    from formulation.meaning import World
    from formulation.schema import Problem

__all__ = ["Packing"]


class Packing(Constraint):
    """Each element is in at most so many of what is chosen.

    `{"kind": "packing", "each": "r in ROOMS", "over": "(e, r) in NEEDS", "chosen": "hold[e]", "at_most": 1}`

    For each member of `each`, at most `at_most` (1 where nothing is said; a number or a parameter) of the decisions
    `chosen` are yes, over all of `over`, usually the pairs that say what needs what.
    """

    kind: Literal["packing"] = "packing"
    each: Quantifier
    over: Quantifier
    chosen: Logical
    at_most: Expr = constant(1)

    cues: ClassVar[tuple[str, ...]] = (
        "no two", "must not overlap", "at most one of each", "cannot share", "used by at most", "conflict",
    )  # fmt: skip

    def holds(self, world: World, env: Env) -> bool:
        return all(
            sum(world.truth(self.chosen, inner) for inner in world.instances(self.over, one))
            <= world.value(self.at_most, one)
            for one in world.instances(self.each, env)
        )

    def lower(self) -> tuple[Row, ...]:
        return (Row(Sum(self.over, self.chosen.indicator), "<=", self.at_most, over=self.each),)

    @classmethod
    def generate(cls, rng: random.Random) -> Problem:
        statement = cls(
            each=quantifier("i in I"), over=quantifier("(i, j) in PAIRS"),
            chosen=literal(rng.choice(["x[j]", "selected(n[j])", "selected(z[j])"])),
            at_most=constant(rng.randint(0, 1)),
        )  # fmt: skip
        variables = {
            "x": {"domain": "binary", "over": "j in J"},
            "n": {"domain": "integer", "over": "j in J", "upper": 2},
            "z": {"over": "j in J", "upper": 2},
        }
        return examples.indexed(rng, variables, statement)
