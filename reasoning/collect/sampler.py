"""What every builder shares: a policy that is kept busy, judged outcomes, and a file that grows group by group."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import hashlib
import sys
import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

from data.digest import file_digest
from data.errors import UserError
from data.records import Problem
from data.rows import RowFile, Solution, read_rows
from data.scale import SCALE_NAMES, Scale, add_scale_options
from reasoning.adapters import label, shipped
from reasoning.cli import duration, key_value
from reasoning.engine import open_engine
from reasoning.engine.base import PromptTooLong
from reasoning.engine.models import named
from reasoning.grading import Grader
from reasoning.policy import Policy
from reasoning.profiles import PROFILES, choose_profile, get_profile
from reasoning.tasks import get_task
from reasoning.tasks.base import Task
from reasoning.train.foreign import Encoder
from search.driver import drive_many
from search.types import Finish, Segment, Step, Usage

__all__ = [
    "Built",
    "Busy",
    "Sampled",
    "Sampler",
    "adapter_of",
    "add_policy_options",
    "attempt",
    "build",
    "build_file",
    "build_with",
    "describe_policy",
    "foreign_shown",
    "grouped",
    "not_negative",
    "notes",
    "own_mask",
    "policy_of",
    "positive",
    "solutions_of",
    "training_task",
]

J = TypeVar("J")


# ---- the command line ------------------------------------------------------------------------------------------------


def positive(text: str) -> int:
    """A whole number of at least 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} must be at least 1")
    return value


def not_negative(text: str) -> int:
    """A whole number of at least 0."""
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text} must be at least 0")
    return value


def add_policy_options(parser: argparse.ArgumentParser, *, temperature: float = 0.8) -> None:
    """The options that say which policy is asked, how, and by how many workers."""
    group = parser.add_argument_group("policy")
    add = group.add_argument
    add("--policy", help="as in reasoning.solve (default: the best model that this machine holds)")
    add("--adapter", metavar="FOLDER", help="a LoRA adapter, or none (default: the model's own)")
    add("--profile", default="auto", help=f"how the policy is asked: auto, {', '.join(PROFILES)}")
    add("--backend", default="auto", help="vllm or transformers (default: vLLM where installed)")
    pair = partial(key_value, "--engine")
    add("--engine", action="append", default=[], type=pair, metavar="KEY=VALUE", help="an engine option")
    add("--temperature", type=float, default=temperature, help=f"sampling temperature (default: {temperature})")
    add("--top-p", type=float, default=1.0, help="nucleus sampling (default: 1)")
    add("--max-answer-tokens", type=positive, metavar="N", help="tokens of one sample at most (default: the profile's)")
    add("--seed", type=not_negative, default=0, help="seed of all samples (default: 0)")
    add("--concurrency", type=positive, default=64, metavar="N", help="samples in flight (default: 64)")
    add_scale_options(parser)


def describe_policy(args: argparse.Namespace) -> dict[str, Any]:
    """What of the policy's options bears on what it samples, as JSON values: the head of a file of rows.

    An adapter is told by its content too, so that a file is never continued with another one of the same name.
    """
    args.policy = named(args.policy)  # what the default comes to here is what workers elsewhere are told
    adapter = adapter_of(args)
    weights = Path(adapter or "none") / "adapter_model.safetensors"
    names = ("profile", "temperature", "top_p", "max_answer_tokens", "seed")
    return {
        "policy": args.policy,
        "adapter": label(adapter),
        **{name: getattr(args, name) for name in names},
        "adapter_sha256": file_digest(weights) if weights.is_file() else None,
    }


def policy_of(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What a row's provenance says of its policy: the part of a file's settings, or of another row's provenance."""
    names = ("policy", "adapter", "adapter_sha256", "temperature", "top_p", "seed")
    return {name: settings[name] for name in names if name in settings}


def adapter_of(args: argparse.Namespace) -> str | None:
    """The adapter that a command's policy takes, as `reasoning.solve` chooses it."""
    if args.adapter is not None:
        return str(args.adapter)
    found = shipped(named(args.policy), getattr(args, "task", ""))
    return None if found is None else str(found)


def training_task(name: str, split: str | None = None, ids: Sequence[str] = ()) -> Task:
    """The task, where one may train on it. Raises UserError for evaluation-only tasks, test splits and test rows."""
    task = get_task(name)
    if task.evaluation_only:
        raise UserError(f"the task {task.name} is for evaluation only: take another")
    if split is not None and "test" in split.lower():
        raise UserError(f"the split {split} of {task.name} is for measuring only: take --split train")
    for key in ids:
        if "test" in key.split("/")[:-1]:
            raise UserError(f"{key} is a question of a test split, which is for measuring only: take training rows")
    return task


# ---- sampling --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sampled:
    """What one sample continued a prefix with, and whether its answer is right."""

    steps: tuple[Step, ...]
    right: bool

    @property
    def whole(self) -> bool:
        """Whether it ended by itself; the last step of any other is no step (see `search.types.Finish`)."""
        return self.steps[-1].finish in (Finish.ANSWER, Finish.END) and all(s.ids for s in self.steps)


@dataclass
class Sampler:
    """A policy, at most `concurrency` samples in flight, and a judge. `usage` is what it all cost so far.

    `salt` is the seed and the stage of the work: a later stage that asks again from the same prefix must not get the
    samples that an earlier one has seen.
    """

    policy: Policy
    grader: Grader
    salt: str = ""
    concurrency: int = 64
    usage: Usage = field(default_factory=Usage)

    @property
    def encoder(self) -> Encoder:
        """What makes ids of rows whose own are another tokenizer's than the policy's."""
        tokenizer = self.policy.engine.tokenizer
        return Encoder(tokenizer, self.policy.prompt, min(tokenizer.eos_ids, default=None))

    def __post_init__(self) -> None:
        self._slots = asyncio.Semaphore(self.concurrency)

    @classmethod
    @asynccontextmanager
    async def open(cls, args: argparse.Namespace, task: Task, stage: str) -> AsyncIterator[Sampler]:
        """The sampler of a command. Raises UserError or EngineError where the policy does not start."""
        if args.temperature < 0 or not 0 < args.top_p <= 1:
            raise UserError("--temperature must not be negative and --top-p must lie in (0, 1]")
        if args.profile != "auto":
            get_profile(args.profile)
        print(f"starting {named(args.policy)} ...", file=sys.stderr)
        begun = time.perf_counter()
        adapter = adapter_of(args)
        engine = await open_engine(args.policy, adapter=adapter, backend=args.backend, options=dict(args.engine))
        grader = Grader(task)
        try:
            auto = args.profile == "auto"
            profile = choose_profile(named(args.policy), adapter, engine, task) if auto else get_profile(args.profile)
            if args.max_answer_tokens is not None:
                profile = dataclasses.replace(profile, max_answer_tokens=args.max_answer_tokens)
            policy = Policy(engine, task, profile, args.temperature, args.top_p)
            policy.prompt(Problem("check", ""))  # a profile that the model cannot take is refused here, once
            took = duration(time.perf_counter() - begun)
            print(f"{engine.name} on {engine.device}, profile {profile.name}, ready after {took}", file=sys.stderr)
            yield cls(policy, grader, f"{args.seed}\0{stage}", args.concurrency)
        finally:
            await grader.close()
            await engine.close()

    async def sample(self, problem: Problem, prefix: Sequence[int], before: str, index: int) -> Sampled:
        """Sample number `index` of what follows `prefix` (all ids so far; `before` is the solution's text so far).

        Its seed is a hash of salt, question, prefix and number: neither order nor concurrency changes it.
        """
        digest = hashlib.blake2b(f"{self.salt}\0{problem.id}\0{index}\0{tuple(prefix)}".encode(), digest_size=4)
        seed = int.from_bytes(digest.digest(), "big") >> 1
        async with self._slots:
            outcome = await self.policy.sample(prefix, before, "answer", seed, self.policy.most_tokens("answer"))
        self.usage += outcome.usage
        answer = outcome.steps[-1].answer
        right = answer is not None and (await self.grader.judge(problem, answer)).correct
        return Sampled(outcome.steps, right)

    async def samples(self, problem: Problem, prefix: Sequence[int], before: str, count: int) -> list[Sampled]:
        """Samples 0 to `count` - 1, all asked for at once."""
        return await asyncio.gather(*(self.sample(problem, prefix, before, i) for i in range(count)))


def own_mask(step: Step) -> tuple[int, ...]:
    """1 for each of the step's tokens that the policy wrote, 0 for the calculator's."""

    def mask(segment: Segment) -> tuple[int, ...]:
        return (int(segment.source == "model"),) * len(segment.ids)

    return tuple(x for segment in step.segments for x in mask(segment))


# ---- a file, group by group ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Built:
    """One group: its rows, what there is to count about it, and rows that belong into another file (see `build`)."""

    rows: Sequence[Mapping[str, Any]]
    counts: Mapping[str, int]
    aside: Sequence[Mapping[str, Any]] = ()


async def build_file(
    args: argparse.Namespace,
    task: Task,
    stage: str,
    settings: Mapping[str, Any],
    jobs: Mapping[str, J],
    work: Callable[[Sampler, J], Awaitable[Built]],
    shown: Callable[[Mapping[str, int]], str],
) -> float:
    """`build_with` for a command's `--out` and the policy of its options, not started where the file is whole."""
    with RowFile(args.out, settings) as file:
        if jobs.keys() <= file.done:
            return 0.0
        return await build_with(args, partial(Sampler.open, args, task, stage), file, jobs, work, shown)


class Busy(Protocol):
    """Whoever does the jobs of a file: how many at a time, and what they have cost so far."""

    concurrency: int
    usage: Usage


S = TypeVar("S", bound=Busy)


async def build_with(
    args: argparse.Namespace,
    opened: Callable[[], AbstractAsyncContextManager[S]],
    file: RowFile,
    jobs: Mapping[str, J],
    work: Callable[[S, J], Awaitable[Built]],
    shown: Callable[[Mapping[str, int]], str],
    aside: RowFile | None = None,
) -> float:
    """`build` with what `opened` opens, here or, as the command's options say, in Ray actors that open their own."""
    scale = Scale.of({name: getattr(args, name, None) for name in SCALE_NAMES})
    if scale is None:
        async with opened() as sampler:
            return await build(sampler, file, jobs, partial(work, sampler), shown, aside)
    from reasoning.scale.building import build_scaled

    todo = _todo(file, jobs, aside)
    print(f"starting {scale.workers} workers of Ray ...", file=sys.stderr)
    return await _fill(file, build_scaled(args, opened, todo, work, scale), len(todo), shown, aside)


async def build(
    sampler: Busy,
    file: RowFile,
    jobs: Mapping[str, J],
    work: Callable[[J], Awaitable[Built]],
    shown: Callable[[Mapping[str, int]], str],
    aside: RowFile | None = None,
) -> float:
    """Do every job whose group the file lacks, and write each the moment it is done; seconds it took.

    Jobs never wait for one another, only for a free slot of the sampler, which serves them in their order. A question
    that does not fit the model's context is a group without rows. `shown` turns the counts so far into words. Rows that
    a group puts `aside` are written there, and before its own: a group that a kill left there alone has its verdict,
    counts as refused, and is not worked on again.
    """
    todo = _todo(file, jobs, aside)

    async def found() -> AsyncGenerator[tuple[str, Built, int], None]:
        # As many jobs as slots: even where each of them has one sample under way, every slot is taken.
        async for group, built in drive_many(todo, partial(attempt, work), concurrency=sampler.concurrency):
            yield group, built, sampler.usage.completion

    return await _fill(file, found(), len(todo), shown, aside)


async def attempt(work: Callable[[J], Awaitable[Built]], item: tuple[str, J]) -> tuple[str, Built]:
    """A group's name with what becomes of its job."""
    group, job = item
    try:
        return group, await work(job)
    except PromptTooLong:
        return group, Built((), {"too long": 1})


def _todo(file: RowFile, jobs: Mapping[str, J], aside: RowFile | None) -> list[tuple[str, J]]:
    """The jobs whose group the file lacks, once those that lie aside are told there."""
    for group in jobs:
        if aside is not None and group in aside.done and group not in file.done:
            file.add(group, (), kept=0, refused=1)
    todo = [(group, job) for group, job in jobs.items() if group not in file.done]
    if len(todo) < len(jobs):
        print(f"{len(jobs) - len(todo)} of {len(jobs)} are done already", file=sys.stderr)
    return todo


async def _fill(
    file: RowFile,
    found: AsyncGenerator[tuple[str, Built, int], None],
    total: int,
    shown: Callable[[Mapping[str, int]], str],
    aside: RowFile | None,
) -> float:
    """Write groups as they are found, each with the tokens spent so far; seconds it took."""
    progress = _Progress(total)
    counts: Counter[str] = Counter()
    begun = time.perf_counter()
    try:
        async with aclosing(found):
            async for group, built, tokens in found:
                if built.aside and aside is not None:
                    aside.add(group, built.aside)
                file.add(group, built.rows, kept=len(built.rows), **built.counts)
                counts.update(built.counts)
                progress.update(shown(counts), tokens)
    except asyncio.CancelledError:
        print(f"\nstopped; the same command goes on from {len(file.done)} groups in {file.path}", file=sys.stderr)
        raise
    finally:
        progress.end()
    return time.perf_counter() - begun


def notes(path: Path) -> Counter[str]:
    """The counts of all groups of a file, added up, and `groups`, how many there are."""
    total: Counter[str] = Counter()
    for row in read_rows(path):
        if "group" in row:
            total.update({k: v for k, v in row.items() if isinstance(v, int)})
            total["groups"] += 1
    return total


def solutions_of(path: Path) -> list[Solution]:
    """The solutions of a file. Raises DataError; UserError where it holds none."""
    found = [Solution.of(row) for row in read_rows(path) if "steps" in row]
    if not found:
        raise UserError(f"{path} holds no solutions")
    return found


def foreign_shown(total: Mapping[str, int]) -> str:
    """What a command says of the rows of other tokenizers that it met, where it met any."""
    if not total["foreign"]:
        return ""
    left = f", but for {total['unfit']} that cannot be and were left out" if total["unfit"] else ""
    whose = f"{total['foreign']} rows hold ids of another or an unknown tokenizer"
    return f"; {whose}: encoded again from their text{left}"


def grouped(rows: Sequence[Solution]) -> dict[str, list[Solution]]:
    """The solutions of each question, in their order."""
    found: dict[str, list[Solution]] = {}
    for row in rows:
        found.setdefault(row.id, []).append(row)
    return found


class _Progress:
    """A live line on a terminal; elsewhere a line every half minute."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.done = 0
        self.begun = time.perf_counter()
        self.live = sys.stderr.isatty()
        self.next = 0.1 if self.live else 30.0
        self.shown = False

    def update(self, words: str, tokens: int) -> None:
        """Count one finished job; `tokens` were generated so far."""
        self.done += 1
        passed = time.perf_counter() - self.begun
        if passed < self.next and not (self.live and self.done == self.total):
            return
        self.next = passed + (0.2 if self.live else 30.0)
        left = duration(passed / self.done * (self.total - self.done))
        line = f"{self.done}/{self.total}  {words}  {tokens / passed:.0f} tokens/s  {left} left"
        print(f"\r\x1b[2K{line}" if self.live else line, end="" if self.live else "\n", file=sys.stderr, flush=True)
        self.shown = True

    def end(self) -> None:
        """Leave the line as it stands."""
        if self.live and self.shown:
            print(file=sys.stderr)
