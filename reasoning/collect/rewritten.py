"""Synthetic problems told anew by an engine's model, kept where a reader builds an equivalent model from its text."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import hashlib
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from data.digest import file_digest
from data.errors import DataError, UserError
from data.rows import RowFile, read_rows
from data.synthesis.rewriting import Reader, Told, by_rules, conversation, judged
from reasoning.cli import duration
from reasoning.collect.sampler import (
    Built,
    adapter_of,
    add_policy_options,
    build,
    build_with,
    describe_policy,
    not_negative,
    notes,
    policy_of,
    positive,
)
from reasoning.engine import open_engine
from reasoning.engine.base import Engine, Sampling
from reasoning.engine.models import named
from reasoning.profiles import choose_profile, get_profile
from search.types import Usage

__all__ = ["Writer", "add_options", "retold", "rewrite", "run"]

_MOST_TOKENS: Final = 1024
_BASE: Final = "\n\nThe description:"
_STOP: Final = ("\n",)
"""Ends the description of a model that only continues a text."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `rewritten`."""
    add = parser.add_argument
    add("--synthesis", type=Path, required=True, metavar="FILE.jsonl", help="rows of data.synthesis")
    add("--out", type=Path, required=True, metavar="FILE.jsonl", help="goes on where an earlier call ended")
    add("--hard", type=Path, metavar="FILE.jsonl", help="what is refused, with the reason (default: OUT-hard.jsonl)")
    add("--offset", type=not_negative, default=0, metavar="N", help="skip the first N rows")
    add("--limit", type=positive, metavar="N", help="N rows at most")
    add("--rounds", type=not_negative, default=2, metavar="R", help="refinements of a text at most (default: 2)")
    add_policy_options(parser, temperature=0.7)


def run(args: argparse.Namespace) -> int:
    """The command."""
    if args.temperature < 0 or not 0 < args.top_p <= 1:
        raise UserError("--temperature must not be negative and --top-p must lie in (0, 1]")
    if args.profile != "auto":
        get_profile(args.profile)
    # An adapter that comes with the package solves problems; none writes them.
    args.adapter = args.adapter or "none"
    hard = args.hard or args.out.with_name(f"{args.out.stem}-hard{args.out.suffix}")
    if hard == args.out:
        raise UserError(f"--out and --hard are both {hard}: name two files")
    rows = dict(list(_rows(args.synthesis).items())[args.offset :][: args.limit])
    if not rows:
        raise UserError(f"{args.synthesis} has no rows at offset {args.offset}")
    settings = {
        "rows": "rewritten",
        "source": file_digest(args.synthesis),
        "rounds": args.rounds,
        "reader": "rules",
        **describe_policy(args),
    }
    with RowFile(args.out, settings) as file, RowFile(hard, settings) as refused:
        seconds = 0.0
        if not rows.keys() <= file.done:
            seconds = asyncio.run(_rewrite(args, file, refused, rows, settings))
    total = notes(args.out)
    long = f", {total['too long']} too long for the model" if total["too long"] else ""
    print(
        f"{total['kept']} of {total['groups']} rows told anew in {args.out}, {total['refused']} refused in {hard}"
        f"{long}; {duration(seconds)}"
    )
    return 0


def _rows(path: Path) -> dict[str, dict[str, Any]]:
    """The rows of a file of synthetic problems, by id. Raises DataError."""
    found = {row["id"]: row for row in read_rows(path) if "text" in row and "id" in row}
    needed = {"problem", "distractors", "generator"}
    for name, row in found.items():
        if missing := needed - row.keys():
            raise DataError(f"{path}: the row {name} has no '{min(missing)}': name a file of python -m data.synthesis")
    return found


async def _rewrite(
    args: argparse.Namespace,
    file: RowFile,
    refused: RowFile,
    rows: Mapping[str, Mapping[str, Any]],
    settings: Mapping[str, Any],
) -> float:
    work = partial(retold, rounds=args.rounds, settings=settings)
    return await build_with(args, partial(Writer.open, args), file, rows, work, _shown, refused)


@dataclass
class Writer:
    """A model that is asked for texts, at most `concurrency` at a time. `usage` is what it all cost so far.

    With `chat` requests go through the model's chat template, and it criticises texts too; without, it continues them.
    """

    engine: Engine
    chat: bool
    sampling: Sampling
    seed: int = 0
    concurrency: int = 64
    usage: Usage = field(default_factory=Usage)

    def __post_init__(self) -> None:
        self._slots = asyncio.Semaphore(self.concurrency)

    @classmethod
    @asynccontextmanager
    async def open(cls, args: argparse.Namespace) -> AsyncIterator[Writer]:
        """The writer of a command. Raises UserError or EngineError where the policy does not start."""
        print(f"starting {named(args.policy)} ...", file=sys.stderr)
        adapter = adapter_of(args)
        engine = await open_engine(args.policy, adapter=adapter, backend=args.backend, options=dict(args.engine))
        try:
            auto = args.profile == "auto"
            profile = choose_profile(named(args.policy), adapter, engine) if auto else get_profile(args.profile)
            print(f"{engine.name} on {engine.device}, profile {profile.name}", file=sys.stderr)
            sampling = Sampling(
                args.max_answer_tokens or _MOST_TOKENS,
                args.temperature,
                args.top_p,
                stop=() if profile.chat else _STOP,
                logprobs=False,
            )
            yield cls(engine, profile.chat, sampling, args.seed, args.concurrency)
        finally:
            await engine.close()

    async def ask(self, row: str, number: int, request: str) -> str:
        """The answer to request `number` about a row.

        Its seed is a hash of seed, row and number: neither order nor concurrency changes it. Raises EngineError, which
        is PromptTooLong where the request does not fit.
        """
        tokenizer = self.engine.tokenizer
        prompt = (
            tokenizer.chat([{"role": "user", "content": request}])
            if self.chat
            else [*tokenizer.bos_ids, *tokenizer.encode(request + _BASE)]
        )
        digest = hashlib.blake2b(f"{self.seed}\0{row}\0{number}".encode(), digest_size=4).digest()
        sampling = dataclasses.replace(self.sampling, seed=int.from_bytes(digest, "big") >> 1)
        async with self._slots:
            completion = await self.engine.complete(prompt, sampling)
        self.usage += completion.usage
        return completion.text


async def rewrite(
    writer: Writer,
    file: RowFile,
    refused: RowFile,
    rows: Mapping[str, Mapping[str, Any]],
    rounds: int,
    settings: Mapping[str, Any],
    reader: Reader = by_rules,
) -> float:
    """Tell the rows anew that `file` lacks; seconds it took. Raises EngineError.

    Accepted rows go into `file`, the others with `hard`, their reason, into `refused`.
    """
    work = partial(retold, writer, rounds=rounds, settings=settings, reader=reader)
    return await build(writer, file, rows, work, _shown, refused)


async def retold(
    writer: Writer, row: Mapping[str, Any], *, rounds: int, settings: Mapping[str, Any], reader: Reader = by_rules
) -> Built:
    """A row told anew, and judged. Raises EngineError."""
    told = await _told(writer, row, rounds)
    # Reading and comparing are work of seconds: the engine goes on meanwhile.
    verdict = await asyncio.to_thread(judged, row, told, reader)
    fresh = {**verdict.row, "of": row["id"], "rounds": told.rounds, "provenance": policy_of(settings)}
    if verdict.reason is None:
        return Built([fresh], {"refused": 0})
    return Built((), {"refused": 1}, [{**fresh, "hard": verdict.reason}])


def _shown(counts: Mapping[str, int]) -> str:
    return f"{counts['refused']} refused"


async def _told(writer: Writer, row: Mapping[str, Any], rounds: int) -> Told:
    """A conversation about a row with the writer's model, to its end."""
    talk = conversation(row, rounds, critic=writer.chat)
    request, number = next(talk), 0
    while True:
        answer = await writer.ask(row["id"], number, request)
        try:
            request, number = talk.send(answer), number + 1
        except StopIteration as end:
            told: Told = end.value
            return told
