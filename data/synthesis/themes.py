"""Where problems play: who decides, about what, and what that takes and gives. Data alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any, Final, Literal

from data.synthesis.draft import Verb, plural
from data.synthesis.marks import Actor

__all__ = ["THEMES", "Attribute", "Theme"]

Sort = Literal["make", "feed", "move", "grow", "invest", "hire"]


@dataclass(frozen=True, slots=True)
class Attribute:
    """What one unit takes (`use`, `pay`) or gives (`give`, `earn`): `unit` and `stuff`, as in minutes of sewing."""

    kind: Literal["use", "give", "earn", "pay"]
    unit: str
    stuff: str


@dataclass(frozen=True)
class Theme:
    """A setting. `group` is the plural noun for all its things.

    `measure` is what is counted of things that are no pieces: acre and acres, trip by and trips by.
    """

    name: str
    sort: Sort
    actors: tuple[Actor, ...]
    verb: Verb
    group: str
    things: tuple[tuple[str, str], ...]
    attributes: tuple[Attribute, ...]
    measure: tuple[str, str] | None
    money: tuple[int, int]

    def of(self, *kinds: str) -> tuple[Attribute, ...]:
        """The attributes of some kinds."""
        return tuple(found for found in self.attributes if found.kind in kinds)


def _actor(text: str) -> Actor:
    """`a bakery`, `a farmer/he`, `Joy Bakery`, `Anna/she`."""
    words, _, pronoun = text.partition("/")
    head, _, rest = words.partition(" ")
    return Actor(words, f"the {rest}" if head in ("a", "an") else words, pronoun or "it")


def _theme(name: str, given: Mapping[str, Any]) -> Theme:
    measure = tuple(given["measure"].split("/")) if "measure" in given else None
    things = []
    for thing in given["things"]:
        one, _, many = thing.partition("/")
        things.append((one, many or (one if measure else plural(one))))
    return Theme(
        name,
        given["sort"],
        tuple(map(_actor, given["actors"])),
        Verb.of(given["verb"]),
        given["group"],
        tuple(things),
        tuple(Attribute(*attribute) for attribute in given["attributes"]),
        measure,
        tuple(given.get("money", (2, 90))),
    )


def _themes() -> tuple[Theme, ...]:
    import yaml

    text = resources.files("data.synthesis").joinpath("themes.yaml").read_text(encoding="utf-8")
    return tuple(_theme(name, given) for name, given in yaml.safe_load(text).items())


THEMES: Final = _themes()
"""All settings, as `themes.yaml` lists them."""
