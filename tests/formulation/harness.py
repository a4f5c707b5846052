"""Whether a model's matrix says what its statements mean: both judged exactly, at the same points.

The meaning of a problem at a point is what its statements say of it (`holds`, `cost`, `values` over a `World`), with
the declared bounds and domains. The matrix is judged with the declared variables fixed and the columns that were added
solved for. Points are: a grid on halves and thirds for each choice of the discrete variables; and for each row, with
all integers held at values that are possible without it, the extremes of its activity over the polyhedron of the other
rows and over that of all rows, and points between these, just beyond the row: there a row that says too much or too
little shows.
"""

from __future__ import annotations

import dataclasses
import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Any

from formulation.binding import Key
from formulation.expressions import Quantifier, Ref, Selected, Sum
from formulation.ground import Column, Rows
from formulation.kinds.base import Env
from formulation.linearize import BigM, Matrix, Objective
from formulation.meaning import World, elements
from formulation.model import Model
from formulation.numbers import Rational, exact
from formulation.primitives import SemiContinuous
from formulation.schema import Problem
from tests.formulation.exact import Exact, Terms, Unbounded

Values = tuple[Rational, ...]
"""The declared variables' values, in the order of `Case.declared`."""


class Case:
    """A problem with its data, and its matrix or a mutant of that."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.model = Model(problem)
        self.matrix = self.model.matrix
        self.declared = [i for i, column in enumerate(self.matrix.columns) if column.role == "variable"]
        self.closed = bool(self.model.ground.notes)

    def grid(self, rng: random.Random, most: int) -> list[Values]:
        """At most so many points on whole numbers, halves and thirds within the declared bounds."""
        axes = [_axis(self.matrix.columns[i]) for i in self.declared]
        size = 1
        for axis in axes:
            size *= len(axis)
        if size <= most:
            return list(itertools.product(*axes))
        return [tuple(rng.choice(axis) for axis in axes) for _ in range(most)]

    @cached_property
    def minima(self) -> dict[tuple[str, Key], Rational]:
        """The least used amount of each variable whose use is a decision and that no statement gives a range."""
        world = World(self.model.bound, {})
        ranged: set[tuple[str, Key]] = set()
        used: dict[tuple[str, Key], None] = {}
        statements: list[tuple[Any, Quantifier | None]] = [(c.lower(), c.forall) for c in self.problem.constraints]
        if self.problem.objective is not None:
            statements.append((self.problem.objective.goals(), None))
        for lowered, forall in statements:
            for env in world.instances(forall, {}):
                for ref, inner in _uses(world, lowered, env):
                    of = ref.of if isinstance(ref, Selected) else ref
                    name_key = (of.name, elements(self.model.bound, of.index, inner, of))
                    if isinstance(ref, Selected):
                        used[name_key] = None
                    else:
                        ranged.add(name_key)
        found: dict[tuple[str, Key], Rational] = {}
        for name, key in used.keys() - ranged:
            variable = self.problem.variables[name]
            if variable.minimum is None:
                continue  # whole numbers are used from 1 on; else any positive amount counts
            for env in world.instances(variable.over, {}):
                if tuple(binding.element for binding in env.values()) == key:
                    found[name, key] = world.value(variable.minimum, env)
        return found

    def meaning(self, values: Values) -> tuple[bool, tuple[Rational, ...]]:
        """Whether a point within the declared bounds and domains is feasible, and its objectives if it is."""
        columns = self.matrix.columns
        point = {(columns[i].name, columns[i].key): x for i, x in zip(self.declared, values, strict=True)}
        for place, least in self.minima.items():
            if 0 < point[place] < least:
                return False, ()
        world = World(self.model.bound, point)
        costs: Rational = 0
        for constraint in self.problem.constraints:
            for env in world.instances(constraint.forall, {}):
                if not constraint.holds(world, env):
                    return False, ()
                costs += constraint.cost(world, env)
        return True, self._objectives(world, costs)

    def _objectives(self, world: World, costs: Rational) -> tuple[Rational, ...]:
        objective = self.problem.objective
        if objective is None:
            return (costs,) if self.matrix.ground.costs else ()
        goals, values = objective.goals(), objective.values(world)
        levels: dict[int, Rational] = {}
        senses: dict[int, str] = {}
        for goal, value in zip(goals, values, strict=True):
            sense = senses.setdefault(goal.priority, goal.sense)
            weight = world.value(goal.weight, {}) if goal.weight is not None else 1
            levels[goal.priority] = levels.get(goal.priority, 0) + (weight if goal.sense == sense else -weight) * value
        first = min(levels)
        levels[first] += costs if senses[first] == "minimize" else -costs
        return tuple(levels[priority] for priority in sorted(levels))


def _axis(column: Column) -> list[Rational]:
    """Points between a column's bounds."""
    if column.lower is None or column.upper is None:
        raise AssertionError(f"{column}: a generated variable has finite bounds")
    step = (1,) if column.integral else (1, 2, 3)
    found = {
        exact(Fraction(n, d)) for d in step for n in range(-(-column.lower * d // 1), int(column.upper * d // 1) + 1)
    }
    return sorted(found | (set() if column.integral else {column.lower, column.upper}))


def _uses(world: World, part: Any, env: Env) -> Iterator[tuple[Selected | Ref, Env]]:
    """Every `selected(x)`, and every variable that a range is given for, with the binding it stands under."""
    if isinstance(part, tuple):
        for inside in part:
            yield from _uses(world, inside, env)
    elif isinstance(part, Selected):
        yield part, env
    elif isinstance(part, Sum):
        for inner in world.instances(part.over, env):
            yield from _uses(world, part.body, inner)
    elif dataclasses.is_dataclass(part) and not isinstance(part, Quantifier):
        for inner in world.instances(getattr(part, "over", None), env):
            if isinstance(part, SemiContinuous):
                yield part.of, inner
            for field in dataclasses.fields(part):
                yield from _uses(world, getattr(part, field.name), inner)


# ---- agreement -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Effort:
    """How many points of the grid, and how many times the rows are gone through."""

    points: int
    rounds: int


def disagreements(case: Case, matrix: Matrix, rng: random.Random, effort: Effort) -> Iterator[str]:
    """Points at which the matrix and the meaning differ, in words."""
    judge = Exact(matrix)
    seen: set[Values] = set()
    for values in itertools.chain(case.grid(rng, effort.points), _extremes(case, judge, rng, effort.rounds)):
        if values not in seen:
            seen.add(values)
            found = _difference(case, matrix, judge, values)
            if found is not None:
                shown = ", ".join(f"{matrix.columns[i]}={x}" for i, x in zip(case.declared, values, strict=True))
                yield f"{found} at {shown}"


def _difference(case: Case, matrix: Matrix, judge: Exact, values: Values) -> str | None:
    holds, objectives = case.meaning(values)
    fixed = dict(zip(case.declared, values, strict=True))
    feasible = judge.best({}, fixed) is not None
    if case.closed and feasible and not holds:
        return None  # rows over continuous quantities cannot be strict; the model says so in its notes
    if holds != feasible:
        return f"the statements {'hold' if holds else 'do not hold'}, the rows {'do' if feasible else 'do not'}"
    if not feasible:
        return None
    found = [_optimum(judge, objective, fixed) for objective in matrix.objectives]
    return f"the objectives are {objectives}, in the matrix {found}" if list(objectives) != found else None


def _optimum(judge: Exact, objective: Objective, fixed: Terms) -> Rational | None:
    """The best value of an objective over the added columns; None where it is infinite."""
    sign = 1 if objective.sense == "maximize" else -1
    terms = {i: sign * a for i, a in zip(objective.of.columns, objective.of.coefficients, strict=True)}
    try:
        found = judge.best(terms, fixed)
    except Unbounded:
        return None
    assert found is not None
    return exact(sign * found[0] + objective.of.constant)


def _extremes(case: Case, judge: Exact, rng: random.Random, rounds: int) -> Iterator[Values]:
    """For each row, integers that are possible without it, and the points that the row makes there."""
    bounded = sorted({*judge.integral, *case.declared})
    moving = any(i not in judge.integral for i in case.declared)
    for _ in range(rounds):
        for row in rng.sample(range(len(judge.rows)), min(len(judge.rows), 8)):
            found = judge.best({i: rng.randint(-3, 3) for i in bounded}, {}, row)
            if found is not None:
                yield tuple(found[1][i] for i in case.declared)
                if moving:
                    yield from _around(case, judge, {i: found[1][i] for i in judge.integral}, row)


def _around(case: Case, judge: Exact, fixed: Terms, row: int) -> Iterator[Values]:
    """The extremes of a row's activity with the row and without it, and points between these, just beyond the row."""
    for sign in (1, -1):
        terms = {i: sign * a for i, a in zip(judge.rows[row].columns, judge.rows[row].coefficients, strict=True)}
        ends = []
        for without in (None, row):
            try:
                found = judge.best(terms, fixed, without)
            except Unbounded:
                found = None
            if found is not None:
                ends.append(tuple(found[1][i] for i in case.declared))
        yield from ends
        if len(ends) == 2 and ends[0] != ends[1]:
            for share in (Fraction(1, 1000), Fraction(1, 2)):
                yield tuple(exact(a + share * (b - a)) for a, b in zip(*ends, strict=True))


# ---- mutants ---------------------------------------------------------------------------------------------------------


def mutants(case: Case) -> dict[str, list[Matrix]]:
    """Wrong matrices by what is wrong with them. Some are right after all: a row may follow from the others."""
    matrix = case.matrix
    found: dict[str, list[Matrix]] = {}

    def add(what: str, **changed: Any) -> None:
        found.setdefault(what, []).append(replace(matrix, **changed))

    def rows(number: int, *instead: Rows) -> list[Rows]:
        return [*matrix.rows[:number], *instead, *matrix.rows[number + 1 :]]

    for big in matrix.big_ms:
        add("halved M", rows=rows(big.row, _halved(matrix.rows[big.row], big)))
    for number, row in enumerate(matrix.rows):
        add("dropped link" if row.derived else "dropped row", rows=rows(number))
        if (row.lower is None) != (row.upper is None):
            add("flipped sense", rows=rows(number, replace(row, lower=row.upper, upper=row.lower)))
        for changed in _doubled(row.coefficients):
            add("changed coefficient", rows=rows(number, replace(row, coefficients=changed)))
    for number, objective in enumerate(matrix.objectives):
        before, after = matrix.objectives[:number], matrix.objectives[number + 1 :]
        sense: Any = "minimize" if objective.sense == "maximize" else "maximize"
        if any(matrix.columns[i].role != "variable" for i in objective.of.columns):
            add("flipped objective", objectives=[*before, replace(objective, sense=sense), *after])
        for changed in _doubled(objective.of.coefficients):
            of = replace(objective.of, coefficients=changed)
            add("changed objective", objectives=[*before, replace(objective, of=of), *after])
    return found


def _doubled(coefficients: Sequence[Rational]) -> Iterator[tuple[Rational, ...]]:
    for place in range(len(coefficients)):
        yield tuple(2 * a if k == place else a for k, a in enumerate(coefficients))


def _halved(row: Rows, big: BigM) -> Rows:
    """The row with half of its constant: on as it was, off only halfway."""
    half = exact(Fraction(big.value, 2) * (1 if row.upper is not None else -1) * (1 if big.active else -1))
    terms = dict(zip(row.columns, row.coefficients, strict=True))
    terms[big.column] = exact(terms.get(big.column, 0) - half)
    ends = [None if x is None else exact(x - (half if big.active else 0)) for x in (row.lower, row.upper)]
    kept = {i: a for i, a in terms.items() if a}
    return replace(row, columns=tuple(kept), coefficients=tuple(kept.values()), lower=ends[0], upper=ends[1])
