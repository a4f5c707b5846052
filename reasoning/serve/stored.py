"""Saved runs as the server shows them: answers as records, and the work of reading them from the runs folder.

A name counts only where it stands in the folder's listing, so that no name is ever a path; what a link inside the
folder points to elsewhere is not read. A tree is the fold of its stored log.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, Field

from data.errors import UserError, one_line
from data.stats import wilson
from reasoning.processes import Refused
from reasoning.runs import ProblemResult, RunView, read_run, run_names
from reasoning.runs.anytime import curves
from reasoning.runs.export import plain
from reasoning.runs.text import rebuild
from reasoning.runs.totals import summary
from search.tree import Node, Tree

__all__ = ["Curves", "Listing", "Outcome", "ProblemPage", "RunDetails", "WholeProblem", "curve", "listing", "problem"]
__all__ += ["problems", "run"]

Outcome = Literal["right", "wrong", "failed", "unjudged"]
_UNREADABLE: Final = "unreadable_run"
_QUESTION: Final = 300  # characters of a question in a list


# ---- answers ---------------------------------------------------------------------------------------------------------


class RunEntry(BaseModel):
    """A run: what it is, and its totals (null where they are unknown). `created` is a time in ISO 8601."""

    name: str
    task: Any
    split: Any
    method: Any
    policy: Any
    adapter: Any
    reward: Any
    seed: Any
    version: Any
    problems: int
    judged: int
    correct: int
    accuracy: float | None
    ci95: Annotated[list[float], Field(min_length=2, max_length=2)] | None
    failed: int
    prompt_tokens: int
    cached_tokens: int | None
    completion_tokens: int
    reward_tokens: int | None
    computed_tokens: int | None
    hit_rate: float | None
    reward_hit_rate: float | None
    flops: float | None
    engine_s: float | None
    created: str


class BrokenRun(BaseModel):
    """A run that cannot be read, and why."""

    name: str
    message: str


class Listing(BaseModel):
    """A page of the `total` runs, by name; `broken` are those of the page that cannot be read."""

    total: int
    runs: list[RunEntry]
    broken: list[BrokenRun]


class RunDetails(RunEntry):
    """A run with its whole configuration."""

    config: dict[str, Any]


class ProblemEntry(BaseModel):
    """A problem of a run in a line; of its question the beginning."""

    index: int
    problem: str
    question: str
    gold: str | None
    answer: str | None
    outcome: Outcome
    failed: str | None
    nodes: int
    completion_tokens: int
    computed_tokens: int | None
    seconds: float | None


class ProblemPage(BaseModel):
    """A page of the `total` problems that have the outcome asked for, by index."""

    total: int
    problems: list[ProblemEntry]


class Ranked(BaseModel):
    """One of the ranked answers."""

    answer: str
    score: float | None
    votes: int


class ProblemDetails(ProblemEntry):
    """All that a run says of a problem, but for the ids of its prompt; the question is whole."""

    text: str
    answers: list[Ranked]
    requests_failed: int
    prompt_tokens: int
    cached_tokens: int | None
    reward_tokens: int | None
    flops: float | None
    engine_seconds: float | None
    seed: int


class TreeNode(BaseModel):
    """A step. `value` is its process reward in [0, 1], `finish` how the step ended, `chosen` whether it leads to the
    answer of the run; the root, node 0, has an empty text."""

    id: int
    parent: int | None
    depth: int
    text: str
    value: float | None
    visits: int
    samples: int
    answer: str | None
    finish: Literal["step", "answer", "end", "cut", "invalid"]
    note: str | None
    chosen: bool


class StoredTree(BaseModel):
    """A search tree; parents come before their children. `failures` counts requests that failed, by reason."""

    nodes: list[TreeNode]
    failures: dict[str, int]


class WholeProblem(BaseModel):
    """A problem's result and its tree; without one `tree_missing` says why."""

    result: ProblemDetails
    tree: StoredTree | None
    tree_missing: str | None


class CurvePoint(BaseModel):
    """All problems cut at the same `ceiling`: what they `spent` together then, and how many were right, with the 95%
    interval of their share."""

    ceiling: float
    spent: float
    right: int
    accuracy: float
    low: float
    high: float


class Curves(BaseModel):
    """Accuracy against what a problem may cost, for each cost that is known of all `problems`."""

    name: str
    problems: int
    costs: dict[str, list[CurvePoint]]


# ---- jobs ------------------------------------------------------------------------------------------------------------


def listing(root: Path, offset: int, limit: int) -> bytes:
    """Answer with a `Listing`."""
    with _reading(root):
        names = _names(root)
    runs, broken = [], []
    for name in names[offset : offset + limit]:
        try:
            with _reading(root):
                runs.append(RunEntry.model_validate(plain(summary(read_run(name, root)))))
        except Refused as error:  # one torn run does not hide the others
            broken.append(BrokenRun(name=name, message=error.message))
    return _bytes(Listing(total=len(names), runs=runs, broken=broken))


def run(root: Path, name: str) -> bytes:
    """Answer with `RunDetails`."""
    with _reading(root):
        view = _view(root, name)
        return _bytes(RunDetails.model_validate(plain({**summary(view), "config": dict(view.config)})))


def problems(root: Path, name: str, offset: int, limit: int, outcome: Outcome | None) -> bytes:
    """Answer with a `ProblemPage`."""
    with _reading(root):
        found = [one for one in _view(root, name).results if outcome in (None, _outcome(one))]
        rows = [
            {**_shared(one), "question": one.question[:_QUESTION], "seconds": one.seconds}
            for one in found[offset : offset + limit]
        ]
        return _bytes(ProblemPage.model_validate(plain({"total": len(found), "problems": rows})))


def problem(root: Path, name: str, index: int) -> bytes:
    """Answer with a `WholeProblem`."""
    with _reading(root):
        view = _view(root, name)
        result = next((one for one in view.results if one.index == index), None)
        if result is None:
            raise Refused(404, f"run {name!r} has no problem {index}")
        tree, missing = _tree(view, result)
        told = {**result.to_json(), **_shared(result)}
        whole = WholeProblem.model_validate(plain({"result": told, "tree": tree, "tree_missing": missing}))
        return _bytes(whole)


def curve(root: Path, name: str) -> bytes:
    """Answer with `Curves`."""
    with _reading(root):
        view = _view(root, name)
        count, points = asyncio.run(curves(view))
        costs = {}
        for cost, row in points.items():
            shares = [(one, *wilson(one.right, count)) for one in row]
            costs[cost] = [
                CurvePoint(
                    ceiling=one.ceiling,
                    spent=one.spent,
                    right=one.right,
                    accuracy=one.right / count,
                    low=low,
                    high=high,
                )
                for one, low, high in shares
            ]
        return _bytes(Curves(name=name, problems=count, costs=costs))


# ---- parts of jobs ---------------------------------------------------------------------------------------------------


def _names(root: Path) -> list[str]:
    """The runs in the folder. What a link says to be in it, and is not, is left out."""
    base = root.resolve()
    return [name for name in run_names(root) if _is_within(base, base / name)]


def _is_within(base: Path, folder: Path) -> bool:
    return folder.resolve() == folder and all(part.resolve().parent == folder for part in folder.glob("*.sqlite*"))


def _view(root: Path, name: str) -> RunView:
    if name not in _names(root):
        raise Refused(404, f"there is no run {name[:100]!r}")
    return read_run(name, root)


@contextmanager
def _reading(root: Path) -> Iterator[None]:
    """What is wrong with a stored run is told in one line, without the folder it lies in."""
    try:
        yield
    except UserError as error:
        raise Refused(422, one_line(error).replace(f"{root}/", ""), code=_UNREADABLE) from None
    except (ValueError, TypeError, LookupError, AttributeError) as error:  # whole as a file, but not what we write
        raise Refused(422, f"the run does not hold what it should ({type(error).__name__})", code=_UNREADABLE) from None


def _outcome(result: ProblemResult) -> Outcome:
    if result.failed is not None:
        return "failed"
    return "unjudged" if result.correct is None else "right" if result.correct else "wrong"


def _shared(result: ProblemResult) -> dict[str, Any]:
    """What the list and the whole problem say alike."""
    return {
        "index": result.index,
        "problem": result.problem,
        "gold": result.gold,
        "answer": result.answer,
        "outcome": _outcome(result),
        "failed": result.failed,
        "nodes": result.nodes,
        "completion_tokens": result.completion_tokens,
        "computed_tokens": result.computed_tokens,
    }


def _tree(view: RunView, result: ProblemResult) -> tuple[dict[str, Any] | None, str | None]:
    """The tree, or why there is none."""
    tells = view.tells(result.problem)
    if not tells:
        return None, "the problem failed before its search began" if result.failed is not None else "no log was stored"
    try:
        tree = rebuild(view, result, tells)
    except UserError as error:
        return None, str(error)
    chosen = _chosen(tree, result.answer)
    return {"nodes": [_node(node, node.id in chosen) for node in tree.nodes], "failures": tree.failures}, None


def _chosen(tree: Tree, answer: str | None) -> set[int]:
    """The nodes on the way to the run's answer, the root left out."""
    found: set[int] = set()
    for node in tree.answered():
        if answer is not None and node.step is not None and node.step.answer == answer:
            found.update(one.id for one in tree.path(node.id))
    return found


def _node(node: Node, chosen: bool) -> dict[str, Any]:
    step = node.step
    return {
        "id": node.id,
        "parent": None if step is None else node.parent,
        "depth": node.depth,
        "text": "" if step is None else step.text,
        "value": node.value,
        "visits": node.visits,
        "samples": node.samples,
        "answer": None if step is None else step.answer,
        "finish": node.finish.value,
        "note": None if step is None else step.note,
        "chosen": chosen,
    }


def _bytes(answer: BaseModel) -> bytes:
    return answer.model_dump_json().encode()
