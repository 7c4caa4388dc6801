"""`text`: English sentences and articles, from unlabelled text and the sentences of the labelled packs."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from data2vec_core.checkpoints.card import Card
from data2vec_core.config import Data2VecTextConfig
from data2vec_core.pretraining.distributed import Shard
from data2vec_core.pretraining.masking import BertTokens
from data2vec_core.pretraining.method import Method
from data2vec_core.pretraining.model import Batch
from data2vec_core.pretraining.objective import CollapseAlarm, Objective
from data2vec_core.pretraining.plan import Plan
from data2vec_core.pretraining.schedule import TeacherDecay, WarmupCosine
from data2vec_core.pretraining.targets import TargetRule
from data2vec_core.processing.text import TextTokenizer, train_tokenizer
from recipes.backbones.backbone import Backbone
from recipes.batching import LengthBatches
from recipes.packs import Split, read_records

SENTENCE_PACKS = ("sst2", "subjectivity", "trec", "snips_nlu", "wnut17_ner", "xquad_en", "copa")
MAX_LENGTH = 128
"""Tokens of a row."""
VOCABULARY = 8000
"""Tokens of the byte-level BPE."""

BACKBONE = Backbone(
    card=Card(
        name="text",
        modality="text",
        task="pretraining",
        title="English sentences and articles, without labels",
        description=(
            "An encoder of English in lower case, with its teacher. It gives one vector a token and has no head: it "
            "answers nothing by itself."
        ),
        trained_on=(
            "1.3 million words of Wikipedia, speeches, film reviews and the American National Corpus, and the train "
            "sentences, without labels, of SST-2, Subjectivity, TREC, SNIPS, WNUT-17, XQuAD and COPA"
        ),
        licence="CC-BY-SA-4.0 (the strictest of its texts')",
    ),
    student=Data2VecTextConfig(
        vocab_size=VOCABULARY,
        hidden_size=224,
        num_hidden_layers=4,
        num_attention_heads=8,
        intermediate_size=896,
        max_position_embeddings=MAX_LENGTH + 2,
        type_vocab_size=1,
        layer_norm_eps=1e-5,
    ),
    method=Method(
        masking=BertTokens(vocab_size=VOCABULARY, mask_id=VOCABULARY - 1, special_ids=(0, 1, 2, 3), probability=0.3),
        decay=TeacherDecay(0.99, 0.999, 2000),
        targets=TargetRule(top_layers=3, tensor="feed_forward", layer_norm="instance"),
        head="deep",
        objective=Objective(beta=1.0, divisor="elements"),
        collapse=CollapseAlarm(after=500),
        masks_per_sample=2,
    ),
    plan=Plan(
        schedule=WarmupCosine(peak=1e-3, total=2400, warmup=200, end=1e-5),
        # Or the targets drift from what words have in common to where they stand; see `start_from_neighbours`.
        fixed=("embeddings.word_embeddings.", "embeddings.position_embeddings."),
        clip=5.0,
        bf16=("cuda", "cpu"),
        report_every=20,
        save_every=500,
    ),
    further=Plan(
        schedule=WarmupCosine(peak=8e-4, total=3500, warmup=200, end=1e-5),
        fixed=("embeddings.word_embeddings.", "embeddings.position_embeddings."),
        clip=5.0,
        bf16=("cuda", "cpu"),
        seed=1,
        report_every=20,
        save_every=500,
    ),
)

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
        self.rows = rows
        self._pad_id = pad_id
        self._batches = LengthBatches([len(row) for row in rows], tokens, seed, least=least)
        self.per_epoch = self._batches.per_epoch
        """Batches."""

    def __call__(self, index: int, shard: Shard = Shard()) -> Batch:  # noqa: B008
        rows = [self.rows[row] for row in self._batches.indices(index)]
        longest = max(map(len, rows))
        own = shard.of(rows)
        ids = np.full((len(own), longest), self._pad_id, dtype=np.int64)
        for filled, row in zip(ids, own, strict=True):
            filled[: len(row)] = row
        input_ids = torch.from_numpy(ids)
        return {"input_ids": input_ids, "attention_mask": (input_ids != self._pad_id).long()}


def rows_of(
    tokenizer: TextTokenizer, texts: Iterable[str], *, shortest: int = 6, longest: int | None = None
) -> list[Row]:
    """Texts as rows that fill the tokenizer's length, or `longest`; a longer text gives several.

    Args:
        shortest: rows with fewer tokens, the two special ones included, are left out: they have nothing to show beside
            what is hidden.
    """
    rows = []
    for text in texts:
        windows = tokenizer.windows(text, max_length=longest)
        for ids, count in zip(windows.input_ids, windows.attention_mask.sum(dim=1).tolist(), strict=True):
            if count >= shortest:
                rows.append(ids[:count].numpy().astype(np.int32))
    return rows


def documents_of(data: Path, split: Split) -> list[str]:
    """Documents of one split of the unlabelled text: paragraphs, a line each."""
    with gzip.open(data / f"unlabeled_text_{split}.txt.gz", "rt", encoding="utf-8") as file:
        return [document for document in file.read().split("\n\n") if document.strip()]


def texts_of_packs(data: Path) -> tuple[list[str], list[str]]:
    """Documents of the unlabelled train text, and train sentences of the labelled packs, each text once."""
    sentences: dict[str, None] = {}
    for pack in SENTENCE_PACKS:
        for record in read_records(data, pack, "train"):
            sentences.update(dict.fromkeys(_sentences(record)))
    return documents_of(data, "train"), list(sentences)


def _sentences(record: dict[str, Any]) -> Iterator[str]:
    """Every text of a record, without its label."""
    if "tokens" in record:
        yield " ".join(record["tokens"])
    for field in ("text", "context", "question", "premise"):
        if field in record:
            yield record[field]
    yield from record.get("choices", ())


def rows_of_packs(data: Path, *, tokens: int = 1024, seed: int = 0) -> tuple[Rows, TextTokenizer]:
    """Of the train splits, and the vocabulary learnt from them.

    Raises:
        ValueError: the texts are too few for it.
    """
    documents, sentences = texts_of_packs(data)
    tokenizer = train_tokenizer(documents + sentences, VOCABULARY, max_length=MAX_LENGTH)
    if len(tokenizer) != VOCABULARY:
        raise ValueError(f"{data}: the texts give a vocabulary of {len(tokenizer)} tokens, {VOCABULARY} are needed")
    rows = rows_of(tokenizer, documents + sentences)
    return Rows(rows, tokenizer.pad_id, tokens=tokens, seed=seed), tokenizer
