"""Exact values from a solver's floats.

Whole columns are rounded. The others are a vertex of what is left: where they lie is a linear system, the rows and
bounds that the solver's basis says are reached. It is solved exactly by refinement: the error of a point in exact
arithmetic, a correction from the solver's own factors of the basis, and a fraction near enough to be tried
(Gleixner, Steffy, Wolter, "Iterative refinement for linear programming", INFORMS J. Computing 28, 2016).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import frexp
from typing import TYPE_CHECKING, Final

import numpy as np

from formulation.build import to_highs
from formulation.engine import Settings, run
from formulation.ground import Column
from formulation.linearize import Matrix
from formulation.numbers import Rational, exact

if TYPE_CHECKING:
    import highspy

__all__ = ["Point", "recover", "size"]

_WITHIN: Final = Fraction(1, 10**6)
_NOISE: Final = 1e-9  # of a float that HiGHS gives for a simple fraction
_SAME: Final = 1e-12
_SIMPLE: Final = (10**3, 10**6, 10**9)  # largest denominators tried where there is no vertex
_TRIED: Final = (0, 1, 2, 4, 8, 16, 32)  # refinements after which fractions are tried
_MOST_WORK: Final = 300_000  # nonzeros times refinements: about a second; beyond it floats must do
_EXTRA_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Point:
    """A value for every column. `broken` is how far the worst row or bound is broken, beside its size; 0 is not."""

    values: tuple[Rational, ...]
    broken: Rational = 0


def recover(
    matrix: Matrix, floats: Sequence[float], settings: Settings, highs: highspy.Highs | None = None
) -> Point | None:
    """The exact point that a solver's floats stand for, or None where they break a row by more than 1e-6 of its size.

    With whole columns the others are solved for once more, those being fixed: the floats may rest on a binary that is
    closed to 1e-6 only. That is left out where simple fractions are plainly what is meant. `highs` is the solver that
    found the floats, where it holds a basis of this very matrix.
    """
    import highspy

    whole = [
        _within(column, round(x)) if column.integral else 0 for column, x in zip(matrix.columns, floats, strict=True)
    ]
    if all(column.integral for column in matrix.columns):
        return _judged(matrix, whole)
    plain = _plain(matrix, whole, floats)
    if plain is not None:
        return plain
    rest, found = matrix, floats
    if highs is None:
        rest = _fixed(matrix, whole)
        highs = to_highs(rest)
        # A time limit is for the search. What it found is worth the seconds of one linear program.
        deadline = None if settings.deadline is None else settings.deadline + _EXTRA_SECONDS
        if run(highs, replace(settings, deadline=deadline, log=False)):
            return _rounded(matrix, floats)
        if highs.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            return _rounded(matrix, floats)
        found = highs.getSolution().col_value
    vertex = _vertex(rest, found, highs)
    point = _judged(matrix, vertex) if vertex is not None else None
    return point if point is not None and not point.broken else _rounded(matrix, found)


def size(value: Rational) -> Rational:
    """The absolute value."""
    return value if value >= 0 else -value


def _within(column: Column, value: Rational) -> Rational:
    """The value, or the bound that it is beyond."""
    if column.lower is not None and value < column.lower:
        return -(-column.lower // 1) if column.integral else column.lower
    if column.upper is not None and value > column.upper:
        return column.upper // 1 if column.integral else column.upper
    return value


def _fixed(matrix: Matrix, whole: Sequence[Rational]) -> Matrix:
    columns = [
        replace(column, domain="continuous", lower=x, upper=x) if column.integral else column
        for column, x in zip(matrix.columns, whole, strict=True)
    ]
    return replace(matrix, columns=columns)


def _judged(matrix: Matrix, values: Sequence[Rational]) -> Point | None:
    worst: Rational = 0
    for column, value in zip(matrix.columns, values, strict=True):
        for bound, beyond in ((column.lower, -1), (column.upper, 1)):
            if bound is not None and beyond * (value - bound) > 0:
                worst = max(worst, beyond * (value - bound) / Fraction(max(1, size(bound))))
    for row in matrix.rows:
        at = sum(a * values[i] for i, a in zip(row.columns, row.coefficients, strict=True) if values[i])
        for bound, beyond in ((row.lower, -1), (row.upper, 1)):
            if bound is not None and beyond * (at - bound) > 0:
                worst = max(worst, beyond * (at - bound) / Fraction(max(1, size(bound))))
    return Point(tuple(values), worst) if worst <= _WITHIN else None


def _plain(matrix: Matrix, whole: Sequence[Rational], floats: Sequence[float]) -> Point | None:
    """Simple fractions that are the floats but for rounding, in every column and in the objective, and keep every row.

    Then nothing is left to be solved for.
    """
    values = [
        x if column.integral else exact(Fraction(found).limit_denominator(_SIMPLE[0]))
        for column, x, found in zip(matrix.columns, whole, floats, strict=True)
    ]
    if any(abs(float(x) - found) > _NOISE * max(1.0, abs(found)) for x, found in zip(values, floats, strict=True)):
        return None
    for objective in matrix.objectives:
        terms = list(zip(objective.of.columns, objective.of.coefficients, strict=True))
        at = float(sum(a * values[i] for i, a in terms))
        if abs(at - sum(float(a) * floats[i] for i, a in terms)) > _SAME * max(1.0, abs(at)):
            return None
    point = _judged(matrix, values)
    return None if point is None or point.broken else point


def _rounded(matrix: Matrix, floats: Sequence[float]) -> Point | None:
    """The floats as the simplest fractions that keep every row, or else as they are."""
    for most in (*_SIMPLE, 0):
        values = []
        for column, x in zip(matrix.columns, floats, strict=True):
            value: Rational
            if column.integral:
                value = round(x)
            else:
                value = exact(Fraction(x).limit_denominator(most) if most else Fraction(repr(x)))
            values.append(_within(column, value))
        point = _judged(matrix, values)
        if point is not None and (not point.broken or not most):
            return point
    return None


# ---- a vertex --------------------------------------------------------------------------------------------------------


def _vertex(matrix: Matrix, floats: Sequence[float], highs: highspy.Highs) -> list[Rational] | None:
    """The point where all rows and bounds are reached that the basis says are; None without a basis, or too costly."""
    from highspy import HighsBasisStatus as Status

    basis = highs.getBasis()
    if not basis.valid:
        return None
    values: list[Rational] = []
    basic: list[int] = []
    for i, (column, status) in enumerate(zip(matrix.columns, basis.col_status, strict=True)):
        if status == Status.kBasic:
            basic.append(i)
        values.append(_reached(column.lower, column.upper, status == Status.kUpper))
    place = {i: number for number, i in enumerate(basic)}
    terms: list[list[tuple[int, Rational]]] = []  # of basic columns, by their place
    targets: list[Rational] = []
    active: list[int] = []
    for number, (row, status) in enumerate(zip(matrix.rows, basis.row_status, strict=True)):
        if status == Status.kBasic:
            continue
        target = _reached(row.lower, row.upper, status == Status.kUpper)
        inside = []
        for i, a in zip(row.columns, row.coefficients, strict=True):
            if i in place:
                inside.append((place[i], a))
            elif values[i]:
                target -= a * values[i]
        terms.append(inside)
        targets.append(exact(target))
        active.append(number)
    solved = _solve(terms, targets, [floats[i] for i in basic], active, basic, highs)
    if solved is None:
        return None
    for i, value in zip(basic, solved, strict=True):
        values[i] = value
    return values


def _reached(lower: Rational | None, upper: Rational | None, at_upper: bool) -> Rational:
    """The bound that something nonbasic is at; 0 where it is free."""
    first, second = (upper, lower) if at_upper else (lower, upper)
    return first if first is not None else second if second is not None else 0


def _solve(
    terms: Sequence[Sequence[tuple[int, Rational]]],
    targets: Sequence[Rational],
    floats: Sequence[float],
    active: Sequence[int],
    basic: Sequence[int],
    highs: highspy.Highs,
) -> list[Rational] | None:
    """The x with terms * x == targets, near `floats`. Row k of it is the solver's row active[k], x[k] is basic[k]."""

    def errors(x: Sequence[Rational]) -> list[Rational]:
        return [target - sum(a * x[k] for k, a in row if x[k]) for row, target in zip(terms, targets, strict=True)]

    work = sum(map(len, terms)) + len(basic)
    x: list[Fraction] = [Fraction(value) for value in floats]
    order: dict[int, int] = {}
    for step in range(_TRIED[-1] + 1):
        if step in _TRIED:
            # Each refinement adds some 15 digits to x; a fraction of half as many is the only one so near.
            most = 10 ** (5 + 7 * step)
            tried = [exact(value.limit_denominator(most)) for value in x]
            if not any(errors(tried)):
                return tried
        if work * (step + 1) > _MOST_WORK:
            return None
        if not order:
            _, numbers = highs.getBasicVariables()
            order = {int(i): at for at, i in enumerate(numbers) if i >= 0}
        error = errors(x)
        worst = Fraction(2) ** frexp(float(max(map(size, error))))[1]
        given = np.zeros(highs.getNumRow())
        given[list(active)] = [float(e / worst) for e in error]
        _, correction = highs.getBasisSolve(given)
        if not np.all(np.isfinite(correction)):
            return None
        x = [value + Fraction(float(correction[order[i]])) * worst for value, i in zip(x, basic, strict=True)]
    return None
