"""Performs a search's requests for one problem: samples from the policy, values from the reward."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from data.records import Problem
from reasoning.actions import solution_head
from reasoning.clock import EngineClock
from reasoning.policy import Policy
from reasoning.rewards.base import Partial, Reward
from search.tree import Tree
from search.types import Cancelled, Evaluate, Evaluated, Expand, Expanded, Outcome, Request

__all__ = ["PolicyWorker"]


@dataclass(frozen=True, slots=True)
class PolicyWorker:
    """A `search.driver.Worker` over a policy and, where the method asks for values, a reward.

    `clock` is the policy's engine's, which all workers of a run share, and `reward_clock` the reward's: the same one
    where it asks the same engine. `longest` is the most tokens that one solution may have, over all its steps.
    """

    problem: Problem
    policy: Policy
    reward: Reward | None = None
    clock: EngineClock = field(default_factory=EngineClock)
    reward_clock: EngineClock = field(default_factory=EngineClock)
    longest: int | None = None

    def most_tokens(self, tree: Tree, request: Request) -> int:
        """The limits of the policy's profile, or of the reward."""
        if isinstance(request, Expand):
            most = self.policy.most_tokens(request.unit)
            if self.longest is None:
                return most
            written = sum(len(n.step.ids) for n in tree.path(request.node) if n.step is not None)
            return max(0, min(most, self.longest - written))
        return self.reward.most_tokens if self.reward else 0

    async def perform(self, tree: Tree, request: Request, max_tokens: int) -> Outcome:
        """One sample or one value. A value that is no probability is an error of the reward, and raises."""
        clock = self.clock if isinstance(request, Expand) else self.reward_clock
        begun = clock.begin()
        try:
            outcome = await self._perform(tree, request, max_tokens)
        except Cancelled as error:
            raise Cancelled(replace(error.usage, seconds=clock.end(begun))) from None
        except BaseException:
            clock.end(begun)
            raise
        return replace(outcome, usage=replace(outcome.usage, seconds=clock.end(begun)))

    async def _perform(self, tree: Tree, request: Request, max_tokens: int) -> Outcome:
        if isinstance(request, Expand):
            return await self._expand(tree, request, max_tokens)
        assert isinstance(request, Evaluate)
        if self.reward is None:
            raise ValueError("the method asks for a process reward and none was given")
        steps = tuple(n.step for n in tree.path(request.node) if n.step is not None)
        outcome = await self.reward.evaluate(Partial(self.problem, tree.prompt(request.node), steps))
        if not math.isfinite(outcome.value) or not 0.0 <= outcome.value <= 1.0:
            raise ValueError(f"the reward '{self.reward.name}' returned {outcome.value}, which is not in [0, 1]")
        return Evaluated(outcome.value, outcome.usage)

    async def _expand(self, tree: Tree, request: Expand, max_tokens: int) -> Expanded:
        """A step of a plan, or of a solution: of the one so far, of the one after a plan, or of one written anew."""
        policy, seed, prefix = self.policy, tree.sample_seed(request), tree.prefix(request)
        if request.action == "plan":
            return await policy.plan(prefix, seed, max_tokens)
        steps = [n.step for n in tree.path(request.node) if n.step is not None]
        head = ""
        if request.action == "refine":
            if "refine" in policy.profile.actions:
                prefix = policy.action_prompt(self.problem, "refine", tree.text(request.node))
            else:
                prefix = tree.prompt(request.node)  # a draft cannot be shown: sample from its prompt once more
            steps = []
        elif steps and steps[-1].action == "plan":
            head = solution_head("".join(s.text for s in steps))
        before = "".join(s.text for s in steps if s.action != "plan")
        grammar = policy.grammar(self.problem, before, request.unit)
        return await policy.sample(prefix, before, request.unit, seed, max_tokens, grammar, head)
