"""The methods by name. A new one is one file with an algorithm and one line here."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args, get_origin, get_type_hints

from search.adaptive import AdaptiveBestOfN
from search.adaptive_consistency import AdaptiveConsistency
from search.algorithm import Algorithm
from search.beam import BeamSearch
from search.best_of_n import BestOfN
from search.dvts import DVTS
from search.mcts import MCTS, VARIANTS
from search.mcts_dpo import MCTSDPO
from search.particles import ParticleSearch
from search.plans import PlanSearch
from search.refinement import Refinement

__all__ = ["METHODS", "Method", "make_method", "method_params", "parameter_choices", "parameters"]


@dataclass(frozen=True, slots=True)
class Method:
    """A registered method: its class, a dataclass of parameters that checks them, and what it does in one line."""

    algorithm: type[Any]
    summary: str


METHODS: Final[Mapping[str, Method]] = {
    "greedy": Method(BestOfN, "one solution at temperature 0"),
    "best-of-n": Method(BestOfN, "n whole solutions, then a vote"),
    "beam": Method(BeamSearch, "step-level beam search, SBS(B1,B2) of AlphaMath"),
    "dvts": Method(DVTS, "diverse verifier tree search: n / expand subtrees, each keeps its best step"),
    "mcts": Method(MCTS, f"Monte Carlo tree search; variant: {', '.join(VARIANTS)}"),
    "adaptive": Method(AdaptiveBestOfN, "best-of-n that stops, prunes and picks by one judgement"),
    "refine": Method(Refinement, "GLoRe: a draft, refined where its score says so"),
    "plan": Method(PlanSearch, "CPL: tree search over the steps of a plan, a solution after each plan"),
    "particle": Method(ParticleSearch, "particles drawn anew by exp(value / alpha) after every step"),
    "adaptive-consistency": Method(AdaptiveConsistency, "a majority vote that stops when it is settled"),
}


def parameters(name: str) -> dict[str, Any]:
    """Parameters of a method and their defaults. Raises ValueError for an unknown method."""
    if name not in METHODS:
        near = difflib.get_close_matches(name, METHODS, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise ValueError(f"unknown method '{name}': choose one of {', '.join(METHODS)}{hint}")
    if name == "greedy":
        return {}
    return _flat({f.name: f.default for f in dataclasses.fields(METHODS[name].algorithm)})


def parameter_choices(name: str) -> dict[str, tuple[str, ...]]:
    """The values from which a method's parameters that are names may be chosen; other parameters are left out.

    Raises ValueError for an unknown method.
    """
    known = parameters(name)
    found = {key: values for key, hint in get_type_hints(METHODS[name].algorithm).items() if (values := _names(hint))}
    if "rollout" in known:
        inner = parameter_choices(known["rollout"])
        found |= {"rollout": _rollouts(), **{f"rollout.{key}": values for key, values in inner.items()}}
    return {key: values for key, values in found.items() if key in known}


def _names(hint: Any) -> tuple[str, ...]:
    """The names of a `Literal`, or of a union of them."""
    if get_origin(hint) is Literal:
        return tuple(name for name in get_args(hint) if isinstance(name, str))
    return tuple(name for part in get_args(hint) for name in _names(part))


def _rollouts() -> tuple[str, ...]:
    # A search that has a rollout itself is none: its plan or its draft would be a part of another's solution.
    return tuple(method for method in METHODS if "rollout" not in parameters(method))


def _flat(params: dict[str, Any]) -> dict[str, Any]:
    """Parameters with the search that is a method's rollout given by its name, and its parameters as `rollout.KEY`."""
    if "rollout" not in params:
        return params
    inner = params["rollout"]
    # A class from outside the package is told by its own name, as elsewhere.
    own = MCTS if isinstance(inner, MCTSDPO) else type(inner)  # a variant goes by its method's name
    names = [name for name, method in METHODS.items() if method.algorithm is own and name != "greedy"]
    name = names[0] if names else f"{type(inner).__module__}:{type(inner).__qualname__}"
    return {**params, "rollout": name, **{f"rollout.{key}": value for key, value in method_params(inner).items()}}


def _make_rollout(given: dict[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters given with the rollout made of its own, where there are any. Raises ValueError."""
    inner = {key.removeprefix("rollout."): value for key, value in given.items() if key.startswith("rollout.")}
    if "rollout" not in known or not (inner or "rollout" in given):
        return given
    name = given.get("rollout", known["rollout"])
    able = _rollouts()
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
    for key in given:
        if key not in known:
            raise ValueError(f"the method '{name}' has no parameter '{key}'; it has: {', '.join(known) or 'none'}")
    factory = MCTSDPO if given.get("variant") == "mcts-dpo" else METHODS[name].algorithm
    algorithm: Algorithm = factory(**({"n": 1} if name == "greedy" else given))
    return algorithm


def method_params(algorithm: Algorithm) -> dict[str, Any]:
    """All parameters of one of the methods here, as `make_method` takes them."""
    own: Any = algorithm  # mypy takes no protocol for a dataclass
    if not dataclasses.is_dataclass(own):
        return {}
    return _flat({f.name: getattr(own, f.name) for f in dataclasses.fields(own)})
