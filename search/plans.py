"""Plan first, then solve: Monte Carlo tree search over the steps of a plan, as in CPL (arXiv 2409.08642).

CPL searches over plan steps with PUCT: five samples at the root and three elsewhere, six steps at most, temperature
0.7; the last step of a plan is the whole solution. Where this departs from the paper: a plan's worth is that of a
solution written after it (a rollout, which a process reward judges), where CPL asks a trained value model of the plan;
a plan that is not complete is rolled out too; and the final answer is a vote over all solutions.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from search.algorithm import Algorithm
from search.checks import amount, choice, whole
from search.nested import ONE_SAMPLE, best_of_run, is_run, start_run, tell_run
from search.ranking import VOTES, Vote, rank
from search.tree import ROOT, Node, Tree
from search.types import Answer, Evaluate, Evaluated, Expand, Expanded, Finish, Outcome, Request, State

__all__ = ["PlanSearch"]

_NUMBERING = re.compile(r"^\W*(?:(?:step\s*)?\d+\s*[.):]|step\s*\d+)?\s*", re.IGNORECASE)


@dataclass(frozen=True)
class PlanSearch:
    """`iterations` times: descend by PUCT to a plan, write a solution after it, and sample its next steps.

    PUCT: Q + `c` P sqrt(N_parent) / (1 + N), with Q = W / N over solutions' values scaled to [-1, 1] (a plan whose
    solution has no answer is worth -1) and P = exp(mean token log-probability of the step). The root gets
    `root_expand` samples, other plans `expand`, complete ones and those of `max_depth` steps none.

    A plan cannot go on for ever: of sibling steps that say the same (but for case, spaces and numbering) one is kept,
    and a step that repeats one of its own plan is dropped. `rollout` is the search that writes a solution: one sample,
    unless another is named. `vote` decides over all solutions.
    """

    iterations: int = 16
    root_expand: int = 5
    expand: int = 3
    c: float = 1.25
    max_depth: int = 6
    vote: Vote = "weighted"
    rollout: Algorithm = ONE_SAMPLE
    opening = "plan"  # the action whose prompt the root is
    needs_reward = True
    needs_logprobs = True  # for the prior

    def __post_init__(self) -> None:
        """Refuse impossible parameters."""
        whole(1, iterations=self.iterations, root_expand=self.root_expand, expand=self.expand, max_depth=self.max_depth)
        amount(c=self.c)
        choice("vote", self.vote, VOTES)

    def start(self, root: State) -> Tree:
        """A root to start from."""
        tree = Tree(root)
        # leaf: the plan of the iteration under way, and its open work: steps, plan steps to come; rollout, whether a
        # solution is being written or judged. visited: plans that had their iteration.
        tree.memo = {"started": 0, "leaf": ROOT, "steps": 0, "rollout": False, "visited": []}
        tree.nodes[ROOT].selectable = True
        return tree

    def ask(self, tree: Tree) -> Sequence[Request]:
        """The next iteration when the one before is over, and everything it needs."""
        memo = tree.memo
        if (
            not memo["steps"]
            and not memo["rollout"]
            and memo["started"] < self.iterations
            and tree.nodes[ROOT].selectable
        ):
            self._iterate(tree)
        return tree.take_outbox()

    def tell(self, tree: Tree, request: Request, outcome: Outcome) -> None:
        """Take in a plan step, a part of a solution, or a value."""
        tree.settle(request, outcome)
        assert isinstance(request, Expand | Evaluate)
        memo = tree.memo
        if is_run(tree, request):
            for run in tell_run(tree, self.rollout, request, outcome):
                self._take_solution(tree, run)
        elif isinstance(request, Evaluate):
            if isinstance(outcome, Evaluated):
                tree.nodes[request.node].value = outcome.value
                self._back_up(tree, outcome.value)
            memo["rollout"] = False
        else:
            if isinstance(outcome, Expanded):
                tree.add_chain(request, outcome)
            memo["steps"] -= 1
            if not memo["steps"]:
                self._open_children(tree)
        if not memo["steps"] and not memo["rollout"]:
            self._close(tree)

    def answers(self, tree: Tree) -> list[Answer]:
        """Answers of all solutions."""
        return rank(tree, tree.answered(), self.vote)

    # ---- one iteration ---------------------------------------------------------------------------------------------

    def _iterate(self, tree: Tree) -> None:
        memo = tree.memo
        leaf = self._select(tree)
        memo["started"] += 1
        memo["leaf"] = leaf.id
        memo["visited"].append(leaf.id)
        if leaf.id == ROOT:
            leaf.visits += 1  # its first visit counts 0, the middle
        else:
            memo["rollout"] = True
            start_run(tree, leaf.id, self.rollout)
        if leaf.finish is Finish.STEP and leaf.depth < self.max_depth:
            memo["steps"] = self.root_expand if leaf.id == ROOT else self.expand
            for _ in range(memo["steps"]):
                tree.expand(leaf.id, "plan")

    def _select(self, tree: Tree) -> Node:
        node = tree.nodes[ROOT]
        while node.id in tree.memo["visited"]:
            scale = self.c * math.sqrt(node.visits)
            children = [tree.nodes[i] for i in node.children]
            node = max(
                (child for child in children if child.selectable),
                key=lambda child: (child.q + scale * child.prior / (1 + child.visits), -child.index),
            )
        return node

    def _take_solution(self, tree: Tree, run: int) -> None:
        """A rollout is over: its best solution's value is the plan's."""
        best = best_of_run(tree, self.rollout, run)
        solution = None if best is None else tree.nodes[best]
        if solution is not None and solution.finish is Finish.ANSWER and solution.value is None:
            tree.evaluate(solution.id)
            return
        tree.memo["rollout"] = False
        # Where no work was done, or a limit fell into it, nothing is known of the plan.
        if solution is not None and solution.finish is not Finish.CUT:
            self._back_up(tree, solution.value or 0.0 if solution.finish is Finish.ANSWER else 0.0)

    @staticmethod
    def _back_up(tree: Tree, value: float) -> None:
        for node in [tree.nodes[ROOT], *tree.path(tree.memo["leaf"])]:
            node.visits += 1
            node.total += 2.0 * value - 1.0

    def _open_children(self, tree: Tree) -> None:
        """The steps sampled after a plan may be selected, but for repetitions; of equal ones the earliest sample."""
        leaf = tree.nodes[tree.memo["leaf"]]
        said = {(_words(n), Finish.STEP) for n in tree.path(leaf.id)}
        steps = [n for n in (tree.nodes[i] for i in leaf.children) if n.step is not None and n.step.action == "plan"]
        for node in sorted(steps, key=lambda n: n.index):
            if node.finish in (Finish.STEP, Finish.END) and (_words(node), node.finish) not in said:
                said.add((_words(node), node.finish))
                node.selectable = True

    @staticmethod
    def _close(tree: Tree) -> None:
        """After an iteration: a plan may be selected again while a plan below it may."""
        for node in reversed([tree.nodes[ROOT], *tree.path(tree.memo["leaf"])]):
            node.selectable = any(tree.nodes[child].selectable for child in node.children)


def _words(node: Node) -> str:
    """What a plan step says, without numbering, case and spacing."""
    assert node.step is not None
    return " ".join(_NUMBERING.sub("", node.step.text).casefold().split()).rstrip(".;,")
