"""MCTS by the rules of MCTS-DPO (arXiv 2405.00451): values as rewards between steps, simulations down to the end.

A step's reward is what it adds to its parent's value, r = v - v_parent (the root's value is 0). Q = r + V, with V(s) =
sum of max(1, N) Q over sum of max(1, N), both over the children of s. PUCT is Q + c P sqrt(N_parent) / (1 + N) with P =
exp(sum of log-probabilities / length^1.25). The length exponent and a discount of 1 are their code's, whose c is 1.

Where this departs from the paper: v in [0, 1] is the named process reward, also of a finished solution, which the paper
gives +1 or -1 by the known answer while it makes training data; a visit counts from the moment a simulation passes a
node, as their code has it for the root, so that the prior of a new leaf's children is not multiplied by 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from search.mcts import MCTS, Variant
from search.tree import Node, Tree
from search.types import Evaluate, Evaluated, Expand, Expanded, Finish, Outcome, Request, Step

__all__ = ["MCTSDPO"]

LENGTH_EXPONENT = 1.25


@dataclass(frozen=True)
class MCTSDPO(MCTS):
    """`iterations` times: descend by PUCT to an answer or to `max_depth`, expanding leaves on the way; then back up.

    Each of the `expand` children of a leaf is scored as it arrives; when all have arrived the simulation goes on with
    the one of highest PUCT. A finished child may be selected again, which costs nothing and counts as a visit. The best
    child, for `commit` and for the answer, has the most visits, then the highest Q. The paper's search commits.

    A simulation needs the visits of the one before it, so `parallel` is 1. `Node.total` is max(1, N) Q.
    """

    variant: Variant = "mcts-dpo"

    def _check_variant(self) -> None:
        if self.variant != "mcts-dpo":
            raise ValueError(f"the variant '{self.variant}' is the class search.mcts.MCTS")
        if self.parallel != 1:
            raise ValueError(f"mcts-dpo runs one simulation in a tree at once: parallel must be 1, not {self.parallel}")

    def tell(self, tree: Tree, request: Request, outcome: Outcome) -> None:
        """Take in a child or its value; the last one of an expansion sends the simulation on."""
        tree.settle(request, outcome)
        memo = tree.memo
        leaf: int = memo["owner"].pop(str(request.id))
        if isinstance(request, Expand):
            if isinstance(outcome, Expanded):
                child, new = tree.add_chain(request, outcome)[-1]
                if new and child.finish in (Finish.STEP, Finish.ANSWER):
                    self._request(tree, leaf, tree.evaluate(child.id))
        elif isinstance(request, Evaluate) and isinstance(outcome, Evaluated):
            child = tree.nodes[request.node]
            child.value = outcome.value
            child.selectable = child.finish is Finish.STEP
            child.total = _reward(tree, child)
            assert child.step is not None
            child.prior = _prior(child.step)
        memo["simulations"][str(leaf)] -= 1
        if memo["simulations"][str(leaf)] == 0:
            del memo["simulations"][str(leaf)]
            self._walk(tree, tree.nodes[leaf])

    def _simulate(self, tree: Tree) -> None:
        tree.memo["started"] += 1
        top = self._top(tree)
        if not self._enter(tree, top):
            self._walk(tree, top)

    def _walk(self, tree: Tree, node: Node) -> None:
        """On from a node by PUCT, to one that lacks samples, or to where the path ends and is backed up."""
        while children := _children(tree, node):
            scale = self.c * math.sqrt(node.visits)
            node = min(children, key=lambda c: (-_q(c) - scale * c.prior / (1 + c.visits), c.index))
            if self._enter(tree, node):
                return
        self._back_up_rewards(tree, node)

    def _enter(self, tree: Tree, node: Node) -> bool:
        """Count a visit, Q unchanged, and ask for the samples that the node lacks; whether there are any."""
        q = _q(node)
        node.visits += 1
        node.total = node.visits * q
        ends = node.finish is Finish.ANSWER or node.depth >= self.max_depth
        samples = 0 if ends else self._lacks(node)
        if samples > 0:
            tree.memo["simulations"][str(node.id)] = 0
            for _ in range(samples):
                self._request(tree, node.id, tree.expand(node.id))
        return samples > 0

    def _back_up_rewards(self, tree: Tree, end: Node) -> None:
        for node in self._trail(tree, end):
            children = _children(tree, node)
            weight = sum(max(1, c.visits) for c in children)
            value = math.fsum(c.total for c in children) / weight if weight else 0.0
            node.total = max(1, node.visits) * (_reward(tree, node) + value)

    def _standing(self, node: Node) -> tuple[Any, ...]:
        return (-node.visits, -_q(node), node.index)


def _children(tree: Tree, node: Node) -> list[Node]:
    """The children that have a value; others are never selected and back nothing up."""
    return [c for c in (tree.nodes[i] for i in node.children) if c.value is not None]


def _q(node: Node) -> float:
    return node.total / max(1, node.visits)


def _reward(tree: Tree, node: Node) -> float:
    """What a node's value adds to its parent's; 0 for the root."""
    return 0.0 if node.value is None else node.value - (tree.nodes[node.parent].value or 0.0)


def _prior(step: Step) -> float:
    """exp(sum of log-probabilities / length^1.25) over the model's own tokens; 1 where they are unknown."""
    mean = step.mean_logprob
    length = sum(len(s.ids) for s in step.segments if s.source == "model")
    return 1.0 if mean is None else math.exp(mean * length / length**LENGTH_EXPONENT)
