"""Rows that another model sampled: a policy goes on from their text, and what comes of them says whose ids it has."""

from __future__ import annotations

import dataclasses
import json
from itertools import chain
from pathlib import Path

import pytest

from data.rows import Preference, Solution
from reasoning.collect.__main__ import main
from reasoning.collect.sampler import notes
from reasoning.engine.tokenizer import HFTokenizer
from reasoning.engine.toy import ByteTokenizer

from .toys import TOY, data_dir, rows, solutions

TOYS = ByteTokenizer.checksum


@pytest.fixture(scope="module")
def smollm(embedded_model: str) -> HFTokenizer:
    return HFTokenizer(embedded_model)


def sampled(path: Path) -> list[Solution]:
    return [Solution.of(row) for row in rows(path)]


def mixed(row: Solution) -> bool:
    """Whether the calculator wrote into one of the row's steps."""
    return any(len(set(mask)) > 1 for mask in row.own or ())


def told_otherwise(row: Solution, tokenizer: HFTokenizer) -> Solution:
    """The toy's row in another tokenizer's ids; where the calculator wrote into a step, the last one is its."""
    ids = tuple(tuple(tokenizer.encode(step)) for step in row.steps)
    own = tuple((*(1,) * (len(i) - 1), int(all(mask))) for i, mask in zip(ids, row.own or (), strict=True))
    prompt = tuple(tokenizer.encode(row.question))
    return dataclasses.replace(row, prompt_ids=prompt, step_ids=ids, own=own, tokenizer=tokenizer.checksum)


def written(path: Path, found: list[Solution]) -> Path:
    path.write_text("".join(json.dumps(row.to_json()) + "\n" for row in found))
    return path


@pytest.fixture
def both(tmp_path: Path, smollm: HFTokenizer) -> tuple[Path, Path]:
    """The toy's samples, and the same with another tokenizer's ids."""
    source = solutions(tmp_path, "--samples", "16")
    return source, written(tmp_path / "foreign.jsonl", [told_otherwise(row, smollm) for row in sampled(source)])


def test_samples_say_whose_ids_they_hold(tmp_path: Path) -> None:
    assert {row.tokenizer for row in sampled(solutions(tmp_path))} == {TOYS}


@pytest.mark.parametrize("told", [True, False], ids=["told", "not told"])
@pytest.mark.parametrize("how", ["rollouts", "bisect", "sorm"])
def test_labels_of_foreign_rows_are_those_of_their_text(
    both: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], how: str, told: bool
) -> None:
    source, foreign = both
    if not told:
        written(foreign, [dataclasses.replace(row, tokenizer=None) for row in sampled(foreign)])
    found = {}
    for file in (source, foreign):
        out = tmp_path / f"labels-{file.name}"
        assert main(["labels", str(file), *TOY, "--how", how, "--out", str(out)]) == 0
        found[file] = sampled(out)
    count = len(found[source])
    said = f"{count} rows hold ids of another or an unknown tokenizer: encoded again from their text\n"
    assert capsys.readouterr().out.endswith(said)
    by_text = [{(r.id, r.steps): (r.values, r.provenance) for r in found[file]} for file in both]
    assert by_text[0] == by_text[1]
    # The rows keep the ids that were sampled, and the masks of the calculator's tokens with them.
    wanted = {(r.id, r.step_ids, r.own, r.tokenizer) for r in sampled(foreign)}
    assert {(r.id, r.step_ids, r.own, r.tokenizer) for r in found[foreign]} == wanted


@pytest.mark.parametrize("command", [["corrected"], ["preferences", "--how", "step-dpo"]])
def test_corrections_of_foreign_rows_hold_the_policy_s_ids_alone(
    both: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    _, foreign = both
    out = tmp_path / "out.jsonl"
    assert main([*command, "--from", str(foreign), *TOY, "--out", str(out)]) == 0
    given, counts = sampled(foreign), notes(out)
    unfit = sum(map(mixed, given))
    assert 0 < unfit < len(given)
    assert (counts["foreign"], counts["unfit"]) == (len(given), unfit)
    assert f"but for {unfit} that cannot be and were left out" in capsys.readouterr().out
    made = rows(out)
    assert made
    decode = ByteTokenizer().decode
    for row in made:
        assert row["tokenizer"] == TOYS
        if command == ["corrected"]:
            asked, text, ids = tuple(row["prompt_ids"]), "".join(row["steps"]), tuple(chain(*row["step_ids"]))
        else:
            pair = Preference.of(row)
            asked, text, ids = pair.prompt_ids, pair.rejected.text, pair.rejected.ids
        assert decode(asked).startswith(f"Question: {row['question']}\nAnswer:")
        assert decode(ids) == text


def test_steps_of_two_tokenizers_are_no_siblings(both: tuple[Path, Path], tmp_path: Path, smollm: HFTokenizer) -> None:
    source, foreign = both
    together = written(tmp_path / "together.jsonl", [*sampled(source), *sampled(foreign)])
    alone = []
    for file in (source, foreign, together):
        out = tmp_path / f"pairs-{file.name}"
        assert main(["preferences", "--from", str(file), "--how", "siblings-cpl", "--out", str(out)]) == 0
        alone.append({json.dumps(row | {"provenance": None}) for row in rows(out)})
    assert alone[0]
    assert alone[0].isdisjoint(alone[1])
    assert alone[2] == alone[0] | alone[1]
    for text in alone[1]:
        pair = Preference.of(json.loads(text))
        assert pair.tokenizer == smollm.checksum
        assert smollm.decode(pair.chosen.ids) == pair.chosen.text


def test_what_a_stored_tree_gives_says_whose_ids_it_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from reasoning.solve import main as solve

    monkeypatch.setenv("STEPSOLVER_RUNS", str(tmp_path / "runs"))
    search = ["gsm8k", "--data-dir", str(data_dir(tmp_path)), *TOY, "--method", "mcts", "--iterations", "12"]
    assert solve([*search, "--reward", "self-eval", "--split", "train", "--run", "trees"]) == 0
    labels, pairs = tmp_path / "labels.jsonl", tmp_path / "pairs.jsonl"
    assert main(["labels", "trees", "--how", "tree", "--out", str(labels)]) == 0
    assert main(["preferences", "--run", "trees", "--how", "siblings-cpl", "--out", str(pairs)]) == 0
    assert {row["tokenizer"] for row in (*rows(labels), *rows(pairs))} == {TOYS}
    for file in (labels, pairs):
        capsys.readouterr()
        assert main(["audit", str(file), "--limit", "1"]) == 0
        assert f"ids of tokenizer {TOYS}" in capsys.readouterr().out
