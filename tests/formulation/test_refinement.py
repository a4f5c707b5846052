"""Cells are stable, the coarsest, and common to both graphs; a pairing is an isomorphism."""

from __future__ import annotations

import random
import time

import networkx
from hypothesis import given, settings
from hypothesis import strategies as st

from formulation.refinement import Partition
from tests.formulation.effort import MORE


def twice(graph: networkx.Graph, other: networkx.Graph) -> Partition:
    """Two graphs over 0..n-1 with edges labelled `label`."""
    size = len(graph)
    edges: list[list[tuple[int, int]]] = [[] for _ in range(2 * size)]
    for shift, one in ((0, graph), (size, other)):
        for a, b, data in one.edges(data=True):
            edges[a + shift].append((b + shift, data["label"]))
            edges[b + shift].append((a + shift, data["label"]))
    return Partition([0] * (2 * size), edges, [True] * size + [False] * size)


def labelled(rng: random.Random, size: int) -> networkx.Graph:
    graph = networkx.gnp_random_graph(size, rng.uniform(0.2, 0.7), seed=rng.randrange(10**6))
    for *_, data in graph.edges(data=True):
        data["label"] = rng.randint(1, 2)
    return graph


def naive(partition: Partition, colours: list[int]) -> set[frozenset[int]]:
    """Colours by rounds, until nothing changes."""
    while True:
        seen = [
            (colours[i], tuple(sorted((label, colours[j]) for j, label in partition.edges[i])))
            for i in range(len(colours))
        ]
        numbers = {key: i for i, key in enumerate(sorted(set(seen)))}
        new = [numbers[key] for key in seen]
        if len(set(new)) == len(set(colours)):
            return {frozenset(i for i, c in enumerate(new) if c == colour) for colour in new}
        colours = new


@given(st.randoms(use_true_random=False), st.integers(1, 9))
@settings(max_examples=100 * MORE, deadline=None)
def test_cells_are_those_of_refinement_in_rounds(rng, size):
    partition = twice(labelled(rng, size), labelled(rng, size))
    cells = naive(partition, [0] * (2 * size))
    partition.refine(both=False)
    assert {frozenset(cell) for cell in partition.members} == cells


@given(st.randoms(use_true_random=False), st.integers(1, 8))
@settings(max_examples=100 * MORE, deadline=None)
def test_a_pairing_is_found_where_there_is_an_isomorphism_and_only_there(rng, size):
    graph = labelled(rng, size)
    order = list(range(size))
    rng.shuffle(order)
    other = networkx.relabel_nodes(graph, dict(enumerate(order))) if rng.random() < 0.6 else labelled(rng, size)
    partition = twice(graph, other)
    found = None
    if partition.refine():
        found, complete = partition.match(range(size), {}, budget=10**4, deadline=time.monotonic() + 60)
        assert complete
    assert (found is not None) == networkx.is_isomorphic(graph, other, edge_match=lambda a, b: a == b)
    if found is not None:
        moved = {frozenset((found[a] - size, found[b] - size)): d["label"] for a, b, d in graph.edges(data=True)}
        assert moved == {frozenset((a, b)): d["label"] for a, b, d in other.edges(data=True)}


def test_search_goes_back_where_a_choice_fails_and_stops_at_its_budget():
    # Cycles of three and of six, in both graphs: the choice of a cycle's partner decides all.
    def cycles(*sizes: int) -> networkx.Graph:
        found = networkx.disjoint_union_all([networkx.cycle_graph(n) for n in sizes])
        networkx.set_edge_attributes(found, 1, "label")
        return found

    graph, other = cycles(3, 6, 3), cycles(6, 3, 3)
    partition = twice(graph, other)
    assert partition.refine()
    found, complete = partition.match(range(12), {}, budget=1000, deadline=time.monotonic() + 60)
    assert found is not None and complete
    partition = twice(graph, other)
    partition.refine()
    assert partition.match(range(12), {}, budget=0, deadline=time.monotonic() + 60) == (None, False)


def test_a_preferred_partner_is_taken_where_it_can_be():
    graph = networkx.empty_graph(3)
    partition = twice(graph, graph)
    partition.refine()
    found, _ = partition.match(range(3), {0: 5, 1: 4, 2: 3}, budget=10, deadline=time.monotonic() + 60)
    assert found == {0: 5, 1: 4, 2: 3}
