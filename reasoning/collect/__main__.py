"""python -m reasoning.collect COMMAND: build training data with an engine.

Every command that samples writes a group of rows (one question) at a time and goes on where an earlier call ended.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Protocol

from reasoning.cli import Parser, run_command
from reasoning.collect import audit, corrected, labels, preferences, rewritten, solutions

__all__ = ["main"]


class Command(Protocol):
    """A module of this package."""

    __doc__: str | None

    def add_options(self, parser: argparse.ArgumentParser, /) -> None:
        """Its options."""

    def run(self, args: argparse.Namespace, /) -> int:
        """Do it; the exit code."""
        ...


# A new command is a module with `add_options` and `run`, and a line here.
COMMANDS: dict[str, Command] = {
    "solutions": solutions,
    "labels": labels,
    "preferences": preferences,
    "corrected": corrected,
    "rewritten": rewritten,
    "audit": audit,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 when done, 2 for a mistake, 130 after Ctrl-C."""
    return run_command(lambda: _collect(argv))


def _collect(argv: Sequence[str] | None) -> int:
    parser = Parser(prog="python -m reasoning.collect", description="Build training data with an engine.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, module in COMMANDS.items():
        about = (module.__doc__ or "").splitlines()[0]
        module.add_options(commands.add_parser(name, help=about, description=about, allow_abbrev=False))
    args = parser.parse_args(argv)
    return COMMANDS[args.command].run(args)


if __name__ == "__main__":
    sys.exit(main())
