"""The indexed kinds in small cases: the rows they become, and what is said of mistakes."""

from __future__ import annotations

from typing import Any

import pytest

from data.errors import UserError
from formulation.ground import Rows
from formulation.model import Model, load
from tests.formulation.exact import Exact

PAIRS = {"elements": [["p", "a"], ["p", "b"], ["q", "b"]], "within": ["I", "J"]}


def model(variables: dict[str, Any], statement: dict[str, Any], **given: Any) -> Model:
    sets = {"I": ["p", "q", "r"], "J": ["a", "b"], "PAIRS": PAIRS, **given.pop("sets", {})}
    return load({"sets": sets, "variables": variables, "constraints": [statement], **given})


def rows(found: Model) -> list[str]:
    return [shown(found, row) for row in found.ground.rows]


def shown(found: Model, row: Rows) -> str:
    names = [str(found.ground.columns[i]) for i in row.columns]
    terms = sorted(f"{a}*{name}" for a, name in zip(row.coefficients, names, strict=True))
    sense = "==" if row.lower == row.upper else "<=" if row.lower is None else ">="
    return f"{' '.join(terms) or 0} {sense} {row.lower if row.lower is not None else row.upper}"


def feasible(found: Model) -> bool:
    return Exact(found.matrix).best({}, {}) is not None


def test_each_is_assigned_over_the_pairs_there_are() -> None:
    found = model(
        {"x": {"domain": "binary", "over": "(i, j) in PAIRS"}},
        {"kind": "assignment", "each": "i in I", "over": "(i, j) in PAIRS", "assigned": "x[i, j]", "exactly": 1},
    )
    assert rows(found) == ["1*x['p', 'a'] 1*x['p', 'b'] == 1", "1*x['q', 'b'] == 1", "0 == 1"]
    assert not feasible(found)  # r is in no pair
    assert [row.key for row in found.ground.rows] == [("p",), ("q",), ("r",)]


def test_an_assignment_says_how_many() -> None:
    variables = {"x": {"domain": "binary", "over": "i in I, j in J"}}
    statement = {"kind": "assignment", "each": "j in J", "over": "i in I", "assigned": "x[i, j]"}
    found = model(variables, {**statement, "at_least": 1, "at_most": 2})
    sums = [f"1*x['p', '{j}'] 1*x['q', '{j}'] 1*x['r', '{j}']" for j in "ab"]
    assert rows(found) == [f"{each} >= 1" for each in sums] + [f"{each} <= 2" for each in sums]
    with pytest.raises(UserError, match=r"constraints\[0\]: say how many: 'exactly', 'at_least' or 'at_most'"):
        model(variables, statement)


def test_covering_and_packing_count_what_is_chosen() -> None:
    variables = {"x": {"domain": "binary", "over": "i in I"}, "n": {"domain": "integer", "over": "i in I", "upper": 9}}
    cover = {"kind": "covering", "each": "j in J", "over": "(i, j) in PAIRS", "chosen": "x[i]"}
    assert rows(model(variables, cover)) == ["1*x['p'] >= 1", "1*x['p'] 1*x['q'] >= 1"]
    pack = {"kind": "packing", "each": "j in J", "over": "(i, j) in PAIRS", "chosen": "selected(n[i])"}
    found = model(variables, pack)
    assert rows(found) == ["1*n.selected['p'] <= 1", "1*n.selected['p'] 1*n.selected['q'] <= 1"]


def test_capacity_multiplies_use_and_amount() -> None:
    statement = {
        "kind": "capacity", "each": "i in I", "over": "(i, j) in PAIRS", "use": "hours[i, j]", "amount": "make[j]",
        "capacity": "size[i]*open",
    }  # fmt: skip
    found = model(
        {"make": {"over": "j in J"}, "open": {"domain": "binary"}},
        statement,
        parameters={
            "hours": {"index": ["I", "J"], "values": {"p": {"a": 2, "b": 0.5}, "q": {"b": 3}}, "default": 1},
            "size": {"index": ["I"], "values": {"p": 8, "q": 9, "r": 10}},
        },
    )
    assert rows(found) == ["-8*open 1/2*make['b'] 2*make['a'] <= 0", "-9*open 3*make['b'] <= 0", "-10*open <= 0"]


NETWORK = {
    "sets": {"N": ["s", "m", "t"], "A": {"elements": [["s", "m"], ["m", "t"], ["m", "m"]], "within": ["N", "N"]}},
    "parameters": {"need": {"index": ["N"], "values": {"t": 5}, "default": 0}},
}
FLOW = {"kind": "flow_balance", "each": "n in N", "arcs": "(i, j) in A", "flow": "ship[i, j]", "demand": "need[n]"}
BALANCED = ["-1*ship['s', 'm'] == 0", "-1*ship['m', 't'] 1*ship['s', 'm'] == 0", "1*ship['m', 't'] == 5"]


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"each": "i in N", "demand": "need[i]"},  # the nodes' symbol is the arcs' too
        {"each": "j in N", "demand": "need[j]"},
        {"arcs": "i in N, j in N if (i, j) in A"},
        {"flow": "sum(ship[i, j] for n in N if n == j)"},
    ],
)
def test_flow_is_balanced_at_each_node(changed: dict[str, Any]) -> None:
    found = model({"ship": {"over": "(i, j) in A"}}, {**FLOW, **changed}, **NETWORK)
    assert rows(found) == BALANCED  # a loop leaves as much as it brings


def test_supply_comes_in_and_may_be_left_over() -> None:
    supplied = {**FLOW, "supply": "give[n]", "sense": ">="}
    found = model({"ship": {"over": "(i, j) in A"}, "give": {"over": "n in N", "upper": 6}}, supplied, **NETWORK)
    assert rows(found)[0] == "-1*ship['s', 'm'] 1*give['s'] >= 0"
    assert rows(found)[2] == "1*give['t'] 1*ship['m', 't'] >= 5"


def test_nodes_may_be_pairs_of_place_and_time() -> None:
    arcs = {"elements": [["s", 1, "t", 2], ["s", 1, "s", 2]]}
    found = model(
        {"go": {"over": "(a, t, b, u) in A"}},
        {"kind": "flow_balance", "each": "(n, t) in NT", "arcs": "(a, t, b, u) in A", "flow": "go[a, t, b, u]",
         "supply": "start[n, t]", "sense": ">="},
        sets={"A": arcs, "NT": [["s", 1], ["s", 2], ["t", 2]]},
        parameters={"start": {"index": ["NT"], "values": [["s", 1, 7]], "default": 0}},
    )  # fmt: skip
    assert rows(found) == [
        "-1*go['s', 1, 's', 2] -1*go['s', 1, 't', 2] >= -7",
        "1*go['s', 1, 's', 2] >= 0",
        "1*go['s', 1, 't', 2] >= 0",
    ]


@pytest.mark.parametrize("arcs", ["i in N", "(i, i) in A"])
def test_arcs_have_two_ends(arcs: str) -> None:
    with pytest.raises(UserError, match=r"constraints\[0\]: the arcs .* do not lead from a node to a node"):
        model({"ship": {"over": "(i, j) in A"}}, {**FLOW, "arcs": arcs}, **NETWORK)


STOCK = {
    "kind": "inventory_balance", "forall": "p in P", "time": "t in T", "stock": "s[p, t]", "incoming": "make[p, t]",
    "outgoing": "need[t]", "initial": 3,
}  # fmt: skip


def stock(statement: dict[str, Any], periods: Any) -> Model:
    variables = {"s": {"over": "p in P, t in T"}, "make": {"over": "p in P, t in T"}}
    needs = {"index": ["T"], "values": {}, "default": 2}
    return model(variables, statement, sets={"P": ["ale"], "T": periods}, parameters={"need": needs})


def test_stock_is_carried_from_period_to_period() -> None:
    found = stock({**STOCK, "final": 4, "final_sense": ">="}, {"elements": ["may", "june"], "ordered": True})
    assert rows(found) == [
        "-1*make['ale', 'may'] 1*s['ale', 'may'] == 1",
        "-1*make['ale', 'june'] -1*s['ale', 'may'] 1*s['ale', 'june'] == -2",
        "1*s['ale', 'june'] >= 4",
    ]


def test_a_plan_that_repeats_starts_with_what_it_leaves() -> None:
    found = stock({**STOCK, "initial": "s[p, last(T)]"}, {"range": [1, 3]})
    assert rows(found)[0] == "-1*make['ale', 1] -1*s['ale', 3] 1*s['ale', 1] == -2"


@pytest.mark.parametrize(
    ("changed", "periods", "told"),
    [
        ({}, ["may", "june"], "constraints[0].time: 'first(T)': \"T\" is not ordered: give it 'ordered: true'"),
        ({"time": "t in T if t != 1"}, {"range": [1, 2]}, "constraints[0].time: 't in T if t != 1' is no series of"),
        ({"stock": "s[p, 1]"}, {"range": [1, 2]}, "constraints[0]: the stock 's[p, 1]' is of no period"),
    ],
)
def test_what_is_no_stock_over_time_is_refused(changed: dict[str, Any], periods: Any, told: str) -> None:
    with pytest.raises(UserError) as caught:
        assert stock({**STOCK, **changed}, periods).matrix
    assert str(caught.value).startswith(told)
