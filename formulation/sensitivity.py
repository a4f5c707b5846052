"""What a solution rests on: slack and binding statements, prices of limits, reduced costs, and how far both hold.

Signs, in the problem's own units and direction: a price is the change of the objective's value where the limit of a
statement rises by one unit (the limit is the number that remains on the right once all variables stand on the left).
So in a maximised problem a scarce resource, `<=`, has a price of at least 0, and in a minimised one of at most 0. A
reduced cost is the change of the objective's value for one unit more of the bound that a variable is at.

With whole numbers or logic all decisions are held as they are (`held`), and prices are those of the linear model that
remains: they say nothing about what other decisions would bring.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from math import inf
from typing import TYPE_CHECKING

from data.errors import UserError
from formulation.alternatives import Pool, Uniqueness, pool, uniqueness
from formulation.binding import Key
from formulation.build import to_highs
from formulation.engine import run
from formulation.expressions import Sense
from formulation.fixed import fixed, has_decisions, room
from formulation.ground import Rows
from formulation.linearize import Matrix, linearize
from formulation.numbers import Rational, exact
from formulation.recover import size
from formulation.trial import within

if TYPE_CHECKING:
    import highspy

    from formulation.model import Model
    from formulation.solve import Solution

__all__ = [
    "Pool",
    "Price",
    "Reduced",
    "Sensitivity",
    "Slack",
    "Uniqueness",
    "binding",
    "pool",
    "sensitivity",
    "slacks",
    "uniqueness",
]

_SAME = 1e-9


@dataclass(frozen=True, slots=True)
class Slack:
    """How much of the limit of a statement is left at a solution, in the unit of the statement.

    `amount` is 0 where it is binding, and below 0 where it is broken. Of alternatives the one that holds is listed, and
    a condition's rows only where the condition is met.
    """

    statement: str
    key: Key
    sense: Sense
    limit: Rational
    amount: Rational

    @property
    def binding(self) -> bool:
        """Whether nothing is left, but for the rounding of a solution that is not exact."""
        return self.amount <= Fraction(_SAME) * max(1, size(self.limit))


@dataclass(frozen=True, slots=True)
class Price:
    """What one unit more of a limit changes in the objective, for limits within [low, high]; None is no end."""

    statement: str
    key: Key
    sense: Sense
    limit: Rational
    price: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Reduced:
    """A variable's reduced cost, its coefficient in the objective, and the coefficients that keep the solution optimal.

    None is no end. A variable that is held as a decision has the cost of moving it by one, as if it could be moved.
    """

    name: str
    key: Key
    value: float
    reduced: float
    coefficient: Rational
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """Prices of the limits and reduced costs of the variables; `held` says that decisions were held as they are."""

    held: bool
    objective: float
    prices: tuple[Price, ...]
    variables: tuple[Reduced, ...]


def slacks(model: Model, values: Mapping[tuple[str, Key], Rational]) -> tuple[Slack, ...]:
    """The slack of every statement for every binding of its symbols, at the declared variables' values."""
    ground = fixed(model.ground, values)
    # What is no declared variable is a decision here, and held.
    point = [values[c.name, c.key] if c.role == "variable" else c.lower or 0 for c in ground.columns]
    found = []
    for row in ground.rows:
        left = room(row, point)
        at_upper = row.upper is not None and room(replace(row, lower=None), point) == left
        found.append(Slack(row.statement, row.key, *_limit(row, at_upper=at_upper), left))
    return tuple(found)


def binding(model: Model, values: Mapping[tuple[str, Key], Rational]) -> tuple[str, ...]:
    """The ids of the statements of which a limit is reached at the declared variables' values."""
    return tuple(dict.fromkeys(slack.statement for slack in slacks(model, values) if slack.binding))


def sensitivity(model: Model, solution: Solution, *, time_limit: float | None = None) -> Sensitivity:
    """Prices and reduced costs at a solution. Raises UserError without a solution, or without one single objective."""
    if not solution.values:
        raise UserError(f"there is no solution to price: {solution.status}, {solution.reason}")
    ground = fixed(model.ground, solution.values)
    matrix = linearize(ground)
    if len(matrix.objectives) != 1:
        many = "several goals, one after the other: give it one" if matrix.objectives else "no objective: give it one"
        raise UserError(f"prices are changes of an objective, and the problem has {many}")
    highs = to_highs(matrix)
    for tolerance in ("primal_feasibility_tolerance", "dual_feasibility_tolerance"):
        highs.setOptionValue(tolerance, _SAME)
    failed = run(highs, within(time_limit))
    basis = highs.getBasis()
    if failed or not basis.valid or not _is_optimal(highs):
        raise UserError("no prices: HiGHS found no optimal basis" + (f" ({failed})" if failed else ""))
    return Sensitivity(
        has_decisions(model.ground),
        highs.getInfo().objective_function_value,
        tuple(_prices(matrix, len(ground.rows), highs)),
        tuple(_reduced(matrix, highs)),
    )


def _is_optimal(highs: highspy.Highs) -> bool:
    from highspy import HighsModelStatus

    return bool(highs.getModelStatus() == HighsModelStatus.kOptimal)


def _prices(matrix: Matrix, count: int, highs: highspy.Highs) -> Iterator[Price]:
    """Of the first `count` rows: the others only say a cost or the worst of several goals."""
    from highspy import HighsBasisStatus as Status

    solution, ranges, statuses = highs.getSolution(), highs.getRanging()[1], highs.getBasis().row_status
    for number, row in enumerate(matrix.rows[:count]):
        at_upper = statuses[number] == Status.kUpper
        basic = statuses[number] == Status.kBasic
        activity = solution.row_value[number]
        if basic and row.lower is not None and row.upper is not None:
            at_upper = float(row.upper) - activity < activity - float(row.lower)
        sense, limit = _limit(row, at_upper=at_upper)
        price = 0.0 if basic else _clean(solution.row_dual[number])
        low: float | None
        high: float | None
        if not basic:
            low, high = ranges.row_bound_dn.value_[number], ranges.row_bound_up.value_[number]
        elif sense == "==":
            low = high = float(limit)
        else:
            low, high = (activity, inf) if sense == "<=" else (-inf, activity)
        yield Price(row.statement, row.key, sense, limit, price, _end(low), _end(high))


def _reduced(matrix: Matrix, highs: highspy.Highs) -> Iterator[Reduced]:
    solution, ranges = highs.getSolution(), highs.getRanging()[1]
    of = matrix.objectives[0].of
    coefficients = dict(zip(of.columns, of.coefficients, strict=True))
    for number, column in enumerate(matrix.columns):
        if column.role == "variable":
            yield Reduced(
                column.name,
                column.key,
                solution.col_value[number],
                _clean(solution.col_dual[number]),
                coefficients.get(number, 0),
                _end(ranges.col_cost_dn.value_[number]),
                _end(ranges.col_cost_up.value_[number]),
            )


def _limit(row: Rows, *, at_upper: bool) -> tuple[Sense, Rational]:
    """The side of a row that matters, as a sense and a limit."""
    if row.upper is not None and row.upper == row.lower:
        return "==", row.upper
    if row.upper is not None and (at_upper or row.lower is None):
        return "<=", row.upper
    return ">=", exact(row.lower if row.lower is not None else 0)


def _clean(value: float) -> float:
    """Without the noise of floating-point arithmetic around 0, and without its sign."""
    return value if abs(value) > _SAME else 0.0


def _end(value: float) -> float | None:
    return None if abs(value) == inf else value
