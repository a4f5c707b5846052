"""Problems of a few goods: a theme, its items, and every kind of statement about them, each with its words.

A method of `Scene` declares a statement and says it. Statements hold at a hidden point that the caller chose, so that a
problem is solvable because of how it was made.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

from data.synthesis.draft import Draft, Item, Use, several
from data.synthesis.figures import Figure, Style, spelled
from data.synthesis.tables import TABLES
from data.synthesis.themes import THEMES, Attribute, Theme
from data.synthesis.words import Listing, Noise, Said, Slot, Table

__all__ = ["CONTINUOUS", "QUANTITY", "Scene", "down", "phrase", "scene", "up"]

CONTINUOUS: Final = {"acre", "hectare", "ton", "kilogram", "gallon", "dollar in", "day"}
"""Measures whose amounts need not be whole; pieces, bags and trips are counted."""
QUANTITY: Final = Table("", ("{n} {x}",))
_MONEY: Final = Table("", ("{n} in {x}",))
_GIVES: Final = {
    "make": ("produces", "yields", "creates"),
    "feed": ("contains", "provides", "has", "supplies"),
    "move": ("carries", "can carry", "holds", "handles", "takes"),
    "grow": ("yields", "gives", "produces"),
    "hire": ("provides", "handles", "covers"),
    "invest": ("gives",),
}
_SPECIAL_GIVES: Final = {
    "advertising": ("reaches", "attracts", "brings"),
    "tests": ("serves",),
    "machines": ("makes", "turns out", "produces"),
    "mining": ("yields", "produces"),
    "chemistry": ("produces", "yields", "gives"),
    "power": ("generates", "delivers", "produces"),
}
_TAKES: Final = ("takes", "requires", "needs", "uses")
_CONTAINS: Final = ("contains", "has")
_CAUSES: Final = ("causes", "produces")
_FOOD: Final = {"diet", "drinks", "animal_feed", "fertilizer", "medicine", "cleaning"}
_OWN: Final = {"cutting"}  # themes of one generator alone
_SAID: Final = {"use>=": "give", "rate<=": "risk"}
_HARM: Final = {"pollution", "emissions", "side effects"}


def up(value: Fraction | int, rng: random.Random) -> Fraction:
    """A round number that is no smaller."""
    return _round(Fraction(value), rng, math.ceil)


def down(value: Fraction | int, rng: random.Random) -> Fraction:
    """A round number that is no larger, and above 0 where the value is 1 or more."""
    return _round(Fraction(value), rng, math.floor)


def _round(value: Fraction, rng: random.Random, way: object) -> Fraction:
    assert callable(way)
    if value < 10:
        return Fraction(way(value))
    grain = 10 ** max(0, len(str(int(value))) - rng.choice((1, 2, 2, 3)))
    if rng.random() < 0.3 and grain >= 10:
        grain //= 2
    rounded = Fraction(way(value / grain)) * grain
    return rounded if rounded > 0 else Fraction(way(value))


def phrase(use_kind: str, unit: str, stuff: str) -> Table:
    """The words for an amount of an attribute."""
    if use_kind in ("earn", "pay", "rate"):
        return Table("", ("{n}",))
    return Table("", (f"{{n}} {unit} of {stuff}",)) if unit else Table("", (f"{{n}} {stuff}",))


@dataclass
class Scene:
    """A draft with a theme and its items."""

    draft: Draft
    theme: Theme
    items: list[Item]
    point: dict[str, Fraction] = field(default_factory=dict)
    taken: set[Attribute] = field(default_factory=set)
    said: set[frozenset[str]] = field(default_factory=set)

    # ---- words -----------------------------------------------------------------------------------------------------

    @property
    def rng(self) -> random.Random:
        """The draft's source of chance."""
        return self.draft.rng

    @property
    def continuous(self) -> bool:
        """Whether amounts need not be whole."""
        return self.theme.measure is not None and self.theme.measure[0] in CONTINUOUS

    @property
    def invests(self) -> bool:
        """Whether the items are places for money."""
        return self.theme.sort == "invest"

    def number_of(self, item: Item) -> str:
        """`the number of chairs`, `the amount invested in gold`."""
        if self.invests:
            return f"the amount {self.theme.verb.past} in {item.bare}"
        return f"the number of {item.many}"

    def counted(self, figure: Figure, item: Item) -> Said:
        """`20 chairs`, `$2,000 in gold`."""
        return (
            Said(_MONEY, {"n": figure, "x": item.bare})
            if self.invests
            else Said(QUANTITY, {"n": figure, "x": item.many})
        )

    @property
    def together(self) -> str:
        """What all items are when they are counted together: pastries, acres."""
        if self.theme.measure is None:
            return self.theme.group
        return self.theme.measure[1].split(" ")[0]

    def slots(self, x: Item | None = None, y: Item | None = None) -> dict[str, Slot]:
        """The slots that every table may use."""
        verb = self.theme.verb
        found: dict[str, Slot] = {
            "v": verb.base,
            "v3": verb.third,
            "vd": verb.past,
            "ving": verb.ing,
            "g": self.together,
            "allg": f"all {self.together}",
            "many": "much" if self.invests else "many",
            "k": self.count_words(),
        }
        for letter, item in (("x", x), ("y", y)):
            if item is not None:
                found |= {
                    letter: item.many,
                    f"{letter}1": item.one,
                    f"{letter}_": item.bare,
                    f"num{letter}": self.number_of(item),
                }
        return found

    def count_words(self) -> Noise:
        """How many items there are, which is no number of the model."""
        count = len(self.items)
        return Noise(spelled(count) if count <= 10 else str(count), "how many there are to choose from")

    def names(self, items: Sequence[Item] | None = None, joint: str = "and", *, bare: bool = False) -> Slot:
        """A list of items. `bare` leaves the measure out where one may: wheat and corn."""
        items = items or self.items
        bare = (
            bare
            and (self.invests or self.continuous)
            and " " not in (self.theme.measure or ("",))[0].removesuffix(" in")
        )
        return Listing(tuple(item.bare for item in items), joint) if bare else several(items, joint)

    def table(self, name: str) -> Table:
        """The table of a name, in the words for money where the items are places for it."""
        return TABLES.get(f"{name} invest" if self.invests else name) or TABLES[name]

    def _style(self) -> Style:
        return "money" if self.invests else "count"

    def _rule(self, table: str, slots: Mapping[str, Slot], *statements: str) -> None:
        self.draft.say("rule", self.table(table), slots, statements)

    # ---- values ----------------------------------------------------------------------------------------------------

    def at(self, terms: Mapping[str, Fraction]) -> Fraction:
        """The value of a weighted sum at the hidden point."""
        return sum((value * self.point[name] for name, value in terms.items()), Fraction(0))

    def total(self, items: Sequence[Item] | None = None) -> Fraction:
        """How much there is of items at the hidden point."""
        return sum((self.point[item.name] for item in items or self.items), Fraction(0))

    def slack(self, value: Fraction, sense: str) -> Fraction:
        """A round limit that the value keeps, with room to move."""
        rng = self.rng
        if sense == "<=":
            return max(Fraction(1), up(value * Fraction(rng.randint(100, 170), 100), rng))
        return down(value * Fraction(rng.randint(45, 100), 100), rng)

    # ---- attributes --------------------------------------------------------------------------------------------------

    def pick(self, *kinds: str) -> Attribute | None:
        """An attribute of one of the kinds that was not used yet."""
        free = [a for a in self.theme.of(*kinds) if a not in self.taken]
        if not free:
            return None
        found = self.rng.choice(free)
        self.taken.add(found)
        return found

    def coefficients(self, attribute: Attribute, items: Sequence[Item] | None = None) -> dict[str, Fraction]:
        """Random coefficients of an attribute, of a size that suits it."""
        rng = self.rng
        found = {}
        if attribute.unit == "%":
            values = rng.sample(range(2, 31), len(self.items))
            return {
                i.name: Fraction(v, 200 if rng.random() < 0.2 else 100) for i, v in zip(self.items, values, strict=True)
            }
        if attribute.kind in ("earn", "pay"):
            low, high = self.theme.money
        else:
            low, high = rng.choice(((1, 6), (1, 9), (2, 20), (5, 60), (10, 250))[: 2 if self.theme.name in _OWN else 5])
        for item in items or self.items:
            value = Fraction(rng.randint(low, high))
            if value >= 100:
                value = down(value, rng)
            elif value >= 20 and rng.random() < 0.6:
                value = Fraction(round(value / 5) * 5)
            elif not attribute.unit and attribute.kind in ("use", "give"):
                value = max(Fraction(2), value)  # persons and boxes come whole
            elif value < 20 and rng.random() < 0.16:
                value = max(Fraction(1, 4), value - Fraction(rng.choice(("1/2", "1/2", "1/4", "1/5", "1/10"))))
            found[item.name] = value
        return found

    def use(
        self,
        attribute: Attribute,
        terms: Mapping[str, Fraction],
        statement: str,
        place: str = "terms",
        *,
        figures: Mapping[str, Figure] | None = None,
    ) -> None:
        """Let the text say the coefficients of an attribute."""
        kind = "rate" if attribute.unit == "%" else attribute.kind
        style: Style = "share" if kind == "rate" else "money" if kind in ("earn", "pay") else "amount"
        if kind == "give":
            verbs = _SPECIAL_GIVES.get(self.theme.name, _GIVES[self.theme.sort])
        elif attribute.stuff in _HARM:
            verbs = _CAUSES
        else:
            verbs = _CONTAINS if self.theme.name in _FOOD else _TAKES
        if self.rng.random() < 0.6:
            verbs = (self.rng.choice(verbs),)
        found = dict(figures or self.draft.coefficients(statement, terms, style, place))
        self.draft.uses.append(Use(kind, attribute.unit, attribute.stuff, verbs, found))

    def resource(self, attribute: Attribute, sense: str, limit: Fraction | None = None) -> str:
        """A limit on (or a demand for) what all items take or give together."""
        draft = self.draft
        terms = self.coefficients(attribute)
        if limit is None:
            limit = self.slack(self.at(terms), sense)
        name = draft.add("linear_bound", terms=terms, sense=sense, limit=limit)
        self.use(attribute, terms, name)
        kind = "rate" if attribute.unit == "%" else attribute.kind
        money = kind in ("earn", "pay", "rate")
        figure = draft.figure(limit, f"{name}.limit", "money" if money else "count")
        amount = Said(phrase(kind, attribute.unit, attribute.stuff), {"n": figure})
        short = figure if money or not attribute.unit else Said(Table("", (f"{{n}} {attribute.unit}",)), {"n": figure})
        table = f"{_SAID.get(kind + sense, kind)} {sense}"
        if not attribute.unit and not money:
            table += " pieces"
        self._rule(table, {**self.slots(), "n": amount, "nu": short, "stuff": attribute.stuff}, name)
        return name

    def goal(self, attribute: Attribute | None, sense: str) -> None:
        """The objective: a total of an attribute, or of the items themselves."""
        draft, rng = self.draft, self.rng
        verb = "<maximize|maximize|maximise>" if sense == "maximize" else "<minimize|minimize|minimise>"
        if attribute is None:
            draft.aim(sense, {item.name: 1 for item in self.items})
            quantity = f"the total number of {self.together}"
        else:
            terms = self.coefficients(attribute)
            draft.aim(sense, terms)
            self.use(attribute, terms, "objective")
            stuff = attribute.stuff
            if attribute.kind in ("earn", "pay"):
                quantity = rng.choice((f"the total {stuff}", f"the {stuff}", f"the overall {stuff}", stuff))
                if attribute.unit == "%":
                    quantity = rng.choice(
                        ("the total return", "the return on investment", "the earnings", f"the {stuff}")
                    )
            elif not attribute.unit:
                quantity = rng.choice((f"the total number of {stuff}", f"the number of {stuff}"))
            elif attribute.unit in ("minutes", "hours", "days"):
                quantity = rng.choice(
                    (f"the total {attribute.unit} of {stuff}", f"the total number of {attribute.unit} of {stuff}")
                )
            else:
                quantity = rng.choice((f"the total amount of {stuff}", f"the amount of {stuff}", f"the total {stuff}"))
        group = self.theme.group
        each = [f"{self.together} of each <kind|type|> ", "of each <item|kind|>", "of each <|of the {k} {gg}>"]
        draft.words |= {
            **self.slots(),
            "optimize": Said(Table("", (verb,))),
            "quantity": quantity,
            "xs": self.names(bare=True),
            "xs_bare": self.names(bare=True),
            "gg": group,
        }
        draft.words["each"] = Said(Table("", (rng.choice(each[:2]),)))
        draft.say("goal", self.table("goal"), draft.words)

    def say_domain(self) -> None:
        """Say that the items are whole, or need not be, which is assumed where nothing is said."""
        table = "fractional" if self.continuous else "whole"
        self._rule(table, self.slots(), *(f"d.{item.name}" for item in self.items))

    # ---- kinds -----------------------------------------------------------------------------------------------------

    def bound(self, item: Item, sense: str, limit: Fraction | None = None) -> str:
        """A bound of one item."""
        here = self.point[item.name]
        limit = limit if limit is not None else here if sense == "==" else max(Fraction(1), self.slack(here, sense))
        name = self.draft.add("bound", variable=item.name, sense=sense, limit=limit)
        figure = self.draft.figure(limit, f"{name}.limit", self._style())
        self._rule(f"bound {sense}", {**self.slots(item), "n": figure, "nx": self.counted(figure, item)}, name)
        return name

    def two_bounds(self, x: Item, y: Item, senses: tuple[str, str]) -> None:
        """Bounds of two items in one sentence."""
        draft = self.draft
        limits = [max(Fraction(1), self.slack(self.point[i.name], s)) for i, s in zip((x, y), senses, strict=True)]
        names = [
            draft.add("bound", variable=i.name, sense=s, limit=n)
            for i, s, n in zip((x, y), senses, limits, strict=True)
        ]
        first, second = (draft.figure(n, f"{c}.limit", self._style()) for n, c in zip(limits, names, strict=True))
        table = "up and down" if senses[0] != senses[1] else f"two bounds {senses[0]}"
        self._rule(
            table,
            {**self.slots(x, y), "n": first, "m": second, "nx": self.counted(first, x), "my": self.counted(second, y)},
            *names,
        )

    def total_bound(self, sense: str, items: Sequence[Item] | None = None) -> str:
        """A bound of the number of all items, or of some of them."""
        here = self.total(items)
        limit = here if sense == "==" else self.slack(here, sense)
        name = self.draft.add("sum_bound", variables=[i.name for i in items or self.items], sense=sense, limit=limit)
        figure = self.draft.figure(limit, f"{name}.limit", self._style())
        bare = self.invests and items is not None
        lists = self.names(items, bare=bare), self.names(items, "or", bare=bare)
        slots = {**self.slots(), "n": figure, "xs": lists[0], "xs_or": lists[1]}
        slots["ng"] = figure if self.invests else Said(QUANTITY, {"n": figure, "x": self.together})
        self._rule(f"{'part ' if items else ''}sum {sense}", slots, name)
        return name

    def between(self, item: Item) -> str:
        """A range of one item."""
        here = self.point[item.name]
        low, high = max(Fraction(1), self.slack(here, ">=")), self.slack(here, "<=")
        high = max(high, low + 1)
        name = self.draft.add("range", low=low, terms=item.name, high=high)
        style: Style = "money" if self.invests else "plain" if self.rng.random() < 0.8 else "count"
        first, second = self.draft.figure(low, f"{name}.low", style), self.draft.figure(high, f"{name}.high", style)
        self._rule("range", {**self.slots(item), "low": first, "n": second, "nx": self.counted(second, item)}, name)
        return name

    def share(self, item: Item) -> str | None:
        """A share that an item has in the total."""
        rng = self.rng
        here = self.point[item.name] / self.total()
        sense = rng.choice(("<=", ">="))
        known = [Fraction(k, 100) for k in (5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60, 65, 70, 75, 80, 90)]
        known += [Fraction(1, 3), Fraction(2, 3), Fraction(1, 4), Fraction(1, 2), Fraction(12, 100), Fraction(33, 100)]
        fitting = [s for s in known if (s >= here if sense == "<=" else s <= here)]
        if not fitting:
            return None
        nearest = sorted(fitting, key=lambda s: abs(s - here))[:6]
        share = rng.choice(nearest)
        whole = " + ".join(i.name for i in self.items)
        name = self.draft.add("proportion", part=item.name, sense=sense, share=share, whole=whole)
        self._rule(
            f"share {sense}", {**self.slots(item), "s": self.draft.figure(share, f"{name}.share", "share")}, name
        )
        return name

    def comparison(self, x: Item, y: Item) -> str | None:
        """One item against a multiple of another."""
        rng = self.rng
        here = self.point[x.name] / self.point[y.name] if self.point[y.name] else None
        sense = rng.choice(("<=", ">="))
        known = [Fraction(k) for k in (1, 2, 3, 4, 5)] + [
            Fraction(1, 2),
            Fraction(1, 3),
            Fraction(3, 2),
            Fraction(5, 2),
        ]
        fitting = [f for f in known if here is not None and (f >= here if sense == "<=" else f <= here)]
        if not fitting:
            return None
        factor = rng.choice(sorted(fitting, key=lambda f: abs(f - (here or 0)))[:3])
        one = factor == 1
        more = {} if one else {"factor": factor}
        name = self.draft.add("comparison", left=x.name, sense=sense, right=y.name, **more)
        slots = self.slots(x, y)
        if not one:
            slots["f"] = self.draft.figure(factor, f"{name}.factor", "factor")
        self._rule(f"compare {'1 ' if one else ''}{sense}", slots, name)
        return name

    def difference(self, x: Item, y: Item) -> str | None:
        """How much more there is of one item than of another."""
        here = self.point[x.name] - self.point[y.name]
        if here < 1:
            return None
        sense = self.rng.choice(("<=", ">="))
        amount = self.slack(here, sense) if here >= 2 else here
        if amount < 1:
            return None
        name = self.draft.add("difference", left=x.name, right=y.name, sense=sense, amount=amount)
        figure = self.draft.figure(amount, f"{name}.amount", self._style())
        self._rule(f"difference {sense}", {**self.slots(x, y), "n": figure}, name)
        return name

    def if_then(self, x: Item, y: Item) -> str | None:
        """If one item is there at all, so is another, or it is not."""
        with_x, with_y = self.point[x.name] > 0, self.point[y.name] > 0
        table, then = ("if then", f"selected({y.name})")
        if (with_x and with_y) or (not with_x and self.rng.random() < 0.5):
            pass
        elif not (with_x and with_y):
            table, then = "if not", f"not selected({y.name})"
        if with_x and not with_y and table == "if then":
            return None
        name = self.draft.add("implication", when=f"selected({x.name})", then=then)
        self._rule(table, self.slots(x, y), name)
        return name

    def both(self, x: Item, y: Item) -> str | None:
        """Both or neither."""
        if (self.point[x.name] > 0) != (self.point[y.name] > 0):
            return None
        name = self.draft.add("equivalence", of=[f"selected({x.name})", f"selected({y.name})"])
        self._rule("both or neither", self.slots(x, y), name)
        return name

    def kinds(self, way: str) -> str | None:
        """How many of the items there are at all."""
        here = sum(self.point[i.name] > 0 for i in self.items)
        if way == "at_most":
            limit = self.rng.randint(here, len(self.items) - 1) if here < len(self.items) else None
        elif way == "at_least":
            limit = self.rng.randint(2, here) if here >= 2 else None
        else:
            limit = here if 2 <= here < len(self.items) else None
        if limit is None or limit < 2:
            return None
        name = self.draft.add("cardinality", of=[i.name for i in self.items], **{way: limit})
        figure = self.draft.figure(limit, f"{name}.{way}", "count")
        self._rule(
            f"{way.replace('_', ' ')} kinds",
            {**self.slots(), "n": figure, "xs": self.names(), "g": self.theme.group},
            name,
        )
        return name

    def either(self, x: Item, y: Item) -> str:
        """At least one of two bounds."""
        first = max(Fraction(1), self.slack(self.point[x.name], ">=" if self.point[x.name] else "<="))
        second = max(Fraction(2), up(self.point[y.name] * 2 + self.rng.randint(2, 20), self.rng))
        table = "either or" if self.point[x.name] else "either or <="
        sense = ">=" if self.point[x.name] else "<="
        name = self.draft.add("either_or", alternatives=[f"{x.name} {sense} {first}", f"{y.name} >= {second}"])
        n, m = (
            self.draft.figure(first, f"{name}.alternatives[0][0]", self._style()),
            self.draft.figure(second, f"{name}.alternatives[1][0]", self._style()),
        )
        self._rule(
            table, {**self.slots(x, y), "n": n, "m": m, "nx": self.counted(n, x), "my": self.counted(m, y)}, name
        )
        return name

    def when(self, x: Item, y: Item) -> str | None:
        """If one item is there at all, a bound of another."""
        here = self.point[y.name]
        sense = ">=" if here or not self.point[x.name] else "<="
        if sense == ">=" and here and self.rng.random() < 0.3:
            sense = "<="
        limit = max(Fraction(1), self.slack(here, sense)) if here else Fraction(self.rng.randint(2, 15))
        name = self.draft.add("conditional", when=f"selected({x.name})", then=f"{y.name} {sense} {limit}")
        figure = self.draft.figure(limit, f"{name}.then[0]", self._style())
        self._rule(
            f"when at {'least' if sense == '>=' else 'most'}",
            {**self.slots(x, y), "n": figure, "ny": self.counted(figure, y)},
            name,
        )
        return name

    def none_or(self, x: Item) -> str:
        """None, or at least so much."""
        here, rng = self.point[x.name], self.rng
        low = max(Fraction(2), self.slack(here, ">=")) if here >= 2 else Fraction(rng.randint(3, 30))
        fields: dict[str, Fraction] = {"minimum": low}
        if rng.random() < 0.35:
            fields["maximum"] = max(low + 1, self.slack(max(here, low), "<="))
        name = self.draft.add("semi_continuous", variable=x.name, **fields)
        figure = self.draft.figure(low, f"{name}.minimum", self._style())
        slots = {**self.slots(x), "n": figure, "nx": self.counted(figure, x)}
        if "maximum" in fields:
            top = self.draft.figure(fields["maximum"], f"{name}.maximum", self._style())
            slots |= {"low": figure, "n": top, "nx": self.counted(top, x)}
        self._rule("none or between" if "maximum" in fields else "none or at least", slots, name)
        return name

    def charge(self, x: Item) -> str:
        """A charge for having any of an item."""
        amount = down(self.rng.randint(2, 30) * self.theme.money[1] + 1, self.rng)
        name = self.draft.add("fixed_charge", variable=x.name, charge=amount)
        self._rule("fixed charge", {**self.slots(x), "n": self.draft.figure(amount, f"{name}.charge", "money")}, name)
        return name

    def lots(self, x: Item) -> str | None:
        """Whole lots of an item."""
        here = self.point[x.name]
        sizes = [k for k in (2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 24, 25, 50) if here % k == 0]
        if not sizes:
            return None
        size = self.rng.choice(sizes)
        name = self.draft.add("lots", amount=x.name, size=size)
        self._rule("lots", {**self.slots(x), "n": self.draft.figure(size, f"{name}.size", self._style())}, name)
        return name


def scene(draft: Draft, *, items: int, themes: Sequence[str] = (), whole: bool = False) -> Scene:
    """A scene of one of the themes (of any, where none is named), with so many items at most and a hidden point."""
    rng = draft.rng
    fitting = [
        t for t in THEMES if (t.name in themes if themes else t.name not in _OWN) and len(t.things) >= min(items, 4)
    ]
    if whole:
        fitting = [t for t in fitting if t.measure is None or t.measure[0] not in CONTINUOUS]
    theme = rng.choice(fitting)
    draft.theme, draft.actor = theme.name, rng.choice(theme.actors)
    continuous = theme.measure is not None and theme.measure[0] in CONTINUOUS
    measure = theme.measure
    chosen = rng.sample(theme.things, min(items, len(theme.things)))
    made = [draft.item(one, many, "continuous" if continuous else "integer", measure=measure) for one, many in chosen]
    found = Scene(draft, theme, made)
    top = rng.choice((8, 20, 40, 80, 200))
    scale = rng.choice((500, 1000, 5000)) if found.invests else 1
    found.point = {item.name: Fraction(rng.randint(1, top) * scale) for item in made}
    draft.say(
        "intro",
        found.table("intro"),
        {**found.slots(), "g": theme.group, "xs": found.names(bare=True), "xs_or": found.names(None, "or", bare=True)},
    )
    return found
