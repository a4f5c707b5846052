"""How right formulated models are: NL4Opt's canonical accuracy, whole models, the seed paper's three, and execution.

NL4Opt's measure (Ramamonjison et al., arXiv 2303.08233): declarations become rows [coefficients | right side], and >=
is turned round. With D = 1 + gold constraints, a problem's false positives are a wrong objective and predicted rows
that match no gold row (at most D), its false negatives max(gold - predicted rows, 0), and accuracy is
1 - sum(FP + FN) / sum(D).

The reference scorer has four defects, which `reference=True` repeats: variables that a weighted sum leaves out get the
coefficient 1; the objective's direction is not compared; an objvar counts all variables; equal rows are removed from
predictions and not from gold. Repaired, each gold row matches one predicted row.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final, Literal

from data.errors import UserError
from data.nl4opt import Declaration, Example
from data.stats import bootstrap_ratio, sign_flip
from formulation.canonical import Form, form
from formulation.classes import seed_class
from formulation.ground import Column, Linear, Rows
from formulation.model import Model
from formulation.naming import matched, nearest, texts_of
from formulation.nl4opt import direction
from formulation.numbers import Rational, exact
from formulation.quantities import quantity
from formulation.solve import solve

__all__ = [
    "Accuracy",
    "Canonical",
    "Paired",
    "Stated",
    "Tally",
    "agrees",
    "canonical_accuracy",
    "canonical_of_example",
    "canonical_of_model",
    "canonical_report",
    "execution_accuracy",
    "paired",
    "seed_accuracies",
    "stated",
    "tally",
    "whole_model_accuracy",
    "with_domain",
]

Setting = Literal["text", "mentions"]
"""What a system was given: the text alone, or the gold mentions and their order_mapping as well."""
Domains = Literal["integer", "continuous"]
Row = tuple[Rational, ...]


# ---- results ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Accuracy:
    """sum(right) / sum(of) over problems, with a bootstrap interval over problems. None where nothing was counted."""

    right: tuple[int, ...]
    of: tuple[int, ...]

    @property
    def value(self) -> float | None:
        """The share in [0, 1]."""
        return sum(self.right) / sum(self.of) if sum(self.of) else None

    def interval(self, *, confidence: float = 0.95, samples: int = 2000, seed: int = 0) -> tuple[float, float] | None:
        """A percentile interval, drawing whole problems."""
        return bootstrap_ratio(self.right, self.of, confidence=confidence, samples=samples, seed=seed)


@dataclass(frozen=True, slots=True)
class Paired:
    """Two systems on the same problems: how much better the first is, and a two-sided p-value of a sign-flip test."""

    difference: float
    p_value: float


def paired(first: Accuracy, second: Accuracy, *, seed: int = 0) -> Paired:
    """Compare two accuracies over the same problems. Raises UserError where these differ."""
    if first.of != second.of or not sum(first.of):
        raise UserError("accuracies can be paired over the same problems only, at least one")
    differences = [a - b for a, b in zip(first.right, second.right, strict=True)]
    return Paired(sum(differences) / sum(first.of), sign_flip(differences, seed=seed))


# ---- canonical form --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Canonical:
    """A model as NL4Opt scores it. `objective` ends in its constant, every row [coefficients | right side] means <=."""

    sense: Literal["minimize", "maximize"] | None
    objective: Row
    rows: tuple[Row, ...]


def canonical_of_example(example: Example, *, reference: bool = False) -> Canonical:
    """The canonical form of gold declarations, columns in the order of `order_mapping`."""
    goal, width = example.goal, example.width
    terms: list[tuple[int, Rational]]
    if goal.terms is not None:
        terms = [(example.order[name], quantity(text).rational) for name, text in goal.terms]
    else:
        counted = example.variables if reference else goal.vars or tuple(example.variables)
        terms = [(i, 1) for i in dict.fromkeys(example.order[name] for name in counted)]
    rows = tuple(_row_of(one, example.order, width, reference) for one in example.constraints)
    return Canonical(direction(goal.direction), (*_spread(terms, width, 0, reference), 0), rows)


def _row_of(one: Declaration, order: Mapping[str, int], width: int, reference: bool) -> Row:
    def number(text: str | None) -> Rational:
        assert text is not None
        return quantity(text).rational

    def column(name: str | None) -> int:
        assert name is not None
        return order[name]

    terms: list[tuple[int, Rational]]
    rhs: Rational = 0
    rest: Rational = 0
    match one.type:
        case "sum":
            terms, rhs, rest = [], number(one.limit), 1
        case "upperbound" | "lowerbound":
            terms, rhs = [(column(one.var), 1)], number(one.limit)
        case "linear":
            terms, rhs = [(order[name], number(text)) for name, text in one.terms], number(one.limit)
            rest = 1 if reference else 0
        case "ratio":
            share = number(one.limit)
            terms, rest = [(column(one.var), exact(1 - Fraction(share)))], -share
        case "xby":
            terms = [(column(one.y_var), -number(one.param)), (column(one.x_var), 1)]
        case "xy":
            terms = [(column(one.y_var), -1), (column(one.x_var), 1)]
    row = (*_spread(terms, width, rest, reference), rhs)
    return tuple(-x for x in row) if one.operator == "GREATER_OR_EQUAL" else row


def _spread(terms: Iterable[tuple[int, Rational]], width: int, rest: Rational, reference: bool) -> Row:
    """Terms as a row, `rest` where none stands. Two terms of one column are added; the reference keeps the last."""
    found: dict[int, Rational] = {}
    for i, a in terms:
        found[i] = a if reference else exact(found.get(i, 0) + a)
    return tuple(found.get(i, rest) for i in range(width))


def canonical_of_model(model: Model, example: Example, setting: Setting, *, reference: bool = False) -> Canonical:
    """A predicted model over an example's variables.

    With "text", predicted variables are matched to gold ones one to one by their names; those left over get columns of
    their own behind. With "mentions", each is the gold variable of the most similar mention. Equalities are two rows;
    declared bounds other than x >= 0 are rows; domains are ignored. Raises UserError for a model that cannot be
    written out.
    """
    matrix = model.matrix
    columns = [column for column in matrix.columns if column.role == "variable"]
    places, width = _places(columns, model, example, setting)
    for i, column in enumerate(matrix.columns):
        if column.role != "variable":
            places[i], width = width, width + 1
    weighted = {one.id for one in model.problem.constraints if one.kind in ("linear", "linear_bound")}
    rows: list[Row] = []

    def add(terms: Mapping[int, Rational], lower: Rational | None, upper: Rational | None, rest: Rational) -> None:
        spread = _spread(((places[i], a) for i, a in terms.items()), width, rest, reference)
        if upper is not None:
            rows.append((*spread, upper))
        if lower is not None:
            rows.append(tuple(-x for x in (*spread, lower)))

    for i, column in enumerate(matrix.columns):
        if column.domain != "binary":
            add({i: 1}, column.lower or None, column.upper, 0)
    for row in matrix.rows:
        terms = dict(zip(row.columns, row.coefficients, strict=True))
        add(terms, row.lower, row.upper, 1 if reference and row.statement in weighted else 0)
    if not matrix.objectives:
        return Canonical(None, (0,) * (width + 1), tuple(rows))
    of = matrix.objectives[0].of
    objective = _spread(zip((places[i] for i in of.columns), of.coefficients, strict=True), width, 0, reference)
    return Canonical(matrix.objectives[0].sense, (*objective, of.constant), tuple(rows))


def _places(columns: Sequence[Column], model: Model, example: Example, setting: Setting) -> tuple[dict[int, int], int]:
    """The gold column of every column of a model, and how many there are with those left over."""
    named = texts_of(model)
    texts = [(*named[column.name], str(column)) for column in columns]
    width = example.width
    places: dict[int, int] = {}
    if setting == "mentions":
        mentions = tuple(example.order)
        for i, given in enumerate(texts):
            label = model.problem.variables[columns[i].name].label or given[0]
            places[i] = example.order[nearest(label, mentions)]
        return places, width
    gold = [[name for name, at in example.order.items() if at == j] for j in range(width)]
    for i, j in enumerate(matched(texts, gold)):
        if j is None:
            j, width = width, width + 1
        places[i] = j
    return places, width


# ---- canonical accuracy ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tally:
    """One problem's counts; D is `declarations`."""

    false_positives: int
    false_negatives: int
    declarations: int

    @property
    def right(self) -> bool:
        """Whether nothing is wrong and nothing is missing: the whole model is right."""
        return not (self.false_positives or self.false_negatives)


def tally(predicted: Canonical | None, gold: Canonical, *, reference: bool = False) -> Tally:
    """Count one problem; None stands for a prediction that is no model."""
    d = 1 + len(gold.rows)
    if predicted is None:
        return Tally(1, len(gold.rows), d)
    width = max(len(predicted.objective), len(gold.objective))
    rows, wanted = (Counter(_widened(row, width) for row in one.rows) for one in (predicted, gold))
    wrong = _widened(predicted.objective, width) != _widened(gold.objective, width)
    if reference:
        rows = Counter(set(rows))
        unmatched = sum(row not in wanted for row in rows)
    else:
        wrong = wrong or predicted.sense != gold.sense
        unmatched = (rows - wanted).total()
    missing = max(len(gold.rows) - rows.total(), 0)
    return Tally(min(wrong + unmatched, d), missing, d)


def _widened(row: Row, width: int) -> Row:
    """A row with columns of 0 before its last number, which is no coefficient."""
    return (*row[:-1], *(0 for _ in range(width - len(row))), row[-1])


def _tallies(
    examples: Sequence[Example], predicted: Sequence[Model | None], setting: Setting, reference: bool
) -> list[Tally]:
    found = []
    for example, model in zip(examples, predicted, strict=True):
        form_: Canonical | None = None
        if model is not None:
            try:
                form_ = canonical_of_model(model, example, setting, reference=reference)
            except UserError:
                form_ = None  # a model that cannot be written out is none
        found.append(tally(form_, canonical_of_example(example, reference=reference), reference=reference))
    return found


def canonical_accuracy(
    examples: Sequence[Example],
    predicted: Sequence[Model | None],
    setting: Setting,
    *,
    reference: bool = False,
) -> Accuracy:
    """NL4Opt's canonical accuracy of predicted models (None where there is none)."""
    found = _tallies(examples, predicted, setting, reference)
    right = tuple(one.declarations - one.false_positives - one.false_negatives for one in found)
    return Accuracy(right, tuple(one.declarations for one in found))


def whole_model_accuracy(examples: Sequence[Example], predicted: Sequence[Model | None], setting: Setting) -> Accuracy:
    """The share of models whose objective, direction and canonical rows are all right; domains are ignored."""
    found = _tallies(examples, predicted, setting, False)
    return Accuracy(tuple(int(one.right) for one in found), (1,) * len(found))


def canonical_report(
    examples: Sequence[Example], text: Sequence[Model | None], mentions: Sequence[Model | None]
) -> dict[str, Accuracy]:
    """Both settings, each repaired, as the reference scores it, and by whole models.

    `text` are models made from the texts alone, `mentions` those made with the gold mentions.
    """
    found: dict[str, Accuracy] = {}
    settings: tuple[tuple[Setting, Sequence[Model | None]], ...] = (("text", text), ("mentions", mentions))
    for setting, models in settings:
        found[f"{setting}: canonical, repaired"] = canonical_accuracy(examples, models, setting)
        found[f"{setting}: canonical, reference"] = canonical_accuracy(examples, models, setting, reference=True)
        found[f"{setting}: whole models"] = whole_model_accuracy(examples, models, setting)
    return found


# ---- the seed paper's accuracies -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Stated:
    """A statement: its class in the seed paper, and what it says over gold variables."""

    name: str
    says: Hashable


def seed_accuracies(gold: Sequence[Model], predicted: Sequence[Model | None]) -> dict[str, Accuracy]:
    """Accuracy of models, of constraint classes and of constraint expressions, as arXiv 2311.15271 reports them.

    A model is right where its objective and all its constraints are, and no more are stated. Classes and expressions
    are counted over gold constraints, each paired with one predicted constraint so that most expressions, then most
    classes agree. Expressions agree up to a positive factor; variables are matched by their names.
    """
    models: list[int] = []
    classes: list[int] = []
    expressions: list[int] = []
    sizes: list[int] = []
    for one, other in zip(gold, predicted, strict=True):
        wanted_goal, wanted = stated(one, {name: name for name in one.problem.variables})
        sizes.append(len(wanted))
        if other is None:
            for counts in (models, classes, expressions):
                counts.append(0)
            continue
        ours, theirs = texts_of(other), texts_of(one)
        names = list(theirs)
        pairs = zip(ours, matched(list(ours.values()), list(theirs.values())), strict=True)
        goal, found = stated(other, {name: f"?{name}" if j is None else names[j] for name, j in pairs})
        same_class, same_expression = _agreements(wanted, found)
        classes.append(same_class)
        expressions.append(same_expression)
        models.append(int(goal == wanted_goal and same_expression == len(wanted) == len(found)))
    return {
        "model": Accuracy(tuple(models), (1,) * len(models)),
        "class": Accuracy(tuple(classes), tuple(sizes)),
        "expression": Accuracy(tuple(expressions), tuple(sizes)),
    }


def _agreements(wanted: Sequence[Stated], found: Sequence[Stated]) -> tuple[int, int]:
    """How many gold constraints have a partner of the same class, and of the same expression."""
    import networkx

    pairs = networkx.Graph()
    for (i, one), (j, other) in itertools.product(enumerate(wanted), enumerate(found)):
        weight = 1000 * (one.says == other.says) + (one.name == other.name)
        if weight:
            pairs.add_edge(("gold", i), ("predicted", j), weight=weight)
    both = [dict(pair) for pair in networkx.max_weight_matching(pairs)]
    chosen = [(wanted[pair["gold"]], found[pair["predicted"]]) for pair in both]
    return sum(a.name == b.name for a, b in chosen), sum(a.says == b.says for a, b in chosen)


def stated(model: Model, names: Mapping[str, str]) -> tuple[Hashable, list[Stated]]:
    """The goals and the constraints of a model, over variables renamed by `names`, each comparable with other models'.

    Raises UserError or DataError where the model cannot be written out.
    """
    ground = model.ground
    said: dict[str, list[Hashable]] = {one.id: [] for one in model.problem.constraints}

    def named(i: int) -> Hashable:
        """A column's name; those added to say a statement are called after what they are and what they belong to."""
        column = ground.columns[i]
        if column.role == "variable":
            return names[column.name], column.key
        return column.role, names.get(column.name.partition(".")[0], ""), column.key

    def linear(of: Linear) -> Hashable:
        return frozenset(zip(map(named, of.columns), of.coefficients, strict=True)), of.constant

    def row(one: Rows) -> Hashable:
        return _row_key(list(map(named, one.columns)), one)

    def add(statement: str, what: Hashable) -> None:
        if statement in said:  # else it was derived
            said[statement].append(what)

    for one in ground.rows:
        add(one.statement, row(one))
    for when in ground.whens:
        add(when.row.statement, ("when", named(when.column), when.active, row(when.row)))
    for choice in ground.choices:
        alternatives = Counter(frozenset(map(row, rows)) for rows in choice.alternatives)
        add(choice.statement, ("choice", frozenset(alternatives.items())))
    for span in ground.ranges.values():
        add(span.statement, ("range", named(span.column), span.minimum, span.maximum))
    for lots in ground.lots:
        add(lots.statement, ("lots", linear(lots.of), lots.size))
    for cost in ground.costs:
        add(cost.statement, ("cost", linear(cost.of), cost.points, cost.before, cost.after))
    goals = tuple(
        (goal.sense, frozenset(Counter(map(linear, goal.of)).items()), goal.worst, goal.weight, goal.priority)
        for goal in ground.goals
    )
    constraints = [
        Stated(seed_class(one), frozenset(Counter(said[one.id]).items())) for one in model.problem.constraints
    ]
    return goals, constraints


def _row_key(names: Sequence[Hashable], row: Rows) -> Hashable:
    """What a row says, up to a positive factor (an equality: up to any factor)."""
    terms = dict(enumerate(row.coefficients))
    equal = row.lower is not None and row.lower == row.upper
    sides = [] if row.upper is None else [form(terms, row.upper, equal)]
    if row.lower is not None and not equal:
        sides.append(form({i: -a for i, a in terms.items()}, -row.lower))

    def told(one: Form, sign: int) -> Hashable:
        return frozenset((names[i], sign * a) for i, a in one.terms.items()), sign * one.rhs

    return frozenset((one.equal, frozenset(told(one, sign) for sign in ((1, -1) if equal else (1,)))) for one in sides)


# ---- execution -------------------------------------------------------------------------------------------------------

_CLOSE: Final = Fraction(1, 10**6)


def agrees(a: Rational, b: Rational) -> bool:
    """Whether an optimum `a` is the reference `b`: |a - b| / (|b| + 1) < 1e-6."""
    return abs(Fraction(a) - b) / (abs(Fraction(b)) + 1) < _CLOSE


def with_domain(model: Model, domain: Domains) -> Model:
    """The model with all its variables integer, or continuous; decisions stay binary."""
    variables = {
        name: one if one.domain == "binary" else one.model_copy(update={"domain": domain})
        for name, one in model.problem.variables.items()
    }
    return replace(model, problem=model.problem.model_copy(update={"variables": variables}))


def execution_accuracy(
    gold: Sequence[Model],
    predicted: Sequence[Model | None],
    *,
    time_limit: float = 10.0,
) -> dict[Domains, Accuracy]:
    """The share of predicted models whose optimum agrees with gold's, with integer and with continuous variables.

    Problems whose gold model has no optimum (in seconds `time_limit`) are not counted.
    """
    found: dict[Domains, Accuracy] = {}
    domains: tuple[Domains, ...] = ("integer", "continuous")
    for domain in domains:
        right, of = [], []
        for one, other in zip(gold, predicted, strict=True):
            wanted = _optimum(one, domain, time_limit)
            of.append(int(wanted is not None))
            value = None if wanted is None or other is None else _optimum(other, domain, time_limit)
            right.append(int(wanted is not None and value is not None and agrees(value, wanted)))
        found[domain] = Accuracy(tuple(right), tuple(of))
    return found


def _optimum(model: Model, domain: Domains, time_limit: float) -> Fraction | None:
    try:
        found = solve(with_domain(model, domain), time_limit=time_limit)
    except UserError:
        return None
    return found.objective if found.optimal else None
