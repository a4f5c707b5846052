"""Every generator's every sample: a valid problem, solvable as promised, its numbers accounted for, always the same."""

import json

import pytest

from data.synthesis.checks import faults, solved
from data.synthesis.complexity import BANDS
from data.synthesis.generators import GENERATORS
from data.synthesis.samples import make
from formulation.quantities import numbers_in

NAMES = [generator.name for generator in GENERATORS]


@pytest.mark.parametrize("name", NAMES)
def test_samples_keep_what_they_promise(name):
    for index in range(4):
        row = make(GENERATORS, 7, index, name=name)
        assert row["generator"] == name
        assert faults(row) == []
        status, optimum = solved(row)
        assert status == row["status"]
        assert (optimum is not None) == (status == "optimal")


@pytest.mark.parametrize("name", NAMES)
def test_a_row_depends_on_seed_and_index_alone(name):
    forwards = [json.dumps(make(GENERATORS, 3, index, name=name)) for index in (0, 1)]
    backwards = [json.dumps(make(GENERATORS, 3, index, name=name)) for index in (1, 0)]
    assert forwards == backwards[::-1]
    assert forwards[0] != forwards[1]
    assert make(GENERATORS, 4, 0, name=name)["text"] != json.loads(forwards[0])["text"]


def test_every_number_is_said_by_a_field_or_is_a_distractor():
    for index in range(40):
        row = make(GENERATORS, 5, index)
        statements = [row["problem"]["objective"], *row["problem"]["constraints"]]
        fields = {tuple(m["span"]) for s in statements for key, m in s["sources"].items() if key and "span" in m}
        noise = {tuple(one["span"]) for one in row["distractors"]}
        assert fields.isdisjoint(noise)
        assert fields | noise == {(figure.start, figure.end) for figure in numbers_in(row["text"])}


def test_rows_vary():
    rows = [make(GENERATORS, 2, index) for index in range(150)]
    assert len({row["text"] for row in rows}) == len(rows)
    assert len({row["theme"] for row in rows}) > 30
    assert {row["band"] for row in rows} >= set(list(BANDS)[:3])
    assert len({template for row in rows for template in row["templates"]}) > 200
    assert 0 < sum(row["held_out"] for row in rows) < len(rows) / 2
