"""Drafts with named sums: the same draft, each number where the text says it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from data.errors import DataError
from formulation.doubts import doubts
from formulation.drafts import problem_of
from formulation.quantities import numbers_in
from formulation.sums import named
from formulation.votes import Candidate, distinct
from formulation.wire import Draft, Line, parse, statement_lines
from tests.formulation.test_votes import FIGURES, RIGHT
from tests.formulation.test_votes import TEXT as WORKSHOP
from tests.formulation.test_wire import NUMBERS, TEXT, drafts

NAMED = """var int desks
var int chairs
max profit
N1 desks hours
N2 chairs hours
linear <= N3 | hours
bound >= N4 | desks
N5 desks profit
N6 chairs profit
"""


def normal(draft: Draft) -> tuple[object, ...]:
    """A draft without the order of its lines and terms."""

    def line(one: Line) -> str:
        sides = [sorted(map(str, side)) for side in one.sides]
        return str((one.kind, one.sense, one.amounts, sides, one.decisions, [line(row) for row in one.rows]))

    return draft.variables, sorted(map(line, draft.lines))


def test_sums_are_named_by_the_text() -> None:
    text = WORKSHOP.replace("A desk brings $45 and a chair $30", "A desk brings $45 profit and a chair $30 profit")
    assert named(parse(RIGHT, len(FIGURES)), text, numbers_in(text)) == NAMED
    assert normal(parse(NAMED, len(FIGURES))) == normal(parse(RIGHT, len(FIGURES)))


@settings(max_examples=200, deadline=None)
@given(drafts())
def test_a_named_draft_is_the_same_draft(draft: Draft) -> None:
    written = named(draft, TEXT, NUMBERS)
    again = parse(written, len(NUMBERS))
    if all(len(side) == len(set(side)) for one in draft.lines for row in (one, *one.rows) for side in row.sides):
        assert normal(again) == normal(draft)
    assert len(statement_lines(written)) == len(again.lines)


def test_named_sums_and_written_out_ones_agree() -> None:
    both = [problem_of(parse(written, len(FIGURES)), WORKSHOP, FIGURES) for written in (NAMED, RIGHT)]
    assert len(distinct([Candidate(one, "model") for one in both])) == 1


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("max hours\n", "line 2: no number is said to add to 'hours'"),
        ("N1 hours\nmax hours\n", "line 2: hours stands where V1, V2"),
        ("N1 V2 hours\nmax hours\n", "line 2: there is no V2"),
        ("N7 V1 hours\nmax hours\n", "line 2: there is no N7"),
        ("N1 V1\nmax V1\n", "line 2: the end stands where the name of a sum"),
        ("N1 V1 hours more\nmax hours\n", "line 2: more stands where the end"),
        ("N1 V1 hours\nvar int y\n", "line 3: variables come before all else"),
        ("N1 V1 N2\nmax V1\n", "line 2: N2 stands where"),
    ],
)
def test_mistakes_of_parts_have_their_line(wrong: str, told: str) -> None:
    with pytest.raises(DataError) as caught:
        parse("var int x\n" + wrong, len(FIGURES))
    assert told in str(caught.value)


def test_what_is_left_out_is_read_again_where_the_text_says_it() -> None:
    at = {
        "bound >= N4 | desks\n": [("unused number", 6)],
        "N2 chairs hours\n": [("unused number", 4), ("unbounded", 2)],
        "N6 chairs profit\n": [("unused number", 8)],
    }
    for line, found in at.items():
        doubtful = [(one.topic, one.line) for one in doubts(WORKSHOP, FIGURES, NAMED.replace(line, ""))]
        assert doubtful == found


def test_the_grammar_allows_named_drafts() -> None:
    xgrammar = pytest.importorskip("xgrammar")
    from formulation.wire import grammar

    accepts = xgrammar.testing._is_grammar_accept_string
    lines = NAMED.splitlines(keepends=True)
    assert accepts(xgrammar.Grammar.from_ebnf(grammar(6)), NAMED)
    for at in (2, 3, 7):
        state = {"declared": ("desks", "chairs"), "lines": at - 2}
        assert accepts(xgrammar.Grammar.from_ebnf(grammar(6, **state)), "".join(lines[at:]))
        assert accepts(xgrammar.Grammar.from_ebnf(grammar(6, **state, unit="line")), lines[at])
    assert not accepts(xgrammar.Grammar.from_ebnf(grammar(6)), "var int x\nN7 V1 hours\nmax hours\n")
    assert not accepts(xgrammar.Grammar.from_ebnf(grammar(0)), "var int x\nmax hours\n")
