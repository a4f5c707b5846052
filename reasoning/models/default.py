"""Which model answers where none is named: the best one that this machine can hold, and that can be had.

STEPSOLVER_MODEL names another default.
"""

from __future__ import annotations

import functools
import os
import shutil
import sys
from contextlib import suppress
from typing import Final

from data.errors import UserError
from reasoning.engine import cache
from reasoning.models.catalogue import CATALOGUE, CatalogueModel, catalogue_model
from reasoning.models.store import pull, pulled

__all__ = ["default_model", "expected_default", "machine_memory"]

# Accuracy per minute in this order (docs/models.md): greedily on two cores the first solves as many questions of a
# minute as the second, and more of them; the last answers everywhere.
_ORDER: Final = ("qwen2.5-coder-1.5b", "qwen2.5-coder-0.5b", "smollm2-135m")
_CONVERTED: Final = 2.0  # bytes of the folder made from a file, at most, by a parameter


def default_model() -> str:
    """The name of the default model, fetched where it is not here.

    Where a better one does not fit this machine or cannot be had, the next one is taken, and a line on standard error
    says so. Raises UserError where STEPSOLVER_MODEL names no model, or nothing at all can be had.
    """
    named = os.environ.get("STEPSOLVER_MODEL")
    return catalogue_model(named).name if named else _chosen(str(cache.cache_dir()))


def expected_default() -> str:
    """The default model as far as memory and disk decide, with nothing fetched: what `default_model` tries first."""
    if named := os.environ.get("STEPSOLVER_MODEL"):
        return catalogue_model(named).name
    for name in _ORDER:
        with suppress(UserError):
            _check_fits(CATALOGUE[name])
            return name
    return _ORDER[-1]


@functools.cache
def _chosen(folder: str) -> str:
    """Chosen once for a process and a cache folder."""
    reasons = []
    for name in _ORDER:
        model = CATALOGUE[name]
        try:
            _check_fits(model)
            pull(model)
        except UserError as error:
            reasons.append(str(error))
            continue
        if reasons:
            print(f"{name} answers: {reasons[-1]}", file=sys.stderr, flush=True)
        return name
    raise UserError(f"no model can be had; name one with --policy ({reasons[-1]})")


def _check_fits(model: CatalogueModel) -> None:
    """Raise UserError where memory or disk are too small for the model to be worth starting."""
    memory = machine_memory()
    if memory < model.memory:
        raise UserError(
            f"{model.name} wants {model.memory / 2**30:.0f} GiB of memory and this machine has {memory / 2**30:.1f}"
        )
    entry = cache.cache_dir()
    if any(entry.glob(f"models/*{model.sha256[:16]}*")):
        return
    while not entry.exists():
        entry = entry.parent
    needed = _CONVERTED * model.parameters + (0 if pulled(model) else model.bytes)
    if (free := shutil.disk_usage(entry).free) < needed:
        raise UserError(
            f"{model.name} wants {needed / 1e9:.1f} GB in {cache.cache_dir()}, where {free / 1e9:.1f} GB are free"
        )


def machine_memory() -> int:
    """Bytes of memory that this process may use: the machine's, or its control group's limit where that is lower."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            with open(path) as file:  # noqa: PTH123
                return min(total, int(file.read()))
        except (OSError, ValueError):  # "max"
            continue
    return total
