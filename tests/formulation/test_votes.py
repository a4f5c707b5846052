"""Readings of one text compared by what they say, rows voted on, and phases decided one after the other."""

from __future__ import annotations

import itertools
import random

import pytest

from formulation.doubts import doubts, lines_in_doubt
from formulation.drafts import problem_of
from formulation.phased import Phased
from formulation.quantities import numbers_in
from formulation.ranker import FEATURES, features, fit
from formulation.votes import Candidate, distinct, row_vote
from formulation.wire import parse
from search.tree import ROOT
from search.types import Expand, Expanded, Failed, Finish, Segment, State, Step, Usage

TEXT = (
    "A workshop makes desks and chairs. A desk takes 4 hours and a chair takes 3 hours, and there are 120 hours. "
    "At least 5 desks must be made. A desk brings $45 and a chair $30. Maximize the profit."
)
FIGURES = numbers_in(TEXT)  # 4, 3, 120, 5, 45, 30

RIGHT = """var int desks
var int chairs
max N5*V1 + N6*V2
linear <= N3 | N1*V1 + N2*V2
bound >= N4 | V1
"""
TURNED = """var int chairs
var int desks
max N6*V1 + N5*V2
bound >= N4 | V2
linear <= N3 | N2*V1 + N1*V2
"""
AS_LINEAR = """var int desks
var int chairs
max N6*V2 + N5*V1
linear >= N4 | V1
linear <= N3 | N2*V2 + N1*V1
"""
WRONG_SENSE = RIGHT.replace("bound >= N4", "bound <= N4")
WRONG_GOAL = RIGHT.replace("max N5*V1", "max N1*V1")
NO_BOUND = RIGHT.replace("bound >= N4 | V1\n", "")


def candidate(written: str, samples: int = 1, logprob: float = -0.1) -> Candidate:
    draft = parse(written, len(FIGURES))
    return Candidate(problem_of(draft, TEXT, FIGURES), "model", draft, samples, logprob)


def test_order_names_and_kinds_do_not_make_models_different() -> None:
    (found,) = distinct([candidate(RIGHT), candidate(TURNED), candidate(AS_LINEAR)])
    assert found.share == found.support == found.weakest == found.goal == 1
    assert len(found.candidates) == 3


@pytest.mark.parametrize("wrong", [WRONG_SENSE, WRONG_GOAL, NO_BOUND])
def test_what_differs_in_a_row_or_the_goal_is_another_model(wrong: str) -> None:
    first, second = distinct([candidate(RIGHT, 3), candidate(wrong, 2)])
    assert (first.share, second.share) == (0.6, 0.4)
    assert first.problem.objective is not None


def test_equal_numbers_with_other_tags_are_equal() -> None:
    text = "Desks take 4 hours, chairs take 4 hours, of 120. A desk brings 9, a chair 8. Maximize the profit."
    figures = numbers_in(text)

    def of(written: str) -> Candidate:
        draft = parse(written, len(figures))
        return Candidate(problem_of(draft, text, figures), "model", draft)

    head = "var int desks\nvar int chairs\nmax N4*V1 + N5*V2\n"
    found = distinct([of(head + "linear <= N3 | N1*V1 + N2*V2\n"), of(head + "linear <= N3 | N2*V1 + N1*V2\n")])
    assert len(found) == 1


def test_shares_are_of_samples_and_rows_have_their_own() -> None:
    found = distinct([candidate(RIGHT, 4), candidate(NO_BOUND, 3), candidate(WRONG_GOAL, 1)])
    right = found[0]
    assert right.share == 0.5
    assert right.goal == 7 / 8
    assert right.weakest == 5 / 8  # the bound; the hours have all
    assert right.support == pytest.approx((1 + 5 / 8) / 2)
    # Alike to itself 1; without the bound 2 of 3 and 2 common parts; with another goal 2 of 3 parts.
    assert right.agreement == pytest.approx((4 * 1 + 3 * 4 / 5 + 1 * 4 / 6) / 8)


def test_rows_are_voted_on_each_by_itself() -> None:
    # Each draft has one mistake of its own, so that no whole draft is right.
    extra = [RIGHT + f"bound <= N3 | V{variable}\n" for variable in (1, 2)]
    found = row_vote([candidate(one) for one in (WRONG_SENSE, NO_BOUND, WRONG_GOAL, *extra)], TEXT, FIGURES)
    assert found is not None and found.origin == "vote"
    (same,) = [one for one in distinct([found, candidate(RIGHT)]) if one.of("model")]
    assert same.of("vote")


def test_a_vote_without_drafts_is_none() -> None:
    assert row_vote([], TEXT, FIGURES) is None
    assert distinct([]) == ()


def test_the_order_of_candidates_does_not_change_the_vote() -> None:
    given = [candidate(RIGHT, 2), candidate(WRONG_SENSE, 3), candidate(NO_BOUND, 1), candidate(TURNED, 2, -0.2)]
    keys = {distinct(list(order))[0].said.key for order in itertools.permutations(given)}
    assert len(keys) == 1


# ---- doubts ----------------------------------------------------------------------------------------------------------


def test_a_right_draft_has_no_doubts() -> None:
    assert doubts(TEXT, FIGURES, RIGHT) == ()


def test_an_unused_number_is_looked_for_where_it_belongs() -> None:
    found = doubts(TEXT, FIGURES, NO_BOUND)
    assert [(one.topic, one.line) for one in found] == [("unused number", 4)]


def test_conflicting_statements_are_read_again() -> None:
    text = "Make desks and chairs. At least 9 desks, at most 5 desks, 7 chairs at most. Desks bring 3, chairs 2."
    figures = numbers_in(text)
    written = "var int desks\nvar int chairs\nmax N4*V1 + N5*V2\nbound >= N1 | V1\nbound <= N2 | V1\nbound <= N3 | V2\n"
    assert lines_in_doubt(text, figures, written) == [3, 4]


def test_without_a_limit_the_goal_is_in_doubt() -> None:
    written = "var int desks\nvar int chairs\nmax N5*V1 + N6*V2\nbound >= N4 | V1\n"
    assert ("unbounded", 2) in [(one.topic, one.line) for one in doubts(TEXT, FIGURES, written)]


def test_what_is_no_draft_is_read_again_from_the_start() -> None:
    assert lines_in_doubt(TEXT, FIGURES, "max max") == [0]


# ---- phases ----------------------------------------------------------------------------------------------------------


def run(algorithm: Phased, write: object, seed: int = 0) -> object:
    """Drive a search whose samples `write(before, number)` gives, lines that follow `before`; outcomes in any order."""
    rng = random.Random(seed)
    tree = algorithm.start(State("p"))
    waiting, number = list(algorithm.ask(tree)), 0
    while waiting:
        request = waiting.pop(rng.randrange(len(waiting)))
        assert isinstance(request, Expand) and request.unit == "answer"
        text = write(tree.text(request.node), number)  # type: ignore[operator]
        number += 1
        lines = [*text.splitlines(keepends=True), ""] if text else []  # the last step is the end of the turn alone
        steps = [
            Step(
                (Segment(tuple(line.encode()), None),),
                line,
                Finish.ANSWER if at == len(lines) - 1 else Finish.STEP,
                tree.text(request.node) + text if at == len(lines) - 1 else None,
            )
            for at, line in enumerate(lines)
        ]
        outcome = Expanded(tuple(steps), Usage(completion=1)) if steps else Failed("nothing")
        algorithm.tell(tree, request, outcome)
        waiting += algorithm.ask(tree)
    assert not tree.pending
    return tree


@pytest.mark.parametrize("seed", range(5))
def test_phases_decide_variables_and_then_the_goal(seed: int) -> None:
    one_name = "var int things\nmax N5*V1\n"
    pool = [RIGHT, RIGHT, RIGHT, one_name, WRONG_GOAL, WRONG_SENSE]

    def write(before: str, number: int) -> str:
        if not before:
            return pool[number % len(pool)]
        assert RIGHT.startswith(before)  # only behind what was decided
        return RIGHT[len(before) :]

    algorithm = Phased(6)
    tree = run(algorithm, write, seed)
    answers = algorithm.answers(tree)  # type: ignore[arg-type]
    assert answers[0].answer == RIGHT
    assert sum(answer.votes for answer in answers) == 6
    assert {answer.answer for answer in answers} == {RIGHT, WRONG_SENSE}


def test_reading_again_ends_and_finds_what_was_left_out() -> None:
    asked = []

    def write(before: str, number: int) -> str:
        if number < 4:
            return NO_BOUND
        asked.append(before)
        return RIGHT[len(before) :]

    algorithm = Phased(4, lambda written: lines_in_doubt(TEXT, FIGURES, written), again=3, rounds=5)
    tree = run(algorithm, write)
    assert set(asked) == {NO_BOUND} and len(asked) == 3
    assert RIGHT in {answer.answer for answer in algorithm.answers(tree)}  # type: ignore[arg-type]


def test_a_search_that_finds_nothing_ends() -> None:
    tree = run(Phased(3, lambda written: [0]), lambda before, number: "")
    assert len(tree.nodes) == ROOT + 1  # type: ignore[attr-defined]


# ---- the ranker ------------------------------------------------------------------------------------------------------


def test_features_say_what_is_known() -> None:
    models = distinct([candidate(RIGHT, 3), candidate(NO_BOUND, 1)])
    right, other = (dict(zip(FEATURES, row, strict=True)) for row in features(models, FIGURES))
    assert (right["share"], right["unused"], right["unbounded"], right["failed"]) == (0.75, 0, 0, 0)
    assert other["unused"] == pytest.approx(1 / 3)


def test_the_fit_finds_the_likeliest_weights() -> None:
    rng = random.Random(1)
    rows = [tuple(rng.random() if at == 0 else 0.0 for at in range(len(FEATURES))) for _ in range(400)]
    right = [rng.random() < row[0] for row in rows]
    ranker = fit(rows, right, penalty=1e-6)
    sure = [ranker.confidence((x, *[0.0] * (len(FEATURES) - 1))) for x in (0.1, 0.5, 0.9)]
    assert sure == sorted(sure) and abs(sure[1] - 0.5) < 0.1
    # At the optimum the mean of the predictions is the share of right ones.
    assert sum(map(ranker.confidence, rows)) == pytest.approx(sum(right), abs=0.01)
