"""Monte Carlo tree search over steps with PUCT, by AlphaMath's rules (arXiv 2405.03553, sections 3.2 and 3.4).

Where this departs from the paper: process rewards lie in [0, 1] and enter as 2v - 1, so that the paper's constants
hold; the root has no steps to score and its first visit counts 0, the middle; several simulations may run in one tree,
kept apart by a virtual loss. MCTS-DPO's rules for values and simulations are in `search.mcts_dpo`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from search.checks import amount, choice, share, whole
from search.ranking import VOTES, Vote, rank
from search.tree import AGGREGATES, ROOT, Aggregate, Node, Tree
from search.types import Answer, Evaluate, Evaluated, Expand, Expanded, Finish, Outcome, Request, State

__all__ = ["MCTS", "VARIANTS", "Variant"]

Variant = Literal["alphamath", "uct", "no-prior", "mcts-dpo"]
VARIANTS: tuple[Variant, ...] = ("alphamath", "uct", "no-prior", "mcts-dpo")


@dataclass(frozen=True)
class MCTS:
    """`iterations` times: descend to a leaf, sample `expand` children of it, back up the leaf's value.

    A child is selected by `variant`, with Q = W / N: "alphamath" PUCT, Q + `c` P sqrt(N_parent) / (1 + N), with P =
    exp(mean token log-probability of the step); "no-prior" the same with P = 1; "uct" UCB1 (Kocsis and Szepesvari,
    2006), Q + `c` sqrt(ln N_parent / N), unvisited children first. Q lies in [-1, 1], twice as wide as the rewards that
    UCB1's constant sqrt(2) is for.

    A finished child is scored and backed up at once and never selected again; a child that ended without an answer, was
    cut or broke the grammar is never selected and backs nothing up. Equal sibling steps are merged.

    `widen` is progressive widening (Coulom, 2007): a node that selection meets may have had `expand` x N^`widen`
    samples, and gets those it lacks while selection goes on; at 0, the default, a node is expanded once.

    With `commit` > 0 the search goes step by step: after so many simulations the best child becomes the root, and its
    subtree is kept. The best child has the highest Q, as in the answer; 0, the default, never commits.

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
    variant: Variant = "alphamath"
    commit: int = 0
    widen: float = 0.0
    needs_reward = True

    def __post_init__(self) -> None:
        """Refuse impossible parameters, and the one variant that is a class of its own."""
        choice("variant", self.variant, VARIANTS)
        self._check_variant()
        whole(1, iterations=self.iterations, expand=self.expand, max_depth=self.max_depth, parallel=self.parallel)
        whole(0, commit=self.commit)
        amount(c=self.c, virtual_loss=self.virtual_loss)
        share(widen=self.widen)
        choice("vote", self.vote, (*VOTES, "descend"))
        choice("aggregation", self.aggregate, AGGREGATES)

    def _check_variant(self) -> None:
        if self.variant == "mcts-dpo":
            raise ValueError("the variant 'mcts-dpo' is the class search.mcts_dpo.MCTSDPO")

    @property
    def needs_logprobs(self) -> bool:
        """Whether selection reads priors."""
        return self.variant in ("alphamath", "mcts-dpo")

    def start(self, root: State) -> Tree:
        """A root that may be selected."""
        tree = Tree(root)
        # simulations: outstanding requests of each simulation, by the leaf it selected; owner: each request's leaf.
        tree.memo = {"started": 0, "simulations": {}, "owner": {}}
        if self.commit:
            tree.memo |= {"root": ROOT, "before": 0}  # where simulations begin, and those started before it
        tree.nodes[ROOT].selectable = True
        return tree

    def ask(self, tree: Tree) -> Sequence[Request]:
        """Start simulations while there is room, and hand out everything they need."""
        memo = tree.memo
        while memo["started"] < self.iterations:
            if not self._top(tree).selectable or self._is_round_over(tree):
                if not self.commit or memo["simulations"] or not self._go_down(tree):
                    break
            elif len(memo["simulations"]) < self.parallel:
                self._simulate(tree)
            else:
                break
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
        memo["simulations"].setdefault(str(leaf.id), 0)
        trail = self._trail(tree, leaf)
        if not leaf.asked:
            if leaf.id == ROOT:
                leaf.visits += 1
            else:
                for node in trail:
                    node.visits += 1
                    node.total -= self.virtual_loss
                self._request(tree, leaf.id, tree.evaluate(leaf.id))
        for _ in range(max(1, self._lacks(leaf))):
            self._request(tree, leaf.id, tree.expand(leaf.id))
        if self.widen:
            for node in trail[1 : leaf.depth - self._top(tree).depth + 1]:
                for _ in range(self._lacks(node)):
                    self._request(tree, leaf.id, tree.expand(node.id))
        self._close(tree, leaf)

    def _select(self, tree: Tree) -> Node:
        node = self._top(tree)
        while node.open_children:
            node = self._select_child(tree, node)
        return node

    def _select_child(self, tree: Tree, node: Node) -> Node:
        nodes = tree.nodes
        uct, prior = self.variant == "uct", self.variant == "alphamath"
        scale = self.c * math.sqrt(math.log(max(1, node.visits)) if uct else node.visits)
        best: Node | None = None
        best_score = -math.inf
        for child_id in node.children:
            child = nodes[child_id]
            if child.selectable:
                n = child.visits
                if uct:
                    score = child.total / n + scale / math.sqrt(n) if n else math.inf
                else:
                    score = (child.total / n if n else 0.0) + scale * (child.prior if prior else 1.0) / (1 + n)
                # Ties fall to the earlier sample, whichever arrived first.
                if best is None or score > best_score or (score == best_score and child.index < best.index):
                    best, best_score = child, score
        assert best is not None
        return best

    def _lacks(self, node: Node) -> int:
        """The samples that a node may still have by its visits."""
        if not self.widen:
            return self.expand - node.asked
        return int(self.expand * max(1, node.visits) ** self.widen) - node.asked

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
            if self.widen and n.asked and self._lacks(n) > 0:
                self._open(tree, n)

    @staticmethod
    def _trail(tree: Tree, node: Node) -> list[Node]:
        trail = [node]
        while node.parent >= 0:
            node = tree.nodes[node.parent]
            trail.append(node)
        return trail

    # ---- where selection may go: to a leaf that may have samples, and through a node with such leaves below it -------

    @staticmethod
    def _open(tree: Tree, node: Node) -> None:
        while not node.selectable:
            node.selectable = True
            if node.parent < 0:
                return
            node = tree.nodes[node.parent]
            node.open_children += 1

    def _close(self, tree: Tree, node: Node) -> None:
        while not node.open_children and self._lacks(node) <= 0:
            node.selectable = False
            if node.parent < 0:
                return
            node = tree.nodes[node.parent]
            node.open_children -= 1

    # ---- the way down: to the next root, and to the answer -----------------------------------------------------------

    @staticmethod
    def _top(tree: Tree) -> Node:
        root: int = tree.memo.get("root", ROOT)
        return tree.nodes[root]

    def _is_round_over(self, tree: Tree) -> bool:
        return self.commit > 0 and tree.memo["started"] - tree.memo["before"] >= self.commit

    def _go_down(self, tree: Tree) -> bool:
        """Make the best child that may still lead to an answer the root; False where there is none."""
        top = self._top(tree)
        holds = self._holds_answer(tree)
        children = [tree.nodes[i] for i in top.children]
        children = [c for c in children if c.id in holds or c.selectable]
        if not children:
            return False
        tree.memo |= {"root": min(children, key=self._standing).id, "before": tree.memo["started"]}
        return True

    def _descend(self, tree: Tree) -> int | None:
        """The finished node reached from the root by the best standing, over branches that hold an answer."""
        holds = self._holds_answer(tree)
        node = self._top(tree)
        while node.id not in holds:
            if node.parent < 0:
                return None
            node = tree.nodes[node.parent]
        while node.finish is not Finish.ANSWER:
            node = min((tree.nodes[i] for i in node.children if i in holds), key=self._standing)
        return node.id

    def _standing(self, node: Node) -> tuple[Any, ...]:
        """What siblings are ordered by, best first."""
        return (node.visits == 0, -node.q, -node.visits, node.index)

    def _holds_answer(self, tree: Tree) -> set[int]:
        return {n.id for node in tree.answered() for n in self._trail(tree, node)}
