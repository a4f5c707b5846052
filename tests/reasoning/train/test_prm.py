"""Process rewards: what is trained, and that a token classifier is loaded by transformers and PEFT alone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("trl")

from data.errors import DataError, UserError  # noqa: E402
from data.rows import RowFile, Solution  # noqa: E402
from reasoning.train import evaluate_values, prm  # noqa: E402
from reasoning.train.branches import IGNORED  # noqa: E402
from reasoning.train.job import load_policy, parse  # noqa: E402
from reasoning.train.values import prepare  # noqa: E402
from tests.reasoning.train import tiny  # noqa: E402

RIGHT = Solution("q/1", "Add 2 and 3.", "5", (" <<2+3=5>>\n", "#### 5"), True, values=(0.5, 1.0))
WRONG = replace(RIGHT, steps=(" <<2*3=6>>\n", "#### 6"), correct=False, values=(0.25, 0.0))
STEPWISE = {"prompt": "Add 2 and 3.", "completions": [" <<2+3=5>>", "#### 5"], "labels": [True, False]}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny.save(tmp_path_factory.mktemp("base")))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    with RowFile(tmp_path / "rows.jsonl", {}) as file:
        file.add("q/1", [RIGHT.to_json(), WRONG.to_json(), replace(RIGHT, values=None).to_json()])
    return tmp_path / "rows.jsonl"


def arguments(base: str, folder: Path, data: Path, *options: str) -> list[str]:
    fixed = ["--model", base, "--output_dir", str(folder), "--data", str(data), "--dtype", "float32", "--bf16", "false"]
    fixed += ["--use_cpu", "true", "--lora_r", "4", "--report_to", "none", "--save_strategy", "no"]
    return [*fixed, "--max_steps", "25", "--learning_rate", "5e-3", "--logging_steps", "1", *options]


def losses(folder: Path) -> list[float]:
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [row["loss"] for row in rows if "loss" in row]


def test_only_labelled_steps_are_trained_on_and_no_words(base: str, tmp_path: Path, data: Path) -> None:
    job = parse(prm.PRMJob, arguments(base, tmp_path / "out", data), "prm")
    rows, counts = prepare(job, load_policy(job), [RIGHT, WRONG, replace(RIGHT, values=None)], words=False)
    assert counts == {"solutions": 2, "labelled_steps": 4}
    assert {x for row in rows for branch in row["labels"] for x in branch} == {IGNORED}


def test_the_generative_reward_learns_and_says_where_it_is_read(base: str, tmp_path: Path, data: Path) -> None:
    out = tmp_path / "out"
    prm.run(arguments(base, out, data))
    found = losses(out)
    assert found[-1] < 0.8 * found[0]
    card = json.loads((out / "stepsolver.json").read_text())
    assert card["value"] == {"position": "after", "good": " yes", "bad": " no"}


def test_a_token_classifier_learns_and_is_loaded_by_transformers_and_peft_alone(
    base: str, tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from peft import PeftModel
    from transformers import AutoModelForTokenClassification, AutoTokenizer

    out = tmp_path / "out"
    prm.run(arguments(base, out, data, "--kind", "token-classification"))
    found = losses(out)
    assert found[-1] < 0.8 * found[0]

    plain = AutoModelForTokenClassification.from_pretrained(base, num_labels=2, dtype=torch.float32)
    model = PeftModel.from_pretrained(plain, str(out)).eval()
    ids = AutoTokenizer.from_pretrained(base)(f"Question: {RIGHT.question}\nAnswer:{''.join(WRONG.steps)}")["input_ids"]
    with torch.no_grad():
        wrong = model(torch.tensor([[*ids, 0]])).logits[0, -1].softmax(-1)[1]
    assert float(wrong) < 0.3

    capsys.readouterr()
    options = ["--adapter", str(out), "--data", str(data), "--model", base, "--dtype", "float32", "--json"]
    evaluate_values.run(options)
    report = json.loads(capsys.readouterr().out)
    assert report["step_auc"] == 1.0
    lowest = report["calibration"][0]
    assert lowest["low"] <= float(wrong) < lowest["high"]


def test_a_classifier_does_not_start_from_a_policy_s_adapter(base: str, tmp_path: Path, data: Path) -> None:
    prm.run(arguments(base, tmp_path / "policy", data, "--max_steps", "1"))
    options = ["--kind", "token-classification", "--adapter", str(tmp_path / "policy")]
    with pytest.raises(UserError, match="another kind of model"):
        prm.run(arguments(base, tmp_path / "out", data, *options))


def test_stepwise_rows_are_solutions() -> None:
    row = prm.stepwise(STEPWISE, "\n")
    assert row.steps == (" <<2+3=5>>\n", "#### 5")
    assert row.values == (1.0, 0.0)
    assert not row.correct
    assert prm.stepwise({**STEPWISE, "labels": [0.25, None]}, "\n").values == (0.25, None)


@pytest.mark.parametrize(
    "change", [{"labels": [True]}, {"labels": None}, {"completions": []}, {"prompt": 3}, {"labels": ["x", "y"]}]
)
def test_malformed_stepwise_rows_are_one_line(change: dict[str, object]) -> None:
    with pytest.raises(DataError) as error:
        prm.stepwise({**STEPWISE, **change}, "\n")
    assert "\n" not in str(error.value)
