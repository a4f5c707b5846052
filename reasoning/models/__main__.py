"""python -m reasoning.models list|pull|path|remove: the models that come by name, and their files on this machine."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

from data.errors import UserError
from reasoning.cli import Parser, run_command
from reasoning.engine import cache
from reasoning.models import CATALOGUE, CatalogueModel, catalogue_model, pull, pulled, remove

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 when done, 2 for a mistake, 130 after Ctrl-C."""
    return run_command(lambda: _models(argv))


def _models(argv: Sequence[str] | None) -> int:
    parser = Parser(prog="python -m reasoning.models", description="The models that --policy knows by name.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    listed = commands.add_parser("list", help="all models, and which are on this machine")
    listed.add_argument("--json", action="store_true", help="for programs")
    for name, about in {
        "pull": "fetch models, each verified by its publisher's checksum",
        "path": "print where a model's file lies",
        "remove": "delete a model's file and what was converted from it",
    }.items():
        command = commands.add_parser(name, help=about, description=about)
        command.add_argument("models", nargs="+" if name != "path" else 1, metavar="NAME", help=", ".join(CATALOGUE))
    args = parser.parse_args(argv)
    if args.command == "list":
        return _list(args)
    for model in [catalogue_model(name) for name in args.models]:
        _one(args.command, model)
    return 0


def _one(command: str, model: CatalogueModel) -> None:
    if command == "pull":
        print(f"{model.name} is in {pull(model)}")
    elif command == "remove":
        print(f"{model.name}: {remove(model) / 1e6:.0f} MB freed")
    elif (path := pulled(model)) is None:
        raise UserError(f"{model.name} is not on this machine; run `python -m reasoning.models pull {model.name}`")
    else:
        print(path)


def _list(args: argparse.Namespace) -> int:
    rows = [_row(model) for model in CATALOGUE.values()]
    if args.json:
        json.dump(rows, sys.stdout, indent=1)
        print()
        return 0
    print(f"{'name':20} {'publisher':15} {'licence':11} {'file':>8} {'converted':>10}  here")
    for row in rows:
        here = row["path"] or "no"
        print(
            f"{row['name']:20} {row['publisher']:15} {row['licence']:11} {row['bytes'] / 1e6:5.0f} MB "
            f"{row['converted_bytes'] / 1e6:7.0f} MB  {here}"
        )
    return 0


def _row(model: CatalogueModel) -> dict[str, Any]:
    path = pulled(model)
    folders = cache.cache_dir().glob(f"models/*{model.sha256[:16]}*")
    converted = sum(f.stat().st_size for folder in folders for f in folder.rglob("*") if f.is_file())
    names = ("name", "title", "publisher", "licence", "revision", "file", "bytes", "sha256")
    told = {name: getattr(model, name) for name in names}
    return {**told, "path": None if path is None else str(path), "converted_bytes": converted}


if __name__ == "__main__":
    sys.exit(main())
