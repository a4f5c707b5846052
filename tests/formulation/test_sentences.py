"""Sentences: where they end, and where not."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formulation.sentences import sentence_at, sentences


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One costs 3.50 dollars. Two\ncost more! Right?", ["One costs 3.50 dollars.", "Two\ncost more!", "Right?"]),
        ("A title\n\nThen a sentence ...", ["A title", "Then a sentence ..."]),
        ("no end", ["no end"]),
        (" \n\n ", []),
        ("", []),
    ],
)
def test_where_they_end(text: str, expected: list[str]) -> None:
    assert [text[start:end] for start, end in sentences(text)] == expected


@given(st.text(alphabet="ab1 .!?\n", max_size=40))
def test_they_hold_every_word_and_do_not_overlap(text: str) -> None:
    places = sentences(text)
    assert all(a[1] <= b[0] for a, b in pairwise(places))
    for position, character in enumerate(text):
        if character.isalnum():
            place = sentence_at(places, position)
            assert place is not None and places[place][0] <= position < places[place][1]
