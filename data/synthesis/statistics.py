"""What was made, in numbers and as a picture."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from data.synthesis.complexity import BANDS

__all__ = ["Statistics", "draw"]


class Statistics:
    """Counts over rows, as plain JSON values by `plain`."""

    def __init__(self) -> None:
        self.rows = self.held_out = self.rewritten = 0
        self.counts: dict[str, Counter[str]] = {
            name: Counter()
            for name in (
                *("generators", "themes", "kinds", "objectives", "domains", "forms", "bands", "statuses", "sizes"),
                "templates",
            )
        }  # fmt: skip
        self.words: list[int] = []
        self.scores: list[float] = []
        self.distractors = 0

    def add(self, row: Mapping[str, Any]) -> None:
        """Count a row."""
        problem, counts = row["problem"], self.counts
        self.rows += 1
        self.held_out += row["held_out"]
        self.rewritten += row["texts"] > 1
        self.distractors += len(row["distractors"])
        counts["generators"][row["generator"]] += 1
        counts["themes"][row["theme"]] += 1
        counts["kinds"].update(c["kind"] for c in problem["constraints"])
        counts["objectives"][f"{problem['objective']['kind']} {problem['objective'].get('sense', '')}".strip()] += 1
        counts["domains"].update(v["domain"] for v in problem["variables"].values())
        counts["forms"].update(row["forms"])
        counts["bands"][row["band"]] += 1
        counts["statuses"][row["status"]] += 1
        counts["sizes"][f"{len(problem['variables'])} variables, {len(problem['constraints'])} constraints"] += 1
        counts["templates"].update(row["templates"])
        self.words.append(len(row["text"].split()))
        self.scores.append(row["complexity"])

    def plain(self) -> dict[str, Any]:
        """Everything as JSON values, the most frequent first."""
        return {
            "rows": self.rows,
            "held_out": self.held_out,
            "texts_written_anew": self.rewritten,
            "distractors": self.distractors,
            "words": _spread(self.words),
            "complexity": _spread(self.scores),
            "complexity_histogram": _histogram(self.scores),
            **{name: dict(found.most_common()) for name, found in self.counts.items()},
        }

    def lines(self) -> Iterable[str]:
        """The same for a terminal."""
        spread, score = _spread(self.words), _spread(self.scores)
        wordings, themes = len(self.counts["templates"]), len(self.counts["themes"])
        yield f"{self.rows} rows, {self.held_out} held out; {wordings} wordings, {themes} themes"
        yield f"words a text: {spread['least']} to {spread['most']}, {spread['mean']} on average"
        yield f"complexity: {score['least']} to {score['most']}, {score['mean']} on average; " + ", ".join(
            f"{self.counts['bands'][name]} {name}" for name in BANDS
        )
        for name in ("kinds", "generators", "forms", "domains", "statuses"):
            yield f"{name}: " + ", ".join(f"{key} {count}" for key, count in self.counts[name].most_common())


def _spread(values: list[int] | list[float]) -> dict[str, float]:
    if not values:
        return {"least": 0, "most": 0, "mean": 0}
    return {"least": min(values), "most": max(values), "mean": round(statistics.fmean(values), 1)}


def _histogram(scores: list[float], width: int = 5) -> dict[str, int]:
    found = Counter(int(score // width) * width for score in scores)
    return {f"{low}-{low + width}": found[low] for low in range(0, max(found, default=0) + width, width)}


def draw(found: Statistics, path: Path) -> bool:
    """A picture of what was made; False where matplotlib is not installed."""
    if find_spec("matplotlib") is None:
        return False
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(2, 2, figsize=(12, 9), layout="constrained")
    axes[0, 0].hist(found.scores, bins=30)
    axes[0, 0].set(title="Complexity", xlabel="score", ylabel="rows")
    axes[0, 1].hist(found.words, bins=30)
    axes[0, 1].set(title="Length", xlabel="words a text", ylabel="rows")
    for axis, name in ((axes[1, 0], "kinds"), (axes[1, 1], "forms")):
        top = found.counts[name].most_common(16)[::-1]
        axis.barh([key for key, _ in top], [count for _, count in top])
        axis.set(title={"kinds": "Constraints by kind", "forms": "Numbers by form"}[name])
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
    return True
