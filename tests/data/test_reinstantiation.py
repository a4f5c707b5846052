"""Texts told anew: numbers, names and directions on a small text, and what holds for all texts of the data."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data import reinstantiation
from data.drafts import main as drafts_main
from data.errors import DataError
from data.nl4opt import Tagged
from data.reinstantiation import donors, main, reinstantiated, seeds
from data.renaming import Kept, Name, Names, structure
from data.renumbering import renumbered
from data.rows import read_rows
from data.synthesis.checks import value_at
from formulation.drafts import draft_of
from formulation.quantities import numbers_in, quantity
from formulation.reading.words import Text
from formulation.schema import read_problem
from formulation.wire import parse, write_line

TEXT = (
    "A lamp shop makes [VAR desk] and [VAR floor lamps] . Each [VAR desk lamp] takes [PARAM 3] hours and an "
    "[VAR floor lamp] takes [PARAM 2.5] hours . The shop has [LIMIT 1,200] hours . It must make at least [LIMIT 50] "
    "[VAR floor lamps] . If the profit per [VAR desk lamp] is $ [PARAM 7] and the profit per [VAR floor lamp] is "
    "$ [PARAM 40] , how many of the two kinds should be made to maximize profit ?"
)
VASES = Names(
    "make", (Name("oval", None, mass=True), Name("blue", None, mass=True)), Name("vase", "vases"), joined=True
)


def tagged_text(marked=TEXT):
    """A tagged row from words in which [LABEL words] are tagged."""
    tokens, tags, label, first = [], [], "", False
    for word in marked.split():
        if word.startswith("["):
            label, first = word[1:], True
            continue
        tokens.append(word.rstrip("]"))
        tags.append(f"{'B' if first else 'I'}-{label}" if label else "O")
        first, label = False, "" if word.endswith("]") else label
    return Tagged("sample", tuple(tokens), tuple(tags))


@pytest.fixture
def one(monkeypatch):
    monkeypatch.setattr(reinstantiation, "tagged", lambda **_: [tagged_text()])
    (found,) = seeds()
    return found


@pytest.fixture(scope="module")
def real():
    try:
        return seeds()
    except DataError:
        pytest.skip("the data directory is not there")


def copies(seed, names, n):
    return [reinstantiated(seed, names, random.Random(f"{seed.index}/{i}")) for i in range(n)]


def holds(seed, copy):
    """What a copy promises: its draft is the old one's but for names and turned senses, and all spans are right."""
    problem, text = copy.problem, copy.problem.text
    found = draft_of(problem, numbers_in(text))
    assert [x.domain for x in found.variables] == [x.domain for x in seed.draft.variables]
    turned = 0
    for line, old in zip(found.lines, seed.draft.lines, strict=True):
        same = replace(line, sense=old.sense, kind=old.kind)
        assert write_line(same) == write_line(old)
        assert line.kind == old.kind or {line.kind, old.kind} == {"max", "min"}
        turned += (line.sense, line.kind) != (old.sense, old.kind)
    assert turned == copy.turned
    assert len({x.words for x in found.variables}) == len(found.variables)
    for variable in problem.variables.values():
        assert variable.sources[""].text == variable.label == text[slice(*variable.sources[""].span)]
    for statement in (problem.objective, *problem.constraints):
        for place, mention in statement.sources.items():
            if mention.span is None:
                continue
            assert mention.text == text[slice(*mention.span)]
            if place not in ("", "sense"):
                assert value_at(statement, place) == quantity(mention.text).value
    assert read_problem(problem.plain()) == problem


def test_all_texts_keep_their_models(real):
    names = donors(real)
    made = renamed = turned = 0
    for seed in real:
        try:
            copy = reinstantiated(seed, names, random.Random(seed.index))
        except Kept:
            continue
        holds(seed, copy)
        made, renamed, turned = made + 1, renamed + copy.renamed, turned + (copy.turned > 0)
    assert made > 0.98 * len(real) and renamed > 0.6 * made and turned > 0.1 * made


def test_a_text_told_anew(one):
    seen = set()
    for copy in copies(one, [VASES], 30):
        holds(one, copy)
        text = copy.problem.text
        seen.add(text)
        assert copy.renamed and "lamp" not in text and "two kinds" in text
        assert text.startswith(("A vase shop makes oval and blue vases.", "A vase shop makes blue and oval vases."))
        assert ("an oval vase takes" in text) != ("a blue vase takes" in text)
        limit = copy.problem.constraints[0].sources["limit"].text
        assert "," in limit or quantity(limit).value < 1000
        assert ("at most" in text) == (copy.problem.constraints[1].sense == "<=")
        assert ("minimize cost" in text) == (copy.problem.objective.sense == "minimize")
        assert ("cost per" in text) == ("minimize cost" in text)
    assert len(seen) > 20
    assert any("at most" in text for text in seen) and any("minimize" in text for text in seen)


def test_copies_depend_on_their_seed_alone(one):
    assert copies(one, [VASES], 4) == copies(one, [VASES], 4)


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        ("A lamp shop", "A shop on the ground floor", "a word of a name stands elsewhere"),
        ("made to", "made , when you lamp it , to", "the shared noun may be another word"),
    ],
)
def test_names_that_are_not_certain_stay(monkeypatch, before, after, why):
    monkeypatch.setattr(reinstantiation, "tagged", lambda **_: [tagged_text(TEXT.replace(before, after))])
    (seed,) = seeds()
    assert seed.kept == why
    (copy,) = copies(seed, [VASES], 1)
    assert not copy.renamed and "floor lamp" in copy.problem.text
    holds(seed, copy)


def test_a_limit_whose_phrase_serves_another_number_keeps_its_direction(monkeypatch):
    text = TEXT.replace("[VAR floor lamps] . If", "[VAR floor lamps] and [LIMIT 60] [VAR desk lamps] . If")
    monkeypatch.setattr(reinstantiation, "tagged", lambda **_: [tagged_text(text)])
    (seed,) = seeds()
    for copy in copies(seed, [VASES], 20):
        assert "at most" not in copy.problem.text
        assert [x.sense for x in copy.problem.constraints] == [x.sense for x in seed.problem.constraints]


def test_where_names_stand():
    text = Text("It sells green and red tea cups. A red tea cup holds tea for 80 tea cups.")
    spans = [[(9, 14)], [(19, 31), (35, 46)]]
    whole = "It sells green and red tea cups. A red tea cup is like 80 green tea cups or tea cups."
    with pytest.raises(Kept, match="stands elsewhere"):
        structure(text, spans)
    found = structure(Text(whole), [[(9, 14), (58, 72)], spans[1]])
    assert [(found.text[x.start : x.end], x.variable, x.number) for x in found.places] == [
        ("green", 0, "bare"),
        ("red", 1, "bare"),
        ("tea cups", None, "many"),
        ("red", 1, "bare"),
        ("tea cup", None, "one"),
        ("green", 0, "bare"),
        ("tea cups", None, "many"),
        ("tea cups", None, "many"),
    ]


@given(
    st.sampled_from(
        [
            *("3", "40", "1,200", "0.25", ".5", "1.50", "30%", "30 percent", "12.5%", "1/3", "3 million"),
            *("twice", "Twenty", "forty-two", "half", "a third", "two thirds", "two-thirds", "one-fifth", "double"),
            "a dozen",
        ]
    ),
    st.sampled_from([0.5, 0.8, 1.5, 2.0]),
    st.integers(0, 10**6),
)
def test_a_number_keeps_its_form(written, scale, luck):
    new = renumbered(written, scale, random.Random(luck))
    assert new is not None
    (figure,) = numbers_in(f"about {new} of them")
    assert (figure.start, figure.end) == (6, 6 + len(new))
    value, old = quantity(new).value, quantity(written).value
    assert Fraction(1, 5) <= value / old <= 5
    assert value != 1 or "%" in written
    assert ("%" in new) == ("%" in written) and ("percent" in new) == ("percent" in written)
    assert len(new.partition(".")[2]) == len(written.partition(".")[2])
    assert new[0].isdigit() == written[0].isdigit() and new[0].isupper() == written[0].isupper()
    assert not ("%" in written or "percent" in written) or value < 1


@pytest.mark.parametrize("written", ["0", "1", "1.0", "one", "zero", "one hundred thousand"])
def test_some_numbers_stay(written):
    assert renumbered(written, 2.0, random.Random(0)) is None


def test_the_command_writes_rows_which_drafts_take(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(reinstantiation, "tagged", lambda **_: [tagged_text()])
    out = tmp_path / "rows.jsonl"
    assert main(["--copies", "3", "--seed", "5", "--out", str(out), "--show", "1"]) == 0
    assert "3 rows" in capsys.readouterr().out
    rows = [row for row in read_rows(out) if "problem" in row]
    assert [row["id"] for row in rows] == ["5/0/0", "5/0/1", "5/0/2"] and {row["from"] for row in rows} == {0}
    first = out.read_bytes()
    assert main(["--copies", "3", "--seed", "5", "--out", str(out)]) == 0
    assert out.read_bytes() == first
    assert drafts_main(["--reinstantiated", str(out), "--out", str(tmp_path / "drafts.jsonl")]) == 0
    made = [json.loads(line) for line in (tmp_path / "drafts.jsonl").read_text().splitlines()]
    solutions = [row for row in made if "steps" in row]
    assert [row["origin"] for row in solutions] == ["reinstantiated"] * 3
    for row, solution in zip(rows, solutions, strict=True):
        problem = read_problem(row["problem"])
        figures = numbers_in(problem.text)
        drafts = parse("".join(solution["steps"]), len(figures)), draft_of(problem, figures)
        assert len({tuple(sorted(map(write_line, draft.lines))) for draft in drafts}) == 1
