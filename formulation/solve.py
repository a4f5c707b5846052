"""Solve a model, and say honestly what came of it.

HiGHS finds; what it found is judged here. Its floats become exact values that are checked against every row, verdicts
that close a question (infeasible, unbounded, optimal) are reached a second way or by exact arithmetic, and what
remains open is said to be.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final, Literal

from data.errors import UserError
from formulation.binding import Key, show_key
from formulation.engine import Answer, Settings, by_highs, by_pyomo, is_bounded, is_ordinary, relaxed, rising
from formulation.ground import Rows
from formulation.kinds.base import Constraint
from formulation.linearize import Matrix, Objective
from formulation.meaning import World
from formulation.numbers import Number, Rational, decimal_text, number
from formulation.recover import Point, recover, size
from formulation.schema import suggestion

if TYPE_CHECKING:
    from formulation.model import Model

__all__ = ["Solution", "Status", "objective_at", "solve", "solve_matrix"]

Status = Literal["optimal", "feasible", "infeasible", "unbounded", "undetermined", "failed"]

# How far an exact objective may be from the bound that HiGHS proved in floats, beside its size: at first, and for good.
_NEAR: Final = Fraction(1, 10**8)
_WITHIN: Final = Fraction(1, 10**6)
_ROUNDING: Final = Fraction(1, 10**9)  # a row that is broken by less is not worth another search
_MOST_NAMES: Final = 5
_MOST_THREADS: Final = 512  # HiGHS takes no more
_PATIENCE: Final = 30.0  # seconds: branching on whole numbers without bounds may never end
_NONE: Final = "no point satisfies all statements"


@dataclass(frozen=True)
class Solution:
    """What came of solving.

    - `optimal`: no point is better; both gaps are 0.
    - `feasible`: a point, perhaps not the best one; `bound` says how good any point can be at most.
    - `infeasible`: no point satisfies all statements; found twice, the second time without presolve.
    - `unbounded`: there are points, and better ones without end.
    - `undetermined`: it was not found out.
    - `failed`: the solver broke down.

    `reason` says why in one line, and is empty when optimal. `objective` is the exact value of the problem's
    objective at `values`, with the costs of statements; of several goals solved one after the other it is the first,
    and `goals` are the values of them all, costs left out. `values` are those of the declared variables, `helpers`
    those of columns that were added to say a statement. `exact` says whether every row holds exactly at them, not only
    to 1e-6 of its size.
    """

    status: Status
    reason: str = ""
    objective: Fraction | None = None
    bound: Fraction | None = None
    goals: tuple[Fraction, ...] = ()
    values: Mapping[tuple[str, Key], Fraction] = field(default_factory=dict)
    helpers: Mapping[tuple[str, Key], Fraction] = field(default_factory=dict)
    exact: bool = False
    seconds: float = 0.0

    @property
    def optimal(self) -> bool:
        """Whether no point is better."""
        return self.status == "optimal"

    @property
    def gap(self) -> Fraction | None:
        """|objective - bound|, or None where one of them is unknown."""
        return None if self.objective is None or self.bound is None else abs(self.objective - self.bound)

    def value(self, name: str, *key: str | int) -> Fraction:
        """The value of a variable, or of one element of an indexed one. Raises UserError."""
        try:
            return self.values[name, key]
        except KeyError:
            if not self.values:
                raise UserError(f"there are no values: {self.status}, {self.reason}") from None
            known = [show_key(*at) for at in self.values]
            shown = show_key(name, key)
            raise UserError(f"no variable {shown}{suggestion(shown, known)}") from None

    def plain(self) -> dict[str, Any]:
        """The solution as JSON values: numbers as such where they read back exactly, else as text."""

        def shown(value: Fraction | None) -> Any:
            return None if value is None else Number(value).plain()

        return {
            "status": self.status,
            "reason": self.reason,
            "objective": shown(self.objective),
            "bound": shown(self.bound),
            "goals": [shown(value) for value in self.goals],
            "values": {show_key(*at): shown(value) for at, value in self.values.items()},
            "helpers": {show_key(*at): shown(value) for at, value in self.helpers.items()},
            "exact": self.exact,
            "seconds": round(self.seconds, 6),
        }


def solve(
    model: Model,
    *,
    time_limit: float | None = None,
    threads: int | None = None,
    log: bool = False,
    start: Mapping[Any, Any] | None = None,
    relax_integrality: bool = False,
) -> Solution:
    """Solve a model with both gaps 0.

    `time_limit` is in seconds; what was found by then is returned as `feasible`, with its bound. `log` shows HiGHS'
    log. `start` are values of variables to begin from, by name, by (name, key), or as a solution's `values`. With
    `relax_integrality` every column may be fractional; the objective is then that of the relaxation. An infeasible
    model raises nothing. Raises UserError and DataError for mistakes in the model or the arguments.
    """
    started = time.monotonic()
    if time_limit is not None and not time_limit > 0:
        raise UserError(f"time_limit: {time_limit} is no time: give seconds above 0, or leave it out")
    if threads is not None and not 1 <= threads <= _MOST_THREADS:
        raise UserError(f"threads: {threads} is no number of threads: give 1 to {_MOST_THREADS}, or leave it out")
    matrix = model.matrix
    first = _start(matrix, start) if start else {}
    if relax_integrality:
        matrix = relaxed(matrix)
    deadline = None if time_limit is None else started + time_limit
    found = _by_levels(matrix, Settings(time_limit, deadline, threads, log), first)
    told = _told(model, matrix, found, exact_meaning=not relax_integrality)
    return replace(told, seconds=time.monotonic() - started)


def solve_matrix(model: Model, matrix: Matrix, *, time_limit: float | None = None) -> Solution:
    """Solve a matrix that says a model and more: the model's own columns come first, what is added follows them."""
    started = time.monotonic()
    found = _by_levels(matrix, Settings(time_limit, None if time_limit is None else started + time_limit), {})
    return replace(_told(model, matrix, found, exact_meaning=True), seconds=time.monotonic() - started)


# ---- one objective ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Found:
    """What came of one objective, or of several; `bound` is of the first."""

    status: Status
    reason: str = ""
    point: Point | None = None
    bound: Rational | None = None


def _optimum(matrix: Matrix, settings: Settings, start: Mapping[int, Rational]) -> _Found:
    """The best point for the first objective."""
    contradiction = _contradiction(matrix)
    if contradiction:
        return _Found("infeasible", contradiction)
    if start or not is_ordinary(matrix):
        answer = by_highs(matrix, settings, start=start)
    else:
        answer = by_pyomo(matrix, settings)
    out_of_time = settings.limit is not None and answer.reason == settings.out_of_time()
    if answer.verdict in ("undetermined", "failed") and not out_of_time:
        answer = by_highs(matrix, settings, presolve=False)
    if answer.verdict == "unbounded":
        return _unbounded(matrix, settings)
    if answer.verdict == "infeasible":
        return _confirmed(matrix, settings)
    return _settled(matrix, answer, settings)


def _settled(matrix: Matrix, answer: Answer, settings: Settings) -> _Found:
    """The exact point of an answer. One that HiGHS' tolerances let through is sought again, more precisely."""
    found = _judged(matrix, answer, settings, _NEAR)
    if answer.values is None:
        return found
    if found.point is not None and found.point.broken <= _ROUNDING and found.status == answer.verdict:
        return found
    again = by_highs(matrix, settings, precise=True)
    if again.verdict == "infeasible" and any(column.integral for column in matrix.columns):
        return _confirmed(matrix, settings)
    if again.values is None:
        return found
    second = _judged(matrix, again, settings, _WITHIN)
    if second.point is None:
        return found if found.point is not None else second
    return found if found.point is not None and second.point.broken > found.point.broken else second


def _judged(matrix: Matrix, answer: Answer, settings: Settings, near: Fraction) -> _Found:
    """An answer with its exact point. It is optimal only where that is as good as HiGHS' bound."""
    bound = None if answer.bound is None else Fraction(repr(answer.bound))
    if answer.values is None:
        return _Found("failed" if answer.verdict == "failed" else "undetermined", answer.reason, None, bound)
    point = recover(matrix, answer.values, settings, answer.highs)
    if point is None:
        reason = "what HiGHS takes for a solution breaks a statement once its decisions are whole"
        return _Found("undetermined", reason, None, bound)
    if answer.verdict != "optimal":
        return _Found("feasible", answer.reason, point, bound)
    if bound is None:  # there is no objective
        return _Found("optimal", "", point)
    value = matrix.objectives[0].of.value(point.values)
    if size(value - bound) <= near * max(1, size(bound)):
        return _Found("optimal", "", point, value)
    reason = "HiGHS' bound cannot be reached with whole decisions: it rests on its tolerances"
    return _Found("feasible", reason, point, bound)


def _confirmed(matrix: Matrix, settings: Settings) -> _Found:
    """Infeasible, once that is found again without presolve: first without integrality, which is sooner found.

    Where whole numbers have no bounds only presolve may see that none fit: then what is sought again is soon given up.
    """
    settings = settings.patient(matrix, _PATIENCE)
    mixed = any(column.integral for column in matrix.columns)
    plain = replace(matrix, objectives=[])
    again = by_highs(relaxed(plain) if mixed else matrix, settings, presolve=False, precise=True)
    if mixed and again.verdict != "infeasible":
        again = by_highs(matrix, settings, presolve=False, precise=True)
    if again.verdict == "infeasible":
        return _Found("infeasible", _NONE)
    if again.verdict == "unbounded":
        return _unbounded(matrix, settings, confirmed=True)
    if again.values is None:
        reason = f"HiGHS found no point that satisfies all statements, but this was not confirmed: {again.reason}"
        if not is_bounded(matrix):
            reason += "; give all whole numbers bounds"
        return _Found("undetermined", reason)
    return _judged(matrix, again, settings, _WITHIN)


def _unbounded(matrix: Matrix, settings: Settings, *, confirmed: bool = False) -> _Found:
    """Unbounded or infeasible: a point first, then a direction in which the objective improves for ever.

    With whole columns the direction is that of the continuous model: with rational numbers a mixed-integer model that
    has a point and whose relaxation is unbounded is unbounded too (Meyer 1974).
    """
    settings = settings.patient(matrix, _PATIENCE)
    plain = replace(matrix, objectives=[])
    first = by_highs(plain, settings)
    if first.verdict == "infeasible":
        again = _Found("infeasible", _NONE) if confirmed else _confirmed(plain, settings)
        if again.status in ("infeasible", "undetermined"):
            return again
    elif first.values is None:
        reason = "there is no bound for the objective, and whether any point satisfies all statements was not found out"
        return _Found("undetermined", f"{reason}: {first.reason}")
    directions = rising(matrix)
    ray = by_highs(directions, settings)
    point = recover(directions, ray.values, settings, ray.highs) if ray.values is not None else None
    if point is not None and not point.broken:
        gain = matrix.objectives[0].of.value(point.values) - matrix.objectives[0].of.constant
        if gain > 0 if matrix.objectives[0].sense == "maximize" else gain < 0:
            return _Found("unbounded", _running_away(matrix, point.values))
    last = by_highs(matrix, settings, presolve=False, precise=True)
    if last.values is None:
        return _Found("undetermined", "HiGHS found the objective unbounded, but no direction in which it improves")
    return _judged(matrix, last, settings, _WITHIN)


def _running_away(matrix: Matrix, direction: Sequence[Rational]) -> str:
    moves = [
        f"{column} {'rises' if step > 0 else 'falls'}"
        for column, step in zip(matrix.columns, direction, strict=True)
        if step and column.role == "variable"
    ]
    shown = moves[:_MOST_NAMES] + ([f"{len(moves) - _MOST_NAMES} more"] if len(moves) > _MOST_NAMES else [])
    text = " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else "".join(shown)
    return f"the objective improves without end: {text}. Is an upper or lower bound missing?"


def _contradiction(matrix: Matrix) -> str:
    """What no solver is needed for: a column without values, or a row without columns that does not hold."""
    for column in matrix.columns:
        lower, upper = column.lower, column.upper
        if lower is None or upper is None:
            continue
        if lower > upper or (column.integral and -(-lower // 1) > upper // 1):
            what = f"no whole number lies between {decimal_text(lower)} and {decimal_text(upper)}"
            return f"{column.statement or column}: {what}, its bounds"
    for row in matrix.rows:
        if row.columns:
            continue
        if row.upper is not None and row.upper < 0:
            sign, bound = "<=", row.upper
        elif row.lower is not None and row.lower > 0:
            sign, bound = ">=", row.lower
        else:
            continue
        place = show_key(row.statement, row.key)
        return f"{place}: no variable is left in it, and 0 {sign} {decimal_text(bound)} is false"
    return ""


# ---- several objectives ----------------------------------------------------------------------------------------------


def _by_levels(matrix: Matrix, settings: Settings, start: Mapping[int, Rational]) -> _Found:
    """The best point for the first objective, among those for the second, and so on. The bound is the first's."""
    best = _optimum(replace(matrix, objectives=matrix.objectives[:1]), settings, start)
    kept = list(matrix.rows)
    for place, objective in enumerate(matrix.objectives[1:], start=2):
        if best.status != "optimal" or best.point is None:
            break
        kept.append(_no_worse(matrix.objectives[place - 2], best.point))
        level = replace(matrix, rows=list(kept), objectives=[objective])
        next_ = _optimum(level, settings, dict(enumerate(best.point.values)) if not is_ordinary(level) else {})
        if next_.status == "unbounded":
            return replace(next_, reason=f"goal {place}: {next_.reason}")
        if next_.point is None or next_.point.broken > best.point.broken:
            reason = next_.reason or "its best point breaks an earlier goal by HiGHS' tolerances"
            return replace(best, status="feasible", reason=f"goal {place} was not reached: {reason}")
        best = _Found(next_.status, f"goal {place}: {next_.reason}" if next_.reason else "", next_.point, best.bound)
    return best


def _no_worse(objective: Objective, point: Point) -> Rows:
    """The row that keeps an objective as good as it is at a point."""
    of = objective.of
    at = of.value(point.values) - of.constant
    lower, upper = (at, None) if objective.sense == "maximize" else (None, at)
    return Rows(of.columns, of.coefficients, lower, upper, "objective")


# ---- in the problem's words ------------------------------------------------------------------------------------------


def _told(model: Model, matrix: Matrix, found: _Found, *, exact_meaning: bool) -> Solution:
    """The solution of the problem that a point of its matrix stands for."""
    bound = None if found.bound is None else Fraction(found.bound)
    if found.point is None:
        return Solution(found.status, found.reason, bound=bound)
    values: dict[tuple[str, Key], Fraction] = {}
    helpers: dict[tuple[str, Key], Fraction] = {}
    for column, x in zip(matrix.columns, found.point.values, strict=True):
        (values if column.role == "variable" else helpers)[column.name, column.key] = Fraction(x)
    if exact_meaning:
        objective, goals = objective_at(World(model.bound, values))
    else:
        goals = tuple(level.of.value(found.point.values) for level in matrix.objectives)
        objective = goals[0] if goals else None
    shown = None if objective is None else Fraction(objective)
    if found.status == "optimal":
        bound = shown
    reason = found.reason
    if found.status == "feasible" and shown is not None and bound is not None and shown != bound:
        reason += f"; the best point is at most {float(abs(shown - bound)):.6g} better"
    return Solution(
        found.status,
        reason,
        shown,
        bound,
        tuple(map(Fraction, goals)),
        values,
        helpers,
        not found.point.broken,
    )


def objective_at(world: World) -> tuple[Rational | None, tuple[Rational, ...]]:
    """The value of the problem's objective at the world's point, and the value of each of its goals, costs left out.

    The objective is that of the most important goals: those of equal priority are added with their weights, one of
    the other sense than the first negatively; costs of statements are added to what is minimised and taken from what
    is maximised. Without an objective the costs are minimised; None where there is neither.
    """
    problem = world.bound.problem
    charges = [c for c in problem.constraints if type(c).cost is not Constraint.cost]
    cost: Rational = sum(c.cost(world, env) for c in charges for env in world.instances(c.forall, {}))
    if problem.objective is None:
        return (cost if charges else None), ()
    goals = problem.objective.goals()
    values = problem.objective.values(world)
    first = min(goal.priority for goal in goals)
    sense = next(goal.sense for goal in goals if goal.priority == first)
    total = cost if sense == "minimize" else -cost
    for goal, value in zip(goals, values, strict=True):
        if goal.priority == first:
            weight = world.value(goal.weight, {}) if goal.weight is not None else 1
            total += weight * value if goal.sense == sense else -weight * value
    return total, values


# ---- a start ---------------------------------------------------------------------------------------------------------


def _start(matrix: Matrix, given: Mapping[Any, Any]) -> dict[int, Rational]:
    """Columns with their values to begin from. Raises UserError for what is no variable or no number."""
    found: dict[int, Rational] = {}
    for at, value in given.items():
        name, key = at if isinstance(at, tuple) and len(at) == 2 and isinstance(at[1], tuple) else (at, ())
        columns = matrix.ground.column.get(name, {})
        if key not in columns or matrix.columns[columns[key]].role != "variable":
            shown = show_key(str(name), key)
            known = [str(column) for column in matrix.columns if column.role == "variable"]
            raise UserError(f"start: no variable {shown}{suggestion(shown, known)}")
        try:
            found[columns[key]] = number(value).rational
        except ValueError as error:
            raise UserError(f"start: {show_key(name, key)}: {error}") from None
    return found
