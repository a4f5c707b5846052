"""What every command shares: one-line errors, exit codes, options that are pairs, and how numbers look."""

from __future__ import annotations

from collections.abc import Callable

from data import command as plain
from data.command import Parser
from data.errors import UserError
from reasoning.engine.base import EngineError

__all__ = ["Parser", "duration", "key_value", "run_command"]


def run_command(command: Callable[[], int]) -> int:
    """The exit code of a command: its own, or 2 after one line on stderr, or 130 after Ctrl-C."""
    return plain.run_command(command, (UserError, EngineError))


def key_value(option: str, text: str) -> tuple[str, str]:
    """The pair in KEY=VALUE; the value may hold more of `=`. Raises UserError, which names the option."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise UserError(f"{option}: write {text!r} as KEY=VALUE")
    return key, value


def duration(seconds: float) -> str:
    """Seconds as `42 s`, `3:07` or `1:02:03`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, s = divmod(whole, 60)
    hours, m = divmod(minutes, 60)
    return f"{hours}:{m:02}:{s:02}" if hours else f"{m}:{s:02}"
