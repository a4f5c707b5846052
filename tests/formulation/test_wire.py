"""The compact format: every draft is read as it was written, says a problem, and is found again from it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.errors import DataError
from formulation.drafts import draft_of, problem_of, tagged
from formulation.quantities import numbers_in
from formulation.wire import (
    SHAPES,
    Amount,
    Decision,
    Declared,
    Draft,
    Line,
    Term,
    grammar,
    parse,
    parse_line,
    references,
    write,
    write_line,
)

TEXT = (
    "A shop sells desks and chairs and perhaps lamps. A desk takes 4 hours, a chair 3 and a lamp half an hour of 220 "
    "hours. Desks bring $45, chairs $80, lamps $12.50. At least 30% are desks, twice as many chairs as lamps."
)
NUMBERS = numbers_in(TEXT)
WORDS = ("desks", "chairs", "lamps")


@st.composite
def drafts(draw: st.DrawFn) -> Draft:
    count = draw(st.integers(1, 3))
    domains = draw(st.lists(st.sampled_from(["int", "real", "yes"]), min_size=count, max_size=count))
    variables = tuple(Declared(domain, words) for domain, words in zip(domains, WORDS, strict=False))
    tags = st.integers(0, len(NUMBERS))
    amount = st.one_of(st.integers(1, len(NUMBERS)).map(Amount), st.sampled_from([Amount(0, 0), Amount(0, 1)]))
    decision = st.builds(Decision, st.integers(1, count), st.booleans())

    def terms(*, weighted: bool, most: int = 3) -> st.SearchStrategy[tuple[Term, ...]]:
        one = st.builds(
            Term, st.integers(1, count), tags if weighted else st.just(0), st.booleans() if weighted else st.just(False)
        )
        return st.lists(one, min_size=1, max_size=most, unique_by=lambda term: term.variable).map(tuple)

    def line(kind: str) -> Line:
        sense, amounts, sides, decisions, rows = None, [], [], [], []
        for part in SHAPES[kind]:
            match part:
                case "sense":
                    sense = draw(st.sampled_from(["<=", ">=", "=="]))
                case "number":
                    amounts.append(draw(amount))
                case "terms" | "variables" | "variable":
                    sides.append(draw(terms(weighted=part == "terms", most=1 if part == "variable" else 3)))
                case "decision":
                    decisions.append(draw(decision))
                case "decisions":
                    decisions += draw(st.lists(decision, min_size=2, max_size=3))
                case "row":
                    rows.append(line(draw(st.sampled_from(["linear", "bound", "than", "times"]))))
        return Line(kind, sense, tuple(amounts), tuple(sides), tuple(decisions), tuple(rows))

    kinds = draw(st.lists(st.sampled_from(sorted(SHAPES.keys() - {"max", "min"})), max_size=5))
    return Draft(variables, tuple(line(kind) for kind in [draw(st.sampled_from(["max", "min"])), *kinds]))


@settings(max_examples=200)
@given(drafts())
def test_what_is_written_is_read(draft: Draft) -> None:
    text = write(draft)
    assert parse(text, len(NUMBERS)) == draft
    assert all(line == line.strip() for line in text.splitlines())


@settings(max_examples=100, deadline=None)
@given(drafts())
def test_the_draft_of_a_drafts_problem_says_the_same(draft: Draft) -> None:
    try:
        problem = problem_of(draft, TEXT, NUMBERS)
        again = draft_of(problem, NUMBERS)
    except DataError as error:
        assert "\n" not in str(error)
        return
    assert len(again.lines) == len(draft.lines)
    assert problem_of(again, TEXT, NUMBERS).plain() == problem.plain()


def test_a_whole_draft() -> None:
    written = """var int desks
var int chairs
var real lamps
max N5*V1 + N6*V2 + N7*V3
linear <= N4 | N1*V1 + N2*V2 + N3*V3
share >= N8 | V1 / V1 + V2 + V3
times >= N9 | V2 : V3
count >= 1 | V1 V3
"""
    draft = parse(written, len(NUMBERS))
    problem = problem_of(draft, TEXT, NUMBERS)
    hours, share, twice, some = problem.constraints
    assert str(problem.objective.terms) == "45*desks + 80*chairs + 12.50*lamps"
    assert str(hours.terms) == "4*desks + 3*chairs + half*lamps" or hours.terms is not None
    assert (share.share.number.value * 10, twice.factor.number.value) == (3, 2)
    assert hours.sources["limit"].text == "220" and hours.sources["terms['lamps']"].text == "half"
    assert hours.sources[""].text.startswith("A desk takes")
    assert problem.variables["lamps"].domain == "continuous"
    assert TEXT[slice(*problem.variables["lamps"].sources[""].span)] == "lamps"
    assert str(some.of[0]) == "selected(desks)"
    assert write(draft_of(problem, NUMBERS)) == written


def test_numbers_carry_their_tags() -> None:
    shown = tagged("Each of 3 cars needs half a day.", numbers_in("Each of 3 cars needs half a day."))
    assert shown == "Each of N1 3 cars needs N2 half a day."


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("linear <= N10 | V1", "there is no N10: the last is N9"),
        ("linear <= N1 | V4", "there is no V4: the last is V3"),
        ("linear <= 7 | V1", "cannot read '7 | V1'"),
        ("linear N1 | V1", "N1 stands where <=, >=, == should"),
        ("linear <= N1 | V1 V2", "V2 stands where the end should"),
        ("linear <= N1 V1", "V1 stands where | should"),
        ("if V1 : V2 : V3", ": stands where the end should"),
        ("solve V1", "no kind 'solve'"),
        ("", "no kind ''"),
        ("when V1 : when V2 : bound <= N1 | V1", "no kind 'when'"),
        ("bound <= N1 | N2*V1", "N2 stands where V1, V2, ... should"),
        ("max eval(V1)", "cannot read"),
    ],
)
def test_mistakes_are_told(line: str, told: str) -> None:
    with pytest.raises(DataError, match=re.escape(told)):
        parse_line(line, 3, 9)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("max V1\nvar int x\n", "line 2: variables come before all else"),
        ("var int x\nmax V1\nvar int y\n", "line 3: variables come before all else"),
        ("var odd x\n", "line 1: a variable is int, real, yes"),
        ("var int \n", "line 1: a variable needs its words"),
        ("x" * 9000, "9000 characters are no draft"),
    ],
)
def test_mistakes_of_a_draft_have_their_line(text: str, told: str) -> None:
    with pytest.raises(DataError, match=re.escape(told)):
        parse(text, 9)


@given(st.text(alphabet="VNmaxlinerbound <=|*:/+-123not\n", max_size=60))
def test_any_text_is_read_or_refused_in_one_line(text: str) -> None:
    try:
        draft = parse("var int a\nvar real b\n" + text, 3)
    except DataError as error:
        assert "\n" not in str(error)
        return
    assert parse(write(draft), 3) == draft


def test_the_grammar_allows_what_is_written_and_nothing_else() -> None:
    xgrammar = pytest.importorskip("xgrammar")
    compiled = xgrammar.Grammar.from_ebnf(grammar(9))
    accepts = xgrammar.testing._is_grammar_accept_string
    lines = [write_line(parse_line(line, 3, 9)) for line in EXAMPLES]
    head = "var int desks\nvar real small chairs\nvar yes lamps\n"
    assert accepts(compiled, head + "".join(f"{line}\n" for line in lines))
    for wrong in ("max V4\n", "bound <= N10 | V1\n", "linear <= 7 | V1\n", "bound <= N1 | N2*V1\n", "go V1\n"):
        assert not accepts(compiled, head + wrong)
    assert not accepts(compiled, "max V1\n")


EXAMPLES = [
    "max N5*V1 + N6*V2",
    "min -V1 + V2",
    "linear <= N3 | N1*V1 - N2*V2",
    "bound >= N7 | V1",
    "sum == 1 | V1 + V2",
    "range N1 N2 | V1 + V2",
    "share >= N9 | V1 / V1 + V2",
    "times >= N4 | V1 : V2",
    "than <= | V1 : V2",
    "more >= N4 | V1 : V2",
    "if V1 : not V2",
    "iff V1 V2",
    "count <= 1 | V1 V2 not V3",
    "least N4 | V1",
    "within N3 N4 | V1",
    "lots N4 | V1",
    "charge N4 | V1",
    "either bound <= N1 | V1 or bound >= N2 | V2",
    "when V1 : linear <= N3 | N1*V1 + N2*V2",
]


def test_the_grammar_goes_on_anywhere() -> None:
    xgrammar = pytest.importorskip("xgrammar")
    accepts = xgrammar.testing._is_grammar_accept_string
    written = ["var int desks\n", "var real chairs\n", *(f"{line}\n" for line in EXAMPLES if "V3" not in line)]

    def allows(text: str, **state: object) -> bool:
        return bool(accepts(xgrammar.Grammar.from_ebnf(grammar(9, **state)), text))

    for at in (0, 1, 2, 3, 9):
        state = {"declared": ("desks", "chairs")[:at], "lines": max(at - 2, 0)}
        assert allows("".join(written[at:]), **state)
        assert allows(written[at], **state, unit="line")
        assert allows("", **state) == (at > 2) == allows("", **state, unit="line")
        assert not allows("max V3\n", **state) and not allows("max V3\n", **state, unit="line")
        assert allows("var yes lamps\n", **state, unit="line") == (at <= 2)
        assert allows("max desks + chairs\n", **state) == (at >= 2)
        assert not allows("max desks + lamps\n", **state, unit="line")
    assert allows("var int lamps\nbound <= 1 | lamps\n", declared=("desks",))
    assert not allows("bound <= 1 | lamps\n", declared=("desks",))


def test_variables_are_called_by_the_first_word_that_is_theirs_alone() -> None:
    assert references(["oak chairs", "oak tables"]) == ["chairs", "tables"]
    assert references(["Model A", "Model B", "model"]) == ["A", "B", "V3"]
    assert references(["2-piece suits", "3-piece suits"]) == ["V1", "V2"]
    assert references(["not sold", "sum", "N1 lamps", "x1"]) == ["sold", "V2", "lamps", "x1"]
    assert references([]) == []


def test_words_and_numbers_of_variables_say_the_same() -> None:
    head = "var int oak chairs\nvar real oak tables\n"
    named = "N1 chairs hours\nN2 Tables hours\nlinear <= N3 | hours\nmax N4*chairs - tables\nif chairs : not tables\n"
    numbered = "N1 V1 hours\nN2 V2 hours\nlinear <= N3 | hours\nmax N4*V1 - V2\nif V1 : not V2\n"
    assert parse(head + named, 4) == parse(head + numbered, 4)
    with pytest.raises(DataError, match="oak stands where V1, V2"):
        parse(head + "max N1*oak\n", 4)


def test_variables_are_known_by_the_stem_of_any_word_of_theirs_alone_or_by_their_first() -> None:
    head = "var int AC seats\nvar int non-AC seats\nvar int standing tickets\n"
    assert parse(head + "max N1*AC + N2*non + N3*ticket\n", 4) == parse(head + "max N1*V1 + N2*V2 + N3*V3\n", 4)
    with pytest.raises(DataError, match="seats stands where V1, V2"):
        parse(head + "max N1*seats\n", 4)


def test_the_one_sum_that_no_line_uses_is_the_one_that_no_number_adds_to() -> None:
    head = "var int x\nN1 x printing\nmin x\n"
    assert parse(head + "linear <= N2 | hours\n", 2) == parse(head + "linear <= N2 | printing\n", 2)
    with pytest.raises(DataError, match="no number is said to add to 'hours'"):
        parse(head + "N2 x ink\nlinear <= N2 | hours\n", 2)
