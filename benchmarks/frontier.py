"""python -m benchmarks.frontier: accuracy of all strategies against completion tokens and against FLOPs, on one engine.

Every strategy searches the same questions once, as a run of its own (`runs/NAME-STRATEGY`, so a killed command goes on
where it was). Folding the stored logs gives its accuracy at every smaller budget; one run of independent samples gives
majority voting, the votes by reward, and the oracle. Nothing is tuned or selected on these questions.

`--pass-until R` also samples every question until R solutions are right, for success rates that no fixed number of
samples would show.

Writes DIR/frontier.json, DIR/frontier.csv and DIR/frontier.png.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
import re
import sys
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from benchmarks.common import RESULTS, machine, print_table
from benchmarks.curves import Curve, budgets_of, compared, from_samples, from_traces
from benchmarks.methods import one_engine
from benchmarks.pass_until import PassUntil, tries_of
from data.errors import UserError
from data.metrics import auc, auc_interval
from data.rare import neg_log_rate, success_rate
from data.records import Problem
from data.stats import bootstrap_ratio
from reasoning.adapters import shipped
from reasoning.cli import Parser, key_value, run_command
from reasoning.engine.base import Engine
from reasoning.engine.models import named
from reasoning.profiles import choose_profile
from reasoning.runs import RunView, open_run, read_run, run_names, totals
from reasoning.runs.anytime import COSTS, Samples, Trace, samples, searches, traces
from reasoning.solver import Solver, completed
from search.driver import replay
from search.methods import METHODS

__all__ = ["STRATEGIES", "main"]

SAMPLES: Final = "samples"
BASELINE: Final = "majority"
ORACLE: Final = "benchmarks.oracle:Oracle"
DRAWN: Final = ("completion tokens", "FLOPs")
NS: Final = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)

# Settings of `reasoning.config.SolveConfig`. A strategy's curve holds every smaller budget too, so one size is enough.
STRATEGIES: Final[dict[str, dict[str, Any]]] = {
    SAMPLES: {"method": "best-of-n", "n": 16, "vote": "weighted"},
    "greedy": {"method": "greedy"},
    "beam": {"method": "beam", "beam_width": 3, "expand": 5},
    "dvts": {"method": "dvts", "n": 16, "expand": 4},
    "mcts": {"method": "mcts", "iterations": 16, "expand": 5},
    "particle": {"method": "particle"},
    "adaptive": {"method": "adaptive"},
    "adaptive, weighted vote": {"method": "adaptive", "vote": "weighted"},
    "adaptive-consistency": {"method": "adaptive-consistency", "n": 16},
    "beam, oracle reward": {"method": "beam", "beam_width": 3, "expand": 5, "reward": ORACLE},
}


@dataclass(frozen=True, slots=True)
class Strategy:
    """A named strategy and its settings."""

    name: str
    settings: dict[str, Any]

    @property
    def knows(self) -> bool:
        """Whether its reward knows the truth."""
        return self.settings.get("reward") == ORACLE

    @property
    def slug(self) -> str:
        """Its name as part of a run's name."""
        return re.sub(r"[^A-Za-z0-9.]+", "-", self.name).strip("-")


def strategy(text: str) -> Strategy:
    """One of STRATEGIES, or `method:key=value,key=value` with parameters of any method of `search.methods`."""
    if text in STRATEGIES:
        return Strategy(text, dict(STRATEGIES[text]))
    method, _, given = text.partition(":")
    if method not in METHODS:
        known = ", ".join(repr(name) for name in STRATEGIES)
        raise UserError(
            f"--methods: no strategy {text!r}; take {known}, or METHOD:KEY=VALUE,... of {', '.join(METHODS)}"
        )
    pairs = dict(key_value("--methods", pair) for pair in given.split(",") if pair)
    return Strategy(text, {"method": method, "param": {key: _plain(value) for key, value in pairs.items()}})


def _plain(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


# ---- searching -------------------------------------------------------------------------------------------------------


async def search(args: argparse.Namespace, wanted: Sequence[Strategy]) -> dict[str, Any]:
    """All strategies, one after the other on one engine, and what their runs come to."""
    base = {"task": args.task, "split": args.split, "limit": args.limit, "offset": args.offset, "seed": args.seed}
    # What does not exist is refused before an engine starts.
    asked = Solver(**base, policy="toy")
    task = asked.task
    if all(p.answer is None for p in asked.load()):
        raise UserError(f"{args.task} has no question with a reference answer at offset {args.offset}")
    adapter = args.adapter or (str(found) if (found := shipped(named(args.policy), task.name)) else "none")
    for one in wanted:
        Solver(**base, **one.settings)
    held: dict[str, list[Trace]] = {}
    drawn: list[Samples] = []
    rows = []
    options = dict(key_value("--engine", text) for text in args.engine)
    async with one_engine(args.policy, adapter, options) as engine:
        profile = choose_profile(named(args.policy), adapter, engine, task).name
        for one in wanted:
            reward = {} if args.reward is None or "reward" in one.settings else {"reward": args.reward}
            settings = {**base, "adapter": adapter, "profile": profile, **reward, **one.settings}
            problems, view = await _run(engine, f"{args.name}-{one.slug}", settings, args)
            if one.name == SAMPLES:
                drawn = await samples(view, task, problems)
            else:
                held[one.name] = await traces(view, task, problems)
            ids = {p.id for p in problems}
            rows.append(_row(one, view, ids))
            print(f"{one.name}: {rows[-1]['accuracy']:.3f} on {rows[-1]['problems']} questions", flush=True)
        rates = None
        if args.pass_until:
            method = PassUntil(args.pass_until, args.most)
            settings = {**base, "adapter": adapter, "profile": profile, "method": method, "reward": ORACLE}
            problems, view = await _run(engine, f"{args.name}-pass-until", settings, args)
            rates = _rates(method, problems, view)
    return {"rows": rows, "samples": drawn, "traces": held, "adapter": adapter, "profile": profile, "rates": rates}


async def _run(
    engine: Engine, name: str, settings: dict[str, Any], args: argparse.Namespace
) -> tuple[Sequence[Problem], RunView]:
    solver = Solver(policy=engine, concurrency=args.concurrency, **settings)
    problems = [p for p in solver.load() if p.answer is not None]
    try:
        resume = name in run_names()
        with open_run(name, solver.describe(), resume=resume, exempt={"version"}, complete=completed) as run:
            await solver.arun(problems, run=run)
    finally:
        await solver.aclose()
    return problems, read_run(name)


def _rates(method: PassUntil, problems: Sequence[Problem], view: RunView) -> dict[str, Any]:
    """Success rates of single samples, question by question and on average, without bias."""
    tries = {}
    for problem, result, (_, root, log), _ in searches(view, problems):
        ended = tries_of(method, replay(method, root, log)) if result.failed is None else None
        if ended is not None:
            tries[problem.id] = ended
    rates = {key: success_rate(ended) for key, ended in tries.items()}
    solved = [ended for ended in tries.values() if ended.successes]
    logs = None
    if method.until == 1 and len(solved) == len(tries):  # a logarithm takes a success, uncut
        logs = sum(neg_log_rate(ended.samples) for ended in solved) / max(1, len(solved))
    return {
        "until": method.until,
        "most": method.most,
        "questions": len(tries),
        "solved": len(solved),
        "samples": sum(ended.samples for ended in tries.values()),
        "mean rate": sum(rates.values()) / max(1, len(rates)),
        "its 95% interval": bootstrap_ratio(list(rates.values()), [1.0] * len(rates)),
        "mean -log rate": logs,
        "tries": {key: [ended.successes, ended.samples] for key, ended in tries.items()},
    }


def _row(one: Strategy, view: RunView, ids: Collection[str]) -> dict[str, Any]:
    """A strategy's whole search: what it got and what a question cost."""
    sums = totals([r for r in view.results if r.problem in ids])
    n = max(1, sums.problems)

    def each(value: float | None) -> float | None:
        return None if value is None else round(value / n, 2)

    return {
        "strategy": one.name,
        "problems": sums.problems,
        "accuracy": sums.accuracy or 0.0,
        "failed": sums.failed,
        "completion": each(sums.completion_tokens),
        "reward": each(sums.reward_tokens),
        "computed": each(sums.computed_tokens),
        "policy hits": sums.hit_rate,
        "reward hits": sums.reward_hit_rate,
        "GFLOPs": each(None if sums.flops is None else sums.flops / 1e9),
        "engine s": each(sums.engine_seconds),
    }


# ---- curves ----------------------------------------------------------------------------------------------------------


def curves_of(
    wanted: Sequence[Strategy], drawn: Sequence[Samples], held: dict[str, list[Trace]]
) -> dict[str, list[Curve]]:
    """Every strategy's curve in each of COSTS that all searches know.

    `X, any answer` is what a perfect choice among the answers of X at that moment would be right about.
    """
    known = [
        cost
        for cost in COSTS
        if all(cost in q.own for q in drawn) and all(cost in t.costs for ts in held.values() for t in ts)
    ]
    fewest = min(len(s.samples) for s in drawn)
    voted = from_samples(drawn, [n for n in NS if n <= fewest], known)
    found = {cost: list(voted[cost].values()) for cost in known}
    for cost, curves in found.items():
        for one in wanted:
            # What an oracle says is free, but for the time it takes.
            if one.name not in held or (one.knows and cost == "engine seconds"):
                continue
            curves.append(from_traces(one.name, held[one.name], cost, deployable=not one.knows))
            if not one.knows and one.settings["method"] != "greedy":
                curves.append(from_traces(f"{one.name}, any answer", held[one.name], cost, covered=True))
    return found


def in_the_way(drawn: Sequence[Samples], found: dict[str, Any]) -> dict[str, Any]:
    """What lies between majority voting and the oracle on the same samples, and how well the reward ranks them."""
    answered = {q.problem: [s for s in q.samples if s.answer is not None] for q in drawn}
    scored = [(s.score, float(s.correct), problem) for problem, given in answered.items() for s in given]
    scores, labels, problems = zip(*scored, strict=True) if scored else ((), (), ())
    each = (auc([s.score for s in given], [float(s.correct) for s in given]) for given in answered.values())
    within = [one for one in each if one is not None]  # questions with right and wrong answers
    last = {name: curve["points"][-1]["accuracy"] for name, curve in found["curves"].items()}
    n = len(drawn[0].samples)
    return {
        "samples": n,
        "right samples": sum(s.correct for q in drawn for s in q.samples) / sum(len(q.samples) for q in drawn),
        **{f"{name}@{n}": last[name] for name in ("majority", "weighted", "best", "oracle")},
        "reward's AUC over answers": auc(scores, labels),
        "its 95% interval": auc_interval(scores, labels, problems),
        "AUC within a question": sum(within) / len(within) if within else None,
        "questions with right and wrong answers": len(within),
    }


def draw(found: dict[str, Any], path: Path) -> None:
    """Accuracy against both costs, with bands; what knows the truth is dashed. Raises UserError without matplotlib."""
    if find_spec("matplotlib") is None:
        raise UserError(
            "the figure needs matplotlib: pip install 'stepsolver[eval]', or leave it out with --figure none"
        )
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(found), figsize=(7.5 * len(found), 6), layout="constrained", squeeze=False)
    for axis, (cost, curves) in zip(axes[0], found.items(), strict=True):
        shown = {name: c for name, c in curves["curves"].items() if not name.endswith(", any answer")}
        for number, (name, curve) in enumerate(shown.items()):
            # Up to the first budget that the whole search does not use up: there it ends.
            whole = next((i for i, p in enumerate(curve["points"]) if p["spent"] < p["budget"]), len(curve["points"]))
            points = curve["points"][: whole + 1]
            x = [p["spent"] for p in points]
            colour = pyplot.get_cmap("tab20")((2 * number + number // 10) % 20)  # the dark ones first
            style = "-" if curve["deployable"] else "--"
            axis.plot(x, [p["accuracy"] for p in points], style, color=colour, label=name, marker=".", markersize=4)
            axis.fill_between(x, [p["low"] for p in points], [p["high"] for p in points], color=colour, alpha=0.1, lw=0)
        axis.set(xscale="log", xlabel=f"{cost} a question", ylabel="accuracy")
        axis.grid(alpha=0.3)
    axes[0, 0].legend(fontsize=8)
    figure.savefig(path, dpi=130)
    pyplot.close(figure)


def write_csv(found: dict[str, Any], path: Path) -> None:
    """One line per cost, strategy and budget."""
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(["cost", "strategy", "deployable", *_POINT])
        for cost, curves in found.items():
            for name, curve in curves["curves"].items():
                for point in curve["points"]:
                    out.writerow([cost, name, curve["deployable"], *(point[k] for k in _POINT)])


_POINT: Final = (
    "budget", "spent", "accuracy", "low", "high", "difference", "difference_low", "difference_high", "p",
)  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Search, fold, compare, write; 0, or 2 after one line for a mistake."""
    return run_command(lambda: _main(argv))


def _main(argv: Sequence[str] | None) -> int:
    args = _parser().parse_args(argv)
    names = dict.fromkeys([SAMPLES, *(args.methods or STRATEGIES)])  # the baseline comes from the samples
    wanted = [strategy(name) for name in names]
    wanted[0].settings["n"] = args.samples
    if len({one.slug for one in wanted}) < len(wanted):
        raise UserError("--methods: two strategies would share a run; name each once")
    out: Path = args.out
    out.mkdir(parents=True, exist_ok=True)
    searched = asyncio.run(search(args, wanted))
    drawn, held = searched["samples"], searched["traces"]
    if not drawn:
        raise UserError(f"every search failed: python -m reasoning.runs show {args.name}-{SAMPLES} says why")
    found = {
        cost: compared(curves, budgets_of(curves), BASELINE)
        for cost, curves in curves_of(wanted, drawn, held).items()
        if max(c.whole for c in curves) > 0
    }
    for cost in COSTS:
        if cost not in found:
            print(f"no curve against {cost}: the engine does not say", file=sys.stderr)
    way = in_the_way(drawn, found["completion tokens"])
    result = {
        "machine": machine(),
        "task": args.task,
        "policy": named(args.policy),
        "adapter": Path(searched["adapter"]).name,
        "profile": searched["profile"],
        "seed": args.seed,
        "strategies": {one.name: one.settings for one in wanted},
        "rows": searched["rows"],
        "in the way": way,
        "pass until": searched["rates"],
        "costs": found,
    }
    (out / "frontier.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    write_csv(found, out / "frontier.csv")
    if args.figure != "none":
        draw({cost: found[cost] for cost in DRAWN if cost in found}, Path(args.figure or out / "frontier.png"))
    print_table(searched["rows"])
    for cost in DRAWN:
        if cost in found:
            print(f"\nbest at each budget of {cost} a question, against {BASELINE} on the same questions")
            print_table(_told(found[cost]["best"]))
    print("\nwhat stands in the way")
    print_table([way])
    if rates := searched["rates"]:
        print(f"\nsampled until {rates['until']} right solutions")
        print_table([{k: v for k, v in rates.items() if k != "tries"}])
    return 0


def _told(best: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every third budget and the last, in few columns."""
    kept = list(best)
    return [
        {
            "budget": float(row["budget"]),
            f"{BASELINE} spends": float(row["baseline_spent"]),
            "strategy": row["strategy"],
            "accuracy": f"{row['accuracy']:.3f}",
            "difference": f"{row['difference']:+.3f} [{row['difference_low']:+.3f}, {row['difference_high']:+.3f}]",
            "p": f"{row['p']:.4f}",
            "p, corrected": f"{row['p_corrected']:.4f}",
        }
        for i, row in enumerate(kept)
        if i % 3 == 2 or i == len(kept) - 1
    ]


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of at least 1")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        description=__doc__, prog="python -m benchmarks.frontier", formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--limit", type=_positive, default=200, help="the first N questions of the split")
    parser.add_argument("--offset", type=int, default=0)
    parser.add_argument("--task", default="gsm8k")
    parser.add_argument("--split")
    parser.add_argument(
        "--methods",
        nargs="+",
        metavar="NAME",
        help="strategies of the list, or METHOD:KEY=VALUE,... (default: the list)",
    )
    parser.add_argument("--policy", help="as for reasoning.solve")
    parser.add_argument("--adapter", help="as for reasoning.solve (default: the shipped one, where there is one)")
    parser.add_argument("--engine", action="append", default=[], metavar="KEY=VALUE", help="as for reasoning.solve")
    parser.add_argument("--reward", help="as for reasoning.solve (default: what the adapter offers)")
    parser.add_argument("--samples", type=_positive, default=16, help="independent samples of a question (default: 16)")
    parser.add_argument("--pass-until", type=_positive, metavar="R", help="sample each question until R are right")
    parser.add_argument("--most", type=_positive, default=256, help="samples of a question at most with --pass-until")
    parser.add_argument("--concurrency", type=_positive, default=64)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--name", default="frontier", help="what the runs' names begin with")
    parser.add_argument("--out", type=Path, default=RESULTS / "frontier", metavar="DIR")
    parser.add_argument(
        "--figure", metavar="FILE.png", help="where the figure goes (default: DIR/frontier.png), or none"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
