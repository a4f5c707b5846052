"""Adaptive best-of-N (arXiv 2410.02725): one judgement of a solution, asked while it is written and at its end, decides
when to stop sampling, which samples to give up, and which to pick.

The paper has two rules, and a model trained for one token, P("No") after "would you do better if you started over?".
*Adaptive sampling*: sample again until the best value passes a threshold; waves of samples double, so that n samples
take log n turns. *Pruning*: samples written to a fixed number of tokens (64 or 128) are ranked by their value there,
and only the best half or quarter is written to its end. Here both hold together: a wave is pruned, then judged. Where
this departs from the paper: a process reward of any kind is the judgement; a wave is pruned after a number of steps, a
step being what a reward can read; samples in flight are cancelled once a finished one is good enough; the temperature
stays as it is, where the paper anneals it from sample to sample.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from search.checks import choice, share, whole
from search.ranking import VOTES, Vote, rank
from search.tree import ROOT, Node, Tree
from search.types import Answer, Evaluate, Evaluated, Expand, Expanded, Finish, Outcome, Request, State

__all__ = ["AdaptiveBestOfN"]


@dataclass(frozen=True)
class AdaptiveBestOfN:
    """At most `n` samples, in waves of 1, 1, 2, 4, 8, ...; none after a finished one's value passes `threshold`.

    Of a wave of k samples the best ceil(`keep` k) go on after `prune_after` steps; a sample that has finished by then
    is judged as it is and takes one of these places. A wave that loses no sample is written to its end at once,
    without a value in between (`keep` 1: adaptive sampling alone). A `threshold` of 1 is never passed (pruning alone).
    Every sample's last value ranks it; `vote` "best" picks the highest one.
    """

    n: int = 16
    threshold: float = 0.9
    keep: float = 0.5
    prune_after: int = 2
    vote: Vote = "best"
    needs_reward = True

    def __post_init__(self) -> None:
        """Refuse impossible parameters."""
        whole(1, n=self.n, prune_after=self.prune_after)
        share(threshold=self.threshold, keep=self.keep)
        choice("vote", self.vote, VOTES)

    def start(self, root: State) -> Tree:
        """The first sample."""
        tree = Tree(root)
        # samples: started so far. Of the wave under way, wave: the nodes that its samples have come to, one for each
        # sample; waiting: open requests; places: how many samples may go on; rest: whether it is past its pruning.
        # judged: nodes whose value was asked for.
        tree.memo = {"samples": 0, "wave": [], "waiting": 0, "places": 0, "rest": False, "judged": [], "stopped": False}
        self._start_wave(tree)
        return tree

    def ask(self, tree: Tree) -> Sequence[Request]:
        """Steps of this wave's samples, values at the pruning and at the end, cancellations."""
        return tree.take_outbox()

    def tell(self, tree: Tree, request: Request, outcome: Outcome) -> None:
        """Take in steps or a value; the last outcome of a wave prunes it, or starts the next."""
        tree.settle(request, outcome)
        memo = tree.memo
        memo["waiting"] -= 1
        if isinstance(request, Expand) and isinstance(outcome, Expanded):
            self._take(tree, tree.add_chain(request, outcome)[-1][0])
        elif isinstance(request, Evaluate) and isinstance(outcome, Evaluated):
            node = tree.nodes[request.node]
            node.value = outcome.value
            if node.finish is Finish.ANSWER and outcome.value > self.threshold:
                self._stop(tree)
        if memo["stopped"]:
            return
        if not memo["waiting"] and not memo["rest"]:
            self._prune(tree)
        if not memo["waiting"] and memo["samples"] < self.n:
            self._start_wave(tree)

    def answers(self, tree: Tree) -> list[Answer]:
        """Answers of the finished samples."""
        return rank(tree, tree.answered(), self.vote)

    # ---- one wave --------------------------------------------------------------------------------------------------

    def _start_wave(self, tree: Tree) -> None:
        memo = tree.memo
        size = min(max(1, memo["samples"]), self.n - memo["samples"])
        memo["samples"] += size
        memo["wave"] = []
        memo["places"] = max(1, math.ceil(self.keep * size))
        memo["rest"] = memo["places"] >= size
        for _ in range(size):
            self._expand(tree, ROOT)

    def _expand(self, tree: Tree, node: int) -> None:
        tree.expand(node, unit="answer" if tree.memo["rest"] else "step")
        tree.memo["waiting"] += 1

    def _take(self, tree: Tree, node: Node) -> None:
        """A sample has come to this node: let it go on, wait for its wave, or end."""
        memo = tree.memo
        if memo["stopped"] or node.finish not in (Finish.STEP, Finish.ANSWER):
            return
        if node.finish is Finish.STEP:
            if memo["rest"]:
                return
            if node.depth < self.prune_after:
                self._expand(tree, node.id)
                return
        memo["wave"].append(node.id)
        if node.id not in memo["judged"]:
            memo["judged"].append(node.id)
            tree.evaluate(node.id)
            memo["waiting"] += 1

    def _prune(self, tree: Tree) -> None:
        """All samples of the wave have come to the pruning, or ended before it: the best ones go on."""

        def worst_last(node: int) -> tuple[float, tuple[int, ...]]:
            value = tree.nodes[node].value
            return (1.0 if value is None else -value, tree.order(node))

        memo = tree.memo
        memo["rest"] = True
        for node in sorted(memo["wave"], key=worst_last)[: memo["places"]]:
            if tree.nodes[node].finish is Finish.STEP:
                self._expand(tree, node)

    def _stop(self, tree: Tree) -> None:
        tree.memo["stopped"] = True
        for pending in list(tree.pending):
            tree.cancel(pending)
