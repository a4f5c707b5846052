"""Hand-computed trees: what each method does, number by number."""

import math

import pytest

from search.beam import BeamSearch
from search.best_of_n import BestOfN
from search.dvts import DVTS
from search.mcts import MCTS
from search.ranking import rank
from search.tree import aggregate_values
from search.types import Evaluate, Expand, Expanded, Failed, Finish, Segment, Step

from .scripted import Script, step


def whole(*texts: str, answer: str) -> Expanded:
    """A whole solution of several steps."""
    steps = [Step((Segment(tuple(t.encode())),), t) for t in texts[:-1]]
    return Expanded((*steps, Step((Segment(tuple(texts[-1].encode())),), texts[-1], Finish.ANSWER, answer)))


# ---- votes and aggregation -------------------------------------------------------------------------------------------

SOLUTIONS = [
    whole("a", "x", answer="1"),
    whole("b", "y", answer="2"),
    whole("a", "z", answer="2"),
    whole("c", "w", answer="3"),
    whole("a", "x", answer="1"),
]
VALUES = {"a": 0.5, "ax": 0.25, "b": 0.75, "by": 0.5, "az": 0.125, "c": 0.9, "cw": 0.875}


@pytest.mark.parametrize(
    ("vote", "expected"),
    [
        ("majority", [("1", 2 / 5, 2), ("2", 2 / 5, 2), ("3", 1 / 5, 1)]),
        ("weighted", [("3", 0.875, 1), ("2", 0.625, 2), ("1", 0.5, 2)]),
        ("best", [("3", 0.875, 1), ("2", 0.5, 2), ("1", 0.25, 2)]),
    ],
)
def test_votes(vote, expected):
    script = Script(BestOfN(5, vote=vote), lambda text, i: SOLUTIONS[i], VALUES.__getitem__)
    script.run()
    assert [(a.answer, a.score, a.votes) for a in script.algorithm.answers(script.tree)] == expected


def test_a_majority_tie_falls_to_the_earliest_sample():
    script = Script(BestOfN(2), lambda text, i: SOLUTIONS[1 - i])
    script.run()
    assert [a.answer for a in script.algorithm.answers(script.tree)] == ["2", "1"]


def test_solutions_share_the_nodes_and_rewards_of_equal_first_steps():
    scored = []
    script = Script(
        BestOfN(5, vote="best", aggregate="min"), lambda t, i: SOLUTIONS[i], lambda t: scored.append(t) or 0.5
    )
    tree = script.run()
    assert len(tree.nodes) == 1 + 7  # a, ax, az, b, by, c, cw
    assert sorted(scored) == sorted(VALUES)


def test_aggregation_of_step_rewards():
    values = [0.5, 0.25, 0.75]
    assert [aggregate_values(values, how) for how in ("last", "min", "product", "mean")] == [0.75, 0.25, 0.09375, 0.5]
    with pytest.raises(ValueError, match="no score"):
        aggregate_values([], "min")


def test_min_aggregation_ranks_by_the_weakest_step():
    script = Script(BestOfN(5, vote="best", aggregate="min"), lambda t, i: SOLUTIONS[i], VALUES.__getitem__)
    script.run()
    ranked = [(a.answer, a.score) for a in script.algorithm.answers(script.tree)]
    assert ranked == [("3", 0.875), ("2", 0.5), ("1", 0.25)]
    by = rank(script.tree, script.tree.answered(), "weighted", "product")
    assert {a.answer: a.score for a in by} == pytest.approx({"3": 0.9 * 0.875, "2": 0.375 + 0.0625, "1": 2 * 0.125})


# ---- SBS(B1, B2) -----------------------------------------------------------------------------------------------------


def test_beam_keeps_the_best_and_shrinks_when_a_beam_finishes():
    """SBS(2, 2): the root samples 4 steps; 'b' finishes at depth 2 and leaves one beam."""
    root = ["a", "b", "c", "d"]
    below = {"a": ["1", "2"], "b": ["1", "2"], "a1": ["3", "4"]}
    values = {
        "a": 0.8,
        "b": 0.7,
        "c": 0.6,
        "d": 0.1,
        "a1": 0.5,
        "a2": 0.3,
        "b1": 0.9,
        "b2": 0.2,
        "a13": 0.4,
        "a14": 0.6,
    }
    answers = {"b1": "B", "a14": "A", "a13": "C"}

    def expand(text, i):
        new = root[i] if not text else below[text][i]
        return step(new, answer=answers.get(text + new))

    script = Script(BeamSearch(2, 2), expand, values.__getitem__)
    tree = script.run()
    assert {tree.text(n.id) for n in tree.nodes[1:]} == set(values)  # c and d were never extended, nor was a2 or b2
    assert tree.memo["width"] == 0
    assert [(a.answer, a.score) for a in script.algorithm.answers(tree)] == [("B", 0.9), ("A", 0.6)]


def test_beam_merges_equal_steps_and_scores_them_once():
    script = Script(BeamSearch(1, 3, max_depth=1), lambda text, i: step("same", answer="1"), lambda t: 0.5)
    tree = script.run()
    assert len(tree.nodes) == 2
    assert tree.nodes[1].samples == 3
    assert tree.next_request == 4  # three samples, one reward


def test_beam_at_its_last_depth_counts_finished_candidates_only():
    script = Script(
        BeamSearch(1, 2, max_depth=1),
        lambda t, i: [step("open"), step("done", answer="7")][i],
        {"open": 0.9, "done": 0.1}.get,
    )
    script.run()
    assert [a.answer for a in script.algorithm.answers(script.tree)] == ["7"]


def test_cut_and_invalid_steps_are_neither_scored_nor_extended():
    bad = [step("cut", finish=Finish.CUT), step("bad", finish=Finish.INVALID), step("end", finish=Finish.END)]
    for algorithm in (BeamSearch(1, 3), DVTS(3, 3), MCTS(5, 3), BestOfN(3, vote="best")):
        script = Script(algorithm, lambda t, i: bad[i])
        requests = list(script.waiting)
        tree = script.run()
        assert all(isinstance(r, Expand) for r in requests)
        assert tree.next_request == 3
        assert algorithm.answers(tree) == []


def test_failed_samples_and_rewards_only_narrow_the_search():
    def expand(text, i):
        return Failed("engine down") if i % 2 else step(f"{i}", answer="1" if text else None)

    for algorithm in (BeamSearch(2, 2), DVTS(4, 2), MCTS(3, 4)):
        script = Script(algorithm, expand, lambda text: None if text == "2" else 0.5)
        tree = script.run()
        assert tree.failures["engine down"] >= 1
        assert [a.answer for a in algorithm.answers(tree)] == ["1"], algorithm


def test_everything_failing_ends_without_an_answer():
    for algorithm in (BestOfN(3), BeamSearch(2, 2), DVTS(4, 2), MCTS(3, 4)):
        script = Script(algorithm, lambda t, i: Failed("down"))
        tree = script.run()
        assert algorithm.answers(tree) == []
        assert tree.failures == {"down": tree.next_request}


# ---- DVTS ------------------------------------------------------------------------------------------------------------


def test_dvts_subtrees_go_on_alone():
    """Two subtrees of two samples: the first may finish while the second still waits for its first outcome."""
    texts = ["a", "b", "c", "d"]
    values = {"a": 0.1, "b": 0.6, "c": 0.9, "d": 0.3, "b0": 0.5, "b1": 0.7, "c0": 0.2, "c1": 0.1}

    def expand(text, i):
        return step(texts[i]) if not text else step(str(i), answer=f"{text}{i}")

    script = Script(DVTS(4, 2), expand, values.__getitem__)
    first = [r for r in script.waiting if r.index < 2]
    while first or any(script.tree.text(r.node).startswith(("a", "b")) for r in script.waiting):
        script.tell_next(next(i for i, r in enumerate(script.waiting) if r in first or r.node))
        first = [r for r in first if r in script.waiting]
    assert [a.answer for a in script.algorithm.answers(script.tree)] == ["b1", "b0"]
    script.run()
    # Each subtree kept its argmax (b, c); all finished candidates of its last round vote.
    ranked = [(a.answer, a.score) for a in script.algorithm.answers(script.tree)]
    assert ranked == [("b1", 0.7), ("b0", 0.5), ("c0", 0.2), ("c1", 0.1)]


def test_two_dvts_subtrees_that_sample_the_same_step_score_it_once():
    script = Script(
        DVTS(4, 2, max_depth=2),
        lambda t, i: step("x" if not t else f"{i}", answer=f"{i}" if t else None),
        lambda t: 0.5,
    )
    tree = script.run()
    assert tree.nodes[1].asked == 4  # both subtrees went on from the shared node, with samples of their own
    assert [a.votes for a in script.algorithm.answers(tree)] == [1, 1, 1, 1]


# ---- MCTS ------------------------------------------------------------------------------------------------------------


def test_mcts_first_simulations_by_hand():
    """Two children a simulation, c = 1.25. Values enter as 2v - 1."""
    priors = {"a": 0.5, "b": 0.25, "aa": 0.5, "ab": 0.5, "ba": 0.9, "bb": 0.8}
    values = {"a": 0.25, "b": 1.0, "ba": 0.75}

    def expand(text, i):
        new = "ab"[i]
        return step(new, prior=priors.get(text + new, 0.1))

    script = Script(MCTS(4, 2, max_depth=9), expand, values.__getitem__)

    def finish_simulation():
        while script.tree.memo["started"] == started and script.waiting:
            script.tell_next()

    started = 1  # the root: its own first visit counts 0, and brings a and b
    finish_simulation()
    root, a, b = script.tree.nodes[0], script.find("a"), script.find("b")
    # sqrt(1): a has 1.25 * 0.5 = 0.625, b 1.25 * 0.25 = 0.3125; a is selected and carries a virtual loss.
    assert (root.visits, root.total, a.visits, a.total, b.visits) == (2, -1.0, 1, -1.0, 0)
    started = 2
    finish_simulation()
    # a's value 2 * 0.25 - 1 = -0.5 replaced the loss; then sqrt(2):
    # a: -0.5 + 1.25 * 0.5 * sqrt(2) / 2 = -0.058..., b: 1.25 * 0.25 * sqrt(2) = 0.441...; b is selected.
    assert (a.visits, a.total) == (1, -0.5)
    assert (b.visits, b.total, root.visits, root.total) == (1, -1.0, 3, -1.5)
    started = 3
    finish_simulation()
    # b: Q = 1, 1 + 1.25 * 0.25 * sqrt(3) / 2 = 1.27; below it ba has the larger prior, 0.9 against 0.8.
    ba = script.find("ba")
    assert (ba.visits, b.visits, b.total, root.visits) == (1, 2, 1.0 - 1.0, 4)
    script.run()
    assert (ba.q, b.total, root.total) == (0.5, 1.5, -0.5 + 1.5)
    assert root.visits == 1 + a.visits + b.visits


def test_mcts_backs_up_a_finished_child_at_once_and_never_selects_it():
    def expand(text, i):
        return [step("x", answer="1"), step("y")][i] if not text else step(f"{i}")

    script = Script(MCTS(3, 2), expand, lambda text: {"x": 1.0, "y": 0.0}.get(text, 0.5))
    tree = script.run()
    x, y = script.find("x"), script.find("y")
    assert (x.visits, x.total, x.children) == (1, 1.0, [])  # one visit: its own, although its Q is the highest
    assert y.visits == 2
    assert tree.nodes[0].visits == 1 + 1 + 2


def test_mcts_stops_when_the_tree_is_exhausted():
    script = Script(MCTS(100, 2, max_depth=2), lambda text, i: step(f"{i}", answer=str(i) if text else None))
    tree = script.run()
    assert tree.memo["started"] == 3  # the root and its two children; everything below is finished
    assert len(tree.nodes) == 1 + 2 + 4


def test_mcts_answers_by_descending_where_an_answer_is():
    """The branch of highest Q holds no answer, so it is dropped."""

    def expand(text, i):
        if not text:
            return step("ab"[i])
        return step(f"{i}", answer="7" if text == "b" else None, finish=Finish.END if text == "a" else None)

    script = Script(MCTS(3, 2), expand, lambda text: 0.9 if text == "a" else 0.1)
    script.run()
    assert script.find("a").q > script.find("b").q
    assert [a.answer for a in script.algorithm.answers(script.tree)] == ["7"]


def test_parallel_simulations_are_spread_by_the_virtual_loss():
    def expand(text, i):
        return step("ab"[i], prior=0.6 - 0.1 * i)

    script = Script(MCTS(3, 2, parallel=2), expand)
    script.tell_next()  # 'a' is there: the second simulation selects it and asks for its value and two children
    assert [type(r) for r in script.waiting] == [Expand, Evaluate, Expand, Expand]
    script.tell_next(2)  # both children of 'a' arrive before its value,
    script.tell_next(2)  # so selection could go through 'a' again
    script.tell_next()  # 'b' arrives, the root's simulation is over and the third starts
    leaves = {script.tree.text(int(i)) for i in script.tree.memo["simulations"]}
    # b: 1.25 * 0.5 * sqrt(2) = 0.88; a: -1 + 1.25 * 0.6 * sqrt(2) / 2 = -0.47, and without the loss 0.75 against 0.63.
    assert leaves == {"a", "b"}
    tree = script.run()
    assert all(math.isclose(n.total, 0.0) for n in tree.nodes)  # every loss was taken back; values of 0.5 count 0
