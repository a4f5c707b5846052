"""Problems as JSON values: what is read, what is refused and where, and what is written again."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.errors import UserError
from formulation.kinds import CONSTRAINTS, OBJECTIVES
from formulation.numbers import number
from formulation.schema import Problem, expressions_in, read_problem, statement_names, suggestion
from tests.formulation import trees
from tests.formulation.effort import MORE

X = {"variables": {"x": {}}}


@pytest.mark.parametrize("kind", [*CONSTRAINTS.values(), *OBJECTIVES.values()], ids=lambda kind: kind.__name__)
def test_problems_of_every_kind_read_back(kind):
    for seed in range(25):
        problem = kind.generate(random.Random(seed))
        again = read_problem(json.loads(json.dumps(problem.plain())))
        assert again.plain() == problem.plain()
        assert read_problem(again.plain()) == again


@settings(max_examples=60 * MORE)
@given(trees.expr(), trees.expr(), trees.quantifier({}, 2))
def test_problems_read_back(terms, left, over):
    given_ = {
        "name": "everything",
        "text": "A text.",
        "sets": trees.SETS,
        "parameters": {**trees.PARAMETERS, "u": {"value": "33%", "unit": "kg/hour", "label": "a share"}},
        "variables": {**trees.VARIABLES, "m": {"lower": None, "upper": str(terms), "unit": "$"}},
        "objective": {"kind": "optimize", "sense": "maximize", "terms": str(terms)},
        "constraints": [
            {"kind": "linear", "row": f"{left} >= 1/3", "forall": str(over[0]), "hard": True},
            {"kind": "linear", "row": "x < 2", "id": "c1", "sources": {"row": {"span": [0, 3], "origin": "assumed"}}},
        ],
    }
    problem = read_problem(given_)
    assert read_problem(json.loads(json.dumps(problem.plain()))) == problem
    assert read_problem(problem) is problem


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


@st.composite
def broken(draw):
    """A right problem with one value replaced by another."""
    problem = json.loads(json.dumps(GOOD))
    at = problem
    while True:
        key = draw(st.sampled_from(list(at) if isinstance(at, dict) else range(len(at))))
        if isinstance(at[key], dict | list) and at[key] and draw(st.integers(0, 3)):
            at = at[key]
        else:
            at[key] = draw(json_values)
            return problem


GOOD = {
    "name": "good",
    "sets": {
        "P": ["a", "b"],
        "T": {"range": [1, 3]},
        "A": {"table": {"file": "a.csv", "keys": ["p"]}, "within": ["P"]},
    },
    "parameters": {"c": {"index": ["P"], "values": {"a": 1, "b": "1/2"}}, "d": 3},
    "variables": {
        "x": {"over": "p in P", "upper": "c[p]", "sources": {"upper": {"span": [1, 2]}}},
        "o": {"domain": "binary"},
    },
    "objective": {"kind": "optimize", "sense": "minimize", "terms": "sum(x[p] for p in P)"},
    "constraints": [
        {"kind": "linear", "row": "x['a'] <= d", "forall": "t in T"},
        {"kind": "implication", "when": "o", "then": "not o"},
    ],
}


@settings(max_examples=300 * MORE)
@given(broken() | json_values)
def test_any_value_is_a_problem_or_one_clear_line(given_):
    try:
        problem = read_problem(given_)
    except UserError as error:
        assert str(error)
        assert "\n" not in str(error)
    else:
        assert read_problem(problem.plain()).plain() == problem.plain()


@pytest.mark.parametrize(
    ("given_", "told"),
    [
        (5, "a problem is a mapping with 'variables', not a int"),
        ({}, "variables: is missing"),
        ({"variables": {}}, "a problem needs at least one variable"),
        ({**X, "constraint": []}, 'constraint: no such field; did you mean "constraints"?'),
        ({"variables": {"x": {"uper": 2}}}, 'variables.x.uper: no such field; did you mean "upper"?'),
        ({"variables": {"x": {"upper": "2*"}}}, "variables.x.upper: cannot read '2*'"),
        ({"variables": {"x": {"domain": "int"}}}, "variables.x.domain: Input should be 'continuous', 'integer' or "
         "'binary'"),
        ({"variables": {"x": {"domain": "binary", "upper": 3}}}, "variables.x: a binary variable is 0 or 1: leave its "
         "bounds out, or make it an integer"),
        ({"variables": {"x y": {}}}, "variables: 'x y' cannot be a name: use letters, digits and _, and put words "
         "into the label"),
        ({"variables": {"class": {}}}, "variables: 'class' is a word of the language of expressions: choose another "
         "name"),
        ({"variables": {"sum": {}}}, "variables: 'sum' is a word of the language of expressions: choose another name"),
        ({**X, "parameters": {"x": 1}}, "'x' is both in parameters and in variables: rename one"),
        ({**X, "constraints": [{"kind": "linaer", "row": "x <= 1"}]}, "constraints[0]: no kind 'linaer'; did you mean "
         '"linear"?'),
        ({**X, "constraints": [{"kind": "linear"}]}, "constraints[0].row: is missing"),
        ({**X, "constraints": [{"kind": "linear", "row": "x <= 1", "rows": 2}]},
         'constraints[0].rows: no such field; did you mean "row"?'),
        ({**X, "constraints": [{"kind": "linear", "row": "x <="}]}, "constraints[0].row: cannot read 'x <='"),
        ({**X, "constraints": [{"kind": "linear", "row": "x <= 1", "id": "a b"}]}, "constraints[0].id: 'a b' cannot "
         "be an id: use letters, digits and _, and put words into the label"),
        ({**X, "constraints": [{"kind": "linear", "row": "x <= 1", "id": "a"}] * 2}, "two constraints have the id "
         "'a': give one of them another"),
        ({**X, "objective": {"kind": "optimize", "sense": "max", "terms": "x"}},
         "objective.sense: Input should be 'minimize' or 'maximize'"),
        ({**X, "objective": {"kind": "optimize", "sense": "minimize", "terms": {"x": float("nan")}}},
         "objective.terms: coefficient of 'x': nan is no finite number; leave a bound out where there is none"),
        ({**X, "parameters": {"c": float("inf")}}, "parameters.c.value: inf is no finite number; leave a bound out "
         "where there is none"),
        ({**X, "parameters": {"c": {"value": "a third"}}}, "parameters.c.value: 'a third' is no number: write it like "
         "12, 0.5, 1/3, 33% or 1,000"),
        ({**X, "parameters": {"c": {"index": ["P"], "value": 2}}}, "parameters.c: an indexed parameter has 'values' or "
         "a 'table', not one 'value'"),
        ({**X, "parameters": {"c": {"values": {"a": 2}}}}, "parameters.c: 'values' and 'table' need an 'index': name "
         "the sets"),
        ({**X, "parameters": {"c": {"index": ["P"], "values": 5}}}, "parameters.c.values: write values by element, or "
         "rows of the index and the value"),
        ({**X, "parameters": {"c": {"index": ["P"], "values": [1, 2]}}}, "parameters.c.values: write values by "
         "element, or rows of the index and the value"),
        ({**X, "parameters": {"c": {"unit": "kg m", "value": 1}}}, "parameters.c.unit: 'kg m' is no unit: write it "
         "like kg, $/hour, m^2 or sq_ft (no blanks, no brackets)"),
        ({**X, "sets": {"P": {"range": [3, 1]}}}, "sets.P: the range [3, 1] is empty: write [first, last]"),
        ({**X, "sets": {"P": {"range": [1, 2], "elements": []}}}, "sets.P: a set has one of 'elements', 'range' and "
         "'table'"),
        ({**X, "sets": {"P": [True]}}, "sets.P.elements[0]: an element is a text or a whole number (or a list of "
         "these), not True"),
        ({**X, "sets": {"P": [1.5]}}, "sets.P.elements[0]: an element is a text or a whole number (or a list of "
         "these), not 1.5"),
        ({**X, "sets": {"P": {"table": {"file": "a", "name": "b", "keys": ["k"]}}}}, "sets.P.table: a table has "
         "either a 'file' or a 'name'"),
        ({"variables": {"x": {"sources": {"": {"span": [3, 1]}}}}}, "variables.x.sources..span: a span is [start, end] "
         "with 0 <= start <= end"),
    ],
)  # fmt: skip
def test_mistakes_name_their_place(given_, told):
    with pytest.raises(UserError) as error:
        read_problem(given_)
    assert str(error.value).split(" (and ")[0] == told


def test_a_mistake_among_inline_values_names_its_key():
    for values in ({"a": {"b": float("nan")}}, [["a", "b", float("nan")]]):
        with pytest.raises(UserError, match=r"'b'.*: nan is no finite number"):
            read_problem({**X, "parameters": {"c": {"index": ["P", "Q"], "values": values}}})


def test_ids_are_given_where_there_are_none():
    row = {"kind": "linear", "row": "x <= 1"}
    problem = read_problem({**X, "constraints": [row, {**row, "id": "c2"}, row, {**row, "id": "top"}, row]})
    assert [statement.id for statement in problem.constraints] == ["c1", "c2", "c3", "top", "c4"]
    assert problem.constraint("top").id == "top"
    with pytest.raises(UserError, match="no constraint 'tip'; did you mean \"top\""):
        problem.constraint("tip")


def test_short_forms():
    values = {"d": {"index": ["P"], "values": {1: 2}}, "e": {"index": ["P", "T"], "values": {("a", 1): "1/2"}}}
    problem = read_problem({**X, "sets": {"P": ["a", "b"]}, "parameters": {"c": "33%", **values}})
    assert problem.sets["P"].elements == ("a", "b")
    assert str(problem.parameters["c"].value) == "33%"
    assert problem.parameters["d"].values == {"1": number(2)}
    assert problem.parameters["e"].values == (("a", 1, number("1/2")),)


def test_names_of_a_statement_and_places_of_its_expressions():
    problem = read_problem(GOOD)
    assert statement_names(problem.constraints[0]) == {"x", "d", "T"}
    assert [place for place, _ in expressions_in(problem.constraints[1])] == ["when", "then"]


def test_suggestions():
    assert suggestion("chiar", ["chair", "table"]) == '; did you mean "chair"?'
    assert suggestion("zzz", ["chair"]) == ""


def test_the_json_schema_can_be_made():
    assert Problem.model_json_schema()["properties"]["schema_version"]["const"] == 1
