"""The tasks: what they load, what they call equal, and how they are named."""

import json
import sys
from pathlib import Path

import pytest

from data.errors import DataError, UserError
from data.records import Problem
from data.sources import data_dir
from reasoning.plugins import load_object, registered
from reasoning.tasks import TASKS, get_task
from reasoning.tasks.answers import final_answer
from reasoning.tasks.math500 import equal_math
from reasoning.tools.calculator import check


def benchmark(name: str, split: str) -> Path:
    folder = data_dir()
    if folder is None or not (folder / name / f"{split}.jsonl").is_file():
        pytest.skip(f"no {name} data")
    return folder


def write(path: Path, *rows: dict) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


class Own:
    """A task from outside the package."""

    name = "own"
    evaluation_only = False
    default_split = "all"
    instruction = "Answer."
    examples = ()

    def load(self, split, *, data_dir, limit, offset):
        return [Problem("own/0", "1+1?", "2")][offset:]

    def canonical(self, answer):
        return answer.strip() or None

    def judge(self, problem, answer):
        return answer == problem.answer


class Picky(Own):
    def __init__(self, something):
        pass


# ---- every built-in task -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TASKS)
def test_a_worked_example_ends_with_an_answer_and_its_annotations_are_right(name):
    task = get_task(name)
    assert task.name == name
    assert len(task.examples) >= 4
    for example in task.examples:
        lines = example.solution.split("\n")
        assert 3 <= len(lines) <= 5
        assert lines[-1].startswith("#### ")
        assert task.canonical(final_answer(example.solution)) is not None
        assert all(found.ok for line in lines for found in check(line))


@pytest.mark.parametrize("name", TASKS)
def test_no_worked_example_is_a_benchmark_question(name):
    task = get_task(name)
    folder = benchmark(name, "test")
    questions = {problem.question for problem in task.load("test", data_dir=folder, limit=None, offset=0)}
    assert len(questions) >= 500
    assert not questions & {example.question for example in task.examples}


# ---- gsm8k -----------------------------------------------------------------------------------------------------------


def test_gsm8k_problems_carry_id_number_and_solution(tmp_path):
    rows = [{"question": f"q{i}", "answer": f"Add.\n#### 1,{i}00"} for i in range(4)]
    write(tmp_path / "gsm8k" / "test.jsonl", *rows)
    first, second = get_task("gsm8k").load("test", data_dir=tmp_path, limit=2, offset=1)
    assert (first.id, first.question, first.answer) == ("gsm8k/test/1", "q1", "1100")
    assert first.solution == "Add.\n#### 1,100"
    assert second.id == "gsm8k/test/2"


def test_a_gsm8k_row_without_a_marked_answer_is_named(tmp_path):
    write(tmp_path / "gsm8k" / "test.jsonl", {"question": "q", "answer": "seven"})
    with pytest.raises(DataError, match="gsm8k/test/0: its answer has no line '#### number'"):
        get_task("gsm8k").load("test", data_dir=tmp_path, limit=None, offset=0)


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        *((text, True) for text in ("72", "72.00", "$72", "72 eggs", "144/2")),
        *((text, False) for text in ("73", "-72", "", "7 2", "9e999999")),
    ],
)
def test_gsm8k_answers_compare_as_numbers(answer, right):
    assert get_task("gsm8k").judge(Problem("p", "?", "72"), answer) is right


def test_every_gsm8k_reference_is_a_number_and_right():
    task = get_task("gsm8k")
    problems = task.load("test", data_dir=benchmark("gsm8k", "test"), limit=None, offset=0)
    assert len(problems) == 1319
    assert all(task.judge(p, task.canonical(final_answer(p.solution))) for p in problems)


def test_a_problem_without_a_reference_cannot_be_judged():
    for name in TASKS:
        with pytest.raises(DataError, match="problem p has no"):
            get_task(name).judge(Problem("p", "?"), "1")


# ---- math500 ---------------------------------------------------------------------------------------------------------


def test_math500_is_for_evaluation_only_and_has_no_training_split(tmp_path):
    assert get_task("math500").evaluation_only
    with pytest.raises(DataError, match="no split 'train'"):
        get_task("math500").load("train", data_dir=tmp_path, limit=1, offset=0)


@pytest.mark.parametrize(
    ("reference", "answer", "right"),
    [
        (r"\frac{1}{2}", "0.5", True),
        (r"\frac{\sqrt{2}}{2}", r"\frac{1}{\sqrt{2}}", True),
        ("(x-1)(x+1)", "x^2-1", True),
        (r"(-\infty, 3]", r"x \le 3", False),
        (r"\{1,2\}", r"\{2,1\}", True),
        ("(1,2)", "(2,1)", False),
        (r"\text{Ada}", "ada", True),
        (r"\text{east}", "seat", False),
        (r"\text{(C)}", "C", True),
        ("5", "6", False),
        ("5", r"\frac{", False),
        ("5", "", False),
        ("5", "__import__('os').getcwd()", False),
    ],
)
def test_math_answers_compare_by_value(reference, answer, right):
    assert equal_math(reference, answer) is right


def test_every_math500_reference_is_found_in_its_solution_and_right():
    task = get_task("math500")
    problems = task.load("test", data_dir=benchmark("math500", "test"), limit=None, offset=0)
    assert len(problems) == 500
    for problem in problems:
        assert final_answer(problem.solution) == problem.answer
        assert task.judge(problem, task.canonical(problem.answer)), problem.id
    assert set(problems[0].metadata) == {"unique_id", "subject", "level"}


# ---- jsonl -----------------------------------------------------------------------------------------------------------


def test_any_file_with_two_columns_is_a_task(tmp_path):
    path = write(tmp_path / "mine.jsonl", {"q": "1+1?", "a": 2, "hint": "count"}, {"q": "capital?", "a": None})
    task = get_task(str(path), question_column="q", answer_column="a")
    first, second = task.load(task.default_split, data_dir=None, limit=None, offset=0)
    assert (first.id, first.question, first.answer, first.metadata) == ("mine/0", "1+1?", "2", {"hint": "count"})
    assert (second.id, second.answer) == ("mine/1", None)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"problem": "?", "answer": "1"}, "no column 'question'; there are: problem, answer"),
        ({"question": "", "answer": "1"}, "column 'question' must be text"),
        ({"question": 7, "answer": "1"}, "column 'question' must be text"),
        ({"question": "?", "answer": ["1"]}, "column 'answer' must be text or a number"),
    ],
)
def test_a_bad_row_is_one_line(tmp_path, row, message):
    path = write(tmp_path / "mine.jsonl", row)
    with pytest.raises(DataError, match=message):
        get_task(str(path)).load("all", data_dir=None, limit=None, offset=0)


def test_a_file_has_no_splits(tmp_path):
    path = write(tmp_path / "mine.jsonl", {"question": "?", "answer": "1"})
    with pytest.raises(UserError, match="has no split 'test': leave --split out"):
        get_task(str(path)).load("test", data_dir=None, limit=None, offset=0)


@pytest.mark.parametrize(
    ("reference", "answer", "right"),
    [
        ("1,000", "1000.0", True),
        ("0.5", "1/2", True),
        ("2x", "x*2", True),
        ("New York", "new york", True),
        ("listen", "silent", False),
        ("yes", "no", False),
        ("B", "B", True),
        ("B", "C", False),
    ],
)
def test_file_answers_compare_as_numbers_mathematics_or_words(reference, answer, right):
    task = get_task("mine.jsonl")
    assert task.judge(Problem("p", "?", reference), task.canonical(answer)) is right


# ---- the registry ----------------------------------------------------------------------------------------------------


def test_an_unknown_task_names_the_nearest_and_the_known():
    with pytest.raises(UserError, match=r"unknown task 'gsm8'; did you mean gsm8k\? \(tasks: gsm8k, math500, "):
        get_task("gsm8")
    with pytest.raises(UserError, match=r"unknown task 'zzz' \(tasks"):
        get_task("zzz")


def test_a_task_from_outside_is_imported_and_made():
    task = get_task(f"{__name__}:Own")
    assert task.name == "own"
    assert task.judge(task.load("all", data_dir=None, limit=None, offset=0)[0], "2")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("no_such_module:Task", "cannot import 'no_such_module' .*ModuleNotFoundError"),
        (f"{__name__}:Missing", "has no 'Missing'"),
        (f"{__name__}:", "has no ''"),
        (f"{__name__}:Picky", "cannot be made without arguments"),
        ("json:JSONDecoder", "lacks: name, evaluation_only"),
    ],
)
def test_what_is_wrong_with_a_task_from_outside_is_one_line(spec, message):
    with pytest.raises(UserError, match=message) as raised:
        get_task(spec)
    assert "\n" not in str(raised.value)


def test_an_installed_package_registers_a_task_by_name(monkeypatch, tmp_path):
    info = tmp_path / "extra-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: extra\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[stepsolver.tasks]\nextra-task = {__name__}:Own\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    assert "extra-task" in registered("stepsolver.tasks")
    assert load_object("extra-task", "stepsolver.tasks") is Own
    assert get_task("extra-task").name == "own"
    with pytest.raises(UserError, match="extra-task"):
        get_task("extra-tusk")


def test_a_module_that_fails_to_import_is_a_one_line_error(monkeypatch, tmp_path):
    (tmp_path / "broken_task_module.py").write_text("raise RuntimeError('first\\nsecond')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(UserError, match=r"RuntimeError: first second$"):
        load_object("broken_task_module:Task", "stepsolver.tasks")
