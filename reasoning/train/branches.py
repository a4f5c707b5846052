"""Training rows as token ids: a prompt once, and one or more branches that continue it.

A question is longer than a short solution, and a pair of steps shares everything before it, so rows keep the prompt
once and let every branch attend to it. Each branch starts with its own copy of the prompt's last token, so that a
token is predicted from the position before it, as everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from data.errors import DataError
from data.rows import Solution
from reasoning.engine.base import Tokenizer
from reasoning.train.foreign import cut

__all__ = ["IGNORED", "NO_VALUE", "BranchCollator", "solution_ids"]

IGNORED = -100  # a label that counts in no loss
NO_VALUE = -1.0  # the value of a token that has none; values lie in [0, 1]


def solution_ids(row: Solution, tokenizer: Tokenizer, eos: int) -> tuple[list[list[int]], list[list[int]]]:
    """Token ids and own-token masks of each step: the row's where it has them, else encoded.

    Ids of another tokenizer must have been encoded again before (see `reasoning.train.foreign`).
    The last step of a row without ids is followed by the end-of-sequence token `eos`. Raises DataError where the
    tokenizer merges across a border: the policy would never meet such ids.
    """
    if row.step_ids is not None:
        own = row.own or tuple((1,) * len(ids) for ids in row.step_ids)
        return [list(ids) for ids in row.step_ids], [list(mask) for mask in own]
    steps = cut(row.steps, tokenizer)
    if steps is None:
        raise DataError(
            f"the tokenizer merges across a step border of {row.id}; end every step with a newline, or give step_ids"
        )
    steps[-1] = [*steps[-1], eos]
    return steps, [[1] * len(ids) for ids in steps]


@dataclass
class BranchCollator:
    """Batches of rows with `prompt_ids`, `branches` (ids of each) and `labels` (ids or IGNORED, of each branch).

    Returns `input_ids` and `labels`, (batch, length); `position_ids` alike; and `attention_mask`: (batch, length)
    where every row has one branch, else additive and (batch, 1, length, length) in `dtype`, in which a branch sees the
    prompt and itself. `segments` (batch, length) numbers the branches from 1; the prompt is 0, padding -1. Rows with
    `values` (of each branch, one per id) give a batch with `values` (batch, length), NO_VALUE where there is none.
    """

    pad_token_id: int
    dtype: torch.dtype = torch.float32
    keep_segments: bool = False

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, torch.Tensor]:
        """The batch."""
        flat = [self._flatten(row) for row in rows]
        length = max(len(ids) for ids, *_ in flat)
        batch = {
            name: torch.tensor([column + [fill] * (length - len(column)) for column in columns])
            for name, fill, columns in zip(
                ("input_ids", "labels", "position_ids", "segments", "values"),
                (self.pad_token_id, IGNORED, 0, -1, NO_VALUE),
                zip(*flat, strict=True),
                strict=True,
            )
        }
        if "values" not in rows[0]:
            del batch["values"]
        segments = batch["segments"] if self.keep_segments else batch.pop("segments")
        if all(len(row["branches"]) == 1 for row in rows):
            batch["attention_mask"] = (segments >= 0).long()
        else:
            order = torch.arange(length)
            key, query = segments[:, None, :], segments[:, :, None]
            seen = (order[:, None] >= order[None, :]) & ((key == 0) | (key == query)) & (key >= 0)
            seen = seen | torch.eye(length, dtype=torch.bool)  # padding sees itself: an empty softmax is NaN
            mask = torch.zeros(seen.shape, dtype=self.dtype).masked_fill(~seen, torch.finfo(self.dtype).min)
            batch["attention_mask"] = mask[:, None]
        return batch

    @staticmethod
    def _flatten(row: Mapping[str, Any]) -> tuple[list[int], list[int], list[int], list[int], list[float]]:
        """Ids, labels, positions, segments and values of one row."""
        *shared, last = row["prompt_ids"]
        ids, labels = list(shared), [IGNORED] * len(shared)
        positions, segments = list(range(len(shared))), [0] * len(shared)
        given = row.get("values") or [[NO_VALUE] * len(branch) for branch in row["branches"]]
        values = [NO_VALUE] * len(shared)
        for number, (branch, wanted, worth) in enumerate(
            zip(row["branches"], row["labels"], given, strict=True), start=1
        ):
            ids += [last, *branch]
            labels += [IGNORED, *wanted]
            values += [NO_VALUE, *worth]
            positions += range(len(shared), len(shared) + 1 + len(branch))
            segments += [number] * (1 + len(branch))
        return ids, labels, positions, segments, values
