"""From words to models, measured: rules, one step, votes, phases, and search with the solver, on the same texts.

    python -m benchmarks.formulation --data nl4opt --split test --limit 60 --json out.json

`--data` is `nl4opt`, a file of rows of `data.synthesis` (with their models), or any JSON Lines file of texts and
optimal values (`--text-column`, `--optimum-column`). `--policy`, `--adapter`, `--backend` and `--engine` name the
model as in `reasoning.solve`; without `--methods` all methods are compared. Methods share the samples that they have in
common, so that they differ in what they do with them; tokens are counted as if each had drawn its own.

Intervals are 95% bootstrap percentile intervals over problems; p-values are of sign-flip tests against the rules.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

from benchmarks.common import machine, print_table, write_result
from data.command import Parser, run_command
from data.errors import DataError, UserError
from data.nl4opt import Example, declared, reworded, tagged
from data.rows import read_rows
from formulation.classes import NL4OPT_KINDS
from formulation.metrics import (
    Accuracy,
    agrees,
    canonical_accuracy,
    canonical_of_example,
    canonical_of_model,
    execution_accuracy,
    paired,
    seed_accuracies,
    whole_model_accuracy,
)
from formulation.model import Model
from formulation.nl4opt import load_gold
from formulation.numbers import number
from formulation.reader import METHODS, SAMPLES, TEMPERATURE, Method, ModelReading, Reader
from formulation.rules import read as read_by_rules
from formulation.schema import Problem, read_problem
from formulation.solve import solve
from search.driver import drive_many

__all__ = ["main"]

_SETTINGS: Final = ("policy", "adapter", "samples", "temperature", "seed")
_CAUSES: Final = 5  # ids shown for each cause of errors


@dataclass
class Texts:
    """What is read: ids and texts, and what is known of each: NL4Opt's declarations, a model, or an optimum."""

    ids: list[str]
    texts: list[str]
    examples: list[Example] = field(default_factory=list)
    models: list[Model] = field(default_factory=list)
    optima: list[Fraction] = field(default_factory=list)


@dataclass
class Result:
    """What a method made of the texts, and what it cost."""

    models: list[Model | None]
    tokens: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    confidence: list[float | None] = field(default_factory=list)
    complete: list[bool] = field(default_factory=list)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    args = _arguments(arguments)
    texts = _texts(args)
    began = time.monotonic()
    results: dict[str, Result] = {}
    if "rules" in args.methods:
        readings = [read_by_rules(text) for text in texts.texts]
        results["rules"] = Result([one.model() for one in readings], complete=[one.complete for one in readings])
    of_model: list[Method] = [name for name in args.methods if name != "rules"]
    if of_model:
        results |= asyncio.run(_by_model(args, of_model, texts))
    rows = [row for name, result in results.items() for row in _measures(texts, name, result, args.time_limit)]
    _against(rows, next(iter(results)))
    shown = [{k: v for k, v in row.items() if k != "by"} for row in rows]
    print_table(shown)
    settings = {"data": args.data, "split": args.split, "problems": len(texts.ids)}
    settings |= {name: getattr(args, name) for name in _SETTINGS}
    settings["seconds"] = round(time.monotonic() - began, 1)
    if args.data == "nl4opt" and args.limit is None and set(results) == {"rules", *METHODS}:
        write_result(f"formulation_{args.split}", shown, **settings)
    if texts.examples:
        for name, result in results.items():
            whole = whole_model_accuracy(texts.examples, result.models, "text").right
            sure = [right for right, complete in zip(whole, result.complete, strict=True) if complete]
            print(
                f"\n{name}: {len(sure)} readings leave nothing of their text over, {sum(sure)} of them are wholly right"
            )
            print("gold rows found by kind, and what is wrong:")
            for kind, found in by_kind(texts.examples, result.models).items():
                print(f"  {kind:12} {sum(found.right):4} of {sum(found.of):4}")
            for cause, ids in _causes(texts.examples, result.models).items():
                print(f"  {cause}: {len(ids)} ({', '.join(ids[:_CAUSES])}{', ...' if len(ids) > _CAUSES else ''})")
    if args.json is not None:
        told = {
            "machine": machine(),
            "data": args.data,
            "split": args.split,
            "problems": len(texts.ids),
            "settings": {
                k: v for k, v in vars(args).items() if k in ("policy", "adapter", "samples", "temperature", "seed")
            },
            "seconds": round(time.monotonic() - began, 1),
            "rows": rows,
            "models": {
                name: [
                    {"id": i, "model": None if model is None else model.problem.plain(), **_extra(result, at)}
                    for at, (i, model) in enumerate(zip(texts.ids, result.models, strict=True))
                ]
                for name, result in results.items()
            },
        }
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    return 0


def _extra(result: Result, at: int) -> dict[str, Any]:
    return {"confidence": result.confidence[at]} if result.confidence else {}


def _arguments(arguments: Sequence[str] | None) -> Any:
    parser = Parser(prog="python -m benchmarks.formulation", description="From words to models, measured.")
    add = parser.add_argument
    add("--data", default="nl4opt", help="nl4opt, or a JSON Lines file (default: nl4opt)")
    add("--split", choices=("dev", "test"), default="dev", help="of nl4opt (default: dev)")
    add("--limit", type=int, help="read only the first so many texts")
    add("--held-out", action="store_true", help="of rows of data.synthesis: held-out generators and wordings only")
    add("--data-dir", type=Path, help="folder that holds nl4opt/dev.jsonl and nl4opt/test.jsonl")
    add("--text-column", default="text", help="of a file of texts and optima")
    add("--optimum-column", default="optimum", help="of a file of texts and optima")
    add("--methods", nargs="+", choices=("rules", *METHODS), default=["rules", *METHODS], help="default: all")
    add("--policy", help="the model (default: the embedded one)")
    add("--adapter", help="LoRA folder (default: the shipped one where there is one)")
    add("--backend", default="auto", help="vllm or transformers (default: vLLM where it is installed)")
    add("--engine", action="append", default=[], metavar="KEY=VALUE", help="option of the engine; may be repeated")
    add("--samples", type=int, default=SAMPLES, help=f"drafts of a text (default: {SAMPLES})")
    add("--temperature", type=float, default=TEMPERATURE)
    add("--seed", type=int, default=0)
    add("--concurrency", type=int, default=8, help="texts read together (default: 8)")
    add("--time-limit", type=float, default=10.0, help="seconds of the solver for one model (default: 10)")
    add("--json", type=Path, help="file to write, with every model")
    args = parser.parse_args(arguments)
    if args.concurrency < 1 or (args.limit is not None and args.limit < 1):
        raise UserError("--concurrency and --limit must be at least 1")
    return args


# ---- what is read ----------------------------------------------------------------------------------------------------


def _texts(args: Any) -> Texts:
    if args.data == "nl4opt":
        examples = declared(args.split, directory=args.data_dir, limit=args.limit)
        models = [gold.model for gold in load_gold(args.split, directory=args.data_dir, limit=args.limit)]
        return Texts([one.id for one in examples], [one.document for one in examples], examples, models)
    found = Texts([], [])
    for at, row in enumerate(read_rows(Path(args.data))):
        if args.limit is not None and len(found.ids) >= args.limit:
            break
        if args.held_out and "settings" not in row and not row.get("held_out"):
            continue
        if "problem" in row:
            problem = read_problem(row["problem"])
            found.ids.append(str(row.get("id", at)))
            found.texts.append(problem.text or "")
            found.models.append(Model(problem, ignore_strict=True))
        elif args.text_column in row and args.optimum_column in row:
            found.ids.append(str(row.get("id", at)))
            found.texts.append(str(row[args.text_column]))
            found.optima.append(_optimum(row[args.optimum_column], args.data, at))
        elif "settings" not in row:
            raise DataError(
                f"{args.data}, row {at + 1}: no columns {args.text_column!r} and {args.optimum_column!r} "
                "(--text-column and --optimum-column name others)"
            )
    if not found.ids:
        raise DataError(f"{args.data} holds no {'held-out ' if args.held_out else ''}texts")
    if found.models and found.optima:
        raise DataError(f"{args.data} holds both rows with models and rows with optima: use two files")
    return found


def _optimum(given: Any, name: str, at: int) -> Fraction:
    try:
        return Fraction(number(given).value)
    except (ValueError, TypeError):
        raise DataError(f"{name}, row {at + 1}: {given!r:.40} is no optimal value") from None


# ---- reading ---------------------------------------------------------------------------------------------------------


class _Remembering:
    """An engine that samples nothing twice: the same prompt with the same settings and seed gives the same text."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self._known: dict[Any, asyncio.Future[Any]] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    async def complete(self, prompt_ids: Sequence[int], sampling: Any) -> Any:
        """The engine's completion, or the one that it gave before."""
        key = (tuple(prompt_ids), sampling)
        if key not in self._known:
            self._known[key] = asyncio.ensure_future(self._engine.complete(prompt_ids, sampling))
        return await self._known[key]


async def _by_model(args: Any, methods: Sequence[Method], texts: Texts) -> dict[str, Result]:
    from reasoning.adapters import shipped
    from reasoning.cli import key_value
    from reasoning.engine import open_engine

    # The one model that was trained to write the compact format.
    policy = args.policy if args.policy not in (None, "", "embedded") else "smollm2-135m"
    adapter = args.adapter or shipped(policy, "formulation.task:Drafts")
    engine = _Remembering(
        await open_engine(
            policy,
            adapter=None if adapter is None else str(adapter),
            backend=args.backend,
            options=dict(key_value("--engine", one) for one in args.engine),
        )
    )
    results: dict[str, Result] = {}
    try:
        for method in methods:
            reader = Reader(
                engine,
                method=method,
                samples=args.samples,
                temperature=args.temperature,
                seed=args.seed,
            )
            results[method] = await _read(reader, texts, args.concurrency)
    finally:
        await engine.close()
    return results


async def _read(reader: Reader, texts: Texts, concurrency: int) -> Result:
    async def one(job: tuple[int, str]) -> tuple[int, ModelReading | None]:
        try:
            return job[0], await reader.aread(job[1], texts.ids[job[0]])
        except UserError as error:
            print(f"{texts.ids[job[0]]}: {error}", file=sys.stderr)
            return job[0], None

    found: dict[int, ModelReading | None] = {}
    async for at, reading in drive_many(enumerate(texts.texts), one, concurrency=concurrency):
        found[at] = reading
    readings = [found[at] for at in range(len(texts.texts))]
    return Result(
        [_model(reading.problem if reading else None) for reading in readings],
        [reading.usage.completion if reading else 0 for reading in readings],
        [reading.seconds if reading else 0.0 for reading in readings],
        [reading.models[0].confidence if reading and reading.models else None for reading in readings],
        [reading is not None and reading.as_reading().complete for reading in readings],
    )


def _model(problem: Problem | None) -> Model | None:
    return None if problem is None else Model(problem, ignore_strict=True)


# ---- measuring -------------------------------------------------------------------------------------------------------


def _measures(texts: Texts, method: str, result: Result, time_limit: float) -> Iterator[dict[str, Any]]:
    """Accuracies of a method, a row each."""
    tokens = sum(result.tokens) / len(result.tokens) if result.tokens else 0.0
    for name, found in _accuracies(texts, result.models, time_limit):
        low, high = found.interval() or (None, None)
        yield {
            "method": method,
            "measure": name,
            "of": sum(found.of),
            "value": found.value,
            "low": low,
            "high": high,
            "p": None,
            "tokens": round(tokens),
            "by": [list(found.right), list(found.of)],
        }


def _accuracies(texts: Texts, models: Sequence[Model | None], time_limit: float) -> Iterator[tuple[str, Accuracy]]:
    if texts.examples:
        yield "canonical", canonical_accuracy(texts.examples, models, "text")
        yield "canonical, reference scorer", canonical_accuracy(texts.examples, models, "text", reference=True)
        yield "whole models", whole_model_accuracy(texts.examples, models, "text")
        try:
            close = reworded(texts.examples, tagged())
        except DataError:
            close = frozenset()
        kept = [at for at, one in enumerate(texts.examples) if one.id not in close]
        if 0 < len(kept) < len(texts.examples):
            examples, few = [texts.examples[at] for at in kept], [models[at] for at in kept]
            yield "canonical, not reworded", canonical_accuracy(examples, few, "text")
            yield "whole models, not reworded", whole_model_accuracy(examples, few, "text")
    if texts.models:
        for name, found in seed_accuracies(texts.models, models).items():
            yield name if name != "model" else "model, as the seed paper", found
        for domain, found in execution_accuracy(texts.models, models, time_limit=time_limit).items():
            yield f"execution, {domain}", found
    if texts.optima:
        right = []
        for model, optimum in zip(models, texts.optima, strict=True):
            right.append(int(model is not None and _agrees(model, optimum, time_limit)))
        yield "execution", Accuracy(tuple(right), (1,) * len(right))


def _agrees(model: Model, optimum: Fraction, time_limit: float) -> bool:
    try:
        found = solve(model, time_limit=time_limit)
    except (UserError, DataError):
        return False
    return found.optimal and found.objective is not None and agrees(found.objective, optimum)


def _against(rows: Sequence[dict[str, Any]], first: str) -> None:
    """Fill in the p-values: each method against the first one on the same problems."""
    base = {row["measure"]: row["by"] for row in rows if row["method"] == first}
    for row in rows:
        right, of = row["by"]
        other = base.get(row["measure"])
        if row["method"] != first and other is not None and other[1] == of and sum(of):
            row["p"] = paired(Accuracy(tuple(right), tuple(of)), Accuracy(tuple(other[0]), tuple(of))).p_value


def by_kind(examples: Sequence[Example], models: Sequence[Model | None]) -> dict[str, Accuracy]:
    """The share of gold rows that were read, by the kind that says them, and of objectives."""
    counts: dict[str, list[tuple[int, int]]] = {}
    for example, model in zip(examples, models, strict=True):
        gold, found = canonical_of_example(example), None
        if model is not None:
            try:
                found = canonical_of_model(model, example, "text")
            except UserError:
                found = None  # a model that cannot be written out is none
        same_width = found is not None and len(found.objective) == len(gold.objective)
        left = Counter(found.rows) if found is not None and same_width else Counter()
        goal = found is not None and (found.sense, found.objective) == (gold.sense, gold.objective)
        here: dict[str, list[int]] = {"objective": [int(goal)]}
        for one, row in zip(example.constraints, gold.rows, strict=True):
            here.setdefault(NL4OPT_KINDS[one.type], []).append(int(left[row] > 0))
            left[row] -= 1
        for kind, hits in here.items():
            counts.setdefault(kind, []).append((sum(hits), len(hits)))
    return {
        kind: Accuracy(tuple(right for right, _ in pairs), tuple(of for _, of in pairs))
        for kind, pairs in sorted(counts.items())
    }


def _causes(examples: Sequence[Example], models: Sequence[Model | None]) -> dict[str, list[str]]:
    """Ids of problems by what is wrong with their model; one may have several causes."""
    found: dict[str, list[str]] = {}
    for example, model in zip(examples, models, strict=True):
        for cause in _wrong(example, model):
            found.setdefault(cause, []).append(example.id)
    return dict(sorted(found.items(), key=lambda pair: -len(pair[1])))


def _wrong(example: Example, model: Model | None) -> Iterator[str]:
    gold = canonical_of_example(example)
    try:
        found = None if model is None else canonical_of_model(model, example, "text")
    except UserError:
        found = None
    if found is None:
        yield "no model"
        return
    if len(found.objective) != len(gold.objective):
        yield "more variables"
        return
    if found.objective[:-1] != gold.objective[:-1] or found.sense != gold.sense:
        yield "objective"
    missing, extra = Counter(gold.rows) - Counter(found.rows), Counter(found.rows) - Counter(gold.rows)
    turned = Counter(tuple(-x for x in row) for row in missing.elements()) & extra
    if turned:
        yield "direction of a row"
    sides = Counter(row[-1] for row in missing.elements()) & Counter(row[-1] for row in extra.elements())
    if sides.total() > turned.total():
        yield "coefficients of a row"
    if missing.total() > extra.total():
        yield "row missing"
    if extra.total() > missing.total():
        yield "row too many"
    if missing.total() == extra.total() > sides.total() + turned.total():
        yield "another row"


if __name__ == "__main__":
    sys.exit(run_command(main))
