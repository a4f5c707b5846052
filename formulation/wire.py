"""The compact format that a small model writes: version 3.

Code tags the numbers of a text; the model never writes one. It names the variables by words of the text, then writes
one line a declaration, its kind first:

    var int oak chairs                  the first variable, V1, whole numbers; also: real, yes
    var int oak tables                  V2
    max profit                          or min; the sum of what lines such as the next two say of profit
    N5 chairs profit                    N5 is what one of V1 adds to profit
    N6 tables profit
    linear <= N3 | N1*V1 + N2*V2        a weighted sum, its terms written out
    linear <= N3 | hours                or named as above
    bound >= N7 | V1
    sum <= N8 | V1 + V2
    range N1 N2 | V1 + V2
    share >= N9 | V1 / V1 + V2          at least the share N9 of the whole
    times >= N4 | V1 : V2               V1 >= N4 * V2
    than <= | V1 : V2                   V1 <= V2
    more >= N4 | V1 : V2                V1 - V2 >= N4
    if V1 : not V2                      decisions; of amounts: whether there is any
    iff V1 V2
    count <= 1 | V1 V2 V3               how many of them
    least N4 | V1                       none, or at least N4
    within N4 N5 | V1                   none, or from N4 to N5
    lots N4 | V1
    charge N4 | V1                      paid once if there is any
    either bound <= N1 | V1 or bound >= N2 | V2
    when V1 : linear <= N3 | N1*V1 + N2*V2

Lines stand in any order behind the variables. Wherever V1, V2, ... stand, a variable may be called by its own word
instead (`references`): a small model copies a word from beside a number more surely than it counts variables. Naming
sums lets it say each number where it reads it, in the order of the text, and leaves putting them together to code;
`formulation.sums.named` writes a draft so. The format has its own version, apart from the one of stored problems.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from data.errors import DataError
from formulation.expressions import Sense

__all__ = [
    "MOST_VARIABLES",
    "SHAPES",
    "VERSION",
    "Amount",
    "Decision",
    "Declared",
    "Draft",
    "Line",
    "Short",
    "Term",
    "declared_in",
    "grammar",
    "parse",
    "parse_line",
    "references",
    "statement_lines",
    "tags_of",
    "write",
    "write_line",
]

VERSION: Final = 3
MOST_VARIABLES: Final = 12
_MOST_LINES: Final = 60
_MOST_TEXT: Final = 8000  # characters

Short = Literal["int", "real", "yes"]
"""How the format writes integer, continuous and binary."""
DOMAINS: Final[tuple[Short, ...]] = ("int", "real", "yes")
SENSES: Final[tuple[Sense, ...]] = ("<=", ">=", "==")

SHAPES: Final[dict[str, tuple[str, ...]]] = {
    "max": ("terms",),
    "min": ("terms",),
    "linear": ("sense", "number", "|", "terms"),
    "bound": ("sense", "number", "|", "variable"),
    "sum": ("sense", "number", "|", "variables"),
    "range": ("number", "number", "|", "terms"),
    "share": ("sense", "number", "|", "terms", "/", "terms"),
    "times": ("sense", "number", "|", "terms", ":", "terms"),
    "than": ("sense", "|", "terms", ":", "terms"),
    "more": ("sense", "number", "|", "terms", ":", "terms"),
    "if": ("decision", ":", "decision"),
    "iff": ("decisions",),
    "count": ("sense", "number", "|", "decisions"),
    "least": ("number", "|", "variable"),
    "within": ("number", "number", "|", "variable"),
    "lots": ("number", "|", "variable"),
    "charge": ("number", "|", "variable"),
    "either": ("row", "or", "row"),
    "when": ("decision", ":", "row"),
}
"""What follows each kind, in order; all else (`|`, `/`, `:`, `or`) stands as it is. `row` is one of `_ROWS`."""
_ROWS: Final = ("linear", "bound", "sum", "share", "times", "than", "more")
_PARTS: Final = frozenset({"terms", "sense", "number", "variable", "variables", "decision", "decisions", "row"})


@dataclass(frozen=True, slots=True)
class Amount:
    """The number with a tag (counted from 1), or where `tag` is 0 the plain number `plain`, 0 or 1."""

    tag: int = 0
    plain: Literal[0, 1] = 1

    def __str__(self) -> str:
        return f"N{self.tag}" if self.tag else str(self.plain)


@dataclass(frozen=True, slots=True)
class Term:
    """A variable (counted from 1), with its coefficient's tag (0: none, the coefficient is 1) and sign."""

    variable: int
    tag: int = 0
    negative: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether there is any of a variable (counted from 1), or none."""

    variable: int
    negated: bool = False

    def __str__(self) -> str:
        return f"not V{self.variable}" if self.negated else f"V{self.variable}"


@dataclass(frozen=True, slots=True)
class Line:
    """A declaration: what `SHAPES[kind]` asks for, in its order."""

    kind: str
    sense: Sense | None = None
    amounts: tuple[Amount, ...] = ()
    sides: tuple[tuple[Term, ...], ...] = ()
    decisions: tuple[Decision, ...] = ()
    rows: tuple[Line, ...] = ()

    def variables(self) -> Iterator[int]:
        """The variables that it names, with repeats."""
        yield from (term.variable for side in self.sides for term in side)
        yield from (decision.variable for decision in self.decisions)
        for row in self.rows:
            yield from row.variables()

    def tags(self) -> Iterator[int]:
        """The tags of the numbers that it uses, with repeats."""
        yield from (amount.tag for amount in self.amounts if amount.tag)
        yield from (term.tag for side in self.sides for term in side if term.tag)
        for row in self.rows:
            yield from row.tags()


@dataclass(frozen=True, slots=True)
class Declared:
    """A variable: words of the text, and its domain."""

    domain: Short
    words: str


@dataclass(frozen=True, slots=True)
class Draft:
    """What a model has written: variables, then lines."""

    variables: tuple[Declared, ...]
    lines: tuple[Line, ...]


# ---- writing ---------------------------------------------------------------------------------------------------------


def write(draft: Draft) -> str:
    """The lines of a draft, each with its line break."""
    names = [f"var {one.domain} {one.words}" for one in draft.variables]
    return "".join(f"{line}\n" for line in (*names, *map(write_line, draft.lines)))


def write_line(line: Line) -> str:
    """One declaration as text."""
    amounts, sides = iter(line.amounts), iter(line.sides)
    decisions, rows = iter(line.decisions), iter(line.rows)
    found = [line.kind]
    for part in SHAPES[line.kind]:
        match part:
            case "sense":
                found.append(str(line.sense))
            case "number":
                found.append(str(next(amounts)))
            case "terms" | "variables" | "variable":
                found.append(_sum(next(sides)))
            case "decision":
                found.append(str(next(decisions)))
            case "decisions":
                found += map(str, decisions)
            case "row":
                found.append(write_line(next(rows)))
            case _:
                found.append(part)
    return " ".join(found)


def _sum(terms: Sequence[Term]) -> str:
    text = ""
    for place, term in enumerate(terms):
        sign = (" - " if term.negative else " + ") if place else ("-" if term.negative else "")
        text += f"{sign}{f'N{term.tag}*' if term.tag else ''}V{term.variable}"
    return text


_WORD: Final = re.compile(r"[A-Za-z]+(?:[1-9]\d*)?")
_RESERVED: Final = frozenset({*SHAPES, *DOMAINS, "var", "not", "or"})


def references(names: Sequence[str]) -> list[str]:
    """What the variables of these names are called in lines: the first word that no other name has, else V1, V2, ..."""
    words = [
        [w for w in _WORD.findall(name) if w.lower() not in _RESERVED and not re.fullmatch(r"[NVnv]\d+", w)]
        for name in names
    ]
    counts = Counter(word for own in words for word in {w.lower() for w in own})
    return [
        next((word for word in own if counts[word.lower()] == 1), f"V{number}")
        for number, own in enumerate(words, start=1)
    ]


# ---- reading ---------------------------------------------------------------------------------------------------------

_TOKEN: Final = re.compile(r"\s*(<=|>=|==|[|/:+*-]|[A-Za-z]+(?:[1-9]\d*)?|[01](?!\d)|$)")


def parse(text: str, numbers: int) -> Draft:
    """The draft of a text whose numbers have the tags 1 to `numbers`. Raises DataError with the number of the line."""
    if len(text) > _MOST_TEXT:
        raise DataError(f"{len(text)} characters are no draft: at most {_MOST_TEXT} are read")
    variables: list[Declared] = []
    written: list[tuple[int, str]] = []
    sums: dict[str, list[Term]] = {}
    called: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            kind, _, rest = line.strip().partition(" ")
            if kind == "var" and (written or sums):
                raise DataError("variables come before all else")
            if kind == "var":
                variables.append(_declared(rest))
                continue
            called = called or _called(variables)
            if _is_part(line):
                name, terms = _Reader(_tokens(line, called), len(variables), numbers).part()
                sums.setdefault(name, []).extend(terms)
            else:
                written.append((number, line))
        except DataError as error:
            raise DataError(f"line {number}: {error}") from None
    lines: list[Line] = []
    named = {name: tuple(dict.fromkeys(terms)) for name, terms in sums.items()}
    _lend(named, written, called)
    for number, line in written:
        try:
            lines.append(parse_line(line, len(variables), numbers, named, called))
        except DataError as error:
            raise DataError(f"line {number}: {error}") from None
    if len(variables) > MOST_VARIABLES or len(lines) > _MOST_LINES:
        raise DataError(f"more than {MOST_VARIABLES} variables or {_MOST_LINES} lines")
    return Draft(tuple(variables), tuple(lines))


def _lend(sums: dict[str, tuple[Term, ...]], written: Sequence[tuple[int, str]], called: Mapping[str, str]) -> None:
    """Give the one sum that no line uses to the one name in lines that no number is said to add to.

    A small model says what 'printing' takes and then limits 'hours'.
    """
    used = {word.lower() for _, line in written for word in re.findall(r"(?:\||max|min) ([A-Za-z]+)\b", line)}
    idle = [name for name in sums if name not in used]
    unknown = sorted(word for word in used - set(sums) if _stem(word) not in called)
    if len(idle) == len(unknown) == 1:
        sums[unknown[0]] = sums[idle[0]]


def _declared(rest: str) -> Declared:
    domain, _, words = rest.partition(" ")
    if domain not in DOMAINS:
        raise DataError(f"a variable is {', '.join(DOMAINS)}, not {domain!r:.20}")
    if not words.strip():
        raise DataError("a variable needs its words")
    return Declared(domain, " ".join(words.split()))


def declared_in(line: str) -> str | None:
    """The words of the variable that a line declares; None where it declares none."""
    head, _, rest = line.strip().partition(" ")
    return " ".join(rest.partition(" ")[2].split()) if head == "var" else None


def statement_lines(text: str) -> list[int]:
    """Which lines of a draft, counted from 0, are statements: one for each of its `lines`, in their order."""
    lines = [(at, line) for at, line in enumerate(text.splitlines()) if line.strip()]
    return [at for at, line in lines if declared_in(line) is None and not _is_part(line)]


def tags_of(line: str) -> list[int]:
    """The tags of the numbers that a line writes out."""
    return [int(found) for found in re.findall(r"\bN(\d{1,4})\b", line)]


def _is_part(line: str) -> bool:
    """Whether a line says what a number adds to a named sum."""
    return re.match(r"\s*N\d", line) is not None


def _called(variables: Sequence[Declared]) -> dict[str, str]:
    """V1, V2, ... by the stems of what the variables are called: their words first, then what else names only one."""
    names = [one.words for one in variables]
    words = [[_stem(w) for w in _WORD.findall(name) if w.lower() not in _RESERVED] for name in names]
    counts = Counter(word for own in words for word in set(own))
    heads = Counter(own[0] for own in words if own)
    found: dict[str, str] = {}
    for number, (own, reference) in enumerate(zip(words, references(names), strict=True), start=1):
        found[_stem(reference)] = f"V{number}"
        found |= {word: f"V{number}" for word in own if counts[word] == 1}
    for number, own in enumerate(words, start=1):
        if own and heads[own[0]] == 1:
            found.setdefault(own[0], f"V{number}")  # 'AC seats' beside 'non-AC seats'
    return found


def _stem(word: str) -> str:
    lower = word.lower()
    return lower[:-1] if lower.endswith("s") and not lower.endswith("ss") and len(lower) > 3 else lower


def parse_line(
    line: str,
    variables: int,
    numbers: int,
    sums: Mapping[str, tuple[Term, ...]] | None = None,
    called: Mapping[str, str] | None = None,
) -> Line:
    """One declaration, for so many variables and tagged numbers. Raises DataError.

    `sums` are those that have names; `called` gives V1, V2, ... for the stems of words that variables are called by.
    """
    reader = _Reader(_tokens(line, called or {}), variables, numbers, sums or {})
    found = reader.line(tuple(SHAPES))
    reader.word("")
    return found


def _tokens(line: str, called: Mapping[str, str]) -> list[str]:
    """The tokens of a line, variables by number. Its first word is its kind, or a tag."""
    found: list[str] = []
    at = 0
    while at < len(line):
        match = _TOKEN.match(line, at)
        if match is None or match.end() == at:
            raise DataError(f"cannot read {line[at:].strip()!r:.20}")
        at = match.end()
        if match[1]:
            found.append(called.get(_stem(match[1]), match[1]) if found else match[1])
    return found


class _Reader:
    """The tokens of a line, taken one after the other."""

    def __init__(
        self, tokens: Sequence[str], variables: int, numbers: int, sums: Mapping[str, tuple[Term, ...]] | None = None
    ) -> None:
        self.tokens, self.at = tokens, 0
        self.sums = sums or {}
        self.most = {"V": variables, "N": numbers}

    @property
    def next(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self) -> str:
        found = self.next
        self.at += 1
        return found

    def word(self, wanted: str) -> None:
        found = self.take()
        if found != wanted:
            raise DataError(f"{found or 'the end'} stands where {wanted or 'the end'} should")

    def tag(self, letter: str) -> int:
        found = self.take()
        digits = found[1:]
        if found[:1] != letter or not digits.isdecimal() or len(digits) > 4:
            raise DataError(f"{found or 'the end'} stands where {letter}1, {letter}2, ... should")
        if int(digits) > self.most[letter]:
            raise DataError(f"there is no {found}: the last is {letter}{self.most[letter]}")
        return int(digits)

    def line(self, kinds: Sequence[str]) -> Line:
        kind = self.take()
        if kind not in kinds:
            raise DataError(f"no kind {kind!r:.20}: there are {', '.join(kinds)}")
        sense: Sense | None = None
        amounts: list[Amount] = []
        sides: list[tuple[Term, ...]] = []
        decisions: list[Decision] = []
        rows: list[Line] = []
        for part in SHAPES[kind]:
            match part:
                case "sense":
                    sense = self.sense()
                case "number":
                    amounts.append(self.amount())
                case "variable":
                    sides.append((Term(self.tag("V")),))
                case "variables" | "terms":
                    sides.append(self.terms(weighted=part == "terms"))
                case "decision":
                    decisions.append(self.decision())
                case "decisions":
                    while not decisions or self.next:
                        decisions.append(self.decision())
                case "row":
                    rows.append(self.line(_ROWS))
                case _:
                    self.word(part)
        return Line(kind, sense, tuple(amounts), tuple(sides), tuple(decisions), tuple(rows))

    def sense(self) -> Sense:
        found = self.take()
        if found not in SENSES:
            raise DataError(f"{found or 'the end'} stands where {', '.join(SENSES)} should")
        return found

    def amount(self) -> Amount:
        if self.next in ("0", "1"):
            return Amount(0, 1 if self.take() == "1" else 0)
        return Amount(self.tag("N"))

    def part(self) -> tuple[str, list[Term]]:
        """The name of a sum, and what a line adds to it: `N5 V1 V2 profit`."""
        tag = self.tag("N")
        found: list[Term] = []
        while not found or self.next[1:].isdecimal() or self.next == "-":
            negative = self.next == "-"
            if negative:
                self.take()
            found.append(Term(self.tag("V"), tag, negative))
        name = self.take()
        if not name.isalpha():
            raise DataError(f"{name or 'the end'} stands where the name of a sum should")
        self.word("")
        return name.lower(), found

    def terms(self, *, weighted: bool) -> tuple[Term, ...]:
        found: list[Term] = []
        if weighted and self.next.isalpha():
            name = self.take().lower()
            if name not in self.sums:
                raise DataError(f"no number is said to add to {name!r:.20}")
            return self.sums[name]
        while True:
            negative = weighted and self.next == "-"
            if negative or (found and self.next == "+"):
                self.take()
            tag = 0
            if weighted and self.next[:1] == "N":
                tag = self.tag("N")
                self.word("*")
            found.append(Term(self.tag("V"), tag, negative))
            if self.next not in (("+", "-") if weighted else ("+",)):
                return tuple(found)

    def decision(self) -> Decision:
        negated = self.next == "not"
        if negated:
            self.take()
        return Decision(self.tag("V"), negated)


# ---- what may be written ---------------------------------------------------------------------------------------------


def grammar(
    numbers: int,
    names: Sequence[str] = (),
    *,
    declared: Sequence[str] = (),
    lines: int = 0,
    unit: Literal["draft", "line"] = "draft",
) -> str:
    """What may follow a draft's `declared` variables and first `lines`, as a GBNF grammar: all the rest, or one line.

    `numbers` is how many tagged numbers the text has; `names` are the words that variables may have (default: any
    letters, digits, blanks and hyphens). One variable and one line at least there are; one line may be none where the
    draft may end. Behind a first line, every line names only variables that were declared, so that it can be read;
    before, while it is open which there will be, they may be called by any word.
    """
    variables = len(declared)
    counts = range(max(variables, 1), MOST_VARIABLES + 1) if not lines else [variables]
    more = [n for n in counts if n > variables] if not lines else []
    if lines:
        end = f'(line{variables} "\\n")'
        root = [f"{end}{{0,{max(_MOST_LINES - lines, 0)}}}" if unit == "draft" else f"{end}?"]
    elif unit == "draft":
        root = [f"{f'vars{n - variables} ' if n > variables else ''}body{n}" for n in counts]
    else:
        root = ["var"] * bool(more) + [f'line{variables} "\\n"'] * bool(variables)
        counts = [variables] if variables else []
    rules = [f"root ::= {' | '.join(root)}"]
    if more:
        words = " | ".join(map(_quoted, names)) if names else "[A-Za-z] [A-Za-z0-9 -]{0,58} [A-Za-z0-9]"
        rules += [f"words ::= {words}", 'var ::= "var " ("int " | "real " | "yes ") words "\\n"']
    if more and unit == "draft":
        rules += [f"vars{n - variables} ::= {' '.join(['var'] * (n - variables))}" for n in more]
    if counts:
        tags = " | ".join(_quoted(f"N{n}") for n in range(1, numbers + 1))
        amount = f"tag | {_quoted('0')} | {_quoted('1')}" if numbers else f"{_quoted('0')} | {_quoted('1')}"
        rules += [*([f"tag ::= {tags}", "name ::= [a-z]{2,24}"] if numbers else []), f"number ::= {amount}"]
        rules.append(f"sense ::= {' | '.join(map(_quoted, SENSES))}")
    weight = '(tag "*")? ' if numbers else ""
    for n in counts:
        rules += [
            f"variable{n} ::= {' | '.join([*(_quoted(f'V{k}') for k in range(1, n + 1)), *_words(declared, n)])}",
            f'terms{n} ::= {"name | " if numbers else ""}"-"? {weight}variable{n} '
            f'((" + " | " - ") {weight}variable{n}){{0,{MOST_VARIABLES}}}',
            f'variables{n} ::= variable{n} (" + " variable{n}){{0,{MOST_VARIABLES}}}',
            f'decision{n} ::= "not "? variable{n}',
            f'decisions{n} ::= decision{n} (" " decision{n}){{0,{MOST_VARIABLES}}}',
            f"row{n} ::= {' | '.join(_rule(kind, n) for kind in _ROWS)}",
            f"line{n} ::= {' | '.join([*([f'part{n}'] if numbers else []), *(_rule(kind, n) for kind in SHAPES)])}",
            *([f'part{n} ::= tag (" " "-"? variable{n}){{1,{MOST_VARIABLES}}} " " name'] if numbers else []),
        ]
        if not lines and unit == "draft":
            rules.append(f'body{n} ::= (line{n} "\\n"){{1,{_MOST_LINES}}}')
    return "\n".join(rules) + "\n"


def _words(declared: Sequence[str], variables: int) -> list[str]:
    """The words that variables may be called by: their own, or any where they are not all declared yet."""
    if len(declared) < variables:
        return ["[A-Za-z] [A-Za-z]{1,23} [0-9]{0,2}", "[A-MO-UW-Za-z] [0-9]{0,2}"]  # V4 is none where there are three
    return [_quoted(word) for n, word in enumerate(references(declared), start=1) if word != f"V{n}"]


def _rule(kind: str, variables: int) -> str:
    shared = ("sense", "number")
    parts = [
        part if part in shared else f"{part}{variables}" if part in _PARTS else _quoted(part) for part in SHAPES[kind]
    ]
    return ' " " '.join([_quoted(kind), *parts])


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
