"""Corrected solutions: a sampled wrong step, a line that says so, and a right way on from there (S3c-Math)."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from data.corrections import corrected
from data.digest import file_digest
from data.errors import UserError
from data.labels import first_error
from data.preferences import same_step
from data.records import Problem
from data.rows import Solution
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

__all__ = ["Correction", "add_correction_options", "add_options", "find_correction", "labelled_solutions", "run"]


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `corrected`."""
    add = parser.add_argument
    add("--from", dest="file", type=Path, required=True, metavar="FILE.jsonl", help="sampled or labelled solutions")
    add("--out", type=Path, required=True, metavar="FILE.jsonl", help="goes on where an earlier call ended")
    add("--per-question", type=positive, metavar="N", help="rows of a question at most")
    add("--task", default="gsm8k", help="the task that judges answers (default: gsm8k)")
    add_correction_options(parser)
    add_policy_options(parser)


def add_correction_options(parser: argparse.ArgumentParser) -> None:
    """How the wrong step and its correction are found."""
    group = parser.add_argument_group("corrections")
    group.add_argument("--tries", type=positive, default=8, metavar="N", help="samples at most for one (default: 8)")
    group.add_argument(
        "--wrong-at",
        type=float,
        default=0.0,
        metavar="V",
        help="the first step of value V or less is the wrong one (default: 0; more for a reward's values)",
    )


def run(args: argparse.Namespace) -> int:
    """The command."""
    rows = labelled_solutions(args.file)
    task = training_task(args.task, None, [row.id for row in rows])
    settings = {
        "rows": "corrected",
        "source": file_digest(args.file),
        **{k: getattr(args, k) for k in ("task", "per_question", "tries", "wrong_at")},
        **describe_policy(args),
    }

    async def one(sampler: Sampler, group: list[Solution]) -> Built:
        native = sampler.encoder.solutions(group, words="all")
        wrong = [row for row in native.rows if not row.correct]
        searches = (find_correction(row, native.rows, sampler, args.tries, args.wrong_at) for row in wrong)
        found = await asyncio.gather(*searches)
        encode = sampler.policy.engine.tokenizer.encode
        made = [
            dataclasses.replace(corrected(row, c.step, c.right[0], encode), tokenizer=row.tokenizer)
            for row, (c, _) in zip(wrong, found, strict=True)
            # A last step ends the solution: nothing can follow it.
            if c is not None and c.step < len(row.steps) - 1 and row.steps[c.step].endswith("\n")
        ]
        # Solutions with a common wrong step have the same correction.
        unlike = {row.step_ids: row.to_json() for row in reversed(made)}
        kept = list(reversed(unlike.values()))[: args.per_question]
        return Built(kept, {"wrong": len(wrong), "sampled": sum(asked for _, asked in found), **native.counts})

    def shown(counts: Mapping[str, int]) -> str:
        return f"{counts['wrong']} wrong solutions"

    seconds = asyncio.run(build_file(args, task, "correction", settings, grouped(rows), one, shown))
    total = notes(args.out)
    print(
        f"{total['kept']} corrected solutions of {total['groups']} questions in {args.out}, from {total['wrong']} "
        f"wrong ones and {total['sampled']} samples; {duration(seconds)}{foreign_shown(total)}"
    )
    return 0


def labelled_solutions(path: Path) -> list[Solution]:
    """The solutions of a file, all with ids and values. Raises DataError or UserError."""
    rows = solutions_of(path)
    if any(row.step_ids is None or row.own is None or row.values is None for row in rows):
        raise UserError(f"{path} has rows without token ids or values: take what `solutions` or `labels` wrote")
    return rows


@dataclass(frozen=True, slots=True)
class Correction:
    """The first wrong step of a solution, and right solutions (at least one) that share all steps before it."""

    step: int
    right: tuple[Solution, ...]
    tried: int


async def find_correction(
    row: Solution, others: Sequence[Solution], sampler: Sampler, tries: int, wrong_at: float
) -> tuple[Correction | None, int]:
    """The first wrong step of a wrong solution with what is right there, and how many samples were asked for it.

    Right solutions among `others` that share the prefix serve first; else up to `tries` samples from the same policy
    and prefix, until one is right. A right solution with the very step that was thought wrong proves that it was not:
    the search goes on at the next step. None where no step has a value of `wrong_at` or less, or nothing right was
    found.
    """
    assert row.step_ids is not None
    assert row.own is not None
    assert row.prompt_ids is not None
    assert row.values is not None
    problem = Problem(row.id, row.question, row.answer)
    first = first_error(row.values, at_most=wrong_at)
    asked = 0
    if first is None:
        return None, asked
    for step in range(first, len(row.steps)):
        right = [
            other
            for other in others
            if other.correct and len(other.steps) > step and (other.step_ids or ())[:step] == row.step_ids[:step]
        ]
        prefix = row.prompt_ids + tuple(i for ids in row.step_ids[:step] for i in ids)
        tried = 0
        while not right and tried < tries:
            sample = await sampler.sample(problem, prefix, "".join(row.steps[:step]), tried)
            tried += 1
            if sample.right:
                right = [
                    dataclasses.replace(
                        row,
                        correct=True,
                        steps=(*row.steps[:step], *(s.text for s in sample.steps)),
                        step_ids=(*row.step_ids[:step], *(s.ids for s in sample.steps)),
                        own=(*row.own[:step], *(own_mask(s) for s in sample.steps)),
                        values=None,
                        provenance={"method": "correction", "tried": tried},
                    )
                ]
        asked += tried
        if not right:
            return None, asked
        if not any(same_step(other.steps[step], row.steps[step]) for other in right):
            return Correction(step, tuple(right), tried), asked
    return None, asked
