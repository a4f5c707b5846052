"""The methods by name. A new one is one file with an algorithm and one line here."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping
from typing import Any, Final

from search.adaptive import AdaptiveBestOfN
from search.algorithm import Algorithm
from search.beam import BeamSearch
from search.best_of_n import BestOfN
from search.dvts import DVTS
from search.mcts import MCTS
from search.particles import RESAMPLING, ParticleSearch
from search.ranking import VOTES
from search.tree import AGGREGATES

__all__ = ["METHODS", "make_method", "method_params", "parameters"]

METHODS: Final[Mapping[str, type[Any]]] = {
    "greedy": BestOfN,  # one sample; the policy's temperature 0 makes it greedy
    "best-of-n": BestOfN,
    "beam": BeamSearch,
    "dvts": DVTS,
    "mcts": MCTS,
    "adaptive": AdaptiveBestOfN,
    "particle": ParticleSearch,
}
_POSITIVE = ("n", "width", "expand", "max_depth", "iterations", "parallel", "prune_after")
_SHARES = ("threshold", "keep", "ess")
_LEAST: Final[Mapping[str, int]] = {"lookahead": 0}
_CHOICES: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "aggregate": ("aggregation", AGGREGATES),
    "resample": ("resampling", RESAMPLING),
}


def parameters(name: str) -> dict[str, Any]:
    """Parameters of a method and their defaults. Raises ValueError for an unknown method."""
    if name not in METHODS:
        near = difflib.get_close_matches(name, METHODS, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise ValueError(f"unknown method '{name}': choose one of {', '.join(METHODS)}{hint}")
    if name == "greedy":
        return {}
    return {f.name: f.default for f in dataclasses.fields(METHODS[name])}


def make_method(name: str, params: Mapping[str, Any] | None = None) -> Algorithm:
    """The named algorithm. Raises ValueError, one line, for an unknown name or parameter or an impossible value."""
    known, given = parameters(name), dict(params or {})
    for key, value in given.items():
        if key not in known:
            raise ValueError(f"the method '{name}' has no parameter '{key}'; it has: {', '.join(known) or 'none'}")
        if key in _POSITIVE and (not isinstance(value, int) or value < 1):
            raise ValueError(f"{key} must be a whole number of at least 1, not {value}")
        if key in _SHARES and (not isinstance(value, int | float) or not 0 <= value <= 1):
            raise ValueError(f"{key} must be a number from 0 to 1, not {value}")
        if key in ("c", "virtual_loss") and not (isinstance(value, int | float) and 0 <= value < float("inf")):
            raise ValueError(f"{key} must be a number of at least 0, not {value}")
        if key == "alpha" and not (type(value) in (int, float) and value >= 0):  # infinity is plain sampling
            raise ValueError(f"{key} must be a number of at least 0, not {value}")
        if key in _LEAST and (type(value) is not int or value < _LEAST[key]):
            raise ValueError(f"{key} must be a whole number of at least {_LEAST[key]}, not {value}")
        votes = (*VOTES, "descend") if name == "mcts" else VOTES
        if key == "vote" and value not in votes:
            raise ValueError(f"unknown vote '{value}': choose one of {', '.join(votes)}")
        if key in _CHOICES and value not in _CHOICES[key][1]:
            raise ValueError(f"unknown {_CHOICES[key][0]} '{value}': choose one of {', '.join(_CHOICES[key][1])}")
    if name == "dvts":
        n, expand = given.get("n", known["n"]), given.get("expand", known["expand"])
        if n % expand:
            raise ValueError(f"dvts splits n samples into n / expand subtrees: {n} is no multiple of {expand}")
    algorithm: Algorithm = METHODS[name](**({"n": 1} if name == "greedy" else given))
    return algorithm


def method_params(algorithm: Algorithm) -> dict[str, Any]:
    """All parameters of one of the methods here, as `make_method` takes them."""
    return dataclasses.asdict(algorithm) if dataclasses.is_dataclass(algorithm) else {}
