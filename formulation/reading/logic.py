"""Statements about what is chosen at all: if-then, exactly one, both or neither, none or at least, setups and lots."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from formulation.expressions import Logical, Num, Ref, Selected, constant
from formulation.kinds.base import Constraint, Mention
from formulation.kinds.cardinality import Cardinality
from formulation.kinds.equivalence import Equivalence
from formulation.kinds.fixed_charge import FixedCharge
from formulation.kinds.implication import Implication
from formulation.kinds.lots import Lots
from formulation.kinds.semi_continuous import SemiContinuous
from formulation.numbers import Number
from formulation.reading.numbers import Amount
from formulation.reading.uses import listed_with
from formulation.reading.variables import Named, Naming
from formulation.reading.words import Span

__all__ = ["chosen"]

_NOT: Final = re.compile(r"\b(not|cannot|no|never|can't|neither)\b", re.I)
_ANY: Final = re.compile(r"\b(if any|if at all|or none|none or|either none|or not at all|or nothing|either no)\b", re.I)
_HOW_MANY: Final = re.compile(r"\b(exactly|at least|at most|no more than|only)\s+(\w+) of\b", re.I)
_CHOSEN: Final = re.compile(
    r"\b(is|are|be|gets?)\s+(?:also\s+|not\s+|ever\s+|both\s+)*"
    r"(chosen|selected|used|made|built|opened|open|bought|produced|picked|taken|included|run|grown|hired|purchased)\b",
    re.I,
)
_ONLY_IF: Final = re.compile(r"\bonly if\b", re.I)
_IFF: Final = re.compile(r"\b(if and only if|both or neither|all or none|exactly when)\b", re.I)
_BOTH: Final = re.compile(
    r"\b(?:cannot|can not|can't|must not|may not|should not)\b[^.]*\bboth\b|\bboth\b[^.]*\b(?:cannot|must not)\b", re.I
)
_NOT_BOTH: Final = re.compile(r"\bbut not both\b", re.I)
_EITHER: Final = re.compile(r"\beither\b[^.]*\bor\b[^.]*\bmust\b|\bmust\b[^.]*\beither\b[^.]*\bor\b", re.I)
_LOTS: Final = re.compile(r"\b(multiples|lots|batches|packs|boxes|pallets|increments) of$", re.I)
_COUNTS: Final = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "1": 1, "2": 2, "3": 3, "4": 4, "5": 5}

Found = tuple[Constraint, frozenset[int]]
"""A statement, and the numbers it uses by their first characters."""


def chosen(naming: Naming, variables: Sequence[str], amounts: Sequence[Amount]) -> Iterator[Found]:
    """The statements of this sort, sentence by sentence; one at most for each sentence or number."""
    for sentence in naming.text.sentences:
        mentions = naming.within(sentence)
        if not mentions:
            continue
        inside = [one for one in amounts if one.span.first in sentence and one.role != "passed"]
        amounted = list(_of_amounts(naming, variables, sentence, inside))
        yield from amounted
        if not amounted:
            found = _of_decisions(naming, variables, sentence, mentions, inside)
            if found is not None:
                yield found, frozenset(one.figure.start for one in inside)


def _of_amounts(naming: Naming, variables: Sequence[str], sentence: Span, inside: Sequence[Amount]) -> Iterator[Found]:
    """None or at least so much, a charge for using it at all, whole lots."""
    text = naming.text.text
    start, end = naming.text.characters(sentence)
    lower = text[start:end].lower()
    setup = any(cue in lower for cue in FixedCharge.cues)
    for one in inside:
        mention = _nearest(naming, sentence, one)
        if mention is None:
            continue
        variable = Ref(variables[mention.variable])
        sources = {"": _mention(text, start, end)}
        written = _mention(text, one.figure.start, one.figure.end)
        value = Num(Number(one.value))
        used = frozenset({one.figure.start})
        made: Constraint | None = None
        if setup and one.topic.unit in ("$", ""):
            made = FixedCharge(variable=variable, charge=value, sources=sources | {"charge": written})
        elif _LOTS.search(text[start : one.figure.start].rstrip()) and one.value > 0:
            made = Lots(amount=variable, size=value, sources=sources | {"size": written})
        elif _ANY.search(text, start, end) and one.cue is not None and one.cue.sense == ">=" and one.value > 0:
            made = SemiContinuous(variable=variable, minimum=value, sources=sources | {"minimum": written})
        if made is not None:
            yield made, used


def _nearest(naming: Naming, sentence: Span, one: Amount) -> Named | None:
    """The variable that a number of a sentence is said of: the nearest one of its clause, else of the sentence."""
    mentions = naming.within(one.clause) or naming.within(sentence)
    return min(mentions, key=lambda m: abs(m.span.first - one.span.first), default=None)


def _of_decisions(
    naming: Naming, variables: Sequence[str], sentence: Span, mentions: Sequence[Named], inside: Sequence[Amount]
) -> Constraint | None:
    text = naming.text
    start, end = text.characters(sentence)
    said = text.text[start:end]
    numbers = [one for one in inside if not _counts_choices(text.text, one)]
    if numbers or re.search(r"\b(maximi|minimi|how many|how much)", said, re.I):
        return None
    fields: dict[str, Any] = {"sources": {"": _mention(text.text, start, end)}}
    listed = list(dict.fromkeys(one.variable for one in listed_with(naming, mentions[0])))
    several = tuple(Ref(variables[i]) for i in listed)
    if (many := _HOW_MANY.search(said)) and len(listed) > 1 and many[2].lower() in _COUNTS:
        field = {"exactly": "exactly", "only": "exactly", "at least": "at_least"}.get(many[1].lower(), "at_most")
        fields[field] = constant(_COUNTS[many[2].lower()])
        return Cardinality(of=several, **fields)
    distinct = list(dict.fromkeys(one.variable for one in mentions))
    if len(distinct) < 2:
        return None
    first, second = (Logical(Selected(Ref(variables[i]))) for i in distinct[:2])
    if _IFF.search(said):
        return Equivalence(of=(first, second), **fields)
    if len(listed) > 1 and _NOT_BOTH.search(said):
        return Cardinality(of=several, exactly=constant(1), **fields)
    if len(listed) > 1 and _BOTH.search(said):
        return Cardinality(of=several, at_most=constant(1), **fields)
    if len(listed) > 1 and _EITHER.search(said) and _CHOSEN.search(said):
        return Cardinality(of=several, at_least=constant(1), **fields)
    if _ONLY_IF.search(said) and _CHOSEN.search(said):
        return Implication(when=first, then=second, **fields)
    condition = re.search(r"\bif\b", said, re.I)
    if condition is None or len(_CHOSEN.findall(said)) < 2:
        return None
    if text.words[mentions[0].span.first].start < start + condition.start():
        first, second = second, first  # 'B must be used if A is'
    behind = said if condition.start() > 0 else said[text.words[_last(mentions, distinct[1])].start - start :]
    return Implication(when=first, then=second.opposite() if _NOT.search(behind) else second, **fields)


def _last(mentions: Sequence[Named], variable: int) -> int:
    return next(one.span.first for one in mentions if one.variable == variable)


def _counts_choices(text: str, one: Amount) -> bool:
    """Whether a number says how many are chosen: 'exactly one of', 'at most two of'."""
    return re.match(r"\s+of\b", text[one.figure.end :]) is not None and one.value <= max(_COUNTS.values())


def _mention(text: str, start: int, end: int) -> Mention:
    return Mention(span=(start, end), text=text[start:end])
