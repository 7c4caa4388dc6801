"""Scores that the recipes report, counted exactly over a whole split."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from collections.abc import Set as AbstractSet

import numpy as np


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
