"""A corrected solution: prefix, the wrong step without loss, the trigger, the right steps; ids as they were sampled."""

import dataclasses
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.corrections import TRIGGER, corrected
from data.errors import DataError
from data.rows import Solution

EOS = 0


def encode(text: str) -> list[int]:
    return list(text.encode())


def solution(*steps: str, correct: bool, own=None, **changes) -> Solution:
    """Ids are bytes; the last step ends with the end-of-sequence token."""
    ids = [encode(step) for step in steps]
    ids[-1].append(EOS)
    row = Solution(
        "q/1",
        "How many?",
        "9",
        steps,
        correct,
        "sampled",
        prompt_ids=(1, 2),
        step_ids=tuple(map(tuple, ids)),
        own=own,
        provenance={"seed": 3 if correct else 4},
    )
    return dataclasses.replace(row, **changes)


WRONG = solution(" <<1+2=3>>\n", "<<3*2=6>>\n", "#### 6", correct=False)
RIGHT = solution(" <<1+2=3>>\n", "<<3*3=9>>\n", "#### 9", correct=True)


def test_the_wrong_step_is_named_and_then_put_right():
    row = corrected(WRONG, 1, RIGHT, encode)
    assert row.steps == (" <<1+2=3>>\n", "<<3*2=6>>\n", TRIGGER, "<<3*3=9>>\n", "#### 9")
    assert row.correct and row.origin == "corrected" and row.answer == "9"
    assert row.provenance == {"first_wrong": 1, "wrong": {"seed": 4}, "right": {"seed": 3}}


def test_ids_are_joined_and_the_wrong_step_carries_no_loss():
    row = corrected(WRONG, 1, RIGHT, encode)
    assert bytes(chain(*row.step_ids)).decode() == "".join(row.steps) + "\0"
    assert [set(own) for own in row.own] == [{1}, {0}, {1}, {1}, {1}]
    assert [len(own) for own in row.own] == [len(ids) for ids in row.step_ids]
    assert row.prompt_ids == (1, 2) and row.step_ids[1] is WRONG.step_ids[1]


def test_tokens_of_the_calculator_stay_without_loss():
    own = tuple(tuple(int(c not in "=369>") for c in step) for step in RIGHT.steps[:-1])
    right = dataclasses.replace(RIGHT, own=(*own, (1,) * 7))
    row = corrected(WRONG, 1, right, encode)
    assert (row.own[0], row.own[3], row.own[4]) == right.own


def test_only_the_end_of_the_row_ends_the_sequence():
    row = corrected(WRONG, 0, solution(" <<4+5=9>>\n", "#### 9", correct=True), encode)
    assert [EOS in ids for ids in row.step_ids] == [False, False, False, True]


def test_the_row_is_one_that_can_be_written_and_read():
    row = corrected(WRONG, 1, RIGHT, encode)
    assert Solution.of(row.to_json()) == row


@given(st.lists(st.text("0123456789+", min_size=1, max_size=5), min_size=2, max_size=6), st.data())
def test_the_row_is_the_right_solution_with_two_lines_put_in(lines, data):
    right = solution(*(f"{line}\n" for line in lines), "#### 9", correct=True)
    at = data.draw(st.integers(0, len(lines) - 1))
    wrong = solution(*right.steps[:at], "no\n", "#### 8", correct=False)
    row = corrected(wrong, at, right, encode)
    assert row.steps[at : at + 2] == ("no\n", TRIGGER)
    for kept, whole in ((row.steps, right.steps), (row.step_ids, right.step_ids)):
        assert kept[:at] + kept[at + 2 :] == whole


@pytest.mark.parametrize(
    ("wrong", "at", "right", "message"),
    [
        (dataclasses.replace(WRONG, step_ids=None, prompt_ids=None), 1, RIGHT, "need token ids"),
        (WRONG, 1, dataclasses.replace(RIGHT, prompt_ids=(1, 3)), "another question or prompt"),
        (WRONG, 1, dataclasses.replace(RIGHT, id="q/2"), "another question or prompt"),
        (RIGHT, 1, RIGHT, "a wrong solution and a right one"),
        (WRONG, 1, dataclasses.replace(RIGHT, correct=False), "a wrong solution and a right one"),
        (WRONG, 2, RIGHT, "steps 0 to 1 can be corrected"),
        (WRONG, -1, RIGHT, "steps 0 to 1 can be corrected"),
        (solution("a", "#### 6", correct=False), 0, RIGHT, "where they end their line"),
        (WRONG, 0, RIGHT, "has the same step there"),
        (WRONG, 1, solution(" other\n", "#### 9", correct=True), "does not continue the same steps"),
        (solution("a\n", "b\n", "#### 1", correct=False), 1, solution("a\n", correct=True), "not continue the same"),
    ],
)
def test_what_does_not_belong_together_is_refused(wrong, at, right, message):
    with pytest.raises(DataError, match=message):
        corrected(wrong, at, right, encode)


def test_a_tokenizer_that_cannot_write_the_trigger_is_an_error():
    with pytest.raises(DataError, match="no ids for"):
        corrected(WRONG, 1, RIGHT, lambda text: [])
