"""Problems in time: production with stock, shifts that overlap, jobs on a machine, steps of a project."""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import Final

from data.synthesis.draft import Draft, Item
from data.synthesis.figures import Figure, spelled
from data.synthesis.marks import Actor
from data.synthesis.samples import Generator
from data.synthesis.scene import down, up
from data.synthesis.words import Listing, Noise, Said, Slot, Table

__all__ = ["GENERATORS"]

_PERIODS: Final = (
    ("January", "February", "March", "April", "May", "June"),
    ("the first week", "the second week", "the third week", "the fourth week", "the fifth week"),
    ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday"),
    ("spring", "summer", "fall", "winter"),
)
_MAKERS: Final = (
    (Actor("a boat builder", "the boat builder", "he"), "boats", "boat"),
    (Actor("a pump factory", "the pump factory"), "pumps", "pump"),
    (Actor("Lumen Lamps", "Lumen Lamps"), "lamps", "lamp"),
    (Actor("a drum maker", "the drum maker", "she"), "drums", "drum"),
    (Actor("a heater company", "the heater company"), "heaters", "heater"),
    (Actor("a helmet factory", "the helmet factory"), "helmets", "helmet"),
)
_DEMAND: Final = Table(
    "periods demand",
    (
        "the demand is {list}",
        "customers <want|ordered|will buy> {list}",
        "{A} must deliver {list}",
        "deliveries of {list} <have been promised|are due>",
        "!what has to leave the house is {list}",
    ),
)
_COST: Final = Table(
    "periods cost",
    (
        "making {one} {good} costs {list}",
        "the production cost <per {good}|of {one} {good}> is {list}",
        "it costs {list} to make {one} {good}",
    ),
)
_SAME_COST: Final = Table(
    "periods same cost",
    (
        "every {good} costs {n} to make",
        "the production cost per {good} is {n}",
        "making a {good} always costs {n}",
    ),
)
_HOLDING: Final = Table(
    "periods holding",
    (
        "keeping a {good} in stock until the next period costs {n}",
        "each {good} that is left over at the end of a period costs {n} to store",
        "storage costs {n} per {good} and period",
        "!a {good} in stock eats up {n} per period",
    ),
)
_START: Final = Table(
    "periods start",
    (
        "there is no stock at the beginning",
        "the warehouse is empty at first",
        "{A} starts without any {goods} in stock",
    ),
)
_STOCK: Final = Table(
    "periods stock",
    (
        "the stock is counted {stocks}, and what is not delivered is kept",
        "what is not delivered goes into the stock {stocks}",
        "leftover {goods} make up the stock {stocks}",
    ),
)
_CAPACITY: Final = Table(
    "periods capacity",
    (
        "at most {n} {goods} can be made in any period",
        "{A} can make at most {n} {goods} per period",
        "the capacity is {n} {goods} in each period",
        "!no period sees more than {n} {goods} made",
    ),
)
_SETUP: Final = Table(
    "periods setup",
    (
        "a setup cost of {n} is paid in every period in which any {goods} are made",
        "whenever {goods} are made in a period, {n} must be paid for the setup",
        "setting up the production costs {n} in each period with production",
        "!a period with production costs {n} extra",
    ),
)
_GOAL: Final = Table(
    "periods goal",
    (
        "<minimize|minimise> the total cost",
        "how many {goods} should be made in each period to <minimize|minimise> the total cost?",
        "{A} wants to <minimize|minimise> <the total cost|all costs together>",
        "<find|determine> the cheapest production plan",
        "!which plan is the cheapest?",
    ),
)


def _noise(count: int, why: str) -> Noise:
    return Noise(spelled(count), why)


def _planned(draft: Draft, *, setup: bool) -> None:
    rng = draft.rng
    actor, goods, good = rng.choice(_MAKERS)
    draft.actor, draft.theme = actor, "periods"
    names = rng.choice(_PERIODS)[: 2 + min(draft.size, 2) + (draft.size > 3)]
    at = "on" if names[0].endswith("day") else "in"
    make = [draft.item(f"production {at} {p}", f"production {at} {p}", "integer") for p in names]
    stock = [draft.item(f"at the end of {p}", f"at the end of {p}", "integer") for p in names[:-1]]
    slots: dict[str, Slot] = {
        "goods": goods,
        "good": good,
        "gg": goods,
        "periods": Listing(tuple(i.many for i in make)),
        "stocks": Listing(tuple(i.many for i in stock)),
    }
    draft.words |= slots
    draft.say("intro", _PERIOD_INTRO, slots)
    needs = [Fraction(down(rng.randint(10, 120), rng)) for _ in names]
    same = rng.random() < 0.5
    costs = [Fraction(rng.randint(5, 80))] * len(names) if same else [Fraction(rng.randint(5, 80)) for _ in names]
    holding = Fraction(rng.randint(1, 9))
    terms = {i.name: c for i, c in zip(make, costs, strict=True)} | {i.name: holding for i in stock}
    draft.aim("minimize", terms)
    keys = {name: f"objective.terms['{name}']" for name in terms}
    if same:
        figure = Figure(costs[0], tuple(keys[i.name] for i in make), "money")
        draft.say("data", _SAME_COST, {**slots, "n": figure})
    else:
        parts = tuple(
            Said(_AT, {"n": Figure(c, (keys[i.name],), "money"), "p": f"{at} {p}"})
            for i, c, p in zip(make, costs, names, strict=True)
        )
        draft.say("data", _COST, {**slots, "list": Listing(parts)})
    draft.say("data", _HOLDING, {**slots, "n": Figure(holding, tuple(keys[i.name] for i in stock), "money")})
    balances = []
    for t, item in enumerate(make):
        before = f" + {stock[t - 1].name}" if t else ""
        after = f" - {stock[t].name}" if t < len(stock) else ""
        balances.append(draft.add("linear", row=f"{item.name}{before}{after} == {needs[t]}"))
    parts = tuple(
        Said(_AT, {"n": Figure(need, (f"{name}.row",), "count"), "p": f"{at} {p}"})
        for need, name, p in zip(needs, balances, names, strict=True)
    )
    draft.say("data", _DEMAND, {**slots, "list": Listing(parts)}, balances)
    draft.say("data", _STOCK, slots)
    draft.say("rule", _START, slots)
    mean = sum(needs, Fraction(0)) / len(needs)
    capacity = up(max(max(needs), mean) * Fraction(rng.randint(100, 150), 100), rng)
    bounds = [draft.add("bound", variable=item.name, sense="<=", limit=capacity) for item in make]
    draft.say("rule", _CAPACITY, {**slots, "n": Figure(capacity, tuple(f"{b}.limit" for b in bounds), "count")}, bounds)
    if setup:
        charge = down(rng.randint(50, 2000), rng)
        charges = [draft.add("fixed_charge", variable=item.name, charge=charge) for item in make]
        draft.say(
            "rule", _SETUP, {**slots, "n": Figure(charge, tuple(f"{c}.charge" for c in charges), "money")}, charges
        )
    draft.say("goal", _GOAL, slots)


_AT: Final = Table("", ("{n} {p}",))
_PERIOD_INTRO: Final = Table(
    "periods intro",
    (
        "{A} <plans|has to plan> the {periods} of {goods}",
        "{A} makes {goods} and must fix the {periods}",
        "{A} <wants|needs> to decide on the {periods}, counted in {goods}",
        "!as a maker of {goods}, {A} is about to settle the {periods}",
    ),
)

_BLOCKS: Final = ("early morning", "morning", "midday", "afternoon", "evening", "late evening", "night")
_CREWS: Final = (
    (Actor("a hospital", "the hospital"), "nurses"),
    (Actor("a call center", "the call center"), "agents"),
    (Actor("a bus company", "the bus company"), "drivers"),
    (Actor("a restaurant", "the restaurant"), "waiters"),
    (Actor("an airport", "the airport"), "officers"),
    (Actor("a hotel", "the hotel"), "receptionists"),
)
_SHIFT_INTRO: Final = Table(
    "shifts intro",
    (
        "{A} has {crew} who can start with {shifts}",
        "the {crew} of {A} begin their work with {shifts}",
        "at {A}, {crew} may come in for {shifts}",
        "!{shifts} are when the {crew} of {A} may begin",
    ),
)
_LASTS: Final = Table(
    "shifts length",
    (
        "everyone stays for {k} shifts in a row: the shift with which the work begins and the next",
        "each of the {crew} works {k} consecutive shifts",
        "a working day is {k} shifts long, without a break between them",
        "!nobody leaves before {k} shifts in a row are over",
    ),
)
_NEED: Final = Table(
    "shifts need",
    (
        "at least {list} are needed",
        "<the plan|the law|experience> calls for at least {list}",
        "there must be at least {list}",
        "!less than {list} will not do",
    ),
)
_FEWEST: Final = Table(
    "shifts goal",
    (
        "<minimize|minimise> the <total|> number of {crew}",
        "how many {crew} should start with each shift so that as few as possible are needed?",
        "{A} wants to get by with as few {crew} as possible",
        "!what is the smallest staff that will do?",
    ),
)
_PAID: Final = Table(
    "shifts pay",
    (
        "{list} is paid to <each|everyone>",
        "the wage is {list}",
        "a worker costs {list}",
    ),
)
_CHEAP: Final = Table(
    "shifts cheap", ("<minimize|minimise> the total wages", "{A} wants to <minimize|minimise> the wage bill")
)


def _shifts(draft: Draft) -> None:
    rng = draft.rng
    draft.actor, crew = rng.choice(_CREWS)
    draft.theme = "shifts"
    first = rng.randint(0, len(_BLOCKS) - 3 - draft.size) if draft.size < 4 else 0
    names = _BLOCKS[first : first + 3 + draft.size]
    start = [draft.item(f"the {name} shift", f"the {name} shift", "integer") for name in names[:-1]]
    slots: dict[str, Slot] = {
        "crew": crew,
        "gg": "shifts",
        "k": Noise("two", "how many shifts one works"),
        "shifts": Listing(tuple(item.many for item in start), "or"),
    }
    draft.words |= slots
    draft.say("intro", _SHIFT_INTRO, slots)
    draft.say("data", _LASTS, slots)
    needs, ids = [rng.randint(2, 30) for _ in names], []
    for t in range(len(names)):
        there = [start[i].name for i in (t - 1, t) if 0 <= i < len(start)]
        if len(there) == 1:
            ids.append(draft.add("bound", variable=there[0], sense=">=", limit=needs[t]))
        else:
            ids.append(draft.add("sum_bound", variables=there, sense=">=", limit=needs[t]))
    parts = tuple(
        Said(
            Table("", ("{n} in the {name} shift" if i else "{n} {crew} in the {name} shift",)),
            {"n": draft.figure(need, f"{c}.limit", "count"), "name": name, "crew": crew},
        )
        for i, (need, c, name) in enumerate(zip(needs, ids, names, strict=True))
    )
    draft.say("data", _NEED, {**slots, "list": Listing(parts)}, ids)
    if rng.random() < 0.5:
        draft.aim("minimize", {item.name: 1 for item in start})
        draft.say("goal", _FEWEST, slots)
        return
    wages = {item.name: Fraction(rng.randint(60, 200)) for item in start}
    draft.aim("minimize", wages)
    figures = draft.coefficients("objective", wages, "money")
    parts = tuple(
        Said(Table("", ("{n} for those who start with {x}",)), {"n": figures[i.name], "x": i.many}) for i in start
    )
    draft.say("data", _PAID, {"list": Listing(parts)})
    draft.say("goal", _CHEAP, slots)


_STEPS: Final = (
    "cutting",
    "drilling",
    "polishing",
    "painting",
    "packing",
    "testing",
    "welding",
    "sanding",
    "mixing",
    "labeling",
)
_SHOPS: Final = (
    Actor("a workshop", "the workshop"),
    Actor("a print shop", "the print shop"),
    Actor("a mechanic", "the mechanic", "she"),
    Actor("Ridge Tools", "Ridge Tools"),
)
_TASKS: Final = Table(
    "jobs intro",
    (
        "{A} has to plan {k} <jobs|steps>: {jobs}",
        "the <jobs|tasks> of {A} are {jobs}",
        "{A} must get {jobs} done",
        "!{jobs}: these are to be timed by {A}",
    ),
)
_TAKES: Final = Table(
    "jobs times",
    (
        "{list}",
        "the times are as follows: {list}",
        "!by the clock, {list}",
    ),
)
_ALONE: Final = Table(
    "jobs one machine",
    (
        "{x} and {y} need the same machine, so they cannot overlap",
        "{x} and {y} cannot <run|be done> at the same time",
        "only {one} of {x} and {y} can be under way at a time",
        "!{x} and {y} never run side by side",
    ),
)
_BEFORE: Final = Table(
    "jobs before",
    (
        "{x} must be finished before {y} can start",
        "{y} can only start once {x} is done",
        "{y} has to wait until {x} is finished",
        "{x} comes before {y}",
        "!{y} hinges on {x} being over",
    ),
)
_LATEST: Final = Table(
    "jobs latest",
    (
        "no job may start later than {n} hours after the beginning",
        "every job must start within the first {n} hours",
        "all jobs have to start at most {n} hours after the beginning",
        "!{n} hours in, every job has to be under way or over",
    ),
)
_SOON: Final = Table(
    "jobs goal",
    (
        "when should each job start so that everything is finished as early as possible?",
        "{A} wants everything to be finished as early as possible",
        "<minimize|minimise> the time until <everything|the last job> is finished",
        "!what is the earliest end?",
    ),
)


def _timed(draft: Draft, *, machine: bool) -> None:
    rng = draft.rng
    draft.actor, draft.theme = rng.choice(_SHOPS), "jobs"
    words = rng.sample(_STEPS, 2 + draft.size)
    jobs = [draft.item(word, word, "continuous") for word in words]
    takes = [Fraction(rng.randint(1, 16)) for _ in jobs]
    slots: dict[str, Slot] = {
        "jobs": Listing(tuple(j.many for j in jobs)),
        "gg": "jobs",
        "k": _noise(len(jobs), "how many jobs there are"),
    }
    draft.words |= slots
    draft.say("intro", _TASKS, slots)
    keys: dict[str, list[str]] = {j.name: [f"objective.of[{i}]"] for i, j in enumerate(jobs)}
    draft.objective = {
        "kind": "worst_case",
        "sense": "minimize",
        "of": [f"{j.name} + {d}" for j, d in zip(jobs, takes, strict=True)],
    }
    time = {j.name: d for j, d in zip(jobs, takes, strict=True)}
    order: list[tuple[Item, Item]] = list(itertools.pairwise(jobs))
    alone = rng.sample(order, max(1, len(order) // 2)) if machine else []
    for x, y in alone:
        name = draft.add("no_overlap", starts=[x.name, y.name], durations=[time[x.name], time[y.name]])
        keys[x.name].append(f"{name}.durations[0]")
        keys[y.name].append(f"{name}.durations[1]")
        draft.say("rule", _ALONE, {"x": x.many, "y": y.many}, [name])
    more = [
        (x, y)
        for x, y in itertools.combinations(jobs, 2)
        if (x, y) not in alone and (not machine or (x, y) not in order)
    ]
    for x, y in rng.sample(more, min(len(more), draft.size + (not machine))):
        name = draft.add("precedence", before=x.name, after=y.name, duration=time[x.name])
        keys[x.name].append(f"{name}.duration")
        draft.say("rule", _BEFORE, {"x": x.many, "y": y.many}, [name])
    parts = tuple(
        Said(Table("", ("{x} takes {n} hours",)), {"x": j.many, "n": Figure(d, tuple(keys[j.name]), "amount")})
        for j, d in zip(jobs, takes, strict=True)
    )
    draft.say("data", _TAKES, {"list": Listing(parts)})
    if machine:
        latest = up(sum(takes, Fraction(0)), rng)
        ids = [draft.add("bound", variable=j.name, sense="<=", limit=latest) for j in jobs]
        draft.say("rule", _LATEST, {"n": Figure(latest, tuple(f"{c}.limit" for c in ids), "count")}, ids)
    draft.say("goal", _SOON, slots)


GENERATORS: Final = (
    Generator("lot_sizing", lambda draft: _planned(draft, setup=True)),
    Generator("production_planning", lambda draft: _planned(draft, setup=False)),
    Generator("shift_staffing", _shifts),
    Generator("machine_scheduling", lambda draft: _timed(draft, machine=True)),
    Generator("project_network", lambda draft: _timed(draft, machine=False), held_out=True),
)
"""The generators of this family."""
