"""Conflicts and relaxations: irreducible, blamed on what can be given up, and minimal, as an exact judge finds."""

from __future__ import annotations

import itertools
import random
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.errors import UserError
from formulation.infeasible import IIS, Part, iis, relaxations
from formulation.kinds.conditional import Conditional
from formulation.kinds.either_or import EitherOr
from formulation.kinds.linear import Linear
from formulation.meaning import World
from formulation.model import Model, load
from formulation.numbers import Rational
from formulation.schema import Problem
from tests.formulation.effort import MORE
from tests.formulation.random_problems import changed, feasible_points, holds, is_feasible, points, problem

SEEDS = st.integers(0, 10**6)


def named(found: IIS) -> set[tuple[str, str]]:
    return {(member.what, member.id) for member in found.members}


def only(model: Model, members: list[Part]) -> Model:
    """The model with these members alone. A bound that is taken out is moved far away instead: every point of these
    small problems that matters lies nearer.
    """
    kept = {(member.what, member.id) for member in members}
    variables: dict[str, Any] = {}
    for name, variable in model.problem.variables.items():
        lower = variable.lower if ("lower bound", name) in kept else -1000
        upper = variable.upper if ("upper bound", name) in kept else 1000
        if variable.domain == "binary":
            decided = any(isinstance(c, Conditional) for c in model.problem.constraints)
            relaxed = {"lower": 0, "upper": 1}
            variables[name] = {"domain": "binary"} if decided or ("whole numbers", "") in kept else relaxed
            continue
        domain = variable.domain if ("whole numbers", "") in kept else "continuous"
        variables[name] = {"domain": domain, "lower": lower, "upper": upper}
    constraints = [c for c in model.problem.constraints if ("statement", c.id) in kept]
    return load(Problem.model_validate({"variables": variables, "constraints": constraints}))


@pytest.mark.parametrize(("names", "logic"), [("xyi", False), ("ijb", True), ("xjb", True)])
@settings(max_examples=12 * MORE, deadline=None)
@given(seed=SEEDS)
def test_a_conflict_cannot_hold_and_without_any_member_it_can(names: str, logic: bool, seed: int) -> None:
    model = problem(random.Random(seed), names, 5, logic=logic, goal=False)
    if is_feasible(model):
        with pytest.raises(UserError, match="has a solution"):
            iis(model)
        return
    found = iis(model)
    assert found.irreducible and not found.reason
    members = list(found.members)
    assert not is_feasible(only(model, members))
    for member in members:
        assert is_feasible(only(model, [other for other in members if other != member])), member


def test_a_conflict_of_statements_and_a_declared_bound() -> None:
    model = load(
        {
            "variables": {"chair": {}, "table": {"upper": 30}},
            "constraints": [
                {"kind": "linear", "id": "orders", "row": "chair + table >= 100", "label": "orders of 100"},
                {"kind": "linear", "id": "wood", "row": "chair <= 50"},
                {"kind": "linear", "id": "idle", "row": "table >= 1"},
            ],
        }
    )
    found = iis(model)
    assert named(found) == {("statement", "orders"), ("statement", "wood"), ("upper bound", "table")}
    assert {member.text for member in found.members} == {"orders of 100", "chair <= 50", "table <= 30"}


def test_a_conflict_of_whole_numbers_alone() -> None:
    variables = {"n": {"domain": "integer", "upper": 9}, "m": {"domain": "integer", "upper": 9}}
    model = load({"variables": variables, "constraints": [{"kind": "linear", "row": "2*n + 2*m == 7"}]})
    found = iis(model)
    assert named(found) == {("statement", "c1"), ("whole numbers", "")}
    assert found.irreducible


def test_whole_numbers_without_bounds_do_not_branch_for_ever() -> None:
    variables = {name: {"domain": "integer", "lower": None} for name in ("n", "m")}
    rows = ["2*n + 4*m >= 7", "2*n + 4*m <= 7"]
    found = iis(load({"variables": variables, "constraints": [{"kind": "linear", "row": row} for row in rows]}))
    assert named(found) == {("statement", "c1"), ("statement", "c2"), ("whole numbers", "")}


def test_strict_rows_close_where_whole_numbers_are_demanded() -> None:
    rows = ["n < 5", "n > 4"]
    model = load(
        {"variables": {"n": {"domain": "integer"}}, "constraints": [{"kind": "linear", "row": row} for row in rows]}
    )
    assert named(iis(model)) == {("statement", "c1"), ("statement", "c2"), ("whole numbers", "")}


@pytest.mark.parametrize("first", [True, False])
def test_blame_falls_on_what_can_be_given_up(first: bool) -> None:
    hard = [
        {"kind": "linear", "id": "law", "row": "x >= 3", "hard": True},
        {"kind": "linear", "id": "physics", "row": "x <= 2", "hard": True},
    ]
    soft = [{"kind": "linear", "id": "wish", "row": "y >= 3"}, {"kind": "linear", "id": "hope", "row": "y <= 2"}]
    constraints = [*hard, *soft] if first else [*soft, *hard]
    found = iis(load({"variables": {"x": {}, "y": {}}, "constraints": constraints}))
    assert set(found.statements) == {"wish", "hope"}


def test_a_decision_with_rows_on_both_of_its_sides_is_searched_once() -> None:
    """Without the bounds neither row has a usable M: each side is tried with its own rows, and not again and again."""
    box = {"domain": "integer", "lower": 0, "upper": 3}
    constraints = [
        {"kind": "conditional", "id": "on", "when": "b", "then": ["i + j <= 4"]},
        {"kind": "conditional", "id": "off", "when": "not b", "then": ["3*i == 0"]},
        {"kind": "linear", "id": "much", "row": "3*i + j >= 2"},
        {"kind": "linear", "id": "some", "row": "2*i + j >= 1"},
        {"kind": "either_or", "id": "one", "alternatives": ["-2*i >= 6", "j + 3*b == 1"]},
    ]
    variables = {"i": box, "j": {**box, "lower": -1, "upper": 2}, "b": {"domain": "binary"}}
    found = iis(load({"variables": variables, "constraints": constraints}))
    assert found.irreducible and set(found.statements) == {"on", "off", "much", "one"}


def test_a_member_names_the_bindings_that_take_part() -> None:
    model = load(
        {
            "sets": {"P": ["a", "b", "c"], "T": {"range": [1, 4]}},
            "parameters": {"need": {"index": ["P", "T"], "values": {"b": {"3": 9}}, "default": 1}},
            "variables": {"make": {"over": "p in P, t in T", "upper": 5}},
            "constraints": [
                {"kind": "linear", "id": "demand", "row": "make[p, t] >= need[p, t]", "forall": "p in P, t in T"}
            ],
        }
    )
    found = iis(model)
    bindings = {member.what: member.bindings for member in found.members}
    assert bindings == {"statement": (("b", 3),), "upper bound": (("b", 3),)}


def test_of_a_conflict_too_large_to_try_binding_by_binding_those_that_take_part_are_named() -> None:
    shops = {f"s{i}": i % 4 for i in range(160)}
    model = load(
        {
            "sets": {"S": list(shops)},
            "parameters": {"need": {"index": ["S"], "values": shops}},
            "variables": {"send": {"over": "s in S", "upper": 3}},
            "constraints": [
                {"kind": "linear", "id": "demand", "row": "send[s] >= need[s]", "forall": "s in S"},
                {"kind": "linear", "id": "stock", "row": f"sum(send[s] for s in S) <= {sum(shops.values()) - 1}"},
            ],
        }
    )
    found = iis(model)
    assert found.irreducible and named(found) >= {("statement", "demand"), ("statement", "stock")}
    bindings = {(member.what, member.id): set(member.bindings) for member in found.members}
    needing = {(shop,) for shop, need in shops.items() if need}
    assert len(needing) > 100
    # A shop without need takes part by its bound, or by its demand of 0.
    resting = bindings.get(("lower bound", "send"), set())
    assert bindings["statement", "demand"] - resting >= needing and not resting & needing
    assert bindings["statement", "demand"] | resting == {(shop,) for shop in shops}


def test_bindings_of_logic_are_told_apart() -> None:
    model = load(
        {
            "sets": {"P": ["a", "b", "c"]},
            "variables": {"open": {"domain": "binary", "over": "p in P"}, "make": {"over": "p in P", "upper": 50}},
            "constraints": [
                {"kind": "conditional", "id": "batch", "when": "open[p]", "then": "make[p] >= 20", "forall": "p in P"},
                {"kind": "linear", "id": "all", "row": "open[p] == 1", "forall": "p in P"},
                {"kind": "linear", "id": "small", "row": "make['b'] <= 10"},
            ],
        }
    )
    found = iis(model)
    assert {(member.id, member.bindings) for member in found.members} == {
        ("batch", (("b",),)), ("all", (("b",),)), ("small", ((),)),
    }  # fmt: skip


def test_logic_is_tried_without_the_bounds_its_big_ms_need() -> None:
    model = load(
        {
            "variables": {"open": {"domain": "binary"}, "make": {"upper": 15}, "spare": {"upper": 10**9}},
            "constraints": [
                {"kind": "conditional", "id": "batch", "when": "open", "then": "make >= 20"},
                {"kind": "linear", "id": "must", "row": "open == 1"},
                {"kind": "either_or", "id": "other", "alternatives": ["spare <= 1", "make + spare <= 3"]},
            ],
        }
    )
    assert named(iis(model)) == {("statement", "batch"), ("statement", "must"), ("upper bound", "make")}


def test_the_least_amount_that_counts_as_used_is_a_member() -> None:
    model = load(
        {
            "variables": {"buy": {"upper": 90, "minimum": 20}, "sell": {"upper": 90}},
            "constraints": [
                {"kind": "linear", "id": "must", "row": "selected(buy) == 1"},
                {"kind": "linear", "id": "little", "row": "buy <= 10"},
            ],
        }
    )
    found = iis(model)
    assert named(found) == {("statement", "must"), ("statement", "little"), ("minimum", "buy")}
    assert "buy counts as used from 20 on" in {member.text for member in found.members}


def test_a_range_that_other_statements_speak_of_can_be_given_up() -> None:
    model = load(
        {
            "variables": {"buy": {"upper": 90}},
            "constraints": [
                {"kind": "semi_continuous", "id": "order", "variable": "buy", "minimum": 20},
                {"kind": "linear", "id": "must", "row": "selected(buy) == 1"},
                {"kind": "linear", "id": "little", "row": "buy <= 10"},
            ],
        }
    )
    found = iis(model)
    assert set(found.statements) == {"order", "must", "little"} and found.irreducible


def test_a_limit_of_time_is_told() -> None:
    model = load({"variables": {"x": {}}, "constraints": [{"kind": "linear", "row": "x <= -1"}]})
    found = iis(model, time_limit=1e-9)
    assert not found.irreducible and not found.members and "in time" in found.reason
    ways = relaxations(model, time_limit=1e-9)
    assert ways.least is None and ways.fewest is None and "in time" in ways.reasons[0]


# ---- relaxing --------------------------------------------------------------------------------------------------------


def violation(model: Model, constraint: Linear | Conditional | EitherOr, point: dict[Any, Rational]) -> Rational:
    """How far a statement's limits must move so that it holds at a point, in shares of its rows' sizes."""
    world = World(model.bound, point)

    def of(relation: Any) -> Fraction:
        rows = changed(model, constraints=[Linear(row=relation)]).ground.rows
        limit = rows[0].upper if rows[0].upper is not None else rows[0].lower
        off = world.value(relation.left, {}) - world.value(relation.right, {})
        by = {"<=": max(off, 0), ">=": max(-off, 0), "==": abs(off)}[relation.sense]
        return Fraction(by) / (max(abs(x) for x in (limit, *rows[0].coefficients)) or 1)

    if isinstance(constraint, Linear):
        return of(constraint.row)
    if isinstance(constraint, Conditional):
        return sum(map(of, constraint.then)) if world.truth(constraint.when, {}) else 0
    return min(sum(map(of, rows)) for rows in constraint.alternatives)


@settings(max_examples=12 * MORE, deadline=None)
@given(seed=SEEDS)
def test_the_least_moves_are_the_least_over_all_points(seed: int) -> None:
    model = problem(random.Random(seed), "ijb", 5, logic=True)
    if feasible_points(model):
        with pytest.raises(UserError, match="has a solution"):
            relaxations(model)
        return
    found = relaxations(model).least
    hard = [c for c in model.problem.constraints if c.hard]
    soft = [c for c in model.problem.constraints if not c.hard]
    allowed = [p for p in points(model) if all(holds(model, c, p) for c in hard)]
    least = min((sum(violation(model, c, p) for c in soft) for p in allowed), default=None)
    assert (found.total if found is not None else None) == least
    if found is not None:
        assert found.proved and found.solution is not None and found.solution.optimal
        assert not {move.statement for move in found.moves} & {c.id for c in hard}
        best = feasible_points(found.model)
        values = [World(model.bound, p).value(model.problem.objective.terms, {}) for p in best]
        choose = max if model.problem.objective.sense == "maximize" else min
        assert found.solution.objective == choose(values)


@settings(max_examples=12 * MORE, deadline=None)
@given(seed=SEEDS)
def test_the_fewest_statements_are_the_fewest_of_all_subsets(seed: int) -> None:
    model = problem(random.Random(seed), "ijb", 6, logic=True)
    if feasible_points(model):
        return
    found = relaxations(model).fewest
    soft = [c.id for c in model.problem.constraints if not c.hard]
    subsets = (part for size in range(len(soft) + 1) for part in itertools.combinations(soft, size))
    fewest = next((part for part in subsets if feasible_points(model.relax(*part))), None)
    assert (found is None) == (fewest is None)
    if found is not None and fewest is not None:
        assert len(found.statements) == len(fewest)
        assert feasible_points(model.relax(*found.statements))
        assert found.solution is not None and found.solution.optimal


def test_moved_limits_of_an_indexed_statement() -> None:
    model = load(
        {
            "sets": {"P": ["a", "b"], "T": {"range": [1, 2]}},
            "parameters": {"need": {"index": ["P", "T"], "values": {"b": {"2": 8}}, "default": 1}},
            "variables": {"make": {"over": "p in P, t in T", "upper": 5}},
            "objective": {"kind": "optimize", "sense": "maximize", "terms": "sum(make[p, t] for p in P for t in T)"},
            "constraints": [
                {"kind": "linear", "id": "demand", "row": "make[p, t] >= need[p, t]", "forall": "p in P, t in T"}
            ],
        }
    )
    least = relaxations(model).least
    assert least is not None and least.proved
    ((move),) = least.moves
    assert (move.statement, move.key, move.limit, move.by) == ("demand", ("b", 2), 8, -3)
    assert least.total == Fraction(3, 8)
    assert least.solution is not None and least.solution.objective == 20
    assert least.model.problem.constraint("demand").forall is not None
    assert load(least.model.problem.plain()).solve().objective == 20


def test_strict_limits_of_whole_numbers_move_by_whole_numbers() -> None:
    model = load(
        {
            "variables": {"n": {"domain": "integer"}},
            "constraints": [
                {"kind": "linear", "id": "less", "row": "n < 5"},
                {"kind": "linear", "id": "floor", "row": "n >= 7", "hard": True},
            ],
        }
    )
    least = relaxations(model).least
    assert least is not None and [(move.statement, move.by) for move in least.moves] == [("less", 3)]
    assert least.solution is not None and least.solution.value("n") == 7


def test_what_cannot_be_relaxed_is_said() -> None:
    constraints = [{"kind": "linear", "row": row, "hard": True} for row in ("x >= 3", "x <= 2")]
    ways = relaxations(load({"variables": {"x": {}}, "constraints": constraints}))
    assert ways.least is None and ways.fewest is None
    assert len(ways.reasons) == 2
