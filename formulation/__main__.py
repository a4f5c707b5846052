"""python -m formulation solve|verify|explain|export|compare|iis FILE: what can be done with a model in a file.

python -m formulation TEXT, or a .txt or .md file, or - for standard input: the model that a description asks for, its
solution, and what was not understood.

Exit codes: 0 where the command did its work, whatever the result (an infeasible model is a result); `verify` 1 where a
statement is broken; `compare` 0 for equivalent, 1 for different and 3 for undecided models; 2 for a mistake in the
file or the arguments, told in one line; 130 after Ctrl-C.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

from data.command import Parser, run_command
from data.errors import DataError, UserError
from formulation.binding import show_key
from formulation.equivalence import Comparison, compare
from formulation.explain import explain
from formulation.export import export
from formulation.files import parse_text
from formulation.infeasible import Relaxations, relaxations
from formulation.interview import interview
from formulation.lines import one_line, shown
from formulation.model import Model, load
from formulation.numbers import Number, decimal_text
from formulation.pipeline import formulate
from formulation.reader import FORMATS, METHODS, SAMPLES, Reader
from formulation.report import Block, Heading, Paragraph, Table, show
from formulation.schema import Problem, suggestion
from formulation.solve import Solution, solve
from formulation.verify import verify

__all__ = ["main"]


def _seconds(text: str) -> float:
    seconds = float(text)
    if not seconds > 0:
        raise argparse.ArgumentTypeError(f"{text} is no time: give seconds above 0")
    return seconds


_MOST_MAPPED: Final = 20
_ROUNDING: Final = Fraction(1, 10**6)  # what `verify` lets pass in a solution that is not exact
_OPTIONS: Final[Mapping[str, Mapping[str, Any]]] = {
    "--time-limit": {"type": _seconds, "metavar": "SECONDS", "help": "stop after so many seconds"},
    "--threads": {"type": int, "metavar": "N", "help": "threads of the solver (default: its choice)"},
    "--log": {"action": "store_true", "help": "show the solver's log, on stderr"},
}
_DATA: Final = "a CSV or XLSX file for a table or a parameter, or the value of a scalar one; may be repeated"
_TABLE: Final = "a CSV or XLSX file that the description speaks of (needs --format json); may be repeated"
_POINT: Final = "values by variable as JSON, or what `solve --json` printed (default: the model is solved)"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return run_command(lambda: _run(sys.argv[1:] if argv is None else list(argv)))


def _parser() -> Parser:
    parser = Parser(
        prog="python -m formulation",
        description="Solve, check, explain, export and compare optimisation models in JSON, YAML, LP and MPS files.",
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, told: str, run: Callable[[argparse.Namespace], int], *options: str) -> Any:
        found = commands.add_parser(name, help=told, description=f"{told[0].upper()}{told[1:]}.", allow_abbrev=False)
        found.add_argument("file", help="the model: .json, .yaml, .lp or .mps")
        found.add_argument("--json", action="store_true", help="print JSON for programs")
        found.add_argument("--data", action="append", default=[], metavar="NAME=FILE", help=_DATA)
        for option in options:
            found.add_argument(option, **_OPTIONS[option])
        found.set_defaults(run=run)
        return found

    add("solve", "solve a model", _solve, *_OPTIONS)
    of_verify = add("verify", "check a solution against every statement of a model", _verify, *_OPTIONS)
    of_verify.add_argument("point", nargs="?", help=_POINT)
    of_explain = add("explain", "explain a model and its result in plain language", _explain, *_OPTIONS)
    of_explain.add_argument("--model-only", action="store_true", help="do not solve it")
    of_export = add("export", "write a model in another form", _export)
    of_export.add_argument("to", help="the file to write: .lp, .mps, .py, .json, .yaml or .md")
    of_compare = add("compare", "say whether two models are equivalent", _compare, "--time-limit")
    of_compare.add_argument("other", help="the other model")
    add("iis", "say why a model has no solution, and what would give it one", _iis, "--time-limit")
    return parser


_COMMANDS: Final = ("solve", "verify", "explain", "export", "compare", "iis")


def _run(argv: list[str]) -> int:
    # What is no command is a description, which holds blanks or is a file of text.
    words = [word for word in argv if not word.startswith("-") or word == "-"]
    if words and words[0] not in _COMMANDS and (words[0] == "-" or " " in words[0] or _is_text(words[0])):
        return _formulate(_description_parser().parse_args(argv))
    given = _parser().parse_args(argv)
    return int(given.run(given))


def _is_text(name: str) -> bool:
    return Path(name).suffix.lower() in (".txt", ".md")


def _description_parser() -> Parser:
    parser = Parser(
        prog="python -m formulation",
        description="Make a model from a description, solve it, and say what was not understood.",
        allow_abbrev=False,
    )
    parser.add_argument("text", help="the description, a .txt or .md file that holds it, or - for standard input")
    parser.add_argument("--json", action="store_true", help="print JSON for programs")
    parser.add_argument("--data", action="append", default=[], metavar="NAME=FILE", help=_TABLE)
    parser.add_argument("--interactive", action="store_true", help="ask about what is not understood or assumed")
    for option in _OPTIONS:
        parser.add_argument(option, **_OPTIONS[option])
    reading = parser.add_argument_group(
        "reading", "By rules alone unless a policy is named: `--policy embedded` starts the model of this machine."
    )
    add = reading.add_argument
    add("--policy", help="a language model, as in reasoning.solve (embedded: smollm2-135m, trained for this)")
    add("--adapter", metavar="FOLDER", help="its LoRA adapter (default: the one shipped for the model)")
    add("--method", choices=METHODS, default="search", help="how it reads (default: search)")
    add("--format", choices=FORMATS, default="auto", help="what it writes: lines, json (default: what it is made for)")
    add("--samples", type=int, default=SAMPLES, help=f"drafts that it writes (default: {SAMPLES})")
    add("--backend", default="auto", help="vllm or transformers (default: vLLM where it is installed)")
    add("--engine", action="append", default=[], metavar="KEY=VALUE", help="an engine option; may be repeated")
    return parser


def _load(given: argparse.Namespace, *files: str) -> list[Model]:
    """Models from files, each with the data that it names."""
    models = [load(file) for file in files]
    for name, value in _pairs(given.data):
        named = [name in _data_names(model.problem) for model in models]
        if not any(named):
            known = [known for model in models for known in _data_names(model.problem)]
            raise UserError(f"--data {name}: the model names no such data{suggestion(name, known)}")
        for place, model in enumerate(models):
            parameter = model.problem.parameters.get(name)
            # Paths given here are relative to where the command runs, not to the model's file.
            found: Any = value if parameter is not None and not parameter.index else Path(value).resolve()
            models[place] = model.with_data({name: found}) if named[place] else model
    for file, model in zip(files, models, strict=True):
        try:
            _ = model.bound
        except UserError as error:
            raise type(error)(f"{file}: {error}") from None
    return models


def _pairs(given: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Names and values of `--data`. Raises UserError."""
    for pair in given:
        name, equals, value = pair.partition("=")
        if not equals or not name or not value:
            raise UserError(f"--data: write {pair!r} as NAME=FILE")
        yield name, value


def _data_names(problem: Problem) -> set[str]:
    tables = [owner.table for owner in problem.sets.values()] + [owner.table for owner in problem.parameters.values()]
    return {*problem.sets, *problem.parameters, *(table.name for table in tables if table is not None and table.name)}


def _solved(given: argparse.Namespace, model: Model) -> Solution:
    with _on_stderr() if given.log else contextlib.nullcontext():
        return solve(model, time_limit=given.time_limit, threads=given.threads, log=given.log)


@contextlib.contextmanager
def _on_stderr() -> Iterator[None]:
    """What is written to stdout within goes to stderr, by HiGHS itself too: a result may be read by a program."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        # Pyomo takes fd 1 and 2 while it solves, and copies what it catches to sys.stdout.
        with os.fdopen(os.dup(2), "w", encoding="utf-8") as log, contextlib.redirect_stdout(log):
            yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def _tell(given: argparse.Namespace, plain: Any, blocks: Callable[[], Sequence[Block]]) -> None:
    """Print JSON for programs, or blocks for people."""
    if given.json:
        print(json.dumps(plain, indent=1, ensure_ascii=False))
    else:
        show(blocks())


def _title(given: argparse.Namespace, model: Model) -> Heading:
    return Heading(model.problem.name or Path(given.file).name, 1)


# ---- commands --------------------------------------------------------------------------------------------------------


def _solve(given: argparse.Namespace) -> int:
    (model,) = _load(given, given.file)
    solution = _solved(given, model)
    told = explain(model, solution, time_limit=given.time_limit)
    gap = None if solution.gap is None else Number(solution.gap).plain()
    plain = {**solution.plain(), "gap": gap, "conflict": told.plain()["result"]["conflict"]}
    took = Paragraph(f"{solution.seconds:.2f} s.")
    _tell(given, plain, lambda: (_title(given, model), *told.result_blocks()[1:], took))
    return 0


def _formulate(given: argparse.Namespace) -> int:
    text, data = _text(given.text), dict(_pairs(given.data))
    with _reader(given) as reader:
        found = formulate(text, reader=reader, data=data)
        if given.interactive:
            found = interview(
                found,
                lambda longer: formulate(longer, reader=reader, data=data),
                sys.stdin,
                sys.stderr if given.json else sys.stdout,
            )
    solution = None if found.obstacle else _solved(given, found.model)
    limit = {"time_limit": given.time_limit} if given.time_limit is not None else {}
    _tell(given, found.plain(solution, **limit) if given.json else {}, lambda: found.blocks(solution, **limit))
    return 0


@contextlib.contextmanager
def _reader(given: argparse.Namespace) -> Iterator[Reader | None]:
    """The language model that is named, open; None for the rules alone."""
    if given.policy is None:
        yield None
        return
    from reasoning.cli import key_value
    from reasoning.engine.base import EngineError

    options = dict(key_value("--engine", one) for one in given.engine)
    reader = Reader(
        given.policy,
        adapter=given.adapter,
        method=given.method,
        format=given.format,
        samples=given.samples,
        backend=given.backend,
        engine=options,
    )
    try:
        with reader:
            yield reader
    except EngineError as error:
        raise UserError(str(error)) from None


def _text(given: str) -> str:
    if given != "-" and not _is_text(given):
        return given
    try:
        return sys.stdin.read() if given == "-" else Path(given).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataError(f"{given} cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise DataError(f"{given} is not text in UTF-8") from None


def _explain(given: argparse.Namespace) -> int:
    (model,) = _load(given, given.file)
    told = explain(model, None if given.model_only else _solved(given, model), time_limit=given.time_limit)
    _tell(given, told.plain(), told.blocks)
    return 0


def _export(given: argparse.Namespace) -> int:
    to = Path(given.to)
    if to.exists() and to.samefile(given.file):
        raise UserError(f"{to} is the model itself: name another file to write")
    names = [str(path) for path in export(_load(given, given.file)[0], to)]
    _tell(given, {"written": names}, lambda: [Paragraph(f"wrote {' and '.join(names)}")])
    return 0


def _compare(given: argparse.Namespace) -> int:
    limit = {"time_limit": given.time_limit} if given.time_limit is not None else {}
    found = compare(*_load(given, given.file, given.other), **limit)
    _tell(given, found.plain(), lambda: tuple(_compared(found)))
    return {"EQUIVALENT": 0, "DIFFERENT": 1, "UNDECIDED": 3}[found.verdict]


def _compared(found: Comparison) -> Iterator[Block]:
    yield Heading(found.verdict, 1)
    notion = f" ({found.notion})" if found.notion else ""
    exact = "" if found.exact else " Some step rests on the solver's tolerance."
    yield Paragraph(f"{found.reason[:1].upper()}{found.reason[1:]}{notion}.{exact}")
    renamed = [(show_key(*a), show_key(*b)) for a, b in found.mapping.items() if a != b]
    if renamed:
        yield Table(("first model", "second model"), tuple(renamed[:_MOST_MAPPED]))
        if len(renamed) > _MOST_MAPPED:
            yield Paragraph(f"... and {len(renamed) - _MOST_MAPPED} more variables.")
    plain = found.plain()
    for one in plain["counterexamples"]:
        other = "second" if one["model"] == "first" else "first"
        yield Paragraph(f"A point of the {one['model']} model; in the {other} one: {one['breaks']}.")
        values = [(name, value) for name, value in one["values"].items() if value != "0"]
        yield Table(("variable", "value"), tuple(values[:_MOST_MAPPED]), frozenset({"value"}))
    if plain["optima"]:
        best = [str(plain["optima"][place]) for place in ("first", "second")]
        yield Paragraph(
            f"The best value of {plain['optima']['of']} is {best[0]} in the first and {best[1]} in the second."
        )


def _iis(given: argparse.Namespace) -> int:
    (model,) = _load(given, given.file)
    told = explain(model, Solution("infeasible"), time_limit=given.time_limit)
    ways = relaxations(model, time_limit=given.time_limit)
    plain = {**told.plain()["result"], "ways_out": _plain_ways(ways)}
    _tell(given, plain, lambda: (_title(given, model), *told.result_blocks()[1:], *_ways(ways)))
    return 0


def _plain_ways(ways: Relaxations) -> dict[str, Any]:
    least, fewest = ways.least, ways.fewest
    moves = [
        {"statement": m.statement, "key": list(m.key), "limit": decimal_text(m.limit), "by": decimal_text(m.by)}
        for m in (least.moves if least is not None else ())
    ]
    return {
        "moves": moves,
        "proved": least.proved if least is not None else None,
        "give_up": list(fewest.statements) if fewest is not None else None,
        "reasons": list(ways.reasons),
    }


def _ways(ways: Relaxations) -> Iterator[Block]:
    """The least that has to change."""
    yield Heading("Ways out")
    if ways.least is not None:
        least = "the least" if ways.least.proved else "perhaps not the least"
        yield Paragraph(f"Move these limits ({least} in all, each counted in shares of its size):")
        moves = [(show_key(m.statement, m.key), shown(m.limit), shown(m.limit + m.by)) for m in ways.least.moves]
        yield Table(("statement", "limit", "instead"), tuple(moves), frozenset({"limit", "instead"}))
    if ways.fewest is not None:
        yield Paragraph(f"Or give up: {', '.join(ways.fewest.statements)}. There is no way with fewer statements.")
    for reason in ways.reasons:
        yield Paragraph(f"{reason[:1].upper()}{reason[1:]}.")


def _verify(given: argparse.Namespace) -> int:
    (model,) = _load(given, given.file)
    limit = {"time_limit": given.time_limit} if given.time_limit is not None else {}
    if given.point is None:
        found = verify(model, _solved(given, model), **limit)
    else:
        try:
            found = verify(model, **_point(Path(given.point)), **limit)
        except UserError as error:
            raise type(error)(f"{given.point}: {error}") from None
    _tell(given, found.plain(), found.blocks)
    return 0 if found.ok else 1


def _point(path: Path) -> dict[str, Any]:
    """What `verify` takes, from a JSON file: values by variable, or the solution that `solve --json` printed there."""
    try:
        given = parse_text(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise DataError("is not text in UTF-8") from None
    if not isinstance(given, dict):
        raise DataError("write values by variable: {\"chair\": 3, \"ship['a', 'b']\": 2.5}")
    if "status" not in given or not isinstance(given.get("values"), dict):
        return {"point": given}
    if not given["values"]:
        raise DataError(f"it holds no values: {one_line(str(given.get('reason') or given['status']))}")
    tolerance = 0 if given.get("exact") is True else _ROUNDING
    return {"point": given["values"], "claimed": given.get("objective"), "tolerance": tolerance}


if __name__ == "__main__":
    sys.exit(main())
