"""Each member of one set assigned to so many of another."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Literal

from formulation.expressions import Logical, Quantifier, literal, quantifier
from formulation.kinds import examples
from formulation.kinds.base import Env
from formulation.kinds.count import Counted, how_many
from formulation.primitives import Row

if TYPE_CHECKING:
    from formulation.meaning import World
    from formulation.schema import Problem

__all__ = ["Assignment"]


class Assignment(Counted):
    """Each member of one set is assigned to so many of another.

    `{"kind": "assignment", "each": "j in JOBS", "over": "m in MACHINES", "assigned": "does[m, j]", "exactly": 1}`
    `{"kind": "assignment", "each": "n in NURSES", "over": "(n, s) in MAY", "assigned": "works[n, s]", "at_most": 5}`

    For each member of `each`, so many of the decisions `assigned` are yes, over all of `over`; a sparse set of pairs,
    in which the symbol of `each` stands again, leaves out what cannot be. Say `exactly`, `at_least` or `at_most`:
    numbers or parameters. The other side of an assignment is one more statement.
    """

    kind: Literal["assignment"] = "assignment"
    each: Quantifier
    over: Quantifier
    assigned: Logical

    cues: ClassVar[tuple[str, ...]] = (
        "assigned to", "each job to one", "allocated to one", "exactly one of each", "is done by", "matched with",
    )  # fmt: skip

    def decisions(self) -> tuple[Logical, ...]:
        return (self.assigned,)

    def holds(self, world: World, env: Env) -> bool:
        return all(Counted.holds(self, world, one) for one in world.instances(self.each, env))

    def lower(self) -> tuple[Row, ...]:
        return tuple(replace(row, over=self.each) for row in super().lower())

    @classmethod
    def generate(cls, rng: random.Random) -> Problem:
        over = quantifier(rng.choice(["j in J", "j in J if j != 'a'", "(i, j) in PAIRS"]))
        statement = cls(
            each=quantifier("i in I"), over=over, assigned=literal(rng.choice(["x[i, j]", "not x[i, j]"])),
            **how_many(rng),
        )  # fmt: skip
        variable = {"domain": "binary", "over": "(i, j) in PAIRS" if "PAIRS" in str(over) else "i in I, j in J"}
        return examples.indexed(rng, {"x": variable}, statement)
