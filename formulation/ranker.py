"""How likely each of several models of one text is right: a logistic regression on votes, doubts and agreement.

A model that is infeasible or leaves numbers out is less likely, and never thrown away: real problems are so at times.
The weights come with the package; `fit` makes them from models that are known to be right or wrong.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from data.errors import DataError
from formulation.doubts import outcome, twice, unused
from formulation.quantities import Figure
from formulation.votes import Distinct

__all__ = ["FEATURES", "Ranker", "features", "fit", "shipped"]

FEATURES: Final = (
    "share",
    "support",
    "weakest",
    "goal",
    "agreement",
    "logprob",
    "rules",
    "rules_complete",
    "rules_rows",
    "guided",
    "guided_complete",
    "row_vote",
    "unused",
    "twice",
    "infeasible",
    "unbounded",
    "failed",
)
"""What is known of a model: see `features`."""

_WEIGHTS: Final = Path(__file__).parent / "ranker.json"


def features(models: Sequence[Distinct], figures: Sequence[Figure]) -> list[tuple[float, ...]]:
    """The features of the different models of one text, in the order of FEATURES.

    Shares are those of the samples; `rules_rows` is the share of a model's rows that the rules read as well, over the
    larger of both.
    """
    rules = next((one for one in models if one.of("rules")), None)
    found: list[tuple[float, ...]] = []
    for one in models:
        draft = next((c.draft for c in one.candidates if c.draft is not None), None)
        status = outcome(one.model)
        same = 0.0
        if rules is not None:
            most = max(one.said.rows.total(), rules.said.rows.total(), 1)
            same = (one.said.rows & rules.said.rows).total() / most
        likely = max((c.logprob for c in one.candidates if c.logprob is not None), default=None)
        found.append(
            (
                one.share,
                one.support,
                one.weakest,
                one.goal,
                one.agreement,
                -1.0 if likely is None else max(likely, -1.0),
                float(one.of("rules")),
                float(one.of("rules", complete=True)),
                same,
                float(one.of("guided")),
                float(one.of("guided", complete=True)),
                float(one.of("vote")),
                min(len(unused(draft, figures)), 3) / 3 if draft else 0.0,
                min(len(twice(draft)), 3) / 3 if draft else 0.0,
                float(status == "infeasible"),
                float(status == "unbounded"),
                float(status not in ("optimal", "feasible", "infeasible", "unbounded")),
            )
        )
    return found


@dataclass(frozen=True)
class Ranker:
    """P(right | features) = 1 / (1 + exp(-(bias + weights * features)))."""

    weights: Mapping[str, float]
    bias: float

    def confidence(self, given: Sequence[float]) -> float:
        """The probability that a model with these features is right."""
        of = zip(FEATURES, given, strict=True)
        z = self.bias + math.fsum(self.weights.get(name, 0.0) * value for name, value in of)
        return 1.0 / (1.0 + math.exp(-max(min(z, 700.0), -700.0)))

    def plain(self) -> dict[str, object]:
        """The weights as JSON values."""
        return {"bias": self.bias, "weights": dict(self.weights)}

    @classmethod
    def of(cls, path: Path) -> Ranker:
        """The weights in a file. Raises DataError."""
        try:
            given = json.loads(path.read_text(encoding="utf-8"))
            return cls({name: float(given["weights"][name]) for name in FEATURES}, float(given["bias"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(f"{path} holds no weights of a ranker ({type(error).__name__})") from None


@cache
def shipped() -> Ranker:
    """The weights that come with the package."""
    return Ranker.of(_WEIGHTS)


def fit(rows: Sequence[Sequence[float]], right: Sequence[bool], *, penalty: float = 1.0, rounds: int = 50) -> Ranker:
    """Weights of highest likelihood with a ridge penalty (not on the bias), by Newton's method."""
    import numpy as np

    x = np.hstack([np.ones((len(rows), 1)), np.asarray(rows, dtype=float)])
    y = np.asarray(right, dtype=float)
    ridge = np.diag([1e-6, *[penalty] * len(FEATURES)])
    w = np.zeros(x.shape[1])
    for _ in range(rounds):
        p = 1.0 / (1.0 + np.exp(-np.clip(x @ w, -50, 50)))
        gradient = x.T @ (y - p) - ridge @ w
        step = np.linalg.solve((x * (p * (1 - p))[:, None]).T @ x + ridge, gradient)
        w = w + step
        if float(np.abs(step).max()) < 1e-10:
            break
    return Ranker({name: float(value) for name, value in zip(FEATURES, w[1:], strict=True)}, float(w[0]))
