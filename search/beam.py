"""Step-level beam search, SBS(B1, B2) of AlphaMath (arXiv 2405.03553)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from search.checks import choice, whole
from search.ranking import VOTES, Vote, rank
from search.tree import AGGREGATES, ROOT, Aggregate, Tree
from search.types import Answer, Evaluate, Evaluated, Expand, Expanded, Finish, Outcome, Request, State

__all__ = ["BeamSearch"]


@dataclass(frozen=True)
class BeamSearch:
    """The root samples `width` x `expand` steps, each live beam `expand`; the best `width` candidates live on.

    Every candidate is scored the moment it arrives. A finished beam is set aside and the width shrinks by one; equal
    sibling steps are merged; at `max_depth` only finished candidates count. The answer is the finished beam of highest
    score, unless another `vote` over the finished beams is named.
    """

    width: int = 3
    expand: int = 5
    max_depth: int = 10
    vote: Vote = "best"
    aggregate: Aggregate = "last"
    needs_reward = True

    def __post_init__(self) -> None:
        """Refuse impossible parameters."""
        whole(1, width=self.width, expand=self.expand, max_depth=self.max_depth)
        choice("vote", self.vote, VOTES)
        choice("aggregation", self.aggregate, AGGREGATES)

    def start(self, root: State) -> Tree:
        """Sample the first steps."""
        tree = Tree(root)
        tree.memo = {"width": self.width, "depth": 0, "waiting": 0, "candidates": [], "finished": []}
        self._expand(tree, [ROOT], self.width * self.expand)
        return tree

    def ask(self, tree: Tree) -> Sequence[Request]:
        """This depth's samples, then a reward for each, then the next depth."""
        return tree.take_outbox()

    def tell(self, tree: Tree, request: Request, outcome: Outcome) -> None:
        """Take in a candidate or its reward; the last outcome of a depth selects the survivors."""
        tree.settle(request, outcome)
        memo = tree.memo
        memo["waiting"] -= 1
        if isinstance(request, Expand) and isinstance(outcome, Expanded):
            node, new = tree.add_chain(request, outcome)[-1]
            if new and node.finish in (Finish.STEP, Finish.ANSWER):
                tree.evaluate(node.id)
                memo["waiting"] += 1
        elif isinstance(request, Evaluate) and isinstance(outcome, Evaluated):
            tree.nodes[request.node].value = outcome.value
            memo["candidates"].append(request.node)
        if memo["waiting"] == 0:
            self._select(tree)

    def answers(self, tree: Tree) -> list[Answer]:
        """Answers of the finished beams."""
        return rank(tree, (tree.nodes[i] for i in tree.memo["finished"]), self.vote, self.aggregate)

    def _expand(self, tree: Tree, beams: list[int], samples: int) -> None:
        tree.memo["depth"] += 1
        tree.memo["waiting"] = samples * len(beams)
        tree.memo["candidates"] = []
        for beam in beams:
            for _ in range(samples):
                tree.expand(beam)

    def _select(self, tree: Tree) -> None:
        memo = tree.memo
        last = memo["depth"] >= self.max_depth
        ranked = sorted(
            (-(tree.score(i, self.aggregate) or 0.0), tree.order(i), i)
            for i in memo["candidates"]
            if not last or tree.nodes[i].finish is Finish.ANSWER
        )
        survivors = [i for _, _, i in ranked[: memo["width"]]]
        finished = [i for i in survivors if tree.nodes[i].finish is Finish.ANSWER]
        memo["finished"] += finished
        memo["width"] -= len(finished)
        beams = [i for i in survivors if tree.nodes[i].finish is Finish.STEP]
        if beams:
            self._expand(tree, beams, self.expand)
