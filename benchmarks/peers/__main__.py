"""python -m benchmarks.peers: beam search by the systems that users would pick instead, beside ours on one server.

All systems talk to the same vLLM server with the same model, questions and budget: `--width` beams of `--expand`
samples, `--depth` steps of at most `--step-tokens` tokens, and as reward the probability of one judgement token
against another, asked after the solution so far (what a system ranks by instead stands in its row). Tokens are the
server's own counters, so they mean the same for all: prompt, cached, completion, and computed = prompt - cached +
completion, rewards included. The prefix cache is empty when a system begins. Each peer runs in an environment of its
own, made here by venv and pip. A system that cannot be installed or run is a row with its error.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.common import print_table, write_result
from benchmarks.peers.adapters.common import Job
from benchmarks.peers.environments import InstallError, environment
from benchmarks.peers.server import CPU, ServerError, Tokens, forget, serving, tokens
from benchmarks.peers.systems import SYSTEMS, System
from data.errors import UserError
from data.records import Problem
from reasoning.cli import Parser, run_command
from reasoning.tasks.answers import final_answer
from reasoning.tasks.gsm8k import Gsm8k

__all__ = ["correct", "main", "row"]

ADAPTERS = Path(__file__).parent / "adapters"
MODEL = "model"


def model_folder(policy: str | None, adapter: str | None) -> Path:
    """The folder that the server loads: the policy with its adapter merged in."""
    from reasoning.adapters import shipped
    from reasoning.engine import adapters, models

    default = shipped(models.named(policy), "gsm8k")
    chosen = adapter or (str(default) if default else None)
    reference = models.resolve(policy, None if chosen == "none" else chosen)
    folder = Path(models.folder(reference))
    return folder if reference.adapter is None else adapters.merged(folder, reference.adapter)


def job_of(args: argparse.Namespace, url: str, folder: Path, problems: Sequence[Problem]) -> Job:
    """What every system is asked."""
    from reasoning.engine.tokenizer import HFTokenizer
    from reasoning.rewards.generative import SELF_EVALUATION

    tokenizer = HFTokenizer(str(folder))
    (good,), (bad,) = (tokenizer.encode(t) for t in (SELF_EVALUATION.good, SELF_EVALUATION.bad))
    return Job(
        url=url,
        model=MODEL,
        tokenizer=str(folder),
        questions=[p.question for p in problems],
        width=args.width,
        expand=args.expand,
        depth=args.depth,
        samples=args.width * args.expand,
        step_tokens=args.step_tokens,
        answer_tokens=args.step_tokens * args.depth,
        temperature=args.temperature,
        judge=SELF_EVALUATION.suffix,
        good=good,
        bad=bad,
    )


def correct(problem: Problem, text: str) -> bool:
    """The same judgement for every system: the number after the last `####`."""
    task, written = Gsm8k(), final_answer(text)
    found = None if written is None else task.canonical(written)
    return found is not None and task.judge(problem, found)


def run_system(system: System, python: Path, job: Job, limit: float) -> dict[str, Any]:
    """The adapter's result, or `error` with the last error it said."""
    with tempfile.TemporaryDirectory() as scratch:
        asked, answered = Path(scratch) / "job.json", Path(scratch) / "result.json"
        asked.write_text(json.dumps(asdict(job)), encoding="utf-8")
        own = system.environment is None
        script = ["-m", f"benchmarks.peers.adapters.{system.script}"] if own else [f"{ADAPTERS / system.script}.py"]
        process = subprocess.Popen(
            [str(python), *script, str(asked), str(answered), system.mode],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env={**os.environ, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"},
            start_new_session=True,
        )
        try:
            said, _ = process.communicate(timeout=limit)
        except BaseException as stop:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            if not isinstance(stop, subprocess.TimeoutExpired):
                raise
            return {"error": f"not finished after {limit:.0f} s"}
        if process.returncode or not answered.is_file():
            return {"error": _why(process.returncode, said)}
        result: dict[str, Any] = json.loads(answered.read_text(encoding="utf-8"))
        if [type(text) for text in result["texts"]] != [str] * len(job.questions):
            return {"error": f"gave {len(result['texts'])} results that are not one text for each question"}
        return result


def _why(code: int, said: str) -> str:
    """The last line of an output that names an exception, else the last one."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"[\w.]*(Error|Exception|Exit|Interrupt)\b", line)]
    ended = f"ended by signal {-code}" if code < 0 else f"ended with {code}"
    return (errors or ([] if code < 0 else lines) or [ended])[-1][:300]


def row(system: System, problems: Sequence[Problem], result: dict[str, Any], spent: Tokens) -> dict[str, Any]:
    """One line of the table. A system that failed has its error and what it spent before."""
    failed = "error" in result
    right = 0 if failed else sum(correct(p, t) for p, t in zip(problems, result["texts"], strict=True))
    seconds = None if failed else result["seconds"]
    return {
        "system": system.name,
        "seconds": None if seconds is None else round(seconds, 1),
        "prompt": spent.prompt,
        "cached": spent.cached,
        "completion": spent.completion,
        "computed": spent.computed,
        "completion/s": None if seconds is None else round(spent.completion / seconds, 1),
        "computed/s": None if seconds is None else round(spent.computed / seconds, 1),
        "right": None if failed else f"{right} of {len(problems)}",
        "peak MiB": None if failed else round(result["peak_mib"]),
        "reward": system.reward,
        "lacks": system.lacks,
        "error": result.get("error"),
    }


def run(args: argparse.Namespace) -> int:
    """Environments first, then the server, then one system after the other."""
    chosen = [s for s in SYSTEMS if not args.systems or s.script in args.systems or s.environment in args.systems]
    if not chosen:
        names = sorted({n for s in SYSTEMS for n in (s.script, s.environment) if n})
        raise UserError(f"--systems {' '.join(args.systems)}: take some of {', '.join(names)}")
    problems = Gsm8k().load("test", data_dir=None, limit=args.limit, offset=0)
    pythons: dict[str | None, Path] = {}
    errors: dict[str | None, str] = {}
    for system in {s.environment: s for s in chosen}.values():
        print(f"{system.environment or 'this'} environment ...", file=sys.stderr, flush=True)
        try:
            pythons[system.environment] = environment(system, args.environments.resolve(), args.install_limit)
        except InstallError as error:
            errors[system.environment] = f"not installed: {error}"
    folder = model_folder(args.policy, args.adapter)
    args.environments.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    options = [*(() if args.gpu else CPU), *args.server]
    with serving(folder, MODEL, args.port, args.environments / "server.log", options) as url:
        job = job_of(args, url, folder, problems)
        _warm_up(job)
        settings = {k: v for k, v in asdict(job).items() if k not in ("questions", "url", "tokenizer")}
        for system in chosen:
            result: dict[str, Any] = {"error": errors.get(system.environment)}
            spent = Tokens(0, 0, 0)
            if system.environment in pythons:
                result, spent = measure(system, pythons[system.environment], job, args.run_limit)
            rows.append(row(system, problems, result, spent))
            told = result.get("error") or f"{result['seconds']:.1f} s"
            print(f"{system.name}: {told}", file=sys.stderr, flush=True)
            write_result("peers", rows, questions=len(problems), settings=settings)
    report(rows)
    return 0


def measure(system: System, python: Path, job: Job, limit: float) -> tuple[dict[str, Any], Tokens]:
    """A system's result and what it spent, from an empty prefix cache. A server that ended is the system's error."""
    try:
        forget(job.url)
        before = tokens(job.url)
        result = run_system(system, python, job, limit)
        return result, tokens(job.url) - before
    except ServerError as error:
        return {"error": str(error)}, Tokens(0, 0, 0)


def report(rows: Sequence[dict[str, Any]]) -> None:
    """The figures as one table, then reward, limits and errors in words."""
    words = ("reward", "lacks", "error")
    print()
    print_table([{k: v for k, v in r.items() if k not in words} for r in rows])
    print()
    for r in rows:
        print(f"{r['system']}: ranks by {r['reward']}; could not do: {r['lacks']}")
        if r["error"]:
            print(f"    error: {r['error']}")


def _warm_up(job: Job) -> None:
    """The first requests of a fresh server are slow and belong to no system."""
    from benchmarks.peers.adapters.common import Server

    server = Server(job)

    async def some() -> None:
        await asyncio.gather(*(asyncio.to_thread(server.step, "How many are 2 and 2?", "") for _ in range(8)))

    asyncio.run(some())
    server.judge("How many are 2 and 2?", " They are 4.\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print the table, write the figures."""
    parser = Parser(description=__doc__, prog="python -m benchmarks.peers")
    add = parser.add_argument
    add("--limit", type=int, default=32, help="the first N GSM8K test questions")
    add("--systems", nargs="+", metavar="NAME", help="only these environments or scripts, such as its-hub")
    add("--width", type=int, default=4)
    add("--expand", type=int, default=2)
    add("--depth", type=int, default=6)
    add("--step-tokens", type=int, default=80)
    add("--temperature", type=float, default=0.7)
    add("--policy", help="a model on this machine, as for reasoning.solve")
    add("--adapter")
    add("--port", type=int, default=8765)
    add("--gpu", action="store_true", help="leave out the server options for CPUs")
    add("--server", action="append", default=[], metavar="OPTION", help="another option of vLLM's server")
    add("--environments", type=Path, default=Path("out/peers"), metavar="DIR", help="where the environments are made")
    add("--install-limit", type=float, default=600.0, metavar="SECONDS", help="for each environment")
    add("--run-limit", type=float, default=3600.0, metavar="SECONDS", help="for each system")
    return run_command(lambda: run(parser.parse_args(argv)))


if __name__ == "__main__":
    sys.exit(main())
