"""Two activities that share a resource."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, ClassVar, Literal

from formulation.expressions import Expr, Logical, constant, literal
from formulation.kinds import examples
from formulation.kinds.base import Constraint, Env
from formulation.kinds.sides import plus
from formulation.primitives import Disjunction, Indicator, Row

if TYPE_CHECKING:
    from formulation.meaning import World
    from formulation.schema import Problem

__all__ = ["NoOverlap"]


class NoOverlap(Constraint):
    """Two activities that never run at the same time: one starts no earlier than the other has ended.

    `{"kind": "no_overlap", "starts": ["start[i]", "start[j]"], "durations": ["days[i]", "days[j]"],
    "forall": "(i, j) in SAME_MACHINE"}`

    `starts` and `durations` are those of the two activities, in one unit of time. `order` may name a decision that is
    yes where the first one goes first, and no where the second does. The starts need finite bounds, declared or
    implied by other statements. All pairs of an ordered set are `"forall": "i in J, j in J if i < j"`.
    """

    kind: Literal["no_overlap"] = "no_overlap"
    starts: tuple[Expr, Expr]
    durations: tuple[Expr, Expr]
    order: Logical | None = None

    cues: ClassVar[tuple[str, ...]] = (
        "one at a time", "same machine", "cannot overlap", "not at the same time", "simultaneously", "in any order",
    )  # fmt: skip

    def holds(self, world: World, env: Env) -> bool:
        first, second = (world.value(start, env) for start in self.starts)
        takes = [world.value(duration, env) for duration in self.durations]
        in_order, reversed_ = second >= first + takes[0], first >= second + takes[1]
        if self.order is None:
            return in_order or reversed_
        return in_order if world.truth(self.order, env) else reversed_

    def lower(self) -> tuple[Disjunction | Indicator, ...]:
        (first, second), (takes, takes_too) = self.starts, self.durations
        in_order = (Row(second, ">=", plus(first, takes)),)
        reversed_ = (Row(first, ">=", plus(second, takes_too)),)
        if self.order is None:
            return (Disjunction((in_order, reversed_)),)
        return (Indicator(self.order, in_order), Indicator(self.order.opposite(), reversed_))

    @classmethod
    def generate(cls, rng: random.Random) -> Problem:
        first, second = examples.some(rng, least=2)[:2]
        takes, takes_too = (constant(rng.choice([0, "1/2", 1, 2])) for _ in range(2))
        order = literal(examples.decision(rng)) if rng.random() < 0.5 else None
        return examples.scalar(rng, cls(starts=(first, second), durations=(takes, takes_too), order=order))
