"""One run of HiGHS on a matrix: directly, or through Pyomo's solver interface. What it answers is floats and a verdict.

HiGHS judges by tolerances: `formulation.recover` turns its floats into exact values, `formulation.solve` judges.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from math import frexp, gcd, inf, lcm
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from data.errors import one_line
from formulation.build import costs, to_highs, write_pyomo
from formulation.ground import Linear, Rows
from formulation.linearize import Matrix
from formulation.numbers import Rational, exact

if TYPE_CHECKING:
    import highspy

__all__ = ["Answer", "Settings", "Verdict", "by_highs", "by_pyomo", "is_bounded", "is_ordinary", "relaxed", "rising"]

Verdict = Literal["optimal", "feasible", "infeasible", "unbounded", "undetermined", "failed"]
"""Of one run: `unbounded` may be infeasible as well."""

# Measured: Pyomo adds about 8 ms to a model of any size, and 17 microseconds for each nonzero; HiGHS itself takes 1.
_ORDINARY: Final = 5_000
"""Nonzeros up to which a model goes through Pyomo."""

# HiGHS takes a reduced cost below 1e-7 for 0: smaller coefficients of an objective must grow before it sees them.
_CLEAR: Final = 1e-3
_MOST_COST: Final = 1e9
_PRECISE: Final = 1e-9
_SAME: Final = 1e-9  # gaps that are rounding


@dataclass(frozen=True, slots=True)
class Settings:
    """What holds for all runs of one solve: `limit` seconds, which end when `time.monotonic` reaches `deadline`."""

    limit: float | None = None
    deadline: float | None = None
    threads: int | None = None
    log: bool = False

    def out_of_time(self) -> str:
        """The reason of what a time limit has cut short."""
        return f"the time limit of {self.limit:g} s was reached"

    def left(self) -> float | None:
        """Seconds left, None without a limit."""
        return None if self.deadline is None else max(self.deadline - time.monotonic(), 0.0)

    def patient(self, matrix: Matrix, seconds: float) -> Settings:
        """These, with so many seconds at most where whole columns have no bounds: branching on them may never end."""
        left = self.left()
        if is_bounded(matrix) or (left is not None and left < seconds):
            return self
        return replace(self, limit=seconds, deadline=time.monotonic() + seconds)


@dataclass(frozen=True, slots=True)
class Answer:
    """What one run found: a value for every column, and a bound of the objective in the problem's units, if any.

    `highs` holds the solver's basis after a continuous model that was solved directly.
    """

    verdict: Verdict
    values: tuple[float, ...] | None = None
    bound: float | None = None
    reason: str = ""
    highs: highspy.Highs | None = None


def is_bounded(matrix: Matrix) -> bool:
    """Whether all whole columns have both bounds."""
    return all(c.lower is not None and c.upper is not None for c in matrix.columns if c.integral)


def is_ordinary(matrix: Matrix) -> bool:
    """Whether a model goes through Pyomo.

    Larger ones do not, nor those whose objective must be scaled, nor relaxed ones with alternatives, as a Disjunct
    holds or does not, nor those that say nothing of any variable, which Pyomo's interface calls empty and leaves
    open. Pyomo redirects the whole process's output while it solves, so only the main thread may use it.
    """
    return (
        0 < sum(len(row.columns) for row in matrix.rows) <= _ORDINARY
        and threading.current_thread() is threading.main_thread()
        and all(column.integral for column in matrix.columns if column.role == "choice")
        and all(matrix.columns[big.column].integral for big in matrix.big_ms)
        and all(_scale(objective.of) == 1 for objective in matrix.objectives)
    )


# ---- directly --------------------------------------------------------------------------------------------------------


def by_highs(
    matrix: Matrix,
    settings: Settings,
    *,
    start: Mapping[int, Rational] | None = None,
    presolve: bool = True,
    precise: bool = False,
) -> Answer:
    """Solve for the first objective.

    `start` holds values of some columns to begin with. `precise` writes rows in whole numbers where it can, so that
    over whole columns no tolerance is left to exploit, and tightens all tolerances to 1e-9. An interrupt from the
    keyboard ends the run and is raised. Raises DataError for numbers that HiGHS cannot hold.
    """
    highs = to_highs(replace(matrix, rows=[_whole(row) for row in matrix.rows]) if precise else matrix)
    of = matrix.objectives[0].of if matrix.objectives else Linear((), ())
    scale = _scale(of)
    if matrix.objectives:
        # The constant is added here, exactly: HiGHS compares gaps to the size of the objective.
        highs.changeObjectiveOffset(0.0)
    if scale != 1:
        count = len(matrix.columns)
        highs.changeColsCost(count, np.arange(count, dtype=np.int32), costs(of, count) * scale)
    if not presolve:
        highs.setOptionValue("presolve", "off")
    if precise:
        for tolerance in ("mip_feasibility_tolerance", "primal_feasibility_tolerance", "dual_feasibility_tolerance"):
            highs.setOptionValue(tolerance, _PRECISE)
    if start:
        columns = np.fromiter(start, np.int32, len(start))
        highs.setSolution(len(start), columns, np.array([float(x) for x in start.values()]))
    reason = run(highs, settings)
    if reason:
        return Answer("failed", reason=reason)
    return _answer(highs, matrix, settings, scale)


def run(highs: highspy.Highs, settings: Settings) -> str:
    """Run HiGHS under the settings. Says why where it broke down, else nothing."""
    left = settings.left()
    if settings.log:
        highs.setOptionValue("output_flag", True)
    if left is not None:
        highs.setOptionValue("time_limit", left)
    if settings.threads is not None:
        # The number of threads is fixed when the first run of a process's thread begins.
        type(highs).resetGlobalScheduler(True)
        highs.setOptionValue("threads", settings.threads)
    highs.HandleUserInterrupt = True  # its callbacks let Python see an interrupt from the keyboard
    try:
        highs.run()
    except (ArithmeticError, MemoryError, RuntimeError, ValueError) as error:
        return f"HiGHS broke down: {one_line(error)}"
    return ""


def _answer(highs: highspy.Highs, matrix: Matrix, settings: Settings, scale: float) -> Answer:
    from highspy import HighsModelStatus as Kinds

    status, info = highs.getModelStatus(), highs.getInfo()
    mixed = any(column.integral for column in matrix.columns)
    values = tuple(highs.getSolution().col_value) if info.primal_solution_status == 2 else None
    constant = float(matrix.objectives[0].of.constant) if matrix.objectives else 0.0
    at = info.mip_dual_bound if mixed else info.objective_function_value
    known = bool(matrix.objectives) and (mixed or status == Kinds.kOptimal) and abs(at) < inf
    bound = at / scale + constant if known else None
    verdict, reason = _read(status, values is not None, settings)
    if verdict == "optimal" and mixed and not info.mip_gap <= _SAME:
        verdict, reason = "feasible", "HiGHS stopped before it had closed the gap"
    return Answer(verdict, values, bound, reason, None if mixed else highs)


def _read(status: Any, found: bool, settings: Settings) -> tuple[Verdict, str]:
    """A verdict of HiGHS, and the reason of one that settles nothing."""
    from highspy import HighsModelStatus as Kinds

    if status == Kinds.kOptimal and found:
        return "optimal", ""
    if status == Kinds.kInfeasible:
        return "infeasible", ""
    if status in (Kinds.kUnbounded, Kinds.kUnboundedOrInfeasible):
        return "unbounded", ""
    if status == Kinds.kTimeLimit:
        return ("feasible" if found else "undetermined"), settings.out_of_time()
    reason = {
        Kinds.kIterationLimit: "HiGHS reached its limit of iterations",
        Kinds.kSolutionLimit: "HiGHS reached its limit of solutions",
        Kinds.kMemoryLimit: "memory ran out",
        Kinds.kUnknown: "HiGHS could not tell",
        Kinds.kOptimal: "HiGHS could not tell",
    }.get(status)
    if reason is None:
        return "failed", f"HiGHS broke down ({str(status).rpartition('.k')[2]})"
    return ("feasible" if found else "undetermined"), reason


def _scale(of: Linear) -> float:
    """A power of 2 that lifts small coefficients of an objective to where HiGHS sees them."""
    sizes = [abs(float(a)) for a in of.coefficients]
    if not sizes or min(sizes) >= _CLEAR:
        return 1.0
    wanted = min(1 / min(sizes), _MOST_COST / max(sizes))
    return max(2.0 ** (frexp(wanted)[1] - 1), 1.0)


def _whole(row: Rows) -> Rows:
    """The row times the number that makes its coefficients whole and coprime, where they stay below 1e9."""
    if not row.columns:
        return row
    below = lcm(*(Fraction(a).denominator for a in row.coefficients))
    factor = Fraction(below, gcd(*(int(a * below) for a in row.coefficients)))
    coefficients = tuple(exact(a * factor) for a in row.coefficients)
    if any(not -_MOST_COST <= a <= _MOST_COST for a in coefficients):
        return row
    lower, upper = (None if x is None else exact(x * factor) for x in (row.lower, row.upper))
    return replace(row, coefficients=coefficients, lower=lower, upper=upper)


# ---- through Pyomo ---------------------------------------------------------------------------------------------------


def by_pyomo(matrix: Matrix, settings: Settings) -> Answer:
    """The same as `by_highs` through Pyomo's solver interface, with alternatives as Disjunctions."""
    import highspy
    from pyomo.common.errors import PyomoException
    from pyomo.contrib.solver.common.factory import SolverFactory

    written = write_pyomo(matrix)
    if settings.threads is not None:
        highspy.Highs.resetGlobalScheduler(True)
    try:
        results = SolverFactory("highs").solve(
            written.model,
            load_solutions=False,
            raise_exception_on_nonoptimal_result=False,
            rel_gap=0,
            abs_gap=0,
            time_limit=settings.left(),
            threads=settings.threads,
            tee=settings.log,
        )
    except (PyomoException, ArithmeticError, MemoryError, RuntimeError, ValueError) as error:
        return Answer("failed", reason=f"Pyomo broke down: {one_line(error)}")
    return _pyomo_answer(results, matrix, settings, written.columns)


def _pyomo_answer(results: Any, matrix: Matrix, settings: Settings, columns: list[Any]) -> Answer:
    from pyomo.contrib.solver.common.results import SolutionStatus, TerminationCondition

    values = None
    if results.solution_status in (SolutionStatus.optimal, SolutionStatus.feasible):
        found = results.solution_loader.get_vars()
        # Pyomo leaves out what stands in no row and no objective: any value within its bounds will do.
        values = tuple(
            found[variable] if variable in found else float(_idle(column.lower, column.upper, column.integral))
            for variable, column in zip(columns, matrix.columns, strict=True)
        )
    verdict: Verdict
    kind = results.termination_condition
    reason = ""
    if kind == TerminationCondition.convergenceCriteriaSatisfied and values is not None:
        verdict = "optimal"
    elif kind == TerminationCondition.provenInfeasible:
        verdict = "infeasible"
    elif kind in (TerminationCondition.unbounded, TerminationCondition.infeasibleOrUnbounded):
        verdict = "unbounded"
    elif kind == TerminationCondition.error:
        verdict, reason = "failed", "HiGHS broke down"
    else:
        verdict = "feasible" if values is not None else "undetermined"
        reason = settings.out_of_time() if kind == TerminationCondition.maxTimeLimit else "HiGHS could not tell"
    bound = results.objective_bound
    bound = None if bound is None or abs(bound) == inf else bound
    if verdict == "optimal" and bound is not None and results.incumbent_objective is not None:
        best = results.incumbent_objective
        if abs(best - bound) > _SAME * max(1.0, abs(best)):
            verdict, reason = "feasible", "HiGHS stopped before it had closed the gap"
    return Answer(verdict, values, bound, reason)


def _idle(lower: Rational | None, upper: Rational | None, whole: bool) -> Rational:
    """The value nearest to 0 within bounds."""
    low = -(-lower // 1) if whole and lower is not None else lower
    high = upper // 1 if whole and upper is not None else upper
    if low is not None and low > 0:
        return low
    return high if high is not None and high < 0 else 0


# ---- variants of a matrix --------------------------------------------------------------------------------------------


def relaxed(matrix: Matrix) -> Matrix:
    """The matrix without any demand that columns be whole."""
    return replace(matrix, columns=[replace(column, domain="continuous") for column in matrix.columns])


def rising(matrix: Matrix) -> Matrix:
    """The directions in which every point of a continuous matrix may go for ever, up to 1 in each column.

    The objective is the first one's change along the direction: better than 0 means unbounded.
    """

    def ends(lower: Rational | None, upper: Rational | None, far: int | None) -> tuple[int | None, int | None]:
        return (None if far is None else -far) if lower is None else 0, far if upper is None else 0

    columns = []
    for column in matrix.columns:
        low, high = ends(column.lower, column.upper, 1)
        columns.append(replace(column, domain="continuous", lower=low, upper=high))
    rows = []
    for row in matrix.rows:
        low, high = ends(row.lower, row.upper, None)
        rows.append(replace(row, lower=low, upper=high))
    objective = matrix.objectives[0]
    return replace(
        matrix, columns=columns, rows=rows, objectives=[replace(objective, of=replace(objective.of, constant=0))]
    )
