"""A problem in the making: what is decided, what is said about it, and with which words.

Generators fill a `Draft`: variables, an objective and constraints with exact numbers (the typed problem), and blocks of
things to say. `compose` in `prose.py` turns the blocks into a text whose marks become the sources of every field.
"""

from __future__ import annotations

import keyword
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Final, Literal

from data.synthesis.figures import Figure, Style
from data.synthesis.marks import Actor, mark
from data.synthesis.words import Said, Slot, Table, listed

__all__ = ["Block", "Draft", "Item", "Use", "Verb", "plural", "several", "singular", "written_value"]

Role = Literal["intro", "data", "rule", "goal", "noise"]
_WORDS: Final = re.compile(r"[^A-Za-z0-9]+")
_RESERVED: Final = {"sum", "selected", "first", "last", "objective"}


@dataclass(frozen=True, slots=True)
class Verb:
    """The forms of a verb: make, makes, made, making."""

    base: str
    third: str
    past: str
    ing: str

    @classmethod
    def of(cls, forms: str) -> Verb:
        """From the forms, separated by blanks; `_` stands for a blank within one."""
        base, third, past, ing = (form.replace("_", " ") for form in forms.split())
        return cls(base, third, past, ing)


def plural(one: str) -> str:
    """The plural of a noun that makes it by rule."""
    if re.search(r"(?:s|x|ch|sh|z)$", one):
        return one + "es"
    if re.search(r"[^aeiou]y$", one):
        return one[:-1] + "ies"
    return one + "s"


@dataclass(frozen=True, slots=True)
class Item:
    """What a variable counts or measures: its name in the model, and marked words for one and for several.

    `bare` names it without its measure, and `measure` is that: wheat, and `acres of`. Items without have none.
    """

    name: str
    one: str
    many: str
    bare: str
    measure: str = ""


def several(items: Sequence[Item], joint: str = "and", *, oxford: bool = False) -> str:
    """A list of items, their measure said once: `acres of wheat and corn`."""
    measure = items[0].measure
    if not measure or any(item.measure != measure for item in items):
        return listed([item.many for item in items], joint, oxford=oxford)
    return f"{measure} {listed([item.bare for item in items], joint, oxford=oxford)}"


def singular(unit: str) -> str:
    """One of a unit: hour, of hours."""
    return {"board feet": "board foot", "square feet": "square foot"}.get(unit, unit.removesuffix("s"))


@dataclass(frozen=True, slots=True)
class Use:
    """How much of something one unit of each item takes or gives, with the figures by the item's name.

    `kind` is use, give, earn, pay or rate; `verbs` are what an item does with it, in the third person.
    """

    kind: str
    unit: str
    stuff: str
    verbs: tuple[str, ...]
    figures: Mapping[str, Figure]


@dataclass(frozen=True, slots=True)
class Block:
    """Something to say in one place. `statements` are the ids of the constraints that its words state."""

    role: Role
    said: Said
    statements: tuple[str, ...] = ()


@dataclass
class Draft:
    """The typed problem, and the blocks of its text."""

    rng: random.Random
    size: int = 2
    actor: Actor = field(default_factory=lambda: Actor("a company", "the company"))
    variables: dict[str, dict[str, Any]] = field(default_factory=dict)
    objective: dict[str, Any] = field(default_factory=dict)
    constraints: list[dict[str, Any]] = field(default_factory=list)
    derived: dict[str, str] = field(default_factory=dict)
    blocks: list[Block] = field(default_factory=list)
    uses: list[Use] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)
    status: str = "optimal"
    theme: str = ""
    named: bool = False  # items are things with names, not kinds of things
    words: dict[str, Slot] = field(default_factory=dict)

    # ---- the typed problem -----------------------------------------------------------------------------------------

    def item(self, one: str, many: str, domain: str, *, measure: tuple[str, str] | None = None, **bounds: Any) -> Item:
        """Declare a variable and give the words for it. `measure` is what is counted of it: ("acre", "acres")."""
        name = self._name(one)
        self.variables[name] = {"domain": domain, **bounds}
        key = f"v.{name}"
        if measure:
            one_of, many_of = (m if " " in m else f"{m} of" for m in measure)
            found = Item(name, f"{one_of} {mark(one, key)}", f"{many_of} {mark(one, key)}", mark(one, key), many_of)
        else:
            found = Item(name, mark(one, key), mark(many, key), mark(many, key))
        self.items.append(found)
        return found

    def _name(self, words: str) -> str:
        base = _WORDS.sub("_", words.lower()).strip("_") or "x"
        if base[0].isdigit() or keyword.iskeyword(base) or base in _RESERVED:
            base = f"x_{base}"
        name, more = base, 1
        while name in self.variables:
            more += 1
            name = f"{base}_{more}"
        return name

    def add(self, kind: str, **fields: Any) -> str:
        """Declare a constraint; its id. Numbers in fields are Fractions or ints."""
        name = f"c{len(self.constraints) + 1}"
        self.constraints.append({"kind": kind, "id": name, **{k: _plain(v) for k, v in fields.items()}})
        return name

    def aim(self, sense: str, terms: Mapping[str, Fraction | int], kind: str = "optimize") -> None:
        """Declare the objective."""
        self.objective = {"kind": kind, "sense": sense, "terms": _plain(terms)}

    # ---- its words -------------------------------------------------------------------------------------------------

    def say(
        self, role: Role, table: Table, slots: Mapping[str, Slot] | None = None, statements: Sequence[str] = ()
    ) -> None:
        """Add something to say."""
        self.blocks.append(Block(role, Said(table, dict(slots or {})), tuple(statements)))

    def figure(self, value: Fraction | int, key: str, style: Style = "amount", *more: str) -> Figure:
        """A number that the text says for the field `key`, such as `c1.limit`."""
        return Figure(Fraction(value), (key, *more), style)

    def coefficients(
        self, statement: str, terms: Mapping[str, Fraction | int], style: Style = "amount", place: str = "terms"
    ) -> dict[str, Figure]:
        """Figures for the coefficients of a statement's field, by variable."""
        return {
            name: Figure(Fraction(value), (f"{statement}.{place}['{name}']",), style) for name, value in terms.items()
        }


def written_value(value: Fraction | int) -> Any:
    """A number as JSON holds it exactly."""
    value = Fraction(value)
    if value.denominator == 1:
        return int(value)
    text = repr(float(value))
    return float(text) if Fraction(text) == value and "e" not in text else f"{value.numerator}/{value.denominator}"


def _plain(given: Any) -> Any:
    if isinstance(given, Mapping):
        return {key: _plain(value) for key, value in given.items()}
    if isinstance(given, list | tuple):
        return [_plain(value) for value in given]
    return written_value(given) if isinstance(given, Fraction) else given
