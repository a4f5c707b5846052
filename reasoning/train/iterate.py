"""Rounds of search, data, training and evaluation: python -m reasoning.train.iterate --config FILE.yaml

In every round the newest adapter solves training questions by itself, is trained on what came out beside reference
solutions, and is kept only where held-out questions say that it is no worse (RFT, AlphaMath; real rows in every round
as in ITERTL). Each stage is a command of this package in a process of its own. `output_dir/state.json` says what has
been done: the same command goes on after a kill, and with a larger `rounds` it adds rounds.

The folder holds `round-NN/` with rows, adapters and one log a stage, and `runs/` with the searches (set
STEPSOLVER_RUNS to that folder to look at them with `python -m reasoning.runs`).
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from data.errors import UserError
from data.rows import read_rows
from data.stats import wilson
from reasoning.cards import CARD
from reasoning.cli import key_value, run_command
from reasoning.train.rounds import Plan, Round, Stage, content_hash, run_rounds, show_rounds

__all__ = ["IterateJob", "plan_of", "run"]


@dataclass
class IterateJob:
    """Settings of the rounds. What a stage is told beside these stands in the `..._options`, as KEY=VALUE."""

    output_dir: str = field(metadata={"help": "folder of this run"})
    model: str = field(
        default="embedded", metadata={"help": "base model: one of the catalogue, a folder or a hub name"}
    )
    adapter: str | None = field(default=None, metadata={"help": "LoRA folder to start from (default: a new adapter)"})
    profile: str = field(default="lines-zero-shot", metadata={"help": "prompt and step grammar"})
    task: str = field(default="gsm8k", metadata={"help": "the task whose questions these are"})
    split: str = field(default="train", metadata={"help": "the split of all questions"})
    data_dir: str | None = field(default=None, metadata={"help": "folder with data sets, as in reasoning.solve"})
    rounds: int = field(default=2, metadata={"help": "rounds; may be raised later"})
    offset: int = field(default=0, metadata={"help": "first training question"})
    pool: int = field(default=7000, metadata={"help": "number of training questions"})
    limit: int = field(default=500, metadata={"help": "questions of one round"})
    fresh: bool = field(default=True, metadata={"help": "each round takes the next questions of the pool"})
    method: Literal["sample", "mcts"] = field(default="sample", metadata={"help": "how solutions are searched for"})
    samples: int = field(default=8, metadata={"help": "sample: solutions of a question; mcts: simulations"})
    temperature: float = field(default=0.8, metadata={"help": "sampling temperature of the search"})
    max_answer_tokens: int | None = field(default=None, metadata={"help": "of one solution (default: the profile's)"})
    collect_options: list[str] = field(default_factory=list, metadata={"help": "for the search"})
    backend: str = field(default="auto", metadata={"help": "engine: vllm or transformers (auto: vLLM if installed)"})
    engine: list[str] = field(default_factory=list, metadata={"help": "engine options KEY=VALUE"})
    real_share: float = field(default=0.25, metadata={"help": "share of reference solutions in a round's rows"})
    real_at_least: int = field(default=0, metadata={"help": "and their number at least"})
    trainer: Literal["joint", "sft"] = field(default="joint", metadata={"help": "which trainer learns the solutions"})
    trainer_options: list[str] = field(default_factory=list, metadata={"help": "for it, such as config=FILE.yaml"})
    pairs: Literal["none", "step-dpo", "siblings-mcts-dpo", "siblings-cpl", "advantage"] = field(
        default="none", metadata={"help": "then learn from pairs of steps, chosen by this rule"}
    )
    pairs_options: list[str] = field(default_factory=list, metadata={"help": "for that rule"})
    step_dpo_options: list[str] = field(default_factory=list, metadata={"help": "for reasoning.train.step_dpo"})
    accelerate_config: str | None = field(default=None, metadata={"help": "start trainers by accelerate launch"})
    eval_offset: int = field(default=7000, metadata={"help": "first held-out question"})
    eval_limit: int = field(default=473, metadata={"help": "number of held-out questions"})
    eval_samples: int = field(default=16, metadata={"help": "k of pass@k on the held-out questions; 0: greedy only"})
    accept: Literal["not-worse", "always"] = field(default="not-worse", metadata={"help": "when a round is kept"})
    seed: int = field(default=0, metadata={"help": "a round's seed follows from this and its number"})
    dry_run: bool = field(default=False, metadata={"help": "only print the commands"})
    overwrite: bool = field(default=False, metadata={"help": "delete what output_dir holds and start anew"})


# What may differ between a run and its continuation.
_FREE = ("output_dir", "rounds", "dry_run", "overwrite")
_TRAINER_OWN = ("model", "adapter", "task", "profile", "data", "output_dir", "seed", "overwrite", "data_dir")
_COLLECT_OWN = (
    *("task", "split", "data_dir", "offset", "limit", "out", "policy", "adapter", "profile", "seed"),
    *("run", "json", "method", "iterations", "samples", "temperature", "from", "how", "backend", "engine"),
    "max_answer_tokens",
)


def _options(name: str, given: Sequence[str], own: Sequence[str], dash: str) -> tuple[str, ...]:
    """KEY=VALUE texts as command-line options, with `dash` for underscores. Raises UserError."""
    found: list[str] = []
    for text in given:
        key, value = key_value(name, text)
        if key.replace("-", "_") in own:
            raise UserError(f"{name}: {key} is not for a stage to choose; leave it out")
        found += [f"--{key.replace('_', dash)}", value]
    return tuple(found)


def plan_of(job: IterateJob) -> Plan:
    """The stages of each round. Raises UserError for settings that cannot be."""
    _check(job)
    folder = Path(job.output_dir)
    runs = {"STEPSOLVER_RUNS": str(folder / "runs")}
    where = ("--task", job.task, "--split", job.split)
    data = ("--data-dir", job.data_dir) if job.data_dir else ()
    engine = tuple(x for option in job.engine for x in ("--engine", option))
    limit = () if job.max_answer_tokens is None else ("--max-answer-tokens", str(job.max_answer_tokens))
    collect_options = _options("collect_options", job.collect_options, _COLLECT_OWN, "-")
    pairs_options = _options("pairs_options", job.pairs_options, _COLLECT_OWN, "-")
    trainers = {
        "sft": _options("trainer_options", job.trainer_options, _TRAINER_OWN, "_"),
        "step_dpo": _options("step_dpo_options", job.step_dpo_options, _TRAINER_OWN, "_"),
    }
    trainers["joint"] = trainers["sft"]
    launch: tuple[str, ...] = ()
    if job.accelerate_config:
        launch = ("-m", "accelerate.commands.launch", "--config_file", job.accelerate_config)

    def policy(adapter: str | None, seed: int) -> tuple[str, ...]:
        named = ("--policy", job.model, "--adapter", adapter or "none", "--profile", job.profile)
        return (*named, "--backend", job.backend, *engine, *limit, "--seed", str(seed))

    def slice_of(number: int) -> tuple[str, ...]:
        parts = max(1, job.pool // job.limit)
        start = job.offset + (((number - 1) % parts) * job.limit if job.fresh else 0)
        return ("--offset", str(start), "--limit", str(min(job.limit, job.pool)))

    def solve(now: Round, name: str, adapter: str | None, *more: str) -> dict[str, Any]:
        """What commands of `reasoning.solve` share: a run that can go on, and a summary.

        A search that is stopped writes the summary of what it has, so finding one is not enough.
        """
        run, summary = f"round-{now.number:02}-{name}", now.folder / f"{name}.json"
        kept = folder / "runs" / run
        return {
            "argv": (
                *("-m", "reasoning.solve", job.task, "--split", job.split, *data, *more),
                *(*policy(adapter, now.seed), "--run", run, "--json", str(summary)),
            ),
            "outputs": (summary,),
            "env": runs,
            "again": lambda: ("--resume",) if any(kept.glob("*.sqlite")) else (),
        }

    def trainer(now: Round, name: str, rows: Path, adapter: str | None) -> Stage:
        out = now.folder / name
        argv = (
            *(*launch, "-m", f"reasoning.train.{name}", *trainers[name], "--model", job.model),
            *("--adapter", adapter or "none", "--task", job.task, "--profile", job.profile),
            *("--data", str(rows), "--output_dir", str(out), "--seed", str(now.seed)),
        )
        weights = out / "adapter_model.safetensors"
        return Stage(name, argv, (weights,), whole=True, measure=lambda: _card(out), adapter=out)

    def stages(now: Round) -> Iterator[Stage]:
        adapter = now.adapter
        if now.number:
            sampled, rows = now.folder / "solutions.jsonl", now.folder / "rows.jsonl"
            search = f"round-{now.number:02}-search"
            if job.method == "mcts":
                more = ("--method", "mcts", "--iterations", str(job.samples), "--temperature", str(job.temperature))
                yield Stage("search", **solve(now, "search", adapter, *slice_of(now.number), *more, *collect_options))
                argv = ("-m", "reasoning.collect", "labels", search, "--how", "tree", "--out", str(sampled))
                yield Stage("collect", argv, (sampled,), env=runs, measure=lambda: _solutions(sampled))
            else:
                argv = (
                    *("-m", "reasoning.collect", "solutions", *where, *data, *slice_of(now.number)),
                    *("--samples", str(job.samples), "--temperature", str(job.temperature), *collect_options),
                    *(*policy(adapter, now.seed), "--out", str(sampled)),
                )
                yield Stage("collect", argv, (sampled,), measure=lambda: _solutions(sampled))
            argv = (
                *("-m", "reasoning.train.mix", "--data", str(sampled), *where, *data),
                *("--offset", str(job.offset), "--limit", str(job.pool)),
                *("--real-share", str(job.real_share), "--real-at-least", str(job.real_at_least)),
                *("--seed", str(now.seed), "--output", str(rows)),
            )
            yield Stage("mix", argv, (rows,), whole=True, measure=lambda: _mixed(rows))
            yield trainer(now, job.trainer, rows, adapter)
            adapter = str(now.folder / job.trainer)
            # Without a solution there are no pairs, without a pair there is nothing to prefer. A dry run cannot know.
            if job.pairs != "none" and (not sampled.exists() or _count(sampled, "steps")):
                pairs, tree = now.folder / "pairs.jsonl", job.method == "mcts" and job.pairs != "step-dpo"
                argv = (
                    *("-m", "reasoning.collect", "preferences", "--how", job.pairs),
                    *(("--run", search) if tree else ("--from", str(sampled), "--task", job.task)),
                    *(policy(now.adapter, now.seed) if job.pairs == "step-dpo" else ()),
                    *(*pairs_options, "--out", str(pairs)),
                )
                yield Stage("pairs", argv, (pairs,), env=runs, measure=lambda: {"pairs": _count(pairs, "chosen")})
                if not pairs.exists() or _count(pairs, "chosen"):
                    yield trainer(now, "step_dpo", pairs, adapter)
                    adapter = str(now.folder / "step_dpo")
        held_out = ("--offset", str(job.eval_offset), "--limit", str(job.eval_limit))
        # The same seed in every round: rounds differ by their adapters alone.
        measured = dataclasses.replace(now, seed=job.seed)
        told = solve(measured, "greedy", adapter, *held_out, "--method", "greedy")
        yield Stage("greedy", **told, measure=lambda: _accuracy(now.folder / "greedy.json"), scores=True)
        if job.eval_samples:
            sampled = now.folder / "held-out.jsonl"
            argv = (
                *("-m", "reasoning.collect", "solutions", *where, *data, *held_out),
                *("--samples", str(job.eval_samples), "--temperature", str(job.temperature)),
                *(*policy(adapter, job.seed), "--out", str(sampled)),
            )
            yield Stage("pass", argv, (sampled,), measure=lambda: _pass(sampled))

    return stages


def _check(job: IterateJob) -> None:
    from reasoning.collect.sampler import training_task
    from reasoning.engine import models
    from reasoning.profiles import get_profile

    training_task(job.task, job.split)
    get_profile(job.profile)
    kind = models.resolve(job.model, job.adapter or "none").kind
    if kind in ("server", "toy"):
        raise UserError(f"--model {job.model} cannot be trained; name a model of the catalogue, a folder or a hub name")
    for name, least in (("rounds", 0), ("offset", 0), ("eval_offset", 0), ("eval_samples", 0), ("real_at_least", 0)):
        if getattr(job, name) < least:
            raise UserError(f"--{name} must be at least {least}, not {getattr(job, name)}")
    for name in ("pool", "limit", "samples", "eval_limit", "max_answer_tokens"):
        if getattr(job, name) is not None and getattr(job, name) < 1:
            raise UserError(f"--{name} must be at least 1, not {getattr(job, name)}")
    if not 0 <= job.real_share < 1:
        raise UserError(f"--real_share must be at least 0 and below 1, not {job.real_share}")
    if job.offset < job.eval_offset + job.eval_limit and job.eval_offset < job.offset + job.pool:
        raise UserError(
            f"held-out questions {job.eval_offset} to {job.eval_offset + job.eval_limit - 1} are among the training "
            f"questions {job.offset} to {job.offset + job.pool - 1}: change --pool or --eval_offset"
        )


# ---- figures ---------------------------------------------------------------------------------------------------------


def _count(path: Path, key: str) -> int:
    return sum(key in row for row in read_rows(path))


def _solutions(path: Path) -> dict[str, Any]:
    rows = [row for row in read_rows(path) if "steps" in row]
    return {"solutions": len(rows), "right": sum(bool(row.get("correct", True)) for row in rows)}


def _mixed(path: Path) -> dict[str, Any]:
    origins = [row.get("origin", "gold") for row in read_rows(path)]
    return {"sampled": sum(o != "gold" for o in origins), "real": sum(o == "gold" for o in origins)}


def _card(adapter: Path) -> dict[str, Any]:
    card = json.loads((adapter / CARD).read_text(encoding="utf-8"))
    return {k: card[k] for k in ("solutions", "labelled_steps", "pairs", "steps") if k in card}


def _accuracy(summary: Path) -> dict[str, Any]:
    found = json.loads(summary.read_text(encoding="utf-8"))
    low, high = wilson(found["correct"], found["problems"])
    return {
        "correct": found["correct"],
        "questions": found["problems"],
        "accuracy": round(found["correct"] / max(1, found["problems"]), 4),
        "ci95": [round(low, 4), round(high, 4)],
    }


def _pass(path: Path) -> dict[str, Any]:
    """pass@k: questions that k samples solve at least once, and the mean accuracy of a sample."""
    groups = [row for row in read_rows(path) if "group" in row]
    solved, samples = sum(g.get("solved", 0) for g in groups), sum(g.get("samples", 0) for g in groups)
    low, high = wilson(solved, len(groups))
    return {
        "solved": solved,
        "questions": len(groups),
        "pass": round(solved / max(1, len(groups)), 4),
        "ci95": [round(low, 4), round(high, 4)],
        "sampled_accuracy": round(sum(g.get("right", 0) for g in groups) / max(1, samples), 4),
    }


def table(state: Mapping[str, Any], samples: int) -> str:
    """The rounds as text: accuracies on the held-out questions with their 95% Wilson intervals."""
    lines = [("round", "right", "greedy (95% interval)", f"pass@{samples} (95% interval)", "")]
    for record in state["rounds"]:
        found = {stage["name"]: stage["metrics"] for stage in record["stages"]}
        greedy, several = found["greedy"], found.get("pass")
        lines.append(
            (
                str(record["round"]) if record["round"] else "start",
                f"{greedy['correct']}/{greedy['questions']}",
                _share(greedy["accuracy"], greedy["ci95"]),
                "-" if several is None else _share(several["pass"], several["ci95"]),
                "" if not record["round"] else "kept" if record["accepted"] else "not kept",
            )
        )
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in lines)


def _share(value: float, interval: Sequence[float]) -> str:
    return f"{value:.3f} ({interval[0]:.3f} to {interval[1]:.3f})"


# ---- the command -----------------------------------------------------------------------------------------------------


def _settings(job: IterateJob) -> dict[str, Any]:
    """What makes two runs the same; files are told by their content."""
    values = {k: v for k, v in dataclasses.asdict(job).items() if k not in _FREE}
    named = [o.partition("=")[2] for o in (*job.trainer_options, *job.step_dpo_options) if o.startswith("config=")]
    if job.accelerate_config:
        named.append(job.accelerate_config)
    files = [Path(name) for name in named]
    if job.adapter:
        files.append(Path(job.adapter) / "adapter_model.safetensors")
    return {**values, "files": {str(path): content_hash(path) for path in files}}


def run(argv: Sequence[str] | None = None) -> int:
    """The command."""
    from reasoning.train.job import parse

    job = parse(IterateJob, argv, __doc__ or "")
    job.adapter = None if job.adapter in ("", "none") else job.adapter
    plan, settings, folder = plan_of(job), _settings(job), Path(job.output_dir)
    if job.dry_run:
        for line in show_rounds(folder, plan, rounds=job.rounds, seed=job.seed, start=job.adapter):
            print(line)
        return 0
    state = run_rounds(
        folder,
        settings,
        plan,
        rounds=job.rounds,
        seed=job.seed,
        start=job.adapter,
        accept=job.accept,
        overwrite=job.overwrite,
    )
    print(f"\n{table(state, job.eval_samples)}\n\nadapter: {state['adapter'] or 'none'}")
    return 0


if __name__ == "__main__":
    sys.exit(run_command(run))
