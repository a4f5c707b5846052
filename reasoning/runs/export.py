"""A run as JSON lines or Parquet, one record per problem."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from data.errors import UserError
from reasoning.runs.store import RunView

__all__ = ["plain", "rows", "write_jsonl", "write_parquet"]

_PARQUET_BATCH = 64  # rows: with search logs a row may be a megabyte


def rows(view: RunView, *, tells: bool) -> Iterator[dict[str, Any]]:
    """One plain record per problem in index order; with `tells` its search log as well.

    JSON has no NaN and no infinities and Parquet no lone surrogates: they become null and `?`.
    """
    for result in view.results:
        row = result.to_json()
        if tells:
            row["tells"] = view.tells(result.problem)
        yield plain(row)


def write_jsonl(view: RunView, out: IO[str], *, tells: bool) -> None:
    """Write one JSON object per line, in ASCII."""
    for row in rows(view, tells=tells):
        out.write(json.dumps(row, allow_nan=False) + "\n")


def write_parquet(view: RunView, path: Path, *, tells: bool) -> None:
    """Write one Parquet file. `extra` and `tells`, whose shape is open, are columns of JSON text."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise UserError("Parquet needs pyarrow: pip install 'stepsolver[eval]', or export as jsonl") from None
    text, whole, real = pa.string(), pa.int64(), pa.float64()
    answer = pa.struct({"answer": text, "score": real, "votes": whole})
    columns = {
        "problem": text,
        "index": whole,
        "question": text,
        "gold": text,
        "answer": text,
        "correct": pa.bool_(),
        "failed": text,
        "prompt_tokens": whole,
        "cached_tokens": whole,
        "completion_tokens": whole,
        "reward_tokens": whole,
        "reward_prompt_tokens": whole,
        "reward_cached_tokens": whole,
        "computed_tokens": whole,
        "flops": real,
        "engine_seconds": real,
        "seconds": real,
        "nodes": whole,
        "requests_failed": whole,
        "answers": pa.list_(answer),
        "text": text,
        "prompt_ids": pa.list_(whole),
        "seed": whole,
        "tokenizer": text,
        "extra": text,
    }
    schema = pa.schema(columns | ({"tells": text} if tells else {}))
    batch: list[dict[str, Any]] = []
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:

        def flush() -> None:
            writer.write_table(pa.Table.from_pylist(batch, schema=schema))
            batch.clear()

        for row in rows(view, tells=tells):
            batch.append({k: json.dumps(v) if k in ("extra", "tells") else v for k, v in row.items()})
            if len(batch) == _PARQUET_BATCH:
                flush()
        flush()


def plain(value: Any) -> Any:
    """JSON values that every reader takes: no NaN, no infinities, no lone surrogates."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {plain(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    return value
