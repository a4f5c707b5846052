"""A limit that may be broken, for a price."""

from __future__ import annotations

import itertools
import random
from fractions import Fraction
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, model_validator

from formulation.expressions import Expr, Num, Sense, constant
from formulation.kinds import examples
from formulation.kinds.base import Constraint, Env, Record
from formulation.kinds.objective import Optimize
from formulation.kinds.sides import minus, plus, times
from formulation.numbers import Rational, exact
from formulation.primitives import PiecewiseCost

if TYPE_CHECKING:
    from formulation.meaning import World
    from formulation.schema import Problem

__all__ = ["Soft", "Tier"]


class Tier(Record):
    """`rate` is the price of each unit of violation beyond the tier before, up to `up_to` units in all (or any)."""

    up_to: Expr | None = None
    rate: Expr


class Soft(Constraint):
    """A limit that may be broken for a price: terms (sense) limit, else a penalty.

    `{"kind": "soft", "terms": "chair", "sense": ">=", "limit": 20, "penalty": 3}`
    `{"kind": "soft", "terms": "hours", "sense": "<=", "limit": 40, "tiers": [{"up_to": 5, "rate": 10}, {"rate": 25}]}`

    The violation is how far `terms` are beyond `limit`, in their unit; == counts both sides. `penalty` is the price of
    each unit of it. In `tiers` the first units are the cheapest, and no more may be violated than a last `up_to` says.
    Prices are in the objective's unit per unit of violation, positive whether it is minimised (they are added) or
    maximised (they are taken off).
    """

    kind: Literal["soft"] = "soft"
    terms: Expr
    sense: Sense
    limit: Expr
    penalty: Expr | None = None
    tiers: tuple[Tier, ...] = Field(default=())

    cues: ClassVar[tuple[str, ...]] = (
        "penalty", "a fine of", "overtime", "ideally", "preferably", "if possible", "shortfall", "target of",
    )  # fmt: skip

    @model_validator(mode="after")
    def _priced(self) -> Self:
        if (self.penalty is None) == (not self.tiers):
            raise ValueError("give either 'penalty', the price of a unit of violation, or 'tiers'")
        if any(tier.up_to is None for tier in self.tiers[:-1]):
            raise ValueError("only the last tier may leave out 'up_to'")
        rates = [tier.rate.number.value for tier in self._tiers if isinstance(tier.rate, Num)]
        if any(rate < 0 for rate in rates):
            raise ValueError("a penalty is at least 0, whether the objective is minimised or maximised")
        if rates != sorted(rates):
            raise ValueError("the rates of tiers may not fall: kind piecewise_cost takes any curve")
        ends = [Fraction(0), *(tier.up_to.number.value for tier in self.tiers if isinstance(tier.up_to, Num))]
        if any(a >= b for a, b in itertools.pairwise(ends)):
            raise ValueError("'up_to' counts all units from the limit on: it must rise from tier to tier, above 0")
        return self

    @property
    def _tiers(self) -> tuple[Tier, ...]:
        return self.tiers if self.penalty is None else (Tier(rate=self.penalty),)

    def _violation(self, world: World, env: Env) -> Rational:
        over = world.value(self.terms, env) - world.value(self.limit, env)
        if self.sense == "==":
            return over if over > 0 else -over
        beyond = over if self.sense == "<=" else -over
        return beyond if beyond > 0 else 0

    def holds(self, world: World, env: Env) -> bool:
        most = self._tiers[-1].up_to
        return most is None or self._violation(world, env) <= world.value(most, env)

    def cost(self, world: World, env: Env) -> Rational:
        # Every tier adds what its rate is above the one before, on all units from its start on. Beyond the last
        # tier, where the statement does not hold, the last rate goes on.
        violation, tiers = self._violation(world, env), self._tiers
        starts = [0, *(world.value(tier.up_to, env) for tier in tiers[:-1] if tier.up_to is not None)]
        rates = [0, *(world.value(tier.rate, env) for tier in tiers)]
        steps = zip(starts, itertools.pairwise(rates), strict=True)
        return exact(sum(((rate - old) * (violation - start) for start, (old, rate) in steps if violation > start), 0))

    def lower(self) -> tuple[PiecewiseCost, ...]:
        zero = constant(0)
        points: list[tuple[Expr, Expr]] = [(zero, zero)]
        for tier in self._tiers:
            if tier.up_to is not None:
                start, paid = points[-1]
                points.append((tier.up_to, plus(paid, times(tier.rate, minus(tier.up_to, start)))))
        last = self._tiers[-1]
        after = last.rate if last.up_to is None else None
        if self.sense != "==":
            over = minus(self.terms, self.limit) if self.sense == "<=" else minus(self.limit, self.terms)
            return (PiecewiseCost(over, tuple(points), before=zero, after=after),)
        mirrored = [(minus(zero, x), y) for x, y in reversed(points[1:])]
        before = None if after is None else minus(zero, after)
        return (PiecewiseCost(minus(self.terms, self.limit), (*mirrored, *points), before, after),)

    @classmethod
    def generate(cls, rng: random.Random) -> Problem:
        objective = Optimize(sense=rng.choice(["minimize", "maximize"]), terms=examples.terms(rng))
        terms, sense, limit = examples.terms(rng), examples.sense(rng), examples.amount(rng)
        rates = [constant(rate) for rate in sorted(rng.choices([0, 1, 2, 3], k=3))]
        if rng.random() < 0.4:
            found = cls(terms=terms, sense=sense, limit=limit, penalty=rates[-1])
        else:
            ends = [constant("1/2"), constant(rng.choice([1, 2])), rng.choice([None, constant(4)])]
            tiers = tuple(Tier(up_to=end, rate=rate) for end, rate in zip(ends, rates, strict=True))
            found = cls(terms=terms, sense=sense, limit=limit, tiers=tiers)
        return examples.scalar(rng, found, objective=objective)
