"""MCTS beyond the default: selection rules, widening, committing step by step, MCTS-DPO; hand-computed trees."""

import pytest

from search.mcts import MCTS
from search.mcts_dpo import MCTSDPO
from search.methods import make_method, method_params
from search.types import Answer, Evaluate, Failed, Finish

from .scripted import Script, step


def best(answers: list[Answer]) -> str:
    return answers[0].answer


def leaves(script: Script) -> list[str]:
    """The leaf of every simulation after the root's, in order: each asks for its value first."""
    evaluated = []
    while script.waiting:
        request = script.tell_next()
        if isinstance(request, Evaluate):
            evaluated.append(script.tree.text(request.node))
    return evaluated


# ---- selection -------------------------------------------------------------------------------------------------------

VALUES = {"a": 0.25, "b": 1.0, "ba": 0.75}


def tempting(text, i):
    """Two children each; the second has by far the larger prior."""
    return step("ab"[i], prior=0.1 if i == 0 else 0.9)


@pytest.mark.parametrize(("variant", "first"), [("alphamath", "b"), ("uct", "a"), ("no-prior", "a")])
def test_only_alphamath_reads_the_prior(variant, first):
    algorithm = MCTS(2, 2, variant=variant)
    assert leaves(Script(algorithm, tempting)) == [first]
    assert algorithm.needs_logprobs == (variant == "alphamath")


@pytest.mark.parametrize(
    ("variant", "c", "fifth"),
    [
        # At the fifth simulation N = 4; a: Q -0.5, N 1; b: Q (1 + 0.5) / 2, N 2.
        # UCB1: a is selected where c (sqrt(ln 4) - sqrt(ln 4 / 2)) > 1.25, c > 3.62.
        ("uct", 3.6, "b"),
        ("uct", 3.65, "a"),
        # PUCT with P = 1: a where c (2 / 2 - 2 / 3) > 1.25, c > 3.75.
        ("no-prior", 3.7, "b"),
        ("no-prior", 3.8, "a"),
    ],
)
def test_uct_and_puct_without_prior_by_hand(variant, c, fifth):
    script = Script(MCTS(5, 2, c, variant=variant), tempting, lambda text: VALUES.get(text, 0.5))
    found = leaves(script)
    assert found[:3] == ["a", "b", "ba"]
    assert found[3][0] == fifth


def test_puct_without_prior_is_alphamaths_where_all_priors_are_1():
    trees = [
        Script(MCTS(8, 3, variant=v), lambda t, i: step(f"{i}"), lambda t: int(t, 4) % 8 / 8).run()
        for v in ("alphamath", "no-prior")
    ]
    assert trees[0] == trees[1]


# ---- progressive widening --------------------------------------------------------------------------------------------


def test_a_node_gets_more_samples_as_its_visits_grow():
    """2 sqrt(N) samples: at the root's visits 1, 2, 3, 4 these are 2, 2, 3, 4."""
    script = Script(MCTS(4, 2, widen=0.5), lambda t, i: step(f"{i}"))
    asked = {}
    while script.waiting:
        asked.setdefault(script.tree.memo["started"], script.tree.nodes[0].asked)
        script.tell_next()
    assert asked == {1: 2, 2: 2, 3: 3, 4: 4}
    assert all(n.asked == 2 for n in script.tree.nodes[1:] if n.visits == 1)


def test_widening_reopens_a_node_whose_children_are_all_finished():
    """expand 1, N^1: the finished child's visit allows one more sample, and so on."""
    tree = Script(MCTS(5, 1, widen=1.0), lambda t, i: step(f"{i}", answer=f"{i}")).run()
    assert (tree.nodes[0].asked, tree.nodes[0].visits, tree.memo["started"]) == (5, 6, 5)
    assert Script(MCTS(5, 1), lambda t, i: step(f"{i}", answer=f"{i}")).run().memo["started"] == 1


# ---- committing ------------------------------------------------------------------------------------------------------


def three_steps(text, i):
    new = "ab"[i]
    return step(new, prior=0.9 if i == 0 else 0.8, answer=text + new if len(text) == 2 else None)


def test_the_search_commits_to_the_best_child_and_keeps_its_subtree():
    """Two simulations a step: the second visits a, the third and fourth start there and visit aa and ab."""
    values = {"a": 0.75, "aa": 0.25, "ab": 0.75, "aba": 0.5, "abb": 0.875}
    script = Script(MCTS(6, 2, commit=2), three_steps, lambda text: values.get(text, 0.0))
    visited, tops = [], []
    while script.waiting:
        request = script.tell_next()
        tops.append(script.tree.text(script.tree.memo["root"]))
        if isinstance(request, Evaluate) and script.tree.nodes[request.node].finish is Finish.STEP:
            visited.append(script.tree.text(request.node))
    assert visited == ["a", "aa", "ab"]  # never b: the root moved to a, whose two children were there already
    assert script.find("a").asked == 2
    assert list(dict.fromkeys(tops)) == ["", "a", "abb"]  # below ab all is known, so ab is passed at once
    assert script.tree.memo["started"] == 4
    assert best(script.algorithm.answers(script.tree)) == "abb"


def test_the_answer_is_below_the_step_committed_to():
    """b holds the answer of highest Q, found while a was still the root's best child."""

    def expand(text, i):
        return step("ab"[i], prior=0.9 - i / 10) if not text else step("xy"[i], answer=f"{text}{i}")

    values = {"a": 0.75, "b": 0.5, "ax": 0.5, "ay": 0.625, "bx": 1.0, "by": 0.0}
    committed = Script(MCTS(4, 2, commit=3), expand, values.__getitem__)
    committed.run()
    # a: (0.5 + 0 + 0.25) / 3 = 0.25; b: (0 + 1 - 1) / 3 = 0.
    assert committed.tree.text(committed.tree.memo["root"]) == "ay"
    assert best(committed.algorithm.answers(committed.tree)) == "a1"
    voted = Script(MCTS(4, 2, commit=3, vote="best"), expand, values.__getitem__)
    voted.run()
    assert best(voted.algorithm.answers(voted.tree)) == "b0"


def test_a_policy_that_repeats_itself_for_ever_is_left_at_the_last_depth():
    for algorithm in (
        MCTS(50, 2, max_depth=4, commit=10, widen=0.5),
        MCTS(50, 2, max_depth=4, variant="uct", widen=1.0),
        MCTSDPO(50, 2, max_depth=4, commit=10),
    ):
        script = Script(algorithm, lambda t, i: step("again "))
        tree = script.run()
        assert max(n.depth for n in tree.nodes) == 4
        assert algorithm.answers(tree) == []


# ---- MCTS-DPO --------------------------------------------------------------------------------------------------------

DPO_VALUES = {"a": 0.5, "b": 0.25, "aa": 0.75, "ab": 0.25, "ba": 1.0, "bb": 0.5}


def two_steps(text, i):
    new = "ab"[i]
    return step(new, answer=text + new if text else None)


def dpo(iterations, **options):
    script = Script(MCTSDPO(iterations, 2, 1.0, **options), two_steps, DPO_VALUES.__getitem__)
    script.run()
    found = {}
    for node in script.tree.nodes[1:]:
        found[script.tree.text(node.id)] = (node.visits, node.total / max(1, node.visits))
    return script, found


def test_the_first_simulation_goes_down_to_an_answer():
    """a: 0.5 + sqrt(1) against b: 0.25 + 1; below a, aa: 0.25 + 1 against ab: -0.25 + 1."""
    script, found = dpo(1)
    assert found == {"a": (1, 0.5), "b": (0, 0.25), "aa": (1, 0.25), "ab": (0, -0.25)}
    assert (script.tree.nodes[0].visits, script.tree.nodes[0].total) == (1, 0.375)


def test_values_are_backed_up_over_all_children():
    """The second simulation: a: 0.5 + sqrt(2) / 2 = 1.21 against b: 0.25 + sqrt(2) = 1.66; below b, ba."""
    script, found = dpo(2)
    assert found["b"] == (1, 0.25 + (0.75 + 0.25) / 2)
    assert script.tree.nodes[0].total / 2 == (0.5 + 0.75) / 2


def test_visits_weigh_the_children():
    """Simulations three to five end in bb, ab and ba, all known by then.

    Third: a 1.37, b 1.62; ba 0.75 + 0.71, bb 0.25 + 1.41. Fourth: a 1.5, b 1.42; aa 0.96, ab 1.16. Fifth: a 1.25,
    b 1.50; ba 1.62, bb 1.12.
    """
    script, found = dpo(5)
    assert {name: visits for name, (visits, _) in found.items()} == {"a": 2, "b": 3, "aa": 1, "ab": 1, "ba": 2, "bb": 1}
    assert found["b"][1] == pytest.approx(0.25 + (2 * 0.75 + 1 * 0.25) / 3)
    assert script.tree.nodes[0].total / 5 == pytest.approx((2 * 0.5 + 3 * (0.25 + 1.75 / 3)) / 5)
    assert script.tree.next_request == 12  # six samples, six values: a finished child visited again asks for nothing


def test_the_answer_has_the_most_visits_then_the_highest_q():
    script, found = dpo(4)
    assert (found["a"][0], found["b"][0]) == (2, 2)  # Q 0.5 and 0.75
    assert best(script.algorithm.answers(script.tree)) == "ba"
    script, _ = dpo(1)
    assert best(script.algorithm.answers(script.tree)) == "aa"


def test_the_prior_is_penalised_by_length():
    """16 tokens of probability 1/2: exp(16 ln(1/2) / 16^1.25) = 2^(-1/2)."""
    script = Script(MCTSDPO(1, 1), lambda t, i: step("x" * 16, prior=0.5, answer="1"))
    assert script.run().nodes[1].prior == pytest.approx(0.5**0.5)
    assert script.algorithm.needs_logprobs


def test_a_child_without_a_value_is_never_selected_and_backs_nothing_up():
    outcomes = [step("a"), step("b"), step("cut", finish=Finish.CUT), Failed("down")]

    def expand(text, i):
        return outcomes[i] if not text else step(f"{i}", answer=f"{i}")

    script = Script(MCTSDPO(3, 4), expand, {"b": 0.5, "b0": 0.5, "b1": 0.5, "b2": 0.5, "b3": 0.5}.get)
    tree = script.run()
    assert script.find("a").visits == 0
    assert script.find("b").visits == 3
    assert tree.nodes[0].total / 3 == 0.5


def test_it_commits_by_visits():
    script, found = dpo(7, commit=3)
    assert (found["a"][0], found["b"][0]) == (1, 2 + 3)  # after three simulations b had two visits, a one
    assert script.tree.text(script.tree.memo["root"]) == "ba"


def test_widening_samples_a_node_before_going_on():
    script = Script(MCTSDPO(3, 1, widen=1.0, max_depth=1), lambda t, i: step(f"{i}", answer=f"{i}"))
    assert script.run().nodes[0].asked == 3


# ---- by name ---------------------------------------------------------------------------------------------------------


def test_variants_are_known_by_name():
    assert make_method("mcts", {"variant": "uct"}) == MCTS(variant="uct")
    algorithm = make_method("mcts", {"variant": "mcts-dpo", "iterations": 3})
    assert algorithm == MCTSDPO(3)
    assert make_method("mcts", method_params(algorithm)) == algorithm
    nested = make_method("refine", {"rollout": "mcts", "rollout.variant": "mcts-dpo"})
    assert nested.rollout == MCTSDPO()
    assert make_method("refine", method_params(nested)) == nested


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"variant": "ucb"}, "unknown variant 'ucb': choose one of alphamath, uct, no-prior, mcts-dpo"),
        ({"commit": -1}, "commit must be a whole number of at least 0, not -1"),
        ({"widen": 2}, "widen must be a number from 0 to 1, not 2"),
        (
            {"variant": "mcts-dpo", "parallel": 2},
            "mcts-dpo runs one simulation in a tree at once: parallel must be 1, not 2",
        ),
    ],
)
def test_impossible_values_are_refused_in_one_line(params, says):
    with pytest.raises(ValueError, match=says) as error:
        make_method("mcts", params)
    assert "\n" not in str(error.value)


def test_the_class_of_another_variant_is_refused():
    with pytest.raises(ValueError, match=r"search\.mcts_dpo\.MCTSDPO"):
        MCTS(variant="mcts-dpo")
    with pytest.raises(ValueError, match=r"search\.mcts\.MCTS"):
        MCTSDPO(variant="uct")
