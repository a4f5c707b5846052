"""Rounds end in one state whatever kills them; a round that does worse is not built on; commands say what they do."""

from __future__ import annotations

import argparse
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

from data.errors import UserError
from data.rows import Solution
from reasoning.train import iterate, mix
from reasoning.train.iterate import IterateJob, plan_of
from reasoning.train.mix import real_count
from reasoning.train.rounds import STATE, Round, Stage, content_hash, read_state, round_seed

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
            # On a machine that is busy with other things starting alone takes longer: later kills come later.
            process.wait(rng.uniform(0.1, 0.9) * (1 + kills / 8))
        except subprocess.TimeoutExpired:
            parent = psutil.Process(process.pid)
            parent.suspend()  # or it might start another stage before it is killed
            family = [parent, *parent.children(recursive=True)]
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


# ---- the stages of `iterate` -----------------------------------------------------------------------------------------


def stages(folder: Path, number: int = 1, **settings: Any) -> list[Stage]:
    job = IterateJob(output_dir=str(folder), **settings)
    return list(plan_of(job)(Round(number, 5, folder / f"round-{number:02}", None)))


def after(stage: Stage, flag: str) -> str:
    return stage.argv[stage.argv.index(flag) + 1]


def test_each_stage_reads_what_the_one_before_wrote(tmp_path: Path) -> None:
    for method, pairs, wanted in [
        ("sample", "none", "collect mix joint greedy pass"),
        ("sample", "siblings-mcts-dpo", "collect mix joint pairs step_dpo greedy pass"),
        ("sample", "step-dpo", "collect mix joint pairs step_dpo greedy pass"),
        ("mcts", "siblings-cpl", "search collect mix joint pairs step_dpo greedy pass"),
        ("mcts", "step-dpo", "search collect mix joint pairs step_dpo greedy pass"),
    ]:
        found = stages(tmp_path, method=method, pairs=pairs)
        assert [stage.name for stage in found] == wanted.split()
        by_name = {stage.name: stage for stage in found}
        (rows,), (sampled,) = by_name["mix"].outputs, by_name["collect"].outputs
        assert after(by_name["mix"], "--data") == str(sampled)
        assert after(by_name["joint"], "--data") == str(rows)
        assert not by_name["greedy"].whole  # a search that is stopped writes a summary of what it has
        last = by_name.get("step_dpo", by_name["joint"])
        if "step_dpo" in by_name:
            assert after(last, "--adapter") == str(by_name["joint"].adapter)
            assert after(last, "--data") == str(by_name["pairs"].outputs[0])
        assert after(by_name["greedy"], "--adapter") == after(by_name["pass"], "--adapter") == str(last.adapter)
        if method == "mcts":  # the stored search is what is labelled and compared
            run = after(by_name["search"], "--run")
            assert run in by_name["collect"].argv
            assert by_name["search"].env == by_name["collect"].env == {"STEPSOLVER_RUNS": str(tmp_path / "runs")}
            assert pairs == "step-dpo" or after(by_name["pairs"], "--run") == run


def test_every_command_is_one_that_its_module_understands(tmp_path: Path) -> None:
    from reasoning.collect.__main__ import COMMANDS
    from reasoning.solve import _parser
    from reasoning.train.job import parse
    from reasoning.train.joint import JointJob
    from reasoning.train.sft import SFTJob
    from reasoning.train.step_dpo import StepDPOJob

    jobs = {"sft": SFTJob, "joint": JointJob, "step_dpo": StepDPOJob}
    seen = set()
    for method, trainer, pairs in [
        ("sample", "sft", "step-dpo"),
        ("mcts", "joint", "siblings-mcts-dpo"),
        ("sample", "joint", "advantage"),
    ]:
        made = stages(
            tmp_path,
            method=method,
            trainer=trainer,
            pairs=pairs,
            engine=["max_num_seqs=8"],
            collect_options=["top_p=0.9"],
            max_answer_tokens=99,
            trainer_options=["max_steps=3", "use_cpu=true"],
            step_dpo_options=["beta=0.3", "use_cpu=true"],
        )
        for stage in made:
            _, module, *argv = stage.argv
            name = module.rpartition(".")[2]
            seen.add(name)
            if name == "solve":
                assert vars(_parser().parse_args(argv))["adapter"]
            elif name == "collect":
                parser = argparse.ArgumentParser()
                COMMANDS[argv[0]].add_options(parser)
                parser.parse_args(argv[1:])
            elif name in jobs:
                job = parse(jobs[name], argv, "a job")
                assert job.seed == 5 and job.use_cpu
                assert getattr(job, "max_steps" if name != "step_dpo" else "beta") in (3, 0.3)
    assert seen == {"solve", "collect", "mix", "sft", "joint", "step_dpo"}


def test_rounds_take_the_next_questions_of_the_pool_and_begin_again_at_its_end(tmp_path: Path) -> None:
    def slices(**settings: Any) -> list[tuple[str, str]]:
        found = [stages(tmp_path, number, **settings)[0] for number in range(1, 6)]
        return [(after(stage, "--offset"), after(stage, "--limit")) for stage in found]

    assert slices(offset=100, pool=50, limit=20) == [(str(100 + o), "20") for o in (0, 20, 0, 20, 0)]
    assert slices(offset=100, pool=50, limit=20, fresh=False) == [("100", "20")] * 5
    assert slices(offset=0, pool=50, limit=80) == [("0", "50")] * 5


def test_held_out_questions_are_measured_with_one_seed_in_all_rounds(tmp_path: Path) -> None:
    for number in (0, 1, 2):
        *_, greedy, several = stages(tmp_path, number, seed=8, eval_offset=7100, eval_limit=9)
        assert after(greedy, "--seed") == after(several, "--seed") == "8"
        assert after(greedy, "--offset") == after(several, "--offset") == "7100"
    assert [stage.name for stage in stages(tmp_path, 0, eval_samples=0)] == ["greedy"]


def test_a_round_without_pairs_goes_without_preference_training(tmp_path: Path) -> None:
    folder = tmp_path / "round-01"
    folder.mkdir()
    (folder / "solutions.jsonl").write_text(json.dumps(Solution("a/1", "q", "1", ("#### 1",)).to_json()) + "\n")
    (folder / "pairs.jsonl").write_text('{"settings": {}}\n{"group": "a/1"}\n')
    names = [stage.name for stage in stages(tmp_path, pairs="advantage")]
    assert "pairs" in names and "step_dpo" not in names
    (folder / "solutions.jsonl").write_text('{"settings": {}}\n')
    assert "pairs" not in [stage.name for stage in stages(tmp_path, pairs="advantage")]


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({"eval_offset": 6990}, "held-out questions 6990 to 7462 are among the training questions"),
        ({"pool": 7001}, "are among the training questions 0 to 7000"),
        ({"split": "test"}, "for measuring only"),
        ({"task": "math500"}, "for evaluation only"),
        ({"model": "toy"}, "cannot be trained"),
        ({"real_share": 1.0}, "--real_share must be at least 0 and below 1"),
        ({"limit": 0}, "--limit must be at least 1"),
        ({"adapter": "/nowhere"}, "/nowhere"),
        ({"profile": "tables"}, "tables"),
        ({"trainer_options": ["seed=1"]}, "seed is not for a stage to choose"),
        ({"collect_options": ["oops"]}, "collect_options: write 'oops' as KEY=VALUE"),
    ],
)
def test_settings_that_cannot_be_are_refused_before_anything_runs(
    tmp_path: Path, settings: dict[str, Any], wanted: str
) -> None:
    with pytest.raises(UserError, match=re.escape(wanted)):
        stages(tmp_path / "run", **settings)


RECIPES = Path(iterate.__file__).parent / "recipes"


@pytest.mark.parametrize("recipe", ["smoke.yaml", "embedded-gpu/iterate.yaml"])
def test_a_dry_run_prints_every_command_and_writes_nothing(
    tmp_path: Path, recipe: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(RECIPES.parents[2])
    argv = ["--config", str(RECIPES / recipe), "--dry_run", "true", "--output_dir", str(tmp_path / "run")]
    assert iterate.run([*argv, "--adapter", "none"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("round 0 greedy: STEPSOLVER_RUNS=") and " python -m reasoning.solve gsm8k " in lines[0]
    assert {line.split(":")[0].split()[2] for line in lines} >= {"collect", "mix", "greedy", "pass"}
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["cpu_2procs", "deepspeed_zero2", "fsdp2", "multi_gpu"])
def test_accelerate_reads_the_shipped_configurations(name: str) -> None:
    from accelerate.commands.config.config_args import load_config_from_file

    found = load_config_from_file(str(RECIPES / "accelerate" / f"{name}.yaml"))
    assert found.num_processes in (2, 8)


# ---- mixing ----------------------------------------------------------------------------------------------------------


def test_a_mixture_holds_what_was_sampled_and_its_share_of_real_rows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "data" / "gsm8k"
    folder.mkdir(parents=True)
    problems = [
        {"question": f"Ann has {n} pens and buys 1.", "answer": f"{n}+1 = <<{n}+1={n + 1}>>{n + 1}\n#### {n + 1}"}
        for n in range(30)
    ]
    (folder / "train.jsonl").write_text("".join(json.dumps(p) + "\n" for p in problems))
    rows = [Solution(f"a/{n}", "q", "1", ("#### 1",), n < 6, "sampled") for n in range(9)]
    lines = [json.dumps(row.to_json()) for row in rows]
    mixed = []
    for order, seed in ((lines, 1), (lines[::-1], 1), (lines, 2)):
        (tmp_path / "rows.jsonl").write_text("".join(f"{x}\n" for x in ['{"settings": {}}', *order, '{"group": "a"}']))
        argv = ["--data", str(tmp_path / "rows.jsonl"), "--data-dir", str(tmp_path / "data"), "--limit", "20"]
        argv += ["--real-share", "0.4", "--seed", str(seed), "--output", str(tmp_path / "out.jsonl")]
        assert mix.main(argv) == 0
        mixed.append((tmp_path / "out.jsonl").read_text())
    assert "6 right and 3 wrong sampled rows, 4 real ones" in capsys.readouterr().out
    assert mixed[0] == mixed[1] != mixed[2]  # the order of sampled rows, which is chance, changes nothing
    made = [Solution.of(json.loads(line)) for line in mixed[0].splitlines()]
    real = [row for row in made if row.origin == "gold"]
    assert len(made) == 13 and len({row.id for row in real}) == 4
    assert all(int(row.id.rpartition("/")[2]) < 20 for row in real)


def test_a_round_that_has_nothing_to_learn_from_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "rows.jsonl").write_text('{"settings": {}}\n')
    argv = ["--data", str(tmp_path / "rows.jsonl"), "--output", str(tmp_path / "out.jsonl"), "--real-share", "0.5"]
    assert mix.main(argv) == 2
    assert "no right solution was sampled" in capsys.readouterr().err
    assert not (tmp_path / "out.jsonl").exists()


@pytest.mark.engine
def test_a_whole_round_on_a_tiny_model(tmp_path: Path) -> None:
    from tests.reasoning.train import tiny

    folder = tmp_path / "data" / "gsm8k"
    folder.mkdir(parents=True)
    problems = [
        {"question": f"Ann has {n} pens and buys 1.", "answer": f"{n}+1 = <<{n}+1={n + 1}>>{n + 1}\n#### {n + 1}"}
        for n in range(12)
    ]
    (folder / "train.jsonl").write_text("".join(json.dumps(p) + "\n" for p in problems))
    base, out = tiny.save(tmp_path / "base"), tmp_path / "run"
    config = tmp_path / "job.yaml"
    trainer = ["max_steps=2", "dtype=float32", "bf16=false", "use_cpu=true", "lora_r=2", "report_to=none"]
    settings = {
        **{"model": str(base), "output_dir": str(out), "data_dir": str(tmp_path / "data"), "backend": "transformers"},
        **{"rounds": 1, "pool": 8, "limit": 3, "samples": 2, "max_answer_tokens": 12, "real_at_least": 4},
        **{"eval_offset": 8, "eval_limit": 4, "eval_samples": 2, "trainer": "sft", "trainer_options": trainer},
        "pairs": "siblings-mcts-dpo",
    }
    config.write_text(json.dumps(settings))  # JSON is YAML
    command = [sys.executable, "-m", "reasoning.train.iterate", "--config", str(config)]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    first = subprocess.run(command, env=env, capture_output=True, text=True, timeout=300, check=False)
    assert first.returncode == 0, first.stderr
    state = read_state(out)
    assert state is not None and state["status"] == "finished"
    assert [s["name"] for s in state["rounds"][1]["stages"]][:3] == ["collect", "mix", "sft"]
    assert state["rounds"][1]["score"]["questions"] == 4
    assert (Path(state["adapter"]) / "adapter_model.safetensors").is_file()
    assert "start" in first.stdout and f"adapter: {state['adapter']}" in first.stdout
    again = subprocess.run(command, env=env, capture_output=True, text=True, timeout=300, check=False)
    assert again.returncode == 0 and "done in" not in again.stdout and read_state(out) == state
