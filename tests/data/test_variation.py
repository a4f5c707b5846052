"""Varied problems: other numbers, the same calculation, every annotation true; what is not safe is refused."""

import json
import os
import random
import re
from collections import Counter
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.arithmetic import check, number
from data.errors import DataError, UserError
from data.mentions import mentions, rewrite, spell, write
from data.records import Problem
from data.rows import Solution, read_rows
from data.solutions import annotated, equations, gold
from data.sources import data_dir
from data.variation import Refusal, main, vary, vary_all

CLIPS = annotated(
    "gsm8k/train/0",
    "Ana sold 48 kites in May, and half as many in June at $2.50 each. She keeps 20% of what June brought in. "
    "How many dollars does she keep?",
    "In June she sold 48/2 = <<48/2=24>>24 kites.\n"
    "They brought in 24*2.50 = $<<24*2.50=60.00>>60.00.\n"
    "She keeps 60*20/100 = $<<60*20/100=12>>12.\n"
    "#### 12",
)


def some(question: str, solution: str) -> Problem:
    return annotated("own/train/1", question, solution)


def varied(problem: Problem, n: int = 20) -> list[Problem]:
    found = vary(problem, random.Random(0), n)
    assert isinstance(found, list), found
    return found


def refusal(question: str, solution: str) -> str:
    found = vary(some(question, solution), random.Random(0), 3)
    assert isinstance(found, Refusal), found
    return found.reason


def true_throughout(problem: Problem) -> bool:
    return all(a.ok for a in check(problem.solution))


def values(problem: Problem) -> list[Fraction]:
    return [number(a.written) for a in check(problem.solution)]


def test_question_and_solution_change_together():
    for problem in varied(CLIPS):
        kites, price, share = (m.value for m in mentions(problem.question))
        half, brought, kept = values(problem)
        assert (half, brought, kept) == (kites / 2, kites / 2 * price, kites / 2 * price * share / 100)
        assert number(problem.answer) == kept and true_throughout(problem)
        assert problem.solution.startswith(f"In June she sold {kites}/2 = <<{kites}/2={half}>>{half} kites.")
        assert re.search(r"\$\d+\.\d\d each", problem.question)


def test_integers_stay_integers_and_percentages_stay_percentages():
    for problem in varied(CLIPS):
        assert all(value.denominator == 1 and value > 0 for value in values(problem))
        assert 0 < mentions(problem.question)[2].value < 100


def test_ids_metadata_and_steps_are_those_of_a_training_row():
    first, second = varied(CLIPS, 2)
    assert (first.id, second.id) == ("gsm8k/train/0~1", "gsm8k/train/0~2")
    assert first.metadata == {"origin": "varied", "of": "gsm8k/train/0"}
    row = gold(first)
    assert row.steps[-1] == f"#### {first.answer}" and equations("".join(row.steps)) == equations(first.solution)


def test_no_two_are_alike_and_none_is_the_original():
    questions = [CLIPS.question, *(p.question for p in varied(CLIPS))]
    assert len(set(questions)) == len(questions) > 10


def test_the_numbers_depend_on_the_seed_and_the_id_alone():
    other = some("Ben has 7 red and 9 blue pens. How many has he?", "He has 7+9=<<7+9=16>>16 pens.\n#### 16")
    alone, _ = vary_all([CLIPS], 3, 2)
    among, _ = vary_all([other, CLIPS], 3, 2)
    assert alone == [p for p in among if p.metadata["of"] == CLIPS.id]
    assert alone != vary_all([CLIPS], 4, 2)[0]
    assert alone[0].metadata["seed"] == 3


def test_number_words_stay_words_and_articles_follow():
    problem = some(
        "Rows of nine chairs stand in a hall with a 40-foot wall. Nine such rows fill an 80 foot length. Add them up.",
        "They are 40+80=<<40+80=120>>120 feet.\nWith a row 120+9=<<120+9=129>>129.\n#### 129",
    )
    for new in varied(problem, 30):
        a, b, c, d = mentions(new.question)[:4]
        assert a.is_word and c.is_word and a.value == c.value and c.written[0].isupper()
        assert (" an " in new.question[: b.start][-4:]) == (b.written[0] == "8" or b.written in {"11", "18"})
        assert (new.question[: d.start].endswith("an ")) == (d.written[0] == "8" or d.written in {"11", "18"})


def test_a_difference_keeps_its_sign_and_shares_keep_their_whole():
    problem = some(
        "Of 200 fish 30% are red and 65% are blue. 40 fish are fed and 12 fish flee. How many others are there?",
        "Others are 100-30-65=<<100-30-65=5>>5 percent.\nThat is 200*5/100=<<200*5/100=10>>10.\n"
        "Fed and here: 40-12=<<40-12=28>>28.\nTogether 10+28=<<10+28=38>>38.\n#### 38",
    )
    for new in varied(problem):
        numbers = [m.value for m in mentions(new.question)]
        assert numbers[1] + numbers[2] < 100 and numbers[3] > numbers[4]


def test_the_same_number_in_two_roles_changes_in_both():
    problem = some(
        "Lea buys 15 large and 15 small pies. A large pie has 16 slices, a small one has 8 slices. How many slices?",
        "Large: 15*16=<<15*16=240>>240.\nSmall: 15*8=<<15*8=120>>120.\nAll: 240+120=<<240+120=360>>360.\n#### 360",
    )
    for new in varied(problem):
        first, second, large, small = (m.value for m in mentions(new.question))
        assert first == second and values(new)[-1] == first * (large + small)


def test_a_constant_that_the_words_explain_stays():
    problem = some(
        "Ida walks 5 miles a day on 7 days of the week. How far does she walk in 3 weeks?",
        "Each week 5*7=<<5*7=35>>35.\nIn 3 weeks 35*3=<<35*3=105>>105.\n#### 105",
    )
    assert all("on 7 days" in new.question and "*7=" in new.solution for new in varied(problem))


def test_a_number_that_could_be_a_result_or_the_questions_is_read_both_ways():
    # 6 is the number of boxes and 2*3: a draw must keep them equal, or 6*4 would be another sum.
    problem = some(
        "Kim packs 2 rows of 3 cups into boxes. She has 6 boxes and 40 lids. How many lids are left after all cups?",
        "A box has 2*3=<<2*3=6>>6 cups.\nAll 6*6=<<6*6=36>>36 cups.\nLeft 40-36=<<40-36=4>>4 lids.\n#### 4",
    )
    found = vary(problem, random.Random(0), 5)
    for new in found if isinstance(found, list) else []:
        numbers = [m.value for m in mentions(new.question)]
        assert numbers[0] * numbers[1] == numbers[2]


@pytest.mark.parametrize(
    ("question", "solution", "reason"),
    [
        ("He has 5 red and 8 odd pens in room 12.", "<<5+8=13>>13\n#### 13", "no equation uses"),
        ("He has 5 pens and gets 8.", "He has 5+8=13, twice <<13*2=26>>26\n#### 26", "nothing explains"),
        ("At 5:30 he has 50 pens and gets 8.", "<<50+8=58>>58\n#### 58", "a date or a time"),
        ("In 1990 he had 50 pens. He gets 8.", "<<50+8=58>>58\n#### 58", "a date or a time"),
        ("He has 2 1/2 pies and gets 8.", "<<2.5+8=10.5>>10.5\n#### 10.5", "a mixed number"),
        ("He has two hundred pens and gets 8.", "<<200+8=208>>208\n#### 208", "hundred"),
        ("On the 5th day he has 50 pens, and gets 8.", "<<50+8=58>>58\n#### 58", "an ordinal"),
        ("He has 17 pens for 8 boys, rounded.", "<<17+8=25>>25\n#### 25", "rounding"),
        ("He has 50 pens and gets 8.", "<<50+8=58>>58\n#### 59", "not the last result"),
        ("He has 50 pens and gets 8.", "<<50+8=59>>59\n#### 59", "not true"),
        ("He has 50 pens and gets 8.", "<<50-8=42>>42\n<<50+8=58>>58\n#### 58", "a result that nothing uses"),
        ("He has 50 pens and gets 8.", "58\n#### 58", "no annotated solution"),
        ("He has 50 pens for 7 boys.", "<<50/7=7.14>>7.14\n#### 7.14", "a rounded result"),
        ("He has 50 pens and gets 8.", "Of 33 pens <<50+8=58>>58\n#### 58", "in the solution's words"),
        ("A spider has 8 legs.", "It needs 8 socks, <<8*1=8>>8\n#### 8", "no number that may change"),
    ],
)
def test_what_cannot_be_done_safely_is_refused(question, solution, reason):
    assert reason in refusal(question, solution)


def test_a_share_worked_out_in_the_head_is_not_taken_for_a_number_of_the_question():
    problem = some(
        "A tank is 4 feet long, 10 feet wide and 9 feet high. It is half full, then half of that is lost. How much?",
        "It holds 4*10*9=<<4*10*9=360>>360.\nThe part left is 1/2 * 1/2 = 1/4.\nSo 360*1/4=<<360*1/4=90>>90.\n#### 90",
    )
    for new in varied(problem):
        assert "1/2 * 1/2 = 1/4" in new.solution and "*1/4=" in new.solution


def test_problems_without_a_solution_are_refused():
    assert isinstance(vary(Problem("own/train/1", "How many?"), random.Random(0), 1), Refusal)


def test_test_questions_are_never_varied():
    with pytest.raises(DataError, match="gsm8k/test/3 is a test question"):
        vary(Problem("gsm8k/test/3", CLIPS.question, CLIPS.answer, CLIPS.solution), random.Random(0), 1)


@given(
    st.text(alphabet="0123456789 .,$%/-ax\n", max_size=60),
    st.lists(st.text(alphabet="0123456789.+-*/()=<>% \n", max_size=20), max_size=4),
)
def test_any_text_is_varied_or_refused(question, parts):
    solution = "".join(f"<<{part}>>" for part in parts) + "#### 7"
    found = vary(Problem("own/train/1", question, "7", solution), random.Random(0), 1)
    assert isinstance(found, Refusal) or all(map(true_throughout, found))


# ---- all of GSM8K's training questions -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def everything() -> tuple[list[Problem], list[Problem], Counter[str]]:
    folder = data_dir()
    path = folder / "gsm8k" / "train.jsonl" if folder else Path(os.devnull)
    if not path.is_file():
        pytest.skip("no GSM8K here")
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    problems = [annotated(f"gsm8k/train/{i}", row["question"], row["answer"]) for i, row in enumerate(rows)]
    return problems, *vary_all(problems, 0, 1)


def test_thousands_of_varied_rows_keep_every_annotation_true(everything):
    problems, made, refused = everything
    assert len(made) > 3500 and len(made) + refused.total() == len(problems)
    assert all(map(true_throughout, made))
    assert all(number(p.answer) == values(p)[-1] for p in made)


def test_their_values_keep_the_originals_character(everything):
    problems, made, _ = everything
    originals = {p.id: p for p in problems}
    for problem in made:
        for old, new in zip(values(originals[problem.metadata["of"]]), values(problem), strict=True):
            assert (old.denominator == 1) <= (new.denominator == 1)
            assert (old > 0, old < 0) == (new > 0, new < 0)
            assert abs(new) <= max(3 * abs(old), 10)


def test_their_questions_differ_in_numbers_only_and_every_changed_number_is_used(everything):
    problems, made, _ = everything
    originals = {p.id: p for p in problems}
    for problem in made:
        original = originals[problem.metadata["of"]]
        old, new = mentions(original.question), mentions(problem.question)
        assert len(old) == len(new) and original.question != problem.question
        used = {number(x) for e in equations(problem.solution) for x in re.findall(r"\d+\.?\d*|\.\d+", e)}
        for before, after in zip(old, new, strict=True):
            if before.value != after.value:
                share = after.value / 100  # of 20%, also written 0.2, 0.8, 1.2, 80, or 120
                ways = {after.value, share, 1 - share, 1 + share, 100 - after.value, 100 + after.value}
                assert ways & used, problem


# ---- the command ---------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path) -> Path:
    path = tmp_path / "gsm8k" / "train.jsonl"
    path.parent.mkdir()
    rows = [{"question": CLIPS.question, "answer": CLIPS.solution}, {"question": "Why?", "answer": "#### 1"}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def test_the_command_writes_rows_once_and_counts_refusals(folder, capsys):
    out = folder / "varied.jsonl"
    command = ["--data-dir", str(folder), "--per-question", "3", "--out", str(out)]
    assert main([*command, "--limit", "1"]) == 0
    assert main(command) == 0
    assert main(command) == 0
    rows = [Solution.of(row) for row in read_rows(out) if "steps" in row]
    assert [row.id for row in rows] == ["gsm8k/train/0~1", "gsm8k/train/0~2", "gsm8k/train/0~3"]
    assert {row.origin for row in rows} == {"varied"}
    assert rows[0].provenance == {"origin": "varied", "of": "gsm8k/train/0", "seed": 0}
    assert "1 varied, 3 problems" in capsys.readouterr().out.splitlines()[-2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "gsm8k/test"], "only a train split"),
        (["--data", "nope/train"], "no data set 'nope'"),
        (["--per-question", "0"], "at least 1"),
    ],
)
def test_mistakes_are_one_line(arguments, message, tmp_path):
    with pytest.raises(UserError, match=message):
        main([*arguments, "--out", str(tmp_path / "x.jsonl")])


# ---- numbers in text -----------------------------------------------------------------------------------------------


@given(st.integers(2, 99))
def test_words_are_read_as_they_are_spelled(value):
    (found,) = mentions(f"There are {spell(Fraction(value))} of them.")
    assert found.value == value and found.is_word


def test_figures_are_read_with_commas_decimals_and_units():
    found = mentions("It costs $1,200.50 for 3 cups, .5 liters and 20%.")
    assert [(m.value, m.unit) for m in found] == [
        (Fraction("1200.5"), "$"),
        (3, "cups"),
        (Fraction("0.5"), "liters"),
        (20, "%"),
    ]


def test_a_number_is_written_in_the_manner_of_another():
    assert write(Fraction(2500), "1,200", pad=True) == "2,500"
    assert write(Fraction("2.5"), "1.75", pad=True) == "2.50"
    assert write(Fraction("2.5"), "1.75", pad=False) == "2.5"
    assert write(Fraction(3), "12.00", pad=False) == "3.00"
    assert rewrite("an 8 foot rope", [(3, 4, "9")]) == "a 9 foot rope"
