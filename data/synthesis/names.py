"""Where a text names things: a name's words in a row, in the singular or the plural."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

__all__ = ["Place", "mentions_of", "stem", "words_in"]

Place = tuple[int, int]
"""Start and end of characters."""

_WORD: Final = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")


def stem(word: str) -> str:
    """A word in lower case, without the ending of a regular plural."""
    found = word.lower()
    if len(found) > 4 and found.endswith("ies"):
        return found[:-3] + "y"
    if len(found) > 4 and re.search(r"(?:ch|sh|x|ss|z)es$", found):
        return found[:-2]
    return found[:-1] if len(found) > 3 and found[-1] == "s" and found[-2] != "s" else found


def words_in(text: str) -> list[tuple[str, int, int]]:
    """Stem, start and end of every word."""
    return [(stem(found.group()), found.start(), found.end()) for found in _WORD.finditer(text)]


def mentions_of(labels: Mapping[str, str], text: str) -> dict[str, list[Place]]:
    """For each name, where the text has its label, in order.

    A longer label goes first: 'twin rooms' are no mention of 'rooms'.
    """
    words = words_in(text)
    found: dict[str, list[Place]] = {name: [] for name in labels}
    taken: set[int] = set()
    sought = {name: [one for one, _, _ in words_in(label)] for name, label in labels.items()}
    for name, parts in sorted(sought.items(), key=lambda item: -len(item[1])):
        for first in range(len(words) - len(parts) + 1 if parts else 0):
            places = range(first, first + len(parts))
            if not taken.intersection(places) and [words[at][0] for at in places] == parts:
                taken.update(places)
                found[name].append((words[first][1], words[places[-1]][2]))
    return found
