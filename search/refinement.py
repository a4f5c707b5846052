"""GLoRe (arXiv 2402.10963): refine a draft where an outcome score says so, at the step that a step score points to.

*Global* refinement writes a solution anew in view of the draft, *local* refinement goes on from the step before the
first wrong one; an outcome score then ranks draft and refinements. Where this departs from the paper: one process
reward gives both scores, the draft's last value being its outcome score; local refinement samples the policy itself
after the good steps, where the paper trains a model that reads the whole draft with its first wrong step marked; and
drafts may be several, each found by a search of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from search.algorithm import Algorithm
from search.checks import choice, share, whole
from search.nested import ONE_SAMPLE, best_of_run, is_run, pending_value, start_run, tell_run
from search.ranking import VOTES, Vote, rank
from search.tree import ROOT, Node, Tree
from search.types import Answer, Evaluate, Evaluated, Expand, Expanded, Finish, Outcome, Request, State

__all__ = ["Refinement"]

MIDDLE = 0.5  # what a solution is worth before its first step, so that the first step can drop too
REWRITTEN = 2**31  # sample numbers of solutions written anew start here: after all others


@dataclass(frozen=True)
class Refinement:
    """`n` drafts; one whose value lies below `threshold` gets `local` and `anew` (global) refinements.

    A draft without an answer counts as below it. Its first wrong step is the first whose value lies below `bound`;
    where there is none, the step that ended it without an answer, and else the one whose value drops most (`bound` 0:
    always by these two). A draft whose value cannot be had is left as it is. The requests of global refinement name
    the action "refine"; a policy that has no prompt for it samples a new solution instead.

    `rollout` is the search that finds a draft: one sample, unless another is named.
    """

    n: int = 1
    threshold: float = 0.5
    bound: float = 0.5
    local: int = 1
    anew: int = 1
    vote: Vote = "best"
    rollout: Algorithm = ONE_SAMPLE
    needs_reward = True

    def __post_init__(self) -> None:
        """Refuse impossible parameters."""
        whole(1, n=self.n)
        whole(0, local=self.local, anew=self.anew)
        share(threshold=self.threshold, bound=self.bound)
        choice("vote", self.vote, VOTES)

    def start(self, root: State) -> Tree:
        """Start the drafts."""
        tree = Tree(root)
        # drafts: of each run its draft's node, how many values it waits for, and whether these are its steps';
        # judging: the runs that wait for a node's value; judged: nodes whose value was asked for.
        tree.memo = {"drafts": {}, "judging": {}, "judged": []}
        for _ in range(self.n):
            start_run(tree, ROOT, self.rollout)
        return tree

    def ask(self, tree: Tree) -> Sequence[Request]:
        """Drafts, their outcome scores, step scores of bad ones, refinements, and the scores of those."""
        return tree.take_outbox()

    def tell(self, tree: Tree, request: Request, outcome: Outcome) -> None:
        """Take in a draft, a refinement or a value."""
        tree.settle(request, outcome)
        assert isinstance(request, Expand | Evaluate)
        of_run = is_run(tree, request)
        if of_run:
            for run in tell_run(tree, self.rollout, request, outcome):
                self._take_draft(tree, run)
        if isinstance(request, Evaluate):
            if isinstance(outcome, Evaluated):
                tree.nodes[request.node].value = outcome.value
            for run in tree.memo["judging"].pop(str(request.node), ()):
                draft = tree.memo["drafts"][str(run)]
                draft["waiting"] -= 1
                if not draft["waiting"]:
                    self._go_on(tree, run)
        elif not of_run and isinstance(outcome, Expanded):
            refined = self._add(tree, request, outcome)
            if refined.finish is Finish.ANSWER:
                self._judge(tree, refined, None)

    def answers(self, tree: Tree) -> list[Answer]:
        """Answers of drafts and refinements."""
        return rank(tree, tree.answered(), self.vote)

    # ---- one draft -------------------------------------------------------------------------------------------------

    def _take_draft(self, tree: Tree, run: int) -> None:
        leaf = best_of_run(tree, self.rollout, run)
        if leaf is None:
            return
        draft = tree.memo["drafts"][str(run)] = {"node": leaf, "waiting": 0, "steps": False}
        if tree.nodes[leaf].finish is Finish.ANSWER:
            draft["waiting"] = int(self._judge(tree, tree.nodes[leaf], run))
        if not draft["waiting"]:
            self._go_on(tree, run)

    def _go_on(self, tree: Tree, run: int) -> None:
        """The values that a draft waited for are there: its outcome score, then its steps'."""
        draft = tree.memo["drafts"][str(run)]
        leaf = tree.nodes[draft["node"]]
        if draft["steps"]:
            self._refine_locally(tree, leaf)
            return
        if leaf.finish is Finish.ANSWER and (leaf.value is None or leaf.value >= self.threshold):
            return
        for _ in range(self.anew):
            tree.expand(leaf.id, "refine", "answer")
        if self.local:
            draft["steps"] = True
            draft["waiting"] = sum(self._judge(tree, node, run) for node in self._whole_steps(tree, leaf))
            if not draft["waiting"]:
                self._refine_locally(tree, leaf)

    def _judge(self, tree: Tree, node: Node, run: int | None) -> bool:
        """Ask for the node's value unless it was asked for; whether it is still to come."""
        memo, key = tree.memo, str(node.id)
        if node.value is None and node.id not in memo["judged"]:
            memo["judged"].append(node.id)
            memo["judging"][key] = []
            if pending_value(tree, node.id) is None:
                tree.evaluate(node.id)
        if run is not None and key in memo["judging"]:
            memo["judging"][key].append(run)
        return key in memo["judging"]

    @staticmethod
    def _whole_steps(tree: Tree, leaf: Node) -> list[Node]:
        return [node for node in tree.path(leaf.id) if node.finish in (Finish.STEP, Finish.ANSWER)]

    def _refine_locally(self, tree: Tree, leaf: Node) -> None:
        """Go on from the step before the first wrong one."""
        steps = [(node, node.value) for node in self._whole_steps(tree, leaf) if node.value is not None]
        wrong = next((node for node, value in steps if value < self.bound), None)
        if wrong is None and leaf.finish is not Finish.ANSWER:
            wrong = leaf
        if wrong is None and steps:
            before = [MIDDLE, *(value for _, value in steps)]
            drops = [earlier - value for earlier, (_, value) in zip(before, steps, strict=False)]
            wrong = steps[drops.index(max(drops))][0]
        if wrong is not None:
            for _ in range(self.local):
                tree.expand(wrong.parent, unit="answer")

    @staticmethod
    def _add(tree: Tree, request: Expand, outcome: Expanded) -> Node:
        """A refinement's last node. One that was written anew is a solution of its own, not a part of the draft."""
        if request.action != "refine":
            return tree.add_chain(request, outcome)[-1][0]
        # The number has the draft's prompt, and depends on the draft and not on what came in first.
        prompts = 1 + len(tree.root.others)
        index = (REWRITTEN + tree.sample_seed(request)) * prompts + tree.prompt_number(request.node)
        return tree.add_chain(request, outcome, below=ROOT, index=index)[-1][0]
