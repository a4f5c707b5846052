"""A bound of a plain sum of variables."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import field_validator

from formulation.expressions import Expr, Ref, Sense, Sum, total
from formulation.kinds import examples
from formulation.kinds.base import Constraint, Env
from formulation.kinds.sides import check_strict, compares, strictly
from formulation.primitives import Row

if TYPE_CHECKING:
    from formulation.meaning import World
    from formulation.schema import Problem

__all__ = ["SumBound"]


class SumBound(Constraint):
    """A sum against a number: `{"kind": "sum_bound", "variables": ["chair", "table"], "sense": "<=", "limit": 50}`.

    `variables` lists variables of one unit, or sums of them over sets such as `sum(make[p, t] for p in P)`; one alone
    needs no list. `limit` is a number or a parameter in that unit; `strict` means less (more) than it.
    Published as upper and lower bound on a sum of variables in arXiv 2311.15271.
    """

    kind: Literal["sum_bound"] = "sum_bound"
    variables: tuple[Expr, ...]
    sense: Sense
    limit: Expr
    strict: bool = False

    cues: ClassVar[tuple[str, ...]] = (
        "in total", "altogether", "combined", "a total of", "the total number of", "of both", "together",
    )  # fmt: skip

    _strict = field_validator("strict")(check_strict)

    @field_validator("variables", mode="before")
    @classmethod
    def _one(cls, given: Any) -> Any:
        return (given,) if isinstance(given, str | Expr) else given

    @field_validator("variables")
    @classmethod
    def _plain(cls, variables: tuple[Expr, ...]) -> tuple[Expr, ...]:
        for i, part in enumerate(variables):
            body = part
            while isinstance(body, Sum):
                body = body.body
            if not isinstance(body, Ref):
                raise ValueError(f"'{part}' is no variable: list variables; kind linear_bound takes coefficients")
            if part in variables[:i]:
                raise ValueError(f"'{part}' is there twice: keep one")
        if not variables:
            raise ValueError("name at least one variable")
        return variables

    def holds(self, world: World, env: Env) -> bool:
        found = sum(world.value(part, env) for part in self.variables)
        return compares(found, self.sense, world.value(self.limit, env), self.strict)

    def lower(self) -> tuple[Row, ...]:
        return (Row(total(*self.variables), self.sense, self.limit, self.strict),)

    @classmethod
    def generate(cls, rng: random.Random) -> Problem:
        sense = examples.sense(rng)
        strict, among = strictly(rng, sense)
        variables = tuple(examples.some(rng, among, least=2))
        return examples.scalar(rng, cls(variables=variables, sense=sense, limit=examples.amount(rng), strict=strict))
