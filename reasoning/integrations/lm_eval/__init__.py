"""lm-evaluation-harness: any strategy as a model (`python -m reasoning.integrations.lm_eval`), and tasks of ours."""

from pathlib import Path
from typing import Final

__all__ = ["TASKS"]

TASKS: Final = Path(__file__).parent / "tasks"  # for the harness's --include_path
