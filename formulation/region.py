"""The feasible points of a canonical system: what holds at all of them, and points that show what does not.

HiGHS finds, rational arithmetic confirms: points are checked exactly, and bounds of linear programs by dual multipliers
(with the columns' bounds taking up what rounding leaves, after Neumaier and Shcherbina, 2004). Bounds of branch and
bound rest on the solver; answers say so by `exact`.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from formulation.canonical import Form, System
from formulation.numbers import Rational, exact, to_float
from formulation.recover import size

if TYPE_CHECKING:
    import highspy

__all__ = ["Answer", "OutOfReach", "Region", "Top"]

Terms = Mapping[int, Rational]
Corner = tuple[Rational, ...]
"""A point: one number for every column."""

_TOLERANCE: Final = Fraction(1, 10**6)  # relative; what solvers leave open
_DENOMINATORS: Final = (1, 1000, 10**6, 10**9)
_MOST_UNKNOWNS: Final = 400  # of a system of equations that is solved exactly
_SPREAD: Final = 1e9  # of a row's coefficients; beyond it a solver's tolerances mean nothing
_MARGIN: Final = 1e-6  # by which rows are tightened to have room for rounding


class OutOfReach(Exception):
    """Why a question could not be answered, in a few words."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether something holds at all points. `point` shows that it does not; `exact`: nothing rests on a tolerance."""

    holds: bool
    exact: bool
    point: Corner | None = None


@dataclass(frozen=True, slots=True)
class Top:
    """The largest value of an expression: at least its value at `point`, at most `bound` (None: it grows for ever)."""

    point: Corner
    value: Rational
    bound: Rational | None
    exact: bool


@dataclass(frozen=True, slots=True)
class _Run:
    """What HiGHS says of maximising; `duals` are multipliers of the rows, at least 0 where the row is <=."""

    status: Literal["optimal", "infeasible", "unbounded", "stopped"]
    values: Sequence[float]
    duals: Sequence[float]
    bound: float


class Region:
    """The points of a system. Every method raises OutOfReach where neither yes nor no could be shown in time."""

    def __init__(self, of: System, deadline: float) -> None:
        """`deadline` is a moment of `time.monotonic`."""
        self.system = of
        self.deadline = deadline
        self.lower: list[Rational | None] = [None] * len(of.columns)
        self.upper: list[Rational | None] = [None] * len(of.columns)
        self.rows: list[Form] = []
        self.contradiction: str | None = None
        for one in of.forms:
            if len(one.columns) > 1:
                self.rows.append(one)
            elif one.columns:
                self._bound(one)
            elif one.rhs < 0 or (one.equal and one.rhs):
                self.contradiction = one.source
        for i, whole in enumerate(of.integral):
            low, high = self.lower[i], self.upper[i]
            if whole:
                self.lower[i] = low = None if low is None else -(-low // 1)
                self.upper[i] = high = None if high is None else high // 1
            if low is not None and high is not None and low > high:
                self.contradiction = self.contradiction or f"bounds of {of.columns[i]}"
        self.mixed = any(of.integral)
        self._scales = [1.0] * len(self.rows)
        self._solvers: dict[bool, highspy.Highs] = {}
        self._basis: highspy.HighsBasis | None = None

    def _bound(self, one: Form) -> None:
        """A row of one column; its coefficient is 1 or -1."""
        (i,), (a,) = one.columns, one.coefficients
        low, high = self.lower[i], self.upper[i]
        if one.equal or a > 0:
            self.upper[i] = one.rhs if high is None else min(high, one.rhs)
        if one.equal or a < 0:
            least = one.rhs if one.equal else -one.rhs
            self.lower[i] = least if low is None else max(low, least)

    # -- questions --

    def empty(self) -> Answer:
        """Whether there is no point at all; else `point` is one."""
        if self.contradiction is not None:
            return Answer(True, True)
        run = self._run({}, whole=False)
        if run.status == "infeasible":
            return Answer(True, self._no_relaxed_point())
        if self.mixed:
            run = self._run({}, whole=True)
            if run.status == "infeasible":
                if self._run({}, whole=True, presolve=False).status != "infeasible":
                    raise OutOfReach("the solver contradicts itself on whether there is a point")
                return Answer(True, False)
        point = self._exact({}, run)
        if point is None:
            raise OutOfReach("no exact point was found")
        return Answer(False, True, point)

    def satisfies(self, one: Form) -> Answer:
        """Whether every point satisfies a row (there must be a point)."""
        found = self.at_most(one.terms, one.rhs)
        if not one.equal or not found.holds:
            return found
        other = self.at_most({i: -a for i, a in one.terms.items()}, -one.rhs)
        return Answer(other.holds, found.exact and other.exact, other.point)

    def at_most(self, terms: Terms, rhs: Rational) -> Answer:
        """Whether terms <= rhs at every point (there must be a point)."""
        box = self._box(terms)
        if box is not None and box <= rhs:
            return Answer(True, True)
        run = self._run(terms, whole=False)
        if run.status == "optimal":
            if self._certified(terms, run.duals, rhs) is not None:
                return Answer(True, True)
            if not self.mixed:
                point = self._exact(terms, run)
                if point is not None and _value(terms, point) > rhs:
                    return Answer(False, True, point)
                if Fraction(run.bound) < rhs - _slack(rhs):
                    return Answer(True, False)
                raise OutOfReach("a row is reached so closely that arithmetic could not settle it")
        if run.status == "unbounded" and not self.mixed:
            return Answer(False, True, self.beyond(terms, rhs))
        return self._whole_at_most(terms, rhs)

    def _whole_at_most(self, terms: Terms, rhs: Rational) -> Answer:
        goal = _float(rhs + max(size(rhs), 1) * Fraction(1, 1000))
        run = self._run(terms, whole=True, target=goal)
        if run.status == "unbounded":
            return Answer(False, True, self.beyond(terms, rhs))
        if run.status == "infeasible":
            raise OutOfReach("the solver finds no point where there is one")
        point = self._exact(terms, run)
        if point is not None and _value(terms, point) > rhs:
            return Answer(False, True, point)
        if run.status == "optimal" and point is not None:
            # Whole terms of whole columns reach no value between two whole numbers.
            most = rhs // 1 + Fraction(9, 10) if self._whole(terms) else rhs + _slack(rhs)
            if Fraction(run.bound) <= most:
                return Answer(True, False)
        raise OutOfReach("time ran out" if time.monotonic() > self.deadline else "a row could not be settled")

    def _whole(self, terms: Terms) -> bool:
        """Whether terms are whole at every point."""
        return all(self.system.integral[i] and Fraction(a).denominator == 1 for i, a in terms.items())

    def top(self, terms: Terms) -> Top:
        """The largest value of terms (there must be a point)."""
        run = self._run(terms, whole=self.mixed)
        if run.status == "unbounded":
            found = self.empty().point
            assert found is not None
            return Top(found, _value(terms, found), None, True)
        point = self._exact(terms, run)
        if run.status != "optimal" or point is None:
            raise OutOfReach("no optimum was proven in time")
        value = _value(terms, point)
        if not self.mixed:
            proof = self._certified(terms, run.duals, value)
            if proof is not None:
                return Top(point, value, value, True)
        return Top(point, value, max(value, Fraction(run.bound)), False)

    def beyond(self, terms: Terms, level: Rational) -> Corner:
        """An exact point with terms > level, where terms grow for ever."""
        solver = self._solver(self.mixed)
        scale = _scale(terms.values())
        index = np.fromiter(terms, np.int32, len(terms))
        values = np.array([_float(a) / scale for a in terms.values()])
        least = _float(level + max(size(level), 1)) / scale
        solver.addRow(least, float("inf"), len(terms), index, values)
        try:
            run = self._run({}, whole=self.mixed)
            point = self._rounded(run.values) if len(run.values) else None
            if point is None and not self.mixed:
                run = self._run({}, whole=False, fixed={}, margin=_MARGIN)
                point = self._rounded(run.values) if len(run.values) else None
        finally:
            solver.deleteRows(1, np.array([len(self.rows)], dtype=np.int32))
        if point is None or _value(terms, point) <= level:
            raise OutOfReach("no exact point was found far out")
        return point

    # -- exact arithmetic --

    def _box(self, terms: Terms) -> Rational | None:
        """The largest value that the columns' bounds allow."""
        total: Rational = 0
        for i, a in terms.items():
            end = self.upper[i] if a > 0 else self.lower[i]
            if end is None:
                return None
            total += a * end
        return total

    def _certified(self, terms: Terms, duals: Sequence[float], most: Rational) -> Rational | None:
        """A bound of terms over the relaxation that is at most `most`, from rounded multipliers; None without one."""
        used = [k for k, y in enumerate(duals) if abs(y) > 1e-9]
        for limit in _DENOMINATORS:
            weights = {k: Fraction(duals[k]).limit_denominator(limit) for k in used}
            bound = self._implied(terms, weights)
            if bound is not None and bound <= most:
                return bound
        if len(used) > _MOST_UNKNOWNS:
            return None
        # The multipliers of an optimal corner solve: rows combine to terms in every column that is not at a bound.
        left = self._rest(terms, {k: Fraction(duals[k]) for k in used})
        columns = {i for k in used for i in self.rows[k].columns} | set(terms)
        free = [i for i in columns if size(left.get(i, 0)) < 1e-7]
        by_row = {k: self.rows[k].terms for k in used}
        equations = [({k: by_row[k][i] for k in used if i in by_row[k]}, terms.get(i, 0)) for i in sorted(free)]
        solved = _solve(equations, used)
        bound = None if solved is None else self._implied(terms, solved)
        return bound if bound is not None and bound <= most else None

    def _rest(self, terms: Terms, weights: Mapping[int, Rational]) -> dict[int, Rational]:
        """terms less the weighted sum of rows."""
        rest = dict(terms)
        for k, weight in weights.items():
            for i, a in self.rows[k].terms.items():
                rest[i] = rest.get(i, 0) - weight * a
        return {i: a for i, a in rest.items() if a}

    def _implied(self, terms: Terms, weights: Mapping[int, Rational]) -> Rational | None:
        """The bound of terms that weighted rows and the columns' bounds imply."""
        valid = {k: y for k, y in weights.items() if y > 0 or self.rows[k].equal}
        rest = self._box(self._rest(terms, valid))
        return None if rest is None else rest + sum(y * self.rows[k].rhs for k, y in valid.items())

    def _no_relaxed_point(self) -> bool:
        """Whether the relaxation is shown to be empty exactly; raises OutOfReach where a second look finds a point."""
        run = self._run({}, whole=False, presolve=False)
        if run.status != "infeasible":
            raise OutOfReach("the solver contradicts itself on whether there is a point")
        _, found, ray = self._solver(False).getDualRay()
        if not found:
            return False
        for sign in (1, -1):
            weights = [sign * float(y) / scale for y, scale in zip(ray, self._scales, strict=True)]
            largest = max(map(abs, weights), default=0.0) or 1.0
            bound = self._certified({}, [y / largest for y in weights], Fraction(-1, 10**12))
            if bound is not None and bound < 0:
                return True
        return False

    def _exact(self, terms: Terms, run: _Run) -> Corner | None:
        """An exact point near the solver's: by rounding, as the corner of a basis, or a little inside."""
        if not len(run.values):
            return None
        point = self._rounded(run.values)
        if point is not None or all(self.system.integral):
            return point
        fixed = {i: round(x) for i, x in enumerate(run.values) if self.system.integral[i]}
        for margin in (0.0, _MARGIN):
            again = self._run(terms, whole=False, fixed=fixed, margin=margin)
            if again.status != "optimal":
                return None
            point = self._rounded(again.values)
            if point is None and not margin:
                point = self._corner(fixed)
            if point is not None:
                return point
        return None

    def _rounded(self, values: Sequence[float]) -> Corner | None:
        whole = self.system.integral
        for limit in (1,) if all(whole) else _DENOMINATORS[1:]:
            point = tuple(
                round(x) if whole[i] else self._kept(i, exact(Fraction(float(x)).limit_denominator(limit)))
                for i, x in enumerate(values)
            )
            if self.system.broken(point) is None:
                return point
        return None

    def _kept(self, i: int, value: Rational) -> Rational:
        """A value moved to the nearer bound of its column where rounding left them."""
        low, high = self.lower[i], self.upper[i]
        value = value if low is None else max(low, value)
        return value if high is None else min(high, value)

    def _corner(self, fixed: Mapping[int, int]) -> Corner | None:
        """The exact solution of the relaxation's last basis."""
        import highspy

        status, basis = highspy.HighsBasisStatus, self._basis
        if basis is None:
            return None
        point: dict[int, Rational] = {}
        unknown: list[int] = []
        for i, at in enumerate(basis.col_status):
            if at == status.kBasic:
                unknown.append(i)
                continue
            end = self.upper[i] if at == status.kUpper else self.lower[i]
            point[i] = fixed.get(i, 0 if end is None else end)
        active = [row for row, at in zip(self.rows, basis.row_status, strict=True) if at != status.kBasic]
        if len(unknown) > _MOST_UNKNOWNS or len(active) != len(unknown):
            return None
        equations: list[tuple[dict[int, Rational], Rational]] = []
        for row in active:
            known = sum(a * point[i] for i, a in row.terms.items() if i in point)
            equations.append(({i: a for i, a in row.terms.items() if i not in point}, row.rhs - known))
        solved = _solve(equations, unknown)
        if solved is None:
            return None
        found = tuple(solved[i] if i in solved else point[i] for i in range(len(self.system.columns)))
        return found if self.system.broken(found) is None else None

    # -- HiGHS --

    def _solver(self, whole: bool) -> Any:
        if whole not in self._solvers:
            self._solvers[whole] = self._load(whole)
        return self._solvers[whole]

    def _load(self, whole: bool) -> Any:
        import highspy

        infinite = float("inf")
        lower = [-infinite if x is None else _float(x) for x in self.lower]
        upper = [infinite if x is None else _float(x) for x in self.upper]
        starts: list[int] = [0]
        index: list[int] = []
        values: list[float] = []
        most: list[float] = []
        for k, row in enumerate(self.rows):
            self._scales[k] = scale = _scale(row.coefficients)
            index += row.columns
            values += [_float(a) / scale for a in row.coefficients]
            most.append(_float(row.rhs) / scale)
            starts.append(len(index))
        highs = highspy.Highs()
        for name, value in (
            ("output_flag", False), ("threads", 1), ("mip_rel_gap", 0.0), ("mip_abs_gap", 0.0),
            ("primal_feasibility_tolerance", 1e-9), ("dual_feasibility_tolerance", 1e-9),
            ("mip_feasibility_tolerance", 1e-9),
        ):  # fmt: skip
            highs.setOptionValue(name, value)
        kind = int(highspy.HighsVarType.kInteger)
        status = highs.passModel(
            len(self.lower),
            len(self.rows),
            len(index),
            int(highspy.MatrixFormat.kRowwise),
            int(highspy.ObjSense.kMinimize),
            0.0,
            np.zeros(len(self.lower)),
            np.array(lower),
            np.array(upper),
            np.array([x if row.equal else -infinite for x, row in zip(most, self.rows, strict=True)]),
            np.array(most),
            np.array(starts, dtype=np.int32),
            np.array(index, dtype=np.int32),
            np.array(values),
            np.array([kind if whole and integral else 0 for integral in self.system.integral], dtype=np.int32),
        )
        if status == highspy.HighsStatus.kError:
            raise OutOfReach("the solver refuses its numbers")
        return highs

    def _run(
        self,
        terms: Terms,
        *,
        whole: bool,
        target: float | None = None,
        presolve: bool = True,
        fixed: Mapping[int, int] | None = None,
        margin: float = 0.0,
    ) -> _Run:
        """Maximise terms (for HiGHS: minimise their negative).

        `target`: any point above it is enough; `fixed` columns are held; rows and bounds are tightened by `margin`.
        """
        import highspy

        if time.monotonic() > self.deadline:
            raise OutOfReach("time ran out")
        solver = self._solver(whole)
        scale = _scale(terms.values())
        costs = np.zeros(len(self.lower))
        for i, a in terms.items():
            costs[i] = -_float(a) / scale
        every = np.arange(len(costs), dtype=np.int32)
        solver.changeColsCost(len(costs), every, costs)
        solver.setOptionValue("presolve", "choose" if presolve else "off")
        solver.setOptionValue("time_limit", solver.getRunTime() + max(self.deadline - time.monotonic(), 0.01))
        solver.setOptionValue("objective_target", -float("inf") if target is None else -target / scale)
        self._narrow(solver, fixed, margin)
        try:
            solver.run()
            self._basis = None if whole else solver.getBasis()
        finally:
            if fixed is not None or margin:
                self._narrow(solver, None, 0.0, back=True)
        state = highspy.HighsModelStatus
        status: Literal["optimal", "infeasible", "unbounded", "stopped"]
        match solver.getModelStatus():
            case state.kOptimal:
                status = "optimal"
            case state.kInfeasible:
                return _Run("infeasible", (), (), 0.0)
            case state.kUnbounded:
                return _Run("unbounded", (), (), 0.0)
            case state.kUnboundedOrInfeasible:
                if presolve:
                    return self._run(terms, whole=whole, presolve=False, fixed=fixed, margin=margin)
                # Asked of regions that have a point.
                return _Run("unbounded", (), (), 0.0)
            case _:
                status = "stopped"
        solution, info = solver.getSolution(), solver.getInfo()
        values = list(solution.col_value) if solution.value_valid else []
        best = -(info.mip_dual_bound if whole else info.objective_function_value) * scale
        duals = [-float(y) * scale / by for y, by in zip(solution.row_dual, self._scales, strict=False)]
        return _Run(status, values, duals if solution.dual_valid else [], max(min(best, 1e300), -1e300))

    def _narrow(self, solver: Any, fixed: Mapping[int, int] | None, margin: float, *, back: bool = False) -> None:
        """Fix columns and tighten rows and bounds, or (`back`) set everything as it was."""
        if fixed is None and not margin and not back:
            return
        infinite, fixed = float("inf"), fixed or {}
        every = np.arange(len(self.lower), dtype=np.int32)
        low, high = np.empty(len(every)), np.empty(len(every))
        for i, (least, most) in enumerate(zip(self.lower, self.upper, strict=True)):
            room = 0.0 if least == most else margin
            low[i] = fixed[i] if i in fixed else -infinite if least is None else _float(least) + room
            high[i] = fixed[i] if i in fixed else infinite if most is None else _float(most) - room
        solver.changeColsBounds(len(every), every, low, high)
        for k, row in enumerate(self.rows):
            if not row.equal:
                at = _float(row.rhs) / self._scales[k]
                solver.changeRowBounds(k, -infinite, at - margin * max(1.0, abs(at)))


def _value(terms: Terms, point: Sequence[Rational]) -> Rational:
    return exact(sum((a * point[i] for i, a in terms.items()), Fraction(0)))


def _float(value: Rational) -> float:
    """The nearest double. Raises OutOfReach where it has none."""
    try:
        return to_float(value)
    except ValueError:
        raise OutOfReach("a number is too large for a solver") from None


def _slack(rhs: Rational) -> Fraction:
    return _TOLERANCE * max(1, size(rhs))


def _scale(coefficients: Iterable[Rational]) -> float:
    """What a row is divided by, so that its largest coefficient is moderate. Raises OutOfReach."""
    sizes = [size(a) for a in coefficients]
    if not sizes:
        return 1.0
    largest = max(sizes)
    if largest > min(sizes) * Fraction(_SPREAD):
        raise OutOfReach("coefficients of one row are too far apart for a solver")
    return _float(largest) if not 1e-3 <= largest <= 1e4 else 1.0


def _solve(
    equations: Sequence[tuple[Mapping[int, Rational], Rational]], unknown: Sequence[int]
) -> dict[int, Rational] | None:
    """The exact solution of linear equations in `unknown`; None where there is none, or more than one."""
    waiting = [(dict(terms), rhs) for terms, rhs in equations]
    solved: list[tuple[int, dict[int, Rational], Rational]] = []
    while True:
        waiting = [(terms, rhs) for terms, rhs in waiting if terms or rhs]
        if not waiting:
            break
        terms, rhs = min(waiting, key=lambda equation: len(equation[0]))
        if not terms:
            return None
        waiting = [equation for equation in waiting if equation[0] is not terms]
        pivot = min(terms)
        a = terms.pop(pivot)
        terms, rhs = {i: exact(Fraction(b) / a) for i, b in terms.items()}, exact(Fraction(rhs) / a)
        solved.append((pivot, terms, rhs))
        following = []
        for other, constant in waiting:
            factor = other.pop(pivot, 0)
            if factor:
                for i, b in terms.items():
                    value = other.get(i, 0) - factor * b
                    if value:
                        other[i] = exact(value)
                    else:
                        del other[i]
                constant = exact(constant - factor * rhs)
            following.append((other, constant))
        waiting = following
    if len(solved) != len(unknown):
        return None
    found: dict[int, Rational] = {}
    for pivot, terms, rhs in reversed(solved):
        found[pivot] = exact(rhs - sum(b * found[i] for i, b in terms.items()))
    return found
