"""Rows on disk: what is written is read, a kill costs the last group at most, and malformed rows are one line."""

import dataclasses
import json
import os
import stat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.errors import DataError
from data.rows import Preference, RowFile, Side, Solution, read_rows

SOLUTION = Solution(
    "q/1",
    "How many?",
    "9",
    (" <<4+5=9>>\n", "#### 9"),
    prompt_ids=(1, 2),
    step_ids=((3, 4), (5,)),
    own=((1, 0), (1,)),
    values=(0.5, None),
    provenance={"seed": 1},
)
PREFERENCE = Preference(
    "q/1",
    "How many?",
    "9",
    (" <<4+5=9>>\n",),
    (1, 2, 3),
    Side("#### 9", (4,), (1,), 0.75, 4, "#### 9"),
    Side("#### 8", (5, 6), (1, 0), 0.25, 4),
    "first-wrong",
    margin=0.5,
    smoothing=0.25,
)


def through_json(row):
    return json.loads(json.dumps(row.to_json()))


def one_line(error) -> str:
    message = str(error.value)
    assert "\n" not in message and len(message) < 300
    return message


# ---- records -------------------------------------------------------------------------------------------------------


def test_records_come_back_from_json_as_they_were():
    assert Solution.of(through_json(SOLUTION)) == SOLUTION
    assert Preference.of(through_json(PREFERENCE)) == PREFERENCE


def test_a_solution_without_ids_has_no_columns_for_them():
    plain = Solution("q/1", "How many?", "9", ("#### 9",))
    assert not {"prompt_ids", "step_ids", "own", "values"} & set(plain.to_json())
    assert Solution.of(through_json(plain)) == plain


def test_only_question_answer_id_and_steps_are_needed():
    row = Solution.of({"id": "q", "question": "x", "answer": "1", "steps": ["#### 1"], "group_of": "ignored"})
    assert row.correct and row.origin == "gold" and dict(row.provenance) == {}


@given(
    st.lists(
        st.tuples(st.text(max_size=5), st.lists(st.integers(0, 9), max_size=4), st.none() | st.floats(0, 1)),
        min_size=1,
        max_size=4,
    )
)
def test_any_solution_survives_json(steps):
    texts, ids, values = zip(*((t, tuple(i), v) for t, i, v in steps), strict=True)
    own = tuple((1,) * len(i) for i in ids)
    row = Solution("q", "x", "1", texts, prompt_ids=(7,), step_ids=ids, own=own, values=values)
    assert Solution.of(through_json(row)) == row


@pytest.mark.parametrize(
    "changes",
    [
        {"id": None},
        {"question": 3},
        {"answer": 9},
        {"steps": []},
        {"steps": 5},
        {"steps": ["a", 1]},
        {"step_ids": [[1]]},
        {"step_ids": [1, 2]},
        {"own": [[1, 1]]},
        {"values": [0.5]},
        {"prompt_ids": None},
        {"prompt_ids": 5},
    ],
)
def test_a_malformed_solution_is_one_line(changes):
    with pytest.raises(DataError) as error:
        Solution.of({**through_json(SOLUTION), **changes, "padding": "x" * 5000})
    one_line(error)


@pytest.mark.parametrize("missing", ["id", "question", "answer", "steps"])
def test_a_solution_without_a_column_names_it(missing):
    row = {k: v for k, v in through_json(SOLUTION).items() if k != missing}
    with pytest.raises(DataError, match=f"not a solution row .*{missing}") as error:
        Solution.of(row)
    one_line(error)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"prompt_ids": []}, "prompt_ids"),
        ({"chosen": None}, "not a preference row"),
        ({"chosen": {"ids": [1], "own": [1]}}, "not a preference row"),
        ({"rule": None, "unheard_of": 1}, "not a preference row .*unheard_of"),
        ({"prefix": 4}, "not a preference row"),
        ({"smoothing": 0.75}, "smoothing"),
        ({"smoothing": -0.1}, "smoothing"),
        ({"weight": -1.0}, "weight"),
    ],
)
def test_a_malformed_preference_is_one_line(changes, message):
    with pytest.raises(DataError, match=message) as error:
        Preference.of({**through_json(PREFERENCE), **changes})
    one_line(error)


@pytest.mark.parametrize("side", [{"ids": (), "own": ()}, {"own": (1, 1)}, {"ids": (5, 6), "own": (1, 0)}])
def test_sides_need_ids_a_mask_as_long_and_to_differ(side):
    row = dataclasses.replace(PREFERENCE, chosen=dataclasses.replace(PREFERENCE.chosen, **side))
    with pytest.raises(DataError, match="side") as error:
        Preference.of(through_json(row))
    one_line(error)


# ---- files ---------------------------------------------------------------------------------------------------------


def test_groups_are_known_when_the_file_is_opened_again(tmp_path):
    path = tmp_path / "new" / "rows.jsonl"
    with RowFile(path, {"seed": 1}) as file:
        assert file.done == set()
        file.add("a", [{"x": 1}, {"x": 2}], kept=2)
        file.add("b", [])
        assert file.done == {"a", "b"}
    with RowFile(path, {"seed": 1}) as file:
        assert file.done == {"a", "b"}
        file.add("c", [{"x": 3}])
    rows = list(read_rows(path))
    assert rows[0] == {"settings": {"seed": 1}}
    assert [row["x"] for row in rows if "x" in row] == [1, 2, 3]
    assert {"group": "a", "kept": 2} in rows


def test_text_of_any_script_comes_back(tmp_path):
    text = "naïve 数学 \u2028 \x85 \x0b ½\r\n"
    with RowFile(tmp_path / "f", {}) as file:
        file.add("a", [{"text": text}])
    assert list(read_rows(tmp_path / "f"))[1] == {"text": text}


@given(st.data())
@settings(max_examples=40)
def test_a_file_cut_anywhere_is_read_and_continued_to_the_same_bytes(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("cut")
    groups = {f"g{i}": [{"of": f"g{i}", "k": k, "t": "é\u2028x"} for k in range(i % 3)] for i in range(5)}

    def write(path):
        with RowFile(path, {"seed": 1}) as file:
            for group, rows in groups.items():
                if group not in file.done:
                    file.add(group, rows)

    write(folder / "whole")
    whole = (folder / "whole").read_bytes()
    cut = folder / "cut"
    cut.write_bytes(whole[: data.draw(st.integers(0, len(whole)))])
    survived = list(read_rows(cut))
    assert survived == list(read_rows(folder / "whole"))[: len(survived)]
    write(cut)
    assert cut.read_bytes() == whole


def test_a_second_writer_is_refused_and_the_first_goes_on(tmp_path):
    path = tmp_path / "rows.jsonl"
    with RowFile(path, {}) as file:
        with pytest.raises(DataError, match="being written by another process") as error:
            RowFile(path, {})
        one_line(error)
        file.add("a", [{"x": 1}])
    with RowFile(path, {}) as file:
        assert file.done == {"a"}


def test_an_unfinished_last_line_is_no_row_and_is_cut_off_on_opening(tmp_path):
    path = tmp_path / "rows.jsonl"
    with RowFile(path, {}) as file:
        file.add("a", [{"x": 1}])
    size = path.stat().st_size
    path.write_bytes(path.read_bytes() + b'{"x": 2, "text": "' + b"y" * 200_000)
    assert [row for row in read_rows(path) if "x" in row] == [{"x": 1}]
    with RowFile(path, {}) as file:
        assert file.done == {"a"}
    assert path.stat().st_size == size


def test_other_settings_are_refused_by_name_and_the_file_stays(tmp_path):
    path = tmp_path / "rows.jsonl"
    with RowFile(path, {"seed": 1, "model": "m", "same": [1, (2, 3)]}) as file:
        file.add("a", [{"x": 1}])
    before = path.read_bytes()
    with pytest.raises(DataError, match=r"other settings \(extra, model, seed\): name another file") as error:
        RowFile(path, {"seed": 2, "same": [1, (2, 3)], "extra": 0})
    one_line(error)
    assert path.read_bytes() == before
    with RowFile(path, {"same": [1, [2, 3]], "model": "m", "seed": 1}) as file:
        assert file.done == {"a"}


@pytest.mark.parametrize("text", ['{"x": 1}\n', "notes\n", "notes", '{"settings": 5}\n', '["settings"]\n'])
def test_a_file_that_this_program_did_not_write_is_refused_and_stays(tmp_path, text):
    path = tmp_path / "notes.jsonl"
    path.write_text(text)
    with pytest.raises(DataError, match="not a file that this program wrote") as error:
        RowFile(path, {"seed": 1})
    one_line(error)
    assert path.read_text() == text


def test_a_damaged_row_names_its_line(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"settings": {}}\nnot json\n{"x": 1}\n{"unfini')
    with pytest.raises(DataError, match=r"rows\.jsonl:2: not JSON"):
        list(read_rows(path))


def test_a_missing_file_is_one_line(tmp_path):
    with pytest.raises(DataError, match=r"no data file .*gone\.jsonl"):
        list(read_rows(tmp_path / "gone.jsonl"))


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write anywhere")
def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    with pytest.raises(DataError, match="cannot write"):
        RowFile(tmp_path / "x" / "rows.jsonl", {})


def test_a_path_below_a_file_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot write") as error:
        RowFile(tmp_path / "file" / "rows.jsonl", {})
    one_line(error)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")  # noqa: PTH110
def test_a_full_disk_is_one_line(tmp_path):
    with RowFile(tmp_path / "rows.jsonl", {}) as file:
        file._file.close()
        file._file = open("/dev/full", "ab", buffering=0)  # noqa: PTH123, SIM115
        with pytest.raises(DataError, match="No space left on device; what it held is kept") as error:
            file.add("a", [{"x": 1}])
        one_line(error)
        assert file.done == set()
