"""Reading a text in phases: variables are decided before the goal, the goal before the statements, by vote.

A search over the lines of the compact format (`formulation.wire`). Whole drafts are sampled; the variables that most of
them declare are kept, and samples that declare others are drawn again behind those; then the same with the goal. What
looks wrong in the draft that most samples wrote is then read again from the line at which it went wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from search.ranking import rank
from search.tree import ROOT, Node, Tree
from search.types import Answer, Expand, Expanded, Finish, Outcome, Request, State

__all__ = ["Phased"]

Look = Callable[[str], Sequence[int]]

_GOALS: Final = ("max ", "min ")


@dataclass(frozen=True)
class Phased:
    """`n` drafts under the variables and the goal that most of them have, and `again` more from each doubtful line.

    `look` says, for a draft, which of its lines (counted from 0, a line after the last being its end) to read again,
    the most doubtful first; `rounds` is how often a draft is looked at, at most `places` lines each time. Without it
    nothing is read again.
    """

    n: int = 16
    look: Look | None = None
    again: int = 4
    rounds: int = 2
    places: int = 2
    needs_reward = False

    def start(self, root: State) -> Tree:
        """All samples at once."""
        tree = Tree(root)
        tree.memo = {"phase": 0, "round": 0, "block": ROOT, "read": []}
        for _ in range(self.n):
            tree.expand(ROOT, unit="answer")
        return tree

    def ask(self, tree: Tree) -> Sequence[Request]:
        """The samples of a phase, once the phase before is decided."""
        return tree.take_outbox()

    def tell(self, tree: Tree, request: Request, outcome: Outcome) -> None:
        """Take in a draft; the last one of a phase decides it."""
        tree.settle(request, outcome)
        if isinstance(request, Expand) and isinstance(outcome, Expanded):
            tree.add_chain(request, outcome)
        while not tree.pending and not tree.outbox and tree.memo["phase"] < 3:
            self._decide(tree)

    def answers(self, tree: Tree) -> list[Answer]:
        """Drafts under what was decided, by votes."""
        return rank(tree, self._drafts(tree), "majority")

    def _drafts(self, tree: Tree) -> list[Node]:
        """Finished drafts below what was decided."""
        return [node for node in tree.answered() if tree.memo["block"] in self._ids(tree, node)]

    @staticmethod
    def _ids(tree: Tree, node: Node) -> list[int]:
        return [ROOT, *(one.id for one in tree.path(node.id))]

    def _decide(self, tree: Tree) -> None:
        memo = tree.memo
        if memo["phase"] < 2:
            votes: dict[int, int] = {}
            for node in self._drafts(tree):
                end = self._end(tree, node, goal=memo["phase"] == 1)
                votes[end] = votes.get(end, 0) + node.samples
            memo["phase"] += 1
            if votes:
                block = max(votes, key=lambda at: (votes[at], -at))
                memo["block"] = block
                for _ in range(sum(votes.values()) - votes[block]):
                    tree.expand(block, unit="answer")
        elif self.look is None or memo["round"] >= self.rounds:
            memo["phase"] = 3
        else:
            memo["round"] += 1
            if not any(self._read_again(tree, self.look)):
                memo["phase"] = 3

    def _end(self, tree: Tree, node: Node, *, goal: bool) -> int:
        """The node that ends a draft's variables, or its goal where that follows them."""
        end = ROOT
        for one in tree.path(node.id):
            assert one.step is not None
            line = one.step.text
            if not line.startswith("var ") and not (goal and line.startswith(_GOALS)):
                break
            end = one.id
        return end

    def _read_again(self, tree: Tree, look: Look) -> Iterator[bool]:
        """Ask for more samples from the doubtful lines of the draft with most votes."""
        drafts = self._drafts(tree)
        if not drafts:
            return
        best = max(drafts, key=lambda node: (node.samples, -node.id))
        path = self._ids(tree, best)
        lines = [one for one in path if one == ROOT or tree.nodes[one].step.text.strip()]  # type: ignore[union-attr]
        for place in look(tree.text(best.id))[: self.places]:
            before = lines[min(place, len(lines) - 1)]
            if tree.nodes[before].finish is Finish.STEP and before not in tree.memo["read"]:
                tree.memo["read"].append(before)
                for _ in range(self.again):
                    tree.expand(before, unit="answer")
                yield True
