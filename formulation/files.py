"""Problems on disk: JSON and YAML, in which every number keeps the digits it was written with."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import yaml

from data.errors import DataError, UserError
from formulation.numbers import Number, number
from formulation.schema import Problem, read_problem

__all__ = ["parse_text", "read_file", "write_file"]

_MOST_BYTES: Final = 200_000_000
_MOST_DIGITS: Final = 1000  # of a whole number


def read_file(path: Path) -> Problem:
    """A problem from a .json, .yaml or .yml file. Raises DataError with the place."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise DataError(f"{path} is larger than {_MOST_BYTES // 10**6} MB: put its data into CSV tables")
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise DataError(f"{path} does not exist") from None
    except IsADirectoryError:
        raise DataError(f"{path} is a folder: name a file") from None
    except UnicodeDecodeError:
        raise DataError(f"{path} is not text in UTF-8") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror})") from None
    try:
        return read_problem(parse_text(text, yaml_=path.suffix.lower() in (".yaml", ".yml")))
    except UserError as error:
        raise DataError(f"{path}: {error}") from None


def parse_text(text: str, *, yaml_: bool = False) -> Any:
    """JSON or YAML values, with decimals as exact numbers. Raises DataError with the line."""
    if yaml_:
        try:
            return yaml.load(text, _Loader)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            where = f"line {mark.line + 1}: " if mark is not None else ""
            raise DataError(f"{where}no YAML: {getattr(error, 'problem', None) or type(error).__name__}") from None
        except RecursionError:
            raise DataError("nested too deeply") from None
    try:
        return json.loads(
            text, parse_float=_decimal, parse_int=_whole, parse_constant=_constant, object_pairs_hook=_unique
        )
    except json.JSONDecodeError as error:
        raise DataError(f"line {error.lineno}, column {error.colno}: no JSON: {error.msg}") from None
    except RecursionError:
        raise DataError("nested too deeply") from None
    except ValueError as error:
        raise DataError(str(error)) from None


def write_file(problem: Problem, path: Path) -> None:
    """Write a problem as JSON or, by the file's suffix, as YAML."""
    if path.suffix.lower() in (".yaml", ".yml"):
        text = yaml.dump(problem.plain(), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
    else:
        text = json.dumps(problem.plain(), indent=1, ensure_ascii=False) + "\n"
    path.write_text(text, encoding="utf-8")


def _whole(text: str) -> int:
    if len(text) > _MOST_DIGITS:
        raise ValueError(f"{text[:20]}... has {len(text)} digits: choose another unit")
    return int(text)


def _decimal(text: str) -> Number:
    return number(Decimal(text))


def _constant(text: str) -> Any:
    raise ValueError(f"{text} is no finite number: leave a bound out where there is none")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"'{name}' is there twice: keep one")
        found[name] = value
    return found


class _Loader(yaml.SafeLoader):
    """Safe YAML 1.2: exact decimals, unique keys; dates, 007 and words such as `no` and `on` are text; no aliases."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            # A few aliases of aliases stand for billions of values, and one of itself for endlessly many.
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem="no aliases (*name): write the value out", problem_mark=mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        found = super().construct_mapping(node, deep=deep)
        if len(found) < len(node.value):
            seen: set[Any] = set()
            for key, _ in node.value:
                name = self.construct_object(key)
                if name in seen:
                    raise yaml.MarkedYAMLError(problem=f"'{name}' is there twice", problem_mark=key.start_mark)
                seen.add(name)
        return found


class _Dumper(yaml.SafeDumper):
    """Safe YAML without aliases. It quotes what a reader of YAML 1.1 or 1.2 would take for something else than text."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _scalar(loader: yaml.SafeLoader, node: Any) -> Any:
    text = str(loader.construct_scalar(node))
    try:
        if node.tag.endswith(":bool"):
            return {"true": True, "false": False}[text.lower()]
        return _whole(text) if _INTEGER.fullmatch(text) else number(text)
    except (KeyError, ValueError):
        what = "truth value" if node.tag.endswith(":bool") else "number"
        raise yaml.MarkedYAMLError(problem=f"{text[:40]} is no {what}", problem_mark=node.start_mark) from None


_INTEGER: Final = re.compile(r"[-+]?(?:0|[1-9][0-9]*)$")
_SCALARS: Final = {
    "bool": (re.compile(r"(?:true|True|TRUE|false|False|FALSE)$"), "tTfF"),
    "int": (_INTEGER, "-+0123456789"),
    "float": (
        re.compile(
            r"[-+]?(?:(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|\.(?:inf|Inf|INF|nan|NaN|NAN))$"
        ),
        "-+.0123456789",
    ),
    "null": (re.compile(r"(?:~|null|Null|NULL|)$"), ("~", "n", "N", "")),
}
_PREFIX: Final = "tag:yaml.org,2002:"
_Loader.yaml_implicit_resolvers = {}
_Loader.yaml_constructors = {
    tag: made
    for tag, made in yaml.SafeLoader.yaml_constructors.items()
    if tag is None or tag.removeprefix(_PREFIX) in ("map", "seq", "str", "null")
}
for _name, (_pattern, _starts) in _SCALARS.items():
    for _reader in (_Loader, _Dumper):
        _reader.add_implicit_resolver(_PREFIX + _name, _pattern, list(_starts))
    if _name != "null":
        _Loader.add_constructor(_PREFIX + _name, _scalar)
