"""What each resource gives, and what uses it up."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, ClassVar, Literal

from formulation.expressions import Expr, Quantifier, Sum, constant, expression, quantifier
from formulation.kinds import examples
from formulation.kinds.base import Constraint, Env
from formulation.kinds.sides import times
from formulation.numbers import exact
from formulation.primitives import Row

if TYPE_CHECKING:
    from formulation.meaning import World
    from formulation.schema import Problem

__all__ = ["Capacity"]


class Capacity(Constraint):
    """No resource is used beyond its capacity: sum(use * amount) <= capacity, for each resource.

    `{"kind": "capacity", "each": "m in MACHINES", "over": "p in PRODUCTS", "use": "hours[p, m]",
    "amount": "make[p]", "capacity": "available[m]"}`

    `use` is what one unit of `amount` takes of the resource (1 where nothing is said), in the capacity's unit per unit
    of the amount. A sparse set such as `(p, m) in ROUTES` leaves out what does not use it. One resource needs no
    `each`. The capacity may hold variables: `size[m]*open[m]`.
    """

    kind: Literal["capacity"] = "capacity"
    each: Quantifier | None = None
    over: Quantifier
    use: Expr = constant(1)
    amount: Expr
    capacity: Expr

    cues: ClassVar[tuple[str, ...]] = (
        "capacity", "available", "hours of", "has a supply of", "limited to", "each unit takes", "requires", "budget",
    )  # fmt: skip

    def holds(self, world: World, env: Env) -> bool:
        return all(
            sum(
                exact(world.value(self.use, inner) * world.value(self.amount, inner))
                for inner in world.instances(self.over, one)
            )
            <= world.value(self.capacity, one)
            for one in world.instances(self.each, env)
        )

    def lower(self) -> tuple[Row, ...]:
        return (Row(Sum(self.over, times(self.use, self.amount)), "<=", self.capacity, over=self.each),)

    @classmethod
    def generate(cls, rng: random.Random) -> Problem:
        domain = rng.choice(["continuous", "integer"])
        each: Quantifier | None = quantifier("i in I")
        uses, capacities = ["5/3", "weight[j]", "rate[i, j]"], ["2", "limit[i]*open + 1/2"]
        if rng.random() < 0.3:
            each, uses, capacities = None, ["weight[j]"], ["3", "2*open + 1"]
        statement = cls(
            each=each,
            over=quantifier(rng.choice(["j in J", "(i, j) in PAIRS"])),
            use=expression(rng.choice(uses)),
            amount=expression("x[j]"),
            capacity=expression(rng.choice(capacities)),
        )
        variables = {"x": {"domain": domain, "over": "j in J", "upper": 2}, "open": {"domain": "binary"}}
        return examples.indexed(rng, variables, statement)
