"""Sampled solutions of training questions, judged, with the values that their shared prefixes imply."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from data.errors import UserError
from data.labels import Sample, outcome_values
from data.records import Problem
from data.rows import Solution
from data.solutions import equations
from reasoning.cli import duration
from reasoning.collect.sampler import (
    Built,
    Sampled,
    Sampler,
    add_policy_options,
    build_file,
    describe_policy,
    not_negative,
    notes,
    own_mask,
    policy_of,
    positive,
    training_task,
)
from reasoning.profiles import get_profile

__all__ = ["add_options", "balanced", "rows_of", "run"]


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `solutions`."""
    add = parser.add_argument
    add("--task", default="gsm8k", help="whose questions (default: gsm8k)")
    add("--split", default="train", help="the split, never a test split (default: train)")
    add("--data-dir", metavar="DIR", help="where data lies, as in reasoning.solve")
    add("--offset", type=not_negative, default=0, metavar="N", help="skip the first N questions")
    add("--limit", type=positive, metavar="N", help="N questions at most")
    add("--samples", type=positive, default=8, metavar="K", help="samples of each question (default: 8)")
    add("--keep", choices=("distinct", "rft"), default="distinct", help="rft: correct ones whose equations differ")
    add("--per-question-cap", type=positive, metavar="N", help="rows of one question at most, right and wrong in turn")
    add(
        "--prompts-of",
        metavar="PROFILE",
        help="rows carry this profile's prompt, not the one sampled from: training then needs no worked examples",
    )
    add("--out", type=Path, required=True, metavar="FILE.jsonl", help="goes on where an earlier call ended")
    add_policy_options(parser)


def run(args: argparse.Namespace) -> int:
    """The command."""
    task = training_task(args.task, args.split)
    folder = Path(args.data_dir) if args.data_dir else None
    problems = task.load(args.split, data_dir=folder, limit=args.limit, offset=args.offset)
    jobs = {problem.id: problem for problem in problems if problem.answer is not None}
    if not jobs:
        raise UserError(f"{args.task} has no questions with answers at offset {args.offset}")
    other = None if args.prompts_of is None else get_profile(args.prompts_of)
    names = ("task", "split", "samples", "keep", "per_question_cap", *(("prompts_of",) if other else ()))
    settings = {"rows": "solutions", **{k: getattr(args, k) for k in names}, **describe_policy(args)}

    async def one(sampler: Sampler, problem: Problem) -> Built:
        prompt = sampler.policy.prompt(problem)
        samples = await sampler.samples(problem, prompt, "", args.samples)
        tokenizer = sampler.policy.engine.tokenizer.checksum
        if other is not None:
            prompt = other.prompt(task, problem, sampler.policy.engine.tokenizer)
        return rows_of(problem, prompt, samples, settings, args.keep, args.per_question_cap, tokenizer)

    seconds = asyncio.run(build_file(args, task, "solutions", settings, jobs, one, _shown))
    total = notes(args.out)
    long = f", {total['too long']} too long for the model" if total["too long"] else ""
    print(
        f"{total['kept']} solutions of {total['groups']} questions in {args.out}: of {total['samples']} samples "
        f"{_shown(total)}, {total['broken']} cut or malformed; {total['solved']} questions solved at least once{long}; "
        f"{duration(seconds)}"
    )
    return 0


def _shown(counts: Mapping[str, int]) -> str:
    return f"{counts['right'] / max(1, counts['samples']):.3f} correct"


def rows_of(
    problem: Problem,
    prompt: tuple[int, ...],
    samples: Sequence[Sampled],
    settings: Mapping[str, Any],
    keep: str,
    cap: int | None,
    tokenizer: str | None = None,
) -> Built:
    """The rows of one question.

    Values count all samples, and rows are those that ended by themselves: the last step of a sample that was cut or
    broke the grammar is no step. Samples with equal ids are one row; its provenance says how many there were.
    `tokenizer` is the checksum of the one that made the ids.
    """
    values = outcome_values([Sample(tuple(step.ids for step in s.steps), s.right) for s in samples])
    first: dict[tuple[int, ...], int] = {}
    times: dict[tuple[int, ...], int] = {}
    for number, sample in enumerate(samples):
        if sample.whole:
            ids = tuple(i for step in sample.steps for i in step.ids)
            first.setdefault(ids, number)
            times[ids] = times.get(ids, 0) + 1
    rows = [
        Solution(
            problem.id,
            problem.question,
            problem.answer or "",
            tuple(step.text for step in samples[number].steps),
            samples[number].right,
            "sampled",
            prompt,
            tuple(step.ids for step in samples[number].steps),
            tuple(own_mask(step) for step in samples[number].steps),
            values[number],
            {"method": "sample", "sample": number, "times": times[ids], **policy_of(settings)},
            tokenizer,
        )
        for ids, number in first.items()
    ]
    if keep == "rft":
        unlike = {equations("".join(row.steps)): row for row in reversed(rows) if row.correct}
        rows = sorted(unlike.values(), key=lambda row: row.provenance["sample"])
    kept = rows if cap is None else balanced(rows, cap)
    right = sum(s.right for s in samples)
    counts = {
        "samples": len(samples),
        "right": right,
        "solved": int(right > 0),
        "broken": sum(not s.whole for s in samples),
    }
    return Built([row.to_json() for row in kept], counts)


def balanced(rows: Sequence[Solution], count: int) -> list[Solution]:
    """At most `count` of the rows, right and wrong ones in turn while there are both, in their own order."""
    right = [i for i, row in enumerate(rows) if row.correct]
    wrong = [i for i, row in enumerate(rows) if not row.correct]
    # The k-th right one and the k-th wrong one come before the next of either.
    order = sorted([*enumerate(right), *enumerate(wrong)])
    return [rows[i] for i in sorted(i for _, i in order[:count])]
