"""Reference solutions as steps, with their words or as mathematics only."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.arithmetic import check
from data.errors import DataError
from data.records import Problem
from data.rows import Solution
from data.solutions import annotated, equations, gold, mathematics_only

SOLVED = "Half of 48 is 48/2 = <<48 / 2=24>>24.\nTogether 48+24 = <<48+24=72>>72.\n#### 1,072"
PROBLEM = annotated("gsm8k/train/9", "How many?", SOLVED)


def test_the_answer_stands_behind_the_marker_without_commas():
    assert Problem("gsm8k/train/9", "How many?", "1072", SOLVED) == PROBLEM


@pytest.mark.parametrize(
    ("question", "solution", "message"), [("q", "no marker", "no line '#### number'"), (None, "#### 1", "must be text")]
)
def test_a_row_of_another_form_is_one_line(question, solution, message):
    with pytest.raises(DataError, match=f"^k: .*{message}"):
        annotated("k", question, solution)


def test_equations_are_the_annotations_without_spaces_in_order():
    assert equations(SOLVED) == ("<<48/2=24>>", "<<48+24=72>>")
    assert equations("none <<open\n>> here") == ()


def test_mathematics_only_is_a_step_an_annotation_and_the_answer():
    assert mathematics_only(SOLVED, "72") == (" <<48/2=24>>\n", "<<48+24=72>>\n", "#### 72")
    assert mathematics_only("no annotation", "72") is None


@given(st.lists(st.tuples(st.integers(0, 999), st.integers(1, 99)), min_size=1, max_size=6))
def test_mathematics_only_loses_no_equation_and_keeps_no_word(pairs):
    text = "".join(f"words {a}+{b} = <<{a} + {b} = {a + b}>>{a + b} more\n" for a, b in pairs)
    steps = mathematics_only(text, "1")
    assert equations("".join(steps)) == equations(text) and "words" not in "".join(steps)
    assert len(steps) == len(pairs) + 1 and all(a.ok for a in check("".join(steps)))


def test_gold_is_a_right_row_of_either_kind():
    short, long = gold(PROBLEM), gold(PROBLEM, words=True)
    assert short.steps == (" <<48/2=24>>\n", "<<48+24=72>>\n", "#### 1072")
    assert long.steps == (
        " Half of 48 is 48/2 = <<48 / 2=24>>24.\n",
        "Together 48+24 = <<48+24=72>>72.\n",
        "#### 1072",
    )
    for row in (short, long):
        assert (row.correct, row.origin, row.id) == (True, "gold", "gsm8k/train/9")
        assert Solution.of(row.to_json()) == row


def test_there_is_no_gold_without_a_solution_an_answer_or_an_annotation():
    assert gold(Problem("k", "q", "1")) is None
    assert gold(Problem("k", "q", None, SOLVED)) is None
    assert gold(annotated("k", "q", "just so\n#### 4")) is None
    assert gold(annotated("k", "q", "just so\n#### 4"), words=True).steps == (" just so\n", "#### 4")
