"""Diverse verifier tree search (Beeching, Tunstall and Rush, "Scaling test-time compute with open models", 2024)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from search.checks import choice, whole
from search.ranking import VOTES, Vote, rank
from search.tree import AGGREGATES, ROOT, Aggregate, Tree
from search.types import Answer, Evaluate, Evaluated, Expand, Expanded, Finish, Outcome, Request, State

__all__ = ["DVTS"]


@dataclass(frozen=True)
class DVTS:
    """`n` / `expand` independent subtrees; each samples `expand` steps and goes on from the best one.

    No subtree waits for another. A subtree ends when its best candidate is finished; finished siblings of that
    candidate vote too, as in search-and-learn. At `max_depth` only finished candidates count.
    """

    n: int = 16
    expand: int = 4
    max_depth: int = 10
    vote: Vote = "weighted"
    aggregate: Aggregate = "last"
    needs_reward = True

    def __post_init__(self) -> None:
        """Refuse impossible parameters."""
        whole(1, n=self.n, expand=self.expand, max_depth=self.max_depth)
        choice("vote", self.vote, VOTES)
        choice("aggregation", self.aggregate, AGGREGATES)
        if self.n % self.expand:
            told = f"{self.n} is no multiple of {self.expand}"
            raise ValueError(f"dvts splits n samples into n / expand subtrees: {told}")

    def start(self, root: State) -> Tree:
        """Sample the first steps of every subtree."""
        tree = Tree(root)
        # subtrees: outstanding samples and rewards, and candidate nodes of each; owner: the subtree of each sample;
        # scoring: the subtrees that wait for a node's reward (two may have sampled the same first step).
        tree.memo = {"subtrees": [], "owner": {}, "scoring": {}, "finished": []}
        for _ in range(self.n // self.expand):
            tree.memo["subtrees"].append({})
            self._expand(tree, len(tree.memo["subtrees"]) - 1, ROOT)
        return tree

    def ask(self, tree: Tree) -> Sequence[Request]:
        """Samples and rewards of all subtrees."""
        return tree.take_outbox()

    def tell(self, tree: Tree, request: Request, outcome: Outcome) -> None:
        """Take in a candidate or a reward; the last outcome of a subtree's round moves that subtree on."""
        tree.settle(request, outcome)
        memo = tree.memo
        if isinstance(request, Expand):
            owners = [memo["owner"].pop(str(request.id))]
            if isinstance(outcome, Expanded):
                node = tree.add_chain(request, outcome)[-1][0]
                subtree = memo["subtrees"][owners[0]]
                if node.finish in (Finish.STEP, Finish.ANSWER) and node.id not in subtree["candidates"]:
                    subtree["candidates"].append(node.id)
                    if node.value is None:
                        waiting = memo["scoring"].setdefault(str(node.id), [])
                        if not waiting:
                            tree.evaluate(node.id)
                        waiting.append(owners[0])
                        subtree["waiting"] += 1
        else:
            assert isinstance(request, Evaluate)
            owners = memo["scoring"].pop(str(request.node))
            if isinstance(outcome, Evaluated):
                tree.nodes[request.node].value = outcome.value
        for owner in owners:
            memo["subtrees"][owner]["waiting"] -= 1
            if memo["subtrees"][owner]["waiting"] == 0:
                self._advance(tree, owner)

    def answers(self, tree: Tree) -> list[Answer]:
        """Answers of all finished candidates."""
        # Two subtrees may end in the same node; its samples are counted once.
        return rank(tree, (tree.nodes[i] for i in dict.fromkeys(tree.memo["finished"])), self.vote, self.aggregate)

    def _expand(self, tree: Tree, subtree: int, node: int) -> None:
        tree.memo["subtrees"][subtree] = {"waiting": self.expand, "candidates": []}
        for _ in range(self.expand):
            tree.memo["owner"][str(tree.expand(node).id)] = subtree

    def _advance(self, tree: Tree, subtree: int) -> None:
        scored = [i for i in tree.memo["subtrees"][subtree]["candidates"] if tree.nodes[i].value is not None]
        if not scored:
            return
        finished = [i for i in scored if tree.nodes[i].finish is Finish.ANSWER]
        if tree.nodes[scored[0]].depth >= self.max_depth:
            tree.memo["finished"] += finished
            return
        best = min(scored, key=lambda i: (-(tree.score(i, self.aggregate) or 0.0), tree.order(i)))
        if best in finished:
            tree.memo["finished"] += finished
        else:
            self._expand(tree, subtree, best)
