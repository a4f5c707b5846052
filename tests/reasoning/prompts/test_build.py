"""python -m reasoning.prompts build, and searches that spread their samples over what it built."""

import asyncio
import json
from pathlib import Path

import pytest

from data.errors import UserError
from data.records import Problem
from reasoning import Solver
from reasoning.collect.sampler import Sampler
from reasoning.collect.trees import open_trees
from reasoning.engine.toy import ByteTokenizer, ToyEngine
from reasoning.grading import Grader
from reasoning.policy import Policy
from reasoning.profiles import PROFILES
from reasoning.prompts import read_prompts
from reasoning.prompts.__main__ import main
from reasoning.prompts.demonstrations import auto_cot
from reasoning.runs import open_run, read_run
from reasoning.runs.text import problem_page, rebuild
from reasoning.solve import main as solve
from reasoning.tasks.gsm8k import Gsm8k

TOPICS = ("a farm sells apples and pears", "a train and a bus drive miles", "walls need buckets of paint")
PROBLEMS = [Problem(f"p/train/{i}", f"{TOPICS[i % 3]}: {i} + {i + 1} - 3", answer=str(2 * i - 2)) for i in range(30)]


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """Where data, runs and prompts lie."""
    monkeypatch.setenv("STEPSOLVER_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("STEPSOLVER_DATA", str(tmp_path))
    (tmp_path / "gsm8k").mkdir()
    rows = "".join(json.dumps({"question": p.question, "answer": f"#### {p.answer}"}) + "\n" for p in PROBLEMS)
    for split in ("train", "test"):
        (tmp_path / "gsm8k" / f"{split}.jsonl").write_text(rows)
    return tmp_path


def build(folder: Path, *arguments: str, kinds=("plain", "plan-and-solve", "auto-cot")) -> str:
    out = str(folder / "prompts.json")
    assert main(["build", "--kind", *kinds, "--policy", "toy", "--out", out, *arguments]) == 0
    return out


def demonstrations(problems, clusters=3, count=1, error=0.0):
    policy = Policy(ToyEngine(error), Gsm8k(), PROFILES["lines-zero-shot"])
    return asyncio.run(auto_cot(Sampler(policy, Grader(Gsm8k()), "test"), problems, clusters, count))


def test_auto_cot_takes_one_right_short_solution_from_each_cluster():
    found = demonstrations(PROBLEMS, count=2, error=0.3)
    assert [p.name for p in found] == ["auto-cot/1", "auto-cot/2"]
    questions = [e.question for p in found for e in p.examples]
    assert len(set(questions)) == 6
    known = {p.question: p.answer for p in PROBLEMS}
    for prompt in found:
        assert {e.question.partition(":")[0] for e in prompt.examples} == set(TOPICS)
        for example in prompt.examples:
            assert example.solution.endswith(f"\n#### {known[example.question]}")
            assert 2 <= len(example.solution.splitlines()) <= 6
    assert found == demonstrations(PROBLEMS, count=2, error=0.3)


@pytest.mark.parametrize(
    ("problems", "said"),
    [
        (PROBLEMS[:2], "3 clusters need 3 different questions, and there are 2"),
        ([PROBLEMS[0]] * 9, "3 clusters need 3 different questions, and there are 1"),
        # Wrong references, no reference, too many steps, too many words: no question of a cluster will do.
        ([Problem(p.id, p.question, "-99") for p in PROBLEMS], "cluster 1 of 3 .10 questions. gave 0 short right"),
        ([Problem(p.id, p.question) for p in PROBLEMS], "gave 0 short right"),
        ([Problem(p.id, f"{p.question} + 1 + 1 + 1 + 1", str(int(p.answer) + 4)) for p in PROBLEMS], "gave 0 short"),
        ([Problem(p.id, f"{p.question} {'so ' * 60}", p.answer) for p in PROBLEMS], "gave 0 short right"),
    ],
)
def test_clusters_that_give_no_example_are_named_in_one_line(problems, said):
    with pytest.raises(UserError, match=said) as caught:
        demonstrations(problems)
    assert "\n" not in str(caught.value)


def test_a_built_set_says_what_it_is_of(folder, capsys):
    found = read_prompts(Path(build(folder, "--demonstrations", "3", "--count", "2")))
    assert (found.task, found.policy, found.adapter, found.profile) == ("gsm8k", "toy", None, "lines")
    assert [p.name for p in found.prompts] == ["plain", "plan-and-solve", "auto-cot/1", "auto-cot/2"]
    assert "plain, plan-and-solve, auto-cot/1, auto-cot/2; " in capsys.readouterr().out


@pytest.mark.parametrize("method", ["best-of-n", "beam", "dvts", "mcts"])
def test_a_search_spreads_its_first_samples_over_the_prompts(folder, method):
    out = build(folder, "--demonstrations", "3")
    names = [p.name for p in read_prompts(Path(out)).prompts]
    with (
        Solver("gsm8k", method, "toy", prompts=out, engine={"error": "0.4"}) as solver,
        open_run("spread", solver.describe(), resume=False) as run,
    ):
        results = solver.run(PROBLEMS[:3], run=run)
    tokenizer, view = ByteTokenizer(), read_run("spread")
    for result in results:
        assert result.failed is None
        tree = rebuild(view, result, view.tells(result.problem))
        heads = {name: tokenizer.decode(tree.root.prompt_of(number)) for number, name in enumerate(names)}
        assert heads["plan-and-solve"].endswith("show the answer.\n")
        assert sum(heads["auto-cot"].count(topic) for topic in TOPICS) == 4
        assert {tree.prompt_number(child) for child in tree.nodes[0].children} == {0, 1, 2}
        # What is kept says which prompt every answer came from.
        kept = result.extra["prompts"]
        assert list(kept) == names
        given = {name: {} for name in names}
        for node in tree.answered():
            name = names[tree.path(node.id)[0].index % 3]
            given[name][node.step.answer] = given[name].get(node.step.answer, 0) + node.samples
        assert kept == given
        assert result.answer in kept[result.extra["prompt"]]
        page = problem_page(view, result)
        assert all(f"[{name}]" in page for name in names)


def test_the_policy_is_asked_with_the_prompt_of_each_solution(folder):
    out = build(folder, "--demonstrations", "3")
    engine, asked = ToyEngine(0.0), []
    complete = engine.complete

    async def watched(prompt_ids, sampling):
        asked.append(tuple(prompt_ids))
        return await complete(prompt_ids, sampling)

    engine.complete = watched
    with Solver("gsm8k", "beam", engine, prompts=out, beam_width=3, expand=3) as solver:
        tree = solver.solve(PROBLEMS[4]).tree
    assert len(tree.nodes[0].children) == 3  # this toy writes one solution after each prompt
    roots = {tree.root.prompt_of(number) for number in range(3)}
    assert set(asked) == roots | {tree.ids(node.id) for node in tree.nodes[1:] if node.asked}


def test_another_set_is_another_run(folder, capsys):
    out = build(folder, kinds=("plan-and-solve",))
    arguments = ["gsm8k", "--policy", "toy", "--method", "greedy", "--limit", "1", "--prompts", out]
    assert solve([*arguments, "--run", "a"]) == 0
    assert solve([*arguments, "--run", "a", "--resume"]) == 0
    build(folder, kinds=("plain",))
    capsys.readouterr()
    assert solve([*arguments, "--run", "a", "--resume"]) == 2
    assert "prompts was" in capsys.readouterr().err


def test_trees_of_several_prompts_are_no_training_data(folder):
    """First steps after different prompts are no siblings."""
    with open_run("mixed", {"task": "gsm8k", "split": "train", "method": "mcts", "prompts": "1"}, resume=False):
        pass
    with pytest.raises(UserError, match="spread its samples over --prompts"):
        open_trees("mixed")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--kind", "poem"], "invalid choice"),
        (["--demonstrations", "0"], "at least 1"),
        (["--demonstrations", "31"], "31 clusters need 31 different questions, and there are 30"),
        (["--offset", "99"], "no questions at offset 99"),
        (["--split", "test"], "for measuring only"),
        (["--out", "/nowhere/at/all.json"], "no folder"),
        (["--profile", "draft"], "form of its own"),
        (["--kind", "modules"], "wrote no modules in 3 tries"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(folder, capsys, arguments, said):
    out = folder / "p.json"
    assert main(["build", "--kind", "auto-cot", "--policy", "toy", "--out", str(out), *arguments]) == 2
    lines = [s for s in capsys.readouterr().err.splitlines() if not s.startswith(("starting", "toy on"))]
    assert len(lines) == 1
    assert said in lines[0]
    assert not out.exists()


def test_a_set_that_does_not_fit_is_refused_before_the_search(folder, capsys):
    out = build(folder, kinds=("plain",))
    (folder / "own.jsonl").write_text('{"question": "1 + 1?", "answer": "2"}\n')
    for arguments, said in (
        ([str(folder / "own.jsonl"), "--prompts", out], "of the task gsm8k, not"),
        (["gsm8k", "--prompts", out, "--profile", "lines-zero-shot"], "of the profile lines, not lines-zero-shot"),
        (["gsm8k", "--prompts", str(folder / "absent.json")], "cannot read the prompts"),
    ):
        capsys.readouterr()
        assert solve([*arguments, "--policy", "toy"]) == 2
        errors = [s for s in capsys.readouterr().err.splitlines() if not s.startswith("starting")]
        assert len(errors) == 1
        assert said in errors[0]
