"""What a client sees of a search: events while the tree grows, and what it came to."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from reasoning.serve.schemas import Alternative, PromptTokensDetails, SearchResult, SearchUsage, StepText, Usage
from reasoning.solver import Solved, best_node
from search.driver import Tell
from search.tree import Node, Tree
from search.types import Finish

__all__ = ["Choice", "Watch", "choices", "result_of", "usage_of"]


class Watch:
    """Follows one search. Nothing is queued for a slow reader: it gets what changed since it last asked."""

    def __init__(self) -> None:
        self.tree: Tree | None = None
        self._begun = time.perf_counter()
        self._sent: list[tuple[float | None, int]] = []  # value and visits of each node, as last told
        self._told = self._seen = 0
        self._next = self._begun + 1.0

    def told(self, tree: Tree, tell: Tell) -> None:
        """Note that the tree has changed; `search.driver.drive` calls it."""
        self.tree = tree
        self._told += 1

    def events(self, *, nodes: bool) -> Iterator[dict[str, Any]]:
        """What changed since the last call: with `nodes` the tree, then how far the search is.

        Where nothing changed, there is a sign of life once a second.
        """
        now = time.perf_counter()
        if self._seen == self._told and now < self._next:
            return
        changed, self._seen, self._next = self._seen != self._told, self._told, now + 1.0
        if nodes and changed and self.tree is not None:
            yield from self._changes(self.tree)
        yield self._progress(now)

    def _changes(self, tree: Tree) -> Iterator[dict[str, Any]]:
        known = len(self._sent)
        new = tree.nodes[known:]
        if new:
            yield {"type": "nodes", "nodes": [_node(node) for node in new]}
        values = []
        for node, sent in zip(tree.nodes, self._sent, strict=False):
            if (state := (node.value, node.visits)) != sent:
                self._sent[node.id] = state
                values.append([node.id, *state])
        self._sent += [(node.value, node.visits) for node in new]
        if values:
            yield {"type": "values", "values": values}

    def _progress(self, now: float) -> dict[str, Any]:
        told: dict[str, Any] = {"type": "progress", "nodes": 0, "prompt_tokens": 0, "cached_tokens": 0}
        told |= {"completion_tokens": 0, "reward_tokens": 0, "seconds": round(now - self._begun, 3)}
        if self.tree is not None:
            usage = self.tree.policy_usage
            told |= {"nodes": len(self.tree.nodes), "prompt_tokens": usage.prompt, "cached_tokens": usage.cached}
            told |= {"completion_tokens": usage.completion, "reward_tokens": self.tree.reward_usage.computed}
        return told


def _node(node: Node) -> dict[str, Any]:
    step = node.step
    return {
        "id": node.id,
        "parent": node.parent if step else None,
        "depth": node.depth,
        "text": step.text if step else "",
        "value": node.value,
        "visits": node.visits,
        "samples": node.samples,
        "answer": step.answer if step else None,
    }


@dataclass(frozen=True, slots=True)
class Choice:
    """One solution to hand out: its text, and whether a limit cut it."""

    text: str
    cut: bool


def choices(solved: Solved, n: int, *, free: bool) -> list[Choice]:
    """The texts of the `n` best distinct answers, or of the deepest solution where there is no answer.

    `free`: the answer itself is the text, as it is without a task.
    """
    tree = solved.tree
    answers = solved.answers[:n]
    if answers:
        return [Choice(a.answer if free else tree.text(best_node(tree, a.nodes)).strip(), False) for a in answers]
    leaf = best_node(tree, ())
    text = tree.text(leaf)
    return [Choice(text if free else text.strip(), tree.nodes[leaf].finish is Finish.CUT or _spent(tree))]


def result_of(solved: Solved, task: str | None, method: str) -> SearchResult:
    """The search's result as the extension field tells it."""
    result, tree = solved.result, solved.tree
    answers = solved.answers
    leaf = best_node(tree, answers[0].nodes if answers else ())
    return SearchResult(
        task=task,
        method=method,
        seed=result.seed,
        answer=result.answer,
        score=answers[0].score if answers else None,
        failed=None if answers else _why(tree),
        steps=[StepText(text=n.step.text, value=n.value) for n in tree.path(leaf) if n.step is not None],
        alternatives=[Alternative(answer=a.answer, score=a.score, votes=a.votes) for a in answers],
        nodes=len(tree.nodes),
        usage=SearchUsage(
            prompt_tokens=result.prompt_tokens,
            cached_tokens=result.cached_tokens,
            completion_tokens=result.completion_tokens,
            reward_tokens=result.reward_tokens,
            computed_tokens=result.computed_tokens,
            flops=result.flops,
        ),
        seconds=result.seconds,
    )


def usage_of(solved: Solved) -> Usage:
    """Every token of the search."""
    both = solved.tree.policy_usage + solved.tree.reward_usage
    return Usage(
        prompt_tokens=both.prompt,
        completion_tokens=both.completion,
        total_tokens=both.prompt + both.completion,
        prompt_tokens_details=PromptTokensDetails(cached_tokens=both.cached),
    )


def _spent(tree: Tree) -> bool:
    return "budget" in tree.failures


def _why(tree: Tree) -> str:
    if _spent(tree):
        return "the token budget was spent before any solution came to an answer"
    return "no solution came to an answer"
