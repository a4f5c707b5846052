"""python -m benchmarks.serving: what the server costs beside the driver in one's own process, and how it bears load.

The server is `python -m reasoning.serve` in a process of its own; its clients are this one.

Overhead: the same questions, seeds, method and settings by `Solver.arun` in this process and by --clients clients of
the server, each on an engine of its own, in turns that go round; a round that is not counted warms both. Latency: 1, 2,
4, ... clients, each with its next question as soon as it has an answer. With --minutes, load: requests arrive at twice
the rate that --clients clients were served at, where --clients searches may run and as many wait. A request's seed is
its own, and has to come back with the answer; the toy engine (--policy toy) does sums, whose answers have to be right.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import psutil
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.common import machine, print_table, write_result
from data.errors import UserError
from data.records import Problem
from reasoning.adapters import shipped
from reasoning.cli import Parser, key_value, run_command
from reasoning.engine import open_engine
from reasoning.engine.base import Engine
from reasoning.engine.models import named
from reasoning.profiles import choose_profile
from reasoning.serve.presets import policy_name
from reasoning.serve.settings import ServeConfig
from reasoning.solver import Solver
from reasoning.tasks import get_task
from search.methods import METHODS

__all__ = [
    "Ask",
    "Reply",
    "Setting",
    "Target",
    "endless",
    "latency",
    "load",
    "main",
    "overhead",
    "questions",
    "serving",
]

TASK: Final = "gsm8k"
PATH: Final = "/v1/chat/completions"
STARTUP_SECONDS: Final = 600.0  # a model loads, on a busy machine
MOST_OPEN: Final = 4  # times what the server holds: so many requests are open at most while they arrive


@dataclass(frozen=True, slots=True)
class Setting:
    """What both sides are told: the policy and its engine's options, the method, and how many clients there are."""

    policy: str | None
    method: str
    clients: int
    engine: dict[str, str]
    adapter: str | None = None

    @property
    def model(self) -> str:
        """The method as a model of the server."""
        return f"{policy_name(self.policy)}/{self.method}"


@dataclass(frozen=True, slots=True)
class Ask:
    """A question with its seed, and the answer that is right where that is known."""

    question: str
    seed: int
    right: str | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back, and after how many seconds: the status, or what the client saw in its place."""

    status: int | str
    seconds: float
    answer: str | None = None
    tokens: int = 0
    own: bool = True  # whether seed and answer are those of the question


@dataclass(frozen=True, slots=True)
class Target:
    """A running server."""

    client: httpx.AsyncClient
    process: psutil.Process
    setting: Setting

    async def ask(self, ask: Ask) -> Reply:
        """One request."""
        begun = time.perf_counter()
        body = {
            "model": self.setting.model,
            "messages": [{"role": "user", "content": ask.question}],
            "stepsolver": {"task": TASK, "seed": ask.seed},
        }
        try:
            answer = await self.client.post(PATH, json=body)
        except httpx.HTTPError as error:
            return Reply(type(error).__name__, time.perf_counter() - begun)
        seconds = time.perf_counter() - begun
        if answer.status_code == 200:
            told = answer.json()["stepsolver"]
            own = told["seed"] == ask.seed and ask.right in (None, told["answer"])
            return Reply(200, seconds, told["answer"], told["usage"]["completion_tokens"], own)
        if answer.status_code == 429 and "retry-after" not in answer.headers:
            return Reply("429 without Retry-After", seconds)
        return Reply(answer.status_code, seconds)

    async def counts(self) -> Counter[tuple[str, str]]:
        """The server's own counts of requests by status, of searches by outcome, and of searches now."""
        text = (await self.client.get("/metrics")).text
        found: Counter[tuple[str, str]] = Counter()
        for sample in (s for family in text_string_to_metric_families(text) for s in family.samples):
            if sample.name == "stepsolver_requests_total" and sample.labels["route"] == PATH:
                found["request", sample.labels["status"]] += int(sample.value)
            elif sample.name == "stepsolver_searches_total":
                found["search", sample.labels["outcome"]] += int(sample.value)
            elif sample.name in ("stepsolver_searches_running", "stepsolver_searches_queued"):
                found["now", sample.name.rpartition("_")[2]] += int(sample.value)
        return found

    def memory(self) -> float:
        """MiB of the server and of the processes it started."""
        found = 0
        for process in (self.process, *self.process.children(recursive=True)):
            try:
                found += process.memory_info().rss
            except psutil.NoSuchProcess:
                continue
        return found / 2**20


# ---- the two sides ---------------------------------------------------------------------------------------------------


@contextmanager
def _command(setting: Setting) -> Iterator[tuple[str, psutil.Process]]:
    """The address and the process of a server that runs as many searches as there are clients, and queues as many."""
    given = {"--policy": setting.policy, "--adapter": setting.adapter, "--port": 0}
    given |= {"--max-running": setting.clients, "--max-queued": setting.clients}
    options = [text for flag, value in given.items() if value is not None for text in (flag, str(value))]
    options += [text for key, value in setting.engine.items() for text in ("--engine", f"{key}={value}")]
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "reasoning.serve", *options], stdin=subprocess.DEVNULL, stdout=said, stderr=said
        )
        try:
            yield _address(process, said), psutil.Process(process.pid)
        finally:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _address(process: subprocess.Popen[bytes], said: Any) -> str:
    end = time.monotonic() + STARTUP_SECONDS
    while process.poll() is None and time.monotonic() < end:
        said.seek(0)
        for line in said:
            if " models of " in line and line.endswith("\n"):
                return str(line.rpartition(" at ")[2].strip())
        time.sleep(0.05)
    said.seek(0)
    last = [line.strip() for line in said if line.strip()][-1:]
    raise UserError(f"the server did not start: {''.join(last) or 'it said nothing'}")


@asynccontextmanager
async def serving(setting: Setting) -> AsyncIterator[Target]:
    """A server of its own for this setting."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=4 * setting.clients)
    with _command(setting) as (address, process):
        async with httpx.AsyncClient(base_url=address, timeout=600.0, limits=limits, trust_env=False) as client:
            yield Target(client, process, setting)


async def _here(setting: Setting, engine: Engine, asks: Sequence[Ask]) -> tuple[list[Reply], float]:
    """The same by the driver in this process. The asks share a seed."""
    adapter = setting.adapter or shipped(named(setting.policy), TASK)
    solver = Solver(
        TASK,
        setting.method,
        engine,
        adapter=None if adapter is None else str(adapter),
        profile=choose_profile(
            named(setting.policy), None if adapter is None else str(adapter), engine, get_task(TASK)
        ).name,
        seed=asks[0].seed,
        concurrency=setting.clients,
        max_tokens_per_problem=ServeConfig().max_tokens_per_request,
    )
    async with solver:
        begun = time.perf_counter()
        # Samples are seeded by the problem's name, too: the server calls each of them so.
        results = await solver.arun([Problem("question", ask.question) for ask in asks])
        seconds = time.perf_counter() - begun
    return [Reply(200, r.seconds or 0.0, r.answer, r.completion_tokens) for r in results], seconds


async def _there(target: Target, asks: Iterable[Ask], clients: int) -> tuple[list[Reply], float]:
    """Replies in the order of the asks, from so many clients that each ask again when they have an answer."""
    waiting = iter(enumerate(asks))
    found: dict[int, Reply] = {}

    async def client() -> None:
        for number, ask in waiting:
            found[number] = await target.ask(ask)

    begun = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    return [found[number] for number in sorted(found)], time.perf_counter() - begun


# ---- what is measured ------------------------------------------------------------------------------------------------


async def overhead(target: Target, asks: Sequence[Ask], repeats: int) -> list[dict[str, Any]]:
    """Tokens a second of both sides in rounds of the same work, each round with a seed of its own."""
    setting = target.setting
    adapter = setting.adapter or shipped(named(setting.policy), TASK)
    engine = await open_engine(
        setting.policy, adapter=None if adapter is None else str(adapter), options=setting.engine
    )
    rows = []
    try:
        for number in range(repeats + 1):
            seeded = [Ask(ask.question, number, ask.right) for ask in asks]
            if number % 2:
                here = await _here(setting, engine, seeded)
                there = await _there(target, seeded, setting.clients)
            else:
                there = await _there(target, seeded, setting.clients)
                here = await _here(setting, engine, seeded)
            tokens = [sum(reply.tokens for reply in replies) for replies, _ in (here, there)]
            speeds = [count / seconds for count, (_, seconds) in zip(tokens, (here, there), strict=True)]
            rows.append(
                {
                    "round": number,
                    "first": "in process" if number % 2 else "server",
                    "questions": len(seeded),
                    "tokens in process": tokens[0],
                    "tokens, server": tokens[1],
                    "tokens/s in process": speeds[0],
                    "tokens/s, server": speeds[1],
                    "server/in process": speeds[1] / speeds[0],
                    "same answers": sum(a.answer == b.answer for a, b in zip(here[0], there[0], strict=True)),
                    "not 200": sum(reply.status != 200 for reply in there[0]),
                }
            )
    finally:
        await engine.close()
    return rows[1:]


async def latency(target: Target, asks: Iterator[Ask], least: int) -> list[dict[str, Any]]:
    """Seconds to an answer and answers a second at 1, 2, 4, ... clients; at least so many requests each."""
    rows = []
    for clients in _levels(target.setting.clients):
        replies, seconds = await _there(target, itertools.islice(asks, max(least, 2 * clients)), clients)
        times = sorted(reply.seconds for reply in replies)
        rows.append(
            {
                "clients": clients,
                "requests": len(replies),
                "p50 s": _quantile(times, 0.5),
                "p95 s": _quantile(times, 0.95),
                "requests/s": len(replies) / seconds,
                "tokens/s": sum(reply.tokens for reply in replies) / seconds,
                "not 200": sum(reply.status != 200 for reply in replies),
                "mixed up": sum(not reply.own for reply in replies),
            }
        )
    return rows


async def load(target: Target, asks: Iterator[Ask], seconds: float) -> dict[str, Any]:
    """What becomes of requests that arrive at twice the rate at which the server's full set of clients is served."""
    clients = target.setting.clients
    end = time.monotonic() + min(30.0, seconds / 4)
    replies, took = await _there(target, itertools.takewhile(lambda _: time.monotonic() < end, asks), clients)
    if any(reply.status != 200 for reply in replies):
        raise UserError("the server refused its own number of clients: is somebody else using it?")
    rate = 2 * len(replies) / took
    before, memory = await target.counts(), [target.memory()]
    replies, took = await _arriving(target, asks, rate, seconds, memory)
    after = await _quiet(target)
    memory.append(target.memory())
    by_status = Counter(str(reply.status) for reply in replies)
    others = {status: count for status, count in by_status.items() if status not in ("200", "429")}
    new = after - before
    times = sorted(reply.seconds for reply in replies if reply.status == 200)
    return {
        "seconds": took,
        "capacity, requests/s": rate / 2,
        "offered, requests/s": len(replies) / took,
        "served, requests/s": by_status["200"] / took,
        "requests": len(replies),
        "200": by_status["200"],
        "429": by_status["429"],
        "other": sum(others.values()),
        "which other": ", ".join(sorted(others)) or None,
        "mixed up": sum(not reply.own for reply in replies),
        "counted by the server": new["request", "200"] == new["search", "answered"] == by_status["200"]
        and new["request", "429"] == by_status["429"],
        "p50 s": _quantile(times, 0.5),
        "p95 s": _quantile(times, 0.95),
        "MiB at start": memory[0],
        "MiB half-way": memory[len(memory) // 2],
        "MiB at end": memory[-1],
    }


async def _arriving(
    target: Target, asks: Iterator[Ask], rate: float, seconds: float, memory: list[float]
) -> tuple[list[Reply], float]:
    """Replies to requests that arrive evenly, whatever the server does; memory is noted a hundred times."""
    replies: list[Reply] = []
    room = asyncio.Semaphore(MOST_OPEN * 2 * target.setting.clients)

    async def one(ask: Ask) -> None:
        try:
            replies.append(await target.ask(ask))
        finally:
            room.release()

    begun = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number, ask in enumerate(asks):
            now = time.perf_counter() - begun
            if number / rate > seconds or now > 2 * seconds:
                break
            await asyncio.sleep(max(0.0, number / rate - now))
            if len(memory) * seconds / 100 < time.perf_counter() - begun:
                memory.append(target.memory())
            await room.acquire()
            group.create_task(one(ask))
    return replies, time.perf_counter() - begun


async def _quiet(target: Target) -> Counter[tuple[str, str]]:
    """The counts once nothing runs or waits any more."""
    end = time.monotonic() + 60.0
    while True:
        found = await target.counts()
        if not found["now", "running"] and not found["now", "queued"]:
            return found
        if time.monotonic() > end:
            raise UserError("searches still run a minute after the last answer")
        await asyncio.sleep(0.05)


def _levels(most: int) -> list[int]:
    powers = itertools.takewhile(lambda n: n < most, (1 << i for i in itertools.count()))
    return [*powers, most]


def _quantile(ordered: Sequence[float], share: float) -> float | None:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None


# ---- questions -------------------------------------------------------------------------------------------------------


def questions(setting: Setting, limit: int) -> list[Ask]:
    """GSM8K's test questions; sums for the toy, whose answers are known where it makes no mistakes."""
    if setting.policy != "toy":
        task = get_task(TASK)
        return [Ask(p.question, 0) for p in task.load("test", data_dir=None, limit=limit, offset=0)]
    exact = float(setting.engine.get("error", "0.25")) == 0
    return [Ask(f"{n} + 500 - 3 + 8", 0, str(n + 505) if exact else None) for n in range(limit)]


def endless(asks: Sequence[Ask], first: int = 1_000_000) -> Iterator[Ask]:
    """The questions over and over, each time with a new seed."""
    for seed, ask in enumerate(itertools.cycle(asks), first):
        yield Ask(ask.question, seed, ask.right)


# ---- the command -----------------------------------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    parser = Parser(description=__doc__, prog="python -m benchmarks.serving")
    add = parser.add_argument
    add("--clients", type=int, default=16, help="at a time (default: 16)")
    add(
        "--policy",
        help="as for reasoning.serve; toy does sums, without mistakes but for --engine error=P",
    )
    add("--adapter", metavar="FOLDER")
    add("--engine", action="append", default=[], metavar="KEY=VALUE")
    add("--model", help="POLICY/METHOD as the server calls it (default: beam search)")
    add("--limit", type=int, default=32, help="questions (default: 32)")
    add("--repeats", type=int, default=3, help="counted rounds of the overhead's measurement (default: 3)")
    add("--minutes", type=float, help="of load at twice the capacity (default: none)")
    add("--json", type=Path, metavar="FILE", help="default: benchmarks/results/serving.json")
    return parser


def _setting(args: argparse.Namespace) -> Setting:
    for name in ("clients", "limit", "repeats"):
        if getattr(args, name) < 1:
            raise UserError(f"--{name} is {getattr(args, name)}: give at least 1")
    if args.minutes is not None and not 0 < args.minutes < math.inf:
        raise UserError(f"--minutes is {args.minutes}: give a number above 0, or leave it out")
    policy, method = policy_name(args.policy), "beam"
    if args.model is not None:
        given, _, method = args.model.partition("/")
        if given != policy or method not in METHODS:
            raise UserError(f"--model {args.model}: write {policy}/METHOD, with one of {', '.join(METHODS)}")
    engine = dict(key_value("--engine", text) for text in args.engine)
    if args.policy == "toy":
        engine = {"error": "0"} | engine
    return Setting(args.policy, method, args.clients, engine, args.adapter)


async def _measured(args: argparse.Namespace, setting: Setting) -> dict[str, Any]:
    asks = questions(setting, args.limit)
    seeded = endless(asks)
    async with serving(setting) as target:
        rows = await overhead(target, asks, args.repeats)
        _show("Overhead", rows)
        found: dict[str, Any] = {"rows": rows, "ratio": statistics.median(row["server/in process"] for row in rows)}
        found["latency"] = await latency(target, seeded, len(asks))
        _show("Latency", found["latency"])
        if args.minutes is not None:
            found["load"] = await load(target, seeded, 60 * args.minutes)
            _show("Load", [{"load": key, "": value} for key, value in found["load"].items()])
    return found


def _show(title: str, rows: list[dict[str, Any]]) -> None:
    print(f"{title}\n")
    print_table(rows)
    print(flush=True)


def _run(argv: Sequence[str] | None) -> int:
    args = _parser().parse_args(argv)
    setting = _setting(args)
    where = machine()
    print(f"{where['date']}, {where['cpu']}, {where['cores']} cores, {setting.model}, {setting.clients} clients\n")
    found = asyncio.run(_measured(args, setting))
    print(f"the server keeps {found['ratio']:.1%} of the driver's tokens/s (median of {args.repeats} rounds)")
    about = {"model": setting.model, "clients": setting.clients, "questions": args.limit, "engine": setting.engine}
    rows = found.pop("rows")
    if args.json is None:
        write_result("serving", rows, **about, **found)
    else:
        args.json.write_text(json.dumps({"machine": where, **about, **found, "rows": rows}, indent=2) + "\n", "utf-8")
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print the tables, write the figures."""
    return run_command(lambda: _run(argv))


if __name__ == "__main__":
    sys.exit(main())
