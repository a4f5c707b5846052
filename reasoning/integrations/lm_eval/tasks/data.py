"""What the task files beside this one call: data of the data directory, worked examples, judgements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reasoning.tasks.answers import final_answer
from reasoning.tasks.gsm8k import Gsm8k

__all__ = ["gsm8k", "gsm8k_examples", "gsm8k_results"]


def gsm8k(data_dir: str | None = None, **_: Any) -> dict[str, Any]:
    """The test questions as a dataset. The harness passes the model's arguments here too; `data_dir` is one of them."""
    from datasets import Dataset

    problems = Gsm8k().load("test", data_dir=Path(data_dir) if data_dir else None, limit=None, offset=0)
    rows = [{"question": p.question, "answer": p.answer, "target": p.solution or p.answer} for p in problems]
    return {"test": Dataset.from_list(rows)}


def gsm8k_examples() -> list[dict[str, str]]:
    """The worked examples of the task, which are from no benchmark."""
    return [{"question": e.question, "target": e.solution} for e in Gsm8k().examples]


def gsm8k_results(doc: Mapping[str, Any], results: Sequence[str]) -> dict[str, float]:
    """1 where the marked answer of the text is the reference's number."""
    answer = final_answer(results[0])
    found = None if answer is None else Gsm8k().canonical(answer)
    return {"exact_match": float(found is not None and found == Gsm8k().canonical(doc["answer"]))}
