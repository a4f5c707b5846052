"""Self-consistency with early stopping: the criterion's values, and a stream that decides as if one by one."""

import asyncio
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search.adaptive_consistency import AdaptiveConsistency, leader_probability
from search.best_of_n import BestOfN
from search.driver import drive, replay
from search.methods import make_method
from search.toy import ToyWorker
from search.types import Cancelled, Failed, Finish, State, Usage

from .scripted import Script, step

STREAMS = st.builds(
    AdaptiveConsistency,
    st.integers(1, 12),
    st.sampled_from([0.6, 0.8, 0.95, 1.0]),
    st.integers(1, 6),
    st.sampled_from(["beta", "window"]),
    st.integers(2, 4),
)


def search(algorithm, worker, problem="p"):
    return asyncio.run(drive(algorithm, State(problem, (), 7), worker))


def ranked(algorithm, tree):
    return [(a.answer, a.score, a.votes) for a in algorithm.answers(tree)]


# ---- the criterion ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second", "probability"),
    [
        (0, 0, 1 / 2),
        (1, 0, 3 / 4),
        (3, 0, 15 / 16),
        (4, 0, 31 / 32),
        (1, 1, 1 / 2),
        (2, 1, 11 / 16),  # C(4,0) + C(4,1) + C(4,2) of 16
        (5, 1, 120 / 128),
    ],
)
def test_probability_that_the_leader_leads(first, second, probability):
    assert leader_probability(first, second) == probability


@settings(deadline=None)
@given(st.integers(0, 20), st.integers(0, 20))
def test_the_probability_is_the_integral_of_the_beta_density_above_one_half(first, second):
    points = 4000
    grid = [(i + 0.5) / points for i in range(points)]
    density = [p**first * (1 - p) ** second for p in grid]
    assert leader_probability(first, second) == pytest.approx(sum(density[points // 2 :]) / sum(density), abs=1e-6)


def test_four_equal_answers_settle_it_at_the_papers_confidence():
    script = Script(AdaptiveConsistency(parallel=1), lambda t, i: step(f"{i}", answer="7"))
    tree = script.run()
    assert tree.nodes[0].asked == 4
    assert ranked(script.algorithm, tree) == [("7", 1.0, 4)]


def test_votes_against_the_leader_prolong_the_sampling():
    """7, 8, 7, 7, 7, 7: with five against one 120/128 = 0.94 is too little, with six against one 247/256 is enough."""
    script = Script(AdaptiveConsistency(parallel=1), lambda t, i: step(f"{i}", answer="8" if i == 1 else "7"))
    tree = script.run()
    assert tree.nodes[0].asked == 7
    assert ranked(script.algorithm, tree) == [("7", 6 / 7, 6), ("8", 1 / 7, 1)]


def test_only_the_two_leading_answers_count():
    """Three votes against two single ones are as good as three against one: 0.81."""
    answers = ["7", "8", "9", "7", "7"]
    script = Script(
        AdaptiveConsistency(confidence=leader_probability(3, 1), parallel=1),
        lambda t, i: step(f"{i}", answer=answers[i]),
    )
    assert script.run().nodes[0].asked == 5


def test_a_majority_that_cannot_be_overturned_is_settled():
    """Of five, three equal votes are enough, whatever the confidence."""
    script = Script(AdaptiveConsistency(5, confidence=1.0, parallel=1), lambda t, i: step(f"{i}", answer="7"))
    assert script.run().nodes[0].asked == 3


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 12), st.integers(1, 5), st.integers(1, 3), st.integers(1, 4), st.integers(0, 10**6))
def test_at_confidence_1_it_answers_as_best_of_n(n, parallel, depth, answers, problem):
    toy, full = ToyWorker(4, depth, answers), BestOfN(n)
    certain = AdaptiveConsistency(n, confidence=1.0, parallel=parallel)
    tree, _ = search(certain, toy, str(problem))
    whole, _ = search(full, toy, str(problem))
    assert certain.answers(tree)[0].answer == full.answers(whole)[0].answer
    assert tree.policy_usage.completion <= whole.policy_usage.completion


def test_a_window_of_equal_answers_settles_it():
    """Windows of three: 8 7 7, 7 8 8, 7 7 7. The three equal ones across the first border are no window."""
    answers = ["8", "7", "7", "7", "8", "8", "7", "7", "7", "7"]
    script = Script(
        AdaptiveConsistency(rule="window", window=3, parallel=1), lambda t, i: step(f"{i}", answer=answers[i])
    )
    assert script.run().nodes[0].asked == 9


def test_samples_without_an_answer_vote_for_nothing():
    bad = [step("end", finish=Finish.END), Failed("down"), step("cut", finish=Finish.CUT)]
    script = Script(AdaptiveConsistency(4, parallel=2), lambda t, i: bad[i] if i < 3 else step("x", answer="7"))
    tree = script.run()
    assert ranked(script.algorithm, tree) == [("7", 1.0, 1)]
    empty = Script(AdaptiveConsistency(3, rule="window", window=3), lambda t, i: bad[i])
    assert empty.algorithm.answers(empty.run()) == []
    assert empty.tree.nodes[0].asked == 3


# ---- the stream ------------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(STREAMS, st.integers(1, 4), st.integers(1, 3), st.integers(0, 10**6))
def test_neither_order_nor_width_of_the_stream_changes_the_result(algorithm, depth, answers, seed):
    one_by_one = AdaptiveConsistency(algorithm.n, algorithm.confidence, 1, algorithm.rule, algorithm.window)
    expected, _ = search(one_by_one, ToyWorker(4, depth, answers), str(seed))
    tree, log = search(algorithm, ToyWorker(4, depth, answers, shuffle=random.Random(seed)), str(seed))
    assert ranked(algorithm, tree) == ranked(one_by_one, expected)
    assert tree.memo["counted"] == expected.memo["counted"]
    assert replay(algorithm, tree.root, log) == tree


def test_so_many_samples_are_in_flight_and_no_more():
    script = Script(AdaptiveConsistency(6, parallel=3), lambda t, i: step(f"{i}", answer=f"{i}"))
    assert len(script.waiting) == 3
    while script.waiting:
        script.tell_next(-1)
        assert len(script.waiting) == min(3, 6 - len(script.tree.memo["arrived"]))


def test_a_fast_sample_has_no_vote_before_its_turn():
    """Samples 1 to 4 agree and arrive first; nothing is settled while sample 0 is missing."""
    script = Script(AdaptiveConsistency(40, parallel=5), lambda t, i: step(f"{i}", answer="7" if i else "8"))
    for _ in range(4):
        script.tell_next(1)
    assert script.algorithm.answers(script.tree) == []
    assert not script.tree.memo["settled"]


def test_what_is_in_flight_at_the_stop_is_cancelled_and_its_tokens_are_counted():
    begun = []

    class Slow(ToyWorker):
        async def perform(self, tree, request, max_tokens):
            if request.index >= 4:
                begun.append(request.index)
                try:
                    await asyncio.sleep(60)
                except asyncio.CancelledError:
                    raise Cancelled(Usage(5, 0, 2)) from None
            await asyncio.sleep(0)
            return self.outcome(tree, request, max_tokens)

    algorithm = AdaptiveConsistency(40, parallel=6)
    tree, log = search(algorithm, Slow(1, 2, 1))
    assert {4, 5} <= set(begun)
    assert tree.failures == {"cancelled": tree.nodes[0].asked - 4}
    assert tree.policy_usage.completion == 4 * 6 + 2 * len(begun)
    assert ranked(algorithm, tree) == [("0", 1.0, 4)]
    assert replay(algorithm, tree.root, log) == tree


# ---- by name ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"confidence": 0.5}, "confidence must be a number above 0.5 and at most 1, not 0.5"),
        ({"confidence": float("nan")}, "confidence must be a number above 0.5 and at most 1, not nan"),
        ({"confidence": 95}, "confidence must be a number above 0.5 and at most 1, not 95"),
        ({"window": 1}, "window must be a whole number of at least 2, not 1"),
        ({"rule": "entropy"}, "unknown rule 'entropy': choose one of beta, window"),
        ({"parallel": 0}, "parallel must be a whole number of at least 1, not 0"),
    ],
)
def test_impossible_values_are_refused_in_one_line(params, says):
    with pytest.raises(ValueError, match=says) as error:
        make_method("adaptive-consistency", params)
    assert "\n" not in str(error.value)


def test_the_method_is_known_by_name():
    assert make_method("adaptive-consistency", {"n": 8}) == AdaptiveConsistency(8)
