"""What single kinds of the linear family say, in exact small cases. That rows say the same is in test_kinds."""

from __future__ import annotations

import json
import re
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.errors import UserError
from formulation.kinds import CONSTRAINTS
from formulation.meaning import World
from formulation.model import Model, load
from tests.formulation.exact import Exact

COMPARING = ["bound", "sum_bound", "linear_bound", "proportion", "comparison", "difference"]
LINEAR = [*COMPARING, "range", "absolute_deviation", "soft", "piecewise_cost"]
COMPARED: dict[str, dict[str, Any]] = {
    "bound": {"variable": "x", "limit": 4},
    "sum_bound": {"variables": ["x", "y"], "limit": 4},
    "linear_bound": {"terms": {"x": 2, "y": 3}, "limit": 4},
    "proportion": {"part": "x", "share": "50%", "whole": "x + y"},
    "comparison": {"left": "x", "factor": 2, "right": "y"},
    "difference": {"left": "x", "right": "y", "amount": 4},
}


def model(*constraints: dict[str, Any], objective: tuple[str, str] | None = None, **more: Any) -> Model:
    """Over x, y and integers n, m, all from 0 to 10."""
    names = {name: {"upper": 10, "domain": "integer" if name in "nm" else "continuous"} for name in "xynm"}
    given: dict[str, Any] = {"variables": names, "constraints": list(constraints), **more}
    if objective is not None:
        given["objective"] = {"kind": "optimize", "sense": objective[0], "terms": objective[1]}
    return load(given)


def world(found: Model, **values: Any) -> World:
    return World(found.bound, {(name, ()): Fraction(value) for name, value in values.items()})


def holds(statement: dict[str, Any], **values: Any) -> bool:
    found = model(statement)
    return found.problem.constraints[0].holds(world(found, **values), {})


def cost(statement: dict[str, Any], **values: Any) -> Fraction:
    found = model(statement)
    return Fraction(found.problem.constraints[0].cost(world(found, **values), {}))


def row(found: Model, number: int = 0) -> tuple[dict[str, Any], Any, Any]:
    given = found.ground.rows[number]
    named = {str(found.ground.columns[i]): a for i, a in zip(given.columns, given.coefficients, strict=True)}
    return named, given.lower, given.upper


def optimum(found: Model) -> Fraction:
    """The problem's optimal value, costs included, by exact arithmetic."""
    objective = found.matrix.objectives[0]
    sign = 1 if objective.sense == "maximize" else -1
    terms = dict(zip(objective.of.columns, (sign * a for a in objective.of.coefficients), strict=True))
    best = Exact(found.matrix).best(terms, {})
    assert best is not None
    return Fraction(sign * best[0] + objective.of.constant)


# ---- all of them -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", LINEAR)
def test_examples_in_docstrings_can_be_written(kind: str) -> None:
    examples = re.findall(r'`(\{"kind".*?\})`', CONSTRAINTS[kind].__doc__ or "", re.DOTALL)
    assert examples
    for example in examples:
        assert CONSTRAINTS[kind].model_validate(json.loads(example)).kind == kind


@pytest.mark.parametrize("kind", COMPARING)
@pytest.mark.parametrize("sense", ["<=", ">=", "=="])
def test_less_than_leaves_out_what_is_equal(kind: str, sense: str) -> None:
    # At these points both sides are equal, in each kind.
    x, y = {"bound": (4, 0), "sum_bound": (3, 1), "linear_bound": ("1/2", 1), "difference": (5, 1)}.get(kind, (0, 0))
    statement = {"kind": kind, "sense": sense, **COMPARED[kind]}
    assert holds(statement, x=x, y=y)
    more, less = holds(statement, x=Fraction(x) + 1, y=y), holds(statement, x=Fraction(x) - 1, y=y)
    assert (more, less) == (sense == ">=", sense == "<=")
    if sense != "==":
        assert not holds({**statement, "strict": True}, x=x, y=y)
        assert (more, less) == tuple(holds({**statement, "strict": True}, x=Fraction(x) + d, y=y) for d in (1, -1))


@pytest.mark.parametrize("kind", COMPARING)
def test_an_equality_is_never_strict(kind: str) -> None:
    with pytest.raises(UserError, match=r"^constraints\[0\]\.strict: an equality is never strict: leave 'strict' out"):
        model({"kind": kind, "sense": "==", "strict": True, **COMPARED[kind]})


def test_less_than_over_integers_is_the_next_sum_that_they_can_have() -> None:
    terms = {"n": 6, "m": 4}  # sums are even
    for sense, limit, closed in (("<=", 9, 8), ("<=", 8, 6), (">=", 9, 10), (">=", 10, 12), ("<=", "17/2", 8)):
        found = model({"kind": "linear_bound", "terms": terms, "sense": sense, "limit": limit, "strict": True})
        assert row(found) == (terms, *((None, closed) if sense == "<=" else (closed, None)))
        assert not found.ground.notes


def test_less_than_over_continuous_quantities_is_closed_and_said_so() -> None:
    found = model({"kind": "bound", "variable": "x", "sense": "<=", "limit": 4, "strict": True, "id": "room"})
    assert row(found) == ({"x": 1}, None, 4)
    assert [name for name, _ in found.ground.notes] == ["room"]


# ---- one by one ------------------------------------------------------------------------------------------------------


def test_a_bound_is_of_one_variable() -> None:
    with pytest.raises(UserError, match=r"constraints\[0\]\.variable: 'x \+ y' is no variable: name one"):
        model({"kind": "bound", "variable": "x + y", "sense": "<=", "limit": 4})


def test_a_sum_runs_over_a_set_for_every_member_of_another() -> None:
    found = load(
        {
            "sets": {"P": ["a", "b"], "T": [1, 2]},
            "parameters": {"room": {"index": ["T"], "values": {"1": 7, "2": 9}}},
            "variables": {"make": {"over": "p in P, t in T"}, "spare": {}},
            "constraints": [
                {
                    "kind": "sum_bound",
                    "variables": "make[p, t]",
                    "over": "p in P",
                    "sense": "<=",
                    "limit": "room[t]",
                    "forall": "t in T",
                },
                {"kind": "sum_bound", "variables": ["make['a', 1]", "spare"], "sense": ">=", "limit": 1},
            ],
        }
    )
    assert [row(found, k) for k in range(3)] == [
        ({"make['a', 1]": 1, "make['b', 1]": 1}, None, 7),
        ({"make['a', 2]": 1, "make['b', 2]": 1}, None, 9),
        ({"make['a', 1]": 1, "spare": 1}, 1, None),
    ]
    point = {("make", (p, t)): Fraction(k) for k, (p, t) in enumerate([("a", 1), ("b", 1), ("a", 2), ("b", 2)], 3)}
    statement = found.problem.constraints[0]
    at = World(found.bound, {**point, ("spare", ()): 0})
    assert [statement.holds(at, env) for env in at.instances(statement.forall, {})] == [True, False]


def test_a_sum_names_each_variable_once() -> None:
    with pytest.raises(
        UserError, match=r"constraints\[0\]\.variables: 'x' is there twice: keep one; kind linear_bound"
    ):
        model({"kind": "sum_bound", "variables": ["x", "y", "x"], "sense": "<=", "limit": 4})
    with pytest.raises(UserError, match=r"constraints\[0\]\.variables\[1\]: '2\*y' is no variable"):
        model({"kind": "sum_bound", "variables": ["x", "2*y"], "sense": "<=", "limit": 4})


def test_a_share_is_exact_however_it_is_written() -> None:
    def written(share: Any) -> Model:
        return model({"kind": "proportion", "part": "x", "sense": "<=", "share": share, "whole": "x + y"})

    for share in ("70%", "7/10", 0.7, "0.70"):
        assert row(written(share)) == ({"x": Fraction(3, 10), "y": Fraction(-7, 10)}, None, 0)
    assert row(written("1/3"))[0] == {"x": Fraction(2, 3), "y": Fraction(-1, 3)}
    assert written("70%").problem.plain()["constraints"][0]["share"] == "70%"


def test_the_whole_is_what_is_written() -> None:
    found = model({"kind": "proportion", "part": {"x": 2}, "sense": ">=", "share": "p", "whole": "3*y + n"},
                  parameters={"p": "25%"})  # fmt: skip
    assert row(found) == ({"x": 2, "y": Fraction(-3, 4), "n": Fraction(-1, 4)}, 0, None)


def test_a_factor_multiplies_the_right_side() -> None:
    twice = {"kind": "comparison", "left": "x", "sense": ">=", "factor": 2, "right": "y"}
    assert holds(twice, x=4, y=2)
    assert not holds(twice, x=2, y=4)
    assert row(model(twice)) == ({"x": 1, "y": -2}, 0, None)
    plain = {name: value for name, value in twice.items() if name != "factor"}
    assert row(model(plain)) == ({"x": 1, "y": -1}, 0, None)
    assert "factor" not in model(plain).problem.plain()["constraints"][0]


def test_a_difference_has_a_sign_and_a_deviation_has_none() -> None:
    more = {"kind": "difference", "left": "x", "right": "y", "sense": ">=", "amount": 3}
    apart = {"kind": "absolute_deviation", "terms": "x - y", "sense": ">=", "amount": 3}
    assert [holds(more, x=x, y=4) for x in (1, 4, 7)] == [False, False, True]
    assert [holds(apart, x=x, y=4) for x in (1, 4, 7)] == [True, False, True]
    assert row(model(more)) == ({"x": 1, "y": -1}, 3, None)


def test_a_range_has_both_ends() -> None:
    statement = {"kind": "range", "low": 2, "terms": "x + y", "high": "5/2"}
    assert [holds(statement, x=x, y=1) for x in ("0.9", 1, "3/2", "1.6")] == [False, True, True, False]
    with pytest.raises(UserError, match=r"constraints\[0\]: nothing lies between low 3 and high 2: swap them"):
        model({"kind": "range", "low": 3, "terms": "x", "high": 2})


def test_no_distance_is_negative() -> None:
    with pytest.raises(UserError, match=r"constraints\[0\]\.amount: .* is no distance"):
        model({"kind": "absolute_deviation", "terms": "x", "target": 4, "sense": "<=", "amount": -1})
    found = model({"kind": "absolute_deviation", "terms": "x", "target": 4, "sense": "==", "amount": "a"},
                  parameters={"a": -1})  # fmt: skip
    assert not any(found.problem.constraints[0].holds(world(found, x=x), {}) for x in (3, 4, 5))
    assert Exact(found.matrix).best({}, {}) is None


def test_a_distance_can_be_a_variable() -> None:
    # The least largest distance of one point from 1, 4 and 8.
    spread = [
        {"kind": "absolute_deviation", "terms": "x", "target": t, "sense": "<=", "amount": "y"} for t in (1, 4, 8)
    ]
    assert optimum(model(*spread, objective=("minimize", "y"))) == Fraction(7, 2)


# ---- prices ----------------------------------------------------------------------------------------------------------

SOFT = {"kind": "soft", "terms": "x", "limit": 4, "penalty": 3}
TIERS = [{"up_to": 1, "rate": 1}, {"up_to": 3, "rate": 2}, {"rate": 5}]


def test_only_the_side_beyond_the_limit_is_paid_for() -> None:
    prices = {sense: [cost({**SOFT, "sense": sense}, x=x) for x in (2, 4, 7)] for sense in ("<=", ">=", "==")}
    assert prices == {"<=": [0, 0, 9], ">=": [6, 0, 0], "==": [6, 0, 9]}
    assert all(holds({**SOFT, "sense": sense}, x=x) for sense in prices for x in (2, 4, 7))


@given(
    sense=st.sampled_from(["<=", ">=", "=="]),
    rates=st.lists(st.integers(0, 6), min_size=1, max_size=4).map(sorted),
    widths=st.lists(st.integers(1, 3), min_size=4, max_size=4),
    twice=st.integers(-20, 20),
)
def test_tiers_price_every_unit_by_how_far_out_it_is(
    sense: str, rates: list[int], widths: list[int], twice: int
) -> None:
    ends = [sum(widths[: k + 1]) for k in range(len(rates))]
    tiers = [{"up_to": end, "rate": rate} for end, rate in zip(ends, rates, strict=True)]
    tiers[-1] = {"rate": rates[-1]}
    side = {"<=": max(twice, 0), ">=": max(-twice, 0), "==": abs(twice)}[sense]
    # The violation in halves; each half is in one tier, as the ends are whole.
    paid = sum(Fraction(next((r for r, end in zip(rates, ends, strict=True) if half / 2 < end), rates[-1]), 2)
               for half in range(side))  # fmt: skip
    statement = {"kind": "soft", "terms": "x", "sense": sense, "limit": 4, "tiers": tiers}
    assert cost(statement, x=4 + Fraction(twice, 2)) == paid
    (written,) = model(statement).ground.costs
    assert written.at(written.of.value({written.of.columns[0]: 4 + Fraction(twice, 2)})) == paid


def test_no_more_may_be_violated_than_the_last_tier_says() -> None:
    capped = {"kind": "soft", "terms": "x", "sense": "==", "limit": 4, "tiers": TIERS[:2]}
    assert [holds(capped, x=x) for x in ("0.9", 1, 7, "7.1")] == [False, True, True, False]
    assert [cost(capped, x=x) for x in (1, 4, 7)] == [5, 0, 5]
    assert optimum(model(capped, objective=("minimize", "-10*x"))) == -65


@pytest.mark.parametrize(("penalty", "best"), [(3, 50 - 18), (7, 20)])
def test_a_penalty_is_taken_from_what_is_maximised_and_added_to_what_is_minimised(penalty: int, best: int) -> None:
    soft = {**SOFT, "sense": "<=", "penalty": penalty}
    assert optimum(model(soft, objective=("maximize", "5*x"))) == best
    assert optimum(model(soft, objective=("minimize", "-5*x"))) == -best
    assert optimum(model(soft, {"kind": "bound", "variable": "x", "sense": ">=", "limit": 6})) == 2 * penalty


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"penalty": None}, r"constraints\[0\]: give either 'penalty'"),
        ({"tiers": TIERS}, r"constraints\[0\]: give either 'penalty'"),
        ({"penalty": -3}, r"constraints\[0\]: a penalty is at least 0, whether"),
        ({"penalty": None, "tiers": [{"rate": 1}, {"up_to": 3, "rate": 2}]}, "only the last tier"),
        ({"penalty": None, "tiers": [{"up_to": 3, "rate": 2}, {"rate": 1}]}, "the rates of tiers may not fall"),
        ({"penalty": None, "tiers": [{"up_to": 3, "rate": 1}, {"up_to": 3, "rate": 2}]}, "'up_to' counts all units"),
        ({"penalty": None, "tiers": [{"up_to": 0, "rate": 1}, {"rate": 2}]}, "'up_to' counts all units"),
        ({"penalty": None, "tiers": [{"upto": 1, "rate": 1}, {"rate": 2}]}, r"constraints\[0\]\.tiers\[0\]\.upto: no"),
    ],
)
def test_a_price_that_makes_no_sense_is_refused(change: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError, match=told):
        model({**SOFT, "sense": "<=", **change})


CURVE = {"kind": "piecewise_cost", "of": "x", "points": [[0, 0], [4, 20], [10, 38]]}


def test_a_curve_is_straight_between_its_points() -> None:
    assert [cost(CURVE, x=x) for x in (0, 2, 4, 7, 10)] == [0, 10, 20, 29, 38]
    inner = {**CURVE, "points": [[2, 5], [4, 9]]}
    assert [holds(inner, x=x) for x in (1, 2, 4, 5)] == [False, True, True, False]
    wider = {**inner, "before": -1, "after": "1/2"}
    assert all(holds(wider, x=x) for x in (0, 10))
    assert [cost(wider, x=x) for x in (0, 1, 2, 3, 5, 10)] == [7, 6, 5, 7, Fraction(19, 2), 12]
    assert [cost({**wider, "points": [[2, 5]]}, x=x) for x in (0, 2, 10)] == [7, 5, 9]


def test_a_discount_is_paid_for_in_order() -> None:
    # 5 each for the first 4, then 3 each; a solver would take the cheap ones first if the curve were not kept.
    need = {"kind": "bound", "variable": "x", "sense": ">=", "limit": 7}
    assert optimum(model(CURVE, need, objective=("minimize", "2*x"))) == 14 + 29
    assert optimum(model(CURVE, objective=("maximize", "4*x"))) == 40 - 38
    assert optimum(model(CURVE, objective=("maximize", "3*x"))) == 0


def test_a_curve_needs_rising_points() -> None:
    for points, told in (
        ([], "give at least one point"),
        ([[1, 1]], "one point is no curve"),
        ([[1, 1], [1, 2]], "the amounts of the points must rise"),
    ):
        with pytest.raises(UserError, match=rf"constraints\[0\]: {told}"):
            model({**CURVE, "points": points})
    with pytest.raises(UserError, match=r"c1: the amounts 2, 1 of its points must rise"):
        found = model({**CURVE, "points": [["a", 0], ["b", 1]]}, parameters={"a": 2, "b": 1})
        assert found.ground


def test_curves_and_penalties_read_tables() -> None:
    found = load(
        {
            "sets": {"P": ["a", "b"]},
            "parameters": {
                "due": {"index": ["P"], "values": {"a": 3, "b": 5}},
                "fine": {"index": ["P"], "values": {"a": 2, "b": 7}},
            },
            "variables": {"make": {"over": "p in P", "upper": 4}},
            "objective": {"kind": "optimize", "sense": "maximize", "terms": "sum(make[p] for p in P)"},
            "constraints": [
                {"kind": "soft", "terms": "make[p]", "sense": ">=", "limit": "due[p]", "penalty": "fine[p]",
                 "forall": "p in P"},
            ],
        }
    )  # fmt: skip
    assert optimum(found) == 8 - 7
