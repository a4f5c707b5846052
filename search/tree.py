"""The tree a search grows. It holds everything the search has to remember, pending work and counters included."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator
from typing import Any, Literal

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
    State,
    Step,
    Usage,
)

__all__ = ["AGGREGATES", "Aggregate", "Node", "Tree", "aggregate_values"]

Aggregate = Literal["last", "min", "product", "mean"]
AGGREGATES: tuple[Aggregate, ...] = ("last", "min", "product", "mean")

ROOT = 0
MANY_CHILDREN = 16  # from here on equal siblings are found by hash


def aggregate_values(values: Iterable[float], how: Aggregate) -> float:
    """One score from the process rewards of a solution's steps, first to last (at least one)."""
    v = list(values)
    if not v:
        raise ValueError("a solution without scored steps has no score")
    if how == "last":
        return v[-1]
    if how == "min":
        return min(v)
    if how == "product":
        return math.prod(v)
    return math.fsum(v) / len(v)


class Node:
    """One step in the tree (the root is the question itself).

    `index` is the lowest sample number of its parent's samples that gave this step, `samples` how many samples ended
    with it, `asked` how many continuations were requested of it. `value` is its process reward in
    [0, 1], None until it is known. `visits` and `total` are N and W of Monte Carlo tree search, W summed over values
    scaled to [-1, 1]. `selectable` and `open_children` say where selection may still go.
    """

    __slots__ = (
        "asked",
        "children",
        "depth",
        "digest",
        "id",
        "index",
        "open_children",
        "parent",
        "prior",
        "samples",
        "selectable",
        "step",
        "total",
        "value",
        "visits",
    )

    def __init__(self, id: int, parent: int, depth: int, step: Step | None, index: int) -> None:
        self.id = id
        self.parent = parent
        self.depth = depth
        self.step = step
        self.index = index
        self.children: list[int] = []
        self.samples = 0
        self.asked = 0
        self.value: float | None = None
        self.visits = 0
        self.total = 0.0
        self.prior = 1.0
        self.selectable = False
        self.open_children = 0
        self.digest: bytes | None = None

    @property
    def finish(self) -> Finish:
        """How the node's step ended (STEP for the root)."""
        return Finish.STEP if self.step is None else self.step.finish

    @property
    def q(self) -> float:
        """Mean backed-up value W / N in [-1, 1]; 0, the middle, before the first visit."""
        return self.total / self.visits if self.visits else 0.0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Node) and all(
            getattr(self, name) == getattr(other, name) for name in Node.__slots__ if name != "digest"
        )

    __hash__ = None  # type: ignore[assignment]


class Tree:
    """Nodes, pending requests, the outbox of requests not yet handed out, token counts, and the algorithm's memo.

    `memo` holds whatever else an algorithm remembers, as plain JSON values; `inner` the trees of searches that it runs
    within this one (see `search.nested`).
    """

    __slots__ = (
        "_by_content",
        "failures",
        "inner",
        "memo",
        "next_request",
        "nodes",
        "outbox",
        "pending",
        "policy_usage",
        "reward_usage",
        "root",
    )

    def __init__(self, root: State) -> None:
        self.root = root
        self.nodes: list[Node] = [Node(ROOT, -1, 0, None, 0)]
        self.pending: dict[int, Request] = {}
        self.outbox: list[Request] = []
        self.next_request = 0
        self.policy_usage = Usage()
        self.reward_usage = Usage()
        self.failures: dict[str, int] = {}
        self.memo: dict[str, Any] = {}
        self.inner: list[Tree] = []
        self._by_content: dict[int, dict[tuple[Any, ...], int]] = {}  # of parents with many children; a cache

    # ---- asking and being told -------------------------------------------------------------------------------------

    def expand(self, node: int, action: str = "solve", unit: Literal["step", "answer"] = "step") -> Expand:
        """Queue a request for one more continuation of `node`."""
        n = self.nodes[node]
        request = Expand(self._take_id(), node, n.asked, action, unit)
        n.asked += 1
        self.pending[request.id] = request
        self.outbox.append(request)
        return request

    def evaluate(self, node: int, reward: str = "reward") -> Evaluate:
        """Queue a request for the node's process reward."""
        request = Evaluate(self._take_id(), node, reward)
        self.pending[request.id] = request
        self.outbox.append(request)
        return request

    def cancel(self, request: int) -> None:
        """Queue the cancellation of a pending request. The request still gets its outcome."""
        if request in self.pending:
            self.outbox.append(Cancel(self._take_id(), request))

    def take_outbox(self) -> list[Request]:
        """Requests queued since the last call."""
        out, self.outbox = self.outbox, []
        return out

    def settle(self, request: Request, outcome: Outcome) -> None:
        """Book an outcome: the request is no longer pending, its tokens are counted. Algorithms call it first."""
        if self.pending.pop(request.id, None) is None:
            raise ValueError(f"request {request.id} is not pending")
        if isinstance(request, Expand):
            self.policy_usage += outcome.usage
        else:
            self.reward_usage += outcome.usage
        if isinstance(outcome, Failed):
            key = outcome.reason if outcome.kind == "error" else outcome.kind
            self.failures[key] = self.failures.get(key, 0) + 1
        elif isinstance(outcome, Evaluated) != isinstance(request, Evaluate):
            raise ValueError(f"a {type(outcome).__name__} does not answer a {type(request).__name__}")

    def _take_id(self) -> int:
        self.next_request += 1
        return self.next_request - 1

    # ---- growing ---------------------------------------------------------------------------------------------------

    def add(self, parent: int, step: Step, index: int) -> tuple[Node, bool]:
        """The child of `parent` that holds `step`, and whether it is new; equal steps are merged, the first one stays.

        Below the root that goes for equal steps after the same prompt, so a node's prompt never changes.
        """
        p = self.nodes[parent]
        child = self._find_child(p, step, index)
        if child is not None:
            child.index = min(child.index, index)
            return child, False
        node = Node(len(self.nodes), parent, p.depth + 1, step, index)
        logprob = step.mean_logprob
        node.prior = 1.0 if logprob is None else math.exp(logprob)
        self.nodes.append(node)
        p.children.append(node.id)
        return node, True

    def _find_child(self, parent: Node, step: Step, index: int) -> Node | None:
        wanted = self._content(parent, step, index)
        if len(parent.children) < MANY_CHILDREN:
            for child_id in parent.children:
                child = self.nodes[child_id]
                if child.step is not None and self._content(parent, child.step, child.index) == wanted:
                    return child
            return None
        known = self._by_content.setdefault(parent.id, {})
        for child_id in parent.children[len(known) :]:  # siblings differ, so `known` holds one entry for each
            child = self.nodes[child_id]
            assert child.step is not None
            known[self._content(parent, child.step, child.index)] = child_id
        found = known.get(wanted)
        return None if found is None else self.nodes[found]

    def _content(self, parent: Node, step: Step, index: int) -> tuple[Any, ...]:
        """What makes two sibling steps the same: their meaning where both have one, else their very tokens."""
        which = self.root.which(index) if parent.id == ROOT else 0
        if step.meaning is not None:
            return step.meaning, step.finish, step.answer, which
        return step.text, step.finish, step.ids, which

    def add_chain(
        self, request: Expand, outcome: Expanded, *, below: int | None = None, index: int | None = None
    ) -> list[tuple[Node, bool]]:
        """Add an outcome's steps below the expanded node, each below the one before; the last one gains a sample.

        A solution that was written anew, with the expanded node for its draft, goes `below` another node than that,
        under a sample number `index` of its own.
        """
        added: list[tuple[Node, bool]] = []
        parent = request.node if below is None else below
        index = request.index if index is None else index
        for step in outcome.steps:
            added.append(self.add(parent, step, index))
            parent = added[-1][0].id
        added[-1][0].samples += 1
        return added

    # ---- reading ---------------------------------------------------------------------------------------------------

    def path(self, node: int) -> list[Node]:
        """Nodes from the first step to `node` (the root is left out)."""
        out: list[Node] = []
        while node != ROOT:
            out.append(self.nodes[node])
            node = self.nodes[node].parent
        return out[::-1]

    def order(self, node: int) -> tuple[int, ...]:
        """Sample numbers along the path: a tie-break that does not depend on what arrived first."""
        return tuple(n.index for n in self.path(node))

    def prompt_number(self, node: int) -> int:
        """Which of the root's prompts the solution up to `node` continues; 0 for the root itself."""
        path = self.path(node)
        return self.root.which(path[0].index) if path else 0

    def prompt(self, node: int) -> tuple[int, ...]:
        """Token ids of that prompt."""
        return self.root.prompt_of(self.prompt_number(node))

    def ids(self, node: int) -> tuple[int, ...]:
        """Token ids of the node's prompt and all steps up to it: below the root, its parent's ids plus its own.

        The first step is its prompt's ids plus its own, and what the root's own samples continue is `prefix`'s to say.
        """
        path = self.path(node)
        prompt = self.root.prompt_of(path[0].index) if path else self.root.prompt
        return prompt + tuple(i for n in path if n.step for i in n.step.ids)

    def prefix(self, request: Expand) -> tuple[int, ...]:
        """Token ids that a sample continues: its node's, and for the root those of the prompt whose turn it is."""
        return self.root.prompt_of(request.index) if request.node == ROOT else self.ids(request.node)

    def text(self, node: int) -> str:
        """The solution's text up to `node`."""
        return "".join(n.step.text for n in self.path(node) if n.step)

    def score(self, node: int, how: Aggregate) -> float | None:
        """The process rewards along the path as one score in [0, 1]; None while the node's own is unknown."""
        if how == "last" or self.nodes[node].value is None:
            return self.nodes[node].value
        return aggregate_values((n.value for n in self.path(node) if n.value is not None), how)

    def answered(self) -> Iterator[Node]:
        """Nodes that end a solution with an answer."""
        return (n for n in self.nodes if n.step is not None and n.step.finish is Finish.ANSWER)

    def sample_seed(self, request: Expand) -> int:
        """Random seed of a sample in [0, 2^31): a hash of run seed, problem, path, action and sample number."""
        h = hashlib.blake2b(self._digest(request.node), digest_size=8)
        h.update(f"{request.action}\0{request.unit}\0{request.index}".encode())
        return int.from_bytes(h.digest()[:4], "big") >> 1

    def _digest(self, node: int) -> bytes:
        trail: list[Node] = []
        current = self.nodes[node]
        while current.digest is None and current.id != ROOT:
            trail.append(current)
            current = self.nodes[current.parent]
        if current.digest is None:
            key = f"{self.root.seed}\0{self.root.problem}".encode()
            current.digest = hashlib.blake2b(key, digest_size=8).digest()
        digest = current.digest
        for n in reversed(trail):
            assert n.step is not None
            content = f"{n.step.ids}\0{n.step.text}".encode()
            if n.parent == ROOT and (which := self.root.which(n.index)):
                content += f"\0{which}".encode()
            digest = n.digest = hashlib.blake2b(digest + content, digest_size=8).digest()
        return digest

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tree) and all(
            getattr(self, name) == getattr(other, name) for name in Tree.__slots__ if name != "_by_content"
        )

    __hash__ = None  # type: ignore[assignment]
