"""One activity after another."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, ClassVar, Literal

from formulation.expressions import Expr, constant
from formulation.kinds import examples
from formulation.kinds.base import Constraint, Env
from formulation.kinds.sides import plus
from formulation.primitives import Row

if TYPE_CHECKING:
    from formulation.meaning import World
    from formulation.schema import Problem

__all__ = ["Precedence"]


class Precedence(Constraint):
    """`after` starts no earlier than `before` has ended, and a lag has passed: after >= before + duration + lag.

    `{"kind": "precedence", "before": "start[i]", "after": "start[j]", "duration": "days[i]", "forall": "(i, j) in P"}`

    `before` and `after` are the starts of two activities, `duration` how long the first takes, `lag` the wait between
    them (below 0 where they may overlap by that much), all in one unit of time; without both, `after` may start with
    `before`.
    """

    kind: Literal["precedence"] = "precedence"
    before: Expr
    after: Expr
    duration: Expr = constant(0)
    lag: Expr = constant(0)

    cues: ClassVar[tuple[str, ...]] = (
        "before", "after", "once", "precede", "can only start", "must be finished", "follow", "predecessor",
    )  # fmt: skip

    def holds(self, world: World, env: Env) -> bool:
        before, after, duration, lag = (world.value(x, env) for x in (self.before, self.after, self.duration, self.lag))
        return after >= before + duration + lag

    def lower(self) -> tuple[Row, ...]:
        return (Row(self.after, ">=", plus(self.before, plus(self.duration, self.lag))),)

    @classmethod
    def generate(cls, rng: random.Random) -> Problem:
        before, after = examples.some(rng, least=2)[:2]
        duration, lag = (constant(rng.randint(low, 2)) for low in (0, -1))
        return examples.scalar(rng, cls(before=before, after=after, duration=duration, lag=lag))
