"""Units of measure."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formulation.units import ONE, Unit, unit

units = st.dictionaries(st.sampled_from(["kg", "hour", "$", "m", "sq_ft", "Stück"]), st.integers(-9, 9)).map(Unit)


@given(units)
def test_a_unit_reads_back_from_its_text(given_):
    assert unit(str(given_)) == given_
    assert hash(unit(str(given_))) == hash(given_)


@given(units, units, units)
def test_units_form_a_commutative_group(a, b, c):
    assert a * b == b * a
    assert (a * b) * c == a * (b * c)
    assert a * ONE == a
    assert a / a == ONE
    assert (a / b) * b == a


@given(st.text() | st.text(alphabet="kg1%$*/^- 2_"))
def test_any_text_is_a_unit_or_a_ValueError(text):
    try:
        found = unit(text)
    except ValueError:
        return
    assert unit(str(found)) == found


@pytest.mark.parametrize(
    ("text", "same"),
    [("kg*m/s^2", "m/s/s*kg"), ("$/hour*hour", "$"), ("%", "1"), ("kg/kg", "1"), (" kg / m ", "kg/m"), ("1/s", "s^-1")],
)
def test_equal_units(text, same):
    assert unit(text) == unit(same)


@pytest.mark.parametrize("text", ["", " ", "kg m", "(kg)", "2kg", "kg**2", "kg^", "/kg", "kg" * 60, "kg^100"])
def test_texts_that_are_no_units(text):
    with pytest.raises(ValueError):
        unit(text)


@pytest.mark.parametrize("given_", [None, 3, ["kg"]])
def test_values_that_are_no_units(given_):
    with pytest.raises(ValueError, match="a unit is text"):
        unit(given_)


def test_units_show_themselves():
    assert str(unit("$/hour/kg")) == "$/hour/kg"
    assert str(unit("1/s^2")) == "1/s^2"
    assert str(ONE) == "1"
    assert repr(unit("kg")) == "Unit('kg')"
    assert unit(unit("kg")) == unit("kg")
    assert unit("kg") != "kg"
