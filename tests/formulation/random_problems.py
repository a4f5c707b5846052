"""Small random problems with several statements, for properties that an exact judge decides."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from typing import Any

from formulation.binding import Key
from formulation.kinds.base import Constraint
from formulation.meaning import World
from formulation.model import Model, load
from formulation.numbers import Rational
from formulation.schema import Problem
from tests.formulation.exact import Exact

BOXES: dict[str, dict[str, Any]] = {
    "i": {"domain": "integer", "lower": 0, "upper": 3},
    "j": {"domain": "integer", "lower": -1, "upper": 2},
    "b": {"domain": "binary"},
    "x": {"lower": 0, "upper": 3},
    "y": {"lower": -1, "upper": 2},
}


def expression(rng: random.Random, names: str) -> str:
    """A few variables with whole coefficients."""
    chosen = rng.sample(names, rng.randint(1, min(3, len(names))))
    return " + ".join(f"{rng.choice([-2, -1, 1, 1, 2, 3])}*{name}" for name in chosen)


def relation(rng: random.Random, names: str, senses: tuple[str, ...] = ("<=", ">=", "==")) -> str:
    """A relation that holds at some points of the box and not at others, mostly."""
    return f"{expression(rng, names)} {rng.choice(senses)} {rng.randint(-3, 6)}"


def statement(rng: random.Random, names: str, *, logic: bool) -> dict[str, Any]:
    """A linear statement, or a piece of logic."""
    kind = rng.choice(["linear", "linear", "conditional", "either_or"]) if logic else "linear"
    hard = rng.random() < 0.25
    if kind == "conditional" and "b" in names:
        when = rng.choice(["b", "not b"])
        return {"kind": kind, "when": when, "then": [relation(rng, names)], "hard": hard}
    if kind == "either_or":
        return {"kind": kind, "alternatives": [relation(rng, names), relation(rng, names)], "hard": hard}
    return {"kind": "linear", "row": relation(rng, names, ("<=", ">=", "<=", ">=", "==")), "hard": hard}


def problem(rng: random.Random, names: str, count: int, *, logic: bool = False, goal: bool = True) -> Model:
    """A problem over some of the boxes' variables, feasible or not."""
    given: dict[str, Any] = {
        "variables": {name: BOXES[name] for name in names},
        "constraints": [statement(rng, names, logic=logic) for _ in range(count)],
    }
    if goal:
        sense = rng.choice(["minimize", "maximize"])
        given["objective"] = {"kind": "optimize", "sense": sense, "terms": expression(rng, names)}
    return load(given)


def points(model: Model) -> Iterator[dict[tuple[str, Key], Rational]]:
    """Every point of whole numbers within the declared bounds."""
    columns = model.ground.columns
    ranges = [range(int(column.lower or 0), int(column.upper or 0) + 1) for column in columns]
    for values in itertools.product(*ranges):
        yield {(column.name, column.key): value for column, value in zip(columns, values, strict=True)}


def feasible_points(model: Model) -> list[dict[tuple[str, Key], Rational]]:
    """Those of them at which every statement holds."""
    constraints = model.problem.constraints
    return [point for point in points(model) if all(holds(model, c, point) for c in constraints)]


def holds(model: Model, constraint: Constraint, point: dict[tuple[str, Key], Rational]) -> bool:
    """Whether a statement holds for all bindings of its symbols."""
    world = World(model.bound, point)
    return all(constraint.holds(world, env) for env in world.instances(constraint.forall, {}))


def is_feasible(model: Model) -> bool:
    """Whether a model has a point, by exact arithmetic."""
    return Exact(model.matrix).best({}, {}) is not None


def optimum(model: Model) -> Rational | None:
    """The optimum of a model's first goal, by exact arithmetic; None where there is no point. Raises Unbounded."""
    matrix = model.matrix
    goal = matrix.objectives[0]
    sign = 1 if goal.sense == "maximize" else -1
    terms = {i: sign * a for i, a in zip(goal.of.columns, goal.of.coefficients, strict=True)}
    found = Exact(matrix).best(terms, {})
    return None if found is None else sign * found[0] + goal.of.constant


def changed(model: Model, **fields: Any) -> Model:
    """The model with other fields of its problem."""
    return load(Problem.model_validate({**{n: getattr(model.problem, n) for n in Problem.model_fields}, **fields}))
