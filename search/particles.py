"""Particle search: sequential Monte Carlo over steps, steered by a process reward.

The policy proposes, exp(v / alpha) weighs: the soft-value target p(x) exp(v(x) / alpha) of SVDD (arXiv 2408.08252),
sampled with the particle filter of "A probabilistic inference approach to inference-time scaling" (arXiv 2502.01618;
its-hub). Departures from the two:

- The incremental weight of a step is exp((v_t - v_{t-1}) / alpha). The parents were already drawn by exp(v_{t-1} /
  alpha), so after every round the particles stand for p(x) exp(v_t / alpha). its-hub draws by exp(logit(v_t)) = v_t /
  (1 - v_t) in every round, so that its target is the product of these over all rounds, early steps counted most often;
  SVDD draws among the children of one parent, where v_{t-1} cancels.
- its-hub's particle filter reports the particle of highest weight; here the finished particles vote. They are drawn by
  exp(v / alpha), so that a plain majority of them is already weighted by their values.
- `lookahead` is search-and-learn's, with continuations sampled as the policy samples, and their end scored.
"""

from __future__ import annotations

import hashlib
import math
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Literal

from search.checks import amount, choice, share, whole
from search.ranking import VOTES, Vote, rank
from search.tree import AGGREGATES, ROOT, Aggregate, Tree
from search.types import Answer, Evaluate, Evaluated, Expand, Expanded, Finish, Outcome, Request, State

__all__ = ["RESAMPLING", "ParticleSearch", "Resampling", "draw", "effective_sample_size"]

Resampling = Literal["systematic", "multinomial"]
RESAMPLING: tuple[Resampling, ...] = ("systematic", "multinomial")

GOING_ON = (Finish.STEP, Finish.ANSWER)  # what a particle may end with and live


@dataclass(frozen=True)
class ParticleSearch:
    """`n` particles propose a step each, are weighed, and are drawn anew by weight; `max_depth` rounds at most.

    `alpha` >= 0 is the temperature of the value, in the value's own unit: at 0 all particles go on from the best one,
    which is beam search SBS(1, n); at infinity nothing is ever drawn anew, which is `n` plain samples. Particles are
    drawn when their effective sample size is below `ess` x `n` (1: in every round with unequal weights, as in both
    papers), and once at the end. The draw is a hash of seed, problem and round.

    With `lookahead` steps, a proposed step is judged by the value at the end of a continuation of so many steps, or of
    the last whole step that it reached; the continuation itself is thrown away. Particles at one node take the samples
    of its continuations as they come: there, and nowhere else, the order of arrival has a say.

    A finished particle keeps taking part with its final value: it may be copied or given up. One that was cut, broke
    the grammar, ended without an answer, failed, or was not finished in the last round has weight 0.

    A draw needs all values of its round, the one wait within a tree; nothing waits for another tree.
    """

    n: int = 16
    alpha: float = 0.1
    max_depth: int = 10
    lookahead: int = 0
    resample: Resampling = "systematic"
    ess: float = 1.0
    vote: Vote = "majority"
    aggregate: Aggregate = "last"
    needs_reward = True

    def __post_init__(self) -> None:
        """Refuse impossible parameters."""
        whole(1, n=self.n, max_depth=self.max_depth)
        whole(0, lookahead=self.lookahead)
        amount(finite=False, alpha=self.alpha)
        share(ess=self.ess)
        choice("resampling", self.resample, RESAMPLING)
        choice("vote", self.vote, VOTES)
        choice("aggregation", self.aggregate, AGGREGATES)

    def start(self, root: State) -> Tree:
        """All particles at the root."""
        tree = Tree(root)
        # A particle: its node and value, the value it had when it was last drawn, and whether it is alive. While its
        # round lasts: the proposed step, the end of its continuation, and the steps still to continue.
        particle = {"node": ROOT, "value": 0.0, "drawn_at": 0.0, "alive": True}
        # owner: the particle of each sample; scoring: the particles that wait for a node's reward.
        tree.memo = {"round": 0, "waiting": 0, "owner": {}, "scoring": {}}
        tree.memo["particles"] = [dict(particle) for _ in range(self.n)]
        self._propose(tree)
        return tree

    def ask(self, tree: Tree) -> Sequence[Request]:
        """This round's steps, each one's continuation and value as soon as it is there, then the next round."""
        return tree.take_outbox()

    def tell(self, tree: Tree, request: Request, outcome: Outcome) -> None:
        """Take in a step, a step of a continuation, or a value; the last one of a round draws the particles anew."""
        tree.settle(request, outcome)
        memo = tree.memo
        if isinstance(request, Expand):
            self._take_step(tree, memo["owner"].pop(str(request.id)), request, outcome)
        else:
            assert isinstance(request, Evaluate)
            if isinstance(outcome, Evaluated):
                tree.nodes[request.node].value = outcome.value
            for number in memo["scoring"].pop(str(request.node)):
                self._settle(tree, memo["particles"][number])
        if memo["waiting"] == 0:
            self._close_round(tree)

    def answers(self, tree: Tree) -> list[Answer]:
        """Answers of the finished particles; a copy is a vote."""
        copies = Counter(p["node"] for p in tree.memo["particles"] if p["alive"] and _finished(tree, p))
        return rank(tree, (tree.nodes[i] for i in copies), self.vote, self.aggregate, copies)

    # ---- one round -------------------------------------------------------------------------------------------------

    def _propose(self, tree: Tree) -> None:
        memo = tree.memo
        memo["round"] += 1
        for number, particle in enumerate(memo["particles"]):
            if particle["alive"] and not _finished(tree, particle):
                particle |= {"step": None, "end": particle["node"], "ahead": self.lookahead}
                memo["waiting"] += 1
                self._sample(tree, number)

    def _sample(self, tree: Tree, number: int) -> None:
        request = tree.expand(tree.memo["particles"][number]["end"])
        tree.memo["owner"][str(request.id)] = number

    def _take_step(self, tree: Tree, number: int, request: Expand, outcome: Outcome) -> None:
        particle = tree.memo["particles"][number]
        node = tree.add_chain(request, outcome)[-1][0] if isinstance(outcome, Expanded) else None
        going_on = node is not None and node.finish in GOING_ON
        if particle["step"] is None:
            if node is None or not going_on:
                particle["alive"] = False
                tree.memo["waiting"] -= 1
                return
            particle["step"] = node.id
        elif going_on:
            particle["ahead"] -= 1
        if node is not None and going_on:
            particle["end"] = node.id
            if node.finish is Finish.STEP and particle["ahead"] and node.depth < self.max_depth:
                self._sample(tree, number)
                return
        self._score(tree, number)

    def _score(self, tree: Tree, number: int) -> None:
        particle = tree.memo["particles"][number]
        end = particle["end"]
        if tree.nodes[end].value is not None:
            self._settle(tree, particle)
            return
        waiting = tree.memo["scoring"].setdefault(str(end), [])
        if not waiting:
            tree.evaluate(end)
        waiting.append(number)

    def _settle(self, tree: Tree, particle: dict[str, Any]) -> None:
        tree.memo["waiting"] -= 1
        value = tree.score(particle["end"], self.aggregate)
        if value is None:
            particle["alive"] = False
        else:
            particle |= {"node": particle["step"], "value": value}

    def _close_round(self, tree: Tree) -> None:
        memo = tree.memo
        particles = memo["particles"]
        if memo["round"] >= self.max_depth:
            for particle in particles:
                particle["alive"] = particle["alive"] and _finished(tree, particle)
        if not any(p["alive"] for p in particles):
            return
        last = all(_finished(tree, p) for p in particles if p["alive"])
        weights = self._weights(tree)
        if effective_sample_size(weights) < (1.0 if last else self.ess) * self.n:
            chosen = draw(weights, self.resample, _uniform(tree))
            memo["particles"] = [particles[i] | {"drawn_at": particles[i]["value"]} for i in chosen]
        if not all(_finished(tree, p) for p in memo["particles"] if p["alive"]):
            self._propose(tree)

    def _weights(self, tree: Tree) -> list[float]:
        """Weights up to a factor, the largest 1: exp of the value gained since the last draw over alpha.

        The increments (v_t - v_{t-1}) / alpha add up to that; right after a draw all weights are equal.
        """
        particles = tree.memo["particles"]
        gains = [p["value"] - p["drawn_at"] if p["alive"] else -math.inf for p in particles]
        top = max(gains)
        if self.alpha:
            return [math.exp((g - top) / self.alpha) if g > -math.inf else 0.0 for g in gains]
        best = min(tree.order(p["node"]) for p, g in zip(particles, gains, strict=True) if g == top)
        return [float(g == top and tree.order(p["node"]) == best) for p, g in zip(particles, gains, strict=True)]


def effective_sample_size(weights: Sequence[float]) -> float:
    """(sum of w)^2 / sum of w^2: as many equally weighted particles would be as good. In [1, len(weights)]."""
    return math.fsum(weights) ** 2 / math.fsum(w * w for w in weights)


def draw(weights: Sequence[float], how: Resampling, uniform: random.Random) -> list[int]:
    """As many positions as there are weights, drawn with probabilities in their proportion, in ascending order.

    "systematic" lays one comb of equal distances over the sum, so a position comes floor or ceil of its expected number
    of times; "multinomial" draws independently.
    """
    count, sums = len(weights), list(accumulate(weights))
    if how == "systematic":
        offset = uniform.random()
        points = [(i + offset) / count * sums[-1] for i in range(count)]
    else:
        points = sorted(uniform.random() * sums[-1] for _ in range(count))
    chosen, position = [], 0
    for point in points:
        while point >= sums[position] and sums[position] < sums[-1]:
            position += 1
        chosen.append(position)
    return chosen


def _finished(tree: Tree, particle: dict[str, Any]) -> bool:
    return tree.nodes[particle["node"]].finish is Finish.ANSWER


def _uniform(tree: Tree) -> random.Random:
    key = f"{tree.root.seed}\0{tree.root.problem}\0draw\0{tree.memo['round']}"
    return random.Random(hashlib.blake2b(key.encode(), digest_size=8).digest())
