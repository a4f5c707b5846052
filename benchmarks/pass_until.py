"""Sampling each question until it has been solved often enough: PassUntil (arXiv 2310.03262) as a search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from data.rare import Tries
from search.ranking import rank
from search.tree import ROOT, Tree
from search.types import Answer, Evaluate, Evaluated, Expand, Expanded, Finish, Outcome, Request, State

__all__ = ["PassUntil", "tries_of"]


@dataclass(frozen=True)
class PassUntil:
    """Whole solutions until `until` of them are right, `most` at most, `parallel` of them in flight.

    Its reward has to know the truth: 1 means right. Where sampling ends is decided by the samples' numbers, not by
    which came back first, since right solutions may well be the shorter ones; samples beyond the end do not count.
    """

    until: int = 2
    most: int = 256
    parallel: int = 16
    needs_reward = True

    def start(self, root: State) -> Tree:
        """The first samples."""
        tree = Tree(root)
        # Whether each sample is right, None while unknown; which sample a reward request is for; whether it is over.
        tree.memo = {"right": [], "judging": {}, "over": False}
        self._fill(tree)
        return tree

    def ask(self, tree: Tree) -> Sequence[Request]:
        """As many samples as may be in flight, and the verdict on each answer."""
        return tree.take_outbox()

    def tell(self, tree: Tree, request: Request, outcome: Outcome) -> None:
        """Take in a solution or a verdict. A sample that failed or has no answer is not right."""
        tree.settle(request, outcome)
        memo = tree.memo
        if isinstance(request, Expand):
            leaf = tree.add_chain(request, outcome)[-1][0] if isinstance(outcome, Expanded) else None
            if leaf is not None and leaf.finish is Finish.ANSWER:
                if not memo["over"]:
                    memo["judging"][str(tree.evaluate(leaf.id).id)] = request.index
                return
            memo["right"][request.index] = False
        elif isinstance(request, Evaluate):
            right = isinstance(outcome, Evaluated) and outcome.value == 1.0
            memo["right"][memo["judging"].pop(str(request.id))] = right
        self._fill(tree)

    def answers(self, tree: Tree) -> list[Answer]:
        """Answers by majority."""
        return rank(tree, tree.answered(), "majority")

    def _fill(self, tree: Tree) -> None:
        memo = tree.memo
        if memo["over"]:
            return
        if tries_of(self, tree) is not None:
            memo["over"] = True
            for request in list(tree.pending):
                tree.cancel(request)
            return
        while len(memo["right"]) < self.most and memo["right"].count(None) < self.parallel:
            tree.expand(ROOT, unit="answer")
            memo["right"].append(None)


def tries_of(method: PassUntil, tree: Tree) -> Tries | None:
    """How sampling ended; None while it has not."""
    successes = 0
    for number, right in enumerate(tree.memo["right"], 1):
        if right is None:
            return None
        successes += right
        if successes == method.until or number == method.most:
            return Tries(successes, number, method.until, method.most)
    return None
