"""Small mixed-integer linear models solved exactly: the judge of what a matrix says. No tolerance, no presolve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from formulation.ground import Rows
from formulation.linearize import Matrix
from formulation.numbers import Rational, exact

Terms = Mapping[int, Rational]
Bounds = list[Rational | None]


class Unbounded(Exception):
    """The optimum is infinite."""


class Simplex:
    """Rows between bounds over columns between bounds. Places 0..n-1 are the columns, n.. the rows' activities.

    The general simplex of Dutertre and de Moura (2006) with Bland's rule, over rationals. Bounds may change between
    calls; the tableau is kept.
    """

    def __init__(self, width: int, rows: Sequence[Rows]) -> None:
        self.width = width
        self.tableau: dict[int, dict[int, Rational]] = {
            width + k: dict(zip(row.columns, row.coefficients, strict=True)) for k, row in enumerate(rows)
        }
        self.value: list[Rational] = [0] * (width + len(rows))

    def feasible(self, lower: Bounds, upper: Bounds) -> bool:
        """Move to a point within the bounds, if there is one."""
        if any(low is not None and high is not None and low > high for low, high in zip(lower, upper, strict=True)):
            return False
        value = self.value
        for j in range(len(value)):
            if j not in self.tableau:
                low, high = lower[j], upper[j]
                if low is not None and value[j] < low:
                    value[j] = low
                elif high is not None and value[j] > high:
                    value[j] = high
        for b, row in self.tableau.items():
            value[b] = exact(sum(a * value[j] for j, a in row.items()))
        while True:
            leaving, target = -1, Fraction(0)
            for b in sorted(self.tableau):
                low, high = lower[b], upper[b]
                if low is not None and value[b] < low:
                    leaving, target, sign = b, low, 1
                    break
                if high is not None and value[b] > high:
                    leaving, target, sign = b, high, -1
                    break
            else:
                return True
            row = self.tableau[leaving]
            entering = min((j for j, a in row.items() if self._free(j, sign * a, lower, upper)), default=None)
            if entering is None:
                return False
            self._move(entering, Fraction(target - value[leaving]) / row[entering])
            self._pivot(leaving, entering)

    def maximize(self, terms: Terms, lower: Bounds, upper: Bounds) -> Rational:
        """The largest value of a linear expression, from a point within the bounds. Raises Unbounded."""
        value = self.value
        while True:
            gain: dict[int, Rational] = {}
            for i, c in terms.items():
                for j, a in self.tableau.get(i, {i: 1}).items():
                    gain[j] = gain.get(j, 0) + c * a
            entering = min((j for j, d in gain.items() if d and self._free(j, d, lower, upper)), default=None)
            if entering is None:
                return exact(sum(c * value[i] for i, c in terms.items()))
            sign = 1 if gain[entering] > 0 else -1
            steps: list[tuple[Rational, int]] = []
            for place, a in [(entering, 1), *((b, row.get(entering, 0)) for b, row in self.tableau.items())]:
                end = upper[place] if sign * a > 0 else lower[place]
                if a and end is not None:
                    steps.append((abs(Fraction(end - value[place]) / a), place))
            if not steps:
                raise Unbounded
            step, leaving = min(steps)
            self._move(entering, sign * step)
            if leaving != entering:
                self._pivot(leaving, entering)

    def _free(self, j: int, direction: Rational, lower: Bounds, upper: Bounds) -> bool:
        end = upper[j] if direction > 0 else lower[j]
        return end is None or self.value[j] != end

    def _move(self, entering: int, by: Rational) -> None:
        self.value[entering] = exact(self.value[entering] + by)
        for b, row in self.tableau.items():
            if entering in row:
                self.value[b] = exact(self.value[b] + row[entering] * by)

    def _pivot(self, leaving: int, entering: int) -> None:
        row = self.tableau.pop(leaving)
        pivot = Fraction(row.pop(entering))
        new = {leaving: exact(1 / pivot), **{j: exact(-a / pivot) for j, a in row.items()}}
        for other in self.tableau.values():
            factor = other.pop(entering, 0)
            if factor:
                for j, a in new.items():
                    found = exact(other.get(j, 0) + factor * a)
                    if found:
                        other[j] = found
                    else:
                        other.pop(j, None)
        self.tableau[entering] = new


class Exact:
    """The points of a matrix."""

    def __init__(self, matrix: Matrix) -> None:
        self.columns = matrix.columns
        self.rows = matrix.rows
        self.integral = [i for i, column in enumerate(matrix.columns) if column.integral]
        self.lower: Bounds = [x.lower for x in (*matrix.columns, *matrix.rows)]
        self.upper: Bounds = [x.upper for x in (*matrix.columns, *matrix.rows)]
        self.simplex = Simplex(len(matrix.columns), matrix.rows)

    def bounds(self, fixed: Terms, without: int | None = None) -> tuple[Bounds, Bounds]:
        """Bounds with some columns held at values, and one row left out."""
        lower, upper = list(self.lower), list(self.upper)
        for i, x in fixed.items():
            lower[i] = x if lower[i] is None else max(lower[i], x)
            upper[i] = x if upper[i] is None else min(upper[i], x)
        if without is not None:
            lower[len(self.columns) + without] = upper[len(self.columns) + without] = None
        return lower, upper

    def best(self, terms: Terms, fixed: Terms, without: int | None = None) -> tuple[Rational, list[Rational]] | None:
        """The largest value of an expression and a point that has it; None where there is no point.

        Integers are branched on. Raises Unbounded.
        """
        incumbent: tuple[Rational, list[Rational]] | None = None
        waiting = [self.bounds(fixed, without)]
        simplex = self.simplex
        while waiting:
            lower, upper = waiting.pop()
            if not simplex.feasible(lower, upper):
                continue
            value = simplex.maximize(terms, lower, upper)
            if incumbent is not None and value <= incumbent[0]:
                continue
            point = simplex.value
            broken = next((i for i in self.integral if point[i].denominator != 1), None)
            if broken is None:
                incumbent = value, point[: len(self.columns)]
                continue
            below, above = list(upper), list(lower)
            below[broken], above[broken] = point[broken] // 1, point[broken] // 1 + 1
            waiting += [(lower, below), (above, upper)]
        return incumbent
