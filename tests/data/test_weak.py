"""Weak models: the text and tags they come from, when one is kept, and how right they are on dev."""

from __future__ import annotations

import pytest

from data.errors import DataError
from data.nl4opt import Declaration, Example, Goal, Tagged, declared
from data.weak import entities_of_example, entities_of_tagged, main, weak
from formulation.expressions import terms_of
from formulation.metrics import whole_model_accuracy
from formulation.model import Model

TEXT = (
    "A shop bakes [VAR rye - bread] and [VAR wheat rolls] . Each [VAR rye - bread] takes [PARAM 3] hours and each "
    "[VAR wheat roll] takes [PARAM 2] hours . The shop has [LIMIT 40] hours . It must bake at least [LIMIT 5] "
    "[VAR wheat rolls] . The profit is $ [PARAM 7] for each [VAR rye - bread] and $ [PARAM 4] for each "
    "[VAR wheat roll] . Maximize profit ."
)


def tagged_text(marked=TEXT):
    """A tagged row from words in which [LABEL words] are tagged."""
    tokens, tags, label, first = [], [], "", False
    for word in marked.split():
        if word.startswith("["):
            label, first = word[1:], True
            continue
        ends = word.endswith("]")
        tokens.append(word.rstrip("]"))
        tags.append(f"{'B' if first else 'I'}-{label}" if label else "O")
        first, label = False, "" if ends else label
    return Tagged("sample", tuple(tokens), tuple(tags))


def test_tokens_are_put_together_as_they_were_written():
    given = entities_of_tagged(tagged_text())
    assert given.text.startswith("A shop bakes rye-bread and wheat rolls. Each rye-bread takes 3 hours")
    assert "The profit is $7 for each" in given.text
    assert [given.text[a:b] for a, b in given.limits] == ["40", "5"]
    assert [given.text[a:b] for a, b in given.params] == ["3", "2", "7", "4"]


def test_a_text_whose_numbers_all_fit_has_a_model():
    problem = weak(entities_of_tagged(tagged_text()))
    assert list(problem.variables) == ["rye_bread", "wheat_rolls"]
    objective = terms_of(problem.objective.terms)
    assert {ref.name: number.value for ref, number in objective.items()} == {"rye_bread": 7, "wheat_rolls": 4}
    assert [(one.kind, one.sense, one.limit.number.value) for one in problem.constraints] == [
        ("linear_bound", "<=", 40),
        ("bound", ">=", 5),
    ]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (" . Maximize profit .", " ."),  # no objective
        ("The shop has [LIMIT 40] hours .", "The shop has 40 hours ."),  # a use that meets no limit
        ("The shop has [LIMIT 40] hours .", "The shop has [LIMIT 40] hours . It was built in [PARAM 1987] ."),
        ("[LIMIT 40]", "[LIMIT forty two or so 3]"),  # two numbers in one tag
    ],
)
def test_a_text_with_a_number_left_over_has_none(before, after):
    assert before in TEXT
    assert weak(entities_of_tagged(tagged_text(TEXT.replace(before, after)))) is None


def test_a_limit_of_each_machine_counts_once():
    text = (
        "A shop bakes [VAR buns] and [VAR rolls] . Each [VAR bun] takes [PARAM 3] hours of rising and [PARAM 2] hours "
        "of baking . Each [VAR roll] takes [PARAM 1] hour of rising and [PARAM 4] hours of baking . Each machine has "
        "at most [LIMIT 40] hours . The profit is $ [PARAM 7] for each [VAR bun] and $ [PARAM 4] for each [VAR roll] . "
        "Maximize profit ."
    )
    problem = weak(entities_of_tagged(tagged_text(text)))
    assert [(one.kind, one.limit.number.value) for one in problem.constraints] == [("linear_bound", 40)] * 2


def test_declarations_place_their_numbers():
    text = "Pens and pads are sold. A pen earns $2 and a pad earns $3. At most 9 pens are sold. Maximize profit."
    order = {"Pens": 0, "pads": 1, "pen": 0, "pad": 1, "pens": 0}
    goal = Goal("Maximize", "profit", (("pen", "2"), ("pad", "3")))
    limit = Declaration("upperbound", "At most", "LESS_OR_EQUAL", limit="9", var="pens")
    given = entities_of_example(Example("1", "dev", text, ("Pens", "pads"), goal, (limit,), order))
    assert [text[a:b] for a, b in given.params] == ["2", "3"]
    assert [text[a:b] for a, b in given.limits] == ["9"]
    assert [text[a:b] for a, b in given.variables] == ["Pens", "pads", "pen", "pad", "pens"]


def test_a_number_with_two_parts_has_no_certain_place():
    text = "Pens and pads are sold. A pen earns $2 and a pad earns $3. At most 3 pens are sold. Maximize profit."
    goal = Goal("Maximize", "profit", (("pen", "2"), ("pad", "3")))
    limit = Declaration("upperbound", "At most", "LESS_OR_EQUAL", limit="3", var="pens")
    order = {"Pens": 0, "pads": 1, "pen": 0, "pad": 1, "pens": 0}
    assert entities_of_example(Example("1", "dev", text, ("Pens", "pads"), goal, (limit,), order)) is None


def test_the_labeller_is_precise_on_dev(capsys):
    try:
        examples = declared("dev")
    except DataError:
        pytest.skip("NL4Opt is not there")
    pairs = [(one, problem) for one in examples if (given := entities_of_example(one)) and (problem := weak(given))]
    models = [Model(problem, ignore_strict=True) for _, problem in pairs]
    assert len(pairs) > 60
    assert whole_model_accuracy([one for one, _ in pairs], models, "text").value > 0.85
    assert main(["--audit"]) == 0
    assert f"{len(pairs)} kept" in capsys.readouterr().out
