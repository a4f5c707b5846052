"""How statements read: one line for each primitive, in three styles."""

from __future__ import annotations

import random
import re
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formulation.algebra import Style, goal_lines, statement_lines, write
from formulation.expressions import expression, literal, quantifier, relation
from formulation.kinds import CONSTRAINTS, OBJECTIVES
from formulation.lines import one_line, shown
from formulation.meaning import World
from formulation.model import Model, load
from formulation.primitives import Row
from formulation.schema import Problem
from tests.formulation.effort import MORE

STYLES: tuple[Style, ...] = ("algebra", "latex", "words")


def problem(*constraints: dict[str, Any], **more: Any) -> Problem:
    variables = {
        "chair": {"domain": "integer", "upper": 50, "label": "chairs"},
        "table": {"upper": 50, "label": "tables"},
        "open": {"domain": "binary"},
        "staffed": {"domain": "binary"},
        "make": {"over": "p in P, t in T", "upper": 9},
    }
    return load(
        {
            "sets": {"P": {"elements": ["a", "b"], "label": "product"}, "T": {"range": [1, 3]}},
            "parameters": {
                "need": {"index": ["P"], "values": {"a": 1, "b": 2}},
                "room": {"value": 4, "label": "space"},
            },
            "variables": variables,
            "constraints": list(constraints),
            **more,
        }
    ).problem


def lines(statement: dict[str, Any], style: Style) -> tuple[str, ...]:
    found = problem(statement)
    return statement_lines(found.constraints[0], found, style)


@pytest.mark.parametrize(
    ("statement", "algebra", "words", "latex"),
    [
        (
            {"kind": "linear", "row": "8*chair + 2*table <= room"},
            "8*chair + 2*table <= room",
            "8 chairs + 2 tables must be at most space",
            r"8\,\mathrm{chair} + 2\,\mathrm{table} \le \mathrm{room}",
        ),
        (
            {"kind": "linear", "row": "chair - 2*table > 1/3*open"},
            "chair - 2*table > 1/3*open",
            "chairs - 2 tables must be more than 1/3 open",
            r"\mathrm{chair} - 2\,\mathrm{table} > \tfrac{1}{3}\,\mathrm{open}",
        ),
        (
            {"kind": "linear", "row": "sum(make[p, t] for p in P if p != 'a') == need['b']", "forall": "t in T"},
            "sum(make[p, t] for p in P if p != 'a') == need['b'], for every t in T",
            "the sum of make[p, t] over every p in product where p is not a must equal need[b], for every t in T",
            r"\sum_{p \in P \,:\, p \neq \text{a}} \mathrm{make}_{p, t} = \mathrm{need}_{\text{b}} "
            r"\quad \forall\, t \in T",
        ),
        (
            {"kind": "conditional", "when": "not open", "then": ["chair <= 3", "table == 0"]},
            "if not open: chair <= 3 and table == 0",
            "if open is no, chairs must be at most 3 and tables must equal 0",
            r"\mathrm{open} = 0 \;\Rightarrow\; \mathrm{chair} \le 3 \land \mathrm{table} = 0",
        ),
        (
            {"kind": "either_or", "alternatives": ["chair <= 3", ["table <= 2", "open == 1"]]},
            "chair <= 3 or (table <= 2 and open == 1)",
            "either chairs must be at most 3, or tables must be at most 2 and open is yes",
            r"\left(\mathrm{chair} \le 3\right) \lor \left(\mathrm{table} \le 2 \land \mathrm{open} = 1\right)",
        ),
        (
            {"kind": "semi_continuous", "variable": "table", "minimum": 2, "maximum": 9},
            "table == 0 or 2 <= table <= 9",
            "tables must be 0, or at least 2 and at most 9",
            r"\mathrm{table} \in \{0\} \cup [2, 9]",
        ),
        (
            {"kind": "lots", "amount": "table", "size": 12},
            "table == 12*k with k whole",
            "tables must be a whole number of lots of 12",
            r"\mathrm{table} \in 12\,\mathbb{Z}",
        ),
        (
            {"kind": "fixed_charge", "variable": "chair", "charge": 20},
            "cost 20*selected(chair)",
            "20 is charged if chairs is used",
            r"\text{cost } 20\,\mathbb{1}[\mathrm{chair} > 0]",
        ),
        (
            {"kind": "piecewise_cost", "of": "table", "points": [[0, 0], [10, 50]], "after": 3},
            "cost of table through (0, 0), (10, 50), slope 3 after",
            "tables costs 0 at 0, 50 at 10, and in proportion between; tables must be at least 0; "
            "each unit of tables above 10 costs 3",
            r"\text{cost of } \mathrm{table} \text{ through } (0, 0),\ (10, 50),\ \text{slope } 3 \text{ after}",
        ),
        (
            {"kind": "range", "low": 1, "terms": "chair + table", "high": 5},
            "1 <= chair + table <= 5",
            "chairs + tables must be at least 1 and at most 5",
            r"1 \le \mathrm{chair} + \mathrm{table} \le 5",
        ),
        (
            {"kind": "proportion", "part": "chair", "sense": "<=", "share": "40%", "whole": "chair + table"},
            "chair <= 40%*(chair + table)",
            "chairs must be at most 40% (chairs + tables)",
            r"\mathrm{chair} \le 40\%\,\left(\mathrm{chair} + \mathrm{table}\right)",
        ),
    ],
)
def test_primitives(statement: dict[str, Any], algebra: str, words: str, latex: str) -> None:
    assert lines(statement, "algebra") == (algebra,)
    assert lines(statement, "words") == (words,)
    assert lines(statement, "latex") == (latex,)


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ({"kind": "implication", "when": "open", "then": "not staffed"}, "if open is yes, then staffed is no"),
        ({"kind": "equivalence", "of": ["open", "not staffed"]}, "open is yes exactly if staffed is no"),
        (
            {"kind": "count", "of": ["not open", "selected(chair)"], "exactly": 1},
            "exactly 1 of these must be so: open is no, chairs is used",
        ),
        (
            {"kind": "count", "of": ["open", "staffed"], "at_least": 1, "at_most": 2},
            "at least 1 and at most 2 of these must be so: open is yes, staffed is yes",
        ),
        (
            {
                "kind": "linear",
                "row": "chair <= sum(make[p, t-1] for p in P)",
                "forall": "t in T",
            },
            "chairs must be at most the sum of make[p, t-1] over every p in product, for every t in T",
        ),
        (
            {"kind": "linear", "row": "make['a', first(T)] == make['a', last(T)]"},
            "make[a, the first of T] must equal make[a, the last of T]",
        ),
    ],
)
def test_words_of_decisions_and_members(statement: dict[str, Any], words: str) -> None:
    assert lines(statement, "words") == (words,)


def test_goals_come_in_their_order() -> None:
    of = [
        {"sense": "maximize", "terms": "chair - table"},
        {"sense": "minimize", "worst_of": "sum(make[p, t] for t in T)", "over": "p in P"},
    ]
    found = problem(objective={"kind": "lexicographic", "of": of})
    assert goal_lines(found.objective, found) == (
        "maximize chair - table",
        "minimize max(sum(make[p, t] for t in T) for p in P)",
    )
    weighed = problem(objective={"kind": "goals", "of": [{**of[0], "weight": 2}]})
    assert goal_lines(weighed.objective, weighed) == ("maximize 2*(chair - table)",)
    assert goal_lines(weighed.objective, weighed, "latex") == (
        r"\max\; 2\,\left(\mathrm{chair} - \mathrm{table}\right)",
    )


def test_labels_stand_only_where_they_read_like_names() -> None:
    labels = {"a": "tons of steel", "b": "a + b", "c": "twice", "d": "twice", "e": "b", "f": "oil\n* 2", "g": "x" * 60}
    given = {"variables": {name: {"label": label} for name, label in labels.items()}}
    found = load(given).problem
    shown_ = write(expression("a + b + c + d + e + f + g"), found, "words")
    assert shown_ == "tons of steel + b + c + d + e + f + g"
    assert write(expression("a + b"), found) == "a + b"


def test_a_sum_that_a_bound_symbol_filters_says_so_in_latex() -> None:
    over, flow = quantifier("j in M"), "sum(ship[i, j] for (i, j) in ARCS)"
    row = Row(expression(flow), "<=", expression("cap[j]"), over=over)
    assert write(row, style="latex") == (
        r"\sum_{i \,:\, (i, j) \in \mathrm{ARCS}} \mathrm{ship}_{i, j} \le \mathrm{cap}_{j} \quad \forall\, j \in M"
    )
    assert write(expression(flow), style="latex").startswith(r"\sum_{(i, j) \in \mathrm{ARCS}}")


def test_decisions_and_conditions_can_be_written_alone() -> None:
    assert write(literal("not open"), style="latex") == r"\mathrm{open} = 0"
    condition = quantifier("t in T if t != first(T) and (t < 3 or (t, t) in PAIRS)").condition
    assert condition is not None
    assert write(condition) == "t != first(T) and (t < 3 or (t, t) in PAIRS)"
    assert write(condition, style="latex") == (
        r"t \neq \mathrm{first}(T) \land \left(t < 3 \lor (t, t) \in \mathrm{PAIRS}\right)"
    )
    assert write(relation("x <= 1e6"), style="latex") in (r"x \le 1 \cdot 10^{6}", r"x \le 1000000")


@pytest.mark.parametrize("kind", sorted({**CONSTRAINTS, **OBJECTIVES}))
def test_every_kind_reads_in_every_style(kind: str) -> None:
    for seed in range(20):
        if kind in CONSTRAINTS:
            found = CONSTRAINTS[kind].generate(random.Random(seed))
            written = [statement_lines(found.constraints[0], found, style) for style in STYLES]
        else:
            found = OBJECTIVES[kind].generate(random.Random(seed))
            written = [goal_lines(found.objective, found, style) for style in STYLES]
        assert len({len(style) for style in written}) == 1
        assert len(written[0]) >= 1
        for line in written[1]:
            assert line.count("{") == line.count("}")
            assert line.count(r"\left") == line.count(r"\right")


@settings(max_examples=150 * MORE, deadline=None)
@given(seed=st.integers(0, 10**9))
def test_the_algebra_of_rows_means_what_the_rows_mean(seed: int) -> None:
    """Plain algebra is in the language of expressions: read again it has the same value."""
    rng = random.Random(seed)
    kind = rng.choice(["linear", "linear_bound", "difference", "comparison", "proportion", "precedence", "capacity"])
    found = CONSTRAINTS[kind].generate(rng)
    bound = Model(found).bound
    point = {(c.name, c.key): Fraction(rng.randint(-4, 4), rng.choice([1, 2, 3])) for c in Model(found).ground.columns}
    world = World(bound, point)
    for row in found.constraints[0].lower():
        assert isinstance(row, Row)
        (env, *_) = world.instances(row.over, {})
        for side in (row.left, row.right):
            # A share such as 70% is shown as it was written, which the language does not read.
            text = re.sub(r"(\d+)%", r"(\1/100)", write(side))
            assert world.value(expression(text), env) == world.value(side, env)


def test_numbers_for_people() -> None:
    assert shown(Fraction(5, 2)) == "2.5"
    assert shown(Fraction(1, 3)) == "0.333333 (1/3)"
    assert shown(12) == "12"
    assert shown(Fraction(10**6 + 1, 7 * 10**6)) == "0.142857"
    assert shown(Fraction(10**400)) == "100000000000..."


def test_lines_hold_nothing_that_a_terminal_obeys() -> None:
    assert one_line("two\nlines\x1b[31m and\ttabs ") == "two lines[31m and tabs"
