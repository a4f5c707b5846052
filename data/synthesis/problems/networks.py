"""Problems between places: shipments, routes, flows, who does what, which depots to open."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Final

from data.synthesis.draft import Draft, Item
from data.synthesis.figures import spelled
from data.synthesis.marks import Actor
from data.synthesis.samples import Generator
from data.synthesis.scene import down, up
from data.synthesis.words import Listing, Noise, Said, Slot, Table

__all__ = ["GENERATORS"]

_TOWNS: Final = (
    "Leeds",
    "York",
    "Dover",
    "Bristol",
    "Lyon",
    "Turin",
    "Oslo",
    "Malmo",
    "Denver",
    "Tulsa",
    "Boise",
    "Omaha",
    "Quito",
    "Lima",
    "Osaka",
    "Kyoto",
    "Porto",
    "Sevilla",
    "Graz",
    "Basel",
    "Ghent",
    "Lille",
    "Krakow",
    "Brno",
)
_GOODS: Final = (
    ("pallet", "pallets", "a beverage company", "plant"),
    ("ton", "tons of grain", "a grain trader/he", "silo"),
    ("crate", "crates of fruit", "a fruit importer/she", "warehouse"),
    ("truckload", "truckloads", "a furniture chain", "depot"),
    ("barrel", "barrels", "an oil company", "refinery"),
    ("car", "cars", "a rental agency", "branch"),
    ("container", "containers", "Baltic Freight", "port"),
    ("ton", "tons of cement", "a cement producer", "quarry"),
)
_INTRO: Final = Table(
    "network intro",
    (
        "{A} <ships|sends|moves> {goods} from {sources} to {sinks}",
        "{A} has to <ship|send|move|transport> {goods} from {sources} to {sinks}",
        "{A} <runs|operates> a {place} in {sources} and <supplies|delivers to> customers in {sinks}",
        "{goods} have to be <shipped|moved|sent> from {sources} to {sinks} by {A}",
        "!from {sources}, {A} serves {sinks} with {goods}",
    ),
)
_COSTS: Final = Table(
    "network costs",
    (
        "<shipping|sending|moving> {one} <costs|comes at> {list}",
        "the cost <per|for each> {unit} is {list}",
        "it costs {list} to <ship|send|move> {one}",
        "!per {unit}, the tariff is {list}",
    ),
)
_SUPPLY: Final = Table(
    "network supply",
    (
        "<the {place} in|> {town} <can ship|can supply|has|can send out> <at most|no more than|up to> {n} {goods}",
        "<at most|no more than> {n} {goods} are available in {town}",
        "the supply in {town} is <at most|limited to> {n} {goods}",
        "!{town} cannot part with more than {n} {goods}",
    ),
)
_DEMAND: Final = Table(
    "network demand",
    (
        "{town} <needs|requires|must get|must receive> <at least|no fewer than> {n} {goods}",
        "the demand in {town} is at least {n} {goods}",
        "at least {n} {goods} <must|have to> <arrive in|be delivered to> {town}",
        "customers in {town} <want|ordered> at least {n} {goods}",
        "!{town} will not settle for fewer than {n} {goods}",
    ),
)
_ROAD: Final = Table(
    "network road",
    (
        "at most {n} {goods} can <go|be sent|travel> {x}",
        "no more than {n} {goods} <fit on the way|can be shipped> {x}",
        "{x}, the capacity is {n} {goods}",
        "!{n} {goods} fill the road {x}",
    ),
)
_HUB: Final = Table(
    "network hub",
    (
        "<all|everything> that <arrives in|is sent to> {town} <leaves it again|is sent on>",
        "nothing is <kept|stored|used> in {town}: what comes in goes out",
        "{town} only passes on what it gets",
        "!{town} is a mere stop on the way",
    ),
)
_MIN: Final = Table(
    "network goal",
    (
        "how many {goods} should be <shipped|sent> on each <route|connection> to <minimize|minimise> the total cost?",
        "<minimize|minimise> the <total|overall|shipping> cost",
        "{A} wants to <minimize|minimise> the total cost <|of all shipments>",
        "<find|determine> the cheapest <plan|way> to <ship|deliver> <the goods|everything>",
        "<formulate|set up> a model to minimize the <total|transportation> cost",
        "!which plan costs least?",
    ),
)


def _actor(text: str) -> Actor:
    words, _, pronoun = text.partition("/")
    head, _, rest = words.partition(" ")
    return Actor(words, f"the {rest}" if head in ("a", "an") else words, pronoun or "it")


class _Network:
    """Shipments between towns: a variable for each road, with a hidden plan."""

    def __init__(self, draft: Draft) -> None:
        self.draft, self.rng = draft, draft.rng
        self.unit, self.goods, actor, self.place = draft.rng.choice(_GOODS)
        draft.actor, draft.theme = _actor(actor), "network"
        self.domain = "continuous" if self.unit == "ton" else "integer"
        self.roads: dict[tuple[str, str], Item] = {}
        self.flow: dict[tuple[str, str], int] = {}

    @property
    def slots(self) -> dict[str, Slot]:
        article = "an" if self.unit[0] in "aeiou" else "a"
        return {
            "goods": self.goods,
            "unit": self.unit,
            "place": self.place,
            "one": f"{article} {self.unit}",
            "gg": "routes",
        }

    def road(self, a: str, b: str, flow: int, words: str = "from {a} to {b}") -> None:
        """Declare a road with what goes along it in the hidden plan."""
        self.roads[a, b] = self.draft.item(words.format(a=a, b=b), words.format(a=a, b=b), self.domain)
        self.flow[a, b] = flow

    def costs(self) -> None:
        """The objective, and the sentences that hold its costs: one sentence for each start, or one for all."""
        rng, draft = self.rng, self.draft
        terms = {item.name: Fraction(rng.randint(2, 40)) for item in self.roads.values()}
        draft.aim("minimize", terms)
        figures = draft.coefficients("objective", terms, "money")
        table = Table("", (rng.choice(("{n} {x}", "{n} {x}")),))
        starts = [list(found) for _, found in itertools.groupby(self.roads, key=lambda road: road[0])]
        for group in starts if len(self.roads) > 3 or rng.random() < 0.4 else [list(self.roads)]:
            parts = tuple(Said(table, {"n": figures[self.roads[r].name], "x": self.roads[r].many}) for r in group)
            draft.say("data", _COSTS, {**self.slots, "list": Listing(parts)})

    def sum_rule(self, roads: Sequence[tuple[str, str]], sense: str, limit: Fraction, table: Table, town: str) -> None:
        """A bound of what goes along some roads."""
        names = [self.roads[road].name for road in roads]
        if len(names) == 1:
            name = self.draft.add("bound", variable=names[0], sense=sense, limit=limit)
        else:
            name = self.draft.add("sum_bound", variables=names, sense=sense, limit=limit)
        figure = self.draft.figure(limit, f"{name}.limit", "count")
        self.draft.say("rule", table, {**self.slots, "town": town, "n": figure}, [name])

    def hub(self, town: str) -> None:
        """What comes in goes out."""
        inward = [item.name for (_, b), item in self.roads.items() if b == town]
        outward = [item.name for (a, _), item in self.roads.items() if a == town]
        name = self.draft.add("linear", row=f"{' + '.join(inward)} == {' + '.join(outward)}")
        self.draft.say("rule", _HUB, {**self.slots, "town": town}, [name])

    def limits(self, sources: Sequence[str], sinks: Sequence[str]) -> None:
        """Supplies and demands that the hidden plan keeps."""
        for town in sources:
            roads = [road for road in self.roads if road[0] == town]
            here = sum(self.flow[road] for road in roads)
            self.sum_rule(
                roads,
                "<=",
                max(Fraction(1), up(Fraction(here * self.rng.randint(100, 140), 100), self.rng)),
                _SUPPLY,
                town,
            )
        for town in sinks:
            roads = [road for road in self.roads if road[1] == town]
            here = sum(self.flow[road] for road in roads)
            self.sum_rule(roads, ">=", max(Fraction(1), down(here, self.rng)), _DEMAND, town)

    def intro(self, sources: Sequence[str], sinks: Sequence[str]) -> None:
        """Who ships what from where to where."""
        self.draft.words |= self.slots
        self.draft.say(
            "intro", _INTRO, {**self.slots, "sources": Listing(tuple(sources)), "sinks": Listing(tuple(sinks))}
        )

    def goal(self, table: Table = _MIN, statements: Sequence[str] = (), **slots: Slot) -> None:
        """How the objective is said."""
        self.draft.say("goal", table, {**self.slots, **slots}, statements)

    def capacities(self, count: int) -> None:
        """Bounds of some roads."""
        for road in self.rng.sample(list(self.roads), min(count, len(self.roads))):
            limit = up(self.flow[road] + self.rng.randint(1, 20), self.rng)
            name = self.draft.add("bound", variable=self.roads[road].name, sense="<=", limit=limit)
            figure = self.draft.figure(limit, f"{name}.limit", "count")
            self.draft.say("rule", _ROAD, {**self.slots, "x": self.roads[road].many, "n": figure}, [name])


def _transport(draft: Draft) -> None:
    found, rng = _Network(draft), draft.rng
    towns = rng.sample(_TOWNS, 2 + (draft.size > 2) + rng.randint(2, 2 + (draft.size > 1)))
    cut = 2 + (draft.size > 2)
    sources, sinks = towns[:cut], towns[cut:]
    found.intro(sources, sinks)
    for a, b in itertools.product(sources, sinks):
        found.road(a, b, rng.randint(1, 60))
    found.costs()
    found.limits(sources, sinks)
    found.capacities(rng.choice((0, 0, 1, 2)))
    found.goal()


def _transshipment(draft: Draft) -> None:
    found, rng = _Network(draft), draft.rng
    towns = rng.sample(_TOWNS, 5 + (draft.size > 2))
    hub, sources, sinks = towns[0], towns[1:3], towns[3:]
    found.intro(sources, sinks)
    amounts = [rng.randint(5, 60) for _ in sinks]
    first = rng.randint(1, sum(amounts) - 1)
    for town, amount in zip(sources, (first, sum(amounts) - first), strict=True):
        found.road(town, hub, amount)
    for town, amount in zip(sinks, amounts, strict=True):
        found.road(hub, town, amount)
    found.costs()
    found.hub(hub)
    found.limits(sources, sinks)
    found.goal()


def _network_flow(draft: Draft) -> None:
    """The cheapest way for a given amount through two layers of stops."""
    found, rng = _Network(draft), draft.rng
    start, end, *stops = rng.sample(_TOWNS, 4 + (draft.size > 2))
    found.intro([start], [end])
    flows = [rng.randint(5, 40) for _ in stops]
    for stop, flow in zip(stops, flows, strict=True):
        found.road(start, stop, flow)
    for stop, flow in zip(stops, flows, strict=True):
        found.road(stop, end, flow)
    found.costs()
    for stop in stops:
        found.hub(stop)
    roads = [road for road in found.roads if road[1] == end]
    found.sum_rule(roads, ">=", Fraction(sum(flows)), _DEMAND, end)
    found.capacities(rng.randint(1, 3))
    found.goal()


_MAX: Final = Table(
    "network most",
    (
        "how many {goods} can <reach|be brought to> {end} at most?",
        "<maximize|maximise> the number of {goods} that <arrive in|reach> {end}",
        "{A} wants to <bring|get> as many {goods} as possible to {end}",
        "!what is the most that can reach {end}?",
    ),
)


def _max_flow(draft: Draft) -> None:
    found, rng = _Network(draft), draft.rng
    start, end, *stops = rng.sample(_TOWNS, 4 + (draft.size > 2))
    found.intro([start], [end])
    for stop in stops:
        found.road(start, stop, rng.randint(5, 40))
    if rng.random() < 0.6:
        found.road(stops[0], stops[1], rng.randint(1, 9))
    for stop in stops:
        found.road(stop, end, rng.randint(5, 40))
    found.draft.aim("maximize", {item.name: 1 for (_, b), item in found.roads.items() if b == end})
    for stop in stops:
        found.hub(stop)
    found.capacities(len(found.roads))
    found.goal(_MAX, end=end)


_DISTANCES: Final = Table(
    "network distances",
    (
        "the <way|road|trip> {list}",
        "<driving|going> takes {list}",
        "the travel time is {list}",
    ),
)
_ROUTE: Final = Table(
    "network route",
    (
        "what is the <shortest|fastest> <way|route> from {start} to {end}?",
        "<find|determine> the <shortest|fastest> <way|route> from {start} to {end}",
        "{A} wants to get from {start} to {end} in as little time as possible",
        "!how does {A} get from {start} to {end} soonest?",
    ),
)
_TRIP: Final = Table(
    "network trip",
    (
        "{A} drives from {start} to {end} by way of {stops}",
        "{A} has to go from {start} to {end}<;|,> <and may pass|the road leads> through {stops}",
        "between {start} and {end} lie {stops}, <which|and all of these> {A} may pass",
    ),
)


def _shortest_path(draft: Draft) -> None:
    found, rng = _Network(draft), draft.rng
    found.domain = "binary"
    start, end, *stops = rng.sample(_TOWNS, 4 + (draft.size > 1) + (draft.size > 2))
    pairs = [(start, stop) for stop in stops] + list(itertools.pairwise(stops)) + [(stop, end) for stop in stops]
    for a, b in pairs:
        found.road(a, b, 0)
    draft.words |= found.slots
    draft.say("intro", _TRIP, {"start": start, "end": end, "stops": Listing(tuple(stops))})
    terms = {item.name: Fraction(rng.randint(2, 60)) for item in found.roads.values()}
    draft.aim("minimize", terms)
    figures = draft.coefficients("objective", terms)
    said = Table("", ("{n} minutes {x}",))
    takes = Table("", ("{x} takes {n} minutes",))
    for a in dict.fromkeys(road[0] for road in pairs):
        roads = [item for (b, _), item in found.roads.items() if b == a]
        table = rng.choice(_DISTANCES.wordings)
        form = takes if table.startswith("the <way") else said
        parts = tuple(Said(form, {"n": figures[item.name], "x": item.many}) for item in roads)
        draft.say("data", Table("network distances", (table,)), {**found.slots, "list": Listing(parts)})
    names = [
        draft.add("linear", row=f"{_total(found, pairs, 0, start)} == 1"),
        draft.add("linear", row=f"{_total(found, pairs, 1, end)} == 1"),
    ]
    names += [draft.add("linear", row=f"{_total(found, pairs, 1, s)} == {_total(found, pairs, 0, s)}") for s in stops]
    draft.derived |= {f"{name}.row": "one way, said by asking for a route" for name in names[:2]}
    found.goal(_ROUTE, names, start=start, end=end)


def _total(found: _Network, pairs: Sequence[tuple[str, str]], side: int, town: str) -> str:
    return " + ".join(found.roads[road].name for road in pairs if road[side] == town)


_WORKERS: Final = ("Anna", "Boris", "Clara", "David", "Erika", "Felix", "Greta", "Hugo")
_JOBS: Final = ("welding", "painting", "wiring", "plumbing", "tiling", "roofing", "plastering")
_PEOPLE: Final = Table(
    "assignment intro",
    (
        "{A} has <workers|people> for {k} jobs: {jobs}",
        "{A} must <assign|give> {jobs} to {people}",
        "{people} work for {A}, <and|who> must have {jobs} done",
        "!{jobs} are to be shared out among {people} by {A}",
    ),
)
_HOURS: Final = Table(
    "assignment costs",
    (
        "{list}",
        "the <time|hours> needed are as follows: {list}",
        "the cost is counted in hours: {list}",
    ),
)
_EACH_ONE: Final = Table(
    "assignment each",
    (
        "every job is done by exactly {n} person and every person does at most {m} job",
        "each job needs exactly {n} person, and nobody does more than {m} job",
        "!exactly {n} person goes to each job, and no person to more than {m} job",
    ),
)
_LEAST: Final = Table(
    "assignment goal",
    (
        "how should the jobs be <assigned|given out> to <minimize|minimise> the total <time|number of hours>?",
        "<minimize|minimise> the total <time|number of hours>",
        "{A} wants to <minimize|minimise> the total time",
        "!who should do what for the least time?",
    ),
)


def _assignment(draft: Draft) -> None:
    rng = draft.rng
    draft.actor, draft.theme = (
        _actor(rng.choice(("a contractor/she", "a repair shop", "a builder/he", "Hammer & Nail"))),
        "assignment",
    )
    count = 2 + (draft.size > 2)
    people, jobs = rng.sample(_WORKERS, count + rng.randint(0, 1)), rng.sample(_JOBS, count)
    does = {(p, j): draft.item(f"{p} for {j}", f"{p} for {j}", "binary") for p in people for j in jobs}
    terms = {item.name: Fraction(rng.randint(1, 24)) for item in does.values()}
    draft.aim("minimize", terms)
    figures = draft.coefficients("objective", terms)
    slots: Mapping[str, Slot] = {"jobs": Listing(tuple(jobs)), "people": Listing(tuple(people)), "gg": "jobs"}
    draft.words |= slots
    draft.say("intro", _PEOPLE, {**slots, "k": Noise(spelled(count), "how many jobs there are")})
    form = Table("", (rng.choice(("{n} hours {x}", "{n} hours with {x}")),))
    told = Table("", (rng.choice(("choosing {x} takes {n} hours", "{x} means {n} hours of work")),))
    for person in people:
        style = rng.random() < 0.5
        parts = tuple(
            Said(told if style else form, {"n": figures[does[person, j].name], "x": does[person, j].many}) for j in jobs
        )
        place = 0 if style else rng.choice((1, 2))
        draft.say("data", Table("assignment costs", (_HOURS.wordings[place],)), {"list": Listing(parts)})
    by_job = [draft.add("count", of=[does[p, j].name for p in people], exactly=1) for j in jobs]
    by_person = [draft.add("count", of=[does[p, j].name for j in jobs], at_most=1) for p in people]
    n = draft.figure(1, f"{by_job[0]}.exactly", "amount", *(f"{c}.exactly" for c in by_job[1:]))
    m = draft.figure(1, f"{by_person[0]}.at_most", "amount", *(f"{c}.at_most" for c in by_person[1:]))
    draft.say("rule", _EACH_ONE, {"n": n, "m": m}, [*by_job, *by_person])
    draft.say("goal", _LEAST, draft.words)


_OPENING: Final = Table(
    "location opening",
    (
        "opening a <depot|warehouse> {x} costs {n}",
        "a <depot|warehouse> {x} can be opened for {n}",
        "the fixed cost of a <depot|warehouse> {x} is {n}",
        "!whoever wants a depot {x} pays {n} for it",
    ),
)
_HANDLES: Final = Table(
    "location capacity",
    (
        "if it is open, the depot {x} can handle at most {n} {goods}",
        "an open depot {x} <handles|serves> up to {n} {goods}",
        "no more than {n} {goods} can leave the depot {x}, and none if it is closed",
        "!the depot {x}, once open, is good for {n} {goods}",
    ),
)


def _facility_location(draft: Draft) -> None:
    found, rng = _Network(draft), draft.rng
    towns = rng.sample(_TOWNS, 4 + (draft.size > 2))
    depots, sinks = towns[: 2 + (draft.size > 3)], towns[2 + (draft.size > 3) :]
    found.intro(depots, sinks)
    opens = {town: draft.item(f"in {town}", f"in {town}", "binary") for town in depots}
    for a, b in itertools.product(depots, sinks):
        found.road(a, b, rng.randint(1, 40))
    found.costs()
    fixed = {item.name: down(rng.randint(200, 4000), rng) for item in opens.values()}
    draft.aim("minimize", {name: Fraction(str(v)) for name, v in draft.objective["terms"].items()} | fixed)
    figures = draft.coefficients("objective", fixed, "money")
    for town, item in opens.items():
        draft.say("data", _OPENING, {"x": item.many, "n": figures[item.name]})
        leaving = [found.roads[road].name for road in found.roads if road[0] == town]
        capacity = up(
            sum(found.flow[road] for road in found.roads if road[0] == town) * Fraction(rng.randint(100, 200), 100), rng
        )
        name = draft.add("linear", row=f"{capacity}*{item.name} - {' - '.join(leaving)} >= 0")
        figure = draft.figure(capacity, f"{name}.row['{item.name}']", "count")
        draft.say("rule", _HANDLES, {**found.slots, "x": item.many, "n": figure}, [name])
    found.limits([], sinks)
    found.goal()


GENERATORS: Final = (
    Generator("transport", _transport),
    Generator("transshipment", _transshipment, held_out=True),
    Generator("network_flow", _network_flow),
    Generator("max_flow", _max_flow),
    Generator("shortest_path", _shortest_path),
    Generator("assignment", _assignment),
    Generator("facility_location", _facility_location),
)
"""The generators of this family."""
