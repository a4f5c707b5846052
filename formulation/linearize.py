"""A written-out model as columns and rows alone: logic, ranges, lots and costs become linear rows.

Big-M values are interval bounds of the row's activity, from declared bounds and bounds that rows imply. Each one
records the statements it rests on; since a model is written out anew after every edit, none outlives what it rests on.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Final, Literal

from data.errors import DataError
from formulation.ground import Choice, Column, Cost, Ground, GroundGoal, Linear, Lots, Range, Rows, When
from formulation.numbers import Rational, exact

__all__ = ["BigM", "Interval", "Matrix", "Objective", "intervals", "linearize"]

_ROUNDS: Final = 5  # of bound tightening; more rarely help
_MOST_NONZEROS: Final = 200_000  # larger models keep their declared bounds


@dataclass(frozen=True, slots=True)
class Interval:
    """Bounds of a column that hold in every feasible point, and the statements that they rest on."""

    lower: Rational | None
    upper: Rational | None
    rests_on: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class BigM:
    """The constant that switches row number `row` off, and the statements whose removal changes it.

    The row holds as it was meant where the binary `column` has the value `active`.
    """

    row: int
    value: Rational
    rests_on: frozenset[str]
    column: int
    active: Literal[0, 1]


@dataclass(frozen=True, slots=True)
class Objective:
    """One linear objective."""

    sense: Literal["minimize", "maximize"]
    of: Linear


@dataclass
class Matrix:
    """A mixed-integer linear model. `objectives`: the most important first; without any, every point is as good.

    The first columns are those of `ground`, with the same numbers.
    """

    ground: Ground
    columns: list[Column]
    rows: list[Rows] = field(default_factory=list)
    objectives: list[Objective] = field(default_factory=list)
    big_ms: list[BigM] = field(default_factory=list)


def linearize(ground: Ground) -> Matrix:
    """Turn logic into rows. Raises DataError where a big-M has no finite value, naming what lacks a bound."""
    matrix = Matrix(ground, list(ground.columns), list(ground.rows))
    _Linearizer(matrix).run()
    return matrix


class _Linearizer:
    def __init__(self, matrix: Matrix) -> None:
        self.matrix = matrix
        self.ground = matrix.ground
        logic = self.ground.whens or self.ground.choices or self.ground.ranges or self.ground.lots or self.ground.costs
        self.bounds: list[Interval] = intervals(self.ground.columns, self.ground.rows) if logic else []

    def run(self) -> None:
        for found in self.ground.ranges.values():
            self._range(found)
        for lots in self.ground.lots:
            self._lots(lots)
        for when in self.ground.whens:
            self._when(when)
        for choice in self.ground.choices:
            self._choice(choice)
        costs = [self._cost(cost) for cost in self.ground.costs]
        self._objectives(costs)

    # -- bounds --

    def _activity(self, columns: Sequence[int], coefficients: Sequence[Rational]) -> Interval:
        """The interval of a linear expression."""
        ends: list[Rational | None] = [0, 0]
        rests: set[str] = set()
        for i, a in zip(columns, coefficients, strict=True):
            bound = self.bounds[i] if i < len(self.bounds) else _declared(self.matrix.columns[i])
            low, high = (bound.lower, bound.upper) if a > 0 else (bound.upper, bound.lower)
            for side, end in enumerate((low, high)):
                so_far = ends[side]
                ends[side] = None if end is None or so_far is None else so_far + a * end
            rests |= bound.rests_on
        return Interval(ends[0], ends[1], frozenset(rests))

    def _unbounded(self, columns: Iterable[int], statement: str) -> DataError:
        """A mistake that names the columns without the bounds that a big-M needs."""
        names = {
            self.matrix.columns[i].name
            for i in columns
            if (bound := self.bounds[i] if i < len(self.bounds) else _declared(self.matrix.columns[i])).upper is None
            or bound.lower is None
        }
        which = ", ".join(sorted(names))
        return DataError(f"{statement or which}: needs finite bounds of {which}: give an upper (and lower) bound")

    def _add(self, row: Rows) -> int:
        kept = [(i, a) for i, a in zip(row.columns, row.coefficients, strict=True) if a]
        columns, coefficients = tuple(i for i, _ in kept), tuple(a for _, a in kept)
        self.matrix.rows.append(replace(row, columns=columns, coefficients=coefficients, derived=True))
        return len(self.matrix.rows) - 1

    def _column(self, column: Column) -> int:
        self.matrix.columns.append(column)
        return len(self.matrix.columns) - 1

    # -- primitives --

    def _range(self, given: Range) -> None:
        """minimum*y <= x <= maximum*y."""
        bound = self.bounds[given.column]
        upper, rests = bound.upper, bound.rests_on
        if given.maximum is not None and (upper is None or given.maximum < upper):
            upper, rests = given.maximum, frozenset()
        if upper is None:
            raise self._unbounded([given.column], given.statement)
        columns = (given.column, given.selected)
        if given.minimum:
            self._add(Rows(columns, (1, -given.minimum), 0, None, given.statement, given.key))
        row = self._add(Rows(columns, (1, exact(-upper)), None, 0, given.statement, given.key))
        self.matrix.big_ms.append(BigM(row, upper, rests, given.selected, 0))

    def _lots(self, given: Lots) -> None:
        """of == size * count."""
        found = self._activity(given.of.columns, given.of.coefficients)
        ends = [
            None if end is None else exact((Fraction(end) + given.of.constant) / given.size)
            for end in (found.lower, found.upper)
        ]
        column = self.matrix.columns[given.count]
        lower = None if ends[0] is None else -(-ends[0] // 1)
        upper = None if ends[1] is None else ends[1] // 1
        self.matrix.columns[given.count] = replace(column, lower=lower, upper=upper)
        self._add(
            Rows(
                (*given.of.columns, given.count),
                (*given.of.coefficients, exact(-given.size)),
                exact(-given.of.constant),
                exact(-given.of.constant),
                given.statement,
                given.key,
            )
        )

    def _when(self, given: When) -> None:
        """The row, loosened by M where the decision is the other way."""
        row = given.row
        found = self._activity(row.columns, row.coefficients)
        for bound, end, sign in ((row.upper, found.upper, 1), (row.lower, found.lower, -1)):
            if bound is None:
                continue
            if end is None:
                raise self._unbounded(row.columns, row.statement)
            big = sign * (end - bound)
            if big <= 0:
                continue  # the row holds anyway
            # a*x + M*y <= bound + M where y = 1 switches it on, a*x - M*y <= bound where y = 0 does; alike for >=.
            push = exact(sign * big * (1 if given.active else -1))
            at = exact(bound + (push if given.active else 0))
            terms = dict(zip(row.columns, row.coefficients, strict=True))
            terms[given.column] = terms.get(given.column, 0) + push
            kept = {i: a for i, a in terms.items() if a}
            lower, upper = (None, at) if sign == 1 else (at, None)
            number = self._add(Rows(tuple(kept), tuple(kept.values()), lower, upper, row.statement, row.key))
            self.matrix.big_ms.append(BigM(number, exact(big), found.rests_on, given.column, given.active))

    def _choice(self, given: Choice) -> None:
        """A binary for every alternative; at least one is 1."""
        binaries = [
            self._column(Column(f"{given.statement}.choice{n}", given.key, "binary", 0, 1, "choice", given.statement))
            for n in range(1, len(given.alternatives) + 1)
        ]
        self._add(Rows(tuple(binaries), (1,) * len(binaries), 1, None, given.statement, given.key))
        for binary, rows in zip(binaries, given.alternatives, strict=True):
            for row in rows:
                self._when(When(binary, 1, row))

    def _cost(self, given: Cost) -> Linear:
        """The cost itself where it is linear; else a column that holds it or more, which the objective pushes down."""
        slopes = [exact(Fraction(g - f) / (b - a)) for (a, f), (b, g) in itertools.pairwise(given.points)]
        every = [s for s in (given.before, *slopes, given.after) if s is not None]
        of, (first, last) = given.of, (given.points[0], given.points[-1])
        lower = exact(first[0] - of.constant) if given.before is None else None
        upper = exact(last[0] - of.constant) if given.after is None else None
        if lower is not None or upper is not None:
            self._add(Rows(of.columns, of.coefficients, lower, upper, given.statement, given.key))
        if len(set(every)) == 1:
            (x, y), slope = first, every[0]
            terms_ = {i: slope * a for i, a in zip(of.columns, of.coefficients, strict=True)}
            return _linear(terms_, y + slope * (of.constant - x))
        name = f"{given.statement}.cost"
        cost = self._column(Column(name, given.key, "continuous", None, None, "cost", given.statement))
        pieces = self._pieces(given, slopes)
        if all(a <= b for a, b in itertools.pairwise(every)):
            for _, _, slope, (x, y) in pieces:
                # cost >= y + slope*(of - x)
                terms = tuple(exact(-slope * a) for a in of.coefficients)
                at = exact(y + slope * (of.constant - x))
                kept = [(i, a) for i, a in zip(of.columns, terms, strict=True) if a]
                columns, coefficients = (cost, *(i for i, _ in kept)), (1, *(a for _, a in kept))
                self._add(Rows(columns, coefficients, at, None, given.statement, given.key))
        else:
            self._segments(given, cost, pieces)
        return Linear((cost,), (1,))

    @staticmethod
    def _pieces(
        given: Cost, slopes: Sequence[Rational]
    ) -> list[tuple[Rational | None, Rational | None, Rational, tuple[Rational, Rational]]]:
        """(from, to, slope, a point on it) of every linear piece."""
        points = given.points
        pieces: list[tuple[Rational | None, Rational | None, Rational, tuple[Rational, Rational]]] = []
        if given.before is not None:
            pieces.append((None, points[0][0], given.before, points[0]))
        for (a, b), slope in zip(itertools.pairwise(points), slopes, strict=True):
            pieces.append((a[0], b[0], slope, a))
        if given.after is not None:
            pieces.append((points[-1][0], None, given.after, points[-1]))
        return pieces

    def _segments(
        self,
        given: Cost,
        cost: int,
        pieces: Sequence[tuple[Rational | None, Rational | None, Rational, tuple[Rational, Rational]]],
    ) -> None:
        """A cost that is not convex: one piece is chosen, and holds all of the amount (disaggregated convex form)."""
        of = given.of
        found = self._activity(of.columns, of.coefficients)
        if found.lower is None or found.upper is None:
            raise self._unbounded(of.columns, given.statement)
        low, high = exact(found.lower + of.constant), exact(found.upper + of.constant)
        chosen: list[int] = []
        amounts: list[int] = []
        total: dict[int, Rational] = {cost: 1}
        for number, (start, end, slope, (x, y)) in enumerate(pieces, start=1):
            a = low if start is None else start
            b = high if end is None else end
            if (start is None and b < a) or (end is None and b < a):
                continue  # out of reach
            binary = Column(f"{given.statement}.piece{number}", given.key, "binary", 0, 1, "piece", given.statement)
            amount = replace(
                binary,
                name=f"{given.statement}.amount{number}",
                domain="continuous",
                lower=min(a, 0),
                upper=max(b, 0),
            )
            chosen.append(self._column(binary))
            amounts.append(self._column(amount))
            self._add(Rows((amounts[-1], chosen[-1]), (1, exact(-a)), 0, None, given.statement, given.key))
            self._add(Rows((amounts[-1], chosen[-1]), (1, exact(-b)), None, 0, given.statement, given.key))
            # cost = sum of slope*amount + (y - slope*x)*chosen
            total[amounts[-1]] = exact(-slope)
            total[chosen[-1]] = exact(-(y - slope * x))
        self._add(Rows(tuple(chosen), (1,) * len(chosen), 1, 1, given.statement, given.key))
        self._add(
            Rows(
                (*of.columns, *amounts),
                (*of.coefficients, *(-1 for _ in amounts)),
                exact(-of.constant),
                exact(-of.constant),
                given.statement,
                given.key,
            )
        )
        kept = {i: a for i, a in total.items() if a}
        self._add(Rows(tuple(kept), tuple(kept.values()), 0, 0, given.statement, given.key))

    # -- objectives --

    def _objectives(self, costs: Sequence[Linear]) -> None:
        goals = self.ground.goals
        by_priority: dict[int, list[GroundGoal]] = {}
        for goal in goals:
            by_priority.setdefault(goal.priority, []).append(goal)
        for number, priority in enumerate(sorted(by_priority)):
            level = by_priority[priority]
            sense = level[0].sense
            parts = [
                (goal.weight if goal.sense == sense else -goal.weight, self._worst(goal) if goal.worst else goal.of[0])
                for goal in level
            ]
            if number == 0:
                parts += [(1 if sense == "minimize" else -1, cost) for cost in costs]
            self.matrix.objectives.append(Objective(sense, _combined(parts)))
        if costs and not goals:
            self.matrix.objectives.append(Objective("minimize", _combined([(1, cost) for cost in costs])))

    def _worst(self, goal: GroundGoal) -> Linear:
        """A column that is no better than each of several expressions."""
        taken = sum(column.role == "worst" for column in self.matrix.columns)
        worst = self._column(Column("objective.worst", (taken + 1,), "continuous", None, None, "worst", "objective"))
        for of in goal.of:
            columns, coefficients = (worst, *of.columns), (1, *(exact(-a) for a in of.coefficients))
            lower, upper = (of.constant, None) if goal.sense == "minimize" else (None, of.constant)
            self._add(Rows(columns, coefficients, lower, upper, "objective"))
        return Linear((worst,), (1,))


def _combined(parts: Iterable[tuple[Rational, Linear]]) -> Linear:
    """The sum of linear expressions times numbers."""
    terms: dict[int, Rational] = {}
    constant: Rational = 0
    for factor, linear in parts:
        constant += factor * linear.constant
        for i, a in zip(linear.columns, linear.coefficients, strict=True):
            terms[i] = terms.get(i, 0) + factor * a
    return _linear(terms, constant)


def _linear(terms: Mapping[int, Rational], constant: Rational) -> Linear:
    kept = {i: exact(a) for i, a in terms.items() if a}
    return Linear(tuple(kept), tuple(kept.values()), exact(constant))


def _declared(column: Column) -> Interval:
    return Interval(column.lower, column.upper)


def intervals(columns: Sequence[Column], rows: Sequence[Rows]) -> list[Interval]:
    """Bounds of every column that declared bounds and unconditional rows imply, by activity-based tightening."""
    found = [_declared(column) for column in columns]
    if sum(len(row.columns) for row in rows) > _MOST_NONZEROS:
        return found
    for _ in range(_ROUNDS):
        changed = False
        for row in rows:
            changed |= _tighten(columns, found, row)
        if not changed:
            break
    return found


def _tighten(columns: Sequence[Column], found: list[Interval], row: Rows) -> bool:
    """Derive bounds of each column of one row from the others'. Infeasible bounds are left to the solver."""
    changed = False
    for bound, sign in ((row.upper, 1), (row.lower, -1)):
        if bound is None:
            continue
        # sign*a*x <= sign*bound; the least of the other terms leaves the most for one.
        least: list[Rational | None] = []
        for i, a in zip(row.columns, row.coefficients, strict=True):
            end = found[i].lower if sign * a > 0 else found[i].upper
            least.append(None if end is None else sign * a * end)
        missing = [k for k, x in enumerate(least) if x is None]
        if len(missing) > 1:
            continue
        total = sum(x for x in least if x is not None)
        rests: frozenset[str] | None = None  # the same for all that this row derives, and long to gather
        for k in missing or range(len(least)):
            i, a = row.columns[k], sign * row.coefficients[k]
            room = sign * bound - (total - (least[k] or 0))
            value: Rational
            if columns[i].integral:
                value = room // a if a > 0 else -(-room // a)
            else:
                value = exact(room * a if a in (1, -1) else Fraction(room) / a)
            now = found[i]
            better = (now.upper is None or value < now.upper) if a > 0 else (now.lower is None or value > now.lower)
            if not better:
                continue
            # Nearly endless series of tiny steps are not worth their fractions.
            if value.denominator > 10**12:
                continue
            low, high = (now.lower, value) if a > 0 else (value, now.upper)
            if low is not None and high is not None and low > high:
                continue
            if rests is None:
                rests = frozenset({row.statement}).union(*(found[j].rests_on for j in row.columns))
            found[i] = Interval(low, high, rests)
            changed = True
    return changed
