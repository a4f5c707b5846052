"""Rows with another tokenizer's ids: the same text in this one's, or left out; no job trains on ids as they are."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from data.errors import UserError
from data.records import Problem
from data.rows import Preference, Side, Solution
from reasoning.engine.tokenizer import HFTokenizer
from reasoning.train import evaluate_values, job, joint, mix, prm, sft, step_dpo
from reasoning.train.branches import IGNORED
from reasoning.train.foreign import Encoder
from tests.reasoning.train import tiny

QUESTION = "Nina has 48 beads and gives away half. How many?"
STEPS = (" <<48/2=24>>\n", "<<48-24=24>>\n", "#### 24")
WRONG = (" <<48/2=24>>\n", "<<48+24=72>>\n", "#### 72")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def own(base: Path) -> HFTokenizer:
    return HFTokenizer(str(base))


@pytest.fixture(scope="module")
def smollm(embedded_model: str) -> HFTokenizer:
    return HFTokenizer(embedded_model)


@pytest.fixture(scope="module")
def characters(tmp_path_factory: pytest.TempPathFactory) -> HFTokenizer:
    """All its ids are below the tiny model's vocabulary: no embedding would notice them."""
    return tiny.save_tokenizer(tiny.characters(), tmp_path_factory.mktemp("characters"))


@pytest.fixture(scope="module", params=["smollm", "characters"])
def other(request: pytest.FixtureRequest) -> HFTokenizer:
    found: HFTokenizer = request.getfixturevalue(request.param)
    return found


def encoder(tokenizer: HFTokenizer) -> Encoder:
    (end,) = sorted(tokenizer.eos_ids)[:1]
    return Encoder(tokenizer, lambda problem: tokenizer.encode(f"Question: {problem.question}\nAnswer:"), end)


def sampled(tokenizer: HFTokenizer, steps: tuple[str, ...] = STEPS, **fields: Any) -> Solution:
    """A solution as the model of `tokenizer` wrote it."""
    ids = [tuple(tokenizer.encode(step)) for step in steps]
    ids[-1] = (*ids[-1], *sorted(tokenizer.eos_ids)[:1])
    about = {"correct": steps == STEPS, "values": (0.5,) * (len(steps) - 1) + (float(steps == STEPS),), **fields}
    made = Solution(
        "made/train/1",
        QUESTION,
        "24",
        steps,
        origin="sampled",
        prompt_ids=tuple(encoder(tokenizer).prompt(Problem("", QUESTION))),
        step_ids=tuple(ids),
        own=tuple((1,) * len(i) for i in ids),
        tokenizer=tokenizer.checksum,
    )
    return replace(made, **about)


def ids_of(row: Solution) -> tuple[tuple[int, ...], ...]:
    assert row.step_ids is not None
    return row.step_ids


def own_of(row: Solution) -> tuple[tuple[int, ...], ...]:
    assert row.own is not None
    return row.own


def by_tool(row: Solution) -> Solution:
    """The row, as if a tool had written the last two tokens but one of its first step."""
    first = (*own_of(row)[0][:-3], 0, 0, 1)
    return replace(row, own=(first, *own_of(row)[1:]))


def pair(tokenizer: HFTokenizer, **fields: Any) -> Preference:
    """The two second steps of STEPS and WRONG."""
    right, wrong = sampled(tokenizer), sampled(tokenizer, WRONG)
    prompt = (*(right.prompt_ids or ()), *ids_of(right)[0])
    good, bad = (Side(r.steps[1], ids_of(r)[1], own_of(r)[1], v, 4) for r, v in ((right, 1.0), (wrong, 0.0)))
    made = Preference("made/train/1", QUESTION, "24", STEPS[:1], prompt, good, bad, "test")
    return replace(made, tokenizer=tokenizer.checksum, **fields)


# ---- one row ---------------------------------------------------------------------------------------------------------


def test_ids_of_the_same_tokenizer_and_rows_without_ids_stay_as_they_are(own: HFTokenizer) -> None:
    rows = [sampled(own), by_tool(sampled(own)), Solution("q", "?", "1", ("7", "2"))]
    found = encoder(own).solutions(rows, words="all")
    assert found.rows == rows
    assert (found.counts, found.report("solutions")) == ({}, rows)
    assert encoder(own).preferences([pair(own)]).rows == [pair(own)]


@pytest.mark.parametrize("told", [True, False], ids=["told", "not told"])
def test_a_foreign_solution_is_its_text_in_this_tokenizer_s_ids(
    own: HFTokenizer, other: HFTokenizer, told: bool
) -> None:
    row = sampled(other) if told else replace(sampled(other), tokenizer=None)
    (found,) = encoder(own).solutions([row]).rows
    assert found == replace(sampled(own), steps=row.steps)
    assert [own.decode(ids) for ids in ids_of(found)] == list(STEPS)


def test_a_last_step_that_ends_its_line_gets_no_end(own: HFTokenizer, other: HFTokenizer) -> None:
    closed = (*STEPS[:-1], f"{STEPS[-1]}\n")
    (found,) = encoder(own).solutions([sampled(other, closed, correct=True)]).rows
    assert not own.eos_ids.intersection(i for ids in ids_of(found) for i in ids)


def test_words_are_not_taught_where_a_tool_wrote_into_a_step(own: HFTokenizer, other: HFTokenizer) -> None:
    right, wrong = by_tool(sampled(other)), by_tool(sampled(other, WRONG))
    rows = [right, wrong, sampled(other)]
    found = encoder(own).solutions(rows)
    assert [row.steps for row in found.rows] == [WRONG, STEPS]
    assert found.counts == {"foreign": 3, "unfit": 1}
    assert encoder(own).solutions(rows, words="all").counts == {"foreign": 3, "unfit": 2}
    (values_only, *_) = encoder(own).solutions(rows, words="none").rows
    assert [set(mask) for mask in own_of(values_only)] == [{0}, {1}, {1}]


def test_a_step_that_has_no_loss_at_all_keeps_having_none(own: HFTokenizer, other: HFTokenizer) -> None:
    row = sampled(other)
    masked = replace(row, own=((0,) * len(own_of(row)[0]), *own_of(row)[1:]))
    (found,) = encoder(own).solutions([masked]).rows
    assert [set(mask) for mask in own_of(found)] == [{0}, {1}, {1}]


def test_a_border_across_which_this_tokenizer_merges_leaves_the_row_out(
    own: HFTokenizer, characters: HFTokenizer
) -> None:
    rows = [sampled(characters, (" 48/2=7", "2\n", "#### 72"), correct=True), sampled(characters)]
    found = encoder(own).solutions(rows)
    assert (found.rows, found.counts) == ([sampled(own)], {"foreign": 2, "unfit": 1})


def test_a_foreign_pair_keeps_its_prefix_common_and_its_numbers(own: HFTokenizer, other: HFTokenizer) -> None:
    numbers = {"margin": 0.4, "smoothing": 0.1, "weight": 2.0}
    (found,) = encoder(own).preferences([pair(other, **numbers)]).rows
    assert found == pair(own, **numbers)


def test_pairs_whose_sides_a_tool_wrote_into_or_that_read_alike_are_left_out(
    own: HFTokenizer, other: HFTokenizer
) -> None:
    good = pair(other)
    tool = replace(good, chosen=replace(good.chosen, own=(*good.chosen.own[:-1], 0)))
    alike = replace(good, rejected=replace(good.rejected, text=good.chosen.text))
    found = encoder(own).preferences([tool, alike, good])
    assert found.rows == [pair(own)]
    assert found.left_out.total() == len(found.left_out) == 2


def test_it_is_told_in_one_line_with_the_number_of_rows(
    own: HFTokenizer, smollm: HFTokenizer, characters: HFTokenizer, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second, mine = (t.checksum[:8] for t in (smollm, characters, own))
    names = ", ".join(sorted((f"{first}…", f"{second}…")))
    encoder(own).solutions([sampled(smollm), sampled(own), sampled(characters)]).report("solutions")
    assert capsys.readouterr().out == (
        f"2 solutions were written by another tokenizer ({names}; this model's is {mine}…): encoded again from their "
        "text\n"
    )
    old = replace(sampled(smollm), tokenizer=None)
    encoder(own).solutions([by_tool(old), old]).report("solutions")
    assert capsys.readouterr().out == (
        f"2 solutions do not say which tokenizer wrote them (this model's is {mine}…): 1 encoded again from their "
        "text, 1 left out (1 with tokens that a tool wrote into a step)\n"
    )
    with pytest.raises(UserError, match=r"cannot be encoded again .*: collect them with this model") as error:
        encoder(own).solutions([by_tool(sampled(smollm))]).report("solutions")
    assert "\n" not in str(error.value)


# ---- jobs ------------------------------------------------------------------------------------------------------------


class Ready(Exception):
    """Raised in place of training, when everything for it is there."""


@pytest.fixture
def trained_on(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The rows that a job would train on; the job ends there."""
    found: list[Any] = []

    def stop(trainer: Any, *_: Any) -> float:
        found.extend(trainer.train_dataset)
        raise Ready

    monkeypatch.setattr(job, "train", stop)
    monkeypatch.setattr(step_dpo, "train", stop)
    return found


def written(path: Path, *rows: Solution | Preference) -> Path:
    path.write_text("".join(json.dumps(row.to_json()) + "\n" for row in rows))
    return path


def started(module: Any, base: Path, data: Path, *options: str) -> None:
    with pytest.raises(Ready):
        module.run([*tiny.options(model=base, data=[data], output_dir=data.parent / "out"), *options])


def check(rows: list[Any], own: HFTokenizer, *solutions: tuple[str, ...]) -> None:
    """Every row is the question's prompt and the solutions' text, in the model's own ids."""
    assert {own.decode(row["prompt_ids"]) for row in rows} == {f"Question: {QUESTION}\nAnswer:"}
    found = sorted(own.decode(branch) for row in rows for branch in row["branches"])
    assert found == sorted("".join(steps) for steps in solutions)


def test_sft_trains_on_the_text_of_foreign_rows(
    base: Path, own: HFTokenizer, other: HFTokenizer, tmp_path: Path, trained_on: list[Any]
) -> None:
    other_words = (" <<48*1=48>>\n", *STEPS[1:])
    rows = [sampled(other), by_tool(sampled(other, other_words, correct=True)), by_tool(sampled(own))]
    started(sft, base, written(tmp_path / "rows.jsonl", *rows))
    check(trained_on, own, STEPS, STEPS)
    labels = sorted(sum(i == IGNORED for i in branch) for row in trained_on for branch in row["labels"])
    assert labels == [0, 2]  # the model's own row still knows what the tool wrote


def test_joint_and_prm_value_the_steps_of_foreign_rows(
    base: Path, own: HFTokenizer, other: HFTokenizer, tmp_path: Path, trained_on: list[Any]
) -> None:
    data = written(tmp_path / "rows.jsonl", by_tool(sampled(other)), sampled(other, WRONG))
    started(joint, base, data)
    check(trained_on, own, WRONG)
    trained_on.clear()
    # No words are taught here, so the row that the tool wrote into serves as well.
    for kind in ("generative", "token-classification"):
        started(prm, base, data, "--kind", kind, "--overwrite", "true")
    check(trained_on, own, *(STEPS, WRONG) * 2)
    ends = [i for row in trained_on for values in row["values"] for i, v in enumerate(values) if v >= 0]
    lengths = [len(ids) for steps in (STEPS, WRONG) for ids in ids_of(sampled(own, steps))]
    assert sorted(ends) == sorted([sum(lengths[a : a + k]) - 1 for a in (0, 3) for k in (1, 2, 3)] * 2)


def test_step_dpo_trains_on_the_text_of_foreign_pairs(
    base: Path, own: HFTokenizer, other: HFTokenizer, tmp_path: Path, trained_on: list[Any]
) -> None:
    held_out = written(tmp_path / "held-out.jsonl", replace(pair(other), id="made/train/2"))
    data = written(tmp_path / "pairs.jsonl", pair(other))
    started(step_dpo, base, data, "--eval_data", str(held_out))
    (row,) = trained_on
    expected = pair(own)
    assert row["prompt_ids"] == list(expected.prompt_ids)
    assert row["branches"] == [list(expected.chosen.ids), list(expected.rejected.ids)]


def test_pairs_that_cannot_be_encoded_again_are_refused(
    base: Path, characters: HFTokenizer, tmp_path: Path, trained_on: list[Any]
) -> None:
    good = pair(characters)
    tool = replace(good, chosen=replace(good.chosen, own=(*good.chosen.own[:-1], 0)))
    options = tiny.options(model=base, data=[written(tmp_path / "p.jsonl", tool)], output_dir=tmp_path / "out")
    with pytest.raises(UserError, match=r"^1 pairs were written by another tokenizer .*collect them with this model$"):
        step_dpo.run(options)
    assert not trained_on


def test_mixed_rows_say_whose_ids_they_hold(
    base: Path, own: HFTokenizer, characters: HFTokenizer, tmp_path: Path, trained_on: list[Any]
) -> None:
    mine = written(tmp_path / "mine.jsonl", by_tool(sampled(own)))
    theirs = written(tmp_path / "theirs.jsonl", sampled(characters), sampled(characters, WRONG))
    out = tmp_path / "mixed.jsonl"
    assert mix.main(["--data", str(mine), str(theirs), "--output", str(out), "--real-share", "0"]) == 0
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert sorted(row["tokenizer"] for row in rows) == sorted([own.checksum, *[characters.checksum] * 2])
    started(joint, base, out)
    check(trained_on, own, STEPS, STEPS, WRONG)


def test_values_are_measured_on_the_text_of_foreign_rows(
    base: Path, own: HFTokenizer, other: HFTokenizer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prm.run(
        tiny.options(
            model=base,
            data=[written(tmp_path / "own.jsonl", sampled(own))],
            output_dir=tmp_path / "adapter",
            max_steps=1,
        )
    )
    reports = []
    for tokenizer in (own, other):
        data = written(tmp_path / "held-out.jsonl", sampled(tokenizer), sampled(tokenizer, WRONG))
        capsys.readouterr()
        options = ["--adapter", str(tmp_path / "adapter"), "--data", str(data), "--model", str(base), "--json"]
        evaluate_values.run([*options, "--dtype", "float32"])
        reports.append(json.loads(capsys.readouterr().out))
    assert reports[0] == reports[1]
