"""Supervised fine-tuning on solutions: python -m reasoning.train.sft --config FILE.yaml

The policy learns to write solutions as steps. `data` names files of solution rows (see `data.rows.Solution`), or a
task's own reference solutions as `gold` (mathematics only) or `gold-words`.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trl import SFTConfig, SFTTrainer

from data.errors import UserError
from data.records import Problem
from data.rows import Solution, read_rows
from data.solutions import gold
from reasoning.train import head
from reasoning.train.branches import IGNORED, NO_VALUE, BranchCollator, solution_ids
from reasoning.train.foreign import Words
from reasoning.train.job import (
    ExactOrder,
    JobFields,
    Policy,
    load_policy,
    main,
    make_trainer,
    parse,
    prepare_output,
    train_and_save,
)

__all__ = ["SFTJob", "StepSFTTrainer", "rows_of", "run", "solutions"]


@dataclass
class SFTJob(JobFields, SFTConfig):  # type: ignore[misc]
    """Settings of supervised fine-tuning: `JobFields`, these, and all of `trl.SFTConfig`."""

    train_split: str = field(default="train", metadata={"help": "the split that `gold` reads"})
    offset: int = field(default=0, metadata={"help": "first problem of the split that `gold` reads"})
    limit: int | None = field(default=None, metadata={"help": "number of problems that `gold` reads"})
    data_dir: str | None = field(default=None, metadata={"help": "folder with data sets, as in reasoning.solve"})
    max_branches: int = field(default=8, metadata={"help": "solutions of one question trained on as one row"})
    gradient_checkpointing: bool = field(default=False, metadata={"help": "less memory, a third more time"})


class StepSFTTrainer(ExactOrder, SFTTrainer):  # type: ignore[misc]
    """TRL's trainer with `reasoning.train.head`: the mean negative log-likelihood of the policy's own tokens."""

    def __init__(self, *args: Any, value_ids: tuple[int, int] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        head.install(self.accelerator.unwrap_model(self.model).get_base_model(), value_ids)

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The loss of a batch of `BranchCollator`; `num_items_in_batch` are the labels of a whole accumulated batch."""
        labels = inputs["labels"]
        log_probs = model(**inputs, scored=True)["log_probs"]
        own = (labels[:, 1:] != IGNORED).sum()
        loss = -log_probs.sum() / (own if num_items_in_batch is None else num_items_in_batch)
        if num_items_in_batch is not None and self.args.average_tokens_across_devices:
            loss = loss * self.accelerator.num_processes
        self._metrics["train" if self.model.training else "eval"]["tokens"].append(float(own))
        return (loss, {}) if return_outputs else loss


def solutions(job: Any, policy: Policy, *, words: Words = "right") -> list[Solution]:
    """The job's rows, in the order of its files; ids of another tokenizer are encoded again, which is said in one line.

    `words` says whose words teach (see `reasoning.train.foreign`). Raises UserError or DataError.
    """
    if not job.data:
        raise UserError("no data: name files of solutions with --data, or gold")
    found: list[Solution] = []
    for name in job.data:
        if name in ("gold", "gold-words"):
            folder = Path(job.data_dir) if job.data_dir else None
            problems = policy.task.load(job.train_split, data_dir=folder, limit=job.limit, offset=job.offset)
            rows = [gold(problem, words=name == "gold-words") for problem in problems]
            found += [row for row in rows if row is not None]
        else:
            found += [Solution.of(row) for row in read_rows(Path(name)) if "steps" in row]
    return policy.encoder.solutions(found, words=words).report("solutions")


def rows_of(
    rows: Sequence[Solution], policy: Policy, max_length: int | None, max_branches: int, *, values: bool = False
) -> tuple[list[dict[str, Any]], Counter[str]]:
    """Rows for `BranchCollator`, solutions of one question together, and how many were left out, by reason.

    A row longer than `max_length` is left out whole: nothing is cut. Wrong solutions teach no words. With `values`
    rows carry step labels, at the last token of each step, and wrong solutions that have some are kept for those.
    """
    by_prompt: dict[tuple[int, ...], list[tuple[list[int], list[int], list[float]]]] = {}
    left_out: Counter[str] = Counter()
    for row in rows:
        given = row.values if values and row.values is not None else (None,) * len(row.steps)
        if not row.correct and all(value is None for value in given):
            left_out["wrong answer"] += 1
            continue
        prompt = row.prompt_ids or policy.prompt(Problem(row.id, row.question))
        steps, own = solution_ids(row, policy.tokenizer, policy.eos)
        ids = [i for step in steps for i in step]
        labels = [
            i if mine and row.correct else IGNORED
            for step, mask in zip(steps, own, strict=True)
            for i, mine in zip(step, mask, strict=True)
        ]
        worth = [
            x
            for step, value in zip(steps, given, strict=True)
            for x in [*[NO_VALUE] * (len(step) - 1), NO_VALUE if value is None else float(value)][: len(step)]
        ]
        if max_length is not None and len(prompt) + len(ids) > max_length:
            left_out["longer than max_length"] += 1
            continue
        by_prompt.setdefault(tuple(prompt), []).append((ids, labels, worth))
    found = []
    for prompt, branches in by_prompt.items():
        for start in range(0, len(branches), max_branches):
            part = branches[start : start + max_branches]
            length = len(prompt) + sum(len(ids) + 1 for ids, *_ in part)
            found.append(
                {
                    "prompt_ids": list(prompt),
                    "branches": [ids for ids, *_ in part],
                    "labels": [labels for _, labels, _ in part],
                    **({"values": [worth for *_, worth in part]} if values else {}),
                    "length": length,
                }
            )
    return found, left_out


def run(argv: Sequence[str] | None = None) -> int:
    """The command."""
    job = parse(SFTJob, argv, __doc__ or "")
    checkpoint = prepare_output(job)
    policy = load_policy(job)
    rows, left_out = rows_of(solutions(job, policy), policy, job.max_length, job.max_branches)
    if not rows:
        raise UserError(f"no row is left to train on ({dict(left_out)})")
    random.Random(job.seed).shuffle(rows)
    count = sum(len(row["branches"]) for row in rows)
    print(
        f"{count} solutions of {len(rows)} prompts" + "".join(f"; {n} {why}" for why, n in left_out.items()), flush=True
    )
    trainer = make_trainer(StepSFTTrainer, job, policy, rows, BranchCollator)
    train_and_save(trainer, policy, job, checkpoint, {"stage": "sft", "solutions": count})
    return 0


if __name__ == "__main__":
    main(run)
