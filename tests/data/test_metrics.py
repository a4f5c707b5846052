"""Metrics of process rewards against cases counted by hand, and against brute force."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.metrics import (
    FirstErrors,
    Scored,
    auc,
    auc_interval,
    best_of_n_curve,
    brier,
    calibration,
    expected_calibration_error,
    first_error,
    first_error_accuracy,
)

GRID = st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])


def test_auc_counts_pairs_in_order_and_half_of_ties() -> None:
    # Pairs (positive, negative): .8>.3, .8>.5, .5>.3, .5=.5.
    assert auc([0.8, 0.5, 0.3, 0.5], [1, 1, 0, 0]) == 3.5 / 4
    assert auc([0.1, 0.9], [0, 1]) == 1.0
    assert auc([0.1, 0.9], [1, 0]) == 0.0
    assert auc([0.4, 0.4, 0.4], [1, 0, 1]) == 0.5


def test_auc_is_undefined_with_one_class() -> None:
    assert auc([0.1, 0.2], [1, 1]) is None
    assert auc([], []) is None
    assert auc_interval([0.1, 0.2], [1, 1], ["a", "b"]) is None


def test_soft_labels_are_positive_above_the_level() -> None:
    assert auc([0.1, 0.6, 0.4], [0.0, 0.125, 0.0], level=0.0) == 1.0
    assert auc([0.1, 0.6, 0.4], [0.5, 0.75, 1.0]) == 1.0  # 0.5 is not above 0.5


@given(st.lists(st.tuples(GRID, st.booleans()), max_size=12))
def test_auc_equals_the_count_over_all_pairs(items: list[tuple[float, bool]]) -> None:
    good = [s for s, y in items if y]
    bad = [s for s, y in items if not y]
    wins = sum((a > b) + (a == b) / 2 for a in good for b in bad)
    expected = wins / (len(good) * len(bad)) if good and bad else None
    assert auc([s for s, _ in items], [float(y) for _, y in items]) == expected


def test_the_interval_is_seeded_and_draws_whole_questions() -> None:
    scores = [0.9, 0.2, 0.8, 0.3, 0.4, 0.6]
    labels = [1, 0, 1, 0, 1, 0]
    questions = ["a", "a", "b", "b", "c", "c"]
    low, high = auc_interval(scores, labels, questions, samples=400)
    assert (low, high) == auc_interval(scores, labels, questions, samples=400)
    assert low < auc(scores, labels) < high
    # Every resample of a single question is that question: no spread, however many steps it has.
    assert auc_interval(scores, labels, ["a"] * 6, samples=50) == (auc(scores, labels),) * 2


def test_first_errors_are_found_or_passed() -> None:
    assert first_error([0.9, 0.0, 0.0], 0.0) == 1
    assert first_error([0.9, 0.1], 0.0) is None
    scores = [[0.9, 0.2, 0.1], [0.4, 0.1], [0.8, 0.7], [0.9, 0.3]]
    labels = [[1.0, 0.0, 0.0], [0.5, 0.0], [1.0, 1.0], [0.5, 1.0]]
    found = first_error_accuracy(scores, labels)
    assert found == FirstErrors(wrong=2, found=0.5, right=2, passed=0.5)
    assert found.f1 == 0.5
    assert first_error_accuracy([[0.9]], [[1.0]]).f1 is None


def test_calibration_of_known_bins() -> None:
    scores, labels = [0.05, 0.15, 0.95, 1.0], [0.0, 1.0, 1.0, 0.5]
    table = calibration(scores, labels)
    assert [(b.low, b.high, b.count) for b in table] == [(0.0, 0.1, 1), (0.1, 0.2, 1), (0.9, 1.0, 2)]
    assert table[-1].score == pytest.approx(0.975)
    assert table[-1].label == 0.75
    assert expected_calibration_error(table) == pytest.approx((0.05 + 0.85 + 2 * 0.225) / 4)
    assert brier(scores, labels) == pytest.approx((0.05**2 + 0.85**2 + 0.05**2 + 0.25) / 4)
    assert expected_calibration_error(calibration([0.0, 1.0], [0.0, 1.0])) == 0.0


def test_best_of_n_of_a_case_counted_by_hand() -> None:
    right = Scored("7", 0.9, True)
    wrong = [Scored("5", 0.4, False), Scored("5", 0.3, False)]
    one, two, three = best_of_n_curve([[right, *wrong]], [1, 2, 3])
    assert (one.best, one.weighted, one.majority, one.oracle) == pytest.approx((1 / 3,) * 4)
    # Of three pairs two hold the right one, where the vote is a tie and the scores are not.
    assert (two.best, two.weighted, two.majority, two.oracle) == pytest.approx((2 / 3, 2 / 3, 1 / 3, 2 / 3))
    assert (three.best, three.weighted, three.majority, three.oracle) == pytest.approx((1.0, 1.0, 0.0, 1.0))


def test_a_solution_without_an_answer_is_never_chosen() -> None:
    (two,) = best_of_n_curve([[Scored(None, 1.0, False), Scored("7", 0.1, True)]], [2])
    assert (two.best, two.weighted, two.majority) == (1.0, 1.0, 1.0)
    (two,) = best_of_n_curve([[Scored(None, 1.0, False), Scored(None, 0.1, False)]], [2])
    assert (two.best, two.weighted, two.majority, two.oracle) == (0.0, 0.0, 0.0, 0.0)


@given(st.lists(st.tuples(st.sampled_from("abc"), GRID), min_size=1, max_size=6), st.integers(1, 6))
def test_best_and_oracle_equal_the_mean_over_all_subsets(pairs: list[tuple[str, float]], n: int) -> None:
    n = min(n, len(pairs))
    samples = [Scored(answer, score, answer == "a") for answer, score in pairs]
    best = oracle = 0.0
    subsets = list(itertools.combinations(samples, n))
    for subset in subsets:
        top = max(s.score for s in subset)
        leaders = [s.correct for s in subset if s.score == top]
        best += sum(leaders) / len(leaders) / len(subsets)
        oracle += any(s.correct for s in subset) / len(subsets)
    (found,) = best_of_n_curve([samples], [n])
    assert found.best == pytest.approx(best)
    assert found.oracle == pytest.approx(oracle)


def test_drawn_subsets_are_seeded_and_near_the_exact_mean() -> None:
    samples = [Scored("a", 0.6, True)] * 5 + [Scored("b", 0.3, False)] * 7
    (exact,) = best_of_n_curve([samples], [5], subsets=1000)
    (drawn,) = best_of_n_curve([samples], [5], subsets=400, seed=3)
    assert drawn == best_of_n_curve([samples], [5], subsets=400, seed=3)[0]
    assert drawn.majority == pytest.approx(exact.majority, abs=0.08)
    assert drawn.weighted == pytest.approx(exact.weighted, abs=0.08)


def test_more_samples_than_a_question_has_are_refused() -> None:
    with pytest.raises(ValueError, match="between 1 and 1"):
        best_of_n_curve([[Scored("a", 0.5, True)]], [2])
