"""What is in stock from one period to the next."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import field_validator, model_validator

from formulation.expressions import (
    At,
    Compare,
    Edge,
    Expr,
    Index,
    Quantifier,
    Ref,
    Sense,
    constant,
    expression,
    quantifier,
)
from formulation.kinds import examples
from formulation.kinds.base import Constraint, Env
from formulation.kinds.sides import compares, minus, plus
from formulation.primitives import Row

if TYPE_CHECKING:
    from formulation.meaning import World
    from formulation.schema import Problem

__all__ = ["InventoryBalance"]


class InventoryBalance(Constraint):
    """The stock at the end of each period: what was there, and what came in, less what went out.

    `{"kind": "inventory_balance", "forall": "p in PRODUCTS", "time": "t in MONTHS", "stock": "stock[p, t]",
    "incoming": "make[p, t]", "outgoing": "demand[p, t]", "initial": "start[p]", "final": 20, "final_sense": ">="}`

    `time` runs through an ordered set. `initial` is what was there before the first period (`stock[p, last(MONTHS)]`
    for a plan that repeats); `final`, where given, is what is left after the last one: exactly, or by `final_sense` at
    least (>=) or at most (<=). All are in the unit of the stock.
    """

    kind: Literal["inventory_balance"] = "inventory_balance"
    time: Quantifier
    stock: Ref
    incoming: Expr = constant(0)
    outgoing: Expr = constant(0)
    initial: Expr
    final: Expr | None = None
    final_sense: Sense = "=="

    cues: ClassVar[tuple[str, ...]] = (
        "in stock", "inventory", "carried over", "stored until", "opening stock", "at the end of each",
        "left over from", "warehouse",
    )  # fmt: skip

    @field_validator("time")
    @classmethod
    def _one_set(cls, time: Quantifier) -> Quantifier:
        if len(time.symbols) != 1 or time.condition is not None:
            raise ValueError(f"'{time}' is no series of periods: write it like 't in MONTHS', an ordered set")
        return time

    @model_validator(mode="after")
    def _over_time(self) -> Self:
        (symbol,) = self.time.symbols
        if At(symbol) not in self.stock.index:
            raise ValueError(f"the stock '{self.stock}' is of no period: name the variable as in stock[{symbol}]")
        return self

    def holds(self, world: World, env: Env) -> bool:
        before = world.value(self.initial, env)
        for period in world.instances(self.time, env):
            now = world.value(self.stock, period)
            if now != before + world.value(self.incoming, period) - world.value(self.outgoing, period):
                return False
            before = now
        return self.final is None or compares(before, self.final_sense, world.value(self.final, env))

    def lower(self) -> tuple[Row, ...]:
        (symbol,) = self.time.symbols
        (periods,) = (generator.set for generator in self.time.generators)
        first = self.time.where(Compare("==", At(symbol), Edge("first", periods)))
        later = self.time.where(Compare("!=", At(symbol), Edge("first", periods)))
        change = minus(self.incoming, self.outgoing)
        rows = [
            Row(self.stock, "==", plus(self.initial, change), over=first),
            Row(self.stock, "==", plus(self._stock(At(symbol, -1)), change), over=later),
        ]
        if self.final is not None:
            rows.append(Row(self._stock(Edge("last", periods)), self.final_sense, self.final))
        return tuple(rows)

    def _stock(self, period: Index) -> Ref:
        """The stock at the end of another period."""
        now = At(self.time.symbols[0])
        return Ref(self.stock.name, tuple(period if part == now else part for part in self.stock.index))

    @classmethod
    def generate(cls, rng: random.Random) -> Problem:
        from formulation.schema import Problem

        every, periods = rng.random() < 0.5, rng.randint(1, 3)
        place = "[i, t]" if every else "[t]"
        statement = cls(
            forall=quantifier("i in I") if every else None,
            time=quantifier("t in T"),
            stock=Ref("s", tuple(map(At, "it" if every else "t"))),
            incoming=expression(rng.choice([f"x{place}", f"2*x{place} + 1/2"])),
            outgoing=expression(rng.choice(["0", "1", "need[t]"])),
            initial=expression(rng.choice(["1", "3/2", "y", f"s{place.replace('t', 'last(T)')}"])),
            final=rng.choice([None, constant(1), expression("y")]),
            final_sense=examples.sense(rng),
        )
        over = "i in I, t in T" if every else "t in T"
        domain = rng.choice(["continuous", "integer"])
        return Problem.model_validate(
            {
                "sets": {"I": ["p", "q"][: rng.randint(1, 2)], "T": {"range": [1, periods]}},
                "parameters": {
                    "need": {"index": ["T"], "values": {t: rng.randint(0, 2) for t in range(1, periods + 1)}}
                },
                "variables": {
                    "s": {"domain": domain, "over": over, "upper": 2},
                    "x": {"domain": domain, "over": over, "upper": 2},
                    "y": {"domain": domain, "lower": -1, "upper": 1},
                },
                "constraints": [statement],
            }
        )
