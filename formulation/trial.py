"""Whether a written-out model has a point, and its best one: the trials that conflicts and relaxations are made of.

What is tried is often a part of a model, without the bounds that its big-Ms need. A conditional row without a usable M
is left out at first; where the point found breaks it, the search goes on in two halves: the decision turned the other
way, and the row in force. So every answer is about the logic itself, and large Ms weaken none.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import gcd, lcm
from typing import Final, Literal

from formulation.engine import Settings, by_highs
from formulation.ground import Column, Ground, Rows, When
from formulation.linearize import Interval, Matrix, intervals, linearize
from formulation.numbers import Rational, exact
from formulation.recover import recover, size

__all__ = ["Found", "best", "best_of", "relaxed", "within"]

_LARGE: Final = 10**6  # an M above this leaks: a solver's 1e-7 of it is no longer small
_TOLERANCE: Final = 1e-9  # of a point that no exact one was found for
_PATIENCE: Final = 3.0  # seconds: branching on whole numbers without bounds may never end
_ENDLESS: Final = Settings()


@dataclass(frozen=True, slots=True)
class Found:
    """`found`: the best point, or any where nothing is optimised; `none`: there is no point; else `undecided`.

    `point` holds the values of the ground's columns; an undecided search may hold the best point it has seen.
    """

    verdict: Literal["found", "none", "undecided"]
    point: tuple[Rational, ...] = ()
    value: Rational = 0


def within(seconds: float | None) -> Settings:
    """Settings with a limit of so many seconds from now, or none."""
    return Settings(limit=seconds, deadline=None if seconds is None else time.monotonic() + seconds)


def best(ground: Ground, *, settings: Settings = _ENDLESS, presolve: bool = True) -> Found:
    """The least value of the ground's one goal (to be minimised) at a point that all its statements allow.

    Costs of statements count nothing here: only what they forbid. Raises DataError for numbers beyond a solver.
    """
    found = _search(ground, settings, presolve, _LARGE)
    if found.verdict == "undecided" and settings.left() != 0:
        # A point of rounded integers was none: an M, though usable, leaked. Without any the logic is searched itself.
        found = _search(ground, settings, presolve, 0)
    return found


def _search(ground: Ground, settings: Settings, presolve: bool, most: int) -> Found:
    written, loose = _written(ground, most)
    matrix = linearize(written)
    waiting: list[tuple[dict[int, int], tuple[Rows, ...]]] = [({}, ())]
    incumbent: Found | None = None
    undecided = False
    while waiting:
        fixed, rows = waiting.pop()
        found = best_of(_narrowed(matrix, fixed, rows), settings, presolve=presolve)
        undecided |= found.verdict == "undecided"
        if not found.point or (incumbent is not None and found.value >= incumbent.value):
            continue
        broken = next((when for when in loose if _broken(when, found.point)), None)
        if broken is None:
            incumbent = replace(found, point=found.point[: len(ground.columns)])
            if not matrix.objectives:
                break
            continue
        together = tuple(when.row for when in loose if when.column == broken.column and when.active == broken.active)
        waiting.append(({**fixed, broken.column: broken.active}, (*rows, *together)))
        if broken.column not in fixed:  # else this half was searched when it was fixed
            waiting.append(({**fixed, broken.column: 1 - broken.active}, rows))
    if incumbent is None:
        return Found("undecided" if undecided else "none")
    return replace(incumbent, verdict="undecided" if undecided and matrix.objectives else "found")


def relaxed(ground: Ground) -> Matrix:
    """Rows that every point of a ground satisfies, with all columns continuous and nothing to optimise."""
    written, _ = _written(ground, _LARGE)
    matrix = linearize(replace(written, goals=[]))
    matrix.columns = [replace(column, domain="continuous") for column in matrix.columns]
    return matrix


def _written(ground: Ground, most: int) -> tuple[Ground, list[When]]:
    """A ground of which no M is above `most`, and the conditional rows that were taken out for that."""
    columns, rows, whens = list(ground.columns), list(ground.rows), list(ground.whens)
    for cost in ground.costs:
        low = None if cost.before is not None else exact(cost.points[0][0] - cost.of.constant)
        high = None if cost.after is not None else exact(cost.points[-1][0] - cost.of.constant)
        if low is not None or high is not None:
            rows.append(Rows(cost.of.columns, cost.of.coefficients, low, high, cost.statement, cost.key))
    for choice in ground.choices:
        binaries = tuple(range(len(columns), len(columns) + len(choice.alternatives)))
        of = Column(f"{choice.statement}.choice", choice.key, "binary", 0, 1, "choice", choice.statement)
        columns += [of] * len(binaries)
        rows.append(Rows(binaries, (1,) * len(binaries), 1, None, choice.statement, choice.key, derived=True))
        for binary, alternative in zip(binaries, choice.alternatives, strict=True):
            whens += [When(binary, 1, row) for row in alternative]
    rows = [_whole(columns, row) for row in rows]
    whens = [replace(when, row=_whole(columns, when.row)) for when in whens]
    bounds = intervals(columns, rows) if whens or ground.ranges else []
    ranges = {}
    for number, given in ground.ranges.items():
        ends = [x for x in (bounds[number].upper, given.maximum) if x is not None]
        if ends and min(ends) <= most:
            ranges[number] = given
            continue
        row = Rows((number,), (1,), None, 0, given.statement, given.key, derived=True)
        whens.append(When(given.selected, 0, row))
        if given.maximum is not None:
            whens.append(When(given.selected, 1, replace(row, upper=given.maximum)))
        if given.minimum:
            rows.append(
                Rows((number, given.selected), (1, -given.minimum), 0, None, given.statement, given.key, derived=True)
            )
    loose = [when for when in whens if not _usable(when.row, bounds, most)]
    tight = [when for when in whens if _usable(when.row, bounds, most)] if loose else whens
    written = replace(ground, columns=columns, rows=rows, whens=tight, choices=[], ranges=ranges, costs=[])
    return written, loose


def _whole(columns: Sequence[Column], row: Rows) -> Rows:
    """A row with limits that whole numbers can reach, or that cross where these can reach none.

    What whole numbers add up to is a multiple of the gcd of their coefficients. Branching might never see that where
    they have no bounds.
    """
    if row.columns and all(columns[i].integral for i in row.columns):
        step = _step(row.coefficients)
        lower = None if row.lower is None else exact(-(-row.lower // step) * step)
        upper = None if row.upper is None else exact(row.upper // step * step)
        row = replace(row, lower=lower, upper=upper)
    # Those without bounds must find a multiple between the limits and what the other columns add.
    endless: list[Rational] = []
    least, most = row.lower, row.upper
    for i, a in zip(row.columns, row.coefficients, strict=True):
        column = columns[i]
        if column.lower is None or column.upper is None:
            if not column.integral:
                return row
            endless.append(a)
        else:
            ends = sorted((a * column.lower, a * column.upper))
            least, most = None if least is None else least - ends[1], None if most is None else most - ends[0]
    if not endless or least is None or most is None:
        return row
    step = _step(endless)
    return row if -(-least // step) <= most // step else replace(row, lower=1, upper=0)


def _step(coefficients: Sequence[Rational]) -> Fraction:
    """The gcd of rational numbers."""
    below = lcm(*(Fraction(a).denominator for a in coefficients))
    return Fraction(gcd(*(int(a * below) for a in coefficients)), below)


def _usable(row: Rows, bounds: Sequence[Interval], most: int) -> bool:
    """Whether the row can be switched off by an M of at most that size."""
    for bound, sign in ((row.upper, 1), (row.lower, -1)):
        if bound is None:
            continue
        reach: Rational = 0
        for i, a in zip(row.columns, row.coefficients, strict=True):
            end = bounds[i].upper if sign * a > 0 else bounds[i].lower
            if end is None:
                return False
            reach += a * end
        if sign * (reach - bound) > most:
            return False
    return True


def _broken(when: When, point: Sequence[Rational]) -> bool:
    if point[when.column] != when.active:
        return False
    activity = sum(a * point[i] for i, a in zip(when.row.columns, when.row.coefficients, strict=True))
    return any(
        bound is not None and sign * (activity - bound) > _TOLERANCE * max(1, size(bound))
        for bound, sign in ((when.row.upper, 1), (when.row.lower, -1))
    )


def _narrowed(matrix: Matrix, fixed: dict[int, int], rows: tuple[Rows, ...]) -> Matrix:
    if not fixed:
        return matrix
    columns = list(matrix.columns)
    for i, value in fixed.items():
        columns[i] = replace(columns[i], lower=value, upper=value)
    return replace(matrix, columns=columns, rows=[*matrix.rows, *rows])


def best_of(matrix: Matrix, settings: Settings, *, presolve: bool = True) -> Found:
    """The best point of a matrix whose objective, if any, is bounded.

    Its whole columns are rounded, and the others solved for exactly beside them.
    """
    settings = settings.patient(matrix, _PATIENCE)
    if settings.left() == 0:
        return Found("undecided")
    answer = by_highs(matrix, settings, presolve=presolve, precise=True)
    # Nothing here is unbounded: where HiGHS cannot tell that from infeasible, it is infeasible.
    if answer.verdict in ("infeasible", "unbounded"):
        return Found("none")
    point = recover(matrix, answer.values, settings, answer.highs) if answer.values is not None else None
    if point is None or point.broken > _TOLERANCE:
        return Found("undecided")
    of = matrix.objectives[0].of if matrix.objectives else None
    proved = answer.verdict == "optimal" or of is None
    return Found("found" if proved else "undecided", point.values, of.value(point.values) if of is not None else 0)
