"""Best-of-N and self-consistency: N whole solutions, then a vote. N = 1 is plain (greedy) decoding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from search.ranking import Vote, rank
from search.tree import ROOT, Aggregate, Tree
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

    @property
    def needs_reward(self) -> bool:
        """Only the votes by score need one."""
        return self.vote != "majority"

    def start(self, root: State) -> Tree:
        """All N samples at once."""
        tree = Tree(root)
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
            # A second sample of the same solution finds its rewards asked for already (samples counts it).
            if self.needs_reward and leaf.finish is Finish.ANSWER and leaf.samples == 1:
                asked = {r.node for r in tree.pending.values() if isinstance(r, Evaluate)}
                for node in [leaf] if self.aggregate == "last" else tree.path(leaf.id):
                    if node.value is None and node.id not in asked:
                        tree.evaluate(node.id)
        elif isinstance(request, Evaluate) and isinstance(outcome, Evaluated):
            tree.nodes[request.node].value = outcome.value

    def answers(self, tree: Tree) -> list[Answer]:
        """Answers by vote."""
        return rank(tree, tree.answered(), self.vote, self.aggregate)
