"""Model names: `<policy>/<preset>`, where a preset is a search method with its defaults, or a recipe file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from data.errors import UserError
from reasoning.config import DEFAULT_METHOD, METHOD_FIELDS, SolveConfig, read_recipe
from reasoning.methods import load_method
from reasoning.rewards.layouts import LAYOUTS
from reasoning.serve.settings import ServeConfig
from search.methods import METHODS, method_params

__all__ = ["Preset", "policy_name", "presets"]

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
# Of a recipe: what a job over many problems is told, and one question is not asked about.
_OF_A_JOB: Final = frozenset(
    {"limit", "offset", "split", "data_dir", "question_column", "answer_column", "concurrency", "run", "resume", "json"}
    | {"show", "scale"}
)
_OF_THE_ENGINE: Final = ("policy", "adapter", "backend", "engine")
_OF_A_JUDGE: Final = ("reward_policy", "reward_adapter", "reward_engine")


@dataclass(frozen=True, slots=True)
class Preset:
    """`settings` are fields of `reasoning.config.SolveConfig`; `task` is what it solves where a request names none."""

    name: str
    settings: Mapping[str, Any]
    task: str | None = None

    @property
    def method(self) -> str:
        """The search method's name."""
        return str(self.settings["method"])

    @property
    def params(self) -> dict[str, Any]:
        """All parameters of the method."""
        return {} if self.method == "greedy" else method_params(load_method(self.method, self._given))

    @property
    def has_judge(self) -> bool:
        """Whether its reward opens a model of its own."""
        return self.settings.get("reward") in LAYOUTS or any(self.settings.get(key) for key in _OF_A_JUDGE)

    def changed(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        """The settings with a request's; another method starts from its own defaults."""
        kept = dict(self.settings)
        if changes.get("method", self.method) != self.method:
            kept = {key: value for key, value in kept.items() if key not in (*METHOD_FIELDS, "param")}
        param = {**kept.get("param", {}), **changes.get("param", {})}
        return {**kept, **changes, **({"param": param} if param else {})}

    @property
    def _given(self) -> dict[str, Any]:
        return SolveConfig.of(self.settings).method_params


def policy_name(policy: str | None) -> str:
    """What a `--policy` is called in model names: the last part of a folder's or a hub's name."""
    if policy in (None, "", "embedded"):
        return "embedded"
    model, _, _ = str(policy).partition("@")
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(model).name).strip("-.")
    return name or "policy"


def presets(config: ServeConfig) -> dict[str, Preset]:
    """Every preset by its name: one for each method, and one for each recipe.

    Raises UserError for a recipe that cannot be read, has no fit name, or wants another engine than the server's.
    """
    found = {name: Preset(name, {"method": name, "reward": config.reward}) for name in METHODS}
    for path in config.recipes:
        name = path.stem
        if not _NAME.fullmatch(name):
            raise UserError(f"--recipe {path}: call the file by letters, digits, '.', '_' and '-'")
        if name in found:
            raise UserError(f"--recipe {path}: there is a preset '{name}' already: rename the file")
        found[name] = _of_recipe(name, path, config)
    return found


def _of_recipe(name: str, path: Path, config: ServeConfig) -> Preset:
    settings = {key.replace("-", "_"): value for key, value in read_recipe(path).items()}
    for key in _OF_THE_ENGINE:
        wanted, ours = settings.pop(key, None), getattr(config, key)
        if wanted not in (None, {}) and wanted != ours and (key, wanted, ours) != ("policy", "embedded", None):
            raise UserError(
                f"--recipe {path} wants {key} {wanted}: start the server with that --{key}, or leave it out"
            )
    settings = {key: value for key, value in settings.items() if key not in _OF_A_JOB}
    task = settings.pop("task", None)
    if "method" not in settings:
        settings = {**DEFAULT_METHOD, **settings}
    settings = {"reward": config.reward} | settings
    try:
        checked = SolveConfig.of(settings | ({"task": task} if task is not None else {}))
        load_method(checked.method, checked.method_params)
    except UserError as error:
        raise UserError(f"--recipe {path}: {error}") from None
    return Preset(name, settings, task)
