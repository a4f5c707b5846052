"""At least one of several alternatives."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from formulation.expressions import Relation
from formulation.kinds import examples
from formulation.kinds.base import Constraint, Env
from formulation.kinds.fields import TWO_OR_MORE, Relations, as_rows, satisfied
from formulation.primitives import Disjunction

if TYPE_CHECKING:
    from formulation.meaning import World
    from formulation.schema import Problem

__all__ = ["EitherOr"]


class EitherOr(Constraint):
    """At least one alternative holds, and perhaps more than one.

    `{"kind": "either_or", "alternatives": ["hours <= 40", ["night == 0", "wage >= 25"]]}`

    Each alternative is a relation, or a list of relations that hold together. The variables of an alternative need
    finite bounds, declared or implied by other statements.
    """

    kind: Literal["either_or"] = "either_or"
    alternatives: Annotated[tuple[Relations, ...], TWO_OR_MORE]

    cues: ClassVar[tuple[str, ...]] = ("either", "or else", "or", "alternatively", "one of the following", "otherwise")

    def holds(self, world: World, env: Env) -> bool:
        return any(all(satisfied(row, world, env) for row in rows) for rows in self.alternatives)

    def lower(self) -> tuple[Disjunction, ...]:
        return (Disjunction(tuple(as_rows(rows) for rows in self.alternatives)),)

    @classmethod
    def generate(cls, rng: random.Random) -> Problem:
        count = rng.choice([2, 2, 3])
        return examples.scalar(rng, cls(alternatives=tuple(relations(rng, most=2) for _ in range(count))))


def relations(rng: random.Random, *, most: int) -> tuple[Relation, ...]:
    """For generators: a few relations."""
    return tuple(
        Relation(examples.terms(rng), examples.sense(rng), examples.amount(rng)) for _ in range(rng.randint(1, most))
    )
