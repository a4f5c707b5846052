import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.stats import bootstrap_ratio, mcnemar_exact, sign_flip, wilson


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [  # Newcombe (1998), Statistics in Medicine 17:857-872, table I, method 3 (score without continuity correction)
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_gives_the_published_intervals(successes: int, n: int, low: float, high: float) -> None:
    assert wilson(successes, n) == pytest.approx((low, high), abs=5e-5)


def test_wilson_without_trials_says_nothing() -> None:
    assert wilson(0, 0) == (0.0, 1.0)


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_the_proportion_and_mirrors(case: tuple[int, int]) -> None:
    k, n = case
    low, high = wilson(k, n)
    assert 0 <= low <= k / n <= high <= 1
    assert wilson(n - k, n) == pytest.approx((1 - high, 1 - low))


@pytest.mark.parametrize(("successes", "n"), [(-1, 5), (6, 5)])
def test_wilson_refuses_impossible_counts(successes: int, n: int) -> None:
    with pytest.raises(ValueError, match="between 0 and n"):
        wilson(successes, n)


@pytest.mark.parametrize(
    ("b", "c", "p"),
    [
        (0, 0, 1.0),
        (1, 0, 1.0),
        (0, 5, 2 / 32),
        (5, 5, 1.0),
        (2, 8, 2 * (1 + 10 + 45) / 1024),
        (6, 16, 2 * 110056 / 2**22),  # 1 + 22 + 231 + 1540 + 7315 + 26334 + 74613 = 110056
    ],
)
def test_mcnemar_by_hand(b: int, c: int, p: float) -> None:
    assert mcnemar_exact(b, c) == pytest.approx(p)
    assert mcnemar_exact(c, b) == mcnemar_exact(b, c)


@given(st.integers(0, 300), st.integers(0, 300))
def test_mcnemar_is_the_binomial_tail(b: int, c: int) -> None:
    tail = sum(math.comb(b + c, i) for i in range(min(b, c) + 1))
    assert mcnemar_exact(b, c) == min(1.0, 2 * tail / 2 ** (b + c))


def test_mcnemar_refuses_negative_counts() -> None:
    with pytest.raises(ValueError, match="negative"):
        mcnemar_exact(-1, 3)


def test_bootstrap_of_a_ratio_holds_what_does_not_vary() -> None:
    assert bootstrap_ratio([1, 2, 3], [2, 4, 6]) == (0.5, 0.5)
    assert bootstrap_ratio([], []) is None and bootstrap_ratio([0, 0], [0, 0]) is None
    with pytest.raises(ValueError, match="equal lengths"):
        bootstrap_ratio([1], [1, 2])


def test_bootstrap_interval_is_the_binomials_where_items_are_yes_or_no() -> None:
    # For 30 of 100 the percentile interval is that of Binomial(100, 0.3) / 100: 0.21 to 0.39.
    found = bootstrap_ratio([1] * 30 + [0] * 70, [1] * 100, samples=20_000)
    assert found == pytest.approx((0.21, 0.39), abs=0.011)
    assert bootstrap_ratio([1, 0, 1], [1, 1, 1], seed=3) == bootstrap_ratio([1, 0, 1], [1, 1, 1], seed=3)


@settings(deadline=None)
@given(st.integers(0, 8), st.integers(0, 8))
def test_sign_flips_of_yes_and_no_are_mcnemars_test(b: int, c: int) -> None:
    differences = [1] * b + [-1] * c + [0] * 5
    assert sign_flip(differences) == pytest.approx(mcnemar_exact(b, c))


def test_sign_flips_by_hand_and_by_drawing() -> None:
    # Sums of +-1 +-2 +-4: eight of them, and only +7 and -7 are as large as 7.
    assert sign_flip([1, 2, 4]) == 2 / 8
    assert sign_flip([0, 0]) == 1.0
    many = [1] * 15 + [-1] * 5
    assert sign_flip(many, samples=40_000) == pytest.approx(mcnemar_exact(15, 5), abs=0.01)
