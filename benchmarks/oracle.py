"""A process reward that knows the truth: what a search could bring if its reward were right. Not for use in earnest."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Final

from data.errors import UserError
from reasoning.grading import Grader
from reasoning.policy import Policy
from reasoning.rewards.base import Partial
from search.types import Evaluated, Finish

__all__ = ["Oracle"]

ROLLOUTS: Final = 4


class Oracle:
    """The share of ROLLOUTS continuations by the policy that end in the right answer; 1 or 0 for a whole solution.

    This is the Monte-Carlo value that process rewards are trained to predict (Math-Shepherd, arXiv 2312.08935). It is
    free: what the rollouts cost is no part of the usage, since the curve it makes asks what a perfect reward is worth.
    Name it as `--reward benchmarks.oracle:Oracle`.
    """

    name = "oracle"
    most_tokens = 0

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._grader = Grader(policy.task)

    async def evaluate(self, partial: Partial) -> Evaluated:
        """The value. Raises UserError where the problem has no reference answer."""
        if partial.problem.answer is None:
            raise UserError(f"{partial.problem.id} has no reference answer: the oracle cannot know")
        last = partial.steps[-1]
        if last.finish is Finish.ANSWER:
            return Evaluated(await self._right(partial, last.answer))
        values = await asyncio.gather(*(self._rollout(partial, i) for i in range(ROLLOUTS)))
        return Evaluated(sum(values) / ROLLOUTS)

    async def close(self) -> None:
        """End the grader's processes."""
        await self._grader.close()

    async def _rollout(self, partial: Partial, index: int) -> float:
        text = "".join(step.text for step in partial.steps)
        key = f"{partial.problem.id}\0{partial.ids}\0{index}".encode()
        seed = int.from_bytes(hashlib.blake2b(key, digest_size=4).digest(), "big") >> 1
        most = self._policy.most_tokens("answer")
        grammar = self._policy.grammar(partial.problem, text, "answer")
        found = await self._policy.sample(partial.ids, text, "answer", seed, most, grammar)
        end = found.steps[-1]
        return await self._right(partial, end.answer if end.finish is Finish.ANSWER else None)

    async def _right(self, partial: Partial, answer: str | None) -> float:
        return float(answer is not None and (await self._grader.judge(partial.problem, answer)).correct)
