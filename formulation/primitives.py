"""The few forms that every kind of statement is lowered to, over linear expressions.

What is done with models (grounding, algebra, LaTeX, Pyomo, canonical rows, export) exists once for each of these.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from formulation.expressions import Expr, Logical, Quantifier, Ref, Sense

__all__ = ["Disjunction", "Goal", "Indicator", "Multiple", "PiecewiseCost", "Primitive", "Row", "SemiContinuous"]


@dataclass(frozen=True, slots=True)
class Row:
    """left (sense) right, for all of `over`. `strict` asks for < or > (see `formulation.ground`)."""

    left: Expr
    sense: Sense
    right: Expr
    strict: bool = False
    over: Quantifier | None = None


@dataclass(frozen=True, slots=True)
class Indicator:
    """The rows hold where the decision is yes."""

    when: Logical
    then: tuple[Row, ...]
    over: Quantifier | None = None


@dataclass(frozen=True, slots=True)
class Disjunction:
    """All rows of at least one alternative hold."""

    alternatives: tuple[tuple[Row, ...], ...]
    over: Quantifier | None = None


@dataclass(frozen=True, slots=True)
class SemiContinuous:
    """A variable is 0, or at least `minimum` > 0 (and at most `maximum`, beside its own upper bound).

    `selected(x)` of a variable is the binary decision of its one such range; the ranges of several statements about
    the same variable are intersected. Where a model says `selected(x)` and no range, the variable's own `minimum` is
    the range, or 1 for integers. A continuous variable without one may stand in `selected(x)` where being used only
    costs or counts against a limit: any amount above 0 is use then.
    """

    of: Ref
    minimum: Expr
    maximum: Expr | None = None
    over: Quantifier | None = None


@dataclass(frozen=True, slots=True)
class Multiple:
    """`of` is a whole number of lots of `size` > 0."""

    of: Expr
    size: Expr
    over: Quantifier | None = None


@dataclass(frozen=True, slots=True)
class PiecewiseCost:
    """A cost that is a continuous piecewise-linear function of `of`, through points (x, y) of rising x.

    Between points it is linear; `of` may not leave the points' range, except where `before` or `after` gives the slope
    beyond the first or last one. With one point both slopes are needed. A cost is added to a minimised objective and
    taken from a maximised one.
    """

    of: Expr
    points: tuple[tuple[Expr, Expr], ...]
    before: Expr | None = None
    after: Expr | None = None
    over: Quantifier | None = None


Primitive = Row | Indicator | Disjunction | SemiContinuous | Multiple | PiecewiseCost


@dataclass(frozen=True, slots=True)
class Goal:
    """What is minimised or maximised: an expression, or the worst of several.

    With `worst`, the largest of all `of` (each for all of `over`) is minimised, or the smallest maximised. Goals of
    equal `priority` are added with their `weight` (a maximised one counts negatively in a minimised sum); those of a
    lower priority number come first, and later ones may not make them worse.
    """

    sense: Literal["minimize", "maximize"]
    of: tuple[Expr, ...]
    worst: bool = False
    over: Quantifier | None = None
    weight: Expr | None = None
    priority: int = 0
