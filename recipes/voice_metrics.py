"""Scores of the recipes on voices: whose it is, and who speaks when."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class OperatingPoint:
    """Where a verifier errs as often one way as the other."""

    rate: float
    """Equal error rate, 0 to 1."""
    threshold: float
    """The score from which on two clips count as one voice."""


def equal_error(scores: NDArray[np.floating[Any]], is_same: NDArray[np.bool_]) -> OperatingPoint:
    """Equal error rate, exact: where the polygon through the pairs of error rates of all thresholds meets equality.

    Args:
        scores: (trials,) similarities, higher for the same voice.
        is_same: (trials,) whether a trial's clips are of one voice.

    Raises:
        ValueError: the arrays differ in shape, or one of the two kinds of trial is missing.
    """
    if scores.shape != is_same.shape or scores.ndim != 1:
        raise ValueError(f"scores and is_same: expected one (trials,) each, got {scores.shape} and {is_same.shape}")
    if is_same.all() or not is_same.any():
        raise ValueError("is_same: expected trials of one voice and trials of two")
    thresholds, group = np.unique(scores, return_inverse=True)  # ascending; equal scores pass or fail together
    same = np.bincount(group, weights=is_same, minlength=len(thresholds))
    different = np.bincount(group, weights=~is_same, minlength=len(thresholds))
    missed = np.concatenate([[0.0], np.cumsum(same)]) / same.sum()  # by a threshold above the first i scores
    accepted = 1 - np.concatenate([[0.0], np.cumsum(different)]) / different.sum()
    after = int(np.argmax(missed >= accepted))  # at least 1: nothing is missed, all accepted, below all scores
    before = after - 1
    gap, next_gap = accepted[before] - missed[before], missed[after] - accepted[after]
    share = gap / (gap + next_gap)
    rate = missed[before] + share * (missed[after] - missed[before])
    top = thresholds[after] if after < len(thresholds) else thresholds[-1]
    return OperatingPoint(float(rate), float((thresholds[before] + top) / 2))


@dataclass(frozen=True)
class DiarisationErrors:
    """Who spoke when against who was found to speak when, in frames; sums over recordings."""

    missed: int = 0
    """Speech of a speaker for whom nobody was found."""
    false_alarm: int = 0
    """Found speech that nobody spoke."""
    confused: int = 0
    """Speech found, of the wrong speaker."""
    speech: int = 0
    """All there is, every speaker counted."""

    def __add__(self, other: DiarisationErrors) -> DiarisationErrors:
        return DiarisationErrors(
            self.missed + other.missed,
            self.false_alarm + other.false_alarm,
            self.confused + other.confused,
            self.speech + other.speech,
        )

    @property
    def rate(self) -> float:
        """Diarisation error rate: wrong speaker time over all speaker time (NIST, Rich Transcription evaluation)."""
        return (self.missed + self.false_alarm + self.confused) / self.speech

    @classmethod
    def count(cls, found: NDArray[np.bool_], true: NDArray[np.bool_]) -> Self:
        """Of one recording, without a collar and with overlapping speech, by the best assignment of found
        speakers to true ones.

        Args:
            found: (frames, speakers).
            true: (frames, speakers), as many of either; a handful, since every assignment is tried.

        Raises:
            ValueError: the shapes differ.
        """
        return min(
            (cls.count_in_order(found[:, list(order)], true) for order in itertools.permutations(range(true.shape[1]))),
            key=lambda errors: errors.confused,
        )

    @classmethod
    def count_in_order(cls, found: NDArray[np.bool_], true: NDArray[np.bool_]) -> Self:
        """As `count`, with the first found speaker for the first true one, and so on."""
        if found.shape != true.shape or true.ndim != 2:
            raise ValueError(f"found and true: expected (frames, speakers), got {found.shape} and {true.shape}")
        voices, voices_found = true.sum(axis=1), found.sum(axis=1)
        right = (found & true).sum(axis=1)
        return cls(
            missed=int((voices - voices_found).clip(min=0).sum()),
            false_alarm=int((voices_found - voices).clip(min=0).sum()),
            confused=int((np.minimum(voices, voices_found) - right).sum()),
            speech=int(voices.sum()),
        )
