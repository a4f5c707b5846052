"""Search methods by name, those outside the package included."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from data.errors import UserError
from search.algorithm import Algorithm
from search.methods import make_method

__all__ = ["load_method"]


def load_method(name: str, params: Mapping[str, Any]) -> Algorithm:
    """The algorithm that `--method` names: one of `search.methods`, an entry point, or `module:Class`.

    Raises UserError for an unknown name or parameter, or an impossible value.
    """
    from reasoning.plugins import load_object, registered

    try:
        if ":" not in name and name not in registered("stepsolver.methods"):
            return make_method(name, params)
        factory: Any = load_object(name, "stepsolver.methods")
        algorithm: Algorithm = factory(**params)
        return algorithm
    except (TypeError, ValueError) as error:
        raise UserError(f"--method {name}: {error}" if ":" in name else str(error)) from None
