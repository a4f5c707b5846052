"""Models to LP and MPS files and back: what is read is what was written."""

from __future__ import annotations

import random
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.errors import DataError, UserError
from formulation.equivalence import compare
from formulation.export import export, read_lp
from formulation.ground import Column, Linear, Rows
from formulation.kinds import CONSTRAINTS, OBJECTIVES
from formulation.linearize import Matrix, Objective
from formulation.lp_reader import read_rows
from formulation.lp_writer import Written, write_lp, write_mps
from formulation.model import Model, load
from tests.formulation.effort import MORE

WRITERS = {".lp": write_lp, ".mps": write_mps}
KINDS = sorted({*CONSTRAINTS, *OBJECTIVES} - {"lexicographic"})


def there_and_back(matrix: Matrix, folder: Path, suffix: str) -> tuple[Written, Matrix]:
    path = folder / f"model{suffix}"
    written = WRITERS[suffix](matrix, path, "a title\nof two lines")
    return written, read_lp(path).matrix


def rows_of(matrix: Matrix, names: list[str]) -> list[Any]:
    """Every limit of every row with its terms, scaled so that the first is 1; rows that always hold are left out."""
    found = []
    for row in matrix.rows:
        terms = sorted((names[i], Fraction(a)) for i, a in zip(row.columns, row.coefficients, strict=True))
        scale = abs(terms[0][1]) if terms else Fraction(1)
        for side, end in (("low", row.lower), ("high", row.upper)):
            if end is not None and (terms or (end > 0 if side == "low" else end < 0)):
                # A row without terms is false, whatever its number.
                limit = Fraction(end) / scale if terms else Fraction(0)
                found.append((side, tuple((name, a / scale) for name, a in terms), limit))
    return sorted(found)


def same(matrix: Matrix, written: Written, read: Matrix) -> None:
    names, back = list(written.columns), [column.name for column in read.columns]
    assert sorted(names) == sorted(back)
    place = {name: i for i, name in enumerate(back)}
    for name, column in zip(names, matrix.columns, strict=True):
        other = read.columns[place[name]]
        assert (column.lower, column.upper, column.integral) == (other.lower, other.upper, other.integral), name
    assert rows_of(matrix, names) == rows_of(read, back)
    ours, theirs = (_objective(m, n) for m, n in ((matrix, names), (read, back)))
    assert ours == theirs


def _objective(matrix: Matrix, names: list[str]) -> Any:
    if not matrix.objectives or not (matrix.objectives[0].of.columns or matrix.objectives[0].of.constant):
        return None
    found = matrix.objectives[0]
    terms = {names[i]: a for i, a in zip(found.of.columns, found.of.coefficients, strict=True)}
    return found.sense, terms, found.of.constant


# ---- both ways -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".lp", ".mps"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_comes_back(kind: str, suffix: str, tmp_path: Path) -> None:
    exact = 0
    for seed in range(12):
        model = Model({**CONSTRAINTS, **OBJECTIVES}[kind].generate(random.Random(seed)))
        written, read = there_and_back(model.matrix, tmp_path, suffix)
        if not written.rounded:
            same(model.matrix, written, read)
            exact += 1
    assert exact >= 2


@pytest.mark.parametrize("suffix", [".lp", ".mps"])
def test_a_model_read_back_is_equivalent(suffix: str, tmp_path: Path) -> None:
    model = load(
        {
            "variables": {
                "sum_": {"upper": 40},
                "free": {"lower": None, "upper": "7/2", "domain": "integer"},
                "e5": {"domain": "binary"},
                "n": {"domain": "integer", "lower": -3, "upper": None},
                "idle": {},
                "idle_too": {"domain": "integer", "upper": 3},
            },
            "objective": {"kind": "optimize", "sense": "maximize", "terms": "0.1*sum_ - 3*e5 + n - free + 12.5"},
            "constraints": [
                {"kind": "range", "id": "st", "low": "0.1", "terms": "sum_ + n", "high": "0.3"},
                {"kind": "linear", "id": "bounds", "row": "1/3*sum_ + 1/7*free <= 4"},
                {"kind": "conditional", "when": "e5", "then": "sum_ == 5"},
                {"kind": "either_or", "alternatives": ["sum_ <= 1", "sum_ >= 9"]},
                {"kind": "semi_continuous", "variable": "sum_", "minimum": 2},
            ],
        }
    )
    path = tmp_path / f"model{suffix}"
    export(model, path)
    found = compare(model, load(path))
    assert (found.verdict, found.notion, found.exact) == ("EQUIVALENT", "structural", True)


NUMBER = st.one_of(
    st.integers(-(10**9), 10**9),
    st.decimals(-1000, 1000, places=6).map(Fraction),
    st.fractions(-50, 50, max_denominator=12),
)
COEFFICIENT = NUMBER.filter(lambda a: abs(a) > Fraction(1, 10**8))


@settings(max_examples=150 * MORE, deadline=None)
@given(data=st.data(), suffix=st.sampled_from([".lp", ".mps"]))
def test_any_rows_come_back(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, suffix: str) -> None:
    ends = st.tuples(st.none() | NUMBER, st.none() | NUMBER)
    count = data.draw(st.integers(1, 5))
    columns = []
    names = st.sampled_from(["x", "X", "e1", "free", "x y", "ü", "3", "inf", "x_1", "obj", ""])
    for i in range(count):
        low, high = data.draw(ends)
        if low is not None and high is not None and low > high:
            low, high = high, low
        domain = data.draw(st.sampled_from(["continuous", "integer"]))
        columns.append(Column(data.draw(names), (i,), domain, low, high))
    rows = []
    for i in range(data.draw(st.integers(0, 5))):
        terms = data.draw(st.dictionaries(st.integers(0, count - 1), COEFFICIENT, max_size=count))
        low, high = data.draw(ends)
        if low is not None and high is not None and low > high:
            low, high = high, low
        rows.append(Rows(tuple(terms), tuple(terms.values()), low, high, data.draw(names), (i % 2,)))
    of = data.draw(st.dictionaries(st.integers(0, count - 1), COEFFICIENT, max_size=count))
    goal = Objective(data.draw(st.sampled_from(["minimize", "maximize"])), Linear(tuple(of), tuple(of.values()), 3))
    matrix = Matrix(Model(load({"variables": {"x": {}}}).problem).ground, columns, rows, [goal])
    written, read = there_and_back(matrix, tmp_path_factory.mktemp("files"), suffix)
    if not written.rounded:
        same(matrix, written, read)


def test_names_tell_all_columns_and_rows_apart(tmp_path: Path) -> None:
    names = ["x", "X", "x_1", "x 1", "x-1", "e5", "E", "3", "free", "inf", "st", "", "_", "ü", "obj", "a" * 400]
    columns = [Column(name, (), "continuous", 0, 1) for name in names]
    rows = [Rows((i,), (1,), 0, 1, name, ()) for i, name in enumerate(names)]
    matrix = Matrix(load({"variables": {"x": {}}}).ground, columns, rows, [])
    for suffix in (".lp", ".mps"):
        written, read = there_and_back(matrix, tmp_path, suffix)
        every = [*written.columns, *(name for both in written.rows for name in both)]
        assert len({name.lower() for name in written.columns}) == len(names)
        assert all(name[0].isalpha() and name.isascii() and len(name) <= 255 for name in every)
        same(matrix, written, read)


def test_what_no_double_holds_is_told(tmp_path: Path) -> None:
    given_: dict[str, Any] = {
        "variables": {"x": {"upper": "1/3"}, "y": {}},
        "objective": {"kind": "optimize", "sense": "minimize", "terms": "1/3*x"},
        "constraints": [
            {"kind": "linear", "id": "scaled", "row": "1/3*x + 0.1*y <= 2/7"},
            {"kind": "linear", "id": "long", "row": "x + 123456789.123456789012 * y >= 1"},
        ],
    }
    model = load(given_)
    for suffix, writer in WRITERS.items():
        path = tmp_path / f"model{suffix}"
        assert set(writer(model.matrix, path).rounded) == {"objective", "x", "long"}
        rows = {row.statement: row for row in read_lp(path).matrix.rows}
        assert (rows["scaled"].coefficients, rows["scaled"].upper) == ((70, 21), 60)


@pytest.mark.parametrize("suffix", [".lp", ".mps"])
@pytest.mark.parametrize(
    ("coefficients", "upper", "rounded", "read"),
    [
        # Whole numbers would be 333333334 * 3 * 10**6, which HiGHS refuses to read.
        ((333333334, Fraction(1, 3)), Fraction(1, 10**6), False, ((1000000002, 1), Fraction(3, 10**6))),
        # Three times this is too much as well, and the row remains as it is.
        ((4 * 10**14, Fraction(1, 3)), 1, True, ((4 * 10**14, Fraction(3333333333333333, 10**16)), 1)),
        ((), Fraction(1, 3), False, ((), 1)),
    ],
)
def test_rows_are_multiplied_only_where_the_file_stays_readable(
    coefficients: tuple[Any, ...], upper: Any, rounded: bool, read: Any, suffix: str, tmp_path: Path
) -> None:
    columns = [Column("x", (i,), "continuous", None, None) for i in range(2)]
    rows = [Rows(tuple(range(len(coefficients))), coefficients, None, upper, "row", ())]
    matrix = Matrix(load({"variables": {"x": {}}}).ground, columns, rows, [])
    written, back = there_and_back(matrix, tmp_path, suffix)
    assert written.rounded == (("row",) if rounded else ())
    assert [(row.coefficients, row.upper) for row in back.rows] == [read]


def test_several_goals_need_another_form(tmp_path: Path) -> None:
    of = [{"sense": "maximize", "terms": "x"}, {"sense": "minimize", "terms": "x"}]
    model = load({"variables": {"x": {"upper": 1}}, "objective": {"kind": "lexicographic", "of": of}})
    with pytest.raises(UserError, match="hold one objective"):
        export(model, tmp_path / "model.lp")


# ---- reading others' files -------------------------------------------------------------------------------------------

LP = "minimize\n obj: x + 2 y\nsubject to\n c1: x + y >= 2\n{rows}\nbounds\n x <= 4\n{bounds}\n{more}\nend\n"
MPS = """NAME test
ROWS
 N obj
 L c1
 G c2
COLUMNS
 x obj 1 c1 1
 x c2 1
 y obj 2 c1 1
RHS
 RHS c1 4 c2 1
BOUNDS
 {bounds}
{more}ENDATA
"""


def read(tmp_path: Path, suffix: str, text: str) -> Model:
    path = tmp_path / f"given{suffix}"
    path.write_text(text)
    return load(path)


def lp(tmp_path: Path, rows: str = "", bounds: str = "", more: str = "") -> Model:
    return read(tmp_path, ".lp", LP.format(rows=rows, bounds=bounds, more=more))


def mps(tmp_path: Path, bounds: str = "UP BND x 4", more: str = "") -> Model:
    return read(tmp_path, ".mps", MPS.format(bounds=bounds, more=more))


def columns(model: Model) -> Mapping[str, Column]:
    return {column.name: column for column in model.matrix.columns}


def test_numbers_are_the_decimals_of_the_file(tmp_path: Path) -> None:
    model = lp(tmp_path, " c2: 0.1 x + 0.3333333333333333 y <= 1e-3", " y >= -2.5")
    (row,) = [row for row in model.ground.rows if row.statement == "c2"]
    assert row.coefficients == (Fraction(1, 10), Fraction(3333333333333333, 10**16))
    assert row.upper == Fraction(1, 1000)
    assert columns(model)["y"].lower == Fraction(-5, 2)


def test_domains_and_bounds(tmp_path: Path) -> None:
    model = lp(tmp_path, bounds=" y free", more="general\n x\n")
    assert (columns(model)["x"].domain, columns(model)["x"].upper) == ("integer", 4)
    assert (columns(model)["y"].lower, columns(model)["y"].upper) == (None, None)
    assert columns(lp(tmp_path, more="binary\n y\n"))["y"].domain == "binary"
    assert columns(mps(tmp_path, "BV BND x"))["x"].domain == "binary"


def test_semi_continuous_variables_become_statements(tmp_path: Path) -> None:
    model = lp(tmp_path, bounds=" 2 <= x <= 4", more="semi-continuous\n x\n")
    (found,) = [c for c in model.problem.constraints if c.kind == "semi_continuous"]
    assert (str(found.variable), str(found.minimum)) == ("x", "2")
    assert columns(model)["x"].lower == 0
    assert model.solve().value("x") in (0, 2)
    whole = mps(tmp_path, "LO BND x 2\n SI BND x 4")
    assert columns(whole)["x"].domain == "integer"


def test_names_that_are_not_ours_become_labels(tmp_path: Path) -> None:
    text = "minimize\n obj: x(1) + sum + x_1_\nsubject to\n for: x(1) + sum >= 2\n c.1: x_1_ >= 1\nend\n"
    found = read(tmp_path, ".lp", text).problem
    assert {name: variable.label for name, variable in found.variables.items()} == {
        "x_1__2": "x(1)",
        "sum_2": "sum",
        "x_1_": None,
    }
    assert [(c.id, c.label) for c in found.constraints] == [("for_2", "for"), ("c_1", "c.1")]
    path = tmp_path / "again.json"
    export(Model(found), path)
    assert load(path).matrix.rows == Model(found).matrix.rows


def test_repeated_terms_of_an_lp_file_are_added(tmp_path: Path) -> None:
    (row,) = [r for r in lp(tmp_path, " c2: x + x + y >= 1").ground.rows if r.statement == "c2"]
    assert row.coefficients == (2, 1)


@pytest.mark.parametrize(
    ("rows", "more", "told"),
    [
        (" q: [ x^2 ] <= 3", "", "quadratic terms"),
        (" i: y = 1 -> x <= 3", "", "indicator rows"),
        ("", "sos\n s1: S1:: x:1 y:2", "special ordered sets"),
        ("", "lazy constraints\n l1: x <= 3", "lazy rows"),
        (" c: x + >= 3", "", "is no LP file"),
        ("", "what\n x", "is no LP file"),
    ],
)
def test_what_is_no_milp_is_one_clear_error(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], rows: str, more: str, told: str
) -> None:
    with pytest.raises(DataError, match=told) as error:
        lp(tmp_path, rows, more=more)
    assert "\n" not in str(error.value)
    assert capfd.readouterr() == ("", "")


def test_quadratic_objectives_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="quadratic terms"):
        read(tmp_path, ".lp", "minimize\n obj: x + [ x^2 ] / 2\nsubject to\n c1: x >= 1\nend\n")


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("QUADOBJ\n x x 1\n", "quadratic terms"),
        ("QCMATRIX c1\n x x 1\n", "quadratic terms"),
        ("SOS\n S1 SOS s1 1\n x 1\n y 2\n", "special ordered sets"),
        ("INDICATORS\n IF c1 x 1\n", "indicator rows"),
        ("LAZYCONS\n L l1\n", "lazy rows"),
        ("WHAT\n x 1\n", "is no MPS file"),
    ],
)
def test_what_is_no_milp_in_mps(tmp_path: Path, more: str, told: str) -> None:
    with pytest.raises(DataError, match=told):
        mps(tmp_path, more=more)


def test_what_highs_would_leave_out_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="ignored"):
        mps(tmp_path, "UP BND x 4\n UP BND x 5")
    with pytest.raises(DataError, match="ignored"):
        read(tmp_path, ".mps", MPS.format(bounds="UP BND x 4", more="").replace("x c2 1", "x c1 1"))


def test_contradictory_bounds_are_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="its lower bound 0 is above its upper bound -4"):
        _ = mps(tmp_path, "UP BND x -4").matrix


def test_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        read_rows(tmp_path / "none.lp")
    (tmp_path / "folder.mps").mkdir()
    with pytest.raises(DataError, match="is no file"):
        read_rows(tmp_path / "folder.mps")
    (tmp_path / "empty.lp").write_text("minimize\n obj:\nsubject to\nend\n")
    with pytest.raises(DataError, match="no variables"):
        read_rows(tmp_path / "empty.lp")


@settings(max_examples=100 * MORE, deadline=None)
@given(cut=st.integers(0, 200), junk=st.text(max_size=6), suffix=st.sampled_from([".lp", ".mps"]))
def test_damaged_files_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, cut: int, junk: str, suffix: str
) -> None:
    text = LP.format(rows="", bounds="", more="") if suffix == ".lp" else MPS.format(bounds="UP BND x 4", more="")
    path = tmp_path_factory.mktemp("damaged") / f"file{suffix}"
    path.write_text(text[:cut] + junk + text[cut:], encoding="utf-8")
    try:
        read_rows(path)
    except DataError as error:
        assert "\n" not in str(error)
