"""Where the sentences of a text are."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["sentence_at", "sentences"]

_SENTENCE: Final = re.compile(r"(?:[^.!?\n]|\n(?!\s*\n)|[.!?]+(?!\s|$))+[.!?]*")


def sentences(text: str) -> tuple[tuple[int, int], ...]:
    """Start and end of each sentence, in order.

    A line break alone ends none, an empty line does; a point inside a number or a word ends none.
    """
    found = []
    for match in _SENTENCE.finditer(text):
        said = match.group()
        if said.strip():
            start = match.start() + len(said) - len(said.lstrip())
            found.append((start, start + len(said.strip())))
    return tuple(found)


def sentence_at(places: tuple[tuple[int, int], ...], position: int) -> int | None:
    """Which of the sentences, counted from 0, a character is in."""
    return next((number for number, (start, end) in enumerate(places) if start <= position < end), None)
