"""Short word problems in the manner of NL4Opt: two to five variables, two to seven statements, every kind of them."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Final

from data.synthesis.draft import Draft, Item
from data.synthesis.scene import Scene, scene

__all__ = ["KINDS", "add_statement", "cap", "small"]

_PLAIN: Final = ("bound", "two_bounds", "sum_bound", "part_sum", "range", "proportion", "comparison", "difference")
_LOGIC: Final = (
    "implication",
    "equivalence",
    "cardinality",
    "either_or",
    "conditional",
    "semi_continuous",
    "fixed_charge",
    "lots",
)
_DOMAIN_SAID: Final = 0.08  # how often a text says whether amounts are whole
KINDS: Final = (*_PLAIN, *_LOGIC)
"""What a problem may say beside its resources."""


def small(draft: Draft, focus: str | None = None) -> Scene:
    """A short problem. `focus` is a kind that it holds where that is possible."""
    rng = draft.rng
    logic = focus in _LOGIC or (focus is None and rng.random() < 0.35)
    count = min(5, rng.choice(((2,), (2, 2, 2, 3), (2, 3, 3, 4), (3, 4, 5))[draft.size - 1]))
    if focus in ("equivalence", "cardinality", "part_sum"):
        count = max(3, count)
    whole = focus in ("implication", "equivalence", "cardinality")
    found = scene(draft, items=count, whole=whole)
    count = len(found.items)
    theme = found.theme
    if focus in ("implication", "cardinality", "either_or", "conditional", "semi_continuous", "fixed_charge") or (
        logic and rng.random() < 0.5
    ):
        absent = rng.choice(found.items)
        if rng.random() < 0.6:
            found.point[absent.name] = Fraction(0)
    gains, costs = theme.of("earn"), theme.of("pay")
    maximize = bool(gains) and (not costs or theme.sort in ("make", "grow", "invest") or rng.random() < 0.5)
    if not maximize and not costs:
        maximize = bool(gains)
    # Objective: money where there is some, else what is given or taken, else the items themselves.
    luck = rng.random()
    upper = False
    if found.invests:
        found.goal(found.pick("earn"), "maximize")
        found.total_bound(rng.choice(("<=", "<=", "<=", "==")))
        upper = True
    elif maximize:
        upper = _maximized(found, luck)
    else:
        upper = _minimized(found, luck)
    wanted = max(0, rng.randint(2, 3 + draft.size) - len(draft.constraints))
    focus_left = [focus] if focus else []
    kinds = focus_left + rng.choices(KINDS if logic else _PLAIN, k=max(wanted, len(focus_left)))
    for kind in kinds:
        if kind in _LOGIC and not upper:
            cap(found)
            upper = True
        add_statement(found, kind)
    if not found.invests and rng.random() < _DOMAIN_SAID:
        found.say_domain()
    if len(draft.constraints) < 2:
        found.bound(rng.choice(found.items), rng.choice(("<=", ">=")))
    return found


def _maximized(found: Scene, luck: float) -> bool:
    rng, theme = found.rng, found.theme
    found.goal(found.pick("earn") if theme.of("earn") and luck < 0.85 else found.pick("give"), "maximize")
    many = rng.choice((1, 1, 2, 2, 3)) if found.draft.size < 4 else rng.choice((2, 3, 4))
    told = 0
    for _ in range(many):
        attribute = found.pick("use")
        if attribute is not None:
            found.resource(attribute, "<=")
            told += 1
    if told == 0 or rng.random() < 0.12:
        pay = found.pick("pay")
        if pay is not None:
            found.resource(pay, "<=")
            told += 1
    if told == 0:
        found.total_bound("<=")
    return True


def _minimized(found: Scene, luck: float) -> bool:
    rng, theme = found.rng, found.theme
    if luck < 0.68 and theme.of("pay"):
        found.goal(found.pick("pay"), "minimize")
    elif luck < 0.88 and theme.of("use"):
        found.goal(found.pick("use"), "minimize")
    else:
        found.goal(None, "minimize")
    many = rng.choice((1, 2, 2, 3)) if found.draft.size < 4 else 3
    told = 0
    for _ in range(many):
        attribute = found.pick("give")
        if attribute is not None:
            found.resource(attribute, ">=")
            told += 1
    if told == 0:
        found.total_bound(">=")
    if rng.random() < 0.4:
        attribute = found.pick("use", "pay")
        if attribute is not None:
            found.resource(attribute, "<=")
            return True
    return False


def cap(found: Scene) -> None:
    """What bounds every variable, as statements of logic need."""
    attribute = found.pick("use")
    if attribute is not None and found.rng.random() < 0.6:
        found.resource(attribute, "<=")
    else:
        found.total_bound("<=")


def add_statement(found: Scene, kind: str) -> bool:
    """Add a statement of the kind where one can be found that holds and was not said yet."""
    return any(_say(found, kind) for _ in range(6))


def _say(found: Scene, kind: str) -> bool:
    """Say a statement of the kind, where one holds that was not said yet."""
    rng = found.rng
    x, y = rng.sample(found.items, 2)
    present = [item for item in found.items if found.point[item.name] > 0]
    if kind in _AMONG_PRESENT and x not in present:
        return False
    subjects = frozenset((kind if kind not in _ALONE else "alone", x.name, y.name if kind not in _ONE else ""))
    known = found.said
    if subjects in known:
        return False
    done = _SAYERS[kind](found, x, y)
    if done:
        known.add(subjects)
    return done


_AMONG_PRESENT: Final = {"two_bounds", "range", "lots", "comparison"}
_ALONE: Final = {"bound", "two_bounds", "range"}
_ONE: Final = {"bound", "range", "proportion", "semi_continuous", "fixed_charge", "lots"}


def _two_bounds(found: Scene, x: Item, y: Item) -> bool:
    rng = found.rng
    first, second = rng.sample(found.items, 2)
    if not (found.point[first.name] and found.point[second.name]):
        return False
    found.two_bounds(first, second, rng.choice(((">=", ">="), ("<=", "<="), (">=", "<="))))
    return True


def _bound(found: Scene, x: Item, y: Item) -> bool:
    item = found.rng.choice(found.items)
    here = found.point[item.name]
    found.bound(item, "<=" if not here else found.rng.choices(("<=", ">=", "=="), (5, 5, 1))[0])
    return True


def _part_sum(found: Scene, x: Item, y: Item) -> bool:
    if len(found.items) < 3:
        return False
    part = found.rng.sample(found.items, found.rng.randint(2, len(found.items) - 1))
    sense = "<=" if found.total(part) < 2 else found.rng.choice(("<=", ">="))
    found.total_bound(sense, part)
    return True


def _logical(way: str) -> Callable[[Scene, Item, Item], bool]:
    """Statements of whether there is any of an item: of counted things alone, as no amount is the smallest."""

    def say(found: Scene, x: Item, y: Item) -> bool:
        if found.continuous:
            return False
        if way == "cardinality":
            return len(found.items) > 2 and bool(found.kinds(found.rng.choice(("at_most", "at_least", "exactly"))))
        return bool(found.if_then(x, y) if way == "implication" else found.both(x, y))

    return say


_SAYERS: Final[dict[str, Callable[[Scene, Item, Item], bool]]] = {
    "bound": _bound,
    "two_bounds": _two_bounds,
    "sum_bound": lambda s, x, y: bool(s.total_bound(s.rng.choices(("<=", ">=", "=="), (5, 5, 1))[0])),
    "part_sum": _part_sum,
    "range": lambda s, x, y: bool(s.between(x)),
    "proportion": lambda s, x, y: bool(s.share(x)),
    "comparison": lambda s, x, y: bool(s.comparison(x, y)),
    "difference": lambda s, x, y: bool(s.difference(x, y)),
    "implication": _logical("implication"),
    "equivalence": _logical("equivalence"),
    "cardinality": _logical("cardinality"),
    "either_or": lambda s, x, y: bool(s.either(x, y)),
    "conditional": lambda s, x, y: bool(s.when(x, y)),
    "semi_continuous": lambda s, x, y: bool(s.none_or(x)),
    "fixed_charge": lambda s, x, y: bool(s.charge(x)),
    "lots": lambda s, x, y: bool(s.lots(x)),
}
