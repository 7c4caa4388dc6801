"""Tags of words: which tokens make up a word, the best legal tags of its sentence, and the spans that they mark.

Labels are read as BIO: `B-city` begins a city, `I-city` goes on with it, `O` is outside. A label without a prefix marks
its type by itself, as `I-` does in a scheme without `B-`.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

OUTSIDE = "O"


@dataclass(frozen=True, order=True)
class Span:
    """A stretch of characters, or of words, of one type."""

    start: int
    end: int
    """Exclusive."""
    label: str
    """The type, without prefix."""


@dataclass(frozen=True)
class TokenWord:
    """A word of a text, with its tokens."""

    start: int
    """First character."""
    end: int
    """Exclusive."""
    first_token: int
    """The one that speaks for the word."""


def words_of(text: str, offsets: Sequence[tuple[int, int]]) -> list[TokenWord]:
    """The words that a text's tokens make up.

    A word ends at white space, and where letters and digits meet anything else: `schedules.` is two words.

    Args:
        offsets: start and end of each token in characters, in the order of the text, white space around it included or
            not; a token without characters belongs to no word.
    """
    words: list[TokenWord] = []
    for token, (start, end) in enumerate(offsets):
        while start < end and text[start].isspace():
            start += 1
        while end > start and text[end - 1].isspace():
            end -= 1
        if start == end:
            continue
        if words and _is_one_word(text, words[-1].end, start):
            words[-1] = TokenWord(words[-1].start, max(end, words[-1].end), words[-1].first_token)
        else:
            words.append(TokenWord(start, end, token))
    return words


def _is_one_word(text: str, end: int, start: int) -> bool:
    if start < end:  # pieces of one character
        return True
    return start == end and _is_inside_words(text[end - 1]) and _is_inside_words(text[start])


def _is_inside_words(character: str) -> bool:
    return character.isalnum() or unicodedata.category(character).startswith("M")  # marks: accents, vowel signs


class TagScheme:
    """What a tagger's labels say of each other.

    Args:
        labels: of all classes, in the order of their ids.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        self.labels = tuple(labels)
        prefixes, types = zip(*map(_read_label, labels), strict=True)
        begin = {kind: index for index, (prefix, kind) in enumerate(zip(prefixes, types, strict=True)) if prefix == "B"}
        # ids of the labels that need another before them, and of the label that begins the same type
        self._inner = np.array([i for i, prefix in enumerate(prefixes) if prefix == "I" and types[i] in begin], int)
        self._begin = np.array([begin[types[i]] for i in self._inner], int)

    def best(self, scores: NDArray[np.floating]) -> list[str]:
        """The legal sequence of labels with the highest sum of scores (Viterbi): no type goes on that has not begun.

        Args:
            scores: (words, labels) log-probabilities.

        Returns:
            one label a word.
        """
        words, classes = scores.shape
        if not words:
            return []
        before = np.zeros((words, classes), dtype=np.int64)  # best label of the word before
        total = scores[0].astype(np.float64)
        total[self._inner] = -np.inf
        for word in range(1, words):
            best = int(total.argmax())
            before[word] = best
            reached = np.full(classes, total[best])
            goes_on = total[self._inner] >= total[self._begin]
            before[word, self._inner] = np.where(goes_on, self._inner, self._begin)
            reached[self._inner] = np.maximum(total[self._inner], total[self._begin])
            total = reached + scores[word]
        chosen = [int(total.argmax())]
        for word in range(words - 1, 0, -1):
            chosen.append(int(before[word, chosen[-1]]))
        return [self.labels[index] for index in reversed(chosen)]


def spans_of(tags: Sequence[str]) -> list[Span]:
    """The spans of words that a sentence's tags mark, by the rules of the CoNLL evaluation.

    A span ends before every `B-`, before another type, and before `O`; an `I-` that goes on with nothing begins one.
    """
    spans: list[Span] = []
    for word, (prefix, kind) in enumerate(map(_read_label, tags)):
        if prefix == OUTSIDE:
            continue
        if prefix == "I" and spans and spans[-1].end == word and spans[-1].label == kind:
            spans[-1] = Span(spans[-1].start, word + 1, kind)
        else:
            spans.append(Span(word, word + 1, kind))
    return spans


def _read_label(label: str) -> tuple[str, str]:
    """Prefix (`B`, `I` or `O`) and type."""
    if label == OUTSIDE:
        return OUTSIDE, ""
    return (label[0], label[2:]) if label.startswith(("B-", "I-")) else ("I", label)
