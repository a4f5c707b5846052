"""Auto-CoT (arXiv 2210.03493): worked examples that the policy writes itself, one from each cluster of questions."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from data.errors import UserError
from data.records import Problem
from reasoning.collect.sampler import Sampler
from reasoning.prompts.clusters import clusters
from reasoning.prompts.sets import Prompt, prompt_name
from reasoning.tasks.base import Example

__all__ = ["auto_cot"]

MAX_WORDS: Final = 60  # of a question
MAX_STEPS: Final = 5  # before the step that gives the answer
_AT_ONCE: Final = 8  # questions of a cluster that are tried at the same time


async def auto_cot(sampler: Sampler, problems: Sequence[Problem], demonstrations: int, count: int) -> list[Prompt]:
    """`count` prompts of `demonstrations` worked examples each.

    The questions are clustered; in each cluster, from its middle outwards, the first `count` questions that meet the
    heuristics give an example to one prompt each: a question of at most 60 words whose sampled solution has at most
    five steps and an answer. Where this departs from the paper: the questions' vectors are TF-IDF and not those of
    Sentence-BERT; the policy is asked as it always is, which gives its answers their form, and not by "Let's think
    step by step"; and as training questions have reference answers, a solution with another answer is left out.

    Raises UserError where there are fewer different questions than clusters, or a cluster gives too few examples.
    """
    groups = clusters([problem.question for problem in problems], demonstrations)
    found = await asyncio.gather(*(_examples(sampler, [problems[i] for i in group], count) for group in groups))
    for number, (group, examples) in enumerate(zip(groups, found, strict=True), 1):
        if len(examples) < count:
            raise UserError(
                f"cluster {number} of {demonstrations} ({len(group)} questions) gave {len(examples)} short right "
                f"solutions of {count}: raise --limit, or lower --demonstrations or --count"
            )
    return [
        Prompt(prompt_name("auto-cot", number, count), examples=tuple(e[number] for e in found))
        for number in range(count)
    ]


async def _examples(sampler: Sampler, problems: Sequence[Problem], count: int) -> list[Example]:
    """The first `count` examples that these questions give, in their order."""
    short = [p for p in problems if p.answer is not None and len(p.question.split()) <= MAX_WORDS]
    found: list[Example] = []
    for start in range(0, len(short), _AT_ONCE):
        if len(found) >= count:
            break
        tried = await asyncio.gather(*(_example(sampler, p) for p in short[start : start + _AT_ONCE]))
        found += [example for example in tried if example is not None]
    return found[:count]


async def _example(sampler: Sampler, problem: Problem) -> Example | None:
    profile = sampler.policy.profile
    sampled = await sampler.sample(problem, sampler.policy.prompt(problem), "", 0)
    text = "".join(step.text for step in sampled.steps)
    if profile.think_end is not None:
        text = text.rpartition(profile.think_end)[2]
    steps = [step for step in text.split(profile.step_end) if step.strip()]
    if not sampled.right or not 2 <= len(steps) <= MAX_STEPS + 1:
        return None
    return Example(problem.question, text.strip())
