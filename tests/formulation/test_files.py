"""Problems on disk: JSON and YAML, exact, strict and untrusted."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.errors import DataError
from formulation.files import parse_text, read_file, write_file
from formulation.kinds import CONSTRAINTS, OBJECTIVES
from formulation.numbers import Number, number
from formulation.schema import read_problem
from tests.formulation.effort import MORE

KINDS = {**CONSTRAINTS, **OBJECTIVES}


@settings(max_examples=60 * MORE)
@given(st.sampled_from(sorted(KINDS)), st.integers(0, 10**6), st.sampled_from(["json", "yaml", "yml", "JSON"]))
def test_written_problems_read_back(tmp_path_factory, kind, seed, suffix):
    problem = read_problem(KINDS[kind].generate(random.Random(seed)).plain())
    path = tmp_path_factory.mktemp("files") / f"problem.{suffix}"
    write_file(problem, path)
    assert read_file(path) == problem


texts = st.text(max_size=12) | st.sampled_from(
    [
        "no",
        "on",
        "yes",
        "null",
        "~",
        "",
        "1e5",
        "007",
        "08",
        "0x1F",
        "1_000",
        "12:30",
        "2025-01-01",
        "<<",
        "=",
        "#",
        ".5",
        "*a",
    ]
)


@settings(max_examples=150 * MORE)
@given(st.lists(texts | st.integers(-(10**20), 10**20), min_size=1, max_size=4, unique_by=str), texts, st.fractions())
def test_words_and_numbers_survive_both_formats(tmp_path_factory, elements, label, value):
    try:
        problem = read_problem(
            {
                "text": label,
                "sets": {"S": elements},
                "parameters": {"c": {"index": ["S"], "values": [[e, value] for e in elements]}, "d": value},
                "variables": {"x": {"label": label, "over": "s in S"}},
            }
        )
    except ValueError:  # half of a surrogate pair is no text
        return
    folder = tmp_path_factory.mktemp("files")
    for name in ("p.json", "p.yaml"):
        write_file(problem, folder / name)
        assert read_file(folder / name) == problem


@settings(max_examples=300 * MORE)
@given(st.text() | st.text(alphabet="{}[]\":,-?!&*|>%@\n a1.#'~<"), st.booleans())
def test_any_text_is_parsed_or_refused_in_one_line(text, yaml_):
    try:
        parse_text(text, yaml_=yaml_)
    except DataError as error:
        assert "\n" not in str(error)


@settings(max_examples=100 * MORE)
@given(st.binary(max_size=300), st.sampled_from([".json", ".yaml"]))
def test_any_file_is_a_problem_or_one_clear_line(tmp_path_factory, content, suffix):
    path = tmp_path_factory.mktemp("files") / f"p{suffix}"
    path.write_bytes(content)
    try:
        read_file(path)
    except DataError as error:
        assert str(error).startswith(str(path))
        assert "\n" not in str(error)


def test_decimals_keep_all_their_digits():
    digits = "0.1000000000000000000000001"
    for yaml_ in (False, True):
        (found,) = parse_text(f"[{digits}]", yaml_=yaml_)
        assert found == number(digits)
    assert parse_text("[1e2, .5, 5., +3]", yaml_=True) == [number(100), number("1/2"), number(5), 3]


def test_yaml_takes_words_for_words():
    assert parse_text("[no, on, y, 12:30, 2025-01-01, 007, 0x1F, 1_000]", yaml_=True) == [
        *("no", "on", "y", "12:30", "2025-01-01", "007", "0x1F", "1_000")
    ]
    assert parse_text("[true, False, null, ~, -3, 0]", yaml_=True) == [True, False, None, None, -3, 0]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"a": 1, "a": 2}', "'a' is there twice: keep one"),
        ('{"a": NaN}', "NaN is no finite number"),
        ('{"a": -Infinity}', "-Infinity is no finite number"),
        ('{"a": 1e999}', "no finite number"),
        (f'{{"a": {"9" * 2000}}}', "has 2000 digits: choose another unit"),
        ('{"a": 1,\n}', "line 2, column 1: no JSON"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_mistakes_in_json(text, told):
    with pytest.raises(DataError) as error:
        parse_text(text)
    assert told in str(error.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: 1\nb: 2\na: 3", "line 3: no YAML: 'a' is there twice"),
        ("a: &x [1]\nb: *x", "line 2: no YAML: no aliases (*name): write the value out"),
        ("a: &x [*x]", "no aliases"),
        ("a: .inf", ".inf is no number"),
        ("a: !!float x", "x is no number"),
        ("a: !!bool maybe", "maybe is no truth value"),
        ("a: !!python/object/apply:os.system [ls]", "could not determine a constructor"),
        ("a: !!binary AA==", "could not determine a constructor"),
        (f"a: {'9' * 2000}", "is no number"),
        ("? [1]\n: 2", "unhashable key"),
        ("a: b: c", "line 1: no YAML: mapping values are not allowed here"),
        ("--- 1\n--- 2", "another document"),
        ("\x00", "no YAML"),
        ("[" * 5000, "nested too deeply"),
    ],
)
def test_mistakes_in_yaml(text, told):
    with pytest.raises(DataError) as error:
        parse_text(text, yaml_=True)
    assert told in str(error.value)


def test_files_that_cannot_be_read(tmp_path):
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "latin.json").write_bytes(b'{"name": "\xe9"}')
    (tmp_path / "none.yaml").write_text("")
    (tmp_path / "field.json").write_text('{"variables": {"x": {"uper": 1}}}')
    for name, told in {
        "absent.json": "does not exist",
        "folder.json": "is a folder: name a file",
        "latin.json": "is not text in UTF-8",
        "none.yaml": "a problem is a mapping with 'variables', not a NoneType",
        "field.json": 'variables.x.uper: no such field; did you mean "upper"?',
        "x" * 300: "cannot be read",
    }.items():
        with pytest.raises(DataError) as error:
            read_file(tmp_path / name)
        assert told in str(error.value)


def test_a_byte_order_mark_is_passed_over(tmp_path):
    (tmp_path / "p.json").write_text('{"variables": {"x": {}}}', encoding="utf-8-sig")
    assert list(read_file(tmp_path / "p.json").variables) == ["x"]


def test_numbers_of_a_file_are_exact(tmp_path):
    (tmp_path / "p.yaml").write_text("variables: {x: {upper: 0.1, lower: 1/3}}\nparameters: {share: 33%}\n")
    problem = read_file(tmp_path / "p.yaml")
    assert problem.parameters["share"].value == Number(Fraction(33, 100))
    assert problem.variables["x"].upper.number.value == Fraction(1, 10)
    assert problem.plain()["variables"]["x"] == {"lower": "1/3", "upper": 0.1}
