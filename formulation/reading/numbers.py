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
    (rf"{_NOT} (?:\w+ ){{0,2}}(?:more|greater|higher|larger) than|{_NOT} (?:\w+ ){{0,3}}(?:exceed|surpass)\w*", "<="),
    (rf"{_NOT} (?:\w+ ){{0,2}}(?:less|fewer|lower|smaller) than", ">="),
    (r"limit(?:ed|s|ing)? (?:[\w-]+ ){1,8}to", "<="),
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
        r"|using|open for|possess\w*|obtain\w*|buys?|gets|got|given|holds?|uses?|worth|remaining|left|reserve[sd]?",
        "<=",
    ),
    (
        r"needs?|requires?|required|requirements?|must|should|demands?|wants?|expects?|goals?|targets?|hopes?|ensure|meet"
        r"|commit\w*|needed|orders? for|quota|have to|has to|recommend\w*|wish\w*|plans?|satisf\w+|aims?",
        ">=",
    ),
)
_FACTOR: Final = re.compile(r"^\s*(?:times|-fold|fold)\b", re.I)
_MULTIPLES: Final = table("twice double thrice triple quadruple")
_PARTS: Final = re.compile(r"half|third|quarter|fourth|fifth|sixth|seventh|eighth|ninth|tenth", re.I)
_EARNING: Final = stems("profit revenue return income earn gain margin sale sell fundraise yield")
_PAYING: Final = stems("cost expense wage pay paid spend bill price payroll salary budget charge")
_TIMES: Final = table("second minute hour day week month year")
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
        if not unit and i <= span.last + 1 and not behind and _is_unit(word):
            unit = "$" if word.stem == "dollar" else word.stem
        elif word.lower not in CONTENTLESS and word.text[0].isalpha():
            behind.append(word.stem)
    first = max(clause.first, before)
    ahead = {
        words[i].stem
        for i in range(first, span.first)
        if words[i].lower not in CONTENTLESS and words[i].text[0].isalpha() and not naming.covers(i)
    }
    return Topic(unit, frozenset(behind), frozenset(ahead)), end


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
    if ("$" in (a.unit, b.unit) or "%" in (a.unit, b.unit)) and a.unit and b.unit and a.unit != b.unit:
        return -9.0
    score = 0.0
    if a.unit and b.unit:
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
    special = _special(naming, one, after)
    if special is not None:
        return replace(one, role=special, cue=cue or _weak(naming, one, lead, start))
    strong = cue is not None and cue.strong
    per_unit = _is_per_unit(naming, one, strong=strong)
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
    first = naming.text.words[sentence.first].start
    return cue_in(text[clause : one.figure.start], clause, _WEAK, strong=False) or cue_in(
        text[first : one.figure.start], first, _WEAK, strong=False
    )


def _special(naming: Naming, one: Amount, after: int) -> Role | None:
    """Factors, shares, excesses, and numbers that say nothing of their own."""
    text = naming.text
    written = text.text[one.figure.start : one.figure.end].lower()
    tail = text.text[one.figure.end : min(after, len(text.text))]
    if written in _MULTIPLES or _FACTOR.match(tail):
        return "factor" if len(naming.within(one.clause)) > 1 or written in _MULTIPLES else None
    behind = [word.lower for word in text.words[one.span.last : one.span.last + 4]]
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
    stems = [word.stem for word in text.words[one.span.last : one.span.last + 3]]
    if _KINDS & set(stems) and one.value <= max(len(naming.names), 2) and written.isalpha():
        return "passed"
    if written == "one" and (not behind or behind[0] in CONTENTLESS or not behind[0][0].isalpha()):
        return "passed"
    if one.value == 0 or (one.value == len(naming.names) and written.isalpha() and _only_counts(naming, one)):
        return "passed"
    return None


def _only_counts(naming: Naming, one: Amount) -> bool:
    """Whether a number only says how many things are decided about: 'two creams', 'these two items'."""
    start = naming.text.words[one.clause.first].start
    lead = naming.text.text[start : one.figure.start]
    stated = naming.within(Span(one.clause.first, one.span.first))
    return not stated and cue_in(lead, start) is None


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


def _is_per_unit(naming: Naming, one: Amount, *, strong: bool) -> bool:
    """Whether the clause says the number of one unit of a variable: 'each desk takes 3', '3 hours on each desk'."""
    words = naming.text.words
    for mention in naming.within(one.clause):
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
    words = naming.text.words
    ordered = naming.mentions
    place = ordered.index(mention)
    for other in (*ordered[place + 1 : place + 2], *ordered[max(place - 1, 0) : place]):
        first, second = sorted((mention, other), key=lambda m: m.span.first)
        between = [words[i].lower for i in range(first.span.last, second.span.first)]
        if other.variable != mention.variable and all(
            w in ("and", "or", ",", "a", "an", "the", "either", "by") for w in between
        ):
            return True
    return False


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
    if apart and not inside:
        return True
    if "respectively" in text.lowers(text.around(text.sentences, one.span.first)) and inside:
        return True
    if inside:
        return not all(_is_listed(naming, m) for m in inside) and not _in_purpose(naming, inside[0])
    sentence = text.around(text.sentences, one.span.first)
    earlier = Span(sentence.first, one.clause.first)
    subject_free = not any(w in ("they", "he", "she", "there", "company", "the") for w in words[:3])
    starts = naming.within(earlier)
    return bool(starts) and subject_free and not all(_in_purpose(naming, m) for m in starts)


def _in_purpose(naming: Naming, mention: Named) -> bool:
    """Whether a mention only says what something is for: 'to make desks and chairs'."""
    words = naming.text.words
    back = [words[i].lower for i in range(mention.span.first - 1, max(mention.span.first - 4, -1), -1)]
    return _is_listed(naming, mention) and ("to" in back or "make" in back or "for" in back)
