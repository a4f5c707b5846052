"""An adapter's card, `stepsolver.json`: its base model, the profile it was trained under, where it gives values."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, get_args

from data.errors import UserError

__all__ = ["CARD", "Card", "Value", "card_of", "read_card"]

CARD: Final = "stepsolver.json"
Position = Literal["border", "after"]


@dataclass(frozen=True, slots=True)
class Value:
    """How a trained value is read: σ(z_good − z_bad) of two tokens' logits at one position of a step.

    `border`: where the step's last token was sampled, which costs nothing while the policy generates. `after`: behind
    the step's last token, which is a request of its own.
    """

    position: Position
    good: str
    bad: str


@dataclass(frozen=True, slots=True)
class Card:
    """What an adapter says of itself; None where it does not say.

    `base` names the model it was trained on and `base_fingerprint` identifies it (see
    `reasoning.engine.adapters.fingerprint`); `task` and `profile` are what it was trained on and under.
    """

    base: str | None = None
    base_fingerprint: str | None = None
    task: str | None = None
    profile: str | None = None
    value: Value | None = None


def read_card(adapter: Path) -> Card | None:
    """The card in an adapter's folder, None where there is none. Raises UserError where it is malformed.

    What a card says beyond `Card`'s fields (how long training took, what it measured) is for people to read.
    """
    path = adapter / CARD
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError):
        raise UserError(f"{path} cannot be read as JSON: copy the adapter again, or delete its card") from None
    if not isinstance(found, dict):
        raise UserError(f"{path} is no JSON object: copy the adapter again, or delete its card")
    texts: dict[str, Any] = {name: found.get(name) for name in ("base", "base_fingerprint", "task", "profile")}
    for name, text in texts.items():
        if text is not None and not isinstance(text, str):
            raise UserError(f"{path}: '{name}' must be text")
    return Card(**texts, value=_value(path, found.get("value")))


def card_of(adapter: str | None) -> Card | None:
    """The card of an `--adapter`, which may be missing or `none`."""
    return None if adapter in (None, "", "none") else read_card(Path(str(adapter)).expanduser())


def _value(path: Path, found: Any) -> Value | None:
    if found is None:
        return None
    if (
        not isinstance(found, dict)
        or found.get("position") not in get_args(Position)
        or not all(isinstance(found.get(key), str) and found[key] for key in ("good", "bad"))
    ):
        raise UserError(f"{path}: 'value' must have a position (border or after) and the tokens 'good' and 'bad'")
    return Value(found["position"], found["good"], found["bad"])
