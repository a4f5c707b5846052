"""python -m reasoning.scale.sizing: GPUs and hours that a job of many trees takes, from figures per token.

    GPU seconds of a tree = prefill tokens / prefill speed + decode tokens / decode speed + reward tokens / reward speed
    hours = trees · GPU seconds of a tree / (GPUs · efficiency · 3600)

Prefill tokens are those that no cache held. Speeds are of one GPU that is kept full. Engines compute prompts beside
decoding, so adding the times up errs on the safe side. What a tree takes is read from a stored run, where one is named,
or given; every figure in the answer says which it is.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from data.errors import UserError
from reasoning.cli import Parser, run_command
from reasoning.runs import ProblemResult, read_run

__all__ = ["Figure", "Sizing", "kv_bytes_per_token", "main", "measured", "size"]

_Z95: Final = 1.959963984540054
KINDS: Final = ("prefill", "decode", "reward")


@dataclass(frozen=True, slots=True)
class Figure:
    """A number, where it comes from, and its 95% interval where it has one."""

    value: float
    origin: str
    low: float | None = None
    high: float | None = None

    def times(self, factor: float, origin: str | None = None) -> Figure:
        """The figure and its interval multiplied."""
        low = None if self.low is None else self.low * factor
        high = None if self.high is None else self.high * factor
        return Figure(self.value * factor, origin or self.origin, low, high)


@dataclass(frozen=True, slots=True)
class Sizing:
    """What a job takes: seconds of one full GPU for a tree, hours of one GPU for all, and GPUs and hours of the job."""

    gpu_seconds: Figure
    gpu_hours: Figure
    gpus: Figure
    hours: Figure


def mean(values: Sequence[float], origin: str) -> Figure:
    """The mean with its 95% interval by the normal approximation; none for a single value."""
    middle = math.fsum(values) / len(values)
    if len(values) < 2:
        return Figure(middle, origin)
    half = _Z95 * statistics.stdev(values) / math.sqrt(len(values))
    return Figure(middle, origin, max(0.0, middle - half), middle + half)


def spent(result: ProblemResult, kind: str) -> float | None:
    """Tokens of a kind that a stored search computed, None where its engine did not say."""
    if kind == "prefill":
        return None if result.cached_tokens is None else result.prompt_tokens - result.cached_tokens
    return result.completion_tokens if kind == "decode" else result.reward_tokens


def measured(results: Sequence[ProblemResult], kinds: Sequence[str], speeds: Mapping[str, float]) -> list[float]:
    """GPU seconds of each tree at these speeds, of these kinds of tokens. Raises UserError where one is unknown."""
    seconds = []
    for result in results:
        tokens = {kind: spent(result, kind) for kind in kinds}
        for kind, count in tokens.items():
            if count is None:
                raise UserError(f"the run does not know its {kind} tokens ({result.problem}): give --{kind}-tokens")
        seconds.append(math.fsum((tokens[kind] or 0.0) / speeds[kind] for kind in kinds if tokens[kind]))
    return seconds


def size(gpu_seconds: Figure, trees: float, efficiency: float, *, gpus: float | None, hours: float | None) -> Sizing:
    """The job from its tree: with `gpus` the hours follow, with `hours` the GPUs (whole ones), and at least one is."""
    gpu_hours = gpu_seconds.times(trees / 3600 / efficiency, "computed")
    if gpus is not None:
        return Sizing(gpu_seconds, gpu_hours, Figure(gpus, "given"), gpu_hours.times(1 / gpus))
    if hours is None:
        raise UserError("give --gpus to learn the hours, or --hours to learn the GPUs")
    ends = [None if x is None else float(math.ceil(x / hours)) for x in (gpu_hours.low, gpu_hours.high)]
    needed = Figure(math.ceil(gpu_hours.value / hours), "computed", *ends)
    return Sizing(gpu_seconds, gpu_hours, needed, Figure(hours, "given"))


def kv_bytes_per_token(folder: Path, bytes_per_number: int = 2) -> int:
    """Bytes of keys and values that one token keeps in a model's cache, from its config.json.

    2 · layers · key-value heads · head size · bytes, for full attention. Raises UserError where the file does not tell.
    """
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        config = {**config, **config.get("text_config", {})}
        heads = int(config["num_attention_heads"])
        wide = int(config.get("head_dim") or config["hidden_size"] // heads)
        kept = int(config.get("num_key_value_heads") or heads)
        return 2 * int(config["num_hidden_layers"]) * kept * wide * bytes_per_number
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"--model {folder}: its config.json does not tell layers and heads ({error!r})") from None


# ---- the command -----------------------------------------------------------------------------------------------------


def main(argv: Sequence[str] | None = None) -> int:
    """The command; 0, or 2 for a mistake."""
    return run_command(lambda: _size(_parser().parse_args(argv)))


def _parser() -> Parser:
    parser = Parser(
        prog="python -m reasoning.scale.sizing",
        description="GPUs and hours of a job of many trees, from figures per token.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--trees", type=_positive, required=True, metavar="N", help="trees of the whole job, such as 10e6")
    add("--run", metavar="NAME", help="a stored run whose searches say what a tree takes")
    add("--runs-dir", type=Path, metavar="DIR", help="where runs are (default: $STEPSOLVER_RUNS or ./runs)")
    add("--tokens-per-tree", dest="decode_tokens", type=_count, metavar="T", help="decoded tokens of a tree")
    add("--prefill-tokens", type=_count, metavar="T", help="prompt tokens of a tree that come from no cache")
    add("--reward-tokens", type=_count, metavar="T", help="tokens computed for a tree's rewards")
    add("--tokens-per-second", dest="decode_speed", type=_positive, metavar="V", help="decoded by one full GPU")
    add("--prefill-per-second", dest="prefill_speed", type=_positive, metavar="V", help="prompt tokens by one full GPU")
    add("--reward-per-second", dest="reward_speed", type=_positive, metavar="V", help="default: as prompt tokens")
    add("--efficiency", type=_share, default=0.9, metavar="E", help="share of the time GPUs are full (default: 0.9)")
    wanted = parser.add_mutually_exclusive_group(required=True)
    wanted.add_argument("--gpus", type=_positive, metavar="N", help="tell the hours")
    wanted.add_argument("--hours", type=_positive, metavar="H", help="tell the GPUs")
    add("--model", type=Path, metavar="FOLDER", help="with --kv-gib and --context: how many sequences fit at a time")
    add("--kv-gib", type=_positive, metavar="G", help="memory for keys and values of one engine")
    add("--context", type=_positive, metavar="T", help="tokens of a sequence, prompt included")
    add("--json", action="store_true", help="as one JSON object")
    return parser


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text} must be a number above 0")
    return value


def _count(text: str) -> float:
    value = float(text)
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"{text} must be a number of at least 0")
    return value


def _share(text: str) -> float:
    value = float(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"{text} must be above 0 and at most 1")
    return value


def _size(args: argparse.Namespace) -> int:
    tokens, gpu_seconds, speeds = _tree(args)
    sizing = size(gpu_seconds, args.trees, args.efficiency, gpus=args.gpus, hours=args.hours)
    figures = {
        **{f"{kind} tokens of a tree": figure for kind, figure in tokens.items()},
        **{f"{kind} tokens/s of a GPU": figure for kind, figure in speeds.items()},
        "trees": Figure(args.trees, "given"),
        "efficiency": Figure(args.efficiency, "assumed"),
        "GPU seconds of a tree": sizing.gpu_seconds,
        "GPU hours": sizing.gpu_hours,
        "GPUs": sizing.gpus,
        "hours": sizing.hours,
        **_memory(args),
    }
    if args.json:
        print(json.dumps({name: asdict(figure) for name, figure in figures.items()}, indent=2))
        return 0
    for name, figure in figures.items():
        between = "" if figure.low is None else f"  [{figure.low:,.4g}, {figure.high:,.4g}]"
        print(f"  {name:<26}{figure.value:>16,.6g}{between}  ({figure.origin})")
    if sizing.gpu_hours.low is not None:
        print("  intervals: 95%, from how much the run's trees differ; the speeds are taken as exact")
    return 0


def _tree(args: argparse.Namespace) -> tuple[dict[str, Figure], Figure, dict[str, Figure]]:
    """What a tree takes, in tokens by kind and in GPU seconds, and the speeds that this rests on."""
    given = {kind: getattr(args, f"{kind}_tokens") for kind in KINDS}
    results: list[ProblemResult] = []
    if args.run is not None:
        results = [r for r in read_run(args.run, args.runs_dir).results if r.failed is None]
        if not results:
            raise UserError(f"run {args.run!r} has no finished search: name another, or give --tokens-per-tree")
    elif given["decode"] is None:
        raise UserError("say what a tree takes: --run NAME, or --tokens-per-tree with --prefill-tokens")
    origin = f"measured: run {args.run}, {len(results)} trees"
    read = [kind for kind in KINDS if given[kind] is None] if results else []
    tokens = {kind: Figure(given[kind] or 0.0, "given") for kind in KINDS if kind not in read}
    for kind in read:
        tokens[kind] = mean(measured(results, [kind], {kind: 1.0}), origin)
    speeds = _speeds(args, {kind for kind in KINDS if tokens[kind].value})
    rates = {kind: speed.value for kind, speed in speeds.items()}
    fixed = math.fsum(tokens[k].value / rates[k] for k in KINDS if k not in read and tokens[k].value)
    if not read:
        return tokens, Figure(fixed, "computed"), speeds
    # Kinds rise and fall together within a tree: the interval is that of whole trees.
    whole = [fixed + seconds for seconds in measured(results, [k for k in read if k in rates], rates)]
    return {kind: tokens[kind] for kind in KINDS}, mean(whole, "computed"), speeds


def _speeds(args: argparse.Namespace, needed: set[str]) -> dict[str, Figure]:
    flags = {"prefill": "--prefill-per-second", "decode": "--tokens-per-second", "reward": "--reward-per-second"}
    found: dict[str, Figure] = {}
    for kind in KINDS:
        if kind not in needed:
            continue
        speed = getattr(args, f"{kind}_speed")
        if speed is not None:
            found[kind] = Figure(speed, "given")
        elif kind == "reward" and args.prefill_speed is not None:
            found[kind] = Figure(args.prefill_speed, "assumed: as prompt tokens")
        else:
            raise UserError(f"a tree has {kind} tokens: give {flags[kind]}, as measured on one full GPU")
    return found


def _memory(args: argparse.Namespace) -> dict[str, Figure]:
    """How many sequences an engine's cache holds."""
    asked: dict[str, Any] = {name: getattr(args, name) for name in ("model", "kv_gib", "context")}
    if all(value is None for value in asked.values()):
        return {}
    for name, value in asked.items():
        if value is None:
            raise UserError(f"--model, --kv-gib and --context go together: give --{name.replace('_', '-')} too")
    per_token = kv_bytes_per_token(args.model)
    return {
        "KV bytes of a token": Figure(per_token, "from config.json, 2 bytes a number"),
        "sequences at a time": Figure(math.floor(args.kv_gib * 2**30 / (per_token * args.context)), "at most"),
    }


if __name__ == "__main__":
    sys.exit(main())
