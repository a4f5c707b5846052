"""The rate of workers is that of the time in which all of them were busy."""

import pytest

from benchmarks.scaling import Done, rate


def test_starting_and_ending_are_left_out():
    early = [Done(1, float(i), i + 1.0, 0) for i in range(10)]  # busy from 0 to 10
    late = [Done(2, i + 4.5, i + 5.5, 0) for i in range(3)]  # busy from 4.5 to 7.5
    assert rate([*early, *late]) == pytest.approx(2.0)
    assert rate(early) == pytest.approx(1.0)


def test_waiting_between_problems_lowers_the_rate():
    assert rate([Done(1, 2.0 * i, 2.0 * i + 1, 0) for i in range(100)]) == pytest.approx(0.5, rel=0.01)


def test_workers_that_were_never_busy_together_have_no_rate():
    with pytest.raises(ValueError, match="more --problems"):
        rate([Done(1, 0.0, 1.0, 0), Done(2, 2.0, 3.0, 0)])
