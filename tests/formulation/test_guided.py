"""Rules that are told the variables: they read the same statements under other names."""

from __future__ import annotations

from formulation.drafts import problem_of
from formulation.equivalence import compare
from formulation.guided import guided, readings
from formulation.quantities import numbers_in
from formulation.rules import read
from formulation.votes import Candidate
from formulation.wire import parse

TEXT = (
    "A shop makes desks and chairs. Each desk takes 3 hours and each chair takes 2 hours. There are 40 hours. "
    "A desk brings a profit of $7 and a chair a profit of $5. Maximize the profit."
)
FIGURES = numbers_in(TEXT)


def draft(text):
    written = parse(text, len(FIGURES))
    return Candidate(problem_of(written, TEXT, FIGURES), "model", written)


def test_told_what_the_rules_find_themselves_they_read_the_same():
    found, own = guided(("desks", "chairs"), TEXT), read(TEXT)
    assert found.complete and own.complete
    assert compare(found.model(), own.model()).verdict == "EQUIVALENT"


def test_one_name_gives_one_variable():
    found = guided(("desks",), TEXT)
    assert len(found.problem.variables) == 1


def test_names_that_the_text_does_not_hold_or_that_are_the_same_give_nothing():
    assert guided(("desks", "lamps"), TEXT) is None
    assert guided(("desks", "desk"), TEXT) is None
    assert guided(("desks", "..."), TEXT) is None
    assert guided((), TEXT) is None


def test_numbers_without_a_role_are_passed_over():
    roles = {one.start: "use" for one in FIGURES if TEXT[one.start : one.end] in ("3", "2", "7", "5", "$7", "$5")}
    found = guided(("desks", "chairs"), TEXT, roles)
    assert found.problem.objective is not None and not found.problem.constraints


def test_variables_are_those_of_the_most_drafts_and_are_read_with_and_without_their_roles():
    two = draft("var int desks\nvar int chairs\nmax N4*V1 + N5*V2\nlinear <= N3 | N1*V1 + N2*V2\n")
    one = draft("var int desks\nmax N4*V1\n")
    found = list(readings([one, two, two], TEXT, FIGURES))
    assert [len(each.problem.variables) for each in found] == [2, 2, 1, 1]
    assert found[0].complete and found[1].complete
    assert list(readings([], TEXT, FIGURES)) == []
