"""The language of expressions: from text to trees and back."""

from __future__ import annotations

import string
from fractions import Fraction

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from data.errors import DataError
from formulation.expressions import (
    Add,
    At,
    Compare,
    Div,
    Edge,
    Expr,
    Generator,
    Item,
    Logical,
    Mul,
    Num,
    Quantifier,
    Ref,
    Relation,
    Selected,
    Sum,
    constant,
    expression,
    literal,
    names_in,
    quantifier,
    relation,
    scaled,
    terms_of,
    total,
)
from formulation.kinds.base import Binding
from formulation.meaning import World
from formulation.numbers import number
from tests.formulation import trees
from tests.formulation.effort import MORE
from tests.formulation.test_meaning import BOUND, points

SCOPE = {"i": "I", "t": "T"}
ENV = {"i": Binding("b", "I"), "t": Binding(2, "T")}
READERS = (expression, quantifier, literal, relation)

WORDS = [
    *("x", "y[i]", "z[i, t-1]", "k", "i", "t", "I", "T", "0", "1", "2", "1.50", ".5", "1e3", "007", "1/3", "'it'"),
    *(" + ", " - ", "-", "*", "/", "(", ")", "[", "]", ", ", " for ", " in ", " if ", " not ", " and ", " or "),
    *("selected(", "sum(", "first(T)", "last(T)", " <= ", " == ", " != ", " < ", " = ", "#", "\n", "**"),
    *(".", "lambda: ", "{", "}"),
]  # fmt: skip
texts = st.lists(st.sampled_from(WORDS), max_size=14).map("".join) | st.text(max_size=40)


def reads_back(found):
    """Whether a tree is what its text and what its JSON value are read as."""
    read = {Quantifier: quantifier, Logical: literal, Relation: relation}.get(type(found), expression)
    return read(str(found)) == found and read(found.plain()) == found


@settings(max_examples=300 * MORE)
@given(texts)
@example("-1*5")
@example("-1*(2*x)")
@example("-(k*x) + y[i]")
@example("x - (k*x - 2)/3")
@example("2*007")
@example("x # and more")
@example("x*" * 60 + "x")
@example("-" * 5000 + "x")
@example("(" * 300)
@example("x" + "+x" * 900)
@example("sum(x for i in I if " + "not " * 3000 + "i == 1)")
@example("\ud800")
@example("x\x00")
@example("1" * 5000)
def test_any_text_is_read_or_refused_in_one_line_and_reads_back(text):
    for read in READERS:
        try:
            found = read(text)
        except ValueError as error:
            assert "\n" not in str(error)
        else:
            assert reads_back(found), found


@settings(max_examples=100 * MORE)
@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(max_size=5), st.lists), st.booleans())
def test_any_value_is_read_or_refused(value, nested):
    for read in READERS:
        for given_ in (value, {"x": value}, {"x": {"y": value}} if nested else {str(value): 1}):
            try:
                read(given_)
            except ValueError:
                continue


@settings(max_examples=100 * MORE)
@given(trees.expr(SCOPE), points())
def test_a_tree_keeps_its_meaning_through_its_text(tree, point):
    world = World(BOUND, point)
    again = expression(str(tree))
    assert reads_back(again)
    try:
        value = world.value(tree, ENV)
    except DataError:
        with pytest.raises(DataError):
            world.value(again, ENV)
    else:
        assert world.value(again, ENV) == value


@settings(max_examples=100 * MORE)
@given(trees.quantifier({}, 3))
def test_a_quantifier_reads_back(given_):
    found = quantifier(str(given_[0]))
    assert reads_back(found)
    world = World(BOUND, {})
    try:
        members = list(world.instances(given_[0], {}))
    except DataError:
        return
    assert list(world.instances(found, {})) == members


@given(st.text(alphabet=string.printable) | st.integers(), st.sampled_from(["first", "last"]), st.integers(-9, 9))
def test_indices_read_back(element, end, shift):
    found = Ref("x", (Item(element), Edge(end, "T"), At("t", shift)))
    assert expression(str(found)) == found


@given(st.dictionaries(st.sampled_from(["x", "y[i]", "z['a', t-1]"]), trees.amounts, min_size=1))
def test_coefficients_by_variable_read_back(given_):
    found = expression(given_)
    assert expression(found.plain()) == found
    assert {str(ref): factor.value for ref, factor in terms_of(found).items()} == given_


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("8*chair + 2*table", Add((Mul(constant(8), Ref("chair")), Mul(constant(2), Ref("table"))))),
        ("-x", Mul(constant(-1), Ref("x"))),
        ("x - 2*y", Add((Ref("x"), Mul(constant(-2), Ref("y"))))),
        ("1/3", constant(Fraction(1, 3))),
        ("x/3", Div(Ref("x"), constant(3))),
        ("33%", constant("33/100")),
        ("0x10*x", Mul(constant(16), Ref("x"))),
        ("0.1000000000000000000001*x", Mul(constant("0.1000000000000000000001"), Ref("x"))),
        ("stock[p, t-1]", Ref("stock", (At("p"), At("t", -1)))),
        ("x['north', 3, -3]", Ref("x", (Item("north"), Item(3), Item(-3)))),
        ("x[first(T)]", Ref("x", (Edge("first", "T"),))),
        ("selected(make[p])", Selected(Ref("make", (At("p"),)))),
        (
            "sum(c[i]*x[i] for i in I)",
            Sum(Quantifier((Generator(("i",), "I"),)), Mul(Ref("c", (At("i"),)), Ref("x", (At("i"),)))),
        ),
        ("8*chair\n  + 2*table", Add((Mul(constant(8), Ref("chair")), Mul(constant(2), Ref("table"))))),
    ],
)
def test_texts_and_their_trees(text, tree):
    assert expression(text) == tree


def test_the_digits_of_a_number_in_a_condition_are_its_own():
    found = quantifier("p in P7, q in Q if cost[p, q] > 0.12345678901234567890123")
    assert found.condition == Compare(">", Ref("cost", (At("p"), At("q"))), constant("0.12345678901234567890123"))


def test_a_condition_may_compare_with_a_parameter_or_a_symbol_bound_outside():
    found = quantifier("s in T if s <= t-1 and s != horizon")
    assert str(found) == "s in T if s <= t - 1 and s != horizon"
    assert reads_back(found)


@pytest.mark.parametrize(
    ("read", "text", "told"),
    [
        (expression, "2x", "cannot read '2x'"),
        (expression, "x**2", "'x ** 2' is not linear algebra"),
        (expression, "x = 2", "an equality is written =="),
        (expression, "30%*x", "inside a formula 30% is written 0.3"),
        (expression, "abs(x)", "'abs(x)' is unknown: there are sum(... for i in I) and selected(x)"),
        (expression, "x.y", "is not linear algebra"),
        (expression, "True", "is not linear algebra"),
        (expression, "x # 2", "'#' would hide what follows it"),
        (expression, "sum(i for i in I)", "'i' is a member of a set, not a number"),
        (expression, "sum(x for i in range(3))", "'range(3)' is no set"),
        (expression, "sum(x for i.j in I)", "'i.j' cannot run through a set"),
        (expression, "selected(2*x)", "must name one variable"),
        (expression, "x[t*2]", "'t * 2' is no index"),
        (expression, {"2": 3}, "'2' is no variable"),
        (expression, {"x": {"y": 1}}, "coefficient of 'x': write a number or an expression, not coefficients again"),
        (expression, {"x": "1/0/"}, "coefficient of 'x': cannot read '1/0/'"),
        (expression, "(" * 120 + "x" + ")" * 120 + "*x" * 60, "nested too deeply"),
        (expression, None, "a NoneType is no number"),
        (expression, "x" * 20_001, "longer than 20000 characters"),
        (quantifier, "i I", "cannot read 'i I'"),
        (quantifier, "i in I if x", "'x' is no condition"),
        (quantifier, 3, "write it as text such as 't in T', not as a int"),
        (literal, "2", "'2' is no decision"),
        (literal, "x + y", "is no decision"),
        (relation, "x", "'x' is no relation"),
        (relation, "0 <= x <= 2", "is no relation"),
        (relation, "x != 2", "is no relation"),
    ],
)
def test_mistakes_say_what_may_be_written(read, text, told):
    with pytest.raises(ValueError) as error:
        read(text)
    assert told in str(error.value)


def test_relations_keep_their_sense_and_strictness():
    assert relation("x < 2") == Relation(Ref("x"), "<=", constant(2), strict=True)
    assert relation("x > 2") == Relation(Ref("x"), ">=", constant(2), strict=True)
    assert relation("x == y") == Relation(Ref("x"), "==", Ref("y"))
    assert str(relation("x > -1/3")) == "x > (-1/3)"


def test_a_decision_is_a_binary_or_its_opposite():
    assert literal("not not open") == Logical(Ref("open"))
    assert literal("not selected(x)").opposite() == Logical(Selected(Ref("x")))
    assert str(literal("not open").indicator) == "1 - open"


def test_coefficients_and_text_stay_what_they_were():
    assert expression({"chair": 8, "table": "1/3"}).plain() == {"chair": 8, "table": "1/3"}
    assert expression("chair + table").plain() == "chair + table"
    assert expression({"chair": 8}).plain() == "8*chair"
    assert expression({}) == constant(0)
    assert expression("50%").plain() == "50%"


def test_sums_are_joined_and_a_factor_of_1_is_left_out():
    x, y = Ref("x"), Ref("y")
    assert total(Add((x, y)), x) == Add((x, y, x))
    assert total(x) == x
    assert scaled(1, x) == x
    assert scaled("1/2", x) == Mul(Num(number("0.5")), x)
    assert terms_of(Add((x, x))) is None


def test_names_are_those_of_sets_parameters_and_variables():
    found = relation("sum(c[i]*x[i, first(T)] for i in I if (i, 1) in P and d[i] > k) <= selected(y)")
    assert set(names_in(found)) == {"c", "x", "T", "I", "P", "d", "k", "y"}
    assert isinstance(found.left, Expr)
