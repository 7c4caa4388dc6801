"""Answers by looking values up: what needs no model of language."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

MOST_WORDS = 10
"""Of a value."""


@dataclass
class _Seen:
    """What the train queries show of one slot."""

    values: Counter[str] = field(default_factory=Counter)
    before: Counter[str] = field(default_factory=Counter)
    """Words right before its values."""
    lengths: Counter[int] = field(default_factory=Counter)
    """Words of its values."""


class Lexicon:
    """The longest words of a query that were a value of the slot in training, the most frequent of several.

    Where there are none: as many words as its values mostly have, after the word that its values most often follow.
    """

    def __init__(self) -> None:
        self._slots: dict[str, _Seen] = defaultdict(_Seen)

    def learn(self, slot: str, words: Sequence[str], start: int, end: int) -> None:
        """Note a value: the words of a query from `start` to `end`."""
        seen = self._slots[slot]
        seen.values[" ".join(words[start:end]).lower()] += 1
        seen.before[words[start - 1].lower() if start else ""] += 1
        seen.lengths[end - start] += 1

    def answer(self, slot: str, words: Sequence[str]) -> str:
        """A value of the slot in a query."""
        seen = self._slots[slot]
        spans = [
            (end - start, seen.values[value], start)
            for start in range(len(words))
            for end in range(start + 1, min(start + MOST_WORDS, len(words)) + 1)
            if (value := " ".join(words[start:end]).lower()) in seen.values
        ]
        if spans:
            count, _, start = max(spans)
        else:
            start = max(range(len(words)), key=lambda place: seen.before[words[place - 1].lower() if place else ""])
            count = seen.lengths.most_common(1)[0][0]
        return " ".join(words[start : start + count])
