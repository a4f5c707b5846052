"""Runs: results and search logs that survive a kill. `python -m reasoning.runs` lists, shows, exports and compares."""

from reasoning.runs.store import ProblemResult, Run, RunView, open_run, read_run, run_names, runs_root
from reasoning.runs.totals import Totals, totals

__all__ = ["ProblemResult", "Run", "RunView", "Totals", "open_run", "read_run", "run_names", "runs_root", "totals"]
