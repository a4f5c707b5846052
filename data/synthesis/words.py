"""How a problem finds its words: tables of wordings with alternatives, and slots for numbers, names and lists.

A wording is text with alternatives in angle brackets, which may be nested, and slots in braces:

    {A} <must|needs to|has to> {v} <at least|no fewer than|a minimum of> {n} {x}

`{A}` is who decides and `{one}` a number word that is no part of the model; every table may use them.

A wording that starts with `!` is held out: it is used for evaluation rows alone.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Final, TypeAlias

from data.synthesis.figures import Figure, written
from data.synthesis.marks import ACTOR, ARTICLE, mark

__all__ = ["Listing", "Noise", "Said", "Slot", "Table", "Writer", "listed"]

_Parsed: TypeAlias = "tuple[str | tuple[_Parsed, ...], ...]"
_SLOT: Final = re.compile(r"\{(\w+)\}")
_PICKED: Final = 0.7  # how often an evaluation row takes a held-out wording where there is one


@dataclass(frozen=True)
class Table:
    """Wordings of one thing to say. The name and the place of a wording are its template id."""

    name: str
    wordings: tuple[str, ...]


@dataclass(frozen=True)
class Listing:
    """Slots that follow one another: `a, b and c`."""

    items: tuple[Slot, ...]
    joint: str = "and"


@dataclass(frozen=True)
class Noise:
    """A number of the text that is no part of the model, and why it is there."""

    text: str
    why: str


@dataclass(frozen=True)
class Said:
    """Something to say: one of the wordings of a table, with its slots."""

    table: Table
    slots: Mapping[str, Slot] = field(default_factory=dict)


Slot = str | Figure | Listing | Noise | Said


_ONE: Final = Noise("one", "a word that counts nothing here")


def listed(parts: Sequence[str], joint: str = "and", *, oxford: bool = False) -> str:
    """`a`, `a and b`, `a, b and c`."""
    if len(parts) < 2:
        return "".join(parts)
    comma = "," if oxford and len(parts) > 2 else ""
    return f"{', '.join(parts[:-1])}{comma} {joint} {parts[-1]}"


@dataclass
class Writer:
    """Chooses wordings and number forms for one text, and keeps the account of what it chose."""

    rng: random.Random
    held_out: bool = False
    plainly: bool = False
    templates: list[str] = field(default_factory=list)
    forms: Counter[str] = field(default_factory=Counter)
    used_held_out: bool = False

    def __post_init__(self) -> None:
        self.oxford = self.rng.random() < 0.5

    def say(self, said: Said) -> str:
        """The marked text of something to say."""
        return self.fill(self.wording(said.table), said.slots)

    def wording(self, table: Table) -> str:
        """One of a table's wordings; tables without a name are no templates of their own."""
        if not table.name:
            return self.rng.choice(table.wordings)
        free = [i for i, w in enumerate(table.wordings) if not w.startswith("!")]
        held = [i for i, w in enumerate(table.wordings) if w.startswith("!")]
        special = self.held_out and bool(held) and self.rng.random() < _PICKED
        place = self.rng.choice(held if special else free)
        self.used_held_out |= special
        self.templates.append(f"{table.name}/{place}")
        return table.wordings[place].removeprefix("!")

    def fill(self, wording: str, slots: Mapping[str, Slot]) -> str:
        """A wording with its alternatives chosen and its slots filled."""
        chosen = self._choose(_parsed(wording))
        given = {"A": ACTOR, "one": _ONE, **slots}
        filled = _SLOT.sub(lambda found: self.slot(given[found[1]]), chosen)
        return re.sub(r"  +", " ", filled).replace(" ,", ",").replace(" .", ".").strip().replace("@", ARTICLE)

    def _choose(self, parsed: _Parsed) -> str:
        out = []
        for part in parsed:
            out.append(part if isinstance(part, str) else self._choose(self.rng.choice(part)))
        return "".join(out)

    def slot(self, given: Slot) -> str:
        """The marked text of a slot."""
        match given:
            case str():
                return given
            case Figure():
                text, form = written(given, self.rng, plainly=self.plainly)
                self.forms[form] += 1
                return text
            case Listing():
                return listed([self.slot(item) for item in given.items], given.joint, oxford=self.oxford)
            case Noise():
                return mark(given.text, f"-.{given.why}")
            case Said():
                return self.say(given)


@cache
def _parsed(wording: str) -> _Parsed:
    """A wording as texts and tuples of alternatives, each parsed again."""
    found, rest = _sequence(wording, 0, "")
    assert rest == len(wording), wording
    return found


def _sequence(text: str, at: int, ends: str) -> tuple[_Parsed, int]:
    parts: list[str | tuple[_Parsed, ...]] = []
    while at < len(text) and text[at] not in ends:
        if text[at] == "<":
            alternatives = []
            at += 1
            while True:
                one, at = _sequence(text, at, "|>")
                alternatives.append(one)
                at += 1
                if text[at - 1] == ">":
                    break
            parts.append(tuple(alternatives))
        else:
            end = at
            while end < len(text) and text[end] not in "<" + ends:
                end += 1
            parts.append(text[at:end])
            at = end
    return tuple(parts), at
