"""Process rewards from labelled steps: python -m reasoning.train.prm --config FILE.yaml

`--kind generative` trains the probability of one judgement token against another after each step, which every engine
serves. `--kind token-classification` trains a head of two classes on the base model, read at each step's last token.
`data` names files of solution rows with step values, or of TRL's stepwise rows: prompt, completions, labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from transformers import Trainer

from data.errors import DataError, UserError
from data.rows import Solution, read_rows
from reasoning.train.branches import BranchCollator
from reasoning.train.job import (
    ExactOrder,
    Policy,
    load_policy,
    main,
    make_trainer,
    parse,
    prepare_output,
    train_and_save,
)
from reasoning.train.sft import SFTJob, solutions
from reasoning.train.values import ValueFields, fit, prepare, value_loss

__all__ = ["PRMJob", "StepClassifierTrainer", "run", "stepwise"]

Kind = Literal["generative", "token-classification"]


@dataclass
class PRMJob(ValueFields, SFTJob):
    """Settings of process-reward training: those of `sft`, `ValueFields` and this."""

    kind: Kind = field(default="generative", metadata={"help": "generative or token-classification"})


class StepClassifierTrainer(ExactOrder, Trainer):  # type: ignore[misc]
    """Cross-entropy of two classes (bad, good) with the soft label, at the last token of each labelled step."""

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The mean over the labelled steps of a batch of `BranchCollator` with `values`."""
        inputs = {name: x for name, x in inputs.items() if name != "labels"}
        targets = inputs.pop("values")
        total, count = value_loss(class_differences(model, inputs), targets, "after")
        loss = total / max(1, count)
        return (loss, {}) if return_outputs else loss


def class_differences(model: Any, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """z_good - z_bad of a two-class token classifier after every token, (batch, length) float32."""
    logits = model(**batch).logits.float()
    return logits[..., 1] - logits[..., 0]


def stepwise(row: Mapping[str, Any], step_end: str) -> Solution:
    """A row of TRL's stepwise format: prompt, completions (a text per step), labels (one per step: bool or share).

    Steps get the closing `step_end` that the format leaves out; the last one is closed by the end of the sequence.
    Raises DataError where the row is none.
    """
    try:
        steps, values = list(row["completions"]), tuple(None if x is None else float(x) for x in row["labels"])
        closed = [step if step.endswith(step_end) else step + step_end for step in steps[:-1]]
        # What tells right from wrong here is whether the last step is good.
        right = bool(values) and values[-1] is not None and values[-1] > 0.5
        found = {"id": row["prompt"], "question": row["prompt"], "answer": "", "steps": [*closed, *steps[-1:]]}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(
            f"not a stepwise row ({type(error).__name__}: {error}): it needs prompt, completions, labels"
        ) from None
    return Solution.of({**found, "correct": right, "values": values, "origin": "stepwise"})


def _labelled(job: PRMJob, policy: Policy) -> list[Solution]:
    """The solutions of all files, of either format."""
    found = solutions(job, policy, words="none")
    for name in job.data:
        if Path(name).is_file():
            found += [stepwise(row, policy.profile.step_end) for row in read_rows(Path(name)) if "completions" in row]
    return found


def _fit_classifier(job: PRMJob, policy: Policy, checkpoint: str | None) -> None:
    rows, counts = prepare(job, policy, _labelled(job, policy), words=False)
    trainer = make_trainer(StepClassifierTrainer, job, policy, rows, BranchCollator)
    train_and_save(trainer, policy, job, checkpoint, {"stage": "prm", "kind": job.kind, **counts})


def run(argv: Sequence[str] | None = None) -> int:
    """The command."""
    job = parse(PRMJob, argv, __doc__ or "")
    if job.kind not in get_args(Kind):
        raise UserError(f"unknown kind '{job.kind}': choose one of {', '.join(get_args(Kind))}")
    checkpoint = prepare_output(job)
    policy = load_policy(job, classify=job.kind == "token-classification")
    if job.kind == "token-classification":
        _fit_classifier(job, policy, checkpoint)
    else:
        rows = _labelled(job, policy)
        fit(job, policy, rows, checkpoint, stage="prm", words=False, weight=1.0, position="after")
    return 0


if __name__ == "__main__":
    main(run)
