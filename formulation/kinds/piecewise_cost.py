"""A cost that follows a curve of straight pieces."""

from __future__ import annotations

import itertools
import random
from fractions import Fraction
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import model_validator

from formulation.expressions import Expr, Num, constant
from formulation.kinds import examples
from formulation.kinds.base import Constraint, Env
from formulation.kinds.objective import Optimize
from formulation.numbers import Rational, exact
from formulation.primitives import PiecewiseCost

if TYPE_CHECKING:
    from formulation.meaning import World
    from formulation.schema import Problem

__all__ = ["CostCurve"]


class CostCurve(Constraint):
    """A cost that follows a continuous curve of straight pieces, such as a price that changes with the amount.

    "The first 10 cost 5 each, the next 20 cost 3 each":
    `{"kind": "piecewise_cost", "of": "buy", "points": [[0, 0], [10, 50], [30, 110]]}`

    `points` are pairs of an amount of `of`, in its unit and rising, and the cost of all of it, in the objective's unit.
    The amount stays between the first and the last point, unless `before` or `after` gives the cost of one more unit
    below or above them. The cost is added to a minimised objective and taken off a maximised one; gains are negative.
    It need not be convex; where it is not, `of` needs finite bounds.
    """

    kind: Literal["piecewise_cost"] = "piecewise_cost"
    of: Expr
    points: tuple[tuple[Expr, Expr], ...]
    before: Expr | None = None
    after: Expr | None = None

    cues: ClassVar[tuple[str, ...]] = (
        "for the first", "for the next", "each additional", "beyond the first", "discount", "tiered", "marginal",
    )  # fmt: skip

    @model_validator(mode="after")
    def _curve(self) -> Self:
        if not self.points:
            raise ValueError("give at least one point [amount, cost]")
        if len(self.points) == 1 and (self.before is None or self.after is None):
            raise ValueError("one point is no curve: add points, or both 'before' and 'after'")
        amounts = [x.number.value for x, _ in self.points if isinstance(x, Num)]
        if any(a >= b for a, b in itertools.pairwise(amounts)):
            raise ValueError("the amounts of the points must rise")
        return self

    def holds(self, world: World, env: Env) -> bool:
        amount = world.value(self.of, env)
        first, last = (world.value(self.points[i][0], env) for i in (0, -1))
        return (self.before is not None or amount >= first) and (self.after is not None or amount <= last)

    def cost(self, world: World, env: Env) -> Rational:
        amount = world.value(self.of, env)
        points = [(world.value(x, env), world.value(y, env)) for x, y in self.points]
        slopes = [Fraction(d - b) / (c - a) for (a, b), (c, d) in itertools.pairwise(points)]
        if amount < points[0][0] and self.before is not None:
            slope, (x, y) = world.value(self.before, env), points[0]
        elif amount > points[-1][0] and self.after is not None:
            slope, (x, y) = world.value(self.after, env), points[-1]
        else:
            # Outside the points, where the statement does not hold, the outermost piece goes on.
            pieces = zip(slopes, points, strict=False)
            slope, (x, y) = next(
                (piece for piece, end in zip(pieces, points[1:], strict=True) if amount <= end[0]),
                (slopes[-1], points[-1]) if slopes else (Fraction(0), points[0]),
            )
        return exact(y + slope * (amount - x))

    def lower(self) -> tuple[PiecewiseCost, ...]:
        return (PiecewiseCost(self.of, self.points, self.before, self.after),)

    @classmethod
    def generate(cls, rng: random.Random) -> Problem:
        objective = Optimize(sense=rng.choice(["minimize", "maximize"]), terms=examples.terms(rng))
        amounts = sorted(rng.sample(range(-3, 6), rng.randint(2, 4)))
        points = tuple((constant(x), constant(rng.randint(-2, 4))) for x in amounts)
        before, after = (rng.choice([None, constant(rng.randint(-2, 2))]) for _ in range(2))
        found = cls(of=examples.terms(rng), points=points, before=before, after=after)
        return examples.scalar(rng, found, objective=objective)
