"""Numbers are written in many forms, and each reads back as the value that it was made from."""

import random
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.synthesis.figures import Figure, spelled, written
from data.synthesis.marks import read
from formulation.quantities import numbers_in, quantity

COUNTS = st.integers(1, 9_999_999).map(Fraction)
SHARES = st.sampled_from([Fraction(1, 3), Fraction(2, 3)])
FACTORS = st.sampled_from([Fraction(1, 2), Fraction(1, 3), Fraction(3, 2), Fraction(5, 2)])
VALUES = {
    "count": COUNTS,
    "plain": COUNTS,
    "amount": st.one_of(COUNTS, st.integers(1, 99_999).map(lambda k: Fraction(k, 1000))),
    "money": st.one_of(COUNTS, st.integers(1, 999_999).map(lambda k: Fraction(k, 100))),
    "share": st.one_of(st.integers(1, 99).map(lambda k: Fraction(k, 100)), SHARES),
    "factor": st.one_of(st.integers(2, 40).map(Fraction), FACTORS),
}


@pytest.mark.parametrize("style", VALUES)
@given(data=st.data(), seed=st.integers(0, 10**6), plainly=st.booleans())
def test_what_is_written_reads_back(style, data, seed, plainly):
    value = data.draw(VALUES[style])
    marked, _ = written(Figure(value, ("c1.limit",), style), random.Random(seed), plainly=plainly)
    text, spans = read(marked)
    (span,) = spans
    assert quantity(text[span.start : span.end]).value == value
    assert [(f.start, f.end, f.value) for f in numbers_in(text)] == [(span.start, span.end, value)]


@given(st.integers(0, 999_999))
def test_number_words_read_back(value):
    assert quantity(spelled(value)).value == value


def test_forms_vary():
    samples = ((12, "count"), (2500, "count"), (Fraction(1, 3), "share"), (Fraction(3, 10), "share"), (2, "factor"))
    forms = {
        written(Figure(Fraction(value), ("k",), style), random.Random(seed))[1]
        for seed in range(60)
        for value, style in samples
    }
    assert forms >= {"dozen", "words", "digits", "commas", "fraction", "percent", "multiple"}
