"""Wordings: alternatives, slots, what is held out."""

import random
import re

import pytest

from data.synthesis import prose
from data.synthesis.figures import Figure
from data.synthesis.marks import plain
from data.synthesis.problems import choices, networks, others, periods
from data.synthesis.tables import TABLES
from data.synthesis.words import Listing, Said, Table, Writer, listed
from formulation.quantities import numbers_in


def writer(seed=0, **more):
    return Writer(random.Random(seed), **more)


def test_alternatives_nest():
    table = Table("t", ("<a <big|small>|no> dog<|s>",))
    found = {writer(seed).say(Said(table)) for seed in range(80)}
    assert found == {f"{one} dog{end}" for one in ("a big", "a small", "no") for end in ("", "s")}


def test_slots_are_filled_and_counted():
    one = writer()
    said = Said(Table("t", ("{n} of {xs}",)), {"n": Figure(5, ("c1.limit",), "plain"), "xs": Listing(("a", "b", "c"))})
    assert plain(one.say(said)) in ("5 of a, b and c", "5 of a, b, and c")
    assert one.templates == ["t/0"]
    assert one.forms == {"digits": 1}


def test_held_out_wordings_stay_out_of_training_rows():
    table = Table("t", ("usual", "!special"))
    assert {writer(seed).say(Said(table)) for seed in range(50)} == {"usual"}
    evaluation = [writer(seed, held_out=True) for seed in range(50)]
    said = [one.say(Said(table)) for one in evaluation]
    assert set(said) == {"usual", "special"}
    assert [one.used_held_out for one in evaluation] == [text == "special" for text in said]


def all_tables():
    modules = (prose, choices, networks, others, periods)
    own = [found for module in modules for found in vars(module).values() if isinstance(found, Table)]
    return [*TABLES.values(), *own, *choices._RULES.values()]


def test_no_wording_has_a_number_that_is_not_marked():
    for table in all_tables():
        for wording in table.wordings:
            bare = re.sub(r"\{\w+\}", "it", wording)
            assert not any(figure for part in re.split(r"[<|>]", bare) for figure in numbers_in(part)), wording


@pytest.mark.parametrize("name", TABLES)
def test_every_table_has_a_wording_for_training_and_closes_its_brackets(name):
    wordings = TABLES[name].wordings
    assert any(not wording.startswith("!") for wording in wordings)
    assert len(set(wordings)) == len(wordings)
    for wording in wordings:
        assert wording.count("<") == wording.count(">")
        assert wording.count("{") == wording.count("}")


def test_lists():
    assert [listed(list("abc")[:n]) for n in range(4)] == ["", "a", "a and b", "a, b and c"]
    assert listed(list("abc"), "or", oxford=True) == "a, b, or c"
