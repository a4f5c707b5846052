"""What is to be decided: the things a text lists side by side and then measures one by one, and where it names them."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from formulation.reading.words import ARTICLES, CONTENTLESS, EACH, MEASURES, VERBS, Span, Text, stems, table

__all__ = ["Named", "Naming", "find_variables", "named_at", "namings"]

Phrase = tuple[str, ...]
"""Stems of a name, in order."""

_JOINING: Final = table("and or")
_AS_WELL: Final = ["as", "well", "as"]
_SKIPPED: Final = ARTICLES | table(
    "by via using with in through on for either both up to of new another from during at into"
)
_LISTING: Final = table("either two three four five types type kinds kind options models ways methods")
_NOUNS_TOO: Final = table(
    "ship ships seat seats load loads mix mixes run runs stock stocks process processes company companies store stores"
)
_NO_NAMES: Final = (
    CONTENTLESS | VERBS | table("% $ # / - profit profits time times money return revenue earning costing paying")
)
_OWNERS: Final = stems(
    "shop store company factory farmer farm seller firm maker manufacturer supplier business restaurant bakery baker"
    " owner chain corporation dealer distributor producer"
)
_UNITS: Final = stems(
    "unit kg kilogram gram hour minute day week month year shift trip dollar pound litre oz ton tonne gallon ml mg lb"
)
_COUNTING: Final = table("many more fewer number than amount times")
_ASKED: Final = table("must should needs need wants want least most has have")
_LONGEST: Final = 6
_LEAST_SCORE: Final = 1.5
_MOST_SUBJECTS: Final = 6
_MOST_GROUPS: Final = 60  # lists that are compared, the first of the text
_MOST_OTHERS: Final = 6  # groups that are tried where the best is not understood


@dataclass(frozen=True, slots=True)
class Named:
    """Words that name variable `variable`."""

    variable: int
    span: Span


@dataclass(frozen=True)
class Naming:
    """The variables of a text: every place where one is named, and the words (a head) that name all of them."""

    text: Text
    names: tuple[Phrase, ...]
    mentions: tuple[Named, ...]
    shared: frozenset[str]

    def label(self, variable: int) -> Span | None:
        """Where a variable is named first."""
        return next((one.span for one in self.mentions if one.variable == variable), None)

    def within(self, span: Span) -> list[Named]:
        """The mentions in a stretch of words, in order."""
        return [one for one in self.mentions if span.first <= one.span.first < span.last]

    def covers(self, at: int) -> bool:
        return any(at in one.span for one in self.mentions)


def find_variables(text: Text) -> Naming | None:
    """The variables of a text; None where nothing is listed or measured."""
    return next(namings(text), None)


def namings(text: Text) -> Iterator[Naming]:
    """What the variables of a text may be, the likeliest first, no two alike.

    First comes the best list, or what is measured or what sentences with numbers speak of; then other lists, things
    that are told apart by a letter or number, by the word before a common noun, or by what they earn or cost.
    """
    joined = [(at, at + 1) for at, word in enumerate(text.words) if word.lower in _JOINING]
    joined += [(at - 1, at + 2) for at in text.places.get("well", ()) if text.lowers(Span(at - 1, at + 2)) == _AS_WELL]
    groups = {group: None for left, right in sorted(joined) for group in _listed(text, left, right)}
    scored = [(_score(text, group), -i, group) for i, group in enumerate(itertools.islice(groups, _MOST_GROUPS))]
    best = max(scored, default=None)
    names = best[2] if best is not None and best[0] >= _LEAST_SCORE else _measured(text)
    names = names if len(names) > 1 else _subjects(text) or names
    seen: set[tuple[Named, ...]] = set()
    for chosen in itertools.chain((names,), _others(text, scored)):
        for bare in (True, False):
            found = naming(text, chosen, bare=bare) if chosen else None
            if found is None or len({one.variable for one in found.mentions}) < len(chosen):
                continue
            if found.mentions not in seen:
                seen.add(found.mentions)
                yield found


def _others(text: Text, scored: Sequence[tuple[float, int, tuple[Phrase, ...]]]) -> Iterator[tuple[Phrase, ...]]:
    yield from _labelled(text)
    apart = [(_score(text, group), -i, group) for i, group in enumerate(_told_apart(text))]
    for score, _, group in sorted([*apart, *scored], reverse=True)[:_MOST_OTHERS]:
        if score > 0:
            yield group
    for group in (_earning(text), _subjects(text), _measured(text), _placed(text), _counted_by(text)):
        if len(group) > 1:
            yield group


def naming(text: Text, names: Sequence[Phrase], *, bare: bool = True) -> Naming:
    """The mentions of variables of given names; `bare`: also where only a part of the name stands."""
    full = [_with_head(text, name, names[-1]) for name in names]
    counts = Counter(word for name in full for word in set(name))
    shared = frozenset(word for word, count in counts.items() if count == len(full) > 1)
    aliases = sorted(
        ((alias, i) for i, name in enumerate(full) for alias in (_aliases(text, name, counts) if bare else [name])),
        key=lambda pair: -len(pair[0]),
    )
    stemmed = [word.stem for word in text.words]
    found: list[Named] = []
    at = 0
    while at < len(stemmed):
        for alias, i in aliases:
            if _at(stemmed, at, alias) and _is_name(text, at, alias):
                found.append(Named(i, Span(at, at + len(alias))))
                at += len(alias)
                break
        else:
            at += 1
    # 'diced' alone is no onion where carrots follow it, and a coffee shop is no coffee.
    kept = [
        one
        for one, other in itertools.zip_longest(found, found[1:])
        if not _is_owner(text, one) and (other is None or not _modifies(one, other))
    ]
    return Naming(text, tuple(full), tuple(kept), shared)


def named_at(text: Text, places: Sequence[Sequence[Span]]) -> Naming:
    """The naming in which variable i is named at `places[i]`; there is at least one place for each."""
    phrases = [[tuple(text.stems(span)) for span in spans] for spans in places]
    names = tuple(max(found, key=len) for found in phrases)
    counts = Counter(word for name in names for word in set(name))
    shared = frozenset(word for word, count in counts.items() if count == len(names) > 1)
    found = [Named(i, span) for i, spans in enumerate(places) for span in spans]
    return Naming(text, names, tuple(sorted(found, key=lambda one: one.span.first)), shared)


def _is_owner(text: Text, one: Named) -> bool:
    """Whether a name is only part of who decides: 'the coffee shop', 'Architects ABC'."""
    behind = text.words[one.span.last] if one.span.last < len(text.words) else None
    return behind is not None and (behind.stem in _OWNERS or (len(behind.text) > 1 and behind.text.isupper()))


def _modifies(one: Named, other: Named) -> bool:
    return one.span.last == other.span.first and one.variable != other.variable


def _is_name(text: Text, at: int, alias: Phrase) -> bool:
    """A letter is a name only where it stands as a capital."""
    last = text.words[at + len(alias) - 1].text
    return len(alias[-1]) > 1 or last.isdigit() or last[0].isupper()


def _with_head(text: Text, name: Phrase, last: Phrase) -> Phrase:
    """'foldable' of 'foldable and regular phones' is a foldable phone, where the text says so elsewhere."""
    for start in range(1, len(last)):
        longer = (*name, *last[start:])
        if not set(name) & set(last[start:]) and _places(text, longer):
            return longer
    return name


def _at(stemmed: Sequence[str], at: int, phrase: Phrase) -> bool:
    return tuple(stemmed[at : at + len(phrase)]) == phrase


def _aliases(text: Text, name: Phrase, counts: Counter[str]) -> list[Phrase]:
    """What else a variable is called: the words that no other has, its head alone."""
    own = tuple(word for word in name if counts[word] == 1)
    found = {name}
    if name[-1] in _NUMBERED:
        return [name]
    if own and own != name and len("".join(own)) > 2 and _runs(name, own):
        found.add(own)
    modifiers = name[:-1]
    if (
        len(modifiers) == 1
        and _is_compound(text, name)
        and all(counts[word] == 1 for word in modifiers)
        and len(_places(text, modifiers)) > len(_places(text, name))
    ):
        found.add(modifiers)
    if len(name) > 1 and counts[name[-1]] == 1 and len(name[-1]) > 2 and not _after_of(text, name):
        found.add(name[-1:])
    return list(found)


def _is_compound(text: Text, name: Phrase) -> bool:
    """Whether the first word of a name is a compound, such as 'single-load', which needs no noun behind it."""
    return any("-" in text.words[at].text for at in _places(text, name))


def _runs(name: Phrase, part: Phrase) -> bool:
    return any(name[i : i + len(part)] == part for i in range(len(name)))


def _after_of(text: Text, name: Phrase) -> bool:
    """Whether the head of a name also stands alone behind 'of', for something else: units of water."""
    words = text.words
    return any(
        words[i].stem == name[-1] and words[i - 1].lower in ("of", "his", "her", "their", "the")
        for i in range(1, len(words))
    )


# ---- what is listed --------------------------------------------------------------------------------------------------


def _listed(text: Text, place: int, behind: int) -> Iterable[tuple[Phrase, ...]]:
    """The names that end before a word and start at another, such as on both sides of 'and', and those before them."""
    right = _name_from(text, behind)
    if right is None:
        return
    names = [right]
    while True:
        left = _name_before(text, place)
        if left is None:
            break
        span, name = left
        if name in names:
            break
        place = span.first
        if len(names) > 1 and text.words[place - 1].text not in (":", "(") and _introduces(text, place):
            break
        names.insert(0, name)
        while place > 0 and text.words[place - 1].lower in _SKIPPED:
            place -= 1
        if place == 0 or text.words[place - 1].text != ",":
            break
        place -= 1
    if len(names) > 1:
        yield tuple(names)
        if len(names) > 2:
            last = set(names[-1]) & set(names[-2])
            if last - set(names[0]):
                yield tuple(names[-2:])


def _introduces(text: Text, at: int) -> bool:
    """Whether the words before a name announce a list of its kinds: 'two types of', 'three different'."""
    return any(
        text.words[i].lower in _LISTING or text.words[i].lower in ("different", "2", "3", "4")
        for i in range(max(at - 3, 0), at)
    )


def _name_from(text: Text, at: int) -> Phrase | None:
    """The longest name that starts at a word, articles and prepositions passed over, and stands elsewhere too."""
    words = text.words
    while at < len(words) and words[at].lower in _SKIPPED and not _capital(text, at):
        at += 1
    if at + 2 < len(words) and words[at].stem in MEASURES and words[at + 1].lower == "of":
        return _name_from(text, at + 2)
    for length in range(_LONGEST, 0, -1):
        name = _name(text, Span(at, at + length))
        if name is not None and _often(text, name):
            return name
    if at + 1 < len(words) and _name(text, Span(at, at + 2)) is not None:
        name = _name(text, Span(at + 1, at + 2))  # 'small tarts' is told of as 'tarts' elsewhere
        return name if name is not None and _often(text, name) else None
    return None


def _name_before(text: Text, at: int) -> tuple[Span, Phrase] | None:
    if at > 0 and text.words[at - 1].text == ",":
        at -= 1
    for length in range(_LONGEST, 0, -1):
        span = Span(at - length, at)
        name = _name(text, span)
        if name is not None and _often(text, name):
            return span, name
    return None


def _capital(text: Text, at: int) -> bool:
    """A letter that is a name: 'mixture A', not 'A mixture'."""
    word = text.words[at].text
    return len(word) == 1 and word.isupper() and at > 0 and text.words[at - 1].text not in (".", "?", "!")


def _name(text: Text, span: Span) -> Phrase | None:
    """The stems of words that can be a name: no verbs and function words, 'of' only inside, numbers only behind."""
    if span.first < 0 or span.last > len(text.words) or span.last <= span.first:
        return None
    for at in range(span.first, span.last):
        word = text.words[at]
        inside = span.first < at < span.last - 1
        numbered = at > span.first and word.text.isdigit() and text.words[at - 1].text[0].isupper()
        if (_capital(text, at) and at > span.first) or numbered or (inside and word.lower == "of"):
            continue
        noun = word.lower in _NOUNS_TOO and at > span.first
        behind = text.words[span.last].lower if span.last < len(text.words) else ""
        noun = noun or (word.lower in _NOUNS_TOO and word.lower.endswith("s") and behind == ",")
        if word.lower.endswith("ing") and span.last - span.first == 1 and behind in ARTICLES | EACH:
            return None  # 'running the mill'
        if (word.lower in _NO_NAMES and not noun) or not any(c.isalpha() for c in word.text) or _is_number(text, at):
            return None
    name = tuple(text.stems(span))
    measure = name[0] in _UNITS or (len(name) > 1 and name[1] == "of" and name[0] in MEASURES)
    return None if measure else name


def _is_number(text: Text, at: int) -> bool:
    return at in text.numbers


def _often(text: Text, name: Phrase) -> bool:
    return len(_places(text, name)) > 1


def _places(text: Text, name: Phrase) -> list[int]:
    words = text.words
    return [
        at
        for at in text.places.get(name[0], [])
        if at + len(name) <= len(words) and all(words[at + i].stem == part for i, part in enumerate(name))
    ]


# ---- what is told apart ----------------------------------------------------------------------------------------------

_NUMBERED: Final = table("one two three four five six 1 2 3 4 5 6")
_NO_KINDS: Final = _NO_NAMES | table("weekly monthly daily yearly annual final whole entire following certain extra")


def _labelled(text: Text) -> Iterator[tuple[Phrase, ...]]:
    """Names that differ by a letter or number behind a noun: 'mill A' and 'mill B', 'shop one' and 'shop two'."""
    found: dict[tuple[str, bool], dict[Phrase, int]] = {}
    for at in range(1, len(text.words)):
        word, noun = text.words[at], text.words[at - 1]
        label = _capital(text, at) or word.lower in _NUMBERED
        if label and noun.text[0].isalpha() and len(noun.text) > 1 and not _tells_nothing(noun.lower):
            names = found.setdefault((noun.stem, _capital(text, at)), {})
            name = (noun.stem, word.stem)
            names[name] = names.get(name, 0) + 1
    for names in found.values():
        if 1 < len(names) <= _MOST_SUBJECTS:
            yield tuple(names)


def _tells_nothing(noun: str) -> bool:
    """Whether a word in front of a letter or number names nothing with it, as in 'at least two'."""
    return noun in _NO_NAMES | _JOINING | _SKIPPED and noun not in _NOUNS_TOO | {"type", "kind", "model"}


def _told_apart(text: Text) -> Iterator[tuple[Phrase, ...]]:
    """Names of one noun that differ by the words before it, each more than once: 'small shelf' and 'large shelf'."""
    found: dict[str, Counter[Phrase]] = {}
    for at, word in enumerate(text.words):
        noun = word.text[0].isalpha() and (word.lower not in _NO_KINDS or word.lower in _NOUNS_TOO)
        if not noun or word.stem in _UNITS or word.lower in _JOINING:
            continue
        first = at
        while first > 0 and at - first < _LONGEST - 1 and _is_kind(text, first - 1):
            first -= 1
        if first < at:
            found.setdefault(word.stem, Counter())[tuple(text.stems(Span(first, at + 1)))] += 1
    for counts in found.values():
        kinds: Counter[Phrase] = Counter()
        for name, count in counts.items():
            shorter = [other for other in counts if name[-len(other) :] == other and len(other) > 1]
            kinds[min(shorter, key=len)] += count
        names = [name for name, count in kinds.items() if count > 1 or _is_measured(text, name, 1)]
        measured = [name for name in names if _is_measured(text, name, 1)]
        for chosen in (names, measured) if 1 < len(measured) < len(names) else (names,):
            if 1 < len(chosen) <= _MOST_SUBJECTS:
                yield tuple(chosen)


def _is_kind(text: Text, at: int) -> bool:
    """Whether a word can tell one thing from another of its noun."""
    word = text.words[at]
    if not word.text[0].isalpha() or word.lower in _NO_KINDS | _JOINING | _SKIPPED | EACH or _is_number(text, at):
        return False
    return word.stem not in MEASURES and len(word.text) > 1


def _placed(text: Text) -> tuple[Phrase, ...]:
    """Names that stand behind 'in' or 'on', each more than once: 'at most $20 in the mine', 'the mine yields 3%'."""
    found: Counter[Phrase] = Counter()
    for at, word in enumerate(text.words[:-1]):
        if word.lower in ("in", "on", "into"):
            name = _name_from(text, at + 1)
            if name is not None and name[-1] not in MEASURES:
                found[name] += 1
    names = [name for name, count in found.items() if count > 1]
    names = [name for name in names if not any(name != other and _runs(other, name) for other in names)]
    return tuple(names) if 1 < len(names) <= _MOST_SUBJECTS else ()


def _counted_by(text: Text) -> tuple[Phrase, ...]:
    """Names behind 'per': 'the cost per cart trip is 6 and the cost per barge trip is 11'."""
    named = (_name_from(text, at + 1) for at in text.places.get("per", ()))
    found = dict.fromkeys(name for name in named if name is not None and name[-1] not in MEASURES)
    return tuple(found) if 1 < len(found) <= _MOST_SUBJECTS else ()


def _earning(text: Text) -> tuple[Phrase, ...]:
    """Names in front of 'earning $20' and the like: 'has painters earning $20 an hour and helpers earning $12'."""
    found: dict[Phrase, None] = {}
    for at in sorted(text.numbers):
        verb = next((i for i in (at - 1, at - 2) if i > 0 and text.words[i].lower.endswith("ing")), None)
        if verb is not None:
            named = _name_before(text, verb)
            name = named[1] if named is not None else _name(text, Span(verb - 1, verb))
            found |= {name: None} if name is not None else {}
    return tuple(found) if 1 < len(found) <= _MOST_SUBJECTS else ()


# ---- which list is decided about -------------------------------------------------------------------------------------


def _score(text: Text, group: tuple[Phrase, ...]) -> float:
    """How much a group looks like what is decided: each of its members is measured by numbers, and none measures."""
    if len(set(group)) < len(group):
        return -1.0
    found = naming(text, group)
    each = [0.0] * len(group)
    for one in found.mentions:
        each[one.variable] += _worth(text, one)
    if len({one.variable for one in found.mentions}) < len(group):
        return -1.0
    sentence = text.around(text.sentences, found.mentions[0].span.first)
    listing = any(word in _LISTING for word in text.lowers(sentence))
    early = text.sentences.index(sentence) < 2
    alike = bool(found.shared)
    return min(each) + 1.0 * listing + 1.0 * early + 0.7 * alike + 0.5 * (len(group) - 2)


def _worth(text: Text, one: Named) -> float:
    """What a mention says for its name being decided about."""
    at = one.span.first
    before = [text.words[i].lower if i >= 0 else "" for i in range(at - 1, at - 6, -1)]
    if before[0] == "the" and before[1] == "of":
        before = before[1:]
    clause = text.around(text.clauses, at)
    numbers = [i for i in range(clause.first, clause.last) if _is_number(text, i)]
    if _is_measured_in(text, at):
        return -1.0
    if before[0] == "of" and before[1] in MEASURES:
        if before[2] in EACH or before[2] in ("many", "of"):
            return 1.5
        return 0.2
    if before[0] in EACH or before[0] in _COUNTING or (before[0] == "of" and before[1] == "number"):
        return 1.0
    return 0.5 if any(i > at for i in numbers) else 0.2


def _is_measured_in(text: Text, at: int) -> bool:
    """Whether a name only says what a number above one is of: '10 minutes of peeling', '2 hours on the saw'."""
    words = text.words
    at -= words[at - 1].lower == "the"
    if at < 3 or words[at - 1].lower not in ("of", "on", "in", "with"):
        return False
    number = at - 3 if _is_number(text, at - 3) else at - 4
    if (
        number < 0
        or not _is_number(text, number)
        or words[number + 1].text == "%"
        or words[number].lower in ("1", "one")
    ):
        return False
    return not _ASKED & {words[i].lower for i in range(max(number - 3, 0), number)}


def _measured(text: Text) -> tuple[Phrase, ...]:
    """Where nothing is listed: what numbers are said of, one by one ('each desk takes 3 hours', 'at least 5 desks')."""
    counts: Counter[Phrase] = Counter()
    for clause in text.clauses:
        numbers = [i for i in range(clause.first, clause.last) if _is_number(text, i)]
        asked = _ASKED & set(text.lowers(clause))
        for at in range(clause.first, clause.last if numbers else clause.first):
            before = text.words[at - 1].lower if at > clause.first else ""
            subject = not asked and at <= clause.first + 2 and numbers[-1] > at
            if before in EACH or before == "of" or at - 1 in numbers or subject:
                name = _name_from(text, at)
                if name is not None and name[-1] not in MEASURES:
                    counts[name] += 1
        for at in numbers:
            # 'engineers earning $2000'
            verb = next((i for i in (at - 1, at - 2) if i > 0 and text.words[i].lower.endswith("ing")), None)
            found = _name_before(text, verb) if verb is not None else None
            if found is not None:
                counts[found[1]] += 1
    top = [name for name, count in counts.most_common(8) if count > 1]
    kept = [name for name in top if not any(name != other and _runs(other, name) for other in top)]
    solid = [name for name in kept if counts[name] * 2 >= counts[kept[0]] and _is_measured(text, name)]
    return tuple(sorted(solid, key=lambda name: _places(text, name)[0]))


def _subjects(text: Text) -> tuple[Phrase, ...]:
    """The names that clauses with numbers start with, two or more: 'A small van costs 5. A large van costs 8.'"""
    found: dict[Phrase, None] = {}
    for clause in text.clauses:
        verb = next((i for i in range(clause.first + 1, clause.last) if _is_verb(text, i)), None)
        if verb is None or _ASKED & set(text.lowers(clause)):
            continue
        if not any(_is_number(text, i) for i in range(verb, clause.last)):
            continue
        first = next((i for i in range(clause.first, verb) if text.words[i].lower not in _SKIPPED | EACH), verb)
        while first + 2 < verb and text.words[first].stem in MEASURES and text.words[first + 1].lower == "of":
            first += 2
        name = _name(text, Span(first, verb)) if verb - first <= _LONGEST else None
        if name is not None and name[-1] not in MEASURES:
            found.setdefault(name)
    kept = tuple(name for name in found if name[-1] not in _OWNERS)
    return next((names for names in (kept, tuple(found)) if 1 < len(names) <= _MOST_SUBJECTS), ())


def _is_verb(text: Text, at: int) -> bool:
    word = text.words[at].lower
    return word in VERBS or (word.endswith("ing") and at + 2 < len(text.words) and _is_number(text, at + 2))


def _is_measured(text: Text, name: Phrase, times: int = 2) -> bool:
    """Whether numbers follow a name in clauses of its own, so many times at least."""
    return sum(_worth(text, one) >= 0.5 for one in naming(text, (name,)).mentions) >= times
