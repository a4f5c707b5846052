"""A whole search as a part of another: an algorithm that starts from one node of a tree and knows nothing else of it.

The inner search has a tree of its own, kept in `Tree.inner`, whose root stands for that node. Its requests are asked
through the outer tree, so that budget, log and replay see one search; what it finds is added below the node. The outer
algorithm calls `start_run`, hands every request that `is_run` knows to `tell_run`, and reads `best_of_run` at its end.
"""

from __future__ import annotations

from typing import Any, Final

from search.algorithm import Algorithm
from search.best_of_n import BestOfN
from search.tree import ROOT, Tree
from search.types import Cancel, Evaluate, Evaluated, Expand, Expanded, Outcome, State

__all__ = ["ONE_SAMPLE", "best_of_run", "is_run", "pending_value", "start_run", "tell_run"]

ONE_SAMPLE: Final[Algorithm] = BestOfN(1)


def start_run(tree: Tree, node: int, algorithm: Algorithm) -> int:
    """Start a search from `node`; the number of the run."""
    memo = _memo(tree)
    run = len(tree.inner)
    # Of the prompts, the inner tree need only know how many there are, so that it merges no steps after different ones.
    others = tree.root.others if node == ROOT else ()
    tree.inner.append(algorithm.start(State(tree.root.problem, (), tree.root.seed, others)))
    memo["nodes"].append([node])
    _hand_out(tree, algorithm, run)
    return run


def is_run(tree: Tree, request: Expand | Evaluate) -> bool:
    """Whether a pending request is an inner search's."""
    return str(request.id) in _memo(tree)["requests"]


def tell_run(tree: Tree, algorithm: Algorithm, request: Expand | Evaluate, outcome: Outcome) -> list[int]:
    """Take in the outcome of an inner search's request; the numbers of the runs that have ended with that.

    The outer tree has settled the request before. A value is asked for once, however many runs wait for it.
    """
    memo = _memo(tree)
    waiting: list[tuple[int, int]] = memo["requests"].pop(str(request.id))
    if isinstance(request, Expand) and isinstance(outcome, Expanded):
        tree.add_chain(request, outcome)
    elif isinstance(request, Evaluate) and isinstance(outcome, Evaluated):
        tree.nodes[request.node].value = outcome.value
    for run, number in waiting:
        inner, nodes = tree.inner[run], memo["nodes"][run]
        algorithm.tell(inner, inner.pending[number], outcome)
        if isinstance(request, Expand):
            for node in inner.nodes[len(nodes) :]:
                assert node.step is not None
                nodes.append(tree.add(nodes[node.parent], node.step, request.index)[0].id)  # is there: finds it
        _hand_out(tree, algorithm, run)
    return [run for run, _ in waiting if not tree.inner[run].pending]


def best_of_run(tree: Tree, algorithm: Algorithm, run: int) -> int | None:
    """The outer tree's node of the run's best solution: of its first answer, the one of highest value.

    Where the run has no answer, the end of its first unfinished solution; None where it sampled nothing at all.
    """
    inner, nodes = tree.inner[run], _memo(tree)["nodes"][run]
    answers = algorithm.answers(inner)
    if answers:
        return int(nodes[max(answers[0].nodes, key=lambda i: inner.nodes[i].value or 0.0)])
    ends = [n.id for n in inner.nodes[1:] if not n.children]
    return int(nodes[min(ends, key=inner.order)]) if ends else None


def _hand_out(tree: Tree, algorithm: Algorithm, run: int) -> None:
    """Ask for what the inner search asks for; a value that is there, or was asked for, is not asked for again."""
    memo = _memo(tree)
    inner, nodes = tree.inner[run], memo["nodes"][run]
    waiting = list(algorithm.ask(inner))
    while waiting:
        request = waiting.pop(0)
        if isinstance(request, Cancel):
            of = next((k for k, v in memo["requests"].items() if v == [[run, request.request]]), None)
            if of is not None:  # what others wait for as well goes on
                tree.cancel(int(of))
        elif isinstance(request, Expand):
            asked = tree.expand(nodes[request.node], request.action, request.unit)
            memo["requests"][str(asked.id)] = [[run, request.id]]
        elif (value := tree.nodes[nodes[request.node]].value) is not None:
            algorithm.tell(inner, request, Evaluated(value))
            waiting += algorithm.ask(inner)
        else:
            open_one = pending_value(tree, nodes[request.node]) or tree.evaluate(nodes[request.node], request.reward)
            memo["requests"].setdefault(str(open_one.id), []).append([run, request.id])


def pending_value(tree: Tree, node: int) -> Evaluate | None:
    """The open request for a node's value, whoever asked for it."""
    return next((r for r in tree.pending.values() if isinstance(r, Evaluate) and r.node == node), None)


def _memo(tree: Tree) -> dict[str, Any]:
    """nodes: for each run the outer node of each inner one; requests: runs and inner requests that wait for each."""
    found: dict[str, Any] = tree.memo.setdefault("runs", {"nodes": [], "requests": {}})
    return found
