"""The provider and the task of Inspect, by Inspect itself."""

import asyncio
import json
from pathlib import Path

import pytest

pytest.importorskip("inspect_ai", reason="pip install 'stepsolver[inspect]'")

from inspect_ai import Epochs, Task
from inspect_ai import eval as evaluate
from inspect_ai.dataset import Sample
from inspect_ai.log import EvalLog
from inspect_ai.model import ChatMessageUser, GenerateConfig, get_model
from inspect_ai.solver import generate
from inspect_ai.tool import ToolInfo, ToolParams

from data.errors import UserError
from reasoning.integrations.inspect_ai import gsm8k, number

QUESTIONS = [("There are 4 birds and 7 more come.", 11), ("Add 12 and 30 and 8.", 50), ("From 20 take -5", 15)]


def run(
    task: Task, tmp_path: Path, model: str, config: dict[str, object] | None = None, **arguments: object
) -> EvalLog:
    (log,) = evaluate(
        task,
        model=f"stepsolver/{model}",
        model_args={"policy": "toy", "engine.error": 0, **arguments},
        log_dir=str(tmp_path / "logs"),
        display="none",
        **(config or {}),
    )
    return log


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("greedy", {}),
        ("best-of-n", {"n": 3}),
        ("beam", {"beam_width": 2, "expand": 2, "reward": "logprob", "max_depth": 5}),
    ],
)
def test_inspect_evaluates_any_strategy_on_the_data_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, arguments: dict[str, object]
) -> None:
    folder = tmp_path / "gsm8k"
    folder.mkdir()
    rows = [json.dumps({"question": q, "answer": f"It is {a}.\n#### {a}"}) for q, a in QUESTIONS]
    (folder / "test.jsonl").write_text("\n".join(rows) + "\n")
    monkeypatch.setenv("STEPSOLVER_DATA", str(tmp_path))
    log = run(gsm8k(), tmp_path, method, **arguments)
    assert log.status == "success"
    assert log.results is not None
    assert log.results.scores[0].metrics["accuracy"].value == 1.0
    usage = log.stats.model_usage[f"stepsolver/{method}"]
    assert usage.output_tokens > 0
    assert log.samples is not None
    assert [s.output.metadata["answer"] for s in log.samples] == ["11", "50", "15"]


def test_an_engine_outlives_an_evaluation(tmp_path: Path) -> None:
    task = Task([Sample("4 and 7", target="11")], generate(), number())
    model = get_model("stepsolver/greedy", policy="toy", memoize=False)
    for _ in range(2):  # each has an event loop of its own
        (log,) = evaluate(task, model=model, log_dir=str(tmp_path / "logs"), display="none")
        assert log.samples is not None
        assert log.samples[0].output.completion.rstrip().endswith("#### 11")


def test_epochs_are_different_samples(tmp_path: Path) -> None:
    task = Task([Sample("1 and 2 and 3 and 4 and 5 and 6", target="21")], generate(), number(), epochs=Epochs(6))
    texts = [
        [s.output.completion for s in run(task, tmp_path, "best-of-n", n=1, **{"engine.error": 0.5}).samples or ()]
        for _ in range(2)
    ]
    assert len(set(texts[0])) > 1


def test_stop_sequences_end_the_text(tmp_path: Path) -> None:
    task = Task([Sample("4 and 7", target="11")], generate(), number())
    log = run(task, tmp_path, "greedy", {"stop_seqs": ["="]})
    assert log.samples is not None
    assert "=" not in log.samples[0].output.completion
    assert log.samples[0].output.completion


def test_a_search_that_fails_is_the_samples_error(tmp_path: Path) -> None:
    log = run(Task([Sample("x" * 9000, target="1")], generate(), number()), tmp_path, "greedy")
    assert log.status == "error"
    assert log.error is not None
    assert "the model's context 8192" in log.error.message


def test_tools_are_refused() -> None:
    async def ask() -> None:
        model = get_model("stepsolver/greedy", policy="toy", memoize=False)
        tool = ToolInfo(name="add", description="adds", parameters=ToolParams())
        await model.api.generate([ChatMessageUser(content="1 and 2")], [tool], "auto", GenerateConfig())

    with pytest.raises(UserError, match="stepsolver calls no tools"):
        asyncio.run(ask())


def test_a_mistake_in_a_model_argument_is_one_line() -> None:
    with pytest.raises(UserError, match="no setting 'beamwidth'; did you mean 'beam_width'"):
        get_model("stepsolver/beam", policy="toy", beamwidth=2, memoize=False)
