"""Exact numbers and their source texts."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from formulation.numbers import Number, decimal_text, exact, number, to_float


@given(st.fractions())
def test_a_fraction_is_kept_and_reads_back(value):
    found = number(value)
    assert found.value == value
    assert number(found.plain()) == found
    assert number(str(found)) == found
    assert Fraction(decimal_text(value)) == value


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_means_its_shortest_decimal(value):
    assert number(value).value == Fraction(repr(value))
    assert float(number(value).value) == value


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**30), max_value=10**30))
def test_a_decimal_is_exact(value):
    if abs(value.adjusted()) <= 400:
        assert number(value).value == Fraction(value)


@given(st.integers(-(10**30), 10**30), st.integers(1, 10**10), st.sampled_from(["", "%", " %"]))
def test_a_quotient_and_a_percentage_are_exact(above, below, percent):
    found = number(f"{above}/{below}{percent}")
    assert found.value == Fraction(above, below) / (100 if percent else 1)
    assert number(found.plain()) == found


@given(st.text() | st.text(alphabet="0123456789.,/%eE+- "))
def test_any_text_is_a_number_or_a_ValueError_of_one_line(text):
    try:
        found = number(text)
    except ValueError as error:
        assert "\n" not in str(error).replace(text, "")
    else:
        assert number(found.plain()) == found
        assert found.plain() == (text.strip() if isinstance(found.plain(), str) else found.plain())


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12),
        ("-0.50", Fraction(-1, 2)),
        (".5", Fraction(1, 2)),
        ("5.", 5),
        ("1,234,567", 1234567),
        ("1/3", Fraction(1, 3)),
        ("33%", Fraction(33, 100)),
        ("1/3%", Fraction(1, 300)),
        ("1e-3", Fraction(1, 1000)),
        ("- 5", -5),
    ],
)
def test_texts_that_are_numbers(text, value):
    assert number(text).value == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "-",
        "%",
        "1,23",
        "1.2.3",
        "1/0",
        "1/-2",
        "1/2/3",
        "x",
        "1e99999",
        "1e401",
        "nan",
        "inf",
        "²",
        "٣",
        "9" * 2001,
    ],
)
def test_texts_that_are_none(text):
    with pytest.raises(ValueError):
        number(text)


@pytest.mark.parametrize(
    "given_", [float("nan"), float("inf"), Decimal("nan"), Decimal("1e500"), True, np.bool_(True), None, [1], np.nan]
)
def test_values_that_are_no_numbers(given_):
    with pytest.raises(ValueError):
        number(given_)


def test_numpy_scalars_are_numbers():
    assert number(np.int64(3)) == number(3)
    assert number(np.float64(0.1)) == number("0.1")


def test_the_source_text_is_kept_where_it_says_more():
    assert number("33%").plain() == "33%"
    assert number("1.50").plain() == "1.50"
    assert number("1.5").plain() == 1.5
    assert number("7").plain() == 7
    assert number(Fraction(1, 3)).plain() == "1/3"


def test_numbers_are_equal_by_value():
    assert number("50%") == number("1/2") == number(0.5)
    assert len({number("50%"), number("1/2"), number(0.5)}) == 1
    assert number(1) != 1


@given(st.integers())
def test_whole_values_become_ints(value):
    assert type(exact(Fraction(value))) is int
    assert number(value).rational == value
    assert isinstance(exact(Fraction(2 * value + 1, 2)), Fraction)


def test_what_has_no_double_is_refused():
    assert to_float(Fraction(1, 3)) == 1 / 3
    with pytest.raises(ValueError, match="choose another unit"):
        to_float(number("1e400").rational)


def test_values_of_other_types_are_unequal():
    assert Number(Fraction(1)) != "1"
