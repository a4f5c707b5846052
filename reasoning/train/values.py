"""Values of steps as two tokens of the vocabulary: what the trainers `joint` and `prm` share.

The value of a step is sigmoid(z_good - z_bad), the logits of two judgement tokens, read at one of two positions:
`border`, the logits that sample the step's last token (they cost nothing where the policy itself writes the step), or
`after`, the logits after that token (one more token, an explicit judgement request).
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import torch
import torch.nn.functional as F

from data.errors import DataError, UserError
from data.rows import Solution
from reasoning.engine.base import Tokenizer
from reasoning.train.branches import IGNORED, NO_VALUE, BranchCollator
from reasoning.train.job import Policy, make_trainer, train_and_save
from reasoning.train.sft import StepSFTTrainer, rows_of

__all__ = [
    "Position",
    "ValueFields",
    "ValueTrainer",
    "at_position",
    "choose",
    "fit",
    "judgement_ids",
    "prepare",
    "score_steps",
    "value_loss",
]

Position = Literal["border", "after", "both"]


@dataclass
class ValueFields:
    """Settings of jobs that train values of steps."""

    good: str = field(default=" yes", metadata={"help": "judgement token of a step that leads to a right answer"})
    bad: str = field(default=" no", metadata={"help": "judgement token of one that does not"})
    balance: bool = field(default=False, metadata={"help": "as many labelled right solutions as wrong ones"})
    max_per_question: int | None = field(default=None, metadata={"help": "labelled solutions of one question"})


def judgement_ids(tokenizer: Tokenizer, good: str, bad: str) -> tuple[int, int]:
    """Token ids of the two judgement tokens. Raises UserError unless they are single, different tokens."""
    for text in (good, bad):
        if len(tokenizer.encode(text)) != 1:
            raise UserError(f"the judgement token {text!r} is not a single token for this model: name another")
    if good == bad:
        raise UserError("the two judgement tokens are the same: name two different ones")
    return tokenizer.encode(good)[0], tokenizer.encode(bad)[0]


def choose(
    rows: Sequence[Solution], *, balance: bool = False, max_per_question: int | None = None, seed: int = 0
) -> list[Solution]:
    """The rows with the labels of surplus solutions taken away; a right one then still teaches its words.

    At most `max_per_question` solutions of a question stay labelled, right and wrong ones in turn; with `balance` as
    many right as wrong ones over all. Rows without labels are kept as they are. Raises DataError for a label outside
    [0, 1], or where there is no label at all.
    """
    for row in rows:
        if any(value is not None and not 0.0 <= value <= 1.0 for value in row.values or ()):
            raise DataError(f"a step value of {row.id} lies outside [0, 1]: label the steps again")
    labelled = [i for i, row in enumerate(rows) if any(value is not None for value in row.values or ())]
    if not labelled:
        raise DataError("no row has step values: label the steps of sampled solutions first")
    rng = random.Random(seed)
    rng.shuffle(labelled)
    if max_per_question is not None:
        questions: dict[str, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
        for i in labelled:
            questions[rows[i].id][rows[i].correct].append(i)
        labelled = [i for sides in questions.values() for i in list(_alternate(*sides))[:max_per_question]]
    if balance:
        sides = [[i for i in labelled if rows[i].correct is side] for side in (True, False)]
        even = min(map(len, sides))
        if not even:
            raise DataError("there are no right, or no wrong, solutions with values to balance: pass --balance false")
        labelled = [i for side in sides for i in rng.sample(side, even)]
    kept = set(labelled)
    return [row if i in kept or row.values is None else replace(row, values=None) for i, row in enumerate(rows)]


def _alternate(wrong: Sequence[int], right: Sequence[int]) -> Iterator[int]:
    for i in range(max(len(wrong), len(right))):
        yield from (side[i] for side in (right, wrong) if i < len(side))


def at_position(differences: torch.Tensor, targets: torch.Tensor, position: Position) -> tuple[torch.Tensor, ...]:
    """The logit differences at the labelled steps, and their labels, both (N,).

    `differences` (batch, length) are z_good - z_bad after every token; `targets` alike hold a step's value at its last
    token, and a negative number elsewhere.
    """
    border = (differences[:, :-1][targets[:, 1:] >= 0], targets[:, 1:][targets[:, 1:] >= 0])
    after = (differences[targets >= 0], targets[targets >= 0])
    if position == "both":
        return torch.cat([border[0], after[0]]), torch.cat([border[1], after[1]])
    return border if position == "border" else after


def value_loss(differences: torch.Tensor, targets: torch.Tensor, position: Position) -> tuple[torch.Tensor, int]:
    """Sum of the binary cross-entropies of sigmoid(z_good - z_bad) with the soft labels, and how many they are."""
    found, wanted = at_position(differences, targets, position)
    return F.binary_cross_entropy_with_logits(found, wanted.to(found.dtype), reduction="sum"), len(wanted)


class ValueTrainer(StepSFTTrainer):
    """Mean negative log-likelihood of own tokens + `value_weight` * mean cross-entropy of labelled steps, in one pass.

    As AlphaMath (arXiv 2405.03553) trains policy and value together, with two tokens of the vocabulary in place of
    its value head and cross-entropy in place of its squared error.
    """

    def __init__(self, *args: Any, value_ids: tuple[int, int], value_weight: float, position: Position, **kwargs: Any):
        self.value_weight, self.position = value_weight, position
        self._labelled: torch.Tensor | None = None
        super().__init__(*args, value_ids=value_ids, **kwargs)

    def get_batch_samples(self, epoch_iterator: Any, num_batches: int, device: Any) -> Any:
        """As ever, and the labelled steps of the whole accumulated batch are counted like its tokens."""
        batches, items = super().get_batch_samples(epoch_iterator, num_batches, device)
        counts = [at_position(b["values"], b["values"], self.position)[1].numel() for b in batches]
        self._labelled = torch.tensor(sum(counts), device=device)
        if self.args.average_tokens_across_devices and self.args.world_size > 1:
            self._labelled = self.accelerator.gather(self._labelled).sum()
        return batches, items

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The loss of a batch of `BranchCollator` with `values`."""
        inputs = dict(inputs)
        targets = inputs.pop("values")
        out = model(**inputs, scored=True)
        own = int((inputs["labels"][:, 1:] != IGNORED).sum())
        nll, (value, labelled) = -out["log_probs"].sum(), value_loss(out["values"], targets, self.position)
        tokens, steps = (own, labelled) if num_items_in_batch is None else (num_items_in_batch, self._labelled)
        # A batch may hold only wrong solutions, or only ones without values.
        loss = nll / max(1, tokens) + self.value_weight * value / max(1, steps)  # type: ignore[type-var]
        if num_items_in_batch is not None and self.args.average_tokens_across_devices:
            loss = loss * self.accelerator.num_processes
        metrics = self._metrics["train" if self.model.training else "eval"]
        metrics["tokens"].append(float(own))
        if own:
            metrics["nll"].append(float(nll.detach()) / own)
        if labelled:
            metrics["value_loss"].append(float(value.detach()) / labelled)
        return (loss, {}) if return_outputs else loss


def prepare(
    job: Any, policy: Policy, solutions: Sequence[Solution], *, words: bool
) -> tuple[list[Any], dict[str, int]]:
    """A job's rows for `BranchCollator`, shuffled, and their counts for its card. Raises UserError or DataError.

    Without `words` only labelled solutions are taken, and no token of theirs counts as a label.
    """
    chosen = choose(solutions, balance=job.balance, max_per_question=job.max_per_question, seed=job.seed)
    if not words:
        chosen = [row for row in chosen if row.values is not None]
    rows, left_out = rows_of(chosen, policy, job.max_length, job.max_branches, values=True)
    if not rows:
        raise UserError(f"no row is left to train on ({dict(left_out)})")
    if not words:
        rows = [{**row, "labels": [[IGNORED] * len(ids) for ids in row["branches"]]} for row in rows]
    random.Random(job.seed).shuffle(rows)
    count = sum(len(row["branches"]) for row in rows)
    labelled = sum(x != NO_VALUE for row in rows for branch in row["values"] for x in branch)
    told = "".join(f"; {n} {why}" for why, n in left_out.items())
    print(f"{count} solutions of {len(rows)} prompts, {labelled} steps with values{told}", flush=True)
    return rows, {"solutions": count, "labelled_steps": labelled}


def fit(
    job: Any,
    policy: Policy,
    solutions: Sequence[Solution],
    checkpoint: str | None,
    *,
    stage: str,
    words: bool,
    weight: float,
    position: Position,
) -> None:
    """Train the adapter of a job on solutions, with the values of their steps as two tokens, and save it."""
    value_ids = judgement_ids(policy.tokenizer, job.good, job.bad)
    rows, counts = prepare(job, policy, solutions, words=words)
    more = {"value_ids": value_ids, "value_weight": weight, "position": position}
    trainer = make_trainer(ValueTrainer, job, policy, rows, BranchCollator, **more)
    # An adapter that learned both serves the one that is free.
    value = {"position": "after" if position == "after" else "border", "good": job.good, "bad": job.bad}
    train_and_save(trainer, policy, job, checkpoint, {"stage": stage, "value": value, **counts})


def score_steps(
    policy: Policy, rows: Sequence[Solution], differences: Any, position: Position, batch_size: int = 8
) -> list[list[float]]:
    """The value of every step of `rows`, in [0, 1], as one list per row.

    `differences(batch)` gives z_good - z_bad after every token, (batch, length), for a batch of `BranchCollator`.
    Solutions of one question are scored as branches of one row, up to 8 at a time.
    """
    groups: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    for i, row in enumerate(rows):
        groups[row.id, row.question, row.prompt_ids].append(i)
    parts = [group[i : i + 8] for group in groups.values() for i in range(0, len(group), 8)]
    packed = []
    for part in parts:
        # Any label marks where a step ends.
        marked = [replace(rows[i], values=(0.0,) * len(rows[i].steps)) for i in part]
        (whole,), _ = rows_of(marked, policy, None, len(part), values=True)
        packed.append({**whole, "labels": [[IGNORED] * len(ids) for ids in whole["branches"]]})
    collate = BranchCollator(policy.processing.pad_token_id, policy.model.dtype)
    device = next(policy.model.parameters()).device
    scores: list[list[float]] = [[] for _ in rows]
    order = sorted(range(len(parts)), key=lambda k: packed[k]["length"])
    for start in range(0, len(order), batch_size):
        numbers = order[start : start + batch_size]
        batch = {name: x.to(device) for name, x in collate([packed[k] for k in numbers]).items()}
        targets = batch.pop("values")
        with torch.inference_mode():
            found = torch.sigmoid(at_position(differences(batch), targets, position)[0]).tolist()
        owners = [i for k in numbers for i in parts[k] for _ in rows[i].steps]
        for i, value in zip(owners, found, strict=True):
            scores[i].append(value)
    return scores
