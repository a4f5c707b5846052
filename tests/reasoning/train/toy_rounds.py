"""Rounds of three small stages, for tests that kill them: `python -m tests.reasoning.train.toy_rounds OUT`.

TOY_DIE=POINT kills the run and the stage under way, as a machine that loses power would, when POINT is reached for the
first time: `round-01/collect:2` before the third group of rows, `round-01/train:end` when a stage has written all but
is not yet marked as done, `round-01/train:before` between two stages.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from data.rows import RowFile, read_rows
from reasoning.cli import run_command
from reasoning.train.rounds import Plan, Round, Stage, run_rounds

SLOW = float(os.environ.get("TOY_SLOW", "0"))
GROUPS = 5


def point(name: str, *, stage: bool = True) -> None:
    """Die here if this is where the test wants it, once."""
    time.sleep(SLOW)
    wanted, said = os.environ.get("TOY_DIE"), Path(os.environ.get("TOY_DIED", "/nonexistent"))
    if name == wanted and not said.exists():
        said.touch()
        if stage:
            os.kill(os.getppid(), signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)


def collect(folder: Path, seed: int) -> None:
    """Groups of random rows, each a function of the seed and its own number."""
    with RowFile(folder / "rows.jsonl", {"seed": seed}) as file:
        for group in range(GROUPS):
            if str(group) in file.done:
                continue
            point(f"{folder.name}/collect:{group}")
            rng = random.Random(f"{seed}/{group}")
            file.add(str(group), [{"steps": rng.random()} for _ in range(2)])


def train(folder: Path, adapter: str, loss: float) -> None:
    """Sums up rows one at a time, with a checkpoint after each; refuses to write over a finished adapter."""
    out, checkpoint = folder / "adapter.json", folder / "checkpoint.json"
    if out.exists():
        sys.exit("error: there is a finished adapter")
    rows = [row["steps"] for row in read_rows(folder / "rows.jsonl") if "steps" in row]
    start = 0.0 if adapter == "none" else json.loads(Path(adapter).read_text())["skill"]
    done, skill = json.loads(checkpoint.read_text()) if checkpoint.exists() else (0, start)
    for index in range(done, len(rows)):
        point(f"{folder.name}/train:{index}")
        skill += rows[index] - loss
        partial = folder / "checkpoint.partial"
        partial.write_text(json.dumps([index + 1, skill]))
        partial.replace(checkpoint)
    partial = folder / "adapter.partial"
    partial.write_text(json.dumps({"skill": skill}))
    partial.replace(out)


def evaluate(folder: Path, adapter: str) -> None:
    """Right answers, by skill."""
    skill = 0.0 if adapter == "none" else json.loads(Path(adapter).read_text())["skill"]
    point(f"{folder.name}/evaluate:0")
    partial = folder / "partial"
    partial.write_text(json.dumps({"correct": round(10 * skill)}))
    partial.replace(folder / "score.json")


def plan_of(broken: str | None = None) -> Plan:
    """The three stages; the one named `broken` fails."""

    def stages(now: Round) -> Iterator[Stage]:
        def stage(name: str, *more: str, output: str, **rest: object) -> Stage:
            point(f"{now.folder.name}/{name}:before", stage=False)
            command = ("-m", __spec__.name, name if name != broken else "break", str(now.folder), *more)
            return Stage(name, command, (now.folder / output,), **rest)  # type: ignore[arg-type]

        adapter = now.adapter or "none"
        if now.number:
            yield stage("collect", str(now.seed), output="rows.jsonl")
            trained = now.folder / "adapter.json"
            loss = "1" if os.environ.get("TOY_BAD") == str(now.number) else "0.3"
            yield stage("train", adapter, loss, output="adapter.json", whole=True, adapter=trained)
            adapter = str(trained)
        score = now.folder / "score.json"
        measure = lambda: json.loads(score.read_text())  # noqa: E731
        yield stage("evaluate", adapter, output="score.json", whole=True, scores=True, measure=measure)

    return stages


def main(argv: list[str]) -> int:
    """A stage, or the whole run."""
    name, *rest = argv
    if name == "break":
        print("one line before")
        print("error: nothing works")
        return 3
    if name == "collect":
        collect(Path(rest[0]), int(rest[1]))
    elif name == "train":
        train(Path(rest[0]), rest[1], float(rest[2]))
    elif name == "evaluate":
        evaluate(Path(rest[0]), rest[1])
    else:
        rounds, accept = int(os.environ.get("TOY_ROUNDS", "2")), os.environ.get("TOY_ACCEPT", "not-worse")
        plan, seed = plan_of(os.environ.get("TOY_BREAK")), int(os.environ.get("TOY_SEED", "0"))
        settings = {"rounds": rounds, "seed": seed}
        overwrite = "--overwrite" in rest
        return run_command(
            lambda: bool(
                run_rounds(
                    Path(name),
                    settings,
                    plan,
                    rounds=rounds,
                    seed=seed,
                    start=None,
                    accept=accept,
                    overwrite=overwrite,
                )["status"]
                != "finished"
            )
        )
    point(f"{Path(rest[0]).name}/{name}:end")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
