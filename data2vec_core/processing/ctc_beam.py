"""The most probable texts of a CTC model's scores: prefix beam search (Graves 2012, section 7.5.3; Hannun et al., arXiv
1408.2873), and where in time a text was said.

The best character of every frame gives one alignment; the probability of a text is the sum over all that collapse to
it. The search sums them for every beginning of a text it keeps, apart for those that end in a blank, after which the
same character may come again.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data2vec_core.processing.lexicon import Spelling

Scores = NDArray[np.floating[Any]]
_NEVER = -math.inf


@dataclass(frozen=True, kw_only=True)
class Hypothesis:
    """A text that a clip may say."""

    ids: tuple[int, ...]
    """Of its characters, word boundaries included."""
    log_probability: float
    """Of the text, summed over the alignments that stayed in the beam."""
    score: float
    """The same with the weights of its words: what hypotheses are ranked by."""


@dataclass(frozen=True, kw_only=True)
class Words:
    """What a text has to consist of: words, with one boundary between two."""

    spellings: Spelling
    """The root of the words' tree."""
    boundary: int
    """Id of the word boundary."""


@dataclass(slots=True)
class _Prefix:
    """A beginning of texts, and the log probability of all alignments so far that collapse to it."""

    ids: tuple[int, ...]
    spelling: Spelling | None
    """Where its last word stands in the tree; None without a lexicon."""
    weight: float
    """Of its words before the last."""
    in_blank: float = _NEVER
    """Of the alignments that end in a blank."""
    in_token: float = _NEVER
    """Of those that end in its last character."""

    @property
    def mass(self) -> float:
        return _add(self.in_blank, self.in_token)

    @property
    def is_whole(self) -> bool:
        """Whether a text may end here."""
        return self.spelling is None or not self.ids or self.spelling.weight is not None

    @property
    def last_weight(self) -> float:
        """Of its last word, which has ended if the text does."""
        return 0.0 if self.spelling is None or self.spelling.weight is None else self.spelling.weight


def prefix_beam_search(
    log_probabilities: Scores, *, blank: int, width: int = 32, words: Words | None = None
) -> list[Hypothesis]:
    """The best texts, best first, at most `width` of them.

    Args:
        log_probabilities: (frames, vocab) of one clip; minus infinity for a character that may not occur.
        blank: id of the blank.
        width: beginnings that are kept from frame to frame. The search is exact when it is large enough for all.
        words: what the text has to consist of; any characters when None.

    Raises:
        ValueError: scores of another shape, or no place in the beam.
    """
    _check(log_probabilities, blank)
    if width < 1:
        raise ValueError(f"width={width}: a beam needs at least 1 place")
    start = _Prefix((), None if words is None else words.spellings, 0.0, in_blank=0.0)
    beam = [start]
    every = [index for index in range(log_probabilities.shape[1]) if index != blank]
    for frame in log_probabilities.tolist():
        found: dict[tuple[int, ...], _Prefix] = {}
        for prefix in beam:
            mass = prefix.mass
            same = found.setdefault(prefix.ids, _Prefix(prefix.ids, prefix.spelling, prefix.weight))
            same.in_blank = _add(same.in_blank, mass + frame[blank])
            last = prefix.ids[-1] if prefix.ids else blank
            if last != blank:
                same.in_token = _add(same.in_token, prefix.in_token + frame[last])
            for index, spelling, weight in _continuations(prefix, words, every):
                gain = (prefix.in_blank if index == last else mass) + frame[index]
                if gain == _NEVER:
                    continue
                ids = (*prefix.ids, index)
                longer = found.get(ids)
                if longer is None:
                    longer = found[ids] = _Prefix(ids, spelling, weight)
                longer.in_token = _add(longer.in_token, gain)
        beam = _best(list(found.values()), width)
    whole = [
        Hypothesis(ids=prefix.ids, log_probability=prefix.mass, score=prefix.mass + prefix.weight + prefix.last_weight)
        for prefix in beam
        if prefix.is_whole
    ]
    return sorted(whole, key=lambda hypothesis: -hypothesis.score)


def _continuations(
    prefix: _Prefix, words: Words | None, every: Sequence[int]
) -> Iterator[tuple[int, Spelling | None, float]]:
    """The characters that may follow, each with where that leads and the weight of the words that have ended."""
    if words is None or prefix.spelling is None:
        for index in every:
            yield index, None, 0.0
        return
    for index, spelling in prefix.spelling.children.items():
        yield index, spelling, prefix.weight
    if prefix.spelling.weight is not None:
        yield words.boundary, words.spellings, prefix.weight + prefix.spelling.weight


def _best(prefixes: list[_Prefix], width: int) -> list[_Prefix]:
    """Those that stay. One place is kept for a prefix that a text may end with: else none might be left at the end."""

    def rank(prefix: _Prefix) -> float:
        return prefix.mass + prefix.weight

    best = heapq.nlargest(width, prefixes, key=rank)
    if not any(prefix.is_whole for prefix in best):
        best[-1] = max((prefix for prefix in prefixes if prefix.is_whole), key=rank)
    return best


def best_alignment(log_probabilities: Scores, ids: Sequence[int], *, blank: int) -> list[int]:
    """The most probable id of every frame (blank or character) among the alignments that collapse to a text.

    Args:
        log_probabilities: (frames, vocab) of one clip.
        ids: of the text's characters.
        blank: id of the blank.

    Returns:
        (frames,) ids.

    Raises:
        ValueError: scores of another shape, or too few frames for the text.
    """
    _check(log_probabilities, blank)
    states = np.full(2 * len(ids) + 1, blank)
    states[1::2] = ids
    # a character may follow another at once, unless it is the same
    may_skip = np.zeros(len(states), dtype=bool)
    may_skip[3::2] = states[3::2] != states[1:-2:2]
    scores = np.full(len(states), _NEVER)
    scores[0] = 0.0  # before the first frame: it may be left for the first character, or stay
    came_from = np.zeros((len(log_probabilities), len(states)), dtype=np.int8)
    for step, frame in zip(came_from, log_probabilities, strict=True):
        ways = np.full((3, len(states)), _NEVER)  # from the same state, the one before, the one before that
        ways[0] = scores
        ways[1, 1:] = scores[:-1]
        ways[2, 2:] = np.where(may_skip[2:], scores[:-2], _NEVER)
        step[:] = ways.argmax(axis=0)
        scores = ways.max(axis=0) + frame[states]
    state = len(states) - 1
    if state and scores[state - 1] > scores[state]:
        state -= 1
    if scores[state] == _NEVER:
        raise ValueError(f"ids: {len(ids)} characters do not fit into {len(log_probabilities)} frames")
    path = []
    for step in came_from[::-1]:
        path.append(int(states[state]))
        state -= int(step[state])
    return path[::-1]


def _check(log_probabilities: Scores, blank: int) -> None:
    if log_probabilities.ndim != 2 or not 0 <= blank < log_probabilities.shape[1]:
        raise ValueError(
            f"log_probabilities: expected (frames, vocab) with the blank {blank} in it, got {log_probabilities.shape}"
        )


def _add(a: float, b: float) -> float:
    """log(exp(a) + exp(b))"""
    if a < b:
        a, b = b, a
    return a if b == _NEVER else a + math.log1p(math.exp(b - a))
