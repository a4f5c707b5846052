"""NL4Opt's rows become records, or one line that says what is wrong with them."""

from __future__ import annotations

import json

import pytest

from data.errors import DataError
from data.nl4opt import Declaration, Example, declared, reworded, tagged
from data.sources import data_dir

ROW = {
    "id": "7",
    "document": "A farm keeps geese and hens. Geese eat 3 bowls and hens 2 bowls of at most 60. Keep at least 5 geese. "
    "A goose brings $9, a hen $4. How many of each maximize income?",
    "vars": ["geese", "hens"],
    "obj_declaration": {
        "type": "objective",
        "direction": "maximize",
        "name": "income",
        "terms": {"goose": "9", "hen": "4"},
    },
    "const_declarations": [
        {
            "type": "linear",
            "direction": "at most",
            "limit": "60",
            "terms": {"Geese": "3", "hens": "2"},
            "operator": "LESS_OR_EQUAL",
        },
        {"type": "lowerbound", "direction": "at least", "limit": "5", "var": "geese", "operator": "GREATER_OR_EQUAL"},
    ],
    "order_mapping": {"geese": 0, "hens": 1, "Geese": 0, "goose": 0, "hen": 1},
}


def changed(**fields):
    return {**json.loads(json.dumps(ROW)), **fields}


def write(folder, split, rows):
    path = folder / "nl4opt" / f"{split}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(map(json.dumps, rows)) + "\n", encoding="utf-8")


def test_a_row_is_kept_as_it_was_written(tmp_path):
    write(tmp_path, "dev", [ROW])
    (found,) = declared("dev", directory=tmp_path)
    assert (found.id, found.split, found.width, found.variables) == ("7", "dev", 2, ("geese", "hens"))
    assert found.goal.terms == (("goose", "9"), ("hen", "4"))
    first, second = found.constraints
    assert first.numbers == ("60", "3", "2") and first.mentions == ("Geese", "hens")
    assert second == Declaration("lowerbound", "at least", "GREATER_OR_EQUAL", limit="5", var="geese")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (changed(order_mapping={"geese": 0, "hens": 2}), "'7': order_mapping: must number the mentions from 0"),
        (changed(order_mapping={}), "order_mapping: must number"),
        (changed(order_mapping={"geese": 0, "hens": 1}), "obj_declaration: 'goose' is no mention of order_mapping"),
        (changed(obj_declaration={"type": "goal"}), "obj_declaration: no type 'goal' of objective"),
        (changed(const_declarations=[{"type": "cap"}]), r"const_declarations\[0\]: no type 'cap' of constraint"),
        (
            changed(const_declarations=[{"type": "sum", "operator": "LESS_OR_EQUAL", "direction": "of"}]),
            r"const_declarations\[0\]: a constraint of type sum needs limit",
        ),
        (
            changed(const_declarations=[{"type": "sum", "operator": "EQUAL", "direction": "of", "limit": "3"}]),
            "no operator 'EQUAL': there are LESS_OR_EQUAL, GREATER_OR_EQUAL",
        ),
        (changed(document=3), "document: 'document' must be text"),
        (changed(vars="geese"), "vars: 'vars' must be a list, not a str"),
    ],
)
def test_a_bad_row_is_one_line_with_its_id_and_place(row, message):
    with pytest.raises(DataError, match=message) as raised:
        Example.of(row, "dev")
    assert "\n" not in str(raised.value)


def test_a_column_that_is_missing_is_named(tmp_path):
    write(tmp_path, "dev", [{"id": "1", "document": "x"}])
    with pytest.raises(DataError, match="no column 'vars'"):
        declared("dev", directory=tmp_path)
    write(tmp_path, "ner_train", [{"tokens": ["a"]}])
    with pytest.raises(DataError, match="no column 'tags'"):
        tagged(directory=tmp_path)


def test_without_the_data_one_line_says_where_it_belongs(tmp_path):
    with pytest.raises(DataError, match=r"no nl4opt test data .*folder that holds nl4opt/test.jsonl") as raised:
        declared("test", directory=tmp_path)
    assert "hub" not in str(raised.value) and "\n" not in str(raised.value)
    with pytest.raises(DataError, match="nl4opt/ner_train has no declarations: choose dev or test"):
        declared("ner_train", directory=tmp_path)


def test_tags_are_read_as_stretches(tmp_path):
    row = {"tokens": ["at", "most", "5", "big", "hens", "or", "geese"], "tags": []}
    row["tags"] = ["B-CONST_DIR", "I-CONST_DIR", "B-LIMIT", "B-VAR", "I-VAR", "O", "I-VAR"]
    write(tmp_path, "ner_train", [row, {"tokens": ["a"], "tags": ["O", "O"]}])
    (found,) = tagged(directory=tmp_path, limit=1)
    assert found.id == "nl4opt/ner_train/0"
    assert found.spans == (("CONST_DIR", 0, 2), ("LIMIT", 2, 3), ("VAR", 3, 5), ("VAR", 6, 7))
    with pytest.raises(DataError, match="nl4opt/ner_train/1: 1 tokens and 2 tags"):
        tagged(directory=tmp_path, offset=1)


def test_texts_that_reword_a_training_text_are_found(tmp_path):
    words = ROW["document"].replace("geese", "ducks").replace("60", "75").split()
    write(tmp_path, "ner_train", [{"tokens": words, "tags": ["O"] * len(words)}])
    training = tagged(directory=tmp_path)
    other = Example.of(changed(id="8", document="A bank lends money at two rates."), "dev")
    assert reworded([Example.of(ROW, "dev"), other], training) == {"7"}
    assert reworded([Example.of(ROW, "dev")], training, level=0.99) == frozenset()


@pytest.mark.skipif(data_dir() is None or not (data_dir() / "nl4opt").is_dir(), reason="no NL4Opt data here")
def test_all_splits_load():
    assert [len(declared("dev")), len(declared("test")), len(tagged())] == [99, 289, 713]
    for example in (*declared("dev"), *declared("test")):
        for one in (example.goal, *example.constraints):
            assert all(text in example.document for text in (*one.numbers, *one.mentions))
