"""A share that a part has in a whole."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import field_validator

from formulation.expressions import Expr, Sense, constant
from formulation.kinds import examples
from formulation.kinds.base import Constraint, Env
from formulation.kinds.sides import check_strict, compares, strictly, times
from formulation.numbers import exact
from formulation.primitives import Row

if TYPE_CHECKING:
    from formulation.meaning import World
    from formulation.schema import Problem

__all__ = ["Proportion"]


class Proportion(Constraint):
    """A part against a share of a whole: part (sense) share * whole.

    `{"kind": "proportion", "part": "cake", "sense": "<=", "share": "70%", "whole": "cake + pie"}`

    `part` and `whole` are weighted sums in one unit; the whole is what is written, so it names the part again where
    the part belongs to it. `share` is a pure number: "70%", "1/3", 0.7, or a parameter (70 would be seventy times).
    `strict` means less (more) than the share. Published as proportion in arXiv 2311.15271, as ratio in NL4Opt.
    """

    kind: Literal["proportion"] = "proportion"
    part: Expr
    sense: Sense
    share: Expr
    whole: Expr
    strict: bool = False

    cues: ClassVar[tuple[str, ...]] = (
        "% of", "percent of", "a third of", "half of", "a quarter of", "of the total", "of all", "the fraction of",
        "the share of",
    )  # fmt: skip

    _strict = field_validator("strict")(check_strict)

    def holds(self, world: World, env: Env) -> bool:
        share = exact(world.value(self.share, env) * world.value(self.whole, env))
        return compares(world.value(self.part, env), self.sense, share, self.strict)

    def lower(self) -> tuple[Row, ...]:
        return (Row(self.part, self.sense, times(self.share, self.whole), self.strict),)

    @classmethod
    def generate(cls, rng: random.Random) -> Problem:
        sense = examples.sense(rng)
        strict, among = strictly(rng, sense)
        share = constant(rng.choice(["1/3", "50%", "70%", "1/4", 0]))
        part, whole = examples.terms(rng, among), examples.terms(rng, among)
        return examples.scalar(rng, cls(part=part, sense=sense, share=share, whole=whole, strict=strict))
