"""Weak models of NL4Opt's tagged training texts: read by the rules with the gold tags, kept only when all of them fit.

The tags say which words are variables, which numbers belong to units of them (PARAM) and which limit (LIMIT), and what
the objective is; the rules join them. A text is kept only where every LIMIT and every PARAM is used exactly once, a
number said of both variables and a limit of each of several things counting once, so that nothing was left over,
guessed or used twice.

    python -m data.weak --audit

measures the labeller on dev, whose tags are derived from its declarations.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from data.command import Parser, run_command
from data.nl4opt import Example, Tagged, declared, tagged
from formulation.kinds.base import Constraint
from formulation.reading.numbers import Role
from formulation.reading.variables import Naming, named_at
from formulation.reading.words import Text, stem
from formulation.rules import Reading, assemble
from formulation.schema import Problem

__all__ = ["Entities", "clusters", "entities_of_example", "entities_of_tagged", "main", "weak", "weak_models"]

_BEFORE: Final = frozenset(",.;:?!%)”") | {"'s", "’s", "n't", "’"}
_BEHIND: Final = frozenset("$(“")
_LABELS: Final = ("VAR", "PARAM", "LIMIT")


@dataclass(frozen=True)
class Entities:
    """A text, and the characters [start, end) of its variables, the numbers of their units and its limits."""

    text: str
    variables: tuple[tuple[int, int], ...]
    params: tuple[tuple[int, int], ...]
    limits: tuple[tuple[int, int], ...]


def entities_of_tagged(row: Tagged) -> Entities:
    """The entities of a training text, its tokens put together as they were written."""
    text, places = _joined(row.tokens)
    found: dict[str, list[tuple[int, int]]] = {label: [] for label in _LABELS}
    for label, first, last in row.spans:
        if label in found:
            found[label].append((places[first][0], places[last - 1][1]))
    return Entities(text, *(tuple(found[label]) for label in _LABELS))


def _joined(tokens: Sequence[str]) -> tuple[str, list[tuple[int, int]]]:
    """Tokens as running text, and the characters of each."""
    text, places = "", []
    for i, token in enumerate(tokens):
        before = tokens[i - 1] if i else ""
        joined = token in _BEFORE or before in _BEHIND or "-" in (token, before) or (before, token) == ("can", "not")
        if text and not joined:
            text += " "
        places.append((len(text), len(text) + len(token)))
        text += token
    return text, places


def entities_of_example(example: Example) -> Entities | None:
    """The entities of a declared example; None where a number of its declarations has no certain place in the text.

    Declarations name numbers by their words: a number that stands more than once is placed only if each of its places
    has the same part.
    """
    text = example.document
    variables = {
        found.span() for mention in example.order for found in re.finditer(rf"(?<!\w){re.escape(mention)}(?!\w)", text)
    }
    widest = [one for one in variables if not any(o != one and o[0] <= one[0] and one[1] <= o[1] for o in variables)]
    wanted: dict[str, set[str]] = {}
    for label, numbers in (
        ("LIMIT", [one.limit for one in example.constraints]),
        ("PARAM", [one.param for one in example.constraints]),
        ("PARAM", [number for one in example.constraints for _, number in one.terms]),
        ("PARAM", list(example.goal.numbers)),
    ):
        for number in numbers:
            if number is not None:
                wanted.setdefault(number, set()).add(label)
    found: dict[str, list[tuple[int, int]]] = {label: [] for label in _LABELS}
    for number, labels in wanted.items():
        places = [m.span() for m in re.finditer(rf"(?<![\w.]){re.escape(number)}(?![\w]|[.,]\d)", text)]
        places = [one for one in places if not any(a <= one[0] < b for a, b in widest)]
        if len(labels) > 1 or not places:
            return None
        found[labels.pop()] += places
    return Entities(text, tuple(sorted(widest)), *(tuple(sorted(found[label])) for label in _LABELS[1:]))


# ---- variables -------------------------------------------------------------------------------------------------------


def clusters(given: Entities) -> list[list[tuple[int, int]]] | None:
    """The mentions by the variable they name, in the order of the text; None where that is not certain."""
    phrases: dict[tuple[int, int], frozenset[str]] = {
        (start, end): frozenset(stem(word) for word in re.findall(r"\w+(?:[-'’]\w+)*", given.text[start:end]))
        for start, end in given.variables
    }
    kinds = sorted(set(phrases.values()), key=lambda words: (-len(words), sorted(words)))
    groups: list[set[frozenset[str]]] = []
    for words in kinds:
        homes = [group for group in groups if any(words <= other for other in group)]
        homes = homes or _nearest(words, groups, Counter(word for kind in kinds for word in kind))
        if len(homes) > 1:
            return None
        if homes:
            homes[0].add(words)
        else:
            groups.append({words})
    found = [[place for place in given.variables if phrases[place] in group] for group in groups]
    return sorted(found, key=lambda places: places[0])


def _nearest(
    words: frozenset[str], groups: Sequence[set[frozenset[str]]], counts: Mapping[str, int]
) -> list[set[frozenset[str]]]:
    """The groups that share a word with a phrase which no other group has: 'stocks' and 'the stock market'."""
    everywhere = {word for word in counts if sum(any(word in kind for kind in group) for group in groups) > 1}
    return [group for group in groups if any((words & kind) - everywhere for kind in group) and len(groups) > 1]


# ---- models ----------------------------------------------------------------------------------------------------------


def weak(given: Entities) -> Problem | None:
    """The model of a text with entities; None where a number of a variable or limit is not used exactly once."""
    groups = clusters(given)
    if groups is None or not 1 < len(groups) <= _MOST_VARIABLES:
        return None
    text = Text(given.text)
    spans = [[text.span_of(start, end) for start, end in places] for places in groups]
    naming = named_at(text, spans)
    figures = {one.start: one for one in text.figures}
    roles: dict[int, Role] = {}
    for role, places in (("use", given.params), ("limit", given.limits)):
        for start, end in places:
            inside = [at for at, one in figures.items() if one.start < end and one.end > start]
            if len(inside) != 1:
                return None
            roles[inside[0]] = "use" if role == "use" else "limit"
    reading = assemble(naming, roles)
    return reading.problem if _is_accounted(reading, naming, roles) else None


_MOST_VARIABLES: Final = 6


def _is_accounted(reading: Reading, naming: Naming, roles: Mapping[int, Role]) -> bool:
    problem = reading.problem
    if problem is None or problem.objective is None:
        return False
    counts: Counter[int] = Counter()
    for statement in (problem.objective, *problem.constraints):
        spans = {one.span for field, one in statement.sources.items() if field not in ("", "sense") and one.span}
        counts.update(start for start, _ in spans)
    if counts.keys() != roles.keys() or not problem.constraints:
        return False
    return all(
        count == 1 or (roles[start] == "limit" and _is_spread(problem, start)) for start, count in counts.items()
    )


def _is_spread(problem: Problem, start: int) -> bool:
    """Whether a limit at a character is one row for each of several things: 'each machine', 'of either type'."""
    said = [one.sources[""].span for one in problem.constraints if _uses(one, start)]
    if len(set(said)) != 1 or said[0] is None or problem.text is None:
        return False
    told = problem.text[max(said[0][0] - _LEAD, 0) : said[0][1]]
    return re.search(r"\b(?:each|every|both|either|all)\b", told, re.I) is not None


_LEAD: Final = 80  # characters before a clause in which 'both the saw | and the drill have 40 hours' starts


def _uses(statement: Constraint, start: int) -> bool:
    limit = statement.sources.get("limit")
    return limit is not None and limit.span is not None and limit.span[0] == start


def weak_models(*, directory: Path | None = None) -> list[Problem]:
    """The weak models of the training texts, from the data directory. Raises DataError where the data is missing."""
    found = (weak(entities_of_tagged(row)) for row in tagged(directory=directory))
    return [one for one in found if one is not None]


def main(arguments: Sequence[str] | None = None) -> int:
    """Count the weak models of the training texts, or measure the labeller on dev."""
    parser = Parser(prog="python -m data.weak", description="Weak models of NL4Opt's tagged training texts.")
    parser.add_argument("--audit", action="store_true", help="measure the labeller on dev, against its declarations")
    args = parser.parse_args(arguments)
    if not args.audit:
        print(f"{len(weak_models())} of {len(tagged())} training texts have a weak model")
        return 0
    from formulation.metrics import canonical_accuracy, whole_model_accuracy
    from formulation.model import Model

    pairs = []
    examples = declared("dev")
    placed = 0
    for example in examples:
        given = entities_of_example(example)
        placed += given is not None
        problem = weak(given) if given is not None else None
        if problem is not None:
            pairs.append((example, Model(problem, ignore_strict=True)))
    kept, models = [example for example, _ in pairs], [model for _, model in pairs]
    whole = whole_model_accuracy(kept, models, "text").value or 0.0
    canonical = canonical_accuracy(kept, models, "text").value or 0.0
    print(f"dev: {len(examples)} texts, {placed} with certain tags, {len(kept)} kept; ", end="")
    print(f"of these whole models right {whole:.3f}, canonical accuracy {canonical:.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
