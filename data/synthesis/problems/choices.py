"""Problems of which to take: projects, things to pack, sites, teams, with rules of logic between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from data.synthesis.draft import Draft, Item, Use, Verb
from data.synthesis.figures import Style, spelled
from data.synthesis.marks import Actor
from data.synthesis.samples import Generator
from data.synthesis.scene import down, up
from data.synthesis.words import Listing, Noise, Said, Slot, Table

__all__ = ["GENERATORS"]


@dataclass(frozen=True)
class Setting:
    """Who chooses among what: `gain` and `weights` are (kind, unit, stuff, verbs, least, most)."""

    actors: tuple[Actor, ...]
    verb: Verb
    group: str
    things: tuple[str, ...]
    gain: tuple[str, str, str, str, int, int]
    weights: tuple[tuple[str, str, str, str, int, int], ...]


def _setting(actors: str, verb: str, group: str, things: str, gain: str, *weights: str) -> Setting:
    def attribute(text: str) -> tuple[str, str, str, str, int, int]:
        kind, unit, stuff, verbs, least, most = text.split(":")
        return kind, unit, stuff, verbs, int(least), int(most)

    people = []
    for words in actors.split("; "):
        named, _, pronoun = words.partition("/")
        head, _, rest = named.partition(" ")
        people.append(Actor(named, f"the {rest}" if head in ("a", "an") else named, pronoun or "it"))
    return Setting(
        tuple(people), Verb.of(verb), group, tuple(things.split("; ")), attribute(gain), tuple(map(attribute, weights))
    )


_PROJECTS: Final = (
    _setting(
        "a city council; a county; the mayor of Alder/she",
        "fund funds funded funding",
        "projects",
        "the bike lane; the library extension; the park renovation; the bus terminal; "
        "the new bridge; the swimming hall; the street lighting",
        "give::residents:serves|helps|reaches:200:9000",
        "pay::cost:costs:20000:900000",
        "use:months:construction:takes|needs:2:18",
        "use::engineers:needs|ties up:2:15",
    ),
    _setting(
        "a software company; a start-up; Quillon Labs",
        "develop develops developed developing",
        "features",
        "the search tool; the mobile app; the chat bot; the payment module; the dashboard; the video player",
        "earn::profit:brings:4000:90000",
        "use:weeks:programming:takes|needs:2:20",
        "pay::cost:costs:2000:50000",
        "use::developers:needs|requires:2:9",
    ),
    _setting(
        "a research institute; a drug company; a university",
        "start starts started starting",
        "studies",
        "the vaccine trial; the gene study; the sleep study; the heart study; the diet survey; the vision project",
        "give:units:expected benefit:promises|brings:5:90",
        "pay::cost:costs:30000:700000",
        "use:hours:lab time:requires|uses:40:900",
    ),
    _setting(
        "a film festival; a theatre director/he; a TV channel",
        "show shows shown showing",
        "productions",
        "the comedy; the thriller; the documentary; the musical; the puppet play; the opera; the short film",
        "give::visitors:attracts|draws:80:4000",
        "use:minutes:stage time:takes|needs:20:180",
        "pay::cost:costs:500:20000",
    ),
)
_PACKING: Final = (
    _setting(
        "a hiker/she; a mountaineer/he; Jonas/he; a scout/she",
        "pack packs packed packing",
        "items",
        "the tent; the stove; the camera; the rope; the water filter; the sleeping bag; the lantern; the first-aid kit",
        "give:points:comfort:gives|adds:3:60",
        "use:kg:weight:adds|has:1:12",
    ),
    _setting(
        "a cargo pilot/she; a courier/he; a freight company",
        "load loads loaded loading",
        "shipments",
        "the piano; the engine; the medical crate; the sculpture; the server rack; the furniture set; the wine pallet",
        "earn::revenue:brings:80:3000",
        "use:kg:weight:has|adds:30:600",
        "use:cubic feet:space:takes up|needs:5:80",
    ),
    _setting(
        "a museum; an art collector/he; a gallery",
        "borrow borrows borrowed borrowing",
        "works",
        "the fresco; the bronze statue; the still life; the tapestry; the portrait; the mosaic; the landscape",
        "give::visitors:attracts|brings:100:3000",
        "use:meters:wall space:needs|takes:2:15",
        "pay::insurance cost:costs:500:9000",
    ),
)
_SITES: Final = (
    _setting(
        "a fire department; a county; a health agency",
        "open opens opened opening",
        "stations",
        "the north station; the harbor station; the hill station; the market station; "
        "the airport station; the river station",
        "pay::cost:costs:100000:900000",
    ),
    _setting(
        "a phone company; a radio network; Skyline Telecom",
        "build builds built building",
        "towers",
        "the east tower; the church tower; the lake tower; the campus tower; the ridge tower",
        "pay::cost:costs:20000:300000",
    ),
)
_DISTRICTS: Final = ("Ashford", "Birch Hill", "Cedar Park", "Dunmore", "Eastgate", "Fairview", "Glenwood", "Highfield")
_TEAMS: Final = (
    _setting(
        "a coach/he; a basketball club; the national team",
        "select selects selected selecting",
        "players",
        "Adams; Brooks; Carter; Diaz; Evans; Foster; Garcia",
        "give:points:skill:brings|adds:5:30",
        "pay::salary:costs:20000:400000",
    ),
    _setting(
        "a consulting firm; a project manager/she; a space agency",
        "send sends sent sending",
        "experts",
        "Ahmed; Bianca; Chen; Dmitri; Elena; Farid; Grace",
        "give:years:experience:has|brings:2:30",
        "pay::daily cost:costs:200:1500",
    ),
)
_FUNDS: Final = (
    _setting(
        "an investor/she; a venture fund; a pension fund",
        "buy buys bought buying",
        "holdings",
        "the solar fund; the biotech stock; the office tower; the railway bond; the copper mine; "
        "the start-up; the farm land",
        "earn::return:yields|brings:2000:80000",
        "pay::price:costs:10000:500000",
        "use:points:risk:adds|carries:2:30",
    ),
)

_INTRO: Final = Table(
    "choose intro",
    (
        "{A} <wants|has|would like> to decide which of {k} {g} to {v}: {xs}",
        "{A} can {v} <any of|> {xs}",
        "{k} {g} <are on the list of|are open to> {A}: {xs}",
        "{A} is <considering|thinking about> {k} {g}<:|, namely> {xs}",
        "{A} has to choose among {xs}",
        "!up for decision by {A} are {xs}",
    ),
)
_GOAL: Final = Table(
    "choose goal",
    (
        "which {g} should {A} {v} to {optimize} {quantity}?",
        "which of them should be {vd} <in order |>to {optimize} {quantity}?",
        "{A} <wants|aims|would like> to {optimize} {quantity}",
        "{optimize} {quantity}",
        "<find|determine> the {g} to {v} that {optimize} {quantity}",
        "the <goal|objective> is to {optimize} {quantity}",
        "!what selection would {optimize} {quantity}?",
    ),
)
_LIMIT: Final = Table(
    "choose limit",
    (
        "{A} has <only|at most|> {n} available",
        "<at most|no more than> {n} <can|may> be used",
        "{A} cannot use more than {n}",
        "there are <only|> {n} available",
        "{A} can <use|spare> <at most|no more than|up to> {n}",
        "!{n} is all there is",
    ),
)
_BUDGET: Final = Table(
    "choose budget",
    (
        "the <total|> budget is {n}",
        "{A} has a budget of {n}",
        "{A} can spend <at most|no more than|up to> {n}",
        "<at most|no more than> {n} can be spent",
        "!the purse holds {n}",
    ),
)
_RULES: Final = {
    "not both": Table(
        "choose not both",
        (
            "{x} and {y} cannot both be {vd}",
            "{A} cannot {v} both {x} and {y}",
            "not both {x} and {y} can be {vd}",
            "if {x} is {vd}, then {y} cannot be {vd}",
            "{ving} {x} rules out {ving} {y}",
            "!{x} and {y} exclude each other",
        ),
    ),
    "either": Table(
        "choose either",
        (
            "either {x} or {y} or both must be {vd}",
            "{x} or {y} must be {vd}, or both",
            "{A} must {v} {x} or {y}, or both",
            "!without {x}, there is no way around {y}",
        ),
    ),
    "one of two": Table(
        "choose one of two",
        (
            "either {x} or {y} must be {vd}, but not both",
            "{A} must {v} either {x} or {y}, but not both",
            "!it is {x} or {y}, never both together",
        ),
    ),
    "implication": Table(
        "choose if",
        (
            "if {x} is {vd}, then {y} must <also be {vd}|be {vd} too|be {vd} as well>",
            "{x} can only be {vd} if {y} is {vd} <too|as well|>",
            "{ving} {x} requires {ving} {y}",
            "{A} can {v} {x} only if {A} {v3} {y}",
            "{x} cannot be {vd} unless {y} is {vd}",
            "!{x} presupposes {y}",
        ),
    ),
    "implication not": Table(
        "choose if not",
        (
            "if {x} is not {vd}, then {y} must be {vd}",
            "if {A} does not {v} {x}, then {y} must be {vd}",
            "!should {x} be left out, {y} has to be {vd}",
        ),
    ),
    "equivalence": Table(
        "choose both",
        (
            "either both {x} and {y} are {vd} or neither is",
            "{x} is {vd} if and only if {y} is {vd}",
            "{x} and {y} must be {vd} together or not at all",
            "!{x} and {y} stand or fall together",
        ),
    ),
    "at_most": Table(
        "choose at most",
        (
            "at most {n} of {xs} can be {vd}",
            "no more than {n} of {xs} may be {vd}",
            "{A} can {v} at most {n} of {xs}",
            "!{n} of {xs} are the most that can be {vd}",
        ),
    ),
    "at_least": Table(
        "choose at least",
        (
            "at least {n} of {xs} must be {vd}",
            "{A} <must|has to> {v} at least {n} of {xs}",
            "no fewer than {n} of {xs} must be {vd}",
            "!{n} or more of {xs} have to be {vd}",
        ),
    ),
    "exactly": Table(
        "choose exactly",
        (
            "exactly {n} of {xs} must be {vd}",
            "{A} <must|has to> {v} exactly {n} of {xs}",
            "!neither more nor less than {n} of {xs} must be {vd}",
        ),
    ),
    "all": Table(
        "choose how many",
        (
            "{A} can {v} at most {n} {g} <in total|>",
            "at most {n} {g} can be {vd}",
            "no more than {n} {g} may be {vd} <altogether|>",
        ),
    ),
    "all exactly": Table(
        "choose exactly how many",
        (
            "{A} <must|has to> {v} exactly {n} {g}",
            "exactly {n} {g} must be {vd}",
        ),
    ),
}
_COVER: Final = Table(
    "choose cover",
    (
        "{d} can be reached from {xs_or}",
        "{d} <is covered|is served> by {xs_or}",
        "{xs} <cover|serve|reach> {d}",
        "!as for {d}, it lies within reach of {xs}",
    ),
)
_COVERED: Final = Table(
    "choose covered",
    (
        "every district must be covered by at least {n} {one}",
        "each district needs at least {n} {one} that reaches it",
        "!no district may be left without {n} {one} in reach",
    ),
)


class _Choice:
    """A draft in which things are taken or left."""

    def __init__(self, draft: Draft, settings: Sequence[Setting], count: int) -> None:
        rng = draft.rng
        self.draft, self.rng, self.setting = draft, rng, rng.choice(settings)
        draft.actor, draft.named, draft.theme = rng.choice(self.setting.actors), True, self.setting.group
        things = rng.sample(self.setting.things, min(count, len(self.setting.things)))
        self.items = [draft.item(thing, thing, "binary") for thing in things]
        self.taken = {item.name: rng.random() < 0.55 for item in self.items}
        self.taken[self.items[0].name] = True
        self.ruled: set[tuple[str, frozenset[str]]] = set()
        self.slots: dict[str, Slot] = {
            "v": self.setting.verb.base,
            "v3": self.setting.verb.third,
            "vd": self.setting.verb.past,
            "ving": self.setting.verb.ing,
            "g": self.setting.group,
            "xs": self.names(self.items),
            "k": Noise(spelled(len(self.items)), "how many there are to choose from"),
            "gg": self.setting.group,
        }
        draft.say("intro", _INTRO, self.slots)

    def names(self, items: Sequence[Item], joint: str = "and") -> Listing:
        return Listing(tuple(item.many for item in items), joint)

    def values(self, attribute: tuple[str, str, str, str, int, int]) -> dict[str, Fraction]:
        low, high = attribute[4:]
        return {
            i.name: v if (v := down(self.rng.randint(low, high), self.rng)) > 0 else Fraction(1) for i in self.items
        }

    def use(self, attribute: tuple[str, str, str, str, int, int], terms: dict[str, Fraction], statement: str) -> None:
        kind, unit, stuff, verbs, *_ = attribute
        style: Style = "money" if kind in ("pay", "earn") else "amount"
        figures = self.draft.coefficients(statement, terms, style)
        self.draft.uses.append(Use(kind, unit, stuff, tuple(verbs.split("|")), figures))

    def goal(self, sense: str, attribute: tuple[str, str, str, str, int, int] | None = None) -> None:
        attribute = attribute or self.setting.gain
        terms = self.values(attribute)
        self.draft.aim(sense, terms)
        self.use(attribute, terms, "objective")
        kind, unit, stuff, *_ = attribute
        total = f"the total {stuff}" if unit or kind in ("pay", "earn") else f"the total number of {stuff}"
        optimize = Said(Table("", ("<maximize|maximise>" if sense == "maximize" else "<minimize|minimise>",)))
        self.draft.words |= {**self.slots, "optimize": optimize, "quantity": total}
        self.draft.say("goal", _GOAL, self.draft.words)

    def limit(self, attribute: tuple[str, str, str, str, int, int]) -> None:
        terms = self.values(attribute)
        here = sum((v for n, v in terms.items() if self.taken[n]), Fraction(0))
        limit = up(here * Fraction(self.rng.randint(100, 130), 100), self.rng)
        name = self.draft.add("linear_bound", terms=terms, sense="<=", limit=limit)
        self.use(attribute, terms, name)
        kind, unit, stuff, *_ = attribute
        if kind == "pay":
            self.draft.say(
                "rule", _BUDGET, {**self.slots, "n": self.draft.figure(limit, f"{name}.limit", "money")}, [name]
            )
            return
        figure = self.draft.figure(limit, f"{name}.limit", "count")
        amount = Said(Table("", (f"{{n}} {unit} of {stuff}" if unit else f"{{n}} {stuff}",)), {"n": figure})
        self.draft.say("rule", _LIMIT, {**self.slots, "n": amount}, [name])

    def rule(self, way: str) -> bool:
        """Add a rule of a kind that holds for what is taken; False where there is none."""
        rng, draft = self.rng, self.draft
        x, y = rng.sample(self.items, 2)
        a, b = self.taken[x.name], self.taken[y.name]
        if way in _OF_TWO and not self._is_new("two", (x, y)):
            return False
        slots = {**self.slots, "x": x.many, "y": y.many}
        if way in ("not both", "either", "one of two"):
            limits = {"not both": {"at_most": 1}, "either": {"at_least": 1}, "one of two": {"exactly": 1}}[way]
            if not {"not both": not (a and b), "either": a or b, "one of two": a != b}[way]:
                return False
            name = draft.add("count", of=[x.name, y.name], **limits)
            draft.derived[f"{name}.{next(iter(limits))}"] = "one, said by the words for two alternatives"
        elif way in ("implication", "implication not"):
            negated = way == "implication not"
            if (a != negated) and not b:
                return False
            name = draft.add("implication", when=f"not {x.name}" if negated else x.name, then=y.name)
        elif way == "equivalence":
            if a != b:
                return False
            name = draft.add("equivalence", of=[x.name, y.name])
        else:
            return self._counted(way)
        draft.say("rule", _RULES[way], slots, [name])
        return True

    def _counted(self, way: str) -> bool:
        rng, draft = self.rng, self.draft
        if len(self.items) < 3:
            return False
        of = (
            self.items if way.startswith("all") else rng.sample(self.items, rng.randint(3, max(3, len(self.items) - 1)))
        )
        if not self._is_new("all" if way.startswith("all") else "some", of):
            return False
        here = sum(self.taken[item.name] for item in of)
        side = {"all": "at_most", "all exactly": "exactly"}.get(way, way)
        number = {
            "at_most": max(1, rng.randint(here, max(here, len(of) - 1))),
            "at_least": rng.randint(1, max(1, here)),
            "exactly": here,
        }[side]
        if number >= len(of) or number == 0 or (side == "at_least" and here == 0):
            return False
        name = draft.add("count", of=[item.name for item in of], **{side: number})
        slots = {**self.slots, "xs": self.names(of), "n": draft.figure(number, f"{name}.{side}", "count")}
        draft.say("rule", _RULES[way], slots, [name])
        return True

    def _is_new(self, what: str, items: Sequence[Item]) -> bool:
        """Whether no rule spoke of these items yet."""
        subject = (what, frozenset(item.name for item in items))
        new = subject not in self.ruled
        self.ruled.add(subject)
        return new

    def rules(self, ways: Sequence[str], count: int) -> None:
        """Add so many rules of random kinds."""
        for _ in range(count):
            way = self.rng.choice(ways)
            any(self.rule(way) for _ in range(6))


_OF_TWO: Final = {"not both", "either", "one of two", "implication", "implication not", "equivalence"}
_LOGIC: Final = (
    "not both",
    "either",
    "one of two",
    "implication",
    "implication",
    "implication not",
    "equivalence",
    "at_most",
    "at_least",
    "exactly",
    "all",
)


def _project_selection(draft: Draft) -> None:
    found = _Choice(draft, _PROJECTS, 3 + draft.size)
    found.goal("maximize")
    for weight in found.setting.weights[: draft.rng.randint(1, 2)]:
        found.limit(weight)
    found.rules(_LOGIC, draft.size + 1)


def _knapsack(draft: Draft) -> None:
    found = _Choice(draft, _PACKING, 3 + draft.size)
    found.goal("maximize")
    found.limit(found.setting.weights[0])
    found.rules(("all", "not both"), draft.size - 1)


def _multiple_limits(draft: Draft) -> None:
    found = _Choice(draft, (*_PROJECTS, *_PACKING[1:]), 3 + draft.size)
    found.goal("maximize")
    for weight in found.setting.weights:
        found.limit(weight)
    found.rules(("all", "at_least"), draft.size - 1)


def _portfolio_rules(draft: Draft) -> None:
    found = _Choice(draft, _FUNDS, 3 + draft.size)
    found.goal("maximize")
    for weight in found.setting.weights[: draft.rng.randint(1, 2)]:
        found.limit(weight)
    found.rules(("at_most", "at_least", "exactly", "implication", "not both", "all"), draft.size + 2)


def _team(draft: Draft) -> None:
    found = _Choice(draft, _TEAMS, 4 + draft.size)
    found.goal("maximize")
    found.limit(found.setting.weights[0])
    any(found.rule("all exactly") for _ in range(4))
    found.rules(_LOGIC[:-1], draft.size)


def _set_packing(draft: Draft) -> None:
    found = _Choice(draft, (*_PROJECTS, *_PACKING), 4 + draft.size)
    found.goal("maximize")
    found.rules(("not both", "at_most"), draft.size + 3)
    if not draft.constraints:
        found.limit(found.setting.weights[0])


def _set_covering(draft: Draft) -> None:
    found = _Choice(draft, _SITES, 3 + draft.size)
    found.goal("minimize", found.setting.gain)
    rng = draft.rng
    names = []
    for district in rng.sample(_DISTRICTS, draft.size + 2):
        of = rng.sample(found.items, rng.randint(2, min(3, len(found.items))))
        name = draft.add("count", of=[item.name for item in of], at_least=1)
        names.append(name)
        slots = {**found.slots, "d": district, "xs": found.names(of), "xs_or": found.names(of, "or")}
        draft.say("data", _COVER, slots, [name])
    one = found.setting.group.removesuffix("s")
    figure = draft.figure(1, f"{names[0]}.at_least", "amount", *(f"{name}.at_least" for name in names[1:]))
    draft.say("rule", _COVERED, {**found.slots, "n": figure, "one": one})
    found.rules(("implication", "not both"), draft.size - 1) if rng.random() < 0.4 else None


GENERATORS: Final = (
    Generator("project_selection", _project_selection, weight=4.0),
    Generator("knapsack", _knapsack),
    Generator("multiple_knapsack", _multiple_limits),
    Generator("portfolio_rules", _portfolio_rules, weight=2.0),
    Generator("team_selection", _team),
    Generator("set_packing", _set_packing, held_out=True),
    Generator("set_covering", _set_covering),
)
"""The generators of this family."""
