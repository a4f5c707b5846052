"""`python -m reasoning.runs list|show|curve|export|diff`."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from data.errors import UserError
from reasoning.cli import Parser, run_command
from reasoning.runs.store import ProblemResult, RunView, read_run, run_names
from reasoning.runs.totals import summary, totals

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; 0, or 2 after one line on stderr."""

    def command() -> int:
        args = _parser().parse_args(argv)
        status: int = args.command(args)
        return status

    return run_command(command)


def _parser() -> argparse.ArgumentParser:
    shared = Parser(add_help=False)
    shared.add_argument(
        "--runs-dir", type=Path, metavar="DIR", help="where runs are (default: $STEPSOLVER_RUNS or ./runs)"
    )
    parser = Parser(prog="python -m reasoning.runs", description="Read runs.", allow_abbrev=False)
    commands = parser.add_subparsers(required=True, metavar="list|show|curve|export|diff")

    def add(name: str, help: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, parents=[shared], help=help, description=help, allow_abbrev=False)

    listing = add("list", "One line per run.")
    listing.add_argument("--json", action="store_true", help="as one JSON array")
    listing.set_defaults(command=_list)

    show = add("show", "A run's configuration and problems, or one problem's search tree.")
    show.add_argument("name")
    show.add_argument("--problem", metavar="K", help="index or id of a problem")
    show.add_argument("--full", action="store_true", help="whole texts instead of one line per node")
    show.set_defaults(command=_show)

    curve = add("curve", "A run's accuracy at every smaller budget per problem, from its search logs.")
    curve.add_argument("name")
    curve.add_argument(
        "--data-dir", type=Path, metavar="DIR", help="where the task's data lies, as for reasoning.solve"
    )
    curve.add_argument("--json", action="store_true", help="as one JSON object")
    curve.set_defaults(command=_curve)

    export = add("export", "One record per finished problem.")
    export.add_argument("name")
    export.add_argument(
        "--format",
        choices=["jsonl", "parquet", "dataset", "graphml"],
        default="jsonl",
        help="dataset: a folder for datasets.load_from_disk; graphml: a folder with one tree per problem",
    )
    export.add_argument("--out", type=Path, metavar="PATH", help="default: standard output (jsonl only)")
    export.add_argument("--tells", action="store_true", help="with each problem's search log")
    export.set_defaults(command=_export)

    diff = add("diff", "Two runs compared problem by problem.")
    diff.add_argument("a")
    diff.add_argument("b")
    diff.set_defaults(command=_diff)
    return parser


def _list(args: argparse.Namespace) -> int:
    from reasoning.runs import text

    status, views = 0, []
    for name in run_names(args.runs_dir):
        try:
            views.append(read_run(name, args.runs_dir))
        except UserError as e:  # one torn run does not hide the others
            print(f"error: {e}", file=sys.stderr)
            status = 2
    entries = [summary(v) for v in views]
    if args.json:
        print(json.dumps(entries, indent=2))
        return status
    rows = [["name", "task", "method", "policy", "problems", "accuracy %", "tokens", "begun"]]
    for view, entry in zip(views, entries, strict=True):
        words = [text.clip(str(entry[k] or "-"), 28) for k in ("name", "task", "method", "policy")]
        begun = datetime.fromtimestamp(view.created).strftime("%Y-%m-%d %H:%M")
        tokens = text.count(entry["computed_tokens"])
        rows.append([*words, str(entry["problems"]), text.percent(totals(view.results)), tokens, begun])
    print(text.table(rows, "llllrlr"))
    return status


def _show(args: argparse.Namespace) -> int:
    from reasoning.runs import text

    view = read_run(args.name, args.runs_dir)
    if args.problem is None:
        print(text.run_page(view))
    else:
        print(text.problem_page(view, _find(view, args.problem), full=args.full))
    return 0


def _find(view: RunView, wanted: str) -> ProblemResult:
    by_id = [r for r in view.results if r.problem == wanted]
    by_index = [r for r in view.results if str(r.index) == wanted]
    for found in (by_id, by_index):
        if found:
            return found[0]
    raise UserError(
        f"run {view.name!r} has no problem {wanted!r}: `python -m reasoning.runs show {view.name}` names those it has"
    )


def _curve(args: argparse.Namespace) -> int:
    from data.stats import wilson
    from reasoning.runs import text
    from reasoning.runs.anytime import curves

    view = read_run(args.name, args.runs_dir)
    n, points = asyncio.run(curves(view, args.data_dir))
    if args.json:
        rows = {cost: [dataclasses.asdict(p) for p in row] for cost, row in points.items()}
        print(json.dumps({"name": view.name, "problems": n, "costs": rows}, indent=2))
        return 0
    for cost, row in points.items():
        lines = [[f"{cost}, at most", "spent a problem", "accuracy %"]]
        for p in row:
            low, high = wilson(p.right, n)
            share = f"{100 * p.right / n:.1f} [{100 * low:.1f}, {100 * high:.1f}]"
            lines.append([f"{p.ceiling:,.4g}", f"{p.spent / n:,.4g}", share])
        print(text.table(lines, "rr") + "\n")
    return 0


def _export(args: argparse.Namespace) -> int:
    from reasoning.runs import export

    folder = args.format in ("dataset", "graphml")
    if args.format != "jsonl" and args.out is None:
        kind = "folder" if folder else "file"
        raise UserError(f"--format {args.format} writes a {kind}: name it with --out {kind.upper()}")
    if args.format == "graphml" and args.tells:
        raise UserError("--tells does not go with --format graphml: a tree is what the log comes to")
    view = read_run(args.name, args.runs_dir)
    if folder:
        return _export_folder(view, args)
    if args.out is None:
        export.write_jsonl(view, sys.stdout, tells=args.tells)
        return 0
    # Written beside its place and moved there when whole: a reader never sees half an export.
    out: Path = args.out
    try:
        handle, scratch = tempfile.mkstemp(prefix=f".{out.name}.", dir=out.parent)
        os.close(handle)
        try:
            if args.format == "parquet":
                export.write_parquet(view, Path(scratch), tells=args.tells)
            else:
                with Path(scratch).open("w", encoding="ascii") as file:
                    export.write_jsonl(view, file, tells=args.tells)
            Path(scratch).chmod(0o644)
            Path(scratch).replace(out)
        finally:
            with suppress(FileNotFoundError):
                Path(scratch).unlink()
    except OSError as e:
        raise UserError(f"cannot write {out}: {e.strerror or e}") from None
    return 0


def _export_folder(view: RunView, args: argparse.Namespace) -> int:
    """Written beside its place and moved there when whole, like a file."""
    out: Path = args.out
    if out.exists():
        raise UserError(f"{out} exists: name a folder that does not")
    try:
        with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent, ignore_cleanup_errors=True) as scratch:
            whole = Path(scratch) / "whole"
            whole.mkdir()
            if args.format == "dataset":
                from reasoning.runs.dataset import write_dataset

                write_dataset(view, whole, tells=args.tells)
            else:
                from reasoning.runs.graphml import write_graphml

                count = write_graphml(view, whole)
                print(f"{count} trees of {len(view.results)} problems in {out}", file=sys.stderr)
            whole.rename(out)
    except OSError as e:
        raise UserError(f"cannot write {out}: {e.strerror or e}") from None
    return 0


def _diff(args: argparse.Namespace) -> int:
    from reasoning.runs import text

    print(text.diff_page(read_run(args.a, args.runs_dir), read_run(args.b, args.runs_dir)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
