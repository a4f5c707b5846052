"""Step labels: tries counted by hand, and bisection's bound."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.labels import Bisection, Sample, first_error, hard, outcome_values, prefix_trie, soft

A, B, C = (1, 9), (2, 9), (3, 3, 9)


def test_a_value_is_the_share_of_right_outcomes_among_samples_through_the_prefix():
    samples = [
        Sample((A, B), True),
        Sample((A, C), False),
        Sample((A, B), True),
        Sample((B, A), False),
        Sample((A,), True),
    ]
    assert outcome_values(samples) == [(3 / 4, 1.0), (3 / 4, 0.0), (3 / 4, 1.0), (0.0, 0.0), (3 / 4,)]


def test_equal_steps_after_different_prefixes_are_different_places():
    assert outcome_values([Sample((A, C), True), Sample((B, C), False)]) == [(1.0, 1.0), (0.0, 0.0)]


def test_the_trie_counts_every_sample_once_at_every_depth():
    nodes, paths = prefix_trie([Sample((A, B), True), Sample((A, C), False), Sample((B,), False)])
    assert [(n.parent, n.ids, n.right, n.visits, n.children) for n in nodes] == [
        (-1, (), 1, 3, [1, 4]),
        (0, A, 1, 2, [2, 3]),
        (1, B, 1, 1, []),
        (1, C, 0, 1, []),
        (0, B, 0, 1, []),
    ]
    assert paths == [[1, 2], [1, 3], [4]]


samples = st.lists(
    st.builds(Sample, st.lists(st.sampled_from([A, B, C]), min_size=1, max_size=3).map(tuple), st.booleans()),
    min_size=1,
    max_size=12,
)


@given(samples)
def test_values_agree_with_counting_prefixes_one_by_one(samples):
    for sample, values in zip(samples, outcome_values(samples), strict=True):
        for k, value in enumerate(values, start=1):
            through = [s.right for s in samples if s.steps[:k] == sample.steps[:k]]
            assert value == sum(through) / len(through)


def test_soft_is_a_share_and_hard_is_any():
    assert (soft([True, False, False, True]), hard([True, False, False, True])) == (0.5, 1.0)
    assert (soft([False, False]), hard([False, False])) == (0.0, 0.0)


def test_the_first_error_is_the_first_value_low_enough():
    assert first_error([0.5, None, 0.0, 0.3, 0.0]) == 2
    assert first_error([0.5, 0.2, 0.1], at_most=0.25) == 1
    assert first_error([0.5, None]) is None


@pytest.mark.parametrize("steps", range(1, 34))
def test_bisection_finds_every_planted_first_error_within_the_bound(steps):
    for planted in range(steps):
        search, asked = Bisection(steps), 0
        while (step := search.ask()) is not None:
            search.tell(step < planted)
            asked += 1
        assert search.found == planted
        assert asked <= math.ceil(math.log2(steps))


def test_bisection_answers_only_what_it_asked():
    with pytest.raises(ValueError, match="known already"):
        Bisection(1).tell(False)
    with pytest.raises(ValueError, match="at least one step"):
        Bisection(0)
