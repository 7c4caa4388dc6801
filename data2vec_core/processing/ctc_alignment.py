"""Where in time a text was said: the most probable way for a CTC model's frames to spell it (forced alignment).

The states of the search are the text's characters with a blank before, between and after (Graves et al. 2006). A frame
that does not take its most probable token loses something, at least nothing: so what a beginning of a path has lost is
the least that the whole path will lose, and beginnings that have lost more than an allowance can be left out. A path
that stays within it is then the best of all, and where there is none the allowance was too small. That makes the search
exact at any length, in time and memory of the few states that are near the truth.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Scores: TypeAlias = NDArray[np.floating[Any]]
"""(frames, vocab) log probabilities; minus infinity for a token that may not occur."""


class AlignmentError(ValueError):
    """A text cannot be placed in a sound; the message says why in a sentence for the person who brought them."""


class TextDoesNotFitError(AlignmentError):
    """The text has too many characters for the sound."""


class TextUnlikeSoundError(AlignmentError):
    """So many alignments of a long text are about as bad that they cannot all be compared."""


_ALLOWANCES = (50.0, 200.0, 800.0, 3200.0, math.inf)
"""How much a path may lose, in nats; tried one after the other."""
_MOST_STATES = 1 << 28
"""States of all frames together: each takes a byte."""


def best_alignment(log_probabilities: Scores, ids: Sequence[int], *, blank: int) -> list[int]:
    """The most probable id of every frame (blank or character) among the alignments that collapse to a text.

    Args:
        log_probabilities: (frames, vocab) of one clip.
        ids: of the text's characters.
        blank: id of the blank.

    Returns:
        (frames,) ids.

    Raises:
        AlignmentError: (a ValueError) as one of its kinds.
        ValueError: scores of another shape.
    """
    check_scores(log_probabilities, blank)
    states = np.full(2 * len(ids) + 1, blank)
    states[1::2] = ids
    # a character may follow another at once, unless it is the same
    may_skip = np.zeros(len(states), dtype=bool)
    may_skip[3::2] = states[3::2] != states[1:-2:2]
    if len(ids) + sum(one == other for one, other in pairwise(ids)) <= len(log_probabilities):
        for allowance in _ALLOWANCES:
            path = _path_within(allowance, log_probabilities, states, may_skip)
            if path is not None:
                return path
    raise TextDoesNotFitError(
        f"The text is too long for the sound: {len(ids)} characters do not fit into {len(log_probabilities)} frames."
    )


def _path_within(
    allowance: float, log_probabilities: Scores, states: NDArray[np.int_], may_skip: NDArray[np.bool_]
) -> list[int] | None:
    """The best path if it loses less than the allowance; None otherwise."""
    first, lost = 0, np.zeros(1)  # of the states `first` to `first + len(lost)`: the others are out of the search
    taken: list[tuple[int, NDArray[np.int8]]] = []  # by frame: the first state, and how many states each came up by
    compared = 0
    for frame in log_probabilities:
        losses = frame.max().astype(np.float64) - frame  # (vocab,)
        reached = min(len(lost) + 2, len(states) - first)
        lost = np.append(lost, [math.inf, math.inf])[:reached]
        ways = np.full((3, reached), math.inf)  # from the same state, the one before, the one before that
        ways[0] = lost
        ways[1, 1:] = lost[:-1]
        ways[2, 2:] = np.where(may_skip[first + 2 : first + reached], lost[:-2], math.inf)
        steps = ways.argmin(axis=0).astype(np.int8)
        lost = ways.min(axis=0) + losses[states[first : first + reached]]
        [kept] = np.nonzero(lost < allowance)
        if not len(kept):
            return None
        low, high = kept[0], kept[-1] + 1
        lost = lost[low:high]
        first += int(low)
        taken.append((first, steps[low:high]))
        compared += len(lost)
        if compared > _MOST_STATES:
            raise TextUnlikeSoundError(
                "The text is too unlike the sound to be aligned with all of it: align shorter parts, or correct it."
            )
    at_end = {
        state: lost[state - first] for state in (len(states) - 1, len(states) - 2) if 0 <= state - first < len(lost)
    }
    if not at_end:
        return None
    state = min(at_end, key=at_end.__getitem__)
    path = []
    for start, steps in reversed(taken):
        path.append(int(states[state]))
        state -= int(steps[state - start])
    return path[::-1]


def check_scores(log_probabilities: Scores, blank: int) -> None:
    """
    Raises:
        ValueError: not (frames, vocab), or the blank is no id of the vocabulary.
    """
    if log_probabilities.ndim != 2 or not 0 <= blank < log_probabilities.shape[1]:
        raise ValueError(
            f"log_probabilities: expected (frames, vocab) with the blank {blank} in it, got {log_probabilities.shape}"
        )
