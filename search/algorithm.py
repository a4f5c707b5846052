"""What a search algorithm is: a pure state machine over a tree. It never awaits anything."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from search.tree import Tree
from search.types import Answer, Outcome, Request, State

__all__ = ["Algorithm"]


class Algorithm(Protocol):
    """Ask for work, be told the outcome; all state is in the tree, so one algorithm object serves many trees.

    The driver calls `ask` once after `start` and once after every `tell`; replaying a log does the same, which is why
    a tree is the fold of its log. A search has ended when `ask` returns nothing and nothing is pending.
    """

    @property
    def needs_reward(self) -> bool:
        """Whether it asks for `Evaluate` at all.

        An algorithm whose selection reads priors also says `needs_logprobs = True`.
        """
        ...

    def start(self, root: State) -> Tree:
        """A new tree."""
        ...

    def ask(self, tree: Tree) -> Sequence[Request]:
        """All work that may start now, each request once; empty while waiting and at the end."""
        ...

    def tell(self, tree: Tree, request: Request, outcome: Outcome) -> None:
        """Take in the outcome of a pending request. Failed work is an outcome too."""
        ...

    def answers(self, tree: Tree) -> list[Answer]:
        """Distinct final answers so far, best first. Usable at any time."""
        ...
