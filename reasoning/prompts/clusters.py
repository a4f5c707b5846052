"""Groups of texts about alike: k-means over TF-IDF vectors."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from data.errors import UserError

__all__ = ["clusters", "k_means", "tf_idf"]

MAX_WORDS: Final = 4096  # of the vocabulary, the most frequent ones
RESTARTS: Final = 10
ROUNDS: Final = 100
_WORD = re.compile(r"\w+")

Matrix = np.ndarray[Any, np.dtype[np.float64]]


def clusters(texts: Sequence[str], count: int, seed: int = 0) -> list[list[int]]:
    """The places of the texts in each of `count` groups, those nearest to the group's middle first.

    The biggest group comes first. No group is empty. Raises UserError where there are fewer different texts than
    groups.
    """
    vectors = tf_idf(texts)
    different = len(np.unique(vectors.round(9), axis=0))
    if different < count:
        raise UserError(f"{count} clusters need {count} different questions, and there are {different}: give more")
    middles, labels = k_means(vectors, count, seed)
    distances = np.linalg.norm(vectors - middles[labels], axis=1)
    groups = [
        sorted(np.flatnonzero(labels == k).tolist(), key=lambda i: (float(distances[i].round(9)), i))
        for k in range(count)
    ]
    return sorted(groups, key=lambda group: (-len(group), group[0]))


def tf_idf(texts: Sequence[str]) -> Matrix:
    """One row of length 1 (or 0 where a text has no word) for each text.

    A word's weight is its count times ln((1 + n) / (1 + the number of texts that hold it)) + 1, as in scikit-learn.
    """
    counts = [Counter(_WORD.findall(text.lower())) for text in texts]
    spread = Counter(word for words in counts for word in words)
    vocabulary = sorted(spread, key=lambda word: (-spread[word], word))[:MAX_WORDS]
    column = {word: number for number, word in enumerate(vocabulary)}
    found = np.zeros((len(texts), max(1, len(vocabulary))))
    for row, words in enumerate(counts):
        for word, times in words.items():
            if word in column:
                found[row, column[word]] = times * (np.log((1 + len(texts)) / (1 + spread[word])) + 1)
    lengths = np.linalg.norm(found, axis=1, keepdims=True)
    unit: Matrix = found / np.where(lengths > 0, lengths, 1.0)
    return unit


def k_means(vectors: Matrix, count: int, seed: int = 0) -> tuple[Matrix, Any]:
    """The middles of `count` groups and each row's group: the best of ten runs of Lloyd's rounds from k-means++.

    The same seed gives the same groups. There are at least `count` different rows; a group that would lose its last
    row takes the row that is farthest from its own middle.
    """
    rng = np.random.default_rng(seed)
    runs = [_lloyd(vectors, _spread_out(vectors, count, rng)) for _ in range(RESTARTS)]
    _, middles, labels = min(runs, key=lambda found: found[0])
    return middles, labels


def _spread_out(vectors: Matrix, count: int, rng: np.random.Generator) -> Matrix:
    """k-means++: each next middle is a row, drawn in proportion to its squared distance to the nearest one so far."""
    chosen = [int(rng.integers(len(vectors)))]
    while len(chosen) < count:
        distances = _squared(vectors, vectors[chosen]).min(axis=1)
        distances[distances < 1e-12] = 0.0  # a row that is a middle already is never drawn again
        chosen.append(int(rng.choice(len(vectors), p=distances / distances.sum())))
    return vectors[chosen]


def _lloyd(vectors: Matrix, middles: Matrix) -> tuple[float, Matrix, Any]:
    """The sum of squared distances, the middles and the labels when no row changes its group any more."""
    labels = np.full(len(vectors), -1)
    for _ in range(ROUNDS):
        distances = _squared(vectors, middles)
        new = distances.argmin(axis=1)
        for group in np.setdiff1d(np.arange(len(middles)), new):
            own = distances[np.arange(len(vectors)), new]
            own[np.bincount(new, minlength=len(middles))[new] == 1] = -1.0  # it must not empty another group
            new[own.argmax()] = group
        if (new == labels).all():
            break
        labels = new
        middles = np.stack([vectors[labels == group].mean(axis=0) for group in range(len(middles))])
    return float(_squared(vectors, middles)[np.arange(len(vectors)), labels].sum()), middles, labels


def _squared(vectors: Matrix, middles: Matrix) -> Matrix:
    """Squared distances, shape [rows, middles]."""
    inner = vectors @ middles.T
    found: Matrix = (vectors**2).sum(axis=1)[:, None] - 2.0 * inner + (middles**2).sum(axis=1)[None, :]
    return np.maximum(found, 0.0)
