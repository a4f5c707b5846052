"""Questions of `--interactive`: each is put once, answers change the text or a domain, the end of input ends them."""

from __future__ import annotations

import io
import json
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formulation import formulate
from formulation.__main__ import main
from formulation.interview import interview

SHOP = (
    "A joiner makes stools and shelves. Each stool takes 3 hours of work and each shelf takes 5 hours of work. There "
    "are 62 hours of work available. Each stool brings a profit of $30 and each shelf brings a profit of $55. "
)
GOAL = "How many of each should be made to maximize the profit?"
NOISE = "The landlord is 63 years old. "


def answer(monkeypatch: pytest.MonkeyPatch, typed: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))


def read(capsys: pytest.CaptureFixture[str], text: str, *options: str) -> tuple[dict, str]:
    assert main([text, "--json", *options]) == 0
    out, err = capsys.readouterr()
    return json.loads(out), err


def test_nothing_is_asked_without_the_option(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer(monkeypatch, "Maximize the profit.\n" * 20)
    told, err = read(capsys, SHOP)
    assert err == "" and told["status"] == "not solved"
    assert sys.stdin.tell() == 0


def test_a_missing_goal_is_asked_for_and_the_answer_read(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer(monkeypatch, "How many of each should be made to maximize the profit?\ny\nn\n")
    told, asked = read(capsys, SHOP, "--interactive")
    assert "no words such as maximize or minimize" in asked
    assert "Is 'stools' counted in whole units? [Y/n]" in asked and "Is 'shelves' counted" in asked
    assert told["complete"] and told["status"] == "optimal"
    assert told["model"]["text"].endswith(f"{SHOP.strip()} {GOAL}")
    variables = told["model"]["variables"]
    assert variables["stools"]["domain"] == "integer" and variables["shelves"].get("domain") is None  # continuous
    assert [one["sources"]["domain"]["origin"] for one in variables.values()] == ["user", "user"]
    assert not any("is taken to be" in one["sentence"] for one in told["findings"])
    assert told["objective"] == 682  # 12.4 shelves


@pytest.mark.parametrize("typed", ["", "\n", "\n\n", "\n\n\n\n\n"])
def test_empty_lines_and_the_end_leave_what_is_open(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], typed: str
) -> None:
    answer(monkeypatch, typed)
    told, asked = read(capsys, SHOP + NOISE + GOAL, "--interactive")
    plain, _ = read(capsys, SHOP + NOISE + GOAL)
    assert '"The landlord is 63 years old."\n' in asked and "63" in asked
    assert not told["complete"] and told["model"]["text"] == SHOP + NOISE + GOAL
    assert (told["objective"], told["values"]) == (plain["objective"], plain["values"])


def test_what_is_accepted_with_an_empty_line_is_no_assumption(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer(monkeypatch, "\nperhaps\nY\n")
    told, asked = read(capsys, SHOP + GOAL, "--interactive")
    assert asked.count("Is 'shelves'") == 2  # what is neither yes nor no is asked for again
    for one in told["model"]["variables"].values():
        assert (one["domain"], one["sources"]["domain"]["origin"]) == ("integer", "user")


def test_questions_are_printed_with_the_report(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer(monkeypatch, "n\n")
    assert main([SHOP + GOAL, "--interactive"]) == 0
    out, err = capsys.readouterr()
    assert err == "" and out.startswith("Is 'stools' counted in whole units? [Y/n]")
    assert "'shelves' is taken to be integer" in out and "'stools' is taken to be" not in out


def test_a_sentence_adds_what_it_says(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    answer(monkeypatch, "At least 4 stools must be made\n")
    told, _ = read(capsys, SHOP + NOISE + GOAL, "--interactive")
    assert told["model"]["text"] == f"{SHOP}{NOISE}{GOAL} At least 4 stools must be made."
    assert told["values"]["stools"] >= 4


def test_there_are_at_most_ten_questions(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    many = "".join(f"The landlord is {number} years old. " for number in range(61, 80))
    answer(monkeypatch, "\n" * 50)
    _, asked = read(capsys, SHOP + many + GOAL, "--interactive")
    assert asked.count("Say it in another sentence") == 10


LINES = ["", "y", "n", "At least 4 stools must be made.", "Maximize the profit.", "7 7 7", "\x1b[31m", "?", "..."]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(LINES), max_size=14), st.sampled_from([SHOP, SHOP + GOAL, SHOP + NOISE, "A cat sat."]))
def test_any_answers_end(lines: list[str], text: str) -> None:
    to = io.StringIO()
    found = interview(formulate(text), formulate, io.StringIO("".join(f"{line}\n" for line in lines)), to)
    asked = to.getvalue()
    assert asked.count("Say it in") + asked.count("Is '") <= 10
    assert found.text.startswith(text.rstrip()) and "\x1b" not in asked
    assert found.text == formulate(found.text).text
    if found.reading.problem is not None:
        assert found.model.bound is not None
