"""Policy and value in one adapter: where values are read, what has no loss, and what training moves."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("trl")

from safetensors.torch import load_file  # noqa: E402

from data.errors import UserError  # noqa: E402
from data.rows import RowFile, Solution  # noqa: E402
from reasoning.train import head, joint, sft  # noqa: E402
from reasoning.train.branches import IGNORED, BranchCollator  # noqa: E402
from reasoning.train.job import Policy, load_policy, parse  # noqa: E402
from reasoning.train.values import at_position  # noqa: E402
from tests.reasoning.train import tiny  # noqa: E402

QUESTION = "Ann has 3 bags of 4 plums. She eats 2. How many are left?"
RIGHT = Solution(
    "own/1", QUESTION, "10", (" <<3*4=12>>\n", "<<12-2=10>>\n", "#### 10"), values=(0.75, 0.5, 1.0), origin="sampled"
)
WRONG = replace(RIGHT, steps=(" <<3+4=7>>\n", "#### 7"), correct=False, values=(0.25, 0.0))
GOLD = replace(RIGHT, values=None, origin="gold")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny.save(tmp_path_factory.mktemp("base")))


@pytest.fixture(scope="module")
def policy(base: str, tmp_path_factory: pytest.TempPathFactory) -> Policy:
    return load_policy(job(base, tmp_path_factory.mktemp("unused")))


def job(base: str, folder: Path, *options: str) -> joint.JointJob:
    return parse(joint.JointJob, arguments(base, folder, *options), "joint")


def arguments(base: str, folder: Path, *options: str) -> list[str]:
    fixed = ["--model", base, "--output_dir", str(folder), "--dtype", "float32", "--bf16", "false", "--use_cpu", "true"]
    return [*fixed, "--lora_r", "4", "--report_to", "none", "--disable_tqdm", "true", *options]


def rows_file(path: Path, rows: list[Solution]) -> Path:
    with RowFile(path, {}) as file:
        file.add("all", [row.to_json() for row in rows])
    return path


def batch_of(policy: Policy, rows: list[Solution], branches: int = 8) -> dict[str, Any]:
    found, _ = sft.rows_of(rows, policy, None, branches, values=True)
    return BranchCollator(0)(found)


@pytest.mark.parametrize("position", ["border", "after", "both"])
def test_packed_branches_are_read_where_a_plain_forward_reads_them(policy: Policy, position: str) -> None:
    model = policy.model.get_base_model()
    good, bad = 7, 9
    expected = {"border": [], "after": []}
    for row in (RIGHT, WRONG):
        prompt = policy.tokenizer.encode(f"Question: {QUESTION}\nAnswer:")
        steps = [policy.tokenizer.encode(step) for step in row.steps]
        steps[-1] = [*steps[-1], policy.eos]
        ids, borders = list(prompt), []
        for step in steps:
            ids += step
            borders.append(len(ids) - 1)  # the step's last token
        with torch.no_grad():
            logits = model(torch.tensor([ids])).logits[0]
        differences = logits[:, good] - logits[:, bad]
        expected["border"] += [differences[i - 1] for i in borders]
        expected["after"] += [differences[i] for i in borders]
    wanted = torch.stack([*expected["border"], *expected["after"]] if position == "both" else expected[position])
    labels = torch.tensor([*RIGHT.values, *WRONG.values] * (2 if position == "both" else 1))

    head.install(model, (good, bad))
    batch = batch_of(policy, [RIGHT, WRONG])
    assert batch["input_ids"].shape[0] == 1  # both solutions share one row
    targets = batch.pop("values")
    with torch.no_grad():
        found, given = at_position(model(**batch, scored=True)["values"], targets, position)
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(given, labels)


def test_wrong_solutions_and_tool_tokens_teach_no_words(policy: Policy) -> None:
    steps = tuple(tuple(policy.tokenizer.encode(step)) for step in RIGHT.steps)
    own = tuple(tuple(int(i < 3) for i in range(len(ids))) for ids in steps)
    tools = replace(RIGHT, prompt_ids=(5, 6), step_ids=steps, own=own)
    labels = batch_of(policy, [WRONG])["labels"]
    assert bool((labels == IGNORED).all())
    labels = batch_of(policy, [tools])["labels"]
    assert labels[labels != IGNORED].tolist() == [i for ids in steps for i in ids[:3]]


def test_gold_rows_without_values_teach_words_only(policy: Policy) -> None:
    batch = batch_of(policy, [GOLD])
    assert bool((batch["values"] < 0).all())
    assert bool((batch["labels"] != IGNORED).any())


def test_training_lowers_both_losses_and_writes_the_card(base: str, tmp_path: Path) -> None:
    data = rows_file(tmp_path / "rows.jsonl", [RIGHT, WRONG, GOLD])
    options = ["--data", str(data), "--max_steps", "6", "--learning_rate", "5e-3", "--lr_scheduler_type", "constant"]
    options += ["--logging_steps", "1", "--save_strategy", "no", "--max_grad_norm", "0", "--position", "both"]
    out = tmp_path / "adapter"

    assert joint.run(arguments(base, out, *options)) == 0

    logged = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    steps = [row for row in logged if "nll" in row]
    assert steps[-1]["nll"] < steps[0]["nll"]
    assert steps[-1]["value_loss"] < steps[0]["value_loss"]
    card = json.loads((out / "stepsolver.json").read_text())
    assert card["value"] == {"position": "border", "good": " yes", "bad": " no"}
    assert all("lora_" in name for name in load_file(out / "adapter_model.safetensors"))


def test_frozen_weights_stay_bit_identical_in_memory(base: str, tmp_path: Path) -> None:
    from datasets import Dataset

    from reasoning.train.values import ValueTrainer

    settings = job(base, tmp_path / "out", "--max_steps", "2", "--learning_rate", "1e-2", "--save_strategy", "no")
    settings.dataset_kwargs, settings.remove_unused_columns = {"skip_prepare_dataset": True}, False
    policy = load_policy(settings)
    frozen = {name: p.detach().clone() for name, p in policy.model.named_parameters() if not p.requires_grad}
    rows, _ = sft.rows_of([RIGHT, WRONG], policy, None, 8, values=True)
    ValueTrainer(
        model=policy.model,
        args=settings,
        train_dataset=Dataset.from_list(rows),
        processing_class=policy.processing,
        data_collator=BranchCollator(0),
        value_ids=(7, 9),
        value_weight=0.5,
        position="border",
    ).train()
    now = dict(policy.model.named_parameters())
    assert frozen
    assert all(torch.equal(p, now[name]) for name, p in frozen.items())


def test_accumulated_batches_weigh_tokens_and_steps_as_one_batch(base: str, tmp_path: Path) -> None:
    data = rows_file(
        tmp_path / "rows.jsonl", [replace(GOLD, question="How many?"), WRONG, replace(RIGHT, question="?")]
    )
    common = ["--data", str(data), "--num_train_epochs", "1", "--learning_rate", "1e-2", "--save_strategy", "no"]
    common += ["--max_grad_norm", "0", "--optim", "sgd", "--lr_scheduler_type", "constant"]
    once = ["--per_device_train_batch_size", "3"]
    parts = ["--per_device_train_batch_size", "1", "--gradient_accumulation_steps", "3"]
    joint.run(arguments(base, tmp_path / "a", *common, *once))
    joint.run(arguments(base, tmp_path / "b", *common, *parts))
    a, b = (load_file(tmp_path / name / "adapter_model.safetensors") for name in "ab")
    moved = max(float((a[name].float()).abs().max()) for name in a if "lora_B" in name)
    assert moved > 0
    for name in a:
        torch.testing.assert_close(a[name].float(), b[name].float(), atol=moved * 1e-2, rtol=1e-2)


def test_mistakes_are_one_line(base: str, tmp_path: Path) -> None:
    data = rows_file(tmp_path / "rows.jsonl", [RIGHT])
    for options, part in (
        (["--data", str(data), "--good", " splendid"], "not a single token"),
        (["--data", str(data), "--good", " no"], "two different"),
        (["--data", str(data), "--balance", "true"], "balance"),
        (["--data", str(data), "--position", "middle"], "position"),
        (["--data", str(rows_file(tmp_path / "plain.jsonl", [GOLD]))], "no row has step values"),
    ):
        with pytest.raises(UserError, match=part) as error:
            joint.run(arguments(base, tmp_path / part.replace(" ", "-"), *options))
        assert "\n" not in str(error.value)
