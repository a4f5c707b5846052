"""The whole benchmark on the toy policy: searched, folded, compared, drawn, resumed."""

import json

import pytest

from benchmarks import frontier
from benchmarks.pass_until import PassUntil, tries_of
from data.rare import Tries
from search.types import Cancel, Evaluate, Evaluated, Expand, Failed, State
from tests.search.scripted import step

METHODS = ["greedy", "beam", "mcts:iterations=4,expand=2", "beam, oracle reward"]


@pytest.fixture
def questions(tmp_path, monkeypatch):
    """Eight sums in GSM8K's form, and a place of their own for runs."""
    monkeypatch.setenv("STEPSOLVER_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("STEPSOLVER_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(frontier, "machine", dict)
    (tmp_path / "data" / "gsm8k").mkdir(parents=True)
    rows = [{"question": f"What is {i} + {i + 1} - 3 + 2?", "answer": f"So.\n#### {2 * i}"} for i in range(8)]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "data" / "gsm8k" / "test.jsonl").write_text(text)
    return tmp_path


def run(folder, *arguments):
    common = ["--policy", "toy", "--engine", "error=0.3", "--reward", "self-eval", "--out", str(folder / "out")]
    return frontier.main([*common, *arguments])


def result(folder):
    return json.loads((folder / "out" / "frontier.json").read_text())


def test_strategies_are_compared_on_the_same_questions(questions, capsys):
    assert run(questions, "--methods", *METHODS, "--figure", "none", "--pass-until", "2", "--most", "40") == 0
    found = result(questions)
    rows = {row["strategy"]: row for row in found["rows"]}
    assert list(rows) == ["samples", *METHODS]
    assert {row["problems"] for row in rows.values()} == {8}
    assert set(found["costs"]) == {"completion tokens", "computed tokens", "FLOPs", "engine seconds"}
    for cost, curves in found["costs"].items():
        last = {name: curve["points"][-1] for name, curve in curves["curves"].items()}
        for name in METHODS[:3]:  # uncut, a strategy is as right as its run
            assert last[name]["accuracy"] == pytest.approx(rows[name]["accuracy"]), (cost, name)
        assert last["oracle"]["accuracy"] >= max(last[v]["accuracy"] for v in ("majority", "weighted", "best"))
        assert last["beam, any answer"]["accuracy"] >= last["beam"]["accuracy"]
        knowing = {name for name, curve in curves["curves"].items() if not curve["deployable"]}
        free = {METHODS[3]} if cost != "engine seconds" else set()  # an oracle's time is not
        assert knowing == {"oracle", "beam, any answer", "mcts:iterations=4,expand=2, any answer"} | free
        assert not {best["strategy"] for best in curves["best"]} & knowing
    assert rows["beam"]["reward"] > 0 == rows["beam, oracle reward"]["reward"]  # what an oracle says is free
    assert 0 <= found["in the way"]["reward's AUC over answers"] <= 1
    rates = found["pass until"]
    assert rates["questions"] == 8
    assert 0 < rates["mean rate"] < 1
    assert all(found[0] == 2 or found[1] == 40 for found in rates["tries"].values())
    out = capsys.readouterr().out
    assert "best at each budget of completion tokens" in out
    assert "best at each budget of FLOPs" in out
    lines = (questions / "out" / "frontier.csv").read_text().splitlines()
    assert len(lines) == 1 + sum(len(c["points"]) for k in found["costs"].values() for c in k["curves"].values())


def test_a_second_call_searches_only_what_is_new(questions, monkeypatch):
    assert run(questions, "--methods", "greedy", "--limit", "3", "--figure", "none") == 0
    first = result(questions)
    assert run(questions, "--methods", "greedy", "--limit", "3", "--figure", "none") == 0
    assert result(questions) == first  # seconds included: nothing was done again
    assert run(questions, "--methods", "greedy", "beam", "--limit", "5", "--figure", "none") == 0
    assert {row["strategy"]: row["problems"] for row in result(questions)["rows"]} == {
        "samples": 5, "greedy": 5, "beam": 5,
    }  # fmt: skip


def test_other_settings_are_refused_under_the_same_name(questions, capsys):
    assert run(questions, "--methods", "greedy", "--limit", "2", "--figure", "none") == 0
    capsys.readouterr()
    assert run(questions, "--methods", "greedy", "--limit", "2", "--figure", "none", "--seed", "1") == 2
    assert "seed was 0, now 1" in capsys.readouterr().err


def test_the_figure_is_drawn(questions):
    pytest.importorskip("matplotlib")
    picture = questions / "curves.png"
    assert run(questions, "--methods", "greedy", "--limit", "2", "--figure", str(picture)) == 0
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--methods", "beem"], "no strategy 'beem'"),
        (["--methods", "beam:widht=3"], "no parameter 'widht'"),
        (["--methods", "beam:width"], "KEY=VALUE"),
        (["--methods", "beam:width=3", "beam:width=3,"], "share a run"),
        (["--task", "gsm9k"], "gsm8k"),
        (["--limit", "0"], "at least 1"),
        (["--pass-until", "-2"], "at least 1"),
        (["--offset", "99"], "no question with a reference answer"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(questions, capsys, arguments, said):
    assert run(questions, "--figure", "none", *arguments) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1


# ---- sampling until there are enough successes -----------------------------------------------------------------------


def test_where_sampling_ends_does_not_depend_on_what_comes_back_first():
    method = PassUntil(until=1, most=10, parallel=3)
    tree = method.start(State("p"))
    first = list(method.ask(tree))
    assert [r.index for r in first] == [0, 1, 2]
    method.tell(tree, first[2], step("short", answer="right"))
    (verdict,) = method.ask(tree)
    assert isinstance(verdict, Evaluate)
    method.tell(tree, verdict, Evaluated(1.0))
    assert tries_of(method, tree) is None  # two earlier samples may yet be right
    method.tell(tree, first[0], step("long", answer="wrong"))
    more = list(method.ask(tree))
    method.tell(tree, next(r for r in more if isinstance(r, Evaluate)), Evaluated(0.0))
    more += method.ask(tree)
    method.tell(tree, first[1], Failed("no answer"))
    assert tries_of(method, tree) == Tries(1, 3, 1, 10)
    waiting = [r for r in more if isinstance(r, Expand)]
    assert {c.request for c in method.ask(tree) if isinstance(c, Cancel)} == {r.id for r in waiting}
    for request in waiting:
        method.tell(tree, request, Failed("cancelled", "cancelled"))
    assert not method.ask(tree)
    assert not tree.pending


def test_sampling_ends_at_the_most():
    method = PassUntil(until=2, most=3, parallel=2)
    tree = method.start(State("p"))
    asked = 0
    waiting = list(method.ask(tree))
    while waiting:
        method.tell(tree, waiting.pop(0), Failed("nothing"))
        asked += 1
        waiting += method.ask(tree)
    assert asked == 3
    assert tries_of(method, tree) == Tries(0, 3, 2, 3)
