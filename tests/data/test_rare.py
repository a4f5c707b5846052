"""Sampling until there are enough successes: the estimates are unbiased, by enumeration of all that can happen."""

import itertools
import math
from fractions import Fraction

import pytest

from data.rare import Tries, neg_log_rate, success_rate


def stopped(outcomes, until):
    """The outcomes up to where sampling ends."""
    for length in range(1, len(outcomes) + 1):
        if sum(outcomes[:length]) == until:
            return outcomes[:length]
    return outcomes


@pytest.mark.parametrize("p", [Fraction(1, 7), Fraction(1, 2), Fraction(9, 10)])
@pytest.mark.parametrize(("until", "most"), [(1, 1), (1, 4), (2, 2), (2, 7), (3, 8), (5, 4)])
def test_the_rate_is_unbiased_however_sampling_ends(p, until, most):
    mean = Fraction(0)
    for outcomes in itertools.product((0, 1), repeat=most):
        chance = math.prod(p if o else 1 - p for o in outcomes)
        seen = stopped(outcomes, until)
        mean += chance * Fraction(success_rate(Tries(sum(seen), len(seen), until, most))).limit_denominator(1000)
    assert mean == p


def test_the_papers_estimate_is_too_large():
    p, until, most = 0.2, 2, 12
    mean = 0.0
    for outcomes in itertools.product((0, 1), repeat=most):
        seen = stopped(outcomes, until)
        mean += math.prod(p if o else 1 - p for o in outcomes) * sum(seen) / len(seen)
    assert mean > p + 0.05


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_the_logarithm_is_unbiased(p):
    mean = math.fsum(p * (1 - p) ** (k - 1) * neg_log_rate(k) for k in range(1, 1000))
    assert mean == pytest.approx(-math.log(p), abs=1e-9)


@pytest.mark.parametrize(
    "counts", [(3, 4, 2, 9), (1, 3, 2, 9), (4, 3, 5, 9), (0, 10, 1, 9), (0, 0, 0, 0), (-1, 9, 1, 9)]
)
def test_counts_that_no_such_sampling_gives_are_refused(counts):
    with pytest.raises(ValueError, match=r"impossible|too early"):
        Tries(*counts)


def test_there_is_no_success_before_the_first_sample():
    with pytest.raises(ValueError, match="at least 1"):
        neg_log_rate(0)
