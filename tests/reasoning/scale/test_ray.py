"""One Ray on this machine for all of these: every problem once, whoever dies; the same data as without workers."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest

from data.rows import read_rows
from data.scale import Scale
from data.scale.on_ray import cluster
from data.synthesis.__main__ import main as synthesis
from reasoning.collect.__main__ import main as collect
from reasoning.runs import ProblemResult, read_run
from reasoning.solve import main as solve

pytest.importorskip("ray")
pytestmark = pytest.mark.engine

ROOT = Path(__file__).parents[3]
TOY = ["--policy", "toy", "--method", "best-of-n", "--n", "3"]
RAY = ["--scale", "ray", "--workers", "2"]


def began(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


@pytest.fixture(scope="module")
def ray():
    """A cluster of this machine; when it has ended none of its processes is left, and no folder."""
    before = {p.pid for p in psutil.process_iter()}
    folders = set(Path("/tmp").glob("stepsolver-ray-*"))
    with cluster(Scale(4, cpus_per_worker=1)):
        import ray

        yield ray
        here = set(Path("/tmp").glob("stepsolver-ray-*")) - folders
        assert len(here) == 1
    assert not here & set(Path("/tmp").glob("stepsolver-ray-*"))
    mine = [p for p in psutil.process_iter() if p.pid not in before and any(str(*here) in a for a in began(p))]
    _, alive = psutil.wait_procs(mine, timeout=60)
    assert not alive


@pytest.fixture
def problems(tmp_path, monkeypatch, ray) -> str:
    """Sums that the toy policy can solve, and a place of their own for runs."""
    monkeypatch.setenv("STEPSOLVER_RUNS", str(tmp_path / "runs"))
    path = tmp_path / "sums.jsonl"
    rows = [{"question": f"What is {i} + {i + 1} - 3?", "answer": str(2 * i - 2)} for i in range(12)]
    path.write_text("".join(json.dumps(r) + "\n" for r in rows))
    return str(path)


def told(result: ProblemResult) -> dict:
    """What of a result is no time."""
    return {k: v for k, v in result.to_json().items() if k not in ("seconds", "engine_seconds")}


def parts(name: str) -> list[Path]:
    return sorted((Path(os.environ["STEPSOLVER_RUNS"]) / name).glob("part-*.sqlite"))


def worker_of(part: Path) -> int:
    """A part is named after the process that writes it."""
    return int(part.stem.rsplit("-", 2)[1])


def wait_for(condition, seconds: float = 240.0):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)
    return found


def test_results_are_those_of_one_process(problems, tmp_path):
    assert solve([problems, *TOY, "--run", "one"]) == 0
    assert solve([problems, *TOY, *RAY, "--run", "many", "--json", str(tmp_path / "out.json")]) == 0
    one, many = read_run("one"), read_run("many")
    assert [told(r) for r in many.results] == [told(r) for r in one.results]
    assert {r.problem: len(many.tells(r.problem)) for r in many.results} == {r.problem: 3 for r in one.results}
    # The command's own part is empty: whoever searched wrote.
    assert all(worker_of(part) != os.getpid() for part in many.sources.values())
    summary = json.loads((tmp_path / "out.json").read_text())
    assert summary["problems"] == 12
    assert summary["completion_tokens"] == sum(r.completion_tokens for r in one.results)


def test_a_killed_workers_problems_are_done_by_another_and_count_once(problems):
    slow = ["--engine", "latency=0.02", "--concurrency", "2"]
    assert solve([problems, *TOY, "--run", "one"]) == 0
    killed = []

    def kill():
        def heard():
            """Workers with three results: of two at a time the third is begun when the driver has heard of one."""
            done = Counter(worker_of(p) for p in read_run("many").sources.values()) if parts("many") else {}
            return [worker for worker, results in done.items() if results > 2]

        killed.append(wait_for(heard)[0])
        os.kill(killed[0], signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    # Options of the engine are part of what is compared; the toy's latency changes no answer.
    assert solve([problems, *TOY, *slow, *RAY, "--run", "many"]) == 0
    killer.join()
    many = read_run("many")
    assert [told(r) for r in many.results] == [told(r) for r in read_run("one").results]
    writers = {worker_of(p) for p in many.sources.values()}
    assert killed[0] in writers
    assert len(writers) > 1


def test_a_problem_that_kills_its_workers_is_recorded_as_failed(problems, capsys):
    deadly = ["--policy", "toy", "--method", "tests.reasoning.scale.deadly:Deadly", "--param", "n=2"]
    arguments = [problems, *deadly, *RAY, "--limit", "6", "--run", "deadly"]
    assert solve(arguments) == 0
    results = read_run("deadly").results
    assert [r.failed is not None for r in results] == [r.problem.endswith("3") for r in results]
    assert [r.index for r in results] == list(range(6))
    assert "its worker was lost 3 times" in next(r.failed for r in results if r.failed)
    assert "1 failed" in capsys.readouterr().out


def test_a_mistake_that_a_worker_finds_is_one_line_and_leaves_no_run(problems, capsys):
    assert solve([problems, *TOY, *RAY, "--run", "wrong", "--profile", "chat"]) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("starting ")]
    assert len(lines) == 1
    assert "chat template" in lines[0]
    assert not (Path(os.environ["STEPSOLVER_RUNS"]) / "wrong").exists()


def test_ctrl_c_ends_the_workers_and_the_run_can_be_gone_on_with(problems, ray):
    """By a command of its own, which joins the cluster by its address."""
    slow = ["--engine", "latency=0.02", "--concurrency", "1"]
    address = ["--ray-address", ray.get_runtime_context().gcs_address]
    command = [sys.executable, "-m", "reasoning.solve", problems, *TOY, *slow, *RAY, *address, "--run", "stopped"]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    try:
        wait_for(lambda: process.poll() is not None or (parts("stopped") and read_run("stopped").results))
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=240)
    finally:
        process.kill()
    assert process.returncode == 130, errors
    assert "go on with --run stopped --resume" in errors
    found = read_run("stopped").results
    assert 0 < len(found) < 12
    workers = {worker_of(p) for p in parts("stopped")} - {process.pid}
    wait_for(lambda: not any(psutil.pid_exists(pid) for pid in workers), 60)
    assert solve([problems, *TOY, *slow[:2], "--concurrency", "4", *RAY, "--run", "stopped", "--resume"]) == 0
    again = {r.problem: r for r in read_run("stopped").results}
    assert len(again) == 12
    assert all(again[r.problem] == r for r in found)


def test_synthesis_is_the_same_by_any_number_of_workers(tmp_path, ray):
    arguments = ["--n", "6", "--seed", "3", "--processes", "1", "--out"]
    synthesis([*arguments, str(tmp_path / "one")])
    synthesis([*arguments, str(tmp_path / "many"), *RAY])
    one, many = ((tmp_path / name / "rows.jsonl").read_bytes() for name in ("one", "many"))
    assert one == many


def test_collected_data_is_the_same_by_any_number_of_workers(tmp_path, ray):
    from tests.reasoning.collect.toys import TOY as POLICY
    from tests.reasoning.collect.toys import data_dir

    common = ["solutions", *POLICY, "--data-dir", str(data_dir(tmp_path)), "--samples", "4", "--out"]
    assert collect([*common, str(tmp_path / "one.jsonl")]) == 0
    assert collect([*common, str(tmp_path / "many.jsonl"), *RAY]) == 0

    def groups(name):
        return sorted(json.dumps(row, sort_keys=True) for row in read_rows(tmp_path / name))

    assert groups("one.jsonl") == groups("many.jsonl")
