"""One row: a problem drawn by seed and index alone, its text, and where in the text every part of it is said."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from data.synthesis.complexity import BANDS, band, complexity
from data.synthesis.draft import Draft
from data.synthesis.marks import Span, read
from data.synthesis.prose import compose
from data.synthesis.words import Writer

__all__ = ["Generator", "make", "sources"]

_EVALUATION: Final = 0.1  # of the rows may use held-out wordings
_SIZES: Final = 4
_BAND_WEIGHTS: Final = (0.45, 0.35, 0.17, 0.03)
_TEXTS: Final = 6  # how often a text is written anew that reads as other numbers than were meant


@dataclass(frozen=True)
class Generator:
    """A named generator. `fill` puts a problem of about the draft's `size` (1 to 4) into a draft.

    Rows of a generator that is `held_out` are for evaluation alone.
    """

    name: str
    fill: Callable[[Draft], object]
    held_out: bool = False
    weight: float = 1.0


def _rng(*parts: object) -> random.Random:
    """A source of chance that depends on the parts alone, on every machine and in every process."""
    return random.Random(hashlib.sha256("/".join(map(str, parts)).encode()).digest())


def make(generators: tuple[Generator, ...], seed: int, index: int, *, name: str | None = None) -> dict[str, Any]:
    """Row `index` of a data set: the same for the same arguments, whatever was made before.

    `name` asks for a generator; else one is drawn by weight.
    """
    rng = _rng("row", seed, index)
    by_name = {generator.name: generator for generator in generators}
    chosen = rng.choices(generators, [g.weight for g in generators])[0]
    generator = by_name[name] if name else chosen
    wanted = rng.choices(tuple(BANDS), _BAND_WEIGHTS)[0]
    evaluation = rng.random() < _EVALUATION
    draft, score = _steered(generator, wanted, seed, index)
    text, spans, writer, tries = _told(draft, evaluation, seed, index)
    problem, derived, distractors = sources(draft, text, spans)
    return {
        "id": f"{seed}/{index}",
        "generator": generator.name,
        "theme": draft.theme,
        "templates": writer.templates,
        "held_out": generator.held_out or writer.used_held_out,
        "held_out_generator": generator.held_out,
        "text": text,
        "problem": problem,
        "complexity": score,
        "band": band(score),
        "distractors": distractors,
        "derived": derived,
        "forms": dict(writer.forms),
        "texts": tries,
        "status": draft.status,
        "optimum": None,
    }


def _steered(generator: Generator, wanted: str, seed: int, index: int) -> tuple[Draft, float]:
    """A draft whose complexity lies in the wanted band, or the nearest of a few.

    As in OptMATH the size is turned up where a draft falls short of the band and down where it is beyond it.
    """
    low, high = BANDS[wanted]
    size = min(_SIZES, 1 + tuple(BANDS).index(wanted))
    best: tuple[float, Draft, float] | None = None
    for attempt in range(4):
        draft = Draft(_rng("draft", generator.name, seed, index, attempt), size=size)
        generator.fill(draft)
        score = complexity(draft.variables, draft.objective, draft.constraints)
        away = max(low - score, score - high, 0.0)
        if best is None or away < best[0]:
            best = (away, draft, score)
        if low <= score < high:
            break
        size = min(_SIZES, size + 1) if score < low else max(1, size - 1)
    assert best is not None
    return best[1], best[2]


def _told(draft: Draft, evaluation: bool, seed: int, index: int) -> tuple[str, tuple[Span, ...], Writer, int]:
    """The draft's text, written anew where its numbers do not read as they were meant ("a dozen and two dozen")."""
    for attempt in range(_TEXTS):
        writer = Writer(_rng("text", seed, index, attempt), evaluation, plainly=attempt > 2)
        text, spans = read(compose(draft, writer))
        if _accounted(text, spans) or attempt == _TEXTS - 1:
            return text, spans, writer, attempt + 1
    raise AssertionError  # the loop returns


def _accounted(text: str, spans: tuple[Span, ...]) -> bool:
    """Whether the numbers that a reader finds are the marked ones."""
    from formulation.quantities import numbers_in

    marked = {(span.start, span.end) for span in spans if span.key[0] == "-" or _is_field(span.key)}
    return marked == {(figure.start, figure.end) for figure in numbers_in(text)}


def _is_field(key: str) -> bool:
    return "." in key and key[:2] not in ("v.", "d.")


def sources(
    draft: Draft, text: str, spans: tuple[Span, ...]
) -> tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]]]:
    """The problem as JSON values with its sources, its derived numbers, and the numbers that are no part of it.

    A part that is said more than once has the span of its first mention.
    """
    first: dict[str, tuple[int, int]] = {}
    distractors = []
    for span in spans:
        if span.key.startswith("-."):
            distractors.append(
                {"span": [span.start, span.end], "text": text[span.start : span.end], "why": span.key[2:]}
            )
        else:
            first.setdefault(span.key, (span.start, span.end))

    def mention(key: str) -> dict[str, Any] | None:
        found = first.get(key)
        return {"span": list(found), "text": text[found[0] : found[1]]} if found else None

    variables = {}
    for name, variable in draft.variables.items():
        named = mention(f"v.{name}")
        said = mention(f"d.{name}")
        variables[name] = {
            **variable,
            "label": named["text"] if named else None,
            "sources": {**({"": named} if named else {}), "domain": said or {"origin": "assumed"}},
        }
    statements = []
    for statement in ({"id": "objective", **draft.objective}, *draft.constraints):
        name = statement["id"]
        places = {key.removeprefix(f"{name}."): key for key in first if key.startswith(f"{name}.")}
        found: dict[str, Any] = {}
        if whole := mention(name):
            found[""] = whole
        found |= {place: mention(key) for place, key in places.items()}
        found |= {k.removeprefix(f"{name}."): {"origin": "derived"} for k in draft.derived if k.startswith(f"{name}.")}
        statements.append({**statement, "sources": found})
    objective = {key: value for key, value in statements[0].items() if key != "id"}
    derived = [{"field": key, "why": why} for key, why in draft.derived.items()]
    problem = {
        "schema_version": 1,
        "text": text,
        "variables": variables,
        "objective": objective,
        "constraints": statements[1:],
    }
    return problem, derived, distractors
