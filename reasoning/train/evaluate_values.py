"""How good an adapter's step values are: python -m reasoning.train.evaluate_values --adapter DIR --data LABELLED.jsonl

Scores solutions of held-out questions in one plain forward pass each, and prints the AUC of step labels with its
interval, first errors found, calibration, and what choosing the best of n samples gains.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from data.errors import DataError, UserError
from data.metrics import (
    Scored,
    auc,
    auc_interval,
    best_of_n_curve,
    brier,
    calibration,
    expected_calibration_error,
    first_error_accuracy,
)
from data.rows import Solution, read_rows
from reasoning.cards import read_card
from reasoning.cli import Parser
from reasoning.engine import adapters
from reasoning.tasks.answers import final_answer
from reasoning.train import head
from reasoning.train.job import JobFields, Policy, load_policy, main
from reasoning.train.prm import class_differences
from reasoning.train.values import judgement_ids, score_steps

__all__ = ["measure", "run", "scores_of"]

AGGREGATES: Mapping[str, Callable[[Sequence[float]], float]] = {
    "last": lambda values: values[-1],
    "min": min,
    "mean": lambda values: sum(values) / len(values),
}


def scores_of(
    adapter: Path, rows: Sequence[Solution], options: argparse.Namespace
) -> tuple[Policy, list[Solution], list[list[float]]]:
    """The adapter's model, the rows with its tokenizer's ids, and its value of every step of theirs."""
    card = read_card(adapter)
    classify = adapters.adapter_config(adapter).get("task_type") == "TOKEN_CLS"
    if not classify and (card is None or card.value is None):
        raise UserError(f"{adapter} gives no values (its card has no 'value'): train one with reasoning.train.joint")
    job = JobFields(model=options.model, adapter=str(adapter), dtype=options.dtype)
    job.attn_implementation = options.attn_implementation
    if card is not None:
        job.task, job.profile = card.task or job.task, card.profile or job.profile
    policy = load_policy(job, classify=classify)
    policy.model.to(torch.device("cpu") if job.use_cpu else torch.accelerator.current_accelerator())
    policy.model.to(getattr(torch, options.dtype)).eval()
    rows = policy.encoder.solutions(rows, words="none").report("solutions", sys.stderr)
    if classify:
        values = score_steps(policy, rows, lambda b: class_differences(policy.model, _unlabelled(b)), "after")
        return policy, rows, values
    assert card is not None
    assert card.value is not None
    head.install(policy.model.get_base_model(), judgement_ids(policy.tokenizer, card.value.good, card.value.bad))
    position = options.position or card.value.position
    values = score_steps(policy, rows, lambda b: policy.model(**b, scored=True)["values"], position)
    return policy, rows, values


def _unlabelled(batch: Mapping[str, Any]) -> dict[str, Any]:
    return {name: x for name, x in batch.items() if name != "labels"}


def measure(
    rows: Sequence[Solution],
    scores: Sequence[Sequence[float]],
    answers: Sequence[str | None],
    *,
    level: float = 0.5,
    aggregate: str = "last",
    ns: Sequence[int] | None = None,
) -> dict[str, Any]:
    """All metrics of `scores` (one sequence per row, one number per step), as plain JSON values.

    Rows of one question are its samples; one that was drawn several times (`times` in its provenance) counts as many.
    The curve leaves questions out that have fewer samples than the largest `ns` (default: powers of two up to what
    nine in ten questions have).
    """
    steps = [
        (score, label, row.id)
        for row, values in zip(rows, scores, strict=True)
        for score, label in zip(values, row.values or (), strict=True)
        if label is not None
    ]
    if not steps:
        raise DataError("no row has step values to compare with: label the steps first")
    found, labels, questions = (list(column) for column in zip(*steps, strict=True))
    whole = [
        (values, [x for x in row.values if x is not None])
        for row, values in zip(rows, scores, strict=True)
        if row.values is not None and None not in row.values
    ]
    ends = [AGGREGATES[aggregate](values) for values in scores]
    samples: dict[str, list[Scored]] = defaultdict(list)
    for row, end, answer in zip(rows, ends, answers, strict=True):
        samples[row.id] += [Scored(answer, end, row.correct)] * int(row.provenance.get("times", 1))
    counts = sorted(map(len, samples.values()))
    most = counts[len(counts) // 10]
    wanted = list(ns) if ns else [n for n in (1, 2, 4, 8, 16, 32, 64, 128) if n <= most]
    full = [group for group in samples.values() if len(group) >= max(wanted)]
    if not full:
        raise UserError(f"no question has {max(wanted)} samples (the most are {counts[-1]}): name smaller numbers")
    errors = first_error_accuracy([a for a, _ in whole], [b for _, b in whole])
    right = [float(row.correct) for row in rows]
    table = calibration(found, labels)
    return {
        "questions": len(samples),
        "solutions": len(rows),
        "steps": len(steps),
        "level": level,
        "step_auc": auc(found, labels, level),
        "step_auc_interval": auc_interval(found, labels, questions, level),
        "step_auc_hard": auc(found, labels, 0.0),
        "outcome_auc": auc(ends, right),
        "first_errors": {**asdict(errors), "f1": errors.f1},
        "brier": brier(found, labels),
        "ece": expected_calibration_error(table),
        "calibration": [asdict(b) for b in table],
        "aggregate": aggregate,
        "curve_questions": len(full),
        "curve": [asdict(c) for c in best_of_n_curve(full, wanted)],
    }


def show(report: Mapping[str, Any]) -> str:
    """The report as text."""
    low, high = report["step_auc_interval"] or (None, None)
    errors = report["first_errors"]
    lines = [
        f"{report['steps']} steps, {report['solutions']} solutions, {report['questions']} questions",
        f"step-label AUC  {_n(report['step_auc'])} [{_n(low)}, {_n(high)}]  labels above {report['level']}; "
        f"{_n(report['step_auc_hard'])} labels above 0",
        f"outcome AUC     {_n(report['outcome_auc'])} ({report['aggregate']} value, right or wrong solution)",
        f"first errors    found {_n(errors['found'])} of {errors['wrong']}, passed {_n(errors['passed'])} of "
        f"{errors['right']}, F1 {_n(errors['f1'])}",
        f"calibration     Brier {_n(report['brier'])}, ECE {_n(report['ece'])}",
        "  values       steps    mean   label",
        *(
            f"  {b['low']:.1f}-{b['high']:.1f} {b['count']:>11}   {b['score']:.3f}   {b['label']:.3f}"
            for b in report["calibration"]
        ),
        f"best of n       {report['curve_questions']} questions, {report['aggregate']} value; oracle = pass@n",
        "     n    best  weighted  majority  oracle",
        *(
            f"  {c['n']:>4}   {c['best']:.3f}     {c['weighted']:.3f}     {c['majority']:.3f}   {c['oracle']:.3f}"
            for c in report["curve"]
        ),
    ]
    return "\n".join(lines)


def _n(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def run(argv: Sequence[str] | None = None) -> int:
    """The command."""
    parser = Parser(prog="python -m reasoning.train.evaluate_values", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--adapter", type=Path, required=True, help="adapter folder that gives values")
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="files of solution rows with step values")
    parser.add_argument("--model", default="embedded", help="base model")
    parser.add_argument("--position", choices=("border", "after"), help="default: as the adapter's card says")
    parser.add_argument("--level", type=float, default=0.5, help="a label above it is positive in the AUC")
    parser.add_argument("--aggregate", choices=sorted(AGGREGATES), default="last", help="steps to a solution's score")
    parser.add_argument("--ns", type=int, nargs="+", help="numbers of samples in the best-of-n curve")
    parser.add_argument("--limit", type=int, help="number of solutions")
    parser.add_argument("--dtype", default="bfloat16", choices=("bfloat16", "float32"))
    parser.add_argument("--attn-implementation", default="eager", help="eager is faster on a CPU")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(argv)
    found = [Solution.of(row) for path in options.data for row in read_rows(path) if "steps" in row]
    rows = [row for row in found if row.values is not None][: options.limit]
    if not rows:
        raise DataError("no row has step values to compare with: label the steps first")
    policy, rows, scores = scores_of(options.adapter, rows, options)
    answers = [_answer(policy, row) for row in rows]
    report = measure(rows, scores, answers, level=options.level, aggregate=options.aggregate, ns=options.ns)
    print(json.dumps(report, indent=1) if options.json else show(report))
    return 0


def _answer(policy: Policy, row: Solution) -> str | None:
    """The canonical final answer of a solution's last step."""
    written = final_answer(row.steps[-1])
    return None if written is None else policy.task.canonical(written)


if __name__ == "__main__":
    main(run)
