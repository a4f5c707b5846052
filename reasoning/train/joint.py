"""Policy and value in one adapter: python -m reasoning.train.joint --config FILE.yaml

The policy learns to write solutions from the right ones, and to value steps from all that carry step values, so that
one engine serves both and the value of a step costs nothing (AlphaMath, arXiv 2405.03553). `data` names files of
solution rows, or `gold` as in `reasoning.train.sft`.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import get_args

import torch
from datasets import Dataset

from data.errors import UserError
from reasoning.train.branches import NO_VALUE, BranchCollator
from reasoning.train.job import Progress, load_policy, main, parse, prepare_output, save_adapter, train
from reasoning.train.sft import SFTJob, rows_of, solutions
from reasoning.train.values import Position, ValueFields, ValueTrainer, choose, judgement_ids

__all__ = ["JointJob", "run"]


@dataclass
class JointJob(ValueFields, SFTJob):
    """Settings of joint training: those of `sft`, `ValueFields` and these."""

    value_weight: float = field(default=0.5, metadata={"help": "weight of the value loss beside the words'"})
    position: Position = field(
        default="border", metadata={"help": "where a step's value is read: border, after, or both (to compare)"}
    )


def run(argv: Sequence[str] | None = None) -> int:
    """The command."""
    job = parse(JointJob, argv, __doc__ or "")
    if job.position not in get_args(Position):
        raise UserError(f"unknown position '{job.position}': choose one of {', '.join(get_args(Position))}")
    checkpoint = prepare_output(job)
    policy = load_policy(job)
    value_ids = judgement_ids(policy.tokenizer, job.good, job.bad)
    chosen = choose(solutions(job, policy), balance=job.balance, max_per_question=job.max_per_question, seed=job.seed)
    rows, left_out = rows_of(chosen, policy, job.max_length, job.max_branches, values=True)
    if not rows:
        raise UserError(f"no row is left to train on ({dict(left_out)})")
    random.Random(job.seed).shuffle(rows)
    count = sum(len(row["branches"]) for row in rows)
    steps = sum(x != NO_VALUE for row in rows for branch in row["values"] for x in branch)
    print(
        f"{count} solutions of {len(rows)} prompts, {steps} steps with values"
        + "".join(f"; {n} {why}" for why, n in left_out.items()),
        flush=True,
    )
    job.dataset_kwargs = {"skip_prepare_dataset": True}
    job.remove_unused_columns = False
    trainer = ValueTrainer(
        model=policy.model,
        args=job,
        train_dataset=Dataset.from_list(rows),
        processing_class=policy.processing,
        data_collator=BranchCollator(policy.processing.pad_token_id, torch.bfloat16 if job.bf16 else torch.float32),
        callbacks=[Progress()],
        value_ids=value_ids,
        value_weight=job.value_weight,
        position=job.position,
    )
    seconds = train(trainer, checkpoint)
    # An adapter that learned both serves the one that is free.
    position = "after" if job.position == "after" else "border"
    save_adapter(
        policy,
        job,
        {
            "stage": "joint",
            "value": {"position": position, "good": job.good, "bad": job.bad},
            "solutions": count,
            "labelled_steps": steps,
            "steps": trainer.state.global_step,
            "seconds": round(seconds),
        },
    )
    print(f"adapter in {job.output_dir}")
    return 0


if __name__ == "__main__":
    main(run)
