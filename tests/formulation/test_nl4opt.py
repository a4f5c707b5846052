"""NL4Opt's declarations are problems of our kinds, and their oddities are found by rule."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

import pytest

from data.errors import DataError
from data.nl4opt import Example
from data.sources import data_dir
from formulation.nl4opt import direction, load_gold, model_of, names, quirks
from formulation.schema import read_problem

HERE = data_dir() is not None and (data_dir() / "nl4opt").is_dir()
TEXT = (
    "A shop bakes pies and cakes. A pie takes 2 hours and a cake 3 hours of the 40 available. At most 70% may be pies. "
    "It bakes at least twice as many pies as cakes, more cakes than 4 and at most 30 of both. "
    "Profit is $5 per pie and $1,000 per cake. Maximize profit."
)


def one(kind: str, operator: str = "<=", words: str = "at most", **fields):
    return {"type": kind, "direction": words, "operator": OPERATORS[operator], **fields}


OPERATORS = {"<=": "LESS_OR_EQUAL", ">=": "GREATER_OR_EQUAL"}
OBJECTIVE = {"type": "objective", "direction": "Maximize", "name": "profit", "terms": {"pie": "5", "cake": "1,000"}}


def example(*constraints, objective=OBJECTIVE, document=TEXT, variables=("pies", "cakes"), order=None) -> Example:
    row = {
        "id": "1",
        "document": document,
        "vars": list(variables),
        "obj_declaration": objective,
        "const_declarations": list(constraints),
        "order_mapping": order or {"pies": 0, "cakes": 1, "pie": 0, "cake": 1},
    }
    return Example.of(row, "dev")


@pytest.mark.parametrize(
    ("declaration", "kind", "coefficients", "lower", "upper"),
    [
        (one("sum", limit="30"), "sum_bound", (1, 1), None, 30),
        (one("upperbound", var="cakes", limit="4"), "bound", (0, 1), None, 4),
        (one("lowerbound", ">=", var="pies", limit="4"), "bound", (1, 0), 4, None),
        (one("linear", terms={"pie": "2", "cake": "3"}, limit="40"), "linear_bound", (2, 3), None, 40),
        (one("ratio", var="pies", limit="70%"), "proportion", (Fraction(3, 10), Fraction(-7, 10)), None, 0),
        (one("xby", ">=", x_var="pies", param="twice", y_var="cakes"), "comparison", (1, -2), 0, None),
        (one("xy", ">=", x_var="pies", y_var="cakes"), "comparison", (1, -1), 0, None),
    ],
)
def test_every_type_is_a_kind_with_its_row(declaration, kind, coefficients, lower, upper):
    model = model_of(example(declaration))
    (statement,) = model.problem.constraints
    (row,) = model.matrix.rows
    found = dict(zip(row.columns, row.coefficients, strict=True))
    assert (statement.kind, statement.id) == (kind, "c1")
    assert (tuple(found.get(i, 0) for i in range(2)), row.lower, row.upper) == (coefficients, lower, upper)


def test_objectives_have_terms_or_count_variables():
    model = model_of(example())
    assert model.problem.objective.sense == "maximize" and str(model.problem.objective.terms) == "5*pies + 1000*cakes"
    counted = {"type": "objvar", "direction": "reduce", "name": "number", "vars": ["cakes"]}
    assert str(model_of(example(objective=counted)).problem.objective.terms) == "cakes"
    every = model_of(example(objective={**counted, "vars": []}))
    assert every.problem.objective.sense == "minimize" and str(every.problem.objective.terms) == "pies + cakes"


@pytest.mark.parametrize(
    ("words", "asked"),
    [("minimize", "minimize"), ("lowest", "minimize"), ("Reduce", "minimize"), ("fewest", "minimize"),
     ("maximizing", "maximize"), ("highest", "maximize"), ("as much as possible", "maximize")],
)  # fmt: skip
def test_words_of_direction(words, asked):
    assert direction(words) == asked
    with pytest.raises(DataError, match="asks neither for the least nor for the most"):
        direction("plan")


def test_names_are_fit_for_expressions_and_spans_only_where_they_are_certain():
    given = example(variables=("3 pies", "sum"), order={"3 pies": 0, "sum": 1, "pie": 0, "cake": 1})
    assert names(given) == ("x_3_pies", "x_sum")
    alike = example(variables=("Pie!", "pie"), order={"Pie!": 0, "pie": 1, "cake": 1})
    assert names(alike) == ("pie", "pie_2")
    model = model_of(example(one("linear", words="as", terms={"pie": "2"}, limit="40")))
    sources = model.problem.constraints[0].sources
    start, end = sources["limit"].span
    assert TEXT[start:end] == sources["limit"].text == "40"
    assert sources[""].text == "as" and sources[""].span is None  # twice in the text


def test_constant_rows_load_with_a_finding_unless_they_are_refused():
    given = example(one("linear", ">=", terms={}, limit="40"))
    assert model_of(given).matrix.rows[0].columns == ()
    assert {"constant_row"} <= rules(given)
    with pytest.raises(DataError, match=r"nl4opt/dev '1': c1: the row has no variable"):
        model_of(given, strict=True)
    with pytest.raises(DataError, match="the objective has no terms"):
        model_of(example(objective={**OBJECTIVE, "terms": {}}), strict=True)


def test_more_than_is_strict_only_where_it_is_asked_for():
    given = example(one("lowerbound", ">=", "more", var="cakes", limit="4"))
    assert "strict_words" in rules(given)
    bound = {name: model_of(given, domain="integer", ignore_strict=name).matrix.rows[0].lower for name in (True, False)}
    assert bound == {True: 4, False: 5}


def rules(given: Example) -> set[str]:
    return {quirk.rule for quirk in quirks(given)}


@pytest.mark.parametrize(
    ("rule", "given"),
    [
        ("operator_against_words", example(one("xy", "<=", "more", x_var="cakes", y_var="pies"))),
        (
            "negation_left_out",
            example(one("upperbound", "<=", "exceed", var="pies", limit="9"), document="Pies must not exceed 9."),
        ),
        ("share_above_one", example(one("ratio", var="pies", limit="70"))),
        ("share_as_bound", example(one("lowerbound", ">=", var="pies", limit="70%"))),
        (
            "same_variable_twice",
            example(
                one("linear", terms={"pie": "2", "cake": "3"}, limit="40"),
                order={"pies": 0, "cakes": 1, "pie": 0, "cake": 0},
            ),
        ),
        ("mention_elsewhere", example(order={"pies": 0, "cakes": 1, "pie": 0, "cake": 0})),
        ("alike_variables", example(variables=("pie", "Pies"), order={"pie": 0, "Pies": 1, "cake": 1})),
        ("variables_differ", example(variables=("pies", "cakes", "cakes"))),
        (
            "unused_variable",
            example(
                objective={"type": "objvar", "direction": "minimize", "name": "pies", "vars": ["pies"]},
            ),
        ),
        ("empty_objective", example(objective={**OBJECTIVE, "terms": {}})),
        (
            "unnamed_objective",
            example(objective={"type": "objvar", "direction": "minimize", "name": "all", "vars": []}),
        ),
        ("constant_row", example(one("linear", terms={}, limit="40"))),
        ("single_term", example(one("linear", terms={"pie": "2"}, limit="40"))),
        ("same_row_twice", example(one("sum", limit="30"), one("sum", limit="30"))),
        ("unused_number", example()),
        ("unit_in_number", example(one("linear", terms={"pie": "2"}, limit="40 hours"))),
        ("strict_words", example(one("lowerbound", ">=", "more", var="cakes", limit="4"))),
    ],
)
def test_each_oddity_is_found_by_its_rule(rule, given):
    found = [quirk for quirk in quirks(given) if quirk.rule == rule]
    assert found and all("\n" not in quirk.message for quirk in found)


def test_an_ordinary_row_has_no_oddities():
    assert (
        quirks(
            example(
                one("linear", "<=", "available", terms={"pie": "2", "cake": "3"}, limit="40"),
                one("ratio", "<=", "At most", var="pies", limit="70%"),
                one("xby", ">=", "at least", x_var="pies", param="twice", y_var="cakes"),
                one("sum", "<=", "at most", limit="30"),
                one("lowerbound", ">=", "at least", var="cakes", limit="4"),
                document=TEXT.replace("more cakes than 4", "at least 4 cakes"),
            )
        )
        == ()
    )
    no = example(
        one("upperbound", "<=", "no more than", var="pies", limit="9"),
        objective={**OBJECTIVE, "terms": {"pie": "1", "cake": "2"}},
        document="No more than 9 pies; 1 and 2.",
    )
    assert quirks(no) == ()
    factory = example(
        objective={**OBJECTIVE, "terms": {"factory 1": "5", "factory 2": "6"}},
        document="factory 1 earns 5, factory 2 earns 6, and x1 is the first.",
        variables=("factory 1", "factory 2"),
        order={"factory 1": 0, "factory 2": 1},
    )
    assert quirks(factory) == ()


@pytest.mark.skipif(not HERE, reason="no NL4Opt data here")
def test_all_388_gold_models_load_and_read_back():
    gold = [*load_gold("dev"), *load_gold("test")]
    for one_ in gold:
        assert len(one_.model.matrix.rows) == len(one_.example.constraints)
    assert len(gold) == 388
    for one_ in gold[::20]:
        assert read_problem(one_.model.problem.plain()) == one_.model.problem
    found = Counter(quirk.rule for one_ in gold for quirk in one_.quirks)
    assert found["constant_row"] == 2 and found["same_row_twice"] == 1 and found["share_above_one"] == 2
