"""Facts that hold for every method on every toy problem."""

import asyncio
import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search.adaptive import AdaptiveBestOfN
from search.adaptive_consistency import AdaptiveConsistency
from search.beam import BeamSearch
from search.best_of_n import BestOfN
from search.codec import (
    outcome_from_json,
    outcome_to_json,
    request_from_json,
    request_to_json,
    tree_from_json,
    tree_to_json,
)
from search.driver import ReplayError, drive, drive_many, replay
from search.dvts import DVTS
from search.mcts import MCTS
from search.mcts_dpo import MCTSDPO
from search.particles import ParticleSearch
from search.plans import PlanSearch
from search.refinement import Refinement
from search.toy import ToyWorker
from search.tree import Tree
from search.types import Cancel, Cancelled, Evaluated, Expand, Failed, State, Usage

TREE_SEARCHES = st.builds(
    MCTS,
    st.integers(1, 12),
    st.integers(1, 4),
    max_depth=st.integers(1, 5),
    parallel=st.integers(1, 3),
    variant=st.sampled_from(["alphamath", "uct", "no-prior"]),
    commit=st.integers(0, 4),
    widen=st.sampled_from([0.0, 0.5, 1.0]),
)
METHODS = st.one_of(
    st.builds(
        BestOfN,
        st.integers(1, 8),
        st.sampled_from(["majority", "weighted", "best"]),
        st.sampled_from(["last", "min", "mean", "product"]),
    ),
    st.builds(BeamSearch, st.integers(1, 3), st.integers(1, 4), st.integers(1, 5)),
    st.builds(lambda k, expand, depth: DVTS(k * expand, expand, depth), *(st.integers(1, most) for most in (4, 3, 5))),
    st.builds(MCTS, st.integers(1, 12), st.integers(1, 4), max_depth=st.integers(1, 5), parallel=st.integers(1, 3)),
    TREE_SEARCHES,
    st.builds(
        MCTSDPO,
        st.integers(1, 12),
        st.integers(1, 4),
        max_depth=st.integers(1, 5),
        commit=st.integers(0, 4),
        widen=st.sampled_from([0.0, 0.5]),
    ),
    st.builds(
        ParticleSearch,
        st.integers(1, 6),
        st.sampled_from([0.0, 0.05, 1.0, float("inf")]),
        st.integers(1, 5),
        st.integers(0, 2),
        st.sampled_from(["systematic", "multinomial"]),
        st.sampled_from([0.5, 1.0]),
        st.sampled_from(["majority", "weighted", "best"]),
        st.sampled_from(["last", "min"]),
    ),
    # Wider streams have seen more by the time they stop; that their answer is the same is said in their own tests.
    st.builds(AdaptiveConsistency, st.integers(1, 9), st.sampled_from([0.7, 0.95, 1.0]), st.just(1)),
    # What a search that stops early has seen by then depends on the order of arrival; a threshold of 1 never stops it.
    st.builds(AdaptiveBestOfN, st.integers(1, 9), st.just(1.0), st.sampled_from([0.25, 0.5, 1.0]), st.integers(1, 4)),
    st.builds(
        Refinement,
        st.integers(1, 4),
        st.sampled_from([0.5, 0.9]),
        st.sampled_from([0.0, 0.5]),
        st.integers(0, 2),
        st.integers(0, 2),
        rollout=st.sampled_from([BestOfN(1), BestOfN(3), BeamSearch(2, 2)]),
    ),
    st.builds(
        PlanSearch,
        st.integers(1, 9),
        st.integers(1, 5),
        st.integers(1, 3),
        max_depth=st.integers(1, 4),
        rollout=st.sampled_from([BestOfN(1), BestOfN(2, "weighted"), DVTS(4, 2)]),
    ),
)
TOYS = st.builds(ToyWorker, st.integers(1, 4), st.integers(1, 4), st.integers(1, 3))


def run(algorithm, worker, **kwargs):
    return asyncio.run(drive(algorithm, State("p", (1000, 1001), 7), worker, **kwargs))


def shape(algorithm, tree: Tree):
    """Everything about a search that may not depend on the order of arrival."""
    nodes = sorted(
        (tree.order(n.id), tree.ids(n.id), n.visits, n.total, n.value, n.samples, n.asked) for n in tree.nodes
    )
    answers = [(a.answer, a.score, a.votes, [tree.order(i) for i in a.nodes]) for a in algorithm.answers(tree)]
    return nodes, answers, tree.policy_usage, tree.reward_usage


def orderly(algorithm):
    """The algorithm without the options under which the order of arrival has a say."""
    if isinstance(algorithm, MCTS):
        return replace(algorithm, parallel=1)
    if isinstance(algorithm, ParticleSearch):
        return replace(algorithm, lookahead=0)  # particles at one node take its continuations as they come
    return algorithm


@settings(max_examples=60, deadline=None)
@given(METHODS, TOYS, st.integers(0, 10**6))
def test_arrival_order_does_not_change_the_result(algorithm, toy, seed):
    algorithm = orderly(algorithm)
    ordered, _ = run(algorithm, toy)
    shuffled, _ = run(algorithm, ToyWorker(toy.branching, toy.depth, toy.answers, shuffle=random.Random(seed)))
    assert shape(algorithm, shuffled) == shape(algorithm, ordered)


@settings(max_examples=80, deadline=None)
@given(METHODS, TOYS, st.integers(0, 60), st.integers(0, 10**6))
def test_the_budget_is_a_ceiling(algorithm, toy, budget, seed):
    toy.shuffle = random.Random(seed)
    spent_at = []
    tree, _ = run(algorithm, toy, budget=budget, on_tell=lambda t, e: spent_at.append(t.policy_usage.completion))
    assert all(s <= budget for s in spent_at)
    free, _ = run(algorithm, ToyWorker(toy.branching, toy.depth, toy.answers))
    if free.policy_usage.completion <= budget:
        assert "budget" not in tree.failures or isinstance(algorithm, MCTS)
    for node in tree.nodes[1:]:
        if node.finish == "cut":
            assert node.value is None
            assert not node.children


@settings(max_examples=60, deadline=None)
@given(METHODS, TOYS, st.integers(0, 10**6), st.floats(0, 1))
def test_a_tree_is_the_fold_of_its_log_and_survives_saving_at_any_time(algorithm, toy, seed, share):
    toy.shuffle = random.Random(seed)
    tree, log = run(algorithm, toy)
    stored = [
        type(e)(e.seq, request_from_json(request_to_json(e.request)), outcome_from_json(outcome_to_json(e.outcome)))
        for e in log
    ]
    assert stored == log
    assert replay(algorithm, tree.root, stored) == tree
    half = replay(algorithm, tree.root, log, int(share * len(log)))
    assert tree_from_json(tree_to_json(half)) == half
    algorithm.answers(half)  # usable at any time


@settings(max_examples=60, deadline=None)
@given(TREE_SEARCHES, TOYS, st.integers(0, 10**6))
def test_mcts_visits_add_up(algorithm, toy, seed):
    toy.shuffle = random.Random(seed)
    tree, log = run(algorithm, toy)
    evaluated = {e.request.node for e in log if isinstance(e.outcome, Evaluated)}
    for node in tree.nodes:
        own = 1 if node.id in evaluated or node.id == 0 else 0
        assert node.visits == own + sum(tree.nodes[c].visits for c in node.children)
        worth = 2 * node.value - 1 if node.value is not None else 0.0
        assert node.total == worth + sum(tree.nodes[c].total for c in node.children)
    assert tree.memo["started"] <= algorithm.iterations
    assert not tree.memo["simulations"]


@settings(max_examples=40, deadline=None)
@given(METHODS, TOYS)
def test_a_childs_prompt_is_its_parents_plus_its_own_ids(algorithm, toy):
    tree, _ = run(algorithm, toy)
    for node in tree.nodes[1:]:
        assert tree.ids(node.id) == tree.ids(node.parent) + node.step.ids


def test_sample_seeds_differ_by_run_problem_path_action_and_index():
    def seed(root: State, path: tuple[str, ...] = (), index: int = 0, action: str = "solve") -> int:
        from search.types import Segment, Step

        tree, node = Tree(root), 0
        for text in path:
            node = tree.add(node, Step((Segment(tuple(text.encode())),), text), 0)[0].id
        return tree.sample_seed(Expand(0, node, index, action))

    seeds = [
        seed(State("p")),
        seed(State("q")),
        seed(State("p", seed=1)),
        seed(State("p"), ("a",)),
        seed(State("p"), ("a", "b")),
        seed(State("p"), ("ab",)),
        seed(State("p"), index=1),
        seed(State("p"), action="plan"),
    ]
    assert len(set(seeds)) == len(seeds)
    assert seed(State("p"), ("a", "b")) == seeds[4]
    assert all(0 <= s < 2**31 for s in seeds)


def test_a_log_of_another_method_is_refused():
    tree, log = run(BestOfN(2), ToyWorker())
    with pytest.raises(ReplayError, match="never made"):
        replay(BeamSearch(2, 1), tree.root, log)


def test_settling_twice_or_with_the_wrong_kind_is_refused():
    tree = Tree(State("p"))
    request = tree.expand(0)
    with pytest.raises(ValueError, match="does not answer"):
        tree.settle(request, Evaluated(0.5))
    with pytest.raises(ValueError, match="not pending"):
        tree.settle(request, Failed("late"))


# ---- driver ----------------------------------------------------------------------------------------------------------


class FirstWins(BestOfN):
    """Cancels every other sample once one solution is there."""

    def tell(self, tree, request, outcome):
        super().tell(tree, request, outcome)
        if not isinstance(outcome, Failed):
            for pending in list(tree.pending):
                tree.cancel(pending)


class SlowWorker(ToyWorker):
    """Sample 0 is fast; the others hang until they are cancelled, having spent two tokens."""

    async def perform(self, tree, request, max_tokens):
        if request.index:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                raise Cancelled(Usage(5, 0, 2)) from None
        return self.outcome(tree, request, max_tokens)


def test_cancelled_work_is_stopped_and_its_spent_tokens_are_counted():
    tree, log = run(FirstWins(4), SlowWorker(depth=1))
    assert tree.failures == {"cancelled": 3}
    assert tree.policy_usage.completion == 3 + 3 * 2
    assert not any(isinstance(e.request, Cancel) for e in log)


class ChangesItsMind(BestOfN):
    """Asks for a third sample when the first is there, and gives it up when the second is."""

    def tell(self, tree, request, outcome):
        super().tell(tree, request, outcome)
        if request.index == 0:
            tree.expand(0, unit="answer")
        for pending in [i for i, r in tree.pending.items() if request.index == 1 and r.index == 2]:
            tree.cancel(pending)


def test_a_request_cancelled_before_its_first_turn_gets_its_outcome():
    """Both outcomes lie ready in one turn of the loop, so the third sample's task exists and has not begun."""

    async def main():
        return await asyncio.wait_for(drive(ChangesItsMind(2), State("p"), ToyWorker(depth=1)), 10)

    tree, log = asyncio.run(main())
    assert [e.outcome for e in log][2:] == [Failed("cancelled", "cancelled")]
    assert not tree.pending


def test_a_request_cancelled_before_it_started_costs_nothing():
    tree, _ = run(FirstWins(4), ToyWorker(depth=1), budget=3)
    assert tree.failures in ({"cancelled": 3}, {"budget": 3})
    assert tree.policy_usage.completion == 3


def test_an_exception_in_the_worker_is_a_failed_outcome_with_one_line():
    class Broken(ToyWorker):
        async def perform(self, tree, request, max_tokens):
            raise RuntimeError("engine gone\nTraceback: ...")

    tree, _ = run(BestOfN(2), Broken())
    assert tree.failures == {"engine gone": 2}


def test_leaving_a_search_cancels_its_work():
    stopped = []

    class Hanging(ToyWorker):
        async def perform(self, tree, request, max_tokens):
            try:
                await asyncio.sleep(60)
            finally:
                stopped.append(request.id)

    async def main():
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(drive(BestOfN(3), State("p"), Hanging()), 0.05)

    asyncio.run(main())
    assert sorted(stopped) == [0, 1, 2]


def test_drive_many_keeps_at_most_so_many_in_flight():
    async def main():
        running = peak = 0

        async def job(i: int) -> int:
            nonlocal running, peak
            running += 1
            peak = max(peak, running)
            await asyncio.sleep(0.001 * (i % 3))
            running -= 1
            return i

        results = [r async for r in drive_many(range(20), job, concurrency=4)]
        return sorted(results), peak

    assert asyncio.run(main()) == (list(range(20)), 4)


def test_the_budget_gives_a_lone_request_what_is_left():
    """5 tokens, steps of 3: one whole step, then a step cut after 2 tokens, never scored."""
    tree, _ = run(BestOfN(1), ToyWorker(depth=4), budget=5)
    assert tree.policy_usage.completion == 5
    assert [n.finish for n in tree.nodes[1:]] == ["step", "cut"]
