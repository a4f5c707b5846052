"""What is wrong with a row is found from the row alone."""

import copy
from itertools import pairwise

from data.synthesis.checks import faults, solved
from data.synthesis.complexity import BANDS, band, complexity
from data.synthesis.generators import GENERATORS
from data.synthesis.samples import make

ROW = make(GENERATORS, 1, 0, name="production")


def changed(change):
    row = copy.deepcopy(ROW)
    change(row)
    return faults(row)


def first(row):
    return row["problem"]["constraints"][0]


def test_a_row_as_it_was_made_is_faultless():
    assert faults(ROW) == []


def test_another_number_in_the_problem_is_found():
    found = changed(lambda row: first(row).update(limit=first(row)["limit"] + 1))
    assert len(found) == 1
    assert found[0].startswith("c1.limit:")


def test_a_span_that_points_elsewhere_is_found():
    def shift(row):
        first(row)["sources"]["limit"]["span"][0] -= 1

    assert any("c1.limit: the span" in fault for fault in changed(shift))


def test_a_number_that_nothing_accounts_for_is_found():
    def forget(row):
        del first(row)["sources"]["limit"]

    (fault,) = changed(forget)
    assert fault.endswith("is not accounted for")


def test_a_statement_without_words_is_found():
    assert changed(lambda row: first(row)["sources"].pop("")) == ["c1: no words say it"]


def test_what_is_no_problem_is_found():
    (fault,) = changed(lambda row: first(row).update(kind="nonsense"))
    assert fault.startswith("schema: constraints[0]")


def test_a_problem_is_solved_exactly():
    problem = {
        "variables": {"x": {"domain": "integer"}},
        "objective": {"kind": "optimize", "sense": "maximize", "terms": {"x": "1/3"}},
        "constraints": [{"kind": "bound", "variable": "x", "sense": "<=", "limit": 4}],
    }
    assert solved({"problem": problem}) == ("optimal", "4/3")
    problem["constraints"].append({"kind": "bound", "variable": "x", "sense": ">=", "limit": 5})
    assert solved({"problem": problem}) == ("infeasible", None)


def test_complexity_counts_variables_rows_logic_and_names():
    variables = {"a": {"domain": "binary"}, "b": {"domain": "integer"}, "c": {"domain": "continuous"}}
    objective = {"kind": "optimize", "sense": "maximize", "terms": {"a": 1, "b": 2}}
    row = {"kind": "linear_bound", "id": "c1", "terms": {"b": 1, "c": 1}, "sense": "<=", "limit": 3}
    rule = {"kind": "either_or", "id": "c2", "alternatives": ["b <= 1", "c >= 2"]}
    assert complexity(variables, objective, []) == 4.8
    assert complexity(variables, objective, [row]) == 6.1
    assert complexity(variables, objective, [row, rule]) == 9.4


def test_bands_follow_one_another():
    edges = list(BANDS.values())
    assert edges[0][0] == 0
    assert all(before[1] == after[0] for before, after in pairwise(edges))
    assert [band(low) for low, _ in edges] == list(BANDS)
