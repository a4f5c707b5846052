"""What an analyst would raise is raised, and what is as it should be is not."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from data.errors import UserError
from formulation.findings import Finding, findings
from formulation.model import Model, load
from formulation.solve import solve
from formulation.verify import verify
from tests.formulation import random_problems
from tests.formulation.exact import Exact

PATIENT = 120.0  # seconds: these models take milliseconds, also on a busy machine


def model(*rows: Any, variables: dict[str, Any], objective: str | None = None, **fields: Any) -> Model:
    given: dict[str, Any] = {
        "variables": variables,
        "constraints": [{"kind": "linear", "row": row} if isinstance(row, str) else row for row in rows],
        **fields,
    }
    if objective is not None:
        given["objective"] = {"kind": "optimize", "sense": "maximize", "terms": objective}
    return load(given)


def about(one: Model, topic: str, values: Any = None, *, solving: bool = False) -> list[tuple[str, str]]:
    """The places of a topic's findings, with their severity."""
    found = findings(one, values, time_limit=PATIENT if solving else 0)
    for finding in found:
        assert finding.sentence.endswith(".") and finding.sentence.isprintable()
    return [(finding.statement, finding.severity) for finding in found if finding.topic == topic]


# ---- what is used ----------------------------------------------------------------------------------------------------


def test_parameters_and_sets_that_nothing_names_are_raised() -> None:
    one = model(
        {"kind": "linear", "forall": "i in I if keep[i] > 0", "row": "x[i] <= cap"},
        variables={"x": {"over": "i in I", "lower": "least[i]"}},
        sets={"I": ["a", "b"], "J": ["c"], "K": ["d"], "PAIRS": {"elements": [["a", "c"]], "within": ["I", "J"]}},
        parameters={
            "cap": 3,
            "keep": {"index": ["I"], "values": {"a": 1, "b": 0}},
            "least": {"index": ["I"], "values": {"a": 0, "b": 0}},
            "old": {"index": ["K"], "values": {"d": 1}},
        },
    )
    assert about(one, "unused parameter") == [("parameters.old", "warning")]
    assert about(one, "unused set") == [("sets.PAIRS", "warning")]


def test_variables_that_no_statement_holds_are_raised() -> None:
    one = model(
        "x + 0*w <= 3",
        {"kind": "fixed_charge", "variable": "y", "charge": 2},
        objective="x + y + z",
        variables={name: {"upper": 9} for name in "xyzvw"},
    )
    assert about(one, "unconstrained variable") == [
        ("variables.v", "warning"),
        ("variables.w", "warning"),
        ("variables.z", "note"),
    ]


def test_elements_that_no_statement_holds_are_raised_together() -> None:
    one = model(
        {"kind": "linear", "row": "x[1] + x[2] <= 4"},
        variables={"x": {"over": "i in I"}},
        sets={"I": {"range": [1, 9]}},
    )
    (found,) = [finding for finding in findings(one, time_limit=0) if finding.topic == "unconstrained variable"]
    assert (found.severity, found.sentence) == (
        "note",
        "x[3], x[4], x[5] and 4 more are in no constraint and not in the objective.",
    )


def test_logic_holds_the_variables_that_it_asks_about() -> None:
    binary = {"domain": "binary"}
    one = model(
        {"kind": "conditional", "when": "b", "then": ["x <= 1"]},
        {"kind": "either_or", "alternatives": ["y <= 1", "x >= 2"]},
        {"kind": "lots", "amount": "z", "size": 2},
        {"kind": "count", "of": ["selected(n)", "c"], "at_most": 1},
        {"kind": "semi_continuous", "variable": "s", "minimum": 1},
        variables={**{name: {"upper": 9} for name in "xyzs"}, "n": {"domain": "integer"}, "b": binary, "c": binary},
    )
    assert about(one, "unconstrained variable") == []


# ---- the text --------------------------------------------------------------------------------------------------------


def test_numbers_of_the_text_that_no_part_uses_are_raised() -> None:
    text = "Two crops on 40 acres. Wheat takes 3 workers and 30% of the land; 17 barns stand near. A third rests."
    one = model("3*wheat <= 40", "wheat - 3/10*(wheat + rye) >= 0", text=text, variables={"wheat": {}, "rye": {}})
    told = [finding.sentence for finding in findings(one, time_limit=0) if finding.topic == "unused number"]
    assert [sentence.split(" of the text")[0] for sentence in told] == [
        "No part of the model uses the number 17",
        "No part of the model uses the number A third",
    ]
    place = text.index("17")
    taken = {"kind": "linear", "row": "wheat <= 99", "sources": {"row": {"span": [place, place + 2]}}}
    more = random_problems.changed(one, constraints=[*one.problem.constraints, taken])
    assert about(more, "unused number") == [("text", "warning")]


@pytest.mark.parametrize(
    ("text", "raised"),
    [
        ("At least 30% of all cakes must be round.", False),
        ("Round cakes must be at least 30%.", True),
        ("At least 30% must be round. Of the rest nothing is said.", True),
        ("Nobody says how many are round.", False),
    ],
)
def test_a_share_whose_basis_the_text_does_not_state_is_raised(text: str, raised: bool) -> None:
    share = {"kind": "proportion", "id": "p", "part": "x", "sense": ">=", "share": "30%", "whole": "x + y"}
    one = model(share, text=text, variables={"x": {}, "y": {}})
    assert about(one, "share without basis") == ([("p", "note")] if raised else [])


def test_a_basis_that_was_assumed_is_a_warning_and_one_that_was_said_is_none() -> None:
    share = {"kind": "proportion", "id": "p", "part": "x", "sense": ">=", "share": "30%", "whole": "x + y"}
    for origin, found in (("assumed", [("p", "warning")]), ("user", [])):
        given = {**share, "sources": {"whole": {"origin": origin}}}
        one = model(given, text="Round cakes must be at least 30%.", variables={"x": {}, "y": {}})
        assert about(one, "share without basis") == found


# ---- what was read, assumed or made up -------------------------------------------------------------------------------


def test_a_strict_limit_over_continuous_quantities_is_raised() -> None:
    one = model("x < 3", "n < 3", variables={"x": {}, "n": {"domain": "integer"}})
    assert about(one, "strict") == [("c1", "note")]


@pytest.mark.parametrize(
    ("x", "text", "raised"),
    [
        ({"upper": 500}, "Sell x at 3 each.", True),
        ({"upper": 500}, "Sell at most 500 at 3 each.", False),
        ({"upper": 500, "sources": {"upper": {"origin": "user"}}}, "Sell x at 3 each.", False),
        ({"upper": 500, "sources": {"upper": {"origin": "assumed"}}}, None, True),
        ({"upper": 500}, None, False),
        ({"upper": 1}, "Sell x at 3 each.", False),
    ],
)
def test_an_optimum_at_a_bound_without_origin_is_raised(x: dict[str, Any], text: str | None, raised: bool) -> None:
    one = model(objective="3*x", text=text, variables={"x": x})
    found = verify(one, solve(one), time_limit=0).findings
    told = [(one.statement, one.severity) for one in found if one.topic == "arbitrary bound"]
    assert told == ([("variables.x", "warning")] if raised else [])
    assert not about(one, "arbitrary bound", {("x", ()): 0})


def test_values_at_the_limit_of_an_assumed_statement_are_raised() -> None:
    row = {"kind": "linear", "id": "cap", "row": "x <= 4", "sources": {"": {"origin": "assumed"}}}
    one = model(row, "x <= 9", variables={"x": {}})
    assert about(one, "assumption", {("x", ()): 4}) == [("cap", "warning")]
    assert about(one, "assumption", {("x", ()): 3}) == []


# ---- what needs solving ----------------------------------------------------------------------------------------------


def test_statements_that_never_bind_are_raised() -> None:
    one = model("x + y <= 4", "x <= 5", "y <= 3", "x + 2*y >= 0", variables={"x": {}, "y": {}}, objective="x")
    assert about(one, "never binds", solving=True) == [("c2", "note"), ("c4", "note")]


@pytest.mark.parametrize("seed", range(12))
def test_a_statement_never_binds_where_the_rows_without_it_say_it_too(seed: int) -> None:
    """Judged by exact arithmetic over the other rows."""
    one = random_problems.problem(random.Random(seed), "ijx", 3, goal=False)
    told = {statement for statement, _ in about(one, "never binds", solving=True)}
    if Exact(one.matrix).best({}, {}) is None:
        assert told == set()
        return
    expected = set()
    for place, row in enumerate(one.ground.rows):
        others = Exact(replace(one.matrix, rows=[r for i, r in enumerate(one.matrix.rows) if i != place]))
        terms = dict(zip(row.columns, row.coefficients, strict=True))
        top = others.best(terms, {})
        low = others.best({i: -a for i, a in terms.items()}, {})
        assert top is not None and low is not None
        above = row.upper is None or top[0] <= row.upper
        below = row.lower is None or -low[0] >= row.lower
        if above and below:
            expected.add(row.statement)
    assert told == expected


def test_a_limit_that_a_decision_needs_is_not_said_to_never_bind() -> None:
    rule = {"kind": "conditional", "when": "b", "then": ["x <= 1"]}
    one = model("x <= 50", rule, variables={"x": {}, "b": {"domain": "binary"}}, objective="x")
    assert about(one, "never binds", solving=True) == []


@pytest.mark.parametrize(
    ("domain", "limit", "origin", "raised"),
    [
        ("integer", 5, None, "note"),
        ("continuous", 5, None, "note"),
        ("integer", 5, "assumed", "warning"),
        ("integer", 5, "text", None),
        ("integer", 6, None, None),
        ("continuous", 6, "assumed", None),
    ],
)
def test_a_domain_that_changes_the_optimum_is_raised(
    domain: str, limit: int, origin: str | None, raised: str | None
) -> None:
    sources = {"domain": {"origin": origin}} if origin else {}
    one = model(f"2*x <= {limit}", objective="x", variables={"x": {"domain": domain, "sources": sources}})
    assert about(one, "domain", solving=True) == ([("variables.x", raised)] if raised else [])
    told = [finding.sentence for finding in findings(one, time_limit=PATIENT) if finding.topic == "domain"]
    if raised and domain == "integer":
        assert told == ["If x need not be whole, the optimum is 2.5; as it is, the optimum is 2."]


def test_whole_numbers_that_leave_nothing_are_raised() -> None:
    one = model("2*x == 5", objective="x", variables={"x": {}})
    (found,) = [finding for finding in findings(one, time_limit=PATIENT) if finding.topic == "domain"]
    assert found.sentence == "If x had to be whole, nothing satisfies all statements; as it is, the optimum is 2.5."


def test_whole_amounts_in_use_stay_in_use_when_they_may_be_divided() -> None:
    one = model("n <= 7/2", objective="n - 2*selected(n)", variables={"n": {"domain": "integer", "upper": 9}})
    (found,) = [finding for finding in findings(one, time_limit=PATIENT) if finding.topic == "domain"]
    assert found.sentence == "If n need not be whole, the optimum is 1.5; as it is, the optimum is 1."


def test_what_was_not_decided_in_time_is_said() -> None:
    rng = random.Random(4)
    names = [f"n{i}" for i in range(40)]
    rows = [" + ".join(f"{rng.randint(20, 99)}*{name}" for name in names) + " <= 4001" for _ in range(8)]
    goal = " + ".join(f"{rng.randint(20, 99)}*{name}" for name in names)
    one = model(*rows, objective=goal, variables={name: {"domain": "integer", "upper": 9} for name in names})
    found = [finding for finding in findings(one, time_limit=1e-6) if "was not decided" in finding.sentence]
    assert [(finding.statement, finding.topic) for finding in found] == [
        ("constraints", "never binds"),
        ("variables", "domain"),
    ]


def test_without_time_nothing_is_solved_and_less_than_none_is_refused() -> None:
    one = model("x <= 5", "x <= 9", objective="x", variables={"x": {}})
    assert findings(one, time_limit=0) == ()
    for wrong in (-1, float("nan")):
        with pytest.raises(UserError, match=r"^time_limit: .* is no time"):
            findings(one, time_limit=wrong)


# ---- all of them -----------------------------------------------------------------------------------------------------


def test_warnings_come_first_and_a_verdict_holds_them_without_failing() -> None:
    one = model(
        "x < 3", objective="x", variables={"x": {"upper": 500, "sources": {"upper": {"origin": "assumed"}}}, "y": {}}
    )
    verdict = verify(one, {"x": 2, "y": 0}, time_limit=0)
    assert verdict.ok
    assert [finding.severity for finding in verdict.findings] == ["warning", "note"]
    assert verdict.plain()["findings"][0] == {
        "statement": "variables.y",
        "topic": "unconstrained variable",
        "severity": "warning",
        "sentence": "y is in no constraint and not in the objective.",
    }
    assert "What to look at" in verdict.text and "variables.y" in verdict.text


@pytest.mark.parametrize("seed", range(6))
def test_findings_of_any_small_model_are_sentences(seed: int) -> None:
    one = random_problems.problem(random.Random(seed), "ijbxy", 4, logic=True)
    found = findings(one, time_limit=PATIENT)
    assert all(isinstance(finding, Finding) and finding.sentence.endswith(".") for finding in found)
