"""Mistakes that are found before any data is read, each with its place."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.errors import UserError
from formulation.check import check, mistakes
from formulation.kinds import CONSTRAINTS, OBJECTIVES
from formulation.model import load
from formulation.schema import read_problem
from tests.formulation import trees
from tests.formulation.effort import MORE

BASE = {
    "sets": {
        "PLANTS": {"table": {"file": "plants.csv", "keys": ["plant"]}},
        "MARKETS": ["north", "south"],
        "ARCS": {"table": {"file": "arcs.csv", "keys": ["plant", "market"]}, "within": ["PLANTS", "MARKETS"]},
        "T": {"range": [1, 12]},
        "PAIRS": {"elements": [["a", 1]]},
    },
    "parameters": {
        "price": {"value": 3, "unit": "$/kg"},
        "wage": {"value": 20, "unit": "$/hour"},
        "share": {"value": "30%", "unit": "%"},
        "size": {"value": 5, "unit": "kg"},
        "cost": {"index": ["ARCS"], "default": 0},
        "rate": {"index": ["PLANTS", "T"], "default": 0},
        "plain": 7,
    },
    "variables": {
        "chair": {"domain": "integer"},
        "open": {"domain": "binary"},
        "weight": {"unit": "kg", "upper": 9},
        "load": {"unit": "kg"},
        "hours": {"unit": "hour", "upper": 9},
        "ship": {"over": "(i, j) in ARCS"},
        "stock": {"over": "p in PLANTS, t in T"},
    },
}


def told(**changed) -> tuple[str, ...]:
    sections = {name: {**BASE[name], **changed.pop(name, {})} for name in BASE}
    return mistakes(read_problem({**sections, **changed}))


def constraint(**fields) -> tuple[str, ...]:
    return told(constraints=[{"kind": "linear", "row": "chair <= 1"}, {"kind": "linear", **fields}])


def row(text: str, forall: str | None = None) -> str:
    (found,) = constraint(row=text, **({"forall": forall} if forall else {})) or ("",)
    return found.removeprefix("constraints[1].")


def test_a_right_problem_has_no_mistakes():
    assert told() == ()
    assert row("sum(cost[i, j]*ship[i, j] for (i, j) in ARCS if j != 'north') <= plain*chair + 3") == ""
    assert row("stock[p, t] - stock[p, t-1] >= rate[p, t]*open", "p in PLANTS, t in T if t > first(T)") == ""
    assert row("weight*price + hours*wage <= 100 + 50*selected(weight)") == ""


@pytest.mark.parametrize("kind", [*CONSTRAINTS.values(), *OBJECTIVES.values()], ids=lambda kind: kind.__name__)
def test_no_kind_finds_mistakes_in_its_own_examples(kind):
    for seed in range(20):
        assert mistakes(kind.generate(random.Random(seed))) == ()


@settings(max_examples=100 * MORE)
@given(st.data())
def test_no_mistakes_are_found_in_what_can_be_compiled(data):
    forall, scope = data.draw(trees.quantifier({}, 2))
    problem = {
        "sets": trees.SETS,
        "parameters": trees.PARAMETERS,
        "variables": trees.VARIABLES,
        "constraints": [{"kind": "linear", "row": f"{data.draw(trees.expr(scope))} <= 0", "forall": str(forall)}],
    }
    assert mistakes(read_problem(problem)) == ()


@pytest.mark.parametrize(
    ("terms", "place"),
    [
        ({"chairs": 8, "weight": 2}, 'objective.terms["chairs"]: no such variable; did you mean "chair"?'),
        ({"weight": 2, "chairs": 8}, 'objective.terms["chairs"]: no such variable; did you mean "chair"?'),
        ({"chairs": 8}, 'objective.terms["chairs"]: no such variable; did you mean "chair"?'),
        ({"weight": "prize", "hours": 2}, 'objective.terms["weight"]: no such variable or parameter "prize"; '
         'did you mean "price"?'),
        ("8 + chairs", 'objective.terms: no such variable or parameter "chairs"; did you mean "chair"?'),
        ({"weight": "hours", "hours": 2}, "objective.terms[\"weight\"]: 'hours*weight' multiplies variables: "
         "only linear expressions can be solved"),
    ],
)  # fmt: skip
def test_places_in_coefficients(terms, place):
    assert told(objective={"kind": "optimize", "sense": "minimize", "terms": terms}) == (place,)


@pytest.mark.parametrize(
    ("text", "forall", "what"),
    [
        ("chars <= 1", None, 'row: no such variable or parameter "chars"; did you mean "chair"?'),
        ("chair[1] <= 1", None, "row: 'chair[1]' has 1, but \"chair\" has no index"),
        ("ship['a'] <= 1", None, "row: 'ship['a']' has 1, but \"ship\" has 2 indices (i, j)"),
        ("rate['a'] <= 1", None, "row: 'rate['a']' has 1, but \"rate\" has 2 indices (PLANTS, T)"),
        ("cost['a'] <= chair", None, "row: 'cost['a']' has 1, but \"cost\" has 2 indices (ARCS)"),
        ("ship <= 1", None, "row: 'ship' has none, but \"ship\" has 2 indices (i, j)"),
        ("chair <= 1", "p in PLANT", 'forall: no such set "PLANT"; did you mean "PLANTS"?'),
        ("chair <= 1", "p in ARCS", "forall: 'p in ARCS': the members of \"ARCS\" have 2 parts, not 1"),
        ("chair <= 1", "(p, t) in T", "forall: '(p, t) in T': the members of \"T\" have 1 parts, not 2"),
        ("chair <= 1", "chair in T", "forall: 'chair' is also a variable: choose another symbol"),
        ("stock[p, 1] <= 1", None, "row: 'p' is bound by no quantifier: put an element of that name in quotes, "
         "or add 'forall: p in ...'"),
        ("ship[north, north] <= 1", None, "row: 'north' is an element of \"MARKETS\": put it in quotes"),
        ("sum(stock[p, 1] for p in PLANTS) <= stock[p, 2]", None, "row: 'p' is bound by no quantifier: put an "
         "element of that name in quotes, or add 'forall: p in ...'"),
        ("stock[p-1, 1] <= 1", "p in PLANTS", "row: 'p-1': p runs through no ordered set: give its set "
         "'ordered: true'"),
        ("stock[first(PLANTS), 1] <= 1", None, "row: 'first(PLANTS)': \"PLANTS\" is not ordered: give it "
         "'ordered: true'"),
        ("stock[last(S), 1] <= 1", None, 'row: no such set "S"'),
        ("chair*open <= 1", None, "row: 'chair*open' multiplies variables: only linear expressions can be solved"),
        ("selected(chair)*sum(ship[i, j] for (i, j) in ARCS) <= 1", None, "row: 'selected(chair)*sum(ship[i, j] for "
         "(i, j) in ARCS)' multiplies variables: only linear expressions can be solved"),
        ("chair <= 1/chair", None, "row: '1/chair' divides by a variable: only linear expressions can be solved"),
        ("selected(price) <= 1", None, 'row: "price" is a parameter: name a variable here'),
        ("selected(prize) <= 1", None, 'row: no such variable "prize"'),
        ("t <= chair", "t in T", "row: 't' is a member of a set, not a number: use a parameter indexed by it"),
        ("chair <= 1", "t in T if chair > 1", "forall: must be a number: it holds the variable 'chair'"),
        ("chair <= 1", "t in T if (t, t) in T", "forall: '(t, t) in T': the members of \"T\" have 1 parts"),
        ("chair <= 1", "t in T if t in TT", 'forall: no such set "TT"; did you mean "T"?'),
        ("chair <= 1", "t in T if not (plan > 1 or t == 2)", 'forall: no such variable or parameter "plan"; '
         'did you mean "plain"?'),
        ("chair <= 1", "p in PLANTS, t in T if p-1 < t", "forall: 'p-1': p runs through no ordered set: give its set "
         "'ordered: true'"),
    ],
)  # fmt: skip
def test_mistakes_in_a_row(text, forall, what):
    assert row(text, forall) == what


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("weight + hours <= 10", "row: adds kg and hour"),
        ("weight <= hours", "row: compares kg and hour"),
        ("weight - plain + chair >= 2*hours + hours - weight", "row: adds hour and kg"),
        ("price*weight + hours <= 4", "row: adds $ and hour"),
        ("price*weight + wage*hours <= size", "row: compares $ and kg"),
        ("share*weight <= hours/hours*size", "row: 'hours/hours' divides by a variable: only linear expressions can "
         "be solved"),
        ("share + weight <= 2", "row: adds 1 and kg"),
        ("sum(weight for t in T) <= hours", "row: compares kg and hour"),
        ("weight/size + hours <= 1", "row: adds 1 and hour"),
        ("weight - hours <= 1", "row: adds kg and hour"),
        ("selected(hours)*size <= hours", "row: compares kg and hour"),
    ],
)  # fmt: skip
def test_units_that_do_not_add_up(text, what):
    assert row(text) == what


@pytest.mark.parametrize(
    "text",
    [
        "2*weight + 3*hours <= 10",  # 2 and 3 may be prices
        "weight + plain*hours <= 10",
        "weight + chair <= plain",
        "weight <= 3/10*(weight + load)",
        "share*size <= weight",
        "price*weight + wage*hours >= 100",
        "weight <= size*selected(hours)",
        "1/size*weight <= share",
        "weight <= 9*open",
    ],
)
def test_units_that_may_add_up(text):
    assert row(text) == ""


@pytest.mark.parametrize(
    ("given_", "what"),
    [
        ({"kind": "proportion", "part": "weight", "sense": "<=", "share": "chair", "whole": "weight + load"},
         "share: 'chair*(weight + load)' multiplies variables: only linear expressions can be solved"),
        ({"kind": "proportion", "part": "hours", "sense": "<=", "share": "share", "whole": "weight + load"},
         "part: compares hour and kg"),
        ({"kind": "proportion", "part": "weight", "sense": "<=", "share": "wage", "whole": "weight"},
         "part: compares kg and $*kg/hour"),
        ({"kind": "semi_continuous", "variable": "weight", "minimum": "chair"},
         "minimum: must be a number: it holds the variable 'chair'"),
        ({"kind": "semi_continuous", "variable": "weight", "minimum": 2, "maximum": "wage"},
         "maximum: compares kg and $/hour"),
        ({"kind": "semi_continuous", "variable": "wait", "minimum": 2},
         'variable: no such variable "wait"; did you mean "weight"?'),
        ({"kind": "lots", "amount": "weight", "size": "2*chair"},
         "size: must be a number: it holds the variable 'chair'"),
        ({"kind": "implication", "when": "chair", "then": "open"},
         "when: 'chair' is no decision: it is not binary; selected(chair) says whether it is used"),
        ({"kind": "implication", "when": "open", "then": "not price"},
         "then: 'price' is no decision: it is a parameter"),
        ({"kind": "conditional", "when": "open", "then": "weight <= 2*hour"},
         'then[0]: no such variable or parameter "hour"; did you mean "hours"?'),
        ({"kind": "soft", "terms": "weight", "sense": "<=", "limit": 3, "tiers": [{"up_to": "load", "rate": 1}]},
         "tiers[0].up_to: must be a number: it holds the variable 'load'"),
        ({"kind": "soft", "terms": "weight", "sense": "<=", "limit": 3, "penalty": "wage"},
         "penalty: adds $ and $*kg/hour"),
        ({"kind": "soft", "terms": "weight", "sense": "<=", "limit": 3, "penalty": "price"}, ""),
        ({"kind": "inventory_balance", "time": "t in T", "stock": "stock['a', t]", "initial": "weigth"},
         'initial: no such variable or parameter "weigth"; did you mean "weight"?'),
        ({"kind": "flow_balance", "each": "n in PLANTS", "arcs": "(i, j) in ARCZ", "flow": "ship[i, j]"},
         'arcs: no such set "ARCZ"; did you mean "ARCS"?'),
        ({"kind": "flow_balance", "each": "n in PLANTS", "arcs": "(i, j) in ARCS", "flow": "chip[i, j]"},
         'flow: no such variable or parameter "chip"; did you mean "ship"?'),
    ],
)  # fmt: skip
def test_mistakes_in_fields_of_kinds(given_, what):
    money = {"kind": "optimize", "sense": "minimize", "terms": "price*weight"}
    fields = {**given_}
    found = told(objective=money, constraints=[fields])
    assert found == ((f"constraints[0].{what}",) if what else ())


@pytest.mark.parametrize(
    ("variable", "what"),
    [
        ({"upper": "hours"}, "upper: must be a number: it holds the variable 'hours'"),
        ({"upper": "sice"}, 'upper: no such variable or parameter "sice"; did you mean "size"?'),
        ({"unit": "hour", "upper": "size"}, "upper: compares hour and kg"),
        ({"unit": "kg", "lower": "size", "upper": "2*size"}, ""),
        ({"minimum": "wage*hours"}, "minimum: must be a number: it holds the variable 'hours'"),
        ({"over": "p in PLANT"}, 'over: no such set "PLANT"; did you mean "PLANTS"?'),
        ({"over": "p in PLANTS, t in T", "upper": "rate[t]"}, "upper: 'rate[t]' has 1, but \"rate\" has 2 indices "
         "(PLANTS, T)"),
        ({"over": "p in PLANTS, t in T", "upper": "rate[p, t]"}, ""),
        ({"over": "p in PLANTS", "upper": "rate[p, t]"}, "upper: 't' is bound by no quantifier: put an element of "
         "that name in quotes, or add 'forall: t in ...'"),
    ],
)  # fmt: skip
def test_mistakes_in_a_variable(variable, what):
    assert told(variables={"make": variable}) == ((f"variables.make.{what}",) if what else ())


def test_mistakes_in_sets_and_parameters():
    assert told(sets={"A": {"elements": [], "within": ["PLANT"]}}) == (
        'sets.A.within[0]: no such set "PLANT"; did you mean "PLANTS"?',
    )
    circle = {
        "A": {"elements": [], "within": ["B"]},
        "B": {"elements": [], "within": ["C", "T"]},
        "C": {"elements": [], "within": ["A"]},
    }
    assert told(sets=circle) == ("sets.A.within: the sets A, B, C refer to each other",)
    assert told(sets={"A": {"elements": [], "within": ["A"]}}) == ("sets.A.within: the sets A refer to each other",)
    assert told(parameters={"late": {"index": ["T", "PLANT"], "default": 1}}) == (
        'parameters.late.index[1]: no such set "PLANT"; did you mean "PLANTS"?',
    )


def test_an_empty_set_may_have_members_of_any_width():
    assert (
        told(sets={"E": []}, constraints=[{"kind": "linear", "row": "ship[i, j] <= 1", "forall": "(i, j) in E"}]) == ()
    )


def test_a_goal_of_several_is_checked_with_its_quantifier_and_weight():
    worst = {"kind": "worst_case", "sense": "minimize", "of": ["rate[p, 1]*weight", "hours"], "over": "p in PLANTS"}
    assert told(objective=worst) == ()
    assert told(objective={**worst, "over": "p in PLANT"}) == (
        'objective.over: no such set "PLANT"; did you mean "PLANTS"?',
    )
    assert told(objective={**worst, "of": ["weight", "hours"]}) == ("objective.of[0]: compares kg and hour",)
    goals = {"kind": "goals", "of": [{"sense": "minimize", "terms": "weight", "weight": "hours"}]}
    assert told(objective=goals) == ("objective.of[0].weight: must be a number: it holds the variable 'hours'",)


def test_the_first_mistake_is_raised_and_the_others_counted():
    problem = {"variables": {"x": {"upper": "a"}}, "constraints": [{"kind": "linear", "row": "x <= b"}]}
    with pytest.raises(UserError) as error:
        check(read_problem(problem))
    assert str(error.value) == 'variables.x.upper: no such variable or parameter "a" (and 1 more)'
    with pytest.raises(UserError, match=r"variables\.x\.upper"):
        _ = load(problem).bound
