"""What a search would have answered at every moment of its log, and what it had cost by then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from search.algorithm import Algorithm
from search.driver import Tell, replay
from search.tree import Tree
from search.types import State, Usage

__all__ = ["Moment", "moments"]


@dataclass(frozen=True, slots=True)
class Moment:
    """A search after some outcomes: the answers it would give, best first, and what these outcomes had cost.

    Work in flight counts when its outcome is told, since how much of it was done before is not in the log.
    """

    policy: Usage
    reward: Usage
    answers: tuple[str, ...]


def moments(algorithm: Algorithm, root: State, log: Sequence[Tell]) -> list[Moment]:
    """The moment before any outcome and the one after each entry of the log, by folding it once.

    So one run says what a smaller budget would have brought, as far as the method does the same work until then.
    Raises ReplayError where the log is not this algorithm's.
    """
    found = [Moment(Usage(), Usage(), ())]

    def told(tree: Tree, _: Tell) -> None:
        answers = tuple(answer.answer for answer in algorithm.answers(tree))
        found.append(Moment(tree.policy_usage, tree.reward_usage, answers))

    replay(algorithm, root, log, on_tell=told)
    return found
