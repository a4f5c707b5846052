"""NL4Opt's declarations as problems of our kinds, and what is odd about a row, found by rule from the row itself."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from data.errors import DataError
from data.mentions import mentions as figures
from data.nl4opt import Declaration, Example, declared
from formulation.expressions import Add, Expr, Num, Ref, Sense, constant, scaled
from formulation.kinds.base import Constraint, Mention
from formulation.kinds.bound import SingleBound
from formulation.kinds.comparison import Comparison
from formulation.kinds.linear_bound import LinearBound
from formulation.kinds.objective import Optimize
from formulation.kinds.proportion import Proportion
from formulation.kinds.sum_bound import SumBound
from formulation.model import Model
from formulation.naming import identifiers
from formulation.quantities import quantity
from formulation.schema import Domain, Problem, Variable

__all__ = ["Gold", "Quirk", "direction", "load_gold", "model_of", "names", "quirks", "strict_words"]

_SENSE: Final[dict[str, Sense]] = {"LESS_OR_EQUAL": "<=", "GREATER_OR_EQUAL": ">="}


@dataclass(frozen=True, slots=True)
class Quirk:
    """Something odd about a row. `place` is goal, c1, c2, ... (the statement's id), order or text."""

    rule: str
    place: str
    message: str


@dataclass(frozen=True)
class Gold:
    """An example, its gold model, and what is odd about it."""

    example: Example
    model: Model
    quirks: tuple[Quirk, ...]


def load_gold(
    split: Literal["dev", "test"],
    *,
    domain: Domain = "continuous",
    ignore_strict: bool = True,
    strict: bool = False,
    directory: Path | None = None,
    limit: int | None = None,
) -> list[Gold]:
    """The gold models of a split, as `model_of` reads them. Raises DataError."""
    return [
        Gold(example, model_of(example, domain=domain, ignore_strict=ignore_strict, strict=strict), quirks(example))
        for example in declared(split, directory=directory, limit=limit)
    ]


def model_of(
    example: Example, *, domain: Domain = "continuous", ignore_strict: bool = True, strict: bool = False
) -> Model:
    """The model that an example declares. Its constraints have the ids c1, c2, ... in order.

    The gold says nothing of domains: every variable has the one given. With `ignore_strict` 'more than' is read as 'at
    least', as NL4Opt does; without, statements announced by such words are strict. Constant rows and an objective
    without variables load (`quirks` reports them); with `strict` they raise DataError, as they would while authoring.
    """
    found = names(example)
    try:
        if strict:
            _refuse_constants(example)
        ids = [f"c{i}" for i in range(1, len(example.constraints) + 1)]
        problem = Problem(
            name=f"nl4opt_{example.split}_{example.id}",
            text=example.document,
            variables={
                name: Variable(domain=domain, label=label) for name, label in zip(found, _labels(example), strict=True)
            },
            objective=_objective(example, found),
            constraints=tuple(
                _constraint(example, found, name, one) for name, one in zip(ids, example.constraints, strict=True)
            ),
        )
    except (DataError, ValueError) as error:
        raise DataError(f"nl4opt/{example.split} '{example.id}': {error}") from None
    return Model(problem, ignore_strict=ignore_strict)


def names(example: Example) -> tuple[str, ...]:
    """A name for every variable, in the order of `order`: its first mention in letters, digits and _."""
    return identifiers(_labels(example))


def _labels(example: Example) -> list[str]:
    first: dict[int, str] = {}
    for mention in (*example.variables, *example.order):
        first.setdefault(example.order[mention], mention)
    return [first[i] for i in range(example.width)]


_MINIMISE: Final = re.compile(
    r"\b(minimi|minimum|reduc|decreas|lowe|least|fewest|smallest|cut|as (?:few|little))", re.I
)
_MAXIMISE: Final = re.compile(r"\b(maximi|maximum|increas|highest|most|largest|greatest|as (?:many|much))", re.I)


def direction(words: str) -> Literal["minimize", "maximize"]:
    """What words such as 'minimize', 'reduce' or 'highest' ask for. Raises DataError where they are neither."""
    down, up = _MINIMISE.search(words), _MAXIMISE.search(words)
    if (down is None) == (up is None):
        raise DataError(f"the direction '{words}' asks neither for the least nor for the most")
    return "minimize" if down else "maximize"


# ---- declarations as statements --------------------------------------------------------------------------------------


def _objective(example: Example, found: tuple[str, ...]) -> Optimize:
    goal = example.goal
    terms: Expr
    if goal.terms is not None:
        terms = _weighted(example, found, goal.terms)
    else:
        # An objvar that names no variable counts all of them, as a `sum` does.
        counted = [example.order[name] for name in goal.vars] or range(example.width)
        terms = _sum([Ref(found[i]) for i in counted])
    return Optimize(
        sense=direction(goal.direction),
        terms=terms,
        label=goal.name,
        sources={"sense": _mention(example, goal.direction), "": _mention(example, goal.name)},
    )


def _constraint(example: Example, found: tuple[str, ...], name: str, one: Declaration) -> Constraint:
    every = [Ref(variable) for variable in found]
    sources = {"": _mention(example, one.direction)}
    for place, text in (("limit", one.limit), ("factor", one.param)):
        if text is not None:
            sources["share" if one.type == "ratio" else place] = _mention(example, text)
    fields: dict[str, Any] = {
        "id": name,
        "sense": _SENSE[one.operator],
        "strict": strict_words(example.document, one),
        "sources": sources,
    }

    def variable(mention: str | None) -> Ref:
        assert mention is not None  # data.nl4opt checks that a type has its fields
        return every[example.order[mention]]

    match one.type:
        case "sum":
            return SumBound(variables=tuple(every), limit=_number(one.limit), **fields)
        case "upperbound" | "lowerbound":
            return SingleBound(variable=variable(one.var), limit=_number(one.limit), **fields)
        case "linear":
            return LinearBound(terms=_weighted(example, found, one.terms), limit=_number(one.limit), **fields)
        case "ratio":
            return Proportion(part=variable(one.var), share=_number(one.limit), whole=_sum(every), **fields)
        case "xby":
            return Comparison(left=variable(one.x_var), factor=_number(one.param), right=variable(one.y_var), **fields)
        case "xy":
            return Comparison(left=variable(one.x_var), right=variable(one.y_var), **fields)


def _number(text: str | None) -> Num:
    assert text is not None
    return Num(quantity(text))


def _weighted(example: Example, found: tuple[str, ...], terms: tuple[tuple[str, str], ...]) -> Expr:
    return _sum([scaled(quantity(text), Ref(found[example.order[mention]])) for mention, text in terms])


def _sum(terms: list[Any]) -> Expr:
    return constant(0) if not terms else terms[0] if len(terms) == 1 else Add(tuple(terms))


def _mention(example: Example, text: str) -> Mention:
    """The text, with its place where that is certain."""
    places = [found.start() for found in re.finditer(rf"(?<!\w){re.escape(text)}(?!\w)", example.document)]
    span = (places[0], places[0] + len(text)) if len(places) == 1 else None
    return Mention(span=span, text=text)


def _refuse_constants(example: Example) -> None:
    if example.goal.terms == ():
        raise DataError("the objective has no terms: name its variables and their coefficients")
    for i, one in enumerate(example.constraints, start=1):
        if not one.mentions and one.type != "sum":
            raise DataError(f"c{i}: the row has no variable: name its variables and their coefficients")


# ---- what is odd -----------------------------------------------------------------------------------------------------

_MORE: Final = re.compile(r"\b(more|greater|larger|higher|bigger|exceeds?|exceeding|above|over|beyond)\b", re.I)
_LESS: Final = re.compile(r"\b(less|fewer|smaller|lower|below|under)\b", re.I)
_CLOSED: Final = re.compile(r"\b(least|most|minimum|maximum|up to|or)\b", re.I)
_AT_LEAST: Final = re.compile(r"\b(at least|minimum)\b", re.I)
_AT_MOST: Final = re.compile(r"\b(at most|maximum|up to)\b", re.I)
_NEGATION: Final = re.compile(r"\b(?:no|not|never|cannot|nor|without)\b|n't|n’t", re.I)
_NEGATED: Final = re.compile(rf"(?:{_NEGATION.pattern})\s+(?:\w+\s+){{0,4}}$", re.I)
_SHARE: Final = re.compile(r"\b(half|third|quarter|fourth|fifth|sixth|tenth)\b|%|percent", re.I)


def strict_words(document: str, one: Declaration) -> bool:
    """Whether the words that announce a constraint say 'more than' or 'less than', not 'at least' or 'at most'."""
    comparative = _MORE.search(one.direction) or _LESS.search(one.direction)
    if comparative is None or _CLOSED.search(one.direction):
        return False
    before = _before(document, one)
    return not (_negated(one, before) or re.search(r"\bor\s+$", before, re.I))


def _negated(one: Declaration, before: str) -> bool:
    return bool(_NEGATION.search(one.direction) or _NEGATED.search(before))


def _said(document: str, one: Declaration) -> Sense | None:
    """The operator that the words ask for, where they are clear."""
    words = one.direction
    if _AT_LEAST.search(words) or _AT_MOST.search(words):
        return ">=" if not _AT_MOST.search(words) else "<=" if not _AT_LEAST.search(words) else None
    up, down = bool(_MORE.search(words)), bool(_LESS.search(words))
    if up == down:
        return None
    return ">=" if up != _negated(one, _before(document, one)) else "<="


def _before(document: str, one: Declaration) -> str:
    """The text before the announcing words, at the place nearest to the constraint's numbers and variables."""
    places = [found.start() for found in re.finditer(re.escape(one.direction), document)]
    anchors = [
        found.start() for text in (*one.numbers, *one.mentions) for found in re.finditer(re.escape(text), document)
    ]
    if not places:
        return ""
    best = min(places, key=lambda at: min((abs(at - anchor) for anchor in anchors), default=0))
    return document[:best]


def quirks(example: Example) -> tuple[Quirk, ...]:
    """What is odd about an example, by rules that look at nothing but it."""
    found = [*_order_quirks(example)]
    if example.goal.terms == ():
        found.append(Quirk("empty_objective", "goal", "the objective has no terms: every point is as good"))
    if example.goal.terms is None and not example.goal.vars:
        found.append(Quirk("unnamed_objective", "goal", "the objective names no variable: all of them are counted"))
    seen: dict[object, str] = {}
    for i, one in enumerate(example.constraints, start=1):
        place = f"c{i}"
        found += [Quirk(rule, place, message) for rule, message in _row_quirks(example, one)]
        key = _said_exactly(example, one)
        if key in seen:
            found.append(Quirk("same_row_twice", place, f"it says the same as {seen[key]}"))
        seen.setdefault(key, place)
    found += _unused(example)
    return tuple(found)


def _columns(example: Example, one: Declaration) -> tuple[int, ...]:
    return tuple(example.order[name] for name in one.mentions)


def _said_exactly(example: Example, one: Declaration) -> object:
    """What makes two declarations the same statement."""
    terms = frozenset((example.order[mention], quantity(text)) for mention, text in one.terms)
    numbers = tuple(quantity(text) for text in (one.limit, one.param) if text is not None)
    named = tuple(example.order[name] for name in (one.var, one.x_var, one.y_var) if name is not None)
    return one.type, one.operator, numbers, named, terms


def _row_quirks(example: Example, one: Declaration) -> Iterator[tuple[str, str]]:
    document = example.document
    columns = _columns(example, one)
    if not columns and one.type != "sum":
        yield "constant_row", "the row has no variable: it is true or false, whatever is decided"
    if len(set(columns)) < len(columns):
        yield "same_variable_twice", f"{_quoted(one.mentions)} stand for one variable: order_mapping merges them"
    if one.type == "linear" and len(columns) == 1 and example.width > 1:
        yield "single_term", f"a weighted sum of {_quoted(one.mentions)} alone: terms may be missing"
    said = _said(document, one)
    if said is not None and said != _SENSE[one.operator]:
        yield "operator_against_words", f"'{one.direction}' asks for {said}, the operator is {_SENSE[one.operator]}"
    if not _NEGATION.search(one.direction) and _NEGATED.search(_before(document, one)) and _compares(one.direction):
        yield "negation_left_out", f"'{one.direction}' stands behind a negation in the text"
    if strict_words(document, one):
        yield "strict_words", f"'{one.direction}' is strict, the operator {_SENSE[one.operator]} is not"
    if one.type == "ratio" and one.limit is not None and quantity(one.limit).value >= 1:
        percent = re.search(rf"(?<!\d){re.escape(one.limit)}\s*(%|percent)", document)
        why = "the text says percent" if percent else "a share of the whole is below 1"
        yield "share_above_one", f"the share '{one.limit}' is no share: {why}"
    if one.type in ("upperbound", "lowerbound") and one.limit is not None and _SHARE.search(one.limit):
        yield "share_as_bound", f"'{one.limit}' is a share of something, not an amount"
    for text in one.numbers:
        if re.search(r"\d\s+(?!times|percent|thousand|million|hundred|dozen)[a-z]", text, re.I):
            yield "unit_in_number", f"the number '{text}' holds its unit"


def _compares(words: str) -> bool:
    return bool(_MORE.search(words) or _LESS.search(words))


def _quoted(texts: tuple[str, ...]) -> str:
    return " and ".join(f"'{text}'" for text in dict.fromkeys(texts))


def _order_quirks(example: Example) -> Iterator[Quirk]:
    if len(example.variables) != example.width:
        message = f"{len(example.variables)} variables are listed, order_mapping knows {example.width}"
        yield Quirk("variables_differ", "order", message)
    labels = _labels(example)
    for i, label in enumerate(labels):
        for other in labels[:i]:
            if _stem(label) == _stem(other):
                yield Quirk("alike_variables", "order", f"'{other}' and '{label}' look like one variable")
    for mention, at in example.order.items():
        nearest = max(range(len(labels)), key=lambda i: _alike(mention, labels[i]))
        if _alike(mention, labels[nearest]) >= _alike(mention, labels[at]) + _MARGIN:
            message = f"'{mention}' stands for '{labels[at]}' but reads like '{labels[nearest]}'"
            yield Quirk("mention_elsewhere", "order", message)
    named = {at for one in example.declarations for at in (example.order[m] for m in one.mentions)}
    everything = any(one.type in ("sum", "ratio") for one in example.constraints) or not example.goal.mentions
    for i, label in enumerate(labels):
        if i not in named and not everything:
            yield Quirk("unused_variable", "order", f"no declaration uses '{label}'")


_MARGIN: Final = 0.3  # by which a mention must resemble another variable more than its own


def _stem(text: str) -> str:
    return text.lower().strip().removesuffix("s")


def _alike(a: str, b: str) -> float:
    """How much of two names' words is shared, in [0, 1], words being compared by their letters."""
    ours, theirs = ([_stem(word) for word in re.findall(r"\w+", text)] for text in (a, b))
    if not ours or not theirs:
        return 0.0

    def nearest(word: str, among: list[str]) -> float:
        return max(difflib.SequenceMatcher(None, word, other).ratio() for other in among)

    matched = [nearest(word, theirs) for word in ours] + [nearest(word, ours) for word in theirs]
    return sum(x for x in matched if x >= 0.8) / len(matched)


def _unused(example: Example) -> Iterator[Quirk]:
    """Numbers in figures that no declaration uses and no name holds: rows may be missing."""
    named = [
        found.span()
        for mention in example.order
        if re.search(r"\d", mention)
        for found in re.finditer(re.escape(mention), example.document)
    ]
    used = {quantity(text).value for one in example.declarations for text in one.numbers}
    for one in figures(example.document):
        share = one.unit in ("%", "percent")
        if any(start <= one.start < end for start, end in named) or example.document[: one.start][-1:].isalpha():
            continue  # the 1 of 'factory 1' or of 'x1'
        if not one.is_word and one.value not in used and not (share and one.value / 100 in used):
            place = f"characters {one.start} to {one.end}"
            yield Quirk("unused_number", "text", f"no declaration uses '{one.written}' ({place})")
