"""Monte Carlo tree search over steps with PUCT, by AlphaMath's rules (arXiv 2405.03553, sections 3.2 and 3.4).

Where this departs from the paper: process rewards lie in [0, 1] and enter as 2v - 1, so that the paper's constants
hold; the root has no steps to score and its first visit counts 0, the middle; several simulations may run in one tree,
kept apart by a virtual loss.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from search.ranking import Vote, rank
from search.tree import ROOT, Aggregate, Node, Tree
from search.types import Answer, Evaluate, Evaluated, Expand, Expanded, Finish, Outcome, Request, State

__all__ = ["MCTS"]


@dataclass(frozen=True)
class MCTS:
    """`iterations` times: descend by PUCT to a leaf, sample `expand` children of it, back up the leaf's value.

    PUCT: Q + `c` P sqrt(N_parent) / (1 + N), with Q = W / N and P = exp(mean token log-probability of the step). A
    finished child is scored and backed up at once and never selected again; a child that ended without an answer, was
    cut or broke the grammar is never selected and backs nothing up. Equal sibling steps are merged.

    `parallel` simulations may be in flight in one tree; each counts as a visit of value -`virtual_loss` along its path
    until its own value is there. The answer: descend by Q over branches that hold an answer ("descend"), or a vote
    over all finished solutions.
    """

    iterations: int = 40
    expand: int = 5
    c: float = 1.25
    max_depth: int = 10
    parallel: int = 1
    virtual_loss: float = 1.0
    vote: Literal["descend"] | Vote = "descend"
    aggregate: Aggregate = "last"
    needs_reward = True
    needs_logprobs = True  # for the prior

    def start(self, root: State) -> Tree:
        """A root that may be selected."""
        tree = Tree(root)
        # simulations: outstanding requests of each simulation, by the leaf it selected; owner: each request's leaf.
        tree.memo = {"started": 0, "simulations": {}, "owner": {}}
        tree.nodes[ROOT].selectable = self.iterations > 0
        return tree

    def ask(self, tree: Tree) -> Sequence[Request]:
        """Start simulations while there is room, and hand out everything they need."""
        memo = tree.memo
        while (
            memo["started"] < self.iterations
            and len(memo["simulations"]) < self.parallel
            and tree.nodes[ROOT].selectable
        ):
            self._simulate(tree)
        return tree.take_outbox()

    def tell(self, tree: Tree, request: Request, outcome: Outcome) -> None:
        """Take in a child or a value."""
        tree.settle(request, outcome)
        memo = tree.memo
        leaf: int = memo["owner"].pop(str(request.id))
        if isinstance(request, Expand):
            if isinstance(outcome, Expanded):
                child, new = tree.add_chain(request, outcome)[-1]
                if new and child.finish is Finish.ANSWER:
                    self._request(tree, leaf, tree.evaluate(child.id))
                elif new and child.finish is Finish.STEP and child.depth < self.max_depth:
                    self._open(tree, child)
        else:
            assert isinstance(request, Evaluate)
            node = tree.nodes[request.node]
            value = outcome.value if isinstance(outcome, Evaluated) else None
            node.value = value
            if node.id == leaf:
                self._back_up(tree, node, value, virtual=True)
            elif value is not None:
                self._back_up(tree, node, value, virtual=False)
        memo["simulations"][str(leaf)] -= 1
        if memo["simulations"][str(leaf)] == 0:
            del memo["simulations"][str(leaf)]

    def answers(self, tree: Tree) -> list[Answer]:
        """Answers, best first."""
        if self.vote != "descend":
            return rank(tree, tree.answered(), self.vote, self.aggregate)
        ranked = rank(tree, tree.answered(), "best", self.aggregate)
        chosen = self._descend(tree)
        return sorted(ranked, key=lambda a: chosen not in a.nodes)

    # ---- one simulation --------------------------------------------------------------------------------------------

    def _simulate(self, tree: Tree) -> None:
        memo = tree.memo
        memo["started"] += 1
        leaf = self._select(tree)
        memo["simulations"][str(leaf.id)] = 0
        if leaf.id == ROOT:
            leaf.visits += 1
        else:
            for node in self._trail(tree, leaf):
                node.visits += 1
                node.total -= self.virtual_loss
            self._request(tree, leaf.id, tree.evaluate(leaf.id))
        for _ in range(self.expand):
            self._request(tree, leaf.id, tree.expand(leaf.id))
        self._close(tree, leaf)

    def _select(self, tree: Tree) -> Node:
        nodes = tree.nodes
        node = nodes[ROOT]
        while node.open_children:
            scale = self.c * math.sqrt(node.visits)
            best: Node | None = None
            best_score = -math.inf
            for child_id in node.children:
                child = nodes[child_id]
                if child.selectable:
                    n = child.visits
                    score = (child.total / n if n else 0.0) + scale * child.prior / (1 + n)
                    # Ties fall to the earlier sample, whichever arrived first.
                    if score > best_score or (score == best_score and best is not None and child.index < best.index):
                        best, best_score = child, score
            assert best is not None
            node = best
        return node

    def _request(self, tree: Tree, leaf: int, request: Request) -> None:
        tree.memo["owner"][str(request.id)] = leaf
        tree.memo["simulations"][str(leaf)] += 1

    def _back_up(self, tree: Tree, node: Node, value: float | None, *, virtual: bool) -> None:
        """Add a value along the path, or turn a virtual visit into a real one (None: take it back)."""
        for n in self._trail(tree, node):
            if virtual:
                n.total += self.virtual_loss
                n.visits -= 1
            if value is not None:
                n.total += 2.0 * value - 1.0
                n.visits += 1

    @staticmethod
    def _trail(tree: Tree, node: Node) -> list[Node]:
        trail = [node]
        while node.parent >= 0:
            node = tree.nodes[node.parent]
            trail.append(node)
        return trail

    # ---- where selection may go: to a leaf not yet expanded, and through a node with such leaves below it ------------

    @staticmethod
    def _open(tree: Tree, node: Node) -> None:
        while not node.selectable:
            node.selectable = True
            if node.parent < 0:
                return
            node = tree.nodes[node.parent]
            node.open_children += 1

    @staticmethod
    def _close(tree: Tree, node: Node) -> None:
        while not node.open_children:
            node.selectable = False
            if node.parent < 0:
                return
            node = tree.nodes[node.parent]
            node.open_children -= 1

    def _descend(self, tree: Tree) -> int | None:
        """The finished node reached from the root by highest Q, over branches that hold an answer."""
        holds: set[int] = set()
        for node in tree.answered():
            holds.update(n.id for n in self._trail(tree, node))
        if ROOT not in holds:
            return None
        node = tree.nodes[ROOT]
        while node.finish is not Finish.ANSWER:
            branches = [tree.nodes[i] for i in node.children if i in holds]
            node = min(branches, key=lambda n: (n.visits == 0, -n.q, -n.visits, n.index))
        return node.id
