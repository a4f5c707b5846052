"""python -m reasoning.integrations.lm_eval: the harness's own command, with our model and our tasks in it.

Takes what `lm_eval run` takes. `--model stepsolver` and the tasks beside this file are the defaults.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from data.errors import UserError
from reasoning.cli import run_command
from reasoning.integrations.lm_eval import TASKS

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the harness; 0, or 2 after one line on stderr."""
    return run_command(lambda: _evaluate(sys.argv[1:] if argv is None else list(argv)))


def _evaluate(argv: list[str]) -> int:
    try:
        from lm_eval._cli import HarnessCLI
        from lm_eval.utils import setup_logging

        from reasoning.integrations.lm_eval.model import close_all  # and the model is registered
    except ImportError as error:
        raise UserError(f"lm-evaluation-harness is needed ({error}): pip install 'stepsolver[lm-eval]'") from None
    # The harness reads sys.argv itself; what the user gives comes later and wins.
    sys.argv = ["lm_eval", "run", "--model", "stepsolver", "--include_path", str(TASKS), *argv]
    setup_logging()
    command = HarnessCLI()
    try:
        command.execute(command.parse_args())
    finally:
        close_all()
    return 0


if __name__ == "__main__":
    sys.exit(main())
