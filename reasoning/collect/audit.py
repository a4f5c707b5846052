"""Pairs and labelled solutions as text, each with the evidence it rests on."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from data.errors import UserError
from data.rows import Preference, Side, Solution, read_rows
from reasoning.collect.sampler import positive

__all__ = ["add_options", "preference_text", "run", "solution_text"]


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `audit`."""
    parser.add_argument("file", type=Path, metavar="FILE.jsonl", help="rows of solutions or preferences")
    parser.add_argument("--limit", type=positive, default=10, metavar="N", help="rows at most (default: 10)")


def run(args: argparse.Namespace) -> int:
    """The command."""
    shown = 0
    for text in _texts(args.file):
        print(f"{text}\n")
        shown += 1
        if shown == args.limit:
            break
    if not shown:
        raise UserError(f"{args.file} holds no solutions or preferences")
    return 0


def _texts(path: Path) -> Iterator[str]:
    for row in read_rows(path):
        if "chosen" in row:
            yield preference_text(Preference.of(row))
        elif "steps" in row:
            yield solution_text(Solution.of(row))


def preference_text(pair: Preference) -> str:
    """A pair: the question, the shared steps, both sides with value, visits and a continuation."""
    about = ", ".join(
        [pair.rule]
        + [f"{name} {value:.3g}" for name, value in (("margin", pair.margin), ("smoothing", pair.smoothing)) if value]
        + ([f"weight {pair.weight:.3g}"] if pair.weight != 1.0 else [])
        + [_ids(pair.tokenizer)]
    )
    return "\n".join(
        [
            *_head(pair.id, pair.question, pair.answer, about),
            *(f"    {_line(step)}" for step in pair.prefix),
            *_side("+", pair.chosen),
            *_side("-", pair.rejected),
        ]
    )


def _side(mark: str, side: Side) -> list[str]:
    evidence = [f"        | {_line(step)}" for step in side.evidence.splitlines() if step.strip()]
    return [f"  {mark} {_line(side.text):<40} value {side.value:.2f} of {side.visits}", *evidence]


def solution_text(row: Solution) -> str:
    """A solution: each step with its label and, where rollouts gave it, how many of how many were right."""
    about = row.provenance.get("labels", {})
    counts = about.get("counts") or [None] * len(row.steps)
    visits = about.get("visits") or [None] * len(row.steps)
    lines = []
    for step, value, count, visited in zip(
        row.steps, row.values or [None] * len(row.steps), counts, visits, strict=True
    ):
        told = "" if value is None else f" value {value:.2f}"
        told += "" if count is None else f" ({count[0]} of {count[1]} right)"
        told += "" if visited is None else f" ({visited} visits)"
        lines.append(f"    {_line(step):<40}{told}")
    if about.get("continuation"):
        lines.append(f"    a right answer was reached after step {about['reached'] + 1}:")
        lines += [f"        | {_line(step)}" for step in about["continuation"].splitlines() if step.strip()]
    verdict = f"{row.origin}, {'right' if row.correct else 'wrong'} {about.get('how', '')}".strip()
    verdict += "" if row.step_ids is None else f", {_ids(row.tokenizer)}"
    return "\n".join([*_head(row.id, row.question, row.answer, verdict), *lines])


def _ids(tokenizer: str | None) -> str:
    return f"ids of {'an unknown tokenizer' if tokenizer is None else f'tokenizer {tokenizer}'}"


def _head(key: str, question: str, answer: str, about: str) -> list[str]:
    return [f"--- {_line(key)}: {about}", f"{_line(question)} [{_line(answer)}]"]


def _line(text: str) -> str:
    """Text on one line, without control characters: a model wrote it and a terminal shows it."""
    return "".join(c if c.isprintable() else "\ufffd" for c in " ".join(text.split()))
