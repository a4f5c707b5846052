"""Problems on disk: JSON and YAML, in which every number keeps the digits it was written with."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import yaml

from data.errors import DataError
from formulation.numbers import Number, number
from formulation.schema import Problem, read_problem

__all__ = ["parse_text", "read_file", "write_file"]

_MOST_BYTES: Final = 200_000_000


def read_file(path: Path) -> Problem:
    """A problem from a .json, .yaml or .yml file. Raises DataError with the place."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise DataError(f"{path} is larger than {_MOST_BYTES // 10**6} MB: put its data into CSV tables")
        text = path.read_text(encoding="utf-8")
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
    except DataError as error:
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
        return json.loads(text, parse_float=_decimal, parse_constant=_constant, object_pairs_hook=_unique)
    except json.JSONDecodeError as error:
        raise DataError(f"line {error.lineno}, column {error.colno}: no JSON: {error.msg}") from None
    except RecursionError:
        raise DataError("nested too deeply") from None
    except ValueError as error:
        raise DataError(str(error)) from None


def write_file(problem: Problem, path: Path) -> None:
    """Write a problem as JSON or, by the file's suffix, as YAML."""
    if path.suffix.lower() in (".yaml", ".yml"):
        text = yaml.safe_dump(problem.plain(), sort_keys=False, allow_unicode=True, width=120)
    else:
        text = json.dumps(problem.plain(), indent=1, ensure_ascii=False) + "\n"
    path.write_text(text, encoding="utf-8")


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
    """Safe YAML whose decimals are exact, whose keys are unique, and whose dates stay text."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        found = super().construct_mapping(node, deep=deep)
        if len(found) < len(node.value) and not any(key.tag.endswith(":merge") for key, _ in node.value):
            names = [key.value for key, _ in node.value]
            twice = next(name for name in names if names.count(name) > 1)
            raise yaml.constructor.ConstructorError(None, None, f"'{twice}' is there twice", node.start_mark)
        return found


def _yaml_float(loader: yaml.SafeLoader, node: Any) -> Any:
    text = loader.construct_scalar(node).replace("_", "")
    try:
        return number(text)
    except ValueError:
        raise yaml.constructor.ConstructorError(None, None, f"{text} is no finite number", node.start_mark) from None


_Loader.add_constructor("tag:yaml.org,2002:float", _yaml_float)
_Loader.add_constructor("tag:yaml.org,2002:timestamp", lambda loader, node: loader.construct_scalar(node))
