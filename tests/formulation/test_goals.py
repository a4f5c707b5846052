"""Objectives of several goals: weights, order and worst cases, with what statements cost."""

import random
from fractions import Fraction

import pytest

from data.errors import UserError
from formulation.model import load
from formulation.schema import read_problem
from tests.formulation.optimum import cost, holds, optimum, points

VARIABLES = {
    "n": {"domain": "integer", "upper": 3},
    "m": {"domain": "integer", "lower": -2, "upper": 2},
    "k": {"domain": "integer", "upper": 2},
    "a": {"domain": "binary"},
}
STATEMENTS = [
    {"kind": "linear", "row": "2*n + m + k <= 6"},
    {"kind": "implication", "when": "selected(n)", "then": "not a"},
    {"kind": "fixed_charge", "variable": "n", "charge": 2},
    {"kind": "fixed_charge", "variable": "k", "charge": "-1/2"},
    {"kind": "soft", "terms": "n + m", "sense": "<=", "limit": 1, "penalty": "3/2"},
]


def terms(rng):
    return {name: rng.choice([-2, -1, "1/2", 1, 3]) for name in rng.sample(list(VARIABLES), 3)}


def aim(rng, sense):
    if rng.random() < 0.5:
        return {"sense": sense, "terms": terms(rng)}
    return {"sense": sense, "worst_of": [terms(rng), terms(rng)]}


def levels(world):
    """What is optimised at a point, one number for each priority: larger is better, told by plain arithmetic."""
    objective = world.bound.problem.objective
    goals, values = objective.goals(), objective.values(world)
    found = {}
    for goal, value in zip(goals, values, strict=True):
        weight = world.value(goal.weight, {}) if goal.weight is not None else 1
        found[goal.priority] = found.get(goal.priority, 0) + weight * value * (1 if goal.sense == "maximize" else -1)
    best_first = [found[priority] for priority in sorted(found)]
    return (best_first[0] - cost(world), *best_first[1:])


def agree(objective, seed):
    rng = random.Random(seed)
    statements = rng.sample(STATEMENTS, 3)
    problem = {"variables": VARIABLES, "objective": objective(rng), "constraints": statements}
    model = load(problem)
    best = max(levels(world) for world in points(model) if holds(world))
    found, _ = optimum(problem)
    signs = [1 if level.sense == "maximize" else -1 for level in model.matrix.objectives]
    assert tuple(sign * value for sign, value in zip(signs, found, strict=True)) == best


@pytest.mark.parametrize("first", ["maximize", "minimize"])
@pytest.mark.parametrize("seed", range(8))
def test_weighted_goals_reach_the_best_sum_by_enumeration(first, seed):
    def objective(rng):
        senses = [first, *rng.choices(["maximize", "minimize"], k=2)]
        return {"kind": "goals", "of": [{**aim(rng, s), "weight": rng.choice([0, "1/2", 1, 3])} for s in senses]}

    agree(objective, seed)


@pytest.mark.parametrize("first", ["maximize", "minimize"])
@pytest.mark.parametrize("seed", range(8))
def test_ordered_goals_reach_the_best_of_each_level_by_enumeration(first, seed):
    def objective(rng):
        senses = [first, *rng.choices(["maximize", "minimize"], k=2)]
        return {"kind": "lexicographic", "of": [aim(rng, s) for s in senses]}

    agree(objective, seed)


@pytest.mark.parametrize("sense", ["maximize", "minimize"])
@pytest.mark.parametrize("seed", range(8))
def test_the_worst_case_is_the_best_by_enumeration(sense, seed):
    def objective(rng):
        return {"kind": "worst_case", "sense": sense, "of": [terms(rng) for _ in range(rng.randint(1, 3))]}

    agree(objective, seed)


def test_the_most_loaded_machine_gets_the_least_work():
    days = {"j": 5, "k": 4, "l": 3, "i": 3}
    problem = {
        "sets": {"J": list(days), "M": ["left", "right"]},
        "parameters": {"days": {"index": ["J"], "values": days}},
        "variables": {"on": {"domain": "binary", "over": "j in J, m in M"}},
        "objective": {
            "kind": "worst_case",
            "sense": "minimize",
            "of": "sum(days[j]*on[j, m] for j in J)",
            "over": "m in M",
        },
        "constraints": [{"kind": "count", "of": "on[j, m]", "over": "m in M", "exactly": 1, "forall": "j in J"}],
    }
    assert optimum(problem)[0] == (8,)


def test_an_order_of_goals_is_no_weighing():
    variables = {"x": {"upper": 4}, "y": {"upper": 4}}
    limit = {"kind": "linear", "row": "100*x + y <= 100"}

    def point(objective):
        return optimum({"variables": variables, "objective": objective, "constraints": [limit]})[1]

    by_order = {
        "kind": "lexicographic",
        "of": [{"sense": "maximize", "terms": "y"}, {"sense": "maximize", "terms": "x"}],
    }
    assert point(by_order) == {("x", ()): Fraction(24, 25), ("y", ()): 4}
    turned = {**by_order, "of": by_order["of"][::-1]}
    assert point(turned) == {("x", ()): 1, ("y", ()): 0}


def test_costs_without_a_goal_are_minimised():
    problem = {
        "variables": {"x": {"upper": 9}, "y": {"upper": 9}},
        "constraints": [
            {"kind": "linear", "row": "x + y >= 5"},
            {"kind": "fixed_charge", "variable": "x", "charge": 3},
            {"kind": "fixed_charge", "variable": "y", "charge": 2},
        ],
    }
    assert optimum(problem)[0] == (2,)


@pytest.mark.parametrize(
    ("objective", "said"),
    [
        (
            {"kind": "goals", "of": [{"sense": "maximize", "terms": "n", "weight": -1}]},
            r"of\[0\]: the weight -1 is below 0",
        ),
        ({"kind": "goals", "of": [{"sense": "maximize", "terms": "n", "wieght": 1}]}, 'did you mean "weight"'),
        ({"kind": "goals", "of": []}, "of: the list is empty"),
        ({"kind": "lexicographic", "of": [{"sense": "maximize"}]}, "either 'terms' or 'worst_of'"),
        (
            {"kind": "lexicographic", "of": [{"sense": "maximize", "terms": "n", "over": "i in I"}]},
            "'over' goes with 'worst_of'",
        ),
    ],
)
def test_a_mistake_is_one_line_with_its_place(objective, said):
    with pytest.raises(UserError, match=said) as error:
        read_problem({"variables": VARIABLES, "objective": objective})
    assert str(error.value).startswith("objective.of") and "more)" not in str(error.value)


def test_a_weight_below_0_in_the_data_and_a_worst_of_nothing_are_refused():
    goals = {"kind": "goals", "of": [{"sense": "maximize", "terms": "n", "weight": "w"}]}
    with pytest.raises(UserError, match=r"^objective: the weight of a goal may not be below 0, not -2"):
        _ = load({"variables": VARIABLES, "parameters": {"w": -2}, "objective": goals}).ground
    none = {"kind": "worst_case", "sense": "minimize", "of": "n", "over": "i in I if i > 5"}
    with pytest.raises(UserError, match=r"^objective: it has nothing to optimise"):
        _ = load({"variables": VARIABLES, "sets": {"I": [1, 2]}, "objective": none}).ground
