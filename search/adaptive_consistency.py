"""Self-consistency that stops when the majority is settled: Adaptive-Consistency (arXiv 2305.11860).

Departures from the paper: samples run in a bounded stream, yet are counted in the order of their numbers, so that the
result is that of sampling one by one, and solutions that are short, and so are there first, have no more say than
others. Sampling also stops when the samples left could not overturn the majority. The other rule on offer is that of
early-stopping self-consistency (ESC, arXiv 2401.10480).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from search.checks import choice, whole
from search.ranking import rank
from search.tree import ROOT, Tree
from search.types import Answer, Expand, Expanded, Finish, Outcome, Request, State

__all__ = ["RULES", "AdaptiveConsistency", "Rule", "leader_probability"]

Rule = Literal["beta", "window"]
RULES: tuple[Rule, ...] = ("beta", "window")


@dataclass(frozen=True)
class AdaptiveConsistency:
    """A majority vote over at most `n` whole solutions, `parallel` of them in flight, until one answer is settled.

    "beta": the leading answer is ahead of the second with probability of at least `confidence`, see
    `leader_probability`; 1 stops only where the vote of all `n` is certain. "window": all of the last `window` samples
    agree, looked at after every `window` samples; `confidence` is not read.

    What is in flight then is cancelled, and counts in no vote even where it arrives. A sample without an answer is one
    of the `n`, and votes for nothing. The larger `parallel`, the more tokens a stop wastes; the answer does not depend
    on it.
    """

    n: int = 40
    confidence: float = 0.95
    parallel: int = 4
    rule: Rule = "beta"
    window: int = 5
    needs_reward = False

    def __post_init__(self) -> None:
        """Refuse impossible parameters."""
        whole(1, n=self.n, parallel=self.parallel)
        whole(2, window=self.window)
        choice("rule", self.rule, RULES)
        if not (isinstance(self.confidence, int | float) and 0.5 < self.confidence <= 1):
            raise ValueError(f"confidence must be a number above 0.5 and at most 1, not {self.confidence}")

    def start(self, root: State) -> Tree:
        """The first samples of the stream."""
        tree = Tree(root)
        # sample: the number of each request's sample; arrived: the answered node that a sample ended with, -1 for none;
        # counted: samples 0 to counted - 1 vote.
        tree.memo = {"sample": {}, "arrived": {}, "counted": 0, "settled": False}
        self._fill(tree)
        return tree

    def ask(self, tree: Tree) -> Sequence[Request]:
        """The next sample for each that has ended; cancellations once the vote is settled."""
        return tree.take_outbox()

    def tell(self, tree: Tree, request: Request, outcome: Outcome) -> None:
        """Take in a sample, and count all whose turn it is."""
        tree.settle(request, outcome)
        memo = tree.memo
        assert isinstance(request, Expand)
        leaf = tree.add_chain(request, outcome)[-1][0] if isinstance(outcome, Expanded) else None
        answered = leaf is not None and leaf.finish is Finish.ANSWER
        number = memo["sample"].pop(str(request.id))
        memo["arrived"][str(number)] = leaf.id if leaf is not None and answered else -1
        if memo["settled"]:
            return
        while not memo["settled"] and str(memo["counted"]) in memo["arrived"]:
            memo["counted"] += 1
            memo["settled"] = self._is_settled(tree)
        if memo["settled"]:
            for pending in list(tree.pending):
                tree.cancel(pending)
        else:
            self._fill(tree)

    def answers(self, tree: Tree) -> list[Answer]:
        """Answers by their share of the votes counted."""
        copies = Counter(node for node in self._counted(tree) if node >= 0)
        return rank(tree, (tree.nodes[i] for i in copies), "majority", copies=copies)

    def _fill(self, tree: Tree) -> None:
        memo = tree.memo
        while len(tree.pending) < self.parallel and (number := len(memo["arrived"]) + len(memo["sample"])) < self.n:
            memo["sample"][str(tree.expand(ROOT, unit="answer").id)] = number

    @staticmethod
    def _counted(tree: Tree) -> list[int]:
        return [tree.memo["arrived"][str(i)] for i in range(tree.memo["counted"])]

    def _is_settled(self, tree: Tree) -> bool:
        counted = self._counted(tree)
        voted = [_answer(tree, node) for node in counted]
        votes = [count for _, count in Counter(a for a in voted if a is not None).most_common(2)]
        first, second = (*votes, 0, 0)[:2]
        if first - second > self.n - len(counted):
            return True
        if self.rule == "window":
            last = voted[-self.window :]
            return len(counted) % self.window == 0 and None not in last and len(set(last)) == 1
        return self.confidence < 1.0 and first > 0 and leader_probability(first, second) >= self.confidence


def leader_probability(first: int, second: int) -> float:
    """The probability that the answer with `first` votes is likelier than the one with `second`, all others left out.

    With a uniform prior its share p of the two is Beta(first + 1, second + 1), and this is P(p > 1/2): by the binomial
    form of the incomplete beta function, the exact sum of C(m, k) / 2^m over k <= first, m = first + second + 1.
    """
    m = first + second + 1
    return float(Fraction(sum(math.comb(m, k) for k in range(first + 1)), 2**m))


def _answer(tree: Tree, node: int) -> str | None:
    step = tree.nodes[node].step if node >= 0 else None
    return None if step is None else step.answer
