"""Searches that start from several prompts for one question."""

import asyncio
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from search.beam import BeamSearch
from search.best_of_n import BestOfN
from search.codec import tree_from_json, tree_to_json
from search.driver import drive, replay
from search.dvts import DVTS
from search.mcts import MCTS
from search.toy import ToyWorker
from search.tree import Tree
from search.types import Expand, Segment, State, Step

from .test_properties import METHODS, TOYS, orderly, shape

PROMPTS = ((1000,), (2000, 2001), (3000,))
ROOT = State("p", PROMPTS[0], 7, PROMPTS[1:])


def step(text: str) -> Step:
    return Step((Segment(tuple(text.encode())),), text)


def test_the_samples_of_the_root_take_the_prompts_in_turn():
    tree = Tree(ROOT)
    assert [tree.prefix(tree.expand(0)) for _ in range(5)] == [*PROMPTS, *PROMPTS[:2]]


def test_a_child_goes_on_with_its_own_prompt():
    tree = Tree(ROOT)
    first = tree.add(0, step("a"), 4)[0].id  # sample 4 of 3 prompts: the second one
    second = tree.add(first, step("b"), 0)[0].id
    assert tree.prompt_number(second) == 1
    assert tree.ids(second) == (2000, 2001, *b"ab")
    assert tree.prefix(tree.expand(second)) == tree.ids(second)


def test_equal_steps_are_merged_after_the_same_prompt_only():
    tree = Tree(ROOT)
    a, _ = tree.add(0, step("a"), 4)
    b, new = tree.add(0, step("a"), 0)
    assert new and b.id != a.id
    again, new = tree.add(0, step("a"), 1)
    assert (again.id, new, again.index) == (a.id, False, 1)  # the earlier sample, and still the second prompt
    assert tree.prompt(a.id) == PROMPTS[1]
    below = [tree.add(n.id, step("c"), 0)[0].id for n in (a, b)]
    seeds = {tree.sample_seed(Expand(0, n, 0)) for n in (a.id, b.id, *below)}
    assert len(seeds) == 4


def test_many_children_are_told_apart_by_their_prompts_too():
    tree = Tree(ROOT)
    nodes = {tree.add(0, step(str(i % 7)), i)[0].id for i in range(3 * 7 * 4)}
    assert len(nodes) == 3 * 7
    assert all(tree.nodes[n].index < 3 * 7 for n in nodes)


@settings(max_examples=60, deadline=None)
@given(METHODS, TOYS, st.integers(0, 10**6))
def test_every_method_searches_from_several_prompts(algorithm, toy, seed):
    algorithm = orderly(algorithm)
    tree, log = asyncio.run(drive(algorithm, ROOT, toy))
    used = {tree.prompt_number(c) for c in tree.nodes[0].children}
    assert used == set(range(min(3, tree.nodes[0].asked)))
    for node in tree.nodes[1:]:
        assert tree.prompt(node.id) == PROMPTS[tree.path(node.id)[0].index % 3]
        before = tree.ids(node.parent) if node.parent else tree.prompt(node.id)
        assert tree.ids(node.id) == before + node.step.ids
    assert replay(algorithm, ROOT, log) == tree
    assert tree_from_json(tree_to_json(tree)) == tree
    if not isinstance(algorithm, BestOfN | BeamSearch | DVTS | MCTS):
        return  # others may share nodes between parts of a search, and who asks first gets the sample
    toy.shuffle = random.Random(seed)
    shuffled, _ = asyncio.run(drive(algorithm, ROOT, toy))
    assert shape(algorithm, shuffled) == shape(algorithm, tree)


def test_a_tree_stored_before_there_were_several_prompts_is_read():
    tree, _ = asyncio.run(drive(BestOfN(4), State("p", PROMPTS[0], 7), ToyWorker()))
    stored = tree_to_json(tree)
    del stored["root"]["others"]
    assert tree_from_json(stored) == tree


def test_the_seeds_of_a_search_with_one_prompt_are_as_ever():
    """Numbers of the version before there were several prompts: its runs can be gone on with."""
    tree = Tree(State("p", (1000,), 7))
    node = tree.add(0, step("a"), 4)[0].id
    assert [tree.sample_seed(Expand(0, n, i)) for n, i in ((0, 0), (node, 2))] == [276919002, 804111667]
