"""NL4Opt: word problems with their declared linear models (dev, test), and tagged problems without (ner_train).

Rows are kept as they were annotated, numbers as the words of the text; `formulation.nl4opt` reads what they declare.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, Self, get_args

from data.errors import DataError
from data.sources import load_rows

__all__ = [
    "ConstraintType",
    "Declaration",
    "Example",
    "Goal",
    "Operator",
    "Tagged",
    "declared",
    "reworded",
    "tagged",
]

ConstraintType = Literal["sum", "upperbound", "lowerbound", "linear", "ratio", "xby", "xy"]
Operator = Literal["LESS_OR_EQUAL", "GREATER_OR_EQUAL"]
Terms = tuple[tuple[str, str], ...]
"""Pairs of a variable's mention and its coefficient, as the text writes them."""

_NEEDS: Final[Mapping[str, tuple[str, ...]]] = {
    "sum": ("limit",),
    "upperbound": ("var", "limit"),
    "lowerbound": ("var", "limit"),
    "linear": ("terms", "limit"),
    "ratio": ("var", "limit"),
    "xby": ("x_var", "param", "y_var"),
    "xy": ("x_var", "y_var"),
}


@dataclass(frozen=True, slots=True)
class Declaration:
    """One constraint: its type, the words that announce it, its operator, and the fields that its type has.

    `var`, `x_var`, `y_var` and the keys of `terms` are mentions, `limit`, `param` and the coefficients numbers, all as
    words of the text. sum: all variables <= limit; upperbound, lowerbound: var; linear: terms; ratio: var against the
    share `limit` of all; xby: x_var against `param` times y_var; xy: x_var against y_var.
    """

    type: ConstraintType
    direction: str
    operator: Operator
    limit: str | None = None
    param: str | None = None
    var: str | None = None
    x_var: str | None = None
    y_var: str | None = None
    terms: Terms = ()

    @property
    def mentions(self) -> tuple[str, ...]:
        """The variables it mentions, in order, with repeats."""
        named = (self.var, self.x_var, self.y_var)
        return (*(name for name in named if name is not None), *(name for name, _ in self.terms))

    @property
    def numbers(self) -> tuple[str, ...]:
        """The numbers it uses, as written."""
        given = (self.limit, self.param)
        return (*(text for text in given if text is not None), *(text for _, text in self.terms))

    @classmethod
    def of(cls, given: Any) -> Self:
        """A declaration from its JSON values. Raises DataError."""
        row = _object(given)
        if row.get("type") not in get_args(ConstraintType):
            raise DataError(
                f"no type {row.get('type')!r} of constraint: there are {', '.join(get_args(ConstraintType))}"
            )
        kind: ConstraintType = row["type"]
        if row.get("operator") not in get_args(Operator):
            raise DataError(f"no operator {row.get('operator')!r}: there are {', '.join(get_args(Operator))}")
        missing = [name for name in _NEEDS[kind] if name not in row]
        if missing:
            raise DataError(f"a constraint of type {kind} needs {', '.join(missing)}")
        texts = {name: _text(row, name) for name in _NEEDS[kind] if name != "terms"}
        return cls(kind, _text(row, "direction"), row["operator"], terms=_terms(row.get("terms", {})), **texts)


@dataclass(frozen=True, slots=True)
class Goal:
    """The objective: the words of its direction, its name, and its terms; without terms, the plain sum of `vars`."""

    direction: str
    name: str
    terms: Terms | None = None
    vars: tuple[str, ...] = ()

    @property
    def mentions(self) -> tuple[str, ...]:
        """The variables it mentions, in order."""
        return self.vars if self.terms is None else tuple(name for name, _ in self.terms)

    @property
    def numbers(self) -> tuple[str, ...]:
        """The numbers it uses, as written."""
        return tuple(text for _, text in self.terms or ())

    @classmethod
    def of(cls, given: Any) -> Self:
        """An objective from its JSON values. Raises DataError."""
        row = _object(given)
        if row.get("type") == "objective":
            return cls(_text(row, "direction"), _text(row, "name"), _terms(row.get("terms")))
        if row.get("type") == "objvar":
            return cls(_text(row, "direction"), _text(row, "name"), None, _texts(row.get("vars"), "vars"))
        raise DataError(f"no type {row.get('type')!r} of objective: there are objective and objvar")


@dataclass(frozen=True, slots=True)
class Example:
    """A problem with its gold declarations.

    `id` is the data's own; `variables` are the first mentions of the variables; `order` numbers every mention by its
    variable, from 0 without gaps.
    """

    id: str
    split: str
    document: str
    variables: tuple[str, ...]
    goal: Goal
    constraints: tuple[Declaration, ...]
    order: Mapping[str, int] = field(hash=False)

    @property
    def width(self) -> int:
        """How many variables there are."""
        return max(self.order.values()) + 1

    @property
    def declarations(self) -> tuple[Goal | Declaration, ...]:
        """The objective and the constraints."""
        return (self.goal, *self.constraints)

    @classmethod
    def of(cls, row: Mapping[str, Any], split: str) -> Self:
        """The record of a row. Raises DataError with the row's id and the place."""
        place = ""
        try:
            name = _text(row, "id")
            place = "order_mapping"
            order = _order(row[place])
            place = "vars"
            variables = _texts(row[place], place)
            place = "obj_declaration"
            goal = Goal.of(row[place])
            _known(goal.mentions, order)
            constraints = []
            for i, given in enumerate(_list(row["const_declarations"], "const_declarations")):
                place = f"const_declarations[{i}]"
                constraints.append(Declaration.of(given))
                _known(constraints[-1].mentions, order)
            place = "document"
            return cls(name, split, _text(row, place), variables, goal, tuple(constraints), order)
        except DataError as error:
            raise DataError(f"nl4opt/{split} {row.get('id')!r}: {place}{': ' if place else ''}{error}") from None


@dataclass(frozen=True, slots=True)
class Tagged:
    """A problem as tokens with a tag each: O, or B-/I- and one of VAR, PARAM, LIMIT, CONST_DIR, OBJ_DIR, OBJ_NAME."""

    id: str
    tokens: tuple[str, ...]
    tags: tuple[str, ...]

    @property
    def spans(self) -> tuple[tuple[str, int, int], ...]:
        """The tagged stretches as (label, first token, token after the last)."""
        found: list[tuple[str, int, int]] = []
        for i, tag in enumerate(self.tags):
            head, _, label = tag.partition("-")
            if head == "B" or (head == "I" and not (found and found[-1][::2] == (label, i))):
                found.append((label, i, i + 1))
            elif head == "I":
                found[-1] = (label, found[-1][1], i + 1)
        return tuple(found)

    @classmethod
    def of(cls, row: Mapping[str, Any], name: str) -> Self:
        """The record of a row. Raises DataError."""
        tokens, tags = _texts(row["tokens"], "tokens"), _texts(row["tags"], "tags")
        if len(tokens) != len(tags):
            raise DataError(f"{name}: {len(tokens)} tokens and {len(tags)} tags")
        return cls(name, tokens, tags)


def declared(
    split: Literal["dev", "test"], *, directory: Path | None = None, limit: int | None = None, offset: int = 0
) -> list[Example]:
    """Problems with gold declarations: dev (99) or test (289), from the data directory. Raises DataError."""
    if split not in ("dev", "test"):
        raise DataError(f"nl4opt/{split} has no declarations: choose dev or test")
    rows = load_rows("nl4opt", split, directory=directory, limit=limit, offset=offset)
    return [Example.of(row, split) for row in rows]


def tagged(*, directory: Path | None = None, limit: int | None = None, offset: int = 0) -> list[Tagged]:
    """The training problems (713), tagged and without declarations, from the data directory. Raises DataError."""
    rows = load_rows("nl4opt", "ner_train", directory=directory, limit=limit, offset=offset)
    return [Tagged.of(row, f"nl4opt/ner_train/{i}") for i, row in enumerate(rows, offset)]


_WORD: Final = re.compile(r"[a-z]+")


def reworded(examples: Iterable[Example], training: Iterable[Tagged], level: float = 0.65) -> frozenset[str]:
    """Ids of examples that closely reword a training text: they are to be reported apart.

    Close is a Jaccard index (shared words over all words; numbers and case ignored) of `level` or more.
    """
    seen = [_words(" ".join(row.tokens)) for row in training]
    texts = [(one.id, _words(one.document)) for one in examples]
    return frozenset(
        name for name, words in texts if any(len(words & other) >= level * len(words | other) for other in seen)
    )


def _words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(text.lower()))


# ---- reading ---------------------------------------------------------------------------------------------------------


def _object(given: Any) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        raise DataError(f"an object is needed, not a {type(given).__name__}")
    return given


def _list(given: Any, name: str) -> Sequence[Any]:
    if not isinstance(given, list | tuple):
        raise DataError(f"'{name}' must be a list, not a {type(given).__name__}")
    return given


def _text(row: Mapping[str, Any], name: str) -> str:
    if not isinstance(row.get(name), str):
        raise DataError(f"'{name}' must be text")
    return str(row[name])


def _texts(given: Any, name: str) -> tuple[str, ...]:
    found = tuple(_list(given, name))
    if not all(isinstance(part, str) for part in found):
        raise DataError(f"'{name}' must be a list of texts")
    return found


def _terms(given: Any) -> Terms:
    row = _object(given)
    if not all(isinstance(value, str) for value in row.values()):
        raise DataError("'terms' must hold a number, as text, for every mention")
    return tuple(row.items())


def _order(given: Any) -> dict[str, int]:
    row = dict(_object(given))
    numbers = set(row.values())
    if not row or not all(type(value) is int for value in numbers) or numbers != set(range(len(numbers))):
        raise DataError("must number the mentions from 0 without gaps")
    return row


def _known(mentions: Iterable[str], order: Mapping[str, int]) -> None:
    unknown = next((name for name in mentions if name not in order), None)
    if unknown is not None:
        raise DataError(f"'{unknown}' is no mention of order_mapping")
