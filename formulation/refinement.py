"""Colour refinement of two graphs at once, edges labelled, and the search for a pairing of their nodes.

Two nodes of one cell have the same colour, and the same labels to every cell. Both graphs lie in one partition, so a
cell means the same in each (Weisfeiler and Leman; the coarsest stable partition in O(m log n) after Hopcroft, see
Berkholz, Bonsma and Grohe, arXiv 1509.08251).
"""

from __future__ import annotations

import time
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

__all__ = ["Partition"]

Edges = Sequence[Sequence[tuple[int, int]]]
"""For each node its neighbours, each with the label of the edge."""


@dataclass(slots=True)
class _Trial:
    """One choice of a search: which node, what to go back to, and its candidates (listed where the first one fails)."""

    position: int
    mark: int
    first: int
    others: list[int] | None = None


class Partition:
    """Cells of the nodes of a left and a right graph. `members[cell[node]]` are the nodes like `node`."""

    def __init__(self, colours: Sequence[Hashable], edges: Edges, left: Sequence[bool]) -> None:
        """The partition by colours alone; `refine` has not run. `left` says which graph a node belongs to."""
        self.edges = edges
        self.left = left
        numbers: dict[Hashable, int] = {}
        self.cell = [numbers.setdefault(colour, len(numbers)) for colour in colours]
        self.members: list[set[int]] = [set() for _ in numbers]
        for node, number in enumerate(self.cell):
            self.members[number].add(node)
        # Cells only grow in number while refining; what was split from what, to be joined again in reverse.
        self._trail: list[tuple[int, int]] = []

    def balanced(self, nodes: Iterable[int]) -> bool:
        """Whether as many nodes are of the left graph as of the right one."""
        return sum(1 if self.left[node] else -1 for node in nodes) == 0

    def refine(self, waiting: Iterable[int] | None = None, *, both: bool = True) -> bool:
        """Split cells until all are stable; False, at once, where a cell holds more of one graph than of the other.

        `waiting` are the cells that others may not be stable against (default: all). Without `both` the graphs need
        not agree.
        """
        queue = list(range(len(self.members)) if waiting is None else waiting)
        if both and waiting is None and not all(map(self.balanced, self.members)):
            return False
        while queue:
            seen: dict[int, list[int]] = {}
            for node in self.members[queue.pop()]:
                for neighbour, label in self.edges[node]:
                    seen.setdefault(neighbour, []).append(label)
            touched: dict[int, dict[tuple[int, ...], list[int]]] = {}
            for neighbour, labels in seen.items():
                labels.sort()
                touched.setdefault(self.cell[neighbour], {}).setdefault(tuple(labels), []).append(neighbour)
            for number, groups in touched.items():
                for part in self._parts(number, list(groups.values())):
                    if both and not self.balanced(part):
                        return False
                    queue.append(self._split(number, part))
        return True

    def _parts(self, number: int, groups: list[list[int]]) -> list[list[int]]:
        """What leaves a cell: all groups and the untouched rest but the largest of these."""
        rest = len(self.members[number]) - sum(map(len, groups))
        largest = max(groups, key=len)
        if rest >= len(largest):
            return groups
        leaving = [group for group in groups if group is not largest]
        if rest:
            leaving.append(list(self.members[number].difference(*groups)))
        return leaving

    def _split(self, number: int, part: Iterable[int]) -> int:
        new = len(self.members)
        self.members.append(set(part))
        self.members[number] -= self.members[new]
        for node in self.members[new]:
            self.cell[node] = new
        self._trail.append((new, number))
        return new

    def _undo(self, mark: int) -> None:
        while len(self._trail) > mark:
            _, number = self._trail.pop()
            joined = self.members.pop()
            for node in joined:
                self.cell[node] = number
            self.members[number] |= joined

    def match(
        self, nodes: Sequence[int], prefer: Mapping[int, int], *, budget: int, deadline: float
    ) -> tuple[dict[int, int] | None, bool]:
        """A pairing of left `nodes` with right ones that refinement cannot tell apart, and whether all were tried.

        The partition must be stable and balanced. Where a cell still holds several, one node is paired with each of
        its candidates in turn (`prefer` names the first to try) and what follows is refined; `budget` is how many such
        trials there may be, `deadline` a moment of `time.monotonic`.
        """
        trials: list[_Trial] = []
        position = 0
        while True:
            while position < len(nodes) and len(self.members[self.cell[nodes[position]]]) == 2:
                position += 1
            if position == len(nodes):
                return {node: self._partner(node) for node in nodes}, True
            node = nodes[position]
            inside = self.members[self.cell[node]]
            liked = prefer.get(node)
            first = liked if liked in inside and liked is not None else self._partner(node)
            trials.append(_Trial(position, len(self._trail), first))
            settled = self._settle(node, first)
            while not settled:
                trial = trials[-1]
                self._undo(trial.mark)
                node = nodes[trial.position]
                if trial.others is None:
                    inside = self.members[self.cell[node]]
                    trial.others = sorted((x for x in inside if not self.left[x] and x != trial.first), reverse=True)
                if trial.others:
                    budget -= 1
                    if budget < 0 or time.monotonic() > deadline:
                        return None, False
                    settled = self._settle(node, trial.others.pop())
                else:
                    trials.pop()
                    if not trials:
                        return None, True
            position = trials[-1].position

    def _partner(self, node: int) -> int:
        return min(other for other in self.members[self.cell[node]] if not self.left[other])

    def _settle(self, node: int, other: int) -> bool:
        return self.refine([self._split(self.cell[node], (node, other))])
