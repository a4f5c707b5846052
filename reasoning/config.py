"""One flat record of everything a run can be told, filled by the command line, a recipe file, or keyword arguments."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from data.errors import UserError

__all__ = ["DEFAULT_METHOD", "METHOD_FIELDS", "SolveConfig", "read_recipe"]

# What searches where no method is named: most accuracy a minute with the default model (docs/models.md).
DEFAULT_METHOD: Final[Mapping[str, Any]] = {"method": "best-of-n", "n": 8, "vote": "weighted"}

# Settings that are parameters of the search method, and what the method calls them.
METHOD_FIELDS = {
    "n": "n",
    "beam_width": "width",
    "expand": "expand",
    "iterations": "iterations",
    "max_depth": "max_depth",
    "vote": "vote",
    "aggregate": "aggregate",
    "c_puct": "c",
    "parallel": "parallel",
    "virtual_loss": "virtual_loss",
}

Positive = Annotated[int, Field(ge=1)]


class SolveConfig(BaseModel):
    """Settings of a run. None means: the default of the method, the profile or the task."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    task: str = "gsm8k"
    split: str | None = None
    limit: Positive | None = None
    offset: Annotated[int, Field(ge=0)] = 0
    data_dir: str | None = None
    question_column: str = "question"
    answer_column: str = "answer"

    policy: str | None = None
    adapter: str | None = None
    backend: str = "auto"
    engine: dict[str, str] = Field(default_factory=dict)
    profile: str = "auto"
    prompts: str | None = None

    method: str = "best-of-n"
    n: Positive | None = None
    beam_width: Positive | None = None
    expand: Positive | None = None
    iterations: Positive | None = None
    max_depth: Positive | None = None
    vote: str | None = None
    aggregate: str | None = None
    c_puct: Annotated[float, Field(ge=0)] | None = None
    parallel: Positive | None = None
    virtual_loss: Annotated[float, Field(ge=0)] | None = None
    param: dict[str, Any] = Field(default_factory=dict)

    temperature: Annotated[float, Field(ge=0)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    seed: Annotated[int, Field(ge=0)] = 0
    max_tokens_per_problem: Positive | None = None
    max_step_tokens: Positive | None = None
    max_answer_tokens: Positive | None = None

    reward: str = "auto"
    reward_policy: str | None = None
    reward_adapter: str | None = None
    reward_engine: dict[str, str] = Field(default_factory=dict)
    reward_good: str | None = None
    reward_bad: str | None = None
    reward_suffix: str | None = None

    concurrency: Positive = 64

    @property
    def method_params(self) -> dict[str, Any]:
        """Parameters given for the method, by the method's own names: settings of their own, and those in `param`."""
        given = {theirs: getattr(self, ours) for ours, theirs in METHOD_FIELDS.items()}
        return {name: value for name, value in given.items() if value is not None} | self.param

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """Checked settings; a UserError names the first one that is unknown or impossible.

        Without a method they are those of DEFAULT_METHOD where they are not given.
        """
        given = {key.replace("-", "_"): value for key, value in values.items()}
        if given.get("method") is None:
            given = {**DEFAULT_METHOD, **{key: value for key, value in given.items() if value is not None}}
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            first = error.errors()[0]
            name = str(first["loc"][0])
            if first["type"] == "extra_forbidden":
                near = difflib.get_close_matches(name, cls.model_fields, n=1)
                raise UserError(f"no setting '{name}'" + (f"; did you mean '{near[0]}'?" if near else "")) from None
            flag = "--" + name.replace("_", "-")
            raise UserError(f"{flag} is {first['input']!r}: {first['msg'][0].lower()}{first['msg'][1:]}") from None


def read_recipe(path: str | Path) -> dict[str, Any]:
    """The settings in a flat YAML file, as they stand there."""
    import yaml

    try:
        values = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"cannot read the recipe {path}: {error.strerror or error}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"the recipe {path} is not YAML: {' '.join(str(error).split())}") from None
    if values is not None and not isinstance(values, dict):
        raise UserError(f"the recipe {path} must be a flat list of `setting: value` lines")
    return {str(key): value for key, value in (values or {}).items()}
