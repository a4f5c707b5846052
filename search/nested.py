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

__all__ = ["ONE_SAMPLE", "best_of_run", "is_run", "start_run", "tell_run"]

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


def tell_run(tree: Tree, algorithm: Algorithm, request: Expand | Evaluate, outcome: Outcome) -> int | None:
    """Take in the outcome of an inner search's request; the number of its run where it has ended with that.

    The outer tree has settled the request before.
    """
    memo = _memo(tree)
    run, number = memo["requests"].pop(str(request.id))
    inner, nodes = tree.inner[run], memo["nodes"][run]
    if isinstance(request, Expand) and isinstance(outcome, Expanded):
        tree.add_chain(request, outcome)
    elif isinstance(request, Evaluate) and isinstance(outcome, Evaluated):
        tree.nodes[request.node].value = outcome.value
    algorithm.tell(inner, inner.pending[number], outcome)
    if isinstance(request, Expand):
        for node in inner.nodes[len(nodes) :]:
            assert node.step is not None
            nodes.append(tree.add(nodes[node.parent], node.step, request.index)[0].id)  # is there already: finds it
    _hand_out(tree, algorithm, run)
    return None if inner.pending else run


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
    """Ask for what the inner search asks for."""
    memo = _memo(tree)
    nodes = memo["nodes"][run]
    for request in algorithm.ask(tree.inner[run]):
        if isinstance(request, Cancel):
            tree.cancel(next(int(k) for k, v in memo["requests"].items() if v == [run, request.request]))
        elif isinstance(request, Expand):
            asked = tree.expand(nodes[request.node], request.action, request.unit)
            memo["requests"][str(asked.id)] = [run, request.id]
        else:
            memo["requests"][str(tree.evaluate(nodes[request.node], request.reward).id)] = [run, request.id]


def _memo(tree: Tree) -> dict[str, Any]:
    """nodes: for each run the outer node of each inner one; requests: run and inner request of each outer one."""
    found: dict[str, Any] = tree.memo.setdefault("runs", {"nodes": [], "requests": {}})
    return found
