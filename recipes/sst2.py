"""`sst2`: sentiment of film-review sentences, from scratch."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from data2vec_core.checkpoints.card import Card
from data2vec_core.config import Data2VecTextConfig
from data2vec_core.pretrained import PretrainedModel
from data2vec_core.processing.text import TextTokenizer, train_tokenizer
from data2vec_core.text.heads import Data2VecTextForSequenceClassification
from recipes.packs import read_records
from recipes.training import Plan

LABELS = ("negative", "positive")
MAX_LENGTH = 128


class Sst2:
    """The recipe: a small encoder, strong dropout, and random tokens hidden, since there are few sentences."""

    card = Card(
        name="sst2",
        modality="text",
        task="classification",
        title="Sentiment of a sentence (English)",
        description=(
            "Says whether a sentence of a film review is negative or positive. It knows no other subject "
            "and no neutral answer, and it misses irony."
        ),
        trained_on="Stanford Sentiment Treebank (SST-2), whole sentences, train split: 6,516 sentences",
        licence="CC-BY-4.0 (sentences of Pang and Lee's sentence polarity data set)",
    )
    model_class = Data2VecTextForSequenceClassification
    plan = Plan(steps=800, learning_rate=6e-4, warmup=0.1, weight_decay=0.1, average=0.995, score_every=50)
    batch_size = 64
    hidden_share = 0.35
    """Of the tokens, replaced by the mask in training."""

    def __init__(self, data: Path) -> None:
        self.train = read_records(data, "sst2", "train")
        self.valid = read_records(data, "sst2", "valid")
        with gzip.open(data / "unlabeled_text_train.txt.gz", "rt", encoding="utf-8") as lines:
            text = [line for line in lines if line.strip()]
        self.tokenizer: TextTokenizer = train_tokenizer(
            text + [record["text"] for record in self.train], 8000, max_length=MAX_LENGTH
        )
        self.processors = (self.tokenizer,)

    def build_model(self) -> PretrainedModel:
        return Data2VecTextForSequenceClassification(
            Data2VecTextConfig(
                vocab_size=len(self.tokenizer),
                hidden_size=128,
                num_hidden_layers=2,
                num_attention_heads=4,
                intermediate_size=512,
                max_position_embeddings=MAX_LENGTH + 2,
                type_vocab_size=1,
                layer_norm_eps=1e-5,
                hidden_dropout_prob=0.4,
                attention_probs_dropout_prob=0.1,
                id2label=dict(enumerate(LABELS)),
            )
        )

    def loss(self, model: PretrainedModel, step: int) -> Tensor:
        random = np.random.default_rng((self.plan.seed, step))
        records = [self.train[i] for i in random.integers(len(self.train), size=self.batch_size)]
        inputs = self.tokenizer([record["text"] for record in records])
        is_hidden = torch.from_numpy(random.random(inputs["input_ids"].shape) < self.hidden_share)
        is_special = torch.isin(inputs["input_ids"], torch.tensor(sorted(self.tokenizer.special_ids)))
        inputs["input_ids"] = inputs["input_ids"].masked_fill(is_hidden & ~is_special, self.tokenizer.mask_id)
        labels = torch.tensor([LABELS.index(record["label"]) for record in records])
        return model(**inputs, labels=labels).loss

    def score(self, model: PretrainedModel) -> float:
        """Accuracy."""
        right = 0
        for start in range(0, len(self.valid), 64):
            records = self.valid[start : start + 64]
            predicted = model(**self.tokenizer([record["text"] for record in records])).logits.argmax(dim=-1)
            right += sum(LABELS[i] == record["label"] for i, record in zip(predicted, records, strict=True))
        return right / len(self.valid)
