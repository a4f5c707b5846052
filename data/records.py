"""The record every loader produces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Problem"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One question.

    `id` is stable and unique within its task and split (such as `gsm8k/test/17`); `answer` is the reference answer as
    the data gives it, None where there is none; `solution` the reference solution text; `metadata` whatever else the
    source carries.
    """

    id: str
    question: str
    answer: str | None = None
    solution: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
