"""Best-of-N and self-consistency: N whole solutions, then a vote. N = 1 is plain (greedy) decoding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from search.checks import choice, whole
from search.ranking import VOTES, Vote, rank
from search.tree import AGGREGATES, ROOT, Aggregate, Tree
from search.types import Answer, Evaluate, Evaluated, Expand, Expanded, Finish, Outcome, Request, State

__all__ = ["BestOfN"]


@dataclass(frozen=True)
class BestOfN:
    """Sample `n` whole solutions; `vote` decides (a weighted or best vote asks for process rewards).

    Solutions that share their first steps share nodes, so a shared prefix is scored once.
    """

    n: int = 16
    vote: Vote = "majority"
    aggregate: Aggregate = "last"

    def __post_init__(self) -> None:
        """Refuse impossible parameters."""
        whole(1, n=self.n)
        choice("vote", self.vote, VOTES)
        choice("aggregation", self.aggregate, AGGREGATES)

    @property
    def needs_reward(self) -> bool:
        """Only the votes by score need one."""
        return self.vote != "majority"

    def start(self, root: State) -> Tree:
        """All N samples at once."""
        tree = Tree(root)
        tree.memo = {"scored": {}}  # the reward request of each node that has one
        for _ in range(self.n):
            tree.expand(ROOT, unit="answer")
        return tree

    def ask(self, tree: Tree) -> Sequence[Request]:
        """Samples first, then rewards of each finished solution the moment it is there."""
        return tree.take_outbox()

    def tell(self, tree: Tree, request: Request, outcome: Outcome) -> None:
        """Take in a solution or a reward."""
        tree.settle(request, outcome)
        if isinstance(request, Expand) and isinstance(outcome, Expanded):
            leaf = tree.add_chain(request, outcome)[-1][0]
            if self.needs_reward and leaf.finish is Finish.ANSWER:
                for node in [leaf] if self.aggregate == "last" else tree.path(leaf.id):
                    if str(node.id) not in tree.memo["scored"]:
                        tree.memo["scored"][str(node.id)] = tree.evaluate(node.id).id
        elif isinstance(request, Evaluate) and isinstance(outcome, Evaluated):
            tree.nodes[request.node].value = outcome.value

    def answers(self, tree: Tree) -> list[Answer]:
        """Answers by vote."""
        return rank(tree, tree.answered(), self.vote, self.aggregate)
