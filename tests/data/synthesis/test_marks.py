"""Marks survive formatting and shuffling, and give the spans of what they mark."""

import random

from hypothesis import given
from hypothesis import strategies as st

from data.synthesis.marks import ACTOR, ARTICLE, Actor, finish, mark, plain, read, sentence

WORDS = st.text("abc ", min_size=1, max_size=8)
BAKER = Actor("a baker", "the baker", "she")


@given(st.lists(st.tuples(WORDS, WORDS), max_size=6))
def test_spans_are_those_of_the_marked_parts(parts):
    marked = "".join(before + mark(inside, f"k{i}") for i, (before, inside) in enumerate(parts))
    text, spans = read(marked)
    assert text == plain(marked) == "".join(before + inside for before, inside in parts)
    assert {span.key: text[span.start : span.end] for span in spans} == {f"k{i}": p[1] for i, p in enumerate(parts)}


def test_marks_nest_and_one_part_may_have_several_keys():
    text, spans = read(mark(f"at most {mark('5', 'c1.limit', 'c2.limit')} cakes", "c1"))
    assert text == "at most 5 cakes"
    assert [(s.key, text[s.start : s.end]) for s in spans] == [("c1", text), ("c1.limit", "5"), ("c2.limit", "5")]


def test_a_sentence_begins_with_a_capital_and_ends_once():
    assert plain(sentence(mark("chairs", "v.chair") + " sell well")) == "Chairs sell well."
    assert sentence("how many?") == "How many?"


def test_whoever_decides_is_introduced_first():
    text = finish([f"{ACTOR} bakes", f"{ACTOR} sells"], BAKER, random.Random(0))
    assert text in ("A baker bakes. The baker sells.", "A baker bakes. She sells.")
    assert finish(["it rains", f"so {ACTOR} bakes"], BAKER, random.Random(0)) == "It rains. So a baker bakes."


def test_articles_fit_the_next_word():
    words = [
        "apple",
        "pear",
        "hour",
        "unit",
        "SUV",
        "VIP ticket",
        "x-ray",
        "one-way ticket",
        "onion",
        "eclair",
        "8-seater",
    ]
    found = [plain(finish([f"{ARTICLE} {mark(word, 'v.x')}"], BAKER, random.Random(0))) for word in words]
    assert [one.split()[0] for one in found] == ["An", "A", "An", "A", "An", "A", "An", "A", "An", "An", "An"]
