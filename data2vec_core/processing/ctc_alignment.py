"""Where in time a text was said: the most probable way for a CTC model's frames to spell it (forced alignment).

The states of the search are the text's characters with a blank before, between and after (Graves et al. 2006). A clip
of some minutes is searched exactly. In a longer one, beginnings of paths that are far behind the best so far are left
out, so that time and memory grow with the length of the clip alone and not with that of the text as well. A text that
cannot be reached within the margin is searched again with a wider one.
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
    """A long text says something else than the sound: no alignment is clearly better than all others."""


_TOO_UNLIKE = "The text is too unlike the sound to be aligned with all of it: align shorter parts, or correct it."
_EXACT = 1 << 26
"""Frames times states that are searched through, in bytes of memory."""
_MARGINS = (200.0, 1000.0, 5000.0)
"""How far a beginning may be behind the best in longer clips, in nats; tried one after the other."""
_MOST_STATES = 1 << 28
"""States of all frames together that are kept in longer clips: each takes a byte."""


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
    is_exact = len(states) * len(log_probabilities) <= _EXACT
    if len(ids) + sum(one == other for one, other in pairwise(ids)) <= len(log_probabilities):
        for margin in (math.inf,) if is_exact else _MARGINS:
            path = _path_within(margin, log_probabilities, states, may_skip)
            if path is not None:
                return path
        if not is_exact:
            raise TextUnlikeSoundError(_TOO_UNLIKE)
    raise TextDoesNotFitError(
        f"The text is too long for the sound: {len(ids)} characters do not fit into {len(log_probabilities)} frames."
    )


def _path_within(
    margin: float, log_probabilities: Scores, states: NDArray[np.int_], may_skip: NDArray[np.bool_]
) -> list[int] | None:
    """The best path of those that are never as far behind the best beginning as the margin; None: there is none."""
    first, lost = 0, np.zeros(1)  # of the states `first` to `first + len(lost)`: the others are out of the search
    taken: list[tuple[int, NDArray[np.int8]]] = []  # by frame: the first state, and how many states each came up by
    kept_in_all = 0
    for frame in log_probabilities:
        losses = -frame.astype(np.float64)  # (vocab,)
        reached = min(len(lost) + 2, len(states) - first)
        lost = np.append(lost, [math.inf, math.inf])[:reached]
        ways = np.full((3, reached), math.inf)  # from the same state, the one before, the one before that
        ways[0] = lost
        ways[1, 1:] = lost[:-1]
        ways[2, 2:] = np.where(may_skip[first + 2 : first + reached], lost[:-2], math.inf)
        steps = ways.argmin(axis=0).astype(np.int8)
        lost = ways.min(axis=0) + losses[states[first : first + reached]]
        [kept] = np.nonzero(lost < lost.min() + margin)
        if not len(kept):
            return None
        low, high = kept[0], kept[-1] + 1
        lost = lost[low:high]
        first += int(low)
        taken.append((first, steps[low:high]))
        kept_in_all += len(lost)
        if kept_in_all > _MOST_STATES:
            raise TextUnlikeSoundError(_TOO_UNLIKE)
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
