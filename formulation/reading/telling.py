"""Sentences that only tell: what is decided, what is needed at all, what is asked; none of these is a limit."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Final

from formulation.reading.words import Span, Text

__all__ = ["claims", "only_tells"]

_CLAIMS: Final = re.compile(
    r"\b(must|cannot|can not|should|if|either|only|at least|at most|not|requires?|needs?)\b", re.I
)
_COMPARING: Final = re.compile(
    r"\b(?:more|less|fewer|than|as (?:many|much|few|little)|exceed\w*|equal|same|if|unless|neither|not|cannot|can't"
    r"|never|no|at least|at most|twice|half|double|limit\w*|before|after|until|minimum|maximum|share|enough|too)\b",
    re.I,
)
_ASKED: Final = re.compile(
    r"\bhow (?:many|much|should)\b|\b(?:determine|find|formulate|construct|decide)\b.*\b(?:number|amount)\b", re.I
)
_PLANNED: Final = re.compile(
    r"\b(?:needs?|has|have|wants?|must|should)(?: to)? (?:\w+ )?(?:determine|decide|choose|find|know|plan|allocate"
    r"|divide|split|schedule|select|figure|take part)\b|\bshould (?:\w+ ){0,7}be (?:invested|placed|put|spent)\b",
    re.I,
)
_NEEDED: Final = re.compile(
    r"\b(?:requires?|needs?)\b(?! to\b)|\b(?:required|needed)\b(?! to be)"
    r"|\b(?:must|should|needs? to|has to|have to) (?:be )?(?:\w+ly )?(?:used?|go|pass)\b",
    re.I,
)
_WISHED: Final = re.compile(r"\b(?:needs?|wants?|wish(?:es)?|hopes?) to\b", re.I)
_AMONG: Final = re.compile(
    r"\b(?:can|could|may|decides?|wants?|plans?|chooses?|sells?|makes?|eats?|buys?|uses?|using|only)\b", re.I
)
_AMONG_CLAIMS: Final = frozenset(("either", "only", "need", "needs"))
_VAGUE: Final = re.compile(r"\b(?:must|should|needs? to|has to) (?:\w+ ){1,3}enough\b|\bnot too (?:much|many)\b", re.I)
_NONNEGATIVE: Final = re.compile(
    r"\b(?:greater than or equal to|at least|less than) (?:0|zero)\b|\bnon-?negative\b", re.I
)


def claims(text: Text, sentence: Span) -> frozenset[str]:
    """The words of a sentence, in lower case, by which it seems to demand something."""
    start, end = text.characters(sentence)
    return frozenset(found.lower() for found in _CLAIMS.findall(text.text[start:end]))


def only_tells(text: Text, sentence: Span, labels: Iterable[str], passed: Collection[int]) -> bool:
    """Whether a sentence that demands something limits nothing all the same.

    It has no number but those that start at characters in `passed`, compares nothing, and says what is decided, used,
    asked or wished. `labels` name the variables: what is demanded of one of these is more than a wish.
    """
    start, end = text.characters(sentence)
    if any(start <= one.start < end and one.start not in passed for one in text.figures):
        return False
    said = _VAGUE.sub(" ", text.text[start:end])
    if _NONNEGATIVE.search(said) or _ASKED.search(said):
        return True
    if _COMPARING.search(said):
        return False
    if _PLANNED.search(said) or _NEEDED.search(said):
        return True
    if _WISHED.search(said) and not _names_one(text, sentence, labels):
        return True
    return claims(text, sentence) <= _AMONG_CLAIMS and _AMONG.search(said) is not None


def _names_one(text: Text, sentence: Span, labels: Iterable[str]) -> bool:
    """Whether a sentence holds all words of a label."""
    found = set(text.stems(sentence))
    return any({word.stem for word in Text(label).words} <= found for label in labels)
