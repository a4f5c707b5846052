"""Step labels as pure rules: what sampled outcomes say about the steps they pass through.

A step's value estimates P(the answer will be right | question, steps up to and with this one).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

__all__ = ["Bisection", "PrefixNode", "Sample", "first_error", "hard", "outcome_values", "prefix_trie", "soft"]

Ids = Sequence[int]


@dataclass(frozen=True, slots=True)
class Sample:
    """One sampled solution: the token ids of each step, and whether its answer was right."""

    steps: tuple[tuple[int, ...], ...]
    right: bool


@dataclass(slots=True)
class PrefixNode:
    """A prefix that samples share: the step that ends it, how many samples pass through it and how many are right.

    `first` is the first sample that does. The root, the empty prefix, has parent -1 and no ids.
    """

    parent: int
    depth: int
    ids: tuple[int, ...]
    first: int
    visits: int = 0
    right: int = 0
    children: list[int] = field(default_factory=list)

    @property
    def value(self) -> float:
        """Share of right outcomes, in [0, 1]."""
        return self.right / self.visits


def prefix_trie(samples: Sequence[Sample]) -> tuple[list[PrefixNode], list[list[int]]]:
    """The trie of the samples' steps by token ids, and each sample's nodes from its first step to its last.

    Node 0 is the root; children stand in the order of their first sample.
    """
    nodes = [PrefixNode(-1, 0, (), 0)]
    known: dict[tuple[int, tuple[int, ...]], int] = {}
    paths: list[list[int]] = []
    for number, sample in enumerate(samples):
        at, path = 0, []
        for step in sample.steps:
            key = (at, tuple(step))
            if key not in known:
                known[key] = len(nodes)
                nodes[at].children.append(len(nodes))
                nodes.append(PrefixNode(at, nodes[at].depth + 1, key[1], number))
            at = known[key]
            path.append(at)
        for node in (0, *path):
            nodes[node].visits += 1
            nodes[node].right += sample.right
        paths.append(path)
    return nodes, paths


def outcome_values(samples: Sequence[Sample]) -> list[tuple[float, ...]]:
    """The value of every step of every sample: the share of right outcomes among the samples that pass through it.

    All samples must be of one question and one policy.
    """
    nodes, paths = prefix_trie(samples)
    return [tuple(nodes[i].value for i in path) for path in paths]


def soft(outcomes: Sequence[bool]) -> float:
    """Share of rollouts that were right (Math-Shepherd's soft label, arXiv 2312.08935); at least one is needed."""
    return sum(outcomes) / len(outcomes)


def hard(outcomes: Sequence[bool]) -> float:
    """1 where any rollout was right, else 0 (Math-Shepherd's hard label)."""
    return float(any(outcomes))


def first_error(values: Sequence[float | None], at_most: float = 0.0) -> int | None:
    """The first step whose value is `at_most`: 0 means that no right answer was reached. None where there is none."""
    return next((k for k, value in enumerate(values) if value is not None and value <= at_most), None)


class Bisection:
    """Finds the first wrong step of a wrong solution with few questions (OmegaPRM, arXiv 2406.06592).

    A step is wrong where no rollout from the prefix that ends with it is right; everything after a wrong step is taken
    to be wrong too. The last step of a wrong solution is known to be. `ask` names the step whose prefix to roll out
    next, None when done; `tell` takes whether any rollout was right. At most ceil(log2(steps)) questions.
    """

    def __init__(self, steps: int) -> None:
        if steps < 1:
            raise ValueError("a solution has at least one step")
        self._low, self._high = 0, steps - 1  # the first wrong step lies in [low, high]

    def ask(self) -> int | None:
        """The step to ask about, or None."""
        return None if self._low == self._high else (self._low + self._high) // 2

    def tell(self, any_right: bool) -> None:
        """The outcome for the step last asked about. Raises ValueError where nothing was asked."""
        middle = self.ask()
        if middle is None:
            raise ValueError("the first wrong step is known already")
        if any_right:
            self._low = middle + 1
        else:
            self._high = middle

    @property
    def found(self) -> int | None:
        """The first wrong step, counted from 0; None while it is not known."""
        return self._low if self._low == self._high else None
