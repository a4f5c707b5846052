"""Adaptive best-of-N by hand: when it stops, what it prunes, what it picks."""

import asyncio

import pytest

from search.adaptive import AdaptiveBestOfN
from search.driver import drive
from search.methods import make_method
from search.toy import ToyWorker
from search.types import Cancel, Evaluate, Expand, Failed, State, Usage

from .scripted import Script, step

FIRST = ["a", "b", "c", "d", "e", "f", "g", "h"]


def two_steps(text, i):
    """The i-th sample of the root is one letter; a letter is followed by its answer."""
    return step("!", answer=text.upper()) if text else step(FIRST[i])


def run(algorithm, values):
    script = Script(algorithm, two_steps, values.get)
    script.run()
    return script


def asked(script):
    """What was written, a node's text for each sample after it."""
    return [script.tree.text(n.id) for n in script.tree.nodes for _ in range(n.asked)]


def test_it_stops_when_a_finished_sample_is_good_enough():
    """Waves of 1, 1, 2: the second sample passes 0.9, so no more than two are written. keep 1 asks no value before."""
    script = Script(
        AdaptiveBestOfN(8, keep=1.0), lambda text, i: step(FIRST[i], answer=FIRST[i]), {"a": 0.9, "b": 0.91}.get
    )
    script.run()
    assert script.tree.nodes[0].asked == 2
    assert script.tree.reward_usage == Usage()
    assert [(a.answer, a.score) for a in script.algorithm.answers(script.tree)] == [("b", 0.91), ("a", 0.9)]


def test_the_better_half_of_a_wave_goes_on():
    """n = 4, pruned after one step: of the wave {c, d} the better, d, is written to its end; single samples all are."""
    values = {"a!": 0.2, "b!": 0.3, "c": 0.4, "d": 0.6, "d!": 0.25}
    script = run(AdaptiveBestOfN(4, prune_after=1), values)
    texts = {script.tree.text(n.id) for n in script.tree.nodes[1:]}
    # The scripted policy gives one step even where a whole answer is asked: a and b end there.
    assert texts == {"a", "b", "c", "d", "d!"}
    assert asked(script) == ["", "", "", "", "d"]
    assert [a.answer for a in script.algorithm.answers(script.tree)] == ["D"]


def test_a_quarter_of_a_wave_of_four_is_one_and_the_value_at_the_end_picks():
    def expand(text, i):
        if not text:
            return step(FIRST[i], answer=FIRST[i]) if i < 2 else step(FIRST[i])
        return step("!", answer=text)

    values = {"a": 0.1, "b": 0.5, "c": 0.3, "d": 0.2, "e": 0.1, "f": 0.2, "g": 0.4, "h": 0.3, "c!": 0.6, "g!": 0.55}
    script = Script(AdaptiveBestOfN(8, keep=0.25, prune_after=1, threshold=1.0), expand, values.get)
    script.run()
    assert asked(script) == [""] * 8 + ["c", "g"]  # one of {c, d}, one of {e, f, g, h}
    ranked = [(a.answer, a.score) for a in script.algorithm.answers(script.tree)]
    assert ranked == [("c", 0.6), ("g", 0.55), ("b", 0.5), ("a", 0.1)]


def test_a_sample_that_ended_before_the_pruning_takes_a_place():
    def expand(text, i):
        if not text:
            return step(FIRST[i], answer=FIRST[i]) if i in (0, 1, 2) else step(FIRST[i])
        return step("!", answer=text)

    values = {"a": 0.1, "b": 0.1, "c": 0.8, "d": 0.6}
    script = Script(AdaptiveBestOfN(4, prune_after=1), expand, values.get)
    script.run()
    assert asked(script) == [""] * 4  # c holds the wave's one place
    assert script.algorithm.answers(script.tree)[0].answer == "c"


def test_a_sample_whose_value_is_not_known_is_pruned_first():
    script = run(AdaptiveBestOfN(4, prune_after=1), {"d": 0.01, "d!": 0.5})
    assert asked(script)[-1] == "d"


def test_samples_in_flight_are_cancelled_once_one_is_good_enough():
    """The wave of two: c is written to its end and passes while d is still at its first step."""

    def expand(text, i):
        return step(FIRST[i], answer=FIRST[i])

    script = Script(AdaptiveBestOfN(4, prune_after=1), expand, {"a": 0.1, "b": 0.2, "c": 0.95}.get)
    for _ in range(4):
        script.tell_next()
    sample_c, sample_d = script.waiting
    assert (sample_c.index, sample_d.index) == (2, 3)
    script.tell_next()  # c, an answer: its value is asked
    assert [type(r) for r in script.waiting] == [Expand, Evaluate]
    script.tell_next(1)
    cancel = script.waiting.pop()
    assert cancel == Cancel(cancel.id, sample_d.id)
    script.algorithm.tell(script.tree, sample_d, Failed("cancelled", "cancelled", Usage(5, 0, 2)))
    assert script.algorithm.ask(script.tree) == []
    assert not script.tree.pending
    assert script.algorithm.answers(script.tree)[0].answer == "c"


@pytest.mark.parametrize("budget", [0, 1, 2])
def test_a_budget_smaller_than_one_step_ends_without_an_answer(budget):
    algorithm = AdaptiveBestOfN(16)
    tree, _ = asyncio.run(drive(algorithm, State("p"), ToyWorker(), budget=budget))
    assert algorithm.answers(tree) == []
    assert tree.policy_usage.completion == budget
    assert tree.nodes[0].asked == 16  # every wave ends, and there are no more


def test_stopping_early_spends_fewer_tokens_than_all_samples():
    def tokens(threshold):
        toy = ToyWorker(branching=3)
        found = [
            asyncio.run(drive(AdaptiveBestOfN(16, threshold), State(str(i)), toy))[0].policy_usage.completion
            for i in range(20)
        ]
        return sum(found)

    assert tokens(0.5) < 0.5 * tokens(1.0)


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"threshold": 1.5}, "threshold must be a number from 0 to 1"),
        ({"keep": -0.1}, "keep must be"),
        ({"keep": float("nan")}, "keep must be"),
        ({"threshold": "high"}, "threshold must be"),
        ({"prune_after": 0}, "prune_after must be a whole number"),
        ({"iterations": 3}, "no parameter 'iterations'"),
    ],
)
def test_impossible_parameters_are_refused_in_one_line(params, said):
    with pytest.raises(ValueError, match=said):
        make_method("adaptive", params)
