"""Uses: what one unit of each variable takes, gives or costs, gathered by what is taken."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from formulation.reading.numbers import Amount, Topic, likeness, opened_by
from formulation.reading.variables import Named, Naming
from formulation.reading.words import Span, table

__all__ = ["Attribute", "attributes", "listed_with", "uses"]

_JOINS = table("and or , a an the either each both by of with his her their its")


@dataclass(frozen=True, slots=True)
class Use:
    """A number that is said of one unit of a variable; `place` counts the numbers of its variable in its sentence."""

    variable: int
    amount: Amount
    sentence: Span
    place: int


@dataclass(frozen=True)
class Attribute:
    """One thing that units of variables take or give: a number for each variable it is said of."""

    of: Mapping[int, Amount]

    @property
    def topics(self) -> list[Topic]:
        return [one.topic for one in self.of.values()]

    def like(self, topic: Topic) -> float:
        """How much a number is about this: the best and the average of its likeness to the numbers here."""
        found = [likeness(topic, other) for other in self.topics]
        return (max(found) + sum(found) / len(found)) / 2

    @property
    def first(self) -> int:
        return min(one.figure.start for one in self.of.values())


def listed_with(naming: Naming, mention: Named) -> list[Named]:
    """The mentions that stand in one list with a mention, itself among them: 'desks and chairs'."""
    ordered = list(naming.mentions)
    place = ordered.index(mention)
    first = last = place
    while last + 1 < len(ordered) and _adjoin(naming, ordered[last], ordered[last + 1]):
        last += 1
    while first > 0 and _adjoin(naming, ordered[first - 1], ordered[first]):
        first -= 1
    return ordered[first : last + 1]


def _adjoin(naming: Naming, one: Named, other: Named) -> bool:
    between = naming.text.words[one.span.last : other.span.first]
    joined = [word.lower for word in between]
    measured = {"kg", "acre", "acres", "unit", "units"}
    return (
        0 < len(joined) <= 5
        and one.variable != other.variable
        and any(word in ("and", "or", ",") for word in joined)
        and all(word in _JOINS or word in measured or between[i].stem in naming.shared for i, word in enumerate(joined))
    )


def uses(naming: Naming, found: Sequence[Amount]) -> list[Use]:
    """Each use with its variables: by clauses that go in step, and by 'respectively'."""
    text = naming.text
    result: list[Use] = []
    subjects: list[int] = []
    for sentence in text.sentences:
        inside = [one for one in found if one.role == "use" and one.span.first in sentence]
        paired = _in_turn(naming, sentence, inside)
        counts: dict[int, int] = {}
        for clause in text.clauses:
            if not (sentence.first <= clause.first < sentence.last):
                continue
            for one in (x for x in inside if x.clause == clause):
                variables = (
                    paired.get(one.figure.start) or _of_clause(naming, one, inside) or _carried(naming, one, subjects)
                )
                for variable in variables:
                    counts[variable] = counts.get(variable, 0) + 1
                    result.append(Use(variable, one, sentence, counts[variable]))
            mentions = naming.within(clause)
            if mentions:
                subjects = [m.variable for m in listed_with(naming, mentions[0])]
    return result


def _in_turn(naming: Naming, sentence: Span, inside: Sequence[Amount]) -> dict[int, list[int]]:
    """Numbers that go through variables in turn: 'A and B cost 3 and 4', '100 and 200 for A and B respectively'."""
    found: dict[int, list[int]] = {}
    events: list[Named | Amount] = sorted([*naming.within(sentence), *inside], key=lambda x: x.span.first)
    runs = [(kind, list(group)) for kind, group in itertools.groupby(events, key=lambda x: isinstance(x, Amount))]
    told = "respectively" in naming.text.lowers(sentence)
    if told and not naming.within(sentence) and len(inside) == len(naming.names):
        return {one.figure.start: [i] for i, one in enumerate(inside)}  # 'They cost 3 and 4 dollars respectively'
    for (_, one), (_, other) in itertools.pairwise(runs):
        numbers = [x for x in (*one, *other) if isinstance(x, Amount)]
        mentions = [x for x in (*one, *other) if isinstance(x, Named)]
        together = len({x.clause for x in numbers}) == 1 and numbers[-1].span.last - numbers[0].span.first <= 3 * len(
            numbers
        )
        matching = len(numbers) == len(mentions) == len({m.variable for m in mentions}) > 1
        if matching and (told or together) and not any(x.figure.start in found for x in numbers):
            found |= {x.figure.start: [m.variable] for x, m in zip(numbers, mentions, strict=True)}
    return found


def _of_clause(naming: Naming, one: Amount, inside: Sequence[Amount]) -> list[int]:
    mentions = naming.within(one.clause)
    if not mentions:
        return []
    relative = naming.text.words[one.clause.first].lower in ("which", "who", "that")
    earlier = [m for m in naming.mentions if m.span.first < one.clause.first]
    if relative and earlier and one.span.first < mentions[0].span.first:
        return [earlier[-1].variable]  # 'by boat, which takes 3, or by train'
    before = [m for m in mentions if m.span.first < one.span.first]
    after = [m for m in mentions if m.span.first > one.span.first]
    first = min(x.span.first for x in inside if x.clause == one.clause)
    number_first = first < mentions[0].span.first
    nearest = after[0] if after and (number_first or not before) else before[-1]
    return [m.variable for m in listed_with(naming, nearest)]


def _carried(naming: Naming, one: Amount, subjects: Sequence[int]) -> list[int]:
    """The variables of a clause that names none: all for 'both' and 'each', else those of the clause before."""
    words = naming.text.lowers(one.clause)
    sentence = naming.text.around(naming.text.sentences, one.span.first)
    opening = opened_by(naming, sentence)
    if opening is not None:
        return [opening.variable]
    same = bool(naming.within(Span(sentence.first, one.clause.first)))
    if any(word in ("both", "each", "every", "per") for word in words) and not same:
        return list(range(len(naming.names)))
    return list(subjects)


def attributes(found: Sequence[Use], limits: Sequence[Amount] = ()) -> list[Attribute]:
    """Uses gathered by what they are about, most alike first; one number of each variable in each.

    Uses of which the words of different `limits` speak stay apart: 'crab meat' and 'lobster meat'.
    """
    groups: list[dict[int, Use]] = [{one.variable: one} for one in found]
    pairs = sorted(
        (-score, i, j)
        for (i, a), (j, b) in itertools.combinations(enumerate(found), 2)
        if a.variable != b.variable and (score := _alike(a, b)) > 0 and not _limited_apart(a, b, limits)
    )
    for _, i, j in pairs:
        one, other = groups[i], groups[j]
        if one is not other and not one.keys() & other.keys() and _compatible(one.values(), other.values()):
            one |= other
            for k, group in enumerate(groups):
                if group is other:
                    groups[k] = one
    distinct = {id(group): group for group in groups}.values()
    return sorted(
        (Attribute({v: use.amount for v, use in sorted(group.items())}) for group in distinct), key=lambda a: a.first
    )


def _compatible(ours: Iterable[Use], theirs: Iterable[Use]) -> bool:
    theirs = list(theirs)
    return all(likeness(a.amount.topic, b.amount.topic) > -3 for a in ours for b in theirs)


def _limited_apart(a: Use, b: Use, limits: Sequence[Amount]) -> bool:
    ours, theirs = a.amount.topic.after, b.amount.topic.after
    if ours <= theirs or theirs <= ours:
        return False
    known = [one.topic.after for one in limits]
    return ours in known and theirs in known


def _alike(a: Use, b: Use) -> float:
    if a.amount.figure == b.amount.figure:
        return 20.0
    score = likeness(a.amount.topic, b.amount.topic)
    near = (
        a.sentence == b.sentence
        or abs(a.sentence.first - b.sentence.last) < 3
        or abs(b.sentence.first - a.sentence.last) < 3
    )
    if a.place == b.place:
        score += 1.5 if near else 0.3
    return score
