"""GLoRe by hand: whether a draft is refined, where, and which answer is picked."""

import asyncio

import pytest

from search.best_of_n import BestOfN
from search.driver import drive
from search.methods import make_method, method_params
from search.refinement import Refinement
from search.toy import ToyWorker
from search.types import Evaluate, Expand, Expanded, Finish, Segment, State, Step

from .scripted import Script


def whole(text: str, answer: str | None = None, finish: Finish = Finish.ANSWER) -> Expanded:
    """A solution whose steps are the letters of `text`."""
    steps = [Step((Segment(tuple(t.encode())),), t) for t in text[:-1]]
    return Expanded((*steps, Step((Segment(tuple(text[-1].encode())),), text[-1], finish, answer)))


class Refined(Script):
    """`samples` are what each request to write brings, by the text it goes on from (after "*" where it is refined)."""

    def __init__(self, algorithm, samples, values):
        self.samples, self.values = samples, values
        self.asked: list[str] = []
        super().__init__(algorithm, lambda text, i: None, values.get)

    def outcome(self, request):
        text = self.tree.text(request.node)
        if isinstance(request, Evaluate):
            self.asked.append(f"?{text}")
            return super().outcome(request)
        assert request.unit == "answer"
        key = "*" * (request.action == "refine") + text
        self.asked.append(key)
        found = self.samples[key]
        return found[request.index] if isinstance(found, list) else found

    def answers(self):
        return [(a.answer, a.score) for a in self.algorithm.answers(self.tree)]


def test_a_draft_that_is_good_enough_is_left_as_it_is():
    script = Refined(Refinement(threshold=0.5), {"": whole("abc", "1")}, {"abc": 0.5})
    script.run()
    assert script.asked == ["", "?abc"]
    assert script.answers() == [("1", 0.5)]


def test_a_bad_draft_is_refined_from_before_its_first_wrong_step_and_anew():
    """b is the first step below 0.5: local refinement goes on from a. The global one sees the draft; it wins."""
    script = Refined(
        Refinement(),
        {"": whole("abcd", "1"), "a": whole("xy", "2"), "*abcd": whole("gh", "3")},
        {"abcd": 0.3, "a": 0.9, "ab": 0.4, "abc": 0.6, "axy": 0.7, "gh": 0.8},
    )
    tree = script.run()
    # Global refinement waits for no step score; a value that is known is not asked again.
    assert script.asked == ["", "?abcd", "*abcd", "?a", "?ab", "?abc", "?gh", "a", "?axy"]
    assert script.answers() == [("3", 0.8), ("2", 0.7), ("1", 0.3)]
    anew = script.find("gh")
    assert tree.path(anew.id)[0].parent == 0  # a solution of its own
    assert tree.order(anew.id) > tree.order(script.find("axy").id)


@pytest.mark.parametrize(
    ("values", "start"),
    [
        ({"a": 0.9, "ab": 0.6, "abc": 0.55, "abcd": 0.3}, "a"),  # drops: -0.4, 0.3, 0.05, 0.25
        ({"a": 0.9, "ab": 0.9, "abc": 0.8, "abcd": 0.3}, "abc"),  # the last one, 0.5
        ({"a": 0.1, "ab": 0.2, "abc": 0.25, "abcd": 0.3}, ""),  # the first, 0.4 below the middle
        ({"a": None, "ab": 0.45, "abc": 0.1, "abcd": 0.05}, "ab"),  # what is not known is passed over
        ({"a": None, "ab": None, "abc": None, "abcd": 0.3}, "abc"),
    ],
)
def test_with_no_bound_the_largest_drop_is_where(values, start):
    samples = {"": [whole("abcd", "1"), whole("z", "9")], start: whole("z", "9")}
    if not start:
        samples = {"": [whole("abcd", "1"), whole("z", "9")]}
    script = Refined(Refinement(bound=0.0, anew=0), samples, {**values, f"{start}z": 0.9})
    script.run()
    assert [key for key in script.asked if not key.startswith("?")] == ["", start]


def test_a_draft_without_an_answer_is_refined_where_it_broke():
    for ending in (Finish.END, Finish.INVALID, Finish.CUT):
        script = Refined(
            Refinement(anew=0),
            {"": whole("abc", finish=ending), "ab": whole("z", "9")},
            {"a": 0.9, "ab": 0.8, "abz": 0.6},
        )
        script.run()
        assert script.asked == ["", "?a", "?ab", "ab", "?abz"]
        assert script.answers() == [("9", 0.6)]


def test_a_draft_whose_value_cannot_be_had_is_left_as_it_is():
    script = Refined(Refinement(), {"": whole("ab", "1")}, {})
    script.run()
    assert script.asked == ["", "?ab"]
    assert script.answers() == [("1", 0.0)]


def test_drafts_share_the_values_of_the_steps_they_share():
    script = Refined(
        Refinement(2, anew=0),
        {"": [whole("abc", "1"), whole("abd", "2")], "a": [whole("y", "3"), whole("z", "4")]},
        {"abc": 0.3, "abd": 0.2, "a": 0.9, "ab": 0.1, "ay": 0.6, "az": 0.7},
    )
    script.run()
    assert sorted(script.asked) == sorted(["", "", "?abc", "?abd", "?a", "?ab", "a", "a", "?ay", "?az"])
    assert script.answers()[0] == ("4", 0.7)


def test_a_draft_may_be_found_by_a_search_of_its_own():
    """The draft is the majority's; only that one is judged and refined."""
    samples = {"": [whole("ab", "1"), whole("cd", "2"), whole("ed", "2")], "c": whole("x", "3")}
    script = Refined(Refinement(anew=0, rollout=BestOfN(3)), samples, {"cd": 0.2, "c": 0.8, "cx": 0.9})
    script.run()
    assert script.asked == ["", "", "", "?cd", "?c", "c", "?cx"]
    assert script.answers()[0] == ("3", 0.9)


@pytest.mark.parametrize("budget", [0, 1, 2])
def test_a_budget_smaller_than_one_step_ends_without_an_answer(budget):
    algorithm = Refinement(3)
    tree, _ = asyncio.run(drive(algorithm, State("p"), ToyWorker(), budget=budget))
    assert algorithm.answers(tree) == []
    assert tree.policy_usage.completion == budget


def test_the_rollout_is_named_and_its_parameters_are_given_with_a_dot():
    found = make_method("refine", {"rollout": "best-of-n", "rollout.n": 4, "rollout.vote": "weighted"})
    assert found == Refinement(rollout=BestOfN(4, "weighted"))
    assert make_method("refine", method_params(found)) == found
    assert make_method("refine", {"rollout.vote": "best"}) == Refinement(rollout=BestOfN(1, "best"))
    assert make_method("refine", {"rollout": "greedy"}) == Refinement()


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"rollout": "beem"}, "unknown rollout 'beem': choose one of greedy, best-of-n"),
        ({"rollout": "refine"}, "unknown rollout 'refine'"),
        ({"rollout": "beam", "rollout.n": 3}, "the method 'beam' has no parameter 'n'"),
        ({"rollout.n": 0}, "n must be a whole number of at least 1"),
        ({"bound": 2}, "bound must be a number from 0 to 1"),
        ({"local": -1}, "local must be a whole number of at least 0"),
        ({"rolout.n": 1}, "no parameter 'rolout.n'"),
    ],
)
def test_impossible_parameters_are_refused_in_one_line(params, said):
    with pytest.raises(ValueError, match=said):
        make_method("refine", params)
    with pytest.raises(ValueError, match=r"no parameter 'rollout.n'"):
        make_method("beam", {"rollout.n": 2})


def test_the_requests_name_what_is_refined():
    algorithm = Refinement(1, threshold=1.0)
    _, log = asyncio.run(drive(algorithm, State("p"), ToyWorker()))
    written = [e.request for e in log if isinstance(e.request, Expand)]
    assert sorted(r.action for r in written) == ["refine", "solve", "solve"]
