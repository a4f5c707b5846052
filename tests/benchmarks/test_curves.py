"""Accuracy against mean cost: by hand."""

import itertools
import math

import pytest

from benchmarks.curves import Curve, budgets_of, compared, from_samples, from_traces
from data.metrics import Scored
from reasoning.runs.anytime import Samples, Trace

TOKENS = "completion tokens"
# One question is solved at 10 tokens; the other has a wrong answer at 5 and the right one at 20.
TRACES = [
    Trace("a", (0.0, 1.0), (0.0, 1.0), {TOKENS: (0, 10)}),
    Trace("b", (0.0, 0.0, 1.0, 0.0), (0.0, 0.0, 1.0, 1.0), {TOKENS: (0, 5, 20, 30)}),
]


def test_an_anytime_curve_by_hand():
    curve = from_traces("x", TRACES, TOKENS)
    # Ceilings of 5, 10, 20 and 30 cost 2.5, 7.5, 15 and 20 on average.
    assert curve.at(0).tolist() == [0, 0]
    assert curve.at(2.5).tolist() == [0, 0]
    assert curve.at(5).tolist() == [0.5, 0]  # half of the way to the ceiling of 10
    assert curve.at(7.5).tolist() == [1, 0]
    assert curve.at(15).tolist() == [1, 1]
    assert curve.at(20).tolist() == [1, 0]  # it went on and changed its mind
    assert curve.at(1e9).tolist() == [1, 0]
    assert curve.whole == 20
    covered = from_traces("x", TRACES, TOKENS, covered=True)
    assert covered.at(20).tolist() == [1, 1]
    assert (curve.deployable, covered.deployable) == (True, False)


def drawn(answers, *, scores=None, right="1", own=10.0, scoring=3.0, prompt=(0.0, 0.0)):
    scores = scores or [0.5] * len(answers)
    samples = tuple(Scored(a, s, a == right) for a, s in zip(answers, scores, strict=True))
    return Samples("q", samples, {TOKENS: own}, {TOKENS: scoring}, {TOKENS: prompt})


def test_the_votes_over_samples_are_the_mean_over_all_their_orders():
    answers, scores = ["1", "2", "2", "1", "3"], [0.9, 0.2, 0.3, 0.1, 0.95]
    curves = from_samples([drawn(answers, scores=scores)], (1, 3, 5), [TOKENS])[TOKENS]

    def majority(order):
        votes = {a: order.count(a) for a in order}
        lead = [a for a in votes if votes[a] == max(votes.values())]
        return lead.count("1") / len(lead)

    for point, n in enumerate((1, 3, 5), 1):
        orders = [order[:n] for order in itertools.permutations(answers)]
        assert curves["majority"].value[point, 0] == pytest.approx(sum(map(majority, orders)) / len(orders))
        assert curves["oracle"].value[point, 0] == pytest.approx(1 - math.comb(3, n) / math.comb(5, n))
    assert curves["best"].value[3, 0] == 0  # the best-scored of all five is wrong
    assert [curves[k].deployable for k in ("majority", "weighted", "best", "oracle")] == [True, True, True, False]


def test_votes_pay_for_the_rewards_they_read_and_no_others():
    curves = from_samples([drawn(["1"] * 4)], (1, 4), [TOKENS])[TOKENS]
    assert curves["majority"].cost[:, 0].tolist() == [0, 10, 40]
    assert curves["oracle"].cost[:, 0].tolist() == [0, 10, 40]
    assert curves["weighted"].cost[:, 0].tolist() == [0, 13, 52]


def test_a_cached_prompt_is_paid_once_and_an_uncached_one_by_every_sample():
    cached = drawn(["1"] * 4, prompt=(6.0, 6.0))
    assert [cached.cost(TOKENS, n, scored=False) for n in (0, 1, 2, 4)] == [0, 16, 26, 46]
    alone = drawn(["1"] * 4, prompt=(6.0, 24.0))
    assert [alone.cost(TOKENS, n, scored=False) for n in (0, 1, 2, 4)] == [0, 16, 32, 64]


def flat(name, values, cost=10.0, **kwargs):
    """A strategy of one operating point."""
    import numpy as np

    return Curve(
        name, np.array([[0.0] * len(values), values]), np.array([[0.0], [cost]]) * np.ones(len(values)), **kwargs
    )


def test_the_best_strategy_is_named_with_its_test_against_the_baseline():
    worse, better = [1.0] * 4 + [0.0] * 12, [1.0] * 16
    curves = [
        flat("majority", worse),
        flat("beam", better),
        flat("dvts", worse),
        flat("oracle", better, deployable=False),
    ]
    found = compared(curves, [5.0, 10.0], "majority")
    best = found["best"][1]
    assert (best["strategy"], best["accuracy"], best["difference"]) == ("beam", 1.0, 0.75)
    assert best["p"] == 2 / 2**12  # twelve questions differ, all one way
    assert best["p_corrected"] == 2 * best["p"]  # two strategies could have been named
    assert 0 < best["difference_low"] < 0.75 < best["difference_high"] <= 1
    half = found["curves"]["beam"]["points"][0]
    assert (half["accuracy"], half["spent"]) == (0.5, 5.0)  # half of the questions are left unanswered
    assert found["curves"]["oracle"]["deployable"] is False


def test_where_nothing_is_better_the_baseline_is_named():
    same = [1.0, 0.0, 1.0]
    found = compared([flat("beam", same), flat("majority", same)], [10.0], "majority")
    assert found["best"][0]["strategy"] == "majority"
    assert (found["best"][0]["p"], found["best"][0]["difference"]) == (1, 0)


def test_budgets_reach_from_the_first_right_answer_to_the_dearest_search():
    budgets = budgets_of(
        [flat("a", [1.0], 10.0), flat("b", [0.0], 80.0), flat("oracle", [1.0], 999.0, deployable=False)], 4
    )
    assert budgets == pytest.approx([10, 20, 40, 80])
