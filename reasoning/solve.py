"""python -m reasoning.solve TASK: search for solutions of a task's problems and say what it got and what it cost."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import textwrap
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing, nullcontext
from pathlib import Path
from typing import Any

from data.errors import UserError
from data.records import Problem
from data.scale import SCALE_NAMES, Scale, add_scale_options
from reasoning.cli import Parser, duration, key_value, run_command
from reasoning.config import SolveConfig, read_recipe
from reasoning.engine.base import EngineError
from reasoning.models import CATALOGUE
from reasoning.profiles import PROFILES
from reasoning.rewards import REWARDS
from reasoning.runs import ProblemResult, Run, open_run, totals
from reasoning.solver import Solver, completed, version
from search.methods import METHODS, parameters
from search.ranking import VOTES
from search.tree import AGGREGATES

__all__ = ["main"]

# A newer version may go on with a run. What does not bear on a result (limit, concurrency) is not in `describe` at all.
EXEMPT = frozenset({"version"})


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 when problems were searched, 1 when every one failed, 2 for a mistake, 130 after Ctrl-C."""
    return run_command(lambda: _solve(sys.argv[1:] if argv is None else list(argv)))


def _parser() -> Parser:
    parser = Parser(
        prog="python -m reasoning.solve",
        description="Solve a task's problems by step-level search with a language model.",
        epilog=_methods(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
    )
    parser.add_argument("task", nargs="?", help="gsm8k, math500, FILE.jsonl, rg:NAME (reasoning-gym), or module:Class")
    add = parser.add_argument

    add("--split", help="the split to solve (default: the task's test split)")
    add("--limit", type=int, metavar="N", help="solve at most N problems")
    add("--offset", type=int, metavar="N", help="skip the first N problems")
    add("--data-dir", metavar="DIR", help="where data lies (default: $STEPSOLVER_DATA, ./shared/data, ../shared/data)")
    add("--question-column", metavar="NAME", help="for FILE.jsonl (default: question)")
    add("--answer-column", metavar="NAME", help="for FILE.jsonl (default: answer)")

    policy = parser.add_argument_group("policy")
    add = policy.add_argument
    add(
        "--policy",
        metavar="MODEL",
        help=f"{', '.join(CATALOGUE)}, a folder, a GGUF file, a hub name, NAME@http://host:port/v1, or toy "
        "(default: the best that this machine holds)",
    )
    add("--adapter", metavar="FOLDER", help="a LoRA adapter, or none (default: the one shipped for the model)")
    add("--profile", help=f"how the policy is asked: auto, {', '.join(PROFILES)}")
    add("--prompts", metavar="FILE.json", help="prompts to spread samples over (see python -m reasoning.prompts build)")
    add("--backend", help="vllm or transformers (default: vLLM where installed)")
    add("--engine", action="append", metavar="KEY=VALUE", help="an engine option, passed through; may be repeated")
    add("--temperature", type=float, help="sampling temperature (default: 0 for greedy, else 0.7)")
    add("--top-p", type=float, help="nucleus sampling (default: 1)")
    add("--seed", type=int, help="seed of the run (default: 0)")

    search = parser.add_argument_group("search")
    add = search.add_argument
    add("--method", help="one of the methods below, or module:Class (default: best-of-n with --n 8 --vote weighted)")
    add("--n", type=int, help=f"{_having('n')}: samples")
    add("--beam-width", type=int, metavar="B1", help=f"{_having('width')}: beams kept")
    add("--expand", type=int, metavar="B2", help=f"{_having('expand')}: steps sampled from each node")
    add("--iterations", type=int, help=f"{_having('iterations')}: simulations")
    add("--max-depth", type=int, help=f"{_having('max_depth')}: steps at most")
    add("--vote", help=f"how finished solutions decide: {', '.join(VOTES)}; mcts also descend")
    add("--aggregate", help=f"a solution's score from its steps': {', '.join(AGGREGATES)} (default: last)")
    add("--c-puct", type=float, help=f"{_having('c')}: exploration constant")
    add("--parallel", type=int, help=f"{_having('parallel')}: simulations, or samples, in flight in one tree")
    add("--virtual-loss", type=float, help=f"{_having('virtual_loss')}: what one in flight counts against its path")
    add("--param", action="append", metavar="KEY=VALUE", help="any parameter of the method, see below; may be repeated")
    add("--max-tokens-per-problem", type=int, metavar="N", help="ceiling on generated tokens per problem")
    add("--max-step-tokens", type=int, metavar="N", help="tokens of one step at most (default: the profile's)")
    add("--max-answer-tokens", type=int, metavar="N", help="tokens of one whole solution at most")

    reward = parser.add_argument_group("process reward")
    add = reward.add_argument
    add("--reward", help=f"{', '.join(REWARDS)}, or module:Class (default: auto, what the policy's adapter offers)")
    add("--reward-policy", metavar="MODEL", help="the judging model (generative: default the policy's)")
    add(
        "--reward-adapter",
        metavar="FOLDER",
        help="the judging model's adapter (generative, token-classification); its card says how to ask",
    )
    add("--reward-engine", action="append", metavar="KEY=VALUE", help="an option of the judging model's engine")
    add("--reward-good", metavar="TOKEN", help="self-eval, generative: the token that says right")
    add("--reward-bad", metavar="TOKEN", help="self-eval, generative: the token that says wrong")
    add(
        "--reward-suffix",
        metavar="TEXT",
        help="self-eval, generative: what is asked after the steps; token-classification: what closes each",
    )

    run = parser.add_argument_group("run")
    add = run.add_argument
    add("--concurrency", type=int, metavar="N", help="problems searched at the same time (default: 64)")
    add("--run", metavar="NAME", help="keep every search in runs/NAME, which survives a kill")
    add("--resume", action="store_true", help="go on with --run NAME")
    add("--json", metavar="FILE", help="write the summary as JSON")
    add("--show", type=int, metavar="N", help="print the first N problems with their solutions")
    add("--recipe", metavar="FILE.yaml", help="settings from a file; the command line wins")
    add_scale_options(parser)
    return parser


def _having(parameter: str) -> str:
    """The methods with a parameter."""
    return ", ".join(name for name in METHODS if parameter in parameters(name))


def _methods() -> str:
    """Every method with what it does, and its parameters with their defaults."""
    lines = ["methods, and their parameters (width is --beam-width, c is --c-puct):"]
    for name, method in METHODS.items():
        lines.append(f"  {name:<22}{method.summary}")
        # A rollout's own parameters are those of the method it names.
        known = " ".join(f"{key}={value}" for key, value in parameters(name).items() if "." not in key)
        lines += textwrap.wrap(known, 98, initial_indent=" " * 26, subsequent_indent=" " * 26)
    return "\n".join(lines)


def _solve(argv: list[str]) -> int:
    given = vars(_parser().parse_args(argv))
    settings: dict[str, Any] = read_recipe(given.pop("recipe")) if "recipe" in given else {}
    # These belong to the command, not to the search; a recipe may name a run too.
    settings = {key.replace("-", "_"): value for key, value in settings.items()} | given
    name, resume = settings.pop("run", None), settings.pop("resume", False)
    json_file, show = settings.pop("json", None), settings.pop("show", 0)
    scale = Scale.of({name: settings.pop(name, None) for name in SCALE_NAMES})
    for option in ("engine", "reward_engine"):
        if isinstance(settings.get(option), list):
            settings[option] = dict(key_value(f"--{option.replace('_', '-')}", text) for text in settings[option])
    if isinstance(settings.get("param"), list):
        pairs = [key_value("--param", text) for text in settings["param"]]
        settings["param"] = {key: _plain(value) for key, value in pairs}
    if "task" not in settings:
        raise UserError("name a task, such as gsm8k or rg:gsm_symbolic (see python -m reasoning.solve --help)")
    if resume and not name:
        raise UserError("--resume goes with --run NAME")
    if json_file and not Path(json_file).resolve().parent.is_dir():
        raise UserError(f"--json {json_file}: there is no folder {Path(json_file).resolve().parent}")
    if not isinstance(show, int) or show < 0:
        raise UserError(f"--show must be a number of at least 0, not {show}")
    config = SolveConfig.of(settings)
    solver = Solver(**config.model_dump())
    # What the default comes to here is what other machines of a cluster are told.
    config = config.model_copy(update={"policy": solver.config.policy})
    problems = solver.load()
    if not problems:
        raise UserError(f"{settings['task']} has no problems at offset {solver.config.offset}")
    # On a cluster other machines read this part too.
    local = scale is None or scale.address is None
    told = solver.describe()
    run = open_run(name, told, resume=resume, exempt=EXEMPT, complete=completed, wal=local) if name else None
    with run or nullcontext():
        return asyncio.run(_run(config, solver, problems, run, scale, json_file, show))


def _plain(text: str) -> int | float | str:
    """The number or truth value that the text is, or the text."""
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


async def _run(
    config: SolveConfig,
    solver: Solver,
    problems: Sequence[Any],
    run: Run | None,
    scale: Scale | None,
    json_file: str | None,
    show: int,
) -> int:
    begun = time.perf_counter()
    wanted = {p.id for p in problems}
    todo = wanted - (run.done() if run else set())
    if run and len(todo) < len(wanted):
        print(f"{len(wanted) - len(todo)} of {len(wanted)} problems are done already", file=sys.stderr)
    results: list[ProblemResult] = []
    progress: Progress | None = None

    def on_result(result: ProblemResult) -> None:
        results.append(result)
        if progress:
            progress.update(result)

    try:
        if todo:
            where = "" if scale is None else f" on {_workers(scale)}"
            print(f"starting {_policy(solver.describe())}{where} ...", file=sys.stderr)
            if scale is None:
                try:
                    await solver.start()
                except BaseException:
                    if run:
                        run.discard()
                    raise
                print(f"{_heading(solver)}, ready after {duration(time.perf_counter() - begun)}", file=sys.stderr)
            progress = Progress(len(todo))
        search_begun = time.perf_counter()
        stopped = False
        try:
            if todo and scale is None:
                await solver.arun(problems, run=run, on_solved=lambda solved: on_result(solved.result))
            elif todo and scale is not None:
                jobs = [(config.offset + i, p) for i, p in enumerate(problems) if p.id in todo]
                await _far(config, jobs, scale, run, on_result)
        except asyncio.CancelledError:
            stopped = True  # Ctrl-C: say what there is, then end
        wall = time.perf_counter() - search_begun
    finally:
        if progress:
            progress.end()
        await solver.aclose()
    everything = (
        [r for r in run.view().results if r.problem in wanted] if run else sorted(results, key=lambda r: r.index)
    )
    summary = _summary(solver, everything, results, wall)
    _print_problems(everything[:show])
    _print_table(summary)
    if json_file:
        _write_json(Path(json_file), summary)
    if stopped:
        how = f"go on with --run {run.name} --resume" if run else "name a --run to be able to go on"
        print(f"stopped after {len(everything)} of {len(wanted)} problems; {how}", file=sys.stderr)
        return 130
    return 1 if everything and all(r.failed for r in everything) else 0


async def _far(
    config: SolveConfig,
    jobs: Sequence[tuple[int, Problem]],
    scale: Scale,
    run: Run | None,
    on_result: Callable[[ProblemResult], None],
) -> None:
    """Search the jobs with Ray actors."""
    from reasoning.scale import search_scaled

    try:
        async with aclosing(search_scaled(config.model_dump(), jobs, scale, run=run, exempt=EXEMPT)) as found:
            async for result in found:
                on_result(result)
    except (UserError, EngineError):
        if run:
            run.discard()
        raise


def _workers(scale: Scale) -> str:
    where = f"the cluster at {scale.address}" if scale.address else "this machine"
    return f"{scale.workers} worker{'s' * (scale.workers > 1)} of Ray, {where}"


def _heading(solver: Solver) -> str:
    told = solver.describe()
    reward = f", reward {told['reward']}" if told["reward"] else ""
    return f"policy {_policy(told)} on {solver.engine.device}, {told['method']}{reward}"


def _policy(told: Mapping[str, Any]) -> str:
    """The policy in words: `embedded + shipped adapter smollm2-135m-math (1a2b3c4d)`."""
    adapter: str | None = told["adapter"]
    if adapter is None:
        return str(told["policy"])
    return f"{told['policy']} + {adapter if adapter.startswith('shipped ') else f'adapter {adapter}'}"


def _summary(solver: Solver, rows: list[ProblemResult], now: list[ProblemResult], wall: float) -> dict[str, Any]:
    """The closing figures. Tokens are over all rows; seconds and tokens/s over what this command itself searched."""
    told, sums = solver.describe(), totals(rows)
    spent = totals(now)
    return {
        **{key: told[key] for key in ("task", "split", "method", "policy", "adapter", "reward")},
        "params": told["params"],
        "problems": sums.problems,
        "correct": sums.correct,
        "accuracy": sums.accuracy,
        "ci95": list(sums.ci95) if sums.ci95 else None,
        "failed": sums.failed,
        "prompt_tokens": sums.prompt_tokens,
        "cached_tokens": sums.cached_tokens,
        "completion_tokens": sums.completion_tokens,
        "reward_tokens": sums.reward_tokens,
        "computed_tokens": sums.computed_tokens,
        "hit_rate": _rounded(sums.hit_rate),
        "reward_hit_rate": _rounded(sums.reward_hit_rate),
        "flops": sums.flops,
        "engine_s": _rounded(sums.engine_seconds),
        "wall_s": round(wall, 3),
        "tokens_per_s": round(spent.completion_tokens / wall, 1) if now and wall > 0 else None,
        "seed": told["seed"],
        "version": version(),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _print_table(summary: dict[str, Any]) -> None:
    accuracy = "not judged"
    if summary["accuracy"] is not None:
        low, high = summary["ci95"]
        accuracy = f"{summary['accuracy']:.3f}  (95% interval {low:.3f} to {high:.3f})"
    speed = "" if summary["tokens_per_s"] is None else f"  ({summary['tokens_per_s']} completion tokens/s)"
    method = " ".join([summary["method"], *(f"{k}={v}" for k, v in summary["params"].items())])
    rows = [
        ("task", f"{summary['task']} ({summary['split']}), seed {summary['seed']}"),
        ("policy", _policy(summary)),
        ("method", method + (f", reward {summary['reward']}" if summary["reward"] else "")),
        ("problems", f"{summary['problems']}" + (f", {summary['failed']} failed" if summary["failed"] else "")),
        ("correct", f"{summary['correct']}"),
        ("accuracy", accuracy),
        *(
            (f"{k} tokens", _count(summary[f"{k}_tokens"]))
            for k in ("prompt", "cached", "completion", "reward", "computed")
        ),
        ("cache hits", f"policy {_percent(summary['hit_rate'])}, reward {_percent(summary['reward_hit_rate'])}"),
        ("FLOPs", "unknown" if summary["flops"] is None else f"{summary['flops']:.3g} (forward passes, estimated)"),
        ("engine seconds", "unknown" if summary["engine_s"] is None else f"{summary['engine_s']:.1f}"),
        ("seconds", f"{summary['wall_s']:.1f}{speed}"),
    ]
    print()
    for label, value in rows:
        print(f"  {label:<18}{value}")


def _count(tokens: int | None) -> str:
    return "unknown" if tokens is None else f"{tokens:,}"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f}%"


def _print_problems(rows: Sequence[ProblemResult]) -> None:
    from reasoning.runs.text import clean

    for row in rows:
        verdict = "failed" if row.failed else {True: "right", False: "wrong", None: "not judged"}[row.correct]
        print(f"\n--- {row.problem}: {verdict}\n{clean(row.question).strip()}\n")
        print(clean(row.text).strip() or f"({row.failed or 'no solution'})")
        print(f"\nanswer {row.answer}, reference {row.gold}")


def _write_json(path: Path, summary: dict[str, Any]) -> None:
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise UserError(f"--json {path}: {error.strerror or error}") from None


class Progress:
    """A live line on a terminal; elsewhere a line every half minute."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.rows: list[ProblemResult] = []
        self.begun = time.perf_counter()
        self.live = sys.stderr.isatty()
        self.next = 0.1 if self.live else 30.0
        self.shown = False

    def update(self, row: ProblemResult) -> None:
        """Count one finished problem."""
        self.rows.append(row)
        passed = time.perf_counter() - self.begun
        if passed >= self.next or (self.live and len(self.rows) == self.total):
            self.next = passed + (0.2 if self.live else 30.0)
            self._show(passed)

    def end(self) -> None:
        """Leave the line as it stands."""
        if self.live and self.shown:
            print(file=sys.stderr)

    def _show(self, passed: float) -> None:
        sums, done = totals(self.rows), len(self.rows)
        accuracy = "" if sums.accuracy is None else f"  accuracy {sums.accuracy:.3f}"
        failed = f"  {sums.failed} failed" if sums.failed else ""
        left = duration(passed / done * (self.total - done))
        line = f"{done}/{self.total}{accuracy}{failed}  {sums.completion_tokens / passed:.0f} tokens/s  {left} left"
        print(f"\r\x1b[2K{line}" if self.live else line, end="" if self.live else "\n", file=sys.stderr, flush=True)
        self.shown = True


if __name__ == "__main__":
    sys.exit(main())
