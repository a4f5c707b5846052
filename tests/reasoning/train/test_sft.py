"""Supervised fine-tuning: what counts in its loss, and the whole command on a tiny model and on the embedded one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from data.errors import UserError
from data.rows import Solution
from reasoning.train import job, sft
from reasoning.train.branches import IGNORED
from reasoning.train.job import JobFields, load_policy
from tests.reasoning.train import tiny

SOLUTIONS = [
    Solution(f"made/{n}", f"Nina has {n} beads and gets {m}. How many has she?", str(n + m), steps)
    for n, m in ((3, 4), (12, 5), (7, 9), (20, 2), (5, 6), (8, 8))
    for steps in ((f" <<{n}+{m}={n + m}>>\n", f"#### {n + m}"), (f" <<{m}+{n}={n + m}>>\n", f"#### {n + m}"))
]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save(tmp_path_factory.mktemp("base"))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "solutions.jsonl"
    path.write_text("".join(json.dumps(row.to_json()) + "\n" for row in SOLUTIONS))
    return path


def kept_trainer(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The trainers of the jobs that run from here on, each with its frozen weights and first loss taken beforehand."""
    kept: list[Any] = []
    train = job.train

    def watched(trainer: Any, checkpoint: str | None) -> float:
        trainer.frozen = {n: p.detach().clone() for n, p in trainer.model.named_parameters() if not p.requires_grad}
        trainer.first = loss_of(trainer)
        kept.append(trainer)
        return train(trainer, checkpoint)

    monkeypatch.setattr(job, "train", watched)
    return kept


def loss_of(trainer: Any) -> float:
    """The loss of all rows as one batch."""
    batch = trainer.data_collator([trainer.train_dataset[i] for i in range(len(trainer.train_dataset))])
    with torch.no_grad(), trainer.accelerator.autocast():
        return trainer.compute_loss(trainer.model, batch).item()


def unchanged(trainer: Any) -> bool:
    now = dict(trainer.model.named_parameters())
    return bool(trainer.frozen) and all(torch.equal(now[name], was) for name, was in trainer.frozen.items())


def test_the_loss_is_the_mean_over_own_tokens_of_unpacked_rows(
    base: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainers = kept_trainer(monkeypatch)
    sft.run(tiny.options(model=base, data=[data], output_dir=tmp_path / "out", max_steps=1))
    plain = tiny.model(tiny.byte_level().get_vocab_size())
    found = [
        tiny.log_probs(plain, row["prompt_ids"], branch)
        for row in trainers[0].train_dataset
        for branch in row["branches"]
    ]
    assert len(found) == len(SOLUTIONS)
    assert len(trainers[0].train_dataset) == len(SOLUTIONS) // 2
    assert trainers[0].first == pytest.approx(-torch.cat(found).mean().item(), rel=1e-4)


def test_two_steps_lower_the_loss_and_leave_the_base_bit_for_bit(
    base: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainers = kept_trainer(monkeypatch)
    sft.run(
        tiny.options(model=base, data=[data], output_dir=tmp_path / "out", max_steps=2, per_device_train_batch_size=6)
    )
    assert loss_of(trainers[0]) < trainers[0].first - 0.05
    assert unchanged(trainers[0])


def test_wrong_answers_and_rows_that_do_not_fit_are_left_out_whole(base: Path, tmp_path: Path) -> None:
    policy = load_policy(JobFields(model=str(base), dtype="float32"))
    wrong = Solution("made/0", "?", "1", ("#### 2",), correct=False)
    tool = Solution("made/1", "?", "1", (" a", "b"), prompt_ids=(1, 2), step_ids=((3, 4), (5,)), own=((1, 0), (1,)))
    rows, left_out = sft.rows_of([wrong, tool, *SOLUTIONS], policy, 5, 8)
    assert left_out == {"wrong answer": 1, "longer than max_length": len(SOLUTIONS)}
    assert [(row["branches"], row["labels"]) for row in rows] == [([[3, 4, 5]], [[3, IGNORED, 5]])]


@pytest.mark.parametrize("order", ["random", "group_by_length"])
def test_a_killed_job_ends_in_the_adapter_of_one_that_was_not(
    base: Path, data: Path, tmp_path: Path, order: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def options(name: str) -> list[str]:
        return tiny.options(
            model=base,
            data=[data],
            output_dir=tmp_path / name,
            num_train_epochs=3,
            per_device_train_batch_size=2,
            save_steps=2,
            train_sampling_strategy=order,
            max_branches=1,
        )

    sft.run(options("whole"))
    for step in (3, 11):  # in the first epoch, and in the second
        with monkeypatch.context() as patch:
            patch.setattr(job, "Progress", lambda step=step: tiny.KilledAt(step))
            with pytest.raises(tiny.Killed):
                sft.run(options("parts"))
    sft.run(options("parts"))
    assert tiny.same(tiny.adapter(tmp_path / "whole"), tiny.adapter(tmp_path / "parts"))


def test_what_is_left_of_a_job_is_not_written_over(
    base: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = tiny.options(model=base, data=[data], output_dir=tmp_path / "out", max_steps=2, save_steps=1)
    with monkeypatch.context() as patch:
        patch.setattr(job, "Progress", lambda: tiny.KilledAt(1))
        with pytest.raises(tiny.Killed):
            sft.run(options)
    with pytest.raises(UserError, match=r"other settings \(learning_rate\)"):
        sft.run([*options, "--learning_rate", "0.5"])
    sft.run(options)
    with pytest.raises(UserError, match="holds a finished adapter"):
        sft.run(options)


@pytest.mark.engine
def test_two_steps_on_the_embedded_model_lower_its_loss_and_leave_its_weights(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainers = kept_trainer(monkeypatch)
    sft.run(
        tiny.options(
            data=[data],
            output_dir=tmp_path / "out",
            dtype="bfloat16",
            bf16="true",
            learning_rate="1e-3",
            lr_scheduler_type="constant",
            max_steps=2,
            per_device_train_batch_size=6,
        )
    )
    assert loss_of(trainers[0]) < trainers[0].first - 0.1
    assert unchanged(trainers[0])
    card = json.loads((tmp_path / "out" / "stepsolver.json").read_text())
    assert (card["stage"], card["profile"], card["steps"]) == ("sft", "lines-zero-shot", 2)
    assert all(tensor.dtype == torch.bfloat16 for tensor in tiny.adapter(tmp_path / "out").values())
