"""Step-wise corrected solutions (S3c-Math, arXiv 2409.01524): a wrong step, a line that says so, and the right way on.

Trained on such rows a policy learns to notice its own mistake and to go on from it. It must not learn the mistake: the
wrong step's tokens are context and carry no loss.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from data.errors import DataError
from data.rows import Solution

__all__ = ["TRIGGER", "corrected"]

TRIGGER: Final = "Wait, that is wrong.\n"


def corrected(wrong: Solution, at: int, right: Solution, encode: Callable[[str], Sequence[int]]) -> Solution:
    """`wrong` up to and with its first wrong step, number `at`, then `TRIGGER`, then `right` from its step `at` on.

    Both rows carry ids, and share question, prompt and the ids of their first `at` steps; `right` reached the right
    answer. Ids are joined as they were sampled; `encode` gives those of the trigger alone, without special tokens. In
    `own` the wrong step is 0 throughout, the trigger 1; the other steps keep what `right` says. The row has no values:
    what a step is worth was estimated without the correction behind it.

    Raises DataError where the two do not belong together, or where the wrong step ends the solution: a final answer
    carries the end-of-sequence token, and nothing can follow that.
    """
    where = f"cannot correct step {at} of a solution of {wrong.id}"
    if wrong.step_ids is None or right.step_ids is None:
        raise DataError(f"{where}: both solutions need token ids")
    if (wrong.id, wrong.question, wrong.prompt_ids) != (right.id, right.question, right.prompt_ids):
        raise DataError(f"{where}: the other solution ({right.id}) has another question or prompt")
    if wrong.correct or not right.correct:
        raise DataError(f"{where}: it needs a wrong solution and a right one")
    if not 0 <= at < len(wrong.steps) - 1 or not wrong.steps[at].endswith("\n"):
        raise DataError(f"{where}: its steps 0 to {len(wrong.steps) - 2} can be corrected, where they end their line")
    if at >= len(right.steps) or wrong.step_ids[:at] != right.step_ids[:at]:
        raise DataError(f"{where}: the right solution does not continue the same steps")
    if wrong.step_ids[at] == right.step_ids[at]:
        raise DataError(f"{where}: the right solution has the same step there")
    trigger = tuple(encode(TRIGGER))
    if not trigger:
        raise DataError(f"{where}: the tokenizer has no ids for {TRIGGER!r}")
    own = right.own or tuple((1,) * len(ids) for ids in right.step_ids)
    return Solution(
        id=wrong.id,
        question=wrong.question,
        answer=wrong.answer,
        steps=(*right.steps[:at], wrong.steps[at], TRIGGER, *right.steps[at:]),
        origin="corrected",
        prompt_ids=wrong.prompt_ids,
        step_ids=(*right.step_ids[:at], wrong.step_ids[at], trigger, *right.step_ids[at:]),
        own=(*own[:at], (0,) * len(wrong.step_ids[at]), (1,) * len(trigger), *own[at:]),
        provenance={"first_wrong": at, "wrong": dict(wrong.provenance), "right": dict(right.provenance)},
    )
