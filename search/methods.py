"""The methods by name. A new one is one file with an algorithm and one line here."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping
from typing import Any, Final

from search.adaptive import AdaptiveBestOfN
from search.adaptive_consistency import RULES, AdaptiveConsistency
from search.algorithm import Algorithm
from search.beam import BeamSearch
from search.best_of_n import BestOfN
from search.dvts import DVTS
from search.mcts import MCTS, VARIANTS
from search.mcts_dpo import MCTSDPO
from search.particles import RESAMPLING, ParticleSearch
from search.plans import PlanSearch
from search.ranking import VOTES
from search.refinement import Refinement
from search.tree import AGGREGATES

__all__ = ["METHODS", "make_method", "method_params", "parameters"]

METHODS: Final[Mapping[str, type[Any]]] = {
    "greedy": BestOfN,  # one sample; the policy's temperature 0 makes it greedy
    "best-of-n": BestOfN,
    "beam": BeamSearch,
    "dvts": DVTS,
    "mcts": MCTS,
    "adaptive": AdaptiveBestOfN,
    "refine": Refinement,
    "plan": PlanSearch,
    "particle": ParticleSearch,
    "adaptive-consistency": AdaptiveConsistency,
}
_POSITIVE = ("n", "width", "expand", "max_depth", "iterations", "parallel", "prune_after", "root_expand")
_SHARES = ("threshold", "keep", "bound", "ess", "widen")
_LEAST: Final[Mapping[str, int]] = {"commit": 0, "lookahead": 0, "window": 2, "local": 0, "anew": 0}
_CHOICES: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "aggregate": ("aggregation", AGGREGATES),
    "resample": ("resampling", RESAMPLING),
    "rule": ("rule", RULES),
    "variant": ("variant", VARIANTS),
}


def parameters(name: str) -> dict[str, Any]:
    """Parameters of a method and their defaults. Raises ValueError for an unknown method."""
    if name not in METHODS:
        near = difflib.get_close_matches(name, METHODS, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise ValueError(f"unknown method '{name}': choose one of {', '.join(METHODS)}{hint}")
    if name == "greedy":
        return {}
    return _flat({f.name: f.default for f in dataclasses.fields(METHODS[name])})


def _flat(params: dict[str, Any]) -> dict[str, Any]:
    """Parameters with the search that is a method's rollout given by its name, and its parameters as `rollout.KEY`."""
    if "rollout" not in params:
        return params
    inner = params["rollout"]
    # A class from outside the package is told by its own name, as elsewhere.
    own = MCTS if isinstance(inner, MCTSDPO) else type(inner)  # a variant goes by its method's name
    names = [name for name, kind in METHODS.items() if kind is own and name != "greedy"]
    name = names[0] if names else f"{type(inner).__module__}:{type(inner).__qualname__}"
    return {**params, "rollout": name, **{f"rollout.{key}": value for key, value in method_params(inner).items()}}


def _make_rollout(given: dict[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters given with the rollout made of its own, where there are any. Raises ValueError."""
    inner = {key.removeprefix("rollout."): value for key, value in given.items() if key.startswith("rollout.")}
    if "rollout" not in known or not (inner or "rollout" in given):
        return given
    name = given.get("rollout", known["rollout"])
    # A search that has a rollout itself is none: its plan or its draft would be a part of another's solution.
    able = [method for method in METHODS if "rollout" not in parameters(method)]
    if name not in able:
        raise ValueError(f"unknown rollout '{name}': choose one of {', '.join(able)}")
    if "rollout" not in given:
        defaults = {key.removeprefix("rollout."): v for key, v in known.items() if key.startswith("rollout.")}
        inner = defaults | inner
    outer = {key: value for key, value in given.items() if not key.startswith("rollout.")}
    return {**outer, "rollout": make_method(name, inner)}


def make_method(name: str, params: Mapping[str, Any] | None = None) -> Algorithm:
    """The named algorithm. Raises ValueError, one line, for an unknown name or parameter or an impossible value."""
    known = parameters(name)
    given = _make_rollout(dict(params or {}), known)
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
        if key == "confidence" and not (isinstance(value, int | float) and 0.5 < value <= 1):
            raise ValueError(f"{key} must be a number above 0.5 and at most 1, not {value}")
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
    factory = MCTSDPO if given.get("variant") == "mcts-dpo" else METHODS[name]
    algorithm: Algorithm = factory(**({"n": 1} if name == "greedy" else given))
    return algorithm


def method_params(algorithm: Algorithm) -> dict[str, Any]:
    """All parameters of one of the methods here, as `make_method` takes them."""
    own: Any = algorithm  # mypy takes no protocol for a dataclass
    if not dataclasses.is_dataclass(own):
        return {}
    return _flat({f.name: getattr(own, f.name) for f in dataclasses.fields(own)})
