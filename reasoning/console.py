"""stepsolver COMMAND: the package's commands by their short names, each the same as `python -m` of its module.

A command is run as `python -m` would run it, in this process: its options, exit code and the processes that it starts
are the same either way, and nothing of the others is imported.
"""

from __future__ import annotations

import difflib
import runpy
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from data.command import run_command
from data.errors import UserError

__all__ = ["COMMANDS", "TRAIN", "main"]

# A new command is a line here: its module, and what it does.
COMMANDS: Final[Mapping[str, tuple[str, str]]] = {
    "solve": ("reasoning.solve", "search for solutions of a task's problems"),
    "serve": ("reasoning.serve", "an OpenAI-compatible server and its page"),
    "formulate": ("formulation", "optimisation models: read from a text, solved, verified, explained, compared"),
    "models": ("reasoning.models", "the models that come by name: list, pull, path, remove"),
    "doctor": ("reasoning.doctor", "what is installed, found, missing"),
    "runs": ("reasoning.runs", "list, show, export and compare saved runs"),
    "collect": ("reasoning.collect", "training data from search"),
    "prompts": ("reasoning.prompts", "several ways to put a question"),
    "sizing": ("reasoning.scale.sizing", "GPUs and hours that a job of many trees takes"),
    "synthesis": ("data.synthesis", "descriptions of optimisation problems with their models"),
    "variation": ("data.variation", "training questions with other numbers"),
    "contamination": ("data.contamination", "overlap of training data with test questions"),
}
TRAIN: Final[Mapping[str, tuple[str, str]]] = {
    "sft": ("reasoning.train.sft", "supervised fine-tuning on solutions as steps"),
    "joint": ("reasoning.train.joint", "policy and value in one adapter"),
    "prm": ("reasoning.train.prm", "a process reward of its own"),
    "step_dpo": ("reasoning.train.step_dpo", "Step-DPO and Step-APO on pairs of steps"),
    "evaluate_values": ("reasoning.train.evaluate_values", "step values against held-out labels"),
    "iterate": ("reasoning.train.iterate", "rounds of search, data, training and evaluation"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and exit with its status; 2 after one line where there is no such command."""
    return run_command(lambda: _dispatch(list(sys.argv[1:] if argv is None else argv)))


def _dispatch(argv: list[str]) -> int:
    if argv[:1] == ["train"]:
        table, asked, rest = TRAIN, "stepsolver train", argv[1:]
    else:
        table, asked, rest = {**COMMANDS, "train": ("", ", ".join(TRAIN))}, "stepsolver", argv
    if not rest or rest[0] in ("-h", "--help"):
        print(_usage(asked, table))
        return 0 if rest else 2
    if rest == ["--version"]:
        from reasoning.solver import version

        print(f"stepsolver {version()}")
        return 0
    name, *options = rest
    if name not in table:
        near = difflib.get_close_matches(name, table, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"choose one of {', '.join(table)}"
        raise UserError(f"{asked} has no command {name[:100]!r}: {hint}")
    if not sys.flags.safe_path:
        sys.path.insert(0, str(Path.cwd()))  # as `python -m` does, for code that a user names as module:Class
    sys.argv = [f"{asked} {name}", *options]
    runpy.run_module(table[name][0], run_name="__main__", alter_sys=True)
    return 0


def _usage(asked: str, table: Mapping[str, tuple[str, str]]) -> str:
    lines = [f"usage: {asked} {'JOB' if table is TRAIN else 'COMMAND'} ...", ""]
    lines += [f"  {name:15}  {about}" for name, (_, about) in table.items()]
    return "\n".join([*lines, "", f"What one takes: {asked} NAME --help"])
