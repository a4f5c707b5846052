"""Reading by rules: what each part of a description becomes, where it stands, and what is left over."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.errors import DataError
from data.nl4opt import declared
from formulation.expressions import terms_of
from formulation.metrics import canonical_accuracy
from formulation.reading.variables import find_variables
from formulation.reading.words import Text, alike, stem
from formulation.rules import read
from formulation.solve import solve

WORKSHOP = (
    "A workshop makes desks and chairs. Each desk takes 3 hours of sawing and 1 hour of sanding, while each chair "
    "takes 1 hour of sawing and 2 hours of sanding. The workshop has 60 hours of sawing and 80 hours of sanding "
    "available. At least 5 chairs must be made. The profit per desk is $40 and the profit per chair is $25. How many "
    "of each should be made to maximize profit?"
)
START = "A workshop makes desks and chairs. The profit per desk is $40 and the profit per chair is $25. "
END = " How many desks and chairs should be made to maximize profit?"


def statements(text):
    problem = read(text).problem
    assert problem is not None
    return {one.kind: one for one in problem.constraints}


def said(sentence):
    """The one statement of a sentence about desks and chairs."""
    (found,) = read(START + sentence + END).problem.constraints
    return found


def coefficients(expression):
    return {ref.name: number.value for ref, number in terms_of(expression).items()}


# ---- a whole problem -------------------------------------------------------------------------------------------------


def test_a_whole_problem_is_read_and_solved():
    reading = read(WORKSHOP)
    assert reading.complete
    assert list(reading.problem.variables) == ["desks", "chairs"]
    assert reading.problem.objective.sense == "maximize"
    assert coefficients(reading.problem.objective.terms) == {"desks": 40, "chairs": 25}
    # 3 d + c <= 60, d + 2 c <= 80: the corner d = 8, c = 36.
    solution = solve(reading.model())
    assert solution.optimal
    assert solution.objective == 40 * 8 + 25 * 36


def test_limits_meet_the_uses_that_they_are_of():
    rows = [one for one in read(WORKSHOP).problem.constraints if one.kind == "linear_bound"]
    assert [(coefficients(one.terms), one.sense) for one in rows] == [
        ({"desks": 3, "chairs": 1}, "<="),
        ({"desks": 1, "chairs": 2}, "<="),
    ]
    assert [one.limit.number.value for one in rows] == [60, 80]


def test_sources_are_the_words_of_the_text():
    problem = read(WORKSHOP).problem
    for statement in (problem.objective, *problem.constraints):
        for mention in statement.sources.values():
            start, end = mention.span
            assert WORKSHOP[start:end] == mention.text
    (bound,) = (one for one in problem.constraints if one.kind == "bound")
    assert bound.sources["limit"].text == "5"
    assert bound.sources["sense"].text == "At least"
    assert problem.objective.sources["terms['desks']"].text == "40"
    assert problem.variables["desks"].sources[""].text == "desks"
    assert problem.variables["desks"].sources["domain"].origin == "assumed"


# ---- kinds -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sentence", "sense", "limit"),
    [
        ("At most 20 chairs can be made.", "<=", 20),
        ("No more than 20 chairs can be made.", "<=", 20),
        ("The number of chairs cannot exceed 20.", "<=", 20),
        ("There must be no fewer than 20 chairs.", ">=", 20),
        ("It needs to make at least twenty chairs.", ">=", 20),
        ("The number of chairs is limited to a dozen.", "<=", 12),
    ],
)
def test_bounds(sentence, sense, limit):
    one = said(sentence)
    assert (one.kind, str(one.variable), one.sense, one.limit.number.value) == ("bound", "chairs", sense, limit)


@pytest.mark.parametrize(
    "sentence",
    ["At most 50 desks and chairs can be made.", "The workshop can make at most 50 desks or chairs in total."],
)
def test_sums(sentence):
    one = said(sentence)
    assert (one.kind, [str(x) for x in one.variables], one.sense) == ("sum_bound", ["desks", "chairs"], "<=")
    assert one.limit.number.value == 50


@pytest.mark.parametrize(
    ("sentence", "part", "sense", "share"),
    [
        ("At least 30% of the furniture must be chairs.", "chairs", ">=", Fraction(3, 10)),
        ("At most a third of all furniture can be desks.", "desks", "<=", Fraction(1, 3)),
        ("Desks must make up at least half of the furniture.", "desks", ">=", Fraction(1, 2)),
    ],
)
def test_shares(sentence, part, sense, share):
    one = said(sentence)
    assert (one.kind, str(one.part), one.sense, one.share.number.value) == ("proportion", part, sense, share)
    assert coefficients(one.whole) == {"desks": 1, "chairs": 1}


@pytest.mark.parametrize(
    ("sentence", "left", "sense", "factor"),
    [
        ("There must be at least twice as many chairs as desks.", "chairs", ">=", 2),
        ("The number of chairs must be at most three times the number of desks.", "chairs", "<=", 3),
        ("The number of desks must not exceed the number of chairs.", "desks", "<=", 1),
        ("There must be more chairs than desks.", "chairs", ">=", 1),
        ("The number of chairs should be at least a third of the number of desks.", "chairs", ">=", Fraction(1, 3)),
    ],
)
def test_comparisons(sentence, left, sense, factor):
    one = said(sentence)
    right = "desks" if left == "chairs" else "chairs"
    assert (one.kind, str(one.left), one.sense, one.factor.number.value) == ("comparison", left, sense, factor)
    assert str(one.right) == right


def test_an_excess_is_a_difference():
    one = said("There must be at least 10 more chairs than desks.")
    assert (one.kind, str(one.left), str(one.right), one.sense) == ("difference", "chairs", "desks", ">=")
    assert one.amount.number.value == 10


def test_between_is_a_range():
    one = said("Between 10 and 20 chairs must be made.")
    assert (one.kind, str(one.terms), one.low.number.value, one.high.number.value) == ("range", "chairs", 10, 20)


def test_numbers_go_through_variables_in_turn():
    text = "A shop sells pens and pads. Pens and pads cost $2 and $3 respectively. The shop has a budget of $90. "
    one = statements(text + "Each pen earns a profit of $1 and each pad earns a profit of $2. Maximize profit.")
    assert coefficients(one["linear_bound"].terms) == {"pens": 2, "pads": 3}


def test_an_objective_that_counts_is_a_plain_sum():
    text = "A farm ships fruit by van or truck. A van holds 10 boxes and a truck holds 25 boxes. "
    problem = read(text + "At least 200 boxes must be shipped. Minimize the total number of vans and trucks.").problem
    assert problem.objective.sense == "minimize"
    assert coefficients(problem.objective.terms) == {"van": 1, "truck": 1}


# ---- what is chosen at all -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sentence", "when", "then"),
    [
        ("If desks are made, then chairs must also be made.", "selected(desks)", "selected(chairs)"),
        ("Chairs must be made if desks are made.", "selected(desks)", "selected(chairs)"),
        ("If desks are made, chairs must not be made.", "selected(desks)", "not selected(chairs)"),
        ("Chairs can be made only if desks are made.", "selected(chairs)", "selected(desks)"),
    ],
)
def test_implications(sentence, when, then):
    one = said(sentence)
    assert (one.kind, str(one.when), str(one.then)) == ("implication", when, then)


@pytest.mark.parametrize(
    ("sentence", "field", "limit"),
    [
        ("Exactly one of desks and chairs may be made.", "exactly", 1),
        ("The workshop cannot make both desks and chairs.", "at_most", 1),
        ("Either desks or chairs must be made, but not both.", "exactly", 1),
        ("Either desks or chairs must be made.", "at_least", 1),
    ],
)
def test_counts_of_what_is_made(sentence, field, limit):
    one = said(sentence)
    assert (one.kind, [str(x) for x in one.of]) == ("cardinality", ["desks", "chairs"])
    assert getattr(one, field).number.value == limit


def test_if_and_only_if_is_an_equivalence():
    one = said("Desks are made if and only if chairs are made.")
    assert (one.kind, [str(x) for x in one.of]) == ("equivalence", ["selected(desks)", "selected(chairs)"])


@pytest.mark.parametrize(
    ("sentence", "kind", "field", "value"),
    [
        ("If any chairs are made, at least 20 chairs must be made.", "semi_continuous", "minimum", 20),
        ("Making any chairs has a setup cost of $300.", "fixed_charge", "charge", 300),
        ("Chairs are made in batches of 12.", "lots", "size", 12),
    ],
)
def test_amounts_of_what_is_made(sentence, kind, field, value):
    one = said(sentence)
    assert (one.kind, getattr(one, field).number.value) == (kind, value)
    assert one.sources[field].text == str(value)


# ---- what is left over -----------------------------------------------------------------------------------------------


def test_a_number_of_no_statement_is_found():
    reading = read(WORKSHOP.replace("At least 5 chairs", "The workshop was founded in 1987. At least 5 chairs"))
    told = [one.sentence for one in reading.findings if one.topic == "number"]
    assert told == ["no statement uses '1987'"]
    assert not reading.complete


def test_without_a_direction_there_is_no_objective():
    reading = read("A workshop makes desks and chairs. Each desk takes 3 hours and each chair takes 1 hour.")
    assert reading.problem.objective is None
    assert "objective" in {one.topic for one in reading.findings}


@pytest.mark.parametrize("text", ["", " \n", "?", "Hello.", "1 2 3", "$ % and or", "Das Wetter ist schoen."])
def test_a_text_without_variables_gives_one_finding(text):
    reading = read(text)
    assert reading.problem is None
    assert [one.topic for one in reading.findings] == ["variables"]
    assert reading.model() is None


WORDS = st.sampled_from(
    [
        *["desks", "chairs", "and", "or", "each", "desk", "chair", "takes", "3", "5", "1", "one", "twice", "a third"],
        *["of", "the", "total", "at least", "at most", "no more than", "must be", ".", ",", ";", "(", ")", "$", "30%"],
        *["maximize", "minimize", "profit", "hours", "if", "either", "between", "both", "number of", "available"],
        *["per", "only if", "setup cost", "multiples of", "is made", "cannot", "x", "A", "B", "earning", "café"],
    ]
)


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.text(max_size=80), st.lists(WORDS, max_size=40).map(" ".join)))
def test_any_text_gives_a_reading(text):
    reading = read(text)
    assert (reading.problem is None) == any(one.topic in ("variables", "language") for one in reading.findings)
    for one in reading.findings:
        assert 0 <= one.start <= one.end <= len(text)
    if reading.problem is not None:
        assert reading.problem.text == text
        for statement in reading.problem.constraints:
            start, end = statement.sources[""].span
            assert text[start:end] == statement.sources[""].text


# ---- words -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [("boxes", "box"), ("berries", "berry"), ("cookies", "cookie"), ("Women", "woman"), ("glasses", "glass")],
)
def test_plurals_agree(one, other):
    assert stem(one) == stem(other)


def test_forms_of_one_word_are_alike():
    assert alike(stem("packing"), stem("packaging"))
    assert alike(stem("mix"), stem("mixing"))
    assert not alike(stem("sawing"), stem("sanding"))


def test_what_is_measured_is_decided_about_not_what_measures():
    naming = find_variables(Text(WORKSHOP))
    assert naming.names == (("desk",), ("chair",))


# ---- NL4Opt ----------------------------------------------------------------------------------------------------------


def test_dev_is_read_as_well_as_measured():
    try:
        examples = declared("dev")
    except DataError:
        pytest.skip("NL4Opt is not there")
    accuracy = canonical_accuracy(examples, [read(one.document).model() for one in examples], "text")
    assert accuracy.value > 0.85
