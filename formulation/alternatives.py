"""Other solutions: whether an optimum is the only one, and the best few that differ in whole numbers."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import inf
from typing import TYPE_CHECKING, Final, Literal

from data.errors import DataError, UserError
from formulation.binding import Key
from formulation.engine import Settings, by_highs
from formulation.fixed import fixed
from formulation.ground import Column, Linear, Rows
from formulation.linearize import Interval, Matrix, Objective, intervals, linearize
from formulation.meaning import World
from formulation.numbers import Rational, exact
from formulation.recover import recover, size
from formulation.solve import Solution, objective_at, solve_matrix
from formulation.trial import best_of, within

if TYPE_CHECKING:
    import highspy

    from formulation.model import Model

__all__ = ["Pool", "Uniqueness", "pool", "uniqueness"]

Values = Mapping[tuple[str, Key], Rational]
_SAME: Final = Fraction(1, 10**9)
_REDUCED: Final = 1e-7  # a reduced cost below it is 0 for HiGHS


@dataclass(frozen=True, slots=True)
class Uniqueness:
    """Whether a solution is the only optimal one: `no` comes with a second one that differs in a declared variable.

    `undecided` comes with the reason.
    """

    verdict: Literal["yes", "no", "undecided"]
    second: Values | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Pool:
    """Solutions, the best first, each with other whole numbers.

    `complete`: there are no more, within the gap. `note` says what was not enumerated, and why the pool ends early.
    """

    solutions: tuple[Solution, ...]
    complete: bool
    note: str


def uniqueness(model: Model, solution: Solution, *, time_limit: float | None = None) -> Uniqueness:
    """Whether another point is as good as an optimal solution of the model, within so many seconds.

    First with the same decisions (a linear model), then with other whole numbers, then with the same whole numbers and
    other logic, such as another alternative.
    """
    if not solution.optimal:
        return Uniqueness("undecided", reason=f"the solution is not proved optimal: {solution.status}")
    settings = within(time_limit)
    search = _Second(model, solution, settings)
    for step in (search.beside, search.with_other_numbers, search.with_other_logic):
        found = step()
        if found is not None:
            return found
    return Uniqueness("yes")


class _Second:
    """The search for a second optimal solution. A step answers, or says None: it rules out what it looked at."""

    def __init__(self, model: Model, solution: Solution, settings: Settings) -> None:
        self.model, self.solution, self.settings = model, solution, settings
        self.matrix = model.matrix
        self.levels: list[Rational] = []

    # -- with the same decisions --

    def beside(self) -> Uniqueness | None:
        """Other values of what is continuous, all decisions being the same.

        Every other point of a polyhedron lies strictly within a bound or a row that its vertex reaches by the basis.
        So a vertex is the only optimum if the sum of these distances, a linear function that is nowhere below 0, can
        grow nowhere among the optima (Appa, Journal of the Operational Research Society 53, 2002).
        """
        matrix = linearize(fixed(self.model.ground, self.solution.values))
        goals, away, point = matrix.objectives, list[Linear](), tuple[Rational, ...]()
        for number in range(max(len(goals), 1)):
            level = replace(matrix, objectives=goals[number : number + 1])
            answer = by_highs(level, self.settings, precise=True)
            vertex = None if answer.values is None else recover(level, answer.values, self.settings, answer.highs)
            if answer.verdict != "optimal" or answer.highs is None or vertex is None:
                return self._open(answer.reason)
            point = vertex.values
            self.levels += [goal.of.value(point) for goal in level.objectives]
            matrix, away = _optima(level, answer.highs)
        told = self._judged(point)
        if told is not None:
            return told
        for direction in away:
            # One step is enough: there may be endlessly many.
            end = exact(direction.value(point) - direction.constant + 1)
            rows = [*matrix.rows, Rows(direction.columns, direction.coefficients, None, end, "")]
            told = self._look(replace(matrix, rows=rows, objectives=[Objective("maximize", direction)]))
            if told is not None:
                return told
        return None

    # -- with other decisions --

    def with_other_numbers(self) -> Uniqueness | None:
        """Other values of the declared whole numbers, as good on every goal."""
        optima = self._as_good()
        bounds = intervals(optima.columns, optima.rows)
        values = self._values()
        ranged = [i for i in values if bounds[i].lower is not None and bounds[i].upper is not None]
        tried = [_excluding(optima, {i: values[i] for i in ranged}, bounds)] if ranged else []
        for i in values.keys() - set(ranged):
            # Without bounds it is moved to one side and to the other.
            tried += [_bounded(optima, i, None, values[i] - 1), _bounded(optima, i, values[i] + 1, None)]
        return next((told for told in map(self._look, tried) if told is not None), None)

    def with_other_logic(self) -> Uniqueness | None:
        """Other continuous values with the same whole numbers, where alternatives or other logic may be taken anew.

        The largest distance from the solution, a sum of absolute values, each with a binary for its sign.
        """
        if all(column.role == "variable" for column in self.matrix.columns if column.integral):
            return None
        optima, values = self._as_good(), self._values()
        for i, value in values.items():
            optima = _bounded(optima, i, value, value)
        bounds = intervals(optima.columns, optima.rows)
        columns, rows, distances = list(optima.columns), list(optima.rows), []
        for i, column in enumerate(self.matrix.columns):
            if column.role != "variable" or column.integral:
                continue
            low, high = bounds[i].lower, bounds[i].upper
            at = exact(self.solution.values[column.name, column.key])
            if low is None or high is None:
                return self._open(f"{column} has no lower and upper bound")
            most = exact(max(Fraction(high - at), Fraction(at - low), Fraction(0)))
            distance, above = len(columns), len(columns) + 1
            columns += [
                Column("distance", (i,), "continuous", 0, most, "piece"),
                Column("distance.above", (i,), "binary", 0, 1, "piece"),
            ]
            rows.append(_row({distance: 1, i: -1, above: 2 * most}, None, 2 * most - at))
            rows.append(_row({distance: 1, i: 1, above: -2 * most}, None, at))
            distances.append(distance)
        total = Linear(tuple(distances), (1,) * len(distances))
        return self._look(replace(optima, columns=columns, rows=rows, objectives=[Objective("maximize", total)]))

    def _values(self) -> dict[int, int]:
        """The declared whole numbers as they are, by their columns."""
        return _whole_values(self.matrix, self.solution)

    def _as_good(self) -> Matrix:
        """The points that are as good on every goal, and nothing to optimise."""
        kept = []
        for objective, at in zip(self.matrix.objectives, self.levels, strict=True):
            of, end = objective.of, exact(at - objective.of.constant)
            lower, upper = (end, None) if objective.sense == "maximize" else (None, end)
            kept.append(Rows(of.columns, of.coefficients, lower, upper, "objective"))
        return replace(self.matrix, rows=[*self.matrix.rows, *kept], objectives=[])

    # -- judging --

    def _look(self, matrix: Matrix) -> Uniqueness | None:
        """The answer that the best point of a matrix gives."""
        found = best_of(matrix, self.settings)
        if found.verdict == "none":
            found = best_of(matrix, self.settings, presolve=False)
        told = self._judged(found.point) if found.point else None
        return self._open("") if told is None and found.verdict == "undecided" else told

    def _judged(self, point: Sequence[Rational]) -> Uniqueness | None:
        """The answer that a point gives: None where it is the solution itself."""
        columns = self.matrix.ground.columns
        values = {(c.name, c.key): x for c, x in zip(columns, point, strict=False) if c.role == "variable"}
        best = self.solution.values
        if all(_same(value, best[at]) for at, value in values.items()):
            return None
        goals, before = (_goals(World(self.model.bound, at)) for at in (values, best))
        if all(map(_same, goals, before)):
            return Uniqueness("no", values)
        return self._open("another point is almost as good, too near to tell")

    def _open(self, why: str) -> Uniqueness:
        return Uniqueness("undecided", reason=why or "the time limit was reached")


def _same(a: Rational, b: Rational) -> bool:
    return size(a - b) <= _SAME * max(1, size(b))


def _goals(world: World) -> tuple[Rational, ...]:
    objective, goals = objective_at(world)
    return () if objective is None else (objective, *goals)


def _optima(matrix: Matrix, highs: highspy.Highs) -> tuple[Matrix, list[Linear]]:
    """The optima of a continuous matrix, around the vertex that the solver holds, and the directions away from it.

    The first direction is the sum of the distances from all bounds and rows that the vertex reaches by its basis, but
    for those that every optimum reaches. Columns without bounds that rest at 0 may go either way.
    """
    from highspy import HighsBasisStatus as Status

    solution, basis = highs.getSolution(), highs.getBasis()
    columns, rows = list(matrix.columns), list(matrix.rows)
    away: dict[int, Rational] = {}
    constant: Rational = 0
    free: list[int] = []
    for number, (column, status) in enumerate(zip(columns, basis.col_status, strict=True)):
        if status == Status.kBasic or (column.lower is not None and column.lower == column.upper):
            continue
        at, sign = _reached(column.lower, column.upper, status == Status.kUpper)
        if at is None:
            free.append(number)
        elif abs(solution.col_dual[number]) > _REDUCED:
            columns[number] = replace(column, lower=at, upper=at)
        else:
            away[number] = away.get(number, 0) + sign
            constant -= sign * at
    for number, (row, status) in enumerate(zip(rows, basis.row_status, strict=True)):
        if status == Status.kBasic or (row.lower is not None and row.lower == row.upper):
            continue
        at, sign = _reached(row.lower, row.upper, status == Status.kUpper)
        if at is None:
            continue
        if abs(solution.row_dual[number]) > _REDUCED:
            rows[number] = replace(row, lower=at, upper=at)
        else:
            for i, a in zip(row.columns, row.coefficients, strict=True):
                away[i] = away.get(i, 0) + sign * a
            constant -= sign * at
    kept = {i: exact(a) for i, a in away.items() if a}
    total = [Linear(tuple(kept), tuple(kept.values()), exact(constant))] if kept else []
    sides = [Linear((i,), (sign,)) for i in free for sign in (1, -1)]
    return replace(matrix, columns=columns, rows=rows), [*total, *sides]


def _reached(lower: Rational | None, upper: Rational | None, at_upper: bool) -> tuple[Rational | None, int]:
    """The bound that something nonbasic is at, and the direction (1 or -1) that leads away from it."""
    if upper is not None and (at_upper or lower is None):
        return upper, -1
    return lower, 1


# ---- other whole numbers ---------------------------------------------------------------------------------------------


def pool(model: Model, n: int, gap: float | None = None, *, time_limit: float | None = None) -> Pool:
    """The best n solutions that differ in the declared whole numbers, the best first, within so many seconds.

    With `gap`, only those whose objective is worse than the best one's by at most this share of its size: 0.05 is 5%.
    Each is found with the values of all before it excluded. Raises UserError, and DataError where a whole number has
    no bounds, declared or implied, within which others could be sought.
    """
    if n < 1:
        raise UserError(f"n: {n} is no number of solutions: give 1 or more")
    if gap is not None and not 0 <= gap < inf:
        raise UserError(f"gap: {gap} is no share: give 0 or more, such as 0.05, or leave it out")
    started = time.monotonic()
    matrix = model.matrix
    found: list[Solution] = []
    note = "what is continuous is not enumerated: each solution holds one best choice of it"
    note = note if any(c.role == "variable" and not c.integral for c in matrix.columns) else ""
    values: list[dict[int, int]] = []
    while len(found) < n:
        left = None if time_limit is None else time_limit - (time.monotonic() - started)
        if left is not None and left <= 0:
            return Pool(tuple(found), False, _joined(note, "the time limit was reached"))
        tried = _narrowed_to(matrix, found[0], gap) if found and gap is not None else matrix
        bounds = intervals(tried.columns, tried.rows) if values else []
        for one in values:
            tried = _excluding(tried, one, bounds)
        solution = solve_matrix(model, tried, time_limit=left)
        if solution.status == "infeasible":
            return Pool(tuple(found), True, note)
        if not solution.optimal:
            return Pool(tuple(found), False, _joined(note, solution.reason))
        helpers = {at: x for at, x in solution.helpers.items() if not at[0].startswith(_OTHER)}
        found.append(replace(solution, helpers=helpers))
        values.append(_whole_values(matrix, solution))
        if not values[-1]:
            return Pool(tuple(found), True, note)
    return Pool(tuple(found), False, note)


_OTHER: Final = "other."


def _joined(note: str, why: str) -> str:
    return f"{note}; {why}" if note else why


def _narrowed_to(matrix: Matrix, best: Solution, gap: float) -> Matrix:
    """The points whose first objective is at most so much worse than the best one's."""
    if not matrix.objectives or best.objective is None:
        return matrix
    objective = matrix.objectives[0]
    of, may_lose = objective.of, abs(best.objective) * Fraction(repr(float(gap)))
    if objective.sense == "maximize":
        lower, upper = exact(best.objective - may_lose - of.constant), None
    else:
        lower, upper = None, exact(best.objective + may_lose - of.constant)
    return replace(matrix, rows=[*matrix.rows, Rows(of.columns, of.coefficients, lower, upper, "objective")])


def _whole_values(matrix: Matrix, solution: Solution) -> dict[int, int]:
    return {
        i: int(solution.values[column.name, column.key])
        for i, column in enumerate(matrix.columns)
        if column.role == "variable" and column.integral
    }


def _excluding(matrix: Matrix, values: Mapping[int, int], bounds: Sequence[Interval]) -> Matrix:
    """The matrix without the points at which all these whole columns have these values: a no-good cut.

    A column of two values differs or not. Any other is above its value, or below it, or neither, with a binary each.
    Raises DataError for a column without bounds.
    """
    columns, rows = list(matrix.columns), list(matrix.rows)
    terms: dict[int, Rational] = {}
    least: Rational = 1

    def differs(i: int, by: Rational, lower: Rational | None, upper: Rational | None) -> None:
        terms[len(columns)] = 1
        rows.append(_row({i: 1, len(columns): by}, lower, upper))
        columns.append(Column(f"{_OTHER}value", (len(columns),), "binary", 0, 1, "piece"))

    for i, value in values.items():
        low, high = bounds[i].lower, bounds[i].upper
        if low is None or high is None:
            end = "lower" if low is None else "upper"
            raise DataError(f"{matrix.columns[i]}: other values of it cannot be sought: give it an {end} bound")
        low, high = min(-(-low // 1), value), max(high // 1, value)
        if (low, high) == (0, 1):
            terms[i] = -1 if value else 1
            least -= value
            continue
        if value < high:
            differs(i, low - value - 1, low, None)  # x >= low + (value + 1 - low)*above
        if value > low:
            differs(i, high - value + 1, None, high)  # x <= high - (high - value + 1)*below
    rows.append(_row(terms, least, None))
    return replace(matrix, columns=columns, rows=rows)


def _bounded(matrix: Matrix, column: int, lower: int | None, upper: int | None) -> Matrix:
    """The matrix with one column within narrower bounds."""
    columns = list(matrix.columns)
    old = columns[column]
    columns[column] = replace(
        old,
        lower=lower if lower is not None else old.lower,
        upper=upper if upper is not None else old.upper,
    )
    return replace(matrix, columns=columns)


def _row(terms: Mapping[int, Rational], lower: Rational | None, upper: Rational | None) -> Rows:
    kept = {i: a for i, a in terms.items() if a}
    return Rows(tuple(kept), tuple(kept.values()), lower, upper, "")
