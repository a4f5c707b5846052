"""Values are judged by what statements mean: the judge here is the exact optimum over the rows, and hand counts."""

from __future__ import annotations

import random
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from data.errors import UserError
from formulation.kinds import CONSTRAINTS, OBJECTIVES
from formulation.model import Model, load
from formulation.numbers import Rational
from formulation.solve import Solution, solve
from formulation.verify import Verdict, verify
from tests.formulation import random_problems
from tests.formulation.exact import Exact
from tests.formulation.harness import Case

KINDS = {**CONSTRAINTS, **OBJECTIVES}
INSTANCES = 6
POINTS = 25


def check(model: Model, point: Any, **options: Any) -> Verdict:
    return verify(model, point, time_limit=0, **options)


def model(*rows: Any, objective: str | None = "x", **variables: Any) -> Model:
    given: dict[str, Any] = {
        "variables": variables,
        "constraints": [{"kind": "linear", "row": row} if isinstance(row, str) else row for row in rows],
    }
    if objective is not None:
        given["objective"] = {"kind": "optimize", "sense": "maximize", "terms": objective}
    return load(given)


def only(verdict: Verdict) -> tuple[str, tuple[Any, ...], str, Fraction | None]:
    """The one violation."""
    (one,) = verdict.violations
    assert one.sentence.endswith(".") and "\n" not in one.sentence
    return one.statement, one.key, one.what, one.by


# ---- the meaning of every kind ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_verdicts_are_those_of_the_rows_within_and_beyond_the_bounds(kind: str) -> None:
    """For values of all declared variables: the rows have values of the added columns, or they have none."""
    seen = set()
    for seed in range(INSTANCES):
        rng = random.Random(f"{kind} {seed} verify")
        case = Case(KINDS[kind].generate(rng))
        judge = Exact(case.matrix)
        points = case.grid(rng, POINTS)
        corner = judge.best({i: rng.randint(-3, 3) for i in case.declared}, {})
        if corner is not None:
            points.append(tuple(corner[1][i] for i in case.declared))
        # Some values beyond a bound, or between two whole numbers.
        points += [_moved(rng, values) for values in [*points[-1:], *rng.sample(points, min(len(points), 8))]]
        for values in points:
            fixed = dict(zip(case.declared, values, strict=True))
            named = {(case.matrix.columns[i].name, case.matrix.columns[i].key): x for i, x in fixed.items()}
            verdict = check(case.model, named)
            holds = judge.best({}, fixed) is not None
            assert verdict.ok == holds, f"{seed} {named} {verdict.text}"
            assert verdict.tolerance == 0
            if holds:
                _, objectives = case.meaning(values)
                assert (verdict.objective,) == objectives[:1] or (verdict.objective, objectives) == (None, ())
            seen.add(holds)
    assert seen == {True, False}


def _moved(rng: random.Random, values: tuple[Rational, ...]) -> tuple[Rational, ...]:
    place = rng.randrange(len(values))
    step = Fraction(rng.choice([-1, 1]), rng.choice([1, 3, 10**12]))
    return tuple(x + step if i == place else x for i, x in enumerate(values))


@pytest.mark.parametrize("kind", KINDS)
def test_what_solving_gives_verifies(kind: str) -> None:
    solved = 0
    for seed in range(3):
        one = Model(KINDS[kind].generate(random.Random(f"{kind} {seed}")))
        found = solve(one)
        if found.values:
            verdict = check(one, found)
            assert verdict.ok, verdict.text
            assert verdict.objective == found.objective
            solved += 1
    assert solved


@pytest.mark.parametrize("seed", range(25))
def test_a_point_beyond_one_statement_is_reported_with_its_id_and_the_exact_amount(seed: int) -> None:
    """The amount is counted here from the rows that were written out."""
    one = random_problems.problem(random.Random(seed), "ijxy", 4, goal=False)
    columns = one.ground.columns
    for point in random_problems.points(one):
        values = [point[column.name, column.key] for column in columns]
        expected = {}
        for row in one.ground.rows:
            activity = sum(a * values[i] for i, a in zip(row.columns, row.coefficients, strict=True))
            over = [activity - row.upper] if row.upper is not None else []
            over += [row.lower - activity] if row.lower is not None else []
            if max(over) > 0:
                expected[row.statement] = max(over)
        assert {v.statement: v.by for v in check(one, point).violations} == expected


# ---- what is broken --------------------------------------------------------------------------------------------------


def test_an_indexed_statement_is_reported_with_its_key_and_how_far_it_is_broken() -> None:
    one = load(
        {
            "sets": {"P": ["a", "b"], "T": {"range": [1, 2]}},
            "parameters": {"room": {"index": ["T"], "values": {"1": 5, "2": "7/2"}}},
            "variables": {"make": {"over": "p in P, t in T"}},
            "constraints": [
                {"kind": "linear", "id": "fits", "forall": "t in T", "row": "sum(make[p, t] for p in P) <= room[t]"}
            ],
        }
    )
    values = {("make", ("a", 1)): 5, "make['b', 1]": 0, "make['a', 2]": 3, "make['b', 2]": "1"}
    verdict = check(one, values)
    assert only(verdict) == ("fits", (2,), "statement", Fraction(1, 2))
    (told,) = verdict.violations
    assert told.sentence == (
        "fits[2] does not hold: sum(make[p, t] for p in P) <= room[t] is 4 <= 3.5 here, off by 0.5."
    )


def test_bounds_whole_numbers_and_decisions_are_checked_by_exact_amounts() -> None:
    one = model(objective=None, x={"upper": 3}, n={"domain": "integer", "lower": 2}, b={"domain": "binary"})
    tiny = Fraction(1, 10**30)
    assert check(one, {"x": 3, "n": 2, "b": 1}).ok
    assert only(check(one, {"x": 3 + tiny, "n": 2, "b": 1})) == ("x", (), "bound", tiny)
    assert only(check(one, {"x": -tiny, "n": 2, "b": 1})) == ("x", (), "bound", tiny)
    assert only(check(one, {"x": 3, "n": 3 - tiny, "b": 1})) == ("n", (), "integrality", tiny)
    assert only(check(one, {"x": 3, "n": 2, "b": 2})) == ("b", (), "bound", 1)


def test_a_minimum_counts_only_where_something_asks_for_use() -> None:
    x = {"upper": 9, "minimum": 2}
    asked = model({"kind": "count", "id": "few", "of": ["selected(x)"], "at_most": 1}, x=x)
    assert only(check(asked, {"x": 1})) == ("x", (), "minimum", 1)
    assert only(check(asked, {"x": "1/3"})) == ("x", (), "minimum", Fraction(1, 3))
    assert check(asked, {"x": 0}).ok and check(asked, {"x": 2}).ok
    assert check(model("x <= 9", x=x), {"x": 1}).ok
    assert only(check(model(objective="5*selected(x)", x=x), {"x": 1})) == ("x", (), "minimum", 1)


def test_logic_says_what_is_wrong_in_its_own_terms() -> None:
    either = {"kind": "either_or", "id": "one", "alternatives": ["x >= 5", "x <= 1"]}
    verdict = check(model(either, x={"upper": 9}), {"x": 4})
    assert only(verdict) == ("one", (), "statement", 1)
    assert "no alternative holds" in verdict.violations[0].sentence and "x >= 5" in verdict.violations[0].sentence
    lots = {"kind": "lots", "id": "boxes", "amount": "x", "size": 6}
    assert only(check(model(lots, x={"upper": 99}), {"x": 11})) == ("boxes", (), "statement", 1)
    some = {"kind": "semi_continuous", "id": "order", "variable": "x", "minimum": 20, "maximum": 30}
    assert only(check(model(some, x={"upper": 99}), {"x": 33})) == ("order", (), "statement", 3)
    assert only(check(model(some, x={"upper": 99}), {"x": 4})) == ("order", (), "statement", 4)
    rule = {"kind": "conditional", "id": "rule", "when": "b", "then": ["x <= 1"]}
    closed = model(rule, x={"upper": 9}, b={"domain": "binary"})
    assert only(check(closed, {"x": 3, "b": 1})) == ("rule", (), "statement", 2)
    assert check(closed, {"x": 3, "b": 0}).ok


def test_a_strict_limit_is_closed_over_continuous_quantities_only() -> None:
    n = {"domain": "integer"}
    assert check(model("x < 3", x={}), {"x": 3}).ok
    assert check(model("x + n < 3", x={}, n=n), {"x": 0, "n": 3}).ok
    assert only(check(model("n < 3", objective=None, n=n), {"n": 3})) == ("c1", (), "statement", 0)
    # A continuous variable that cancels out, and one that is only asked for its use, do not open the row.
    assert not check(model("n + x - x < 3", x={}, n=n), {"x": 1, "n": 3}).ok
    assert not check(model("n + selected(x) < 3", x={"minimum": 1, "upper": 5}, n=n), {"x": 1, "n": 2}).ok
    both = {"kind": "conditional", "when": "b", "then": ["n < 3", "x < 2"]}
    one = model(both, x={"upper": 9}, n={**n, "upper": 9}, b={"domain": "binary"})
    assert check(one, {"x": 2, "n": 2, "b": 1}).ok
    assert only(check(one, {"x": 2, "n": 3, "b": 1}))[3] == 0


def test_strict_limits_are_ignored_where_the_model_ignores_them() -> None:
    one = replace(model("n < 3", objective="n", n={"domain": "integer"}), ignore_strict=True)
    assert check(one, {"n": 3}).ok and not check(one, {"n": 4}).ok


# ---- solutions -------------------------------------------------------------------------------------------------------


def test_a_tampered_solution_is_refused() -> None:
    one = model("3*x + n <= 10", objective="2*x + n", x={"upper": 2}, n={"domain": "integer"})
    found = solve(one)
    assert check(one, found).ok
    better = Fraction(1, 7) + found.objective
    assert only(check(one, replace(found, objective=better))) == ("objective", (), "objective", Fraction(1, 7))
    moved = {**found.values, ("n", ()): found.value("n") + 1}
    told = {v.statement: v.by for v in check(one, replace(found, values=moved)).violations}
    assert told == {"c1": 1, "objective": 1}
    assert not check(one, found.values, claimed=better).ok and check(one, found.values, claimed=found.objective).ok


def test_the_claim_of_every_goal_is_checked() -> None:
    goals = {"kind": "lexicographic", "of": [{"sense": "maximize", "terms": t} for t in ("x", "y")]}
    one = load({"variables": {"x": {"upper": 2}, "y": {"upper": 3}}, "objective": goals})
    found = solve(one)
    assert check(one, found).ok
    assert only(check(one, replace(found, goals=(found.goals[0], Fraction(4))))) == ("objective", (), "objective", 1)


@pytest.mark.parametrize(
    ("rows", "status"), [(("x >= 3", "x <= 2"), "infeasible"), (("x >= 3",), "unbounded"), ((), "undetermined")]
)
def test_a_result_without_values_is_one_clear_error(rows: tuple[str, ...], status: str) -> None:
    one = model(*rows, x={})
    result = solve(one) if rows else Solution("undetermined", "the time limit of 1 s was reached")
    assert result.status == status
    with pytest.raises(UserError, match=f"^there are no values to check: the solution is {status} \\(.*\\)$"):
        verify(one, result)


def test_a_solution_of_the_relaxation_is_no_solution() -> None:
    one = model("2*n <= 5", objective="n", n={"domain": "integer"})
    assert only(check(one, solve(one, relax_integrality=True))) == ("n", (), "integrality", Fraction(1, 2))


# ---- values ----------------------------------------------------------------------------------------------------------


def test_floats_may_be_off_by_a_solvers_rounding_and_exact_values_may_not() -> None:
    one = model("3*x + n <= 10", x={"upper": 4}, n={"domain": "integer"})
    near = {"x": 3.0000000001, "n": 0.9999999999}
    assert check(one, near).ok and check(one, {"x": np.float32(3), "n": np.int64(1)}).ok
    assert check(one, near).tolerance == Fraction(1, 10**6)
    assert not check(one, {"x": Fraction(near["x"]), "n": 1}).ok
    assert not check(one, near, tolerance=0).ok
    assert not check(one, {"x": 3.001, "n": 1.0}).ok
    assert check(one, {"x": 3.001, "n": 1.0}, tolerance="1/100").ok
    # How large a whole number is makes no fraction whole.
    assert only(check(model(x={}, n={"domain": "integer"}), {"x": 0.0, "n": 10**9 + 0.5}))[2] == "integrality"


def test_an_amount_of_rounding_is_no_use() -> None:
    charge = {"kind": "fixed_charge", "variable": "x", "charge": 5}
    assert check(model(charge, x={"upper": 9}), {"x": 1e-9}).objective == 0
    assert check(model(charge, x={"upper": 9}), {"x": Fraction(1, 10**9)}).objective < -4


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"x": 1}, "n has no value: give one to every variable"),
        ({}, "x has no value (and 1 more): give one to every variable"),
        ({"x": 1, "m": 1}, "no variable m"),
        ({"x": 1, "n": 1, ("x", ()): 1}, "x has two values: keep one"),
        ({"x": "much", "n": 1}, "x: 'much' is no number: write it like 12, 0.5, 1/3, 33% or 1,000"),
        ({"x": float("nan"), "n": 1}, "x: nan is no finite number; leave a bound out where there is none"),
        ({"x": 1, "n": 1, ("x", (1,)): 1}, "no variable x[1]"),
        ({"x": 1, "n": 1, 7: 1}, "no variable 7"),
    ],
)
def test_mistakes_in_values_are_one_clear_line(values: dict[Any, Any], message: str) -> None:
    with pytest.raises(UserError) as raised:
        check(model(x={}, n={"domain": "integer"}), values)
    assert str(raised.value) == message


def test_a_misspelt_variable_is_named_with_the_one_that_is_meant() -> None:
    with pytest.raises(UserError, match=r'^no variable chiar; did you mean "chair"\?$'):
        check(model(objective=None, chair={}), {"chiar": 1})


def test_values_of_another_model_are_refused() -> None:
    other = solve(model("y <= 2", objective="y", y={}))
    with pytest.raises(UserError, match="no variable y"):
        check(model("x <= 2", x={}), other)


# ---- the verdict as text and JSON ------------------------------------------------------------------------------------


def test_a_verdict_reads_as_text_and_as_json() -> None:
    one = model({"kind": "linear", "id": "cap", "row": "x <= 3"}, x={"upper": 9})
    bad, good = check(one, {"x": "13/4"}), check(one, {"x": 3})
    assert "cap does not hold: x <= 3 is 3.25 <= 3 here, off by 0.25." in " ".join(bad.text.split())
    assert "The objective is 3." in good.text and good.ok
    plain = bad.plain()
    assert (plain["ok"], plain["objective"], plain["tolerance"], plain["findings"]) == (False, 3.25, 0, [])
    assert plain["violations"] == [
        {
            "statement": "cap",
            "key": [],
            "what": "statement",
            "by": 0.25,
            "sentence": "cap does not hold: x <= 3 is 3.25 <= 3 here, off by 0.25.",
        }
    ]


def test_thousands_of_violations_are_all_in_json_and_few_in_the_text() -> None:
    one = load({"sets": {"I": {"range": [1, 200]}}, "variables": {"x": {"over": "i in I", "upper": 1}}})
    verdict = check(one, {("x", (i,)): 2 for i in range(1, 201)})
    assert len(verdict.plain()["violations"]) == 200
    assert "... and 140 more." in verdict.text and verdict.text.count("above its bound") == 60
