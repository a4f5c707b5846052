"""Training data is compared with test questions: copies and light rewordings are found, other questions are not."""

import json
import time
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.contamination import Index, main, questions, words
from data.errors import DataError, UserError
from data.rows import Preference, RowFile, Side, Solution

ASKED = (
    "A baker in Lund bakes 1,200 rolls on Monday and half as many on Tuesday. He sells every roll for $2.50 and "
    "gives a tenth of the money to the school next door. How many dollars does the school get from him?"
)
SOLVED = "<<1200/2=600>>\n<<1200+600=1800>>\n<<1800*2.5=4500>>\n<<4500/10=450>>\n#### 450"
OTHER = "A train with 12 coaches carries 80 people in each coach. How many people does the train carry in total?"


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A data directory with a test split of two questions and a training split of one other."""
    for name, rows in {
        "gsm8k/test": [{"question": ASKED, "answer": SOLVED}, {"question": OTHER, "answer": "<<12*80=960>>\n#### 960"}],
        "gsm8k/train": [{"question": "Ben has 3 pens and 4 caps. How many things?", "answer": "<<3+4=7>>\n#### 7"}],
        "math500/test": [
            {"problem": "Compute $1+1$.", "solution": "2", "answer": "2", "unique_id": "a", "subject": "b", "level": 1}
        ],
    }.items():
        path = tmp_path / f"{name}.jsonl"
        path.parent.mkdir(exist_ok=True)
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    monkeypatch.setenv("STEPSOLVER_DATA", str(tmp_path))
    return tmp_path


def index() -> Index:
    rows = [{"id": "t/0", "question": ASKED, "answer": SOLVED}, {"id": "t/1", "question": OTHER, "answer": ""}]
    return Index(questions(rows, "test"))


def closest(text: str, answer: str = ""):
    (question,) = questions([{"id": "q", "question": text, "answer": answer}], "train")
    return next(iter(index().overlaps(question)), None)


def test_a_copy_is_found_however_it_is_written():
    copy = ASKED.upper().replace(",200", "200.0").replace("$2.50", "2.5 $ -").replace("?", " ?!")
    found = closest(copy)
    assert (found.test, found.equal, found.long, found.strict) == ("t/0", True, 1.0, True)


def test_a_light_rewording_is_strict_and_not_equal():
    found = closest(ASKED.replace("How many dollars does the school get from him?", "How much is that?"))
    assert found.test == "t/0" and not found.equal and found.strict and 0.5 <= found.long < 1


def test_a_rewording_in_the_middle_shows_in_shorter_grams_and_in_equations():
    reworded = ASKED.replace("half as many", "one half of that").replace("every roll", "each").replace("a tenth", "10%")
    found = closest(reworded.replace("next door", "nearby"), SOLVED)
    assert not found.strict and found.short > found.long and not found.equations  # 10 is a number of it now
    found = closest("Rolls: 1200, then half. Price 2.50. A tenth of it?", SOLVED)
    assert (found.test, found.equations, found.long) == ("t/0", True, 0.0)


def test_other_numbers_are_another_calculation():
    found = closest("Rolls: 1300, then half. Price 2.50. A tenth of it?", SOLVED)
    assert found is None


def test_an_unrelated_question_overlaps_with_nothing():
    assert closest("How many legs do seven spiders have together?") is None


def test_short_questions_are_compared_whole():
    tiny = Index(questions([{"id": "t", "question": "What is 2+3?"}], "test"))
    (same,) = questions([{"id": "q", "question": "what is 2 + 3"}], "train")
    (longer,) = questions([{"id": "q", "question": "what is 2 + 3 + 4"}], "train")
    assert tiny.overlaps(same)[0].equal and tiny.overlaps(longer) == []


def test_the_jaccard_index_is_shared_over_all_grams():
    a = " ".join(chr(97 + i) for i in range(20))
    b = a.replace("t", "z")  # the last of 8 13-grams differs
    (left,) = questions([{"id": "l", "question": a}], "x")
    (right,) = questions([{"id": "r", "question": b}], "x")
    (found,) = Index([left]).overlaps(right)
    assert found.long == pytest.approx(7 / 9) and found.short == pytest.approx(12 / 14)


@given(st.text(max_size=80), st.text(max_size=80))
def test_any_texts_are_compared_alike_both_ways(a, b):
    left, right = questions([{"question": a or "x"}, {"question": (b or "x") + " y"}], "x")
    one = {(o.equal, o.long, o.short) for o in Index([left]).overlaps(right)}
    assert one == {(o.equal, o.long, o.short) for o in Index([right]).overlaps(left)}


def test_words_have_no_case_accents_punctuation_or_number_format():
    assert words("Café: THREE-piece, 1,200.50 (and .5)!") == ("cafe", "three", "piece", "1200.5", "and", "0.5")
    assert words("9" * 5000) == ("9" * 5000,)


def test_every_kind_of_row_is_read_and_bookkeeping_is_passed_over(tmp_path):
    side = Side("<<1+1=2>>\n", (1,), (1,), 0.5, 4)
    rows = [
        {"settings": {}},
        Solution("s", ASKED, "450", tuple(f"{x}\n" for x in SOLVED.splitlines())).to_json(),
        Preference("p", OTHER, "960", (), (1,), side, Side("", (2,), (1,), 0.1, 4), "rule").to_json(),
        {"problem": "What is 5 times 7?", "solution": "<<5*7=35>>"},
        {"group": "s"},
    ]
    found = questions(json.loads(json.dumps(rows)), "file")
    assert [len(q.equations) for q in found] == [1, 0, 1]
    assert found[0].numbers == {1200, Fraction("2.5")} and found[2].id == "file:4"


def test_solutions_of_one_question_are_one_question():
    (found,) = questions([{"question": OTHER, "answer": "<<1+1=2>>"}, {"question": OTHER, "answer": "<<2+2=4>>"}], "x")
    assert found.equations == {("<<1+1=2>>",), ("<<2+2=4>>",)}


def test_a_row_without_a_question_names_file_and_row():
    with pytest.raises(DataError, match=r"f\.jsonl: row 2 has no text in 'question'"):
        questions([{"question": "x"}, {"text": "y"}], "f.jsonl")


# ---- the command ---------------------------------------------------------------------------------------------------


def test_clean_data_ends_with_0_and_a_table(folder, capsys):
    assert main(["gsm8k/train"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["gsm8k/train", "gsm8k/test", "1", "0", "0", "0", "0", "0"]
    assert lines[2].split()[1] == "math500/test"


def test_a_planted_test_question_ends_with_1_and_is_named(folder, tmp_path, capsys):
    planted, out = tmp_path / "made.jsonl", tmp_path / "out" / "report.json"
    with RowFile(planted, {}) as file:
        file.add("a", [Solution("gsm8k/train/5", ASKED, "450", tuple(f"{x}\n" for x in SOLVED.splitlines())).to_json()])
        file.add("b", [Solution("gsm8k/train/6", "Is 2 even?", "1", ("#### 1",)).to_json()])
    assert main([str(planted), "gsm8k/train", "--against", "gsm8k/test", "--json", str(out)]) == 1
    assert "strict: gsm8k/train/5 is gsm8k/test/0 (equal)" in capsys.readouterr().out
    report = json.loads(out.read_text())
    assert [(c["train"], c["questions"], c["equal"], c["equations"]) for c in report["counts"]] == [
        (str(planted), 2, 1, 1),
        ("gsm8k/train", 1, 0, 0),
    ]
    assert [(m["train"], m["test"], m["equations"]) for m in report["matches"]] == [
        ("gsm8k/train/5", "gsm8k/test/0", True)
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.jsonl"], "no data file nowhere.jsonl"),
        (["gsm8k/train", "--against", "nope/test"], "no NAME/SPLIT"),
        (["gsm8k/dev"], "no split 'dev'"),
        (["gsm8k/train", "--offset", "9"], "gsm8k/train holds no questions"),
        (["gsm8k/train", "--limit", "0"], "at least 1"),
    ],
)
def test_mistakes_are_one_line(folder, arguments, message):
    with pytest.raises(UserError, match=message):
        main(arguments)


def test_the_time_grows_with_the_data_not_with_its_square():
    def seconds(count: int) -> float:
        rows = [{"question": " ".join(f"w{i * 7 + k}" for k in range(40))} for i in range(count)]
        asked = questions(rows, "x")
        began = time.process_time()
        built = Index(asked)
        for question in asked:
            built.overlaps(question)
        return time.process_time() - began

    assert seconds(2000) < 25 * max(seconds(200), 0.005)  # the square would be 100 times as long
