"""Texts as rows of tokens: in batches of similar length, with tokens hidden at random in training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from data2vec_core.processing.text import TextBatch, TextTokenizer
from recipes.batching import LengthBatches

Row = NDArray[np.int64]
"""(tokens,) ids with the special ones around."""


class TokenRows:
    """The rows of a split.

    Args:
        tokenizer: whose ids they are.
        rows: one a text.
        tokens: most in a batch, padding included.
        seed: of the batches' order.
        hidden: share of the tokens that `batch` replaces by the mask where it is given a generator; special tokens
            stay. What a label hangs on is then not always the same word: the best help where texts are few.
    """

    def __init__(
        self, tokenizer: TextTokenizer, rows: Sequence[Row], *, tokens: int = 1024, seed: int = 0, hidden: float = 0.0
    ) -> None:
        self.tokenizer = tokenizer
        self.rows = rows
        self.hidden = hidden
        self._batches = LengthBatches([len(row) for row in rows], tokens, seed)
        self._special = np.array(sorted(tokenizer.special_ids))

    def indices(self, step: int) -> list[int]:
        """Rows of the batch of a step: every row once in an epoch."""
        return self._batches.indices(step)

    def in_order(self) -> list[list[int]]:
        """Every row once, in batches."""
        return self._batches.epoch(0)

    def batch(self, indices: Sequence[int], random: np.random.Generator | None = None) -> TextBatch:
        """Rows as (rows, tokens) model input, padded on the right; some tokens are hidden if there is a generator."""
        rows = [self.rows[index] for index in indices]
        ids = np.full((len(rows), max(map(len, rows))), self.tokenizer.pad_id, dtype=np.int64)
        for filled, row in zip(ids, rows, strict=True):
            filled[: len(row)] = row
        is_padding = ids == self.tokenizer.pad_id
        if random is not None and self.hidden:
            is_hidden = (random.random(ids.shape) < self.hidden) & ~np.isin(ids, self._special)
            ids[is_hidden] = self.tokenizer.mask_id
        return TextBatch(input_ids=torch.from_numpy(ids), attention_mask=torch.from_numpy(~is_padding).long())
