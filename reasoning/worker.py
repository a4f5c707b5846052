"""Performs a search's requests for one problem: samples from the policy, values from the reward."""

from __future__ import annotations

import math
from dataclasses import dataclass

from data.records import Problem
from reasoning.policy import Policy
from reasoning.rewards.base import Partial, Reward
from search.tree import Tree
from search.types import Evaluate, Evaluated, Expand, Outcome, Request

__all__ = ["PolicyWorker"]


@dataclass(frozen=True, slots=True)
class PolicyWorker:
    """A `search.driver.Worker` over a policy and, where the method asks for values, a reward."""

    problem: Problem
    policy: Policy
    reward: Reward | None = None

    def most_tokens(self, tree: Tree, request: Request) -> int:
        """The limits of the policy's profile, or of the reward."""
        if isinstance(request, Expand):
            return self.policy.most_tokens(request.unit)
        return self.reward.most_tokens if self.reward else 0

    async def perform(self, tree: Tree, request: Request, max_tokens: int) -> Outcome:
        """One sample or one value. A value that is no probability is an error of the reward, and raises."""
        if isinstance(request, Expand):
            seed = tree.sample_seed(request)
            before = tree.text(request.node)
            grammar = self.policy.grammar(self.problem, before, request.unit)
            return await self.policy.sample(tree.ids(request.node), before, request.unit, seed, max_tokens, grammar)
        assert isinstance(request, Evaluate)
        if self.reward is None:
            raise ValueError("the method asks for a process reward and none was given")
        steps = tuple(n.step for n in tree.path(request.node) if n.step is not None)
        outcome = await self.reward.evaluate(Partial(self.problem, tree.root.prompt, steps))
        if not math.isfinite(outcome.value) or not 0.0 <= outcome.value <= 1.0:
            raise ValueError(f"the reward '{self.reward.name}' returned {outcome.value}, which is not in [0, 1]")
        return Evaluated(outcome.value, outcome.usage)
