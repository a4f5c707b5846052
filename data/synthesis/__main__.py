"""Makes word problems with their models: `python -m data.synthesis --n 200 --seed 1 --out out/synthesis --check`.

DIR/rows.jsonl holds the rows, DIR/hard.jsonl those that a reader of rules alone does not read as meant (with --check),
DIR/statistics.json and DIR/statistics.png what was made. A row depends on seed and index alone; a killed command goes
on where it stopped when it is run again, and a larger --n adds rows.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from data.command import Parser, run_command
from data.errors import DataError, UserError
from data.rows import RowFile, read_rows
from data.scale import SCALE_NAMES, Scale, add_scale_options
from data.synthesis.generators import GENERATORS
from data.synthesis.parallel import made_rows, made_rows_scaled
from data.synthesis.statistics import Statistics, draw

__all__ = ["main"]

VERSION: Final = 1
"""Of what a seed gives: rows of two versions are not mixed in one file."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; see the module's text. Exit code 1 where a row does not keep what it promises."""
    parser = Parser(prog="python -m data.synthesis", description="Word problems with their models, by seed.")
    parser.add_argument("--n", type=int, required=True, help="rows in all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="folder; continued where it exists")
    parser.add_argument(
        "--check", action="store_true", help="look at every row again: spans, numbers, solving, reading"
    )
    parser.add_argument("--processes", type=int, default=2, help="default: 2")
    parser.add_argument("--generator", help="only rows of this generator (default: all, by weight)")
    add_scale_options(parser)
    args = parser.parse_args(arguments)
    scale = Scale.of({name: getattr(args, name) for name in SCALE_NAMES})
    names = [generator.name for generator in GENERATORS]
    if args.n < 1 or args.processes < 1:
        raise UserError("--n and --processes must be at least 1")
    if args.generator is not None and args.generator not in names:
        raise UserError(f"--generator is {args.generator!r}: choose one of {', '.join(names)}")
    settings = {
        "command": "synthesis",
        "version": VERSION,
        "seed": args.seed,
        "check": args.check,
        "generator": args.generator,
    }
    began = time.monotonic()
    made = broken = 0
    with RowFile(args.out / "rows.jsonl", settings) as rows, RowFile(args.out / "hard.jsonl", settings) as hard:
        left = [index for index in range(args.n) if f"{args.seed}/{index}" not in rows.done]
        how = {"seed": args.seed, "check": args.check, "name": args.generator}
        for row in made_rows_scaled(left, scale, **how) if scale else made_rows(left, args.processes, **how):
            made += 1
            broken += bool(row.get("faults"))
            for fault in row.get("faults", ()):
                print(f"{row['id']} {row['generator']}: {fault}", file=sys.stderr)
            refused = bool(row.get("faults") or row.get("hard"))
            # The rejects first: what a kill leaves undone there is written again with the row's own group.
            if refused and row["id"] not in hard.done:
                hard.add(row["id"], [row])
            rows.add(row["id"], [] if refused else [row])
    took = time.monotonic() - began
    print(f"{made} rows made in {took:.1f} s ({made / max(took, 1e-9):.1f} a second), {args.n - made} were there")
    _report(args.out, args.n, args.check)
    return 1 if broken else 0


def _report(folder: Path, n: int, check: bool) -> None:
    """Print and write what the folder holds."""
    found, refused, reasons = Statistics(), 0, Counter[str]()
    for name in ("rows.jsonl", "hard.jsonl"):
        for row in read_rows(folder / name):
            if "text" in row and int(row["id"].split("/")[1]) < n:
                found.add(row)
                refused += name == "hard.jsonl"
                if row.get("hard"):
                    reasons[row["hard"].split(":")[0]] += 1
    for line in found.lines():
        print(line)
    plain = found.plain()
    if check:
        plain |= {"accepted": found.rows - refused, "refused": refused, "reasons": dict(reasons.most_common())}
        print(
            f"read as meant by rules alone: {found.rows - refused} of {found.rows}; "
            + ", ".join(f"{k} {v}" for k, v in reasons.most_common())
        )
    try:
        (folder / "statistics.json").write_text(json.dumps(plain, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise DataError(f"cannot write {folder / 'statistics.json'}: {error.strerror or error}") from None
    if not draw(found, folder / "statistics.png"):
        print("no picture: matplotlib is not installed")


if __name__ == "__main__":
    sys.exit(run_command(main))
