"""The kinds of logic: what each allows, by its own meaning and by the rows that are solved."""

import json
import re
from fractions import Fraction
from itertools import product

import pytest

from data.errors import UserError
from formulation.kinds import CONSTRAINTS, OBJECTIVES
from formulation.meaning import World
from formulation.model import load
from formulation.schema import read_problem
from tests.formulation.optimum import holds, optimum, points

BINARY = {name: {"domain": "binary"} for name in "abc"}


def allowed(*statements):
    """The points of binaries a, b, c that the written-out rows allow; the statements' meaning is the same."""
    model = load({"variables": BINARY, "constraints": list(statements)})
    assert len(model.matrix.columns) == 3
    found = set()
    for point in product((0, 1), repeat=3):
        sums = [
            (row, sum(x * point[i] for i, x in zip(row.columns, row.coefficients, strict=True)))
            for row in model.matrix.rows
        ]
        by_rows = all(
            (row.lower is None or at >= row.lower) and (row.upper is None or at <= row.upper) for row, at in sums
        )
        world = World(model.bound, {(name, ()): x for name, x in zip("abc", point, strict=True)})
        assert holds(world) == by_rows
        if by_rows:
            found.add(point)
    return found


def where(truth):
    return {point for point in product((0, 1), repeat=3) if truth(*point)}


@pytest.mark.parametrize(
    ("statement", "truth"),
    [
        ({"kind": "implication", "when": "a", "then": "b"}, lambda a, b, c: b or not a),
        ({"kind": "implication", "when": "a", "then": "not b"}, lambda a, b, c: not (a and b)),
        ({"kind": "implication", "when": "not a", "then": "b"}, lambda a, b, c: a or b),
        ({"kind": "implication", "when": "not a", "then": "not b"}, lambda a, b, c: a or not b),
        ({"kind": "equivalence", "of": ["a", "b"]}, lambda a, b, c: a == b),
        ({"kind": "equivalence", "of": ["a", "not b"]}, lambda a, b, c: a != b),
        ({"kind": "equivalence", "of": ["a", "b", "c"]}, lambda a, b, c: a == b == c),
        ({"kind": "count", "of": ["a", "b", "c"], "exactly": 1}, lambda a, b, c: a + b + c == 1),
        ({"kind": "count", "of": ["a", "b", "c"], "at_most": 2}, lambda a, b, c: a + b + c <= 2),
        ({"kind": "count", "of": ["a", "not b", "c"], "at_least": 2}, lambda a, b, c: a + (1 - b) + c >= 2),
        ({"kind": "count", "of": ["a", "b", "c"], "at_least": 1, "at_most": 2}, lambda a, b, c: 1 <= a + b + c <= 2),
        ({"kind": "count", "of": ["a", "a", "b"], "exactly": 2}, lambda a, b, c: 2 * a + b == 2),
        ({"kind": "count", "of": ["a", "b"], "at_most": "2*c"}, lambda a, b, c: a + b <= 2 * c),
    ],
)
def test_logic_allows_what_its_truth_table_does(statement, truth):
    assert allowed(statement) == where(truth)


def test_a_family_of_decisions_is_counted_within_the_statements_own_quantifier():
    model = load(
        {
            "sets": {"P": ["p", "q"], "T": {"range": [1, 3]}},
            "parameters": {"most": {"index": ["P"], "values": {"p": 1, "q": 2}}},
            "variables": {"run": {"domain": "binary", "over": "i in P, t in T"}},
            "constraints": [
                {
                    "kind": "count",
                    "of": "run[i, t]",
                    "over": "t in T if t != 2",
                    "at_most": "most[i]",
                    "forall": "i in P",
                }
            ],
        }
    )
    for world in points(model):
        runs = {i: world.point["run", (i, 1)] + world.point["run", (i, 3)] for i in "pq"}
        assert holds(world) == (runs["p"] <= 1 and runs["q"] <= 2)
    assert len(model.matrix.rows) == 2


def test_a_decision_that_is_no_yes_or_no_is_refused_with_its_place():
    problem = {
        "variables": {**BINARY, "x": {"domain": "integer", "upper": 3}},
        "parameters": {"big": 1},
    }
    for given, said in [("x", r"'x' is no decision.*selected\(x\)"), ("big", "'big' is no decision")]:
        statement = {"kind": "implication", "when": "a", "then": given, "id": "rule"}
        with pytest.raises(UserError, match=rf"^constraints\[0\]\.then: {said}"):
            _ = load({**problem, "constraints": [statement]}).ground


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ({"kind": "count", "of": "a"}, "say how many"),
        ({"kind": "count", "of": "a", "exactly": 1, "at_most": 2}, "'exactly' says it all"),
        ({"kind": "count", "of": [], "exactly": 1}, "of: the list is empty"),
        ({"kind": "equivalence", "of": ["a"]}, "of: list at least 2$"),
        ({"kind": "either_or", "alternatives": ["a <= 0"]}, "alternatives: list at least 2$"),
        ({"kind": "either_or", "alternatives": ["a <= 0", ["a"]]}, r"alternatives\[1\]\[0\]: 'a' is no relation"),
        ({"kind": "semi_continuous", "variable": "a", "minimum": 0}, "the minimum 0 must be above 0$"),
        ({"kind": "semi_continuous", "variable": "a", "minimum": 3, "maximum": 2}, "between minimum 3 and maximum 2"),
        ({"kind": "lots", "amount": "a", "size": "-1/2"}, "size of a lot must be above 0"),
        ({"kind": "count", "of": "a", "at_most": 1, "sources": {"of": {"txet": "a"}}}, 'did you mean "text"'),
        ({"kind": "fixed_charge", "variable": "2*a", "charge": 1}, r"variable: '2\*a' is no variable"),
    ],
)
def test_a_mistake_is_one_line_with_its_place(statement, said):
    with pytest.raises(UserError, match=said) as error:
        read_problem({"variables": BINARY, "constraints": [statement]})
    assert str(error.value).startswith("constraints[0]") and "\n" not in str(error.value)


@pytest.mark.parametrize("kind", [*CONSTRAINTS.values(), *OBJECTIVES.values()], ids=lambda kind: kind._kind())
def test_the_examples_of_a_kinds_documentation_are_statements_of_it(kind):
    for text in re.findall(r'`(\{"kind".*?\})`', kind.__doc__, re.DOTALL):
        given = json.loads(text)
        assert kind.model_validate(given).kind == given["kind"]


# ---- whole path ------------------------------------------------------------------------------------------------------


def best(variables, objective, *statements, sense="maximize"):
    goal = {"kind": "optimize", "sense": sense, "terms": objective}
    found = optimum({"variables": variables, "objective": goal, "constraints": list(statements)})
    assert found is not None
    return found[0][0]


TWO = {"x": {"upper": 4}, "y": {"upper": 4}}


def test_either_or_takes_the_better_alternative_and_all_of_its_relations():
    tight = {"kind": "linear", "row": "x + y <= 6"}
    either = {"kind": "either_or", "alternatives": ["x <= 1", ["y <= 2", "x >= 3"]]}
    assert best(TWO, "x + y", tight, either) == 6
    assert best(TWO, "2*x + y", tight, either) == 10
    assert best(TWO, "y - x", tight, either) == 4
    assert best(TWO, "x - y", {"kind": "either_or", "alternatives": ["x <= 1", "y >= 2"]}) == 2


def test_a_conditional_relation_binds_only_where_its_decision_is_yes():
    variables = {**TWO, "a": {"domain": "binary"}}
    rule = {"kind": "conditional", "when": "a", "then": ["x <= 1", "y == 2"]}
    assert best(variables, "x + y + a", rule) == 8
    assert best(variables, "x + y + 6*a", rule) == 9
    assert best(variables, "x + y", {**rule, "when": "not a"}, {"kind": "linear", "row": "a <= 0"}) == 3


def test_none_or_at_least_a_minimum():
    variables = {"x": {"upper": 10}, "y": {"upper": 10}}
    need = {"kind": "linear", "row": "x + y == 7"}
    range_ = {"kind": "semi_continuous", "variable": "x", "minimum": 3, "maximum": 5}
    assert best(variables, "x", need, range_) == 5
    assert best(variables, "x", need, range_, {"kind": "linear", "row": "x <= 2"}) == 0
    assert best(variables, "x", need, range_, {"kind": "linear", "row": "x >= 0.5"}, sense="minimize") == 3


def test_lots_are_whole():
    lots = {"kind": "lots", "amount": "x + y", "size": "3/2"}
    assert best(TWO, "x + y", lots) == Fraction(15, 2)
    assert best(TWO, "x + y", lots, {"kind": "linear", "row": "x + y >= 5"}, sense="minimize") == 6


def test_a_late_start_waits_for_the_end_and_the_lag():
    starts = {"s": {"upper": 20}, "t": {"upper": 20}}
    rule = {"kind": "precedence", "before": "s", "after": "t", "duration": 3, "lag": "1/2"}
    assert best(starts, "t", rule, {"kind": "linear", "row": "s >= 2"}, sense="minimize") == Fraction(11, 2)


def test_activities_on_one_machine_run_in_the_better_order_or_the_one_that_is_chosen():
    jobs = {"j": 3, "k": 1, "l": 2}
    problem = {
        "sets": {"J": {"elements": list(jobs), "ordered": True}},
        "parameters": {"days": {"index": ["J"], "values": jobs}},
        "variables": {"start": {"over": "i in J", "upper": 20}, "leads": {"domain": "binary"}},
        "objective": {"kind": "optimize", "sense": "minimize", "terms": "sum(start[i] + days[i] for i in J)"},
    }
    rule = {
        "kind": "no_overlap",
        "starts": ["start[i]", "start[j]"],
        "durations": ["days[i]", "days[j]"],
        "forall": "i in J, j in J if i < j",
    }
    # Shortest first: ends at 1, 3 and 6. Where j goes before k and l, at 3, 4 and 6.
    assert optimum({**problem, "constraints": [rule]})[0] == (10,)
    ordered = {**rule, "forall": "i in J, j in J if i == 'j' and j != 'j'", "order": "leads"}
    chosen = {"kind": "linear", "row": "leads == 1"}
    assert optimum({**problem, "constraints": [rule, ordered, chosen]})[0] == (13,)
    assert optimum({**problem, "constraints": [rule, {**ordered, "order": "not leads"}, chosen]})[0] == (10,)


def test_a_relation_that_may_be_switched_off_says_which_variable_lacks_a_bound():
    with pytest.raises(UserError, match="rule: needs finite bounds of x"):
        _ = load(
            {
                "variables": {"x": {}, "a": {"domain": "binary"}},
                "constraints": [{"kind": "conditional", "when": "a", "then": "x <= 5", "id": "rule"}],
            }
        ).matrix


# ---- use and charges -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("demand", "spent"), [(10, 40), (20, 70), (0, 0)])
def test_a_charge_is_paid_once_where_it_pays_to_use_the_variable(demand, spent):
    variables = {"near": {"upper": 30}, "far": {"upper": 30}}
    need = {"kind": "linear", "row": f"near + far >= {demand}"}
    charge = {"kind": "fixed_charge", "variable": "far", "charge": 50}
    assert best(variables, "4*near + far", need, charge, sense="minimize") == spent
    assert best(variables, "-4*near - far", need, charge) == -spent


def test_a_charge_is_the_same_model_as_a_term_of_the_objective():
    variables = {"x": {"upper": 30}}

    def matrix(terms, *statements):
        goal = {"kind": "optimize", "sense": "maximize", "terms": terms}
        return load({"variables": variables, "objective": goal, "constraints": list(statements)}).matrix

    with_charge = matrix("3*x", {"kind": "fixed_charge", "variable": "x", "charge": 50})
    in_terms = matrix("3*x - 50*selected(x)")
    assert with_charge.columns == in_terms.columns
    assert with_charge.rows == in_terms.rows
    assert with_charge.objectives == in_terms.objectives


def test_a_charge_alone_leaves_small_amounts_possible_and_a_reward_asks_how_much_is_use():
    tiny = {"kind": "linear", "row": "x == 1/50"}
    charge = {"kind": "fixed_charge", "variable": "x", "charge": 5}
    assert best({"x": {"upper": 30}}, "x", tiny, charge, sense="minimize") == Fraction(251, 50)
    reward = {**charge, "charge": -5, "id": "bonus"}
    with pytest.raises(UserError, match=r"^bonus: selected\(x\): the variable is continuous.*'minimum'"):
        best({"x": {"upper": 30}}, "x", reward, sense="minimize")
    used = {"x": {"upper": 30, "minimum": 2}}
    assert best(used, "x", reward, sense="minimize") == -3


def test_few_of_continuous_variables_needs_no_minimum_and_many_does():
    variables = {name: {"upper": 5} for name in "xyz"}
    few = {"kind": "cardinality", "of": ["x", "y", "z"], "at_most": 2}
    assert best(variables, "x + 2*y + 3*z", few) == 25
    assert best(variables, "x + y + z", few, {"kind": "linear", "row": "x == 1/50"}) == Fraction(251, 50)
    many = {"kind": "cardinality", "of": ["x", "y", "z"], "at_least": 2, "id": "spread"}
    with pytest.raises(UserError, match=r"^spread: selected\(x\)"):
        best(variables, "x", many)
    measured = {name: {"upper": 5, "minimum": "1/2"} for name in "xyz"}
    assert best(measured, "x + 2*y + 3*z", many, sense="minimize") == Fraction(3, 2)


def test_use_is_told_by_a_range_wherever_it_stands():
    variables = {"x": {"upper": 9}, "a": {"domain": "binary"}}
    rule = {"kind": "implication", "when": "a", "then": "selected(x)"}
    range_ = {"kind": "semi_continuous", "variable": "x", "minimum": 4}
    chosen = {"kind": "linear", "row": "a == 1"}
    for statements in ([rule, range_, chosen], [range_, rule, chosen]):
        assert best(variables, "x", *statements, sense="minimize") == 4


def test_a_variable_that_can_only_be_0_is_not_used():
    found = best(
        {"x": {"upper": 0}, "y": {"upper": 3}},
        "x + y",
        {"kind": "fixed_charge", "variable": "x", "charge": 7},
        {"kind": "cardinality", "of": ["x", "y"], "at_most": 1},
    )
    assert found == 3


def test_what_can_be_negative_has_no_use():
    with pytest.raises(UserError, match=r"^c1: x can be negative"):
        best({"x": {"lower": -1, "upper": 3}}, "x", {"kind": "fixed_charge", "variable": "x", "charge": 7})
