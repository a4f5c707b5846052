"""Optima along the whole path: written out, made linear, and solved by HiGHS, one goal after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from itertools import product
from typing import Any

from formulation.binding import Key
from formulation.build import to_highs
from formulation.ground import Rows
from formulation.meaning import World
from formulation.model import Model, load
from formulation.numbers import Rational
from formulation.schema import Problem

Values = dict[tuple[str, Key], Rational]


def optimum(given: Mapping[str, Any] | Problem) -> tuple[tuple[Fraction, ...], Values] | None:
    """The best value of every level of goals, the most important first, and a point that has them; None: infeasible.

    Data are small fractions, and variables whole or at small fractions in optima, so floats round to exact values.
    """
    matrix = load(given).matrix
    best: list[Fraction] = []
    point: list[Fraction] = []
    rows = list(matrix.rows)
    for level in matrix.objectives or [None]:
        highs = to_highs(replace(matrix, rows=rows, objectives=[level] if level is not None else []))
        highs.run()
        status = highs.modelStatusToString(highs.getModelStatus())
        if status == "Infeasible":
            return None
        assert status == "Optimal", status
        point = [Fraction(x).limit_denominator(60) for x in highs.getSolution().col_value]
        if level is not None:
            of = level.of
            best.append(Fraction(highs.getInfo().objective_function_value).limit_denominator(60))
            end = best[-1] - of.constant
            lower, upper = (None, end) if level.sense == "minimize" else (end, None)
            rows.append(Rows(of.columns, of.coefficients, lower, upper, "held"))
    declared = {i: c for i, c in enumerate(matrix.ground.columns) if c.role == "variable"}
    return tuple(best), {(column.name, column.key): point[i] for i, column in declared.items()}


def points(model: Model) -> Iterator[World]:
    """Every whole point of a small model within its bounds, feasible or not."""
    columns = [c for c in model.ground.columns if c.role == "variable"]
    for values in product(*(range(int(c.lower), int(c.upper) + 1) for c in columns)):
        yield World(model.bound, {(c.name, c.key): x for c, x in zip(columns, values, strict=True)})


def holds(world: World) -> bool:
    """Whether every statement holds at a point."""
    statements = world.bound.problem.constraints
    return all(s.holds(world, env) for s in statements for env in world.instances(s.forall, {}))


def cost(world: World) -> Rational:
    """What the statements cost at a point."""
    statements = world.bound.problem.constraints
    return sum(s.cost(world, env) for s in statements for env in world.instances(s.forall, {}))
