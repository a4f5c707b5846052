"""Problems that no other family holds: patterns to cut, fairness, balance, overtime, and what cannot be done."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from data.synthesis.draft import Draft, several, singular
from data.synthesis.marks import Actor
from data.synthesis.samples import Generator
from data.synthesis.scene import Scene, phrase, scene, up
from data.synthesis.small import add_statement, cap, small
from data.synthesis.words import Said, Slot, Table

__all__ = ["GENERATORS"]


def _cutting(draft: Draft) -> None:
    """Cutting stock with given patterns: the fewest rolls, or the least waste."""
    found = scene(draft, items=2 + draft.size, themes=("cutting",))
    found.goal(found.pick("use") if draft.rng.random() < 0.4 else None, "minimize")
    for _ in range(2 + (draft.size > 2)):
        attribute = found.pick("give")
        assert attribute is not None
        found.resource(attribute, ">=")
    if draft.rng.random() < 0.4:
        add_statement(found, "bound")


_FAIR: Final = Table(
    "fair goal",
    (
        "{A} wants the smallest of the {g} to be as large as possible",
        "<maximize|maximise> the smallest of the {g}",
        "how should {A} share the money so that the smallest of the {g} is as large as possible?",
        "the aim is to make the lowest of the {g} as high as possible",
        "!whoever gets the least should get as much as possible: what is the fairest plan?",
    ),
)
_FAIR_INTRO: Final = Table(
    "fair intro",
    (
        "{A} shares {n} among {xs}",
        "{A} has {n} to give to {xs}",
        "{n} may be given to {xs} by {A}, no more",
        "at most {n} can be spent by {A} on {xs}",
        "!a sum of {n}, and not a dollar more, goes from {A} to {xs}",
    ),
)
_FAIR_DATA: Final = Table(
    "fair data",
    (
        "every dollar for {x} yields {n} points of benefit",
        "a dollar for {x} brings {n} points of benefit",
        "{x} turns each dollar into {n} points of benefit",
    ),
)
_FAIR_LEAST: Final = Table("fair least", ("{x} <must get|needs> at least {n}", "at least {n} must go to {x}"))
_PLACES: Final = (
    *("the school", "the clinic", "the library", "the sports club", "the theatre", "the shelter", "the museum"),
    *("the fire brigade", "the orchestra"),
)


def _fair(draft: Draft) -> None:
    """The smallest of several benefits, made as large as possible."""
    rng = draft.rng
    draft.theme = "fairness"
    first = rng.choice(("a foundation", "a city council", "a donor", "a trust"))
    draft.actor = Actor(first, first.replace("a ", "the ", 1))
    items = [draft.item(place, place, "continuous") for place in rng.sample(_PLACES, 1 + draft.size + (draft.size < 2))]
    rates = [Fraction(rng.randint(2, 12)) for _ in items]
    draft.objective = {
        "kind": "worst_case",
        "sense": "maximize",
        "of": [f"{rate}*{item.name}" for item, rate in zip(items, rates, strict=True)],
    }
    limit = up(rng.randint(500, 90000), rng)
    name = draft.add("sum_bound", variables=[item.name for item in items], sense="<=", limit=limit)
    slots: dict[str, Slot] = {
        "xs": several(items),
        "n": draft.figure(limit, f"{name}.limit", "money"),
        "g": "benefits",
        "gg": "plans",
    }
    draft.words |= slots
    draft.say("intro", _FAIR_INTRO, slots, [name])
    for i, (item, rate) in enumerate(zip(items, rates, strict=True)):
        figure = draft.figure(rate, f"objective.of[{i}]['{item.name}']")
        draft.say("data", _FAIR_DATA, {"x": item.many, "n": figure})
    if rng.random() < 0.5:
        item = rng.choice(items)
        least = up(limit / (len(items) * 3), rng)
        bound = draft.add("bound", variable=item.name, sense=">=", limit=least)
        words: dict[str, Slot] = {"x": item.many, "n": draft.figure(least, f"{bound}.limit", "money")}
        draft.say("rule", _FAIR_LEAST, words, [bound])
    draft.say("goal", _FAIR, slots)


_BALANCE: Final = Table(
    "balance",
    (
        "{numx} and {numy} may differ by at most {n}",
        "the difference between {numx} and {numy}, either way, must not be more than {n}",
        "{numx} must be within {n} of {numy}",
        "!{n} is the largest gap allowed between {numx} and {numy}, whichever is larger",
    ),
)


def _balanced(draft: Draft) -> None:
    """Amounts that may not differ by much."""
    found = small(draft)
    x, y = draft.rng.sample(found.items, 2)
    here = abs(found.point[x.name] - found.point[y.name])
    amount = max(Fraction(1), up(here, draft.rng))
    name = draft.add("absolute_deviation", terms={x.name: 1, y.name: -1}, sense="<=", amount=amount)
    figure = draft.figure(amount, f"{name}.amount", "money" if found.invests else "count")
    draft.say("rule", _BALANCE, {**found.slots(x, y), "n": figure}, [name])


_OVERTIME: Final = Table(
    "overtime",
    (
        "{n} are <available|at hand>, and <each|every> further {unit} costs {p}",
        "{A} has {n}; more can be had for {p} per {unit}",
        "beyond {n}, {A} pays {p} for <each|every> additional {unit}",
        "!{n} come free of charge, and {p} is due for any {unit} beyond",
    ),
)


def _overtime(draft: Draft) -> None:
    """A resource of which more may be bought."""
    makers = ("furniture", "bakery", "clothing", "toys", "jewelry", "ceramics", "bikes", "soap", "wine", "brewery")
    found = scene(draft, items=1 + draft.size, themes=makers)
    found.goal(found.pick("earn"), "maximize")
    measured = [a for a in found.theme.of("use") if a.unit]
    attribute = draft.rng.choice(measured)
    found.taken.add(attribute)
    terms = found.coefficients(attribute)
    limit = up(found.at(terms) * Fraction(draft.rng.randint(40, 90), 100), draft.rng)
    price = Fraction(draft.rng.randint(2, 30))
    name = draft.add("soft", terms=terms, sense="<=", limit=limit, penalty=price)
    found.use(attribute, terms, name)
    slots = {
        **found.slots(),
        "n": Said(phrase("use", attribute.unit, attribute.stuff), {"n": draft.figure(limit, f"{name}.limit", "count")}),
        "p": draft.figure(price, f"{name}.penalty", "money"),
        "unit": singular(attribute.unit),
    }
    draft.say("rule", _OVERTIME, slots, [name])
    other = found.pick("use")
    if other is None:
        found.total_bound("<=")
    else:
        found.resource(other, "<=")
    for _ in range(draft.size - 1):
        add_statement(found, draft.rng.choice(("bound", "comparison", "proportion")))


def _impossible(draft: Draft) -> None:
    """A problem whose statements contradict one another, as real ones sometimes do: it is to be told, not mended."""
    rng = draft.rng
    found: Scene = small(draft)
    bounded = [
        one
        for one in draft.constraints
        if one["kind"] == "linear_bound" and one["sense"] == "<=" and len(one["terms"]) == len(found.items)
    ]
    if not bounded or rng.random() < 0.4:
        most = _top(draft)
        if most is None:
            cap(found)
            bounded = [draft.constraints[-1]] if draft.constraints[-1]["kind"] == "linear_bound" else []
            most = _top(draft)
    else:
        most = None
    if most is None:
        one = rng.choice(bounded)
        most = Fraction(str(one["limit"])) / min(Fraction(str(value)) for value in one["terms"].values())
    # More in all than the limit lets through, even of what needs least.
    least = up(most * Fraction(rng.randint(105, 160), 100) + 1, rng)
    name = draft.add("sum_bound", variables=[item.name for item in found.items], sense=">=", limit=least)
    figure = draft.figure(least, f"{name}.limit", "money" if found.invests else "count")
    counted = figure if found.invests else Said(Table("", ("{n} {x}",)), {"n": figure, "x": found.together})
    draft.say("rule", found.table("sum >="), {**found.slots(), "n": figure, "ng": counted}, [name])
    draft.status = "infeasible"


def _top(draft: Draft) -> Fraction | None:
    """The least upper bound of everything together that one statement says."""
    limits = [
        Fraction(str(one["limit"]))
        for one in draft.constraints
        if one["kind"] == "sum_bound" and one["sense"] in ("<=", "==") and len(one["variables"]) == len(draft.variables)
    ]
    return min(limits, default=None)


GENERATORS: Final = (
    Generator("cutting_stock", _cutting),
    Generator("fair_shares", _fair, held_out=True),
    Generator("balanced", _balanced),
    Generator("overtime", _overtime),
    Generator("infeasible", _impossible),
)
"""The generators of this family."""
