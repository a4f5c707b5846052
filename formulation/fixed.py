"""What is left of a model once its decisions are taken: a linear model, in the problem's own statements.

Whole numbers, decisions, alternatives, lots and pieces of a cost are held as they are at a point. No big-M is left, so
a row is a limit of its statement and nothing else.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

from formulation.binding import Key
from formulation.ground import Choice, Cost, Ground, Rows
from formulation.numbers import Rational, exact

__all__ = ["fixed", "has_decisions", "room"]


def has_decisions(ground: Ground) -> bool:
    """Whether anything is held: whole numbers, or logic."""
    return any(column.integral for column in ground.columns) or bool(
        ground.choices or ground.whens or not all(map(_is_convex, ground.costs))
    )


def fixed(ground: Ground, values: Mapping[tuple[str, Key], Rational]) -> Ground:
    """The model with every decision held as it is at the values of the declared variables."""
    point: list[Rational] = [values.get((c.name, c.key), 0) if c.role == "variable" else 0 for c in ground.columns]
    for given in ground.ranges.values():
        # Halfway to the least used amount decides, so that a solver's tolerance does not.
        point[given.selected] = int(point[given.column] > Fraction(given.minimum) / 2)
    for lots in ground.lots:
        point[lots.count] = round(Fraction(lots.of.value(point)) / lots.size)
    columns = [
        replace(column, domain="continuous", lower=x, upper=x) if column.integral else column
        for column, x in zip(ground.columns, point, strict=True)
    ]
    rows = [*ground.rows, *(when.row for when in ground.whens if columns[when.column].lower == when.active)]
    for choice in ground.choices:
        rows += _held(choice, point)
    for given in ground.ranges.values():
        column = columns[given.column]
        if not point[given.selected]:
            columns[given.column] = replace(column, lower=0, upper=0)
        elif given.statement:
            row = Rows((given.column,), (1,), given.minimum, None, given.statement, given.key)
            rows += [row] if given.minimum else []
            rows += [replace(row, lower=None, upper=given.maximum)] if given.maximum is not None else []
        else:
            columns[given.column] = replace(column, lower=max(column.lower or 0, given.minimum))
    for lots in ground.lots:
        at = exact(lots.size * point[lots.count] - lots.of.constant)
        rows.append(Rows(lots.of.columns, lots.of.coefficients, at, at, lots.statement, lots.key))
    costs = [cost if _is_convex(cost) else _piece(cost, cost.of.value(point)) for cost in ground.costs]
    return replace(ground, columns=columns, rows=rows, whens=[], choices=[], ranges={}, lots=[], costs=costs)


def room(row: Rows, point: Sequence[Rational]) -> Rational:
    """How far a row is from its nearer limit at a point; below 0 where it is broken, 0 where it has no limit."""
    activity = sum(a * point[i] for i, a in zip(row.columns, row.coefficients, strict=True))
    ends = [] if row.upper is None else [row.upper - activity]
    ends += [] if row.lower is None else [activity - row.lower]
    return exact(min(ends, default=0))


def _held(choice: Choice, point: Sequence[Rational]) -> tuple[Rows, ...]:
    """The rows of the alternative that is kept with the most room."""
    return max(choice.alternatives, key=lambda rows: min((room(row, point) for row in rows), default=0))


def _slopes(cost: Cost) -> list[Rational]:
    inner = [exact(Fraction(g - f) / (b - a)) for (a, f), (b, g) in itertools.pairwise(cost.points)]
    return [slope for slope in (cost.before, *inner, cost.after) if slope is not None]


def _is_convex(cost: Cost) -> bool:
    return all(a <= b for a, b in itertools.pairwise(_slopes(cost)))


def _piece(cost: Cost, x: Rational) -> Cost:
    """The linear piece of a cost that holds at x."""
    first, last = cost.points[0], cost.points[-1]
    if cost.before is not None and x < first[0]:
        return replace(cost, points=(first,), after=None)
    if cost.after is not None and x > last[0]:
        return replace(cost, points=(last,), before=None)
    if len(cost.points) == 1:
        return replace(cost, after=None) if cost.before is not None else cost
    near = next((pair for pair in itertools.pairwise(cost.points) if x <= pair[1][0]), cost.points[-2:])
    return replace(cost, points=near, before=None, after=None)
