"""The numbers of a text: what each is about, which words govern it, and whether it measures one unit or limits all."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final, Literal

from formulation.expressions import Sense
from formulation.quantities import Figure
from formulation.reading.variables import Named, Naming
from formulation.reading.words import CONTENTLESS, EACH, MEASURES, VERBS, Span, Word, alike, stems, table

__all__ = ["Amount", "Cue", "Role", "Topic", "amounts", "cue_in", "directly_named", "likeness", "money_sides"]

Role = Literal["use", "limit", "factor", "share", "more", "passed", "unknown"]
"""use: of one unit of a variable; limit: of a statement; factor: times another variable; share: of a whole; more: by
how much one exceeds another; passed: says nothing of its own ('1 kg of ham', 'two types'); unknown: not understood."""


@dataclass(frozen=True, slots=True)
class Cue:
    """Words that limit: their sense and their characters. Weak ones ('has', 'needs') limit only what is measured."""

    sense: Sense
    start: int
    end: int
    strong: bool


@dataclass(frozen=True, slots=True)
class Topic:
    """What a number is about: its unit ('' where none stands) and the stems of the words behind and before it."""

    unit: str
    after: frozenset[str]
    before: frozenset[str]

    @property
    def words(self) -> frozenset[str]:
        return self.after | self.before | {self.unit}


@dataclass(frozen=True, slots=True)
class Amount:
    """A number, its words, its clause, what it is about, its role, and the words that limit it."""

    figure: Figure
    span: Span
    clause: Span
    topic: Topic
    role: Role
    cue: Cue | None = None

    @property
    def value(self) -> Fraction:
        return self.figure.value


_NOT: Final = r"(?:not|n't|n’t|no|never|cannot|can not|nor)"
_STRONG: Final[Sequence[tuple[str, Sense]]] = (
    (
        rf"{_NOT} (?:\w+ ){{0,4}}(?:more|greater|higher|larger) tha[nt]|{_NOT} (?:\w+ ){{0,3}}(?:exceed|surpass)\w*",
        "<=",
    ),
    (rf"{_NOT} (?:\w+ ){{0,4}}(?:less|fewer|lower|smaller) than", ">="),
    (r"limit(?:ed|s|ing)? (?:[\w-]+ ){1,12}to", "<="),
    (r"(?:restrict|prevent|prohibit|forbid|avoid|stop)\w* (?:[\w-]+ ){0,5}more than", "<="),
    (r"at (?:the )?most|up to|maximum|max\b|limited? to|limiting|upper limit|restricted to|as many as", "<="),
    (r"less than|fewer than|lower than|smaller than|below|under|within|cap of|capped at", "<="),
    (r"at (?:the )?(?:very )?least|minimum|min\b|no fewer than|no less than|as few as", ">="),
    (r"more than|greater than|larger than|higher than|exceed\w*|over|above|in excess of", ">="),
    (r"exactly|equal to|precisely", "=="),
    (r"(?:must|should|has to|have to|needs to|need to) be\W*$", ">="),
)
_BEHIND: Final[Sequence[tuple[str, Sense]]] = (
    (r"^\W*(?:\w+ ){0,3}?(?:or more|or greater|at least|(?:at )?(?:a |the )?minimum|at the least)\b", ">="),
    (r"^\W*(?:\w+ ){0,3}?(?:or less|or fewer|at most|(?:at )?(?:a |the )?maximum)\b", "<="),
    (r"\b(?:limit|budget|is (?:the )?(?:most|maximum))\b", "<="),
)
_WEAK: Final[Sequence[tuple[str, Sense]]] = (
    (
        r"available|has|have|had|budget\w*|only|total|access|capacity|limit|limits|limited|spend|owns?|supply|supplies"
        r"|stock|there (?:is|are)|afford|allocat\w+|employ\w*|produces?|acquires?|receives?|can|purchases?|invest|put"
        r"|using|open for|sells?|possess\w*|obtain\w*|buys?|gets|got|given|holds?|uses?|worth|remaining|left"
        r"|reserve[sd]?",
        "<=",
    ),
    (
        r"(?:needs?|requires?|wants?|demands?|(?:must|should|has to|have to) \w+) (?:\w+ ){0,3}?total"
        r"|needs?|requires?|required|requirements?|must|should|demands?|wants?|expects?|goals?|targets?|hopes?|ensure|meet"
        r"|commit\w*|needed|orders? for|quota|have to|has to|recommend\w*|wish\w*|plans?|satisf\w+|aims?",
        ">=",
    ),
)
_FACTOR: Final = re.compile(r"^\s*(?:times|-fold|fold)\b", re.I)
_MULTIPLES: Final = table("twice double thrice triple quadruple")
_PARTS: Final = re.compile(r"half|third|quarter|fourth|fifth|sixth|seventh|eighth|ninth|tenth", re.I)
_USING: Final = table(
    "take takes cost costs contain contains require requires consume consumes yield yields burn burns"
)
"""Verbs of a clause of its own, which words further ahead in its sentence do not limit."""
_LAND: Final = stems("acre hectare sqft")
_OWNED: Final = re.compile(r"\b(?:his|her|their|its|our|your|an?|the)\W*$", re.I)
_PLACE: Final = re.compile(r"an? (?:third|fourth|fifth|sixth|seventh|eighth|ninth|tenth)", re.I)
_EARNING: Final = stems("profit revenue return income earn gain margin sale sell fundraise yield")
_PAYING: Final = stems("cost expense wage pay paid spend bill price payroll salary budget charge")
_TIMES: Final = table("second minute hour day week month year")
_CLOCK: Final = stems("second minute hour day week month")
_KINDS: Final = stems("type kind model grade different method product way option brand variety sort mixture")


def amounts(naming: Naming, roles: Mapping[int, Role] | None = None) -> list[Amount]:
    """The numbers of a text with their roles, in order; those inside the names of variables are left out.

    `roles`, where they are known, are by the first character of the number.
    """
    text = naming.text
    figures = [one for one in text.figures if not naming.covers(text.span_of(one.start, one.end).first)]
    found: list[Amount] = []
    told = 0
    for place, figure in enumerate(figures):
        span = text.span_of(figure.start, figure.end)
        clause = text.around(text.clauses, span.first)
        before = figures[place - 1].end if place else 0
        after = figures[place + 1].start if place + 1 < len(figures) else len(text.text)
        topic, told = _topic(naming, figure, span, clause, told, after)
        one = Amount(figure, span, clause, topic, "unknown")
        one = _governed(naming, one, found[-1] if found else None, before, after)
        if roles is not None:
            one = replace(one, role=_known(naming, one, roles.get(figure.start, "passed"), after))
        found.append(one)
    return found


def _known(naming: Naming, one: Amount, role: Role, after: int) -> Role:
    """A role that is given as use or limit, told apart further by the words."""
    special = _special(naming, one, after)
    if role == "passed" or special not in ("factor", "share", "more"):
        return role
    return role if role == "use" and one.topic.unit == "%" else special


# ---- topics ----------------------------------------------------------------------------------------------------------


def _topic(naming: Naming, figure: Figure, span: Span, clause: Span, before: int, after: int) -> tuple[Topic, int]:
    """What a number is about: words of its clause from word `before` to character `after`; and where they end."""
    text = naming.text
    words = text.words
    unit = "$" if text.text[: figure.start].rstrip().endswith(("$", "€", "£")) else ""
    if text.text[figure.start : figure.end].endswith(("%", "percent")):
        unit = "%"
    behind: list[str] = []
    end = span.last
    for i in range(span.last, clause.last):
        word = words[i]
        end = i
        if word.start >= after or naming.covers(i) or word.text in (",", ".", ";", "?"):
            break
        if word.lower in VERBS and word.lower in ("is", "are", "while", "requires", "costs", "and") and behind:
            break
        if i > span.last and words[i - 1].lower in EACH and word.stem in MEASURES:
            continue
        measured = i == span.last and i + 1 < clause.last and words[i + 1].stem in _CLOCK and word.stem not in _CLOCK
        if not unit and measured and word.text[0].isalpha() and not naming.covers(i + 1):
            unit = words[i + 1].stem  # '20 sawing hours'
            behind.append(word.stem)
        elif word.stem == unit and i == span.last + 1:
            continue
        elif not unit and i <= span.last + 1 and not behind and _is_unit(word):
            unit = "$" if word.stem == "dollar" else word.stem
        elif word.lower not in CONTENTLESS and word.text[0].isalpha():
            behind.append(word.stem)
    first = max(clause.first, before)
    ahead = {
        words[i].stem
        for i in range(first, span.first)
        if words[i].lower not in CONTENTLESS and words[i].text[0].isalpha() and not naming.covers(i)
    }
    if not ahead and "respectively" in text.lowers(clause):
        # 'the profit on a desk | and a chair are 3 and 4, respectively'
        earlier = text.around(text.clauses, max(clause.first - 1, text.around(text.sentences, clause.first).first))
        for part in (Span(clause.first, span.first), earlier):
            told = [words[i] for i in range(part.first, part.last) if not naming.covers(i) and i not in text.numbers]
            ahead = ahead or {word.stem for word in told if word.lower not in CONTENTLESS and word.text[0].isalpha()}
    return Topic(unit, frozenset(behind), frozenset(ahead | _heading(naming, span))), end


def _heading(naming: Naming, span: Span) -> set[str]:
    """What is said ahead of a list that a number stands in: 'the yearly return is as follows: gold, 3%; ruby, 5%'."""
    text = naming.text
    sentence = text.around(text.sentences, span.first)
    colon = next((i for i in range(span.first - 1, sentence.first, -1) if text.words[i].text == ":"), None)
    if colon is None:
        return set()
    told = (text.words[i] for i in range(sentence.first, colon) if not naming.covers(i))
    return {word.stem for word in told if word.lower not in CONTENTLESS and word.text[0].isalpha()}


def _is_unit(word: Word) -> bool:
    return word.text[0].isalpha() and (word.lower not in CONTENTLESS or word.lower in _TIMES or word.lower == "times")


def money_sides(words: Iterable[str]) -> frozenset[str]:
    """Whether words speak of earning or of paying."""
    found = set(words)
    return frozenset(
        side
        for side, table in (("earning", _EARNING), ("paying", _PAYING))
        if any(word in table or any(alike(word, other) for other in table if len(other) > 3) for word in found)
    )


def likeness(a: Topic, b: Topic) -> float:
    """How much two numbers seem to be about one thing; below 0 they are not."""
    if "$" in (a.unit, b.unit) and a.unit and b.unit and a.unit != b.unit:
        return -9.0
    mixed = "%" in (a.unit, b.unit) and a.unit and b.unit and a.unit != b.unit
    if mixed and not _shared(a.after, b.after):
        return -9.0  # '20% sugar' may be of '5 kg of sugar'
    score = 0.0
    if mixed:
        score += 1.5
    elif a.unit and b.unit:
        score += 2.0 if alike(a.unit, b.unit) else -1.0
    behind = _shared(a.after, b.after)
    score += 2.0 * min(behind, 2)
    if a.after and b.after and not behind:
        score -= 1.0
    score += min(_shared(a.before, b.before), 2)
    score += 1.5 * min(_shared(a.after | {a.unit}, b.before) + _shared(a.before, b.after | {b.unit}), 2)
    ours, theirs = money_sides(a.words), money_sides(b.words)
    if ours and theirs and not ours & theirs:
        score -= 3.0
    return score


def _shared(a: Iterable[str], b: Iterable[str]) -> int:
    others = [word for word in b if word]
    return sum(any(alike(word, other) for other in others) for word in a if word)


# ---- roles -----------------------------------------------------------------------------------------------------------


def cue_in(text: str, offset: int, table: Sequence[tuple[str, Sense]] = _STRONG, *, strong: bool = True) -> Cue | None:
    """The last words of a stretch of text that limit; among those that end together, the longest."""
    best: tuple[int, int, Sense] | None = None
    for pattern, sense in table:
        for match in re.finditer(rf"(?<!\w)(?:{pattern})(?!\w)", text, re.I):
            if best is None or (match.end(), -match.start()) > (best[1], -best[0]):
                best = (match.start(), match.end(), sense)
    return Cue(best[2], offset + best[0], offset + best[1], strong) if best else None


def _governed(naming: Naming, one: Amount, last: Amount | None, before: int, after: int) -> Amount:
    text = naming.text.text
    clause_start = naming.text.words[one.clause.first].start
    start = max(before, clause_start)
    lead = text[start : one.figure.start]
    end = min(after, naming.text.words[one.clause.last - 1].end)
    tail = text[one.figure.end : end]
    cue = cue_in(lead, start) or next(
        (
            Cue(sense, one.figure.end + m.start(), one.figure.end + m.end(), True)
            for pattern, sense in _BEHIND
            if (m := re.search(pattern, tail, re.I))
        ),
        None,
    )
    if cue is None and last is not None and last.role in ("limit", "share") and _continues(naming, lead, last, one):
        cue = last.cue
    if re.search(r"\bbetween\W*$", lead, re.I) and re.match(r"\s*and\b", tail, re.I):
        return replace(one, role="limit", cue=Cue(">=", one.figure.start, one.figure.start, False))
    if one.topic.unit in _LAND and _OWNED.search(lead):
        return replace(one, role="limit", cue=cue)  # 'on their 30 acre farm'
    special = _special(naming, one, after)
    if special is not None:
        return replace(one, role=special, cue=cue or _weak(naming, one, lead, start))
    strong = cue is not None and cue.strong
    per_unit = _is_per_unit(naming, one, cue if strong else None)
    if strong and not (per_unit and not _names_directly(naming, one)):
        return replace(one, role="limit", cue=cue)
    if _names_directly(naming, one) and not per_unit:
        return replace(one, role="limit", cue=cue or _weak(naming, one, lead, start) or Cue(">=", start, start, False))
    if per_unit or _measures(naming, one):
        return replace(one, role="use")
    weak = cue or _weak(naming, one, lead, start)
    return replace(one, role="limit", cue=weak) if weak is not None else one


def _continues(naming: Naming, lead: str, last: Amount, one: Amount) -> bool:
    """Whether a number goes on with what limits the one before: '45 small bags and 60 large bags'."""
    if re.search(r"[.?!]\s", lead):
        return False
    words = re.findall(r"[a-z]+", lead.lower())
    same = last.clause == one.clause or one.clause.first == last.clause.last
    return same and not any(word in VERBS for word in words) and len(words) < 14


def _weak(naming: Naming, one: Amount, lead: str, start: int) -> Cue | None:
    text = naming.text.text
    found = cue_in(lead, start, _WEAK, strong=False)
    sentence = naming.text.around(naming.text.sentences, one.span.first)
    end = naming.text.words[one.clause.last - 1].end
    behind = re.search(r"\bavailable\b", text[one.figure.end : end], re.I)
    if behind is not None:
        return Cue("<=", one.figure.end + behind.start(), one.figure.end + behind.end(), False)
    if found is not None:
        return found
    clause = naming.text.words[one.clause.first].start
    own = cue_in(text[clause : one.figure.start], clause, _WEAK, strong=False)
    if own is not None or any(word in _USING for word in naming.text.lowers(Span(one.clause.first, one.span.first))):
        return own
    first = naming.text.words[sentence.first].start
    return cue_in(text[first : one.figure.start], first, _WEAK, strong=False)


def _special(naming: Naming, one: Amount, after: int) -> Role | None:
    """Factors, shares, excesses, and numbers that say nothing of their own."""
    text = naming.text
    written = text.text[one.figure.start : one.figure.end].lower()
    tail = text.text[one.figure.end : min(after, len(text.text))]
    if written.isalpha() and re.match(r"-[a-z]", tail):
        return "passed"  # 'a double-decker bus'
    if re.search(r"\bthe following\W*$", text.text[: one.figure.start][-20:], re.I):
        return "passed"
    if text.text[: one.figure.start].endswith("(") and tail.startswith(")"):
        return "passed"  # '(1) radio and (2) posters'
    if written in _MULTIPLES or _FACTOR.match(tail):
        sentence = text.around(text.sentences, one.span.first)
        behind_it = naming.within(Span(one.span.last, sentence.last))
        several = len(naming.within(one.clause)) > 1 or len({mention.variable for mention in behind_it}) > 1
        return "factor" if several or written in _MULTIPLES else None
    behind = [word.lower for word in text.words[one.span.last : one.span.last + 4]]
    noun = bool(behind) and behind[0][0].isalpha() and behind[0] not in CONTENTLESS | VERBS
    if _PLACE.fullmatch(written) and noun and not naming.covers(one.span.last):
        return "passed"  # 'a third party'
    if one.topic.unit == "%" or _PARTS.search(written):
        lead = text.text[text.words[one.clause.first].start : one.figure.start]
        of = "of" in behind[:2] or "the" in behind[:1] or "as" in behind[:2]
        wanted = re.search(r"\b(?:must|should|has to|have to|needs?|wants?|requires?)\b", lead + tail, re.I)
        return "share" if cue_in(lead, 0) is not None or (of and wanted and naming.within(one.clause)) else None
    if behind[:1] in (["more"], ["fewer"], ["less"]) and "than" in [
        w.lower for w in text.words[one.span.last : one.clause.last]
    ]:
        return "more" if len({m.variable for m in naming.within(one.clause)}) > 1 else None
    if one.value == 1 and _opens_unit(naming, one):
        return "passed"
    if _LASTING.match(tail) or (one.value == 1 and _spans_time(naming, one)) or _counts_list(naming, one):
        return "passed"
    stems = [word.stem for word in text.words[one.span.last : one.span.last + 3]]
    if (
        _KINDS & set(stems)
        and one.value <= max(len(naming.names), 2)
        and (written.isalpha() or _only_counts(naming, one))
    ):
        return "passed"
    if written == "one" and (not behind or behind[0] in CONTENTLESS or not behind[0][0].isalpha()):
        return "passed"
    counting = written.isalpha() or (one.topic.unit[:1] not in ("$", "%") and not _is_after(naming, one))
    if one.value == 0 or (one.value == len(naming.names) and counting and _only_counts(naming, one)):
        return "passed"
    return None


_LASTING: Final = re.compile(
    r"-\s?(?:second|minute|hour|day|week|month|year)s?\b|\s(?:day|week|month|year)s? (?:term|commitment|period|plan)\b",
    re.I,
)
"""Behind a number that says how long something lasts: 'a 12-month commitment', 'a 1-minute spot'."""
_MOST_COUNTED: Final = 9
_LIST: Final = re.compile(
    r"^\s+(?:(?:[\w-]+\s+){0,11}?[\w-]+\s*:|(?:[\w-]+\s+){0,5}?[\w-]+(?:\s*[,(]|\s+(?:named|called)))\s*([^.;:?()]*)",
    re.I,
)
_ITEMS: Final = re.compile(r",?\s+and\s+|,?\s+or\s+|,\s*", re.I)


def _spans_time(naming: Naming, one: Amount) -> bool:
    """'to run it for 1 hour', 'in one day': a unit of time, and not an hour of something."""
    words = naming.text.words
    at = one.span.first
    behind = [word.lower for word in words[one.span.last : one.span.last + 2]]
    return (
        at > 0
        and words[at - 1].lower in ("for", "in")
        and bool(behind)
        and behind[0] in _TIMES
        and behind[1:] != ["of"]
    )


def _counts_list(naming: Naming, one: Amount) -> bool:
    """Whether a small number only says how long the list behind it is: 'two machines, a drill and a saw'."""
    if one.value.denominator != 1 or not 1 < one.value <= _MOST_COUNTED:
        return False
    text = naming.text
    clause = text.words[one.clause.first].start
    if cue_in(text.text[clause : one.figure.start], clause) is not None:
        return False
    found = _LIST.match(text.text[one.figure.end :])
    if found is None:
        return False
    listed = re.split(r",\s*(?:which|that|each|to|where|who)\b|\s+to\s+", found[1])[0]
    items = [item for item in _ITEMS.split(listed) if item.strip()]
    return len(items) == one.value and not any(character.isdigit() for character in listed)


def _only_counts(naming: Naming, one: Amount) -> bool:
    """Whether a number only says how many things are decided about: 'two creams', 'these two items'."""
    start = naming.text.words[one.clause.first].start
    lead = naming.text.text[start : one.figure.start]
    lead = re.split(r"\d[\d.,]*", lead)[-1]  # what limits a number before this one is not of this one
    stated = naming.within(Span(one.clause.first, one.span.first))
    return not stated and cue_in(lead, start) is None


def _is_after(naming: Naming, one: Amount) -> bool:
    """Whether a variable has been named before a number."""
    return any(mention.span.first < one.span.first for mention in naming.mentions[:1])


def _opens_unit(naming: Naming, one: Amount) -> bool:
    """'1 kg of ham', 'one desk': one unit of a variable."""
    words = naming.text.words
    at = one.span.last
    while at < len(words) and (words[at].stem in MEASURES or words[at].lower in ("of", "the")):
        at += 1
    return any(at in mention.span for mention in naming.mentions)


def _names_directly(naming: Naming, one: Amount) -> bool:
    return bool(directly_named(naming, one))


def directly_named(naming: Naming, one: Amount) -> Named | None:
    """The variable that a number counts: '40 desks', '200 kg of ham', '20 shifts of dentists'."""
    words = naming.text.words
    at = one.span.last
    for _ in range(5):
        if at >= len(words):
            return None
        found = next((mention for mention in naming.mentions if at == mention.span.first), None)
        if found is not None:
            return found
        word = words[at]
        if not (
            word.stem in MEASURES
            or word.lower in ("of", "the", "more", "new", "total", "different", "individual")
            or word.stem in naming.shared
        ):
            return None
        at += 1
    return None


def _is_per_unit(naming: Naming, one: Amount, strong: Cue | None) -> bool:
    """Whether the clause says the number of one unit of a variable: 'each desk takes 3', '3 hours on each desk'."""
    words = naming.text.words
    for mention in naming.within(one.clause):
        if strong is not None and strong.start <= words[mention.span.first].start < strong.end:
            continue  # 'limits the boxes on a truck to 20'
        at = mention.span.first - 1
        while (
            at > 0 and (words[at].stem in MEASURES or words[at].lower in ("of", "the")) and words[at].lower not in EACH
        ):
            at -= 1
        marked = words[at].lower in EACH or words[at].lower == "per"
        ahead = mention.span.first < one.span.first
        near = mention.span.first - one.span.last < 12 and not strong
        if marked and (ahead or words[at].lower in ("each", "per", "every") or near):
            listed = _is_listed(naming, mention)
            if not listed:
                return True
    return False


def _is_listed(naming: Naming, mention: Named) -> bool:
    """Whether a mention stands beside the others, as in 'either a desk or a chair'."""
    ordered = naming.mentions
    place = ordered.index(mention)
    for other in (*ordered[place + 1 : place + 2], *ordered[max(place - 1, 0) : place]):
        if _is_joined(naming, *sorted((mention, other), key=lambda m: m.span.first)):
            return True
    return False


def _is_joined(naming: Naming, first: Named, second: Named) -> bool:
    words = naming.text.words
    between = [words[i].lower for i in range(first.span.last, second.span.first)]
    joining = ("and", "or", ",", "a", "an", "the", "either", "by", "his", "her", "their", "its")
    return first.variable != second.variable and all(word in joining for word in between)


def _measures(naming: Naming, one: Amount) -> bool:
    """Whether a clause, or the one before it that it goes on from, has a variable for its subject."""
    text = naming.text
    inside = naming.within(one.clause)
    if any(m.span.first < one.span.first and not _in_purpose(naming, m) for m in inside):
        return True
    words = text.lowers(one.clause)
    apart = any(
        word in ("both", "each") and other not in _TIMES for word, other in zip(words, [*words[1:], ""], strict=True)
    )
    if apart and not inside and "available" not in words:
        return True
    if "respectively" in text.lowers(one.clause) and inside:
        return True
    if inside:
        return not all(_is_listed(naming, m) for m in inside) and not _in_purpose(naming, inside[0])
    sentence = text.around(text.sentences, one.span.first)
    if "respectively" in text.lowers(sentence) and text.words[sentence.first].lower in ("they", "these"):
        return True
    if opened_by(naming, sentence) or _goes_on(naming, one, sentence):
        return True
    earlier = Span(sentence.first, one.clause.first)
    subject_free = not any(w in ("they", "he", "she", "there", "company", "the") for w in words[:3])
    starts = naming.within(earlier)
    return bool(starts) and subject_free and not all(_in_purpose(naming, m) for m in starts)


def _goes_on(naming: Naming, one: Amount, sentence: Span) -> bool:
    """'Plums cost 2 dollars, and they take 3 hours': a pronoun for the variable that a sentence starts with."""
    words = naming.text.words
    first = next((m.span.first for m in naming.within(Span(sentence.first, one.clause.first))), None)
    if first is None or first > sentence.first + 1:
        return False
    return any(
        words[i].lower in ("they", "it") for i in range(one.clause.first, min(one.clause.first + 3, one.span.first))
    )


def opened_by(naming: Naming, sentence: Span) -> Named | None:
    """The one variable that the opening words of a sentence are about: 'In a day at the old mill, it can cut 3'."""
    words = naming.text.words
    opening = words[sentence.first].lower
    comma = next((i for i in range(sentence.first, sentence.last) if words[i].text == ","), sentence.first)
    found = naming.within(Span(sentence.first, comma))
    unit = EACH & set(naming.text.lowers(Span(sentence.first, comma)))
    if opening not in _OPENING and not (opening == "to" and unit):
        return None
    return found[0] if len({one.variable for one in found}) == 1 else None


_OPENING: Final = table("in at on with from for during by using per")


def _in_purpose(naming: Naming, mention: Named) -> bool:
    """Whether a mention only says what something is for: 'to make desks and chairs'."""
    words = naming.text.words
    ordered = naming.mentions
    place = ordered.index(mention)
    while place > 0 and _is_joined(naming, ordered[place - 1], ordered[place]):
        place -= 1
    first = ordered[place].span.first
    back = [words[i].lower for i in range(first - 1, max(first - 4, -1), -1)]
    if back[1:2] == ["to"] and back[0] in VERBS and words[first].stem != words[first].lower:
        return True  # 'has 90 kg of flour to bake rolls and small buns'
    return _is_listed(naming, mention) and ("to" in back or "make" in back or "for" in back)
