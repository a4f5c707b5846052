"""A run as a Hugging Face dataset on disk."""

from __future__ import annotations

import tempfile
from pathlib import Path

from data.errors import UserError
from reasoning.runs.export import write_parquet
from reasoning.runs.store import RunView

__all__ = ["write_dataset"]


def write_dataset(view: RunView, folder: Path, *, tells: bool) -> None:
    """Write what `datasets.load_from_disk(folder)` reads: the columns of the Parquet export, one row per problem.

    Nothing is held in memory as a whole. Raises UserError where `datasets` is not installed.
    """
    try:
        import datasets
    except ImportError:
        raise UserError("a dataset needs datasets: pip install 'stepsolver[eval]', or export as jsonl") from None
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".dataset-") as scratch:
        parquet = Path(scratch) / "run.parquet"
        write_parquet(view, parquet, tells=tells)
        shown = datasets.is_progress_bar_enabled()
        datasets.disable_progress_bars()
        try:
            dataset = datasets.Dataset.from_parquet(str(parquet), cache_dir=scratch)
            dataset.save_to_disk(str(folder))
        finally:
            if shown:
                datasets.enable_progress_bars()
