"""From a draft to its text: sentences are chosen, joined, ordered, and filled up with what readers pass over."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Final

from data.synthesis.draft import Block, Draft, Item, Use, several, singular
from data.synthesis.figures import Figure
from data.synthesis.marks import finish, mark, plain
from data.synthesis.tables import TABLES
from data.synthesis.words import Noise, Said, Slot, Table, Writer, listed

__all__ = ["compose"]

_PLURALS: Final = {"has": "have", "can carry": "can carry"}
_MONEY: Final = ("earn", "pay", "rate")
_JOINTS: Final = (", and ", ", and ", "; ", ", while ", ", but ", " and ")


def compose(draft: Draft, writer: Writer) -> str:
    """The marked text of a draft."""
    rng = writer.rng
    goal = next(block for block in draft.blocks if block.role == "goal")
    intro = [block for block in draft.blocks if block.role == "intro"]
    ending, data = _told(draft, goal, writer)
    rules = _rules([block for block in draft.blocks if block.role == "rule"], writer)
    data += [_marked(block, writer) for block in draft.blocks if block.role == "data"]
    opening: list[str] = []
    if ending is None:
        luck = rng.random()
        if luck < 0.12 and intro and draft.uses and "xs_bare" in draft.words:
            words = draft.words | {"xs": draft.words["xs_bare"]}
            opening = [mark(writer.say(Said(TABLES["intro goal"], words)), "objective", *goal.statements)]
            intro = []
        elif luck < 0.28 and goal.said.table.name.startswith("goal"):
            opening = [mark(writer.say(Said(TABLES["goal first"], goal.said.slots)), "objective", *goal.statements)]
        else:
            ending = mark(writer.say(goal.said), "objective", *goal.statements)
    first = [_marked(block, writer) for block in intro]
    if rng.random() < 0.08 and data:
        first, data = [], [*first, *data]
    body = _ordered(data, rules, rng)
    for noise in _noise(draft, writer):
        body.insert(rng.randint(0, len(body)), noise)
    return finish([*first, *opening, *body, *([ending] if ending else [])], draft.actor, rng)


def _marked(block: Block, writer: Writer) -> str:
    return mark(writer.say(block.said), *block.statements)


def _ordered(data: list[str], rules: list[str], rng: random.Random) -> list[str]:
    luck = rng.random()
    if luck < 0.62:
        return data + rules
    if luck < 0.82:
        return rules + data
    if luck < 0.96:
        # Some rules before the data and some between them; what belongs together stays together.
        first, place = rng.randint(0, len(rules)), rng.randint(0, len(data))
        return data[:place] + rules[:first] + data[place:] + rules[first:]
    mixed = data + rules
    rng.shuffle(mixed)
    return mixed


def _rules(blocks: Sequence[Block], writer: Writer) -> list[str]:
    """Sentences of the rules: in any order, some with a reason or a link, some two in one sentence."""
    rng = writer.rng
    clauses = [_marked(block, writer) for block in blocks]
    if rng.random() < 0.75:
        rng.shuffle(clauses)
    sentences: list[str] = []
    while clauses:
        clause = clauses.pop(0)
        alone = ". " in plain(clause)
        if clauses and not alone and ". " not in plain(clauses[0]) and rng.random() < 0.2:
            clause += rng.choice(_JOINTS) + clauses.pop(0)
        luck = rng.random()
        if luck < 0.17 and not alone:
            clause = f"{writer.say(Said(TABLES['reason']))}, {clause}"
        elif luck < 0.36 and sentences:
            clause = f"{writer.say(Said(TABLES['link']))}, {clause}"
        sentences.append(clause)
    return sentences


def _noise(draft: Draft, writer: Writer) -> list[str]:
    rng = writer.rng
    found: list[str] = []
    if rng.random() < 0.2:
        for _ in range(rng.choice((1, 1, 2))):
            numbers: dict[str, Slot] = {
                "year": Noise(str(rng.randint(1950, 2023)), "a year"),
                "few": Noise(rng.choice((str(rng.randint(2, 30)), "two", "three", "four", "five")), "background"),
                "lots": Noise(f"{rng.randint(1, 90)},{rng.randint(0, 9)}00", "background"),
            }
            one = writer.say(Said(TABLES["noise"], numbers))
            if not any(plain(one)[-12:] == plain(other)[-12:] for other in found):
                found.append(one)
    if rng.random() < 0.15:
        found.append(writer.say(Said(TABLES["filler"], draft.words | {"g": draft.words.get("gg", "plans")})))
    return found


# ---- what one unit takes or gives ------------------------------------------------------------------------------------


def _told(draft: Draft, goal: Block, writer: Writer) -> tuple[str | None, list[str]]:
    """The objective's sentence where it holds its own data (`If the profit per ..., how many ...`), and all others."""
    rng = writer.rng
    uses = list(draft.uses)
    ending = None
    money = [use for use in uses if use.kind in _MONEY and _is_goal(use)]
    if money and goal.said.table.name == "goal" and rng.random() < 0.3:
        uses.remove(money[0])
        data = listed(_each(money[0], draft, writer), oxford=writer.oxford)
        ending = mark(writer.say(Said(TABLES["goal if"], {**goal.said.slots, "data": data})), "objective")
    sentences: list[str] = []
    if not uses:
        return ending, sentences
    apart = [use for use in uses if use.kind in _MONEY and rng.random() < 0.55]
    joined = [use for use in uses if use not in apart]
    if rng.random() < 0.5:
        rng.shuffle(joined)
    if (len(joined) > 1 and rng.random() < 0.72) or (joined and rng.random() < 0.4):
        sentences += _by_item(joined, draft, writer)
    else:
        for use in joined:
            sentences += _by_attribute(use, draft, writer)
    for use in apart:
        told = _by_attribute(use, draft, writer) if rng.random() < 0.3 else _joined(_each(use, draft, writer), writer)
        sentences = sentences + told if rng.random() < 0.7 else told + sentences
    return ending, sentences


def _is_goal(use: Use) -> bool:
    return all(key.startswith("objective.") for figure in use.figures.values() for key in figure.keys)


def _amount(use: Use, figure: Figure, writer: Writer) -> str:
    number = writer.slot(figure)
    if use.kind in _MONEY:
        return number
    unit = singular(use.unit) if figure.value == 1 else use.unit
    return f"{number} {unit} of {use.stuff}" if unit else f"{number} {use.stuff}"


def _verb(use: Use, writer: Writer) -> str:
    return writer.rng.choice(use.verbs)


def _plural(verb: str) -> str:
    head, _, rest = verb.partition(" ")
    if verb in _PLURALS:
        return _PLURALS[verb]
    if head.endswith("ies"):
        head = head[:-3] + "y"
    else:
        head = head[:-2] if head.endswith(("ches", "shes", "sses")) else head.removesuffix("s")
    return f"{head} {rest}".strip()


def _clauses(use_list: Sequence[Use], item: Item, writer: Writer) -> list[str]:
    """`requires 2 hours of labor`, `3 kg of wood`, `costs $5`: a verb is said once where it stays the same."""
    found: list[tuple[str, list[str]]] = []
    for use in use_list:
        figure = use.figures.get(item.name)
        if figure is None:
            continue
        amount = _amount(use, figure, writer)
        if use.kind == "pay":
            verb, amount = ("costs", amount) if "cost" in use.stuff else ("has", f"{use.stuff} of {amount}")
        elif use.kind in ("earn", "rate"):
            verb = writer.rng.choice(("yields", "brings", "earns"))
            amount = writer.rng.choice((f"\ue004 {use.stuff} of {amount}", f"{amount} in {use.stuff}"))
            if use.kind == "rate":
                verb, amount = (
                    "has",
                    amount if " in " not in plain(amount) else f"\ue004 {use.stuff} of {amount.split(' in ')[0]}",
                )
        else:
            verb = _verb(use, writer)
        if found and found[-1][0] == verb:
            found[-1][1].append(amount)
        else:
            found.append((verb, [amount]))
    return [f"{verb} {listed(amounts, oxford=writer.oxford)}" for verb, amounts in found]


def _by_item(uses: Sequence[Use], draft: Draft, writer: Writer) -> list[str]:
    """A sentence for each item, with all that it takes and gives."""
    table, items = TABLES["data named" if draft.named else "data item"], draft.items
    sentences = []
    for item in items:
        clauses = _clauses(uses, item, writer)
        if not clauses:
            continue
        slots: dict[str, Slot] = {
            "x1": item.one,
            "x": item.many,
            "uses": listed(clauses, oxford=writer.oxford),
        }
        sentences.append(writer.say(Said(table, slots)))
    if len(sentences) == 2 and writer.rng.random() < 0.25:
        return [f"{sentences[0]}{writer.rng.choice((', while ', ', whereas ', ', and '))}{sentences[1]}"]
    return sentences


def _each(use: Use, draft: Draft, writer: Writer) -> list[str]:
    """A clause for each item: `the profit per chair is $5`."""
    table = {"earn": "profit each", "pay": "cost each", "rate": "return each"}.get(use.kind)
    found = []
    wording = None
    if table is not None and draft.named:
        table += " named"
    for item in draft.items:
        figure = use.figures.get(item.name)
        if figure is None:
            continue
        if table is None:
            subject = item.one if draft.named else f"each {item.one}"
            found.append(f"{subject} {_verb(use, writer)} {_amount(use, figure, writer)}")
            continue
        if wording is None or writer.rng.random() < 0.15:
            wording = writer.wording(TABLES[table])
        slots: dict[str, Slot] = {"x1": item.one, "x": item.many, "x_": item.bare, "a": figure, "stuff": use.stuff}
        found.append(writer.fill(wording, slots))
    return found


def _joined(clauses: list[str], writer: Writer) -> list[str]:
    """Clauses as one sentence or as several."""
    if len(clauses) > 3 or writer.rng.random() < 0.3:
        return clauses
    return [
        listed(
            clauses, writer.rng.choice(("and", "and", "while")) if len(clauses) == 2 else "and", oxford=writer.oxford
        )
    ]


def _by_attribute(use: Use, draft: Draft, writer: Writer) -> list[str]:
    """What each item takes or gives of one thing."""
    there = [item for item in draft.items if item.name in use.figures]
    if use.kind in _MONEY:
        if use.kind == "pay" and len(there) > 1 and writer.rng.random() < 0.5 and "cost" in use.stuff:
            numbers = listed([writer.slot(use.figures[i.name]) for i in there], oxford=writer.oxford)
            names = several(there, oxford=writer.oxford)
            return [
                writer.say(
                    Said(Table("cost respectively", _RESPECTIVELY), {"xs": names, "ns": numbers, "stuff": use.stuff})
                )
            ]
        return _joined(_each(use, draft, writer), writer)
    verb = _verb(use, writer)
    if len(there) == 2 and not draft.named and writer.rng.random() < 0.75:
        x, y = there
        slots: dict[str, Slot] = {
            "x": x.many,
            "y": y.many,
            "x1": x.one,
            "y1": y.one,
            "use": verb,
            "plural_use": _plural(verb),
            "stuff": use.stuff,
            "a": _amount(use, use.figures[x.name], writer),
            "b": _amount(use, use.figures[y.name], writer),
        }
        return [writer.say(Said(TABLES["data attribute"], slots))]
    if len(there) > 1 and writer.rng.random() < 0.45:
        numbers = listed([writer.slot(use.figures[i.name]) for i in there], oxford=writer.oxford)
        tail = f" {use.unit} of {use.stuff}" if use.unit else f" {use.stuff}"
        slots = {
            "xs": several(there, oxford=writer.oxford),
            "xs1": listed([i.one for i in there], oxford=writer.oxford),
            "ns": numbers + tail,
            "use": verb,
            "plural_use": _plural(verb),
        }
        return [writer.say(Said(TABLES["data respectively"], slots))]
    return _joined(_each(use, draft, writer), writer)


_RESPECTIVELY: Final = (
    "{xs} cost {ns}<,|> respectively",
    "the {stuff} of {xs} <is|comes to> {ns}<,|> respectively",
    "!{ns} are what {xs} cost, in this order",
)
