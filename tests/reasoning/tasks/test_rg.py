"""Every reasoning-gym generator is a task whose own answers are right, and whose scorer runs nothing a model wrote."""

import itertools

import pytest

pytest.importorskip("reasoning_gym")

from data.errors import UserError
from data.records import Problem
from reasoning.grading import grade
from reasoning.tasks import get_task
from reasoning.tasks.rg import EXAMPLES, SPLITS, generate, names

# These know no answer of their own.
WITHOUT_ANSWER = {"boxnet", "rush_hour"}


@pytest.fixture(scope="module")
def problems():
    """The first two test problems of every generator, made in one process."""
    seed, size = SPLITS["test"]
    made = generate([(name, seed, size, 0, 2) for name in names()])
    return {
        name: [Problem(f"{name}/{i}", e["question"], e["reference"], metadata=e["metadata"]) for i, e in enumerate(two)]
        for name, two in zip(names(), made, strict=True)
    }


def test_there_are_a_hundred_generators_and_composite_is_none_of_them():
    assert len(names()) >= 100
    assert "composite" not in names()


@pytest.mark.parametrize("name", names())
def test_a_generators_own_answer_is_right_and_nonsense_is_not(problems, name):
    task = get_task(f"rg:{name}")
    for problem in problems[name]:
        assert problem.question
        if name in WITHOUT_ANSWER:
            assert problem.answer is None
        else:
            assert task.judge(problem, task.canonical(problem.answer))
        for nonsense in ("", "nonsense"):
            assert not grade(task, problem, nonsense).correct


def test_problems_are_fixed_and_splits_are_apart():
    task = get_task("rg:word_ladder")  # it iterates over sets: without a fixed hash seed no two processes agree
    first = task.load("test", data_dir=None, limit=3, offset=0)
    assert [p.id for p in first] == [f"rg:word_ladder/test/{i}" for i in range(3)]
    assert task.load("test", data_dir=None, limit=2, offset=1) == first[1:]
    assert not {p.question for p in first} & {p.question for p in task.load("train", data_dir=None, limit=3, offset=0)}
    seeds = sorted([*SPLITS.values(), EXAMPLES])
    assert all(seed + size <= after for (seed, size), (after, _) in itertools.pairwise(seeds))


def test_a_split_ends():
    task = get_task("rg:leg_counting")
    assert [p.id for p in task.load("test", data_dir=None, limit=5, offset=998)] == [
        "rg:leg_counting/test/998",
        "rg:leg_counting/test/999",
    ]
    with pytest.raises(UserError, match="no split 'dev'; choose one of: test, train"):
        task.load("dev", data_dir=None, limit=1, offset=0)


def test_examples_come_from_the_same_generator_and_end_with_an_answer_on_one_line():
    examples = get_task("rg:rotate_matrix").examples
    assert len(examples) == 2
    for example in examples:
        assert example.solution.startswith("#### ")
        assert "\n" not in example.solution
        assert "\\n" in example.solution


def test_an_answer_of_several_lines_is_right_on_one_line(problems):
    task, [problem, _] = get_task("rg:rotate_matrix"), problems["rotate_matrix"]
    assert "\n" in problem.answer
    assert task.canonical(problem.answer) == problem.answer.replace("\n", "\\n")
    assert task.judge(problem, problem.answer)
    assert task.judge(problem, problem.answer.replace("\n", "\\n"))


def test_gsm_symbolic_is_for_evaluation_only_and_compares_numbers():
    task = get_task("rg:gsm_symbolic")
    assert task.evaluation_only
    assert task.examples == get_task("gsm8k").examples
    [problem] = task.load("test", data_dir=None, limit=1, offset=0)
    assert task.judge(problem, f"${problem.answer}.00")
    # reasoning-gym's own scorer calls both of these right.
    assert not task.judge(problem, f"-{problem.answer}")
    assert not task.judge(problem, f"{problem.answer} or 17")


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("binary_matrix", "[[open(PATH, 'w')]]"),
        ("n_queens", "[[open(PATH, 'w')]]"),
        ("spiral_matrix", "[open(PATH, 'w')]"),
        ("string_insertion", "[open(PATH, 'w').name]"),
        ("countdown", "open(PATH, 'w')"),
        ("puzzle24", "open(PATH, 'w')"),
        ("polynomial_multiplication", "open(PATH, 'w')"),
        ("simple_integration", "open(PATH, 'w')"),
        ("intermediate_integration", "open(PATH, 'w')"),
    ],
)
def test_a_scorer_never_evaluates_what_a_model_wrote(problems, name, answer, tmp_path):
    path = tmp_path / "written"
    task = get_task(f"rg:{name}")
    assert not task.judge(problems[name][0], answer.replace("PATH", repr(str(path))))
    assert not path.exists()


def test_scorers_that_accept_wrong_answers_are_not_believed(problems):
    def judge(name, answer, problem):
        return get_task(f"rg:{name}").judge(problem, answer)

    halting = problems["game_of_life_halting"][0]
    other = {"True": "False", "False": "True"}[halting.answer]
    assert judge("game_of_life_halting", halting.answer.lower(), halting)
    assert not judge("game_of_life_halting", other, halting)

    puzzle = problems["puzzle24"][0]
    assert not judge("puzzle24", "1*2*3*4", puzzle)
    assert sorted(puzzle.metadata["numbers"]) != [1, 2, 3, 4]

    coin = Problem("p", "?", "0.3125")
    assert judge("coin_flip", "5/16", coin)
    assert not judge("coin_flip", "0.3", coin)
    assert judge("coin_flip", "3.051757812e-05", Problem("p", "?", "3.051757812e-05"))


def test_an_unknown_generator_names_the_nearest():
    with pytest.raises(UserError, match=r"no generator 'sudko'; did you mean .*rg:sudoku"):
        get_task("rg:sudko")
    with pytest.raises(UserError, match="no generator 'composite'"):
        get_task("rg:composite")
