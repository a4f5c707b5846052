"""Numbers are read as texts write them, exactly."""

from __future__ import annotations

import itertools
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formulation.quantities import numbers_in, quantity


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("70%", Fraction(7, 10)),
        ("$1,000", 1000),
        ("€2.50", Fraction(5, 2)),
        ("twice", 2),
        ("thrice", 3),
        ("half", Fraction(1, 2)),
        ("third", Fraction(1, 3)),
        ("a third", Fraction(1, 3)),
        ("one-third", Fraction(1, 3)),
        ("two thirds", Fraction(2, 3)),
        ("three quarters", Fraction(3, 4)),
        ("two and a half", Fraction(5, 2)),
        ("half a million", 500_000),
        ("one", 1),
        ("Four", 4),
        ("twenty-five", 25),
        ("one hundred thousand", 100_000),
        ("one hundred and five", 105),
        ("two thousand five hundred and one", 2501),
        ("3.5 million", 3_500_000),
        ("a dozen", 12),
        ("2 dozen", 24),
        ("thirty percent", Fraction(3, 10)),
        ("35 percent", Fraction(7, 20)),
        ("35 per cent", Fraction(7, 20)),
        ("5 cents", Fraction(1, 20)),
        ("3 times", 3),
        ("ten times", 10),
        ("1.5 times", Fraction(3, 2)),
        ("8000 minutes", 8000),
        ("1/3", Fraction(1, 3)),
        ("12.", 12),
    ],
)
def test_phrases_are_numbers(text, value):
    assert quantity(text).value == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "times",
        "a",
        "an hour",
        "five six",
        "twenty thirty",
        "1 2",
        "3 or 4",
        "percent",
        "many",
        "x" * 200,
        "2^3",
        "٣",
    ],
)
def test_other_phrases_are_refused_in_one_line(text):
    with pytest.raises(ValueError, match="is no number") as raised:
        quantity(text)
    assert len(str(raised.value)) < 200 and "\n" not in str(raised.value)


def test_what_reads_as_a_number_keeps_its_text_and_words_become_numbers():
    assert str(quantity("70%")) == "70%" and quantity("$1,000").plain() == "1,000"
    assert quantity("a third").plain() == "1/3" and quantity("twice").plain() == 2


@given(st.integers(0, 10**9), st.sampled_from(["", "$", "€"]), st.sampled_from(["", "%", " times", " hours"]))
def test_figures_with_signs_and_units_are_exact(value, before, after):
    assert quantity(f"{before}{value:,}{after}").value == Fraction(value, 100 if after == "%" else 1)


@given(st.text(max_size=40))
def test_any_text_is_a_number_or_refused(text):
    try:
        assert isinstance(quantity(text).value, Fraction)
    except ValueError as error:
        assert "\n" not in str(error).replace(text, "")


# ---- in running text -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Each chair takes 4 hours and 2.5 kg.", ["4", "2.5"]),
        ("A budget of $1,000,000.", ["1,000,000"]),
        ("At most a third, or 25%, or two thirds.", ["a third", "25%", "two thirds"]),
        ("The third shift and the quarter of Soho.", []),
        ("One hundred and five desks, twenty-five beds", ["One hundred and five", "twenty-five"]),
        ("between 10-15 and 3 and 4", ["10", "15", "3", "4"]),
        ("half of them, twice as many", ["half", "twice"]),
        ("CO2, type2, the 3rd and the 21st", []),
        ("5kg at 3.5 million; 1/3", ["5", "3.5 million", "1/3"]),
        ("a dozen eggs, a 5% discount, a single egg", ["a dozen", "5%"]),
        ("version 1.2.3", []),
        ("", []),
    ],
)
def test_numbers_are_found_in_a_text(text, found):
    assert [text[one.start : one.end] for one in numbers_in(text)] == found


def test_numbers_of_a_text_have_the_values_of_phrases():
    text = "At least thirty percent, two and a half hours, 5 cents, half a million."
    assert [one.value for one in numbers_in(text)] == [Fraction(3, 10), Fraction(5, 2), Fraction(1, 20), 500_000]


@given(st.lists(st.integers(0, 10**7), max_size=5), st.sampled_from([" and ", " chairs, ", "; ", "\n"]))
def test_every_figure_of_a_text_is_found(values, between):
    text = between.join(f"{value:,}" for value in values)
    assert [one.value for one in numbers_in(text)] == values


@given(
    st.lists(st.sampled_from(["two", "hundred", "and", "a", "half", "5", "%", "thirds", ",", "dozen", "cents", "x"]))
)
def test_numbers_of_a_text_stand_apart_in_order_and_read_as_phrases(words):
    text = " ".join(words)
    found = numbers_in(text)
    assert all(a.end <= b.start for a, b in itertools.pairwise(found))
    assert all(quantity(text[one.start : one.end]).value == one.value for one in found)
