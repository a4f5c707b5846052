"""Number-varied problems: a training question with other numbers, and its solution recomputed exactly.

A GSM8K solution annotates its arithmetic, `<<48/2=24>>`. Every number of an annotation is read as a number of the
question, an earlier result, or a constant that the words explain (2 for "half", 7 for "week"); that gives the graph of
the calculation. New numbers are drawn so that every operation of it keeps its character (integers stay integers, signs
and orders of magnitude stay), and question and solution are rewritten. Where a number could be read in two ways, both
readings must give the same value in a draw. What cannot be done safely is refused, with the reason.

    python -m data.variation --data gsm8k/train --limit 7000 --per-question 4 --out varied.jsonl
"""

from __future__ import annotations

import dataclasses
import random
import re
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

from data.arithmetic import CalculatorError, check, number, operations, postfix
from data.command import Parser, run_command
from data.errors import DataError, UserError
from data.mentions import Mention, mentions, rewrite, spell, write
from data.records import Problem
from data.rows import RowFile
from data.solutions import annotated, gold
from data.sources import SOURCES, load_rows

__all__ = ["Refusal", "vary", "vary_all"]

PROPOSALS: Final = 8  # for each varied problem, for each number that may change, counted as three at least
ROUNDS: Final = 4  # how many times as many draws as wanted problems may be tried

_DATE = re.compile(
    r"[0-9]:[0-9]|[0-9] ?(?:[ap]\.?m\b|o'?clock)|o'clock|\bnoon\b|\bmidnight\b"
    r"|\b(?:January|February|March|April|May|June|July|August|September|October|November|December) [0-9]"
    r"|\b(?:in|since|year|by|from|of|until) (?:1[5-9]|20)[0-9]{2}\b(?![,.]?[0-9%])",
    re.IGNORECASE,
)
_MIXED = re.compile(r"[0-9]+[ -][0-9]+/[0-9]|\band (?:a|one|three|two)[ -](?:half|quarters?|thirds?|fourths?)", re.I)
_LARGE = re.compile(r"\b(?:hundreds?|thousands?|millions?|billions?)\b", re.IGNORECASE)
_ORDINAL = re.compile(r"[0-9](?:st|nd|rd|th)\b", re.IGNORECASE)
_NOTATION = re.compile(
    r"[0-9](?! ?x ?[0-9])(?!(?:km|cm|mm|m|kg|g|mg|lbs?|oz|ml|l|ft|in|mph|kph|gb|mb|tb)\b)[A-Za-z]"
    r"|[A-Za-z_#][0-9]|[0-9]-[0-9]|(?:^|[ (])-\$?[0-9]|[0-9]['\"^*=]|[0-9] ?x ?[0-9]|[0-9]+ (?:by|x) [0-9]",
    re.IGNORECASE,
)
# Words behind which a calculation chooses, rounds or compares without saying so in an annotation.
_CHOICE = re.compile(
    r"\b(?:round(?:ed|ing|s)?|nearest|remainder|left ?over|maximum|minimum|at (?:least|most)|exceed(?:s|ed)?|"
    r"consecutive|(?:odd|even|prime|whole) numbers?|square root|no more than|up to|whichever|leap year|probability)\b",
    re.IGNORECASE,
)
_FRACTION = re.compile(r"\b([0-9]{1,9}) ?/ ?([0-9]{1,9})\b")
_PARTS: Final = {
    r"hal(?:f|ves)": 2,
    r"thirds?": 3,
    r"(?:quarter|fourth)s?": 4,
    r"fifths?": 5,
    r"sixths?": 6,
    r"sevenths?": 7,
    r"eighths?": 8,
    r"ninths?": 9,
    r"tenths?": 10,
}
_WORD_FRACTION = re.compile(
    rf"\b(one|two|three|four|five|six|seven|eight|nine)[- ]({'|'.join(_PARTS)})\b", re.IGNORECASE
)
# What words of question and solution explain as constants of a calculation.
_CUES: Final[Sequence[tuple[str, tuple[str, ...]]]] = (
    (r"hal(?:f|ves|ved|fway)|time and a half", ("2", "0.5", "1.5")),
    (r"half (?:an )?hour|half-hour", ("30",)),
    (r"twice|doubl\w*|pairs?|couples?|both|twins?|weekends?|each way|round[- ]trip|back and forth", ("2",)),
    (r"rectang\w+|perimeter|fence", ("2",)),
    (r"tripl\w*|thrice|triang\w+|yards?", ("3",)),
    (r"square|quadrupl\w*", ("4",)),
    (r"quarters?", ("25", "0.25")),
    (r"weeks?|weekly|days?|daily|everyday|nightly|nights?", ("7",)),
    (r"weekdays?|nickels?|workdays?", ("5",)),
    (r"years?|yearly|annual\w*|months?|monthly|dozens?|foot|feet|inch\w*", ("12",)),
    (r"hours?|hourly|minutes?|seconds?", ("60",)),
    (r"hours?|seconds?", ("3600",)),
    (r"days?|daily|hours?", ("24",)),
    (r"weeks?|weekly|years?|yearly|annual\w*", ("52",)),
    (r"years?|yearly|annual\w*|days?|daily", ("365",)),
    (r"months?|monthly", ("4", "30", "31")),
    (r"percent|percentage|cents?|dollars?|cm|centimeters?|meters?|century", ("100",)),
    (r"km|kilometers?|meters?|kg|kilograms?|grams?|liters?|ml|milliliters?|kilos?", ("1000",)),
    (r"pounds?|ounces?", ("16",)),
    (r"dimes?|decades?", ("10",)),
    (r"one|another|himself|herself|themselves|itself|myself|an?", ("1",)),
)
_EXPLAINED = [(re.compile(rf"\b(?:{p})\b", re.I), tuple(map(number, values))) for p, values in _CUES]
# Counts that the world sets, not the writer.
_NATURAL = re.compile(
    r"(?:legs?|legged|wheels?|wheeled|wheeler|eyes?|ears?|sides?|sided|wings?|fingers?|toes?|arms?|hands?|faces?|corners?"
    r"|suits?|tires?|strings?|degrees?|innings?|holes?|states?|letters?|seasons?|decks?|tentacles?)"
)
_BILL = re.compile(r"[- ](?:dollar |cent )?(?:bills?|coins?|pieces?)\b")
# Words that point at single things of a counted group; the count is then part of the story.
_POINTING = re.compile(
    r"\b(?:first|second|third|fourth|fifth|others?|another|both|former|latter|oldest|eldest|youngest|middle|last|"
    r"remaining|rest|either|neither|one of|final|next)\b",
    re.IGNORECASE,
)
_LIST = re.compile(r"(?:[^,.;:?!]{1,60}, ?){2,}(?:and|or) ")
# (unit, word that makes it a part of something larger, most it can be)
_CAPS: Final = (
    ("second", "minute", 60),
    ("minute", "hour", 60),
    ("hour", "da(?:y|ily)", 24),
    ("day", "week", 7),
    ("day", "month", 30),
    ("week", "month", 4),
    ("week", "year", 52),
    ("month", "year", 12),
    ("year", "", 100),
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a problem cannot be varied safely, in a few words that many problems share."""

    reason: str


class _Refused(Exception):
    """Raised with the reason where a problem turns out not to be safe."""


@dataclass(frozen=True, slots=True)
class _Source:
    """One reading of a number: `scale` times a value plus `shift`, of variable or result `index` (-1: a constant)."""

    kind: str  # "question", "result" or "constant"
    index: int = -1
    scale: Fraction = Fraction(1)
    shift: Fraction = Fraction(0)

    def value(self, drawn: Sequence[Fraction], results: Sequence[Fraction]) -> Fraction:
        if self.kind == "constant":
            return self.shift
        found = drawn[self.index] if self.kind == "question" else results[self.index]
        return found if self.scale == 1 and not self.shift else self.scale * found + self.shift


_Readings = tuple[_Source, ...]


@dataclass(frozen=True, slots=True)
class _Equation:
    """One annotation: `program` in postfix with operands as indices into `operands`, and what it was worth."""

    start: int  # of `<<` in the solution
    end: int
    expr: str
    written: str
    spans: tuple[tuple[int, int], ...]  # of the operands in `expr`
    program: tuple[str | int, ...]
    operands: tuple[_Readings, ...]
    result: Fraction
    characters: tuple[_Character, ...]  # of its operations, the result's last


def vary(problem: Problem, rng: random.Random, n: int) -> list[Problem] | Refusal:
    """Up to `n` problems like this one with other numbers, no two alike; a Refusal where none can be made safely.

    Their ids are the problem's with `~1`, `~2`, ...; `metadata` says `origin` (varied) and `of` (the problem's id);
    `solution` has GSM8K's form. Raises DataError for a question of a test split: those are never training data.
    """
    if "/test/" in problem.id:
        raise DataError(f"{problem.id} is a test question: only training questions may be varied")
    try:
        return _Graph(problem).draw(rng, n)
    except _Refused as refused:
        return Refusal(str(refused))


def vary_all(problems: Iterable[Problem], seed: int, per_question: int) -> tuple[list[Problem], Counter[str]]:
    """`vary` for every problem, and how many were refused for each reason.

    A problem's numbers depend on `seed` and its id alone; `metadata` carries the seed.
    """
    made: list[Problem] = []
    refused: Counter[str] = Counter()
    for problem in problems:
        found = vary(problem, random.Random(f"{seed}:{problem.id}"), per_question)
        if isinstance(found, Refusal):
            refused[found.reason] += 1
        else:
            made += [dataclasses.replace(p, metadata={**p.metadata, "seed": seed}) for p in found]
    return made, refused


class _Graph:
    """The calculation of one problem: variables (the distinct numbers of the question), equations, and their texts."""

    def __init__(self, problem: Problem) -> None:
        if problem.solution is None or problem.answer is None:
            raise _Refused("no annotated solution")
        self.problem = problem
        self.words, marker, _ = problem.solution.rpartition("####")
        if not marker:
            raise _Refused("no annotated solution")
        _refuse_notation(problem.question)
        plain = re.sub(r"<<[^<>]*>>", "", self.words)
        if _DATE.search(plain) or _LARGE.search(plain):
            raise _Refused("a date, a time or a large number word in the solution")
        fractions = [(m.span(), number(m[1]), number(m[2])) for m in _FRACTION.finditer(problem.question)]
        for match in _WORD_FRACTION.finditer(problem.question):
            parts = next(value for pattern, value in _PARTS.items() if re.fullmatch(pattern, match[2], re.I))
            count = mentions(match[1])[0].value if match[1].lower() != "one" else Fraction(1)
            fractions.append((match.span(), count, Fraction(parts)))
        spans = [span for span, _, _ in fractions]
        self.mentions = [m for m in mentions(problem.question) if not any(a <= m.start < b for a, b in spans)]
        self.originals = tuple(dict.fromkeys(m.value for m in self.mentions))
        fractions += [
            ((0, 0), Fraction(1), Fraction(n))
            for pattern, n in _PARTS.items()
            if re.search(rf"\b{pattern}\b", f"{problem.question}\n{plain}", re.IGNORECASE)
        ]
        self.parts = {int(under) for _, _, under in fractions if under}
        self.constants = _constants(f"{problem.question}\n{plain}", [(a, b) for _, a, b in fractions])
        self.equations = self._read_equations()
        self._refuse_loose_ends()
        self.texts = self._read_words()
        self.ambiguous = [readings for _, readings in self.texts if len(readings) > 1]
        self.claims = _claims(self.words)
        self.limits = self._limits()
        self.choices = self._choices()
        self.free = [i for i, choices in enumerate(self.choices) if len(choices) > 1]
        if not self.free:
            raise _Refused("no number that may change")
        self.orders = self._orders()
        # Shares of one whole stay so: their sum is not let past 100.
        self.percents = sorted({self.originals.index(m.value) for m in self.mentions if m.unit in {"%", "percent"}})
        whole = sum(self.originals[i] for i in self.percents)
        if whole > 100:
            self.percents = []
        self.below = _sign(whole - Fraction(100))

    # ---- reading ---------------------------------------------------------------------------------------------------

    def _read_equations(self) -> list[_Equation]:
        found: list[_Equation] = []
        results: list[Fraction] = []
        for annotation in check(self.words):
            if annotation.error or not annotation.ok:
                raise _Refused("an annotation that is not true")
            program = postfix(annotation.expr)
            written = [item for item in program if item[0] in ".0123456789"]
            values = operations(_numbers(annotation.expr))
            if values[-1] != number(annotation.written) or not _is_short(values[-1]):
                raise _Refused("a rounded result")
            spans = tuple(m.span() for m in re.finditer(r"[0-9][0-9,]*\.?[0-9]*|\.[0-9]+", annotation.expr))
            if [annotation.expr[a:b] for a, b in spans] != written:
                raise _Refused("an annotation in an odd notation")
            additive = _additive(program)
            operands = tuple(
                self._readings(number(text), results, additive=plus)
                for text, plus in zip(written, additive, strict=True)
            )
            places = iter(range(len(written)))
            indexed = tuple(next(places) if item[0] in ".0123456789" else item for item in program)
            start = self.words.rindex("<<", 0, annotation.start)
            end = self.words.index(">>", annotation.end) + 2
            found.append(
                _Equation(
                    start,
                    end,
                    annotation.expr,
                    annotation.written,
                    spans,
                    indexed,
                    operands,
                    values[-1],
                    tuple(map(_Character.of, values)),
                )
            )
            results.append(values[-1])
        if not found:
            raise _Refused("no annotated solution")
        if results[-1] != _answer(self.problem):
            raise _Refused("an answer that is not the last result")
        return found

    def _readings(self, value: Fraction, results: Sequence[Fraction], *, additive: bool) -> _Readings:
        """Every source that `value` may have come from."""
        found = [_Source("question", i) for i, v in enumerate(self.originals) if v == value]
        found += [_Source("result", i) for i, v in enumerate(results) if v == value]
        hundredth = Fraction(1, 100)
        parts = {self.originals.index(m.value): m.value for m in self.mentions if m.unit in {"%", "percent"}}
        cents = {self.originals.index(m.value): m.value for m in self.mentions if m.unit in {"cent", "cents"}}
        found += [_Source("question", i, hundredth) for i, v in {**parts, **cents}.items() if v / 100 == value]
        # A constant that is added or subtracted is more often a sum done in the head; 1 and 100 are wholes.
        if value in self.constants and (not additive or value in {1, 100}):
            found.append(_Source("constant", shift=value))
        if not found:
            for i, v in parts.items():
                for scale, shift in ((hundredth, Fraction(1)), (Fraction(1), Fraction(100))):
                    for sign in (1, -1):
                        if shift + sign * scale * v == value:
                            found.append(_Source("question", i, sign * scale, shift))
        if not found:
            raise _Refused("a number in an annotation that nothing explains")
        return tuple(found)

    def _refuse_loose_ends(self) -> None:
        sources = {(s.kind, s.index) for e in self.equations for readings in e.operands for s in readings}
        if any(("result", i) not in sources for i in range(len(self.equations) - 1)):
            raise _Refused("a result that nothing uses")
        used = {i for kind, i in sources if kind == "question"}
        loose = [m for m in self.mentions if self.originals.index(m.value) not in used]
        if any(m.value != 1 and m.value not in self.constants for m in loose):
            raise _Refused("a number in the question that no equation uses")

    def _read_words(self) -> list[tuple[Mention, _Readings]]:
        """The numbers of the solution's words that have a source, and what each may be."""
        found: list[tuple[Mention, _Readings]] = []
        blank = self.words
        for e in self.equations:  # masked, so that offsets stay
            blank = blank[: e.start] + " " * (e.end - e.start) + blank[e.end :]
        if _ORDINAL.search(blank):
            raise _Refused("an ordinal in the solution")
        for mention in mentions(blank):
            line_start = blank.rfind("\n", 0, mention.start) + 1
            line_end = blank.find("\n", mention.start) % (len(blank) + 1)
            here = [i for i, e in enumerate(self.equations) if line_start <= e.start < line_end]
            follows = [i for i in here if re.fullmatch(r"[ $]*", blank[self.equations[i].end : mention.start])]
            if follows and self.equations[follows[-1]].result == mention.value:
                found.append((mention, (_Source("result", follows[-1]),)))
                continue
            readings = [
                readings
                for i in here
                for (a, b), readings in zip(self.equations[i].spans, self.equations[i].operands, strict=True)
                if number(self.equations[i].expr[a:b]) == mention.value
            ]
            readings += [(_Source("result", i),) for i in here if self.equations[i].result == mention.value]
            if not readings:
                known = [e.result for e in self.equations if e.start < mention.start]
                try:
                    readings = [self._readings(mention.value, known, additive=False)]
                except _Refused:
                    if mention.is_word or mention.value == 1:
                        continue  # "the two of them": a word that belongs to the story
                    raise _Refused("a number in the solution's words that nothing explains") from None
            found.append((mention, tuple(dict.fromkeys(s for group in readings for s in group))))
        return found

    # ---- what numbers may become -----------------------------------------------------------------------------------

    def _limits(self) -> list[Fraction | None]:
        """The most each variable may be, where the world says so."""
        question = self.problem.question
        limits: list[Fraction | None] = []
        for value in self.originals:
            caps = [
                Fraction(most)
                for mention in self.mentions
                if mention.value == value
                for unit, whole, most in _CAPS
                if mention.unit.removesuffix("s") == unit and value <= most
                if re.search(rf"\b{whole}", question, re.IGNORECASE)
            ]
            limits.append(min(caps, default=None))
        return limits

    def _choices(self) -> list[tuple[Fraction, ...]]:
        """The values each variable may take; its own alone where it must stay."""
        question = self.problem.question
        # "3/4" may be a share that the writer worked out, whatever else is 3 or 4 in the question.
        shares = {
            Fraction(x) for m in _FRACTION.finditer(self.words) if int(m[1]) < int(m[2]) <= 20 for x in m.groups()
        }
        pointing = _POINTING.search(question) is not None
        counted = {1 + sum(item == "+" for item in e.program) for e in self.equations}
        counted |= {m.group().count(",") + 1 for m in _LIST.finditer(question)}
        found = []
        for value, limit in zip(self.originals, self.limits, strict=True):
            here = [m for m in self.mentions if m.value == value]
            measured = all(m.unit in {"$", "%", "percent", "cents"} for m in here)
            stays = (
                value <= 1
                or value in self.constants
                or value in shares
                or any(_NATURAL.fullmatch(m.unit) or _BILL.match(question, m.end) for m in here)
                or (not measured and value <= 6 and pointing)
                or (not measured and value in counted and value > 1)
                or limit in {4, 7}
            )
            near = (value,) if stays else _near(value, here, limit)
            if not measured:
                # "a third of them": whatever could be shared out so still can.
                parts = [part for part in self.parts if value % part == 0]
                near = tuple(v for v in near if not any(v % part for part in parts))
            found.append(near)
        return found

    def _orders(self) -> list[tuple[int, int, int]]:
        """Pairs of variables of one unit, and the sign of their difference, which must stay."""
        index = {m: self.originals.index(m.value) for m in self.mentions}
        pairs = {
            (index[a], index[b])
            for a in self.mentions
            for b in self.mentions
            if index[a] < index[b] and a.unit == b.unit and a.unit
        }
        return [(a, b, _sign(self.originals[a] - self.originals[b])) for a, b in sorted(pairs)]

    # ---- drawing ---------------------------------------------------------------------------------------------------

    def draw(self, rng: random.Random, n: int) -> list[Problem]:
        """A walk over the draws that fit, from the question's own numbers on; every so many proposals is one found."""
        state = list(self.originals)
        seen = {tuple(state)}
        made: list[Problem] = []
        if self.results(state) is None:
            raise _Refused("a number that can be read in two ways")
        for _ in range(ROUNDS * n):
            for _ in range(PROPOSALS * max(3, len(self.free))):
                proposal = list(state)
                for i in rng.sample(self.free, min(len(self.free), rng.choice((1, 1, 2, 3)))):
                    proposal[i] = rng.choice(self.choices[i])
                if self.results(proposal) is not None:
                    state = proposal
            if tuple(state) not in seen:
                seen.add(tuple(state))
                results = self.results(state)
                assert results is not None
                varied = self._problem(len(made) + 1, state, results)
                if varied is not None:
                    made.append(varied)
                if len(made) == n:
                    break
        if not made:
            raise _Refused("no other numbers fit")
        return made

    def results(self, drawn: Sequence[Fraction]) -> list[Fraction] | None:
        """The results under a draw, None where it does not fit."""
        if any(_sign(drawn[a] - drawn[b]) != sign for a, b, sign in self.orders):
            return None
        if self.percents and _sign(sum(drawn[i] for i in self.percents) - Fraction(100)) != self.below:
            return None
        results: list[Fraction] = []
        for equation in self.equations:
            values = []
            for readings in equation.operands:
                value = readings[0].value(drawn, results)
                if any(other.value(drawn, results) != value for other in readings[1:]):
                    return None
                values.append(value)
            try:
                found = operations([item if isinstance(item, str) else values[item] for item in equation.program])
            except CalculatorError:
                return None
            if not all(map(_Character.fits, equation.characters, found)):
                return None
            results.append(found[-1])
        for readings in self.ambiguous:
            value = readings[0].value(drawn, results)
            if any(other.value(drawn, results) != value for other in readings[1:]):
                return None
        return results

    def _problem(self, place: int, drawn: Sequence[Fraction], results: Sequence[Fraction]) -> Problem | None:
        """The problem of a draw; None where its words then claim something else that is not true."""
        question = rewrite(
            self.problem.question,
            [(m.start, m.end, _in_place(m, drawn[self.originals.index(m.value)])) for m in self.mentions],
        )
        changes = [(m.start, m.end, _in_place(m, readings[0].value(drawn, results))) for m, readings in self.texts] + [
            (e.start, e.end, _annotation(e, drawn, results, result))
            for e, result in zip(self.equations, results, strict=True)
        ]
        words = rewrite(self.words, sorted(changes))
        if _claims(words) != self.claims:
            return None
        solution = f"{words}#### {write(results[-1], '', pad=False)}"
        metadata = {**self.problem.metadata, "origin": "varied", "of": self.problem.id}
        varied = annotated(f"{self.problem.id}~{place}", question, solution)
        return dataclasses.replace(varied, metadata=metadata)


def _refuse_notation(question: str) -> None:
    for pattern, reason in (
        (_DATE, "a date or a time"),
        (_MIXED, "a mixed number"),
        (_LARGE, "a number word such as hundred"),
        (_ORDINAL, "an ordinal"),
        (_NOTATION, "a number in an odd notation"),
        (_CHOICE, "rounding, a choice or a condition"),
    ):
        if pattern.search(question):
            raise _Refused(reason)


def _constants(text: str, fractions: Sequence[tuple[Fraction, Fraction]]) -> set[Fraction]:
    """The numbers that the words of `text`, and `fractions` as (over, under), explain."""
    found = {value for pattern, values in _EXPLAINED if pattern.search(text) for value in values}
    for over, under in fractions:
        if under:
            found |= {over, under, over / under, under - over, 1 - over / under, under + over, 1 + over / under}
    if "%" in text or "$" in text:
        found |= {Fraction(100)}
    if "%" in text or "percent" in text or fractions:
        found |= {Fraction(1), Fraction(1, 100)}
    return found


def _additive(program: Sequence[str]) -> list[bool]:
    """For each number of a postfix program, in order, whether it is itself added or subtracted."""
    additive: list[bool] = []
    stack: list[int | None] = []  # the place of a number, None for the result of an operation
    for item in program:
        if item[0] in ".0123456789":
            stack.append(len(additive))
            additive.append(False)
            continue
        operands = [stack.pop()] if item in {"neg", "%"} else [stack.pop(), stack.pop()]
        for place in operands:
            if place is not None and item in "+-":
                additive[place] = True
        stack.append(None)
    return additive


def _claims(words: str) -> list[bool]:
    """For every chain `a = b = ...` of plain arithmetic in the words, whether its parts are equal."""
    plain = re.sub(r"<<[^<>]*>>", "", words).replace("$", "").replace(" x ", " * ").replace(",", "")
    found = []
    for chain in re.findall(r"[0-9(.][0-9.+*/() %-]*(?:=[ 0-9.+*/()%-]*[0-9)%])+", plain):
        try:
            # A full stop that closes the sentence is no decimal point.
            found.append(len({operations(_numbers(part.strip().rstrip(".")))[-1] for part in chain.split("=")}) == 1)
        except CalculatorError:
            found.append(False)
    return found


def _numbers(expr: str) -> list[Fraction | str]:
    """An expression in postfix with its numbers read. Raises CalculatorError."""
    return [number(item) if item[0] in ".0123456789" else item for item in postfix(expr)]


def _answer(problem: Problem) -> Fraction | None:
    text = (problem.answer or "").replace("$", "").strip()
    return number(text) if re.fullmatch(r"-?[0-9,]{0,20}\.?[0-9]{1,20}", text) else None


def _near(value: Fraction, here: Sequence[Mention], limit: Fraction | None) -> tuple[Fraction, ...]:
    """Values of the same kind and size: as round as `value` is, between half and twice it."""
    decimals = max(len(m.written.partition(".")[2]) for m in here)
    grain = Fraction(1)
    if value.denominator > 1:
        grain = (
            next(g for g in map(Fraction, ("0.5", "0.25", "0.1", "0.05", "0.01")) if (value / g).denominator == 1)
            if decimals <= 2
            else value
        )
    else:
        while value % (grain * 100) == 0 or (value % (grain * 10) == 0 and value / grain >= 100):
            grain *= 10
        if value % (5 * grain) == 0 and value >= 20 * grain:
            grain *= 5
    low, high = max(grain, value / 2), 2 * value + (1 if value < 10 and value.denominator == 1 else 0)
    if value.denominator == 1:
        low = max(low, Fraction(2))
    if value < 1:
        high = min(high, 1 - grain)
    if limit is not None:
        high = min(high, limit)
    if any(m.unit in {"%", "percent"} for m in here):
        low, high = (max(low, Fraction(101)), high) if value > 100 else (low, min(high, Fraction(99)))
    if any(m.is_word for m in here):
        high = min(high, Fraction(99))
    first = -(-low // grain)
    return tuple(k * grain for k in range(first, int(high // grain) + 1))


@dataclass(frozen=True, slots=True)
class _Character:
    """What a value must stay: between `low` and `high`, `whole` or not, and written by two decimals where it was."""

    low: Fraction
    high: Fraction
    whole: bool
    short: bool

    @classmethod
    def of(cls, value: Fraction) -> _Character:
        """Same sign, same side of 1, same order of magnitude."""
        size = abs(value)
        low, high = size / 3, max(3 * size, Fraction(10))
        if size == 0:
            low = high = size
        elif size < 1:
            high = Fraction(999_999, 1_000_000)
        else:
            low = max(low, Fraction(2 if size.denominator == 1 and size > 1 else 1))
        if value < 0:
            low, high = -high, -low
        return cls(low, high, value.denominator == 1, _is_short(value))

    def fits(self, value: Fraction) -> bool:
        if value.denominator != 1 and (self.whole or (self.short and not _is_short(value))):
            return False
        return self.low <= value <= self.high


def _is_short(value: Fraction) -> bool:
    """Whether two decimals write the value exactly."""
    return 100 % value.denominator == 0


def _sign(value: Fraction) -> int:
    return (value > 0) - (value < 0)


def _in_place(mention: Mention, value: Fraction) -> str:
    """`value` written as the mention is; the mention's own text where nothing changes."""
    if value == mention.value:
        return mention.written
    word = spell(value) if mention.is_word else None
    if word is None:
        return write(value, mention.written, pad=True)
    return word.capitalize() if mention.written[0].isupper() else word


def _annotation(equation: _Equation, drawn: Sequence[Fraction], results: Sequence[Fraction], result: Fraction) -> str:
    """`<<expr=value>>` with the operands' new values."""
    changes = []
    for (start, end), readings in zip(equation.spans, equation.operands, strict=True):
        old, value = equation.expr[start:end], readings[0].value(drawn, results)
        changes.append((start, end, old if value == number(old) else write(value, old, pad=False)))
    old = equation.written
    new = old if result == equation.result else write(result, old, pad=False)
    return f"<<{rewrite(equation.expr, changes)}={new}>>"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; see the module's text."""
    parser = Parser(prog="python -m data.variation", description="Number-varied problems from annotated solutions.")
    parser.add_argument("--data", default="gsm8k/train", help="NAME/SPLIT, not a test split (default: gsm8k/train)")
    parser.add_argument("--data-dir", type=Path, help="folder that holds NAME/SPLIT.jsonl")
    parser.add_argument("--limit", type=int, help="questions to vary (default: all)")
    parser.add_argument("--offset", type=int, default=0, help="the first of them (default: 0)")
    parser.add_argument("--per-question", type=int, default=4, help="varied problems for each question (default: 4)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--words", action="store_true", help="steps with their words (default: mathematics only)")
    parser.add_argument("--out", type=Path, required=True, help="JSON lines; continued where it exists")
    args = parser.parse_args(arguments)
    name, _, split = args.data.partition("/")
    if name not in SOURCES:
        raise UserError(f"--data is {args.data!r}: no data set {name!r}; choose one of: {', '.join(SOURCES)}")
    if split != "train":
        raise UserError(f"--data is {args.data!r}: only a train split may be varied")
    if args.per_question < 1 or args.offset < 0 or (args.limit is not None and args.limit < 1):
        raise UserError("--per-question and --limit must be at least 1, --offset at least 0")
    rows = load_rows(name, split, directory=args.data_dir, limit=args.limit, offset=args.offset)
    refused: Counter[str] = Counter()
    questions = written = 0
    settings = {"data": args.data, "seed": args.seed, "per_question": args.per_question, "words": args.words}
    with RowFile(args.out, {"command": "variation", **settings}) as file:
        for index, row in enumerate(rows, args.offset):
            problem = annotated(f"{args.data}/{index}", row["question"], row["answer"])
            made, reasons = vary_all([problem], args.seed, args.per_question)
            refused += reasons
            questions += bool(made)
            written += len(made)
            if problem.id not in file.done:
                file.add(problem.id, [_row(p, words=args.words) for p in made], refused=next(iter(reasons), None))
    print(f"{len(rows)} questions: {questions} varied, {written} problems in {args.out}; {refused.total()} refused")
    for reason, count in refused.most_common():
        print(f"{count:6}  {reason}")
    return 0


def _row(problem: Problem, *, words: bool) -> dict[str, object]:
    solution = gold(problem, words=words)
    assert solution is not None  # a varied problem has annotations
    return dataclasses.replace(solution, origin="varied", provenance=dict(problem.metadata)).to_json()


if __name__ == "__main__":
    sys.exit(run_command(main))
