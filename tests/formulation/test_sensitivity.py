"""Prices, reduced costs and their ranges against finite differences; other solutions against enumeration."""

from __future__ import annotations

import random
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from data.errors import DataError, UserError
from formulation.expressions import Relation, constant
from formulation.expressions import expression as read
from formulation.ground import Rows
from formulation.kinds.linear import Linear
from formulation.meaning import World
from formulation.model import Model, load
from formulation.numbers import Rational
from formulation.sensitivity import Sensitivity, binding, pool, sensitivity, slacks, uniqueness
from tests.formulation.effort import MORE
from tests.formulation.exact import Exact
from tests.formulation.random_problems import changed, feasible_points, is_feasible, optimum, problem

SEEDS = st.integers(0, 10**6)


def with_limit(model: Model, statement: str, limit: Rational) -> Model:
    """The model with another right side of one linear statement."""
    constraints = []
    for c in model.problem.constraints:
        moved = Relation(c.row.left, c.row.sense, constant(limit)) if c.id == statement else c.row
        constraints.append(Linear(id=c.id, row=moved))
    return changed(model, constraints=constraints)


def steps(low: float | None, at: Rational, high: float | None) -> list[Fraction]:
    """A step down and a step up within a range, as far as there is room."""
    down = Fraction(1, 4) if low is None else min(Fraction(1, 4), (at - Fraction(low)) / 2)
    up = Fraction(1, 4) if high is None else min(Fraction(1, 4), (Fraction(high) - at) / 2)
    return [step for step in (-down, up) if abs(step) > Fraction(1, 10**6)]


def linear(seed: int) -> tuple[Model, Sensitivity]:
    """A random linear program with an optimum, and its prices."""
    model = problem(random.Random(seed), "xy", 3)
    assume(is_feasible(model))
    return model, sensitivity(model, model.solve())


@settings(max_examples=15 * MORE, deadline=None)
@given(seed=SEEDS)
def test_a_price_is_the_change_of_the_optimum_per_unit_of_the_limit(seed: int) -> None:
    model, found = linear(seed)
    before = optimum(model)
    assert not found.held and found.objective == pytest.approx(float(before))
    for price in found.prices:
        for step in steps(price.low, price.limit, price.high):
            after = optimum(with_limit(model, price.statement, price.limit + step))
            assert float(after - before) == pytest.approx(price.price * float(step), abs=1e-7)


@settings(max_examples=15 * MORE, deadline=None)
@given(seed=SEEDS)
def test_prices_lie_between_the_changes_to_either_side(seed: int) -> None:
    """Also where the optimum bends at the limit itself and there is no range: it is convex in it, or concave."""
    model, found = linear(seed)
    before, sign = optimum(model), 1 if model.problem.objective.sense == "minimize" else -1
    tiny = Fraction(1, 10**6)
    for price in found.prices:
        below, above = (optimum(with_limit(model, price.statement, price.limit + d)) for d in (-tiny, tiny))
        if below is not None:
            assert sign * float((before - below) / tiny) <= sign * price.price + 1e-6
        if above is not None:
            assert sign * price.price <= sign * float((above - before) / tiny) + 1e-6


@settings(max_examples=15 * MORE, deadline=None)
@given(seed=SEEDS)
def test_within_its_range_a_coefficient_keeps_the_solution_optimal(seed: int) -> None:
    model, found = linear(seed)
    point = {(v.name, v.key): Fraction(v.value) for v in found.variables}
    for variable in found.variables:
        for step in steps(variable.low, variable.coefficient, variable.high):
            goal = model.problem.objective
            terms = f"{goal.terms} + ({step.numerator}/{step.denominator})*{variable.name}"
            other = changed(model, objective=goal.model_copy(update={"terms": read(terms)}))
            kept = found.objective + float(step * point[variable.name, variable.key])
            assert float(optimum(other)) == pytest.approx(kept, abs=1e-7)


def test_signs_and_units_of_prices_are_the_problems() -> None:
    model = load(
        {
            "variables": {"chair": {}, "table": {"upper": 30}},
            "objective": {"kind": "optimize", "sense": "maximize", "terms": "8*chair + 5*table"},
            "constraints": [
                {"kind": "linear", "id": "wood", "row": "chair <= 50"},
                {"kind": "linear", "id": "hours", "row": "2*chair + table <= 120"},
                {"kind": "linear", "id": "least", "row": "chair >= 1"},
            ],
        }
    )
    solution = model.solve()
    found = sensitivity(model, solution)
    assert {price.statement: price.price for price in found.prices} == {"wood": 0, "hours": 4, "least": 0}
    hours = found.prices[1]
    assert (hours.sense, hours.limit, hours.low, hours.high) == ("<=", 120, 32, 130)
    table = found.variables[1]
    assert (table.reduced, table.coefficient, table.low, table.high) == (1, 5, 4, None)
    assert {slack.statement: slack.amount for slack in slacks(model, solution.values)} == {
        "wood": 5, "hours": 0, "least": 44,
    }  # fmt: skip
    assert binding(model, solution.values) == ("hours",)
    cheap = changed(model, objective={"kind": "optimize", "sense": "minimize", "terms": "8*chair + 5*table"})
    assert {price.statement: price.price for price in sensitivity(cheap, cheap.solve()).prices} == {
        "wood": 0, "hours": 0, "least": 8,
    }  # fmt: skip


def test_with_decisions_prices_are_those_of_the_decisions_held() -> None:
    model = load(
        {
            "variables": {
                "open": {"domain": "binary"},
                "make": {"upper": 50},
                "n": {"domain": "integer", "upper": 9},
                "buy": {"upper": 40},
            },
            "objective": {"kind": "optimize", "sense": "maximize", "terms": "3*make + n + 2*buy - 10*open"},
            "constraints": [
                {"kind": "conditional", "id": "closed", "when": "not open", "then": "make <= 0"},
                {"kind": "conditional", "id": "batch", "when": "open", "then": "make <= 45"},
                {"kind": "linear", "id": "sum", "row": "2*n + buy <= 13"},
                {"kind": "semi_continuous", "id": "lot", "variable": "buy", "minimum": 5},
                {"kind": "lots", "id": "dozen", "amount": "make", "size": 12},
                {"kind": "either_or", "id": "way", "alternatives": ["buy <= 8", "make + buy <= 4"]},
            ],
        }
    )
    solution = model.solve()
    assert solution.value("make") == 36
    found = sensitivity(model, solution)
    assert found.held and found.objective == pytest.approx(float(solution.objective))
    prices = {price.statement: price.price for price in found.prices}
    # One unit more in a dozen makes 3 units of objective; the condition on 'closed' is not in force.
    assert prices["dozen"] == pytest.approx(3)
    assert prices["batch"] == 0 and "closed" not in prices
    assert {slack.statement for slack in slacks(model, solution.values)} >= {"batch", "sum", "dozen", "way"}


def test_the_worst_of_several_goals_has_prices() -> None:
    goal = {"kind": "worst_case", "sense": "minimize", "of": ["x + 1", "2*y"]}
    rows = [{"kind": "linear", "id": "both", "row": "x + y >= 5"}]
    model = load({"variables": {"x": {}, "y": {}}, "objective": goal, "constraints": rows})
    found = sensitivity(model, model.solve())
    assert [(price.statement, price.price) for price in found.prices] == [("both", pytest.approx(2 / 3))]


def test_without_one_objective_there_is_nothing_to_price() -> None:
    model = load({"variables": {"x": {}}, "constraints": [{"kind": "linear", "row": "x <= 3"}]})
    with pytest.raises(UserError, match="no objective"):
        sensitivity(model, model.solve())
    broken = load({"variables": {"x": {}}, "constraints": [{"kind": "linear", "row": "x <= -3"}]})
    with pytest.raises(UserError, match="no solution"):
        sensitivity(broken, broken.solve())


# ---- other solutions -------------------------------------------------------------------------------------------------


def has_one_optimum(model: Model, best: Rational) -> bool:
    """Whether no declared variable can take two values at the optimum, by exact arithmetic."""
    matrix = model.matrix
    of = matrix.objectives[0].of
    level = Rows(of.columns, of.coefficients, best - of.constant, best - of.constant, "objective")
    judge = Exact(replace(matrix, rows=[*matrix.rows, level]))
    declared = [i for i, column in enumerate(matrix.columns) if column.role == "variable"]
    ends = [[sign * judge.best({i: sign}, {})[0] for sign in (1, -1)] for i in declared]
    return all(high == low for high, low in ends)


@pytest.mark.parametrize(
    ("names", "logic"), [("xy", False), ("xyi", False), ("ij", False), ("xyb", True), ("xij", True)]
)
@settings(max_examples=10 * MORE, deadline=None)
@given(seed=SEEDS)
def test_a_second_optimum_is_found_where_there_is_one(names: str, logic: bool, seed: int) -> None:
    model = problem(random.Random(seed), names, 3, logic=logic)
    assume(is_feasible(model))
    solution = model.solve()
    found = uniqueness(model, solution)
    assert found.verdict == ("yes" if has_one_optimum(model, solution.objective) else "no"), found.reason
    if found.second is not None:
        assert found.second != solution.values
        pinned = [Linear(row=Relation(read(name), "==", constant(x))) for (name, _), x in found.second.items()]
        again = changed(model, constraints=[*model.problem.constraints, *pinned])
        assert optimum(again) == solution.objective


def test_uniqueness_without_bounds_and_with_several_goals() -> None:
    variables = {"n": {"domain": "integer", "lower": None}, "x": {"lower": None}}
    rows = [{"kind": "linear", "row": "n + x >= 1"}]
    goal = {"kind": "optimize", "sense": "minimize", "terms": "n + x"}
    model = load({"variables": variables, "objective": goal, "constraints": rows})
    found = uniqueness(model, model.solve())
    assert found.verdict == "no" and found.second is not None
    second = {"sense": "minimize", "terms": "x"}
    goals = {"kind": "lexicographic", "of": [{"sense": "minimize", "terms": "n + x"}, second]}
    variables = {"n": {"domain": "integer", "upper": 3}, "x": {}}
    model = load({"variables": variables, "objective": goals, "constraints": rows})
    assert uniqueness(model, model.solve()).verdict == "yes"


def test_what_is_not_proved_optimal_is_not_called_unique() -> None:
    model = load({"variables": {"x": {}}, "constraints": [{"kind": "linear", "row": "x <= -3"}]})
    assert uniqueness(model, model.solve()).verdict == "undecided"


@settings(max_examples=10 * MORE, deadline=None)
@given(seed=SEEDS, gap=st.sampled_from([None, 0, 0.5]))
def test_a_pool_holds_the_best_whole_points_in_order(seed: int, gap: float | None) -> None:
    model = problem(random.Random(seed), "ijb", 3, logic=True)
    terms, sense = model.problem.objective.terms, model.problem.objective.sense
    values = sorted(
        (World(model.bound, point).value(terms, {}) for point in feasible_points(model)), reverse=sense == "maximize"
    )
    if values and gap is not None:
        values = [value for value in values if abs(value - values[0]) <= abs(values[0]) * Fraction(gap)]
    found = pool(model, 6, gap)
    assert [solution.objective for solution in found.solutions] == values[:6]
    assert len({tuple(sorted(solution.values.items())) for solution in found.solutions}) == len(found.solutions)
    assert found.complete == (len(values) < 6)
    assert not found.note and not any(name.startswith("other") for s in found.solutions for name, _ in s.helpers)


def test_a_pool_says_what_it_does_not_enumerate() -> None:
    variables = {"n": {"domain": "integer", "upper": 2}, "x": {"upper": 3}}
    goal = {"kind": "optimize", "sense": "maximize", "terms": "n + x"}
    model = load({"variables": variables, "objective": goal})
    found = pool(model, 9)
    assert [solution.objective for solution in found.solutions] == [5, 4, 3]
    assert found.complete and "continuous" in found.note
    alone = load({"variables": {"x": {"upper": 3}}, "objective": {**goal, "terms": "x"}})
    found = pool(alone, 9)
    assert [solution.objective for solution in found.solutions] == [3] and found.complete and "continuous" in found.note
    endless = load(
        {"variables": {"n": {"domain": "integer"}}, "objective": {**goal, "sense": "minimize", "terms": "n"}}
    )
    with pytest.raises(DataError, match=r"n: .* give it an upper bound"):
        pool(endless, 2)
    assert [solution.value("n") for solution in pool(endless, 2, 0.5).solutions] == [0]
    with pytest.raises(UserError, match="give 1 or more"):
        pool(model, 0)


def test_alternatives_that_differ_in_no_declared_variable_are_one_solution() -> None:
    goal = {"kind": "optimize", "sense": "maximize", "terms": "x"}
    both = {"kind": "either_or", "alternatives": ["x <= 2", "x <= 2"]}
    model = load({"variables": {"x": {"upper": 3}}, "objective": goal, "constraints": [both]})
    assert uniqueness(model, model.solve()).verdict == "yes"
    apart = {"kind": "either_or", "alternatives": ["y <= 0", "y >= 3"]}
    model = load({"variables": {"x": {"upper": 3}, "y": {"upper": 3}}, "objective": goal, "constraints": [apart]})
    found = uniqueness(model, model.solve())
    assert found.verdict == "no" and found.second is not None
