"""Mistakes and mishaps of training jobs: one line that says what to do, and nothing lost."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from data.rows import Solution
from reasoning.cli import run_command
from reasoning.train import job as jobs
from reasoning.train import sft
from tests.reasoning.train import tiny

ROWS = [
    Solution(f"made/{n}", f"Ann has {n} pens and buys {m}.", str(n + m), (f" <<{n}+{m}={n + m}>>\n", f"#### {n + m}"))
    for n, m in ((3, 4), (12, 5), (7, 9), (20, 2))
]

Job = Callable[..., tuple[int, str]]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save(tmp_path_factory.mktemp("base"))


def write(path: Path, *rows: Any) -> Path:
    path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row.to_json())}\n" for row in rows))
    return path


@pytest.fixture
def command(base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Job]:
    """Run the command `sft` with some settings: its exit code and what it said on stderr."""
    data = write(tmp_path / "rows.jsonl", *ROWS)

    def job(*more: str, **settings: Any) -> tuple[int, str]:
        given = {"model": base, "data": [data], "output_dir": tmp_path / "out", "max_steps": 1, **settings}
        argv = [*tiny.options(**{k: v for k, v in given.items() if v is not None}), *more]
        capsys.readouterr()
        status = run_command(lambda: sft.run(argv))
        return status, capsys.readouterr().err

    yield job


def refused(result: tuple[int, str], wanted: str) -> None:
    status, err = result
    lines = [line for line in err.splitlines() if line.startswith("error:")]
    assert status == 2, err
    assert len(lines) == 1 and err.splitlines()[-1] == lines[0]
    assert wanted in lines[0]


def test_data_that_is_not_there_or_not_rows_is_one_line(command: Job, tmp_path: Path) -> None:
    for lines, wanted in [
        ([], "no row is left to train on"),
        (["{}"], "no row is left to train on"),
        (['{"steps": ["a"]}'], "not a solution row (KeyError: 'id')"),
        (['{"id": "a"'], ":1: not JSON"),
        (["[1]"], ":1: a row must be a JSON object"),
        ([replace(ROWS[0], correct=False)], "{'wrong answer': 1}"),
    ]:
        refused(command(data=[write(tmp_path / "bad.jsonl", *lines)]), wanted)
    refused(command(data=[tmp_path / "none.jsonl"]), "no data file")
    refused(command(data=None), "no data: name files")


def test_settings_that_cannot_be_are_one_line(command: Job, tmp_path: Path) -> None:
    config = tmp_path / "job.yaml"
    for text, wanted in [
        ("learning_rat: 1", "no setting 'learning_rat'; did you mean 'learning_rate'?"),
        ("save_steps: often", "save_steps: invalid"),
        ("lora_r: 2.5", "lora_r: invalid int value: '2.5'"),
        ("data: gold", "data takes a list: [gold]"),
        ("lora_r: [1, 2]", "lora_r takes one value, not a list"),
        ("bf16: maybe", "bf16: Truthy value expected"),
        ("- 1", "must contain a YAML mapping"),
        ("a: [", "--config is not YAML"),
    ]:
        config.write_text(text)
        refused(command("--config", str(config)), wanted)
    refused(command("--config", str(tmp_path / "none.yaml")), "none.yaml")
    refused(command("--config"), "--config needs a file")
    refused(command("--lora_rank", "4"), "--lora_rank")
    refused(command(max_steps="many"), "max_steps")
    refused(command(lora_target_modules="nothing_proj"), "--lora_target_modules nothing_proj")
    refused(command(profile="tables"), "tables")


def test_the_command_line_wins_over_the_file(command: Job, tmp_path: Path) -> None:
    config = tmp_path / "job.yaml"
    config.write_text("lora_dropout: 0.25\nlora_alpha: 5\n")
    status, err = command("--config", str(config), "--lora_alpha", "7")
    assert status == 0, err
    written = json.loads((tmp_path / "out" / "adapter_config.json").read_text())
    assert (written["lora_dropout"], written["lora_alpha"]) == (0.25, 7)


def test_a_task_for_evaluation_only_is_never_trained_on(command: Job) -> None:
    refused(command(task="math500"), "math500 is for evaluation only")


def test_an_adapter_of_another_base_is_refused(command: Job, tmp_path: Path) -> None:
    assert command()[0] == 0
    other = tiny.save(tmp_path / "other", seed=1)
    refused(command(model=other, adapter=tmp_path / "out", output_dir=tmp_path / "second"), "was trained on")
    status, err = command(adapter=tmp_path / "out", output_dir=tmp_path / "second")
    assert status == 0, err


def test_rows_that_do_not_fit_are_counted_and_never_cut(
    command: Job, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    long = replace(ROWS[0], id="made/long", steps=(*[" <<1+1=2>>\n"] * 40, "#### 7"))
    data = write(tmp_path / "mixed.jsonl", long, *ROWS)
    kept: list[Any] = []

    def spy(*args: Any, **more: Any) -> Any:
        found = rows_of(*args, **more)
        kept.extend(found[0])
        return found

    rows_of = sft.rows_of
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sft, "rows_of", spy)
        with capsys.disabled():
            assert command(data=[data], max_length=120)[0] == 0
    tokenizer = tiny.save_tokenizer(tiny.byte_level(), tmp_path)
    texts = {tokenizer.decode(branch[:-1]) for row in kept for branch in row["branches"]}
    assert texts == {"".join(row.steps) for row in ROWS}
    refused(command(data=[data], max_length=10, output_dir=tmp_path / "short"), "{'longer than max_length': 5}")


def test_a_finished_adapter_is_written_over_only_when_told_to(command: Job, tmp_path: Path) -> None:
    assert command()[0] == 0
    before = load_file(tmp_path / "out" / "adapter_model.safetensors")
    refused(command(), "holds a finished adapter")
    refused(command(seed=9), "holds a finished adapter")
    assert tiny.same(before, load_file(tmp_path / "out" / "adapter_model.safetensors"))
    assert command("--overwrite", "true", seed=9)[0] == 0
    assert not tiny.same(before, load_file(tmp_path / "out" / "adapter_model.safetensors"))


def test_overwrite_deletes_nothing_that_no_job_wrote(command: Job, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("x")
    refused(command("--overwrite", "true"), "holds something that no job wrote")
    assert (tmp_path / "out" / "thesis.tex").read_text() == "x"


def test_a_job_that_failed_before_its_first_checkpoint_may_be_corrected(command: Job, tmp_path: Path) -> None:
    refused(command(data=[tmp_path / "typo.jsonl"]), "no data file")
    assert command()[0] == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("name", ["metrics.jsonl", "adapter_config.json", "stepsolver.json"])
def test_a_full_disk_is_one_line_and_the_same_command_ends_the_job(command: Job, tmp_path: Path, name: str) -> None:
    out = tmp_path / "out"
    assert command(max_steps=2, save_steps=1)[0] == 0
    whole = tiny.adapter(out)
    (out / "adapter_model.safetensors").unlink()  # as if it had been killed just before
    (out / name).unlink()
    (out / name).symlink_to("/dev/full")
    refused(command(max_steps=2, save_steps=1), f"no space left on the disk of {out}: make room")
    assert not (out / "adapter_model.safetensors").exists()
    (out / name).unlink()
    assert command(max_steps=2, save_steps=1)[0] == 0
    assert tiny.same(tiny.adapter(out), whole)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_disk_that_is_full_from_the_start_is_one_line(command: Job, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "job.json").symlink_to("/dev/full")
    refused(command(), "no space left on the disk")


@pytest.mark.parametrize(
    "error",
    [
        OSError(28, "No space left on device"),
        RuntimeError("[enforce fail at inline_container.cc:664] . PytorchStreamWriter failed writing file data/0"),
        jobs.SafetensorError("I/O error: No space left on device (os error 28)"),
    ],
)
def test_every_library_s_own_error_for_a_full_disk_is_understood(tmp_path: Path, error: Exception) -> None:
    with pytest.raises(jobs.UserError, match="no space left on the disk"), jobs._on_disk(tmp_path):
        raise error


def test_an_error_that_is_no_full_disk_is_not_taken_for_one(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="shapes"), jobs._on_disk(tmp_path):
        raise RuntimeError("shapes do not match")


def test_numbers_go_to_a_local_file_and_to_tensorboard(command: Job, tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX")
    status, err = command(report_to="tensorboard", max_steps=2, logging_steps=1)
    assert status == 0, err
    rows = [json.loads(line) for line in (tmp_path / "out" / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows if "loss" in row] == [1, 2]
    assert all(torch.isfinite(torch.tensor(row["loss"])) for row in rows if "loss" in row)
    assert list((tmp_path / "out").rglob("events.out.tfevents.*"))


# ---- several processes -----------------------------------------------------------------------------------------------

LAUNCH = Path(jobs.__file__).parent / "recipes" / "accelerate"


def launched(base: Path, tmp_path: Path, out: str, config: str | None, **settings: Any) -> subprocess.CompletedProcess:
    given = {"model": base, "data": [tmp_path / "rows.jsonl"], "output_dir": tmp_path / out, **settings}
    launcher: list[str] = []
    if config is not None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        launcher = ["accelerate.commands.launch", "--config_file", str(LAUNCH / config), "--main_process_port", port]
        launcher.append("-m")
    argv = [sys.executable, "-m", *launcher, "reasoning.train.sft", *tiny.options(**given)]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    return subprocess.run(argv, env=env, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.engine
def test_two_processes_learn_what_one_with_twice_the_batch_learns(base: Path, tmp_path: Path) -> None:
    write(tmp_path / "rows.jsonl", *ROWS)
    same = {"max_steps": 3, "logging_steps": 1, "seed": 3}
    one = launched(base, tmp_path, "one", None, per_device_train_batch_size=4, **same)
    assert one.returncode == 0, one.stderr
    two = launched(base, tmp_path, "two", "cpu_2procs.yaml", per_device_train_batch_size=2, **same)
    assert two.returncode == 0, two.stderr
    assert two.stdout.count("adapter in") == 1 and two.stdout.count("step 1/3") == 1  # one process speaks for both
    figures = [
        [json.loads(line) for line in (tmp_path / out / "metrics.jsonl").read_text().splitlines()]
        for out in ("one", "two")
    ]
    losses = [[row["loss"] for row in rows if "loss" in row] for rows in figures]
    # A whole epoch in one step: the same four rows, however they are dealt to processes.
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
    first, second = (tiny.adapter(tmp_path / out) for out in ("one", "two"))
    for name in first:
        assert torch.allclose(first[name].float(), second[name].float(), atol=1e-3), name


@pytest.mark.engine
def test_a_mistake_under_a_launcher_is_said_once(base: Path, tmp_path: Path) -> None:
    write(tmp_path / "rows.jsonl")
    result = launched(base, tmp_path, "none", "cpu_2procs.yaml", max_steps=1)
    assert result.returncode != 0
    assert result.stderr.count("error: no row is left to train on") == 1


@pytest.mark.engine
def test_sharded_weights_give_the_same_numbers_and_are_saved_whole(base: Path, tmp_path: Path) -> None:
    command = ["torch.distributed.run", "--nproc_per_node", "2", "-m", "tests.reasoning.train.sharded", str(base)]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    (tmp_path / "out").mkdir()
    result = subprocess.run(
        [sys.executable, "-m", *command, str(tmp_path / "out")], env=env, capture_output=True, text=True, timeout=300
    )
    assert result.returncode == 0, result.stderr
