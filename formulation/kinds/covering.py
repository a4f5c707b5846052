"""Each element covered often enough by what is chosen."""

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

__all__ = ["Covering"]


class Covering(Constraint):
    """Each element is covered by at least so many of what is chosen.

    `{"kind": "covering", "each": "d in DISTRICTS", "over": "(s, d) in REACHES", "chosen": "open[s]", "at_least": 2}`

    For each member of `each`, at least `at_least` (1 where nothing is said; a number or a parameter) of the decisions
    `chosen` are yes, over all of `over`, usually the pairs that say what covers what.
    """

    kind: Literal["covering"] = "covering"
    each: Quantifier
    over: Quantifier
    chosen: Logical
    at_least: Expr = constant(1)

    cues: ClassVar[tuple[str, ...]] = (
        "covered by", "must be covered", "within reach of", "served by at least", "at least one of each", "on duty",
    )  # fmt: skip

    def holds(self, world: World, env: Env) -> bool:
        return all(
            sum(world.truth(self.chosen, inner) for inner in world.instances(self.over, one))
            >= world.value(self.at_least, one)
            for one in world.instances(self.each, env)
        )

    def lower(self) -> tuple[Row, ...]:
        return (Row(Sum(self.over, self.chosen.indicator), ">=", self.at_least, over=self.each),)

    @classmethod
    def generate(cls, rng: random.Random) -> Problem:
        statement = cls(
            each=quantifier("i in I"), over=quantifier("(i, j) in PAIRS"),
            chosen=literal(rng.choice(["x[j]", "selected(n[j])"])), at_least=constant(rng.randint(1, 2)),
        )  # fmt: skip
        variables = {
            "x": {"domain": "binary", "over": "j in J"},
            "n": {"domain": "integer", "over": "j in J", "upper": 2},
        }
        return examples.indexed(rng, variables, statement)
