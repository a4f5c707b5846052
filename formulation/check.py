"""Checks of a problem before its data: names, indices, linearity and units, each with its place."""

from __future__ import annotations

from formulation.schema import Problem

__all__ = ["check"]


def check(problem: Problem) -> None:
    """Raise UserError for the first mistake, with its place."""
