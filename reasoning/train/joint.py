"""Policy and value in one adapter: python -m reasoning.train.joint --config FILE.yaml

The policy learns to write solutions from the right ones, and to value steps from all that carry step values, so that
one engine serves both and the value of a step costs nothing (AlphaMath, arXiv 2405.03553). `data` names files of
solution rows, or `gold` as in `reasoning.train.sft`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import get_args

from data.errors import UserError
from reasoning.train.job import load_policy, main, parse, prepare_output
from reasoning.train.sft import SFTJob, solutions
from reasoning.train.values import Position, ValueFields, fit

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
    rows = solutions(job, policy)
    fit(job, policy, rows, checkpoint, stage="joint", words=True, weight=job.value_weight, position=job.position)
    return 0


if __name__ == "__main__":
    main(run)
