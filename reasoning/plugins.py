"""Code from outside the package: `module:Class`, or a name that an installed package registered."""

from __future__ import annotations

import importlib
import importlib.metadata
import sys
from functools import lru_cache

from data.errors import UserError

__all__ = ["load_object", "registered"]


def load_object(spec: str, group: str) -> object:
    """The object that `spec` names: `module:attribute.path`, or an entry point of `group` (such as stepsolver.tasks).

    Raises UserError where there is no such module, attribute or entry point, or importing it fails.
    """
    module_name, colon, path = spec.partition(":")
    if not colon:
        entries = importlib.metadata.entry_points(group=group, name=spec)
        if not entries:
            raise UserError(f"no installed package registers {spec!r} as an entry point of {group}")
        entry = next(iter(entries))
        module_name, path = entry.module, entry.attr
    try:
        found: object = importlib.import_module(module_name)
    except Exception as error:  # the module is the user's: whatever it raises is theirs to mend
        reason = " ".join(str(error).split()) or "no message"
        raise UserError(f"cannot import {module_name!r} for {spec!r}: {type(error).__name__}: {reason}") from error
    for name in path.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            raise UserError(f"{module_name!r} has no {path!r}") from None
    return found


def registered(group: str) -> frozenset[str]:
    """Names that installed packages register as entry points of `group`."""
    return _registered(group, tuple(sys.path))


@lru_cache(maxsize=64)
def _registered(group: str, path: tuple[str, ...]) -> frozenset[str]:
    """Kept for a `sys.path`: reading what every installed package registers takes longer than a short search."""
    return frozenset(importlib.metadata.entry_points(group=group).names)
