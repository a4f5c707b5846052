"""Rules over siblings, each on values computed by hand."""

import pytest

from data.preferences import advantage_pairs, cpl_pairs, mcts_dpo_pair, same_step
from data.rows import Side


def side(name: str, value: float, visits: int) -> Side:
    return Side(f"<<{name}>>\n", tuple(name.encode()), (1,) * len(name), value, visits)


A, B, C, D = side("1+1=2", 0.75, 6), side("3-1=2", 0.25, 2), side("2*4=8", 0.5, 4), side("9-9=0", 0.0, 1)


def test_mcts_dpo_takes_best_against_worst_by_visits_with_their_noise():
    pair = mcts_dpo_pair([C, B, A])
    assert (pair.chosen, pair.rejected, pair.smoothing) == (A, B, 2 / 8)
    assert (pair.margin, pair.weight) == (0.0, 1.0)


def test_equal_visits_fall_to_the_value_and_are_all_noise():
    low = side("5-1=4", 0.1, 6)
    pair = mcts_dpo_pair([low, A])
    assert (pair.chosen, pair.rejected, pair.smoothing) == (A, low, 0.5)


def test_visits_against_value_are_no_pair():
    assert mcts_dpo_pair([side("1+1=2", 0.2, 9), side("1+2=3", 0.6, 1)]) is None
    assert mcts_dpo_pair([A]) is None


def test_cpl_pairs_every_positive_q_with_every_negative_one():
    # Q = 0.5, -0.5, 0, -1: the one at 0 is on neither side.
    assert [(p.chosen, p.rejected, p.margin) for p in cpl_pairs([A, B, C, D])] == [(A, B, 1.0), (A, D, 1.5)]


def test_advantages_are_measured_from_the_parent():
    # The parent's value is 0.3: advantages 0.45, -0.05, 0.2, -0.3.
    found = {(p.chosen, p.rejected): p.weight for p in advantage_pairs([A, B, C, D], 0.3)}
    assert found == pytest.approx({(A, B): 0.5, (A, D): 0.75, (C, B): 0.25, (C, D): 0.5})


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        (" <<3+4=7>>\n", "Together <<4 + 3 = 7>>7.\n", True),
        ("<<3*4*5=60>>", "<<5*3*4=60>>", True),
        ("<<3-4=-1>>", "<<4-3=1>>", False),
        ("<<3+4*2=11>>", "<<4*2+3=11>>", False),
        ("#### 72", "####  72\n", True),
        ("#### 72", "#### 27", False),
        ("<<3+4=7>>", "3+4=7", False),
    ],
)
def test_steps_are_the_same_where_their_equations_are(a, b, same):
    assert same_step(a, b) is same
    assert same_step(b, a) is same


def test_sides_that_say_the_same_are_no_pair():
    good, bad = side("3+4=7", 1.0, 4), side("4+3=7", 0.0, 2)
    assert mcts_dpo_pair([good, bad]) is None
    assert cpl_pairs([good, bad]) == []
    assert advantage_pairs([good, bad], 0.5) == []
