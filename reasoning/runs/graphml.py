"""Search trees as GraphML, for Gephi, yEd, Cytoscape and networkx."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reasoning.runs.store import RunView
from reasoning.runs.text import rebuild
from search.tree import Tree

if TYPE_CHECKING:
    import networkx

__all__ = ["tree_graph", "write_graphml"]

# What XML 1.0 cannot hold, and the carriage return, which its readers turn into a newline.
_NOT_XML = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def tree_graph(tree: Tree, **told: Any) -> networkx.DiGraph:
    """The tree as a directed graph from parents to children; `told` become attributes of the graph.

    Nodes have `depth`, `visits`, `q` in [-1, 1], `prior`, `samples` (how many samples ended with the step) and `asked`;
    steps also `text`, `finish`, `tokens` (how many; `tool_tokens` of them are the calculator's), `ids` (those tokens,
    separated by spaces) and, where known, `value` in [0, 1], `logprob` (mean natural log-probability of the model's
    tokens), `answer` and `note`. Edges have `index`, the lowest number of the parent's samples that gave the step.

    Characters that XML cannot hold become U+FFFD; `ids` are exact. Attributes that are unknown or empty are left out,
    since GraphML has no null.
    """
    import networkx

    graph = networkx.DiGraph(**_known(problem=tree.root.problem, seed=tree.root.seed, **told))
    for node in tree.nodes:
        described: dict[str, Any] = {
            "depth": node.depth,
            "visits": node.visits,
            "q": node.q,
            "prior": node.prior,
            "samples": node.samples,
            "asked": node.asked,
            "value": node.value,
        }
        step = node.step
        if step is not None:
            described |= {
                "text": step.text,
                "finish": step.finish.value,
                "tokens": len(step.ids),
                "tool_tokens": sum(len(s.ids) for s in step.segments if s.source == "tool"),
                "ids": " ".join(map(str, step.ids)),
                "logprob": step.mean_logprob,
                "answer": step.answer,
                "note": step.note,
            }
        graph.add_node(str(node.id), **_known(**described))
        if node.parent >= 0:
            graph.add_edge(str(node.parent), str(node.id), index=node.index)
    return graph


def write_graphml(view: RunView, folder: Path) -> int:
    """One file `INDEX.graphml` per problem with a tree, in an existing folder; returns how many.

    A problem that failed before its search began has no tree. Raises UserError where a tree cannot be rebuilt.
    """
    import networkx

    count = 0
    for result in view.results:
        tells = view.tells(result.problem)
        if not tells:
            continue
        tree = rebuild(view, result, tells)
        told = {"question": result.question, "gold": result.gold, "answer": result.answer, "correct": result.correct}
        # The plain ElementTree writer: the one of lxml, which networkx prefers where it is installed, is no dependency.
        networkx.write_graphml_xml(tree_graph(tree, **told), folder / f"{result.index}.graphml")
        count += 1
    return count


def _known(**attributes: Any) -> dict[str, Any]:
    clean = {k: _NOT_XML.sub("\ufffd", v) if isinstance(v, str) else v for k, v in attributes.items()}
    return {k: v for k, v in clean.items() if v is not None and v != ""}
