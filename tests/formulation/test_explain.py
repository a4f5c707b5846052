"""A model and its result in plain language: all of the model is said, and what is said of a result is so."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from formulation.explain import Explanation, Said
from formulation.model import Model, load
from formulation.sensitivity import sensitivity, slacks
from formulation.solve import Solution

TEXT = (
    "A bakery sells bread at 3 $ and cakes at 5 $. The oven has 40 hours. Bread takes 1 hour and cakes take 2. "
    "At most 30 loaves are sold, and there is flour for 100 pieces."
)


def span(words: str) -> list[int]:
    """The place of words in the text."""
    return [TEXT.index(words), TEXT.index(words) + len(words)]


BAKERY: dict[str, Any] = {
    "name": "A small bakery",
    "text": TEXT,
    "parameters": {
        "hours": {"value": 40, "unit": "h", "label": "hours of the oven"},
        "takes": {"value": 2, "unit": "h/piece", "label": "hours for one cake"},
        "quick": {"value": 1, "unit": "h/piece"},
    },
    "variables": {
        "bread": {"unit": "piece", "label": "loaves of bread", "upper": 99},
        "cakes": {"unit": "piece", "label": "cakes"},
    },
    "objective": {"kind": "optimize", "sense": "maximize", "terms": "3*bread + 5*cakes", "label": "the revenue"},
    "constraints": [
        {
            "kind": "linear",
            "id": "oven",
            "label": "hours of the oven",
            "row": "quick*bread + takes*cakes <= hours",
            "sources": {"": {"span": span("The oven has 40 hours"), "origin": "text"}},
        },
        {"kind": "linear", "id": "sales", "row": "bread <= 30"},
        {"kind": "linear", "id": "flour", "row": "bread + cakes <= 100"},
    ],
}


def with_whole_numbers() -> Model:
    """The bakery with whole trays of 4 cakes, and a charge for heat once any are baked."""
    values = copy.deepcopy(BAKERY)
    values["variables"]["cakes"] |= {"domain": "integer", "upper": 90}
    values["constraints"] += [
        {"kind": "lots", "id": "trays", "amount": "cakes", "size": 4},
        {"kind": "fixed_charge", "id": "heat", "variable": "cakes", "charge": 7},
    ]
    return load(values)


def without_solution() -> Model:
    """The bakery with orders that the oven's hours do not suffice for."""
    values = copy.deepcopy(BAKERY)
    values["constraints"].append({"kind": "linear", "id": "orders", "row": "cakes >= 21", "label": "cakes on order"})
    return load(values)


def said(told: Explanation) -> dict[str, Said]:
    return {statement.id: statement for statement in told.statements}


@pytest.fixture(scope="module")
def results() -> dict[str, tuple[Model, Solution, Explanation]]:
    """Each model, its result, and both explained."""
    models = {"linear": load(BAKERY), "whole": with_whole_numbers(), "none": without_solution()}
    solutions = {name: model.solve() for name, model in models.items()}
    return {name: (models[name], solutions[name], models[name].explain(solutions[name])) for name in models}


every = pytest.mark.parametrize("name", ["linear", "whole", "none"])


# ---- the model -------------------------------------------------------------------------------------------------------


@every
def test_every_statement_is_said_in_words_beside_its_algebra(results, name):
    model, _, told = results[name]
    assert [one.id for one in told.statements] == [c.id for c in model.problem.constraints]
    assert [one.kind for one in told.statements] == [c.kind for c in model.problem.constraints]
    for one in (*told.statements, told.objective):
        assert one.words and one.algebra and one.latex
        for line in (*one.words, *one.algebra):
            assert " ".join(line.split()) in " ".join(told.text.split())  # the text breaks long lines


def test_words_speak_of_labels_and_algebra_of_names(results):
    _, _, told = results["linear"]
    oven = said(told)["oven"]
    assert any("cakes" in line and "loaves of bread" in line for line in oven.words)
    assert any("bread" in line and "<=" in line for line in oven.algebra)
    assert not any("loaves" in line for line in oven.algebra)
    assert told.objective.label == "the revenue" and told.objective.algebra != told.objective.words


def test_variables_and_parameters_are_described_as_declared(results):
    _, _, told = results["whole"]
    bread, cakes = told.variables
    assert (bread.name, bread.label, bread.unit, bread.count) == ("bread", "loaves of bread", "piece", 1)
    assert "99" in bread.bounds and "90" in cakes.bounds
    assert bread.domain != cakes.domain == "whole number"
    assert [(one.name, one.label, one.value, one.unit) for one in told.parameters] == [
        ("hours", "hours of the oven", "40", "h"), ("takes", "hours for one cake", "2", "h/piece"),
        ("quick", "", "1", "h/piece"),
    ]  # fmt: skip


def test_a_statement_points_to_its_sentence(results):
    _, _, told = results["linear"]
    source = said(told)["oven"].source
    assert (source.sentence, source.place) == ("The oven has 40 hours.", 2)
    assert TEXT[slice(*source.span)] == "The oven has 40 hours"
    assert str(source) in told.text and str(source).startswith("sentence 2:")
    assert said(told)["sales"].source is None


def test_without_a_result_only_the_model_is_told():
    told = load(BAKERY).explain()
    assert told.outcome is None and not told.result_blocks()
    assert all(one.outcome == "" and one.binding is None for one in told.statements)


# ---- the result ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["linear", "whole"])
def test_the_result_is_that_of_the_solution(results, name):
    model, solution, told = results[name]
    outcome = told.outcome
    assert (outcome.status, outcome.objective) == ("optimal", solution.objective)
    assert outcome.values == solution.values
    assert f"the revenue is {solution.objective}" in outcome.headline
    assert not outcome.conflict and outcome.irreducible is None
    assert model.verify(outcome.values, time_limit=0).ok


@pytest.mark.parametrize("name", ["linear", "whole"])
def test_binding_is_what_has_no_slack_and_the_rest_says_what_is_left(results, name):
    model, solution, told = results[name]
    left = {slack.statement: slack for slack in slacks(model, solution.values) if slack.sense != "=="}
    seen = set()
    for one in told.statements:
        slack = left.get(one.id)
        assert one.binding == (None if slack is None else slack.amount == 0)
        if one.binding is not None:
            assert ("binding" in one.outcome) == one.binding
            assert one.binding or f"{slack.amount} left" in one.outcome
            seen.add(one.binding)
    assert seen == {True, False}


def test_in_a_linear_model_only_what_binds_has_a_price(results):
    model, solution, told = results["linear"]
    found = sensitivity(model, solution)
    assert not found.held
    prices = {price.statement: price.price for price in found.prices}
    assert prices.keys() == said(told).keys()
    assert {name for name, price in prices.items() if price} == {n for n, one in said(told).items() if one.binding}
    # 40 hours: an hour more is half a cake; 30 loaves: one more takes half a cake's hours.
    assert prices == pytest.approx({"oven": 5 / 2, "sales": 3 - 5 / 2, "flour": 0})


def test_with_whole_numbers_prices_are_marked_as_those_of_decisions_held(results):
    model, solution, told = results["whole"]
    found = sensitivity(model, solution)
    assert found.held
    binding = {name for name, one in said(told).items() if one.binding}
    priced = {price.statement for price in found.prices if price.price and price.sense != "=="}
    assert priced <= binding
    assert found.objective == pytest.approx(float(told.outcome.objective))


def test_what_a_statement_costs_is_told_beside_it(results):
    _, solution, told = results["whole"]
    assert solution.value("cakes") > 0
    assert said(told)["heat"].outcome.endswith("costs 7")
    income = 3 * solution.value("bread") + 5 * solution.value("cakes")
    assert told.outcome.objective == income - 7


def test_an_infeasible_model_is_told_by_its_conflict(results):
    model, _, told = results["none"]
    outcome = told.outcome
    assert (outcome.status, outcome.objective, outcome.values) == ("infeasible", None, {})
    assert {clash.id for clash in outcome.conflict if clash.what == "statement"} == {"oven", "orders"}
    assert {(clash.what, clash.id) for clash in outcome.conflict if clash.what != "statement"} == {
        ("lower bound", "bread")
    }
    assert outcome.irreducible and any("Without any one" in remark for remark in outcome.remarks)
    assert all(clash.words for clash in outcome.conflict)
    (oven,) = (clash for clash in outcome.conflict if clash.id == "oven")
    assert oven.source == said(told)["oven"].source and oven.words == said(told)["oven"].words
    assert all(model.relax(clash.id).solve().optimal for clash in outcome.conflict if clash.what == "statement")
    assert all(one.binding is None for one in told.statements)


def test_a_conflict_not_found_in_time_is_said():
    model = without_solution()
    outcome = model.explain(model.solve(), time_limit=1e-9).outcome
    assert not outcome.conflict and outcome.irreducible is False
    assert any("in time" in remark for remark in outcome.remarks)


@every
def test_text_markdown_and_json_hold_the_same(results, name):
    _, _, told = results[name]
    plain = json.loads(json.dumps(told.plain()))
    assert [one["id"] for one in plain["statements"]] == [one.id for one in told.statements]
    assert plain["result"]["status"] == told.outcome.status
    assert told.outcome.headline.split(":")[0] in told.text
    assert told.markdown.startswith("# A small bakery\n") and told.markdown.count("$$") % 2 == 0
    for one in told.statements:
        assert f"**{one.id}" in told.markdown
