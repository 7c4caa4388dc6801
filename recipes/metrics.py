"""Scores that the recipes report, counted exactly over a whole split."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import numpy as np
from numpy.typing import NDArray


def word_errors(heard: str, said: str) -> tuple[int, int]:
    """Fewest word edits (substitutions, insertions, deletions) from one text to the other, and the words said."""
    return _edits(heard.split(), said.split()), len(said.split())


def character_errors(heard: str, said: str) -> tuple[int, int]:
    """Fewest edits of characters, spaces among them, and the characters said."""
    return _edits(heard, said), len(said)


def error_rate(errors: Callable[[str, str], tuple[int, int]], heard: Sequence[str], said: Sequence[str]) -> float:
    """Errors over all texts as a share of what was said; above 1 where too much was heard."""
    counts = [errors(ours, theirs) for ours, theirs in zip(heard, said, strict=True)]
    return sum(wrong for wrong, _ in counts) / sum(whole for _, whole in counts)


def _edits(ours: Sequence[str], theirs: Sequence[str]) -> int:
    row = list(range(len(theirs) + 1))
    for i, item in enumerate(ours, 1):
        diagonal, row[0] = row[0], i
        for j, other in enumerate(theirs, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (item != other))
    return row[-1]


class IntersectionOverUnion:
    """Overlap of predicted and true areas by class, summed over pictures (Jaccard index)."""

    def __init__(self, classes: int) -> None:
        self._confusion = np.zeros((classes, classes), dtype=np.int64)  # (true, predicted)

    def add(self, predicted: NDArray[Any], true: NDArray[Any], *, is_counted: NDArray[np.bool_] | None = None) -> None:
        """Count one picture: (height, width) class ids; `is_counted` leaves pixels out."""
        if is_counted is not None:
            predicted, true = predicted[is_counted], true[is_counted]
        classes = len(self._confusion)
        pairs = true.astype(np.int64).ravel() * classes + predicted.astype(np.int64).ravel()
        self._confusion += np.bincount(pairs, minlength=classes**2).reshape(classes, classes)

    def by_class(self) -> NDArray[np.float64]:
        """(classes,) shares from 0 to 1; not a number for a class that never occurs on either side."""
        shared = np.diag(self._confusion).astype(np.float64)
        union = self._confusion.sum(axis=0) + self._confusion.sum(axis=1) - shared
        return np.divide(shared, union, out=np.full_like(shared, np.nan), where=union > 0)

    def mean(self) -> float:
        """Mean over the classes that occur."""
        return float(np.nanmean(self.by_class()))


def mean_class_accuracy(predicted: Sequence[str], true: Sequence[str]) -> float:
    """Share of right answers within each true class, averaged over the classes."""
    pairs = list(zip(predicted, true, strict=True))
    shares = [np.mean([p == t for p, t in pairs if t == label]) for label in sorted(set(true))]
    return float(np.mean(shares))


def span_f1(found: Sequence[AbstractSet[Hashable]], true: Sequence[AbstractSet[Hashable]]) -> float:
    """Harmonic mean of precision and recall over the spans of all texts; as in the CoNLL evaluation, a span is right
    when its start, its end and its type are.

    Args:
        found: spans of each text, with their type.
        true: the same; 0 is the score where neither has any.
    """
    right = sum(len(ours & theirs) for ours, theirs in zip(found, true, strict=True))
    spans = sum(map(len, found)) + sum(map(len, true))
    return 2 * right / spans if spans else 0.0
