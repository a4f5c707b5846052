"""A bound of a plain sum of variables."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import field_validator

from formulation.expressions import At, Expr, Quantifier, Ref, Sense, Sum, quantifier, total
from formulation.kinds import examples
from formulation.kinds.base import Constraint, Env
from formulation.kinds.count import family
from formulation.kinds.fields import Variables
from formulation.kinds.sides import check_strict, compares, strictly
from formulation.primitives import Row

if TYPE_CHECKING:
    from formulation.meaning import World
    from formulation.schema import Problem

__all__ = ["SumBound"]


class SumBound(Constraint):
    """A sum of variables against a number.

    `{"kind": "sum_bound", "variables": ["chair", "table"], "sense": "<=", "limit": 50}`
    `{"kind": "sum_bound", "variables": "make[p, t]", "over": "p in P", "sense": "<=", "limit": "room[t]",
      "forall": "t in T"}`

    `variables` is a variable or a list of them, of one unit, summed for every member of `over`. `limit` is a number or
    a parameter in that unit; `strict` means less (more) than it. Published as upper and lower bound on a sum of
    variables in arXiv 2311.15271.
    """

    kind: Literal["sum_bound"] = "sum_bound"
    variables: Variables
    over: Quantifier | None = None
    sense: Sense
    limit: Expr
    strict: bool = False

    cues: ClassVar[tuple[str, ...]] = (
        "in total", "altogether", "combined", "a total of", "the total number of", "of both", "together",
    )  # fmt: skip

    _strict = field_validator("strict")(check_strict)

    @field_validator("variables")
    @classmethod
    def _once(cls, variables: tuple[Ref, ...]) -> tuple[Ref, ...]:
        twice = next((one for i, one in enumerate(variables) if one in variables[:i]), None)
        if twice is not None:
            raise ValueError(f"'{twice}' is there twice: keep one; kind linear_bound takes coefficients")
        return variables

    def holds(self, world: World, env: Env) -> bool:
        found = sum(world.value(one, inner) for inner in world.instances(self.over, env) for one in self.variables)
        return compares(found, self.sense, world.value(self.limit, env), self.strict)

    def lower(self) -> tuple[Row, ...]:
        found = total(*self.variables)
        return (Row(Sum(self.over, found) if self.over else found, self.sense, self.limit, self.strict),)

    @classmethod
    def generate(cls, rng: random.Random) -> Problem:
        sense, limit = examples.sense(rng), examples.amount(rng)
        strict, among = strictly(rng, sense)
        if rng.random() < 0.7:
            variables = tuple(examples.some(rng, among, least=2))
            return examples.scalar(rng, cls(variables=variables, sense=sense, limit=limit, strict=strict))
        of, over = (Ref("a", (At("i"),)),), quantifier("i in I if i != 2")
        return family(cls(variables=of, over=over, sense=sense, limit=limit, strict=strict), "integer")
