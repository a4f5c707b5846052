"""Step labels: how likely a right answer is after each step of a solution, by rollouts, bisection or a stored tree."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from data.digest import file_digest
from data.errors import UserError
from data.labels import Bisection, first_error, hard, soft
from data.records import Problem
from data.rows import RowFile, Solution
from reasoning.cli import duration
from reasoning.collect.sampler import (
    Built,
    Sampler,
    add_policy_options,
    build_file,
    describe_policy,
    foreign_shown,
    grouped,
    notes,
    own_mask,
    positive,
    solutions_of,
    training_task,
)
from reasoning.collect.solutions import balanced
from reasoning.collect.trees import Grown, grow, open_trees
from reasoning.grading import Grader

__all__ = ["Rollouts", "add_options", "by_bisection", "by_reach", "by_rollouts", "from_tree", "run"]

HOW = ("rollouts", "bisect", "sorm", "tree")


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `labels`."""
    add = parser.add_argument
    add("source", metavar="FILE.jsonl|RUN", help="sampled solutions; for --how tree, a stored run of mcts")
    add("--out", type=Path, required=True, metavar="FILE.jsonl", help="goes on where an earlier call ended")
    add(
        "--how",
        choices=HOW,
        default="rollouts",
        help="rollouts: the share (or any) of M rollouts from every prefix; bisect: the first wrong step by bisection; "
        "sorm: whether the policy reaches the right answer from a prefix at all; tree: the values of a stored tree",
    )
    add("--rollouts", type=positive, default=4, metavar="M", help="rollouts of a prefix at most (default: 4)")
    add("--label", choices=("soft", "hard"), default="soft", help="for rollouts: share right, or any right")
    add("--per-question", type=positive, metavar="N", help="N solutions of a question at most, right and wrong in turn")
    add("--task", default="gsm8k", help="the task that judges answers (default: gsm8k)")
    add_policy_options(parser)


def run(args: argparse.Namespace) -> int:
    """The command."""
    seconds = asyncio.run(_from_run(args) if args.how == "tree" else _from_file(args))
    total = notes(args.out)
    print(
        f"{total['kept']} labelled solutions of {total['groups']} questions in {args.out}: {total['labelled']} steps, "
        f"{total['rollouts']} rollouts, {_shown(total)}; {duration(seconds)}{foreign_shown(total)}"
    )
    return 0


def _shown(counts: Mapping[str, int]) -> str:
    return f"{counts['zero'] / max(1, counts['labelled']):.3f} of steps labelled 0"


async def _from_file(args: argparse.Namespace) -> float:
    rows = solutions_of(Path(args.source))
    task = training_task(args.task, None, [row.id for row in rows])
    if any(row.step_ids is None for row in rows):
        raise UserError(f"{args.source} has rows without token ids: label what `solutions` sampled")
    names = ("task", "how", "rollouts", "label", "per_question")
    settings = {
        "rows": "labels",
        "source": file_digest(Path(args.source)),
        **{k: getattr(args, k) for k in names},
        **describe_policy(args),
    }
    estimate = {"soft": soft, "hard": hard}[args.label]
    ways: dict[str, Callable[[Solution, Rollouts], Awaitable[Solution]]] = {
        "rollouts": partial(by_rollouts, estimate=estimate),
        "bisect": by_bisection,
        "sorm": by_reach,
    }
    label = ways[args.how]

    async def one(sampler: Sampler, group: list[Solution]) -> Built:
        chosen = group if args.per_question is None else balanced(group, args.per_question)
        rollouts = Rollouts(sampler, args.rollouts)
        native, counts = _native(sampler, chosen)
        found = await asyncio.gather(*(label(row, rollouts) for _, row in native))
        # A row keeps the ids that its own policy wrote: only rollouts need this one's.
        rows = [
            dataclasses.replace(row, values=labelled.values, provenance=labelled.provenance)
            for (row, _), labelled in zip(native, found, strict=True)
        ]
        return _built(rows, rollouts.asked, counts)

    return await build_file(args, task, "labels", settings, grouped(rows), one, _shown)


async def _from_run(args: argparse.Namespace) -> float:
    view, task = open_trees(args.source)
    with RowFile(args.out, {"rows": "labels", "how": "tree", "run": view.name, "created": view.created}) as file:
        async with Grader(task) as grader:
            for result in view.results:
                if result.problem not in file.done and result.failed is None:
                    built = _built(from_tree(await grow(view, result, grader), view.name), 0)
                    file.add(result.problem, built.rows, kept=len(built.rows), **built.counts)
    return 0.0


def _native(sampler: Sampler, rows: Sequence[Solution]) -> tuple[list[tuple[Solution, Solution]], dict[str, int]]:
    """Each row, and it with ids of the sampler's tokenizer; those that have none are counted and left out."""
    found, counts = list[tuple[Solution, Solution]](), Counter[str]()
    for row in rows:
        native = sampler.encoder.solutions([row], words="none")
        found += [(row, made) for made in native.rows]
        counts.update(native.counts)
    return found, counts


def _built(rows: Sequence[Solution], rollouts: int, more: Mapping[str, int] | None = None) -> Built:
    values = [v for row in rows for v in row.values or () if v is not None]
    counts = {"labelled": len(values), "zero": sum(v == 0.0 for v in values), "rollouts": rollouts}
    return Built([row.to_json() for row in rows], {**counts, **(more or {})})


# ---- rollouts --------------------------------------------------------------------------------------------------------


@dataclass
class Rollouts:
    """Rollouts of one question's prefixes, at most `most` of each, asked once however many solutions share it."""

    sampler: Sampler
    most: int
    asked: int = 0
    _outcomes: dict[tuple[int, ...], asyncio.Task[tuple[list[bool], str]]] = field(default_factory=dict)

    async def of(self, row: Solution, step: int, *, until_right: bool) -> tuple[list[bool], str]:
        """Whether each rollout from the prefix that ends with `step` was right, and a right one's text, "" if none.

        With `until_right` they are asked one after the other, and end with the first right one; a prefix must be asked
        in one way only. The last step of a finished solution needs none: its outcome is known.
        """
        assert row.step_ids is not None
        assert row.prompt_ids is not None
        if step == len(row.steps) - 1:
            return [row.correct], ""
        prefix = row.prompt_ids + tuple(i for ids in row.step_ids[: step + 1] for i in ids)
        if prefix not in self._outcomes:
            before = "".join(row.steps[: step + 1])
            self._outcomes[prefix] = asyncio.create_task(self._ask(row, prefix, before, until_right))
        return await self._outcomes[prefix]

    async def _ask(
        self, row: Solution, prefix: tuple[int, ...], before: str, until_right: bool
    ) -> tuple[list[bool], str]:
        problem = Problem(row.id, row.question, row.answer)
        if not until_right:
            self.asked += self.most
            samples = await self.sampler.samples(problem, prefix, before, self.most)
        else:
            samples = []
            while len(samples) < self.most and not (samples and samples[-1].right):
                self.asked += 1
                samples.append(await self.sampler.sample(problem, prefix, before, len(samples)))
        text = next(("".join(step.text for step in s.steps) for s in samples if s.right), "")
        return [s.right for s in samples], text


async def by_rollouts(
    row: Solution, rollouts: Rollouts, estimate: Callable[[Sequence[bool]], float] = soft
) -> Solution:
    """Math-Shepherd's labels (arXiv 2312.08935): for every prefix an estimate, `soft` or `hard`, from its rollouts."""
    found = await asyncio.gather(*(rollouts.of(row, k, until_right=False) for k in range(len(row.steps))))
    return _labelled(row, "rollouts", [estimate(outcomes) for outcomes, _ in found], dict(enumerate(found)))


async def by_bisection(row: Solution, rollouts: Rollouts) -> Solution:
    """OmegaPRM's labels (arXiv 2406.06592): 1 before the first wrong step, 0 from it on, all 1 for a right solution."""
    found: dict[int, tuple[list[bool], str]] = {}
    if row.correct:
        return _labelled(row, "bisect", [1.0] * len(row.steps), found)
    search = Bisection(len(row.steps))
    while (step := search.ask()) is not None:
        found[step] = await rollouts.of(row, step, until_right=True)
        search.tell(any(found[step][0]))
    assert search.found is not None
    return _labelled(row, "bisect", [float(k < search.found) for k in range(len(row.steps))], found)


async def by_reach(row: Solution, rollouts: Rollouts) -> Solution:
    """GLoRe's SORM labels (arXiv 2402.10963): 1 where the policy reaches the right answer when sampled many times.

    This estimates the value of acting best from there. A right answer reached from a prefix is reached from every
    shorter one as well, so prefixes are tried from the longest down until one succeeds.
    """
    found: dict[int, tuple[list[bool], str]] = {}
    reached = len(row.steps) - 1 if row.correct else -1
    for step in reversed(range(reached + 1, len(row.steps) - 1)):
        found[step] = await rollouts.of(row, step, until_right=True)
        if any(found[step][0]):
            reached = step
            break
    return _labelled(row, "sorm", [float(k <= reached) for k in range(len(row.steps))], found)


def _labelled(
    row: Solution, how: str, values: Sequence[float], found: Mapping[int, tuple[list[bool], str]]
) -> Solution:
    """The row with its labels, and what they rest on: for each step asked about, how many rollouts and how many right,
    and a right continuation of the longest prefix that had one."""
    counts = [[sum(found[k][0]), len(found[k][0])] if k in found else None for k in range(len(row.steps))]
    reached = max((k for k, (_, text) in found.items() if text), default=None)
    about = {
        "how": how,
        "counts": counts,
        "first_error": None if row.correct else first_error(values),
        "reached": reached,
        "continuation": "" if reached is None else found[reached][1],
    }
    return dataclasses.replace(row, values=tuple(values), provenance={**row.provenance, "labels": about})


# ---- stored trees ----------------------------------------------------------------------------------------------------


def from_tree(grown: Grown, run_name: str) -> list[Solution]:
    """Every finished solution of a tree, its steps labelled with the tree's values, the last one with the truth."""
    problem, prompt = grown.problem, grown.tree.root.prompt
    rows = []
    for path in grown.finished():
        steps = [node.step for node in path if node.step is not None]
        about = {"how": "tree", "visits": [node.visits for node in path]}
        rows.append(
            Solution(
                problem.id,
                problem.question,
                problem.answer or "",
                tuple(step.text for step in steps),
                grown.right[path[-1].id],
                "sampled",
                prompt,
                tuple(step.ids for step in steps),
                tuple(own_mask(step) for step in steps),
                tuple(grown.value(node) for node in path),
                {"method": "mcts", "run": run_name, "labels": about},
                grown.tokenizer,
            )
        )
    return rows
