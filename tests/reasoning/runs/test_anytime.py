"""A stored run at every smaller budget."""

import asyncio
import json
from itertools import pairwise

import pytest

from data.errors import UserError
from data.metrics import Scored
from reasoning import Solver
from reasoning.engine.toy import ToyEngine
from reasoning.runs import open_run, read_run, totals
from reasoning.runs.__main__ import main
from reasoning.runs.anytime import COSTS, Trace, samples, steps, traces


@pytest.fixture
def stored(tmp_path, monkeypatch):
    """Five sums of GSM8K's form, and a function that searches them as a run."""
    monkeypatch.setenv("STEPSOLVER_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("STEPSOLVER_DATA", str(tmp_path / "data"))
    (tmp_path / "data" / "gsm8k").mkdir(parents=True)
    rows = [{"question": f"What is {i} + {i + 1} - 3?", "answer": f"#### {2 * i - 2}"} for i in range(5)]
    (tmp_path / "data" / "gsm8k" / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def search(name, method, engine=None, **settings):
        engine = engine or ToyEngine(error=0.3)
        with Solver("gsm8k", method, engine, profile="lines", **settings) as solver:
            with open_run(name, solver.describe(), resume=False) as run:
                solver.run(run=run)
            return read_run(name), solver.task, solver.load()

    return search


def test_the_last_moment_is_the_runs_own_result(stored):
    view, task, problems = stored("a", "beam")
    found = asyncio.run(traces(view, task, problems))
    sums = totals(view.results)
    assert [t.right[-1] == 1 for t in found] == [r.correct for r in view.results]
    whole = {"completion tokens": sums.completion_tokens, "computed tokens": sums.computed_tokens, "FLOPs": sums.flops}
    for cost, total in whole.items():
        assert sum(t.costs[cost][-1] for t in found) == pytest.approx(total, rel=1e-12)
    assert sum(t.costs["engine seconds"][-1] for t in found) == pytest.approx(sums.engine_seconds, abs=1e-4)
    for trace in found:
        assert all(a <= b for paid in trace.costs.values() for a, b in pairwise(paid))
        assert all(c >= r for c, r in zip(trace.covered, trace.right, strict=True))


def test_samples_hold_every_draw_and_cost_as_much_as_the_run(stored):
    view, task, problems = stored("a", "best-of-n", n=6, vote="weighted")
    found = asyncio.run(samples(view, task, problems))
    assert [len(s.samples) for s in found] == [6] * 5
    for row, drawn in zip(view.results, found, strict=True):
        gold = task.canonical(row.gold)
        votes = {a["answer"]: a["votes"] for a in row.answers}
        assert sum(s.answer is not None for s in drawn.samples) == sum(votes.values())
        assert sum(s.correct for s in drawn.samples) == votes.get(gold, 0)
        assert drawn.cost("completion tokens", 6, scored=False) == pytest.approx(row.completion_tokens)
        assert drawn.cost("FLOPs", 6, scored=True) == pytest.approx(row.flops)
        # The toy caches nothing, so half of the samples cost half.
        assert drawn.cost("computed tokens", 3, scored=True) == pytest.approx(row.computed_tokens / 2)
    assert all(isinstance(s, Scored) for s in found[0].samples)


def test_only_independent_samples_are_samples(stored):
    view, task, problems = stored("a", "beam")
    with pytest.raises(UserError, match="no best-of-n"):
        asyncio.run(samples(view, task, problems))


def test_a_cost_that_nobody_knows_has_no_curve(stored):
    engine = ToyEngine()
    engine.size = None
    view, task, problems = stored("a", "greedy", engine)
    (first, *_) = asyncio.run(traces(view, task, problems))
    assert set(first.costs) == set(COSTS) - {"FLOPs"}


def test_ceilings_by_hand():
    tokens = "completion tokens"
    found = steps(
        [
            Trace("a", (0.0, 1.0), (0.0, 1.0), {tokens: (0, 10)}),
            Trace("b", (0.0, 0.0, 1.0), (0.0, 0.0, 1.0), {tokens: (0, 5, 20)}),
        ],
        tokens,
    )
    assert [(p.ceiling, p.spent, p.right) for p in found] == [(5, 5, 0), (10, 15, 1), (20, 30, 2)]


def test_the_command_prints_every_curve(stored, capsys):
    view, _, _ = stored("a", "mcts", iterations=4)
    assert main(["curve", "a", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["problems"] == 5
    assert set(told["costs"]) == set(COSTS)
    for points in told["costs"].values():
        assert points[-1]["right"] == totals(view.results).correct
    assert main(["curve", "a"]) == 0
    out = capsys.readouterr().out
    assert all(f"{cost}, at most" in out for cost in COSTS)
    assert main(["curve", "none"]) == 2
    assert "no run 'none'" in capsys.readouterr().err
