"""Plan search by hand: which plans are solved, which are worth going on with, and why none goes on for ever."""

import asyncio
import math

import pytest

from search.beam import BeamSearch
from search.best_of_n import BestOfN
from search.driver import drive
from search.methods import make_method, method_params
from search.plans import PlanSearch
from search.toy import ToyWorker
from search.types import Evaluate, Expanded, Failed, Finish, Segment, State, Step

from .scripted import Script, step


def planned(text: str, prior: float = 1.0, finish: Finish = Finish.STEP) -> Expanded:
    """A sampled step of a plan."""
    ids = tuple(text.encode())
    return Expanded((Step((Segment(ids, (math.log(prior),) * len(ids)),), text, finish, action="plan"),))


class Planned(Script):
    """`plan` says what step follows a plan; a plan's solution is "!" and its answer the plan itself."""

    def __init__(self, algorithm, plan, values):
        self.plan = plan
        self.solved: list[str] = []
        super().__init__(algorithm, lambda text, i: None, lambda text: values(text))

    def outcome(self, request):
        if isinstance(request, Evaluate):
            return super().outcome(request)
        text = self.tree.text(request.node)
        if request.action == "plan":
            return self.plan(text, request.index)
        self.solved.append(text)
        return step("!", answer=text)


def test_plans_are_chosen_by_puct_and_worth_what_their_solutions_are():
    """Two samples at the root, one elsewhere, c = 1.25.

    1. The root: A (P 0.6) and B (P 0.5).  2. N = 1: A has 1.25·0.6 = 0.75, B 0.625. A's solution is worth 0.2, backed
    up as -0.6; A gets the step C.  3. N = 2: A has -0.6 + 1.25·√2·0.6/2 = -0.07, B 1.25·√2·0.5 = 0.88. B's is worth
    0.8 (+0.6), and B gets D.  4. N = 3: A -0.6 + 1.25·√3·0.3 = 0.05, B 0.6 + 1.25·√3·0.25 = 1.14: below B, D.
    """
    steps = {("", 0): ("A", 0.6), ("", 1): ("B", 0.5), ("A", 1): ("C", 0.9), ("B", 1): ("D", 0.9)}
    values = {"A!": 0.2, "B!": 0.8, "BD!": 0.6}
    script = Planned(
        PlanSearch(4, root_expand=2, expand=1, max_depth=2, vote="best"),
        lambda text, i: planned(*steps[text, i]),
        values.__getitem__,
    )
    tree = script.run()
    assert script.solved == ["A", "B", "BD"]
    a, b, d = (script.find(text) for text in ("A", "B", "BD"))
    assert [(n.visits, pytest.approx(n.total)) for n in (a, b, d)] == [(1, -0.6), (2, 0.8), (1, 0.2)]
    assert (tree.nodes[0].visits, tree.nodes[0].total) == (4, pytest.approx(0.2))
    assert [(x.answer, x.score) for x in script.algorithm.answers(tree)] == [("B", 0.8), ("BD", 0.6), ("A", 0.2)]


def test_a_complete_plan_is_solved_once_and_never_goes_on():
    script = Planned(
        PlanSearch(9, root_expand=2), lambda text, i: planned("Solution:", finish=Finish.END), lambda text: 0.5
    )
    tree = script.run()
    assert script.solved == ["Solution:"]
    assert tree.nodes[0].asked == 2
    assert not tree.nodes[0].selectable


def test_a_plan_that_repeats_itself_ends():
    """Every next step says what the first said, under another number."""
    script = Planned(
        PlanSearch(50), lambda text, i: planned(f"{text.count('.') + 1}. Think  it over.\n"), lambda t: 0.5
    )
    tree = script.run()
    assert script.solved == ["1. Think  it over.\n"]
    assert max(n.depth for n in tree.nodes) == 2
    assert tree.memo["started"] == 2


def test_a_plan_that_always_finds_something_new_is_bounded_by_its_depth():
    script = Planned(
        PlanSearch(500, root_expand=1, expand=1, max_depth=6),
        lambda text, i: planned(f"more {len(text)}\n"),
        lambda t: 0.5,
    )
    tree = script.run()
    assert len(script.solved) == 6
    assert sum(n.step is not None and n.step.action == "plan" for n in tree.nodes) == 6


def test_of_sibling_steps_that_say_the_same_the_earliest_sample_is_kept():
    said = ["2) find the PRICE\n", "Step 1: Find the price.\n", "- find  the price\n", "Find the weight\n"]
    script = Planned(PlanSearch(20, root_expand=4, max_depth=1), lambda text, i: planned(said[i]), lambda t: 0.5)
    for _ in range(4):
        script.tell_next(-1)  # the last sample comes in first
    script.run()
    assert sorted(script.solved) == sorted([said[0], said[3]])


def test_numbers_within_a_step_are_part_of_what_it_says():
    said = ["Buy 3 boxes\n", "Buy 4 boxes\n", "3 boxes\n", "4 boxes\n"]
    script = Planned(PlanSearch(20, root_expand=4, max_depth=1), lambda text, i: planned(said[i]), lambda t: 0.5)
    script.run()
    assert sorted(script.solved) == sorted(said)


def test_a_plan_whose_solution_has_no_answer_is_worth_nothing_and_failed_work_says_nothing():
    class Unsolved(Planned):
        def outcome(self, request):
            if not isinstance(request, Evaluate) and request.action == "solve":
                return endings[self.tree.text(request.node)]
            return super().outcome(request)

    endings = {
        "A": step("?", finish=Finish.END),
        "B": Failed("engine gone"),
        "C": step("...", finish=Finish.CUT),
    }
    script = Unsolved(PlanSearch(9, root_expand=3, max_depth=1), lambda text, i: planned("ABC"[i]), lambda text: 0.5)
    tree = script.run()
    assert [(n.visits, n.total) for n in map(script.find, "ABC")] == [(1, -1.0), (0, 0.0), (0, 0.0)]
    assert script.algorithm.answers(tree) == []


def test_the_rollout_may_be_another_search():
    """A beam of one over single steps below the plan: of two steps the better one goes on."""

    class Stepwise(Planned):
        def outcome(self, request):
            text = self.tree.text(request.node)
            if isinstance(request, Evaluate) or request.action == "plan":
                return super().outcome(request)
            assert request.unit == "step"
            return step("xy"[request.index]) if text == "A" else step("!", answer=text)

    values = {"Ax": 0.3, "Ay": 0.4, "Ay!": 0.7}
    script = Stepwise(
        PlanSearch(2, root_expand=1, max_depth=1, rollout=BeamSearch(1, 2)), lambda text, i: planned("A"), values.get
    )
    tree = script.run()
    assert {tree.text(n.id) for n in tree.nodes[1:]} == {"A", "Ax", "Ay", "Ay!"}
    assert [(a.answer, a.score, a.votes) for a in script.algorithm.answers(tree)] == [("Ay", 1.4, 2)]
    assert script.find("A").total == pytest.approx(0.4)  # 2 · 0.7 - 1: the beam's own value, not asked again
    assert tree.next_request == 1 + 2 + 2 + 2 + 1


@pytest.mark.parametrize("budget", [0, 1, 2])
def test_a_budget_smaller_than_one_step_ends_without_an_answer(budget):
    algorithm = PlanSearch()
    tree, _ = asyncio.run(drive(algorithm, State("p"), ToyWorker(), budget=budget))
    assert algorithm.answers(tree) == []
    assert tree.policy_usage.completion == budget


def test_its_parameters_name_the_rollout():
    found = make_method("plan", {"rollout": "beam", "rollout.width": 2, "iterations": 8})
    assert found == PlanSearch(8, rollout=BeamSearch(2))
    assert make_method("plan", method_params(found)) == found
    assert method_params(PlanSearch()) | {"rollout": "best-of-n", "rollout.n": 1} == method_params(PlanSearch())
    assert make_method("plan") == PlanSearch(rollout=BestOfN(1))
    with pytest.raises(ValueError, match="root_expand must be a whole number of at least 1"):
        make_method("plan", {"root_expand": 0})
