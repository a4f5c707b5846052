"""Rounds end in one state whatever kills them; a round that does worse is not built on; commands say what they do."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from reasoning.train.mix import real_count
from reasoning.train.rounds import STATE, content_hash, read_state, round_seed

TOY = "tests.reasoning.train.toy_rounds"


def start(folder: Path, *more: str, **env: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", TOY, str(folder), *more],
        env={**os.environ, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(folder: Path, *more: str, **env: str) -> tuple[int, str, str]:
    process = start(folder, *more, **env)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def result(folder: Path) -> Any:
    """The state and every file that a stage wrote, without times."""
    state = read_state(folder)
    text = json.dumps(state, sort_keys=True).replace(str(folder), "OUT")
    for entry in (stage for r in (state or {})["rounds"] for stage in r["stages"]):
        assert entry["status"] == "done" and entry["started"] <= entry["finished"]
    text = re.sub(r'"(started|finished)": "[^"]*"', "", text)
    return text, {
        str(p.relative_to(folder)): content_hash(p) for p in sorted(folder.rglob("*.json*")) if p.name != STATE
    }


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What a run that nobody interrupts comes to."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    status, _, err = run(folder)
    assert status == 0, err
    return result(folder)


@pytest.mark.parametrize(
    "where",
    [
        "round-00/evaluate:before",
        "round-01/collect:before",
        "round-01/collect:3",
        "round-01/collect:end",
        "round-01/train:before",
        "round-01/train:4",
        "round-01/train:end",
        "round-01/evaluate:end",
        "round-02/train:7",
    ],
)
def test_a_run_killed_at_any_point_ends_like_one_that_was_not(tmp_path: Path, whole: Any, where: str) -> None:
    folder, died = tmp_path / "run", tmp_path / "died"
    status, *_ = run(folder, TOY_DIE=where, TOY_DIED=str(died))
    assert status == -signal.SIGKILL and died.exists()
    status, _, err = run(folder)
    assert status == 0, err
    assert result(folder) == whole


def test_a_run_killed_again_and_again_at_random_moments_ends_like_one_that_was_not(tmp_path: Path, whole: Any) -> None:
    folder, rng, kills = tmp_path / "run", random.Random(7), 0
    while True:
        process = start(folder, TOY_SLOW="0.03")
        try:
            process.wait(rng.uniform(0.1, 0.9))
        except subprocess.TimeoutExpired:
            family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
            for member in family:
                member.kill()
            psutil.wait_procs(family[1:])
            process.communicate()
            kills += 1
            assert kills < 100
            continue
        assert process.communicate() and process.returncode == 0
        break
    assert kills >= 2
    assert result(folder) == whole


def test_a_second_run_of_the_same_command_changes_nothing(tmp_path: Path, whole: Any) -> None:
    folder = tmp_path / "run"
    run(folder)
    before = (folder / STATE).read_text()
    status, out, _ = run(folder)
    assert status == 0 and "done in" not in out
    assert (folder / STATE).read_text() == before
    assert result(folder) == whole


def test_each_stage_says_one_line_when_it_begins_and_one_when_it_is_done(tmp_path: Path) -> None:
    _, out, _ = run(tmp_path / "run", TOY_ROUNDS="1")
    lines = out.splitlines()
    assert [line.split(":")[0] for line in lines] == [
        *["round 0 evaluate"] * 2,
        *["round 1 collect"] * 2,
        *["round 1 train"] * 2,
        *["round 1 evaluate"] * 2,
        "round 1",
    ]
    assert lines[0].startswith(f"round 0 evaluate: python -m {TOY} evaluate ")
    assert re.fullmatch(r"round 0 evaluate: done in \d+ s: correct 0", lines[1])


def test_a_round_that_does_worse_is_not_built_on(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    assert run(folder, TOY_BAD="1")[0] == 0
    state = read_state(folder)
    assert state is not None
    first, second = state["rounds"][1:]
    assert first["score"]["correct"] < 0 and not first["accepted"] and "earlier adapter goes on" in first["reason"]
    assert second["from"] is None  # round 2 starts where round 1 did
    other = tmp_path / "always"
    assert run(other, TOY_BAD="1", TOY_ACCEPT="always")[0] == 0
    always = read_state(other)
    assert always is not None and always["rounds"][1]["accepted"]
    assert always["rounds"][2]["from"] == str(other / "round-01" / "adapter.json")


def test_a_failing_stage_says_what_failed_and_the_run_goes_on_once_it_is_mended(tmp_path: Path, whole: Any) -> None:
    folder = tmp_path / "run"
    status, _, err = run(folder, TOY_BREAK="train")
    assert status == 2 and len(err.splitlines()) == 1
    assert err.startswith("error: round 1 train ended with exit code 3 (error: nothing works)")
    assert f"python -m {TOY} break" in err and str(folder / "round-01" / "train.log") in err
    state = read_state(folder)
    assert state is not None and [s["status"] for s in state["rounds"][1]["stages"]] == ["done", "failed"]
    # A mended plan has another command here, which the state refuses to mix with what was begun.
    status, _, err = run(folder)
    assert status == 2 and "begun as another command" in err
    assert run(folder, "--overwrite")[0] == 0
    assert result(folder) == whole


def test_other_settings_a_strange_folder_and_changed_outputs_are_refused_in_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    assert run(folder)[0] == 0
    for act, wanted in [
        (lambda: run(folder, TOY_SEED="1"), "was begun with other settings (seed)"),
        (lambda: run(tmp_path), "holds something else"),
        (lambda: run(tmp_path, "--overwrite"), "holds something else"),
    ]:
        status, _, err = act()
        assert status == 2 and wanted in err and len(err.splitlines()) == 1
    (folder / "round-01" / "rows.jsonl").write_text("{}\n")
    status, _, err = run(folder)
    assert status == 2 and "rows.jsonl is not what stage collect wrote" in err
    (folder / STATE).write_text("{")
    status, _, err = run(folder)
    assert status == 2 and "is not the state of a run" in err


def test_a_stage_that_outlives_a_killed_run_keeps_its_folder(tmp_path: Path, whole: Any) -> None:
    folder = tmp_path / "run"
    process = start(folder, TOY_SLOW="0.3")
    while not (folder / "round-01" / "rows.jsonl").exists():
        time.sleep(0.01)
    (stage,) = psutil.Process(process.pid).children()
    process.kill()
    process.communicate()
    status, _, err = run(folder)
    assert status == 2 and f"in use by process {stage.pid}" in err
    stage.kill()
    psutil.wait_procs([stage], timeout=10)
    status, _, err = run(folder)
    assert status == 0, err
    assert result(folder) == whole


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_ends_its_stage_and_goes_on_later(tmp_path: Path, whole: Any, sign: signal.Signals) -> None:
    folder = tmp_path / "run"
    process = start(folder, TOY_SLOW="0.2")
    while not (folder / "round-01" / "rows.jsonl").exists():
        time.sleep(0.01)
    (stage,) = psutil.Process(process.pid).children()
    process.send_signal(sign)
    process.communicate(timeout=30)
    assert process.returncode == 130 and not stage.is_running()
    assert run(folder)[0] == 0
    assert result(folder) == whole


def test_the_state_says_which_version_it_has_and_a_newer_one_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    run(folder, TOY_ROUNDS="0")
    state = json.loads((folder / STATE).read_text())
    assert state["schema_version"] == 1 and state["status"] == "finished"
    (folder / STATE).write_text(json.dumps(state | {"schema_version": 2}))
    status, _, err = run(folder, TOY_ROUNDS="0")
    assert status == 2 and "schema version 2" in err
    shutil.rmtree(folder)


def test_rounds_have_seeds_of_their_own() -> None:
    seeds = {round_seed(seed, number) for seed in range(20) for number in range(20)}
    assert len(seeds) == 400 and all(0 <= s < 2**31 for s in seeds)


def test_real_rows_are_just_enough_for_their_share() -> None:
    for sampled in range(0, 60, 7):
        for share in (0.0, 0.1, 0.25, 0.5, 0.9):
            real = real_count(sampled, share)
            assert real >= share * (real + sampled) - 1e-6
            assert real == 0 or real - 1 < share * (real - 1 + sampled)
    assert real_count(30, 0.5) == 30 and real_count(0, 0.5, 24) == 24
