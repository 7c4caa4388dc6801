"""The most probable texts of a CTC model's scores: prefix beam search (Graves 2012, section 7.5.3; Hannun et al., arXiv
1408.2873).

The best character of every frame gives one alignment; the probability of a text is the sum over all that collapse to
it. The search sums them for every beginning of a text it keeps, apart for those that end in a blank, after which the
same character may come again.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Collection, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, replace
from os.path import commonprefix

from data2vec_core.processing.ctc_alignment import Scores, check_scores
from data2vec_core.processing.lexicon import Spelling

_NEVER = -math.inf
_SETTLING_FRAMES = 50
"""Frames after which the search looks for what has been settled."""


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


class PrefixBeam:
    """The search, frame after frame, for sound that is long or has not ended yet."""

    def __init__(
        self,
        *,
        blank: int,
        width: int = 32,
        words: Words | None = None,
        forbidden: Collection[int] = (),
        reach: int | None = None,
    ) -> None:
        """
        Args:
            blank: id of the blank.
            width: beginnings that are kept from frame to frame. The search is exact when it is large enough for all.
            words: what the text has to consist of; any characters when None.
            forbidden: ids that no text has.
            reach: characters at the end of the best text that stay open. What lies before them is settled as that text
                has it: else the closest choices of a whole recording would fill the beam and leave no place for new
                ones. None: nothing is settled unless it has to be.

        Raises:
            ValueError: no place in the beam, or nothing is to stay open.
        """
        if width < 1:
            raise ValueError(f"width={width}: a beam needs at least 1 place")
        if reach is not None and reach < 1:
            raise ValueError(f"reach={reach}: at least 1 character has to stay open")
        self._blank = blank
        self._width = width
        self._words = words
        self._forbidden = frozenset(forbidden) | {blank}
        self._reach = reach
        self._beam = [_Prefix((), None if words is None else words.spellings, 0.0, in_blank=0.0)]
        self.settled: list[int] = []
        """Ids that all texts still in the search begin with."""

    def advance(self, log_probabilities: Scores) -> None:
        """Go on through the next frames, (frames, vocab); minus infinity for a character that may not occur.

        Raises:
            ValueError: scores of another shape.
        """
        check_scores(log_probabilities, self._blank)
        characters = [index for index in range(log_probabilities.shape[1]) if index not in self._forbidden]
        for start in range(0, len(log_probabilities), _SETTLING_FRAMES):
            for frame in log_probabilities[start : start + _SETTLING_FRAMES].tolist():
                self._beam = _best(self._next(frame, characters), self._width)
            self._settle()

    @property
    def best(self) -> tuple[int, ...]:
        """What the best text has behind the settled ids, if the sound ends here."""
        return self.hypotheses()[0].ids

    def hypotheses(self) -> list[Hypothesis]:
        """The best texts if the sound ends here, best first: what they have behind the settled ids."""
        whole = [
            Hypothesis(
                ids=prefix.ids, log_probability=prefix.mass, score=prefix.mass + prefix.weight + prefix.last_weight
            )
            for prefix in self._beam
            if prefix.is_whole
        ]
        return sorted(whole, key=lambda hypothesis: -hypothesis.score)

    def fork(self) -> PrefixBeam:
        """A search that goes on from here by itself, with nothing settled yet."""
        other = copy(self)  # beginnings are never changed, only replaced
        other.settled = []
        return other

    def _next(self, frame: list[float], characters: Sequence[int]) -> list[_Prefix]:
        """Every beginning that the kept ones become with one more frame of log probabilities."""
        found: dict[tuple[int, ...], _Prefix] = {}
        for prefix in self._beam:
            mass = prefix.mass
            same = found.setdefault(prefix.ids, _Prefix(prefix.ids, prefix.spelling, prefix.weight))
            same.in_blank = _add(same.in_blank, mass + frame[self._blank])
            last = prefix.ids[-1] if prefix.ids else self._blank
            if last != self._blank:
                same.in_token = _add(same.in_token, prefix.in_token + frame[last])
            for index, spelling, weight in _continuations(prefix, self._words, characters):
                gain = (prefix.in_blank if index == last else mass) + frame[index]
                if gain == _NEVER:
                    continue
                ids = (*prefix.ids, index)
                longer = found.get(ids)
                if longer is None:
                    longer = found[ids] = _Prefix(ids, spelling, weight)
                longer.in_token = _add(longer.in_token, gain)
        return list(found.values())

    def _settle(self) -> None:
        """Take off what all beginnings share, but for its last character: the next may be the same."""
        if self._reach is not None:
            old = max(self._beam, key=_rank).ids[: -self._reach]
            agreeing = [prefix for prefix in self._beam if prefix.ids[: len(old)] == old]
            if any(prefix.is_whole for prefix in agreeing):
                self._beam = agreeing
        shared = commonprefix([prefix.ids for prefix in self._beam])[:-1]
        if shared:
            self.settled += shared
            self._beam = [replace(prefix, ids=prefix.ids[len(shared) :]) for prefix in self._beam]


class BestPath:
    """The text of the best id of every frame, frame after frame, in the manner of a `PrefixBeam`: all of it is settled.

    Args:
        blank: id of the blank.
        forbidden: ids that are left out.
    """

    best: tuple[int, ...] = ()

    def __init__(self, *, blank: int, forbidden: Collection[int] = ()) -> None:
        self._blank = blank
        self._forbidden = frozenset(forbidden)
        self._last = blank
        self.settled: list[int] = []

    def advance(self, log_probabilities: Scores) -> None:
        """Go on through the next frames, (frames, vocab).

        Raises:
            ValueError: scores of another shape.
        """
        check_scores(log_probabilities, self._blank)
        for index in log_probabilities.argmax(axis=1).tolist():
            if index not in self._forbidden:
                if index not in (self._blank, self._last):
                    self.settled.append(index)
                self._last = index

    def fork(self) -> BestPath:
        """One that goes on from here by itself, with nothing settled yet."""
        other = copy(self)
        other.settled = []
        return other


def prefix_beam_search(
    log_probabilities: Scores, *, blank: int, width: int = 32, words: Words | None = None
) -> list[Hypothesis]:
    """The best texts of one clip's (frames, vocab), best first, at most `width` of them; see `PrefixBeam`.

    Raises:
        ValueError: scores of another shape, or no place in the beam.
    """
    beam = PrefixBeam(blank=blank, width=width, words=words)
    beam.advance(log_probabilities)
    return [replace(found, ids=(*beam.settled, *found.ids)) for found in beam.hypotheses()]


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
    best = heapq.nlargest(width, prefixes, key=_rank)
    if not any(prefix.is_whole for prefix in best):
        best[-1] = max((prefix for prefix in prefixes if prefix.is_whole), key=_rank)
    return best


def _rank(prefix: _Prefix) -> float:
    return prefix.mass + prefix.weight


def _add(a: float, b: float) -> float:
    """log(exp(a) + exp(b))"""
    if a < b:
        a, b = b, a
    return a if b == _NEVER else a + math.log1p(math.exp(b - a))
