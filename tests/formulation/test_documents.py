"""JSON documents of a chat model: read strictly, placed in the text."""

from __future__ import annotations

import json

import pytest

from data.errors import DataError, UserError
from data.records import Problem as Question
from formulation.documents import document_prompt, document_schema, problem_of_document
from formulation.kinds import CONSTRAINTS, OBJECTIVES
from formulation.model import Model
from formulation.schema import read_problem
from formulation.task import Documents

TEXT = (
    "A workshop makes desks and chairs. A desk takes 4 hours and a chair 3 hours\nof the 120 hours. At least 5 desks "
    "must be made. A desk brings $45 and a chair $30. Maximize the profit."
)
DOCUMENT = {
    "variables": {
        "desk": {"domain": "integer", "label": "desks", "quote": "desks"},
        "chair": {"domain": "integer", "quote": "chairs"},
    },
    "objective": {
        "kind": "optimize",
        "sense": "maximize",
        "terms": {"desk": 45, "chair": 30},
        "quote": "A desk brings $45 and a chair $30",
    },
    "constraints": [
        {
            "kind": "linear_bound",
            "terms": {"desk": 4, "chair": 3},
            "sense": "<=",
            "limit": 120,
            "quote": "a chair 3 hours of the 120 hours",
        },
        {"kind": "bound", "variable": "desk", "sense": ">=", "limit": 5, "quote": "no such words"},
    ],
}


def read(given: object, before: str = "", behind: str = "") -> object:
    return problem_of_document(before + json.dumps(given) + behind, TEXT)


def test_a_document_is_a_problem_that_knows_its_places() -> None:
    problem = read(DOCUMENT, "Here it is:\n```json\n", "\n``` Done {really}.")
    hours, least = problem.constraints
    assert hours.sources[""].text == "a chair 3 hours\nof the 120 hours"  # line breaks are blanks
    assert hours.sources["limit"].text == "120"
    assert TEXT[slice(*problem.objective.sources[""].span)] == DOCUMENT["objective"]["quote"]
    assert least.sources[""].origin == "derived"
    assert TEXT[slice(*problem.variables["desk"].sources[""].span)] == "desks"
    assert Model(problem).solve().objective == 1350


def test_thinking_is_no_document() -> None:
    problem = read(DOCUMENT, '<think>{"variables": {}} or so</think>')
    assert set(problem.variables) == {"desk", "chair"}


def test_what_is_said_of_sources_is_not_believed() -> None:
    claimed = {**DOCUMENT["constraints"][0], "sources": {"": {"span": [0, 1], "text": "A"}}}
    problem = read({**DOCUMENT, "constraints": [claimed]})
    assert problem.constraints[0].sources[""].text == "a chair 3 hours\nof the 120 hours"


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("", "no JSON object"),
        ("I cannot do that.", "no JSON object"),
        ('{"variables": {"x": {}}', "cannot be read"),
        ("{" * 90_000, "cannot be read"),
        ("[" * 5 + "{", "cannot be read"),
        ('{"x": 1}', "has no variables"),
        ('{"variables": 3}', "no problem"),
        ('{"variables": {"x": {}}, "constraints": [{"kind": "magic"}]}', "no problem"),
        ('{"variables": {"x": {}}, "objective": {"kind": "optimize", "sense": "maximize", "terms": "y"}}', '"y"'),
        ('{"variables": {"x": {"domain": "odd"}}}', "no problem"),
        ("x" * 200_000, "200000 characters"),
    ],
)
def test_anything_else_is_refused_in_one_line(written: str, told: str) -> None:
    with pytest.raises(DataError) as caught:
        problem_of_document(written, TEXT)
    assert told in str(caught.value) and "\n" not in str(caught.value)


def test_the_prompt_shows_every_kind_and_its_example_is_right() -> None:
    prompt = document_prompt()
    assert all(f"- {name}: " in prompt for name in (*CONSTRAINTS, *OBJECTIVES))
    example = json.loads(prompt.rpartition("form:\n")[2])
    assert problem_of_document(json.dumps(example), "").variables.keys() == {"desk", "chair"}
    with pytest.raises(UserError, match="quote"):
        read_problem(example)  # quotes belong to documents alone


def test_the_schema_asks_for_quotes_and_no_sources() -> None:
    told = json.dumps(document_schema())
    assert '"quote"' in told and '"sources"' not in told and "Mention" not in told


def test_the_grammar_allows_documents() -> None:
    xgrammar = pytest.importorskip("xgrammar")
    grammar = xgrammar.Grammar.from_ebnf(Documents().grammar(Question("p", TEXT), "", "answer"))
    accepts = xgrammar.testing._is_grammar_accept_string
    assert accepts(grammar, json.dumps(DOCUMENT))
    assert not accepts(grammar, json.dumps({**DOCUMENT, "constraints": [{"kind": "magic"}]}))
    assert not accepts(grammar, "Here it is")


def test_answers_are_equal_whatever_the_order_of_their_keys() -> None:
    task = Documents()
    turned = dict(reversed(DOCUMENT.items()))
    assert task.canonical(json.dumps(DOCUMENT)) == task.canonical(json.dumps(turned)) is not None
    assert task.canonical("no") is None
