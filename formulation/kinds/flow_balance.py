"""What flows into each node of a network and out of it."""

from __future__ import annotations

import random
from collections import defaultdict
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import model_validator

from formulation.expressions import Expr, Quantifier, Sense, Sum, constant, expression, quantifier, renamed, symbols_in
from formulation.kinds import examples
from formulation.kinds.base import Constraint, Env
from formulation.kinds.sides import compares, plus
from formulation.numbers import Rational
from formulation.primitives import Row

if TYPE_CHECKING:
    from formulation.meaning import World
    from formulation.schema import Problem

__all__ = ["FlowBalance"]


class FlowBalance(Constraint):
    """At each node: inflow + supply (sense) outflow + demand.

    `{"kind": "flow_balance", "each": "n in NODES", "arcs": "(i, j) in ROADS", "flow": "ship[i, j]",
    "supply": "stock[n]", "demand": "need[n]"}`

    Every member of `arcs` is an arc from its first part to its second; where nodes are tuples of k parts, from its
    first k to its next k. `flow` is what goes along it. `supply` and `demand` of a node are numbers, parameters or
    expressions, 0 where nothing is said. `sense` is == where nothing is said; >= lets supply or flow be left over.
    """

    kind: Literal["flow_balance"] = "flow_balance"
    each: Quantifier
    arcs: Quantifier
    flow: Expr
    supply: Expr = constant(0)
    demand: Expr = constant(0)
    sense: Sense = "=="

    cues: ClassVar[tuple[str, ...]] = (
        "shipped from", "flow", "what comes in must go out", "transship", "route", "network", "pipeline", "along each",
    )  # fmt: skip

    @model_validator(mode="after")
    def _ends(self) -> Self:
        node, arc = self.each.symbols, self.arcs.symbols
        if len(set(node)) < len(node) or len(set(arc[: 2 * len(node)])) < 2 * len(node):
            raise ValueError(
                f"the arcs '{self.arcs}' do not lead from a node to a node of '{self.each}': "
                f"write them like '(i, j) in ARCS', with another symbol for each end"
            )
        return self

    def holds(self, world: World, env: Env) -> bool:
        width = len(self.each.symbols)
        net: defaultdict[tuple[object, ...], Rational] = defaultdict(int)
        for arc in world.instances(self.arcs, env):
            ends = tuple(arc[symbol].element for symbol in self.arcs.symbols[: 2 * width])
            amount = world.value(self.flow, arc)
            net[ends[:width]] -= amount
            net[ends[width:]] += amount
        return all(
            compares(
                net[tuple(node[symbol].element for symbol in self.each.symbols)] + world.value(self.supply, node),
                self.sense,
                world.value(self.demand, node),
            )
            for node in world.instances(self.each, env)
        )

    def lower(self) -> tuple[Row, ...]:
        width = len(self.each.symbols)
        inflow, outflow = (self._total(start) for start in (width, 0))
        return (Row(plus(inflow, self.supply), self.sense, plus(outflow, self.demand), over=self.each),)

    def _total(self, start: int) -> Sum:
        """The flow on the arcs whose symbols from place `start` on are the node's: they become the node's symbols."""
        node = self.each.symbols
        taken = {*node, *symbols_in(self.arcs), *symbols_in(self.flow)}
        names = {}
        for symbol in (*symbols_in(self.arcs), *symbols_in(self.flow)):
            if symbol in node and symbol not in names:  # another thing of the same name
                names[symbol] = next(new for k in range(1, len(taken) + 2) if (new := f"{symbol}{k}") not in taken)
                taken.add(names[symbol])
        names |= dict(zip(self.arcs.symbols[start:], node, strict=False))
        return Sum(renamed(self.arcs, names), renamed(self.flow, names))

    @classmethod
    def generate(cls, rng: random.Random) -> Problem:
        from formulation.schema import Problem

        nodes = ["north", "east", "south"]
        arcs = rng.sample([(a, b) for a in nodes for b in nodes], rng.randint(2, 4))
        need = dict.fromkeys(nodes, 0)
        for a, b in arcs:  # what some flow would leave, more or less
            amount = rng.randint(0, 2)
            need[a], need[b] = need[a] - amount, need[b] + amount
        need[rng.choice(nodes)] += rng.choice([-1, 0, 0, 0, 1])
        node = rng.choice("iv")
        statement = cls(
            each=quantifier(f"{node} in NODES"),
            arcs=quantifier(rng.choice(["(i, j) in ARCS", "i in NODES, j in NODES if (i, j) in ARCS"])),
            flow=expression(rng.choice(["x[i, j]", "2*x[i, j]", "sum(x[i, j] for v in NODES if v == j)"])),
            demand=expression(f"need[{node}]"),
            supply=expression(rng.choice(["0", "1/2*y"])),
            sense=examples.sense(rng),
        )
        return Problem.model_validate(
            {
                "sets": {"NODES": nodes, "ARCS": {"elements": arcs, "within": ["NODES", "NODES"]}},
                "parameters": {"need": {"index": ["NODES"], "values": need}},
                "variables": {
                    "x": {"domain": rng.choice(["continuous", "integer"]), "over": "(i, j) in ARCS", "upper": 2},
                    "y": {"upper": 1},
                },
                "constraints": [statement],
            }
        )
