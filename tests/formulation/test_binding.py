"""Sets and parameters from wherever they lie."""

from __future__ import annotations

import time
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.errors import DataError, UserError
from formulation.binding import bind, show_key
from formulation.schema import read_problem
from tests.formulation.effort import MORE

openpyxl = pytest.importorskip("openpyxl")

SETS = {"P": ["a", "b", "it's 3"], "T": {"range": [1, 3]}}


def problem(parameter=None, **sections):
    parameters = {"c": {"index": ["P", "T"], **(parameter or {})}}
    return read_problem({"sets": SETS, "parameters": parameters, "variables": {"x": {}}, **sections})


def values(parameter=None, data=None, folder=None, **sections):
    return dict(bind(problem(parameter, **sections), data, folder).parameters["c"])


def table(**fields):
    return {"table": {"keys": ["p", "t"], **fields}}


def write_csv(path, rows):
    path.write_text("".join(",".join(f'"{cell}"' for cell in row) + "\n" for row in rows), encoding="utf-8")


def write_xlsx(path, rows, sheet=None):
    book = openpyxl.Workbook()
    page = book.active if sheet is None else book.create_sheet(sheet)
    for row in rows:
        page.append(row)
    book.save(path)


amounts = st.decimals(min_value=-(10**6), max_value=10**6, places=4).map(lambda x: x.normalize() + 0)
KEYS = [(p, t) for p in SETS["P"] for t in (1, 2, 3)]


@settings(max_examples=25 * MORE)
@given(st.lists(amounts, min_size=9, max_size=9), st.permutations(range(9)))
def test_every_way_to_give_values_gives_the_same(tmp_path_factory, numbers, order):
    folder = tmp_path_factory.mktemp("tables")
    pairs = [(KEYS[i], float(numbers[i])) for i in order]
    want = {key: Fraction(str(value)) for key, value in pairs}
    rows = [(*key, value) for key, value in pairs]
    header = ["p", "t", "v"]
    write_csv(folder / "long.csv", [header, *rows])
    write_xlsx(folder / "long.xlsx", [header, *rows])
    write_xlsx(folder / "second.xlsx", [header, *rows], sheet="two")
    wide = [["p", 1, 2, 3], *([p, *(dict(pairs)[p, t] for t in (1, 2, 3))] for p in SETS["P"])]
    write_csv(folder / "wide.csv", wide)
    write_xlsx(folder / "wide.xlsx", wide)
    frame = pd.DataFrame(rows, columns=header)
    nested = {p: {t: dict(pairs)[p, t] for t in (1, 2, 3)} for p in SETS["P"]}
    across = {"keys": ["p"], "wide": True}
    found = [
        values({"values": rows}),
        values({"values": nested}),
        values({"values": dict(pairs)}),
        values(table(file="long.csv"), folder=folder),
        values(table(file="long.xlsx"), folder=folder),
        values(table(file="second.xlsx", sheet="two", value="v"), folder=folder),
        values({"table": {"file": "wide.csv", **across}}, folder=folder),
        values({"table": {"file": "wide.xlsx", **across}}, folder=folder),
        values(table(name="costs"), {"costs": frame}),
        values(table(name="costs"), {"costs": frame.set_index(["p", "t"])}),
        values(table(name="costs"), {"costs": frame.to_dict("records")}),
        values(table(name="costs"), {"costs": folder / "long.csv"}),
        values({"table": {"name": "costs", **across}}, {"costs": frame.pivot(index="p", columns="t", values="v")}),
        values({"default": 7}, {"c": dict(pairs)}),
        values({"default": 7}, {"c": nested}),
        values({"default": 7}, {"c": rows}),
        values({"default": 7}, {"c": frame.set_index(["p", "t"])["v"]}),
        values(table(name="costs"), {"c": frame}),
        values(table(file="other.csv"), {"c": str(folder / "long.csv")}),
    ]
    for got in found:
        assert got == want
        assert {type(t) for _, t in got} == {int}
        assert all(isinstance(value, int | Fraction) for value in got.values())


def test_a_number_of_a_file_is_exact(tmp_path):
    write_csv(tmp_path / "c.csv", [["p", "v"], ["a", "0.1000000000000000000001"], ["b", " 1/3 "], ["it's 3", "12.5%"]])
    given_ = {"index": ["P"], "table": {"file": "c.csv", "keys": ["p"]}}
    want = {("a",): Fraction("0.1000000000000000000001"), ("b",): Fraction(1, 3), ("it's 3",): Fraction(1, 8)}
    assert values(given_, folder=tmp_path) == want


ROWS = [["p", "t", "v"], *([p, t, 1] for p, t in KEYS)]


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([*ROWS, ["a", 1, 2]], "parameters.c: ('a', 1) has two values: keep one"),
        (ROWS[:-1], "parameters.c: (\"it's 3\", 3) has no value: add it, or give 'c' a default"),
        ([*ROWS, ["c", 1, 2]], "parameters.c: 'c' is not in 'P'"),
        ([*ROWS, ["a", 4, 2]], "is not in 'T'"),
        ([*ROWS[:-1], ["it's 3", 3, "nan"]], "parameters.c[\"it's 3\", 3]: 'nan' is no number"),
        ([*ROWS[:-1], ["it's 3", 3, ""]], "'' is no number"),
        ([["p", "u", "v"], *ROWS[1:]], "no column 't' (it has p, u, v)"),
        ([["p", "t", "t"], *ROWS[1:]], "two columns are named 't': rename one"),
        ([["p", "t", "v", "w"], *([*row, 5] for row in ROWS[1:])], "name the column of the values ('value'), one of "
         "p, t, v, w"),
        ([], "is empty: its first line names the columns"),
    ],
)  # fmt: skip
def test_mistakes_in_tables(tmp_path, rows, told):
    write_csv(tmp_path / "c.csv", rows)
    with pytest.raises(DataError) as error:
        values(table(file="c.csv"), folder=tmp_path)
    assert told in str(error.value)


@pytest.mark.parametrize(
    ("values_", "told"),
    [
        ([["a", 1, 1], ["a", 1, 2]], "('a', 1) has two values"),
        ({"a": {1: 1, "2": 2}, "b": 3}, "the key 'b' has 1 parts, its index has 2"),
        ({"a": {"1": {"x": 1}}}, "no number"),
        ([[["a", 1], 1]], "the key ['a', 1] has 1 parts"),
        ([["a", ["x"], 1]], "['x'] is not in 'T'"),
        ([[]], "write a row of the index and its value"),
        ({"chair": {"1": 1}}, "'chair' is not in 'P'"),
        ({"A": {"1": 1}}, "'A' is not in 'P'"),
    ],
)
def test_mistakes_in_inline_values(values_, told):
    with pytest.raises(DataError) as error:
        values({"values": values_})
    assert told in str(error.value)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"d": 1}, "data 'd': the problem names no such data"),
        ({"cc": 1}, 'did you mean "c"?'),
        ({"c": 5}, "a int holds no values by key"),
        ({"c": pd.Series([1.0, 2.0], index=pd.MultiIndex.from_tuples([("a", 1)] * 2))}, "('a', 1) has two values"),
        ({"c": {("a", 1): float("nan")}}, "nan is no finite number"),
        ({"c": {("a", 1): np.inf}}, "inf is no finite number"),
        ({"c": "nowhere.csv"}, "nowhere.csv does not exist"),
        ({"c": "x" * 300}, "cannot be read"),
        ({"P": 5}, "sets.P: give its members as a list, not as a int"),
        ({"P": "abc"}, "sets.P: give its members as a list, not as a str"),
        ({"P": [1.5]}, "sets.P: an element is a text or a whole number"),
        ({"P": ["a", "a"]}, "sets.P: 'a' is there twice"),
    ],
)
def test_mistakes_in_given_data(data, told):
    with pytest.raises(UserError) as error:
        values({"default": 7}, data)
    assert told in str(error.value)


def test_a_missing_value_of_a_table_is_its_default(tmp_path):
    write_csv(tmp_path / "wide.csv", [["p", "1", "2", "3"], ["a", 5, "", 7]])
    got = bind(problem({"table": {"file": "wide.csv", "keys": ["p"], "wide": True}, "default": "1/2"}), folder=tmp_path)
    assert dict(got.parameters["c"]) == {("a", 1): 5, ("a", 3): 7}
    assert got.parameter("c", ("a", 2)) == Fraction(1, 2)
    frame = pd.DataFrame({"p": ["a"], "1": [5.0], "2": [float("nan")], "3": [7.0]})
    wide = {"table": {"name": "w", "keys": ["p"], "wide": True}, "default": "1/2"}
    assert values(wide, {"w": frame}) == dict(got.parameters["c"])


def test_a_value_that_is_asked_for_and_missing_is_named():
    bound = bind(
        problem({"default": 1}, parameters={"c": {"index": ["P"], "default": 1}, "d": {"index": [], "value": 2}})
    )
    assert bound.parameter("d", ()) == 2
    with pytest.raises(DataError, match=r"d\['a'\] has no value"):
        bound.parameter("d", ("a",))


def set_items(members, data=None, folder=None, **more):
    found = bind(read_problem({"sets": {"S": members, **more}, "variables": {"x": {}}}), data, folder)
    return found.sets["S"]


def test_sets_from_tables(tmp_path):
    write_csv(tmp_path / "s.csv", [["i", "j", "v"], ["1", " a", 5], ["2", "007", 6], ["1", " a", 7]])
    one = {"table": {"file": "s.csv", "keys": ["i"]}}
    assert set_items(one, folder=tmp_path).items == ((1,), (2,))
    both = set_items({"table": {"file": "s.csv", "keys": ["i", "j"]}}, folder=tmp_path)
    assert both.items == ((1, "a"), (2, "007"))
    frame = pd.DataFrame({"i": [1.0, 2.0]})
    assert set_items({"table": {"name": "s", "keys": ["i"]}}, {"s": frame}).items == ((1,), (2,))
    with pytest.raises(DataError, match="a row has no key"):
        set_items({"table": {"name": "s", "keys": ["i"]}}, {"s": pd.DataFrame({"i": [1.0, None]})})
    (tmp_path / "empty.csv").write_text("i,j\n")
    assert set_items({"table": {"file": "empty.csv", "keys": ["i", "j"]}}, folder=tmp_path).dimension == 2


def test_sets_given_anew():
    assert set_items(["a"], {"S": np.array([3, 4])}).items == ((3,), (4,))
    assert set_items(["a"], {"S": pd.Index(["u", "v"])}).items == (("u",), ("v",))
    assert set_items({"range": [1, 9]}, {"S": {"range": [2, 3]}}).items == ((2,), (3,))
    assert set_items({"range": [1, 9]}, {"S": [5]}).ordered


def test_members_come_from_the_sets_they_are_within():
    pairs = {"elements": [["a", "1"]], "within": ["P", "T"]}
    assert set_items(pairs, **SETS).items == (("a", 1),)
    with pytest.raises(DataError, match="not in 'T'"):
        set_items({"elements": [["a", 4]], "within": ["P", "T"]}, **SETS)
    with pytest.raises(DataError, match="has 3 parts, not the 2 of P, T"):
        set_items({"elements": [["a", 1, 1]], "within": ["P", "T"]}, **SETS)
    triples = read_problem(
        {
            "sets": {**SETS, "Q": pairs, "S": {"elements": [["a", 1, 2]], "within": ["Q", "T"]}},
            "variables": {"x": {}},
        }
    )
    bound = bind(triples)
    assert (bound.sets["S"].dimension, bound.places("S")) == (3, ("P", "T", "T"))
    with pytest.raises(UserError, match="no set 'PP'"):
        set_items({"elements": [], "within": ["PP"]}, **SETS)
    with pytest.raises(UserError, match="the sets A, S refer to each other"):
        set_items({"elements": [], "within": ["A"]}, A={"elements": [], "within": ["S"]})


def test_members_of_different_lengths_are_refused():
    with pytest.raises(DataError, match="different lengths"):
        set_items([["a", 1], ["b"]])


@settings(max_examples=60 * MORE)
@given(
    st.binary(max_size=200) | st.text(alphabet='pv,";\n\r1a\x00', max_size=60).map(str.encode),
    st.sampled_from([".csv", ".xlsx"]),
)
def test_any_file_is_a_table_or_one_clear_line(tmp_path_factory, content, suffix):
    path = tmp_path_factory.mktemp("any") / f"c{suffix}"
    path.write_bytes(content)
    try:
        values({"index": ["P"], "table": {"file": path.name, "keys": ["p"]}, "default": 1}, folder=path.parent)
    except DataError as error:
        assert "\n" not in str(error)


def test_a_damaged_workbook_is_one_clear_line(tmp_path):
    import zipfile

    write_xlsx(tmp_path / "c.xlsx", ROWS)
    with zipfile.ZipFile(tmp_path / "c.xlsx") as whole, zipfile.ZipFile(tmp_path / "d.xlsx", "w") as cut:
        for name in whole.namelist():
            content = whole.read(name)
            cut.writestr(name, content[: len(content) // 2] if "sheet1" in name else content)
    with pytest.raises(DataError, match="cannot be read as XLSX"):
        values(table(file="d.xlsx"), folder=tmp_path)
    with pytest.raises(DataError, match="no sheet 'Sheat'; did you mean \"Sheet\""):
        values(table(file="c.xlsx", sheet="Sheat"), folder=tmp_path)


def test_a_workbook_may_have_gaps(tmp_path):
    write_xlsx(
        tmp_path / "c.xlsx", [[None] * 4, ["p", None, "t", "v"], *([p, "note", t, 1] for p, t in KEYS), [None] * 4]
    )
    assert values(table(file="c.xlsx"), folder=tmp_path) == dict.fromkeys(KEYS, 1)


def test_a_folder_and_an_odd_row_are_named(tmp_path):
    (tmp_path / "c.csv").mkdir()
    with pytest.raises(DataError, match="does not exist"):
        values(table(file="c.csv"), folder=tmp_path)
    (tmp_path / "d.csv").write_text("p,t,v\na,1\n")
    with pytest.raises(DataError, match="row 2 has 2 fields, the header 3"):
        values(table(file="d.csv"), folder=tmp_path)


def test_reading_grows_linearly(tmp_path):
    def seconds(rows):
        path = tmp_path / f"{rows}.csv"
        path.write_text("p,v\n" + "".join(f"k{i},{i}.5\n" for i in range(rows)))
        given_ = {
            "sets": {"S": {"table": {"file": path.name, "keys": ["p"]}}},
            "parameters": {"c": {"index": ["S"], "table": {"file": path.name, "keys": ["p"]}}},
            "variables": {"x": {}},
        }
        problem_ = read_problem(given_)
        found = []
        for _ in range(3):
            started = time.process_time()
            bind(problem_, folder=tmp_path)
            found.append(time.process_time() - started)
        return min(found)

    # Ten times as many rows: quadratic growth would take a hundred times as long.
    assert seconds(20_000) < 30 * max(seconds(2_000), 0.005)


def test_show_key():
    assert show_key("demand", ("north", 3)) == "demand['north', 3]"
    assert show_key("x", ()) == "x"
