"""The benchmark of readings of texts, on files of one's own."""

from __future__ import annotations

import json

import pytest

from benchmarks.formulation import main
from formulation.rules import read

TEXT = (
    "A shop makes desks and chairs. Each desk takes 3 hours and each chair takes 2 hours. There are 40 hours. "
    "A desk brings a profit of $7 and a chair a profit of $5. Maximize the profit."
)


def file_of(tmp_path, *rows):
    file = tmp_path / "texts.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


def run(tmp_path, *rows, options=()):
    out = tmp_path / "out.json"
    given = ["--data", str(file_of(tmp_path, *rows)), "--methods", "rules", "--json", str(out), *options]
    assert main(given) == 0
    return json.loads(out.read_text(encoding="utf-8"))


def values(told):
    return {row["measure"]: (row["value"], row["of"]) for row in told["rows"]}


def test_optima_are_compared_with_those_of_the_models_read(tmp_path):
    # 20 chairs bring 100; nothing brings 99.
    told = run(
        tmp_path, {"text": TEXT, "optimum": 100.0}, {"text": TEXT, "optimum": "99"}, {"text": "Hello.", "optimum": 1}
    )
    assert values(told) == {"execution": (pytest.approx(1 / 3), 3)}


def test_other_columns_are_named_and_limits_kept(tmp_path):
    rows = [{"said": TEXT, "best": 100}] * 3
    options = ("--text-column", "said", "--optimum-column", "best", "--limit", "2")
    assert values(run(tmp_path, *rows, options=options)) == {"execution": (1.0, 2)}


def test_rows_with_models_are_compared_by_what_they_say(tmp_path):
    problem = read(TEXT).problem.plain()
    told = run(tmp_path, {"id": "a", "problem": problem, "held_out": True}, {"id": "b", "problem": problem})
    assert {value for value, _ in values(told).values()} == {1.0}
    held_out = run(
        tmp_path, {"id": "a", "problem": problem, "held_out": True}, {"problem": problem}, options=["--held-out"]
    )
    assert held_out["problems"] == 1


@pytest.mark.parametrize(
    ("rows", "options", "says"),
    [
        ([{"text": TEXT}], (), "no columns 'text' and 'optimum'"),
        ([{"text": TEXT, "optimum": "many"}], (), "'many' is no optimal value"),
        ([], (), "holds no texts"),
        ([{"problem": {"variables": {}}}], ("--held-out",), "holds no held-out texts"),
        ([{"text": TEXT, "optimum": 100}], ("--limit", "0"), "must be at least 1"),
    ],
)
def test_a_mistake_is_one_line_that_names_it(tmp_path, rows, options, says):
    with pytest.raises(Exception, match=says) as told:
        main(["--data", str(file_of(tmp_path, *rows)), "--methods", "rules", *options])
    assert "\n" not in str(told.value)
