"""A bound of a weighted sum of variables."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import field_validator

from formulation.expressions import Expr, Sense
from formulation.kinds import examples
from formulation.kinds.base import Constraint, Env
from formulation.kinds.sides import check_strict, compares, strictly
from formulation.primitives import Row

if TYPE_CHECKING:
    from formulation.meaning import World
    from formulation.schema import Problem

__all__ = ["LinearBound"]


class LinearBound(Constraint):
    """A weighted sum against a number.

    `{"kind": "linear_bound", "terms": {"chair": 8, "table": 2.5}, "sense": "<=", "limit": 400}`

    `terms` are coefficients by variable or text such as `sum(hours[p]*make[p] for p in P)`; `limit` is a number or a
    parameter in the unit of coefficient times variable; `strict` means less (more) than it.
    Published as upper and lower bound on a weighted sum in arXiv 2311.15271.
    """

    kind: Literal["linear_bound"] = "linear_bound"
    terms: Expr
    sense: Sense
    limit: Expr
    strict: bool = False

    cues: ClassVar[tuple[str, ...]] = (
        "each requires", "each takes", "takes", "requires", "uses", "needs", "per unit", "available", "has only",
    )  # fmt: skip

    _strict = field_validator("strict")(check_strict)

    def holds(self, world: World, env: Env) -> bool:
        return compares(world.value(self.terms, env), self.sense, world.value(self.limit, env), self.strict)

    def lower(self) -> tuple[Row, ...]:
        return (Row(self.terms, self.sense, self.limit, self.strict),)

    @classmethod
    def generate(cls, rng: random.Random) -> Problem:
        sense = examples.sense(rng)
        strict, among = strictly(rng, sense)
        terms = examples.terms(rng, among)
        return examples.scalar(rng, cls(terms=terms, sense=sense, limit=examples.amount(rng), strict=strict))
