"""A policy and reward whose every outcome is known: for tests, and for timing search itself without a model."""

from __future__ import annotations

import asyncio
import hashlib
import random
from dataclasses import dataclass

from search.tree import ROOT, Tree
from search.types import Evaluate, Evaluated, Expand, Expanded, Finish, Outcome, Request, Segment, State, Step, Usage

__all__ = ["ToyWorker"]


@dataclass
class ToyWorker:
    """Steps are numbers 0 to `branching` - 1, uniform under the sample's seed; a solution ends at `depth`.

    Its answer is the sum of its steps modulo `answers`. A reward is a multiple of 1/1024 fixed by the path alone. Each
    step costs `tokens` completion tokens, fewer where the driver grants fewer (then it is CUT). A plan's steps are
    numbers too, and 0 completes it; a solution that is refined is written anew from its prompt. With `shuffle`,
    outcomes arrive in random order.
    """

    branching: int = 4
    depth: int = 4
    answers: int = 3
    tokens: int = 3
    shuffle: random.Random | None = None

    def most_tokens(self, tree: Tree, request: Request) -> int:
        """`tokens` a step, none for a reward."""
        if isinstance(request, Expand):
            return self.tokens * (self.steps_left(tree, self.start(request)) if request.unit == "answer" else 1)
        return 0

    async def perform(self, tree: Tree, request: Request, max_tokens: int) -> Outcome:
        """The outcome, after a random number of turns of the loop where `shuffle` is set."""
        if self.shuffle:
            for _ in range(self.shuffle.randrange(8)):
                await asyncio.sleep(0)
        return self.outcome(tree, request, max_tokens)

    def outcome(self, tree: Tree, request: Request, max_tokens: int) -> Outcome:
        """What a request brings; depends on the path and the sample number only."""
        if isinstance(request, Evaluate):
            return Evaluated(self.value(tree.root, tree.ids(request.node)), Usage(len(tree.ids(request.node)), 0, 0))
        assert isinstance(request, Expand)
        rng = random.Random(tree.sample_seed(request))
        start = self.start(request)
        prompt = tree.prompt(request.node) if request.action == "refine" else tree.prefix(request)
        path = tuple(i for n in tree.path(start) if n.step for i in n.step.ids)
        plan = request.action == "plan"
        spent, steps = 0, []
        for _ in range(self.steps_left(tree, start) if request.unit == "answer" else 1):
            if max_tokens - spent < self.tokens:
                spent = max_tokens
                steps.append(Step((), "", Finish.CUT))
                break
            spent += self.tokens
            choice = rng.randrange(self.branching)
            path += (choice,)
            segments = (Segment((choice,), (-float(1 + choice),)),)  # a prior that differs between siblings
            if plan:
                steps.append(Step(segments, f"p{choice} ", Finish.STEP if choice else Finish.END, action="plan"))
            elif len(path) >= self.depth:
                steps.append(Step(segments, f"{choice} ", Finish.ANSWER, str(sum(path) % self.answers)))
            else:
                steps.append(Step(segments, f"{choice} "))
        return Expanded(tuple(steps), Usage(len(prompt), 0, spent))

    @staticmethod
    def start(request: Expand) -> int:
        """The node that a sample goes on from."""
        return ROOT if request.action == "refine" else request.node

    def steps_left(self, tree: Tree, node: int) -> int:
        """Steps from a node to the end."""
        return max(1, self.depth - tree.nodes[node].depth)

    def value(self, root: State, ids: tuple[int, ...]) -> float:
        """The reward of a path, in [0, 1)."""
        digest = hashlib.blake2b(f"{root.problem}\0{ids}".encode(), digest_size=2).digest()
        return (int.from_bytes(digest, "big") % 1024) / 1024
