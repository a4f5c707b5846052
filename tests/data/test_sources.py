"""Rows come from the data directory, else the hub, else one error with the ways out."""

import json
import time
from pathlib import Path

import pytest

from data.errors import DataError
from data.sources import data_dir, load_rows, read_jsonl


@pytest.fixture(autouse=True)
def _nowhere(monkeypatch, tmp_path):
    """A current folder with no data in or beside it, and a hub that refuses."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.delenv("STEPSOLVER_DATA", raising=False)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")


def write(folder: Path, name: str, split: str, rows: list[dict]) -> Path:
    path = folder / name / f"{split}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(map(json.dumps, rows)) + "\n", encoding="utf-8")
    return path


def test_the_named_directory_comes_before_the_environment_and_that_before_the_checkout(monkeypatch, tmp_path):
    assert data_dir() is None
    beside = tmp_path / "shared" / "data"
    beside.mkdir(parents=True)
    assert data_dir().resolve() == beside
    inside = Path("shared/data")
    inside.mkdir(parents=True)
    assert data_dir() == inside
    monkeypatch.setenv("STEPSOLVER_DATA", str(tmp_path))
    assert data_dir() == tmp_path
    assert data_dir(beside) == beside


def test_a_named_directory_that_is_not_there_is_an_error(monkeypatch, tmp_path):
    with pytest.raises(DataError, match=r"--data-dir is .*gone, which is not a directory"):
        data_dir(tmp_path / "gone")
    monkeypatch.setenv("STEPSOLVER_DATA", str(tmp_path / "gone"))
    with pytest.raises(DataError, match=r"STEPSOLVER_DATA is .*gone"):
        data_dir()


def test_rows_are_read_from_the_directory_with_limit_and_offset(tmp_path):
    write(tmp_path, "gsm8k", "test", [{"question": f"q{i}", "answer": f"#### {i}"} for i in range(5)])
    rows = load_rows("gsm8k", "test", directory=tmp_path, limit=2, offset=1)
    assert [row["question"] for row in rows] == ["q1", "q2"]
    assert len(load_rows("gsm8k", "test", directory=tmp_path)) == 5
    assert load_rows("gsm8k", "test", directory=tmp_path, offset=9) == []


def test_an_unknown_split_names_the_splits_there_are(tmp_path):
    with pytest.raises(DataError, match="no split 'dev'; choose one of: train, test"):
        load_rows("gsm8k", "dev", directory=tmp_path)


def test_without_directory_and_hub_one_line_names_three_ways_out_at_once():
    started = time.monotonic()
    with pytest.raises(DataError) as raised:
        load_rows("gsm8k", "test")
    assert time.monotonic() - started < 10
    message = str(raised.value)
    assert "\n" not in message
    assert "out of reach" in message
    for way in ("--data-dir", "STEPSOLVER_DATA", "gsm8k/test.jsonl", "hub", "rg:gsm_symbolic"):
        assert way in message


def test_the_hub_is_not_asked_when_it_is_switched_off(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(DataError, match=r"gsm8k/test.jsonl does not exist; the hub is switched off by HF_HUB_OFFLINE"):
        load_rows("gsm8k", "test", directory=tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b'{"question": "q", "answer": "1"}\n\n{"question": oops}\n', r"test.jsonl:3: not JSON: Expecting value"),
        (b'{"question": "q", "answer": "1"}\n{"question": "q", "answer": ', r"test.jsonl:2: not JSON"),
        (b"[1, 2]\n", r"test.jsonl:1: a row must be a JSON object"),
        (b'{"q": "x", "a": "1"}\n', r"test.jsonl:1: no column 'question'; there are: q, a"),
        (b'{"question": "\xff"}\n', r"test.jsonl:1: not UTF-8"),
        (b"[" * 100_000, r"test.jsonl:1: not JSON: nested too deep"),
    ],
)
def test_a_bad_row_is_named_by_file_and_line(tmp_path, text, message):
    path = tmp_path / "test.jsonl"
    path.write_bytes(text)
    with pytest.raises(DataError, match=message):
        list(read_jsonl(path, columns=("question", "answer")))


def test_blank_lines_and_a_byte_order_mark_are_no_rows(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"n": 0}\n\n  \n{"n": 1}\n{"n": 2}')
    assert [row["n"] for row in read_jsonl(path)] == [0, 1, 2]
    assert [row["n"] for row in read_jsonl(path, offset=1, limit=1)] == [1]


def test_an_unreadable_file_is_an_error(tmp_path):
    with pytest.raises(DataError, match=r"cannot read .*gone.jsonl: No such file"):
        list(read_jsonl(tmp_path / "gone.jsonl"))
