"""Stored search trees as training data: every finished solution of a tree, and every step's siblings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from data.errors import UserError
from data.records import Problem
from reasoning.collect.sampler import training_task
from reasoning.grading import Grader
from reasoning.runs import ProblemResult, RunView, read_run
from reasoning.tasks.base import Task
from search.tree import Node, Tree
from search.types import Finish

__all__ = ["Grown", "grow", "open_trees"]


@dataclass(frozen=True)
class Grown:
    """The tree of one training question, and for each of its finished nodes whether the answer is right.

    `tokenizer` is the checksum of the one that made the tree's ids, None where the run does not say.
    """

    problem: Problem
    tree: Tree
    right: dict[int, bool]
    tokenizer: str | None = None

    def value(self, node: Node) -> float | None:
        """A node's value in [0, 1]: the truth where it ended the solution, else (Q + 1) / 2 over its visits.

        None where nothing was backed up through it.
        """
        if node.id in self.right:
            return float(self.right[node.id])
        return (node.q + 1.0) / 2.0 if node.visits else None

    def below(self, node: Node) -> str:
        """A continuation as evidence: the text from `node` on to its best finished descendant, or its deepest one."""
        best = node
        while best.children:
            children = [self.tree.nodes[i] for i in best.children]
            best = max(children, key=lambda n: (self.value(n) or 0.0, n.visits, -n.id))
        return self.tree.text(best.id)[len(self.tree.text(node.id)) :]

    def siblings(self, parent: Node) -> list[Node]:
        """The children of a node that are whole steps and have a value."""
        nodes = [self.tree.nodes[i] for i in parent.children]
        return [n for n in nodes if n.finish in (Finish.STEP, Finish.ANSWER) and self.value(n) is not None]

    def finished(self) -> Iterator[list[Node]]:
        """The path from first step to answer of every finished solution."""
        return (self.tree.path(node) for node in sorted(self.right))


def open_trees(name: str) -> tuple[RunView, Task]:
    """A stored run of MCTS over training questions. Raises UserError for any other."""
    view = read_run(name)
    config = view.config
    if config.get("method") != "mcts":
        raise UserError(f"the run {name} is of {config.get('method')}: only mcts keeps visits and values")
    if config.get("prompts") is not None:
        raise UserError(f"the run {name} spread its samples over --prompts, whose steps are no siblings: take another")
    task = training_task(str(config.get("task")), config.get("split"), [r.problem for r in view.results])
    return view, task


async def grow(view: RunView, result: ProblemResult, grader: Grader) -> Grown:
    """The tree of one problem of a run, its answers judged. Raises UserError where its log is not this version's."""
    from reasoning.runs.text import rebuild

    tree = rebuild(view, result, view.tells(result.problem))
    question = Problem(result.problem, result.question, result.gold)
    right: dict[int, bool] = {}
    for node in tree.answered():
        assert node.step is not None
        right[node.id] = (await grader.judge(question, node.step.answer or "")).correct
    return Grown(question, tree, right, result.tokenizer)
