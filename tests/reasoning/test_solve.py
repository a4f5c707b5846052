"""The command, end to end, with the toy policy: output, exit codes, bad input, kill and resume."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from reasoning import Solver
from reasoning.runs import open_run
from reasoning.solve import main
from search.methods import METHODS

ROOT = Path(__file__).parents[2]
KEYS = {
    "task", "split", "method", "policy", "adapter", "reward", "problems", "correct", "accuracy", "ci95", "failed",
    "prompt_tokens", "cached_tokens", "completion_tokens", "reward_tokens", "computed_tokens", "wall_s", "tokens_per_s",
    "seed", "version",
}  # fmt: skip


@pytest.fixture
def problems(tmp_path, monkeypatch):
    """Twelve sums that the toy policy can solve, and a place of their own for runs."""
    monkeypatch.setenv("STEPSOLVER_RUNS", str(tmp_path / "runs"))
    path = tmp_path / "sums.jsonl"
    rows = [{"question": f"What is {i} + {i + 1} - 3?", "answer": str(2 * i - 2)} for i in range(12)]
    path.write_text("".join(json.dumps(r) + "\n" for r in rows))
    return str(path)


def solve(*arguments: str) -> int:
    return main([*arguments, "--policy", "toy"])


@pytest.mark.parametrize("method", ["greedy", "best-of-n", "beam", "dvts", "mcts"])
def test_every_method_ends_with_the_table_and_the_summary(problems, tmp_path, capsys, method):
    assert solve(problems, "--method", method, "--json", str(tmp_path / "out.json"), "--show", "1") == 0
    summary = json.loads((tmp_path / "out.json").read_text())
    assert summary.keys() >= KEYS
    assert summary["problems"] == 12
    assert summary["correct"] == round(summary["accuracy"] * 12)
    assert summary["ci95"][0] <= summary["accuracy"] <= summary["ci95"][1]
    rewarded = method in ("beam", "dvts", "mcts")
    assert rewarded == (summary["reward"] == "logprob")
    assert summary["reward_tokens"] == 0
    policy = summary["prompt_tokens"] - summary["cached_tokens"] + summary["completion_tokens"]
    assert summary["computed_tokens"] == policy + summary["reward_tokens"]
    out = capsys.readouterr().out
    assert "95% interval" in out
    assert "What is 0 + 1 - 3?" in out
    assert "computed tokens" in out


def test_another_model_may_judge(problems, tmp_path):
    judge = ["--reward", "generative", "--reward-policy", "toy", "--reward-suffix", "?", "--reward-good", "+"]
    assert solve(problems, "--limit", "3", *judge, "--reward-bad", "-", "--json", str(tmp_path / "o.json")) == 0
    summary = json.loads((tmp_path / "o.json").read_text())
    assert summary["reward"] == "generative"
    assert summary["reward_tokens"] > 0
    assert summary["failed"] == 0


def test_the_toy_policy_without_errors_is_right(problems, tmp_path):
    assert solve(problems, "--method", "greedy", "--json", str(tmp_path / "out.json")) == 0
    summary = json.loads((tmp_path / "out.json").read_text())
    assert (summary["correct"], summary["accuracy"]) == (12, 1.0)


def test_any_parameter_of_a_method_may_be_given_and_is_recorded(problems, tmp_path):
    given = ["--method", "adaptive", "--n", "4", "--param", "keep=0.25", "--param", "prune_after=3"]
    assert solve(problems, "--limit", "2", *given, "--json", str(tmp_path / "out.json")) == 0
    params = json.loads((tmp_path / "out.json").read_text())["params"]
    assert params == {"n": 4, "threshold": 0.9, "keep": 0.25, "prune_after": 3, "vote": "best"}


def test_the_help_lists_every_method_with_its_parameters(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    listed = capsys.readouterr().out.partition("methods, and their parameters")[2]
    for name, method in METHODS.items():
        assert f"  {name:<22}{method.summary}\n" in listed
    assert "n=16 threshold=0.9 keep=0.5 prune_after=2 vote=best" in listed
    assert "iterations=40 expand=5 c=1.25" in listed
    assert all(len(line) <= 100 for line in listed.splitlines())


def test_the_token_budget_is_kept_for_every_problem(problems):
    assert solve(problems, "--method", "beam", "--max-tokens-per-problem", "100", "--run", "tight") == 0
    from reasoning.runs import read_run

    rows = read_run("tight").results
    assert len(rows) == 12
    # Rewards here generate one token each, which counts too.
    for row in rows:
        tells = read_run("tight").tells(row.problem)
        assert sum(t["outcome"]["usage"][2] for t in tells) <= 100


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["gsm9k"], "gsm8k"),
        (["rg:chain_som"], "chain_sum"),
        (["X", "--method", "beem"], "did you mean 'beam'"),
        (["X", "--method", "beam", "--n", "3"], "no parameter 'n'"),
        (["X", "--n", "-3"], "--n is -3"),
        (["X", "--limit", "many"], "--limit"),
        (["X", "--temperature", "nan"], "--temperature"),
        (["X", "--method", "dvts", "--n", "7"], "multiple of 4"),
        (["X", "--vote", "loudest"], "majority, weighted, best"),
        (["X", "--reward", "vibes"], "unknown reward 'vibes'"),
        (["X", "--reward", "logprob", "--reward-policy", "toy"], "--reward-policy goes with --reward generative"),
        (["X", "--reward", "self-eval", "--reward-good", "yes"], "single one"),
        (["X", "--reward-good", "yes"], "--reward-good goes with --reward self-eval"),
        (["X", "--profile", "poem"], "lines"),
        (["X", "--profile", "chat"], "chat template"),
        (["X", "--engine", "speed=9"], "latency"),
        (["X", "--engine", "speed"], "KEY=VALUE"),
        (["X", "--resume"], "--run NAME"),
        (["X", "--run", "../../etc"], "run name"),
        (["X", "--run", "absent", "--resume"], "there is no run"),
        (["X", "--json", "/nowhere/at/all.json"], "no folder"),
        (["X", "--question-column", "text"], "question, answer"),
        (["X", "--offset", "99"], "no problems"),
        (["X", "--split", "dev"], "split"),
        (["X", "--recipe", "/nowhere.yaml"], "cannot read the recipe"),
        (["X", "--method", "no.such.module:Thing"], "no.such.module"),
        (["X", "--param", "keep"], "KEY=VALUE"),
        (["X", "--param", "keep=0.5"], "no parameter 'keep'"),
        (["X", "--method", "adaptive", "--param", "keep=half"], "keep must be a number from 0 to 1"),
        (["X", "--frobnicate"], "--frobnicate"),
        ([], "name a task"),
        (["absent.jsonl"], "absent.jsonl"),
        (["gsm8k", "--data-dir", "/nowhere"], "/nowhere"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(problems, capsys, arguments, said):
    assert solve(*[problems if a == "X" else a for a in arguments]) == 2
    captured = capsys.readouterr()
    lines = [line for line in captured.err.splitlines() if not line.startswith("starting ")]
    assert len(lines) == 1
    assert lines[0].startswith("error: ")
    assert said in lines[0]
    assert captured.out == ""
    assert not (Path(os.environ["STEPSOLVER_RUNS"])).exists()


def test_a_recipe_gives_settings_and_the_command_line_wins(problems, tmp_path):
    recipe = tmp_path / "r.yaml"
    recipe.write_text("method: beam\nbeam-width: 2\nexpand: 2\nlimit: 3\nengine: {error: '0.5'}\n")
    assert solve(problems, "--recipe", str(recipe), "--limit", "2", "--json", str(tmp_path / "o.json")) == 0
    summary = json.loads((tmp_path / "o.json").read_text())
    assert (summary["problems"], summary["params"]["width"], summary["params"]["expand"]) == (2, 2, 2)


def test_a_question_longer_than_the_context_fails_alone(tmp_path, capsys):
    path = tmp_path / "long.jsonl"
    path.write_text(
        json.dumps({"question": "1 + 1? " * 2000, "answer": "2"})
        + "\n"
        + json.dumps({"question": "1 + 2?", "answer": "3"})
    )
    assert solve(str(path), "--method", "greedy", "--json", str(tmp_path / "o.json"), "--show", "1") == 0
    summary = json.loads((tmp_path / "o.json").read_text())
    assert (summary["problems"], summary["failed"], summary["correct"]) == (2, 1, 1)
    assert "context" in capsys.readouterr().out


def test_when_every_problem_fails_the_exit_code_is_1(tmp_path):
    path = tmp_path / "long.jsonl"
    path.write_text(json.dumps({"question": "1 + 1? " * 2000, "answer": "2"}))
    assert solve(str(path), "--method", "greedy") == 1


# ---- kill and resume -------------------------------------------------------------------------------------------------


def export(name: str) -> list[dict]:
    out = subprocess.run(
        [sys.executable, "-m", "reasoning.runs", "export", name, "--tells"],
        cwd=ROOT, env=os.environ, capture_output=True, text=True, check=True,
    )  # fmt: skip
    rows = [json.loads(line) for line in out.stdout.splitlines()]
    for row in rows:
        del row["seconds"], row["engine_seconds"]
        for tell in row["tells"]:
            tell["outcome"]["usage"].pop()  # its seconds
    return rows


@pytest.mark.parametrize("method", ["beam", "mcts"])
def test_a_killed_and_resumed_run_equals_an_uninterrupted_one(problems, method):
    rows = [{"question": f"What is {i} + {i + 1} - 3 + 4 + 5 - 6?", "answer": str(2 * i + 1)} for i in range(30)]
    Path(problems).write_text("".join(json.dumps(r) + "\n" for r in rows))
    arguments = [problems, "--method", method, "--concurrency", "2"]
    assert solve(*arguments, "--run", "whole") == 0
    command = [sys.executable, "-m", "reasoning.solve", *arguments, "--policy", "toy", "--run", "torn"]
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    from reasoning.runs import read_run, run_names

    while "torn" not in run_names() or len(read_run("torn").results) < 2:
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = len(read_run("torn").results)
    assert 2 <= done < 30
    assert solve(*arguments, "--run", "torn", "--resume") == 0
    assert export("torn") == export("whole")


def test_resuming_with_another_setting_names_it(problems, capsys):
    assert solve(problems, "--method", "beam", "--limit", "2", "--run", "a") == 0
    capsys.readouterr()
    assert solve(problems, "--method", "beam", "--limit", "2", "--run", "a", "--resume", "--beam-width", "7") == 2
    assert "params.width was 3, now 7" in capsys.readouterr().err
    # Going further is no change.
    assert solve(problems, "--method", "beam", "--limit", "4", "--run", "a", "--resume", "--concurrency", "1") == 0
    assert "2 of 4 problems are done already" in capsys.readouterr().err
    assert len(export("a")) == 4


@pytest.mark.parametrize(
    ("method", "later", "now"),
    [
        ("mcts", ("variant", "commit", "widen"), "widen=0.5"),
        ("refine", ("rollout.aggregate",), "rollout.aggregate=min"),
    ],
)
def test_a_run_from_before_a_parameter_goes_on_with_its_default(problems, capsys, method, later, now):
    told = Solver(problems, method, "toy", limit=2).describe()
    for key in later:
        del told["params"][key]
    del told["reward_engine"]
    open_run("old", told, resume=False).close()
    arguments = [problems, "--method", method, "--limit", "2", "--run", "old", "--resume"]
    assert solve(*arguments, "--param", now) == 2
    key, _, value = now.partition("=")
    assert re.search(rf"params\.{re.escape(key)} was \S+, now \"?{value}", capsys.readouterr().err)
    assert solve(*arguments) == 0
    assert len(export("old")) == 2


def test_a_run_with_a_parameter_that_is_no_more_is_refused_by_its_name(problems, capsys):
    told = Solver(problems, "beam", "toy", limit=2).describe()
    open_run("old", {**told, "params": {**told["params"], "patience": 3}}, resume=False).close()
    assert solve(problems, "--method", "beam", "--limit", "2", "--run", "old", "--resume") == 2
    assert "params.patience was 3, now absent" in capsys.readouterr().err


def test_show_prints_the_tree_of_a_stored_problem(problems, capsys):
    from reasoning.runs.__main__ import main as runs

    assert solve(problems, "--method", "mcts", "--limit", "1", "--run", "t") == 0
    capsys.readouterr()
    assert runs(["show", "t", "--problem", "0"]) == 0
    out = capsys.readouterr().out
    assert "visits" in out
    assert "What is 0 + 1 - 3?" in out


def test_ctrl_c_says_what_there_is_and_how_to_go_on(problems):
    command = [sys.executable, "-m", "reasoning.solve", problems, "--policy", "toy", "--method", "mcts", "--engine",
               "latency=0.01", "--concurrency", "1", "--run", "c"]  # fmt: skip
    process = subprocess.Popen(
        command, cwd=ROOT, env=os.environ, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    from reasoning.runs import read_run, run_names

    deadline = time.monotonic() + 60
    while "c" not in run_names() or not read_run("c").results:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert "--run c --resume" in err
    assert "accuracy" in out
