"""How far a quantity is from a target, either way."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import field_validator

from formulation.expressions import Expr, Num, Sense, constant
from formulation.kinds import examples
from formulation.kinds.base import Constraint, Env
from formulation.kinds.sides import compares, minus, plus
from formulation.primitives import Disjunction, Primitive, Row

if TYPE_CHECKING:
    from formulation.meaning import World
    from formulation.schema import Problem

__all__ = ["AbsoluteDeviation"]


class AbsoluteDeviation(Constraint):
    """How far a quantity is from a target, either way: |terms - target| (sense) amount.

    "The two shifts differ by at most 3 people":
    `{"kind": "absolute_deviation", "terms": "early - late", "sense": "<=", "amount": 3}`

    `target`, 0 where it is left out, and `amount` are in the unit of `terms`. With <= both sides bound the quantity;
    with >= and == it lies on one side or the other, a choice, for which variables need finite bounds.
    """

    kind: Literal["absolute_deviation"] = "absolute_deviation"
    terms: Expr
    target: Expr = constant(0)
    sense: Sense
    amount: Expr

    cues: ClassVar[tuple[str, ...]] = ("differ by", "deviate", "deviation", "within", "either way", "plus or minus")

    @field_validator("amount")
    @classmethod
    def _not_negative(cls, amount: Expr) -> Expr:
        if isinstance(amount, Num) and amount.number.value < 0:
            raise ValueError(f"{amount} is no distance: it is at least 0 (kind difference has a sign)")
        return amount

    def holds(self, world: World, env: Env) -> bool:
        off = world.value(self.terms, env) - world.value(self.target, env)
        return compares(off if off > 0 else -off, self.sense, world.value(self.amount, env))

    def lower(self) -> tuple[Primitive, ...]:
        above, below = plus(self.target, self.amount), minus(self.target, self.amount)
        if self.sense == "<=":
            return (Row(self.terms, "<=", above), Row(self.terms, ">=", below))
        if self.sense == ">=":
            return (Disjunction(((Row(self.terms, ">=", above),), (Row(self.terms, "<=", below),))),)
        # An amount that data or a variable makes negative is no distance of any point.
        amount = () if isinstance(self.amount, Num) else (Row(self.amount, ">=", constant(0)),)
        return (*amount, Disjunction(((Row(self.terms, "==", above),), (Row(self.terms, "==", below),))))

    @classmethod
    def generate(cls, rng: random.Random) -> Problem:
        terms, target = examples.terms(rng), examples.amount(rng)
        amount = constant(rng.choice([0, "1/2", 1, "3/2", 2, 3]))
        found = cls(terms=terms, target=target, sense=examples.sense(rng), amount=amount)
        return examples.scalar(rng, found)
