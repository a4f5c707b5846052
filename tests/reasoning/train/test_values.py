"""Values of steps: which labels count, and that the evaluation command reads what training wrote."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("trl")

from data.errors import DataError  # noqa: E402
from data.rows import RowFile, Solution  # noqa: E402
from reasoning.train import evaluate_values, joint  # noqa: E402
from reasoning.train.evaluate_values import measure  # noqa: E402
from reasoning.train.job import Policy, load_policy, parse  # noqa: E402
from reasoning.train.values import at_position, choose, score_steps, value_loss  # noqa: E402
from tests.reasoning.train import tiny  # noqa: E402

RIGHT = Solution("q/1", "Add 2 and 3.", "5", (" <<2+3=5>>\n", "#### 5"), True, values=(0.5, 1.0))
WRONG = replace(RIGHT, steps=(" <<2*3=6>>\n", "#### 6"), correct=False, values=(0.25, 0.0))


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny.save(tmp_path_factory.mktemp("base")))


@pytest.fixture(scope="module")
def policy(base: str, tmp_path_factory: pytest.TempPathFactory) -> Policy:
    folder = str(tmp_path_factory.mktemp("unused"))
    argv = ["--model", base, "--output_dir", folder, "--dtype", "float32", "--bf16", "false", "--use_cpu", "true"]
    return load_policy(parse(joint.JointJob, argv, "joint"))


def test_positions_are_the_sampling_of_a_step_s_last_token_and_the_place_behind_it() -> None:
    differences = torch.tensor([[0.0, 1.0, 2.0, 3.0]])
    targets = torch.tensor([[-1.0, -1.0, 0.25, 1.0]])
    assert [x.tolist() for x in at_position(differences, targets, "border")] == [[1.0, 2.0], [0.25, 1.0]]
    assert [x.tolist() for x in at_position(differences, targets, "after")] == [[2.0, 3.0], [0.25, 1.0]]
    assert [x.tolist() for x in at_position(differences, targets, "both")] == [[1.0, 2.0, 2.0, 3.0], [0.25, 1.0] * 2]


def test_the_loss_is_the_cross_entropy_with_soft_labels() -> None:
    total, count = value_loss(torch.tensor([[0.0, 2.0]]), torch.tensor([[0.25, 1.0]]), "after")
    assert count == 2
    assert float(total) == pytest.approx(0.6931472 + 0.1269280, abs=1e-6)
    total, count = value_loss(torch.tensor([[0.0, 2.0]]), torch.tensor([[-1.0, -1.0]]), "border")
    assert (float(total), count) == (0.0, 0)


def test_balance_takes_labels_away_and_rows_stay() -> None:
    rows = [RIGHT, *[replace(WRONG, id=f"q/{i}") for i in range(5)], replace(RIGHT, values=None)]
    kept = choose(rows, balance=True, seed=1)
    labelled = [row.correct for row in kept if row.values is not None]
    assert sorted(labelled) == [False, True]
    assert [(row.id, row.steps) for row in kept] == [(row.id, row.steps) for row in rows]
    assert kept == choose(rows, balance=True, seed=1)


def test_a_question_keeps_right_and_wrong_solutions_in_turn() -> None:
    rows = [RIGHT, *[WRONG] * 6, *[replace(WRONG, id="q/2")] * 3]
    kept = [row for row in choose(rows, max_per_question=2) if row.values is not None]
    assert sorted((row.id, row.correct) for row in kept) == [
        ("q/1", False),
        ("q/1", True),
        ("q/2", False),
        ("q/2", False),
    ]


def test_values_outside_the_unit_interval_are_refused() -> None:
    with pytest.raises(DataError, match=r"q/1 lies outside \[0, 1\]"):
        choose([replace(RIGHT, values=(0.5, 1.5))])


def test_scores_come_back_in_the_order_of_rows_and_steps(policy: Policy) -> None:
    rows = [RIGHT, replace(RIGHT, id="q/2", question="Longer: what is 2 plus 3?", values=None), WRONG]
    rows += [replace(WRONG, steps=(f" <<{i}*3=6>>\n", "#### 6")) for i in range(9)]  # more than one row of branches

    # A stand-in value that tells every position: the position itself.
    together = score_steps(policy, rows, lambda b: b["position_ids"].float() / 100, "after", batch_size=2)
    for row, found in zip(rows, together, strict=True):
        length = len(policy.tokenizer.encode(f"Question: {row.question}\nAnswer:"))
        ends = [length + len(policy.tokenizer.encode(row.steps[0])) - 1]
        ends.append(ends[0] + len(policy.tokenizer.encode(row.steps[1])) + 1)  # and the end of the sequence
        expected = torch.sigmoid(torch.tensor(ends) / 100).tolist()
        assert found == pytest.approx(expected)


def test_measures_of_a_case_counted_by_hand() -> None:
    rows = [RIGHT, replace(WRONG, provenance={"times": 3})]
    report = measure(rows, [[0.9, 0.8], [0.4, 0.3]], ["5", "6"])
    assert (report["questions"], report["solutions"], report["steps"]) == (1, 2, 4)
    assert report["step_auc"] == pytest.approx(2 / 3)  # only the last right step is above 0.5, behind one other
    assert report["outcome_auc"] == 1.0
    assert report["first_errors"] == {"wrong": 1, "found": 0.0, "right": 1, "passed": 1.0, "f1": 0.0}
    one, *_, four = report["curve"]
    assert (one["n"], one["best"], four["n"], four["best"], four["majority"]) == (1, 0.25, 4, 1.0, 0.0)


def test_the_command_measures_an_adapter_that_joint_wrote(
    base: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "rows.jsonl"
    with RowFile(data, {}) as file:
        file.add("q/1", [RIGHT.to_json(), WRONG.to_json()])
    fixed = ["--model", base, "--dtype", "float32", "--bf16", "false", "--use_cpu", "true", "--report_to", "none"]
    fixed += ["--data", str(data), "--max_steps", "30", "--learning_rate", "2e-2", "--value_weight", "5"]
    joint.run([*fixed, "--output_dir", str(tmp_path / "out"), "--save_strategy", "no", "--lora_r", "4"])
    capsys.readouterr()
    options = ["--adapter", str(tmp_path / "out"), "--data", str(data), "--model", base]
    evaluate_values.run([*options, "--json"])
    report = json.loads(capsys.readouterr().out)
    assert report["step_auc"] == 1.0  # it was trained on these very steps
    assert report["brier"] < 0.1
    evaluate_values.run(options)
    assert "step-label AUC  1.000" in capsys.readouterr().out
