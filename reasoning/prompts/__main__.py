"""python -m reasoning.prompts build: a set of prompts for one task and policy, from training questions."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from data.errors import UserError
from data.records import Problem
from reasoning.cli import Parser, duration, run_command
from reasoning.collect.sampler import (
    Sampler,
    add_policy_options,
    describe_policy,
    not_negative,
    positive,
    training_task,
)
from reasoning.prompts.demonstrations import auto_cot
from reasoning.prompts.sets import PLAIN, Prompt, PromptSet, policy_name, tokenizer_digest, write_prompts
from reasoning.prompts.written import instructions, modules

__all__ = ["KINDS", "PLAN_AND_SOLVE", "build", "main"]

KINDS: Final = ("plain", "plan-and-solve", "instructions", "auto-cot", "modules")
PLAN_AND_SOLVE: Final = Prompt(
    "plan-and-solve",
    lead="Let's first understand the problem, extract relevant variables and their corresponding numerals, and devise "
    "a complete plan. Then, let's carry out the plan, calculate intermediate variables (pay attention to correct "
    "numerical calculation and commonsense), solve the problem step by step, and show the answer.",
)  # PS+ of arXiv 2305.04091


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0, 2 for a mistake, 130 after Ctrl-C."""
    return run_command(lambda: _run(argv))


def _run(argv: Sequence[str] | None) -> int:
    parser = Parser(prog="python -m reasoning.prompts", description="Sets of prompts for reasoning.solve --prompts.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    about = "build a set of prompts with a policy, from training questions"
    add_options(commands.add_parser("build", help=about, description=about, allow_abbrev=False))
    return build(parser.parse_args(argv))


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `build`."""
    add = parser.add_argument
    add("--kind", nargs="+", choices=KINDS, required=True, help="one kind or several; the set holds their prompts")
    add("--task", default="gsm8k", help="whose training questions (default: gsm8k)")
    add("--split", default="train", help="the split, never a test split (default: train)")
    add("--data-dir", metavar="DIR", help="where data lies, as in reasoning.solve")
    add("--offset", type=not_negative, default=0, metavar="N", help="skip the first N questions")
    add("--limit", type=positive, default=200, metavar="N", help="N questions at most (default: 200)")
    add("--count", type=positive, default=1, metavar="N", help="prompts of each kind that is sampled (default: 1)")
    add("--demonstrations", type=positive, default=4, metavar="K", help="auto-cot: examples of a prompt (default: 4)")
    add("--out", type=Path, required=True, metavar="FILE.json", help="the set, for --prompts")
    add_policy_options(parser, temperature=0.7)


def build(args: argparse.Namespace) -> int:
    """The command `build`."""
    if not args.out.resolve().parent.is_dir():
        raise UserError(f"--out {args.out}: there is no folder {args.out.resolve().parent}")
    task = training_task(args.task, args.split)
    folder = Path(args.data_dir) if args.data_dir else None
    problems = task.load(args.split, data_dir=folder, limit=args.limit, offset=args.offset)
    training_task(args.task, args.split, [problem.id for problem in problems])
    if not problems:
        raise UserError(f"{args.task} has no questions at offset {args.offset}")
    begun = time.perf_counter()

    async def work() -> tuple[PromptSet, int]:
        async with Sampler.open(args, task, "prompts") as sampler:
            profile = sampler.policy.profile
            if profile.answer == "whole":
                raise UserError(f"the profile {profile.name} has a form of its own: take lines, chat or think")
            prompts = await prompts_of(args.kind, sampler, problems, args.demonstrations, args.count)
            told = describe_policy(args)
            digest = tokenizer_digest(sampler.policy.engine.tokenizer)
            found = PromptSet(
                task.name, policy_name(told["policy"]), told["adapter"], profile.name, digest, tuple(prompts)
            )
            return found, sampler.usage.completion

    found, tokens = asyncio.run(work())
    write_prompts(args.out, found)
    names = ", ".join(prompt.name for prompt in found.prompts)
    print(f"{args.out}: {names}; {tokens:,} tokens written in {duration(time.perf_counter() - begun)}")
    return 0


async def prompts_of(
    kinds: Sequence[str], sampler: Sampler, problems: Sequence[Problem], demonstrations: int, count: int
) -> list[Prompt]:
    """The prompts of these kinds, in the order of KINDS; `count` of each kind that is sampled."""
    found: list[Prompt] = []
    for kind in KINDS:
        if kind not in kinds:
            continue
        if kind == "plain":
            found.append(PLAIN)
        elif kind == "plan-and-solve":
            found.append(PLAN_AND_SOLVE)
        elif kind == "instructions":
            found += await instructions(sampler, problems, count)
        elif kind == "auto-cot":
            found += await auto_cot(sampler, problems, demonstrations, count)
        else:
            found += await modules(sampler, problems, count)
    return found


if __name__ == "__main__":
    sys.exit(main())
