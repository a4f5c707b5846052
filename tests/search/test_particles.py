"""Particle search: the draw, the weights by hand, and its two limits, beam search and plain sampling."""

import asyncio
import math
import random
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search.beam import BeamSearch
from search.driver import drive
from search.methods import make_method
from search.particles import ParticleSearch, draw, effective_sample_size
from search.ranking import rank
from search.toy import ToyWorker
from search.types import Evaluate, Failed, Finish, State

from .scripted import Script, step

WEIGHTS = st.lists(st.floats(0, 1), min_size=1, max_size=12).filter(lambda w: max(w) > 1e-3)


def search(algorithm, worker, problem="p"):
    return asyncio.run(drive(algorithm, State(problem, (1000,), 7), worker))[0]


# ---- the draw --------------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(WEIGHTS, st.integers(0, 10**6))
def test_a_systematic_draw_gives_each_its_expected_number_rounded_down_or_up(weights, seed):
    drawn = Counter(draw(weights, "systematic", random.Random(seed)))
    assert drawn.total() == len(weights)
    for position, weight in enumerate(weights):
        expected = weight / math.fsum(weights) * len(weights)
        assert math.floor(expected - 1e-9) <= drawn[position] <= math.ceil(expected + 1e-9)


@settings(deadline=None)
@given(WEIGHTS, st.integers(0, 10**6))
def test_what_has_no_weight_is_never_drawn(weights, seed):
    for how in ("systematic", "multinomial"):
        chosen = draw([0.0, *weights, 0.0], how, random.Random(seed))
        assert chosen == sorted(chosen)
        assert all(0 < i <= len(weights) and weights[i - 1] > 0 for i in chosen)


def test_a_multinomial_draw_follows_the_weights():
    drawn: Counter[int] = Counter()
    for seed in range(500):
        drawn.update(draw([1.0, 3.0], "multinomial", random.Random(seed)))
    assert drawn[1] / drawn.total() == pytest.approx(0.75, abs=0.05)


def test_effective_sample_size():
    assert effective_sample_size([1.0] * 7) == 7.0
    assert effective_sample_size([1.0, 0.0, 0.0]) == 1.0
    assert effective_sample_size([0.5, 1.0]) == pytest.approx(1.5**2 / 1.25)


# ---- weights by hand -------------------------------------------------------------------------------------------------


def test_the_weight_of_a_step_is_what_it_gained_over_its_parent():
    """alpha = 1 / ln 2: a gain of 1 doubles the weight. 'a' is worth 1, 'b' 0: drawn 2 to 1."""
    values = {"a": 1.0, "b": 0.0}
    algorithm = ParticleSearch(3, alpha=1 / math.log(2), max_depth=3)
    script = Script(algorithm, lambda text, i: step("aab"[i] if not text else f"{i}"), lambda t: values.get(t, 0.5))
    for _ in range(5):  # three steps and the values of two nodes
        script.tell_next()
    # Expected numbers of copies: 3 * 4/5 for 'a', 3 * 1/5 for 'b'.
    drawn = Counter(script.tree.text(p["node"]) for p in script.tree.memo["particles"])
    assert drawn.total() == 3
    assert drawn["a"] in (2, 3)
    # Each copy's next weight starts from the value of its parent: 0.5 - 1 below 'a', 0.5 - 0 below 'b'.
    particles = [{"value": 0.5, "drawn_at": d, "alive": alive} for d, alive in ((1.0, True), (0.0, True), (0.0, False))]
    script.tree.memo["particles"] = particles
    assert algorithm._weights(script.tree) == pytest.approx([0.5, 1.0, 0.0])


def test_without_a_draw_the_increments_add_up():
    """ess = 0: nothing is drawn before the end, and the last weights are those of the last values alone."""
    values = {"a": 0.9, "b": 0.1, "ax": 0.25, "bx": 0.75}
    algorithm = ParticleSearch(2, alpha=0.5, ess=0.0, max_depth=4)
    weights = []

    class Watched(ParticleSearch):
        def _weights(self, tree):
            weights.append(super()._weights(tree))
            return weights[-1]

    script = Script(
        Watched(**algorithm.__dict__),
        lambda text, i: step("ab"[i]) if not text else step("x", answer=text),
        values.__getitem__,
    )
    script.run()
    assert weights[0] == pytest.approx([1.0, math.exp(-1.6)])
    assert weights[1] == pytest.approx([math.exp(-1.0), 1.0])


def test_particles_stand_for_the_policy_tilted_by_the_final_value():
    """Two equally likely first steps, each followed by its answer: shares in the end are as exp(v_T / alpha).

    The first steps' own values, which say the opposite, cancel; weighing with exp(v_t / alpha) in every round would
    give B a share of 1 / (1 + exp(-0.5 + 0.9)) = 0.40 instead of 0.62.
    """
    values = {"a": 0.9, "b": 0.0, "aA": 0.25, "bB": 0.75}
    shares = []
    for seed in range(60):
        rng = random.Random(seed)

        def expand(text, i, rng=rng):
            return step(rng.choice("ab")) if not text else step(text.upper(), answer=text.upper())

        script = Script(ParticleSearch(32, alpha=1.0, resample="multinomial"), expand, values.__getitem__)
        script.run()
        votes = {a.answer: a.votes for a in script.algorithm.answers(script.tree)}
        assert sum(votes.values()) == 32
        shares.append(votes.get("B", 0) / 32)
    assert sum(shares) / len(shares) == pytest.approx(1 / (1 + math.exp(-0.5)), abs=0.04)


# ---- limits ----------------------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 6), st.integers(1, 4), st.integers(1, 4), st.integers(1, 5), st.integers(0, 10**6))
def test_alpha_0_is_beam_search(n, branching, depth, max_depth, problem):
    """SBS(1, n): the same samples of the same nodes, the same values, and the beam's answer."""
    toy = ToyWorker(branching, depth)
    cold = ParticleSearch(n, alpha=0.0, max_depth=max_depth)
    beam = BeamSearch(1, n, max_depth=max_depth)
    ours, theirs = search(cold, toy, str(problem)), search(beam, toy, str(problem))
    if max_depth >= depth:
        nodes = lambda tree: sorted((tree.order(n.id), tree.ids(n.id), n.value, n.asked) for n in tree.nodes)  # noqa: E731
        assert nodes(ours) == nodes(theirs)
    assert [a.answer for a in cold.answers(ours)] == [a.answer for a in beam.answers(theirs)]


def test_a_small_alpha_does_what_alpha_0_does():
    """Where no two values are equal."""
    values = {"a": 0.3, "b": 0.4, "c": 0.35}

    def expand(text, i):
        return step("abc"[i]) if not text else step(f"{i}", answer=f"{text}{i}")

    def value(text):
        return values.get(text) or 0.5 + int(text[1]) / 10

    trees = [Script(ParticleSearch(3, alpha=alpha), expand, value).run() for alpha in (0.0, 1e-6)]
    assert trees[0] == trees[1]
    assert [p["node"] for p in trees[0].memo["particles"]] == [next(n.id for n in trees[0].nodes if n.value == 0.7)] * 3


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 6), st.integers(1, 4), st.integers(1, 4), st.sampled_from(["systematic", "multinomial"]))
def test_an_infinite_alpha_is_plain_sampling(n, branching, depth, how):
    """Nothing is drawn anew: every particle has its own chain of samples, and every finished sample one vote."""
    algorithm = ParticleSearch(n, alpha=math.inf, resample=how)
    tree = search(algorithm, ToyWorker(branching, depth))
    assert sum(node.samples for node in tree.answered()) == n
    for node in tree.nodes[1:]:
        assert node.asked == (node.samples if node.finish is Finish.STEP else 0)
    assert algorithm.answers(tree) == rank(tree, tree.answered(), "majority")


def test_infinite_alpha_weighs_all_alike():
    script = Script(ParticleSearch(2, alpha=math.inf), lambda t, i: step("ab"[i]), {"a": 0.0, "b": 1.0}.get)
    for _ in range(3):
        script.tell_next()
    particles = script.tree.memo["particles"]
    particles[0] |= {"value": 0.0}
    particles[1] |= {"value": 1.0}
    assert script.algorithm._weights(script.tree) == [1.0, 1.0]


# ---- finished, broken and looked-ahead particles ---------------------------------------------------------------------


def test_a_finished_particle_takes_part_with_its_final_value():
    """The better one, finished first, takes the place of the other: the search ends after one round."""
    script = Script(
        ParticleSearch(2, alpha=0.01),
        lambda t, i: [step("done", answer="7"), step("open")][i],
        {"done": 0.9, "open": 0.1}.get,
    )
    tree = script.run()
    assert tree.memo["round"] == 1
    assert [(a.answer, a.votes) for a in script.algorithm.answers(tree)] == [("7", 2)]
    # The worse one is given up.
    script = Script(
        ParticleSearch(2, alpha=0.01),
        lambda t, i: step(str(i), answer="9") if t else [step("done", answer="7"), step("open")][i],
        lambda text: {"done": 0.1, "open": 0.9}.get(text, 0.9),
    )
    assert [(a.answer, a.votes) for a in script.algorithm.answers(script.run())] == [("9", 2)]


def test_broken_particles_are_replaced_by_copies_of_the_others():
    outcomes = [step("cut", finish=Finish.CUT), Failed("down"), step("end", finish=Finish.END), step("good")]

    def expand(text, i):
        return outcomes[i] if not text else step(f"{i}", answer="1")

    script = Script(ParticleSearch(4), expand)
    tree = script.run()
    assert script.find("good").asked == 4
    assert [(a.answer, a.votes) for a in script.algorithm.answers(tree)] == [("1", 4)]


def test_a_particle_whose_value_failed_is_replaced():
    script = Script(
        ParticleSearch(2),
        lambda t, i: step("ab"[i], answer="ab"[i]),
        lambda text: None if text == "a" else 0.2,
    )
    assert [(a.answer, a.votes) for a in script.algorithm.answers(script.run())] == [("b", 2)]


def test_nothing_left_ends_the_search():
    script = Script(ParticleSearch(3), lambda t, i: Failed("down"))
    tree = script.run()
    assert script.algorithm.answers(tree) == []
    assert tree.failures == {"down": 3}


def test_the_last_round_keeps_finished_particles_only():
    script = Script(
        ParticleSearch(2, alpha=0.01, max_depth=1),
        lambda t, i: [step("open"), step("done", answer="7")][i],
        {"open": 0.9, "done": 0.1}.get,
    )
    assert [(a.answer, a.votes) for a in script.algorithm.answers(script.run())] == [("7", 2)]


def test_equal_steps_are_scored_once():
    script = Script(ParticleSearch(5, max_depth=1), lambda t, i: step("same", answer="1"))
    tree = script.run()
    assert tree.next_request == 6
    assert [a.votes for a in script.algorithm.answers(tree)] == [5]


def test_a_step_is_judged_where_its_continuation_ends():
    """lookahead 2: 'a' leads to 'axx', worth 0.9; 'b' breaks off and is judged itself."""
    values = {"axx": 0.9, "b": 0.2}
    scored = []

    def expand(text, i):
        if not text:
            return step("ab"[i])
        return step("cut", finish=Finish.CUT) if text == "b" else step("x" if i == 0 else f"{i}")

    def value(text):
        scored.append(text)
        return values[text]

    script = Script(ParticleSearch(2, alpha=0.01, lookahead=2), expand, value)
    while script.tree.memo["round"] == 1:
        script.tell_next()
    assert sorted(scored) == ["axx", "b"]
    # Both go on from 'a', not from where its continuation ended.
    assert [script.tree.text(p["node"]) for p in script.tree.memo["particles"]] == ["a", "a"]
    assert {(r.node, r.index) for r in script.waiting} == {(script.find("a").id, 1), (script.find("a").id, 2)}


def test_a_look_ahead_ends_with_the_solution_and_with_the_depth():
    def expand(text, i):
        return step("x", answer="1" if len(text) == 1 else None)

    requests = []
    script = Script(ParticleSearch(1, lookahead=5, max_depth=4), expand)
    while script.waiting:
        requests.append(script.tell_next())
    ends = [script.tree.text(r.node) for r in requests if isinstance(r, Evaluate)]
    assert ends == ["xx"]  # the continuation's end; its value serves the finished particle of the next round too
    deep = Script(ParticleSearch(1, lookahead=5, max_depth=3), lambda text, i: step("x"))
    assert max(n.depth for n in deep.run().nodes) == 3


def test_the_draw_differs_by_seed_problem_and_round_and_nothing_else():
    def places(algorithm, problem, seed=7):
        tree = asyncio.run(drive(algorithm, State(problem, (), seed), ToyWorker(depth=6)))[0]
        return [tree.order(p["node"]) for p in tree.memo["particles"]]

    algorithm = ParticleSearch(8, alpha=0.3)
    assert places(algorithm, "p") == places(algorithm, "p")
    assert places(algorithm, "p") != places(algorithm, "p", seed=8)
    assert places(algorithm, "p") != places(replace(algorithm, resample="multinomial"), "p")


# ---- by name ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"alpha": -0.1}, "alpha must be a number of at least 0, not -0.1"),
        ({"alpha": math.nan}, "alpha must be a number of at least 0, not nan"),
        ({"alpha": True}, "alpha must be a number of at least 0, not True"),
        ({"ess": 1.5}, "ess must be a number from 0 to 1, not 1.5"),
        ({"lookahead": -1}, "lookahead must be a whole number of at least 0, not -1"),
        ({"resample": "random"}, "unknown resampling 'random': choose one of systematic, multinomial"),
        ({"n": 0}, "n must be a whole number of at least 1, not 0"),
        ({"vote": "descend"}, "unknown vote 'descend'"),
    ],
)
def test_impossible_values_are_refused_in_one_line(params, says):
    with pytest.raises(ValueError, match=says) as error:
        make_method("particle", params)
    assert "\n" not in str(error.value)


def test_the_method_is_known_by_name():
    assert make_method("particle", {"alpha": 0}) == ParticleSearch(alpha=0)
    assert make_method("particle", {"alpha": math.inf}) == ParticleSearch(alpha=math.inf)
