"""Text with marks: which part of a text says what, kept while sentences are still moved about.

A marked text is a plain string in which private-use characters open and close marks, so that it may be formatted,
joined and shuffled like any other string. `read` takes the marks out and gives the spans.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

__all__ = ["ACTOR", "ARTICLE", "Actor", "Span", "finish", "mark", "plain", "read", "sentence"]

_OPEN, _KEYS, _CLOSE, _NEXT = "\ue000", "\ue001", "\ue002", "\ue005"
ACTOR: Final = "\ue003"
"""Stands for who decides; becomes a name, a description or a pronoun once the order of sentences is known."""
ARTICLE: Final = "\ue004"
"""Becomes `a` or `an`, by the word behind it."""

_MARKED: Final = re.compile(f"{_OPEN}([^{_KEYS}]*){_KEYS}|{_CLOSE}")
_VOWEL: Final = re.compile(r"(?!one\b|once\b|uni|us[ae]|eu)(?:[aeiou]|hour|heir|honest|8|1[18]\b)", re.IGNORECASE)
_ARTICLE: Final = re.compile(f"{ARTICLE}(\\s+(?:{_OPEN}[^{_KEYS}]*{_KEYS}|{_CLOSE})*)(\\w*)")
_PRONOUNS: Final = 0.3  # how often someone who was just named is a pronoun


@dataclass(frozen=True, slots=True)
class Span:
    """Characters [start, end) of a text that say what `key` names."""

    key: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Actor:
    """Who decides: as first named (`a bakery`, `Anna`), as named again, and by a pronoun."""

    first: str
    later: str
    pronoun: str = "it"


def mark(text: str, *keys: str) -> str:
    """`text` as what says `keys`; marks may lie within marks."""
    return f"{_OPEN}{_NEXT.join(keys)}{_KEYS}{text}{_CLOSE}" if keys else text


def plain(marked: str) -> str:
    """The text without its marks."""
    return _MARKED.sub("", marked)


def sentence(marked: str, end: str = ".") -> str:
    """A clause as a sentence: a capital letter first, one full stop (or question mark) last."""
    at = 0
    while (found := _MARKED.match(marked, at)) is not None:
        at = found.end()
    first = marked[at : at + 1]
    text = marked[:at] + first.upper() + marked[at + 1 :]
    return text if plain(text)[-1:] in ".?!:" else text + end


def finish(sentences: Sequence[str], actor: Actor, rng: random.Random) -> str:
    """Sentences as one marked text, with the actor named and articles chosen."""
    named = before = False
    done = []
    for one in sentences:
        parts = one.split(ACTOR)
        out = parts[0]
        here = False
        for part in parts[1:]:
            if not named:
                word = actor.first
            elif (before or here) and rng.random() < _PRONOUNS:
                word = actor.pronoun
            else:
                word = actor.later
            named = here = True
            out += word + part
        before = here
        done.append(sentence(_ARTICLE.sub(_article, out)))
    return " ".join(done)


def _article(found: re.Match[str]) -> str:
    word = found[2]
    # A lone capital such as that of "an X-ray", else the sound that the word begins with.
    vowel = (
        word[:1].upper() in "AEFHILMNORSX"
        if (len(word) == 1 and word.isalpha()) or word.isupper()
        else _VOWEL.match(word)
    )
    return f"{'an' if vowel else 'a'}{found[1]}{word}"


def read(marked: str) -> tuple[str, tuple[Span, ...]]:
    """The text, and the span of every key, in the order of their starts."""
    parts: list[str] = []
    spans: list[Span] = []
    opened: list[tuple[str, int]] = []
    at = length = 0
    for found in _MARKED.finditer(marked):
        parts.append(marked[at : found.start()])
        length += found.start() - at
        at = found.end()
        if found[1] is not None:
            opened.append((found[1], length))
        else:
            keys, start = opened.pop()
            spans += [Span(key, start, length) for key in keys.split(_NEXT)]
    return "".join(parts) + marked[at:], tuple(sorted(spans, key=lambda span: (span.start, -span.end, span.key)))
