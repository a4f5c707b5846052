"""Turning finished solutions into ranked answers: majority, weighted and best-score votes.

Majority voting is self-consistency (arXiv 2203.11171); the weighted vote sums scores over equal answers (Li et al.,
arXiv 2206.02336; search-and-learn's weighted best-of-N).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Literal

from search.tree import Aggregate, Node, Tree
from search.types import Answer

__all__ = ["VOTES", "Vote", "rank"]

Vote = Literal["majority", "weighted", "best"]
VOTES: tuple[Vote, ...] = ("majority", "weighted", "best")


def rank(
    tree: Tree,
    nodes: Iterable[Node],
    vote: Vote,
    aggregate: Aggregate = "last",
    copies: Mapping[int, int] | None = None,
) -> list[Answer]:
    """Distinct answers of the given finished nodes, best first.

    The score is the share of votes (majority), the sum of process rewards (weighted) or the highest one (best); a
    solution without a reward counts 0 there. A node has as many votes as samples ended with it, or as `copies` gives
    it. Ties fall to more votes, then to the earliest sample.
    """
    count = copies if copies is not None else {}
    groups: dict[str, list[Node]] = {}
    for node in nodes:
        if node.step is not None and node.step.answer is not None:
            groups.setdefault(node.step.answer, []).append(node)
    total = sum(count.get(n.id, n.samples) for group in groups.values() for n in group)
    keyed = []
    for answer, group in groups.items():
        votes = sum(count.get(n.id, n.samples) for n in group)
        orders = sorted((tree.order(n.id), n.id) for n in group)
        if vote == "majority":
            score = votes / total if total else 0.0
        else:
            # Sorted by path before summing, so that the order of arrival cannot change the last bit.
            scored = [(n_id, tree.score(n_id, aggregate) or 0.0) for _, n_id in orders]
            if vote == "weighted":
                score = math.fsum(count.get(n_id, tree.nodes[n_id].samples) * s for n_id, s in scored)
            else:
                score = max(s for _, s in scored)
        keyed.append((-score, -votes, orders[0][0], Answer(answer, score, votes, tuple(i for _, i in orders))))
    return [k[-1] for k in sorted(keyed, key=lambda k: k[:3])]
