"""Numbers are read as texts write them, exactly."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formulation.quantities import quantity


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
