"""Problems of how much of each: production, diets, blends, fleets, money, land and staff, as entries of one table."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from data.synthesis.draft import Draft
from data.synthesis.samples import Generator
from data.synthesis.scene import Scene, scene
from data.synthesis.small import add_statement, cap

__all__ = ["GENERATORS"]


@dataclass(frozen=True)
class Mix:
    """What a generator of this family makes.

    `goal` is the attribute that the objective counts (`count`: the items themselves). `resources` are kinds of
    attributes with the sense of their limits, as many as the size asks for; `always` are kinds of statements that
    every problem has, `also` those that it may have; `total` is the sense of a bound of everything together. With
    `absent` one item is at 0 in the hidden point, as logic needs.
    """

    name: str
    themes: str
    goal: str
    sense: str
    resources: tuple[tuple[str, str], ...]
    also: str
    always: str = ""
    total: str = ""
    whole: bool = False
    absent: bool = False
    held_out: bool = False


_LIMITS: Final = (("use", "<="), ("use", "<="), ("use", "<="))
_NEEDS: Final = (("give", ">="), ("give", ">="), ("give", ">="))
_MAKERS: Final = (
    "furniture bakery electronics clothing toys steel jewelry ceramics bikes cars soap candles paint brewery wine"
)

MIXES: Final = (
    Mix("production", _MAKERS, "earn", "maximize", _LIMITS, "bound difference comparison range"),
    Mix("diet", "diet drinks animal_feed medicine", "pay", "minimize", (*_NEEDS, ("use", "<=")), "bound comparison"),
    Mix(
        "blending",
        "animal_feed fertilizer paint dairy",
        "pay",
        "minimize",
        (("give", ">="), ("use", "<=")),
        "proportion bound",
        "proportion proportion",
        "==",
    ),
    Mix(
        "machine_mix",
        "machines power mining",
        "pay",
        "minimize",
        (("give", ">="), ("use", "<="), ("give", ">=")),
        "bound comparison proportion",
    ),
    Mix(
        "advertising",
        "advertising",
        "give",
        "maximize",
        (("pay", "<="), ("use", "<=")),
        "two_bounds comparison range",
        "proportion",
    ),
    Mix(
        "investment",
        "portfolio industries loans",
        "earn",
        "maximize",
        (),
        "bound comparison part_sum",
        "proportion proportion comparison",
        "<=",
    ),
    Mix(
        "crop_planning",
        "crops orchard forest fish",
        "earn",
        "maximize",
        _LIMITS,
        "comparison proportion",
        "bound",
        "<=",
    ),
    Mix(
        "staffing",
        "staff volunteers security teachers",
        "pay",
        "minimize",
        (("give", ">="), ("give", ">=")),
        "comparison proportion two_bounds",
        "bound",
        ">=",
    ),
    Mix(
        "fleet",
        "delivery passengers shipping tests",
        "pay",
        "minimize",
        (("give", ">="), ("use", "<=")),
        "proportion difference",
        "comparison",
    ),
    Mix(
        "relief",
        "aid passengers",
        "give",
        "maximize",
        (("use", "<="), ("pay", "<=")),
        "range comparison",
        "bound",
        held_out=True,
    ),
    Mix(
        "catering", "restaurant bakery school_fair", "earn", "maximize", _LIMITS, "proportion two_bounds", "comparison"
    ),
    Mix(
        "buying_lots",
        "packing cleaning machines delivery",
        "pay",
        "minimize",
        (("give", ">="), ("use", "<=")),
        "bound",
        "lots lots",
        whole=True,
    ),
    Mix(
        "setup_costs",
        _MAKERS + " software video",
        "earn",
        "maximize",
        _LIMITS[:2],
        "bound range",
        "fixed_charge fixed_charge",
        whole=True,
        absent=True,
    ),
    Mix(
        "minimum_batches",
        _MAKERS + " recycling",
        "earn",
        "maximize",
        _LIMITS[:2],
        "sum_bound",
        "semi_continuous semi_continuous",
        absent=True,
        held_out=True,
    ),
    Mix(
        "assortment",
        _MAKERS + " gardens paper hotel",
        "earn",
        "maximize",
        _LIMITS[:2],
        "implication conditional equivalence",
        "cardinality implication",
        whole=True,
        absent=True,
    ),
    Mix(
        "supply_rules",
        "delivery machines power passengers staff",
        "pay",
        "minimize",
        (("give", ">="), ("use", "<=")),
        "implication conditional",
        "either_or conditional",
        whole=True,
        absent=True,
    ),
    Mix(
        "order_book", _MAKERS + " paper", "earn", "maximize", _LIMITS, "sum_bound bound", "range two_bounds difference"
    ),
    Mix(
        "waste",
        "recycling chemistry steel",
        "use",
        "minimize",
        (("give", ">="), ("give", ">=")),
        "bound comparison",
        "",
        ">=",
    ),
)
"""The entries."""


def _fill(mix: Mix, draft: Draft) -> Scene:
    rng = draft.rng
    count = min(7, draft.size + rng.choice((1, 2)) + (1 if mix.absent else 0))
    found = scene(draft, items=max(3 if mix.absent else 2, count), themes=mix.themes.split(), whole=mix.whole)
    if mix.absent:
        found.point[rng.choice(found.items).name] = Fraction(0)
    attribute = None if mix.goal == "count" else found.pick(mix.goal)
    found.goal(attribute, mix.sense)
    bounded = False
    for kind, sense in mix.resources[: max(1, draft.size + 1)]:
        resource = found.pick(kind)
        if resource is not None:
            found.resource(resource, sense)
            bounded |= sense == "<="
    if mix.total:
        found.total_bound(mix.total)
        bounded |= mix.total != ">="
    if (mix.sense == "maximize" or mix.absent or mix.whole) and not bounded:
        cap(found)
    if mix.sense == "minimize" and not mix.total and not any(c["sense"] == ">=" for c in draft.constraints):
        found.total_bound(">=")
    for kind in mix.always.split():
        add_statement(found, kind)
    for _ in range(rng.randint(0, draft.size)):
        add_statement(found, rng.choice(mix.also.split()))
    return found


def _generator(mix: Mix) -> Generator:
    return Generator(mix.name, lambda draft: _fill(mix, draft), mix.held_out)


GENERATORS: Final = tuple(map(_generator, MIXES))
"""One generator for each entry."""
