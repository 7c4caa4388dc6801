"""`text`: English sentences and articles, from unlabelled text and the sentences of the labelled packs."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from data2vec_core.pretraining.distributed import Shard
from data2vec_core.pretraining.model import Batch
from data2vec_core.processing.text import TextTokenizer
from recipes.batching import LengthBatches
from recipes.packs import read_records

SENTENCE_PACKS = ("sst2", "subjectivity", "trec", "snips_nlu", "wnut17_ner")
MAX_LENGTH = 128
"""Tokens of a row."""

Row = NDArray[np.int32]
"""(tokens,) ids with the special ones around."""


class Rows:
    """Batches of rows of similar length.

    Args:
        rows: of tokens.
        pad_id: what fills shorter ones up.
        tokens: in a batch, padding included.
        seed: of the order.
        least: rows in a batch; see `LengthBatches`.
    """

    def __init__(self, rows: Sequence[Row], pad_id: int, *, tokens: int = 2048, seed: int = 0, least: int = 1) -> None:
        self._rows = rows
        self._pad_id = pad_id
        self._batches = LengthBatches([len(row) for row in rows], tokens, seed, least=least)
        self.per_epoch = self._batches.per_epoch
        """Batches."""

    def __call__(self, index: int, shard: Shard = Shard()) -> Batch:  # noqa: B008
        rows = [self._rows[row] for row in self._batches.indices(index)]
        longest = max(map(len, rows))
        own = shard.of(rows)
        ids = np.full((len(own), longest), self._pad_id, dtype=np.int64)
        for filled, row in zip(ids, own, strict=True):
            filled[: len(row)] = row
        input_ids = torch.from_numpy(ids)
        return {"input_ids": input_ids, "attention_mask": (input_ids != self._pad_id).long()}


def rows_of(tokenizer: TextTokenizer, texts: Iterable[str], *, shortest: int = 6) -> list[Row]:
    """Texts as rows that fill the tokenizer's length; a longer text gives several.

    Args:
        shortest: rows with fewer tokens, the two special ones included, are left out: they have nothing to show beside
            what is hidden.
    """
    rows = []
    for text in texts:
        windows = tokenizer.windows(text)
        for ids, count in zip(windows.input_ids, windows.attention_mask.sum(dim=1).tolist(), strict=True):
            if count >= shortest:
                rows.append(ids[:count].numpy().astype(np.int32))
    return rows


def texts_of_packs(data: Path) -> tuple[list[str], list[str]]:
    """Documents of the unlabelled train text, and train sentences of the labelled packs."""
    with gzip.open(data / "unlabeled_text_train.txt.gz", "rt", encoding="utf-8") as file:
        documents = [document for document in file.read().split("\n\n") if document.strip()]
    sentences = []
    for pack in SENTENCE_PACKS:
        for record in read_records(data, pack, "train"):
            sentences.append(record["text"] if "text" in record else " ".join(record["tokens"]))
    return documents, sentences
