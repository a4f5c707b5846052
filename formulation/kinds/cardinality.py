"""How many of several variables are used at all."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, ClassVar, Literal

from formulation.expressions import At, Logical, Ref, Selected, quantifier
from formulation.kinds import examples
from formulation.kinds.count import Counted, family, how_many
from formulation.kinds.fields import Variables

if TYPE_CHECKING:
    from formulation.schema import Problem

__all__ = ["Cardinality"]


class Cardinality(Counted):
    """How many of several variables are used, that is above 0.

    `{"kind": "cardinality", "of": ["steel", "wood", "glass"], "at_most": 2}`
    `{"kind": "cardinality", "of": "buy[s]", "over": "s in SUPPLIERS", "at_least": 2}`

    `of` is a variable or a list of them, counted for every member of `over`. Their lower bounds are 0 or more, their
    upper bounds finite. For `at_least` and `exactly`, continuous ones need a `minimum`: how much counts as used.
    """

    kind: Literal["cardinality"] = "cardinality"
    of: Variables

    cues: ClassVar[tuple[str, ...]] = ("different", "types of", "suppliers", "kinds of", "distinct", "diversify")

    def decisions(self) -> tuple[Logical, ...]:
        return tuple(Logical(Selected(variable)) for variable in self.of)

    @classmethod
    def generate(cls, rng: random.Random) -> Problem:
        limits = how_many(rng)
        if rng.random() < 0.7:
            among = ["x", "z", "n", "a"] if limits.keys() == {"at_most"} else ["z", "n", "a"]
            return examples.scalar(rng, cls(of=tuple(examples.some(rng, among, least=2)), **limits))
        of = (Ref("a", (At("i"),)),)
        return family(cls(of=of, over=quantifier("i in I if i != 2"), **limits), "integer")
