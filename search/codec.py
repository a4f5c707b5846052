"""Requests, outcomes and trees as plain JSON values, and back. Reading is the exact inverse of writing."""

from __future__ import annotations

from typing import Any

from search.tree import Node, Tree
from search.types import (
    Cancel,
    Evaluate,
    Evaluated,
    Expand,
    Expanded,
    Failed,
    Finish,
    Outcome,
    Request,
    Segment,
    State,
    Step,
    Usage,
)

__all__ = [
    "outcome_from_json",
    "outcome_to_json",
    "request_from_json",
    "request_to_json",
    "tree_from_json",
    "tree_to_json",
]

Json = dict[str, Any]


def request_to_json(request: Request) -> Json:
    """A request as a dict with a `type`."""
    if isinstance(request, Expand):
        return {
            "type": "expand",
            "id": request.id,
            "node": request.node,
            "index": request.index,
            "action": request.action,
            "unit": request.unit,
        }
    if isinstance(request, Evaluate):
        return {"type": "evaluate", "id": request.id, "node": request.node, "reward": request.reward}
    return {"type": "cancel", "id": request.id, "request": request.request}


def request_from_json(value: Json) -> Request:
    """The request that `request_to_json` wrote."""
    kind = value["type"]
    if kind == "expand":
        return Expand(value["id"], value["node"], value["index"], value["action"], value["unit"])
    if kind == "evaluate":
        return Evaluate(value["id"], value["node"], value["reward"])
    return Cancel(value["id"], value["request"])


def outcome_to_json(outcome: Outcome) -> Json:
    """An outcome as a dict with a `type`."""
    usage = _usage_to_json(outcome.usage)
    if isinstance(outcome, Expanded):
        return {"type": "expanded", "steps": [_step_to_json(s) for s in outcome.steps], "usage": usage}
    if isinstance(outcome, Evaluated):
        return {"type": "evaluated", "value": outcome.value, "usage": usage}
    return {"type": "failed", "reason": outcome.reason, "kind": outcome.kind, "usage": usage}


def outcome_from_json(value: Json) -> Outcome:
    """The outcome that `outcome_to_json` wrote."""
    usage = Usage(*value["usage"])
    if value["type"] == "expanded":
        return Expanded(tuple(_step_from_json(s) for s in value["steps"]), usage)
    if value["type"] == "evaluated":
        return Evaluated(value["value"], usage)
    return Failed(value["reason"], value["kind"], usage)


def tree_to_json(tree: Tree) -> Json:
    """A whole tree, pending work included."""
    return {
        "root": {
            "problem": tree.root.problem,
            "prompt": list(tree.root.prompt),
            "seed": tree.root.seed,
            "others": [list(prompt) for prompt in tree.root.others],
        },
        "nodes": [_node_to_json(n) for n in tree.nodes],
        "pending": [request_to_json(r) for r in tree.pending.values()],
        "outbox": [request_to_json(r) for r in tree.outbox],
        "next_request": tree.next_request,
        "policy_usage": _usage_to_json(tree.policy_usage),
        "reward_usage": _usage_to_json(tree.reward_usage),
        "failures": tree.failures,
        "memo": tree.memo,
        "inner": [tree_to_json(inner) for inner in tree.inner],
    }


def tree_from_json(value: Json) -> Tree:
    """The tree that `tree_to_json` wrote."""
    root = value["root"]
    # Trees of older versions have one prompt.
    others = tuple(tuple(prompt) for prompt in root.get("others", ()))
    tree = Tree(State(root["problem"], tuple(root["prompt"]), root["seed"], others))
    tree.nodes = [_node_from_json(n) for n in value["nodes"]]
    for node in tree.nodes[1:]:
        tree.nodes[node.parent].children.append(node.id)
    tree.pending = {r["id"]: request_from_json(r) for r in value["pending"]}
    tree.outbox = [request_from_json(r) for r in value["outbox"]]
    tree.next_request = value["next_request"]
    tree.policy_usage = Usage(*value["policy_usage"])
    tree.reward_usage = Usage(*value["reward_usage"])
    tree.failures = value["failures"]
    tree.memo = value["memo"]
    tree.inner = [tree_from_json(inner) for inner in value.get("inner", ())]
    return tree


def _usage_to_json(usage: Usage) -> list[float | None]:
    return [usage.prompt, usage.cached, usage.completion, usage.attended, round(usage.seconds, 6)]


def _step_to_json(step: Step) -> Json:
    return {
        "segments": [
            {"ids": list(s.ids), "logprobs": None if s.logprobs is None else list(s.logprobs), "source": s.source}
            for s in step.segments
        ],
        "text": step.text,
        "finish": step.finish.value,
        "answer": step.answer,
        "note": step.note,
        "value": step.value,
        "action": step.action,
        **({} if step.meaning is None else {"meaning": step.meaning}),
    }


def _step_from_json(value: Json) -> Step:
    segments = tuple(
        Segment(tuple(s["ids"]), None if s["logprobs"] is None else tuple(s["logprobs"]), s["source"])
        for s in value["segments"]
    )
    finish, action = Finish(value["finish"]), value.get("action", "solve")
    # Runs of older versions have neither value nor action.
    told = value["answer"], value["note"], value.get("value"), action, value.get("meaning")
    return Step(segments, value["text"], finish, *told)


_NODE_FIELDS = (
    "id",
    "parent",
    "depth",
    "index",
    "samples",
    "asked",
    "value",
    "visits",
    "total",
    "prior",
    "selectable",
    "open_children",
)


def _node_to_json(node: Node) -> Json:
    return {
        **{name: getattr(node, name) for name in _NODE_FIELDS},
        "step": None if node.step is None else _step_to_json(node.step),
    }


def _node_from_json(value: Json) -> Node:
    step = None if value["step"] is None else _step_from_json(value["step"])
    node = Node(value["id"], value["parent"], value["depth"], step, value["index"])
    for name in _NODE_FIELDS:
        setattr(node, name, value[name])
    return node
