"""What the text says: each limit, share and comparison as a statement, and the objective."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from formulation.expressions import Expr, Num, Ref, Sense, constant, scaled, total
from formulation.kinds.base import Constraint, Mention
from formulation.kinds.bound import SingleBound
from formulation.kinds.comparison import Comparison
from formulation.kinds.difference import Difference
from formulation.kinds.linear_bound import LinearBound
from formulation.kinds.objective import Optimize
from formulation.kinds.proportion import Proportion
from formulation.kinds.range import Between
from formulation.kinds.sum_bound import SumBound
from formulation.numbers import Number
from formulation.reading.logic import chosen
from formulation.reading.numbers import Amount, Cue, Topic, cue_in, directly_named, money_sides
from formulation.reading.uses import Attribute, listed_with
from formulation.reading.variables import Naming
from formulation.reading.words import CONTENTLESS, MEASURES, VERBS, Span, alike, stems, table

__all__ = ["Reader", "Said"]

_LEAST_LIKENESS: Final = 1.0
_WANTED: Final = re.compile(
    r"\b(must|should|needs?|has to|have to|cannot|can not|can't|wants?|requires?|required|at least|at most|no more"
    r"|limit|prefers?|aims?|likes?|will|may not|always)\b",
    re.I,
)
_TIMES: Final = stems("second minute hour day week month")
_REASON: Final = table("since because as due although while though whereas")
_TOGETHER: Final = re.compile(
    r"\b(total|altogether|combined|combination|in all|together|sum|either|both|any|all|overall|any type|each)\b", re.I
)
_UP: Final = re.compile(
    r"\b(maximi[sz]\w*|maximum|highest|most|largest|greatest|maximal|increas\w+|best|as (?:many|much))\b", re.I
)
_DOWN: Final = re.compile(
    r"\b(minimi[sz]\w*|minimum|lowest|least|fewest|smallest|minimal|reduc\w+|decreas\w+|cheapest|as (?:few|little))\b",
    re.I,
)
_TOGETHER_WORDS: Final = table("total altogether combined together overall")
_UNTIL: Final = table("hour day week month year time")
_TOOLS: Final = stems("machine device processing team operation equipment resource stage station")
"""Words for what is limited that do not tell one of them from another."""
_BARE: Final = table("but and or , . ;")
"""What stands behind a number that says of nothing itself how many."""
_SPREADING: Final = table("each every both all either")
_COUNTED: Final = table("there")
_ENDING: Final = table(". ? , ; ! using with while assuming without given subject")
"""What ends the words that say what is wanted."""
_EITHER: Final = re.compile(r"[\w.,]+ (?:[\w-]+ ){0,2}of (?:either|each|any one)\b", re.I)
_OF_EITHER: Final = re.compile(r"\s+(?:[\w-]+ ){0,2}of (?:either|each|any one)\b", re.I)
_PUT_IN: Final = stems("$ dollar money invest invested investment investing placed")
"""Words that money which is put in shares with what it yields."""
_SAME: Final = (
    stems("score points"),
    stems("reach audience viewership exposure viewers readers listeners users people"),
)
"""Words of objectives, and what is counted for them."""
_OF_ALL: Final = table("number amount count time")
"""Words of an objective that ask for the sum of all where nothing else is said of it."""
_ASKING: Final = re.compile(r"\b(maximi[sz]\w*|minimi[sz]\w*)\b", re.I)


@dataclass(frozen=True, slots=True)
class Said:
    """A statement, and the numbers (by their first characters) that it uses."""

    statement: Constraint
    used: frozenset[int]


@dataclass
class Reader:
    """The numbers, uses and mentions of one text, from which its statements are made."""

    naming: Naming
    variables: Sequence[str]
    amounts: Sequence[Amount]
    attributes: Sequence[Attribute]
    goal: Attribute | None = field(default=None, init=False)
    guessed: bool = field(default=False, init=False)
    """Whether the objective became the sum of all variables though its words do not say so, or leaves some out."""
    _goal_sides: frozenset[str] = field(default=frozenset(), init=False)
    _limited: list[Attribute] = field(default_factory=list, init=False)
    _limits: set[tuple[int, Sense]] = field(default_factory=set, init=False)
    """The attributes, by their identity, with the senses in which they are limited."""

    # ---- the objective -----------------------------------------------------------------------------------------------

    def objective(self) -> tuple[Optimize | None, frozenset[int]]:
        """The objective, and the numbers it uses; None where no words ask for the most or the least of something."""
        found = self._asked()
        if found is None:
            return None, frozenset()
        sense, start, end, name = found
        words = self._content(name)
        self.goal = self._aim(words)
        self._goal_sides = money_sides(words)
        sources = {"": self._mention(start, max(end, self._end(name))), "sense": self._mention(start, end)}
        if self.goal is None:
            self.guessed = not (self._is_collective(words) or _OF_ALL & set(self.naming.text.lowers(name)))
            terms = total(*(Ref(one) for one in self.variables))
            return Optimize(sense=sense, terms=terms, sources=sources), frozenset()
        self.guessed = len(self.goal.of) < len(self.variables)
        terms, more, used = self._weighted(self.goal)
        return Optimize(sense=sense, terms=terms, sources=sources | more), used

    def _asked(self) -> tuple[Literal["maximize", "minimize"], int, int, Span] | None:
        """The direction, its characters, and the words that say of what."""
        text = self.naming.text
        numbers = [one.figure.start for one in self.amounts]
        best = None
        for sentence in text.sentences:
            start, end = text.words[sentence.first].start, text.words[sentence.last - 1].end
            for sense, pattern in (("maximize", _UP), ("minimize", _DOWN)):
                for match in pattern.finditer(text.text, start, end):
                    ahead = text.text[start : match.start()]
                    counted = match.group().lower() in ("most", "least") and re.search(
                        r"\bat (?:the )?(?:very )?$", ahead, re.I
                    )
                    limits = counted or re.match(
                        r"\s*(?:of|is|amount of|number of)?\s*\$?\s*\d", text.text[match.end() :]
                    )
                    if limits or any(0 <= number - match.end() < 12 for number in numbers):
                        continue
                    weight = (
                        2
                        if _ASKING.match(match.group())
                        else 1
                        if match.group().lower() not in ("most", "best", "least", "minimal", "maximal")
                        else 0
                    )
                    if best is None or (weight, match.start()) >= (best[0], best[1]):
                        best = (weight, match.start(), match.end(), sense)
        if best is None:
            return None
        _, start, end, sense = best
        first = text.index(end)
        sentence = text.around(text.sentences, max(first - 1, 0))
        last = first
        while last < sentence.last and text.words[last].lower not in _ENDING:
            last += 1
        return sense, start, end, Span(first, max(last, first))  # type: ignore[return-value]

    def _aim(self, words: Sequence[str]) -> Attribute | None:
        """The attribute that the words of an objective name; None for the plain sum."""
        complete = max((len(one.of) for one in self.attributes), default=0)
        best: tuple[float, int, Attribute] | None = None
        paid = sum(any(topic.unit == "$" for topic in one.topics) for one in self.attributes)
        sides, collective, plain = money_sides(words), self._collective(), self._is_collective(words)
        for i, one in enumerate(self.attributes):
            topics = one.topics
            found = {word for topic in topics for word in topic.words}
            after = {word for topic in topics for word in (topic.unit, *topic.after) if word}
            apart = [word for word in words if word not in collective or not plain]
            score = 1.0 * sum(any(alike(word, other) for other in after) for word in apart)
            score += 1.0 * sum(any(alike(word, other) for other in found if other) for word in apart)
            score += 2.0 * any(same & set(words) and same & found for same in _SAME)
            score += 3.0 * all(any(alike(word, topic.unit) for word in words) for topic in topics if topic.unit)
            score += 2.0 * ("time" in words or "tim" in words) * any(topic.unit in _TIMES for topic in topics)
            ours = money_sides(found)
            score += 3.0 * bool(sides & ours) + 1.0 * (bool(sides) and any(t.unit in ("$", "%") for t in topics))
            if ours and sides and not ours & sides and (paid > 1 or "earning" in sides):
                score -= 3.0  # what workers earn is a cost, where nothing else is
            score -= 1.0 * (complete - len(one.of))
            if best is None or score > best[0]:
                best = (score, -i, one)
        if best is not None and best[0] >= (4.0 if plain else 2.0):
            return best[2]
        whole = [one for one in self.attributes if len(one.of) == complete]
        if sides == {"paying"} and sum(any(t.unit == "$" for t in one.topics) for one in whole) == 1:
            return next(one for one in whole if any(t.unit == "$" for t in one.topics))
        free = [one for one in self._free() if len(one.of) == complete]
        if plain:
            alone = whole if len(whole) == 1 else free
            earning = [
                one for one in alone if "earning" in money_sides({w for topic in one.topics for w in topic.words})
            ]
            valued = len(earning) == 1 and not _OF_ALL & set(words)
            return earning[0] if valued else None
        if len(whole) == 1 and _PUT_IN & set(words) and "earning" in money_sides(whole[0].topics[0].words):
            return whole[0]
        return free[0] if len(free) == 1 and not any(self._is_open(one) for one in self.amounts) else None

    def _free(self) -> list[Attribute]:
        """The attributes that no limit is most like."""
        limits = [one for one in self.amounts if one.role == "limit" and directly_named(self.naming, one) is None]
        limited = [found for one in limits if (found := self._attribute_of(one.topic)) and found.like(one.topic) >= 1.0]
        return [one for one in self.attributes if one is not self.goal and not any(one is other for other in limited)]

    def _is_open(self, one: Amount) -> bool:
        """Whether a limit is of nothing that is known: no variable, no attribute, not all together."""
        if one.role != "limit" or self._counted(one) is not None or directly_named(self.naming, one) is not None:
            return False
        attribute = self._attribute_of(one.topic)
        known = attribute is not None and self._like(attribute, one.topic) >= _LEAST_LIKENESS
        return not known and not (one.topic.unit and self._is_collective([one.topic.unit]))

    def _is_collective(self, words: Sequence[str]) -> bool:
        together = {name[-1] for name in self.naming.names} | self._collective()
        return words[:1] != ["tim"] and any(word in together for word in (words if "number" in words else words[-1:]))

    def _collective(self) -> frozenset[str]:
        """Words for the variables taken together: 'cakes' for chocolate and vanilla cakes, 'ads', 'acres'."""
        text = self.naming.text
        found = set(self.naming.shared)
        words = text.words
        for i, word in enumerate(words[:-2]):
            if (
                word.lower in ("types", "kinds", "type", "kind", "models", "sizes", "forms", "methods")
                and words[i + 1].lower == "of"
            ):
                found |= {w.stem for w in words[i + 2 : i + 4] if w.lower not in CONTENTLESS and w.text[0].isalpha()}
            if word.lower == "many":
                found |= {w.stem for w in words[i + 1 : i + 2] if w.lower not in CONTENTLESS}
        for mention in self.naming.mentions:
            at = mention.span.first - 1
            if at > 0 and words[at].lower == "of" and words[at - 1].stem in MEASURES:
                found.add(words[at - 1].stem)
        behind: dict[str, set[int]] = {}
        for mention in self.naming.mentions:
            word = words[min(mention.span.last, len(words) - 1)]
            if word.lower not in CONTENTLESS | VERBS and word.text[0].isalpha():
                behind.setdefault(word.stem, set()).add(mention.variable)
        for word, other in itertools.pairwise(words):
            if word.lower in ("each", "per") and other.stem in MEASURES and other.stem not in _TIMES:
                found.add(other.stem)
        found |= {word for word, variables in behind.items() if len(variables) > 1}
        first = self.naming.mentions[0].span.first if self.naming.mentions else 0
        sentence = text.around(text.sentences, first)
        for i in range(sentence.first, first):
            counted = any(one.span.last == i and one.value == len(self.variables) for one in self.amounts)
            if counted:
                found |= {w.stem for w in words[i : i + 3] if w.lower not in CONTENTLESS and w.text[0].isalpha()}
        return frozenset(found - {"$", "unit", "number", "amount"})

    # ---- limits ------------------------------------------------------------------------------------------------------

    def limits(self) -> list[Said]:
        """Every limit, share, factor and excess that is understood, in the order of the text."""
        found = [Said(*made) for made in chosen(self.naming, self.variables, self.amounts)]
        taken = {start for one in found for start in one.used}
        for i, one in enumerate(self.amounts):
            if one.figure.start in taken:
                continue
            said: Said | None = None
            spread = self._spread(one) if one.role == "limit" else []
            if spread:
                found += spread
                taken |= frozenset().union(*(said.used for said in spread))
            elif one.role == "limit":
                said = self._between(one, self.amounts[i + 1 : i + 2]) or self._limit(one)
            elif one.role == "share":
                said = self._share(one)
            elif one.role == "factor":
                said = self._multiple(one)
            elif one.role == "more":
                said = self._excess(one)
            if said is not None:
                found.append(said)
                taken |= said.used
        return [*self._apart(found), *self._compared()]

    def _apart(self, found: Sequence[Said]) -> list[Said]:
        """Limits 'of either type' hold of each variable, where another limit is of all of them together."""
        sums = [one.statement for one in found if isinstance(one.statement, SumBound)]
        made: list[Said] = []
        for one in found:
            statement = one.statement
            others = [
                other
                for other in sums
                if isinstance(statement, SumBound) and other is not statement and other.sense == statement.sense
            ]
            limit = one.used and self.naming.text.text[max(one.used) :]
            if isinstance(statement, SumBound) and others and limit and _EITHER.match(limit):
                fields: dict[str, Any] = {
                    "sense": statement.sense,
                    "limit": statement.limit,
                    "sources": statement.sources,
                }
                made += [Said(SingleBound(variable=ref, **fields), one.used) for ref in statement.variables]
            else:
                made.append(one)
        return made

    def _between(self, one: Amount, following: Sequence[Amount]) -> Said | None:
        text = self.naming.text.text
        lead = text[max(one.figure.start - 14, 0) : one.figure.start]
        if not following or not re.search(r"\bbetween \$?$", lead, re.I):
            return None
        other = following[0]
        target = self._counted(other) or self._counted(one)
        attribute = None if target else self._attribute_of(other.topic)
        if target is None and attribute is None:
            return None
        terms, more, used = self._weighted(attribute) if attribute else (self._sum(target or ()), {}, frozenset())
        low, high = sorted((one, other), key=lambda x: x.value)
        sources = self._sources(other, low=low, high=high) | more
        made = Between(low=self._number(low), terms=terms, high=self._number(high), sources=sources)
        return Said(made, used | {one.figure.start, other.figure.start})

    def _spread(self, one: Amount) -> list[Said]:
        """A limit of several things: 'each machine has at most 40 hours', '20 grams of iron and zinc each'."""
        text = self.naming.text
        if directly_named(self.naming, one) is not None or self.naming.within(Span(one.clause.first, one.span.first)):
            return []
        ahead = text.lowers(Span(self._opening(one), one.span.first))
        behind = text.lowers(Span(one.span.last, one.clause.last))
        subject = _SPREADING & set(ahead) and not _COUNTED & set(ahead) and not self.naming.within(one.clause)
        named = [
            each
            for each in self.attributes
            if each is not self.goal
            and any(alike(topic.unit, one.topic.unit) for topic in each.topics if topic.unit and one.topic.unit)
        ]
        stop = min((x.span.first for x in self.amounts if x.span.first > one.span.first), default=one.clause.last)
        said = {*text.stems(Span(self._opening(one), min(stop, one.clause.last)))}
        own = [{word for topic in each.topics for word in topic.after} for each in named]
        apart = [words - _TOOLS - {word for other in own if other is not words for word in other} for words in own]
        meant = [
            each for each, words in zip(named, apart, strict=True) if any(alike(a, b) for a in words for b in said)
        ]
        chosen = meant or named
        after = behind[behind.index("each") + 1 :][:1] if "each" in behind else []
        apiece = "each" in behind and len(meant) > 1 and not any(word in _UNTIL for word in after)
        if len(chosen) < 2 or not (subject or apiece):
            return []
        made = (self._weighed(one, each) for each in chosen)
        return [row for row in made if row is not None]

    def _opening(self, one: Amount) -> int:
        """The first word of the clauses that lead up to a number: no other number and no variable lies between."""
        text = self.naming.text
        sentence = text.around(text.sentences, one.span.first)
        first = one.clause.first
        for clause in reversed([c for c in text.clauses if sentence.first <= c.first < one.clause.first]):
            if self.naming.within(clause) or any(x.clause == clause and x.role != "passed" for x in self.amounts):
                break
            first = clause.first
        return first

    def _weighed(self, one: Amount, attribute: Attribute) -> Said | None:
        """An attribute's sum against a limit; None where it has such a limit already, as one of them is of another."""
        sense = one.cue.sense if one.cue else "<="
        if (id(attribute), sense) in self._limits:
            return None
        self._limits.add((id(attribute), sense))
        self._limited.append(attribute)
        terms, more, used = self._weighted(attribute)
        sources = self._sources(one, limit=one) | more
        made = LinearBound(terms=terms, sense=sense, limit=self._number(one), sources=sources)
        return Said(made, used | {one.figure.start})

    def _twin(self, one: Amount) -> list[int] | None:
        """What the other limit of a pair is of: 'at least 10 but at most 20 chairs', '10 chairs but at most 20'."""
        text = self.naming.text
        behind = text.words[one.span.last].lower if one.span.last < len(text.words) else ""
        if one.cue is None or not one.cue.strong or not (behind in _BARE or behind in VERBS):
            return None
        sentence = text.around(text.sentences, one.span.first)
        place = next(i for i, other in enumerate(self.amounts) if other is one)
        for other in (*self.amounts[place + 1 : place + 2], *self.amounts[max(place - 1, 0) : place]):
            if other.span.first not in sentence or other.cue is None or not other.cue.strong:
                continue
            first, second = sorted((one, other), key=lambda x: x.span.first)
            between = set(text.lowers(Span(first.span.last, second.span.first)))
            direct = directly_named(self.naming, other)
            if direct is not None and other.cue.sense != one.cue.sense and between & {"but", "and", "or"}:
                return [direct.variable]
        return None

    def _limit(self, one: Amount) -> Said | None:
        sense = one.cue.sense if one.cue else "<="
        direct = directly_named(self.naming, one)
        if direct is not None:
            return self._bounded(
                one, sense, [m.variable for m in listed_with(self.naming, direct) if m.span.first >= one.span.last]
            )
        if _OF_EITHER.match(self.naming.text.text[one.figure.end :]):
            return self._bounded(one, sense, range(len(self.variables)))
        twin = self._twin(one)
        if twin is not None:
            return self._bounded(one, sense, twin)
        counted = self._counted(one)
        attribute = self._attribute_of(one.topic)
        likeness = self._like(attribute, one.topic) if attribute else 0.0
        spent = (
            attribute is not None
            and attribute is not self.goal
            and one.topic.unit == "$"
            and likeness >= _LEAST_LIKENESS
        )
        if counted is not None and (attribute is None or (likeness < 4.0 and not spent) or len(counted) == 1):
            return self._bounded(one, sense, counted)
        unit = one.topic.unit
        if unit and likeness < 3.0 and any(alike(unit, other) for other in self._collective()):
            return self._bounded(one, sense, range(len(self.variables)))
        if likeness < _LEAST_LIKENESS and self._is_open(one):
            free = [x for x in self._free() if min(x.like(one.topic), 0.0) > -5.0]
            attribute, likeness = (free[0], _LEAST_LIKENESS) if len(free) == 1 else (None, 0.0)
        if attribute is not None and likeness >= _LEAST_LIKENESS:
            return self._weighed(one, attribute)
        if one.cue is not None and (one.cue.strong or not self._is_of_something(one)):
            return self._bounded(one, sense, range(len(self.variables)))
        return None

    def _is_of_something(self, one: Amount) -> bool:
        """Whether a number that nothing fits is of a thing of its own, and hardly of all quantities together."""
        words = set(self.naming.text.lowers(one.clause))
        unit = one.topic.unit
        general = unit in ("", "$", "person", "passenger", "customer")
        thing = bool(unit) and not general and unit not in MEASURES and not self._is_collective([unit])
        return (thing or (bool(one.topic.after) and not general)) and not _TOGETHER_WORDS & words

    def _bounded(self, one: Amount, sense: Sense, variables: Iterable[int]) -> Said | None:
        if one.topic.unit == "%":
            return None  # no count of things is a share
        chosen = list(dict.fromkeys(variables))
        fields: dict[str, Any] = {"sense": sense, "limit": self._number(one), "sources": self._sources(one, limit=one)}
        made: Constraint
        if len(chosen) == 1:
            made = SingleBound(variable=self._ref(chosen[0]), **fields)
        else:
            made = SumBound(variables=tuple(self._ref(i) for i in chosen), **fields)
        return Said(made, frozenset({one.figure.start}))

    def _counted(self, one: Amount) -> list[int] | None:
        """The variables that a limit is said of: behind the number, or before it as in 'the number of desks'."""
        text = self.naming.text
        inside = self.naming.within(one.clause)
        numbers = [other.span.first for other in self.amounts if other.span.first > one.span.first]
        stop = min([n for n in numbers if n in one.clause], default=one.clause.last)
        after = [m for m in inside if one.span.last <= m.span.first < stop]
        if after:
            listed = [m.variable for m in listed_with(self.naming, after[0])]
            words = text.lowers(Span(one.span.last, after[0].span.first))
            purpose = "to" in words or "for" in words or "which" in words or "that" in words
            return None if purpose and len({m.variable for m in after}) > 1 else listed
        before = [m for m in inside if m.span.last <= one.span.first]
        if not before:
            return None
        return [m.variable for m in listed_with(self.naming, before[-1])]

    def _like(self, attribute: Attribute, topic: Topic) -> float:
        """How much a limit is about an attribute; a bill is about the costs that are minimised, however called."""
        found = attribute.like(topic)
        paid = self._goal_sides == {"paying"} and attribute is self.goal
        return max(found, 2.0) if paid and topic.unit == "$" and "paying" in money_sides(topic.words) else found

    def _attribute_of(self, topic: Topic) -> Attribute | None:
        """The attribute that a limit is about, the objective's only where the words say so."""

        def score(one: Attribute) -> float:
            found = self._like(one, topic)
            if one is self.goal:
                shared = any(alike(a, b) for t in one.topics for a in t.words - _PUT_IN if a for b in topic.words if b)
                paid = "paying" in self._goal_sides and topic.unit == "$"
                found -= 0.5 if shared or paid else 4.0
            return found - 1.5 * any(one is other for other in self._limited)

        return max(self.attributes, key=score, default=None) if any(score(a) > 0 for a in self.attributes) else None

    def _share(self, one: Amount) -> Said | None:
        part = self._part(one)
        if part is None:
            return None
        chosen, other = part
        sense = one.cue.sense if one.cue else ">="
        if other is not None:
            made: Constraint = Comparison(
                left=self._ref(chosen),
                sense=sense,
                factor=self._number(one),
                right=self._ref(other),
                sources=self._sources(one, factor=one),
            )
        else:
            made = Proportion(
                part=self._ref(chosen),
                sense=sense,
                share=self._number(one),
                whole=self._sum(range(len(self.variables))),
                sources=self._sources(one, share=one),
            )
        return Said(made, frozenset({one.figure.start}))

    def _part(self, one: Amount) -> tuple[int, int | None] | None:
        """The variable that a share is of, and another one where the share is of that and not of the whole."""
        inside = self.naming.within(one.clause)
        numbers = [x.span.first for x in self.amounts if x.span.first > one.span.first and x.span.first in one.clause]
        stop = min(numbers, default=one.clause.last)
        after = [m for m in inside if one.span.last <= m.span.first < stop]
        before = [m for m in inside if m.span.last <= one.span.first]
        if before and after and before[-1].variable != after[0].variable and one.topic.unit != "%":
            return before[-1].variable, after[0].variable
        if after:
            return after[0].variable, None
        if before:
            return before[-1].variable, None
        return None

    def _multiple(self, one: Amount) -> Said | None:
        pair = self._pair(one)
        if pair is None:
            return None
        sense = one.cue.sense if one.cue and one.cue.strong else ">="
        made = Comparison(
            left=self._ref(pair[0]),
            sense=sense,
            factor=self._number(one),
            right=self._ref(pair[1]),
            sources=self._sources(one, factor=one),
        )
        return Said(made, frozenset({one.figure.start}))

    def _excess(self, one: Amount) -> Said | None:
        pair = self._pair(one)
        if pair is None:
            return None
        fewer = self.naming.text.words[one.span.last].lower != "more"
        left, right = reversed(pair) if fewer else pair
        made = Difference(
            left=self._ref(left),
            right=self._ref(right),
            sense=one.cue.sense if one.cue else ">=",
            amount=self._number(one),
            sources=self._sources(one, amount=one),
        )
        return Said(made, frozenset({one.figure.start}))

    def _pair(self, one: Amount) -> tuple[int, int] | None:
        """The two variables that a number compares: both behind it, or one on either side."""
        sentence = self.naming.text.around(self.naming.text.sentences, one.span.first)
        after = [m.variable for m in self.naming.within(Span(one.span.last, sentence.last))]
        before = [m.variable for m in self.naming.within(Span(one.clause.first, one.span.first))]
        if before and after and before[-1] != after[0]:
            return before[-1], after[0]
        different = [v for v in after[1:] if v != after[0]]
        return (after[0], different[0]) if different else None

    # ---- comparisons without numbers ---------------------------------------------------------------------------------

    def _compared(self) -> list[Said]:
        """'more desks than chairs', 'the number of desks must not exceed the number of chairs'."""
        found = []
        text = self.naming.text
        for clause in text.clauses:
            inside = self.naming.within(clause)
            start, end = text.words[clause.first].start, text.words[clause.last - 1].end
            if len({m.variable for m in inside}) < 2 or any(
                one.clause == clause and one.role != "passed" for one in self.amounts
            ):
                continue
            if text.words[clause.first].lower in _REASON or not _WANTED.search(text.text, start, end):
                continue
            first, second = inside[0], next(m for m in inside if m.variable != inside[0].variable)
            between = text.text[text.words[first.span.last - 1].end : text.words[second.span.first].start]
            ahead = text.text[start : text.words[first.span.first].start]
            cue = cue_in(between, text.words[first.span.last - 1].end)
            more = re.search(r"\b(more|greater|larger|higher|fewer|less|smaller)(?: \w+){0,4}\W*$", ahead, re.I)
            if more is not None and "than" in between.lower().split():
                less = more[1].lower() in ("fewer", "less", "smaller")
                negated = re.search(r"\b(?:not|no|cannot|never)\b", ahead, re.I) is not None
                cue = Cue("<=" if less != negated else ">=", start + more.start(), start + more.end(), True)
            elif re.search(r"\bas (?:many|much)\b", ahead, re.I) and cue_in(ahead, start) is not None:
                cue = cue_in(ahead, start)
            elif cue is None or not re.search(r"\b(than|exceed\w*|number|amount|as many|equal)\b", between, re.I):
                continue
            if cue is None:
                continue
            made = Comparison(
                left=self._ref(first.variable),
                sense=cue.sense,
                right=self._ref(second.variable),
                sources={"": self._mention(*text.characters(clause)), "sense": self._mention(cue.start, cue.end)},
            )
            found.append(Said(made, frozenset()))
        return found

    # ---- small parts -------------------------------------------------------------------------------------------------

    def _ref(self, variable: int) -> Ref:
        return Ref(self.variables[variable])

    def _sum(self, variables: Iterable[int]) -> Expr:
        return total(*(self._ref(i) for i in variables))

    def _number(self, one: Amount) -> Num:
        return Num(Number(one.value))

    def _weighted(self, attribute: Attribute) -> tuple[Expr, dict[str, Mention], frozenset[int]]:
        terms: list[Expr] = []
        sources = {}
        for i, one in attribute.of.items():
            terms.append(scaled(Number(one.value), self._ref(i)))
            sources[f"terms['{self.variables[i]}']"] = self._mention(one.figure.start, one.figure.end)
        return (
            (total(*terms) if terms else constant(0)),
            sources,
            frozenset(x.figure.start for x in attribute.of.values()),
        )

    def _sources(self, one: Amount, **fields: Amount) -> dict[str, Mention]:
        found = {"": self._mention(*self.naming.text.characters(one.clause))}
        if one.cue is not None and one.cue.end > one.cue.start:
            found["sense"] = self._mention(one.cue.start, one.cue.end)
        return found | {name: self._mention(x.figure.start, x.figure.end) for name, x in fields.items()}

    def _mention(self, start: int, end: int) -> Mention:
        return Mention(span=(start, end), text=self.naming.text.text[start:end])

    def _content(self, span: Span) -> list[str]:
        words = self.naming.text.words[span.first : span.last]
        kept = ("number", "times")
        return [w.stem for w in words if w.text[0].isalpha() and (w.lower in kept or w.lower not in CONTENTLESS)]

    def _end(self, span: Span) -> int:
        return self.naming.text.characters(span)[1] if span.last > span.first else 0
