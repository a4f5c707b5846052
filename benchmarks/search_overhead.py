"""python -m benchmarks.search_overhead: microseconds of pure search per node, up to trees of 100,000 nodes.

A toy policy answers at once, so all that is timed is the algorithm's own `ask` and `tell`. The tree grows deep and
wide enough that no size is special (branching 100,000, so that sampled steps differ; solutions of 60 steps). Memory is
what `tracemalloc` counts for the whole tree, steps included, in a second run that is not timed.
"""

from __future__ import annotations

import argparse
import gc
import time
import tracemalloc
from collections.abc import Sequence
from typing import Any

from benchmarks.common import print_table, write_result
from search.algorithm import Algorithm
from search.best_of_n import BestOfN
from search.dvts import DVTS
from search.mcts import MCTS
from search.toy import ToyWorker
from search.tree import Tree
from search.types import Cancel, Request, State

DEPTH = 60


def grow(algorithm: Algorithm) -> tuple[Tree, float]:
    """A finished tree, and the seconds spent in the algorithm itself."""
    toy = ToyWorker(branching=100_000, depth=DEPTH)
    clock, spent = time.perf_counter, 0.0
    begun = clock()
    tree = algorithm.start(State("overhead", (0,)))
    queue: list[Request] = list(algorithm.ask(tree))
    spent += clock() - begun
    while queue:
        request = queue.pop()
        assert not isinstance(request, Cancel)
        outcome = toy.outcome(tree, request, 1_000)
        begun = clock()
        algorithm.tell(tree, request, outcome)
        queue += algorithm.ask(tree)
        spent += clock() - begun
    return tree, spent


def methods(nodes: int) -> dict[str, Algorithm]:
    """Each method, sized for about so many nodes."""
    return {
        "best-of-n": BestOfN(n=max(1, nodes // DEPTH), vote="weighted"),
        "dvts": DVTS(n=max(4, nodes // DEPTH // 4 * 4), expand=4, max_depth=DEPTH),
        "mcts": MCTS(iterations=max(1, nodes // 5), expand=5, max_depth=DEPTH),
    }


def mean_depth(tree: Tree, name: str) -> float:
    """Mean depth at which work was done: of the selected leaves in MCTS, of all nodes elsewhere."""
    nodes = [n for n in tree.nodes if n.asked] if name == "mcts" else tree.nodes
    return max(1.0, sum(n.depth for n in nodes) / len(nodes))


def main(argv: Sequence[str] | None = None) -> None:
    """Measure every size and method, print the table, write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.search_overhead")
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--repeats", type=int, default=3, help="timed runs of which the fastest counts")
    args = parser.parse_args(argv)
    rows: list[dict[str, Any]] = []
    for name in methods(1_000):
        first: float | None = None
        for size in args.sizes:
            best, tree = float("inf"), None
            for _ in range(args.repeats):
                tree = None
                gc.collect()
                tree, seconds = grow(methods(size)[name])
                best = min(best, seconds)
            assert tree is not None
            count, depth = len(tree.nodes), mean_depth(tree, name)
            per_node = best / count * 1e6
            first = first or per_node / depth
            rows.append(
                {
                    "method": name,
                    "nodes": count,
                    "us per node": round(per_node, 2),
                    "mean depth": round(depth, 1),
                    "us per node and depth": round(per_node / depth, 3),
                    "growth": round(per_node / depth / first, 2),
                    "bytes per node": _bytes(methods(size)[name]),
                }
            )

    print()
    print_table(rows)
    write_result("search_overhead", rows, note="growth: us per node and depth, over the same at the smallest size")


def _bytes(algorithm: Algorithm) -> int:
    gc.collect()
    tracemalloc.start()
    tree, _ = grow(algorithm)
    gc.collect()
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return round(size / len(tree.nodes))


if __name__ == "__main__":
    main()
