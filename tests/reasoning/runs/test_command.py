import asyncio
import io
import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from data.stats import wilson
from reasoning.runs import ProblemResult, open_run
from reasoning.runs.__main__ import main
from search.codec import outcome_to_json, request_to_json
from search.driver import drive
from search.methods import make_method
from search.toy import ToyWorker
from search.tree import Tree
from search.types import State

REPOSITORY = Path(__file__).parents[3]
MCTS = {"iterations": 6, "expand": 3, "max_depth": 5}


def searched(index: int, method: str, params: dict[str, object], **changes: object) -> tuple[ProblemResult, list, Tree]:
    """A toy problem, really searched."""
    algorithm = make_method(method, params)
    root = State(f"toy/{index}", (100, 101), seed=5)
    tree, log = asyncio.run(drive(algorithm, root, ToyWorker(branching=3, depth=3)))
    answers = algorithm.answers(tree)
    values = {
        "problem": root.problem,
        "index": index,
        "question": f"Question number {index}?",
        "gold": "1",
        "answer": answers[0].answer if answers else None,
        "correct": bool(answers) and answers[0].answer == "1",
        "completion_tokens": tree.policy_usage.completion,
        "nodes": len(tree.nodes),
        "answers": tuple({"answer": a.answer, "score": a.score, "votes": a.votes} for a in answers),
        "prompt_ids": root.prompt,
        "seed": root.seed,
    }
    tells = [{"seq": t.seq, "request": request_to_json(t.request), "outcome": outcome_to_json(t.outcome)} for t in log]
    return ProblemResult(**{**values, **changes}), tells, tree  # type: ignore[arg-type]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STEPSOLVER_RUNS", str(tmp_path))
    return tmp_path


def save(name: str, rows: list[ProblemResult], **config: object) -> None:
    with open_run(name, {"task": "toy", "method": "greedy", **config}, resume=False) as run:
        for r in rows:
            run.record(r)


def plain(index: int, **changes: object) -> ProblemResult:
    values = {"problem": f"p{index}", "index": index, "question": f"q{index}", "gold": "1"}
    return ProblemResult(**{**values, **changes})  # type: ignore[arg-type]


def error(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    """The one line a refused command prints."""
    assert main(argv) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    return err


# ---- list ----------------------------------------------------------------------------------------------------------


def test_list_gives_accuracy_with_its_interval(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [plain(i, correct=i < 2, computed_tokens=600) for i in range(3)]
    save("a", [*rows, plain(3, failed="too long", computed_tokens=7)], policy="some/model")
    save("empty", [])
    assert main(["list"]) == 0
    head, a, empty = capsys.readouterr().out.splitlines()
    assert head.split() == ["name", "task", "method", "policy", "problems", "accuracy", "%", "tokens", "begun"]
    assert a.split()[:9] == ["a", "toy", "greedy", "some/model", "4", "50.0", "[15.0,", "85.0]", "1,807"]
    assert empty.split()[:7] == ["empty", "toy", "greedy", "-", "0", "-", "0"]

    assert main(["list", "--json"]) == 0
    first = json.loads(capsys.readouterr().out)[0]
    assert (first["name"], first["problems"], first["correct"], first["failed"]) == ("a", 4, 2, 1)
    assert first["ci95"] == pytest.approx(wilson(2, 4))


def test_list_tells_of_a_torn_run_and_shows_the_others(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save("good", [plain(0)])
    save("torn", [plain(0)])
    next((root / "torn").iterdir()).write_bytes(b"torn")
    assert main(["list"]) == 2
    out, err = capsys.readouterr()
    assert "good" in out
    assert err.count("\n") == 1
    assert ".sqlite is not a whole run file" in err


# ---- show ----------------------------------------------------------------------------------------------------------


def test_show_names_configuration_and_problems(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [plain(0, answer="1", correct=True), plain(1, answer="2", correct=False), plain(2, failed="too long")]
    save("a", rows, params={"width": 4})
    assert main(["show", "a"]) == 0
    out = capsys.readouterr().out
    assert "params.width  4" in out
    lines = {line.split()[1]: line for line in out.splitlines() if line.strip().startswith(("0 ", "1 ", "2 "))}
    assert "right" in lines["p0"]
    assert "wrong" in lines["p1"]
    assert "failed: too long" in lines["p2"]
    assert "33.3 [6.1, 79.2] of 3 judged" in out


def shown_tree(out: str) -> dict[int, list[str]]:
    """Node number -> visits, and value and Q where they are there, of each line of the printed tree."""
    body = out.split("  step\n", 1)[1].split("\n\n")[0]
    rows = [line[:26].split() for line in body.splitlines() if line[:5].strip().isdigit()]
    return {int(row[0]): row[1:] for row in rows}


def test_show_problem_prints_every_node_with_visits_value_and_q(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result, tells, tree = searched(0, "mcts", MCTS)
    with open_run("a", {"method": "mcts", "params": MCTS}, resume=False) as run:
        run.record(result, tells)
    assert main(["show", "a", "--problem", "0"]) == 0
    out = capsys.readouterr().out
    assert "Question number 0?" in out
    assert max(map(len, out.splitlines())) <= 100
    assert max(n.visits for n in tree.nodes) > 1
    assert shown_tree(out) == {
        n.id: [str(n.visits)] + ([] if n.value is None else [f"{n.value:.3f}"]) + ([f"{n.q:+.3f}"] if n.visits else [])
        for n in tree.nodes
    }
    best = result.answers[0]
    assert f"   1  {best['score']:.4g}" in out
    assert f"-> {result.answer} *" in out

    assert main(["show", "a", "--problem", "toy/0"]) == 0
    assert capsys.readouterr().out == out


def test_without_mcts_visits_are_the_samples_at_or_below_a_node(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    params = {"n": 8}
    result, tells, tree = searched(0, "best-of-n", params)
    with open_run("a", {"method": "best-of-n", "params": params}, resume=False) as run:
        run.record(result, tells)
    assert main(["show", "a", "--problem", "0"]) == 0
    visits = {i: int(row[0]) for i, row in shown_tree(capsys.readouterr().out).items()}
    assert visits[0] == 8
    for node in tree.nodes:
        assert visits[node.id] == node.samples + sum(visits[c] for c in node.children)


def test_full_shows_whole_texts_and_no_control_characters(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result, tells, _ = searched(0, "best-of-n", {"n": 1})
    steps = tells[0]["outcome"]["steps"]
    steps[0]["text"] = "first line " + "x" * 150 + "\nsecond \x1b[2Jline\ud800"
    with open_run("a", {"method": "best-of-n", "params": {"n": 1}}, resume=False) as run:
        run.record(result, tells)
    assert main(["show", "a", "--problem", "0"]) == 0
    clipped = capsys.readouterr().out
    assert max(map(len, clipped.splitlines())) <= 100
    assert "…" in clipped
    assert main(["show", "a", "--problem", "0", "--full"]) == 0
    full = capsys.readouterr().out
    assert "x" * 150 in full
    assert "second" in full
    assert "\x1b" not in clipped + full


def test_a_log_of_another_method_is_one_line(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result, tells, _ = searched(0, "best-of-n", {"n": 2})
    with open_run("a", {"method": "mcts", "params": MCTS}, resume=False) as run:
        run.record(result, tells)
    assert "cannot be rebuilt" in error(capsys, "show", "a", "--problem", "0")


# ---- export --------------------------------------------------------------------------------------------------------


def test_export_is_one_line_per_problem(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [plain(i, answers=({"answer": "1", "score": math.nan, "votes": 1},), text="é\ud800") for i in range(5)]
    save("a", rows)
    assert main(["export", "a"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["problem"] for line in lines] == [f"p{i}" for i in range(5)]
    assert lines[0]["answers"] == [{"answer": "1", "score": None, "votes": 1}]
    assert lines[0]["text"] == "é?"
    assert "tells" not in lines[0]


def test_export_with_tells(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result, tells, _ = searched(0, "mcts", MCTS)
    with open_run("a", {}, resume=False) as run:
        run.record(result, tells)
    assert main(["export", "a", "--tells"]) == 0
    assert json.loads(capsys.readouterr().out)["tells"] == tells


def test_export_to_parquet_holds_the_same(root: Path, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    result, tells, _ = searched(1, "mcts", MCTS, cached_tokens=None, extra={"k": [1]})
    with open_run("a", {}, resume=False) as run:
        run.record(result, tells)
        run.record(plain(0, failed="too long"))
    out = tmp_path / "a.parquet"
    assert main(["export", "a", "--format", "parquet", "--out", str(out), "--tells"]) == 0
    failed, row = parquet.read_table(out).to_pylist()
    assert failed["failed"] == "too long"
    assert json.loads(row.pop("tells")) == tells
    assert json.loads(row.pop("extra")) == {"k": [1]}
    expected = result.to_json()
    del expected["extra"]
    assert {**row, "prompt_ids": tuple(row["prompt_ids"])} == expected
    assert [p.name for p in tmp_path.glob(".a.parquet*")] == []


def test_export_to_a_file_matches_standard_output(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save("a", [plain(i) for i in range(3)])
    assert main(["export", "a"]) == 0
    assert main(["export", "a", "--out", str(tmp_path / "a.jsonl")]) == 0
    assert (tmp_path / "a.jsonl").read_text() == capsys.readouterr().out


def test_a_closed_pipe_is_silent(root: Path) -> None:
    save("a", [plain(i, text="x" * 5000) for i in range(100)])
    command = f"{sys.executable} -m reasoning.runs export a | head -n 1"
    done = subprocess.run(command, shell=True, cwd=REPOSITORY, capture_output=True, text=True)
    assert json.loads(done.stdout)["problem"] == "p0"
    assert done.stderr == ""


# ---- diff ----------------------------------------------------------------------------------------------------------


def test_diff_by_hand(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    right_a, right_b = {0, 1, 2, 3}, {0, 4, 5, 6, 7, 8, 9, 10, 11}
    save("a", [plain(i, correct=i in right_a, computed_tokens=10) for i in range(15)], width=1)
    save("b", [plain(i, correct=i in right_b, computed_tokens=20) for i in range(14)], width=2)
    assert main(["diff", "a", "b"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert " ".join(rows[0]) == "14 shared problems (1 only in a, 0 only in b)"
    for row in (
        "width 1 2",
        "computed tokens 140 280",
        "both right 1",
        "only a 3",
        "only b 8",
        "neither 2",
        "exact McNemar p 0.2266",  # 2 (1 + 11 + 55 + 165) / 2^11
    ):
        assert row.split() in rows
    (accuracy,) = [row for row in rows if row[:1] == ["accuracy"]]
    assert (accuracy[2], accuracy[5]) == ("28.6", "64.3")


def test_diff_refuses_what_is_not_comparable(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save("a", [plain(0)])
    save("b", [plain(1)])
    save("c", [plain(0, question="another")])
    assert "no problem in common" in error(capsys, "diff", "a", "b")
    assert "their data differ" in error(capsys, "diff", "a", "c")


# ---- bad input -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["show", "none"], "no run 'none'"),
        (["show", "../a"], "not usable"),
        (["show", "a", "--problem", "7"], "no problem '7'"),
        (["export", "a", "--format", "parquet"], "--out FILE"),
        (["export", "a", "--format", "csv"], "invalid choice"),
        (["export", "a", "--out", "/nowhere/x"], "cannot write /nowhere/x"),
        (["diff", "a"], "required"),
        (["frobnicate"], "invalid choice"),
        ([], "required"),
    ],
)
def test_bad_input_is_one_line(root: Path, capsys: pytest.CaptureFixture[str], argv: list[str], says: str) -> None:
    save("a", [plain(0)])
    assert says in error(capsys, *argv)


def test_a_terminal_that_cannot_show_a_character_shows_a_question_mark(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save("a", [plain(0, answer="½", correct=False)])
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    assert main(["show", "a"]) == 0
    assert b" ?  " in raw.getvalue()
