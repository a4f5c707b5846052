"""A bound of one variable."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import field_validator

from formulation.expressions import Expr, Ref, Sense
from formulation.kinds import examples
from formulation.kinds.base import Constraint, Env
from formulation.kinds.sides import check_strict, compares, strictly
from formulation.primitives import Row

if TYPE_CHECKING:
    from formulation.meaning import World
    from formulation.schema import Problem

__all__ = ["SingleBound"]


class SingleBound(Constraint):
    """One variable against a number: `{"kind": "bound", "variable": "chair", "sense": ">=", "limit": 20}`.

    `limit` is a number or a parameter, in the variable's unit; `strict` means less (more) than it.
    Published as upper and lower bound on a single variable in arXiv 2311.15271.
    """

    kind: Literal["bound"] = "bound"
    variable: Ref
    sense: Sense
    limit: Expr
    strict: bool = False

    cues: ClassVar[tuple[str, ...]] = (
        "at most", "at least", "no more than", "no less than", "no fewer than", "up to", "a maximum of", "a minimum of",
        "cannot exceed", "must not exceed", "less than", "more than", "exactly",
    )  # fmt: skip

    _strict = field_validator("strict")(check_strict)

    def holds(self, world: World, env: Env) -> bool:
        return compares(world.value(self.variable, env), self.sense, world.value(self.limit, env), self.strict)

    def lower(self) -> tuple[Row, ...]:
        return (Row(self.variable, self.sense, self.limit, self.strict),)

    @classmethod
    def generate(cls, rng: random.Random) -> Problem:
        sense = examples.sense(rng)
        strict, among = strictly(rng, sense)
        (variable, *_) = examples.some(rng, among)
        return examples.scalar(rng, cls(variable=variable, sense=sense, limit=examples.amount(rng), strict=strict))
