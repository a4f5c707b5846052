"""Drafts in the compact format as problems, and problems as drafts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from data.errors import DataError
from formulation.expressions import (
    Expr,
    Logical,
    Mul,
    Num,
    Ref,
    Relation,
    Selected,
    Sense,
    constant,
    scaled,
    terms_of,
    total,
)
from formulation.kinds.base import Constraint, Mention, Statement
from formulation.kinds.bound import SingleBound
from formulation.kinds.cardinality import Cardinality
from formulation.kinds.comparison import Comparison
from formulation.kinds.conditional import Conditional
from formulation.kinds.count import Count
from formulation.kinds.difference import Difference
from formulation.kinds.either_or import EitherOr
from formulation.kinds.equivalence import Equivalence
from formulation.kinds.fixed_charge import FixedCharge
from formulation.kinds.implication import Implication
from formulation.kinds.linear_bound import LinearBound
from formulation.kinds.lots import Lots
from formulation.kinds.objective import Optimize
from formulation.kinds.proportion import Proportion
from formulation.kinds.range import Between
from formulation.kinds.semi_continuous import SemiContinuous
from formulation.kinds.sum_bound import SumBound
from formulation.naming import identifiers
from formulation.quantities import Figure, quantity
from formulation.schema import Domain, Problem, Variable
from formulation.sentences import sentence_at, sentences
from formulation.wire import Amount, Decision, Declared, Draft, Line, Short, Term

__all__ = ["draft_of", "problem_of", "tagged", "tags_in"]

_DOMAINS: Final[Mapping[Short, Domain]] = {"int": "integer", "real": "continuous", "yes": "binary"}


def tagged(text: str, figures: Sequence[Figure]) -> str:
    """The text with the tag of each number before it: `takes N1 4 hours`."""
    parts, at = [], 0
    for number, figure in enumerate(figures, start=1):
        parts += [text[at : figure.start], f"N{number} "]
        at = figure.start
    return "".join([*parts, text[at:]])


def tags_in(text: str) -> int:
    """How many numbers a text was tagged with."""
    count = 0
    for match in re.finditer(r"(?<!\w)N(\d{1,4}) ", text):
        count += int(match[1]) == count + 1
    return count


# ---- drafts as problems ----------------------------------------------------------------------------------------------


def problem_of(draft: Draft, text: str, figures: Sequence[Figure]) -> Problem:
    """The problem that a draft says, about a text whose numbers are `figures`; its fields know where they come from.

    Raises DataError where the draft has no variable, more than one objective, or a statement that is no statement.
    """
    if not draft.variables:
        raise DataError("the draft has no variables")
    goals = [line for line in draft.lines if line.kind in ("max", "min")]
    if len(goals) > 1:
        raise DataError("the draft has more than one objective")
    reader = _Reader(draft, text, figures)
    try:
        return Problem(
            text=text,
            variables=reader.variables(),
            objective=reader.objective(goals[0]) if goals else None,
            constraints=tuple(reader.constraint(line) for line in draft.lines if line not in goals),
        )
    except ValueError as error:
        raise DataError(f"the draft is no problem: {' '.join(str(error).split())}") from None


class _Reader:
    def __init__(self, draft: Draft, text: str, figures: Sequence[Figure]) -> None:
        self.draft, self.text, self.figures = draft, text, figures
        self.names = identifiers([one.words for one in draft.variables])
        self.places = sentences(text)

    def variables(self) -> dict[str, Variable]:
        found = {}
        for number, (name, one) in enumerate(zip(self.names, self.draft.variables, strict=True), start=1):
            match = re.search(rf"(?<!\w){re.escape(one.words)}(?!\w)", self.text, re.IGNORECASE)
            mention = Mention(span=match.span(), text=match.group()) if match else Mention(origin="derived")
            sources = {"": mention}
            minimum: Num | None = None
            if one.domain == "real" and self.decided(number):
                # How much of an amount counts as any: where the text does not say, 1.
                least = [x for x in self.draft.lines if x.kind in ("least", "within") and number in x.variables()]
                minimum = self.number(least[0].amounts[0]) if least else constant(1)
                sources["minimum"] = Mention(origin="derived" if least else "assumed")
            domain = _DOMAINS[one.domain]
            found[name] = Variable(domain=domain, label=one.words, minimum=minimum, sources=sources)
        return found

    def decided(self, variable: int) -> bool:
        """Whether a decision is about there being any of a variable."""
        return any(decision.variable == variable for line in self.draft.lines for decision in line.decisions)

    def objective(self, line: Line) -> Optimize:
        sources = self.sources(line, ("terms",))
        return Optimize(
            sense="maximize" if line.kind == "max" else "minimize", terms=self.sum(line.sides[0]), sources=sources
        )

    def constraint(self, line: Line) -> Constraint:
        """A statement of the kind that a line names."""
        number = self.number(line.amounts[0]) if line.amounts else constant(1)
        sides = [self.sum(side) for side in line.sides]
        decisions = tuple(map(self.decision, line.decisions))
        sides_, amounts = _FIELDS[line.kind]
        limit = _COUNTED[line.sense or "=="]  # of a count, which has its limit in one of three fields
        told: dict[str, Any] = {"sources": self.sources(line, sides_, (limit,) if line.kind == "count" else amounts)}
        given: dict[str, Any] = {"sense": line.sense, **told}
        match line.kind:
            case "linear":
                return LinearBound(terms=sides[0], limit=number, **given)
            case "bound":
                return SingleBound(variable=self.ref(line.sides[0][0]), limit=number, **given)
            case "sum":
                return SumBound(variables=tuple(map(self.ref, line.sides[0])), limit=number, **given)
            case "range":
                return Between(low=number, terms=sides[0], high=self.number(line.amounts[1]), **told)
            case "share":
                return Proportion(part=sides[0], share=number, whole=sides[1], **given)
            case "times" | "than":
                return Comparison(left=sides[0], factor=number, right=sides[1], **given)
            case "more":
                return Difference(left=sides[0], right=sides[1], amount=number, **given)
            case "if":
                return Implication(when=decisions[0], then=decisions[1], **told)
            case "iff":
                return Equivalence(of=decisions, **told)
            case "count":
                counted: dict[str, Any] = {**told, limit: number}
                return Count(of=decisions, **counted)
            case "least":
                return SemiContinuous(variable=self.ref(line.sides[0][0]), minimum=number, **told)
            case "within":
                variable, high = self.ref(line.sides[0][0]), self.number(line.amounts[1])
                return SemiContinuous(variable=variable, minimum=number, maximum=high, **told)
            case "lots":
                return Lots(amount=sides[0], size=number, **told)
            case "charge":
                return FixedCharge(variable=self.ref(line.sides[0][0]), charge=number, **told)
            case "either":
                return EitherOr(alternatives=tuple((self.relation(row),) for row in line.rows), **told)
            case "when":
                return Conditional(when=decisions[0], then=tuple(map(self.relation, line.rows)), **told)
        raise DataError(f"no kind '{line.kind}'")

    def relation(self, line: Line) -> Relation:
        number = self.number(line.amounts[0]) if line.amounts else constant(1)
        sides = [self.sum(side) for side in line.sides]
        assert line.sense is not None
        match line.kind:
            case "share" | "times" | "than":
                return Relation(sides[0], line.sense, scaled(number.number, sides[1]))
            case "more":
                return Relation(sides[0], line.sense, total(sides[1], number))
        return Relation(sides[0], line.sense, number)

    def number(self, amount: Amount) -> Num:
        if not amount.tag:
            return constant(amount.plain)
        figure = self.figures[amount.tag - 1]
        return Num(quantity(self.text[figure.start : figure.end]))

    def ref(self, term: Term) -> Ref:
        return Ref(self.names[term.variable - 1])

    def sum(self, terms: Sequence[Term]) -> Expr:
        found: list[Expr] = []
        for term in terms:
            factor = self.number(Amount(term.tag)).number if term.tag else 1
            product = scaled(factor, self.ref(term))
            found.append(Mul(constant(-1), product) if term.negative else product)
        return total(*found)

    def decision(self, given: Decision) -> Logical:
        ref = Ref(self.names[given.variable - 1])
        yes = self.draft.variables[given.variable - 1].domain == "yes"
        return Logical(ref if yes else Selected(ref), given.negated)

    # -- where things come from --

    def sources(self, line: Line, sides: Sequence[str] = (), amounts: Sequence[str] = ()) -> dict[str, Mention]:
        """The sentence of a line's first number or else of none, and the place of each of its numbers."""
        found: dict[str, Mention] = {}
        first = next(line.tags(), 0)
        place = sentence_at(self.places, self.figures[first - 1].start) if first else None
        if place is not None:
            found[""] = self.mention(*self.places[place])
        for name, amount in zip(amounts, line.amounts, strict=True):
            found[name] = self.tag(amount.tag) if amount.tag else Mention(origin="derived")
        for name, side in zip(sides, line.sides, strict=True) if sides else ():
            for term in side:
                if term.tag:
                    found[f"{name}['{self.names[term.variable - 1]}']"] = self.tag(term.tag)
        return found

    def tag(self, number: int) -> Mention:
        figure = self.figures[number - 1]
        return self.mention(figure.start, figure.end)

    def mention(self, start: int, end: int) -> Mention:
        return Mention(span=(start, end), text=self.text[start:end])


_FIELDS: Final[Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "linear": (("terms",), ("limit",)),
    "bound": ((), ("limit",)),
    "sum": ((), ("limit",)),
    "range": (("terms",), ("low", "high")),
    "share": (("part", "whole"), ("share",)),
    "times": (("left", "right"), ("factor",)),
    "than": (("left", "right"), ()),
    "more": (("left", "right"), ("amount",)),
    "if": ((), ()),
    "iff": ((), ()),
    "count": ((), ()),
    "least": ((), ("minimum",)),
    "within": ((), ("minimum", "maximum")),
    "lots": ((), ("size",)),
    "charge": ((), ("charge",)),
    "either": ((), ()),
    "when": ((), ()),
}
"""The fields that a line's sides and numbers fill, in order."""
_COUNTED: Final[Mapping[Sense, str]] = {"==": "exactly", ">=": "at_least", "<=": "at_most"}


# ---- problems as drafts ----------------------------------------------------------------------------------------------


def draft_of(problem: Problem, figures: Sequence[Figure]) -> Draft:
    """The draft that says a problem, whose `sources` give each number's place among the text's `figures`.

    Statements keep their order, behind the objective. A number whose place is not given is taken to be the one of its
    value in the statement's own span. Raises DataError for what the format cannot say: indexed variables, numbers other
    than 0 and 1 without a place in the text, other kinds.
    """
    return _Writer(problem, figures).draft()


class _Writer:
    def __init__(self, problem: Problem, figures: Sequence[Figure]) -> None:
        self.problem, self.figures = problem, figures
        self.tags: dict[tuple[int, int] | None, int] = {
            (figure.start, figure.end): number for number, figure in enumerate(figures, start=1)
        }
        self.place = {name: number for number, name in enumerate(problem.variables, start=1)}

    def draft(self) -> Draft:
        variables = []
        for name, one in self.problem.variables.items():
            if one.over is not None:
                raise DataError(f"{name}: the compact format has no indexed variables")
            domain = next(short for short, long in _DOMAINS.items() if long == one.domain)
            variables.append(Declared(domain, one.label or name.replace("_", " ")))
        goal = [self.problem.objective] if self.problem.objective is not None else []
        lines = []
        for statement in (*goal, *self.problem.constraints):
            try:
                lines.append(self.line(statement))
            except DataError as error:
                raise DataError(f"{statement.id or 'objective'}: {error}") from None
        return Draft(tuple(variables), tuple(lines))

    def line(self, statement: Statement) -> Line:
        if isinstance(statement, Constraint) and statement.forall is not None:
            raise DataError("the compact format has no statements for every member of a set")
        match statement:
            case Optimize(sense=sense, terms=terms):
                return Line(sense[:3], sides=(self.sum(statement, "terms", terms),))
            case LinearBound(terms=terms, limit=limit, sense=sense):
                return self.weighed(statement, "linear", sense, limit, terms=terms)
            case SingleBound(variable=variable, limit=limit, sense=sense):
                return self.weighed(statement, "bound", sense, limit, variable=variable)
            case SumBound(variables=variables, over=None, limit=limit, sense=sense):
                return self.weighed(statement, "sum", sense, limit, variables=total(*variables))
            case Between(low=low, terms=terms, high=high):
                ends = self.amount(statement, "low", low), self.amount(statement, "high", high)
                return Line("range", amounts=ends, sides=(self.sum(statement, "terms", terms),))
            case Proportion(part=part, share=share, whole=whole, sense=sense):
                return self.weighed(statement, "share", sense, share, "share", part=part, whole=whole)
            case Comparison(left=left, factor=factor, right=right, sense=sense):
                if factor == constant(1):
                    return self.weighed(statement, "than", sense, left=left, right=right)
                return self.weighed(statement, "times", sense, factor, "factor", left=left, right=right)
            case Difference(left=left, right=right, amount=amount, sense=sense):
                return self.weighed(statement, "more", sense, amount, "amount", left=left, right=right)
            case Implication(when=when, then=then):
                return Line("if", decisions=(self.decision(when), self.decision(then)))
            case Equivalence(of=of):
                return Line("iff", decisions=tuple(map(self.decision, of)))
            case Count(of=of, over=None):
                return self.count(statement, tuple(map(self.decision, of)))
            case SemiContinuous(variable=variable, minimum=minimum, maximum=None):
                return self.weighed(statement, "least", None, minimum, "minimum", variable=variable)
            case SemiContinuous(variable=variable, minimum=minimum, maximum=maximum) if maximum is not None:
                ends = self.amount(statement, "minimum", minimum), self.amount(statement, "maximum", maximum)
                return Line("within", amounts=ends, sides=(self.sum(statement, "variable", variable),))
            case Cardinality(of=of, over=None):
                return self.count(statement, tuple(Decision(self.place[ref.name]) for ref in of))
            case Lots(amount=of_lots, size=size):
                return self.weighed(statement, "lots", None, size, "size", amount=of_lots)
            case FixedCharge(variable=variable, charge=charge):
                return self.weighed(statement, "charge", None, charge, "charge", variable=variable)
            case EitherOr(alternatives=alternatives) if len(alternatives) == 2 and all(
                len(x) == 1 for x in alternatives
            ):
                return Line("either", rows=tuple(self.row(statement, relation) for (relation,) in alternatives))
            case Conditional(when=when, then=(relation,)):
                return Line("when", decisions=(self.decision(when),), rows=(self.row(statement, relation),))
        raise DataError(f"the compact format has no kind '{getattr(statement, 'kind', '')}' in this form")

    def weighed(
        self,
        statement: Statement,
        kind: str,
        sense: Sense | None,
        number: Expr | None = None,
        field: str = "limit",
        **sides: Expr,
    ) -> Line:
        amounts = (self.amount(statement, field, number),) if number is not None else ()
        return Line(kind, sense, amounts, tuple(self.sum(statement, name, side) for name, side in sides.items()))

    def count(self, statement: Count | Cardinality, decisions: tuple[Decision, ...]) -> Line:
        given = [(sense, field) for sense, field in _COUNTED.items() if getattr(statement, field) is not None]
        if len(given) != 1:
            raise DataError("the compact format counts with one limit")
        ((sense, field),) = given
        return Line("count", sense, (self.amount(statement, field, getattr(statement, field)),), decisions=decisions)

    def row(self, statement: Statement, relation: Relation) -> Line:
        """A relation whose right side is a number, or a multiple of one variable."""
        if isinstance(relation.right, Num):
            kind = "bound" if isinstance(relation.left, Ref) else "linear"
            return self.weighed(statement, kind, relation.sense, relation.right, "", left=relation.left)
        factor, body = (
            (relation.right.left, relation.right.right) if isinstance(relation.right, Mul) else (None, relation.right)
        )
        kind = "times" if factor is not None else "than"
        return self.weighed(statement, kind, relation.sense, factor, "", left=relation.left, right=body)

    def amount(self, statement: Statement, field: str, number: Expr) -> Amount:
        mention = statement.sources.get(field) if field else None
        if mention is not None and mention.span in self.tags:
            return Amount(self.tags[mention.span])
        if number == constant(0):
            return Amount(0, 0)
        whole = statement.sources.get("")
        if isinstance(number, Num) and whole is not None and whole.span is not None and number != constant(1):
            start, end = whole.span
            within = [
                tag
                for tag, figure in enumerate(self.figures, start=1)
                if start <= figure.start < end and figure.value == number.number.value
            ]
            if len(within) == 1:
                return Amount(within[0])
        if number == constant(1):
            return Amount()
        raise DataError(f"{field or 'a row'}: {number} is no number of the text")

    def sum(self, statement: Statement, field: str, expr: Expr) -> tuple[Term, ...]:
        terms = terms_of(expr)
        if terms is None:
            raise DataError(f"{expr} is no sum of variables")
        found = []
        for ref, factor in terms.items():
            if not factor.value:
                raise DataError(f"{ref} has the coefficient 0")
            amount = self.amount(statement, f"{field}['{ref.name}']", constant(abs(factor.value)))
            found.append(Term(self.place[ref.name], amount.tag, factor.value < 0))
        return tuple(found)

    def decision(self, given: Logical) -> Decision:
        ref = given.of.of if isinstance(given.of, Selected) else given.of
        return Decision(self.place[ref.name], given.negated)
