"""What the parameters of methods may be: each check raises ValueError, one line that names the parameter."""

from __future__ import annotations

import math
from collections.abc import Sequence

__all__ = ["amount", "choice", "share", "whole"]


def whole(least: int, **values: int) -> None:
    """Whole numbers of at least `least`."""
    for key, value in values.items():
        if type(value) is not int or value < least:
            raise ValueError(f"{key} must be a whole number of at least {least}, not {value}")


def share(**values: float) -> None:
    """Numbers from 0 to 1."""
    for key, value in values.items():
        if not isinstance(value, int | float) or not 0 <= value <= 1:
            raise ValueError(f"{key} must be a number from 0 to 1, not {value}")


def amount(*, finite: bool = True, **values: float) -> None:
    """Numbers of at least 0."""
    for key, value in values.items():
        if type(value) not in (int, float) or not value >= 0 or (finite and value == math.inf):
            raise ValueError(f"{key} must be a number of at least 0, not {value}")


def choice(what: str, value: str, options: Sequence[str]) -> None:
    """One of several names; `what` says of what."""
    if value not in options:
        raise ValueError(f"unknown {what} '{value}': choose one of {', '.join(options)}")
