"""What counting makes of running text: frequencies of tokens, and smoothed n-grams."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import torch

from data2vec_core.processing.text import TextTokenizer
from recipes.finetuning.language import CrossEntropy, hidden_tokens


class KneserNey:
    """Interpolated Kneser-Ney smoothing (Chen and Goodman 1999, one discount for all orders).

    The longest n-grams count by how often they occur, shorter ones by how many different tokens they follow, and a
    token that never occurred gets its share of an even distribution.

    Args:
        rows: token ids of the texts to count; n-grams do not reach from one into the next.
        vocabulary: number of tokens.
        order: tokens of the longest n-grams.
        discount: what is taken from every count, between 0 and 1.
    """

    def __init__(
        self, rows: Sequence[Sequence[int]], vocabulary: int, *, order: int = 3, discount: float = 0.75
    ) -> None:
        self._vocabulary = vocabulary
        self._order = order
        self._discount = discount
        counts: Counter[tuple[int, ...]] = Counter()
        for row in rows:
            counts.update(zip(*(row[offset:] for offset in range(order)), strict=False))
        self._counts: dict[tuple[int, ...], int] = {}
        self._totals: Counter[tuple[int, ...]] = Counter()
        self._followers: Counter[tuple[int, ...]] = Counter()
        while True:
            self._counts.update(counts)
            for gram, count in counts.items():
                self._totals[gram[:-1]] += count
                self._followers[gram[:-1]] += 1
            if not gram[:-1]:
                return
            counts = Counter(gram[1:] for gram in counts)

    def probability(self, token: int, before: Sequence[int]) -> float:
        """Of a token after others, of which the last `order - 1` count."""
        probability = 1 / self._vocabulary
        context = tuple(before[len(before) - self._order + 1 :]) if len(before) >= self._order else tuple(before)
        for start in range(len(context), -1, -1):
            part = context[start:]
            if total := self._totals[part]:
                kept = max(self._counts.get((*part, token), 0) - self._discount, 0)
                probability = (kept + self._discount * self._followers[part] * probability) / total
        return probability

    def cross_entropy(self, rows: Sequence[Sequence[int]], *, special: frozenset[int]) -> CrossEntropy:
        """Of every token of some texts but the special ones, each after all that stands before it."""
        total, tokens = 0.0, 0
        for row in rows:
            for place, token in enumerate(row):
                if token not in special:
                    total -= math.log(self.probability(token, row[max(0, place - self._order + 1) : place]))
                    tokens += 1
        return CrossEntropy(total, tokens)


def ids_of(tokenizer: TextTokenizer, texts: Sequence[str]) -> list[list[int]]:
    """Every text as one row of tokens, however long, that begins with `<s>`."""
    return [tokenizer(text, max_length=10**6)["input_ids"][0, :-1].tolist() for text in texts]


def unigram_cross_entropy(
    tokenizer: TextTokenizer, train: Sequence[Sequence[int]], texts: Sequence[str]
) -> CrossEntropy:
    """Of the tokens that a masked language model is scored on, from how frequent each is in the train rows (one more
    than counted)."""
    counts = torch.bincount(torch.tensor([token for row in train for token in row]), minlength=len(tokenizer)) + 1
    costs = -(counts / counts.sum()).log()
    hidden = torch.cat([ids[is_hidden] for ids, is_hidden in hidden_tokens(tokenizer, texts)])
    return CrossEntropy(costs[hidden].sum().item(), len(hidden))
