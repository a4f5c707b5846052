"""How many of several decisions are yes."""

from __future__ import annotations

import random
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import model_validator

from formulation.expressions import Expr, Logical, Quantifier, Sum, constant, literal, quantifier, total
from formulation.kinds import examples
from formulation.kinds.base import Constraint, Env
from formulation.kinds.fields import Decisions
from formulation.primitives import Row

if TYPE_CHECKING:
    from formulation.meaning import World
    from formulation.schema import Problem

__all__ = ["Count", "Counted"]


class Counted(Constraint):
    """A statement about a number of decisions, all of `over` taken: exactly so many, or at least, or at most."""

    over: Quantifier | None = None
    exactly: Expr | None = None
    at_least: Expr | None = None
    at_most: Expr | None = None

    @model_validator(mode="after")
    def _limited(self) -> Self:
        if self.exactly is None and self.at_least is None and self.at_most is None:
            raise ValueError("say how many: 'exactly', 'at_least' or 'at_most'")
        if self.exactly is not None and (self.at_least is not None or self.at_most is not None):
            raise ValueError("'exactly' says it all: leave 'at_least' and 'at_most' out")
        return self

    @abstractmethod
    def decisions(self) -> tuple[Logical, ...]:
        """What is counted, for every binding of `over`."""

    def holds(self, world: World, env: Env) -> bool:
        found = sum(world.truth(each, inner) for inner in world.instances(self.over, env) for each in self.decisions())
        return (
            (self.exactly is None or found == world.value(self.exactly, env))
            and (self.at_least is None or found >= world.value(self.at_least, env))
            and (self.at_most is None or found <= world.value(self.at_most, env))
        )

    def lower(self) -> tuple[Row, ...]:
        found = total(*(each.indicator for each in self.decisions()))
        if self.over is not None:
            found = Sum(self.over, found)
        rows = []
        if self.exactly is not None:
            rows.append(Row(found, "==", self.exactly))
        if self.at_least is not None:
            rows.append(Row(found, ">=", self.at_least))
        if self.at_most is not None:
            rows.append(Row(found, "<=", self.at_most))
        return tuple(rows)


class Count(Counted):
    """How many of several decisions are yes.

    `{"kind": "count", "of": ["truck", "train", "ship"], "exactly": 1}`
    `{"kind": "count", "of": "open[i]", "over": "i in PLANTS", "at_least": 2, "at_most": "most_plants"}`

    `of` is a decision or a list of them (`selected(x)` and `not` included), counted for every member of `over`.
    Two decisions are the exactly-one, at-least-one and at-most-one classes of arXiv 2311.15271.
    """

    kind: Literal["count"] = "count"
    of: Decisions

    cues: ClassVar[tuple[str, ...]] = (
        "exactly one of", "at least one of", "at most one of", "only one of", "either", "no more than two of",
    )  # fmt: skip

    def decisions(self) -> tuple[Logical, ...]:
        return self.of

    @classmethod
    def generate(cls, rng: random.Random) -> Problem:
        limits = how_many(rng)
        if rng.random() < 0.7:
            of = tuple(literal(examples.decision(rng)) for _ in range(rng.randint(2, 4)))
            return examples.scalar(rng, cls(of=of, **limits))
        of = (literal(rng.choice(["a[i]", "not a[i]"])),)
        return family(cls(of=of, over=quantifier("i in I if i != 2"), **limits), "binary")


def how_many(rng: random.Random) -> dict[str, Any]:
    """For generators: a limit, or two."""
    few, many = (constant(k) for k in sorted(rng.choices(range(4), k=2)))
    kinds = ({"exactly": few}, {"at_least": many}, {"at_most": few}, {"at_least": few, "at_most": many})
    return rng.choice(kinds)


def family(statement: Constraint, domain: str) -> Problem:
    """For generators: a problem with a variable `a` over a set `I` of three."""
    from formulation.schema import Problem

    variable: dict[str, Any] = {"domain": domain, "over": "i in I"}
    if domain != "binary":
        variable["upper"] = 2
    return Problem.model_validate({"sets": {"I": [1, 2, 3]}, "variables": {"a": variable}, "constraints": [statement]})
