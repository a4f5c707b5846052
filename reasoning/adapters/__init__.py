"""Adapters that come with the package, a folder each, made by the commands of `reasoning.train`."""

from __future__ import annotations

from pathlib import Path
from typing import Final

__all__ = ["EMBEDDED", "label", "shipped"]

# The adapters of smollm2-135m: grade-school mathematics, one line a step; and texts as drafts of models.
EMBEDDED: Final = Path(__file__).parent / "smollm2-135m-math"
_OF_TASK: Final = {"formulation.task:Drafts": EMBEDDED.parent / "smollm2-135m-formulation"}
_OTHER_FORMS: Final = ("math500", "formulation.task:Documents")
_WEIGHTS = "adapter_model.safetensors"


def shipped(policy: str | None, task: str) -> Path | None:
    """The adapter that a policy (see `reasoning.engine.models.named`) takes by default for a task (its name), or None.

    `smollm2-135m` has one for texts to models, and one that applies to every other task but those of other forms:
    it was trained to end with `#### NUMBER`, and the answers of `math500` are LaTeX in a box.
    """
    if policy != "smollm2-135m" or task in _OTHER_FORMS:
        return None
    found = _OF_TASK.get(task, EMBEDDED)
    return found if (found / _WEIGHTS).is_file() else None


def label(adapter: str | None) -> str | None:
    """An `--adapter` as a run records it: a shipped one by name and content, as another version may ship another."""
    if adapter in (None, "", "none"):
        return None
    folder = Path(str(adapter))
    if folder.parent != EMBEDDED.parent:
        return adapter
    from reasoning.engine.adapters import identity

    return f"shipped adapter {folder.name} ({identity(folder)[:8]})"
